// Rules change while people are looked at: neither waits for the other in a circle, however many are looked at together.
import { expect, test } from "vitest";
import { refold, refresh } from "#segments/jobs.ts";
import { define, listen, unlisten } from "#segments/service.ts";
import type { Rule } from "#segments/rules.ts";
import * as segments from "#segments/store.ts";
import type { Sql, Tx } from "#kernel/sql.ts";
import { declare, remove, setHalfLife } from "#traits/service.ts";
import * as traits from "#traits/store.ts";
import { world } from "../../test/database.ts";

const idOf = (i: number) => `01890000-0000-7000-8000-${String(i).padStart(12, "0")}`;
const everybody = Array.from({ length: 1200 }, (_, i) => ({ bucket: i % 256, personId: idOf(i) }));
const rule: Rule = { kind: "tag", tag: "vip", in: ["yes"] };

async function open() {
  const shop = await world();
  const { house, sql } = shop;
  const rows = everybody.map((key) => ({ ...key, sourceId: idOf(0), seenAt: shop.clock.shop }));
  await sql`insert into people_person ${sql(rows)}`;
  const put = async (id?: string) => {
    const name = { zh: "测", en: "T" };
    const made = await sql.begin((tx) =>
      define({ tx, house } as never, { ...(id ? { id } : {}), name, rule, purpose: "analysis" }),
    );
    if (!made.ok) throw new Error(made.code);
    return made.value.id;
  };
  const ids = [await put(), await put(), await put()];
  return { ...shop, ids, put, [Symbol.asyncDispose]: () => shop[Symbol.asyncDispose]() };
}

test("rules are changed, worked out and listened to while people are looked at: nobody waits in a circle", async () => {
  await using shop = await open();
  const { house, sql, ids, put } = shop;
  const until = performance.now() + 6000;
  const loop = async (act: (n: number) => Promise<unknown>) => {
    let n = 0;
    for (; performance.now() < until; n++) {
      await act(n);
      // Whoever changes a rule waits until nobody looks: each leaves a gap, as a worker does.
      await sql`select pg_sleep(0.02)`;
    }
    return n;
  };
  const done = await Promise.all([
    loop((n) => put(ids[n % 3])),
    loop((n) => refresh(house, ids[n % 3]!)),
    loop((n) => sql.begin((tx) => (n % 2 ? unlisten(tx, "x") : listen(tx, "x", ids[0]!)))),
    ...[0, 1, 2].map((i) =>
      loop((n) => sql.begin((tx) => refold(house, tx, [everybody[(i * 400 + n) % 1200]!]))),
    ),
  ]);
  for (const n of done) expect(n).toBeGreaterThan(3);
});

test("two slices whose people turn out to be somebody else, a thousand in each, both come to their end", async () => {
  await using shop = await open();
  const { house, sql } = shop;
  let both = 0;
  let go = () => {};
  const met = new Promise<void>((done) => {
    go = done;
  });
  // Each has looked at one of its people before it looks at all of them, as a slice does.
  const slice = (alone: number) =>
    sql.begin(async (tx) => {
      await refold(house, tx, [everybody[alone]!]);
      if (++both === 2) go();
      await met;
      await refold(house, tx, alone === 0 ? everybody.slice(0, 1000) : everybody.slice(100, 1200));
    });
  await Promise.all([slice(0), slice(1100)]);
});

/** Acts one after the other while somebody looks at every moment; none may wait for those who come after it. */
async function whileLooking(
  sql: Sql,
  held: (tx: Tx) => Promise<unknown>,
  acts: readonly (() => Promise<unknown>)[],
): Promise<void> {
  let changed = false;
  let looks = 0;
  // Six who look for a quarter of a second each, one beginning after the other: there is no moment without one of them.
  const lookers = Array.from({ length: 6 }, async (_, i) => {
    await sql`select pg_sleep(${i * 0.04})`;
    while (!changed)
      await sql.begin(async (tx) => {
        await held(tx);
        await tx`select pg_sleep(0.25)`;
        looks += 1;
      });
  });
  await sql`select pg_sleep(0.5)`;
  const took: number[] = [];
  const late = new Promise<"late">((done) => setTimeout(() => done("late"), 15_000));
  const all = async () => {
    for (const act of acts) {
      const from = performance.now();
      await act();
      took.push(performance.now() - from);
    }
    return "done";
  };
  const ended = await Promise.race([all(), late]);
  changed = true;
  await Promise.all(lookers);
  expect([ended, looks > 6]).toEqual(["done", true]);
  // Each waits for those who look already, and for nobody who comes after it.
  for (const ms of took) expect(ms).toBeLessThan(2000);
}

test("a rule is changed within a bounded time though somebody looks at people at every moment", async () => {
  await using shop = await open();
  const { sql, ids, put } = shop;
  await whileLooking(sql, segments.heldGeneration, [
    () => put(ids[0]),
    () => sql.begin((tx) => listen(tx, "x", ids[0]!)),
    () => sql.begin((tx) => unlisten(tx, "x")),
    () => put(),
  ]);
});

test("a trait is declared, changed and taken away as soon, though somebody looks at every moment", async () => {
  await using shop = await world();
  const { house, sql } = shop;
  const context = { house, actor: { id: "operator:1" }, at: house.clocks.machine() };
  const name = "visits";
  const trait = { name, label: { zh: "访问", en: "Visits" }, fn: "count", event: "page" } as const;
  const put = (hours: number | null) => () =>
    sql.begin(async (tx) =>
      expect(await declare({ ...context, tx } as never, { ...trait, hours })).toMatchObject({
        ok: true,
      }),
    );
  await whileLooking(sql, traits.heldGeneration, [
    put(24),
    put(null),
    () => sql.begin((tx) => setHalfLife({ ...context, tx } as never, { halfLifeDays: 60 })),
    () =>
      sql.begin(async (tx) =>
        expect(await remove({ ...context, tx } as never, { trait: name })).toMatchObject({
          ok: true,
        }),
      ),
  ]);
});
