import { expect, test } from "vitest";
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
