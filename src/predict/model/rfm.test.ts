import fc from "fast-check";
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import {
  cutsByQuantile,
  explainScores,
  matrix,
  quantile,
  rfmSegments,
  scoresOf,
  segmentOf,
  shopifyGroupOf,
  shopifyGroups,
  type Bought,
} from "./rfm.ts";

/** The R package's sample orders, one row a customer, on its analysis date. */
function sample(): Bought[] {
  const text = gunzipSync(readFileSync("test/data/rfm/rfm_data_orders.csv.gz")).toString();
  const byCustomer = new Map<string, { last: string; orders: number; amount: number }>();
  for (const line of text.trim().split("\n").slice(1)) {
    const [id, day, revenue] = line.split(",");
    const one = byCustomer.get(id!) ?? { last: "", orders: 0, amount: 0 };
    byCustomer.set(id!, {
      last: day! > one.last ? day! : one.last,
      orders: one.orders + 1,
      amount: one.amount + Number(revenue),
    });
  }
  return Array.from(byCustomer.values(), ({ last, orders, amount }) => ({
    recencyDays: (Date.parse("2006-12-31") - Date.parse(last)) / 864e5,
    orders,
    amount,
  }));
}

test("the R package's sample: its bounds, its champions, its segments", () => {
  const customers = sample();
  expect(customers.length).toBe(995);
  const cuts = cutsByQuantile(customers)!;
  const rounded = (values: number[]) => values.map((value) => Number(value.toFixed(6)));
  expect(rounded(cuts.recencyDays)).toEqual([115, 181, 297.4, 482]);
  expect(rounded(cuts.orders)).toEqual([4, 5, 6, 8]);
  expect(rounded(cuts.amount)).toEqual([255.8, 382, 506.4, 666]);

  const by = new Map<string, { people: number; orders: number; amount: number }>();
  for (const one of customers) {
    const segment = segmentOf(scoresOf(one, cuts));
    const sum = by.get(segment) ?? { people: 0, orders: 0, amount: 0 };
    by.set(segment, {
      people: sum.people + 1,
      orders: sum.orders + one.orders,
      amount: sum.amount + one.amount,
    });
  }
  expect(by.get("champions")).toEqual({ people: 158, orders: 1234, amount: 120_178 });
  // The package's own counts, where it counts the narrower segments among the wider.
  const people = (...names: string[]) =>
    names.reduce((n, name) => n + (by.get(name)?.people ?? 0), 0);
  expect(people("loyal")).toBe(278);
  expect(people("potential_loyalist", "new", "promising")).toBe(229);
  expect(people("at_risk", "cant_lose")).toBe(86);
  expect(people("lost")).toBe(111);
  expect(people("about_to_sleep")).toBe(50);
  expect(people("need_attention")).toBe(35);
  expect(people("others")).toBe(48);
});

const bought = fc.record<Bought>({
  recencyDays: fc.nat(800),
  orders: fc.integer({ min: 1, max: 60 }),
  amount: fc.integer({ min: 0, max: 1_000_000 }),
});
const shop = fc.array(bought, { minLength: 1, maxLength: 300 });

test("scores are 1 to 5, more recent, more often or more money never scores less", () => {
  fc.assert(
    fc.property(shop, bought, bought, (customers, one, other) => {
      const cuts = cutsByQuantile(customers)!;
      const [a, b] = [scoresOf(one, cuts), scoresOf(other, cuts)];
      for (const score of Object.values(a)) expect([1, 2, 3, 4, 5]).toContain(score);
      if (one.recencyDays <= other.recencyDays) expect(a.r).toBeGreaterThanOrEqual(b.r);
      if (one.orders >= other.orders) expect(a.f).toBeGreaterThanOrEqual(b.f);
      if (one.amount >= other.amount) expect(a.m).toBeGreaterThanOrEqual(b.m);
    }),
  );
});

test("what a cell says of its people is true of each of them, and of nobody outside", () => {
  fc.assert(
    fc.property(shop, bought, (customers, one) => {
      const cuts = cutsByQuantile(customers)!;
      const mine = scoresOf(one, cuts);
      for (let score = 1; score <= 5; score += 1) {
        const says = explainScores({ r: score, f: score, m: score }, cuts);
        const inside = (value: number, { least = -Infinity, most = Infinity }) =>
          value >= least && value <= most;
        expect(inside(one.recencyDays, says.recencyDays as object)).toBe(mine.r === score);
        expect(inside(one.orders, says.orders as object)).toBe(mine.f === score);
        const { least = -Infinity, below = Infinity } = says.amount;
        expect(one.amount >= least && one.amount < below).toBe(mine.m === score);
      }
    }),
  );
});

test("bounds the shop fixed itself: a value on a bound belongs to the upper side", () => {
  const cuts = {
    recencyDays: [30, 60, 90, 180],
    orders: [2, 3, 5, 10],
    amount: [50, 100, 200, 500],
  };
  expect(scoresOf({ recencyDays: 29, orders: 10, amount: 499.99 }, cuts)).toEqual({
    r: 5,
    f: 5,
    m: 4,
  });
  expect(scoresOf({ recencyDays: 30, orders: 9, amount: 500 }, cuts)).toEqual({ r: 4, f: 4, m: 5 });
  expect(scoresOf({ recencyDays: 180, orders: 1, amount: 0 }, cuts)).toEqual({ r: 1, f: 1, m: 1 });
  expect(explainScores({ r: 4, f: 3, m: 1 }, cuts)).toEqual({
    recencyDays: { least: 30, most: 59 },
    orders: { least: 3, most: 4 },
    amount: { least: undefined, below: 50 },
  });
});

test("the matrix holds everybody exactly once, in the square of their scores", () => {
  fc.assert(
    fc.property(shop, (customers) => {
      const cuts = cutsByQuantile(customers)!;
      const cells = matrix(customers, cuts);
      expect(cells.length).toBe(25);
      for (const cell of cells) {
        const inside = customers.filter((one) => {
          const { r, f } = scoresOf(one, cuts);
          return r === cell.r && f === cell.f;
        });
        expect(cell.people).toBe(inside.length);
        expect(cell.orders).toBe(inside.reduce((sum, one) => sum + one.orders, 0));
        expect(cell.amount).toBe(inside.reduce((sum, one) => sum + one.amount, 0));
      }
    }),
    { numRuns: 30 },
  );
});

test("every name is somebody's, and every score has a group a Shopify shop would know", () => {
  const scores = [1, 2, 3, 4, 5];
  const all = scores.flatMap((r) => scores.flatMap((f) => scores.map((m) => ({ r, f, m }))));
  expect(new Set(all.map(segmentOf))).toEqual(new Set(rfmSegments));
  expect(new Set([undefined, ...all].map(shopifyGroupOf))).toEqual(new Set(shopifyGroups));
  expect(shopifyGroupOf({ r: 5, f: 5, m: 5 })).toBe("CHAMPIONS");
  expect(shopifyGroupOf({ r: 5, f: 1, m: 1 })).toBe("NEW");
  expect(shopifyGroupOf({ r: 1, f: 5, m: 5 })).toBe("PREVIOUSLY_LOYAL");
  expect(shopifyGroupOf({ r: 1, f: 1, m: 1 })).toBe("DORMANT");
});

test("quantiles lie linearly between neighbours; nobody has none", () => {
  expect(quantile([1, 2, 3, 4], 0.5)).toBe(2.5);
  expect(quantile([10, 20], 0.2)).toBeCloseTo(12, 12);
  expect(quantile([7], 0.8)).toBe(7);
  expect(cutsByQuantile([])).toBeUndefined();
});
