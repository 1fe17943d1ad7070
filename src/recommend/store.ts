// Every SQL statement that writes fits and picks, and their own reads.
import type { PersonKey, Reader, Tx } from "#kernel/sql.ts";
import type { Pick, Taste } from "./rules.ts";

export type Fit = { id: string; at: Date; people: number; goods: number; purchases: bigint };
export const addFit = (tx: Tx, fit: Fit, taste: Taste) =>
  tx`insert into recommend_fit ${tx({ ...fit, taste: tx.json(taste) })}`;
/** Fits that nothing was picked by, but for the latest: they would only take room. */
export const dropOldFits = (tx: Tx, latest: string) =>
  tx`
    delete from recommend_fit f where f.id <> ${latest}
      and not exists (select from recommend_pick p where p.fit_id = f.id)`;
/** The latest of what was learned from before `now`. */
export async function latestFit(
  reader: Reader,
  now: Date,
): Promise<{ id: string; taste: Taste } | null> {
  const [fit] = await reader<{ id: string; taste: Taste }[]>`
    select id, taste from recommend_fit where at <= ${now} order by at desc, id desc limit 1`;
  return fit ?? null;
}

export type PickRow = PersonKey & Pick & { rank: number; at: Date; fitId: string };
/** What these people are to be shown from now on. */
export async function replacePicks(
  tx: Tx,
  people: readonly PersonKey[],
  picks: readonly PickRow[],
): Promise<void> {
  await tx`
    delete from recommend_pick
    where bucket = any(${people.map(({ bucket }) => bucket)}::smallint[])
      and person_id = any(${people.map(({ personId }) => personId)}::uuid[])`;
  for (let i = 0; i < picks.length; i += 5000)
    await tx`insert into recommend_pick ${tx(
      picks.slice(i, i + 5000).map((pick) => ({ ...pick, reason: tx.json(pick.reason) })),
    )}`;
}
export const picksOf = (reader: Reader, { bucket, personId }: PersonKey) =>
  reader<PickRow[]>`
    select bucket, person_id, rank, sku, kind, score, reason, at, fit_id from recommend_pick
    where bucket = ${bucket} and person_id = ${personId} order by rank`;

export const eraseRows = (tx: Tx, { bucket, personId }: PersonKey) =>
  tx`delete from recommend_pick where bucket = ${bucket} and person_id = ${personId}`;
