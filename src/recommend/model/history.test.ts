import fc from "fast-check";
import { expect, test } from "vitest";
import { dayNumber, histories, isoDay, type Purchase } from "./history.ts";

const purchase = fc.record<Purchase>({
  personId: fc.constantFrom("a", "b", "c", "__proto__"),
  sku: fc.constantFrom("10", "9", "A1", "constructor"),
  day: fc.integer({ min: 14_900, max: 14_930 }).map(isoDay),
});

test("a history is the same in whatever order the purchases came, each good once a day", () => {
  fc.assert(
    fc.property(
      fc
        .array(purchase)
        .chain((all) =>
          fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })),
        ),
      ([all, shuffled]) => {
        const known = histories(all);
        expect(JSON.stringify(histories([...shuffled, ...all]))).toBe(JSON.stringify(known));
        const told = known.flatMap(({ personId, goods }) =>
          goods.flatMap(({ sku, days }) => days.map((day) => `${personId} ${sku} ${isoDay(day)}`)),
        );
        expect(new Set(told).size).toBe(told.length);
        expect(new Set(told)).toEqual(new Set(all.map((p) => `${p.personId} ${p.sku} ${p.day}`)));
      },
    ),
  );
});

test("a day that is none is refused", () => {
  expect(dayNumber("1970-01-02")).toBe(1);
  expect(() => dayNumber("yesterday")).toThrow(RangeError);
  expect(() => histories([{ personId: "a", sku: "1", day: "2011-13-01" }])).toThrow(RangeError);
});
