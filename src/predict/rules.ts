// From the orders so far we say of every customer where they stand (new, active, dormant or lost), how they compare
// with our other customers, and how likely they are to order in the next 90 days. What our orders cannot tell, we do
// not say: where nobody can be seen to drop out, nobody is called alive.
import { addDays, dayOf, daysBetween } from "#kernel/clock.ts";
import { learnBuying, outlook, type Buying, type Outlook } from "./model/buying.ts";
import { fromPurchaseDays } from "./model/histories.ts";
import {
  gapsOf,
  learn as learnStages,
  stageOf,
  thresholdsFor,
  type LearnedStages,
  type Stage,
  type StageOf,
} from "./model/lifecycle.ts";
import {
  cutsByQuantile,
  scoresOf,
  segmentOf,
  shopifyGroupOf,
  type Bought,
  type Cuts,
  type RfmSegment,
  type Scores,
  type ShopifyGroup,
} from "./model/rfm.ts";

export { segmentNames, stageNames } from "./model/names.ts";

/** The time ahead that every chance and expectation is about. */
export const horizonDays = 90;

/** A customer with at least one order. `days`: distinct ISO days of purchase in the shop's zone, ascending. */
export type Buyer = {
  days: readonly string[];
  orders: number;
  amountMinor: number;
  /** What they mostly buy; it chooses the thresholds where that category has its own. */
  category?: string;
};

/** What a shop's own orders teach, as of a day. Plain data: goes through JSON unchanged. */
export type Learned = {
  /** ISO day; of the purchase days only those before it were read. `orders` and `amountMinor` count as handed over. */
  asOf: string;
  buying: Buying;
  stages: LearnedStages;
  /** Undefined where there is no customer. */
  rfmCuts?: Cuts | undefined;
};

export type Prediction = {
  stage: StageOf;
  /** Undefined where there were too few orders to learn from. */
  outlook: Outlook | undefined;
  rfm: { bought: Bought; scores: Scores; segment: RfmSegment; shopify: ShopifyGroup } | undefined;
};

const dayNumber = (day: string): number => daysBetween("1970-01-01", day);

const boughtBy = (buyer: Buyer, today: string): Bought => ({
  recencyDays: Math.max(0, daysBetween(buyer.days.at(-1)!, today)),
  orders: buyer.orders,
  amount: buyer.amountMinor,
});

/**
 * Learns everything at the start of ISO day `today`. `categoryDays` holds, for each category, the purchase days of each
 * customer who bought in it. Cost: two fits over distinct histories (tens of ms for thousands of customers).
 */
export function learnFrom(
  buyers: readonly Buyer[],
  today: string,
  categoryDays: ReadonlyMap<string, readonly (readonly string[])[]> = new Map(),
): Learned {
  const known = buyers
    .map((buyer) => ({ ...buyer, days: buyer.days.filter((day) => day < today) }))
    .filter((buyer) => buyer.days.length > 0);
  const histories = fromPurchaseDays(
    known.map((buyer) => buyer.days.map(dayNumber)),
    dayNumber(today) - 1,
  );
  const gapsByCategory = new Map(
    Array.from(categoryDays, ([category, people]) => [category, gapsOf(people, today)]),
  );
  return {
    asOf: today,
    buying: learnBuying(histories, horizonDays),
    stages: learnStages(
      gapsOf(
        known.map((buyer) => buyer.days),
        today,
      ),
      gapsByCategory,
    ),
    rfmCuts: cutsByQuantile(known.map((buyer) => boughtBy(buyer, today))),
  };
}

/** What is said at an instant of one customer, who bought something by then. Later days are not read. */
export function predictionOf(
  whole: Buyer,
  learned: Learned,
  now: Date,
  timeZone: string,
): Prediction {
  const today = dayOf(now, timeZone);
  const buyer = { ...whole, days: whole.days.filter((day) => day <= today) };
  const bought = boughtBy(buyer, today);
  const scores = learned.rfmCuts && scoresOf(bought, learned.rfmCuts);
  const tx = daysBetween(buyer.days[0]!, buyer.days.at(-1)!);
  // Watched to the end of yesterday, as when the model was learned; a purchase of today counts all the same.
  const watched = Math.max(tx, daysBetween(buyer.days[0]!, addDays(today, -1)));
  return {
    stage: stageOf(buyer.days, thresholdsFor(learned.stages, buyer.category), now, timeZone),
    outlook: outlook(learned.buying, buyer.days.length - 1, tx, watched, horizonDays),
    rfm: scores && {
      bought,
      scores,
      segment: segmentOf(scores),
      shopify: shopifyGroupOf(scores),
    },
  };
}

/** One line of a person's log of stages. `from` is undefined at the first stage. */
export type Transition = { from: Stage | undefined; to: Stage; sinceDay: string };

/** The line to write when a stage is worked out anew; undefined where nothing changed. */
export const transition = (before: Stage | undefined, after: StageOf): Transition | undefined =>
  before === after.stage ? undefined : { from: before, to: after.stage, sinceDay: after.sinceDay };
