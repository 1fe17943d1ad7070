import { expect, test } from "vitest";
import { world } from "../../test/database.ts";
import { machineNow } from "./clock.ts";
import { shopClock } from "./shop-clock.ts";

test("a new shop's clock is the machine's; a hand moves it forward, never back, for every process", async () => {
  await using shop = await world();
  const clock = await shopClock(shop.sql);
  expect(clock.isReal()).toBe(true);
  expect(Math.abs(clock.now().getTime() - machineNow().getTime())).toBeLessThan(5_000);
  const september = new Date("2011-09-08T23:00:00Z");
  const other = await shopClock(shop.sql);
  await clock.move(september);
  expect([clock.now(), clock.isReal()]).toEqual([september, false]);
  expect(other.isReal()).toBe(true);
  await other.refresh();
  expect(other.now()).toEqual(september);
  await clock.move(new Date("2011-09-01T00:00:00Z"));
  expect(clock.now()).toEqual(september);
  await clock.move(new Date("2011-12-10T00:00:00Z"));
  expect(clock.now()).toEqual(new Date("2011-12-10T00:00:00Z"));
  // One that starts later finds the hand where it stands.
  expect((await shopClock(shop.sql)).now()).toEqual(new Date("2011-12-10T00:00:00Z"));
});

test("it is handed to real time by one act", async () => {
  await using shop = await world();
  const clock = await shopClock(shop.sql);
  await clock.move(new Date("2011-09-08T23:00:00Z"));
  await clock.toReal();
  expect(clock.isReal()).toBe(true);
  expect(await shop.sql`select mode, at from shop_clock`).toEqual([{ mode: "real", at: null }]);
});
