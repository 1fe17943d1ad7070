// Bought again at the right time: when a good that somebody has bought is due once more, and how likely it is to be
// bought within the horizon. Both are learned from this shop's own people: the gap from how they bought before, the
// chance by standing one horizon ago and looking at who had bought again by today.
import type { Bought, History } from "./history.ts";
import { fitTiming, logGaps, shrunk } from "./timing.ts";

/** Plain numbers, as stored. `log` fields are natural logarithms; `odds` are added to `base`, a log-odds. */
export type Replenish = {
  horizonDays: number;
  /** A good without gaps of its own, and how firmly a good's mean holds against a person's own gaps. */
  logGap: number;
  pull: number;
  /** Standard deviation of one log-gap of somebody we know nothing more of. */
  spread: number;
  base: number;
  timesOdds: number[];
  timingOdds: number[];
  goods: Record<string, { logGap: number; odds: number }>;
};
export type Due = {
  sku: string;
  times: number;
  lastDay: number;
  usualGapDays: number;
  dueDay: number;
  /** Eight of ten repurchases come between these days. */
  earliestDay: number;
  latestDay: number;
  /** Of being bought within the horizon: an order of merit first, and only roughly a share. */
  chance: number;
};

const TIMES = 5;
/** Elapsed time as a multiple of the usual gap. */
const TIMING = [0.25, 0.5, 1, 1.5, 2, 3] as const;
/** So many cases the rest of the shop counts for, beside a good's own. */
const PRIOR = 20;
/** The middle eight tenths of the bell. */
const Z80 = 1.2815515655446004;

const timesAt = (days: readonly number[]): number => Math.min(TIMES, days.length) - 1;
const timingAt = (ratio: number): number => TIMING.filter((edge) => ratio >= edge).length;
const logit = (p: number): number => Math.log(p / (1 - p));
const round = (x: number): number => Math.round(x * 1e6) / 1e6; // stored small, and equal on every machine

type Seen = { again: number; of: number };
const none = (): Seen => ({ again: 0, of: 0 });
const see = (seen: Seen, again: boolean): void => {
  seen.of++;
  if (again) seen.again++;
};

/** `today` and all days are day numbers; `horizonDays` is how far ahead a purchase still counts. */
export function fitReplenish(
  people: readonly History[],
  { today, horizonDays }: { today: number; horizonDays: number },
): Replenish {
  const gaps = new Map<string, number[]>();
  for (const { goods } of people)
    for (const { sku, days } of goods) {
      const own = gaps.get(sku) ?? [];
      if (own.length === 0) gaps.set(sku, own);
      for (const gap of logGaps(days)) own.push(gap);
    }
  const skus = [...gaps.keys()].toSorted();
  const shop = fitTiming(skus.map((sku) => gaps.get(sku)!));
  const means = new Map(skus.map((sku) => [sku, shrunk(gaps.get(sku)!, shop.centre, shop.pull)]));
  const off = people.flatMap(({ goods }) =>
    goods
      .filter(({ days }) => days.length > 1)
      .map(({ sku, days }) => logGaps(days).map((gap) => gap - means.get(sku)!)),
  );
  const pair = fitTiming(off);

  const then = today - horizonDays;
  const all = none();
  const times = Array.from({ length: TIMES }, none);
  const timing = Array.from({ length: TIMING.length + 1 }, none);
  const byGood = new Map(skus.map((sku) => [sku, { ...none(), now: 0 }]));
  for (const { goods } of people)
    for (const { sku, days } of goods) {
      const before = days.filter((day) => day < then);
      const again = days.at(-1)! >= then;
      const good = byGood.get(sku)!;
      if (again) good.now++;
      if (before.length === 0) continue;
      const gap = Math.exp(shrunk(logGaps(before), means.get(sku)!, pair.pull));
      const ratio = (then - before.at(-1)!) / gap;
      for (const seen of [all, times[timesAt(before)]!, timing[timingAt(ratio)]!, good])
        see(seen, again);
    }
  const base = (all.again + 1) / (all.of + 10);
  const odds = ({ again, of }: Seen, prior = base): number =>
    round(logit((again + PRIOR * prior) / (of + PRIOR)) - logit(base));
  // What a good's sales of late suggest before its repeat buyers are counted: as the whole shop's, on average.
  let sold = 0;
  for (const { now, of } of byGood.values()) sold += now * of;
  const scale = sold === 0 ? 0 : (base * all.of) / sold;
  const suggested = (now: number): number => Math.min(0.9, Math.max(base / 20, now * scale));

  return {
    horizonDays,
    logGap: round(shop.centre),
    pull: round(pair.pull),
    spread: round(Math.sqrt(pair.within + pair.between)),
    base: round(logit(base)),
    timesOdds: times.map((seen) => odds(seen)),
    timingOdds: timing.map((seen) => odds(seen)),
    goods: Object.fromEntries(
      skus.map((sku) => {
        const good = byGood.get(sku)!;
        const prior = scale === 0 ? base : suggested(good.now);
        return [sku, { logGap: round(means.get(sku)!), odds: odds(good, prior) }];
      }),
    ),
  };
}

/** When a person's good is due, and how likely it is bought within the horizon from `today`. */
export function due(model: Replenish, { sku, days }: Bought, today: number): Due {
  const good = Object.hasOwn(model.goods, sku) ? model.goods[sku] : undefined;
  const logGap = shrunk(logGaps(days), good?.logGap ?? model.logGap, model.pull);
  const lastDay = days.at(-1)!;
  const after = (log: number): number => lastDay + Math.max(1, Math.round(Math.exp(log)));
  const score =
    model.base +
    (good?.odds ?? 0) +
    model.timesOdds[timesAt(days)]! +
    model.timingOdds[timingAt((today - lastDay) / Math.exp(logGap))]!;
  return {
    sku,
    times: days.length,
    lastDay,
    usualGapDays: Math.max(1, Math.round(Math.exp(logGap))),
    dueDay: after(logGap),
    earliestDay: after(logGap - Z80 * model.spread),
    latestDay: after(logGap + Z80 * model.spread),
    chance: round(1 / (1 + Math.exp(-score))),
  };
}
