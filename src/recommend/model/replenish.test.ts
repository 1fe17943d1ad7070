import { expect, test } from "vitest";
import { histories, isoDay, type History } from "./history.ts";
import { due, fitReplenish } from "./replenish.ts";

const today = 15_300;
/** 40 people buy coffee every 30 days, soap as each of them uses it up, and a lamp once. */
const people: History[] = histories(
  Array.from({ length: 40 }, (_, i) => {
    const personId = `p${i}`;
    const coffee = Array.from({ length: 9 }, (_, n) => today - 1 - i - n * 30);
    const soap = Array.from({ length: 5 }, (_, n) => today - 1 - i - n * (10 + i));
    return [
      ...soap.map((day) => ({ personId, sku: "soap", day: isoDay(day) })),
      ...coffee.map((day) => ({ personId, sku: "coffee", day: isoDay(day) })),
      { personId, sku: "lamp", day: isoDay(today - 120 - i) },
    ];
  }).flat(),
);
const model = fitReplenish(people, { today, horizonDays: 60 });

test("coffee is due a month after the last one, for a new drinker too", () => {
  const known = due(model, { sku: "coffee", days: [today - 90, today - 60, today - 30] }, today);
  expect(known).toMatchObject({ times: 3, lastDay: today - 30, usualGapDays: 30, dueDay: today });
  const fresh = due(model, { sku: "coffee", days: [today - 30] }, today);
  expect(Math.abs(fresh.dueDay - today)).toBeLessThanOrEqual(1);
  for (const { earliestDay, dueDay, latestDay } of [known, fresh]) {
    expect(earliestDay).toBeLessThanOrEqual(dueDay);
    expect(latestDay).toBeGreaterThanOrEqual(dueDay);
  }
});

test("somebody with a rhythm of their own is expected by it", () => {
  const gap = (every: number) => {
    const days = Array.from({ length: 6 }, (_, n) => today - 500 + n * every);
    return due(model, { sku: "soap", days }, today).usualGapDays;
  };
  const anybody = due(model, { sku: "soap", days: [today - 30] }, today).usualGapDays;
  expect(gap(10)).toBeGreaterThanOrEqual(10);
  expect(gap(10)).toBeLessThan(anybody);
  expect(gap(80)).toBeLessThanOrEqual(80);
  expect(gap(80)).toBeGreaterThan(anybody);
});

test("what people buy again is likelier than what nobody does", () => {
  const chance = (sku: string) => due(model, { sku, days: [today - 40] }, today).chance;
  expect(chance("coffee")).toBeGreaterThan(2 * chance("lamp"));
  expect(chance("coffee")).toBeGreaterThan(chance("never seen"));
});

test("a shop without a past still answers with plain numbers", () => {
  const empty = fitReplenish([], { today, horizonDays: 91 });
  expect(JSON.parse(JSON.stringify(empty))).toEqual(empty);
  const first = due(empty, { sku: "constructor", days: [today - 10] }, today);
  expect(first.usualGapDays).toBe(30);
  expect(first.chance > 0 && first.chance < 1).toBe(true);
});
