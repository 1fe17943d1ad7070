import { z } from "zod";
import { rejectedFilter } from "#collect/api.ts";
import { endpoint } from "#kernel/endpoint.ts";
import {
  encodings,
  fileBytesLimit,
  fileStages,
  formats,
  isCurrency,
  isTimed,
  isTimeZone,
  kinds,
  marketKinds,
  outKinds,
  purposes,
  type Mapping,
} from "./rules.ts";

export { event } from "#collect/api.ts";

const instant = z.iso.datetime();
/** A day begins at its midnight in the shop's time zone. */
const instantOrDay = z.union([instant, z.iso.date()]);

export const exported = endpoint({
  method: "GET",
  path: "/v1/exports/:kind",
  permission: "exports:read",
  summary: {
    zh: "导出为 CSV 或 JSON Lines；没有查找会员的权限时，能指认客人的字段留空",
    en: "Export as CSV or JSON Lines; without the permission to find members, what names a guest is left empty",
  },
  input: z
    .strictObject({
      kind: z.enum(outKinds),
      format: z.enum(formats).default("csv"),
      purpose: z.enum(purposes),
      segment: z.uuid().optional(), // of the kind "segment"
      snapshot: z.uuid().optional(), // a list that was kept of that segment, in the place of who is in it now
      from: instantOrDay.optional(), // of orders and events: what happened then or later
      until: instantOrDay.optional(), // and before then
    })
    .refine(({ kind, from }) => from === undefined || isTimed(kind), { path: ["from"] })
    .refine(({ kind, until }) => until === undefined || isTimed(kind), { path: ["until"] })
    .refine(({ from, until }) => !from || !until || Date.parse(from) < Date.parse(until), {
      path: ["until"],
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

const fileId = z.strictObject({ file: z.uuid() });
export const beginFile = endpoint({
  method: "POST",
  path: "/v1/imports/files",
  permission: "imports:write",
  summary: {
    zh: "登记一个要导入的文件，CSV 或 JSON Lines，可用 gzip 压缩，最大 2 GiB；内容分段上传",
    en: "Announce a file to import, CSV or JSON Lines, plain or gzipped, up to 2 GiB; its bytes follow in parts",
  },
  input: z.strictObject({
    name: z.string().trim().min(1).max(200),
    bytes: z.number().int().min(1).max(fileBytesLimit),
    /** By which whoever hands it in knows it again, to go on after a break. */
    mark: z.string().max(200).default(""),
  }),
  output: z.object({ id: z.uuid() }),
  failures: ["exchange.files_full", "exchange.not_text"],
});
export const sendBytes = endpoint({
  method: "PUT",
  path: "/v1/imports/files/:file/bytes",
  permission: "imports:write",
  summary: {
    zh: "从给定位置起继续上传；中断后问一下已收到多少，从那里接着传",
    en: "Send bytes from a given place on; after a break, ask how many have come and go on from there",
  },
  input: fileId.extend({ offset: z.coerce.number().int().min(0) }),
  output: z.object({ received: z.number(), bytes: z.number() }),
  failures: ["exchange.gone", "exchange.offset", "request.too_large"],
  ownBytes: true,
});
const mapping = z.strictObject({
  timeZone: z.string().max(100).refine(isTimeZone).optional(),
  currency: z.string().refine(isCurrency).optional(),
  refundPrefix: z.string().max(20).optional(),
  services: z.array(z.string().max(200)).max(100).optional(),
  columns: z.record(z.string().max(200), z.string().max(200)).optional(),
  fixed: z.record(z.string().max(200), z.string().max(200)).optional(),
  numbers: z.array(z.string().max(200)).max(200).optional(),
  trust: z.enum(["shop", "page"]).optional(),
  encoding: z.enum(encodings).optional(),
  quoted: z.boolean().optional(),
}) as unknown as z.ZodType<Mapping, Mapping>; // a part that is not said is not there
const reasons = z.array(z.object({ reason: z.string(), field: z.string(), count: z.number() }));
const kind = z.enum(kinds);
const stage = z.enum(fileStages);
export const file = endpoint({
  method: "GET",
  path: "/v1/imports/files/:file",
  permission: "imports:write",
  summary: {
    zh: "一个要导入的文件：收到多少、怎样对应、试导入的结果、进度",
    en: "A file to import: how much has come, its mapping, what a dry run found, how far it is",
  },
  input: fileId,
  output: z.object({
    id: z.uuid(),
    name: z.string(),
    mark: z.string(),
    bytes: z.number(),
    received: z.number(),
    stage,
    kind: kind.nullable(),
    mapping: mapping.nullable(),
    source: z.string().nullable(), // its name
    run: z.uuid().nullable(),
    readBytes: z.number(),
    tried: z.object({
      lines: z.number(),
      fit: z.number(),
      reasons,
      refused: z.array(z.object({ line: z.number(), reason: z.string(), field: z.string() })),
    }),
    fault: z.string().nullable(), // a code
    counts: z
      .object({
        lines: z.number(),
        accepted: z.number(),
        rejected: z.number(),
        outside: z.number(),
        doubles: z.number(),
        beyond: z.number(),
      })
      .nullable(),
    madeAt: instant,
    finishedAt: instant.nullable(),
  }),
  failures: ["exchange.gone"],
});
export const lookAtFile = endpoint({
  method: "POST",
  path: "/v1/imports/files/:file/look",
  permission: "imports:write",
  summary: {
    zh: "看文件的开头：有哪些列、建议怎样对应、前 20 行会变成什么、哪里不对；会记入审计",
    en: "Look at the beginning of a file: its columns, a suggested mapping, what the first 20 lines would be and what is wrong with them; it is audited",
  },
  input: fileId.extend({
    kind,
    mapping: mapping.default({}),
    source: z.string().max(100).optional(),
  }),
  output: z.object({
    encoding: z.enum(encodings),
    columns: z.array(z.string()),
    /** What parts the columns: a comma, a semicolon, a tab, a bar; "" in lines of JSON. */
    separator: z.string(),
    /** Names that more than one column has: none of them may be used. */
    twice: z.array(z.string()),
    guess: z.record(z.string(), z.string()),
    /** Columns that the mapping names and the file does not have. */
    missing: z.array(z.string()),
    fields: z.array(z.string()),
    needed: z.array(z.string()),
    preview: z.array(
      z.object({
        line: z.number(),
        values: z.record(z.string(), z.string()),
        reason: z.string(),
        field: z.string(),
      }),
    ),
    lines: z.number(), // at most 1,000 are looked at
    fit: z.number(),
    reasons,
  }),
  failures: [
    ...(["exchange.gone", "exchange.not_whole", "exchange.unreadable"] as const),
    ...(["exchange.empty", "exchange.heading", "exchange.columns"] as const),
  ],
});
export const moveFile = endpoint({
  method: "PATCH",
  path: "/v1/imports/files/:file",
  permission: "imports:write",
  summary: {
    zh: "试导入、开始、暂停、继续或取消；取消后文件内容即删除，已导入的行保留",
    en: "Dry run, start, pause, go on or cancel; what is cancelled is deleted, and lines taken by then stay",
  },
  input: fileId.extend({
    to: z.enum(["trying", "running", "paused", "cancelled"]),
    kind: kind.optional(),
    mapping: mapping.optional(),
    /** The name of the source it counts as, made where it is not there. */
    source: z.string().trim().min(1).max(100).optional(),
  }),
  output: z.object({}),
  failures: [
    ...(["exchange.gone", "exchange.not_whole", "exchange.stage", "exchange.begun"] as const),
    ...(["exchange.no_kind", "collect.name_taken"] as const),
  ],
});
export const imports = endpoint({
  method: "GET",
  path: "/v1/imports",
  permission: "house:read",
  summary: {
    zh: "导入的文件及进度，最近 200 个，命令行导入的也在内",
    en: "Files imported and how far they have come, the last 200, those of the command line too",
  },
  input: z.strictObject({}),
  output: z.object({
    imports: z.array(
      z.object({
        file: z.uuid().nullable(), // null: imported from the command line
        run: z.uuid().nullable(), // null: no line was taken yet
        name: z.string(),
        mark: z.string(),
        kind: z.string().nullable(),
        source: z.uuid().nullable(),
        sourceName: z.string(),
        stage,
        fault: z.string().nullable(),
        bytes: z.number(),
        received: z.number(),
        readBytes: z.number(),
        lines: z.number(),
        accepted: z.number(),
        rejected: z.number(),
        outside: z.number(),
        doubles: z.number(),
        beyond: z.number(),
        startedAt: instant,
        finishedAt: instant.nullable(),
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
