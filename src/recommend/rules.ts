// To bring somebody back we first remind them of what they used to buy and is due again, then show what people who buy
// like them buy; never anything twice, nothing that may not be sold, and always with the reason.
import { fitAlike, suggest, type Alike } from "./model/alike.ts";
import {
  byText,
  dayNumber,
  histories,
  isoDay,
  type History,
  type Purchase,
} from "./model/history.ts";
import { due, fitReplenish, type Due, type Replenish } from "./model/replenish.ts";

export { histories };
export type { History, Purchase };
/** What is learned from the shop's purchases: plain data, that can be stored as JSON. */
export type Taste = { today: string; replenish: Replenish; alike: Alike };

/** Bought on `times` days, the last on `lastDay`; usually again after so many days, eight of ten between the two. */
type AgainReason = {
  times: number;
  lastDay: string;
  usualGapDays: number;
  dueDay: string;
  earliestDay: string;
  latestDay: string;
};
/** `both` of the `buyers` of `sku`, which the person bought, bought this as well. */
type AlikeReason = { sku: string; both: number; buyers: number };
export type Pick =
  | { sku: string; kind: "again"; score: number; reason: AgainReason }
  | { sku: string; kind: "alike"; score: number; reason: AlikeReason };

/** A season: how far ahead a purchase still counts as brought back. */
const HORIZON_DAYS = 91;
/** Below this a good that is new to the person is as good a guess: seen on the season before the demo's own. */
const LEAST_CHANCE = 0.05;

/**
 * Postage, fees and manual corrections are lines of an invoice but nothing to recommend. Where a shop's codes are
 * numbered (most of them hold two digits or more), a code that is not is taken for one of those; where a shop names
 * its goods in words, every code is a good.
 */
export function goodsOnly(skus: Iterable<string>): Set<string> {
  const all = [...new Set(skus)];
  const numbered = all.filter((sku) => /\d.*\d/.test(sku));
  return new Set(numbered.length * 2 > all.length ? numbered : all);
}

/** Learns from all purchases up to and with `today`, an ISO day; later ones are passed over. */
export function learn(
  purchases: readonly Purchase[],
  { today, horizonDays = HORIZON_DAYS }: { today: string; horizonDays?: number },
): Taste {
  const known = purchases.filter(({ day }) => day <= today);
  const goods = goodsOnly(known.map(({ sku }) => sku));
  const people = histories(known.filter(({ sku }) => goods.has(sku)));
  const now = dayNumber(today);
  return {
    today,
    replenish: fitReplenish(people, { today: now, horizonDays }),
    alike: fitAlike(people, { today: now }),
  };
}

const again = ({ sku, chance, times, usualGapDays, ...days }: Due): Pick => ({
  sku,
  kind: "again",
  score: chance,
  reason: {
    times,
    lastDay: isoDay(days.lastDay),
    usualGapDays,
    dueDay: isoDay(days.dueDay),
    earliestDay: isoDay(days.earliestDay),
    latestDay: isoDay(days.latestDay),
  },
});

/**
 * The `k` goods most likely to bring this person back: those due again by their chance, then those alike by nearness;
 * equal ones in order of sku. Scores compare within a kind only. `today` is an ISO day, that of the learning unless
 * given; `allowed` says which goods may be offered at all, such as those in stock.
 */
export function picks(
  taste: Taste,
  person: History,
  options: { k: number; today?: string; allowed?: (sku: string) => boolean },
): Pick[] {
  const { k, today: day = taste.today, allowed = () => true } = options;
  const today = dayNumber(day);
  const sold = (sku: string): boolean => Object.hasOwn(taste.replenish.goods, sku) && allowed(sku);
  const dueAgain = person.goods
    .filter(({ sku }) => sold(sku))
    .map((bought) => due(taste.replenish, bought, today))
    .filter(({ earliestDay, chance }) => earliestDay <= today && chance >= LEAST_CHANCE)
    .toSorted((a, b) => b.chance - a.chance || byText(a.sku, b.sku))
    .slice(0, k)
    .map(again);
  const rest = k - dueAgain.length;
  if (rest <= 0) return dueAgain;
  const alike = suggest(taste.alike, person, { k: rest, allowed: sold }).map(
    ({ sku, score, because }): Pick => ({ sku, kind: "alike", score, reason: because }),
  );
  return [...dueAgain, ...alike];
}
