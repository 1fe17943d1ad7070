import fc from "fast-check";
import { expect, test } from "vitest";
import { addDays, dayOf, daysBetween } from "#kernel/clock.ts";
import {
  gapsOf,
  learn,
  levels,
  stageOf,
  stages,
  thresholdsFor,
  type Thresholds,
} from "./lifecycle.ts";

const zone = "Europe/London";
const noon = (day: string) => new Date(`${day}T12:00:00Z`);
const day = (n: number) => addDays("2010-01-01", n);
const today = day(400);

/** Distinct ascending days before day 400, as many customers as asked for. */
const purchases = fc
  .uniqueArray(fc.integer({ min: 0, max: 399 }), { minLength: 1, maxLength: 15 })
  .map((numbers) => numbers.toSorted((a, b) => a - b).map(day));
const shop = fc.array(purchases, { minLength: 80, maxLength: 200 });

test("every purchase but the first closes a gap, every customer has one open, and today is not read", () => {
  fc.assert(
    fc.property(shop, (customers) => {
      const { all, first } = gapsOf(customers, today);
      const sum = (counts: Float64Array) => counts.reduce((total, n) => total + n, 0);
      expect(sum(all.open)).toBe(customers.length);
      expect(sum(all.closed)).toBe(customers.reduce((n, days) => n + days.length - 1, 0));
      expect(sum(first.closed) + sum(first.open)).toBe(customers.length);
      const later = customers.map((days) => [...days, today, day(500)]);
      expect(gapsOf(later, today)).toEqual({ all, first });
    }),
    { numRuns: 30 },
  );
});

test("an open gap lasts to the end of yesterday", () => {
  const { all } = gapsOf([[day(0), day(7)]], day(10));
  expect(all.closed[7]).toBe(1);
  expect(all.open[2]).toBe(1); // days 8 and 9 passed without a purchase; day 10 has only begun
  expect(gapsOf([[day(9)]], day(10)).first.open[0]).toBe(1);
});

test("who comes back on a rhythm: thresholds follow it, twice as slow gives twice as long", () => {
  // Everybody returns after 1 … 10 days in turn, until a day from which they stay away.
  const rhythm = (slow: number) =>
    Array.from({ length: 400 }, (_, who) => {
      const days = [who % 40];
      while (days.length < 1 + (who % 7))
        days.push(days.at(-1)! + slow * (1 + ((who + days.length) % 10)));
      return days.map(day);
    });
  const quick = learn(gapsOf(rhythm(1), today)).shop;
  const slow = learn(gapsOf(rhythm(2), today)).shop;
  // Of gaps of 1 … 10 days four in five end within about 8, nearly all within 10.
  expect([7, 8, 9]).toContain(quick.dormantAfterDays);
  expect(quick.lostAfterDays).toBeGreaterThan(quick.dormantAfterDays!);
  expect(quick.lostAfterDays).toBeLessThanOrEqual(10);
  expect(slow.dormantAfterDays).toBe(2 * quick.dormantAfterDays!);
  expect(quick.newForDays).toBeLessThanOrEqual(6);
});

test("a young shop calls nobody lost: its longest watch is too short to know", () => {
  // One purchase every 20 days or so, watched for 30: most are still out.
  const young = Array.from({ length: 300 }, (_, who) =>
    [0, 12 + (who % 18)].slice(0, 1 + (who % 2)).map(day),
  );
  const { shop: found } = learn(gapsOf(young, day(30)));
  expect(found.lostAfterDays).toBeUndefined();
  const said = stageOf([day(0)], found, noon(day(29)), zone);
  expect(said.stage).not.toBe("lost");
});

test("with too few gaps nothing is learned: one purchase is new, more are active, and time changes nothing", () => {
  const { shop: found } = learn(gapsOf([[day(0), day(3)], [day(1)]], today));
  expect(found).toMatchObject({
    newForDays: undefined,
    dormantAfterDays: undefined,
    lostAfterDays: undefined,
  });
  expect(stageOf([day(1)], found, noon(today), zone)).toMatchObject({
    stage: "new",
    nextChangeAt: undefined,
  });
  expect(stageOf([day(0), day(3)], found, noon(today), zone)).toMatchObject({
    stage: "active",
    sinceDay: day(3),
  });
});

test("a category has its own thresholds only with gaps enough; any other takes the shop's", () => {
  const steady = (people: number, every: number) =>
    Array.from({ length: people }, (_, who) =>
      [0, 1, 2, 3].map((n) => day((who % 50) + n * (every + (who % 5)))),
    );
  const learned = learn(
    gapsOf(steady(300, 30), today),
    new Map([
      ["tea", gapsOf(steady(100, 10), today)],
      ["rare", gapsOf(steady(20, 3), today)],
      ["__proto__", gapsOf(steady(100, 10), today)],
    ]),
  );
  expect(thresholdsFor(learned, "tea")).toMatchObject({ from: { category: "tea" } });
  expect(thresholdsFor(learned, "tea").dormantAfterDays).toBeLessThan(
    learned.shop.dormantAfterDays!,
  );
  for (const other of ["rare", "never seen", "toString", undefined])
    expect(thresholdsFor(learned, other)).toBe(learned.shop);
  expect(thresholdsFor(learned, "__proto__").from).toEqual({ category: "__proto__" });
  expect(JSON.parse(JSON.stringify(learned))).toEqual(learned);
});

const curve = { back: [0, 0.1, 0.2, 0.3], watchedDays: 3, closed: 100, open: 10 };
const thresholds = fc
  .tuple(fc.integer({ min: 0, max: 60 }), fc.nat(60), fc.integer({ min: 1, max: 90 }))
  .map(([newForDays, more, evenMore]): Thresholds => ({
    newForDays,
    dormantAfterDays: newForDays + more,
    lostAfterDays: newForDays + more + evenMore,
    from: "shop",
    curve,
  }));

test("by time alone a stage only moves on, exactly at the instant foretold, and never before", () => {
  fc.assert(
    fc.property(purchases, thresholds, fc.nat(300), (days, found, later) => {
      // Across both changes of the clock in London.
      let now = noon(addDays(days.at(-1)!, later));
      let said = stageOf(days, found, now, zone);
      for (let steps = 0; said.nextChangeAt && steps < 5; steps += 1) {
        expect(said.nextChangeAt.getTime()).toBeGreaterThan(now.getTime());
        const justBefore = new Date(said.nextChangeAt.getTime() - 1);
        expect(stageOf(days, found, justBefore, zone).stage).toBe(said.stage);
        const next = stageOf(days, found, said.nextChangeAt, zone);
        expect(stages.indexOf(next.stage)).toBeGreaterThan(stages.indexOf(said.stage));
        expect(next.sinceDay).toBe(dayOf(said.nextChangeAt, zone));
        now = said.nextChangeAt;
        said = next;
      }
      expect(said.stage).toBe("lost");
    }),
  );
});

test("a stage began no later than today and no earlier than the first purchase; its numbers are those of the day", () => {
  fc.assert(
    fc.property(purchases, thresholds, fc.nat(300), (days, found, later) => {
      const at = addDays(days.at(-1)!, later);
      const { stage, sinceDay, why } = stageOf(days, found, noon(at), zone);
      expect(sinceDay >= days[0]! && sinceDay <= at).toBe(true);
      expect(why.silentDays).toBe(later);
      expect(why.purchaseDays).toBe(days.length);
      if (stage === "new") expect(days.length).toBe(1);
      expect(stage === "lost").toBe(later > found.lostAfterDays!);
      expect(stage === "dormant" || stage === "lost").toBe(later > found.dormantAfterDays!);
      // The stage that began on that day was not there the day before.
      if (sinceDay > days[0]! && (stage === "dormant" || stage === "lost"))
        expect(stageOf(days, found, noon(addDays(sinceDay, -1)), zone).stage).not.toBe(stage);
    }),
  );
});

test("a purchase after a long silence makes active again, since that day, and says so", () => {
  const found: Thresholds = {
    newForDays: 20,
    dormantAfterDays: 30,
    lostAfterDays: 90,
    from: "shop",
    curve,
  };
  const days = [day(0), day(10), day(100), day(105)];
  expect(stageOf(days.slice(0, 2), found, noon(day(50)), zone)).toMatchObject({
    stage: "dormant",
    sinceDay: day(41),
  });
  expect(stageOf(days, found, noon(day(110)), zone)).toMatchObject({
    stage: "active",
    sinceDay: day(100),
    why: { cameBackAfterDays: 90, silentDays: 5 },
  });
  // What had not happened yet is not known.
  expect(stageOf(days, found, noon(day(50)), zone)).toEqual(
    stageOf(days.slice(0, 2), found, noon(day(50)), zone),
  );
  expect(daysBetween(day(0), day(10))).toBe(10);
  expect(levels.dormant).toBeLessThan(levels.lost);
});
