// Reads of a person's orders. They never write.
import type { PersonKey, Reader } from "#kernel/sql.ts";

export type Order = {
  ref: string;
  sourceId: string;
  kind: "sale" | "refund";
  at: Date;
  day: string;
  amountMinor: bigint;
  currency: string;
  eventId: string;
};
/** A page of a person's orders up to `now`, the newest first. */
export const ofPerson = (
  reader: Reader,
  { bucket, personId }: PersonKey,
  now: Date,
  after: { at: Date; key: string } | null,
  limit: number,
) => reader<Order[]>`
  select ref, source_id, kind, at, day, amount_minor, currency, event_id from orders_order
  where bucket = ${bucket} and person_id = ${personId} and at <= ${now}
    ${after ? reader`and (at, (kind || ' ' || ref) collate "C") < (${after.at}, ${after.key})` : reader``}
  order by at desc, (kind || ' ' || ref) collate "C" desc limit ${limit}`;
export async function total(reader: Reader, { bucket, personId }: PersonKey, now: Date) {
  const [row] = await reader<{ total: number }[]>`
    select count(*)::int as total from orders_order
    where bucket = ${bucket} and person_id = ${personId} and at <= ${now}`;
  return row!.total;
}

export type OrderLine = {
  sourceId: string;
  ref: string;
  of: "sale" | "refund"; // the order's kind
  eventId: string;
  sku: string;
  name: string;
  quantity: number;
  unitPrice: bigint;
  amountMinor: bigint;
  kind: "sale" | "refund" | "adjustment";
};
/** The lines of some of a person's orders by time, those that only mend books with them; a product by the name it was last sold under. */
export const lines = (
  reader: Reader,
  { bucket, personId }: PersonKey,
  orders: readonly Pick<Order, "sourceId" | "ref" | "kind">[],
  now: Date,
) => reader<OrderLine[]>`
  select l.source_id, l.ref, o.kind as of, l.event_id, l.sku, coalesce(p.name, '') as name, l.quantity,
    l.unit_price, l.amount_minor, l.kind
  from orders_line l
  join unnest(${orders.map((o) => o.sourceId)}::uuid[], ${orders.map((o) => o.ref)}::text[],
    ${orders.map((o) => o.kind)}::text[]) as o(source_id, ref, kind)
    on o.source_id = l.source_id and o.ref = l.ref and l.kind in (o.kind, 'adjustment')
  left join catalog_product p on p.source_id = l.source_id and p.sku = l.sku
  where l.bucket = ${bucket} and l.person_id = ${personId} and l.at <= ${now}
  order by l.at, l.event_id`;

export type Claim = {
  eventId: string;
  ref: string;
  at: Date;
  amountMinor: bigint | null;
  currency: string;
  confirmedBy: string | null; // the source whose order of that number confirms it
  confirmedMinor: bigint | null; // what that order came to
};
/**
 * What a page said of orders for this person, the newest first. One is confirmed by an order of its number from a server
 * or a file: then the visit has its order. It moves no figure either way, and shows nothing of whose the order is.
 */
export const claims = (
  reader: Reader,
  { bucket, personId }: PersonKey,
  now: Date,
  limit: number,
) => reader<Claim[]>`
  select t.event_id, t.ref, t.at, t.amount_minor, t.currency, c.source_id as confirmed_by, c.minor as confirmed_minor
  from people_owner w
  join orders_told t on (t.bucket, t.node_id) = (w.bucket, w.node_id) and t.claim and t.kind = 'sale'
    and (t.at, t.event_id) >= (w.from_at, w.from_id) and (t.at, t.event_id) < (w.until_at, w.until_id)
  left join lateral (
    select o.source_id, sum(o.amount_minor)::bigint as minor from collect_source s
    join orders_order o on (o.source_id, o.ref) = (s.id, t.ref) and o.kind = 'sale'
    group by o.source_id order by o.source_id limit 1
  ) c on true
  where w.person_bucket = ${bucket} and w.person_id = ${personId} and t.at <= ${now}
  order by t.at desc, t.event_id limit ${limit}`;
