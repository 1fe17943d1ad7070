import type { TimerKind } from "#kernel/timers.ts";
import * as service from "./service.ts";

export const timers: TimerKind[] = [
  {
    kind: "offers.expire",
    clock: "shop",
    batch: 500,
    ring: (house, tx, due) =>
      service.expire(
        tx,
        house.clocks.shop(),
        due.map(({ bucket, personId, key }) => ({ bucket, personId, id: key })),
      ),
  },
];
