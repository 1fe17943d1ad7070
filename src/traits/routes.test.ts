import { expect, test } from "vitest";
import { SignJWT } from "jose";
import { createKey, createPersonTokenKey } from "#access/service.ts";
import { routes as collectRoutes } from "#collect/routes.ts";
import { routes as formRoutes } from "#forms/routes.ts";
import { byIdentifier } from "#people/service.ts";
import { routes as orderRoutes } from "#orders/routes.ts";
import { know } from "#predict/jobs.ts";
import { routes as peopleRoutes } from "#people/routes.ts";
import { routes as segmentRoutes } from "#segments/routes.ts";
import { pumps, refolders } from "../app.ts";
import { shop, type Shop } from "../../test/shop.ts";
import { refold } from "./jobs.ts";
import { routes } from "./routes.ts";

const hour = 3_600_000;
const all = [
  ...collectRoutes,
  ...formRoutes,
  ...orderRoutes,
  ...peopleRoutes,
  ...segmentRoutes,
  ...routes,
];
let n = 0;
type Here = Shop & { work: ReturnType<typeof pumps> };
const opened = async (): Promise<Here> => {
  const here = await shop(all);
  return Object.assign(here, { work: pumps(here.house, null) });
};
/** Everything that waits is done. */
async function settled({ work }: Here) {
  for (let done = 1; done > 0;)
    done =
      (await work.consume()) + (await work.relay()) + (await work.ring()) + (await work.segment());
}
async function did(here: Here, user: string, price: unknown, times = 1) {
  const at = new Date(here.clock.shop.getTime() - hour).toISOString();
  const events = Array.from({ length: times }, () => ({
    ...{ key: String(n++), name: "Paid", user, at, data: { price } },
  }));
  const { body } = await here.ask("POST", "/v1/events", {
    headers: here.as.server,
    body: { events },
  });
  expect(body["accepted"]).toBe(times);
  await settled(here);
}
const spent = {
  name: "spent_day",
  label: { zh: "一天花费", en: "Spent in a day" },
  fn: "sum",
  event: "Paid",
  property: "price",
  hours: 24,
  unit: "CNY",
};
async function tagsOf(here: Here, user: string) {
  const { personId } = (await byIdentifier(here.house, here.sql, "user_id", user, here.server.id))!;
  const { body } = await here.ask("GET", `/v1/members/${personId}`, { headers: here.as.owner });
  type Tag = { tag: string; value: string; kind: string; sentence: { en: string }; cause: string };
  const known = body as { tags: Tag[]; attributes: Record<string, unknown>[] };
  return {
    ...{ personId, ...known },
    tags: known.tags.filter(({ tag }) => !["lifecycle", "rfm", "rfm_segment"].includes(tag)),
  };
}
const as = (here: Here) => ({ headers: here.as.owner });

test("a trait is declared, tried on people, shown on a member with its window, and taken away", async () => {
  await using here = await opened();
  await did(here, "u1", 0.1);
  await did(here, "u1", 0.2);
  const tried = await here.ask("POST", "/v1/traits/preview", { ...as(here), body: spent });
  expect(tried.body).toMatchObject({
    sentence: { zh: "最近 1 天“Paid”的价格合计。" },
    people: [{ userId: "u1", value: 0.3 }],
  });
  const made = await here.ask("POST", "/v1/traits", { ...as(here), body: spent });
  expect(made.body).toMatchObject({ name: "spent_day", version: 1 });
  await settled(here);
  expect((await tagsOf(here, "u1")).attributes).toContainEqual(
    expect.objectContaining({
      name: "spent_day",
      value: 0.3,
      source: "trait:spent_day",
      confidence: 1,
      trait: {
        label: spent.label,
        unit: "CNY",
        how: {
          zh: "最近 1 天“Paid”的价格合计。",
          en: "The sum of price over “Paid” in the last 24 hours.",
        },
      },
    }),
  );
  const listed = await here.ask("GET", "/v1/traits", as(here));
  expect(listed.body).toMatchObject({
    most: 200,
    traits: [{ name: "spent_day", state: "ready", done: 1, total: 1 }],
  });
  const bad = async (more: object) =>
    (await here.ask("POST", "/v1/traits", { ...as(here), body: { ...spent, ...more } })).body;
  expect(await bad({ hours: 17_545 })).toMatchObject({ fields: ["hours"] });
  expect(await bad({ property: undefined })).toMatchObject({ fields: ["property"] });
  expect(await bad({ property: "a..b" })).toMatchObject({ fields: ["property"] });
  expect(await bad({ name: "spent_minor" })).toMatchObject({ code: "traits.name_taken" });
  expect((await here.ask("DELETE", "/v1/traits/spent_day", as(here))).status).toBe(200);
  expect(await bad({})).toMatchObject({ code: "traits.going" });
  await settled(here);
  expect((await here.ask("GET", "/v1/traits", as(here))).body["traits"]).toEqual([]);
  expect((await tagsOf(here, "u1")).attributes.map(({ name }) => name)).not.toContain("spent_day");
  expect((await here.ask("DELETE", "/v1/traits/spent_day", as(here))).status).toBe(404);
});

test("whoever fits a rule carries the tag: because of an event, until time takes it away; the first rule counts", async () => {
  await using here = await opened();
  await here.ask("POST", "/v1/traits", { ...as(here), body: spent });
  await did(here, "u1", 60);
  const body = {
    label: { zh: "手笔", en: "Spender" },
    shown: true,
    rules: [
      { value: "big", when: { attribute: "spent_day", is: "ge", value: 100 } },
      { value: "some", when: { attribute: "spent_day", is: "ge", value: 50 } },
    ],
  };
  const made = await here.ask("PUT", "/v1/tags/spender", { ...as(here), body });
  expect(made.body).toEqual({ tag: "spender", version: 1 });
  await settled(here);
  expect((await tagsOf(here, "u1")).tags).toMatchObject([
    {
      ...{ tag: "spender", value: "some", kind: "rule" },
      sentence: { en: "Because they are in the segment “Spender: some”." },
    },
  ]);
  await did(here, "u1", 50);
  const [tag] = (await tagsOf(here, "u1")).tags;
  expect(tag).toMatchObject({ value: "big" });
  const [event] = await here.sql`select id from collect_event where data->'price' = '50'`;
  expect(tag!.cause).toBe(event!["id"]);
  here.clock.shop = new Date(here.clock.shop.getTime() + 24 * hour);
  await settled(here);
  expect((await tagsOf(here, "u1")).tags).toEqual([]);
  const history = await here.ask("GET", "/v1/tags/spender", as(here));
  const { changes, days, rules } = history.body as Record<string, Record<string, unknown>[]>;
  expect(changes!.map(({ before, after, userId }) => [before, after, userId])).toEqual([
    ["big", null, "u1"],
    ["some", "big", "u1"],
    [null, "some", "u1"],
  ]);
  expect(days!.slice(-2).map(({ given, gone }) => [given, gone])).toEqual([
    [2, 0],
    [0, 1],
  ]);
  expect(rules!.map(({ value }) => value)).toEqual(["big", "some"]);
});

test("a tag by hand outweighs the rule until its time is over; then the rule says it again", async () => {
  await using here = await opened();
  await did(here, "u1", 60);
  const segment = await here.ask("POST", "/v1/segments", {
    ...as(here),
    body: {
      name: { zh: "所有人", en: "Everybody" },
      rule: { kind: "everybody" },
      purpose: "analysis",
    },
  });
  const rules = [{ value: "yes", segment: segment.body["id"] }];
  const label = { zh: "客人", en: "Guest" };
  await here.ask("PUT", "/v1/tags/guest", { ...as(here), body: { label, shown: false, rules } });
  await settled(here);
  const { personId, tags } = await tagsOf(here, "u1");
  expect(tags).toMatchObject([{ value: "yes", kind: "rule" }]);
  const expiresAt = new Date(here.clock.shop.getTime() + 48 * hour).toISOString();
  const set = (more: object) =>
    here.ask("POST", `/v1/members/${personId}/tags`, {
      ...as(here),
      body: { tag: "guest", value: "friend", reason: "met at the fair", expiresAt, ...more },
    });
  expect((await set({ reason: "call 13800138000" })).body["code"]).toBe("people.tag_names");
  await set({});
  await settled(here);
  expect((await tagsOf(here, "u1")).tags).toMatchObject([
    {
      ...{ value: "friend", kind: "hand" },
      sentence: { en: "Set by hand by a colleague: met at the fair" },
    },
  ]);
  here.clock.shop = new Date(expiresAt);
  await settled(here);
  expect((await tagsOf(here, "u1")).tags).toMatchObject([{ value: "yes", kind: "rule" }]);
  const log =
    await here.sql`select before, after, source from people_tag_log where tag = 'guest' order by at, id`;
  expect(log.map(({ before, after, source }) => [before, after, source])).toEqual([
    [null, "yes", "rule"],
    ["yes", "friend", "hand"],
    ["friend", null, "expired"],
    [null, "yes", "rule"],
  ]);
  // Taken away by hand, it is the rule's at once; without its rules nobody has it.
  await set({ expiresAt: undefined });
  await set({ value: null, expiresAt: undefined });
  expect((await tagsOf(here, "u1")).tags).toMatchObject([{ value: "yes", kind: "rule" }]);
  await here.ask("DELETE", "/v1/tags/guest", as(here));
  await settled(here);
  expect((await tagsOf(here, "u1")).tags).toEqual([]);
});

test("a tag that follows from itself is refused, and rests where a segment makes it so later", async () => {
  await using here = await opened();
  await did(here, "u1", 1);
  const define = async (body: object) =>
    (
      await here.ask("POST", "/v1/segments", {
        ...as(here),
        body: { name: { zh: "甲", en: "A" }, purpose: "analysis", ...body },
      })
    ).body["id"] as string;
  const asks = { kind: "not", of: { kind: "tag", tag: "loop", in: ["x"] } };
  const declare = (segment: string) =>
    here.ask("PUT", "/v1/tags/loop", {
      ...as(here),
      body: { label: { zh: "环", en: "Loop" }, shown: false, rules: [{ value: "x", segment }] },
    });
  // A tag can be asked for once it is declared.
  expect((await declare(await define({ rule: { kind: "everybody" } }))).status).toBe(200);
  const a = await define({ rule: asks });
  const b = await define({ rule: { kind: "segment", segment: a } });
  expect((await declare(b)).body["code"]).toBe("traits.circular");
  await define({ id: a, rule: { kind: "everybody" } });
  expect((await declare(b)).status).toBe(200);
  await settled(here);
  expect((await tagsOf(here, "u1")).tags).toMatchObject([{ value: "x" }]);
  await define({ id: a, rule: asks });
  await settled(here);
  expect((await tagsOf(here, "u1")).tags).toEqual([]);
  const listed = (await here.ask("GET", "/v1/tags", as(here))).body["tags"];
  expect(listed).toMatchObject([{ tag: "loop", declared: { circular: true } }]);
});

test("a model's tags: each judged by itself, neither over a hand nor over a rule", async () => {
  await using here = await opened();
  await did(here, "u1", 1);
  await did(here, "u2", 1);
  const key = await here.sql.begin((tx) =>
    createKey(
      {
        tx,
        actor: { id: "system:test", permissions: new Set(["tags:write"]), scope: { kind: "all" } },
        at: here.clock.machine,
        newId: here.house.newId,
      },
      {
        name: "model",
        permissions: ["tags:write"],
        source: { id: here.server.id, kind: "server" },
      },
    ),
  );
  if (!key.ok) throw new Error(key.code);
  const headers = { authorization: `Bearer ${key.value.key}` };
  const { personId } = await tagsOf(here, "u2");
  await here.ask("POST", `/v1/members/${personId}/tags`, {
    ...as(here),
    body: { tag: "taste", value: "plain" },
  });
  const expiresAt = new Date(here.clock.shop.getTime() + hour).toISOString();
  const one = { user: "u1", tag: "taste", value: "floral", confidence: 0.8, expiresAt };
  const send = async (tags: unknown[]) => {
    const answer = await here.ask("POST", "/v1/tags", {
      headers,
      body: { model: "taste-2", tags },
    });
    return (answer.body["results"] as Record<string, unknown>[]).map(({ verdict, reason, field }) =>
      reason === null ? verdict : `${String(reason)} ${String(field)}`,
    );
  };
  expect(
    await send([
      { ...one, confidence: 1.2 },
      one,
      { ...one, value: "x" },
      { ...one, user: "nobody" },
      { ...one, tag: "lifecycle" },
      { ...one, user: undefined, person: personId },
      { ...one, tag: "other", value: "eve@example.com" },
      { ...one, tag: "other", expiresAt: here.clock.shop.toISOString() },
      "nothing",
    ]),
  ).toEqual([
    "invalid confidence",
    "changed",
    "twice tag",
    "unknown user",
    "not_yours tag",
    "kept tag",
    "names_somebody value",
    "past expiresAt",
    "invalid ",
  ]);
  expect(await send([one])).toEqual(["same"]);
  expect((await tagsOf(here, "u1")).tags).toMatchObject([
    {
      ...{ tag: "taste", value: "floral", kind: "model", source: "shop", confidence: 0.8 },
      sentence: { en: "Said by the model taste-2." },
    },
  ]);
  here.clock.shop = new Date(expiresAt);
  await settled(here);
  expect((await tagsOf(here, "u1")).tags).toEqual([]);
  const refused = await here.ask("POST", "/v1/tags", {
    headers: here.as.analyst,
    body: { model: "x", tags: [one] },
  });
  expect(refused.status).toBe(403);
});

/** Tokens that the shop's server signs for its shoppers. */
async function tokensOf(here: Here) {
  const { house } = here;
  const at = house.clocks.machine();
  const made = await here.sql.begin((tx) =>
    createPersonTokenKey(
      { tx, house, actor: { id: "system:test" }, at, newId: house.newId } as never,
      { source: here.server.id, algorithm: "HS256", publicKey: null },
    ),
  );
  if (!made.ok) throw new Error("no key");
  const now = Math.floor(at.getTime() / 1000);
  return async (sub: string) => {
    const token = await new SignJWT({ sub, aud: "liuke", iat: now, exp: now + 600 })
      .setProtectedHeader({ alg: "HS256", kid: made.value.id })
      .sign(Buffer.from(made.value.secret!, "base64url"));
    return { headers: { authorization: `Bearer ${token}` } };
  };
}
async function send(here: Here, events: object[]) {
  const { body } = await here.ask("POST", "/v1/events", {
    headers: here.as.server,
    body: { events: events.map((one) => ({ key: String(n++), ...one })) },
  });
  expect(body["accepted"]).toBe(events.length);
  await settled(here);
}
type Mine = {
  fields: { field: string; value: string; source: string }[];
  attributes: { name: string; value: unknown; source: string }[];
  preferences: { category: string; own: boolean; times: number; bought: number }[];
  disliked: string[];
  tags: object[];
  consents: object[];
};
const ago = (here: Here, hours: number) =>
  new Date(here.clock.shop.getTime() - hours * hour).toISOString();

test("a person sees what they are drawn to, and their own word on it outweighs what they did", async () => {
  await using here = await opened();
  const me = await (await tokensOf(here))("u1");
  const look = (category: string, hours: number, name = "Product Viewed") => ({
    ...{ name, user: "u1", at: ago(here, hours), data: { sku: category, category } },
  });
  await send(here, [
    ...[1, 2, 3].map((hours) => look("Shoes", hours)),
    look("Bags", 4, "Product Added"),
    look("Hats", 24 * 90, "Product Added"),
    look("Nothing", 5, "Cart Viewed"),
  ]);
  const mine = async () => (await here.ask("GET", "/v1/me/profile", me)).body as unknown as Mine;
  const names = async () => (await mine()).preferences.map(({ category }) => category);
  // A product in the cart is four looks; 90 days later it is one.
  expect(await names()).toEqual(["Bags", "Shoes", "Hats"]);
  expect((await mine()).preferences[1]).toMatchObject({ times: 3, own: false });
  const say = (method: "PUT" | "DELETE", category: string, body?: object) =>
    here.ask(method, `/v1/me/profile/preferences/${encodeURIComponent(category)}`, { ...me, body });
  expect((await say("DELETE", "Bags")).status).toBe(200);
  expect((await say("PUT", "茶 / Tea", { word: "yes" })).status).toBe(200);
  await settled(here);
  await send(here, [look("Bags", 0, "Product Added")]);
  expect(await names()).toEqual(["茶 / Tea", "Shoes", "Hats"]);
  expect((await mine()).disliked).toEqual(["Bags"]);
  const known = await tagsOf(here, "u1");
  expect(known.attributes).toContainEqual(
    expect.objectContaining({ name: "top_category", value: "茶 / Tea", confidence: 1 }),
  );
  // A word said later: of two of one instant, their numbers decide.
  here.clock.shop = new Date(here.clock.shop.getTime() + 1000);
  await say("PUT", "Bags", { word: "none" });
  await settled(here);
  expect(await names()).toEqual(["茶 / Tea", "Bags", "Shoes", "Hats"]);
  expect((await say("PUT", "me@example.com", { word: "yes" })).body["code"]).toBe("people.unfit");

  // Worked out anew from the log it is the same; sums may differ in their last bits alone.
  const state = async () =>
    here.sql`select category, round(score::numeric, 9) as score, times, bought, last_at, last_id
      from traits_preference order by category`;
  const [before, profile] = [await state(), (await tagsOf(here, "u1")).attributes];
  expect(before).toHaveLength(3);
  const person = (await byIdentifier(here.house, here.sql, "user_id", "u1", here.server.id))!;
  await here.sql`update traits_preference set score = 0, times = 99`;
  await here.sql.begin((tx) => refold(here.house, tx, [person]));
  expect([...(await state())]).toEqual([...before]);
  expect((await tagsOf(here, "u1")).attributes).toEqual(profile);
});

test("a person sets their profile right; their word holds until the server says something newer", async () => {
  await using here = await opened();
  const tokenOf = await tokensOf(here);
  const [me, other] = [await tokenOf("u1"), await tokenOf("u2")];
  const identify = (user: string, hours: number, traits: object) => ({
    ...{ name: "identify", user, at: ago(here, hours), traits },
  });
  await send(here, [
    identify("u1", 10, { name: "Ann Lee", city: "Wuhan", email: "ann@example.com" }),
    identify("u2", 10, { name: "Ben", city: "Rome", email: "ben@example.com" }),
  ]);
  const mine = async (as = me) =>
    (await here.ask("GET", "/v1/me/profile", as)).body as unknown as Mine;
  const said = async (as = me) => {
    const { fields, attributes } = await mine(as);
    return Object.fromEntries([
      ...fields.map(({ field, value, source }) => [field, `${value} ${source}`]),
      ...attributes.map(({ name, value, source }) => [name, `${String(value)} ${source}`]),
    ]);
  };
  const before = await said(other);
  const correct = (body: object, as = me) => here.ask("PATCH", "/v1/me/profile", { ...as, body });
  expect((await correct({ name: "Ann Wang", city: "Xi'an", birth_month: 5 })).status).toBe(200);
  await settled(here);
  expect(await said()).toEqual({
    ...{ name: "Ann Wang self", city: "Xi'an self", birth_month: "5 self" },
    email: "ann@example.com identify",
  });
  // Dated before the correction, whenever it comes in, it changes nothing; what is newer does.
  await send(here, [identify("u1", 5, { name: "Ann Lee", city: "Wuhan" })]);
  expect((await said())["city"]).toBe("Xi'an self");
  here.clock.shop = new Date(here.clock.shop.getTime() + hour);
  await send(here, [identify("u1", 0, { city: "Chengdu" })]);
  expect(await said()).toMatchObject({ name: "Ann Wang self", city: "Chengdu identify" });

  // By what somebody is found, nobody sets right here; bad fields are named; a line of the log is the person's own.
  expect((await correct({ email: "ben@example.com", city: "Rome" })).body).toMatchObject({
    fields: ["email"],
  });
  expect((await correct({ phone: "13800138000" })).status).toBe(400);
  expect((await correct({ birth_month: 13 })).body).toMatchObject({ fields: ["birth_month"] });
  expect((await correct({ city: "call 13800138000" })).body).toMatchObject({
    ...{ code: "people.unfit", fields: ["city"] },
  });
  expect((await correct({})).status).toBe(400);
  expect(await said(other)).toEqual(before);
  expect(await here.sql`select from people_person`).toHaveLength(2);
  const log = await here.sql<{ sealed: Buffer; data: object; source: string }[]>`
    select e.sealed, e.data, s.name as source from collect_event e join collect_source s on s.id = e.source_id
    where s.name = 'self'`;
  expect(log).toHaveLength(1);
  expect(JSON.stringify(log[0]!.data)).not.toContain("Ann");

  // Another's token, and none of a person, show and move nothing.
  for (const method of ["PATCH", "PUT", "DELETE"] as const) {
    const path = method === "PATCH" ? "" : "/preferences/Shoes";
    const body =
      method === "PATCH" ? { city: "X" } : method === "PUT" ? { word: "yes" } : undefined;
    const asked = { headers: here.as.owner, body };
    expect((await here.ask(method, `/v1/me/profile${path}`, asked)).status).toBe(403);
  }
  await correct({ city: "Paris" }, other);
  await settled(here);
  expect((await said())["city"]).toBe("Chengdu identify");
  expect((await said(other))["city"]).toBe("Paris self");
});

test("which word on a person stands: their own before claims, orders and repeats, in whatever order they come in", async () => {
  await using here = await opened();
  const me = await (await tokensOf(here))("u1");
  const skin = {
    label: { zh: "肤质", en: "Skin" },
    type: "choice",
    options: ["dry", "oily"].map((value) => ({ value, label: { zh: value, en: value } })),
  };
  await here.ask("PUT", "/v1/attributes/skin", { ...as(here), body: skin });
  await settled(here);
  const identify = (hours: number, traits: object, key: string) => ({
    ...{ key, name: "identify", user: "u1", at: ago(here, hours), traits },
  });
  const later = () => (here.clock.shop = new Date(here.clock.shop.getTime() + hour));
  const said = async () => {
    const mine = (await here.ask("GET", "/v1/me/profile", me)).body as unknown as {
      fields: { field: string; value: string; from: { en: string }; confidence: number }[];
      attributes: { name: string; value: unknown; from: { en: string }; confidence: number }[];
    };
    for (const { confidence } of mine.fields) expect(confidence).toBe(1);
    return Object.fromEntries([
      ...mine.fields.map(({ field, value, from }) => [field, `${value}. ${from.en}`]),
      ...mine.attributes
        .filter(({ name }) => ["city", "country", "skin"].includes(name))
        .map(({ name, value, from }) => [name, `${String(value)}. ${from.en}`]),
    ]);
  };
  const correct = async (body: object) => {
    expect(await here.ask("PATCH", "/v1/me/profile", { ...me, body })).toMatchObject({
      status: 200,
    });
    await settled(here);
  };
  const word = (traits: object) => send(here, [identify(0, traits, `w${n++}`)]);
  await word({ name: "Ann Lee", city: "Wuhan", country: "CN", skin: "oily" });
  later();
  await correct({ name: "Ann Wang", city: "Xi'an", country: "JP", attributes: { skin: "dry" } });
  const own = {
    ...{ name: "Ann Wang. You told us", city: "Xi'an. You told us" },
    ...{ country: "JP. You told us", skin: "dry. You told us" },
  };
  expect(await said()).toEqual(own);
  // A page claims, the shop's server says what it said before, and an order goes somewhere else.
  later();
  const page = await here.ask("POST", "/v1/events", {
    headers: here.as.page,
    body: {
      events: [
        {
          key: "p1",
          name: "identify",
          anonymous: "v1",
          at: ago(here, 0),
          traits: { city: "Rome" },
        },
      ],
    },
  });
  expect(page.body["accepted"]).toBe(1);
  await send(here, [
    { key: "bind", name: "identify", user: "u1", anonymous: "v1", at: ago(here, 0), traits: {} },
  ]);
  await word({ name: "Ann Lee", city: "Wuhan", country: "CN", skin: "oily" });
  const line = {
    ...{ key: "o1", order: "o1", sku: "TEA", name: "Tea", quantity: 1, unitPrice: "1.00" },
    ...{ at: ago(here, 0), customer: "u1", country: "FR" },
  };
  await here.ask("POST", "/v1/orders/lines", { headers: here.as.server, body: { lines: [line] } });
  await settled(here);
  expect(await said()).toEqual(own);
  // Worked out anew from the log it is the same.
  const refolded = async () => {
    const person = (await byIdentifier(here.house, here.sql, "user_id", "u1", here.server.id))!;
    await here.sql.begin(async (tx) => {
      for (const one of refolders) await one(here.house, tx, [person]);
    });
    return said();
  };
  expect(await refolded()).toEqual(own);
  // What they take away is gone, and neither of the three brings it back; they can give another.
  later();
  await correct({ name: null, city: null, country: null, attributes: { skin: null } });
  later();
  await word({ name: "Ann Lee", city: "Wuhan", country: "CN", skin: "oily" });
  await here.ask("POST", "/v1/orders/lines", {
    headers: here.as.server,
    body: { lines: [{ ...line, key: "o2", order: "o2", at: ago(here, 0) }] },
  });
  await settled(here);
  expect(await said()).toEqual({});
  expect(await refolded()).toEqual({});
  const ann = await tagsOf(here, "u1");
  expect(ann.attributes.map(({ name }) => name)).not.toContain("city");
  // The shop has news of one of them: its word stands, and the others stay away.
  later();
  await word({ name: "Ann Lee", city: "Chengdu" });
  expect(await said()).toEqual({ city: "Chengdu. Given by the shop" });
  // A late word shows that what the shop said after the correction was news.
  await send(here, [identify(2.5, { country: "FR" }, "late")]);
  const end = { city: "Chengdu. Given by the shop", country: "CN. Given by the shop" };
  expect(await said()).toEqual(end);
  expect(await refolded()).toEqual(end);
  expect(
    (await here.ask("PATCH", "/v1/me/profile", { ...me, body: { attributes: { nothing: null } } }))
      .body,
  ).toMatchObject({ fields: ["attributes.nothing"] });
});

test("what somebody said of themselves goes along where they turn out to be another, and comes back", async () => {
  await using here = await opened();
  const tokenOf = await tokensOf(here);
  const [one, two] = [await tokenOf("u1"), await tokenOf("u2")];
  const later = () => (here.clock.shop = new Date(here.clock.shop.getTime() + hour));
  const identify = (user: string, traits: object) =>
    send(here, [{ name: "identify", user, at: ago(here, 0), traits }]);
  const all = async () => {
    for (let done = 1; done > 0;) {
      done = await here.work.merge();
      await settled(here);
    }
  };
  const said = async (as: object) => {
    const { fields, attributes } = (await here.ask("GET", "/v1/me/profile", as))
      .body as unknown as Mine;
    return Object.fromEntries([
      ...fields.map(({ field, value }) => [field, value]),
      ...attributes.map(({ name, value }) => [name, value]),
    ]);
  };
  await identify("u1", { name: "Ann Lee", city: "Wuhan" });
  later();
  const given = { name: "Ann Wang", city: null };
  await here.ask("PATCH", "/v1/me/profile", { ...one, body: given });
  await settled(here);
  later();
  await identify("u2", { name: "Ann Lee", city: "Wuhan", country: "CN" });
  const apart = [{ name: "Ann Wang" }, { name: "Ann Lee", city: "Wuhan", country: "CN" }];
  expect([await said(one), await said(two)]).toEqual(apart);
  const [ann, other] = await Promise.all(
    ["u1", "u2"].map((user) => byIdentifier(here.house, here.sql, "user_id", user, here.server.id)),
  );
  const path = `/v1/members/${ann!.personId}/merges`;
  const body = { other: other!.personId, reason: "the same at the counter" };
  expect((await here.ask("POST", path, { ...as(here), body })).status).toBe(200);
  await all();
  // The shop only repeats, under the other number, what it had said before the correction.
  const together = { name: "Ann Wang", country: "CN" };
  expect([await said(one), await said(two)]).toEqual([together, together]);
  const [{ id }] = (await here.ask("GET", path, as(here))).body["merges"] as [{ id: string }];
  const undo = { ...as(here), body: { reason: "two after all" } };
  expect((await here.ask("POST", `${path}/${id}/undo`, undo)).status).toBe(200);
  await all();
  expect([await said(one), await said(two)]).toEqual(apart);
});

test("of tags a person sees those that the shop shows, by their names", async () => {
  await using here = await opened();
  const me = await (await tokensOf(here))("u1");
  await here.ask("POST", "/v1/traits", { ...as(here), body: spent });
  await did(here, "u1", 60);
  const when = { attribute: "spent_day", is: "ge", value: 50 };
  for (const [tag, shown] of [
    ["spender", true],
    ["watched", false],
  ])
    await here.ask("PUT", `/v1/tags/${String(tag)}`, {
      ...as(here),
      body: { label: { zh: "常客", en: "Regular" }, shown, rules: [{ value: "yes", when }] },
    });
  await settled(here);
  expect((await tagsOf(here, "u1")).tags).toHaveLength(2);
  const { tags, attributes, consents } = (await here.ask("GET", "/v1/me/profile", me))
    .body as unknown as Mine;
  expect(tags).toMatchObject([{ tag: "spender", label: { en: "Regular" }, value: "yes" }]);
  // A trait that is not shown is not seen; the switch is no other figure, so nobody is gone through.
  expect(attributes).toEqual([]);
  const show = async (asked: boolean) => {
    const answer = await here.ask("POST", "/v1/traits", {
      ...as(here),
      body: { ...spent, shown: asked },
    });
    expect(answer.status).toBe(200);
    const list = (await here.ask("GET", "/v1/traits", as(here))).body["traits"];
    expect(list).toMatchObject([{ name: "spent_day", shown: asked, state: "ready" }]);
    return ((await here.ask("GET", "/v1/me/profile", me)).body as unknown as Mine).attributes;
  };
  expect(await show(true)).toMatchObject([
    { name: "spent_day", value: 60, source: "trait:spent_day", confidence: 1 },
  ]);
  expect(await show(false)).toEqual([]);
  expect(consents.length).toBeGreaterThan(3);
});

test("how somebody buys and shares is learned in the night and follows each order and share", async () => {
  await using here = await opened();
  const week = 7 * 24;
  const line = (user: string, i: number, unitPrice: string, hours: number) => ({
    ...{
      key: `${user}-${i}`,
      order: `${user}-${i}`,
      sku: "TEA",
      name: "Tea",
      quantity: 1,
      unitPrice,
    },
    ...{ at: ago(here, hours), customer: user },
  });
  const lines = [
    ...Array.from({ length: 12 }, (_, i) => line(`u${2 + (i % 2)}`, i, "10.00", 6 * week + i)),
    ...Array.from({ length: 6 }, (_, i) => line("u1", i, i < 5 ? "8.00" : "10.00", 6 * week + i)),
  ];
  const order = async (body: object[]) => {
    const answer = await here.ask("POST", "/v1/orders/lines", {
      headers: here.as.server,
      body: { lines: body },
    });
    expect(answer.body["accepted"]).toBe(body.length);
    await settled(here);
  };
  await order(lines);
  await send(here, [
    ...[1, 2, 3].map((i) => ({
      ...{ name: "Product Shared", user: "u2", at: ago(here, i), data: { sku: "TEA" } },
    })),
  ]);
  const levels = async (user: string) =>
    Object.fromEntries((await tagsOf(here, user)).tags.map(({ tag, value }) => [tag, value]));
  expect(await levels("u1")).toEqual({}); // nothing is learned yet
  await know(here.house);
  await settled(here);
  // Five of eighteen sales were reduced, and all of them were theirs.
  expect(await levels("u1")).toEqual({ price_sensitivity: "high", share_willingness: "medium" });
  expect(await levels("u2")).toEqual({ price_sensitivity: "low", share_willingness: "high" });
  const [sensitive] = (await tagsOf(here, "u1")).tags;
  expect(sensitive).toMatchObject({
    kind: "statistic",
    sentence: {
      zh: "近一年买过 6 件次有常价可比的商品，其中 5 件次低于常价 5% 以上，约为同样情况下其他客人的 1.91 倍。",
      en: "6 purchases in a year of goods with a usual price, 5 of them at least 5% below it, about 1.91 times what others do on the same occasions.",
    },
  });
  // Fifteen more at the usual price make them one like others: because of that order.
  await order(Array.from({ length: 15 }, (_, i) => line("u1", 10 + i, "10.00", 1)));
  expect((await levels("u1"))["price_sensitivity"]).toBe("medium");
  const log = await here.sql`
    select before, after, cause from people_tag_log where tag = 'price_sensitivity' and before = 'high'`;
  expect(log).toMatchObject([{ after: "medium" }]);
  expect(log[0]!["cause"]).not.toBeNull();
  await send(here, [
    ...[1, 2, 3, 4].map(() => ({
      ...{ name: "Cart Shared", user: "u1", at: ago(here, 0), data: {} },
    })),
  ]);
  expect((await levels("u1"))["share_willingness"]).toBe("high");
});

test("what the shop asks itself: a form fills it, segments ask it, the person sees and corrects it", async () => {
  await using here = await opened();
  const put = (name: string, body: object) =>
    here.ask("PUT", `/v1/attributes/${name}`, { ...as(here), body });
  const both = (text: string) => ({ zh: text, en: text });
  const skins = ["dry", "oily"].map((value) => ({ value, label: both(value) }));
  const skin = { label: { zh: "肤质", en: "Skin" }, type: "choice", options: skins };
  expect((await put("skin", skin)).status).toBe(200);
  for (const [name, type] of [
    ["children", "number"],
    ["due", "date"],
    ["pets", "truth"],
  ] as const)
    expect((await put(name, { label: both(name), type })).status).toBe(200);
  expect((await put("skin", { label: both("x"), type: "number" })).body["code"]).toBe(
    "traits.attribute_type",
  );
  expect((await put("city", { label: both("x"), type: "truth" })).body["code"]).toBe(
    "traits.name_taken",
  );
  expect((await put("tone", { label: both("x"), type: "choice" })).body).toMatchObject({
    fields: ["options"],
  });
  expect(
    (await here.ask("POST", "/v1/traits", { ...as(here), body: { ...spent, name: "skin" } })).body[
      "code"
    ],
  ).toBe("traits.name_taken");

  // A question that could not fill it is no question of that name.
  const field = (name: string, type: string, options: unknown[] = []) => ({
    ...{ name, type, options, label: both(name), required: false, sensitive: false },
  });
  const yesNo = ["yes", "no"].map((value) => ({ value, label: both(value) }));
  const form = (fields: unknown[]) => ({
    slug: "about-you",
    definition: {
      ...{ title: both("You"), intro: both("-"), thanks: both("Thanks"), perStep: 5 },
      ...{ fields, consents: [], doubleOptIn: false },
    },
  });
  const define = (fields: unknown[]) =>
    here.ask("POST", "/v1/forms", { ...as(here), body: form(fields) });
  const bald = { value: "bald", label: both("bald") };
  for (const wrong of [field("skin", "text"), field("skin", "choice", [...skins, bald])])
    expect((await define([wrong])).body).toMatchObject({ fields: ["fields.0.type"] });
  const made = await define([
    ...[field("skin", "choice", skins), field("children", "number"), field("due", "date")],
    field("pets", "choice", yesNo),
  ]);
  expect(made.status).toBe(200);
  await here.ask("POST", `/v1/forms/${String(made.body["id"])}/state`, {
    ...as(here),
    body: { state: "live", origins: [] },
  });
  const me = await (await tokensOf(here))("u1");
  const token = me.headers["authorization"]!.replace("Bearer ", "");
  const answers = { skin: "dry", children: "2", due: "2026-05-01", pets: "yes" };
  const answered = await here.ask("POST", "/v1/forms/about-you/answers", {
    body: { answers, personToken: token },
  });
  expect(answered.status).toBe(200);
  await settled(here);
  const mine = async () => {
    const { body } = await here.ask("GET", "/v1/me/profile", me);
    const { attributes, asked } = body as unknown as Mine & { asked: { name: string }[] };
    return { own: Object.fromEntries(attributes.map(({ name, value }) => [name, value])), asked };
  };
  const seen = await mine();
  expect(seen.own).toEqual({ skin: "dry", children: 2, due: "2026-05-01", pets: "yes" });
  expect(seen.asked.map(({ name }) => name)).toEqual(["children", "due", "pets", "skin"]);

  // Segments ask for it like for any other attribute, a date by its days too.
  const rule = {
    kind: "and",
    of: [
      { kind: "text", attribute: "skin", in: ["dry"] },
      { kind: "number", attribute: "children", is: "ge", value: 2 },
      { kind: "text", attribute: "pets", in: ["yes"] },
      { kind: "instant", attribute: "due", is: "from", at: "2026-04-01T00:00:00.000Z" },
    ],
  };
  const count = async () =>
    (await here.ask("POST", "/v1/segments/preview", { ...as(here), body: { rule } })).body[
      "people"
    ];
  expect(await count()).toBe(1);

  const correct = (attributes: object) =>
    here.ask("PATCH", "/v1/me/profile", { ...me, body: { attributes } });
  for (const [wrong, name] of [
    [{ skin: "bald" }, "skin"],
    [{ children: "two" }, "children"],
    [{ due: "2026-02-30" }, "due"],
    [{ orders: 9 }, "orders"],
  ] as const)
    expect((await correct(wrong)).body).toMatchObject({
      ...{ code: "people.unfit", fields: [`attributes.${name}`] },
    });
  here.clock.shop = new Date(here.clock.shop.getTime() + hour);
  expect((await correct({ skin: "oily", pets: false, due: "2026-06-02" })).status).toBe(200);
  await settled(here);
  expect((await mine()).own).toEqual({ skin: "oily", children: 2, due: "2026-06-02", pets: "no" });
  expect(await count()).toBe(0);
  const { attributes } = await tagsOf(here, "u1");
  expect(attributes.find(({ name }) => name === "skin")).toMatchObject({
    ...{ value: "oily", source: "self", label: { en: "Skin" }, choice: { en: "oily" } },
  });
});

test("what the shop's server says fills an attribute, before and after it is declared; deleted, it goes unless it is asked for", async () => {
  await using here = await opened();
  const both = (text: string) => ({ zh: text, en: text });
  const skins = ["dry", "oily"].map((value) => ({ value, label: both(value) }));
  const put = (name: string, body: object) =>
    here.ask("PUT", `/v1/attributes/${name}`, { ...as(here), body });
  const drop = (name: string) => here.ask("DELETE", `/v1/attributes/${name}`, as(here));
  const skin = { label: both("Skin"), type: "choice", options: skins };
  const told = (user: string, hours: number, traits: object) => ({
    ...{ name: "identify", user, at: ago(here, hours), traits },
  });
  const own = async (user: string) =>
    Object.fromEntries(
      (await tagsOf(here, user)).attributes.map(({ name, value }) => [name, value]),
    );
  await send(here, [
    told("u1", 9, { skinType: "dry", children: "2", due: "2026-05-01T00:00:00.000Z", pets: true }),
    told("u2", 8, { skin_type: "purple", children: "many", due: "2026-02-30", pets: "perhaps" }),
  ]);
  expect(await own("u1")).toEqual({});
  // How somebody is reached is sealed, whatever is declared under its name.
  for (const name of ["phone", "email", "mobile", "full_name"])
    expect((await put(name, { label: both("x"), type: "number" })).body["code"]).toBe(
      "traits.name_taken",
    );
  await put("skin_type", skin);
  for (const [name, type] of [
    ["children", "number"],
    ["due", "date"],
    ["pets", "truth"],
  ] as const)
    expect((await put(name, { label: both(name), type })).status).toBe(200);
  await settled(here);
  expect(await own("u1")).toEqual({
    ...{ skin_type: "dry", children: 2, due: "2026-05-01", pets: "yes" },
  });
  // What is no value of it is no word, and a page's word is none either.
  expect(await own("u2")).toEqual({});
  await send(here, [told("u2", 7, { skin_type: "oily", pets: "no" })]);
  expect(await own("u2")).toEqual({ skin_type: "oily", pets: "no" });
  const claim = { events: [{ ...told("u2", 1, { skin_type: "dry" }), key: "claim" }] };
  await here.ask("POST", "/v1/events", { headers: here.as.page, body: claim });
  await settled(here);
  expect((await own("u2"))["skin_type"]).toBe("oily");
  // Nothing of it stands in clear before it is declared, nor of what is none.
  const [clear] = await here.sql<{ n: number }[]>`
    select count(*)::int as n from collect_event where data::text like '%purple%' or data::text like '%perhaps%'`;
  expect(clear!.n).toBe(0);

  // An option that is no more goes out of the profiles; a new name alone changes nobody.
  await put("skin_type", { ...skin, options: skins.slice(0, 1) });
  await settled(here);
  expect([(await own("u1"))["skin_type"], (await own("u2"))["skin_type"]]).toEqual([
    "dry",
    undefined,
  ]);
  await put("skin_type", skin);
  await settled(here);
  expect((await own("u2"))["skin_type"]).toBe("oily");
  await put("skin_type", { ...skin, label: both("Skin type") });
  const list = async () =>
    (await here.ask("GET", "/v1/attributes", as(here))).body["attributes"] as {
      name: string;
      state: string;
      uses: Record<string, unknown[]>;
    }[];
  expect((await list()).find(({ name }) => name === "skin_type")).toMatchObject({
    ...{ state: "ready", done: 2, label: { en: "Skin type" } },
    uses: { segments: [], forms: [], traits: [] },
  });

  // A segment, a form and a trait ask for it: each is named, and it stays.
  const rule = { kind: "text", attribute: "skin_type", in: ["dry"] };
  const segment = await here.ask("POST", "/v1/segments", {
    ...as(here),
    body: { name: both("Dry skin"), purpose: "analysis", rule },
  });
  expect(segment.status).toBe(200);
  const question = { name: "skin_type", type: "choice", options: skins, label: both("Skin?") };
  const form = await here.ask("POST", "/v1/forms", {
    ...as(here),
    body: {
      slug: "skin",
      definition: {
        ...{ title: both("You"), intro: both("-"), thanks: both("Thanks"), perStep: 5 },
        fields: [{ ...question, required: false, sensitive: false }],
        ...{ consents: [], doubleOptIn: false },
      },
    },
  });
  expect(form.status).toBe(200);
  const asking = { ...spent, name: "last_skin", fn: "last", event: "identify", unit: undefined };
  const trait = { ...asking, property: "answers.skin_type", hours: null };
  expect((await here.ask("POST", "/v1/traits", { ...as(here), body: trait })).status).toBe(200);
  const refused = await drop("skin_type");
  expect(refused.body).toMatchObject({
    ...{ status: 409, code: "traits.attribute_used" },
    ...{ segments: [segment.body["id"]], forms: ["skin"], traits: ["last_skin"] },
  });
  expect((await list()).find(({ name }) => name === "skin_type")!.uses).toMatchObject({
    segments: [{ name: { en: "Dry skin" } }],
    forms: [{ slug: "skin", title: { en: "You" } }],
    traits: [{ name: "last_skin" }],
  });
  expect((await own("u1"))["skin_type"]).toBe("dry");

  // Nothing asks for it any more: it goes from everybody, and its name is free again, for another type too.
  const changed = await here.ask("POST", "/v1/segments", {
    ...as(here),
    body: {
      ...{ id: segment.body["id"], name: both("All"), purpose: "analysis" },
      rule: { kind: "everybody" },
    },
  });
  expect(changed.status).toBe(200);
  await here.ask("POST", `/v1/forms/${String(form.body["id"])}/state`, {
    ...as(here),
    body: { state: "closed", origins: [] },
  });
  await here.ask("DELETE", "/v1/traits/last_skin", as(here));
  expect((await drop("skin_type")).status).toBe(200);
  expect((await put("skin_type", skin)).body["code"]).toBe("traits.attribute_going");
  await send(here, [told("u2", 1, { skin_type: "dry" })]);
  expect([(await own("u1"))["skin_type"], (await own("u2"))["skin_type"]]).toEqual([
    ...[undefined, undefined],
  ]);
  expect((await own("u1"))["children"]).toBe(2);
  expect((await drop("skin_type")).body["code"]).toBe("traits.attribute_unknown");
  expect((await put("skin_type", { label: both("x"), type: "number" })).status).toBe(200);
});

test("what the shop calls traits, attributes and tags is what its rules are read as, and what they are offered as", async () => {
  await using here = await opened();
  const say = (zh: string, en: string) => ({ zh, en });
  await here.ask("POST", "/v1/traits", {
    ...as(here),
    body: { ...spent, label: say("一天花费", "Spent in a day"), unit: "元" },
  });
  await here.ask("PUT", "/v1/attributes/skin", {
    ...as(here),
    body: {
      ...{ label: say("肤质", "Skin type"), type: "choice" },
      options: [{ value: "dry", label: say("干性", "Dry") }],
    },
  });
  await here.ask("PUT", "/v1/attributes/pets", {
    ...as(here),
    body: { label: say("养宠物", "Has pets"), type: "truth" },
  });
  const tag = await here.ask("PUT", "/v1/tags/big", {
    ...as(here),
    body: {
      ...{ label: say("大客户", "Big spender"), shown: false },
      rules: [{ value: "gold", when: { attribute: "spent_day", is: "ge", value: 500 } }],
    },
  });
  expect(tag.status).toBe(200);
  await settled(here);
  const read = async (rule: object) => {
    const { body } = await here.ask("POST", "/v1/segments/preview", {
      ...as(here),
      body: { rule },
    });
    return body["sentence"];
  };
  expect(await read({ kind: "number", attribute: "spent_day", is: "ge", value: 50 })).toEqual({
    zh: "“一天花费”不低于 50 元的人。",
    en: "People whose “Spent in a day” is at least 50 元.",
  });
  expect(await read({ kind: "text", attribute: "skin", in: ["dry", "x"] })).toEqual({
    zh: "“肤质”为“干性”或“x”的人。",
    en: "People whose “Skin type” is “Dry” or “x”.",
  });
  expect(await read({ kind: "text", attribute: "pets", in: ["yes"] })).toEqual({
    zh: "“养宠物”为“是”的人。",
    en: "People whose “Has pets” is “yes”.",
  });
  expect(await read({ kind: "tag", tag: "big", in: ["gold"] })).toEqual({
    zh: "标签“大客户”为“gold”的人。",
    en: "People whose tag “Big spender” is “gold”.",
  });
  expect(await read({ kind: "known", attribute: "top_category" })).toEqual({
    zh: "最偏好的品类已知的人。",
    en: "People whose favourite category is known.",
  });
  // A company's own attribute of that name is another; of its people it is theirs again.
  await here.sql`
    insert into companies_company ${here.sql({
      ...{ id: here.house.newId(), sourceId: here.server.id, ref: "g1", seenAt: new Date(0) },
      profile: here.sql.json({ skin: { v: "dry" } }),
    })}`;
  const inCompany = { kind: "text", attribute: "skin", in: ["dry"] };
  expect(await read({ kind: "company", roles: [], fits: inCompany })).toMatchObject({
    zh: "所属公司属性“skin”为“dry”的人。",
  });

  // Declared is offered by its name, before anybody has it.
  const { body } = await here.ask("GET", "/v1/segments/suggestions", as(here));
  const offered = body as unknown as {
    attributes: { name: string; type: string; label: unknown; values: object[] }[];
    tags: { name: string; label: unknown }[];
  };
  expect(offered.attributes.find(({ name }) => name === "spent_day")).toEqual({
    ...{ name: "spent_day", type: "number", values: [] },
    label: say("一天花费", "Spent in a day"),
  });
  expect(offered.attributes.find(({ name }) => name === "skin")).toEqual({
    ...{ name: "skin", type: "text", label: say("肤质", "Skin type") },
    values: [{ value: "dry", label: say("干性", "Dry") }],
  });
  expect(offered.tags.find(({ name }) => name === "big")).toMatchObject({
    label: say("大客户", "Big spender"),
  });

  // A tag's changes say its name too.
  await did(here, "u1", 600);
  const { personId } = await tagsOf(here, "u1");
  const said = "Big spender: first seen as gold";
  const changes = async (path: string, list: string) =>
    ((await here.ask("GET", path, as(here))).body[list] as { sentence: { en: string } }[]).map(
      ({ sentence }) => sentence.en,
    );
  expect(await changes("/v1/tags/big", "changes")).toEqual([said]);
  expect(await changes(`/v1/members/${personId}/tags/big/history`, "changes")).toEqual([said]);
  expect(await changes(`/v1/members/${personId}/timeline`, "entries")).toContain(said);
});

test("how fast an interest fades is the shop's to say, and everybody is worked out again", async () => {
  await using here = await opened();
  const day = 24 * hour;
  const looked = (category: string, days: number) => ({
    ...{ name: "Product Viewed", user: "u1", data: { category } },
    at: new Date(here.clock.shop.getTime() - days * day).toISOString(),
  });
  await send(here, [
    ...[looked("Tea", 40), looked("Tea", 41), looked("Tea", 42)],
    ...[looked("Shoes", 1), looked("Shoes", 2)],
  ]);
  const top = async () =>
    (await tagsOf(here, "u1")).attributes.find(({ name }) => name === "top_category")?.["value"];
  expect(await top()).toBe("Shoes");
  const set = (halfLifeDays: number) =>
    here.ask("PUT", "/v1/preference", { ...as(here), body: { halfLifeDays } });
  expect((await set(6)).body).toMatchObject({ fields: ["halfLifeDays"] });
  expect((await set(366)).status).toBe(400);
  expect((await set(365)).status).toBe(200);
  await settled(here);
  expect(await top()).toBe("Tea");
  expect((await here.ask("GET", "/v1/preference", as(here))).body).toMatchObject({
    ...{ halfLifeDays: 365, least: 7, most: 365, state: "ready", done: 1 },
  });
  // What comes in afterwards is weighed alike.
  await send(here, [looked("Shoes", 3)]);
  expect(await top()).toBe("Shoes");
});
