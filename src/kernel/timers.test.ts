import { expect, test } from "vitest";
import { world } from "../../test/database.ts";
import { nobody } from "./ids.ts";
import { dropTimer, ringDue, setTimers, timersLeft, type Timer, type TimerKind } from "./timers.ts";

const person = (n: number) => ({
  bucket: 9,
  personId: `00000000-0000-0000-0000-${String(n).padStart(12, "0")}`,
});
const hours = (n: number) => new Date(Date.parse("2026-03-01T04:00:00Z") + n * 3_600_000);
const atNoon = hours(0); // where the world's shop clock stands

/** A world whose one kind of timer writes down what rang, in the table that owner made for it. */
async function bells(kind: Partial<TimerKind> = {}) {
  const shop = await world();
  await shop.owner.unsafe(`
    create table rang (seq bigint generated always as identity, person_id uuid, key text, xid text);
    grant select, insert on rang to liuke_app`);
  const rounds: Timer[][] = [];
  const bell: TimerKind = {
    kind: "test.bell",
    clock: "shop",
    batch: 10,
    ring: async (_, tx, timers) => {
      rounds.push(timers);
      for (const { personId, key } of timers) {
        await tx`
          insert into rang (person_id, key, xid)
          values (${personId}, ${key}, pg_current_xact_id()::text)`;
        if (key.startsWith("bad")) throw new Error("this bell is cracked");
      }
    },
    ...kind,
  };
  const set = (timers: Parameters<typeof setTimers>[1]) =>
    shop.sql.begin((tx) => setTimers(tx, timers));
  const rang = async () =>
    (await shop.owner<{ key: string }[]>`select key from rang order by seq`).map(({ key }) => key);
  return Object.assign(shop, { bell, rounds, set, rang });
}
const due = (n: number, key: string, dueAt = atNoon) => ({
  ...person(n),
  kind: "test.bell",
  key,
  dueAt,
});

test("what is due rings once, in order of person, and the deed and the timer's end are one commit", async () => {
  await using shop = await bells();
  await shop.set([due(3, "c"), due(1, "a"), due(2, "b", hours(1)), due(1, "later", hours(2))]);
  expect(await ringDue(shop.house, [shop.bell])).toBe(2);
  expect(await shop.rang()).toEqual(["a", "c"]);
  expect(await ringDue(shop.house, [shop.bell])).toBe(0);
  shop.clock.shop = hours(1);
  expect(await ringDue(shop.house, [shop.bell])).toBe(1);
  expect(await shop.rang()).toEqual(["a", "c", "b"]);
  expect(await timersLeft(shop.sql, ["test.bell"])).toBe(1);
});

test("each kind goes by its own clock", async () => {
  await using shop = await bells();
  const machine: TimerKind = { ...shop.bell, kind: "test.machine", clock: "machine" };
  await shop.set([
    due(1, "shop", hours(-1)),
    { ...due(1, "machine", hours(-1)), kind: "test.machine" },
  ]);
  shop.clock.machine = hours(-2);
  expect(await ringDue(shop.house, [shop.bell, machine])).toBe(1);
  expect(await shop.rang()).toEqual(["shop"]);
  shop.clock.machine = hours(-1);
  expect(await ringDue(shop.house, [shop.bell, machine])).toBe(1);
});

test("a timer set again is moved, of one asked for twice the last counts, and a dropped one is gone", async () => {
  await using shop = await bells();
  await shop.set([due(1, "a", hours(5)), due(1, "b")]);
  await shop.set([due(1, "a", hours(7)), due(1, "a", hours(-1))]);
  await shop.sql.begin((tx) => dropTimer(tx, person(1), "test.bell", "b"));
  expect(await ringDue(shop.house, [shop.bell])).toBe(1);
  expect(await shop.rang()).toEqual(["a"]);
});

test("one that belongs to no person has a bucket of its own, the same each time", async () => {
  await using shop = await bells();
  for (const hour of [1, 2])
    await shop.set([{ kind: "test.bell", key: "nightly", dueAt: hours(hour), data: { n: hour } }]);
  const rows =
    await shop.owner`select person_id, key, data, due_at from timer where kind not like 'traits.%'`;
  expect(rows).toEqual([{ personId: nobody, key: "nightly", data: { n: 2 }, dueAt: hours(2) }]);
});

test("a bell may set its own timer again", async () => {
  await using shop = await bells({
    ring: async (house, tx, timers) => {
      const next = new Date(house.clocks.shop().getTime() + 60_000);
      await setTimers(
        tx,
        timers.map(({ kind, key }) => ({ kind, key, dueAt: next })),
      );
    },
  });
  await shop.set([{ kind: "test.bell", key: "tick", dueAt: atNoon }]);
  for (const minute of [0, 1, 2]) {
    shop.clock.shop = new Date(atNoon.getTime() + minute * 60_000);
    expect(await ringDue(shop.house, [shop.bell])).toBe(1);
    expect(await ringDue(shop.house, [shop.bell])).toBe(0);
  }
});

test("a timer that fails leaves nothing, rests longer each time, and holds up no neighbour", async () => {
  await using shop = await bells({ batch: 50 });
  const good = Array.from({ length: 20 }, (_, i) => due(i, `good ${String(i).padStart(2, "0")}`));
  await shop.set([...good.slice(0, 7), due(7, "bad"), ...good.slice(8), due(30, "bad too")]);
  expect(await ringDue(shop.house, [shop.bell])).toBe(19);
  expect((await shop.rang()).toSorted()).toEqual(
    good.filter((_, i) => i !== 7).map(({ key }) => key),
  );
  const left = () =>
    shop.owner<
      { key: string; attempts: number }[]
    >`select key, attempts from timer where kind not like 'traits.%' order by key`;
  expect(await left()).toEqual([
    { key: "bad", attempts: 1 },
    { key: "bad too", attempts: 1 },
  ]);
  expect(await ringDue(shop.house, [shop.bell])).toBe(0); // both rest
  for (let tries = 2; tries <= 9; tries++) {
    await shop.owner`update timer set failed_at = failed_at - interval '1 minute'`;
    await ringDue(shop.house, [shop.bell]);
  }
  expect((await left()).map(({ attempts }) => attempts)).toEqual([8, 8]); // left for an operator to see
  // Set again, it starts anew.
  await shop.set([due(7, "bad")]);
  expect(await left()).toContainEqual({ key: "bad", attempts: 0 });
});

test("two workers at once: every timer rings once", async () => {
  await using shop = await bells({ batch: 7 });
  await shop.set(Array.from({ length: 200 }, (_, i) => ({ ...due(i, `k${i}`), bucket: i % 5 })));
  const worker = async () => {
    for (let idle = 0; idle < 3;)
      idle = (await ringDue(shop.house, [shop.bell])) > 0 ? 0 : idle + 1;
  };
  await Promise.all([worker(), worker(), worker()]);
  const rang = await shop.rang();
  expect(rang).toHaveLength(200);
  expect(new Set(rang).size).toBe(200);
  expect(Math.max(...shop.rounds.map(({ length }) => length))).toBeLessThanOrEqual(7);
});

test("what another holds is left to it, and rings when that one gives up", async () => {
  await using shop = await bells();
  await shop.set([due(1, "a"), due(2, "b")]);
  await shop.owner.begin(async (tx) => {
    await tx`select from timer where key = 'a' for update`;
    expect(await ringDue(shop.house, [shop.bell])).toBe(1);
  });
  expect(await ringDue(shop.house, [shop.bell])).toBe(1);
  expect(await shop.rang()).toEqual(["b", "a"]);
});

test("a commit that fails leaves the timer, to ring again", async () => {
  await using shop = await bells();
  await shop.owner.unsafe(`
    create table once (done boolean); insert into once values (false); grant select on once to liuke_app;
    create function late() returns trigger language plpgsql as
      $$ begin if not (select done from once) then raise exception 'late'; end if; return new; end $$;
    create constraint trigger late after insert on rang deferrable initially deferred
      for each row execute function late()`);
  await shop.set([due(1, "a")]);
  expect(await ringDue(shop.house, [shop.bell])).toBe(0);
  expect(await shop.rang()).toEqual([]);
  await shop.owner`update once set done = true`;
  await shop.owner`update timer set failed_at = null`;
  expect(await ringDue(shop.house, [shop.bell])).toBe(1);
  expect(await shop.rang()).toEqual(["a"]);
});
