// A refused item is mended by few changes to its text: a field gets a value, another name, or goes. The same changes fit
// one item and all that are refused alike, and nobody has to see the rest of it.
import { directName } from "#collect/rules.ts";
import { looksDirect } from "#privacy/rules.ts";

/** A field is a path: "properties.currency", "products.0.price". A name that holds dots itself is found too. */
export type Change =
  | { do: "set"; field: string; value: string | number | boolean | null }
  | { do: "rename"; field: string; to: string }
  | { do: "remove"; field: string };
type Holder = Record<string, unknown>;
const isHolder = (value: unknown): value is Holder => typeof value === "object" && value !== null;

/** Where a field stands: in whom, under which name. Null where it stands nowhere. */
function find(item: unknown, field: string): { holder: Holder; name: string } | null {
  if (!isHolder(item)) return null;
  if (Object.hasOwn(item, field)) return { holder: item, name: field };
  for (let at = field.lastIndexOf("."); at > 0; at = field.lastIndexOf(".", at - 1)) {
    const name = field.slice(0, at);
    const found = Object.hasOwn(item, name) ? find(item[name], field.slice(at + 1)) : null;
    if (found) return found;
  }
  return null;
}
const unsafe = new Set(["__proto__", "constructor", "prototype"]);
function put(item: Holder, field: string, value: unknown): void {
  const found = find(item, field);
  if (found) {
    found.holder[found.name] = value;
    return;
  }
  const [head = "", ...rest] = field.split(".");
  const inner = item[head];
  // A column of a spreadsheet may be called "data.sku": dots lead on only where there is something to lead into.
  if (rest.length === 0 || (inner !== undefined && !isHolder(inner)) || unsafe.has(head)) {
    if (!unsafe.has(field)) item[field] = value;
    return;
  }
  if (inner === undefined && !groups.has(head)) {
    item[field] = value;
    return;
  }
  const into: Holder = isHolder(inner) ? inner : ((item[head] = {} as Holder) as Holder);
  put(into, rest.join("."), value);
}
/** What clients put a shop's own fields into. */
const groups = new Set(["properties", "traits", "context", "data"]);

/**
 * Snowplow's trackers put JSON into fields as text, or as base64url of it. It is opened to be seen and changed, and put
 * back as it was.
 */
const asText = ["ue_pr", "co"];
const asBase64 = ["ue_px", "cx"];
export function unfolded(item: unknown): unknown {
  if (!isHolder(item) || Array.isArray(item)) return item;
  const open: Holder = { ...item };
  for (const name of [...asText, ...asBase64]) {
    const said = item[name];
    if (typeof said !== "string") continue;
    try {
      const inner: unknown = JSON.parse(asText.includes(name) ? said : fromBase64(said));
      if (isHolder(inner)) open[name] = inner;
    } catch {
      // It is what is wrong with the item: it stays as it came.
    }
  }
  return open;
}
function folded(item: Holder): Holder {
  const closed: Holder = { ...item };
  for (const name of asText) if (isHolder(item[name])) closed[name] = JSON.stringify(item[name]);
  for (const name of asBase64)
    if (isHolder(item[name])) closed[name] = toBase64(JSON.stringify(item[name]));
  return closed;
}
const fromBase64 = (coded: string): string =>
  new TextDecoder().decode(
    Uint8Array.from(
      atob(coded.replaceAll("-", "+").replaceAll("_", "/").replaceAll("=", "")),
      (char) => char.charCodeAt(0),
    ),
  );
const toBase64 = (text: string): string =>
  btoa(String.fromCharCode(...new TextEncoder().encode(text)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");

/** The item's text with the changes, or the field that cannot be changed. */
export function mended(
  text: string,
  changes: readonly Change[],
): string | { reason: string; field: string } {
  if (changes.length === 0) return text;
  let item: unknown;
  let isSnowplow = false;
  try {
    const read: unknown = JSON.parse(text);
    item = unfolded(read);
    isSnowplow =
      isHolder(read) && [...asText, ...asBase64].some((name) => typeof read[name] === "string");
  } catch {
    return { reason: "unreadable", field: "" };
  }
  if (!isHolder(item)) return { reason: "unreadable", field: "" };
  for (const change of changes) {
    const found = find(item, change.field);
    if (change.do === "set") put(item, change.field, change.value);
    else if (found) {
      const value = found.holder[found.name];
      if (Array.isArray(found.holder)) found.holder.splice(Number(found.name), 1);
      else delete found.holder[found.name];
      if (change.do === "rename") put(item, change.to, value);
    }
  }
  return JSON.stringify(isSnowplow ? folded(item) : item);
}

/** How clients call what we name otherwise. */
const alike: Record<string, readonly string[]> = {
  at: ["timestamp", "originalTimestamp", "time", "dtm", "ttm"],
  timestamp: ["originalTimestamp", "time", "dtm"],
  user: ["userId", "userid", "distinct_id", "login_id", "uid"],
  userId: ["userid", "distinct_id", "login_id", "uid"],
  anonymousId: ["anonymousid", "distinct_id", "anonymous_id", "duid"],
  event: ["type", "name"],
  name: ["event", "type"],
  "data.total": ["tr_tt"],
  "data.currency": ["tr_cu", "ti_cu"],
  "data.price": ["ti_pr"],
  "data.quantity": ["ti_qu"],
};
const groupOf = {
  import: ["data"],
  liuke: ["data"],
  cloudevents: ["data"],
  snowplow: ["ue_px.data.data", "ue_pr.data.data"],
  other: ["properties", "data"],
} as const;
/** Where in its item, `unfolded`, the field stands that a refusal names: as it came, or where it would stand. "" where that is all of it. */
export function placeOf(
  item: unknown,
  field: string,
  { protocol, columns = {} }: { protocol: string; columns?: Partial<Record<string, string>> },
): string {
  if (field === "") return "";
  const own = columns[field] ?? field;
  const groups = groupOf[protocol as keyof typeof groupOf] ?? groupOf.other;
  const [, part, rest] = /^(data|traits)\.(.+)$/s.exec(field) ?? [];
  const tries = [own, ...(alike[field] ?? [])];
  if (part === "data") tries.push(...groups.map((group) => `${group}.${rest!}`), rest!);
  const there = tries.find((one) => find(item, one) !== null);
  if (there !== undefined) return there;
  if (part === "data" && protocol !== "import") return `${groups[0]}.${rest!}`;
  return own;
}

export type Leaf = {
  path: string;
  value: string;
  kind: "text" | "number" | "other";
  hidden: boolean;
};
const leavesLimit = 300;
const valueLimit = 2000;
const ids =
  /^(user|anonymous|previous|distinct|login|customer|member|original)_?id$|^(user|anonymous|customer|other|uid|duid)$/i;
/** Does a field name somebody? `as` is what its column is mapped to. */
export const namesSomebody = (name: string, value: unknown): boolean =>
  ids.test(name) || directName(name.replace(/^\$+/, "")) !== null || looksDirect(String(value));
/** The values that an item, `unfolded`, is made of, each where it stands. What names somebody is left out, unless `names`. */
export function leavesOf(
  item: unknown,
  { names, columns = {} }: { names: boolean; columns?: Partial<Record<string, string>> },
): { leaves: Leaf[]; more: boolean } {
  const means = new Map(Object.entries(columns).map(([field, column]) => [column, field]));
  const leaves: Leaf[] = [];
  let more = false;
  const walk = (value: unknown, path: string, hides: boolean) => {
    const name = path.slice(path.lastIndexOf(".") + 1);
    const hidden =
      hides ||
      (!names &&
        path !== "" &&
        namesSomebody(means.get(path) ?? name, isHolder(value) ? "" : value));
    if (isHolder(value) && Object.keys(value).length > 0) {
      for (const [inner, one] of Object.entries(value))
        walk(one, path === "" ? inner : `${path}.${inner}`, hidden);
      return;
    }
    if (leaves.length >= leavesLimit) {
      more = true;
      return;
    }
    const said = typeof value === "string" ? value : JSON.stringify(value);
    const kind =
      typeof value === "string" ? "text" : typeof value === "number" ? "number" : "other";
    leaves.push({ path, value: hidden ? "" : said.slice(0, valueLimit), kind, hidden });
  };
  if (isHolder(item)) walk(item, "", false);
  return { leaves, more };
}
