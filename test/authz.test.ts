import { expect, test } from "vitest";
import { z } from "zod";
import { routes as own } from "../src/access/routes.ts";
import { allRoutes } from "../src/app.ts";
import { answer, endpoint, type Route } from "../src/kernel/endpoint.ts";
import { ok } from "../src/kernel/result.ts";
import { callers, matrix, strangers, tokens, undeclared, web } from "./authz.ts";
import { world, type World } from "./database.ts";

const routes: readonly Route[] = [
  ...allRoutes,
  ...own.filter(({ endpoint: { method, path } }) =>
    allRoutes.every((r) => r.endpoint.method !== method || r.endpoint.path !== path),
  ),
];
/** What a shopper sees of themselves: only to try tokens on, where the house has no such page yet. */
const mine = answer(
  endpoint({
    method: "GET",
    path: "/v1/me",
    permission: "person",
    summary: { zh: "我", en: "Me" },
    input: z.strictObject({}),
    output: z.object({ person: z.string() }),
    failures: [],
  }),
  async ({ scope }) => ok({ person: scope.kind === "person" ? scope.person.personId : "" }),
);

test("every endpoint names a permission that somebody can hold", () => {
  expect(routes.length).toBeGreaterThan(20);
  expect(undeclared(routes)).toEqual([]);
  const stray = { ...mine, endpoint: { ...mine.endpoint, permission: "nobody:holds" } };
  expect(undeclared([stray])).toEqual(["GET /v1/me: nobody:holds"]);
});

test("every endpoint lets in whom its permission says, and nobody else", async () => {
  await using shop = await world();
  const all = await callers(shop.house);
  const table = [...routes, mine];
  const { cells, wrong } = await matrix(web(shop.house, table), table, all);
  expect(wrong).toEqual([]);
  expect(cells).toBeGreaterThan(routes.length * 60);
}, 300_000);

test("the matrix itself finds an endpoint that is left open", async () => {
  await using shop = await world();
  const all = await callers(shop.house);
  const open = { ...mine, endpoint: { ...mine.endpoint, permission: "public" } };
  const said = { ...mine, endpoint: { ...mine.endpoint, permission: "members:read" } };
  // Served as one thing and declared as another: what a forgotten check would look like.
  const { wrong } = await matrix(web(shop.house, [open]), [said], all);
  expect(wrong).toContain("GET /v1/me as anonymous: 200 , wanted refused");
  expect(wrong).toContain("GET /v1/me as auditor: 200 , wanted forbidden");
});

test("a person who was not given to an agent looks like one who does not exist", async () => {
  await using shop = await world();
  const all = await callers(shop.house);
  const [{ personId } = { personId: "" }] = await tokens(shop.house);
  const look = answer(
    endpoint({
      method: "GET",
      path: "/v1/members/:person/look",
      permission: "members:read",
      scopes: ["cases"],
      summary: { zh: "看", en: "Look" },
      input: z.strictObject({ person: z.uuid() }),
      output: z.object({ known: z.boolean() }),
      failures: [],
    }),
    async ({ house }, { person }) => {
      const rows = await house.sql`select from people_way where person_id = ${person}`;
      return ok({ known: rows.count === 1 });
    },
  );
  const ask = web(shop.house, [...routes, look]);
  expect((await strangers(ask, routes, all, personId)).wrong).toEqual([]);
  // A read that forgets its scope is found.
  const { cells, wrong } = await strangers(ask, [look], all, personId);
  expect({ cells, wrong }).toEqual({
    cells: 1,
    wrong: ["GET /v1/members/:person/look shows agent a stranger"],
  });
});

test("a person token shows that person and nobody else; a wrong or missing one shows and moves nothing", async () => {
  await using shop = await world();
  const table = [...routes, mine];
  const ask = web(shop.house, table);
  const all = await tokens(shop.house);
  const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
  const before = await everyRow(shop.owner);
  for (const { name, token, good, personId } of all) {
    const { status, body } = await ask("GET", "/v1/me", bearer(token));
    const seen = { name, status, person: body["person"] };
    expect(seen).toEqual({ name, status: good ? 200 : 401, person: good ? personId : undefined });
  }
  // The real thing, no dry run: what a shopper could ask, and all that they could not.
  const wrong = [
    { headers: {} },
    ...all.filter(({ good }) => !good).map(({ token }) => bearer(token)),
  ];
  for (const { endpoint: e } of table)
    if (e.permission !== "public")
      for (const asked of wrong)
        expect(
          (await ask(e.method, e.path.replaceAll(/:\w+/g, all[0]!.personId), asked)).status,
        ).toBe(401);
  expect(await everyRow(shop.owner)).toEqual(before);
}, 300_000);

/** A digest of each table as it stands. */
async function everyRow(owner: World["owner"]): Promise<Record<string, string>> {
  const tables = await owner<{ name: string }[]>`
    select table_name as name from information_schema.tables
    where table_schema = 'public' and table_type = 'BASE TABLE' order by 1`;
  const found: Record<string, string> = {};
  for (const { name } of tables) {
    const [row] = await owner<{ digest: string }[]>`
      select count(*) || ' ' || coalesce(md5(string_agg(t::text, ' ' order by t::text)), '') as digest
      from ${owner(name)} t`;
    found[name] = row!.digest;
  }
  return found;
}
