// Reads for the pages of members: lists, one member, and what happened with them. They never write.
import { flag, leftOut } from "#collect/rules.ts";
import {
  eventsIn,
  eventsOf,
  ownerAt,
  type PersonKey,
  type Reader,
  type Slice,
} from "#kernel/sql.ts";
import type { Profile, TagKind } from "./rules.ts";

export type Filters = {
  stage?: string | undefined;
  rfm?: string | undefined; // "5-4-3" or "5-4"
  rfmSegment?: string | undefined;
  segment?: string | undefined;
  tag?: { name: string; value: string | null } | undefined;
  country?: string | undefined;
  language?: string | undefined;
  people?: readonly string[] | undefined; // these alone: a caller's cases
};
export type Sort = "last_order" | "spent" | "orders";
export type Listed = PersonKey & { key: string; attributes: Profile };

const hasTag = (reader: Reader, name: string, now: Date, values: readonly string[] | null) =>
  reader`and exists (
    select from people_tag t where t.bucket = p.bucket and t.person_id = p.person_id
      and t.tag = ${name} and (t.expires_at is null or t.expires_at > ${now})
      ${values ? reader`and t.value = any(${values as string[]}::text[])` : reader``})`;
const attributeIs = (reader: Reader, name: string, value: string) =>
  reader`and f.attributes->${name}::text->>'v' = ${value}`;
/** "5-4" is every M of it. */
const cells = (rfm: string): string[] =>
  rfm.length > 3 ? [rfm] : [1, 2, 3, 4, 5].map((m) => `${rfm}-${m}`);

const where = (reader: Reader, { tag, ...asked }: Filters, now: Date) => reader`
  from people_person p
  left join people_profile f on f.bucket = p.bucket and f.person_id = p.person_id
  where true
    ${asked.stage ? hasTag(reader, "lifecycle", now, [asked.stage]) : reader``}
    ${asked.rfm ? hasTag(reader, "rfm", now, cells(asked.rfm)) : reader``}
    ${asked.rfmSegment ? hasTag(reader, "rfm_segment", now, [asked.rfmSegment]) : reader``}
    ${tag ? hasTag(reader, tag.name, now, tag.value === null ? null : [tag.value]) : reader``}
    ${asked.country ? attributeIs(reader, "country", asked.country) : reader``}
    ${asked.language ? attributeIs(reader, "language", asked.language) : reader``}
    ${
      asked.segment
        ? reader`and exists (
            select from segments_member s where s.bucket = p.bucket and s.person_id = p.person_id
              and s.segment_id = ${asked.segment})`
        : reader``
    }
    ${asked.people ? reader`and p.person_id = any(${asked.people as string[]}::uuid[])` : reader``}`;

/** One page, the most first. `after`: the key and person that the page before ended with. */
export function page(
  reader: Reader,
  filters: Filters,
  sort: Sort,
  now: Date,
  after: { key: string; personId: string } | null,
  limit: number,
) {
  const figure = (name: string) => reader`coalesce((f.attributes->${name}::text->>'v')::bigint, 0)`;
  // Instants of one form and in UTC sort as their text does.
  const key =
    sort === "last_order"
      ? reader`coalesce(f.attributes->'last_order_at'->>'v', '') collate "C"`
      : figure(sort === "spent" ? "spent_minor" : "orders");
  const from =
    sort === "last_order"
      ? reader`${after?.key ?? ""}::text`
      : reader`${after?.key ?? "0"}::text::bigint`;
  return reader<Listed[]>`
    select p.bucket, p.person_id, (${key})::text as key, coalesce(f.attributes, '{}') as attributes
    ${where(reader, filters, now)}
    ${after ? reader`and (${key}, p.person_id) < (${from}, ${after.personId}::uuid)` : reader``}
    order by ${key} desc, p.person_id desc limit ${limit}`;
}
export async function total(reader: Reader, filters: Filters, now: Date): Promise<number> {
  const [row] = await reader<{ total: number }[]>`
    select count(*)::int as total ${where(reader, filters, now)}`;
  return row!.total;
}
/** Values of some tags of some people. */
export const tagsOf = (
  reader: Reader,
  people: readonly PersonKey[],
  tags: readonly string[],
  now: Date,
) =>
  reader<{ personId: string; tag: string; value: string }[]>`
    select person_id, tag, value from people_tag
    where bucket = any(${[...new Set(people.map(({ bucket }) => bucket))]}::smallint[])
      and person_id = any(${people.map(({ personId }) => personId)}::uuid[])
      and tag = any(${tags as string[]}::text[]) and (expires_at is null or expires_at > ${now})`;

export type Header = { source: string; demo: boolean; seenAt: Date; attributes: Profile };
export async function header(reader: Reader, { bucket, personId }: PersonKey) {
  const [row] = await reader<Header[]>`
    select coalesce(s.name, '') as source, coalesce(s.demo, false) as demo, p.seen_at,
      coalesce(f.attributes, '{}') as attributes
    from people_person p
    left join collect_source s on s.id = p.source_id
    left join people_profile f on f.bucket = p.bucket and f.person_id = p.person_id
    where p.bucket = ${bucket} and p.person_id = ${personId}`;
  return row ?? null;
}
export type Tag = {
  tag: string;
  value: string;
  kind: TagKind;
  source: string;
  reason: Record<string, unknown>;
  confidence: number;
  at: Date;
  expiresAt: Date | null;
  cause: string | null;
};
export const tags = (reader: Reader, { bucket, personId }: PersonKey, now: Date) =>
  reader<Tag[]>`
    select t.tag, t.value, t.kind, t.source, t.reason, t.confidence::text::float8 as confidence, t.at,
      t.expires_at, l.cause
    from people_tag t
    left join people_tag_log l
      on l.bucket = t.bucket and l.person_id = t.person_id and l.id = t.log_id
    where t.bucket = ${bucket} and t.person_id = ${personId}
      and (t.expires_at is null or t.expires_at > ${now})
    order by t.tag`;
export type TagLine = {
  id: string;
  before: string | null;
  after: string | null;
  source: string;
  reason: Record<string, unknown>;
  cause: string | null;
  at: Date;
};
/** The last 500 changes of a tag. */
export const tagHistory = (reader: Reader, { bucket, personId }: PersonKey, tag: string) =>
  reader<TagLine[]>`
    select id, before, after, source, reason, cause, at from people_tag_log
    where bucket = ${bucket} and person_id = ${personId} and tag = ${tag}
    order by at desc, id desc limit 500`;

export type FieldAbout = { field: string; source: string; at: Date };
export const fieldsAbout = (reader: Reader, { bucket, personId }: PersonKey) =>
  reader<FieldAbout[]>`
    select field, source, at from people_field
    where bucket = ${bucket} and person_id = ${personId} order by field`;
export type NodeAbout = {
  bucket: number;
  nodeId: string;
  type: string;
  sealed: Buffer;
  source: string;
};
export const nodes = (reader: Reader, { bucket, personId }: PersonKey) =>
  reader<NodeAbout[]>`
    select n.bucket, n.node_id, n.type, n.sealed, coalesce(s.name, '') as source
    from people_node n left join collect_source s on s.id = n.source_id
    where n.person_bucket = ${bucket} and n.person_id = ${personId} order by n.node_id`;
export const sourceIds = (reader: Reader) =>
  reader<{ id: string }[]>`select id from collect_source order by created_at, id`;

export type Entry = {
  id: string;
  kind: "order" | "refund" | "event" | "tag" | "segment" | "programme" | "coupon" | "message";
  at: Date;
  event: string | null;
  data: Record<string, unknown>;
};
/** What happened with a person up to `now`, the newest first: an order is one entry, whatever lines it has. */
export function timeline(
  reader: Reader,
  { bucket, personId }: PersonKey,
  now: Date,
  after: { at: Date; id: string } | null,
  limit: number,
) {
  const of = (table: string) =>
    reader`${reader(table)}.bucket = ${bucket} and ${reader(table)}.person_id = ${personId}`;
  return reader<Entry[]>`
    select * from (
      select case o.kind when 'sale' then 'order' else 'refund' end || ':' || o.event_id as id,
        case o.kind when 'sale' then 'order' else 'refund' end as kind, o.at, o.event_id as event,
        jsonb_build_object('ref', o.ref, 'amountMinor', o.amount_minor::text, 'currency', o.currency) as data
      from orders_order o where ${of("o")}
      union all
      select 'event:' || e.id, 'event', e.at, e.id, jsonb_build_object('name', e.name)
      from people_node n join collect_event e on e.bucket = n.bucket and e.node_id = n.node_id
      where n.person_bucket = ${bucket} and n.person_id = ${personId} and e.name <> 'Order Line'
      union all
      select 'tag:' || l.id, 'tag', l.at, l.cause,
        jsonb_build_object('tag', l.tag, 'before', l.before, 'after', l.after)
      from people_tag_log l where ${of("l")}
      union all
      select 'segment:' || l.id, 'segment', l.at, case when l.cause_kind = 'event' then l.cause end,
        jsonb_build_object('change', l.change, 'zh', s.name_zh, 'en', s.name_en)
      from segments_log l join segments_named s on s.id = l.segment_id where ${of("l")}
      union all
      select 'programme:' || j.id, 'programme', j.at, null,
        jsonb_build_object('arm', j.arm, 'run', r.number, 'name', p.name)
      from journeys_enrolment j join journeys_run r on r.id = j.run_id
      join journeys_programme p on p.id = r.programme_id where ${of("j")}
      union all
      select 'coupon:' || c.id, 'coupon', c.issued_at, null,
        jsonb_build_object('change', 'issued', 'name', a.name)
      from offers_coupon c join offers_campaign a on a.id = c.campaign_id where ${of("c")}
      union all
      select 'coupon:' || c.id || ':closed', 'coupon', c.closed_at, null,
        jsonb_build_object('change', c.state, 'name', a.name, 'ref', c.order_ref)
      from offers_coupon c join offers_campaign a on a.id = c.campaign_id
      where ${of("c")} and c.closed_at is not null
      union all
      select 'message:' || m.id || ':' || asked.channel, 'message', coalesce(d.sent_at, m.asked_at), null,
        jsonb_build_object('channel', asked.channel, 'state', coalesce(d.state,
          case when m.verdict = 'queued' then 'suppressed' else m.verdict end))
      from messages_message m cross join unnest(m.channels) as asked(channel)
      left join messages_delivery d on (d.bucket, d.person_id, d.message_id, d.channel)
        = (m.bucket, m.person_id, m.id, asked.channel)
      where ${of("m")}
    ) entry
    where at <= ${now}
      ${after ? reader`and (at, id collate "C") < (${after.at}, ${after.id})` : reader``}
    order by at desc, id collate "C" desc limit ${limit}`;
}

export type Said = PersonKey & {
  id: string;
  at: Date;
  sourceId: string;
  sourceKind: "server" | "public" | "import";
  nodeBucket: number;
  nodeId: string;
  traits: Record<string, string | number> | null;
  /** Of a form, or of somebody's own word: what they said of attributes that the shop declared. */
  answers: unknown;
  /** Of somebody's own word: fields and attributes of which they said that there is nothing. */
  removed: string[] | null;
  /** Sent by a form together with the person's token. */
  byToken: boolean;
  sealed: Buffer | null;
};
/** What a slice of the log says of who people are, as it happened. */
export const identified = (reader: Reader, slice: Slice) => reader<Said[]>`
  select n.person_bucket as bucket, n.person_id, e.id, e.at, e.source_id,
    case when e.flags & ${flag.page} = 0 then c.kind else 'public' end as source_kind,
    n.bucket as node_bucket, n.node_id, e.data->'$traits' as traits, e.data->'answers' as answers,
    e.data->'removed' as removed, coalesce(e.data->'$own' = 'true', false) as by_token, e.sealed
  from ${eventsIn(reader, slice)}
  -- Few of a slice are such: each asks for its node, instead of all nodes being read for them.
  cross join lateral (
    select * from people_node n where n.bucket = e.bucket and n.node_id = e.node_id offset 0
  ) n
  join collect_source c on c.id = e.source_id
  where e.name = 'identify' and e.flags & ${leftOut} = 0
  order by e.at, e.id`;

export type Whose = { nodeBucket: number; nodeId: string; at: Date; id: string };
export const wordKey = ({ nodeId, id }: Pick<Whose, "nodeId" | "id">) => `${nodeId} ${id}`;
/** Whose each of these events is. */
export async function ownersAt(reader: Reader, all: readonly Whose[]) {
  const words = [...new Map(all.map((word) => [wordKey(word), word])).values()];
  const rows = await reader<(PersonKey & { nodeId: string; id: string })[]>`
    select o.person_bucket as bucket, o.person_id, e.node_id, e.id
    from unnest(${words.map((w) => w.nodeBucket)}::smallint[], ${words.map((w) => w.nodeId)}::uuid[],
      ${words.map((w) => w.at.toISOString())}::timestamptz[], ${words.map((w) => w.id)}::uuid[])
      as e(bucket, node_id, at, id)
    cross join ${ownerAt(reader)} o`;
  return new Map(
    rows.map(({ bucket, personId, ...word }) => [wordKey(word), { bucket, personId }] as const),
  );
}
/** Everything that was said of who these people are. */
export const identifiedOf = (reader: Reader, people: readonly PersonKey[]) => reader<Said[]>`
  select p.bucket, p.person_id, e.id, e.at, e.source_id,
    case when e.flags & ${flag.page} = 0 then c.kind else 'public' end as source_kind,
    e.bucket as node_bucket, e.node_id, e.data->'$traits' as traits, e.data->'answers' as answers,
    e.data->'removed' as removed, coalesce(e.data->'$own' = 'true', false) as by_token, e.sealed
  from unnest(${people.map(({ bucket }) => bucket)}::smallint[],
    ${people.map(({ personId }) => personId)}::uuid[]) as p(bucket, person_id)
  cross join ${eventsOf(reader, ["identify"])} e
  join collect_source c on c.id = e.source_id
  where e.flags & ${leftOut} = 0
  order by e.at, e.id`;

/** When each attribute of these people became what it is. */
export const attributeTimes = (
  reader: Reader,
  people: readonly PersonKey[],
  names: readonly string[],
) =>
  reader<{ personId: string; name: string; at: string; c: number; id: string | null; s: string }[]>`
    select f.person_id, a.key as name, a.value->>'s' as s, a.value->>'at' as at, (a.value->>'c')::float8 as c, a.value->>'id' as id
    from people_profile f cross join jsonb_each(f.attributes) a
    where f.bucket = any(${[...new Set(people.map(({ bucket }) => bucket))]}::smallint[])
      and f.person_id = any(${people.map(({ personId }) => personId)}::uuid[])
      and a.key = any(${names as string[]}::text[])`;

/** Have these people together more events than that? */
export async function hasMoreEvents(
  reader: Reader,
  people: readonly PersonKey[],
  limit: number,
): Promise<boolean> {
  if (people.length === 0) return false;
  const [row] = await reader<{ more: boolean }[]>`
    select count(*) > ${limit} as more from (
      select from unnest(${people.map((p) => p.bucket)}::smallint[],
        ${people.map((p) => p.personId)}::uuid[]) as p(bucket, person_id)
      join people_node n on n.person_bucket = p.bucket and n.person_id = p.person_id
      join collect_event e on e.bucket = n.bucket and e.node_id = n.node_id
      limit ${limit + 1}) e`;
  return row!.more;
}
/** How much of each kind is somebody's, by person: what goes along where they turn out to be another. */
export async function belongings(reader: Reader, people: readonly PersonKey[]) {
  if (people.length === 0) return new Map<string, Record<string, number>>();
  const of = (table: string) =>
    reader`from ${reader(table)} t where t.bucket = p.bucket and t.person_id = p.person_id`;
  const rows = await reader<{ personId: string; has: Record<string, number> }[]>`
    select p.person_id, json_build_object(
      'identifiers', (select count(*) from people_node n
        where n.person_bucket = p.bucket and n.person_id = p.person_id),
      'events', (select count(*) from people_node n
        join collect_event e on e.bucket = n.bucket and e.node_id = n.node_id
        where n.person_bucket = p.bucket and n.person_id = p.person_id and not n.split)
        + (select count(*) from people_span s
        join collect_event e on e.bucket = s.bucket and e.node_id = s.node_id
          and (e.at, e.id) >= (s.from_at, s.from_id) and (e.at, e.id) < (s.until_at, s.until_id)
        where s.person_bucket = p.bucket and s.person_id = p.person_id),
      'orders', (select count(*) ${of("orders_order")} and t.kind = 'sale'),
      'coupons', (select count(*) ${of("offers_coupon")}),
      'usable', (select count(*) ${of("offers_coupon")} and t.state in ('issued', 'claimed')),
      'programmes', (select count(*) ${of("journeys_enrolment")}),
      'experiments', (select count(*) ${of("experiments_assignment")}),
      'messages', (select count(*) ${of("messages_message")}),
      'consents', (select count(distinct (t.purpose, t.channel)) ${of("messages_consent")}),
      'tags', (select count(*) ${of("people_tag")} and t.kind = 'hand'),
      'segments', (select count(*) ${of("segments_member")})
    ) as has
    from unnest(${people.map((p) => p.bucket)}::smallint[], ${people.map((p) => p.personId)}::uuid[])
      as p(bucket, person_id)`;
  return new Map(rows.map(({ personId, has }) => [personId, has]));
}
/** Where both have something of one kind and only one of them can hold: programmes, arms, and what they agreed to. */
export async function between(reader: Reader, goes: PersonKey, stays: PersonKey) {
  const both = (table: string) => reader`
    from ${reader(table)} a join ${reader(table)} b on b.bucket = ${stays.bucket} and b.person_id = ${stays.personId}
    where a.bucket = ${goes.bucket} and a.person_id = ${goes.personId}`;
  const standing = ({ bucket, personId }: PersonKey) => reader`
    select distinct on (purpose, channel) purpose, channel, granted from messages_consent
    where bucket = ${bucket} and person_id = ${personId}
    order by purpose, channel, at desc, seq desc`;
  const [row] = await reader<{ programmes: number; crossed: number; stricter: number }[]>`
    select (select count(*)::int ${both("journeys_enrolment")} and a.run_id = b.run_id) as programmes,
      (select count(*)::int ${both("experiments_assignment")} and a.experiment_id = b.experiment_id
        and a.arm <> b.arm) as crossed,
      (select count(*)::int from (${standing(goes)}) g join (${standing(stays)}) s using (purpose, channel)
        where s.granted and not g.granted) as stricter`;
  return row!;
}
/** Coupons that went along with a merge and have been used or have ended since. */
export async function spentSince(reader: Reader, mergeId: string) {
  const [row] = await reader<{ coupons: number }[]>`
    select count(*)::int as coupons
    from people_parked p
    cross join jsonb_array_elements(p.rows->'rows') r
    cross join lateral (select (r->>'text')::jsonb as was) w
    join people_merge m on m.id = p.merge_id
    join people_way y on y.person_id = m.into_id
    join offers_coupon c on c.bucket = coalesce(y.into_bucket, y.bucket)
      and c.person_id = coalesce(y.into_id, y.person_id) and c.id = (w.was->>'id')::uuid
    where p.merge_id = ${mergeId} and p.place = 'rows|offers_coupon'
      and c.state <> w.was->>'state'`;
  return row!;
}

type SealedNode = { bucket: number; nodeId: string; type: string; sealed: Buffer };
export type MergeAbout = {
  id: string;
  fromBucket: number;
  fromId: string;
  intoBucket: number;
  intoId: string;
  at: Date;
  cause: string | null;
  word: "identify" | "alias" | "bind" | "unbind" | "hand" | "part" | null;
  by: string | null;
  why: string | null;
  moved: Record<string, number>;
  state: "merging" | "merged" | "parting" | "parted";
  partedAt: Date | null;
  partedBy: string | null;
  partedWhy: string | null;
};
/** Merges of somebody and of whoever turned out to be them, the newest first; the operator by name. */
export const mergesOf = (reader: Reader, personId: string, limit: number) => reader<MergeAbout[]>`
  with homes as materialized (
    select person_id from people_way where into_id = ${personId} or person_id = ${personId}
  )
  select m.id, m.from_bucket, m.from_id, m.into_bucket, m.into_id, m.at, m.cause, m.word, m.why, m.moved,
    m.state, m.parted_at, m.parted_why, m.by, m.parted_by
  from people_merge m
  where m.from_id in (select person_id from homes) or m.into_id in (select person_id from homes)
  order by m.seq desc limit ${limit}`;
/** What people are while they are alone, by person. */
export async function homeNodes(reader: Reader, homes: readonly PersonKey[]) {
  const rows = await reader<(SealedNode & { homeId: string })[]>`
    select n.bucket, n.node_id, n.type, n.sealed, n.home_id
    from unnest(${homes.map((h) => h.bucket)}::smallint[], ${homes.map((h) => h.personId)}::uuid[])
      as h(bucket, person_id)
    join people_node n on n.home_bucket = h.bucket and n.home_id = h.person_id`;
  return new Map(rows.map(({ homeId, ...node }) => [homeId, node]));
}
type RefusalAbout = {
  at: Date;
  eventId: string;
  reason: "blocked" | "two_people" | "limit" | "parted";
  bucket: number;
  nodeId: string;
  type: string;
  sealed: Buffer;
  otherBucket: number;
  otherNodeId: string;
  otherType: string;
  otherSealed: Buffer;
  personId: string;
  otherPersonId: string;
};
/** Links that were refused of a person, whoever said them, the newest first. */
export const refusalsOf = (reader: Reader, { bucket, personId }: PersonKey, limit: number) =>
  reader<RefusalAbout[]>`
    with own as materialized (
      select bucket, node_id from people_node where person_bucket = ${bucket} and person_id = ${personId}
    ), said as (
      select r.* from people_refusal r join own o on o.bucket = r.bucket and o.node_id = r.node_id
      union
      select r.* from people_refusal r
      join own o on o.bucket = r.other_bucket and o.node_id = r.other_node_id
    )
    select s.at, s.event_id, s.reason, a.bucket, a.node_id, a.type, a.sealed, a.person_id,
      b.bucket as other_bucket, b.node_id as other_node_id, b.type as other_type,
      b.sealed as other_sealed, b.person_id as other_person_id
    from said s
    join people_node a on a.bucket = s.bucket and a.node_id = s.node_id
    join people_node b on b.bucket = s.other_bucket and b.node_id = s.other_node_id
    order by s.at desc, s.event_id desc limit ${limit}`;
