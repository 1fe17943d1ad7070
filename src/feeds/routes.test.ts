import { HTTP, type CloudEvent } from "cloudevents";
import { expect, test } from "vitest";
import { z } from "zod";
import { callers, web } from "../../test/authz.ts";
import { world } from "../../test/database.ts";
import { allRoutes, reactions } from "../app.ts";
import { bucketOfText } from "../kernel/crypto.ts";
import { emitAll, relay } from "../kernel/outbox.ts";
import { directFields } from "../privacy/rules.ts";
import * as orders from "../orders/events.ts";
import { routesWith } from "./routes.ts";
import * as store from "./store.ts";

async function shop() {
  const here = await world({ settings: { feedAllow: ["10.1.2.3"] } });
  const ask = web(here.house, allRoutes);
  const everybody = await callers(here.house);
  const headers = everybody.find(({ name }) => name === "owner")!.headers;
  const personId = "00000000-0000-7000-8000-000000000001";
  const person = { bucket: bucketOfText(personId), personId };
  const data = (ref: string) => ({
    ...{ ref, kind: "sale" as const, at: "2026-03-01T04:00:00.000Z", day: "2026-03-01" },
    ...{ amountMinor: "900", eventId: "01989b3e-7c1a-7000-8000-000000000001" },
  });
  return Object.assign(here, {
    everybody,
    person,
    ask: (method: string, path: string, body?: unknown) => ask(method, path, { headers, body }),
    as: (who: string) => everybody.find(({ name }) => name === who)!.headers,
    asked: ask,
    headers,
    sell: async (...refs: string[]) => {
      await here.sql.begin((tx) =>
        emitAll(
          here.house,
          tx,
          orders.recorded,
          refs.map((ref) => ({ person, data: data(ref) })),
        ),
      );
      while ((await relay(here.house, reactions)) > 0);
    },
    /** The feed as a client reads it: by its content type, with the released parser. */
    read: (query = "") => feedOf(here.house, headers, query),
  });
}
type Read = {
  status: number;
  cursor: string;
  events: CloudEvent<Record<string, string>>[];
  code?: string;
};
async function feedOf(
  house: Parameters<typeof web>[0],
  headers: Record<string, string>,
  query: string,
): Promise<Read> {
  const route = routesWith([{ ...orders.recorded }]).find(
    ({ endpoint }) => endpoint.path === "/v1/feed" && endpoint.method === "GET",
  )!;
  if (route.kind !== "direct") throw new Error("no");
  const input = route.endpoint.input.parse(Object.fromEntries(new URLSearchParams(query)));
  const answer = await route.run(
    { house, request: new Request("http://localhost/v1/feed", { headers }) } as never,
    input as never,
  );
  if (!(answer instanceof Response))
    return { status: 0, cursor: "", events: [], code: answer.ok ? "" : answer.code };
  const type = answer.headers.get("content-type")!;
  const body = await answer.text();
  const events = HTTP.toEvent({ headers: { "content-type": type }, body }) as CloudEvent<
    Record<string, string>
  >[];
  return { status: answer.status, cursor: answer.headers.get("liuke-cursor")!, events };
}

test("the catalogue says of every event what it means, in both languages, and its example fits its schema", async () => {
  await using here = await shop();
  const { body } = await here.ask("GET", "/v1/event-types");
  const types = body["types"] as {
    type: string;
    says: { zh: string; en: string };
    schema: { properties: object };
    example: object;
  }[];
  expect(types.map(({ type }) => type)).toEqual(
    expect.arrayContaining([
      "orders.recorded",
      "offers.redeemed",
      "predict.staged",
      "feeds.disabled",
    ]),
  );
  for (const { type, says, schema, example } of types) {
    expect(says.zh, type).toMatch(/\p{Script=Han}/u);
    expect(says.en, type).toMatch(/^[A-Z“][^\p{Script=Han}]+$/u);
    expect(z.fromJSONSchema(schema as never).safeParse(example).error, type).toBeUndefined();
    // No payload has a place for what names somebody.
    const named = JSON.stringify(schema)
      .match(/"([\w]+)":\{/g)!
      .map((key) => key.slice(1, -3));
    expect(
      named.filter(
        (key) =>
          (directFields as readonly string[]).includes(key) &&
          !(key === "name" && type.startsWith("catalog.")),
      ),
      type,
    ).toEqual([]);
  }
});

test("a webhook is made, changed, tried out, turned off and deleted; what is wrong is named", async () => {
  await using here = await shop();
  const asked = { name: "ERP", url: "https://hooks.example.com/liuke", types: ["orders.recorded"] };
  const made = await here.ask("POST", "/v1/webhooks", asked);
  expect(made.body).toMatchObject({ secret: expect.stringMatching(/^whsec_/), publicKey: null });
  const id = String(made.body["id"]);
  for (const [change, code, field] of [
    [{ url: "http://169.254.169.254/" }, "feeds.url_internal", "url"],
    [{ url: "ftp://example.com" }, "feeds.url_scheme", "url"],
    [{ url: "https://a:b@example.com" }, "feeds.url_credentials", "url"],
    [{ url: "https://example.com:25" }, "feeds.url_port", "url"],
    [{ url: "example" }, "feeds.url_broken", "url"],
    [{ types: ["orders.recorded", "no.such"] }, "feeds.type_unknown", "types.1"],
    [{ segment: here.house.newId() }, "feeds.segment_unknown", "segment"],
    [{ types: [] }, "request.invalid", "types"],
  ] as const) {
    const refused = await here.ask("PATCH", `/v1/webhooks/${id}`, change);
    expect(refused.body, JSON.stringify(change)).toMatchObject({ code, fields: [field] });
    const again = await here.ask("POST", "/v1/webhooks", { ...asked, ...change });
    expect(again.body["code"]).toBe(code);
  }
  // What a setting lets through is let through.
  expect(
    (await here.ask("PATCH", `/v1/webhooks/${id}`, { url: "http://10.1.2.3:9000/" })).status,
  ).toBe(200);

  const tried = await here.ask("POST", `/v1/webhooks/${id}/test`);
  const listed = await here.ask("GET", `/v1/webhooks/${id}/deliveries`);
  expect(listed.body["deliveries"]).toMatchObject([
    { event: tried.body["event"], type: "webhook.test", state: "waiting", attempts: 0 },
  ]);
  const one = await here.ask("GET", `/v1/webhooks/${id}/deliveries/${String(tried.body["event"])}`);
  expect(JSON.parse(String(one.body["body"]))).toMatchObject({
    type: "webhook.test",
    data: { webhook: id },
  });

  await here.ask("PATCH", `/v1/webhooks/${id}`, { on: false });
  for (const [path, body] of [
    ["test", {}],
    [`deliveries/${String(tried.body["event"])}/replay`, {}],
    ["replay", { since: "2026-01-01T00:00:00Z" }],
  ] as const)
    expect((await here.ask("POST", `/v1/webhooks/${id}/${path}`, body)).body["code"]).toBe(
      "feeds.is_off",
    );
  const off = await here.ask("GET", "/v1/webhooks");
  expect(off.body["webhooks"]).toMatchObject([
    { id, state: "off", reason: "operator", failed: 1, waiting: 0 },
  ]);
  await here.ask("PATCH", `/v1/webhooks/${id}`, { on: true });
  const again = await here.ask("POST", `/v1/webhooks/${id}/replay`, {
    since: "2026-01-01T00:00:00Z",
  });
  expect(again.body).toEqual({ messages: 1 });

  const rotated = await here.ask("POST", `/v1/webhooks/${id}/rotate`);
  expect(rotated.body["secret"]).not.toBe(made.body["secret"]);
  expect((await here.ask("DELETE", `/v1/webhooks/${id}`)).status).toBe(200);
  expect((await here.ask("GET", "/v1/webhooks")).body["webhooks"]).toEqual([]);
  expect((await here.ask("POST", `/v1/webhooks/${id}/test`)).body["code"]).toBe("feeds.unknown");
  // No secret stands in what is kept of commands.
  const [kept] = await here.owner<
    { all: string | null }[]
  >`select string_agg(answer::text, '') as all from idempotency`;
  expect(kept!.all).not.toContain("whsec_");
});

test("the feed gives CloudEvents by a cursor, in batches that cloudevents reads, and says where a hole is", async () => {
  await using here = await shop();
  expect(await here.read()).toMatchObject({ code: "feeds.feed_off" });
  await here.sell("before");
  await here.ask("PUT", "/v1/feed", { kept: true });
  await here.sell("1", "2", "3");
  await here.sell("4");
  const first = await here.read("limit=3");
  expect(first.events.map(({ data }) => data!["ref"])).toEqual(["1", "2", "3"]);
  for (const event of first.events) {
    expect(event.validate()).toBe(true);
    expect(event).toMatchObject({ type: "orders.recorded", subject: here.person.personId });
    expect(event.source).toMatch(/^urn:liuke:[0-9a-f]{16}$/);
  }
  const second = await here.read(`limit=3&after=${first.cursor}`);
  expect(second.events.map(({ data }) => data!["ref"])).toEqual(["4"]);
  expect((await here.read(`after=${second.cursor}`)).events).toEqual([]);
  expect((await here.read(`after=${second.cursor}`)).cursor).toBe(second.cursor);
  // Each event's own number is a cursor too.
  const [, middle] = first.events as unknown as { sequence: string }[];
  expect(
    (await here.read(`after=${middle!.sequence}`)).events.map(({ data }) => data!["ref"]),
  ).toEqual(["3", "4"]);
  expect(await here.read("after=999999")).toMatchObject({ code: "request.invalid" });
  expect(await here.read("after=x")).toMatchObject({ code: "request.invalid" });
  expect(await here.read("types=no.such")).toMatchObject({ code: "feeds.type_unknown" });

  // Off and on again: what happened meanwhile is not there, and whoever read before is told so.
  await here.ask("PUT", "/v1/feed", { kept: false });
  await here.sell("missed");
  await here.ask("PUT", "/v1/feed", { kept: true });
  await here.sell("5");
  expect(await here.read(`after=${second.cursor}`)).toMatchObject({ code: "feeds.cursor_old" });
  expect((await here.read()).events.map(({ data }) => data!["ref"])).toEqual(["5"]);
  expect((await store.feed(here.sql)).kept).toBe(true);

  // Over HTTP: only for who may read it.
  const asked = await here.asked("GET", "/v1/feed", { headers: here.headers });
  expect(asked.headers.get("content-type")).toBe("application/cloudevents-batch+json");
  expect((await here.asked("GET", "/v1/feed", { headers: here.as("analyst") })).status).toBe(403);
});

test("a reader who waits is answered as soon as something happens, and with nothing when it does not", async () => {
  await using here = await shop();
  await here.ask("PUT", "/v1/feed", { kept: true });
  const waiting = here.read("wait=20");
  const from = performance.now();
  await here.sell("now");
  expect((await waiting).events.map(({ data }) => data!["ref"])).toEqual(["now"]);
  expect(performance.now() - from).toBeLessThan(5000);
  const { cursor } = await waiting;
  const nothing = await here.read(`wait=1&after=${cursor}`);
  expect(nothing).toMatchObject({ events: [], cursor });
});
