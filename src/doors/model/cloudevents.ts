// CloudEvents 1.0 over HTTP: one in headers ("binary"), one in the body ("structured"), or a list of them ("batched").
// cloudevents/spec: http-protocol-binding.md, 3.1–3.3; formats/json-format.md.
import {
  fieldsOf,
  instantOf,
  isObject,
  previousOf,
  textIn,
  textOf,
  type Fields,
  type Heard,
  type Request,
  type Spoken,
} from "../rules.ts";

/**
 * `body` is what JSON says in `bytes`, undefined where they are none; `bytes` are null where the line broke. `headers`
 * are those of the request, for an event whose attributes stand there: then the bytes are its data, of whatever kind.
 */
export function read(body: unknown, bytes: Buffer | null, headers: Headers): Request | null {
  const type = (headers.get("content-type") ?? "").toLowerCase();
  if (type.startsWith("application/cloudevents-batch"))
    return Array.isArray(body) ? { heard: body.map((item) => heard(item)), sentAt: null } : null;
  if (type.startsWith("application/cloudevents"))
    return isObject(body) ? { heard: [heard(body)], sentAt: null } : null;
  if (!headers.has("ce-specversion")) return null;
  const attributes = Object.fromEntries(
    [...headers]
      .filter(([name]) => name.startsWith("ce-"))
      .map(([name, value]) => [name.slice(3), unescaped(value)]),
  );
  // Half an event is none: taken as one without data, it would stand in the way of the whole one that comes after it.
  const data = bytes && dataIn(body, bytes, type);
  return data && { heard: [heard({ ...attributes, ...data })], sentAt: null };
}
/** The data of an event whose attributes stand in headers: JSON, text, or anything else as base64; null: no JSON at all. */
function dataIn(body: unknown, bytes: Buffer, type: string): Fields | null {
  if (bytes.length === 0) return {};
  const [kind = ""] = type.split(";");
  const isText = kind.startsWith("text/");
  // Pages say "text/plain" of JSON, to be spared a preflight.
  if (isText) return { data: isObject(body) ? body : textIn(bytes, type) };
  if (kind === "" || /^application\/(.+\+)?json$/i.test(kind.trim()))
    return body === undefined ? null : { data: body };
  return { data_base64: bytes.toString("base64") };
}
/** Header values are percent-encoded where HTTP could not carry them (3.1.3.2). */
const unescaped = (value: string): string => {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
};

const kinds = new Set(["identify", "alias", "group", "page", "screen"]);
const core = new Set(["id", "source", "type", "specversion", "time", "data", "data_base64"]);
const people = new Set(["userid", "anonymousid", "previousid", "persontoken"]);
function heard(item: unknown): Heard {
  if (!isObject(item)) return { item, said: { reason: "invalid", field: "" } };
  const { id, source, type, specversion, time, data } = item;
  const event = textOf(type);
  if (!textOf(specversion)?.startsWith("1."))
    return { item, said: { reason: "invalid", field: "specversion" } };
  for (const [field, value] of Object.entries({ id, source, type }))
    if (textOf(value) === undefined) return { item, said: { reason: "invalid", field } };
  const at = instantOf(time);
  if (Number.isNaN(at)) return { item, said: { reason: "invalid", field: "time" } };
  const {
    personToken,
    userId,
    anonymousId,
    previousId,
    traits: said,
    consent,
    ...rest
  } = fieldsOf(data);
  const kind = kinds.has(event!) ? (event as Spoken["kind"]) : "track";
  const traits = fieldsOf(kind === "identify" ? said : null);
  const payload: Fields = isObject(data)
    ? { ...rest, ...(kind !== "identify" && said !== undefined ? { traits: said } : {}) }
    : data === undefined || data === null
      ? {}
      : { value: data };
  const raw = textOf(item["data_base64"]);
  return {
    item,
    said: [
      {
        key: `ce|${JSON.stringify([source, id])}`,
        kind,
        name: kind === "track" ? event! : "",
        user: textOf(item["userid"]) ?? textOf(userId),
        anonymous: textOf(item["anonymousid"]) ?? textOf(anonymousId),
        previous: previousOf(textOf(item["previousid"]) ?? textOf(previousId)),
        also: [],
        at,
        data: raw === undefined ? payload : { ...payload, data_base64: raw },
        traits,
        context: {
          source,
          ...Object.fromEntries(
            Object.entries(item).filter(([name]) => !core.has(name) && !people.has(name)),
          ),
        },
        token: textOf(item["persontoken"]) ?? textOf(personToken) ?? null,
        consent: Object.fromEntries(
          Object.entries(fieldsOf(consent)).map(([name, value]) => [name, value === true]),
        ),
      },
    ],
  };
}
