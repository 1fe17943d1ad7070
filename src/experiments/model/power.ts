// What a comparison could see, and how many people it would take: said before the result as well as beside it.
import { Z95, normalCdf, normalQuantile } from "./normal.ts";

/** The chance of seeing a true effect that "detectable" stands for. */
const POWER = 0.8;

const variance = (rate: number): number => rate * (1 - rate);

/**
 * The chance that a true difference `lift` of two rates is claimed at 95 %: normal approximation, unpooled variance
 * (Fleiss, Levin and Paik 2003, ch. 4), both sides counted. `base` and `lift` are shares; an empty arm sees nothing.
 */
export function power(treated: number, control: number, base: number, lift: number): number {
  if (treated < 1 || control < 1) return 0;
  const error = Math.sqrt(variance(base + lift) / treated + variance(base) / control);
  if (error === 0) return lift === 0 ? 0.05 : 1;
  return normalCdf(lift / error - Z95) + normalCdf(-lift / error - Z95);
}

/** The smallest rise of the rate that is seen with 80 % chance, as a share; null where no rise up to 100 % would be. */
export function detectable(treated: number, control: number, base: number): number | null {
  let low = 0;
  let high = 1 - base;
  if (power(treated, control, base, high) < POWER) return null;
  for (let i = 0; i < 50; i++) {
    const middle = (low + high) / 2;
    if (power(treated, control, base, middle) < POWER) low = middle;
    else high = middle;
  }
  return high;
}

/** How many people, both arms together, it takes to see `lift` with 80 % chance; `treatedShare` and rates are shares. */
export function peopleNeeded(base: number, lift: number, treatedShare: number): number {
  const raised = Math.min(1, base + lift);
  const each = variance(raised) / treatedShare + variance(base) / (1 - treatedShare);
  return Math.ceil(((Z95 + normalQuantile(POWER)) / lift) ** 2 * each);
}
