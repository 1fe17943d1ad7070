// 神策 (Sensors Analytics) as its clients send: a form with data_list, base64 of JSON, mostly compressed.
// Words of the protocol: manual.sensorsdata.cn, 数据格式.
import {
  fieldsOf,
  identifierOf,
  instantOf,
  isObject,
  looksMade,
  previousOf,
  textOf,
  type Fields,
  type Heard,
  type Request,
  type Spoken,
} from "../rules.ts";

export function read(body: unknown): Request | null {
  const items = Array.isArray(body) ? body : isObject(body) ? [body] : null;
  return items && { heard: items.map((item) => heard(item)), sentAt: null };
}

const kinds: Record<string, Spoken["kind"]> = {
  track: "track",
  track_signup: "alias",
  profile_set: "identify",
  profile_set_once: "identify",
};
/** Kept under their own names: what they change is no trait that can be set. */
const others = new Set([
  ...["profile_increment", "profile_append", "profile_unset", "profile_delete", "track_id_bind"],
  ...["track_id_unbind", "item_set", "item_delete"],
]);

function heard(item: unknown): Heard {
  if (!isObject(item)) return { item, said: { reason: "invalid", field: "" } };
  const type = textOf(item["type"]) ?? "";
  const about = type === "item_set" || type === "item_delete";
  if (!Object.hasOwn(kinds, type) && !others.has(type))
    return { item, said: { reason: "invalid", field: "type" } };
  if (item["properties"] !== undefined && !isObject(item["properties"]))
    return { item, said: { reason: "invalid", field: "properties" } };
  const at = instantOf(item["time"]);
  if (Number.isNaN(at)) return { item, said: { reason: "invalid", field: "time" } };
  const { $person_token, ...properties } = fieldsOf(item["properties"]);
  const id = textOf(item["distinct_id"]);
  if (id === undefined && !about)
    return { item, said: { reason: "no_sender", field: "distinct_id" } };
  const event = textOf(item["event"]) ?? "";
  const kind = event === "$pageview" ? "page" : (kinds[type] ?? "track");
  const original = textOf(item["original_id"]);
  const who = whoOf(item, properties, kind, id);
  const word = words[type];
  // The user and the visitor who unbind a number stay one: the word is of what stands among the identities alone.
  if (word === "unbind" && who.user !== undefined) who.anonymous = undefined;
  const said: Spoken = {
    key: keyOf(item, id ?? "", event || type),
    kind,
    name: kind === "track" ? event || type : "",
    ...who,
    word,
    previous: kind === "alias" ? previousOf(original) : undefined,
    also: alsoIn(item),
    at,
    sent: instantOf(item["_flush_time"]),
    data: kind === "identify" ? systemOf(properties) : dataOf(item, properties, kind),
    traits: kind === "identify" ? ownOf(properties) : {},
    context: item["lib"] === undefined ? {} : { lib: item["lib"] },
    token: textOf($person_token) ?? null,
    consent: Object.fromEntries(
      Object.entries(fieldsOf(properties["$consent"])).map(([name, value]) => [
        name,
        value === true,
      ]),
    ),
  };
  return { item, said: [said] };
}

/** `_track_id` alone is a random number of ten digits: dozens of false doubles in a million. */
function keyOf(item: Fields, id: string, event: string): string | null {
  const track = textOf(item["_track_id"]);
  return track === undefined
    ? null
    : `track|${JSON.stringify([track, id, textOf(item["time"]) ?? "", event])}`;
}
function whoOf(
  item: Fields,
  properties: Fields,
  kind: Spoken["kind"],
  id: string | undefined,
): Pick<Spoken, "user" | "anonymous"> {
  const login = textOf(item["login_id"]);
  const visitor = textOf(item["anonymous_id"]);
  const isLogin = properties["$is_login_id"] ?? item["is_login_id"];
  if (login !== undefined) return { user: login, anonymous: visitor };
  if (id === undefined) return {};
  const isUser =
    kind === "alias" || isLogin === true || (isLogin !== false && !looksMade(id) && id !== visitor);
  return isUser ? { user: id, anonymous: visitor } : { anonymous: id };
}
const words: Record<string, "bind" | "unbind"> = {
  track_id_bind: "bind",
  track_id_unbind: "unbind",
};
const ids: Record<string, string> = {
  $identity_login_id: "user_id",
  $identity_anonymous_id: "anonymous_id",
  $identity_cookie_id: "anonymous_id",
  $identity_mp_id: "anonymous_id",
  $identity_email: "email",
  $identity_mobile: "phone",
  $identity_mp_openid: "openid",
  $identity_mp_unionid: "unionid",
  $identity_android_id: "device",
  $identity_idfv: "device",
};
/** WeChat numbers a person anew for each app, and the key says for which: one number of two apps is two people's. */
const openid = /^\$identity_mp_(.+)_openid$/;
const alsoIn = (item: Fields) =>
  Object.entries(fieldsOf(item["identities"])).flatMap(([name, said]) => {
    const value = textOf(said);
    if (value === undefined) return [];
    if (Object.hasOwn(ids, name)) return identifierOf(ids[name]!, value);
    const [, app] = openid.exec(name) ?? [];
    return app === undefined ? [] : identifierOf("openid", `${app}:${value}`);
  });

const parted = (fields: Fields, system: boolean): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([name]) => name.startsWith("$") === system));
const systemOf = (fields: Fields) => parted(fields, true);
const ownOf = (fields: Fields) => parted(fields, false);
function dataOf(item: Fields, properties: Fields, kind: Spoken["kind"]): Fields {
  const title = textOf(properties["$title"]);
  return {
    ...(kind === "page" && title !== undefined ? { name: title } : {}),
    ...properties,
    ...(textOf(item["item_type"]) === undefined ? {} : { item_type: item["item_type"] }),
    ...(textOf(item["item_id"]) === undefined ? {} : { item_id: item["item_id"] }),
  };
}
