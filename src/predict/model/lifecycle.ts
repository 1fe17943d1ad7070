// A customer is new after the first purchase, active while the silence is usual for this shop, dormant when most who
// come back would have been back, lost when nearly all would. What is usual is learned from the shop's own gaps between
// purchase days, by category where a category has gaps enough.
import { addDays, dayOf, daysBetween, instantOf } from "#kernel/clock.ts";
import { backBy, dayBackBy, kaplanMeier, longestGap, noGaps, returnChance } from "./survival.ts";
import type { Curve, GapCounts } from "./survival.ts";

export const stages = ["new", "active", "dormant", "lost"] as const;
export type Stage = (typeof stages)[number];

/** Shares of those who come back: half of the second purchases, 80 % and 95 % of all returns. */
export const levels = { new: 0.5, dormant: 0.8, lost: 0.95 };
/** With fewer closed gaps nothing is learned: at 50 the 80 % point is known to ±6 percentage points, at 100 to ±4. */
export const fewestClosed = { shop: 50, category: 100 };
/** The time ahead in which a silent customer's chance to come back is told. */
export const returnWithinDays = 90;

/** All gaps, and apart from them those after a first purchase (second purchase or none yet). */
export type Gaps = { all: GapCounts; first: GapCounts };

/**
 * The gaps of many customers at the start of ISO day `today`. Each customer: distinct ISO purchase days, ascending.
 * Every two neighbouring days make a closed gap; the days since the last one, up to yesterday, an open gap. One-time
 * buyers have that alone. Days from `today` on are not read.
 */
export function gapsOf(customers: Iterable<readonly string[]>, today: string): Gaps {
  const gaps: Gaps = { all: noGaps(), first: noGaps() };
  const add = (kind: keyof GapCounts, days: number, isFirst: boolean): void => {
    const day = Math.min(longestGap, days);
    gaps.all[kind][day]! += 1;
    if (isFirst) gaps.first[kind][day]! += 1;
  };
  for (const days of customers) {
    let last: string | undefined;
    let seen = 0;
    for (const day of days) {
      if (day >= today) break;
      if (last !== undefined) add("closed", daysBetween(last, day), seen === 1);
      last = day;
      seen += 1;
    }
    if (last !== undefined) add("open", daysBetween(last, today) - 1, seen === 1);
  }
  return gaps;
}

/**
 * When a silent customer changes stage, in whole days since the last purchase. Undefined where the shop's past cannot
 * tell yet; then nobody reaches that stage.
 */
export type Thresholds = {
  /** A one-time buyer is new up to this day: half of those who buy a second time have. Never beyond `dormantAfterDays`. */
  newForDays?: number | undefined;
  dormantAfterDays?: number | undefined;
  lostAfterDays?: number | undefined;
  /** Whose gaps these are: the whole shop's, or one category's. */
  from: "shop" | { category: string };
  curve: Curve;
};

function thresholdsOf(gaps: Gaps, fewest: number, from: Thresholds["from"]): Thresholds {
  const curve = kaplanMeier(gaps.all);
  const enough = curve.closed >= fewest;
  const dormantAfterDays = enough ? dayBackBy(curve, levels.dormant) : undefined;
  const lost = enough ? dayBackBy(curve, levels.lost) : undefined;
  const first = kaplanMeier(gaps.first);
  const second =
    (first.closed >= fewest ? dayBackBy(first, levels.new) : undefined) ??
    (enough ? dayBackBy(curve, levels.new) : undefined);
  return {
    newForDays:
      second === undefined ? dormantAfterDays : Math.min(second, dormantAfterDays ?? second),
    dormantAfterDays,
    // Two levels may fall on one day where all gaps are alike; dormant still comes before lost.
    lostAfterDays:
      lost === undefined || dormantAfterDays === undefined
        ? undefined
        : Math.max(lost, dormantAfterDays + 1),
    from,
    curve,
  };
}

/** Plain data: goes through JSON unchanged. */
export type LearnedStages = { shop: Thresholds; byCategory: Record<string, Thresholds> };

/** The shop's thresholds, and those of each category that has at least 100 closed gaps and all three of its own. */
export function learn(
  shop: Gaps,
  byCategory: ReadonlyMap<string, Gaps> = new Map(),
): LearnedStages {
  const own: [string, Thresholds][] = [];
  for (const [category, gaps] of byCategory) {
    const found = thresholdsOf(gaps, fewestClosed.category, { category });
    if (found.newForDays !== undefined && found.lostAfterDays !== undefined)
      own.push([category, found]);
  }
  return {
    shop: thresholdsOf(shop, fewestClosed.shop, "shop"),
    byCategory: Object.fromEntries(own),
  };
}

export const thresholdsFor = (learned: LearnedStages, category?: string): Thresholds =>
  category !== undefined && Object.hasOwn(learned.byCategory, category)
    ? learned.byCategory[category]!
    : learned.shop;

/** The numbers behind a stage, for the sentence that explains it. */
export type StageWhy = {
  purchaseDays: number;
  silentDays: number;
  newForDays: number | undefined;
  dormantAfterDays: number | undefined;
  lostAfterDays: number | undefined;
  from: Thresholds["from"];
  /** Of those who come back, the share (0…1) that was back after as long a silence. */
  backByNow: number;
  /** The chance to come back within the next 90 days, where people were watched for so long. */
  returnChance: number | undefined;
  /** The silence that the current run of purchases ended, where it was longer than usual: they came back. */
  cameBackAfterDays: number | undefined;
};

export type StageOf = {
  stage: Stage;
  /** The ISO day on which this stage began, by the thresholds now in force. */
  sinceDay: string;
  why: StageWhy;
  /** The instant at which the stage changes if they buy nothing until then; undefined if it never does. */
  nextChangeAt: Date | undefined;
};

/**
 * The stage of a customer who bought on `days` (distinct ISO days, ascending, at least one) at an instant. Days are the
 * shop's; a stage changes at the start of a day there. Purchases after `now` are not read.
 */
export function stageOf(
  days: readonly string[],
  thresholds: Thresholds,
  now: Date,
  timeZone: string,
): StageOf {
  const today = dayOf(now, timeZone);
  let count = days.length;
  while (count > 1 && days[count - 1]! > today) count -= 1;
  const first = days[0]!;
  const last = days[count - 1]!;
  const silentDays = Math.max(0, daysBetween(last, today));
  const {
    newForDays = Infinity,
    dormantAfterDays = Infinity,
    lostAfterDays = Infinity,
  } = thresholds;
  const startOf = startOfRun(days, count, dormantAfterDays);
  const cameBack = startOf > 0 ? daysBetween(days[startOf - 1]!, days[startOf]!) : undefined;

  const answer = (stage: Stage, sinceDay: string, lastsDays: number): StageOf => ({
    stage,
    sinceDay,
    why: {
      purchaseDays: count,
      silentDays,
      newForDays: thresholds.newForDays,
      dormantAfterDays: thresholds.dormantAfterDays,
      lostAfterDays: thresholds.lostAfterDays,
      from: thresholds.from,
      backByNow: backBy(thresholds.curve, silentDays),
      returnChance: returnChance(thresholds.curve, silentDays, returnWithinDays),
      cameBackAfterDays: cameBack,
    },
    nextChangeAt: Number.isFinite(lastsDays)
      ? instantOf(`${addDays(last, lastsDays + 1)}T00:00`, timeZone)
      : undefined,
  });

  if (silentDays > lostAfterDays) return answer("lost", addDays(last, lostAfterDays + 1), Infinity);
  if (silentDays > dormantAfterDays)
    return answer("dormant", addDays(last, dormantAfterDays + 1), lostAfterDays);
  if (count === 1 && silentDays <= newForDays)
    // Where both end on one day, new turns straight into dormant.
    return answer("new", first, newForDays);
  if (startOf > 0) return answer("active", days[startOf]!, dormantAfterDays);
  const newUntil = Number.isFinite(newForDays) ? addDays(first, newForDays + 1) : undefined;
  const second = count > 1 ? days[1]! : undefined;
  const since = [newUntil, second].filter((day) => day !== undefined).toSorted()[0] ?? first;
  return answer("active", since, dormantAfterDays);
}

/** Where the current run of purchases starts: behind the last gap that was long enough to make them dormant. */
function startOfRun(days: readonly string[], count: number, dormantAfterDays: number): number {
  let at = count - 1;
  while (at > 0 && daysBetween(days[at - 1]!, days[at]!) <= dormantAfterDays) at -= 1;
  return at;
}
