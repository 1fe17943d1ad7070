// What happened to orders, as other domains see it.
import { z } from "zod";

export const recorded = {
  name: "orders.recorded",
  data: z.object({
    ref: z.string(),
    kind: z.enum(["sale", "refund"]),
    at: z.iso.datetime(),
    day: z.iso.date(),
    amountMinor: z.string(),
    eventId: z.uuid(),
  }),
  offer: {
    zh: "一笔订单或退款已入账",
    en: "An order or a refund was recorded",
    example: {
      ref: "100234",
      kind: "sale",
      at: "2026-03-01T04:00:00.000Z",
      day: "2026-03-01",
      amountMinor: "25900",
      eventId: "01989b3e-7c1a-7000-8000-000000000001",
    },
  },
};
