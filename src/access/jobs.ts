import type { House } from "#kernel/endpoint.ts";
import { setTimers, type TimerKind } from "#kernel/timers.ts";
import { answerResets, resetKind, sweep, type Mail } from "./service.ts";

const sweepKind = "access.sweep";
const sweepEveryMs = 3_600_000;
const nextSweep = (house: House) => ({
  kind: sweepKind,
  key: "",
  dueAt: new Date(house.clocks.machine().getTime() + sweepEveryMs),
});
/** At start: the first sweep; each sets the next. */
export const schedule = (house: House): Promise<void> =>
  house.sql.begin((tx) => setTimers(tx, [nextSweep(house)]));

/** `mail` is null where no mail can be sent: then a reset waits until a colleague makes the link. */
export const timersWith = (mail: Mail | null): readonly TimerKind[] => [
  {
    kind: resetKind,
    clock: "machine",
    batch: 1, // a mail that is out cannot be rolled back with a neighbour's that failed
    ring: (house, tx, timers) => answerResets(house, tx, timers, mail),
  },
  {
    kind: sweepKind,
    clock: "machine",
    batch: 1,
    ring: async (house, tx) => {
      await sweep(house);
      await setTimers(tx, [nextSweep(house)]);
    },
  },
];
