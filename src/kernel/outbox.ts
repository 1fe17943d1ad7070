// What happened, for whoever has to react. A row is written in the transaction of its cause and taken away in the
// transaction of its effect, so that neither happens without the other, nor twice.
import type { z } from "zod";
import type { EventType, House } from "./endpoint.ts";
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
  house: House,
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
 * transaction, because a transaction costs more than an event; where that fails, each goes alone, so that one bad
 * event holds up its own bucket and no other.
 */
export async function relay(house: House, reactions: readonly Reaction[]): Promise<number> {
  const due = await house.sql<{ bucket: number }[]>`
    select distinct bucket from outbox where dead_at is null and next_at <= now() order by bucket`;
  if (due.length === 0) return 0;
  const buckets = due.map(({ bucket }) => bucket);
  const together = await relayBuckets(house, reactions, buckets);
  if (together !== null) return together;
  let sent = 0;
  for (const bucket of buckets) sent += (await relayBuckets(house, reactions, [bucket])) ?? 0;
  return sent;
}

/** Null where it failed. Alone, a bucket that fails waits longer each time. */
async function relayBuckets(
  house: House,
  reactions: readonly Reaction[],
  buckets: readonly number[],
): Promise<number | null> {
  let claimed: Happened[] = [];
  try {
    await house.sql.begin(async (tx) => {
      claimed = await tx<Happened[]>`
        delete from outbox o using (
          select bucket, person_id, id from outbox
          where bucket = any(${buckets as number[]}::smallint[]) and dead_at is null and next_at <= now()
          order by bucket, person_id, id limit ${batch} for update skip locked
        ) due
        where (o.bucket, o.person_id, o.id) = (due.bucket, due.person_id, due.id)
        returning o.bucket, o.person_id, o.id, o.name, o.data, o.at, o.attempts`;
      claimed.sort((a, b) => (a.id < b.id ? -1 : 1));
      for (const { on, react } of reactions) {
        const theirs = claimed.filter(({ name }) => name === on);
        if (theirs.length > 0) await react(house, tx, theirs);
      }
    });
    return claimed.length;
  } catch (thrown) {
    if (buckets.length > 1) return null;
    const { code, message } = thrown as { code?: string; message?: string };
    house.log.error({ event: "outbox.failed", bucket: buckets[0], code, message });
    // Back-off doubles from one second to about an hour; then the row is dead and somebody is told.
    await house.sql`
      update outbox set attempts = attempts + 1,
        next_at = now() + least(power(2, attempts), 3600) * interval '1 s',
        dead_at = case when attempts + 1 >= ${attemptLimit} then now() end
      where bucket = ${buckets[0]!} and id = any(${claimed.map(({ id }) => id)}::uuid[])`;
    return 0;
  }
}
