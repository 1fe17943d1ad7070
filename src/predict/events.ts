// What happened to what we know of people, as other domains see it.
import { z } from "zod";

/** A person's stage changed by an order or by time alone. */
export const staged = {
  name: "predict.staged",
  data: z.object({
    from: z.string().nullable(),
    to: z.string(),
    log: z.uuid(), // the line of the tag log
    cause: z.uuid().nullable(), // the event behind it
  }),
};
/** The whole shop was learned from anew, and everybody looked at again. Belongs to no person. */
export const known = {
  name: "predict.known",
  data: z.object({ fit: z.uuid(), people: z.number() }),
};
