// The shop's clock, kept where every process sees it: it follows the machine's, or stands where a hand put it.
import { machineNow } from "./clock.ts";
import type { Sql } from "./sql.ts";

export type ShopClock = {
  now: () => Date;
  isReal: () => boolean;
  /** Reads again what another process may have changed. */
  refresh: () => Promise<void>;
  /** Puts the hand to an instant; never back. */
  move: (to: Date) => Promise<void>;
  /** Hands it over to real time: one act, and the last. */
  toReal: () => Promise<void>;
};

export async function shopClock(sql: Sql): Promise<ShopClock> {
  let hand: Date | null = null;
  const refresh = async () => {
    const [row] = await sql<{ at: Date | null }[]>`select at from shop_clock`;
    hand = row?.at ?? null;
  };
  await refresh();
  return {
    now: () => hand ?? machineNow(),
    isReal: () => hand === null,
    refresh,
    move: async (to) => {
      // The hand only goes forward: what happened at a later time would lie in the future again.
      await sql`
        update shop_clock set mode = 'hand', at = ${to} where at is null or at <= ${to}`;
      await refresh();
    },
    toReal: async () => {
      await sql`update shop_clock set mode = 'real', at = null`;
      await refresh();
    },
  };
}
