import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { commands } from "#kernel/command.ts";
import type { Actor, Reading, Route } from "#kernel/endpoint.ts";
import { bucketOfText } from "#kernel/crypto.ts";
import { connect, type PersonKey } from "#kernel/sql.ts";
import { ringDue } from "#kernel/timers.ts";
import { world, type World } from "../../test/database.ts";
import * as api from "./api.ts";
import { timers } from "./jobs.ts";
import { routes } from "./routes.ts";
import * as service from "./service.ts";
import { broken } from "./views.ts";

const operator: Actor = {
  id: "operator:1",
  permissions: new Set(["offers:read", "offers:write", "members:read"]),
  scope: { kind: "all" },
};
const till: Actor = {
  id: "key:1",
  permissions: new Set(["events:write"]),
  scope: { kind: "all" },
  source: { id: randomUUID(), kind: "server" },
};
const as = (person: PersonKey): Actor => ({
  id: `person:${person.personId}`,
  permissions: new Set(["person"]),
  scope: { kind: "person", person },
});

async function shop() {
  const here = await world();
  // As many connections as there are callers at once: the race is for the row, not for the pool.
  const { host, port, user, pass, database } = here.sql.options;
  const url = `postgres://${user}:${String(pass)}@${host[0]}:${port[0]}/${database}`;
  const wide = connect(url, { max: 64 });
  const submit = commands({ ...here.house, sql: wide });
  const run = async (
    { method, path }: { method: string; path: string },
    actor: Actor,
    raw: Record<string, unknown>,
    key: string = randomUUID(),
  ) => {
    const route = routes.find((r) => r.endpoint.path === path && r.endpoint.method === method)!;
    if (route.kind === "command") return submit(route, { actor, key, dryRun: false, raw });
    const now = here.clock.shop;
    const reading: Reading = {
      house: here.house,
      actor,
      scope: actor.scope,
      now,
      at: now,
      today: "",
    };
    const query = route as Extract<Route, { kind: "query" }>;
    return query.run(reading, route.endpoint.input.parse(raw) as never);
  };
  const campaign = async (given: Record<string, unknown>): Promise<string> => {
    const made = await run(api.create, operator, {
      name: { zh: "回来看看", en: "Come back" },
      currency: "GBP",
      benefit: { kind: "percent", valueBp: 1000 },
      ttlDays: 30,
      ...given,
    });
    expect(made).toMatchObject({ ok: true });
    return (made as { value: { id: string } }).value.id;
  };
  const people = async (n: number): Promise<PersonKey[]> => {
    const rows = Array.from({ length: n }, () => {
      const personId = randomUUID();
      return { personId, bucket: bucketOfText(personId) };
    });
    await here.sql`insert into people_way ${here.sql(rows)}`;
    return rows;
  };
  const close = here[Symbol.asyncDispose];
  return Object.assign(here, {
    run,
    campaign,
    people,
    [Symbol.asyncDispose]: async () => {
      await wide.end();
      await close();
    },
  });
}
const budgetOf = async ({ sql }: World, id: string) => {
  const [row] = await sql`select coupons, minor from offers_budget where campaign_id = ${id}`;
  return row;
};

test("64 at once for a campaign of 500: exactly 500 coupons, each person one", async () => {
  await using here = await shop();
  const campaign = await here.campaign({ couponLimit: 500 });
  const people = await here.people(600);
  const codes: string[] = [];
  const waiting = [...people, ...people.slice(0, 40)];
  await Promise.all(
    Array.from({ length: 64 }, async () => {
      for (let next = waiting.pop(); next; next = waiting.pop()) {
        const given = await here.run(api.issue, operator, { campaign, person: next.personId });
        codes.push(given.ok ? "ok" : given.code);
      }
    }),
  );
  expect(new Set(codes)).toEqual(new Set(["ok", "offers.budget_spent", "offers.person_limit"]));
  expect(codes.filter((code) => code === "ok")).toHaveLength(500);
  expect(await budgetOf(here, campaign)).toEqual({ coupons: 500, minor: 0n });
  expect([...(await broken(here.sql))]).toEqual([]);
  const [most] = await here.sql`
    select max(n)::int as most from (select count(*) as n from offers_coupon group by person_id) one`;
  expect(most).toEqual({ most: 1 });
}, 120_000);

test("one coupon at 64 tills at once comes off one order, and the money not needed goes back", async () => {
  await using here = await shop();
  const campaign = await here.campaign({
    benefit: { kind: "percent", valueBp: 1000, maxOffMinor: "500" },
    minSpendMinor: "1000",
    budgetMinor: "1200",
  });
  const [ann, ben, eve] = await here.people(3);
  expect(await here.run(api.issue, operator, { campaign, person: ann!.personId })).toMatchObject({
    ok: true,
  });
  expect(await here.run(api.issue, operator, { campaign, person: ben!.personId })).toMatchObject({
    ok: true,
  });
  const third = { campaign, person: eve!.personId };
  expect(await here.run(api.issue, operator, third)).toMatchObject({ code: "offers.budget_spent" });
  expect(await budgetOf(here, campaign)).toEqual({ coupons: 2, minor: 1000n });

  const mine = await here.run(api.myCoupons, as(ann!), {});
  const [{ code }] = (mine as { value: { coupons: [{ code: string }] } }).value.coupons;
  const order = (ref: string, amountMinor = "2000") => ({
    code: code.toLowerCase().replaceAll("-", " "),
    order: ref,
    amountMinor,
    currency: "GBP",
  });
  expect(await here.run(api.redeem, till, order("A", "999"))).toMatchObject({
    code: "offers.spend_short",
    data: { shortMinor: "1" },
  });
  expect(await here.run(api.redeem, till, { ...order("A"), currency: "EUR" })).toMatchObject({
    code: "offers.currency",
  });
  const browser: Actor = { ...till, source: { id: randomUUID(), kind: "public" } };
  expect(await here.run(api.redeem, browser, order("A"))).toMatchObject({
    code: "offers.server_only",
  });
  const answers = await Promise.all(
    Array.from({ length: 64 }, (_, i) => here.run(api.redeem, till, order(`order-${i}`))),
  );
  expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
  const verdicts = answers.flatMap((answer) => (answer.ok ? [] : [answer.code]));
  expect(new Set(verdicts)).toEqual(new Set(["offers.coupon_used"]));
  const won = answers.findIndex(({ ok }) => ok);
  expect(answers[won]).toMatchObject({ value: { discountMinor: "200", person: ann!.personId } });
  // The same order, asked again with another key, has the same answer.
  expect(await here.run(api.redeem, till, order(`order-${won}`))).toMatchObject({
    value: { discountMinor: 200n.toString() },
  });
  expect(await budgetOf(here, campaign)).toEqual({ coupons: 2, minor: 700n });
  expect(await here.run(api.issue, operator, third)).toMatchObject({ ok: true });

  const [event] = await here.sql`select name, data from outbox`;
  expect(event).toMatchObject({ name: "offers.redeemed", data: { order: `order-${won}` } });
  // No table holds the code: not the coupon's, not the way to it, not a saved answer, not an event.
  const [dump] = await here.sql<{ all: string }[]>`
    select (select json_agg(t)::text from offers_coupon t) || (select json_agg(t)::text from offers_code t)
      || (select json_agg(t)::text from idempotency t) || (select json_agg(t)::text from outbox t) as all`;
  expect(dump!.all).not.toContain(code);
  expect(dump!.all).not.toContain(code.replaceAll("-", ""));
  expect([...(await broken(here.sql))]).toEqual([]);
  const one = await here.run(api.one, operator, { campaign });
  expect(one).toMatchObject({
    value: { figures: { issued: 2, redeemed: 1, ordersMinor: 2000n } },
  });
});

test("a coupon that ran out or was taken back is worth nothing, and gives back what it held", async () => {
  await using here = await shop();
  const campaign = await here.campaign({
    benefit: { kind: "amount", amountMinor: "500" },
    couponLimit: 10,
    budgetMinor: "1500",
  });
  const [ann, ben, eve] = await here.people(3);
  const at = here.clock.shop;
  const given = await here.sql.begin((tx) =>
    service.issue(here.house, tx, at, [
      { person: ann!, campaignId: campaign, cause: "test" },
      { person: ben!, campaignId: campaign, cause: "test" },
      { person: ann!, campaignId: campaign, cause: "test" },
      { person: eve!, campaignId: campaign, cause: "test" },
    ]),
  );
  expect(given.map((one) => (one.ok ? "ok" : one.code))).toEqual([
    "ok",
    "ok",
    "offers.person_limit",
    "ok",
  ]);
  const couponOf = (one: (typeof given)[number] | undefined) => (one?.ok ? one.value.couponId : "");
  const coupon = couponOf(given[0]);
  expect(await here.run(api.revoke, operator, { person: ann!.personId, coupon })).toMatchObject({
    ok: true,
  });
  expect(await budgetOf(here, campaign)).toEqual({ coupons: 3, minor: 1000n });
  const code = service.codeOfCoupon(here.house, coupon);
  const order = { code, order: "A", amountMinor: "2000", currency: "GBP" };
  expect(await here.run(api.redeem, till, order)).toMatchObject({ code: "offers.coupon_revoked" });

  here.clock.shop = new Date(at.getTime() + 30 * 86_400_000);
  const late = service.codeOfCoupon(here.house, couponOf(given[1]));
  expect(await here.run(api.redeem, till, { ...order, code: late })).toMatchObject({
    code: "offers.coupon_expired",
  });
  await here.sql.begin((tx) => service.erase(tx, eve!));
  expect((await here.sql`select from timer where person_id = ${eve!.personId}`).count).toBe(0);
  expect(await budgetOf(here, campaign)).toEqual({ coupons: 3, minor: 500n });
  while ((await ringDue(here.house, timers)) > 0);
  expect(await budgetOf(here, campaign)).toEqual({ coupons: 3, minor: 0n });
  expect([...(await broken(here.sql))]).toEqual([]);
  const member = await here.run(api.ofMember, operator, { person: ben!.personId });
  expect(member).toMatchObject({ value: { coupons: [{ state: "expired", cause: "test" }] } });
});

test("where a budget does not reach for all, the first asked have it and nothing is left of the others", async () => {
  await using here = await shop();
  const campaign = await here.campaign({ couponLimit: 3, perPerson: 2 });
  const people = await here.people(4);
  const ask = () =>
    here.sql.begin((tx) =>
      service.issue(
        here.house,
        tx,
        here.clock.shop,
        people.map((person) => ({ person, campaignId: campaign, cause: "test" })),
      ),
    );
  const [a, b] = await Promise.all([ask(), ask()]);
  const verdicts = [...a, ...b].map((one) => (one.ok ? "ok" : one.code));
  expect(verdicts.filter((verdict) => verdict === "ok")).toHaveLength(3);
  expect([a, b].some((one) => one.slice(0, 3).every(({ ok }) => ok) && !one[3]!.ok)).toBe(true);
  const counts = { coupons: 3, people: 3n, timers: 3n, codes: 3n };
  const [row] = await here.sql`
    select (select coupons from offers_budget) as coupons, (select sum(coupons) from offers_person) as people,
      (select count(*) from timer where kind like 'offers.%') as timers, (select count(*) from offers_code) as codes`;
  expect(row).toEqual(counts);
});

test("a person takes a coupon of an open campaign once, and does not see one that is not open", async () => {
  await using here = await shop();
  const [ann] = await here.people(1);
  const open = await here.campaign({ couponLimit: 5, open: true });
  const closed = await here.campaign({ couponLimit: 5 });
  const key = randomUUID();
  const first = await here.run(api.claim, as(ann!), { campaign: open }, key);
  expect(first).toMatchObject({ ok: true });
  expect(await here.run(api.claim, as(ann!), { campaign: open }, key)).toEqual(first);
  expect(await here.run(api.claim, as(ann!), { campaign: open })).toMatchObject({
    code: "offers.person_limit",
  });
  expect(await here.run(api.claim, as(ann!), { campaign: closed })).toMatchObject({
    code: "offers.unknown",
  });
  expect(await here.run(api.stop, operator, { campaign: open })).toMatchObject({ ok: true });
  expect(await here.run(api.claim, as(ann!), { campaign: open })).toMatchObject({
    code: "offers.stopped",
  });
  const cases: Actor = { ...operator, scope: { kind: "cases", people: [] } };
  expect(await here.run(api.ofMember, cases, { person: ann!.personId })).toMatchObject({
    code: "request.forbidden",
  });
});

test("a budget in money asks what a coupon can cost at most", async () => {
  await using here = await shop();
  const base = {
    name: { zh: "甲", en: "A" },
    currency: "GBP",
    benefit: { kind: "percent", valueBp: 1000 },
    ttlDays: 30,
  };
  expect(await here.run(api.create, operator, base)).toMatchObject({ code: "offers.no_budget" });
  expect(await here.run(api.create, operator, { ...base, budgetMinor: "100" })).toMatchObject({
    code: "offers.unbounded",
  });
});
