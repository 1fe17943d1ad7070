import fc from "fast-check";
import { expect, test } from "vitest";
import { addDays } from "#kernel/clock.ts";
import { learnFrom, predictionOf, transition, type Buyer } from "./rules.ts";

const zone = "Asia/Shanghai";
const today = "2026-03-01";
const noon = new Date("2026-03-01T04:00:00Z");

/** A shop of regulars: each buys every 10 to 40 days, some stop on the way. */
const shop = (people: number): Buyer[] =>
  Array.from({ length: people }, (_, who) => {
    const every = 10 + (who % 31);
    const start = who % 120;
    const count = 1 + ((who * 7) % 9);
    const days = Array.from({ length: count }, (__, n) => start + n * every + ((who * n) % 5))
      .filter((n) => n < 365)
      .map((n) => addDays("2025-03-01", n));
    return { days, orders: days.length + (who % 2), amountMinor: 1000 * days.length + who };
  });

test("a shop learns from its orders, and says of each customer stage, chance and comparison", () => {
  const buyers = shop(600);
  const learned = learnFrom(buyers, today);
  expect(learned.buying.model).not.toBe("none");
  expect(learned.stages.shop.lostAfterDays).toBeGreaterThan(learned.stages.shop.dormantAfterDays!);
  for (const buyer of buyers) {
    const said = predictionOf(buyer, learned, noon, zone);
    expect(said.outlook!.orderChance).toBeGreaterThanOrEqual(0);
    expect(said.outlook!.orderChance).toBeLessThanOrEqual(1);
    expect("alive" in said.outlook!).toBe(learned.buying.model === "bgnbd");
    expect(said.rfm!.bought.orders).toBe(buyer.orders);
    if (said.stage.stage === "new") expect(buyer.days.length).toBe(1);
  }
});

test("what is learned goes through JSON unchanged, and says the same afterwards", () => {
  const buyers = shop(400);
  const learned = learnFrom(buyers, today, new Map([["tea", buyers.map((buyer) => buyer.days)]]));
  const again = JSON.parse(JSON.stringify(learned)) as typeof learned;
  for (const buyer of buyers.slice(0, 50)) {
    const tea = { ...buyer, category: "tea" };
    expect(predictionOf(tea, again, noon, zone)).toEqual(predictionOf(tea, learned, noon, zone));
  }
});

test("the days after today teach nothing", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 200 }), (more) => {
      const buyers = shop(200);
      const later = buyers.map((buyer) => ({
        ...buyer,
        days: [...buyer.days, addDays(today, more)],
      }));
      const learned = learnFrom(buyers, today);
      expect(learnFrom(later, today)).toEqual(learned);
      const past = new Date("2026-02-28T12:00:00Z");
      expect(predictionOf(later[7]!, learned, past, zone)).toEqual(
        predictionOf(buyers[7]!, learned, past, zone),
      );
    }),
    { numRuns: 5 },
  );
});

test("from an empty shop nothing is learned and little is said", () => {
  const learned = learnFrom([], today);
  expect(learned).toMatchObject({ buying: { model: "none" }, rfmCuts: undefined });
  const first = { days: ["2026-02-28"], orders: 1, amountMinor: 100 };
  const said = predictionOf(first, learned, noon, zone);
  expect(said).toMatchObject({ stage: { stage: "new" }, outlook: undefined, rfm: undefined });
});

test("a change of stage is one line in the log, no change is none", () => {
  const learned = learnFrom(shop(600), today);
  const days = ["2025-06-01", "2025-06-20"];
  const after = predictionOf({ days, orders: 2, amountMinor: 1 }, learned, noon, zone).stage;
  expect(after.stage).toBe("lost");
  expect(transition("lost", after)).toBeUndefined();
  expect(transition("dormant", after)).toEqual({
    from: "dormant",
    to: "lost",
    sinceDay: after.sinceDay,
  });
  expect(transition(undefined, after)).toMatchObject({ from: undefined, to: "lost" });
});
