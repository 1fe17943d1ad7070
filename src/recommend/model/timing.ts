// When somebody will want the same again: their own usual gap, drawn towards everybody's the more, the fewer gaps of
// their own we have seen. Gaps are averaged as logarithms, so that one long holiday does not double the answer.

/** What the gaps of many groups (people, or goods) say about one more: means of log-days and how firmly they hold. */
export type Timing = {
  /** The middle of the groups' mean log-gaps. */
  centre: number;
  /** Variance of log-gaps within a group, and of the groups' true means. */
  within: number;
  between: number;
  /** So many gaps the centre counts for beside a group's own. */
  pull: number;
};

/** A centre never outweighs more than this, so that a model is plain numbers even where all groups are alike. */
const MOST_PULL = 1_000;
/** With hardly any gaps at all: a month, give or take a factor of two, and the centre counting for two gaps. */
const UNKNOWN: Timing = { centre: Math.log(30), within: 0.5, between: 0.25, pull: 2 };

const sum = (values: readonly number[]): number =>
  values.reduce((total, value) => total + value, 0);

/**
 * Method-of-moments estimate of a one-way random effects model (Searle, Casella and McCulloch 1992, ch. 3.6), then
 * the groups' mean weighted by 1/(between + within/n). `groups` are log-gaps; empty groups are passed over.
 */
export function fitTiming(groups: readonly (readonly number[])[]): Timing {
  const full = groups.filter((group) => group.length > 0);
  const count = sum(full.map((group) => group.length));
  const freedom = count - full.length;
  if (full.length < 2 || freedom < 2) {
    const all = full.flat();
    return all.length < 2 ? UNKNOWN : { ...UNKNOWN, centre: sum(all) / all.length };
  }
  const means = full.map((group) => sum(group) / group.length);
  const grand = sum(full.map(sum)) / count;
  const inside = sum(full.map((group, i) => sum(group.map((x) => (x - means[i]!) ** 2))));
  const outside = sum(full.map((group, i) => group.length * (means[i]! - grand) ** 2));
  const within = Math.max(inside / freedom, 1e-6);
  const typicalSize =
    (count - sum(full.map((group) => group.length ** 2)) / count) / (full.length - 1);
  const between = Math.max(0, (outside / (full.length - 1) - within) / Math.max(typicalSize, 1e-9));
  const weights = full.map((group) => 1 / (between + within / group.length));
  const centre = sum(weights.map((weight, i) => weight * means[i]!)) / sum(weights);
  return { centre, within, between, pull: Math.min(MOST_PULL, within / Math.max(between, 1e-9)) };
}

/** The mean log-gap to expect of a group with these log-gaps of its own. */
export const shrunk = (own: readonly number[], centre: number, pull: number): number =>
  (sum(own) + pull * centre) / (own.length + pull);

/** Log-gaps of ascending days. Days are whole and each comes once, so no gap is below one day. */
export const logGaps = (days: readonly number[]): number[] =>
  days.slice(1).map((day, i) => Math.log(day - days[i]!));
