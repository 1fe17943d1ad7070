// Reads for learning and for screens. A purchase is a sale of more than nothing by somebody we know.
import { nobody } from "#kernel/ids.ts";
import type { PersonKey, Reader } from "#kernel/sql.ts";

export type Purchases = PersonKey & {
  /** Distinct ISO days where the shop is, ascending, with a comma between. */
  days: string;
  orders: number;
  amountMinor: bigint;
};
const only = (reader: Reader, people: readonly PersonKey[] | undefined) =>
  people
    ? reader`bucket = any(${[...new Set(people.map((p) => p.bucket))]}::smallint[])
        and person_id = any(${people.map((p) => p.personId)}::uuid[])`
    : reader`person_id <> ${nobody}`;

/** What each person, or each of `people`, bought before an instant. */
export const purchases = (reader: Reader, before: Date, people?: readonly PersonKey[]) => reader<
  Purchases[]
>`
  select bucket, person_id, string_agg(distinct day::text, ',' order by day::text) as days,
    count(*)::int as orders, sum(amount_minor)::bigint as amount_minor
  from orders_order
  where kind = 'sale' and amount_minor > 0 and at < ${before} and ${only(reader, people)}
  group by bucket, person_id`;

export type Tag = PersonKey & {
  tag: string;
  value: string;
  confidence: number;
  reason: Record<string, unknown>;
};
/** What was said of these people last. */
export const tags = (reader: Reader, people: readonly PersonKey[]) => reader<Tag[]>`
  select bucket, person_id, tag, value, confidence, reason from people_tag
  where source = 'predict' and ${only(reader, people)}`;

export type Category = PersonKey & { category: string; days: string; lines: number };
/** On which days each person, or each of `people`, bought in which category, before an instant. */
export async function categories(
  reader: Reader,
  before: Date,
  people?: readonly PersonKey[],
): Promise<readonly Category[]> {
  const [has] = await reader<{ categories: boolean }[]>`
    select exists (select from catalog_product where category is not null) as categories`;
  if (!has?.categories) return [];
  return reader<Category[]>`
    select o.bucket, o.person_id, p.category, count(*)::int as lines,
      string_agg(distinct o.day::text, ',' order by o.day::text) as days
    from (
      select bucket, person_id, source_id, ref, day from orders_order
      where kind = 'sale' and amount_minor > 0 and at < ${before} and ${only(reader, people)}
    ) o
    join orders_line l using (bucket, person_id, source_id, ref)
    join catalog_product p on p.source_id = l.source_id and p.sku = l.sku
    where l.kind = 'sale' and p.category is not null
    group by o.bucket, o.person_id, p.category`;
}

export const stageCounts = (reader: Reader) => reader<{ stage: string; people: number }[]>`
  select value as stage, count(*)::int as people from people_tag
  where tag = 'lifecycle' group by value`;

export const moves = (reader: Reader, since: Date) => reader<
  { from: string | null; to: string; people: number; byEvent: number }[]
>`
  select before as "from", after as "to", count(*)::int as people, count(cause)::int as by_event
  from people_tag_log where tag = 'lifecycle' and at >= ${since} and after is not null
  group by before, after order by before nulls first, after`;

export type Change = PersonKey & {
  id: string;
  from: string | null;
  to: string;
  at: Date;
  cause: string | null;
  reason: Record<string, unknown>;
};
/** Changes of stage since an instant, the newest first. `from` null: any; "none": the first stage of all. */
export const changes = (
  reader: Reader,
  asked: { from: string | null; to: string | null; since: Date; limit: number },
  after: { at: Date; id: string } | null,
) => reader<Change[]>`
  select bucket, person_id, id, before as "from", after as "to", at, cause, reason
  from people_tag_log
  where tag = 'lifecycle' and at >= ${asked.since} and after is not null
    and (${asked.to}::text is null or after = ${asked.to})
    and (${asked.from}::text is null or coalesce(before, 'none') = ${asked.from})
    ${after ? reader`and (at, id) < (${after.at}, ${after.id}::uuid)` : reader``}
  order by at desc, id desc limit ${asked.limit}`;

export const scored = (reader: Reader) => reader<
  { r: number; f: number; m: number; people: number; orders: number; amountMinor: bigint }[]
>`
  select r, f, m, count(*)::int as people, sum(orders)::int as orders,
    sum(amount_minor)::bigint as amount_minor
  from predict_person where r is not null group by r, f, m`;

/** People by tenths of their chance of an order, and the orders they are expected to make. */
export const chances = (reader: Reader) => reader<
  { tenth: number; people: number; expected: number }[]
>`
  select least(floor(chance * 10), 9)::int as tenth, count(*)::int as people,
    sum(expected)::float8 as expected
  from predict_person where chance is not null group by 1 order by 1`;
