import { expect, test } from "vitest";
import * as collect from "#collect/service.ts";
import { shopClock, type ShopClock } from "#kernel/shop-clock.ts";
import { world } from "../test/database.ts";
import { oneIn, slice, turned } from "../test/scenarios/turning.ts";
import { removeDemo } from "./demo-remove.ts";

test("a demo goes as a whole, and the house is as it was before; what others sent is nobody's to clear", async () => {
  await using file = await slice(oneIn(60));
  await using shop = await turned(file.path, "replay");
  while ((await shop.pumps.ship()) > 0);
  const { house, ownerUrl } = shop;
  const clock: ShopClock = await shopClock(shop.sql);
  const given = { house, ownerUrl, clock };
  await shop.sql`
    insert into access_operator ${shop.sql({
      id: house.newId(),
      emailBlind: Buffer.alloc(32),
      email: Buffer.alloc(1),
      name: Buffer.alloc(1),
      role: "owner",
      merchants: [],
      password: "none",
      createdAt: shop.clock.machine,
    })}`;

  const other = await collect.sourceNamed(house, shop.sql, "their own shop", "server");
  const event = { key: "1", name: "Page Viewed", at: shop.clock.shop, data: {} };
  await shop.sql.begin((tx) => collect.accept(house, tx, other, [event]));
  expect(await removeDemo(given)).toEqual({ ok: false, code: "demo.mixed" });
  await shop.sql`delete from collect_event where source_id = ${other.id}`;

  const removed = await removeDemo(given);
  expect(removed.ok && removed.value).toBeGreaterThan(file.lines);
  const counted = ["orders_line", "people_person", "people_profile", "catalog_product", "timer"];
  for (const name of [...counted, "collect_source", "predict_fit", "journeys_programme", "outbox"])
    expect([name, (await shop.sql`select from ${shop.sql(name)}`).count]).toEqual([name, 0]);
  expect((await shop.sql`select from access_operator`).count).toBe(1);
  // Whatever an installation begins with is there again.
  await using fresh = await world();
  const tables = await fresh.sql<{ name: string }[]>`
    select table_name as name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'`;
  const begun: string[] = [];
  for (const { name } of tables) {
    const had = (await fresh.owner`select from ${fresh.owner(name)}`).count;
    // The one timer is for going through everybody there is already: nobody.
    if (had === 0 || name === "timer") continue;
    const has = (await shop.owner`select from ${shop.owner(name)}`).count;
    expect([name, has >= had]).toEqual([name, true]);
    begun.push(name);
  }
  expect(begun).toEqual(expect.arrayContaining(["feeds_feed", "people_rules", "companies_role"]));
  expect(await shop.sql`select definition from traits_learned where name = 'behaviour'`).toEqual([
    { definition: {} },
  ]);
  const rows = await shop.columns.read<{ n: number }>("select count() as n from event");
  expect(rows).toEqual([{ n: 0 }]);
  expect(clock.isReal()).toBe(true);
  expect(await removeDemo(given)).toEqual({ ok: false, code: "demo.none" });

  // The log begins anew, and is read from its beginning, by both engines.
  const source = await collect.sourceNamed(house, shop.sql, "their own shop", "server");
  const sender = { type: "user_id" as const, value: "1" };
  await shop.sql.begin((tx) => collect.accept(house, tx, source, [{ ...event, sender }]));
  while (
    (await shop.pumps.consume()) +
      (await shop.pumps.plan()) +
      (await shop.pumps.relay()) +
      (await shop.pumps.segment()) >
    0
  );
  expect((await shop.sql`select from outbox`).count).toBe(0);
  const behind = await shop.sql`
    select from collect_consumer c join collect_offset o on o.bucket = c.bucket where c.next < o.next`;
  expect(behind.count).toBe(0);
  while ((await shop.pumps.ship()) > 0);
  const again = await shop.columns.read<{ n: number }>("select count() as n from event");
  expect(again).toEqual([{ n: 1 }]);
}, 120_000);
