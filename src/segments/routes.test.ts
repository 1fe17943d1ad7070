import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { relay } from "#kernel/outbox.ts";
import { ok } from "#kernel/result.ts";
import type { Actor } from "#kernel/endpoint.ts";
import { server, type Failure } from "#kernel/http.ts";
import { newMetrics } from "#kernel/metrics.ts";
import { failures } from "#lang/failures.ts";
import * as people from "#people/service.ts";
import { world } from "../../test/database.ts";
import { reactions } from "./jobs.ts";
import { routes } from "./routes.ts";

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
  return { ask, settle, [Symbol.asyncDispose]: () => shop[Symbol.asyncDispose]() };
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
      expect(member.cause.kind).toBe("tag");
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
  expect(refused).toMatchObject({ status: 409, body: { code: "segments.unknown_in_rule" } });
  const made = await shop.ask("POST", "/v1/segments", { name, rule: dormant, purpose: "analysis" });
  const { id } = made.body;
  const itself = { kind: "not", of: { kind: "segment", segment: id } };
  const circle = { id, name, rule: itself, purpose: "analysis" };
  expect((await shop.ask("POST", "/v1/segments", circle)).body.code).toBe("segments.circular");
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
