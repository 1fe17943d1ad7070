import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { expect, test } from "vitest";
import { csvReader } from "./csv.ts";

const limits = { record: 1000, columns: 50 };
/** Everything that a text holds, handed over in parts of this size. */
function read(text: string, part = text.length || 1, own = limits) {
  const reader = csvReader(own);
  const out = [];
  for (let at = 0; at < text.length; at += part)
    out.push(...reader.push(text.slice(at, at + part)));
  out.push(...reader.end());
  return out.map(({ fields, text: begins }) => fields ?? begins);
}

test("what is well written says the same as any reader of CSV says, however it comes in parts", () => {
  const cell = fc.oneof(
    fc.string({ maxLength: 8 }),
    fc.stringMatching(/^[a,;"\r\n|\t ]{0,6}$/),
    fc.constantFrom("", "x", '"', '""', "a\r\nb", "\n", "\r"),
  );
  const written = (value: string) =>
    /[",;|\t\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
  fc.assert(
    fc.property(
      fc
        .integer({ min: 2, max: 4 })
        .chain((width) =>
          fc.array(fc.array(cell, { minLength: width, maxLength: width }), { maxLength: 8 }),
        ),
      fc.constantFrom(",", ";", "\t", "|"),
      fc.constantFrom("\n", "\r\n"),
      fc.boolean(),
      fc.integer({ min: 1, max: 9 }),
      (rows, by, end, endsWell, part) => {
        const names = ["k1", "k2", "k3", "k4"].slice(0, rows[0]?.length ?? 2);
        const all = [names, ...rows].map((row) => row.map(written).join(by));
        const text = all.join(end) + (endsWell ? end : "");
        const said: unknown = parse(text, {
          delimiter: by,
          record_delimiter: end,
          skip_empty_lines: true,
        });
        expect(read(text, part)).toEqual(said);
      },
    ),
    { numRuns: 1500 },
  );
});

test("whatever comes, every line is in some record, and parts of it make no difference", () => {
  const text = fc.stringMatching(/^[ab,;"\r\n]{0,60}$/);
  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 7 }), (body, part) => {
      const whole = `h1,h2\n${body}\nlast,one`;
      const own = { record: 25, columns: 3 };
      const said = read(whole, whole.length, own);
      if (body.length < 20) expect(read(whole, part, own)).toEqual(said);
      // Whatever stands before it, a good line that nothing quotes is not lost: at worst it is refused by name.
      expect(JSON.stringify(said.at(-1))).toContain("one");
    }),
    { numRuns: 3000 },
  );
});

const long = "x".repeat(1001);
test.each([
  ["a line that is too long", `a,b\n1,2\n3,${long}\n4,5\n`, [["1", "2"], `3,${long}`, ["4", "5"]]],
  ["and in quotes", `a,b\n1,"${long}"\n4,5\n`, [`1,"${long}"`, ["4", "5"]]],
  ["a quote never closed", 'a,b\n1,"2\n3,4\n5,6\n', ['1,"2', ["3", "4"], ["5", "6"]]],
  [
    "a quote never closed, and a file longer than a record may be",
    `a,b\n1,"2\n${"3,4\n".repeat(400)}5,6\n`,
    ['1,"2', ...Array.from({ length: 400 }, () => ["3", "4"]), ["5", "6"]],
  ],
  [
    "a quote that only the next quote closes",
    'a,b\n1,"2\n3,"4"\n5,6\n',
    ['1,"2', ["3", "4"], ["5", "6"]],
  ],
  [
    "a quote that a later one closes too well",
    'a,b\n1,"2\n3,4\n5,"6\n7,8\n',
    ['1,"2', ["3", "4"], '5,"6', ["7", "8"]],
  ],
  ["a quote within a field", 'a,b\n1,2"3\n4,5\n', ['1,2"3', ["4", "5"]]],
  ["text behind a closing quote", 'a,b\n1,"2"3\n4,5\n', ['1,"2"3', ["4", "5"]]],
  ["fields too many", "a,b\n1,2,3,4,5,6\n4,5\n", ["1,2,3,4,5,6", ["4", "5"]]],
  [
    "lines within quotes",
    'a,b\n1,"2\n3"\n4,5',
    [
      ["1", "2\n3"],
      ["4", "5"],
    ],
  ],
] as [string, string, (string | string[])[]][])("%s takes no neighbour down", (_, text, rest) => {
  // How much of a line that is no record is kept depends on how it came: its beginning always is.
  const begun = (rows: (string | string[])[]) =>
    rows.map((row) => (typeof row === "string" ? row.slice(0, 100) : row));
  for (const part of [text.length, 1, 7, 300])
    expect(begun(read(text, part).slice(1))).toEqual(begun(rest));
});

test.each([
  ["semicolons", "a;b;c\n1,5;2;3\n"],
  ["tabs", "a\tb\tc\n1,5\t2\t3\n"],
  ["bars", "a|b|c\n1,5|2|3\n"],
  ["semicolons, said by a spreadsheet", "sep=;\r\na;b;c\r\n1,5;2;3\r\n"],
  ["tabs, said by a spreadsheet", "sep=\t\na\tb\tc\n1,5\t2\t3\n"],
  ["carriage returns alone", "a;b;c\r1,5;2;3\r"],
  ["empty lines first", "\r\n\r\na;b;c\r\n1,5;2;3"],
  ["a separator within a quoted heading", '"a";b;c\n"1,5";2;3\n'],
])("columns are parted by %s", (_, text) => {
  for (const part of [text.length, 1, 4])
    expect(read(text, part)).toEqual([
      ["a", "b", "c"],
      ["1,5", "2", "3"],
    ]);
  expect(read('"x,y,z";b\n1;2\n')[0]).toEqual(["x,y,z", "b"]);
});

test("no more than one record is kept, however many fields it has or however long it is", () => {
  const reader = csvReader({ record: 1000, columns: 50 });
  reader.push("a,b\n");
  const [row] = reader.push(`${",".repeat(900)}\n`);
  expect(row!.fields).toBeNull();
  expect(read(",".repeat(900))[0]).toHaveLength(51);
  for (let i = 0; i < 1000; i++) expect(reader.push("y".repeat(1000))).toEqual([]);
  const [gone, next] = reader.push("\n1,2\n");
  expect(gone!.fields).toBeNull();
  expect(gone!.text.length).toBeLessThan(3000);
  expect(next!.fields).toEqual(["1", "2"]);
});
