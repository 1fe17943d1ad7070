// Traits are a function of what happened: in whatever order and helpings it came in, with people who turn out to be one and
// then do not in between, each figure is what PostgreSQL makes of the whole log, and after that what time alone makes of it.
// LIUKE_TRAIT_CASES asks for more histories than a run of the tests does.
import fc from "fast-check";
import { expect, test } from "vitest";
import { consumers, movers, refolders } from "../src/app.ts";
import { consume } from "../src/collect/jobs.ts";
import { routes } from "../src/collect/routes.ts";
import { accept } from "../src/collect/service.ts";
import type { PersonKey } from "../src/kernel/sql.ts";
import { ringDue } from "../src/kernel/timers.ts";
import { merge, tellOwn } from "../src/people/jobs.ts";
import * as people from "../src/people/service.ts";
import { timersWith } from "../src/traits/jobs.ts";
import { asks, functions, resultOf, type Trait } from "../src/traits/rules.ts";
import { declare } from "../src/traits/service.ts";
import { pieces } from "../src/traits/views.ts";
import { shop } from "./shop.ts";

const cases = Number(process.env["LIUKE_TRAIT_CASES"] ?? 5);
const hour = 3_600_000;
const filters: Trait["where"][] = [
  undefined,
  [{ property: "price", is: "ge", value: 2 }],
  [
    { property: "tags.0", is: "in", values: ["x", "y"] },
    { property: "on", is: "ne", value: true },
  ],
];
/** Every function, over every window, with every filter. */
const traits: Trait[] = functions.flatMap((fn) =>
  [1, 24, 720, null].flatMap((hours) =>
    filters.map((where, i): Trait => {
      const name = `${fn}_${hours ?? "ever"}_${i}`;
      const property = asks(fn) === null ? undefined : "price";
      return { name, label: { zh: name, en: name }, fn, event: "Paid", property, where, hours };
    }),
  ),
);

const users = ["u1", "u2"];
const visitors = ["a1", "a2"];
const happening = fc.record({
  who: fc.constantFrom(...users, ...visitors),
  name: fc.constantFrom("Paid", "Paid", "Paid", "Paid", "Looked", "identify", "unbind"),
  other: fc.constantFrom(...users),
  visitor: fc.constantFrom(...visitors),
  hoursAgo: fc.integer({ min: -12, max: 1600 }).map((n) => n / 2),
  flags: fc.constantFrom(0, 0, 0, 0, 1, 64),
  data: fc.record(
    {
      price: fc.constantFrom<unknown>(1, 2, 0.1, 0.2, "39.90", "no", null, true, -3),
      tags: fc.constantFrom<unknown>(["x"], ["z", "x"], "x"),
      on: fc.constantFrom<unknown>(true, false, "true"),
    },
    { requiredKeys: ["price"] },
  ),
});
const history = fc.record({
  events: fc.uniqueArray(happening, {
    minLength: 4,
    maxLength: 30,
    selector: ({ hoursAgo }) => hoursAgo,
  }),
  /** Where each event comes in, and after which of them the log is read. */
  places: fc.array(fc.integer(), { minLength: 30, maxLength: 30 }),
  reads: fc.array(fc.boolean(), { minLength: 30, maxLength: 30 }),
  laterHours: fc.constantFrom(0.5, 1, 23, 25, 719, 2000),
});

test(`${cases} histories in two orders each: one figure, the one of the whole log`, async () => {
  await using here = await shop(routes);
  const { house, sql, clock } = here;
  const context = { house, actor: { id: "operator:1" }, at: house.clocks.machine() };
  await sql.begin(async (tx) => {
    for (const one of traits)
      expect(await declare({ ...context, tx } as never, one)).toMatchObject({ ok: true });
  });
  const fold = async () => {
    while ((await consume(house, consumers)) > 0);
    while ((await merge(house, movers, refolders)) > 0);
  };
  const ring = async () => {
    while ((await ringDue(house, timersWith(tellOwn))) > 0);
  };
  await ring();
  let turn = 0;
  let known = 0;

  /** Sends in this order, reading where it says so; gives the way to each identifier's person. */
  async function told(
    events: readonly (typeof happening extends fc.Arbitrary<infer T> ? T : never)[],
    isRead: (i: number) => boolean,
  ) {
    const prefix = `${turn++}-`;
    const now = clock.shop.getTime();
    const idOf = (name: string) =>
      ({
        type: name.startsWith("u") ? "user_id" : "anonymous_id",
        value: prefix + name,
      }) as const;
    const source = { id: here.server.id, kind: "server" as const };
    for (const [i, one] of events.entries()) {
      const linking = one.name === "identify" || one.name === "unbind";
      const sender = one.name === "unbind" ? one.other : linking ? one.visitor : one.who;
      const link = one.name === "unbind" ? one.visitor : one.other;
      await sql.begin((tx) =>
        accept(house, tx, source, [
          {
            key: `${prefix}${one.hoursAgo}`,
            name: one.name,
            at: new Date(now - one.hoursAgo * hour),
            sender: idOf(sender),
            links: linking ? [idOf(link)] : [],
            data: linking ? {} : one.data,
            flags: one.flags,
          },
        ]),
      );
      if (isRead(i)) await fold();
    }
    await fold();
    return async (name: string) => {
      const { type, value } = idOf(name);
      return people.byIdentifier(house, sql, type, value, here.server.id);
    };
  }
  const figuresOf = async (person: PersonKey | undefined | null) => {
    if (!person) return {};
    const [row] = await sql<{ attributes: Record<string, { v: unknown; at: string }> }[]>`
      select attributes from people_profile where person_id = ${person.personId}`;
    return Object.fromEntries(
      Object.entries(row?.attributes ?? {})
        .filter(([name]) => traits.some((one) => one.name === name))
        .map(([name, { v, at }]) => [name, { v, at }]),
    );
  };
  /** What PostgreSQL makes of the whole log for these people now. */
  async function whole(those: readonly PersonKey[]) {
    const now = clock.shop;
    const found = new Map<string, Record<string, unknown>>();
    for (const one of traits)
      for (const { personId, ...of } of await pieces(sql, one, now, those)) {
        const { value, at } = resultOf(one, of, now.getTime(), house.clocks.timeZone);
        if (value === null) continue;
        if (!found.has(personId)) found.set(personId, {});
        found.get(personId)![one.name] = { v: value, at: new Date(at).toISOString() };
      }
    return found;
  }

  await fc.assert(
    fc.asyncProperty(history, async ({ events, places, reads, laterHours }) => {
      const inOrder = events.toSorted((a, b) => b.hoursAgo - a.hoursAgo);
      const shuffled = events
        .map((event, i) => ({ event, place: places[i]! }))
        .toSorted((a, b) => a.place - b.place)
        .map(({ event }) => event);
      const one = await told(inOrder, () => false);
      const other = await told(shuffled, (i) => reads[i]!);
      const check = async () => {
        const everybody: PersonKey[] = [];
        const orders: [string, object, object][] = [];
        for (const name of [...users, ...visitors]) {
          const [a, b] = [await one(name), await other(name)];
          everybody.push(...[a, b].filter((person) => person != null));
          orders.push([name, await figuresOf(a), await figuresOf(b)]);
        }
        const unique = [...new Map(everybody.map((key) => [key.personId, key])).values()];
        const all = await whole(unique);
        for (const person of unique) {
          const kept = await figuresOf(person);
          known += Object.keys(kept).length;
          expect(kept).toEqual(all.get(person.personId) ?? {});
        }
        for (const [name, a, b] of orders) expect(b, `${name} in the other order`).toEqual(a);
      };
      await check();
      // What time alone does: windows are left, what was dated ahead comes, days go by.
      clock.shop = new Date(clock.shop.getTime() + laterHours * hour);
      await ring();
      await check();
    }),
    {
      numRuns: cases,
      endOnFailure: true,
      ...(process.env["LIUKE_SEED"] ? { seed: Number(process.env["LIUKE_SEED"]) } : {}),
    },
  );
  expect(known).toBeGreaterThan(cases * 20);
}, 600_000);
