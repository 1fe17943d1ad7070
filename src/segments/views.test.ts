// Random rules over random histories at random instants: PostgreSQL, ClickHouse and the program name the same people.
// LIUKE_SEGMENT_CASES asks for more of them than a run of the tests does.
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { instantOf } from "#kernel/clock.ts";
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
  dependsOn,
  type Facts,
  type Filter,
  type Known,
  type Level,
  type Rule,
  type What,
  type Window,
} from "./rules.ts";
import { define } from "./service.ts";
import * as views from "./views.ts";
import { world, type World } from "../../test/database.ts";

const cases = Number(process.env["LIUKE_SEGMENT_CASES"] ?? 600);
const zone = "Europe/London";
const idOf = (i: number) => `01890000-0000-7000-8000-${String(i).padStart(12, "0")}`;
const keyOf = (i: number) => ({ bucket: (i * 7) % 256, personId: idOf(i) });
const howMany = 60;

// ── what there is ──────────────────────────────────────────────────────────────────────────────────────────────────

const attributes = ["orders", "country", "last_order_at", "odd"];
const tags = ["lifecycle", "vip"];
const texts = ["dormant", "active", "it's", "%_\\", "中文", "10", "é", "é", "😀", "", ""];
const names = ["Product Viewed", "Product Added", "page"];
const properties = ["price", "sku", "sale", 'o\'dd "key"'];
/** Where rules look: at names, in what lies below them, and at places in lists. */
const paths = [...properties, ...properties, "sku.v", "sku.0", "price.1.v", "sale.v.0.1"];
/** The nights on which London changes its clocks lie within, and the end of a year. */
const first = Date.parse("2011-10-20T00:00:00Z");
const last = Date.parse("2011-11-03T00:00:00Z");
const edges = [
  "2011-10-30T00:00",
  "2011-10-30T01:30",
  "2011-10-29T00:00",
  "2011-10-31T00:00",
  "2011-11-01T00:00",
].map((wall) => instantOf(wall, zone).getTime());
/** Few instants, so that boundaries are met: whole hours and days apart, and a millisecond beside. */
const instant = fc.oneof(
  fc.constantFrom(...edges.flatMap((ms) => [ms - 1, ms, ms + 1])),
  fc.integer({ min: 0, max: 14 * 24 }).map((hours) => first + hours * 3_600_000),
  fc.integer({ min: first, max: last }),
);
const number = fc.oneof(
  fc.integer({ min: -3, max: 12 }),
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e12, max: 1e12 }),
  fc.constantFrom(0.1 + 0.2, 0.3, 0.1, 39.9, 10, -0, 1e-9, 9_007_199_254_740_991),
);
/** What may stand in a profile or an event: numbers, texts, instants, and things that only look like them. */
const value = fc.oneof(
  { weight: 3, arbitrary: number },
  { weight: 2, arbitrary: instant.map((ms) => new Date(ms).toISOString()) },
  { weight: 3, arbitrary: fc.constantFrom(...texts) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      ...[
        null,
        true,
        false,
        "2011-02-31T00:00:00.000Z",
        "2011-09-09",
        "NaN",
        "1e400",
        [1],
        { v: 1 },
        { v: "39.90", 0: true },
        ["10", { v: "-0.5" }],
        { v: [["x", 0.3]] },
      ],
      ...[
        1e18,
        1e21,
        1e300,
        5e-324,
        1e-301,
        "9007199254740993",
        "39.90",
        "0.3",
        "-0.5",
        "007",
        "1e3",
        "5.0000000001",
        -1e18,
        999_999_999_999_999_900,
      ],
    ),
  },
);
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
      flags: fc.constantFrom(0, 0, 0, 0, 0, 1, 2, 4, 8, 18, 32, 64),
      data: fc.dictionary(fc.constantFrom(...properties), value),
      shared: fc.boolean(),
    }),
    { maxLength: 12 },
  ),
});

// ── what is asked ──────────────────────────────────────────────────────────────────────────────────────────────────

const comparison = fc.constantFrom("eq", "ne", "lt", "le", "gt", "ge");
const property = fc.constantFrom(...paths);
const list = fc.uniqueArray(fc.constantFrom(...texts), { minLength: 1, maxLength: 3 });
const filter = fc.oneof(
  fc.record({ property, is: comparison, value: number }),
  fc.record({ property, is: comparison, value: fc.constantFrom(...texts) }),
  fc.record({ property, is: fc.constantFrom("eq", "ne"), value: fc.boolean() }),
  fc.record({ property, is: fc.constant("in"), values: list }),
  fc.record({
    property,
    is: fc.constant("in"),
    values: fc.uniqueArray(fc.oneof(number, fc.constantFrom(39.9, 1, 10)), {
      minLength: 1,
      maxLength: 3,
    }),
  }),
  fc.record({ property, is: fc.constant("known") }),
) as fc.Arbitrary<Filter>;
const what: fc.Arbitrary<What> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ event: fc.constantFrom(...names) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      event: fc.constantFrom(...names),
      where: fc.array(filter, { minLength: 1, maxLength: 2 }),
    }),
  },
);
const iso = instant.map((ms) => new Date(ms).toISOString());
const window: fc.Arbitrary<Window> = fc.oneof(
  fc.record({ kind: fc.constant("hours" as const), hours: fc.constantFrom(1, 24, 25, 72, 168) }),
  fc.record({ kind: fc.constant("days" as const), days: fc.constantFrom(1, 2, 3, 7) }),
  fc.record({ kind: fc.constant("since" as const), at: iso }),
  fc.record({ kind: fc.constant("between" as const), from: iso, until: iso }),
  fc.constant({ kind: "ever" as const }),
);
const attribute = fc.constantFrom(...attributes);
const segments = [idOf(90_001), idOf(90_002)];
const companySegments = [idOf(90_003), idOf(90_004)];
const blinds = ["aa", "bb", "cc"].map((two) => two.repeat(32));
const roles = fc.constantFrom<string[]>([], [], ["buyer"], ["member", "admin"]);
/** `own`: what beside the common kinds a rule about these may ask. */
const rulesOver = (names: string[], own: (tie: fc.Arbitrary<Rule>) => fc.Arbitrary<Rule>[]) =>
  fc.letrec<{ rule: Rule }>((tie) => ({
    rule: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      fc.record({ kind: fc.constant("tag" as const), tag: fc.constantFrom(...tags), in: list }),
      fc.record({ kind: fc.constant("known" as const), attribute }),
      fc.record({ kind: fc.constant("number" as const), attribute, is: comparison, value: number }),
      fc.record({ kind: fc.constant("text" as const), attribute, in: list }),
      fc.record({
        kind: fc.constant("instant" as const),
        attribute,
        is: fc.constantFrom("before", "from"),
        at: iso,
      }),
      fc.record({
        kind: fc.constant("days_since" as const),
        attribute,
        is: fc.constantFrom("lt", "le", "gt", "ge"),
        days: fc.integer({ min: 0, max: 14 }),
      }),
      fc
        .tuple(what, window, comparison, fc.integer({ min: 0, max: 3 }))
        .map(([of, w, is, count]): Rule => ({ kind: "events", ...of, window: w, is, count })),
      fc.tuple(what, window).map(([of, w]): Rule => ({ kind: "absent", ...of, window: w })),
      fc.tuple(what, window).map(([of, w]): Rule => ({ kind: "first", ...of, window: w })),
      fc
        .tuple(
          fc.array(what, { minLength: 1, maxLength: 4 }),
          window,
          fc.constantFrom(1, 24, 100, 1000),
        )
        .map(([steps, w, withinHours]): Rule => ({
          kind: "sequence",
          steps,
          window: w,
          withinHours,
        })),
      fc.record({
        kind: fc.constant("sample" as const),
        seed: fc.constantFrom("a", "b", "中"),
        basisPoints: fc.constantFrom(0, 50, 1000, 5000, 9999, 10_000),
      }),
      fc.record({ kind: fc.constant("segment" as const), segment: fc.constantFrom(...names) }),
      fc.record({
        kind: fc.constantFrom("union", "intersect"),
        segments: fc.constantFrom(names, [names[0]!]),
      }) as fc.Arbitrary<Rule>,
      fc.constant<Rule>({ kind: "except", segment: names[0]!, without: [names[1]!] }),
      fc.constant<Rule>({ kind: "everybody" }),
      ...own(tie("rule")),
      fc.record({ kind: fc.constant("not" as const), of: tie("rule") }),
      fc.record({
        kind: fc.constant("and" as const),
        of: fc.array(tie("rule"), { minLength: 1, maxLength: 3 }),
      }),
      fc.record({
        kind: fc.constant("or" as const),
        of: fc.array(tie("rule"), { minLength: 1, maxLength: 3 }),
      }),
    ),
  })).rule;
const address = fc.record({
  kind: fc.constant("identifier" as const),
  type: fc.constant("email" as const),
  blinds: fc.uniqueArray(fc.constantFrom(...blinds), { minLength: 1 }),
});
/** Of a company's people, who are asked nothing of their companies in turn. */
const ofStaff = rulesOver(segments, () => []);
const staff = fc.record({
  kind: fc.constant("staff" as const),
  are: fc.constantFrom("every" as const, "eq", "ne", "lt", "le", "gt", "ge"),
  count: fc.integer({ min: 0, max: 4 }),
  roles,
  fits: ofStaff,
}) as fc.Arbitrary<Rule>;
const companyRule = rulesOver(companySegments, () => [staff, staff]);
const company = fc.record({
  kind: fc.constant("company" as const),
  roles,
  fits: companyRule,
}) as fc.Arbitrary<Rule>;
const rule = rulesOver(segments, () => [address, company, company]);
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
  shop = await world({ timeZone: zone });
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
  const middle = new Date(edges[0]!);
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

async function byHand(asked: Rule, at: Date, level: Level): Promise<Map<string, Facts>> {
  const { segments: entries } = bookOf(0n, [{ id: idOf(5), level, rule: asked, version: 1 }]);
  const now = { at, timeZone: zone };
  if (level === "person") return factsOf(shop.sql, everybody, entries, now);
  const ids = companies.map(({ personId }) => personId);
  return (await companiesNow(shop.sql, ids, entries, now)).companies;
}
async function threeOf(asked: Rule, at: Date, level: Level = "person") {
  const { house, sql, columns } = shop;
  const now = { at, timeZone: zone };
  shop.clock.shop = at;
  const asksThem = dependsOn(asked, level).segments.size > 0;
  for (const id of asksThem ? everySegment : [segments[0]!]) await refresh(house, id);
  const rule = atInstant(asked, now, known as Known);
  const people = await byHand(asked, at, level);
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
      fc.asyncProperty(rules, instant, async (asked, ms) => {
        const {
          hand,
          postgres,
          among,
          together,
          moved,
          some: asked2,
          clickhouse,
        } = await threeOf(asked, new Date(ms), level);
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
function turnOf(asked: Rule, level: Level, facts: Facts, at: Date): number {
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
      fc.asyncProperty(rules, instant, fc.nat(1000), async (asked, ms, part) => {
        const at = new Date(ms);
        const still = await byHand(asked, at, level);
        for (const [, facts] of still) {
          const end = turnOf(asked, level, facts, at);
          const answer = (when: Date) =>
            fits(atInstant(asked, { at: when, timeZone: zone }, known as Known), facts, when);
          const between = new Date(ms + Math.floor(((end - 1 - ms) * part) / 1000));
          expect(answer(between)).toBe(answer(at));
          expect(answer(new Date(end - 1))).toBe(answer(at));
        }
      }),
      { numRuns: Math.min(cases, 200) },
    );
  }, 600_000);
