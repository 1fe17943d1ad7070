// What happened to coupons, as other domains and webhooks see it. A code is never in it.
import { z } from "zod";

/** Told only where somebody listens: a programme gives them by the thousand. */
export const issued = {
  name: "offers.issued",
  data: z.object({
    coupon: z.uuid(),
    campaign: z.uuid(),
    cause: z.string(),
    expiresAt: z.iso.datetime(),
  }),
  offer: {
    zh: "有人得到了一张优惠券",
    en: "Somebody was given a coupon",
    example: {
      coupon: "01989b3e-7c1a-7000-8000-000000000001",
      campaign: "01989b3e-7c1a-7000-8000-000000000002",
      cause: "01989b3e-7c1a-7000-8000-000000000003",
      expiresAt: "2026-03-15T04:00:00.000Z",
    },
  },
};
export const redeemed = {
  name: "offers.redeemed",
  data: z.object({
    coupon: z.uuid(),
    campaign: z.uuid(),
    cause: z.string(),
    order: z.string(),
    discountMinor: z.string(),
    currency: z.string(),
  }),
  offer: {
    zh: "一张优惠券被用掉了",
    en: "A coupon was redeemed",
    example: {
      coupon: "01989b3e-7c1a-7000-8000-000000000001",
      campaign: "01989b3e-7c1a-7000-8000-000000000002",
      cause: "01989b3e-7c1a-7000-8000-000000000003",
      order: "100234",
      discountMinor: "2000",
      currency: "CNY",
    },
  },
};
