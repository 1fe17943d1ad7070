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

const batch = 500;
/** How often an event is tried before it is put aside as dead, where doctor and console show it. */
const attemptLimit = 12;

/** Relays what is due, once over all buckets that have any; says how many went. Call again until it says 0. */
export async function relay(house: House, reactions: readonly Reaction[]): Promise<number> {
  const buckets = await house.sql<{ bucket: number }[]>`
    select distinct bucket from outbox where dead_at is null and next_at <= now()`;
  let sent = 0;
  for (const { bucket } of buckets) sent += await relayBucket(house, reactions, bucket);
  return sent;
}

async function relayBucket(house: House, reactions: readonly Reaction[], bucket: number) {
  let claimed: Happened[] = [];
  try {
    await house.sql.begin(async (tx) => {
      claimed = await tx<Happened[]>`
        delete from outbox o using (
          select bucket, person_id, id from outbox
          where bucket = ${bucket} and dead_at is null and next_at <= now()
          order by person_id, id limit ${batch} for update skip locked
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
    house.log.error({ event: "outbox.failed", bucket, error: String(thrown) });
    // Back-off doubles from one second to about an hour; then the row is dead and somebody is told.
    await house.sql`
      update outbox set attempts = attempts + 1,
        next_at = now() + least(power(2, attempts), 3600) * interval '1 s',
        dead_at = case when attempts + 1 >= ${attemptLimit} then now() end
      where bucket = ${bucket} and id = any(${claimed.map(({ id }) => id)}::uuid[])`;
    return 0;
  }
}
