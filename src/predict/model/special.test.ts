import fc from "fast-check";
import { expect, test } from "vitest";
import { digamma, lgamma } from "./special.ts";

const near = (value: number, expected: number, relative: number) =>
  expect(Math.abs(value - expected)).toBeLessThanOrEqual(
    relative * Math.max(1, Math.abs(expected)),
  );

test("ln Γ agrees with factorials, halves and its own recurrence", () => {
  let logFactorial = 0;
  for (let n = 1; n <= 170; n += 1) {
    near(lgamma(n), logFactorial, 1e-14);
    logFactorial += Math.log(n);
  }
  near(lgamma(0.5), Math.log(Math.PI) / 2, 1e-14);
  fc.assert(
    fc.property(fc.double({ min: 1e-6, max: 1e4, noNaN: true }), (z) => {
      near(lgamma(z + 1), lgamma(z) + Math.log(z), 1e-13);
    }),
  );
});

test("ψ is the slope of ln Γ", () => {
  near(digamma(1), -0.5772156649015329, 1e-14);
  near(digamma(0.5), -1.9635100260214235, 1e-14);
  fc.assert(
    fc.property(fc.double({ min: 0.01, max: 1e4, noNaN: true }), (z) => {
      near(digamma(z + 1), digamma(z) + 1 / z, 1e-12);
    }),
  );
});
