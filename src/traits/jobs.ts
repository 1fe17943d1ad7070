// Who has which figure: everybody after a declaration, in helpings; whoever did something at once; and whoever something
// left the window of, at that instant.
import type { House } from "#kernel/endpoint.ts";
import type { Reaction } from "#kernel/outbox.ts";
import { eachPerson, type PersonKey, type Slice, type Tx } from "#kernel/sql.ts";
import { setTimers, type TimerKind } from "#kernel/timers.ts";
import * as people from "#people/service.ts";
import {
  behaviourTags,
  reducedTo,
  saidOf,
  salesFor,
  shareNames,
  yearDays,
  type Shop,
} from "./model/behaviour.ts";
import { toldName } from "./model/preference.ts";
import { historyOf, piecesOf, type Happened, type History } from "./model/evaluate.ts";
import { laterSeconds, readLimit, resultOf, type Pieces, type Trait } from "./rules.ts";
import * as service from "./service.ts";
import * as store from "./store.ts";
import * as views from "./views.ts";

type Ask = { trait: Trait; people: readonly PersonKey[] };
const turn = "traits.turn";
const { later } = service;

type Found = (trait: Trait, person: PersonKey) => Pieces | undefined;
/**
 * Works out traits for people, says what is said otherwise now in their profiles, and when time alone may change it next.
 * Says how many figures changed.
 */
async function look(
  house: House,
  tx: Tx,
  asked: readonly Ask[],
  how: typeof read | typeof count = read,
): Promise<number> {
  const asks = asked.filter((one) => one.people.length > 0);
  if (asks.length === 0) return 0;
  const everybody = eachPerson(asks.flatMap((one) => one.people));
  const now = house.clocks.shop();
  // Sent together, and the lock first: the server reads nothing before it is held.
  const locked = store.lockPeople(tx, everybody).execute();
  const [, said, found] = await Promise.all([
    locked,
    views.said(
      tx,
      everybody,
      asks.map(({ trait }) => trait.name),
    ),
    how(house, tx, asks, now),
  ]);
  const had = new Map(said.map((one) => [one.personId, one.said]));
  const set: people.AttributeChange[] = [];
  const gone: { person: PersonKey; name: string; source: string }[] = [];
  const turns: Parameters<typeof setTimers>[1] = [];
  for (const { trait, people: those } of asks) {
    const { name } = trait;
    const source = service.sourceOf(name);
    for (const person of those) {
      const pieces = found(trait, person);
      if (pieces === waiting) continue;
      const is = pieces && resultOf(trait, pieces, now.getTime(), house.clocks.timeZone);
      const there = had.get(person.personId)?.[name];
      const was = there?.s === source ? there : undefined;
      if (is?.turn)
        turns.push({ ...keyOf(person), kind: turn, key: name, dueAt: new Date(is.turn) });
      if (!is || is.value === null) {
        if (was) gone.push({ person: keyOf(person), name, source });
      } else if (
        was?.id !== is.id ||
        Date.parse(was.at) !== is.at ||
        JSON.stringify(was.v) !== JSON.stringify(is.value)
      )
        set.push({
          ...{ person: keyOf(person), name, source, value: is.value },
          ...{ at: new Date(is.at), confidence: 1, eventId: is.id },
        });
    }
  }
  if (set.length > 0) await people.setAttributes(tx, set, now);
  if (gone.length > 0) await people.dropAttributes(tx, gone, now);
  if (turns.length > 0) await setTimers(tx, turns);
  return set.length + gone.length;
}
/** In the place of pieces that a job of their own works out. */
const waiting: Pieces = {
  ...{ n: 0, sum: null, least: null, most: null, keys: [] },
  ...{ firstAt: null, lastAt: null, lastId: null, aheadAt: null },
};

/** One statement a trait, for many people at once: PostgreSQL counts, and however much somebody did stays there. */
async function count(_house: House, tx: Tx, asks: readonly Ask[], now: Date): Promise<Found> {
  const found = await Promise.all(
    asks.map(({ trait, people: those }) => views.pieces(tx, trait, now, those)),
  );
  const byTrait = new Map(
    asks.map(({ trait }, i) => [
      trait.name,
      new Map(found[i]!.map((row): [string, Pieces] => [row.personId, row])),
    ]),
  );
  return (trait, { personId }) => byTrait.get(trait.name)?.get(personId);
}

/** So many people and names are read in one statement. */
const readAtOnce = 250;
/**
 * What people did is read once for all traits that ask about it, however many those are. Who did more of it than is read
 * at once waits for a job of their own.
 */
async function read(house: House, tx: Tx, asks: readonly Ask[], now: Date): Promise<Found> {
  const wanted = new Map<string, views.Wanted & { keys: Set<string> }>();
  for (const { trait, people: those } of asks) {
    const { event, hours } = trait;
    const since = hours === null ? null : new Date(now.getTime() - hours * 3_600_000);
    const keys = keysOf(trait);
    for (const { bucket, personId } of those) {
      const key = `${personId} ${event}`;
      const had = wanted.get(key);
      if (had) {
        if (had.since && (since === null || since < had.since)) had.since = since;
        for (const one of keys) had.keys.add(one);
      } else wanted.set(key, { bucket, personId, event, since, keys: new Set(keys) });
    }
  }
  const late = await views.waiting(tx, [...wanted.values()], later);
  const left = new Set(late.map(({ personId, event }) => `${personId} ${event}`));
  const all = [...wanted].flatMap(([key, one]) => (left.has(key) ? [] : [one]));
  const histories = new Map<string, History>();
  const much: views.Wanted[] = [];
  for (let i = 0; i < all.length; i += readAtOnce) {
    const some = all.slice(i, i + readAtOnce);
    const keys = [...new Set(some.flatMap((one) => [...one.keys]))];
    const rows = await views.happened(tx, some, keys, readLimit + 1);
    const of: Happened[][] = some.map(() => []);
    for (const { place, at, id, data } of rows)
      of[place - 1]!.push({
        ...{ name: some[place - 1]!.event, at, id, flags: 0 },
        data: Object.fromEntries(keys.map((key, k) => [key, data[k]])),
      });
    for (const [at, one] of some.entries()) {
      if (of[at]!.length > readLimit) much.push(one);
      else histories.set(`${one.personId} ${one.event}`, historyOf(of[at]!));
    }
  }
  const dueAt = new Date(house.clocks.machine().getTime() + laterSeconds * 1000);
  await setTimers(
    tx,
    much.map(({ event, ...person }) => ({ ...keyOf(person), kind: later, key: event, dueAt })),
  );
  return (trait, { personId }) => {
    const theirs = histories.get(`${personId} ${trait.event}`);
    return theirs ? piecesOf(trait, theirs, now.getTime()) : waiting;
  };
}
/** What a trait reads of what an event says: the first names of its paths. */
const keysOf = ({ property, where = [] }: Trait): string[] =>
  [...(property === undefined ? [] : [property]), ...where.map((one) => one.property)].map(
    (path) => path.split(".")[0]!,
  );
const keyOf = ({ bucket, personId }: PersonKey): PersonKey => ({ bucket, personId });

/** The slice that a transaction reads: what follows in it knows that these events are counted. */
const reading = new WeakMap<Tx, Slice>();
/** What traits make of a slice of the log: those that ask about its events, for the people whose events they are. */
export async function consume(house: House, tx: Tx, slice: Slice): Promise<void> {
  reading.set(tx, slice);
  const { byEvent, weighed } = await service.declared(house, tx);
  const names = new Set([...byEvent.keys(), ...preferring, ...sharing]);
  const touched = await views.touched(tx, slice, [...names]);
  if (touched.length === 0) return;
  const byName = Map.groupBy(touched, ({ name }) => name);
  await look(
    house,
    tx,
    [...byName].flatMap(([name, those]) =>
      (byEvent.get(name) ?? []).map((trait) => ({ trait, people: those })),
    ),
  );
  await behave(
    house,
    tx,
    [...byName].flatMap(([name, those]) => (sharing.has(name) ? those : [])),
  );
  const drawn = [...byName].flatMap(([name, those]) => (preferring.has(name) ? those : []));
  if (drawn.length === 0) return;
  // Held, so that whoever works them out anew beside this counts each event once.
  await store.lockPeople(tx, eachPerson(drawn));
  const added = await store.addPreferences(tx, slice, weighed);
  await prefer(house, tx, [...added, ...(byName.get(toldName) ?? [])]);
}
const preferring: ReadonlySet<string> = new Set([...service.weighedNames, toldName]);

/** Says in the profiles of these people what they are drawn to. */
async function prefer(house: House, tx: Tx, all: readonly PersonKey[]): Promise<void> {
  const those = eachPerson(all);
  if (those.length === 0) return;
  const now = house.clocks.shop();
  const [known, said] = await Promise.all([
    service.drawn(tx, those),
    views.preferred(tx, those, preferenceNames),
  ]);
  const had = new Map(said.map((one) => [`${one.personId} ${one.name}`, one]));
  const set: people.AttributeChange[] = [];
  const gone: Parameters<typeof people.dropAttributes>[1][number][] = [];
  for (const person of those) {
    const { preferences = [], scores = [], told = [] } = known.get(person.personId) ?? {};
    const [first] = preferences;
    // As of the last thing that counts in it, done or said.
    const last = [
      ...scores.map(({ lastAt, lastId }) => ({ at: lastAt, id: lastId })),
      ...told.map(({ at, id }) => ({ at, id })),
    ].reduce((a, b) => (b.at > a.at || (b.at === a.at && b.id > a.id) ? b : a), { at: 0, id: "" });
    const times = scores.reduce((sum, one) => sum + one.times, 0);
    const confidence = first?.own ? 1 : Math.round((100 * times) / (times + 3)) / 100;
    const values = { category_preference: preferences, top_category: first?.category };
    for (const [name, value] of Object.entries(values)) {
      const was = had.get(`${person.personId} ${name}`);
      if (!first) {
        if (was) gone.push({ person, name, source: preferenceSource });
      } else if (
        was?.id !== last.id ||
        was.c !== confidence ||
        JSON.stringify(was.value) !== JSON.stringify(value)
      )
        set.push({
          ...{ person, name, value, source: preferenceSource, confidence },
          ...{ at: new Date(last.at), eventId: last.id },
        });
    }
  }
  if (set.length > 0) await people.setAttributes(tx, set, now);
  if (gone.length > 0) await people.dropAttributes(tx, gone, now);
}
const preferenceSource = "preference";
const preferenceNames = ["category_preference", "top_category"];
async function preferAnew(house: House, tx: Tx, those: readonly PersonKey[]): Promise<void> {
  if (those.length === 0) return;
  const { weighed } = await service.declared(house, tx);
  await store.lockPeople(tx, those);
  await store.remakePreferences(
    tx,
    those,
    weighed,
    reading.get(tx) ?? { buckets: [], froms: [], tos: [] },
  );
  await prefer(house, tx, those);
}

/**
 * Says of these people how they buy and share, as far as the shop has learned what to compare them with. `causes`: the
 * event behind it, by person id.
 */
async function behave(
  house: House,
  tx: Tx,
  all: readonly PersonKey[],
  causes: ReadonlyMap<string, string> = new Map(),
): Promise<void> {
  const those = eachPerson(all);
  const shop = await store.learnedOf(tx);
  if (those.length === 0 || shop.couponRate === undefined) return;
  const now = house.clocks.shop();
  const since = new Date(now.getTime() - yearDays * 86_400_000);
  await store.lockPeople(tx, those);
  const [done, said] = await Promise.all([
    views.deeds(tx, those, { since, now, shareNames, reducedTo }),
    views.tagsWithReason(tx, those, behaviourTags),
  ]);
  const had = new Map(said.map((one) => [`${one.personId} ${one.tag}`, one]));
  const rows: people.TagChange[] = [];
  for (const { bucket, personId, ...deeds } of done) {
    const person = { bucket, personId };
    const common = { person, kind: "statistic" as const, source: "traits", at: now };
    const is = new Map(saidOf(deeds, shop as Shop).map((one) => [one.tag, one]));
    for (const tag of behaviourTags) {
      const was = had.get(`${personId} ${tag}`);
      const one = is.get(tag);
      const cause = causes.get(personId);
      if (!one) {
        if (was) rows.push({ ...common, tag, value: null, reason: {}, cause });
      } else if (was?.value !== one.value || !sameFigures(was.reason, one.reason))
        rows.push({ ...common, ...one, cause });
    }
  }
  if (rows.length > 0) await people.setTags(tx, house.newId, rows);
}
const sameFigures = (a: Record<string, unknown>, b: Record<string, unknown>): boolean => {
  const names = Object.keys(b);
  return names.length === Object.keys(a).length && names.every((name) => a[name] === b[name]);
};
/** Learns from a year what anybody does, so that single people can be compared with it. */
async function learn(house: House, tx: Tx): Promise<void> {
  const now = house.clocks.shop();
  const since = new Date(now.getTime() - yearDays * 86_400_000);
  await tx`set local statement_timeout = '10min'`;
  await store.learnPrices(tx, { since, now, salesFor, reducedTo });
  await store.saveLearned(tx, await views.shopRates(tx, since, now, shareNames));
}
const sharing: ReadonlySet<string> = new Set(shareNames);

/**
 * Works out anew every trait, what they are drawn to, how they buy, and every tag by rule of these people: after a merge, its undoing or
 * a late event. Repeatable.
 */
export async function refold(house: House, tx: Tx, those: PersonKey[]): Promise<void> {
  const { traits, tags } = await service.declared(house, tx);
  await look(
    house,
    tx,
    traits.map((trait) => ({ trait, people: those })),
  );
  await preferAnew(house, tx, those);
  await behave(house, tx, those);
  await service.retag(house, tx, tags, those);
}

/** So many people in one transaction, after a declaration. */
const helping = 2000;
/** Says anew in these people's profiles what was told of them under this name. */
export type TellOwn = (
  house: House,
  tx: Tx,
  people: readonly PersonKey[],
  name: string,
) => Promise<void>;
/** The next helping of what follows from a declaration. Says whether there is more. */
export async function fill(
  house: House,
  tx: Tx,
  what: store.What,
  tellOwn: TellOwn,
): Promise<boolean> {
  const { traits, tags } = await service.declared(house, tx);
  const row = await store.held(tx, what);
  if (!row || row.state === "ready") return false;
  const those = await views.everyone(
    tx,
    { bucket: row.afterBucket, personId: row.afterId },
    helping,
  );
  const last = those.at(-1);
  if (!last) {
    if (row.state === "going") await store.drop(tx, what);
    else await store.ready(tx, what);
    return false;
  }
  const { name } = what;
  const going = row.state === "going";
  if (what.kind === "preference") {
    await preferAnew(house, tx, those);
  } else if (what.kind === "behaviour") {
    if (row.afterBucket < 0) await learn(house, tx);
    await behave(house, tx, those);
  } else if (what.kind === "attribute") {
    // Of one that is going nothing is told any more, so that it is taken away alone.
    await store.lockPeople(tx, those);
    await tellOwn(house, tx, those, name);
  } else if (what.kind === "tag") {
    const tag = tags.filter((one) => one.tag === name);
    await (going ? service.untag(house, tx, name, those) : service.retag(house, tx, tag, those));
  } else if (going) {
    await store.lockPeople(tx, those);
    await people.dropAttributes(
      tx,
      those.map((person) => ({ person: keyOf(person), name, source: service.sourceOf(name) })),
      house.clocks.shop(),
    );
  } else {
    const trait = traits.find((one) => one.name === name)!;
    await look(house, tx, [{ trait, people: those }], count);
  }
  await store.goOn(tx, what, last, those.length);
  return true;
}

export const timersWith = (tellOwn: TellOwn): TimerKind[] => [
  {
    kind: turn,
    clock: "shop",
    batch: 500,
    ring: async (house, tx, due) => {
      const { traits } = await service.declared(house, tx);
      const byName = Map.groupBy(due, ({ key }) => key);
      await look(
        house,
        tx,
        traits.flatMap((trait) => {
          const those = byName.get(trait.name);
          return those ? [{ trait, people: eachPerson(those) }] : [];
        }),
      );
    },
  },
  {
    // Whoever did so much that it is not read beside every event.
    kind: later,
    clock: "machine",
    batch: 5,
    ring: async (house, tx, due) => {
      const { byEvent } = await service.declared(house, tx);
      const asks = [...Map.groupBy(due, ({ key }) => key)].flatMap(([event, those]) =>
        (byEvent.get(event) ?? []).map((trait) => ({ trait, people: eachPerson(those) })),
      );
      await look(house, tx, asks, count);
    },
  },
  {
    kind: service.fillTimer,
    clock: "machine",
    batch: 1,
    ring: async (house, tx, due) => {
      for (const { data } of due) {
        const what = store.whatOf(data["kind"] as store.Kind, String(data["name"]));
        if (await fill(house, tx, what, tellOwn)) await service.setFill(house, tx, what);
      }
    },
  },
  {
    kind: people.tagEnds,
    clock: "shop",
    batch: 500,
    ring: async (house, tx, due) => {
      await people.endTags(house, tx, due);
      // What a hand held is the rules' again.
      await service.afterHand(
        house,
        tx,
        due.map((one) => ({ person: keyOf(one), tag: one.key })),
      );
    },
  },
];

/** Everybody is gone through again for these tags: more came or went than was told one by one. */
async function refill(house: House, tx: Tx, tags: service.Declarations["tags"]): Promise<void> {
  if (tags.length === 0) return;
  const total = await store.everybodyCount(tx);
  for (const { tag } of tags) {
    const what = store.whatOf("tag", tag);
    await store.restart(tx, what, "filling", total);
    await service.setFill(house, tx, what);
  }
}
const moved = (on: string): Reaction => ({
  on,
  react: async (house, tx, events) => {
    const { tags } = await service.declared(house, tx);
    const bySegment = Map.groupBy(events, ({ data }) => String(data["segment"]));
    for (const [segment, theirs] of bySegment) {
      const causes = new Map(
        theirs.flatMap(({ personId, data }): [string, string][] => {
          const cause = data["cause"] as { kind: string; id: string } | null;
          return cause?.kind === "event" ? [[personId, cause.id]] : [];
        }),
      );
      const asking = tags.filter(({ rules }) => rules.some((rule) => rule.segment === segment));
      await service.retag(house, tx, asking, eachPerson(theirs), causes);
    }
  },
});
export const reactions: Reaction[] = [
  moved("segments.entered"),
  moved("segments.left"),
  {
    on: "segments.defined",
    react: async (house, tx, events) => {
      if ((await store.allTags(tx)).length === 0) return;
      // Whether a tag follows from itself is a matter of what segments ask: read again.
      await store.nextGeneration(tx);
      const { tags } = await service.declared(house, tx);
      const defined = new Set(events.map(({ data }) => String(data["segment"])));
      await refill(
        house,
        tx,
        tags.filter(({ asks }) => [...defined].some((id) => asks.has(id))),
      );
    },
  },
  {
    on: "predict.known",
    react: async (house, tx) => {
      await refill(house, tx, (await service.declared(house, tx)).tags);
      const what = store.whatOf("behaviour", "behaviour");
      await store.restart(tx, what, "filling", await store.everybodyCount(tx));
      await service.setFill(house, tx, what);
    },
  },
  {
    on: "orders.recorded",
    react: (house, tx, events) =>
      behave(
        house,
        tx,
        events,
        new Map(events.map(({ personId, data }) => [personId, String(data["eventId"])])),
      ),
  },
];
