import fc from "fast-check";
import { expect, test } from "vitest";
import {
  added,
  halfLifeDays,
  logWeight,
  preferencesOf,
  strengthAt,
  type Score,
  type Told,
} from "./preference.ts";

const day = 86_400_000;
const now = Date.UTC(2026, 2, 1);
const score = (category: string, value: number): Score => ({
  ...{ category, score: value, times: 3, bought: 1, lastAt: now, lastId: "a" },
});
const told = (category: string, word: Told["word"], at = now, id = "a"): Told => ({
  ...{ category, word, at, id },
});

test("a look is worth half of itself after 45 days, and a purchase eight looks", () => {
  expect(strengthAt(logWeight(1, now), now)).toBeCloseTo(1, 9);
  expect(strengthAt(logWeight(1, now), now + halfLifeDays * day)).toBeCloseTo(0.5, 9);
  expect(strengthAt(logWeight(8, now - 90 * day), now)).toBeCloseTo(2, 9);
});

test("kept in log space the score is the sum that it stands for, in whatever order it is added", () => {
  const done = fc.record({
    weight: fc.constantFrom(0.5, 1, 3, 4, 8),
    ago: fc.integer({ min: 0, max: 2000 }),
  });
  fc.assert(
    fc.property(fc.array(done, { minLength: 1, maxLength: 50 }), (all) => {
      const sum = all.reduce((s, { weight, ago }) => s + weight * 2 ** (-ago / halfLifeDays), 0);
      const logs = all.map(({ weight, ago }) => logWeight(weight, now - ago * day));
      for (const list of [logs, logs.toReversed()]) {
        const kept = list.reduce(added);
        expect(Math.abs(strengthAt(kept, now) / sum - 1)).toBeLessThan(1e-9);
      }
    }),
  );
  expect(added(5000, 1)).toBe(5000);
  expect(added(5000, 5000)).toBe(5001);
});

test("what the person says outweighs what they did", () => {
  const scores = [score("Shoes", 3), score("Bags", 2), score("Hats", 1)];
  const names = (words: Told[]) => preferencesOf(scores, words).map(({ category }) => category);
  expect(names([])).toEqual(["Shoes", "Bags", "Hats"]);
  expect(names([told("Shoes", "no")])).toEqual(["Bags", "Hats"]);
  expect(names([told("Tea", "yes"), told("Hats", "yes", now + 1)])).toEqual([
    ...["Hats", "Tea", "Shoes", "Bags"],
  ]);
  // The later word counts; taken back, it is as if nothing had been said.
  expect(names([told("Shoes", "none", now + 1), told("Shoes", "no")])).toEqual([
    ...["Shoes", "Bags", "Hats"],
  ]);
  expect(preferencesOf(scores, [])[0]).toEqual({
    ...{ category: "Shoes", share: 0.571, times: 3, bought: 1, own: false },
  });
});

test("by time alone nothing changes its place", () => {
  const logs = fc.array(fc.double({ min: -50, max: 50, noNaN: true }), { maxLength: 8 });
  fc.assert(
    fc.property(logs, fc.double({ min: 0, max: 200, noNaN: true }), (all, later) => {
      const of = (shift: number) =>
        preferencesOf(
          all.map((one, i) => score(`c${i}`, one - shift)),
          [],
        );
      for (const [i, one] of of(later).entries())
        expect(Math.abs(one.share - of(0)[i]!.share)).toBeLessThanOrEqual(0.001);
    }),
  );
});
