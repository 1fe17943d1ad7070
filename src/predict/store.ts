// Every SQL statement that writes what was learned, and its own reads.
import type { PersonKey, Reader, Tx } from "#kernel/sql.ts";
import type { Learned } from "./rules.ts";

/** Of the shape of `learned`: a fit of another version is not read, the next run writes a new one. */
const version = 1;

export type Fit = { id: string; at: Date; asOf: string; people: number; learned: Learned };
export const saveFit = (tx: Tx, { learned, ...fit }: Fit) =>
  tx`insert into predict_fit ${tx({ ...fit, version, learned: tx.json(learned as never) })}`;
/** A fit never changes once it is saved, so the last one read is kept: each order asks for it. */
let kept: Fit | undefined;
export async function latestFit(reader: Reader): Promise<Fit | undefined> {
  const [latest] = await reader<{ id: string }[]>`
    select id from predict_fit where version = ${version} order by at desc, id desc limit 1`;
  if (!latest || latest.id === kept?.id) return latest && kept;
  const [fit] = await reader<Fit[]>`
    select id, at, as_of, people, learned from predict_fit where id = ${latest.id}`;
  kept = fit;
  return fit;
}

/** Whoever looks at these people next waits until this transaction ends, and sees what it wrote. */
export const lockPeople = (tx: Tx, people: readonly PersonKey[]) => tx`
  select from predict_person
  where bucket = any(${[...new Set(people.map((p) => p.bucket))]}::smallint[])
    and person_id = any(${people.map((p) => p.personId)}::uuid[])
  order by bucket, person_id for update`;

export type Figures = PersonKey & {
  r: number | null;
  f: number | null;
  m: number | null;
  orders: number;
  amountMinor: number;
  chance: number | null;
  expected: number | null;
  at: Date;
};
export async function savePeople(tx: Tx, fitId: string, rows: readonly Figures[]): Promise<void> {
  for (let i = 0; i < rows.length; i += 5000) {
    const part = rows.slice(i, i + 5000);
    await tx`
      insert into predict_person
        (bucket, person_id, fit_id, r, f, m, orders, amount_minor, chance, expected, at)
      select n.bucket, n.person_id, ${fitId}, n.r, n.f, n.m, n.orders, n.amount_minor, n.chance,
        n.expected, n.at::timestamptz
      from unnest(
        ${part.map((p) => p.bucket)}::smallint[], ${part.map((p) => p.personId)}::uuid[],
        ${part.map((p) => p.r)}::smallint[], ${part.map((p) => p.f)}::smallint[],
        ${part.map((p) => p.m)}::smallint[], ${part.map((p) => p.orders)}::int[],
        ${part.map((p) => String(p.amountMinor))}::text[]::bigint[],
        ${part.map((p) => p.chance)}::float8[], ${part.map((p) => p.expected)}::float8[],
        ${part.map((p) => p.at.toISOString())}::text[]
      ) as n(bucket, person_id, r, f, m, orders, amount_minor, chance, expected, at)
      on conflict (bucket, person_id) do update set fit_id = excluded.fit_id,
        r = excluded.r, f = excluded.f, m = excluded.m, orders = excluded.orders,
        amount_minor = excluded.amount_minor, chance = excluded.chance,
        expected = excluded.expected, at = excluded.at`;
  }
}

/** What the latest look at these people came to. */
export const figuresOf = (reader: Reader, people: readonly PersonKey[]) => reader<
  (PersonKey & { fitId: string; orders: number; amountMinor: bigint })[]
>`
  select bucket, person_id, fit_id, orders, amount_minor from predict_person
  where bucket = any(${[...new Set(people.map((p) => p.bucket))]}::smallint[])
    and person_id = any(${people.map((p) => p.personId)}::uuid[])`;
export const erasePerson = (tx: Tx, { bucket, personId }: PersonKey) =>
  tx`delete from predict_person where bucket = ${bucket} and person_id = ${personId}`;
