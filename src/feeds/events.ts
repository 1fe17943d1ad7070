// What happened to webhooks, as other systems see it.
import { z } from "zod";

export const disabled = {
  name: "feeds.disabled",
  data: z.object({ webhook: z.uuid(), reason: z.enum(["gone", "failing"]) }),
  offer: {
    zh: "一个 Webhook 被自动停用：对方回答 410，或连续多天全部失败",
    en: "A webhook was turned off: the other side said 410, or nothing but failures came for days",
    example: { webhook: "01989b3e-7c1a-7000-8000-000000000001", reason: "failing" },
  },
};
