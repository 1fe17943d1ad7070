// Mails that ask whether an address is really theirs who gave it.
import type { TimerKind } from "#kernel/timers.ts";
import { confirmKind, sendConfirmations, type Mail } from "./service.ts";

/** `mail` is null where no mail can be sent. */
export const timersWith = (mail: Mail | null): readonly TimerKind[] => [
  {
    kind: confirmKind,
    clock: "machine",
    batch: 1, // a mail that is out cannot be rolled back with a neighbour's that failed
    ring: (house, tx, timers) => sendConfirmations(house, tx, timers, mail),
  },
];
