// The few special functions that the purchase models need, in plain double precision. No I/O.

// B(2k) / (2k (2k - 1)) and B(2k) / 2k: coefficients of Stirling's series for ln Γ and for its derivative.
const lgammaTail = [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156];
const digammaTail = [1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12];
const halfLogTwoPi = 0.9189385332046727;

const series = (coefficients: number[], step: number): number =>
  coefficients.reduceRight((sum, coefficient) => sum * step + coefficient, 0);

/**
 * ln Γ(z) for z > 0, about 14 digits. Below 10 the argument is raised by Γ(z + 1) = z Γ(z), then Stirling's series
 * is used (Abramowitz & Stegun 6.1.15 and 6.1.41).
 */
export function lgamma(z: number): number {
  let shift = 1;
  let at = z;
  for (; at < 10; at += 1) shift *= at;
  const tail = series(lgammaTail, 1 / (at * at)) / at;
  return (at - 0.5) * Math.log(at) - at + halfLogTwoPi + tail - Math.log(shift);
}

/** ψ(z), the derivative of ln Γ(z), for z > 0 (Abramowitz & Stegun 6.3.5 and 6.3.18). */
export function digamma(z: number): number {
  let shift = 0;
  let at = z;
  for (; at < 10; at += 1) shift += 1 / at;
  const square = 1 / (at * at);
  return Math.log(at) - 0.5 / at - series(digammaTail, square) * square - shift;
}
