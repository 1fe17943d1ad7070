// The same few facts in each client's own body, as somebody writes them by hand who has read how it speaks.
import type { Protocol } from "../../src/collect/rules.ts";

export type Fact = {
  kind: "track" | "identify" | "alias" | "group";
  id: string;
  name?: string;
  user?: string;
  anonymous?: string;
  previous?: string;
  group?: string;
  traits?: Record<string, unknown>;
  data?: Record<string, unknown>;
  token?: string;
  at?: number; // ms
  sentAt?: number; // ms, by the client's clock
};
export type Spoken = { path: string; headers: Record<string, string>; body: string };
const json = { "content-type": "application/json" };
const iso = (at: number | undefined) => (at === undefined ? undefined : new Date(at).toISOString());
const sent = (facts: readonly Fact[]) => facts.find(({ sentAt }) => sentAt !== undefined)?.sentAt;

const segment = ({ kind, id, name, user, anonymous, previous, group, ...rest }: Fact) => ({
  ...{ type: kind, messageId: id, event: name, userId: user, anonymousId: anonymous },
  ...{ previousId: previous, groupId: group, traits: rest.traits, properties: rest.data },
  timestamp: iso(rest.at),
  ...(rest.token === undefined ? {} : { context: { personToken: rest.token } }),
});
/** RudderStack's say of each event when it was sent, and mean the true time where they say `timestamp`. */
const rudder = (fact: Fact) => {
  const { timestamp, ...rest } = segment(fact);
  return { ...rest, originalTimestamp: timestamp, sentAt: iso(fact.sentAt) };
};
const posthog = ({ kind, id, name, user, anonymous, previous, group, ...rest }: Fact) => ({
  event: { track: name, identify: "$identify", alias: "$create_alias", group: "$groupidentify" }[
    kind
  ],
  uuid: id,
  distinct_id: user ?? anonymous,
  timestamp: iso(rest.at),
  properties: {
    ...rest.data,
    ...(anonymous === undefined ? {} : { $device_id: anonymous, $anon_distinct_id: anonymous }),
    ...(rest.traits && kind !== "group" ? { $set: rest.traits } : {}),
    ...(previous === undefined ? {} : { alias: previous }),
    ...(group === undefined
      ? {}
      : { $group_type: "company", $group_key: group, $group_set: rest.traits }),
    ...(rest.token === undefined ? {} : { $person_token: rest.token }),
  },
});
const entity = (name: string, data: object) => ({
  schema: `iglu:com.acme/${name}/jsonschema/1-0-0`,
  data,
});
/** A tracker has no word for identify, alias or group: it tells an event of that name. */
const snowplow = (key: string) => (fact: Fact) => ({
  ...{ e: "ue", aid: key, eid: fact.id, uid: fact.user, duid: fact.anonymous, p: "web" },
  ...(fact.at === undefined ? {} : { dtm: String(fact.at) }),
  ...(fact.sentAt === undefined ? {} : { stm: String(fact.sentAt) }),
  ue_px: Buffer.from(
    JSON.stringify({
      schema: "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0",
      data: entity(fact.name ?? `Said ${fact.kind}`, {
        ...fact.data,
        ...fact.traits,
        ...(fact.previous === undefined ? {} : { previous_id: fact.previous }),
      }),
    }),
  ).toString("base64url"),
  ...(fact.token === undefined
    ? {}
    : {
        cx: Buffer.from(
          JSON.stringify({
            schema: "iglu:com.snowplowanalytics.snowplow/contexts/jsonschema/1-0-1",
            data: [entity("person_token", { token: fact.token })],
          }),
        ).toString("base64url"),
      }),
});
const sensors = ({ kind, id, name, user, anonymous, previous, ...rest }: Fact) => ({
  type: { track: "track", identify: "profile_set", alias: "track_signup", group: "track" }[kind],
  distinct_id: user ?? anonymous,
  ...(anonymous === undefined ? {} : { anonymous_id: anonymous }),
  ...(user === undefined ? {} : { login_id: user }),
  ...(previous === undefined ? {} : { original_id: previous }),
  _track_id: id,
  ...{ time: rest.at, _flush_time: rest.sentAt },
  event: name ?? `Said ${kind}`,
  properties: {
    ...rest.data,
    ...rest.traits,
    ...(rest.token === undefined ? {} : { $person_token: rest.token }),
  },
});
const cloudevent = ({ kind, id, name, user, anonymous, previous, ...rest }: Fact) => ({
  ...{ specversion: "1.0", id, source: "/page", type: name ?? kind, time: iso(rest.at) },
  ...{ userid: user, anonymousid: anonymous, previousid: previous, persontoken: rest.token },
  data: { ...rest.data, ...(rest.traits ? { traits: rest.traits } : {}) },
});
const jitsuOld = ({ kind, id, name, user, anonymous, previous, group, ...rest }: Fact) => ({
  ...{ event_type: kind === "identify" ? "user_identify" : (name ?? kind), event_id: id },
  ...{ src: "jitsu", utc_time: iso(rest.at ?? Date.now()), previous_id: previous, group_id: group },
  user: {
    ...{ id: user, anonymous_id: anonymous, person_token: rest.token },
    ...(kind === "identify" ? rest.traits : {}),
  },
  ...rest.data,
  ...(kind === "identify" ? {} : rest.traits),
});
const own = ({ kind, id, name, user, anonymous, data, traits, at }: Fact) => ({
  ...{ key: id, name: name ?? kind, user, anonymous, data: data ?? {}, traits: traits ?? {} },
  at: iso(at ?? Date.now()),
});

/** `own`: our own API, which is no client's. */
export const speakers = [
  ...(["segment", "rudderstack", "customerio", "posthog", "jitsu", "snowplow"] as const),
  ...(["dittofeed", "sensors", "cloudevents", "liuke", "own"] as const),
] as const;
/** `jitsuOld`: Jitsu's first clients, whose body is another. */
export type Speaker = (typeof speakers)[number] | "jitsuOld";
export const protocolOf = (speaker: Speaker): Protocol =>
  speaker === "own" ? "liuke" : speaker === "jitsuOld" ? "jitsu" : speaker;
/** Requests that say these facts; one for all of them, but for a client that says each alone. */
export function speak(speaker: Speaker, key: string, facts: readonly Fact[]): Spoken[] {
  const sentAt = sent(facts);
  const batch = { batch: facts.map(segment), ...(sentAt ? { sentAt: iso(sentAt) } : {}) };
  switch (speaker) {
    case "jitsu":
      return facts.map((fact) => ({
        path: `/api/s/${fact.kind}`,
        headers: { ...json, "x-write-key": key },
        body: JSON.stringify({ ...segment(fact), ...(sentAt ? { sentAt: iso(sentAt) } : {}) }),
      }));
    case "jitsuOld":
      return [
        {
          path: `/api/v1/event?token=${key}`,
          headers: json,
          body: JSON.stringify(facts.map(jitsuOld)),
        },
      ];
    case "dittofeed":
      return [
        {
          path: "/api/public/apps/batch",
          headers: { ...json, authorization: key },
          body: JSON.stringify(batch),
        },
      ];
    case "posthog": {
      const body = { api_key: key, batch: facts.map(posthog), sent_at: iso(sentAt) };
      return [{ path: "/batch/", headers: json, body: JSON.stringify(body) }];
    }
    case "snowplow":
      return [
        {
          path: "/com.snowplowanalytics.snowplow/tp2",
          headers: json,
          body: JSON.stringify({
            schema: "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4",
            data: facts.map(snowplow(key)),
          }),
        },
      ];
    case "sensors":
      return [
        {
          path: `/sa?project=${key}`,
          headers: { "content-type": "application/x-www-form-urlencoded" },
          body: `gzip=0&data_list=${encodeURIComponent(Buffer.from(JSON.stringify(facts.map(sensors))).toString("base64"))}`,
        },
      ];
    case "cloudevents":
      return [
        {
          path: "/v1/cloudevents",
          headers: {
            "content-type": "application/cloudevents-batch+json",
            authorization: `Bearer ${key}`,
          },
          body: JSON.stringify(facts.map(cloudevent)),
        },
      ];
    case "own":
      return [
        {
          path: "/v1/events",
          headers: { ...json, authorization: `Bearer ${key}` },
          body: JSON.stringify({ events: facts.map(own) }),
        },
      ];
    case "rudderstack":
      return [
        {
          path: "/v1/batch",
          headers: { ...json, authorization: `Basic ${btoa(`${key}:`)}` },
          body: JSON.stringify({ batch: facts.map(rudder), timestamp: iso(Date.now()) }),
        },
      ];
    default:
      return [
        {
          path: "/v1/batch",
          headers: { ...json, authorization: `Basic ${btoa(`${key}:`)}` },
          body: JSON.stringify(batch),
        },
      ];
  }
}
