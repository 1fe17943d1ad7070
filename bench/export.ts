// A million rows go out as one file, streamed: how fast, and how much room it takes. Goods as both forms, and the log.
// --rows=1000000
import { randomUUID } from "node:crypto";
import { exportText } from "../src/exchange/export.ts";
import type { Measured } from "./effect.ts";
import { setup, world } from "../test/database.ts";

const files = [
  ["products", "csv"],
  ["products", "jsonl"],
  ["events", "csv"],
  ["events", "jsonl"],
] as const;

export async function run(
  report: (measured: Measured) => void,
  options: Record<string, string>,
): Promise<void> {
  const rows = Number(options["rows"] ?? 1_000_000);
  const stop = await setup();
  try {
    await using here = await world();
    const source = randomUUID();
    await here.owner`
      insert into collect_source (id, name, kind, created_at) values (${source}, 'bench', 'server', now())`;
    await here.owner`
      insert into catalog_product (source_id, sku, name, unit_price, currency, goods, seen_at, first_at,
        name_key, price_key)
      select ${source}, 'S' || i, '=Tea ' || i, 10000, 'CNY', true, now(), now(), key, key
      from generate_series(1, ${rows}) as i,
        (select '2 2026-01-01 00:00:00.000000 ' || ${randomUUID()}::text as key) k`;
    await here.owner`
      insert into collect_event (bucket, "offset", id, source_id, name, at, received_at, data, flags)
      select i % 256, i / 256 + 1, gen_random_uuid(), ${source}, 'Product Viewed', now(), now(),
        jsonb_build_object('sku', 'S' || i, 'note', '=1+1', 'price', 12.5), 0
      from generate_series(1, ${rows}) as i`;
    const start = process.memoryUsage().rss;
    for (const [kind, format] of files) {
      const say = (name: string, value: number, unit: string, target = "-", pass = true) =>
        report({ name: `export.${kind}_${format}_${name}`, value, unit, target, pass });
      const began = performance.now();
      let lines = format === "csv" ? -1 : 0; // the heading
      let bytes = 0;
      let peak = 0;
      let live = 0;
      for await (const text of exportText(here.house, { kind, format, names: true })) {
        lines += text.split("\n").length - 1;
        bytes += text.length;
        live += /(^|,)[=+@-]/m.test(text) && format === "csv" ? 1 : 0;
        peak = Math.max(peak, process.memoryUsage().rss);
      }
      const seconds = (performance.now() - began) / 1000;
      say("rows", lines, "rows", `= ${rows}`, lines === rows);
      say("rate", Math.round(lines / seconds), "rows/s");
      say("size", Math.round(bytes / 1024 / 1024), "MiB");
      say("live_formulas", live, "pages", "= 0", live === 0);
      say("peak_rss", Math.round(peak / 1024 / 1024), "MiB");
      const grown = Math.round((peak - start) / 1024 / 1024);
      say("memory", grown, "MiB", "<= 200", grown <= 200);
    }
  } finally {
    await stop();
  }
}
