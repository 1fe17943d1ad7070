// JSON as it comes from outside. What PostgreSQL or another client could not hold unchanged is refused by its field.

/** Nesting deeper than this is no request of ours. */
const depthLimit = 64;
const beyondAll = "1e999";

export type Parsed = { ok: true; value: unknown } | { ok: false; field: string };

/** Parses, and names the first field whose number would be rounded, or whose text holds NUL or half a character. */
export function parseJson(text: string): Parsed {
  if (shallow(text) !== text) return { ok: false, field: "body" };
  let value: unknown;
  try {
    value = parseExactly(text);
  } catch {
    return { ok: false, field: "body" };
  }
  const field = badText(value, "");
  return field === null ? { ok: true, value } : { ok: false, field: field || "body" };
}

/**
 * Parses a text of which the parts are judged one by one, by `badIn`: what is wrong in one costs no other, nor does what
 * nests deeper than anybody nests. Undefined where it is no JSON.
 */
export function parseLoose(text: string): unknown {
  try {
    return JSON.parse(shallow(text), unrounded) as unknown;
  } catch {
    return undefined;
  }
}
/** The first field of a parsed part that could not be held unchanged, "" where it is the part itself; null where all can. */
export const badIn = (value: unknown): string | null => badText(value, "");

/** One item of a list; `bad` names the field that could not be held unchanged, "" where it is the item itself. */
export type Item = { value: unknown; bad: string | null };
/**
 * Reads {[name]: [...]} of which every item is judged alone: what is wrong in one costs no neighbour. Fails, with the
 * field, only where there is no such list.
 */
export function parseList(
  text: string,
  name: string,
): { ok: true; items: Item[] } | { ok: false; field: string } {
  let whole: unknown;
  try {
    whole = parseExactly(shallow(text));
  } catch {
    return { ok: false, field: "body" };
  }
  if (typeof whole !== "object" || whole === null || Array.isArray(whole))
    return { ok: false, field: "body" };
  const other = Object.keys(whole).find((key) => key !== name);
  if (other !== undefined) return { ok: false, field: isStorable(other) ? other : "body" };
  const list = (whole as Record<string, unknown>)[name];
  if (!Array.isArray(list)) return { ok: false, field: name };
  return { ok: true, items: list.map((value: unknown) => ({ value, bad: badText(value, "") })) };
}

/**
 * Only a number of many digits or with a power can lose some: the slow way is for texts that hold one outside of quotes,
 * or something within them that looks so.
 */
const parseExactly = (text: string): unknown =>
  /(?:^|[[:,\s])-?\d(?:[\d.]{14}|[\d.]{0,14}[eE])/.test(text)
    ? JSON.parse(text, unrounded)
    : JSON.parse(text);

/** No JSON says NaN: it stands for a number that would have been rounded. */
const unrounded = (_: string, item: unknown, context?: { source?: string }): unknown =>
  typeof item === "number" && !exact(item, context?.source ?? "") ? Number.NaN : item;

/** A fraction is always near enough. A whole number must be the very one, and what is not nothing must not become 0. */
function exact(item: number, source: string): boolean {
  if (!Number.isFinite(item)) return false;
  if (item === 0) return !/[1-9]/.test(source.split(/e/i)[0]!);
  if (!Number.isInteger(item) || Number.isSafeInteger(item)) return true;
  const [, whole = "", fraction = "", power = "0"] =
    /^-?(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(source) ?? [];
  if (source.length > 400) return false; // longer than any that could be exact and is written shortly
  const shift = Number(power) - fraction.length;
  const digits = BigInt(whole + fraction);
  const held = BigInt(Math.abs(item));
  return shift >= 0
    ? digits * 10n ** BigInt(shift) === held
    : digits === held * 10n ** BigInt(-shift);
}

/**
 * The text without what nests too deep: in the place of each such part stands a number beyond all, for which the one it
 * stands in is refused by that field, and no neighbour of it. What a part of that kind says is never looked at.
 */
function shallow(text: string): string {
  let depth = 0;
  let quoted = false;
  let left = "";
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (quoted) {
      if (c === 92) i++;
      else if (c === 34) quoted = false;
    } else if (c === 34) quoted = true;
    else if (c === 91 || c === 123) {
      if (++depth === depthLimit + 1) left += `${text.slice(from, i)}${beyondAll}`;
    } else if (c === 93 || c === 125) {
      if (depth-- === depthLimit + 1) from = i + 1;
    }
  }
  if (left === "") return text;
  return depth > depthLimit ? left : left + text.slice(from);
}

/** The first field of a query or path that PostgreSQL could not hold; null where all are well. */
export const unstorable = (value: Record<string, unknown>): string | null => badText(value, "");

function badText(value: unknown, at: string): string | null {
  if (typeof value === "string") return isStorable(value) ? null : at;
  if (typeof value === "number") return Number.isNaN(value) ? at : null;
  if (typeof value !== "object" || value === null) return null;
  for (const [key, item] of Object.entries(value)) {
    const path = at === "" ? key : `${at}.${key}`;
    if (!isStorable(key)) return at === "" ? "body" : at;
    const found = badText(item, path);
    if (found !== null) return found;
  }
  return null;
}
/** PostgreSQL's text holds neither NUL nor half of a surrogate pair. */
const isStorable = (text: string): boolean => !text.includes("\0") && text.isWellFormed();
