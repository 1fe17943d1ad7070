// Traits against an oracle that knows nothing of the product: what a shopkeeper with pencil and paper would say of each
// somebody at an instant. Events come in late and ahead of time, visitors turn out to be members and are parted again,
// members are erased and come back, traits are declared before and after, and the clock moves by steps over windows of an
// hour to two years and over changes of daylight saving, in zones that change it at midnight too.
// LIUKE_TRAIT_CASES asks for more histories than a run of the tests does.
import fc from "fast-check";
import { expect, test } from "vitest";
import { consumers, erasers, movers, refolders } from "../src/app.ts";
import { consume } from "../src/collect/jobs.ts";
import { accept, sourceNamed } from "../src/collect/service.ts";
import type { PersonKey } from "../src/kernel/sql.ts";
import { ringDue } from "../src/kernel/timers.ts";
import { merge, tellOwn } from "../src/people/jobs.ts";
import * as people from "../src/people/service.ts";
import { refold, timersWith } from "../src/traits/jobs.ts";
import type { Trait } from "../src/traits/rules.ts";
import { declare } from "../src/traits/service.ts";
import { world } from "./database.ts";

const cases = Number(process.env["LIUKE_TRAIT_CASES"] ?? 3);
const minute = 60_000;
const hour = 60 * minute;

type Said = { price?: unknown; kind?: unknown; deep?: { list: unknown[] } };
type Event = { id: number; who: string; name: string; at: number; flags: number; data: Said };

// ── the oracle ──

/** What stands at a path, by hand. */
function saidOf({ data }: Event, path: string): unknown {
  if (path === "price") return data.price;
  if (path === "kind") return data.kind;
  return data.deep?.list[0];
}
/** Hundredths, of what is a number: nothing here has more places. */
function cents(value: unknown): number | null {
  const number =
    typeof value === "number"
      ? value
      : typeof value === "string" && /^-?\d+(\.\d+)?$/.test(value)
        ? Number(value)
        : null;
  return number === null ? null : Math.round(number * 100);
}
const isValue = (value: unknown) =>
  (typeof value === "string" && value !== "") ||
  typeof value === "number" ||
  typeof value === "boolean";
type Filter = NonNullable<Trait["where"]>[number];
function fits(event: Event, filter: Filter): boolean {
  const value = saidOf(event, filter.property);
  if (filter.is === "known") return value !== undefined && value !== null;
  if (filter.is === "in") {
    const asNumbers = typeof filter.values[0] === "number";
    return filter.values.some((one) =>
      asNumbers ? cents(value) === cents(one) && cents(value) !== null : value === one,
    );
  }
  const asked = filter.value;
  if (typeof asked === "number") {
    const [left, right] = [cents(value), cents(asked)];
    if (left === null || right === null) return false;
    return {
      ...{ eq: left === right, ne: left !== right, lt: left < right },
      ...{ le: left <= right, gt: left > right, ge: left >= right },
    }[filter.is];
  }
  if (typeof value !== typeof asked) return false;
  return filter.is === "eq" ? value === asked : value !== asked;
}
const dayIn = (zone: string, at: number): number => {
  const parts = new Intl.DateTimeFormat("en-US", {
    ...{ timeZone: zone, year: "numeric", month: "numeric", day: "numeric" },
  }).formatToParts(at);
  const part = (type: string) => Number(parts.find((one) => one.type === type)!.value);
  return Date.UTC(part("year"), part("month") - 1, part("day")) / (24 * hour);
};
/** The figure of a trait out of somebody's events at an instant; undefined where nothing is said. */
function oracle(trait: Trait, events: readonly Event[], now: number, zone: string): unknown {
  const { fn, hours, where = [], property = "" } = trait;
  const counted = events
    .filter(({ name, flags }) => name === trait.event && flags === 0)
    .filter(({ at }) => at <= now && (hours === null || at > now - hours * hour))
    .filter((one) => where.every((filter) => fits(one, filter)))
    .filter((one) =>
      fn === "count" || fn === "days_since"
        ? true
        : ["sum", "average", "min", "max"].includes(fn)
          ? cents(saidOf(one, property)) !== null
          : isValue(saidOf(one, property)),
    )
    .toSorted((a, b) => a.at - b.at);
  const last = counted.at(-1);
  if (!last) return undefined;
  if (fn === "count") return counted.length;
  if (fn === "days_since") return Math.min(3650, dayIn(zone, now) - dayIn(zone, last.at));
  const values = counted.map((one) => saidOf(one, property));
  if (fn === "first") return values[0];
  if (fn === "last") return values.at(-1);
  if (fn === "distinct" || fn === "most_frequent") {
    const latestFirst = [...new Set(values.toReversed())];
    if (fn === "distinct") return latestFirst.slice(0, 100);
    const times = (value: unknown) => values.filter((one) => one === value).length;
    return latestFirst.reduce((best, one) => (times(one) > times(best) ? one : best));
  }
  const all = values.map((one) => cents(one)!);
  if (fn === "min") return Math.min(...all) / 100;
  if (fn === "max") return Math.max(...all) / 100;
  const sum = all.reduce((left, right) => left + right, 0);
  if (fn === "sum") return sum / 100;
  // In millionths, rounded half away from zero, in whole numbers only.
  const size = Math.floor((2 * Math.abs(sum) * 10_000 + all.length) / (2 * all.length));
  return (sum < 0 ? -size : size) / 1_000_000;
}

// ── what is tried ──

const prices = [1, 2, 0.1, 0.2, 39.9, "39.90", "no", null, true, -3, "", 100000.01, "-0.50"];
const kinds = ["Tea", "tea", "é", "茶", "1", 1, false, "😀"];
const filters: Filter[] = [
  { property: "price", is: "ge", value: 1 },
  { property: "price", is: "in", values: [1, 39.9] },
  { property: "kind", is: "eq", value: "Tea" },
  { property: "kind", is: "ne", value: "tea" },
  { property: "kind", is: "eq", value: false },
  { property: "deep.list.0", is: "known" },
];
const numbers = ["sum", "average", "min", "max"] as const;
const values = ["first", "last", "most_frequent", "distinct"] as const;
const figure = fc.oneof(
  fc.constantFrom({ fn: "count" as const }, { fn: "days_since" as const }),
  fc.record({ fn: fc.constantFrom(...numbers), property: fc.constantFrom("price", "deep.list.0") }),
  fc.record({ fn: fc.constantFrom(...values), property: fc.constantFrom("price", "kind") }),
);
const declaration = fc.record({
  figure,
  event: fc.constantFrom("Paid", "Paid", "Looked"),
  where: fc.option(fc.uniqueArray(fc.constantFrom(...filters), { minLength: 1, maxLength: 2 }), {
    nil: undefined,
  }),
  hours: fc.constantFrom(1, 2, 23, 24, 25, 48, 168, 720, 8760, 17_520, 17_544, null),
});
const members = ["m1", "m2"];
const visitors = ["v1", "v2", "v3"];
const step = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant("tell" as const),
      who: fc.constantFrom(...members, ...visitors),
      name: fc.constantFrom("Paid", "Paid", "Looked"),
      // Now, minutes, days, years ago, ahead: on the hour often, so that windows end on the dot.
      ago: fc.oneof(
        fc.integer({ min: 0, max: 180 }),
        fc.integer({ min: 0, max: 60 }).map((n) => n * 60),
        fc.integer({ min: 0, max: 35 }).map((n) => n * 24 * 60),
        fc.constantFrom(8760 * 60, 17_520 * 60, 17_544 * 60, 17_545 * 60),
        fc.integer({ min: -50, max: -1 }).map((n) => n * 60),
      ),
      flags: fc.constantFrom(0, 0, 0, 0, 0, 1, 2, 64),
      data: fc.record(
        {
          price: fc.constantFrom<unknown>(...prices),
          kind: fc.constantFrom<unknown>(...kinds),
          deep: fc.record({
            list: fc.array(fc.constantFrom<unknown>(...prices), { maxLength: 2 }),
          }),
        },
        { requiredKeys: [] },
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("wait" as const),
      minutes: fc.constantFrom(
        1,
        59,
        60,
        90,
        60 * 24,
        60 * 25,
        60 * 24 * 7,
        60 * 24 * 40,
        60 * 17_544,
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("link" as const),
      visitor: fc.constantFrom(...visitors),
      member: fc.constantFrom(...members),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("unlink" as const),
      visitor: fc.constantFrom(...visitors),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("erase" as const), who: fc.constantFrom(...members) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("declare" as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

// Every history begins so, that none is about nobody, however its draws fall: each has paid once, nobody has looked.
const plain: Omit<Trait, "name" | "label">[] = [
  { fn: "count", event: "Paid", hours: null },
  { fn: "sum", property: "price", event: "Paid", hours: 17_544 },
  { fn: "first", property: "kind", event: "Paid", hours: null },
  { fn: "count", event: "Looked", hours: null },
];
const beginning = [...members, ...visitors].map((who, i): Step => {
  const data = { price: 1 + i, kind: "Tea" };
  return { do: "tell", who, name: "Paid", ago: 10 * i, flags: 0, data };
});

/** Days before daylight saving begins or ends there. */
const places: [zone: string, from: string][] = [
  ["America/New_York", "2026-03-06T15:00:00Z"],
  ["Europe/London", "2026-10-23T23:30:00Z"],
  ["Africa/Cairo", "2026-04-22T21:59:00Z"], // at midnight: that day begins at one
  ["Africa/Cairo", "2026-10-28T20:00:00Z"], // at midnight back to eleven
  ["Australia/Lord_Howe", "2026-04-03T14:00:00Z"], // by half an hour
  ["America/New_York", "2026-10-31T16:00:00Z"],
  ["Europe/Berlin", "2026-03-28T11:00:00Z"],
  ["Australia/Lord_Howe", "2026-10-02T13:00:00Z"],
  ["Asia/Kathmandu", "2026-06-01T18:00:00Z"], // three quarters of an hour off
  ["Asia/Shanghai", "2026-03-01T04:00:00Z"],
];
/** The first instant of the shop's next day, found by looking at its wall. */
function midnightAfter(zone: string, at: number): number {
  let [before, after] = [at, at + 26 * hour];
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (dayIn(zone, middle) === dayIn(zone, at)) before = middle;
    else after = middle;
  }
  return after;
}

test.each(places)(
  "what is kept is what the oracle says, at any instant: %s from %s",
  async (timeZone, from) => {
    await using here = await world({ timeZone });
    const { house, sql, clock } = here;
    const source = await sourceNamed(house, sql, "shop", "server");
    const timers = timersWith(tellOwn);
    const settled = async () => {
      for (let done = 1; done > 0;)
        done =
          (await consume(house, consumers)) +
          (await merge(house, movers, refolders)) +
          (await ringDue(house, timers));
    };
    let round = 0;
    let asked = 0;
    let known = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(declaration, { minLength: 8, maxLength: 8 }),
        fc.array(step, { minLength: 20, maxLength: 40 }),
        async (declarations, drawn: readonly Step[]) => {
          clock.shop = new Date(from);
          const prefix = `${round++}-`;
          const figures = declarations.map(({ figure, ...one }) => ({ ...figure, ...one }));
          const traits = [...plain, ...figures].map((one, i): Trait => {
            const name = `r_${i}`; // declared otherwise in each history
            return { name, label: { zh: name, en: name }, ...one };
          });
          let declared = 0;
          const declareSome = async () => {
            for (const one of traits.slice(declared, declared + 6)) {
              const context = { house, actor: { id: "operator:1" }, at: house.clocks.machine() };
              const made = await sql.begin((tx) => declare({ ...context, tx } as never, one));
              expect(made).toMatchObject({ ok: true });
            }
            declared = Math.min(traits.length, declared + 6);
          };
          await declareSome();

          let events: Event[] = [];
          let n = 0;
          const taken = new Set<number>();
          /** Events of one instant go by a hash: each has its own here. */
          const free = (at: number): number => {
            let one = at;
            while (taken.has(one)) one -= 1;
            taken.add(one);
            return one;
          };
          const loginOf = new Map<string, string>();
          const erasedAt = new Map<string, number>();
          const idOf = (name: string) => ({
            type: name.startsWith("m") ? ("user_id" as const) : ("anonymous_id" as const),
            value: prefix + name,
          });
          const tell = async (
            event: Pick<Event, "name" | "at" | "flags"> & {
              who: string;
              links: string[];
              data: object;
            },
          ) => {
            const [verdict] = await sql.begin((tx) =>
              accept(house, tx, source, [
                {
                  ...{ key: `${prefix}${n++}`, name: event.name, at: new Date(event.at) },
                  ...{ sender: idOf(event.who), links: event.links.map(idOf), flags: event.flags },
                  data: event.data as Record<string, unknown>,
                },
              ]),
            );
            return verdict;
          };
          const whose = (who: string) => loginOf.get(who) ?? who;
          const check = async (why: string, anew = false) => {
            await settled();
            const now = clock.shop.getTime();
            const somebody = new Map<string, PersonKey>();
            for (const who of [...members, ...visitors]) {
              const { type, value } = idOf(who);
              const person = await people.byIdentifier(house, sql, type, value, source.id);
              if (person) somebody.set(whose(who), person);
            }
            const kept = async () => {
              const rows = await sql<
                { personId: string; attributes: Record<string, { v: unknown }> }[]
              >`
                select person_id, attributes from people_profile
                where person_id = any(${[...somebody.values()].map(({ personId }) => personId)}::uuid[])`;
              return new Map(rows.map((row) => [row.personId, row.attributes]));
            };
            const compare = async (how: string) => {
              const all = await kept();
              for (const [name, { personId }] of somebody) {
                const own = events.filter(({ who }) => whose(who) === name);
                for (const trait of traits.slice(0, declared)) {
                  const is = all.get(personId)?.[trait.name]?.v;
                  const should = oracle(trait, own, now, timeZone);
                  const { label: _, ...said } = trait;
                  expect(is, `${why} ${how} ${name} ${JSON.stringify(said)}`).toEqual(should);
                  asked++;
                  if (should !== undefined) known++;
                }
              }
            };
            await compare("kept");
            if (!anew) return;
            // Worked out anew from everything, it is the same.
            await sql.begin((tx) => refold(house, tx, [...somebody.values()]));
            await compare("anew");
          };

          for (const [i, one] of [...beginning, ...drawn].entries()) {
            const now = clock.shop.getTime();
            if (one.do === "tell") {
              const at = free(now - one.ago * minute);
              const { who, name, flags, data } = one;
              const verdict = await tell({ who, name, at, flags, links: [], data });
              const gone = erasedAt.get(who);
              // What is dated before an erasure is of somebody who is not to be known any more.
              expect(verdict === "erased").toBe(gone !== undefined && at <= gone);
              if (verdict === "accepted") events.push({ id: i, who, name, at, flags, data });
            } else if (one.do === "wait") {
              // Timers ring as the hours go by, not only at the end of them.
              await settled();
              clock.shop = new Date(now + one.minutes * minute);
            } else if (one.do === "link") {
              if (loginOf.has(one.visitor) || erasedAt.has(one.visitor)) continue;
              if (erasedAt.has(one.member)) continue;
              loginOf.set(one.visitor, one.member);
              const at = free(now);
              await tell({
                ...{
                  who: one.visitor,
                  name: "identify",
                  at,
                  flags: 0,
                  links: [one.member],
                  data: {},
                },
              });
              clock.shop = new Date(now + minute);
            } else if (one.do === "unlink") {
              const member = loginOf.get(one.visitor);
              if (!member) continue;
              loginOf.delete(one.visitor);
              const at = free(now);
              await tell({
                ...{ who: member, name: "unbind", at, flags: 0, links: [one.visitor], data: {} },
              });
              // Whoever was parted once is not joined again here: to whom later logins belong is another test's.
              loginOf.set(one.visitor, one.visitor);
              clock.shop = new Date(now + minute);
            } else if (one.do === "erase") {
              await settled();
              const { type, value } = idOf(one.who);
              const person = await people.byIdentifier(house, sql, type, value, source.id);
              if (!person) continue;
              const context = {
                ...{ house, actor: { id: "operator:1", permissions: new Set() }, now: clock.shop },
                ...{ at: house.clocks.machine(), newId: house.newId },
              };
              const done = await sql.begin((tx) =>
                people.erase({ ...context, tx } as never, person.personId, erasers),
              );
              expect(done).toMatchObject({ ok: true });
              const theirs = [...members, ...visitors].filter((who) => whose(who) === one.who);
              for (const who of theirs) {
                erasedAt.set(who, now);
                loginOf.set(who, who);
              }
              events = events.filter(({ who }) => !theirs.includes(who));
              clock.shop = new Date(now + minute);
            } else await declareSome();
            if (i % 4 === 0) await check(`step ${i}`);
          }
          await check("end", true);
          // From here on time alone: just before something leaves a window or comes, and at that very instant.
          const turns = new Set(
            events.flatMap(({ at }) => [
              at,
              ...traits.flatMap(({ hours }) => (hours === null ? [] : [at + hours * hour])),
            ]),
          );
          const ahead = [...turns].filter((at) => at > clock.shop.getTime() + 1);
          const some = ahead.toSorted((x, y) => x - y);
          const looked = some.filter((_, i) => i % Math.ceil(some.length / 8) === 0);
          // The shop's next days begin too: what counts days goes on at that instant.
          let midnight = clock.shop.getTime();
          for (let day = 0; day < 4; day++) {
            midnight = midnightAfter(timeZone, midnight);
            if (midnight > clock.shop.getTime() + 1) looked.push(midnight);
          }
          // A day may begin when a window ends: once, for the clock never goes back.
          for (const at of [...new Set(looked)].toSorted((x, y) => x - y)) {
            clock.shop = new Date(at - 1);
            await check("just before");
            clock.shop = new Date(at);
            await check("just then");
          }
        },
      ),
      {
        numRuns: cases,
        endOnFailure: process.env["LIUKE_SHRINK"] === undefined,
        ...(process.env["LIUKE_SEED"] ? { seed: Number(process.env["LIUKE_SEED"]) } : {}),
      },
    );
    expect(known).toBeGreaterThan(cases * 10);
    expect(asked).toBeGreaterThan(known);
  },
  600_000,
);
