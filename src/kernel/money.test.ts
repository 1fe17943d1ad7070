import fc from "fast-check";
import { expect, test } from "vitest";
import { lineMinor, minorDigits, parseUnitPrice, unitPriceText } from "./money.ts";

const quantity = fc.integer({ min: -1_000_000, max: 1_000_000 });
const price = fc.integer({ min: -999_999_999, max: 999_999_999 });
const digits = fc.constantFrom(0, 2, 3, 4);

test("a line is the exact product, rounded half away from zero", () => {
  fc.assert(
    fc.property(quantity, price, digits, (n, unit, places) => {
      const by = 10n ** BigInt(4 - places);
      const minor = BigInt(lineMinor(n, unit, places));
      const off = minor * by - BigInt(n) * BigInt(unit); // how far rounding went, in ten-thousandths
      const twice = 2n * (off < 0n ? -off : off);
      expect(twice <= by).toBe(true);
      // At exactly one half, away from zero.
      if (twice === by) expect(off > 0n).toBe(n * unit > 0);
    }),
    { numRuns: 5_000 },
  );
});

test("a refund is its sale with the sign turned, and nothing is minus zero", () => {
  fc.assert(
    fc.property(quantity, price, digits, (n, unit, places) => {
      const sale = lineMinor(n, unit, places);
      expect(lineMinor(-n, unit, places) + sale).toBe(0);
      expect(Object.is(sale, -0)).toBe(false);
    }),
    { numRuns: 5_000 },
  );
  expect(Object.is(lineMinor(-1, 1), 0)).toBe(true);
});

test.each([
  [3, "0.005", "CNY", 2], // 0.015
  [1, "0.005", "GBP", 1],
  [-1, "0.005", "GBP", -1],
  [1, "0.0049", "GBP", 0],
  [1, "2.5", "JPY", 3],
  [-1, "2.5", "JPY", -3],
  [1, "2.4999", "JPY", 2],
  [1, "1.0005", "KWD", 1001],
  [7, "1.2344", "KWD", 8641], // 8.6408
  [1, "0.0001", "CLF", 1],
  [99_999, "99999999999.9999", "GBP", 999_989_999_999_999_000], // beyond 2^53 on the way: the nearest number
])("%i × %s %s is %i minor units", (n, unit, currency, minor) => {
  expect(lineMinor(n, parseUnitPrice(unit)!, minorDigits(currency))).toBe(minor);
});

test("a unit price has up to four places, and is read back as it was", () => {
  fc.assert(
    fc.property(fc.integer({ min: -99_999_999_999_999, max: 99_999_999_999_999 }), (unit) => {
      expect(parseUnitPrice(unitPriceText(unit))).toBe(unit === 0 ? 0 : unit);
    }),
  );
  for (const [text, unit] of [
    ["2.55", 25_500],
    ["0.001", 10],
    ["-11062.06", -110_620_600],
    ["3", 30_000],
    ["1.50000000", 15_000],
    ["-0", 0],
  ] as const)
    expect(Object.is(parseUnitPrice(text), unit)).toBe(true);
  for (const text of [
    "",
    "1.",
    ".5",
    "1.00001",
    "1e3",
    "１",
    "1,5",
    " 1",
    "+1",
    "--1",
    "NaN",
    "Infinity",
    "0x10",
    "123456789012",
  ])
    expect(parseUnitPrice(text)).toBeNull();
});

test("currencies have the minor digits that ISO 4217 gives them", () => {
  const all = Object.fromEntries(
    ["CNY", "GBP", "USD", "JPY", "KRW", "KWD", "BHD", "CLF"].map((c) => [c, minorDigits(c)]),
  );
  expect(all).toEqual({ CNY: 2, GBP: 2, USD: 2, JPY: 0, KRW: 0, KWD: 3, BHD: 3, CLF: 4 });
});
