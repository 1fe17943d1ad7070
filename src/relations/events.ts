// What was told between two people, for the side of one of them: each side is worked out alone, as often as it takes.
import { z } from "zod";

export const told = {
  name: "relations.told",
  data: z.object({ otherBucket: z.int(), other: z.uuid() }),
};
/** Somebody who stood to this person in some way is gone: what was counted of them is counted anew. */
export const lost = { name: "relations.lost", data: z.object({}) };
