import { expect, test } from "vitest";
import { consume, ship } from "#collect/jobs.ts";
import * as collect from "#collect/service.ts";
import { dayOf } from "#kernel/clock.ts";
import type { Actor, Reading, Scope } from "#kernel/endpoint.ts";
import * as orders from "#orders/jobs.ts";
import { lineEvent } from "#orders/service.ts";
import * as people from "#people/service.ts";

import { world, type World } from "../../test/database.ts";
import { routes } from "./routes.ts";

const may = new Set(["members:read"]);
/** Asks an endpoint; a failure comes back as its code. */
async function ask<T = Record<string, unknown>>(
  { house }: World,
  path: string,
  input: object = {},
  who: { permissions?: Set<string>; scope?: Scope } = {},
): Promise<T | string> {
  const route = routes.find(({ endpoint }) => endpoint.path === path)!;
  const { permissions = may, scope = { kind: "all" } } = who;
  const actor: Actor = { id: "operator:test", permissions, scope };
  const now = house.clocks.shop();
  const today = dayOf(now, house.clocks.timeZone);
  const reading: Reading = { house, actor, scope, now, at: now, today };
  const answer = await route.run(reading as never, route.endpoint.input.parse(input) as never);
  if (answer instanceof Response) throw new Error("no JSON");
  return answer.ok ? (route.endpoint.output.encode(answer.value as never) as T) : answer.code;
}

/** Ann buys twice and Ben once before the first of March; somebody unknown buys too. */
async function shop() {
  const s = await world();
  const { house, sql } = s;
  const source = await collect.sourceNamed(house, sql, "till", "server", true);
  const sale = (customer: string, order: string, at: string) => {
    const line = { order, kind: "sale" as const, sku: "A", name: "Tea", quantity: 1 };
    const data = { ...line, unitPrice: 25_000, amountMinor: 250, currency: "CNY", goods: true };
    return lineEvent(order, { at: new Date(at), customer, data });
  };
  await sql.begin((tx) =>
    collect.accept(house, tx, source as never, [
      sale("ann", "1", "2026-01-10T04:00:00Z"),
      sale("ann", "2", "2026-02-28T04:00:00Z"),
      sale("ben", "3", "2026-02-20T04:00:00Z"),
      sale("", "4", "2026-02-28T05:00:00Z"),
    ]),
  );
  while ((await consume(house, [orders.consume])) > 0);
  const of = async (customer: string) =>
    (await people.byIdentifier(house, sql, "user_id", customer, source.id))!;
  const [ann, ben] = [await of("ann"), await of("ben")];
  const eventOf = (order: string) => collect.eventId(source.id, order);
  const stage = { tag: "lifecycle", kind: "statistic" as const, source: "test", reason: {} };
  await sql.begin((tx) =>
    people.setTags(tx, house.newId, [
      {
        ...stage,
        person: ann,
        value: "new",
        at: new Date("2026-01-10T04:00:00Z"),
        cause: eventOf("1"),
      },
      {
        ...stage,
        person: ben,
        value: "new",
        at: new Date("2026-02-20T04:00:00Z"),
        cause: eventOf("3"),
      },
    ]),
  );
  await sql.begin((tx) =>
    people.setTags(tx, house.newId, [
      {
        ...stage,
        person: ann,
        value: "active",
        at: new Date("2026-02-28T04:00:00Z"),
        cause: eventOf("2"),
      },
    ]),
  );
  return { ...s, ann, ben, eventOf };
}

test("Today counts whole days where the shop is, and every number opens its people", async () => {
  await using s = await shop(); // noon of the first of March in Shanghai
  const today = await ask(s, "/v1/today");
  expect(today).toMatchObject({
    yesterday: {
      from: "2026-02-28",
      until: "2026-02-28",
      orders: 2,
      people: 1,
      revenueMinor: "500",
    },
    dayBefore: { orders: 0, people: 0, revenueMinor: "0" },
    week: { from: "2026-02-22", until: "2026-02-28", orders: 2 },
    weekBefore: { from: "2026-02-15", until: "2026-02-21", orders: 1 },
    members: 2,
    stages: [
      { stage: "new", people: 1 },
      { stage: "active", people: 1 },
    ],
    transitions: [{ before: "new", after: "active", people: 1 }],
    programmes: [],
    rejected: { lines: 0, reasons: [] },
    house: { demo: true, currency: "CNY", clock: { mode: "real", today: "2026-03-01" } },
  });
  const behind = (input: object, who = {}) =>
    ask<{ total: number; people: object[] }>(s, "/v1/today/people", input, who);
  const ann = { personId: s.ann.personId, userId: "ann" };
  const ben = { personId: s.ben.personId, userId: "ben" };
  const only = (person: object) => ({ total: 1, people: [person], next: null });
  expect(await behind({ figure: "yesterday" })).toEqual(only(ann));
  expect(await behind({ figure: "week_before" })).toEqual(only(ben));
  expect(await behind({ figure: "stage", stage: "new" })).toEqual(only(ben));
  expect(await behind({ figure: "transition", before: "new", now: "active" })).toEqual(only(ann));
  expect(await behind({ figure: "transition", now: "active" })).toMatchObject({ total: 0 });
  // Whoever may not read members is told how many, and no shop's number of anybody.
  const blind = { permissions: new Set<string>() };
  expect(await behind({ figure: "yesterday" }, blind)).toEqual(only({ ...ann, userId: null }));
});

test("the retention table says which engine it is from and marks the month under way; a cell opens", async () => {
  await using s = await shop();
  while ((await ship(s.house)) > 0);
  while ((await people.ship(s.house)) > 0);
  const from = (engine: string) =>
    ask<{ cohorts: unknown[] }>(s, "/v1/retention", { engine }) as Promise<{ cohorts: unknown[] }>;
  const { cohorts } = await from("sql");
  expect((await from("columns")).cohorts).toEqual(cohorts);
  expect(cohorts).toHaveLength(3);
  expect(cohorts[0]).toMatchObject({
    month: "2026-01",
    people: 1,
    cells: [{ people: 1 }, { people: 1, rateBp: 10_000, complete: true }, { complete: false }],
  });
  const cell = await ask(s, "/v1/retention/people", { cohort: "2026-01", month: "2026-02" });
  expect(cell).toMatchObject({
    total: 1,
    people: [{ userId: "ann", orders: 1, revenueMinor: "250" }],
  });
});

test("an event shows what it changed, to those alone who may see its person", async () => {
  await using s = await shop();
  type Walk = { personId: string; steps: { kind: string; from: string | null; id: string }[] };
  const trace = (event: string, who = {}) => ask<Walk>(s, "/v1/trace/:event", { event }, who);
  const event = s.eventOf("2");
  const walk = (await trace(event)) as Walk;
  expect(walk).toMatchObject({ personId: s.ann.personId, userId: "ann" });
  expect(walk.steps).toMatchObject([
    { kind: "event", id: event, from: null },
    { kind: "tag", from: event },
  ]);
  const agent = (...cases: string[]) => ({ scope: { kind: "cases", people: cases } as const });
  expect(await trace(event, agent(s.ann.personId))).toEqual(walk);
  expect(await trace(event, agent(s.ben.personId))).toBe("insights.no_event");
  const member = (person: string, who = {}) =>
    ask<Walk>(s, "/v1/members/:person/trace", { person }, who);
  expect(await member(s.ann.personId)).toEqual(walk); // no run yet: their latest change
  expect(await member(s.ann.personId, agent(s.ben.personId))).toBe("people.unknown");
  expect(await member(s.house.newId())).toBe("people.unknown");

  // An event that changed nothing is found by its place in the columns; one of nobody has nobody.
  while ((await ship(s.house)) > 0);
  expect(await trace(s.eventOf("4"))).toEqual({ personId: null, userId: null, steps: [] });
  expect(await trace(s.eventOf("4"), agent(s.ann.personId))).toBe("insights.no_event");
  expect(await trace(s.house.newId())).toBe("insights.no_event");
});
