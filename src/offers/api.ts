import { z } from "zod";
import { endpoint } from "#kernel/endpoint.ts";

/** Minor units: a bigint inside, a string in JSON, because a client would round it above 2^53. */
const minor = (range: z.ZodBigInt) =>
  z.codec(z.string().regex(/^\d{1,15}$/), range, { decode: BigInt, encode: String });
const some = minor(z.bigint().min(1n).max(100_000_000_000n));
const minorAmount = minor(z.bigint().nonnegative());
const currency = z.string().regex(/^[A-Z]{3}$/);
const sentence = z.object({ zh: z.string(), en: z.string() });
const named = z.strictObject({
  zh: z.string().trim().min(1).max(60),
  en: z.string().trim().min(1).max(60),
});

const state = z.enum(["issued", "claimed", "redeemed", "expired", "revoked"]);
const budget = z.object({
  couponLimit: z.int().nullable(),
  coupons: z.int(),
  minorLimit: minorAmount.nullable(),
  /** Given away already, and held for coupons that may still be used. */
  minor: minorAmount,
});
const campaign = z.object({
  id: z.uuid(),
  name: named,
  /** The rule as everybody may read it. */
  rule: sentence,
  currency,
  ttlDays: z.int(),
  perPerson: z.int(),
  /** May a person take one by themselves? */
  open: z.boolean(),
  state: z.enum(["running", "stopped"]),
  at: z.iso.datetime(),
  budget,
});

export const list = endpoint({
  method: "GET",
  path: "/v1/offers",
  permission: "offers:read",
  summary: { zh: "全部优惠活动", en: "All coupon campaigns" },
  input: z.strictObject({}),
  output: z.object({ campaigns: z.array(campaign) }),
  failures: [],
});

export const create = endpoint({
  method: "POST",
  path: "/v1/offers",
  permission: "offers:write",
  summary: { zh: "新建优惠活动", en: "Make a coupon campaign" },
  input: z.strictObject({
    name: named,
    currency,
    /** Off the order: a part of it, in basis points and at most `maxOffMinor`, or a fixed amount. */
    benefit: z.discriminatedUnion("kind", [
      z.strictObject({
        kind: z.literal("percent"),
        valueBp: z.int().min(1).max(10_000),
        maxOffMinor: some.nullable().default(null),
      }),
      z.strictObject({ kind: z.literal("amount"), amountMinor: some }),
    ]),
    minSpendMinor: minorAmount.default(0n),
    ttlDays: z.int().min(1).max(3650),
    perPerson: z.int().min(1).max(1000).default(1),
    open: z.boolean().default(false),
    /** At least one of the two. A budget in money needs to know what a coupon can cost at most. */
    couponLimit: z.int().min(1).max(100_000_000).nullable().default(null),
    budgetMinor: some.nullable().default(null),
  }),
  output: z.object({ id: z.uuid(), rule: sentence }),
  failures: ["offers.no_budget", "offers.unbounded"],
});

export const one = endpoint({
  method: "GET",
  path: "/v1/offers/:campaign",
  permission: "offers:read",
  summary: {
    zh: "一个优惠活动的预算与用券情况",
    en: "One campaign: its budget and what became of it",
  },
  input: z.strictObject({ campaign: z.uuid() }),
  output: campaign.extend({
    figures: z.object({
      issued: z.int(),
      claimed: z.int(),
      redeemed: z.int(),
      expired: z.int(),
      revoked: z.int(),
      /** People who have more than one person may have since several became one, and how many coupons too many. */
      excess: z.object({ people: z.int(), coupons: z.int() }),
      /** Of the redeemed: what came off, and what the orders came to before that. */
      discountMinor: minorAmount,
      ordersMinor: minorAmount,
    }),
  }),
  failures: ["offers.unknown"],
});

export const stop = endpoint({
  method: "POST",
  path: "/v1/offers/:campaign/stop",
  permission: "offers:write",
  summary: {
    zh: "停止发券（已发出的券仍可使用）",
    en: "Give out no more coupons; those given out stay good",
  },
  input: z.strictObject({ campaign: z.uuid() }),
  output: z.object({ state: z.literal("stopped") }),
  failures: ["offers.unknown"],
});

const given = z.object({
  coupon: z.uuid(),
  expiresAt: z.iso.datetime(),
});
export const issue = endpoint({
  method: "POST",
  path: "/v1/offers/:campaign/coupons",
  permission: "offers:write",
  summary: { zh: "给一位会员发一张券", en: "Give one coupon to a member" },
  input: z.strictObject({ campaign: z.uuid(), person: z.uuid() }),
  output: given,
  failures: [
    "people.unknown",
    "offers.unknown",
    "offers.stopped",
    "offers.person_limit",
    "offers.budget_spent",
  ],
});

export const revoke = endpoint({
  method: "POST",
  path: "/v1/members/:person/coupons/:coupon/revoke",
  permission: "offers:write",
  summary: { zh: "收回一张未使用的券", en: "Take back a coupon that was not used" },
  input: z.strictObject({ person: z.uuid(), coupon: z.uuid() }),
  output: z.object({ state: z.literal("revoked") }),
  failures: ["people.unknown", "offers.coupon_unknown", "offers.coupon_used"],
});

export const ofMember = endpoint({
  method: "GET",
  path: "/v1/members/:person/coupons",
  permission: "members:read",
  scopes: ["cases"],
  summary: { zh: "一位会员的券（不显示券码）", en: "A member's coupons, without their codes" },
  input: z.strictObject({ person: z.uuid() }),
  output: z.object({
    coupons: z.array(
      z.object({
        coupon: z.uuid(),
        campaign: z.uuid(),
        name: sentence,
        rule: sentence,
        state,
        issuedAt: z.iso.datetime(),
        expiresAt: z.iso.datetime(),
        redeemedAt: z.iso.datetime().nullable(),
        orderRef: z.string().nullable(),
        discountMinor: minorAmount.nullable(),
        currency,
        cause: z.string(),
      }),
    ),
    /** Of these they have more than one member may have, since several became one. Nothing is taken back. */
    excess: z.array(
      z.object({ campaign: z.uuid(), name: sentence, coupons: z.int(), perPerson: z.int() }),
    ),
  }),
  failures: ["people.unknown", "request.forbidden"],
});

export const redeem = endpoint({
  method: "POST",
  path: "/v1/coupons/redemptions",
  permission: "events:write",
  summary: {
    zh: "用券（仅限商店服务器调用）",
    en: "Use a coupon on an order; for the shop's own server",
  },
  input: z.strictObject({
    code: z.string().min(1).max(64),
    /** The order it is used on, by the shop's own number. The same order again gives the same answer. */
    order: z.string().min(1).max(100),
    /** What the order comes to before the coupon. */
    amountMinor: minorAmount,
    currency,
  }),
  output: z.object({
    coupon: z.uuid(),
    campaign: z.uuid(),
    person: z.uuid(),
    discountMinor: minorAmount,
  }),
  failures: [
    "offers.server_only",
    "offers.code_unknown",
    "offers.coupon_used",
    "offers.coupon_expired",
    "offers.coupon_revoked",
    "offers.currency",
    "offers.spend_short",
  ],
});

const mine = given.extend({
  code: z.string(),
  name: sentence,
  rule: sentence,
  state,
  currency,
});
export const myCoupons = endpoint({
  method: "GET",
  path: "/v1/me/coupons",
  permission: "person",
  summary: { zh: "我的券", en: "My coupons" },
  input: z.strictObject({}),
  output: z.object({ coupons: z.array(mine) }),
  failures: ["request.forbidden"],
});

export const claim = endpoint({
  method: "POST",
  path: "/v1/me/offers/:campaign/claims",
  permission: "person",
  summary: { zh: "领一张券", en: "Take a coupon of an open campaign" },
  input: z.strictObject({ campaign: z.uuid() }),
  output: given,
  failures: [
    "request.forbidden",
    "offers.unknown",
    "offers.stopped",
    "offers.person_limit",
    "offers.budget_spent",
  ],
});
