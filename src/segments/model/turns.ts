// When may time alone change the answer about somebody? A condition that asks for the time is tried at each instant at
// which something of theirs enters or leaves its window, until it turns.
import { addDays, dayOf, instantOf } from "#kernel/clock.ts";
import {
  atInstant,
  conditions,
  dayStart,
  eventsOf,
  type Clock,
  type Facts,
  type Rule,
  type Window,
} from "../rules.ts";
import { fits, isOf } from "./evaluate.ts";

/** One condition is tried at so many instants at most; after that the next is taken for its turn, and tried then. */
const triesLimit = 64;
const hourMs = 3_600_000;
const instantForm = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/**
 * The first instant after now at which time alone may change the answer for this person. Undefined where it never will.
 * Before it no condition changes; at it one does, unless it has more events in its window than are tried.
 */
export function nextTurn(rule: Rule, person: Facts, now: Clock): Date | undefined {
  let next: number | undefined;
  for (const one of conditions(rule)) {
    const at =
      one.kind === "tag"
        ? person.tags.get(one.tag)?.expiresAt?.getTime()
        : one.kind === "days_since"
          ? sinceTurn(one, person, now.timeZone)
          : "window" in one
            ? windowTurn(one, person, now)
            : undefined;
    if (at !== undefined && at > now.at.getTime() && (next === undefined || at < next)) next = at;
  }
  return next === undefined ? undefined : new Date(next);
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

function windowTurn(
  one: Extract<Rule, { window: Window }>,
  person: Facts,
  now: Clock,
): number | undefined {
  const whats = eventsOf(one);
  const candidates = new Set<number>();
  for (const event of person.events) {
    if (!whats.some((what) => isOf(event, what))) continue;
    if (event.at > now.at.getTime()) candidates.add(event.at);
    const out = leaves(one.window, event.at, now.timeZone);
    if (out !== undefined && out > now.at.getTime()) candidates.add(out);
  }
  const tried = [...candidates].toSorted((a, b) => a - b);
  const is = fits(atInstant(one, now), person, now.at);
  for (const [i, ms] of tried.entries()) {
    if (i >= triesLimit) return ms;
    const at = new Date(ms);
    if (fits(atInstant(one, { at, timeZone: now.timeZone }), person, at) !== is) return ms;
  }
  return undefined;
}
/** The first instant at which a window no longer holds what happened at `at`. */
function leaves(window: Window, at: number, timeZone: string): number | undefined {
  if (window.kind === "hours") return at + window.hours * hourMs;
  if (window.kind === "days") return dayStart(new Date(at), window.days, timeZone);
  return undefined;
}
