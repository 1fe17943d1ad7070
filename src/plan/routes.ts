import { addDays, dayOf, daysBetween } from "#kernel/clock.ts";
import { answer, implement, type House } from "#kernel/endpoint.ts";
import { fail, ok } from "#kernel/result.ts";
import * as api from "./api.ts";
import {
  driftOf,
  eventName,
  others,
  propertyKind,
  typesIn,
  vocabulary,
  windowDays,
  type Drift,
} from "./rules.ts";
import * as service from "./service.ts";
import * as views from "./views.ts";

/** A list shows at most so many events, the latest first. */
const listLimit = 1000;
const keyOf = ({ sourceId, name }: { sourceId: string; name: string }) => `${sourceId} ${name}`;

async function read(house: House, which: { source?: string | undefined; name?: string }) {
  const zone = house.clocks.timeZone;
  const today = dayOf(house.clocks.machine(), zone);
  const since = addDays(today, 1 - windowDays);
  const rows = await views.events(house.sql, which, listLimit);
  if (rows.length === 0) return [];
  const [days, properties] = await Promise.all([
    views.days(house.sql, rows, since),
    views.properties(house.sql, rows, since),
  ]);
  const daysOf = Map.groupBy(days, keyOf);
  const propertiesOf = Map.groupBy(properties, keyOf);
  const numberOf = (day: string) => daysBetween(since, day);
  return rows.map((row) => {
    const own = daysOf.get(keyOf(row)) ?? [];
    const brought = propertiesOf.get(keyOf(row)) ?? [];
    const drift = driftOf({
      today: numberOf(today),
      sourceFirstDay: numberOf(dayOf(row.sourceFirstAt, zone)),
      firstDay: numberOf(dayOf(row.firstAt, zone)),
      days: own.map((one) => ({ ...one, day: numberOf(one.day) })),
      properties: brought.map(({ property, firstAt, days: seen }) => ({
        property,
        firstDay: numberOf(dayOf(firstAt, zone)),
        days: seen.map((one) => ({ ...one, day: numberOf(one.day) })),
      })),
      planned: row.planned,
    });
    const volume = new Map(own.map(({ day, events }) => [day, events]));
    const shown = {
      source: row.sourceId,
      sourceName: row.sourceName,
      name: row.name,
      label: eventName(row.name),
      status: row.planned
        ? ("planned" as const)
        : isKnown(row.name)
          ? ("known" as const)
          : ("unknown" as const),
      blocked: row.blocked,
      total: Number(row.total),
      firstAt: row.firstAt.toISOString(),
      lastAt: row.lastAt.toISOString(),
      days: Array.from({ length: windowDays }, (_, i) => {
        const day = addDays(since, i);
        return { day, events: volume.get(day) ?? 0 };
      }),
      drift: row.name === others ? [] : drift.map(flat),
    };
    return { shown, row, brought, looked: own.reduce((all, one) => all + one.looked, 0) };
  });
}
/** Names that mean something to this house besides the vocabulary's. */
const houses = new Set([
  "identify",
  "alias",
  "bind",
  "unbind",
  "group",
  "page",
  "screen",
  "Order Line",
]);
const isKnown = (name: string) => Object.hasOwn(vocabulary, name) || houses.has(name);

function flat(drift: Drift) {
  const base = { property: null, before: null, now: null, typesBefore: [], typesNow: [] };
  switch (drift.kind) {
    case "new_event":
      return { ...base, kind: drift.kind };
    case "new_property":
    case "off_plan":
      return { ...base, kind: drift.kind, property: drift.property };
    case "type_changed": {
      const { kind, property, before, now } = drift;
      return { ...base, kind, property, typesBefore: before, typesNow: now };
    }
    case "missing": {
      const { kind, property, beforeShare, nowShare } = drift;
      return { ...base, kind, property, before: beforeShare, now: nowShare };
    }
    case "odd":
      return { ...base, kind: drift.kind, property: drift.property, now: drift.share };
    case "fallen":
    case "risen":
      return { ...base, kind: drift.kind, before: drift.usual, now: drift.yesterday };
  }
}

const events = answer(api.events, async ({ house }, { source }) =>
  ok({ events: (await read(house, { source })).map(({ shown }) => shown) }),
);
const ofEvent = answer(api.ofEvent, async ({ house }, { source, name }) => {
  const [one] = await read(house, { source, name });
  if (!one) return fail("plan.unknown");
  const { shown, row, brought, looked } = one;
  const planned = row.planned ?? {};
  const seen = brought.map(({ property, firstAt, lastAt, days }) => {
    const sum = (of: "seen" | "odd") => days.reduce((all, day) => all + day[of], 0);
    return {
      property,
      types: typesIn(days.reduce((all, { types }) => all | types, 0)),
      share: looked === 0 ? 0 : Math.min(1, sum("seen") / looked),
      odd: sum("odd"),
      firstAt: firstAt.toISOString(),
      lastAt: lastAt.toISOString(),
      known: propertyKind(name, property) !== null,
      planned: planned[property] ?? null,
    };
  });
  const never = Object.entries(planned).flatMap(([property, expected]) =>
    brought.some((one) => one.property === property)
      ? []
      : [
          {
            ...{ property, types: [], share: 0, odd: 0, firstAt: null, lastAt: null },
            known: propertyKind(name, property) !== null,
            planned: expected,
          },
        ],
  );
  return ok({ ...shown, looked, properties: [...seen, ...never] });
});

export const routes = [
  events,
  ofEvent,
  implement(api.plan, service.plan),
  implement(api.block, service.block),
];
