// Every night the shop is learned from anew; in between, an order or the end of a silence changes one person's stage.
import { addDays, dayOf, instantOf } from "#kernel/clock.ts";
import { bucketOfText } from "#kernel/crypto.ts";
import type { House } from "#kernel/endpoint.ts";
import { nobody } from "#kernel/ids.ts";
import { emitAll, type Reaction } from "#kernel/outbox.ts";
import { isPassing, type PersonKey, type Reader, type Tx } from "#kernel/sql.ts";
import { setTimers, timersLeft, type TimerKind } from "#kernel/timers.ts";
import { known } from "./events.ts";
import { learnFrom, type Buyer, type Learned } from "./rules.ts";
import * as service from "./service.ts";
import * as store from "./store.ts";
import * as views from "./views.ts";

export type Knowledge = { fit: string; people: number; changed: number; learned: Learned };

/** People whose tags and figures are written in one transaction. */
const chunk = 5000;

/**
 * Learns from every order before the shop's clock, and says of everybody where they stand. Depends on those orders
 * alone: not on ids, nor on the order of rows.
 */
export async function know(house: House): Promise<Knowledge> {
  const now = house.clocks.shop();
  const buyers = await buyersOf(house.sql, now);
  const learned = learnFrom(
    buyers.map(({ buyer }) => buyer).toSorted(inOrder),
    dayOf(now, house.clocks.timeZone),
    await categoryDays(house.sql, now),
  );
  const had = await store.latestFit(house.sql);
  const shown = new Set(service.shownBy(learned));
  const outdated = had ? service.shownBy(had.learned).filter((name) => !shown.has(name)) : [];
  const fit = { id: house.newId(), at: now, asOf: learned.asOf, people: buyers.length, learned };
  await house.sql.begin((tx) => store.saveFit(tx, fit));
  let changed = 0;
  const everybody = buyers.map(({ person }) => person).toSorted(byKey);
  for (let i = 0; i < everybody.length; i += chunk) {
    const some = everybody.slice(i, i + chunk);
    changed += await again(() =>
      house.sql.begin((tx) => look(house, tx, fit, some, () => ({ at: now }), false, outdated)),
    );
  }
  const { id, people } = fit;
  await house.sql.begin(async (tx) => {
    const person = { bucket: bucketOfText(known.name), personId: nobody };
    await emitAll(house, tx, known, [{ person, data: { fit: id, people } }]);
  });
  await schedule(house);
  return { fit: id, people, changed, learned };
}

/** Looks at people by the orders as they are once nobody else is looking: `why` says as of when, and because of what. */
async function look(
  house: House,
  tx: Tx,
  fit: store.Fit,
  people: readonly PersonKey[],
  why: (personId: string) => { at: Date; cause?: string },
  tell: boolean,
  outdated: readonly service.Shown[] = [],
): Promise<number> {
  // Sent together, and the lock first: the server reads nothing before it is held.
  const locked = store.lockPeople(tx, people).execute();
  const byCategory = Object.keys(fit.learned.stages.byCategory).length > 0;
  const [, buyers, tags] = await Promise.all([
    locked,
    buyersOf(tx, house.clocks.shop(), people, byCategory),
    views.tags(tx, people),
  ]);
  const had = Map.groupBy(tags, ({ personId }) => personId);
  const looks = buyers
    .toSorted((a, b) => byKey(a.person, b.person))
    .map((one) => ({
      ...one,
      had: had.get(one.person.personId) ?? [],
      ...why(one.person.personId),
    }));
  return service.say(house, tx, fit, looks, { tell, outdated });
}

/**
 * Looks again at people whose orders turned out to be others': after a merge, its undoing or a late event. Of whoever
 * has none left nothing is said. Repeatable.
 */
export async function refold(house: House, tx: Tx, people: readonly PersonKey[]): Promise<void> {
  const fit = await store.latestFit(tx);
  if (!fit || people.length === 0) return;
  await store.lockPeople(tx, people);
  const now = house.clocks.shop();
  const bought = new Map(
    (await views.purchases(tx, now, people)).map((row) => [row.personId, row]),
  );
  const had = new Map((await store.figuresOf(tx, people)).map((row) => [row.personId, row]));
  const isSame = ({ personId }: PersonKey) => {
    const [is, was] = [bought.get(personId), had.get(personId)];
    return (
      is !== undefined &&
      was?.fitId === fit.id &&
      was.orders === is.orders &&
      was.amountMinor === is.amountMinor
    );
  };
  const changed = people.filter(({ personId }) => bought.has(personId));
  const none = people.filter(({ personId }) => !bought.has(personId));
  await look(
    house,
    tx,
    fit,
    changed.filter((person) => !isSame(person)),
    () => ({ at: now }),
    true,
  );
  await service.unsay(house, tx, none);
}

/** What people bought before an instant, each with the category that most of their lines are of. */
async function buyersOf(
  reader: Reader,
  before: Date,
  people?: readonly PersonKey[],
  byCategory = true,
) {
  const [bought, shares] = await Promise.all([
    views.purchases(reader, before, people),
    byCategory ? views.categories(reader, before, people) : [],
  ]);
  const most = new Map<string, views.Category>();
  for (const one of shares) {
    const best = most.get(one.personId);
    const more = best === undefined || one.lines > best.lines;
    if (more || (one.lines === best.lines && one.category < best.category))
      most.set(one.personId, one);
  }
  return bought.map(({ bucket, personId, days, orders, amountMinor }) => {
    const category = most.get(personId)?.category;
    const buyer: Buyer = { days: days.split(","), orders, amountMinor: Number(amountMinor) };
    if (category !== undefined) buyer.category = category;
    return { person: { bucket, personId }, buyer };
  });
}
async function categoryDays(reader: Reader, before: Date) {
  const days = new Map<string, string[][]>();
  for (const one of await views.categories(reader, before)) {
    const people = days.get(one.category);
    if (people) people.push(one.days.split(","));
    else days.set(one.category, [one.days.split(",")]);
  }
  return new Map([...days].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** By what they did, so that sums come out the same to the last bit whatever ids the people have. */
const inOrder = (a: Buyer, b: Buyer): number => {
  const [one, other] = [a.days.join(), b.days.join()];
  if (one !== other) return one < other ? -1 : 1;
  return a.orders - b.orders || a.amountMinor - b.amountMinor;
};
const byKey = (a: PersonKey, b: PersonKey): number =>
  a.bucket - b.bucket || (a.personId < b.personId ? -1 : 1);

/** A deadlock or a lock not given leaves nothing behind: the same once more, three times at most. */
async function again<T>(work: () => Promise<T>, tries = 3): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (tries <= 1 || !isPassing(thrown)) throw thrown;
    return again(work, tries - 1);
  }
}

const nightly = "predict.nightly";
/** The next three in the morning where the shop is. */
export function nextNight(now: Date, timeZone: string): Date {
  const today = dayOf(now, timeZone);
  const tonight = instantOf(`${today}T03:00`, timeZone);
  return tonight > now ? tonight : instantOf(`${addDays(today, 1)}T03:00`, timeZone);
}
const setNight = (house: House, tx: Tx) =>
  setTimers(tx, [
    {
      kind: nightly,
      key: nightly,
      dueAt: nextNight(house.clocks.shop(), house.clocks.timeZone),
    },
  ]);
/** Sets the first night; where one is set already, it stays. */
async function schedule(house: House): Promise<void> {
  if ((await timersLeft(house.sql, [nightly])) === 0)
    await house.sql.begin((tx) => setNight(house, tx));
}

export const timers: TimerKind[] = [
  {
    kind: service.stageTimer,
    clock: "shop",
    batch: 500,
    ring: async (house, tx, due) => {
      const fit = await store.latestFit(tx);
      if (!fit) return;
      // As of the instant that was waited for, so that the log is right however late the bell rings.
      const at = new Map(due.map(({ personId, dueAt }) => [personId, dueAt]));
      await look(house, tx, fit, due, (personId) => ({ at: at.get(personId)! }), true);
    },
  },
  {
    kind: nightly,
    clock: "shop",
    batch: 1,
    ring: async (house, tx) => {
      // In transactions of its own: the night's row stays claimed, and comes back if this breaks off.
      await know(house);
      await setNight(house, tx);
    },
  },
];

export const reactions: Reaction[] = [
  {
    on: "orders.recorded",
    react: async (house, tx, events) => {
      const fit = await store.latestFit(tx);
      // Nothing learned yet: the first night will see these orders.
      if (!fit) return schedule(house);
      const latest = new Map<string, { person: PersonKey; at: string; cause: string }>();
      for (const { bucket, personId, data } of events) {
        if (data["kind"] !== "sale") continue;
        const [at, cause] = [String(data["at"]), String(data["eventId"])];
        const had = latest.get(personId);
        if (!had || at > had.at || (at === had.at && cause > had.cause))
          latest.set(personId, { person: { bucket, personId }, at, cause });
      }
      const people = [...latest.values()].map(({ person }) => person);
      if (people.length === 0) return;
      const now = house.clocks.shop();
      const why = (personId: string) => ({ at: now, cause: latest.get(personId)!.cause });
      await look(house, tx, fit, people, why, true);
    },
  },
];
