// Who is in which segment: all of one at once, or single people as soon as something changes that a rule asks about.
import { nextOf, type Slice } from "#collect/service.ts";
import type { House } from "#kernel/endpoint.ts";
import { whileHeld } from "#kernel/lease.ts";
import { emitAll, type Reaction } from "#kernel/outbox.ts";
import type { PersonKey, Reader, Tx } from "#kernel/sql.ts";
import { setTimers, setTimersFrom, type TimerKind } from "#kernel/timers.ts";
import * as feedsService from "#feeds/service.ts";
import { entered, left } from "./events.ts";
import { bookOf, interestsOf, movingOf, shrinks, type Book, type Entry } from "./model/book.ts";
import { fits, isOf } from "./model/evaluate.ts";
import * as memory from "./model/memory.ts";
import { nextTurn } from "./model/turns.ts";
import {
  atInstant,
  conditions,
  dependsOn,
  eventsOf,
  spanOf,
  type Clock,
  type Facts,
  type Happened,
  type Known,
  type Rule,
} from "./rules.ts";
import * as service from "./service.ts";
import * as store from "./store.ts";
import * as views from "./views.ts";

const clockOf = (house: House): Clock => ({
  at: house.clocks.shop(),
  timeZone: house.clocks.timeZone,
});

type Rules = Book<store.Segment>;
type Ours = Entry<store.Segment>;
type Kept = { rules: Rules; listeners: ReadonlySet<string>; memory: memory.Memory };
/** The rules as this process last read them. Read again when their generation says so. */
const kept = new WeakMap<object, Kept>();
async function rulesNow(house: House, tx: Tx): Promise<Kept> {
  const generation = await store.heldGeneration(tx);
  const had = kept.get(house);
  if (had?.rules.generation === generation) return had;
  const [all, listening, asked] = await Promise.all([
    store.all(tx),
    store.listeners(tx),
    store.interested(tx),
  ]);
  // Segments that are older than the list of what is asked.
  const listed = new Set(asked.map(({ segmentId }) => segmentId));
  const missing = all.filter(({ id }) => !listed.has(id));
  if (missing.length > 0)
    await store.putInterests(
      tx,
      missing.map(({ id }) => id),
      missing.flatMap(interestsOf),
    );
  const read = {
    rules: bookOf(generation, all),
    listeners: new Set(listening.map(({ segmentId }) => segmentId)),
    memory: memory.newMemory(
      generation,
      all.flatMap(({ rule }) => whatsOf(rule)),
    ),
  };
  kept.set(house, read);
  return read;
}

// ── all of a segment ───────────────────────────────────────────────────────────────────────────────────────────────

/** Works out all of a segment anew. Returns how many came in and how many went out. */
export const refresh = (house: House, segmentId: string) =>
  house.sql.begin((tx) => refreshIn(house, tx, segmentId));
/** All segments, each after those that its rule names. */
export const refreshAll = (house: House) => house.sql.begin((tx) => refreshAllIn(house, tx));

async function refreshAllIn(house: House, tx: Tx): Promise<void> {
  const { rules } = await rulesNow(house, tx);
  for (const { segment } of rules.segments) await refreshIn(house, tx, segment.id);
}

/** Where more change at once, it was the definition or the night that did it: nobody's own cause is looked for. */
const causesLimit = 10_000;

async function refreshIn(
  house: House,
  tx: Tx,
  segmentId: string,
): Promise<{ entered: number; left: number }> {
  const now = clockOf(house);
  await store.asksEverybody(tx, false);
  await store.lockWhole(tx, [segmentId]);
  const segment = await store.byId(tx, segmentId);
  if (!segment) return { entered: 0, left: 0 };
  const { rule, version } = segment;
  const asked = atInstant(rule, now, await service.knownIn(tx, [rule]));
  const fit = views.matching(tx, asked, now.at);
  const unforeseen = views.isUnforeseen(asked);
  if (unforeseen) await store.asksEverybody(tx, true);
  const made = await store.replaceMembers(
    tx,
    { segmentId, version, at: now.at },
    fit as unknown as Parameters<typeof store.replaceMembers>[2],
  );
  if (unforeseen) await store.asksEverybody(tx, false);
  const changed = made.entered + made.left;
  const { listeners } = await rulesNow(house, tx);
  if (changed > 0 && changed <= causesLimit) await explain(tx, segment, now.at);
  if (changed > 0 && changed <= causesLimit)
    await tell(house, tx, listeners, await store.lines(tx, segmentId, now.at));
  await store.markRefreshed(tx, segmentId, now.at);
  await setTurns(house, tx, segment, now);
  return made;
}
async function explain(tx: Tx, { id, rule }: store.Segment, at: Date): Promise<void> {
  const on = dependsOn(rule);
  const told = on.attributes.size + on.events.size > 0;
  const causes = (await store.changedAt(tx, id, at, [...on.tags])).flatMap(
    ({ bucket, personId, logId, eventId }) => {
      const event = told ? eventId : null;
      const cause = logId
        ? ({ kind: "tag", id: logId } as const)
        : event
          ? ({ kind: "event", id: event } as const)
          : null;
      return cause ? [{ bucket, personId, cause }] : [];
    },
  );
  if (causes.length > 0) await store.setCauses(tx, id, at, causes);
}

/**
 * Timers are set a day ahead: whatever may turn later is found by the day's own look at the whole segment, which comes
 * before it. So a rule over a month holds a thirtieth of its people's timers at a time, and an event seldom sets one.
 */
const turn = "segments.turn";
const daily = "segments.daily";
const dayMs = 24 * 3_600_000;
const aheadMs = dayMs + 3_600_000;

/** What may move people of a segment up to this instant; `members`: those alone who are in. */
function movesOf({ rule }: store.Segment, now: Clock, until: Date) {
  const leavers = shrinks(rule);
  return movingOf(rule, now, until).map(({ out, ...one }) => ({ ...one, members: out && leavers }));
}
const horizonOf = ({ at }: Clock) => new Date(at.getTime() + aheadMs);

async function setTurns(house: House, tx: Tx, segment: store.Segment, now: Clock): Promise<void> {
  const { id } = segment;
  const moving = movesOf(segment, now, horizonOf(now));
  if (moving.length === 0) return;
  const due = views.turns(
    tx,
    moving.map((one) => ({ ...one, members: one.members ? id : null })),
  );
  await setTimersFrom(tx, { kind: turn, key: id }, due);
  await setTimers(tx, [{ kind: daily, key: id, dueAt: new Date(now.at.getTime() + dayMs) }]);
}

// ── single people ──────────────────────────────────────────────────────────────────────────────────────────────────

/** Whom to look at: of each person, the segments in question, and why. */
type Ask = { cause: store.Cause | null; at: number };
type Asks = Map<string, { person: PersonKey; segments: Map<string, Ask> }>;
/** Of several reasons, a change of a tag goes before an event, and the later event before the earlier. */
function ask(asks: Asks, { bucket, personId }: PersonKey, segmentId: string, why: Ask): void {
  let one = asks.get(personId);
  if (!one) asks.set(personId, (one = { person: { bucket, personId }, segments: new Map() }));
  const had = one.segments.get(segmentId);
  const rank = ({ cause }: Ask) => (cause === null ? 0 : cause.kind === "event" ? 1 : 2);
  if (!had || rank(why) > rank(had) || (rank(why) === rank(had) && why.at >= had.at))
    one.segments.set(segmentId, why);
}
function askTouched(
  { byAttribute, byTag, ofAnybody, ofAddress }: Rules,
  asks: Asks,
  touched: readonly store.Touched[],
  causes: ReadonlyMap<string, string>,
): void {
  for (const { kind, name, causeKind, cause, ...person } of touched) {
    const event = causes.get(person.personId);
    const why: Ask = {
      cause:
        causeKind && cause
          ? { kind: causeKind, id: cause }
          : event
            ? { kind: "event", id: event }
            : null,
      at: 0,
    };
    const those =
      kind === "attribute"
        ? byAttribute.get(name)
        : kind === "tag"
          ? byTag.get(name)
          : [...ofAnybody, ...ofAddress];
    for (const { segment } of those ?? []) ask(asks, person, segment.id, why);
  }
}

/** So many people who are asked of something else than a slice of the log go in one statement, of many segments at once. */
const togetherFrom = 1000;
/** So many people are looked at in one helping. */
const helping = 2000;
/** What a slice of the log tells: of each bucket the next event after it, and what people did. */
type Told = { next: Map<number, bigint>; events: Map<string, Happened[]> };

/** Works out these people's place in the segments in question, and in those that name them. */
async function look(house: House, tx: Tx, book: Kept, asks: Asks, told?: Told): Promise<void> {
  if (asks.size === 0) {
    if (told) advance(book.memory, told);
    return;
  }
  const { rules, listeners } = book;
  const asked = [...asks.values()].toSorted(
    (a, b) => a.person.bucket - b.person.bucket || (a.person.personId < b.person.personId ? -1 : 1),
  );
  const entries = closure(rules, asked);
  const ids = entries.map(({ segment }) => segment.id);
  const atOnce = !told && asked.length >= togetherFrom;
  // Of so many people each one's row would be written for its lock: they have the segments to themselves instead.
  if (atOnce) await store.lockWhole(tx, ids);
  else await store.lockShared(tx, ids);
  const locked = atOnce
    ? []
    : await store.lockPeople(
        tx,
        asked.map(({ person }) => person),
      );
  const now = clockOf(house);
  const known = await service.knownIn(
    tx,
    entries.map(({ segment }) => segment.rule),
  );
  const changes: store.Change[] = [];
  if (atOnce) changes.push(...(await lookTogether(house, tx, rules, entries, asked, now, known)));
  else {
    // Asked after the people are held: whoever looked at one of them before has committed how far they had read.
    const next = new Map((await nextOf(tx, "people")).map((row) => [row.bucket, row.next]));
    memory.keepsUp(book.memory, next, now.at.getTime());
    if (told) {
      for (const [personId, events] of told.events)
        memory.append(book.memory, personId, memory.askedOf(book.memory, events));
      advance(book.memory, told);
    }
    const stamps = new Map(locked.map(({ personId, stamp }) => [personId, stamp]));
    for (let i = 0; i < asked.length; i += helping) {
      const some = asked.slice(i, i + helping);
      changes.push(...(await lookSingly(house, tx, book, entries, some, stamps, now, known)));
    }
  }
  if (changes.length > 0) await tell(house, tx, listeners, changes);
}
function advance({ upTo }: memory.Memory, { next }: Told): void {
  for (const [bucket, to] of next) if (to > (upTo.get(bucket) ?? -1n)) upTo.set(bucket, to);
}
/** Every segment in question, with those that name one of them, in order. */
function closure(rules: Rules, asked: readonly { segments: ReadonlyMap<string, Ask> }[]): Ours[] {
  const ids = new Set(asked.flatMap(({ segments }) => [...segments.keys()]));
  for (const id of ids)
    for (const { segment } of rules.bySegment.get(id) ?? []) ids.add(segment.id);
  return rules.segments.filter(({ segment }) => ids.has(segment.id));
}
const isBetween = (at: string | undefined, from: Date, to: Date | undefined): boolean =>
  at !== undefined && to !== undefined && new Date(at) > from && new Date(at) <= to;
const changeOf = (
  person: PersonKey,
  { segment: { id, version } }: Ours,
  be: boolean,
  { cause }: Ask,
  at: Date,
): store.Change => ({
  ...person,
  segmentId: id,
  version,
  change: be ? "entered" : "left",
  cause,
  at,
});

async function lookSingly(
  house: House,
  tx: Tx,
  { rules, memory: kept }: Kept,
  entries: readonly Ours[],
  asked: readonly { person: PersonKey; segments: Map<string, Ask> }[],
  stamps: ReadonlyMap<string, bigint>,
  now: Clock,
  known: Known,
): Promise<store.Change[]> {
  const facts = await rememberedFacts(
    tx,
    kept,
    rules,
    asked.map(({ person }) => person),
    stamps,
    now,
  );
  const at = entries.map((entry) => ({ entry, rule: atInstant(entry.segment.rule, now, known) }));
  const horizon = horizonOf(now);
  const changes: store.Change[] = [];
  const turns = [];
  for (const { person, segments } of asked) {
    const theirs = facts.get(person.personId);
    if (!theirs) continue;
    for (const { entry, rule } of at) {
      const { id } = entry.segment;
      const why = segments.get(id);
      if (!why) continue;
      const dueAt = nextTurn(entry.segment.rule, theirs, now, horizon);
      // One that is set for an earlier instant rings, looks, and is set anew: it need not move with every event.
      const isSet = isBetween(theirs.turns[id], now.at, dueAt);
      if (dueAt && !isSet) turns.push({ ...person, kind: turn, key: id, dueAt });
      const be = fits(rule, theirs, now.at);
      if (be === theirs.segments.has(id)) continue;
      if (be) theirs.segments.add(id);
      else theirs.segments.delete(id);
      changes.push(changeOf(person, entry, be, why, now.at));
      for (const { segment } of rules.bySegment.get(id) ?? [])
        if (!segments.has(segment.id)) segments.set(segment.id, why);
    }
  }
  await store.apply(tx, house.newId, changes);
  await setTimers(tx, turns);
  return changes;
}

async function lookTogether(
  house: House,
  tx: Tx,
  rules: Rules,
  entries: readonly Ours[],
  asked: readonly { person: PersonKey; segments: Map<string, Ask> }[],
  now: Clock,
  known: Known,
): Promise<store.Change[]> {
  await tx`set local plan_cache_mode = force_custom_plan`;
  const until = horizonOf(now);
  const asks = new Map(asked.map((one) => [one.person.personId, one]));
  const changes: store.Change[] = [];
  const turns = [];
  for (const some of levels(entries)) {
    const ids = some.map(({ segment }) => segment.id);
    const people = asked.filter(({ segments }) => ids.some((id) => segments.has(id)));
    if (people.length === 0) continue;
    const rows = await views.standing(
      tx,
      people.map(({ person }) => person),
      some.map(({ segment }) => ({
        segmentId: segment.id,
        rule: atInstant(segment.rule, now, known),
        moving: movesOf(segment, now, until),
      })),
      now.at,
    );
    const own: store.Change[] = [];
    for (const { be, was, dueAt, ...person } of rows) {
      const { segments } = asks.get(person.personId)!;
      for (const [i, entry] of some.entries()) {
        const { id } = entry.segment;
        const why = segments.get(id);
        if (!why) continue;
        if (dueAt[i]) turns.push({ ...person, kind: turn, key: id, dueAt: dueAt[i] });
        const is = (be >> i) & 1;
        if (is === ((was >> i) & 1)) continue;
        own.push(changeOf(person, entry, is === 1, why, now.at));
        for (const { segment } of rules.bySegment.get(id) ?? [])
          if (!segments.has(segment.id)) segments.set(segment.id, why);
      }
    }
    // Written before the segments that name these are asked.
    await store.apply(tx, house.newId, own);
    changes.push(...own);
  }
  await setTimers(tx, turns);
  return changes;
}
/** Segments that can be asked at once: none names another of its own helping, or of a later one. */
function levels(entries: readonly Ours[]): Ours[][] {
  const depth = new Map<string, number>();
  for (const { segment, on } of entries)
    depth.set(segment.id, 1 + Math.max(-1, ...[...on.segments].map((id) => depth.get(id) ?? -1)));
  const byDepth = Map.groupBy(entries, ({ segment }) => depth.get(segment.id)!);
  return [...byDepth]
    .toSorted(([a], [b]) => a - b)
    .flatMap(([, some]) =>
      Array.from({ length: Math.ceil(some.length / views.askedAtOnce) }, (_, i) =>
        some.slice(i * views.askedAtOnce, (i + 1) * views.askedAtOnce),
      ),
    );
}

const whatsOf = (rule: Rule) => [...conditions(rule)].flatMap((one) => eventsOf(one));
/** Since when events of each name matter to these rules, in ms; minus infinity: since ever. */
function sinceOf(entries: readonly { segment: { rule: Rule } }[], now: Clock): Map<string, number> {
  const since = new Map<string, number>();
  for (const { segment } of entries)
    for (const one of conditions(segment.rule))
      for (const { event } of eventsOf(one)) {
        const from = "window" in one && one.kind !== "first" ? spanOf(one.window, now).from : null;
        const begins = from ?? Number.NEGATIVE_INFINITY;
        since.set(event, Math.min(since.get(event) ?? Infinity, begins));
      }
  return since;
}
async function happenedTo(
  reader: Reader,
  people: readonly PersonKey[],
  since: ReadonlyMap<string, number>,
  told: readonly string[],
): Promise<Map<string, Happened[]>> {
  if (people.length === 0 || since.size === 0) return new Map();
  const from = Math.min(...since.values());
  const rows = await views.happened(
    reader,
    people,
    [...since.keys()],
    Number.isFinite(from) ? new Date(from) : null,
    told,
  );
  const of = new Map<string, Happened[]>();
  for (const { personId, name, at, id, data } of rows) {
    const one = { name, at: at.getTime(), id, data: data ?? {} };
    const had = of.get(personId);
    if (had) had.push(one);
    else of.set(personId, [one]);
  }
  return of;
}

type Facet = Facts & { segments: Set<string>; turns: Record<string, string> };
/** What these rules ask of these people, in two statements however many they are. */
export async function factsOf(
  reader: Reader,
  people: readonly PersonKey[],
  entries: readonly { segment: { rule: Rule }; on: Ours["on"]; whats: Ours["whats"] }[],
  now: Clock,
): Promise<Map<string, Facet>> {
  const whats = entries.flatMap((one) => one.whats);
  const told = whats.flatMap(({ event, where = [] }) => (where.length > 0 ? [event] : []));
  const names = {
    attributes: [...new Set(entries.flatMap(({ on }) => [...on.attributes]))],
    tags: [...new Set(entries.flatMap(({ on }) => [...on.tags]))],
  };
  const [rows, events] = await Promise.all([
    views.facts(reader, people, names),
    happenedTo(reader, people, sinceOf(entries, now), told),
  ]);
  return together(rows, events);
}
/** The same of all rules, where what people did is read only of those of whom it is not remembered. */
async function rememberedFacts(
  tx: Tx,
  kept: memory.Memory,
  rules: Rules,
  people: readonly PersonKey[],
  stamps: ReadonlyMap<string, bigint>,
  now: Clock,
): Promise<Map<string, Facet>> {
  const since = sinceOf(rules.segments, now);
  const events = new Map<string, Happened[]>();
  const unknown: PersonKey[] = [];
  for (const person of people) {
    const stamp = stamps.get(person.personId);
    if (stamp === undefined) continue;
    memory.outgrow(kept, person.personId, since);
    const had = memory.recall(kept, person.personId, stamp);
    if (had) events.set(person.personId, had);
    else unknown.push(person);
  }
  const [rows, read] = await Promise.all([
    views.facts(tx, people, {
      attributes: [...rules.byAttribute.keys()],
      tags: [...rules.byTag.keys()],
    }),
    happenedTo(tx, unknown, since, [...rules.told]),
  ]);
  for (const { personId } of unknown) {
    const all = memory.askedOf(kept, read.get(personId) ?? []);
    events.set(personId, all);
    memory.remember(kept, personId, stamps.get(personId)!, all);
  }
  return together(rows, events);
}
const together = (
  rows: readonly views.FactsRow[],
  events: ReadonlyMap<string, readonly Happened[]>,
): Map<string, Facet> =>
  new Map(
    rows.map(({ personId, tags, attributes, segments, turns }) => [
      personId,
      {
        personId,
        tags: new Map(
          Object.entries(tags).map(([tag, { value, expiresAt }]) => [
            tag,
            { value, expiresAt: expiresAt === null ? null : new Date(expiresAt) },
          ]),
        ),
        attributes: new Map(Object.entries(attributes).map(([name, { v }]) => [name, v])),
        segments: new Set(segments),
        turns,
        events: events.get(personId) ?? [],
      },
    ]),
  );
/** Tells other domains, where somebody listens. */
async function tell(
  house: House,
  tx: Tx,
  listeners: ReadonlySet<string>,
  changes: readonly store.Change[],
): Promise<void> {
  const feeds = await feedsService.listening(tx);
  const wanted = (name: string, segmentId: string) =>
    listeners.has(segmentId) ||
    listeners.has(store.anySegment) ||
    feeds.kept ||
    feeds.webhooks.some(({ types }) => types.includes(name));
  for (const type of [entered, left]) {
    const theirs = changes.filter(
      ({ change, segmentId }) => `segments.${change}` === type.name && wanted(type.name, segmentId),
    );
    await emitAll(
      house,
      tx,
      type,
      theirs.map(({ bucket, personId, segmentId, version, cause, at }) => ({
        person: { bucket, personId },
        data: { segment: segmentId, version, at: at.toISOString(), cause },
      })),
    );
  }
}

/**
 * Works out anew where these people are, in every segment: after a merge, an un-merge or a late event. One who is no
 * more is in none.
 */
export async function refold(house: House, tx: Tx, people: readonly PersonKey[]): Promise<void> {
  const book = await rulesNow(house, tx);
  if (book.rules.segments.length === 0 || people.length === 0) return;
  const joined = new Map(
    (await views.joinedBy(tx, people)).map(({ personId, id }) => [personId, id]),
  );
  const asks: Asks = new Map();
  for (const person of people) {
    const id = joined.get(person.personId);
    const cause = id === undefined ? null : ({ kind: "event", id } as const);
    for (const { segment } of book.rules.segments) ask(asks, person, segment.id, { cause, at: 0 });
  }
  await look(house, tx, book, asks);
}

// ── what comes in ──────────────────────────────────────────────────────────────────────────────────────────────────

/** What was touched is taken in helpings of so many. */
const touchedLimit = 5000;
/** Events after which whose an address is may have changed. */
const naming = ["identify", "alias", "bind", "unbind"];

/**
 * After everybody else has made what they make of a slice of the log: whom its events concern, by the names that rules
 * mention, and whose attributes and tags changed. What no rule mentions costs one look at a list of names.
 */
export async function consume(house: House, tx: Tx, slice: Slice): Promise<void> {
  const book = await rulesNow(house, tx);
  const { rules } = book;
  if (rules.segments.length === 0) return;
  const asks: Asks = new Map();
  const told: Told = {
    next: new Map(slice.buckets.map((bucket, i) => [bucket, slice.tos[i]! + 1n])),
    events: new Map(),
  };
  const isAsked = (name: string) =>
    rules.byEvent.has(name) || (rules.ofAddress.length > 0 && naming.includes(name));
  const names = (await views.namesInSlice(tx, slice)).map(({ name }) => name).filter(isAsked);
  if (names.length > 0) {
    const asking = names.filter((name) => rules.told.has(name));
    for (const row of await views.inSlice(tx, slice, names, asking)) {
      const one = { name: row.name, at: row.at.getTime(), id: row.id, data: row.data ?? {} };
      const why: Ask = { cause: { kind: "event", id: row.id }, at: one.at };
      let isAsking = false;
      for (const { segment, whats } of rules.byEvent.get(row.name) ?? [])
        if (whats.some((what) => isOf(one, what))) {
          ask(asks, row, segment.id, why);
          isAsking = true;
        }
      if (isAsking) {
        const theirs = told.events.get(row.personId);
        if (theirs) theirs.push(one);
        else told.events.set(row.personId, [one]);
      }
      if (naming.includes(row.name))
        for (const { segment } of rules.ofAddress) ask(asks, row, segment.id, why);
    }
  }
  const touched = await store.takeTouched(tx, touchedLimit);
  const nameless = touched.filter(({ cause }) => cause === null);
  const latest = nameless.length > 0 ? await views.latestInSlice(tx, slice, nameless) : [];
  askTouched(rules, asks, touched, new Map(latest.map(({ personId, id }) => [personId, id])));
  await look(house, tx, book, asks, told);
}

/** Looks at whoever was touched by anything but the log: a page, a timer, a night. Says how many; call until 0. */
export async function settle(house: House): Promise<number> {
  if (!(await store.isTouched(house.sql))) return 0;
  return house.sql.begin((tx) => settleIn(house, tx, new Map()));
}
async function settleIn(
  house: House,
  tx: Tx,
  causes: ReadonlyMap<string, string>,
): Promise<number> {
  const book = await rulesNow(house, tx);
  const touched = await store.takeTouched(tx, touchedLimit);
  const asks: Asks = new Map();
  askTouched(book.rules, asks, touched, causes);
  await look(house, tx, book, asks);
  return touched.length;
}

/** People the columns are told of in one go. */
const staleLimit = 20_000;
/** Tells the columns what is known of people; says of how many. Call again until it says 0. */
export async function ship(house: House): Promise<number> {
  if (!(await store.isStale(house.sql))) return 0;
  // One process at a time: versions are then in the order in which they were read.
  const sent = await whileHeld(house.sql, service.columnsLease, () =>
    house.sql.begin(async (tx) => {
      const lines = await store.takeStale(tx, staleLimit);
      if (lines.length > 0)
        await house.columns.insertLines("person", lines, `person:${house.newId()}`);
      return lines.length;
    }),
  );
  return sent ?? 0;
}

export const timers: TimerKind[] = [
  {
    kind: turn,
    clock: "shop",
    batch: 500,
    ring: async (house, tx, due) => {
      const book = await rulesNow(house, tx);
      const asks: Asks = new Map();
      for (const timer of due)
        if (book.rules.byId.has(timer.key)) ask(asks, timer, timer.key, { cause: null, at: 0 });
      await look(house, tx, book, asks);
    },
  },
  {
    kind: daily,
    clock: "shop",
    batch: 1,
    ring: async (house, tx, due) => {
      for (const { key } of due) await refreshIn(house, tx, key);
    },
  },
];

const reacts = (on: string, causeIn: string): Reaction => ({
  on,
  react: async (house, tx, events) => {
    const causes = new Map(
      events.flatMap(({ personId, data }): [string, string][] => {
        const cause = data[causeIn];
        return typeof cause === "string" ? [[personId, cause]] : [];
      }),
    );
    await settleIn(house, tx, causes);
  },
});
export const reactions: Reaction[] = [
  reacts("predict.staged", "cause"),
  reacts("orders.recorded", "eventId"),
  { on: "predict.known", react: (house, tx) => refreshAllIn(house, tx) },
  {
    on: "segments.defined",
    react: async (house, tx, events) => {
      for (const id of new Set(events.map(({ data }) => String(data["segment"]))))
        await refreshIn(house, tx, id);
    },
  },
];
