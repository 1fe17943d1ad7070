// All rules, laid out by what they ask about: what changes is led at once to the segments that mention it, however many
// others there are.
import { instantOf, addDays, dayOf } from "#kernel/clock.ts";
import {
  allConditions,
  conditions,
  dayStart,
  dependsOn,
  eventsOf,
  holdsOfNone,
  inOrder,
  type Clock,
  type Level,
  type Rule,
  type Span,
  type What,
} from "../rules.ts";

type Named = { id: string; level: Level; rule: Rule; version: number };
export type Entry<S extends Named> = {
  segment: S;
  on: ReturnType<typeof dependsOn>;
  /** What is asked of a person's own events; what is asked of a company's people stands in `on.people`. */
  whats: readonly What[];
};
/** Entries by what of a person they ask about. */
type Led<S extends Named> = {
  byEvent: ReadonlyMap<string, readonly Entry<S>[]>;
  byAttribute: ReadonlyMap<string, readonly Entry<S>[]>;
  byTag: ReadonlyMap<string, readonly Entry<S>[]>;
};
export type Book<S extends Named = Named> = Led<S> & {
  generation: bigint;
  /** Each after those that its rule names. */
  segments: readonly Entry<S>[];
  byId: ReadonlyMap<string, Entry<S>>;
  /** Of people, by those that name the segment. */
  bySegment: ReadonlyMap<string, readonly Entry<S>[]>;
  /** Rules that a change of one of a company's people concerns through that company. */
  through: Led<S> & { bySegment: ReadonlyMap<string, readonly Entry<S>[]> };
  /** People's rules that ask something of their companies, and companies' own. */
  ofCompanies: readonly Entry<S>[];
  companies: readonly Entry<S>[];
  /** Of rules that may be true of somebody of whom nothing is known. */
  ofAnybody: readonly Entry<S>[];
  /** Rules that ask whose an address is. */
  ofAddress: readonly Entry<S>[];
  /** Names of events of which some rule asks a property. */
  told: ReadonlySet<string>;
};

export function bookOf<S extends Named>(generation: bigint, all: readonly S[]): Book<S> {
  // No circle comes through `define`; were there one, each would still be looked at.
  const segments = (inOrder(all) ?? all).map((segment): Entry<S> => ({
    segment,
    on: dependsOn(segment.rule, segment.level),
    whats:
      segment.level === "person"
        ? [...conditions(segment.rule)].flatMap((one) => eventsOf(one))
        : [],
  }));
  const people = segments.filter(({ segment }) => segment.level === "person");
  const by = (names: (one: Entry<S>) => Iterable<string>, among = segments) => {
    const found = new Map<string, Entry<S>[]>();
    for (const one of among)
      for (const name of new Set(names(one))) {
        const list = found.get(name);
        if (list) list.push(one);
        else found.set(name, [one]);
      }
    return found;
  };
  return {
    generation,
    segments,
    byId: new Map(segments.map((one) => [one.segment.id, one])),
    byEvent: by(({ on }) => on.own.events.map(({ event }) => event)),
    byAttribute: by(({ on }) => on.own.attributes),
    byTag: by(({ on }) => on.own.tags),
    bySegment: by(({ on }) => on.own.segments, people),
    through: {
      byEvent: by(({ on }) => on.people.events.map(({ event }) => event)),
      byAttribute: by(({ on }) => on.people.attributes),
      byTag: by(({ on }) => on.people.tags),
      bySegment: by(({ on }) => on.people.segments),
    },
    ofCompanies: people.filter(({ on }) => on.company),
    companies: segments.filter(({ segment }) => segment.level === "company"),
    ofAnybody: people.filter(({ segment }) => mayFitNobody(segment.rule).true),
    ofAddress: people.filter(({ on }) => on.own.blinds.size > 0),
    told: new Set(
      segments.flatMap(({ on }) =>
        [...on.own.events, ...on.people.events].flatMap(({ event, where = [] }) =>
          where.length > 0 ? [event] : [],
        ),
      ),
    ),
  };
}

export type Interest = {
  kind: "event" | "attribute" | "tag" | "segment" | "person" | "company";
  name: string;
  segmentId: string;
};
export const interestsOf = ({ id, level, rule }: Named): Interest[] => {
  const on = dependsOn(rule, level);
  const either = (name: "attributes" | "tags" | "segments") =>
    new Set([...on.own[name], ...on.people[name]]);
  const rows = (kind: Interest["kind"], names: Iterable<string>) =>
    [...names].map((name) => ({ kind, name, segmentId: id }));
  return [
    ...rows("event", new Set([...on.own.events, ...on.people.events].map(({ event }) => event))),
    ...rows("attribute", either("attributes")),
    ...rows("tag", either("tags")),
    ...rows("segment", either("segments")),
    ...rows("company", on.company ? [""] : []),
    // Every segment has a row, so that one without is seen.
    ...rows("person", level === "person" && mayFitNobody(rule).true ? [""] : ["-"]),
  ];
};

/** What a rule may say of somebody of whom nothing is known yet. */
export function mayFitNobody(rule: Rule): { true: boolean; false: boolean } {
  const yes = { true: true, false: false };
  const no = { true: false, false: true };
  const either = { true: true, false: true };
  switch (rule.kind) {
    case "everybody":
      return yes;
    case "and": {
      const parts = rule.of.map(mayFitNobody);
      return { true: parts.every((p) => p.true), false: parts.some((p) => p.false) };
    }
    case "or": {
      const parts = rule.of.map(mayFitNobody);
      return { true: parts.some((p) => p.true), false: parts.every((p) => p.false) };
    }
    case "not": {
      const of = mayFitNobody(rule.of);
      return { true: of.false, false: of.true };
    }
    case "absent":
      return yes;
    case "events":
      return holdsOfNone(rule.is, rule.count) ? yes : no;
    case "identifier":
    case "sample":
    case "segment":
    case "union":
    case "intersect":
    case "except":
      return either;
    default:
      return no;
  }
}
/** Something of people that time moves into or out of a rule's windows between now and `until`. */
export type Moving =
  | { kind: "events"; what: What; span: Span; due: { afterMs: number } | { at: Date } }
  | { kind: "attribute"; attribute: string; from: string; until: string; at: Date }
  | { kind: "tag"; tag: string; after: Date; until: Date };

const hourMs = 3_600_000;
/**
 * What may turn the answer about anybody after now and up to `until`. `out`: it only takes away, so that where `shrinks`
 * says so it concerns nobody who is not in.
 */
export function movingOf(rule: Rule, now: Clock, until: Date): (Moving & { out: boolean })[] {
  const { timeZone } = now;
  const [from, end] = [now.at.getTime(), until.getTime()];
  const midnights: Date[] = [];
  for (let day = addDays(dayOf(now.at, timeZone), 1); ; day = addDays(day, 1)) {
    const at = instantOf(`${day}T00:00`, timeZone);
    if (at > until) break;
    midnights.push(at);
  }
  const found: (Moving & { out: boolean })[] = [];
  for (const one of conditions(rule)) {
    if (one.kind === "tag")
      found.push({ kind: "tag", tag: one.tag, after: now.at, until, out: true });
    if (one.kind === "days_since") {
      const turns = one.is === "ge" || one.is === "lt" ? one.days : one.days + 1;
      for (const at of midnights)
        found.push({
          kind: "attribute",
          attribute: one.attribute,
          from: new Date(dayStart(at, -turns, timeZone)).toISOString(),
          until: new Date(dayStart(at, 1 - turns, timeZone)).toISOString(),
          at,
          out: one.is === "le" || one.is === "lt",
        });
    }
    if (!("window" in one)) continue;
    const { window } = one;
    for (const what of eventsOf(one)) {
      // Dated ahead of us: it happens when its time comes.
      found.push({
        kind: "events",
        what,
        span: { from: from + 1, until: end + 1 },
        due: { afterMs: 0 },
        out: false,
      });
      if (window.kind === "hours") {
        const afterMs = window.hours * hourMs;
        const span = { from: from - afterMs + 1, until: end - afterMs + 1 };
        found.push({ kind: "events", what, span, due: { afterMs }, out: true });
      }
      if (window.kind === "days")
        for (const at of midnights) {
          const span = {
            from: dayStart(at, -window.days, timeZone),
            until: dayStart(at, 1 - window.days, timeZone),
          };
          found.push({ kind: "events", what, span, due: { at }, out: true });
        }
    }
  }
  return found;
}
/** May time alone change what it says of a company, or of people through theirs? */
export const movesCompanies = (rule: Rule, level: Level): boolean =>
  [...allConditions(rule, level)].some(
    ([one, at]) =>
      (at === "company" || level === "company" || one.kind === "company") &&
      (one.kind === "company" ||
        one.kind === "staff" ||
        one.kind === "tag" ||
        one.kind === "days_since" ||
        "window" in one),
  );
/** Does what leaves a window only ever take people out? Then it concerns nobody who is not in. */
export function shrinks(rule: Rule): boolean {
  switch (rule.kind) {
    case "and":
    case "or":
      return rule.of.every(shrinks);
    case "not":
      return false;
    case "events":
      return rule.is === "ge" || rule.is === "gt";
    case "absent":
      return false;
    case "days_since":
      return rule.is === "le" || rule.is === "lt";
    default:
      return true;
  }
}
