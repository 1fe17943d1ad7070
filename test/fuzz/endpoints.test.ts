// Malformed inputs over every endpoint, through the whole server in process: nothing breaks, nothing leaks, and what is
// wrong is named. LIUKE_FUZZ sets how many inputs an endpoint gets, LIUKE_FUZZ_SEED replays a run.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { permissionsOf } from "../../src/access/rules.ts";
import { allRoutes } from "../../src/app.ts";
import { server, type Failure } from "../../src/kernel/http.ts";
import { newLog } from "../../src/kernel/log.ts";
import { newMetrics } from "../../src/kernel/metrics.ts";
import { ok } from "../../src/kernel/result.ts";
import { failures } from "../../src/lang/failures.ts";
import { byIdentifier } from "../../src/people/service.ts";
import { folded, shop, type Shop } from "../shop.ts";
import { fitting, naughty, spoil } from "./inputs.ts";

const runs = Number(process.env["LIUKE_FUZZ"] ?? 70);
const seed = Number(process.env["LIUKE_FUZZ_SEED"] ?? 20_110_909);

let here: Shop;
let http: ReturnType<typeof server>;
let ids: string[];
/** The best answer that each endpoint gave. */
const reached = new Map<string, number>();
let broken: Record<string, unknown>[] = [];
beforeAll(async () => {
  here = await shop(allRoutes);
  const lines = ["1", "2", "3"].map((key) => ({
    key,
    order: `A${key}`,
    sku: "S",
    quantity: 1,
    unitPrice: "3.50",
    at: "2026-02-01T10:00:00Z",
    customer: "u1",
  }));
  await here.ask("POST", "/v1/orders/lines", { headers: here.as.server, body: { lines } });
  await folded(here.house);
  const person = (await byIdentifier(here.house, here.sql, "user_id", "u1", here.server.id))!;
  ids = [person.personId, here.server.id, randomUUID()];
  const log = newLog("silent");
  log.error = ((line: Record<string, unknown>) => broken.push(line)) as typeof log.error;
  const all = new Set([...permissionsOf("owner"), "events:write", "person"]);
  http = server({
    house: { ...here.house, log },
    // Whoever comes is the owner; where an endpoint serves a person, that person.
    authenticate: async (request) =>
      ok({
        id: `operator:${ids[2]}`,
        permissions: all,
        scope: request.headers.has("x-person") ? { kind: "person", person } : { kind: "all" },
        source: { id: here.server.id, kind: "server" },
      }),
    routes: allRoutes,
    failures: failures as Record<string, Failure>,
    hosts: new Set(["localhost"]),
    proxies: new Set(),
    metrics: newMetrics(),
    metricsKey: null,
    ready: async () => true,
    version: "test",
  });
}, 120_000);
afterAll(() => here[Symbol.asyncDispose]());

const leaks =
  /PostgresError|ClickHouse|syntax error|relation "|column "|violates|invalid input syntax|out of range for type|duplicate key|DB::Exception|\.ts:\d+|node_modules/;
type Asked = { path: string; init: RequestInit };
/** The answer is never a 5xx, says nothing of the engines, and a 4xx is one of ours that names its field. */
async function judge({ path, init }: Asked): Promise<number> {
  broken = [];
  const response = await http.request(`http://localhost${path}`, init);
  const text = await response.text();
  const said = `${init.method} ${path.slice(0, 300)} ${String(init.body ?? "").slice(0, 500)} → ${response.status} ${text.slice(0, 300)} ${JSON.stringify(broken)}`;
  if (response.status >= 500) throw new Error(said);
  if (response.status < 400) return response.status;
  if (leaks.test(text)) throw new Error(`leaks: ${said}`);
  // A page for people says what is wrong in its own words.
  if (path.startsWith("/f/") && response.headers.get("content-type")?.startsWith("text/html"))
    return response.status;
  const body = JSON.parse(text) as { code: string; fields?: unknown };
  if (!Object.hasOwn(failures, body.code)) throw new Error(`unknown code: ${said}`);
  if (body.code !== "request.invalid") return response.status;
  const { fields } = body;
  const named =
    Array.isArray(fields) &&
    fields.length > 0 &&
    fields.every((name) => typeof name === "string" && name !== "");
  if (!named) throw new Error(`names no field: ${said}`);
  return response.status;
}

const part = (value: unknown): string =>
  typeof value === "string" ? value : (JSON.stringify(value) ?? "");
const encoded = (value: unknown): string =>
  encodeURIComponent(part(value).toWellFormed())
    .slice(0, 4_000)
    .replace(/%[0-9A-F]?$/, "");
function asked(method: string, path: string, value: unknown, person: boolean): Asked {
  const given: Record<string, unknown> =
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? { ...value }
      : { body: value };
  const to = path.replaceAll(/:(\w+)/g, (_, name: string) => {
    const at = encoded(given[name] ?? "x") || "%20";
    delete given[name];
    return at;
  });
  const headers: Record<string, string> = {
    host: "localhost",
    "idempotency-key": randomUUID(),
    "content-type": "application/json",
  };
  if (person) headers["x-person"] = "1";
  if (method !== "GET") return { path: to, init: { method, headers, body: JSON.stringify(given) } };
  const query = Object.entries(given).map(([name, one]) => `${encoded(name)}=${encoded(one)}`);
  return { path: `${to}?${query.join("&")}`.slice(0, 16_000), init: { method, headers } };
}

test.each(
  allRoutes.map(({ endpoint }) => [`${endpoint.method} ${endpoint.path}`, endpoint] as const),
)(
  "%s",
  async (name, { method, path, input, permission }) => {
    const person = permission === "person";
    await fc.assert(
      fc.asyncProperty(
        fitting(input, ids),
        fc.array(fc.tuple(fc.nat(), fc.constantFrom(...naughty)), { maxLength: 2 }),
        async (value, spoils) => {
          const bad = spoils.reduce((so, [at, what]) => spoil(so, at, what), value);
          const status = await judge(asked(method, path, bad, person));
          reached.set(name, Math.min(status, reached.get(name) ?? status));
        },
      ),
      { numRuns: runs, seed, endOnFailure: true },
    );
  },
  120_000,
);

test("the inputs get beyond the door: most endpoints did at least one of them", () => {
  const done = [...reached.values()].filter((status) => status < 300).length;
  expect(reached.size).toBe(allRoutes.length);
  // Doors of other systems' clients let nobody in without a key of a source: src/doors tries them with one.
  const doors = allRoutes.filter(({ endpoint }) => endpoint.ownDoor).length;
  expect(done).toBeGreaterThan((allRoutes.length - doors) * 0.5);
});

test("bodies that are no JSON, or hardly any, at every endpoint that reads one", async () => {
  const files = JSON.parse(
    readFileSync("test/data/badinputs/jsontestsuite/test_parsing.json", "utf8"),
  ) as Record<string, string>;
  const bodies = [
    ...Object.values(files).map((bytes) => Buffer.from(bytes, "base64")),
    Buffer.from("[".repeat(20_000)),
    Buffer.from(`{"a":${"[".repeat(20_000)}`),
  ];
  const reading = allRoutes.filter(({ endpoint }) => endpoint.method !== "GET");
  for (const [i, body] of bodies.entries())
    for (const { endpoint } of reading.filter((_, j) => (i + j) % 8 === 0)) {
      const { path, init } = asked(
        endpoint.method,
        endpoint.path,
        {},
        endpoint.permission === "person",
      );
      await judge({ path, init: { ...init, body } });
    }
}, 120_000);
