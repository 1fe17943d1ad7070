// Finds the lowest point of a smooth function of a few numbers. No I/O, no chance: equal input, equal answer.

/** The value at a point; its slope is written into `slope`. */
export type Smooth = (point: Float64Array, slope: Float64Array) => number;
export type Lowest = { point: Float64Array; value: number; steps: number; converged: boolean };

const maxSteps = 500;
const dot = (a: Float64Array, b: Float64Array): number =>
  a.reduce((sum, value, i) => sum + value * b[i]!, 0);

/**
 * Minimises `f` from `start` by BFGS with a line search that accepts by Armijo's rule and keeps the curvature
 * positive (Nocedal & Wright, Numerical Optimization, 2nd ed., algorithm 6.1 and eq. 6.17). Each coordinate is kept
 * within ±`bound`, which the models use as "as good as infinite" on a log scale.
 */
export function minimise(f: Smooth, start: number[], bound = 20): Lowest {
  const size = start.length;
  let point = Float64Array.from(start);
  let slope = new Float64Array(size);
  let value = f(point, slope);
  let inverse = identity(size, 1 / Math.max(1, Math.sqrt(dot(slope, slope))));
  for (let steps = 0; steps < maxSteps; steps += 1) {
    const steepest = slope.reduce((most, s) => Math.max(most, Math.abs(s)), 0);
    if (steepest < 1e-6 * Math.max(1, Math.abs(value)) * 1e-2)
      return { point, value, steps, converged: true };
    let direction = times(inverse, slope).map((d) => -d);
    let descent = dot(direction, slope);
    if (!(descent < 0)) {
      inverse = identity(size, 1 / Math.max(1, steepest));
      direction = times(inverse, slope).map((d) => -d);
      descent = dot(direction, slope);
    }
    const next = lineSearch(f, point, value, direction, descent, bound);
    // No step down is left that a double can tell apart: this is the bottom.
    if (!next) return { point, value, steps, converged: true };
    const moved = next.point.map((p, i) => p - point[i]!);
    const turned = next.slope.map((s, i) => s - slope[i]!);
    inverse = update(inverse, moved, turned);
    const gain = value - next.value;
    ({ point, slope, value } = next);
    if (gain < 1e-13 * Math.abs(value) && steepest < 1e-4)
      return { point, value, steps, converged: true };
  }
  return { point, value, steps: maxSteps, converged: false };
}

function lineSearch(
  f: Smooth,
  from: Float64Array,
  value: number,
  direction: Float64Array,
  descent: number,
  bound: number,
):
  | { point: Float64Array<ArrayBuffer>; slope: Float64Array<ArrayBuffer>; value: number }
  | undefined {
  // Never more than a factor of e² at once: the models' parameters are logarithms.
  const longest = direction.reduce((most, d) => Math.max(most, Math.abs(d)), 0);
  for (let length = Math.min(1, 2 / longest); length > 1e-12; length /= 2) {
    const point = from.map((p, i) => Math.min(bound, Math.max(-bound, p + length * direction[i]!)));
    const slope = new Float64Array(from.length);
    const reached = f(point, slope);
    if (reached < value + 1e-4 * length * descent) return { point, slope, value: reached };
  }
  return undefined;
}

const identity = (size: number, scale: number): Float64Array[] =>
  Array.from({ length: size }, (_, i) => new Float64Array(size).fill(scale, i, i + 1));

const times = (matrix: Float64Array[], vector: Float64Array): Float64Array<ArrayBuffer> =>
  Float64Array.from(matrix, (row) => dot(row, vector));

/** The inverse Hessian after a step; left as it is where the step shows no positive curvature. */
function update(
  inverse: Float64Array[],
  moved: Float64Array,
  turned: Float64Array,
): Float64Array[] {
  const curvature = dot(moved, turned);
  if (!(curvature > 1e-14)) return inverse;
  const bent = times(inverse, turned);
  const factor = (curvature + dot(turned, bent)) / (curvature * curvature);
  return inverse.map((row, i) =>
    row.map(
      (h, j) =>
        h +
        factor * moved[i]! * moved[j]! -
        (bent[i]! * moved[j]! + moved[i]! * bent[j]!) / curvature,
    ),
  );
}
