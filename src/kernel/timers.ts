// Durable timers: a row says what is due when, a worker claims what is due and does it in the same transaction that
// takes the row away. So a deed and the end of its timer are one commit, and a crash between them cannot happen.
import { bucketOfText } from "./crypto.ts";
import { nobody } from "./ids.ts";
import type { House } from "./endpoint.ts";
import { holdBuckets } from "./lease.ts";
import { faultOf } from "./log.ts";
import type { Fragment } from "postgres";
import { hasRested, type PersonKey, type Sql, type Tx } from "./sql.ts";

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

/** How often this process set a timer of a kind behind what it has looked at; and up to where it has looked. */
const setsBehind = new Map<string, number>();
const latestLook = new Map<string, Date>();
const beginning = new Date(0);

type Asked = { kind: string; key: string; dueAt: Date; data?: Record<string, unknown> };
/** Sets timers, or moves those of the same person, kind and key; of one asked for twice the last counts. */
export async function setTimers(tx: Tx, timers: (Asked & Partial<PersonKey>)[]): Promise<void> {
  const all = timers.map(({ kind, key, dueAt, data, bucket, personId }) => ({
    bucket: bucket ?? bucketOfText(`${kind} ${key}`),
    personId: personId ?? nobody,
    kind,
    key,
    dueAt,
    data: JSON.stringify(data ?? {}),
  }));
  // Everybody takes the rows in one order, so that no two wait for each other in a circle.
  const last = new Map(all.map((row) => [`${row.personId} ${row.kind} ${row.key}`, row]));
  const rows = [...last].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
  for (const { kind, dueAt } of rows) {
    const latest = latestLook.get(kind);
    if (latest && dueAt < latest) setsBehind.set(kind, (setsBehind.get(kind) ?? 0) + 1);
  }
  for (let i = 0; i < rows.length; i += 5000) {
    const some = rows.slice(i, i + 5000);
    // One that is set as it was is not written again: most are.
    await tx`
      insert into timer as t (bucket, person_id, kind, key, due_at, data)
      select bucket, person_id, kind, key, due_at::timestamptz, data::jsonb
      from unnest(${some.map((row) => row.bucket)}::smallint[], ${some.map((row) => row.personId)}::uuid[],
        ${some.map((row) => row.kind)}::text[], ${some.map((row) => row.key)}::text[],
        ${some.map((row) => row.dueAt.toISOString())}::text[], ${some.map((row) => row.data)}::text[])
        as n(bucket, person_id, kind, key, due_at, data)
      on conflict (bucket, person_id, kind, key)
      do update set due_at = excluded.due_at, data = excluded.data, attempts = 0, failed_at = null
      where t.due_at <> excluded.due_at or t.data <> excluded.data or t.attempts <> 0`;
  }
}
/**
 * The same for everybody whom a query names, without a row leaving the engine: `due` gives (bucket, person_id, due_at), one
 * row a person. One that is set as it was is not even locked.
 */
export async function setTimersFrom(
  tx: Tx,
  { kind, key }: { kind: string; key: string },
  due: Fragment,
): Promise<void> {
  const latest = latestLook.get(kind) ?? beginning;
  const [row] = await tx<{ behind: boolean }[]>`
    with due as materialized (${due}), put as (
      insert into timer as t (bucket, person_id, kind, key, due_at, data)
      select bucket, person_id, ${kind}, ${key}, due_at, '{}' from due d
      where not exists (
        select from timer t where (t.bucket, t.person_id, t.kind, t.key)
            = (d.bucket, d.person_id, ${kind}::text, ${key}::text)
          and t.due_at = d.due_at and t.data = '{}' and t.attempts = 0
        offset 0) -- fenced: looked up by key, however few the planner expects
      order by person_id
      on conflict (bucket, person_id, kind, key)
      do update set due_at = excluded.due_at, data = excluded.data, attempts = 0, failed_at = null
      returning due_at
    )
    select coalesce(min(due_at) < ${latest}, false) as behind from put`;
  if (row!.behind) setsBehind.set(kind, (setsBehind.get(kind) ?? 0) + 1);
}
export const dropTimer = (tx: Tx, person: PersonKey, kind: string, key: string) => tx`
  delete from timer where bucket = ${person.bucket} and person_id = ${person.personId}
    and kind = ${kind} and key = ${key}`;

/** Everybody's of this kind and key. */
export const dropTimers = (tx: Tx, kind: string, key: string) =>
  tx`delete from timer where kind = ${kind} and key = ${key}`;

/** A person has these timers of a kind, and no others of it. */
export async function resetTimers(
  tx: Tx,
  { bucket, personId }: PersonKey,
  kind: string,
  timers: readonly { key: string; dueAt: Date }[],
): Promise<void> {
  await tx`
    delete from timer where bucket = ${bucket} and person_id = ${personId} and kind = ${kind}
      and key <> all(${timers.map(({ key }) => key)}::text[])`;
  await setTimers(
    tx,
    timers.map((timer) => ({ bucket, personId, kind, ...timer })),
  );
}

/** How often a timer is tried before it is left for an operator to see. */
const attemptLimit = 8;

/** Due, not given up on, and not resting. */
const isDue = (tx: Sql | Tx, now: Date) => tx`
  due_at <= ${now} and attempts < ${attemptLimit} and ${hasRested(tx)}`;

/**
 * Where the last look at a kind ended: everything due before has rung. What comes in behind that point is found all the
 * same: by the process that sets it at its next look, by any other at the next look from the beginning. So the remains of
 * timers that have rung are gone over once in `sweepMs` and not at every look, however long somebody's read keeps them.
 */
type Place = { from: Date; asOf: Date; sets: number; sweptAt: number };
const places = new WeakMap<House, Map<string, Place>>();
const sweepMs = 5000;
/** A timer is written before it can be seen: what commits within this time of falling due is not behind the place. */
const overlapMs = 2000;
/** One look finds so many of a kind at most. */
const lookLimit = 5000;

/** Rings what is due of these kinds once over; says how many rang. Call again until it says 0. */
export async function ringDue(house: House, kinds: readonly TimerKind[]): Promise<number> {
  const mine = places.get(house) ?? new Map<string, Place>();
  places.set(house, mine);
  const machine = house.clocks.machine().getTime();
  let rung = 0;
  for (const clock of ["shop", "machine"] as const) {
    const now = house.clocks[clock]();
    const own = kinds.filter((kind) => kind.clock === clock);
    if (own.length === 0) continue;
    const looks = own.map(({ kind }) => {
      const had = mine.get(kind);
      const isStale =
        !had ||
        had.sets !== (setsBehind.get(kind) ?? 0) ||
        now < had.asOf ||
        Math.abs(machine - had.sweptAt) >= sweepMs;
      return { kind, isStale, from: isStale ? beginning : had.from };
    });
    const sets = new Map(looks.map(({ kind }) => [kind, setsBehind.get(kind) ?? 0]));
    const due = await house.sql<{ kind: string; bucket: number; found: number }[]>`
      select k.kind, d.bucket, count(*)::int as found
      from unnest(${looks.map(({ kind }) => kind)}::text[],
        ${looks.map(({ from }) => from.toISOString())}::timestamptz[]) as k(kind, "from")
      cross join lateral (
        select bucket from timer t
        where t.kind = k.kind and t.due_at >= k."from" and ${isDue(house.sql, now)}
        order by t.due_at limit ${lookLimit}
      ) d group by k.kind, d.bucket`;
    for (const kind of own) {
      const look = looks.find((one) => one.kind === kind.kind)!;
      const found = due.filter((row) => row.kind === kind.kind);
      const there = found.reduce((sum, row) => sum + row.found, 0);
      const buckets = found.map(({ bucket }) => bucket);
      const done = there > 0 ? await ringKind(house, kind, buckets, now, look.from) : 0;
      rung += done;
      const had = mine.get(kind.kind);
      const from = done === there ? new Date(now.getTime() - overlapMs) : look.from;
      const latest = latestLook.get(kind.kind);
      if (!latest || latest < from) latestLook.set(kind.kind, from);
      mine.set(kind.kind, {
        from,
        asOf: now,
        sets: sets.get(kind.kind)!,
        sweptAt: look.isStale ? machine : had!.sweptAt,
      });
    }
  }
  return rung;
}

/**
 * Buckets go together in one transaction; where that fails, each goes alone, and then each timer, so that one bad timer
 * holds up no other.
 */
async function ringKind(
  house: House,
  kind: TimerKind,
  buckets: number[],
  now: Date,
  from: Date,
): Promise<number> {
  const together = await ring(house, kind, buckets, now, from, kind.batch);
  if (together !== "failed") return together.rung;
  let rung = 0;
  for (const bucket of buckets) {
    const own = await ring(house, kind, [bucket], now, from, kind.batch);
    if (own !== "failed") {
      rung += own.rung;
      continue;
    }
    // One that failed rests from then on, so that the next is found.
    for (let tries = 0; tries < kind.batch; tries++) {
      const alone = await ring(house, kind, [bucket], now, from, 1);
      if (alone === "failed" || alone.claimed === 0) break;
      rung += alone.rung;
    }
  }
  return rung;
}

/** "failed" where several did, and nothing is done. A timer that fails alone waits longer each time. */
async function ring(
  house: House,
  kind: TimerKind,
  buckets: number[],
  now: Date,
  from: Date,
  limit: number,
) {
  let claimed: Timer[] = [];
  try {
    await house.sql.begin(async (tx) => {
      claimed = await claim(tx, kind.kind, await holdBuckets(tx, buckets), now, from, limit);
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
/** The statement that takes away what is due from an instant on; a bench asks what it costs. */
export const claiming = (
  tx: Sql | Tx,
  kind: string,
  buckets: readonly number[],
  now: Date,
  from: Date,
  limit: number,
) =>
  // Materialized: a plan may run a joined subquery more than once, and it would then take more than its limit.
  tx<Timer[]>`
    with due as materialized (
      select bucket, person_id, kind, key from timer
      where bucket = any(${buckets as number[]}::smallint[]) and kind = ${kind} and due_at >= ${from}
        and ${isDue(tx, now)}
      order by due_at limit ${limit} for update skip locked
    )
    delete from timer t using due
    where (t.bucket, t.person_id, t.kind, t.key) = (due.bucket, due.person_id, due.kind, due.key)
    returning t.bucket, t.person_id, t.kind, t.key, t.due_at, t.data, t.attempts`;

/** Takes away what is due, in order of person; what another worker holds is left to it. */
async function claim(
  tx: Tx,
  kind: string,
  buckets: number[],
  now: Date,
  from: Date,
  limit: number,
): Promise<Timer[]> {
  const claimed = await claiming(tx, kind, buckets, now, from, limit);
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
