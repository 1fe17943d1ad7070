import { z } from "zod";
import { endpoint } from "#kernel/endpoint.ts";

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
