// What an event says, and how rules ask of it: one language for segments and for computed figures. The statements of
// PostgreSQL (../views.ts) and of ClickHouse (columns.ts) say the same.
//
// - A property is a path of names into what the event says, "a.b"; in a list a whole number from 0 is a place. What is not
//   there or null is not known, and of what is not known no comparison is true, "is not" neither.
// - A number is compared with a number, a text with a text by code points, a truth with a truth; of another kind no
//   comparison is true. A number is one of JSON below 10^18 in size, as a double; or a text that is written as JSON writes
//   a plain decimal of at most 15 digits, 9 of them behind the point: "39.90" is 39.9, "12 pairs", "007" and "1e3" are none.
//   With so few digits the double nearest to a text is no other text's, so that each engine compares exactly.

export type Comparison = "eq" | "ne" | "lt" | "le" | "gt" | "ge";
export type Filter =
  | { property: string; is: Comparison; value: string | number }
  | { property: string; is: "eq" | "ne"; value: boolean }
  | { property: string; is: "in"; values: string[] | number[] }
  | { property: string; is: "known" };

/** Of one event all filters hold. */
export const filtersLimit = 10;
/** Values that a property may be one of. */
export const valuesLimit = 100;
/** Names of a path, and places in a list. */
export const pathLimit = 5;

/** Is this a path as rules read it? Places in a list are written without leading zeros. */
export const isPath = (path: string): boolean => {
  const parts = path.split(".");
  return (
    parts.length <= pathLimit &&
    !path.startsWith("$") &&
    parts.every(
      (part) =>
        part.length >= 1 &&
        part.length <= 100 &&
        // What a database would read as a place in a list has one spelling.
        (!/^\s*[+-]?\d+$/.test(part) || isPlace(part)),
    )
  );
};
export const isPlace = (part: string): boolean => /^(0|[1-9]\d{0,2})$/.test(part);
export const partsOf = (path: string): string[] => path.split(".");

/** What an event says at a path. */
export function at(data: unknown, path: string): unknown {
  let found = data;
  for (const part of partsOf(path)) {
    if (typeof found !== "object" || found === null) return undefined;
    if (Array.isArray(found)) found = /^\d+$/.test(part) ? found[Number(part)] : undefined;
    else found = Object.hasOwn(found, part) ? (found as Record<string, unknown>)[part] : undefined;
  }
  return found;
}

/** A text that is a number: a plain decimal as JSON writes one, and of how many digits at most. */
export const plainDecimal = /^-?(0|[1-9][0-9]*)(\.[0-9]{1,9})?$/;
export const digitsLimit = 15;
export const isDecimal = (text: string): boolean =>
  plainDecimal.test(text) && text.replace(/[-.]/g, "").length <= digitsLimit;
/** A number as filters compare it, or null. */
function numberOf(value: unknown): number | null {
  if (typeof value === "string") return isDecimal(value) ? Number(value) : null;
  return typeof value === "number" && Math.abs(value) < 1e18 ? value : null;
}

/** Below 0, 0 or above 0. JavaScript's own order is that of UTF-16, where what lies beyond the first plane comes too soon. */
export function byCodePoint(a: string, b: string): number {
  if (a === b) return 0;
  for (let i = 0; i < a.length && i < b.length;) {
    const [one, other] = [a.codePointAt(i)!, b.codePointAt(i)!];
    if (one !== other) return one - other;
    i += one > 0xffff ? 2 : 1;
  }
  return a.length - b.length;
}
export function compare(value: number, is: Comparison, bound: number): boolean {
  switch (is) {
    case "eq":
      return value === bound;
    case "ne":
      return value !== bound;
    case "lt":
      return value < bound;
    case "le":
      return value <= bound;
    case "gt":
      return value > bound;
    case "ge":
      return value >= bound;
  }
}

/** Is this true of what an event says? */
export function holds(filter: Filter, data: unknown): boolean {
  const value = at(data, filter.property);
  switch (filter.is) {
    case "known":
      return (value ?? null) !== null;
    case "in":
      return filter.values.some((one) =>
        typeof one === "string" ? value === one : numberOf(value) === one,
      );
    default: {
      const asked = filter.value;
      if (typeof asked === "boolean")
        return typeof value === "boolean" && (value === asked) === (filter.is === "eq");
      if (typeof asked === "string")
        return typeof value === "string" && compare(byCodePoint(value, asked), filter.is, 0);
      const number = numberOf(value);
      return number !== null && compare(number, filter.is, asked);
    }
  }
}
