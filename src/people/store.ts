// Every SQL statement that writes people, and its own reads.
import { nobody } from "#kernel/ids.ts";
import {
  byteList,
  eventsIn,
  hasRested,
  type PersonKey,
  type Reader,
  type Slice,
  type Sql,
  type Tx,
} from "#kernel/sql.ts";
import type { Identifier, TagKind } from "./rules.ts";

/** So many rows go in one statement: it has 65,535 places for values. */
const rowsAtOnce = 4000;

/** The way to a person; whoever turned out to be another is found as the other. */
export const way = (reader: Reader, personId: string) =>
  reader<PersonKey[]>`
    select coalesce(into_bucket, bucket) as bucket, coalesce(into_id, person_id) as person_id
    from people_way where person_id = ${personId}`;

/** Whoever these people are by now, each once. */
export const ways = (reader: Reader, personIds: readonly string[]) =>
  reader<PersonKey[]>`
    select distinct coalesce(into_bucket, bucket) as bucket, coalesce(into_id, person_id) as person_id
    from people_way where person_id = any(${personIds as string[]}::uuid[])`;

/** Everybody else who turned out to be this person. */
export const homesOf = (reader: Reader, personId: string) =>
  reader<PersonKey[]>`
    select bucket, person_id from people_way where into_id = ${personId} order by person_id`;

export type NodeRow = PersonKey & {
  nodeBucket: number;
  nodeId: string;
  sourceId: string;
  type: string;
  blind: Buffer;
  sealed: Buffer;
  seenAt: Date;
  /** The person that it is alone; that which it is made with, unless said. */
  homeId?: string;
  blocked: boolean;
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
export async function claimIdentifiers(
  tx: Tx,
  rows: readonly { blind: Buffer; bucket: number; nodeId: string }[],
): Promise<{ blind: Buffer }[]> {
  const claimed: { blind: Buffer }[] = [];
  for (let i = 0; i < rows.length; i += rowsAtOnce)
    claimed.push(
      ...(await tx<{ blind: Buffer }[]>`
        insert into people_identifier ${tx(rows.slice(i, i + rowsAtOnce))}
        on conflict (blind) do nothing returning blind`),
    );
  return claimed;
}

/** New people with their first node each. */
export async function addPeople(tx: Tx, rows: readonly NodeRow[]): Promise<void> {
  for (let i = 0; i < rows.length; i += rowsAtOnce)
    await addSome(tx, rows.slice(i, i + rowsAtOnce));
}
const addSome = (tx: Tx, rows: NodeRow[]) =>
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
    putNodes(tx, rows),
  ]);
export async function addNodes(tx: Tx, rows: readonly NodeRow[]): Promise<void> {
  for (let i = 0; i < rows.length; i += rowsAtOnce)
    await putNodes(tx, rows.slice(i, i + rowsAtOnce));
}
const putNodes = (tx: Tx, rows: readonly NodeRow[]) =>
  tx`insert into people_node ${tx(
    rows.map((r) => ({
      bucket: r.nodeBucket,
      nodeId: r.nodeId,
      sourceId: r.sourceId,
      type: r.type,
      sealed: r.sealed,
      personBucket: r.bucket,
      personId: r.personId,
      homeBucket: r.homeId === undefined ? r.bucket : r.nodeBucket,
      homeId: r.homeId ?? r.personId,
      blocked: r.blocked,
    })),
  )}`;

export type OwnNode = { bucket: number; nodeId: string; type: string; sealed: Buffer } & {
  personId: string;
  sourceId: string;
  blind: Buffer;
};
export const nodeOf = (reader: Reader, { bucket, nodeId }: { bucket: number; nodeId: string }) =>
  reader<{ type: Identifier["type"]; sealed: Buffer }[]>`
    select type, sealed from people_node where bucket = ${bucket} and node_id = ${nodeId}`;
/** The one that leads a person first, then in the order in which they were met. */
export const nodesOf = (reader: Reader, people: PersonKey[]) => {
  const buckets = [...new Set(people.map(({ bucket }) => bucket))];
  return reader<OwnNode[]>`
    select n.bucket, n.node_id, n.source_id, n.type, n.sealed, n.person_id, i.blind from people_node n
    join people_identifier i on i.bucket = n.bucket and i.node_id = n.node_id
    where n.person_bucket = any(${buckets}::smallint[])
      and n.person_id = any(${people.map(({ personId }) => personId)}::uuid[])
    order by n.person_id, (n.home_id = n.person_id) desc nulls last, n.node_id`;
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

/** Takes attributes away, of one source; people in one order, as above. */
export const dropAttributes = (
  tx: Tx,
  rows: readonly (PersonKey & { name: string; source: string })[],
  at: Date,
) => tx`
  with gone as materialized (
    select p.bucket, p.person_id, array_agg(n.name) as names
    from unnest(${rows.map((r) => r.bucket)}::smallint[], ${rows.map((r) => r.personId)}::uuid[],
      ${rows.map((r) => r.name)}::text[], ${rows.map((r) => r.source)}::text[])
      as n(bucket, person_id, name, source)
    join people_profile p on p.bucket = n.bucket and p.person_id = n.person_id
      and p.attributes->n.name->>'s' = n.source
    group by p.bucket, p.person_id
  ), held as materialized (
    select p.bucket, p.person_id, g.names from people_profile p
    join gone g on p.bucket = g.bucket and p.person_id = g.person_id
    order by p.bucket, p.person_id for no key update of p
  )
  update people_profile p set attributes = p.attributes - h.names, updated_at = ${at}
  from held h where p.bucket = h.bucket and p.person_id = h.person_id`;

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

/** Of these tags of people, those whose time has come. */
export const endedTags = (tx: Tx, due: readonly (PersonKey & { key: string })[], now: Date) => tx<
  (PersonKey & { tag: string; kind: TagKind; expiresAt: Date })[]
>`
  select t.bucket, t.person_id, t.tag, t.kind, t.expires_at
  from unnest(${due.map((d) => d.bucket)}::smallint[], ${due.map((d) => d.personId)}::uuid[],
    ${due.map((d) => d.key)}::text[]) as d(bucket, person_id, tag)
  join people_tag t on (t.bucket, t.person_id, t.tag) = (d.bucket, d.person_id, d.tag)
  where t.expires_at <= ${now} order by t.bucket, t.person_id, t.tag for update of t`;
/** What these people have of these tags, with whatever has expired and is still there left out. */
export const tagsHeld = (
  reader: Reader,
  people: readonly PersonKey[],
  tags: readonly string[],
  now: Date,
) => reader<(PersonKey & { tag: string; value: string; kind: TagKind; source: string })[]>`
  select t.bucket, t.person_id, t.tag, t.value, t.kind, t.source
  from unnest(${people.map((p) => p.bucket)}::smallint[], ${people.map((p) => p.personId)}::uuid[])
    as p(bucket, person_id)
  join people_tag t on t.bucket = p.bucket and t.person_id = p.person_id
    and t.tag = any(${tags as string[]}::text[])
  where t.expires_at is null or t.expires_at > ${now}`;

export type FieldRow = PersonKey & {
  field: string;
  nodeBucket: number;
  nodeId: string;
  sealed: Buffer;
  source: string;
  at: Date;
  eventId: string | null;
};
export async function putFields(tx: Tx, rows: FieldRow[]): Promise<void> {
  for (let i = 0; i < rows.length; i += rowsAtOnce)
    await tx`
      insert into people_field ${tx(rows.slice(i, i + rowsAtOnce))}
      on conflict (bucket, person_id, field) do update set node_bucket = excluded.node_bucket,
        node_id = excluded.node_id, sealed = excluded.sealed, source = excluded.source, at = excluded.at,
        event_id = excluded.event_id
      where (people_field.at, coalesce(people_field.event_id, ${nobody}))
        <= (excluded.at, coalesce(excluded.event_id, ${nobody}))`;
}
/** These nodes' persons have spoken for themselves. */
export async function markOwn(tx: Tx, nodes: readonly { bucket: number; nodeId: string }[]) {
  if (nodes.length === 0) return;
  await tx`
    update people_node n set own = true
    from unnest(${nodes.map((n) => n.bucket)}::smallint[], ${nodes.map((n) => n.nodeId)}::uuid[])
      as o(bucket, node_id)
    where n.bucket = o.bucket and n.node_id = o.node_id and not n.own`;
}
/** Who of these has spoken for themselves, held in one order for everybody: two who look at one go one after the other. */
export const spoken = (tx: Tx, people: readonly PersonKey[]) => tx<PersonKey[]>`
  select q.bucket, q.person_id
  from unnest(${people.map((p) => p.bucket)}::smallint[], ${people.map((p) => p.personId)}::uuid[])
    as p(bucket, person_id)
  join people_person q on q.bucket = p.bucket and q.person_id = p.person_id
  where exists (
    select from people_node n
    where n.person_bucket = q.bucket and n.person_id = q.person_id and n.own)
  order by q.bucket, q.person_id for no key update of q`;
/** Takes away what events told of these people: it is told anew. */
export async function dropTold(tx: Tx, people: readonly PersonKey[], sources: readonly string[]) {
  const [buckets, ids] = [people.map((p) => p.bucket), people.map((p) => p.personId)];
  await tx`
    delete from people_field f using unnest(${buckets}::smallint[], ${ids}::uuid[]) as p(bucket, person_id)
    where f.bucket = p.bucket and f.person_id = p.person_id
      and f.source = any(${sources as string[]}::text[])`;
  await tx`
    update people_profile f set attributes = coalesce((
      select jsonb_object_agg(a.key, a.value) from jsonb_each(f.attributes) a
      where (a.value->>'s' = any(${sources as string[]}::text[])) is not true), '{}')
    from unnest(${buckets}::smallint[], ${ids}::uuid[]) as p(bucket, person_id)
    where f.bucket = p.bucket and f.person_id = p.person_id`;
}
export const fieldsOf = (reader: Reader, people: PersonKey[], field: string) => {
  const buckets = [...new Set(people.map(({ bucket }) => bucket))];
  return reader<FieldRow[]>`
    select * from people_field
    where bucket = any(${buckets}::smallint[]) and field = ${field}
      and person_id = any(${people.map(({ personId }) => personId)}::uuid[])`;
};
export const everyFieldOf = (reader: Reader, people: readonly PersonKey[]) => reader<FieldRow[]>`
  select f.* from unnest(${people.map((p) => p.bucket)}::smallint[], ${people.map((p) => p.personId)}::uuid[])
    as k(bucket, person_id)
  join people_field f on f.bucket = k.bucket and f.person_id = k.person_id`;
export const allFieldsOf = (reader: Reader, { bucket, personId }: PersonKey) =>
  reader<FieldRow[]>`
    select * from people_field where bucket = ${bucket} and person_id = ${personId} order by field`;

/** Takes up to `limit` nodes whose person the columns do not know yet, with the spans of those that several used. */
export const unshipped = (tx: Tx, limit: number) => tx<
  {
    bucket: number;
    nodeId: string;
    personId: string;
    version: bigint;
    spans: [string, string, string][];
  }[]
>`
  select n.bucket, n.node_id, n.person_id, n.version, case when n.split then (
    select json_agg(json_build_array(
      to_char(case when s.from_at = '-infinity' then 'epoch' else s.from_at end at time zone 'UTC',
        'YYYY-MM-DD HH24:MI:SS.MS'), s.from_id, s.person_id) order by s.from_at, s.from_id)
    from people_span s where s.bucket = n.bucket and s.node_id = n.node_id) else '[]' end as spans
  from people_node n where not n.shipped
  order by n.bucket, n.node_id limit ${limit} for no key update of n skip locked`;
export const markShipped = (tx: Tx, nodes: { bucket: number; nodeId: string }[]) => tx`
  update people_node n set shipped = true
  from unnest(${nodes.map((n) => n.bucket)}::smallint[], ${nodes.map((n) => n.nodeId)}::uuid[])
    as s(bucket, node_id)
  where n.bucket = s.bucket and n.node_id = s.node_id`;

// ── who is who ──

export type LinkRow = {
  bucket: number;
  nodeId: string;
  otherBucket: number;
  otherNodeId: string;
  eventId: string;
  nth: number;
  at: Date;
  kind: "identify" | "alias" | "bind" | "unbind" | "hand" | "part";
  trusted: boolean;
  /** The operator whose word it is, and their reason. */
  by?: string | null;
  why?: string | null;
};
/** Of the log's flags: a file brought it, and it is no better than a page's word. */
const page = 128;
/** What the events of a slice say of who is who; gives the nodes that may be others' for it. */
export const addLinks = (tx: Tx, slice: Slice) => tx<LinkRow[]>`
  insert into people_link (bucket, node_id, other_bucket, other_node_id, event_id, nth, at, kind, trusted)
  select e.bucket, e.node_id, l.bucket, l.node_id, e.id, l.nth - 1, e.at,
    case when e.name in ('alias', 'bind', 'unbind') then e.name else 'identify' end, c.kind <> 'public' and e.flags & ${page} = 0
  from ${eventsIn(tx, slice)}
  join collect_source c on c.id = e.source_id
  cross join unnest(e.link_buckets, e.link_ids) with ordinality as l(bucket, node_id, nth)
  where e.link_ids is not null and e.node_id is not null and e.flags & 3 = 0 and l.node_id <> e.node_id
  on conflict do nothing returning *`;
export async function putLinks(tx: Tx, rows: LinkRow[]): Promise<LinkRow[]> {
  const put: LinkRow[] = [];
  for (let i = 0; i < rows.length; i += rowsAtOnce)
    put.push(
      ...(await tx<LinkRow[]>`
        insert into people_link ${tx(rows.slice(i, i + rowsAtOnce))} on conflict do nothing returning *`),
    );
  return put;
}
/** Of these links, those that may change something: what was said before and holds says nothing new. */
export const newWord = (tx: Tx, rows: LinkRow[]) => tx<{ bucket: number; nodeId: string }[]>`
  select distinct l.bucket, l.node_id
  from unnest(${rows.map((r) => r.bucket)}::smallint[], ${rows.map((r) => r.nodeId)}::uuid[],
    ${rows.map((r) => r.otherBucket)}::smallint[], ${rows.map((r) => r.otherNodeId)}::uuid[],
    ${rows.map((r) => r.at.toISOString())}::timestamptz[], ${rows.map((r) => r.eventId)}::uuid[],
    ${rows.map((r) => r.kind)}::text[], ${rows.map((r) => String(r.trusted))}::text[]::boolean[])
    as l(bucket, node_id, other_bucket, other_node_id, at, event_id, kind, trusted)
  where l.kind in ('unbind', 'hand')
    or exists (select from people_node n where n.split and ((n.bucket, n.node_id) = (l.bucket, l.node_id)
      or (n.bucket, n.node_id) = (l.other_bucket, l.other_node_id)))
    or not exists (
      select from people_link p where p.bucket = l.bucket and p.node_id = l.node_id
        and p.other_bucket = l.other_bucket and p.other_node_id = l.other_node_id
        and p.kind = l.kind and p.trusted = l.trusted and (p.at, p.event_id) < (l.at, l.event_id))
    or exists (
      select from people_link p where p.kind = 'unbind'
        and ((p.bucket, p.node_id, p.other_bucket, p.other_node_id)
          = (l.bucket, l.node_id, l.other_bucket, l.other_node_id)
        or (p.other_bucket, p.other_node_id, p.bucket, p.node_id)
          = (l.bucket, l.node_id, l.other_bucket, l.other_node_id)))`;
/** One resolver at a time: two that saw half of one component each would come to different people. */
export const holdResolver = (tx: Tx) =>
  tx`select from lease where name = 'people.resolve' for update`;
type NodeKey = { bucket: number; nodeId: string };
const nodeList = (reader: Reader, nodes: readonly NodeKey[]) =>
  reader`unnest(${nodes.map((n) => n.bucket)}::smallint[], ${nodes.map((n) => n.nodeId)}::uuid[]) as k(bucket, node_id)`;
export const linksAt = (reader: Reader, nodes: readonly NodeKey[], limit: number) =>
  reader<LinkRow[]>`
    select l.* from ${nodeList(reader, nodes)}
    join people_link l on l.bucket = k.bucket and l.node_id = k.node_id
    union
    select l.* from ${nodeList(reader, nodes)}
    join people_link l on l.other_bucket = k.bucket and l.other_node_id = k.node_id
    limit ${limit}`;
export type Known = NodeKey & {
  sourceId: string;
  type: string;
  blocked: boolean;
  personBucket: number;
  personId: string;
  homeBucket: number;
  homeId: string;
  split: boolean;
};
export const nodesAt = (reader: Reader, nodes: readonly NodeKey[]) => reader<Known[]>`
  select n.bucket, n.node_id, n.source_id, n.type, n.blocked, n.person_bucket, n.person_id,
    coalesce(n.home_bucket, n.person_bucket) as home_bucket, coalesce(n.home_id, n.person_id) as home_id,
    n.split
  from ${nodeList(reader, nodes)} join people_node n on n.bucket = k.bucket and n.node_id = k.node_id`;
export type SpanRow = NodeKey & {
  fromMs: number | null; // null: from the beginning
  fromId: string;
  personBucket: number;
  personId: string;
};
export const spansAt = (reader: Reader, nodes: readonly NodeKey[]) => reader<SpanRow[]>`
  select s.bucket, s.node_id, case when s.from_at > '-infinity' then
      round(extract(epoch from s.from_at) * 1000)::float8 end as from_ms,
    s.from_id, s.person_bucket, s.person_id
  from ${nodeList(reader, nodes)} join people_span s on s.bucket = k.bucket and s.node_id = k.node_id
  order by s.bucket, s.node_id, s.from_at, s.from_id`;
export type Owned = NodeKey & PersonKeyOf & { split: boolean };
type PersonKeyOf = { personBucket: number; personId: string; homeBucket: number; homeId: string };
/** Whose nodes are from now on; the columns are told again. */
export const setOwners = (tx: Tx, rows: readonly Owned[]) => tx`
  update people_node n set person_bucket = o.person_bucket, person_id = o.person_id, split = o.split,
    home_bucket = o.home_bucket, home_id = o.home_id, version = n.version + 1, shipped = false
  from unnest(${rows.map((r) => r.bucket)}::smallint[], ${rows.map((r) => r.nodeId)}::uuid[],
    ${rows.map((r) => r.personBucket)}::smallint[], ${rows.map((r) => r.personId)}::uuid[],
    ${rows.map((r) => r.homeBucket)}::smallint[], ${rows.map((r) => r.homeId)}::uuid[],
    ${rows.map((r) => String(r.split))}::text[]::boolean[])
    as o(bucket, node_id, person_bucket, person_id, home_bucket, home_id, split)
  where n.bucket = o.bucket and n.node_id = o.node_id`;
export async function setSpans(tx: Tx, nodes: readonly NodeKey[], rows: readonly SpanRow[]) {
  if (nodes.length === 0) return;
  await tx`
    delete from people_span s using ${nodeList(tx, nodes)}
    where s.bucket = k.bucket and s.node_id = k.node_id`;
  if (rows.length > 0)
    await tx`
      insert into people_span
        (bucket, node_id, from_at, from_id, until_at, until_id, person_bucket, person_id)
      select bucket, node_id, from_at, from_id,
        coalesce(lead(from_at) over w, 'infinity'),
        coalesce(lead(from_id) over w, 'ffffffff-ffff-ffff-ffff-ffffffffffff'), person_bucket, person_id
      from (
        select bucket, node_id, coalesce(to_timestamp(ms / 1000), '-infinity') as from_at, from_id,
          person_bucket, person_id
        from unnest(${rows.map((r) => r.bucket)}::smallint[], ${rows.map((r) => r.nodeId)}::uuid[],
          ${rows.map((r) => r.fromMs)}::float8[], ${rows.map((r) => r.fromId)}::uuid[],
          ${rows.map((r) => r.personBucket)}::smallint[], ${rows.map((r) => r.personId)}::uuid[])
          as t(bucket, node_id, ms, from_id, person_bucket, person_id)
      ) s
      window w as (partition by bucket, node_id order by from_at, from_id)`;
}
/** What these people did is not what it was: whoever remembers it reads it anew. */
export const stamp = (tx: Tx, people: readonly PersonKey[]) => tx`
  update people_person p set stamp = default
  from unnest(${people.map((one) => one.bucket)}::smallint[], ${people.map((one) => one.personId)}::uuid[])
    as w(bucket, person_id)
  where p.bucket = w.bucket and p.person_id = w.person_id`;
export async function takeSplit(tx: Tx, { bucket, personId }: PersonKey): Promise<void> {
  const nodes = await tx<NodeKey[]>`
    select distinct bucket, node_id from people_span
    where person_bucket = ${bucket} and person_id = ${personId}`;
  if (nodes.length === 0) return;
  await stamp(
    tx,
    await tx<PersonKey[]>`
      select distinct s.person_bucket as bucket, s.person_id
      from ${nodeList(tx, nodes)} join people_span s on s.bucket = k.bucket and s.node_id = k.node_id`,
  );
  await tx`
    update people_node n set person_bucket = ${bucket}, person_id = ${personId}, split = false
    from ${nodeList(tx, nodes)} where n.bucket = k.bucket and n.node_id = k.node_id`;
  await setSpans(tx, nodes, []);
}
export type Home = PersonKey & { sourceId: string; seenAt: Date };
/** People who are there from now on, or again; somebody who is there stays as they are. Gives who was not there. */
export const bePeople = (tx: Tx, rows: readonly Home[]) => tx<PersonKey[]>`
  with asked as (
    select * from unnest(${rows.map((r) => r.bucket)}::smallint[], ${rows.map((r) => r.personId)}::uuid[],
      ${rows.map((r) => r.sourceId)}::uuid[], ${rows.map((r) => r.seenAt.toISOString())}::timestamptz[])
      as a(bucket, person_id, source_id, seen_at)
  ), was as (
    select w.person_id, w.source_id, w.seen_at from people_way w join asked using (person_id)
  ), put as (
    insert into people_way as w (person_id, bucket) select person_id, bucket from asked order by person_id
    on conflict (person_id) do update set into_bucket = null, into_id = null, source_id = null, seen_at = null
    where w.into_id is not null
  )
  insert into people_person (bucket, person_id, source_id, seen_at)
  select a.bucket, a.person_id, coalesce(was.source_id, a.source_id), coalesce(was.seen_at, a.seen_at)
  from asked a left join was using (person_id) order by a.bucket, a.person_id
  on conflict do nothing returning bucket, person_id`;
export type Gone = PersonKey & { intoBucket: number; intoId: string };
/** People who are another from now on. Gives those who were people until now. */
export async function leavePeople(tx: Tx, rows: readonly Gone[]) {
  const asked = tx`unnest(${rows.map((r) => r.bucket)}::smallint[], ${rows.map((r) => r.personId)}::uuid[],
    ${rows.map((r) => r.intoBucket)}::smallint[], ${rows.map((r) => r.intoId)}::uuid[])
    as a(bucket, person_id, into_bucket, into_id)`;
  const left = await tx<(Gone & { sourceId: string; seenAt: Date })[]>`
    delete from people_person p using ${asked}
    where p.bucket = a.bucket and p.person_id = a.person_id
    returning p.bucket, p.person_id, p.source_id, p.seen_at, a.into_bucket, a.into_id`;
  await tx`
    update people_way w set into_bucket = a.into_bucket, into_id = a.into_id
    from ${asked} where w.person_id = a.person_id and w.into_id is distinct from a.into_id`;
  if (left.length > 0)
    await tx`
      update people_way w set source_id = l.source_id, seen_at = l.seen_at
      from unnest(${left.map((r) => r.personId)}::uuid[], ${left.map((r) => r.sourceId)}::uuid[],
        ${left.map((r) => r.seenAt.toISOString())}::timestamptz[]) as l(person_id, source_id, seen_at)
      where w.person_id = l.person_id`;
  return left;
}
export type MergeRow = {
  id: string;
  fromBucket: number;
  fromId: string;
  intoBucket: number;
  intoId: string;
  at: Date;
  cause: string | null;
  word: LinkRow["kind"] | null;
  by: string | null;
  why: string | null;
  moved: Record<string, number>;
  state: "merging" | "merged" | "parting" | "parted";
  step: number;
  partedAt: Date | null;
  partedCause: string | null;
  partedBy: string | null;
  partedWhy: string | null;
};
type NewMerge = Omit<
  MergeRow,
  "state" | "step" | "partedAt" | "partedCause" | "partedBy" | "partedWhy"
>;
export async function addMerges(tx: Tx, rows: readonly NewMerge[]): Promise<void> {
  for (let i = 0; i < rows.length; i += rowsAtOnce)
    await tx`insert into people_merge ${tx(
      rows
        .slice(i, i + rowsAtOnce)
        .map((row) => ({ ...row, moved: tx.json(row.moved), state: "merging" })),
    )}`;
}
/** Merges that hold of people who went. */
export const mergesFrom = (reader: Reader, ids: readonly string[]) => reader<MergeRow[]>`
  select * from people_merge where from_id = any(${ids as string[]}::uuid[])
    and state in ('merging', 'merged') order by seq`;
export const part = (
  tx: Tx,
  ids: readonly string[],
  at: Date,
  word: Pick<LinkRow, "eventId" | "by" | "why"> | null,
) => tx`
  update people_merge set step = case when state = 'merged' then 32767 else step end,
    state = 'parting', parted_at = ${at}, parted_cause = ${word?.eventId ?? null},
    parted_by = ${word?.by ?? null}, parted_why = ${word?.why ?? null}
  where id = any(${ids as string[]}::uuid[]) and state in ('merging', 'merged')`;
/**
 * The oldest merges that are not done with and do not rest, none of whose people an older one is still at; or `only` this
 * one of them.
 */
export const openMerges = (tx: Tx, limit: number, only: { id: string } | null) => tx<MergeRow[]>`
  select m.* from people_merge m
  where m.state in ('merging', 'parting') and ${hasRested(tx)}
    and (${only?.id ?? null}::uuid is null or m.id = ${only?.id ?? null}) and not exists (
    select from people_merge o where o.state in ('merging', 'parting') and o.seq < m.seq
      and (o.from_id in (m.from_id, m.into_id) or o.into_id in (m.from_id, m.into_id)))
  order by m.seq limit ${limit} for update of m skip locked`;
export const isMerging = async (reader: Reader): Promise<boolean> => {
  const [row] = await reader<{ open: boolean }[]>`
    select exists (
      select from people_merge where state in ('merging', 'parting') and ${hasRested(reader)}
    ) as open`;
  return row!.open;
};
/** Counts a failure, after which a row of what is done beside the log rests. */
const failed = (reader: Reader) => reader`attempts = least(attempts + 1, 1000), failed_at = now()`;
export const restMerge = (sql: Sql, { id }: { id: string }) => sql`
  update people_merge set ${failed(sql)} where id = ${id}`;
export const setStep = (
  tx: Tx,
  ids: readonly string[],
  state: MergeRow["state"],
  step: number,
) => tx`
  update people_merge set state = ${state}, step = ${step}, attempts = 0, failed_at = null where id = any(${ids as string[]}::uuid[])`;
export type RefusalRow = Omit<LinkRow, "nth" | "kind" | "trusted"> & { reason: string };
/** Puts these in place of what was refused at these nodes; gives those that are new. */
export async function setRefusals(tx: Tx, nodes: readonly NodeKey[], rows: readonly RefusalRow[]) {
  const had = await tx`
    delete from people_refusal r using ${nodeList(tx, nodes)}
    where r.bucket = k.bucket and r.node_id = k.node_id`;
  for (let i = 0; i < rows.length; i += rowsAtOnce)
    await tx`insert into people_refusal ${tx(rows.slice(i, i + rowsAtOnce))} on conflict do nothing`;
  return had.count;
}
export type Parking = { person: PersonKey; mergeId: string; place: string; rows: unknown };
export const parkAll = async (tx: Tx, all: readonly Parking[]): Promise<void> => {
  if (all.length === 0) return;
  await tx`
    insert into people_parked (bucket, person_id, merge_id, place, rows)
    select * from unnest(
      ${all.map(({ person }) => person.bucket)}::smallint[],
      ${all.map(({ person }) => person.personId)}::uuid[],
      ${all.map(({ mergeId }) => mergeId)}::uuid[], ${all.map((one) => one.place)}::text[],
      ${all.map(({ rows }) => JSON.stringify(rows))}::text[]::jsonb[])
    on conflict (bucket, person_id, merge_id, place) do nothing`;
};
export const park = (tx: Tx, person: PersonKey, mergeId: string, place: string, rows: unknown) =>
  parkAll(tx, [{ person, mergeId, place, rows }]);
export const parked = async (
  tx: Tx,
  { bucket, personId }: PersonKey,
  mergeId: string,
  place: string,
) => {
  const [row] = await tx<{ rows: unknown }[]>`
    delete from people_parked where bucket = ${bucket} and person_id = ${personId}
      and merge_id = ${mergeId} and place = ${place} returning rows`;
  return row?.rows ?? null;
};
/** The same of everybody who is this person by now, left where it is. */
export const parkedOf = (reader: Reader, personId: string, place: string) => reader<
  { rows: unknown }[]
>`
  select k.rows from people_way w
  join people_parked k on k.bucket = w.bucket and k.person_id = w.person_id and k.place = ${place}
  where w.into_id = ${personId}`;
/** Who of these people has a tag by hand. */
export const handTagged = (tx: Tx, people: readonly PersonKey[]) => tx<{ personId: string }[]>`
  select distinct t.person_id from unnest(${people.map(({ bucket }) => bucket)}::smallint[],
    ${people.map(({ personId }) => personId)}::uuid[]) as p(bucket, person_id)
  join people_tag t on t.bucket = p.bucket and t.person_id = p.person_id and t.kind = 'hand'`;
/** Tags by hand of one, given with the line of the log that made them to another who has none of that name. */
export const copyHandTags = (tx: Tx, from: PersonKey, into: PersonKey) => tx<
  { tag: string; logId: string; expiresAt: Date | null }[]
>`
  with given as (
    insert into people_tag (bucket, person_id, tag, value, kind, source, reason, confidence, at, expires_at, log_id)
    select ${into.bucket}, ${into.personId}, tag, value, kind, source, reason, confidence, at, expires_at, log_id
    from people_tag where bucket = ${from.bucket} and person_id = ${from.personId} and kind = 'hand'
    on conflict do nothing returning tag, log_id, expires_at
  ), told as (
    insert into people_tag_log (bucket, person_id, id, tag, before, after, source, reason, cause, at)
    select ${into.bucket}, ${into.personId}, l.id, l.tag, null, l.after, l.source, l.reason, l.cause, l.at
    from given g join people_tag_log l
      on l.bucket = ${from.bucket} and l.person_id = ${from.personId} and l.id = g.log_id
  )
  select * from given`;
export async function dropHandTags(tx: Tx, { bucket, personId }: PersonKey, logIds: string[]) {
  await tx`
    delete from people_tag where bucket = ${bucket} and person_id = ${personId}
      and log_id = any(${logIds}::uuid[]) and kind = 'hand'`;
  await tx`
    delete from people_tag_log where bucket = ${bucket} and person_id = ${personId}
      and id = any(${logIds}::uuid[])`;
}
export const endingTags = (reader: Reader, { bucket, personId }: PersonKey) => reader<
  { tag: string; expiresAt: Date }[]
>`
  select tag, expires_at from people_tag
  where bucket = ${bucket} and person_id = ${personId} and expires_at is not null`;

// ── beside the log ──

export type JobRow = {
  id: string;
  kind: "component" | "hand" | "rules";
  by: string | null;
  askedAt: Date;
  links: number;
  nodes: number;
  nodesDone: number;
  people: number;
  peopleDone: number;
  endedAt: Date | null;
};
/** So many jobs that have ended are kept to be looked at. */
const jobsKept = 100;
export async function addJob(
  tx: Tx,
  job: Pick<JobRow, "id" | "kind" | "by" | "askedAt">,
): Promise<void> {
  await tx`
    delete from people_job where id in (
      select id from people_job where ended_at is not null order by asked_at desc offset ${jobsKept})`;
  await tx`insert into people_job ${tx(job)}`;
}
/** A job of this kind that nobody has begun with yet. */
export const waitingJob = async (tx: Tx, kind: JobRow["kind"]): Promise<string | null> => {
  const [row] = await tx<{ id: string }[]>`
    select id from people_job where kind = ${kind} and ended_at is null and nodes_done = 0
    order by asked_at limit 1 for update skip locked`;
  return row?.id ?? null;
};
/** Nodes whose components are to be gone through. */
export const askRework = (tx: Tx, nodes: readonly NodeKey[], jobId: string, at: Date) => tx`
  with asked as (
    insert into people_rework (bucket, node_id, asked_at, job_id)
    select bucket, node_id, ${at}::timestamptz, ${jobId}::uuid from ${nodeList(tx, nodes)}
    on conflict do nothing returning 1
  )
  update people_job set nodes = nodes + (select count(*) from asked) where id = ${jobId}`;
/** The node that has waited longest and does not rest, held; one resolver works at a time. */
export const nextRework = (tx: Tx) => tx<(NodeKey & { jobId: string })[]>`
  select bucket, node_id, job_id from people_rework where ${hasRested(tx)}
  order by asked_at, bucket, node_id limit 1 for update skip locked`;
export const restRework = (sql: Sql, { bucket, nodeId }: NodeKey) => sql`
  update people_rework set ${failed(sql)} where bucket = ${bucket} and node_id = ${nodeId}`;
/** These nodes have been gone through, for whichever job. */
export const doneRework = (tx: Tx, nodes: readonly NodeKey[]) => tx`
  with gone as (
    delete from people_rework r using ${nodeList(tx, nodes)}
    where r.bucket = k.bucket and r.node_id = k.node_id returning r.job_id
  )
  update people_job j set nodes_done = j.nodes_done + g.n
  from (select job_id, count(*)::int as n from gone group by job_id) g where j.id = g.job_id`;
export const countLinks = (tx: Tx, jobId: string, links: number) => tx`
  update people_job set links = links + ${links} where id = ${jobId}`;
/** People of whom everything that follows from the log is to be worked out anew, a helping at a time. */
export const askRefold = (tx: Tx, people: readonly PersonKey[], jobId: string) => tx`
  with asked as (
    insert into people_refold (bucket, person_id, job_id)
    select bucket, person_id, ${jobId} from unnest(${people.map((p) => p.bucket)}::smallint[],
      ${people.map((p) => p.personId)}::uuid[]) as p(bucket, person_id)
    on conflict do nothing returning 1
  )
  update people_job set people = people + (select count(*) from asked) where id = ${jobId}`;
export type Refolding = PersonKey & { jobId: string };
/** Those who do not rest, or `only` this one of them. */
export const takeRefold = (tx: Tx, limit: number, only: Refolding | null) => tx<Refolding[]>`
  delete from people_refold r using (
    select bucket, person_id, job_id from people_refold where ${hasRested(tx)}
      and (${only?.personId ?? null}::uuid is null or person_id = ${only?.personId ?? null} and job_id = ${only?.jobId ?? null})
    order by job_id, bucket, person_id limit ${limit} for update skip locked
  ) f where (r.bucket, r.person_id, r.job_id) = (f.bucket, f.person_id, f.job_id)
  returning r.bucket, r.person_id, r.job_id`;
export const restRefold = (sql: Sql, { bucket, personId }: PersonKey) => sql`
  update people_refold set ${failed(sql)} where bucket = ${bucket} and person_id = ${personId}`;
export const countRefolds = (tx: Tx, jobIds: readonly string[]) => tx`
  update people_job j set people_done = j.people_done + d.n
  from (select id, count(*)::int as n from unnest(${jobIds as string[]}::uuid[]) as d(id) group by id) d
  where j.id = d.id`;
export const endJobs = (tx: Tx, at: Date) => tx`
  update people_job j set ended_at = ${at} where ended_at is null
    and not exists (select from people_rework r where r.job_id = j.id)
    and not exists (select from people_refold f where f.job_id = j.id)`;
export const isRework = async (reader: Reader): Promise<boolean> => {
  const [row] = await reader<{ is: boolean }[]>`
    select exists (select from people_rework where ${hasRested(reader)})
      or exists (select from people_refold where ${hasRested(reader)}) as "is"`;
  return row!.is;
};
export const jobs = (reader: Reader, limit: number) => reader<JobRow[]>`
  select * from people_job order by ended_at is not null, asked_at desc, id desc limit ${limit}`;
// ── by hand ──

export type Own = NodeKey &
  PersonKey & { sourceId: string; type: string; blocked: boolean; homeId: string };
/** Nodes of these people, of a device that several used the one whose it is at first. */
export const nodesOfPeople = (reader: Reader, people: readonly PersonKey[]) => reader<Own[]>`
  select n.bucket, n.node_id, n.person_id, n.source_id, n.type, n.blocked,
    coalesce(n.home_id, n.person_id) as home_id
  from people_node n
  where n.person_bucket = any(${[...new Set(people.map((p) => p.bucket))]}::smallint[])
    and n.person_id = any(${people.map((p) => p.personId)}::uuid[])
  order by n.bucket, n.node_id`;
/** Everything that was said of pairs of these, one on either side, that somebody once took apart. */
export const saidApart = (reader: Reader, nodes: readonly NodeKey[], others: readonly NodeKey[]) =>
  reader<LinkRow[]>`
    with sides as materialized (
      select a.bucket, a.node_id, b.bucket as other_bucket, b.node_id as other_node_id
      from ${nodeList(reader, nodes)} cross join lateral (select k.bucket, k.node_id) a
      cross join (select bucket, node_id from ${nodeList(reader, others)}) b
    ), pairs as materialized (
      select * from sides union all select other_bucket, other_node_id, bucket, node_id from sides
    ), apart as materialized (
      select p.* from pairs p join people_link l using (bucket, node_id, other_bucket, other_node_id)
      where l.kind in ('unbind', 'part')
    )
    select l.* from (
      select * from apart union select other_bucket, other_node_id, bucket, node_id from apart
    ) p join people_link l using (bucket, node_id, other_bucket, other_node_id)`;
/** The node of these that leads: a user id before the others, then whichever was named first. */
export const firstNamed = async (reader: Reader, nodes: readonly NodeKey[]) => {
  const [row] = await reader<{ nodeId: string; homeId: string }[]>`
    select n.node_id, n.home_id from ${nodeList(reader, nodes)}
    join people_node n on n.bucket = k.bucket and n.node_id = k.node_id
    left join lateral (
      select l.at, l.event_id, l.nth, l.node_id from (
        select l.* from people_link l where l.bucket = n.bucket and l.node_id = n.node_id
        union all
        select l.* from people_link l where l.other_bucket = n.bucket and l.other_node_id = n.node_id
      ) l order by l.at, l.event_id, l.nth, l.node_id limit 1
    ) f on true
    order by n.type <> 'user_id', f.at, f.event_id, f.nth, (f.node_id = n.node_id) desc limit 1`;
  return row!;
};
export const mergeOf = (reader: Reader, id: string) => reader<MergeRow[]>`
  select * from people_merge where id = ${id}`;
/** The nodes that these people are while they are alone, as long as there are such. */
export const nodesOfHomes = (reader: Reader, homes: readonly PersonKey[]) =>
  reader<(NodeKey & { homeId: string })[]>`
    select n.bucket, n.node_id, n.home_id
    from unnest(${homes.map((h) => h.bucket)}::smallint[], ${homes.map((h) => h.personId)}::uuid[])
      as h(bucket, person_id)
    join people_node n on n.home_bucket = h.bucket and n.home_id = h.person_id`;
// ── the rules of who is who ──

export const rulesOf = async (reader: Reader) => {
  const [row] = await reader<{ limits: Record<string, number> }[]>`
    select limits from people_rules`;
  return row!;
};
export const setLimits = (tx: Tx, limits: Record<string, number>) => tx`
  update people_rules set limits = ${tx.json(limits)}`;
export type BlockedRow = {
  blind: Buffer;
  id: string;
  type: string;
  sealed: Buffer;
  by: string;
  why: string;
  at: Date;
};
/** False where that value is blocked already. */
export const addBlocked = async (tx: Tx, row: BlockedRow): Promise<boolean> =>
  (await tx`insert into people_blocked ${tx(row)} on conflict do nothing`).count > 0;
export const dropBlocked = (tx: Tx, id: string) => tx<BlockedRow[]>`
  delete from people_blocked where id = ${id} returning *`;
export const allBlocked = (reader: Reader) => reader<BlockedRow[]>`
  select * from people_blocked order by at desc, id desc`;
export const blockedOf = (reader: Reader, blinds: Buffer[]) => reader<{ blind: Buffer }[]>`
  select blind from people_blocked where blind = any(${byteList(blinds)}::text[]::bytea[])`;
/** Gives the nodes that were not so before. */
export const markBlocked = (tx: Tx, blinds: Buffer[], blocked: boolean) => tx<NodeKey[]>`
  update people_node n set blocked = ${blocked} from people_identifier i
  where i.blind = any(${byteList(blinds)}::text[]::bytea[])
    and n.bucket = i.bucket and n.node_id = i.node_id and n.blocked <> ${blocked}
  returning n.bucket, n.node_id`;
export const sourcesOfNodes = (reader: Reader) => reader<{ id: string }[]>`
  select id from collect_source`;
/** A node of everybody who has more identifiers of a type than that; of user ids, from one source. */
export const overLimit = (reader: Reader, type: string, most: number) => reader<NodeKey[]>`
  select (array_agg(n.bucket order by n.node_id))[1] as bucket, min(n.node_id::text)::uuid as node_id
  from people_node n where n.type = ${type}
  group by n.person_bucket, n.person_id, case when n.type = 'user_id' then n.source_id end
  having count(*) > ${most}`;
/** Nodes of whom something was refused because one side had as many of these types as one may have. */
export const refusedByLimit = (reader: Reader) => reader<NodeKey[]>`
  select distinct bucket, node_id from people_refusal where reason = 'limit'`;

export const reship = (tx: Tx) => tx`update people_node set shipped = false where shipped`;
export async function eraseRows(tx: Tx, { bucket, personId }: PersonKey): Promise<void> {
  // Everything that was said of who they are, and every person who turned out to be them.
  const homes = tx`(select person_id from people_way where into_id = ${personId} or person_id = ${personId})`;
  for (const table of ["people_link", "people_refusal"])
    await tx`
      delete from ${tx(table)} l using people_node n
      where n.person_bucket = ${bucket} and n.person_id = ${personId}
        and ((l.bucket = n.bucket and l.node_id = n.node_id)
          or (l.other_bucket = n.bucket and l.other_node_id = n.node_id))`;
  await tx`
    delete from people_span s using people_node n
    where n.person_bucket = ${bucket} and n.person_id = ${personId}
      and s.bucket = n.bucket and s.node_id = n.node_id`;
  await tx`
    delete from people_rework r using people_node n
    where n.person_bucket = ${bucket} and n.person_id = ${personId}
      and r.bucket = n.bucket and r.node_id = n.node_id`;
  await tx`delete from people_parked where person_id in ${homes}`;
  await tx`delete from people_refold where person_id in ${homes}`;
  await tx`delete from people_merge where from_id in ${homes} or into_id in ${homes}`;
  for (const table of ["people_tag", "people_tag_log", "people_profile", "people_field"])
    await tx`delete from ${tx(table)} where person_id in ${homes}`;
  await tx`delete from people_way where into_id = ${personId}`;
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
