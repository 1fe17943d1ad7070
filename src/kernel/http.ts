import { Hono, type Context } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { IncomingMessage } from "node:http";
import { dayOf } from "./clock.ts";
import { sameBytes, sha256 } from "./crypto.ts";
import { admits, commands, type Refusal } from "./command.ts";
import type { Actor, House, Reading, Route } from "./endpoint.ts";
import { invalid } from "./invalid.ts";
import { parseJson, unstorable } from "./json.ts";
import { faultOf } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import { openapi } from "./openapi.ts";
import { fail, filled, ok, type Fail, type Result } from "./result.ts";
import { isAway, isPassing } from "./sql.ts";

export type Failure = { status: ContentfulStatusCode; zh: string; en: string };
export type RequestFailure =
  | Refusal
  | `request.${"unknown" | "too_large" | "broken" | "away" | "misdirected" | "cross_site" | "too_many"}`;
export type Authenticate = (
  request: Request,
  remote: string,
) => Promise<Result<Actor, "request.unauthenticated" | "request.cross_site">>;
export type Web = {
  house: House;
  authenticate: Authenticate;
  routes: readonly Route[];
  failures: Record<string, Failure>;
  /** Host names (no port) this server answers to. */
  hosts: ReadonlySet<string>;
  /** Addresses whose X-Forwarded-For is believed. */
  proxies: ReadonlySet<string>;
  metrics: Metrics;
  metricsKey: string | null;
  /** Are engines, migrations and workers up? */
  ready: () => Promise<boolean>;
  /** Whatever no endpoint serves: the console's pages. */
  pages?: (request: Request) => Promise<Response | null>;
  version: string;
};

/** A body beyond this is refused before it is read to its end. Endpoints that take more read for themselves. */
const bodyLimitBytes = 1024 * 1024;
export const anonymous: Actor = {
  id: "anonymous",
  permissions: new Set(),
  scope: { kind: "all" },
};

const securityHeaders: Record<string, string> = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "permissions-policy": "camera=(), microphone=(), geolocation=()",
};

/** The better liked of our two languages (RFC 9110, 12.5.4); Chinese where neither is named. */
export function languageOf(acceptLanguage: string | null | undefined): "zh" | "en" {
  const liked = { zh: 0, en: 0 };
  for (const part of (acceptLanguage ?? "").slice(0, 1000).split(",")) {
    const [, name = "", q = "1"] =
      /^\s*(zh|en)(?:-[\w-]+)?\s*(?:;\s*q=([\d.]+))?\s*$/i.exec(part) ?? [];
    const language = name.toLowerCase();
    if (language === "zh" || language === "en")
      // The first named is preferred among equals.
      liked[language] ||= Number(q) > liked[language === "zh" ? "en" : "zh"] ? Number(q) : 0;
  }
  return liked.en > liked.zh ? "en" : "zh";
}

/**
 * The body's bytes, straight from the socket's stream where there is one: as a web stream they cost more than all the
 * rest of a small request. What is longer than the limit is not read to its end.
 */
async function bodyOf(c: Context, limitBytes: number): Promise<Buffer | null> {
  const { incoming: from } = (c.env ?? {}) as { incoming?: unknown };
  const incoming = from instanceof IncomingMessage ? from : null;
  const stream: AsyncIterable<Uint8Array> | null = incoming ?? c.req.raw.body;
  if (!stream) return Buffer.alloc(0);
  if (Number(c.req.header("content-length") ?? 0) > limitBytes) return null;
  const parts: Uint8Array[] = [];
  let length = 0;
  if (!incoming) {
    for await (const part of stream) {
      if ((length += part.length) > limitBytes) return null;
      parts.push(part);
    }
    return Buffer.concat(parts);
  }
  return new Promise((resolve, reject) => {
    incoming.on("data", (part: Buffer) => {
      if ((length += part.length) > limitBytes) {
        incoming.pause();
        resolve(null);
      } else parts.push(part);
    });
    incoming.on("end", () =>
      resolve(parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts)),
    );
    incoming.on("close", () => reject(new Error("the request broke off")));
    incoming.on("error", reject);
  });
}

/** Turns routes into a web server. Nothing else speaks HTTP. */
export function server(web: Web): Hono {
  const { house, failures, metrics } = web;
  const submit = commands(house);

  /** The one place that makes RFC 9457 JSON. Title is the sentence; data become members beside it. */
  const problem = (c: Context, { code, data }: Fail<string>) => {
    const { status, ...sentence } = failures[code] ?? failures["request.broken"]!;
    const language = languageOf(c.req.header("accept-language"));
    const title = filled(sentence[language], data, language);
    const told = Object.fromEntries(
      Object.entries(data ?? {}).map(([name, value]) => [
        name,
        typeof value === "object" && !Array.isArray(value) ? value[language] : value,
      ]),
    );
    const { fields } = told;
    // What a refusal says of one of its fields stands with the field's name for whoever reads no list.
    const detail =
      Array.isArray(fields) && told["detail"] === undefined && code !== "request.invalid"
        ? { detail: `${fields.join(", ")}${language === "zh" ? "：" : ": "}${title}` }
        : {};
    const body = { ...told, ...detail, type: `/help/${code}`, title, status, code };
    const retry: Record<string, string> =
      status === 503 || status === 429
        ? { "retry-after": String(data?.["retryAfterSeconds"] ?? 1) }
        : {};
    return c.json(body, status, {
      "content-type": "application/problem+json",
      "content-language": language,
      vary: "accept-language",
      ...retry,
    });
  };
  const remoteOf = (c: Context): string => {
    const incoming = (c.env as { incoming?: { socket?: { remoteAddress?: string } } } | undefined)
      ?.incoming;
    const socket = incoming?.socket?.remoteAddress ?? "";
    const forwarded = c.req.header("x-forwarded-for");
    if (!forwarded || !web.proxies.has(socket)) return socket;
    return forwarded.split(",").at(-1)!.trim();
  };

  const app = new Hono();
  app.use(async (c, next) => {
    const host = /^(\[[^\]]*\]|[^:]*)(:\d+)?$/.exec(c.req.header("host") ?? "")?.[1] ?? "";
    const requestId = house.newId();
    c.set("requestId" as never, requestId as never);
    const started = performance.now();
    if (web.hosts.has(host.toLowerCase())) await next();
    else c.res = problem(c, fail("request.misdirected"));
    for (const [name, value] of Object.entries(securityHeaders))
      if (!c.res.headers.has(name)) c.res.headers.set(name, value);
    if (!c.res.headers.has("cache-control")) c.res.headers.set("cache-control", "no-store");
    c.res.headers.set("x-request-id", requestId);
    const route = (c.get("route" as never) as string | undefined) ?? "other";
    const seconds = (performance.now() - started) / 1000;
    metrics.requests.observe({ route, status: String(c.res.status) }, seconds);
    house.log.debug({ event: "http", requestId, route, status: c.res.status, seconds });
  });
  const tooLarge = (c: Context) => problem(c, fail("request.too_large"));
  const limited = bodyLimit({ maxSize: bodyLimitBytes, onError: tooLarge });
  app.onError((error, c) => {
    if (isAway(error)) return problem(c, fail("request.away"));
    if (isPassing(error)) return problem(c, fail("request.busy"));
    const requestId = c.get("requestId" as never) as string;
    house.log.error({ event: "request.broken", requestId, ...faultOf(error) });
    return problem(c, fail("request.broken"));
  });

  app.get("/healthz", (c) => c.text("ok"));
  app.get("/readyz", async (c) =>
    (await web.ready()) ? c.text("ready") : c.text("starting", 503),
  );
  app.get("/metrics", async (c) => {
    if (!web.metricsKey) return problem(c, fail("request.unknown"));
    const shown = sha256(c.req.header("authorization") ?? "");
    if (!sameBytes(shown, sha256(`Bearer ${web.metricsKey}`)))
      return problem(c, fail("request.unauthenticated"));
    return c.text(await metrics.registry.metrics());
  });
  app.get("/openapi.json", (c) =>
    c.json(
      openapi(
        web.routes.map(({ endpoint }) => endpoint),
        failures,
        web.version,
        new Set(web.routes.flatMap(({ kind, endpoint }) => (kind === "command" ? endpoint : []))),
      ),
    ),
  );
  app.get("/help/:code", (c) => {
    const code = c.req.param("code");
    const known = Object.hasOwn(failures, code) ? failures[code] : undefined;
    if (!known) return problem(c, fail("request.unknown"));
    return c.text(`${code} (${known.status})\n\n${filled(known.zh)}\n${filled(known.en)}\n`);
  });

  for (const route of web.routes) {
    const { method, path, ownBody, ownBytes, ownDoor } = route.endpoint;
    const readsItself = Boolean(ownBody ?? ownBytes ?? ownDoor);
    if (!readsItself) app.on(method, path, limited);
    app.on(method, path, async (c) => {
      c.set("route" as never, `${method} ${path}` as never);
      const remote = remoteOf(c);
      const known = route.endpoint.ownDoor
        ? ok(anonymous)
        : await web.authenticate(c.req.raw, remote);
      if (!known.ok && route.endpoint.permission !== "public") return problem(c, known);
      const actor = known.ok ? known.value : anonymous;
      const refused = admits(route.endpoint, actor);
      if (refused) return problem(c, fail(refused));

      const query = c.req.query();
      const dryRun = query["dryRun"] === "true";
      delete query["dryRun"];
      let body: unknown = {};
      const takesBody = method !== "GET" && route.kind !== "direct";
      const type = c.req.header("content-type") ?? "";
      const readsHere =
        takesBody || (route.kind === "direct" && type.startsWith("application/json"));
      if (readsHere && !readsItself) {
        const parsed = parseJson((await c.req.text()) || "{}");
        if (!parsed.ok) return problem(c, fail("request.invalid", { fields: [parsed.field] }));
        if (
          typeof parsed.value !== "object" ||
          parsed.value === null ||
          Array.isArray(parsed.value)
        )
          return problem(c, fail("request.invalid", { fields: ["body"] }));
        body = parsed.value;
      }
      const params: Record<string, string> = c.req.param();
      // A door judges what it is told itself, and counts it at its source.
      const bad = ownDoor ? null : (unstorable(query) ?? unstorable(params));
      if (bad !== null) return problem(c, fail("request.invalid", { fields: [bad] }));
      const raw = { ...query, ...(body as object), ...params };

      if (route.kind === "command") {
        const key = c.req.header("idempotency-key") ?? "";
        if (key === "" || key.length > 200)
          return problem(c, fail("request.invalid", { fields: ["Idempotency-Key"] }));
        const requestId = c.get("requestId" as never) as string;
        const answer = await submit(route, { actor, key, dryRun, raw, requestId });
        for (const [name, value] of answer.headers ?? []) c.header(name, value, { append: true });
        return answer.ok ? c.json((answer.value ?? {}) as object) : problem(c, answer);
      }
      const input =
        route.endpoint.ownBody || route.endpoint.ownDoor
          ? { success: true as const, data: route.endpoint.ownDoor ? raw : {} }
          : route.endpoint.input.safeParse(raw);
      if (!input.success) return problem(c, fail("request.invalid", invalid(input.error, raw)));
      const now = house.clocks.shop();
      const reading: Reading = {
        house,
        actor,
        scope: actor.scope,
        now,
        at: house.clocks.machine(),
        today: dayOf(now, house.clocks.timeZone),
      };
      const header = (name: string, value: string) => c.header(name, value, { append: true });
      const answer =
        route.kind === "query"
          ? await route.run(reading, input.data as never)
          : await route.run(
              { ...reading, request: c.req.raw, remote, header, body: (limit) => bodyOf(c, limit) },
              input.data as never,
            );
      if (answer instanceof Response) return answer;
      if (!answer.ok) return problem(c, answer);
      return c.json(route.endpoint.output.encode(answer.value) as object);
    });
  }
  app.notFound(async (c) => {
    const page = c.req.method === "GET" && web.pages ? await web.pages(c.req.raw) : null;
    return page ?? problem(c, fail("request.unknown"));
  });
  return app;
}
