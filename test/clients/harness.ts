// A real server for released clients: their own process or a real browser, loopback, and faults put in front of it.
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import { SignJWT } from "jose";
import { authenticate, createKey, createPersonTokenKey } from "../../src/access/service.ts";
import { permissions } from "../../src/access/rules.ts";
import type { Protocol } from "../../src/collect/rules.ts";
import * as collect from "../../src/collect/service.ts";
import { server } from "../../src/kernel/http.ts";
import { newMetrics } from "../../src/kernel/metrics.ts";
import { failures } from "../../src/lang/failures.ts";
import * as privacy from "../../src/privacy/service.ts";
import { allRoutes } from "../../src/app.ts";
import { web } from "../authz.ts";
import { world } from "../database.ts";

export type Fault = { status: number; headers?: Record<string, string>; body?: string };
export type Seen = {
  method: string;
  path: string;
  status: number;
  type: string;
  encoding: string;
  bytes: number;
  retry: string | null;
};
export type Stage = Awaited<ReturnType<typeof stage>>;

/** A world with a server on loopback. `faults` are answered to the next POSTs, before anything reaches the house. */
export async function stage(pages?: (request: Request) => Promise<Response | null>) {
  const here = await world();
  // Clients live in the real time.
  for (const clock of ["shop", "machine"] as const)
    Object.defineProperty(here.clock, clock, { get: () => new Date() });
  const { house } = here;
  const app = server({
    house,
    authenticate: authenticate(house),
    routes: allRoutes,
    failures,
    hosts: new Set(["localhost", "127.0.0.1"]),
    proxies: new Set(),
    metrics: newMetrics(),
    metricsKey: null,
    ready: async () => true,
    version: "test",
    ...(pages ? { pages } : {}),
  });
  const faults: Fault[] = [];
  const seen: Seen[] = [];
  const files = new Map<string, { type: string; body: string | Buffer }>();
  const listening = serve({
    fetch: async (request, env) => {
      const path = new URL(request.url).pathname;
      const file = files.get(path);
      if (file)
        return new Response(file.body as never, {
          headers: {
            "content-type": file.type,
            "access-control-allow-origin": request.headers.get("origin") ?? "*",
            "access-control-allow-credentials": "true",
          },
        });
      const fault = request.method === "POST" ? faults.shift() : undefined;
      if (fault) await request.arrayBuffer();
      const response = fault
        ? new Response(fault.body ?? "{}", {
            status: fault.status,
            headers: {
              "access-control-allow-origin": request.headers.get("origin") ?? "*",
              ...fault.headers,
            },
          })
        : await app.fetch(request, env);
      seen.push({
        method: request.method,
        path,
        status: response.status,
        type: request.headers.get("content-type") ?? "",
        encoding: request.headers.get("content-encoding") ?? "",
        bytes: Number(request.headers.get("content-length") ?? 0),
        retry: request.headers.get("x-retry-count"),
      });
      return response;
    },
    hostname: "127.0.0.1",
    port: 0,
  });
  if (!listening.listening) await once(listening, "listening");
  const { port } = listening.address() as AddressInfo;
  house.settings.publicUrl = `http://localhost:${port}`;
  const close = () =>
    new Promise<void>((resolve) => {
      listening.close(() => resolve());
      (listening as unknown as { closeAllConnections?: () => void }).closeAllConnections?.();
    });
  return {
    ...here,
    url: `http://127.0.0.1:${port}`,
    faults,
    seen,
    files,
    ask: web(house, allRoutes),
    [Symbol.asyncDispose]: async () => {
      await close();
      await here[Symbol.asyncDispose]();
    },
  };
}

const actor = {
  id: "system:test",
  permissions: new Set<string>(permissions),
  scope: { kind: "all" },
} as const;
export async function keyFor(
  { house }: Pick<Stage, "house">,
  source: { id: string; kind: "server" | "public" } | null,
  may: readonly string[] = ["events:write"],
): Promise<string> {
  const given = { name: "key", permissions: may, source };
  const made = await house.sql.begin((tx) =>
    createKey({ tx, actor, at: house.clocks.machine(), newId: house.newId }, given),
  );
  if (!made.ok) throw new Error(made.code);
  return made.value.key;
}
/** A source that speaks a protocol, made and set as an operator does, with a key of its own. */
export async function sourceOf(
  at: Stage,
  protocol: Protocol,
  kind: "server" | "public" = "server",
  settings: Record<string, unknown> = {},
  shares: string | null = null,
) {
  const owner = { authorization: `Bearer ${await keyFor(at, null, permissions)}` };
  const body = { name: `${protocol} ${kind} ${at.house.newId()}`, kind, protocol };
  const made = await at.ask("POST", "/v1/sources", { headers: owner, body });
  const id = String(made.body["id"]);
  const read = await at.ask("GET", `/v1/sources/${id}`, { headers: owner });
  const own = { ...(read.body["settings"] as object), ...settings };
  const changed = await at.ask("PATCH", `/v1/sources/${id}`, {
    headers: owner,
    body: { settings: own, shares },
  });
  if (changed.status !== 200) throw new Error(JSON.stringify(changed.body));
  return { id, kind, owner, key: await keyFor(at, { id, kind }) };
}

/** The shop's server, which signs for its shoppers: a token of each, by its own number of them. */
export async function shoppersOf({ house }: Pick<Stage, "house">, sourceId: string) {
  const made = await house.sql.begin((tx) =>
    createPersonTokenKey(
      { tx, house, actor, at: house.clocks.machine(), newId: house.newId },
      { source: sourceId, algorithm: "HS256", publicKey: null },
    ),
  );
  if (!made.ok) throw new Error(made.code);
  const secret = new Uint8Array(Buffer.from(made.value.secret!, "base64url"));
  const { id } = made.value;
  return (user: string, until = "1h") =>
    new SignJWT({ sub: user, aud: "liuke" })
      .setProtectedHeader({ alg: "HS256", kid: id })
      .setIssuedAt(until.startsWith("-") ? "-2h" : undefined)
      .setExpirationTime(until)
      .sign(secret);
}

/** What lies in the list of a source: why each was refused, and what it said. */
export const rejectedOf = async (
  at: Pick<Stage, "ask">,
  { id, owner }: { id: string; owner: Record<string, string> },
) => {
  const { body } = await at.ask("GET", `/v1/rejected?source=${id}`, { headers: owner });
  const all: { reason: string; field: string; payload: string }[] = [];
  for (const one of body["rejected"] as { id: string; reason: string; field: string }[]) {
    const opened = await at.ask("GET", `/v1/rejected/${one.id}`, { headers: owner });
    all.push({ reason: one.reason, field: one.field, payload: String(opened.body["text"]) });
  }
  return all;
};

/** Runs a client, or several at once, in a process of its own, with what each needs to know; what it says at last is JSON. */
export async function runClient(
  file: string,
  given: Record<string, unknown> | Record<string, unknown>[],
  seconds = 60,
): Promise<Record<string, unknown>> {
  const child = spawn(process.execPath, [`${import.meta.dirname}/${file}`, JSON.stringify(given)], {
    stdio: ["ignore", "pipe", "pipe"],
    timeout: seconds * 1000,
    env: { PATH: process.env["PATH"], HOME: "/nonexistent" },
  });
  let out = "";
  let err = "";
  child.stdout.on("data", (part: Buffer) => (out += part.toString()));
  child.stderr.on("data", (part: Buffer) => (err += part.toString()));
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0)
    throw new Error(`${file} ended with ${code}: ${err.slice(-2000)} ${out.slice(-500)}`);
  return JSON.parse(out.trim().split("\n").at(-1) ?? "{}") as Record<string, unknown>;
}

export type Stored = {
  id: string;
  name: string;
  at: Date;
  flags: number;
  sender: string | null; // "type:value"
  links: string[];
  data: Record<string, unknown>;
  direct: Record<string, string>;
};
/** The log of a source, opened: what is sealed, who sent it, and whom it links. */
export async function stored(
  { house, sql }: Pick<Stage, "house" | "sql">,
  sourceId: string,
): Promise<Stored[]> {
  const nodes = await sql<{ bucket: number; nodeId: string; type: string; sealed: Buffer }[]>`
    select bucket, node_id, type, sealed from people_node`;
  const keys = await privacy.nodeKeys(house, sql, [...nodes]);
  const names = new Map(
    nodes.map(({ nodeId, type, sealed }) => [
      nodeId,
      `${type}:${privacy.openSealed(keys.get(nodeId)!, "people_node|sealed", nodeId, sealed)}`,
    ]),
  );
  const rows = await sql<
    {
      id: string;
      nodeId: string | null;
      name: string;
      at: Date;
      data: Record<string, unknown>;
      sealed: Buffer | null;
      linkIds: string[] | null;
      flags: number;
    }[]
  >`select id, node_id, name, at, data, sealed, link_ids, flags from collect_event
    where source_id = ${sourceId} order by at, id`;
  return rows.map(({ id, nodeId, name, at, data, sealed, linkIds, flags }) => ({
    ...{ id, name, at, data, flags },
    sender: nodeId === null ? null : (names.get(nodeId) ?? "?"),
    links: (linkIds ?? []).map((link) => names.get(link) ?? "?").toSorted(),
    direct: nodeId !== null && sealed ? collect.openDirect(keys.get(nodeId)!, nodeId, sealed) : {},
  }));
}

const text = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));
/** What an event says, in clear and sealed together, by its own names: "sku", "traits.city". Each value as text. */
export function contents({
  data,
  direct,
}: Pick<Stored, "data" | "direct">): Record<string, string> {
  const { $traits, ...rest } = data;
  // What begins with $ is ours: the circumstances, and what the vocabulary read.
  const own = Object.fromEntries(Object.entries(rest).filter(([name]) => !name.startsWith("$")));
  const all: [string, string][] = Object.entries(own).map(([name, value]) => [name, sorted(value)]);
  for (const [name, value] of Object.entries(($traits ?? {}) as object))
    all.push([`traits.${name}`, text(value)]);
  for (const [name, value] of Object.entries(direct)) {
    if (name.startsWith("data.")) all.push([name.slice(5), reread(value)]);
    else if (/^(claim\.)?traits\.|^said\./.test(name)) all.push([name, reread(value)]);
  }
  return Object.fromEntries(all.toSorted());
}
/** JSON keeps no order of fields, and neither does PostgreSQL's. */
export function sorted(value: unknown): string {
  const order = (one: unknown): unknown =>
    Array.isArray(one)
      ? one.map(order)
      : typeof one === "object" && one !== null
        ? Object.fromEntries(
            Object.entries(one)
              .toSorted(([a], [b]) => (a < b ? -1 : 1))
              .map(([name, inner]) => [name, order(inner)]),
          )
        : one;
  return text(order(value));
}
const reread = (value: string): string => {
  if (!/^[[{]/.test(value)) return value;
  try {
    return sorted(JSON.parse(value));
  } catch {
    return value;
  }
};
export const expected = (fields: Record<string, unknown>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(fields)
      .map(([name, value]) => [name, sorted(value)] as const)
      .toSorted(),
  );
