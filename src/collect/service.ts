// The way in. What is acknowledged is committed, and what was there already is not there twice.
import { hash } from "node:crypto";
import { fieldsOf } from "#kernel/invalid.ts";
import { crashAt } from "#kernel/crash.ts";
import type { Context, Direct, House } from "#kernel/endpoint.ts";
import { inOrder, type Lane } from "#kernel/group.ts";
import { fail, ok, type Result } from "#kernel/result.ts";
import type { PersonKey, Reader, Slice, Tx } from "#kernel/sql.ts";
import { bucketOfText, open as unlock, seal as lock } from "#kernel/crypto.ts";
import * as people from "#people/service.ts";
import { isRefusal, judge } from "#plan/rules.ts";
import * as plan from "#plan/service.ts";
import * as privacy from "#privacy/service.ts";
import { parseList, type Item } from "#kernel/json.ts";
import {
  eventBytesLimit,
  eventsLimit,
  flag,
  isRefused,
  keptBytesLimit,
  keptRowsLimit,
  settingsFor,
  requestBytesLimit,
  nameIn,
  safeField,
  safeName,
  selfSource,
  type Incoming,
  type Known,
  type Protocol,
  type Refused,
  type Settings,
  type Source,
  type Verdict,
} from "./rules.ts";
import * as store from "./store.ts";

export type { Incoming } from "./rules.ts";
export { nextOf } from "./store.ts";

/** The id of an event is of its source and key, so that it is known before anything is asked. */
export function eventId(sourceId: string, key: string): string {
  const hex = hash("sha256", `${sourceId}|${key}`);
  const version = `8${hex.slice(13, 16)}`; // RFC 9562: version 8 is ours to fill
  const variant = ((Number.parseInt(hex[16]!, 16) & 3) | 8).toString(16) + hex.slice(17, 20);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${version}-${variant}-${hex.slice(20, 32)}`;
}

/**
 * Writes events into the log in the open transaction; a verdict for each, in order. What the vocabulary or the tracking
 * plan refuses costs itself alone, and goes to the rejected list as an event of our own API.
 */
export async function accept(
  house: House,
  tx: Tx,
  source: Source & { space?: string },
  events: readonly Incoming[],
): Promise<Verdict[]> {
  const judged = await judgeAll(house, tx, source, events);
  return acceptFit(house, tx, source, { events, judged, remembers: false });
}
type Judged = Incoming | Refused;
const isFit = (one: Judged): one is Incoming => !isRefused(one);
/** What the vocabulary and the tracking plan make of events of a source, or why they refuse them. */
export async function judgeAll(
  house: House,
  reader: Reader,
  source: Source,
  events: readonly Incoming[],
): Promise<Judged[]> {
  const { currency } = house.settings;
  const blocked = await plan.blocked(house, reader, source.id);
  return events.map((event) => {
    const asPage = ((event.flags ?? 0) & flag.page) !== 0;
    const judgement = judge(event, asPage ? "public" : source.kind, { currency });
    if (isRefusal(judgement)) return judgement;
    const { event: read } = judgement;
    return blocked.has(read.name) ? { reason: "not_planned", field: "name" } : read;
  });
}
/** How an event stood when it came: its text, and what its request said of it. */
export type Whence = { text: () => string; name?: string; sentAt?: Date | null; marks?: number };
type Fit = {
  events: readonly Incoming[];
  judged: readonly Judged[];
  whence?: readonly Whence[] | undefined;
  /**
   * May nodes that are found be remembered? Only where this is the first look for any in its transaction: a second one
   * would find, as though they had long been there, those that the first has made and that may be rolled back.
   */
  remembers: boolean;
};
async function acceptFit(
  house: House,
  tx: Tx,
  source: Source & { space?: string },
  { events, judged, whence, remembers }: Fit,
): Promise<Verdict[]> {
  const unfit = judged.flatMap((one, i): Unfit[] => {
    if (isFit(one)) return [];
    const event = events[i]!;
    const { text = () => textOf(event), name, ...said } = whence?.[i] ?? {};
    return [
      {
        ...{ key: event.key, reason: one.reason, field: safeField(one.field), text: text() },
        ...{ ...said, name: name ?? safeName(event.name) },
      },
    ];
  });
  // Refusals first: offsets are held from when they are given, and others wait for them.
  if (unfit.length > 0) await rejectAll(house, tx, source, unfit);
  const fit = judged.filter(isFit);
  // Whoever names the source whose numbers of people these are, has looked it up.
  const space = source.space ?? (await knownSource(house, source)).space;
  const known = remember(remembers ? (memories.get(house) ?? null) : null, space, fit);
  if (known.unknown.length > 0) await lookUp(house, tx, space, known, remembers);
  const written = await write(house, tx, source, fit, known);
  let next = 0;
  return judged.map((one) => (isFit(one) ? written[next++]! : one));
}
/** An event as our own API would be told it. */
function textOf({ key, name, at, data, direct = {}, sender }: Incoming): string {
  const parts: Record<"data" | "traits", Record<string, string>> = { data: {}, traits: {} };
  for (const [field, value] of Object.entries(direct)) {
    const [, part, own] = /^(data|traits)\.(.*)$/s.exec(field) ?? [];
    if (part && own) parts[part as "data" | "traits"][own] = value;
  }
  const who = sender
    ? { [sender.type === "anonymous_id" ? "anonymous" : "user"]: sender.value }
    : {};
  const { traits } = parts;
  return JSON.stringify({
    key,
    name,
    at,
    ...who,
    data: { ...data, ...parts.data },
    ...(Object.keys(traits).length > 0 ? { traits } : {}),
  }).slice(0, eventBytesLimit);
}

/** Writes events whose nodes are known. Without an open transaction it is one by itself. */
async function write(
  house: House,
  reader: Reader,
  source: Source,
  events: readonly Incoming[],
  { nodes, remembered }: Nodes,
): Promise<Verdict[]> {
  const nameless = bucketOfText(`${source.id}|`);
  const rows = new Map<string, store.EventRow>();
  const ids = events.map((event) => {
    const { key, name, at, data, direct, sender, links = [], flags = 0 } = event;
    const node = sender && nodes.get(people.senderKey(sender));
    if (sender && (!node || isGone(node, at))) return null; // refused again when it is sent again
    const id = event.id ?? eventId(source.id, key);
    if (!rows.has(id))
      rows.set(id, {
        bucket: node?.nodeBucket ?? nameless,
        id,
        nodeId: node?.nodeId ?? null,
        name,
        at,
        data: JSON.stringify(data),
        sealed:
          direct && node
            ? privacy.seal(node.key, "collect_event|sealed", node.nodeId, JSON.stringify(direct))
            : null,
        // An erased identifier says nothing of whose the others are until it comes back by a later word.
        links: links.flatMap((link) => {
          const other = nodes.get(people.senderKey(link));
          return !other || isGone(other, at) || other.nodeId === node?.nodeId ? [] : [other];
        }),
        flags,
      });
    return id;
  });
  if (rows.size === 0) return ids.map(() => "erased");
  const at = house.clocks.machine();
  const written = await store
    .append(reader, source.id, [...rows.values()], at, remembered)
    .catch((thrown: unknown) => {
      if (!store.isOutdated(thrown)) throw thrown;
      memories.delete(house);
      throw new Forgotten("somebody was erased meanwhile");
    });
  const fresh = new Set(written.map(({ id }) => id));
  // An equal key later in the same batch is a double too.
  return ids.map((id) => (id === null ? "erased" : fresh.delete(id) ? "accepted" : "double"));
}
const isGone = ({ erasedAt }: people.Node, at: Date): boolean =>
  erasedAt !== null && at <= erasedAt;

/** A node that was remembered may have been erased meanwhile: nothing is written, and the same once more finds out. */
class Forgotten extends Error {}
/**
 * Nodes that were there before, so that a sender who is known costs no question. Each is good as long as nobody of its
 * bucket was erased, and that is found out under the bucket's row, before anything is written. At most `memoryLimit`.
 */
type Memory = Map<string, { node: people.Node; epoch: bigint }>;
const memories = new WeakMap<House, Memory>();
const memoryLimit = 100_000;

type Nodes = {
  nodes: Map<string, people.Node>; // by `senderKey`
  remembered: Map<number, bigint>; // the oldest epoch that nodes of a bucket are remembered from
  unknown: people.Sender[];
};
function remember(memory: Memory | null, sourceId: string, events: readonly Incoming[]): Nodes {
  const known: Nodes = { nodes: new Map(), remembered: new Map(), unknown: [] };
  const { nodes, remembered, unknown } = known;
  for (const { at, sender, links = [] } of events)
    for (const one of sender ? [sender, ...links] : links) {
      const key = people.senderKey(one);
      if (nodes.has(key)) continue;
      const had = memory?.get(`${sourceId} ${key}`);
      if (!had) unknown.push({ ...one, at });
      else {
        const bucket = had.node.nodeBucket;
        const oldest = remembered.get(bucket) ?? had.epoch;
        nodes.set(key, had.node);
        remembered.set(bucket, oldest < had.epoch ? oldest : had.epoch);
      }
    }
  return known;
}
/** Finds or makes the nodes that are not remembered, and remembers those that were there. */
async function lookUp(
  house: House,
  tx: Tx,
  sourceId: string,
  { nodes, unknown }: Nodes,
  remembers: boolean,
): Promise<void> {
  const memory: Memory = memories.get(house) ?? new Map();
  memories.set(house, memory);
  // Sent together, the epochs first: whoever is erased after they are read has passed them.
  const [epochs, found] = await Promise.all([
    store.epochs(tx),
    people.nodesFor(house, tx, sourceId, unknown),
  ]);
  for (const [key, node] of found) {
    nodes.set(key, node);
    if (!remembers || node.isNew) continue; // nobody knows yet whether it will be there
    if (memory.size >= memoryLimit) memory.delete(memory.keys().next().value!);
    memory.set(`${sourceId} ${key}`, { node, epoch: epochs.get(node.nodeBucket)! });
  }
}

/** What a request could not give: what tells it from others, why, and its text; "" where nothing of it is kept. */
export type Unfit = { key: string; reason: string; field: string; text: string } & Omit<
  Whence,
  "text"
>;
/** `whence`: of each event, in case the vocabulary or the plan refuses it. */
type Request = {
  events: readonly Incoming[];
  unfit: readonly Unfit[];
  whence?: readonly Whence[];
};

/** The worker's task that reads the log. */
export const workOnPeople = "people";
/**
 * Requests of one source that wait together share one transaction, so that a burst costs few commits; while one commits,
 * the next looks for what is there already. Offsets are given last, so that each waits for the other only there.
 */
const requestsTogether = 64;
const roundsAtOnce = 2;
type Outcome = { verdicts: Verdict[] } | { thrown: unknown };
const lanes = new WeakMap<House, Map<string, Lane<Request, Outcome>>>();

/**
 * Takes the events of one request; answers, in order, once they are committed. What it could not read goes to the
 * rejected list. A neighbour that breaks the shared transaction costs nobody anything: each is then taken alone.
 */
export async function receive(house: House, source: Source, request: Request): Promise<Verdict[]> {
  const own = lanes.get(house) ?? new Map<string, Lane<Request, Outcome>>();
  lanes.set(house, own);
  let lane = own.get(source.id);
  if (!lane) {
    lane = inOrder((round) => inOneGo(house, source, round), requestsTogether, roundsAtOnce);
    own.set(source.id, lane);
  }
  const outcome = await lane(request);
  if ("thrown" in outcome) throw outcome.thrown;
  house.wake?.(workOnPeople);
  const erased = outcome.verdicts.filter((verdict) => verdict === "erased").length;
  if (erased > 0)
    await refuse(house, { sourceId: source.id, reason: "erased", field: "", count: erased });
  return outcome.verdicts;
}
async function inOneGo(house: House, source: Source, round: Request[]): Promise<Outcome[]> {
  try {
    const verdicts = await takeAll(house, source, round);
    return verdicts.map((each) => ({ verdicts: each }));
  } catch (thrown) {
    if (thrown instanceof Forgotten) return inOneGo(house, source, round);
    if (round.length === 1) return [{ thrown }];
    const outcomes: Outcome[] = [];
    for (const request of round) outcomes.push(...(await inOneGo(house, source, [request])));
    return outcomes;
  }
}
async function takeAll(house: House, source: Source, round: Request[]): Promise<Verdict[][]> {
  const events = round.flatMap((request) => request.events);
  const unfit = round.flatMap((request) => request.unfit);
  const judged = await judgeAll(house, house.sql, source, events);
  const memory = memories.get(house) ?? null;
  const fit = judged.filter(isFit);
  const known = remember(memory, (await knownSource(house, source)).space, fit);
  const isPlain = unfit.length === 0 && fit.length === judged.length && known.unknown.length === 0;
  const verdicts = isPlain
    ? await write(house, house.sql, source, fit, known)
    : await house.sql.begin(async (tx): Promise<Verdict[]> => {
        await tx`set local lock_timeout = '10s'`; // an import commits its batch well within that
        if (unfit.length > 0) await rejectAll(house, tx, source, unfit);
        const whence = round.flatMap((one) => one.whence ?? one.events.map(unsaid));
        return acceptFit(house, tx, source, { events, judged, whence, remembers: true });
      });
  let from = 0;
  return round.map(({ events: { length } }) => verdicts.slice(from, (from += length)));
}
const unsaid = (event: Incoming): Whence => ({ text: () => textOf(event) });
async function rejectAll(
  house: House,
  tx: Tx,
  source: Source,
  unfit: readonly Unfit[],
): Promise<void> {
  const at = house.clocks.machine();
  await store.countRefusals(
    tx,
    unfit.map(({ reason, field }) => ({ sourceId: source.id, reason, field, count: 1 })),
    at,
  );
  // The same refused event sent again is the same line of the list.
  await keep(
    house,
    tx,
    source.id,
    unfit
      .filter(({ text }) => text !== "")
      .map(({ key, ...one }) => ({
        ...{ ...one, importId: null, line: null },
        id: eventId(source.id, `rejected|${key}|${one.reason}|${one.field}`),
      })),
  );
}
type Kept = Omit<Unfit, "key"> & { id: string; importId: string | null; line: number | null };
/** Puts into the list what a day's room is left for, and counts the rest; says how many those are. */
async function keep(house: House, tx: Tx, sourceId: string, all: readonly Kept[]): Promise<number> {
  if (all.length === 0) return 0;
  const at = house.clocks.machine();
  const cameAt = house.clocks.shop();
  const kept = await store.keptToday(tx, sourceId, at);
  const had = await store.listed(
    tx,
    all.map(({ id }) => id),
  );
  const rows = new Map<string, store.Rejected>();
  let bytes = 0n;
  let beyond = 0;
  for (const { id, text, name = "", marks = 0, sentAt = null, line, ...one } of all) {
    if (rows.has(id) || had.has(id)) continue;
    const size = BigInt(Buffer.byteLength(text));
    if (
      kept.rows + rows.size >= keptRowsLimit ||
      kept.bytes + bytes + size > BigInt(keptBytesLimit)
    ) {
      beyond++;
      continue;
    }
    bytes += size;
    rows.set(id, {
      ...{ id, sourceId, importId: one.importId, line: line === null ? null : BigInt(line) },
      ...{
        reason: one.reason,
        field: line === null ? one.field : one.field || null,
        sealed: sealRejected(house, id, text),
      },
      ...{ at, name, marks, cameAt, sentAt },
    });
  }
  // One that another request has put there meanwhile takes its room twice: a day's room is a little less then.
  if (rows.size > 0) await store.reject(tx, [...rows.values()]);
  await store.addKept(tx, sourceId, at, { rows: rows.size, bytes: Number(bytes), beyond });
  return beyond;
}

/**
 * Sets the event aside at which a consumer stands and that it cannot work through; once for whoever finds it. What cannot
 * become a profile and figures leaves the log for the list of what is not taken, beyond any day's room, and is counted at
 * its source: it may be mended and sent again, and nothing of it counts meanwhile. The tracking plan goes on without it.
 */
export async function park(
  house: House,
  tx: Tx,
  consumer: string,
  { bucket, offset, fault }: { bucket: number; offset: bigint; fault: string },
): Promise<void> {
  const row = await store.standingAt(tx, consumer, bucket, offset);
  if (!row) return;
  const { id, sourceId, nodeId } = row;
  const at = house.clocks.machine();
  const parked = { consumer, bucket, offset, eventId: id, sourceId, nodeId, fault, at };
  if (consumer !== "people") {
    await store.saveRead(tx, consumer, { buckets: [bucket], froms: [offset], tos: [offset] });
    await store.addParked(tx, { ...parked, rejectedId: null, columnsAt: at });
    return;
  }
  const reason = "set_aside";
  const rejectedId = eventId(sourceId, `parked|${id}`);
  const text = await inOwnWords(house, tx, bucket, row);
  await store.reject(tx, [
    {
      ...{ id: rejectedId, sourceId, importId: null, line: null, reason, field: "" },
      ...{ sealed: sealRejected(house, rejectedId, text), at, name: safeName(row.name) },
      ...{ marks: 0, cameAt: house.clocks.shop(), sentAt: null },
    },
  ]);
  await store.countRefusals(tx, [{ sourceId, reason, field: "", count: 1 }], at);
  await store.takeOut(tx, bucket, offset, id);
  await store.addParked(tx, { ...parked, rejectedId, columnsAt: null });
}
/** An event of the log as our own API would be told it, as far as it can be opened; at most `eventBytesLimit`. */
async function inOwnWords(
  house: House,
  tx: Tx,
  bucket: number,
  { id, nodeId, name, at, data, sealed }: store.LogRow,
): Promise<string> {
  const instant = new Date(at);
  const event: Incoming = {
    ...{ key: `parked|${id}`, name, data: {} },
    at: Number.isNaN(instant.getTime()) ? new Date(0) : instant,
  };
  // What was wrong with it may be wrong for this too: then it is kept without.
  const may = <T>(read: () => T, otherwise: T): T => {
    try {
      return read();
    } catch {
      return otherwise;
    }
  };
  const sender =
    nodeId === null ? null : await people.senderOf(house, tx, { bucket, nodeId }).catch(() => null);
  if (sender) event.sender = sender.identifier;
  if (sender && sealed) event.direct = may(() => openDirect(sender.key, nodeId!, sealed), {});
  const said = may(() => JSON.parse(data) as Record<string, unknown>, {});
  // What the house itself made of it is made anew.
  event.data = Object.fromEntries(Object.entries(said).filter(([field]) => !field.startsWith("$")));
  return may(() => textOf(event), textOf({ ...event, data: {} }));
}

/** Counts what was refused of a source without keeping anything of it. Floods share one statement. */
export function refuse(house: House, said: store.Refusal): Promise<void> {
  let lane = refusals.get(house);
  if (!lane) {
    lane = inOrder<store.Refusal, void>(async (all) => {
      await store.countRefusals(house.sql, all, house.clocks.machine());
      return all.map(() => undefined);
    }, 1000);
    refusals.set(house, lane);
  }
  return lane(said);
}
const refusals = new WeakMap<House, Lane<store.Refusal, void>>();

// ── sources and their settings ─────────────────────────────────────────────────────────────────────────────────────

/** Settings are looked up at most this often: what another process changed holds here after that. */
const settingsLiveMs = 2000;
type Sources = { at: number; byId: Promise<Map<string, Known>> };
const settingsOf = new WeakMap<House, Sources>();
const settingsKey = (house: House) => house.keys.signing("collect_source");
const settingsAt = (id: string) => `collect_source|settings|${id}`;

/** Every source with its settings. */
export function knownSources(house: House): Promise<Map<string, Known>> {
  const now = house.clocks.machine().getTime();
  const had = settingsOf.get(house);
  if (had && Math.abs(now - had.at) < settingsLiveMs) return had.byId;
  const byId = (async () => {
    const rows = await store.knownSources(house.sql);
    return new Map(rows.map((row) => [row.id, knownOf(house, row)]));
  })();
  settingsOf.set(house, { at: now, byId });
  byId.catch(() => settingsOf.delete(house));
  return byId;
}
function knownOf(house: House, row: store.KnownRow): Known {
  const { id, name, kind, protocol, shares, disabled } = row;
  const settings = row.settings
    ? (JSON.parse(unlock(settingsKey(house), row.settings, settingsAt(id)).toString()) as Settings)
    : settingsFor(kind);
  return { id, name, kind, protocol, space: shares ?? id, disabled, settings };
}
/** One source with its settings; as a new one where it was made a moment ago. */
export async function knownSource(house: House, source: Source): Promise<Known> {
  const found = (await knownSources(house)).get(source.id);
  if (found) return found;
  settingsOf.delete(house);
  const again = (await knownSources(house)).get(source.id);
  const fresh = {
    name: "",
    protocol: "liuke",
    disabled: false,
    settings: settingsFor(source.kind),
  } as const;
  return again ?? { ...source, ...fresh, space: source.id };
}

const rates = new WeakMap<House, Map<string, { left: number; at: number }>>();
/**
 * Seconds to wait, 0 where so many events may come now. A request larger than the burst takes all of it, and whoever
 * comes next waits the longer.
 */
export function waitOf(house: House, { id, settings: { rate } }: Known, events: number): number {
  const own = rates.get(house) ?? new Map<string, { left: number; at: number }>();
  rates.set(house, own);
  const at = house.clocks.machine().getTime();
  const had = own.get(id) ?? { left: rate.burst, at };
  const passed = Math.max(0, at - had.at) / 1000;
  const left = Math.min(rate.burst, had.left + passed * rate.perSecond);
  const needs = Math.min(events, rate.burst);
  const free = left >= needs;
  own.set(id, { left: free ? left - events : left, at });
  return free ? 0 : Math.max(1, Math.ceil((needs - left) / rate.perSecond));
}

type Change = { source: string } & Partial<{
  [K in "protocol" | "shares" | "disabled" | "settings"]: K extends "settings"
    ? Settings | undefined
    : store.KnownRow[K] | undefined;
}>;
/** Changes what a source is held to. A source that shares another's numbers of people may not be shared from in turn. */
export async function changeSource(
  { tx, house }: Context,
  { source, ...change }: Change,
): Promise<Result<Record<string, never>, "collect.source_unknown" | "collect.not_shareable">> {
  const [row] = await store.sourceById(tx, source);
  if (!row) return fail("collect.source_unknown");
  if (change.shares) {
    const [other] = await store.sourceById(tx, change.shares);
    if (!other || other.id === source || other.kind === "public" || other.shares !== null)
      return fail("collect.not_shareable");
  }
  await store.setSource(tx, {
    id: source,
    protocol: change.protocol ?? row.protocol,
    shares: change.shares === undefined ? row.shares : change.shares,
    disabled: change.disabled ?? row.disabled,
    settings: change.settings
      ? lock(settingsKey(house), JSON.stringify(change.settings), settingsAt(source))
      : row.settings,
  });
  settingsOf.delete(house);
  return ok({});
}

/** The items of a request that is read here: at most `eventsLimit` of them and `requestBytesLimit` bytes. */
export async function listOf(
  { body }: Pick<Direct, "body">,
  name: string,
): Promise<Result<Item[], "request.invalid" | "request.too_large">> {
  const bytes = await body(requestBytesLimit);
  if (!bytes) return fail("request.too_large");
  // What is no UTF-8 becomes half of a surrogate pair, for which its own item is refused.
  const text = bytes.toString();
  const list = parseList(
    bytes.equals(Buffer.from(text)) ? text : text.replaceAll("\uFFFD", "\uD800"),
    name,
  );
  if (!list.ok) return fail("request.invalid", { fields: [list.field] });
  const { items } = list;
  if (items.length === 0 || items.length > eventsLimit)
    return fail("request.invalid", { fields: [name] });
  return ok(items);
}

/** The first field of an item that does not fit; "" where it is the item itself. */
export function fieldIn(error: Parameters<typeof fieldsOf>[0]): string {
  const [field = ""] = fieldsOf(error);
  return field === "body" ? "" : field;
}

export type Answered = { verdict: "accepted" | "double" | "refused"; id: string | null } & {
  reason: string | null;
  field: string | null;
};
/** Takes what could be read of a request and says of each item, in order, what became of it. */
export async function take(
  house: House,
  source: Source,
  name: string,
  items: readonly Item[],
  read: readonly (Incoming | Refused)[],
) {
  const events: Incoming[] = [];
  const unfit: Unfit[] = [];
  const results: (Answered | null)[] = read.map((one, i) => {
    if (!isRefused(one)) {
      events.push(one);
      return null;
    }
    const within = safeField(one.field);
    const field = [name, i, within].filter((part) => part !== "").join(".");
    const text = JSON.stringify(items[i]!.value).slice(0, eventBytesLimit);
    unfit.push({
      ...{ key: text, reason: one.reason, field: within, text },
      name: nameIn(items[i]!.value),
    });
    return { verdict: "refused", id: null, reason: one.reason, field };
  });
  const whence = items.flatMap(({ value }, i): Whence[] => {
    if (results[i]) return [];
    return [{ text: () => JSON.stringify(value).slice(0, eventBytesLimit), name: nameIn(value) }];
  });
  const verdicts = await receive(house, source, { events, unfit, whence });
  let next = 0;
  const answered = results.map((result, i): Answered => {
    if (result) return result;
    const { key } = events[next]!;
    const verdict = verdicts[next++]!;
    if (typeof verdict === "object") {
      const field = [name, i, safeField(verdict.field)].filter((part) => part !== "").join(".");
      return { verdict: "refused", id: null, reason: verdict.reason, field };
    }
    if (verdict !== "erased")
      return { verdict, id: eventId(source.id, key), reason: null, field: null };
    return { verdict: "refused", id: null, reason: "erased", field: `${name}.${i}.user` };
  });
  const count = (verdict: Answered["verdict"]) =>
    answered.filter((one) => one.verdict === verdict).length;
  return {
    accepted: count("accepted"),
    doubles: count("double"),
    refused: count("refused"),
    results: answered,
  };
}

/** A source by its name, made where it is not there yet. */
export async function sourceNamed(
  house: House,
  reader: Reader,
  name: string,
  kind: Source["kind"],
  demo = false,
): Promise<store.SourceRow> {
  await store.addSource(reader, {
    id: house.newId(),
    name,
    kind,
    demo,
    createdAt: house.clocks.machine(),
  });
  const [source] = await store.sourceByName(reader, name);
  return source!;
}

/**
 * Writes into the log what a person says of themselves, under the number that a source has of them. Their word is as good
 * as the shop's, and finds nobody: of addresses nothing is said here.
 */
export async function acceptOwn(
  house: House,
  tx: Tx,
  { space, number }: { space: string; number: string },
  event: Omit<Incoming, "sender">,
): Promise<{ event: string; verdict: Verdict }> {
  const createdAt = house.clocks.machine();
  const row = { id: selfSource, kind: "server", demo: false, createdAt } as const;
  // A shop may have a source of that name already.
  for (const name of ["self", `self ${selfSource}`])
    if (!(await store.isSource(tx, selfSource))) await store.addSource(tx, { ...row, name });
  const sender = { type: "user_id", value: number } as const;
  const source = { id: selfSource, kind: "server", space } as const;
  const [verdict] = await accept(house, tx, source, [{ ...event, sender }]);
  return { event: eventId(selfSource, event.key), verdict: verdict! };
}

/** Makes a source; its keys are made in access. */
export async function makeSource(
  { tx, at, newId }: Context,
  { name, kind, protocol }: { name: string; kind: Source["kind"]; protocol?: Protocol | undefined },
): Promise<Result<{ id: string }, "collect.name_taken">> {
  const id = newId();
  const added = await store.addSource(tx, { id, name, kind, demo: false, createdAt: at });
  if (added.count !== 1) return fail("collect.name_taken");
  if (protocol)
    await store.setSource(tx, { id, protocol, shares: null, disabled: false, settings: null });
  return ok({ id });
}

/** What was sealed with an event: its direct fields, by "data.<name>" or "traits.<field>". */
export const openDirect = (key: Buffer, nodeId: string, sealed: Buffer): Record<string, string> =>
  JSON.parse(privacy.openSealed(key, "collect_event|sealed", nodeId, sealed)) as Record<
    string,
    string
  >;

/** The events of a person leave the log; the columns follow by their nodes. */
export async function erase(
  tx: Tx,
  _: PersonKey,
  nodes: readonly { bucket: number; nodeId: string }[],
): Promise<void> {
  if (nodes.length === 0) return;
  // What others remember of these nodes is outdated from here on; whoever is writing under one is waited for.
  await store.countErasure(tx, [...new Set(nodes.map(({ bucket }) => bucket))]);
  // Consumers that are at it finish first, and what they made goes with the rest; none begins before the commit.
  await store.holdConsumers(tx, [...new Set(nodes.map(({ bucket }) => bucket))]);
  await store.eraseRows(tx, nodes);
}

export type SourceRow = store.SourceRow;
/** One record of a file: an event, or why it is none. */
export type LineOfFile =
  | { line: number; event: Incoming; more?: readonly Incoming[]; text?: () => string } // `text`: as it stands in the file
  | { line: number; unfit: { field: string | null; reason: string; text: string; name?: string } };
export type Running = {
  id: string;
  toldAt: Date; // when the file was first told of, by the shop's clock: so are its records that say no time
  finished: boolean;
  counts: { lines: number; accepted: number; rejected: number; outside: number; doubles: number };
};

/** The import of a file into a source, begun or gone on with: one for each file and window of time. */
export async function openImport(
  house: House,
  sourceId: string,
  digest: Buffer,
  from: Date | undefined,
  until: Date | undefined,
  { kind, mapping }: { kind: string; mapping: { trust?: string } },
): Promise<Running> {
  const trust = mapping.trust ?? "shop";
  const find = () =>
    store.findImport(house.sql, sourceId, digest, from ?? null, until ?? null, kind, trust);
  let [row] = await find();
  if (!row) {
    const startedAt = house.clocks.machine();
    const made = { id: house.newId(), sourceId, digest, fromAt: from ?? null, kind };
    await store.addImport(house.sql, {
      ...{ ...made, untilAt: until ?? null, startedAt, toldAt: house.clocks.shop() },
      mapping: JSON.stringify(mapping),
    });
    [row] = await find();
  }
  const { id, line, accepted, rejected, outside, doubles, finishedAt } = row!;
  return {
    id,
    toldAt: row!.toldAt,
    finished: finishedAt !== null,
    counts: {
      lines: Number(line),
      accepted: Number(accepted),
      rejected: Number(rejected),
      outside: Number(outside),
      doubles: Number(doubles),
    },
  };
}
export const closeImport = (house: House, { id }: Running) =>
  store.finishImport(house.sql, id, house.clocks.machine());

/**
 * The source that told these lines of a file first, and the events as they may be believed. One that is not here is made,
 * as it was. A line never counts for more than its source did where it was told, nor than its source counts for here.
 */
async function asTold(
  house: House,
  tx: Tx,
  importing: Source,
  events: readonly Incoming[],
): Promise<{ own: Source & { space?: string }; events: Incoming[] }> {
  const from = events[0]?.from;
  if (!from) return { own: importing, events: [...events] };
  let [row] = await store.sourceById(tx, from.id);
  if (!row) {
    const made = { id: from.id, kind: from.kind, demo: false, createdAt: house.clocks.machine() };
    // Another source may have the name.
    for (const name of [from.name, `${from.name} ${from.id}`])
      if ((await store.addSource(tx, { ...made, name })).count === 1) break;
    [row] = await store.sourceById(tx, from.id);
    settingsOf.delete(house);
  }
  const { id, kind } = row!;
  const page = from.kind === "public" && kind !== "public" ? flag.page : 0;
  return {
    own: { id, kind, space: from.space },
    events: events.map((event) => ({ ...event, flags: (event.flags ?? 0) | page })),
  };
}

const fromKey = (from: Incoming["from"]): string =>
  from ? `${from.id} ${from.kind} ${from.space}` : "";

/** One batch of a file in one transaction: events, refusals and the position. */
export async function takeLines(
  house: House,
  source: Source,
  { id: importId, counts }: Running,
  lines: readonly LineOfFile[],
  to: { line: number; outside: number },
): Promise<{ accepted: number; rejected: number; doubles: number }> {
  const work = async (tx: Tx) => {
    // Lines of one source and of one numbering of people go in together, in their order.
    const read = lines.flatMap((line) =>
      "event" in line
        ? [line.event, ...(line.more ?? [])].map((event) => ({ ...line, event }))
        : [],
    );
    const groups = [];
    for (const together of Map.groupBy(read, ({ event: { from } }) => fromKey(from)).values()) {
      const told = together.map(({ event }) => event);
      const { own, events } = await asTold(house, tx, source, told);
      groups.push({ own, together, judged: await judgeAll(house, tx, own, events) });
    }
    const rowOf = (line: (typeof read)[number], reason: string, field: string): Kept => ({
      ...{ id: idOf(line.line), importId, line: line.line, reason, field: safeField(field) },
      ...{ text: line.text?.() ?? textOf(line.event), name: safeName(line.event.name) },
    });
    const idOf = (line: number) => eventId(source.id, `rejected|${importId}|${line}`);
    const unfit = lines.flatMap((line): Kept[] =>
      "unfit" in line
        ? [
            {
              ...{ ...line.unfit, field: line.unfit.field ?? "" },
              ...{ id: idOf(line.line), importId, line: line.line },
            },
          ]
        : [],
    );
    // A line that is several events is refused where one of them is, and new where one of them is.
    const outcomes = new Map<number, "refused" | "accepted" | "double">();
    for (const { together, judged } of groups)
      for (const [i, one] of judged.entries()) {
        const { line } = together[i]!;
        if (isFit(one) || outcomes.has(line)) continue;
        unfit.push(rowOf(together[i]!, one.reason, one.field));
        outcomes.set(line, "refused");
      }
    const refuseAll = async (rows: readonly Kept[]): Promise<number> => {
      if (rows.length === 0) return 0;
      const counted = rows.map(({ reason, field }) => ({
        ...{ sourceId: source.id, reason, field, count: 1 },
      }));
      await store.countRefusals(tx, counted, house.clocks.machine());
      return keep(house, tx, source.id, rows);
    };
    // Refusals first, as everywhere: offsets are held from when they are given.
    let beyond = await refuseAll(unfit);
    const erased: Kept[] = [];
    for (const [n, { own, together, judged }] of groups.entries()) {
      const fit = together.filter((_, i) => isFit(judged[i]!));
      const events = judged.filter(isFit);
      if (events.length === 0) continue;
      const verdicts = await acceptFit(house, tx, own, {
        ...{ events, judged: events, remembers: n === 0 },
      });
      for (const [i, verdict] of verdicts.entries()) {
        const { line } = fit[i]!;
        const had = outcomes.get(line);
        if (had === "refused") continue;
        if (verdict === "accepted" || verdict === "double")
          outcomes.set(line, had === "accepted" ? had : verdict);
        else {
          erased.push(rowOf(fit[i]!, "erased", "user"));
          outcomes.set(line, "refused");
        }
      }
    }
    const count = (outcome: string) => [...outcomes.values()].filter((o) => o === outcome).length;
    const done = { accepted: count("accepted"), doubles: count("double") };
    beyond += await refuseAll(erased);
    const rejected = unfit.length + erased.length;
    crashAt("import.in_batch");
    const moved = await store.moveImport(tx, importId, BigInt(counts.lines), {
      ...{ ...done, rejected, beyond },
      ...to,
    });
    // Another process goes on with the same file: what it took is taken, and this batch rolls back whole.
    if (moved.count !== 1)
      throw new Error("This file is being imported by another process.", { cause: "import" });
    return { ...done, rejected };
  };
  const again = (thrown: unknown) => {
    if (thrown instanceof Forgotten) return house.sql.begin(work);
    throw thrown;
  };
  const taken = await house.sql.begin(work).catch(again);
  crashAt("import.after_batch");
  return taken;
}

/** A refused payload may name people: it is locked under a key of the installation, and kept for 30 days. */
const rejectedKey = (house: House) => house.keys.signing("collect_rejected");
const sealRejected = (house: House, id: string, text: string): Buffer =>
  lock(rejectedKey(house), text, `collect_rejected|sealed|${id}`);
export const openRejected = (house: House, id: string, sealed: Buffer): string =>
  unlock(rejectedKey(house), sealed, `collect_rejected|sealed|${id}`).toString();

export const isFirstFile = (house: House, sourceId: string, digest: Buffer): Promise<boolean> =>
  store.isFirstFile(house.sql, sourceId, digest);
export const importOf = async (reader: Reader, id: string): Promise<store.ImportRow | null> =>
  (await store.importById(reader, id))[0] ?? null;

export type Refusal = store.Rejected;
/** Reads a refused item again, as it would have been read when it came. */
export type Reread = (source: Known, refusal: Refusal, text: string) => Promise<(Incoming | Bad)[]>;
type Bad = { reason: string; field: string };
export type Mended = { id: string; outcome: "accepted" | "double" | "refused" | "gone" } & {
  reason: string | null;
  field: string | null;
};
/** One refused item that is open; null where there is none. */
export const refusal = async (reader: Reader, id: string): Promise<Refusal | null> =>
  (await store.rejectedById(reader, id))[0] ?? null;
export const refusalsAfter = store.nextRejected;
export const refusalsPage = store.rejectedPage;
export const refusalsBy = store.rejectedBy;
export const beyond = store.beyond;
export const countRefusals = store.countRejected;
/**
 * Sends refused items again, in the open transaction, each with its text as `mend` makes it; one that is taken is
 * closed, once and for all. What is refused again stays open under its new reason, with the text as it was mended.
 */
export async function resend(
  house: House,
  tx: Tx,
  ids: readonly string[],
  mend: (id: string, text: string) => string | Bad,
  reread: Reread,
): Promise<Mended[]> {
  const held = await store.holdRejected(tx, ids);
  const done = new Map<string, Mended>();
  const again: Parameters<typeof store.resealRejected>[1][number][] = [];
  const refused = (id: string, text: string, { reason, field }: Bad) => {
    const within = safeField(field);
    again.push({ id, reason, field: within, sealed: sealRejected(house, id, text) });
    done.set(id, { id, outcome: "refused", reason, field: within });
  };
  // Those of one source are read first and written together: a thousand of them cost little more than one.
  type Read = { row: Refusal; text: string; events: Incoming[] };
  const bySource = new Map<string, { own: Source & { space?: string }; items: Read[] }>();
  for (const row of held) {
    const source = await knownSource(house, { id: row.sourceId, kind: "import" });
    const came = openRejected(house, row.id, row.sealed);
    const text = mend(row.id, came);
    if (typeof text !== "string") {
      done.set(row.id, { id: row.id, outcome: "refused", ...text }); // as it was: nothing of it was changed
      continue;
    }
    const read = await reread(source, row, text);
    const bad = read.find((one) => "reason" in one);
    if (bad || read.length === 0) {
      refused(row.id, text, bad ?? { reason: "unreadable", field: "" });
      continue;
    }
    const events = read.flatMap((one) =>
      "reason" in one
        ? []
        : [{ ...one, flags: (one.flags ?? 0) | flag.mended | row.marks } satisfies Incoming],
    );
    const [mine = [], ...others] = Map.groupBy(events, ({ from }) => fromKey(from)).values();
    const told = await asTold(house, tx, source, mine);
    // A line that speaks in the numbering of several sources says in the others who it is, and no more.
    let unfit: Refused | undefined;
    for (const some of others) {
      const { own, events: more } = await asTold(house, tx, source, some);
      const judged = await judgeAll(house, tx, own, more);
      unfit ??= judged.find(isRefused);
      const fit = judged.filter(isFit);
      if (!unfit) await acceptFit(house, tx, own, { events: fit, judged: fit, remembers: false });
    }
    if (unfit) {
      refused(row.id, text, unfit);
      continue;
    }
    const key = `${told.own.id} ${told.own.space ?? ""}`;
    const of = bySource.get(key) ?? { own: told.own, items: [] };
    bySource.set(key, of);
    of.items.push({ row, text, events: told.events });
  }
  const closed: Parameters<typeof store.closeRejected>[1][number][] = [];
  for (const { own: source, items } of bySource.values()) {
    const fit: (Read & { judged: Incoming[] })[] = [];
    for (const { row, text, events } of items) {
      const judged = await judgeAll(house, tx, source, events);
      const unfit = judged.find(isRefused);
      if (unfit) refused(row.id, text, unfit);
      else fit.push({ row, text, events, judged: judged.filter(isFit) });
    }
    const all = fit.flatMap(({ judged }) => judged);
    const verdicts =
      all.length > 0
        ? await acceptFit(house, tx, source, { events: all, judged: all, remembers: false })
        : [];
    let from = 0;
    for (const { row, text, judged } of fit) {
      const own = verdicts.slice(from, (from += judged.length));
      if (own.includes("erased")) {
        refused(row.id, text, { reason: "erased", field: "" });
        continue;
      }
      const outcome = own.includes("accepted") ? "accepted" : "double";
      // What was refused is in the log now, sealed under its own node's key: the list needs its text no more.
      const sealed = sealRejected(house, row.id, "");
      const [first] = judged;
      const event = first!.id ?? eventId(source.id, first!.key);
      closed.push({ id: row.id, outcome, eventId: event, sealed });
      done.set(row.id, { id: row.id, outcome, reason: null, field: null });
    }
  }
  if (again.length > 0) await store.resealRejected(tx, again);
  if (closed.length > 0) await store.closeRejected(tx, closed, house.clocks.machine());
  return ids.map((id) => done.get(id) ?? { id, outcome: "gone", reason: null, field: null });
}

/** The lease under which the columns are sent to: one process at a time. */
export const columnsLease = "columns";
/**
 * Takes out of the columns every event that the log still has, and lets all of them be sent again. A crash on the way
 * leaves columns that lack events, and `then` unsaid: whoever comes next clears again. Call it while holding the lease.
 */
export async function clearColumns(
  house: House,
  then: (tx: Tx, total: bigint) => Promise<void>,
): Promise<void> {
  const firsts = (await store.logSpans(house.sql)).map(({ first }) => first);
  await house.columns.run(
    "alter table event delete where offset >= arrayElement({firsts:Array(UInt64)}, bucket + 1)",
    { firsts },
  );
  // Whose a node is goes again too: a later version of the same counts.
  crashAt("rebuild.after_clear");
  await house.sql.begin(async (tx) => {
    await store.recut(tx, "event", firsts);
    await people.reship(tx);
    await then(tx, await store.leftToCut(tx, "event"));
  });
}
/** So many events go to the columns in one batch, sent once more. */
const againLimit = 20_000n;
/**
 * Takes out of the columns the part of the log in which [from, until) lies, and lets it be sent again. A crash on the way
 * is as above. What was not sent yet is sent in its turn.
 */
export async function clearColumnsOf(
  house: House,
  { from, until }: { from: Date | null; until: Date | null },
  then: (tx: Tx, total: bigint) => Promise<void>,
): Promise<void> {
  const spans = await store.spansOf(house.sql, "event", from, until);
  const [first, last] = [
    Array.from({ length: 256 }, () => 1n),
    Array.from({ length: 256 }, () => 0n),
  ];
  const parts: Slice[] = [];
  let room = 0n;
  for (const { bucket, from: start, to } of spans) {
    first[bucket] = start;
    last[bucket] = to;
    for (let at = start; at <= to;) {
      if (room === 0n) {
        parts.push({ buckets: [], froms: [], tos: [] });
        room = againLimit;
      }
      const end = to - at < room ? to : at + room - 1n;
      const part = parts.at(-1)!;
      part.buckets.push(bucket);
      part.froms.push(at);
      part.tos.push(end);
      room -= end - at + 1n;
      at = end + 1n;
    }
  }
  if (spans.length > 0)
    await house.columns.run(
      `alter table event delete where offset between arrayElement({first:Array(UInt64)}, bucket + 1)
        and arrayElement({last:Array(UInt64)}, bucket + 1)`,
      { first, last },
    );
  crashAt("rebuild.after_clear");
  await house.sql.begin(async (tx) => {
    let total = 0n;
    for (const part of parts) total += await store.cutAgain(tx, "event", part);
    await then(tx, total);
  });
}
export const leftForColumns = (house: House): Promise<bigint> =>
  store.leftToCut(house.sql, "event");
