// Reads of products. They never write.
import type { Reader } from "#kernel/sql.ts";

export type Product = {
  sourceId: string;
  sku: string;
  name: string;
  category: string | null;
  merchantId: string | null;
  unitPrice: bigint;
  currency: string;
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
  select * ${where(reader, asked)}
    ${after ? reader`and (sku collate "C", source_id) > (${after.sku}, ${after.sourceId}::uuid)` : reader``}
  order by sku collate "C", source_id limit ${limit}`;
export async function total(reader: Reader, asked: Asked): Promise<number> {
  const [row] = await reader<{ total: number }[]>`
    select count(*)::int as total ${where(reader, asked)}`;
  return row!.total;
}
