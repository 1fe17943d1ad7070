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
/** And so are lines beyond so many minor units: thousands of them must add up to what can still be held. */
const amountLimit = 10_000_000_000_000;
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
  const amountMinor = lineMinor(quantity, unitPrice, shop.digits);
  if (Math.abs(amountMinor) > amountLimit) return { field: "quantity", reason: "out_of_range" };
  const data: LineData = {
    order: text.order,
    kind: kindOf(text.order, quantity, unitPrice, shop.refundPrefix),
    sku: text.sku,
    name: text.name,
    quantity,
    unitPrice,
    amountMinor,
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

/** May a line of these figures be of this kind, as a file says? What only mends stock or books may be anything. */
export const isKindOfLine = (kind: string, { quantity, unitPrice }: LineData): kind is LineKind =>
  kind === "sale"
    ? quantity > 0 && unitPrice > 0
    : kind === "refund"
      ? quantity < 0 && unitPrice > 0
      : kind === "adjustment";

const withOffset = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)$/;
const wall = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?$/;
/** Lines of one order have one time, and the next order's is seldom far: most are read once for many lines. */
const read = new Map<string, Date | null>();
const readLimit = 10_000;
/** An instant with its offset, or the shop's wall; null where it is no time. */
export function readInstant(text: string, timeZone: string): Date | null {
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

// ── orders told whole ────────────────────────────────────────────────────────────────────────────────────────────

/** What one event said of an order, in minor units of its currency. */
export type Told = {
  eventId: string;
  at: Date;
  bucket: number;
  nodeId: string | null;
  kind: "sale" | "refund" | "all" | "cancelled";
  amountMinor: bigint | null;
  lines: ToldLine[] | null;
  foreign: boolean; // in another currency than the shop's: in no figure
};
export type ToldLine = { sku: string; quantity: number; unitPrice: number; amountMinor: number };
/** What the order's own lines, sent one by one, come to. `by` is who sent the first line sold. */
export type Lined = { sales: number; refunds: number; saleMinor: bigint; by: Said | null };
/** An event as whose something counts: its place in time decides whose node it was then. */
export type Said = { eventId: string; at: Date; bucket: number; nodeId: string | null };
/** A line that an order told whole comes to. Number 0 is what no line says: postage and tax, less discounts. */
export type Worked = {
  eventId: string;
  n: number;
  at: Date;
  by: Said;
  sku: string;
  quantity: number;
  unitPrice: number;
  amountMinor: bigint;
  kind: "sale" | "refund";
};

/**
 * What an order comes to, from everything said of it, in whatever order it came in. By (time, id): the last amount and the
 * last products told are the order's; it is dated and owned by the first who told it. Once it is cancelled it counts for
 * nothing, its lines too (`void`), whatever is said of it later. Where a shop sends lines, they are the order, and what
 * is told of the whole adds nothing. A refund of the whole brings back what earlier ones left.
 */
export function foldOrder(told: readonly Told[], lined: Lined): { lines: Worked[]; void: boolean } {
  const inTime = told.toSorted(
    (a, b) => a.at.getTime() - b.at.getTime() || (a.eventId < b.eventId ? -1 : 1),
  );
  if (inTime.some(({ kind }) => kind === "cancelled")) return { lines: [], void: true };
  const sales = inTime.filter(({ kind }) => kind === "sale");
  const [first] = sales;
  const state = sales.findLast(({ amountMinor }) => amountMinor !== null) ?? sales.at(-1);
  const lines: Worked[] = [];
  let saleMinor = lined.saleMinor;
  if (lined.sales === 0 && first && state) {
    saleMinor = state.foreign ? 0n : (state.amountMinor ?? 0n);
    const products = sales.findLast((one) => one.lines !== null)?.lines ?? null;
    if (!state.foreign) lines.push(...worked(first, first, "sale", products, saleMinor));
  }
  if (lined.refunds > 0) return { lines, void: false };
  const by = lined.by ?? first ?? null;
  let back = 0n;
  for (const one of inTime)
    if (one.kind === "refund" && !one.foreign) {
      back += one.amountMinor ?? 0n;
      lines.push(...worked(one, by ?? one, "refund", one.lines, one.amountMinor ?? 0n));
    }
  const whole = inTime.find(({ kind }) => kind === "all");
  if (whole && saleMinor + back > 0n)
    lines.push(...worked(whole, by ?? whole, "refund", null, -saleMinor - back));
  return { lines, void: false };
}
function worked(
  { eventId, at }: Said,
  { eventId: byId, at: byAt, bucket, nodeId }: Said,
  kind: "sale" | "refund",
  lines: readonly ToldLine[] | null,
  amountMinor: bigint,
): Worked[] {
  const by = { eventId: byId, at: byAt, bucket, nodeId };
  const own = { eventId, at, by, kind };
  const sold = (lines ?? []).map((line, i) => ({
    ...{ ...own, n: i + 1, sku: line.sku, quantity: line.quantity, unitPrice: line.unitPrice },
    amountMinor: BigInt(line.amountMinor),
  }));
  const rest = amountMinor - sold.reduce((sum, line) => sum + line.amountMinor, 0n);
  if (rest === 0n && sold.length > 0) return sold;
  return [...sold, { ...own, n: 0, sku: "", quantity: 0, unitPrice: 0, amountMinor: rest }];
}
