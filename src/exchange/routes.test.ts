import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { pumps, refolders } from "../app.ts";
import * as collect from "#collect/service.ts";
import { open } from "../../test/files.ts";
import { exportText } from "./export.ts";
import * as views from "./views.ts";
import { rebuild } from "./jobs.ts";
import type { Kind } from "./rules.ts";

const files: Record<Kind, string> = {
  people:
    'user,at,email,name,city,birth_month\nu1,2026-01-01T00:00:00Z,a@example.com,"=cmd|\'/c\'!A1",Bath,5\nu2,2026-01-02T00:00:00Z,b@example.com,"Li, Lei",上海,\n',
  products:
    'sku,name,category,brand,unitPrice,currency,stock,at\nS1,"Tea, ""green""",Tea,Leaf,12.5,CNY,3,2026-01-01T00:00:00Z\nS2,@Cup,,,4,CNY,0,2026-01-01T00:00:00Z\n',
  stock: "sku,stock,at\nS1,7,2026-01-02T00:00:00Z\n",
  orders:
    "order,sku,name,quantity,unitPrice,at,customer\nA1,S1,Tea,2,12.50,2026-01-03T00:00:00Z,u1\nA2,S2,Cup,-1,4,2026-01-04T00:00:00Z,u2\n",
  events:
    'name,user,at,data\nProduct Viewed,u1,2026-01-05T00:00:00Z,"{""sku"":""S1""}"\nTasted,u2,2026-01-06T00:00:00Z,"{""cups"":2}"\n',
  relations: "user,kind,other,at\nu1,follow,u2,2026-01-07T00:00:00Z\n",
  consents:
    "user,purpose,channel,granted,textVersion,proof,at\nu1,marketing,email,true,2026-01,form:7,2026-01-07T00:00:00Z\nu1,marketing,email,false,2026-01,me,2026-01-08T00:00:00Z\nu2,social,use,true,2026-01,me,2026-01-08T00:00:00Z\n",
  market:
    "kind,place,measure,value,unit,at\ncompetitor_price,S1,Other shop,11.9,CNY,2026-01-08\nweather,Bath,max,9.5,C,2026-01-08\ncalendar,,Spring Festival,holiday,,2026-02-17\n",
};

test.each(Object.keys(files) as Kind[])(
  "%s: what comes in from a file goes out, and comes in elsewhere as the same",
  async (kind) => {
    await using one = await open();
    const done = await one.take(kind, files[kind], `${kind}.csv`);
    expect(done).toMatchObject({ rejected: 0, doubles: 0 });
    expect(done.accepted).toBe(done.lines);
    for (const format of ["csv", "jsonl"] as const) {
      const text = await one.out(kind, format);
      await using other = await open();
      const again = await other.take(kind, gzipSync(text), `${kind}.${format}.gz`);
      expect(again).toMatchObject({ rejected: 0, accepted: done.accepted });
      // The source of the file has its name here already: it is told apart by its id.
      const without = (said: string) =>
        said
          .replaceAll(/( )?[\da-f]{8}-[\da-f-]{27}/g, (_, after) => (after ? "" : "id"))
          .split("\n")
          .toSorted()
          .join("\n");
      expect(without(await other.out(kind, format))).toBe(without(text));
      // The same file again brings nothing new.
      const twice = await other.take(kind, gzipSync(text), `${kind}.${format}.gz`);
      expect(twice).toEqual(again);
    }
  },
);

test("two files of one source do not take each other's lines for their own", async () => {
  await using here = await open();
  await here.take("orders", files.orders, "a.csv");
  const more = files.orders.replaceAll("A1", "B1").replaceAll("A2", "B2");
  expect(await here.take("orders", more, "b.csv")).toMatchObject({ accepted: 2, doubles: 0 });
});

test("a refused line is listed with its number and field, mended, sent again, and counts once", async () => {
  await using here = await open();
  const bad = `${files.people}u3,2026-01-03T00:00:00Z,not an address,Han,,\n`;
  expect(await here.take("people", bad, "p.csv")).toMatchObject({ accepted: 2, rejected: 1 });
  const source = await collect.sourceNamed(here.house, here.sql, "file", "import");
  const list = async () => {
    const { body } = await here.ask("GET", `/v1/rejected?source=${source.id}`, {
      headers: here.as.owner,
    });
    return body["rejected"] as { id: string; line: number }[];
  };
  const [refused] = await list();
  expect(refused).toMatchObject({ line: 3, reason: "invalid", field: "email", name: "identify" });
  const { body: seen } = await here.ask("GET", `/v1/rejected/${refused!.id}`, {
    headers: here.as.owner,
  });
  const payload = String(seen["text"]);
  const send = async (text: string) => {
    const { body } = await here.ask("POST", "/v1/rejected/resend", {
      headers: here.as.owner,
      body: { ids: [refused!.id], texts: { [refused!.id]: text } },
    });
    return body["results"];
  };
  const still = payload.replace("not an address", "nor this");
  expect(await send(still)).toMatchObject([{ outcome: "refused", field: "email" }]);
  const mended = payload.replace("not an address", "c@example.com");
  expect(await send(mended)).toMatchObject([{ outcome: "accepted" }]);
  expect(await send(mended)).toMatchObject([{ outcome: "gone" }]);
  const flags = await here.sql<{ flags: number }[]>`
    select flags from collect_event where flags & 32 = 32`;
  expect(flags).toHaveLength(1);
  expect(await list()).toEqual([]);
});

test("an event refused of a server is mended in its own words", async () => {
  await using here = await open();
  const event = { key: "k1", name: "Tasted", at: "not a time", user: "u1" };
  await here.ask("POST", "/v1/events", { headers: here.as.server, body: { events: [event] } });
  const [row] = await here.sql<{ id: string }[]>`select id from collect_rejected`;
  const text = JSON.stringify({ ...event, at: "2026-02-01T00:00:00Z" });
  const asked = { headers: here.as.owner, body: { ids: [row!.id], texts: { [row!.id]: text } } };
  const { body } = await here.ask("POST", "/v1/rejected/resend", asked);
  expect(body["results"]).toMatchObject([{ outcome: "accepted" }]);
});

test("an export says its purpose, is in the audit, and names nobody to who may not find members", async () => {
  await using here = await open();
  await here.take("people", files.people, "p.csv");
  const none = await here.ask("GET", "/v1/exports/people", { headers: here.as.owner });
  expect(none.status).toBe(400);
  const text = await here.out("people", "csv", false);
  expect(text).not.toContain("example.com");
  expect(text).toContain("Bath");
  const { status } = await here.ask("GET", "/v1/exports/people?purpose=analysis", {
    headers: here.as.owner,
  });
  expect(status).toBe(200);
  const [line] = await here.sql<{ target: unknown }[]>`
    select target from audit where endpoint = 'GET /v1/exports/:kind'`;
  expect(line!.target).toMatchObject({ kind: "people", purpose: "analysis", names: true });
});

test("orders and events go out of an interval; what has no instant is not asked for one", async () => {
  await using here = await open();
  const day = (n: number) => `2026-01-0${n}T00:00:00.000Z`;
  const lines = [1, 2, 3].map((n) => ({ key: `e${n}`, name: "Tasted", user: "u1", at: day(n) }));
  await here.take("events", lines.map((line) => JSON.stringify(line)).join("\n"), "e.jsonl");
  await here.take("orders", files.orders, "o.csv");
  const asked = async (kind: string, more: string) => {
    const path = `/v1/exports/${kind}?format=jsonl&purpose=analysis${more}`;
    return here.ask("GET", path, { headers: here.as.owner });
  };
  const told = async (kind: "events" | "orders", from?: Date, until?: Date) => {
    let text = "";
    const part = { kind, format: "jsonl", names: true, from, until } as const;
    for await (const piece of exportText(here.house, part)) text += piece;
    return text
      .split("\n")
      .filter(Boolean)
      .map((line) => (JSON.parse(line) as { at: string }).at)
      .toSorted();
  };
  expect(await told("events")).toEqual([day(1), day(2), day(3)]);
  // From its first instant on, and without the last.
  expect(await told("events", new Date(day(2)))).toEqual([day(2), day(3)]);
  expect(await told("events", undefined, new Date(day(2)))).toEqual([day(1)]);
  expect(await told("events", new Date(day(2)), new Date(day(3)))).toEqual([day(2)]);
  const all = await told("orders");
  const last = all.at(-1)!;
  expect(await told("orders", new Date(last))).toEqual(all.filter((at) => at >= last));
  expect((await asked("events", `&from=${day(2)}&until=${day(3)}`)).status).toBe(200);
  // A day is the shop's: in Shanghai this is the second of January already.
  const late = "2026-01-01T17:00:00.000Z";
  await here.take("events", `{"name":"Tasted","key":"e4","user":"u1","at":"${late}"}`, "l.jsonl");
  const ofDay = async (n: number) =>
    (await asked("events", `&from=2026-01-0${n}&until=2026-01-0${n + 1}`)).text;
  expect(await ofDay(1)).not.toContain(late);
  expect(await ofDay(2)).toContain(late);
  expect(await ofDay(2)).toContain(day(2));
  expect(await ofDay(2)).not.toContain(day(3));
  const [line] = await here.sql<{ target: unknown }[]>`
    select target from audit where endpoint = 'GET /v1/exports/:kind'`;
  expect(line!.target).toMatchObject({ kind: "events", from: day(2), until: day(3) });
  for (const [kind, more, field] of [
    ["people", `&from=${day(2)}`, "from"],
    ["products", `&until=${day(2)}`, "until"],
    ["events", `&from=${day(3)}&until=${day(2)}`, "until"],
    ["events", "&from=yesterday", "from"],
  ] as const) {
    const { status, body } = await asked(kind, more);
    expect(status).toBe(400);
    expect(JSON.stringify(body)).toContain(`"${field}"`);
  }
});

test("people worked out anew are as they were, and so are the columns", async () => {
  await using here = await open();
  for (const kind of ["products", "people", "orders", "events"] as const)
    await here.take(kind, files[kind], `${kind}.csv`);
  const { ship } = pumps(here.house, null);
  while ((await ship()) > 0);
  const people = () => here.sql`
    select * from (select bucket, person_id, attributes from people_profile) p order by 1, 2`;
  const lines = () => here.sql`select * from orders_line order by event_id, n`;
  const columns = () => here.columns.read("select * from event order by bucket, offset");
  const before = [await people(), await lines(), await columns()];
  expect(before[2]).not.toHaveLength(0);
  for (const what of ["people", "columns"]) {
    const asked = { headers: here.as.owner, body: { what } };
    expect((await here.ask("POST", "/v1/rebuilds", asked)).status).toBe(200);
  }
  await rebuild(here.house, refolders);
  expect(await columns()).toEqual([]);
  for (let n = 0; n < 5; n++) {
    await rebuild(here.house, refolders);
    while ((await ship()) > 0);
  }
  expect([await people(), await lines(), await columns()]).toEqual(before);
  const { body } = await here.ask("GET", "/v1/rebuilds", { headers: here.as.owner });
  expect(body["rebuilds"]).toMatchObject([{ stage: "done" }, { stage: "done" }]);
});

test("a narrow interval of a large log is looked for in steps, each of which looks at few rows", async () => {
  await using here = await open();
  const { sql, owner } = here;
  const at = (n: number) => new Date(Date.UTC(2026, 0, 1) + n * 1000);
  await here.take("events", `{"name":"Tasted","key":"e","user":"u1","at":"2026-01-01"}`, "e.jsonl");
  await owner`
    insert into collect_event (bucket, "offset", id, source_id, name, at, received_at, data)
    select n % 256, 1000 + n, overlay(gen_random_uuid()::text placing '8' from 15)::uuid, s.id, 'Tasted',
      ${at(0)}::timestamptz + n * interval '1 second', now(), '{}'
    from generate_series(1, 60000) n cross join (select id from collect_source limit 1) s`;
  await owner`analyze collect_event`;
  const from = at(30_000);
  const until = at(30_003);
  const asked = { kind: "events", format: "jsonl", names: true, from, until } as const;
  let text = "";
  for await (const piece of exportText(here.house, asked)) text += piece;
  const told = text
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { at: string }).at);
  expect(told.toSorted()).toEqual([30_000, 30_001, 30_002].map((n) => at(n).toISOString()));

  type Plan = { "Actual Rows": number; "Actual Loops": number } & Record<string, unknown>;
  const most = (plan: Plan): number => {
    const removed = Number(plan["Rows Removed by Filter"] ?? 0);
    const own = (plan["Actual Rows"] + removed) * plan["Actual Loops"];
    return Math.max(own, ...((plan["Plans"] ?? []) as Plan[]).map(most));
  };
  for (const part of ["orders", "events", "relations"] as const) {
    const [row] = await sql<{ queryPlan: [{ Plan: Plan }] }[]>`
      explain (analyze, format json) ${views.log(sql, part, { from, until }, undefined, 1000)}`;
    const [{ Plan: plan }] = Object.values(row!)[0]!;
    expect(most(plan), part).toBeLessThanOrEqual(1000);
  }
});
