import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { routes as ordersRoutes } from "#orders/routes.ts";
import * as people from "#people/service.ts";
import { folded, shop } from "../../test/shop.ts";
import { routes } from "./routes.ts";
import { erase } from "./service.ts";

const all = [...routes, ...ordersRoutes];
const at = "2026-02-28T10:00:00Z";
const view = (given: Record<string, unknown> = {}) => ({
  key: randomUUID(),
  name: "Product Viewed",
  user: "u1",
  at,
  data: { sku: "S1" },
  ...given,
});
type Results = {
  verdict: string;
  reason: string | null;
  field: string | null;
  id: string | null;
}[];
const results = (body: Record<string, unknown>) => body["results"] as Results;

test("what is answered is committed, and the same key again is the same event", async () => {
  await using here = await shop(all);
  const event = view();
  const first = await here.ask("POST", "/v1/events", {
    headers: here.as.server,
    body: { events: [event] },
  });
  expect(first).toMatchObject({ status: 200, body: { accepted: 1, doubles: 0, refused: 0 } });
  const again = await here.ask("POST", "/v1/events", {
    headers: here.as.server,
    body: { events: [event, { ...event, name: "Another" }] },
  });
  expect(again.body).toMatchObject({ accepted: 0, doubles: 2, refused: 0 });
  expect(results(again.body)[0]!.id).toBe(results(first.body)[0]!.id);
  expect([...(await here.sql`select id, name from collect_event`)]).toEqual([
    { id: results(first.body)[0]!.id, name: "Product Viewed" },
  ]);
});

test("thirty requests at once with ten keys store ten events, and share their commits", async () => {
  await using here = await shop(all);
  const keys = Array.from({ length: 10 }, () => randomUUID());
  const answers = await Promise.all(
    Array.from({ length: 30 }, (_, i) =>
      here.ask("POST", "/v1/events", {
        headers: here.as.server,
        body: { events: [view({ key: keys[i % 10], user: `u${i % 10}` })] },
      }),
    ),
  );
  const verdicts = answers.map(({ body }) => results(body)[0]!.verdict).toSorted();
  expect(verdicts).toEqual([
    ...Array.from({ length: 10 }, () => "accepted"),
    ...Array.from({ length: 20 }, () => "double"),
  ]);
  const [count] = await here.sql`select count(*)::int as n from collect_event`;
  expect(count).toEqual({ n: 10 });
  // Offsets have no gap: whoever reads up to one has read everything before it.
  const [gaps] = await here.sql`
    select count(*)::int as n from collect_offset o
    where o.next - 1 <> (select count(*) from collect_event e where e.bucket = o.bucket)`;
  expect(gaps).toEqual({ n: 0 });
  const [rounds] = await here.sql`select count(distinct xmin::text)::int as n from collect_event`;
  expect(rounds!["n"]).toBeLessThan(10);
});
test("what is wrong with one event costs its neighbours nothing, and is named", async () => {
  await using here = await shop(all);
  const events = [
    view(),
    view({ at: "yesterday" }),
    view({ at: "2026-03-04T00:00:00Z" }), // three days ahead of the shop's clock
    view({ key: "" }),
    view({ colour: "red" }),
    view({ data: { sku: "a\0b" } }),
    view({ data: { big: "NUMBER" } }),
    view({ data: { text: "x".repeat(33_000) } }),
    view({ name: "Order Line", data: { order: "1", amountMinor: 1e6 } }),
    view({ data: { $traits: { city: "Paris" } } }),
    view({ user: undefined, data: { email: "ann@example.com" } }),
    view({ name: "identify", traits: { email: "not an address" } }),
    view({ name: "identify", traits: { birth_month: 13 } }),
    "no event",
    view({ user: undefined }),
  ];
  const text = JSON.stringify({ events }).replace('"NUMBER"', "9007199254740993");
  const answer = await post(here, here.as.server, text);
  expect(
    results(answer.body).map(({ verdict, reason, field }) => [verdict, reason, field]),
  ).toEqual([
    ["accepted", null, null],
    ["refused", "invalid", "events.1.at"],
    ["refused", "not_yet", "events.2.at"],
    ["refused", "invalid", "events.3.key"],
    ["refused", "invalid", "events.4.colour"],
    ["refused", "invalid", "events.5.data.sku"],
    ["refused", "invalid", "events.6.data.big"],
    ["refused", "too_large", "events.7"],
    ["refused", "use_order_lines", "events.8.name"],
    ["refused", "invalid", "events.9.data.$traits"],
    ["refused", "no_sender", "events.10.user"],
    ["refused", "invalid", "events.11.traits.email"],
    ["refused", "invalid", "events.12.traits.birth_month"],
    ["refused", "invalid", "events.13"],
    ["accepted", null, null],
  ]);
  const [stored] = await here.sql`select count(*)::int as n from collect_event`;
  expect(stored).toEqual({ n: 2 });

  // The rejected list says so too, once however often it is sent; what each says is opened by itself.
  await post(here, here.as.server, text);
  const path = `/v1/rejected?source=${here.server.id}&limit=5`;
  const list = await here.ask("GET", path, { headers: here.as.analyst });
  expect(list.body).toMatchObject({ total: 13, beyond: 0 });
  const next = encodeURIComponent(String(list.body["next"]));
  const rest = await here.ask("GET", `${path}&after=${next}`, { headers: here.as.analyst });
  const rows = [list, rest].flatMap(({ body }) => body["rejected"] as { id: string }[]);
  expect(new Set(rows.map(({ id }) => id)).size).toBe(10);
  expect(JSON.stringify(rows)).not.toMatch(/payload|sealed|text/);
  // By reason, by event, by field, by time.
  const counts = list.body["reasons"] as { reason: string; count: number }[];
  expect(counts.reduce((sum, { count }) => sum + count, 0)).toBe(13);
  const of = async (more: string) =>
    (await here.ask("GET", `/v1/rejected?${more}`, { headers: here.as.analyst })).body["total"];
  expect(await of("reason=no_sender")).toBe(1);
  expect(await of("reason=invalid")).toBe(counts.find(({ reason }) => reason === "invalid")!.count);
  expect(await of("field=traits.email")).toBe(1);
  expect(await of("name=Order%20Line")).toBe(1);
  expect(await of("until=2000-01-01T00:00:00Z")).toBe(0);
  expect(await of("from=2000-01-01T00:00:00Z")).toBe(13);
});
const post = async (
  here: Awaited<ReturnType<typeof shop>>,
  headers: Record<string, string>,
  text: string,
) => here.ask("POST", "/v1/events", { headers, text });

test.each([
  ["no JSON", "{", 400, "body"],
  ["a list", "[]", 400, "body"],
  ["something beside the list", '{"events":[{}],"more":1}', 400, "more"],
  ["no list", '{"events":{}}', 400, "events"],
  ["an empty list", '{"events":[]}', 400, "events"],
  [
    "more than a thousand",
    JSON.stringify({ events: Array.from({ length: 1001 }, () => 1) }),
    400,
    "events",
  ],
  [
    "deeper than anybody nests, beside the list",
    `{"more":${"[".repeat(70)}${"]".repeat(70)}}`,
    400,
    "more",
  ],
  ["more than 500 KB", JSON.stringify({ events: ["x".repeat(600_000)] }), 413, undefined],
])("a request that is %s is refused whole", async (_, text, status, field) => {
  await using here = await shop(all);
  const answer = await post(here, here.as.server, text);
  expect(answer.status).toBe(status);
  if (field) expect(answer.body["fields"]).toEqual([field]);
});

test("a key of no source sends nothing", async () => {
  await using here = await shop(all);
  const sent = { headers: here.as.owner, body: { events: [view()] } };
  expect((await here.ask("POST", "/v1/events", sent)).body["code"]).toBe("collect.no_source");
});

test("what a browser says moves no order, product, price or known person", async () => {
  await using here = await shop(all);
  const line = {
    key: "1",
    order: "A1",
    sku: "S1",
    name: "Cup",
    quantity: 2,
    unitPrice: "3.50",
    at,
    customer: "u1",
  };
  await here.ask("POST", "/v1/orders/lines", { headers: here.as.server, body: { lines: [line] } });
  await here.ask("POST", "/v1/events", {
    headers: here.as.server,
    body: {
      events: [view({ name: "identify", traits: { email: "ann@example.com", language: "zh" } })],
    },
  });
  await folded(here.house);
  const state = async () => ({
    orders: [...(await here.sql`select * from orders_order`)],
    lines: [...(await here.sql`select * from orders_line`)],
    products: [...(await here.sql`select * from catalog_product`)],
    profiles: [...(await here.sql`select * from people_profile`)],
    fields: [...(await here.sql`select * from people_field`)],
  });
  const before = await state();
  expect(before.orders).toHaveLength(1);

  const forged = {
    order: "A1",
    sku: "S1",
    kind: "sale",
    quantity: 1.5,
    amountMinor: 999,
    unitPrice: 1,
  };
  const events = [
    view({ name: "Order Line", data: forged }),
    view({ name: "Order Completed", anonymous: "v1", user: undefined, data: forged }),
    view({ name: "identify", traits: { language: "en" } }), // speaks for somebody known
    view({
      name: "identify",
      anonymous: "v1",
      user: undefined,
      traits: { email: "ann@example.com" },
    }),
    view({ user: undefined }), // nobody
    view({ anonymous: "v2" }), // says it is u1
  ];
  const answer = await here.ask("POST", "/v1/events", { headers: here.as.page, body: { events } });
  expect(results(answer.body).map(({ reason }) => reason)).toEqual([
    "use_order_lines",
    null,
    "server_only",
    "server_only",
    "no_sender",
    null,
  ]);
  const lines = await here.ask("POST", "/v1/orders/lines", {
    headers: here.as.page,
    body: { lines: [{ ...line, key: "2", unitPrice: "0.01" }] },
  });
  expect(lines).toMatchObject({ status: 403, body: { code: "orders.server_only" } });
  await folded(here.house);
  expect(await state()).toEqual(before);
  // The visitor is somebody of their own, whatever they said.
  const [count] = await here.sql`select count(*)::int as n from people_person`;
  expect(count).toEqual({ n: 3 });
});

test("what names a person stands nowhere in clear", async () => {
  await using here = await shop(all);
  const secrets = [
    "canary@example.com",
    "+4915112345678",
    "Canary Street 7",
    "Carla Canary",
    "canary note",
  ];
  const [email, phone, street, name, note] = secrets;
  await here.ask("POST", "/v1/events", {
    headers: here.as.server,
    body: {
      events: [
        view({
          data: { sku: "S1", Email: email, shipTo: { street }, note, contact: `mail ${email}` },
        }),
        view({
          name: "identify",
          traits: { email, mobile: phone, address: street, name, nickname: note },
        }),
        view({ user: email }),
        view({ data: { [`${email}`]: 1 } }),
        view({ name: "identify", traits: { [`${email}`]: 1, birth_month: email } }), // refused
        view({ [`${email}`]: 1 }), // refused
      ],
    },
  });
  await folded(here.house);
  const tables = await here.owner<{ name: string }[]>`
    select table_name as name from information_schema.tables
    where table_schema = 'public' and table_type = 'BASE TABLE'`;
  for (const { name: table } of tables) {
    const [row] = await here.owner<{ text: string | null }[]>`
      select string_agg(to_jsonb(t)::text, '') as text from ${here.owner(table)} t`;
    for (const secret of secrets)
      expect(row?.text?.includes(secret) ?? false, `${secret} in ${table}`).toBe(false);
  }
  // And whoever has the key reads it all.
  const person = await people.byIdentifier(here.house, here.sql, "email", " CANARY@example.com ");
  expect(Object.fromEntries(await people.allFields(here.house, here.sql, person!))).toEqual({
    email,
    phone,
    address: street,
    name,
  });
});

test("after an erasure older events are refused, also beside newer ones, which are a new person", async () => {
  await using here = await shop(all);
  const send = async (events: unknown[]) => {
    const { body } = await here.ask("POST", "/v1/events", {
      headers: here.as.server,
      body: { events },
    });
    await folded(here.house);
    return results(body).map(({ verdict, reason }) => reason ?? verdict);
  };
  await send([view({ name: "identify", traits: { email: "ann@example.com" } })]);
  const find = () => people.byIdentifier(here.house, here.sql, "user_id", "u1", here.server.id);
  const old = (await find())!;
  const { house, clock } = here;
  clock.shop = new Date("2026-03-02T00:00:00Z");
  const context = {
    house,
    now: clock.shop,
    at: clock.machine,
    newId: house.newId,
  } as never as object;
  await house.sql.begin((tx) =>
    people.erase({ ...context, tx } as never, old.personId, [erase, people.eraseRows]),
  );
  expect(await find()).toBeNull();

  const late = view();
  expect(await send([late])).toEqual(["erased"]);
  expect(await send([late])).toEqual(["erased"]); // and not a double
  expect(await find()).toBeNull();

  clock.shop = new Date("2026-03-03T00:00:00Z");
  const fresh = view({ at: "2026-03-02T08:00:00Z" });
  expect(await send([view(), fresh, view()])).toEqual(["erased", "accepted", "erased"]);
  const now = (await find())!;
  expect(now.personId).not.toBe(old.personId);
  expect(await send([view()])).toEqual(["erased"]); // also now that there is somebody again
  // The old address is not brought back by an old word, and is by a new one.
  const word = { name: "identify", traits: { email: "ann@example.com" }, user: "u2" };
  await send([view(word)]);
  expect(await people.byIdentifier(here.house, here.sql, "email", "ann@example.com")).toBeNull();
  await send([view({ ...word, at: "2026-03-02T09:00:00Z" })]);
  expect(
    await people.byIdentifier(here.house, here.sql, "email", "ann@example.com"),
  ).not.toBeNull();
});

test("sources are made once, and say what came from them", async () => {
  await using here = await shop(all);
  const made = await here.ask("POST", "/v1/sources", {
    headers: here.as.owner,
    body: { name: "app", kind: "public" },
  });
  expect(made.status).toBe(200);
  const twice = { headers: here.as.owner, body: { name: "app", kind: "server" } };
  expect(await here.ask("POST", "/v1/sources", twice)).toMatchObject({
    status: 409,
    body: { code: "collect.name_taken" },
  });
  await here.ask("POST", "/v1/events", {
    headers: here.as.server,
    body: { events: [view(), view(), view({ at: "" })] },
  });
  const { body } = await here.ask("GET", "/v1/sources", { headers: here.as.analyst });
  expect(body["sources"]).toMatchObject([
    { id: made.body["id"], name: "app", kind: "public", events: 0, lastAt: null, rejected: 0 },
    { name: "shop", kind: "server", demo: false, events: 2, rejected: 1 },
    { name: "shop-web", events: 0 },
  ]);
});
