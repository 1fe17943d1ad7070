// A segment is a rule about people, and the people it fits now: "dormant, and has come back before". Whoever comes to
// fit is in, whoever no longer does is out, and the rule reads itself back as one sentence.
//
// Of whom something is not known, no comparison about it is true: not "orders below 3", not "country is not known".
// "not" turns that round: people without any order are among those who do not have three. A value counts as known when
// it is there and is not null; a comparison of numbers asks a number, of texts a text, of instants an instant in UTC
// with milliseconds, as we write them ourselves. A tag that has expired is no tag.
import { addDays, dayOf, instantOf } from "#kernel/clock.ts";
import { minorDigits } from "#kernel/money.ts";
import { segmentNames, stageNames } from "#predict/rules.ts";

export type Comparison = "eq" | "ne" | "lt" | "le" | "gt" | "ge";
export type Rule =
  | { kind: "everybody" }
  | { kind: "and"; of: Rule[] }
  | { kind: "or"; of: Rule[] }
  | { kind: "not"; of: Rule }
  | { kind: "tag"; tag: string; in: string[] }
  | { kind: "known"; attribute: string }
  | { kind: "number"; attribute: string; is: Comparison; value: number }
  | { kind: "text"; attribute: string; in: string[] }
  | { kind: "instant"; attribute: string; is: "before" | "from"; at: string }
  /** Whole days of the shop's calendar since the instant's day; below zero for what is yet to come. */
  | { kind: "days_since"; attribute: string; is: "lt" | "le" | "gt" | "ge"; days: number }
  | { kind: "segment"; segment: string };
/** A rule at an instant: days since something have become instants. What is left does not ask for the time. */
export type RuleNow = Exclude<Rule, { kind: "days_since" } | { of: unknown }> | GroupNow;
type GroupNow =
  | { kind: "and"; of: RuleNow[] }
  | { kind: "or"; of: RuleNow[] }
  | { kind: "not"; of: RuleNow };

export type Clock = { at: Date; timeZone: string };
/** What a rule may ask of one person. Attributes are bare values. */
export type Facts = {
  tags: ReadonlyMap<string, { value: string; expiresAt: Date | null }>;
  attributes: ReadonlyMap<string, unknown>;
  segments: ReadonlySet<string>;
};

const instantForm = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** Turns days since something into instants, as of now. */
export function atInstant(rule: Rule, now: Clock): RuleNow {
  switch (rule.kind) {
    case "and":
    case "or":
      return { kind: rule.kind, of: rule.of.map((one) => atInstant(one, now)) };
    case "not":
      return { kind: "not", of: atInstant(rule.of, now) };
    case "days_since": {
      // n days ago or more is before the start of the day n − 1 days ago; more than n, before that of n days ago.
      const { is, days, attribute } = rule;
      const back = is === "ge" || is === "lt" ? days - 1 : days;
      const day = addDays(dayOf(now.at, now.timeZone), -back);
      const at = instantOf(`${day}T00:00`, now.timeZone).toISOString();
      return { kind: "instant", attribute, is: is === "ge" || is === "gt" ? "before" : "from", at };
    }
    default:
      return rule;
  }
}

/** Does the rule fit this person at `at`? The SQL in views.ts says the same of everybody at once. */
export function fits(rule: RuleNow, person: Facts, at: Date): boolean {
  switch (rule.kind) {
    case "everybody":
      return true;
    case "and":
      return rule.of.every((one) => fits(one, person, at));
    case "or":
      return rule.of.some((one) => fits(one, person, at));
    case "not":
      return !fits(rule.of, person, at);
    case "tag": {
      const tag = person.tags.get(rule.tag);
      return tag !== undefined && !isOver(tag, at) && rule.in.includes(tag.value);
    }
    case "known":
      return (person.attributes.get(rule.attribute) ?? null) !== null;
    case "number": {
      const value = person.attributes.get(rule.attribute);
      return typeof value === "number" && compare(value, rule.is, rule.value);
    }
    case "text": {
      const value = person.attributes.get(rule.attribute);
      return typeof value === "string" && rule.in.includes(value);
    }
    case "instant": {
      const value = person.attributes.get(rule.attribute);
      if (typeof value !== "string" || !instantForm.test(value)) return false;
      return rule.is === "before" ? value < rule.at : value >= rule.at;
    }
    case "segment":
      return person.segments.has(rule.segment);
  }
}
const isOver = ({ expiresAt }: { expiresAt: Date | null }, at: Date): boolean =>
  expiresAt !== null && expiresAt <= at;
function compare(value: number, is: Comparison, bound: number): boolean {
  switch (is) {
    case "eq":
      return value === bound;
    case "ne":
      return value !== bound;
    case "lt":
      return value < bound;
    case "le":
      return value <= bound;
    case "gt":
      return value > bound;
    case "ge":
      return value >= bound;
  }
}

/** Every condition of a rule, groups left out. */
function* conditions(rule: Rule): Generator<Exclude<Rule, { of: unknown }>> {
  if (rule.kind === "and" || rule.kind === "or") for (const one of rule.of) yield* conditions(one);
  else if (rule.kind === "not") yield* conditions(rule.of);
  else yield rule;
}
/** What a rule depends on. */
export function dependsOn(rule: Rule) {
  const on = {
    tags: new Set<string>(),
    attributes: new Set<string>(),
    segments: new Set<string>(),
  };
  for (const one of conditions(rule))
    if (one.kind === "tag") on.tags.add(one.tag);
    else if (one.kind === "segment") on.segments.add(one.segment);
    else if (one.kind !== "everybody") on.attributes.add(one.attribute);
  return on;
}

/**
 * The first instant after now at which time alone may change the answer for this person: a day more since something,
 * or a tag that expires. Undefined where it never will.
 */
export function nextTurn(rule: Rule, person: Facts, now: Clock): Date | undefined {
  let next: Date | undefined;
  for (const one of conditions(rule)) {
    const at =
      one.kind === "tag"
        ? person.tags.get(one.tag)?.expiresAt
        : one.kind === "days_since"
          ? turnOf(one, person, now.timeZone)
          : undefined;
    if (at && at > now.at && (next === undefined || at < next)) next = at;
  }
  return next;
}
function turnOf(
  { attribute, is, days }: Extract<Rule, { kind: "days_since" }>,
  person: Facts,
  timeZone: string,
): Date | undefined {
  const value = person.attributes.get(attribute);
  if (typeof value !== "string" || !instantForm.test(value)) return undefined;
  const since = new Date(value);
  if (Number.isNaN(since.getTime())) return undefined;
  const turns = is === "ge" || is === "lt" ? days : days + 1;
  return instantOf(`${addDays(dayOf(since, timeZone), turns)}T00:00`, timeZone);
}
/** Can time alone change this rule's answer for anybody, tags that expire aside? */
export const isTimed = (rule: Rule): boolean =>
  [...conditions(rule)].some((one) => one.kind === "days_since");

/** Segments in an order in which each comes after those that its rule names. Null where they go round in a circle. */
export function inOrder<S extends { id: string; rule: Rule }>(segments: readonly S[]): S[] | null {
  const byId = new Map(segments.map((one) => [one.id, one]));
  const done = new Map<string, S>();
  const visit = (one: S, trail: readonly string[]): boolean => {
    if (trail.includes(one.id)) return false;
    if (done.has(one.id)) return true;
    for (const id of dependsOn(one.rule).segments) {
      const next = byId.get(id);
      if (next && !visit(next, [...trail, one.id])) return false;
    }
    done.set(one.id, one);
    return true;
  };
  return segments.every((one) => visit(one, [])) ? [...done.values()] : null;
}

export type Sentence = { zh: string; en: string };
export type Words = { currency: string; timeZone: string; segments: ReadonlyMap<string, Sentence> };

/** The rule as one sentence in each language. */
export function sentenceOf(rule: Rule, words: Words): Sentence {
  if (rule.kind === "everybody") return { zh: "所有人。", en: "Everybody." };
  const { zh, en } = read(rule, words, false);
  // Between figures or Latin letters and Chinese ones there is a blank.
  return { zh: `${zh}${/\w$/.test(zh) ? " " : ""}的人。`, en: `People ${en}.` };
}

function read(rule: Rule, words: Words, nested: boolean): Sentence {
  switch (rule.kind) {
    case "everybody":
      return { zh: "任意", en: "whoever they are" };
    case "and":
    case "or": {
      const parts = rule.of.map((one) => read(one, words, rule.of.length > 1));
      if (parts.length === 1) return parts[0]!;
      const [zh, en] = rule.kind === "and" ? ["，并且", " and "] : ["，或者", " or "];
      const all = { zh: parts.map((p) => p.zh).join(zh), en: parts.map((p) => p.en).join(en) };
      return nested ? { zh: `（${all.zh}）`, en: `(${all.en})` } : all;
    }
    case "not": {
      const { zh, en } = read(rule.of, words, true);
      return { zh: `并非${zh}`, en: `other than those ${en}` };
    }
    case "tag": {
      const label = tagLabels[rule.tag] ?? { zh: `标签“${rule.tag}”`, en: `tag “${rule.tag}”` };
      const values = rule.in.map(
        (value) => valueLabels[rule.tag]?.[value] ?? { zh: value, en: value },
      );
      return {
        zh: `${label.zh}为${values.map(({ zh }) => `“${zh}”`).join("或")}`,
        en: `whose ${label.en} is ${values.map(({ en }) => `“${en}”`).join(" or ")}`,
      };
    }
    case "known": {
      const { zh, en } = attributeLabel(rule.attribute);
      return { zh: `${zh}已知`, en: `whose ${en} is known` };
    }
    case "number": {
      const { zh, en } = attributeLabel(rule.attribute);
      const value = figure(rule.attribute, rule.value, words.currency);
      return {
        zh: `${zh}${comparisons[rule.is].zh} ${value}`,
        en: `whose ${en} is ${comparisons[rule.is].en} ${value}`,
      };
    }
    case "text": {
      const { zh, en } = attributeLabel(rule.attribute);
      return {
        zh: `${zh}为${rule.in.map((value) => `“${value}”`).join("或")}`,
        en: `whose ${en} is ${rule.in.map((value) => `“${value}”`).join(" or ")}`,
      };
    }
    case "instant": {
      const { zh, en } = attributeLabel(rule.attribute);
      const at = wall(rule.at, words.timeZone);
      return rule.is === "before"
        ? { zh: `${zh}早于 ${at}`, en: `whose ${en} is before ${at}` }
        : { zh: `${zh}不早于 ${at}`, en: `whose ${en} is ${at} or later` };
    }
    case "days_since": {
      const { zh, en } = attributeLabel(rule.attribute);
      const n = `${rule.days} ${rule.days === 1 ? "day" : "days"}`;
      const [first, last] = {
        ge: ["至少", `at least ${n}`],
        gt: ["超过", `more than ${n}`],
        lt: ["不到", `less than ${n}`],
        le: ["不超过", `at most ${n}`],
      }[rule.is];
      return { zh: `${zh}距今${first} ${rule.days} 天`, en: `whose ${en} was ${last} ago` };
    }
    case "segment": {
      const name = words.segments.get(rule.segment) ?? { zh: rule.segment, en: rule.segment };
      return { zh: `在人群“${name.zh}”中`, en: `in the segment “${name.en}”` };
    }
  }
}

const comparisons: Record<Comparison, Sentence> = {
  eq: { zh: "等于", en: "exactly" },
  ne: { zh: "不等于", en: "not" },
  lt: { zh: "小于", en: "less than" },
  le: { zh: "不超过", en: "at most" },
  gt: { zh: "大于", en: "more than" },
  ge: { zh: "不低于", en: "at least" },
};
const tagLabels: Record<string, Sentence> = {
  lifecycle: { zh: "生命周期阶段", en: "lifecycle stage" },
  rfm: { zh: "RFM 得分", en: "RFM score" },
  rfm_segment: { zh: "RFM 分群", en: "RFM group" },
};
const valueLabels: Record<string, Record<string, Sentence>> = {
  lifecycle: stageNames,
  rfm_segment: segmentNames,
};
const attributeLabels: Record<string, Sentence> = {
  orders: { zh: "订单数", en: "number of orders" },
  refunds: { zh: "退款单数", en: "number of refunds" },
  items: { zh: "购买件数", en: "number of items bought" },
  purchase_days: { zh: "购买过的天数", en: "number of days with a purchase" },
  spent_minor: { zh: "累计消费", en: "total spend" },
  refunded_minor: { zh: "累计退款", en: "total refund" },
  spend_score: { zh: "消费分（1 至 5）", en: "spend score (1 to 5)" },
  first_order_at: { zh: "首次下单", en: "first order" },
  last_order_at: { zh: "最近一次下单", en: "last order" },
  order_chance_90d: { zh: "90 天内下单的概率", en: "chance of an order within 90 days" },
  expected_orders_90d: { zh: "90 天内的预期订单数", en: "expected number of orders in 90 days" },
  p_alive: { zh: "仍是客人的概率", en: "chance of still being a customer" },
  country: { zh: "国家或地区", en: "country or region" },
  currency: { zh: "币种", en: "currency" },
  language: { zh: "语言", en: "language" },
};
const attributeLabel = (name: string): Sentence =>
  attributeLabels[name] ?? { zh: `属性“${name}”`, en: `attribute “${name}”` };

/** Amounts in the shop's currency, chances as percent, anything else as it stands. */
function figure(attribute: string, value: number, currency: string): string {
  if (attribute.endsWith("_minor")) {
    const digits = minorDigits(currency);
    return `${(value / 10 ** digits).toFixed(digits)} ${currency}`;
  }
  if (attribute === "order_chance_90d" || attribute === "p_alive")
    return `${Number((value * 100).toFixed(2))}%`;
  return String(value);
}
/** An instant as the shop's wall shows it: the day, and the time where it is not midnight. */
function wall(at: string, timeZone: string): string {
  const instant = new Date(at);
  const day = dayOf(instant, timeZone);
  const minutes = Math.floor(
    (instant.getTime() - instantOf(`${day}T00:00`, timeZone).getTime()) / 60_000,
  );
  if (minutes === 0) return day;
  const time = new Intl.DateTimeFormat("sv-SE", { timeZone, hour: "2-digit", minute: "2-digit" });
  return `${day} ${time.format(instant)}`;
}

/**
 * Dormant, and worth winning back: they came back at least once, so they can, or they spent more than the lowest two
 * fifths of the shop's customers, so that it pays to ask. Whoever bought a little, once, is left alone.
 */
export const dormantWorth: { code: string; name: Sentence; rule: Rule } = {
  code: "dormant_worth",
  name: { zh: "沉睡且值得挽回", en: "Dormant, worth winning back" },
  rule: {
    kind: "and",
    of: [
      { kind: "tag", tag: "lifecycle", in: ["dormant"] },
      {
        kind: "or",
        of: [
          { kind: "number", attribute: "purchase_days", is: "ge", value: 2 },
          { kind: "number", attribute: "spend_score", is: "ge", value: 3 },
        ],
      },
    ],
  },
};
