// Who is in which segment: all of one at once, or one person in all of them as soon as something about them changes.
import type { House } from "#kernel/endpoint.ts";
import type { Reaction } from "#kernel/outbox.ts";
import type { PersonKey, Tx } from "#kernel/sql.ts";
import { setTimers, type TimerKind } from "#kernel/timers.ts";
import {
  atInstant,
  dependsOn,
  fits,
  inOrder,
  isTimed,
  nextTurn,
  type Clock,
  type Facts,
} from "./rules.ts";
import * as store from "./store.ts";
import * as views from "./views.ts";

const clockOf = (house: House): Clock => ({
  at: house.clocks.shop(),
  timeZone: house.clocks.timeZone,
});

/** Works out all of a segment anew. Returns how many came in and how many went out. */
export const refresh = (house: House, segmentId: string) =>
  house.sql.begin((tx) => refreshIn(house, tx, segmentId));
/** All segments, each after those that its rule names. */
export const refreshAll = (house: House) => house.sql.begin((tx) => refreshAllIn(house, tx));

async function refreshAllIn(house: House, tx: Tx): Promise<void> {
  for (const { id } of ordered(await store.allLocked(tx))) await refreshIn(house, tx, id);
}

async function refreshIn(
  house: House,
  tx: Tx,
  segmentId: string,
): Promise<{ entered: number; left: number }> {
  const now = clockOf(house);
  await store.lockWhole(tx, segmentId);
  const segment = await store.byId(tx, segmentId);
  if (!segment) return { entered: 0, left: 0 };
  const { rule, version } = segment;
  const { tags, attributes } = dependsOn(rule);
  const rows = await views.difference(tx, segmentId, atInstant(rule, now), now.at, [...tags]);
  await store.apply(
    tx,
    house.newId,
    rows.map(({ bucket, personId, change, logId, eventId }) => {
      const event = attributes.size > 0 && eventId ? { kind: "event" as const, id: eventId } : null;
      const cause = logId ? { kind: "tag" as const, id: logId } : event;
      return { bucket, personId, segmentId, version, change, cause, at: now.at };
    }),
  );
  await store.markRefreshed(tx, segmentId, now.at);
  if (isTimed(rule)) await setAllTurns(house, tx, segment, now);
  const entered = rows.filter(({ change }) => change === "entered").length;
  return { entered, left: rows.length - entered };
}

const turn = "segments.turn";
const turnOf = (person: PersonKey, segment: store.Segment, facts: Facts, now: Clock) => {
  const dueAt = nextTurn(segment.rule, facts, now);
  return dueAt ? [{ ...person, kind: turn, key: segment.id, dueAt }] : [];
};
const page = 5000;
async function setAllTurns(house: House, tx: Tx, segment: store.Segment, now: Clock) {
  for (let after: PersonKey | null = null; ;) {
    const people: PersonKey[] = await views.everyone(tx, after, page);
    if (people.length === 0) return;
    const rows = await views.facts(tx, people);
    await setTimers(
      tx,
      rows.flatMap((row) => turnOf(keyOf(row), segment, factsOf(row), now)),
    );
    after = people.at(-1)!;
  }
}

/** Why people are looked at: lines of the tag log, and the event behind them. Neither where time alone did it. */
type Why = { lines: readonly { tag: string; log: string }[]; event: string | null };

/** The change of a tag that the rule asks about; else the event; else whatever else changed. */
function causeOf(why: Why | undefined, asked: ReadonlySet<string>): store.Cause | null {
  const line = why?.lines.find(({ tag }) => asked.has(tag));
  if (line) return { kind: "tag", id: line.log };
  if (why?.event) return { kind: "event", id: why.event };
  const other = why?.lines[0];
  return other ? { kind: "tag", id: other.log } : null;
}

/** Works out these people's place in every segment. `whys` by person id. */
async function refreshPeople(
  house: House,
  tx: Tx,
  people: readonly PersonKey[],
  whys: ReadonlyMap<string, Why>,
  segments?: readonly store.Segment[],
): Promise<void> {
  const all = ordered(segments ?? (await store.lockShared(tx)));
  if (all.length === 0 || people.length === 0) return;
  const now = clockOf(house);
  const rules = all.map((segment) => ({
    segment,
    rule: atInstant(segment.rule, now),
    tags: dependsOn(segment.rule).tags,
  }));
  const changes: store.Change[] = [];
  const turns = [];
  for (const row of await views.facts(tx, people)) {
    const person = keyOf(row);
    const facts = factsOf(row);
    for (const { segment, rule, tags } of rules) {
      const is = facts.segments.has(segment.id);
      const be = fits(rule, facts, now.at);
      turns.push(...turnOf(person, segment, facts, now));
      if (is === be) continue;
      if (be) facts.segments.add(segment.id);
      else facts.segments.delete(segment.id);
      changes.push({
        ...person,
        segmentId: segment.id,
        version: segment.version,
        change: be ? "entered" : "left",
        cause: causeOf(whys.get(row.personId), tags),
        at: now.at,
      });
    }
  }
  await store.apply(tx, house.newId, changes);
  await setTimers(tx, turns);
}

/** No circle comes through `define`; were there one, each would still be looked at. */
const ordered = (all: readonly store.Segment[]): readonly store.Segment[] => inOrder(all) ?? all;
const keyOf = ({ bucket, personId }: PersonKey): PersonKey => ({ bucket, personId });
export const factsOf = ({ tags, attributes, segments }: views.FactsRow) => ({
  tags: new Map(
    Object.entries(tags).map(([tag, { value, expiresAt }]) => [
      tag,
      { value, expiresAt: expiresAt === null ? null : new Date(expiresAt) },
    ]),
  ),
  attributes: new Map(Object.entries(attributes).map(([name, { v }]) => [name, v])),
  segments: new Set(segments),
});

const peopleOf = (events: readonly PersonKey[]): PersonKey[] => [
  ...new Map(events.map((one) => [one.personId, keyOf(one)])).values(),
];

export const timers: TimerKind[] = [
  {
    kind: turn,
    clock: "shop",
    batch: 500,
    ring: (house, tx, due) => refreshPeople(house, tx, peopleOf(due), new Map()),
  },
];

export const reactions: Reaction[] = [
  {
    on: "predict.staged",
    react: (house, tx, events) => {
      const whys = new Map(
        events.map(({ personId, data }) => [
          personId,
          { lines: data["changes"] as Why["lines"], event: data["cause"] as string | null },
        ]),
      );
      return refreshPeople(house, tx, peopleOf(events), whys);
    },
  },
  {
    on: "orders.recorded",
    react: async (house, tx, events) => {
      const ids = events.map(({ data }) => String(data["eventId"]));
      const [segments, changed] = await Promise.all([store.lockShared(tx), views.linesBy(tx, ids)]);
      // An order changes attributes at once; the tags that follow from it tell of themselves.
      if (!segments.some(({ rule }) => dependsOn(rule).attributes.size > 0)) return;
      const lines = Map.groupBy(changed, ({ personId }) => personId);
      const whys = new Map(
        events.map(({ personId }, i) => [
          personId,
          { lines: lines.get(personId) ?? [], event: ids[i]! },
        ]),
      );
      await refreshPeople(house, tx, peopleOf(events), whys, segments);
    },
  },
  { on: "predict.known", react: (house, tx) => refreshAllIn(house, tx) },
  {
    on: "segments.defined",
    react: async (house, tx, events) => {
      for (const id of new Set(events.map(({ data }) => String(data["segment"]))))
        await refreshIn(house, tx, id);
    },
  },
];
