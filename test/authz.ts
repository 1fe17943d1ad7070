// The authorisation matrix: every endpoint against everybody who could come. What is expected is derived from the role
// table and the endpoint's own permission, so a new endpoint or role is in it without anybody writing a line.
import { randomUUID } from "node:crypto";
import type { Hono } from "hono";
import { SignJWT } from "jose";
import { authenticate, createKey, createPersonTokenKey } from "../src/access/service.ts";
import { permissions, permissionsOf, roles, table, type Role } from "../src/access/rules.ts";
import type { House, Route } from "../src/kernel/endpoint.ts";
import { server, type Failure } from "../src/kernel/http.ts";
import { newMetrics } from "../src/kernel/metrics.ts";
import { seal, sha256 } from "../src/kernel/crypto.ts";
import { nodesFor } from "../src/people/service.ts";
import { failures } from "../src/lang/failures.ts";

const host = "localhost:8420";
export const origin = `http://${host}`;

/** A web server over a house and some routes, as the program makes it; `remote` plays the socket. */
export function web(house: House, routes: readonly Route[]) {
  const http: Hono = server({
    house,
    authenticate: authenticate(house),
    routes,
    failures: failures as Record<string, Failure>,
    hosts: new Set(["localhost", "127.0.0.1"]),
    proxies: new Set(),
    metrics: newMetrics(),
    metricsKey: null,
    ready: async () => true,
    version: "test",
  });
  /** `text` goes as it is, where a test asks what no client would send. */
  type Asked = { body?: unknown; text?: string; headers?: Record<string, string>; remote?: string };
  return async (method: string, path: string, { body, text: raw, headers, remote }: Asked = {}) => {
    const json: Record<string, string> =
      method === "GET" ? {} : { "content-type": "application/json", origin };
    const init: RequestInit = {
      method,
      headers: {
        host,
        "idempotency-key": randomUUID(),
        "accept-language": "en",
        ...json,
        ...headers,
      },
      ...(method === "GET" ? {} : { body: raw ?? JSON.stringify(body ?? {}) }),
    };
    const env = { incoming: { socket: { remoteAddress: remote ?? "203.0.113.7" } } };
    const response = await http.request(`${origin}${path}`, init, env);
    const text = await response.text();
    return {
      status: response.status,
      body: /[/+]json(;|$)/.test(response.headers.get("content-type") ?? "")
        ? (JSON.parse(text) as Record<string, unknown>)
        : {},
      text,
      headers: response.headers,
    };
  };
}
export type Ask = ReturnType<typeof web>;

/** "absent" is nobody at all, "refused" somebody whose credential is not right. */
export type Caller = {
  name: string;
  headers: Record<string, string>;
  who:
    | { kind: "absent" }
    | { kind: "refused" }
    | { kind: "holds"; permissions: ReadonlySet<string>; scope: "all" | "merchants" | "cases" }
    | { kind: "person" };
};

/** Everybody who could come, with real credentials in the database: each role, each state of a key, each token. */
export async function callers(house: House): Promise<Caller[]> {
  const at = house.clocks.machine();
  const cookieFor = (token: string) => ({ cookie: `liuke_session=${token}` });
  const fields = house.keys.signing("access.fields");
  const refused = { kind: "refused" } as const;
  const made: Caller[] = [
    { name: "anonymous", headers: {}, who: { kind: "absent" } },
    { name: "unknown session", headers: cookieFor("nobody"), who: refused },
    { name: "unknown key", headers: { authorization: "Bearer lk_nobody" }, who: refused },
    { name: "no scheme we know", headers: { authorization: "Digest x" }, who: refused },
  ];
  const session = async (role: Role, ageMs: number, disabled: boolean) => {
    const id = house.newId();
    const token = `session-${id}`;
    const begun = new Date(at.getTime() - ageMs);
    const operator = {
      id,
      emailBlind: sha256(id),
      email: seal(fields, `${id}@example.com`, `access_operator|email|${id}`),
      name: seal(fields, "Somebody", `access_operator|name|${id}`),
      role,
      merchants: ["another-merchant"],
      password: "none",
      createdAt: begun,
      disabledAt: disabled ? at : null,
    };
    await house.sql`insert into access_operator ${house.sql(operator)}`;
    const row = {
      hash: sha256(token),
      operatorId: id,
      remote: sha256(""),
      createdAt: begun,
      seenAt: begun,
    };
    await house.sql`insert into access_session ${house.sql(row)}`;
    return cookieFor(token);
  };
  const day = 86_400_000;
  for (const role of roles) {
    const who = {
      kind: "holds",
      permissions: permissionsOf(role),
      scope: table[role].scope,
    } as const;
    made.push({ name: role, headers: await session(role, 0, false), who });
    const old = await session(role, 8 * day, false);
    made.push({ name: `${role}, session expired`, headers: old, who: refused });
    const idle = await session(role, day / 2, false);
    made.push({ name: `${role}, idle for 12 hours`, headers: idle, who: refused });
    const gone = await session(role, 0, true);
    made.push({ name: `${role}, disabled`, headers: gone, who: refused });
    const good = made.find(({ name }) => name === role)!.headers;
    const foreign = { ...good, origin: "https://evil.example", "sec-fetch-site": "cross-site" };
    made.push({ name: `${role}, from another site`, headers: foreign, who: refused });
    const both = { ...good, authorization: "Bearer lk_nobody" };
    made.push({ name: `${role}, beside an unknown key`, headers: both, who: refused });
  }

  const actor = {
    id: "system:test",
    permissions: new Set<string>(permissions),
    scope: { kind: "all" },
  } as const;
  const context = { actor, at, newId: house.newId, house };
  await house.sql.begin(async (tx) => {
    const key = async (
      merchants: string[] | null,
      expiresAt: Date | null,
      more: readonly string[],
    ) => {
      const key = await createKey(
        { ...context, tx },
        { name: "key", permissions: more, merchants, expiresAt },
      );
      if (!key.ok) throw new Error(key.code);
      return key.value;
    };
    const bearer = (text: string) => ({ authorization: `Bearer ${text}` });
    const every = new Set<string>(permissions);
    const full = await key(null, null, permissions);
    made.push({
      name: "key",
      headers: bearer(full.key),
      who: { kind: "holds", permissions: every, scope: "all" },
    });
    const basic = { authorization: `Basic ${Buffer.from(`${full.key}:`).toString("base64")}` };
    made.push({
      name: "key by Basic",
      headers: basic,
      who: { kind: "holds", permissions: every, scope: "all" },
    });
    const narrow = await key(["another-merchant"], null, permissions);
    made.push({
      name: "key of another merchant",
      headers: bearer(narrow.key),
      who: { kind: "holds", permissions: every, scope: "merchants" },
    });
    const little = await key(null, null, ["events:write"]);
    made.push({
      name: "key for events only",
      headers: bearer(little.key),
      who: { kind: "holds", permissions: new Set(["events:write"]), scope: "all" },
    });
    const expired = await key(null, at, permissions);
    made.push({ name: "key, expired", headers: bearer(expired.key), who: refused });
    const revoked = await key(null, null, permissions);
    await tx`update access_key set revoked_at = ${at} where id = ${revoked.id}`;
    made.push({ name: "key, revoked", headers: bearer(revoked.key), who: refused });
  });
  for (const { name, token, good } of await tokens(house))
    made.push({
      name: `person token, ${name}`,
      headers: { authorization: `Bearer ${token}` },
      who: good ? { kind: "person" } : refused,
    });
  return made;
}

/** Person tokens of one shopper, "shopper-1": a good one, and one for each way to be wrong. */
export async function tokens(house: House) {
  const at = house.clocks.machine();
  const source = randomUUID();
  const actor = {
    id: "system:test",
    permissions: new Set<string>(),
    scope: { kind: "all" },
  } as const;
  const make = () =>
    house.sql.begin(async (tx) => {
      const context = { tx, house, actor, at, newId: house.newId };
      const asked = { source, algorithm: "HS256", publicKey: null } as const;
      const key = await createPersonTokenKey(context, asked);
      if (!key.ok) throw new Error(key.code);
      return { id: key.value.id, secret: Buffer.from(key.value.secret!, "base64url") };
    });
  const key = await make();
  const other = await make();
  await house.sql`update access_token_key set revoked_at = ${at} where id = ${other.id}`;
  const sender = { type: "user_id", value: "shopper-1", at: house.clocks.shop() } as const;
  const nodes = await house.sql.begin((tx) => nodesFor(house, tx, source, [sender]));
  const { personId } = [...nodes.values()][0]!;

  const now = Math.floor(at.getTime() / 1000);
  const good = { sub: "shopper-1", aud: "liuke", iat: now, exp: now + 3600 };
  const header = { alg: "HS256", kid: key.id };
  const sign = (claims: object, head: object = header, secret: Uint8Array = key.secret) =>
    new SignJWT(claims as never).setProtectedHeader(head as never).sign(new Uint8Array(secret));
  const signed = await sign(good);
  const [head, body, mark] = signed.split(".");
  const text = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const { exp: _, ...endless } = good;
  const { aud: __, ...open } = good;
  const list = [
    ["right", signed, true],
    ["another audience", await sign({ ...good, aud: "shop" })],
    ["no audience", await sign(open)],
    ["expired", await sign({ ...good, iat: now - 3600, exp: now - 31 })],
    ["from the future", await sign({ ...good, iat: now + 60, exp: now + 120 })],
    ["longer than an hour", await sign({ ...good, exp: now + 3601 })],
    ["without an end", await sign(endless)],
    ["of nobody we know", await sign({ ...good, sub: "shopper-2" })],
    ["for no one", await sign({ ...good, sub: "" })],
    ["revoked key", await sign(good, { ...header, kid: other.id }, other.secret)],
    ["another's secret", await sign(good, header, other.secret)],
    ["unknown key", await sign(good, { ...header, kid: randomUUID() })],
    ["no key named", await sign(good, { alg: "HS256" })],
    [
      "another algorithm",
      await sign(good, { ...header, alg: "HS512" }, Buffer.concat([key.secret, key.secret])),
    ],
    ["no signature", `${text({ ...header, alg: "none" })}.${body}.`],
    ["claims changed", `${head}.${text({ ...good, sub: "shopper-3" })}.${mark}`],
    ["no token at all", "x"],
    ["far too long", `${signed}${"A".repeat(8000)}`],
  ] as const;
  return list.map(([name, token, right = false]) => ({
    name,
    token,
    good: right,
    personId,
    source,
  }));
}

/** What the answer must not be, or must be, by the endpoint's permission alone. */
type Expected = "refused" | "forbidden" | "let in";
function expected({ permission, scopes }: Route["endpoint"], { who }: Caller): Expected {
  if (permission === "public") return "let in";
  if (who.kind === "absent" || who.kind === "refused") return "refused";
  if (who.kind === "person") return permission === "person" ? "let in" : "forbidden";
  if (!who.permissions.has(permission)) return "forbidden";
  return who.scope === "all" || scopes?.includes(who.scope) ? "let in" : "forbidden";
}

/** Endpoints whose permission is none that anybody could hold. */
export const undeclared = (routes: readonly Route[]): string[] => {
  const held = new Set(["public", "person", ...roles.flatMap((role) => [...permissionsOf(role)])]);
  return routes
    .filter(({ endpoint }) => !held.has(endpoint.permission))
    .map(({ endpoint }) => `${endpoint.method} ${endpoint.path}: ${endpoint.permission}`);
};

/**
 * Asks every endpoint as every caller, commands as dry runs, with ids that belong to nobody. A public endpoint may say
 * 401 or 403 for a reason of its own (a wrong password); to all others these mean that the caller may not come at all.
 */
export async function matrix(ask: Ask, routes: readonly Route[], all: readonly Caller[]) {
  const wrong: string[] = [];
  let cells = 0;
  for (const { endpoint, kind } of routes)
    for (const caller of all) {
      // Signing out is the one act that would take the next cell's session away.
      const path = endpoint.path.replaceAll(/:\w+/g, () => randomUUID());
      if (
        path === "/v1/session" &&
        endpoint.method === "DELETE" &&
        expected(endpoint, caller) === "let in"
      )
        continue;
      cells++;
      const query = kind === "command" ? "?dryRun=true" : "";
      const { status, body } = await ask(endpoint.method, path + query, {
        headers: caller.headers,
      });
      const code = String(body["code"] ?? "");
      const want = expected(endpoint, caller);
      // The person in the path is nobody's: whoever sees their own cases only may be told so.
      const narrowed =
        caller.who.kind === "holds" &&
        caller.who.scope !== "all" &&
        endpoint.path.includes(":person");
      const right =
        want === "refused"
          ? status === 401 || code === "request.cross_site"
          : want === "forbidden"
            ? status === 403 || code === "request.cross_site"
            : endpoint.permission === "public"
              ? status < 500
              : (status !== 401 && status !== 403 && status < 500) || (status === 403 && narrowed);
      if (!right)
        wrong.push(
          `${endpoint.method} ${endpoint.path} as ${caller.name}: ${status} ${code}, wanted ${want}`,
        );
    }
  return { cells, wrong };
}

/**
 * A person whom a scoped caller was not given has to look like one who does not exist: reads of `somebody` and of
 * nobody are compared for every caller whose scope is cases. Neither may be a success that differs.
 */
export async function strangers(
  ask: Ask,
  routes: readonly Route[],
  all: readonly Caller[],
  somebody: string,
) {
  const wrong: string[] = [];
  let cells = 0;
  for (const { endpoint } of routes)
    for (const caller of all) {
      const scoped = caller.who.kind === "holds" && caller.who.scope === "cases";
      if (endpoint.method !== "GET" || !endpoint.path.includes(":person")) continue;
      if (!scoped || expected(endpoint, caller) !== "let in") continue;
      cells++;
      const look = async (person: string) => {
        const path = endpoint.path.replace(":person", person).replaceAll(/:\w+/g, randomUUID());
        const { status, body } = await ask("GET", path, { headers: caller.headers });
        return JSON.stringify({ status, body }).replaceAll(person, "person");
      };
      if ((await look(somebody)) !== (await look(randomUUID())))
        wrong.push(`${endpoint.method} ${endpoint.path} shows ${caller.name} a stranger`);
    }
  return { cells, wrong };
}
