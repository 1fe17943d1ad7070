// What a caller may send. Rights on tables, table functions and engines are ClickHouse's own (clickhouse-config.ts);
// here is what embedded ClickHouse leaves open: it trusts its caller with its own files and with changing roles.
import { ClickHouseFailure } from "./clickhouse-error.ts";
import type { Analysis } from "./clickhouse-native.ts";

export type Role = "program" | "report";

const denied = (why: string) => new ClickHouseFailure(497, "ACCESS_DENIED", why);

/** Refuses by kind of statement: exactly one; a report only reads; nobody sets roles, writes files or runs SYSTEM. */
export function refuseKind(role: Role, analysis: Analysis): void {
  const { statementCount, queryClass, writesOnlyTargetDatabase } = analysis;
  if (statementCount > 1)
    throw new ClickHouseFailure(62, "SYNTAX_ERROR", "Multi-statements are not allowed.");
  if (role === "report" && queryClass !== 0) throw denied("This user may only read.");
  if (queryClass === 2) throw denied("Nothing outside the database may be changed.");
  // The classifier puts ALTER … DELETE and the like in class 3 too; those write our database and nothing else.
  if (queryClass === 3 && !writesOnlyTargetDatabase)
    throw denied("SET, USE, SYSTEM, KILL, BACKUP and files are not for this user.");
}

// Functions that reach outside the database and have no right of their own, or hide a statement in a text; and the
// clauses that the library, unlike a server, carries out on its own disk.
const outside =
  "file|infile|outfile|executable|executablepool|eval|catboostevaluate|ai(?:classify|embed|extract|generate|translate)";
const couldBeOutside = new RegExp(`${outside}|input_format_values`, "i");
const isOutside = new RegExp(`^(?:${outside})$|^input_format_values`, "i");

/**
 * Whether a text, as it was sent, could name any of those. Errs on the side of yes: the word anywhere, or a backslash
 * that could spell it inside a quoted name. What may be so is looked at closely (`namesOutside`), the rest is spared it.
 */
export function mayNameOutside(text: string): boolean {
  return couldBeOutside.test(text) || /[`"][^`"]*\\/.test(text);
}

/**
 * Whether a statement in ClickHouse's canonical form (formatQuery: no comments, one way of quoting) names any of those
 * anywhere but inside a string.
 */
export function namesOutside(canonical: string): boolean {
  const words =
    /'(?:[^'\\]|\\.|'')*'|`((?:[^`\\]|\\.|``)*)`|"((?:[^"\\]|\\.|"")*)"|([\p{L}_$][\p{L}\p{N}_$]*)/gsu;
  for (const [, ticked, quoted, bare] of canonical.matchAll(words)) {
    const name = ticked ?? quoted ?? bare;
    if (name !== undefined && (name.includes("\\") || isOutside.test(name))) return true;
  }
  return false;
}

/** Refuses a text that names what lies outside, or that could and cannot be read with certainty. `format` is formatQuery. */
export async function refuseOutside(
  text: string,
  parameters: ReadonlyMap<string, string>,
  format: (text: string) => Promise<string>,
): Promise<void> {
  // A name may come in as a parameter: {f:Identifier}.
  if (/Identifier/i.test(text))
    for (const value of parameters.values()) if (mayNameOutside(value)) throw denied(reason);
  if (!mayNameOutside(text)) return;
  const canonical = await format(text);
  // Values that stand in the statement are not part of the canonical form: they could call functions.
  if (/^INSERT\b.*\bFORMAT Values\s*$/s.test(canonical))
    throw denied("Values that mention files are sent in a body with a format.");
  if (namesOutside(canonical)) throw denied(reason);
}
const reason = "Files, scripts and what else lies outside the database cannot be named.";

/** Settings that a caller may not choose: they read or write files, reach the network, or undo the guard. */
const reserved = new RegExp(
  `^(?:${[
    "readonly",
    "dialect",
    "allow_ddl",
    "allow_introspection_functions",
    "allow_experimental_(?:ai_functions|eval_table_function)",
    "implicit_select",
    "input_format_values_.*",
    "input_format_record_errors_.*",
    "errors_output_format",
    "format_schema.*",
    "format_template.*",
    "format_avro_schema_registry.*",
    "send_logs_.*",
    ".*_(?:path|url|udf.*)",
  ].join("|")})$`,
);

/** Settings of the HTTP layer itself, which the engine does not know. */
const http =
  /^(wait_end_of_query|default_format|query_id|query|database|user|password|quota_key|compress|decompress|buffer_size|stacktrace|client_protocol_version|enable_http_compression|send_progress_in_http_headers|cancel_http_readonly_queries_on_client_close|add_http_cors_header|session_timeout|session_check|http_.*)$/;

/** Settings that change what a report looks like or how it is computed, but not what it may cost or reach. */
const reportMay =
  /^((output|input)_format_.*|date_time_(in|out)put_format|session_timezone|final|join_algorithm|join_use_nulls|max_threads|max_block_size|group_by_use_nulls|use_(query_condition|skip).*|optimize_.*|extremes|limit|offset)$/;

/** The most that one report may cost, whoever asks for more. Seconds, bytes, rows. */
export const reportCaps: Readonly<Record<string, number>> = {
  max_execution_time: 60,
  max_memory_usage: 1_000_000_000,
  max_result_rows: 1_000_000,
  max_result_bytes: 256_000_000,
};

const programDefaults: Readonly<Record<string, string>> = {
  max_execution_time: "600",
  max_memory_usage: "1200000000",
};

/**
 * The settings that a query runs with, from those that were sent. Caps of a report can be lowered, never raised or
 * lifted (0 means "no limit" to ClickHouse and is read as the cap).
 */
export function settingsFor(role: Role, sent: ReadonlyMap<string, string>): Map<string, string> {
  const settings = new Map<string, string>([
    // As a server has them; embedded, ClickHouse would take a bare expression for a query.
    ["implicit_select", "0"],
    ["input_format_values_interpret_expressions", "0"],
    ["input_format_values_deduce_templates_of_expressions", "0"],
  ]);
  if (role === "program")
    for (const [name, value] of Object.entries(programDefaults)) settings.set(name, value);
  for (const [name, value] of sent) {
    if (http.test(name)) continue;
    if (!/^[a-z][a-z0-9_]*$/i.test(name))
      throw new ClickHouseFailure(115, "UNKNOWN_SETTING", "Unknown setting.");
    const free = role === "program" || reportMay.test(name) || name in reportCaps;
    if (!free || reserved.test(name))
      throw new ClickHouseFailure(
        164,
        "READONLY",
        `Cannot modify '${name}' setting in readonly mode.`,
      );
    settings.set(name, value);
  }
  if (role === "report") {
    for (const [name, cap] of Object.entries(reportCaps)) {
      const asked = Number(settings.get(name) ?? cap);
      settings.set(name, String(asked > 0 && asked < cap ? asked : cap));
    }
    settings.set("result_overflow_mode", "throw");
    settings.set("timeout_overflow_mode", "throw");
    settings.set("allow_introspection_functions", "0");
    settings.set("readonly", "1");
  }
  return settings;
}
