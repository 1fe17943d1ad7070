// How somebody buys and whether they pass on what they like, from what they did in a year. Each tag compares what they did
// with what is to be expected of anybody who had the same occasions, and says "high", "medium" or "low":
//
//   ratio = (observed + k) / (expected + k), k = 2; high from 1.5, low to 1/1.5.
//
// That is the mean of a Gamma(k, k) prior on the ratio after a Poisson count (Gelman et al., Bayesian Data Analysis, 3rd
// ed., section 2.6): whoever did little stays near 1, so that three lines make nobody a bargain hunter.
// - price_sensitivity: lines bought at least 5 % below the product's usual price, and coupons used; expected of each line
//   what share of that product's sales came so, and of each coupon that was used or ran out what share of all was used.
// - share_willingness: products and carts shared and invitations sent; expected of each week since we know them (a year at
//   most) what everybody sends in a week.
// - brand_loyalty: the chance that two of their lines are of one brand, Σ n(n−1) / N(N−1) (Simpson 1949), drawn towards
//   that of any two lines of the shop as if three pairs of those had been seen; high from 0.6, low below 0.25.
// Where the data cannot tell, nothing is said: fewer than 5 lines and coupons, fewer than 3 lines whose brand is known,
// fewer than 4 weeks, or nothing of the kind in the whole shop.

export const behaviourTags = ["price_sensitivity", "brand_loyalty", "share_willingness"] as const;
export type BehaviourTag = (typeof behaviourTags)[number];
export type Level = "high" | "medium" | "low";

/** What the whole shop does. */
export type Shop = {
  /** Of coupons that were used or ran out, the share that was used. */
  couponRate: number;
  /** Shares and invitations a person sends in a week. */
  sharesPerWeek: number;
  /** The chance that two lines are of one brand. */
  brandChance: number;
};
/** What one person did in a year. */
export type Deeds = {
  lines: number; // whose product has a usual price
  reduced: number;
  expectedReduced: number;
  couponsOver: number; // used or run out
  couponsUsed: number;
  brandLines: number;
  sameBrandPairs: number; // ordered pairs: n(n−1) of each brand
  shares: number;
  weeks: number;
};
export type Said = {
  tag: BehaviourTag;
  value: Level;
  confidence: number;
  /** The figures that the sentence is made of. */
  reason: Record<string, number>;
};

/** Names of events by which somebody passes on what they like. */
export const shareNames = ["Product Shared", "Cart Shared", "Invite Sent"];
export const yearDays = 365;
/** A price this far below the usual one is a reduced one, in hundredths of it. */
export const reducedTo = 95;
/** A product with fewer sales has no usual price. */
export const salesFor = 5;

const k = 2;
const two = (value: number) => Math.round(value * 100) / 100;
export const ratioOf = (observed: number, expected: number): number =>
  (observed + k) / (expected + k);
export const levelOf = (ratio: number): Level =>
  ratio >= 1.5 ? "high" : ratio <= 1 / 1.5 ? "low" : "medium";

export function saidOf(of: Deeds, shop: Shop): Said[] {
  const said: Said[] = [];
  const expected = of.expectedReduced + of.couponsOver * shop.couponRate;
  const occasions = of.lines + of.couponsOver;
  if (occasions >= 5 && expected > 0) {
    const ratio = ratioOf(of.reduced + of.couponsUsed, expected);
    said.push({
      ...{ tag: "price_sensitivity", value: levelOf(ratio) },
      confidence: two(occasions / (occasions + 5)),
      reason: {
        ...{ pricedLines: of.lines, reducedLines: of.reduced },
        ...(of.couponsOver > 0 ? { couponsOver: of.couponsOver, couponsUsed: of.couponsUsed } : {}),
        ratio: two(ratio),
      },
    });
  }
  if (of.brandLines >= 3) {
    const pairs = of.brandLines * (of.brandLines - 1);
    const chance = (of.sameBrandPairs + 3 * shop.brandChance) / (pairs + 3);
    said.push({
      ...{ tag: "brand_loyalty", value: chance >= 0.6 ? "high" : chance < 0.25 ? "low" : "medium" },
      confidence: two(of.brandLines / (of.brandLines + 5)),
      reason: {
        brandLines: of.brandLines,
        sameBrandPercent: Math.round(100 * chance),
        shopBrandPercent: Math.round(100 * shop.brandChance),
      },
    });
  }
  const weeks = Math.floor(of.weeks);
  if (weeks >= 4 && shop.sharesPerWeek > 0) {
    const ratio = ratioOf(of.shares, weeks * shop.sharesPerWeek);
    said.push({
      ...{ tag: "share_willingness", value: levelOf(ratio) },
      confidence: two(weeks / (weeks + 8)),
      reason: { shares: of.shares, weeks, ratio: two(ratio) },
    });
  }
  return said;
}
