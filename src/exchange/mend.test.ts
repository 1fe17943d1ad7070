import { expect, test } from "vitest";
import type { Protocol } from "#collect/rules.ts";
import { permissions } from "#access/rules.ts";
import { keyFor, sourceOf, stage, stored, type Stage } from "../../test/clients/harness.ts";
import { mendMany } from "./mend.ts";

type Item = Record<string, unknown>;
type Source = Awaited<ReturnType<typeof sourceOf>>;
const basic = (key: string) => ({ authorization: `Basic ${btoa(`${key}:`)}` });
const json = { "content-type": "application/json" };
const time = "2026-02-28T10:00:00.000Z";
const products = [{ product_id: "S1", price: 20, quantity: 2 }];
const order = (total: unknown) => ({ order_id: "A1", total, currency: "CNY", products });

/** A client's way to send items, one seen thing and one order, and where each says its time and its total. */
type Client = {
  send: (items: Item[]) => { path: string; body: string; headers?: Record<string, string> };
  seen: (at: unknown) => Item;
  bought: (total: unknown) => Item;
  at: string;
  total: string;
  single?: true;
};
const batch = (path: string): Client => ({
  send: (items) => ({ path, body: JSON.stringify({ batch: items }) }),
  seen: (timestamp) => ({
    ...{ type: "track", event: "Shelf Seen", userId: "u1", anonymousId: "a1", messageId: "m1" },
    ...{ timestamp, properties: { n: 1 }, context: { page: { url: "https://shop.example/x" } } },
  }),
  bought: (total) => ({
    ...{ type: "track", event: "Order Completed", userId: "u1", messageId: "m2", timestamp: time },
    properties: order(total),
  }),
  at: "timestamp",
  total: "properties.total",
});
const iglu = (name: string, data: unknown) => ({
  schema: "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0",
  data: { schema: `iglu:com.acme/${name}/jsonschema/1-0-0`, data },
});
const clients: Partial<Record<Protocol, Client>> = {
  segment: batch("/v1/batch"),
  customerio: batch("/v1/batch"),
  rudderstack: batch("/v1/batch"),
  // One in each request, and the path says what it is.
  jitsu: {
    ...batch(""),
    single: true,
    send: ([item]) => {
      return { path: "/api/s/track", body: JSON.stringify({ ...item, type: undefined }) };
    },
  },
  dittofeed: batch("/api/public/apps/batch"),
  posthog: {
    send: (items) => ({ path: "/batch/", body: JSON.stringify({ batch: items }) }),
    seen: (timestamp) => ({
      ...{ event: "Shelf Seen", distinct_id: "u1", uuid: "m1", timestamp },
      properties: { n: 1, $lib: "node", $set: { city: "上海" } },
    }),
    bought: (total) => ({
      ...{ event: "Order Completed", distinct_id: "u1", uuid: "m2", timestamp: time },
      properties: { ...order(total), $lib: "node" },
    }),
    at: "timestamp",
    total: "properties.total",
  },
  snowplow: {
    send: (items) => ({
      path: "/com.snowplowanalytics.snowplow/tp2",
      body: JSON.stringify({
        schema: "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4",
        data: items,
      }),
    }),
    seen: (dtm) => ({
      ...{ e: "ue", eid: "m1", uid: "u1", dtm, tv: "js-4" },
      ue_px: Buffer.from(JSON.stringify(iglu("shelf_seen", { n: 1, name: "看" }))).toString(
        "base64url",
      ),
    }),
    bought: (total) => ({
      ...{ e: "ue", eid: "m2", uid: "u1", dtm: String(Date.parse(time)), tv: "js-4" },
      ue_px: Buffer.from(JSON.stringify(iglu("order_completed", order(total)))).toString(
        "base64url",
      ),
    }),
    at: "dtm",
    total: "ue_px.data.data.total",
  },
  sensors: {
    send: (items) => ({
      path: "/sa",
      body: `data_list=${encodeURIComponent(Buffer.from(JSON.stringify(items)).toString("base64"))}`,
      headers: { "content-type": "application/x-www-form-urlencoded" },
    }),
    seen: (at) => ({
      ...{ type: "track", event: "ShelfSeen", distinct_id: "u1", login_id: "u1", _track_id: 7 },
      ...{ time: at, properties: { n: 1, $lib: "Node" } },
    }),
    bought: (total) => ({
      ...{ type: "track", event: "Order Completed", distinct_id: "u1", login_id: "u1" },
      ...{ _track_id: 8, time: Date.parse(time), properties: order(total) },
    }),
    at: "time",
    total: "properties.total",
  },
  cloudevents: {
    send: (items) => ({
      path: "/v1/cloudevents",
      body: JSON.stringify(items),
      headers: { "content-type": "application/cloudevents-batch+json" },
    }),
    seen: (at) => ({
      ...{ specversion: "1.0", id: "m1", source: "/shop", type: "shelf.seen", userid: "u1" },
      ...{ time: at, data: { n: 1 } },
    }),
    bought: (total) => ({
      ...{ specversion: "1.0", id: "m2", source: "/shop", type: "Order Completed", userid: "u1" },
      ...{ time, data: order(total) },
    }),
    at: "time",
    total: "data.total",
  },
  liuke: {
    send: (events) => ({ path: "/v1/events", body: JSON.stringify({ events }) }),
    seen: (at) => ({ key: "m1", name: "Shelf Seen", user: "u1", at, data: { n: 1 } }),
    bought: (total) => ({
      key: "m2",
      name: "Order Completed",
      user: "u1",
      at: time,
      data: order(total),
    }),
    at: "at",
    total: "data.total",
  },
};
async function send(at: Stage, source: Source, client: Client, items: Item[]): Promise<void> {
  if (client.single && items.length > 1) {
    for (const item of items) await send(at, source, client, [item]);
    return;
  }
  const { path, body, headers } = client.send(items);
  const auth =
    path === "/v1/events" ? { authorization: `Bearer ${source.key}` } : basic(source.key);
  const answer = await fetch(`${at.url}${path}`, {
    method: "POST",
    headers: { ...auth, ...json, ...headers },
    body,
  });
  expect(answer.status).toBe(200);
}
type Row = { id: string; reason: string; field: string; name: string };
const list = async (at: Stage, { id, owner }: Source): Promise<Row[]> => {
  const { body } = await at.ask("GET", `/v1/rejected?source=${id}`, { headers: owner });
  return body["rejected"] as Row[];
};
const saidOf = async (at: Stage, source: Source) =>
  (await stored(at, source.id))
    .map((row) => ({ ...row, id: "", flags: row.flags & ~32 }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));

test.each(Object.keys(clients) as Protocol[])(
  "%s: what was refused, by the door or by the vocabulary, is mended where its client says it, and then is as though it had been right",
  async (protocol) => {
    await using at = await stage();
    const client = clients[protocol]!;
    const right = protocol === "snowplow" || protocol === "sensors" ? Date.parse(time) : time;
    const source = await sourceOf(at, protocol);
    await send(at, source, client, [client.seen("yesterday"), client.bought("much")]);
    const refused = await list(at, source);
    expect(refused).toHaveLength(2);
    expect(await stored(at, source.id)).toEqual([]);
    const resend = (id: string, changes: object[], dry = "") =>
      at.ask("POST", `/v1/rejected/resend${dry}`, {
        headers: source.owner,
        body: { ids: [id], changes },
      });
    for (const { id } of refused) {
      const { body: seen } = await at.ask("GET", `/v1/rejected/${id}`, { headers: source.owner });
      const place = String(seen["place"]);
      expect([client.at, client.total]).toContain(place);
      const leaves = seen["leaves"] as { path: string; value: string }[];
      expect(leaves.find(({ path }) => path === place)?.value).toMatch(/yesterday|much/);
      // As it is, it is refused again and stays; a try changes nothing.
      const again = await resend(id, []);
      expect(again.body["results"]).toMatchObject([{ outcome: "refused", place }]);
      const value = place === client.at ? right : 40;
      const change = [{ do: "set", field: place, value }];
      const tried = await resend(id, change, "?dryRun=true");
      expect(tried.body["results"]).toMatchObject([{ outcome: "accepted" }]);
      expect((await list(at, source)).map((row) => row.id)).toContain(id);
      const done = await resend(id, change);
      expect(done.body["results"]).toMatchObject([{ outcome: "accepted" }]);
      expect((await resend(id, change)).body["results"]).toMatchObject([{ outcome: "gone" }]);
    }
    const mended = await saidOf(at, source);
    // Another source of this client was told it right from the start.
    const other = await sourceOf(at, protocol);
    await send(at, other, client, [client.seen(right), client.bought(40)]);
    const straight = await saidOf(at, other);
    expect(mended.length).toBeGreaterThanOrEqual(2);
    expect(mended).toEqual(straight);
    expect((await stored(at, source.id)).every(({ flags }) => (flags & 32) === 32)).toBe(true);
    // Sent by the client again, now that it is right, it is what it was.
    await send(at, source, client, [client.seen(right), client.bought(40)]);
    expect(await saidOf(at, source)).toEqual(mended);
    expect(await list(at, source)).toEqual([]);
  },
);

test("all that is refused alike is mended at once: tried first, gone on with after a crash, counted once", async () => {
  await using at = await stage();
  const client = clients.segment!;
  const source = await sourceOf(at, "segment");
  const { owner } = source;
  // 1,200 orders that spell the currency as no currency, and 50 that are wrong otherwise too.
  const items = Array.from({ length: 1250 }, (_, n) => ({
    ...client.bought(n < 1200 ? 40 : "much"),
    messageId: `o${n}`,
    properties: { ...order(n < 1200 ? 40 : "much"), order_id: `A${n}`, currency: "yuan" },
  }));
  await send(at, source, client, items);
  const before = await list(at, source);
  expect(before[0]).toMatchObject({ reason: "invalid", name: "Order Completed" });
  const change = { do: "set", field: "properties.currency", value: "CNY" };
  const ask = await at.ask("POST", "/v1/rejected/mendings", {
    headers: owner,
    body: { filter: { source: source.id, reason: "invalid" }, changes: [change] },
  });
  const id = String(ask.body["id"]);
  const mending = async () => {
    const { body } = await at.ask("GET", "/v1/rejected/mendings", { headers: owner });
    return (body["mendings"] as Record<string, unknown>[])[0]!;
  };
  const move = (to: string) =>
    at.ask("PATCH", `/v1/rejected/mendings/${id}`, { headers: owner, body: { to } });
  expect((await move("working")).status).toBe(409);
  while ((await mendMany(at.house)) > 0);
  const expected = { total: 1250, done: 1250, accepted: 1200, doubles: 0, refused: 50 };
  expect(await mending()).toMatchObject({ stage: "tried", ...expected });
  expect(await mending()).toMatchObject({
    reasons: [{ reason: "invalid", field: "data.total", count: 50 }],
  });
  expect(await stored(at, source.id)).toEqual([]);
  // A sender that only the try has seen is nobody yet, and is made anew when it is done.
  expect((await at.sql`select count(*)::int as n from people_node`)[0]).toEqual({ n: 0 });

  expect((await move("working")).status).toBe(200);
  expect(await mendMany(at.house)).toBe(500);
  const first = await mending();
  expect(first).toMatchObject({ stage: "working", done: 500 });
  const taken = Number(first["accepted"]); // wrong ones lie among them, in no order that is known
  // One that breaks before its commit has done nothing, and the next goes on from where the last one was.
  await at.owner`alter table exchange_mending add constraint broken check (done < 600)`;
  await expect(mendMany(at.house)).rejects.toThrow("broken");
  expect(await mending()).toMatchObject(first);
  expect(await stored(at, source.id)).toHaveLength(taken);
  await at.owner`alter table exchange_mending drop constraint broken`;
  while ((await mendMany(at.house)) > 0);
  expect(await mending()).toMatchObject({ stage: "done", ...expected });
  expect(await stored(at, source.id)).toHaveLength(1200);
  const left = await list(at, source);
  expect(left).toHaveLength(50);
  expect(left[0]).toMatchObject({ reason: "invalid", field: "data.total" });
}, 60_000);

test("a field can be renamed or taken away in all of them, and a mending that was tried can be left alone", async () => {
  await using at = await stage();
  const client = clients.segment!;
  const source = await sourceOf(at, "segment");
  const { total: _, ...rest } = order(40);
  const bad = { ...client.bought(40), properties: { ...rest, sum: 40, total: "much" } };
  await send(at, source, client, [bad]);
  const [row] = await list(at, source);
  const { body } = await at.ask("POST", "/v1/rejected/resend", {
    headers: source.owner,
    body: {
      ids: [row!.id],
      changes: [
        { do: "remove", field: "properties.total" },
        { do: "rename", field: "properties.sum", to: "properties.total" },
      ],
    },
  });
  expect(body["results"]).toMatchObject([{ outcome: "accepted" }]);
  const [event] = await stored(at, source.id);
  expect(event!.data).toMatchObject({ total: 40 });
  expect(event!.data).not.toHaveProperty("sum");
  const ask = await at.ask("POST", "/v1/rejected/mendings", {
    headers: source.owner,
    body: { filter: { source: source.id }, changes: [] },
  });
  const path = `/v1/rejected/mendings/${String(ask.body["id"])}`;
  const stop = { headers: source.owner, body: { to: "stopped" } };
  expect((await at.ask("PATCH", path, stop)).status).toBe(200);
  expect(await mendMany(at.house)).toBe(0);
});

test("opening an item is audited, and names nobody to who may not find members", async () => {
  await using at = await stage();
  const client = clients.segment!;
  const source = await sourceOf(at, "segment");
  const bad = {
    ...{ ...client.seen("yesterday"), type: "identify", userId: "canary-user" },
    traits: { email: "canary@example.com", city: "Bath", full_name: "Canary Bird" },
  };
  await send(at, source, client, [bad]);
  const [row] = await list(at, source);
  const path = `/v1/rejected/${row!.id}`;
  const few = {
    authorization: `Bearer ${await keyFor(at, null, ["imports:write", "house:read"])}`,
  };
  const none = { authorization: `Bearer ${await keyFor(at, null, ["house:read"])}` };
  expect((await at.ask("GET", path, { headers: none })).status).toBe(403);
  const seen = await at.ask("GET", path, { headers: few });
  expect(seen.body).toMatchObject({ text: null, place: "timestamp" });
  expect(JSON.stringify(seen.body)).not.toMatch(/canary/i);
  expect(JSON.stringify(seen.body)).toContain("Bath");
  const all = await at.ask("GET", path, { headers: source.owner });
  expect(all.body["text"]).toContain("canary@example.com");
  const lines = await at.sql`
    select target from audit where endpoint = 'GET /v1/rejected/:rejected' order by target->>'names'`;
  expect(lines).toMatchObject([{ target: { names: false } }, { target: { names: true } }]);
  // Who may not see it mends it all the same.
  const { body } = await at.ask("POST", "/v1/rejected/resend", {
    headers: few,
    body: { ids: [row!.id], changes: [{ do: "set", field: "timestamp", value: time }] },
  });
  expect(body["results"]).toMatchObject([{ outcome: "accepted" }]);
  expect((await at.ask("GET", path, { headers: few })).status).toBe(404);
  expect(permissions).toContain("imports:write");
});

test("what a client's wrong clock said is dated as it would have been when it came", async () => {
  await using at = await stage();
  const client = clients.segment!;
  const source = await sourceOf(at, "segment");
  const hour = 3_600_000;
  const behind = new Date(Date.now() - hour);
  const item = { ...client.bought("much"), timestamp: behind.toISOString() };
  const body = JSON.stringify({ batch: [item], sentAt: behind.toISOString() });
  const headers = { ...basic(source.key), ...json };
  await fetch(`${at.url}/v1/batch`, { method: "POST", headers, body });
  const [row] = await list(at, source);
  await at.ask("POST", "/v1/rejected/resend", {
    headers: source.owner,
    body: { ids: [row!.id], changes: [{ do: "set", field: "properties.total", value: 40 }] },
  });
  const [event] = await stored(at, source.id);
  expect(Math.abs(event!.at.getTime() - behind.getTime() - hour)).toBeLessThan(10_000);
  expect(event!.flags & 16).toBe(16);
});

test("a whole request that could not be read is read as one once it can be", async () => {
  await using at = await stage();
  const client = clients.segment!;
  const source = await sourceOf(at, "segment");
  const items = [client.seen(time), client.bought(40)];
  const text = JSON.stringify({ batch: items });
  const headers = { ...basic(source.key), ...json };
  await fetch(`${at.url}/v1/batch`, { method: "POST", headers, body: text.slice(0, -1) });
  const [row] = await list(at, source);
  expect(row).toMatchObject({ reason: "unreadable" });
  const { body } = await at.ask("POST", "/v1/rejected/resend", {
    headers: source.owner,
    body: { ids: [row!.id], texts: { [row!.id]: text } },
  });
  expect(body["results"]).toMatchObject([{ outcome: "accepted" }]);
  expect(await stored(at, source.id)).toHaveLength(2);
});
