import { expect, test } from "vitest";
import { consume } from "#collect/jobs.ts";
import * as collect from "#collect/service.ts";
import * as orders from "#orders/jobs.ts";
import { lineEvent } from "#orders/service.ts";
import * as people from "#people/service.ts";

import { world, type World } from "../../test/database.ts";
import * as service from "./service.ts";

const customers = Array.from({ length: 120 }, (_, i) => String(20_000 + i));
/** People of the till by their own numbers, each with one order. */
async function keysOf({ house, sql }: World, who: string[]) {
  const source = await collect.sourceNamed(house, sql, "till", "server");
  const line = { kind: "sale" as const, sku: "A", name: "Tea", quantity: 1, unitPrice: 25_000 };
  const events = who.map((customer) => {
    const data = { ...line, order: customer, amountMinor: 250, currency: "CNY", goods: true };
    return lineEvent(customer, { at: new Date("2026-01-01T00:00:00Z"), customer, data });
  });
  await house.sql.begin((tx) => collect.accept(house, tx, source as never, events));
  while ((await consume(house, [orders.consume])) > 0);
  const keys = [];
  for (const customer of who)
    keys.push((await people.byIdentifier(house, sql, "user_id", customer, source.id))!);
  return keys;
}
const asked = { series: "tea", number: 1, seed: "leaf", treatedShareBp: 8000 };
const window = {
  from: new Date("2026-01-02T00:00:00Z"),
  until: new Date("2026-02-02T00:00:00Z"),
  currency: "CNY",
};

test("a shop's own numbers and the seed give the arms: other ids, another order, the same arms", async () => {
  const arms = async (who: string[]) => {
    await using shop = await world();
    const keys = await keysOf(shop, who);
    return shop.sql.begin(async (tx) => {
      const design = await service.define(tx, shop.house, asked);
      const given = await service.assign(tx, shop.house, design, keys);
      expect(await service.assign(tx, shop.house, design, keys.slice(0, 5))).toEqual(given);
      // The number that was hashed stands nowhere in clear.
      const rows = await tx`select a::text as line from experiments_assignment a`;
      expect(rows.some((row) => who.some((id) => String(row["line"]).includes(`,${id},`)))).toBe(
        false,
      );
      return Object.fromEntries(who.map((id, i) => [id, given.get(keys[i]!.personId)]));
    });
  };
  const first = await arms(customers);
  expect(await arms(customers.toReversed())).toEqual(first);
  expect(new Set(Object.values(first))).toEqual(new Set(["treated", "control"]));
});

test("a design stays as it was written, and a run is measured and decided once", async () => {
  await using shop = await world();
  const { house, sql } = shop;
  const keys = await keysOf(shop, customers);
  await sql.begin(async (tx) => {
    const design = await service.define(tx, house, asked);
    shop.clock.shop = new Date("2026-04-01T00:00:00Z");
    expect(await service.define(tx, house, { ...asked, seed: "other" })).toEqual(design);
    const arms = await service.assign(tx, house, design, keys);
    const outcomes = keys.map((key, i) => {
      const orders = i % 3 === 0 ? 1 : 0;
      const arm = arms.get(key.personId)!;
      return {
        ...key,
        arm,
        orders,
        revenueMinor: BigInt(orders * 250),
        firstEventId: null,
        firstAt: null,
      };
    });
    const result = await service.measure(tx, house, design.id, window, outcomes);
    if (!result.ok) throw new Error(result.code);
    const { treated, control } = result.value.report.primary;
    expect(treated.people + control.people).toBe(120);
    expect(treated.returned + control.returned).toBe(40);
    const decision = await service.decide(tx, house, design.id);
    // A second look would be a second test.
    const other = outcomes.map((one) => ({ ...one, orders: 1 }));
    expect(await service.measure(tx, house, design.id, window, other)).toMatchObject({
      ok: true,
      value: { id: result.value.id, report: result.value.report },
    });
    expect(await service.decide(tx, house, design.id)).toMatchObject({
      ok: true,
      value: { id: decision.ok ? decision.value.id : "" },
    });
  });
  const denied = sql`update experiments_experiment set seed = 'better'`;
  await expect(denied).rejects.toThrow(/permission denied/);
});

test("the same result after two different pasts is two different advices", async () => {
  await using shop = await world();
  const { house, sql } = shop;
  const keys = await keysOf(shop, customers);
  /** One run in which a third of either arm came back. */
  const run = (series: string, number: number) =>
    sql.begin(async (tx) => {
      const seed = `leaf/${number}`;
      const design = await service.define(tx, house, {
        series,
        number,
        seed,
        treatedShareBp: 5000,
      });
      const arms = await service.assign(tx, house, design, keys);
      const seen = { treated: 0, control: 0 };
      const outcomes = keys.map((key) => {
        const arm = arms.get(key.personId)!;
        const orders = seen[arm]++ % 3 === 0 ? 1 : 0;
        return { ...key, arm, orders, revenueMinor: 0n, firstEventId: null, firstAt: null };
      });
      await service.measure(tx, house, design.id, window, outcomes);
      const decision = await service.decide(tx, house, design.id);
      if (!decision.ok) throw new Error(decision.code);
      return decision.value.decision;
    });
  expect(await run("tea", 1)).toMatchObject({ advice: "repeat", evidence: { runs: 1 } });
  expect(await run("tea", 2)).toMatchObject({ advice: "repeat", evidence: { runs: 2 } });
  const third = await run("tea", 3);
  expect(third).toMatchObject({ advice: "change", because: "three_runs_nothing" });
  expect(await run("coffee", 1)).toMatchObject({ advice: "repeat", because: "not_clear_yet" });
  expect(third.evidence.controlPeople).toBeGreaterThan(30);
  expect(third.evidence.detectableBp).toBeGreaterThan(0);
});
