// The whole bundled file: counts to the row, amounts to the penny, and the same cohorts from both engines.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { allRoutes, pumps } from "../../src/app.ts";
import { sourceNamed } from "../../src/collect/service.ts";
import { nobody } from "../../src/kernel/ids.ts";
import { importLines } from "../../src/exchange/import.ts";
import type { LineMapping } from "../../src/orders/rules.ts";
import { web } from "../authz.ts";
import { world } from "../database.ts";
import { keyOf } from "./turning.ts";

const limitMs = 600_000;

test(
  "541,909 lines are counted to the row, and both engines tell the same cohorts",
  async () => {
    await using shop = await world({ timeZone: "Europe/London", settings: { currency: "GBP" } });
    const { house, sql } = shop;
    shop.clock.shop = new Date("2011-12-10T00:00:00Z");
    const mapping = JSON.parse(readFileSync("data/online-retail.map.json", "utf8")) as LineMapping;
    const source = await sourceNamed(house, sql, "file", "import");
    const path = "data/online-retail.csv.gz";
    const counts = await importLines(house, { path, mapping, source });
    expect(counts).toEqual({
      lines: 541_909,
      accepted: 541_909,
      rejected: 0,
      outside: 0,
      doubles: 0,
    });
    const work = pumps(house, null);
    while ((await work.consume()) > 0);
    while ((await work.ship()) > 0);

    const [known] = await sql<Record<string, unknown>[]>`
    select count(*)::int as lines, count(distinct ref)::int as invoices,
      count(distinct person_id)::int as customers, sum(amount_minor)::int as minor,
      (sum(quantity::bigint * unit_price) / 10000.0)::numeric(20, 3)::text as exact
    from orders_line where kind = 'sale' and person_id <> ${nobody}`;
    expect(known).toEqual({
      lines: 397_884,
      invoices: 18_532,
      customers: 4_338,
      minor: 891_140_790, // four lines cost 0.001 each, and round to nothing
      exact: "8911407.904",
    });
    const [columns] = await shop.columns.read<Record<string, unknown>>(`
    select count() as lines, uniqExact(bucket, offset) as offsets, uniqExact(id) as ids from event`);
    expect(columns).toEqual({ lines: 541_909, offsets: 541_909, ids: 541_909 });

    const ask = web(house, allRoutes);
    const headers = await keyOf(house);
    const matrix = async (engine: string) => {
      const answer = await ask("GET", `/v1/retention?engine=${engine}`, { headers });
      expect(answer.status).toBe(200);
      return answer.body["cohorts"] as {
        month: string;
        people: number;
        cells: { people: number }[];
      }[];
    };
    const [fromColumns, fromSql] = [await matrix("columns"), await matrix("sql")];
    expect(fromColumns).toEqual(fromSql);
    expect(fromColumns).toHaveLength(13);
    expect(fromColumns[0]!.month).toBe("2010-12");
    expect(fromColumns[0]!.cells.map(({ people }) => people)).toEqual([
      885, 324, 286, 340, 321, 352, 321, 309, 313, 350, 331, 445, 235,
    ]);
    expect(fromColumns.reduce((sum, { people }) => sum + people, 0)).toBe(4_338);
  },
  limitMs,
);
