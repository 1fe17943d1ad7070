import { expect, test } from "vitest";
import { arm } from "./hash.ts";
import { sampleRatio } from "./srm.ts";

test("a split as asked for is quiet, a lost tenth of one arm is an alarm", () => {
  expect(sampleRatio(803, 197, 8000).alarm).toBe(false);
  expect(sampleRatio(8000, 1800, 8000)).toMatchObject({ treatedBp: 8163, alarm: true });
});

test("Pearson's chi-square of 821 and 179 at four to one is 2.75625, p .09688", () => {
  expect(sampleRatio(821, 179, 8000).p).toBeCloseTo(0.09688, 4);
});

test("of 1,000 honest assignments, at most a handful ring", () => {
  let alarms = 0;
  for (let seed = 0; seed < 1000; seed++) {
    let treated = 0;
    for (let i = 0; i < 500; i++)
      if (arm(`split-${seed}`, `p${i}`, { treatedShareBp: 8000 }) === "treated") treated++;
    if (sampleRatio(treated, 500 - treated, 8000).alarm) alarms++;
  }
  expect(alarms).toBeLessThanOrEqual(5);
});

test("nobody at all, and shares that leave nothing to chance", () => {
  expect(sampleRatio(0, 0, 8000)).toMatchObject({ p: 1, alarm: false });
  expect(sampleRatio(10, 0, 10_000).alarm).toBe(false);
  expect(sampleRatio(9, 1, 10_000).alarm).toBe(true);
});
