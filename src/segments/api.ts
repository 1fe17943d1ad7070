import { z } from "zod";
import { endpoint } from "#kernel/endpoint.ts";

const instant = z.iso.datetime();
const sentence = z.object({ zh: z.string(), en: z.string() });
/** Names of tags and attributes: codes, so that a rule holds no free text. */
const code = z.string().regex(/^[a-z][a-z0-9_]{0,63}$/);
const value = z.string().min(1).max(200);

/** The rule language as JSON. What each kind means, also for people of whom nothing is known, stands in rules.ts. */
type RuleJson =
  | { kind: "everybody" }
  | { kind: "and" | "or"; of: RuleJson[] }
  | { kind: "not"; of: RuleJson }
  | { kind: "tag"; tag: string; in: string[] }
  | { kind: "known"; attribute: string }
  | {
      kind: "number";
      attribute: string;
      is: "eq" | "ne" | "lt" | "le" | "gt" | "ge";
      value: number;
    }
  | { kind: "text"; attribute: string; in: string[] }
  | { kind: "instant"; attribute: string; is: "before" | "from"; at: string }
  | { kind: "days_since"; attribute: string; is: "lt" | "le" | "gt" | "ge"; days: number }
  | { kind: "segment"; segment: string };
const condition: z.ZodType<RuleJson> = z.lazy(() =>
  z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("everybody") }),
    z.strictObject({ kind: z.enum(["and", "or"]), of: z.array(condition).min(1).max(20) }),
    z.strictObject({ kind: z.literal("not"), of: condition }),
    z.strictObject({ kind: z.literal("tag"), tag: code, in: z.array(value).min(1).max(100) }),
    z.strictObject({ kind: z.literal("known"), attribute: code }),
    z.strictObject({
      kind: z.literal("number"),
      attribute: code,
      is: z.enum(["eq", "ne", "lt", "le", "gt", "ge"]),
      value: z.number(),
    }),
    z.strictObject({
      kind: z.literal("text"),
      attribute: code,
      in: z.array(value).min(1).max(100),
    }),
    z.strictObject({
      kind: z.literal("instant"),
      attribute: code,
      is: z.enum(["before", "from"]),
      at: z.iso.datetime({ precision: 3 }),
    }),
    z.strictObject({
      kind: z.literal("days_since"),
      attribute: code,
      is: z.enum(["lt", "le", "gt", "ge"]),
      days: z.number().int().min(0).max(36_500),
    }),
    z.strictObject({ kind: z.literal("segment"), segment: z.uuid() }),
  ]),
);
/** At most 100 conditions, 8 deep. */
const depth = (r: RuleJson): number =>
  r.kind === "and" || r.kind === "or"
    ? 1 + Math.max(...r.of.map(depth))
    : r.kind === "not"
      ? 1 + depth(r.of)
      : 1;
const count = (r: RuleJson): number =>
  r.kind === "and" || r.kind === "or"
    ? r.of.reduce((sum, one) => sum + count(one), 1)
    : r.kind === "not"
      ? 1 + count(r.of)
      : 1;
// A rule holds rules: its JSON Schema would refer to itself, which a single operation of OpenAPI cannot.
const rule = z
  .unknown()
  .meta({ description: "A rule: {kind, …}; groups (and, or, not) hold rules in `of`." })
  .pipe(condition.refine((r) => depth(r) <= 8 && count(r) <= 100));

const name = z.strictObject({ zh: z.string().min(1).max(80), en: z.string().min(1).max(80) });
const purpose = z.enum(["marketing", "service", "analysis"]);
const person = z.object({
  personId: z.uuid(),
  userId: z.string().nullable(),
  tags: z.record(z.string(), z.string()),
});
const segment = z.object({
  id: z.uuid(),
  name,
  purpose,
  version: z.number(),
  builtIn: z.string().nullable(), // the code of a definition that Liuke brings, such as dormant_worth
  people: z.number(),
  sentence, // the rule, read back
  refreshedAt: instant.nullable(), // when all of it was last worked out; single people are kept up at once
});

export const list = endpoint({
  method: "GET",
  path: "/v1/segments",
  permission: "segments:read",
  summary: { zh: "全部人群及其人数", en: "All segments, with how many people are in each" },
  input: z.strictObject({}),
  output: z.object({ segments: z.array(segment) }),
  failures: [],
});

export const show = endpoint({
  method: "GET",
  path: "/v1/segments/:segment",
  permission: "segments:read",
  summary: {
    zh: "一个人群：规则读作一句话，有哪些人",
    en: "One segment: its rule as a sentence, and the people in it",
  },
  input: z.strictObject({
    segment: z.uuid(),
    after: z.string().max(80).optional(), // the last page's `next`
    limit: z.coerce.number().int().min(1).max(200).default(50),
  }),
  output: segment.extend({
    rule: z.unknown(),
    members: z.array(
      person.extend({
        since: instant,
        /** The line of the tag log, or the event, that brought them in; null where time or the definition did. */
        cause: z.object({ kind: z.enum(["tag", "event"]), id: z.uuid() }).nullable(),
      }),
    ),
    next: z.string().nullable(),
  }),
  failures: ["segments.unknown"],
});

export const define = endpoint({
  method: "POST",
  path: "/v1/segments",
  permission: "segments:write",
  summary: {
    zh: "新建人群，或改动已有人群的规则",
    en: "Defines a segment, or changes the rule of one",
  },
  input: z.strictObject({ id: z.uuid().optional(), name, rule, purpose }),
  output: z.object({ id: z.uuid(), version: z.number(), sentence }),
  failures: ["segments.unknown", "segments.unknown_in_rule", "segments.circular"],
});

export const preview = endpoint({
  method: "POST",
  path: "/v1/segments/preview",
  permission: "segments:read",
  summary: {
    zh: "预览一条规则：此刻有多少人，其中五位是谁",
    en: "Tries a rule: how many people fit it now, and five of them",
  },
  input: z.strictObject({ rule }),
  output: z.object({ people: z.number(), of: z.number(), sentence, sample: z.array(person) }),
  failures: ["segments.unknown_in_rule"],
});
