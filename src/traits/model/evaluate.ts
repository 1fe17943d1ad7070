// What a trait is of one person, from a list of what they did. The statement in views.ts says the same of everybody.
import { at, byCodePoint, holds } from "#segments/rules.ts";
import {
  asks,
  decimalOf,
  decimalText,
  distinctLimit,
  keyOf,
  type Pieces,
  type Trait,
} from "../rules.ts";

/** `at` in ms of UTC; `flags` as the log has them. */
export type Happened = { name: string; at: number; id: string; flags: number; data: unknown };
/** Of bots, of staff, or what a page only claims of an order. */
export const leftOut = 1 | 2 | 64;

type Counted = { at: number; id: string; number: bigint | null; key: string | null };
const inOrder = (a: Counted, b: Counted): number =>
  a.at - b.at || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);

/** The pieces of a trait's figure; events in whatever order. `now` in ms of UTC. */
export function piecesOf(trait: Trait, events: readonly Happened[], now: number): Pieces {
  const asked = asks(trait.fn);
  const from = trait.hours === null ? -Infinity : now - trait.hours * 3_600_000;
  const such: Counted[] = events.flatMap((one) => {
    if (one.name !== trait.event || (one.flags & leftOut) !== 0 || one.at <= from) return [];
    if (!(trait.where ?? []).every((filter) => holds(filter, one.data))) return [];
    const value = asked === null ? null : at(one.data, trait.property!);
    const number = asked === "number" ? decimalOf(value) : null;
    const key = asked === "value" ? keyOf(value) : null;
    if (asked !== null && number === null && key === null) return [];
    return [{ at: one.at, id: one.id, number, key }];
  });
  const counted = such.filter((one) => one.at <= now).toSorted(inOrder);
  const ahead = such.filter((one) => one.at > now).map((one) => one.at);
  const numbers = counted.flatMap(({ number }) => (number === null ? [] : [number]));
  const least = numbers.reduce<bigint | null>((a, b) => (a === null || b < a ? b : a), null);
  const most = numbers.reduce<bigint | null>((a, b) => (a === null || b > a ? b : a), null);
  const [first, last] = [counted[0], counted.at(-1)];
  const text = (value: bigint | null) => (value === null ? null : decimalText(value));
  return {
    n: counted.length,
    sum: numbers.length > 0 ? text(numbers.reduce((a, b) => a + b, 0n)) : null,
    least: text(least),
    most: text(most),
    keys: keysOf(trait, counted),
    firstAt: first?.at ?? null,
    lastAt: last?.at ?? null,
    lastId: last?.id ?? null,
    aheadAt: ahead.length > 0 ? Math.min(...ahead) : null,
  };
}

function keysOf({ fn }: Trait, counted: readonly Counted[]): string[] {
  if (fn === "first") return counted.slice(0, 1).map(({ key }) => key!);
  if (fn === "last") return counted.slice(-1).map(({ key }) => key!);
  if (fn !== "distinct" && fn !== "most_frequent") return [];
  const seen = new Map<string, { n: number; latest: number }>();
  for (const { key, at: when } of counted)
    seen.set(key!, { n: (seen.get(key!)?.n ?? 0) + 1, latest: when });
  const sorted = [...seen].toSorted(
    ([a, x], [b, y]) =>
      (fn === "most_frequent" ? y.n - x.n : 0) || y.latest - x.latest || byCodePoint(a, b),
  );
  return sorted.slice(0, fn === "most_frequent" ? 1 : distinctLimit).map(([key]) => key);
}
