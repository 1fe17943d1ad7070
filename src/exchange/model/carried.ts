// What a line of a file of ours says of where it comes from: which source told it first, what was marked about it, whom it
// joined, and what a page only claimed. A line may come in as less than it was, and never as more.
import {
  flag,
  identify,
  isRefused,
  orderLine,
  partData,
  partTraits,
  traitsIn,
  whenOf,
  type From,
  type Incoming,
  type Refused,
  type Source,
} from "#collect/rules.ts";
import { identifierTypes, type Identifier } from "#people/rules.ts";
import { looksDirect } from "#privacy/rules.ts";

/** Gives a field of a record; undefined where there is none. */
export type Get = (field: string) => unknown;
/**
 * Whose word a file is taken for: the shop's own, or no better than a page's. Whoever brings the file says so; a file never
 * says it of itself.
 */
export type Trust = "shop" | "page";

/** The columns that say it; the same for order lines, events and relations. */
export const carriedFields = [
  "sourceId",
  "sourceName",
  "origin", // of the source: server, public, import
  "space", // the source whose numbers of people it speaks in, where that is another
  "marks",
  "links",
  "beside",
] as const;
export type Told = {
  sourceId: string;
  sourceName: string;
  sourceKind: Source["kind"];
  space: string | null;
  flags: number;
};
const origins: readonly string[] = ["server", "public", "import"];
/** Marks that follow from a line's coming are not carried: it comes anew. */
const marks = Object.entries(flag);
const besides = /^(claim|said|context)\./;
const uuid = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/;
/** An id of the log: version 8 is ours. */
const ownId = /^[\da-f]{8}-[\da-f]{4}-8[\da-f]{3}-[\da-f]{4}-[\da-f]{12}$/;
/** One event joins at most so many further identifiers; a name of a source is at most so long. */
const linksLimit = 20;
const nameLongest = 200;
const valueLongest = 1000;

/** The cells of what an event of the log was told with. */
export function carriedCells(
  told: Told,
  links: readonly Identifier[],
  beside: Record<string, unknown>,
): Record<string, string | null> {
  const said = (value: object) => (Object.keys(value).length > 0 ? JSON.stringify(value) : null);
  return {
    sourceId: told.sourceId,
    sourceName: told.sourceName,
    origin: told.sourceKind,
    space: told.space === null || told.space === told.sourceId ? null : told.space,
    marks: marks.flatMap(([word, bit]) => (told.flags & bit ? [word] : [])).join(" "),
    links: said(links),
    beside: said(beside),
  };
}

export type Carried = {
  id: string | null; // of the event, in the log that it was taken from
  from: From | null;
  /** A page's word, whatever else it says. */
  open: boolean;
  flags: number;
  links: Identifier[];
  beside: Record<string, string>;
  context: Record<string, unknown>;
};
const text = (value: unknown): string =>
  value === undefined || value === null
    ? ""
    : typeof value === "object"
      ? JSON.stringify(value)
      : String(value).trim();
const invalid = (field: string): Refused => ({ reason: "invalid", field });
const jsonOf = (value: unknown): unknown => {
  if (typeof value !== "string") return value ?? null;
  if (value.trim() === "") return null;
  try {
    return JSON.parse(value);
  } catch {
    return false;
  }
};

/** Reads those columns, where a file has them; or names the one that cannot be. */
export function carriedOf(get: Get, trust: Trust): Carried | Refused {
  const origin = text(get("origin"));
  if (origin !== "" && !origins.includes(origin)) return invalid("origin");
  const id = text(get("sourceId"));
  const space = text(get("space"));
  if (id !== "" && !uuid.test(id)) return invalid("sourceId");
  if (space !== "" && !uuid.test(space)) return invalid("space");
  const name = text(get("sourceName")) || id;
  if (name.length > nameLongest) return { reason: "too_large", field: "sourceName" };
  const kind = (origin || "import") as Source["kind"];
  // What is not vouched for names no source of ours and none of our events.
  const from: From | null =
    id === "" || trust === "page" ? null : { id, name, kind, space: space || id };
  let flags = 0;
  for (const word of text(get("marks")).split(" ")) {
    if (word === "") continue;
    const mark = marks.find(([own]) => own === word);
    if (!mark) return invalid("marks");
    flags |= mark[1];
  }
  // What came in by a file as a page's word is a page's word.
  const open = trust === "page" || origin === "public" || (flags & flag.page) !== 0;
  if (from === null && open) flags |= flag.page;
  const links = from ? linksOf(jsonOf(get("links")), open) : [];
  if (links === null) return invalid("links");
  const said = jsonOf(get("beside")) ?? {};
  if (typeof said !== "object" || Array.isArray(said)) return invalid("beside");
  const { context = {}, ...rest } = said as Record<string, unknown>;
  if (typeof context !== "object" || context === null || Array.isArray(context))
    return invalid("beside");
  const beside: Record<string, string> = {};
  for (const [place, value] of Object.entries(rest)) {
    if (!besides.test(place) || typeof value !== "string") return invalid("beside");
    beside[place] = value;
  }
  const key = text(get("key"));
  return {
    ...{ id: from && ownId.test(key) ? key : null, from, open, flags, links, beside },
    context: context as Record<string, unknown>,
  };
}
function linksOf(said: unknown, open: boolean): Identifier[] | null {
  if (said === null) return [];
  if (!Array.isArray(said) || said.length > linksLimit) return null;
  const links: Identifier[] = [];
  for (const one of said as unknown[]) {
    const { type, value } = (one ?? {}) as Record<string, unknown>;
    const known = identifierTypes.find((own) => own === type);
    if (!known || typeof value !== "string" || value === "" || value.length > valueLongest)
      return null;
    // A page's event joins nobody but the visitor that a person token vouched for.
    if (open && known !== "anonymous_id") return null;
    links.push({ type: known, value });
  }
  return links;
}

/** An event that was made from a line, with where it comes from. */
export const withOrigin = (event: Incoming, { id, from, flags }: Carried): Incoming => {
  const all = (event.flags ?? 0) | flags;
  return {
    ...event,
    ...(id ? { id } : {}),
    ...(from ? { from } : {}),
    ...(all > 0 ? { flags: all } : {}),
  };
};

type Said = {
  key: string;
  name: string;
  user: string | undefined;
  anonymous: string | undefined;
  at: Date;
  data: Record<string, unknown>;
  traits: Record<string, unknown>;
  sender?: Identifier; // of another type than a user's or a visitor's
};
/** An event of a log as it stood there: read by its source once, so that nothing is made of it now that was not then. */
export function carriedEvent(said: Said, carried: Carried, now: Date): Incoming | Refused {
  const { key, name, user, anonymous, at } = said;
  const when = whenOf(at, now);
  if (isRefused(when)) return when;
  if (name === orderLine) return { reason: "use_order_lines", field: "name" };
  if (looksDirect(name)) return invalid("name");
  const ours = Object.keys(said.data).find((field) => field.startsWith("$"));
  if (ours !== undefined) return invalid(`data.${ours}`);
  const traits = partTraits(said.traits);
  if ("unfit" in traits) return invalid(`traits.${traits.unfit}`);
  const data = partData(said.data, name);
  const context = partData(carried.context);
  const direct = { ...data.direct, ...traits.direct, ...carried.beside };
  for (const [place, value] of Object.entries(context.direct))
    direct[`context.${place.slice("data.".length)}`] = value;
  const sender: Identifier | null =
    said.sender ??
    (user !== undefined
      ? { type: "user_id", value: user }
      : anonymous === undefined
        ? null
        : { type: "anonymous_id", value: anonymous });
  const isOfSomebody =
    [identify, "alias", "group"].includes(name) || Object.keys(direct).length > 0;
  if (!sender && (carried.open || isOfSomebody)) return { reason: "no_sender", field: "user" };
  const links = [
    ...(user !== undefined && anonymous !== undefined
      ? [{ type: "anonymous_id", value: anonymous } as const]
      : []),
    ...carried.links,
  ];
  const full = (value: object) => Object.keys(value).length > 0;
  return withOrigin(
    {
      ...{ key, name, at },
      data: {
        ...data.plain,
        ...(full(context.plain) ? { $context: context.plain } : {}),
        ...(full(traits.derived) ? { [traitsIn]: traits.derived } : {}),
      },
      ...(full(direct) ? { direct } : {}),
      ...(sender ? { sender } : {}),
      ...(links.length > 0 ? { links } : {}),
    },
    carried,
  );
}
