import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { dayNumber } from "./history.ts";
import { fitTiming, logGaps, shrunk } from "./timing.ts";

const grocery = `${process.env["LIUKE_SHARED"] ?? "../shared"}/data/grocery/grocery-orders.csv.gz`;

test.skipIf(!existsSync(grocery))(
  "grocery: the last gap is told better than by anybody's own mean or the middle of all",
  () => {
    const people = new Map<string, Set<number>>();
    for (const line of gunzipSync(readFileSync(grocery)).toString().trim().split("\n").slice(1)) {
      const [person, day] = line.trim().split(",") as [string, string];
      people.set(person, (people.get(person) ?? new Set()).add(dayNumber(day)));
    }
    const known = [...people.values()]
      .map((days) => logGaps([...days].toSorted((a, b) => a - b)))
      .filter((gaps) => gaps.length >= 3)
      .map((gaps) => ({ earlier: gaps.slice(0, -1), last: Math.exp(gaps.at(-1)!) }));
    expect(known).toHaveLength(667);
    const error = (predict: (earlier: number[]) => number) =>
      known.reduce((sum, { earlier, last }) => sum + Math.abs(predict(earlier) - last), 0) /
      known.length;
    const days = (gaps: number[]) => gaps.map(Math.exp).toSorted((a, b) => a - b);
    const middle = (sorted: number[]) =>
      (sorted[Math.floor((sorted.length - 1) / 2)]! + sorted[Math.ceil((sorted.length - 1) / 2)]!) /
      2;
    const population = middle(days(known.flatMap(({ earlier }) => earlier)));

    const { centre, pull } = fitTiming(known.map(({ earlier }) => earlier));
    const ours = error((earlier) => Math.exp(shrunk(earlier, centre, pull)));
    const ownMean = error((earlier) => days(earlier).reduce((a, b) => a + b) / earlier.length);
    expect(ownMean).toBeCloseTo(49.81, 2);
    expect(error(() => population)).toBeCloseTo(55.75, 1);
    expect(ours).toBeLessThan(47.64);
    expect(ours).toBeLessThan(error((earlier) => middle(days(earlier))));
  },
);

const gaps = fc.array(fc.integer({ min: 1, max: 400 }).map(Math.log), { maxLength: 8 });

test("what is expected lies between one's own mean and the centre, nearer to it with fewer gaps", () => {
  fc.assert(
    fc.property(fc.array(gaps, { maxLength: 30 }), gaps, (groups, own) => {
      const { centre, pull } = fitTiming(groups);
      expect(Number.isFinite(centre) && pull >= 0 && pull <= 1000).toBe(true);
      const expected = shrunk(own, centre, pull);
      if (own.length === 0) {
        expect(Math.abs(expected - centre)).toBeLessThan(1e-9);
        return;
      }
      const mean = own.reduce((a, b) => a + b) / own.length;
      expect(expected).toBeGreaterThanOrEqual(Math.min(mean, centre) - 1e-9);
      expect(expected).toBeLessThanOrEqual(Math.max(mean, centre) + 1e-9);
    }),
  );
});

test("people who differ are left their own gap, people who are alike share one", () => {
  const apart = fitTiming([
    [1, 1.1, 0.9, 1],
    [4, 4.1, 3.9, 4],
    [2.5, 2.4, 2.6, 2.5],
  ]);
  expect(apart.pull).toBeLessThan(0.1);
  const alike = fitTiming([
    [1, 4, 2.5],
    [4, 2.5, 1],
    [2.5, 1, 4],
  ]);
  expect(alike.pull).toBe(1000);
});
