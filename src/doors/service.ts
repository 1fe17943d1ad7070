// A door: who is there, what they brought, and what became of it. Nothing of a request without a known key is kept.
import * as access from "#access/service.ts";
import {
  isAllowedOrigin,
  isRefused,
  markOf,
  nameIn,
  originOf,
  safeField,
  withoutAddresses,
  type Incoming,
  type Known,
  type Protocol,
} from "#collect/rules.ts";
import * as collect from "#collect/service.ts";
import type { Direct, House } from "#kernel/endpoint.ts";
import { inOrder, type Lane } from "#kernel/group.ts";
import { inflate, roomOf, type Room } from "#kernel/inflate.ts";
import { badIn, parseLoose } from "#kernel/json.ts";
import { isAway, isPassing } from "#kernel/sql.ts";
import { answerOf, type Outcome } from "./model/answers.ts";
import * as cloudevents from "./model/cloudevents.ts";
import * as jitsu from "./model/jitsu.ts";
import { unpressed } from "./model/lz.ts";
import * as posthog from "./model/posthog.ts";
import * as segment from "./model/segment.ts";
import * as sensors from "./model/sensors.ts";
import * as snowplow from "./model/snowplow.ts";
import {
  fieldsOf,
  hear,
  limits,
  textIn,
  textOf,
  withoutAddressText,
  withoutTokens,
  type Heard,
  type Request as Told,
} from "./rules.ts";
import * as store from "./store.ts";

/** What a path is a door of. The first protocol is whose answers it gives while nobody is known. */
export type Door = {
  protocols: readonly [Protocol, ...Protocol[]];
  call?: string;
  /** Says at once which events are refused, and stores none where the client only wants to know. */
  trial?: true;
};
export type Asked = Pick<Direct, "house" | "request" | "remote"> & {
  input: Record<string, unknown>;
};

/** Bodies that are being read, or wait for their commit, hold at most so much; so many requests wait at most. */
const roomBytes = 256 * 1024 * 1024;
const waitingLimit = 1000;
const awaySeconds = 2;
type Lobby = {
  room: Room;
  waiting: number;
  keyOf: ReturnType<typeof access.writeKeys>;
  shopper: ReturnType<typeof access.personTokens>;
  strangers: Lane<store.Stranger, void>;
};
const lobbies = new WeakMap<House, Lobby>();
function lobbyOf(house: House): Lobby {
  const had = lobbies.get(house);
  if (had) return had;
  const made: Lobby = {
    room: roomOf(roomBytes),
    waiting: 0,
    keyOf: access.writeKeys(house),
    shopper: access.personTokens(house),
    strangers: inOrder<store.Stranger, void>(async (all) => {
      await store.countStrangers(house.sql, all, house.clocks.machine());
      return all.map(() => undefined);
    }, 1000),
  };
  lobbies.set(house, made);
  return made;
}

/** One request of a client, from its first byte to the answer that it understands. */
export async function receive(door: Door, asked: Asked): Promise<Response> {
  const { house, request } = asked;
  const lobby = lobbyOf(house);
  const said = (protocol: Protocol, outcome: Outcome, source: Known | null) =>
    respond(house, protocol, outcome, request, source);
  const [first] = door.protocols;
  if (lobby.waiting >= waitingLimit)
    return said(first, { kind: "request.away", seconds: awaySeconds }, null);
  lobby.waiting++;
  const held = { bytes: 0 };
  try {
    const { protocol, outcome, source } = await serve(lobby, door, asked, held);
    return await said(protocol, outcome, source);
  } catch (thrown) {
    if (!isAway(thrown) && !isPassing(thrown)) throw thrown;
    return await said(first, { kind: "request.away", seconds: awaySeconds }, null);
  } finally {
    lobby.waiting--;
    lobby.room.give(held.bytes);
  }
}

type Served = { protocol: Protocol; outcome: Outcome; source: Known | null };
async function serve(
  lobby: Lobby,
  door: Door,
  asked: Asked,
  held: { bytes: number },
): Promise<Served> {
  const { house, request } = asked;
  const [first] = door.protocols;
  // The key first, where it stands outside the body: it names the limits.
  const shown = keyOutside(asked);
  const early = shown === undefined ? null : await sourceOf(lobby, house, shown);
  const spoken = early ? protocolOf(door, early) : first;
  const limit = limits[spoken ?? first].request;
  const encoding = request.headers.get("content-encoding") ?? "";
  const got = await inflate(request.body, encoding, limit, lobby.room);
  if (got.ok) held.bytes = got.bytes.length;
  else if (got.why === "no_room") {
    const outcome = { kind: "request.away", seconds: awaySeconds } as const;
    return { protocol: spoken ?? first, outcome, source: early };
  }
  const text = got.ok ? await opened(first, got.bytes, asked, limit, lobby.room) : got;
  if (got.ok && typeof text === "string") {
    const more = Buffer.byteLength(text);
    if (!lobby.room.take(more)) {
      const outcome = { kind: "request.away", seconds: awaySeconds } as const;
      return { protocol: spoken ?? first, outcome, source: early };
    }
    held.bytes += more;
  }
  const body = typeof text === "string" ? parseLoose(text) : undefined;
  // Whose a body is that is too large to be read, its beginning says: its client hears its own word for that.
  const inside =
    shown ?? keyInside(body) ?? (got.ok || got.why !== "too_large" ? undefined : keyAt(got.head));
  const source = early ?? (inside === undefined ? null : await sourceOf(lobby, house, inside));
  if (!source) {
    await lobby.strangers(inside === undefined ? "no_key" : "unknown_key");
    return { protocol: first, outcome: { kind: "request.unauthenticated" }, source: null };
  }
  const protocol = protocolOf(door, source);
  const refused = (outcome: Outcome, reason: string, count = 1): Promise<Served> =>
    collect
      .refuse(house, { sourceId: source.id, reason, field: "", count })
      .then(() => ({ protocol: protocol ?? first, outcome, source }));
  if (source.disabled) return refused({ kind: "collect.disabled" }, "disabled");
  if (protocol === null) return refused({ kind: "collect.other_protocol" }, "other_protocol");
  if (!mayCome(source, request)) return refused({ kind: "collect.origin" }, "origin");
  const limited = limits[protocol];
  if (typeof text !== "string" && text.why === "too_large")
    return refused({ kind: "request.too_large" }, "too_large");
  if (typeof text === "string" && Buffer.byteLength(text) > limited.request)
    return refused({ kind: "request.too_large" }, "too_large");
  const bytes = got.ok ? got.bytes : null;
  const dry = isDry(door, request);
  const told = read(protocol, { body, bytes }, door.call ?? null, asked);
  if (!told) {
    const left = typeof text === "string" ? text.slice(0, limited.event) : "";
    const kept = withoutAddressText(withoutTokens(left));
    const unfit = [{ key: kept, reason: "unreadable", field: "", text: kept }];
    if (!dry) await collect.receive(house, source, { events: [], unfit });
    return { protocol, outcome: { kind: "request.invalid", fields: ["body"] }, source };
  }
  if (told.heard.length > limited.events)
    return refused({ kind: "request.too_large" }, "too_large", told.heard.length);
  const seconds = collect.waitOf(house, source, told.heard.length);
  if (seconds > 0) return refused({ kind: "request.too_many", seconds }, "rate", told.heard.length);
  if (!dry)
    for (const field of told.left ?? [])
      await collect.refuse(house, {
        ...{ sourceId: source.id, reason: "shared", count: 1 },
        field: safeField(field),
      });
  return { protocol, outcome: await take(lobby, door, asked, source, protocol, told), source };
}
const isDry = ({ trial }: Door, request: Request): boolean =>
  trial === true && request.headers.get("dry-run") === "true";

// ── who is there ───────────────────────────────────────────────────────────────────────────────────────────────────

const isKey = (text: string | undefined): text is string => /^lk_[\w-]{10,100}$/.test(text ?? "");
/** As Basic user name, as Bearer, as it stands, in a header of its own, in the query or in the path. */
function keyOutside({ request, input }: Asked): string | undefined {
  const header = request.headers.get("authorization") ?? "";
  const [, scheme = "", shown = ""] = /^(?:(\w+) +)?(\S+)$/.exec(header.trim()) ?? [];
  const basic = /^basic$/i.test(scheme)
    ? Buffer.from(shown, "base64").toString().split(":")[0]
    : "";
  const said = [basic, shown, request.headers.get("x-write-key")];
  for (const name of ["writeKey", "write_key", "token", "api_key", "project", "key"])
    said.push(textOf(input[name]));
  return said.map((one) => one?.split(":")[0]).find((one) => isKey(one ?? undefined));
}
function keyInside(body: unknown): string | undefined {
  const first = Array.isArray(body) ? body[0] : body;
  const { writeKey, data } = fieldsOf(first);
  const [entry] = Array.isArray(data) ? data : [];
  const said = [textOf(writeKey), posthog.tokenIn(body), textOf(fieldsOf(entry)["aid"])];
  return said.find(isKey);
}
/** The first key that a text names as one, where it is no whole JSON. */
const keyAt = (head: Buffer): string | undefined =>
  /"(?:writeKey|api_key|token|aid)"\s*:\s*"(lk_[\w-]{10,100})"/.exec(head.toString())?.[1];
async function sourceOf(lobby: Lobby, house: House, key: string): Promise<Known | null> {
  const source = await lobby.keyOf(key);
  return source && (await collect.knownSource(house, source));
}
/** Whose manners hold: those of the source where this is a door of its protocol; a source that names none takes the path's. */
function protocolOf(door: Door, { protocol }: Known): Protocol | null {
  if (protocol === "liuke") return door.protocols[0];
  return door.protocols.includes(protocol) ? protocol : null;
}
function mayCome(source: Known, request: Request): boolean {
  if (source.kind !== "public") return true;
  const { headers } = request;
  return isAllowedOrigin(originOf(headers.get("origin"), headers.get("referer")), source.settings);
}

// ── what they brought ──────────────────────────────────────────────────────────────────────────────────────────────

/** The JSON of a body: of a form its field, which may be compressed once more. */
async function opened(
  protocol: Protocol,
  bytes: Buffer,
  { request, input }: Asked,
  limit: number,
  room: Room,
): Promise<string | { why: "too_large" | "broken" | "no_room" }> {
  const text = textIn(bytes, request.headers.get("content-type"));
  if (request.method === "GET" && protocol === "rudderstack") return JSON.stringify(pixelOf(input));
  if (request.method === "GET" && protocol === "snowplow") {
    const { key: _, ...event } = input;
    return JSON.stringify({ schema: payload, data: [event] });
  }
  if (protocol !== "sensors" && protocol !== "posthog") return text;
  // A form, or an address; JSON as it stands is neither.
  const form = /^\w+=/.test(text) ? new URLSearchParams(text) : null;
  // "+" that a client left as it is comes out of a form as a space.
  const one = (name: string) => (textOf(input[name]) ?? form?.get(name))?.replaceAll(" ", "+");
  const coded = (protocol === "sensors" ? one("data_list") : undefined) ?? one("data");
  if (coded === undefined) return text;
  if (/^[[{]/.test(coded)) return textOf(input["data"]) ?? form?.get("data") ?? coded;
  if (protocol === "posthog" && one("compression") === "lz64") {
    if (coded.length > pressedLimit) return { why: "too_large" };
    const told = unpressed(coded, limit);
    return "text" in told ? told.text : told;
  }
  const inner = await inflate(Buffer.from(coded, "base64"), "", limit, room);
  if (!inner.ok) return inner;
  room.give(inner.bytes.length); // the caller counts the text
  return textIn(inner.bytes, null);
}
/** What LZ-String has pressed is opened in one go, and its list of pieces is held meanwhile: at most so many letters. */
const pressedLimit = 1024 * 1024;
/** RudderStack's pixel: an event in a query, "properties." before what is the event's own. */
function pixelOf(input: Record<string, unknown>): Record<string, unknown> {
  const { writeKey: _, ...fields } = input;
  const event: Record<string, unknown> = {};
  const inner: Record<string, Record<string, unknown>> = {};
  for (const [name, value] of Object.entries(fields)) {
    const [, group, rest] = /^(properties|context|traits)\.(.+)$/.exec(name) ?? [];
    if (group && rest) (inner[group] ??= {})[rest] = value;
    else event[name] = value;
  }
  return { ...event, ...inner };
}

function read(
  protocol: Protocol,
  { body, bytes }: { body: unknown; bytes: Buffer | null },
  call: string | null,
  { request, input }: Asked,
): Told | null {
  if (protocol === "cloudevents") return cloudevents.read(body, bytes, request.headers);
  if (body === undefined) return null;
  if (protocol === "posthog") return posthog.read(body, input["_"]);
  if (protocol === "snowplow") return snowplow.read(body);
  if (protocol === "sensors") return sensors.read(body);
  if (call === "event") return jitsu.read(body);
  return segment.read(body, call, protocol === "rudderstack");
}

/** Takes what could be read. */
async function take(
  lobby: Lobby,
  door: Door,
  { house, request, remote }: Asked,
  source: Known,
  protocol: Protocol,
  { heard, sentAt }: Told,
): Promise<Outcome> {
  const receivedAt = house.clocks.shop();
  const requestId = house.newId();
  const vouched = await vouchersOf(lobby, house, source, heard);
  const agent = request.headers.get("user-agent") ?? "";
  const events: Incoming[] = [];
  const whence: collect.Whence[] = [];
  const unfit: collect.Unfit[] = [];
  const sent = sentAt !== null && canBe(sentAt) ? new Date(sentAt) : null;
  const marksOf = (item: unknown) =>
    source.kind === "public"
      ? markOf({ agent: textOf(fieldsOf(item)["ua"]) ?? agent, ip: remote }, source.settings)
      : 0;
  const refuse = (item: unknown, reason: string, field: string) => {
    // Of somebody who did not agree nothing is kept but the count.
    const text = reason === "no_consent" ? "" : keptOf(item, source);
    const size = Buffer.byteLength(text);
    unfit.push({
      key: text,
      reason,
      field: safeField(field),
      text: size > limits[protocol].event * 4 ? "" : text,
      ...{ name: nameIn(item), sentAt: sent, marks: marksOf(item) },
    });
  };
  let large = 0;
  for (const [i, { item, said }] of heard.entries()) {
    const bad = badIn(item);
    if (bad !== null) refuse(item, "invalid", bad);
    else if (Buffer.byteLength(JSON.stringify(item)) > limits[protocol].event) {
      large++;
      refuse(item, "too_large", "");
    } else if (isRefused(said)) refuse(item, said.reason, said.field);
    else
      for (const [j, one] of said.entries()) {
        const ip = ipOf(one.context, source, remote);
        const cut = (fields: Record<string, unknown>) =>
          fieldsOf(withoutAddresses(fields, source.settings.ip));
        const context = ip === "" ? one.context : { ...one.context, ip };
        const result = hear(
          { ...one, data: cut(one.data), traits: cut(one.traits), context: cut(context) },
          {
            source,
            receivedAt,
            sentAt: sent?.getTime() ?? null,
            agent: textOf(one.context["userAgent"]) ?? (source.kind === "public" ? agent : ""),
            ip,
            vouched: one.token === null ? null : (vouched.get(one.token) ?? null),
            place: `${requestId}|${i}|${j}`,
          },
        );
        if (isRefused(result)) refuse(item, result.reason, result.field);
        else {
          events.push(result);
          // Should the vocabulary or the plan refuse it, it lies in the list as its client told it.
          whence.push({
            text: () => keptOf(item, source),
            ...{ name: nameIn(item), sentAt: sent, marks: marksOf(item) },
          });
        }
      }
  }
  if (!isDry(door, request)) await collect.receive(house, source, { events, unfit, whence });
  if (door.trial && unfit.length > 0)
    return {
      kind: "request.invalid",
      fields: [...new Set(unfit.map(({ field, reason }) => (field === "" ? reason : field)))],
    };
  // One event alone in its request, too large for its client's own limit, is told so.
  return { kind: large === 1 && heard.length === 1 ? "request.too_large" : "taken" };
}
/** Some clocks begin with 1970. Beyond what a calendar holds nothing is said of when it was sent. */
const canBe = (ms: number): boolean => ms >= 0 && ms <= Date.UTC(9999, 11, 31);
/** A page's address is that of its visitor; a server's own says nothing of anybody. */
function ipOf(context: Record<string, unknown>, source: Known, remote: string): string {
  const said = textOf(context["ip"]) ?? "";
  const isAddress = /^[\d.]+$|:/.test(said);
  return isAddress ? said : source.kind === "public" ? remote : "";
}
const keptOf = (item: unknown, source: Known): string =>
  withoutTokens(JSON.stringify(withoutAddresses(item, source.settings.ip) ?? null));

/** The user id of each person token that is right, and from a shop that shares its numbers of people with this source. */
async function vouchersOf(
  lobby: Lobby,
  house: House,
  source: Known,
  heard: readonly Heard[],
): Promise<Map<string, string>> {
  const shown = new Set(
    heard.flatMap(({ said }) => (isRefused(said) ? [] : said.flatMap(({ token }) => token ?? []))),
  );
  const found = new Map<string, string>();
  if (source.kind !== "public") return found;
  await Promise.all(
    [...shown].slice(0, tokensLimit).map(async (token) => {
      const who = await lobby.shopper(token);
      if (!who) return;
      const { space } = await collect.knownSource(house, { id: who.sourceId, kind: "server" });
      if (space === source.space) found.set(token, who.userId);
    }),
  );
  return found;
}
/** One request speaks for one visitor, or for few. */
const tokensLimit = 50;

// ── the answer ─────────────────────────────────────────────────────────────────────────────────────────────────────

async function respond(
  house: House,
  protocol: Protocol,
  outcome: Outcome,
  request: Request,
  source: Known | null,
): Promise<Response> {
  const { status, headers, body } = answerOf(protocol, outcome, house.clocks.machine().getTime());
  const origin = request.headers.get("origin");
  const open =
    origin !== null &&
    (source ? isAllowedOrigin(origin, source.settings) : await isKnownOrigin(house, origin));
  const all = { ...headers, ...(open ? corsOf(origin) : {}) };
  if (request.method === "GET" && outcome.kind === "taken")
    return new Response(picture, {
      status,
      headers: { ...all, "content-type": "image/gif", "cache-control": "no-store" },
    });
  return Response.json(body, { status, headers: all });
}
/** Whoever asks for a picture gets one: a single pixel that nobody sees. */
const picture = Buffer.from("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7", "base64");
const corsOf = (origin: string) => ({
  "access-control-allow-origin": origin,
  // Beacons carry credentials whether or not there are any.
  "access-control-allow-credentials": "true",
  "access-control-expose-headers": "retry-after, x-ratelimit-reset",
  vary: "origin",
});
/** Is this a page of any source? A browser asks before it says which. */
async function isKnownOrigin(house: House, origin: string): Promise<boolean> {
  for (const source of (await collect.knownSources(house)).values())
    if (source.kind === "public" && !source.disabled && isAllowedOrigin(origin, source.settings))
      return true;
  return false;
}
/** A browser asks whether it may ask. */
export async function preflight({ house, request }: Asked): Promise<Response> {
  const origin = request.headers.get("origin");
  if (origin === null || !(await isKnownOrigin(house, origin)))
    return Response.json({ code: "collect.origin" }, { status: 403 });
  const asked = request.headers.get("access-control-request-headers") ?? "";
  return new Response(null, {
    status: 204,
    headers: {
      ...corsOf(origin),
      "access-control-allow-methods": "GET, POST",
      "access-control-allow-headers": /^[\w\s,-]{0,500}$/.test(asked) ? asked : "",
      "access-control-max-age": "600",
      vary: "origin, access-control-request-headers",
    },
  });
}

/** What a client's own set-up asks before it sends: answered for a key that is known, and for pages that may use it. */
export async function setUp(
  door: Door,
  asked: Asked,
  answer: (key: string, source: Known) => { type: string; body: string },
): Promise<Response> {
  const { house, request } = asked;
  const lobby = lobbyOf(house);
  const [first] = door.protocols;
  const key = keyOutside(asked);
  const source = key === undefined ? null : await sourceOf(lobby, house, key);
  if (!source || key === undefined) {
    await lobby.strangers(key === undefined ? "no_key" : "unknown_key");
    return respond(house, first, { kind: "request.unauthenticated" }, request, null);
  }
  const refusal: Outcome | null = source.disabled
    ? { kind: "collect.disabled" }
    : protocolOf(door, source) === null
      ? { kind: "collect.other_protocol" }
      : mayCome(source, request)
        ? null
        : { kind: "collect.origin" };
  if (refusal) return respond(house, first, refusal, request, source);
  const { type, body } = answer(key, source);
  const origin = request.headers.get("origin");
  return new Response(body, {
    headers: { "content-type": type, ...(origin === null ? {} : corsOf(origin)) },
  });
}

/** The same for everybody; a page hears it where any source of ours is used from it. */
export async function tell(
  { house, request }: Pick<Asked, "house" | "request">,
  body: unknown,
): Promise<Response> {
  const origin = request.headers.get("origin");
  const open = origin !== null && (await isKnownOrigin(house, origin));
  return Response.json(body, { headers: open ? corsOf(origin) : {} });
}

/**
 * One refused item, mended, read again as its source's protocol says and dated as it was when it came. A whole request
 * that could not be read is read as one.
 */
export function reread(
  house: House,
  source: Known,
  item: unknown,
  { id, cameAt, sentAt }: Pick<collect.Refusal, "id" | "cameAt" | "sentAt">,
): (Incoming | { reason: string; field: string })[] {
  const { protocol } = source;
  const now = house.clocks.shop();
  const told = requestOf(protocol, item);
  const bad = badIn(item);
  if (bad !== null || !told) return [{ reason: "invalid", field: bad ?? "" }];
  return told.heard.flatMap(({ said }, i) =>
    isRefused(said)
      ? [said]
      : said.map((one, j) =>
          hear(one, {
            source,
            receivedAt: cameAt ?? now,
            now,
            sentAt: sentAt?.getTime() ?? told.sentAt,
            agent: textOf(one.context["userAgent"]) ?? "",
            ip: "",
            vouched: null, // a token is not kept, and who it was for may have left since
            place: `mended|${id}|${i}|${j}`,
          }),
        ),
  );
}
function requestOf(protocol: Protocol, item: unknown): Told | null {
  const whole = fieldsOf(item);
  switch (protocol) {
    case "cloudevents": {
      const type = `application/cloudevents${Array.isArray(item) ? "-batch" : ""}+json`;
      return cloudevents.read(item, null, new Headers({ "content-type": type }));
    }
    case "posthog":
      return posthog.read("batch" in whole || Array.isArray(item) ? item : [item]);
    case "snowplow":
      return snowplow.read(
        "data" in whole && "schema" in whole ? item : { schema: payload, data: [item] },
      );
    case "sensors":
      return sensors.read(item);
    case "jitsu":
      if (jitsu.isOld(item)) return jitsu.read(item);
    // Falls through: its clients of today speak as Segment's do.
    default:
      return segment.read(
        "batch" in whole ? item : { batch: [item] },
        null,
        protocol === "rudderstack",
      );
  }
}
const payload = "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4";
