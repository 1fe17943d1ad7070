// Does a rule fit one person? The statements for PostgreSQL and ClickHouse say the same of everybody at once.
import { compare, holds } from "./filter.ts";
import {
  sampleModulus,
  type Belongs,
  type Facts,
  type Happened,
  type RuleNow,
  type Span,
  type What,
} from "../rules.ts";

const instantForm = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

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
      const value = numberOf(person.attributes.get(rule.attribute));
      return value !== null && compare(value, rule.is, rule.value);
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
    case "people":
      return rule.ids.includes(person.personId);
    case "sample":
      return sampled(rule, person.personId);
    case "count": {
      let count = 0;
      for (const one of person.events) if (within(one, rule.span) && isOf(one, rule)) count++;
      return compare(count, rule.is, rule.count);
    }
    case "first": {
      const first = person.events.find((one) => one.at <= rule.now && isOf(one, rule));
      return first !== undefined && within(first, rule.span);
    }
    case "sequence":
      return follows(rule, person.events);
    case "company":
      return belonging(person, rule.roles, at).some((one) => fits(rule.fits, one, at));
    case "staff": {
      const people = belonging(person, rule.roles, at);
      const fit = people.filter((one) => fits(rule.fits, one, at)).length;
      return rule.are === "every"
        ? fit > 0 && fit === people.length
        : compare(fit, rule.are, rule.count);
    }
  }
}
/** Companies of a person, or people of a company, that belong together at an instant, each once. */
function belonging({ belongs = [] }: Facts, roles: readonly string[], at: Date): Facts[] {
  const now = at.getTime();
  const is = ({ role, since, until }: Belongs) =>
    since <= now && (until === null || until > now) && (roles.length === 0 || roles.includes(role));
  return [...new Map(belongs.filter(is).map(({ facts }) => [facts.personId, facts])).values()];
}
const isOver = ({ expiresAt }: { expiresAt: Date | null }, at: Date): boolean =>
  expiresAt !== null && expiresAt <= at;
export const within = ({ at }: Happened, { from, until }: Span): boolean =>
  at < until && (from === null || at >= from);

/** The last 32 bits of an id are chance; an affine map over a prime field spreads them anew for each seed. */
const sampled = ({ a, b, below }: { a: number; b: number; below: number }, id: string): boolean =>
  Number(
    (BigInt(a) * BigInt(Number.parseInt(id.slice(-8), 16)) + BigInt(b)) % BigInt(sampleModulus),
  ) < below;

type Sequence = { steps: What[]; withinMs: number; span: Span };
const follows = (rule: Sequence, events: readonly Happened[]): boolean => {
  for (const _ of chains(rule, events)) return true;
  return false;
};
/** When the chain of all steps began that began last; undefined where there is none. */
export function begunLast(rule: Sequence, events: readonly Happened[]): number | undefined {
  let last: number | undefined;
  for (const began of chains(rule, events)) if (last === undefined || began > last) last = began;
  return last;
}
/**
 * When each chain began that is there in time. Of every chain of steps that could end here only the one that began last
 * matters: if that took too long, all did. `began[i]` is when the latest chain of i + 1 steps began.
 */
function* chains(
  { steps, withinMs, span }: Sequence,
  events: readonly Happened[],
): Generator<number> {
  const began: number[] = Array.from({ length: steps.length }, () => Number.NEGATIVE_INFINITY);
  for (const one of events) {
    if (!within(one, span)) continue;
    for (let i = steps.length - 1; i >= 0; i--) {
      const start = i === 0 ? one.at : began[i - 1]!;
      if (start <= began[i]! || !isOf(one, steps[i]!)) continue;
      began[i] = start;
      if (i === steps.length - 1 && one.at - start <= withinMs) yield start;
    }
  }
}

export const isOf = ({ name, data }: Happened, { event, where = [] }: What): boolean =>
  name === event && where.every((filter) => holds(filter, data));

/** A number as rules compare it, or null: see the written rules. */
function numberOf(value: unknown): number | null {
  return typeof value === "number" && Math.abs(value) < 1e18 ? value : null;
}
