import fc from "fast-check";
import { expect, test } from "vitest";
import * as collect from "#collect/service.ts";
import type { PersonKey } from "#kernel/sql.ts";
import { world } from "../../test/database.ts";
import * as service from "./service.ts";

const source = "01890000-0000-7000-8000-000000000001";
const at = new Date("2026-02-01T00:00:00Z");
const later = new Date("2026-02-02T00:00:00Z");
type World = Awaited<ReturnType<typeof world>>;
const meet = async ({ house, sql }: World, ...values: string[]): Promise<PersonKey[]> => {
  const senders = values.map((value) => ({ type: "user_id" as const, value, at }));
  const nodes = await sql.begin((tx) => service.nodesFor(house, tx, source, senders));
  return values.map((value) => {
    const { bucket, personId } = nodes.get(service.senderKey({ type: "user_id", value }))!;
    return { bucket, personId };
  });
};

test("an identifier is one node from first sight on, however often and however many at once ask", async () => {
  await using here = await world();
  const all = await Promise.all(Array.from({ length: 8 }, () => meet(here, "a", "b", "a")));
  expect(new Set(all.flat().map(({ personId }) => personId)).size).toBe(2);
  const [count] = await here.sql`
    select (select count(*)::int from people_node) as nodes, (select count(*)::int from people_way) as ways,
      (select count(*)::int from privacy_node_key) as keys`;
  expect(count).toEqual({ nodes: 2, ways: 2, keys: 2 });
  // The same user id of another source is somebody else; an e-mail is the same everywhere.
  const other = await here.sql.begin((tx) =>
    service.nodesFor(here.house, tx, here.house.newId(), [{ type: "user_id", value: "a", at }]),
  );
  expect([...other.values()][0]!.personId).not.toBe(all[0]![0]!.personId);
});

test("names and addresses are stored under the node's key, and come back only through it", async () => {
  await using here = await world();
  const { house, sql } = here;
  const [ann, ben] = (await meet(here, "u-17850", "u-17851")) as [PersonKey, PersonKey];
  await sql.begin(async (tx) => {
    await service.setFields(house, tx, [
      { person: ann, field: "email", value: "ann@example.com", source: "test", at },
      { person: ben, field: "email", value: "ben@example.com", source: "test", at },
    ]);
    // Whatever comes in first, the later word counts.
    await service.setFields(house, tx, [
      { person: ann, field: "email", value: "ann@new.example", source: "test", at: later },
    ]);
    await service.setFields(house, tx, [
      { person: ann, field: "email", value: "late@example.com", source: "test", at },
    ]);
  });
  expect(await service.fields(house, sql, [ann, ben], "email")).toEqual(
    new Map([
      [ann.personId, "ann@new.example"],
      [ben.personId, "ben@example.com"],
    ]),
  );
  expect(await service.identifiers(house, sql, [ben, ann], "user_id")).toEqual(
    new Map([
      [ann.personId, "u-17850"],
      [ben.personId, "u-17851"],
    ]),
  );
  const rows = await here.owner<{ text: string }[]>`
    select to_jsonb(f)::text as text from people_field f union all select to_jsonb(n)::text from people_node n`;
  expect(rows.some(({ text }) => /ann|ben|u-1785/.test(text))).toBe(false);
  // A value does not open in another's place, not even by whoever can write to the table.
  await here.owner`
    update people_field f set sealed = o.sealed, node_id = o.node_id, node_bucket = o.node_bucket, field = 'name'
    from people_field o where f.person_id = ${ben.personId} and o.person_id = ${ann.personId}`;
  await expect(service.fields(house, sql, [ben], "name")).rejects.toThrow();
});

test("an address finds its person however it is typed, and is never taken from somebody else", async () => {
  await using here = await world();
  const { house, sql } = here;
  const [ann, ben] = (await meet(here, "1", "2")) as [PersonKey, PersonKey];
  const add = (person: PersonKey, value: string) =>
    sql.begin((tx) =>
      service.addIdentifiers(house, tx, [
        { person, sourceId: source, identifier: { type: "email", value }, at },
      ]),
    );
  expect(await add(ann, "Ann@Example.com ")).toEqual([true]);
  expect(await add(ann, "ann@example.com")).toEqual([true]);
  expect(await add(ben, "ANN@example.com")).toEqual([false]);
  const found = await service.byIdentifier(house, sql, "email", "aNN@example.COM");
  expect(found).toEqual(ann);
  expect(await service.byIdentifier(house, sql, "email", "nobody@example.com")).toBeNull();
  expect(await service.byIdentifier(house, sql, "user_id", "1", source)).toEqual(ann);
  expect(await service.byIdentifier(house, sql, "user_id", "1", house.newId())).toBeNull();
});

test("attributes keep where each is from; setting one leaves the others", async () => {
  await using here = await world();
  const [ann] = (await meet(here, "1")) as [PersonKey];
  const set = (rows: [string, unknown][], source_: string, when: Date) =>
    here.sql.begin((tx) =>
      service.setAttributes(
        tx,
        rows.map(([name, value]) => ({ person: ann, name, value, source: source_, at: when })),
        here.clock.shop,
      ),
    );
  await set(
    [
      ["city", "Wuhan"],
      ["orders", 2],
    ],
    "orders",
    at,
  );
  await set([["orders", 3]], "orders", later);
  const [row] = await here.sql`select attributes from people_profile`;
  expect(row!["attributes"]).toEqual({
    city: { v: "Wuhan", s: "orders", at: at.toISOString(), c: 1 },
    orders: { v: 3, s: "orders", at: later.toISOString(), c: 1 },
  });
});

test("only real changes of a tag are logged, each with its cause", async () => {
  await using here = await world();
  const [ann] = (await meet(here, "1")) as [PersonKey];
  const cause = here.house.newId();
  const set = (value: string | null, when: Date, more: object = {}) => {
    here.clock.machine = new Date(here.clock.machine.getTime() + 1); // ids sort by it
    return here.sql.begin((tx) =>
      service.setTags(tx, here.house.newId, [
        {
          person: ann,
          tag: "lifecycle",
          value,
          kind: "statistic",
          source: "predict",
          reason: { silentDays: 3 },
          at: when,
          ...more,
        },
      ]),
    );
  };
  expect(await set("new", at, { cause })).toMatchObject([{ before: null, after: "new" }]);
  expect(await set("new", later)).toEqual([]);
  const [kept] = await here.sql`select value, at, reason from people_tag`;
  expect(kept).toEqual({ value: "new", at, reason: { silentDays: 3 } });
  expect(await set("active", later)).toMatchObject([{ before: "new", after: "active" }]);
  expect(await set(null, later)).toMatchObject([{ before: "active", after: null }]);
  expect(await set(null, later)).toEqual([]);
  expect([
    ...(await here.sql`select before, after, cause from people_tag_log order by id`),
  ]).toEqual([
    { before: null, after: "new", cause },
    { before: "new", after: "active", cause: null },
    { before: "active", after: null, cause: null },
  ]);
  expect([...(await here.sql`select tag from people_tag`)]).toEqual([]);
});

test("whoever is erased is gone with every key, and an event that is being written waits or does not find them", async () => {
  await using here = await world();
  const { house, sql, clock } = here;
  const [ann, ben] = (await meet(here, "1", "2")) as [PersonKey, PersonKey];
  await sql.begin((tx) =>
    service.setFields(house, tx, [
      { person: ann, field: "name", value: "Ann", source: "test", at },
    ]),
  );
  const erase = () =>
    sql.begin((tx) =>
      service.erase(
        { tx, house, now: clock.shop, at: clock.machine, newId: house.newId } as never,
        ann.personId,
        [collect.erase, service.eraseRows],
      ),
    );
  // An event under this node is on its way when the erasure begins: the erasure waits, and takes it too.
  let erased: ReturnType<typeof erase> | undefined;
  await sql.begin(async (tx) => {
    const sender = { type: "user_id" as const, value: "1" };
    const events = [{ key: "k", name: "Seen", at, data: {}, sender }];
    expect(await collect.accept(house, tx, { id: source, kind: "server" }, events)).toEqual([
      "accepted",
    ]);
    erased = erase();
    const waits = await Promise.race([
      erased.then(() => "done"),
      tx`select pg_sleep(0.3)`.then(() => "waits"),
    ]);
    expect(waits).toBe("waits");
  });
  expect(await erased).toMatchObject({ ok: true });
  const [left] = await sql`
    select (select count(*)::int from collect_event) as events, (select count(*)::int from people_node) as nodes,
      (select count(*)::int from privacy_node_key) as keys, (select count(*)::int from people_field) as fields,
      (select count(*)::int from people_way) as ways`;
  expect(left).toEqual({ events: 0, nodes: 1, keys: 1, fields: 0, ways: 1 });
  expect(await service.find(sql, ann.personId)).toEqual({ ok: false, code: "people.unknown" });
  expect(await service.find(sql, ben.personId)).toMatchObject({ ok: true });
  expect(await erase()).toEqual({ ok: false, code: "people.unknown" });
});

test("many merges at once leave what they leave one after the other, whoever goes on to whom", async () => {
  await using here = await world();
  const { house, sql } = here;
  const people = await meet(here, ...Array.from({ length: 7 }, (_, i) => `p${i}`));
  const columns = Array.from({ length: 3 }, () => house.newId());
  const { merge } = service.moverOf({
    moved: { experiments_outcome: ["experiment_id"] },
    wins: (_, [from], [into]) => Number(from!["orders"]) > Number(into!["orders"]),
  });
  const person = fc.integer({ min: 0, max: people.length - 1 });
  const rows = fc.uniqueArray(
    fc.record({ of: person, column: fc.integer({ min: 0, max: 2 }), orders: fc.nat(3) }),
    { selector: ({ of, column }) => `${of} ${column}`, maxLength: 15 },
  );
  // Whoever went goes once, and nobody goes to somebody who went before.
  const ways = fc
    .shuffledSubarray(
      people.map((_, i) => i),
      { minLength: 2 },
    )
    .chain((order) =>
      fc.tuple(
        ...order
          .slice(0, -1)
          .map((from, i) =>
            fc
              .integer({ min: i + 1, max: order.length - 1 })
              .map((to) => ({ from: people[from]!, into: people[order[to]!]! })),
          ),
      ),
    );
  const after = async (
    given: { of: number; column: number; orders: number }[],
    work: (tx: Parameters<typeof merge>[1]) => Promise<unknown>,
  ) => {
    let found: unknown;
    const back = new Error("undone");
    await sql
      .begin(async (tx) => {
        // More than a double holds: a figure that went through one would be another.
        for (const { of, column, orders } of given)
          await tx`insert into experiments_outcome values (${people[of]!.bucket}, ${people[of]!.personId},
            ${columns[column]!}, ${columns[column]!}, false, ${orders}, ${9007199254740993n + BigInt(of)}, null, null)`;
        await work(tx);
        found = [
          await tx`select * from experiments_outcome order by person_id, experiment_id`,
          await tx`select person_id, merge_id, rows from people_parked order by person_id, merge_id`,
        ].map((all) => [...all]);
        throw back;
      })
      .catch((thrown: unknown) => {
        if (thrown !== back) throw thrown;
      });
    return JSON.parse(
      JSON.stringify(found, (_, value: unknown) =>
        typeof value === "bigint" ? `${value}` : value,
      ),
    ) as { rows: Record<string, { text: string }[]> }[][];
  };
  /** Rows that wait say with the text whose they were on their way: what counts is which they are. */
  const told = ([outcomes, parked]: Awaited<ReturnType<typeof after>>) => [
    outcomes,
    parked!.map((one) => ({
      ...one,
      rows: Object.fromEntries(
        Object.entries(one.rows).map(([name, all]) => [
          name,
          all
            .map((row) =>
              row.text
                ? row.text.replace(/"(bucket|person_id)": [^,}]+/g, "")
                : JSON.stringify(row),
            )
            .sort(),
        ]),
      ),
    })),
  ];
  await fc.assert(
    fc.asyncProperty(rows, ways, async (given, all) => {
      const merges = all.map((one) => ({ id: house.newId(), ...one }));
      const together = await after(given, (tx) => merge(house, tx, merges));
      const singly = await after(given, async (tx) => {
        for (const one of merges) await merge(house, tx, [one]);
      });
      expect(told(together)).toEqual(told(singly));
    }),
    { numRuns: 60 },
  );
});
