// An order told whole, in one event, as figures: what was bought, what it came to, and whether the two agree.
import { lineMinor } from "#kernel/money.ts";
import { currencyOf, decimal, digitsOf, idOf, objectsIn, whole } from "./values.ts";

export type OrderLine = {
  sku: string;
  quantity: number; // negative where it came back
  unitPrice: number; // ten-thousandths of the major unit
  amountMinor: number;
  name?: string;
  category?: string;
};
/** What an order's event comes to, in minor units of its own currency. */
export type OrderFigures = {
  ref: string;
  /** "all": the whole order came back. "cancelled": it counts for nothing. */
  kind: "sale" | "refund" | "all" | "cancelled";
  currency: string;
  /** What the guest pays, or gets back (negative); null where the event says nothing of it. */
  amountMinor: number | null;
  lines: OrderLine[] | null; // null: no products were told
  items: number;
  sums: Partial<Record<Sum, number>>;
  marks: number; // bits of `mark`
};
export const sums = ["subtotal", "revenue", "tax", "shipping", "discount"] as const;
type Sum = (typeof sums)[number];
export const mark = {
  apart: 1, // lines and total disagree by more than a minor unit a line
  foreign: 2, // in another currency than the shop's: kept, and in no figure
} as const;

/** An order is of no more lines: each is numbered within its event, and a person's rows are written in one go. */
const linesLimit = 10_000;
/** Quantities beyond a million are mistakes, not sales. */
const quantityLimit = 1_000_000;
/** A line, or an order's lines together, come to no more minor units: what adds them up must be able to hold them. */
const amountLimit = 10_000_000_000_000;
type Shop = { currency: string };

const kinds: Record<string, OrderFigures["kind"]> = {
  "Order Completed": "sale",
  "Order Updated": "sale",
  "Order Refunded": "refund",
  "Order Cancelled": "cancelled",
};

/** Reads an order's event; or names the property that cannot be what it says, as a path: "products.1.price". */
export function readOrder(
  name: string,
  said: Record<string, unknown>,
  shop: Shop,
): OrderFigures | { unfit: string } {
  const ref = idOf(said["order_id"]);
  if (ref === null) return { unfit: "order_id" };
  const products = said["products"] ?? null;
  const listed = products === null ? null : objectsIn(products);
  if ((products !== null && listed === null) || (listed?.length ?? 0) > linesLimit)
    return { unfit: "products" };
  const told = said["currency"] ?? listed?.find((one) => one["currency"])?.["currency"] ?? null;
  const currency = told === null || told === "" ? shop.currency : currencyOf(told);
  if (currency === null) return { unfit: "currency" };
  const digits = digitsOf(currency);

  const minor: Partial<Record<string, number>> = {};
  for (const field of [...sums, "total", "value"]) {
    const value = said[field];
    if (value === undefined || value === null || value === "") continue;
    const amount = decimal(value);
    if (amount === null || amount < 0) return { unfit: field };
    minor[field] = lineMinor(1, amount, digits);
  }
  const kind = kinds[name]!;
  const sign = kind === "refund" ? -1 : 1;
  const lines: OrderLine[] = [];
  for (const [i, one] of (listed ?? []).entries()) {
    const line = readProductLine(one, sign, digits);
    if ("unfit" in line) return { unfit: `products.${i}.${line.unfit}` };
    lines.push(line);
  }
  const lineSum = lines.reduce((sum, { amountMinor }) => sum + amountMinor, 0);
  if (Math.abs(lineSum) > amountLimit) return { unfit: "products" };
  const extra = (minor["shipping"] ?? 0) + (minor["tax"] ?? 0);
  const net = minor["revenue"] ?? minor["subtotal"] ?? minor["value"];
  const has = lines.length > 0;
  let amountMinor: number | null;
  if (kind === "refund")
    // A refund of products is theirs; one of an amount is that amount; one that says neither is of the whole order.
    amountMinor =
      minor["total"] !== undefined
        ? -minor["total"]
        : has
          ? lineSum
          : net === undefined
            ? null
            : -net;
  else
    amountMinor =
      minor["total"] ??
      (net !== undefined
        ? net + extra
        : has
          ? Math.max(lineSum - (minor["discount"] ?? 0), 0) + extra
          : null);
  if (amountMinor === 0) amountMinor = 0; // no minus zero
  const expected = kind === "refund" ? lineSum : lineSum - (minor["discount"] ?? 0) + extra;
  const apart = has && amountMinor !== null && Math.abs(amountMinor - expected) > lines.length;
  return {
    ref,
    kind: kind === "refund" && amountMinor === null ? "all" : kind,
    currency,
    amountMinor: kind === "cancelled" ? null : amountMinor,
    lines: has && kind !== "cancelled" ? lines : null,
    items: lines.reduce((sum, { quantity }) => sum + quantity, 0),
    sums: Object.fromEntries(
      sums.flatMap((field) => (minor[field] === undefined ? [] : [[field, minor[field]]])),
    ),
    marks: (apart ? mark.apart : 0) | (currency === shop.currency ? 0 : mark.foreign),
  };
}

function readProductLine(
  one: Record<string, unknown>,
  sign: 1 | -1,
  digits: number,
): OrderLine | { unfit: string } {
  const sku = skuOf(one);
  if (sku === null) return { unfit: one["sku"] === undefined ? "product_id" : "sku" };
  const quantity =
    one["quantity"] === undefined || one["quantity"] === null ? 1 : whole(one["quantity"]);
  if (quantity === null || quantity < 0 || quantity > quantityLimit) return { unfit: "quantity" };
  const told = one["price"];
  const unitPrice = told === undefined || told === null || told === "" ? 0 : decimal(told);
  if (unitPrice === null || unitPrice < 0) return { unfit: "price" };
  const amountMinor = lineMinor(sign * quantity, unitPrice, digits) + 0;
  if (Math.abs(amountMinor) > amountLimit) return { unfit: "price" };
  const line: OrderLine = {
    sku,
    quantity: quantity === 0 ? 0 : sign * quantity,
    unitPrice,
    amountMinor,
  };
  const name = textOf(one["name"], 500);
  const category = textOf(one["category"], 200);
  return { ...line, ...(name ? { name } : {}), ...(category ? { category } : {}) };
}
/** A product is known by its stock-keeping unit, the finest there is, and else by the shop's own number of it. */
export const skuOf = (one: Record<string, unknown>): string | null =>
  idOf(one["sku"]) ??
  (one["sku"] === undefined || one["sku"] === null || one["sku"] === ""
    ? idOf(one["product_id"])
    : null);
export const textOf = (value: unknown, longest: number): string | null =>
  typeof value === "string" && value.trim() !== "" && value.isWellFormed() && !value.includes("\0")
    ? value.trim().slice(0, longest)
    : null;
