// What the shop tells us is written down as it came, once, in order, before anybody makes anything of it.
import type { Identifier } from "#people/rules.ts";
import { isShops } from "#plan/rules.ts";
import { namesOther } from "#relations/rules.ts";
import { isBot } from "./model/bots.ts";
import { cutAddress, isNetwork, isWithin } from "./model/network.ts";
import {
  isDerived,
  isDirect,
  looksDirect,
  type DerivedField,
  type DirectField,
} from "#privacy/rules.ts";

/** One event on its way into the log. `direct` holds what names a person: it is sealed as one value. */
export type Incoming = {
  key: string; // the source's own name of this event: the same key again is the same event
  name: string;
  at: Date;
  data: Record<string, unknown>;
  direct?: Record<string, string>;
  sender?: Identifier;
  /** Further identifiers of the same somebody, where the event may be believed in that. */
  links?: readonly Identifier[];
  flags?: number; // of `flag`
  /** Its id in the log that a file was taken from: the same event again, wherever it comes in. */
  id?: string;
  /** The source that told it first, where a file says so. */
  from?: From;
};
/** A source as a file names it. `space`: the source whose numbers of people the event speaks in. */
export type From = { id: string; name: string; kind: Source["kind"]; space: string };
/** What is known of an event's coming, in bits. Bots and staff are left out of profiles, segments and figures. */
export const flag = {
  bot: 1,
  staff: 2,
  keyless: 4, // sent without a key of its own
  late: 8, // dated more than 30 days before it came
  corrected: 16, // its clock was wrong, and was corrected
  mended: 32, // refused, mended and sent again
  claim: 64, // a public source's word of an order
  page: 128, // brought by a file, and no better than a public source's word
} as const;
export const leftOut = flag.bot | flag.staff;
/** What is no word of the shop's, whoever its source is. */
export const notTold = leftOut | flag.page;
export type Source = { id: string; kind: "server" | "public" | "import" };
/** The source of what a person says of themselves here, shown by their token. */
export const selfSource = "5e1f0000-0000-8000-8000-000000000001";

/** How a source speaks: its key names it, and the answers and limits are those of that client. */
export const protocols = [
  "liuke",
  "segment",
  "rudderstack",
  "customerio",
  "posthog",
  "jitsu",
  "snowplow",
  "dittofeed",
  "sensors",
  "cloudevents",
] as const;
export type Protocol = (typeof protocols)[number];

/** What a source is held to. */
export type Settings = {
  /** Pages it may be used from, as "https://shop.example"; none: from any. */
  origins: string[];
  /** Events a second on average, and at once. Counted in each process. */
  rate: { perSecond: number; burst: number };
  /** Only events of people who agreed to this category of their consent banner; null: all. */
  consent: string | null;
  /** More parts of user agents that are programs, beside the list of our own. */
  bots: string[];
  /** Whose events are those of colleagues: by network, by the shop's number, by the domain of their e-mail. */
  staff: { networks: string[]; users: string[]; domains: string[] };
  /** What is kept of an address of a machine: all of it, all but its last part, nothing. */
  ip: "keep" | "cut" | "drop";
};
/** A shop's server sends its whole past in one go; nobody's browser does. */
export const settingsFor = (kind: Source["kind"]): Settings =>
  kind === "public"
    ? newSettings
    : { ...newSettings, rate: { perSecond: 100_000, burst: 500_000 } };
const newSettings: Settings = {
  origins: [],
  rate: { perSecond: 5_000, burst: 20_000 },
  consent: null,
  bots: [],
  staff: { networks: [], users: [], domains: [] },
  ip: "cut",
};
/** A source with everything that is set of it. `space` is the source whose numbers of people it shares, or its own id. */
export type Known = Source & {
  name: string;
  protocol: Protocol;
  space: string;
  disabled: boolean;
  settings: Settings;
};
/** The rejected list takes so much of a source a day; what is beyond is counted. */
export const keptRowsLimit = 10_000;
export const keptBytesLimit = 100 * 1024 * 1024;

export const isAllowedOrigin = (origin: string, { origins }: Settings): boolean =>
  origins.length === 0 || origins.includes(origin);
/** The page that a request says it is sent from; "" where it says none. */
export function originOf(origin: string | null, referer: string | null): string {
  for (const text of [origin, referer])
    if (text !== null && URL.canParse(text)) return new URL(text).origin;
  return origin ?? "";
}

/** "10.0.0.0/8", "2001:db8::/32", or one address. */
export const isNetworkText = (text: string): boolean => isNetwork(text);

/** Takes what names the machine out of anything that was sent, however deep it stands, before anything is kept. */
export function withoutAddresses(value: unknown, keep: Settings["ip"]): unknown {
  if (keep === "keep" || typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => withoutAddresses(item, keep));
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, item]): [string, unknown][] => {
      if (directName(name.replace(/^\$+/, "")) !== "ip" || typeof item !== "string")
        return [[name, withoutAddresses(item, keep)]];
      const left = keep === "cut" ? cutAddress(item) : "";
      return left === "" ? [] : [[name, left]];
    }),
  );
}

/** Is an event of a program, or of a colleague? In bits of `flag`. */
export function markOf(
  said: { agent: string; ip: string; user?: string | undefined; email?: string | undefined },
  { bots, staff }: Settings,
): number {
  const domain = said.email?.split("@").at(-1)?.trim().toLowerCase() ?? "";
  const isStaff =
    (said.ip !== "" && isWithin(said.ip, staff.networks)) ||
    (said.user !== undefined && staff.users.includes(said.user)) ||
    (domain !== "" && staff.domains.some((one) => one.trim().toLowerCase() === domain));
  return (said.agent !== "" && isBot(said.agent, bots) ? flag.bot : 0) | (isStaff ? flag.staff : 0);
}

/** Dated earlier than this, or later, an event is refused; dated long before it came, it is marked. */
const earliest = Date.UTC(1990, 0, 1);
const lateMs = 30 * 24 * 3600 * 1000;
export function whenOf(at: Date, now: Date): { flags: number } | Refused {
  if (Number.isNaN(at.getTime())) return { reason: "invalid", field: "at" };
  if (at.getTime() > now.getTime() + aheadLimitMs) return { reason: "not_yet", field: "at" };
  if (at.getTime() < earliest) return { reason: "too_old", field: "at" };
  return { flags: at.getTime() < now.getTime() - lateMs ? flag.late : 0 };
}
export type Verdict = "accepted" | "double" | "erased" | Refused;

/** One request brings at most so many events and bytes, and one event so many bytes. */
export const eventsLimit = 1000;
export const eventBytesLimit = 32 * 1024;
export const requestBytesLimit = 500 * 1024;
/** An event may be dated this much ahead of the shop's clock at most: clocks differ, time machines do not exist. */
export const aheadLimitMs = 24 * 3600 * 1000;

/** Names of events that mean something to this house. */
export const orderLine = "Order Line";
export const identify = "identify";
/** Where the derived traits of an event stand in its data; no name of a shop's own begins so. */
export const traitsIn = "$traits";
/** Says in an event's data that the person's own token came with it. */
export const ownIn = "$own";

/** How shops call what names a person, beside the field list's own words. */
const spellings: Record<string, DirectField> = {
  mail: "email",
  e_mail: "email",
  email_address: "email",
  mobile: "phone",
  mobile_number: "phone",
  phone_number: "phone",
  tel: "phone",
  telephone: "phone",
  full_name: "name",
  given_name: "first_name",
  family_name: "last_name",
  surname: "last_name",
  street: "address",
  street_address: "address",
  address1: "address",
  address2: "address",
  ip_address: "ip",
  device_id: "device",
  open_id: "openid",
  union_id: "openid",
  unionid: "openid",
  href: "url",
  page_url: "url",
  referrer: "url",
  referer: "url",
  comment: "free_text",
  message: "free_text",
  note: "free_text",
  feedback: "free_text",
};
const snake = (name: string): string =>
  name
    .trim()
    .replaceAll(/([a-z\d])([A-Z])/g, "$1_$2")
    .replaceAll(/[\s.-]+/g, "_")
    .toLowerCase();
/** What a sealed event says under the trait of this name, however it is spelt: the name itself before other spellings. */
export const traitNamed = (
  direct: Readonly<Record<string, string>>,
  name: string,
): string | undefined =>
  direct[`traits.${name}`] ??
  Object.entries(direct).find(
    ([place]) => place.startsWith("traits.") && snake(place.slice(7)) === name,
  )?.[1];
/** Names come again and again, and reading how one is spelt costs more than all the rest of a small event. */
const namesRead = new Map<string, DirectField | null>();
const namesReadLimit = 10_000;
/** The direct field that a name means, however it is spelt; null where it means none. */
export function directName(name: string): DirectField | null {
  const had = namesRead.get(name);
  if (had !== undefined) return had;
  const plain = snake(name);
  const means = isDirect(plain)
    ? plain
    : Object.hasOwn(spellings, plain)
      ? spellings[plain]!
      : null;
  if (namesRead.size >= namesReadLimit) namesRead.clear();
  if (name.length <= 100) namesRead.set(name, means);
  return means;
}

const holdsDirect = (value: unknown): boolean => {
  if (typeof value === "string" || typeof value === "number") return looksDirect(String(value));
  if (typeof value !== "object" || value === null) return false;
  return Object.entries(value).some(
    ([name, item]) => directName(name) !== null || looksDirect(name) || holdsDirect(item),
  );
};
const textOf = (value: unknown): string =>
  typeof value === "string" ? value : JSON.stringify(value);

/**
 * Parts what an event says into what the log may hold in clear and what it holds sealed, as "data.<name>". What a known
 * event of this name says of the shop's goods names nobody: "name" is a product's there.
 */
export function partData(
  data: Record<string, unknown>,
  event = "",
): {
  plain: Record<string, unknown>;
  direct: Record<string, string>;
} {
  const plain: Record<string, unknown> = {};
  const direct: Record<string, string> = {};
  for (const [name, value] of Object.entries(data))
    if (name === "name" && isTitle(event, value)) plain[name] = value;
    else if (
      (directName(name) !== null || namesOther(name) || looksDirect(name) || holdsDirect(value)) &&
      !isShops(event, Object.keys(data), name, value)
    )
      direct[`data.${name}`] = textOf(value);
    else plain[name] = value;
  return { plain, direct };
}

/** How a page or a screen is called names no person. */
const isTitle = (event: string, value: unknown): boolean =>
  (event === "page" || event === "screen") && typeof value === "string" && !looksDirect(value);

const traitFits: Record<DerivedField, (value: unknown) => boolean> = {
  birth_month: (v) => Number.isInteger(v) && (v as number) >= 1 && (v as number) <= 12,
  birth_day: (v) => Number.isInteger(v) && (v as number) >= 1 && (v as number) <= 31,
  age_band: (v) => isShort(v, 20),
  city: (v) => isShort(v, 100),
  country: (v) => isShort(v, 100),
  language: (v) => typeof v === "string" && /^[A-Za-z]{2,3}([-_][A-Za-z\d]{2,8}){0,3}$/.test(v),
  gender: (v) => isShort(v, 20),
  currency: (v) => typeof v === "string" && /^[A-Z]{3}$/.test(v),
};
const isShort = (v: unknown, longest: number): boolean =>
  typeof v === "string" && v !== "" && v.length <= longest && !looksDirect(v);
const isEmail = (v: unknown): boolean =>
  typeof v === "string" && v.length <= 254 && /^[^\s@]+@[^\s@]+\.[^\s@.]+$/.test(v.trim());
const isPhone = (v: unknown): boolean =>
  typeof v === "string" && /^\+?\d[\d\s().-]{4,30}$/.test(v.trim());

export type Traits = {
  /** Derived ones, by the field list's names: plain. */
  derived: Record<string, string | number>;
  /** Direct ones by the field list's names, as "traits.email"; and whatever is on no list: sealed. */
  direct: Record<string, string>;
  /** Does it say how somebody is called or reached? */
  names: boolean;
};
/** Parts traits; or names the one that cannot be what it says. Null and empty text say nothing. */
export function partTraits(traits: Record<string, unknown>): Traits | { unfit: string } {
  const parted: Traits = { derived: {}, direct: {}, names: false };
  for (const [name, value] of Object.entries(traits)) {
    if (value === null || value === "") continue;
    const own = snake(name);
    const field = directName(name);
    if (isDerived(own)) {
      if (!traitFits[own](value)) return { unfit: name };
      parted.derived[own] = value as string | number;
    } else if (field === null) parted.direct[`traits.${name}`] = textOf(value);
    else {
      if ((field === "email" && !isEmail(value)) || (field === "phone" && !isPhone(value)))
        return { unfit: name };
      parted.direct[`traits.${field}`] = textOf(value).trim();
      parted.names = true;
    }
  }
  return parted;
}

/** Why an event was not taken. */
export type Refused = {
  reason:
    | "invalid" // the field is missing, unknown or not what it should be
    | "too_large"
    | "not_yet" // dated further ahead than clocks can differ
    | "too_old" // dated before 1990
    | "no_consent" // the source needs a consent that this person did not give
    | "no_sender" // says something of somebody, and not of whom
    | "server_only" // only the shop's own server may say this
    | "use_order_lines" // order lines have a door of their own
    | "not_planned" // an operator keeps this event out
    | "erased"; // of somebody who had their data erased after it happened
  field: string; // within the event: "at", "data.price"
};
/** A field's name comes from outside and may itself name somebody: what is no plain name is left out. */
export const safeField = (field: string): string => {
  if (/^[\w$.]{0,80}$/.test(field) && !looksDirect(field)) return field;
  return /^(data|traits)\./.exec(field)?.[1] ?? "";
};
/** What an event is called, out of an item of any client that was refused; "" where it says none that may be shown. */
export function nameIn(item: unknown): string {
  if (typeof item !== "object" || item === null) return "";
  const { event, type, name, e } = item as Record<string, unknown>;
  const said = [event, type === "track" ? "" : type, name, e].find(
    (one) => typeof one === "string" && one !== "",
  );
  return safeName(said);
}
export const safeName = (said: unknown): string =>
  typeof said === "string" &&
  /^[\p{L}\p{M}\p{N} _$.:/&'()-]{1,100}$/u.test(said) &&
  !looksDirect(said)
    ? said
    : "";
/** Which refused items are meant: all that fit every part that is said. Instants are the machine's. */
export type RejectedFilter = {
  source?: string | undefined;
  reason?: string | undefined;
  name?: string | undefined; // of the event
  field?: string | undefined;
  from?: Date | undefined;
  until?: Date | undefined; // exclusive
  run?: string | undefined; // the import
};
export type Said = {
  key: string;
  name: string;
  user?: string | undefined;
  anonymous?: string | undefined;
  at: Date;
  data: Record<string, unknown>;
  traits: Record<string, unknown>;
};
export const isRefused = <T extends object>(read: T | Refused): read is Refused => "reason" in read;

/**
 * One event as the log takes it. A public source, whose key anybody can read, may tell behaviour: its visitor speaks
 * for themselves alone, and whom they say they are is kept sealed as a claim.
 */
export function readEvent(said: Said, source: Source["kind"], now: Date): Incoming | Refused {
  const { key, name, user, anonymous, at } = said;
  const when = whenOf(at, now);
  if (isRefused(when)) return when;
  if (name === orderLine) return { reason: "use_order_lines", field: "name" };
  if (looksDirect(name)) return { reason: "invalid", field: "name" };
  const ours = Object.keys(said.data).find((field) => field.startsWith("$"));
  if (ours !== undefined) return { reason: "invalid", field: `data.${ours}` };
  const open = source === "public";
  const traits = partTraits(said.traits);
  if ("unfit" in traits) return { reason: "invalid", field: `traits.${traits.unfit}` };
  if (open && traits.names) return { reason: "server_only", field: "traits" };
  if (open && name === identify && user !== undefined)
    return { reason: "server_only", field: "user" };
  const data = partData(said.data, name);
  const direct = { ...data.direct, ...traits.direct };
  const sender = senderOf(user, anonymous, open);
  // A server that names both says that they are one somebody; a page only claims it.
  const both = user !== undefined && anonymous !== undefined;
  if (both && open) direct["claim.user"] = user;
  const links: Identifier[] = both && !open ? [{ type: "anonymous_id", value: anonymous }] : [];
  const isOfSomebody =
    name === identify || Object.keys(direct).length > 0 || Object.keys(said.traits).length > 0;
  if (!sender && (open || isOfSomebody)) return { reason: "no_sender", field: "user" };
  const derived = Object.keys(traits.derived).length > 0 ? { [traitsIn]: traits.derived } : {};
  return {
    key,
    name,
    at,
    data: { ...data.plain, ...derived },
    ...(Object.keys(direct).length > 0 ? { direct } : {}),
    ...(sender ? { sender } : {}),
    ...(links.length > 0 ? { links } : {}),
    ...(when.flags > 0 ? { flags: when.flags } : {}),
  };
}
/** The visitor that a user id is taken for while nobody has vouched for it. */
export const claimedVisitor = (user: string): Identifier => ({
  type: "anonymous_id",
  value: `claimed:${user}`,
});
function senderOf(
  user: string | undefined,
  anonymous: string | undefined,
  open: boolean,
): Identifier | null {
  const known = user === undefined ? null : ({ type: "user_id", value: user } as const);
  const visitor =
    anonymous === undefined ? null : ({ type: "anonymous_id", value: anonymous } as const);
  // Whom a page says it speaks for, without a visitor of its own, is somebody of its own too: it may share its numbers
  // of people with the shop's server, and is never one of those by its own word.
  const claimed = user === undefined ? null : claimedVisitor(user);
  return open ? (visitor ?? claimed) : (known ?? visitor);
}
