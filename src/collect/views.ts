// Reads of where events come from and what became of them. They never write.
import type { Reader } from "#kernel/sql.ts";
import type { Protocol } from "./rules.ts";

export type SourceFigures = {
  id: string;
  name: string;
  kind: "server" | "public" | "import";
  protocol: Protocol;
  disabled: boolean;
  demo: boolean;
  createdAt: Date;
  events: number;
  lastAt: Date | null;
  rejected: number;
  lastRejectedAt: Date | null;
  refused: number;
  beyond: number;
  keys: number;
  lastReason: string | null;
  lastField: string | null;
  lastErrorAt: Date | null;
};
/** Every source with what it sent. Reads the whole log: a page for operators, not for every request. */
export const sources = (reader: Reader) => reader<SourceFigures[]>`
  select s.id, s.name, s.kind, s.protocol, s.disabled, s.demo, s.created_at, coalesce(e.events, 0)::int as events, e.last_at,
    coalesce(r.rejected, 0)::int as rejected, r.last_at as last_rejected_at,
    (select coalesce(sum(refused), 0)::int from collect_refused d where d.source_id = s.id) as refused,
    (select coalesce(sum(beyond), 0)::int from collect_kept k where k.source_id = s.id) as beyond,
    (select count(*)::int from access_key a where a.source_id = s.id and a.revoked_at is null) as keys,
    f.reason as last_reason, f.field as last_field, f.at as last_error_at
  from collect_source s
  left join (
    select source_id, count(*) as events, max(received_at) as last_at from collect_event group by source_id
  ) e on e.source_id = s.id
  left join (
    select source_id, count(*) as rejected, max(at) as last_at from collect_rejected group by source_id
  ) r on r.source_id = s.id
  left join collect_fault f on f.source_id = s.id
  order by s.name`;
/** Requests whose key was none of ours, since then. */
export async function strangers(reader: Reader, since: Date): Promise<number> {
  const [row] = await reader<{ all: number }[]>`
    select coalesce(sum(requests), 0)::int as all from doors_unknown
    where day >= ${since.toISOString().slice(0, 10)}`;
  return row!.all;
}
/** What was refused of a source, by reason, the most first. */
export const refusedOf = (reader: Reader, id: string) => reader<
  { reason: string; count: number }[]
>`
  select reason, sum(refused)::int as count from collect_refused
  where source_id = ${id} group by reason order by 2 desc, 1`;
export const sharesOf = (reader: Reader, id: string) =>
  reader<{ shares: string | null }[]>`select shares from collect_source where id = ${id}`;
