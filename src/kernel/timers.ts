// Durable timers: a row says what is due when, a worker claims what is due and does it in the same transaction that
// takes the row away. So a deed and the end of its timer are one commit, and a crash between them cannot happen.
import { bucketOfText } from "./crypto.ts";
import { nobody } from "./ids.ts";
import type { House } from "./endpoint.ts";
import type { PersonKey, Sql, Tx } from "./sql.ts";

export type Timer = PersonKey & {
  kind: string;
  key: string;
  dueAt: Date;
  data: Record<string, unknown>;
  attempts: number;
};
/** Does what is due. May set timers again, its own too. */
export type Ring = (house: House, tx: Tx, timers: Timer[]) => Promise<void>;
/** Which clock a kind goes by, how many are done in one transaction, and what is done. */
export type TimerKind = { kind: string; clock: "shop" | "machine"; batch: number; ring: Ring };

type Asked = { kind: string; key: string; dueAt: Date; data?: Record<string, unknown> };
/** Sets timers, or moves those of the same person, kind and key. */
export async function setTimers(tx: Tx, timers: (Asked & Partial<PersonKey>)[]): Promise<void> {
  if (timers.length === 0) return;
  const rows = timers.map(({ kind, key, dueAt, data, bucket, personId }) => ({
    bucket: bucket ?? bucketOfText(`${kind} ${key}`),
    personId: personId ?? nobody,
    kind,
    key,
    dueAt,
    data: tx.json((data ?? {}) as never),
  }));
  for (let i = 0; i < rows.length; i += 5000)
    await tx`
      insert into timer ${tx(rows.slice(i, i + 5000))}
      on conflict (bucket, person_id, kind, key)
      do update set due_at = excluded.due_at, data = excluded.data, attempts = 0, failed_at = null`;
}
export const dropTimer = (tx: Tx, person: PersonKey, kind: string, key: string) => tx`
  delete from timer where bucket = ${person.bucket} and person_id = ${person.personId}
    and kind = ${kind} and key = ${key}`;

/** How often a timer is tried before it is left for an operator to see. */
const attemptLimit = 8;

/** Rings everything due of these kinds once over; says how many rang. Call again until it says 0. */
export async function ringDue(house: House, kinds: readonly TimerKind[]): Promise<number> {
  let rung = 0;
  for (const kind of kinds) {
    const now = house.clocks[kind.clock]();
    const buckets = await house.sql<{ bucket: number }[]>`
      select distinct bucket from timer
      where kind = ${kind.kind} and due_at <= ${now} and attempts < ${attemptLimit}
        and (failed_at is null or failed_at < now() - least(attempts * attempts, 60) * interval '1 s')`;
    for (const { bucket } of buckets) rung += await ringBucket(house, kind, bucket, now);
  }
  return rung;
}

async function ringBucket(house: House, kind: TimerKind, bucket: number, now: Date) {
  let claimed: Timer[] = [];
  try {
    await house.sql.begin(async (tx) => {
      claimed = await tx<Timer[]>`
        delete from timer t using (
          select bucket, person_id, kind, key from timer
          where bucket = ${bucket} and kind = ${kind.kind} and due_at <= ${now}
            and attempts < ${attemptLimit}
            and (failed_at is null or failed_at < now() - least(attempts * attempts, 60) * interval '1 s')
          order by due_at, person_id, key limit ${kind.batch} for update skip locked
        ) due
        where (t.bucket, t.person_id, t.kind, t.key)
          = (due.bucket, due.person_id, due.kind, due.key)
        returning t.bucket, t.person_id, t.kind, t.key, t.due_at, t.data, t.attempts`;
      claimed.sort((a, b) => (a.personId < b.personId ? -1 : 1));
      if (claimed.length > 0) await kind.ring(house, tx, claimed);
    });
    return claimed.length;
  } catch (thrown) {
    house.log.error({ event: "timer.failed", kind: kind.kind, error: String(thrown) });
    for (const { personId, key } of claimed)
      await house.sql`
        update timer set attempts = attempts + 1, failed_at = now()
        where bucket = ${bucket} and person_id = ${personId} and kind = ${kind.kind} and key = ${key}`;
    return 0;
  }
}
export const timersLeft = async (sql: Sql, kinds: readonly string[]): Promise<number> => {
  const [row] = await sql<{ left: number }[]>`
    select count(*)::int as left from timer where kind = any(${kinds as string[]})`;
  return row!.left;
};
