// A coupon takes something off one order, once, before it runs out; and a campaign never gives more than its budget,
// neither in coupons nor in money.
import { minorDigits } from "#kernel/money.ts";
import { fail, ok, type Result } from "#kernel/result.ts";

export type Sentence = { zh: string; en: string };
/** What comes off: a part in basis points, at most `maxOffMinor`; or a fixed amount. Minor units. */
export type Benefit =
  | { kind: "percent"; valueBp: number; maxOffMinor: bigint | null }
  | { kind: "amount"; amountMinor: bigint };
export type Rule = {
  benefit: Benefit;
  minSpendMinor: bigint;
  currency: string;
  ttlDays: number;
};
export type CouponState = "issued" | "claimed" | "redeemed" | "expired" | "revoked";
/** Limits of a campaign, at least one of them: coupons ever given out, minor units given away. */
export type Limits = { couponLimit: number | null; budgetMinor: bigint | null };

/** What a coupon can cost at most, in minor units; null where nothing bounds it. */
export const worst = (benefit: Benefit): bigint | null =>
  benefit.kind === "amount" ? benefit.amountMinor : benefit.maxOffMinor;

/** What the budget holds for each coupon given out: nothing where it is a number of coupons alone. */
export function holding(
  benefit: Benefit,
  { couponLimit, budgetMinor }: Limits,
): Result<bigint, "offers.no_budget" | "offers.unbounded"> {
  if (couponLimit === null && budgetMinor === null) return fail("offers.no_budget");
  if (budgetMinor === null) return ok(0n);
  const most = worst(benefit);
  return most === null ? fail("offers.unbounded") : ok(most);
}

/** How many of `asked` coupons a budget has room for. */
export function room(
  budget: {
    couponLimit: number | null;
    coupons: number;
    minorLimit: bigint | null;
    minor: bigint;
  },
  heldMinor: bigint,
  asked: number,
): number {
  const inCoupons = budget.couponLimit === null ? asked : budget.couponLimit - budget.coupons;
  const inMinor =
    budget.minorLimit === null || heldMinor === 0n
      ? asked
      : Number((budget.minorLimit - budget.minor) / heldMinor);
  return Math.max(0, Math.min(asked, inCoupons, inMinor));
}

/**
 * What comes off an order of `amountMinor`: never more than the order. A part of a minor unit goes to the shop, so that
 * many small orders cost no more than one large one.
 */
export function discount(
  { benefit, minSpendMinor, currency }: Rule,
  order: { amountMinor: bigint; currency: string },
): Result<bigint, "offers.currency" | "offers.spend_short"> {
  if (order.currency !== currency) return fail("offers.currency");
  if (order.amountMinor < minSpendMinor)
    return fail("offers.spend_short", { shortMinor: String(minSpendMinor - order.amountMinor) });
  const asked =
    benefit.kind === "amount"
      ? benefit.amountMinor
      : (order.amountMinor * BigInt(benefit.valueBp)) / 10_000n;
  const most = benefit.kind === "percent" ? (benefit.maxOffMinor ?? asked) : asked;
  const off = asked < most ? asked : most;
  return ok(off < order.amountMinor ? off : order.amountMinor);
}

/** A coupon given out at `at` is good for whole days of 24 hours. */
export const expiry = (at: Date, ttlDays: number): Date =>
  new Date(at.getTime() + ttlDays * 86_400_000);

const money = (minor: bigint, currency: string, language: "zh" | "en"): string => {
  const digits = minorDigits(currency);
  const text = String(minor).padStart(digits + 1, "0");
  const whole = text.slice(0, text.length - digits);
  const part = text.slice(text.length - digits);
  const amount = /^0*$/.test(part) ? whole : `${whole}.${part}`;
  return new Intl.NumberFormat(language === "zh" ? "zh-CN" : "en-GB", {
    style: "currency",
    currency,
    minimumFractionDigits: amount.includes(".") ? digits : 0,
  }).format(amount as Intl.StringNumericLiteral);
};
/** 12.5 % off is 8.75 折: tenths of the price that is left to pay. */
const fold = (valueBp: number): string => String((10_000 - valueBp) / 1000);

/** The rule as everybody may read it, made from the rule itself. */
export function ruleText({ benefit, minSpendMinor, currency, ttlDays }: Rule): Sentence {
  const pay = (minor: bigint, language: "zh" | "en") => money(minor, currency, language);
  const most = benefit.kind === "percent" ? benefit.maxOffMinor : null;
  const off =
    benefit.kind === "amount"
      ? {
          zh: `立减 ${pay(benefit.amountMinor, "zh")}`,
          en: `${pay(benefit.amountMinor, "en")} off`,
        }
      : {
          zh: benefit.valueBp === 10_000 ? "免单" : `打 ${fold(benefit.valueBp)} 折`,
          en: `${benefit.valueBp / 100}% off`,
        };
  const on =
    minSpendMinor === 0n
      ? { zh: "任意一单", en: "any order" }
      : {
          zh: `一单满 ${pay(minSpendMinor, "zh")} `,
          en: `an order of ${pay(minSpendMinor, "en")} or more`,
        };
  const atMost =
    most === null
      ? { zh: "", en: "" }
      : { zh: `，最多减 ${pay(most, "zh")}`, en: `, ${pay(most, "en")} at most` };
  const days = ttlDays === 1 ? "1 day" : `${ttlDays} days`;
  return {
    zh: `${on.zh}${off.zh}${atMost.zh}；到手后 ${ttlDays} 天内有效，限用一次。`,
    en: `${off.en} ${on.en}${atMost.en}; good for ${days} after you receive it, once.`,
  };
}

const letters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; // Crockford: none that is read as another
/** The code of a coupon from 8 bytes that only the shop can work out: 12 letters, 60 bits. */
export function codeOf(bytes: Uint8Array): string {
  let value = 0n;
  for (const byte of bytes.subarray(0, 8)) value = (value << 8n) | BigInt(byte);
  let code = "";
  for (let i = 0; i < 12; i++, value >>= 5n) code = letters[Number(value & 31n)]! + code;
  return `${code.slice(0, 4)}-${code.slice(4, 8)}-${code.slice(8)}`;
}
/** As it is compared: however it was typed, with O for 0 and I or L for 1. */
export const normalCode = (typed: string): string =>
  typed.toUpperCase().replaceAll(/[\s-]/g, "").replaceAll("O", "0").replaceAll(/[IL]/g, "1");
