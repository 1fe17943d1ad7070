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
};
