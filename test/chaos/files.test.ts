// kill -9 in the middle of files of every kind, and of working things out anew: whoever goes on comes to the same end.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test, vi } from "vitest";
import type { Kind } from "../../src/exchange/rules.ts";
import type { Opened } from "../../src/program.ts";
import { temporaryHome } from "./program.ts";
import { broken, inHome, settings } from "./truth.ts";

vi.setConfig({ testTimeout: 400_000, hookTimeout: 400_000 });
const lines = 12_000;
const day = (i: number) => new Date(Date.UTC(2026, 0, 1) + i * 60_000).toISOString();
/** A line of each kind; every 3,000th is bad in one field. */
const lineOf: Record<Exclude<Kind, "orders">, (i: number) => object> = {
  people: (i) => ({
    user: `u${i % 4000}`,
    city: `City ${i % 50}`,
    email: i % 3000 === 7 ? "none" : `u${i % 4000}@example.com`,
    at: day(i),
  }),
  products: (i) => ({
    sku: `S${i % 500}`,
    name: `Tea ${i}`,
    unitPrice: i % 3000 === 7 ? "dear" : "12.5",
    stock: i,
    at: day(i),
  }),
  stock: (i) => ({ sku: `S${i % 500}`, stock: i % 3000 === 7 ? "many" : i, at: day(i) }),
  events: (i) => ({
    name: "Tasted",
    user: `u${i % 4000}`,
    data: { cups: i },
    at: i % 3000 === 7 ? "soon" : day(i),
  }),
  relations: (i) => ({
    user: `u${i % 4000}`,
    kind: i % 3000 === 7 ? "foe" : "follow",
    other: `u${(i * 7 + 1) % 4000}`,
    at: day(i),
  }),
  consents: (i) => ({
    ...{ user: `u${i % 4000}`, purpose: "marketing", channel: "email", at: day(i) },
    granted: i % 3000 === 7 ? "perhaps" : i % 3 > 0,
  }),
  market: (i) => ({
    kind: "weather",
    place: `City ${i % 50}`,
    measure: "max",
    value: i % 3000 === 7 ? "hot" : String(i),
    toldAt: day(i),
    at: day(i),
  }),
};
const kinds = Object.keys(lineOf) as Exclude<Kind, "orders">[];

type Home = Awaited<ReturnType<typeof temporaryHome>>;
let calm: Home;
let torn: Home;
const fileOf = (home: Home, kind: Kind) => join(home.home, `${kind}.jsonl`);
beforeAll(async () => {
  [calm, torn] = [await temporaryHome(), await temporaryHome()];
  for (const home of [calm, torn])
    for (const kind of kinds) {
      const text = Array.from({ length: lines }, (_, i) => JSON.stringify(lineOf[kind](i)));
      await writeFile(fileOf(home, kind), text.join("\n"));
    }
});
afterAll(async () => {
  await calm[Symbol.asyncDispose]();
  await torn[Symbol.asyncDispose]();
});
beforeEach(() => onTestFailed(() => console.error(calm.said(), torn.said())));

const go = (home: Home, args: string[], crashAt?: string) =>
  home.run(args, { env: { ...settings, ...(crashAt ? { LIUKE_CRASH_AT: crashAt } : {}) } }).ended;

/** What both engines hold, as digests that are the same in every installation. */
async function digests({ house: { sql, columns } }: Opened) {
  const one = async (text: string) =>
    (
      await sql.unsafe<{ d: string }[]>(
        `select md5(string_agg(t, chr(10) order by t collate "C")) || ' ' || count(*) as d from (${text}) q(t)`,
      )
    )[0]!.d;
  const [event] = await columns.read(`select count() as n, uniqExact(bucket, offset) as distinct,
    toString(groupBitXor(cityHash64(name, at, data, flags, order_ref, order_kind, sku))) as hash from event`);
  return {
    log: await one("select concat_ws('|', name, at, data::text, flags) from collect_event"),
    refused: await one("select concat_ws('|', line, reason, field) from collect_rejected"),
    profiles: await one(
      "select (select string_agg(key || '=' || (value->>'v') || '@' || (value->>'at'), ',' order by key) from jsonb_each(attributes)) from people_profile",
    ),
    people: await one("select seen_at::text from people_person"),
    fields: await one("select field || at from people_field"),
    products: await one(
      "select concat_ws('|', sku, name, unit_price, stock, seen_at, first_at) from catalog_product",
    ),
    history: await one("select concat_ws('|', sku, at, stock) from catalog_stock"),
    consents: await one(
      "select concat_ws('|', purpose, channel, granted, at) from messages_consent",
    ),
    facts: await one("select concat_ws('|', act, at) from relations_fact"),
    market: await one("select concat_ws('|', kind, place, key, at, value) from exchange_market"),
    event: { ...event! },
  };
}

test("cut off within a file of any kind, an import goes on to the same end", async () => {
  for (const kind of kinds) {
    expect(await go(calm, ["import", kind, fileOf(calm, kind)]), kind).toMatchObject({ code: 0 });
    for (const point of ["import.in_batch:2", "import.after_batch:1", "consume.before_commit"])
      expect(
        await go(torn, ["import", kind, fileOf(torn, kind)], point),
        `${kind} ${point}`,
      ).toMatchObject({ signal: "SIGKILL" });
    expect(await go(torn, ["import", kind, fileOf(torn, kind)]), kind).toMatchObject({ code: 0 });
  }
  const whole = await inHome(calm.home, digests);
  expect(whole.event).toMatchObject({ n: kinds.length * (lines - 4) });
  expect(whole.refused).toMatch(/ 28$/);
  await inHome(torn.home, async (opened) => {
    expect(await digests(opened)).toEqual(whole);
    expect(await broken(opened)).toEqual([]);
  });
});

/** Every row of every table of the columns, without the counter that says which telling of a thing is the newest. */
async function tables({ house: { columns } }: Opened) {
  const names = await columns.read<{ name: string; engine: string }>(
    "select name, engine from system.tables where database = currentDatabase() and engine like '%MergeTree%' and name <> 'migration' order by name",
  );
  const found: Record<string, unknown> = {};
  for (const { name, engine } of names) {
    const held = await columns.read<{ name: string }>(
      "select name from system.columns where database = currentDatabase() and table = {name:String} and name <> 'version' order by name",
      { name },
    );
    const list = held.map((column) => `toString(${column.name})`).join(", ");
    const final = engine.startsWith("Replacing") ? "final" : "";
    const [row] = await columns.read(
      `select count() as n, toString(groupBitXor(cityHash64(${list}))) as hash from ${name} ${final}`,
    );
    found[name] = row;
  }
  return found;
}

test("killed while it rebuilds, it goes on, and every table of the columns and everybody is as they were", async () => {
  const before = await inHome(torn.home, async (opened) => [
    await digests(opened),
    await tables(opened),
  ]);
  expect(Object.keys(before[1]!)).toEqual(["company", "event", "person", "person_node"]);
  const span = ["--from", "2026-01-02 00:00", "--until", "2026-01-04 00:00"];
  for (const [args, points] of [
    [
      ["rebuild", "columns"],
      ["rebuild.after_clear", "columns.after_cut", "columns.after_send"],
    ],
    [
      ["rebuild", "columns", ...span],
      ["rebuild.after_clear", "columns.after_send"],
    ],
    [["rebuild", "people", ...span], ["rebuild.before_commit:2"]],
    [
      ["rebuild", "people"],
      ["rebuild.before_commit:1", "rebuild.before_commit:3"],
    ],
  ] as const) {
    for (const point of points)
      expect(await go(torn, [...args], point), `${args.join(" ")} ${point}`).toMatchObject({
        signal: "SIGKILL",
      });
    expect(await go(torn, [...args]), args.join(" ")).toMatchObject({ code: 0 });
    const after = await inHome(torn.home, async (opened) => [
      await digests(opened),
      await tables(opened),
    ]);
    expect(after, args.join(" ")).toEqual(before);
  }
});
