import fc from "fast-check";
import { expect, test } from "vitest";
import { parse } from "csv-parse/sync";
import { asItWas, csvRow, guess, harmless, missingColumns, whenOf } from "./rules.ts";

const cell = fc.oneof(
  fc.string(),
  fc.stringMatching(/^'{0,3}[=+\-@\t\r\n＝]?.{0,5}$/),
  fc.constantFrom("=1+1", "'=1", "''", "-5", "@x", "\tx", "\r", "＝x", '="a,b"'),
);

test("no cell that goes out is a formula, and every cell comes back as it was", () => {
  fc.assert(
    fc.property(fc.array(cell, { minLength: 2, maxLength: 6 }), (cells) => {
      const text = csvRow(cells);
      const [read] = parse(text, { relax_column_count: true, skip_empty_lines: false });
      for (const one of read as string[]) expect(one).not.toMatch(/^[=+\-@\t\r\n＝＋－＠]/u);
      expect((read as string[]).map(asItWas)).toEqual(cells);
      for (const one of cells) expect(asItWas(harmless(one))).toBe(one);
    }),
    { numRuns: 500 },
  );
});

test("columns are guessed by what shops call them, each once", () => {
  expect(
    guess(["Invoice No", "StockCode", "Qty", "Price", "Date", "Customer ID"], "orders"),
  ).toEqual({
    order: "Invoice No",
    sku: "StockCode",
    quantity: "Qty",
    unitPrice: "Price",
    at: "Date",
    customer: "Customer ID",
  });
  expect(missingColumns(["a"], "stock", {})).toEqual(["sku", "stock"]);
  expect(missingColumns(["a"], "stock", { columns: { sku: "a", stock: "b" } })).toEqual(["b"]);
});

test("a time is said as an instant, as a time on the shop's wall, or as a day", () => {
  const at = (said: string) => whenOf(said, "Asia/Shanghai")?.toISOString() ?? null;
  expect(at("2026-03-03")).toBe("2026-03-02T16:00:00.000Z");
  expect(at("2026-03-03 10:00")).toBe("2026-03-03T02:00:00.000Z");
  expect(at("2026-03-03T10:00:00Z")).toBe("2026-03-03T10:00:00.000Z");
  expect(at("2026-03-03T10:00:00.000Z")).toBe("2026-03-03T10:00:00.000Z");
  expect([at("yesterday"), at("2026-02-30"), at("")]).toEqual([null, null, null]);
});
