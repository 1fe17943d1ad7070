// Snowplow's tracker protocol, as trackers post it: payload_data, short names of two or three letters.
// docs.snowplow.io: snowplow-tracker-protocol.
import { badIn, parseLoose } from "#kernel/json.ts";
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
  const { schema, data } = fieldsOf(body);
  const isPayload = textOf(schema)?.startsWith("iglu:com.snowplowanalytics.snowplow/payload_data/");
  if (!isPayload || !Array.isArray(data)) return null;
  return { heard: data.map((item) => heard(item)), sentAt: null };
}

type Schemed = { name: string; data: Fields };
/** A self-describing JSON: its name stands in its schema, as in "iglu:com.acme/product_viewed/jsonschema/1-0-0". */
function schemed(value: unknown): Schemed | null {
  const { schema, data } = fieldsOf(value);
  const [, name] = /^iglu:[^/]+\/([^/]+)\//.exec(textOf(schema) ?? "") ?? [];
  return name === undefined || !isObject(data) ? null : { name, data };
}
/** A part that a tracker has packed into a text, and that cannot be held: by its short name. */
class Unfit extends Error {}
/** Plain JSON under one name, or base64url of it under another. What is in it is held to what holds for all JSON. */
function jsonOf(item: Fields, plain: string, encoded: string): Fields | null {
  const text = textOf(item[plain]);
  const coded = text === undefined ? textOf(item[encoded]) : undefined;
  if (text === undefined && coded === undefined) return null;
  const value = parseLoose(text ?? Buffer.from(coded!, "base64url").toString());
  if (value === undefined || badIn(value) !== null)
    throw new Unfit(text === undefined ? encoded : plain);
  return isObject(value) ? value : null;
}

const own: Record<string, Record<string, string>> = {
  pv: { url: "url", page: "name", refr: "referrer" },
  pp: { url: "url", page: "name", refr: "referrer", pp_mix: "x_min", pp_max: "x_max" },
  se: { se_ca: "category", se_la: "label", se_pr: "property", se_va: "value" },
  tr: {
    ...{ tr_id: "order_id", tr_af: "affiliation", tr_tt: "total", tr_tx: "tax" },
    ...{ tr_sh: "shipping", tr_cu: "currency", tr_ci: "city", tr_co: "country" },
  },
  ti: {
    ...{ ti_id: "order_id", ti_sk: "sku", ti_nm: "product", ti_ca: "category" },
    ...{ ti_pr: "price", ti_qu: "quantity", ti_cu: "currency" },
  },
};
const beside: Record<string, string> = {
  // The app's id is the key, where a tracker has no other place for it.
  ...{ tna: "namespace", p: "platform", tv: "tracker_version", lang: "language" },
  ...{ tz: "timezone", ua: "userAgent", ip: "ip", res: "resolution", sid: "session", vid: "visit" },
};

function heard(item: unknown): Heard {
  if (!isObject(item)) return { item, said: { reason: "invalid", field: "" } };
  const at = instantOf(item["ttm"] ?? item["dtm"]);
  if (Number.isNaN(at)) return { item, said: { reason: "invalid", field: "dtm" } };
  let what: { kind: Spoken["kind"]; name: string; data: Fields } | null;
  let context: Fields | null;
  try {
    what = whatOf(item);
    context = jsonOf(item, "co", "cx");
  } catch (thrown) {
    if (!(thrown instanceof Unfit)) throw thrown;
    return { item, said: { reason: "invalid", field: thrown.message } };
  }
  if (!what) return { item, said: { reason: "invalid", field: "e" } };
  const entities = Array.isArray(context?.["data"]) ? context["data"] : [];
  const named = entities.flatMap((one) => schemed(one) ?? []);
  const token = textOf(named.find(({ name }) => name === "person_token")?.data["token"]);
  const key = textOf(item["eid"]);
  return {
    item,
    said: [
      {
        key: key === undefined ? null : `eid|${key}`,
        ...what,
        user: textOf(item["uid"]),
        anonymous: textOf(item["duid"]) ?? textOf(item["nuid"]) ?? textOf(item["tnuid"]),
        previous: undefined,
        also: [],
        at,
        // What the shop itself says of when it was ("true timestamp") is no matter of the device's clock.
        sent: item["ttm"] === undefined ? instantOf(item["stm"]) : null,
        traits: {},
        context: {
          ...renamed(item, beside),
          // An entity of one schema stands under its name; of several, as a list.
          ...Object.fromEntries(
            [...Map.groupBy(named, ({ name }) => name)]
              .filter(([name]) => name !== "person_token")
              .map(([name, all]) => [
                name,
                all.length === 1 ? all[0]!.data : all.map(({ data }) => data),
              ]),
          ),
        },
        token: token ?? null,
        consent: Object.fromEntries(
          named
            .filter(({ name }) => name === "consent_preferences")
            .flatMap(({ data }) =>
              Array.isArray(data["consentScopes"]) ? data["consentScopes"] : [],
            )
            .map((scope) => [String(scope), true]),
        ),
      },
    ],
  };
}
const renamed = (item: Fields, names: Record<string, string>): Fields =>
  Object.fromEntries(
    Object.entries(names).flatMap(([short, name]) =>
      item[short] === undefined || item[short] === null ? [] : [[name, item[short]]],
    ),
  );

function whatOf(item: Fields): { kind: Spoken["kind"]; name: string; data: Fields } | null {
  const type = textOf(item["e"]) ?? "";
  const fields = Object.hasOwn(own, type) ? renamed(item, own[type]!) : {};
  if (type === "pv") return { kind: "page", name: "", data: fields };
  if (type === "pp") return { kind: "track", name: "page_ping", data: fields };
  if (type === "se") return { kind: "track", name: textOf(item["se_ac"]) ?? "", data: fields };
  if (type === "tr") return { kind: "track", name: "transaction", data: fields };
  if (type === "ti") return { kind: "track", name: "transaction_item", data: fields };
  if (type !== "ue") return null;
  const inner = schemed(jsonOf(item, "ue_pr", "ue_px")?.["data"]);
  if (!inner) return null;
  if (inner.name === "screen_view") return { kind: "screen", name: "", data: inner.data };
  return { kind: "track", ...inner };
}
