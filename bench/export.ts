// A million rows go out as one file, streamed: how fast, and how much room it takes.
// --rows=1000000
import { randomUUID } from "node:crypto";
import { exportText } from "../src/exchange/export.ts";
import type { Measured } from "./effect.ts";
import { setup, world } from "../test/database.ts";

export async function run(
  report: (measured: Measured) => void,
  options: Record<string, string>,
): Promise<void> {
  const rows = Number(options["rows"] ?? 1_000_000);
  const stop = await setup();
  try {
    await using here = await world();
    await here.owner`
      insert into catalog_product (source_id, sku, name, unit_price, currency, goods, seen_at, first_at)
      select ${randomUUID()}::uuid, 'S' || i, '=Tea ' || i, 10000, 'CNY', true, now(), now()
      from generate_series(1, ${rows}) as i`;
    const began = performance.now();
    const before = process.memoryUsage().rss;
    let lines = -1; // the heading
    let most = before;
    for await (const text of exportText(here.house, {
      kind: "products",
      format: "csv",
      names: false,
    })) {
      lines += text.split("\n").length - 1;
      most = Math.max(most, process.memoryUsage().rss);
    }
    const seconds = (performance.now() - began) / 1000;
    const grown = (most - before) / 1024 / 1024;
    report({
      name: "export.rows",
      value: lines,
      unit: "rows",
      target: `= ${rows}`,
      pass: lines === rows,
    });
    report({
      name: "export.rate",
      value: Math.round(lines / seconds),
      unit: "rows/s",
      target: "-",
      pass: true,
    });
    report({
      name: "export.memory",
      value: Math.round(grown),
      unit: "MiB",
      target: "<= 200",
      pass: grown <= 200,
    });
  } finally {
    await stop();
  }
}
