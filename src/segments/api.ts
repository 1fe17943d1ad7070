import { z } from "zod";
import { endpoint } from "#kernel/endpoint.ts";
import {
  askedTypes,
  conditionsLimit,
  depthLimit,
  everywhere,
  excesses,
  filtersLimit,
  groupLimit,
  isPath,
  misplaced,
  rolesLimit,
  stepsLimit,
  valuesLimit,
  windowLimitDays,
  type Level,
  type Rule,
} from "./rules.ts";

const instant = z.iso.datetime();
const sentence = z.object({ zh: z.string(), en: z.string() });
/** Names of tags and attributes: codes, so that a rule holds no free text. */
const code = z.string().regex(/^[a-z][a-z0-9_]{0,63}$/);
const value = z.string().min(1).max(200);

const codeText = z.string().min(1).max(200);
const comparison = z.enum(["eq", "ne", "lt", "le", "gt", "ge"]);
const precise = z.iso.datetime({ precision: 3 });
/** A rule's own numbers: whole ones beyond 2^53 were rounded before anybody could read them. */
const figure = z.number().min(-Number.MAX_SAFE_INTEGER).max(Number.MAX_SAFE_INTEGER);

/** A path into what an event says: "price", "products.0.sku". */
const property = z.string().min(1).max(300).refine(isPath);
const said = z.string().max(200);
const filter = z.union([
  z.strictObject({ property, is: comparison, value: z.union([said, figure]) }),
  z.strictObject({ property, is: z.enum(["eq", "ne"]), value: z.boolean() }),
  z.strictObject({
    property,
    is: z.literal("in"),
    values: z.union([
      z.array(said).min(1).max(valuesLimit),
      z.array(figure).min(1).max(valuesLimit),
    ]),
  }),
  z.strictObject({ property, is: z.literal("known") }),
]);
/** Of one event, all of them: of segments and of traits alike. */
export const filters = z.array(filter).max(filtersLimit);
const what = { event: codeText, where: filters.optional() };
const window = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("hours"),
    hours: z
      .number()
      .int()
      .min(1)
      .max(windowLimitDays * 24),
  }),
  z.strictObject({ kind: z.literal("days"), days: z.number().int().min(1).max(windowLimitDays) }),
  z.strictObject({ kind: z.literal("since"), at: precise }),
  z
    .strictObject({ kind: z.literal("between"), from: precise, until: precise })
    .refine(({ from, until }) => from < until, { path: ["until"] })
    .refine(
      ({ from, until }) => Date.parse(until) - Date.parse(from) <= windowLimitDays * 86_400_000,
      { path: ["until"] },
    ),
  z.strictObject({ kind: z.literal("ever") }),
]);
const segmentIds = z.array(z.uuid()).min(1).max(10);
/**
 * The rule language as JSON. What each kind means, also for people of whom nothing is known, stands in rules.ts. An
 * address is given as `values` and kept as its blind indexes alone.
 */
type RuleJson =
  | Exclude<Rule, { of: unknown } | { fits: unknown } | { kind: "identifier" }>
  | { kind: "and" | "or"; of: RuleJson[] }
  | { kind: "not"; of: RuleJson }
  | (Omit<Extract<Rule, { kind: "company" }>, "fits"> & { fits: RuleJson })
  | (Omit<Extract<Rule, { kind: "staff" }>, "fits"> & { fits: RuleJson })
  | AddressJson;
type AddressJson = {
  kind: "identifier";
  type: (typeof askedTypes)[number];
  /** Whose numbers they are: of any type but an e-mail or a phone number. */
  source?: string | undefined;
  values?: string[] | undefined;
  blinds?: string[] | undefined;
};
const role = z.string().regex(/^[a-z][a-z0-9_]{0,39}$/);
const roles = z.array(role).max(rolesLimit).default([]);
const condition: z.ZodType<RuleJson> = z.lazy(() =>
  z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("everybody") }),
    z.strictObject({ kind: z.enum(["and", "or"]), of: z.array(condition).min(1).max(groupLimit) }),
    z.strictObject({ kind: z.literal("not"), of: condition }),
    z.strictObject({ kind: z.literal("tag"), tag: code, in: z.array(value).min(1).max(100) }),
    z.strictObject({ kind: z.literal("known"), attribute: code }),
    z.strictObject({ kind: z.literal("number"), attribute: code, is: comparison, value: figure }),
    z.strictObject({
      kind: z.literal("text"),
      attribute: code,
      in: z.array(value).min(1).max(100),
    }),
    z.strictObject({
      kind: z.literal("instant"),
      attribute: code,
      is: z.enum(["before", "from"]),
      at: precise,
    }),
    z.strictObject({
      kind: z.literal("days_since"),
      attribute: code,
      is: z.enum(["lt", "le", "gt", "ge"]),
      days: z.number().int().min(0).max(36_500),
    }),
    z.strictObject({
      kind: z.literal("events"),
      ...what,
      is: comparison,
      count: z.number().int().min(0).max(1_000_000),
      window,
    }),
    z.strictObject({ kind: z.literal("absent"), ...what, window }),
    z.strictObject({ kind: z.literal("first"), ...what, window }),
    z.strictObject({
      kind: z.literal("sequence"),
      steps: z.array(z.strictObject(what)).min(1).max(stepsLimit),
      withinHours: z
        .number()
        .int()
        .min(1)
        .max(windowLimitDays * 24),
      window,
    }),
    z
      .strictObject({
        kind: z.literal("identifier"),
        type: z.enum(askedTypes),
        source: z.uuid().optional(),
        values: z.array(z.string().min(1).max(254)).max(1000).optional(),
        blinds: z
          .array(z.string().regex(/^[0-9a-f]{64}$/))
          .max(1000)
          .optional(),
      })
      .refine(({ values = [], blinds = [] }) => values.length + blinds.length > 0, {
        path: ["values"],
      })
      .refine(
        ({ type, source, values = [] }) =>
          everywhere.has(type) || values.length === 0 || source !== undefined,
        { path: ["source"] },
      ),
    z.strictObject({
      kind: z.literal("sample"),
      seed: z.string().min(1).max(80),
      basisPoints: z.int().min(0).max(10_000),
    }),
    z.strictObject({ kind: z.literal("company"), roles, fits: condition }),
    z.strictObject({
      kind: z.literal("staff"),
      are: z.enum([...comparison.options, "every"]),
      count: z.int().min(0).max(1_000_000).default(1),
      roles,
      fits: condition,
    }),
    z.strictObject({ kind: z.literal("segment"), segment: z.uuid() }),
    z.strictObject({ kind: z.enum(["union", "intersect"]), segments: segmentIds }),
    z.strictObject({ kind: z.literal("except"), segment: z.uuid(), without: segmentIds }),
  ]),
);
// A rule holds rules: its JSON Schema would refer to itself, which a single operation of OpenAPI cannot. How large it is
// comes first: what each part says is not looked at in one that is too large.
const rule = z
  .unknown()
  .meta({
    description: `A rule: {kind, …}; groups (and, or, not) hold rules in \`of\`, company and staff one in \`fits\`. At most ${conditionsLimit} conditions, ${depthLimit} levels, ${groupLimit} in a group.`,
  })
  .superRefine((raw, context) => {
    for (const { path, ...params } of excesses(raw))
      context.addIssue({ code: "custom", path, params });
  })
  .pipe(condition);
const level = z.enum(["person", "company"]);
/** A rule asks of whom it is about, and names the field where it does not. */
const placed = <T extends { rule: RuleJson; level: Level }>(
  { rule: asked, level: at }: T,
  context: z.RefinementCtx,
): void => {
  const path = misplaced(asked as Rule, at);
  if (path)
    context.addIssue({
      code: "custom",
      path: ["rule", ...path],
      params:
        at === "company"
          ? { zh: "公司人群不能这样问", en: "not asked of companies here" }
          : { zh: "会员人群不能这样问", en: "not asked of people here" },
    });
};

const name = z.strictObject({ zh: z.string().min(1).max(80), en: z.string().min(1).max(80) });
const purpose = z.enum(["marketing", "service", "analysis"]);
const person = z.object({
  personId: z.uuid(),
  userId: z.string().nullable(),
  tags: z.record(z.string(), z.string()),
});
/** The line of a tag log, or the event, behind it; null where time or the definition was. */
const cause = z
  .object({
    kind: z.enum(["tag", "event"]),
    id: z.uuid(),
    name: sentence.nullable(), // of the event, or of the tag; null where a company's people brought it about
  })
  .nullable();
const company = z.object({ companyId: z.uuid(), name: z.string() });
const segment = z.object({
  id: z.uuid(),
  name,
  /** Of companies, `people` counts companies. */
  level,
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
        cause,
      }),
    ),
    /** Of a segment of companies, in the place of `members`. */
    companies: z.array(company.extend({ since: instant, cause })),
    next: z.string().nullable(),
    /** What asks for it: while there is anything, it cannot be deleted. */
    uses: z.array(
      z.object({
        kind: z.enum(["segment", "tag", "company_tag", "programme", "webhook"]),
        id: z.string(), // a tag's or a programme's code
        name: sentence,
      }),
    ),
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
  input: z
    .strictObject({
      id: z.uuid().optional(),
      name,
      /** Whom the rule is about. Never changes. */
      level: level.default("person"),
      rule,
      purpose,
    })
    .superRefine(placed),
  output: z.object({ id: z.uuid(), version: z.number(), sentence }),
  failures: [
    "segments.unknown",
    "segments.unknown_in_rule",
    "segments.unknown_tag",
    "segments.unknown_attribute",
    "segments.circular",
    "segments.level_fixed",
  ],
});

export const remove = endpoint({
  method: "DELETE",
  path: "/v1/segments/:segment",
  permission: "segments:write",
  summary: {
    zh: "删除一个人群：成员全部离开，定格名单一并删除，会员的历史记录保留；还有人群、标签、运营计划或 Webhook 在用时不能删",
    en: "Deletes a segment: its members leave, lists that were kept of it go, and members' own histories stay; refused while a segment, a tag, a programme or a webhook asks for it",
  },
  input: z.strictObject({ segment: z.uuid() }),
  output: z.object({}),
  failures: ["segments.unknown", "segments.in_use"],
});

/** Which of the engines counted, and what it had not been told yet at that instant. */
const freshness = z.object({
  engine: z.enum(["postgres", "clickhouse"]),
  upToDate: z.boolean(),
});
export const preview = endpoint({
  method: "POST",
  path: "/v1/segments/preview",
  permission: "segments:read",
  summary: {
    zh: "预览一条规则：此刻有多少人，其中五位是谁",
    en: "Tries a rule: how many people fit it now, and five of them",
  },
  input: z.strictObject({ level: level.default("person"), rule }).superRefine(placed),
  output: z.object({
    people: z.number(),
    of: z.number(),
    sentence,
    sample: z.array(person),
    /** Of a rule about companies, in the place of `sample`. */
    companies: z.array(company),
    at: instant,
    freshness,
  }),
  failures: [
    "segments.unknown_in_rule",
    "segments.unknown_tag",
    "segments.unknown_attribute",
    "segments.superseded",
  ],
});

/** `label`: what the shop calls it, where it declared it; declared ones stand here before anybody has them. */
const attributes = z.array(
  z.object({
    name: z.string(),
    type: z.enum(["text", "number", "instant"]),
    label: sentence.nullable(),
    /** Of one that has some only. */
    values: z.array(z.object({ value: z.string(), label: sentence })),
  }),
);
const tags = z.array(
  z.object({
    name: z.string(),
    values: z.array(z.object({ value: z.string(), label: sentence.nullable() })),
    label: sentence.nullable(),
  }),
);
export const suggest = endpoint({
  method: "GET",
  path: "/v1/segments/suggestions",
  permission: "segments:read",
  summary: {
    zh: "规则里可以用到的事件、属性和标签",
    en: "Events, properties, attributes and tags that a rule can ask about",
  },
  input: z.strictObject({}),
  output: z.object({
    events: z.array(
      z.object({
        name: z.string(),
        label: sentence.nullable(), // of the common vocabulary's
        properties: z.array(
          z.object({
            name: z.string(),
            label: sentence.nullable(),
            type: z.enum(["text", "number", "boolean"]),
          }),
        ),
      }),
    ),
    attributes,
    tags,
    /** The same of companies, and what one can be in a company. */
    companies: z.object({
      attributes,
      tags,
      roles: z.array(z.object({ code: z.string(), name: sentence })),
    }),
    /** Whose numbers of people may be asked for. */
    sources: z.array(z.object({ id: z.uuid(), name: z.string() })),
  }),
  failures: [],
});

const day = z.iso.date();
export const history = endpoint({
  method: "GET",
  path: "/v1/segments/:segment/history",
  permission: "segments:read",
  summary: {
    zh: "一个人群每天的人数、进入和离开",
    en: "How large a segment was at the end of each day, and who came and went",
  },
  input: z.strictObject({
    segment: z.uuid(),
    days: z.coerce.number().int().min(1).max(windowLimitDays).default(30),
  }),
  output: z.object({
    days: z.array(z.object({ day, people: z.number(), entered: z.number(), left: z.number() })),
  }),
  failures: ["segments.unknown"],
});

const change = z.object({
  change: z.enum(["entered", "left"]),
  at: instant,
  version: z.number(), // of the rule
  cause,
});
export const changes = endpoint({
  method: "GET",
  path: "/v1/segments/:segment/changes",
  permission: "segments:read",
  summary: {
    zh: "谁进入、谁离开了一个人群，因为什么",
    en: "Who came into a segment and who left it, and why",
  },
  input: z.strictObject({
    segment: z.uuid(),
    after: z.string().max(80).optional(), // the last page's `next`
    limit: z.coerce.number().int().min(1).max(200).default(50),
  }),
  output: z.object({
    changes: z.array(
      z.object({ personId: z.uuid(), userId: z.string().nullable() }).extend(change.shape),
    ),
    /** Of a segment of companies, in the place of `changes`. */
    companies: z.array(company.extend(change.shape)),
    next: z.string().nullable(),
    /** Times when all of it was worked out and not of everybody the cause was looked for, the latest ten. */
    recounts: z.array(
      z.object({ at: instant, entered: z.number(), left: z.number(), asked: z.number() }),
    ),
  }),
  failures: ["segments.unknown"],
});

export const freeze = endpoint({
  method: "POST",
  path: "/v1/segments/:segment/snapshots",
  permission: "segments:write",
  summary: {
    zh: "把人群此刻的名单定格下来",
    en: "Keeps who is in a segment now as a list that does not change",
  },
  input: z.strictObject({ segment: z.uuid(), name: z.string().min(1).max(80) }),
  output: z.object({ id: z.uuid(), people: z.number(), takenAt: instant }),
  failures: ["segments.unknown", "segments.too_many_snapshots"],
});
export const snapshots = endpoint({
  method: "GET",
  path: "/v1/segments/:segment/snapshots",
  permission: "segments:read",
  summary: { zh: "一个人群定格过的名单", en: "The lists that were kept of a segment" },
  input: z.strictObject({ segment: z.uuid() }),
  output: z.object({
    snapshots: z.array(
      z.object({
        id: z.uuid(),
        name: z.string(),
        people: z.number(), // who were in it; fewer once somebody was erased
        takenAt: instant,
        version: z.number(),
        sentence,
      }),
    ),
  }),
  failures: ["segments.unknown"],
});

export const snapshot = endpoint({
  method: "GET",
  path: "/v1/segments/:segment/snapshots/:snapshot",
  permission: "segments:read",
  summary: { zh: "一份定格名单上有谁", en: "Who is on a list that was kept" },
  input: z.strictObject({
    segment: z.uuid(),
    snapshot: z.uuid(),
    after: z.string().max(80).optional(), // the last page's `next`
    limit: z.coerce.number().int().min(1).max(200).default(50),
  }),
  output: z.object({
    id: z.uuid(),
    name: z.string(),
    level,
    people: z.number(), // who were in it when it was kept
    takenAt: instant,
    version: z.number(),
    sentence,
    members: z.array(person),
    companies: z.array(company), // of a segment of companies
    next: z.string().nullable(),
  }),
  failures: ["segments.unknown"],
});

/** A segment as it is now, or a list that was kept of one. */
const side = z.string().regex(/^(segment|snapshot):[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
const part = z.object({
  people: z.number(),
  /** Of these people, by lifecycle stage; "" where none is known. */
  stages: z.record(z.string(), z.number()),
  averageSpentMinor: z.number().nullable(),
});
export const compare = endpoint({
  method: "GET",
  path: "/v1/segments/compare",
  permission: "segments:read",
  summary: {
    zh: "比较两个人群，或人群的现在与定格时",
    en: "Compares two segments, or a segment with a list kept of it",
  },
  input: z.strictObject({ a: side, b: side }),
  output: z.object({ onlyA: part, both: part, onlyB: part }),
  failures: ["segments.unknown"],
});
export const overlap = endpoint({
  method: "GET",
  path: "/v1/segments/overlap",
  permission: "segments:read",
  summary: {
    zh: "若干人群两两之间有多少人重合",
    en: "How many people each two of some segments share",
  },
  input: z.strictObject({
    segments: z
      .string()
      .transform((text) => [...new Set(text.split(","))])
      .pipe(z.array(z.uuid()).min(1).max(10)),
  }),
  output: z.object({
    /** Each two once, and each with itself: then all of it. */
    pairs: z.array(z.object({ a: z.uuid(), b: z.uuid(), people: z.number() })),
  }),
  failures: ["segments.unknown"],
});
