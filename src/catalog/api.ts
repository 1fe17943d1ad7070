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
        unitPrice: z.string(), // decimal of 4 places, as last paid
        currency: z.string(),
        goods: z.boolean(), // false: postage, fees and other lines that are no goods
        firstAt: z.iso.datetime(),
        seenAt: z.iso.datetime(),
      }),
    ),
    next: z.string().nullable(),
  }),
  failures: [],
});
