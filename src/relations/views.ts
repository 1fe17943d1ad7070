// Reads of the graph. Each answer asks what both ends agreed to at this moment, so that a withdrawal counts at its commit.
import { eventsIn, type PersonKey, type Reader, type Slice } from "#kernel/sql.ts";
import { answersLimit, beyondLimit, edgesLimit, relationNames, roads, type Road } from "./rules.ts";
import type { EdgeKind } from "./rules.ts";

export type ToldRow = {
  id: string;
  name: string;
  at: Date;
  data: Record<string, unknown>;
  sourceId: string;
  bucket: number;
  nodeId: string;
  sealed: Buffer | null;
};
/** What a slice of the log tells of relations: a shop's server or a file may, a browser's word makes no edge. */
export const toldIn = (reader: Reader, slice: Slice, leftOut: number) => reader<ToldRow[]>`
  select e.id, e.name, e.at, e.data, e.source_id, e.bucket, e.node_id, e.sealed
  from ${eventsIn(reader, slice)}
  join collect_source c on c.id = e.source_id and c.kind in ('server', 'import')
  where e.name = any(${relationNames as string[]}::text[]) and e.node_id is not null
    and e.flags & ${leftOut} = 0
  order by e.at, e.id`;

export type Seen = {
  kind: EdgeKind;
  personId: string;
  bucket: number;
  since: Date;
  acceptedAt: Date | null;
  times: number;
  items: string[];
};
/** The first of a person's edges, of one kind or of all. */
export const edges = (
  reader: Reader,
  { bucket, personId }: PersonKey,
  kinds: readonly EdgeKind[],
) => reader<Seen[]>`
  select e.kind, e.other_bucket as bucket, e.other_person_id as person_id, e.since, e.accepted_at, e.times, e.items
  from unnest(${kinds as EdgeKind[]}::text[]) k(kind)
  join relations_person m on m.bucket = ${bucket} and m.person_id = ${personId} and m.counts_from is not null
  cross join lateral (
    select * from relations_edge e where e.bucket = ${bucket} and e.person_id = ${personId} and e.kind = k.kind
    order by e.other_person_id limit ${answersLimit}) e
  join relations_person o on o.bucket = e.other_bucket and o.person_id = e.other_person_id
    and o.counts_from is not null
  order by e.kind, e.since, e.other_person_id`;
/** How many edges of each kind; no further than the limit. */
export const counts = (
  reader: Reader,
  { bucket, personId }: PersonKey,
  kinds: readonly EdgeKind[],
) => reader<{ kind: EdgeKind; count: number }[]>`
  select k.kind, (
    select count(*)::int from (
      select from relations_edge e
      join relations_person o on o.bucket = e.other_bucket and o.person_id = e.other_person_id
        and o.counts_from is not null
      where e.bucket = ${bucket} and e.person_id = ${personId} and e.kind = k.kind
      limit ${edgesLimit}) e) as count
  from unnest(${kinds as EdgeKind[]}::text[]) k(kind)
  join relations_person m on m.bucket = ${bucket} and m.person_id = ${personId} and m.counts_from is not null`;

export type Reached = PersonKey & { through: number; example: string };
/**
 * Whom a road of two steps leads to, those with most ways first: not the person themselves, nor whom they stand in this
 * relation to already. `through`: how many ways; `example`: one of the people between.
 */
export function reached(
  reader: Reader,
  { bucket, personId }: PersonKey,
  road: Road,
  limit: number,
) {
  const [first, second] = roads[road];
  // Who they are friends with or follow already is no news to them.
  const known: EdgeKind = first === "friend" && second === "friend" ? "friend" : "follows";
  return reader<Reached[]>`
    with near as materialized (
      select e.other_bucket, e.other_person_id from relations_edge e
      join relations_person m on m.bucket = e.bucket and m.person_id = e.person_id and m.counts_from is not null
      where e.bucket = ${bucket} and e.person_id = ${personId} and e.kind = ${first}
      order by e.other_person_id limit ${edgesLimit}
    ), ways as (
      select f.other_bucket as bucket, f.other_person_id as person_id, count(*)::int as through,
        min(near.other_person_id::text) as example
      from near
      join relations_person b on b.bucket = near.other_bucket and b.person_id = near.other_person_id
        and b.counts_from is not null
      cross join lateral (
        select f.other_bucket, f.other_person_id from relations_edge f
        where f.bucket = near.other_bucket and f.person_id = near.other_person_id and f.kind = ${second}
        order by f.other_person_id limit ${beyondLimit}) f
      where f.other_person_id <> ${personId}
      group by 1, 2
    )
    select w.bucket, w.person_id, w.through, w.example from ways w
    join relations_person o on o.bucket = w.bucket and o.person_id = w.person_id and o.counts_from is not null
    where not exists (
      select from relations_edge k where k.bucket = ${bucket} and k.person_id = ${personId}
        and k.kind = ${known} and k.other_person_id = w.person_id)
    order by w.through desc, w.person_id limit ${limit}`;
}
