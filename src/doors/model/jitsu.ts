// Jitsu's first clients (@jitsu/sdk-js): one flat event, or a list, in which what the shop says stands beside what the
// client says of itself; in their oldest manner the latter stands in "eventn_ctx".
import {
  fieldsOf,
  instantOf,
  isObject,
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
/** Was an item sent by one of these clients? */
export const isOld = (item: unknown): boolean => "event_type" in fieldsOf(item);

const beside = new Set([
  ...["ids", "local_tz_offset", "referer", "url", "page_title", "doc_path", "doc_host"],
  ...["doc_search", "user_agent", "screen_resolution", "vp_size", "user_language", "doc_encoding"],
  ...["source_ip", "utm", "click_id", "src", "src_payload"],
]);
const itself = new Set(["api_key", "event_type", "event_id", "user", "utc_time", "eventn_ctx"]);

function heard(item: unknown): Heard {
  if (!isObject(item)) return { item, said: { reason: "invalid", field: "" } };
  const all: Fields = { ...item, ...fieldsOf(item["eventn_ctx"]) };
  const type = textOf(all["event_type"]);
  if (type === undefined) return { item, said: { reason: "invalid", field: "event_type" } };
  const at = instantOf(all["utc_time"]);
  if (Number.isNaN(at)) return { item, said: { reason: "invalid", field: "utc_time" } };
  const { anonymous_id, id, internal_id, person_token, ...traits } = fieldsOf(all["user"]);
  const user = textOf(id) ?? textOf(internal_id);
  const anonymous = textOf(anonymous_id);
  if (user === undefined && anonymous === undefined)
    return { item, said: { reason: "no_sender", field: "user" } };
  const kind =
    type === "user_identify" || type === "identify"
      ? "identify"
      : /^page_?(view)?$/.test(type)
        ? "page"
        : "track";
  const own = Object.entries(all).filter(([name]) => !itself.has(name));
  const key = textOf(all["event_id"]);
  const title = textOf(all["page_title"]);
  const said: Spoken = {
    key: key === undefined ? null : `event_id|${key}`,
    kind,
    name: kind === "track" ? type : "",
    ...(user === undefined ? {} : { user }),
    ...(anonymous === undefined ? {} : { anonymous }),
    also: [],
    at,
    data: {
      ...(kind === "page" && title !== undefined ? { name: title } : {}),
      ...Object.fromEntries(own.filter(([name]) => !beside.has(name))),
    },
    traits: kind === "identify" ? traits : {},
    context: {
      ...Object.fromEntries(own.filter(([name]) => beside.has(name))),
      ...(textOf(all["user_agent"]) === undefined ? {} : { userAgent: all["user_agent"] }),
    },
    token: textOf(person_token) ?? null,
    consent: {},
  };
  return { item, said: [said] };
}
