// What a caller can ask of orders. A line comes in through the log like every other event, and is an order from there.
import * as catalog from "#catalog/service.ts";
import * as collect from "#collect/service.ts";
import type { House } from "#kernel/endpoint.ts";
import { emitAll } from "#kernel/outbox.ts";
import { eachPerson, type PersonKey, type Slice, type Tx } from "#kernel/sql.ts";
import { nobody } from "#kernel/ids.ts";
import { dropAttributes, setAttributes, type AttributeChange } from "#people/service.ts";
import { dayOf } from "#kernel/clock.ts";
import { recorded } from "./events.ts";
import { foldOrder, type Line, type Lined, type Worked } from "./rules.ts";
import * as store from "./store.ts";

/** A line as an event of the log. `key` is what the source knows it by: the same key again is the same line. */
export const lineEvent = (key: string, { at, customer, data }: Line): collect.Incoming => ({
  key,
  name: "Order Line",
  at,
  data,
  ...(customer === "" ? {} : { sender: { type: "user_id" as const, value: customer } }),
});

/**
 * Folds a slice of the log into lines, orders, products and what each person's orders come to. Lines add up; an order
 * that is told whole is worked out anew from everything said of it.
 */
export async function record(house: House, tx: Tx, slice: Slice): Promise<void> {
  await catalog.learn(house, tx, slice);
  const held = await store.holdRefs(tx, slice);
  const told = await store.addTold(tx, slice);
  if (held.count === 0) return;
  const { currency } = house.settings;
  await store.addLines(tx, slice, currency);
  const lined = await store.addOrders(tx, slice, { timeZone: house.clocks.timeZone, currency });
  const whole = uniqueRefs([
    ...told.filter(({ ref }) => ref !== ""),
    ...(await store.linesOfTold(tx, slice)),
  ]);
  const worked = await workOut(house, tx, whole);
  const isWhole = new Set(whole.map(refKey));
  const orders = [...lined.filter((order) => !isWhole.has(refKey(order))), ...worked.orders];
  const known = orders.filter(({ personId }) => personId !== nobody);
  await know(house, tx, [...known, ...worked.touched], await store.countriesOf(tx, slice));
  await tell(house, tx, [...known, ...worked.gone]);
}

const refKey = ({ sourceId, ref }: store.Ref) => `${sourceId} ${ref}`;
const uniqueRefs = (refs: readonly store.Ref[]): store.Ref[] => [
  ...new Map(
    refs.map(({ sourceId, ref }) => [refKey({ sourceId, ref }), { sourceId, ref }]),
  ).values(),
];

type WorkedOut = { orders: store.Recorded[]; touched: PersonKey[]; gone: store.Recorded[] };
/** Works these orders out anew: `orders` is what they come to, `gone` whose order counts for nothing any more. */
async function workOut(house: House, tx: Tx, refs: readonly store.Ref[]): Promise<WorkedOut> {
  if (refs.length === 0) return { orders: [], touched: [], gone: [] };
  const before = await store.partsOf(tx, refs);
  const lined = new Map((await store.linedOf(tx, refs)).map((row) => [refKey(row), row]));
  const told = Map.groupBy(await store.toldOf(tx, refs), refKey);
  const rows: (Worked & store.Ref)[] = [];
  const cancelled = new Map<string, store.ToldRow>();
  for (const { sourceId, ref } of refs) {
    const key = refKey({ sourceId, ref });
    const own = told.get(key) ?? [];
    const order = foldOrder(own, linedBy(lined.get(key)));
    rows.push(...order.lines.map((line) => ({ ...line, sourceId, ref })));
    const cancel = order.void ? own.find(({ kind }) => kind === "cancelled") : undefined;
    if (cancel) cancelled.set(key, cancel);
  }
  await store.dropWorked(tx, before);
  await store.voidLines(
    tx,
    before.filter((part) => cancelled.has(refKey(part))),
  );
  const after = rows.length > 0 ? await store.addWorked(tx, rows, house.settings.currency) : [];
  const parts = new Map(
    [...before, ...after].map((part) => [`${part.personId} ${refKey(part)}`, part]),
  );
  const orders = await store.sumOrders(tx, [...parts.values()], house.clocks.timeZone);
  await store.leadRefs(tx, after);
  const touched = [...before, ...after].filter(({ personId }) => personId !== nobody);
  const gone = touched.flatMap((part): store.Recorded[] => {
    const cancel = cancelled.get(refKey(part));
    if (!cancel) return [];
    const { eventId, at } = cancel;
    const day = dayOf(at, house.clocks.timeZone);
    return [{ ...part, kind: "sale", at, day, amountMinor: 0n, eventId }];
  });
  return { orders, touched, gone };
}
const linedBy = (row: store.LinedRow | undefined): Lined => ({
  sales: row?.sales ?? 0,
  refunds: row?.refunds ?? 0,
  saleMinor: row?.saleMinor ?? 0n,
  by:
    row && row.eventId !== null && row.at !== null && row.bucket !== null
      ? { eventId: row.eventId, at: row.at, bucket: row.bucket, nodeId: row.nodeId }
      : null,
});

const tell = (house: House, tx: Tx, orders: readonly store.Recorded[]): Promise<void> =>
  emitAll(
    house,
    tx,
    recorded,
    orders.map(({ bucket, personId, ref, kind, at, day, amountMinor, eventId }) => ({
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

/**
 * Says of each of these people what their orders come to, and where the newest went. Of whoever has nothing left nothing
 * is said, as though they had never ordered.
 */
async function know(
  house: House,
  tx: Tx,
  people: readonly PersonKey[],
  countries: Awaited<ReturnType<typeof store.countriesOf>>,
): Promise<void> {
  const touched = eachPerson(people);
  const facts = touched.length > 0 ? await store.factsOf(tx, touched) : [];
  const none = facts.filter(({ seenAt }) => seenAt === null);
  const told = new Set(
    none.length > 0 ? (await store.withLines(tx, none)).map(({ personId }) => personId) : [],
  );
  const bare = new Set(none.flatMap(({ personId }) => (told.has(personId) ? [] : [personId])));
  if (bare.size > 0)
    await dropAttributes(
      tx,
      touched.flatMap((person) =>
        bare.has(person.personId) ? said.map((name) => ({ person, name, source: "orders" })) : [],
      ),
      house.clocks.shop(),
    );
  const rows = facts.flatMap((f): AttributeChange[] => {
    if (bare.has(f.personId)) return [];
    const person = { bucket: f.bucket, personId: f.personId };
    const figures: Record<string, unknown> = {
      orders: f.orders,
      refunds: f.refunds,
      purchase_days: f.purchaseDays,
      items: Number(f.items),
      spent_minor: Number(f.spentMinor),
      refunded_minor: Number(f.refundedMinor),
      currency: f.currency ?? house.settings.currency,
      // Null where there were orders and are none: they were cancelled, or turned out to be somebody else's.
      first_order_at: f.firstAt?.toISOString() ?? null,
      last_order_at: f.lastAt?.toISOString() ?? null,
      last_event: f.lastEvent,
    };
    const at = f.seenAt ?? house.clocks.shop();
    return Object.entries(figures).flatMap(([name, value]) =>
      value === null && f.seenAt !== null && f.orders > 0
        ? []
        : [{ person, name, value, source: "orders", at }],
    );
  });
  for (const { country, at, bucket, personId } of countries)
    rows.push({
      person: { bucket, personId },
      name: "country",
      value: country,
      source: "orders",
      at,
    });
  if (rows.length > 0) await setAttributes(tx, rows, house.clocks.shop());
}

/**
 * Works out anew, for these people, everything of orders that follows from the log: lines and orders go to whoever each
 * node belonged to at its event, and profiles say what is theirs now. Repeatable.
 */
export async function refold(house: House, tx: Tx, people: PersonKey[]): Promise<void> {
  if (people.length === 0) return;
  const told = uniqueRefs(await store.toldBy(tx, people));
  await store.holdKnownRefs(tx, told);
  const moved = await store.moveLines(tx, people);
  if (moved.length > 0) {
    await store.sumOrders(tx, moved, house.clocks.timeZone);
    await store.leadRefs(tx, moved);
  }
  const { touched } = await workOut(house, tx, told);
  const all = eachPerson([...people, ...moved, ...touched]).filter(
    ({ personId }) => personId !== nobody,
  );
  const had = await store.withOrders(tx, all);
  await dropAttributes(
    tx,
    had.map((person) => ({ person, name: "country", source: "orders" })),
    house.clocks.shop(),
  );
  await know(house, tx, had, await store.countriesOfPeople(tx, all));
}
/** What orders say in a profile, besides the country. */
const said = [
  ...["orders", "refunds", "purchase_days", "items", "spent_minor", "refunded_minor", "currency"],
  ...["first_order_at", "last_order_at", "last_event"],
];

export const erase = store.eraseRows;
