// What happened to products, as other domains and the shop's own systems see it.
import { z } from "zod";

const product = {
  source: z.uuid(),
  sku: z.string(),
  name: z.string(),
  at: z.iso.datetime(),
  eventId: z.uuid(),
};
const example = {
  source: "01989b3e-7c1a-7000-8000-000000000001",
  sku: "TEA-1",
  name: "Green tea",
  at: "2026-03-01T04:00:00.000Z",
  eventId: "01989b3e-7c1a-7000-8000-000000000002",
};
/** The shop told another price. `dropBp`: by how much it fell, in basis points of the one before; negative where it rose. */
export const priceChanged = {
  name: "catalog.price_changed",
  data: z.object({
    ...product,
    before: z.string(), // decimals of 4 places
    after: z.string(),
    currency: z.string(),
    dropBp: z.int(),
  }),
  offer: {
    zh: "一件商品的价格变了",
    en: "The price of a product changed",
    example: { ...example, before: "39.9000", after: "29.9000", currency: "CNY", dropBp: 2506 },
  },
};
/** The shop told another number of a product in stock. */
export const stockChanged = {
  name: "catalog.stock_changed",
  data: z.object({ ...product, before: z.number(), after: z.number() }),
  offer: {
    zh: "一件商品的库存变了",
    en: "The stock of a product changed",
    example: { ...example, before: 12, after: 11 },
  },
};
/** There were none, and there are some. */
export const backInStock = {
  name: "catalog.back_in_stock",
  data: z.object({ ...product, stock: z.number() }),
  offer: {
    zh: "一件卖完的商品又有货了",
    en: "A product that was sold out is back in stock",
    example: { ...example, stock: 20 },
  },
};
