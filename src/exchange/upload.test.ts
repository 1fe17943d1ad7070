import { randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { permissions } from "#access/rules.ts";
import { keyFor, stage, type Stage } from "../../test/clients/harness.ts";
import { reader, sweep } from "./upload.ts";

type Headers = Record<string, string>;
const ownerOf = async (at: Stage): Promise<Headers> => ({
  authorization: `Bearer ${await keyFor(at, null, permissions)}`,
});
const begin = async (at: Stage, owner: Headers, name: string, bytes: number) =>
  at.ask("POST", "/v1/imports/files", { headers: owner, body: { name, bytes, mark: "m" } });
const send = async (at: Stage, owner: Headers, id: string, offset: number, bytes: Buffer) => {
  const answer = await fetch(`${at.url}/v1/imports/files/${id}/bytes?offset=${offset}`, {
    method: "PUT",
    headers: { ...owner, "content-type": "application/octet-stream" },
    body: bytes as never,
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
};
const shown = async (at: Stage, owner: Headers, id: string) =>
  (await at.ask("GET", `/v1/imports/files/${id}`, { headers: owner })).body;
const move = (at: Stage, owner: Headers, id: string, body: object) =>
  at.ask("PATCH", `/v1/imports/files/${id}`, { headers: owner, body });
async function upload(at: Stage, owner: Headers, name: string, bytes: Buffer): Promise<string> {
  const id = String((await begin(at, owner, name, bytes.length)).body["id"]);
  const answer = await send(at, owner, id, 0, bytes);
  expect(answer).toMatchObject({ status: 200, body: { received: bytes.length } });
  return id;
}

const columns = {
  ...{ order: "订单号", sku: "货号", name: "品名", quantity: "数量", unitPrice: "单价" },
  ...{ at: "下单时间", customer: "买家" },
};
const heading = "订单号,货号,品名,数量,单价,下单时间,买家\n";
const line = (n: number, qty = "1") =>
  `A${n},S${n % 7},杯子,${qty},2.50,2026-01-02 10:00:00,u${n}\n`;
const orders = (count: number, bad: (n: number) => boolean = () => false) =>
  heading + Array.from({ length: count }, (_, n) => line(n, bad(n) ? "many" : "1")).join("");

test("a file is uploaded in parts, looked at, tried, imported, and its refused lines lead to the list", async () => {
  await using at = await stage();
  const owner = await ownerOf(at);
  const text = Buffer.from(orders(400, (n) => n % 100 === 7));
  const id = String((await begin(at, owner, "订单.csv", text.length)).body["id"]);
  // Half of it, then the wrong place, then the rest.
  const half = Math.floor(text.length / 2);
  expect((await send(at, owner, id, 0, text.subarray(0, half))).body).toMatchObject({
    received: half,
  });
  expect(await move(at, owner, id, { to: "running", kind: "orders" })).toMatchObject({
    status: 409,
    body: { code: "exchange.not_whole" },
  });
  const wrong = await send(at, owner, id, 0, text);
  expect(wrong).toMatchObject({ status: 409, body: { code: "exchange.offset", received: half } });
  const rest = await send(at, owner, id, half, text.subarray(half));
  expect(rest.body).toEqual({ received: text.length, bytes: text.length });
  expect(await shown(at, owner, id)).toMatchObject({ stage: "received" });

  const look = async (body: object) =>
    (await at.ask("POST", `/v1/imports/files/${id}/look`, { headers: owner, body })).body;
  const first = await look({ kind: "orders" });
  const columns = first["guess"] as Record<string, string>;
  expect(columns).toEqual({
    ...{ order: "订单号", sku: "货号", name: "品名", quantity: "数量", unitPrice: "单价" },
    ...{ at: "下单时间", customer: "买家" },
  });
  const mapping = { columns, currency: "CNY", timeZone: "Asia/Shanghai" };
  const second = await look({ kind: "orders", mapping });
  expect(second).toMatchObject({ lines: 400, fit: 396, missing: [], encoding: "utf-8" });
  expect((second["preview"] as object[])[7]).toMatchObject({
    ...{ line: 8, reason: "not_a_number", field: "quantity" },
    values: { order: "A7", quantity: "many", customer: "u7" },
  });
  expect(await look({ kind: "orders", mapping: { columns: { order: "No such" } } })).toMatchObject({
    missing: ["No such"],
  });

  const files = reader(at.house);
  await move(at, owner, id, { to: "trying", kind: "orders", mapping, source: "till" });
  while ((await files.run()) > 0);
  expect(await shown(at, owner, id)).toMatchObject({
    stage: "tried",
    tried: {
      ...{ lines: 400, fit: 396 },
      reasons: [{ reason: "not_a_number", field: "quantity", count: 4 }],
    },
  });
  expect((await at.sql`select count(*)::int as n from collect_event`)[0]).toEqual({ n: 0 });
  await move(at, owner, id, { to: "running" });
  while ((await files.run()) > 0);
  const done = await shown(at, owner, id);
  expect(done).toMatchObject({
    ...{ stage: "done", source: "till" },
    counts: { lines: 400, accepted: 396, rejected: 4, doubles: 0, beyond: 0 },
  });
  expect((await at.sql`select count(*)::int as n from exchange_piece`)[0]).toEqual({ n: 0 });
  const run = String(done["run"]);
  const { body } = await at.ask("GET", `/v1/rejected?run=${run}`, { headers: owner });
  expect(body).toMatchObject({ total: 4, reasons: [{ reason: "not_a_number", count: 4 }] });
  expect((body["rejected"] as object[])[0]).toMatchObject({ name: "Order Line", run });
  // All four at once, by their filter.
  const changes = [{ do: "set", field: "数量", value: "2" }];
  const ids = (body["rejected"] as { id: string }[]).map((one) => one.id);
  const mended = await at.ask("POST", "/v1/rejected/resend", {
    headers: owner,
    body: { ids, changes },
  });
  expect(mended.body["results"]).toMatchObject(ids.map(() => ({ outcome: "accepted" })));
  expect((await at.sql`select count(*)::int as n from collect_event`)[0]).toEqual({ n: 400 });
  const list = await at.ask("GET", "/v1/imports", { headers: owner });
  expect(list.body["imports"]).toMatchObject([{ file: id, run, stage: "done", accepted: 396 }]);
  const audited = await at.sql<{ endpoint: string }[]>`
    select distinct endpoint from audit where endpoint like '%/v1/imports/files%' order by 1`;
  expect(audited.map(({ endpoint }) => endpoint)).toEqual([
    "PATCH /v1/imports/files/:file",
    "POST /v1/imports/files",
    "POST /v1/imports/files/:file/look",
  ]);
});

test("what is uploaded lies sealed, and a connection that breaks off loses nothing that was committed", async () => {
  await using at = await stage();
  const owner = await ownerOf(at);
  // 5 MiB that cannot be packed: the connection dies after 3 of them.
  const canary = "canary@example.com";
  const bytes = Buffer.concat([Buffer.from(`email\n${canary}\n`), randomBytes(5 * 1024 * 1024)]);
  const id = String((await begin(at, owner, "people.csv", bytes.length)).body["id"]);
  const leaving = new AbortController();
  async function* some() {
    yield bytes.subarray(0, 3 * 1024 * 1024 + 1000);
    await new Promise((resolve) => setTimeout(resolve, 500));
    leaving.abort();
    await new Promise((resolve) => setTimeout(resolve, 5000));
  }
  await fetch(`${at.url}/v1/imports/files/${id}/bytes?offset=0`, {
    ...{ method: "PUT", headers: owner, signal: leaving.signal, duplex: "half" },
    body: ReadableStream.from(some()) as never,
  } as RequestInit).catch(() => undefined);
  await expect
    .poll(async () => (await shown(at, owner, id))["received"], { timeout: 10_000 })
    .toBe(3 * 1024 * 1024);
  const from = 3 * 1024 * 1024;
  const rest = await send(at, owner, id, from, bytes.subarray(from));
  expect(rest.body).toEqual({ received: bytes.length, bytes: bytes.length });
  const [clear] = await at.sql<{ n: number }[]>`
    select count(*)::int as n from exchange_piece where position(${Buffer.from(canary)} in sealed) > 0`;
  expect(clear).toEqual({ n: 0 });
  // More than was announced is not taken.
  const more = String((await begin(at, owner, "more.csv", 10)).body["id"]);
  expect((await send(at, owner, more, 0, Buffer.alloc(11))).status).toBe(413);
  await move(at, owner, id, { to: "cancelled" });
  expect((await at.sql`select count(*)::int as n from exchange_piece`)[0]).toEqual({ n: 0 });
});

test("a file that is stopped and paused on the way is gone on with by another process, each line once", async () => {
  await using at = await stage();
  const owner = await ownerOf(at);
  const count = 30_000;
  const id = await upload(at, owner, "orders.csv.gz", gzipSync(orders(count)));
  const mapping = {
    columns: {
      ...{ order: "订单号", sku: "货号", quantity: "数量", unitPrice: "单价" },
      ...{ at: "下单时间", customer: "买家" },
    },
    currency: "CNY",
  };
  await move(at, owner, id, { to: "running", kind: "orders", mapping });
  // Stopped as at the end of a process: the batch that is under way ends.
  const one = reader(at.house);
  const running = one.run();
  await expect
    .poll(async () => (await at.sql`select line::int from collect_import`)[0]?.["line"] ?? 0, {
      timeout: 30_000,
      interval: 20,
    })
    .toBeGreaterThan(0);
  one.stop();
  await running;
  const before = await shown(at, owner, id);
  expect(before["stage"]).toBe("running");
  expect((before["counts"] as { lines: number }).lines).toBeLessThan(count);
  // Paused, nothing goes on; its mapping cannot change any more.
  expect((await move(at, owner, id, { to: "paused" })).status).toBe(200);
  const two = reader(at.house);
  expect(await two.run()).toBe(0);
  const other = { to: "running", kind: "orders", mapping: { ...mapping, currency: "EUR" } };
  expect((await move(at, owner, id, other)).body["code"]).toBe("exchange.begun");
  await move(at, owner, id, { to: "running" });
  while ((await two.run()) > 0);
  expect(await shown(at, owner, id)).toMatchObject({
    ...{ stage: "done" },
    counts: { lines: count, accepted: count, doubles: 0, rejected: 0 },
  });
  const [stored] = await at.sql`
    select count(*)::int as n, count(distinct data->>'order')::int as orders from collect_event`;
  expect(stored).toEqual({ n: count, orders: count });
}, 120_000);

test("a file of another encoding is read as it is meant, and one that cannot be read says why", async () => {
  await using at = await stage();
  const owner = await ownerOf(at);
  // "会员号,城市" and "u1,上海" as a Chinese spreadsheet writes them (GB 18030).
  const gbk = Buffer.from("bbe1d4b1bac52cb3c7cad00a75312cc9cfbaa30a", "hex");
  const id = await upload(at, owner, "会员.csv", gbk);
  const { body } = await at.ask("POST", `/v1/imports/files/${id}/look`, {
    headers: owner,
    body: { kind: "people" },
  });
  expect(body).toMatchObject({
    ...{ encoding: "gb18030", guess: { user: "会员号", city: "城市" } },
  });
  const mapping = { columns: body["guess"], encoding: "gb18030" };
  await move(at, owner, id, { to: "running", kind: "people", mapping });
  const files = reader(at.house);
  while ((await files.run()) > 0);
  const [event] = await at.sql<{ data: object }[]>`select data from collect_event`;
  expect(event!.data).toMatchObject({ $traits: { city: "上海" } });

  const packed = gzipSync(orders(2000));
  const broken = await upload(at, owner, "broken.csv.gz", packed.subarray(0, packed.length - 50));
  await move(at, owner, broken, { to: "running", kind: "orders", mapping: {} });
  while ((await files.run()) > 0);
  expect(await shown(at, owner, broken)).toMatchObject({ stage: "failed" });
  const lacking = await upload(at, owner, "x.csv", Buffer.from("a,b\n1,2\n"));
  await move(at, owner, lacking, { to: "running", kind: "orders", mapping: {} });
  while ((await files.run()) > 0);
  expect(await shown(at, owner, lacking)).toMatchObject({ stage: "failed", fault: "column" });
  expect((await begin(at, owner, "book.xlsx", 10)).body["code"]).toBe("exchange.not_text");
  expect((await begin(at, owner, "huge.csv", 3 * 1024 ** 3)).status).toBe(400);
});

test("lines of a file keep the day's limits of the list, and what nobody touches is given up", async () => {
  await using at = await stage();
  const owner = await ownerOf(at);
  const id = await upload(at, owner, "bad.csv", Buffer.from(orders(10_500, () => true)));
  await move(at, owner, id, { to: "running", kind: "orders", mapping: { columns } });
  const files = reader(at.house);
  while ((await files.run()) > 0);
  const done = await shown(at, owner, id);
  expect(done).toMatchObject({ stage: "done", counts: { rejected: 10_500, beyond: 500 } });
  const { body } = await at.ask("GET", `/v1/rejected?run=${String(done["run"])}`, {
    headers: owner,
  });
  expect(body).toMatchObject({ total: 10_000, beyond: 500 });
  const sources = await at.ask("GET", "/v1/sources", { headers: owner });
  expect(sources.body["sources"]).toMatchObject([{ refused: 10_500, beyond: 500 }]);

  const idle = await upload(at, owner, "idle.csv", Buffer.from("a\n"));
  expect(await sweep(at.house)).toBe(0);
  await at.owner`update exchange_file set moved_at = moved_at - interval '8 days' where id = ${idle}`;
  expect(await sweep(at.house)).toBe(1);
  expect(await shown(at, owner, idle)).toMatchObject({ stage: "cancelled" });
  expect((await at.sql`select count(*)::int as n from exchange_piece`)[0]).toEqual({ n: 0 });
}, 120_000);

test("a line too long to be read is refused by its number, and what follows is taken", async () => {
  await using at = await stage();
  const owner = await ownerOf(at);
  const long = "1".repeat(3 * 1024 * 1024);
  const text = heading + line(1) + line(2, long) + line(3) + line(4, `"${long}"`) + line(5);
  const id = await upload(at, owner, "long.csv", Buffer.from(text));
  const mapping = { columns, currency: "CNY", timeZone: "Asia/Shanghai" };
  await move(at, owner, id, { to: "running", kind: "orders", mapping, source: "till" });
  const files = reader(at.house);
  while ((await files.run()) > 0);
  const done = await shown(at, owner, id);
  expect(done).toMatchObject({ stage: "done", counts: { lines: 5, accepted: 3, rejected: 2 } });
  const { body } = await at.ask("GET", `/v1/rejected?run=${String(done["run"])}`, {
    headers: owner,
  });
  expect(
    (body["rejected"] as { line: number }[]).map(({ line: number }) => number).toSorted(),
  ).toEqual([2, 4]);
});

test("what parts the columns is seen in the heading, and a heading that cannot be used is told as it is", async () => {
  await using at = await stage();
  const owner = await ownerOf(at);
  const looked = async (name: string, text: string, own: object = {}) => {
    const id = await upload(at, owner, name, Buffer.from(text));
    const { body } = await at.ask("POST", `/v1/imports/files/${id}/look`, {
      ...{ headers: owner, body: { kind: "people", mapping: own } },
    });
    return { id, body };
  };
  const german = await looked("de.csv", "\ufeffsep=;\r\nid;city;\r\nu1;Köln;0\r\n", {
    columns: { user: "id", city: "city" },
  });
  expect(german.body).toMatchObject({
    ...{ separator: ";", columns: ["id", "city"], twice: [], lines: 1, fit: 1 },
  });
  const tabs = await looked("cn.csv", "id\tcity\tcity\nu1\t上海\t北京\n");
  expect(tabs.body).toMatchObject({ separator: "\t", twice: ["city"] });
  expect((await looked("only.csv", "id,city")).body).toMatchObject({ lines: 0, separator: "," });
  expect((await looked("none.csv", "\n")).body).toMatchObject({ code: "exchange.empty" });
  expect((await looked("quote.csv", 'id,"city\nu1,Rom\n')).body).toMatchObject({
    code: "exchange.heading",
  });
  expect((await looked("wide.csv", `id${",".repeat(100_000)}\nu1\n`)).body).toMatchObject({
    code: "exchange.columns",
  });

  const files = reader(at.house);
  const run = async (id: string, own: object) => {
    await move(at, owner, id, { to: "running", kind: "people", mapping: { columns: own } });
    while ((await files.run()) > 0);
    return shown(at, owner, id);
  };
  expect(await run(tabs.id, { user: "id", city: "city" })).toMatchObject({ fault: "twice" });
  expect(await run(german.id, { user: "id", city: "city" })).toMatchObject({
    ...{ stage: "done", counts: { accepted: 1 } },
  });
  // The column without a name stands for none of the fields that were left out.
  const [event] = await at.sql<{ data: object }[]>`select data from collect_event`;
  expect(event!.data).toEqual({ $traits: { city: "Köln" } });
});
