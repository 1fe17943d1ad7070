// A shop that already measures with somebody else's client points it at us, and every event arrives as that client means
// it: under its own name, at its own time, once. A page may say what it saw; whom it speaks for, the shop must vouch for.
import {
  claimedVisitor,
  directName,
  flag,
  isRefused,
  markOf,
  partData,
  partTraits,
  orderLine,
  traitsIn,
  whenOf,
  type Incoming,
  type Known,
  type Protocol,
  type Refused,
} from "#collect/rules.ts";
import { identifierTypes, type Identifier } from "#people/rules.ts";
import { looksDirect } from "#privacy/rules.ts";

export type Kind = "track" | "identify" | "alias" | "group" | "page" | "screen";
export type Fields = Record<string, unknown>;
/** What one event of any client says, in words of ours. Times are the client's own. */
export type Spoken = {
  key: string | null; // what tells it from every other of its source; null: the client sent none
  kind: Kind;
  name: string; // of a track event
  user?: string | undefined;
  anonymous?: string | undefined;
  previous?: readonly Identifier[] | undefined; // of an alias: the one that ends, as whatever it may be
  /** What was said of two identifiers apart from any name of an event: they are one somebody, or are not. */
  word?: "bind" | "unbind" | undefined;
  also: Identifier[]; // whatever else names the same somebody
  at: number | null; // ms; null: when it was sent
  ago?: number | null; // ms before it was sent, where the client says that instead
  sent?: number | null; // ms, where it says itself when it was sent; null: its time is true, whatever its clock
  data: Fields;
  traits: Fields;
  context: Fields;
  token: string | null; // a person token
  consent: Record<string, boolean>;
};
/** One item of a request: what was said, or why it cannot be read. A client may say two things in one breath. */
export type Heard = { item: unknown; said: Spoken[] | Refused };
export type Request = {
  heard: Heard[];
  sentAt: number | null; // ms, on the client's clock
  /** Fields that a batch says for all its events and that could not be held: left out of every one of them. */
  left?: string[];
};
export const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
export const fieldsOf = (value: unknown): Fields => (isObject(value) ? value : {});
export const textOf = (value: unknown): string | undefined =>
  typeof value === "string" && value !== ""
    ? value
    : typeof value === "number" && Number.isFinite(value)
      ? String(value)
      : undefined;
/**
 * The text that bytes are in the charset that is said of them, else in UTF-8. What they cannot be there becomes half of a
 * surrogate pair, for which the part that holds it is refused by its field, and no other.
 */
export function textIn(bytes: Uint8Array, contentType: string | null): string {
  const [, charset = "utf-8"] = /charset\s*=\s*["']?([\w.:-]+)/i.exec(contentType ?? "") ?? [];
  const decoder = (fatal: boolean) => {
    try {
      return new TextDecoder(charset, { fatal });
    } catch (thrown) {
      if (!(thrown instanceof RangeError)) throw thrown;
      return new TextDecoder("utf-8", { fatal }); // a charset that nobody knows
    }
  };
  try {
    return decoder(true).decode(bytes);
  } catch {
    const whole = /^utf-?8$/i.test(charset) ? withoutCesu(bytes) : bytes;
    return decoder(false).decode(whole).replaceAll("\uFFFD", "\uD800");
  }
}
/**
 * Some pages' clients write a letter beyond the first 65,536 as its two halves, each in three bytes (CESU-8): such pairs
 * become the four bytes that they mean.
 */
function withoutCesu(bytes: Uint8Array): Uint8Array {
  const plain = new Uint8Array(bytes.length);
  let size = 0;
  for (let i = 0; i < bytes.length; i++) {
    const isPair =
      bytes[i] === 0xed &&
      (bytes[i + 1]! & 0xf0) === 0xa0 &&
      (bytes[i + 2]! & 0xc0) === 0x80 &&
      bytes[i + 3] === 0xed &&
      (bytes[i + 4]! & 0xf0) === 0xb0 &&
      (bytes[i + 5]! & 0xc0) === 0x80;
    if (!isPair) {
      plain[size++] = bytes[i]!;
      continue;
    }
    const high = ((bytes[i + 1]! & 0x0f) << 6) | (bytes[i + 2]! & 0x3f);
    const low = ((bytes[i + 4]! & 0x0f) << 6) | (bytes[i + 5]! & 0x3f);
    const letter = 0x10000 + (high << 10) + low;
    plain[size++] = 0xf0 | (letter >> 18);
    plain[size++] = 0x80 | ((letter >> 12) & 0x3f);
    plain[size++] = 0x80 | ((letter >> 6) & 0x3f);
    plain[size++] = 0x80 | (letter & 0x3f);
    i += 5;
  }
  return plain.subarray(0, size);
}

/** An instant as a client writes it: ISO text, or ms since 1970 as a number or in digits. NaN where it is none. */
export function instantOf(value: unknown): number | null {
  if (value === undefined || value === null || value === "") return null;
  if (typeof value === "number") return value;
  if (typeof value !== "string") return Number.NaN;
  return /^\d{12,14}$/.test(value) ? Number(value) : Date.parse(value);
}

const kib = 1024;
const mib = 1024 * kib;
/** After decompression, never below what a client sends: bytes of an event, bytes and events of a request. */
export const limits: Record<Protocol, { event: number; request: number; events: number }> = {
  // Segment's own words: 32 KB an event, 500 KB and 2,500 events a batch.
  segment: { event: 32 * kib, request: 500 * kib, events: 2500 },
  customerio: { event: 32 * kib, request: 500 * kib, events: 2500 },
  jitsu: { event: 32 * kib, request: 500 * kib, events: 2500 },
  dittofeed: { event: 32 * kib, request: 500 * kib, events: 2500 },
  liuke: { event: 32 * kib, request: 500 * kib, events: 2500 },
  // gateway/config: maxReqSizeInKB 4000.
  rudderstack: { event: 4000 * kib, request: 4000 * kib, events: 2500 },
  posthog: { event: mib, request: 20 * mib, events: 10_000 },
  snowplow: { event: mib, request: mib, events: 2500 },
  sensors: { event: mib, request: 20 * mib, events: 10_000 },
  // CloudEvents 1.0: at least 64 KB an event must pass.
  cloudevents: { event: 256 * kib, request: mib, events: 1000 },
};
const idLimit = 200;
const nameLimit = 200;

/** Clients' clocks may be that far from ours and count as right: what lies between is the way here. */
const skewMs = 2000;
/**
 * When it happened by our clock: received − (sent − said), as Segment documents it, where the client's clock differs.
 * What a client says without saying when it sent it stands as it is.
 */
export function corrected(
  said: number | null,
  sentAt: number | null,
  receivedAt: number,
): { at: number; corrected: boolean } {
  if (said === null) return { at: receivedAt, corrected: false };
  const skew = sentAt === null || Number.isNaN(sentAt) ? 0 : receivedAt - sentAt;
  return Math.abs(skew) > skewMs
    ? { at: said + skew, corrected: true }
    : { at: said, corrected: false };
}

export type Circumstances = {
  source: Known;
  receivedAt: Date; // shop's clock
  /** Later than it came, where it is read again: by now what was dated ahead may be right. */
  now?: Date;
  sentAt: number | null;
  agent: string;
  ip: string;
  /** The user id that a valid person token vouches for. */
  vouched: string | null;
  /** What makes a key for an event that has none. */
  place: string;
};

const reserved = new Set(["identify", "alias", "group", "page", "screen"]);
const parting = new Set(["bind", "unbind"]);
/** A public source's word of these is a claim until the shop's own server says the same. */
const orders = /^order (completed|updated|refunded|cancelled|placed|paid)$/i;

/** What an event says as the log takes it. */
export function hear(said: Spoken, here: Circumstances): Incoming | Refused {
  const { source, receivedAt, vouched } = here;
  const open = source.kind === "public";
  const need = source.settings.consent;
  if (need !== null && said.consent[need] !== true) return { reason: "no_consent", field: "" };
  // A page says no such word: what it says so is an event under its own name.
  const word = open ? undefined : said.word;
  const name = word ?? (said.kind === "track" ? said.name : said.kind);
  if (said.kind === "track" && word === undefined) {
    if (name === "" || name.length > nameLimit) return { reason: "invalid", field: "event" };
    if (looksDirect(name) || reserved.has(name)) return { reason: "invalid", field: "event" };
    if (name === orderLine) return { reason: "use_order_lines", field: "event" };
    if (open && parting.has(name)) return { reason: "server_only", field: "event" };
  }
  for (const [field, id] of [
    ["userId", said.user],
    ["anonymousId", said.anonymous],
    ["previousId", said.previous?.[0]?.value],
  ] as const)
    if (id !== undefined && id.length > idLimit) return { reason: "invalid", field };
  const received = receivedAt.getTime();
  const time =
    typeof said.ago === "number" && said.ago >= 0
      ? { at: received - said.ago, corrected: false }
      : corrected(said.at, said.sent === undefined ? here.sentAt : said.sent, received);
  const at = new Date(time.at);
  const then = whenOf(at, receivedAt);
  const when = isRefused(then) && here.now ? whenOf(at, here.now) : then;
  if (isRefused(when)) return { ...when, field: "timestamp" };

  const who = whoOf(said, open, vouched);
  if (!who.sender && open) return { reason: "no_sender", field: "anonymousId" };
  const held = holds(said, who.trusted, open);
  for (const [claim, value] of Object.entries(who.claims)) held.direct[claim] = value;
  const isOfSomebody =
    ["identify", "alias", "group"].includes(said.kind) || Object.keys(held.direct).length > 0;
  if (!who.sender && isOfSomebody) return { reason: "no_sender", field: "userId" };
  const flags =
    when.flags |
    (said.key === null ? flag.keyless : 0) |
    (time.corrected ? flag.corrected : 0) |
    (open && orders.test(name) ? flag.claim : 0) |
    markOf(
      { agent: here.agent, ip: here.ip, user: who.user, email: textOf(said.traits["email"]) },
      source.settings,
    );
  return {
    key: said.key ?? here.place,
    name,
    at,
    data: held.plain,
    ...(Object.keys(held.direct).length > 0 ? { direct: held.direct } : {}),
    ...(who.sender ? { sender: who.sender } : {}),
    ...(who.links.length > 0 ? { links: who.links } : {}),
    ...(flags > 0 ? { flags } : {}),
  };
}

type Who = {
  sender: Identifier | null;
  links: Identifier[];
  claims: Record<string, string>;
  user: string | undefined;
  /** May what it says of somebody stand in their profile? */
  trusted: boolean;
};
/**
 * The shop's server says truthfully who is who. A page speaks for its own visitor: whom it says that is stays sealed as
 * a claim, unless a person token vouches for that same user.
 */
function whoOf(said: Spoken, open: boolean, vouched: string | null): Who {
  const known = (value: string): Identifier => ({ type: "user_id", value });
  const visitor: Identifier | null =
    said.anonymous === undefined ? null : { type: "anonymous_id", value: said.anonymous };
  const previous = said.kind === "alias" ? (said.previous ?? []) : [];
  if (open) {
    const user = vouched !== null && (said.user ?? vouched) === vouched ? vouched : null;
    if (user !== null)
      return {
        sender: known(user),
        links: visitor ? [visitor] : [],
        claims: {},
        user,
        trusted: true,
      };
    const claims: Record<string, string> = {};
    if (said.user !== undefined) claims["claim.user"] = said.user;
    if (previous[0]) claims["claim.previous"] = previous[0].value;
    const sender = visitor ?? (said.user === undefined ? null : claimedVisitor(said.user));
    return { sender, links: [], claims, user: undefined, trusted: false };
  }
  const sender = said.user === undefined ? visitor : known(said.user);
  const reach = (["email", "phone"] as const).flatMap((type): Identifier[] => {
    const value = said.kind === "identify" ? textOf(said.traits[type])?.trim() : undefined;
    const parted = value === undefined ? null : partTraits({ [type]: value });
    return value !== undefined && parted && !("unfit" in parted) ? [{ type, value }] : [];
  });
  const links = [...(visitor ? [visitor] : []), ...previous, ...said.also, ...reach].filter(
    (link, i, all) =>
      !(link.type === sender?.type && link.value === sender.value) &&
      link.value.length <= idLimit &&
      all.findIndex((one) => one.type === link.type && one.value === link.value) === i,
  );
  return { sender, links, claims: {}, user: said.user, trusted: true };
}

const sealedContext = new Set([
  "ip",
  "userAgent",
  "user_agent",
  "page",
  "device",
  "traits",
  "externalIds",
]);
const put = (into: Record<string, string>, name: string, value: unknown) => {
  into[name] = typeof value === "string" ? value : JSON.stringify(value);
};
/** What stands in the log in clear, and what is sealed: "data.", "traits.", "context.", and "claim." before any of them. */
function holds(
  said: Spoken,
  trusted: boolean,
  open: boolean,
): { plain: Fields; direct: Record<string, string> } {
  const own: Fields = {};
  const system: Fields = { ...said.context };
  // No name of a shop's own begins with $: what a client says of itself so is beside the event, not in it.
  for (const [name, value] of Object.entries(said.data))
    if (name.startsWith("$")) system[name.slice(1)] = value;
    else own[name] = value;
  const data = partData(own, said.kind === "track" ? said.name : said.kind);
  const { plain } = data;
  const direct = { ...data.direct };
  const context = partData(
    Object.fromEntries(Object.entries(system).filter(([name]) => !sealedContext.has(name))),
  );
  for (const [name, value] of Object.entries(context.direct))
    direct[`context.${name.slice("data.".length)}`] = value;
  for (const name of sealedContext)
    if (system[name] !== undefined && system[name] !== null)
      put(direct, `context.${name}`, system[name]);
  const derived = traitsOf(said, trusted, open, direct);
  return {
    plain: {
      ...plain,
      ...(Object.keys(context.plain).length > 0 ? { $context: context.plain } : {}),
      ...(Object.keys(derived).length > 0 ? { [traitsIn]: derived } : {}),
    },
    direct,
  };
}
function traitsOf(
  said: Spoken,
  trusted: boolean,
  open: boolean,
  direct: Record<string, string>,
): Record<string, string | number> {
  let traits = Object.fromEntries(
    Object.entries(said.traits).map(([name, value]) => [
      name,
      typeof value === "number" && directName(name) !== null ? String(value) : value,
    ]),
  );
  let parted = partTraits(traits);
  // A trait that cannot be what it is called is kept as it was said, and makes nothing of anybody.
  while ("unfit" in parted) {
    const { [parted.unfit]: said, ...rest } = traits;
    put(direct, `said.${parted.unfit}`, said);
    traits = rest;
    parted = partTraits(traits);
  }
  for (const [name, value] of Object.entries(parted.direct)) {
    // A token vouches for who somebody is, not for how they can be reached.
    const claim = !trusted || (open && /^traits\.(email|phone)$/.test(name));
    direct[claim ? `claim.${name}` : name] = value;
  }
  return parted.derived;
}

/** One more identifier of a client's own list, where we know its type. */
export function identifierOf(type: string, value: string | undefined): Identifier[] {
  if (value === undefined) return [];
  const plain = type.toLowerCase();
  const own = /^(openid|unionid|email|phone|user_id|anonymous_id)$/.test(plain)
    ? plain
    : /idfa|idfv|advertising_id|device|^android\.id$|push/.test(plain)
      ? "device"
      : "external";
  const known = identifierTypes.find((one) => one === own);
  return known ? [{ type: known, value: own === "external" ? `${plain}:${value}` : value }] : [];
}
/** Does an id look like one that a client gave a visitor? */
export const looksMade = (value: string): boolean =>
  /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i.test(value);
/**
 * An alias does not say what the id that ends was: a visitor's, or a number of the shop's. Shops number people by UUIDs,
 * and call visitors as they like; so it is taken for both, and whatever was told under either is the same somebody's.
 */
export const previousOf = (value: string | undefined): Identifier[] | undefined =>
  value === undefined
    ? undefined
    : (["anonymous_id", "user_id"] as const).map((type) => ({ type, value }));

/** Person tokens and keys, wherever a client lets one through, out of a text that is kept. */
const secrets = /eyJ[\w-]{5,}\.[\w-]+\.[\w-]*|lk_[\w-]{10,}/g;
/** What may be base64 of a text that holds one, as trackers send their contexts. */
const coded = /[\w+/-]{60,}={0,2}/g;
export const withoutTokens = (text: string): string =>
  text.replaceAll(secrets, "").replaceAll(coded, (whole) => {
    const inner = Buffer.from(whole, "base64").toString();
    const left = inner.replaceAll(secrets, "");
    return left === inner ? whole : Buffer.from(left).toString("base64url");
  });
/** Of a text that cannot be read nothing is known to be an address: whatever looks like one goes. */
export const withoutAddressText = (text: string): string =>
  text.replaceAll(/\b\d{1,3}(?:\.\d{1,3}){3}\b/g, "");
