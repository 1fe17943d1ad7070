import { gzipSync, brotliCompressSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import * as people from "#people/service.ts";
import {
  contents,
  sorted,
  keyFor,
  runClient,
  rejectedOf,
  shoppersOf,
  sourceOf,
  stage,
  stored,
  type Stage,
} from "../../test/clients/harness.ts";
import { folded } from "../../test/shop.ts";

const basic = (key: string) => ({ authorization: `Basic ${btoa(`${key}:`)}` });
const post = (at: Stage, path: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(`${at.url}${path}`, {
    method: "POST",
    headers,
    body:
      typeof body === "string" || body instanceof Uint8Array
        ? (body as string)
        : JSON.stringify(body),
  });
const event = (n: number, more: Record<string, unknown> = {}) => ({
  ...{ type: "track", event: "Shelf Seen", userId: "u1", messageId: `m${n}`, properties: { n } },
  ...more,
});
/** Milliseconds of the fastest of five: the machine may have other things to do. */
async function fastest(act: () => Promise<void>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    const started = performance.now();
    await act();
    times.push(performance.now() - started);
  }
  return Math.min(...times);
}
const settings = async (
  at: Stage,
  { id, owner }: { id: string; owner: Record<string, string> },
  change: object,
) => {
  const read = await at.ask("GET", `/v1/sources/${id}`, { headers: owner });
  const body = { settings: { ...(read.body["settings"] as object), ...change } };
  expect((await at.ask("PATCH", `/v1/sources/${id}`, { headers: owner, body })).status).toBe(200);
};

test("the key may stand wherever a client puts it, and names whose answers are given", async () => {
  await using at = await stage();
  const segment = await sourceOf(at, "segment");
  const rudder = await sourceOf(at, "rudderstack");
  const ok = async (path: string, body: unknown, headers = {}) => {
    const answer = await post(at, path, body, headers);
    return [answer.status, await answer.json()];
  };
  const { key } = segment;
  expect(await ok("/v1/batch", { batch: [event(1)] }, basic(key))).toEqual([
    200,
    { success: true },
  ]);
  expect(await ok("/v1/batch", { batch: [event(2)], writeKey: key })).toEqual([
    200,
    { success: true },
  ]);
  expect(await ok("/v1/t", event(3), { authorization: `Bearer ${key}` })).toEqual([
    200,
    { success: true },
  ]);
  expect(await ok(`/v1/track?writeKey=${key}`, event(4))).toEqual([200, { success: true }]);
  expect(await ok("/v1/batch", { batch: [event(1)] }, basic(rudder.key))).toEqual([200, "OK"]);
  expect(await stored(at, segment.id)).toHaveLength(4);
  // Another client's path is no place for this key; and it is said where an operator looks.
  expect((await post(at, "/e/", [{ ...event(5), api_key: key }])).status).toBe(403);
  const { body } = await at.ask("GET", "/v1/sources", { headers: segment.owner });
  const [seen] = (body["sources"] as { id: string; lastError: object; refused: number }[]).filter(
    ({ id }) => id === segment.id,
  );
  expect(seen).toMatchObject({ refused: 1, lastError: { reason: "other_protocol" } });
});

test("nothing of a request with an unknown or dead key is kept but a count", async () => {
  await using at = await stage();
  const source = await sourceOf(at, "segment");
  const body = { batch: [event(1, { properties: { note: "canary@example.com" } })] };
  expect((await post(at, "/v1/batch", body)).status).toBe(401);
  expect((await post(at, "/v1/batch", body, basic(`lk_${"x".repeat(43)}`))).status).toBe(401);
  await at.owner`update access_key set revoked_at = now() where source_id = ${source.id}`;
  expect((await post(at, "/v1/batch", body, basic(source.key))).status).toBe(401);
  // A key that may do everything, and is of no source, sends nothing.
  const all = await keyFor(at, null, ["events:write", "house:write"]);
  expect((await post(at, "/v1/batch", body, basic(all))).status).toBe(401);
  expect([...(await at.sql`select reason, requests::int from doors_unknown order by 1`)]).toEqual([
    { reason: "no_key", requests: 1 },
    { reason: "unknown_key", requests: 3 },
  ]);
  const [left] = await at.sql`
    select (select count(*)::int from collect_event) as events, (select count(*)::int from collect_rejected) as kept`;
  expect(left).toEqual({ events: 0, kept: 0 });
});

test("what is wrong with one event costs its neighbours nothing, and lies in the source's list", async () => {
  await using at = await stage();
  const source = await sourceOf(at, "segment");
  const batch = [
    event(1),
    event(2, { userId: undefined }),
    event(3, { event: "" }),
    event(4, { timestamp: "yesterday" }),
    event(5, { type: "nonsense" }),
    "no event",
    event(6, { properties: { text: "x".repeat(40_000) } }),
    event(7, { properties: { nul: "a\0b" } }),
    event(8),
  ];
  const answer = await post(at, "/v1/batch", { batch }, basic(source.key));
  expect([answer.status, await answer.json()]).toEqual([200, { success: true }]);
  expect((await stored(at, source.id)).map(({ data }) => data["n"]).toSorted()).toEqual([1, 8]);
  const list = await rejectedOf(at, source);
  expect(list.map(({ reason, field }) => `${reason} ${field}`).toSorted()).toEqual([
    "invalid ",
    "invalid event",
    "invalid properties.nul",
    "invalid timestamp",
    "invalid type",
    "no_sender userId",
    "too_large ",
  ]);
  const counts = await at.ask("GET", `/v1/sources/${source.id}`, { headers: source.owner });
  expect(counts.body["refused"]).toEqual([
    { reason: "invalid", count: 5 },
    { reason: "no_sender", count: 1 },
    { reason: "too_large", count: 1 },
  ]);
});

test("a body that cannot be read, is too large or explodes is refused as each client expects", async () => {
  await using at = await stage();
  const segment = await sourceOf(at, "segment");
  const rudder = await sourceOf(at, "rudderstack");
  const posthog = await sourceOf(at, "posthog");
  const status = async (path: string, body: unknown, key: string, headers = {}) =>
    (await post(at, path, body, { ...basic(key), ...headers })).status;
  expect(await status("/v1/batch", "{", segment.key)).toBe(400);
  const big = JSON.stringify({
    batch: Array.from({ length: 30 }, (_, n) =>
      event(n, { properties: { x: "y".repeat(20_000) } }),
    ),
  });
  expect(await status("/v1/batch", big, segment.key)).toBe(400);
  expect(await status("/v1/batch", big, rudder.key)).toBe(200);
  const bomb = gzipSync(Buffer.alloc(200 * 1024 * 1024, 32), { level: 9 });
  expect(bomb.length).toBeLessThan(250_000);
  const before = process.memoryUsage().rss;
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => status("/batch/", bomb, posthog.key)),
  );
  expect(answers).toEqual(Array.from({ length: 8 }, () => 413));
  expect(await status("/v1/batch", bomb, rudder.key)).toBe(413);
  expect(await status("/v1/batch", bomb, segment.key)).toBe(400);
  expect(process.memoryUsage().rss - before).toBeLessThan(500 * 1024 * 1024);
  // An honest batch that is pressed to a thirtieth passes.
  const honest = JSON.stringify({
    api_key: posthog.key,
    batch: Array.from({ length: 2000 }, (_, n) => ({
      event: "Shelf Seen",
      distinct_id: "u",
      uuid: `u${n}`,
      properties: { words: "the same words ".repeat(20) },
    })),
  });
  expect(honest.length / gzipSync(honest).length).toBeGreaterThan(29);
  expect(await status("/batch/", gzipSync(honest), posthog.key)).toBe(200);
  expect(await stored(at, posthog.id)).toHaveLength(2000);
  expect(
    await status(
      "/v1/batch",
      brotliCompressSync(JSON.stringify({ batch: [event(99)] })),
      segment.key,
      { "content-encoding": "br" },
    ),
  ).toBe(200);
});

test("a source's rate holds: 429 with Retry-After at once, and through again when the time has come", async () => {
  await using at = await stage();
  const source = await sourceOf(at, "segment", "server", { rate: { perSecond: 10, burst: 20 } });
  const send = (from: number) =>
    post(
      at,
      "/v1/batch",
      { batch: Array.from({ length: 20 }, (_, i) => event(from + i)) },
      basic(source.key),
    );
  expect((await send(0)).status).toBe(200);
  let held = await send(20);
  const took = await fastest(async () => void (held = await send(20)));
  expect(took).toBeLessThan(100);
  expect(held.status).toBe(429);
  const wait = Number(held.headers.get("retry-after"));
  expect(wait).toBeGreaterThan(0);
  expect(Number(held.headers.get("x-ratelimit-reset"))).toBeGreaterThan(Date.now() / 1000);
  await new Promise((resolve) => setTimeout(resolve, wait * 1000));
  expect((await send(20)).status).toBe(200);
  expect(await stored(at, source.id)).toHaveLength(40);
});

test("allowed origins: checked, told to browsers, and no other", async () => {
  await using at = await stage();
  const origins = ["https://shop.example"];
  const source = await sourceOf(at, "segment", "public", { origins });
  const send = (headers: Record<string, string>, n: number) =>
    post(at, "/v1/t", { ...event(n, { anonymousId: "a1" }), writeKey: source.key }, headers);
  const good = await send({ origin: "https://shop.example" }, 1);
  expect([good.status, good.headers.get("access-control-allow-origin")]).toEqual([
    200,
    "https://shop.example",
  ]);
  expect((await send({ referer: "https://shop.example/cart" }, 2)).status).toBe(200);
  const bad = await send({ origin: "https://evil.example" }, 3);
  expect([bad.status, bad.headers.get("access-control-allow-origin")]).toEqual([403, null]);
  expect((await send({}, 4)).status).toBe(403);
  const ask = (origin: string) =>
    fetch(`${at.url}/v1/batch`, {
      method: "OPTIONS",
      headers: { origin, "access-control-request-headers": "authorization, content-type" },
    });
  const may = await ask("https://shop.example");
  expect([may.status, may.headers.get("access-control-allow-headers")]).toEqual([
    204,
    "authorization, content-type",
  ]);
  expect((await ask("https://evil.example")).status).toBe(403);
  expect(await stored(at, source.id)).toHaveLength(2);
  // Our own API holds the same.
  const own = {
    events: [{ key: "1", name: "Shelf Seen", anonymous: "a1", at: new Date().toISOString() }],
  };
  const bearer = { authorization: `Bearer ${source.key}`, "content-type": "application/json" };
  expect(
    (await post(at, "/v1/events", own, { ...bearer, origin: "https://evil.example" })).status,
  ).toBe(403);
  expect(
    (await post(at, "/v1/events", own, { ...bearer, origin: "https://shop.example" })).status,
  ).toBe(200);
});

test("without the consent that a source needs nothing is kept but the count", async () => {
  await using at = await stage();
  const segment = await sourceOf(at, "segment", "server", { consent: "marketing" });
  const consent = (marketing: boolean) => ({
    context: { consent: { categoryPreferences: { marketing } } },
  });
  await post(
    at,
    "/v1/batch",
    { batch: [event(1), event(2, consent(false)), event(3, consent(true))] },
    basic(segment.key),
  );
  expect((await stored(at, segment.id)).map(({ data }) => data["n"])).toEqual([3]);
  expect(await rejectedOf(at, segment)).toEqual([]);
  const counts = await at.ask("GET", `/v1/sources/${segment.id}`, { headers: segment.owner });
  expect(counts.body["refused"]).toEqual([{ reason: "no_consent", count: 2 }]);
  const rudder = await sourceOf(at, "rudderstack", "server", { consent: "C1" });
  const managed = {
    context: {
      consentManagement: {
        provider: "oneTrust",
        allowedConsentIds: ["C1"],
        deniedConsentIds: ["C2"],
      },
    },
  };
  await post(at, "/v1/batch", { batch: [event(1, managed), event(2)] }, basic(rudder.key));
  expect(await stored(at, rudder.id)).toHaveLength(1);
});

test("a source that is switched off takes nothing, and says so in its client's words", async () => {
  await using at = await stage();
  for (const [protocol, status] of [
    ["segment", 403],
    ["rudderstack", 404],
  ] as const) {
    const source = await sourceOf(at, protocol);
    const off = { headers: source.owner, body: { disabled: true } };
    expect((await at.ask("PATCH", `/v1/sources/${source.id}`, off)).status).toBe(200);
    expect((await post(at, "/v1/batch", { batch: [event(1)] }, basic(source.key))).status).toBe(
      status,
    );
    expect(await stored(at, source.id)).toEqual([]);
  }
});

test("an address is cut before anything is sealed, in the list of what was refused too", async () => {
  await using at = await stage();
  const source = await sourceOf(at, "segment");
  const ip = "203.0.113.77";
  const send = (n: number, more = {}) =>
    post(
      at,
      "/v1/batch",
      {
        batch: [
          event(n, { context: { ip }, properties: { n, ip_address: ip, ...more } }),
          event(n + 50, { event: "", context: { ip } }),
        ],
      },
      basic(source.key),
    );
  await send(1);
  await settings(at, source, { ip: "drop" });
  await send(2);
  await settings(at, source, { ip: "keep" });
  await send(3);
  const rows = await stored(at, source.id);
  expect(rows.map(({ direct }) => [direct["context.ip"], direct["data.ip_address"]])).toEqual([
    ["203.0.113.0", "203.0.113.0"],
    [undefined, undefined],
    [ip, ip],
  ]);
  const kept = (await rejectedOf(at, source)).map(({ payload }) => payload);
  expect(kept.filter((payload) => payload.includes(ip))).toHaveLength(1);
});

/** A shop whose server and page share their numbers of people, and a shopper's token. */
async function shopAndPage(at: Stage) {
  const server = await sourceOf(at, "segment");
  const page = await sourceOf(at, "segment", "public", {}, server.id);
  const token = await shoppersOf(at, server.id);
  return { server, page, token };
}
const secretsNowhere = async (at: Stage, secrets: string[]) => {
  const tables = await at.owner<{ name: string }[]>`
    select table_name as name from information_schema.tables
    where table_schema = 'public' and table_type = 'BASE TABLE'`;
  for (const { name } of tables) {
    const [row] = await at.owner<{ text: string | null }[]>`
      select string_agg(to_jsonb(t)::text, '') as text from ${at.owner(name)} t`;
    for (const secret of secrets)
      expect(row?.text?.includes(secret) ?? false, `${secret} in ${name}`).toBe(false);
  }
};

test("a forged identify and another's token move nothing, and a right token links its own user; none is kept", async () => {
  await using at = await stage();
  const { server, page, token } = await shopAndPage(at);
  const victim = {
    type: "identify",
    userId: "victim",
    traits: { email: "victim@example.com", city: "Paris" },
  };
  await post(at, "/v1/batch", { batch: [{ ...victim, messageId: "v" }] }, basic(server.key));
  await folded(at.house);
  const find = (type: "user_id" | "email", value: string) =>
    people.byIdentifier(at.house, at.sql, type, value, server.id);
  const before = {
    person: await find("user_id", "victim"),
    email: await find("email", "victim@example.com"),
  };
  expect(before.person).not.toBeNull();

  const mine = await token("attacker");
  const claims = [
    { ...victim, anonymousId: "evil", messageId: "f1" },
    { ...victim, messageId: "f2" },
    { ...victim, anonymousId: "evil", messageId: "f3", context: { personToken: mine } },
    { type: "alias", userId: "victim", previousId: "evil", anonymousId: "evil", messageId: "f4" },
    {
      type: "track",
      event: "Order Completed",
      userId: "victim",
      anonymousId: "evil",
      messageId: "f5",
      properties: { order_id: "1", total: 1 },
    },
    {
      type: "track",
      event: "",
      userId: "victim",
      anonymousId: "evil",
      messageId: "f6",
      context: { personToken: mine },
    },
  ];
  const answer = await post(at, "/v1/b", { batch: claims, writeKey: page.key });
  expect([answer.status, await answer.json()]).toEqual([200, { success: true }]);
  await folded(at.house);
  const rows = await stored(at, page.id);
  expect(rows).toHaveLength(5);
  for (const row of rows) {
    expect(row.links).toEqual([]);
    expect(row.sender).toMatch(/^anonymous_id:/);
  }
  expect({
    person: await find("user_id", "victim"),
    email: await find("email", "victim@example.com"),
  }).toEqual(before);

  const good = await token("shopper");
  await post(at, "/v1/i", {
    type: "identify",
    userId: "shopper",
    anonymousId: "own",
    messageId: "g",
    traits: { city: "Rome" },
    context: { personToken: good },
    writeKey: page.key,
  });
  const [linked] = (await stored(at, page.id)).filter(({ sender }) => sender === "user_id:shopper");
  expect(linked).toMatchObject({ links: ["anonymous_id:own"] });
  expect(JSON.stringify(linked)).not.toContain(good);
  // Neither in clear anywhere, nor in what was sealed of the refused one.
  await secretsNowhere(at, [good, mine, mine.slice(-40)]);
  const refused = await rejectedOf(at, page);
  expect(refused).toHaveLength(1);
  expect(refused[0]!.payload).not.toContain(mine);
  expect(refused[0]!.payload).toContain("victim");
});

test("PostHog: the visitor before identify, the user after, an alias, and traits said in passing", async () => {
  await using at = await stage();
  const page = await sourceOf(at, "posthog", "public");
  const server = await sourceOf(at, "posthog");
  const visitor = "0190b0a0-0000-7000-8000-000000000001";
  const of = (event: string, id: string, properties: object, uuid: string) => ({
    event,
    distinct_id: id,
    uuid,
    properties: { $device_id: visitor, ...properties },
  });
  await post(
    at,
    "/e/",
    gzipSync(
      JSON.stringify([
        {
          ...of("Shelf Seen", visitor, { $is_identified: false, token: page.key, n: 1 }, "1"),
          offset: 3000,
        },
        of(
          "$identify",
          "u1",
          { $anon_distinct_id: visitor, $set: { city: "Rome" }, $set_once: { city: "Paris" } },
          "2",
        ),
        of("Shelf Seen", "u1", { $is_identified: true, $set: { language: "it" }, n: 2 }, "3"),
      ]),
    ),
    { "content-type": "text/plain" },
  );
  const rows = await stored(at, page.id);
  expect(rows).toHaveLength(4);
  expect(new Set(rows.map(({ sender }) => sender))).toEqual(new Set([`anonymous_id:${visitor}`]));
  expect(Date.now() - rows[0]!.at.getTime()).toBeGreaterThan(2900);
  expect(
    rows
      .map((row) => [
        row.name,
        contents(row)["traits.city"] ?? contents(row)["traits.language"] ?? "",
      ])
      .toSorted(),
  ).toEqual([
    ["Shelf Seen", ""],
    ["Shelf Seen", ""],
    ["identify", "Rome"],
    ["identify", "it"],
  ]);
  await post(at, "/batch/", {
    api_key: server.key,
    batch: [of("$create_alias", "u1", { alias: "old" }, "4"), of("Shelf Seen", visitor, {}, "5")],
  });
  expect(
    (await stored(at, server.id)).map(({ sender, links }) => [sender, ...links]).toSorted(),
  ).toEqual([
    [`anonymous_id:${visitor}`],
    ["user_id:u1", `anonymous_id:${visitor}`, "anonymous_id:old", "user_id:old"],
  ]);
});

test("RudderStack: merge, pixel, beacon, import", async () => {
  await using at = await stage();
  const source = await sourceOf(at, "rudderstack");
  const { key, id } = source;
  await post(
    at,
    "/v1/merge",
    {
      messageId: "1",
      mergeProperties: [
        { type: "anonymous_id", value: "a1" },
        { type: "user_id", value: "u1" },
      ],
    },
    basic(key),
  );
  expect(
    (
      await fetch(
        `${at.url}/pixel/v1/track?writeKey=${key}&event=Seen&anonymousId=a1&properties.sku=S1&messageId=2`,
      )
    ).status,
  ).toBe(200);
  await post(at, `/beacon/v1/batch?writeKey=${key}`, { batch: [event(3)] });
  await post(
    at,
    "/v1/import",
    { batch: [event(4, { timestamp: "2020-01-01T00:00:00Z" })] },
    basic(key),
  );
  const rows = await stored(at, id);
  expect(rows.map(({ name }) => name).toSorted()).toEqual([
    "Seen",
    "Shelf Seen",
    "Shelf Seen",
    "alias",
  ]);
  expect(rows.find(({ name }) => name === "alias")).toMatchObject({
    sender: "user_id:u1",
    links: ["anonymous_id:a1"],
  });
  expect(rows.find(({ name }) => name === "Seen")!.data).toMatchObject({ sku: "S1" });
  expect(rows[0]).toMatchObject({ at: new Date("2020-01-01T00:00:00Z"), flags: 8 });
});

test("the list of what was refused takes 10,000 of a day, and counts the rest", async () => {
  await using at = await stage();
  const source = await sourceOf(at, "segment");
  const send = async (from: number, count: number) => {
    const batch = Array.from({ length: count }, (_, n) => ({ type: "track", messageId: from + n }));
    expect((await post(at, "/v1/batch", { batch }, basic(source.key))).status).toBe(200);
  };
  for (let n = 0; n < 5; n++) await send(n * 2400, 2400);
  await send(0, 100); // the same again is the same, and in the list already
  const list = async () =>
    (await at.ask("GET", `/v1/rejected?source=${source.id}`, { headers: source.owner })).body;
  expect(await list()).toMatchObject({ total: 10_000, beyond: 2000 });
  const { body } = await at.ask("GET", "/v1/sources", { headers: source.owner });
  expect(body["sources"]).toMatchObject([{ refused: 12_100, rejected: 10_000, beyond: 2000 }]);
}, 60_000);

test("the list of what was refused takes 100 MiB of a day, and counts the rest", async () => {
  await using at = await stage();
  const source = await sourceOf(at, "rudderstack");
  const bytes = 3_900_000;
  const item = (n: number) => ({ type: "track", messageId: n, words: "x".repeat(bytes - 60) });
  for (let n = 0; n < 30; n++) await post(at, "/v1/batch", { batch: [item(n)] }, basic(source.key));
  const most = Math.floor((100 * 1024 * 1024) / Buffer.byteLength(JSON.stringify(item(10))));
  const { body } = await at.ask("GET", `/v1/rejected?source=${source.id}`, {
    headers: source.owner,
  });
  expect(most).toBe(26);
  expect(body).toMatchObject({ total: most, beyond: 30 - most });
  const [kept] = await at.sql<{ bytes: bigint; stored: number }[]>`
    select bytes, (select sum(length(sealed))::int from collect_rejected) as stored from collect_kept`;
  expect(Number(kept!.bytes)).toBeLessThanOrEqual(100 * 1024 * 1024);
  expect(kept!.stored).toBeGreaterThan(most * (bytes - 100));
}, 120_000);

test("while the database is away a door says so at once, to be tried again", async () => {
  await using at = await stage();
  const source = await sourceOf(at, "segment");
  const away = Object.assign(new Error("away"), { code: "57P03" });
  at.house.sql = new Proxy(at.house.sql, {
    apply: () => Promise.reject(away),
    get: (target, name) =>
      name === "begin" ? () => Promise.reject(away) : Reflect.get(target, name),
  });
  const took = await fastest(async () => {
    const answer = await post(at, "/v1/batch", { batch: [event(1)] }, basic(source.key));
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "2"]);
  });
  expect(took).toBeLessThan(100);
});

test("whatever is sent through any door with a right key, nothing breaks", async () => {
  await using at = await stage();
  const doors = [
    ["segment", "/v1/batch", (body: unknown) => ({ batch: [body, body] })],
    ["segment", "/v1/identify", (body: unknown) => body],
    ["rudderstack", "/v1/merge", (body: unknown) => ({ mergeProperties: body })],
    [
      "posthog",
      "/e/",
      (body: unknown) => [{ event: "x", distinct_id: "a", properties: body }, body],
    ],
    [
      "snowplow",
      "/com.snowplowanalytics.snowplow/tp2",
      (body: unknown) => ({
        schema: "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4",
        data: [body, { e: "ue", uid: "u", ue_px: body, cx: body }],
      }),
    ],
    [
      "sensors",
      "/sa",
      (body: unknown) => [body, { type: "track", distinct_id: "a", event: "x", properties: body }],
    ],
    ["cloudevents", "/v1/cloudevents", (body: unknown) => body],
  ] as const;
  for (const [protocol, path, wrap] of doors) {
    const source = await sourceOf(at, protocol);
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), fc.jsonValue(), async (one, other) => {
        const given = wrap(
          fc.stringify(one).length % 2
            ? { ...event(1), properties: one, traits: other, context: one, timestamp: other }
            : one,
        );
        const form = `data_list=${encodeURIComponent(Buffer.from(JSON.stringify(given)).toString("base64"))}`;
        const answer = await post(at, path, protocol === "sensors" ? form : given, {
          ...basic(source.key),
          "content-type":
            protocol === "cloudevents" ? "application/cloudevents+json" : "application/json",
        });
        expect([200, 400, 413]).toContain(answer.status);
      }),
      { numRuns: 60 },
    );
  }
}, 120_000);

test("CloudEvents in headers: data of any kind are kept, and half of them are none", async () => {
  await using at = await stage();
  const source = await sourceOf(at, "cloudevents");
  const send = (id: string, body: string | Uint8Array, type: string | null) =>
    fetch(`${at.url}/v1/cloudevents`, {
      method: "POST",
      headers: {
        ...{ authorization: `Bearer ${source.key}`, "ce-specversion": "1.0", "ce-id": id },
        ...{ "ce-source": "/till", "ce-type": "Receipt Printed", "ce-userid": "u1" },
        ...(type === null ? {} : { "content-type": type }),
      },
      // Without a type of their own, bytes have none.
      body: (type === null ? Buffer.from(body) : body) as never,
    });
  expect((await send("json", '{"n":1}', "application/json; charset=utf-8")).status).toBe(200);
  expect((await send("own json", '{"n":1}', "application/vnd.shop+json")).status).toBe(200);
  expect((await send("untyped", '{"n":1}', null)).status).toBe(200);
  expect((await send("page's", '{"n":1}', "text/plain;charset=UTF-8")).status).toBe(200);
  expect((await send("text", "zwei Brötchen", "text/plain; charset=utf-8")).status).toBe(200);
  expect((await send("bytes", Buffer.from([0, 255, 7]), "image/png")).status).toBe(200);
  expect((await send("half", '{"n":1,"sk', "application/json")).status).toBe(400);
  expect((await send("half", '{"n":1,"sku":"S1"}', "application/json")).status).toBe(200);
  const all = (await stored(at, source.id)).map((row) => contents(row));
  expect(all.map(sorted).toSorted()).toEqual(
    [
      ...Array.from({ length: 4 }, () => ({ n: "1" })),
      { value: "zwei Brötchen" },
      { data_base64: "AP8H" },
      { n: "1", sku: "S1" },
    ]
      .map(sorted)
      .toSorted(),
  );
});

test("Segment: what a batch says of itself holds for its events, and further ids are links", async () => {
  await using at = await stage();
  const source = await sourceOf(at, "segment");
  const body = {
    context: { locale: "de-DE" },
    integrations: { All: true },
    batch: [
      event(1),
      event(2, { context: { locale: "it-IT" }, integrations: { Mixpanel: false } }),
      event(3, {
        anonymousId: "a1",
        context: {
          device: { id: "D-1" },
          externalIds: [
            { id: "o-1", type: "openid", collection: "users", encoding: "none" },
            { id: "X-1", type: "loyalty_card", collection: "users", encoding: "none" },
          ],
        },
      }),
    ],
  };
  expect((await post(at, "/v1/batch", body, basic(source.key))).status).toBe(200);
  const rows = (await stored(at, source.id)).toSorted(
    (a, b) => Number(a.data["n"]) - Number(b.data["n"]),
  );
  const circumstances = rows.map(({ data }) => data["$context"] as Record<string, unknown>);
  expect(circumstances).toMatchObject([
    { locale: "de-DE", integrations: { All: true } },
    { locale: "it-IT", integrations: { All: true, Mixpanel: false } },
    { locale: "de-DE", integrations: { All: true } },
  ]);
  expect(rows[2]!.links).toEqual([
    "anonymous_id:a1",
    "device:D-1",
    "external:loyalty_card:X-1",
    "openid:o-1",
  ]);
});

test("what a batch says of itself and cannot be held is left out, counted, and costs no event", async () => {
  await using at = await stage();
  const source = await sourceOf(at, "segment");
  const deep = `${"[".repeat(100)}${"]".repeat(100)}`;
  const batch = JSON.stringify([event(1), event(2, { event: "" }), event(3)]);
  const odd = String.raw`{"locale":"de-DE","app":{"name":"a\u0000b"},"os":"\ud83d","big":12345678901234567890123,"deep":${deep}}`;
  const text = `{"context":${odd},"integrations":{"All":"${"x".repeat(20_000)}"},"batch":${batch}}`;
  const answer = await fetch(`${at.url}/v1/batch`, {
    method: "POST",
    headers: basic(source.key),
    body: text,
  });
  expect(answer.status).toBe(200);
  const rows = await stored(at, source.id);
  expect(rows.map(({ data }) => data["$context"])).toEqual([
    { locale: "de-DE" },
    { locale: "de-DE" },
  ]);
  const shown = await at.ask("GET", `/v1/sources/${source.id}`, { headers: source.owner });
  const counts = (shown.body["refused"] as { reason: string; count: number }[]).map(
    ({ reason, count }) => [reason, Number(count)],
  );
  // app, os, big, deep; and what all integrations are told is larger than may come to each event.
  expect(Object.fromEntries(counts)).toEqual({ shared: 5, invalid: 1 });
  // Whatever else a body says beside its events is not kept, and costs nothing.
  const beside = await fetch(`${at.url}/v1/batch`, {
    method: "POST",
    headers: basic(source.key),
    body: String.raw`{"extra":"\ud83d","context":"none","batch":[${JSON.stringify(event(4))}]}`,
  });
  expect(beside.status).toBe(200);
  expect(await stored(at, source.id)).toHaveLength(3);
});

test("Jitsu's client says from a server what it says from a page, on a path of its own", async () => {
  await using at = await stage();
  const source = await sourceOf(at, "jitsu");
  await runClient("jitsu.mjs", { url: at.url, key: source.key, s2s: true, count: 24 });
  expect(new Set(at.seen.map(({ path }) => path.slice(0, 11)))).toEqual(new Set(["/api/s/s2s/"]));
  expect(at.seen.every(({ status }) => status === 200)).toBe(true);
  expect(await stored(at, source.id)).toHaveLength(24);
});
