import { z } from "zod";
import { rejectedFilter } from "#collect/api.ts";
import { endpoint } from "#kernel/endpoint.ts";
import { formats, marketKinds, outKinds, purposes } from "./rules.ts";

export { event } from "#collect/api.ts";

const instant = z.iso.datetime();

export const exported = endpoint({
  method: "GET",
  path: "/v1/exports/:kind",
  permission: "exports:read",
  summary: {
    zh: "导出为 CSV 或 JSON Lines；没有查找会员的权限时，能指认客人的字段留空",
    en: "Export as CSV or JSON Lines; without the permission to find members, what names a guest is left empty",
  },
  input: z.strictObject({
    kind: z.enum(outKinds),
    format: z.enum(formats).default("csv"),
    purpose: z.enum(purposes),
    segment: z.uuid().optional(), // of the kind "segment"
  }),
  output: z.string(), // text/csv or application/jsonl, streamed
  failures: ["exchange.no_segment"],
});

export const market = endpoint({
  method: "GET",
  path: "/v1/market",
  permission: "catalog:read",
  summary: {
    zh: "市场数据：竞品价格、天气、日历",
    en: "Market data: competitors' prices, weather, calendar",
  },
  input: z.strictObject({
    kind: z.enum(marketKinds),
    place: z.string().max(200).optional(),
    from: instant.optional(),
    until: instant.optional(),
    limit: z.coerce.number().int().min(1).max(1000).default(200),
  }),
  output: z.object({
    market: z.array(
      z.object({
        kind: z.enum(marketKinds),
        place: z.string(),
        key: z.string(),
        at: instant,
        value: z.string(),
        unit: z.string(),
        source: z.uuid(),
        seenAt: instant,
      }),
    ),
  }),
  failures: [],
});

const mendLimit = 1000;
const field = z.string().min(1).max(300);
const change = z.discriminatedUnion("do", [
  z.strictObject({
    do: z.literal("set"),
    field,
    value: z.union([z.string().max(32 * 1024), z.number(), z.boolean(), z.null()]),
  }),
  z.strictObject({ do: z.literal("rename"), field, to: field }),
  z.strictObject({ do: z.literal("remove"), field }),
]);
const changes = z.array(change).max(20);

export const openRefused = endpoint({
  method: "GET",
  path: "/v1/rejected/:rejected",
  permission: "imports:write",
  summary: {
    zh: "打开一条拒收内容，看原文和要改的字段；会记入审计。没有查找会员的权限时，能指认客人的值不显示",
    en: "Open one refused item: what it says and which field is wrong. It is audited; without the permission to find members, what names a guest is left out",
  },
  input: z.strictObject({ rejected: z.uuid() }),
  output: z.object({
    id: z.uuid(),
    source: z.uuid(),
    run: z.uuid().nullable(),
    line: z.number().nullable(),
    name: z.string(),
    reason: z.string(),
    field: z.string(),
    /** Where in the item that field stands, or would; "" where it is all of it. */
    place: z.string(),
    at: instant,
    leaves: z.array(
      z.object({
        path: z.string(),
        value: z.string(),
        kind: z.enum(["text", "number", "other"]),
        hidden: z.boolean(), // it names somebody, and the caller may not see whom
      }),
    ),
    more: z.boolean(), // there are more than 300
    /** As it came; null where the caller may not see all of it. */
    text: z.string().nullable(),
  }),
  failures: ["exchange.gone"],
});

export const mend = endpoint({
  method: "POST",
  path: "/v1/rejected/resend",
  permission: "imports:write",
  summary: {
    zh: "把拒收的内容改好后重新送入，一条或多条；重复送入只算一次",
    en: "Send refused items again, mended where need be, one or many; sent twice they count once",
  },
  input: z.strictObject({
    ids: z.array(z.uuid()).min(1).max(mendLimit),
    /** What is changed in each of them, in order. */
    changes: changes.default([]),
    /** The whole text of some of them, by id, before the changes. */
    texts: z
      .record(
        z.uuid(),
        z
          .string()
          .min(1)
          .max(512 * 1024),
      )
      .default({}),
  }),
  output: z.object({
    results: z.array(
      z.object({
        id: z.uuid(),
        outcome: z.enum(["accepted", "double", "refused", "gone"]), // gone: closed already, or never there
        reason: z.string().nullable(),
        field: z.string().nullable(),
        /** Where in its item that field stands, or would. */
        place: z.string().nullable(),
      }),
    ),
  }),
  failures: [],
});

export const askMending = endpoint({
  method: "POST",
  path: "/v1/rejected/mendings",
  permission: "imports:write",
  summary: {
    zh: "对筛选出的全部拒收内容做同样的修改；先试一遍，不写入任何数据",
    en: "Change all refused items of a filter alike; it is tried first, and nothing is written",
  },
  input: z.strictObject({ filter: rejectedFilter, changes }),
  output: z.object({ id: z.uuid() }),
  failures: ["exchange.mendings_full"],
});
const mending = z.object({
  id: z.uuid(),
  filter: rejectedFilter,
  changes,
  stage: z.enum(["trying", "tried", "working", "done", "stopped"]),
  total: z.number(),
  done: z.number(),
  accepted: z.number(),
  doubles: z.number(),
  refused: z.number(),
  reasons: z.array(z.object({ reason: z.string(), field: z.string(), count: z.number() })),
  askedAt: instant,
  finishedAt: instant.nullable(),
});
export const mendings = endpoint({
  method: "GET",
  path: "/v1/rejected/mendings",
  permission: "imports:write",
  summary: {
    zh: "批量修改的试算结果和进度",
    en: "What each mending of many would do, or how far it has come",
  },
  input: z.strictObject({}),
  output: z.object({ mendings: z.array(mending) }),
  failures: [],
});
export const moveMending = endpoint({
  method: "PATCH",
  path: "/v1/rejected/mendings/:mending",
  permission: "imports:write",
  summary: {
    zh: "试过之后开始批量修改，或者停下",
    en: "Begin a mending of many once it was tried, or stop it",
  },
  input: z.strictObject({ mending: z.uuid(), to: z.enum(["working", "stopped"]) }),
  output: z.object({}),
  failures: ["exchange.gone", "exchange.not_tried"],
});

const what = z.enum(["people", "columns"]);
export const askRebuild = endpoint({
  method: "POST",
  path: "/v1/rebuilds",
  permission: "house:write",
  summary: {
    zh: "从日志重新算出客人数据，或把列存重建一遍；正在进行的不会重复开始",
    en: "Work people out anew from the log, or give the columns everything again; one of each at a time",
  },
  input: z.strictObject({ what, from: instant.optional(), until: instant.optional() }),
  output: z.object({ id: z.uuid() }),
  failures: [],
});
export const rebuilds = endpoint({
  method: "GET",
  path: "/v1/rebuilds",
  permission: "house:read",
  summary: { zh: "重新计算的进度", en: "How far each rebuilding has come" },
  input: z.strictObject({}),
  output: z.object({
    rebuilds: z.array(
      z.object({
        id: z.uuid(),
        what,
        from: instant.nullable(),
        until: instant.nullable(),
        stage: z.enum(["waiting", "clearing", "working", "done"]),
        done: z.number(),
        total: z.number(),
        askedAt: instant,
        finishedAt: instant.nullable(),
      }),
    ),
  }),
  failures: [],
});
