import fc from "fast-check";
import { expect, test } from "vitest";
import { consume } from "#collect/jobs.ts";
import * as collect from "#collect/service.ts";
import { nobody } from "#kernel/ids.ts";
import { world } from "../../test/database.ts";
import * as orders from "./jobs.ts";
import { isUnfit, readLine, type LineText } from "./rules.ts";
import { lineEvent } from "./service.ts";

const shop = {
  timeZone: "Asia/Shanghai",
  currency: "CNY",
  digits: 2,
  refundPrefix: "",
  services: new Set<string>(),
};
type Told = Partial<LineText> & { key: string };
const event = ({ key, ...told }: Told): collect.Incoming => {
  const text = {
    order: "A1",
    sku: "S1",
    name: "Cup",
    quantity: "1",
    unitPrice: "10",
    at: "2026-01-01T10:00:00Z",
    customer: "u1",
    country: "",
    category: "",
    merchant: "",
    ...told,
  };
  const line = readLine(text, shop);
  if (isUnfit(line)) throw new Error(line.reason);
  return lineEvent(key, line);
};
type World = Awaited<ReturnType<typeof world>>;
async function open() {
  const here = await world();
  const source = await collect.sourceNamed(here.house, here.sql, "shop", "server");
  const send = async (...told: Told[]) => {
    await here.sql.begin((tx) => collect.accept(here.house, tx, source, told.map(event)));
    while ((await consume(here.house, [orders.consume])) > 0);
  };
  return Object.assign(here, { source, send });
}
const ordersOf = async ({ sql }: World) => [
  ...(await sql<
    { ref: string; kind: string; amountMinor: bigint; items: bigint; lines: number; day: string }[]
  >`
    select ref, kind, amount_minor, items, lines, day from orders_order order by ref, kind`),
];
const profile = async ({ sql }: World) => {
  const [row] = await sql<
    { attributes: Record<string, { v: unknown }> }[]
  >`select attributes from people_profile`;
  return Object.fromEntries(
    Object.entries(row?.attributes ?? {}).map(([name, { v }]) => [name, v]),
  );
};

test("lines add up to orders of the person who sent them, by the shop's own day", async () => {
  await using here = await open();
  await here.send(
    { key: "1", unitPrice: "10.005", quantity: "3" }, // 30.015, half up
    { key: "2", sku: "S2", unitPrice: "5" },
    { key: "3", order: "A2", at: "2026-01-31T16:30:00Z" }, // the first of February in Shanghai
    { key: "4", sku: "POSTAGE", unitPrice: "0" }, // no money: an adjustment
  );
  expect(await ordersOf(here)).toEqual([
    { ref: "A1", kind: "sale", amountMinor: 3502n, items: 4n, lines: 2, day: "2026-01-01" },
    { ref: "A2", kind: "sale", amountMinor: 1000n, items: 1n, lines: 1, day: "2026-02-01" },
  ]);
  expect(await profile(here)).toMatchObject({
    orders: 2,
    items: 5,
    spent_minor: 4502,
    refunds: 0,
    refunded_minor: 0,
    purchase_days: 2,
    currency: "CNY",
    first_order_at: "2026-01-01T10:00:00.000Z",
    last_order_at: "2026-01-31T16:30:00.000Z",
  });
  const [count] = await here.sql`select count(*)::int as n from orders_line`;
  expect(count).toEqual({ n: 4 });
});

test("a refund with its order's number stands beside the sale and changes nothing of it", async () => {
  await using here = await open();
  await here.send({ key: "1" }, { key: "2", quantity: "-1", at: "2026-02-01T10:00:00Z" });
  await here.send({ key: "3", quantity: "-2", unitPrice: "1", at: "2026-02-02T10:00:00Z" });
  expect(await ordersOf(here)).toEqual([
    { ref: "A1", kind: "refund", amountMinor: -1200n, items: -3n, lines: 2, day: "2026-02-01" },
    { ref: "A1", kind: "sale", amountMinor: 1000n, items: 1n, lines: 1, day: "2026-01-01" },
  ]);
  expect(await profile(here)).toMatchObject({
    orders: 1,
    refunds: 1,
    spent_minor: 1000,
    refunded_minor: 1200,
  });
});

test("lines that name nobody count for the shop and for no person", async () => {
  await using here = await open();
  await here.send({ key: "1", customer: "" }, { key: "2", customer: "" });
  const rows = await here.sql`select person_id, amount_minor from orders_order`;
  expect([...rows]).toEqual([{ personId: nobody, amountMinor: 2000n }]);
  expect([...(await here.sql`select * from people_person`)]).toEqual([]);
  expect([...(await here.sql`select * from outbox`)]).toEqual([]);
});

test("each order of a known person is told once a slice, with figures and ids only", async () => {
  await using here = await open();
  await here.send({ key: "1" }, { key: "2" }, { key: "3", order: "A2", customer: "u2" });
  const told = await here.sql<{ name: string; data: { ref: string }; personId: string }[]>`
    select name, data, person_id from outbox order by data->>'ref'`;
  const [event_] = await here.sql`select event_id from orders_order where ref = 'A1'`;
  expect(told.map(({ name, data }) => [name, data])).toEqual([
    [
      "orders.recorded",
      {
        ref: "A1",
        kind: "sale",
        at: "2026-01-01T10:00:00.000Z",
        day: "2026-01-01",
        amountMinor: "2000",
        eventId: event_!["eventId"],
      },
    ],
    ["orders.recorded", expect.objectContaining({ ref: "A2", amountMinor: "1000" })],
  ]);
});

test("products are those last sold, whatever comes in late", async () => {
  await using here = await open();
  await here.send({
    key: "1",
    name: "Cup, blue",
    unitPrice: "12",
    at: "2026-02-01T00:00:00Z",
    category: "Kitchen",
  });
  await here.send({ key: "2", name: "Cup", unitPrice: "9" });
  await here.send({
    key: "3",
    quantity: "-1",
    unitPrice: "1",
    at: "2026-01-15T00:00:00Z",
    customer: "",
  });
  const [product] = await here.sql`
    select name, category, unit_price, first_at, seen_at from catalog_product`;
  expect(product).toMatchObject({ name: "Cup, blue", category: "Kitchen", unitPrice: 120_000n });
});

test("lines doubled, cut into slices and in any order come to one state", async () => {
  const told: Told[] = [
    { key: "1", country: "France" },
    { key: "2", sku: "S2", quantity: "2" },
    { key: "3", order: "A2", at: "2026-01-05T10:00:00Z", country: "China" },
    { key: "4", order: "A2", quantity: "-1", at: "2026-01-06T10:00:00Z" },
    { key: "5", order: "A3", customer: "u2", at: "2026-01-07T10:00:00Z", country: "Japan" },
    { key: "6", order: "A1", at: "2025-12-31T10:00:00Z", country: "Italy" },
  ];
  const state = async (here: Awaited<ReturnType<typeof open>>) => {
    const profiles = await here.sql<{ attributes: Record<string, unknown> }[]>`
      select attributes - 'last_event' as attributes from people_profile order by attributes->'orders'->>'v' desc`;
    const events = await here.sql`select ref, kind, event_id from orders_order order by ref, kind`;
    return { orders: await ordersOf(here), profiles: [...profiles], events: [...events] };
  };
  // Event ids are of source and key: one source id for all worlds.
  const make = async () => {
    const here = await open();
    await here.owner`update collect_source set id = '01890000-0000-7000-8000-000000000001'`;
    here.source.id = "01890000-0000-7000-8000-000000000001";
    return here;
  };
  await using one = await make();
  await one.send(...told);
  const whole = await state(one);
  expect(whole.profiles).toHaveLength(2);
  const schedule = fc
    .shuffledSubarray([...told, ...told], { minLength: 12 })
    .chain((lines) =>
      fc.tuple(
        fc.constant(lines),
        fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 12, maxLength: 12 }),
      ),
    );
  await fc.assert(
    fc.asyncProperty(schedule, async ([lines, cuts]) => {
      await using other = await make();
      for (let from = 0, i = 0; from < lines.length; from += cuts[i++]!)
        await other.send(...lines.slice(from, from + cuts[i]!));
      expect(await state(other)).toEqual(whole);
    }),
    { numRuns: 8 },
  );
}, 120_000);
