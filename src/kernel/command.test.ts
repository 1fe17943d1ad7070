import { expect, test } from "vitest";
import { clerk, routesOf, tills, type Takes } from "../../test/till.ts";
import { commands, type Order } from "./command.ts";
import type { Route } from "./endpoint.ts";

type Command = Extract<Route, { kind: "command" }>;
/** A shop with its write path; `claim` and `secret` are called as the server would. */
async function open(size?: number) {
  const shop = await tills(size);
  const takes: Takes = [];
  const [claimRoute, secretRoute] = routesOf(takes) as [Command, Command];
  const process = () => {
    const submit = commands(shop.house);
    let keys = 0;
    const order = (raw: Record<string, unknown>, given: Partial<Order>): Order => ({
      actor: clerk(),
      key: `key ${keys++}`,
      dryRun: false,
      raw,
      ...given,
    });
    return {
      claim: (raw: Record<string, unknown>, given: Partial<Order> = {}) =>
        submit(claimRoute, order(raw, given)),
      secret: (raw: Record<string, unknown>, given: Partial<Order> = {}) =>
        submit(secretRoute, order(raw, given)),
    };
  };
  const audit = async () =>
    (await shop.owner<{ outcome: string }[]>`select outcome from audit order by id`).map(
      ({ outcome }) => outcome,
    );
  const count = async (table: string) => (await shop.owner.unsafe(`select from ${table}`)).length;
  return Object.assign(shop, { takes, process, ...process(), audit, count });
}
const many = (n: number) => Array.from({ length: n }, (_, i) => i);

test("one key, one deed: twins get the saved answer, in one process and in two", async () => {
  await using shop = await open();
  const other = shop.process();
  const answers = await Promise.all(
    [shop, shop, other, other].map(({ claim }) => claim({ person: "ann" }, { key: "a" })),
  );
  const [row] = await shop.claims();
  for (const answer of answers)
    expect(answer).toMatchObject({ ok: true, value: { claim: row!.id, amount: 1 } });
  expect(await shop.count("till_claim")).toBe(1);
  expect(await shop.count("outbox")).toBe(1);
  expect(await shop.used()).toBe(1n);
  expect(await shop.audit()).toEqual(["ok"]); // one line a deed, none a replay
});

test("a failure's answer is saved too, with its data; nothing else of it is", async () => {
  await using shop = await open();
  const asked = { person: "ann", step: "refuse", note: "why" };
  for (const _ of many(3))
    expect(await shop.claim(asked, { key: "a" })).toEqual({
      ok: false,
      code: "till.refused",
      data: { note: "why" },
    });
  expect(await shop.count("till_claim")).toBe(0);
  expect(await shop.count("outbox")).toBe(0);
  expect(await shop.audit()).toEqual(["till.refused"]);
});

test("the same key with another body is an error; another actor or endpoint has keys of its own", async () => {
  await using shop = await open();
  expect(await shop.claim({ person: "ann" }, { key: "a" })).toMatchObject({ ok: true });
  expect(await shop.claim({ person: "ann", amount: 2 }, { key: "a" })).toEqual({
    ok: false,
    code: "request.key_reused",
  });
  const other = clerk("operator:other");
  expect(await shop.claim({ person: "ann" }, { key: "a", actor: other })).toMatchObject({
    ok: true,
  });
  expect(await shop.secret({ person: "ann" }, { key: "a" })).toMatchObject({ ok: true });
  expect(await shop.audit()).toEqual(["ok", "ok", "ok"]);
  expect(await shop.used()).toBe(2n);
});

test("a twin in flight is waited for 2 s at most, then nothing is saved; its neighbours do not wait for it in vain", async () => {
  await using shop = await open();
  const first = shop.claim({ person: "zoe" }); // so that the next four are one group
  const held = shop.owner.begin(async (tx) => {
    await tx`
      insert into idempotency (key, actor, endpoint, request, at)
      values ('a', 'operator:clerk', 'POST /v1/till/:person/claims', '', now())`;
    const started = performance.now();
    const group = [
      shop.claim({ person: "ann" }),
      shop.claim({ person: "bob" }, { key: "a" }),
      shop.claim({ person: "cem" }),
    ];
    const answers = await Promise.all(group);
    return { answers, ms: performance.now() - started };
  });
  const { answers, ms } = await held;
  expect((await first).ok).toBe(true);
  expect(answers.map((answer) => (answer.ok ? "ok" : answer.code))).toEqual([
    "ok",
    "request.busy",
    "ok",
  ]);
  expect(ms).toBeGreaterThan(1_900);
  expect(ms).toBeLessThan(4_000);
  expect((await shop.claims()).map(({ person }) => person)).toEqual(["zoe", "ann", "cem"]);
  expect(await shop.audit()).toEqual(["ok", "ok", "ok"]);
  // Nothing was saved: the same key may come again, and now does it.
  await shop.owner`delete from idempotency where key = 'a'`;
  expect(await shop.claim({ person: "bob" }, { key: "a" })).toMatchObject({ ok: true });
});

test("a dry run answers as the deed would, and leaves nothing", async () => {
  await using shop = await open(1);
  expect(await shop.claim({ person: "ann" }, { dryRun: true, key: "a" })).toMatchObject({
    ok: true,
    value: { amount: 1 },
  });
  expect(await shop.claim({ person: "ann", amount: 2 }, { dryRun: true, key: "b" })).toEqual({
    ok: false,
    code: "till.short",
  });
  for (const table of ["till_claim", "idempotency", "audit", "outbox"])
    expect(await shop.count(table)).toBe(0);
  expect(await shop.used()).toBe(0n);
  expect(await shop.claim({ person: "ann" }, { key: "a" })).toMatchObject({ ok: true });
});

test("a secret is shown once and saved nowhere; a failure of the same endpoint is saved", async () => {
  await using shop = await open();
  const asked = { person: "ann", note: "x" };
  expect(await shop.secret(asked, { key: "a" })).toEqual({
    ok: true,
    value: { shown: "secret of x" },
  });
  expect(await shop.secret(asked, { key: "a" })).toEqual({
    ok: false,
    code: "request.answered_once",
  });
  const rows = await shop.owner`select answer from idempotency`;
  expect(rows).toEqual([{ answer: null }]);
  const refused = { ...asked, step: "refuse" };
  for (const _ of many(2))
    expect(await shop.secret(refused, { key: "b" })).toMatchObject({ code: "till.refused" });
});

test("the saved request is a keyed digest, and headers are not saved", async () => {
  await using shop = await open();
  const first = await shop.claim({ person: "ann" }, { key: "a" });
  expect(first.headers).toEqual([["x-till", "ann"]]);
  expect((await shop.claim({ person: "ann" }, { key: "a" })).headers).toBeUndefined();
  const [row] = await shop.owner<{ request: Buffer; answer: unknown }[]>`
    select request, answer from idempotency`;
  expect(
    row!.request.equals(shop.house.keys.blind("idempotency.request", '{"person":"ann"}')),
  ).toBe(true);
  expect(JSON.stringify(row!.answer)).not.toContain("x-till");
});

test("no permission, no sign-in, a wrong field: refused by name, and nothing is written", async () => {
  await using shop = await open();
  const nobody = { ...clerk("anonymous"), permissions: new Set<string>() };
  const guest = { ...clerk("operator:guest"), permissions: new Set<string>() };
  const scoped = { ...clerk(), scope: { kind: "merchants", merchants: ["m"] } as const };
  const code = async (given: Partial<Order>) => {
    const answer = await shop.claim({ person: "ann" }, given);
    return answer.ok ? "ok" : answer.code;
  };
  expect(await code({ actor: nobody })).toBe("request.unauthenticated");
  expect(await code({ actor: guest })).toBe("request.forbidden");
  expect(await code({ actor: scoped })).toBe("request.forbidden");
  expect(await shop.claim({ person: "", amount: 0.5, more: 1 })).toEqual({
    ok: false,
    code: "request.invalid",
    data: {
      fields: ["person", "amount", "more"],
      detail: {
        zh: "person：不能为空；amount：应为整数；more：没有这一项",
        en: "person: may not be empty; amount: should be a whole number; more: not known here",
      },
    },
  });
  for (const table of ["till_claim", "idempotency", "audit", "outbox"])
    expect(await shop.count(table)).toBe(0);
});

test("the deed, its saved answer, its audit line and its event are one transaction", async () => {
  await using shop = await open();
  const requestId = shop.house.newId();
  const tables = ["idempotency", "audit", "outbox"];
  for (const table of tables)
    await shop.owner.unsafe(
      `alter table ${table} add column xid text not null default pg_current_xact_id()::text`,
    );
  await shop.claim({ person: "ann" }, { requestId });
  const [row] = await shop.claims();
  for (const table of tables)
    expect(await shop.owner.unsafe(`select xid from ${table}`)).toEqual([{ xid: row!.xid }]);
  expect(
    await shop.owner`select actor, endpoint, target, outcome, request_id, at from audit`,
  ).toEqual([
    {
      actor: "operator:clerk",
      endpoint: "POST /v1/till/:person/claims",
      target: { person: "ann" },
      outcome: "ok",
      requestId,
      at: shop.clock.machine,
    },
  ]);
  expect(await shop.owner`select name, data, at from outbox`).toEqual([
    { name: "till.claimed", data: { claim: row!.id }, at: shop.clock.shop },
  ]);
});

test("what fails at the moment of its commit was never answered, and may come again", async () => {
  await using shop = await open();
  await expect(shop.claim({ person: "ann", note: "late" }, { key: "a" })).rejects.toThrow("late");
  for (const table of ["till_claim", "idempotency", "audit", "outbox"])
    expect(await shop.count(table)).toBe(0);
  expect(await shop.used()).toBe(0n);
  // In a group too: the neighbours are answered, each by a commit of its own.
  const warm = shop.claim({ person: "zoe" });
  const group = ["ann", "bob", "cem"].map((person) =>
    shop.claim({ person, note: person === "bob" ? "late" : "" }),
  );
  const outcomes = await Promise.allSettled([warm, ...group]);
  expect(outcomes.map(({ status }) => status)).toEqual([
    "fulfilled",
    "fulfilled",
    "rejected",
    "fulfilled",
  ]);
  expect((await shop.claims()).map(({ person }) => person)).toEqual(["zoe", "ann", "cem"]);
  expect(await shop.used()).toBe(3n);
});

test("commands of one bucket share a transaction, in order of person, and take the hot row once with the sum", async () => {
  await using shop = await open();
  const people = many(21).map((i) => `p${String((i * 8) % 21).padStart(2, "0")}`);
  const answers = await Promise.all(
    people.map((person, i) => shop.claim({ person, amount: i + 1 })),
  );
  expect(answers.every(({ ok }) => ok)).toBe(true);
  const rows = await shop.claims();
  expect(new Set(rows.map(({ xid }) => xid)).size).toBe(2); // the first alone, the other twenty together
  const together = rows.slice(1).map(({ person }) => person);
  expect(together).toEqual(people.slice(1).toSorted());
  expect(shop.takes).toEqual([1n, 230n]);
  expect(await shop.used()).toBe(231n);
  // Each has its own verdict, key row, audit line and event.
  for (const [i, answer] of answers.entries())
    expect(answer).toMatchObject({ value: { amount: i + 1 } });
  expect(await shop.count("idempotency")).toBe(21);
  expect(await shop.count("outbox")).toBe(21);
  expect(await shop.audit()).toEqual(Array(21).fill("ok"));
});

test("no more than 64 share one transaction", async () => {
  await using shop = await open();
  await Promise.all(many(130).map((i) => shop.claim({ person: `p${i}` })));
  const sizes = new Map<string, number>();
  for (const { xid } of await shop.claims()) sizes.set(xid, (sizes.get(xid) ?? 0) + 1);
  expect([...sizes.values()]).toEqual([1, 64, 64, 1]);
});

test("limit 10, 30 at once: the first 10 to arrive have it, whatever their names; the others are told so", async () => {
  await using shop = await open(10);
  // Arrivals in falling order of person: whoever serves by name gives it to others.
  const people = many(30).map((i) => `p${99 - i}`);
  const answers = await Promise.all(people.map((person) => shop.claim({ person })));
  expect(answers.map((answer) => (answer.ok ? "ok" : answer.code))).toEqual([
    ...Array(10).fill("ok"),
    ...Array(20).fill("till.short"),
  ]);
  expect(await shop.used()).toBe(10n);
  expect((await shop.claims()).map(({ person }) => person)).toEqual(people.slice(0, 10));
  expect(await shop.count("outbox")).toBe(10);
});

test("who asks for more than is left is refused, and a later one for whom there is enough is not", async () => {
  await using shop = await open(10);
  const amounts = [4, 5, 3, 1, 2];
  const answers = await Promise.all(
    amounts.map((amount, i) => shop.claim({ person: `p${i}`, amount })),
  );
  expect(answers.map(({ ok }) => ok)).toEqual([true, true, false, true, false]);
  expect(await shop.used()).toBe(10n);
});

test("a neighbour that refuses, throws or cannot have its lock changes nobody's verdict", async () => {
  await using shop = await open();
  const outcomes = await shop.owner.begin(async (tx) => {
    await tx`select from till_held for update`;
    const what = ["ok", "ok", "refuse", "ok", "throw", "ok", "lock", "ok"];
    return Promise.allSettled(what.map((step, i) => shop.claim({ person: `p${9 - i}`, step })));
  });
  const said = outcomes.map((outcome) => {
    if (outcome.status === "rejected") return String(outcome.reason);
    return outcome.value.ok ? "ok" : outcome.value.code;
  });
  expect(said).toEqual([
    "ok",
    "ok",
    "till.refused",
    "ok",
    "Error: till broke",
    "ok",
    "request.busy",
    "ok",
  ]);
  const claimed = (await shop.claims()).map(({ person }) => person);
  expect(claimed.toSorted()).toEqual(["p2", "p4", "p6", "p8", "p9"]);
  expect(await shop.used()).toBe(5n);
  expect(await shop.count("idempotency")).toBe(6); // five deeds and one refusal; the other two may come again
  expect((await shop.audit()).toSorted()).toEqual([...Array(5).fill("ok"), "till.refused"]);
});

test("a group in which one refuses stays one transaction, and leaves nothing of the one", async () => {
  await using shop = await open();
  const answers = await Promise.all(
    many(9).map((i) => shop.claim({ person: `p${i}`, step: i === 4 ? "refuse" : "ok" })),
  );
  expect(answers.filter(({ ok }) => ok)).toHaveLength(8);
  const rows = await shop.claims();
  expect(rows.map(({ person }) => person)).not.toContain("p4");
  expect(new Set(rows.map(({ xid }) => xid)).size).toBe(2);
  expect(shop.takes).toEqual([1n, 7n]);
  expect(await shop.count("outbox")).toBe(8);
});
