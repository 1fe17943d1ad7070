import { z } from "zod";
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
export const mend = endpoint({
  method: "POST",
  path: "/v1/rejected/resend",
  permission: "house:write",
  summary: {
    zh: "把拒收的内容改好后重新送入，一条或多条；重复送入只算一次",
    en: "Send refused items again, mended where need be, one or many; sent twice they count once",
  },
  input: z.strictObject({
    ids: z.array(z.uuid()).min(1).max(mendLimit),
    /** The mended text of some of them, by id. */
    texts: z
      .record(
        z.uuid(),
        z
          .string()
          .min(1)
          .max(32 * 1024),
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
      }),
    ),
  }),
  failures: [],
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
