import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { incomingFolder, insertFrom, withRows } from "./clickhouse-rows.ts";

test.each([
  ["INSERT INTO t FORMAT TSV", "INSERT INTO t FROM INFILE '/x' COMPRESSION 'none' FORMAT TSV"],
  [
    "INSERT INTO d.t (a, b) FORMAT CSV",
    "INSERT INTO d.t (a, b) FROM INFILE '/x' COMPRESSION 'none' FORMAT CSV",
  ],
  [
    "INSERT INTO t (a)\nSETTINGS max_threads = 1\nFORMAT JSONEachRow",
    "INSERT INTO t (a) FROM INFILE '/x' COMPRESSION 'none'\nSETTINGS max_threads = 1 FORMAT JSONEachRow",
  ],
])("rows come from a file: %s", (canonical, expected) => {
  expect(insertFrom("/x", canonical, canonical)).toBe(expected);
});

test.each([
  ["insert into t format TSV settings max_threads = 1", "INSERT INTO t FORMAT TSV"],
  [
    "insert into t select * from input('a UInt8') format TSV",
    "INSERT INTO t SELECT *\nFROM input('a UInt8') FORMAT TSV",
  ],
  [
    "insert into function null('a UInt8') format TSV",
    "INSERT INTO FUNCTION `null`('a UInt8') FORMAT TSV",
  ],
  [
    "create table t (a UInt8) engine = Memory",
    "CREATE TABLE t\n(\n    `a` UInt8\n)\nENGINE = Memory",
  ],
])("any other form is refused: %s", (text, canonical) => {
  expect(() => insertFrom("/x", text, canonical)).toThrow("Code: 62.");
});

test("the file is there while it is read, for its owner only, and gone afterwards, also after a failure", async () => {
  const data = await mkdtemp(join(tmpdir(), "liuke-rows-"));
  const folder = await incomingFolder(data);
  const seen = await withRows(
    folder,
    Buffer.from("a\n"),
    async (path) => (await stat(path)).mode & 0o777,
  );
  expect(seen).toBe(0o600);
  const failed = withRows(folder, Buffer.from("a\n"), () => Promise.reject(new Error("no")));
  await expect(failed).rejects.toThrow("no");
  expect(await readdir(folder)).toEqual([]);
  await rm(data, { recursive: true });
});

test("a path that the library would read as a pattern is not used", async () => {
  const folder = await incomingFolder("/home/{a,b}*/clickhouse");
  expect(folder).toMatch(/^\/tmp\/liuke-incoming-\w+$/);
  await rm(folder, { recursive: true });
});
