// Every SQL statement that writes products.
import { eventsIn, type Slice, type Tx } from "#kernel/sql.ts";

const from = (tx: Tx, slice: Slice) => tx`
  from ${eventsIn(tx, slice, tx`e.flags & 3 = 0`)}`;
const figures = (tx: Tx, what: "order" | "product") =>
  what === "order"
    ? tx`e.name in ('Order Completed', 'Order Updated', 'Order Refunded') and e.flags & 64 = 0 and e.data ? '$order'`
    : tx`e.name <> 'Order Line' and e.data ? '$product'`;

export type Key = { sourceId: string; sku: string };
/** The products whose price or stock the shop's catalogue tells in a slice. */
export const toldIn = (tx: Tx, slice: Slice) => tx<Key[]>`
  select distinct e.source_id, e.data->'$product'->>'sku' as sku
  ${from(tx, slice)}
  where ${figures(tx, "product")} and not e.data->'$product' ? 'seen'
    and (e.data->'$product' ? 'unitPrice' or e.data->'$product' ? 'stock')`;

export type State = Key & {
  name: string;
  unitPrice: bigint;
  currency: string;
  stock: bigint | null;
  priceKey: string;
  stockKey: string;
};
/** Held until commit, so that no change between is told twice or not at all. */
export const hold = (tx: Tx, keys: readonly Key[]) => tx<State[]>`
  select p.source_id, p.sku, p.name, p.unit_price, p.currency, p.stock, p.price_key, p.stock_key
  from unnest(${keys.map((k) => k.sourceId)}::uuid[], ${keys.map((k) => k.sku)}::text[]) as k(source_id, sku)
  join catalog_product p on (p.source_id, p.sku) = (k.source_id, k.sku)
  order by p.source_id, p.sku for update of p`;

/** Prices and stocks that the shop's catalogue told, each kept. */
export async function addHistory(tx: Tx, slice: Slice): Promise<void> {
  await tx`
    insert into catalog_price (source_id, sku, at, event_id, unit_price, currency)
    select e.source_id, p.sku, e.at, e.id, p."unitPrice", p.currency
    ${from(tx, slice)}
    cross join lateral jsonb_to_record(e.data->'$product')
      as p(sku text, "unitPrice" bigint, currency text, seen boolean)
    where ${figures(tx, "product")} and p.seen is null and p."unitPrice" is not null
    on conflict do nothing`;
  await tx`
    insert into catalog_stock (source_id, sku, at, event_id, stock)
    select e.source_id, p.sku, e.at, e.id, p.stock
    ${from(tx, slice)}
    cross join lateral jsonb_to_record(e.data->'$product') as p(sku text, stock bigint, seen boolean)
    where ${figures(tx, "product")} and p.seen is null and p.stock is not null
    on conflict do nothing`;
}

/**
 * Products as a slice of the log tells them. Each word carries its key, "rank time event" of 65 signs: of two the greater
 * is the one, so that the order in which they come in does not matter. In one order, so that two slices do not deadlock.
 */
export const addSeen = (tx: Tx, slice: Slice, currency: string) => tx`
  insert into catalog_product as p
    (source_id, sku, name, category, merchant_id, unit_price, currency, goods, brand, url, image, stock,
     name_key, category_key, merchant_key, price_key, goods_key, brand_key, url_key, image_key, stock_key,
     seen_at, first_at)
  select source_id, sku, coalesce(substr(name, 66), ''), substr(category, 66), substr(merchant, 66),
    coalesce(split_part(substr(price, 66), ' ', 1)::bigint, 0),
    coalesce(split_part(substr(price, 66), ' ', 2), ${currency}),
    coalesce(substr(goods, 66)::boolean, true), substr(brand, 66), substr(url, 66), substr(image, 66),
    substr(stock, 66)::bigint,
    coalesce(left(name, 65), ''), coalesce(left(category, 65), ''), coalesce(left(merchant, 65), ''),
    coalesce(left(price, 65), ''), coalesce(left(goods, 65), ''), coalesce(left(brand, 65), ''),
    coalesce(left(url, 65), ''), coalesce(left(image, 65), ''), coalesce(left(stock, 65), ''), seen_at, first_at
  from (
    select source_id, sku, max(at) as seen_at, min(at) as first_at,
      max((key || name) collate "C") filter (where name <> '') as name,
      max((key || category) collate "C") filter (where category <> '') as category,
      max((key || merchant) collate "C") filter (where merchant <> '') as merchant,
      max((key || price || ' ' || currency) collate "C") filter (where price > 0 or (price = 0 and key like '2%')) as price,
      max((key || goods) collate "C") filter (where goods is not null) as goods,
      max((key || brand) collate "C") filter (where brand <> '') as brand,
      max((key || url) collate "C") filter (where url <> '') as url,
      max((key || image) collate "C") filter (where image <> '') as image,
      max((key || stock) collate "C") filter (where stock is not null) as stock
    from (
      select source_id, sku, at, name, category, merchant, price, currency, goods, brand, url, image, stock,
        rank || ' ' || to_char(at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || ' ' || id as key
      from (
        select e.source_id, e.data->>'sku' as sku, e.data->>'name' as name, e.data->>'category' as category,
          e.data->>'merchant' as merchant, (e.data->>'unitPrice')::bigint as price, e.data->>'currency' as currency,
          (e.data->>'goods')::boolean as goods, null as brand, null as url, null as image, null::bigint as stock,
          e.at, e.id, case when e.data->>'kind' = 'sale' then '1' else '0' end as rank
        ${from(tx, slice)}
        where e.name = 'Order Line'
        union all
        select e.source_id, l.sku, l.name, l.category, null, l."unitPrice", e.data->'$order'->>'currency', true,
          null, null, null, null, e.at, e.id, case when e.name = 'Order Refunded' then '0' else '1' end
        ${from(tx, slice)}
        cross join lateral jsonb_to_recordset(
          case when jsonb_typeof(e.data->'$order'->'lines') = 'array' then e.data->'$order'->'lines' else '[]' end
        ) as l(sku text, name text, category text, "unitPrice" bigint)
        where ${figures(tx, "order")}
        union all
        select e.source_id, p.sku, p.name, p.category, p.merchant, p."unitPrice", p.currency,
          coalesce(p.goods, true), p.brand, p.url,
          p.image, p.stock, e.at, e.id, case when p.seen then '0' else '2' end
        ${from(tx, slice)}
        cross join lateral jsonb_to_record(e.data->'$product') as p(sku text, name text, category text,
          merchant text, "unitPrice" bigint, currency text, brand text, url text, image text, stock bigint, goods boolean,
          seen boolean)
        where ${figures(tx, "product")}
      ) said
    ) keyed
    group by source_id, sku
  ) newest
  order by source_id, sku
  on conflict (source_id, sku) do update set
    name = case when excluded.name_key > p.name_key then excluded.name else p.name end,
    category = case when excluded.category_key > p.category_key then excluded.category else p.category end,
    merchant_id = case when excluded.merchant_key > p.merchant_key then excluded.merchant_id else p.merchant_id end,
    unit_price = case when excluded.price_key > p.price_key then excluded.unit_price else p.unit_price end,
    currency = case when excluded.price_key > p.price_key then excluded.currency else p.currency end,
    goods = case when excluded.goods_key > p.goods_key then excluded.goods else p.goods end,
    brand = case when excluded.brand_key > p.brand_key then excluded.brand else p.brand end,
    url = case when excluded.url_key > p.url_key then excluded.url else p.url end,
    image = case when excluded.image_key > p.image_key then excluded.image else p.image end,
    stock = case when excluded.stock_key > p.stock_key then excluded.stock else p.stock end,
    name_key = greatest(p.name_key, excluded.name_key),
    category_key = greatest(p.category_key, excluded.category_key),
    merchant_key = greatest(p.merchant_key, excluded.merchant_key),
    price_key = greatest(p.price_key, excluded.price_key),
    goods_key = greatest(p.goods_key, excluded.goods_key),
    brand_key = greatest(p.brand_key, excluded.brand_key),
    url_key = greatest(p.url_key, excluded.url_key),
    image_key = greatest(p.image_key, excluded.image_key),
    stock_key = greatest(p.stock_key, excluded.stock_key),
    seen_at = greatest(p.seen_at, excluded.seen_at), first_at = least(p.first_at, excluded.first_at)`;
