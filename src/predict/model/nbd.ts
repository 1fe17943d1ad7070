// NBD: everybody buys at a steady rate of their own, for ever. Rates differ between people as a gamma distribution
// with shape r and rate α (Ehrenberg 1959). The simplest model of buying again, and the one that is left when the
// data show nobody dropping out.
import { totals, type Histories } from "./histories.ts";
import { minimise } from "./optimise.ts";
import { digamma, lgamma } from "./special.ts";

/** r has no unit; α has the histories' unit of time. */
export type Nbd = { r: number; alpha: number };
export type NbdFit = Nbd & { logLikelihood: number };

/**
 * Log-likelihood of the purchases at their times, the same density as BG/NBD's with no dropout, so that the two can
 * be compared: Σ ln Γ(r+x) − ln Γ(r) + r ln α − (r+x) ln(α+T).
 */
export function nbdLogLikelihood({ r, alpha }: Nbd, rows: Histories): number {
  let sum = 0;
  for (let i = 0; i < rows.x.length; i += 1) {
    const shape = r + rows.x[i]!;
    const one =
      lgamma(shape) - lgamma(r) + r * Math.log(alpha) - shape * Math.log(alpha + rows.T[i]!);
    sum += rows.people[i]! * one;
  }
  return sum;
}

/** Maximum likelihood. `rows` should be compressed. */
export function fitNbd(rows: Histories): NbdFit {
  const { people, repeats, watched } = totals(rows);
  const lowest = minimise(
    (point, slope) => {
      const r = Math.exp(point[0]!);
      const alpha = Math.exp(point[1]!);
      const atR = digamma(r);
      let sum = 0;
      slope.fill(0);
      for (let i = 0; i < rows.x.length; i += 1) {
        const n = rows.people[i]! / people;
        const shape = r + rows.x[i]!;
        const scale = Math.log(alpha + rows.T[i]!);
        sum -= n * (lgamma(shape) - lgamma(r) + r * Math.log(alpha) - shape * scale);
        slope[0]! -= n * r * (digamma(shape) - atR + Math.log(alpha) - scale);
        slope[1]! -= n * (r - (shape * alpha) / (alpha + rows.T[i]!));
      }
      return sum;
    },
    [0, Math.log((watched + 1e-9) / Math.max(1, repeats))],
  );
  const fit = { r: Math.exp(lowest.point[0]!), alpha: Math.exp(lowest.point[1]!) };
  return { ...fit, logLikelihood: -lowest.value * people };
}

/** Expected purchases in the next `t`: the mean rate so far, (r+x)/(α+T), for as long. */
export const nbdExpected = ({ r, alpha }: Nbd, x: number, T: number, t: number): number =>
  ((r + x) * t) / (alpha + T);

/** The chance of at least one purchase in the next `h`: 1 − ((α+T)/(α+T+h))^(r+x). */
export const nbdOrderWithin = ({ r, alpha }: Nbd, x: number, T: number, h: number): number =>
  -Math.expm1(-(r + x) * Math.log1p(h / (alpha + T)));
