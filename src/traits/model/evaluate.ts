// What a trait is of one person, from a list of what they did. The statement in views.ts says the same of everybody.
//
// Many traits ask about the same events: what an event says at a path, and whether it fits a filter, is found out once for
// all of them.
import { at, byCodePoint, holds, type Filter } from "#segments/rules.ts";
import {
  asks,
  decimalOf,
  decimalText,
  distinctLimit,
  keyOf,
  type Fn,
  type Pieces,
  type Trait,
} from "../rules.ts";

/** `at` in ms of UTC; `flags` as the log has them. */
export type Happened = { name: string; at: number; id: string; flags: number; data: unknown };
/** Of bots, of staff, or what a page only claims of an order. */
const leftOut = 1 | 2 | 64;

/** What one person did of one name, in order, and what is known of each: one entry an event. */
export type History = {
  events: readonly Happened[];
  numbers: (property: string) => readonly (bigint | null)[];
  keys: (property: string) => readonly (string | null)[];
  fits: (filter: Filter) => readonly boolean[];
};
/** Events in whatever order. */
export function historyOf(all: readonly Happened[]): History {
  const events = all
    .filter(({ flags }) => (flags & leftOut) === 0)
    .toSorted((a, b) => a.at - b.at || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  const once = <A, T>(of: (event: Happened, asked: A) => T, name: (asked: A) => string) => {
    const found = new Map<string, T[]>();
    return (asked: A): T[] => {
      const key = name(asked);
      let had = found.get(key);
      if (!had) found.set(key, (had = events.map((event) => of(event, asked))));
      return had;
    };
  };
  const itself = (property: string) => property;
  return {
    events,
    numbers: once(({ data }, property: string) => decimalOf(at(data, property)), itself),
    keys: once(({ data }, property: string) => keyOf(at(data, property)), itself),
    fits: once(
      ({ data }, filter: Filter) => holds(filter, data),
      (filter) => JSON.stringify(filter),
    ),
  };
}

/** The pieces of a trait's figure. `now` in ms of UTC. */
export function piecesOf(trait: Trait, history: History, now: number): Pieces {
  const { fn, event, property = "", hours, where = [] } = trait;
  const { events } = history;
  const asked = asks(fn);
  const from = hours === null ? -Infinity : now - hours * 3_600_000;
  const numbers = asked === "number" ? history.numbers(property) : null;
  const keys = asked === "value" ? history.keys(property) : null;
  const filters = where.map(history.fits);
  const counted: number[] = [];
  let aheadAt: number | null = null;
  for (const [i, one] of events.entries()) {
    if (one.at <= from || one.name !== event) continue;
    if ((numbers && numbers[i] === null) || (keys && keys[i] === null)) continue;
    if (!filters.every((fit) => fit[i])) continue;
    if (one.at <= now) counted.push(i);
    else aheadAt ??= one.at;
  }
  const [first, last] = [events[counted[0] ?? -1], events[counted.at(-1) ?? -1]];
  return {
    n: counted.length,
    ...(numbers ? figures(fn, numbers, counted) : { sum: null, least: null, most: null }),
    keys: keys ? valuesOf(fn, keys, counted, events) : [],
    firstAt: first?.at ?? null,
    lastAt: last?.at ?? null,
    lastId: last?.id ?? null,
    aheadAt,
  };
}
function figures(
  fn: Fn,
  numbers: readonly (bigint | null)[],
  counted: readonly number[],
): Pick<Pieces, "sum" | "least" | "most"> {
  const [begin] = counted;
  if (begin === undefined) return { sum: null, least: null, most: null };
  let [sum, least, most] = [0n, numbers[begin]!, numbers[begin]!];
  for (const i of counted) {
    const number = numbers[i]!;
    sum += number;
    if (number < least) least = number;
    if (number > most) most = number;
  }
  // Of the three a figure is made of one.
  return {
    sum: fn === "sum" || fn === "average" ? decimalText(sum) : null,
    least: fn === "min" ? decimalText(least) : null,
    most: fn === "max" ? decimalText(most) : null,
  };
}

function valuesOf(
  fn: Fn,
  keys: readonly (string | null)[],
  counted: readonly number[],
  events: readonly Happened[],
): string[] {
  if (fn === "first") return counted.slice(0, 1).map((i) => keys[i]!);
  if (fn === "last") return counted.slice(-1).map((i) => keys[i]!);
  const seen = new Map<string, { n: number; latest: number }>();
  for (const i of counted) {
    const key = keys[i]!;
    const had = seen.get(key);
    if (had) {
      had.n += 1;
      had.latest = events[i]!.at;
    } else seen.set(key, { n: 1, latest: events[i]!.at });
  }
  const sorted = [...seen].toSorted(
    ([a, x], [b, y]) =>
      (fn === "most_frequent" ? y.n - x.n : 0) || y.latest - x.latest || byCodePoint(a, b),
  );
  return sorted.slice(0, fn === "most_frequent" ? 1 : distinctLimit).map(([key]) => key);
}
