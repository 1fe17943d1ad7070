// The `liuke` command.
import { createReadStream, readFileSync } from "node:fs";
import { createGunzip } from "node:zlib";
import { parseArgs } from "node:util";
import { ownerLink } from "#access/service.ts";
import * as collect from "#collect/service.ts";
import { readConfig, type Config } from "#kernel/config.ts";
import { instantOf, machineNow } from "#kernel/clock.ts";
import type { House } from "#kernel/endpoint.ts";
import { readInstallation, writeInstallation } from "#kernel/installation.ts";
import { newLog } from "#kernel/log.ts";
import { throughOutages } from "#kernel/outage.ts";
import { publishedHeads } from "#kernel/audit-chain.ts";
import { wordsFor } from "#lang/terminal.ts";
import { importFile, look } from "#exchange/import.ts";
import { isKind, isTrust, whenOf, type Kind, type Mapping } from "#exchange/rules.ts";
import * as exchange from "#exchange/service.ts";
import { ensureBuilt } from "./console.ts";
import { bundled, outcome, turn, type Loop, type Stage } from "./demo.ts";
import { removeDemo } from "./demo-remove.ts";
import { doctor } from "./doctor.ts";
import { headFile, listen, open, root, startWork, type Opened } from "./program.ts";
import { progress, table } from "./terminal.ts";

const words = wordsFor(process.env);
const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    demo: { type: "boolean", default: false },
    force: { type: "boolean", default: false },
    role: { type: "string", default: "all" },
    map: { type: "string" },
    source: { type: "string", default: "import" },
    trust: { type: "string" },
    dry: { type: "boolean", default: false },
    from: { type: "string" },
    until: { type: "string" },
  },
});

/**
 * Ends when the terminal or the system asks, once and cleanly; asked again, at once. One Ctrl-C under npm comes twice,
 * from the terminal and from npm itself: what follows within a moment is no second asking.
 */
const ending = new AbortController();
let asked = 0;
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.on(signal, () => {
    if (!ending.signal.aborted) asked = performance.now();
    else if (performance.now() - asked > 1000) process.exit(130);
    ending.abort();
  });

async function main(): Promise<void> {
  const config = readConfig(process.env);
  const [command = "", ...rest] = positionals;
  if (command === "start") return start(config);
  if (command === "migrate")
    return within(config, async () => {
      /* opening has migrated */
    });
  const [kind = "", path] = rest;
  if (command === "import" && isKind(kind) && path)
    return within(config, (opened) => importOf(opened, kind, path, values.map));
  if (command === "rebuild" && (kind === "people" || kind === "columns"))
    return within(config, (opened) => rebuild(opened, kind));
  if (command === "demo" && rest[0] === "remove")
    return within(config, async (opened) => {
      const removed = await removeDemo(opened);
      if (removed.ok) say(words.demoRemoved(removed.value));
      else say(removed.code === "demo.none" ? words.demoNone : words.demoMixed);
      if (!removed.ok) process.exitCode = 1;
    });
  if (command === "clock" && rest[0] === "real")
    return within(config, ({ clock }) => clock.toReal());
  if (command === "owner-link")
    return within(config, async ({ house }) => {
      const link = await ownerLink(house, { force: values.force });
      say(link ? words.ownerAgain(link) : words.hasOwner);
    });
  if (command === "doctor")
    return within(config, async ({ house }) => {
      const audit = { keys: house.keys, heads: await publishedHeads(headFile(config)) };
      const found = (await doctor(house.sql, { audit })).filter(({ rows }) => rows > 0);
      for (const { id, what, rows } of found) say(words.doctorBroken(id, what, rows));
      if (found.length === 0) say(words.doctorFine);
      else process.exitCode = 1;
    });
  say(words.usage);
  process.exitCode = 2;
}

/** A command beside a running program is refused by the engines' lock; with an external database it just runs. */
async function within(config: Config, run: (opened: Opened) => Promise<unknown>): Promise<void> {
  const opened = await open(config, newLog("warn"));
  try {
    await run(opened);
  } finally {
    await opened.close();
  }
}

async function start(config: Config): Promise<void> {
  const began = performance.now();
  say(words.starting);
  const log = newLog(config.LIUKE_LOG_LEVEL === "info" ? "warn" : config.LIUKE_LOG_LEVEL);
  const serves = values.role !== "worker";
  if (serves) await ensureBuilt();
  const opened = await open(config, log);
  const closers: (() => Promise<unknown>)[] = [opened.close];
  try {
    const demo = await demoWanted(opened, config);
    let ready = false;
    const running = serves ? await listen(opened, async () => ready) : null;
    if (running) closers.push(running.stop);
    const worker = values.role === "api" ? null : await startWork(opened, serves);
    if (worker) closers.push(worker.stop);
    ready = true;
    if (running) {
      const link = await ownerLink(opened.house);
      say(words.ready(performance.now() - began));
      say(words.console(running.url));
      if (link) say(words.owner(link));
    }
    if (demo) await runDemo(opened);
    else if (running && (await isEmpty(opened))) say(words.empty(running.url));
    if (!ending.signal.aborted)
      await new Promise((resolve) => ending.signal.addEventListener("abort", resolve));
    say(words.stopping);
  } finally {
    for (const close of closers.toReversed()) await close();
  }
}

const isEmpty = async ({ house }: Opened): Promise<boolean> => {
  const [row] = await house.sql<
    { some: boolean }[]
  >`select exists (select from collect_source) as some`;
  return !row!.some;
};

/** The demo runs where it was cut off, where the database is empty and our own, and where it is asked for. */
async function demoWanted(opened: Opened, config: Config): Promise<boolean> {
  const { sql } = opened.house;
  const state = await readInstallation<{ stage: Stage }>(sql, "demo");
  if (state) return state.stage !== "done";
  const wanted = values.demo || !config.DATABASE_URL;
  if (!wanted || values.role === "api") return false;
  if (!(await isEmpty(opened))) {
    if (values.demo) throw new Error(words.demoRefused, { cause: "demo" });
    return false;
  }
  if (!values.demo && (await readInstallation(sql, "demo_removed"))) return false;
  const { mapping, start: from } = bundled(root);
  await writeInstallation(sql, "time_zone", mapping.timeZone);
  await writeInstallation(sql, "currency", mapping.currency);
  await opened.clock.move(instantOf(from, mapping.timeZone));
  await writeInstallation(sql, "demo", { stage: "import" satisfies Stage });
  Object.assign(opened.house.clocks, { timeZone: mapping.timeZone });
  opened.house.settings.currency = mapping.currency;
  return true;
}

async function runDemo(opened: Opened): Promise<void> {
  const { house, clock } = opened;
  const demo = bundled(root);
  say(words.demoBegins);
  const total = await countLines(demo.path);
  const bar = progress(machineNow);
  const loop: Loop = {
    house,
    pumps: null, // the worker beside us
    clock,
    demo,
    signal: ending.signal,
    tell: (stage, counts) => {
      if (stage === "import")
        bar.show(counts!.lines, total, (s, l) => words.importing(counts!, total, s, l));
      else if (stage === "replay")
        bar.show(counts!.lines, total, (s, l) => words.replaying(counts!, total, s, l));
      else
        bar.end(
          { know: words.knowing, decide: words.deciding, act: words.acting }[stage as "know"],
        );
    },
  };
  await goOn(house, () => turn(loop));
  bar.end();
  if (ending.signal.aborted) {
    say(words.interrupted);
    return;
  }
  say(table(words.table, await outcome(house), house, process.env));
}

/** Lines of a file, for the progress bar alone: quoted line ends count double, which a bar can bear. */
async function countLines(path: string): Promise<number> {
  const file = createReadStream(path);
  let lines = -1; // the heading
  for await (const chunk of path.endsWith(".gz") ? file.pipe(createGunzip()) : file)
    for (const byte of chunk as Buffer) if (byte === 10) lines++;
  return Math.max(lines, 1);
}

/** Engines that fall and come back stop neither an import nor the demo. */
const goOn = <T>({ log }: House, work: () => Promise<T>): Promise<T> =>
  throughOutages(work, log, () => performance.now(), ending.signal);

function timeSaid(text: string | undefined, timeZone: string): Date | undefined {
  if (text === undefined) return undefined;
  const at = whenOf(text.trim(), timeZone);
  if (!at) throw new Error(words.badTime(text), { cause: "import" });
  return at;
}

/** A dry run looks at so many lines at most. */
const dryLimit = 100_000;

async function importOf({ house, pumps }: Opened, kind: Kind, path: string, map?: string) {
  // Without a mapping the file is one of ours: its columns are called as the fields are.
  const said = map ? (JSON.parse(readFileSync(map, "utf8")) as Mapping) : { quoted: true };
  const trust = values.trust ?? said.trust ?? "shop";
  if (!isTrust(trust)) throw new Error(words.badTrust(trust), { cause: "import" });
  const mapping: Mapping = trust === "shop" ? said : { ...said, trust };
  if (values.dry) {
    say(JSON.stringify(await look(house, { path, kind, mapping, limit: dryLimit }), null, 2));
    return;
  }
  const source = await collect.sourceNamed(house, house.sql, values.source, "import");
  const total = await countLines(path);
  const bar = progress(machineNow);
  const timeZone = mapping.timeZone ?? house.clocks.timeZone;
  const at = (text: string | undefined) => timeSaid(text, timeZone);
  let before = false;
  const counts = await goOn(house, async () => {
    const done = await importFile(house, {
      path,
      kind,
      mapping,
      source,
      onOpen: async ({ finished }) => void (before = finished),
      from: at(values.from),
      until: at(values.until),
      signal: ending.signal,
      onBatch: (c) => bar.show(c.lines, total, (s, l) => words.importing(c, total, s, l)),
    });
    while (!ending.signal.aborted && (await pumps.consume()) > 0);
    while (!ending.signal.aborted && (await pumps.ship()) > 0);
    return done;
  });
  bar.end();
  if (before) say(words.importedBefore);
  say(words.imported(counts));
}

/** Goes on with a rebuilding that was cut off, or begins one. */
async function rebuild({ house, pumps }: Opened, what: "people" | "columns") {
  const at = (text: string | undefined) => timeSaid(text, house.clocks.timeZone)?.toISOString();
  await house.sql.begin((tx) =>
    exchange.askRebuild(
      { tx, at: house.clocks.machine(), newId: house.newId },
      { what, from: at(values.from), until: at(values.until) },
    ),
  );
  await goOn(house, async () => {
    while (!ending.signal.aborted && (await exchange.isRebuilding(house, what))) {
      await pumps.rebuild();
      if (what === "columns") while (!ending.signal.aborted && (await pumps.ship()) > 0);
    }
  });
  const [last] = (await exchange.rebuilds(house)).filter((one) => one.what === what);
  say(ending.signal.aborted ? words.interrupted : words.rebuilt(Number(last?.done ?? 0)));
}

try {
  await main();
} catch (thrown) {
  const { message, cause } = thrown as Error;
  // Sentences meant for people are shown as they are; whatever else broke is shown with where.
  process.stderr.write(
    `${typeof cause === "string" ? message : ((thrown as Error).stack ?? message)}\n`,
  );
  process.exitCode = 1;
}
