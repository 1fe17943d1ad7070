// When may time alone change the answer about somebody? A condition that asks for the time is tried at each instant at
// which something of theirs enters or leaves its window, until it turns.
import { addDays, dayOf, instantOf } from "#kernel/clock.ts";
import {
  atInstant,
  conditions,
  dayStart,
  eventsOf,
  spanOf,
  type Clock,
  type Facts,
  type Level,
  type Rule,
  type RuleNow,
  type Window,
} from "../rules.ts";
import { begunLast, fits, isOf, within } from "./evaluate.ts";
import { compare } from "./filter.ts";

/** One condition is tried at so many instants at most; after that the next is taken for its turn, and tried then. */
const triesLimit = 64;
const hourMs = 3_600_000;
const instantForm = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/**
 * The first instant after now, up to `until`, at which time alone may change the answer for this person, or this company.
 * What a person's rule asks of companies is left out: a company that turns tells its people. Undefined where there is none. Before it no condition changes; at it one does, unless it has more events in its window than are tried.
 */
export function nextTurn(rule: Rule, person: Facts, now: Clock, until: Date): Date | undefined {
  let next: number | undefined;
  for (const one of conditions(rule)) {
    const at =
      one.kind === "tag"
        ? person.tags.get(one.tag)?.expiresAt?.getTime()
        : one.kind === "days_since"
          ? sinceTurn(one, person, now.timeZone)
          : "window" in one
            ? windowTurn(one, person, now, until.getTime())
            : one.kind === "staff"
              ? staffTurn(one.fits, person, now, until)
              : undefined;
    if (at !== undefined && at > now.at.getTime() && (next === undefined || at < next)) next = at;
  }
  return next === undefined || next > until.getTime() ? undefined : new Date(next);
}

function staffTurn(
  rule: Rule,
  { belongs = [] }: Facts,
  now: Clock,
  until: Date,
): number | undefined {
  const turns = belongs.flatMap(({ facts }) => nextTurn(rule, facts, now, until)?.getTime() ?? []);
  return turns.length > 0 ? Math.min(...turns) : undefined;
}
/** The last instant there is. */
const never = new Date(8.64e15);
/**
 * The first instant after now at which time alone may change what is said of a company, or who belongs to it. `asked`:
 * companies' own rules, and people's, of which what they ask of companies counts.
 */
export function companyTurn(
  asked: readonly { rule: Rule; level: Level }[],
  company: Facts,
  now: Clock,
): Date | undefined {
  const rules = asked.flatMap(({ rule, level }) =>
    level === "company"
      ? [rule]
      : [...conditions(rule)].flatMap((one) => (one.kind === "company" ? [one.fits] : [])),
  );
  const turns = [
    ...rules.flatMap((rule) => nextTurn(rule, company, now, never)?.getTime() ?? []),
    ...(company.belongs ?? [])
      .flatMap(({ since, until }) => (until === null ? [since] : [since, until]))
      .filter((at) => at > now.at.getTime()),
  ];
  return turns.length > 0 ? new Date(Math.min(...turns)) : undefined;
}

function sinceTurn(
  { attribute, is, days }: Extract<Rule, { kind: "days_since" }>,
  person: Facts,
  timeZone: string,
): number | undefined {
  const value = person.attributes.get(attribute);
  if (typeof value !== "string" || !instantForm.test(value)) return undefined;
  const since = new Date(value);
  if (Number.isNaN(since.getTime())) return undefined;
  const turns = is === "ge" || is === "lt" ? days : days + 1;
  return instantOf(`${addDays(dayOf(since, timeZone), turns)}T00:00`, timeZone).getTime();
}

type Windowed = Extract<Rule, { window: Window }>;
function windowTurn(one: Windowed, person: Facts, now: Clock, until: number): number | undefined {
  const whats = eventsOf(one);
  const from = now.at.getTime();
  let asked = person.events.filter((event) => whats.some((what) => isOf(event, what)));
  if (one.kind === "events" || one.kind === "absent") return countTurn(one, asked, now, until);
  if (one.kind === "first") asked = asked.slice(0, 1);
  if (one.kind === "sequence" && !asked.some(({ at }) => at > from)) {
    // It breaks when the chain that began last does.
    const { steps, withinMs, span } = atInstant(one, now) as Extract<RuleNow, { kind: "sequence" }>;
    const begun = begunLast({ steps, withinMs, span }, asked);
    return begun === undefined ? undefined : leaves(one.window, begun, now.timeZone);
  }
  const candidates = new Set<number>();
  for (const { at } of asked) {
    if (at > from && at <= until) candidates.add(at);
    const out = leaves(one.window, at, now.timeZone);
    if (out !== undefined && out > from && out <= until) candidates.add(out);
  }
  if (candidates.size === 0) return undefined;
  const tried = [...candidates].toSorted((a, b) => a - b);
  const theirs = { ...person, events: asked };
  const is = fits(atInstant(one, now), theirs, now.at);
  for (const [i, ms] of tried.entries()) {
    if (i >= triesLimit) return ms;
    const at = new Date(ms);
    if (fits(atInstant(one, { at, timeZone: now.timeZone }), theirs, at) !== is) return ms;
  }
  return undefined;
}

/** Each event adds one when it comes in and takes one away when it leaves: one walk over those instants. */
function countTurn(
  one: Extract<Rule, { kind: "events" | "absent" }>,
  asked: Facts["events"],
  now: Clock,
  until: number,
): number | undefined {
  const span = spanOf(one.window, now);
  const steps: [at: number, by: number][] = [];
  let count = 0;
  for (const event of asked) {
    if (within(event, span)) count++;
    else if (event.at <= now.at.getTime() || !opens(one.window, event.at)) continue;
    // One that is dated ahead comes in when its time comes.
    else steps.push([event.at, 1]);
    const out = leaves(one.window, event.at, now.timeZone);
    if (out !== undefined) steps.push([out, -1]);
  }
  const holds = (n: number) => (one.kind === "absent" ? n === 0 : compare(n, one.is, one.count));
  const is = holds(count);
  steps.sort(([a], [b]) => a - b);
  for (let i = 0; i < steps.length;) {
    const at = steps[i]![0];
    if (at > until) return undefined;
    for (; steps[i]?.[0] === at; i++) count += steps[i]![1];
    if (holds(count) !== is) return at;
  }
  return undefined;
}
/** Is what happens at `at` in this window at that instant? */
const opens = (window: Window, at: number): boolean =>
  window.kind === "since"
    ? at >= Date.parse(window.at)
    : window.kind === "between"
      ? at >= Date.parse(window.from) && at < Date.parse(window.until)
      : true;
/** The first instant at which a window no longer holds what happened at `at`. */
function leaves(window: Window, at: number, timeZone: string): number | undefined {
  if (window.kind === "hours") return at + window.hours * hourMs;
  if (window.kind === "days") return dayStart(new Date(at), window.days, timeZone);
  return undefined;
}
