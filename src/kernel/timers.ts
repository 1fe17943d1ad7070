// Durable timers: a row says what is due when, a worker claims what is due and does it in the same transaction that
// takes the row away. So a deed and the end of its timer are one commit, and a crash between them cannot happen.
import { bucketOfText } from "./crypto.ts";
import { nobody } from "./ids.ts";
import type { House } from "./endpoint.ts";
import { holdBuckets } from "./lease.ts";
import { faultOf } from "./log.ts";
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
/** Sets timers, or moves those of the same person, kind and key; of one asked for twice the last counts. */
export async function setTimers(tx: Tx, timers: (Asked & Partial<PersonKey>)[]): Promise<void> {
  const all = timers.map(({ kind, key, dueAt, data, bucket, personId }) => ({
    bucket: bucket ?? bucketOfText(`${kind} ${key}`),
    personId: personId ?? nobody,
    kind,
    key,
    dueAt,
    data: tx.json((data ?? {}) as never),
  }));
  // Everybody takes the rows in one order, so that no two wait for each other in a circle.
  const last = new Map(all.map((row) => [`${row.personId} ${row.kind} ${row.key}`, row]));
  const rows = [...last].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
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

/** Due, not given up on, and not resting after a failure. The rest grows with the square of the tries, to a minute. */
const isDue = (tx: Sql | Tx, now: Date) => tx`
  due_at <= ${now} and attempts < ${attemptLimit}
  and (failed_at is null or failed_at < now() - least(attempts * attempts, 60) * interval '1 s')`;

/**
 * Rings what is due of these kinds once over; says how many rang. Call again until it says 0. Buckets go together in
 * one transaction; where that fails, each goes alone, and then each timer, so that one bad timer holds up no other.
 */
export async function ringDue(house: House, kinds: readonly TimerKind[]): Promise<number> {
  let rung = 0;
  for (const clock of ["shop", "machine"] as const) {
    const now = house.clocks[clock]();
    const names = kinds.filter((kind) => kind.clock === clock).map(({ kind }) => kind);
    if (names.length === 0) continue;
    const due = await house.sql<{ kind: string; bucket: number }[]>`
      select distinct kind, bucket from timer where kind = any(${names}) and ${isDue(house.sql, now)}`;
    for (const kind of kinds) {
      const buckets = due.filter((row) => row.kind === kind.kind).map(({ bucket }) => bucket);
      if (buckets.length > 0) rung += await ringKind(house, kind, buckets, now);
    }
  }
  return rung;
}

async function ringKind(house: House, kind: TimerKind, buckets: number[], now: Date) {
  const together = await ring(house, kind, buckets, now, kind.batch);
  if (together !== "failed") return together.rung;
  let rung = 0;
  for (const bucket of buckets) {
    const own = await ring(house, kind, [bucket], now, kind.batch);
    if (own !== "failed") {
      rung += own.rung;
      continue;
    }
    // One that failed rests from then on, so that the next is found.
    for (let tries = 0; tries < kind.batch; tries++) {
      const alone = await ring(house, kind, [bucket], now, 1);
      if (alone === "failed" || alone.claimed === 0) break;
      rung += alone.rung;
    }
  }
  return rung;
}

/** "failed" where several did, and nothing is done. A timer that fails alone waits longer each time. */
async function ring(house: House, kind: TimerKind, buckets: number[], now: Date, limit: number) {
  let claimed: Timer[] = [];
  try {
    await house.sql.begin(async (tx) => {
      claimed = await claim(tx, kind, await holdBuckets(tx, buckets), now, limit);
      if (claimed.length > 0) await kind.ring(house, tx, claimed);
    });
    return { claimed: claimed.length, rung: claimed.length };
  } catch (thrown) {
    if (claimed.length === 0) throw thrown; // the engine, not a timer
    if (claimed.length > 1) return "failed";
    const { bucket, personId, key } = claimed[0]!;
    house.log.error({
      event: "timer.failed",
      kind: kind.kind,
      bucket,
      personId,
      ...faultOf(thrown),
    });
    await house.sql`
      update timer set attempts = attempts + 1, failed_at = now()
      where bucket = ${bucket} and person_id = ${personId} and kind = ${kind.kind} and key = ${key}`;
    return { claimed: 1, rung: 0 };
  }
}
/** Takes away what is due, in order of person; what another worker holds is left to it. */
async function claim(tx: Tx, kind: TimerKind, buckets: number[], now: Date, limit: number) {
  // Materialized: a plan may run a joined subquery more than once, and it would then take more than its limit.
  const claimed = await tx<Timer[]>`
    with due as materialized (
      select bucket, person_id, kind, key from timer
      where bucket = any(${buckets}::smallint[]) and kind = ${kind.kind} and ${isDue(tx, now)}
      order by due_at, bucket, person_id, key limit ${limit} for update skip locked
    )
    delete from timer t using due
    where (t.bucket, t.person_id, t.kind, t.key) = (due.bucket, due.person_id, due.kind, due.key)
    returning t.bucket, t.person_id, t.kind, t.key, t.due_at, t.data, t.attempts`;
  return [...claimed].sort(
    (a, b) =>
      a.bucket - b.bucket ||
      compare(a.personId, b.personId) ||
      a.dueAt.getTime() - b.dueAt.getTime() ||
      compare(a.key, b.key),
  );
}
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

export const timersLeft = async (sql: Sql, kinds: readonly string[]): Promise<number> => {
  const [row] = await sql<{ left: number }[]>`
    select count(*)::int as left from timer where kind = any(${kinds as string[]})`;
  return row!.left;
};
