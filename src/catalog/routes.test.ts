import fc from "fast-check";
import { expect, test } from "vitest";
import { routes as collectRoutes } from "#collect/routes.ts";
import { routes as ordersRoutes } from "#orders/routes.ts";
import { folded, shop } from "../../test/shop.ts";
import { routes } from "./routes.ts";

async function filled() {
  const here = await shop([...routes, ...ordersRoutes]);
  const line = (
    sku: string,
    name: string,
    merchant: string,
    at = "2026-02-01T10:00:00Z",
    unitPrice = "3.5",
  ) => ({
    key: `${sku} ${at}`,
    order: "A1",
    sku,
    name,
    quantity: 1,
    unitPrice,
    at,
    merchant,
  });
  const lines = [
    line("S1", "Silk scarf", "silk"),
    line("S1", "Silk scarf, red", "silk", "2026-02-03T10:00:00Z", "4"),
    line("S1", "Scarf", "silk", "2026-01-03T10:00:00Z", "9"),
    line("S2", "100% wool", "wool"),
    line("S3", "Tea", ""),
  ];
  for (const one of lines) {
    await here.ask("POST", "/v1/orders/lines", { headers: here.as.server, body: { lines: [one] } });
    await folded(here.house);
  }
  const list = async (query: string, as: "owner" | "merchant" = "owner") => {
    const { body, status } = await here.ask("GET", `/v1/products?${query}`, {
      headers: here.as[as],
    });
    const products = (body["products"] ?? []) as Record<string, unknown>[];
    return {
      status,
      total: body["total"],
      skus: products.map(({ sku }) => sku),
      products,
      next: body["next"],
    };
  };
  return Object.assign(here, { list });
}

test("a product is as it was last sold, and known since it was first sold, in whatever order that came in", async () => {
  await using here = await filled();
  expect((await here.list("")).products[0]).toEqual({
    source: here.server.id,
    sku: "S1",
    name: "Silk scarf, red",
    category: null,
    merchant: "silk",
    brand: null,
    url: null,
    image: null,
    stock: null,
    unitPrice: "4.0000",
    currency: "CNY",
    goods: true,
    firstAt: "2026-01-03T10:00:00.000Z",
    seenAt: "2026-02-03T10:00:00.000Z",
  });
});

test("products by number or name, a sign is a sign, page by page", async () => {
  await using here = await filled();
  expect(await here.list("")).toMatchObject({ total: 3, skus: ["S1", "S2", "S3"], next: null });
  expect((await here.list("query=scarf")).skus).toEqual(["S1"]);
  expect((await here.list("query=s3")).skus).toEqual(["S3"]);
  expect((await here.list(`query=${encodeURIComponent("%")}`)).skus).toEqual(["S2"]);
  expect((await here.list("query=_")).skus).toEqual([]);
  const first = await here.list("limit=2");
  expect(first).toMatchObject({ total: 3, skus: ["S1", "S2"] });
  const after = encodeURIComponent(String(first.next));
  expect(await here.list(`limit=2&after=${after}`)).toMatchObject({ skus: ["S3"], next: null });
});

test("a merchant sees their own products only, whatever they ask", async () => {
  await using here = await filled();
  expect(await here.list("", "merchant")).toMatchObject({ total: 1, skus: ["S1"] });
  expect(await here.list("query=wool", "merchant")).toMatchObject({ total: 0, skus: [] });
  expect((await here.list("merchant=wool", "merchant")).status).toBe(400);
});

/** What the shop's catalogue tells: "Product Updated" by its own server. */
async function told() {
  const here = await shop([...routes, ...collectRoutes]);
  let n = 0;
  const tell = async (
    events: { day: number; data: Record<string, unknown>; key?: string; name?: string }[],
    as: "server" | "page" = "server",
  ) => {
    const { body } = await here.ask("POST", "/v1/events", {
      headers: here.as[as],
      body: {
        events: events.map(({ day, data, key = `k${++n}`, name = "Product Updated" }) => ({
          ...{ key, name, data, at: new Date(Date.UTC(2026, 0, day)).toISOString() },
          ...(as === "page" ? { anonymous: "v1" } : {}),
        })),
      },
    });
    await folded(here.house);
    return (body["results"] as { verdict: string; field: string | null }[]).map(
      ({ verdict, field }) => field ?? verdict,
    );
  };
  const product = async () =>
    (
      await here.sql`
      select name, category, brand, unit_price::text, stock::text, url, image, merchant_id, currency
      from catalog_product where sku = 'S1'`
    )[0];
  const happened = async () =>
    [
      ...(await here.sql<{ name: string; data: Record<string, unknown> }[]>`
      select name, data from outbox where name like 'catalog.%' order by id`),
    ].map(({ name, data }) => [
      name.slice(8),
      data["before"] ?? null,
      data["after"] ?? data["stock"],
      data["dropBp"] ?? null,
    ]);
  return Object.assign(here, { tell, product, happened });
}

test("the shop's server tells prices and stock: each change is kept and told of, a late one changes nothing of today", async () => {
  await using here = await told();
  await here.tell([
    {
      day: 1,
      data: {
        sku: "S1",
        name: "Silk scarf",
        brand: "Lu",
        price: "100",
        stock: 5,
        url: "https://shop.example/s1",
      },
    },
  ]);
  expect(await here.happened()).toEqual([]); // what was never told before is no change
  await here.tell([{ day: 3, data: { sku: "S1", price: 80, stock: 0 } }]);
  await here.tell([{ day: 3, data: { sku: "S1", price: "80.00" } }]); // the same again
  await here.tell([{ day: 2, data: { sku: "S1", price: 120, stock: 9 } }]); // late
  await here.tell([{ day: 4, data: { sku: "S1", stock: 7 } }]);
  expect(await here.product()).toMatchObject({
    name: "Silk scarf",
    brand: "Lu",
    unitPrice: "800000",
    stock: "7",
    url: "https://shop.example/s1",
  });
  expect(await here.happened()).toEqual([
    ["price_changed", "100.0000", "80.0000", 2000],
    ["stock_changed", 5, 0, null],
    ["stock_changed", 0, 7, null],
    ["back_in_stock", null, 7, null],
  ]);
  const ask = (as: "analyst" | "merchant", sku = "S1") =>
    here.ask("GET", `/v1/products/history?source=${here.server.id}&sku=${sku}`, {
      headers: here.as[as],
    });
  const { prices, stocks } = (await ask("analyst")).body as {
    prices: { unitPrice: string; at: string }[];
    stocks: { stock: number }[];
  };
  expect(prices.map(({ unitPrice, at }) => [unitPrice, at.slice(8, 10)])).toEqual([
    ["80.0000", "03"],
    ["120.0000", "02"],
    ["100.0000", "01"],
  ]);
  expect(stocks.map(({ stock }) => stock)).toEqual([7, 0, 9, 5]);
  expect((await ask("merchant")).body["code"]).toBe("catalog.unknown"); // another's
  expect((await ask("analyst", "none")).status).toBe(404);
});

test("a page's word of a product changes nothing, and a wrong figure costs its own event alone", async () => {
  await using here = await told();
  await here.tell([{ day: 1, data: { sku: "S1", name: "Silk scarf", price: 100, stock: 5 } }]);
  expect(
    await here.tell(
      [
        { day: 2, data: { sku: "S1", price: 1, stock: 0 } },
        { day: 2, name: "Product Viewed", data: { sku: "S1", name: "Hacked", price: 1 } },
        { day: 2, name: "Product Added", data: { sku: "S9", name: "Forged", price: 1 } },
      ],
      "page",
    ),
  ).toEqual(["events.0.name", "accepted", "accepted"]);
  expect(
    await here.tell([
      { day: 2, data: { sku: "S1", stock: "many" } },
      { day: 2, data: { sku: "S2", price: 3 } },
    ]),
  ).toEqual(["events.0.data.stock", "accepted"]);
  expect(await here.product()).toMatchObject({
    name: "Silk scarf",
    unitPrice: "1000000",
    stock: "5",
  });
  expect([...(await here.sql`select sku from catalog_product order by sku`)]).toEqual([
    { sku: "S1" },
    { sku: "S2" },
  ]);
  expect(await here.happened()).toEqual([]);
});

const word = <T>(...values: T[]) => fc.option(fc.constantFrom(...values), { nil: undefined });
const telling = fc.record({
  day: fc.integer({ min: 1, max: 4 }),
  name: fc.constantFrom("Product Updated", "Product Updated", "Product Viewed"),
  data: fc
    .record({
      ...{
        name: word("Cup", "Mug", ""),
        category: word("Kitchen", "Gifts"),
        brand: word("Lu", "Wu"),
      },
      price: word<number | string>(1, "2.5", 3),
      stock: word(0, 4),
      image: word("https://s.example/1.png"),
    })
    .map((data) => ({ sku: "S1", ...data })),
});
test("in any order of arrival the same product, prices and stock come out", async () => {
  await using here = await told();
  let run = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(telling, { minLength: 1, maxLength: 6 }).chain((all) =>
        fc.tuple(
          fc.constant(all),
          fc.shuffledSubarray(
            all.map((_, i) => i),
            { minLength: all.length },
          ),
          fc.integer({ min: 1, max: 3 }),
        ),
      ),
      async ([all, order, size]) => {
        run++;
        const state = async () => ({
          product: await here.product(),
          prices: [
            ...(await here.sql`select at, event_id, unit_price from catalog_price order by 1, 2`),
          ],
          stocks: [
            ...(await here.sql`select at, event_id, stock from catalog_stock order by 1, 2`),
          ],
        });
        const clear = () =>
          here.owner`truncate catalog_product, catalog_price, catalog_stock, collect_message_key, collect_event`;
        // The same keys, so that equal times are decided by equal ids.
        const keyed = all.map((one, i) => ({ ...one, key: `r${run} ${i}` }));
        await here.tell(keyed);
        const one = await state();
        await clear();
        for (let i = 0; i < order.length; i += size)
          await here.tell(order.slice(i, i + size).map((at) => keyed[at]!));
        expect(await state()).toEqual(one);
        await clear();
      },
    ),
    { numRuns: 25 },
  );
}, 120_000);
