// What a caller can ask of the catalogue.
import { bucketOfText } from "#kernel/crypto.ts";
import type { House } from "#kernel/endpoint.ts";
import { nobody } from "#kernel/ids.ts";
import { unitPriceText } from "#kernel/money.ts";
import { emitAll } from "#kernel/outbox.ts";
import type { Slice, Tx } from "#kernel/sql.ts";
import { backInStock, priceChanged, stockChanged } from "./events.ts";
import { changes } from "./rules.ts";
import * as store from "./store.ts";

/**
 * Learns products from a slice of the log: from the shop's catalogue, order lines, orders told whole, and what its own
 * server shows beside behaviour. Tells of prices and stocks that are not what they were.
 */
export async function learn(house: House, tx: Tx, slice: Slice): Promise<void> {
  const keys = await store.toldIn(tx, slice);
  const before = new Map(
    keys.length > 0 ? (await store.hold(tx, keys)).map((state) => [keyOf(state), state]) : [],
  );
  if (keys.length > 0) await store.addHistory(tx, slice);
  await store.addSeen(tx, slice, house.settings.currency);
  if (before.size > 0) await tell(house, tx, before, await store.hold(tx, keys));
}
const keyOf = ({ sourceId, sku }: store.Key) => `${sourceId} ${sku}`;
const isTold = (key: string) => key.startsWith("2 ");

async function tell(
  house: House,
  tx: Tx,
  before: ReadonlyMap<string, store.State>,
  after: readonly store.State[],
): Promise<void> {
  const prices: Happened<typeof priceChanged>[] = [];
  const stocks: Happened<typeof stockChanged>[] = [];
  const back: Happened<typeof backInStock>[] = [];
  for (const now of after) {
    const was = before.get(keyOf(now));
    if (!was) continue;
    const told = (state: store.State) => ({ ...state, isPriceTold: isTold(state.priceKey) });
    const { sourceId: source, sku, name, currency } = now;
    const person = { bucket: bucketOfText(keyOf(now)), personId: nobody };
    const about = (key: string) => ({ source, sku, name, ...placeOf(key) });
    for (const change of changes(told(was), told(now)))
      if (change.kind === "price") {
        const { dropBp } = change;
        const [from, to] = [change.before, change.after].map((p) => unitPriceText(Number(p)));
        prices.push({
          person,
          data: { ...about(now.priceKey), before: from!, after: to!, currency, dropBp },
        });
      } else if (change.kind === "stock")
        stocks.push({
          person,
          data: {
            ...about(now.stockKey),
            before: Number(change.before),
            after: Number(change.after),
          },
        });
      else back.push({ person, data: { ...about(now.stockKey), stock: Number(change.stock) } });
  }
  await emitAll(house, tx, priceChanged, prices);
  await emitAll(house, tx, stockChanged, stocks);
  await emitAll(house, tx, backInStock, back);
}
type Happened<E extends { data: { _output: unknown } }> = {
  person: { bucket: number; personId: string };
  data: E["data"]["_output"];
};
/** The instant and the event in a key: "2 2026-01-02 03:04:05.000000 0189…". */
const placeOf = (key: string) => ({
  at: new Date(`${key.slice(2, 12)}T${key.slice(13, 25)}Z`).toISOString(),
  eventId: key.slice(29),
});
