// Every SQL statement that writes the tracking plan, and its reads of the log.
import { eventsIn, type Reader, type Slice, type Tx } from "#kernel/sql.ts";
import { lookedAtLimit, type Planned } from "./rules.ts";

export type Volume = {
  sourceId: string;
  name: string;
  day: string;
  events: number;
  looked: number;
  firstAt: Date;
  lastAt: Date;
};
/** How many events of each name a slice of the log has, by day of receipt. */
export const volumes = (tx: Tx, slice: Slice, timeZone: string) => tx<Volume[]>`
  select e.source_id, e.name, (e.received_at at time zone ${timeZone})::date as day,
    count(*)::int as events, least(count(*), ${lookedAtLimit})::int as looked,
    min(e.received_at) as first_at, max(e.received_at) as last_at
  ${within(tx, slice)}
  group by 1, 2, 3`;
export type Seen = {
  sourceId: string;
  name: string;
  day: string;
  property: string;
  seen: number;
  odd: number;
  types: number;
  firstAt: Date;
  lastAt: Date;
};
/**
 * Properties of the first so many events of each name and day of a slice, with their types. An order line's are its
 * door's, so they are not looked at; what is our own begins with "$". Each event's properties are put together beside
 * its row: grouped with it, a list of ten thousand products would be compared with itself for every field of each.
 */
export const properties = (tx: Tx, slice: Slice, timeZone: string) => tx<Seen[]>`
  with looked as materialized (
    select * from (
      select e.source_id, e.name, (e.received_at at time zone ${timeZone})::date as day, e.received_at,
        e.data, row_number() over (
          partition by e.source_id, e.name, (e.received_at at time zone ${timeZone})::date
          order by e.id) as n
      ${within(tx, slice)} and e.name <> 'Order Line'
    ) numbered where n <= ${lookedAtLimit}
  )
  select source_id, name, day, property, count(*)::int as seen,
    count(*) filter (where data->'$odd' ? property)::int as odd,
    bit_or(types)::int as types, min(received_at) as first_at, max(received_at) as last_at
  from looked cross join lateral (
    select property, bit_or(case jsonb_typeof(value)
      when 'string' then 1 when 'number' then 2 when 'boolean' then 4 when 'array' then 8
      when 'object' then 16 else 32 end) as types
    from (
      select key as property, value from jsonb_each(data) where key not like '$%'
      union all
      select top.key || '.' || inner_.key, inner_.value
      from jsonb_each(data) top, jsonb_each(
        case when jsonb_typeof(top.value) = 'object' then top.value else '{}' end) inner_
      where top.key not like '$%'
      union all
      select top.key || '[].' || inner_.key, inner_.value
      from jsonb_each(data) top,
        jsonb_array_elements(case when jsonb_typeof(top.value) = 'array' then top.value else '[]' end) item,
        jsonb_each(case when jsonb_typeof(item) = 'object' then item else '{}' end) inner_
      where top.key not like '$%'
    ) p
    group by property
  ) each
  group by 1, 2, 3, 4`;
const within = (tx: Tx, slice: Slice) => tx`
  from ${eventsIn(tx, slice)}
  where true`;

export const names = (reader: Reader, sources: readonly string[]) =>
  reader<{ sourceId: string; name: string }[]>`
    select source_id, name from plan_event where source_id = any(${sources as string[]}::uuid[])`;
export const propertyNames = (
  reader: Reader,
  sources: readonly string[],
  events: readonly string[],
) =>
  reader<{ sourceId: string; name: string; property: string }[]>`
    select source_id, name, property from plan_property
    where source_id = any(${sources as string[]}::uuid[]) and name = any(${events as string[]}::text[])`;

/** One row a key: whoever calls has added them up. In one order, so that two who add wait and do not deadlock. */
export async function addVolumes(tx: Tx, rows: readonly Volume[]): Promise<void> {
  await tx`
    insert into plan_event as p (source_id, name, first_at, last_at, total)
    select source_id, name, min(first_at), max(last_at), sum(events)
    from ${listOf(tx, rows)} group by 1, 2 order by 1, 2
    on conflict (source_id, name) do update set total = p.total + excluded.total,
      first_at = least(p.first_at, excluded.first_at), last_at = greatest(p.last_at, excluded.last_at)`;
  await tx`
    insert into plan_day as p (source_id, name, day, events, looked)
    select source_id, name, day, sum(events), sum(looked)
    from ${listOf(tx, rows)} group by 1, 2, 3 order by 1, 2, 3
    on conflict (source_id, name, day) do update
      set events = p.events + excluded.events, looked = p.looked + excluded.looked`;
}
const listOf = (tx: Tx, rows: readonly Volume[]) => tx`
  unnest(${rows.map((r) => r.sourceId)}::uuid[], ${rows.map((r) => r.name)}::text[],
    ${rows.map((r) => r.day)}::date[], ${rows.map((r) => r.events)}::bigint[],
    ${rows.map((r) => r.looked)}::bigint[], ${rows.map((r) => r.firstAt.toISOString())}::text[]::timestamptz[],
    ${rows.map((r) => r.lastAt.toISOString())}::text[]::timestamptz[])
    as n(source_id, name, day, events, looked, first_at, last_at)`;
export async function addProperties(tx: Tx, rows: readonly Seen[]): Promise<void> {
  const list = tx`
    unnest(${rows.map((r) => r.sourceId)}::uuid[], ${rows.map((r) => r.name)}::text[],
      ${rows.map((r) => r.property)}::text[], ${rows.map((r) => r.day)}::date[],
      ${rows.map((r) => r.seen)}::bigint[], ${rows.map((r) => r.odd)}::bigint[],
      ${rows.map((r) => r.types)}::int[], ${rows.map((r) => r.firstAt.toISOString())}::text[]::timestamptz[],
      ${rows.map((r) => r.lastAt.toISOString())}::text[]::timestamptz[])
      as n(source_id, name, property, day, seen, odd, types, first_at, last_at)`;
  await tx`
    insert into plan_property as p (source_id, name, property, first_at, last_at)
    select source_id, name, property, min(first_at), max(last_at) from ${list}
    group by 1, 2, 3 order by 1, 2, 3
    on conflict (source_id, name, property) do update set
      first_at = least(p.first_at, excluded.first_at), last_at = greatest(p.last_at, excluded.last_at)`;
  await tx`
    insert into plan_property_day as p (source_id, name, property, day, seen, odd, types)
    select source_id, name, property, day, sum(seen), sum(odd), bit_or(types)::smallint from ${list}
    group by 1, 2, 3, 4 order by 1, 2, 3, 4
    on conflict (source_id, name, property, day) do update set seen = p.seen + excluded.seen,
      odd = p.odd + excluded.odd, types = p.types | excluded.types`;
}

/** Days beyond those that drift is judged by. */
export async function forget(tx: Tx, before: string): Promise<void> {
  await tx`delete from plan_property_day where day < ${before}::date`;
  await tx`delete from plan_day where day < ${before}::date`;
}

export const blockedNames = (reader: Reader, sourceId: string) =>
  reader<{ name: string }[]>`
    select name from plan_event where source_id = ${sourceId} and blocked`;
/** An event may be planned or blocked before it was ever seen. */
export const setPlan = (
  tx: Tx,
  event: { sourceId: string; name: string },
  to: { blocked?: boolean; planned?: Planned | null },
  at: Date,
) => tx`
  insert into plan_event as p (source_id, name, first_at, last_at, total, blocked, planned)
  values (${event.sourceId}, ${event.name}, ${at}, ${at}, 0, ${to.blocked ?? false},
    ${to.planned ? tx.json(to.planned as never) : null})
  on conflict (source_id, name) do update set
    blocked = ${to.blocked ?? tx`p.blocked`},
    planned = ${to.planned === undefined ? tx`p.planned` : to.planned === null ? tx`null` : tx.json(to.planned as never)}`;
export const hasSource = async (reader: Reader, id: string): Promise<boolean> =>
  (await reader`select from collect_source where id = ${id}`).length > 0;
export const namesOf = async (reader: Reader, sourceId: string): Promise<number> => {
  const [row] = await reader<{ n: number }[]>`
    select count(*)::int as n from plan_event where source_id = ${sourceId}`;
  return row!.n;
};
