// What a caller can ask of orders. A line comes in through the log like every other event, and is an order from there.
import * as catalog from "#catalog/service.ts";
import * as collect from "#collect/service.ts";
import type { House } from "#kernel/endpoint.ts";
import { emitAll } from "#kernel/outbox.ts";
import type { PersonKey, Tx } from "#kernel/sql.ts";
import { nobody } from "#kernel/ids.ts";
import * as people from "#people/service.ts";
import { recorded } from "./events.ts";
import type { Line } from "./rules.ts";
import * as store from "./store.ts";

/** A line as an event of the log. `key` is what the source knows it by: the same key again is the same line. */
export const lineEvent = (key: string, { at, customer, data }: Line): collect.Incoming => ({
  key,
  name: "Order Line",
  at,
  data,
  ...(customer === "" ? {} : { sender: { type: "user_id" as const, value: customer } }),
});

/** Folds a slice of the log into lines, orders, products and what each person's orders come to. */
export async function record(house: House, tx: Tx, slice: store.Slice): Promise<void> {
  const added = await store.addLines(tx, slice);
  if (added.count === 0) return;
  await catalog.learn(tx, slice);
  const orders = await store.addOrders(tx, slice, house.clocks.timeZone);
  if (orders.length > 0) await store.addRefs(tx, orders);
  const known = orders.filter(({ personId }) => personId !== nobody);
  await know(house, tx, slice, known);
  await emitAll(
    house,
    tx,
    recorded,
    known.map(({ bucket, personId, ref, kind, at, day, amountMinor, eventId }) => ({
      person: { bucket, personId },
      data: {
        ref,
        kind,
        at: at.toISOString(),
        day,
        amountMinor: String(amountMinor),
        eventId,
      },
    })),
  );
}

async function know(house: House, tx: Tx, slice: store.Slice, orders: PersonKey[]): Promise<void> {
  const touched = [
    ...new Map(orders.map(({ bucket, personId }) => [personId, { bucket, personId }])).values(),
  ];
  if (touched.length === 0) return;
  const facts = await store.factsOf(tx, touched);
  const rows = facts.flatMap((f): people.AttributeChange[] => {
    const person = { bucket: f.bucket, personId: f.personId };
    const said: Record<string, unknown> = {
      orders: f.orders,
      refunds: f.refunds,
      purchase_days: f.purchaseDays,
      items: Number(f.items),
      spent_minor: Number(f.spentMinor),
      refunded_minor: Number(f.refundedMinor),
      currency: f.currency,
      ...(f.firstAt ? { first_order_at: f.firstAt.toISOString() } : {}),
      ...(f.lastAt ? { last_order_at: f.lastAt.toISOString(), last_event: f.lastEvent } : {}),
    };
    const at = f.seenAt;
    return Object.entries(said).map(([name, value]) => ({
      person,
      name,
      value,
      source: "orders",
      at,
    }));
  });
  for (const { country, at, ...person } of await store.countriesOf(tx, slice))
    rows.push({ person, name: "country", value: country, source: "orders", at });
  await people.setAttributes(tx, rows, house.clocks.shop());
}

export const erase = store.eraseRows;
