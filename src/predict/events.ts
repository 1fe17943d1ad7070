// What happened to what we know of people, as other domains see it.
import { z } from "zod";

/** What is said of a person changed, by an order or by time alone. */
export const staged = {
  name: "predict.staged",
  data: z.object({
    changes: z.array(
      z.object({
        tag: z.string(),
        before: z.string().nullable(),
        after: z.string().nullable(),
        log: z.uuid(), // the line of the tag log
      }),
    ),
    cause: z.uuid().nullable(), // the event behind it; null where time alone did it
  }),
  offer: {
    zh: "一个人的生命周期、RFM 等计算标签变了",
    en: "A tag worked out from somebody's orders changed: their stage, their RFM",
    example: {
      changes: [
        {
          tag: "stage",
          before: "active",
          after: "dormant",
          log: "01989b3e-7c1a-7000-8000-000000000001",
        },
      ],
      cause: null,
    },
  },
};
/** The whole shop was learned from anew, and everybody looked at again. Belongs to no person. */
export const known = {
  name: "predict.known",
  data: z.object({ fit: z.uuid(), people: z.number() }),
};
