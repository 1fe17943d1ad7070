// RFM: how recently, how often and for how much somebody bought, each as a score from 1 to 5 within this shop.
// Scores and named segments follow the R package `rfm` (Hebbali), so that figures can be compared with it.

/** One customer: days since the last purchase, number of orders, and what they came to, in any one unit of money. */
export type Bought = { recencyDays: number; orders: number; amount: number };
/** The four inner bounds of each scale, ascending. A value on a bound belongs to the upper side. */
export type Cuts = { recencyDays: number[]; orders: number[]; amount: number[] };
/** Each 1 to 5; 5 is the most recent, the most often, the most money. */
export type Scores = { r: number; f: number; m: number };

/** The q-quantile of ascending values, linear between neighbours (Hyndman & Fan 1996, type 7: R's default). */
export function quantile(ascending: ArrayLike<number>, q: number): number {
  const at = q * (ascending.length - 1);
  const below = Math.floor(at);
  const low = ascending[below]!;
  const high = ascending[Math.min(below + 1, ascending.length - 1)]!;
  return low + (at - below) * (high - low);
}

const fifths = [0.2, 0.4, 0.6, 0.8];

/**
 * Bounds by the shop's own fifths: each quantile plus 1, as in the R package. The 1 is one day, one order and one unit
 * of whatever money `amount` is in, so that a customer at the quantile stays below the bound. Undefined with nobody.
 */
export function cutsByQuantile(customers: readonly Bought[]): Cuts | undefined {
  if (customers.length === 0) return undefined;
  const bounds = (of: (one: Bought) => number): number[] => {
    const ascending = Float64Array.from(customers, of).sort();
    return fifths.map((q) => quantile(ascending, q) + 1);
  };
  return {
    recencyDays: bounds((one) => one.recencyDays),
    orders: bounds((one) => one.orders),
    amount: bounds((one) => one.amount),
  };
}

const rank = (value: number, cuts: readonly number[]): number =>
  1 + cuts.filter((cut) => value >= cut).length;

/** Scores by learned bounds or by bounds the shop fixed itself. */
export const scoresOf = (one: Bought, cuts: Cuts): Scores => ({
  r: 6 - rank(one.recencyDays, cuts.recencyDays),
  f: rank(one.orders, cuts.orders),
  m: rank(one.amount, cuts.amount),
});

/** From `least` on, `below` not included; undefined is open. */
export type Range = { least: number | undefined; below: number | undefined };

const range = (score: number, cuts: readonly number[]): Range => ({
  least: cuts[score - 2],
  below: cuts[score - 1],
});
/** The same as whole numbers, both included. */
const whole = ({
  least,
  below,
}: Range): { least: number | undefined; most: number | undefined } => ({
  least: least === undefined ? undefined : Math.ceil(least),
  most: below === undefined ? undefined : Math.ceil(below) - 1,
});

/** What the scores of a cell mean in this shop: days and orders as whole numbers, both ends included. */
export const explainScores = ({ r, f, m }: Scores, cuts: Cuts) => ({
  recencyDays: whole(range(6 - r, cuts.recencyDays)),
  orders: whole(range(f, cuts.orders)),
  amount: range(m, cuts.amount),
});
type CellMeaning = ReturnType<typeof explainScores>;

/** One square of the matrix of recency against frequency. */
export type Cell = {
  r: number;
  f: number;
  people: number;
  orders: number;
  amount: number;
  recencyDays: CellMeaning["recencyDays"];
  orderCount: CellMeaning["orders"];
};

/** The 25 squares, r and f from 5 down to 1; nobody is left out and nobody counted twice. */
export function matrix(customers: readonly Bought[], cuts: Cuts): Cell[] {
  const cells: Cell[] = [];
  for (let r = 5; r >= 1; r -= 1)
    for (let f = 5; f >= 1; f -= 1) {
      const meaning = explainScores({ r, f, m: 1 }, cuts);
      const { recencyDays, orders: orderCount } = meaning;
      cells.push({ r, f, people: 0, orders: 0, amount: 0, recencyDays, orderCount });
    }
  for (const one of customers) {
    const { r, f } = scoresOf(one, cuts);
    const cell = cells[(5 - r) * 5 + (5 - f)]!;
    cell.people += 1;
    cell.orders += one.orders;
    cell.amount += one.amount;
  }
  return cells;
}

type Bounds = readonly [from: number, to: number];
/**
 * Named segments, the first that fits counts: bounds of r, then of f and m alike, both ends included. The bounds are
 * the R package's. It asks for potential loyalists before new and promising ones and for at risk before can't lose,
 * which leaves those three without anybody; here the narrower comes first.
 */
const named = [
  ["champions", [4, 5], [4, 5]],
  ["loyal", [2, 5], [3, 5]],
  ["new", [4, 5], [1, 1]],
  ["promising", [3, 4], [1, 1]],
  ["potential_loyalist", [3, 5], [1, 3]],
  ["need_attention", [2, 3], [2, 3]],
  ["about_to_sleep", [2, 3], [1, 2]],
  ["cant_lose", [1, 1], [4, 5]],
  ["at_risk", [1, 2], [2, 5]],
  ["lost", [1, 2], [1, 2]],
] as const satisfies readonly (readonly [string, Bounds, Bounds])[];

export type RfmSegment = (typeof named)[number][0] | "others";
/** In the order in which a shop reads them. */
export const rfmSegments: readonly RfmSegment[] = [...named.map(([name]) => name), "others"];
const within = (score: number, [from, to]: Bounds): boolean => score >= from && score <= to;

/** The named segment; "others" where none fits. */
export const segmentOf = ({ r, f, m }: Scores): RfmSegment =>
  named.find(([, byR, byFm]) => within(r, byR) && within(f, byFm) && within(m, byFm))?.[0] ??
  "others";

export const shopifyGroups = [
  "CHAMPIONS",
  "LOYAL",
  "ACTIVE",
  "NEW",
  "PROMISING",
  "NEEDS_ATTENTION",
  "ALMOST_LOST",
  "PREVIOUSLY_LOYAL",
  "AT_RISK",
  "DORMANT",
  "PROSPECTS",
] as const;
export type ShopifyGroup = (typeof shopifyGroups)[number];

/**
 * The group that a Shopify shop would look for, in the values of its CustomerRfmGroup. Shopify places people by r and
 * by the mean of f and m, and describes each group in words; the bounds here put those words into numbers and are ours.
 * Somebody without an order has no scores and is a prospect.
 */
export function shopifyGroupOf(scores: Scores | undefined): ShopifyGroup {
  if (!scores) return "PROSPECTS";
  const { r } = scores;
  const fm = (scores.f + scores.m) / 2;
  if (r <= 2) {
    if (fm >= 4.5) return "PREVIOUSLY_LOYAL";
    if (fm >= 2.5) return "AT_RISK";
    return r === 2 ? "ALMOST_LOST" : "DORMANT";
  }
  if (fm >= 4) return r === 5 ? "CHAMPIONS" : "LOYAL";
  if (fm >= 2.5) return r === 3 ? "NEEDS_ATTENTION" : "ACTIVE";
  return r === 5 ? "NEW" : "PROMISING";
}
