import { expect, test } from "vitest";
import { below, generator } from "./random.ts";

const draws = (seed: string, n: number) => {
  const next = generator(seed);
  return Array.from({ length: n }, next);
};

test("a seed is the whole of chance: equal seeds draw alike, near seeds do not", () => {
  expect(draws("winback-1", 100)).toEqual(draws("winback-1", 100));
  const other = new Set(draws("winback-2", 1000));
  expect(draws("winback-1", 1000).filter((draw) => other.has(draw))).toEqual([]);
  expect(new Set(draws("", 1000)).size).toBeGreaterThan(998);
});

test("every number below n comes as often as any other", () => {
  const next = generator("dice");
  const seen = Array.from({ length: 6 }, () => 0);
  for (let i = 0; i < 60_000; i++) seen[below(next, 6)]!++;
  const square = seen.reduce((sum, n) => sum + (n - 10_000) ** 2 / 10_000, 0);
  expect(square).toBeLessThan(20.5); // chi-square, 5 degrees of freedom, p = .001
});
