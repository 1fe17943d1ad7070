// What happened to products, as other domains and the shop's own systems see it.
import { z } from "zod";

const product = {
  source: z.uuid(),
  sku: z.string(),
  name: z.string(),
  at: z.iso.datetime(),
  eventId: z.uuid(),
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
};
/** The shop told another number of a product in stock. */
export const stockChanged = {
  name: "catalog.stock_changed",
  data: z.object({ ...product, before: z.number(), after: z.number() }),
};
/** There were none, and there are some. */
export const backInStock = {
  name: "catalog.back_in_stock",
  data: z.object({ ...product, stock: z.number() }),
};
