// Erasure of one person, over a house in which the loop has turned: what was told of them is nowhere in clear before,
// and nothing of them is anywhere after, in either engine.
import { randomUUID } from "node:crypto";
import { Writable } from "node:stream";
import pino from "pino";
import { expect, test } from "vitest";
import { assignCase, createKey } from "../src/access/service.ts";
import { permissions } from "../src/access/rules.ts";
import { allRoutes, consumers, erasers, pumps } from "../src/app.ts";
import { consume } from "../src/collect/jobs.ts";
import { routes as doors } from "../src/collect/routes.ts";
import * as collect from "../src/collect/service.ts";
import { doctor } from "../src/doctor.ts";
import * as feeds from "../src/feeds/store.ts";
import type { House } from "../src/kernel/endpoint.ts";
import type { PersonKey, Tx } from "../src/kernel/sql.ts";
import { setTimers } from "../src/kernel/timers.ts";
import { consume as meet } from "../src/people/jobs.ts";
import { routes as members } from "../src/people/routes.ts";
import * as people from "../src/people/service.ts";
import { eraseColumns } from "../src/privacy/jobs.ts";
import { directFields } from "../src/privacy/rules.ts";
import { nodeKeys } from "../src/privacy/service.ts";
import { callers, web } from "./authz.ts";
import type { World } from "./database.ts";
import { oneIn, slice, turned } from "./scenarios/turning.ts";

/** One word that nobody else says, for each field that names somebody. */
const canary = (field: string) => `canary${field.replaceAll("_", "")}7f3a91`;
const values: Record<string, string> = Object.fromEntries(
  directFields.map((field) => [field, canary(field)]),
);
values["email"] = `${canary("email")}@example.com`;
values["url"] = `https://example.com/?who=${canary("url")}`;
const phone = "+8613812349876";
values["phone"] = phone;
const words = [...directFields.map(canary), canary("user"), canary("rejected"), phone.slice(1)];

const system = {
  id: "system:test",
  permissions: new Set<string>(permissions),
  scope: { kind: "all" },
} as const;

/** Everything that stands in either engine, as text: one entry a table. */
async function dump({ owner, columns }: World): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const tables = await owner<{ name: string }[]>`
    select table_name as name from information_schema.tables
    where table_schema = 'public' and table_type = 'BASE TABLE' order by 1`;
  for (const { name } of tables) {
    const rows = await owner<{ row: string }[]>`select t::text as row from ${owner(name)} t`;
    found.set(name, rows.map(({ row }) => row).join("\n"));
  }
  for (const name of ["event", "person_node"])
    found.set(`columns.${name}`, JSON.stringify(await columns.read(`select * from ${name}`)));
  return found;
}
/** In which of these texts a word stands: as it is, as hex, or as base64 at any of its three offsets. */
function holding(texts: Map<string, string>, word: string): string[] {
  const forms = [word.toLowerCase(), Buffer.from(word).toString("hex")];
  const inner = [0, 1, 2].map((shift) =>
    Buffer.concat([Buffer.alloc(shift), Buffer.from(word)])
      .toString("base64")
      .slice(4, -4),
  );
  return [...texts].flatMap(([name, text]) => {
    const plain = text.toLowerCase();
    const there = forms.some((form) => plain.includes(form)) || inner.some((f) => text.includes(f));
    return there ? [name] : [];
  });
}

/** A person of whom something stands in every table that can hold something of a person. */
async function known(shop: Awaited<ReturnType<typeof turned>>) {
  const { house, sql, clock } = shop;
  const [person] = await sql<PersonKey[]>`
    select e.bucket, e.person_id from journeys_enrolment e
    join experiments_outcome o using (bucket, person_id)
    where e.node = 'sent' and exists (
      select from recommend_pick p where (p.bucket, p.person_id) = (e.bucket, e.person_id))
    and exists (
      select from messages_delivery d where (d.bucket, d.person_id) = (e.bucket, e.person_id))
    order by e.person_id limit 1`;
  const source = await collect.sourceNamed(house, sql, "shop", "server");
  const [operator] = await sql<{ id: string }[]>`select id from access_operator limit 1`;
  await sql.begin(async (tx) => {
    const at = clock.shop;
    const identifiers = [
      { type: "email", value: values["email"]! },
      { type: "phone", value: phone },
      { type: "device", value: canary("device") },
      { type: "user_id", value: canary("user") },
    ] as const;
    const asked = identifiers.map((identifier) => ({
      person: person!,
      sourceId: source.id,
      identifier,
      at: new Date(at.getTime() - 1_000),
    }));
    const added = await people.addIdentifiers(house, tx, asked);
    expect(added).toEqual(asked.map(() => true));
    const fields = Object.entries(values).map(([field, value]) => ({
      person: person!,
      field,
      value,
      source: "test",
      at,
    }));
    await people.setFields(house, tx, fields);
    const user = { type: "user_id", value: canary("user") } as const;
    await collect.accept(house, tx, source, [
      // Two numbers are two people, unless the shop's server says that one was the other.
      { key: "alias", name: "alias", at, data: {}, sender: user, links: [identifiers[0]] },
      {
        key: "visit",
        name: "Visited",
        at,
        data: { city: "Bath" },
        direct: values,
        sender: user,
      },
      { key: "look", name: "Product Viewed", at, data: { category: "Tea" }, sender: user },
    ]);
    await tx`insert into segments_member (bucket, person_id, segment_id, since)
      select ${person!.bucket}, ${person!.personId}, id, ${at} from segments_segment limit 1
      on conflict do nothing`;
    await tx`insert into segments_snapshot_member ${tx({ ...person!, snapshotId: randomUUID() })}`;
    await setTimers(tx, [{ ...person!, kind: "test", key: "x", dueAt: new Date("2999-01-01") }]);
    await tx`insert into outbox ${tx({ ...person!, id: randomUUID(), name: "test", data: tx.json({}), at })}`;
    await told(house, tx, person!);
    // Somebody follows them, and they follow somebody.
    const [node, other] = [(await people.nodesOf(tx, person!))[0]!, randomUUID()];
    for (const [told, heard] of [
      [node.nodeId, other],
      [other, node.nodeId],
    ] as const)
      await tx`insert into relations_fact values
        (${node.bucket}, ${told}, ${node.bucket}, ${heard}, ${randomUUID()}, 'follow', null, ${at})`;
    await tx`insert into relations_person values (${person!.bucket}, ${person!.personId}, ${at})`;
    for (const [own, kind, seen] of [
      [person!.personId, "follows", other],
      [other, "followed_by", person!.personId],
    ] as const)
      await tx`insert into relations_edge
        values (${person!.bucket}, ${own}, ${kind}, ${person!.bucket}, ${seen}, ${at})`;
    // They buy for a company.
    const company = randomUUID();
    await tx`insert into companies_company values (${company}, ${source.id}, 'oak', 'Oak', '{}', ${at})`;
    await tx`insert into companies_fact
      values (${node.bucket}, ${node.nodeId}, ${company}, ${randomUUID()}, 'joined', '{buyer}', ${at})`;
    await tx`insert into companies_contact
      values (${company}, 'email', ${node.bucket}, ${node.nodeId}, 'x', ${at}, ${randomUUID()})`;
    await tx`insert into companies_member
      values (${person!.bucket}, ${person!.personId}, ${company}, 'buyer', ${at})`;
    await tx`insert into companies_spend
      values (${person!.bucket}, ${person!.personId}, ${company}, 'GBP', 1, 100, ${at})`;
    // They answered a form, and an address of theirs waits to be confirmed.
    await tx`insert into forms_submission
      values (${node.bucket}, ${node.nodeId}, ${randomUUID()}, ${company}, 1, '{city}', '{city}', ${at})`;
    const blind = (await people.nodesOf(tx, person!)).find(({ type }) => type === "email")!.blind;
    await tx`insert into forms_pending values (${randomUUID()}, ${company}, 1, 'zh', ${blind}, 'x', '[]',
      null, null, ${at})`;
    const given = { operator: operator!.id, person: person!.personId };
    const context = { tx, house, at, now: at, newId: house.newId } as never;
    expect(await assignCase(context, given as never)).toMatchObject({ ok: true });
  });
  return { person: person!, source };
}

/** A message about them that was sent, and its answer. */
async function told(house: House, tx: Tx, person: PersonKey): Promise<void> {
  const at = house.clocks.machine();
  const [id, webhookId] = [randomUUID(), randomUUID()];
  const key = { ...person, eventId: id, webhookId };
  const answer = { status: 200, code: null, body: Buffer.from("taken"), cut: false, ms: 1 };
  await feeds.addEvents(tx, [{ ...person, id, type: "test", at, data: {} }], at, null);
  await feeds.addDeliveries(tx, [key], at);
  await feeds.settle(tx, [{ ...key, ...answer, id, at, state: "taken", nextAt: at }]);
}

test("one person is erased: nothing in clear before, nothing at all after, in both engines", async () => {
  await using file = await slice(oneIn(20));
  await using shop = await turned(file.path);
  const { house, sql, clock, owner } = shop;
  let logged = "";
  const sink = new Writable({
    write: (chunk: Buffer, _, done) => {
      logged += chunk.toString();
      done();
    },
  });
  house.log = pino({ level: "debug" }, sink);
  const all = await callers(house);
  const headers = all.find(({ name }) => name === "owner")!.headers;
  const { person, source } = await known(shop);
  const ask = web(house, [
    ...new Map(
      [...allRoutes, ...doors, ...members].map((r) => [
        `${r.endpoint.method} ${r.endpoint.path}`,
        r,
      ]),
    ).values(),
  ]);
  const work = pumps(house, null);

  // Every way in that takes words from outside.
  const events = [
    {
      key: "in",
      name: "identify",
      user: canary("user"),
      at: clock.shop.toISOString(),
      traits: { email: values["email"], name: values["name"], phone },
      data: { note: values["free_text"], page_url: values["url"] },
    },
    { key: "bad", name: "identify", at: "yesterday", traits: { email: canary("rejected") } },
  ];
  const key = await sql.begin((tx) =>
    createKey(
      { tx, actor: system, at: clock.machine, newId: house.newId },
      { name: "shop", permissions: ["events:write"], source: { id: source.id, kind: "server" } },
    ),
  );
  const bearer = { authorization: `Bearer ${key.ok ? key.value.key : ""}` };
  const sent = await ask("POST", "/v1/events", { headers: bearer, body: { events } });
  expect(sent.body).toMatchObject({ accepted: 1, refused: 1 });
  for (const body of [{ email: values["email"] }, { phone }])
    expect((await ask("POST", "/v1/members/find", { headers, body })).body).toEqual({
      personId: person.personId,
    });
  const wrong = { email: values["email"], password: canary("address") };
  expect((await ask("POST", "/v1/session", { body: wrong })).status).toBe(401);
  const invited = { email: values["email"], role: "analyst", name: values["name"], merchants: [] };
  await ask("POST", "/v1/invitations", { headers, body: invited });
  const import_ = await collect.openImport(
    house,
    source.id,
    Buffer.from("x"),
    undefined,
    undefined,
    { kind: "orders", mapping: {} },
  );
  const unfit = { field: "customer", reason: "invalid", text: canary("rejected") };
  await collect.takeLines(house, source, import_, [{ line: 1, unfit }], { line: 1, outside: 0 });
  while ((await consume(house, [meet, ...consumers])) + (await work.ship()) > 0);
  await sql.begin(async (tx) => {
    // Somebody turned out to be them, and waits aside; on a device of theirs somebody else signed in, too.
    const [device] = await tx<{ bucket: number; nodeId: string }[]>`
      select bucket, node_id from people_node where person_id = ${person.personId} and type = 'device'`;
    await tx`update people_node set split = true where node_id = ${device!.nodeId}`;
    await tx`insert into people_span (bucket, node_id, from_at, from_id, until_at, until_id, person_bucket, person_id)
      values (${device!.bucket}, ${device!.nodeId}, '-infinity', ${randomUUID()}, 'infinity', ${randomUUID()},
        ${person.bucket}, ${person.personId})`;
    await tx`insert into people_refold (bucket, person_id, job_id)
      values (${person.bucket}, ${person.personId}, ${randomUUID()})`;
    await tx`insert into people_parked (bucket, person_id, merge_id, place, rows)
      values (${person.bucket}, ${person.personId}, ${randomUUID()}, 'test', '[]')`;
    await tx`insert into people_merge (id, from_bucket, from_id, into_bucket, into_id, at, state)
      values (${randomUUID()}, 1, ${randomUUID()}, ${person.bucket}, ${person.personId}, ${shop.clock.shop}, 'merged')`;
    await tx`insert into segments_touched ${tx({ ...person, kind: "tag", name: "test" })} on conflict do nothing`;
    await tx`insert into segments_stale ${tx({ ...person })} on conflict do nothing`;
  });

  const nodes = await people.nodesOf(sql, person);
  const types = nodes.map(({ type }) => type);
  expect(types.filter((type) => type === "user_id").length).toBe(2);
  expect(new Set(types)).toEqual(new Set(["user_id", "email", "phone", "device"]));
  expect((await nodeKeys(house, sql, nodes)).size).toBe(nodes.length);
  const mine = (table: string) =>
    owner<{ n: number }[]>`
      select count(*)::int as n from ${owner(table)} where person_id = ${person.personId}`;
  const tables = await owner<{ name: string }[]>`
    select table_name as name from information_schema.columns
    where table_schema = 'public' and column_name = 'person_id' and table_name <> 'privacy_erasure'`;
  // What waits to be looked at is gone before anybody can count it.
  await sql`insert into segments_touched ${sql({ ...person, kind: "tag", name: "test" })}`;
  await sql`insert into segments_stale ${sql({ ...person })}`;
  const before = new Map<string, number>();
  for (const { name } of tables) before.set(name, (await mine(name))[0]!.n);
  // A new table of a person's rows has to be filled here, so that its eraser is tried.
  expect([...before].filter(([, n]) => n === 0).map(([name]) => name)).toEqual([]);

  const texts = await dump(shop);
  for (const word of words) expect({ word, in: holding(texts, word) }).toEqual({ word, in: [] });
  // The search itself finds what is there.
  expect(holding(texts, person.personId)).toContain("columns.person_node");
  const held = await sql`select from people_field where person_id = ${person.personId}`;
  expect(held.count).toBe(directFields.length);
  expect((await people.allFields(house, sql, person)).get("email")).toBe(values["email"]);

  // A dry run changes nothing; the real one takes every row and every key in one transaction.
  const path = `/v1/members/${person.personId}`;
  expect((await ask("DELETE", `${path}?dryRun=true`, { headers })).status).toBe(200);
  expect((await mine("people_way"))[0]!.n).toBe(1);
  const asked = await ask("DELETE", path, { headers });
  expect(asked.status).toBe(200);
  expect((await nodeKeys(house, sql, nodes)).size).toBe(0);
  expect((await owner`select from forms_pending`).count).toBe(0);
  for (const { name } of tables)
    expect({ name, n: (await mine(name))[0]!.n }).toEqual({ name, n: 0 });
  expect((await ask("DELETE", path, { headers })).status).toBe(404);

  // What was on its way at that moment, and commits late, goes as well; until then the erasure stays open.
  type Listed = { erasures: { columnsAt: string | null; completeAt: string | null }[] };
  const listed = async () =>
    ((await ask("GET", "/v1/erasures", { headers })).body as Listed).erasures[0]!;
  expect(await listed()).toMatchObject({
    person: person.personId,
    columnsAt: null,
    completeAt: null,
  });
  await owner`insert into people_profile values (${person.bucket}, ${person.personId}, '{}', now())`;
  await owner`
    insert into collect_event
    values (${nodes[0]!.bucket}, 99999999, gen_random_uuid(), ${source.id}, ${nodes[0]!.nodeId}, 'Late', now(), now(), '{}')`;
  const broken = (await doctor(sql, { sample: 1 })).filter(
    ({ id, rows }) => id === "I16" && rows > 0,
  );
  expect(broken.length).toBeGreaterThan(0);

  // The process dies between the two engines, and in the middle of the columns.
  const { columns } = house;
  let runs = 0;
  house.columns = {
    ...columns,
    run: async (...query) => {
      if (++runs === 2) throw new Error("killed");
      return columns.run(...query);
    },
  };
  await expect(eraseColumns(house, erasers)).rejects.toThrow("killed");
  house.columns = columns;
  expect(await listed()).toMatchObject({ columnsAt: null });
  // A batch that was read before the erasure may still be on its way to the columns.
  const bucket = nodes[0]!.bucket;
  await owner`
    insert into collect_batch (target, buckets, froms, tos, rows, state)
    values ('event', array[${bucket}]::smallint[], '{1}', '{1}', 1, 'cut')`;
  expect(await eraseColumns(house, erasers)).toBe(0);
  await columns.insert(
    "event",
    [{ bucket, offset: 1, id: randomUUID(), node_id: nodes[0]!.nodeId, name: "late", data: "{}" }],
    "late",
  );
  await owner`delete from collect_batch where state = 'cut'`;
  expect(await eraseColumns(house, erasers)).toBe(1);
  expect(await eraseColumns(house, erasers)).toBe(0);
  const done = await listed();
  expect(done.columnsAt).toBe(clock.machine.toISOString());
  // Copies of the keys' own backup are kept a week.
  expect(Date.parse(done.completeAt!) - clock.machine.getTime()).toBe(7 * 86_400_000);

  // Ten minutes later it is gone over once more: a transaction may have lived that long.
  await owner`insert into people_profile values (${person.bucket}, ${person.personId}, '{}', now())`;
  expect(await eraseColumns(house, erasers)).toBe(0);
  clock.machine = new Date(clock.machine.getTime() + 10 * 60_000);
  expect(await eraseColumns(house, erasers)).toBe(1);
  expect(await eraseColumns(house, erasers)).toBe(0);
  expect((await listed()).columnsAt).toBe(done.columnsAt);

  // Nobody finds anything of them but the two lists of ids that say that they are gone.
  const after = await dump(shop);
  expect(holding(after, person.personId).toSorted()).toEqual(["audit", "privacy_erasure"]);
  for (const { nodeId } of nodes) expect(holding(after, nodeId)).toEqual(["privacy_erasure"]);
  for (const word of words) expect({ word, in: holding(after, word) }).toEqual({ word, in: [] });
  for (const word of words)
    expect({ word, logged: logged.includes(word) }).toEqual({ word, logged: false });
  expect((await doctor(sql, { sample: 1 })).filter(({ rows }) => rows > 0)).toEqual([]);
  for (const body of [{ email: values["email"] }, { phone }])
    expect((await ask("POST", "/v1/members/find", { headers, body })).status).toBe(404);

  // What happened before is refused; whoever comes back is somebody new.
  const visit = (key: string, at: Date) => {
    const sender = { type: "user_id", value: canary("user") } as const;
    const events = [{ key, name: "Visited", at, data: {}, sender }];
    return collect.receive(house, source, { events, unfit: [] });
  };
  expect(await visit("past", new Date(clock.shop.getTime() - 1))).toEqual(["erased"]);
  expect(await visit("same", clock.shop)).toEqual(["erased"]);
  expect(await visit("back", new Date(clock.shop.getTime() + 1))).toEqual(["accepted"]);
  const fresh = await people.byIdentifier(house, sql, "user_id", canary("user"), source.id);
  expect(fresh!.personId).not.toBe(person.personId);
}, 240_000);
