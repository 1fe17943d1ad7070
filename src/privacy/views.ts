// Reads for the pages on erasures and on the audit, and what the columns are being sent.
import type { Reader } from "#kernel/sql.ts";
import type { Erasure } from "./api.ts";

/** Buckets of the log of which a batch is on its way to the columns. */
export async function batchesUnderWay(reader: Reader): Promise<number[]> {
  const rows = await reader<{ bucket: number }[]>`
    select distinct unnest(buckets) as bucket from collect_batch where state = 'cut'`;
  return rows.map(({ bucket }) => bucket);
}

/** Each copy of the node keys' own backup is kept this long at most. */
const keyBackupMs = 7 * 86_400_000;
export async function erasures(
  reader: Reader,
  { after, limit }: { after?: string | undefined; limit: number },
): Promise<{ erasures: Erasure[]; next: string | null }> {
  type Row = { id: string; personId: string; askedAt: Date; columnsAt: Date | null };
  const rows = await reader<Row[]>`
    select id, person_id, asked_at, columns_at from privacy_erasure
    where ${after ?? null}::uuid is null or id < ${after ?? null}::uuid
    order by id desc limit ${limit + 1}`;
  const shown = rows.slice(0, limit);
  return {
    erasures: shown.map(({ id, personId, askedAt, columnsAt }) => ({
      ...{ id, person: personId, askedAt, columnsAt },
      completeAt:
        columnsAt && new Date(Math.max(columnsAt.getTime(), askedAt.getTime() + keyBackupMs)),
    })),
    next: rows.length > limit ? shown.at(-1)!.id : null,
  };
}

export type AuditRow = {
  id: bigint;
  at: Date;
  actor: string;
  endpoint: string;
  target: Record<string, unknown>;
  outcome: string;
  requestId: string | null;
  seal: bigint | null;
};
export async function auditLines(
  reader: Reader,
  asked: { after?: bigint | undefined; actor?: string | undefined; limit: number },
): Promise<{ lines: AuditRow[]; next: bigint | null }> {
  const { after, actor, limit } = asked;
  const rows = await reader<AuditRow[]>`
    select a.id, a.at, a.actor, a.endpoint, a.target, a.outcome, a.request_id, s.seq as seal
    from audit a left join audit_seal s on s.audit_id = a.id
    where true ${after === undefined ? reader`` : reader`and a.id < ${String(after)}::bigint`}
      ${actor === undefined ? reader`` : reader`and a.actor = ${actor}`}
    order by a.id desc limit ${limit + 1}`;
  const lines = rows.slice(0, limit);
  return { lines, next: rows.length > limit ? lines.at(-1)!.id : null };
}
