// What can be asked of files and of working things out anew.
import * as collect from "#collect/service.ts";
import { crashAt } from "#kernel/crash.ts";
import type { Context, House } from "#kernel/endpoint.ts";
import { whileHeld } from "#kernel/lease.ts";
import { ok, type Result } from "#kernel/result.ts";
import type { Slice, Tx } from "#kernel/sql.ts";
import type { Refold } from "#people/service.ts";
import * as segments from "#segments/service.ts";
import { marketOf } from "./rules.ts";
import * as store from "./store.ts";

/** Folds what a slice of the log tells of the market. */
export async function learn(house: House, tx: Tx, slice: Slice): Promise<void> {
  const told = await store.toldIn(tx, slice);
  const seenAt = house.clocks.machine();
  const latest = new Map<string, store.Kept>();
  for (const { id, at, sourceId, data } of told) {
    const row = marketOf(data);
    if (!row) continue;
    const key = JSON.stringify([row.kind, row.place, row.key, row.at]);
    const had = latest.get(key);
    const isLater =
      !had || at > had.toldAt || (at.getTime() === had.toldAt.getTime() && id > had.eventId);
    if (isLater) latest.set(key, { ...row, sourceId, eventId: id, toldAt: at, seenAt });
  }
  const rows = [...latest.values()];
  for (let i = 0; i < rows.length; i += 5000) await store.keep(tx, rows.slice(i, i + 5000));
}

type Asked = { what: "people" | "columns"; from?: string | undefined; until?: string | undefined };
/** Asks for a projection to be worked out anew. One of a kind at a time: asked again, it is the one that is running. */
export async function askRebuild(
  { tx, at, newId }: Pick<Context, "tx" | "at" | "newId">,
  { what, from, until }: Asked,
): Promise<Result<{ id: string }, never>> {
  await store.askRebuild(tx, {
    id: newId(),
    what,
    fromAt: from ? new Date(from) : null,
    untilAt: until ? new Date(until) : null,
    askedAt: at,
  });
  const [row] = await store.openRebuild(tx, what);
  return ok({ id: row!.id });
}

const peopleAtOnce = 200;
/** Works out the next helping of people anew; says how many. How far it came is saved with what it did. */
export async function rebuildPeople(house: House, refolders: readonly Refold[]): Promise<number> {
  const [asked] = await store.openRebuild(house.sql, "people");
  if (!asked) return 0;
  if (asked.stage === "waiting")
    await store.moveRebuild(house.sql, {
      ...{ ...asked, stage: "working" },
      total: await store.countPeople(house.sql, asked),
    });
  return house.sql.begin(async (tx) => {
    await tx`set local statement_timeout = '5min'`;
    const [job] = await store.heldRebuild(tx, "people");
    if (!job) return 0;
    const people = await store.peopleAfter(tx, job, peopleAtOnce);
    const last = people.at(-1);
    if (!last) {
      await store.endRebuild(tx, job.id, house.clocks.machine());
      return 0;
    }
    for (const refold of refolders) await refold(house, tx, [...people]);
    const done = job.done + BigInt(people.length);
    await store.moveRebuild(tx, { ...job, afterBucket: last.bucket, afterId: last.personId, done });
    crashAt("rebuild.before_commit");
    return people.length;
  });
}

/**
 * Clears what the columns can be given again and lets everything be sent to them anew; says whether it did something.
 * Asked for an interval, it is the part of the log in which that lies. What is older than the log is kept stays as it is. Sending is `collect`'s own work, and how far it came is its own.
 */
export async function rebuildColumns(house: House): Promise<number> {
  const [asked] = await store.openRebuild(house.sql, "columns");
  if (!asked) return 0;
  if (asked.stage !== "working") {
    const cleared = await whileHeld(house.sql, collect.columnsLease, async () => {
      await store.moveRebuild(house.sql, { ...asked, stage: "clearing" });
      const then = async (tx: Tx, total: bigint): Promise<void> =>
        void (await store.moveRebuild(tx, { ...asked, stage: "working", total, done: 0n }));
      const { fromAt: from, untilAt: until } = asked;
      if (from || until) await collect.clearColumnsOf(house, { from, until }, then);
      else if (await segments.retell(house)) await collect.clearColumns(house, then);
      else return 0;
      return 1;
    });
    return cleared ?? 0;
  }
  const left = await collect.leftForColumns(house);
  if (left > 0n) {
    const done = asked.total > left ? asked.total - left : 0n;
    await store.moveRebuild(house.sql, { ...asked, done });
    return 0;
  }
  await store.moveRebuild(house.sql, { ...asked, done: asked.total });
  await store.endRebuild(house.sql, asked.id, house.clocks.machine());
  return 1;
}
export const rebuilds = (house: House) => store.rebuilds(house.sql);
export const isRebuilding = async (house: House, what: "people" | "columns"): Promise<boolean> =>
  (await store.openRebuild(house.sql, what)).length > 0;
/** Is it an event in another client's words, which say of themselves what they are? */
export const isForeign = (item: unknown): boolean =>
  typeof item === "object" && item !== null && ("type" in item || "event" in item);
