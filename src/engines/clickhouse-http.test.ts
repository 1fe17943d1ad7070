import { mkdtemp, readFile, readdir, stat } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startEngines, type Engines } from "./engines.ts";

let home: string;
let engines: Engines;
let url: URL;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "liuke-http-"));
  engines = await startEngines({ home, log: () => undefined, postgres: false, temporary: true });
  url = new URL(engines.clickhouseUrl);
});
afterAll(async () => {
  await engines?.stop();
});

type Answer = { status: number; headers: Record<string, unknown>; body: string };
type Ask = {
  path?: string;
  body?: string | Buffer;
  headers?: Record<string, string>;
  auth?: string | null;
};

function ask({ path = "/", body = "select 1", headers = {}, auth }: Ask = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({
      host: "127.0.0.1",
      port: url.port,
      path,
      method: "POST",
      auth: auth === null ? undefined : (auth ?? `program:${url.password}`),
      headers,
    });
    sent.once("error", reject);
    sent.once("response", (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => (text += part));
      response.once("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
      );
    });
    sent.end(body);
  });
}

test("a query with the secret is answered, to both of loopback's names", async () => {
  expect(await ask()).toMatchObject({ status: 200, body: "1\n" });
  expect(await ask({ headers: { Host: `localhost:${url.port}` } })).toMatchObject({ status: 200 });
});

test.each(["evil.example", `evil.example:8123`, "127.0.0.1", "127.0.0.1:1", "[::1]:8123"])(
  "another Host is refused, with the secret too: %s",
  async (host) => {
    expect(await ask({ headers: { Host: host } })).toMatchObject({ status: 403 });
  },
);

test.each(["https://evil.example", "null", "http://127.0.0.1:8420"])(
  "any Origin is refused, with the secret too: %s",
  async (Origin) => {
    const answer = await ask({ headers: { Origin } });
    expect(answer).toMatchObject({ status: 403, body: "A request with an Origin is refused.\n" });
    expect(answer.headers).not.toHaveProperty("access-control-allow-origin");
  },
);

test.each([
  ["no secret", null],
  ["a wrong one", "program:wrong"],
  ["an empty one", "program:"],
  ["an unknown user", "default:"],
])("%s is refused with ClickHouse's code 516, for /ping too", async (_, auth) => {
  for (const path of ["/", "/ping"]) {
    const answer = await ask({ path, auth });
    expect(answer.status).toBe(403);
    expect(answer.headers["x-clickhouse-exception-code"]).toBe("516");
    expect(answer.body).toMatch(/^Code: 516\. DB::Exception: /);
  }
});

test("one user's secret is not the other's", async () => {
  expect(await ask({ auth: `report:${url.password}` })).toMatchObject({ status: 403 });
  expect(new URL(engines.clickhouseReportUrl).password).not.toBe(url.password);
});

test("the secret may come in ClickHouse's own headers", async () => {
  const headers = { "X-ClickHouse-User": "program", "X-ClickHouse-Key": url.password };
  expect(await ask({ auth: null, headers })).toMatchObject({ status: 200 });
});

test("secrets are kept in files that only their owner reads, and stand in no command line", async () => {
  const folder = join(home, "secrets");
  expect(((await stat(folder)).mode & 0o777).toString(8)).toBe("700");
  const names = await readdir(folder);
  expect(names.toSorted()).toEqual(["clickhouse-program", "clickhouse-report"]);
  for (const name of names) expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600);
  if (process.platform !== "linux") return;
  const pid = engines.pids().clickhouse;
  for (const file of ["cmdline", "environ"])
    expect(await readFile(`/proc/${pid}/${file}`, "latin1")).not.toContain(url.password);
});

test("an error carries its number in the header, its sentence in the body and a fitting status", async () => {
  const missing = await ask({ body: "select * from nowhere" });
  expect(missing.status).toBe(404);
  expect(missing.headers["x-clickhouse-exception-code"]).toBe("60");
  expect(missing.body).toMatch(/^Code: 60\. DB::Exception: .*\(UNKNOWN_TABLE\)\n$/s);
  const syntax = await ask({ body: "selec" });
  expect([syntax.status, syntax.headers["x-clickhouse-exception-code"]]).toEqual([400, "62"]);
  const empty = await ask({ body: " " });
  expect([empty.status, empty.headers["x-clickhouse-exception-code"]]).toEqual([400, "62"]);
});

test("statement in the URL and rows in a packed body; the summary counts them", async () => {
  await ask({ body: "create table u (a UInt8) engine = MergeTree order by a" });
  const sent = await ask({
    path: `/?query=${encodeURIComponent("insert into u format TSV")}&query_id=mine`,
    body: gzipSync("1\n2\n"),
    headers: { "Content-Encoding": "gzip" },
  });
  expect(sent.status).toBe(200);
  expect(sent.headers["x-clickhouse-query-id"]).toBe("mine");
  expect(JSON.parse(String(sent.headers["x-clickhouse-summary"]))).toMatchObject({
    written_rows: "2",
  });
  const nothing = `/?query=${encodeURIComponent("insert into u format TSV")}`;
  expect(await ask({ path: nothing, body: "" })).toMatchObject({ status: 200 });
  expect(await ask({ body: "insert into u values (3)" })).toMatchObject({ status: 200 });
  expect(await ask({ body: "select sum(a) from u" })).toMatchObject({ body: "6\n" });
});

test("an error in the middle has a status after all, where the end is waited for", async () => {
  const body = "select throwIf(number = 900000, 'late') from numbers(1000000)";
  const early = await ask({ path: "/?max_block_size=1000", body });
  expect(early.status).toBe(200);
  expect(early.body).toMatch(/__exception__\r\n[0-9a-f]{16}\nCode: 395\. /);
  const waited = await ask({ path: "/?max_block_size=1000&wait_end_of_query=1", body });
  expect(waited.status).toBe(500);
  expect(waited.body).toMatch(/^Code: 395\. /);
});

test("a body that is no gzip, or of an unknown coding, is refused", async () => {
  for (const [coding, status] of [
    ["gzip", 500],
    ["lzma", 501],
  ] as const)
    expect(await ask({ headers: { "Content-Encoding": coding } })).toMatchObject({ status });
});
