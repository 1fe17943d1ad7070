// What the log says of companies becomes their profile and who belongs to them; an order is added up for the company of
// its time.
import * as collect from "#collect/service.ts";
import { notTold } from "#collect/rules.ts";
import type { House } from "#kernel/endpoint.ts";
import type { Reaction } from "#kernel/outbox.ts";
import type { TimerKind } from "#kernel/timers.ts";
import { eachPerson, type Slice, type Tx } from "#kernel/sql.ts";
import * as privacy from "#privacy/service.ts";
import { belongingOf } from "./rules.ts";
import * as service from "./service.ts";
import * as views from "./views.ts";

export async function consume(house: House, tx: Tx, slice: Slice): Promise<void> {
  const rows = await views.groupsIn(tx, slice, notTold);
  if (rows.length === 0) return;
  const keys = await privacy.nodeKeys(house, tx, rows);
  await service.tell(
    house,
    tx,
    rows.flatMap((row) => {
      const key = keys.get(row.nodeId);
      if (!key) return [];
      const direct = row.sealed ? collect.openDirect(key, row.nodeId, row.sealed) : {};
      const said = belongingOf(row.name, row.data, direct);
      return said ? [{ ...row, ...said, key }] : [];
    }),
  );
}

const moved = (on: string): Reaction => ({
  on,
  react: (house, tx, events) =>
    service.moved(
      house,
      tx,
      events.map(({ data }) => ({
        company: String(data["company"]),
        segment: String(data["segment"]),
      })),
    ),
});
export const timers: TimerKind[] = [
  {
    kind: service.tagEnds,
    clock: "shop",
    batch: 200,
    ring: (house, tx, due) =>
      service.endTags(
        tx,
        due.map(({ key }) => key),
        house.clocks.shop(),
      ),
  },
];
export const reactions: Reaction[] = [
  moved("segments.company_entered"),
  moved("segments.company_left"),
  {
    on: "orders.recorded",
    react: (house, tx, events) => service.ordered(house, tx, eachPerson(events)),
  },
];
