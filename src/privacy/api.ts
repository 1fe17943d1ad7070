import { z } from "zod";
import { endpoint } from "#kernel/endpoint.ts";

/** A date inside, ISO text in JSON. */
const instant = z.codec(z.iso.datetime(), z.date(), {
  decode: (text) => new Date(text),
  encode: (at) => at.toISOString(),
});
/** A bigint inside, text in JSON: numbers there end at 2^53. */
const big = z.codec(z.string().regex(/^\d{1,18}$/), z.bigint(), {
  decode: (text) => BigInt(text),
  encode: (number) => String(number),
});
const limit = z.coerce.number().int().min(1).max(200).default(50);

export const eraseMember = endpoint({
  method: "DELETE",
  path: "/v1/members/:person",
  permission: "members:erase",
  summary: {
    zh: "彻底删除一个用户：密钥当场销毁，报表数据随后清除，不能恢复",
    en: "Erase a person for good: their keys go at once, their rows in reports right after",
  },
  input: z.strictObject({ person: z.uuid() }),
  output: z.object({ erasure: z.uuid() }),
  failures: ["people.unknown"],
});

const erasure = z.object({
  id: z.uuid(),
  person: z.uuid(),
  askedAt: instant, // from here on no key opens what was sealed, and PostgreSQL has no row of theirs
  columnsAt: instant.nullable(), // ClickHouse has none either
  /** The last copy of a backed-up key is gone by then: from that instant on the erasure is complete everywhere. */
  completeAt: instant.nullable(),
});
export type Erasure = z.output<typeof erasure>;
export const listErasures = endpoint({
  method: "GET",
  path: "/v1/erasures",
  permission: "members:erase",
  summary: { zh: "删除请求和完成时间", en: "Erasures asked for, and when each is complete" },
  input: z.strictObject({ after: z.uuid().optional(), limit }),
  output: z.object({ erasures: z.array(erasure), next: z.uuid().nullable() }),
  failures: [],
});

const line = z.object({
  id: big,
  at: instant,
  actor: z.string(),
  endpoint: z.string(),
  target: z.record(z.string(), z.unknown()),
  outcome: z.string(), // "ok", or the code of the failure
  requestId: z.uuid().nullable(),
  seal: big.nullable(), // its place in the chain; null for about a second
});
export const listAudit = endpoint({
  method: "GET",
  path: "/v1/audit",
  permission: "audit:read",
  summary: { zh: "审计记录，最新的在前", en: "The audit, latest first" },
  input: z.strictObject({
    after: big.optional(), // the last page's `next`
    actor: z.string().max(200).optional(),
    limit,
  }),
  output: z.object({ lines: z.array(line), next: big.nullable() }),
  failures: [],
});

export const auditHead = endpoint({
  method: "GET",
  path: "/v1/audit/head",
  permission: "audit:read",
  summary: {
    zh: "审计链的链头：存到别处，日后就能发现记录被截断",
    en: "The head of the audit's chain: kept elsewhere, it shows later whether the end was cut off",
  },
  input: z.strictObject({}),
  output: z.object({
    seq: big, // how many lines are sealed
    hash: z.string(), // of the last seal, hex; empty where there is none
    waiting: z.number().int(), // lines not sealed yet
  }),
  failures: [],
});
