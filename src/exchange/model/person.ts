// A line of a file of people: what somebody is known by and what is known of them, each since when. One line becomes as
// many words as there were instants, so that what is told later still counts as later, and a page's word as a page's.
import { identify, isRefused, type Incoming, type Refused } from "#collect/rules.ts";
import { identifierTypes, type Identifier } from "#people/rules.ts";
import { readRecord, traitFields, type Here } from "../rules.ts";
import { carriedEvent, carriedOf, type Carried, type Get } from "./carried.ts";

type Known = Identifier & {
  at: string;
  joined: string;
  source: string;
  name: string;
  origin: string;
};
/** One person is known by so many identifiers at most in one line. */
const knownLimit = 500;

const text = (value: unknown): string =>
  typeof value === "string" ? value.trim() : typeof value === "number" ? String(value) : "";
const invalid = (field: string): Refused => ({ reason: "invalid", field });
export const jsonOf = (value: unknown): unknown => {
  if (typeof value !== "string") return value ?? null;
  try {
    return value.trim() === "" ? null : (JSON.parse(value) as unknown);
  } catch {
    return undefined;
  }
};
/** The identifiers that a line names, the main one first; null where they cannot be read. */
export function knownOf(said: unknown): Known[] | null {
  if (said === null) return [];
  if (!Array.isArray(said) || said.length > knownLimit) return null;
  const all: Known[] = [];
  for (const one of said as unknown[]) {
    const fields = (one ?? {}) as Record<string, unknown>;
    const type = identifierTypes.find((own) => own === fields["type"]);
    const value = text(fields["value"]);
    const at = text(fields["at"]);
    if (!type || value === "" || value.length > 1000 || Number.isNaN(Date.parse(at))) return null;
    const joined = text(fields["joined"]) || at;
    if (Number.isNaN(Date.parse(joined))) return null;
    const [source, name, origin] = ["sourceId", "sourceName", "origin"].map((n) => text(fields[n]));
    all.push({ type, value, at, joined, source: source!, name: name!, origin: origin! });
  }
  return all;
}

/** The events that a line comes to, the person's own first; or the field that cannot be read. */
export function readPerson(get: Get, names: readonly string[], here: Here): Incoming[] | Refused {
  const known = knownOf(jsonOf(get("identifiers")));
  if (!known) return invalid("identifiers");
  const times = jsonOf(get("times")) ?? {};
  if (typeof times !== "object" || Array.isArray(times)) return invalid("times");
  const claimed = new Set(text(get("claimed")).split(" "));
  const at = text(get("at"));
  const carried = carriedOf(get, here.trust);
  if (isRefused(carried)) return carried;
  const [main] = known;
  const sender = carried.from && main ? main : null;

  // What was told at one instant, by one kind of word, is one event.
  const parts = new Map<string, { at: string; page: boolean; fields: Set<string> }>();
  const partOf = (when: string, page: boolean) => {
    const place = `${when} ${page ? "page" : ""}`;
    const part = parts.get(place) ?? { at: when, page, fields: new Set() };
    parts.set(place, part);
    return part;
  };
  partOf(at, false);
  for (const field of traitFields)
    if (text(get(field)) !== "")
      partOf(text((times as Record<string, unknown>)[field]) || at, claimed.has(field)).fields.add(
        field,
      );
  const ownKey = text(get("key"));
  const events: Incoming[] = [];
  for (const [nth, { at: when, page, fields }] of [...parts.values()].entries()) {
    const part: Get = (field) => {
      if (field === "at") return when;
      if (field === "key")
        return ownKey === "" || nth === 0 ? ownKey : `${ownKey}|${when}${page ? "|page" : ""}`;
      if (field === "marks" && page) return "page";
      if (sender && (field === "user" || field === "anonymous"))
        return sender.type === (field === "user" ? "user_id" : "anonymous_id") ? sender.value : "";
      return (traitFields as readonly string[]).includes(field) && !fields.has(field)
        ? undefined
        : get(field);
    };
    const key = nth === 0 ? here.key : `${here.key}|${when}${page ? "|page" : ""}`;
    const isSent = !sender || sender.type === "user_id" || sender.type === "anonymous_id";
    const read = isSent
      ? readRecord("people", part, nth === 0 ? names : [], { ...here, key })
      : alone(sender, new Date(sender.at), key, carried, here);
    if (isRefused(read)) return read.field === "at" && nth > 0 ? invalid("times") : read;
    events.push(read);
  }
  if (!sender) return events;
  for (const [nth, other] of known.entries()) {
    if (nth === 0) continue;
    const joined = joinOf(sender, other, known, `${events[0]!.key}|${nth}`, carried, here);
    if (isRefused(joined)) return { ...joined, field: "identifiers" };
    events.push(joined);
  }
  return events;
}

const bare = (name: string, key: string, at: Date) => ({
  ...{ name, key, at, data: {}, traits: {} },
  ...{ user: undefined, anonymous: undefined },
});
/** Somebody who is known by nothing that sends: an address alone. */
const alone = (
  { type, value }: Known,
  at: Date,
  key: string,
  carried: Carried,
  { now }: Here,
): Incoming | Refused =>
  carriedEvent({ ...bare(identify, key, at), sender: { type, value } }, carried, now);

/** The event that says that they are one somebody: in the numbering of one source, or by an address that all share. */
function joinOf(
  sender: Known,
  other: Known,
  known: readonly Known[],
  key: string,
  carried: Carried,
  { now }: Here,
): Incoming | Refused {
  const isAddress = other.type === "email" || other.type === "phone";
  const isNear = isAddress || other.source === "" || other.source === sender.source;
  const pure = ({ type, value }: Known): Identifier => ({ type, value });
  // Two numbers of the shop's are one guest only where that is said as such.
  if (isNear)
    return carriedEvent(
      {
        ...bare(other.type === "user_id" ? "alias" : identify, key, new Date(other.joined)),
        sender: pure(sender),
      },
      { ...carried, links: [pure(other)] },
      now,
    );
  const own = carriedOf(
    (field) => ({ sourceId: other.source, sourceName: other.name, origin: other.origin })[field],
    "shop",
  );
  if (isRefused(own)) return own;
  const addresses = known.filter(({ type }) => type === "email" || type === "phone").map(pure);
  return carriedEvent(
    { ...bare(identify, key, new Date(other.joined)), sender: pure(other) },
    { ...own, links: own.open ? [] : addresses },
    now,
  );
}
