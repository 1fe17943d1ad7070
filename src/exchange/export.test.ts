import { expect, test } from "vitest";
import { routes as ordersRoutes } from "#orders/routes.ts";
import { open } from "../../test/files.ts";

type Here = Awaited<ReturnType<typeof open>>;
const forged = {
  key: "o1",
  name: "Order Completed",
  anonymous: "a1",
  at: "2026-01-02T00:00:00Z",
  data: {
    order_id: "F-1",
    total: 999,
    currency: "CNY",
    products: [{ product_id: "S1", price: 999, quantity: 1 }],
  },
};
const send = async (here: Here, as: "page" | "server", events: object[]) => {
  const { body } = await here.ask("POST", "/v1/events", { headers: here.as[as], body: { events } });
  await here.fold();
  return body as { accepted: number; refused: number };
};
const figures = async ({ sql }: Here) => ({
  orders: await sql`select ref, kind, amount_minor from orders_order order by ref`,
  lines: await sql`select ref, sku from orders_line order by ref`,
  products: await sql`select sku, unit_price from catalog_product order by sku`,
});
const nothing = { orders: [], lines: [], products: [] };
const kept = ({ sql }: Here) =>
  sql<{ name: string; kind: string; flags: number }[]>`
    select e.name, s.kind, e.flags from collect_event e join collect_source s on s.id = e.source_id
    order by e.name`;

test.each(["csv", "jsonl"] as const)(
  "an order that a page forged goes out and comes in elsewhere, and moves nothing there either: %s",
  async (format) => {
    await using one = await open(ordersRoutes);
    expect(await send(one, "page", [forged])).toMatchObject({ accepted: 1 });
    expect(await figures(one)).toEqual(nothing);
    const text = await one.out("events", format);

    await using other = await open(ordersRoutes);
    expect(await other.take("events", text, `events.${format}`)).toMatchObject({
      accepted: 1,
      rejected: 0,
    });
    expect(await figures(other)).toEqual(nothing);
    expect(await kept(other)).toEqual(await kept(one));
    expect(await kept(other)).toMatchObject([{ name: "Order Completed", kind: "public" }]);
    // The claim is one as before: the shop's word of the number is what confirms it.
    const told = () => other.sql`select ref, claim from orders_told`;
    expect(await told()).toMatchObject([{ ref: "F-1", claim: true }]);
    // Its id is the same everywhere: in again where it came from, it is there already.
    expect(await one.take("events", text, `events.${format}`)).toMatchObject({
      accepted: 0,
      doubles: 1,
    });
  },
);

test("what a hand made of the file is no more than its source is here", async () => {
  await using here = await open(ordersRoutes);
  await send(here, "page", [forged]);
  const text = await here.out("events", "jsonl");
  const { key: _, marks: __, ...line } = JSON.parse(text) as Record<string, string>;
  const edited = JSON.stringify({ ...line, key: "fresh", origin: "server" });
  expect(await here.take("events", edited, "edited.jsonl")).toMatchObject({ accepted: 1 });
  expect(await figures(here)).toEqual(nothing);
  // And the other way: what the file calls a page's word is one, though the shop's server is its source here.
  const page = { ...line, sourceId: here.server.id, key: "k2", origin: "public" };
  expect(await here.take("events", JSON.stringify(page), "page.jsonl")).toMatchObject({
    accepted: 1,
  });
  expect(await figures(here)).toEqual(nothing);
  // A line that names no such thing is refused by its field.
  for (const [field, value] of Object.entries({
    ...{ origin: "root", sourceId: "me", space: "x", marks: "trusted" },
    ...{ links: '[{"type":"email","value":"victim@example.com"}]', beside: '{"data.email":"x"}' },
  })) {
    const bad = JSON.stringify({ ...line, key: `bad ${field}`, [field]: value });
    expect(await here.take("events", bad, `${field}.jsonl`)).toMatchObject({ rejected: 1 });
    const [row] = await here.sql`select field from collect_rejected order by at desc, id limit 1`;
    await here.sql`delete from collect_rejected`;
    expect(row).toEqual({ field });
  }
});

test("a file that nobody vouches for is a page's word, whatever it says of itself", async () => {
  await using here = await open(ordersRoutes);
  const mapping = { trust: "page" as const, quoted: true };
  const take = (kind: Parameters<Here["take"]>[0], row: object) =>
    here.take(kind, JSON.stringify(row), `${kind}.jsonl`, mapping);
  const at = "2026-01-02T00:00:00Z";
  const { sourceId, origin } = { sourceId: here.server.id, origin: "server" };
  expect(await take("events", { ...forged, user: "victim", sourceId, origin })).toMatchObject({
    accepted: 1,
  });
  expect(await figures(here)).toEqual(nothing);
  expect(await here.sql`select from people_node where type = 'user_id'`).toHaveLength(0);
  const refused = { accepted: 0, rejected: 1 };
  expect(await take("people", { user: "victim", email: "thief@example.com", at })).toMatchObject(
    refused,
  );
  expect(await take("products", { sku: "S1", unitPrice: "0.01", at })).toMatchObject(refused);
  expect(await take("stock", { sku: "S1", stock: "9", at })).toMatchObject(refused);
  expect(
    await take("orders", { order: "1", sku: "S1", quantity: "1", unitPrice: "1", at, origin }),
  ).toMatchObject(refused);
  await take("market", { kind: "weather", measure: "max", value: "1", at });
  await take("relations", { user: "u1", kind: "follow", other: "u2", at });
  expect(await here.sql`select from exchange_market`).toHaveLength(0);
  expect(await here.sql`select from relations_fact`).toHaveLength(0);
  // Vouched for later, the same file is the shop's word.
  const line = JSON.stringify({ ...forged, key: "o2", user: "u1" });
  expect(await here.take("events", line, "e.jsonl", mapping)).toMatchObject({ accepted: 1 });
  expect(await here.take("events", line, "e.jsonl")).toMatchObject({ accepted: 1, doubles: 0 });
  expect((await figures(here)).orders).toHaveLength(1);
});
