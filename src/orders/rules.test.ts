import fc from "fast-check";
import { expect, test } from "vitest";
import { isUnfit, readLine, type Line, type LineText, type Shop } from "./rules.ts";

const shop: Shop = {
  timeZone: "Europe/London",
  currency: "GBP",
  digits: 2,
  refundPrefix: "C",
  services: new Set(["POST"]),
};
const text: LineText = {
  order: "536365",
  sku: "85123A",
  name: "LANTERN",
  quantity: "6",
  unitPrice: "2.55",
  at: "2010-12-01 08:26:00",
  customer: "17850",
  country: "United Kingdom",
  category: "",
  merchant: "",
};
const read = (change: Partial<LineText>, at: Shop = shop) => readLine({ ...text, ...change }, at);
const lineOf = (change: Partial<LineText>, at: Shop = shop) => {
  const line = read(change, at);
  if (isUnfit(line)) throw new Error(line.reason);
  return line;
};

test("a line is a sale in minor units, at its instant, with what was left out left out", () => {
  expect(read({})).toEqual({
    at: new Date("2010-12-01T08:26:00Z"),
    customer: "17850",
    data: {
      order: "536365",
      kind: "sale",
      sku: "85123A",
      name: "LANTERN",
      quantity: 6,
      unitPrice: 25_500,
      amountMinor: 1530,
      currency: "GBP",
      country: "United Kingdom",
      goods: true,
    },
  } satisfies Line);
  expect(lineOf({ sku: "POST" }).data.goods).toBe(false);
});

test.each([
  ["a positive line is a sale", {}, "sale"],
  ["nothing paid is no sale", { unitPrice: "0" }, "adjustment"],
  ["a price below nothing mends books", { unitPrice: "-11062.06" }, "adjustment"],
  ["a C number that takes goods back is a refund", { order: "C1", quantity: "-1" }, "refund"],
  ["a C number that takes nothing back is none", { order: "C1" }, "adjustment"],
  ["goods taken off the stock are no refund", { quantity: "-10", unitPrice: "0" }, "adjustment"],
  ["less than nothing without a C is stock", { quantity: "-10" }, "adjustment"],
] as const)("%s", (_, change, kind) => {
  expect(lineOf(change).data.kind).toBe(kind);
});
test("without a prefix the sign of the quantity says what a refund is", () => {
  const plain = { ...shop, refundPrefix: "" };
  expect(lineOf({ quantity: "-1" }, plain).data).toMatchObject({
    kind: "refund",
    amountMinor: -255,
  });
  expect(lineOf({ order: "C1" }, plain).data.kind).toBe("sale");
});

test.each([
  ["order", "", "missing"],
  ["sku", "", "missing"],
  ["at", "", "missing"],
  ["quantity", "1.5", "not_a_number"],
  ["quantity", "0x10", "not_a_number"],
  ["quantity", "1e3", "not_a_number"],
  ["quantity", "1000001", "out_of_range"],
  ["unitPrice", "1,50", "not_a_number"],
  ["unitPrice", "NaN", "not_a_number"],
  ["unitPrice", "0.00001", "not_a_number"],
  ["unitPrice", "10000000.01", "out_of_range"],
  ["at", "yesterday", "not_a_time"],
  ["at", "2011-02-30 10:00:00", "not_a_time"],
  ["at", "2011-02-01 25:00:00", "not_a_time"],
  ["at", "infinity", "not_a_time"],
  ["at", "1889-12-31 10:00:00", "out_of_range"],
  ["at", "294277-01-01 10:00:00", "not_a_time"],
  ["name", "x".repeat(501), "too_long"],
  ["customer", "a\0b", "bad_text"],
  ["name", "\ud800", "bad_text"],
] as const)("%s %j: %s", (field, value, reason) => {
  expect(read({ [field]: value })).toEqual({ field, reason });
});

test("an instant keeps its offset, and the shop's wall is read where the shop is", () => {
  const at = (text_: string) => lineOf({ at: text_ }).at.toISOString();
  expect(at("2011-07-01 10:00:00")).toBe("2011-07-01T09:00:00.000Z");
  expect(at("2011-01-01T10:00")).toBe("2011-01-01T10:00:00.000Z");
  expect(at("2011-07-01T10:00:00+08:00")).toBe("2011-07-01T02:00:00.000Z");
  expect(at("2011-07-01T10:00:00.123Z")).toBe("2011-07-01T10:00:00.123Z");
});

test("whatever the text, a line is read or its field is named, and what is read is exact", () => {
  const field = fc.constantFrom(...(Object.keys(text) as (keyof LineText)[]));
  fc.assert(
    fc.property(field, fc.string({ unit: "binary" }), (name, value) => {
      const line = read({ [name]: value });
      if (isUnfit(line)) expect(line.field).toBe(name);
      else expect(Number.isSafeInteger(line.data.amountMinor)).toBe(true);
    }),
  );
  const pence = fc.integer({ min: 1, max: 1_000_000 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1000 }), pence, (quantity, price) => {
      const unitPrice = (price / 100).toFixed(2);
      const [sale, refund] = [quantity, -quantity].map(
        (n) =>
          lineOf({ quantity: String(n), unitPrice, order: n < 0 ? "C1" : "1" }).data.amountMinor,
      );
      expect(sale).toBe(quantity * price);
      expect(refund).toBe(-sale!);
    }),
  );
});
