// Orders, goods and people as no shop means them: what can be told is told, what cannot is refused by its field, and the
// whole house goes on behind both, with the neighbours' figures as they are.
import { expect, test } from "vitest";
import { consumers } from "../../src/app.ts";
import { consume, ship } from "../../src/collect/jobs.ts";
import * as planJobs from "../../src/plan/jobs.ts";
import { vocabulary } from "../../src/plan/rules.ts";
import { rejectedOf, sourceOf, stage, stored, type Stage } from "./harness.ts";

async function settle({ house }: Stage) {
  while ((await consume(house, consumers)) > 0);
  while ((await consume(house, [planJobs.consume], "plan")) > 0);
  while ((await ship(house)) > 0);
}
const send = async (at: Stage, key: string, batch: unknown[]) => {
  for (let i = 0; i < batch.length; i += 50) {
    const answer = await fetch(`${at.url}/v1/batch`, {
      method: "POST",
      headers: { authorization: `Basic ${btoa(`${key}:`)}` },
      body: JSON.stringify({ batch: batch.slice(i, i + 50) }),
    });
    expect(answer.status).toBe(200);
  }
};
let n = 0;
const track = (event: string, properties: object, more: object = {}) => ({
  ...{ type: "track", event, userId: `u${n % 3}`, messageId: `m${++n}`, properties },
  timestamp: new Date(Date.now() - 60_000 + n).toISOString(),
  ...more,
});
const good = (id: string) =>
  track("Order Completed", {
    order_id: id,
    total: 10,
    currency: "CNY",
    products: [{ sku: "S1", price: 10 }],
  });

const values: unknown[] = [
  ...[
    -1,
    0,
    -0,
    1.5,
    12.345678,
    1e-7,
    1e10,
    1e15,
    9007199254740991,
    1e300,
    "12,50",
    "12.50",
    "1e3",
    "",
    " ",
    "NaN",
  ],
  ...[
    "Infinity",
    "٣",
    "１２",
    "0x10",
    "¥12",
    true,
    null,
    [],
    {},
    [1],
    "x".repeat(10_000),
    "-5",
    "+5",
    "5.",
    ".5",
  ],
];
test("every property of every known event takes every odd value, and the house goes on", async () => {
  await using at = await stage();
  for (const kind of ["server", "public"] as const) {
    // RudderStack's limits are wide enough for whatever is sent here.
    const source = await sourceOf(at, "rudderstack", kind);
    const batch: unknown[] = [good("first")];
    for (const [name, { properties }] of Object.entries(vocabulary))
      for (const [i, property] of Object.keys(properties).entries())
        for (const [j, value] of values.entries()) {
          if ((i + j) % 3) continue;
          const own = {
            order_id: `O${n}`,
            product_id: "p1",
            products: [{ product_id: "p1", price: 1 }],
          };
          const fitting = Object.fromEntries(
            Object.entries(own).filter(([one]) => one in properties),
          );
          const inner = { products: [{ product_id: "p1", price: value, quantity: value }] };
          batch.push(
            track(
              name,
              property === "products" && j % 2
                ? { ...fitting, ...inner }
                : { ...fitting, [property]: value },
              {
                anonymousId: "v1",
              },
            ),
          );
        }
    batch.push(good("last"));
    await send(at, source.key, batch);
    await settle(at);
    const rows = await stored(at, source.id);
    const read = await at.ask("GET", `/v1/sources/${source.id}`, { headers: source.owner });
    const refused = (read.body["refused"] as { count: number }[]).reduce(
      (sum, { count }) => sum + Number(count),
      0,
    );
    expect({ kind, all: rows.length + refused }).toEqual({ kind, all: batch.length });
    const orders = await at.sql`select ref, amount_minor::text as amount from orders_order
      where source_id = ${source.id} and ref in ('first', 'last') order by ref`;
    expect(orders.map(({ ref, amount }) => [ref, amount])).toEqual(
      kind === "server"
        ? [
            ["first", "1000"],
            ["last", "1000"],
          ]
        : [],
    );
  }
  const [columns] = await at.columns.read<{ n: number }>("select toInt32(count()) as n from event");
  const [log] = await at.sql`select count(*)::int as n from collect_event`;
  expect(columns).toEqual(log);
}, 300_000);

test("figures that no till can hold: an order of ten thousand products, of the dearest there are, as often as can be", async () => {
  await using at = await stage();
  const source = await sourceOf(at, "rudderstack");
  const many = (count: number, price: unknown, quantity: unknown) =>
    Array.from({ length: count }, (_, i) => ({ sku: `S${i}`, price, quantity }));
  await send(at, source.key, [
    good("first"),
    track("Order Completed", {
      order_id: "ten thousand",
      currency: "CNY",
      products: many(10_000, "1.01", 2),
    }),
    track("Order Completed", { order_id: "dear", currency: "CNY", products: many(1, 1e10, 1) }),
    track("Order Completed", {
      order_id: "too dear",
      currency: "CNY",
      products: many(1, 1e10, 1_000_000),
    }),
    track("Order Completed", {
      order_id: "too many",
      currency: "CNY",
      products: many(2000, 1e7, 1000),
    }),
    track("Order Completed", {
      order_id: "dearest",
      currency: "CNY",
      products: many(2000, "9999999999.99", 10),
    }),
    track("Order Refunded", {
      order_id: "dear back",
      currency: "CNY",
      products: many(2000, "9999999999.99", 1_000_000),
    }),
    track("Order Completed", {
      order_id: "fils",
      currency: "KWD",
      products: many(2000, "9999999999.999", 1_000_000),
    }),
    track("Order Completed", {
      order_id: "sums",
      currency: "CNY",
      total: 1e10,
      tax: 1e10,
      shipping: 1e10,
      discount: 1e10,
      revenue: 1e10,
    }),
    track("Product Updated", { product_id: "P1", price: 1e10, stock: 1e9 }),
    good("last"),
  ]);
  await settle(at);
  const rows = await at.sql`
    select ref, amount_minor::text as amount from orders_order where source_id = ${source.id}`;
  expect(Object.fromEntries(rows.map(({ ref, amount }) => [ref, amount]))).toEqual({
    first: "1000",
    "ten thousand": "2020000",
    dear: "1000000000000",
    sums: "1000000000000",
    last: "1000",
  });
  const refused = await rejectedOf(at, source);
  expect(refused.map(({ reason, field }) => [reason, field]).toSorted()).toEqual([
    ["invalid", "data.products"],
    ["invalid", "data.products"],
    ["invalid", "data.products.0.price"],
    ["invalid", "data.products.0.price"],
    ["invalid", "data.products.0.price"],
  ]);
}, 120_000);
