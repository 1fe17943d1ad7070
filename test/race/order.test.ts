// Transactions that end in another order than they began: whoever reads on from where they were skips nothing, and sees
// nothing twice. An identity column would not do, because it is given before the commit and seen after it.
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { consume, ship } from "../../src/collect/jobs.ts";
import * as collect from "../../src/collect/service.ts";
import { reactionsTo } from "../../src/feeds/jobs.ts";
import { keepFeed, read } from "../../src/feeds/store.ts";
import { bucketOfText } from "../../src/kernel/crypto.ts";
import type { Happened } from "../../src/kernel/outbox.ts";
import type { Tx } from "../../src/kernel/sql.ts";
import { world } from "../database.ts";

const at = new Date("2026-02-01T00:00:00Z");
/** A transaction that does its work and then stays open until it is told to commit. */
function held(sql: { begin: (work: (tx: Tx) => Promise<void>) => Promise<unknown> }) {
  return (work: (tx: Tx) => Promise<unknown>) => {
    const gate = Promise.withResolvers<void>();
    const worked = Promise.withResolvers<void>();
    let over = false;
    void worked.promise.then(() => (over = true));
    const done = sql.begin(async (tx) => {
      await work(tx);
      worked.resolve();
      await gate.promise;
    });
    return {
      worked: worked.promise,
      isWaiting: () => !over,
      commit: async () => {
        gate.resolve();
        await done;
      },
    };
  };
}

async function log() {
  const here = await world();
  const { house, sql } = here;
  const source = await collect.sourceNamed(house, sql, "shop", "server");
  const accept = (tx: Tx, keys: readonly string[], user: string) =>
    collect.accept(
      house,
      tx,
      source,
      keys.map((key) => ({
        ...{ key, name: "Seen", at, data: {} },
        sender: { type: "user_id" as const, value: user },
      })),
    );
  const seen: string[] = [];
  /** One helping for the consumer, which notes what it was given, and one for the columns. */
  const turn = async () => {
    const taken = await consume(house, [
      async (_, tx, { buckets, froms, tos }) => {
        for (const [i, bucket] of buckets.entries()) {
          const rows = await tx<{ id: string }[]>`
            select id from collect_event
            where bucket = ${bucket} and "offset" between ${String(froms[i])}::bigint and ${String(tos[i])}::bigint`;
          seen.push(...rows.map(({ id }) => id));
        }
      },
    ]);
    return taken + (await ship(house));
  };
  return Object.assign(here, {
    accept,
    open: held(sql),
    seen,
    turn,
    drain: async () => {
      while ((await turn()) > 0);
    },
    idOf: (key: string) => collect.eventId(source.id, key),
    columns_: () =>
      here.columns.read<{ id: string }>("select toString(id) as id from event order by id"),
  });
}

test("of two ingest transactions of different senders the second commits first: consumer and columns get both", async () => {
  await using here = await log();
  const [a, b] = ["first", "second"].map((key) => here.open((tx) => here.accept(tx, [key], key)));
  await Promise.all([a!.worked, b!.worked]);
  await b!.commit();
  await here.drain();
  expect(here.seen).toEqual([here.idOf("second")]);
  await a!.commit();
  await here.drain();
  const both = ["first", "second"].map(here.idOf).toSorted();
  expect(here.seen.toSorted()).toEqual(both);
  expect((await here.columns_()).map(({ id }) => id)).toEqual(both);
});

test("of one sender the second waits for the first, so that its place is never seen before it", async () => {
  await using here = await log();
  await here.sql.begin((tx) => here.accept(tx, ["known"], "ann"));
  await here.drain();
  const a = here.open((tx) => here.accept(tx, ["first"], "ann"));
  await a.worked;
  const b = here.open((tx) => here.accept(tx, ["second"], "ann"));
  void b.commit(); // as soon as it may
  for (let turns = 0; turns < 5; turns++) {
    await sleep(40);
    await here.turn();
  }
  expect({ waits: b.isWaiting(), seen: here.seen }).toEqual({
    waits: true,
    seen: [here.idOf("known")],
  });
  await a.commit();
  await b.commit();
  await here.drain();
  const all = ["known", "first", "second"].map(here.idOf);
  expect(here.seen).toEqual(all);
  expect((await here.columns_()).map(({ id }) => id)).toEqual(all.toSorted());
});

test("many at once, each ending when it likes, while consumer and columns go on: everything once", async () => {
  await using here = await log();
  const users = Array.from({ length: 12 }, (_, i) => `u${i}`);
  const keys: string[] = [];
  let writing = true;
  const writer = async (w: number) => {
    for (let n = 0; n < 12; n++) {
      const mine = [0, 1, 2].map((i) => `${w}-${n}-${i}`);
      keys.push(...mine);
      const one = here.open((tx) => here.accept(tx, mine, users[(w * 5 + n) % users.length]!));
      await one.worked;
      await sleep((w * 37 + n * 17) % 23);
      await one.commit();
    }
  };
  const reader = async () => {
    while (writing) if ((await here.turn()) === 0) await sleep(2);
  };
  const reading = Promise.all([reader(), reader()]);
  await Promise.all(Array.from({ length: 6 }, (_, w) => writer(w)));
  writing = false;
  await reading;
  await here.drain();
  const all = keys.map(here.idOf).toSorted();
  expect(here.seen.toSorted()).toEqual(all);
  expect((await here.columns_()).map(({ id }) => id)).toEqual(all);
}, 120_000);

const happened = (id: string): Happened => {
  const personId = id;
  return { bucket: bucketOfText(id), personId, id, name: "test", data: {}, at, attempts: 0 };
};

test("the feed skips nothing: whoever writes down later waits, and a reader who was in between finds it", async () => {
  await using here = await world();
  const { house, sql } = here;
  await sql.begin((tx) => keepFeed(tx, true));
  const [reaction] = reactionsTo(["test"]);
  const open = held(sql);
  const [first, second] = [house.newId(), house.newId()];
  const seen: string[] = [];
  let cursor = 0n;
  const look = async () => {
    const { feed, rows } = await read(sql, cursor, null, 10);
    cursor = rows.at(-1)?.position ?? feed.next - 1n;
    seen.push(...rows.map(({ id }) => id));
  };
  await look();
  const a = open((tx) => reaction!.react(house, tx, [happened(first)]));
  await a.worked;
  const b = open((tx) => reaction!.react(house, tx, [happened(second)]));
  void b.commit();
  for (let looks = 0; looks < 5; looks++) {
    await sleep(40);
    await look();
  }
  expect({ waits: b.isWaiting(), seen }).toEqual({ waits: true, seen: [] });
  await a.commit();
  await b.commit();
  await look();
  expect(seen).toEqual([first, second]);
});

test("six processes write to the feed while it is read on from where it was: everything once, in one order", async () => {
  await using here = await world();
  const { house, sql } = here;
  await sql.begin((tx) => keepFeed(tx, true));
  const [reaction] = reactionsTo(["test"]);
  const open = held(sql);
  const written: string[] = [];
  let writing = true;
  const writer = async (w: number) => {
    for (let n = 0; n < 15; n++) {
      const ids = [house.newId(), house.newId()];
      written.push(...ids);
      const one = open((tx) => reaction!.react(house, tx, ids.map(happened)));
      await one.worked;
      await sleep((w * 7 + n * 3) % 11);
      await one.commit();
    }
  };
  const seen: { id: string; position: bigint }[] = [];
  let cursor = 0n;
  const look = async () => {
    const { feed, rows } = await read(sql, cursor, null, 3);
    cursor = rows.length === 3 ? rows.at(-1)!.position : feed.next - 1n;
    seen.push(...rows);
    return rows.length;
  };
  const reading = (async () => {
    while (writing) await look();
  })();
  await Promise.all(Array.from({ length: 6 }, (_, w) => writer(w)));
  writing = false;
  await reading;
  while ((await look()) > 0);
  expect(seen.map(({ id }) => id).toSorted()).toEqual(written.toSorted());
  expect(seen.map(({ position }) => position)).toEqual(
    seen.map(({ position }) => position).toSorted((x, y) => (x < y ? -1 : 1)),
  );
}, 60_000);
