import fc from "fast-check";
import { expect, test } from "vitest";
import { erfc, normalCdf, normalQuantile } from "./normal.ts";

// Abramowitz and Stegun, tables 7.1 and 26.1; the last from DLMF 7.
test.each([
  [0, 1],
  [0.5, 0.4795001221869535],
  [1, 0.15729920705028513],
  [2, 0.004677734981047266],
  [3, 0.000022090496998585438],
  [-1, 1.8427007929497148],
])("erfc(%d) is %d", (x, expected) => {
  expect(Math.abs(erfc(x) / expected - 1)).toBeLessThan(1e-12);
});

test("the quantile is the inverse of the share below, and the bell is even", () => {
  expect(normalQuantile(0.975)).toBeCloseTo(1.959963984540054, 12);
  fc.assert(
    fc.property(fc.double({ min: 1e-6, max: 1 - 1e-6, noNaN: true }), (p) => {
      expect(normalCdf(normalQuantile(p))).toBeCloseTo(p, 12);
      expect(normalQuantile(p) + normalQuantile(1 - p)).toBeCloseTo(0, 8);
    }),
  );
  expect(() => normalQuantile(1)).toThrow(RangeError);
});
