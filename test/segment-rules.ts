// Random rules of every kind, and what they may meet, for tests of the three that answer them.
import fc from "fast-check";
import { addDays, instantOf } from "../src/kernel/clock.ts";
import type { Filter, Rule, What, Window } from "../src/segments/rules.ts";

/**
 * Shops' clocks, and what is odd about each: London falls back by an hour, Lord Howe goes forward by half of one, São
 * Paulo skips midnight itself, the others stand half an hour and a quarter aside all year.
 */
const oddDays: Record<string, string> = {
  "Europe/London": "2011-10-30",
  "Australia/Lord_Howe": "2011-10-02",
  "America/Sao_Paulo": "2011-10-16",
  "Asia/Kolkata": "2011-10-16",
  "Asia/Kathmandu": "2011-10-02",
};
export const zones = Object.keys(oddDays);
const edges = [
  // The very instants at which London, Lord Howe and São Paulo change their clocks.
  Date.parse("2011-10-30T01:00:00Z"),
  Date.parse("2011-10-01T15:30:00Z"),
  Date.parse("2011-10-16T03:00:00Z"),
  ...Object.entries(oddDays).flatMap(([zone, day]) =>
    [
      ...[`${addDays(day, -1)}T00:00`, `${day}T00:00`, `${day}T01:30`, `${day}T02:15`],
      ...[`${addDays(day, 1)}T00:00`, `${addDays(day, 2)}T00:00`],
    ].map((wall) => instantOf(wall, zone).getTime()),
  ),
];
/** Five days around each of the odd ones. */
const around = [...new Set(Object.values(oddDays))].map((day) => ({
  min: Date.parse(`${addDays(day, -3)}T00:00:00Z`),
  max: Date.parse(`${addDays(day, 2)}T00:00:00Z`),
}));
export const first = Math.min(...around.map(({ min }) => min));
/** Few instants, so that boundaries are met: whole hours and days apart, and a millisecond beside. */
export const instant = fc.oneof(
  fc.constantFrom(...edges.flatMap((ms) => [ms - 1, ms, ms + 1])),
  ...around.map(({ min }) => fc.integer({ min: 0, max: 120 }).map((n) => min + n * 3_600_000)),
  ...around.map((span) => fc.integer(span)),
);
export const number = fc.oneof(
  fc.integer({ min: -3, max: 12 }),
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e12, max: 1e12 }),
  fc.constantFrom(0.1 + 0.2, 0.3, 0.1, 39.9, 10, -0, 1e-9, 9_007_199_254_740_991),
);
/** Texts that are easily taken for one another, or for something else. */
export const texts = ["dormant", "active", "it's", "%_\\", "中文", "10", "é", "é", "😀", "", ""];
/** What may stand in a profile or an event: numbers, texts, instants, and things that only look like them. */
export const value = fc.oneof(
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
/** What rules ask of: names of attributes, tags, events, paths into what those say, and segments that are there. */
export type Vocabulary = {
  attributes: string[];
  tags: string[];
  texts: string[];
  names: string[];
  paths: string[];
  segments: string[];
  companySegments: string[];
  blinds: string[];
};
/** Rules about people and about companies in these words. */
export function rulesIn(said: Vocabulary) {
  const comparison = fc.constantFrom("eq", "ne", "lt", "le", "gt", "ge");
  const property = fc.constantFrom(...said.paths);
  const list = fc.uniqueArray(fc.constantFrom(...said.texts), { minLength: 1, maxLength: 3 });
  const filter = fc.oneof(
    fc.record({ property, is: comparison, value: number }),
    fc.record({ property, is: comparison, value: fc.constantFrom(...said.texts) }),
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
    { weight: 3, arbitrary: fc.record({ event: fc.constantFrom(...said.names) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        event: fc.constantFrom(...said.names),
        where: fc.array(filter, { minLength: 1, maxLength: 2 }),
      }),
    },
  );
  const iso = instant.map((ms) => new Date(ms).toISOString());
  const window: fc.Arbitrary<Window> = fc.oneof(
    fc.record({
      kind: fc.constant("hours" as const),
      hours: fc.constantFrom(1, 24, 25, 72, 168, 350),
    }),
    fc.record({ kind: fc.constant("days" as const), days: fc.constantFrom(1, 2, 3, 7, 15, 28) }),
    fc.record({ kind: fc.constant("since" as const), at: iso }),
    fc.record({ kind: fc.constant("between" as const), from: iso, until: iso }),
    fc.constant({ kind: "ever" as const }),
  );
  const attribute = fc.constantFrom(...said.attributes);
  const roles = fc.constantFrom<string[]>([], [], ["buyer"], ["member", "admin"]);
  /** `own`: what beside the common kinds a rule about these may ask. */
  const rulesOver = (names: string[], own: (tie: fc.Arbitrary<Rule>) => fc.Arbitrary<Rule>[]) =>
    fc.letrec<{ rule: Rule }>((tie) => ({
      rule: fc.oneof(
        { maxDepth: 3, withCrossShrink: true },
        fc.record({
          kind: fc.constant("tag" as const),
          tag: fc.constantFrom(...said.tags),
          in: list,
        }),
        fc.record({ kind: fc.constant("known" as const), attribute }),
        fc.record({
          kind: fc.constant("number" as const),
          attribute,
          is: comparison,
          value: number,
        }),
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
          days: fc.integer({ min: 0, max: 30 }),
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
    blinds: fc.uniqueArray(fc.constantFrom(...said.blinds), { minLength: 1 }),
  });
  /** Of a company's people, who are asked nothing of their companies in turn. */
  const ofStaff = rulesOver(said.segments, () => []);
  const staff = fc.record({
    kind: fc.constant("staff" as const),
    are: fc.constantFrom("every" as const, "eq", "ne", "lt", "le", "gt", "ge"),
    count: fc.integer({ min: 0, max: 4 }),
    roles,
    fits: ofStaff,
  }) as fc.Arbitrary<Rule>;
  const companyRule = rulesOver(said.companySegments, () => [staff, staff]);
  const company = fc.record({
    kind: fc.constant("company" as const),
    roles,
    fits: companyRule,
  }) as fc.Arbitrary<Rule>;
  const rule = rulesOver(said.segments, () => [address, company, company]);
  return { rule, companyRule };
}
