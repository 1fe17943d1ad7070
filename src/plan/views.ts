// Reads of the tracking plan. They never write.
import type { Reader } from "#kernel/sql.ts";
import type { Planned } from "./rules.ts";

export type EventRow = {
  sourceId: string;
  sourceName: string;
  sourceFirstAt: Date;
  name: string;
  firstAt: Date;
  lastAt: Date;
  total: bigint;
  blocked: boolean;
  planned: Planned | null;
};
export const events = (
  reader: Reader,
  { source, name }: { source?: string | undefined; name?: string | undefined },
  limit: number,
) => reader<EventRow[]>`
  select p.source_id, coalesce(s.name, '') as source_name, f.at as source_first_at, p.name, p.first_at,
    p.last_at, p.total, p.blocked, p.planned
  from plan_event p
  left join collect_source s on s.id = p.source_id
  join (select source_id, min(first_at) as at from plan_event group by source_id) f
    on f.source_id = p.source_id
  where true ${source === undefined ? reader`` : reader`and p.source_id = ${source}`}
    ${name === undefined ? reader`` : reader`and p.name = ${name}`}
  order by p.last_at desc, p.name, p.source_id limit ${limit}`;

export type DayRow = {
  sourceId: string;
  name: string;
  day: string;
  events: number;
  looked: number;
};
export const days = (reader: Reader, rows: readonly EventRow[], since: string) =>
  reader<DayRow[]>`
    select d.source_id, d.name, d.day, d.events::int, d.looked::int from plan_day d
    join ${keys(reader, rows)} on d.source_id = k.source_id and d.name = k.name
    where d.day >= ${since}::date order by d.day`;
export type PropertyRow = {
  sourceId: string;
  name: string;
  property: string;
  firstAt: Date;
  lastAt: Date;
  days: { day: string; seen: number; odd: number; types: number }[];
};
export const properties = (reader: Reader, rows: readonly EventRow[], since: string) =>
  reader<PropertyRow[]>`
    select p.source_id, p.name, p.property, p.first_at, p.last_at, coalesce((
      select jsonb_agg(jsonb_build_object('day', d.day, 'seen', d.seen, 'odd', d.odd, 'types', d.types))
      from plan_property_day d
      where (d.source_id, d.name, d.property) = (p.source_id, p.name, p.property)
        and d.day >= ${since}::date
    ), '[]') as days
    from plan_property p
    join ${keys(reader, rows)} on p.source_id = k.source_id and p.name = k.name
    order by p.property`;
const keys = (reader: Reader, rows: readonly EventRow[]) => reader`
  unnest(${rows.map((r) => r.sourceId)}::uuid[], ${rows.map((r) => r.name)}::text[])
    as k(source_id, name)`;
