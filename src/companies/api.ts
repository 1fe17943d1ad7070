import { z } from "zod";
import { endpoint } from "#kernel/endpoint.ts";
import { modelTagsLimit, tagRulesLimit } from "./rules.ts";

const instant = z.iso.datetime();
const company = z.strictObject({ company: z.uuid() });
const code = z.string().regex(/^[a-z][a-z0-9_]{0,39}$/);
const listed = z.object({
  id: z.uuid(),
  ref: z.string(), // its group id within the source
  name: z.string().nullable(),
  source: z.string(),
  industry: z.string().nullable(),
  country: z.string().nullable(),
  members: z.int(),
  orders: z.string(),
  spentMinor: z.string(), // of the shop's currency
  currency: z.string().nullable(),
  lastOrderAt: instant.nullable(),
});

export const list = endpoint({
  method: "GET",
  path: "/v1/companies",
  permission: "members:read",
  summary: { zh: "公司列表", en: "Companies" },
  input: z.strictObject({
    search: z.string().trim().max(100).default(""),
    after: z.string().max(80).optional(),
    limit: z.coerce.number().int().min(1).max(200).default(50),
  }),
  output: z.object({ companies: z.array(listed), next: z.string().nullable() }),
  failures: ["request.invalid"],
});
export const one = endpoint({
  method: "GET",
  path: "/v1/companies/:company",
  permission: "members:read",
  summary: {
    zh: "一家公司：资料、成员与角色、数字、标签",
    en: "One company: profile, members with roles, figures, tags",
  },
  input: company,
  output: listed.extend({
    seenAt: instant,
    attributes: z.array(
      z.object({
        name: z.string(),
        value: z.union([z.string(), z.number(), z.boolean()]),
        source: z.string(),
        at: instant,
        confidence: z.number(),
      }),
    ),
    /** What reaches people there is sealed; only that it is known is said. */
    contactFields: z.array(z.string()),
    external: z.array(z.object({ type: z.string(), value: z.string() })),
    people: z.array(
      z.object({
        person: z.uuid(),
        userId: z.string().nullable(), // the shop's own number of them
        role: z.string(),
        since: instant,
        until: instant.nullable(),
        orders: z.int(),
      }),
    ),
    tags: z.array(
      z.object({
        tag: z.string(),
        value: z.string(),
        kind: z.enum(["rule", "statistic", "model", "hand"]),
        source: z.string(),
        reason: z.record(z.string(), z.unknown()),
        confidence: z.number(),
        at: instant,
        expiresAt: instant.nullable(),
      }),
    ),
    roles: z.array(z.object({ code, zh: z.string(), en: z.string() })),
  }),
  failures: ["companies.unknown"],
});
export const timeline = endpoint({
  method: "GET",
  path: "/v1/companies/:company/timeline",
  permission: "members:read",
  summary: { zh: "公司动态", en: "What happened with a company" },
  input: company,
  output: z.object({
    moments: z.array(
      z.object({
        at: instant,
        what: z.enum(["joined", "left", "ordered", "refunded", "tagged"]),
        person: z.uuid().nullable(),
        userId: z.string().nullable(),
        detail: z.string(),
        amountMinor: z.string().nullable(),
        currency: z.string().nullable(),
      }),
    ),
  }),
  failures: ["companies.unknown"],
});
export const tag = endpoint({
  method: "POST",
  path: "/v1/companies/:company/tags",
  permission: "segments:write",
  summary: { zh: "给公司手动打标签或去掉标签", en: "Tag a company by hand, or take a tag away" },
  input: company.extend({
    tag: code,
    value: z.string().trim().min(1).max(64).nullable(), // null takes it away
    note: z.string().trim().max(200).default(""),
    expiresAt: z.iso.datetime({ offset: true }).optional(),
  }),
  output: z.object({ changed: z.boolean() }),
  failures: ["companies.unknown", "people.tag_reserved", "people.tag_expired", "people.tag_names"],
});
export const tagHistory = endpoint({
  method: "GET",
  path: "/v1/companies/:company/tags/:tag/history",
  permission: "members:read",
  summary: { zh: "公司标签的变更记录", en: "How a company's tag changed" },
  input: company.extend({ tag: code }),
  output: z.object({
    changes: z.array(
      z.object({
        before: z.string().nullable(),
        after: z.string().nullable(),
        kind: z.enum(["rule", "statistic", "model", "hand"]),
        source: z.string(),
        at: instant,
      }),
    ),
  }),
  failures: ["companies.unknown"],
});
const tagLabel = z.strictObject({
  zh: z.string().trim().min(1).max(80),
  en: z.string().trim().min(1).max(80),
});
const tagValue = z.string().trim().min(1).max(64);
export const tagRules = endpoint({
  method: "GET",
  path: "/v1/company-tags",
  permission: "traits:read",
  summary: {
    zh: "公司标签的规则：在哪个公司人群里，就有哪个标签",
    en: "Tags of companies that follow from rules",
  },
  input: z.strictObject({}),
  output: z.object({
    tags: z.array(
      z.object({
        tag: z.string(),
        label: tagLabel,
        companies: z.int(), // that carry it now, by rule
        rules: z.array(
          z.object({ value: z.string(), segment: z.uuid(), name: tagLabel.nullable() }),
        ),
      }),
    ),
  }),
  failures: [],
});
export const declareTag = endpoint({
  method: "PUT",
  path: "/v1/company-tags/:tag",
  permission: "traits:write",
  summary: {
    zh: "给公司标签定规则：公司在某个公司人群里，就有这个标签",
    en: "Declare a tag of companies: whichever is in a segment carries it",
  },
  input: z.strictObject({
    tag: code,
    label: tagLabel,
    /** Of several rules the first that fits counts. */
    rules: z
      .array(z.strictObject({ value: tagValue, segment: z.uuid() }))
      .min(1)
      .max(tagRulesLimit),
  }),
  output: z.object({ tag: z.string() }),
  failures: [
    "people.tag_reserved",
    "people.tag_names",
    "companies.too_many_tags",
    "companies.not_of_companies",
    "traits.circular",
  ],
});
export const removeTag = endpoint({
  method: "DELETE",
  path: "/v1/company-tags/:tag",
  permission: "traits:write",
  summary: {
    zh: "去掉公司标签的规则，规则打上的标签一并去掉",
    en: "Remove the rules of a tag of companies, and the tags they gave",
  },
  input: z.strictObject({ tag: code }),
  output: z.object({}),
  failures: ["traits.tag_unknown"],
});
/** One tag that a model says of a company, by our id of it or by the group id of the key's source. */
export const modelTag = z
  .strictObject({
    company: z.uuid().optional(),
    ref: z.string().trim().min(1).max(200).optional(),
    tag: code,
    value: tagValue.nullable(), // null takes it away
    confidence: z.number().min(0).max(1),
    reason: z.string().trim().min(1).max(200).optional(),
    expiresAt: z.iso.datetime({ offset: true }).optional(),
  })
  .refine(({ company, ref }) => (company === undefined) !== (ref === undefined), {
    path: ["company"],
  });
export const modelTags = endpoint({
  method: "POST",
  path: "/v1/company-tags",
  permission: "tags:write",
  summary: {
    zh: "批量写入公司的模型标签，逐条给出结果",
    en: "Tags of companies by a model in one go, with a verdict for each",
  },
  input: z.strictObject({
    /** The model's own name and version. */
    model: z.string().regex(/^[\w.-]{1,80}$/),
    /** Each as {company or ref, tag, value, confidence, reason?, expiresAt?}; judged one by one. */
    tags: z.array(z.unknown()).min(1).max(modelTagsLimit),
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
const role = z.strictObject({
  code,
  zh: z.string().trim().min(1).max(40),
  en: z.string().trim().min(1).max(40),
});
export const roles = endpoint({
  method: "GET",
  path: "/v1/company-roles",
  permission: "members:read",
  summary: { zh: "公司成员的角色", en: "Roles within a company" },
  input: z.strictObject({}),
  output: z.object({ roles: z.array(role) }),
  failures: [],
});
export const nameRole = endpoint({
  method: "PUT",
  path: "/v1/company-roles/:code",
  permission: "segments:write",
  summary: { zh: "新增角色或改名", en: "Add a role, or name it anew" },
  input: role,
  output: z.object({}),
  failures: [],
});
