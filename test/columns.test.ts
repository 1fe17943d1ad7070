// What the columns know of who is who: on a device that several people used each event is whose it was by then, in both
// engines; everything of people is told anew by a rebuild; of whoever is erased nothing stays, nor of whom they had been.
import { expect, test } from "vitest";
import { allRoutes, erasers, pumps } from "../src/app.ts";
import { askRebuild } from "../src/exchange/service.ts";
import {
  retentionFromColumns,
  retentionFromSql,
  event,
  eventOwner,
} from "../src/insights/views.ts";
import { eraseColumns } from "../src/privacy/jobs.ts";
import { saying, user, visitor } from "./merged.ts";
import { shop, type Shop } from "./shop.ts";

const [device, ann, ben] = [visitor("shared"), user("ann"), user("ben")];
const zone = "Asia/Shanghai";
const order = (ref: string) => ({
  ...{ order: ref, kind: "sale", sku: "A", name: "Tea", quantity: 1, unitPrice: 25_000 },
  ...{ amountMinor: 250, currency: "CNY", goods: true },
});
const shipped = async ({ house }: Shop) => {
  const work = pumps(house, null);
  while ((await work.ship()) > 0);
};

test("of a device that two people used both engines count each month's buyers alike, and a trace walks to the right one", async () => {
  await using here = await shop(allRoutes);
  const { sql, columns, clock } = here;
  // A thing an hour from the last hours of January on, so that the turn of the month lies between them.
  const { say, find } = saying(here, Date.UTC(2026, 0, 31, 10));
  await say("Order Line", device, [], order("1")); // before anybody: Ann's
  await say("identify", device, [ann]);
  await say("Order Line", device, [], order("2"));
  await say("identify", device, [ben]);
  for (let n = 3; n < 12; n++) await say("Order Line", device, [], order(String(n)));
  await say("identify", device, [ann]);
  await say("Order Line", device, [], order("12"));
  await say("Order Line", ben, [], order("13"));
  clock.shop = new Date("2026-03-05T00:00:00Z");
  await shipped(here);
  const now = clock.shop;
  const [fromSql, fromColumns] = [
    (await retentionFromSql(sql, now, zone)).map((cell) => ({ ...cell })),
    await retentionFromColumns(columns, now, zone),
  ];
  expect(fromSql).toEqual([
    { cohort: "2026-01", month: "2026-01", people: 2 },
    { cohort: "2026-01", month: "2026-02", people: 2 },
  ]);
  expect(fromColumns).toEqual(fromSql);
  const [a, b] = [await find(ann), await find(ben)];
  const lines = await sql<{ ref: string; eventId: string }[]>`
    select ref, event_id from orders_line where ref in ('2', '5')`;
  for (const [ref, is, other] of [
    ["2", a, b],
    ["5", b, a],
  ] as const) {
    const { eventId } = lines.find((line) => line.ref === ref)!;
    expect(await eventOwner(sql, columns, eventId)).toEqual({ person: is });
    expect(await event(sql, is, eventId)).toMatchObject({ order: { ref } });
    expect(await event(sql, other, eventId)).toBeNull();
  }
}, 60_000);

test("a rebuild tells the columns of people anew: what was wrong there is right, who is another is gone", async () => {
  await using here = await shop(allRoutes);
  const { house, sql, columns } = here;
  const { say, join } = saying(here);
  await say("identify", device, [], { $traits: { city: "Wuhan" } });
  await say("identify", ann, [], { $traits: { city: "Xi'an" } });
  await join(device, ann);
  await shipped(here);
  const known = () =>
    columns.read<{ person: string; texts: Record<string, string> }>(
      `select toString(person_id) as person, texts from person final where gone = 0 order by person`,
    );
  const before = await known();
  expect(before).toHaveLength(1);
  await columns.run("alter table person delete where 1");
  expect(await known()).toEqual([]);
  const work = pumps(house, null);
  await sql.begin((tx) =>
    askRebuild({ tx, at: here.clock.machine, newId: house.newId }, { what: "columns" }),
  );
  for (let done = 1; done > 0;) done = (await work.rebuild()) + (await work.ship());
  expect(await known()).toEqual(before);
}, 60_000);

test("an erasure takes whom somebody had been along, out of both engines", async () => {
  await using here = await shop(allRoutes);
  const { house, owner, columns } = here;
  const { say, join, find } = saying(here);
  await say("identify", device, [], { $traits: { city: "Wuhan" } });
  await say("identify", ann, [], { $traits: { city: "Xi'an" } });
  await say("Page", ben);
  const [was, is] = [await find(device), await find(ann)];
  await shipped(here);
  await join(device, ann);
  await shipped(here);
  const inColumns = async () =>
    (
      await columns.read<{ n: string }>(
        `select toString(count()) as n from person where person_id in {ids:Array(UUID)}`,
        { ids: [was.personId, is.personId] },
      )
    )[0]!.n;
  expect(Number(await inColumns())).toBeGreaterThan(1);
  const gone = await here.ask("DELETE", `/v1/members/${is.personId}`, { headers: here.as.owner });
  expect(gone.status).toBeLessThan(300);
  while ((await eraseColumns(house, erasers)) > 0);
  await shipped(here);
  expect(await inColumns()).toBe("0");
  const tables = await owner<{ name: string }[]>`
    select c.table_name as name from information_schema.columns c
    join information_schema.tables t using (table_schema, table_name)
    where table_schema = 'public' and table_type = 'BASE TABLE' and column_name = 'person_id'
      and table_name <> 'privacy_erasure' order by 1`;
  for (const { name } of tables) {
    const left = await owner`
      select from ${owner(name)} where person_id in (${was.personId}, ${is.personId})`;
    expect([name, left.count]).toEqual([name, 0]);
  }
}, 60_000);
