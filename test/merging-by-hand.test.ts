// Two members put together by an operator, and taken apart again: the word stands, whatever events say after it.
import { expect, test } from "vitest";
import { consumers, following, movers, refolders } from "../src/app.ts";
import { consume } from "../src/collect/jobs.ts";
import { routes as collectRoutes } from "../src/collect/routes.ts";
import { accept } from "../src/collect/service.ts";
import { merge, rework } from "../src/people/jobs.ts";
import { routes as peopleRoutes } from "../src/people/routes.ts";
import * as people from "../src/people/service.ts";
import * as store from "../src/people/store.ts";
import { shop, type Shop } from "./shop.ts";

const opened = () => shop([...collectRoutes, ...peopleRoutes]);
const settled = async ({ house }: Shop) => {
  while (
    (await consume(house, consumers)) +
      (await merge(house, movers, refolders)) +
      (await rework(house, following)) >
    0
  );
};
let n = 0;
const send = async (here: Shop, ...events: Record<string, unknown>[]) => {
  const { status, body } = await here.ask("POST", "/v1/events", {
    headers: here.as.server,
    body: {
      events: events.map((event) => ({
        key: String(n++),
        name: "identify",
        at: new Date(Date.UTC(2026, 1, 1, 0, n)).toISOString(),
        ...event,
      })),
    },
  });
  expect({ status, body }).toMatchObject({ status: 200, body: { accepted: events.length } });
  await settled(here);
  here.clock.shop = new Date(here.clock.shop.getTime() + 60_000);
};
const personOf = async ({ house, sql, server }: Shop, user: string) =>
  (await people.byIdentifier(house, sql, "user_id", user, server.id))!.personId;
const ask = async (
  here: Shop,
  method: string,
  path: string,
  body?: object,
  as: keyof Shop["as"] = "owner",
) => {
  const answer = await here.ask(method, path, { headers: here.as[as], ...(body ? { body } : {}) });
  await settled(here);
  here.clock.shop = new Date(here.clock.shop.getTime() + 60_000);
  return { status: answer.status, body: answer.body as Record<string, unknown> };
};
const state = async ({ sql }: Shop) => ({
  persons: [...(await sql`select * from people_person order by person_id`)],
  owners: [...(await sql`select node_id, person_id from people_node order by node_id`)],
  tags: [...(await sql`select * from people_tag order by person_id, tag`)],
  profiles: [
    ...(await sql`select person_id, attributes from people_profile where attributes <> '{}' order by 1`),
  ],
});

test("two members merge by hand and part by hand; a try says what would be, and moves nothing", async () => {
  await using here = await opened();
  await send(
    here,
    { user: "u1", traits: { city: "Wuhan", email: "one@example.com" } },
    { user: "u2", traits: { city: "Xi'an", email: "two@example.com" } },
    { user: "u2", name: "Product Viewed" },
  );
  const [u1, u2] = [await personOf(here, "u1"), await personOf(here, "u2")];
  await ask(here, "POST", `/v1/members/${u2}/tags`, { tag: "vip", value: "gold" });
  const before = await state(here);
  const path = `/v1/members/${u1}/merges`;
  const asked = { other: u2, reason: "same family card" };
  expect(await ask(here, "POST", path, asked, "analyst")).toMatchObject({ status: 403 });
  const plan = await ask(here, "POST", `${path}?dryRun=true`, asked);
  expect(plan).toMatchObject({
    status: 200,
    body: {
      stays: { personId: u1, identifier: { type: "user_id", value: "u1" } },
      goes: { personId: u2, identifier: { type: "user_id", value: "u2" } },
      moves: { identifiers: 2, events: 2, tags: 1, coupons: 0, consents: 0 },
      both: { programmes: 0, crossed: 0, stricter: 0 },
    },
  });
  expect(await state(here)).toEqual(before);

  expect(await ask(here, "POST", path, asked)).toMatchObject({ status: 200 });
  expect(await personOf(here, "u2")).toBe(u1);
  const one = await ask(here, "GET", `/v1/members/${u1}/merges`);
  const [listed] = one.body["merges"] as Record<string, unknown>[];
  expect(listed).toMatchObject({
    from: { personId: u2, identifier: { value: "u2" } },
    into: { personId: u1 },
    ...{ state: "merged", word: "hand", why: "same family card", parted: null },
    moved: { identifiers: 2, events: 2, tags: 1 },
  });
  expect(listed!["by"]).toMatch(/^key:/);

  // A number that the shop uses again, and an event that joins others to them: the word stands.
  await send(here, { user: "u2", traits: { city: "Beijing" } }, { user: "u1", anonymous: "a1" });
  expect(await personOf(here, "u2")).toBe(u1);
  expect(await ask(here, "POST", path, asked)).toMatchObject({
    status: 409,
    body: { code: "people.merge_same", fields: ["other"] },
  });

  const undo = `/v1/members/${u1}/merges/${String(listed!["id"])}/undo`;
  const back = { reason: "they are mother and daughter" };
  expect(await ask(here, "POST", `${undo}?dryRun=true`, back)).toMatchObject({
    status: 200,
    body: { from: { personId: u2 }, into: { personId: u1 }, returns: { events: 2, tags: 1 } },
  });
  expect(await personOf(here, "u2")).toBe(u1);
  expect(await ask(here, "POST", undo, back)).toMatchObject({ status: 200 });
  expect(await personOf(here, "u2")).toBe(u2);
  expect(await ask(here, "POST", undo, back)).toMatchObject({
    ...{ status: 409, body: { code: "people.merge_undone" } },
  });
  expect(
    ((await ask(here, "GET", `/v1/members/${u2}/merges`)).body["merges"] as object[])[0],
  ).toMatchObject({ state: "parted", parted: { why: "they are mother and daughter" } });
  const after = await state(here);
  expect(after.tags).toEqual(before.tags);
  expect(after.persons.map((row) => row["personId"])).toEqual(
    before.persons.map((row) => row["personId"]),
  );

  // No event puts them together again: an operator alone does.
  const alias = {
    ...{ key: "alias", name: "alias", at: new Date(Date.UTC(2026, 1, 2)), data: {} },
    sender: { type: "user_id" as const, value: "u1" },
    links: [{ type: "user_id" as const, value: "u2" }],
  };
  const source = { id: here.server.id, kind: "server" as const };
  expect(await here.sql.begin((tx) => accept(here.house, tx, source, [alias]))).toEqual([
    "accepted",
  ]);
  await settled(here);
  expect(await personOf(here, "u2")).toBe(u2);
  expect(await ask(here, "POST", path, asked)).toMatchObject({ status: 200 });
  expect(await personOf(here, "u2")).toBe(u1);
}, 60_000);

test("what must never be one is refused by hand too, and says by which rule; refused links are listed", async () => {
  await using here = await opened();
  const mails = (user: string, from: number) =>
    [0, 1, 2].map((i) => ({ user, traits: { email: `m${from + i}@example.com` } }));
  await send(
    here,
    ...mails("u1", 0),
    ...mails("u2", 3),
    { user: "guest", traits: {} },
    { user: "u3", traits: { email: "m0@example.com" } },
  );
  const [u1, u2, guest, u3] = [
    await personOf(here, "u1"),
    await personOf(here, "u2"),
    await personOf(here, "guest"),
    await personOf(here, "u3"),
  ];
  const merge = (person: string, other: string, reason = "twice the same") =>
    ask(here, "POST", `/v1/members/${person}/merges`, { other, reason });
  expect(await merge(u1, u2)).toMatchObject({
    status: 409,
    body: { code: "people.merge_limit", fields: ["other"], identifier: "email", most: 5 },
  });
  expect(await merge(u1, guest)).toMatchObject({
    status: 409,
    body: { code: "people.merge_blocked", fields: ["other"], identifier: "user_id" },
  });
  expect(await merge(u1, here.house.newId())).toMatchObject({
    status: 404,
    body: { code: "people.unknown", fields: ["other"] },
  });
  expect(await merge(u1, u3, "ring 13800138000")).toMatchObject({
    status: 422,
    body: { code: "people.reason_names", fields: ["reason"] },
  });
  expect(await merge(u1, u3, "")).toMatchObject({ status: 400, body: { fields: ["reason"] } });
  const refused = await ask(here, "GET", `/v1/members/${u3}/refusals`, undefined, "analyst");
  expect(refused.body["refusals"]).toMatchObject([
    {
      said: { type: "user_id", value: "u3", masked: false },
      other: { type: "email", value: "m•••@e•••", masked: true },
      ...{ otherPerson: u1, reason: "two_people" },
    },
  ]);
  expect(
    ((await ask(here, "GET", `/v1/members/${u1}/refusals`)).body["refusals"] as object[])[0],
  ).toMatchObject({ otherPerson: u3, other: { value: "m0@example.com" } });

  // The shop's own system took them apart.
  const word = (name: string, key: string, links: string[]) => ({
    ...{ key, name, at: new Date(Date.UTC(2026, 1, 3)), data: {} },
    sender: { type: "user_id" as const, value: "u3" },
    links: links.map((value) => ({ type: "user_id" as const, value })),
  });
  const source = { id: here.server.id, kind: "server" as const };
  await here.sql.begin((tx) => accept(here.house, tx, source, [word("unbind", "x", ["u1"])]));
  await settled(here);
  expect(await merge(u3, u1)).toMatchObject({
    status: 409,
    body: { code: "people.merge_parted", fields: ["other"] },
  });
}, 60_000);

test("rules of who is who are read and changed; whom a change concerns is worked out anew by a job", async () => {
  await using here = await opened();
  await send(
    here,
    { user: "u1", traits: { email: "m1@example.com" } },
    { user: "u1", traits: { email: "m2@example.com", phone: "+86 10 8888 0000" } },
    { user: "u1", anonymous: "a1", name: "Product Viewed" },
    { user: "u1", anonymous: "a2", name: "Product Viewed" },
  );
  const u1 = await personOf(here, "u1");
  const find = async (type: "email" | "phone" | "anonymous_id", value: string) =>
    (await people.byIdentifier(here.house, here.sql, type, value, here.server.id))!.personId;
  const rules = async (as: keyof Shop["as"] = "owner") =>
    (await ask(here, "GET", "/v1/identity/rules", undefined, as)).body as {
      limits: { type: string; most: number; usual: number }[];
      blocked: { id: string; value: string }[];
    };
  const limit = async (type: string) => (await rules()).limits.find((one) => one.type === type);
  expect(await limit("email")).toEqual({ type: "email", most: 5, usual: 5 });

  const set = (body: object, as: keyof Shop["as"] = "owner") =>
    ask(here, "PUT", "/v1/identity/limits", body, as);
  expect(await set({ email: 1 }, "analyst")).toMatchObject({ status: 403 });
  expect(await set({ email: 0 })).toMatchObject({ status: 400, body: { fields: ["email"] } });
  expect(await set({ mail: 2 })).toMatchObject({ status: 400 });
  expect(await set({ email: 1, anonymous_id: 1 })).toMatchObject({
    status: 200,
    body: { identifiers: 2 },
  });
  expect(await limit("email")).toEqual({ type: "email", most: 1, usual: 5 });
  // The earliest stay.
  expect(await find("email", "m1@example.com")).toBe(u1);
  expect(await find("email", "m2@example.com")).not.toBe(u1);
  expect(await find("anonymous_id", "a1")).toBe(u1);
  expect(await find("anonymous_id", "a2")).not.toBe(u1);
  expect(await set({})).toMatchObject({ status: 200 });
  expect(await find("email", "m2@example.com")).toBe(u1);
  expect(await find("anonymous_id", "a2")).toBe(u1);

  // The number of the counter joins nobody, whoever gave it; and it is no secret of the shop's for whoever may not search.
  const counter = { type: "phone", value: "+861088880000", reason: "our own counter" };
  const blocked = await ask(here, "POST", "/v1/identity/blocked", counter);
  expect(blocked).toMatchObject({ status: 200, body: { identifiers: 1 } });
  expect(await ask(here, "POST", "/v1/identity/blocked", counter)).toMatchObject({
    status: 409,
    body: { code: "people.blocked_there", fields: ["value"] },
  });
  expect(await find("phone", "+861088880000")).not.toBe(u1);
  await send(here, { user: "u2", traits: { phone: "+86 10 8888 0000" } });
  expect(await find("phone", "+861088880000")).not.toBe(await personOf(here, "u2"));
  expect((await rules("analyst")).blocked).toMatchObject([{ value: "•••00", masked: true }]);
  expect((await rules()).blocked).toMatchObject([
    { value: "+861088880000", why: "our own counter" },
  ]);
  const gone = `/v1/identity/blocked/${String(blocked.body["id"])}`;
  expect(await ask(here, "DELETE", gone)).toMatchObject({ status: 200, body: { identifiers: 1 } });
  expect(await ask(here, "DELETE", gone)).toMatchObject({ status: 404 });
  expect(await find("phone", "+861088880000")).toBe(u1);

  // A value that is blocked before anybody had it joins nobody either.
  await ask(here, "POST", "/v1/identity/blocked", { ...counter, value: "+861088881111" });
  await send(here, { user: "u2", traits: { phone: "+86 10 8888 1111" } });
  expect(await find("phone", "+861088881111")).not.toBe(await personOf(here, "u2"));

  const { jobs } = (await ask(here, "GET", "/v1/identity/jobs")).body as {
    jobs: { endedAt: string | null; identifiers: object; kind: string }[];
  };
  expect(jobs.length).toBeGreaterThanOrEqual(4);
  expect(jobs.every(({ endedAt }) => endedAt !== null)).toBe(true);
  expect(jobs.filter(({ kind }) => kind === "rules").at(-1)).toMatchObject({
    identifiers: { done: 2, all: 2 },
    people: { done: 3, all: 3 },
  });
}, 60_000);

test("what fails for one holds up nobody else: it rests, and is done as soon as it can be", async () => {
  await using here = await opened();
  const { house, owner, sql } = here;
  await send(
    here,
    ...["u1", "u2", "u3", "u4"].map((user) => ({ user, traits: { city: "Wuhan" } })),
  );
  const [u1, u2, u3, u4] = await Promise.all(
    ["u1", "u2", "u3", "u4"].map((user) => personOf(here, user)),
  );
  const refuse = (those: readonly { personId: string }[], whom: string) => {
    if (those.some(({ personId }) => personId === whom)) throw new Error("one row too many");
  };
  const put = async (one: string, other: string) =>
    expect(
      await here.ask("POST", `/v1/members/${one}/merges`, {
        ...{ headers: here.as.owner, body: { other, reason: "one card" } },
      }),
    ).toMatchObject({ status: 200 });
  await put(u1!, u2!);
  await put(u3!, u4!);

  // A step of theirs fails whenever it is tried; the others' merge goes all its way.
  const broken = movers.map((mover, i) => ({
    ...mover,
    merge: (async (house, tx, all) => {
      if (i === 1)
        refuse(
          all.flatMap(({ from, into }) => [from, into]),
          u2!,
        );
      return mover.merge(house, tx, all);
    }) satisfies typeof mover.merge,
  }));
  while ((await merge(house, broken, refolders)) + (await rework(house, following)) > 0);
  const merges = () => sql<{ intoId: string; state: string; attempts: number; rests: boolean }[]>`
    select into_id, state, attempts, failed_at is not null as rests from people_merge
    order by into_id = ${u1!} desc`;
  const [first, second] = await merges();
  expect(first).toMatchObject({ intoId: u1, state: "merging", rests: true });
  expect(second).toEqual({ intoId: u3, state: "merged", attempts: 0, rests: false });
  await owner`update people_merge set failed_at = null`;
  while ((await merge(house, broken, refolders)) > 0);
  const [again] = await merges();
  expect(again).toMatchObject({ state: "merging", rests: true });
  expect(again!.attempts).toBeGreaterThan(first!.attempts);
  await owner`update people_merge set failed_at = null`;
  await settled(here);
  expect((await merges())[0]).toEqual({ intoId: u1, state: "merged", attempts: 0, rests: false });
  expect(await personOf(here, "u2")).toBe(u1);

  // The same of people who are worked out anew.
  const jobId = house.newId();
  const seen: string[] = [];
  const failing = (whom: string) => ({
    ...following,
    refolders: [
      async (_: unknown, __: unknown, those: { personId: string }[]) => {
        refuse(those, whom);
        seen.push(...those.map(({ personId }) => personId));
      },
    ],
  });
  await sql.begin(async (tx) => {
    await store.addJob(tx, { id: jobId, kind: "hand", by: null, askedAt: house.clocks.machine() });
    await store.askRefold(tx, await store.ways(tx, [u1!, u3!]), jobId);
  });
  while ((await rework(house, failing(u1!))) > 0);
  expect(seen).toEqual([u3]);
  const job = () =>
    sql`select people_done, ended_at is not null as ended from people_job where id = ${jobId}`;
  expect([...(await job())]).toEqual([{ peopleDone: 1, ended: false }]);
  await owner`update people_refold set failed_at = null`;
  while ((await rework(house, failing(""))) > 0);
  expect([[...(await job())], seen]).toEqual([[{ peopleDone: 2, ended: true }], [u3, u1]]);

  // And of components that are gone through: whoever is in another is put together meanwhile.
  const pairs = ["u5", "u6", "u7", "u8"];
  await send(here, ...pairs.map((user) => ({ user, traits: { city: "Wuhan" } })));
  const [u5, u6, u7, u8] = await Promise.all(pairs.map((user) => personOf(here, user)));
  await put(u5!, u6!);
  await put(u7!, u8!);
  const aside = following.aside.map((mover, i) => ({
    ...mover,
    merge: (async (house, tx, all) => {
      if (i === 0)
        refuse(
          all.flatMap(({ from, into }) => [from, into]),
          u6!,
        );
      return mover.merge(house, tx, all);
    }) satisfies typeof mover.merge,
  }));
  while ((await rework(house, { ...following, aside })) > 0);
  const resting = () => sql`select failed_at is not null as rests from people_rework`;
  expect((await resting()).length).toBeGreaterThan(0);
  expect((await resting()).every(({ rests }) => rests)).toBe(true);
  const one = async (left: string, right: string) =>
    (await personOf(here, left)) === (await personOf(here, right));
  expect([await one("u5", "u6"), await one("u7", "u8")]).toEqual([false, true]);
  await owner`update people_rework set failed_at = null`;
  await settled(here);
  expect([await one("u5", "u6"), (await resting()).length]).toEqual([true, 0]);
});
