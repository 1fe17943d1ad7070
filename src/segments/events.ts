// What happened to segments, as other domains see it.
import { z } from "zod";

/** A segment is there, or its rule changed: all of it is to be worked out. Belongs to no person. */
export const defined = {
  name: "segments.defined",
  data: z.object({ segment: z.uuid(), version: z.number() }),
};
