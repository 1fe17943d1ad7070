// Reads of products. They never write.
import type { Reader } from "#kernel/sql.ts";

export type Product = {
  sourceId: string;
  sku: string;
  name: string;
  category: string | null;
  merchantId: string | null;
  brand: string | null;
  url: string | null;
  image: string | null;
  unitPrice: bigint;
  currency: string;
  stock: bigint | null;
  goods: boolean;
  seenAt: Date;
  firstAt: Date;
};
type Asked = { query: string; merchants: readonly string[] | null };
/** `merchants` null: every merchant's goods. */
const where = (reader: Reader, { query, merchants }: Asked) => {
  const like = `%${query.replaceAll(/[\\%_]/g, (sign) => `\\${sign}`)}%`;
  return reader`
    from catalog_product where true
    ${query === "" ? reader`` : reader`and (sku ilike ${like} or name ilike ${like})`}
    ${merchants === null ? reader`` : reader`and merchant_id = any(${merchants as string[]}::text[])`}`;
};
export const page = (
  reader: Reader,
  asked: Asked,
  after: { sku: string; sourceId: string } | null,
  limit: number,
) => reader<Product[]>`
  select source_id, sku, name, category, merchant_id, brand, url, image, unit_price, currency, stock, goods,
    seen_at, first_at ${where(reader, asked)}
    ${after ? reader`and (sku collate "C", source_id) > (${after.sku}, ${after.sourceId}::uuid)` : reader``}
  order by sku collate "C", source_id limit ${limit}`;
export async function total(reader: Reader, asked: Asked): Promise<number> {
  const [row] = await reader<{ total: number }[]>`
    select count(*)::int as total ${where(reader, asked)}`;
  return row!.total;
}

/** A product's name; null where there is none, or it is none of these merchants'. */
export async function nameOf(
  reader: Reader,
  { source, sku }: { source: string; sku: string },
  merchants: readonly string[] | null,
): Promise<string | null> {
  const [row] = await reader<{ name: string }[]>`
    select name from catalog_product where source_id = ${source} and sku = ${sku}
    ${merchants === null ? reader`` : reader`and merchant_id = any(${merchants as string[]}::text[])`}`;
  return row?.name ?? null;
}
/** Of what was told, what differs from what was told before it; told again unchanged, it is no change. */
export const prices = (
  reader: Reader,
  { source, sku }: { source: string; sku: string },
  limit: number,
) => reader<{ at: Date; eventId: string; unitPrice: bigint; currency: string }[]>`
  select at, event_id, unit_price, currency from (
    select *, lag((unit_price, currency)) over (order by at, event_id) as before from catalog_price
    where source_id = ${source} and sku = ${sku}
  ) told
  where (unit_price, currency) is distinct from before
  order by at desc, event_id desc limit ${limit}`;
export const stocks = (
  reader: Reader,
  { source, sku }: { source: string; sku: string },
  limit: number,
) => reader<{ at: Date; eventId: string; stock: bigint }[]>`
  select at, event_id, stock from (
    select *, lag(stock) over (order by at, event_id) as before from catalog_stock
    where source_id = ${source} and sku = ${sku}
  ) told
  where stock is distinct from before
  order by at desc, event_id desc limit ${limit}`;
