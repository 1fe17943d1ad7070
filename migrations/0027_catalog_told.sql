-- Beside each of a product's words stands where it is from, as "rank time event": of two, the greater is the one, whichever
-- came in first. Rank 2 is the shop's own catalogue, 1 a line sold, 0 a line that came back or what a page showed.
alter table catalog_product
  add column brand text,
  add column url text,
  add column image text,
  add column stock bigint,
  add column name_key text collate "C" not null default '',
  add column category_key text collate "C" not null default '',
  add column merchant_key text collate "C" not null default '',
  add column price_key text collate "C" not null default '',
  add column goods_key text collate "C" not null default '',
  add column brand_key text collate "C" not null default '',
  add column url_key text collate "C" not null default '',
  add column image_key text collate "C" not null default '',
  add column stock_key text collate "C" not null default '';
update catalog_product p set name_key = k.key, category_key = case when category is null then '' else k.key end,
  merchant_key = case when merchant_id is null then '' else k.key end, price_key = k.key, goods_key = k.key
from (
  select source_id, sku, '1 ' || to_char(seen_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')
    || ' 00000000-0000-0000-0000-000000000000' as key
  from catalog_product
) k
where (k.source_id, k.sku) = (p.source_id, p.sku);

-- What the shop told of prices and stock, for ever: nothing here is changed.
create table catalog_price (
  source_id uuid not null,
  sku text not null,
  at timestamptz not null,
  event_id uuid not null,
  unit_price bigint not null, -- ten-thousandths of the currency's major unit
  currency text not null,
  primary key (source_id, sku, at, event_id)
);
create table catalog_stock (
  source_id uuid not null,
  sku text not null,
  at timestamptz not null,
  event_id uuid not null,
  stock bigint not null,
  primary key (source_id, sku, at, event_id)
);
grant select, insert, delete on catalog_price, catalog_stock to liuke_app;
