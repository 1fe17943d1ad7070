// Reads for the screens that look back: retention from either engine, and the people behind its cells.
import type { Columns } from "#kernel/columns.ts";
import { nobody } from "#kernel/ids.ts";
import { ownerAt, type PersonKey, type Reader } from "#kernel/sql.ts";
import type { Cell, Story } from "./rules.ts";

/**
 * From ClickHouse: a person is looked up by the node at query time, on a device that several people used the one who had
 * it by then. Only what happened before `now` counts.
 */
export const retentionFromColumns = (columns: Columns, now: Date, timeZone: string) =>
  columns.read<Cell>(
    `select formatDateTime(first, '%Y-%m') as cohort, formatDateTime(month, '%Y-%m') as month,
       toInt32(count()) as people
     from (
       select person, month, min(month) over (partition by person) as first
       from (
         select distinct if(empty(owner.spans), owner.person_id, owner.spans[greatest(1, arrayLastIndex(
             s -> (s.1, s.2) <= (sold.at, toString(sold.id)), owner.spans))].3) as person,
           toStartOfMonth(toTimeZone(sold.at, {zone:String})) as month
         from sold
         join (
           select node_id, person_id, spans from person_node final
         ) as owner on sold.node_id = owner.node_id
         where sold.order_kind = 'sale' and sold.amount_minor > 0
           and sold.at < fromUnixTimestamp64Milli({now:Int64}, 'UTC')
       )
     )
     group by first, month order by first, month`,
    { zone: timeZone, now: now.getTime() },
  );

/** The same from PostgreSQL, where orders are kept and not lines. */
export const retentionFromSql = (reader: Reader, now: Date, timeZone: string) =>
  reader<Cell[]>`
    select to_char(first, 'YYYY-MM') as cohort, to_char(month, 'YYYY-MM') as month,
      count(*)::int as people
    from (
      select month, min(month) over (partition by bucket, person_id) as first
      from (
        select distinct bucket, person_id, date_trunc('month', at at time zone ${timeZone}) as month
        from orders_order
        where kind = 'sale' and amount_minor > 0 and at < ${now} and person_id <> ${nobody}
      ) bought
    ) person_month
    group by first, month order by first, month`;

/** Half-open instants. */
export type Between = { from: Date; until: Date };
/** One page of people by their id, after one of them, with how many there are in all. */
export type Page = { after: string; limit: number };
export type Listed = PersonKey & { total: number };
export type Buyer = Listed & { orders: number; revenueMinor: bigint };

/** Who bought in `month` having bought for the first time in `cohort`. */
export const buyersOf = (
  reader: Reader,
  cohort: Between,
  month: Between,
  { after, limit }: Page,
) => reader<Buyer[]>`
  with bought as (
    select bucket, person_id, count(*)::int as orders, sum(amount_minor)::bigint as revenue_minor
    from orders_order
    where kind = 'sale' and amount_minor > 0 and person_id <> ${nobody}
      and at >= ${month.from} and at < ${month.until}
    group by bucket, person_id
  ), mine as (
    select b.* from bought b
    join lateral (
      select min(o.at) as at from orders_order o
      where o.bucket = b.bucket and o.person_id = b.person_id
        and o.kind = 'sale' and o.amount_minor > 0
    ) first on first.at >= ${cohort.from} and first.at < ${cohort.until}
  )
  select bucket, person_id, orders, revenue_minor, (select count(*)::int from mine) as total
  from mine where person_id > ${after} order by person_id limit ${limit}`;

export type Sales = { orders: number; people: number; revenueMinor: bigint };
/** Whole days where the shop is, both ends included. Lines that name nobody count for the shop, not for a person. */
export async function sales(reader: Reader, from: string, until: string): Promise<Sales> {
  const [row] = await reader<Sales[]>`
    select count(*) filter (where kind = 'sale' and amount_minor > 0)::int as orders,
      count(distinct person_id)
        filter (where kind = 'sale' and amount_minor > 0 and person_id <> ${nobody})::int as people,
      coalesce(sum(amount_minor), 0)::bigint as revenue_minor
    from orders_order where day between ${from}::date and ${until}::date`;
  return row!;
}
export const salesPeople = (reader: Reader, from: string, until: string, { after, limit }: Page) =>
  reader<Listed[]>`
    with mine as (
      select distinct bucket, person_id from orders_order
      where day between ${from}::date and ${until}::date and kind = 'sale' and amount_minor > 0
        and person_id <> ${nobody}
    )
    select bucket, person_id, (select count(*)::int from mine) as total
    from mine where person_id > ${after} order by person_id limit ${limit}`;

/** How many people there are, and how many stand at each stage. */
export async function members(reader: Reader) {
  const [all] = await reader<{ people: number }[]>`
    select count(*)::int as people from people_person`;
  const stages = await reader<{ stage: string; people: number }[]>`
    select value as stage, count(*)::int as people from people_tag
    where tag = 'lifecycle' group by value order by array_position(
      array['new', 'active', 'dormant', 'lost'], value)`;
  return { people: all!.people, stages: [...stages] };
}
export const stagePeople = (reader: Reader, stage: string, { after, limit }: Page) =>
  reader<Listed[]>`
    select bucket, person_id,
      (select count(*)::int from people_tag where tag = 'lifecycle' and value = ${stage}) as total
    from people_tag where tag = 'lifecycle' and value = ${stage} and person_id > ${after}
    order by person_id limit ${limit}`;

/** Changes of stage in [from, until). */
export const transitions = (reader: Reader, { from, until }: Between) =>
  reader<{ before: string | null; after: string | null; people: number }[]>`
    select before, after, count(distinct person_id)::int as people from people_tag_log
    where tag = 'lifecycle' and at >= ${from} and at < ${until}
    group by before, after order by people desc, before, after`;
export const transitionPeople = (
  reader: Reader,
  { from, until }: Between,
  before: string | null,
  now: string | null,
  { after, limit }: Page,
) => reader<Listed[]>`
  with mine as (
    select distinct bucket, person_id from people_tag_log
    where tag = 'lifecycle' and at >= ${from} and at < ${until}
      and before is not distinct from ${before} and after is not distinct from ${now}
  )
  select bucket, person_id, (select count(*)::int from mine) as total
  from mine where person_id > ${after} order by person_id limit ${limit}`;

export const rejected = (reader: Reader) =>
  reader<{ reason: string; lines: number }[]>`
    select reason, count(*)::int as lines from collect_rejected
    group by reason order by lines desc, reason`;

/** The shop's clock, whether there is demo data, and how far each engine is behind the log. */
export async function state(reader: Reader) {
  const [row] = await reader<
    {
      mode: "real" | "hand";
      demo: boolean;
      lastOrderAt: Date | null;
      profilesBehind: number;
      columnsBehind: number;
    }[]
  >`
    select (select mode from shop_clock) as mode,
      exists (select from collect_source where demo) as demo,
      (select max(at) from orders_order) as last_order_at,
      (select coalesce(sum(o.next - c.next), 0)::int from collect_offset o
       join collect_consumer c on c.bucket = o.bucket and c.consumer = 'people') as profiles_behind,
      (select coalesce(sum(o.next - c.next), 0)::int from collect_offset o
       join collect_cut c on c.bucket = o.bucket and c.target = 'event')
      + (select coalesce(sum(rows), 0)::int from collect_batch
         where state = 'cut' and target = 'event') as columns_behind`;
  return row!;
}
/** Programmes under way, and those that were measured since `since`, the latest first. */
export const programmes = (reader: Reader, since: Date) =>
  reader<
    {
      id: string;
      key: string;
      name: { zh: string; en: string };
      state: "running" | "measured";
      number: number;
      untilAt: Date;
      treated: number;
      control: number;
      verdict: string | null;
      advice: string | null;
    }[]
  >`
    select p.id, p.key, p.name, r.state, r.number, r.until_at, arms.treated, arms.control,
      res.report->>'verdict' as verdict, d.advice
    from journeys_run r
    join journeys_programme p on p.id = r.programme_id
    cross join lateral (
      select count(*) filter (where arm = 'treated')::int as treated,
        count(*) filter (where arm = 'control')::int as control
      from experiments_assignment a where a.experiment_id = r.experiment_id
    ) arms
    left join experiments_result res on res.experiment_id = r.experiment_id
    left join experiments_decision d on d.result_id = res.id
    where r.state = 'running' or r.until_at >= ${since}
    order by r.from_at desc, p.key limit 20`;

/** Whose event it is; null where there is none. An event that speaks of nobody has no person. */
export async function eventOwner(
  reader: Reader,
  columns: Columns,
  eventId: string,
): Promise<{ person: PersonKey | null } | null> {
  // What changed something is found by index.
  const [known] = await reader<PersonKey[]>`
    select bucket, person_id from people_tag_log where cause = ${eventId} limit 1`;
  if (known) return { person: known };
  // The log is looked up by place, not by id: the columns know the place of every event.
  const [place] = await columns.read<{ bucket: number; offset: string }>(
    `select bucket, toString(offset) as offset from event where id = {id:UUID} limit 1`,
    { id: eventId },
  );
  if (!place) return null;
  const [row] = await reader<{ bucket: number | null; personId: string | null }[]>`
    select o.person_bucket as bucket, o.person_id from collect_event e
    left join ${ownerAt(reader)} o on true
    where e.bucket = ${place.bucket} and e."offset" = ${place.offset}::bigint and e.id = ${eventId}`;
  if (!row) return null;
  const { bucket, personId } = row;
  return { person: bucket === null || personId === null ? null : { bucket, personId } };
}

/** One event of a person, with the order that it began or belongs to. */
export async function event(
  reader: Reader,
  { bucket, personId }: PersonKey,
  eventId: string,
): Promise<(NonNullable<Story["event"]> & { orderEventId: string | null }) | null> {
  type Row = {
    id: string;
    name: string;
    at: Date;
    ref: string | null;
    kind: "sale" | "refund";
    amountMinor: bigint;
    currency: string;
    orderEventId: string | null;
  };
  const [row] = await reader<Row[]>`
    select e.id, e.name, e.at, o.ref, o.kind, o.amount_minor, o.currency,
      o.event_id as order_event_id
    from (
      select bucket, node_id from people_node where person_bucket = ${bucket} and person_id = ${personId}
      union select bucket, node_id from people_span
      where person_bucket = ${bucket} and person_id = ${personId}
    ) n
    join collect_event e on e.bucket = n.bucket and e.node_id = n.node_id and e.id = ${eventId}
    cross join ${ownerAt(reader)} p
    left join orders_line l
      on l.bucket = p.person_bucket and l.person_id = p.person_id and l.event_id = e.id
    left join orders_order o on (o.bucket, o.person_id, o.source_id, o.ref, o.kind)
      = (l.bucket, l.person_id, l.source_id, l.ref, l.kind)
    where p.person_bucket = ${bucket} and p.person_id = ${personId}`;
  if (!row) return null;
  const { id, name, at, ref, kind, amountMinor, currency, orderEventId } = row;
  return {
    id,
    name,
    at,
    orderEventId,
    order: ref === null ? null : { ref, kind, amountMinor, currency },
  };
}
/** The event of the last sale before an instant: whose silence was waited for. */
export async function lastSale(reader: Reader, { bucket, personId }: PersonKey, before: Date) {
  const [row] = await reader<{ eventId: string }[]>`
    select event_id from orders_order
    where bucket = ${bucket} and person_id = ${personId} and kind = 'sale' and amount_minor > 0
      and at < ${before}
    order by at desc, ref desc limit 1`;
  return row?.eventId ?? null;
}

export type TagLine = {
  id: string;
  tag: string;
  before: string | null;
  after: string | null;
  cause: string | null;
  at: Date;
};
/** Every change of a person's tags, the earliest first. */
export const tagLines = (reader: Reader, { bucket, personId }: PersonKey) =>
  reader<TagLine[]>`
    select id, tag, before, after, cause, at from people_tag_log
    where bucket = ${bucket} and person_id = ${personId} order by at, id`;

export type Enrolled = {
  id: string;
  at: Date;
  arm: "treated" | "control";
  node: string;
  programme: { zh: string; en: string };
  run: number;
  until: Date;
  experimentId: string;
  segmentId: string;
  cause: string | null;
  couponId: string | null;
};
/** Every run that a person was in, the earliest first. */
export const enrolments = (reader: Reader, { bucket, personId }: PersonKey) =>
  reader<Enrolled[]>`
    select e.id, e.at, e.arm, e.node, p.name as programme, r.number as run, r.until_at as until,
      r.experiment_id, p.segment_id, e.cause, e.coupon_id
    from journeys_enrolment e
    join journeys_run r on r.id = e.run_id
    join journeys_programme p on p.id = r.programme_id
    where e.bucket = ${bucket} and e.person_id = ${personId} order by e.at, r.number`;

export type Entry = {
  id: string;
  at: Date;
  segment: { zh: string; en: string };
  causeKind: "tag" | "event" | null;
  cause: string | null;
};
/** The line by which a person came into a segment: the one named, else the last before an instant. */
export async function entry(
  reader: Reader,
  { bucket, personId }: PersonKey,
  { segmentId, cause, at }: Pick<Enrolled, "segmentId" | "cause" | "at">,
): Promise<Entry | null> {
  const [row] = await reader<Entry[]>`
    select l.id, l.at, l.cause_kind, l.cause,
      jsonb_build_object('zh', s.name_zh, 'en', s.name_en) as segment
    from segments_log l join segments_named s on s.id = l.segment_id
    where l.bucket = ${bucket} and l.person_id = ${personId} and l.segment_id = ${segmentId}
      and l.change = 'entered' and (${cause}::uuid is null or l.id = ${cause}) and l.at <= ${at}
    order by l.at desc, l.id desc limit 1`;
  return row ?? null;
}

export async function coupon(
  reader: Reader,
  { bucket, personId }: PersonKey,
  id: string,
): Promise<Story["coupon"]> {
  const [row] = await reader<NonNullable<Story["coupon"]>[]>`
    select id, issued_at as at, state, expires_at, order_ref from offers_coupon
    where bucket = ${bucket} and person_id = ${personId} and id = ${id}`;
  return row ?? null;
}
/** One row a message and channel, of one cause. */
export const messages = (reader: Reader, { bucket, personId }: PersonKey, cause: string) =>
  reader<Story["messages"]>`
    select m.id || ':' || asked.channel as id, coalesce(d.sent_at, m.asked_at) as at, asked.channel,
      coalesce(d.state, case when m.verdict = 'queued' then 'suppressed' else m.verdict end) as verdict,
      coalesce(d.reason, m.reason) as reason
    from messages_message m
    cross join unnest(m.channels) as asked(channel)
    left join messages_delivery d on (d.bucket, d.person_id, d.message_id, d.channel)
      = (m.bucket, m.person_id, m.id, asked.channel)
    where m.bucket = ${bucket} and m.person_id = ${personId} and m.cause = ${cause}
    order by m.asked_at, asked.channel desc`;
export async function outcome(
  reader: Reader,
  { bucket, personId }: PersonKey,
  experimentId: string,
): Promise<Story["outcome"]> {
  const [row] = await reader<NonNullable<Story["outcome"]>[]>`
    select o.id, coalesce(o.first_at, r.until_at) as at, o.orders, o.revenue_minor,
      o.first_event_id, r.report->'secondary'->>'currency' as currency
    from experiments_outcome o join experiments_result r on r.experiment_id = o.experiment_id
    where o.bucket = ${bucket} and o.person_id = ${personId} and o.experiment_id = ${experimentId}`;
  return row ?? null;
}
