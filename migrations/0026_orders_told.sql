-- An order may be told whole, in events of its own (Order Completed, Updated, Refunded, Cancelled), instead of line by line.
-- What they say is kept as it was said, and the order is worked out from all of it.
create table orders_told (
  source_id uuid not null,
  ref text not null,
  event_id uuid not null,
  at timestamptz not null,
  bucket smallint not null check (bucket between 0 and 255), -- of the event, and of its node
  node_id uuid, -- who said it; null where nobody is named
  kind text not null check (kind in ('sale', 'refund', 'all', 'cancelled')),
  claim boolean not null, -- a public source's word: it counts for nothing
  currency text not null,
  amount_minor bigint, -- null: not told
  lines jsonb, -- [{sku, quantity, unitPrice, amountMinor}]; null: not told
  sums jsonb not null, -- {subtotal, revenue, tax, shipping, discount} in minor units, as far as they were told
  marks smallint not null, -- bits: 1 lines and total disagree, 2 in another currency than the shop's
  primary key (source_id, ref, event_id)
);
create index orders_told_node on orders_told (bucket, node_id) where node_id is not null;
create index orders_told_claim on orders_told (ref) where claim;
grant select, insert, update, delete on orders_told to liuke_app;

-- A line knows its node, so that it can be given to whoever the node is found to be.
alter table orders_line
  add column n smallint not null default 0, -- within its event: an order told whole has many lines
  add column node_bucket smallint,
  add column node_id uuid,
  add column currency text,
  add column told boolean not null default false, -- from an order told whole
  add column told_kind text, -- what it was, where a cancelled order made an adjustment of it
  drop constraint orders_line_pkey,
  add primary key (bucket, person_id, event_id, n);
update orders_line l
  set node_bucket = e.bucket, node_id = e.node_id, currency = e.data->>'currency'
  from people_node w
  join collect_event e on e.bucket = w.bucket and e.node_id = w.node_id and e.name = 'Order Line'
  where w.person_bucket = l.bucket and w.person_id = l.person_id and e.id = l.event_id;
update orders_line l set node_bucket = l.bucket, currency = o.currency
  from orders_order o
  where l.currency is null
    and (o.bucket, o.person_id, o.source_id, o.ref) = (l.bucket, l.person_id, l.source_id, l.ref);
create index orders_line_node on orders_line (node_bucket, node_id) where node_id is not null;
create index orders_order_ref on orders_order (source_id, ref);
