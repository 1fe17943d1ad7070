// Random rules over random histories at random instants: PostgreSQL, ClickHouse and the program name the same people.
// LIUKE_SEGMENT_CASES asks for more of them than a run of the tests does.
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as collectJobs from "#collect/jobs.ts";
import * as people from "#people/service.ts";
import { fits } from "./model/evaluate.ts";
import { expanded, peopleOf } from "./model/columns.ts";
import { bookOf } from "./model/book.ts";
import { companyTurn, nextTurn } from "./model/turns.ts";
import { factsOf, companiesNow } from "./facts.ts";
import { refresh, ship } from "./jobs.ts";
import {
  atInstant,
  dayStart,
  dependsOn,
  type Facts,
  type Known,
  type Level,
  type Rule,
} from "./rules.ts";
import { define } from "./service.ts";
import * as views from "./views.ts";
import { world, type World } from "../../test/database.ts";
import { first, instant, rulesIn, texts, value, zones } from "../../test/segment-rules.ts";

const cases = Number(process.env["LIUKE_SEGMENT_CASES"] ?? 600);
const idOf = (i: number) => `01890000-0000-7000-8000-${String(i).padStart(12, "0")}`;
const keyOf = (i: number) => ({ bucket: (i * 7) % 256, personId: idOf(i) });
const howMany = 60;

// ── what there is ──────────────────────────────────────────────────────────────────────────────────────────────────

const attributes = ["orders", "country", "last_order_at", "odd"];
const tags = ["lifecycle", "vip"];
const names = ["Product Viewed", "Product Added", "page"];
const properties = ["price", "sku", "sale", 'o\'dd "key"'];
/** Where rules look: at names, in what lies below them, and at places in lists. */
const paths = [...properties, ...properties, "sku.v", "sku.0", "price.1.v", "sale.v.0.1"];
const segments = [idOf(90_001), idOf(90_002)];
const companySegments = [idOf(90_003), idOf(90_004)];
const blinds = ["aa", "bb", "cc"].map((two) => two.repeat(32));
const { rule, companyRule } = rulesIn({
  ...{ attributes, tags, texts, names, paths, segments, companySegments, blinds },
});
const person = fc.record({
  attributes: fc.dictionary(fc.constantFrom(...attributes), value),
  tags: fc.dictionary(
    fc.constantFrom(...tags),
    fc.record({
      value: fc.constantFrom(...texts),
      expiresAt: fc.option(instant),
    }),
  ),
  events: fc.array(
    fc.record({
      name: fc.constantFrom(...names),
      at: instant,
      flags: fc.constantFrom(0, 0, 0, 0, 0, 1, 2, 4, 8, 18, 32, 64, 66, 128),
      data: fc.dictionary(fc.constantFrom(...properties), value),
      shared: fc.boolean(),
    }),
    { maxLength: 12 },
  ),
});

/** The segments that rules may name: two of people and two of companies. */
const namedCompanies: Rule[] = [
  {
    kind: "events",
    event: "Product Viewed",
    is: "ge",
    count: 2,
    window: { kind: "days", days: 7 },
  },
  {
    kind: "or",
    of: [
      { kind: "tag", tag: "vip", in: ["10", "active", "é"] },
      {
        kind: "staff",
        are: "ge",
        count: 2,
        roles: [],
        fits: { kind: "segment", segment: segments[0]! },
      },
    ],
  },
];
const named: Rule[] = [
  {
    kind: "events",
    event: "Product Viewed",
    is: "ge",
    count: 1,
    window: { kind: "days", days: 3 },
  },
  {
    kind: "or",
    of: [
      { kind: "tag", tag: "vip", in: ["10", "active", "é"] },
      { kind: "known", attribute: "odd" },
    ],
  },
];

// ── the three ──────────────────────────────────────────────────────────────────────────────────────────────────────

const everySegment = [...segments, ...companySegments];
let shop: World;
const known: Map<string, string> = new Map();
const everybody = Array.from({ length: howMany }, (_, i) => keyOf(i + 1));
const companyOf = (i: number) => ({ bucket: 0, personId: idOf(50_000 + i) });
const companies = Array.from({ length: 14 }, (_, i) => companyOf(i));
/** What companies are, and who belongs to which in which role and when: people move between them, and come back. */
const firm = fc.record({
  attributes: fc.dictionary(fc.constantFrom(...attributes), value),
  tags: fc.dictionary(
    fc.constantFrom(...tags),
    fc.record({ value: fc.constantFrom(...texts), expiresAt: fc.option(instant) }),
  ),
  figure: fc.option(
    fc.record({ members: fc.nat(20), orders: fc.nat(9), last: fc.option(instant) }),
  ),
});
const stays = fc.array(
  fc.record({
    company: fc.nat(companies.length - 1),
    role: fc.constantFrom("buyer", "member", "admin"),
    since: instant,
    lastsMs: fc.option(fc.constantFrom(1, 3_600_000, 86_400_000, 5 * 86_400_000), { freq: 2 }),
  }),
  { maxLength: 4 },
);

beforeAll(async () => {
  shop = await world();
  const { sql } = shop;
  const histories = fc.sample(person, { numRuns: howMany, seed: 20_110_909 });
  const seenAt = new Date(first);
  let offset = 0n;
  const nodeOf = (i: number) => idOf(1000 + i);
  for (const [at, { attributes: has, tags: wears, events }] of histories.entries()) {
    const i = at + 1;
    const key = keyOf(i);
    await sql`insert into people_way ${sql(key)}`;
    await sql`insert into people_person ${sql({ ...key, sourceId: idOf(0), seenAt })}`;
    await sql`
      insert into people_node ${sql({
        bucket: key.bucket,
        nodeId: nodeOf(i),
        sourceId: idOf(0),
        type: "user_id",
        sealed: Buffer.from("x"),
        personBucket: key.bucket,
        personId: key.personId,
      })}`;
    if (i <= blinds.length) {
      known.set(blinds[i - 1]!, key.personId);
      await sql`
        insert into people_identifier
          ${sql({ blind: Buffer.from(blinds[i - 1]!, "hex"), bucket: key.bucket, nodeId: nodeOf(i) })}`;
    }
    // Of every tenth there is no profile at all.
    if (i % 10 > 0) {
      const profile = Object.fromEntries(Object.entries(has).map(([name, v]) => [name, { v }]));
      await sql`
        insert into people_profile
          ${sql({ ...key, attributes: sql.json(profile as never), updatedAt: seenAt })}`;
    }
    for (const [tag, { value: is, expiresAt }] of Object.entries(wears))
      await sql`
        insert into people_tag ${sql({
          ...key,
          tag,
          value: is,
          kind: "hand",
          source: "test",
          reason: {},
          at: seenAt,
          expiresAt: expiresAt === null ? null : new Date(expiresAt),
          logId: idOf(1),
        })}`;
    for (const { name, at: when, flags, data, shared } of events) {
      offset += 1n;
      // Every fifth has a device that the next one uses as well.
      const bucket = shared && i % 5 < 2 ? 3 : key.bucket;
      const nodeId = shared && i % 5 < 2 ? nodeOf(500 + Math.floor(i / 5)) : nodeOf(i);
      await sql`
        insert into collect_event ${sql({
          bucket,
          offset,
          id: `${String((Number(offset) * 7919) % 100_000).padStart(8, "0")}-0000-7000-8000-000000000000`,
          sourceId: idOf(0),
          nodeId,
          name,
          at: new Date(when),
          receivedAt: seenAt,
          data: sql.json(data as never),
          flags,
        })}`;
    }
  }
  // The device is the one's up to an instant of the change of the clocks, and the other's from it.
  const middle = new Date("2011-10-16T03:00:00Z");
  const middleId = "00050000-0000-0000-0000-000000000000";
  for (let n = 0; n <= howMany / 5; n++) {
    const pair = [n * 5, n * 5 + 1].filter((i) => i >= 1 && i <= howMany);
    if (pair.length === 0) continue;
    await sql`
      insert into people_node ${sql({
        bucket: 3,
        nodeId: nodeOf(500 + n),
        sourceId: idOf(0),
        type: "device",
        sealed: Buffer.from("x"),
        personBucket: keyOf(pair[0]!).bucket,
        personId: keyOf(pair[0]!).personId,
        split: true,
      })}`;
    for (const [at, i] of pair.entries()) {
      const { bucket: personBucket, personId } = keyOf(i);
      await sql`
        insert into people_span (bucket, node_id, from_at, from_id, until_at, until_id, person_bucket, person_id)
        values (3, ${nodeOf(500 + n)},
          ${at === 0 ? "-infinity" : middle.toISOString()}::text::timestamptz, ${at === 0 ? idOf(0).replaceAll(/[^-]/g, "0") : middleId},
          ${at === 0 && pair.length > 1 ? middle.toISOString() : "infinity"}::text::timestamptz,
          ${at === 0 && pair.length > 1 ? middleId : "ffffffff-ffff-ffff-ffff-ffffffffffff"},
          ${personBucket}, ${personId})`;
    }
  }
  const firms = fc.sample(firm, { numRuns: companies.length, seed: 7 });
  for (const [i, { attributes: has, tags: wears, figure }] of firms.entries()) {
    const { personId: id } = companyOf(i);
    // A profile of texts, numbers and truths alone; lists and objects do not get into one.
    const profile = Object.fromEntries(
      Object.entries(has).map(([name, v]) => [name, { v: typeof v === "object" ? null : v }]),
    );
    await sql`
      insert into companies_company ${sql({
        id,
        sourceId: idOf(0),
        ref: `c${i}`,
        seenAt,
        profile: sql.json(profile as never),
      })}`;
    for (const [tag, { value: is, expiresAt }] of Object.entries(wears))
      await sql`
        insert into companies_tag ${sql({
          companyId: id,
          tag,
          value: is,
          kind: "hand",
          source: "test",
          reason: {},
          at: seenAt,
          expiresAt: expiresAt === null ? null : new Date(expiresAt),
        })}`;
    if (figure)
      await sql`
        insert into companies_figure ${sql({
          companyId: id,
          members: figure.members,
          orders: figure.orders,
          currency: "GBP",
          lastOrderAt: figure.last === null ? null : new Date(figure.last),
        })}`;
  }
  // The last three companies have nobody.
  for (const [i, own] of fc.sample(stays, { numRuns: howMany, seed: 11 }).entries())
    for (const { company: at, role, since, lastsMs } of own)
      if (at < companies.length - 3)
        await sql`
          insert into companies_member ${sql({
            ...keyOf(i + 1),
            companyId: companyOf(at).personId,
            role,
            since: new Date(since),
            until: lastsMs === null ? null : new Date(since + lastsMs),
          })} on conflict do nothing`;
  await sql`update collect_offset set next = ${offset + 1n}`;
  while ((await people.ship(shop.house)) > 0);
  while ((await collectJobs.ship(shop.house)) > 0);
  while ((await ship(shop.house)) > 0);
  for (const [i, one] of [...named, ...namedCompanies].entries()) {
    const level = i < named.length ? "person" : "company";
    const made = await sql.begin((tx) =>
      define({ tx, house: shop.house } as never, {
        name: { zh: "测", en: `T${i}` },
        level,
        rule: one,
        purpose: "analysis",
      }),
    );
    if (!made.ok) throw new Error(made.code);
    await sql`update segments_segment set id = ${everySegment[i]!} where id = ${made.value.id}`;
  }
}, 120_000);
afterAll(() => shop[Symbol.asyncDispose]());

async function byHand(
  asked: Rule,
  at: Date,
  zone: string,
  level: Level,
): Promise<Map<string, Facts>> {
  const { segments: entries } = bookOf(0n, [{ id: idOf(5), level, rule: asked, version: 1 }]);
  const now = { at, timeZone: zone };
  if (level === "person") return factsOf(shop.sql, everybody, entries, now);
  const ids = companies.map(({ personId }) => personId);
  return (await companiesNow(shop.sql, ids, entries, now)).companies;
}
async function threeOf(asked: Rule, at: Date, zone: string, level: Level = "person") {
  const { house, sql, columns } = shop;
  const now = { at, timeZone: zone };
  shop.clock.shop = at;
  shop.house.clocks.timeZone = zone;
  const asksThem = dependsOn(asked, level).segments.size > 0;
  for (const id of asksThem ? everySegment : [segments[0]!]) await refresh(house, id);
  const rule = atInstant(asked, now, known as Known);
  const people = await byHand(asked, at, zone, level);
  const hand = [...people].filter(([, facts]) => fits(rule, facts, at)).map(([id]) => id);
  const postgres = await views.everyoneOf(sql, rule, at, level);
  const some = everybody.slice(0, howMany / 2);
  const among = level === "person" ? await views.someOf(sql, rule, at, some) : [];
  const together =
    level === "person"
      ? await views.standing(
          sql,
          some,
          [
            {
              segmentId: segments[0]!,
              rule: atInstant(named[0]!, now, known as Known),
              moving: [],
            },
            { segmentId: idOf(5), rule, moving: [] },
          ],
          at,
        )
      : [];
  const rules = [...named, ...namedCompanies];
  const full = expanded(
    rule,
    new Map(everySegment.map((id, i) => [id, atInstant(rules[i]!, now, known as Known)])),
  )!;
  const { query, values } = peopleOf(full, at, level);
  const clickhouse = await columns.read<{ person_id: string }>(query, values);
  return {
    hand: hand.toSorted(),
    postgres: postgres.map(({ personId }) => personId).toSorted(),
    among: among.map(({ personId }) => personId).toSorted(),
    together: together
      .filter(({ be }) => be & 2)
      .map(({ personId }) => personId)
      .toSorted(),
    // Both were worked out at this instant.
    moved: together.filter(({ be, was }) => (be & 1) !== (was & 1)),
    some: new Set(some.map(({ personId }) => personId)),
    clickhouse: clickhouse.map(({ person_id: id }) => id).toSorted(),
  };
}

const levels: [Level, fc.Arbitrary<Rule>, number][] = [
  ["person", rule, howMany],
  ["company", companyRule, companies.length],
];
for (const [level, rules, of] of levels)
  test(`${cases} random rules at random instants: three evaluators, one answer: ${level}`, async () => {
    let some = 0;
    await fc.assert(
      fc.asyncProperty(rules, instant, fc.constantFrom(...zones), async (asked, ms, zone) => {
        const {
          hand,
          postgres,
          among,
          together,
          moved,
          some: asked2,
          clickhouse,
        } = await threeOf(asked, new Date(ms), zone, level);
        expect(postgres, "PostgreSQL").toEqual(hand);
        expect(clickhouse, "ClickHouse").toEqual(hand);
        if (level === "person")
          expect(among, "some people").toEqual(hand.filter((id) => asked2.has(id)));
        expect(together, "some people, of two rules").toEqual(among);
        expect(moved).toEqual([]);
        if (hand.length > 0 && hand.length < of) some += 1;
      }),
      {
        numRuns: cases,
        ...(process.env["LIUKE_SEED"] ? { seed: Number(process.env["LIUKE_SEED"]) } : {}),
      },
    );
    expect(some).toBeGreaterThan(cases / 4); // not all of them empty or everybody
  }, 1_200_000);

const aheadMs = 20 * 86_400_000;
/** When time alone may change what a rule says of somebody, through their companies too. */
function turnOf(asked: Rule, level: Level, facts: Facts, at: Date, zone: string): number {
  const now = { at, timeZone: zone };
  const all = [{ rule: asked, level }];
  const turns =
    level === "company"
      ? [companyTurn(all, facts, now)]
      : [
          nextTurn(asked, facts, now, new Date(at.getTime() + aheadMs)),
          ...(facts.belongs ?? []).map((one) => companyTurn(all, one.facts, now)),
        ];
  return Math.min(...turns.map((turn) => turn?.getTime() ?? at.getTime() + aheadMs));
}
for (const [level, rules] of levels)
  test(`before the next turn of somebody no answer changes, and every change of an answer is at a turn: ${level}`, async () => {
    await fc.assert(
      fc.asyncProperty(
        rules,
        instant,
        fc.constantFrom(...zones),
        fc.nat(1000),
        async (asked, ms, zone, part) => {
          const at = new Date(ms);
          const still = await byHand(asked, at, zone, level);
          for (const [, facts] of still) {
            const end = turnOf(asked, level, facts, at, zone);
            const answer = (when: Date) =>
              fits(atInstant(asked, { at: when, timeZone: zone }, known as Known), facts, when);
            const between = new Date(ms + Math.floor(((end - 1 - ms) * part) / 1000));
            expect(answer(between)).toBe(answer(at));
            expect(answer(new Date(end - 1))).toBe(answer(at));
          }
        },
      ),
      { numRuns: Math.min(cases, 200) },
    );
  }, 600_000);

test("a day begins where PostgreSQL's own calendar says, in every zone and on the days that are odd there", async () => {
  await fc.assert(
    fc.asyncProperty(
      instant,
      fc.constantFrom(...zones),
      fc.integer({ min: -40, max: 40 }),
      async (ms, zone, days) => {
        const [row] = await shop.sql<{ at: Date }[]>`
          select ((${new Date(ms)}::timestamptz at time zone ${zone})::date + ${days}::int)::timestamp
            at time zone ${zone} as at`;
        expect(new Date(dayStart(new Date(ms), days, zone))).toEqual(row!.at);
      },
    ),
    { numRuns: 1000 },
  );
}, 120_000);
