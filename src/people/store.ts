// Every SQL statement that writes people, and its own reads.
import { byteList, type PersonKey, type Reader, type Tx } from "#kernel/sql.ts";

export const way = (reader: Reader, personId: string) =>
  reader<PersonKey[]>`select bucket, person_id from people_way where person_id = ${personId}`;

export type NodeRow = PersonKey & {
  nodeBucket: number;
  nodeId: string;
  sourceId: string;
  type: string;
  blind: Buffer;
  sealed: Buffer;
  seenAt: Date;
};
/** Nodes by blind index. */
export const nodesByBlind = (reader: Reader, blinds: Buffer[]) =>
  reader<(PersonKey & { blind: Buffer; nodeBucket: number; nodeId: string })[]>`
    select i.blind, n.bucket as node_bucket, n.node_id, n.person_bucket as bucket, n.person_id
    from people_identifier i
    join people_node n on n.bucket = i.bucket and n.node_id = i.node_id
    where i.blind = any(${byteList(blinds)}::text[]::bytea[])`;

/** The same, and no erasure takes them away before this transaction ends. */
export const heldNodesByBlind = (tx: Tx, blinds: Buffer[]) =>
  tx<(PersonKey & { blind: Buffer; nodeBucket: number; nodeId: string })[]>`
    select i.blind, n.bucket as node_bucket, n.node_id, n.person_bucket as bucket, n.person_id
    from people_identifier i
    join people_node n on n.bucket = i.bucket and n.node_id = i.node_id
    where i.blind = any(${byteList(blinds)}::text[]::bytea[])
    order by n.bucket, n.node_id for key share of n`;
export const holdNodes = (tx: Tx, { bucket, personId }: PersonKey) => tx`
  select from people_node where person_bucket = ${bucket} and person_id = ${personId}
  order by bucket, node_id for update`;

/** Claims identifiers that nobody has; those claimed by another transaction meanwhile are not returned. */
export const claimIdentifiers = (
  tx: Tx,
  rows: { blind: Buffer; bucket: number; nodeId: string }[],
) =>
  tx<{ blind: Buffer }[]>`
    insert into people_identifier ${tx(rows)} on conflict (blind) do nothing returning blind`;

/** New people with their first node each. */
export const addPeople = (tx: Tx, rows: NodeRow[]) =>
  Promise.all([
    tx`insert into people_way ${tx(rows.map(({ bucket, personId }) => ({ bucket, personId })))}`,
    tx`insert into people_person ${tx(
      rows.map(({ bucket, personId, sourceId, seenAt }) => ({
        bucket,
        personId,
        sourceId,
        seenAt,
      })),
    )}`,
    addNodes(tx, rows),
  ]);
export const addNodes = (tx: Tx, rows: NodeRow[]) =>
  tx`insert into people_node ${tx(
    rows.map((r) => ({
      bucket: r.nodeBucket,
      nodeId: r.nodeId,
      sourceId: r.sourceId,
      type: r.type,
      sealed: r.sealed,
      personBucket: r.bucket,
      personId: r.personId,
    })),
  )}`;

export type OwnNode = { bucket: number; nodeId: string; type: string; sealed: Buffer } & {
  personId: string;
  blind: Buffer;
};
export const nodesOf = (reader: Reader, people: PersonKey[]) => {
  const buckets = [...new Set(people.map(({ bucket }) => bucket))];
  return reader<OwnNode[]>`
    select n.bucket, n.node_id, n.type, n.sealed, n.person_id, i.blind from people_node n
    join people_identifier i on i.bucket = n.bucket and i.node_id = n.node_id
    where n.person_bucket = any(${buckets}::smallint[])
      and n.person_id = any(${people.map(({ personId }) => personId)}::uuid[])
    order by n.person_id, n.node_id`;
};

export type AttributeRow = PersonKey & { name: string; attribute: string };
/**
 * `attribute` is its JSON text. Attributes of one person go in one update, and people in one order, so that two who
 * write to the same people wait for each other and do not deadlock.
 */
export const mergeAttributes = (tx: Tx, rows: AttributeRow[], at: Date) => tx`
  insert into people_profile as p (bucket, person_id, attributes, updated_at)
  select bucket, person_id, jsonb_object_agg(name, attribute::jsonb), ${at}
  from unnest(${rows.map((r) => r.bucket)}::smallint[], ${rows.map((r) => r.personId)}::uuid[],
    ${rows.map((r) => r.name)}::text[], ${rows.map((r) => r.attribute)}::text[])
    as n(bucket, person_id, name, attribute)
  group by bucket, person_id
  order by bucket, person_id
  on conflict (bucket, person_id) do update
    set attributes = p.attributes || excluded.attributes, updated_at = excluded.updated_at`;

export type TagRow = PersonKey & {
  tag: string;
  value: string | null;
  kind: string;
  source: string;
  reason: string; // JSON text
  confidence: number;
  cause: string | null;
  at: Date;
  expiresAt: Date | null;
  logId: string;
};
/** Writes what differs, with its log; the same value again only renews reason and expiry. */
export const changeTags = (tx: Tx, rows: TagRow[]) => tx<
  { personId: string; tag: string; logId: string; before: string | null; after: string | null }[]
>`
  with asked as (
    select * from unnest(
      ${rows.map((r) => r.bucket)}::smallint[], ${rows.map((r) => r.personId)}::uuid[],
      ${rows.map((r) => r.tag)}::text[], ${rows.map((r) => r.value)}::text[],
      ${rows.map((r) => r.kind)}::text[], ${rows.map((r) => r.source)}::text[],
      ${rows.map((r) => r.reason)}::text[], ${rows.map((r) => r.confidence)}::real[],
      ${rows.map((r) => r.cause)}::uuid[], ${rows.map((r) => r.at.toISOString())}::text[],
      ${rows.map((r) => r.expiresAt?.toISOString() ?? null)}::text[],
      ${rows.map((r) => r.logId)}::uuid[]
    ) as a(bucket, person_id, tag, value, kind, source, reason, confidence, cause, at, expires_at, log_id)
  ), known as (
    select a.*, t.value as before from asked a
    left join people_tag t on (t.bucket, t.person_id, t.tag) = (a.bucket, a.person_id, a.tag)
  ), changed as (
    insert into people_tag_log (bucket, person_id, id, tag, before, after, source, reason, cause, at)
    select bucket, person_id, log_id, tag, before, value, source, reason::jsonb, cause, at::timestamptz
    from known where before is distinct from value
    returning person_id, tag, id as log_id, before, after
  ), gone as (
    delete from people_tag t using known k
    where k.value is null and (t.bucket, t.person_id, t.tag) = (k.bucket, k.person_id, k.tag)
  ), kept as (
    insert into people_tag as t
      (bucket, person_id, tag, value, kind, source, reason, confidence, at, expires_at, log_id)
    select bucket, person_id, tag, value, kind, source, reason::jsonb, confidence, at::timestamptz,
      expires_at::timestamptz, log_id
    from known where value is not null order by bucket, person_id, tag
    on conflict (bucket, person_id, tag) do update set
      value = excluded.value, kind = excluded.kind, source = excluded.source,
      reason = excluded.reason, confidence = excluded.confidence, expires_at = excluded.expires_at,
      at = case when t.value = excluded.value then t.at else excluded.at end,
      log_id = case when t.value = excluded.value then t.log_id else excluded.log_id end
  )
  select * from changed`;

export type FieldRow = PersonKey & {
  field: string;
  nodeBucket: number;
  nodeId: string;
  sealed: Buffer;
  source: string;
  at: Date;
};
export const putFields = (tx: Tx, rows: FieldRow[]) => tx`
  insert into people_field ${tx(rows)}
  on conflict (bucket, person_id, field) do update set node_bucket = excluded.node_bucket,
    node_id = excluded.node_id, sealed = excluded.sealed, source = excluded.source, at = excluded.at
  where people_field.at <= excluded.at`;
export const fieldsOf = (reader: Reader, people: PersonKey[], field: string) => {
  const buckets = [...new Set(people.map(({ bucket }) => bucket))];
  return reader<FieldRow[]>`
    select * from people_field
    where bucket = any(${buckets}::smallint[]) and field = ${field}
      and person_id = any(${people.map(({ personId }) => personId)}::uuid[])`;
};
export const allFieldsOf = (reader: Reader, { bucket, personId }: PersonKey) =>
  reader<FieldRow[]>`
    select * from people_field where bucket = ${bucket} and person_id = ${personId} order by field`;

/** Takes up to `limit` nodes whose person the columns do not know yet. */
export const unshipped = (tx: Tx, limit: number) => tx<
  { bucket: number; nodeId: string; personId: string; version: bigint }[]
>`
  select bucket, node_id, person_id, version from people_node where not shipped
  order by bucket, node_id limit ${limit} for no key update skip locked`;
export const markShipped = (tx: Tx, nodes: { bucket: number; nodeId: string }[]) => tx`
  update people_node n set shipped = true
  from unnest(${nodes.map((n) => n.bucket)}::smallint[], ${nodes.map((n) => n.nodeId)}::uuid[])
    as s(bucket, node_id)
  where n.bucket = s.bucket and n.node_id = s.node_id`;

export async function eraseRows(tx: Tx, { bucket, personId }: PersonKey): Promise<void> {
  await tx`
    delete from people_identifier i using people_node n
    where n.person_bucket = ${bucket} and n.person_id = ${personId}
      and i.bucket = n.bucket and i.node_id = n.node_id`;
  await tx`delete from people_node where person_bucket = ${bucket} and person_id = ${personId}`;
  await tx`delete from people_field where bucket = ${bucket} and person_id = ${personId}`;
  await tx`delete from people_tag where bucket = ${bucket} and person_id = ${personId}`;
  await tx`delete from people_tag_log where bucket = ${bucket} and person_id = ${personId}`;
  await tx`delete from people_profile where bucket = ${bucket} and person_id = ${personId}`;
  await tx`delete from people_person where bucket = ${bucket} and person_id = ${personId}`;
  await tx`delete from people_way where person_id = ${personId}`;
}
