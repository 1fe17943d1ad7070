import { expect, test } from "vitest";
import { routes as ordersRoutes } from "#orders/routes.ts";
import { refresh } from "#segments/jobs.ts";
import type { Rule } from "#segments/rules.ts";
import { define, members } from "#segments/service.ts";
import { open } from "../../test/files.ts";
import { kinds, traitFields, type Kind } from "./rules.ts";

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

/** A shop with something of everything, told in every way. */
async function lively(here: Here) {
  const day = (d: number, more = "00:00") => `2026-01-${String(d).padStart(2, "0")}T${more}:00Z`;
  const server = (events: object[]) =>
    send(
      here,
      "server",
      events.map((event, i) => ({ key: `${here.clock.shop.getTime()} ${sent++} ${i}`, ...event })),
    );
  let sent = 0;
  const lines = await here.ask("POST", "/v1/orders/lines", {
    headers: here.as.server,
    body: {
      lines: [
        {
          key: "l1",
          order: "A1",
          sku: "S1",
          name: "Tea",
          quantity: 2,
          unitPrice: "12.5",
          at: day(3),
          customer: "u1",
          country: "France",
        },
        {
          key: "l2",
          order: "A1",
          sku: "S2",
          name: "Cup",
          quantity: 1,
          unitPrice: "4",
          at: day(3),
          customer: "u1",
        },
        {
          key: "l3",
          order: "A2",
          sku: "S1",
          name: "Tea",
          quantity: 1,
          unitPrice: "12.5",
          at: day(4),
          customer: "u2",
        },
        {
          key: "l4",
          order: "A2",
          sku: "S1",
          name: "Tea",
          quantity: 1,
          unitPrice: "12.5",
          at: day(5),
          customer: "u2",
          refund: true,
        },
        { key: "l5", order: "A9", sku: "S3", name: "Pot", quantity: 1, unitPrice: "9", at: day(6) },
      ],
    },
  });
  expect(lines.body).toMatchObject({ accepted: 5 });
  await server([
    {
      name: "identify",
      user: "u1",
      anonymous: "v1",
      at: day(2),
      traits: { email: "a@example.com", city: "Bath", name: '=cmd|"x"' },
    },
    {
      name: "identify",
      user: "u1",
      at: day(9),
      traits: { email: "a2@example.com", city: "York", birth_month: 5, loyalty: "gold" },
    },
    {
      name: "identify",
      user: "u2",
      anonymous: "v2",
      at: day(2, "01:00"),
      traits: { phone: "+44 1225 555123", language: "en" },
    },
    { name: "identify", user: "u3", anonymous: "v1", at: day(8), traits: { country: "France" } },
    {
      name: "Tasted",
      user: "u1",
      at: day(7),
      data: { cups: 2, note: "very good,\nwith milk", who: { email: "b@example.com" } },
    },
    { name: "Tasted", anonymous: "v1", at: day(7, "02:00"), data: { cups: 1 } },
    { name: "Tasted", anonymous: "v1", at: day(9, "07:00"), data: { cups: 3 } },
    {
      name: "Product Updated",
      at: day(1),
      data: { sku: "S1", name: "Tea", price: 12.5, currency: "GBP", stock: 3, category: "Drinks" },
    },
    {
      name: "Product Updated",
      at: day(2, "05:00"),
      data: { sku: "S1", price: 11, currency: "GBP" },
    },
    { name: "Product Updated", at: day(2, "06:00"), data: { sku: "S1", stock: -1 } },
    {
      name: "Order Completed",
      user: "u3",
      at: day(10),
      data: {
        order_id: "T1",
        total: 30,
        currency: "GBP",
        products: [{ sku: "S1", name: "Tea", price: 10, quantity: 3 }],
      },
    },
    {
      name: "Order Refunded",
      user: "u3",
      at: day(11),
      data: { order_id: "T1", total: 10, currency: "GBP" },
    },
    {
      name: "Order Completed",
      user: "u2",
      at: day(12),
      data: { order_id: "T2", total: 99, currency: "JPY" },
    },
    { name: "Friend Asked", user: "u1", at: day(5), data: { friend_id: "u2", mood: "fine" } },
    { name: "Friend Accepted", user: "u2", at: day(6), data: { friend_id: "u1" } },
    {
      name: "Relation Told",
      user: "u1",
      at: day(7),
      data: { kind: "follow", act: "made", other: "u3" },
    },
    {
      name: "Relation Told",
      user: "u1",
      at: day(8),
      data: { kind: "follow", act: "ended", other: "u3" },
    },
    {
      name: "Relation Told",
      user: "u2",
      at: day(8),
      data: { kind: "block", act: "made", other: "u3" },
    },
    {
      name: "Relation Told",
      user: "u2",
      at: day(9),
      data: { kind: "block", act: "ended", other: "u3" },
    },
    {
      name: "Relation Told",
      user: "u2",
      at: day(9, "03:00"),
      data: { kind: "share", act: "made", sku: "S1" },
    },
    {
      name: "Market Told",
      at: day(9),
      data: { kind: "weather", measure: "max", place: "Bath", value: "9", unit: "C", for: day(9) },
    },
  ]);
  await send(here, "page", [
    forged,
    { key: "p1", name: "identify", anonymous: "w1", at: day(3), traits: { city: "Rome" } },
    {
      key: "p2",
      name: "Product Viewed",
      anonymous: "w1",
      user: "u1",
      at: day(4),
      data: { sku: "S1", price: 0.01 },
    },
    {
      key: "p3",
      name: "Relation Told",
      anonymous: "w1",
      at: day(5),
      data: { kind: "follow", act: "made", other: "u1" },
    },
    {
      key: "p4",
      name: "Market Told",
      anonymous: "w1",
      at: day(5),
      data: { kind: "weather", measure: "max", place: "Bath", value: "99", for: day(9) },
    },
  ]);
  const more =
    "order,sku,name,quantity,unitPrice,at,customer\nC7,S1,Tea,-1,3,2026-01-06T00:00:00Z,u1\nB1,POST,Postage,1,3,2026-01-06T00:00:00Z,u1\n";
  await here.take("orders", more, "more.csv", {
    refundPrefix: "C",
    services: ["POST"],
    currency: "GBP",
  });
}

/** Everything that follows from what was told, under names that mean the same in every installation. */
async function everything(here: Here) {
  const { sql, house } = here;
  const people = await sql<
    { bucket: number; personId: string; attributes: Record<string, { v: unknown; c: number }> }[]
  >`
    select p.bucket, p.person_id, coalesce(f.attributes, '{}') as attributes from people_person p
    left join people_profile f on (f.bucket, f.person_id) = (p.bucket, p.person_id)`;
  const ids = Map.groupBy(
    (await here.out("people", "jsonl"))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, string>),
    ({ person }) => person!,
  );
  const nameOf = new Map<string, string>();
  const profiles = [];
  for (const { personId, attributes } of people) {
    const [row] = ids.get(personId)!;
    const known = (
      JSON.parse(row!["identifiers"]!) as { type: string; value: string; sourceId: string }[]
    )
      .map(
        ({ type, value, sourceId }) =>
          `${type} ${value} ${type === "email" || type === "phone" ? "" : sourceId}`,
      )
      .toSorted();
    nameOf.set(personId, known[0]!);
    const fields = Object.fromEntries(
      Object.entries(row!).filter(([field]) => traitFields.includes(field as never)),
    );
    profiles.push({
      ...{ known, fields },
      attributes: Object.fromEntries(
        Object.entries(attributes)
          .map(([name, { v, c }]) => [name, [name === "last_event" ? "" : v, c]])
          .toSorted(),
      ),
    });
  }
  const named = (rows: readonly Record<string, unknown>[]) =>
    rows
      .map((row) =>
        JSON.stringify(
          Object.fromEntries(
            Object.entries(row).map(([k, v]) => [
              k,
              nameOf.get(String(v)) ?? (typeof v === "bigint" ? String(v) : v),
            ]),
          ),
        ),
      )
      .toSorted();
  const rule: Rule = {
    kind: "events",
    event: "Tasted",
    is: "ge",
    count: 1,
    window: { kind: "ever" },
  };
  const made = await sql.begin((tx) =>
    define({ tx, house } as never, { name: { zh: "测", en: "T" }, rule, purpose: "marketing" }),
  );
  if (!made.ok) throw new Error(made.code);
  await refresh(house, made.value.id);
  return {
    profiles: profiles.toSorted((a, b) => (a.known[0]! < b.known[0]! ? -1 : 1)),
    orders: named(
      await sql`select person_id, source_id, ref, kind, amount_minor, currency from orders_order`,
    ),
    lines: named(
      await sql`select person_id, ref, sku, kind, quantity, amount_minor, at from orders_line`,
    ),
    claims: named(await sql`select ref, kind, claim from orders_told`),
    products: named(
      await sql`
      select source_id, sku, name, category, brand, url, image, merchant_id, unit_price, currency, stock, goods from catalog_product`,
    ),
    relations: named(
      await sql`
      select n.person_id, o.person_id as other, f.act, f.item, f.at from relations_fact f
      join people_node n on (n.bucket, n.node_id) = (f.bucket, f.node_id)
      left join people_node o on (o.bucket, o.node_id) = (f.other_bucket, f.other_node_id)`,
    ),
    market: named(
      await sql`select kind, place, key, at, value, unit, told_at from exchange_market`,
    ),
    members: named(await members(sql, made.value.id)).map(
      (one) => (JSON.parse(one) as { personId: string }).personId,
    ),
  };
}
const logKinds = ["events", "orders", "relations", "market"] as const;
const readKinds = ["people", "products", "stock"] as const;

test.each([
  ["csv", [...logKinds, ...readKinds]],
  ["jsonl", [...readKinds, ...logKinds].toReversed()],
] as const)(
  "everything goes out and comes in to an empty shop, in any order, and comes to the same: %s",
  async (format, order) => {
    const routes = [...ordersRoutes];
    await using one = await open(routes);
    await lively(one);
    const files = new Map<Kind, string>();
    for (const kind of kinds) files.set(kind, await one.out(kind, format));
    const before = await everything(one);
    expect(before.members).toHaveLength(2);
    await using other = await open(routes);
    for (const kind of order)
      expect(await other.take(kind, files.get(kind)!, `${kind}.${format}`), kind).toMatchObject({
        rejected: 0,
      });
    expect(await everything(other)).toEqual(before);
    const log = ({ sql }: Here, ids: readonly string[]) =>
      sql`select id, source_id, name, at, data, flags from collect_event
        where id = any(${ids as string[]}) and (name <> 'Market Told' or source_id <> ${one.server.id}) order by id`;
    const ids = (await one.sql<{ id: string }[]>`select id from collect_event`).map(({ id }) => id);
    expect(await log(other, ids)).toEqual(await log(one, ids));
    // And what went out of there says the same.
    for (const kind of logKinds.slice(1)) {
      // The names of its sources were taken there: they are told apart by their ids.
      const sorted = (text: string) =>
        text
          .replaceAll(/ [\da-f]{8}-[\da-f-]{27}/g, "")
          .split(format === "csv" ? "\r\n" : "\n")
          .toSorted();
      expect(sorted(await other.out(kind, format)), kind).toEqual(sorted(files.get(kind)!));
    }
  },
);

test.each(["csv", "jsonl"] as const)(
  "what is known of people and goods alone comes in as it was known: %s",
  async (format) => {
    await using one = await open(ordersRoutes);
    await lively(one);
    const before = await everything(one);
    await using other = await open(ordersRoutes);
    for (const kind of readKinds)
      expect(
        await other.take(kind, await one.out(kind, format), `${kind}.${format}`),
      ).toMatchObject({ rejected: 0 });
    const after = await everything(other);
    const told = (all: typeof before) => ({
      products: all.products,
      profiles: all.profiles.map(({ known, fields }) => ({ known, fields })),
    });
    expect(told(after)).toEqual(told(before));
  },
);
