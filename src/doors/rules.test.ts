import fc from "fast-check";
import { expect, test } from "vitest";
import { protocols, settingsFor, type Known } from "#collect/rules.ts";
import { answerOf, type Outcome } from "./model/answers.ts";
import * as cloudevents from "./model/cloudevents.ts";
import * as posthog from "./model/posthog.ts";
import * as segment from "./model/segment.ts";
import * as sensors from "./model/sensors.ts";
import * as snowplow from "./model/snowplow.ts";
import { corrected, hear, textIn, type Request, type Spoken } from "./rules.ts";

const source = (kind: "server" | "public", settings = {}): Known => ({
  ...{ id: "s", kind, name: "shop", protocol: "segment", space: "s", disabled: false },
  settings: { ...settingsFor("server"), ...settings },
});
const receivedAt = new Date("2026-03-01T04:00:00Z");
const said = (given: Partial<Spoken> = {}): Spoken => ({
  ...{ key: "k", kind: "track", name: "Shelf Seen", user: "u1", anonymous: "a1", also: [] },
  ...{ at: receivedAt.getTime(), data: {}, traits: {}, context: {}, token: null, consent: {} },
  ...given,
});
const heard = (given: Partial<Spoken>, of = source("server"), more = {}) =>
  hear(said(given), {
    ...{ source: of, receivedAt, sentAt: null, agent: "", ip: "", vouched: null, place: "p" },
    ...more,
  });

test("a client whose clock is wrong by any amount is heard at the time it meant", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -1e11, max: 1e11 }),
      fc.integer({ min: 0, max: 1e9 }),
      (skew, ago) => {
        const now = receivedAt.getTime();
        // The client's clock is ahead of ours by `skew`; it happened `ago` before it was sent, and took no time here.
        const { at } = corrected(now + skew - ago, now + skew, now);
        expect(Math.abs(at - (now - ago))).toBeLessThanOrEqual(2000);
      },
    ),
  );
});

test("times: the future is refused after correction, the long past is marked, what cannot be is refused", () => {
  const day = 86_400_000;
  const now = receivedAt.getTime();
  expect(heard({ at: now + day + 1 })).toEqual({ reason: "not_yet", field: "timestamp" });
  expect(
    heard({ at: now + day * 300 }, source("server"), { sentAt: now + day * 300 }),
  ).toMatchObject({
    at: receivedAt,
    flags: 16,
  });
  expect(heard({ at: now - 31 * day })).toMatchObject({ flags: 8 });
  expect(heard({ at: Date.UTC(1989, 11, 31) })).toEqual({ reason: "too_old", field: "timestamp" });
  expect(heard({ at: Number.MAX_SAFE_INTEGER })).toEqual({ reason: "invalid", field: "timestamp" });
  expect(heard({ at: null })).toMatchObject({ at: receivedAt });
  expect(heard({ at: null, ago: 5000 })).toMatchObject({ at: new Date(now - 5000) });
});

test("when it was: each client's own words for it, against a clock that is three days fast", () => {
  const now = receivedAt.getTime();
  const day = 86_400_000;
  const [fast, ago] = [now + 3 * day, now - 3_600_000];
  const iso = (ms: number) => new Date(ms).toISOString();
  const timesOf = ({ heard: all, sentAt }: Request) =>
    all.flatMap(({ said: each }): unknown[] =>
      "reason" in each
        ? [each.field]
        : each.map((one) => {
            const found = heard(one, source("server"), { sentAt });
            return "at" in found ? found.at.getTime() - now : found.reason;
          }),
    );
  const user = { userId: "u", type: "track", event: "Seen" };
  const hour = -3_600_000;
  const segments = (rudder: boolean, items: object[], more: object = {}) =>
    timesOf(
      segment.read({ batch: items.map((one) => ({ ...user, ...one })), ...more }, null, rudder)!,
    );
  // Segment: received − (sent − said).
  expect(
    segments(
      false,
      [{ timestamp: iso(fast + hour) }, { originalTimestamp: iso(fast + hour) }, {}],
      {
        sentAt: iso(fast),
      },
    ),
  ).toEqual([hour, hour, 0]);
  // RudderStack: each event says when it was sent; `timestamp` is the true time; the batch's own is none of theirs.
  expect(
    segments(
      true,
      [
        { originalTimestamp: iso(fast + hour), sentAt: iso(fast) },
        { originalTimestamp: iso(now + hour), sentAt: iso(now) },
        { originalTimestamp: iso(fast), sentAt: iso(fast), timestamp: iso(ago) },
      ],
      { timestamp: iso(fast), sentAt: iso(fast) },
    ),
  ).toEqual([hour, hour, hour]);
  // PostHog: offset counts where there is no timestamp; $ignore_sent_at takes the timestamp as it stands.
  const post = { event: "Seen", distinct_id: "u" };
  const batch = [
    { ...post, timestamp: iso(fast + hour), offset: 5 },
    { ...post, offset: -hour },
    { ...post, timestamp: iso(ago), properties: { $ignore_sent_at: true } },
  ];
  expect(timesOf(posthog.read({ batch, sent_at: iso(fast) })!)).toEqual([hour, hour, hour]);
  expect(timesOf(posthog.read(batch, String(fast))!)).toEqual([hour, hour, hour]);
  // Snowplow: received − (stm − dtm) of each; a true timestamp stands as it is.
  const snow = { e: "se", se_ac: "Seen", uid: "u" };
  expect(
    timesOf(
      snowplow.read({
        schema: "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4",
        data: [
          { ...snow, dtm: String(fast + hour), stm: String(fast) },
          { ...snow, dtm: String(now + hour), stm: String(now) },
          { ...snow, dtm: String(fast), stm: String(fast), ttm: String(ago) },
        ],
      })!,
    ),
  ).toEqual([hour, hour, hour]);
  // 神策: each says when it was flushed, and what says nothing stands as it is.
  const sa = { type: "track", event: "Seen", distinct_id: "u", properties: {} };
  expect(
    timesOf(
      sensors.read([
        { ...sa, time: fast + hour, _flush_time: fast },
        { ...sa, time: ago },
      ])!,
    ),
  ).toEqual([hour, hour]);
  // CloudEvents: "when the occurrence happened", by nobody else's clock.
  const cloud = { specversion: "1.0", id: "1", source: "/s", type: "Seen", time: iso(ago) };
  const type = new Headers({ "content-type": "application/cloudevents+json" });
  expect(timesOf(cloudevents.read(cloud, null, type)!)).toEqual([hour]);
});

test("a server says who is who; a page speaks for its visitor, whatever else it says", () => {
  const traits = { email: " Ann@Example.com ", phone: "+49 151 1234567", city: "Berlin" };
  const who = { kind: "identify", traits } as const;
  expect(heard(who)).toMatchObject({
    sender: { type: "user_id", value: "u1" },
    links: [
      { type: "anonymous_id", value: "a1" },
      { type: "email", value: "Ann@Example.com" },
      { type: "phone", value: "+49 151 1234567" },
    ],
    data: { $traits: { city: "Berlin" } },
    direct: { "traits.email": "Ann@Example.com" },
  });
  const page = heard(who, source("public"));
  expect(page).toMatchObject({
    sender: { type: "anonymous_id", value: "a1" },
    direct: { "claim.user": "u1", "claim.traits.email": "Ann@Example.com" },
  });
  expect(page).not.toHaveProperty("links");
  // Without a visitor of its own it is nobody that the shop knows either.
  expect(heard({ anonymous: undefined }, source("public"))).toMatchObject({
    sender: { type: "anonymous_id", value: "claimed:u1" },
  });
  // A token vouches for one user: not for an address, and not for another user.
  const vouched = heard(who, source("public"), { vouched: "u1" });
  expect(vouched).toMatchObject({
    sender: { type: "user_id", value: "u1" },
    links: [{ type: "anonymous_id", value: "a1" }],
    direct: { "claim.traits.email": "Ann@Example.com" },
  });
  expect(heard(who, source("public"), { vouched: "u2" })).toEqual(page);
  const alias = { kind: "alias", previous: [{ type: "user_id", value: "u0" }] } as const;
  expect(heard({ ...alias, anonymous: undefined })).toMatchObject({ links: [{ value: "u0" }] });
  expect(heard(alias, source("public"))).not.toHaveProperty("links");
});

test("consent, marks, and an event without a key", () => {
  const needs = source("server", { consent: "analytics" });
  expect(heard({}, needs)).toEqual({ reason: "no_consent", field: "" });
  expect(heard({ consent: { analytics: false } }, needs)).toHaveProperty("reason");
  expect(heard({ consent: { analytics: true } }, needs)).not.toHaveProperty("reason");
  expect(heard({ key: null })).toMatchObject({ key: "p", flags: 4 });
  expect(heard({}, source("public"), { agent: "Googlebot/2.1" })).toMatchObject({ flags: 1 });
  const staff = { networks: ["10.0.0.0/8"], users: ["u9"], domains: ["shop.example"] };
  const of = source("server", { staff });
  expect(heard({}, of, { ip: "10.1.2.3" })).toMatchObject({ flags: 2 });
  expect(heard({ user: "u9" }, of)).toMatchObject({ flags: 2 });
  expect(heard({ kind: "identify", traits: { email: "a@shop.example" } }, of)).toMatchObject({
    flags: 2,
  });
  expect(heard({ name: "Order Completed" }, source("public"))).toMatchObject({ flags: 64 });
});

test("names that mean something to the house are no track events", () => {
  for (const name of ["identify", "alias", "group", "page", "", "x".repeat(201), "ann@example.com"])
    expect(heard({ name }), name).toEqual({ reason: "invalid", field: "event" });
  expect(heard({ name: "Order Line" })).toMatchObject({ reason: "use_order_lines" });
  expect(heard({ name: "unbind" }, source("public"))).toMatchObject({ reason: "server_only" });
  expect(heard({ name: "unbind" })).not.toHaveProperty("reason");
});

test("what names somebody is sealed, in whatever part of the event it stands", () => {
  const read = heard({
    data: { sku: "S1", contact: "ann@example.com", $ip: "10.0.0.1", $browser: "Chrome" },
    context: {
      ip: "10.0.0.1",
      userAgent: "Mozilla",
      page: { url: "https://shop.example" },
      locale: "zh",
    },
  });
  expect(read).toMatchObject({
    data: { sku: "S1", $context: { browser: "Chrome", locale: "zh" } },
    direct: {
      "data.contact": "ann@example.com",
      "context.ip": "10.0.0.1",
      "context.userAgent": "Mozilla",
    },
  });
  expect(JSON.stringify((read as { data: object }).data)).not.toMatch(
    /ann@|10\.0|Mozilla|shop\.example/,
  );
});

/** A small generator of numbers from a seed: mulberry32. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
const keyOf = (item: Record<string, unknown>): string => {
  const said = sensors.read([item])!.heard[0]!.said;
  if ("reason" in said) throw new Error(said.reason);
  return said[0]!.key!;
};

test("神策: of a million events none is taken for another, though their ids alone would be", () => {
  const chance = numbers(20260301);
  const ids = new Set<number>();
  const keys = new Set<string>();
  const events = ["$pageview", "ViewProduct", "AddToCart", "SubmitOrder", "$AppStart"];
  for (let i = 0; i < 1_000_000; i++) {
    // As sa-sdk-node makes it: src/SensorsAnalytics.js.
    const track = Math.floor(chance() * (9999999999 - 999999999 + 1) + 999999999);
    const user = `user-${Math.floor(chance() * 50_000)}`;
    const time = 1_772_300_000_000 + Math.floor(chance() * 86_400_000);
    const event = events[Math.floor(chance() * events.length)]!;
    ids.add(track);
    keys.add(keyOf({ type: "track", distinct_id: user, _track_id: track, time, event }));
  }
  expect(keys.size).toBe(1_000_000);
  // Dozens of honest events would have been dropped.
  expect(1_000_000 - ids.size).toBeGreaterThan(24);
}, 60_000);

test("神策: a key is of its four parts, wherever one ends and the next begins", () => {
  const text = fc.string({ minLength: 1, maxLength: 6 });
  const item = fc.record({ _track_id: text, distinct_id: text, time: fc.nat(), event: text });
  fc.assert(
    fc.property(item, item, (one, other) => {
      const same = (Object.keys(one) as (keyof typeof one)[]).every((k) => one[k] === other[k]);
      expect(keyOf({ type: "track", ...one }) === keyOf({ type: "track", ...other })).toBe(same);
    }),
  );
});

test("whoever hears only a body hears from it whether the event was taken", () => {
  const refusals: Outcome[] = [
    { kind: "request.invalid", fields: [] },
    { kind: "request.too_large" },
    { kind: "request.unauthenticated" },
    { kind: "collect.disabled" },
    { kind: "collect.other_protocol" },
    { kind: "collect.origin" },
    { kind: "request.too_many", seconds: 1 },
    { kind: "request.away", seconds: 1 },
  ];
  for (const protocol of protocols) {
    expect(answerOf(protocol, { kind: "taken" }, 0).body ?? {}).not.toHaveProperty("code");
    for (const outcome of refusals)
      expect(answerOf(protocol, outcome, 0).body).toHaveProperty("code", outcome.kind);
  }
});

test("a text is what its bytes are in the charset that is said, and what is none is no letter", () => {
  const cesu = (text: string) =>
    Buffer.concat(
      Array.from({ length: text.length }, (_, i) => {
        const code = text.charCodeAt(i);
        return code < 0xd800 || code > 0xdfff
          ? Buffer.from(text[i]!)
          : Buffer.from([0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)]);
      }),
    );
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const plain = text.replace(/^\uFEFF/, "");
      expect(textIn(Buffer.from(plain), null)).toBe(plain.replace(/^\uFEFF/, ""));
      // As some pages' clients write what lies beyond the first 65,536.
      expect(textIn(cesu(`a${text}😀`), "text/plain")).toBe(`a${text}😀`);
    }),
  );
  expect(textIn(Buffer.from([0xbf, 0xb4]), "application/json; charset=GBK")).toBe("看");
  expect(textIn(Buffer.from([0x61, 0xbf, 0x62]), null)).toBe("a\uD800b");
  expect(textIn(Buffer.from("a"), "text/plain; charset=klingon")).toBe("a");
  expect(textIn(Buffer.from([0xed, 0xa0]), "text/plain; charset=utf-8").isWellFormed()).toBe(false);
});
