import { createClient, type ClickHouseClient } from "@clickhouse/client";
import fc from "fast-check";
import { mkdir, mkdtemp, readdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startEngines, type Engines } from "./engines.ts";

let home: string;
let engines: Engines;
let program: ClickHouseClient;
let report: ClickHouseClient;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "liuke-clickhouse-"));
  engines = await startEngines({ home, log: () => undefined, postgres: false, temporary: true });
  const quiet = { log: { level: 127 as const } };
  program = createClient({ url: engines.clickhouseUrl, ...quiet });
  report = createClient({ url: engines.clickhouseReportUrl, ...quiet });
});
beforeAll(() => run("create table lines (s String) engine = MergeTree order by tuple()"));
afterAll(async () => {
  await program?.close();
  await report?.close();
  await engines?.stop();
});

type Given = Record<string, unknown>;
async function rows<T = Given>(
  client: ClickHouseClient,
  query: string,
  values: Given = {},
  settings: Given = {},
): Promise<T[]> {
  const answer = await client.query({
    query,
    query_params: values,
    clickhouse_settings: settings as never,
    format: "JSONEachRow",
  });
  return answer.json<T>();
}
const run = (query: string, settings: Given = {}) =>
  program.command({ query, clickhouse_settings: settings as never });
const count = async (table: string) =>
  (await rows<{ n: number }>(report, `select count() n from ${table}`))[0]?.n;

describe("ClickHouse's own client, unchanged", () => {
  test("pings, with and without a query", async () => {
    expect(await program.ping()).toEqual({ success: true });
    expect(await report.ping({ select: true })).toEqual({ success: true });
  });

  test("binds parameters of every text, as a value and never as a part of the statement", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "grapheme" }), fc.maxSafeInteger(), async (s, n) => {
        const given = { s, n, list: [s, "it's"] };
        const query = "select {s:String} as s, {n:Int64} as n, {list:Array(String)} as list";
        expect(await rows(report, query, given)).toEqual([{ s, n, list: [s, "it's"] }]);
      }),
      { numRuns: 40 },
    );
  });

  test("keeps parallel queries' parameters apart", async () => {
    const asked = Array.from({ length: 60 }, (_, n) => n);
    const answers = asked.map((n) =>
      rows<{ n: number }>(program, "select {n:UInt32} as n, sleep(0.01)", { n }),
    );
    expect((await Promise.all(answers)).map(([row]) => row?.n)).toEqual(asked);
  });

  test("carries long parameters in a multipart body", async () => {
    const answer = await report.query({
      query: "select length({list:Array(String)}) as n",
      query_params: { list: Array.from({ length: 5000 }, (_, n) => `value ${n}`) },
      use_multipart_params: true,
      format: "JSONEachRow",
    });
    expect(await answer.json()).toEqual([{ n: 5000 }]);
  });

  test.each([
    ["an unknown table", "select * from nowhere", "60", "UNKNOWN_TABLE"],
    ["an unknown column", "select nothing from system.one", "47", "UNKNOWN_IDENTIFIER"],
    ["an unknown function", "select no_such_function()", "46", "UNKNOWN_FUNCTION"],
    ["a broken statement", "selec 1", "62", "SYNTAX_ERROR"],
    ["two statements", "select 1; select 2", "62", "SYNTAX_ERROR"],
    ["a parameter without its value", "select {x:UInt8}", "456", "UNKNOWN_QUERY_PARAMETER"],
  ])("hears ClickHouse's own code for %s", async (_, query, code, type) => {
    await expect(rows(program, query)).rejects.toMatchObject({ code, type });
    await expect(rows(report, query)).rejects.toMatchObject({ code, type });
  });

  test("hears of an unknown setting and an unknown database", async () => {
    await expect(rows(program, "select 1", {}, { no_such_setting: 1 })).rejects.toMatchObject({
      code: "115",
    });
    const elsewhere = createClient({
      url: engines.clickhouseUrl.replace(/liuke$/, "elsewhere"),
      log: { level: 127 },
    });
    await expect(rows(elsewhere, "select 1")).rejects.toMatchObject({ code: "497" });
    await elsewhere.close();
  });

  test("streams a million rows, and hears of an error in the middle of them", async () => {
    const answer = await program.query({
      query: "select number as n from numbers(1000000)",
      format: "JSONEachRow",
    });
    let seen = 0;
    for await (const part of answer.stream()) seen += part.length;
    expect(seen).toBe(1_000_000);

    const query = "select throwIf(number = 900000, 'late') as x from numbers(1000000)";
    const late = rows(program, query, {}, { max_block_size: "1000" });
    await expect(late).rejects.toMatchObject({ code: "395" });
  });

  test("stops a query whose reader went away", async () => {
    const answer = await program.query({
      query: "select number as endless from numbers(1000000000000)",
      format: "JSONEachRow",
    });
    for await (const part of answer.stream()) if (part.length > 0) break;
    answer.close();
    const left = "select count() as n from system.processes where query like '%endless%numbers%'";
    await expect
      .poll(
        async () =>
          (await rows<{ n: number }>(program, `${left} and query not like '%processes%'`))[0]?.n,
      )
      .toBe(0);
  });

  test("inserts 100,000 rows and counts them", async () => {
    await run("create table many (id UInt32, name String) engine = MergeTree order by id");
    const values = Array.from({ length: 100_000 }, (_, id) => ({ id, name: `行 ${id}; '"\\` }));
    const { summary } = await program.insert({ table: "many", values, format: "JSONEachRow" });
    expect(summary?.written_rows).toBe("100000");
    expect(await count("many")).toBe(100_000);
    expect(await rows(report, "select name from many where id = 7")).toEqual([
      { name: `行 7; '"\\` },
    ]);
  });

  test("compresses both ways", async () => {
    const packed = createClient({
      url: engines.clickhouseUrl,
      compression: { request: true, response: true },
    });
    await run("create table packed (id UInt32) engine = MergeTree order by id");
    const values = Array.from({ length: 5000 }, (_, id) => ({ id }));
    await packed.insert({ table: "packed", values, format: "JSONEachRow" });
    expect(await rows(packed, "select id from packed order by id")).toEqual(values);
    await packed.close();
  });

  test.each([
    ["JSONEachRow", '{"a":1,"s":"x; drop"}\n{"a":2,"s":"y"}\n'],
    ["JSONCompactEachRow", '[1,"x; drop"]\n[2,"y"]\n'],
    ["TabSeparated", "1\tx; drop\n2\ty\n"],
    ["CSV", '1,"x; drop"\n2,"y"\n'],
    ["Values", "(1,'x; drop'),(2,'y')"],
    ["RowBinary", Buffer.from([1, 0, 0, 0, 7, ...Buffer.from("x; drop"), 2, 0, 0, 0, 1, 0x79])],
  ])("takes rows as %s", async (format, body) => {
    const table = `as_${format.toLowerCase()}`;
    await run(`create table ${table} (a UInt32, s String) engine = MergeTree order by a`);
    const { stream } = await program.exec({
      query: `insert into ${table} format ${format}`,
      values: Readable.from([body]),
    });
    stream.resume();
    expect(await rows(report, `select a, s from ${table} order by a`)).toEqual([
      { a: 1, s: "x; drop" },
      { a: 2, s: "y" },
    ]);
  });

  test("takes every row as it is, and none of it for a statement", async () => {
    await run("create table texts (s String, n UInt32) engine = MergeTree order by n");
    await run("create table victim (a UInt32) engine = MergeTree order by a");
    const drop = "drop table victim";
    const special = fc.constantFrom(
      " ",
      "\t",
      "\n",
      "\n\n",
      `\n\n${drop}\n`,
      `;\n${drop};`,
      "\r\n",
      ";",
      "'",
      '"',
      "\\",
      "\0",
      "\\N",
      "{}",
      "--",
    );
    const value = fc
      .array(fc.oneof(special, fc.string({ unit: "grapheme" })))
      .map((parts) => parts.join(""));
    const escapes: Record<string, string> = {
      "\\": "\\\\",
      "\t": "\\t",
      "\n": "\\n",
      "\r": "\\r",
      "\0": "\\0",
    };
    const escape = (s: string) => s.replace(/[\\\t\n\r\0]/g, (letter) => escapes[letter] ?? "");
    const quote = (s: string) => `"${s.replaceAll('"', '""')}"`;
    const literal = (s: string) => `'${s.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
    const uint32 = (n: number) => Buffer.from(Uint32Array.of(n).buffer);
    const binary = (s: string, n: number) => {
      const bytes = Buffer.from(s);
      const length =
        bytes.length < 128 ? [bytes.length] : [(bytes.length & 127) | 128, bytes.length >> 7];
      return Buffer.concat([Buffer.from(length), bytes, uint32(n)]);
    };
    await fc.assert(
      fc.asyncProperty(fc.array(value, { minLength: 1, maxLength: 5 }), async (texts) => {
        const bodies = {
          TSV: texts.map((s, n) => `${escape(s)}\t${n}\n`).join(""),
          CSV: texts.map((s, n) => `${quote(s)},${n}\n`).join(""),
          JSONEachRow: texts.map((s, n) => `${JSON.stringify({ s, n })}\n\n`).join(""),
          Values: texts.map((s, n) => `(${literal(s)},${n})`).join(",\n\n"),
          RowBinary: Buffer.concat(texts.map((s, n) => binary(s, n))),
        };
        for (const [format, body] of Object.entries(bodies)) {
          await run("truncate table texts");
          const query = `insert into texts (s, n) format ${format}`;
          (
            await program.exec({ query, values: Readable.from([Buffer.from(body)]) })
          ).stream.resume();
          const found = await rows<{ s: string }>(report, "select s from texts order by n");
          expect(
            found.map((row) => row.s),
            format,
          ).toEqual(texts);
        }
      }),
      { numRuns: 30, examples: [[[`a\n\n${drop}\n`, "\r\n\n"]]] },
    );
    expect(await rows(report, "exists victim")).toEqual([{ result: 1 }]);
  });

  test.each([
    ["LineAsString", "abc\n\ndrop table victim\n", ["abc", "", "drop table victim"]],
    ["TSV", "\n\nset role all\n", ["", "", "set role all"]],
    ["Values", "('a');\n\ndrop table victim", ["a"]],
  ])("runs nothing that stands in rows as %s", async (format, body, expected) => {
    await run("truncate table lines");
    const query = `insert into lines (s) settings max_threads = 1 format ${format}`;
    (await program.exec({ query, values: Readable.from([body]) })).stream.resume();
    const found = await rows<{ s: string }>(report, "select s from lines");
    expect(found.map((row) => row.s)).toEqual(expected);
    expect(await rows(report, "exists victim")).toEqual([{ result: 1 }]);
    const inText = `insert into lines (s) format TSV\nabc\n\ndrop table victim`;
    await expect(run(inText)).rejects.toMatchObject({ code: "62" });
  });

  test("gives rows in the format of the text, of the header and by default", async () => {
    const { stream } = await program.exec({ query: "select 1 as a, 'x' as b" });
    expect(await text(stream)).toBe("1\tx\n");
    const inText = await program.exec({ query: "select 1 as a, 'x' as b format CSVWithNames" });
    expect(await text(inText.stream)).toBe('"a","b"\n1,"x"\n');
    const answer = await report.query({ query: "select 1 as a", format: "JSON" });
    expect(await answer.json()).toMatchObject({ data: [{ a: 1 }], rows: 1 });
    expect(await rows(report, "show tables")).toContainEqual({ name: "many" });
    expect(await rows(report, "exists many")).toEqual([{ result: 1 }]);
  });
});

const text = async (stream: Readable) => {
  const parts: Buffer[] = [];
  for await (const part of stream as AsyncIterable<Buffer>) parts.push(part);
  return Buffer.concat(parts).toString();
};

describe("what is written", () => {
  test.each([
    [
      "once in a table with a deduplication window",
      "settings non_replicated_deduplication_window = 100",
      1,
    ],
    ["twice in a table without one", "", 2],
  ])("the same token sent twice is there %s", async (_, setting, expected) => {
    const table = `tokens_${expected}`;
    await run(`create table ${table} (a UInt32) engine = MergeTree order by a ${setting}`);
    for (let sent = 0; sent < 2; sent++)
      await program.insert({
        table,
        values: [{ a: 1 }],
        format: "JSONEachRow",
        clickhouse_settings: { insert_deduplication_token: "range:1-1:0" },
      });
    expect(await count(table)).toBe(expected);
  });

  test("is on disk before it is acknowledged, unless a table says otherwise", async () => {
    const query =
      "select name, value from system.merge_tree_settings where name like 'fsync_%' order by name";
    expect(await rows(report, query)).toEqual([
      { name: "fsync_after_insert", value: "1" },
      { name: "fsync_part_directory", value: "1" },
    ]);
  });

  test("is hidden by a lightweight delete, and erased by a mutation that is waited for", async () => {
    await run("create table erased (a UInt32) engine = MergeTree order by a");
    await program.insert({
      table: "erased",
      values: [{ a: 1 }, { a: 2 }, { a: 3 }],
      format: "JSONEachRow",
    });
    const stored = async () =>
      (
        await rows<{ n: number }>(
          program,
          "select sum(rows) n from system.parts where database = 'liuke' and table = 'erased' and active",
        )
      )[0]?.n;
    await run("delete from erased where a = 1", { lightweight_deletes_sync: "2" });
    expect([await count("erased"), await stored()]).toEqual([2, 3]);
    await run("alter table erased delete where a = 2", { mutations_sync: "2" });
    expect([await count("erased"), await stored()]).toEqual([1, 1]);
  });
});

describe("what nobody may do", () => {
  let secretFile: string;
  beforeAll(async () => {
    secretFile = join(home, "engines", "not-yours.txt");
    await writeFile(secretFile, "not yours\n");
    await run("create table words (s String) engine = MergeTree order by s");
    const scripts = join(home, "clickhouse", "user_scripts");
    await mkdir(scripts, { recursive: true });
    await writeFile(join(scripts, "leak.sh"), "#!/bin/sh\necho leaked\n", { mode: 0o755 });
  });

  const attempts = [
    "select * from file('FILE', 'LineAsString')",
    "select file('FILE')",
    "select FILE_FUNCTION('FILE')".replace("FILE_FUNCTION", "`file`"),
    "select `\\x66ile`('FILE')",
    "select \"file\"('FILE')",
    "select file /* a comment */ ('FILE')",
    "select arrayMap(file, ['FILE'])",
    "select * apply(file) from (select 'FILE')",
    "with (select file('FILE')) as x select x",
    "select 'x' as s where (select file('FILE')) != ''",
    "select * from 'FILE'",
    "select * from `FILE`",
    "describe file('FILE')",
    "select * from fileCluster('default', 'FILE', 'LineAsString')",
    "select * from url('http://127.0.0.1:1/', 'CSV', 'a String')",
    "select * from s3('http://127.0.0.1:1/bucket/x.csv', 'CSV', 'a String')",
    "select * from remote('127.0.0.1', 'system', 'one')",
    "select * from executable('leak.sh', 'TSV', 'a String')",
    "select * from postgresql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "select * from mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "select * from sqlite('FILE', 't')",
    "select * from icebergLocal('FILE', 'TSV')",
    "select 1 into outfile 'OUT'",
    "insert into words from infile 'FILE' format LineAsString",
    "insert into words values (file('FILE'))",
    "insert into words select file('FILE')",
    "insert into function file('OUT', 'TSV', 'a String') values ('x')",
    "create table f (a String) engine = File(TSV, 'FILE')",
    "create table u (a String) engine = URL('http://127.0.0.1:1/')",
    "create table g (a String default file('FILE')) engine = MergeTree order by a",
    "create view v as select file('FILE') as f",
    "create table e (a String) engine = Executable('leak.sh', TSV)",
    "select * from eval('select 1') settings allow_experimental_eval_table_function = 1",
    "select * from filesystem('FILE')",
    "create dictionary d (a UInt64) primary key a source(file(path 'FILE' format 'TSV')) layout(flat()) lifetime(0)",
    "create function leak as x -> file(x)",
    "create database elsewhere",
    "create user other",
    "grant all on *.* to default",
    "backup database liuke to File('OUT')",
    "set role all",
    "set max_execution_time = 0",
    "use system",
    "system shutdown",
    "kill query where 1",
    "select * from system.users",
  ];

  test.each(attempts)("neither program nor report may: %s", async (attempt) => {
    const out = join(home, "engines", "out.txt");
    const query = attempt.replaceAll("FILE", secretFile).replaceAll("OUT", out);
    for (const client of [program, report]) {
      const outcome = text(
        (await client.exec({ query }).catch(refused))?.stream ?? Readable.from([]),
      );
      expect(await outcome).toBe("");
    }
    expect(await readdir(join(home, "engines"))).not.toContain("out.txt");
    expect(await count("words")).toBe(0);

    function refused(error: { code?: string }): undefined {
      // 497 access denied, 62 not one statement, 60 no such table, 701 no such cluster
      expect(["497", "62", "60", "701"]).toContain(error.code);
      return undefined;
    }
  });

  test("no function's name comes in as a parameter", async () => {
    const query = "select arrayMap({f:Identifier}, [{path:String}]) as x";
    for (const client of [program, report])
      await expect(rows(client, query, { f: "file", path: secretFile })).rejects.toMatchObject({
        code: "497",
      });
  });

  test("rows in a body are values, not expressions", async () => {
    const body = Readable.from([`(file('${secretFile}'))`]);
    const sent = program.exec({ query: "insert into words format Values", values: body });
    await expect(sent).rejects.toMatchObject({ code: "344" });
    expect(await count("words")).toBe(0);
  });

  test("a word in a string, a comment or a column is no harm", async () => {
    expect(await rows(report, "select 'file(1)' as s -- file\n")).toEqual([{ s: "file(1)" }]);
    expect(await rows(report, "select {s:String} as profile", { s: "file" })).toEqual([
      { profile: "file" },
    ]);
  });

  test("a template on disk is no output format", async () => {
    const settings = { format_template_resultset: secretFile };
    for (const client of [program, report])
      await expect(rows(client, "select 1", {}, settings)).rejects.toMatchObject({ code: "164" });
  });
});

describe("what a report may not", () => {
  test.each([
    "insert into many values (1, 'x')",
    "drop table many",
    "truncate table many",
    "alter table many delete where 1",
    "create table mine (a UInt8) engine = MergeTree order by a",
    "optimize table many",
  ])("change anything: %s", async (query) => {
    await expect(report.command({ query })).rejects.toMatchObject({ code: "497" });
  });

  test("cost more than its caps, whatever it asks for", async () => {
    const query =
      "select getSetting('max_execution_time') as t, getSetting('max_memory_usage') as m, getSetting('max_result_rows') as r";
    const caps = { t: 60, m: 1_000_000_000, r: 1_000_000 };
    const asked = { max_execution_time: 0, max_memory_usage: "9000000000", max_result_rows: "0" };
    expect(await rows(report, query)).toEqual([caps]);
    expect(await rows(report, query, {}, asked)).toEqual([caps]);
    expect(await rows(report, query, {}, { max_execution_time: 5 })).toEqual([{ ...caps, t: 5 }]);
    await expect(rows(report, `${query} settings max_execution_time = 0`)).rejects.toMatchObject({
      code: "164",
    });
    await expect(rows(report, query, {}, { readonly: "0" })).rejects.toMatchObject({ code: "164" });
    await expect(rows(report, "select number from numbers(1100000)")).rejects.toMatchObject({
      code: "396",
    });
  });

  test("run longer than it said, nor hold an insert up while it runs", async () => {
    await run("create table beside (a UInt32) engine = MergeTree order by a");
    const query = "select count() from numbers_mt(1000000000000) where number % 7 = 8";
    const began = performance.now();
    const slow = rows(report, query, {}, { max_execution_time: 2 }).catch(
      (error: unknown) => error,
    );
    let slowest = 0;
    for (let n = 0; n < 10; n++) {
      const sent = performance.now();
      await program.insert({ table: "beside", values: [{ a: n }], format: "JSONEachRow" });
      slowest = Math.max(slowest, performance.now() - sent);
    }
    const inserted = performance.now() - began;
    expect(await slow).toMatchObject({ code: "159" });
    expect(slowest).toBeLessThan(1000);
    expect(inserted).toBeLessThan(performance.now() - began);
    expect(await count("beside")).toBe(10);
  });
});
