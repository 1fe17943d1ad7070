-- A product is known by its number at its source. Its name and price are those last seen, its price the one last paid.
create table catalog_product (
  source_id uuid not null,
  sku text not null,
  name text not null,
  category text,
  merchant_id text, -- whose goods they are, on a platform of many merchants
  unit_price bigint not null, -- ten-thousandths of the currency's major unit
  currency text not null,
  goods boolean not null default true, -- false: postage, fees, samples and other lines that are no goods
  seen_at timestamptz not null, -- of the line that these are from
  first_at timestamptz not null,
  primary key (source_id, sku)
);
create index catalog_product_merchant on catalog_product (merchant_id) where merchant_id is not null;
grant select, insert, update, delete on catalog_product to liuke_app;
