import fc from "fast-check";
import { expect, test } from "vitest";
import {
  codeOf,
  discount,
  holding,
  normalCode,
  room,
  ruleText,
  worst,
  type Benefit,
} from "./rules.ts";

const benefit: fc.Arbitrary<Benefit> = fc.oneof(
  fc.record({
    kind: fc.constant("percent" as const),
    valueBp: fc.integer({ min: 1, max: 10_000 }),
    maxOffMinor: fc.option(fc.bigInt(1n, 100_000n)),
  }),
  fc.record({ kind: fc.constant("amount" as const), amountMinor: fc.bigInt(1n, 100_000n) }),
);

test("a coupon takes off no more than the order, and no more than the budget holds for it", () => {
  fc.assert(
    fc.property(
      benefit,
      fc.bigInt(0n, 50_000n),
      fc.bigInt(0n, 10_000_000n),
      (what, minSpendMinor, amountMinor) => {
        const rule = { benefit: what, minSpendMinor, currency: "GBP", ttlDays: 30 };
        const off = discount(rule, { amountMinor, currency: "GBP" });
        expect(off.ok).toBe(amountMinor >= minSpendMinor);
        if (!off.ok) return;
        expect(off.value >= 0n && off.value <= amountMinor).toBe(true);
        const held = holding(what, { couponLimit: null, budgetMinor: 1n });
        expect(held.ok).toBe(worst(what) !== null);
        if (held.ok) expect(off.value <= held.value).toBe(true);
      },
    ),
  );
  const gbp = {
    benefit: { kind: "amount", amountMinor: 5n } as const,
    minSpendMinor: 0n,
    currency: "GBP",
    ttlDays: 1,
  };
  expect(discount(gbp, { amountMinor: 9n, currency: "EUR" })).toMatchObject({
    code: "offers.currency",
  });
});

test("a budget has room for exactly as many coupons as both of its limits allow", () => {
  fc.assert(
    fc.property(
      fc.option(fc.integer({ min: 1, max: 100 })),
      fc.option(fc.bigInt(1n, 1000n)),
      fc.bigInt(0n, 50n),
      fc.integer({ min: 0, max: 200 }),
      (couponLimit, minorLimit, held, asked) => {
        const n = room({ couponLimit, coupons: 0, minorLimit, minor: 0n }, held, asked);
        const fits = (count: number) =>
          (couponLimit === null || count <= couponLimit) &&
          (minorLimit === null || BigInt(count) * held <= minorLimit);
        expect(fits(n)).toBe(true);
        expect(n === asked || !fits(n + 1)).toBe(true);
      },
    ),
  );
});

test("the rule reads itself out in both languages", () => {
  const rule = { minSpendMinor: 2000n, currency: "GBP", ttlDays: 30 };
  const percent = { kind: "percent", valueBp: 1250, maxOffMinor: 1050n } as const;
  expect(ruleText({ ...rule, benefit: percent })).toEqual({
    zh: "一单满 £20 打 8.75 折，最多减 £10.50；到手后 30 天内有效，限用一次。",
    en: "12.5% off an order of £20 or more, £10.50 at most; good for 30 days after you receive it, once.",
  });
  const amount = { kind: "amount", amountMinor: 500n } as const;
  expect(ruleText({ ...rule, minSpendMinor: 0n, ttlDays: 1, benefit: amount })).toEqual({
    zh: "任意一单立减 £5；到手后 1 天内有效，限用一次。",
    en: "£5 off any order; good for 1 day after you receive it, once.",
  });
});

test("a code survives being read out and typed", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 8, maxLength: 32 }), (bytes) => {
      const code = codeOf(bytes);
      expect(code).toMatch(/^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$/);
      const typed = code
        .toLowerCase()
        .replaceAll("-", " ")
        .replaceAll("0", "o")
        .replaceAll("1", "l");
      expect(normalCode(typed)).toBe(normalCode(code));
    }),
  );
});
