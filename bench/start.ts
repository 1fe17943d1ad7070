// How soon a stopped installation is of use again: from `npm start` to the first event that it acknowledges over HTTP.
//
// Options: --home (an installation that is there already, and gets a source "bench"; unset, one is made of the file's
// first lines), --lines (how many, 50000), --times (5), and --file, --mapping, --clock, --until as `import` has them.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { permissions } from "../src/access/rules.ts";
import { createKey } from "../src/access/service.ts";
import { sourceNamed } from "../src/collect/service.ts";
import { freePort, run as runProgram, temporaryHome } from "../test/chaos/program.ts";
import type { Measured } from "./effect.ts";
import { demoOf, fill, numberOf, withHouse, type Options } from "./tools/homes.ts";

const targetSeconds = 5;
const giveUpMs = 120_000;

export async function run(report: (measured: Measured) => void, options: Options): Promise<void> {
  const say = (name: string, value: number, target = "-", pass = true) =>
    report({ name: `start.${name}`, value: Math.round(value) / 1000, unit: "s", target, pass });
  await using temporary = await temporaryHome(options["below"]);
  const home = options["home"] ?? temporary.home;
  if (!options["home"]) {
    await fill(home, await demoOf(options), numberOf(options, "lines", 50_000));
  }
  const key = await makeKey(home);
  // The first start may build the console and fill the file cache: it is no start of an existing installation.
  await firstAnswer(home, key);
  const taken: number[] = [];
  for (let i = 0; i < numberOf(options, "times", 5); i++) taken.push(await firstAnswer(home, key));
  taken.sort((a, b) => a - b);
  const median = taken[Math.floor(taken.length / 2)]!;
  say("fastest", taken[0]!);
  say("slowest", taken.at(-1)!);
  say("first_event", median, `<= ${targetSeconds}`, median <= targetSeconds * 1000);
}

const makeKey = (home: string): Promise<string> =>
  withHouse(home, async ({ house }) => {
    const source = await sourceNamed(house, house.sql, "bench", "server");
    const actor = {
      id: "system:bench",
      permissions: new Set<string>(permissions),
      scope: { kind: "all" },
    } as const;
    const made = await house.sql.begin((tx) =>
      createKey(
        { tx, actor, at: house.clocks.machine(), newId: house.newId },
        {
          name: "bench",
          permissions: ["events:write"],
          source: { id: source.id, kind: "server" },
        },
      ),
    );
    if (!made.ok) throw new Error(made.code);
    return made.value.key;
  });

/** One start to its end; milliseconds from the command to the answer that the event is on disk. */
async function firstAnswer(home: string, key: string): Promise<number> {
  const port = await freePort();
  const began = performance.now();
  const program = runProgram(home, ["start"], { npm: true, env: { PORT: String(port) } });
  let over = false;
  void program.ended.then(() => (over = true));
  try {
    while (!(await isTaken(port, key))) {
      if (over || performance.now() - began > giveUpMs)
        throw new Error(`No event was taken:\n${program.said()}`);
      await sleep(10);
    }
    return performance.now() - began;
  } finally {
    if (!over) program.interrupt();
    await program.ended;
  }
}
async function isTaken(port: number, key: string): Promise<boolean> {
  const event = {
    key: randomUUID(),
    name: "Page Viewed",
    user: "bench",
    at: "2011-01-05T10:00:00Z",
  };
  const answer = await fetch(`http://127.0.0.1:${port}/v1/events`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ events: [event] }),
  }).catch(() => null); // nobody listens yet
  if (!answer || answer.status === 503) return false;
  const body = (await answer.json()) as { accepted?: number };
  if (body.accepted !== 1) throw new Error(`${answer.status}: ${JSON.stringify(body)}`);
  return true;
}
