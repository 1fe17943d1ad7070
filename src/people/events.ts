// What happened to what is said of people, as other systems see it.
import { z } from "zod";

/** Told only where somebody listens. `before` and `after` are null where there was, or is, no such tag. */
export const tagged = {
  name: "people.tagged",
  data: z.object({
    tag: z.string(),
    before: z.string().nullable(),
    after: z.string().nullable(),
    kind: z.string(), // rule, statistic, model or hand
    log: z.uuid(), // the line of the tag log
  }),
  offer: {
    zh: "有人的一个标签变了，不管是算出来的还是手动打的",
    en: "A tag of somebody’s changed, whether worked out or set by hand",
    example: {
      tag: "vip",
      before: null,
      after: "gold",
      kind: "hand",
      log: "01989b3e-7c1a-7000-8000-000000000001",
    },
  },
};
