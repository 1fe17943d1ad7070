// What happened to messages and consents, as other systems see it.
import { z } from "zod";

/** Told only where somebody listens. No proof and no address is in it. */
export const consented = {
  name: "messages.consented",
  data: z.object({
    purpose: z.string(),
    channel: z.string(),
    granted: z.boolean(),
    textVersion: z.string(),
    at: z.iso.datetime(), // when it was said, on the shop's clock
  }),
  offer: {
    zh: "有人同意接收，或收回了同意",
    en: "Somebody gave their consent, or took it back",
    example: {
      purpose: "marketing",
      channel: "email",
      granted: false,
      textVersion: "2026-01",
      at: "2026-03-01T04:00:00.000Z",
    },
  },
};
