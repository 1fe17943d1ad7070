// What only one process may do, it does while it holds a row. The fence counts holders, so that a late one is told apart.
import type { Sql, Tx } from "./sql.ts";

export type Lease = { name: string; holder: string; fence: bigint };

/** Takes the lease for `ttlMs` of the database's clock, or renews it; null while somebody else holds it. */
export async function takeLease(
  sql: Sql,
  name: string,
  holder: string,
  ttlMs: number,
): Promise<Lease | null> {
  await sql`insert into lease (name) values (${name}) on conflict do nothing`;
  const [row] = await sql<{ fence: bigint }[]>`
    update lease l set holder = ${holder}, until = now() + ${ttlMs} * interval '1 ms',
      fence = case when l.holder = ${holder} then l.fence else l.fence + 1 end
    from (
      select name from lease
      where name = ${name} and (holder = ${holder} or until is null or until < now())
      for update skip locked
    ) free
    where l.name = free.name returning l.fence`;
  return row ? { name, holder, fence: row.fence } : null;
}
/** In the transaction that does the work: is the lease still ours? Holds its row until commit. */
export async function holds(tx: Tx, lease: Lease): Promise<boolean> {
  const rows = await tx`
    select from lease
    where name = ${lease.name} and holder = ${lease.holder} and fence = ${lease.fence} for update`;
  return rows.count === 1;
}
export const dropLease = (sql: Sql, { name, holder, fence }: Lease) => sql`
  update lease set holder = null, until = null
  where name = ${name} and holder = ${holder} and fence = ${fence}`;

const made = new WeakMap<Sql, Set<string>>();
/**
 * Works while this process holds the lease's row in an open transaction, and PostgreSQL lets go of it by itself as soon
 * as its holder is gone. Null, and no work, while somebody else holds it. `work` takes connections of its own.
 */
export async function whileHeld<T>(
  sql: Sql,
  name: string,
  work: () => Promise<T>,
): Promise<T | null> {
  const names = made.get(sql) ?? new Set();
  made.set(sql, names);
  if (!names.has(name)) {
    await sql`insert into lease (name) values (${name}) on conflict do nothing`;
    names.add(name);
  }
  return sql.begin(async (tx) => {
    const [row] = await tx`select from lease where name = ${name} for update skip locked`;
    return row ? work() : null;
  }) as Promise<T | null>;
}

/**
 * Of these buckets, those that no other worker is at; held until the transaction ends. Within them a worker may take
 * rows of many people in any order, because nobody else does.
 */
export async function holdBuckets(tx: Tx, buckets: readonly number[]): Promise<number[]> {
  const rows = await tx<{ bucket: number }[]>`
    select bucket from worker_bucket where bucket = any(${buckets as number[]}::smallint[])
    order by bucket for update skip locked`;
  return rows.map(({ bucket }) => bucket);
}
