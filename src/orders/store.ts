// Every SQL statement that writes orders. Lines come from the log in slices and never leave the database on their way.
import { bigintList, type PersonKey, type Reader, type Tx } from "#kernel/sql.ts";
import { nobody } from "#kernel/ids.ts";

/** A part of the log: for each bucket the offsets [from, to]. */
export type Slice = { buckets: number[]; froms: bigint[]; tos: bigint[] };
const lineName = "Order Line";

/** Lines with their owner, from the log. */
export const addLines = (tx: Tx, { buckets, froms, tos }: Slice) => tx`
  insert into orders_line
    (bucket, person_id, event_id, source_id, ref, sku, quantity, unit_price, amount_minor, kind, at)
  select coalesce(n.person_bucket, e.bucket), coalesce(n.person_id, ${nobody}::uuid), e.id, e.source_id,
    e.data->>'order', e.data->>'sku', (e.data->>'quantity')::int, (e.data->>'unitPrice')::bigint,
    (e.data->>'amountMinor')::bigint, e.data->>'kind', e.at
  from unnest(${buckets}::smallint[], ${bigintList(froms)}::bigint[], ${bigintList(tos)}::bigint[]) as s(bucket, "from", "to")
  join collect_event e on e.bucket = s.bucket and e."offset" between s."from" and s."to"
  left join people_node n on n.bucket = e.bucket and n.node_id = e.node_id
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
export const addOrders = (tx: Tx, { buckets, froms, tos }: Slice, timeZone: string) => tx<
  Recorded[]
>`
  insert into orders_order as o
    (bucket, person_id, source_id, ref, kind, at, day, lines, items, amount_minor, currency, event_id)
  select bucket, person_id, source_id, ref, kind, min(at),
    (min(at) at time zone ${timeZone})::date, count(*), sum(quantity), sum(amount), min(currency),
    (array_agg(id order by at, id))[1]
  from (
    select coalesce(n.person_bucket, e.bucket) as bucket,
      coalesce(n.person_id, ${nobody}::uuid) as person_id, e.source_id, e.data->>'order' as ref,
      e.data->>'kind' as kind, (e.data->>'quantity')::int as quantity,
      (e.data->>'amountMinor')::bigint as amount, e.data->>'currency' as currency, e.at, e.id
    from unnest(${buckets}::smallint[], ${bigintList(froms)}::bigint[], ${bigintList(tos)}::bigint[]) as s(bucket, "from", "to")
    join collect_event e on e.bucket = s.bucket and e."offset" between s."from" and s."to"
    left join people_node n on n.bucket = e.bucket and n.node_id = e.node_id
    where e.name = ${lineName} and e.data->>'kind' <> 'adjustment'
  ) line
  group by bucket, person_id, source_id, ref, kind
  on conflict (bucket, person_id, source_id, ref, kind) do update set
    lines = o.lines + excluded.lines, items = o.items + excluded.items,
    amount_minor = o.amount_minor + excluded.amount_minor,
    event_id = case when (excluded.at, excluded.event_id) < (o.at, o.event_id)
      then excluded.event_id else o.event_id end,
    at = least(o.at, excluded.at), day = least(o.day, excluded.day)
  returning bucket, person_id, source_id, ref, kind, at, day, amount_minor, event_id`;

/** The way to an order by its number. The first to name it is the one it leads to. */
export const addRefs = (tx: Tx, orders: (PersonKey & { sourceId: string; ref: string })[]) => tx`
  insert into orders_ref (source_id, ref, bucket, person_id)
  select * from unnest(${orders.map((o) => o.sourceId)}::uuid[], ${orders.map((o) => o.ref)}::text[],
    ${orders.map((o) => o.bucket)}::smallint[], ${orders.map((o) => o.personId)}::uuid[])
  on conflict (source_id, ref) do nothing`;

export type Facts = PersonKey & {
  firstAt: Date | null;
  lastAt: Date | null;
  orders: number;
  refunds: number;
  purchaseDays: number;
  items: bigint;
  spentMinor: bigint;
  refundedMinor: bigint;
  currency: string;
  lastEvent: string | null;
  seenAt: Date;
};
/** What the orders of these people come to. */
export const factsOf = (reader: Reader, people: PersonKey[]) => {
  const buckets = [...new Set(people.map(({ bucket }) => bucket))];
  return reader<Facts[]>`
    select bucket, person_id,
      min(at) filter (where sale) as first_at, max(at) filter (where sale) as last_at,
      count(*) filter (where sale)::int as orders, count(*) filter (where kind = 'refund')::int as refunds,
      count(distinct day) filter (where sale)::int as purchase_days,
      coalesce(sum(items) filter (where sale), 0)::bigint as items,
      coalesce(sum(amount_minor) filter (where sale), 0)::bigint as spent_minor,
      coalesce(-sum(amount_minor) filter (where kind = 'refund'), 0)::bigint as refunded_minor,
      min(currency) as currency, max(at) as seen_at,
      (array_agg(event_id order by at desc, ref desc) filter (where sale))[1] as last_event
    from (
      select *, kind = 'sale' and amount_minor > 0 as sale from orders_order
      where bucket = any(${buckets}::smallint[])
        and person_id = any(${people.map(({ personId }) => personId)}::uuid[])
    ) o
    group by bucket, person_id`;
};

/** The country a person's newest line of the slice was sent to, where nothing newer is known. */
export const countriesOf = (tx: Tx, { buckets, froms, tos }: Slice) => tx<
  (PersonKey & { country: string; at: Date })[]
>`
  select distinct on (n.person_bucket, n.person_id) n.person_bucket as bucket, n.person_id,
    e.data->>'country' as country, e.at
  from unnest(${buckets}::smallint[], ${bigintList(froms)}::bigint[], ${bigintList(tos)}::bigint[]) as s(bucket, "from", "to")
  join collect_event e on e.bucket = s.bucket and e."offset" between s."from" and s."to"
  join people_node n on n.bucket = e.bucket and n.node_id = e.node_id
  left join people_profile f on f.bucket = n.person_bucket and f.person_id = n.person_id
  where e.name = ${lineName} and e.data ? 'country'
    and coalesce((f.attributes->'country'->>'at')::timestamptz <= e.at, true)
  order by n.person_bucket, n.person_id, e.at desc, e."offset" desc`;

export async function eraseRows(tx: Tx, { bucket, personId }: PersonKey): Promise<void> {
  await tx`
    delete from orders_ref r using orders_order o
    where o.bucket = ${bucket} and o.person_id = ${personId}
      and r.source_id = o.source_id and r.ref = o.ref`;
  await tx`delete from orders_line where bucket = ${bucket} and person_id = ${personId}`;
  await tx`delete from orders_order where bucket = ${bucket} and person_id = ${personId}`;
}
