-- An order is what its lines add up to. A person's own; lines that name nobody stand under the person of zeros.
create table orders_order (
  bucket smallint not null check (bucket between 0 and 255),
  person_id uuid not null,
  source_id uuid not null,
  ref text not null,
  kind text not null check (kind in ('sale', 'refund')),
  at timestamptz not null, -- of its first line
  day date not null, -- where the shop is
  lines int not null, -- lines that count: sales of a sale, refunds of a refund
  items bigint not null,
  amount_minor bigint not null, -- refunds are negative
  currency text not null,
  event_id uuid not null, -- of its first line
  primary key (bucket, person_id, source_id, ref)
);
create index orders_order_at on orders_order (at);
create table orders_line (
  bucket smallint not null check (bucket between 0 and 255),
  person_id uuid not null,
  event_id uuid not null, -- a line is one event
  source_id uuid not null,
  ref text not null,
  sku text not null,
  quantity int not null,
  unit_price bigint not null, -- ten-thousandths of the currency's major unit
  amount_minor bigint not null, -- quantity × unit price, rounded half up
  kind text not null check (kind in ('sale', 'refund', 'adjustment')), -- an adjustment moves stock or books, no money of a guest
  at timestamptz not null,
  primary key (bucket, person_id, event_id)
);
-- Looked up by a value: the way to an order.
create table orders_ref (
  source_id uuid not null,
  ref text not null,
  bucket smallint not null,
  person_id uuid not null,
  primary key (source_id, ref)
);
grant select, insert, update, delete on orders_order, orders_line, orders_ref to liuke_app;
