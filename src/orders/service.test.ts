import fc from "fast-check";
import { expect, test } from "vitest";
import { consume, ship } from "#collect/jobs.ts";
import * as collect from "#collect/service.ts";
import { nobody } from "#kernel/ids.ts";
import * as people from "#people/service.ts";
import { world } from "../../test/database.ts";
import * as orders from "./jobs.ts";
import { isUnfit, readLine, type LineText } from "./rules.ts";
import { erase, lineEvent, refold } from "./service.ts";
import * as views from "./views.ts";

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

test("lines in another currency are kept and seen, and are in no figure; a neighbour's of the same order is", async () => {
  await using here = await open();
  const { house, sql, source } = here;
  const line = (key: string, currency: string) => ({
    ...{ key, name: "Order Line", at: new Date("2026-01-01T10:00:00Z") },
    sender: { type: "user_id" as const, value: "c1" },
    data: {
      ...{ order: "A1", kind: "sale", sku: "S1", name: "Tea", quantity: 1, unitPrice: 70_000 },
      ...{ amountMinor: 700, currency, goods: true },
    },
  });
  await sql.begin((tx) =>
    collect.accept(house, tx, source, [line("own", "CNY"), line("other", "JPY")]),
  );
  while ((await consume(house, [orders.consume])) > 0);
  while ((await ship(house)) > 0);
  const sold = await house.columns.read<{ minor: string }>(
    "select toString(sum(amount_minor)) as minor from sold",
    {},
  );
  expect(sold).toEqual([{ minor: "700" }]);
  expect(await ordersOf(here)).toEqual([
    { ref: "A1", kind: "sale", amountMinor: 700n, items: 1n, lines: 1, day: "2026-01-01" },
  ]);
  expect(await profile(here)).toMatchObject({ orders: 1, items: 1, spent_minor: 700 });
  const lines = await sql`select currency, kind, told_kind from orders_line order by currency`;
  expect([...lines]).toEqual([
    { currency: "CNY", kind: "sale", toldKind: null },
    { currency: "JPY", kind: "adjustment", toldKind: "sale" },
  ]);
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

// ── orders told whole ────────────────────────────────────────────────────────────────────────────────────────────

const told = (
  name: string,
  key: string,
  day: number,
  data: Record<string, unknown>,
  sender: { user?: string; anonymous?: string } = { user: "u1" },
): collect.Incoming => ({
  key,
  name,
  at: new Date(Date.UTC(2026, 0, day, 10)),
  data: { order_id: "W1", ...data },
  ...(sender.user
    ? { sender: { type: "user_id" as const, value: sender.user } }
    : sender.anonymous
      ? { sender: { type: "anonymous_id" as const, value: sender.anonymous } }
      : {}),
});
const two = [
  { sku: "S1", name: "Cup", price: 10, quantity: 2 },
  { sku: "S2", price: "5.00", quantity: 1 },
];
async function openAll() {
  const here = await open();
  const page = await collect.sourceNamed(here.house, here.sql, "page", "public");
  const file = await collect.sourceNamed(here.house, here.sql, "file", "import");
  const tell = async (source: collect.SourceRow, ...events: collect.Incoming[]) => {
    const verdicts = await here.sql.begin((tx) => collect.accept(here.house, tx, source, events));
    while ((await consume(here.house, [orders.consume])) > 0);
    return verdicts;
  };
  const sums = async () =>
    [
      ...(await here.sql<{ ref: string; kind: string; amountMinor: bigint; items: bigint }[]>`
        select ref, kind, amount_minor, items from orders_order order by ref, kind`),
    ].map(({ ref, kind, amountMinor, items }) => [ref, kind, Number(amountMinor), Number(items)]);
  return Object.assign(here, { page, file, tell, sums });
}
const completed = { total: 28, shipping: 3, products: two };

test("an order told whole has its lines and its total; an update replaces, a refund is partial or whole, a cancelled one is nothing", async () => {
  await using here = await openAll();
  const { source: shop_, tell } = here;
  await tell(shop_, told("Order Completed", "1", 1, completed));
  expect(await here.sums()).toEqual([["W1", "sale", 2800, 3]]);
  expect(await profile(here)).toMatchObject({ orders: 1, spent_minor: 2800, items: 3 });
  const lines = await here.sql`select n, sku, quantity, amount_minor from orders_line order by n`;
  expect([...lines].map(({ n, sku, amountMinor }) => [n, sku, Number(amountMinor)])).toEqual([
    [0, "", 300],
    [1, "S1", 2000],
    [2, "S2", 500],
  ]);
  const [sku] = await here.sql`select name from catalog_product where sku = 'S1'`;
  expect(sku).toEqual({ name: "Cup" });

  await tell(shop_, told("Order Updated", "2", 2, { total: 30 }));
  expect(await here.sums()).toEqual([["W1", "sale", 3000, 3]]);
  await tell(shop_, told("Order Updated", "3", 3, { products: [two[0]] }));
  expect(await here.sums()).toEqual([["W1", "sale", 2000, 2]]);
  // Whoever sends the refund, it is of whose order it was.
  await tell(
    shop_,
    told(
      "Order Refunded",
      "4",
      4,
      { products: [{ ...two[0], quantity: 1 }] },
      { anonymous: "srv-9" },
    ),
  );
  expect(await here.sums()).toEqual([
    ["W1", "refund", -1000, -1],
    ["W1", "sale", 2000, 2],
  ]);
  expect(await profile(here)).toMatchObject({ orders: 1, refunds: 1, refunded_minor: 1000 });
  await tell(shop_, told("Order Refunded", "5", 5, {}));
  expect(await here.sums()).toEqual([
    ["W1", "refund", -2000, -1],
    ["W1", "sale", 2000, 2],
  ]);
  await tell(shop_, told("Order Cancelled", "6", 6, {}));
  expect(await here.sums()).toEqual([]);
  expect(await profile(here)).toMatchObject({
    orders: 0,
    spent_minor: 0,
    refunded_minor: 0,
    last_order_at: null,
  });
  await tell(shop_, told("Order Updated", "7", 7, completed)); // some shops send one right after
  expect(await here.sums()).toEqual([]);
});

test("an order without products has its total, one in another currency is kept and counts for nothing", async () => {
  await using here = await openAll();
  await here.tell(here.source, told("Order Completed", "1", 1, { total: "12.345" }));
  await here.tell(
    here.source,
    told("Order Completed", "2", 2, { order_id: "W2", total: 9, currency: "USD", products: two }),
  );
  expect(await here.sums()).toEqual([["W1", "sale", 1235, 0]]);
  const kept =
    await here.sql`select currency, amount_minor, marks from orders_told where ref = 'W2'`;
  expect([...kept]).toEqual([{ currency: "USD", amountMinor: 900n, marks: 3 }]);
});

test("an order that came line by line and whole, from one source, counts once: the lines are the order", async () => {
  await using here = await openAll();
  const line = event({ key: "l1", order: "W1", unitPrice: "10" });
  await here.tell(here.source, told("Order Completed", "1", 1, completed));
  await here.tell(here.source, line);
  expect(await here.sums()).toEqual([["W1", "sale", 1000, 1]]);
  await here.tell(here.source, told("Order Refunded", "2", 3, {}));
  expect(await here.sums()).toEqual([
    ["W1", "refund", -1000, 0],
    ["W1", "sale", 1000, 1],
  ]);
  await here.tell(here.source, told("Order Cancelled", "3", 4, {}));
  await here.tell(here.source, event({ key: "l2", order: "W1", unitPrice: "4" }));
  expect(await here.sums()).toEqual([]);
  expect(await profile(here)).toMatchObject({ orders: 0, spent_minor: 0 });
});

test("a forged order and a forged price from a page move nothing and show nothing; the server's do", async () => {
  await using here = await openAll();
  const { house, sql, page, source: shop_, tell } = here;
  const visitor = { anonymous: "v1" };
  const before = async () => [
    ...(await sql`select count(*)::int as n from orders_order union all select count(*)::int from orders_line
      union all select count(*)::int from catalog_product union all select count(*)::int from outbox
      union all select count(*)::int from people_profile`),
  ];
  const none = await before();
  const verdicts = await tell(
    page,
    told("Order Completed", "1", 1, { ...completed, total: 999_999 }, visitor),
    told("Order Refunded", "2", 1, { total: 5 }, visitor),
    told("Product Updated", "3", 1, { sku: "S1", price: "0.01", stock: 0 }, visitor),
    told("Product Viewed", "4", 1, { sku: "S1", name: "Hacked", price: 0.01 }, visitor),
  );
  expect(verdicts).toEqual([
    "accepted",
    "accepted",
    { reason: "server_only", field: "name" },
    "accepted",
  ]);
  expect(await before()).toEqual(none);

  const [node] = await sql<{ bucket: number; personId: string }[]>`
    select person_bucket as bucket, person_id from people_node`;
  const claims = () => views.claims(sql, node!, house.clocks.shop(), 10);
  expect(await claims()).toMatchObject([
    { ref: "W1", amountMinor: 99_999_900n, confirmedBy: null },
  ]);
  // The server brings the order of that number: the visit has its order, and the money is what the server says.
  await tell(shop_, told("Order Completed", "9", 2, completed, { user: "u1" }));
  expect(await claims()).toMatchObject([
    { ref: "W1", confirmedBy: shop_.id, confirmedMinor: 2800n },
  ]);
  expect(await here.sums()).toEqual([["W1", "sale", 2800, 3]]);
  const mine = await sql`select from orders_order where person_id = ${node!.personId}`;
  expect(mine.count).toBe(0);
  while ((await ship(house)) > 0);
  expect(await soldOf(here)).toEqual(
    await here.sums().then((rows) => rows.map(([r, k, m]) => [r, k, m])),
  );
}, 60_000);

const soldOf = async (here: World) =>
  (
    await here.columns.read<{ ref: string; kind: string; minor: string }>(
      `select order_ref as ref, order_kind as kind, toString(sum(amount_minor)) as minor from sold
       group by source_id, order_ref, order_kind order by ref, kind`,
    )
  ).map(({ ref, kind, minor }) => [ref, kind, Number(minor)]);

type Step = {
  make: (ref: string, user: string) => collect.Incoming;
  from: "source" | "page" | "file";
};
const amount = fc.integer({ min: 1, max: 5000 }).map((minor) => (minor / 100).toFixed(2));
const goods = fc.array(
  fc.record({
    sku: fc.constantFrom("S1", "S2"),
    price: amount,
    quantity: fc.integer({ min: 1, max: 3 }),
  }),
  { minLength: 1, maxLength: 2 },
);
const step: fc.Arbitrary<(i: number) => Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc
      .record({
        name: fc.constantFrom(
          "Order Completed",
          "Order Updated",
          "Order Completed",
          "Order Refunded",
        ),
        from: fc.constantFrom(
          "source" as const,
          "source" as const,
          "page" as const,
          "file" as const,
        ),
        total: fc.option(amount, { nil: undefined }),
        products: fc.option(goods, { nil: undefined }),
        currency: fc.constantFrom(undefined, undefined, undefined, "USD"),
        who: fc.constantFrom("a", "a", "b"),
        day: fc.integer({ min: 1, max: 27 }),
      })
      .map(({ name, from, who, day, ...data }) => (i: number) => ({
        from,
        make: (ref: string, user: string) => {
          const made = told(
            name,
            `${ref} ${i}`,
            day,
            { ...data, order_id: ref },
            { user: user + who },
          );
          return { ...made, at: new Date(made.at.getTime() + i * 1000) };
        },
      })),
  },
  {
    weight: 2,
    arbitrary: fc
      .record({
        price: amount,
        quantity: fc.constantFrom("1", "2", "-1"),
        day: fc.integer({ min: 1, max: 27 }),
        who: fc.constantFrom("a", "b"),
      })
      .map(({ price, quantity, day, who }) => (i: number) => ({
        from: "source" as const,
        make: (ref: string, user: string) => {
          const at = `2026-01-${String(day).padStart(2, "0")}T12:00:${String(i).padStart(2, "0")}Z`;
          return event({
            key: `${ref} ${i}`,
            order: ref,
            unitPrice: price,
            quantity,
            at,
            customer: user + who,
          });
        },
      })),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom("source" as const, "page" as const).map((from) => (i: number) => ({
      from,
      make: (ref: string, user: string) =>
        told("Order Cancelled", `${ref} ${i}`, 28, { order_id: ref }, { user: `${user}a` }),
    })),
  },
);

test("in any order of arrival and any slices the same orders come out, in both engines, and are the same when worked out anew", async () => {
  await using here = await openAll();
  const { house, sql } = here;
  const state = async (ref: string, user: string) => {
    const rows = await sql`
      select o.source_id, o.kind, o.amount_minor, o.items, o.lines, o.at, o.currency, o.person_id
      from orders_order o where o.ref = ${ref} order by 1, 2, o.person_id`;
    const names = new Map<string, string>();
    for (const who of ["a", "b"])
      for (const { id } of [here.source, here.file]) {
        const person = await byUser(here, user + who, id);
        if (person) names.set(person, who + id);
      }
    const facts = await sql`
      select person_id, attributes - 'last_event' - 'currency' as a from people_profile
      where person_id = any(${[...names.keys()]}::uuid[])`;
    const clean = (a: Record<string, { v: unknown }>) =>
      Object.fromEntries(Object.entries(a).map(([name, { v }]) => [name, v]));
    return {
      orders: [...rows]
        .map(({ personId, ...row }) => ({ ...row, who: names.get(personId as string) ?? "" }))
        .toSorted((a, b) => (a.who < b.who ? -1 : a.who > b.who ? 1 : 0)),
      // Who has no orders may have a profile that says so, or none.
      facts: [...facts]
        .map(
          ({ personId, a }) =>
            ({ who: names.get(personId as string), ...clean(a as never) }) as Record<
              string,
              unknown
            >,
        )
        .filter((one) => one["orders"] !== 0 || one["refunds"] !== 0)
        .toSorted((a, b) => (String(a["who"]) < String(b["who"]) ? -1 : 1)),
    };
  };
  let run = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 7 }).chain((steps) =>
        fc.tuple(
          fc.constant(steps),
          fc.shuffledSubarray(
            steps.map((_, i) => i),
            { minLength: steps.length },
          ),
          fc.array(fc.boolean(), { minLength: steps.length, maxLength: steps.length }),
        ),
      ),
      async ([steps, order, cuts]) => {
        run++;
        const made = steps.map((make, i) => make(i));
        const send = async (
          ref: string,
          user: string,
          indices: number[],
          cut: (i: number) => boolean,
        ) => {
          for (const i of indices) {
            const { from, make } = made[i]!;
            const one = make(ref, user);
            await sql.begin((tx) => collect.accept(house, tx, here[from], [one]));
            if (cut(i)) while ((await consume(house, [orders.consume])) > 0);
          }
          while ((await consume(house, [orders.consume])) > 0);
        };
        // Ids decide between equal times, so no two times are equal; the day of a cancellation is the last.
        await send(
          `r${run}x`,
          `u${run}x`,
          made.map((_, i) => i),
          () => false,
        );
        await send(`r${run}y`, `u${run}y`, order, (i) => cuts[i]!);
        const one = await state(`r${run}x`, `u${run}x`);
        expect(await state(`r${run}y`, `u${run}y`)).toEqual(one);
        const people = await sql<
          { bucket: number; personId: string }[]
        >`select bucket, person_id from people_person`;
        await sql.begin((tx) => refold(house, tx, [...people]));
        expect(await state(`r${run}y`, `u${run}y`)).toEqual(one);
      },
    ),
    { numRuns: 15 },
  );
  while ((await ship(house)) > 0);
  const rows = await sql<{ ref: string; kind: string; minor: string }[]>`
    select ref, kind, sum(amount_minor)::text as minor from orders_order
    group by source_id, ref, kind order by ref collate "C", kind`;
  expect((await soldOf(here)).map(String).toSorted()).toEqual(
    [...rows].map(({ ref, kind, minor }) => String([ref, kind, Number(minor)])).toSorted(),
  );
  expect(rows.length).toBeGreaterThan(15);
}, 240_000);
const byUser = async ({ house, sql }: World, user: string, source: string) =>
  (await people.byIdentifier(house, sql, "user_id", user, source))?.personId;

test("when a node turns out to be somebody else's, its lines and orders go with it, and come back", async () => {
  await using here = await openAll();
  const { house, sql, tell, source: shop_ } = here;
  await tell(
    shop_,
    told("Order Completed", "1", 1, completed, { anonymous: "v1" }),
    event({ key: "2", order: "L1" }),
  );
  const [visitor, known] = await Promise.all(
    (["anonymous_id", "user_id"] as const).map(
      async (type) =>
        (await people.byIdentifier(house, sql, type, type === "user_id" ? "u1" : "v1", shop_.id))!,
    ),
  );
  const give = (from: { personId: string }, to: { bucket: number; personId: string }) =>
    here.owner`update people_node set person_bucket = ${to.bucket}, person_id = ${to.personId}
      where type = 'anonymous_id' and person_id = ${from.personId}`;
  const of = async () =>
    [...(await sql`select ref, person_id from orders_order order by ref`)].map(
      ({ ref, personId }) => [ref, personId],
    );
  const spent = async (person: { personId: string }) =>
    (
      await sql`select attributes->'spent_minor'->'v' as v from people_profile where person_id = ${person.personId}`
    )[0]?.["v"];
  await give(visitor!, known!);
  await sql.begin((tx) => refold(house, tx, [visitor!, known!]));
  expect(await of()).toEqual([
    ["L1", known!.personId],
    ["W1", known!.personId],
  ]);
  expect([await spent(known!), await spent(visitor!)]).toEqual([3800, null]);
  await here.owner`update people_node set person_bucket = ${visitor!.bucket}, person_id = ${visitor!.personId}
    where type = 'anonymous_id'`;
  await sql.begin((tx) => refold(house, tx, [known!, visitor!]));
  expect(await of()).toEqual([
    ["L1", known!.personId],
    ["W1", visitor!.personId],
  ]);
  expect([await spent(known!), await spent(visitor!)]).toEqual([1000, 2800]);
});

test("of an erased person nothing stays of what was told or claimed; another's stays", async () => {
  await using here = await openAll();
  const { sql, tell } = here;
  await tell(
    here.source,
    told("Order Completed", "1", 1, completed),
    told("Order Completed", "2", 1, { ...completed, order_id: "W2" }, { user: "u2" }),
  );
  await tell(
    here.page,
    told("Order Completed", "3", 1, { ...completed, order_id: "W3" }, { anonymous: "v1" }),
  );
  for (const [type, value, source] of [
    ["user_id", "u1", here.source.id],
    ["anonymous_id", "v1", here.page.id],
  ] as const) {
    const person = (await people.byIdentifier(here.house, sql, type, value, source))!;
    const nodes = await people.nodesOf(sql, person);
    await sql.begin((tx) => erase(tx, person, nodes));
  }
  const left = await sql<{ ref: string }[]>`
    select ref from orders_told union all select ref from orders_line where n = 1
    union all select ref from orders_order union all select ref from orders_ref`;
  expect(left.map(({ ref }) => ref)).toEqual(["W2", "W2", "W2", "W2"]);
});
