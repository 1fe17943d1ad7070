// Who is in which segment: all of one at once, or single people as soon as something changes that a rule asks about.
import { nextOf } from "#collect/service.ts";
import type { House } from "#kernel/endpoint.ts";
import { whileHeld } from "#kernel/lease.ts";
import { emitAll, type Reaction } from "#kernel/outbox.ts";
import type { PersonKey, Slice, Tx } from "#kernel/sql.ts";
import { dropTimers, setTimers, setTimersFrom, type TimerKind } from "#kernel/timers.ts";
import * as feedsService from "#feeds/service.ts";
import { companyDue, lookAtCompanies, tellOfCompanies, touchThrough } from "./companies.ts";
import { entered, left, removed } from "./events.ts";
import { happenedTo, sinceOf, togetherWith, type Facet } from "./facts.ts";
import {
  bookOf,
  interestsOf,
  movesCompanies,
  movingOf,
  shrinks,
  type Book,
  type Entry,
} from "./model/book.ts";
import { fits, isOf } from "./model/evaluate.ts";
import * as memory from "./model/memory.ts";
import { nextTurn } from "./model/turns.ts";
import { atInstant, dependsOn, type Clock, type Happened, type Known } from "./rules.ts";
import * as service from "./service.ts";
import * as store from "./store.ts";
import * as views from "./views.ts";

const clockOf = (house: House): Clock => ({
  at: house.clocks.shop(),
  timeZone: house.clocks.timeZone,
});

type Rules = Book<store.Segment>;
type Ours = Entry<store.Segment>;
type Kept = {
  rules: Rules;
  listeners: ReadonlySet<string>;
  memory: memory.Memory;
  /** Was a segment ever deleted? */
  gone: boolean;
};
/** The rules as this process last read them. Read again when their generation says so. */
const kept = new WeakMap<object, Kept>();
async function rulesNow(house: House, tx: Tx): Promise<Kept> {
  const generation = await store.heldGeneration(tx);
  const had = kept.get(house);
  if (had?.rules.generation === generation) return had;
  const [all, listening, asked, gone] = await Promise.all([
    store.all(tx),
    store.listeners(tx),
    store.interested(tx),
    store.anyGone(tx),
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
  const rules = bookOf(generation, all);
  const read = {
    rules,
    gone,
    listeners: new Set(listening.map(({ segmentId }) => segmentId)),
    memory: memory.newMemory(
      generation,
      rules.segments.flatMap(({ whats }) => whats),
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

/** These segments, and after each that changed those that name it. */
async function refreshWith(house: House, tx: Tx, ids: readonly string[]): Promise<void> {
  const { rules } = await rulesNow(house, tx);
  const due = new Set(ids);
  for (const { segment } of rules.segments) {
    if (!due.has(segment.id)) continue;
    const { entered: came, left: went } = await refreshIn(house, tx, segment.id);
    if (came + went > 0)
      for (const other of rules.segments)
        if (other.on.segments.has(segment.id)) due.add(other.segment.id);
  }
}

/**
 * Of so many whom one working out of all of a segment lets in or out, what brought it about is looked for and whoever
 * listens is told; the rest stand in the log without a cause, and the page says how many.
 */
const causesLimit = 100_000;
const causesHelping = 10_000;

async function refreshIn(
  house: House,
  tx: Tx,
  segmentId: string,
): Promise<{ entered: number; left: number }> {
  const now = clockOf(house);
  await store.asksEverybody(tx, false);
  // Before the segment, as everybody does.
  const { listeners } = await rulesNow(house, tx);
  await store.lockWhole(tx, [segmentId]);
  const segment = await store.byId(tx, segmentId);
  if (!segment) return { entered: 0, left: 0 };
  const { rule, version } = segment;
  // Their timers are set as they are looked at.
  if (movesCompanies(rule, segment.level)) await store.touchEveryCompany(tx);
  if (segment.level === "company") return refreshCompanies(house, tx, segment, listeners, now);
  const asked = atInstant(rule, now, await service.knownIn(tx, [rule]));
  const fit = views.matching(tx, asked, now.at);
  const unforeseen = views.isUnforeseen(asked);
  if (unforeseen) await store.asksEverybody(tx, true);
  const made = await store.replaceMembers(
    tx,
    { segmentId, version, at: now.at },
    fit as unknown as Parameters<typeof store.replaceMembers>[2],
    segment.refreshedAt !== null && segment.refreshedAt >= segment.definedAt,
  );
  if (unforeseen) await store.asksEverybody(tx, false);
  const changed = made.entered + made.left;
  if (changed > 0) {
    const explained = await explain(tx, segment, now.at);
    await store.putRecount(tx, segmentId, { ...made, at: now.at, version, asked: explained });
  }
  if (changed > 0 && changed <= causesLimit)
    await tell(house, tx, listeners, await store.lines(tx, segmentId, now.at));
  await store.markRefreshed(tx, segmentId, now.at);
  await setTurns(house, tx, segment, now);
  return made;
}
async function refreshCompanies(
  house: House,
  tx: Tx,
  { id: segmentId, rule, version }: store.Segment,
  listeners: ReadonlySet<string>,
  now: Clock,
): Promise<{ entered: number; left: number }> {
  const fit = views.matching(tx, atInstant(rule, now), now.at, "company");
  const changed = await store.replaceCompanies(
    tx,
    { segmentId, version, at: now.at },
    fit as unknown as Parameters<typeof store.replaceCompanies>[2],
  );
  await store.markRefreshed(tx, segmentId, now.at);
  const changes = changed.map((one) => ({ ...one, segmentId, version, cause: null, at: now.at }));
  await tellOfCompanies(house, tx, await wantedBy(tx, listeners), changes);
  const came = changed.filter(({ change }) => change === "entered").length;
  return { entered: came, left: changed.length - came };
}
/**
 * Writes down what brought each change about: a tag's change, else the latest event that the rule asks about, or the last
 * order where it asks of attributes. What happened before the segment was last worked out makes nobody leave: time does.
 * Gives of how many it was looked for.
 */
async function explain(
  tx: Tx,
  { id, rule, level, refreshedAt }: store.Segment,
  at: Date,
): Promise<number> {
  const { own: on } = dependsOn(rule, level);
  let looked = 0;
  for (let after: PersonKey | null = null; looked < causesLimit;) {
    const rows: Awaited<ReturnType<typeof store.changedAt>> = await store.changedAt(
      tx,
      id,
      at,
      [...on.tags],
      after,
      causesHelping,
    );
    const untold = rows.filter(({ logId }) => logId === null);
    const happened =
      on.events.length > 0 && untold.length > 0
        ? await views.latestSuch(tx, untold, on.events, at)
        : [];
    const asked = new Map(happened.map((one) => [one.personId, one]));
    const causes = rows.flatMap(({ bucket, personId, change, logId, eventId, eventAt }) => {
      const told = asked.get(personId);
      const since = change === "left" ? refreshedAt : null;
      const events = [
        ...(told && (!since || told.at > since) ? [told] : []),
        ...(on.attributes.size > 0 && eventId && eventAt ? [{ id: eventId, at: eventAt }] : []),
      ].toSorted((one, other) => other.at.getTime() - one.at.getTime());
      const cause = logId
        ? ({ kind: "tag", id: logId } as const)
        : events[0]
          ? ({ kind: "event", id: events[0].id } as const)
          : null;
      return cause ? [{ bucket, personId, cause }] : [];
    });
    if (causes.length > 0) await store.setCauses(tx, id, at, causes);
    looked += rows.length;
    if (rows.length < causesHelping) break;
    after = rows.at(-1)!;
  }
  return looked;
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

/**
 * Everybody leaves a segment that was deleted. Nobody else writes of it any more, so that it needs no place among those
 * who look at people.
 */
async function leaveAll(
  house: House,
  tx: Tx,
  { segment, version, lists }: { segment: string; version: number; lists: readonly string[] },
): Promise<void> {
  const { at } = clockOf(house);
  await store.asksEverybody(tx, false);
  const of = { segmentId: segment, version, at };
  const fit = store.nobodyFits(tx) as unknown as Parameters<typeof store.replaceMembers>[2];
  const listening = new Set((await store.listeners(tx)).map(({ segmentId }) => segmentId));
  const { left: went } = await store.replaceMembers(tx, of, fit, false);
  if (went > 0 && went <= causesLimit)
    await tell(house, tx, listening, await store.lines(tx, segment, at));
  const companies = await store.replaceCompanies(tx, of, fit);
  await tellOfCompanies(
    house,
    tx,
    await wantedBy(tx, listening),
    companies.map((one) => ({ ...one, segmentId: segment, version, cause: null, at })),
  );
  await store.dropListed(tx, lists);
  for (const kind of [turn, daily]) await dropTimers(tx, kind, segment);
}

// ── single people ──────────────────────────────────────────────────────────────────────────────────────────────────

/** Whom to look at: of each person, the segments in question, and why. */
type Ask = { cause: store.Cause | null; at: number };
type Asks = Map<string, { person: PersonKey; segments: Map<string, Ask> }>;
type Through = { person: PersonKey; cause: store.Cause | null }[];
/** Of several reasons, a change of a tag goes before an event, and the later event before the earlier. */
function ask(asks: Asks, { bucket, personId }: PersonKey, segmentId: string, why: Ask): void {
  let one = asks.get(personId);
  if (!one) asks.set(personId, (one = { person: { bucket, personId }, segments: new Map() }));
  const had = one.segments.get(segmentId);
  const rank = ({ cause }: Ask) => (cause === null ? 0 : cause.kind === "event" ? 1 : 2);
  if (!had || rank(why) > rank(had) || (rank(why) === rank(had) && why.at >= had.at))
    one.segments.set(segmentId, why);
}
/** Gives those whose companies are concerned as well. */
function askTouched(
  { byAttribute, byTag, ofAnybody, ofAddress, ofCompanies, through }: Rules,
  asks: Asks,
  touched: readonly store.Touched[],
  causes: ReadonlyMap<string, string>,
): Through {
  const concerned: Through = [];
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
          : kind === "company"
            ? ofCompanies
            : [...ofAnybody, ...ofAddress];
    for (const { segment } of those ?? []) ask(asks, person, segment.id, why);
    if (
      (kind === "attribute" && through.byAttribute.has(name)) ||
      (kind === "tag" && through.byTag.has(name))
    )
      concerned.push({ person, cause: why.cause });
  }
  return concerned;
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
  // Of so many people each one's row would be written for its lock: they have the segments to themselves instead, unless
  // somebody else is at work on them.
  const atOnce = !told && asked.length >= togetherFrom && (await store.tryLockWhole(tx, ids));
  if (!atOnce) await store.lockShared(tx, ids);
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
  await touchThrough(
    tx,
    changes.flatMap(({ bucket, personId, segmentId, cause }) =>
      rules.through.bySegment.has(segmentId) ? [{ person: { bucket, personId }, cause }] : [],
    ),
  );
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
    entries,
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

/** What rules ask of these people, where what they did is read only of those of whom it is not remembered. */
async function rememberedFacts(
  tx: Tx,
  kept: memory.Memory,
  rules: Rules,
  entries: readonly Ours[],
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
  const reading = happenedTo(tx, unknown, since, [...rules.told]).then((read) => {
    for (const { personId } of unknown) {
      const all = memory.askedOf(kept, read.get(personId) ?? []);
      events.set(personId, all);
      memory.remember(kept, personId, stamps.get(personId)!, all);
    }
    return events;
  });
  return togetherWith(tx, people, entries, now, reading);
}
/** Does anybody want to hear of an event about a segment? */
async function wantedBy(tx: Tx, listeners: ReadonlySet<string>) {
  const feeds = await feedsService.listening(tx);
  return (name: string, segmentId: string): boolean =>
    listeners.has(segmentId) ||
    listeners.has(store.anySegment) ||
    feeds.kept ||
    feeds.webhooks.some(({ types }) => types.includes(name));
}
/** Tells other domains, where somebody listens. */
async function tell(
  house: House,
  tx: Tx,
  listeners: ReadonlySet<string>,
  changes: readonly store.Change[],
): Promise<void> {
  const wanted = await wantedBy(tx, listeners);
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
  if (people.length === 0) return;
  const book = await rulesNow(house, tx);
  if (book.gone) await store.leaveGone(tx, people, house.clocks.shop());
  if (book.rules.segments.length === 0) return;
  const joined = new Map(
    (await views.joinedBy(tx, people)).map(({ personId, id }) => [personId, id]),
  );
  const asks: Asks = new Map();
  for (const person of people) {
    const id = joined.get(person.personId);
    const cause = id === undefined ? null : ({ kind: "event", id } as const);
    for (const { segment } of book.rules.segments)
      if (segment.level === "person") ask(asks, person, segment.id, { cause, at: 0 });
  }
  await look(house, tx, book, asks);
  if (asksOfCompanies(book.rules))
    await touchThrough(
      tx,
      people.map((person) => ({ person, cause: null })),
    );
}
const asksOfCompanies = ({ companies, ofCompanies }: Rules): boolean =>
  companies.length + ofCompanies.length > 0;

// ── what comes in ──────────────────────────────────────────────────────────────────────────────────────────────────

/** What was touched is taken in helpings of so many. */
const touchedLimit = 5000;
/** Events after which whose an address is may have changed. */
const naming = ["identify", "alias", "bind", "unbind"];
/** Events after which somebody may belong to another company, or their company be another. */
const joining = ["group", "Group Left"];

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
  const ofCompanies = asksOfCompanies(rules);
  const isAsked = (name: string) =>
    rules.byEvent.has(name) ||
    rules.through.byEvent.has(name) ||
    (ofCompanies && joining.includes(name)) ||
    (rules.ofAddress.length > 0 && naming.includes(name));
  const concerned: Through = [];
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
      const joins = ofCompanies && joining.includes(row.name);
      if (joins) for (const { segment } of rules.ofCompanies) ask(asks, row, segment.id, why);
      const asked = (rules.through.byEvent.get(row.name) ?? []).some(({ on }) =>
        on.people.events.some((what) => isOf(one, what)),
      );
      if (joins || asked) concerned.push({ person: row, cause: why.cause });
    }
  }
  const touched = await store.takeTouched(tx, touchedLimit);
  const nameless = touched.filter(({ cause }) => cause === null);
  const latest = nameless.length > 0 ? await views.latestInSlice(tx, slice, nameless) : [];
  concerned.push(
    ...askTouched(rules, asks, touched, new Map(latest.map(({ personId, id }) => [personId, id]))),
  );
  await look(house, tx, book, asks, told);
  await touchThrough(tx, concerned);
}

/**
 * Looks at whoever was touched by anything but the log: a page, a timer, a night; and at companies. Says how many; call
 * until 0.
 */
export async function settle(house: House): Promise<number> {
  if (await store.isTouched(house.sql))
    return house.sql.begin((tx) => settleIn(house, tx, new Map()));
  if (!(await store.isCompanyTouched(house.sql))) return 0;
  // One process at a time, so that no two looks at one company overlap.
  const settled = await whileHeld(house.sql, "segments.companies", () =>
    house.sql.begin((tx) => settleCompanies(house, tx)),
  );
  return settled ?? 0;
}
/** Companies looked at in one go. */
const companiesLimit = 100;
async function settleCompanies(house: House, tx: Tx): Promise<number> {
  const book = await rulesNow(house, tx);
  const { rules, listeners } = book;
  const touched = await store.takeTouchedCompanies(tx, companiesLimit);
  if (!asksOfCompanies(rules)) return touched.length;
  const { changes, people } = await lookAtCompanies(house, tx, rules, touched, clockOf(house));
  if (changes.length > 0) await tellOfCompanies(house, tx, await wantedBy(tx, listeners), changes);
  const causes = new Map(touched.map(({ companyId, cause }) => [companyId, cause]));
  const asks: Asks = new Map();
  for (const { companyId, ...person } of people)
    for (const { segment } of rules.ofCompanies)
      ask(asks, person, segment.id, { cause: causes.get(companyId) ?? null, at: 0 });
  await look(house, tx, book, asks);
  return touched.length;
}
async function settleIn(
  house: House,
  tx: Tx,
  causes: ReadonlyMap<string, string>,
): Promise<number> {
  const book = await rulesNow(house, tx);
  const touched = await store.takeTouched(tx, touchedLimit);
  const asks: Asks = new Map();
  const concerned = askTouched(book.rules, asks, touched, causes);
  await look(house, tx, book, asks);
  await touchThrough(tx, concerned);
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
      const companies = await store.takeStaleCompanies(tx, staleLimit);
      if (companies.length > 0)
        await house.columns.insertLines("company", companies, `company:${house.newId()}`);
      return lines.length + companies.length;
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
    kind: companyDue,
    clock: "shop",
    batch: 500,
    ring: async (_house, tx, due) => {
      await store.touchCompanies(
        tx,
        due.map(({ key }) => ({ companyId: key, cause: null })),
      );
    },
  },
  {
    kind: daily,
    clock: "shop",
    batch: 1,
    ring: async (house, tx, due) => {
      await refreshWith(
        house,
        tx,
        due.map(({ key }) => key),
      );
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
      await refreshWith(
        house,
        tx,
        events.map(({ data }) => String(data["segment"])),
      );
    },
  },
  {
    on: removed.name,
    react: async (house, tx, events) => {
      for (const { data } of events) await leaveAll(house, tx, removed.data.parse(data));
    },
  },
];
