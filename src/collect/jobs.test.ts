import { expect, test } from "vitest";
import { world } from "../../test/database.ts";
import { consume, mend, ship, sweep } from "./jobs.ts";
import type { Slice } from "#kernel/sql.ts";
import * as service from "./service.ts";
import { cut } from "./store.ts";

const at = new Date("2026-02-01T00:00:00Z");
async function open(count: number) {
  const here = await world();
  const source = await service.sourceNamed(here.house, here.sql, "shop", "server");
  const send = (from: number, many: number, data: Record<string, unknown> = {}) =>
    here.sql.begin((tx) =>
      service.accept(
        here.house,
        tx,
        source,
        Array.from({ length: many }, (_, i) => ({
          key: String(from + i),
          name: "Seen",
          at,
          data,
          sender: { type: "user_id" as const, value: `u${(from + i) % 20}` },
        })),
      ),
    );
  if (count > 0) await send(0, count);
  const shipped = async () => {
    const [row] = await here.columns.read<{ n: number; places: number }>(
      "select toInt32(count()) as n, toInt32(uniqExact(bucket, offset)) as places from event",
    );
    return row!;
  };
  return Object.assign(here, { source, send, shipped });
}

test("every event comes to its consumers once; one that fails takes nothing with it", async () => {
  await using here = await open(50);
  const seen: number[] = [];
  const sizeOf = ({ froms, tos }: Slice) =>
    froms.reduce((n, from, i) => n + Number(tos[i]! - from + 1n), 0);
  await expect(
    consume(here.house, [
      async () => {
        throw new Error("broken");
      },
    ]),
  ).rejects.toThrow("broken");
  const take = () => consume(here.house, [async (_, __, slice) => void seen.push(sizeOf(slice))]);
  // Two workers at once share the buckets, and nobody waits.
  expect((await Promise.all([take(), take()])).reduce((a, b) => a + b)).toBe(50);
  await here.send(50, 5);
  while ((await take()) > 0);
  expect(seen.reduce((a, b) => a + b)).toBe(55);
  expect(await take()).toBe(0);
});

test("the columns get every event once, whatever figures its data calls so", async () => {
  await using here = await open(100);
  await here.send(100, 3, { quantity: "many", amountMinor: 1.5, order: { no: 1 }, kind: "sale" });
  while ((await ship(here.house)) > 0);
  expect(await here.shipped()).toEqual({ n: 103, places: 103 });
  const forged = await here.columns.read<{ n: number }>(
    "select toInt32(count()) as n from event where amount_minor <> 0 or quantity <> 0 or order_kind <> ''",
  );
  expect(forged).toEqual([{ n: 0 }]);
  expect(await mend(here.house)).toBe(0);
  expect(await ship(here.house)).toBe(0);
});

test("a part that a power cut took comes again, although it was acknowledged", async () => {
  await using here = await open(60);
  await ship(here.house);
  await here.send(60, 60);
  await ship(here.house);
  const [batch] = await here.sql<
    { id: bigint; buckets: number[]; froms: bigint[]; tos: bigint[] }[]
  >`
    select id, buckets, froms, tos from collect_batch order by id limit 1`;
  // Half of the first batch is gone, and the deduplication log still knows it.
  await here.columns.run(
    "alter table event delete where bucket = {bucket:UInt8} and offset >= {from:UInt64}",
    {
      bucket: batch!.buckets[0],
      from: String(batch!.froms[0]),
    },
  );
  expect((await here.shipped()).n).toBeLessThan(120);
  expect(await mend(here.house)).toBeGreaterThan(0);
  expect(await here.shipped()).toEqual({ n: 120, places: 120 });
  const open_ = await here.sql`select 1 from collect_batch where state <> 'checkpoint'`;
  expect(open_.count).toBe(0);
});

test("a batch that was cut and never sent goes at the next start", async () => {
  await using here = await open(40);
  await here.sql.begin((tx) => cut(tx, "event", 1000));
  expect(await mend(here.house)).toBe(1);
  expect(await here.shipped()).toEqual({ n: 40, places: 40 });
  expect(await ship(here.house)).toBe(0);
});

test("an event's key is remembered for 35 days of the machine's clock", async () => {
  await using here = await open(1);
  const days = (n: number) =>
    (here.clock.machine = new Date(Date.UTC(2026, 10, 5, 9) + n * 86_400_000));
  days(34);
  await sweep(here.house);
  expect(await here.send(0, 1)).toEqual(["double"]);
  days(36);
  await sweep(here.house);
  expect(await here.send(0, 1)).toEqual(["accepted"]);
});
