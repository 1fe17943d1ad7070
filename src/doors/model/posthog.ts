// PostHog's capture API: one event, a list, or {batch}. What begins with $ is said of the client, not by the shop.
// posthog.com/docs/api/capture; posthog-js and posthog-node as they send.
import {
  fieldsOf,
  instantOf,
  isObject,
  previousOf,
  textOf,
  type Fields,
  type Heard,
  type Request,
  type Spoken,
} from "../rules.ts";

/** `asked`: when the request was sent, as older clients say in its address. */
export function read(body: unknown, asked?: unknown): Request | null {
  const whole = fieldsOf(body);
  const items = Array.isArray(body)
    ? body
    : Array.isArray(whole["batch"])
      ? whole["batch"]
      : isObject(body) && ("event" in body || "$set" in body)
        ? [body]
        : null;
  if (!items) return null;
  return { heard: items.map((item) => heard(item)), sentAt: instantOf(whole["sent_at"] ?? asked) };
}

/** The keys that a body may hold: of the request, of an event, of its properties. */
export function tokenIn(body: unknown): string | undefined {
  const { batch } = fieldsOf(body);
  const first: unknown = [body, batch].find((one) => Array.isArray(one))?.[0] ?? body;
  for (const one of [fieldsOf(body), fieldsOf(first), fieldsOf(fieldsOf(first)["properties"])])
    for (const name of ["api_key", "token", "$token"]) {
      const found = textOf(one[name]);
      if (found !== undefined) return found;
    }
  return undefined;
}

/** posthog-js gives visitors UUIDs of version 7. */
const visitor = /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/i;
const kinds: Record<string, Spoken["kind"]> = {
  $identify: "identify",
  $set: "identify",
  $create_alias: "alias",
  $merge_dangerously: "alias",
  $groupidentify: "group",
  $pageview: "page",
  $screen: "screen",
};

function heard(item: unknown): Heard {
  if (!isObject(item)) return { item, said: { reason: "invalid", field: "" } };
  const { properties: given } = item;
  if (given !== undefined && !isObject(given))
    return { item, said: { reason: "invalid", field: "properties" } };
  const { $person_token, token: _, api_key: __, ...properties } = fieldsOf(given);
  // "people.set" of its older clients says what is known of somebody, and names no event.
  const event = textOf(item["event"]) ?? ("$set" in item ? "$set" : "");
  const id =
    textOf(item["distinct_id"]) ??
    textOf(properties["distinct_id"]) ??
    textOf(item["$distinct_id"]);
  if (id === undefined) return { item, said: { reason: "no_sender", field: "distinct_id" } };
  const at = instantOf(item["timestamp"]);
  if (Number.isNaN(at)) return { item, said: { reason: "invalid", field: "timestamp" } };
  const uuid = textOf(item["uuid"]);
  const key = uuid === undefined ? null : `uuid|${uuid}`;
  const kind = Object.hasOwn(kinds, event) ? kinds[event]! : "track";
  const device = textOf(properties["$device_id"]);
  const before = textOf(properties["$anon_distinct_id"]);
  const isVisitor =
    kind !== "identify" || event === "$set"
      ? id === device ||
        properties["$is_identified"] === false ||
        properties["$process_person_profile"] === false ||
        visitor.test(id)
      : false;
  const anonymous = isVisitor ? id : (before ?? device);
  const traits = {
    ...setOf(item, properties, "$set_once"),
    ...setOf(item, properties, "$set"),
  };
  const { distinct_id: ___, $set: ____, $set_once: _____, alias, ...rest } = properties;
  const said: Spoken = {
    key,
    kind,
    name: kind === "track" ? event : "",
    user: isVisitor ? undefined : id,
    anonymous,
    previous: kind === "alias" ? previousOf(textOf(alias)) : undefined,
    also: [],
    at,
    // What says when it was needs not say how long ago.
    ago: at === null && typeof item["offset"] === "number" ? item["offset"] : null,
    ...(properties["$ignore_sent_at"] === true ? { sent: null } : {}),
    data: dataOf(kind, rest, alias),
    traits: kind === "identify" ? traits : {},
    context: {},
    token: textOf($person_token) ?? null,
    consent: Object.fromEntries(
      Object.entries(fieldsOf(properties["$consent"])).map(([name, value]) => [
        name,
        value === true,
      ]),
    ),
  };
  if (kind === "identify" || Object.keys(traits).length === 0) return { item, said: [said] };
  // Any event may say who somebody is in the same breath.
  const who: Spoken = {
    ...{ ...said, kind: "identify", name: "", data: {}, traits, previous: undefined },
    key: key === null ? null : `${key}|set`,
  };
  return { item, said: [said, who] };
}

const setOf = (item: Fields, properties: Fields, name: "$set" | "$set_once"): Fields =>
  Object.fromEntries(
    Object.entries({ ...fieldsOf(item[name]), ...fieldsOf(properties[name]) }).filter(
      ([trait]) => !trait.startsWith("$"),
    ),
  );
function dataOf(kind: Spoken["kind"], properties: Fields, alias: unknown): Fields {
  if (kind === "group") {
    const { $group_type, $group_key, $group_set, ...rest } = properties;
    return {
      ...rest,
      ...(textOf($group_type) === undefined ? {} : { groupType: textOf($group_type) }),
      ...(textOf($group_key) === undefined ? {} : { groupId: textOf($group_key) }),
      traits: fieldsOf($group_set),
    };
  }
  if (kind === "page") {
    const { title } = properties;
    return typeof title === "string" ? { name: title, ...properties } : properties;
  }
  if (kind === "screen") {
    const name = textOf(properties["$screen_name"]);
    return name === undefined ? properties : { name, ...properties };
  }
  return kind === "alias" || alias === undefined ? properties : { ...properties, alias };
}
