// A trait is a figure that we work out for everybody from what they did: how often they looked at shoes in thirty days,
// what they spent this year, which category they bought last. Whoever does something new has the new figure at once, and
// what leaves the window leaves the figure at that instant.
//
// What exactly it is, the same in PostgreSQL and for one person here:
// - Its events have its name, fit every filter, and lie in the window (now − hours, now]; without a window, at or before
//   now. What is dated after now has not happened yet. Events of bots and staff, and what a page only claims of an order,
//   are left out. Their order is that of (at, id).
// - Properties and filters are those of segments (#segments/model/filter.ts), word for word: a property is a path into what
//   the event says, and what is a number there is one here. An event without its property does not count for a function
//   that asks for one.
// - What is added up lies below 10^15 in size; it is a decimal and no double, rounded half away from zero to 9 places, so
//   that 0.1 + 0.2 is 0.3 however many are added.
// - A value is a text of 1 to 200 characters, a number of JSON, or a truth. Two are equal when type and value are: the text
//   "1" is not the number 1, and "Tea" is not "tea".
// - Where no event counts, nothing is said: no trait is 0 because nothing happened. Rules of segments ask for absence.
// - Sum, average, least and greatest ask for numbers; the average is rounded half away from zero to 6 places. What was most
//   frequent: of equally many the value seen latest, then the one whose text comes first. First and last: the value of the
//   first or last event. The list of distinct values begins with the one seen latest, then by text, and holds 100. Days
//   since: days of the shop's calendar since that of the latest event, at most 3,650: today's is 0, and the figure changes
//   by itself at the shop's midnight.
// - A result is a number of JSON: exact up to 15 digits, beyond that the nearest double.

import { addDays, dayOf, daysBetween, instantOf } from "#kernel/clock.ts";
import { isDecimal, type Filter } from "#segments/rules.ts";

export type { Deeds, Shop } from "./model/behaviour.ts";
export {
  isFilledBy,
  optionsLimit,
  ownLimit,
  ownSaid,
  ownTold,
  ownTypes,
  ownValue,
  type Own,
} from "./model/own.ts";
export { halfLifeLimits } from "./model/preference.ts";

export const functions = [
  "count",
  "sum",
  "average",
  "min",
  "max",
  "first",
  "last",
  "most_frequent",
  "distinct",
  "days_since",
] as const;
export type Fn = (typeof functions)[number];
/** Those that ask for a property, and of which kind. */
export const asks = (fn: Fn): "number" | "value" | null =>
  fn === "count" || fn === "days_since"
    ? null
    : fn === "sum" || fn === "average" || fn === "min" || fn === "max"
      ? "number"
      : "value";

export type Sentence = { zh: string; en: string };
export type Trait = {
  /** Of the attribute too. */
  name: string;
  label: Sentence;
  fn: Fn;
  event: string;
  property?: string | undefined;
  where?: Filter[] | undefined;
  /** The window looks back so many hours; null: to the beginning. */
  hours: number | null;
  /** Said behind the figure: "元", "times". */
  unit?: string | undefined;
  /** May members see theirs? Not unless said. */
  shown?: boolean | undefined;
};

/** Does a trait ask for what people answered under this name? */
export const asksAnswer = ({ event, property, where = [] }: Trait, name: string): boolean =>
  event === "identify" &&
  [property, ...where.map((one) => one.property)].some((path) => path === `answers.${name}`);
export { isPath } from "#segments/rules.ts";
/** Two years and a day. */
export const hoursLimit = 731 * 24;
export const traitsLimit = 200;
export const distinctLimit = 100;
export const daysLimit = 3650;
/**
 * Events of one name and person that are read at once. Whoever has more has their figures about it worked out by a job
 * of its own, each within `laterSeconds` of the event.
 */
export const readLimit = 10_000;
export const laterSeconds = 60;
const valueLimit = 200;

const places = 9;
/** A number as a whole number of 10^−9, or null. */
export function decimalOf(value: unknown): bigint | null {
  if (typeof value === "string") return isDecimal(value) ? scaled(value) : null;
  if (typeof value !== "number" || !(Math.abs(value) < 1e15)) return null;
  return scaled(String(value));
}
/** A decimal of any length, with or without exponent, rounded half away from zero. */
function scaled(text: string): bigint {
  const [, minus, whole = "", part = "", exponent = "0"] =
    /^(-?)(\d*)(?:\.(\d*))?(?:e([+-]?\d+))?$/.exec(text)!;
  // As almost all are written: no arithmetic but the reading of digits.
  if (exponent === "0" && part.length <= places) {
    const plain = BigInt(`${whole}${part.padEnd(places, "0")}`);
    return minus ? -plain : plain;
  }
  const shift = places - part.length + Number(exponent);
  const digits = BigInt(`${whole}${part}`);
  const size = shift >= 0 ? digits * 10n ** BigInt(shift) : divided(digits, 10n ** BigInt(-shift));
  return minus ? -size : size;
}
/** Rounded half away from zero; `by` is above zero. */
function divided(value: bigint, by: bigint): bigint {
  const size = value < 0n ? -value : value;
  const rounded = (2n * size + by) / (2n * by);
  return value < 0n ? -rounded : rounded;
}
/** A whole number of 10^−9 as the shortest decimal text. */
export function decimalText(value: bigint): string {
  const size = value < 0n ? -value : value;
  const digits = String(size).padStart(places + 1, "0");
  const part = digits.slice(-places).replace(/0+$/, "");
  return `${value < 0n ? "-" : ""}${digits.slice(0, -places)}${part === "" ? "" : `.${part}`}`;
}

/** What a property says, as text with its type before it; null where it is no value. */
export function keyOf(value: unknown): string | null {
  if (typeof value === "string") {
    const length = [...value].length;
    return length >= 1 && length <= valueLimit ? `s${value}` : null;
  }
  if (typeof value === "boolean") return `b${value}`;
  if (typeof value !== "number") return null;
  const number = decimalOf(value);
  return number === null ? null : `n${decimalText(number)}`;
}
/** The value that a key is of. */
export const valueOf = (key: string): string | number | boolean =>
  key[0] === "s" ? key.slice(1) : key[0] === "n" ? Number(key.slice(1)) : key === "btrue";

/** What was made of one person's events, before it is a figure. Instants in ms of UTC, decimals as text. */
export type Pieces = {
  /** Events that count; numbers and values are those of the property. */
  n: number;
  sum: string | null;
  least: string | null;
  most: string | null;
  /** Keys: of the first or last event, the most frequent, or those of the list in order. */
  keys: string[];
  firstAt: number | null;
  lastAt: number | null;
  lastId: string | null;
  /** The first such event that is dated after now. */
  aheadAt: number | null;
};
export type Value = string | number | boolean | (string | number | boolean)[];
/** `at` and `id`: of the latest event that counts. `turn`: when time alone may change it next, in ms. */
export type Result = { value: Value | null; at: number; id: string; turn: number | null };

const hourMs = 3_600_000;
/** What leaves a window next makes a difference to the latest event only where it is the latest. */
const leavesWith = (fn: Fn): "first" | "last" =>
  fn === "last" || fn === "days_since" ? "last" : "first";

/** The figure that pieces come to. */
export function resultOf({ fn, hours }: Trait, of: Pieces, now: number, timeZone: string): Result {
  const turns: number[] = of.aheadAt === null ? [] : [of.aheadAt];
  const { firstAt, lastAt, lastId } = of;
  if (firstAt === null || lastAt === null || lastId === null || of.n === 0)
    return { value: null, at: 0, id: "", turn: turns[0] ?? null };
  if (hours !== null) turns.push((leavesWith(fn) === "last" ? lastAt : firstAt) + hours * hourMs);
  let days = 0;
  if (fn === "days_since") {
    const today = dayOf(new Date(now), timeZone);
    days = Math.min(daysLimit, daysBetween(dayOf(new Date(lastAt), timeZone), today));
    if (days < daysLimit) turns.push(instantOf(`${addDays(today, 1)}T00:00`, timeZone).getTime());
  }
  const turn = turns.length > 0 ? Math.min(...turns) : null;
  return { value: figureOf(fn, of, days), at: lastAt, id: lastId, turn };
}
function figureOf(fn: Fn, { n, sum, least, most, keys }: Pieces, days: number): Value | null {
  switch (fn) {
    case "count":
      return n;
    case "days_since":
      return days;
    case "sum":
      return Number(sum);
    case "average":
      return Number(decimalText(divided(scaled(sum!), BigInt(n) * 1000n) * 1000n));
    case "min":
      return Number(least);
    case "max":
      return Number(most);
    case "distinct":
      return keys.slice(0, distinctLimit).map(valueOf);
    default:
      return keys[0] === undefined ? null : valueOf(keys[0]);
  }
}

// ── tags that follow from rules ──

/**
 * Whoever is in the segment carries the value; of several the first that fits counts. A tag by hand outweighs it for as
 * long as it is there, and a model does not touch a tag that has rules.
 */
export type TagRule = { value: string; segment: string };
export type TagDefinition = {
  tag: string;
  label: Sentence;
  /** May the person see it of themselves? */
  shown: boolean;
  rules: TagRule[];
};
export const tagsLimit = 200;
export const tagRulesLimit = 20;
/** Tags of a model in one request. */
export const tagBatchLimit = 1000;

/**
 * Does a tag follow from itself? `tagsOf` says which tags a segment asks about, other segments in it included. Such a tag
 * would come and go without end.
 */
export function isCircular(
  { tag, rules }: TagDefinition,
  all: readonly TagDefinition[],
  tagsOf: (segment: string) => Iterable<string>,
): boolean {
  const byTag = new Map(all.map((one) => [one.tag, one]));
  const seen = new Set<string>();
  const leadsBack = (of: readonly TagRule[]): boolean =>
    of.some(({ segment }) =>
      [...tagsOf(segment)].some((asked) => {
        if (asked === tag) return true;
        if (seen.has(asked)) return false;
        seen.add(asked);
        return leadsBack(byTag.get(asked)?.rules ?? []);
      }),
    );
  return leadsBack(rules);
}
