// Segment's tracking API, and all who speak it: RudderStack, Customer.io, Jitsu and Dittofeed.
// segment-docs: connections/sources/catalog/libraries/server/http-api; connections/spec/common.
import type { Refused } from "#collect/rules.ts";
import { badIn } from "#kernel/json.ts";
import {
  fieldsOf,
  identifierOf,
  instantOf,
  isObject,
  previousOf,
  textOf,
  type Fields,
  type Heard,
  type Request,
  type Spoken,
} from "../rules.ts";

const kinds: Record<string, Spoken["kind"] | "merge" | "batch"> = {
  ...{ identify: "identify", track: "track", page: "page", screen: "screen", group: "group" },
  ...{ alias: "alias", merge: "merge" },
  // The browser's short paths.
  ...{ i: "identify", t: "track", p: "page", s: "screen", g: "group", a: "alias" },
};

/**
 * `call` is the path's own word for what one event is; null where each says it. `rudder`: RudderStack says of each event
 * when it was sent, and takes a `timestamp` for the true time; others say it of the request, and mean the device's clock.
 */
export function read(body: unknown, call: string | null, rudder = false): Request | null {
  if (!isObject(body)) return null;
  if (call !== null) {
    // Should it be refused, what the path said of it goes with it.
    const item = "type" in body ? body : { ...body, type: call };
    return { heard: [heard(body, call, rudder, item)], sentAt: instantOf(body["sentAt"]) };
  }
  const { batch, context, integrations, sentAt, timestamp } = body;
  if (!Array.isArray(batch)) return null;
  const left: string[] = [];
  const shared = {
    context: sharedOf("context", context, left),
    integrations: sharedOf("integrations", integrations, left),
  };
  const one = (item: unknown): Heard =>
    isObject(item)
      ? heard(
          {
            ...item,
            // What is none is judged as it stands.
            context: isObject(item["context"] ?? {})
              ? { ...shared.context, ...fieldsOf(item["context"]) }
              : item["context"],
            integrations: { ...shared.integrations, ...fieldsOf(item["integrations"]) },
            // RudderStack's batch says there when it was made, which is no event's time.
            timestamp: item["timestamp"] ?? (rudder ? undefined : timestamp),
          },
          textOf(item["type"]) ?? "",
          rudder,
          item,
        )
      : { item, said: { reason: "invalid", field: "" } };
  const first = batch.find(isObject);
  const sent = instantOf(sentAt) ?? instantOf(first ? first["sentAt"] : null);
  return { heard: batch.map(one), sentAt: sent, left };
}
/** What a batch says for all its events comes to each of them, so it may be no larger. */
const sharedLimit = 16 * 1024;
/** What of it can be held; what cannot is named, and costs no event. */
function sharedOf(name: string, value: unknown, left: string[]): Fields {
  if (value !== undefined && value !== null && !isObject(value)) left.push(name);
  const all = fieldsOf(value);
  if (Buffer.byteLength(JSON.stringify(all)) > sharedLimit) {
    left.push(name);
    return {};
  }
  return Object.fromEntries(
    Object.entries(all).filter(([field, one]) => {
      const isFit = badIn({ [field]: one }) === null;
      if (!isFit) left.push(`${name}.${field}`);
      return isFit;
    }),
  );
}

function heard(event: Fields, call: string, rudder: boolean, item: Fields): Heard {
  const kind = Object.hasOwn(kinds, call) ? kinds[call]! : null;
  if (kind === null || kind === "batch")
    return { item, said: { reason: "invalid", field: "type" } };
  if (kind === "merge") return { item, said: merged(event, rudder) };
  const said = spoken(event, kind, rudder);
  return { item, said: "reason" in said ? said : [said] };
}

/** When an event says it was, by which clock. */
function timeOf(event: Fields, rudder: boolean): Pick<Spoken, "at" | "sent"> {
  const { originalTimestamp, timestamp, sentAt } = event;
  if (!rudder) return { at: instantOf(originalTimestamp ?? timestamp) };
  const isTrue = timestamp !== undefined && timestamp !== null && timestamp !== "";
  return isTrue
    ? { at: instantOf(timestamp), sent: null }
    : {
        at: instantOf(originalTimestamp),
        ...(sentAt === undefined ? {} : { sent: instantOf(sentAt) }),
      };
}
function spoken(event: Fields, kind: Spoken["kind"], rudder: boolean): Spoken | Refused {
  const { personToken, ...context } = fieldsOf(event["context"]);
  for (const field of ["properties", "traits", "context"])
    if (event[field] !== undefined && event[field] !== null && !isObject(event[field]))
      return { reason: "invalid", field };
  const time = timeOf(event, rudder);
  if (Number.isNaN(time.at)) return { reason: "invalid", field: "timestamp" };
  const user = textOf(event["userId"]);
  const anonymous = textOf(event["anonymousId"]);
  if (user === undefined && anonymous === undefined)
    return { reason: "no_sender", field: "userId" };
  const traits = fieldsOf(kind === "identify" ? (event["traits"] ?? context["traits"]) : null);
  const integrations = fieldsOf(event["integrations"]);
  return {
    key: keyOf(event),
    kind,
    name: kind === "track" ? (textOf(event["event"]) ?? "") : "",
    user,
    anonymous,
    previous: previousOf(textOf(event["previousId"])),
    also: also(context),
    ...time,
    data: dataOf(event, kind),
    traits,
    context: {
      ...(kind === "identify" && event["traits"] === undefined
        ? without(context, "traits")
        : context),
      ...(Object.keys(integrations).length > 0 ? { integrations } : {}),
    },
    token: textOf(personToken) ?? null,
    consent: consentOf(context),
  };
}
const without = ({ ...fields }: Fields, name: string): Fields => {
  delete fields[name];
  return fields;
};
const keyOf = (event: Fields): string | null => {
  const id = textOf(event["messageId"]);
  return id === undefined ? null : `messageId|${id}`;
};
function dataOf(event: Fields, kind: Spoken["kind"]): Fields {
  const properties = fieldsOf(event["properties"]);
  if (kind === "group") {
    const groupId = textOf(event["groupId"]);
    return { ...(groupId === undefined ? {} : { groupId }), traits: fieldsOf(event["traits"]) };
  }
  if (kind !== "page" && kind !== "screen") return properties;
  const name = textOf(event["name"]) ?? textOf(properties["name"]);
  const category = textOf(event["category"]);
  return {
    ...properties,
    ...(name === undefined ? {} : { name }),
    ...(category === undefined ? {} : { category }),
  };
}
function also(context: Fields): Spoken["also"] {
  const external = Array.isArray(context["externalIds"]) ? context["externalIds"] : [];
  const device = fieldsOf(context["device"]);
  return [
    ...identifierOf("device", textOf(device["id"])),
    ...external.flatMap((one) =>
      isObject(one) ? identifierOf(textOf(one["type"]) ?? "", textOf(one["id"])) : [],
    ),
  ].slice(0, 10);
}

/** Segment: consent.categoryPreferences. RudderStack: consentManagement with lists of what was allowed and denied. */
function consentOf(context: Fields): Record<string, boolean> {
  const given: Record<string, boolean> = {};
  const preferences = fieldsOf(fieldsOf(context["consent"])["categoryPreferences"]);
  for (const [category, value] of Object.entries(preferences)) given[category] = value === true;
  const { allowedConsentIds: allowed, deniedConsentIds: denied } = fieldsOf(
    context["consentManagement"],
  );
  const lists = [
    [allowed, true],
    [denied, false],
  ] as const;
  for (const [list, value] of lists)
    for (const id of Array.isArray(list) ? list : Object.values(fieldsOf(list)).flat())
      if (typeof id === "string") given[id] = value;
  return given;
}

/** RudderStack's merge: two identifiers that are one somebody. */
function merged(event: Fields, rudder: boolean): Spoken[] | Refused {
  const pair = Array.isArray(event["mergeProperties"]) ? event["mergeProperties"] : [];
  const ids = pair.flatMap((one) =>
    isObject(one) ? identifierOf(textOf(one["type"]) ?? "", textOf(one["value"])) : [],
  );
  const [first, second] = ids;
  if (pair.length !== 2 || !first || !second)
    return { reason: "invalid", field: "mergeProperties" };
  const stays = first.type === "user_id" ? first : second;
  const ends = stays === first ? second : first;
  if (stays.type !== "user_id" && stays.type !== "anonymous_id")
    return { reason: "invalid", field: "mergeProperties" };
  const time = timeOf(event, rudder);
  if (Number.isNaN(time.at)) return { reason: "invalid", field: "timestamp" };
  return [
    {
      key: keyOf(event),
      kind: "alias",
      name: "",
      [stays.type === "user_id" ? "user" : "anonymous"]: stays.value,
      previous: [ends],
      also: [],
      ...time,
      data: {},
      traits: {},
      context: {},
      token: null,
      consent: consentOf(fieldsOf(event["context"])),
    },
  ];
}
