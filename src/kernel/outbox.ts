// What happened, for whoever has to react. A row is written in the transaction of its cause and taken away in the
// transaction of its effect, so that neither happens without the other, nor twice.
import type { z } from "zod";
import { crashAt } from "./crash.ts";
import type { EventType, House } from "./endpoint.ts";
import { holdBuckets } from "./lease.ts";
import { faultOf } from "./log.ts";
import type { PersonKey, Tx } from "./sql.ts";

export type Happened = PersonKey & {
  id: string;
  name: string;
  data: Record<string, unknown>;
  at: Date;
  attempts: number;
};
/** A domain's reaction to events of one name. */
export type Reaction = {
  on: string;
  react: (house: House, tx: Tx, events: Happened[]) => Promise<void>;
};

/** Writes events in bulk, for work that is no command: consumers of the log, timers, jobs. */
export async function emitAll<D extends z.ZodType>(
  house: Pick<House, "newId"> & { clocks: Pick<House["clocks"], "shop"> },
  tx: Tx,
  { name, data }: EventType<D>,
  happened: { person: PersonKey; data: z.output<D> }[],
): Promise<void> {
  const at = house.clocks.shop();
  for (let i = 0; i < happened.length; i += 5000)
    await tx`insert into outbox ${tx(
      happened.slice(i, i + 5000).map((one) => ({
        ...one.person,
        id: house.newId(),
        name,
        data: tx.json(data.encode(one.data) as never),
        at,
      })),
    )}`;
}

/** Events of one transaction at most. */
const batch = 2000;
/** How often an event is tried before it is put aside as dead, where doctor and console show it. */
const attemptLimit = 12;

/**
 * Relays what is due, once over; says how many went. Call again until it says 0. Buckets go together in one
 * transaction, because a transaction costs more than an event; where that fails, each goes alone, and then each event,
 * so that one bad event holds up no other.
 */
export async function relay(house: House, reactions: readonly Reaction[]): Promise<number> {
  const due = await house.sql<{ bucket: number }[]>`
    select distinct bucket from outbox where dead_at is null and next_at <= now() order by bucket`;
  if (due.length === 0) return 0;
  const buckets = due.map(({ bucket }) => bucket);
  const together = await relayBuckets(house, reactions, buckets, batch);
  if (together !== "failed") return together.sent;
  let sent = 0;
  for (const bucket of buckets) {
    const own = await relayBuckets(house, reactions, [bucket], batch);
    if (own !== "failed") {
      sent += own.sent;
      continue;
    }
    // One that failed rests from then on, so that the next is found.
    for (let tries = 0; tries < batch; tries++) {
      const alone = await relayBuckets(house, reactions, [bucket], 1);
      if (alone === "failed" || alone.claimed === 0) break;
      sent += alone.sent;
    }
  }
  return sent;
}

/** "failed" where several did, and nothing is done. An event that fails alone waits longer each time. */
async function relayBuckets(
  house: House,
  reactions: readonly Reaction[],
  buckets: readonly number[],
  limit: number,
): Promise<{ claimed: number; sent: number } | "failed"> {
  let claimed: Happened[] = [];
  try {
    await house.sql.begin(async (tx) => {
      claimed = await claim(tx, await holdBuckets(tx, buckets), limit);
      for (const { on, react } of reactions) {
        const theirs = claimed.filter(({ name }) => name === on);
        if (theirs.length > 0) await react(house, tx, theirs);
      }
      if (claimed.length > 0) crashAt("outbox.before_commit");
    });
    return { claimed: claimed.length, sent: claimed.length };
  } catch (thrown) {
    if (claimed.length === 0) throw thrown; // the engine, not an event
    if (claimed.length > 1) return "failed";
    const { bucket, personId, id, name } = claimed[0]!;
    house.log.error({ event: "outbox.failed", bucket, personId, name, ...faultOf(thrown) });
    // Back-off doubles from one second to about an hour; then the row is dead and somebody is told.
    await house.sql`
      update outbox set attempts = attempts + 1,
        next_at = now() + least(power(2, attempts), 3600) * interval '1 s',
        dead_at = case when attempts + 1 >= ${attemptLimit} then now() end
      where bucket = ${bucket} and person_id = ${personId} and id = ${id}`;
    return { claimed: 1, sent: 0 };
  }
}
/** Takes away what is due, in order of its making; what another worker holds is left to it. */
async function claim(tx: Tx, buckets: readonly number[], limit: number): Promise<Happened[]> {
  // Materialized: a plan may run a joined subquery more than once, and it would then take more than its limit.
  const claimed = await tx<Happened[]>`
    with due as materialized (
      select bucket, person_id, id from outbox
      where bucket = any(${buckets as number[]}::smallint[]) and dead_at is null and next_at <= now()
      order by bucket, person_id, id limit ${limit} for update skip locked
    )
    delete from outbox o using due
    where (o.bucket, o.person_id, o.id) = (due.bucket, due.person_id, due.id)
    returning o.bucket, o.person_id, o.id, o.name, o.data, o.at, o.attempts`;
  return [...claimed].sort((a, b) => (a.id < b.id ? -1 : 1));
}
