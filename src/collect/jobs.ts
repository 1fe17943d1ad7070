// What becomes of the log: consumers read it in slices, and the columns get every event exactly once.
import { crashAt } from "#kernel/crash.ts";
import type { House } from "#kernel/endpoint.ts";
import { holdBuckets, whileHeld } from "#kernel/lease.ts";
import { faultOf } from "#kernel/log.ts";
import { isAway, isPassing, type Slice, type Tx } from "#kernel/sql.ts";
import { columnsLease, park } from "./service.ts";
import * as store from "./store.ts";

/** One transaction reads at most so many events, and one batch for the columns holds at most so many. */
const sliceLimit = 20_000;
const batchLimit = 50_000;

export type Consume = (house: House, tx: Tx, slice: Slice) => Promise<void>;
type Consumer = "people" | "plan";

/**
 * Reads the next slice of the log; says how many events were read. Call again until it says 0. Where a slice fails, smaller
 * ones are tried until the event behind it stands alone; that one is set aside where an operator sees it, and the rest
 * goes on. Throws where nothing at all goes through: then it is no event's fault.
 */
export async function consume(
  house: House,
  consumers: readonly Consume[],
  consumer: Consumer = "people",
): Promise<number> {
  if (!(await store.isUnread(house.sql, consumer))) return 0; // asked three times a second: no transaction for nothing
  const care = careOf(house, consumer);
  const suspects: Suspect[] = [];
  for (;;) {
    let slice: Slice = { buckets: [], froms: [], tos: [] };
    try {
      const except = suspects.map(({ bucket }) => bucket);
      slice = await read(house, consumers, consumer, { except, limit: care.limit }, (found) => {
        slice = found;
      });
      const done = size(slice);
      care.limit = Math.min(sliceLimit, care.limit * 4);
      if (done > 0) {
        care.alone = 0;
        care.through++;
      }
      if (suspects.length > 0) await judge(house, consumer, care, suspects, done > 0);
      return done;
    } catch (thrown) {
      if (slice.buckets.length === 0 || isAway(thrown) || isPassing(thrown)) throw thrown;
      if (size(slice) > 1) {
        care.limit = Math.max(1, Math.floor(Math.min(care.limit, size(slice)) / 8));
        continue;
      }
      const suspect = { bucket: slice.buckets[0]!, offset: slice.froms[0]!, thrown };
      if (isOfEvent(thrown) && mayPark(house, care)) {
        await setAside(house, consumer, suspect);
        return 1;
      }
      suspects.push(suspect);
      if (suspects.length > suspectLimit) await judge(house, consumer, care, suspects, false);
    }
  }
}
async function read(
  house: House,
  consumers: readonly Consume[],
  consumer: Consumer,
  { except, limit }: { except: readonly number[]; limit: number },
  begun: (slice: Slice) => void,
): Promise<Slice> {
  return house.sql.begin(async (tx) => {
    await tx`set local statement_timeout = '5min'`;
    const found = await store.unread(tx, consumer, limit, except);
    // The plan holds rows of no person, so it stands in nobody's way.
    const free = consumer === "plan" ? found.buckets : await holdBuckets(tx, found.buckets);
    const slice = within(found, free);
    if (slice.buckets.length === 0) return slice;
    begun(slice);
    for (const each of consumers) await each(house, tx, slice);
    await store.saveRead(tx, consumer, slice);
    crashAt("consume.before_commit");
    return slice;
  });
}

// ── what cannot be read ────────────────────────────────────────────────────────────────────────────────────────────

type Suspect = { bucket: number; offset: bigint; thrown: unknown };
/**
 * `limit`: events that are read at once by now. `alone`: how many were set aside while none went through. `through`: how
 * often something did. `tries`: of each that fails for a reason of no event's own, how often beside others that did not.
 */
type Care = {
  limit: number;
  alone: number;
  aloneSince: number;
  through: number;
  tries: Map<string, { times: number; through: number }>;
};
const cares = new WeakMap<House, Map<Consumer, Care>>();
function careOf(house: House, consumer: Consumer): Care {
  const own = cares.get(house) ?? new Map<Consumer, Care>();
  cares.set(house, own);
  const fresh = { limit: sliceLimit, alone: 0, aloneSince: 0, through: 0 };
  const care = own.get(consumer) ?? { ...fresh, tries: new Map() };
  own.set(consumer, care);
  return care;
}
/** One look passes over so many that fail for a reason of no event's own. */
const suspectLimit = 20;
/** And tries one so often, beside others that go through, before it is set aside. */
const triesLimit = 8;
const triesKept = 1000;
/** So many a minute are set aside while nothing goes through: should it be the reader's fault, few pay for it. */
const aloneLimit = 100;
const aloneMs = 60_000;

/**
 * Does it say that what an event holds cannot be worked with? Figures, texts and instants that cannot be held, and code
 * that they broke; not what passes, nor what another transaction did.
 */
const isOfEvent = (thrown: unknown): boolean =>
  /^(21|22|54|23502|23514)/.test((thrown as { code?: string } | null)?.code ?? "") ||
  thrown instanceof RangeError ||
  thrown instanceof TypeError ||
  thrown instanceof SyntaxError;
function mayPark(house: House, care: Care): boolean {
  const now = house.clocks.machine().getTime();
  if (Math.abs(now - care.aloneSince) >= aloneMs) {
    care.alone = 0;
    care.aloneSince = now;
  }
  return ++care.alone <= aloneLimit;
}
/**
 * Of those that were passed over: set aside where others go through time and again and they never do. Throws what is met
 * for the first time while nothing went through, and where all fail: somebody must hear of it, and it may pass.
 */
async function judge(
  house: House,
  consumer: Consumer,
  care: Care,
  suspects: readonly Suspect[],
  others: boolean,
): Promise<void> {
  const { tries, through } = care;
  let isFresh = false;
  for (const one of suspects) {
    const key = `${one.bucket} ${one.offset}`;
    const had = tries.get(key) ?? { times: 0, through: -1 };
    const times = through > had.through ? had.times + 1 : had.times;
    tries.set(key, { times, through });
    if (times === 1) isFresh = true;
    if (times < triesLimit) continue;
    await setAside(house, consumer, one);
    tries.delete(key);
  }
  if (tries.size > triesKept) tries.clear();
  if (others || (!isFresh && suspects.length <= suspectLimit)) return;
  care.limit = sliceLimit; // smaller slices were of no help
  throw suspects.at(-1)!.thrown;
}
async function setAside(
  house: House,
  consumer: Consumer,
  { bucket, offset, thrown }: Suspect,
): Promise<void> {
  const fault = faultOf(thrown);
  house.log.error({ event: "consume.parked", consumer, bucket, offset: String(offset), ...fault });
  await house.sql.begin((tx) => park(house, tx, consumer, { bucket, offset, fault: fault.code }));
}

/** The part of a slice that lies in these buckets. */
function within({ buckets, froms, tos }: Slice, free: readonly number[]): Slice {
  const at = buckets.flatMap((bucket, i) => (free.includes(bucket) ? [i] : []));
  return {
    buckets: at.map((i) => buckets[i]!),
    froms: at.map((i) => froms[i]!),
    tos: at.map((i) => tos[i]!),
  };
}
const size = ({ froms, tos }: Slice): number =>
  froms.reduce((sum, from, i) => sum + Number(tos[i]! - from + 1n), 0);

/**
 * Cuts the next batch and sends it, after what an earlier failure left behind; says how many rows went. Call again until
 * it says 0. One process at a time: a batch that somebody else is sending would look like one that was left behind.
 */
export async function ship(house: House): Promise<number> {
  if (!(await store.isOpen(house.sql, "event"))) return 0;
  const sent = await whileHeld(house.sql, lease, async () => {
    for (const left of await store.cutBatches(house.sql)) await heal(house, left);
    await dropParked(house);
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
/** What left the log leaves the columns. Nothing is on its way to them here. */
async function dropParked(house: House): Promise<void> {
  const gone = await store.parkedInColumns(house.sql, sweepLimit);
  if (gone.length === 0) return;
  const places = { buckets: gone.map((one) => one.bucket), offsets: gone.map((one) => one.offset) };
  await house.columns.run(
    `alter table event delete where (bucket, offset) in (
      select bucket, offset from (
        select arrayJoin(arrayZip({buckets:Array(UInt8)}, {offsets:Array(UInt64)})) as r,
          r.1 as bucket, r.2 as offset))`,
    places,
  );
  await store.markParked(house.sql, gone, house.clocks.machine());
}
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
  await store.forgetParked(house.sql, daysAgo(house, 30));
  return keys.count + rejected.count;
}
const sweepLimit = 10_000;
