// Every SQL statement that writes facts and edges, and their own reads.
import { nodesOf, ownerAt, type PersonKey, type Reader, type Tx } from "#kernel/sql.ts";
import type { Act, Edge, EdgeKind, Fact, SaidSocial } from "./rules.ts";

const bucketsOf = (rows: readonly PersonKey[]) => rows.map(({ bucket }) => bucket);
const peopleOf = (rows: readonly PersonKey[]) => rows.map(({ personId }) => personId);
export type Pair = PersonKey & { otherBucket: number; otherPersonId: string };

export type NewFact = {
  bucket: number;
  nodeId: string;
  otherBucket: number;
  otherNodeId: string;
  id: string;
  act: Act;
  item: string | null;
  at: Date;
};
/** Gives the pairs of people whom the new ones are between, from both ends; those of one person with themselves not. */
export const addFacts = (tx: Tx, rows: readonly NewFact[]) => tx<Pair[]>`
  with said as (
    insert into relations_fact (bucket, node_id, other_bucket, other_node_id, id, act, item, at)
    select * from unnest(
      ${rows.map((r) => r.bucket)}::smallint[], ${rows.map((r) => r.nodeId)}::uuid[],
      ${rows.map((r) => r.otherBucket)}::smallint[], ${rows.map((r) => r.otherNodeId)}::uuid[],
      ${rows.map((r) => r.id)}::uuid[], ${rows.map((r) => r.act)}::text[],
      ${rows.map((r) => r.item)}::text[], ${rows.map((r) => r.at.toISOString())}::text[]::timestamptz[])
    on conflict do nothing returning *
  ), between as (
    select distinct o.person_bucket, o.person_id, t.person_bucket as other_bucket, t.person_id as other_person_id
    from said f
    cross join ${ownerAt(tx, "f")} o
    cross join ${ownerAt(tx, "f", ["f.other_bucket", "f.other_node_id"])} t
    where t.person_id <> o.person_id
  )
  select person_bucket as bucket, person_id, other_bucket, other_person_id from between
  union
  select other_bucket, other_person_id, person_bucket, person_id from between`;

/** Holds the rows of these people until the transaction ends, in one order for everybody. */
export const lockPeople = (tx: Tx, people: readonly PersonKey[]) => tx`
  insert into relations_person as p (bucket, person_id)
  select distinct bucket, person_id from unnest(${bucketsOf(people)}::smallint[], ${peopleOf(people)}::uuid[])
    as n (bucket, person_id)
  order by bucket, person_id
  on conflict (bucket, person_id) do update set counts_from = p.counts_from`;
export const consentsOf = (tx: Tx, people: readonly PersonKey[]) =>
  tx<(PersonKey & SaidSocial)[]>`
    select bucket, person_id, seq, granted, at from messages_consent
    where bucket = any(${bucketsOf(people)}::smallint[]) and person_id = any(${peopleOf(people)}::uuid[])
      and purpose = 'social'`;
export const setStanding = (tx: Tx, rows: readonly (PersonKey & { from: Date | null })[]) => tx`
  update relations_person p set counts_from = n.counts_from
  from unnest(${bucketsOf(rows)}::smallint[], ${peopleOf(rows)}::uuid[],
    ${rows.map(({ from }) => from?.toISOString() ?? null)}::text[]::timestamptz[]) as n (bucket, person_id, counts_from)
  where p.bucket = n.bucket and p.person_id = n.person_id and p.counts_from is distinct from n.counts_from`;
/** What was told until a withdrawal goes from both ends; blocks stay, because they protect somebody. */
export const dropFacts = (tx: Tx, rows: readonly (PersonKey & { until: Date })[]) => {
  const gone = tx`
    with gone as (
      select o.*, p.until from unnest(${bucketsOf(rows)}::smallint[], ${peopleOf(rows)}::uuid[],
        ${rows.map(({ until }) => until.toISOString())}::text[]::timestamptz[]) as p (bucket, person_id, until)
      cross join ${nodesOf(tx)} o
    )`;
  return tx`
    ${gone}, sent as (
      delete from relations_fact f using gone g
      where f.bucket = g.bucket and f.node_id = g.node_id and f.at <= g.until
        and (f.at, f.id) >= (g.from_at, g.from_id) and (f.at, f.id) < (g.until_at, g.until_id)
        and f.act not in ('block', 'unblock')
    )
    delete from relations_fact f using gone g
    where f.other_bucket = g.bucket and f.other_node_id = g.node_id and f.at <= g.until
      and (f.at, f.id) >= (g.from_at, g.from_id) and (f.at, f.id) < (g.until_at, g.until_id)
      and f.act not in ('block', 'unblock')`;
};

type FactRow = Pair & Fact & { mineFrom: Date | null; otherFrom: Date | null };
/** Everything told between these people and anybody, as they see it, with what both have agreed to. */
export const factsOf = (tx: Tx, people: readonly PersonKey[]) => tx<FactRow[]>`
  with own as materialized (
    select o.* from unnest(${bucketsOf(people)}::smallint[], ${peopleOf(people)}::uuid[]) as p (bucket, person_id)
    cross join ${nodesOf(tx)} o
  ), told as (
    select own.person_bucket as bucket, own.person_id, f.id, f.act, f.item, f.at, true as mine,
      f.other_bucket as node_bucket, f.other_node_id as node_id
    from own join relations_fact f on f.bucket = own.bucket and f.node_id = own.node_id
      and (f.at, f.id) >= (own.from_at, own.from_id) and (f.at, f.id) < (own.until_at, own.until_id)
    union all
    select own.person_bucket, own.person_id, f.id, f.act, f.item, f.at, false, f.bucket, f.node_id
    from own join relations_fact f on f.other_bucket = own.bucket and f.other_node_id = own.node_id
      and (f.at, f.id) >= (own.from_at, own.from_id) and (f.at, f.id) < (own.until_at, own.until_id)
  )
  select told.bucket, told.person_id, t.person_bucket as other_bucket, t.person_id as other_person_id,
    told.id, told.act, told.item, told.at, told.mine, m.counts_from as mine_from, s.counts_from as other_from
  from told
  cross join ${ownerAt(tx, "told", ["told.node_bucket", "told.node_id"])} t
  left join relations_person m on m.bucket = told.bucket and m.person_id = told.person_id
  left join relations_person s on s.bucket = t.person_bucket and s.person_id = t.person_id
  where t.person_id <> told.person_id`;
/** What was told between two, for each pair: looked up by both their nodes, whatever either of them told of others. */
export const factsBetween = (tx: Tx, pairs: readonly Pair[]) => {
  const asked = tx`unnest(${bucketsOf(pairs)}::smallint[], ${peopleOf(pairs)}::uuid[],
    ${pairs.map((p) => p.otherBucket)}::smallint[], ${pairs.map((p) => p.otherPersonId)}::uuid[])
    as p (bucket, person_id, other_bucket, other_person_id)`;
  return tx<FactRow[]>`
    with nodes as materialized (
      select p.*, a.bucket as a_bucket, a.node_id as a_node, a.from_at as a_from, a.from_id as a_from_id,
        a.until_at as a_until, a.until_id as a_until_id, b.bucket as b_bucket, b.node_id as b_node,
        b.from_at as b_from, b.from_id as b_from_id, b.until_at as b_until, b.until_id as b_until_id
      from ${asked}
      cross join ${nodesOf(tx)} a
      cross join ${nodesOf(tx, ["p.other_bucket", "p.other_person_id"])} b
    ), told as (
      select n.*, f.id, f.act, f.item, f.at, true as mine from nodes n
      join relations_fact f on (f.bucket, f.node_id, f.other_bucket, f.other_node_id)
        = (n.a_bucket, n.a_node, n.b_bucket, n.b_node)
      union all
      select n.*, f.id, f.act, f.item, f.at, false from nodes n
      join relations_fact f on (f.bucket, f.node_id, f.other_bucket, f.other_node_id)
        = (n.b_bucket, n.b_node, n.a_bucket, n.a_node)
    )
    select told.bucket, told.person_id, told.other_bucket, told.other_person_id,
      told.id, told.act, told.item, told.at, told.mine, m.counts_from as mine_from, s.counts_from as other_from
    from told
    left join relations_person m on m.bucket = told.bucket and m.person_id = told.person_id
    left join relations_person s on s.bucket = told.other_bucket and s.person_id = told.other_person_id
    where (at, id) >= (a_from, a_from_id) and (at, id) < (a_until, a_until_id)
      and (at, id) >= (b_from, b_from_id) and (at, id) < (b_until, b_until_id)`;
};

export type EdgeRow = Pair & Edge;
export const edgesOf = (reader: Reader, people: readonly PersonKey[]) => reader<EdgeRow[]>`
  select e.* from relations_edge e
  join unnest(${bucketsOf(people)}::smallint[], ${peopleOf(people)}::uuid[]) as p (bucket, person_id)
    on e.bucket = p.bucket and e.person_id = p.person_id`;
export const edgesBetween = (tx: Tx, pairs: readonly Pair[], kinds: readonly EdgeKind[]) =>
  tx<EdgeRow[]>`
    select e.* from relations_edge e
    join unnest(${bucketsOf(pairs)}::smallint[], ${peopleOf(pairs)}::uuid[],
      ${pairs.map((p) => p.otherPersonId)}::uuid[]) as p (bucket, person_id, other_person_id)
      on e.bucket = p.bucket and e.person_id = p.person_id and e.other_person_id = p.other_person_id
    where e.kind = any(${kinds as EdgeKind[]}::text[])`;
export async function dropEdges(
  tx: Tx,
  rows: readonly (Pair & { kind: EdgeKind })[],
): Promise<void> {
  if (rows.length > 0)
    await tx`
      delete from relations_edge e
      using unnest(${bucketsOf(rows)}::smallint[], ${peopleOf(rows)}::uuid[],
        ${rows.map(({ kind }) => kind)}::text[], ${rows.map((r) => r.otherPersonId)}::uuid[])
        as g (bucket, person_id, kind, other_person_id)
      where (e.bucket, e.person_id, e.kind, e.other_person_id) = (g.bucket, g.person_id, g.kind, g.other_person_id)`;
}
export async function putEdges(tx: Tx, rows: readonly EdgeRow[]): Promise<void> {
  for (let i = 0; i < rows.length; i += 5000)
    await tx`
      insert into relations_edge ${tx(
        rows.slice(i, i + 5000),
        ...(["bucket", "personId", "kind", "otherBucket", "otherPersonId"] as const),
        ...(["since", "acceptedAt", "times", "items"] as const),
      )}
      on conflict (bucket, person_id, kind, other_person_id) do update set
        other_bucket = excluded.other_bucket, since = excluded.since,
        accepted_at = excluded.accepted_at, times = excluded.times, items = excluded.items`;
}
/** How many follow each, and how many took up an invitation of theirs; counted no further than the highest band. */
export const figuresOf = (tx: Tx, people: readonly PersonKey[], limit: number) =>
  tx<(PersonKey & { followers: number; accepted: number })[]>`
    select p.bucket, p.person_id,
      (select count(*)::int from (select from relations_edge e where e.bucket = p.bucket
        and e.person_id = p.person_id and e.kind = 'followed_by' limit ${limit}) f) as followers,
      (select count(*)::int from (select from relations_edge e where e.bucket = p.bucket
        and e.person_id = p.person_id and e.kind = 'invited' and e.accepted_at is not null limit ${limit}) i)
        as accepted
    from unnest(${bucketsOf(people)}::smallint[], ${peopleOf(people)}::uuid[]) as p (bucket, person_id)`;

/** A person's nodes of type user id, each with the source that numbers people so; the earliest first. */
export const userNodes = (reader: Reader, { bucket, personId }: PersonKey) =>
  reader<{ bucket: number; nodeId: string; sourceId: string }[]>`
    select bucket, node_id, source_id from people_node
    where person_bucket = ${bucket} and person_id = ${personId} and type = 'user_id' order by node_id`;
/** How often these nodes kept somebody away. */
export async function blocksOf(
  reader: Reader,
  nodes: readonly { bucket: number; nodeId: string }[],
): Promise<number> {
  const [row] = await reader<{ count: number }[]>`
    select count(*)::int from relations_fact f
    join unnest(${nodes.map((n) => n.bucket)}::smallint[], ${nodes.map((n) => n.nodeId)}::uuid[])
      as n (bucket, node_id) on f.bucket = n.bucket and f.node_id = n.node_id
    where f.act = 'block'`;
  return row!.count;
}
/** Whose user id this is; no erasure takes the node away before this transaction ends. */
export const heldNode = (tx: Tx, blind: Buffer) =>
  tx<{ nodeBucket: number; nodeId: string; personId: string }[]>`
    select n.bucket as node_bucket, n.node_id, n.person_id from people_identifier i
    join people_node n on n.bucket = i.bucket and n.node_id = i.node_id
    where i.blind = ${blind} for key share of n`;
export async function standingOf(reader: Reader, { bucket, personId }: PersonKey) {
  const [row] = await reader<{ countsFrom: Date | null }[]>`
    select counts_from from relations_person where bucket = ${bucket} and person_id = ${personId}`;
  return row?.countsFrom ?? null;
}

/** Gives who had an edge to them, and is still somebody. */
export async function eraseRows(
  tx: Tx,
  { bucket, personId }: PersonKey,
  nodes: readonly { bucket: number; nodeId: string }[],
): Promise<PersonKey[]> {
  const [buckets, ids] = [nodes.map((n) => n.bucket), nodes.map((n) => n.nodeId)];
  await tx`
    delete from relations_fact f using unnest(${buckets}::smallint[], ${ids}::uuid[]) as n (bucket, node_id)
    where f.bucket = n.bucket and f.node_id = n.node_id`;
  await tx`
    delete from relations_fact f using unnest(${buckets}::smallint[], ${ids}::uuid[]) as n (bucket, node_id)
    where f.other_bucket = n.bucket and f.other_node_id = n.node_id`;
  await tx`delete from relations_edge where bucket = ${bucket} and person_id = ${personId}`;
  const others = await tx<PersonKey[]>`
    with gone as (
      delete from relations_edge where other_person_id = ${personId} returning bucket, person_id
    )
    select distinct g.bucket, g.person_id from gone g
    join people_person p on p.bucket = g.bucket and p.person_id = g.person_id`;
  await tx`delete from relations_person where bucket = ${bucket} and person_id = ${personId}`;
  return others;
}
