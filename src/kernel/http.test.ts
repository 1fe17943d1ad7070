import { expect, test } from "vitest";
import { allRoutes } from "../app.ts";
import { failures as all } from "#lang/failures.ts";
import { clerk, failures as ours, routesOf, tills } from "../../test/till.ts";
import { languageOf, server, type Failure } from "./http.ts";
import { newMetrics } from "./metrics.ts";
import { ok, fail } from "./result.ts";

const failures: Record<string, Failure> = { ...all, ...ours };
/** A server over the tills; whoever says "clerk" is one. */
async function open(given: { metricsKey?: string; ready?: boolean; size?: number } = {}) {
  const shop = await tills(given.size);
  const http = server({
    house: shop.house,
    authenticate: async (request) =>
      request.headers.get("authorization") === "clerk"
        ? ok(clerk())
        : fail("request.unauthenticated"),
    routes: routesOf([]),
    failures,
    hosts: new Set(["localhost", "[::1]"]),
    proxies: new Set(),
    metrics: newMetrics(),
    metricsKey: given.metricsKey ?? null,
    ready: async () => given.ready ?? true,
    version: "test",
  });
  const ask = async (
    path: string,
    init: RequestInit = {},
    headers: Record<string, string> = {},
  ) => {
    const response = await http.request(`http://localhost${path}`, {
      ...init,
      headers: {
        host: "localhost:8420",
        authorization: "clerk",
        "accept-language": "en",
        ...headers,
      },
    });
    const text = await response.text();
    const body = (text.startsWith("{") ? JSON.parse(text) : { text }) as Record<string, unknown>;
    return { status: response.status, headers: response.headers, body };
  };
  const post = (
    body: unknown,
    headers: Record<string, string> = {},
    path = "/v1/till/ann/claims",
  ) =>
    ask(
      path,
      { method: "POST", body: typeof body === "string" ? body : JSON.stringify(body) },
      { "idempotency-key": shop.house.newId(), ...headers },
    );
  return Object.assign(shop, { ask, post });
}

test("hosts: its own are served, any other is told off, and every answer is guarded", async () => {
  await using shop = await open();
  for (const host of ["localhost", "LOCALHOST:1", "[::1]:8420"])
    expect((await shop.ask("/healthz", {}, { host })).status).toBe(200);
  for (const host of [
    "evil.example",
    "localhost.evil.example",
    "localhost:80:80",
    "",
    "[::2]",
    "localhost.",
  ]) {
    const { status, body, headers } = await shop.ask("/v1/till/stock", {}, { host });
    expect([host, status, body["code"]]).toEqual([host, 421, "request.misdirected"]);
    expect(headers.get("content-security-policy")).toContain("default-src 'none'");
  }
  for (const path of ["/healthz", "/v1/till/stock", "/nowhere", "/openapi.json"]) {
    const { headers } = await shop.ask(path);
    expect(headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("referrer-policy")).toBe("no-referrer");
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
  }
});

test("a refusal is a problem in the language of who asks", async () => {
  await using shop = await open();
  const english = await shop.post({ amount: 0, more: 1 });
  expect(english.headers.get("content-type")).toBe("application/problem+json");
  expect(english).toMatchObject({
    status: 400,
    body: {
      type: "/help/request.invalid",
      title: "Some fields are not right.",
      status: 400,
      code: "request.invalid",
      fields: ["amount", "more"],
    },
  });
  const chinese = await shop.post({ amount: 0 }, { "accept-language": "zh-CN,zh;q=0.9,en;q=0.8" });
  expect(chinese.body["title"]).toBe("有内容填写不正确。");
  expect(chinese.headers.get("content-language")).toBe("zh");
  expect(await shop.post({ step: "refuse", note: "n" })).toMatchObject({
    status: 422,
    body: { code: "till.refused", note: "n", title: "No." },
  });
  const help = await shop.ask("/help/request.invalid");
  expect(help.body["text"]).toContain("有内容填写不正确。");
  for (const code of ["constructor", "__proto__", "toString", "no.such"])
    expect((await shop.ask(`/help/${code}`)).status).toBe(404);
});

test.each([
  [undefined, "zh"],
  ["", "zh"],
  ["*", "zh"],
  ["fr, de;q=0.5", "zh"],
  ["en", "en"],
  ["en-US,en;q=0.9", "en"],
  ["zh-Hans-CN, en", "zh"],
  ["fr, en;q=0.4", "en"],
  ["zh;q=0.1, en;q=0.9", "en"],
  ["en;q=0, zh", "zh"],
  ["fr-en", "zh"],
] as const)("Accept-Language %j is answered in %s", (header, language) => {
  expect(languageOf(header)).toBe(language);
});

test("a body: too large, no JSON, no object, not UTF-8's, or of numbers that would be rounded", async () => {
  await using shop = await open();
  expect(await shop.post({ note: "x".repeat(1_100_000) })).toMatchObject({
    status: 413,
    body: { code: "request.too_large" },
  });
  for (const [body, field] of [
    ["{", "body"],
    ["[]", "body"],
    ["7", "body"],
    ["null", "body"],
    ['{"amount":9007199254740993}', "amount"],
    ['{"note":"a\\u0000b"}', "note"],
    ['{"note":"\\ud800"}', "note"],
    [`{"note":${"[".repeat(20_000)}`, "body"],
    ['{"__proto__":{"amount":5}}', "__proto__"],
  ] as const)
    expect(await shop.post(body), body.slice(0, 40)).toMatchObject({
      status: 400,
      body: { fields: [field] },
    });
  expect(await shop.claims()).toEqual([]);
});

test("a path and a query are held to the same, and the path goes before the body", async () => {
  await using shop = await open();
  expect(await shop.post({}, {}, "/v1/till/a%00b/claims")).toMatchObject({
    status: 400,
    body: { fields: ["person"] },
  });
  expect(await shop.ask("/v1/till/stock?atLeast=%00")).toMatchObject({
    status: 400,
    body: { fields: ["atLeast"] },
  });
  expect(await shop.ask("/v1/till/stock?x=1")).toMatchObject({
    status: 400,
    body: { fields: ["x"] },
  });
  expect(await shop.post({ person: "eve" })).toMatchObject({ status: 200 });
  expect((await shop.claims()).map(({ person }) => person)).toEqual(["ann"]);
});

test("a command demands a key, of at most 200 characters; sent again it says the same", async () => {
  await using shop = await open({ size: 1 });
  for (const key of ["", "k".repeat(201)])
    expect(await shop.post({}, { "idempotency-key": key })).toMatchObject({
      status: 400,
      body: { fields: ["Idempotency-Key"] },
    });
  const first = await shop.post({}, { "idempotency-key": "a" });
  const again = await shop.post({}, { "idempotency-key": "a" });
  expect(again.body).toEqual(first.body);
  expect(again.headers.get("x-request-id")).not.toBe(first.headers.get("x-request-id"));
  expect(await shop.post({ amount: 2 }, { "idempotency-key": "a" })).toMatchObject({
    status: 422,
    body: { code: "request.key_reused" },
  });
  expect(await shop.post({})).toMatchObject({ status: 409, body: { code: "till.short" } });
  expect(await shop.post({}, {}, "/v1/till/ann/claims?dryRun=true")).toMatchObject({ status: 409 });
  const [line] = await shop.owner<
    { requestId: string }[]
  >`select request_id from audit order by id limit 1`;
  expect(line!.requestId).toBe(first.headers.get("x-request-id"));
});

test("what breaks says nothing of itself, and its neighbours do not notice", async () => {
  await using shop = await open();
  const [broken, fine] = await Promise.all([shop.post({ step: "throw" }), shop.post({})]);
  expect(broken).toMatchObject({ status: 500, body: { code: "request.broken" } });
  expect(JSON.stringify(broken.body)).not.toContain("till broke");
  expect(fine.status).toBe(200);
  await shop.owner`drop table till_stock`;
  const sql = await shop.ask("/v1/till/stock");
  expect(sql.status).toBe(500);
  expect(JSON.stringify(sql.body)).not.toMatch(/till_stock|relation|select/);
});

test("while the database is away the answer is 503, to be tried again", async () => {
  await using shop = await open();
  await shop.sql.end();
  const { status, headers, body } = await shop.ask("/v1/till/stock");
  expect([status, body["code"], headers.get("retry-after")]).toEqual([503, "request.away", "1"]);
});

test("unknown paths and methods, sign-in, and what is public", async () => {
  await using shop = await open();
  expect(await shop.ask("/v1/nowhere")).toMatchObject({
    status: 404,
    body: { code: "request.unknown" },
  });
  expect((await shop.ask("/v1/till/ann/claims")).status).toBe(404);
  expect((await shop.ask("/v1/till/stock", { method: "DELETE" })).status).toBe(404);
  expect(await shop.post({}, { authorization: "" })).toMatchObject({
    status: 401,
    body: { code: "request.unauthenticated" },
  });
  expect(await shop.ask("/v1/till/stock", {}, { authorization: "" })).toMatchObject({
    status: 200,
    body: { used: 0 },
  });
});

test("metrics are there for whoever has the key, and not at all where none is set", async () => {
  await using open_ = await open({ metricsKey: "k", ready: false });
  expect((await open_.ask("/metrics")).status).toBe(401);
  const shown = await open_.ask("/metrics", {}, { authorization: "Bearer k" });
  expect(shown.status).toBe(200);
  expect(String(shown.body["text"])).toContain("liuke_http_request_seconds");
  expect(String(shown.body["text"])).not.toContain("ann");
  expect((await open_.ask("/readyz")).status).toBe(503);
  await using closed = await open();
  expect((await closed.ask("/metrics", {}, { authorization: "Bearer null" })).status).toBe(404);
  expect((await closed.ask("/readyz")).status).toBe(200);
});

type Operation = {
  operationId: string;
  summary: string;
  description: string;
  security: unknown[];
  parameters?: { name: string; in: string; required: boolean; schema: object }[];
  requestBody?: {
    content: {
      "application/json": { schema: { type: string; properties: object; required: string[] } };
    };
  };
  responses: Record<string, { description: string }>;
};
test("openapi.json tells of every endpoint of the whole house, and every reference in it leads somewhere", async () => {
  await using shop = await tills();
  const http = server({
    house: shop.house,
    authenticate: async () => fail("request.unauthenticated"),
    routes: allRoutes,
    failures,
    hosts: new Set(["localhost"]),
    proxies: new Set(),
    metrics: newMetrics(),
    metricsKey: null,
    ready: async () => true,
    version: "1.2.3",
  });
  const response = await http.request("http://localhost/openapi.json", {
    headers: { host: "localhost" },
  });
  const text = await response.text();
  const document = JSON.parse(text) as {
    openapi: string;
    info: { version: string };
    paths: Record<string, Record<string, Operation>>;
    components: { schemas: object };
  };
  expect(document).toMatchObject({ openapi: "3.1.0", info: { version: "1.2.3" } });
  for (const [, pointer] of text.matchAll(/"\$ref":"([^"]+)"/g)) {
    expect(pointer).toMatch(/^#\/components\/schemas\//);
    expect(document.components.schemas).toHaveProperty([pointer!.split("/").at(-1)!]);
  }
  const ids = new Set<string>();
  for (const { kind, endpoint } of allRoutes) {
    const operation =
      document.paths[endpoint.path.replaceAll(/:(\w+)/g, "{$1}")]?.[endpoint.method.toLowerCase()];
    const name = `${endpoint.method} ${endpoint.path}`;
    expect(operation, name).toBeDefined();
    const {
      operationId,
      parameters = [],
      summary,
      description,
      responses,
      requestBody,
    } = operation!;
    expect(ids.has(operationId), operationId).toBe(false);
    ids.add(operationId);
    expect([summary, description]).toEqual([endpoint.summary.en, endpoint.summary.zh]);
    const named = (where: string) =>
      parameters.flatMap((one) => (one.in === where ? one.name : [])).toSorted();
    expect(named("path"), name).toEqual(
      [...endpoint.path.matchAll(/:(\w+)/g)].map(([, part]) => part!).toSorted(),
    );
    expect(named("header"), name).toEqual(kind === "command" ? ["Idempotency-Key"] : []);
    for (const code of endpoint.failures)
      expect(responses[String(failures[code]!.status)]?.description, `${name} ${code}`).toContain(
        code,
      );
    const body = requestBody?.content["application/json"].schema;
    if (body)
      for (const field of body.required)
        expect(Object.keys(body.properties), name).toContain(field);
  }
  expect(ids.size).toBe(allRoutes.length);
});
