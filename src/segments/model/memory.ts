// What people did, as far as rules ask of it, remembered by the process that reads the log: an event then costs no
// reading of everything that its person did before.
//
// What is remembered of somebody is all of it, or they are not remembered:
// - The log grows at its end alone, and whoever looks at a person has what was consumed of it. Where another process
//   consumed something, everything is forgotten (`keepsUp`).
// - Whose events are whose changes with a person's stamp; what was remembered under another stamp is read anew.
// - What rules ask changes with their generation, and then everything is forgotten too.
import type { Happened, What } from "../rules.ts";
import { partsOf } from "./filter.ts";
import { isOf } from "./evaluate.ts";

/** So many events are remembered at most, of whoever was looked at last: about 130 MB. */
const eventsLimit = 1_000_000;
/** Somebody with more events than this is read anew each time. */
const personLimit = 2000;

type Remembered = { stamp: bigint; events: Happened[] };
/** What rules ask of events of one name: since when it matters (null: ever) is asked at each instant. */
type Asked = { whats: What[]; properties: Set<string>; alike: Map<string, Happened["data"]> };
/** Of each name, so many different data are held once for all events that say the same; beyond that each holds its own. */
const alikeLimit = 10_000;
export type Memory = {
  generation: bigint;
  asked: ReadonlyMap<string, Asked>;
  /** Of each bucket, up to where (exclusive) the log was consumed with everything remembered in it. */
  upTo: Map<number, bigint>;
  people: Map<string, Remembered>;
  events: number;
  /** The last instant that was asked about: what no window reached then comes back to none, unless the clock goes back. */
  at: number;
};

export function newMemory(generation: bigint, whats: readonly What[]): Memory {
  const asked = new Map<string, Asked>();
  for (const what of whats) {
    const one: Asked = asked.get(what.event) ?? {
      ...{ whats: [], properties: new Set(), alike: new Map() },
    };
    asked.set(what.event, one);
    one.whats.push(what);
    for (const { property } of what.where ?? []) one.properties.add(partsOf(property)[0]!);
  }
  return { generation, asked, upTo: new Map(), people: new Map(), events: 0, at: 0 };
}

/**
 * Forgets everything where more was consumed than this process knows of. `next`: of each bucket, its first unread event;
 * `now` in ms.
 */
export function keepsUp(memory: Memory, next: ReadonlyMap<number, bigint>, now: number): void {
  const isBehind = [...next].some(([bucket, to]) => to > (memory.upTo.get(bucket) ?? -1n));
  if (isBehind || now < memory.at) {
    memory.people.clear();
    memory.events = 0;
    memory.upTo = new Map(next);
  }
  memory.at = now;
}

/** What of these rules ask at all, with the properties that they ask; in order of (time, id). */
export const askedOf = ({ asked }: Memory, events: readonly Happened[]): Happened[] =>
  events.flatMap((one) => {
    const its = asked.get(one.name);
    if (!its?.whats.some((what) => isOf(one, what))) return [];
    // The driver makes a new text of each name, and most events say what others said.
    const { event: name } = its.whats[0]!;
    return [{ name, at: one.at, id: one.id, data: heldOnce(its, one.data) }];
  });
function heldOnce({ properties, alike }: Asked, all: Happened["data"]): Happened["data"] {
  const data = Object.fromEntries(Object.entries(all).filter(([name]) => properties.has(name)));
  const said = JSON.stringify(data);
  const had = alike.get(said);
  if (had === undefined && alike.size < alikeLimit) alike.set(said, data);
  return had ?? data;
}

/** What somebody did, if it is remembered; who was asked last is forgotten last. */
export function recall(memory: Memory, personId: string, stamp: bigint): Happened[] | undefined {
  const had = memory.people.get(personId);
  if (!had) return undefined;
  memory.people.delete(personId);
  if (had.stamp === stamp) memory.people.set(personId, had);
  else memory.events -= had.events.length;
  return had.stamp === stamp ? had.events : undefined;
}
/** Remembers everything that somebody did. */
export function remember(
  memory: Memory,
  personId: string,
  stamp: bigint,
  events: Happened[],
): void {
  forget(memory, personId);
  if (events.length > personLimit) return;
  memory.people.set(personId, { stamp, events });
  memory.events += events.length;
  for (const oldest of memory.people.keys()) {
    if (memory.events <= eventsLimit) break;
    forget(memory, oldest);
  }
}
/** Somebody did more; what is known already is not there twice. */
export function append(memory: Memory, personId: string, more: readonly Happened[]): void {
  const had = memory.people.get(personId);
  if (!had) return;
  for (const one of more) {
    let at = had.events.length;
    while (at > 0 && isLater(had.events[at - 1]!, one)) at--;
    if (had.events[at - 1]?.id === one.id) continue;
    had.events.splice(at, 0, one);
    memory.events++;
  }
  if (had.events.length > personLimit) forget(memory, personId);
}
const isLater = (a: Happened, b: Happened): boolean => (a.at === b.at ? a.id > b.id : a.at > b.at);
/** What no window reaches any more: before `since` of its name. Undefined: everything matters. */
export function outgrow(
  memory: Memory,
  personId: string,
  since: ReadonlyMap<string, number>,
): void {
  const had = memory.people.get(personId);
  if (!had) return;
  let past = 0;
  for (const { name, at } of had.events) {
    if (at >= (since.get(name) ?? Number.NEGATIVE_INFINITY)) break;
    past++;
  }
  if (past === 0) return;
  had.events.splice(0, past);
  memory.events -= past;
}
function forget(memory: Memory, personId: string): void {
  const had = memory.people.get(personId);
  if (!had) return;
  memory.people.delete(personId);
  memory.events -= had.events.length;
}
