import { z } from "zod";
import { endpoint } from "#kernel/endpoint.ts";

export const list = endpoint({
  method: "GET",
  path: "/v1/products",
  permission: "catalog:read",
  scopes: ["merchants"],
  summary: {
    zh: "商品：按编号或名称查找；商家只看到自己的",
    en: "Products, by number or name; a merchant sees their own",
  },
  input: z.strictObject({
    query: z.string().trim().max(100).optional(),
    after: z.string().max(300).optional(), // the last page's `next`
    limit: z.coerce.number().int().min(1).max(200).default(50),
  }),
  output: z.object({
    total: z.number(),
    products: z.array(
      z.object({
        source: z.uuid(),
        sku: z.string(),
        name: z.string(),
        category: z.string().nullable(),
        merchant: z.string().nullable(),
        brand: z.string().nullable(),
        url: z.string().nullable(),
        image: z.string().nullable(),
        unitPrice: z.string(), // decimal of 4 places: as the shop's catalogue told it, else as last paid
        currency: z.string(),
        stock: z.number().nullable(), // null: never told
        goods: z.boolean(), // false: postage, fees and other lines that are no goods
        firstAt: z.iso.datetime(),
        seenAt: z.iso.datetime(),
      }),
    ),
    next: z.string().nullable(),
  }),
  failures: [],
});

export const history = endpoint({
  method: "GET",
  path: "/v1/products/history",
  permission: "catalog:read",
  scopes: ["merchants"],
  summary: {
    zh: "一件商品的价格和库存变化，最近的在前",
    en: "How a product's price and stock changed, the newest first",
  },
  input: z.strictObject({ source: z.uuid(), sku: z.string().min(1).max(100) }),
  output: z.object({
    name: z.string(),
    // At most 200 changes of each; what was told again unchanged is no change.
    prices: z.array(
      z.object({
        at: z.iso.datetime(),
        unitPrice: z.string(),
        currency: z.string(),
        event: z.uuid(),
      }),
    ),
    stocks: z.array(z.object({ at: z.iso.datetime(), stock: z.number(), event: z.uuid() })),
  }),
  failures: ["catalog.unknown"],
});
