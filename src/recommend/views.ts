// Reads for learning and for the member's page. They never write.
import { nobody } from "#kernel/ids.ts";
import type { PersonKey, Reader } from "#kernel/sql.ts";

export type Bought = PersonKey & { sku: string; day: string };
/** Goods that each person, or each of `people`, bought before `before`, once a day of the shop's, in no order. */
export const purchases = (
  reader: Reader,
  before: Date,
  timeZone: string,
  people?: readonly PersonKey[],
) => reader<Bought[]>`
  select distinct l.bucket, l.person_id, l.sku, (l.at at time zone ${timeZone})::date::text as day
  from orders_line l
  join catalog_product p on p.source_id = l.source_id and p.sku = l.sku and p.goods
  where l.kind = 'sale' and l.at < ${before} and ${
    people
      ? reader`l.bucket = any(${[...new Set(people.map(({ bucket }) => bucket))]}::smallint[])
          and l.person_id = any(${people.map(({ personId }) => personId)}::uuid[])`
      : reader`l.person_id <> ${nobody}`
  }`;

/** The name of each good, as it was last seen at any source. */
export async function goodsNames(
  reader: Reader,
  skus: readonly string[],
): Promise<Map<string, string>> {
  if (skus.length === 0) return new Map();
  const rows = await reader<{ sku: string; name: string }[]>`
    select distinct on (sku) sku, name from catalog_product
    where sku = any(${[...new Set(skus)]}::text[]) order by sku, seen_at desc, source_id`;
  return new Map(rows.map(({ sku, name }) => [sku, name]));
}
