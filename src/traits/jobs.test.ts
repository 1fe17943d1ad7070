import fc from "fast-check";
import { expect, test } from "vitest";
import { consume } from "#collect/jobs.ts";
import { accept, sourceNamed } from "#collect/service.ts";
import type { House } from "#kernel/endpoint.ts";
import type { PersonKey } from "#kernel/sql.ts";
import { ringDue } from "#kernel/timers.ts";
import * as peopleJobs from "#people/jobs.ts";
import { byIdentifier } from "#people/service.ts";
import type { Filter } from "#segments/rules.ts";
import { world, type World } from "../../test/database.ts";
import * as jobs from "./jobs.ts";
import { historyOf, piecesOf, type Happened } from "./model/evaluate.ts";
import { functions, readLimit, resultOf, type Trait } from "./rules.ts";
import * as service from "./service.ts";
import * as store from "./store.ts";
import * as views from "./views.ts";

const hour = 3_600_000;
const timers = jobs.timersWith(peopleJobs.tellOwn);
const trait = (more: Partial<Trait> = {}): Trait => ({
  name: "spent_30d",
  label: { zh: "花费", en: "Spent" },
  fn: "sum",
  event: "Paid",
  property: "price",
  hours: 720,
  ...more,
});
type Told = { user: string; name?: string; hoursAgo?: number; flags?: number; data: object };
let n = 0;
async function tell({ house, sql, clock }: World, all: readonly Told[]) {
  const source = await sourceNamed(house, sql, "shop", "server");
  const verdicts = await sql.begin((tx) =>
    accept(
      house,
      tx,
      source,
      all.map(({ user, name = "Paid", hoursAgo = 1, flags = 0, data }) => ({
        key: String(n++),
        name,
        at: new Date(clock.shop.getTime() - hoursAgo * hour),
        data: data as Record<string, unknown>,
        sender: { type: "user_id" as const, value: user },
        flags,
      })),
    ),
  );
  expect(new Set(verdicts)).toEqual(new Set(["accepted"]));
}
const folded = async (house: House) => {
  while ((await consume(house, [peopleJobs.consume, jobs.consume])) > 0);
};
const personOf = async ({ house, sql }: World, user: string): Promise<PersonKey> => {
  const source = await sourceNamed(house, sql, "shop", "server");
  return (await byIdentifier(house, sql, "user_id", user, source.id))!;
};
const declare = async ({ house, sql }: World, one: Trait) => {
  const context = { house, actor: { id: "operator:1" }, at: house.clocks.machine() };
  const made = await sql.begin((tx) => service.declare({ ...context, tx } as never, one));
  expect(made).toMatchObject({ ok: true });
};
const rowOf = async ({ sql }: World) =>
  (await store.all(sql)).find((one) => one.name === "spent_30d");
const ring = async ({ house }: World) => {
  while ((await ringDue(house, timers)) > 0);
};
const attributes = async (here: World, user: string) => {
  const { personId } = await personOf(here, user);
  const [row] = await here.sql<
    { attributes: Record<string, { v: unknown; s: string; id: string }> }[]
  >`
    select attributes from people_profile where person_id = ${personId}`;
  return row?.attributes ?? {};
};
const valueOf = async (here: World, user: string, name = "spent_30d") =>
  (await attributes(here, user))[name]?.v;

const anything = fc.oneof(
  fc.constantFrom<unknown>(
    "a",
    "b",
    "A",
    "é",
    "😀",
    "\uFFFF",
    "1",
    "39.90",
    "-2.5",
    "12 pairs",
    "",
  ),
  fc.constantFrom<unknown>(true, false, null, [], ["x", 1], { c: "deep" }, 0, -1, 1, 2.5, 1e15),
  fc.constantFrom<unknown>(0.1, 0.2, 0.7, 1e-7, 123456789012.25, 1e21, -0.000000015),
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e16, max: 1e16 }),
);
const aPath = fc.constantFrom("p", "q", "q.c", "q.0", "q.1", "none");
const aFilter: fc.Arbitrary<Filter> = fc.oneof(
  fc.record({
    property: aPath,
    is: fc.constantFrom("eq", "ne", "lt", "le", "gt", "ge"),
    value: fc.constantFrom<string | number>("a", "é", "😀", "1", 1, 2.5, 0.1, -1),
  }) as fc.Arbitrary<Filter>,
  fc.record({
    property: aPath,
    is: fc.constantFrom("eq", "ne"),
    value: fc.boolean(),
  }) as fc.Arbitrary<Filter>,
  fc.record({
    property: aPath,
    is: fc.constant("in"),
    values: fc.constantFrom<string[] | number[]>(["a", "b"], ["1"], [1, 2.5], [39.9]),
  }) as fc.Arbitrary<Filter>,
  fc.record({ property: aPath, is: fc.constant("known") }) as fc.Arbitrary<Filter>,
);
const aTrait: fc.Arbitrary<Trait> = fc
  .record({
    fn: fc.constantFrom(...functions),
    event: fc.constantFrom("Paid", "Looked"),
    property: aPath,
    where: fc.array(aFilter, { maxLength: 2 }),
    hours: fc.constantFrom(1, 24, 720, null),
  })
  .map(({ property, ...rest }) =>
    trait({
      ...rest,
      property: rest.fn === "count" || rest.fn === "days_since" ? undefined : property,
    }),
  );

test("PostgreSQL and the pure function agree: random events, random traits", async () => {
  await using here = await world();
  const { sql, clock } = here;
  const events = fc.sample(
    fc.record({
      user: fc.constantFrom("u1", "u2", "u3", "u4"),
      name: fc.constantFrom("Paid", "Looked"),
      hoursAgo: fc.constantFrom(-3, -1, 0, 0.5, 1, 1, 5, 23.9, 24, 30, 719, 720, 721, 5000),
      flags: fc.constantFrom(0, 0, 0, 0, 8, 1, 2, 64),
      data: fc.record({ p: anything, q: anything }, { requiredKeys: [] }),
    }),
    { numRuns: 240, seed: 7 },
  );
  await tell(here, events);
  await folded(here.house);
  const people = await sql<PersonKey[]>`select bucket, person_id from people_person`;
  expect(people).toHaveLength(4);
  const rows = await sql<(Happened & { personId: string; at: Date })[]>`
    select n.person_id, e.name, e.at, e.id, e.flags, e.data
    from collect_event e join people_node n on n.bucket = e.bucket and n.node_id = e.node_id`;
  const of = Map.groupBy(
    rows.map((row) => ({ ...row, at: row.at.getTime() })),
    ({ personId }) => personId,
  );
  const now = clock.shop.getTime();
  const zone = here.house.clocks.timeZone;
  let known = 0;
  await fc.assert(
    fc.asyncProperty(aTrait, async (one) => {
      const found = new Map(
        (await views.pieces(sql, one, clock.shop, people)).map((row) => [row.personId, row]),
      );
      for (const { personId } of people) {
        const pure = resultOf(
          one,
          piecesOf(one, historyOf(of.get(personId) ?? []), now),
          now,
          zone,
        );
        const row = found.get(personId);
        const none = { value: null, at: 0, id: "", turn: null };
        expect(row ? resultOf(one, row, now, zone) : none).toEqual(pure);
        if (pure.value !== null) known++;
      }
    }),
    { numRuns: 400 },
  );
  expect(known).toBeGreaterThan(200);
});

test("a figure follows its events, with the event behind it, and leaves with its window by a timer", async () => {
  await using here = await world();
  const { house, sql, clock } = here;
  await tell(here, [
    { user: "u1", hoursAgo: 10, data: { price: 0.1 } },
    { user: "u2", data: { price: "no" } },
  ]);
  await folded(house);
  await declare(here, trait());
  await ring(here);
  expect(await valueOf(here, "u1")).toBe(0.1);
  expect(await valueOf(here, "u2")).toBeUndefined();
  expect((await rowOf(here))!).toMatchObject({ state: "ready", done: 2n });

  await tell(here, [{ user: "u1", hoursAgo: 5, data: { price: 0.2 } }]);
  await folded(house);
  const { v, s, id } = (await attributes(here, "u1"))["spent_30d"]!;
  const [event] = await sql<
    { id: string }[]
  >`select id from collect_event where data->'price' = '0.2'`;
  expect({ v, s, id }).toEqual({ v: 0.3, s: "trait:spent_30d", id: event!.id });

  clock.shop = new Date(clock.shop.getTime() + 710 * hour - 1);
  await ring(here);
  expect(await valueOf(here, "u1")).toBe(0.3);
  clock.shop = new Date(clock.shop.getTime() + 1);
  await ring(here);
  expect(await valueOf(here, "u1")).toBe(0.2);
  clock.shop = new Date(clock.shop.getTime() + 5 * hour);
  await ring(here);
  expect(await attributes(here, "u1")).toEqual({});
});

test("what is dated ahead counts when its time comes", async () => {
  await using here = await world();
  await declare(here, trait());
  await tell(here, [{ user: "u1", hoursAgo: -2, data: { price: 5 } }]);
  await folded(here.house);
  expect(await valueOf(here, "u1")).toBeUndefined();
  here.clock.shop = new Date(here.clock.shop.getTime() + 2 * hour);
  await ring(here);
  expect(await valueOf(here, "u1")).toBe(5);
});

test("a change goes through everybody again; taken away, the figures go; both go on where they stopped", async () => {
  await using here = await world();
  const { house, sql } = here;
  await tell(
    here,
    Array.from({ length: 2100 }, (_, i) => ({ user: `u${i}`, data: { price: 2 } })),
  );
  await folded(house);
  await declare(here, trait());
  await ringDue(house, timers); // one helping
  expect((await rowOf(here))!).toMatchObject({
    state: "filling",
    done: 2000n,
    total: 2100n,
  });
  await ring(here);
  const values = async () => {
    const rows = await sql<{ v: unknown; people: number }[]>`
      select attributes->'spent_30d'->'v' as v, count(*)::int as people from people_profile
      group by 1 order by 1`;
    return rows.map(({ v, people }) => [v, people]);
  };
  expect(await values()).toEqual([[2, 2100]]);
  await declare(here, trait({ fn: "count", property: undefined }));
  await ring(here);
  expect(await values()).toEqual([[1, 2100]]);
  await sql.begin((tx) => service.remove({ tx, house } as never, { trait: "spent_30d" }));
  await tell(here, [{ user: "u1", data: { price: 2 } }]);
  await folded(house);
  await ring(here);
  expect(await values()).toEqual([[null, 2100]]);
  expect(await rowOf(here)).toBeUndefined();
});

test("worked out anew it is what it was; of somebody it is none of, it goes", async () => {
  await using here = await world();
  const { house, sql } = here;
  await declare(here, trait());
  await tell(here, [
    { user: "u1", data: { price: 2 } },
    { user: "u2", data: { price: 3 } },
  ]);
  await folded(house);
  const [one, two] = [await personOf(here, "u1"), await personOf(here, "u2")];
  const before = await attributes(here, "u1");
  await sql.begin((tx) => jobs.refold(house, tx, [one, two]));
  expect(await attributes(here, "u1")).toEqual(before);
  // As a merge would: the node of the one is the other's.
  await sql`update people_node set person_bucket = ${one.bucket}, person_id = ${one.personId}
    where person_id = ${two.personId}`;
  await sql.begin((tx) => jobs.refold(house, tx, [one, two]));
  const profiles = await sql<{ personId: string; v: unknown }[]>`
    select person_id, attributes->'spent_30d'->'v' as v from people_profile`;
  expect(new Map(profiles.map((row) => [row.personId, row.v]))).toEqual(
    new Map<string, unknown>([
      [one.personId, 5],
      [two.personId, null],
    ]),
  );
});

test("whoever did very much has their figures worked out aside, all of it and within a minute", async () => {
  await using here = await world();
  const { house, sql, clock } = here;
  await declare(here, trait());
  await declare(here, trait({ name: "looks", fn: "count", event: "Looked", property: undefined }));
  await ring(here);
  await tell(here, [{ user: "u1", data: { price: 1 } }]);
  await folded(house);
  expect(await valueOf(here, "u1")).toBe(1);
  const { personId } = await personOf(here, "u1");
  await sql`
    insert into collect_event (bucket, "offset", id, source_id, node_id, name, at, received_at, data, flags)
    select e.bucket, -i, md5(i::text)::uuid, e.source_id, e.node_id, e.name, e.at - i * interval '1 s', e.received_at,
      e.data, 0
    from collect_event e, generate_series(1, ${readLimit}) i where e.node_id in (
      select node_id from people_node where person_id = ${personId})`;
  await tell(here, [
    { user: "u1", hoursAgo: 2, data: { price: 1 } },
    { user: "u1", name: "Looked", data: {} },
  ]);
  await folded(house);
  // What they did little of is there at once; the rest is said to be on its way.
  expect([await valueOf(here, "u1"), await valueOf(here, "u1", "looks")]).toEqual([1, 1]);
  expect(await views.waitingCount(sql, service.later)).toBe(1);
  clock.machine = new Date(clock.machine.getTime() + 59_000);
  await ring(here);
  expect(await valueOf(here, "u1")).toBe(1);
  // More of it meanwhile does not put it off.
  await tell(here, [{ user: "u1", hoursAgo: 3, data: { price: 1 } }]);
  await folded(house);
  clock.machine = new Date(clock.machine.getTime() + 1000);
  await ring(here);
  expect(await valueOf(here, "u1")).toBe(readLimit + 3);
  expect(await views.waitingCount(sql, service.later)).toBe(0);
});
