// What happened to coupons, as other domains and webhooks see it. A code is never in it.
import { z } from "zod";

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
};
