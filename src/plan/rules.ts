// Whatever a shop's programs call it, a product viewed is a product viewed and an order is an order: known events are read
// by one vocabulary. What would move a figure has to be what it says, and comes from the shop's own server or a file; what
// only tells behaviour is kept as it came, and what is odd about it shows in the tracking plan.
import { looksDirect } from "#privacy/rules.ts";
import { readOrder } from "./model/order.ts";
import { readProduct, seenProduct } from "./model/product.ts";
import { fits, objectsIn } from "./model/values.ts";
import {
  eventSpellings,
  listed,
  propertySpellings,
  vocabulary,
  type Kind,
  type Known,
} from "./model/vocabulary.ts";

export {
  lookedAtLimit,
  namesLimit,
  propertiesLimit,
  keepable,
  others,
  driftOf,
  typesIn,
  windowDays,
  type Drift,
  type Planned,
} from "./model/drift.ts";
export { types } from "./model/values.ts";
export { eventName } from "./model/names.ts";
export { vocabulary } from "./model/vocabulary.ts";

export type SourceKind = "server" | "public" | "import";
/** The part of an incoming event that is judged. `direct` is what will be sealed, by "data.<name>". */
export type Judged = {
  name: string;
  data: Record<string, unknown>;
  direct?: Record<string, string>;
  flags?: number;
};
export type Refusal = { reason: "invalid" | "server_only" | "use_order_lines"; field: string };
/** `odd`: the properties that cannot be what the vocabulary says, of an event that moves nothing. */
export type Judgement<E extends Judged> = { event: E; odd: string[] };
export const isRefusal = <T extends object>(judged: T | Refusal): judged is Refusal =>
  "reason" in judged;

/** Where the figures of an order and of a product stand in an event's data, in our own hand. */
export const orderFigures = "$order";
export const productFigures = "$product";
/** The properties of an event that cannot be what the vocabulary says, by name. */
export const oddOnes = "$odd";
const ours = [orderFigures, productFigures, oddOnes];
const claim = 64; // the flag of collect/rules.ts: a public source's word of an order

const loose = (name: string): string => name.toLowerCase().replaceAll(/[\s_-]+/g, "");
const byLoose = new Map(Object.keys(vocabulary).map((name) => [loose(name), name]));
const bySpelling = new Map(Object.entries(eventSpellings));
/** Names are few and come again and again: what was made of one is kept, up to so many. */
const rememberedLimit = 10_000;
function remembering<T>(make: (name: string) => T): (name: string) => T {
  const kept = new Map<string, T>();
  return (name) => {
    const had = kept.get(name);
    if (had !== undefined) return had;
    if (kept.size >= rememberedLimit) kept.clear();
    const made = make(name);
    kept.set(name, made);
    return made;
  };
}
const snake = remembering((name) =>
  name
    .trim()
    .replaceAll(/([A-Z]+)([A-Z][a-z])/g, "$1_$2")
    .replaceAll(/([a-z\d])([A-Z])/g, "$1_$2")
    .replaceAll(/[\s.-]+/g, "_")
    .toLowerCase(),
);
/** The one event that a name can be, and whether its properties decide. */
const nameable = remembering((sent): { name: string; sure: boolean } | null => {
  const own = Object.hasOwn(vocabulary, sent) ? sent : byLoose.get(loose(sent));
  if (own !== undefined) return { name: own, sure: true };
  const other = bySpelling.get(sent);
  return other === undefined ? null : { name: other, sure: false };
});

/** The vocabulary's name of a property as it was sent; null where this event has none of that kind. */
export function propertyName(sent: string, known: Record<string, Kind>): string | null {
  if (Object.hasOwn(known, sent)) return sent;
  const plain = snake(sent);
  if (Object.hasOwn(known, plain)) return plain;
  const other = Object.hasOwn(propertySpellings, plain) ? propertySpellings[plain]! : null;
  return other !== null && Object.hasOwn(known, other) ? other : null;
}
/** The vocabulary's event of a name, however it is spelt; null where it is none. Its properties decide on a plain word. */
export function eventNamed(sent: string, properties: Iterable<string>): string | null {
  const can = nameable(sent);
  if (can === null || can.sure) return can?.name ?? null;
  const { name: other } = can;
  const known = vocabulary[other]!;
  const names = [...properties].map((one) => propertyName(one, known.properties));
  if (known.role === "order") return names.includes("order_id") ? other : null;
  return known.group === "app" || names.some((one) => one !== null) ? other : null;
}

/** Properties whose words are the shop's own, not a person's, in events about goods. */
const shopsOwn = new Set(["name", "brand", "category", "variant", "creative", "coupon_name"]);
/**
 * Is this property the shop's own word of its goods, so that it need not be sealed, though "name" elsewhere names a
 * person? What looks like an address or a number of somebody is sealed all the same.
 */
export function isShops(
  event: string,
  properties: Iterable<string>,
  sent: string,
  value: unknown,
): boolean {
  const name = eventNamed(event, properties);
  const known = name === null ? undefined : vocabulary[name];
  if (known === undefined || !(known.group === "shop" || known.group === "catalogue")) return false;
  const property = propertyName(sent, known.properties);
  if (property === null) return false;
  if (known.properties[property] === "products")
    return (objectsIn(value) ?? [{ bad: 1 }]).every((one) => partProduct(one).whole);
  if (known.role === "product" && (property === "url" || property.startsWith("image")))
    return typeof value === "string" && !/[@?#]/.test(value) && value.length <= 500;
  return shopsOwn.has(property) && typeof value === "string" && !looksDirect(value);
}

/** Of a product in a list, under the vocabulary's names, what may stand in clear; `whole` where that is all of it. */
function partProduct(one: Record<string, unknown>): {
  plain: Record<string, unknown>;
  whole: boolean;
} {
  const plain: Record<string, unknown> = {};
  let all = true;
  for (const [sent, value] of Object.entries(one)) {
    const property = propertyName(sent, listed);
    const flat = typeof value !== "object" || value === null;
    const fine =
      flat &&
      (property === null
        ? typeof value !== "string"
        : property !== "url" && property !== "image_url" && !looksDirect(String(value)));
    if (fine) plain[property ?? sent] ??= value;
    else all = false;
  }
  return { plain, whole: all };
}

/** What the vocabulary says of an event's property, as the plan names it: "products[].price"; null where it says nothing. */
export function propertyKind(event: string, property: string): Kind | null {
  const known = vocabulary[event]?.properties ?? {};
  const [top = "", inner] = property.split("[].");
  const kind = Object.hasOwn(known, top) ? known[top]! : null;
  if (inner === undefined) return kind;
  return kind === "products" && Object.hasOwn(listed, inner) ? listed[inner]! : null;
}

const textsOf = (kind: Kind, text: string): unknown => {
  if (kind === "text" || kind === "id" || kind === "words" || kind === "currency") return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
};

/**
 * One event by the vocabulary. Known names come out as the vocabulary spells them. `currency` is the shop's. An event that
 * is not known comes out as it went in. Neither its clock nor its sender is looked at.
 */
export function judge<E extends Judged>(
  event: E,
  source: SourceKind,
  { currency }: { currency: string },
): Judgement<E> | Refusal {
  if (event.name === "Order Line") return orderLine(event, source);
  if (nameable(event.name) === null && !ours.some((name) => Object.hasOwn(event.data, name)))
    return { event, odd: [] };
  if (source === "public" && isPlain(event)) return { event, odd: [] };
  const direct: Record<string, string> = { ...event.direct };
  const sent = new Map<string, unknown>(
    Object.entries<unknown>(event.data).filter(([name]) => !ours.includes(name)),
  );
  const sealedNames = Object.keys(direct).flatMap((name) =>
    name.startsWith("data.") ? [name.slice(5)] : [],
  );
  const name = eventNamed(event.name, [...sent.keys(), ...sealedNames]);
  if (name === null) {
    if (sent.size === Object.keys(event.data).length) return { event, odd: [] };
    return { event: { ...event, data: Object.fromEntries(sent) }, odd: [] };
  }
  const known = vocabulary[name]!;
  if (known.role === "product" && source === "public")
    return { reason: "server_only", field: "name" };

  // What it says under the vocabulary's names, and how each was spelt. The first spelling of a property is the one.
  const said: Record<string, unknown> = {};
  const spelt = new Map<string, string>();
  const data: Record<string, unknown> = {};
  for (const [field, value] of sent) {
    const property = propertyName(field, known.properties);
    if (property === null || (property !== field && (sent.has(property) || spelt.has(property)))) {
      data[field] = value;
      continue;
    }
    spelt.set(property, field);
    said[property] = value;
    data[property] = value;
  }
  for (const field of sealedNames) {
    const property = propertyName(field, known.properties);
    if (property === null || spelt.has(property)) continue;
    spelt.set(property, field);
    said[property] = textsOf(known.properties[property]!, direct[`data.${field}`]!);
  }

  const read = figuresOf(name, known, said, source, currency);
  if ("unfit" in read && source !== "public")
    return { reason: "invalid", field: `data.${pathAsSent(read.unfit, spelt, said)}` };
  const odd = [...spelt].flatMap(([property, field]) =>
    fits(known.properties[property]!, said[property]) ? [] : [field],
  );
  if ("unfit" in read) odd.push(pathAsSent(read.unfit, spelt, said));
  clear(known, said, spelt, data, direct);
  const isClaim = known.role === "order" && source === "public";
  return {
    event: {
      ...event,
      name,
      data: {
        ...data,
        ...("unfit" in read ? {} : read.figures),
        ...(odd.length > 0
          ? { [oddOnes]: [...new Set(odd)].map((field) => placed(field, spelt)) }
          : {}),
      },
      ...(event.direct || Object.keys(direct).length > 0 ? { direct } : {}),
      ...(isClaim ? { flags: (event.flags ?? 0) | claim } : {}),
    },
    odd: [...new Set(odd)],
  };
}

/**
 * Most of what comes in: a page's behaviour under the vocabulary's own names, each value what it says, nothing to seal.
 * It goes on untouched, and costs a look at each property.
 */
function isPlain({ name, data, direct }: Judged): boolean {
  const known = Object.hasOwn(vocabulary, name) ? vocabulary[name]! : null;
  if (known === null || known.role !== "behaviour" || direct !== undefined) return false;
  for (const field in data) {
    const kind = Object.hasOwn(known.properties, field) ? known.properties[field]! : null;
    if (
      kind === null
        ? field.startsWith("$") || propertyName(field, known.properties) !== null
        : kind === "words" || kind === "products" || !fits(kind, data[field])
    )
      return false;
  }
  return true;
}

function figuresOf(
  name: string,
  known: Known,
  said: Record<string, unknown>,
  source: SourceKind,
  currency: string,
): { figures: Record<string, unknown> } | { unfit: string } {
  if (known.role === "order") {
    const order = readOrder(name, withListed(said), { currency });
    return "unfit" in order ? order : { figures: { [orderFigures]: order } };
  }
  if (known.role === "product") {
    const product = readProduct(said, { currency });
    return "unfit" in product ? product : { figures: { [productFigures]: product } };
  }
  // A page's word of a product teaches nothing: anybody can write it.
  const seen = source !== "public" && known.group === "shop" ? seenProduct(said) : null;
  return { figures: seen && "product_id" in known.properties ? { [productFigures]: seen } : {} };
}
const withListed = (said: Record<string, unknown>): Record<string, unknown> => {
  const products = objectsIn(said["products"]);
  return products === null ? said : { ...said, products: products.map(named) };
};
/** A product under the vocabulary's names. */
const named = (one: Record<string, unknown>): Record<string, unknown> => {
  const own: Record<string, unknown> = {};
  for (const [sent, value] of Object.entries(one))
    own[propertyName(sent, listed) ?? sent] ??= value;
  return own;
};
/** An odd property by the path under which it now stands: "products[].price". */
function placed(field: string, spelt: Map<string, string>): string {
  const [head = "", index, own] = field.split(".");
  const top = [...spelt].find(([, sent]) => sent === head)?.[0] ?? head;
  return index === undefined || own === undefined
    ? top
    : `${top}[].${propertyName(own, listed) ?? own}`;
}
/** "products.1.price" as it was spelt: "items.1.price". */
function pathAsSent(
  path: string,
  spelt: Map<string, string>,
  said: Record<string, unknown>,
): string {
  const [head = "", index, field] = path.split(".");
  const top = spelt.get(head) ?? head;
  if (index === undefined || field === undefined) return top;
  const one = objectsIn(said[head])?.[Number(index)] ?? {};
  const own = Object.keys(one).find((sent) => propertyName(sent, listed) === field) ?? field;
  return `${top}.${index}.${own}`;
}

/** Moves what is the shop's own out of what is sealed, and a person's own words into it. */
function clear(
  known: Known,
  said: Record<string, unknown>,
  spelt: Map<string, string>,
  data: Record<string, unknown>,
  direct: Record<string, string>,
): void {
  for (const [property, field] of spelt) {
    const kind = known.properties[property]!;
    const value = said[property];
    if (kind === "words" && Object.hasOwn(data, property)) {
      delete data[property];
      if (value !== null && value !== undefined)
        direct[`data.${property}`] = typeof value === "string" ? value : JSON.stringify(value);
    } else if (kind === "products" && objectsIn(value)) {
      const parts = objectsIn(value)!.map(partProduct);
      data[property] = parts.map(({ plain }) => plain);
      if (parts.every(({ whole }) => whole)) delete direct[`data.${field}`];
      else direct[`data.${field}`] ??= JSON.stringify(value);
    } else if (
      !Object.hasOwn(data, property) &&
      (known.group === "shop" || known.group === "catalogue") &&
      shopsOwn.has(property) &&
      typeof value === "string" &&
      !looksDirect(value)
    ) {
      data[property] = value;
      delete direct[`data.${field}`];
    }
  }
}

/** A line is made by its own door, which has read its figures; whatever else calls itself so is none. */
function orderLine<E extends Judged>(event: E, source: SourceKind): Judgement<E> | Refusal {
  const { order, sku, kind, currency, quantity, unitPrice, amountMinor }: Record<string, unknown> =
    event.data;
  const isLine =
    source !== "public" &&
    [order, sku, kind, currency].every((text) => typeof text === "string" && text !== "") &&
    [quantity, unitPrice, amountMinor].every(Number.isSafeInteger);
  return isLine ? { event, odd: [] } : { reason: "use_order_lines", field: "name" };
}
