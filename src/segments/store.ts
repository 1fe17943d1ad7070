// Every SQL statement that writes segments, and its own reads.
import type { PersonKey, Reader, Tx } from "#kernel/sql.ts";
import type { Rule, Sentence } from "./rules.ts";

export type Purpose = "marketing" | "service" | "analysis";
export type Segment = {
  id: string;
  code: string | null;
  name: Sentence;
  rule: Rule;
  purpose: Purpose;
  version: number;
  definedAt: Date;
  refreshedAt: Date | null;
};
const columns = (reader: Reader) => reader`
  id, code, jsonb_build_object('zh', name_zh, 'en', name_en) as name, rule, purpose, version,
  defined_at, refreshed_at`;

export const all = (reader: Reader) =>
  reader<Segment[]>`select ${columns(reader)} from segments_segment order by defined_at, id`;
/** Locked for whoever changes rules: two changes together could make a circle that neither makes alone. */
export const allLocked = (tx: Tx) =>
  tx<Segment[]>`select ${columns(tx)} from segments_segment order by id for update`;
export async function byId(reader: Reader, id: string): Promise<Segment | undefined> {
  const [segment] = await reader<Segment[]>`
    select ${columns(reader)} from segments_segment where id = ${id}`;
  return segment;
}

export const put = (tx: Tx, { name, rule, ...rest }: Segment) => tx`
  insert into segments_segment
    ${tx({ ...rest, nameZh: name.zh, nameEn: name.en, rule: tx.json(rule as never) })}
  on conflict (id) do update set name_zh = excluded.name_zh, name_en = excluded.name_en,
    rule = excluded.rule, purpose = excluded.purpose, version = excluded.version,
    defined_at = excluded.defined_at`;

/** While all of a segment is worked out nobody else changes who is in it; single people share the right. */
export const lockWhole = (tx: Tx, id: string) =>
  tx`select from segments_segment where id = ${id} for update`;
export const lockShared = (tx: Tx) =>
  tx<Segment[]>`select ${columns(tx)} from segments_segment order by id for share`;
export const markRefreshed = (tx: Tx, id: string, at: Date) =>
  tx`update segments_segment set refreshed_at = ${at} where id = ${id}`;

export type Cause = { kind: "tag" | "event"; id: string };
export type Change = PersonKey & {
  segmentId: string;
  version: number;
  change: "entered" | "left";
  cause: Cause | null;
  at: Date;
};
/** Lets people in and out, with a line of the log for each. */
export async function apply(
  tx: Tx,
  newId: () => string,
  changes: readonly Change[],
): Promise<void> {
  for (let i = 0; i < changes.length; i += 5000) {
    const part = changes.slice(i, i + 5000);
    await tx`
      with n as (
        select * from unnest(
          ${part.map((c) => c.bucket)}::smallint[], ${part.map((c) => c.personId)}::uuid[],
          ${part.map(() => newId())}::uuid[], ${part.map((c) => c.segmentId)}::uuid[],
          ${part.map((c) => c.version)}::int[], ${part.map((c) => c.change)}::text[],
          ${part.map((c) => c.cause?.kind ?? null)}::text[],
          ${part.map((c) => c.cause?.id ?? null)}::uuid[],
          ${part.map((c) => c.at.toISOString())}::text[]
        ) as n(bucket, person_id, id, segment_id, version, change, cause_kind, cause, at)
      ), out as (
        delete from segments_member m using n
        where n.change = 'left'
          and (m.bucket, m.person_id, m.segment_id) = (n.bucket, n.person_id, n.segment_id)
        returning m.bucket, m.person_id, m.segment_id
      ), come as (
        insert into segments_member (bucket, person_id, segment_id, since, cause_kind, cause)
        select bucket, person_id, segment_id, at::timestamptz, cause_kind, cause
        from n where change = 'entered'
        on conflict do nothing
        returning bucket, person_id, segment_id
      )
      insert into segments_log
        (bucket, person_id, id, segment_id, version, change, cause_kind, cause, at)
      select n.bucket, n.person_id, n.id, n.segment_id, n.version, n.change, n.cause_kind, n.cause,
        n.at::timestamptz
      from n join (
        select *, 'left' as change from out union all select *, 'entered' from come
      ) done using (bucket, person_id, segment_id, change)`;
  }
}

/** Who is in a segment, by bucket and id. */
export const members = (reader: Reader, segmentId: string) => reader<PersonKey[]>`
  select bucket, person_id from segments_member where segment_id = ${segmentId}
  order by bucket, person_id`;

export async function erasePerson(tx: Tx, { bucket, personId }: PersonKey): Promise<void> {
  await tx`delete from segments_member where bucket = ${bucket} and person_id = ${personId}`;
  await tx`delete from segments_log where bucket = ${bucket} and person_id = ${personId}`;
}
