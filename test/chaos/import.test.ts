// kill -9 of whatever runs, in the middle of an import: what was acknowledged is there exactly once, in both engines.
import { mkdir, readdir, readFile, realpath, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test, vi } from "vitest";
import { permissions } from "../../src/access/rules.ts";
import { createKey } from "../../src/access/service.ts";
import { sourceNamed } from "../../src/collect/service.ts";
import * as store from "../../src/collect/store.ts";
import { signal } from "../../src/engines/processes.ts";
import { connect } from "../../src/kernel/sql.ts";
import { expected, linesOf, mapping, writeLines } from "./lines.ts";
import { send } from "./load.ts";
import { enginesOf, freePort, temporaryHome, type Started } from "./program.ts";
import { broken, differences, held, inHome, settings } from "./truth.ts";

const lines = linesOf(20_000, 20_260_301);
const all = expected(lines);
/** A source that holds every line exactly once, in both engines. */
const whole = {
  log: { lines: lines.length, distinct: lines.length },
  postgres: all,
  columns: all,
  columnRows: { rows: lines.length, distinct: lines.length },
};
vi.setConfig({ testTimeout: 240_000 }); // seconds on a machine of one's own

let temporary: Awaited<ReturnType<typeof temporaryHome>>;
let file: string;
let bad: number;
beforeAll(async () => {
  temporary = await temporaryHome();
  file = join(temporary.home, "orders.csv");
  bad = await writeLines(file, lines);
  await writeFile(join(temporary.home, "map.json"), JSON.stringify(mapping));
});
afterAll(() => temporary[Symbol.asyncDispose]());

const importInto = (source: string, env: Record<string, string> = {}): Started =>
  temporary.run(
    ["import", "orders", file, "--map", join(temporary.home, "map.json"), "--source", source],
    { env: { ...settings, ...env } },
  );
const finished = async (started: Started): Promise<void> => {
  const { code } = await started.ended;
  expect(code, started.said()).toBe(0);
};
const taken = `${lines.length.toLocaleString("en")} taken, `;

beforeEach(() => onTestFailed(() => console.error(temporary.said())));

test("an import that nothing disturbs is the measure of the others", async () => {
  const program = importInto("reference");
  await finished(program);
  expect(program.said()).toContain(`${taken}${bad} refused, 0 there already`);
  await inHome(temporary.home, async (opened) => {
    expect(await held(opened, "reference")).toEqual(whole);
  });
});

test("cut off at every point where something could be left half done, an import goes on to the same end", async () => {
  for (const point of [
    "import.in_batch:2",
    "import.after_batch:2",
    "consume.before_commit",
    "columns.after_cut",
    "columns.after_send",
  ]) {
    const program = importInto("cut", { LIUKE_CRASH_AT: point });
    expect(await program.ended, `${point}\n${program.said()}`).toMatchObject({ signal: "SIGKILL" });
  }
  await finished(importInto("cut"));
  await inHome(temporary.home, async (opened) => {
    expect(await held(opened, "cut")).toEqual(whole);
    expect(await differences(opened, "cut", "reference")).toEqual([]);
    expect(await broken(opened)).toEqual([]);
  });
});

/** Looks at a home from outside, as nobody who works there does. */
async function lineOfImport(source: string): Promise<number> {
  const { home } = temporary;
  const port = await readFile(join(home, "engines", "postgres.port"), "utf8");
  const password = await readFile(join(home, "secrets", "postgres-app"), "utf8");
  const sql = connect(`postgres://liuke_app:${password}@127.0.0.1:${port}/liuke`, { max: 1 });
  try {
    const [row] = await sql<{ line: number }[]>`
      select line::int from collect_import i join collect_source s on s.id = i.source_id
      where s.name = ${source}`;
    return row?.line ?? 0;
  } catch {
    return 0; // it does not run yet, or not any more
  } finally {
    await sql.end();
  }
}

test("ClickHouse, PostgreSQL, and then the importing process, are killed while lines come in", async () => {
  const program = importInto("killed");
  let over = false;
  void program.ended.then(() => (over = true));
  while (!over && (await lineOfImport("killed")) === 0) await sleep(5);
  const { postmaster, clickhouse } = await enginesOf(temporary.home);
  signal(clickhouse!, "SIGKILL");
  signal(postmaster!, "SIGKILL");
  while (!over && (await lineOfImport("killed")) < 15_000) await sleep(5);
  program.kill();
  expect(await program.ended).toMatchObject({ signal: "SIGKILL" });
  await finished(importInto("killed"));
  await inHome(temporary.home, async (opened) => {
    expect(await held(opened, "killed")).toEqual(whole);
    expect(await differences(opened, "killed", "reference")).toEqual([]);
  });
});

/** A shop's own server, and its key. */
const shopServer = () =>
  inHome(temporary.home, async ({ house }) => {
    const source = await sourceNamed(house, house.sql, "server", "server");
    const actor = {
      id: "system:test",
      permissions: new Set<string>(permissions),
      scope: { kind: "all" },
    } as const;
    const made = await house.sql.begin((tx) =>
      createKey(
        { tx, actor, at: house.clocks.machine(), newId: house.newId },
        {
          name: "server",
          permissions: ["events:write"],
          source: { id: source.id, kind: "server" },
        },
      ),
    );
    if (!made.ok) throw new Error(made.code);
    return made.value.key;
  });

test("PostgreSQL, ClickHouse and the server are killed while a shop sends, and each line counts once", async () => {
  const key = await shopServer();
  const port = await freePort();
  const start = () => temporary.run(["start"], { env: { ...settings, PORT: String(port) } });
  let program = start();
  await program.says("Ready in");

  // A second one in the same home is told who is there, and disturbs nothing.
  const second = temporary.run(["start"], { env: settings });
  expect((await second.ended).code).toBe(1);
  expect(second.said()).toContain(`already run by process ${program.pid}`);
  expect(second.said()).not.toContain("    at ");

  const load = send(() => `http://127.0.0.1:${port}`, key, lines);
  await load.reaches(0.2);
  const first = await enginesOf(temporary.home);
  signal(first.postmaster!, "SIGKILL");
  await load.reaches(0.4);
  signal(first.clickhouse!, "SIGKILL");
  await load.reaches(0.6);
  expect(await enginesOf(temporary.home)).not.toMatchObject({ postmaster: first.postmaster });
  program.kill();
  await program.ended;
  program = start();
  await load.reaches(0.8);
  const later = await enginesOf(temporary.home);
  for (const pid of [later.postmaster, later.clickhouse, program.pid]) signal(pid!, "SIGKILL");
  await program.ended;
  program = start();
  await load.done;

  expect(load.acknowledged.size).toBe(lines.length);
  expect(load.lost()).toBeGreaterThan(0);
  // An engine that is away is said to be away: nothing broke.
  expect([...load.refused.keys()].filter((status) => status !== 503)).toEqual([]);
  program.interrupt();
  expect(await program.ended, program.said()).toEqual({ code: 0, signal: null });
  expect(await enginesOf(temporary.home)).toMatchObject({ postgres: [], clickhouse: undefined });

  await inHome(temporary.home, async (opened) => {
    const { pumps } = opened;
    while ((await pumps.consume()) > 0);
    while ((await pumps.ship()) > 0);
    expect(await held(opened, "server")).toEqual(whole);
    expect(await differences(opened, "server", "reference")).toEqual([]);
    expect(await broken(opened)).toEqual([]);
  });
});

test("what a power cut took from the columns comes back, and stale files and half-written parts stop no start", async () => {
  const { home } = temporary;
  await inHome(home, async ({ house: { sql, columns } }) => {
    const batches = await sql<store.Batch[]>`
      select id, target, buckets, froms, tos, rows, attempt from collect_batch
      where rows > 0 order by id`;
    expect(batches.length).toBeGreaterThan(4);
    const middle = batches[Math.floor(batches.length / 2)]!;
    const { id, target, buckets, froms, tos, rows, attempt } = middle;
    const count = async () => {
      const [row] = await columns.read<{ n: string }>(`select count() as n from ${target}`);
      return Number(row!.n);
    };
    const before = await count();
    await columns.run(`alter table ${target} delete where arrayExists(
      (b, f, t) -> bucket = b and offset between f and t, [${buckets}], [${froms}], [${tos}])`);
    expect(await count()).toBe(before - Number(rows));
    // The deduplication log remembers what is gone: sent again under its name, it is taken for a double.
    const lines = await store.batchLines(sql, id, "GBP");
    await columns.insertLines(target, lines, `${target}:${id}:${attempt}`);
    expect(await count()).toBe(before - Number(rows));
    await sql`update collect_batch set state = 'sent' where id = ${id}`;
  });

  await writeFile(join(home, "engines", "lock"), "999999 1");
  await writeFile(join(home, "engines", "clickhouse.pid"), `${process.pid} 1`);
  const data = await realpath(join(home, "postgres"));
  await writeFile(join(data, "postmaster.pid"), `${process.pid}\n${data}\n1\n5432\n`);
  const parts = (await readdir(join(home, "clickhouse"), { recursive: true }))
    .filter((name) => /^store\/.*\/format_version.txt$/.test(name))
    .map((name) => join(home, "clickhouse", dirname(name)));
  expect(parts.length).toBeGreaterThan(0);
  for (const part of parts) {
    await mkdir(join(part, "tmp_insert_all_900_900_0"));
    await writeFile(join(part, "tmp_insert_all_900_900_0", "data.bin"), "cut o");
    await mkdir(join(part, "all_901_901_0"));
    await writeFile(join(part, "all_901_901_0", "data.bin"), "cut o");
  }

  // As a newcomer starts and ends it: by npm, and by Ctrl-C, which every process of the terminal hears. npm itself ends
  // by the signal, once what it runs has ended well.
  const program = temporary.run(["start"], { npm: true, env: settings });
  await program.says("Ready in");
  await program.says("columns.mended");
  program.interrupt();
  expect(await program.ended, program.said()).toEqual({ code: null, signal: "SIGINT" });
  expect(program.said()).toContain("Stopping…");
  expect(await enginesOf(home)).toMatchObject({ postgres: [], clickhouse: undefined });
  await inHome(home, async (opened) => {
    for (const source of ["reference", "cut", "killed", "server"])
      expect(await held(opened, source), source).toEqual(whole);
  });
});
