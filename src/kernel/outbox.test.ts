import { expect, test } from "vitest";
import { z } from "zod";
import { world } from "../../test/database.ts";
import { emitAll, relay, type Happened, type Reaction } from "./outbox.ts";

const sold = { name: "test.sold", data: z.object({ n: z.string() }) };
const person = (n: number, bucket = 3) => ({
  bucket,
  personId: `00000000-0000-0000-0000-${String(n).padStart(12, "0")}`,
});

/** A world with one reaction that writes down what it heard, and throws at "bad". */
async function ears() {
  const shop = await world();
  await shop.owner.unsafe(`
    create table heard (seq bigint generated always as identity, n text not null);
    grant select, insert on heard to liuke_app`);
  const rounds: Happened[][] = [];
  const ear: Reaction = {
    on: "test.sold",
    react: async (_, tx, events) => {
      rounds.push(events);
      for (const { data } of events) {
        await tx`insert into heard (n) values (${String(data["n"])})`;
        if (data["n"] === "bad") throw new Error("cannot hear that");
      }
    },
  };
  const emit = (...happened: { person: ReturnType<typeof person>; data: { n: string } }[]) =>
    shop.sql.begin((tx) => emitAll(shop.house, tx, sold, happened));
  const heard = async () =>
    (await shop.owner<{ n: string }[]>`select n from heard order by seq`).map(({ n }) => n);
  const left = () =>
    shop.owner<{ n: string; attempts: number; dead: boolean }[]>`
      select data->>'n' as n, attempts, dead_at is not null as dead from outbox order by id`;
  return Object.assign(shop, { ear, rounds, emit, heard, left });
}
const says = (n: string, who = 1, bucket = 3) => ({ person: person(who, bucket), data: { n } });

test("what happened is heard once, in the order in which it happened, over all buckets", async () => {
  await using shop = await ears();
  await shop.emit(says("a", 3), says("b", 2, 200), says("c", 1), says("d", 2, 200));
  expect(await relay(shop.house, [shop.ear])).toBe(4);
  expect(await shop.heard()).toEqual(["a", "b", "c", "d"]);
  expect(shop.rounds.flat()[0]).toMatchObject({
    name: "test.sold",
    at: shop.clock.shop,
    attempts: 0,
  });
  expect(await relay(shop.house, [shop.ear])).toBe(0);
  expect(await shop.left()).toEqual([]);
});

test("nothing happened where its cause was rolled back", async () => {
  await using shop = await ears();
  await expect(
    shop.sql.begin(async (tx) => {
      await emitAll(shop.house, tx, sold, [says("never")]);
      throw new Error("changed my mind");
    }),
  ).rejects.toThrow("changed my mind");
  expect(await relay(shop.house, [shop.ear])).toBe(0);
});

test("every reaction to a name hears it in one transaction; what nobody listens to goes away", async () => {
  await using shop = await ears();
  const second: Reaction = {
    ...shop.ear,
    react: async (_, tx, events) => {
      for (const { data } of events) await tx`insert into heard (n) values (${`${data["n"]} too`})`;
    },
  };
  await shop.emit(says("a"));
  expect(await relay(shop.house, [shop.ear, second, { ...second, on: "test.other" }])).toBe(1);
  expect(await shop.heard()).toEqual(["a", "a too"]);
  await shop.emit(says("b"));
  expect(await relay(shop.house, [])).toBe(1);
  expect(await shop.left()).toEqual([]);
});

test("one that cannot be reacted to leaves nothing, waits longer each time, then is dead; the others are heard", async () => {
  await using shop = await ears();
  await shop.emit(says("a"), says("bad", 2), says("c", 3), says("d", 4, 77));
  expect(await relay(shop.house, [shop.ear])).toBe(3);
  expect((await shop.heard()).toSorted()).toEqual(["a", "c", "d"]);
  expect(await shop.left()).toEqual([{ n: "bad", attempts: 1, dead: false }]);
  expect(await relay(shop.house, [shop.ear])).toBe(0); // it rests
  const waits: number[] = [];
  for (let tries = 2; tries <= 12; tries++) {
    await shop.owner`update outbox set next_at = now()`;
    expect(await relay(shop.house, [shop.ear])).toBe(0);
    const [row] = await shop.owner<{ s: number }[]>`
      select round(extract(epoch from next_at - now()))::int as s from outbox`;
    waits.push(row!.s);
  }
  for (const [i, seconds] of waits.entries())
    expect(Math.abs(seconds - 2 ** (i + 1))).toBeLessThan(5);
  expect(await shop.left()).toEqual([{ n: "bad", attempts: 12, dead: true }]);
  await shop.owner`update outbox set next_at = now()`;
  await shop.emit(says("alive"));
  shop.rounds.length = 0;
  expect(await relay(shop.house, [shop.ear])).toBe(1);
  expect(shop.rounds.map((round) => round.map(({ data }) => data["n"]))).toEqual([["alive"]]); // the dead are not asked again
});

test("three relays at once over 5,000 events and more: each is heard once", async () => {
  await using shop = await ears();
  const ear: Reaction = {
    on: "test.sold",
    react: async (_, tx, events) => {
      await tx`insert into heard ${tx(events.map(({ data }) => ({ n: String(data["n"]) })))}`;
    },
  };
  const all = Array.from({ length: 5_300 }, (_, i) => says(`n${i}`, i % 40, i % 8));
  await shop.emit(...all);
  const worker = async () => {
    for (let idle = 0; idle < 3;) idle = (await relay(shop.house, [ear])) > 0 ? 0 : idle + 1;
  };
  await Promise.all([worker(), worker(), worker()]);
  const heard = await shop.heard();
  expect(heard).toHaveLength(5_300);
  expect(new Set(heard).size).toBe(5_300);
});

test("the event goes and its effect comes in one commit: where the commit fails, neither", async () => {
  await using shop = await ears();
  await shop.owner.unsafe(`
    create function late() returns trigger language plpgsql as $$ begin raise exception 'late'; end $$;
    create constraint trigger late after insert on heard deferrable initially deferred
      for each row execute function late()`);
  await shop.emit(says("a"));
  expect(await relay(shop.house, [shop.ear])).toBe(0);
  expect(await shop.left()).toEqual([{ n: "a", attempts: 1, dead: false }]);
  await shop.owner`drop trigger late on heard`;
  await shop.owner`update outbox set next_at = now()`;
  expect(await relay(shop.house, [shop.ear])).toBe(1);
  expect(await shop.heard()).toEqual(["a"]);
});
