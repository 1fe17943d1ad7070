// Some guests buy for their company: one orders, another approves, a third pays. An order counts for the company its
// buyer belonged to at that time, and who has left takes none of it along.
import { directName } from "#collect/rules.ts";
import { looksDirect } from "#privacy/rules.ts";

/** Names of events that say where somebody belongs: the second ends it. */
export const group = "group";
export const groupLeft = "Group Left";
export const groupNames: readonly string[] = [group, groupLeft];

const roleCode = /^[a-z][a-z0-9_]{0,39}$/;
const rolesLimit = 10;
/** What a member is whose event names no role. */
export const plainRole = "member";
const snake = (name: string): string =>
  name
    .trim()
    .replaceAll(/([a-z\d])([A-Z])/g, "$1_$2")
    .replaceAll(/[\s.-]+/g, "_")
    .toLowerCase();

/** Bands of how many work there; 0 to 9 is the first. */
const sizeBands = [
  ["1-9", 1],
  ["10-49", 10],
  ["50-249", 50],
  ["250-999", 250],
  ["1000+", 1000],
] as const;
export const sizeBand = (employees: number): string =>
  sizeBands.findLast(([, least]) => employees >= least)?.[0] ?? "1-9";

export type Value = string | number | boolean;
export type CompanyTraits = {
  /** Plain, by name; "size_band" out of a number of employees. */
  plain: Record<string, Value>;
  /** What reaches or names a person: sealed. */
  contact: Record<string, string>;
  /** Ids that other systems have of the company, by type. */
  external: Record<string, string>;
};
/** A company has at most so many attributes, each at most so long. */
const attributesLimit = 50;
const longest = 200;
const externalTypes = new Set(["tax_id", "vat_id", "duns", "crm_id", "erp_id", "external_id"]);
/** Parts what is said of a company. Its own name is plain; an address, a person's name or a phone number is not. */
export function partCompany(traits: Record<string, unknown>): CompanyTraits {
  const parted: CompanyTraits = { plain: {}, contact: {}, external: {} };
  for (const [said, value] of Object.entries(traits)) {
    const name = snake(said);
    if (!/^[a-z][a-z0-9_]{0,79}$/.test(name) || name === "role" || name === "roles") continue;
    const isText = typeof value === "string" && value.trim() !== "" && value.length <= longest;
    if (externalTypes.has(name)) {
      if (isText || typeof value === "number") parted.external[name] = String(value).trim();
      continue;
    }
    if (name === "employees" && typeof value === "number" && value >= 0) {
      parted.plain["size_band"] = sizeBand(value);
      continue;
    }
    const own = name === "name" || name === "company_name";
    if ((!own && directName(said) !== null) || (typeof value === "string" && looksDirect(value))) {
      if (isText) parted.contact[name] = value.trim();
    } else if (isText || typeof value === "number" || typeof value === "boolean")
      parted.plain[own ? "name" : name] = typeof value === "string" ? value.trim() : value;
    if (Object.keys(parted.plain).length >= attributesLimit) break;
  }
  return parted;
}

export type Belonging = {
  ref: string;
  act: "joined" | "left";
  roles: string[];
  traits: CompanyTraits;
};
/** What an event says of belonging; null where it names no company. `direct` is what was sealed with it. */
export function belongingOf(
  name: string,
  data: Record<string, unknown>,
  direct: Record<string, string>,
): Belonging | null {
  const said = data["groupId"] ?? direct["data.groupId"];
  const ref = typeof said === "number" ? String(said) : typeof said === "string" ? said.trim() : "";
  if (ref === "" || ref.length > longest || looksDirect(ref)) return null;
  const traits = objectOf(data["traits"] ?? direct["data.traits"]);
  const roles = [data["role"], data["roles"], traits["role"], traits["roles"]]
    .flat()
    .flatMap((role) => (typeof role === "string" && roleCode.test(snake(role)) ? snake(role) : []));
  return {
    ref,
    act: name === groupLeft ? "left" : "joined",
    roles: [...new Set(roles)].toSorted().slice(0, rolesLimit),
    traits: partCompany(traits),
  };
}
function objectOf(value: unknown): Record<string, unknown> {
  if (typeof value === "string")
    try {
      return objectOf(JSON.parse(value));
    } catch {
      return {};
    }
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}

export type Fact = { id: string; at: Date; act: "joined" | "left"; roles: readonly string[] };
export type Span = { role: string; since: Date; until: Date | null };
const before = (a: { at: Date; id: string }, b: { at: Date; id: string }): number =>
  a.at.getTime() - b.at.getTime() || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
/**
 * What one person was in one company, and when. Each word holds until the next; one that names no role leaves the roles
 * as they are. Leaving ends all of them, and whoever joins again begins anew.
 */
export function spansOf(facts: readonly Fact[]): Span[] {
  const spans: Span[] = [];
  const open = new Map<string, Span>();
  for (const { at, act, roles } of facts.toSorted(before)) {
    const held = [...open.keys()];
    const now =
      act === "left" ? [] : roles.length > 0 ? roles : held.length > 0 ? held : [plainRole];
    for (const [role, span] of open)
      if (!now.includes(role)) {
        span.until = at;
        open.delete(role);
      }
    for (const role of now)
      if (!open.has(role)) {
        const span: Span = { role, since: at, until: null };
        open.set(role, span);
        spans.push(span);
      }
  }
  // What began and ended in the same instant was never so.
  return spans
    .filter(({ since, until }) => until === null || until > since)
    .toSorted((a, b) => a.since.getTime() - b.since.getTime() || (a.role < b.role ? -1 : 1));
}

/** One attribute of a company: value, source, time, event, confidence from 0 to 1. */
export type Attribute = { v: Value; s: string; at: string; id: string; c: number };
export type Profile = Record<string, Attribute>;
/** Of two words on the same, the later one counts, whichever came in first. */
export function mergeProfile(had: Profile, said: Profile): Profile {
  const merged = { ...had };
  for (const [name, one] of Object.entries(said)) {
    const old = merged[name];
    if (!old || before(instant(old), instant(one)) < 0) merged[name] = one;
  }
  return merged;
}
const instant = ({ at, id }: Attribute) => ({ at: new Date(at), id });

/** How many orders a company placed, as a tag: the value is the lowest of its band. */
export const orderBands = [1, 5, 20, 100] as const;
/** Tags of companies that are worked out: nobody sets them by hand. */
export const reservedTags: ReadonlySet<string> = new Set(["company_orders"]);

/** So many tags of companies follow from rules at most, each from so many. */
export const declaredLimit = 100;
export const tagRulesLimit = 20;
/** Tags that a model may say in one request. */
export const modelTagsLimit = 1000;
/** Does a tag follow from itself? `asked`: the tags that a segment's rule asks of companies, through others too. */
export function isCircular(
  tag: string,
  rules: readonly { tag: string; segmentId: string }[],
  asked: (segmentId: string) => ReadonlySet<string>,
): boolean {
  const from = new Set<string>([tag]);
  for (const one of from)
    for (const rule of rules)
      if (rule.tag === one)
        for (const next of asked(rule.segmentId)) {
          if (next === tag) return true;
          from.add(next);
        }
  return false;
}
