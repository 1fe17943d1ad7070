// The loop on a slice of the bundled orders, over a world with a clock that is moved by hand.
import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { createGunzip } from "node:zlib";
import { permissions } from "../../src/access/rules.ts";
import { createKey } from "../../src/access/service.ts";
import { pumps } from "../../src/app.ts";
import { bundled, turn, type Demo, type Stage } from "../../src/demo.ts";
import { writeInstallation } from "../../src/kernel/installation.ts";
import type { House } from "../../src/kernel/endpoint.ts";
import type { PersonKey } from "../../src/kernel/sql.ts";
import * as people from "../../src/people/service.ts";
import { world } from "../database.ts";

/** Lines of the bundled file that `keep` wants, as a file of their own. The bundled one has no quoted line ends. */
export async function slice(keep: (line: string) => boolean) {
  const folder = await mkdtemp(join(tmpdir(), "liuke-slice-"));
  const path = join(folder, "orders.csv");
  const out = createWriteStream(path);
  let heading = true;
  let lines = 0;
  const text = createReadStream("data/online-retail.csv.gz").pipe(createGunzip());
  for await (const line of createInterface({ input: text })) {
    if (heading) out.write(`${line}\n`);
    else if (keep(line)) {
      out.write(`${line}\n`);
      lines++;
    }
    heading = false;
  }
  await new Promise((resolve) => out.end(resolve));
  const dispose = () => rm(folder, { recursive: true, force: true });
  return { path, lines, [Symbol.asyncDispose]: dispose };
}
/** The last fields of a line are the time, the price, the customer and the country. */
const tail = /,(\d{4}-\d\d-\d\d) \d\d:\d\d:\d\d,[-\d.]+,(\d*),[^,]*$/;
export const partsOf = (line: string) => {
  const [, day = "", customer = ""] = tail.exec(line) ?? [];
  return { day, customer };
};
/** One customer in `n`, and as many of the lines that name nobody. */
export const oneIn = (n: number) => (line: string) => {
  const { customer } = partsOf(line);
  return customer === "" ? line.length % n === 0 : Number(customer) % n === 0;
};

/** Turns the loop until `until`, in a world of its own. */
export async function turned(path: string, until: Stage = "done", given: Partial<Demo> = {}) {
  const shop = await world({ timeZone: "Europe/London", settings: { currency: "GBP" } });
  const { house, clock } = shop;
  const demo = { ...bundled("./"), ...given, path };
  clock.shop = new Date("2011-09-08T23:00:00Z"); // midnight in London
  await writeInstallation(shop.sql, "demo", { stage: "import" });
  const work = pumps(house, null);
  const ending = new AbortController();
  const seen: Stage[] = [];
  const go = (to: Stage) =>
    turn({
      house,
      pumps: work,
      demo,
      signal: ending.signal,
      clock: {
        now: () => clock.shop,
        isReal: () => false,
        refresh: async () => {},
        toReal: async () => {},
        move: async (at) => {
          if (at > clock.shop) clock.shop = at;
        },
      },
      tell: (stage) => {
        if (seen.at(-1) !== stage) seen.push(stage);
        if (stage === to && to !== "done") ending.abort();
      },
    });
  await go(until);
  return Object.assign(shop, { pumps: work, demo, seen, turnAgain: () => go("done") });
}

/** What the loop made of everybody, by the shop's own number of them and without any id of ours: text to compare. */
export async function portrait(house: House): Promise<string> {
  const everybody = await house.sql<PersonKey[]>`select bucket, person_id from people_person`;
  const numbers = await people.identifiers(house, house.sql, everybody, "user_id");
  const who = (personId: string) => numbers.get(personId)!;
  const profiles = await house.sql<{ personId: string; attributes: Record<string, unknown> }[]>`
    select person_id, attributes - 'last_event' as attributes from people_profile`;
  const tags = await house.sql<Record<string, unknown>[]>`
    select person_id, tag, value, kind, source, reason, confidence, at from people_tag`;
  const members = await house.sql<{ personId: string }[]>`select person_id from segments_member`;
  const picks = await house.sql<Record<string, unknown>[]>`
    select person_id, rank, sku, kind, score, reason from recommend_pick`;
  const arms = await house.sql<Record<string, unknown>[]>`
    select person_id, arm, place from experiments_assignment`;
  const lines = (what: string, rows: readonly Record<string, unknown>[]) =>
    rows
      .map(({ personId, ...row }) => `${what} ${who(String(personId))} ${JSON.stringify(row)}`)
      .toSorted();
  return [
    ...lines("profile", profiles),
    ...lines("tag", tags),
    ...lines("member", members),
    ...lines("pick", picks),
    ...lines("arm", arms),
  ].join("\n");
}

/** A key that may do everything. */
export async function keyOf(house: House) {
  const actor = {
    id: "system:test",
    permissions: new Set<string>(permissions),
    scope: { kind: "all" },
  } as const;
  const made = await house.sql.begin((tx) =>
    createKey(
      { tx, actor, at: house.clocks.machine(), newId: house.newId },
      { name: "scenario", permissions },
    ),
  );
  if (!made.ok) throw new Error(made.code);
  return { authorization: `Bearer ${made.value.key}` };
}
