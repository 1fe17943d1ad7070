import fc from "fast-check";
import { expect, test } from "vitest";
import { backBy, dayBackBy, kaplanMeier, longestGap, noGaps, returnChance } from "./survival.ts";

const counts = (closed: number[], open: number[]) => {
  const gaps = noGaps();
  for (const day of closed) gaps.closed[day]! += 1;
  for (const day of open) gaps.open[day]! += 1;
  return gaps;
};

test("the textbook case: weeks in remission on 6-MP (Freireich et al. 1963), each patient taken ten times", () => {
  const closed = [6, 6, 6, 7, 10, 13, 16, 22, 23];
  const open = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35];
  const tenfold = (days: number[]) => days.flatMap((day) => Array<number>(10).fill(day));
  const { back } = kaplanMeier(counts(tenfold(closed), tenfold(open)));
  const published = {
    5: 1,
    6: 0.857,
    7: 0.807,
    10: 0.753,
    13: 0.69,
    16: 0.627,
    22: 0.538,
    23: 0.448,
  };
  for (const [week, remaining] of Object.entries(published))
    expect(1 - back[Number(week)]!).toBeCloseTo(remaining, 3);
});

const days = fc.array(fc.integer({ min: 0, max: 120 }), { minLength: 60, maxLength: 400 });

test("without open gaps it is the plain share, and the curve never falls", () => {
  fc.assert(
    fc.property(days, fc.array(fc.integer({ min: 0, max: 120 })), (closed, open) => {
      const plain = kaplanMeier(counts(closed, []));
      plain.back.forEach((share, day) => {
        expect(share).toBeCloseTo(closed.filter((gap) => gap <= day).length / closed.length, 10);
      });
      const { back, watchedDays } = kaplanMeier(counts(closed, open));
      back.forEach((share, day) => {
        expect(share).toBeGreaterThanOrEqual(day > 0 ? back[day - 1]! : 0);
        expect(share).toBeLessThanOrEqual(1);
      });
      const stillOpen = [...closed, ...open].filter((gap) => gap >= watchedDays).length;
      expect(stillOpen).toBeGreaterThanOrEqual(30);
    }),
  );
});

test("a return quantile is the first day that reaches its level, and a higher level never comes earlier", () => {
  fc.assert(
    fc.property(days, days, (closed, open) => {
      const curve = kaplanMeier(counts(closed, open));
      const found = [0.3, 0.5, 0.8, 0.95].map((level) => [level, dayBackBy(curve, level)] as const);
      let before = 0;
      for (const [level, day] of found) {
        if (day === undefined) continue;
        expect(backBy(curve, day)).toBeGreaterThanOrEqual(level);
        if (day > 0) expect(backBy(curve, day - 1)).toBeLessThan(level);
        expect(day).toBeGreaterThanOrEqual(before);
        expect(day).toBeLessThanOrEqual(0.75 * curve.watchedDays);
        before = day;
      }
    }),
  );
});

test("chances: all numbers between 0 and 1, none beyond what was watched", () => {
  fc.assert(
    fc.property(days, days, fc.nat(200), fc.nat(200), (closed, open, silent, within) => {
      const curve = kaplanMeier(counts(closed, open));
      const chance = returnChance(curve, silent, within);
      if (silent + within > curve.watchedDays) expect(chance).toBeUndefined();
      if (chance === undefined) return;
      expect(chance).toBeGreaterThanOrEqual(0);
      expect(chance).toBeLessThanOrEqual(1 + 1e-12);
    }),
  );
  expect(kaplanMeier(noGaps())).toEqual({ back: [], watchedDays: 0, closed: 0, open: 0 });
  expect(noGaps().closed.length).toBe(longestGap + 1);
});
