import fc from "fast-check";
import { expect, test } from "vitest";
import { addDays, dayOf, daysBetween, instantOf } from "#kernel/clock.ts";
import { fits } from "./model/evaluate.ts";
import { reservedTags } from "#people/rules.ts";
import { changeSentence } from "#people/model/sentence.ts";
import { sentenceOf, tagName } from "./model/sentence.ts";
import { nextTurn } from "./model/turns.ts";
import {
  atInstant,
  dormantWorth,
  holds,
  inOrder,
  whatWords,
  type Facts,
  type Filter,
  type Rule,
} from "./rules.ts";

const words = { currency: "GBP", timeZone: "Europe/London", segments: new Map() };
const facts = (attributes: Record<string, unknown>, tags: Record<string, string> = {}): Facts => ({
  attributes: new Map(Object.entries(attributes)),
  tags: new Map(Object.entries(tags).map(([tag, value]) => [tag, { value, expiresAt: null }])),
  segments: new Set(),
  personId: "01890000-0000-7000-8000-000000000001",
  events: [],
});
const london = (at: Date) => ({ at, timeZone: "Europe/London" });

test("a rule reads itself back as one sentence in each language", () => {
  expect(sentenceOf(dormantWorth.rule, words)).toEqual({
    zh: "生命周期阶段为“沉睡”，并且（购买过的天数不低于 2，或者消费分（1 至 5）不低于 3）的人。",
    en: "People whose lifecycle stage is “dormant” and (whose number of days with a purchase is at least 2 or whose spend score (1 to 5) is at least 3).",
  });
  const rule: Rule = {
    kind: "and",
    of: [
      { kind: "not", of: { kind: "segment", segment: "s1" } },
      { kind: "number", attribute: "spent_minor", is: "gt", value: 12_050 },
      { kind: "days_since", attribute: "last_order_at", is: "le", days: 30 },
      { kind: "text", attribute: "country", in: ["France", "Germany"] },
      { kind: "instant", attribute: "first_order_at", is: "from", at: "2011-05-31T23:00:00.000Z" },
    ],
  };
  const segments = new Map([["s1", { zh: "员工", en: "Staff" }]]);
  expect(sentenceOf(rule, { ...words, segments })).toEqual({
    zh: "并非在人群“员工”中，并且累计消费大于 120.50 GBP，并且最近一次下单距今不超过 30 天，并且国家或地区为“France”或“Germany”，并且首次下单不早于 2011-06-01 的人。",
    en: "People other than those in the segment “Staff” and whose total spend is more than 120.50 GBP and whose last order was at most 30 days ago and whose country or region is “France” or “Germany” and whose first order is 2011-06-01 or later.",
  });
  const viewed: Rule = {
    ...{ kind: "events", event: "Product Viewed", is: "ge", count: 2 },
    window: { kind: "days", days: 7 },
  };
  const roles = new Map([["buyer", { zh: "采购", en: "Buyer" }]]);
  const firm: Rule = {
    kind: "and",
    of: [
      { kind: "text", attribute: "industry", in: ["Gifts"] },
      { kind: "staff", are: "every", count: 1, roles: ["buyer"], fits: viewed },
      { kind: "staff", are: "ge", count: 3, roles: [], fits: { kind: "everybody" } },
    ],
  };
  expect(sentenceOf(firm, { ...words, roles }, "company")).toEqual({
    zh: "行业为“Gifts”，并且每位角色为“采购”的成员都最近 7 天内“浏览商品”至少 2 次，并且成员至少 3 位的公司。",
    en: "Companies whose industry is “Gifts” and in which every member in the role “Buyer” is one with at least 2 “Product Viewed” in the last 7 days and with at least 3 members.",
  });
  const buyer: Rule = { kind: "company", roles: ["buyer"], fits: firm.of[0]! };
  expect(sentenceOf(buyer, { ...words, roles })).toEqual({
    zh: "担任“采购”的公司行业为“Gifts”的人。",
    en: "People who are “Buyer” at a company whose industry is “Gifts”.",
  });
  expect(sentenceOf({ kind: "everybody" }, words, "company").en).toBe("Every company.");
  expect(sentenceOf({ kind: "everybody" }, words)).toEqual({ zh: "所有人。", en: "Everybody." });
});

test("of two samples with one seed the smaller lies within the larger, whoever is asked", () => {
  const share = fc.integer({ min: 0, max: 10_000 });
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), share, share, fc.uuid(), (seed, a, b, personId) => {
      const of = (basisPoints: number) =>
        fits(
          atInstant({ kind: "sample", seed, basisPoints }, london(new Date(0))),
          { ...facts({}), personId },
          new Date(0),
        );
      if (of(Math.min(a, b))) expect(of(Math.max(a, b))).toBe(true);
      expect([of(0), of(10_000)]).toEqual([false, true]);
    }),
    { numRuns: 2000 },
  );
});

test("dormant is not enough: whoever bought a little, once, is left alone", () => {
  const now = new Date("2011-09-09T00:00:00Z");
  const rule = atInstant(dormantWorth.rule, london(now));
  const dormant = { lifecycle: "dormant" };
  expect(fits(rule, facts({ purchase_days: 1, spend_score: 2 }, dormant), now)).toBe(false);
  expect(fits(rule, facts({ purchase_days: 2, spend_score: 1 }, dormant), now)).toBe(true);
  expect(fits(rule, facts({ purchase_days: 1, spend_score: 3 }, dormant), now)).toBe(true);
  expect(
    fits(rule, facts({ purchase_days: 9, spend_score: 5 }, { lifecycle: "active" }), now),
  ).toBe(false);
});

test("of whom nothing is known no comparison is true, and not turns that round", () => {
  const now = new Date("2011-09-09T00:00:00Z");
  const few: Rule = { kind: "number", attribute: "orders", is: "lt", value: 3 };
  const fit = (rule: Rule, attributes: Record<string, unknown>) =>
    fits(atInstant(rule, london(now)), facts(attributes), now);
  expect(fit(few, {})).toBe(false);
  expect(fit(few, { orders: null })).toBe(false);
  expect(fit(few, { orders: "1" })).toBe(false);
  expect(fit({ kind: "not", of: few }, {})).toBe(true);
  expect(fit({ kind: "known", attribute: "orders" }, { orders: null })).toBe(false);
});

/** As far ahead as anybody looks. */
const far = new Date("2100-01-01T00:00:00Z");
const tag: Facts["tags"] = new Map([
  ["vip", { value: "yes", expiresAt: new Date("2011-09-10T12:00:00Z") }],
]);
test("a tag that has expired is no tag, and its end is a turn to wait for", () => {
  const rule: Rule = { kind: "tag", tag: "vip", in: ["yes"] };
  const person = { ...facts({}), tags: tag };
  const before = new Date("2011-09-10T11:59:59Z");
  expect(fits(atInstant(rule, london(before)), person, before)).toBe(true);
  expect(nextTurn(rule, person, london(before), far)).toEqual(new Date("2011-09-10T12:00:00Z"));
  const after = new Date("2011-09-10T12:00:00Z");
  expect(fits(atInstant(rule, london(after)), person, after)).toBe(false);
  expect(nextTurn(rule, person, london(after), far)).toBeUndefined();
});

// Days on which London changes its clocks are among them.
const instants = fc.date({
  min: new Date("2011-01-01T00:00:00Z"),
  max: new Date("2011-12-31T00:00:00Z"),
  noInvalidDate: true,
});
const sinceRule = fc.record({
  kind: fc.constant("days_since" as const),
  attribute: fc.constant("last_order_at"),
  is: fc.constantFrom("lt", "le", "gt", "ge"),
  days: fc.integer({ min: 0, max: 200 }),
});

test("days since something are whole days of the shop's calendar", () => {
  fc.assert(
    fc.property(instants, instants, sinceRule, (then, now, rule) => {
      const days = daysBetween(dayOf(then, "Europe/London"), dayOf(now, "Europe/London"));
      const expected = {
        lt: days < rule.days,
        le: days <= rule.days,
        gt: days > rule.days,
        ge: days >= rule.days,
      }[rule.is];
      const person = facts({ last_order_at: then.toISOString() });
      expect(fits(atInstant(rule, london(now)), person, now)).toBe(expected);
    }),
    { numRuns: 1000 },
  );
});

test("before its next turn nobody's answer changes, and at it a single condition's does", () => {
  fc.assert(
    fc.property(instants, instants, sinceRule, fc.nat(1000), (then, now, rule, part) => {
      const person = facts({ last_order_at: then.toISOString() });
      const at = (when: Date) => fits(atInstant(rule, london(when)), person, when);
      const turn = nextTurn(rule, person, london(now), far);
      const end = turn?.getTime() ?? Date.parse("2013-01-01T00:00:00Z");
      const between = new Date(now.getTime() + Math.floor(((end - now.getTime()) * part) / 1001));
      expect(at(between)).toBe(at(now));
      if (turn) {
        expect(at(new Date(turn.getTime() - 1))).toBe(at(now));
        expect(at(turn)).toBe(!at(now));
        const day = dayOf(turn, "Europe/London");
        expect(instantOf(`${day}T00:00`, "Europe/London")).toEqual(turn);
        expect(addDays(dayOf(now, "Europe/London"), 1) <= day).toBe(true);
      }
    }),
    { numRuns: 1000 },
  );
});

test("segments come after those that their rules name, and a circle is seen", () => {
  const names = (id: string, ...of: string[]) => ({
    id,
    rule: {
      kind: "and",
      of: [{ kind: "everybody" }, ...of.map((segment) => ({ kind: "segment", segment }))],
    } as Rule,
  });
  expect(inOrder([names("a", "b", "c"), names("b", "c"), names("c")])?.map(({ id }) => id)).toEqual(
    ["c", "b", "a"],
  );
  expect(inOrder([names("a", "b"), names("b", "c"), names("c", "a")])).toBeNull();
  expect(inOrder([names("a", "a")])).toBeNull();
});

test("a filter compares alike with alike, below the surface and at places in lists too", () => {
  const said = { price: "39.90", n: 2, sku: "007", on: false, none: null, lines: [{ sku: "A" }] };
  const cases: [Filter, boolean][] = [
    [{ property: "price", is: "ge", value: 39.9 }, true],
    [{ property: "price", is: "lt", value: 39.9 }, false],
    [{ property: "price", is: "eq", value: "39.90" }, true],
    [{ property: "price", is: "in", values: [1, 39.9] }, true],
    [{ property: "sku", is: "eq", value: 7 }, false],
    [{ property: "sku", is: "ne", value: 8 }, false],
    [{ property: "n", is: "ne", value: "2" }, false],
    [{ property: "n", is: "in", values: ["2"] }, false],
    [{ property: "on", is: "ne", value: true }, true],
    [{ property: "none", is: "ne", value: 1 }, false],
    [{ property: "none", is: "known" }, false],
    [{ property: "lines.0.sku", is: "eq", value: "A" }, true],
    [{ property: "lines.1.sku", is: "known" }, false],
  ];
  for (const [filter, is] of cases) expect([filter, holds(filter, said)]).toEqual([filter, is]);
  expect(whatWords({ event: "Product Viewed", where: [cases[0]![0], cases[3]![0]] })).toEqual({
    zh: "“浏览商品”（价格不低于 39.9，价格为 1 或 39.9）",
    en: "“Product Viewed” (price at least 39.9, price 1 or 39.9)",
  });
});

test("every tag that is worked out has a name in both languages, in rules and in what changed", () => {
  // Only the Chinese shows it for each: "lifecycle" is English as well as a code.
  for (const tag of reservedTags)
    for (const said of [tagName(tag), changeSentence(tag, null, "1+")]) {
      expect(said?.zh, tag).toEqual(expect.any(String));
      expect(said?.zh, tag).not.toContain(tag);
      expect(said?.en, tag).not.toContain("_");
    }
});
