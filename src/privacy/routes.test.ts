import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { allRoutes } from "../app.ts";
import { sealAudit, verifyAudit } from "#kernel/audit-chain.ts";
import { nodesFor } from "#people/service.ts";
import { callers, web } from "../../test/authz.ts";
import { world } from "../../test/database.ts";

type Line = {
  id: string;
  actor: string;
  endpoint: string;
  outcome: string;
  target: Record<string, string>;
  seal: string | null;
};
type Page = { lines: Line[]; next: string | null };

/** A house with people, and somebody of each role. */
async function house() {
  const shop = await world();
  const all = await callers(shop.house);
  const headers = (name: string) => all.find((caller) => caller.name === name)!.headers;
  const sent = ["ann", "bob", "eve"].map((value) => {
    const at = shop.clock.shop;
    return { type: "user_id", value, at } as const;
  });
  const nodes = await shop.sql.begin((tx) => nodesFor(shop.house, tx, randomUUID(), sent));
  const people = [...nodes.values()].map(({ personId }) => personId);
  return Object.assign(shop, { ask: web(shop.house, allRoutes), headers, people });
}

test("the audit shows who did what to whom, latest first, page by page, and what became of it", async () => {
  await using shop = await house();
  const { ask, headers, people } = shop;
  const owner = headers("owner");
  for (const person of [...people, randomUUID()])
    await ask("DELETE", `/v1/members/${person}`, { headers: owner });
  const asked = (query: string) =>
    ask("GET", `/v1/audit?${query}`, { headers: headers("auditor") });
  const page = async (query: string) => (await asked(query)).body as Page;
  const first = await page("limit=3");
  expect(first.lines.map(({ outcome, seal }) => [outcome, seal])).toEqual([
    ["people.unknown", null],
    ["ok", null],
    ["ok", null],
  ]);
  expect(first.lines[1]).toMatchObject({
    endpoint: "DELETE /v1/members/:person",
    target: { person: people[2] },
    actor: expect.stringMatching(/^operator:/),
  });
  while ((await sealAudit(shop.house, "test")) > 0);
  const second = await page(`limit=3&after=${first.next}`);
  expect(second.lines[0]).toMatchObject({ target: { person: people[0] }, outcome: "ok" });
  expect(second.lines[0]!.seal).toMatch(/^\d+$/);
  expect(new Set([...first.lines, ...second.lines].map(({ id }) => id)).size).toBe(
    3 + second.lines.length,
  );
  const own = await page(`actor=${encodeURIComponent(first.lines[0]!.actor)}`);
  expect(own.lines).toHaveLength(4);
  expect((await page("actor=operator:nobody")).lines).toEqual([]);
  expect((await asked("after=x")).status).toBe(400);
  expect((await asked("limit=1000")).status).toBe(400);
});

test("signing in, failing to, and signing out each leave a line", async () => {
  await using shop = await house();
  const { ask, headers } = shop;
  const body = { email: "nobody@example.com", password: "a wrong password" };
  expect((await ask("POST", "/v1/session", { body })).status).toBe(401);
  await ask("DELETE", "/v1/session", { headers: headers("analyst") });
  const { body: page } = await ask("GET", "/v1/audit", { headers: headers("owner") });
  const lines = (page as Page).lines.map(({ endpoint, outcome }) => `${endpoint} ${outcome}`);
  expect(lines.slice(0, 2)).toEqual([
    "DELETE /v1/session ok",
    "POST /v1/session access.wrong_sign_in",
  ]);
});

test("the head of the chain can be kept elsewhere, and later shows that it still is in the chain", async () => {
  await using shop = await house();
  const { ask, headers, people, sql } = shop;
  const head = async () =>
    (await ask("GET", "/v1/audit/head", { headers: headers("auditor") })).body as {
      seq: string;
      hash: string;
      waiting: number;
    };
  const lines = async () => (await sql`select from audit`).count;
  expect(await head()).toEqual({ seq: "0", hash: "", waiting: await lines() });
  while ((await sealAudit(shop.house, "test")) > 0);
  const kept = await head();
  expect(kept).toMatchObject({ seq: String(await lines()), waiting: 0 });
  expect(kept.hash).toMatch((await lines()) > 0 ? /^[0-9a-f]{64}$/ : /^$/);
  await ask("DELETE", `/v1/members/${people[0]}`, { headers: headers("owner") });
  while ((await sealAudit(shop.house, "test")) > 0);
  const later = await head();
  expect(BigInt(later.seq)).toBe(BigInt(kept.seq) + 1n);
  const heads = [kept, later]
    .filter(({ hash }) => hash !== "")
    .map(({ seq, hash }) => ({ seq, hash, at: "" }));
  expect((await verifyAudit(sql, shop.house.keys, heads)).ok).toBe(true);
});

test("only whoever may erase sees what was erased, page by page", async () => {
  await using shop = await house();
  const { ask, headers, people, clock } = shop;
  for (const person of people) {
    clock.machine = new Date(clock.machine.getTime() + 1000);
    await ask("DELETE", `/v1/members/${person}`, { headers: headers("owner") });
  }
  type Listed = { erasures: { person: string; completeAt: null }[]; next: string | null };
  const list = async (query: string) =>
    (await ask("GET", `/v1/erasures?${query}`, { headers: headers("owner") })).body as Listed;
  const first = await list("limit=2");
  expect(first.erasures.map(({ person }) => person)).toEqual([people[2], people[1]]);
  const second = await list(`limit=2&after=${first.next}`);
  expect(second.erasures.map(({ person }) => person)).toEqual([people[0]]);
  expect(second.next).toBeNull();
  for (const role of ["operator", "analyst", "agent", "auditor"]) {
    const { status } = await ask("GET", "/v1/erasures", { headers: headers(role) });
    expect({ role, status }).toEqual({ role, status: 403 });
  }
});
