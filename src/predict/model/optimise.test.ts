import fc from "fast-check";
import { expect, test } from "vitest";
import { minimise } from "./optimise.ts";

test("the bottom of a bowl is found from anywhere, however stretched", () => {
  const coordinate = fc.double({ min: -5, max: 5, noNaN: true });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(coordinate, coordinate, fc.double({ min: 0.1, max: 50, noNaN: true })), {
        minLength: 1,
        maxLength: 5,
      }),
      (axes) => {
        const lowest = minimise(
          (point, slope) => {
            axes.forEach(([, bottom, stretch], i) => {
              slope[i] = 2 * stretch * (point[i]! - bottom);
            });
            return axes.reduce(
              (sum, [, bottom, stretch], i) => sum + stretch * (point[i]! - bottom) ** 2,
              1,
            );
          },
          axes.map(([start]) => start),
        );
        expect(lowest.converged).toBe(true);
        axes.forEach(([, bottom], i) => expect(lowest.point[i]).toBeCloseTo(bottom, 3));
      },
    ),
  );
});

test("Rosenbrock's curved valley", () => {
  const lowest = minimise(
    (point, slope) => {
      const [x, y] = [point[0]!, point[1]!];
      slope.set([-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)]);
      return (1 - x) ** 2 + 100 * (y - x * x) ** 2;
    },
    [-1.2, 1],
  );
  expect(lowest.point[0]).toBeCloseTo(1, 4);
  expect(lowest.point[1]).toBeCloseTo(1, 4);
});

test("a slope without end is followed to the bound and no further", () => {
  const lowest = minimise(
    (point, slope) => {
      slope[0] = 1;
      return point[0]!;
    },
    [3],
    7,
  );
  expect(lowest.point[0]).toBe(-7);
});
