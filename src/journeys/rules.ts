// A programme reaches out to the people of one segment, as they were at the instant it began, and holds some of them
// out to see what would have happened anyway. Everybody counts for the arm they were given, whether or not a message
// came through, until the window is over; then it is measured once and a decision is written down.
import { addDays, dayOf, instantOf } from "#kernel/clock.ts";

export type Arm = "treated" | "control";
/** Where a person of a run stands. Whoever is held out stays there. */
export type Node = "waiting" | "sent" | "no_budget" | "no_coupon" | "held_out";

export const firstNode = (arm: Arm): Node => (arm === "treated" ? "waiting" : "held_out");

/** The end of a window of whole days: the same time of day where the shop is, whatever daylight saving does between. */
export function windowEnd(from: Date, days: number, timeZone: string): Date {
  const day = dayOf(from, timeZone);
  const sinceMidnight = from.getTime() - instantOf(`${day}T00:00`, timeZone).getTime();
  const last = instantOf(`${addDays(day, days)}T00:00`, timeZone);
  return new Date(last.getTime() + sinceMidnight);
}

/** Each run draws its arms anew, from a seed that was written down before the first. */
export const seedOf = (seed: string, number: number): string =>
  number === 1 ? seed : `${seed}/${number}`;

/** Which run a start means: the one asked for, the one under way, or the next. Null where that leaves one out. */
export function runToStart(
  last: { number: number; state: "running" | "measured" } | null,
  asked: number | undefined,
): { number: number; fresh: boolean } | null {
  const had = last?.number ?? 0;
  const number = asked ?? (last?.state === "running" ? had : had + 1);
  if (number <= had) return { number, fresh: false };
  return number === had + 1 && last?.state !== "running" ? { number, fresh: true } : null;
}
