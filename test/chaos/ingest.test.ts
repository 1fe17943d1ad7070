// kill -9 of the API, the worker, PostgreSQL and ClickHouse at random points while a client sends batches over HTTP and
// resends each until it is acknowledged. LIUKE_CHAOS_POINTS says how many points for each; LIUKE_CHAOS_SEED which.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, onTestFailed, test } from "vitest";
import type { Opened } from "../../src/program.ts";
import { apart, shopServer, type Apart, type Victim } from "./apart.ts";
import { client, type Client } from "./batches.ts";
import { expected } from "./lines.ts";
import { broken, held } from "./truth.ts";

const asked = Number(process.env["LIUKE_CHAOS_POINTS"] ?? 0);
/** Every check: three of the program's own processes, one of each engine. */
const points: Record<Victim, number> =
  asked > 0
    ? { api: asked, worker: asked, postgres: asked, clickhouse: asked }
    : { api: 2, worker: 1, postgres: 1, clickhouse: 1 };
const total = Object.values(points).reduce((sum, n) => sum + n, 0);
const seed = Number(process.env["LIUKE_CHAOS_SEED"] ?? 1 + (Date.now() % 2_000_000_000));
const chance = (
  (state) => () =>
    (state = (state * 48271) % 2147483647) / 2147483647
)(seed);

let house: Apart;
beforeAll(async () => void (house = await apart()), 120_000);
afterAll(() => house[Symbol.asyncDispose]());

/** The log, and both engines' counts of it by name; nobody else writes meanwhile. */
async function counts({ house: { sql, columns } }: Opened, source: string) {
  const log = await sql<{ name: string; rows: number; distinct: number }[]>`
    select name, count(*)::int as rows, count(distinct id)::int as distinct from collect_event
    where source_id = ${source} group by name order by name collate "C"`;
  const copied = await columns.read<{ name: string; rows: string; distinct: string }>(
    `select name, toString(count()) as rows, toString(uniqExact(id)) as distinct from event
    where source_id = {source:UUID} group by name order by name`,
    { source },
  );
  return {
    log: log.map((row) => ({ ...row })),
    columns: copied.map(({ name, rows, distinct }) => ({
      name,
      rows: Number(rows),
      distinct: Number(distinct),
    })),
  };
}
const drained = async ({ pumps }: Opened) => {
  for (let done = 1; done > 0;)
    done =
      (await pumps.consume()) + (await pumps.relay()) + (await pumps.ring()) + (await pumps.ship());
};
async function check(opened: Opened, source: string, load: Client) {
  await drained(opened);
  const found = await counts(opened, source);
  const all = found.log.reduce((sum, { rows }) => sum + rows, 0);
  // Acknowledged is stored, nothing twice, and nothing that nobody sent.
  for (const { name, rows, distinct } of found.log)
    expect({ name, rows }).toEqual({ name, rows: distinct });
  expect(all).toBe(load.acknowledged.size);
  const ids = [...load.acknowledged];
  for (let i = 0; i < ids.length; i += 50_000) {
    const some = ids.slice(i, i + 50_000);
    const [row] = await opened.house.sql<{ n: number }[]>`
      select count(*)::int as n from collect_event where id = any(${some}::uuid[])`;
    expect(row!.n).toBe(some.length);
  }
  expect(found.columns).toEqual(found.log);
  const sums = expected(load.lines);
  expect(await held(opened, "server")).toMatchObject({
    log: { lines: load.lines.length, distinct: load.lines.length },
    postgres: sums,
    columns: sums,
  });
  expect(await broken(opened)).toEqual([]);
  return found;
}

test(
  `${total} kills while batches come in: acknowledged is stored once, in both engines, and a full resend changes nothing`,
  async () => {
    onTestFailed(() => console.error(`LIUKE_CHAOS_SEED=${seed}\n${house.said()}`));
    const { source, key } = await house.inside(shopServer);
    house.start("worker");
    await house.start("api").says("Ready in");
    const load = client(house.url, key, seed);
    await load.more(400);
    const order = (Object.entries(points) as [Victim, number][])
      .flatMap(([victim, n]) => Array.from({ length: n }, () => victim))
      .map((victim) => ({ victim, at: chance() }))
      .toSorted((a, b) => a.at - b.at);
    for (const { victim } of order) {
      await sleep(Math.floor(chance() * 400));
      await house.kill(victim);
      await load.more(200 + Math.floor(chance() * 600));
    }
    await load.stop();
    // An engine or a process that is away is said to be away: nothing broke.
    expect([...load.refused.keys()].filter((status) => status !== 503)).toEqual([]);
    expect(load.lost()).toBeGreaterThan(0);
    await house.stop();
    const before = await house.inside((opened) => check(opened, source, load));

    await house.start("api").says("Ready in");
    const again = await load.resend();
    expect(again).toEqual({
      items: load.acknowledged.size,
      doubles: load.acknowledged.size,
      strange: 0,
    });
    await house.stop();
    expect(await house.inside((opened) => check(opened, source, load))).toEqual(before);
    console.log(
      `${total} kills, seed ${seed}: ${load.acknowledged.size} items acknowledged and stored, ` +
        `${load.untold()} of them stored before anybody was told, ${load.lost()} requests without an answer`,
    );
  },
  120_000 + total * 20_000,
);
