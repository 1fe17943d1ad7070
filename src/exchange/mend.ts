// What was refused goes in again the way by which it came: a file's line by its import's mapping, an event by its source's
// protocol. One at a time by hand, or all of a filter by one mending that is tried before it is done.
import { readEvent, type RejectedFilter } from "#collect/rules.ts";
import * as collect from "#collect/service.ts";
import { reread as heardAgain } from "#doors/service.ts";
import { crashAt } from "#kernel/crash.ts";
import { open as unlock, seal as lock } from "#kernel/crypto.ts";
import type { Context, House } from "#kernel/endpoint.ts";
import { fail, ok, type Result } from "#kernel/result.ts";
import type { Tx } from "#kernel/sql.ts";
import * as api from "./api.ts";
import { rereadRecord } from "./import.ts";
import { leavesOf, mended, placeOf, unfolded, type Change, type Leaf } from "./model/mending.ts";
import { mendingHelping, mendingsLimit, type Mapping } from "./rules.ts";
import * as service from "./service.ts";
import * as store from "./store.ts";

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
};
type Seen = { item: unknown; about: Parameters<typeof placeOf>[2] };
const columnsOf = async (house: House, importId: string | null): Promise<Mapping["columns"]> => {
  const row = importId === null ? null : await collect.importOf(house.sql, importId);
  return row ? (JSON.parse(row.mapping) as Mapping).columns : undefined;
};
const aboutOf = (protocol: string, refusal: collect.Refusal, columns: Mapping["columns"]) => ({
  protocol: refusal.importId === null ? protocol : "import",
  ...(columns ? { columns } : {}),
});

/** Reads an item by the way it came, and remembers how it stood, to say where in it a field is. */
function rereading(house: House, seen: Map<string, Seen>): collect.Reread {
  const known = new Map<string, Promise<Mapping["columns"]>>();
  return async (source, refusal, text) => {
    const { id, importId, cameAt } = refusal;
    const item = parsed(text);
    const key = importId ?? "";
    if (!known.has(key)) known.set(key, columnsOf(house, importId));
    seen.set(id, { item, about: aboutOf(source.protocol, refusal, await known.get(key)) });
    if (importId !== null) return rereadRecord(house, refusal, text);
    if (item === undefined) return [{ reason: "unreadable", field: "" }];
    const own = api.event.safeParse(item);
    if (!own.success && (source.protocol !== "liuke" || service.isForeign(item)))
      return heardAgain(house, source, item, refusal);
    if (!own.success) return [{ reason: "invalid", field: collect.fieldIn(own.error) }];
    const { data = {}, traits = {}, at, ...rest } = own.data;
    const said = { ...rest, at: new Date(at), data, traits };
    const then = readEvent(said, source.kind, cameAt ?? house.clocks.shop());
    return ["reason" in then ? readEvent(said, source.kind, house.clocks.shop()) : then];
  };
}

type Mending = { changes: readonly Change[]; texts?: ReadonlyMap<string, string> };
/** Sends items again in the open transaction, each as it is mended; says of each what became of it. */
export async function sendAgain(
  house: House,
  tx: Tx,
  ids: readonly string[],
  { changes, texts }: Mending,
): Promise<(collect.Mended & { place: string | null })[]> {
  const seen = new Map<string, Seen>();
  const mend = (id: string, text: string) => mended(texts?.get(id) ?? text, changes);
  const results = await collect.resend(house, tx, ids, mend, rereading(house, seen));
  return results.map((result) => {
    const had = seen.get(result.id);
    const isRefused = result.outcome === "refused" && had !== undefined;
    const place = isRefused ? placeOf(unfolded(had.item), result.field ?? "", had.about) : null;
    return { ...result, place };
  });
}

type Opened = {
  id: string;
  source: string;
  run: string | null;
  line: number | null;
  name: string;
  reason: string;
  field: string;
  place: string;
  at: string;
  leaves: Leaf[];
  more: boolean;
  text: string | null;
};
/** One refused item as whoever mends it sees it. `names`: may what names a guest be seen? */
export async function opened(house: House, id: string, names: boolean): Promise<Opened | null> {
  const row = await collect.refusal(house.sql, id);
  if (!row) return null;
  const text = collect.openRejected(house, id, row.sealed);
  const item = unfolded(parsed(text));
  const source = await collect.knownSource(house, { id: row.sourceId, kind: "import" });
  const columns = await columnsOf(house, row.importId);
  const field = row.field ?? "";
  return {
    ...{ id, source: row.sourceId, run: row.importId, name: row.name, reason: row.reason, field },
    line: row.line === null ? null : Number(row.line),
    place: placeOf(item, field, aboutOf(source.protocol, row, columns)),
    at: row.at.toISOString(),
    ...leavesOf(item, { names, ...(columns ? { columns } : {}) }),
    text: names ? text : null,
  };
}

// ── all that is refused alike ────────────────────────────────────────────────────────────────────────────────────────

const changesKey = (house: House) => house.keys.signing("exchange_mending");
const changesAt = (id: string) => `exchange_mending|sealed|${id}`;
const changesIn = (house: House, { id, sealed }: store.Mending): Change[] =>
  JSON.parse(unlock(changesKey(house), sealed, changesAt(id)).toString()) as Change[];
type Filter = Omit<RejectedFilter, "from" | "until"> & {
  from?: string | undefined;
  until?: string | undefined;
};
/** What was refused until it was asked for. */
function filterOf({ filter, askedAt }: Pick<store.Mending, "filter" | "askedAt">): RejectedFilter {
  const { from, until, ...rest } = JSON.parse(filter) as Filter;
  const end = until === undefined ? null : new Date(until);
  // The end is exclusive, and what was refused in the very millisecond before asking is meant too.
  const last = new Date(askedAt.getTime() + 1);
  return {
    ...rest,
    from: from === undefined ? undefined : new Date(from),
    until: end && end < last ? end : last,
  };
}

export async function askMending(
  { tx, house, actor, at, newId }: Context,
  { filter, changes }: { filter: Filter; changes: readonly Change[] },
): Promise<Result<{ id: string }, "exchange.mendings_full">> {
  if ((await store.openMendings(tx)) >= mendingsLimit) return fail("exchange.mendings_full");
  const id = newId();
  const row = { id, filter: JSON.stringify(filter), askedAt: at };
  await store.addMending(tx, {
    ...row,
    sealed: lock(changesKey(house), JSON.stringify(changes), changesAt(id)),
    stage: "trying",
    total: await collect.countRefusals(tx, filterOf(row)),
    askedBy: actor.id,
  });
  return ok({ id });
}
export async function moveMending(
  { tx, at }: Context,
  { mending: id, to }: { mending: string; to: "working" | "stopped" },
): Promise<Result<Record<string, never>, "exchange.gone" | "exchange.not_tried">> {
  const [row] = await store.mendingById(tx, id);
  if (!row) return fail("exchange.gone");
  if (to === "working" && row.stage !== "tried") return fail("exchange.not_tried");
  if (row.stage === "done" || row.stage === "stopped") return ok({});
  if (to === "stopped") await store.moveMending(tx, { ...row, stage: "stopped", finishedAt: at });
  else
    await store.moveMending(tx, {
      ...row,
      ...{ stage: "working", afterAt: null, afterId: null, reasons: "[]" },
      ...{ done: 0n, accepted: 0n, doubles: 0n, refused: 0n },
    });
  return ok({});
}
type Reason = { reason: string; field: string; count: number };
export const mendings = async (house: House) =>
  (await store.mendings(house.sql)).map((row) => ({
    id: row.id,
    filter: JSON.parse(row.filter) as Filter,
    changes: changesIn(house, row),
    stage: row.stage,
    total: Number(row.total),
    done: Number(row.done),
    accepted: Number(row.accepted),
    doubles: Number(row.doubles),
    refused: Number(row.refused),
    reasons: JSON.parse(row.reasons) as Reason[],
    askedAt: row.askedAt.toISOString(),
    finishedAt: row.finishedAt?.toISOString() ?? null,
  }));

const reasonsKept = 50;
class Untaken extends Error {}
/**
 * The next helping of a mending of many; says how many items it was. Tried, each helping is rolled back and only what
 * would have become of it is kept; done, how far it came is saved with what it did.
 */
export async function mendMany(house: House): Promise<number> {
  if (!(await store.isMending(house.sql))) return 0;
  const taken = await house.sql.begin(async (tx) => {
    await tx`set local statement_timeout = '5min'`;
    await tx`set local lock_timeout = '10s'`;
    const [job] = await store.heldMending(tx);
    if (!job) return 0;
    const after = job.afterAt && job.afterId ? { at: job.afterAt, id: job.afterId } : null;
    const items = await collect.refusalsAfter(tx, filterOf(job), after, mendingHelping);
    const last = items.at(-1);
    if (!last) {
      const isTry = job.stage === "trying";
      await store.moveMending(tx, {
        ...job,
        stage: isTry ? "tried" : "done",
        finishedAt: isTry ? null : house.clocks.machine(),
      });
      return 1;
    }
    const ids = items.map(({ id }) => id);
    const changes = changesIn(house, job);
    let results: collect.Mended[] = [];
    if (job.stage === "working") results = await sendAgain(house, tx, ids, { changes });
    else
      await tx
        .savepoint(async (inner) => {
          results = await sendAgain(house, inner as unknown as Tx, ids, { changes });
          throw new Untaken();
        })
        .catch((thrown: unknown) => {
          if (!(thrown instanceof Untaken)) throw thrown;
        });
    const count = (outcome: collect.Mended["outcome"]) =>
      BigInt(results.filter((one) => one.outcome === outcome).length);
    await store.moveMending(tx, {
      ...job,
      afterAt: last.at,
      afterId: last.id,
      done: job.done + BigInt(items.length),
      accepted: job.accepted + count("accepted"),
      doubles: job.doubles + count("double"),
      refused: job.refused + count("refused"),
      reasons: JSON.stringify(summed(JSON.parse(job.reasons) as Reason[], results)),
    });
    crashAt("mending.before_commit");
    return items.length;
  });
  if (taken > 0) house.wake?.(collect.workOnPeople);
  return taken;
}
function summed(had: readonly Reason[], results: readonly collect.Mended[]): Reason[] {
  const sums = new Map(had.map((one) => [JSON.stringify([one.reason, one.field]), one.count]));
  for (const { outcome, reason, field } of results) {
    if (outcome !== "refused") continue;
    const key = JSON.stringify([reason, field]);
    sums.set(key, (sums.get(key) ?? 0) + 1);
  }
  return [...sums]
    .map(([key, count]) => {
      const [reason, field] = JSON.parse(key) as [string, string];
      return { reason, field, count };
    })
    .toSorted((a, b) => b.count - a.count)
    .slice(0, reasonsKept);
}
