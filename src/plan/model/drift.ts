// What a source sends today beside what it used to send: what is new, what is gone, what changed its type, and whether
// it sends far less or far more. Each rule is a number here.
import { looksDirect } from "#privacy/rules.ts";
import { types, type Type } from "./values.ts";

/** At most so many names of a source, and so many properties of an event; what is beyond counts as "others". */
export const namesLimit = 300;
export const propertiesLimit = 60;
export const others = "";
/** Of one slice of the log, the properties of so many events of a name and day are looked at. */
export const lookedAtLimit = 200;

/** Drift is judged by so many days, today among them. */
export const windowDays = 14;
/** The last days of them are "now", the ones before are "before". */
const nowDays = 3;
const newDays = 7;
const usualShare = 0.95;
const missingShare = 0.5;
const enoughBefore = 100;
const enoughNow = 20;
const volumeDays = 7;
const enoughVolume = 20;
const fallenTo = 0.5;
const risenTo = 3;
const oddShare = 0.01;

export type Planned = Record<string, { type: Type; required: boolean }>;
type DayOf = { day: number; events: number; looked: number };
type PropertyDays = {
  property: string;
  firstDay: number;
  days: { day: number; seen: number; odd: number; types: number }[];
};
/** `day` is a number of days, today's among them; `sourceFirstDay` is when the source first sent anything. */
type Facts = {
  today: number;
  sourceFirstDay: number;
  firstDay: number;
  days: readonly DayOf[];
  properties: readonly PropertyDays[];
  planned: Planned | null;
};
export type Drift =
  | { kind: "new_event" }
  | { kind: "new_property"; property: string }
  | { kind: "type_changed"; property: string; before: Type[]; now: Type[] }
  | { kind: "missing"; property: string; beforeShare: number; nowShare: number }
  | { kind: "odd"; property: string; share: number }
  | { kind: "fallen" | "risen"; usual: number; yesterday: number }
  | { kind: "off_plan"; property: string; why: "missing" | "type" };

export const typesIn = (mask: number): Type[] => types.filter((_, i) => (mask & (1 << i)) !== 0);
const nothing = 1 << types.indexOf("nothing");
const median = (sorted: readonly number[]): number => {
  const half = sorted.length / 2;
  return sorted.length % 2 === 1
    ? sorted[Math.floor(half)]!
    : (sorted[half - 1]! + sorted[half]!) / 2;
};

/**
 * What differs, by these rules:
 * new: first seen within 7 days, by a source (an event) that was there 7 days before it;
 * type changed: in the last 3 days a type that the days before did not have;
 * missing: with at least 95 % of 100 or more events before, with less than half of 20 or more in the last 3 days;
 * fallen or risen: yesterday under a half, or over three times, the median of the 7 days before it, where that is ≥ 20;
 * odd: more than 1 % of the last 3 days' values cannot be what the vocabulary says;
 * off plan: in the last 3 days a planned property has another type, or a required one is missing.
 */
export function driftOf({
  today,
  sourceFirstDay,
  firstDay,
  days,
  properties,
  planned,
}: Facts): Drift[] {
  const found: Drift[] = [];
  const isNow = ({ day }: { day: number }) => day > today - nowDays && day <= today;
  const isBefore = ({ day }: { day: number }) => day <= today - nowDays && day > today - windowDays;
  const sum = <T>(list: readonly T[], of: (one: T) => number) =>
    list.reduce((all, one) => all + of(one), 0);
  const lookedNow = sum(days.filter(isNow), ({ looked }) => looked);
  const lookedBefore = sum(days.filter(isBefore), ({ looked }) => looked);

  if (firstDay > today - newDays && firstDay - sourceFirstDay >= newDays)
    found.push({ kind: "new_event" });
  const volume = new Map(days.map(({ day, events }) => [day, events]));
  const usual = median(
    Array.from({ length: volumeDays }, (_, i) => volume.get(today - 2 - i) ?? 0).toSorted(
      (a, b) => a - b,
    ),
  );
  const yesterday = volume.get(today - 1) ?? 0;
  if (usual >= enoughVolume && yesterday < usual * fallenTo)
    found.push({ kind: "fallen", usual, yesterday });
  if (usual >= enoughVolume && yesterday > usual * risenTo)
    found.push({ kind: "risen", usual, yesterday });

  for (const { property, firstDay: first, days: own } of properties) {
    if (property === others) continue;
    const now = own.filter(isNow);
    const before = own.filter(isBefore);
    const seenNow = sum(now, ({ seen }) => seen);
    const seenBefore = sum(before, ({ seen }) => seen);
    const mask = (list: typeof own) => list.reduce((all, one) => all | one.types, 0) & ~nothing;
    if (first > today - newDays && first - firstDay >= newDays)
      found.push({ kind: "new_property", property });
    if (mask(before) !== 0 && (mask(now) & ~mask(before)) !== 0)
      found.push({
        kind: "type_changed",
        property,
        before: typesIn(mask(before)),
        now: typesIn(mask(now)),
      });
    // Lists bring a path once an event, so a share is one of events.
    if (
      lookedBefore >= enoughBefore &&
      lookedNow >= enoughNow &&
      seenBefore / lookedBefore >= usualShare &&
      seenNow / lookedNow < missingShare
    )
      found.push({
        kind: "missing",
        property,
        beforeShare: seenBefore / lookedBefore,
        nowShare: seenNow / lookedNow,
      });
    const oddNow = sum(now, ({ odd }) => odd);
    if (seenNow > 0 && oddNow / seenNow > oddShare)
      found.push({ kind: "odd", property, share: oddNow / seenNow });
    const plan = planned?.[property];
    if (plan && seenNow > 0 && (mask(now) & ~(1 << types.indexOf(plan.type))) !== 0)
      found.push({ kind: "off_plan", property, why: "type" });
  }
  if (lookedNow > 0)
    for (const [property, { required }] of Object.entries(planned ?? {})) {
      const own = properties.find((one) => one.property === property);
      if (required && sum(own?.days.filter(isNow) ?? [], ({ seen }) => seen) < lookedNow)
        found.push({ kind: "off_plan", property, why: "missing" });
    }
  return found;
}

/** May a name stand in the plan? Not if it looks like somebody, or like a number of something: those have no end. */
export const keepable = (name: string): boolean =>
  name.length <= 100 &&
  /^[\p{L}\p{N} _.:$[\]()/&+-]+$/u.test(name) &&
  !/\d{6,}/.test(name) &&
  !/[\da-f]{8}-[\da-f]{4}/i.test(name) &&
  !looksDirect(name);
