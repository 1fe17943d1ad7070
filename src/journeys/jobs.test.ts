import { expect, test } from "vitest";
import { consume, ship } from "#collect/jobs.ts";
import * as collect from "#collect/service.ts";
import { arm } from "#experiments/model/hash.ts";
import { routes as insights } from "#insights/routes.ts";
import type { Actor, Reading } from "#kernel/endpoint.ts";
import { ringDue } from "#kernel/timers.ts";
import * as messagesJobs from "#messages/jobs.ts";
import * as messages from "#messages/service.ts";
import * as offers from "#offers/service.ts";
import * as orders from "#orders/jobs.ts";
import { lineEvent } from "#orders/service.ts";
import * as people from "#people/service.ts";
import { refresh } from "#segments/jobs.ts";
import * as segments from "#segments/service.ts";

import { world, type World } from "../../test/database.ts";
import { start, timers } from "./jobs.ts";
import { routes } from "./routes.ts";
import * as service from "./service.ts";

const zone = "Europe/London";
const seed = "winback-test";
const customers = Array.from({ length: 200 }, (_, i) => String(10_000 + i));
const armOf = (customer: string) => arm(seed, customer, { treatedShareBp: 8000 });
const begin = new Date("2011-09-08T23:00:00Z"); // midnight in London

type Line = [customer: string, order: string, at: string, kind?: "refund"];
async function sell({ house, sql }: World, lines: Line[]): Promise<void> {
  const source = await collect.sourceNamed(house, sql, "till", "server");
  const events = lines.map(([customer, order, at, kind]) => {
    const [quantity, amountMinor] = kind ? [-1, -250] : [4, 1000];
    const line = { order, kind: kind ?? ("sale" as const), sku: "A", name: "Tea", quantity };
    const data = { ...line, unitPrice: 25_000, amountMinor, currency: "GBP", goods: true };
    return lineEvent(order, { at: new Date(at), customer, data });
  });
  await house.sql.begin((tx) => collect.accept(house, tx, source as never, events));
  while ((await consume(house, [orders.consume])) > 0);
}

/** Two hundred people who bought twice and then no more; a coupon for a hundred of them, consent of all but ten. */
async function shop(couponLimit = 100) {
  const shop = await world({ timeZone: zone, settings: { currency: "GBP" } });
  const { house, sql, clock } = shop;
  await sell(
    shop,
    customers.flatMap((c): Line[] => [
      [c, `${c}-1`, "2011-01-10T10:00:00Z"],
      [c, `${c}-2`, "2011-02-10T10:00:00Z"],
    ]),
  );
  const keys = new Map<string, people.TagChange["person"]>();
  for (const customer of customers) keys.set(customer, await find(shop, customer));
  clock.shop = new Date("2011-08-01T00:00:00Z");
  const programme = await sql.begin(async (tx) => {
    await people.setTags(
      tx,
      house.newId,
      [...keys.values()].map((person) => ({
        person,
        tag: "lifecycle",
        value: "dormant",
        kind: "statistic" as const,
        source: "test",
        reason: {},
        at: clock.shop,
      })),
    );
    const segmentId = await segments.seedDormantWorth(house, tx);
    const campaign = await offers.makeCampaign(tx, {
      id: house.newId(),
      at: clock.shop,
      name: { zh: "回来看看", en: "Come back" },
      benefit: { kind: "percent", valueBp: 1000, maxOffMinor: 500n },
      minSpendMinor: 0n,
      currency: "GBP",
      ttlDays: 30,
      perPerson: 1,
      open: false,
      couponLimit,
      budgetMinor: null,
    });
    if (!campaign.ok) throw new Error(campaign.code);
    const words = { subject: "Hello", body: "Come back." };
    await messages.defineTemplate(tx, clock.machine, {
      key: "win-back",
      purpose: "marketing",
      zh: words,
      en: words,
    });
    await messages.setConsent(
      house,
      tx,
      [...keys.values()].slice(10).map((person) => ({
        person,
        purpose: "marketing" as const,
        channel: "inapp" as const,
        granted: true,
        textVersion: "v1",
        proof: "test",
        at: clock.shop,
      })),
      clock.machine,
    );
    return service.define(tx, house, {
      key: "win-back",
      name: { zh: "挽回", en: "Win back" },
      segmentId,
      campaignId: campaign.value.id,
      template: "win-back",
      windowDays: 92,
      picks: 3,
      seed,
      treatedShareBp: 8000,
    });
  });
  await refresh(house, programme.segmentId);
  clock.shop = begin;
  return { ...shop, keys, programme };
}
async function find({ house, sql }: World, customer: string) {
  const [source] = await sql<{ id: string }[]>`select id from collect_source`;
  return (await people.byIdentifier(house, sql, "user_id", customer, source!.id))!;
}
const ring = async ({ house }: World, kinds = [...timers, ...messagesJobs.timers]) => {
  while ((await ringDue(house, kinds)) > 0);
};
/** Asks an endpoint as somebody who may see everything would. */
async function ask<T>({ house }: World, path: string, input: object, from = routes): Promise<T> {
  const route = from.find(({ endpoint }) => endpoint.path === path && endpoint.method === "GET")!;
  const actor: Actor = {
    id: "operator:test",
    permissions: new Set(["members:read"]),
    scope: { kind: "all" },
  };
  const now = house.clocks.shop();
  const reading: Reading = { house, actor, scope: actor.scope, now, at: now, today: "2011-09-09" };
  const parsed = route.endpoint.input.parse(input);
  const answer = await route.run(reading as never, parsed as never);
  if (answer instanceof Response || !answer.ok) throw new Error(JSON.stringify(answer));
  return route.endpoint.output.encode(answer.value as never) as T;
}

test("a programme reaches each treated person once, leaves the held out alone, and counts everybody as assigned", async () => {
  await using s = await shop();
  const { house, sql, programme, clock } = s;
  // Begun by two at once, it is begun once.
  const [begun, too] = await Promise.all([start(house, "win-back"), start(house, programme.id)]);
  expect(too).toEqual(begun);
  const treated = customers.filter((c) => armOf(c) === "treated");
  expect(begun).toMatchObject({
    ok: true,
    value: { number: 1, treated: treated.length, control: customers.length - treated.length },
  });
  expect(await start(house, "win-back", 1)).toEqual(begun);

  await ring(s);
  const nodes = async () =>
    Object.fromEntries(
      (
        await sql<{ node: string; n: number }[]>`
        select node, count(*)::int as n from journeys_enrolment group by node`
      ).map(({ node, n }) => [node, n]),
    );
  const reached = { sent: 100, no_budget: treated.length - 100, held_out: 200 - treated.length };
  expect(await nodes()).toEqual(reached);
  const [held] = await sql`
    select count(*)::int as n from messages_message m
    join journeys_enrolment e on m.cause = e.id::text where e.arm = 'control'`;
  expect(held!["n"]).toBe(0);

  clock.shop = new Date("2011-09-09T09:00:00Z"); // quiet hours are over
  await ring(s);
  expect(await nodes()).toEqual(reached);

  // Half of the treated come back, and a third of the held out; what is outside the window does not count.
  const control = customers.filter((c) => armOf(c) === "control");
  const back = [...treated.filter((_, i) => i % 2 === 0), ...control.filter((_, i) => i % 3 === 0)];
  const never = treated[1]!;
  await sell(s, [
    ...back.map((c): Line => [c, `${c}-3`, "2011-10-01T10:00:00Z"]),
    [back[0]!, `${back[0]}-4`, "2011-12-09T23:59:59Z"],
    [never, `${never}-early`, "2011-09-08T22:59:59Z"],
    [never, `${never}-late`, "2011-12-10T00:00:00Z"],
    [never, `C${never}`, "2011-11-01T00:00:00Z", "refund"],
  ]);
  clock.shop = new Date("2011-12-09T23:59:59Z");
  await ring(s);
  expect((await sql`select from experiments_result`).count).toBe(0);
  clock.shop = new Date("2011-12-10T00:00:00Z");
  await ring(s);

  type Shown = {
    state: string;
    design: { seed: string };
    budget: { coupons: number };
    run: {
      until: string;
      result: {
        report: {
          primary: Record<"treated" | "control", { people: number; returned: number }>;
          secondary: { treatedMinor: number };
        };
        sentence: { zh: string; en: string };
      };
      decision: { advice: string; evidence: { controlPeople: number } };
      messages: { channel: string; verdict: string; reason: string | null; messages: number }[];
    };
  };
  const shown = await ask<Shown>(s, "/v1/programmes/:programme", { programme: "win-back" });
  expect(shown).toMatchObject({ state: "measured", design: { seed }, budget: { coupons: 100 } });
  const { run } = shown;
  expect(run.until).toBe("2011-12-10T00:00:00.000Z");
  const returned = treated.filter((_, i) => i % 2 === 0).length;
  const { primary, secondary } = run.result.report;
  expect(primary.treated).toMatchObject({ people: treated.length, returned });
  expect(primary.control).toMatchObject({
    people: control.length,
    returned: back.length - returned,
  });
  expect(secondary.treatedMinor).toBe(Math.round((returned * 1000 + 1000 - 250) / treated.length));
  expect(run.decision).toMatchObject({ evidence: { controlPeople: control.length } });
  expect(run.result.sentence.en).toContain(`${returned} of the ${treated.length}`);

  // Every number opens its people.
  const behind = (filter: object) =>
    ask<{ total: number; people: { personId: string; userId: string; enrolmentId: string }[] }>(
      s,
      "/v1/programmes/:programme/people",
      { programme: "win-back", limit: "500", ...filter },
    );
  const came = await behind({ arm: "treated", returned: "true" });
  expect(came.total).toBe(returned);
  expect(came.people.map(({ userId }) => userId).toSorted()).toEqual(
    treated.filter((_, i) => i % 2 === 0).toSorted(),
  );
  expect((await behind({ node: "no_budget" })).total).toBe(treated.length - 100);
  expect((await behind({ coupon: "issued" })).total).toBe(100);
  for (const { channel, verdict } of run.messages) {
    const same = run.messages.filter((m) => m.channel === channel && m.verdict === verdict);
    const sum = same.reduce((total, m) => total + m.messages, 0);
    expect((await behind({ channel, verdict })).total).toBe(sum);
  }
  expect(run.messages.reduce((sum, m) => sum + m.messages, 0)).toBe(200); // 100 people, two channels

  // One walk from the event to the decision, each step from the one before.
  const one = (await behind({ coupon: "issued", returned: "true" })).people[0]!;
  type Walk = {
    steps: { id: string; kind: string; from: string | null; data: Record<string, unknown> }[];
  };
  const walk = await ask<Walk>(s, "/v1/members/:person/trace", { person: one.personId }, insights);
  const kinds = walk.steps.map(({ kind }) => kind);
  expect([...new Set(kinds)]).toEqual([
    "event",
    "tag",
    "segment",
    "enrolment",
    "coupon",
    "message",
    "outcome",
    "result",
    "decision",
  ]);
  const ids = new Set<string>();
  for (const [i, { id, from }] of walk.steps.entries()) {
    if (i > 0) expect(ids).toContain(from);
    ids.add(id);
  }
  // The same walk from the order whose silence began it, and from the order that ended it.
  while ((await ship(house)) > 0);
  const firstOrder = walk.steps[0]!.id;
  const answer = walk.steps.find(({ kind }) => kind === "outcome")!.data["firstEventId"];
  expect(answer).not.toBe(firstOrder);
  for (const event of [firstOrder, answer])
    expect(await ask<Walk>(s, "/v1/trace/:event", { event }, insights)).toEqual(walk);

  const heldOut = (await behind({ arm: "control", returned: "false" })).people[0]!;
  const quiet = await ask<Walk>(
    s,
    "/v1/members/:person/trace",
    { person: heldOut.personId },
    insights,
  );
  expect(quiet.steps.map(({ kind }) => kind)).toEqual([
    "event",
    "tag",
    "segment",
    "enrolment",
    "outcome",
    "result",
    "decision",
  ]);

  // The next run is a run of its own, with arms of its own; nobody skips one.
  expect(await start(house, "win-back", 3)).toEqual({ ok: false, code: "journeys.not_next" });
  const second = await start(house, "win-back");
  expect(second).toMatchObject({ ok: true, value: { number: 2 } });
  const designs = await sql<{ seed: string }[]>`
    select seed from experiments_experiment order by number`;
  expect(designs.map((design) => design.seed)).toEqual([seed, `${seed}/2`]);

  // Taken away, as demo data is, nothing of it is left, and its timers find nothing to do.
  await sql.begin((tx) => service.remove(tx, "win-back"));
  for (const table of ["programme", "run", "enrolment", "move"])
    expect((await sql`select from ${sql(`journeys_${table}`)}`).count).toBe(0);
  for (const table of ["experiment", "assignment", "result", "outcome", "decision"])
    expect((await sql`select from ${sql(`experiments_${table}`)}`).count).toBe(0);
  await ring(s);
  expect((await sql`select from timer where kind = ${service.stepTimer}`).count).toBe(0);
});

test("a step that breaks off leaves nothing behind, and is done once when it is done", async () => {
  await using s = await shop(500);
  const { house, sql } = s;
  await start(house, "win-back");
  const broken = timers.map((kind) => ({
    ...kind,
    ring: async (...given: Parameters<typeof kind.ring>) => {
      await kind.ring(...given);
      throw new Error("the power went");
    },
  }));
  await ringDue(house, broken);
  const count = async () => {
    const [row] = await sql<{ coupons: number; messages: number; moved: number; given: number }[]>`
      select (select count(*)::int from offers_coupon) as coupons,
        (select count(*)::int from messages_message) as messages,
        (select count(*)::int from journeys_move where node <> 'held_out' and node <> 'waiting') as moved,
        (select coupons from offers_budget) as given`;
    return row!;
  };
  expect(await count()).toEqual({ coupons: 0, messages: 0, moved: 0, given: 0 });
  await s.owner`update timer set failed_at = null`;
  await Promise.all([ring(s, timers), ring(s, timers)]); // two workers at once
  const treated = customers.filter((c) => armOf(c) === "treated").length;
  const all = { coupons: treated, messages: treated, moved: treated, given: treated };
  expect(await count()).toEqual(all);
  // The same timer once more, as if a clock had gone back: nobody is reached twice.
  await sql`
    insert into timer (bucket, person_id, kind, key, due_at, data)
    select bucket, person_id, ${service.stepTimer}, run_id, at, '{}' from journeys_enrolment`;
  await ring(s, timers);
  expect(await count()).toEqual(all);
});
