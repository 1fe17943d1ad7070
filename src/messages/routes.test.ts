import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { bucketOfText } from "#kernel/crypto.ts";
import type { Actor } from "#kernel/endpoint.ts";
import { server } from "#kernel/http.ts";
import { newMetrics } from "#kernel/metrics.ts";
import { fail, ok } from "#kernel/result.ts";
import type { PersonKey } from "#kernel/sql.ts";
import { failures } from "#lang/failures.ts";
import { world } from "../../test/database.ts";
import { deliver, seed } from "./jobs.ts";
import { tokenOf } from "./model/token.ts";
import { routes } from "./routes.ts";
import * as service from "./service.ts";

async function shop() {
  const here = await world();
  here.clock.shop = new Date("2026-03-02T04:00:00Z"); // noon in Shanghai
  await seed(here.house);
  const people: PersonKey[] = [randomUUID(), randomUUID()].map((personId) => ({
    personId,
    bucket: bucketOfText(personId),
  }));
  await here.sql`insert into people_way ${here.sql(people)}`;
  const [ann, ben] = [people[0]!, people[1]!];
  const person = (key: PersonKey): Actor => ({
    id: `person:${key.personId}`,
    permissions: new Set(["person"]),
    scope: { kind: "person", person: key },
  });
  const operator: Actor = {
    id: "operator:1",
    permissions: new Set(["messages:read", "messages:send", "members:read"]),
    scope: { kind: "all" },
  };
  const source = { id: randomUUID(), kind: "server" as const };
  const key: Actor = {
    id: "key:1",
    permissions: new Set(["events:write"]),
    source,
    scope: { kind: "all" },
  };
  const browser: Actor = { ...key, source: { ...source, kind: "public" } };
  const actors = { ann: person(ann), ben: person(ben), operator, key, browser };
  const web = server({
    house: here.house,
    routes,
    failures,
    authenticate: async (request) => {
      const name = request.headers.get("authorization") as keyof typeof actors | null;
      return name ? ok(actors[name]) : fail("request.unauthenticated");
    },
    hosts: new Set(["localhost"]),
    proxies: new Set(),
    metrics: newMetrics(),
    metricsKey: null,
    ready: async () => true,
    version: "0",
  });
  const call = async (as: keyof typeof actors, method: string, path: string, body?: unknown) => {
    const response = await web.request(path, {
      method,
      headers: {
        host: "localhost",
        authorization: as,
        "accept-language": "en",
        "idempotency-key": randomUUID(),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const link = (path: string, form?: Record<string, string> | FormData) =>
    web.request(path, {
      method: form ? "POST" : "GET",
      headers: { host: "localhost", "accept-language": "en" },
      ...(form ? { body: form instanceof FormData ? form : new URLSearchParams(form) } : {}),
    });
  const send = (to: PersonKey) =>
    here.sql.begin((tx) =>
      service.send(here.house, tx, here.clock.shop, [
        {
          person: to,
          purpose: "marketing",
          templateId: "win-back",
          channels: ["inapp", "email"],
          data: { skus: ["10001"] },
          cause: "test",
        },
      ]),
    );
  return Object.assign(here, { ann, ben, call, link, send });
}
const marketing = (granted: boolean) => ({
  textVersion: "2026-01",
  choices: [
    { purpose: "marketing", channel: "inapp", granted },
    { purpose: "marketing", channel: "email", granted },
  ],
});

test("a person agrees, finds the message in their inbox, reads it, and nobody else can", async () => {
  await using here = await shop();
  expect(await here.call("ann", "POST", "/v1/me/preferences", marketing(true))).toMatchObject({
    body: { changed: 2 },
  });
  expect(await here.call("ann", "GET", "/v1/me/preferences")).toMatchObject({
    body: {
      language: "en",
      consents: expect.arrayContaining([
        expect.objectContaining({
          purpose: "marketing",
          channel: "email",
          granted: true,
          textVersion: "2026-01",
        }),
        expect.objectContaining({ purpose: "service", channel: "email", granted: false, at: null }),
      ]),
    },
  });
  const [sent] = await here.send(here.ann);
  const inbox = await here.call("ann", "GET", "/v1/me/inbox");
  expect(inbox.body).toMatchObject({
    unread: 1,
    messages: [{ id: sent!.messageId, language: "en" }],
  });
  expect(JSON.stringify(inbox.body)).toContain("· 10001");
  expect(await here.call("ben", "GET", "/v1/me/inbox")).toMatchObject({
    body: { unread: 0, messages: [] },
  });
  const read = `/v1/me/inbox/${sent!.messageId}/read`;
  expect(await here.call("ben", "POST", read)).toMatchObject({
    status: 404,
    body: { code: "messages.unknown" },
  });
  expect(await here.call("ann", "POST", read)).toMatchObject({ status: 200 });
  expect(await here.call("ann", "GET", "/v1/me/inbox")).toMatchObject({ body: { unread: 0 } });
  expect(await here.call("operator", "GET", "/v1/me/inbox")).toMatchObject({ status: 403 });
});

test("one click leaves, without cookies, in either encoding of a form; a wrong link shows nothing", async () => {
  await using here = await shop();
  await here.call("ann", "POST", "/v1/me/preferences", marketing(true));
  const leaving = { personId: here.ann.personId, purpose: "marketing", channel: "email" } as const;
  const token = tokenOf(here.house.keys.signing("unsubscribe"), leaving);
  const page = await here.link(`/u/${token}`);
  expect(page.status).toBe(200);
  expect(page.headers.get("content-security-policy")).toContain("form-action 'self'");
  expect(await page.text()).toContain("Stop mails with offers");
  const held = async () => {
    const rows = await here.sql`select channel, granted, proof from messages_consent order by seq`;
    return rows.map(({ channel, granted, proof }) => `${channel} ${granted} ${proof}`);
  };
  const agreed = ["inapp true me", "email true me"];
  expect(await held()).toEqual(agreed); // looking is not leaving: mail scanners look

  expect((await here.link(`/u/${token}`, { other: "x" })).status).toBe(404);
  const wrong = `${token.slice(0, -2)}${token.endsWith("AA") ? "BB" : "AA"}`;
  for (const bad of [wrong, "x", "a".repeat(150)]) {
    const answer = await here.link(`/u/${bad}`, { "List-Unsubscribe": "One-Click" });
    expect(answer.status).toBe(404);
    expect(await answer.json()).toMatchObject({ code: "request.unknown" });
  }
  expect(await held()).toEqual(agreed);
  const parts = new FormData();
  parts.set("List-Unsubscribe", "One-Click");
  for (const form of [parts, { "List-Unsubscribe": "One-Click" }])
    expect((await here.link(`/u/${token}`, form)).status).toBe(200);
  expect(await held()).toEqual([...agreed, "email false one_click"]);

  await here.send(here.ann);
  const seen = await here.call("operator", "GET", `/v1/members/${here.ann.personId}/messages`);
  expect(seen.body).toMatchObject({
    messages: [
      {
        verdict: "queued",
        subject: { zh: expect.stringContaining("券"), en: expect.stringContaining("coupon") },
        deliveries: [
          { channel: "inapp", state: "sent", reason: null },
          { channel: "email", state: "suppressed", reason: { code: "no_consent" } },
        ],
      },
    ],
    consents: expect.arrayContaining([
      expect.objectContaining({
        purpose: "marketing",
        channel: "email",
        granted: false,
        proof: "one_click",
      }),
    ]),
  });
});

test("a shop's server records what was said there; a browser's key and a date to come are refused", async () => {
  await using here = await shop();
  const path = `/v1/members/${here.ann.personId}/consents`;
  const said = {
    purpose: "marketing",
    channel: "email",
    granted: true,
    textVersion: "shop-3",
    at: "2026-03-01T00:00:00Z",
    proof: "order:1001",
  };
  expect(await here.call("key", "POST", path, said)).toMatchObject({ body: { recorded: true } });
  expect(await here.call("key", "POST", path, said)).toMatchObject({ body: { recorded: false } });
  expect(await here.call("browser", "POST", path, said)).toMatchObject({
    status: 403,
    body: { code: "messages.server_only" },
  });
  expect(
    await here.call("key", "POST", path, { ...said, at: "2026-04-01T00:00:00Z" }),
  ).toMatchObject({ body: { code: "messages.consent_future" } });
  expect(await here.call("key", "POST", path, { ...said, proof: "Ann said so" })).toMatchObject({
    status: 400,
  });
});

test("an operator sees what waits in the preview without name and code, and sets the limits", async () => {
  await using here = await shop();
  await here.call("ann", "POST", "/v1/me/preferences", marketing(true));
  const limits = { marketing: { week: 2, month: 4 }, service: { week: 7, month: 20 } };
  const settings = { limits, quietFrom: "22:00", quietUntil: "08:00" };
  expect(await here.call("operator", "PUT", "/v1/messages/settings", settings)).toMatchObject({
    body: settings,
  });
  expect(await here.call("operator", "GET", "/v1/messages/settings")).toMatchObject({
    body: { ...settings, timeZone: "Asia/Shanghai", smtp: false },
  });
  const verdicts = [];
  for (let i = 0; i < 3; i++) verdicts.push((await here.send(here.ann))[0]!.verdict);
  expect(verdicts).toEqual(["queued", "queued", "suppressed"]);

  await here.sql`update messages_delivery set state = 'preview', reason = 'no_smtp' where channel = 'email'`;
  expect(await deliver(here.house, { post: null })).toBe(0);
  const preview = await here.call("operator", "GET", "/v1/messages/preview?limit=1");
  expect(preview.body).toMatchObject({
    total: 2,
    messages: [
      {
        person: here.ann.personId,
        reason: { code: "no_smtp" },
        html: expect.stringContaining("<p>"),
      },
    ],
  });
  expect(await here.call("operator", "GET", "/v1/messages/preview?limit=1000")).toMatchObject({
    status: 400,
  });

  const text = { subject: "Hi", body: "{{code}}" };
  const template = { key: "hello", purpose: "service", zh: text, en: text };
  expect(await here.call("operator", "POST", "/v1/messages/templates", template)).toMatchObject({
    body: { version: 1 },
  });
  const wrong = { ...template, en: { ...text, body: "{{password}}" } };
  expect(await here.call("operator", "POST", "/v1/messages/templates", wrong)).toMatchObject({
    status: 400,
    body: { placeholders: ["password"] },
  });
  expect(await here.call("operator", "GET", "/v1/messages/templates")).toMatchObject({
    body: { templates: [{ key: "hello" }, { key: "win-back" }] },
  });
});
