import fc from "fast-check";
import { expect, test } from "vitest";
import { meanInterval, rateInterval } from "./bootstrap.ts";
import { arm } from "./hash.ts";
import { below, generator } from "./random.ts";

const counts = fc
  .integer({ min: 0, max: 3000 })
  .chain((people) => fc.record({ people: fc.constant(people), did: fc.nat(people) }));

test("the interval holds the figure seen, has width, and turns round with the arms", () => {
  fc.assert(
    fc.property(counts, counts, (one, zero) => {
      const { difference, low, high } = rateInterval(one, zero);
      expect(low).toBeLessThanOrEqual(difference);
      expect(high).toBeGreaterThanOrEqual(difference);
      expect(high - low).toBeGreaterThan(0);
      const turned = rateInterval(zero, one);
      expect(turned.low).toBeCloseTo(-high, 6);
      expect(turned.high).toBeCloseTo(-low, 6);
    }),
    { numRuns: 200 },
  );
});

test("the exact distribution is what endless resampling comes to", () => {
  const next = generator("check");
  const draw = (n: number, rate: number) => {
    let did = 0;
    for (let i = 0; i < n; i++) if (next() < rate * 0x1_0000_0000) did++;
    return did / n;
  };
  const differences = Float64Array.from(
    { length: 20_000 },
    () => draw(162, 61 / 162) - draw(42, 21 / 42), // 60 of 160 and 20 of 40, one more of each kind
  ).sort();
  const { low, high } = rateInterval({ people: 160, did: 60 }, { people: 40, did: 20 });
  expect(low).toBeCloseTo(differences[500]!, 1.7);
  expect(high).toBeCloseTo(differences[19_500]!, 1.7);
});

test("a million people are no slower", () => {
  const { low, high } = rateInterval(
    { people: 800_000, did: 80_400 },
    { people: 200_000, did: 20_000 },
  );
  const error = Math.sqrt((0.1005 * 0.8995) / 800_000 + (0.1 * 0.9) / 200_000);
  expect(low).toBeCloseTo(0.0005 - 1.959964 * error, 5);
  expect(high).toBeCloseTo(0.0005 + 1.959964 * error, 5);
});

test("more returners than people are refused", () => {
  expect(() => rateInterval({ people: 3, did: 4 }, { people: 3, did: 1 })).toThrow(RangeError);
  expect(() => rateInterval({ people: 3, did: 1.5 }, { people: 3, did: 1 })).toThrow(RangeError);
});

/** A fixed list of people of whom six in ten spend nothing and a few spend very much. */
const purses = (people: number): number[] => {
  const next = generator("purses");
  return Array.from({ length: people }, () => {
    if (below(next, 10) < 6) return 0;
    let bell = 0;
    for (let i = 0; i < 12; i++) bell += next() / 0x1_0000_0000;
    return Math.round(20_000 * Math.exp(1.1 * (bell - 6)));
  });
};

test("spending: the interval misses a difference of nothing in about one of twenty assignments", () => {
  const people = purses(1000);
  let missed = 0;
  for (let seed = 0; seed < 300; seed++) {
    const of = (side: string) =>
      people.filter((_, i) => arm(`aa-${seed}`, `p${i}`, { treatedShareBp: 8000 }) === side);
    const interval = meanInterval(of("treated"), of("control"), { seed: "s", resamples: 400 })!;
    if (interval.low > 0 || interval.high < 0) missed++;
  }
  expect(missed).toBeLessThanOrEqual(25); // 8.3 %; 300 at 5 % exceed it once in 200
  expect(missed).toBeGreaterThanOrEqual(5);
});

test("spending: one seed, one interval, whatever the order of people", () => {
  const people = purses(600);
  const [one, zero] = [people.slice(0, 450), people.slice(450)];
  const interval = meanInterval(one, zero, { seed: "a" })!;
  expect(meanInterval(one.toReversed(), zero.toReversed(), { seed: "a" })).toEqual(interval);
  expect(meanInterval(one, zero, { seed: "b" })).not.toEqual(interval);
  expect(interval.low).toBeLessThan(interval.difference);
  expect(interval.high).toBeGreaterThan(interval.difference);
});

test("spending: with a handful of buyers there is no interval", () => {
  const few = [...Array.from({ length: 200 }, () => 0), 5, 9, 12];
  expect(meanInterval(few, purses(500), { seed: "a" })).toBeNull();
  expect(meanInterval([], [], { seed: "a" })).toBeNull();
});
