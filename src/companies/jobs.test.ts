// Companies on a real PostgreSQL: from events in the log to members and figures, through leaving, merging and erasure.
import { expect, test } from "vitest";
import { world, type World } from "../../test/database.ts";
import { callers, web } from "../../test/authz.ts";
import { consume, reactions, timers } from "./jobs.ts";
import { routes } from "./routes.ts";
import * as service from "./service.ts";
import * as collectJobs from "#collect/jobs.ts";
import { flag, readEvent, type Incoming } from "#collect/rules.ts";
import * as collect from "#collect/service.ts";
import { relay } from "#kernel/outbox.ts";
import { ringDue } from "#kernel/timers.ts";
import * as segments from "#segments/jobs.ts";
import { routes as segmentRoutes } from "#segments/routes.ts";
import { consume as takeOrders } from "#orders/jobs.ts";
import { lineEvent } from "#orders/service.ts";
import * as people from "#people/service.ts";

const day = (n: number) => new Date(Date.UTC(2026, 0, 1 + n));
async function shop(here: World, kind: "server" | "public" = "server") {
  const { house } = here;
  const source = await collect.sourceNamed(house, here.sql, `shop-${kind}`, kind);
  const say = (
    user: string,
    n: number,
    data: Record<string, unknown>,
    name = "group",
  ): Incoming => {
    const key = `${user} ${n} ${name} ${JSON.stringify(data)}`;
    const event = readEvent(
      { key, name, user, at: day(n), data, traits: {} },
      kind,
      here.clock.shop,
    );
    if ("reason" in event) throw new Error(event.reason);
    return event;
  };
  const order = (user: string, n: number, ref: string, pence: number): Incoming =>
    lineEvent(`${ref} ${user}`, {
      at: day(n),
      customer: user,
      data: {
        order: ref,
        sku: "A",
        name: "Mug",
        quantity: 1,
        unitPrice: pence * 100,
        amountMinor: pence,
        currency: "CNY",
        kind: "sale",
        goods: true,
      },
    });
  const work = async () => {
    while ((await collectJobs.consume(house, [takeOrders, consume])) > 0);
    while ((await relay(house, reactions)) > 0);
  };
  const send = async (...events: Incoming[]) => {
    const verdicts = await collect.receive(house, { id: source.id, kind }, { events, unfit: [] });
    await work();
    return verdicts;
  };
  const who = async (user: string) =>
    (await people.byIdentifier(house, here.sql, "user_id", user, source.id))!;
  const figure = async (ref: string) => {
    const [row] = await here.sql`
      select members, orders::int, spent_minor::int, last_order_at from companies_figure
      where company_id = ${service.companyId(source.id, ref)}`;
    return row;
  };
  return { source, say, order, send, work, who, figure };
}

test("an order counts for the company its buyer belonged to at that time", async () => {
  await using here = await world();
  const { say, order, send, figure, who } = await shop(here);
  // The orders come in first.
  await send(order("u1", 2, "o1", 1000), order("u1", 5, "o2", 300), order("u1", 9, "o3", 70));
  await send(say("u1", 4, { groupId: "oak", role: "buyer", traits: { name: "Oak" } }));
  expect(await figure("oak")).toEqual({
    members: 1,
    orders: 2,
    spentMinor: 370,
    lastOrderAt: day(9),
  });
  await send(say("u1", 7, { groupId: "oak" }, "Group Left"));
  expect(await figure("oak")).toMatchObject({ members: 0, orders: 1, spentMinor: 300 });
  await send(say("u1", 8, { groupId: "elm" }));
  expect(await figure("elm")).toMatchObject({ members: 1, orders: 1, spentMinor: 70 });
  // A late word: they had been with the elm all along from the second day.
  await send(say("u1", 1, { groupId: "elm" }));
  expect(await figure("elm")).toMatchObject({ orders: 2, spentMinor: 1070 });
  expect(await figure("oak")).toMatchObject({ orders: 1, spentMinor: 300 });
  // An order of today counts at once.
  await send(order("u1", 10, "o4", 5));
  expect(await figure("elm")).toMatchObject({ orders: 3, spentMinor: 1075 });
  const u1 = await who("u1");
  const before = await here.sql`select * from companies_member order by company_id, role, since`;
  await here.sql.begin((tx) => service.refold(here.house, tx, [u1]));
  expect([
    ...(await here.sql`select * from companies_member order by company_id, role, since`),
  ]).toEqual([...before]);
});

test("a browser founds no company, and a claim adds nobody", async () => {
  await using here = await world();
  const { say, send } = await shop(here, "public");
  await send(say("u1", 4, { groupId: "oak", traits: { name: "Oak" } }));
  // Nor does a file that is no better than a page's word.
  const file = await shop(here);
  await file.send({ ...file.say("u1", 4, { groupId: "oak" }), flags: flag.page });
  expect((await here.sql`select from companies_company`).count).toBe(0);
});

test("a merge adds two members up to one, and its undoing gives them back", async () => {
  await using here = await world();
  const { say, order, send, figure, who } = await shop(here);
  await send(say("a", 1, { groupId: "oak" }), say("b", 1, { groupId: "oak" }));
  await send(order("a", 2, "o1", 100), order("b", 3, "o2", 20));
  expect(await figure("oak")).toMatchObject({ members: 2, orders: 2, spentMinor: 120 });
  const [a, b] = [await who("a"), await who("b")];
  const nodes = (await people.nodesOf(here.sql, b)).map(({ nodeId }) => nodeId);
  const give = (to: typeof a) => here.sql`
    update people_node set person_bucket = ${to.bucket}, person_id = ${to.personId}
    where node_id = any(${nodes}::uuid[])`;
  await give(a);
  for (let twice = 0; twice < 2; twice++)
    await here.sql.begin((tx) => service.movers.merge(here.house, tx, [{ from: b, into: a }]));
  expect(await figure("oak")).toMatchObject({ members: 1 });
  await give(b);
  await here.sql.begin((tx) => service.movers.unmerge(here.house, tx, { from: b, into: a }));
  expect(await figure("oak")).toMatchObject({ members: 2, orders: 2, spentMinor: 120 });
  await here.sql.begin(async (tx) =>
    service.erase(tx, b, await people.nodesOf(tx, b), {
      newId: here.house.newId,
      now: here.clock.shop,
    }),
  );
  expect(await figure("oak")).toMatchObject({ members: 1, orders: 1, spentMinor: 100 });
});

test("the console sees profile, members, figures, tags and what happened; no address of anybody", async () => {
  await using here = await world();
  const { say, order, send, source } = await shop(here);
  const traits = { name: "Oak & Sons", industry: "Gifts", email: "buy@oak.example", duns: "55" };
  await send(say("u1", 1, { groupId: "oak", roles: ["buyer", "admin"], traits }));
  await send(order("u1", 2, "o1", 100));
  const all = await callers(here.house);
  const as = (name: string) => all.find((one) => one.name === name)!.headers;
  const ask = web(here.house, routes);
  const owner = { headers: as("owner") };
  const list = await ask("GET", "/v1/companies?search=oak", owner);
  const company = service.companyId(source.id, "oak");
  expect(list.body["companies"]).toMatchObject([
    {
      id: company,
      name: "Oak & Sons",
      industry: "Gifts",
      members: 1,
      orders: "1",
      spentMinor: "100",
    },
  ]);
  expect((await ask("GET", "/v1/companies?search=%25", owner)).body["companies"]).toEqual([]);
  expect((await ask("GET", "/v1/companies?after=x", owner)).status).toBe(400);
  const tag = { tag: "vip", value: "gold", note: "key account" };
  const path = `/v1/companies/${company}`;
  expect((await ask("POST", `${path}/tags`, { ...owner, body: tag })).body).toEqual({
    changed: true,
  });
  expect((await ask("POST", `${path}/tags`, { ...owner, body: tag })).body).toEqual({
    changed: false,
  });
  const reserved = { tag: "company_orders", value: "x" };
  expect((await ask("POST", `${path}/tags`, { ...owner, body: reserved })).status).toBe(409);
  const one = await ask("GET", path, owner);
  expect(one.body).toMatchObject({
    external: [{ type: "duns", value: "55" }],
    contactFields: ["email"],
    people: [{ role: "admin", orders: 1 }, { role: "buyer" }],
    tags: [
      { tag: "company_orders", kind: "statistic", value: "1+", reason: { orders: 1 } },
      { tag: "vip", kind: "hand", value: "gold" },
    ],
  });
  expect(JSON.stringify(one.body)).not.toContain("buy@");
  const moments = (await ask("GET", `${path}/timeline`, owner)).body["moments"] as {
    what: string;
  }[];
  expect(moments.map(({ what }) => what).toSorted()).toEqual([
    "joined",
    "joined",
    "ordered",
    "tagged",
    "tagged",
  ]);
  const history = await ask("GET", `${path}/tags/vip/history`, owner);
  expect(history.body["changes"]).toMatchObject([{ before: null, after: "gold", kind: "hand" }]);
  const role = { zh: "仓库", en: "Warehouse" };
  expect((await ask("PUT", "/v1/company-roles/stock", { ...owner, body: role })).status).toBe(200);
  const roles = (await ask("GET", "/v1/company-roles", owner)).body["roles"] as object[];
  expect(roles).toContainEqual({ code: "stock", ...role });
  // The log and the tables hold no address in clear.
  const [dump] = await here.sql<{ text: string }[]>`
    select (select string_agg(c::text, '') from companies_company c)
      || (select string_agg(e.data::text, '') from collect_event e) as text`;
  expect(dump!.text).not.toContain("buy@");
});

test("a company's tag follows its segment; by hand stands before, a model behind; what ends gives way to the rule", async () => {
  await using here = await world();
  const { say, send, source } = await shop(here);
  await send(
    say("u1", 1, { groupId: "oak", traits: { name: "Oak", industry: "gifts" } }),
    say("u2", 1, { groupId: "elm", traits: { name: "Elm", industry: "toys" } }),
  );
  const [oak, elm] = ["oak", "elm"].map((ref) => service.companyId(source.id, ref)) as [
    string,
    string,
  ];
  const all = await callers(here.house);
  const owner = { headers: all.find((one) => one.name === "owner")!.headers };
  const ask = web(here.house, [...routes, ...segmentRoutes]);
  const work = async () => {
    while (
      (await relay(here.house, [...reactions, ...segments.reactions])) +
        (await segments.settle(here.house)) +
        (await ringDue(here.house, timers)) >
      0
    );
  };
  const carried = async (company: string) => {
    const { body } = await ask("GET", `/v1/companies/${company}`, owner);
    const tags = body["tags"] as { tag: string; value: string; kind: string }[];
    return tags.filter(({ tag }) => tag === "branch").map(({ value, kind }) => `${kind} ${value}`);
  };
  const define = async (level: string, rule: object) =>
    (
      await ask("POST", "/v1/segments", {
        ...owner,
        body: { name: { zh: "礼品", en: "Gifts" }, level, rule, purpose: "analysis" },
      })
    ).body["id"] as string;
  const gifts = await define("company", { kind: "text", attribute: "industry", in: ["gifts"] });
  const people = await define("person", { kind: "everybody" });
  const label = { zh: "分支", en: "Branch" };
  const declare = (rules: object[], tag = "branch") =>
    ask("PUT", `/v1/company-tags/${tag}`, { ...owner, body: { label, rules } });
  expect((await declare([{ value: "x", segment: people }])).body["code"]).toBe(
    "companies.not_of_companies",
  );
  await work();
  expect((await declare([{ value: "presents", segment: gifts }])).status).toBe(200);
  await work();
  expect([await carried(oak), await carried(elm)]).toEqual([["rule presents"], []]);
  // It comes with the segment, at once, and goes with it.
  await send(say("u2", 2, { groupId: "elm", traits: { industry: "gifts" } }));
  await send(say("u1", 2, { groupId: "oak", traits: { industry: "toys" } }));
  await work();
  expect([await carried(oak), await carried(elm)]).toEqual([[], ["rule presents"]]);
  // By hand goes before, until it ends.
  here.clock.shop = day(6);
  const hand = (value: string | null, more: object = {}) =>
    ask("POST", `/v1/companies/${elm}/tags`, {
      ...owner,
      body: { tag: "branch", value, ...more },
    });
  await hand("chosen", { expiresAt: day(8).toISOString() });
  await send(say("u2", 4, { groupId: "elm", traits: { industry: "toys" } }));
  await work();
  await send(say("u2", 5, { groupId: "elm", traits: { industry: "gifts" } }));
  await work();
  expect(await carried(elm)).toEqual(["hand chosen"]);
  here.clock.shop = day(9);
  await work();
  expect(await carried(elm)).toEqual(["rule presents"]);
  await hand("chosen");
  await hand(null);
  expect(await carried(elm)).toEqual(["rule presents"]);
  // A tag does not follow from itself.
  const itself = await define("company", { kind: "tag", tag: "branch", in: ["presents"] });
  expect((await declare([{ value: "more", segment: itself }])).body["code"]).toBe(
    "traits.circular",
  );
  // What a model says: judged line by line, and never of a tag that has rules.
  const said = await ask("POST", "/v1/company-tags", {
    ...owner,
    body: {
      model: "potential-2",
      tags: [
        { company: oak, tag: "potential", value: "high", confidence: 0.8, reason: "many visits" },
        { company: oak, tag: "potential", value: "low", confidence: 0.8 },
        { company: elm, tag: "branch", value: "x", confidence: 1 },
        { company: elm, tag: "potential", value: "a@b.example", confidence: 1 },
        { company: crypto.randomUUID(), tag: "potential", value: "high", confidence: 1 },
        { company: elm, ref: "elm", tag: "potential", value: "high", confidence: 1 },
      ],
    },
  });
  expect(
    (said.body["results"] as { verdict: string; reason: string | null }[]).map(
      (r) => r.reason ?? r.verdict,
    ),
  ).toEqual(["changed", "twice", "not_yours", "names_somebody", "unknown", "invalid"]);
  expect((await ask("GET", `/v1/companies/${oak}`, owner)).body).toMatchObject({
    tags: expect.arrayContaining([
      expect.objectContaining({
        tag: "potential",
        value: "high",
        kind: "model",
        confidence: expect.closeTo(0.8),
      }),
    ]),
  });
  expect((await ask("GET", "/v1/company-tags", owner)).body["tags"]).toMatchObject([
    { tag: "branch", companies: 1, rules: [{ value: "presents", name: { en: "Gifts" } }] },
  ]);
  expect((await ask("DELETE", "/v1/company-tags/branch", owner)).status).toBe(200);
  expect(await carried(elm)).toEqual([]);
});
