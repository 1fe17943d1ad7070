import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  mayNameOutside,
  namesOutside,
  refuseKind,
  reportCaps,
  settingsFor,
} from "./clickhouse-guard.ts";

const one = { statementCount: 1, writesOnlyTargetDatabase: false };

test("a report reads, the program changes its own database, nobody steers the engine", () => {
  const reads = { ...one, queryClass: 0 as const };
  const writes = { ...one, queryClass: 1 as const };
  const global = { ...one, queryClass: 2 as const };
  const steers = { ...one, queryClass: 3 as const };
  const alters = { ...steers, writesOnlyTargetDatabase: true };
  expect(() => refuseKind("report", reads)).not.toThrow();
  for (const analysis of [writes, global, steers, alters])
    expect(() => refuseKind("report", analysis)).toThrow("Code: 497.");
  for (const analysis of [reads, writes, alters])
    expect(() => refuseKind("program", analysis)).not.toThrow();
  for (const analysis of [global, steers])
    expect(() => refuseKind("program", analysis)).toThrow("Code: 497.");
  for (const role of ["program", "report"] as const)
    expect(() => refuseKind(role, { ...reads, statementCount: 2 })).toThrow("Code: 62.");
});

describe("what lies outside the database", () => {
  test("is found however it is written, and whatever stands around it", () => {
    const names = fc.constantFrom(
      "file",
      "`file`",
      '"file"',
      "FILE",
      "executable",
      "eval",
      "aiGenerate",
    );
    const around = fc.stringMatching(/^[a-z '\w(),+*-]{0,30}$/);
    fc.assert(
      fc.property(names, around, (name, text) => {
        // Whole strings only, as in the canonical form.
        const strings = text.replaceAll("'", "");
        expect(namesOutside(`SELECT '${strings}', ${name}('x') FROM t`)).toBe(true);
        expect(mayNameOutside(`SELECT ${text} ${name}('x')`)).toBe(true);
      }),
    );
  });

  test("is not found inside a string, whatever the string holds", () => {
    fc.assert(
      fc.property(fc.string(), (s) => {
        const literal = `'${s.replaceAll("\\", "\\\\").replaceAll("'", "\\'")} file('`;
        expect(namesOutside(`SELECT ${literal} AS a, 'it''s a file' AS b FROM profile_x`)).toBe(
          false,
        );
      }),
    );
  });

  test("is suspected where a quoted name could spell it", () => {
    expect(mayNameOutside("select `\\x66il\\x65`('/x')")).toBe(true);
    expect(namesOutside("SELECT `\\x66il\\x65`('/x')")).toBe(true);
    expect(mayNameOutside("select count() from event where name = 'it\\'s'")).toBe(false);
  });
});

describe("a report's settings", () => {
  const number = fc.oneof(fc.integer().map(String), fc.double().map(String), fc.string());

  test("never exceed the caps, whatever is asked for", () => {
    fc.assert(
      fc.property(number, number, number, (time, memory, rows) => {
        const asked = [
          ["max_execution_time", time],
          ["max_memory_usage", memory],
          ["max_result_rows", rows],
        ] as const;
        const settings = settingsFor("report", new Map(asked));
        for (const [name, cap] of Object.entries(reportCaps)) {
          const value = Number(settings.get(name));
          expect(value).toBeGreaterThan(0);
          expect(value).toBeLessThanOrEqual(cap);
        }
        expect(settings.get("readonly")).toBe("1");
        // The last one set is the one that closes the door.
        expect([...settings.keys()].at(-1)).toBe("readonly");
      }),
    );
  });

  test.each([
    "readonly",
    "dialect",
    "allow_ddl",
    "format_template_row",
    "max_bytes_to_read",
    "input_format_record_errors_file_path",
    "send_logs_level",
    "allow_introspection_functions",
  ])("do not include %s", (name) => {
    expect(() => settingsFor("report", new Map([[name, "1"]]))).toThrow("Code: 164.");
  });

  test("leave the HTTP layer's own out, and refuse what is no name", () => {
    expect([...settingsFor("program", new Map([["wait_end_of_query", "1"]])).keys()]).not.toContain(
      "wait_end_of_query",
    );
    expect(() => settingsFor("program", new Map([["a = 1, readonly", "0"]]))).toThrow("Code: 115.");
  });
});
