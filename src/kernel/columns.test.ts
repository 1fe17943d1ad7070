import { expect, test } from "vitest";
import { world } from "../../test/database.ts";

test("columns: rows and lines go in once a token, values are bound, reports may only read, within limits", async () => {
  await using shop = await world();
  const { columns } = shop;
  await columns.run(`
    create table kernel_test (n Int64, s String, at DateTime64(3)) engine = MergeTree order by n
    settings non_replicated_deduplication_window = 100`);
  const rows = [1, 2, 3].map((n) => ({
    n,
    s: `it's "${n}" \\ {x} 好`,
    at: "2026-03-01T04:00:00.123Z",
  }));
  await columns.insert("kernel_test", rows, "first");
  await columns.insert("kernel_test", rows, "first"); // the answer was lost: sent again
  await columns.insertLines(
    "kernel_test",
    rows.map((row) => ({ line: JSON.stringify({ ...row, n: row.n + 3 }) })),
    "second",
  );
  await columns.insertLines(
    "kernel_test",
    rows.map((row) => ({ line: JSON.stringify({ ...row, n: row.n + 3 }) })),
    "second",
  );
  expect(
    await columns.read("select n, s, toUnixTimestamp64Milli(at) as at from kernel_test order by n"),
  ).toEqual(
    [1, 2, 3, 4, 5, 6].map((n) => ({
      n,
      s: rows[(n - 1) % 3]!.s,
      at: Date.parse("2026-03-01T04:00:00.123Z"),
    })),
  );
  await columns.insert("kernel_test", rows, "another token"); // the same rows on purpose
  expect(await columns.read("select count() as n from kernel_test")).toEqual([{ n: 9 }]);
  // A text with newlines, empty lines and what looks like a statement stays a text.
  const nasty = "a\n\nb;\ndrop table kernel_test;\n";
  await columns.insertLines(
    "kernel_test",
    [{ line: JSON.stringify({ n: 99, s: nasty, at: 0 }) }],
    "third",
  );
  expect(
    await columns.read("select s from kernel_test where s = {s:String}", { s: nasty }),
  ).toEqual([{ s: nasty }]);
  const injected = "' or 1 = 1 --";
  expect(
    await columns.read("select n from kernel_test where s = {s:String}", { s: injected }),
  ).toEqual([]);

  // What comes back is bound to one report's limits, and a report changes nothing.
  await expect(columns.read("select number from numbers(2000000)")).rejects.toThrow(
    /limit|exceeded/i,
  );
  await expect(columns.read("select groupArray(number) from numbers(500000000)")).rejects.toThrow(
    /memory/i,
  );
  await expect(columns.read("select file('/etc/passwd')")).rejects.toThrow();
  for (const write of [
    "insert into kernel_test values (7, '', 0)",
    "drop table kernel_test",
    "alter table kernel_test delete where 1",
  ])
    await expect(columns.read(write)).rejects.toThrow();
  // A mutation is waited for.
  await columns.run("alter table kernel_test delete where n < {n:Int64}", { n: 99 });
  expect(await columns.read("select n from kernel_test")).toEqual([{ n: 99 }]);
}, 120_000);
