// BG/NBD: everybody buys at a steady rate of their own until they drop out, which may happen after any purchase.
// Rates differ between people as a gamma distribution (shape r, rate α), the chance to drop out as a beta
// distribution (a, b). Fader, Hardie & Lee, "Counting Your Customers the Easy Way", Marketing Science 24 (2005).
import { totals, type Histories } from "./histories.ts";
import { nbdOrderWithin, type Nbd } from "./nbd.ts";
import { minimise } from "./optimise.ts";
import { digamma, lgamma } from "./special.ts";

/** r, a, b have no unit; α has the histories' unit of time. */
export type Bgnbd = Nbd & { a: number; b: number };
export type BgnbdFit = Bgnbd & { logLikelihood: number };

/** ln of the odds that the customer dropped out at the last purchase instead of staying: −∞ where x = 0. */
function logGone({ r, alpha, a, b }: Bgnbd, x: number, tx: number, T: number): number {
  if (x === 0) return -Infinity;
  return Math.log(a / (b + x - 1)) + (r + x) * Math.log((alpha + T) / (alpha + tx));
}

/** ln(1 + e^z) without overflow. */
const softplus = (z: number): number =>
  z > 0 ? z + Math.log1p(Math.exp(-z)) : Math.log1p(Math.exp(z));

/** Log-likelihood of the purchases at their times (the paper's equation 6). */
export function bgnbdLogLikelihood(model: Bgnbd, rows: Histories): number {
  const { r, alpha, a, b } = model;
  let sum = 0;
  for (let i = 0; i < rows.x.length; i += 1) {
    const x = rows.x[i]!;
    const T = rows.T[i]!;
    const buys = lgamma(r + x) - lgamma(r) + r * Math.log(alpha) - (r + x) * Math.log(alpha + T);
    const stays = lgamma(a + b) + lgamma(b + x) - lgamma(b) - lgamma(a + b + x);
    sum += rows.people[i]! * (buys + stays + softplus(logGone(model, x, rows.tx[i]!, T)));
  }
  return sum;
}

/**
 * Maximum likelihood from several starts, with the slope in closed form. `rows` should be compressed. Where the data
 * show no dropout, a/(a+b) runs towards 0 and the likelihood towards NBD's: `buying.ts` decides what that means.
 */
export function fitBgnbd(rows: Histories, near: Nbd): BgnbdFit {
  const { people } = totals(rows);
  // ln Γ and ψ depend on x alone: once for each distinct x, not for each row.
  const counts = [...new Set(rows.x)].toSorted((one, other) => one - other);
  const at = new Map(counts.map((x, k) => [x, k]));
  const group = Int32Array.from(rows.x, (x) => at.get(x)!);
  const perCount = new Float64Array(counts.length);
  const slopes = [0, 1, 2].map(() => new Float64Array(counts.length));

  const f = (point: Float64Array, slope: Float64Array): number => {
    const [r, alpha, a, b] = Array.from(point, Math.exp) as [number, number, number, number];
    const [psiR, psiB, psiAB] = [digamma(r), digamma(b), digamma(a + b)];
    const fixed = r * Math.log(alpha) - lgamma(r) + lgamma(a + b) - lgamma(b);
    counts.forEach((x, k) => {
      perCount[k] = fixed + lgamma(r + x) + lgamma(b + x) - lgamma(a + b + x);
      slopes[0]![k] = digamma(r + x) - psiR + Math.log(alpha);
      slopes[1]![k] = psiAB - digamma(a + b + x);
      slopes[2]![k] = digamma(b + x) - psiB;
    });
    let sum = 0;
    let [dr, dalpha, da, db] = [0, 0, 0, 0];
    for (let i = 0; i < rows.x.length; i += 1) {
      const n = rows.people[i]! / people;
      const k = group[i]!;
      const x = rows.x[i]!;
      const end = alpha + rows.T[i]!;
      const last = alpha + rows.tx[i]!;
      const logEnd = Math.log(end);
      const logRatio = logEnd - Math.log(last);
      const odds = x === 0 ? -Infinity : Math.log(a / (b + x - 1)) + (r + x) * logRatio;
      // The share of this row's likelihood in which its people have dropped out.
      const gone = x === 0 ? 0 : 1 / (1 + Math.exp(-odds));
      sum -= n * (perCount[k]! - (r + x) * logEnd + softplus(odds));
      dr -= n * (slopes[0]![k]! - logEnd + gone * logRatio);
      dalpha -= n * (r / alpha - (r + x) * ((1 - gone) / end + gone / last));
      da -= n * (slopes[1]![k]! + gone / a);
      db -= n * (slopes[1]![k]! + slopes[2]![k]! - (x === 0 ? 0 : gone / (b + x - 1)));
    }
    slope.set([dr * r, dalpha * alpha, da * a, db * b]);
    return sum;
  };
  const starts = [
    [Math.log(near.r), Math.log(near.alpha), 0, 1],
    [Math.log(near.r), Math.log(near.alpha), -2, 2],
  ];
  const lowest = starts
    .map((start) => minimise(f, start, 16))
    .reduce((best, other) => (other.value < best.value ? other : best));
  const [r, alpha, a, b] = Array.from(lowest.point, Math.exp) as [number, number, number, number];
  return { r, alpha, a, b, logLikelihood: -lowest.value * people };
}

/** The chance that the customer has not dropped out by T (the paper's P(active), in its corrected form for x = 0: 1). */
export const pAlive = (model: Bgnbd, x: number, tx: number, T: number): number =>
  1 / (1 + Math.exp(logGone(model, x, tx, T)));

/** The chance of at least one purchase in the next `h`: still there, and buying. Nobody drops out before a purchase. */
export const bgnbdOrderWithin = (
  model: Bgnbd,
  x: number,
  tx: number,
  T: number,
  h: number,
): number => pAlive(model, x, tx, T) * nbdOrderWithin(model, x, T, h);

/** Expected purchases in the next `t` of a customer with this history (the paper's equation 10). */
export const bgnbdExpected = (model: Bgnbd, x: number, tx: number, T: number, t: number): number =>
  pAlive(model, x, tx, T) *
  expectedWhileThere(model.r + x, model.alpha + T, model.a, model.b + x, t);

/** E[X(t)]: expected purchases of somebody new in their first `t`, the first one not counted (the paper's equation 9). */
export const bgnbdExpectedOfNew = ({ r, alpha, a, b }: Bgnbd, t: number): number =>
  expectedWhileThere(r, alpha, a, b, t);

/**
 * Expected purchases in `t` of somebody who is there now, whose rate is gamma(r, α) and dropout beta(a, b).
 * The paper's form (a+b−1)/(a−1) [1 − (α/(α+t))^r ₂F₁(r, b; a+b−1; z)], z = t/(α+t), divides 0 by 0 at a = 1 and
 * overflows for many purchases. Euler's transformation (Abramowitz & Stegun 15.3.3) turns the bracket into
 * 1 − (1−z)^(a−1) ₂F₁(a+b−1−r, a−1; a+b−1; z), whose terms after the first all carry the factor a−1: divided out by
 * hand, nothing singular is left, and the terms fall at once. Where a is large or r far above a+b the terms would
 * cancel each other, and an integral is taken instead.
 */
function expectedWhileThere(r: number, alpha: number, a: number, b: number, t: number): number {
  const c = a + b - 1;
  if (a > 20 || r - c > 5) return expectedByQuadrature(r, alpha, a, b, t);
  const z = t / (alpha + t);
  const logLeft = -Math.log1p(t / alpha);
  const head = Math.abs(a - 1) < 1e-12 ? -logLeft : -Math.expm1((a - 1) * logLeft) / (a - 1);
  let term = (c - r) * z;
  let sum = term;
  for (let n = 1; n < 100_000; n += 1) {
    const ratio = ((c - r + n) * (a + n - 1) * z) / ((c + n) * (n + 1));
    term *= ratio;
    sum += term;
    // What follows is at most a geometric series, once the terms fall and no longer change their sign.
    if (c - r + n > 0 && ratio < 1 && Math.abs(term) <= 1e-16 * (1 - ratio) * Math.abs(sum)) break;
  }
  return Math.max(0, c * head - Math.exp((a - 1) * logLeft) * sum);
}

/**
 * The same as the mean of (1 − (α/(α+pt))^r) / p over p ~ beta(a, b): the trapezoid rule on ln(p/(1−p)), stretched by
 * a hyperbolic sine around its middle so that both tails fall doubly fast (Takahasi & Mori 1974). About twelve digits.
 */
function expectedByQuadrature(r: number, alpha: number, a: number, b: number, t: number): number {
  const middle = Math.log(a / b);
  const spread = Math.min(3, Math.sqrt(1 / a + 1 / b));
  const top = a * softplus(-middle) + b * softplus(middle);
  let sum = 0;
  let mass = 0;
  // To where the tails, which fall as p^a and (1−p)^b, have lost seventeen digits.
  const far = (power: number): number => Math.max(4, Math.asinh(45 / power / spread));
  for (let u = -far(a); u <= far(b); u += 0.05) {
    const logit = middle + spread * Math.sinh(u);
    const logWeight = top - a * softplus(-logit) - b * softplus(logit);
    if (logWeight < -80) continue;
    const weight = Math.cosh(u) * Math.exp(logWeight);
    mass += weight;
    sum += weight * purchasesAt(Math.exp(-softplus(-logit)));
  }
  return sum / mass;

  function purchasesAt(p: number): number {
    return p < 1e-300 ? (r * t) / alpha : -Math.expm1(-r * Math.log1p((p * t) / alpha)) / p;
  }
}
