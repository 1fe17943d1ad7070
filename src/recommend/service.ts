// What a caller can ask of recommend. Each function works in the transaction it is given.
import type { House } from "#kernel/endpoint.ts";
import type { PersonKey, Tx } from "#kernel/sql.ts";
import * as people from "#people/service.ts";
import { histories, learn, picks, type Purchase, type Taste } from "./rules.ts";
import * as store from "./store.ts";

type Bought = PersonKey & { sku: string; day: string };
/**
 * The same purchases under the shop's own number of each person: our ids are made by chance, and nothing that is
 * learned or picked may depend on chance.
 */
async function named(
  house: House,
  tx: Tx,
  bought: readonly Bought[],
): Promise<{ purchases: Purchase[]; names: Map<string, string> }> {
  const keys = new Map(bought.map(({ bucket, personId }) => [personId, { bucket, personId }]));
  const names = await people.identifiers(house, tx, [...keys.values()], "user_id");
  const name = (personId: string) => names.get(personId) ?? personId;
  return {
    purchases: bought.map(({ personId, sku, day }) => ({ personId: name(personId), sku, day })),
    names: new Map([...keys.keys()].map((personId) => [personId, name(personId)])),
  };
}

/** Learns from what was bought before `now`, and keeps it. `today` is the shop's day at `now`. */
export async function fit(
  house: House,
  tx: Tx,
  { bought, now, today }: { bought: readonly Bought[]; now: Date; today: string },
): Promise<store.Fit> {
  const { purchases, names } = await named(house, tx, bought);
  const taste = learn(purchases, { today });
  const learned = {
    id: house.newId(),
    at: now,
    people: names.size,
    goods: Object.keys(taste.replenish.goods).length,
    purchases: BigInt(purchases.length),
  };
  await store.addFit(tx, learned, taste);
  await store.dropOldFits(tx, learned.id);
  return learned;
}

/** Picks up to `k` goods for each of `asked` from what they bought, in place of what was picked for them before. */
export async function pick(
  house: House,
  tx: Tx,
  asked: readonly PersonKey[],
  given: {
    bought: readonly Bought[];
    fit: { id: string; taste: Taste };
    now: Date;
    today: string;
    k: number;
  },
): Promise<number> {
  const { purchases, names } = await named(house, tx, given.bought);
  const known = new Map(histories(purchases).map((history) => [history.personId, history]));
  const rows = asked.flatMap(({ bucket, personId }) => {
    const history = known.get(names.get(personId) ?? "");
    if (!history) return [];
    return picks(given.fit.taste, history, { k: given.k, today: given.today }).map(
      (one, i): store.PickRow => ({
        ...one,
        bucket,
        personId,
        rank: i + 1,
        at: given.now,
        fitId: given.fit.id,
      }),
    );
  });
  await store.replacePicks(tx, asked, rows);
  return rows.length;
}

/** All rows of one person. */
export const erase = async (tx: Tx, person: PersonKey): Promise<void> => {
  await store.eraseRows(tx, person);
};

/** What is picked for somebody is worked out: it waits aside. */
export const movers = people.moverOf({ parked: ["recommend_pick"] });
