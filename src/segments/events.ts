// What happened to segments, as other domains see it.
import { z } from "zod";

/** A segment is there, or its rule changed: all of it is to be worked out. Belongs to no person. */
export const defined = {
  name: "segments.defined",
  data: z.object({ segment: z.uuid(), version: z.number() }),
};

const change = z.object({
  segment: z.uuid(),
  version: z.number(), // of the rule that let them in or out
  at: z.iso.datetime(), // shop clock
  /** The line of the tag log, or the event, behind it; null where time or the definition was. */
  cause: z.object({ kind: z.enum(["tag", "event"]), id: z.uuid() }).nullable(),
});
/** Somebody came to fit, or no longer does. Told only of segments that somebody listens to (service.listen). */
export const entered = { name: "segments.entered", data: change };
export const left = { name: "segments.left", data: change };
