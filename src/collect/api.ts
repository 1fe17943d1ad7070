import { z } from "zod";
import { endpoint } from "#kernel/endpoint.ts";
import { isNetworkText, protocols } from "./rules.ts";

const instant = z.iso.datetime();
const id = z.string().min(1).max(200);

/** One event as a shop, its server or its pages tell it. */
export const event = z.strictObject({
  /** The source's own name of this event: the same key again is the same event. */
  key: id,
  name: z.string().min(1).max(100),
  /** The shop's own number of the person. */
  user: id.optional(),
  /** A visitor nobody has named yet. */
  anonymous: id.optional(),
  at: z.iso.datetime({ offset: true }),
  data: z.record(z.string().max(100), z.unknown()).optional(),
  /** Of "identify": what the person is called, where they live, how they can be reached. */
  traits: z.record(z.string().max(100), z.unknown()).optional(),
});
/** In the document an event looks like one; at the door each is judged alone, so that none costs its neighbours. */
const { $schema: _, ...shape } = z.toJSONSchema(event, { io: "input" });

export const verdict = z.object({
  verdict: z.enum(["accepted", "double", "refused"]),
  id: z.uuid().nullable(), // of the event in the log; null where it was refused
  reason: z.string().nullable(), // a code
  field: z.string().nullable(), // as "events.3.at"
});
/** One verdict for each that was sent, in order, and how many of each there are. */
export const verdicts = z.object({
  accepted: z.number(),
  doubles: z.number(),
  refused: z.number(),
  results: z.array(verdict),
});

export const send = endpoint({
  method: "POST",
  path: "/v1/events",
  permission: "events:write",
  summary: {
    zh: "发送事件：最多 1000 条、500 KB；答复即已落盘",
    en: "Send events, up to 1,000 and 500 KB: what is answered is on disk",
  },
  input: z.object({ events: z.array(z.unknown().meta(shape)).min(1).max(1000) }),
  output: verdicts,
  failures: [
    "request.invalid",
    "request.too_large",
    "request.too_many",
    "collect.no_source",
    "collect.disabled",
    "collect.origin",
  ],
  ownBody: true,
});

const kind = z.enum(["server", "public", "import"]);
const protocol = z.enum(protocols);
const word = z.string().trim().min(1).max(200);
const settings = z.strictObject({
  /** Pages it may be used from; none: any. */
  origins: z
    .array(z.string().refine((text) => URL.canParse(text) && new URL(text).origin === text))
    .max(100),
  rate: z.strictObject({
    perSecond: z.number().min(0.1).max(1_000_000),
    burst: z.number().int().min(1).max(10_000_000),
  }),
  consent: word.nullable(),
  bots: z.array(word).max(200),
  staff: z.strictObject({
    networks: z.array(z.string().refine(isNetworkText)).max(200),
    users: z.array(word).max(1000),
    domains: z.array(word).max(100),
  }),
  ip: z.enum(["keep", "cut", "drop"]),
});
export const sources = endpoint({
  method: "GET",
  path: "/v1/sources",
  permission: "house:read",
  summary: {
    zh: "数据来源：各有多少事件、最近一条在何时、拒收了多少",
    en: "Sources: how many events each sent, when the last came, how many were refused",
  },
  input: z.strictObject({}),
  output: z.object({
    sources: z.array(
      z.object({
        id: z.uuid(),
        name: z.string(),
        kind,
        protocol,
        disabled: z.boolean(),
        demo: z.boolean(),
        createdAt: instant,
        events: z.number(),
        lastAt: instant.nullable(), // when the last one came, on the machine's clock
        rejected: z.number(),
        lastRejectedAt: instant.nullable(),
        /** Refused within 30 days, whether or not it is kept in the list. */
        refused: z.number(),
        keys: z.number(), // that work
        /** What the list had no room for. */
        beyond: z.number(),
        lastError: z.object({ reason: z.string(), field: z.string(), at: instant }).nullable(),
      }),
    ),
    /** Requests of the last 30 days with a key that is none of ours, of which nothing is kept. */
    strangers: z.number(),
  }),
  failures: [],
});

export const source = endpoint({
  method: "GET",
  path: "/v1/sources/:source",
  permission: "house:write",
  summary: {
    zh: "一个数据来源的设置，及近 30 天各原因的拒收数",
    en: "The settings of a source, and what was refused in 30 days by reason",
  },
  input: z.strictObject({ source: z.uuid() }),
  output: z.object({
    id: z.uuid(),
    name: z.string(),
    kind,
    protocol,
    shares: z.uuid().nullable(),
    disabled: z.boolean(),
    settings,
    refused: z.array(z.object({ reason: z.string(), count: z.number() })),
  }),
  failures: ["collect.source_unknown"],
});

export const changeSource = endpoint({
  method: "PATCH",
  path: "/v1/sources/:source",
  permission: "house:write",
  summary: { zh: "修改数据来源的设置", en: "Change the settings of a source" },
  input: z.strictObject({
    source: z.uuid(),
    protocol: protocol.optional(),
    /** The server's source whose numbers of people are this one's too. */
    shares: z.uuid().nullable().optional(),
    disabled: z.boolean().optional(),
    settings: settings.optional(),
  }),
  output: z.object({}),
  failures: ["collect.source_unknown", "collect.not_shareable"],
});

export const makeSource = endpoint({
  method: "POST",
  path: "/v1/sources",
  permission: "house:write",
  summary: { zh: "新建数据来源", en: "Make a source" },
  input: z.strictObject({
    name: z.string().trim().min(1).max(100),
    kind,
    protocol: protocol.optional(),
  }),
  output: z.object({ id: z.uuid() }),
  failures: ["collect.name_taken"],
});

/** Which refused items are meant: those that fit every part that is said. Instants are the machine's. */
export const rejectedFilter = z.strictObject({
  source: z.uuid().optional(),
  reason: z.string().max(100).optional(), // a code
  name: z.string().max(100).optional(), // of the event
  field: z.string().max(100).optional(),
  from: instant.optional(),
  until: instant.optional(), // exclusive
  run: z.uuid().optional(), // the import
});
export const rejected = endpoint({
  method: "GET",
  path: "/v1/rejected",
  permission: "house:read",
  summary: {
    zh: "拒收清单：来源、原因、字段、事件名，及各原因的条数；原文另行打开",
    en: "What was refused: source, reason, field and event, and how many by reason; each is opened by itself",
  },
  input: rejectedFilter.extend({
    after: z.string().max(120).optional(), // the last page's `next`
    limit: z.coerce.number().int().min(1).max(200).default(50),
  }),
  output: z.object({
    total: z.number(),
    /** Within the filter, the most first; at most 50 of each. */
    reasons: z.array(z.object({ reason: z.string(), count: z.number() })),
    names: z.array(z.object({ name: z.string(), count: z.number() })),
    /** Refused of these sources in these days beyond what the list takes a day: counted, and not kept. */
    beyond: z.number(),
    rejected: z.array(
      z.object({
        id: z.uuid(),
        source: z.uuid(),
        sourceName: z.string(),
        run: z.uuid().nullable(),
        line: z.number().nullable(), // its number in the file
        name: z.string(), // of the event; "" where it could not be read
        reason: z.string(), // a code
        field: z.string().nullable(),
        at: instant,
      }),
    ),
    next: z.string().nullable(),
  }),
  failures: [],
});
