import { z } from "zod";
import { endpoint } from "#kernel/endpoint.ts";
import { identifierTypes } from "./rules.ts";

const instant = z.iso.datetime();
const sentence = z.object({ zh: z.string(), en: z.string() });
const minor = z.string(); // minor units as decimal text
const code = z.string().regex(/^[a-z][a-z0-9_]{0,63}$/);
const stage = z.enum(["new", "active", "dormant", "lost"]);
const person = z.strictObject({ person: z.uuid() });

/** Who somebody is on a list. Name and e-mail are masked, unless the caller may search by them. */
const label = {
  personId: z.uuid(),
  userId: z.string().nullable(), // the shop's own number of them
  name: z.string().nullable(),
  email: z.string().nullable(),
};

export const list = endpoint({
  method: "GET",
  path: "/v1/members",
  permission: "members:read",
  scopes: ["cases"],
  summary: {
    zh: "会员列表：可按阶段、RFM、人群、标签、国家和语言筛选",
    en: "Members, by stage, RFM, segment, tag, country and language",
  },
  input: z.strictObject({
    stage: stage.optional(),
    /** "5-4-3", or "5-4" for every M. */
    rfm: z
      .string()
      .regex(/^[1-5]-[1-5](-[1-5])?$/)
      .optional(),
    rfmSegment: code.optional(),
    segment: z.uuid().optional(),
    /** A tag's name, or "name:value". */
    tag: z
      .string()
      .regex(/^[a-z][a-z0-9_]{0,63}(:.{1,200})?$/)
      .optional(),
    value: z.string().min(1).max(200).optional(), // of `tag`
    country: z.string().min(1).max(100).optional(),
    language: z.string().min(1).max(35).optional(),
    sort: z.enum(["last_order", "spent", "orders"]).default("last_order"), // the most first
    after: z.string().max(120).optional(), // the last page's `next`
    limit: z.coerce.number().int().min(1).max(200).default(50),
  }),
  output: z.object({
    total: z.number(),
    members: z.array(
      z.object({
        ...label,
        stage: z.string().nullable(),
        rfm: z.string().nullable(),
        rfmSegment: z.string().nullable(),
        orders: z.number(),
        spentMinor: minor,
        currency: z.string().nullable(),
        lastOrderAt: instant.nullable(),
        country: z.string().nullable(),
      }),
    ),
    next: z.string().nullable(),
  }),
  failures: [],
});

export const find = endpoint({
  method: "POST",
  path: "/v1/members/find",
  permission: "members:find",
  summary: {
    zh: "按完整的邮箱、手机号或商店用户编号查找会员（会记入审计）",
    en: "Find a member by the whole e-mail, phone number or user id; it is audited",
  },
  input: z
    .strictObject({
      email: z.string().trim().min(3).max(254).optional(),
      phone: z.string().trim().min(3).max(40).optional(),
      userId: z.string().trim().min(1).max(200).optional(),
      source: z.uuid().optional(), // whose user id it is; without it every source is looked at
    })
    .refine(({ email, phone, userId }) => [email, phone, userId].filter(Boolean).length === 1, {
      path: ["email"],
    }),
  output: z.object({ personId: z.uuid() }),
  failures: ["people.unknown"],
});

const tagKind = z.enum(["rule", "statistic", "model", "hand"]);
export const show = endpoint({
  method: "GET",
  path: "/v1/members/:person",
  permission: "members:read",
  scopes: ["cases"],
  summary: {
    zh: "一位会员：每项资料和标签从哪里来、何时起、有多大把握",
    en: "One member: every attribute and tag with its source, time and confidence",
  },
  input: person,
  output: z.object({
    ...label,
    demo: z.boolean(), // from a source of demo data
    source: z.string(), // where they were first seen
    seenAt: instant,
    attributes: z.array(
      z.object({
        name: z.string(),
        label: sentence.nullable(), // of what the shop declared itself
        value: z.unknown(),
        choice: sentence.nullable(), // what a chosen value is called
        source: z.string(),
        at: instant,
        confidence: z.number(),
        event: z.uuid().nullable(), // the event that told it, or the last that counts in it
        /** Of a trait: what it is called, its unit, and how it was worked out, window and all. */
        trait: z.object({ label: sentence, unit: z.string().nullable(), how: sentence }).nullable(),
      }),
    ),
    tags: z.array(
      z.object({
        tag: z.string(),
        label: sentence.nullable(), // of a tag that has rules
        value: z.string(),
        kind: tagKind,
        source: z.string(),
        reason: z.record(z.string(), z.unknown()), // the figures behind it
        sentence, // the same in words
        confidence: z.number(),
        at: instant,
        expiresAt: instant.nullable(),
        cause: z.uuid().nullable(), // the event that brought it
      }),
    ),
    /** Direct fields: masked unless the caller may search by them. */
    fields: z.array(
      z.object({
        field: z.string(),
        value: z.string(),
        masked: z.boolean(),
        source: z.string(),
        at: instant,
      }),
    ),
    identifiers: z.array(
      z.object({ type: z.string(), value: z.string(), masked: z.boolean(), source: z.string() }),
    ),
  }),
  failures: ["people.unknown"],
});

export const timeline = endpoint({
  method: "GET",
  path: "/v1/members/:person/timeline",
  permission: "members:read",
  scopes: ["cases"],
  summary: {
    zh: "一位会员的时间线，最近的在前",
    en: "What happened with a member, the newest first",
  },
  input: person.extend({
    after: z.string().max(120).optional(), // the last page's `next`
    limit: z.coerce.number().int().min(1).max(200).default(50),
  }),
  output: z.object({
    entries: z.array(
      z.object({
        id: z.string(),
        kind: z.enum([
          "order",
          "refund",
          "event",
          "tag",
          "segment",
          "programme",
          "coupon",
          "message",
        ]),
        at: instant,
        event: z.uuid().nullable(), // opens in Trace
        sentence,
      }),
    ),
    next: z.string().nullable(),
  }),
  failures: ["people.unknown"],
});

export const tagHistory = endpoint({
  method: "GET",
  path: "/v1/members/:person/tags/:tag/history",
  permission: "members:read",
  scopes: ["cases"],
  summary: {
    zh: "一个标签的全部变化及原因，最近的在前",
    en: "Every change of a tag and why, the newest first",
  },
  input: person.extend({ tag: code }),
  output: z.object({
    changes: z.array(
      z.object({
        id: z.uuid(),
        before: z.string().nullable(),
        after: z.string().nullable(), // null: taken away
        source: z.string(),
        reason: z.record(z.string(), z.unknown()),
        sentence,
        cause: z.uuid().nullable(),
        at: instant,
      }),
    ),
  }),
  failures: ["people.unknown"],
});

export const tag = endpoint({
  method: "POST",
  path: "/v1/members/:person/tags",
  permission: "segments:write",
  summary: {
    zh: "手动打标签或去掉标签，可设到期时间",
    en: "Set a tag by hand, until a time if you like, or take one away",
  },
  input: person.extend({
    tag: code,
    value: z.string().trim().min(1).max(64).nullable(), // null takes it away
    reason: z.string().trim().min(1).max(200).optional(), // why, in a few words that name nobody
    expiresAt: z.iso.datetime({ offset: true }).optional(),
  }),
  output: z.object({ changed: z.boolean() }),
  failures: ["people.unknown", "people.tag_reserved", "people.tag_expired", "people.tag_names"],
});

export const mine = endpoint({
  method: "GET",
  path: "/v1/me/profile",
  permission: "person",
  summary: {
    zh: "我的资料：每一项从哪里来、何时起、有多确定，以及我的喜好和同意记录",
    en: "My profile: where each part is from, since when and how sure, what I like and agreed to",
  },
  input: z.strictObject({}),
  output: z.object({
    personId: z.uuid(),
    userId: z.string().nullable(),
    fields: z.array(
      z.object({
        field: z.string(),
        value: z.string(),
        source: z.string(), // "self": what I said here
        from: sentence, // the same in words
        at: instant,
        confidence: z.number(), // 0 to 1
      }),
    ),
    /** Traits only where the shop shows them to whom they are about. */
    attributes: z.array(
      z.object({
        name: z.string(),
        label: sentence.nullable(), // of what the shop declared itself
        value: z.unknown(),
        source: z.string(),
        from: sentence,
        at: instant,
        confidence: z.number(),
      }),
    ),
    /** Of tags, those that the shop shows to whom they are about. */
    tags: z.array(z.object({ tag: z.string(), label: sentence, value: z.string(), at: instant })),
    preferences: z.array(
      z.object({
        category: z.string(),
        share: z.number(), // of all that counts, 0 to 1
        times: z.int(), // what I did there
        bought: z.int(),
        own: z.boolean(), // I said so myself
      }),
    ),
    /** Categories that I said I do not like. */
    disliked: z.array(z.string()),
    /** What the shop asks people about, by which attributes I may set right, answered yet or not. */
    asked: z.array(
      z.object({
        name: z.string(),
        label: sentence,
        type: z.enum(["choice", "number", "date", "truth"]),
        options: z.array(z.object({ value: z.string(), label: sentence })), // of a choice
      }),
    ),
    consents: z.array(
      z.object({
        purpose: z.string(),
        channel: z.string(),
        granted: z.boolean(),
        at: instant.nullable(),
      }),
    ),
  }),
  failures: ["request.forbidden", "people.unknown"],
});

const words = (longest: number) => z.string().trim().min(1).max(longest).nullable().optional();
/**
 * By what a person may set right themselves; null takes a value away. Which word stands: see model/word.ts. By e-mail address and phone number somebody is found, and a token proves
 * neither: those are changed in the shop.
 */
export const correct = endpoint({
  method: "PATCH",
  path: "/v1/me/profile",
  permission: "person",
  summary: {
    zh: "更正或清除（null）我的资料；以我说的为准，商店服务器重复旧值不算数，之后给出新的值才会覆盖",
    en: "Set my profile right, or clear (null) what is in it: my word stands until the shop’s server has news, not what it said before",
  },
  input: z
    .strictObject({
      name: words(200),
      first_name: words(100),
      last_name: words(100),
      address: words(500),
      birth_month: z.int().min(1).max(12).nullable().optional(),
      birth_day: z.int().min(1).max(31).nullable().optional(),
      age_band: words(20),
      city: words(100),
      country: words(100),
      language: z
        .string()
        .regex(/^[A-Za-z]{2,3}([-_][A-Za-z\d]{2,8}){0,3}$/)
        .nullable()
        .optional(),
      gender: words(20),
      /** By the names of what the shop asks: a choice's value, a number, a day as "2026-05-01", true or false; or null. */
      attributes: z
        .record(code, z.union([z.string().max(64), z.number(), z.boolean(), z.null()]))
        .refine((given) => Object.keys(given).length >= 1 && Object.keys(given).length <= 50)
        .optional(),
    })
    .refine((asked) => Object.values(asked).some((value) => value !== undefined), {
      path: ["name"],
    }),
  output: z.object({ event: z.uuid() }),
  failures: ["request.forbidden", "people.unknown", "people.unfit"],
});

// ── who is who ──

/** Ids in the path and a reason: why an operator says so, in a few words that name nobody. */
const reason = z.string().trim().min(1).max(200);
const identifier = z.object({ type: z.string(), value: z.string(), masked: z.boolean() });
const somebody = z.object({ personId: z.uuid(), identifier: identifier.nullable() });
/** How many of each kind somebody had who turned out to be another. */
const belongings = z.object({
  identifiers: z.int(),
  events: z.int(),
  orders: z.int(),
  coupons: z.int(),
  usable: z.int(), // of the coupons, those not used yet
  programmes: z.int(),
  experiments: z.int(),
  messages: z.int(),
  consents: z.int(),
  tags: z.int(), // by hand; the others are worked out
  segments: z.int(), // worked out too: they wait aside
});
const word = z.enum(["identify", "alias", "bind", "unbind", "hand", "part"]);

export const merge = endpoint({
  method: "POST",
  path: "/v1/members/:person/merges",
  permission: "members:merge",
  summary: {
    zh: "手动合并两位会员；加 dryRun=true 只看会发生什么",
    en: "Merge two members by hand; with dryRun=true it only says what would happen",
  },
  input: person.extend({ other: z.uuid(), reason }),
  output: z.object({
    act: z.uuid(),
    job: z.uuid(), // which works it out, within moments
    /** Whose number and id stay: the earlier one of those that the shop knows. */
    stays: somebody,
    goes: somebody,
    moves: belongings,
    /** Of what both have only one holds: programmes, arms of an experiment, and the stricter consent. */
    both: z.object({ programmes: z.int(), crossed: z.int(), stricter: z.int() }),
  }),
  failures: [
    "people.unknown",
    "people.merge_same",
    "people.merge_blocked",
    "people.merge_limit",
    "people.merge_parted",
    "people.reason_names",
  ],
});

export const unmerge = endpoint({
  method: "POST",
  path: "/v1/members/:person/merges/:merge/undo",
  permission: "members:merge",
  summary: {
    zh: "撤销一次合并；加 dryRun=true 只看会还回什么",
    en: "Undo a merge; with dryRun=true it only says what would come back",
  },
  input: person.extend({ merge: z.uuid(), reason }),
  output: z.object({
    act: z.uuid(),
    job: z.uuid(),
    from: somebody, // is somebody of their own again
    into: somebody,
    returns: belongings.partial(), // what went along at the merge
    spent: z.object({ coupons: z.int() }), // used or ended since: they come back as they stand
  }),
  failures: [
    "people.unknown",
    "people.merge_unknown",
    "people.merge_undone",
    "people.reason_names",
  ],
});

export const merges = endpoint({
  method: "GET",
  path: "/v1/members/:person/merges",
  permission: "members:read",
  scopes: ["cases"],
  summary: {
    zh: "一位会员的合并记录：谁、何时、为什么、带来了什么，最近 200 次",
    en: "Merges of a member: who, when, why and what went along, the last 200",
  },
  input: person,
  output: z.object({
    merges: z.array(
      z.object({
        id: z.uuid(),
        from: somebody,
        into: somebody,
        at: instant,
        state: z.enum(["merging", "merged", "parting", "parted"]),
        word: word.nullable(), // what brought it about
        by: z.string().nullable(), // the operator; null: an event
        why: z.string().nullable(),
        event: z.uuid().nullable(), // opens in Trace
        moved: belongings.partial(),
        parted: z
          .object({ at: instant, by: z.string().nullable(), why: z.string().nullable() })
          .nullable(),
      }),
    ),
  }),
  failures: ["people.unknown"],
});

export const refusals = endpoint({
  method: "GET",
  path: "/v1/members/:person/refusals",
  permission: "members:read",
  scopes: ["cases"],
  summary: {
    zh: "没有采信的身份关联及原因，最近 200 条",
    en: "What was said of who a member is and refused, with the reason, the last 200",
  },
  input: person,
  output: z.object({
    refusals: z.array(
      z.object({
        said: identifier.nullable(),
        other: identifier.nullable(), // what it was said to be the same somebody as
        otherPerson: z.uuid(), // whose that is
        at: instant,
        event: z.uuid(),
        reason: z.enum(["blocked", "two_people", "limit", "parted"]),
        sentence,
      }),
    ),
  }),
  failures: ["people.unknown"],
});

const types = z.enum(identifierTypes);
const most = z.int().min(1).max(1000).optional(); // as usual where it is not said
/** What a change of the rules sets off: null where it concerns nobody. */
const setOff = { job: z.uuid().nullable(), identifiers: z.int() };
export const rules = endpoint({
  method: "GET",
  path: "/v1/identity/rules",
  permission: "house:read",
  summary: {
    zh: "身份规则：每类标识一位会员最多几个，哪些值不代表任何人",
    en: "Identity rules: how many identifiers of a type a member may have, and values that stand for nobody",
  },
  input: z.strictObject({}),
  output: z.object({
    limits: z.array(z.object({ type: types, most: z.int(), usual: z.int() })),
    blocked: z.array(
      z.object({
        id: z.uuid(),
        type: types,
        value: z.string(), // masked, unless the caller may search by such
        masked: z.boolean(),
        by: z.string(),
        why: z.string(),
        at: instant,
      }),
    ),
  }),
  failures: [],
});

export const setLimits = endpoint({
  method: "PUT",
  path: "/v1/identity/limits",
  permission: "house:write",
  summary: {
    zh: "设置每类标识一位会员最多几个；受影响的会员会重新核对",
    en: "Set how many identifiers of a type a member may have; whom it concerns is worked out anew",
  },
  input: z.strictObject({
    user_id: most, // of each source
    anonymous_id: most,
    email: most,
    phone: most,
    device: most,
    openid: most,
    unionid: most,
    external: most,
  }),
  output: z.object(setOff),
  failures: [],
});

export const block = endpoint({
  method: "POST",
  path: "/v1/identity/blocked",
  permission: "house:write",
  summary: {
    zh: "把一个值设为不代表任何人，如门店公用的手机号",
    en: "Say that a value stands for nobody, such as the phone at the counter",
  },
  input: z.strictObject({ type: types, value: z.string().trim().min(1).max(500), reason }),
  output: z.object({ id: z.uuid(), ...setOff }),
  failures: ["people.blocked_there", "people.blocked_full", "people.reason_names"],
});

export const unblock = endpoint({
  method: "DELETE",
  path: "/v1/identity/blocked/:blocked",
  permission: "house:write",
  summary: {
    zh: "让一个值重新代表用它的人",
    en: "Let a value stand for whoever uses it again",
  },
  input: z.strictObject({ blocked: z.uuid() }),
  output: z.object(setOff),
  failures: ["people.blocked_unknown"],
});

export const jobs = endpoint({
  method: "GET",
  path: "/v1/identity/jobs",
  permission: "house:read",
  summary: {
    zh: "重新核对会员身份的任务和进度，最近 100 个",
    en: "Jobs that work out anew who is who, and how far they came, the last 100",
  },
  input: z.strictObject({}),
  output: z.object({
    jobs: z.array(
      z.object({
        id: z.uuid(),
        kind: z.enum(["component", "hand", "rules"]),
        by: z.string().nullable(),
        askedAt: instant,
        links: z.int(), // gone through so far
        /** Identifiers whose connections are gone through, then people who are worked out anew. */
        identifiers: z.object({ done: z.int(), all: z.int() }),
        people: z.object({ done: z.int(), all: z.int() }),
        endedAt: instant.nullable(),
      }),
    ),
  }),
  failures: [],
});
