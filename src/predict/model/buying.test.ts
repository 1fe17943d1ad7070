import fc from "fast-check";
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { criticalRatio, fewest, learnBuying, outlook } from "./buying.ts";
import { fromPurchaseDays, type Histories } from "./histories.ts";

/** A small seeded generator (mulberry32) and the draws that the model's worlds need. */
function chance(seed: number) {
  let state = seed | 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return (((mixed ^ (mixed >>> 14)) >>> 0) + 0.5) / 2 ** 32;
  };
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  // Marsaglia & Tsang 2000.
  const gamma = (shape: number): number => {
    if (shape < 1) return gamma(shape + 1) * uniform() ** (1 / shape);
    const d = shape - 1 / 3;
    for (;;) {
      const z = normal();
      const v = (1 + z / Math.sqrt(9 * d)) ** 3;
      if (v > 0 && Math.log(uniform()) < (z * z) / 2 + d - d * v + d * Math.log(v)) return d * v;
    }
  };
  return { uniform, gamma };
}

type World = { r: number; alpha: number; dropout?: { a: number; b: number } };
/** Customers who join evenly over a year and are watched to its end; purchases are seen by whole days. */
function live({ r, alpha, dropout }: World, people: number, seed: number): Histories {
  const { uniform, gamma } = chance(seed);
  const days = Array.from({ length: people }, () => {
    const rate = gamma(r) / alpha;
    const leaves = dropout ? gamma(dropout.a) : 0;
    const p = dropout ? leaves / (leaves + gamma(dropout.b)) : 0;
    const bought = [uniform() * 365];
    for (let at = bought[0]!; ; bought.push(at)) {
      at -= Math.log(uniform()) / rate;
      if (at > 365) return bought.map(Math.floor);
      if (uniform() < p) return [...bought, at].map(Math.floor);
    }
  });
  return fromPurchaseDays(days, 365);
}
const worlds = { numRuns: 15 };
const seeds = fc.integer();
const between = (min: number, max: number) => fc.double({ min, max, noNaN: true });

test("where nobody drops out it says so, and nobody is called alive", () => {
  let degenerate = 0;
  fc.assert(
    fc.property(seeds, between(0.4, 2), between(30, 100), (seed, r, alpha) => {
      const rows = live({ r, alpha }, 1500, seed);
      const learned = learnBuying(rows, 90);
      // By chance a world in some hundreds may look otherwise.
      if (learned.model !== "nbd") return;
      degenerate += 1;
      expect(learned.why).toBe("degenerate_dropout");
      const said = outlook(learned, 3, 100, 200, 90)!;
      expect(said).not.toHaveProperty("alive");
      const { r: shape, alpha: rate } = learned.nbd;
      const formula = 1 - ((rate + 200) / (rate + 290)) ** (shape + 3);
      expect(said.orderChance).toBeCloseTo(formula, 12);
    }),
    worlds,
  );
  expect(degenerate).toBeGreaterThanOrEqual(13);
});

test("in forty small shops of faithful customers, where chance alone looks like dropout, nearly none is fooled", () => {
  const small = Array.from({ length: 40 }, (_, seed) =>
    learnBuying(live({ r: 0.7, alpha: 65 }, 400, seed), 90),
  );
  expect(small.filter(({ model }) => model === "nbd").length).toBeGreaterThanOrEqual(39);
});

test("a dropout that takes away no order in a hundred is none, however many customers prove it", () => {
  const rows = live({ r: 0.7, alpha: 65, dropout: { a: 0.02, b: 5 } }, 5000, 8);
  const chain = { ...rows, people: rows.people.map((n) => 500 * n) };
  const learned = learnBuying(chain, 90);
  expect(learned).toMatchObject({ model: "nbd", why: "degenerate_dropout" });
  if (learned.model !== "nbd") return;
  expect(learned.evidence.likelihoodRatio).toBeGreaterThan(criticalRatio);
  expect(learned.evidence.lostShare).toBeGreaterThan(0);
});

test("where people do drop out it is found, with its strength", () => {
  fc.assert(
    fc.property(seeds, between(0.3, 1), between(10, 50), between(0.3, 1.5), (seed, r, alpha, a) => {
      const dropout = { a, b: 4 * a };
      const learned = learnBuying(live({ r, alpha, dropout }, 3000, seed), 90);
      expect(learned.model).toBe("bgnbd");
      if (learned.model !== "bgnbd") return;
      const { bgnbd, evidence } = learned;
      expect(evidence.likelihoodRatio).toBeGreaterThan(criticalRatio);
      // One purchase in five ends the custom; whole days and chance leave some play.
      expect(bgnbd.a / (bgnbd.a + bgnbd.b)).toBeGreaterThan(0.1);
      expect(bgnbd.a / (bgnbd.a + bgnbd.b)).toBeLessThan(0.32);
      const [recent, long] = [outlook(learned, 5, 190, 200, 90), outlook(learned, 5, 20, 200, 90)];
      if (recent?.model !== "bgnbd" || long?.model !== "bgnbd") throw new Error("no P(alive)");
      expect(recent.alive).toBeGreaterThan(long.alive);
      expect(recent.orderChance).toBeGreaterThan(long.orderChance);
    }),
    worlds,
  );
});

test("from a handful of customers nothing is learned, and nothing said", () => {
  const few = live({ r: 1, alpha: 30 }, fewest.people - 1, 1);
  const learned = learnBuying(few, 90);
  expect(learned).toMatchObject({ model: "none", why: "too_few", people: fewest.people - 1 });
  expect(outlook(learned, 1, 1, 2, 90)).toBeUndefined();
  const onceOnly = fromPurchaseDays(
    Array.from({ length: 5000 }, () => [0]),
    90,
  );
  expect(learnBuying(onceOnly, 90)).toMatchObject({ model: "none", why: "too_few", repeats: 0 });
});

/** Days on which each customer of the bundled orders bought something, without cancellations and free goods. */
function purchaseDays(): number[][] {
  const text = gunzipSync(readFileSync("data/online-retail.csv.gz")).toString();
  const byCustomer = new Map<string, Set<number>>();
  for (const line of text.split("\n").slice(1)) {
    // The description may hold commas and quotes; the five columns behind it do not.
    const [day, price, customer] = line.split(",").slice(-4, -1);
    if (!customer || line.startsWith("C") || !(Number(price) > 0)) continue;
    const days = byCustomer.get(customer) ?? new Set();
    byCustomer.set(customer, days.add(Date.parse(day!.slice(0, 10)) / 864e5));
  }
  return Array.from(byCustomer.values(), (days) => [...days]);
}

test("the bundled real orders show no dropout at any time of their year", () => {
  const customers = purchaseDays();
  expect(customers.length).toBe(4338);
  for (const day of ["2011-03-01", "2011-06-01", "2011-09-09", "2011-12-10"]) {
    const learned = learnBuying(fromPurchaseDays(customers, Date.parse(day) / 864e5 - 1), 90);
    expect(learned).toMatchObject({ model: "nbd", why: "degenerate_dropout" });
    if (learned.model !== "nbd") continue;
    expect(learned.evidence.likelihoodRatio).toBeLessThan(1);
    expect(learned.evidence.lostShare).toBeLessThan(0.01);
    if (day !== "2011-09-09") continue;
    expect(learned.evidence).toMatchObject({ people: 3362, repeats: 7393 });
    expect(learned.nbd.r).toBeCloseTo(0.724, 3);
    expect(learned.nbd.alpha).toBeCloseTo(65.7, 1);
  }
});
