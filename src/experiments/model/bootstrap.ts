// How far apart two arms could just as well lie: 95 % intervals by resampling people within each arm.
// With a fixed list of people and chance only in who was treated, resampling each arm for itself has Neyman's
// variance (1923; Imbens and Rubin 2015, ch. 6), so the interval also holds for people who were not drawn at random.
import { Z95 } from "./normal.ts";
import { below, generator } from "./random.ts";

/** A difference treated − control, and the bounds of its interval, in the unit that was put in. */
export type Interval = { difference: number; low: number; high: number };
/** How many people an arm has, and how many of them did the thing. */
export type Count = { people: number; did: number };

const TAIL = 0.025;

/** The binomial's probabilities from `first` on, as far as they exceed 1e-18 of the greatest. */
function binomial(n: number, p: number): { first: number; probability: Float64Array } {
  const mode = Math.min(n, Math.floor((n + 1) * p));
  const odds = p / (1 - p);
  const below: number[] = [];
  for (let k = mode, weight = 1; k > 0; k--) {
    weight *= k / ((n - k + 1) * odds);
    if (weight < 1e-18) break;
    below.push(weight);
  }
  const above: number[] = [];
  for (let k = mode, weight = 1; k < n; k++) {
    weight *= ((n - k) * odds) / (k + 1);
    if (weight < 1e-18) break;
    above.push(weight);
  }
  const weights = [...below.toReversed(), 1, ...above];
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return {
    first: mode - below.length,
    probability: Float64Array.from(weights, (weight) => weight / total),
  };
}

/**
 * The interval of a difference of two rates. Resampling n yes-or-no answers is a binomial draw, so the bootstrap's
 * whole distribution is worked out exactly, as if by endless resamples, and needs no seed. Before resampling each arm
 * is given one person who did and one who did not (Agresti and Caffo, The American Statistician 54, 2000): without
 * them an arm of 0 % or 100 % would have no width, and small arms would claim too often. Rates are shares, 0…1.
 */
export function rateInterval(treated: Count, control: Count): Interval {
  for (const { people, did } of [treated, control])
    if (!(Number.isSafeInteger(people) && Number.isSafeInteger(did) && did >= 0 && did <= people))
      throw new RangeError(`not a count of people: ${did} of ${people}`);
  const n1 = treated.people + 2;
  const n0 = control.people + 2;
  const one = binomial(n1, (treated.did + 1) / n1);
  const zero = binomial(n0, (control.did + 1) / n0);
  const cumulated = new Float64Array(one.probability.length + 1);
  for (const [i, p] of one.probability.entries()) cumulated[i + 1] = cumulated[i]! + p;
  const upTo = (k: number): number =>
    cumulated[Math.max(0, Math.min(one.probability.length, k - one.first + 1))]!;

  /** P(difference < d) + ½ P(difference = d): half of a tie counts, as the differences lie on a lattice. */
  const share = (d: number): number => {
    let sum = 0;
    for (const [i, p] of zero.probability.entries()) {
      const edge = n1 * (d + (zero.first + i) / n0);
      sum += (p * (upTo(Math.floor(edge + 1e-9)) + upTo(Math.ceil(edge - 1e-9) - 1))) / 2;
    }
    return sum;
  };
  const quantile = (level: number): number => {
    let low = -1;
    let high = 1;
    for (let i = 0; i < 40; i++) {
      const middle = (low + high) / 2;
      if (share(middle) < level) low = middle;
      else high = middle;
    }
    return (low + high) / 2;
  };
  const rate = ({ people, did }: Count): number => (people === 0 ? 0 : did / people);
  const difference = rate(treated) - rate(control);
  // The added people draw the middle of the resamples towards one half; at the edge the figure seen may pass it.
  return {
    difference,
    low: Math.min(quantile(TAIL), difference),
    high: Math.max(quantile(1 - TAIL), difference),
  };
}

const RESAMPLES = 2_000;
/** From so many people in both arms together, a mean is as good as normal, also with the tails of spending. */
const LARGE = 50_000;
/** With fewer people who spent anything a resample may hold none of them, and says nothing. */
const SPENDERS = 10;

type Moments = { mean: number; error: number };

function moments(values: Float64Array): Moments {
  let sum = 0;
  for (const value of values) sum += value;
  const mean = sum / values.length;
  let squares = 0;
  for (const value of values) squares += (value - mean) ** 2;
  return { mean, error: squares / (values.length - 1) / values.length };
}

function resample(values: Float64Array, next: () => number, drawn: Float64Array): Moments {
  for (let i = 0; i < drawn.length; i++) drawn[i] = values[below(next, values.length)]!;
  return moments(drawn);
}

/**
 * The interval of a difference of two means with heavy tails, such as spending per person where most spend nothing:
 * bootstrap-t (Efron and Tibshirani 1993, ch. 12.5), seeded, independent of the order of people. Null where an arm
 * has fewer than ten people above zero: there it would be a guess.
 */
export function meanInterval(
  treated: readonly number[],
  control: readonly number[],
  { seed, resamples = RESAMPLES }: { seed: string; resamples?: number },
): Interval | null {
  const spenders = (values: readonly number[]) => values.filter((value) => value > 0).length;
  if (Math.min(spenders(treated), spenders(control)) < SPENDERS) return null;
  const one = Float64Array.from(treated).sort();
  const zero = Float64Array.from(control).sort();
  const seen1 = moments(one);
  const seen0 = moments(zero);
  const difference = seen1.mean - seen0.mean;
  const error = Math.sqrt(seen1.error + seen0.error);
  if (one.length + zero.length >= LARGE)
    return { difference, low: difference - Z95 * error, high: difference + Z95 * error };

  const next = generator(seed);
  const drawn1 = new Float64Array(one.length);
  const drawn0 = new Float64Array(zero.length);
  const ratios = new Float64Array(resamples);
  for (let i = 0; i < resamples; i++) {
    const again1 = resample(one, next, drawn1);
    const again0 = resample(zero, next, drawn0);
    const off = again1.mean - again0.mean - difference;
    ratios[i] = off === 0 ? 0 : off / Math.sqrt(again1.error + again0.error);
  }
  ratios.sort();
  const at = (level: number): number => ratios[Math.round(level * (resamples - 1))]!;
  const low = difference - at(1 - TAIL) * error;
  const high = difference - at(TAIL) * error;
  return Number.isFinite(low) && Number.isFinite(high) ? { difference, low, high } : null;
}
