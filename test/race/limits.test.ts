// 64 callers at the same instant for what is limited: exactly the limit is given, whoever asks and however they come.
import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { allRoutes } from "../../src/app.ts";
import { authenticate } from "../../src/access/service.ts";
import { server, type Authenticate, type Failure } from "../../src/kernel/http.ts";
import type { House, Route } from "../../src/kernel/endpoint.ts";
import { newMetrics } from "../../src/kernel/metrics.ts";
import { ok } from "../../src/kernel/result.ts";
import { failures as all } from "../../src/lang/failures.ts";
import { byIdentifier } from "../../src/people/service.ts";
import { folded, shop } from "../shop.ts";
import { clerk, failures as ours, routesOf, tills } from "../till.ts";
import { listen, racers } from "./sockets.ts";

const callers = 64;
const open = (house: House, routes: readonly Route[], who: Authenticate) =>
  listen(
    server({
      house,
      authenticate: who,
      routes,
      failures: { ...all, ...ours } as Record<string, Failure>,
      hosts: new Set(["localhost"]),
      proxies: new Set(),
      metrics: newMetrics(),
      metricsKey: null,
      ready: async () => true,
      version: "test",
    }),
  );
const tally = (answers: { status: number; body: Record<string, unknown> }[]) => {
  const counts: Record<string, number> = {};
  for (const { status, body } of answers) {
    const what = String(body["code"] ?? status);
    counts[what] = (counts[what] ?? 0) + 1;
  }
  return counts;
};

test.each(["one", "own"] as const)(
  "a stock of 100 and three rounds of 64 callers, in %s lane: 100 have one, 92 do not",
  async (lane) => {
    await using here = await tills(100);
    await using web = await open(here.house, routesOf([], lane), async () => ok(clerk()));
    using race = await racers(web.port, callers);
    const rounds = [];
    for (let n = 0; n < 3; n++)
      rounds.push(
        ...(await race.round((i) => ({
          path: `/v1/till/p${i}/claims`,
          headers: { "idempotency-key": randomUUID() },
          body: {},
        }))),
      );
    expect(tally(rounds)).toEqual({ 200: 100, "till.short": 92 });
    expect(await here.used()).toBe(100n);
    expect(await here.claims()).toHaveLength(100);
    const [audit] = await here.owner<{ n: number }[]>`select count(*)::int as n from audit`;
    expect(audit!.n).toBe(192);
  },
);

test("one key, sent 64 times at the same instant: one deed, one answer for everybody", async () => {
  await using here = await tills(100);
  await using web = await open(here.house, routesOf([]), async () => ok(clerk()));
  using race = await racers(web.port, callers);
  const answers = await race.round(() => ({
    path: "/v1/till/ann/claims",
    headers: { "idempotency-key": "the one" },
    body: { amount: 3 },
  }));
  expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
  expect(await here.used()).toBe(3n);
});

test("a campaign of 40 coupons and 64 members: 40 have one, the budget is spent to the last", async () => {
  await using here = await shop(allRoutes);
  const { house, as } = here;
  const lines = Array.from({ length: callers }, (_, i) => ({
    key: `${i}`,
    order: `A${i}`,
    sku: "S",
    quantity: 1,
    unitPrice: "3.50",
    at: "2026-02-01T10:00:00Z",
    customer: `u${i}`,
  }));
  await here.ask("POST", "/v1/orders/lines", { headers: as.server, body: { lines } });
  await folded(house);
  const people = await Promise.all(
    lines.map(({ customer }) => byIdentifier(house, here.sql, "user_id", customer, here.server.id)),
  );
  const made = await here.ask("POST", "/v1/offers", {
    headers: as.owner,
    body: {
      name: { zh: "券", en: "Coupon" },
      currency: "CNY",
      benefit: { kind: "amount", amountMinor: "500" },
      ttlDays: 7,
      couponLimit: 40,
      budgetMinor: "1000000",
    },
  });
  expect(made.body).toMatchObject({ id: expect.any(String) });
  const campaign = String(made.body["id"]);
  await using web = await open(house, allRoutes, authenticate(house));
  using race = await racers(web.port, callers);
  const answers = await race.round((i) => ({
    path: `/v1/offers/${campaign}/coupons`,
    headers: { ...as.owner, "idempotency-key": randomUUID() },
    body: { person: people[i]!.personId },
  }));
  expect(tally(answers)).toEqual({ 200: 40, "offers.budget_spent": 24 });
  const again = await race.round((i) => ({
    path: `/v1/offers/${campaign}/coupons`,
    headers: { ...as.owner, "idempotency-key": randomUUID() },
    body: { person: people[i]!.personId },
  }));
  expect(again.every(({ status }) => status === 409)).toBe(true);
  const [budget] =
    await here.sql`select coupons, minor from offers_budget where campaign_id = ${campaign}`;
  expect(budget).toEqual({ coupons: 40, minor: 20_000n });
  const [held] =
    await here.sql`select count(*)::int as n, count(distinct person_id)::int as people from offers_coupon`;
  expect(held).toEqual({ n: 40, people: 40 });
});
