import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { arm, bucketOf } from "./hash.ts";

type Vector = [seed: string, value: string, version: number, expected: number | null];
const vectors = JSON.parse(
  readFileSync(new URL("../../../test/data/growthbook/hash.json", import.meta.url), "utf8"),
) as { hash: Vector[] };

test.each(vectors.hash)(
  "GrowthBook puts (%j, %j, version %i) at %j",
  (seed, value, version, at) => {
    expect(bucketOf(seed, value, version)).toBe(at);
  },
);

test("all of GrowthBook's vectors are there", () => {
  expect(vectors.hash).toHaveLength(15);
});

test("control is GrowthBook's variation 0, and a greater share holds nobody out who was treated", () => {
  const share = fc.integer({ min: 0, max: 10_000 });
  fc.assert(
    fc.property(fc.string(), fc.string(), share, share, (seed, unit, a, b) => {
      const [less, more] = [Math.min(a, b), Math.max(a, b)];
      const before = arm(seed, unit, { treatedShareBp: less });
      expect(before).toBe(arm(seed, unit, { treatedShareBp: less }));
      expect(before === "control").toBe(
        Math.round(bucketOf(seed, unit, 2)! * 10_000) < 10_000 - less,
      );
      if (before === "treated") expect(arm(seed, unit, { treatedShareBp: more })).toBe("treated");
      expect(arm(seed, unit, { treatedShareBp: 0 })).toBe("control");
      expect(arm(seed, unit, { treatedShareBp: 10_000 })).toBe("treated");
    }),
  );
});

test("four of five are treated, whatever the seed, and two seeds know nothing of each other", () => {
  const units = Array.from({ length: 20_000 }, (_, i) => `person-${i}`);
  const treated = (seed: string, of = units) =>
    of.filter((unit) => arm(seed, unit, { treatedShareBp: 8000 }) === "treated");
  const first = treated("winback-1");
  expect(Math.abs(first.length / units.length - 0.8)).toBeLessThan(0.012);
  expect(Math.abs(treated("winback-2", first).length / first.length - 0.8)).toBeLessThan(0.012);
});

test("a share that is no basis point is refused", () => {
  expect(() => arm("s", "u", { treatedShareBp: 0.8 })).toThrow(RangeError);
  expect(() => arm("s", "u", { treatedShareBp: 10_001 })).toThrow(RangeError);
});
