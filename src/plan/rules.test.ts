import fc from "fast-check";
import { expect, test } from "vitest";
import { partData } from "#collect/rules.ts";
import {
  driftOf,
  isRefusal,
  judge,
  keepable,
  eventName,
  vocabulary,
  type Judged,
  type SourceKind,
} from "./rules.ts";
import { readOrder } from "./model/order.ts";
import { decimal } from "./model/values.ts";
import { eventSpellings, propertySpellings } from "./model/vocabulary.ts";

const shop = { currency: "CNY" };
const read = (name: string, data: Record<string, unknown>, source: SourceKind = "server") => {
  const { plain, direct } = partData(data, name);
  return judge<Judged>(
    { name, data: plain, ...(Object.keys(direct).length > 0 ? { direct } : {}) },
    source,
    shop,
  );
};
const taken = (...given: Parameters<typeof read>) => {
  const judged = read(...given);
  if (isRefusal(judged)) throw new Error(`${judged.reason} ${judged.field}`);
  return judged;
};
const order = {
  order_id: "50314b8e",
  total: 30,
  revenue: "25.00",
  shipping: 3,
  tax: 2,
  currency: "CNY",
  products: [
    {
      product_id: "507f1f77",
      sku: "45790-32",
      name: "Monopoly: 3rd Edition",
      price: "19",
      quantity: 1,
      category: "Games",
    },
    { product_id: "505bd76785", sku: "46493-32", name: "Uno Card Game", price: 3, quantity: 2 },
  ],
};

test("the vocabulary has every event of the specs, each property of a kind, and spellings that lead somewhere", () => {
  const count = (group: string) =>
    Object.values(vocabulary).filter((one) => one.group === group).length;
  expect([count("shop"), count("mail"), count("chat"), count("experiment")]).toEqual([28, 6, 4, 1]);
  for (const name of Object.values(eventSpellings)) expect(vocabulary).toHaveProperty([name]);
  const all = new Set(
    Object.values(vocabulary).flatMap(({ properties }) => Object.keys(properties)),
  );
  for (const name of Object.values(propertySpellings)) expect(all).toContain(name);
  expect(vocabulary["Product Reviewed"]!.properties["rating"]).toBe("text");
});

test("an order told whole comes out in minor units, its lines and totals agreeing", () => {
  const { event, odd } = taken("Order Completed", order);
  expect(odd).toEqual([]);
  expect(event.data["$order"]).toEqual({
    ref: "50314b8e",
    kind: "sale",
    currency: "CNY",
    amountMinor: 3000,
    lines: [
      {
        sku: "45790-32",
        quantity: 1,
        unitPrice: 190_000,
        amountMinor: 1900,
        name: "Monopoly: 3rd Edition",
        category: "Games",
      },
      { sku: "46493-32", quantity: 2, unitPrice: 30_000, amountMinor: 600, name: "Uno Card Game" },
    ],
    items: 3,
    sums: { revenue: 2500, shipping: 300, tax: 200 },
    marks: 0,
  });
  expect(event.flags).toBeUndefined();
  expect(event.direct ?? {}).toEqual({});
});

test.each([
  ["Order Completed", { ...order, total: "thirty" }, "data.total"],
  ["Order Completed", { ...order, total: -1 }, "data.total"],
  ["Order Completed", { ...order, currency: "RMBS" }, "data.currency"],
  ["Order Completed", { ...order, products: "none" }, "data.products"],
  [
    "Order Completed",
    { ...order, products: [{ sku: "a", price: "1,5" }] },
    "data.products.0.price",
  ],
  [
    "Order Completed",
    { ...order, products: [{ sku: "a", quantity: 1.5 }] },
    "data.products.0.quantity",
  ],
  [
    "Order Completed",
    { ...order, products: [{ sku: "a" }, { price: 1 }] },
    "data.products.1.product_id",
  ],
  ["Order Completed", { ...order, products: Array(10_001).fill({ sku: "a" }) }, "data.products"],
  ["Order Completed", { total: 3 }, "data.order_id"],
  ["purchase", { transaction_id: "T", value: "x" }, "data.value"],
  [
    "purchase",
    { transaction_id: "T", items: [{ item_id: "a", price: "x" }] },
    "data.items.0.price",
  ],
  ["Product Updated", { sku: "a", price: "x" }, "data.price"],
  ["Product Updated", { sku: "a", stock: 1.5 }, "data.stock"],
  ["Product Updated", { sku: "a", url: "javascript:alert(1)" }, "data.url"],
  ["Product Updated", { name: "a" }, "data.product_id"],
])("%s with %j from a server is refused by its field", (name, data, field) => {
  expect(read(name, data)).toEqual({ reason: "invalid", field });
});

test("a page's order is a claim whatever it says, and its price list is nobody's", () => {
  expect(taken("Order Completed", order, "public").event.flags).toBe(64);
  const odd = taken("Order Completed", { ...order, total: "thirty" }, "public");
  expect([odd.event.flags, odd.odd, odd.event.data["$order"]]).toEqual([64, ["total"], undefined]);
  expect(read("Product Updated", { sku: "a", price: 1 }, "public")).toEqual({
    reason: "server_only",
    field: "name",
  });
  expect(
    taken("Product Viewed", { sku: "a", name: "Cup", price: 1 }, "public").event.data["$product"],
  ).toBeUndefined();
  // Figures in our own hand come from nobody else, and an order line has a door of its own.
  const forged = judge(
    { name: "Anything", data: { $order: { amountMinor: 1 }, a: 1 } },
    "server",
    shop,
  );
  expect(forged).toMatchObject({ event: { data: { a: 1 } } });
  expect((forged as { event: Judged }).event.data).not.toHaveProperty("$order");
  expect(judge({ name: "Order Line", data: { order: "1" } }, "public", shop)).toMatchObject({
    reason: "use_order_lines",
  });
});

test("odd behaviour is kept as it came, and named", () => {
  const { event, odd } = taken("Product Viewed", { sku: "a", price: "cheap", rating: 5 }, "public");
  expect(event.data).toEqual({ sku: "a", price: "cheap", rating: 5, $odd: ["price"] });
  expect(odd).toEqual(["price"]);
  expect(taken("Product Reviewed", { product_id: 1, rating: 5 }).odd).toEqual(["rating"]);
});

test.each([
  ["productViewed", { productId: "a" }, "Product Viewed", { product_id: "a" }],
  ["product_viewed", { ProductID: "a" }, "Product Viewed", { product_id: "a" }],
  ["view_item", { items: [{ item_id: "a", item_name: "Cup" }] }, "view_item", {}],
  ["add_to_cart", { item_id: "a", qty: 1 }, "Product Added", { product_id: "a", quantity: 1 }],
  [
    "commodityDetail",
    { commodityID: "9", pricePerCommodity: 2 },
    "Product Viewed",
    { product_id: "9", price: 2 },
  ],
  ["$AppStart", { $is_first_day: true }, "Application Opened", { $is_first_day: true }],
  ["refund", { reason: "cold" }, "refund", { reason: "cold" }],
  ["search", { depth: 1 }, "search", { depth: 1 }],
  ["search", { search_term: "tea" }, "Products Searched", { query: "tea" }],
])("%s with %j is %s", (sent, data, name, said) => {
  const { event } = taken(sent, data, "public");
  expect(event.name).toBe(name);
  expect(event.data).toMatchObject(said);
});

test("goods have names in clear, people and their words do not", () => {
  const viewed = taken(
    "Product Viewed",
    { sku: "a", name: "Cup", url: "https://shop.example/a?u=9" },
    "public",
  );
  expect(viewed.event.data).toEqual({ sku: "a", name: "Cup" });
  expect(viewed.event.direct).toEqual({ "data.url": "https://shop.example/a?u=9" });
  const shared = taken(
    "Product Shared",
    { product_id: "a", recipient: "Mum", share_message: "look" },
    "public",
  );
  expect(shared.event.data).toEqual({ product_id: "a" });
  expect(shared.event.direct).toEqual({ "data.recipient": "Mum", "data.share_message": "look" });
  const odd = taken("Product Viewed", { sku: "a", name: "ann@example.com" }, "public");
  expect(JSON.stringify(odd.event.data)).not.toContain("ann@");
  const list = taken(
    "Cart Viewed",
    { products: [{ sku: "a", name: "Cup", url: "https://s/a?mail=x@y.example", note: "for Ann" }] },
    "public",
  );
  expect(list.event.data["products"]).toEqual([{ sku: "a", name: "Cup" }]);
  expect(list.event.direct!["data.products"]).toContain("for Ann");
  // Elsewhere a name is somebody's.
  expect(taken("Signed Up", { name: "Ann" }).event).toMatchObject({
    data: {},
    direct: { "data.name": "Ann" },
  });
});

test("unknown events come out as they went in", () => {
  fc.assert(
    fc.property(
      fc.string({ minLength: 1 }),
      fc.dictionary(fc.string(), fc.jsonValue()),
      (name, data) => {
        fc.pre(!Object.keys(data).some((one) => one.startsWith("$")) && name !== "Order Line");
        const event = { name: `my ${name} thing`, data };
        expect(judge(event, "public", shop)).toEqual({ event, odd: [] });
      },
    ),
  );
});

const junk = fc.oneof(fc.jsonValue(), fc.double(), fc.string(), fc.bigInt().map(String));
test("whatever a known event brings, it is judged: a server's order has whole figures or is refused by name", () => {
  const names = fc.constantFrom(...Object.keys(vocabulary), ...Object.keys(eventSpellings));
  const property = fc.constantFrom(
    ...new Set([
      ...Object.values(vocabulary).flatMap(({ properties }) => Object.keys(properties)),
      ...Object.keys(propertySpellings),
      "other",
    ]),
  );
  const products = fc.array(fc.dictionary(property, junk, { maxKeys: 4 }), { maxLength: 3 });
  fc.assert(
    fc.property(
      names,
      fc.dictionary(property, fc.oneof(junk, products), { maxKeys: 8 }),
      fc.constantFrom<SourceKind>("server", "public", "import"),
      (name, data, source) => {
        const judged = read(name, data, source);
        if (isRefusal(judged)) {
          expect(judged.field).toMatch(/^(name|data\..+)$/);
          return;
        }
        JSON.stringify(judged.event);
        const figures = judged.event.data["$order"] as
          | {
              amountMinor: number | null;
              lines: { amountMinor: number; quantity: number }[] | null;
            }
          | undefined;
        if (figures === undefined) return;
        expect(figures.amountMinor === null || Number.isSafeInteger(figures.amountMinor)).toBe(
          true,
        );
        for (const line of figures.lines ?? [])
          expect([line.amountMinor, line.quantity].every(Number.isSafeInteger)).toBe(true);
        if (source === "public") expect(judged.event.flags! & 64).toBe(64);
      },
    ),
    { numRuns: 2000 },
  );
});

test("what goes on untouched is what the long way makes of it", () => {
  const name = fc.constantFrom(
    "Product Viewed",
    "Cart Viewed",
    "Coupon Applied",
    "Product Reviewed",
  );
  const property = fc.constantFrom(
    "sku",
    "price",
    "quantity",
    "productId",
    "rating",
    "discount",
    "colour",
    "review_body",
    "$x",
  );
  fc.assert(
    fc.property(name, fc.dictionary(property, junk, { maxKeys: 5 }), (event, data) => {
      const short = judge<Judged>({ name: event, data }, "public", shop);
      const long = judge<Judged>({ name: event, data, direct: {} }, "public", shop);
      if (isRefusal(short) || isRefusal(long)) throw new Error("refused");
      expect({ ...short.event, direct: short.event.direct ?? {} }).toEqual(long.event);
      expect(short.odd).toEqual(long.odd);
    }),
  );
});

test("a line is its quantity times its price, rounded half up once; a refund mirrors its sale", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(fc.integer({ min: 0, max: 99_999_999 }), fc.integer({ min: 1, max: 999 })),
        { minLength: 1, maxLength: 6 },
      ),
      fc.constantFrom("CNY", "JPY", "KWD"),
      (lines, currency) => {
        const products = lines.map(([price, quantity], i) => ({
          sku: `s${i}`,
          price: (price / 10_000).toFixed(4),
          quantity,
        }));
        const said = { order_id: "1", currency, products };
        const sale = readOrder("Order Completed", said, { currency });
        const back = readOrder("Order Refunded", said, { currency });
        if ("unfit" in sale || "unfit" in back) throw new Error("unfit");
        expect(back.amountMinor! + sale.amountMinor!).toBe(0);
        expect(sale.marks).toBe(0);
        const per = { CNY: 100n, JPY: 10_000n, KWD: 10n }[currency]!;
        const exact = lines.map(
          ([price, quantity]) => (BigInt(price) * BigInt(quantity) * 2n + per) / (2n * per),
        );
        expect(BigInt(sale.amountMinor!)).toBe(exact.reduce((a, b) => a + b));
      },
    ),
  );
});

test("totals that disagree with their lines are kept and marked; another currency too", () => {
  const marks = (more: object) => {
    const read = readOrder("Order Completed", { ...order, ...more }, shop);
    return "unfit" in read ? read.unfit : [read.amountMinor, read.marks];
  };
  expect(marks({})).toEqual([3000, 0]);
  expect(marks({ total: "30.02" })).toEqual([3002, 0]); // a minor unit a line is rounding
  expect(marks({ total: "30.03" })).toEqual([3003, 1]);
  expect(marks({ currency: "USD" })).toEqual([3000, 2]);
  expect(marks({ total: undefined })).toEqual([3000, 0]); // revenue, shipping and tax
  expect(marks({ total: undefined, revenue: undefined, discount: 5 })).toEqual([2500, 0]);
  expect(marks({ products: undefined })).toEqual([3000, 0]);
});

test("floating point is taken by its shortest decimal", () => {
  expect(
    [0.1 + 0.2, 19.99, 1e-7, "1e3", "2.55", "1.23456", Number.NaN, "", " 7 "].map(decimal),
  ).toEqual([3000, 199_900, 0, null, 25_500, null, null, null, 70_000]);
});

const days = (from: number, count: number, events: number) =>
  Array.from({ length: count }, (_, i) => ({
    day: from + i,
    events,
    looked: Math.min(events, 200),
  }));
const facts = {
  today: 100,
  sourceFirstDay: 0,
  firstDay: 0,
  days: days(87, 14, 100),
  properties: [],
  planned: null,
};
const price = (
  list: { day: number; seen: number; types?: number; odd?: number }[],
  firstDay = 0,
) => ({
  property: "price",
  firstDay,
  days: list.map(({ types = 2, odd = 0, ...one }) => ({ ...one, types, odd })),
});
test("drift is what the rules say, and steady sending is none", () => {
  const seen = (n: number, more = {}) =>
    days(87, 14, 100).map(({ day }) => ({ day, seen: n, ...more }));
  const kinds = (more: Partial<Parameters<typeof driftOf>[0]>) =>
    driftOf({ ...facts, ...more }).map(({ kind }) => kind);
  expect(kinds({ properties: [price(seen(100))] })).toEqual([]);
  expect(kinds({ firstDay: 95 })).toEqual(["new_event"]);
  expect(kinds({ firstDay: 95, sourceFirstDay: 94 })).toEqual([]); // the source itself is new
  expect(kinds({ properties: [price(seen(100), 96)] })).toEqual(["new_property"]);
  const gone = seen(100).map((one) => (one.day >= 98 ? { ...one, seen: 40 } : one));
  expect(kinds({ properties: [price(gone)] })).toEqual(["missing"]);
  const other = seen(100).map((one) => (one.day === 100 ? { ...one, types: 1 } : one));
  expect(kinds({ properties: [price(other)] })).toEqual(["type_changed"]);
  expect(kinds({ properties: [price(seen(100, { odd: 2 }))] })).toEqual(["odd"]);
  const volume = (yesterday: number) => ({
    days: days(87, 14, 100).map((one) => (one.day === 99 ? { ...one, events: yesterday } : one)),
  });
  expect([49, 50, 300, 301].map((n) => kinds(volume(n)))).toEqual([["fallen"], [], [], ["risen"]]);
  expect(
    kinds({ planned: { price: { type: "text", required: true } }, properties: [price(seen(100))] }),
  ).toEqual(["off_plan"]);
  expect(
    kinds({
      planned: { price: { type: "number", required: true } },
      properties: [price(seen(99))],
    }),
  ).toEqual(["off_plan"]);
  expect(
    kinds({
      planned: { price: { type: "number", required: true } },
      properties: [price(seen(100))],
    }),
  ).toEqual([]);
});

test("names that look like somebody or have no end are not kept", () => {
  expect(["Product Viewed", "商品浏览", "products[].price", "a.b"].every(keepable)).toBe(true);
  expect(
    [
      "ann@example.com",
      "user 13812345678",
      "cart_1234567",
      "f81d4fae-7dec-11d0",
      "",
      "x".repeat(101),
      "a\u0000",
    ].some(keepable),
  ).toBe(false);
});

test("every event of the vocabulary has a Chinese name of its own, and is called in English as it is sent", () => {
  const chinese = Object.keys(vocabulary).map((name) => {
    const called = eventName(name);
    expect(called, name).toMatchObject({
      en: name,
      zh: expect.stringMatching(/^[\u4e00-\u9fff]+$/),
    });
    return called!.zh;
  });
  expect(new Set(chinese).size).toBe(chinese.length);
  expect(eventName("Product Licked")).toBeNull();
  expect(eventName("constructor")).toBeNull();
});
