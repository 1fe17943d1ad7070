import { expect, test } from "vitest";
import { consume, ship } from "#collect/jobs.ts";
import * as collect from "#collect/service.ts";
import * as orders from "#orders/jobs.ts";
import { lineEvent } from "#orders/service.ts";
import * as people from "#people/service.ts";

import { world, type World } from "../../test/database.ts";
import { triangle } from "./rules.ts";
import * as views from "./views.ts";

const zone = "Europe/London";
type Line = [customer: string, order: string, at: string, quantity?: number, kind?: "refund"];

/** Takes in order lines through the log, as an import does, up to both engines. */
async function sell(shop: World, lines: Line[]): Promise<void> {
  const { house } = shop;
  const source = await collect.sourceNamed(house, shop.sql, "till", "server");
  const events = lines.map(([customer, order, at, quantity = 1, kind], i) => {
    const amountMinor = quantity * 250;
    const sale = { order, kind: kind ?? ("sale" as const), sku: "A", name: "Tea", quantity };
    const data = { ...sale, unitPrice: 25_000, amountMinor, currency: "CNY", goods: true };
    return lineEvent(`${order}/${i}`, { at: new Date(at), customer, data });
  });
  await house.sql.begin((tx) => collect.accept(house, tx, source as never, events));
  while ((await consume(house, [orders.consume])) > 0);
}
async function fillColumns({ house }: World): Promise<void> {
  while ((await ship(house)) > 0);
  while ((await people.ship(house)) > 0);
}

const lines: Line[] = [
  ["1", "a", "2010-12-01T08:00:00Z"],
  ["1", "a", "2010-12-01T08:00:00Z"],
  ["1", "b", "2011-02-10T08:00:00Z"],
  ["2", "c", "2010-12-31T23:59:59Z"],
  ["2", "d", "2011-01-01T00:00:00Z"],
  ["2", "Cd", "2011-02-01T00:00:00Z", -1, "refund"],
  // Summer time: in London this is the first of July.
  ["3", "e", "2011-06-30T23:30:00Z"],
  ["", "f", "2011-01-05T00:00:00Z"],
  ["4", "g", "2011-08-05T00:00:00Z"],
];

test("of those who first bought in a month, how many bought in each month after: both engines say the same", async () => {
  await using shop = await world({ timeZone: zone });
  shop.clock.shop = new Date("2011-07-10T00:00:00Z");
  await sell(shop, lines);
  await fillColumns(shop);
  const now = shop.clock.shop;
  const sql = triangle(await views.retentionFromSql(shop.sql, now, zone), now, zone);
  const columns = triangle(await views.retentionFromColumns(shop.columns, now, zone), now, zone);
  expect(columns).toEqual(sql);
  const row = (month: string) =>
    sql.find((cohort) => cohort.month === month)!.cells.map((cell) => cell.people);
  expect(row("2010-12")).toEqual([2, 1, 1, 0, 0, 0, 0, 0]);
  expect(row("2011-07")).toEqual([1]); // not June; and August has not happened yet
  expect(sql.find(({ month }) => month === "2011-07")!.cells[0]!.complete).toBe(false);
  expect(sql[0]!.cells[1]).toEqual({ month: "2011-01", people: 1, rateBp: 5000, complete: true });
});

test("a cell opens its people, and Today's numbers open theirs", async () => {
  await using shop = await world({ timeZone: zone });
  await sell(shop, lines);
  const between = (from: string, until: string) => ({
    from: new Date(from),
    until: new Date(until),
  });
  const december = between("2010-12-01", "2011-01-01");
  const page = { after: "00000000-0000-0000-0000-000000000000", limit: 10 };
  const first = await views.buyersOf(shop.sql, december, december, page);
  expect(first.map(({ orders, revenueMinor, total }) => ({ orders, revenueMinor, total }))).toEqual(
    [expect.objectContaining({ total: 2 }), expect.objectContaining({ total: 2 })],
  );
  expect(first.reduce((sum, one) => sum + one.revenueMinor, 0n)).toBe(750n);
  const february = between("2011-02-01", "2011-03-01");
  expect(await views.buyersOf(shop.sql, december, february, page)).toHaveLength(1);
  expect(await views.buyersOf(shop.sql, february, february, page)).toHaveLength(0);

  // The order of nobody counts for the shop, not for a person; a refund lowers the revenue.
  const sales = await views.sales(shop.sql, "2011-01-01", "2011-02-28");
  expect(sales).toEqual({ orders: 3, people: 2, revenueMinor: 500n });
  const behind = await views.salesPeople(shop.sql, "2011-01-01", "2011-02-28", {
    ...page,
    limit: 1,
  });
  expect(behind).toHaveLength(1);
  expect(behind[0]!.total).toBe(2);
  const state = await views.state(shop.sql);
  expect(state).toMatchObject({ mode: "real", demo: false, profilesBehind: 0, columnsBehind: 9 });
  expect(state.lastOrderAt).toEqual(new Date("2011-08-05T00:00:00Z"));
});
