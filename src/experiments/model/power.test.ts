import { expect, test } from "vitest";
import { detectable, peopleNeeded, power } from "./power.ts";

test("what is called detectable is seen four times in five, and takes as many people as are said", () => {
  const lift = detectable(800, 200, 0.4)!;
  expect(power(800, 200, 0.4, lift)).toBeCloseTo(0.8, 9);
  expect(Math.abs(peopleNeeded(0.4, lift, 0.8) - 1000)).toBeLessThanOrEqual(1);
  expect(peopleNeeded(0.4, lift, 0.5)).toBeLessThan(700);
});

test("with nothing to see, one in twenty is claimed; with nobody to look at, none", () => {
  expect(power(800, 200, 0.4, 0)).toBeCloseTo(0.05, 9);
  expect(power(0, 200, 0.4, 0.3)).toBe(0);
  expect(detectable(3, 2, 0.4)).toBeNull();
});

// Fleiss, Levin and Paik's setting without continuity correction: 60 % against 70 %, 354 in each arm.
test("a textbook's size", () => {
  expect(Math.abs(peopleNeeded(0.6, 0.1, 0.5) / 2 - 354)).toBeLessThan(2);
});
