// The further ways by which clients of several years bring their events: in an address, in a form, in a form in base64,
// on paths with and without a stroke at the end; and the answers that a picture or a developer waits for.
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { contents, rejectedOf, sourceOf, stage, stored, type Stage } from "./harness.ts";

const form = { "content-type": "application/x-www-form-urlencoded" };
const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64");
const pressed = (value: unknown) => gzipSync(JSON.stringify(value)).toString("base64");
const post = (at: Stage, path: string, body: string | Uint8Array, headers = {}) =>
  fetch(`${at.url}${path}`, { method: "POST", headers, body: body as string });

test("Snowplow: a tracker that GETs its pixel, each event in an address", async () => {
  await using at = await stage();
  const source = await sourceOf(at, "snowplow");
  const entity = (name: string, data: object) => ({
    schema: `iglu:com.acme/${name}/jsonschema/1-0-0`,
    data,
  });
  const event = {
    e: "ue",
    p: "web",
    uid: "u1",
    duid: "v1",
    dtm: String(Date.now() - 3_600_000 - 5000),
    stm: String(Date.now() - 3_600_000), // an hour slow
    ue_px: Buffer.from(
      JSON.stringify({
        schema: "iglu:x/unstruct_event/jsonschema/1-0-0",
        data: entity("seen", { sku: "货 1", price: 2.5 }),
      }),
    ).toString("base64url"),
    cx: Buffer.from(
      JSON.stringify({
        schema: "iglu:x/contexts/jsonschema/1-0-1",
        data: [entity("shelf", { n: 1 })],
      }),
    ).toString("base64url"),
  };
  const get = (path: string, fields: Record<string, string>) =>
    fetch(`${at.url}${path}?${new URLSearchParams(fields)}`);
  const answer = await get("/i", { ...event, eid: "1", aid: source.key });
  expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "image/gif"]);
  expect((await answer.arrayBuffer()).byteLength).toBeGreaterThan(20);
  expect((await get(`/s/${source.key}/i`, { ...event, eid: "2", aid: "shop" })).status).toBe(200);
  // The same again counts once; what cannot be held is refused and in the list; nobody's key keeps nothing.
  await get("/i", { ...event, eid: "1", aid: source.key });
  expect((await get("/i", { ...event, eid: "3", se_ac: "a\0b", aid: source.key })).status).toBe(
    200,
  );
  expect((await get("/i", { ...event, eid: "4", aid: "lk_nobody_nobody_nobody" })).status).toBe(
    401,
  );
  const rows = await stored(at, source.id);
  expect(rows.map((row) => [row.name, row.sender, row.links, contents(row)])).toEqual(
    [1, 2].map(() => ["seen", "user_id:u1", ["anonymous_id:v1"], { sku: "货 1", price: "2.5" }]),
  );
  for (const { at: when } of rows)
    expect(Math.abs(when.getTime() - (Date.now() - 5000))).toBeLessThan(10_000);
  expect((await rejectedOf(at, source)).map(({ reason, field }) => [reason, field])).toEqual([
    ["invalid", "se_ac"],
  ]);
});

test("神策: forms with one event or many, compressed or not, and the address of a picture", async () => {
  await using at = await stage();
  const source = await sourceOf(at, "sensors");
  let n = 0;
  const event = () => ({
    ...{ type: "track", event: "看了", distinct_id: "u1", _track_id: ++n, time: Date.now() },
    properties: { n, words: "？？>>>~~~ÿÿ" }, // its base64 holds "+" and "/"
  });
  const path = `/sa?project=${source.key}`;
  const forms: [string, string][] = [
    [path, `data_list=${encodeURIComponent(pressed([event(), event()]))}&gzip=1`],
    [path, `gzip=0&data_list=${encodeURIComponent(base64([event(), event()]))}`],
    [path, `data=${encodeURIComponent(pressed(event()))}&gzip=1`],
    [path, `data=${encodeURIComponent(base64(event()))}&ext=crc%3D-12345`],
    [path, `crc=-12345&data=${base64(event())}`], // "+" as it stands
    [`/sa.gif?project=${source.key}`, `data=${encodeURIComponent(base64(event()))}`],
  ];
  for (const [to, body] of forms) expect((await post(at, to, body, form)).status).toBe(200);
  for (const to of ["/sa.gif", "/sa"]) {
    const asked = new URLSearchParams({ token: source.key, data: base64(event()), ext: "crc=1" });
    const answer = await fetch(`${at.url}${to}?${asked}`);
    expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "image/gif"]);
  }
  const rows = await stored(at, source.id);
  expect(rows.map(({ data }) => Number(data["n"])).toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: n }, (_, i) => i + 1),
  );
  expect(await rejectedOf(at, source)).toEqual([]);
});

test("神策: its debug mode says at once what is wrong, and stores nothing where it only asks", async () => {
  await using at = await stage();
  const source = await sourceOf(at, "sensors");
  const good = { type: "track", event: "看了", distinct_id: "u1", _track_id: 1, time: Date.now() };
  const bad = { ...good, _track_id: 2, time: "yesterday" };
  const send = (events: object[], headers: Record<string, string> = {}) =>
    post(
      at,
      `/debug?project=${source.key}`,
      `data_list=${encodeURIComponent(base64(events))}&gzip=0`,
      {
        ...form,
        ...headers,
      },
    );
  const dry = { "dry-run": "true" };
  expect((await send([good], dry)).status).toBe(200);
  const told = await send([good, bad], dry);
  expect([told.status, await told.json()]).toMatchObject([400, { fields: ["time"] }]);
  expect([(await stored(at, source.id)).length, await rejectedOf(at, source)]).toEqual([0, []]);
  expect((await send([good, bad])).status).toBe(400);
  expect((await stored(at, source.id)).length).toBe(1);
  expect((await rejectedOf(at, source)).map(({ field }) => field)).toEqual(["time"]);
});

test("PostHog: every path and wrapping of its clients of several years", async () => {
  await using at = await stage();
  const source = await sourceOf(at, "posthog");
  const { key } = source;
  let n = 0;
  const event = () => ({
    event: "Seen",
    distinct_id: "u1",
    uuid: `id-${++n}`,
    properties: { n, token: key },
  });
  const ok = async (answer: Promise<Response>) => expect((await answer).status).toBe(200);
  for (const path of ["/capture", "/batch", "/e", "/i/v0/e", "/track"].flatMap((one) => [
    one,
    `${one}/`,
  ])) {
    await ok(post(at, path, JSON.stringify({ api_key: key, ...event() })));
    await ok(
      post(
        at,
        `${path}?compression=gzip-js&ip=1&_=1`,
        gzipSync(JSON.stringify([event(), event()])),
      ),
    );
    await ok(post(at, path, `data=${encodeURIComponent(base64([event()]))}`, form));
    await ok(
      post(at, path, `compression=base64&data=${encodeURIComponent(base64(event()))}`, form),
    );
    await ok(post(at, path, `data=${encodeURIComponent(pressed(event()))}&compression=gzip`, form));
    await ok(fetch(`${at.url}${path}?${new URLSearchParams({ data: base64(event()), ip: "1" })}`));
  }
  const rows = await stored(at, source.id);
  expect(rows.map(({ data }) => Number(data["n"])).toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: n }, (_, i) => i + 1),
  );
  // "people.set" of its older pages.
  const said = { $set: { city: "上海" }, $token: key, $distinct_id: "u1" };
  await ok(post(at, "/engage/", `data=${encodeURIComponent(base64(said))}`, form));
  const [who] = (await stored(at, source.id)).filter(({ name }) => name === "identify");
  expect([who?.sender, contents(who!)]).toEqual(["user_id:u1", { "traits.city": "上海" }]);
  // Flags: there are none, and that is an answer.
  for (const path of ["/flags", "/flags/?v=2", "/decide", "/decide/?v=3"])
    expect(await (await post(at, path, JSON.stringify({ token: key }))).json()).toMatchObject({
      featureFlags: {},
      supportedCompression: ["gzip", "gzip-js"],
    });
  // A batch that is none names no source, and hurts nobody.
  for (const batch of [5, {}, "x", true, null]) {
    expect((await post(at, "/batch/", JSON.stringify({ api_key: key, batch }))).status).toBe(400);
    expect((await post(at, "/batch/", JSON.stringify({ batch }))).status).toBe(401);
  }
});

test("a client whose word of when it sent is nonsense is heard all the same", async () => {
  await using at = await stage();
  const source = await sourceOf(at, "segment");
  const nonsense = [
    1e300,
    -1e300,
    8.64e15,
    "-200000-01-01T00:00:00Z",
    "+200000-01-01T00:00:00Z",
    "soon",
    {},
    true,
  ];
  for (const [i, sentAt] of nonsense.entries()) {
    const own = {
      type: "track",
      userId: "u1",
      event: "Shelf Seen",
      timestamp: new Date().toISOString(),
    };
    const batch = [
      { ...own, messageId: `a${i}` },
      { ...own, messageId: `b${i}`, event: "" }, // refused, with when it was sent
    ];
    const answer = await post(
      at,
      "/v1/batch",
      JSON.stringify({ batch, sentAt, writeKey: source.key }),
    );
    expect([sentAt, answer.status]).toEqual([sentAt, 200]);
  }
  expect((await stored(at, source.id)).length).toBe(nonsense.length);
});
