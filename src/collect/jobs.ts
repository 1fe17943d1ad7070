// What becomes of the log: consumers read it in slices, and the columns get every event exactly once.
import { crashAt } from "#kernel/crash.ts";
import type { House } from "#kernel/endpoint.ts";
import { holdBuckets, whileHeld } from "#kernel/lease.ts";
import type { Tx } from "#kernel/sql.ts";
import { columnsLease } from "./service.ts";
import * as store from "./store.ts";

/** One transaction reads at most so many events, and one batch for the columns holds at most so many. */
const sliceLimit = 20_000;
const batchLimit = 50_000;

export type Consume = (house: House, tx: Tx, slice: store.Slice) => Promise<void>;

/** Reads the next slice of the log; says how many events were read. Call again until it says 0. */
export async function consume(
  house: House,
  consumers: readonly Consume[],
  consumer: "people" | "plan" = "people",
): Promise<number> {
  if (!(await store.isUnread(house.sql, consumer))) return 0; // asked three times a second: no transaction for nothing
  return house.sql.begin(async (tx) => {
    await tx`set local statement_timeout = '5min'`;
    const found = await store.unread(tx, consumer, sliceLimit);
    // The plan holds rows of no person, so it stands in nobody's way.
    const free = consumer === "plan" ? found.buckets : await holdBuckets(tx, found.buckets);
    const slice = within(found, free);
    if (slice.buckets.length === 0) return 0;
    for (const each of consumers) await each(house, tx, slice);
    await store.saveRead(tx, consumer, slice);
    crashAt("consume.before_commit");
    return size(slice);
  });
}

/** The part of a slice that lies in these buckets. */
function within({ buckets, froms, tos }: store.Slice, free: readonly number[]): store.Slice {
  const at = buckets.flatMap((bucket, i) => (free.includes(bucket) ? [i] : []));
  return {
    buckets: at.map((i) => buckets[i]!),
    froms: at.map((i) => froms[i]!),
    tos: at.map((i) => tos[i]!),
  };
}
const size = ({ froms, tos }: store.Slice): number =>
  froms.reduce((sum, from, i) => sum + Number(tos[i]! - from + 1n), 0);

/**
 * Cuts the next batch and sends it, after what an earlier failure left behind; says how many rows went. Call again until
 * it says 0. One process at a time: a batch that somebody else is sending would look like one that was left behind.
 */
export async function ship(house: House): Promise<number> {
  if (!(await store.isOpen(house.sql, "event"))) return 0;
  const sent = await whileHeld(house.sql, lease, async () => {
    for (const left of await store.cutBatches(house.sql)) await heal(house, left);
    const batch = await house.sql.begin((tx) => store.cut(tx, "event", batchLimit));
    if (!batch) {
      await store.checkpoint(house.sql);
      return 0;
    }
    crashAt("columns.after_cut");
    await send(house, batch);
    return Number(batch.rows);
  });
  return sent ?? 0;
}
const lease = columnsLease;
const send = async (house: House, batch: store.Batch): Promise<void> => {
  const lines = await store.batchLines(house.sql, batch.id, house.settings.currency);
  if (lines.length > 0) await house.columns.insertLines(batch.target, lines, tokenOf(batch));
  crashAt("columns.after_send");
  await store.markBatch(house.sql, batch.id, "sent");
};
/** Names the rows by what they are: a batch's ranges never change, and a new attempt is a new name. */
const tokenOf = ({ target, id, attempt }: store.Batch) => `${target}:${id}:${attempt}`;

/**
 * At start: a crash may have come between cutting and sending, and a power cut may have taken a part that was
 * acknowledged while the deduplication log remembers it. So every open batch is counted in the columns. Says how many
 * were sent again; null while another process is sending, whose open batches are its own.
 */
export const mend = (house: House): Promise<number | null> =>
  whileHeld(house.sql, lease, async () => {
    let again = 0;
    for (const batch of await store.openBatches(house.sql)) {
      if (await heal(house, batch)) again++;
      await store.markBatch(house.sql, batch.id, "checkpoint");
    }
    return again;
  });
/** A batch that is not there exactly once is cleared and sent again under a new attempt. Was it? */
async function heal(house: House, batch: store.Batch): Promise<boolean> {
  const { there, distinct } = await count(house, batch);
  if (there === batch.rows && distinct === batch.rows) {
    if (batch.state === "cut") await store.markBatch(house.sql, batch.id, "sent");
    return false;
  }
  if (there > 0n) await clear(house, batch);
  const [row] = await store.nextAttempt(house.sql, batch.id);
  await send(house, { ...batch, attempt: row!.attempt });
  return true;
}
// One range at a time in `arrayExists` would look at every row: joined by bucket the key narrows it first.
const inRanges = `(bucket, offset) in (
  select bucket, arrayJoin(range(toUInt64(f), toUInt64(t) + 1)) from (
    select arrayJoin(arrayZip({buckets:Array(UInt8)}, {froms:Array(UInt64)}, {tos:Array(UInt64)})) as r,
      r.1 as bucket, r.2 as f, r.3 as t))`;
// As bigint: text within an array would go out in quotes, which ClickHouse does not read as a number.
const ranges = ({ buckets, froms, tos }: store.Batch) => ({ buckets, froms, tos });
async function count(house: House, batch: store.Batch) {
  const [row] = await house.columns.read<{ there: string | number; distinct: string | number }>(
    `select count() as there, uniqExact(bucket, offset) as distinct
    from ${batch.target} where ${inRanges}`,
    ranges(batch),
  );
  return { there: BigInt(row!.there), distinct: BigInt(row!.distinct) };
}
const clear = (house: House, batch: store.Batch): Promise<void> =>
  house.columns.run(`alter table ${batch.target} delete where ${inRanges}`, ranges(batch));

const daysAgo = (house: House, days: number) =>
  new Date(house.clocks.machine().getTime() - days * 86_400_000);
/**
 * Message keys are kept 35 days of the machine's clock, then an event is taken as new again; refused payloads are
 * kept 30. Deletes a helping of each; says how many rows went.
 */
export async function sweep(house: House): Promise<number> {
  const keys = await store.forgetKeys(house.sql, daysAgo(house, 35), sweepLimit);
  const rejected = await store.forgetRejected(house.sql, daysAgo(house, 30), sweepLimit);
  await store.forgetCounts(house.sql, daysAgo(house, 30));
  return keys.count + rejected.count;
}
const sweepLimit = 10_000;
