import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { routes as collectRoutes } from "#collect/routes.ts";
import type { Direct, Reading } from "#kernel/endpoint.ts";
import { routes as ordersRoutes } from "#orders/routes.ts";
import { strangers, tokens, type Caller } from "../../test/authz.ts";
import { folded, shop, type Shop } from "../../test/shop.ts";
import { routes } from "./routes.ts";
import * as service from "./service.ts";

const all = [...routes, ...collectRoutes, ...ordersRoutes];
let n = 0;
/** Three people: u1 with two orders and a refund, u2 with the dearest, u3 who only told who they are. */
async function filled() {
  const here = await shop(all);
  const line = (
    customer: string,
    order: string,
    at: string,
    unitPrice: string,
    more: object = {},
  ) => ({
    key: `l${n++}`,
    order,
    sku: "S1",
    name: "Cup",
    quantity: 1,
    unitPrice,
    at,
    customer,
    country: customer === "u2" ? "France" : "China",
    ...more,
  });
  const lines = [
    line("u1", "A1", "2026-01-01T10:00:00Z", "10"),
    line("u1", "A1", "2026-01-01T10:00:00Z", "5"),
    line("u1", "A2", "2026-02-01T10:00:00Z", "7"),
    line("u1", "A2", "2026-02-10T10:00:00Z", "7", { order: "R2", refund: true }),
    line("u2", "B1", "2026-01-20T10:00:00Z", "100"),
  ];
  const say = (user: string, traits: object) => ({
    key: `i${n++}`,
    name: "identify",
    user,
    at: "2026-01-02T00:00:00Z",
    traits,
  });
  const events = [
    say("u1", { email: "ann@example.com", name: "Ann Lee", language: "zh" }),
    say("u3", { email: "eve@example.com", language: "en" }),
  ];
  const headers = here.as.server;
  await here.ask("POST", "/v1/orders/lines", { headers, body: { lines } });
  await here.ask("POST", "/v1/events", { headers, body: { events } });
  here.clock.machine = new Date(here.clock.machine.getTime() + 1); // ids sort by it
  await folded(here.house);
  const of = async (user: string) =>
    (await service.byIdentifier(here.house, here.sql, "user_id", user, here.server.id))!;
  const people = { u1: await of("u1"), u2: await of("u2"), u3: await of("u3") };
  const tag = (person: "u1" | "u2", name: string, value: string) => {
    here.clock.machine = new Date(here.clock.machine.getTime() + 1); // ids sort by it
    return here.sql.begin((tx) =>
      service.setTags(tx, here.house.newId, [
        {
          person: people[person],
          tag: name,
          value,
          kind: "statistic",
          source: "predict",
          reason: { silentDays: 20, purchaseDays: 2, dormantAfterDays: 90 },
          at: here.clock.shop,
        },
      ]),
    );
  };
  await tag("u1", "lifecycle", "active");
  await tag("u1", "rfm", "5-4-3");
  await tag("u1", "rfm_segment", "loyal");
  await tag("u2", "lifecycle", "dormant");
  await tag("u2", "rfm", "2-1-5");
  return Object.assign(here, { people });
}
type Row = { personId: string; userId: string; email: string | null; name: string | null };
const listOf = async (here: Shop, query: string, headers = here.as.analyst) => {
  const { body } = await here.ask("GET", `/v1/members?${query}`, { headers });
  const members = body["members"] as Row[];
  return {
    total: body["total"],
    users: members.map(({ userId }) => userId),
    members,
    next: body["next"],
  };
};

test("members by every filter, in every order, page by page", async () => {
  await using here = await filled();
  expect(await listOf(here, "")).toMatchObject({ total: 3, users: ["u1", "u2", "u3"], next: null });
  for (const [query, users] of [
    ["sort=spent", ["u2", "u1", "u3"]],
    ["sort=orders", ["u1", "u2", "u3"]],
    ["stage=dormant", ["u2"]],
    ["rfm=5-4-3", ["u1"]],
    ["rfm=5-4", ["u1"]],
    ["rfm=5-5", []],
    ["rfmSegment=loyal", ["u1"]],
    ["tag=rfm", ["u1", "u2"]],
    ["tag=rfm&value=2-1-5", ["u2"]],
    ["tag=rfm:2-1-5", ["u2"]],
    ["country=France", ["u2"]],
    ["language=en", ["u3"]],
    [`segment=${randomUUID()}`, []],
    ["stage=active&country=France", []],
  ] as const)
    expect((await listOf(here, query)).users, query).toEqual(users);
  for (const sort of ["last_order", "spent", "orders"]) {
    const whole = (await listOf(here, `sort=${sort}`)).users;
    const paged: string[] = [];
    for (let after = ""; ;) {
      const page = await listOf(
        here,
        `sort=${sort}&limit=1${after && `&after=${encodeURIComponent(after)}`}`,
      );
      paged.push(...page.users);
      expect(page.total).toBe(3);
      if (page.next === null) break;
      after = String(page.next);
    }
    expect(paged).toEqual(whole);
  }
  const first = (await here.ask("GET", "/v1/members", { headers: here.as.analyst })).body[
    "members"
  ];
  expect((first as object[])[0]).toEqual({
    personId: here.people.u1.personId,
    userId: "u1",
    name: "A•••",
    email: "a•••@e•••",
    stage: "active",
    rfm: "5-4-3",
    rfmSegment: "loyal",
    orders: 2,
    spentMinor: "2200",
    currency: "CNY",
    lastOrderAt: "2026-02-01T10:00:00.000Z",
    country: "China",
  });
  const open = await listOf(here, "", here.as.owner);
  expect(open.members[0]).toMatchObject({ name: "Ann Lee", email: "ann@example.com" });
  for (const bad of [
    "limit=201",
    "sort=name",
    "stage=asleep",
    "rfm=9-9-9",
    "colour=red",
    "after=x_y",
  ])
    expect((await here.ask("GET", `/v1/members?${bad}`, { headers: here.as.analyst })).status).toBe(
      bad.startsWith("after") ? 200 : 400,
    );
});

test("a member is found by the whole address only, and the search is audited without it", async () => {
  await using here = await filled();
  const find = (body: object, headers = here.as.owner) =>
    here.ask("POST", "/v1/members/find", { headers, body });
  const { personId } = here.people.u1;
  expect(await find({ email: " ANN@example.com" })).toMatchObject({
    status: 200,
    body: { personId },
  });
  expect(await find({ userId: "u1" })).toMatchObject({ status: 200, body: { personId } });
  expect(await find({ userId: "u1", source: here.page.id })).toMatchObject({ status: 404 });
  expect(await find({ email: "ann@example" })).toMatchObject({
    status: 404,
    body: { code: "people.unknown" },
  });
  expect((await find({})).status).toBe(400);
  expect((await find({ email: "ann@example.com", userId: "u1" })).status).toBe(400);
  expect((await find({ email: "ann@example.com" }, here.as.analyst)).status).toBe(403);
  const lines = await here.owner<{ target: object; outcome: string; text: string }[]>`
    select target, outcome, to_jsonb(a)::text as text from audit a
    where endpoint = 'POST /v1/members/find' order by id`;
  expect(lines.map(({ target, outcome }) => [target, outcome])).toEqual([
    [{ person: personId }, "ok"],
    [{ person: personId }, "ok"],
    [{}, "people.unknown"],
    [{}, "people.unknown"],
  ]);
  expect(lines.some(({ text }) => text.includes("@"))).toBe(false);
});

test("one member: everything with its source and why, direct fields for whoever may search by them", async () => {
  await using here = await filled();
  const { personId } = here.people.u1;
  const { body } = await here.ask("GET", `/v1/members/${personId}`, { headers: here.as.analyst });
  expect(body).toMatchObject({ userId: "u1", demo: false, source: "shop" });
  expect(body["attributes"]).toContainEqual({
    name: "orders",
    label: null,
    value: 2,
    choice: null,
    source: "orders",
    at: "2026-02-10T10:00:00.000Z",
    confidence: 1,
    event: null,
    trait: null,
  });
  expect(body["tags"]).toContainEqual({
    label: null,
    tag: "lifecycle",
    value: "active",
    kind: "statistic",
    source: "predict",
    reason: { silentDays: 20, purchaseDays: 2, dormantAfterDays: 90 },
    sentence: {
      zh: "距上次购买 20 天，共在 2 天买过，超过 90 天没买算沉睡。",
      en: "Last purchase 20 days ago, purchases on 2 days, dormant after 90 days without one.",
    },
    confidence: 1,
    at: here.clock.shop.toISOString(),
    expiresAt: null,
    cause: null,
  });
  expect(body["fields"]).toMatchObject([
    { field: "email", value: "a•••@e•••", masked: true, source: "identify" },
    { field: "name", value: "A•••", masked: true },
  ]);
  expect(body["identifiers"]).toMatchObject([
    { type: "user_id", value: "u1", masked: false, source: "shop" },
    { type: "email", value: "a•••@e•••", masked: true },
  ]);
  expect(JSON.stringify(body)).not.toMatch(/ann@|Ann Lee/);
  const open = await here.ask("GET", `/v1/members/${personId}`, { headers: here.as.owner });
  expect(open.body["fields"]).toMatchObject([
    { value: "ann@example.com", masked: false },
    { value: "Ann Lee" },
  ]);
  const none = await here.ask("GET", `/v1/members/${randomUUID()}`, { headers: here.as.owner });
  expect(none).toMatchObject({ status: 404, body: { code: "people.unknown" } });
});

test("a shop that numbers people by their e-mail shows it to nobody who may not search", async () => {
  await using here = await filled();
  const event = { key: "x", name: "Seen", user: "joe@example.com", at: "2026-01-01T00:00:00Z" };
  await here.ask("POST", "/v1/events", { headers: here.as.server, body: { events: [event] } });
  expect((await listOf(here, "")).users).toContain("j•••@e•••");
  expect((await listOf(here, "", here.as.owner)).users).toContain("joe@example.com");
});

test("the timeline folds an order to one entry, newest first, pages without gap, and opens in Trace", async () => {
  await using here = await filled();
  const { personId } = here.people.u1;
  const ask = async (query: string) => {
    const { body } = await here.ask("GET", `/v1/members/${personId}/timeline?${query}`, {
      headers: here.as.analyst,
    });
    return body as unknown as {
      entries: { id: string; kind: string; at: string; event: string; sentence: { en: string } }[];
      next: string | null;
    };
  };
  const whole = await ask("");
  expect(whole.entries.map(({ kind, sentence }) => [kind, sentence.en])).toEqual([
    ["tag", "RFM group: first seen as Loyal"],
    ["tag", "RFM: first seen as 5-4-3"],
    ["tag", "Lifecycle: first seen as active"],
    ["refund", "Was refunded on R2, -CN¥7.00"],
    ["order", "Placed order A2, CN¥7.00"],
    ["event", "Told us who they are"],
    ["order", "Placed order A1, CN¥15.00"],
  ]);
  const [order] = await here.sql<
    { eventId: string }[]
  >`select event_id from orders_order where ref = 'A1'`;
  expect(whole.entries.at(-1)!.event).toBe(order!.eventId);
  const paged: string[] = [];
  for (let after: string | null = ""; after !== null;) {
    const page = await ask(`limit=2${after && `&after=${encodeURIComponent(after)}`}`);
    paged.push(...page.entries.map(({ id }) => id));
    after = page.next;
  }
  expect(paged).toEqual(whole.entries.map(({ id }) => id));
  // What lies ahead of the shop's clock has not happened.
  here.clock.shop = new Date("2026-01-15T00:00:00Z");
  expect((await ask("")).entries.map(({ kind }) => kind)).toEqual(["event", "order"]);
});

test("a tag by hand: set, kept in the history, over at its time, and never one that is worked out", async () => {
  await using here = await filled();
  const { personId } = here.people.u3;
  const path = `/v1/members/${personId}/tags`;
  const set = (body: object) => {
    here.clock.machine = new Date(here.clock.machine.getTime() + 1); // ids sort by it
    return here.ask("POST", path, { headers: here.as.owner, body });
  };
  const tomorrow = new Date(here.clock.shop.getTime() + 86_400_000);
  expect(
    (await set({ tag: "vip", value: "gold", expiresAt: tomorrow.toISOString() })).body,
  ).toEqual({ changed: true });
  expect(
    (await set({ tag: "vip", value: "gold", expiresAt: tomorrow.toISOString() })).body,
  ).toEqual({ changed: false });
  expect((await listOf(here, "tag=vip:gold")).users).toEqual(["u3"]);
  const code = async (body: object) => (await set(body)).body["code"];
  expect(await code({ tag: "lifecycle", value: "active" })).toBe("people.tag_reserved");
  expect(await code({ tag: "vip", value: "call +4915112345678" })).toBe("people.tag_names");
  expect(await code({ tag: "vip", value: "eve@example.com" })).toBe("people.tag_names");
  expect(await code({ tag: "vip", value: "x", expiresAt: here.clock.shop.toISOString() })).toBe(
    "people.tag_expired",
  );
  expect((await set({ tag: "vip", value: null })).body).toEqual({ changed: true });
  await set({ tag: "vip", value: "gold", expiresAt: tomorrow.toISOString() });
  const history = await here.ask("GET", `${path}/vip/history`, { headers: here.as.analyst });
  expect((history.body["changes"] as { after: string | null }[]).map(({ after }) => after)).toEqual(
    ["gold", null, "gold"],
  );
  here.clock.shop = tomorrow;
  expect((await listOf(here, "tag=vip")).users).toEqual([]);
  expect((await set({ tag: "vip", value: "x" })).status).toBe(200);
  const refused = await here.ask("POST", path, {
    headers: here.as.analyst,
    body: { tag: "vip", value: "x" },
  });
  expect(refused.status).toBe(403);
});

test("whoever has cases sees those people alone, and a stranger looks like nobody; a merchant sees no member", async () => {
  await using here = await filled();
  expect((await here.ask("GET", "/v1/members", { headers: here.as.merchant })).status).toBe(403);
  const { u1, u2 } = here.people;
  const reading = (people: string[]): Reading => ({
    house: here.house,
    actor: {
      id: "operator:1",
      permissions: new Set(["members:read"]),
      scope: { kind: "cases", people },
    },
    scope: { kind: "cases", people },
    now: here.clock.shop,
    at: here.clock.machine,
    today: "",
  });
  const run = async (path: string, raw: object, people: string[]) => {
    const route = all.find(({ endpoint }) => endpoint.path === path && endpoint.method === "GET")!;
    if (route.kind === "command") throw new Error(path);
    const answer = await route.run(
      reading(people) as Direct,
      route.endpoint.input.parse(raw) as never,
    );
    return answer as { ok: boolean; code?: string; value?: Record<string, unknown> };
  };
  const list = await run("/v1/members", {}, [u1.personId]);
  expect(list.value).toMatchObject({ total: 1, members: [{ userId: "u1" }] });
  expect((await run("/v1/members", {}, [])).value).toMatchObject({ total: 0, members: [] });
  for (const path of [
    "/v1/members/:person",
    "/v1/members/:person/timeline",
    "/v1/members/:person/orders",
    "/v1/members/:person/tags/:tag/history",
  ]) {
    const extra = path.includes(":tag") ? { tag: "rfm" } : {};
    expect((await run(path, { person: u1.personId, ...extra }, [u1.personId])).ok, path).toBe(true);
    expect(await run(path, { person: u2.personId, ...extra }, [u1.personId]), path).toEqual(
      await run(path, { person: randomUUID(), ...extra }, [u1.personId]),
    );
  }
  // The same through the door, as the matrix asks it.
  const agents: Caller[] = [];
  expect((await strangers(here.ask, all, agents, u2.personId)).wrong).toEqual([]);
});

test("a person sees what they told us and what they bought, with their own token only", async () => {
  await using here = await filled();
  const all_ = await tokens(here.house);
  const right = all_.find(({ good }) => good)!;
  const person = (await service.find(here.sql, right.personId)) as {
    value: { bucket: number; personId: string };
  };
  await here.sql.begin(async (tx) => {
    await service.setFields(here.house, tx, [
      { person: person.value, field: "name", value: "Sam", source: "test", at: here.clock.shop },
    ]);
    await service.setAttributes(
      tx,
      ["city", "orders", "order_chance_90d"].map((name, value) => ({
        person: person.value,
        name,
        value,
        source: "test",
        at: here.clock.shop,
      })),
      here.clock.shop,
    );
  });
  const me = (token: string) =>
    here.ask("GET", "/v1/me/profile", { headers: { authorization: `Bearer ${token}` } });
  expect((await me(right.token)).body).toMatchObject({
    personId: right.personId,
    userId: "shopper-1",
    fields: [{ field: "name", value: "Sam" }],
    attributes: [{ name: "city" }, { name: "orders" }],
  });
  for (const { name, token, good } of all_)
    if (!good) expect((await me(token)).status, name).toBe(401);
  expect((await here.ask("GET", "/v1/me/profile", { headers: here.as.owner })).status).toBe(403);
});
