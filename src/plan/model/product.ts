// A product as a shop tells it: what it is called, what it costs, how many there are.
import { currencyOf, decimal, idOf, whole } from "./values.ts";
import { skuOf, textOf } from "./order.ts";

/** What is not there was not told, and stays as it was. */
export type ProductFigures = {
  sku: string;
  name?: string;
  category?: string;
  brand?: string;
  merchant?: string;
  url?: string;
  image?: string;
  unitPrice?: number; // ten-thousandths of the major unit
  currency?: string;
  stock?: number;
  /** False: postage, a fee, a sample. */
  goods?: boolean;
  /** Not of the shop's catalogue, but of its orders or of what its server showed: learned, where nothing better is known. */
  seen?: true;
};
const stockLimit = 1_000_000_000;

/** An address of the shop's own page or picture, without what follows "?" and "#": that may be a visitor's. */
function addressOf(value: unknown): string | null {
  const text = textOf(value, 2000);
  if (text === null) return null;
  const plain = text.replace(/[?#].*$/s, "");
  return /^https?:\/\/[^\s@]{1,500}$/i.test(plain) || /^\/[^\s@]{0,500}$/.test(plain)
    ? plain
    : null;
}

/** Reads "Product Updated"; or names the property that cannot be what it says. */
export function readProduct(
  said: Record<string, unknown>,
  shop: { currency: string },
): ProductFigures | { unfit: string } {
  const sku = skuOf(said);
  if (sku === null) return { unfit: said["sku"] === undefined ? "product_id" : "sku" };
  const product: ProductFigures = { sku };
  const texts = { name: 500, category: 200, brand: 200 } as const;
  for (const [field, longest] of Object.entries(texts) as [keyof typeof texts, number][]) {
    const value = said[field];
    if (value === undefined || value === null || value === "") continue;
    const text = textOf(value, longest);
    if (text === null) return { unfit: field };
    product[field] = text;
  }
  const { price, stock, merchant, url } = said;
  if (merchant !== undefined && merchant !== null && merchant !== "") {
    const id = idOf(merchant);
    if (id === null) return { unfit: "merchant" };
    product.merchant = id;
  }
  for (const [field, value] of [
    ["url", url],
    ["image", said["image"] ?? said["image_url"]],
  ] as const) {
    if (value === undefined || value === null || value === "") continue;
    const address = addressOf(value);
    if (address === null)
      return { unfit: field === "image" && said["image"] === undefined ? "image_url" : field };
    product[field] = address;
  }
  if (price !== undefined && price !== null && price !== "") {
    const amount = decimal(price);
    if (amount === null || amount < 0) return { unfit: "price" };
    const currency = said["currency"];
    const own =
      currency === undefined || currency === null || currency === ""
        ? shop.currency
        : currencyOf(currency);
    if (own === null) return { unfit: "currency" };
    product.unitPrice = amount;
    product.currency = own;
  }
  if (stock !== undefined && stock !== null && stock !== "") {
    const count = whole(stock);
    if (count === null || Math.abs(count) > stockLimit) return { unfit: "stock" };
    product.stock = count;
  }
  for (const field of ["goods", "seen"] as const) {
    const is = said[field];
    if (is === undefined || is === null) continue;
    if (typeof is !== "boolean") return { unfit: field };
    if (field === "goods") product.goods = is;
    else if (is) product.seen = true;
  }
  return product;
}

/** What the shop's own server shows of a product beside a visitor's behaviour: its name and place, no price, no stock. */
export function seenProduct(said: Record<string, unknown>): ProductFigures | null {
  const sku = skuOf(said);
  const name = textOf(said["name"], 500);
  if (sku === null || name === null) return null;
  const category = textOf(said["category"], 200);
  const brand = textOf(said["brand"], 200);
  return {
    sku,
    name,
    seen: true,
    ...(category ? { category } : {}),
    ...(brand ? { brand } : {}),
  };
}
