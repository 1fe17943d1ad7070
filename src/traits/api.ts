import { z } from "zod";
import { endpoint } from "#kernel/endpoint.ts";
import { filters } from "#segments/api.ts";
import {
  asks,
  functions,
  halfLifeLimits,
  hoursLimit,
  isPath,
  optionsLimit,
  ownTypes,
  tagBatchLimit,
  tagRulesLimit,
} from "./rules.ts";

const instant = z.iso.datetime();
const sentence = z.object({ zh: z.string(), en: z.string() });
const code = z.string().regex(/^[a-z][a-z0-9_]{0,63}$/);
const label = z.strictObject({
  zh: z.string().trim().min(1).max(80),
  en: z.string().trim().min(1).max(80),
});
const property = z.string().min(1).max(300).refine(isPath);
const text = z.string().min(1).max(200);
const comparison = z.enum(["eq", "ne", "lt", "le", "gt", "ge"]);
const trait = z
  .strictObject({
    /** Of the attribute too, by which segments ask for it. */
    name: code,
    label,
    fn: z.enum(functions),
    event: z.string().trim().min(1).max(200),
    /** A path into what the event says: "price", "products.0.sku". */
    property: property.optional(),
    where: filters.optional(), // as segments ask
    /** How far back; null: to the beginning. Two years at most. */
    hours: z.int().min(1).max(hoursLimit).nullable(),
    unit: z.string().trim().min(1).max(20).optional(),
    /** Do members see theirs in their own profile? */
    shown: z.boolean().default(false),
  })
  .refine(({ fn, property: asked }) => (asks(fn) === null) === (asked === undefined), {
    path: ["property"],
  });

const shown = z.object({
  ...trait.shape,
  version: z.int(),
  /** filling: people are being gone through; going: it is being taken away. */
  state: z.enum(["filling", "ready", "going"]),
  done: z.number(), // people gone through
  total: z.number(),
  declaredAt: instant,
  sentence,
});

export const list = endpoint({
  method: "GET",
  path: "/v1/traits",
  permission: "traits:read",
  summary: { zh: "全部特征，含计算进度", en: "Every trait, and how far it was worked out" },
  input: z.strictObject({}),
  output: z.object({
    traits: z.array(shown),
    most: z.int(),
    /** People with more than `than` events of one name: their figures about it follow within so many seconds. */
    late: z.object({ people: z.int(), than: z.int(), seconds: z.int() }),
  }),
  failures: [],
});

export const declare = endpoint({
  method: "POST",
  path: "/v1/traits",
  permission: "traits:write",
  summary: {
    zh: "定义一个特征，或更改同名的特征；随后分批给每位会员算一遍",
    en: "Declare a trait, or change the one of that name; everybody is then gone through",
  },
  input: trait,
  output: z.object({ name: z.string(), version: z.int(), sentence }),
  failures: ["traits.name_taken", "traits.too_many", "traits.going"],
});

export const remove = endpoint({
  method: "DELETE",
  path: "/v1/traits/:trait",
  permission: "traits:write",
  summary: { zh: "删除一个特征和它的全部数值", en: "Remove a trait with all its figures" },
  input: z.strictObject({ trait: code }),
  output: z.object({}),
  failures: ["traits.unknown"],
});

export const preview = endpoint({
  method: "POST",
  path: "/v1/traits/preview",
  permission: "traits:read",
  summary: {
    zh: "试算一个特征：用最近做过这件事的五位会员",
    en: "Try a trait on the five people who did this last",
  },
  input: trait,
  output: z.object({
    sentence,
    people: z.array(
      z.object({
        personId: z.uuid(),
        userId: z.string().nullable(),
        value: z.unknown(), // null: nothing counts
        at: instant.nullable(), // of the latest event that counts
      }),
    ),
  }),
  failures: [],
});

// ── attributes of the shop's own ──

const options = z
  .array(z.strictObject({ value: z.string().trim().min(1).max(64), label }))
  .max(optionsLimit);
const own = z.object({
  name: code,
  label,
  /** A date is a day, "2026-05-01"; of a truth segments ask as the texts "yes" and "no". */
  type: z.enum(ownTypes),
  options,
});
export const attributes = endpoint({
  method: "GET",
  path: "/v1/attributes",
  permission: "traits:read",
  summary: { zh: "店铺自定义的会员属性", en: "Attributes that the shop declared itself" },
  input: z.strictObject({}),
  output: z.object({
    attributes: z.array(
      own.extend({
        /** filling: people are being gone through; going: it is being deleted. */
        state: z.enum(["filling", "ready", "going"]),
        done: z.number(), // people gone through
        total: z.number(),
        /** What asks for it; while anything does it cannot be deleted. */
        uses: z.object({
          segments: z.array(z.object({ id: z.uuid(), name: sentence })),
          forms: z.array(z.object({ id: z.uuid(), slug: z.string(), title: sentence })),
          traits: z.array(z.object({ name: z.string(), label: sentence })),
        }),
      }),
    ),
    most: z.int(),
  }),
  failures: [],
});
export const declareAttribute = endpoint({
  method: "PUT",
  path: "/v1/attributes/:attribute",
  permission: "traits:write",
  summary: {
    zh: "定义一项会员属性：登记表单里同名的题目、店铺服务端 identify 的同名资料都会填上它，会员本人能看到、能更正",
    en: "Declare an attribute: a form’s question or a server’s identify of that name fills it, and members see and correct theirs",
  },
  input: z
    .strictObject({
      attribute: code,
      ...own.omit({ name: true }).shape,
      options: options.default([]),
    })
    .refine(({ type, options: all }) => (type === "choice") === all.length > 0, {
      path: ["options"],
    })
    .refine(({ options: all }) => new Set(all.map(({ value: one }) => one)).size === all.length, {
      path: ["options"],
    }),
  output: z.object({ name: z.string() }),
  failures: [
    "traits.name_taken",
    "traits.too_many_attributes",
    "traits.attribute_type",
    "traits.attribute_going",
  ],
});
export const removeAttribute = endpoint({
  method: "DELETE",
  path: "/v1/attributes/:attribute",
  permission: "traits:write",
  summary: {
    zh: "删除一项自定义属性，会员资料里的值一并删除；还有人群、表单或特征在用时不能删",
    en: "Delete an attribute with its values in every profile; refused while a segment, a form or a trait asks for it",
  },
  input: z.strictObject({ attribute: code }),
  output: z.object({}),
  failures: ["traits.attribute_unknown", "traits.attribute_used"],
});

// ── what people are drawn to ──

export const preference = endpoint({
  method: "GET",
  path: "/v1/preference",
  permission: "traits:read",
  summary: {
    zh: "品类偏好的半衰期，含重算进度",
    en: "How fast what members are drawn to fades, and how far a change of it has come",
  },
  input: z.strictObject({}),
  output: z.object({
    halfLifeDays: z.int(), // what somebody did so long ago counts half
    least: z.int(),
    most: z.int(),
    state: z.enum(["filling", "ready", "going"]),
    done: z.number(),
    total: z.number(),
  }),
  failures: [],
});
export const setPreference = endpoint({
  method: "PUT",
  path: "/v1/preference",
  permission: "traits:write",
  summary: {
    zh: "设置品类偏好的半衰期；随后给每位会员重算",
    en: "Set how fast what members are drawn to fades; everybody is then worked out again",
  },
  input: z.strictObject({
    halfLifeDays: z.int().min(halfLifeLimits.least).max(halfLifeLimits.most),
  }),
  output: z.object({}),
  failures: [],
});

// ── tags ──

const value = z.string().trim().min(1).max(64);
const condition = z.union([
  z.strictObject({ attribute: code, is: comparison, value: z.number().min(-9e15).max(9e15) }),
  z.strictObject({ attribute: code, in: z.array(text).min(1).max(50) }),
]);
const tagKind = z.enum(["rule", "statistic", "model", "hand"]);

export const tags = endpoint({
  method: "GET",
  path: "/v1/tags",
  permission: "traits:read",
  summary: { zh: "全部标签：种类、取值和人数", en: "Every tag: its kind, values and people" },
  input: z.strictObject({}),
  output: z.object({
    tags: z.array(
      z.object({
        tag: z.string(),
        label: sentence.nullable(), // of a tag that has rules
        kinds: z.array(tagKind),
        people: z.number(),
        values: z.array(z.object({ value: z.string(), people: z.number() })), // the 20 most frequent
        /** Of a tag that has rules. */
        declared: z
          .object({
            state: z.enum(["filling", "ready", "going"]),
            done: z.number(),
            total: z.number(),
            circular: z.boolean(), // it follows from itself, so its rules rest
          })
          .nullable(),
      }),
    ),
  }),
  failures: [],
});

export const showTag = endpoint({
  method: "GET",
  path: "/v1/tags/:tag",
  permission: "traits:read",
  summary: {
    zh: "一个标签：规则、每天的变化和最近的改动",
    en: "One tag: its rules, how it changed day by day, and the latest changes",
  },
  input: z.strictObject({
    tag: code,
    days: z.coerce.number().int().min(1).max(90).default(30),
    after: z.string().max(120).optional(), // the last page's `next`
    limit: z.coerce.number().int().min(1).max(200).default(50),
  }),
  output: z.object({
    tag: z.string(),
    label: sentence.nullable(),
    shown: z.boolean(), // to the person
    rules: z.array(z.object({ value: z.string(), segment: z.uuid(), name: sentence, sentence })),
    days: z.array(z.object({ day: z.iso.date(), given: z.number(), gone: z.number() })),
    changes: z.array(
      z.object({
        id: z.uuid(),
        personId: z.uuid(),
        userId: z.string().nullable(),
        before: z.string().nullable(),
        after: z.string().nullable(),
        source: z.string(),
        sentence, // from what to what
        why: sentence,
        cause: z.uuid().nullable(),
        at: instant,
      }),
    ),
    next: z.string().nullable(),
  }),
  failures: ["traits.tag_unknown"],
});

export const declareTag = endpoint({
  method: "PUT",
  path: "/v1/tags/:tag",
  permission: "traits:write",
  summary: {
    zh: "给标签定规则：谁在某个人群里，谁就有这个标签",
    en: "Declare a tag: whoever is in a segment carries it",
  },
  input: z.strictObject({
    tag: code,
    label,
    shown: z.boolean(),
    /** Of several rules the first that fits counts. */
    rules: z
      .array(
        z.union([
          z.strictObject({ value, segment: z.uuid() }),
          z.strictObject({ value, when: condition }),
        ]),
      )
      .min(1)
      .max(tagRulesLimit),
  }),
  output: z.object({ tag: z.string(), version: z.int() }),
  failures: [
    "people.tag_reserved",
    "people.tag_names",
    "traits.too_many_tags",
    "traits.tag_going",
    "traits.circular",
    "segments.unknown",
  ],
});

export const removeTag = endpoint({
  method: "DELETE",
  path: "/v1/tags/:tag",
  permission: "traits:write",
  summary: {
    zh: "去掉标签的规则，规则打上的标签一并去掉",
    en: "Remove a tag's rules, and the tags they gave",
  },
  input: z.strictObject({ tag: code }),
  output: z.object({}),
  failures: ["traits.tag_unknown"],
});

/** One tag that a model says of somebody, by our id of them or by the number of the key's source. */
export const modelTag = z
  .strictObject({
    person: z.uuid().optional(),
    user: z.string().trim().min(1).max(200).optional(),
    tag: code,
    value: value.nullable(), // null takes it away
    confidence: z.number().min(0).max(1),
    reason: z.string().trim().min(1).max(200).optional(),
    expiresAt: z.iso.datetime({ offset: true }).optional(),
  })
  .refine(({ person, user }) => (person === undefined) !== (user === undefined), {
    path: ["user"],
  });
export const modelTags = endpoint({
  method: "POST",
  path: "/v1/tags",
  permission: "tags:write",
  summary: {
    zh: "批量写入模型标签，逐条给出结果",
    en: "Tags of a model in one go, with a verdict for each",
  },
  input: z.strictObject({
    /** The model's own name and version. */
    model: z.string().regex(/^[\w.-]{1,80}$/),
    /** Each as {person or user, tag, value, confidence, reason?, expiresAt?}; judged one by one. */
    tags: z.array(z.unknown()).min(1).max(tagBatchLimit),
  }),
  output: z.object({
    results: z.array(
      z.object({
        verdict: z.enum(["changed", "same", "refused"]),
        reason: z.string().nullable(),
        field: z.string().nullable(),
      }),
    ),
  }),
  failures: [],
});

// ── what a person says of themselves ──

const category = z.string().trim().min(1).max(100);
const said = z.object({ event: z.uuid() });
const saying = [
  "request.forbidden",
  "people.unknown",
  "people.unfit",
  "traits.too_many_words",
] as const;
export const like = endpoint({
  method: "PUT",
  path: "/v1/me/profile/preferences/:category",
  permission: "person",
  summary: {
    zh: "我喜欢或不喜欢这个品类；以我说的为准",
    en: "I like this category or not; my word outweighs what was worked out",
  },
  input: z.strictObject({
    category,
    /** "none" takes my word back: then what I do counts again. */
    word: z.enum(["yes", "no", "none"]),
  }),
  output: said,
  failures: saying,
});
export const dislike = endpoint({
  method: "DELETE",
  path: "/v1/me/profile/preferences/:category",
  permission: "person",
  summary: {
    zh: "从我的喜好里去掉这个品类，以后也不再算进来",
    en: "Take this category out of what I like, and keep it out",
  },
  input: z.strictObject({ category }),
  output: said,
  failures: saying,
});
