import fc from "fast-check";
import { expect, test } from "vitest";
import { historyOf, piecesOf, type Happened } from "./model/evaluate.ts";
import { sentenceOf } from "./model/sentence.ts";
import { at } from "#segments/rules.ts";
import {
  decimalOf,
  decimalText,
  isPath,
  keyOf,
  ownTold,
  resultOf,
  valueOf,
  type Own,
  type Trait,
} from "./rules.ts";

const hour = 3_600_000;
const now = Date.UTC(2026, 2, 1, 4);
/** There it is noon. */
const zone = "Asia/Shanghai";
const base: Trait = {
  name: "spent",
  label: { zh: "花费", en: "Spent" },
  fn: "sum",
  event: "Paid",
  property: "price",
  hours: 24,
};
let n = 0;
const paid = (price: unknown, hoursAgo = 1, more: Partial<Happened> = {}): Happened => ({
  name: "Paid",
  at: now - hoursAgo * hour,
  id: `00000000-0000-8000-8000-${String(n++).padStart(12, "0")}`,
  flags: 0,
  data: { price },
  ...more,
});
const valueFor = (trait: Partial<Trait>, events: Happened[]) => {
  const all = { ...base, ...trait };
  return resultOf(all, piecesOf(all, historyOf(events), now), now, zone).value;
};

test("what somebody spent is the sum of their prices, to the last cent", () => {
  expect(valueFor({}, [paid(0.1), paid(0.2)])).toBe(0.3);
  expect(
    valueFor(
      {},
      Array.from({ length: 1000 }, () => paid("0.01")),
    ),
  ).toBe(10);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -1e9, max: 1e9 }), { minLength: 1 }), (cents) => {
      const events = cents.map((one) => paid(one / 100));
      const total = cents.reduce((a, b) => a + b, 0);
      expect(valueFor({}, events)).toBe(Number((total / 100).toFixed(2)) + 0);
    }),
  );
});

test("what is no number, not known, of a bot, a claim, ahead or outside of the window does not count", () => {
  const none = [
    paid("12 pairs"),
    paid(null),
    paid(undefined),
    paid({}),
    paid(1e15),
    paid("1e3"),
    paid(5, 1, { flags: 1 }),
    paid(5, 1, { flags: 2 }),
    paid(5, 1, { flags: 64 }),
    paid(5, 24), // the window is open at its beginning
    paid(5, -1),
    paid(5, 1, { name: "Refunded" }),
  ];
  expect(valueFor({}, none)).toBeNull();
  expect(valueFor({ fn: "count" }, [])).toBeNull();
  expect(valueFor({}, [...none, paid(7, 23.999)])).toBe(7);
  expect(valueFor({ hours: null }, [paid(5, 1_000_000)])).toBe(5);
});

test("ties: the most frequent is the one seen latest, then by text; the list begins with the latest", () => {
  const seen = [paid("b", 5), paid("a", 4), paid("b", 3), paid("a", 2), paid("c", 1)];
  expect(valueFor({ fn: "most_frequent" }, seen)).toBe("a");
  expect(valueFor({ fn: "most_frequent" }, [paid("b", 2), paid("a", 2)])).toBe("a");
  expect(valueFor({ fn: "distinct" }, seen)).toEqual(["c", "a", "b"]);
  expect(valueFor({ fn: "distinct" }, [paid(1), paid("1"), paid(true)])).toHaveLength(3);
  const many = Array.from({ length: 120 }, (_, i) => paid(`v${i}`, i / 10));
  expect(valueFor({ fn: "distinct" }, many)).toHaveLength(100);
  expect(valueFor({ fn: "first" }, seen)).toBe("b");
  expect(valueFor({ fn: "last" }, seen)).toBe("c");
  const twins = [paid("x", 1, { id: "b" }), paid("y", 1, { id: "a" })];
  expect(valueFor({ fn: "first" }, twins)).toBe("y");
});

test("average, least, greatest, days since", () => {
  expect(valueFor({ fn: "average" }, [paid(1), paid(1), paid(2)])).toBe(1.333333);
  expect(valueFor({ fn: "average" }, [paid(-1), paid(-1), paid(-3)])).toBe(-1.666667);
  expect(valueFor({ fn: "min" }, [paid(3), paid("2.5")])).toBe(2.5);
  expect(valueFor({ fn: "max" }, [paid(3), paid("12")])).toBe(12);
  expect(valueFor({ fn: "days_since", hours: null }, [paid(1, 11.9), paid(1, 100)])).toBe(0);
  expect(valueFor({ fn: "days_since", hours: null }, [paid(1, 12.1), paid(1, 100)])).toBe(1);
  expect(valueFor({ fn: "days_since", hours: null }, [paid(1, 36)])).toBe(1);
  expect(valueFor({ fn: "days_since", hours: null }, [paid(1, 36.1)])).toBe(2);
  expect(valueFor({ fn: "days_since", hours: null }, [paid(1, 24 * 9000)])).toBe(3650);
});

test("the next turn is when an event leaves, a day is full, or what is dated ahead comes", () => {
  const turnOf = (trait: Partial<Trait>, events: Happened[]) => {
    const all = { ...base, ...trait };
    const { turn } = resultOf(all, piecesOf(all, historyOf(events), now), now, zone);
    return turn === null ? null : (turn - now) / hour;
  };
  expect(turnOf({}, [paid(1, 20), paid(1, 1)])).toBe(4);
  expect(turnOf({ fn: "last" }, [paid(1, 20), paid(1, 1)])).toBe(23);
  expect(turnOf({}, [paid(1, 1), paid(1, -2)])).toBe(2);
  expect(turnOf({}, [paid(1, -2)])).toBe(2);
  expect(turnOf({ hours: null }, [paid(1, 20)])).toBeNull();
  expect(turnOf({ fn: "days_since", hours: null }, [paid(1, 30)])).toBe(12);
});

test("a figure changes by time alone at its turn and not before", () => {
  const anEvent = fc.record({
    price: fc.constantFrom(1, 2, "3", "x", true),
    minutes: fc.integer({ min: -100, max: 3000 }),
  });
  fc.assert(
    fc.property(
      fc.array(anEvent, { maxLength: 8 }),
      fc.constantFrom("count", "sum", "last", "distinct", "most_frequent", "days_since", "first"),
      fc.constantFrom(1, 24, null),
      (given, fn, hours) => {
        const trait = { ...base, fn, hours } as Trait;
        const events = given.map(({ price, minutes }) => paid(price, minutes / 60));
        const here = resultOf(trait, piecesOf(trait, historyOf(events), now), now, zone);
        const later = (ms: number) =>
          resultOf(trait, piecesOf(trait, historyOf(events), ms), ms, zone);
        const until = here.turn ?? now + 10_000 * hour;
        for (const ms of [now + (until - now) / 2, until - 1].map(Math.floor))
          if (ms >= now) expect(later(ms).value).toEqual(here.value);
        expect(here.turn === null || here.turn > now).toBe(true);
      },
    ),
  );
});

test("decimals: as text and back, rounded half away from zero", () => {
  expect(decimalText(decimalOf(1e-9)!)).toBe("0.000000001");
  expect(decimalText(decimalOf(4e-10)!)).toBe("0");
  expect(decimalText(decimalOf(-5e-10)!)).toBe("-0.000000001");
  expect(decimalText(decimalOf(123456789012345.67)!)).toBe("123456789012345.67");
  expect(decimalOf("+1")).toBeNull();
  expect(decimalOf(" 1")).toBeNull();
  for (const text of ["007", "1234567890123456", "1.0000000001", ".5", "1."])
    expect(decimalOf(text)).toBeNull();
  fc.assert(
    fc.property(fc.double({ min: -1e6, max: 1e6, noNaN: true }), (value) => {
      expect(Math.abs(Number(decimalText(decimalOf(value)!)) - value)).toBeLessThanOrEqual(5.1e-10);
    }),
  );
});

test("a value is what its key says", () => {
  for (const value of ["a", "1", 1, -0.5, true, false]) expect(valueOf(keyOf(value)!)).toBe(value);
  for (const value of ["", "x".repeat(201), null, undefined, [], {}, 1e15])
    expect(keyOf(value)).toBeNull();
  expect(keyOf("😀".repeat(200))).not.toBeNull();
});

test("paths: names and places in a list", () => {
  expect(at({ a: { b: [{ c: 1 }] } }, "a.b.0.c")).toBe(1);
  expect(at({ a: [1] }, "a.length")).toBeUndefined();
  expect(at({ a: "text" }, "a.0")).toBeUndefined();
  expect(at({}, "constructor")).toBeUndefined();
  for (const path of ["a", "价格", "a.0", "a b", "a.1st"]) expect(isPath(path)).toBe(true);
  for (const path of ["", "a.", "$traits.city", "a.-1", "a.01", "a.b.c.d.e.f"])
    expect(isPath(path)).toBe(false);
});

test("what a server said as text fits an attribute's type or is no word of it", () => {
  const own = (type: Own["type"], values: string[] = []): Own => ({
    ...{ name: "x", label: base.label, type },
    options: values.map((value) => ({ value, label: base.label })),
  });
  const told = (one: Own, ...texts: string[]) => texts.map((text) => ownTold(one, text, zone));
  expect(told(own("choice", ["dry", "1"]), "dry", " dry ", "1", "Dry", "")).toEqual([
    ...["dry", "dry", "1", undefined, undefined],
  ]);
  expect(told(own("number"), "2", "-3.50", "1e3", "two", "", "1234567890123456")).toEqual([
    ...[2, -3.5, undefined, undefined, undefined, undefined],
  ]);
  const day = "2026-04-30T16:00:00.000Z";
  expect(
    told(own("date"), "2026-05-01", "2026-05-01T00:00:00Z", "2026-05-01T23:59:59+08:00"),
  ).toEqual([day, day, day]);
  for (const text of ["2026-02-30", "2026-5-1", "20260501", "1777593600", "tomorrow"])
    expect(ownTold(own("date"), text, zone)).toBeUndefined();
  expect(told(own("truth"), "true", "No", "yes", "FALSE", "1", "maybe")).toEqual([
    ...["yes", "no", "yes", "no", undefined, undefined],
  ]);
});

test("filters compare alike with alike", () => {
  const count = (where: Trait["where"], data: unknown) =>
    valueFor({ fn: "count", property: undefined, where }, [paid(0, 1, { data })]);
  expect(count([{ property: "n", is: "ne", value: 1 }], { n: 2 })).toBe(1);
  expect(count([{ property: "n", is: "ne", value: 1 }], { n: "x" })).toBeNull();
  expect(count([{ property: "n", is: "ge", value: 39.9 }], { n: "39.90" })).toBe(1);
  expect(count([{ property: "n", is: "eq", value: "39.9" }], { n: 39.9 })).toBeNull();
  expect(count([{ property: "n", is: "in", values: ["a", "b"] }], { n: "b" })).toBe(1);
  expect(count([{ property: "n", is: "known" }], { n: {} })).toBe(1);
  expect(count([{ property: "n", is: "known" }], { n: null })).toBeNull();
  expect(count([{ property: "n", is: "ne", value: true }], { n: false })).toBe(1);
});

test("a trait reads itself back", () => {
  const where: Trait["where"] = [{ property: "category", is: "eq", value: "鞋" }];
  expect(sentenceOf({ ...base, fn: "count", hours: 720, where })).toEqual({
    zh: "最近 30 天“Paid”（品类等于“鞋”）的次数。",
    en: "How often “Paid” (category exactly “鞋”) happened in the last 30 days.",
  });
});
