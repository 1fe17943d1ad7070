// Order lines of a made-up shop, and what they must come to, reckoned without any of the program's code.
import { writeFile } from "node:fs/promises";

/** As the HTTP API takes it; as a file it is a row. */
export type Line = {
  key: string;
  order: string;
  sku: string;
  name: string;
  quantity: number;
  unitPrice: string;
  at: string;
  customer?: string;
  country: string;
  refund?: boolean;
};
/** What lines of one kind come to. */
export type Sums = { lines: number; minor: number };
export type Expected = Record<"sale" | "refund", Sums>;

/** A small generator of its own, so that a seed gives the same shop everywhere (Lehmer, 48271 mod 2^31 − 1). */
const chance = (seed: number) => () => (seed = (seed * 48271) % 2147483647) / 2147483647;

/** After so many lines of a file stands a row that is no order line. */
const badEvery = 1000;

/**
 * `count` lines: orders of one to nine, one in thirty brought back, one in eight by nobody who said a name. The key of
 * each is its number in the file that `writeLines` makes of them.
 */
export function linesOf(count: number, seed: number, customers = 500): Line[] {
  const next = chance(seed);
  const upTo = (n: number) => Math.floor(next() * n);
  const lines: Line[] = [];
  for (let order = 1; lines.length < count; order++) {
    const refund = upTo(30) === 0;
    const customer = upTo(8) === 0 ? undefined : `c${1 + upTo(customers)}`;
    const at = new Date(Date.UTC(2025, 0, 1) + order * 60_000 * 7).toISOString();
    for (let left = 1 + upTo(9); left > 0 && lines.length < count; left--)
      lines.push({
        key: String(lines.length + 1 + Math.floor(lines.length / badEvery)),
        order: `${refund ? "C" : ""}${order}`,
        sku: `s${1 + upTo(300)}`,
        name: `Thing, "number" ${upTo(300)}`,
        quantity: (1 + upTo(12)) * (refund ? -1 : 1),
        unitPrice: `${1 + upTo(40)}.${String(upTo(100)).padStart(2, "0")}`,
        at,
        ...(customer ? { customer } : {}),
        country: upTo(3) === 0 ? "Norge" : "United Kingdom",
        ...(refund ? { refund } : {}),
      });
  }
  return lines;
}

export function expected(lines: readonly Line[]): Expected {
  const sums: Expected = { sale: { lines: 0, minor: 0 }, refund: { lines: 0, minor: 0 } };
  for (const { quantity, unitPrice, refund } of lines) {
    const of = sums[refund ? "refund" : "sale"];
    of.lines++;
    of.minor += quantity * Number(unitPrice.replace(".", ""));
  }
  return sums;
}

export const mapping = {
  timeZone: "UTC",
  currency: "GBP",
  refundPrefix: "C",
  columns: {
    order: "Order",
    sku: "Sku",
    name: "Name",
    quantity: "Quantity",
    at: "At",
    unitPrice: "Price",
    customer: "Customer",
    country: "Country",
  },
};

/** The lines as a file. Says how many rows of it are no order lines. */
export async function writeLines(path: string, lines: readonly Line[]): Promise<number> {
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
  const rows = ["Order,Sku,Name,Quantity,At,Price,Customer,Country"];
  let bad = 0;
  lines.forEach(({ order, sku, name, quantity, at, unitPrice, customer = "", country }, i) => {
    rows.push([order, sku, quoted(name), quantity, at, unitPrice, customer, country].join(","));
    if ((i + 1) % badEvery !== 0) return;
    rows.push(`${order},${sku},${quoted(name)},many,${at},${unitPrice},${customer},${country}`);
    bad++;
  });
  await writeFile(path, `${rows.join("\n")}\n`);
  return bad;
}
