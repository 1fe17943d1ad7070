import fc from "fast-check";
import { expect, test } from "vitest";
import { addDays, instantOf } from "#kernel/clock.ts";
import { ownWeight, stageConfidence } from "./confidence.ts";
import { stageOf, type Thresholds } from "./lifecycle.ts";

/** Everybody comes back within 100 days, one in a hundred each day. */
const learned = (closed: number): Thresholds => ({
  newForDays: 50,
  dormantAfterDays: 80,
  lostAfterDays: 95,
  from: "shop",
  curve: {
    back: Array.from({ length: 101 }, (_, day) => day / 100),
    watchedDays: 100,
    closed,
    open: 0,
  },
});
const at = (silent: number, thresholds: Thresholds, days = ["2011-01-01"]) => {
  const now = instantOf(`${addDays(days.at(-1)!, silent)}T12:00`, "UTC");
  return stageConfidence(stageOf(days, thresholds, now, "UTC"), thresholds);
};

test("near a threshold a stage is a coin's toss, far from it sure, and more orders make it surer", () => {
  const often = ["2010-12-20", "2011-01-01"];
  expect(at(80, learned(1000), often)).toBeCloseTo(0.5, 9);
  expect(at(50, learned(100), [...often, "2011-01-02"])).toBeGreaterThan(0.99);
  expect(at(77, learned(1000), often)).toBeGreaterThan(at(77, learned(100), often));
  // One standard error below the bound: Φ(1) = 0.841, and the logistic curve is within 0.01 of it.
  expect(at(76, learned(100), often)).toBeCloseTo(0.8413, 1);
});
test("it never leaves 0.5 to 1, and is 0.5 where nothing was learned", () => {
  fc.assert(
    fc.property(fc.nat(400), fc.integer({ min: 1, max: 100_000 }), (silent, closed) => {
      const sure = at(silent, learned(closed));
      expect(sure).toBeGreaterThanOrEqual(0.5);
      expect(sure).toBeLessThanOrEqual(1);
    }),
  );
  const { curve } = learned(3);
  expect(at(10, { from: "shop", curve })).toBe(0.5);
});
test("a person's own past weighs more the longer they were watched", () => {
  expect(ownWeight(60, 0)).toBe(0);
  expect(ownWeight(60, 60)).toBe(0.5);
  expect(ownWeight(60, 540)).toBe(0.9);
});
