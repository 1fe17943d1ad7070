// What is learned and picked, at a wish or on a schedule. Nothing dated at or after the shop's clock is read.
import { dayOf } from "#kernel/clock.ts";
import type { House } from "#kernel/endpoint.ts";
import type { PersonKey } from "#kernel/sql.ts";
import * as service from "./service.ts";
import * as store from "./store.ts";
import * as views from "./views.ts";

/** Learns from everything bought before the shop's clock. */
export const fit = (house: House): Promise<store.Fit> =>
  house.sql.begin(async (tx) => {
    const now = house.clocks.shop();
    const { timeZone } = house.clocks;
    const bought = await views.purchases(tx, now, timeZone);
    return service.fit(house, tx, { bought, now, today: dayOf(now, timeZone) });
  });

const peopleAtOnce = 1000;
/** Picks up to `k` goods for each of these people from the latest fit; learns first where there is none. Says how many. */
export async function pick(house: House, people: readonly PersonKey[], k: number): Promise<number> {
  const now = house.clocks.shop();
  const { timeZone } = house.clocks;
  const today = dayOf(now, timeZone);
  let learned = await store.latestFit(house.sql, now);
  if (!learned) {
    await fit(house);
    learned = (await store.latestFit(house.sql, now))!;
  }
  let picked = 0;
  for (let i = 0; i < people.length; i += peopleAtOnce) {
    const some = people.slice(i, i + peopleAtOnce);
    picked += await house.sql.begin(async (tx) => {
      const bought = await views.purchases(tx, now, timeZone, some);
      return service.pick(house, tx, some, { bought, fit: learned, now, today, k });
    });
  }
  return picked;
}
