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
};
/** The whole shop was learned from anew, and everybody looked at again. Belongs to no person. */
export const known = {
  name: "predict.known",
  data: z.object({ fit: z.uuid(), people: z.number() }),
};
