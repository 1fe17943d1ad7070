// How long people take to come back, when many have not come back yet: a purchase gap that is still open says only
// "longer than this". Kaplan & Meier, "Nonparametric Estimation from Incomplete Observations", JASA 53 (1958).

/** Counts of gaps by whole days: `closed[d]` ended by a purchase after d days, `open[d]` last d days without one so far. */
export type GapCounts = { closed: Float64Array; open: Float64Array };

export type Curve = {
  /** Share of gaps that ended by a purchase within d days, d = 0, 1, …, `watchedDays`; never falls. */
  back: number[];
  /** The last day on which at least `fewestWatched` gaps were still open: further out the curve is noise. */
  watchedDays: number;
  closed: number;
  open: number;
};

const fewestWatched = 30;
/** Ten years: a longer gap counts as this long. */
export const longestGap = 3650;

export const noGaps = (): GapCounts => ({
  closed: new Float64Array(longestGap + 1),
  open: new Float64Array(longestGap + 1),
});

const total = (counts: Float64Array): number => counts.reduce((sum, n) => sum + n, 0);

/**
 * The product-limit estimate (eq. 2a there): S(d) = Π over days up to d of 1 − closed/at risk. A gap that is cut off on
 * the day another one ends was still at risk on that day.
 */
export function kaplanMeier({ closed, open }: GapCounts): Curve {
  let atRisk = total(closed) + total(open);
  let stillOut = 1;
  const back: number[] = [];
  for (let day = 0; day < closed.length && atRisk >= fewestWatched; day += 1) {
    stillOut *= 1 - closed[day]! / atRisk;
    back.push(1 - stillOut);
    atRisk -= closed[day]! + open[day]!;
  }
  return {
    back,
    watchedDays: Math.max(0, back.length - 1),
    closed: total(closed),
    open: total(open),
  };
}

/** Of those who come back within the watched days, the share that is back by day d. */
export function backBy(curve: Curve, day: number): number {
  const most = curve.back[curve.watchedDays] ?? 0;
  const at = curve.back[Math.min(Math.max(0, day), curve.watchedDays)] ?? 0;
  return most > 0 ? at / most : 0;
}

/** The chance to come back within `within` days after `silent` days without a purchase; undefined beyond what was watched. */
export function returnChance(curve: Curve, silent: number, within: number): number | undefined {
  if (silent + within > curve.watchedDays) return undefined;
  const out = 1 - curve.back[silent]!;
  return out > 0 ? (curve.back[silent + within]! - curve.back[silent]!) / out : undefined;
}

/**
 * The first day by which `level` (0…1) of those who come back are back. It stands only where people were watched for
 * at least a third longer than that (day ≤ ¾ of the watched days): a shop of two months cannot know who returns after
 * three, and its early returners would pass for all. Otherwise undefined.
 */
export function dayBackBy(curve: Curve, level: number): number | undefined {
  for (let day = 0; day <= 0.75 * curve.watchedDays; day += 1)
    if (backBy(curve, day) >= level) return day;
  return undefined;
}
