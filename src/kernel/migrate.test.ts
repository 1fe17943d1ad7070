import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { engineClause, migrate } from "./migrate.ts";
import { connect } from "./sql.ts";

/** An empty database of its own, and a folder for migrations. */
async function bare() {
  const name = `m_${randomUUID().replaceAll("-", "")}`;
  const url = new URL(process.env["TEST_OWNER_URL"]!);
  url.pathname = "/postgres";
  const admin = connect(url.href, { max: 1 });
  await admin.unsafe(`create database ${name}`);
  url.pathname = `/${name}`;
  const folder = await mkdtemp(join(tmpdir(), "liuke-migrate-"));
  const sql = connect(url.href);
  const write = (file: string, text: string) => writeFile(join(folder, file), text);
  return {
    sql,
    folder,
    write,
    run: () => migrate(sql, folder),
    [Symbol.asyncDispose]: async () => {
      await sql.end();
      await admin.unsafe(`drop database ${name} with (force)`);
      await admin.end();
      await rm(folder, { recursive: true });
    },
  };
}

test("files run once each, in order of their number, and nothing else runs", async () => {
  await using db = await bare();
  await db.write("0002_more.sql", "insert into t values (2)");
  await db.write("0001_first.sql", "create table t (n int); insert into t values (1)");
  await db.write("notes.sql", "drop table t");
  expect(await db.run()).toEqual(["0001_first.sql", "0002_more.sql"]);
  expect(await db.run()).toEqual([]);
  await db.write("0003_last.sql", "insert into t values (3)");
  expect(await db.run()).toEqual(["0003_last.sql"]);
  expect(await db.sql`select n from t order by n`).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
});

test("a file that was changed after it ran is refused by name", async () => {
  await using db = await bare();
  await db.write("0001_first.sql", "create table t (n int)");
  await db.run();
  await db.write("0001_first.sql", "create table t (n bigint)");
  await db.write("0002_more.sql", "drop table t");
  await expect(db.run()).rejects.toThrow("0001_first.sql was changed");
  expect(await db.sql`select from t`).toEqual([]);
});

test("a file that fails leaves nothing, those before it stay, and it may be mended and run again", async () => {
  await using db = await bare();
  await db.write("0001_first.sql", "create table t (n int)");
  await db.write("0002_bad.sql", "insert into t values (1); select 1 / 0");
  await expect(db.run()).rejects.toThrow("division by zero");
  expect(await db.sql`select from t`).toEqual([]);
  await db.write("0002_bad.sql", "insert into t values (1)");
  expect(await db.run()).toEqual(["0002_bad.sql"]);
});

test("assertions: any row of any of their queries stops the migration and takes it back", async () => {
  await using db = await bare();
  await db.write("0001_first.sql", "create table t (n int); insert into t values (-1)");
  await db.run();
  await db.write("0002_data.sql", "update t set n = n + 1");
  await db.write("0002_data.before.sql", "select 1 where false; select n from t where n < 0");
  await expect(db.run()).rejects.toThrow("0002_data.sql before: 1 rows");
  await db.write("0002_data.before.sql", "select n from t where n > 0; select 1 where false;");
  await db.write("0002_data.after.sql", "select n from t where n = 0");
  await expect(db.run()).rejects.toThrow("0002_data.sql after: 1 rows");
  expect(await db.sql`select n from t`).toEqual([{ n: -1 }]);
  await db.write("0002_data.after.sql", "select n from t where n <> 0");
  expect(await db.run()).toEqual(["0002_data.sql"]);
  expect(await db.sql`select n from t`).toEqual([{ n: 0 }]);
});

test("many migrators at once, on a database that has nothing yet: every file runs once", async () => {
  await using db = await bare();
  for (let i = 1; i <= 5; i++)
    await db.write(
      `000${i}_step.sql`,
      i === 1 ? "create table t (n int)" : `insert into t values (${i})`,
    );
  const done = await Promise.all(Array.from({ length: 5 }, () => db.run()));
  expect(done.flat().toSorted()).toEqual(
    Array.from({ length: 5 }, (_, i) => `000${i + 1}_step.sql`),
  );
  expect(await db.sql`select n from t order by n`).toEqual([2, 3, 4, 5].map((n) => ({ n })));
});

test("one function puts in the engine clause", () => {
  const text =
    "create table t (a Int8) engine = {engine:ReplacingMergeTree(version)} order by a; {engine:MergeTree}";
  expect(engineClause(text, false)).toBe(
    "create table t (a Int8) engine = ReplacingMergeTree(version) order by a; MergeTree()",
  );
  expect(engineClause(text, true)).toContain("ReplicatedReplacingMergeTree(version)");
  expect(engineClause("{engine:MergeTree}", true)).toBe("ReplicatedMergeTree()");
});
