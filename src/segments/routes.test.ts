import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { relay, type Reaction } from "#kernel/outbox.ts";
import { ok } from "#kernel/result.ts";
import type { Actor } from "#kernel/endpoint.ts";
import { server, type Failure } from "#kernel/http.ts";
import { newMetrics } from "#kernel/metrics.ts";
import { failures } from "#lang/failures.ts";
import * as people from "#people/service.ts";
import { world } from "../../test/database.ts";
import { reactions, refold } from "./jobs.ts";
import { routes } from "./routes.ts";
import { listen, remove } from "./service.ts";
import { declare as declareTrait, declareTag } from "#traits/service.ts";

const operator: Actor = {
  id: "operator:1",
  permissions: new Set(["segments:read", "segments:write"]),
  scope: { kind: "all" },
};
type Body = Partial<{
  id: string;
  code: string;
  fields: string[];
  segments: unknown[];
  sample: { userId: string }[];
  members: { userId: string; cause: { kind: string } }[];
  next: string | null;
}>;
async function open() {
  const shop = await world();
  const http = server({
    house: shop.house,
    authenticate: async () => ok(operator),
    routes,
    failures: failures as Record<string, Failure>,
    hosts: new Set(["localhost"]),
    proxies: new Set(),
    metrics: newMetrics(),
    metricsKey: null,
    ready: async () => true,
    version: "test",
  });
  const ask = async (method: string, path: string, body?: unknown) => {
    const response = await http.request(`http://localhost${path}`, {
      method,
      headers: { host: "localhost", "idempotency-key": randomUUID(), "accept-language": "en" },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    return { status: response.status, body: (await response.json()) as Body };
  };
  const senders = Array.from({ length: 12 }, (_, i) => ({
    type: "user_id" as const,
    value: `c${i}`,
    at: new Date(0),
  }));
  const nodes = await shop.sql.begin((tx) =>
    people.nodesFor(shop.house, tx, "01890000-0000-7000-8000-000000000001", senders),
  );
  await shop.sql.begin((tx) =>
    people.setTags(
      tx,
      shop.house.newId,
      [...nodes.values()].slice(0, 9).map(({ bucket, personId }) => ({
        person: { bucket, personId },
        tag: "lifecycle",
        value: "dormant",
        kind: "statistic" as const,
        source: "test",
        reason: {},
        at: shop.clock.shop,
      })),
    ),
  );
  const settle = async () => {
    while ((await relay(shop.house, reactions)) > 0);
  };
  const { house, sql, clock } = shop;
  return {
    ask,
    settle,
    house,
    sql,
    clock,
    [Symbol.asyncDispose]: () => shop[Symbol.asyncDispose](),
  };
}
const dormant = { kind: "tag", tag: "lifecycle", in: ["dormant"] };
const name = { zh: "沉睡", en: "Dormant" };

test("a rule is tried, kept, counted, and opens its people page by page", async () => {
  await using shop = await open();
  const tried = await shop.ask("POST", "/v1/segments/preview", { rule: dormant });
  expect(tried).toMatchObject({
    status: 200,
    body: {
      people: 9,
      of: 12,
      sentence: { en: "People whose lifecycle stage is “dormant”." },
    },
  });
  expect(tried.body.sample).toHaveLength(5);
  expect(tried.body.sample![0]).toMatchObject({
    userId: expect.stringMatching(/^c\d+$/),
    tags: { lifecycle: "dormant" },
  });

  const made = await shop.ask("POST", "/v1/segments", {
    name,
    rule: dormant,
    purpose: "marketing",
  });
  expect(made).toMatchObject({ status: 200, body: { version: 1 } });
  await shop.settle();
  const { body } = await shop.ask("GET", "/v1/segments");
  expect(body.segments).toMatchObject([{ id: made.body.id, name, people: 9, builtIn: null }]);

  const seen = new Set<string>();
  let after: string | null = "";
  for (let pages = 0; pages < 3; pages++) {
    const { body: page } = await shop.ask(
      "GET",
      `/v1/segments/${made.body.id}?limit=4${after ? `&after=${after}` : ""}`,
    );
    for (const member of page.members!) {
      expect(member.cause).toMatchObject({ kind: "tag", name: { zh: "生命周期阶段" } });
      seen.add(member.userId);
    }
    after = page.next!;
  }
  expect(after).toBeNull();
  expect(seen.size).toBe(9);
});

test("a rule that names nobody's segment, goes in a circle, or is no rule is refused with its reason", async () => {
  await using shop = await open();
  const missing = { kind: "segment", segment: randomUUID() };
  const refused = await shop.ask("POST", "/v1/segments/preview", { rule: missing });
  expect(refused).toMatchObject({
    status: 409,
    body: {
      code: "segments.unknown_in_rule",
      fields: ["rule.segment"],
      title: `The rule names “${missing.segment}”, and there is no such segment of people.`,
    },
  });
  const made = await shop.ask("POST", "/v1/segments", { name, rule: dormant, purpose: "analysis" });
  const { id } = made.body;
  const itself = { kind: "not", of: { kind: "segment", segment: id } };
  const circle = { id, name, rule: itself, purpose: "analysis" };
  expect((await shop.ask("POST", "/v1/segments", circle)).body).toMatchObject({
    code: "segments.circular",
    fields: ["rule.of.segment"],
    round: "“Dormant” → “Dormant”",
  });
  // By way of another, the field is the one that leads there.
  const through = { kind: "or", of: [dormant, { kind: "segment", segment: id }] };
  const other = await shop.ask("POST", "/v1/segments", {
    ...{ name: { zh: "另一群", en: "Others" }, rule: through, purpose: "analysis" },
  });
  const round = { kind: "and", of: [dormant, { kind: "segment", segment: other.body.id }] };
  expect(
    await shop.ask("POST", "/v1/segments", { id, name, rule: round, purpose: "analysis" }),
  ).toMatchObject({
    status: 409,
    body: {
      fields: ["rule.of.1.segment"],
      title:
        "By way of others, this rule would depend on its own segment: “Dormant” → “Others” → “Dormant”.",
    },
  });
  const unknown = { id: randomUUID(), name, rule: dormant, purpose: "analysis" };
  expect(await shop.ask("POST", "/v1/segments", unknown)).toMatchObject({
    status: 404,
    body: { code: "segments.unknown" },
  });
  expect((await shop.ask("GET", `/v1/segments/${randomUUID()}`)).status).toBe(404);

  let deep: unknown = dormant;
  for (let i = 0; i < 20; i++) deep = { kind: "not", of: deep };
  const injected = { kind: "number", attribute: "a'; drop", is: "ge", value: 1 };
  const wide = { kind: "and", of: Array.from({ length: 21 }, () => dormant) };
  for (const rule of [deep, injected, wide, {}, { kind: "and", of: [] }, "everybody", null]) {
    const answer = await shop.ask("POST", "/v1/segments/preview", { rule });
    expect([answer.status, answer.body.fields?.[0]?.split(".")[0]]).toEqual([400, "rule"]);
  }
});

test("a rule that is too large is refused where it is, with the limit and what was given", async () => {
  await using shop = await open();
  let deep: unknown = dormant;
  for (let i = 0; i < 9; i++) deep = { kind: "not", of: deep };
  const many = (n: number, of: unknown = dormant) => ({ kind: "or", of: Array(n).fill(of) });
  const tries: [unknown, string, string][] = [
    [
      { kind: "and", of: [dormant, deep] },
      `rule.of.1${".of".repeat(7)}`,
      "at most 8 levels, 11 given",
    ],
    [
      { kind: "and", of: [dormant, dormant, dormant, many(21)] },
      "rule.of.3.of",
      "at most 20 conditions in a group, 21 given",
    ],
    [many(6, many(17)), "rule", "at most 100 conditions, 102 given"],
    [{ kind: "company", fits: deep }, `rule.fits${".of".repeat(7)}`, "at most 8 levels, 11 given"],
    [
      { kind: "and", of: [{ kind: "tag", tag: "vip", in: Array(101).fill("x") }] },
      "rule.of.0.in",
      "at most 100 items, 101 given",
    ],
    [
      { ...dormant, kind: "known", attribute: "orders", in: undefined, tag: undefined, x: 1 },
      "rule.x",
      "not known here",
    ],
    [
      { kind: "absent", event: "page", window: { kind: "days", days: 732 } },
      "rule.window.days",
      "731 or less",
    ],
  ];
  for (const [rule, field, why] of tries)
    for (const path of ["/v1/segments/preview", "/v1/segments"]) {
      const body = path.endsWith("preview") ? { rule } : { rule, name, purpose: "analysis" };
      expect(await shop.ask("POST", path, body)).toMatchObject({
        status: 400,
        body: { fields: [field], detail: `${field}: ${why}` },
      });
    }
  // What is just as large as it may be is taken.
  let eight: unknown = dormant;
  for (let i = 0; i < 7; i++) eight = { kind: "not", of: eight };
  for (const rule of [eight, many(20), many(5, many(20))])
    expect((await shop.ask("POST", "/v1/segments/preview", { rule })).status).toBe(200);
});

test("a tag or an attribute that nobody declared and nobody has is refused by its field, and is taken once somebody has it", async () => {
  await using shop = await open();
  const { sql, house } = shop;
  const vip = { kind: "tag", tag: "vvip", in: ["yes"] };
  const shoe = { kind: "number", attribute: "shoe_size", is: "ge", value: 40 };
  const tries: [unknown, string, string, string][] = [
    [{ kind: "and", of: [dormant, { kind: "not", of: vip }] }, "rule.of.1.of.tag", "tag", "vvip"],
    [{ kind: "or", of: [dormant, shoe] }, "rule.of.1.attribute", "attribute", "shoe_size"],
    [
      { kind: "company", fits: { kind: "known", attribute: "fleet" } },
      "rule.fits.attribute",
      "attribute",
      "fleet",
    ],
  ];
  for (const [rule, field, kind, what] of tries)
    for (const path of ["/v1/segments/preview", "/v1/segments"]) {
      const body = path.endsWith("preview") ? { rule } : { rule, name, purpose: "analysis" };
      const refused = await shop.ask("POST", path, body);
      expect(refused).toMatchObject({
        status: 409,
        body: { code: `segments.unknown_${kind}`, fields: [field], name: what },
      });
      expect(JSON.stringify(refused.body)).toContain(`There is no ${kind} “${what}”`);
    }
  // What we work out ourselves is known before anybody has it; so is what is declared, or on somebody.
  for (const rule of [
    { kind: "tag", tag: "rfm", in: ["555"] },
    { kind: "number", attribute: "spent_minor", is: "gt", value: 1 },
    { kind: "company", fits: { kind: "number", attribute: "orders", is: "ge", value: 1 } },
  ])
    expect((await shop.ask("POST", "/v1/segments/preview", { rule })).status).toBe(200);
  const [somebody] = await sql<{ bucket: number; personId: string }[]>`
    select bucket, person_id from people_person limit 1`;
  const hand = {
    ...{ person: somebody!, tag: "vvip", kind: "hand" as const, source: "test", reason: {} },
    at: shop.clock.shop,
  };
  await sql.begin((tx) => people.setTags(tx, house.newId, [{ ...hand, value: "yes" }]));
  const made = await shop.ask("POST", "/v1/segments", { name, rule: vip, purpose: "analysis" });
  expect(made.status).toBe(200);
  // Nobody carries it any more: what is asked already may go on being asked.
  await sql`delete from people_tag where tag = 'vvip'`;
  await sql`delete from people_tag_log where tag = 'vvip'`;
  const again = { id: made.body.id, name, rule: { kind: "not", of: vip }, purpose: "analysis" };
  expect((await shop.ask("POST", "/v1/segments", again)).status).toBe(200);
  const declared = {
    ...{ name: "shoe_size", label: { zh: "鞋码", en: "Shoe size" }, fn: "max", event: "page" },
    ...{ property: "size", hours: null },
  };
  await sql.begin((tx) =>
    declareTrait(
      {
        tx,
        house,
        at: new Date(0),
        now: new Date(0),
        actor: operator,
        newId: house.newId,
      } as never,
      declared as never,
    ),
  );
  expect((await shop.ask("POST", "/v1/segments/preview", { rule: shoe })).status).toBe(200);
});

test("an address is asked for by its blind index alone; lists, comparison, overlap and history agree with the members", async () => {
  await using shop = await open();
  const rule = { kind: "identifier", type: "email", values: ["ann@example.com"] };
  const kept = await shop.ask("POST", "/v1/segments", { name, rule, purpose: "analysis" });
  const shown = await shop.ask("GET", `/v1/segments/${kept.body.id}`);
  expect(JSON.stringify(shown.body)).not.toContain("ann@");
  expect(shown.body).toMatchObject({
    rule: { kind: "identifier", type: "email", blinds: [expect.stringMatching(/^[0-9a-f]{64}$/)] },
    sentence: { en: "People whose e-mail is the one given." },
  });
  const made = await shop.ask("POST", "/v1/segments", { name, rule: dormant, purpose: "analysis" });
  const half = { kind: "and", of: [dormant, { kind: "sample", seed: "1", basisPoints: 5000 }] };
  const other = await shop.ask("POST", "/v1/segments", { name, rule: half, purpose: "analysis" });
  await shop.settle();
  const [a, b] = [made.body.id, other.body.id];
  const frozen = await shop.ask("POST", `/v1/segments/${a}/snapshots`, { name: "Now" });
  expect(frozen).toMatchObject({ status: 200, body: { people: 9 } });
  expect(await shop.ask("GET", `/v1/segments/${a}/snapshots`)).toMatchObject({
    body: { snapshots: [{ name: "Now", people: 9, version: 1 }] },
  });
  const preview = await shop.ask("POST", "/v1/segments/preview", { rule: half });
  const { people } = preview.body as unknown as { people: number };
  const list = `snapshot:${frozen.body.id}`;
  expect(await shop.ask("GET", `/v1/segments/compare?a=${list}&b=segment:${b}`)).toMatchObject({
    status: 200,
    body: { onlyA: { people: 9 - people }, both: { people }, onlyB: { people: 0 } },
  });
  expect(await shop.ask("GET", `/v1/segments/overlap?segments=${a},${b}`)).toMatchObject({
    body: { pairs: [{ people: 9 }, { people }, { people }] },
  });
  expect(await shop.ask("GET", `/v1/segments/${a}/history?days=2`)).toMatchObject({
    body: { days: [{ people: 0 }, { people: 9, entered: 9, left: 0 }] },
  });
  const changes = await shop.ask("GET", `/v1/segments/${a}/changes`);
  expect((changes.body as unknown as { changes: unknown[] }).changes).toHaveLength(9);
  expect((await shop.ask("GET", "/v1/segments/suggestions")).body).toMatchObject({
    tags: [
      {
        ...{ name: "lifecycle", label: { zh: "生命周期阶段", en: "lifecycle stage" } },
        values: [{ value: "dormant", label: { zh: "沉睡", en: "dormant" } }],
      },
    ],
  });
});

test("a segment of companies is tried, kept, shown with its companies, and frozen; what is out of place names its field", async () => {
  await using shop = await open();
  const companies = Array.from({ length: 4 }, (_, i) => ({
    id: randomUUID(),
    sourceId: "01890000-0000-7000-8000-000000000001",
    ref: `g${i}`,
    name: i === 0 ? "Oak & Sons" : null,
    seenAt: shop.clock.shop,
    profile: shop.sql.json({ industry: { v: i < 3 ? "gifts" : "toys" } } as never),
  }));
  await shop.sql`insert into companies_company ${shop.sql(companies)}`;
  const [first] = await shop.sql<{ bucket: number; personId: string }[]>`
    select bucket, person_id from people_person order by person_id limit 1`;
  await shop.sql`insert into companies_member ${shop.sql({
    ...first!,
    companyId: companies[0]!.id,
    role: "buyer",
    since: new Date(0),
  })}`;
  const gifts = { kind: "text", attribute: "industry", in: ["gifts"] };
  const tried = await shop.ask("POST", "/v1/segments/preview", { level: "company", rule: gifts });
  expect(tried).toMatchObject({
    status: 200,
    body: { people: 3, of: 4, sample: [], sentence: { zh: "行业为“gifts”的公司。" } },
  });
  const body = { name, level: "company", rule: gifts, purpose: "analysis" };
  const made = await shop.ask("POST", "/v1/segments", body);
  await shop.settle();
  const { id } = made.body;
  const shown = await shop.ask("GET", `/v1/segments/${id}?limit=2`);
  expect(shown.body).toMatchObject({ level: "company", people: 3, members: [] });
  expect((shown.body as { companies?: unknown[] }).companies).toHaveLength(2);
  const rest = await shop.ask("GET", `/v1/segments/${id}?limit=2&after=${shown.body.next}`);
  expect(rest.body).toMatchObject({ next: null });
  expect(await shop.ask("GET", `/v1/segments/${id}/changes?limit=1`)).toMatchObject({
    body: { changes: [], companies: [{ change: "entered" }], next: expect.any(String) },
  });
  const frozen = await shop.ask("POST", `/v1/segments/${id}/snapshots`, { name: "Now" });
  expect(frozen.body).toMatchObject({ people: 3 });
  const list = `/v1/segments/${id}/snapshots/${frozen.body.id}`;
  const kept = (await shop.ask("GET", list)).body as unknown as { companies: { name: string }[] };
  expect(kept.companies.map((one) => one.name)).toContain("Oak & Sons");
  expect(
    (await shop.ask("GET", `/v1/segments/${randomUUID()}/snapshots/${frozen.body.id}`)).status,
  ).toBe(404);
  // Through their company, a person; and by name in the segment of companies.
  const through = { kind: "company", roles: ["buyer"], fits: { kind: "segment", segment: id } };
  expect(await shop.ask("POST", "/v1/segments/preview", { rule: through })).toMatchObject({
    body: {
      people: 1,
      sample: [{ personId: first!.personId }],
      sentence: { zh: "担任“采购”的公司在人群“沉睡”中的人。" },
    },
  });
  const asPerson = { ...body, id, level: "person" };
  expect((await shop.ask("POST", "/v1/segments", asPerson)).body.code).toBe("segments.level_fixed");
  const mixed = { kind: "segment", segment: id };
  expect((await shop.ask("POST", "/v1/segments/preview", { rule: mixed })).body.code).toBe(
    "segments.unknown_in_rule",
  );
  const misplaced: [string, unknown, string][] = [
    ["company", { kind: "and", of: [gifts, through] }, "rule.of.1.kind"],
    ["person", { kind: "staff", are: "ge", count: 1, fits: gifts }, "rule.kind"],
    ["company", { kind: "staff", are: "every", fits: through }, "rule.fits.kind"],
    ["company", { kind: "identifier", type: "email", values: ["a@b.example"] }, "rule.kind"],
    ["person", { kind: "identifier", type: "openid", values: ["o1"] }, "rule.source"],
    ["person", { kind: "sample", seed: "1", basisPoints: 0.5 }, "rule.basisPoints"],
  ];
  for (const [level, rule, field] of misplaced) {
    const answer = await shop.ask("POST", "/v1/segments/preview", { level, rule });
    expect([answer.status, answer.body.fields]).toEqual([400, [field]]);
  }
});

test("whatever somebody is recognised by finds them by equality, and no value is kept", async () => {
  await using shop = await open();
  const source = "01890000-0000-7000-8000-000000000001";
  const values = {
    ...{ email: "Ann@Example.com", phone: "+86 138 0000 0000", user_id: "c99", openid: "oAbC" },
    ...{ unionid: "uAbC", device: "d-1", anonymous_id: "a-1", external: "crm:77" },
  };
  for (const [type, value] of Object.entries(values)) {
    const nodes = await shop.sql.begin((tx) =>
      people.nodesFor(shop.house, tx, source, [{ type: type as "email", value, at: new Date(0) }]),
    );
    const [node] = [...nodes.values()];
    const { personId } = node!;
    const rule = { kind: "identifier", type, source, values: [value, "nobody-else"] };
    const tried = await shop.ask("POST", "/v1/segments/preview", { rule });
    expect([type, tried.body.sample]).toMatchObject([type, [{ personId }]]);
    const made = await shop.ask("POST", "/v1/segments", { name, rule, purpose: "analysis" });
    const kept =
      await shop.sql`select rule::text from segments_segment where id = ${made.body.id!}`;
    expect(kept[0]!["rule"]).not.toContain(value);
  }
});

test("a segment is deleted: its members leave, its lists and timers go, what they lived through is still told", async () => {
  await using shop = await open();
  const { sql, house } = shop;
  // Somebody looked an hour ago and leaves the window tomorrow: a timer of theirs is set.
  const looked = {
    kind: "or",
    of: [
      dormant,
      { kind: "events", event: "page", is: "ge", count: 1, window: { kind: "days", days: 3 } },
    ],
  };
  const [first] = await sql<{ bucket: number; nodeId: string; personId: string }[]>`
    select bucket, node_id, person_id from people_node order by person_id limit 1`;
  await sql`
    insert into collect_event ${sql({
      ...{ bucket: first!.bucket, nodeId: first!.nodeId, offset: 1n, id: randomUUID() },
      ...{ sourceId: randomUUID(), name: "page", data: sql.json({}), flags: 0 },
      at: new Date(shop.clock.shop.getTime() - 2.2 * 86_400_000),
      receivedAt: shop.clock.shop,
    })}`;
  const made = await shop.ask("POST", "/v1/segments", { name, rule: looked, purpose: "marketing" });
  const event = (await sql<{ id: string }[]>`select id from collect_event`)[0]!.id;
  await sql.begin((tx) => listen(tx, "test", null));
  await shop.settle();
  const { id } = made.body;
  const timers = () => sql`select from timer where key = ${id!}`;
  expect((await timers()).count).toBeGreaterThan(1);
  const frozen = await shop.ask("POST", `/v1/segments/${id}/snapshots`, { name: "Before" });
  expect(frozen.status).toBe(200);
  const inside = (await sql`select from segments_member where segment_id = ${id!}`).count;
  expect(inside).toBeGreaterThan(8);
  // What let somebody in is called by its name.
  await sql`
    update segments_member set cause_kind = 'event', cause = ${event}
    where segment_id = ${id!} and person_id = ${first!.personId}`;
  expect((await shop.ask("GET", `/v1/segments/${id}`)).body.members).toContainEqual(
    expect.objectContaining({
      personId: first!.personId,
      cause: { kind: "event", id: event, name: { zh: "打开页面", en: "page" } },
    }),
  );

  shop.clock.shop = new Date(shop.clock.shop.getTime() + 60_000);
  expect(await shop.ask("DELETE", `/v1/segments/${id}`)).toMatchObject({ status: 200 });
  const told: string[] = [];
  const hears: Reaction = {
    on: "segments.left",
    react: async (_house, _tx, events) => {
      told.push(
        ...events.flatMap(({ data, personId }) => (data["segment"] === id ? personId : [])),
      );
    },
  };
  while ((await relay(house, [...reactions, hears])) > 0);
  for (const path of ["", "/history", "/changes", "/snapshots"])
    expect((await shop.ask("GET", `/v1/segments/${id}${path}`)).status).toBe(404);
  expect((await shop.ask("DELETE", `/v1/segments/${id}`)).body.code).toBe("segments.unknown");
  for (const table of ["segments_member", "segments_interest", "segments_snapshot"])
    expect((await sql`select from ${sql(table)} where segment_id = ${id!}`).count).toBe(0);
  expect((await sql`select from segments_snapshot_member`).count).toBe(0);
  expect((await timers()).count).toBe(0);
  // Whoever listens hears of each; each one's own history says that they left, and what it was called.
  expect(new Set(told).size).toBe(inside);
  const lived = await sql`
    select l.change, s.name_en from segments_log l join segments_named s on s.id = l.segment_id
    where l.person_id = ${first!.personId} order by l.at`;
  expect([...lived]).toMatchObject([
    { change: "entered", nameEn: "Dormant" },
    { change: "left", nameEn: "Dormant" },
  ]);
  // Nobody comes back with a merge that is undone later.
  await sql`insert into segments_member ${sql({
    ...{ bucket: first!.bucket, personId: first!.personId, segmentId: id!, since: shop.clock.shop },
  })}`;
  await sql.begin((tx) => refold(house, tx, [first!]));
  expect((await sql`select from segments_member where segment_id = ${id!}`).count).toBe(0);
});

test("a segment that something asks for is not deleted, and every one of those is named", async () => {
  await using shop = await open();
  const { sql, house } = shop;
  const made = await shop.ask("POST", "/v1/segments", { name, rule: dormant, purpose: "analysis" });
  const { id } = made.body;
  const asks = {
    ...{ name: { zh: "不沉睡", en: "Awake" }, purpose: "analysis" },
    rule: { kind: "not", of: { kind: "segment", segment: id } },
  };
  const other = await shop.ask("POST", "/v1/segments", asks);
  const context = {
    ...{ tx: null, house, at: new Date(0), now: new Date(0), actor: operator, newId: house.newId },
  };
  const tagged = await sql.begin((tx) =>
    declareTag({ ...context, tx } as never, {
      ...{ tag: "sleeper", label: { zh: "睡客", en: "Sleeper" }, ttlDays: null, shown: false },
      rules: [{ value: "yes", segment: id! }],
    }),
  );
  expect(tagged).toMatchObject({ ok: true });
  await sql`
    insert into feeds_webhook ${sql({
      ...{ id: randomUUID(), name: "CRM", url: "https://crm.example", format: "webhook" },
      ...{ signature: "v1", types: [], segmentId: id!, state: "on", madeAt: new Date(0) },
    })}`;
  await sql`
    insert into journeys_programme ${sql({
      ...{ id: randomUUID(), key: "back", name: sql.json({ zh: "挽回", en: "Win back" }) },
      ...{ segmentId: id!, campaignId: randomUUID(), template: "x", windowDays: 7, picks: 1 },
      ...{ seed: "s", treatedShareBp: 5000, at: new Date(0) },
    })}`;
  const refused = await shop.ask("DELETE", `/v1/segments/${id}`);
  expect(refused).toMatchObject({
    status: 409,
    body: {
      code: "segments.in_use",
      title:
        "This segment is still asked for by: segment “Awake”, programme “Win back”, tag “Sleeper”, webhook “CRM”. It cannot be deleted.",
    },
  });
  expect((await shop.ask("GET", `/v1/segments/${id}`)).body).toMatchObject({
    uses: [
      { kind: "segment", id: other.body.id, name: { zh: "不沉睡" } },
      { kind: "programme", id: "back" },
      { kind: "tag", id: "sleeper" },
      { kind: "webhook", name: { zh: "CRM" } },
    ],
  });
  // Without them it goes; a tag cannot be declared about it any more.
  await sql`delete from journeys_programme`;
  await sql`update feeds_webhook set state = 'deleted'`;
  await sql`delete from traits_tag`;
  expect((await shop.ask("DELETE", `/v1/segments/${other.body.id}`)).status).toBe(200);
  expect((await shop.ask("DELETE", `/v1/segments/${id}`)).status).toBe(200);
});

test("a tag that is declared while its segment is being deleted finds it gone", async () => {
  await using shop = await open();
  const { sql, house } = shop;
  const { body } = await shop.ask("POST", "/v1/segments", {
    ...{ name, rule: dormant, purpose: "analysis" },
  });
  const context = { house, at: new Date(0), now: new Date(0), actor: operator, newId: house.newId };
  let declaring: Promise<unknown> = Promise.resolve();
  await sql.begin(async (tx) => {
    const gone = await remove({ ...context, tx } as never, { segment: body.id! }, async () => []);
    expect(gone.ok).toBe(true);
    declaring = sql.begin((other) =>
      declareTag({ ...context, tx: other } as never, {
        ...{ tag: "sleeper", label: { zh: "睡客", en: "Sleeper" }, ttlDays: null, shown: false },
        rules: [{ value: "yes", segment: body.id! }],
      }),
    );
    await tx`select pg_sleep(0.3)`;
  });
  expect(await declaring).toMatchObject({ ok: false, code: "segments.unknown" });
});
