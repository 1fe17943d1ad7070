// Every SQL statement that writes orders. Lines come from the log in slices and never leave the database on their way.
import {
  bigintList,
  eventsIn,
  eventsOf,
  nodesOf,
  ownerAt,
  type PersonKey,
  type Slice,
  type Tx,
} from "#kernel/sql.ts";
import { nobody } from "#kernel/ids.ts";
import type { Told, ToldLine, Worked } from "./rules.ts";

/** A part of the log: for each bucket the offsets [from, to]. */
const lineName = "Order Line";
/** Bots and staff, whose orders are no guest's: bits of the log's flags. */
const leftOut = 3;
const claimFlag = 64;
const from = (tx: Tx, slice: Slice) => tx`
  from ${eventsIn(tx, slice, tx`e.flags & ${leftOut} = 0`)}`;
/** Whose an event is, null where it is nobody's. */
const owner = (tx: Tx) => tx`left join ${ownerAt(tx)} w on true`;

export type Ref = { sourceId: string; ref: string };
/**
 * The way to each order of a slice by its number: the first to name it is the one it leads to. The rows are held until
 * commit, in one order, so that whoever adds to an order at the same time sees what the other did.
 */
export const holdRefs = (tx: Tx, slice: Slice) => tx`
  insert into orders_ref (source_id, ref, bucket, person_id)
  select distinct on (source_id, ref) source_id, ref, bucket, person_id from (
    select e.source_id, case when e.name = ${lineName} then e.data->>'order' else e.data->'$order'->>'ref' end as ref,
      coalesce(w.person_bucket, e.bucket) as bucket, coalesce(w.person_id, ${nobody}::uuid) as person_id, e.at, e.id
    ${from(tx, slice)} ${owner(tx)}
    where e.name = ${lineName} or (${isTold(tx)} and e.flags & ${claimFlag} = 0)
  ) named
  order by source_id, ref, at, id
  on conflict (source_id, ref) do update set ref = excluded.ref`;
/** Held again where an order is worked out anew. */
export const holdKnownRefs = (tx: Tx, refs: readonly Ref[]) => tx`
  select from orders_ref r join ${refList(tx, refs)} on (x.source_id, x.ref) = (r.source_id, r.ref)
  order by r.source_id, r.ref for update of r`;
const refList = (tx: Tx, refs: readonly Ref[]) => tx`
  unnest(${refs.map((r) => r.sourceId)}::uuid[], ${refs.map((r) => r.ref)}::text[]) as x(source_id, ref)`;
const isTold = (tx: Tx) => tx`
  e.name in ('Order Completed', 'Order Updated', 'Order Refunded', 'Order Cancelled') and e.data ? '$order'`;

/** Is a line of the log in the shop's own currency? What names none is. */
const isOwn = (tx: Tx, currency: string) =>
  tx`coalesce(e.data->>'currency', ${currency}) = ${currency}`;
/** Lines with their owner, from the log. One in another currency than the shop's stays to be seen, and counts for nothing. */
export const addLines = (tx: Tx, slice: Slice, currency: string) => tx`
  insert into orders_line
    (bucket, person_id, event_id, source_id, ref, sku, quantity, unit_price, amount_minor, kind, told_kind, at,
     node_bucket, node_id, currency)
  select coalesce(w.person_bucket, e.bucket), coalesce(w.person_id, ${nobody}::uuid), e.id, e.source_id,
    e.data->>'order', e.data->>'sku', (e.data->>'quantity')::int, (e.data->>'unitPrice')::bigint,
    (e.data->>'amountMinor')::bigint,
    case when ${isOwn(tx, currency)} then e.data->>'kind' else 'adjustment' end,
    case when not ${isOwn(tx, currency)} then e.data->>'kind' end,
    e.at, e.bucket, e.node_id, e.data->>'currency'
  ${from(tx, slice)} ${owner(tx)}
  where e.name = ${lineName}`;

export type Recorded = PersonKey & {
  sourceId: string;
  ref: string;
  kind: "sale" | "refund";
  at: Date;
  day: string;
  amountMinor: bigint;
  eventId: string;
};
/** Adds what the slice's lines add up to; says which orders of known people it touched. */
export const addOrders = (
  tx: Tx,
  slice: Slice,
  { timeZone, currency }: { timeZone: string; currency: string },
) => tx<Recorded[]>`
  insert into orders_order as o
    (bucket, person_id, source_id, ref, kind, at, day, lines, items, amount_minor, currency, event_id)
  select bucket, person_id, source_id, ref, kind, min(at),
    (min(at) at time zone ${timeZone})::date, count(*), sum(quantity), sum(amount), min(currency),
    (array_agg(id order by at, id))[1]
  from (
    select coalesce(w.person_bucket, e.bucket) as bucket,
      coalesce(w.person_id, ${nobody}::uuid) as person_id, e.source_id, e.data->>'order' as ref,
      e.data->>'kind' as kind, (e.data->>'quantity')::int as quantity,
      (e.data->>'amountMinor')::bigint as amount, e.data->>'currency' as currency, e.at, e.id
    ${from(tx, slice)} ${owner(tx)}
    where e.name = ${lineName} and e.data->>'kind' <> 'adjustment' and ${isOwn(tx, currency)}
  ) line
  group by bucket, person_id, source_id, ref, kind
  on conflict (bucket, person_id, source_id, ref, kind) do update set
    lines = o.lines + excluded.lines, items = o.items + excluded.items,
    amount_minor = o.amount_minor + excluded.amount_minor,
    event_id = case when (excluded.at, excluded.event_id) < (o.at, o.event_id)
      then excluded.event_id else o.event_id end,
    at = least(o.at, excluded.at), day = least(o.day, excluded.day)
  returning bucket, person_id, source_id, ref, kind, at, day, amount_minor, event_id`;

// ── orders told whole ────────────────────────────────────────────────────────────────────────────────────────────

/** What the slice says of whole orders; which of them that is not only claimed. */
export const addTold = (tx: Tx, slice: Slice) => tx<Ref[]>`
  insert into orders_told
    (source_id, ref, event_id, at, bucket, node_id, kind, claim, currency, amount_minor, lines, sums, marks)
  select e.source_id, o.ref, e.id, e.at, e.bucket, e.node_id, o.kind, e.flags & ${claimFlag} <> 0, o.currency,
    o."amountMinor", nullif(o.lines, 'null'), o.sums, o.marks
  ${from(tx, slice)}
  cross join lateral jsonb_to_record(e.data->'$order') as o(ref text, kind text, currency text,
    "amountMinor" bigint, lines jsonb, sums jsonb, marks smallint)
  where ${isTold(tx)}
  on conflict (source_id, ref, event_id) do nothing
  returning source_id, case when claim then '' else ref end as ref`;
/** Of the slice's lines, those whose orders are told whole as well. */
export const linesOfTold = (tx: Tx, slice: Slice) => tx<Ref[]>`
  select distinct e.source_id, e.data->>'order' as ref
  ${from(tx, slice)}
  join orders_told t on t.source_id = e.source_id and t.ref = e.data->>'order' and not t.claim
  where e.name = ${lineName}`;

export type ToldRow = Told & Ref;
export async function toldOf(tx: Tx, refs: readonly Ref[]): Promise<ToldRow[]> {
  const rows = await tx<
    (Omit<ToldRow, "lines" | "foreign"> & { lines: ToldLine[] | null; marks: number })[]
  >`
    select t.source_id, t.ref, t.event_id, t.at, t.bucket, t.node_id, t.kind, t.amount_minor, t.lines, t.marks
    from orders_told t join ${refList(tx, refs)} on (x.source_id, x.ref) = (t.source_id, t.ref)
    where not t.claim`;
  return rows.map(({ marks, ...row }) => ({ ...row, foreign: (marks & 2) !== 0 }));
}
export type LinedRow = Ref & {
  sales: number;
  refunds: number;
  saleMinor: bigint;
  eventId: string | null;
  at: Date | null;
  bucket: number | null;
  nodeId: string | null;
};
/** What the orders' own lines come to, sent one by one; a cancelled order's too. */
export const linedOf = (tx: Tx, refs: readonly Ref[]) => tx<LinedRow[]>`
  select l.source_id, l.ref, count(*) filter (where l.kind = 'sale')::int as sales,
    count(*) filter (where l.kind = 'refund')::int as refunds,
    coalesce(sum(l.amount_minor) filter (where l.kind = 'sale'), 0)::bigint as sale_minor,
    (array_agg(l.event_id order by l.at, l.event_id) filter (where l.kind = 'sale'))[1] as event_id,
    min(l.at) filter (where l.kind = 'sale') as at,
    (array_agg(l.node_bucket order by l.at, l.event_id) filter (where l.kind = 'sale'))[1] as bucket,
    (array_agg(l.node_id order by l.at, l.event_id) filter (where l.kind = 'sale'))[1] as node_id
  from (
    select distinct o.bucket, o.person_id, o.source_id, o.ref from orders_order o
    join ${refList(tx, refs)} on (x.source_id, x.ref) = (o.source_id, o.ref)
  ) o
  join orders_line l on (l.bucket, l.person_id, l.source_id, l.ref)
    = (o.bucket, o.person_id, o.source_id, o.ref) and not l.told
  group by l.source_id, l.ref`;

export type Part = PersonKey & Ref;
/** Whose these orders are now. */
export const partsOf = (tx: Tx, refs: readonly Ref[]) => tx<Part[]>`
  select distinct o.bucket, o.person_id, o.source_id, o.ref from orders_order o
  join ${refList(tx, refs)} on (x.source_id, x.ref) = (o.source_id, o.ref)`;
const partList = (tx: Tx, parts: readonly Part[]) => tx`
  unnest(${parts.map((p) => p.bucket)}::smallint[], ${parts.map((p) => p.personId)}::uuid[],
    ${parts.map((p) => p.sourceId)}::uuid[], ${parts.map((p) => p.ref)}::text[])
    as x(bucket, person_id, source_id, ref)`;

/** Takes away what was worked out before of orders told whole. */
export const dropWorked = (tx: Tx, parts: readonly Part[]) => tx`
  delete from orders_line l using ${partList(tx, parts)}
  where l.told and (l.bucket, l.person_id, l.source_id, l.ref) = (x.bucket, x.person_id, x.source_id, x.ref)`;
/** Makes adjustments of the lines of cancelled orders: they stay to be seen, and count for nothing. */
export const voidLines = (tx: Tx, parts: readonly Part[]) => tx`
  update orders_line l set told_kind = l.kind, kind = 'adjustment' from ${partList(tx, parts)}
  where not l.told and l.kind <> 'adjustment'
    and (l.bucket, l.person_id, l.source_id, l.ref) = (x.bucket, x.person_id, x.source_id, x.ref)`;
/** Writes what was worked out, to whoever each is of; says whose that is. */
export async function addWorked(
  tx: Tx,
  rows: readonly (Worked & Ref)[],
  currency: string,
): Promise<Part[]> {
  const added = await tx<Part[]>`
    insert into orders_line
      (bucket, person_id, event_id, n, source_id, ref, sku, quantity, unit_price, amount_minor, kind, at,
       node_bucket, node_id, currency, told)
    select coalesce(w.person_bucket, e.bucket), coalesce(w.person_id, ${nobody}::uuid), e.event_id, e.n, e.source_id,
      e.ref, e.sku, e.quantity, e.unit_price, e.amount_minor, e.kind, e.own_at, e.bucket, e.node_id, ${currency}, true
    from unnest(${rows.map((r) => r.sourceId)}::uuid[], ${rows.map((r) => r.ref)}::text[],
      ${rows.map((r) => r.eventId)}::uuid[], ${rows.map((r) => r.n)}::smallint[],
      ${rows.map((r) => r.at.toISOString())}::text[]::timestamptz[], ${rows.map((r) => r.sku)}::text[],
      ${rows.map((r) => r.quantity)}::int[], ${bigintList(rows.map((r) => BigInt(r.unitPrice)))}::bigint[],
      ${bigintList(rows.map((r) => r.amountMinor))}::bigint[], ${rows.map((r) => r.kind)}::text[],
      ${rows.map((r) => r.by.bucket)}::smallint[], ${rows.map((r) => r.by.nodeId ?? nobody)}::uuid[],
      ${rows.map((r) => r.by.at.toISOString())}::text[]::timestamptz[], ${rows.map((r) => r.by.eventId)}::uuid[])
      as g(source_id, ref, event_id, n, own_at, sku, quantity, unit_price, amount_minor, kind, bucket, node, at, id)
    cross join lateral (select g.*, nullif(g.node, ${nobody}::uuid) as node_id) e
    ${owner(tx)}
    returning bucket, person_id, source_id, ref`;
  const seen = new Map(added.map((one) => [`${one.personId} ${one.sourceId} ${one.ref}`, one]));
  return [...seen.values()];
}
/** Works orders out anew from their lines. */
export async function sumOrders(
  tx: Tx,
  parts: readonly Part[],
  timeZone: string,
): Promise<Recorded[]> {
  await tx`
    delete from orders_order o using ${partList(tx, parts)}
    where (o.bucket, o.person_id, o.source_id, o.ref) = (x.bucket, x.person_id, x.source_id, x.ref)`;
  return tx<Recorded[]>`
    insert into orders_order
      (bucket, person_id, source_id, ref, kind, at, day, lines, items, amount_minor, currency, event_id)
    select l.bucket, l.person_id, l.source_id, l.ref, l.kind, min(l.at), (min(l.at) at time zone ${timeZone})::date,
      count(*), sum(l.quantity), sum(l.amount_minor), min(l.currency),
      (array_agg(l.event_id order by l.at, l.event_id))[1]
    from ${partList(tx, parts)}
    join orders_line l on (l.bucket, l.person_id, l.source_id, l.ref)
      = (x.bucket, x.person_id, x.source_id, x.ref) and l.kind <> 'adjustment'
    group by l.bucket, l.person_id, l.source_id, l.ref, l.kind
    returning bucket, person_id, source_id, ref, kind, at, day, amount_minor, event_id`;
}

// ── whose they are, anew ─────────────────────────────────────────────────────────────────────────────────────────

const personList = (tx: Tx, people: readonly PersonKey[]) => tx`
  unnest(${people.map((p) => p.bucket)}::smallint[], ${people.map((p) => p.personId)}::uuid[]) as p(bucket, person_id)`;
/** Gives lines of these people, and of nodes that are theirs, to whoever each node belonged to; says what was touched. */
export async function moveLines(tx: Tx, people: readonly PersonKey[]): Promise<Part[]> {
  const moves = await tx<
    (Part & { eventId: string; n: number; toBucket: number; toPerson: string })[]
  >`
    with mine as (
      select l.bucket, l.person_id, l.event_id, l.n from ${personList(tx, people)}
      join orders_line l on (l.bucket, l.person_id) = (p.bucket, p.person_id)
      where not l.told and l.node_id is not null
      union
      select l.bucket, l.person_id, l.event_id, l.n from ${personList(tx, people)}
      cross join ${nodesOf(tx)} w
      join orders_line l on (l.node_bucket, l.node_id) = (w.bucket, w.node_id)
      where not l.told
    )
    select l.bucket, l.person_id, l.event_id, l.n, l.source_id, l.ref, w.person_bucket as to_bucket,
      w.person_id as to_person
    from mine join orders_line l using (bucket, person_id, event_id, n)
    cross join lateral (select l.at, l.event_id as id) e
    cross join ${ownerAt(tx, "e", ["l.node_bucket", "l.node_id"])} w
    where (w.person_bucket, w.person_id) <> (l.bucket, l.person_id)`;
  if (moves.length === 0) return [];
  await tx`
    update orders_line l set bucket = x.to_bucket, person_id = x.to_person
    from unnest(${moves.map((m) => m.bucket)}::smallint[], ${moves.map((m) => m.personId)}::uuid[],
      ${moves.map((m) => m.eventId)}::uuid[], ${moves.map((m) => m.n)}::smallint[],
      ${moves.map((m) => m.toBucket)}::smallint[], ${moves.map((m) => m.toPerson)}::uuid[])
      as x(bucket, person_id, event_id, n, to_bucket, to_person)
    where (l.bucket, l.person_id, l.event_id, l.n) = (x.bucket, x.person_id, x.event_id, x.n)`;
  const parts = new Map<string, Part>();
  for (const { sourceId, ref, bucket, personId, toBucket, toPerson } of moves)
    for (const person of [
      { bucket, personId },
      { bucket: toBucket, personId: toPerson },
    ])
      parts.set(`${person.personId} ${sourceId} ${ref}`, { ...person, sourceId, ref });
  return [...parts.values()];
}
/** Orders told whole by these people's nodes, or counted as theirs. */
export const toldBy = (tx: Tx, people: readonly PersonKey[]) => tx<Ref[]>`
  select t.source_id, t.ref from ${personList(tx, people)}
  cross join ${nodesOf(tx)} w
  join orders_told t on (t.bucket, t.node_id) = (w.bucket, w.node_id) and not t.claim
  union
  select l.source_id, l.ref from ${personList(tx, people)}
  join orders_line l on (l.bucket, l.person_id) = (p.bucket, p.person_id) and l.told`;
/** The way follows: an order's number leads to whose it is, the first of them where several are. */
export const leadRefs = (tx: Tx, parts: readonly Part[]) => tx`
  update orders_ref r set bucket = o.bucket, person_id = o.person_id
  from (
    select distinct on (o.source_id, o.ref) o.* from ${partList(tx, parts)}
    join orders_order o on (o.source_id, o.ref) = (x.source_id, x.ref)
    order by o.source_id, o.ref, o.at, o.event_id
  ) o
  where (r.source_id, r.ref) = (o.source_id, o.ref) and r.person_id <> o.person_id`;

export type Facts = PersonKey & {
  firstAt: Date | null;
  lastAt: Date | null;
  orders: number;
  refunds: number;
  purchaseDays: number;
  items: bigint;
  spentMinor: bigint;
  refundedMinor: bigint;
  currency: string | null; // null, as seenAt: there are no orders
  lastEvent: string | null;
  seenAt: Date | null;
};
/** What the orders of these people come to. */
export const factsOf = (reader: Tx, people: readonly PersonKey[]) => reader<Facts[]>`
  select p.bucket, p.person_id,
    min(o.at) filter (where sale) as first_at, max(o.at) filter (where sale) as last_at,
    count(*) filter (where sale)::int as orders, count(*) filter (where o.kind = 'refund')::int as refunds,
    count(distinct o.day) filter (where sale)::int as purchase_days,
    coalesce(sum(o.items) filter (where sale), 0)::bigint as items,
    coalesce(sum(o.amount_minor) filter (where sale), 0)::bigint as spent_minor,
    coalesce(-sum(o.amount_minor) filter (where o.kind = 'refund'), 0)::bigint as refunded_minor,
    min(o.currency) as currency, max(o.at) as seen_at,
    (array_agg(o.event_id order by o.at desc, o.ref desc) filter (where sale))[1] as last_event
  from ${personList(reader, people)}
  left join (
    select *, kind = 'sale' and amount_minor > 0 as sale from orders_order
    where bucket = any(${[...new Set(people.map(({ bucket }) => bucket))]}::smallint[])
      and person_id = any(${people.map(({ personId }) => personId)}::uuid[])
  ) o on (o.bucket, o.person_id) = (p.bucket, p.person_id)
  group by p.bucket, p.person_id`;

/** Of these people, those who have orders or whose profile says they had. */
export const withOrders = (tx: Tx, people: readonly PersonKey[]) => tx<PersonKey[]>`
  select p.bucket, p.person_id from ${personList(tx, people)}
  where exists (select from people_person q where (q.bucket, q.person_id) = (p.bucket, p.person_id)) and (
    exists (select from orders_line o where (o.bucket, o.person_id) = (p.bucket, p.person_id))
    or exists (select from people_profile f
      where (f.bucket, f.person_id) = (p.bucket, p.person_id) and f.attributes ? 'orders'))`;

/** Those of these people of whom any line was told, whatever became of it. */
export const withLines = (tx: Tx, people: readonly PersonKey[]) => tx<PersonKey[]>`
  select p.bucket, p.person_id from ${personList(tx, people)}
  where exists (select from orders_line l where (l.bucket, l.person_id) = (p.bucket, p.person_id))
    or exists (select from people_owner w
      join orders_told t on (t.bucket, t.node_id) = (w.bucket, w.node_id) and not t.claim
        and (t.at, t.event_id) >= (w.from_at, w.from_id) and (t.at, t.event_id) < (w.until_at, w.until_id)
      where (w.person_bucket, w.person_id) = (p.bucket, p.person_id))`;

/**
 * Newer than what is known, or of the same instant and the first by its letters: of one order's lines that name two
 * countries, the same one counts whichever comes in first, from whatever source. What people say of themselves stands.
 */
const isNews = (tx: Tx) => tx`(f.attributes->'country'->>'s') is distinct from 'self' and coalesce(
  ((f.attributes->'country'->>'at')::timestamptz, e.data->>'country' collate "C")
    <= (e.at, f.attributes->'country'->>'v' collate "C"), true)`;
/** The country a person's newest line of the slice was sent to, where nothing newer is known. */
export const countriesOf = (tx: Tx, slice: Slice) => tx<Country[]>`
  select distinct on (w.person_bucket, w.person_id) w.person_bucket as bucket, w.person_id,
    e.data->>'country' as country, e.at
  ${from(tx, slice)} ${owner(tx)}
  left join people_profile f on f.bucket = w.person_bucket and f.person_id = w.person_id
  where e.name = ${lineName} and e.data ? 'country' and w.person_id is not null
    and ${isNews(tx)}
  order by w.person_bucket, w.person_id, e.at desc, e.data->>'country' collate "C"`;
type Country = PersonKey & { country: string; at: Date };
/** The same from everything that the log has of them. */
export const countriesOfPeople = (tx: Tx, people: readonly PersonKey[]) => tx<Country[]>`
  select distinct on (p.bucket, p.person_id) p.bucket, p.person_id, e.data->>'country' as country, e.at
  from ${personList(tx, people)}
  cross join ${eventsOf(tx, [lineName])} e
  left join people_profile f on f.bucket = p.bucket and f.person_id = p.person_id
  where e.data ? 'country' and e.flags & ${leftOut} = 0 and ${isNews(tx)}
  order by p.bucket, p.person_id, e.at desc, e.data->>'country' collate "C"`;

export async function eraseRows(
  tx: Tx,
  { bucket, personId }: PersonKey,
  nodes: readonly { bucket: number; nodeId: string }[],
): Promise<void> {
  await tx`
    delete from orders_told t
    using unnest(${nodes.map((n) => n.bucket)}::smallint[], ${nodes.map((n) => n.nodeId)}::uuid[])
      as n(bucket, node_id)
    where t.bucket = n.bucket and t.node_id = n.node_id`;
  await tx`
    delete from orders_ref r using orders_order o
    where o.bucket = ${bucket} and o.person_id = ${personId}
      and r.source_id = o.source_id and r.ref = o.ref`;
  await tx`delete from orders_line where bucket = ${bucket} and person_id = ${personId}`;
  await tx`delete from orders_order where bucket = ${bucket} and person_id = ${personId}`;
}
