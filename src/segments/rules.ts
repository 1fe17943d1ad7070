// A segment is a rule about people, and the people it fits now: "dormant, has looked at shoes three times in thirty days,
// and has not bought since". Whoever comes to fit is in, whoever no longer does is out, and the rule reads itself back as
// one sentence.
//
// The written rules of comparison, the same in PostgreSQL, in ClickHouse and for one person here:
// - Of whom something is not known, no comparison about it is true: not "orders below 3", not "country is not France".
//   "not" turns that round: people without any order are among those who do not have three. A value is known when it is
//   there and is not null. A comparison of numbers asks a number, of texts a text: an attribute "12" is no number.
// - Numbers are IEEE doubles, the one nearest to what was written, so that 0.1 + 0.2 is not 0.3. What is 10^18 or more in
//   size is no number. A rule's own numbers lie within ±(2^53 − 1).
// - Texts are equal when their code points are; nothing is normalised (NFC is not applied), trimmed or folded. Their order
//   is that of code points, whatever the language. There are no patterns.
// - Instants are texts in UTC with milliseconds, as we write them ourselves. A tag that has expired is no tag.
// - A window of hours is (now − hours, now]; one of days is today and the days before it, on the shop's calendar; one
//   between two instants holds its beginning and not its end. What is dated after now has not happened yet.
// - Events of bots and of staff are left out. Of several events at one instant the order is that of their ids.
// - What an event says is asked by filters: model/filter.ts says what they compare.
// - A company's attributes are its profile and its figures; what its people did while they belonged to it is what it
//   did. Who belongs to it now is who joined by now and has not left. "Everybody" of nobody is not true.
// - A sample takes basis points (hundredths of a percent) of all ids. One seed draws one order of everybody: its smaller
//   share lies within the larger. A merge goes by the id that stays.
import { addDays, dayOf, instantOf } from "#kernel/clock.ts";
import { figures, identifierTypes, type IdentifierType } from "#people/rules.ts";
import type { Comparison, Filter } from "./model/filter.ts";

export {
  at,
  byCodePoint,
  digitsLimit,
  filtersLimit,
  holds,
  isDecimal,
  isPath,
  isPlace,
  partsOf,
  plainDecimal,
  valuesLimit,
  type Comparison,
  type Filter,
} from "./model/filter.ts";
export { propertyLabel, propertyName, whatWords } from "./model/words.ts";
/** Events of one name, of which every filter is true. */
export type What = { event: string; where?: Filter[] | undefined };
export type Window =
  | { kind: "hours"; hours: number }
  | { kind: "days"; days: number }
  | { kind: "since"; at: string }
  | { kind: "between"; from: string; until: string }
  | { kind: "ever" };
/** What a rule may ask for by equality: everything that somebody is recognised by. */
export const askedTypes = identifierTypes;
/** Those that mean one person wherever they come from; any other is a source's own. */
export const everywhere: ReadonlySet<IdentifierType> = new Set(["email", "phone"]);
/** Whom a rule is about. A company's rule asks of its people by "staff", a person's of their companies by "company". */
export type Level = "person" | "company";
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
  | ({ kind: "events"; is: Comparison; count: number; window: Window } & What)
  | ({ kind: "absent"; window: Window } & What)
  /** The first such event there ever was lies in the window. */
  | ({ kind: "first"; window: Window } & What)
  /** One after the other, all in the window, from the first to the last at most so many hours. */
  | { kind: "sequence"; steps: What[]; withinHours: number; window: Window }
  /** A direct field, by equality alone: what stands in the rule is its blind index, never the value. */
  | { kind: "identifier"; type: IdentifierType; blinds: string[] }
  /** A share of everybody, in basis points, that stays the same for one seed. */
  | { kind: "sample"; seed: string; basisPoints: number }
  /** Of a person: they belong, in one of these roles (none given: in any), to a company that fits. */
  | { kind: "company"; roles: string[]; fits: Rule }
  /** Of a company: so many of its people in these roles fit, or every one of them does. */
  | { kind: "staff"; are: Comparison | "every"; count: number; roles: string[]; fits: Rule }
  | { kind: "segment"; segment: string }
  | { kind: "union" | "intersect"; segments: string[] }
  | { kind: "except"; segment: string; without: string[] };

/** A rule has at most so many conditions, and groups lie so deep in each other. */
export const conditionsLimit = 100;
export const depthLimit = 8;
/** So many rules in one group (and, or). */
export const groupLimit = 20;
/** Roles that one condition names at most. */
export const rolesLimit = 10;
/** A window looks back two years at most, or to an instant, or to the beginning. */
export const windowLimitDays = 731;
export const stepsLimit = 5;

/** A stretch of time: from inclusive, until exclusive, in ms of UTC. `from` null: from the beginning. */
export type Span = { from: number | null; until: number };
/** A rule at an instant: windows are stretches of time, and nothing is left that asks for the time. */
export type RuleNow =
  | Extract<
      Rule,
      { kind: "everybody" | "tag" | "known" | "number" | "text" | "instant" | "segment" }
    >
  | { kind: "and"; of: RuleNow[] }
  | { kind: "or"; of: RuleNow[] }
  | { kind: "not"; of: RuleNow }
  | ({ kind: "count"; is: Comparison; count: number; span: Span } & What)
  | ({ kind: "first"; span: Span; now: number } & What)
  | { kind: "sequence"; steps: What[]; withinMs: number; span: Span }
  | { kind: "people"; ids: string[] }
  | { kind: "company"; roles: string[]; fits: RuleNow }
  | { kind: "staff"; are: Comparison | "every"; count: number; roles: string[]; fits: RuleNow }
  /** (a × the last 32 bits of the person's id + b) modulo `sampleModulus` lies below `below`. */
  | { kind: "sample"; a: number; b: number; below: number };

export type Clock = { at: Date; timeZone: string };
/** What happened, as rules ask of it. In the order of (at, id). */
export type Happened = {
  name: string;
  at: number;
  id: string;
  data: Readonly<Record<string, unknown>>;
};
/** In which role somebody belonged to a company, since when and (exclusive) until when, in ms of UTC; null: still. */
export type Belongs = { role: string; since: number; until: number | null; facts: Facts };
/** What a rule may ask of one person, or of one company. Attributes are bare values. */
export type Facts = {
  personId: string;
  tags: ReadonlyMap<string, { value: string; expiresAt: Date | null }>;
  attributes: ReadonlyMap<string, unknown>;
  segments: ReadonlySet<string>;
  events: readonly Happened[];
  /** Of a person their companies, of a company its people. */
  belongs?: readonly Belongs[];
};
/** Whose each blind index is: hex → person id. */
export type Known = ReadonlyMap<string, string>;

const hourMs = 3_600_000;
/** The stretch that a window is now. What is dated after now is never in it. */
export function spanOf(window: Window, { at, timeZone }: Clock): Span {
  const until = at.getTime() + 1;
  switch (window.kind) {
    case "hours":
      return { from: until - window.hours * hourMs, until };
    case "days":
      return { from: dayStart(at, 1 - window.days, timeZone), until };
    case "since":
      return { from: Date.parse(window.at), until };
    case "between":
      return { from: Date.parse(window.from), until: Math.min(until, Date.parse(window.until)) };
    case "ever":
      return { from: null, until };
  }
}
/** Where the day begins that is so many days after that of an instant, in ms. */
export const dayStart = (at: Date, days: number, timeZone: string): number =>
  instantOf(`${addDays(dayOf(at, timeZone), days)}T00:00`, timeZone).getTime();

/** The largest prime below 2^32. */
export const sampleModulus = 4_294_967_291;
/** FNV-1a over the seed's code units, 32 bits. */
function hash32(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return h;
}

/** A rule as of now: windows and days become instants, blind indexes the people they belong to. */
export function atInstant(rule: Rule, now: Clock, known: Known = new Map()): RuleNow {
  switch (rule.kind) {
    case "and":
    case "or":
      return { kind: rule.kind, of: rule.of.map((one) => atInstant(one, now, known)) };
    case "not":
      return { kind: "not", of: atInstant(rule.of, now, known) };
    case "days_since": {
      // n days ago or more is before the start of the day n − 1 days ago; more than n, before that of n days ago.
      const { is, days, attribute } = rule;
      const back = is === "ge" || is === "lt" ? days - 1 : days;
      const at = new Date(dayStart(now.at, -back, now.timeZone)).toISOString();
      return { kind: "instant", attribute, is: is === "ge" || is === "gt" ? "before" : "from", at };
    }
    case "events": {
      const { window, ...rest } = rule;
      return { ...rest, kind: "count", span: spanOf(window, now) };
    }
    case "absent": {
      const { window, event, where } = rule;
      return { kind: "count", event, where, is: "eq", count: 0, span: spanOf(window, now) };
    }
    case "first": {
      const { window, ...rest } = rule;
      return { ...rest, span: spanOf(window, now), now: now.at.getTime() };
    }
    case "sequence": {
      const { steps, withinHours, window } = rule;
      return { kind: "sequence", steps, withinMs: withinHours * hourMs, span: spanOf(window, now) };
    }
    case "identifier":
      return { kind: "people", ids: rule.blinds.flatMap((blind) => known.get(blind) ?? []) };
    case "sample": {
      // A factor below 2^30 keeps the product below 2^62: exact in every engine.
      const a = (hash32(`${rule.seed}|a`) % 1_073_741_823) + 1;
      const below = Math.floor((sampleModulus * rule.basisPoints) / 10_000);
      return { kind: "sample", a, b: hash32(`${rule.seed}|b`) % sampleModulus, below };
    }
    case "union":
    case "intersect":
      return {
        kind: rule.kind === "union" ? "or" : "and",
        of: rule.segments.map((segment) => ({ kind: "segment", segment })),
      };
    case "except":
      return {
        kind: "and",
        of: [
          { kind: "segment", segment: rule.segment },
          ...rule.without.map((segment): RuleNow => ({
            kind: "not",
            of: { kind: "segment", segment },
          })),
        ],
      };
    case "company":
    case "staff":
      return { ...rule, fits: atInstant(rule.fits, now, known) };
    default:
      return rule;
  }
}

export type Condition = Exclude<Rule, { of: unknown }>;
/** Every condition of a rule, groups left out. */
export function* conditions(rule: Rule): Generator<Condition> {
  if (rule.kind === "and" || rule.kind === "or") for (const one of rule.of) yield* conditions(one);
  else if (rule.kind === "not") yield* conditions(rule.of);
  else yield rule;
}
/** Every condition of a rule, with those that it asks of companies or of their people, and of whom each asks. */
export function* allConditions(rule: Rule, level: Level): Generator<[Condition, Level]> {
  for (const [one, at] of conditionsAt(rule, level)) yield [one, at];
}
/** Events that a condition asks about, with their filters. */
export const eventsOf = (one: Condition): readonly What[] =>
  one.kind === "sequence"
    ? one.steps
    : one.kind === "events" || one.kind === "absent" || one.kind === "first"
      ? [one]
      : [];
export const segmentsOf = (one: Condition): string[] => segmentFields(one).map(([id]) => id);
/** What a rule depends on: a change of anything else changes nobody's place in it. */
export function dependsOn(rule: Rule, level: Level = "person") {
  const names = () => ({
    tags: new Set<string>(),
    attributes: new Set<string>(),
    events: [] as What[],
    segments: new Set<string>(),
    blinds: new Set<string>(),
  });
  /** `own`: of whoever the rule is about, as far as that is a person. `people`: of anybody of a company. */
  const on = {
    own: names(),
    people: names(),
    /** Does it ask anything of a company, or of whoever belongs to one? */
    company: level === "company",
    segments: new Set<string>(),
  };
  const visit = (of: Rule, at: Level, part: "own" | "people"): void => {
    for (const one of conditions(of)) {
      const named = on[part];
      // A company's own attributes and tags are told as a whole: whatever changes, it is looked at.
      if (at === "person") {
        if (one.kind === "tag") named.tags.add(one.tag);
        else if ("attribute" in one) named.attributes.add(one.attribute);
        else if (one.kind === "identifier") for (const blind of one.blinds) named.blinds.add(blind);
        for (const id of segmentsOf(one)) named.segments.add(id);
      }
      named.events.push(...eventsOf(one));
      for (const id of segmentsOf(one)) on.segments.add(id);
      if (one.kind === "company") {
        on.company = true;
        visit(one.fits, "company", "people");
      }
      if (one.kind === "staff") visit(one.fits, "person", "people");
    }
  };
  visit(rule, level, level === "person" ? "own" : "people");
  return on;
}
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

/**
 * Where a rule asks of the wrong one: of a person's companies within a company's rule, say. The names of the fields that
 * lead to it; null where all is well. A company is not found by an address, nor are its people.
 */
export function misplaced(rule: Rule, level: Level, inside = false): string[] | null {
  if (rule.kind === "and" || rule.kind === "or") {
    for (const [i, one] of rule.of.entries()) {
      const at = misplaced(one, level, inside);
      if (at) return ["of", String(i), ...at];
    }
    return null;
  }
  const below = (at: string[] | null, field: string) => at && [field, ...at];
  if (rule.kind === "not") return below(misplaced(rule.of, level, inside), "of");
  if (rule.kind === "company")
    return level === "person" && !inside
      ? below(misplaced(rule.fits, "company"), "fits")
      : ["kind"];
  if (rule.kind === "staff")
    return level === "company" ? below(misplaced(rule.fits, "person", true), "fits") : ["kind"];
  if (rule.kind === "identifier") return level === "person" && !inside ? null : ["kind"];
  return null;
}

type Excess = { path: string[]; zh: string; en: string };
/** Where what may be a rule is larger than a rule may be, whatever it says otherwise: each limit once, with its number. */
export function excesses(raw: unknown): Excess[] {
  let count = 0;
  let deepest = 0;
  let tooDeep: string[] | null = null;
  const found: Excess[] = [];
  const visit = (one: unknown, path: string[], depth: number): void => {
    deepest = Math.max(deepest, depth);
    if (depth > depthLimit) tooDeep ??= path;
    if (typeof one !== "object" || one === null) return;
    const { of, fits } = one as { of?: unknown; fits?: unknown };
    if (Array.isArray(of)) {
      if (of.length > groupLimit && found.length === 0)
        found.push({
          path: [...path, "of"],
          zh: `一组最多 ${groupLimit} 个条件，给了 ${of.length} 个`,
          en: `at most ${groupLimit} conditions in a group, ${of.length} given`,
        });
      for (const [i, inner] of of.entries()) visit(inner, [...path, "of", String(i)], depth + 1);
    } else if (of !== undefined) visit(of, [...path, "of"], depth + 1);
    else if (fits !== undefined) visit(fits, [...path, "fits"], depth + 1);
    else count++;
  };
  visit(raw, [], 1);
  if (tooDeep)
    found.push({
      path: tooDeep,
      zh: `最多嵌套 ${depthLimit} 层，给了 ${deepest} 层`,
      en: `at most ${depthLimit} levels, ${deepest} given`,
    });
  if (count > conditionsLimit)
    found.push({
      path: [],
      zh: `最多 ${conditionsLimit} 个条件，给了 ${count} 个`,
      en: `at most ${conditionsLimit} conditions, ${count} given`,
    });
  return found;
}

/** What there is of companies whatever they said of themselves, or what most say. */
const companyFigures: ReadonlySet<string> = new Set([
  ...["members", "orders", "spent_minor", "last_order_at"],
  ...["name", "industry", "size_band", "country"],
]);
/** An attribute that may be asked for before anybody has it, though no shop declared it. */
export const isFigure = (name: string, level: Level): boolean =>
  (level === "company" ? companyFigures : figures).has(name);

/** Every condition with whom it asks and the names of the fields that lead to it. */
export function* conditionsAt(
  rule: Rule,
  level: Level,
  path: readonly string[] = ["rule"],
): Generator<[Condition, Level, readonly string[]]> {
  if (rule.kind === "and" || rule.kind === "or") {
    for (const [i, one] of rule.of.entries())
      yield* conditionsAt(one, level, [...path, "of", String(i)]);
    return;
  }
  if (rule.kind === "not") {
    yield* conditionsAt(rule.of, level, [...path, "of"]);
    return;
  }
  yield [rule, level, path];
  if (rule.kind === "company") yield* conditionsAt(rule.fits, "company", [...path, "fits"]);
  if (rule.kind === "staff") yield* conditionsAt(rule.fits, "person", [...path, "fits"]);
}
/** The segments that a condition names, each with the field in which it stands. */
export const segmentFields = (one: Condition): [id: string, field: string][] =>
  one.kind === "segment"
    ? [[one.segment, "segment"]]
    : one.kind === "union" || one.kind === "intersect"
      ? one.segments.map((id, i) => [id, `segments.${i}`])
      : one.kind === "except"
        ? [
            [one.segment, "segment"],
            ...one.without.map((id, i): [string, string] => [id, `without.${i}`]),
          ]
        : [];
/** The way round from a segment to itself, by the rules of others; null where it does not depend on itself. */
export function circleOf<S extends { id: string; rule: Rule; level: Level }>(
  all: readonly S[],
  id: string,
): S[] | null {
  const byId = new Map(all.map((one) => [one.id, one]));
  const seen = new Set<string>();
  const visit = (one: S, trail: readonly S[]): S[] | null => {
    for (const next of dependsOn(one.rule, one.level).segments) {
      if (next === id) return [...trail, byId.get(id)!];
      const other = byId.get(next);
      if (!other || seen.has(next)) continue;
      seen.add(next);
      const round = visit(other, [...trail, other]);
      if (round) return round;
    }
    return null;
  };
  const first = byId.get(id);
  return first ? visit(first, [first]) : null;
}

/** Is a comparison of counts true of whoever has none? */
export const holdsOfNone = (is: Comparison, count: number): boolean =>
  is === "le" ||
  (is === "eq"
    ? count === 0
    : is === "ne"
      ? count !== 0
      : is === "lt"
        ? count > 0
        : is === "ge" && count === 0);

export type Sentence = { zh: string; en: string };
export type Words = {
  currency: string;
  timeZone: string;
  segments: ReadonlyMap<string, Sentence>;
  /** What the roles within a company are called, by code. */
  roles?: ReadonlyMap<string, Sentence>;
  /** What the shop calls traits, attributes and tags of people that it declared, by code. */
  named?: OwnNames;
};
export type OwnNames = {
  attributes: ReadonlyMap<
    string,
    { label: Sentence; unit: string | null; values: ReadonlyMap<string, Sentence> }
  >;
  tags: ReadonlyMap<string, Sentence>;
};

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
