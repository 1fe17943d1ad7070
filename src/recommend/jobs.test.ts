import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import type { Reading, Route } from "#kernel/endpoint.ts";
import type { PersonKey } from "#kernel/sql.ts";
import * as people from "#people/service.ts";
import { world, type World } from "../../test/database.ts";
import * as api from "./api.ts";
import { fit, pick } from "./jobs.ts";
import { routes } from "./routes.ts";
import * as service from "./service.ts";

const now = new Date("2026-03-01T00:00:00Z");
const day = (n: number) => new Date(now.getTime() + n * 86_400_000 + 36_000_000);
const source = randomUUID();

/** A small shop: everybody buys tea every 30 days; whoever buys a pot buys cups too, but for the last of them. */
async function shop(order: (numbers: number[]) => number[]) {
  const here = await world({ timeZone: "UTC" });
  here.clock.shop = now;
  const sku = { tea: "10001", pot: "10002", cups: "10003", post: "POST" };
  const first = {
    sourceId: source,
    currency: "CNY",
    unitPrice: 10_000n,
    seenAt: day(-200),
    firstAt: day(-200),
  };
  await here.sql`insert into catalog_product ${here.sql([
    { ...first, sku: sku.tea, name: "Tea", goods: true },
    { ...first, sku: sku.pot, name: "Pot", goods: true },
    { ...first, sku: sku.cups, name: "Cups", goods: true },
    { ...first, sku: sku.post, name: "Postage", goods: false },
  ])}`;
  const keys: PersonKey[] = [];
  for (const number of order(Array.from({ length: 24 }, (_, i) => i))) {
    const id = String(1000 + number);
    const sender = { type: "user_id" as const, value: id, at: day(-200) };
    const nodes = await here.sql.begin((tx) => people.nodesFor(here.house, tx, source, [sender]));
    const { bucket, personId } = nodes.get(people.senderKey(sender))!;
    keys[number] = { bucket, personId };
    const buy = (what: string, at: Date) => buyOne(here, keys[number]!, what, at);
    for (const at of [-160, -130, -100, -70, -40 + (number % 5)]) await buy(sku.tea, day(at));
    await buy(sku.post, day(-100));
    if (number % 2 === 0) await buy(sku.pot, day(-90));
    if (number % 2 === 0 && number !== 22) await buy(sku.cups, day(-60));
  }
  return Object.assign(here, { keys, sku });
}
const buyOne = ({ sql }: World, person: PersonKey, sku: string, at: Date) =>
  sql`insert into orders_line ${sql({
    ...person,
    eventId: randomUUID(),
    sourceId: source,
    ref: randomUUID(),
    sku,
    quantity: 1,
    unitPrice: 10_000n,
    amountMinor: 100n,
    kind: "sale",
    at,
  })}`;
const picksOf = async ({ sql, keys }: { sql: World["sql"]; keys: PersonKey[] }) => {
  const rows = await sql<{ personId: string }[]>`
    select person_id, rank, sku, kind, score, reason from recommend_pick order by rank`;
  return keys.map(({ personId }) =>
    rows.filter((row) => row.personId === personId).map(({ personId: _person, ...pick_ }) => pick_),
  );
};

test("what is due again comes first, then what people alike buy; postage never, and each with its reason", async () => {
  await using here = await shop((numbers) => numbers);
  const learned = await fit(here.house);
  expect(learned).toMatchObject({ people: 24, goods: 3 });
  expect(await pick(here.house, here.keys, 5)).toBeGreaterThan(24);
  const picked = await picksOf(here);
  expect(picked[1]![0]).toMatchObject({ sku: here.sku.tea, kind: "again", reason: { times: 5 } });
  const late = picked[22]!.find((one) => "sku" in one && one["sku"] === here.sku.cups);
  expect(late).toMatchObject({ kind: "alike", reason: { both: 11 } });
  expect(JSON.stringify(picked)).not.toContain(here.sku.post);

  const route = routes[0] as Extract<Route, { kind: "query" }>;
  const read = (scope: Reading["scope"]) =>
    route.run(
      { house: here.house, scope, now, at: now, today: "" } as Reading,
      { person: here.keys[22]!.personId } as never,
    );
  const answer = await read({ kind: "all" });
  expect(api.picks.output.parse((answer as { value: unknown }).value)).toMatchObject({
    at: now.toISOString(),
    picks: expect.arrayContaining([
      expect.objectContaining({
        name: "Cups",
        reason: {
          zh: expect.stringMatching(/^买过“(Tea|Pot)”的/),
          en: expect.stringContaining("bought this too"),
        },
      }),
    ]),
  });
  expect(await read({ kind: "cases", people: [] })).toMatchObject({ code: "request.forbidden" });

  await here.sql.begin((tx) => service.erase(tx, here.keys[22]!));
  expect((await picksOf(here))[22]).toEqual([]);
});

test("neither what comes later, nor the order people came in, nor their ids change a pick", async () => {
  await using one = await shop((numbers) => numbers);
  await using two = await shop((numbers) => numbers.toReversed());
  for (const key of two.keys) await buyOne(two, key, two.sku.pot, now);
  await buyOne(two, two.keys[3]!, two.sku.tea, day(3));
  await pick(one.house, one.keys, 5);
  await pick(two.house, two.keys.toReversed(), 5);
  const picked = await picksOf(one);
  expect(picked.flat().length).toBeGreaterThan(24);
  expect(await picksOf(two)).toEqual(picked);
  // Picked again, the same; and nothing is left of what was picked before.
  await pick(one.house, one.keys, 1);
  expect((await picksOf(one)).map((mine) => mine.length)).toEqual(
    picked.map((mine) => Math.min(1, mine.length)),
  );
});
