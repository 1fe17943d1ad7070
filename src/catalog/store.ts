// Every SQL statement that writes products.
import { bigintList, type Tx } from "#kernel/sql.ts";

/** Products as the newest lines of a slice of the log tell them; an older line never overwrites a newer one. */
export const addSeen = (
  tx: Tx,
  { buckets, froms, tos }: { buckets: number[]; froms: bigint[]; tos: bigint[] },
) => tx`
  insert into catalog_product as p
    (source_id, sku, name, category, merchant_id, unit_price, currency, goods, seen_at, first_at)
  select distinct on (e.source_id, e.data->>'sku')
    e.source_id, e.data->>'sku', e.data->>'name', e.data->>'category', e.data->>'merchant',
    (e.data->>'unitPrice')::bigint, e.data->>'currency', (e.data->>'goods')::boolean, e.at,
    min(e.at) over (partition by e.source_id, e.data->>'sku')
  from unnest(${buckets}::smallint[], ${bigintList(froms)}::bigint[], ${bigintList(tos)}::bigint[]) as s(bucket, "from", "to")
  join collect_event e on e.bucket = s.bucket and e."offset" between s."from" and s."to"
  where e.name = 'Order Line'
  order by e.source_id, e.data->>'sku', (e.data->>'kind' = 'sale') desc, e.at desc, e.id
  on conflict (source_id, sku) do update set
    name = case when p.seen_at > excluded.seen_at or excluded.name = '' then p.name else excluded.name end,
    category = case when p.seen_at > excluded.seen_at then coalesce(p.category, excluded.category)
      else coalesce(excluded.category, p.category) end,
    merchant_id = case when p.seen_at > excluded.seen_at then coalesce(p.merchant_id, excluded.merchant_id)
      else coalesce(excluded.merchant_id, p.merchant_id) end,
    unit_price = case when p.seen_at > excluded.seen_at or excluded.unit_price <= 0 then p.unit_price
      else excluded.unit_price end,
    goods = case when p.seen_at > excluded.seen_at then p.goods else excluded.goods end,
    seen_at = greatest(p.seen_at, excluded.seen_at), first_at = least(p.first_at, excluded.first_at)`;
