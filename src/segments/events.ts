// What happened to segments, as other domains see it.
import { z } from "zod";

/** A segment is there, or its rule changed: all of it is to be worked out. Belongs to no person. */
export const defined = {
  name: "segments.defined",
  data: z.object({ segment: z.uuid(), version: z.number() }),
};

/** A segment was deleted: its people leave it. Belongs to no person. */
export const removed = {
  name: "segments.removed",
  data: z.object({
    segment: z.uuid(),
    version: z.number(), // of its last rule
    lists: z.array(z.uuid()), // that were kept of it
  }),
};

const change = z.object({
  segment: z.uuid(),
  version: z.number(), // of the rule that let them in or out
  at: z.iso.datetime(), // shop clock
  /** The line of the tag log, or the event, behind it; null where time or the definition was. */
  cause: z.object({ kind: z.enum(["tag", "event"]), id: z.uuid() }).nullable(),
});
const example = {
  segment: "01890000-0000-7000-8000-000000000001",
  version: 1,
  at: "2026-03-01T04:00:00.000Z",
  cause: { kind: "event", id: "01890000-0000-7000-8000-000000000002" },
};
const companyChange = change.extend({ company: z.uuid() });
const company = { ...example, company: "01890000-0000-7000-8000-000000000003" };
/** The same of companies, in segments of companies. Belongs to no person. */
export const companyEntered = {
  name: "segments.company_entered",
  data: companyChange,
  offer: {
    zh: "有公司进入了一个公司人群",
    en: "A company came into a segment of companies",
    example: company,
  },
};
export const companyLeft = {
  name: "segments.company_left",
  data: companyChange,
  offer: {
    zh: "有公司离开了一个公司人群",
    en: "A company left a segment of companies",
    example: company,
  },
};
/** Somebody came to fit, or no longer does. Told only where somebody listens (service.listen, or a webhook). */
export const entered = {
  name: "segments.entered",
  data: change,
  offer: { zh: "有人进入了一个人群", en: "Somebody came into a segment", example },
};
export const left = {
  name: "segments.left",
  data: change,
  offer: { zh: "有人离开了一个人群", en: "Somebody left a segment", example },
};
