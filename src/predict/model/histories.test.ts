import fc from "fast-check";
import { expect, test } from "vitest";
import { compress, fromPurchaseDays, totals } from "./histories.ts";

const customers = fc.array(fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 12 }), {
  maxLength: 60,
});

test("purchases of one day are one purchase, the first only starts the watch, the future is not read", () => {
  const rows = fromPurchaseDays([[3, 10, 10, 24], [7], [24, 3, 99], [50]], 31);
  expect(Array.from(rows.x)).toEqual([2, 0, 1]);
  expect(Array.from(rows.tx)).toEqual([21, 0, 21]);
  expect(Array.from(rows.T)).toEqual([28, 24, 28]);
});

test("what comes after today changes nothing, and order does not matter", () => {
  fc.assert(
    fc.property(customers, (people) => {
      const cut = people.map((days) => days.filter((day) => day <= 30));
      expect(fromPurchaseDays(people, 30)).toEqual(fromPurchaseDays(cut, 30));
      expect(fromPurchaseDays(people, 30)).toEqual(
        fromPurchaseDays(
          people.map((days) => days.toReversed()),
          30,
        ),
      );
    }),
  );
});

test("compressing keeps every total and leaves no row twice", () => {
  fc.assert(
    fc.property(customers, (people) => {
      const rows = fromPurchaseDays(people, 30);
      const groups = compress(rows);
      expect(totals(groups)).toEqual(totals(rows));
      const keys = Array.from(groups.x, (x, i) => `${x}|${groups.tx[i]}|${groups.T[i]}`);
      expect(new Set(keys).size).toBe(keys.length);
      expect(compress(groups)).toEqual(groups);
    }),
  );
});
