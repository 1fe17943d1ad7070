import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import * as collect from "#collect/service.ts";
import { world } from "../../test/database.ts";
import { open as withFiles } from "../../test/files.ts";
import { importLines, records, type ImportOptions } from "./import.ts";
import { kinds, type Kind } from "./rules.ts";
import type { LineMapping } from "#orders/rules.ts";

const mapping: LineMapping = {
  timeZone: "Europe/London",
  currency: "GBP",
  refundPrefix: "C",
  columns: {
    order: "Invoice",
    sku: "Code",
    name: "What",
    quantity: "Qty",
    unitPrice: "Price",
    at: "When",
    customer: "Who",
    country: "Where",
  },
};
const heading = "Invoice,Code,What,Qty,When,Price,Who,Where";
const row = (
  order: string,
  day: string,
  more: { qty?: string; price?: string; what?: string; who?: string } = {},
) =>
  `${order},S1,${more.what ?? "Cup"},${more.qty ?? "1"},2011-01-${day} 10:00:00,${more.price ?? "2.50"},${more.who ?? "17850"},France`;

/** A shop to import into, and files that are gone with it. */
async function open() {
  const here = await world({ timeZone: "Europe/London" });
  const close = here[Symbol.asyncDispose].bind(here);
  const folder = await mkdtemp(join(tmpdir(), "liuke-import-"));
  const source = await collect.sourceNamed(here.house, here.sql, "file", "import");
  const file = async (text: string | Buffer, name = "lines.csv") => {
    const path = join(folder, name);
    await writeFile(path, text);
    return path;
  };
  const take = (path: string, more: Partial<ImportOptions> = {}) =>
    importLines(here.house, { path, mapping, source, ...more });
  const stored = () =>
    here.sql<{ order: string; name: string; at: Date }[]>`
      select data->>'order' as order, data->>'name' as name, at from collect_event order by at, data->>'order'`;
  const rejected = () =>
    here.sql<{ id: string; line: bigint; field: string | null; reason: string; sealed: Buffer }[]>`
      select id, line, field, reason, sealed from collect_rejected order by line`;
  return Object.assign(here, {
    source,
    file,
    take,
    stored,
    rejected,
    [Symbol.asyncDispose]: async () => {
      await rm(folder, { recursive: true, force: true });
      await close();
    },
  });
}
const lines = (count: number, perDay = count): string[] =>
  Array.from({ length: count }, (_, i) =>
    row(String(i), String(1 + Math.floor(i / perDay)).padStart(2, "0")),
  );

test("a line that cannot be read is kept with its number and reason, and the import goes on", async () => {
  await using here = await open();
  const path = await here.file(
    [
      heading,
      row("1", "01"),
      row("2", "02", { qty: "many" }),
      row("3", "03", { price: "1,50" }), // a comma too many: the fields shift
      row("", "04"),
      row("5", "45"),
      'x"y,broken"quote',
      row("7", "07", { what: `"Cup, ""blue""\nwith a saucer"` }),
      "",
      row("8", "08", { who: "" }),
    ].join("\n"),
  );
  expect(await here.take(path)).toEqual({
    lines: 8,
    accepted: 3,
    rejected: 5,
    outside: 0,
    doubles: 0,
  });
  expect((await here.stored()).map(({ order, name }) => [order, name])).toEqual([
    ["1", "Cup"],
    ["7", 'Cup, "blue"\nwith a saucer'],
    ["8", "Cup"],
  ]);
  const rejected = await here.rejected();
  expect(rejected.map(({ line, field, reason }) => [Number(line), field, reason])).toEqual([
    [2, "quantity", "not_a_number"],
    [3, null, "not_a_record"],
    [4, "order", "missing"],
    [5, "at", "not_a_time"],
    [6, null, "not_a_record"],
  ]);
  expect(collect.openRejected(here.house, rejected[0]!.id, rejected[0]!.sealed)).toContain("many");
});

test("equal lines are different sales: a line's key is its number", async () => {
  await using here = await open();
  const path = await here.file(
    [heading, row("1", "01"), row("1", "01"), row("1", "01")].join("\n"),
  );
  expect(await here.take(path)).toMatchObject({ lines: 3, accepted: 3, doubles: 0 });
  expect(await here.stored()).toHaveLength(3);
});

test.each([
  ["windows ends of line", (text: string) => text.replaceAll("\n", "\r\n"), "lines.csv"],
  ["a byte order mark", (text: string) => `\ufeff${text}`, "lines.csv"],
  ["carriage returns as ends of line", (text: string) => text.replaceAll("\n", "\r"), "lines.csv"],
  ["semicolons", (text: string) => text.replaceAll(",", ";"), "lines.csv"],
  ["tabs", (text: string) => text.replaceAll(",", "\t"), "lines.csv"],
  [
    "sep=; as a spreadsheet says it",
    (text: string) => `sep=;\n${text.replaceAll(",", ";")}`,
    "lines.csv",
  ],
  ["gzip", (text: string) => gzipSync(text), "lines.csv.gz"],
  ["no end of line at its end", (text: string) => text.trimEnd(), "lines.csv"],
])("a file with %s is the same file", async (_, change, name) => {
  await using here = await open();
  const text = `${[heading, row("1", "01"), row("2", "02", { what: '"two\nlines"' })].join("\n")}\n`;
  const path = await here.file(change(text), name);
  expect(await here.take(path)).toMatchObject({ lines: 2, accepted: 2, rejected: 0 });
  expect((await here.stored()).map(({ order }) => order)).toEqual(["1", "2"]);
});

test("a window takes what happened from its first instant to just before its last, and a second one the rest", async () => {
  await using here = await open();
  const path = await here.file(
    [heading, ...["01", "02", "03", "04"].map((day) => row(day, day))].join("\n"),
  );
  const from = new Date("2011-01-02T10:00:00Z");
  const until = new Date("2011-01-04T10:00:00Z");
  expect(await here.take(path, { from, until })).toMatchObject({ accepted: 2, outside: 2 });
  expect((await here.stored()).map(({ order }) => order)).toEqual(["02", "03"]);
  expect(await here.take(path, { from: until })).toMatchObject({ accepted: 1, outside: 3 });
  // The whole file again finds what is there already.
  expect(await here.take(path)).toMatchObject({ accepted: 1, doubles: 3 });
  expect(await here.stored()).toHaveLength(4);
});

test("an import that dies goes on where it stopped, and every line is there once", async () => {
  await using here = await open();
  const path = await here.file([heading, ...lines(60, 6)].join("\n"));
  const day = (at: Date) => at.toISOString().slice(0, 10);
  for (const crashAfter of [1, 3, 4]) {
    let batches = 0;
    const onBatch = () => {
      if (++batches === crashAfter) throw new Error("the process died");
    };
    await expect(here.take(path, { batchBy: day, onBatch })).rejects.toThrow("died");
  }
  const [{ line } = { line: 0n }] = await here.sql<
    { line: bigint }[]
  >`select line from collect_import`;
  expect(Number(line)).toBe(8 * 6);
  expect(await here.take(path, { batchBy: day })).toEqual({
    lines: 60,
    accepted: 60,
    rejected: 0,
    outside: 0,
    doubles: 0,
  });
  const stored = (await here.stored()).map(({ order }) => Number(order));
  expect(stored.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, i) => i));
});

test("a death between a batch and its commit leaves neither its lines nor its position", async () => {
  await using here = await open();
  const path = await here.file([heading, ...lines(12, 4)].join("\n"));
  const day = (at: Date) => at.toISOString().slice(0, 10);
  let batches = 0;
  const beforeBatch = async () => {
    if (++batches === 2) throw new Error("the process died");
  };
  await expect(here.take(path, { batchBy: day, beforeBatch })).rejects.toThrow("died");
  expect(await here.stored()).toHaveLength(4);
  expect(await here.take(path)).toMatchObject({ lines: 12, accepted: 12, doubles: 0 });
});

test("an import that is told to stop stops, and another run ends it", async () => {
  await using here = await open();
  const path = await here.file([heading, ...lines(4500, 500)].join("\n"));
  const stop = new AbortController();
  const batchBy = (at: Date) => at.toISOString().slice(0, 10);
  const first = await here.take(path, {
    signal: stop.signal,
    batchBy,
    onBatch: () => stop.abort(),
  });
  expect(first.lines).toBeLessThan(4500);
  const [open_] = await here.sql`select finished_at from collect_import`;
  expect(open_!["finishedAt"]).toBeNull();
  expect(await here.take(path)).toMatchObject({ lines: 4500, accepted: 4500, doubles: 0 });
  expect(await here.stored()).toHaveLength(4500);
});

test("the same file again, wherever it lies, imports nothing", async () => {
  await using here = await open();
  const text = [heading, ...lines(5)].join("\n");
  const first = await here.take(await here.file(text));
  expect(await here.take(await here.file(text, "copy.csv"))).toEqual(first);
  expect(await here.stored()).toHaveLength(5);
});

test("two processes with one file: each line once, and the slower one is told", async () => {
  await using here = await open();
  const path = await here.file([heading, ...lines(40, 4)].join("\n"));
  const batchBy = (at: Date) => at.toISOString().slice(0, 10);
  const both = await Promise.allSettled([
    here.take(path, { batchBy }),
    here.take(path, { batchBy }),
  ]);
  expect(both.some(({ status }) => status === "fulfilled")).toBe(true);
  for (const one of both)
    if (one.status === "rejected") expect(String(one.reason)).toMatch(/another process/);
  expect((await here.stored()).map(({ order }) => Number(order)).toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: 40 }, (_, i) => i),
  );
});

test("a heading that lacks a column is told by the column's name, and takes nothing", async () => {
  await using here = await open();
  const path = await here.file([heading.replace("Price", "Cost"), row("1", "01")].join("\n"));
  await expect(here.take(path)).rejects.toThrow(
    "The file has no column Price. Its columns are parted by commas.",
  );
  const twice = await here.file(`${heading},Price\n${row("1", "01")},3`, "twice.csv");
  await expect(here.take(twice)).rejects.toThrow("more than one column called Price");
  expect(await here.stored()).toEqual([]);
  await expect(here.take("/nowhere/lines.csv")).rejects.toThrow();
});

const spectrum = new URL("../../test/data/badinputs/csv-spectrum/", import.meta.url).pathname;
test("every corner of CSV says what it says", async () => {
  const names = (await readdir(join(spectrum, "csvs"))).map((name) => name.replace(/\.csv$/, ""));
  expect(names.length).toBeGreaterThan(10);
  const folder = await mkdtemp(join(tmpdir(), "liuke-spectrum-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  for (const name of names) {
    const rows: (string[] | null)[] = [];
    const text = await readFile(join(spectrum, "csvs", `${name}.csv`), "utf8");
    // The copy of the vectors has lost the ends of line that these are named after.
    const path = join(folder, `${name}.csv`);
    await writeFile(path, name.endsWith("_crlf") ? text.replaceAll(/\r?\n/g, "\r\n") : text);
    for await (const some of records(path)) rows.push(...some.map(({ fields }) => fields));
    const [heading, ...rest] = rows;
    const said = rest.map((row) =>
      Object.fromEntries(heading!.map((field, i) => [field, row![i]])),
    );
    const is = JSON.parse(
      await readFile(join(spectrum, "json", `${name}.json`), "utf8"),
    ) as unknown;
    expect(said, name).toEqual(is);
  }
});

/** A line of each kind that is right, and the same with a field that is wrong; the word goes into a text of the line. */
const linesOfKind: Record<
  Kind,
  { fits: (word: string, n: number) => object; bad: [object, string] }
> = {
  people: {
    fits: (word, n) => ({ user: `u${n}`, city: word, at: "2026-01-01" }),
    bad: [{ email: "nobody" }, "email"],
  },
  products: {
    fits: (word, n) => ({ sku: `S${n}`, name: word, unitPrice: "1.50", at: "2026-01-01" }),
    bad: [{ unitPrice: "cheap" }, "unitPrice"],
  },
  stock: {
    fits: (_, n) => ({ sku: `S${n}`, stock: "3", at: "2026-01-01" }),
    bad: [{ stock: "1.5" }, "stock"],
  },
  orders: {
    fits: (word, n) => ({
      order: `O${n}`,
      sku: "S1",
      name: word,
      quantity: "1",
      unitPrice: "2",
      at: "2026-01-01 10:00",
    }),
    bad: [{ quantity: "many" }, "quantity"],
  },
  events: {
    fits: (word, n) => ({ name: "Tasted", user: `u${n}`, "data.what": word, at: "2026-01-01" }),
    bad: [{ at: "yesterday" }, "at"],
  },
  relations: {
    fits: (word, n) => ({
      user: `u${n}`,
      kind: "follow",
      other: `v ${word.slice(0, 8)}`.trim(),
      at: "2026-01-01",
    }),
    bad: [{ kind: "loves" }, "kind"],
  },
  consents: {
    fits: (_, n) => ({
      ...{ user: `u${n}`, purpose: "marketing", channel: "email" },
      ...{ granted: "true", at: "2011-01-01" },
    }),
    bad: [{ granted: "perhaps" }, "granted"],
  },
  market: {
    fits: (word, n) => ({
      kind: "calendar",
      place: String(n),
      measure: "Day",
      value: word,
      at: "2026-01-01",
    }),
    bad: [{ kind: "gossip" }, "kind"],
  },
};
const odd = [
  "plain",
  'said "yes"',
  "a,b",
  "one\ntwo",
  "one\r\ntwo",
  "茶 ☕ é",
  " padded ",
  "'quoted",
  "=1+1",
  ";drop table",
];
const cellOf = (text: string) => `"${text.replaceAll('"', '""')}"`;

test.each(kinds)(
  "%s: whatever stands in a cell and however the file was saved, a bad line is named and its neighbours go in",
  async (kind) => {
    const { fits, bad } = linesOfKind[kind];
    const rows = odd.map((word, n) => fits(word, n) as Record<string, string>);
    const wrong = { ...rows[3]!, ...bad[0] } as Record<string, string>;
    const all = [...rows.slice(0, 3), wrong, ...rows.slice(3)];
    const heading = [...new Set(all.flatMap((row) => Object.keys(row)))];
    const csv = (end: string) =>
      [heading, ...all.map((row) => heading.map((field) => row[field] ?? ""))]
        .map((cells) => cells.map(cellOf).join(","))
        .join(end);
    const unreadable = Buffer.concat([
      Buffer.from(
        `${csv("\n")}\n${heading
          .map((field) => cellOf(rows[0]![field] ?? ""))
          .slice(0, -1)
          .join(",")},`,
      ),
      Buffer.from([0xb2, 0xe8, 0xff, 0x0a]),
    ]);
    const ways: [string, string | Buffer, (string | undefined)?][] = [
      ["unix.csv", csv("\n")],
      ["windows.csv", csv("\r\n")],
      ["mark.csv", `\uFEFF${csv("\r\n")}`],
      ["utf16.csv", Buffer.from(`\uFEFF${csv("\r\n")}`, "utf16le")],
      ["gbk.csv", unreadable, heading.at(-1)],
      ["lines.jsonl", all.map((row) => JSON.stringify(row)).join("\n")],
      ["marked.jsonl", `\uFEFF${all.map((row) => JSON.stringify(row)).join("\r\n")}\r\n`],
      [
        "nul.jsonl",
        `${all.map((row) => JSON.stringify(row)).join("\n")}\n${JSON.stringify({ ...rows[0], [heading[0]!]: "a\0b" })}\n{"half": "\\ud800"}`,
        `${heading[0]},half`,
      ],
      [
        "broken.jsonl",
        `${all.map((row) => JSON.stringify(row)).join("\n")}\n{"a":\n[1]\n"text"`,
        ",,",
      ],
    ];
    await using here = await withFiles();
    for (const [name, text, more] of ways) {
      // Each way is a file of its own, so that no line is there already.
      const source = await collect.sourceNamed(here.house, here.sql, name, "import");
      const done = await here.take(kind, text, name, {}, source);
      const also = more === undefined ? [] : more.split(",");
      expect(done, name).toMatchObject({
        accepted: odd.length,
        doubles: 0,
        rejected: 1 + also.length,
      });
      const refused = await here.sql<{ line: number; field: string }[]>`
      select line::int, coalesce(field, '') as field from collect_rejected where source_id = ${source.id} order by line`;
      expect(
        refused.map(({ line, field }) => [line, field]),
        name,
      ).toEqual([[4, bad[1]], ...also.map((field, i) => [odd.length + 2 + i, field])]);
    }
  },
);
