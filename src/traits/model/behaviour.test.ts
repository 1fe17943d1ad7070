import fc from "fast-check";
import { expect, test } from "vitest";
import { levelOf, ratioOf, saidOf, type Deeds, type Shop } from "./behaviour.ts";

const shop: Shop = { couponRate: 0.2, sharesPerWeek: 0.05, brandChance: 0.1 };
const nothing: Deeds = {
  ...{ lines: 0, reduced: 0, expectedReduced: 0, couponsOver: 0, couponsUsed: 0 },
  ...{ brandLines: 0, sameBrandPairs: 0, shares: 0, weeks: 0 },
};
const of = (more: Partial<Deeds>) =>
  new Map(saidOf({ ...nothing, ...more }, shop).map((one) => [one.tag, one]));

test("of whom little is known nothing is said", () => {
  expect(saidOf(nothing, shop)).toEqual([]);
  expect(of({ lines: 4, reduced: 4, expectedReduced: 0.4 }).size).toBe(0);
  expect(of({ brandLines: 2, sameBrandPairs: 2 }).size).toBe(0);
  expect(of({ weeks: 3, shares: 9 }).size).toBe(0);
  const idle = { couponRate: 0, sharesPerWeek: 0, brandChance: 0 };
  expect(saidOf({ ...nothing, lines: 9, weeks: 50 }, idle)).toEqual([]);
});

test("who buys reduced goods more often than the same goods are sold so is sensitive to prices", () => {
  const bought = { lines: 10, expectedReduced: 2 };
  expect(of({ ...bought, reduced: 8 }).get("price_sensitivity")).toMatchObject({
    ...{ value: "high", confidence: 0.67 },
    reason: { pricedLines: 10, reducedLines: 8, ratio: 2.5 },
  });
  expect(of({ ...bought, reduced: 2 }).get("price_sensitivity")!.value).toBe("medium");
  expect(of({ lines: 40, expectedReduced: 8, reduced: 1 }).get("price_sensitivity")!.value).toBe(
    "low",
  );
  const coupons = of({ couponsOver: 5, couponsUsed: 5 }).get("price_sensitivity")!;
  expect(coupons).toMatchObject({ value: "high", reason: { couponsUsed: 5, ratio: 2.33 } });
});

test("who buys one brand over and over is loyal to it", () => {
  expect(of({ brandLines: 10, sameBrandPairs: 90 }).get("brand_loyalty")!.value).toBe("high");
  expect(of({ brandLines: 10, sameBrandPairs: 0 }).get("brand_loyalty")!.value).toBe("low");
  // Three lines of one brand are no proof.
  expect(of({ brandLines: 3, sameBrandPairs: 6 }).get("brand_loyalty")!.reason).toEqual({
    ...{ brandLines: 3, sameBrandPercent: 70, shopBrandPercent: 10 },
  });
});

test("who shares more than others in as many weeks is willing to", () => {
  expect(of({ weeks: 20.9, shares: 5 }).get("share_willingness")).toMatchObject({
    ...{ value: "high", reason: { shares: 5, weeks: 20, ratio: 2.33 } },
  });
  expect(of({ weeks: 52, shares: 0 }).get("share_willingness")!.value).toBe("low");
});

test("more of it never lowers the ratio, and without anything to go by it is 1", () => {
  expect(ratioOf(0, 0)).toBe(1);
  fc.assert(
    fc.property(fc.nat(1000), fc.double({ min: 0, max: 1000, noNaN: true }), (seen, expected) => {
      expect(ratioOf(seen + 1, expected)).toBeGreaterThan(ratioOf(seen, expected));
      expect(["high", "medium", "low"]).toContain(levelOf(ratioOf(seen, expected)));
    }),
  );
});
