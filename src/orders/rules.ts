// A sale is a line of an order: so many of a thing at a price, to somebody or to nobody we know. What comes back is a
// refund and turns the sign. What only mends stock or books is an adjustment, and no guest has spent or got anything by it.
import { instantOf } from "#kernel/clock.ts";
import { lineMinor, parseUnitPrice } from "#kernel/money.ts";

export type LineKind = "sale" | "refund" | "adjustment";
/** One line as a shop tells it, everything as text; a file and the API are read by the same function. */
export type LineText = {
  order: string;
  sku: string;
  name: string;
  quantity: string;
  unitPrice: string;
  at: string; // an instant with its offset, or the shop's wall: "2010-12-01 08:26:00"
  customer: string; // empty: nobody is named
  country: string;
  category: string;
  merchant: string;
};
/** One line as the log holds it. Amounts in minor units, the unit price in ten-thousandths of the major unit. */
export type LineData = {
  order: string;
  kind: LineKind;
  sku: string;
  name: string;
  quantity: number;
  unitPrice: number;
  amountMinor: number;
  currency: string;
  country?: string;
  category?: string;
  merchant?: string;
  goods: boolean;
};
export type Line = { at: Date; customer: string; data: LineData };
export type Unfit = {
  field: keyof LineText;
  reason: "missing" | "too_long" | "not_a_number" | "not_a_time" | "out_of_range" | "bad_text";
};
export type Shop = {
  timeZone: string;
  currency: string;
  digits: number;
  /** An order whose number begins so is a refund: "C" in "C536379". Empty: by the sign of the quantity. */
  refundPrefix: string;
  /** Numbers of lines that are no goods: postage, fees, samples. */
  services: ReadonlySet<string>;
};

const longest: Record<keyof LineText, number> = {
  order: 100,
  sku: 100,
  name: 500,
  quantity: 12,
  unitPrice: 20,
  at: 40,
  customer: 200,
  country: 100,
  category: 200,
  merchant: 100,
};
const needed: (keyof LineText)[] = ["order", "sku", "quantity", "unitPrice", "at"];
/** Quantities beyond a million and prices beyond ten million are mistakes, not sales. */
const quantityLimit = 1_000_000;
const priceLimit = 10_000_000 * 10_000;
const earliest = Date.UTC(1990, 0, 1);
const latest = Date.UTC(2100, 0, 1);

/** Reads one line, or names the field that cannot be read. */
export function readLine(text: LineText, shop: Shop): Line | Unfit {
  for (const field of needed) if (text[field] === "") return { field, reason: "missing" };
  for (const field in longest) {
    const value = text[field as keyof LineText];
    if (value.length > longest[field as keyof LineText])
      return { field: field as keyof LineText, reason: "too_long" };
    if (value.includes("\0") || !value.isWellFormed())
      return { field: field as keyof LineText, reason: "bad_text" };
  }
  if (!/^[+-]?\d+$/.test(text.quantity)) return { field: "quantity", reason: "not_a_number" };
  const quantity = Number(text.quantity);
  if (Math.abs(quantity) > quantityLimit) return { field: "quantity", reason: "out_of_range" };
  const unitPrice = parseUnitPrice(text.unitPrice);
  if (unitPrice === null) return { field: "unitPrice", reason: "not_a_number" };
  if (Math.abs(unitPrice) > priceLimit) return { field: "unitPrice", reason: "out_of_range" };
  const at = readInstant(text.at, shop.timeZone);
  if (at === null) return { field: "at", reason: "not_a_time" };
  if (at.getTime() < earliest || at.getTime() >= latest)
    return { field: "at", reason: "out_of_range" };
  const data: LineData = {
    order: text.order,
    kind: kindOf(text.order, quantity, unitPrice, shop.refundPrefix),
    sku: text.sku,
    name: text.name,
    quantity,
    unitPrice,
    amountMinor: lineMinor(quantity, unitPrice, shop.digits),
    currency: shop.currency,
    goods: !shop.services.has(text.sku),
  };
  if (text.country !== "") data.country = text.country;
  if (text.category !== "") data.category = text.category;
  if (text.merchant !== "") data.merchant = text.merchant;
  return { at, customer: text.customer, data };
}
export const isUnfit = (read: Line | Unfit): read is Unfit => "reason" in read;

function kindOf(order: string, quantity: number, unitPrice: number, prefix: string): LineKind {
  const refund = prefix === "" ? quantity < 0 : order.startsWith(prefix);
  if (refund) return quantity < 0 && unitPrice > 0 ? "refund" : "adjustment";
  return quantity > 0 && unitPrice > 0 ? "sale" : "adjustment";
}

const withOffset = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)$/;
const wall = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?$/;
/** Lines of one order have one time, and the next order's is seldom far: most are read once for many lines. */
const read = new Map<string, Date | null>();
const readLimit = 10_000;
function readInstant(text: string, timeZone: string): Date | null {
  const key = `${timeZone} ${text}`;
  const had = read.get(key);
  if (had !== undefined) return had;
  if (read.size >= readLimit) read.clear();
  const at = instantIn(text, timeZone);
  read.set(key, at);
  return at;
}
function instantIn(text: string, timeZone: string): Date | null {
  const at = withOffset.test(text)
    ? new Date(text.replace(" ", "T"))
    : wall.test(text)
      ? instantOf(text, timeZone)
      : null;
  if (at === null || Number.isNaN(at.getTime())) return null;
  // "2011-02-30" rolls over to March in JavaScript: a day that was not is no time at all.
  const day = text.slice(0, 10);
  return new Date(`${day}T00:00:00Z`).toISOString().slice(0, 10) === day ? at : null;
}

/** How columns of a file become lines. Nothing here or elsewhere knows a file by its name. */
export type LineMapping = {
  timeZone: string;
  currency: string;
  refundPrefix?: string;
  services?: string[];
  columns: Partial<Record<keyof LineText, string>>;
};
