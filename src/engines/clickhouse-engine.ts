// ClickHouse in this process. Each statement has a connection of its own (0.3 ms to make), because settings, parameters
// and roles stay on a connection; a second one runs beside it, so a slow report holds no insert up.
import { rm } from "node:fs/promises";
import { database } from "./clickhouse-config.ts";
import { ClickHouseFailure, told } from "./clickhouse-error.ts";
import { refuseOutside, refuseKind, settingsFor, type Role } from "./clickhouse-guard.ts";
import { incomingFolder, insertFrom, withRows } from "./clickhouse-rows.ts";
import { lane } from "./clickhouse-lanes.ts";
import {
  loadNative,
  type Analysis,
  type Connection,
  type NativeStream,
} from "./clickhouse-native.ts";

export type Statement = {
  role: Role;
  text: string;
  /** Rows of an INSERT, in the format that the text names. */
  data: Buffer | undefined;
  /** The output format where the text names none. */
  format: string;
  database: string;
  settings: ReadonlyMap<string, string>;
  /** Values of `{name:Type}`, in ClickHouse's escaped (TSV) form. */
  parameters: ReadonlyMap<string, string>;
};

export type Counts = {
  readRows: number;
  readBytes: number;
  writtenRows: number;
  writtenBytes: number;
};

/** What a statement gives: pieces of its output, in order. The first is fetched already, so that errors come early. */
type Result = { pieces: AsyncIterable<Uint8Array>; counts: Counts };

export type Engine = {
  run: (statement: Statement) => Promise<Result>;
  close: () => Promise<void>;
};

/** Wide enough together to leave some of libuv's 16 threads (UV_THREADPOOL_SIZE) to compression. */
const widths: Record<Role, number> = { program: 8, report: 4 };
const waiting = 256;
const noData = 108;
const none: Counts = { readRows: 0, readBytes: 0, writtenRows: 0, writtenBytes: 0 };
const fromFile = /:? \(in file\/uri [^)]*\)/;
const versionless = / \(version [\d.]+(?: \(official build\))?\)$/;

const quoted = (value: string) => `'${value.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
const ticked = (name: string) => `\`${name.replaceAll("\\", "\\\\").replaceAll("`", "\\`")}\``;

function opening(statement: Statement): string {
  const { role, settings, parameters } = statement;
  const lines = [`SET ROLE ${role}`, `USE ${ticked(statement.database)}`];
  for (const [name, value] of parameters) {
    if (!/^\w+$/.test(name))
      throw new ClickHouseFailure(36, "BAD_ARGUMENTS", "Unknown form of a parameter's name.");
    lines.push(`SET param_${name} = ${quoted(value)}`);
  }
  const set = [...settingsFor(role, settings)].map(([name, value]) => `${name} = ${quoted(value)}`);
  lines.push(`SET ${set.join(", ")}`);
  return lines.join(";\n");
}

/** Opens the data (about 0.2 s) and makes the database. One engine a process, one process a folder. */
export async function openEngine(data: string, configFile: string): Promise<Engine> {
  const incoming = await incomingFolder(data);
  const native = loadNative();
  const args = [`--config-file=${configFile}`];
  // Stays open as long as the process: the engine lives while it has a connection.
  const first = native.CreateConnection(data, args);
  await native.QueryAsyncConnection(
    first,
    `SET ROLE program; CREATE DATABASE IF NOT EXISTS ${database}`,
    "Null",
  );
  const lanes = { program: lane(widths.program, waiting), report: lane(widths.report, waiting) };

  async function canonical(c: Connection, text: string): Promise<string> {
    const call = `SELECT formatQuery(${quoted(text)})`;
    const rows = await native.QueryAsyncConnection(c, call, "RawBLOB");
    return Buffer.from(rows.bytes).toString();
  }

  async function check(c: Connection, statement: Statement): Promise<Analysis> {
    const { text, role, parameters } = statement;
    const analysis = await native.DurableClassifyAsync(c, text, database);
    // What the classifier does not understand is a syntax error, which the parser words best, or nothing we allow.
    if (analysis.queryClass === 4) {
      await canonical(c, text);
      throw new ClickHouseFailure(
        48,
        "NOT_IMPLEMENTED",
        "This kind of statement is not known here.",
      );
    }
    refuseKind(role, analysis);
    await refuseOutside(text, parameters, (query) => canonical(c, query));
    return analysis;
  }

  async function insert(c: Connection, text: string, rows: Buffer): Promise<Result> {
    const form = await canonical(c, text);
    const written = await withRows(incoming, rows, (path) =>
      native.InsertRawAsyncConnection(c, insertFrom(path, text, form), Buffer.alloc(0), false),
    );
    const { rowsWritten: writtenRows, bytesWritten: writtenBytes } = written;
    return { pieces: only(new Uint8Array()), counts: { ...none, writtenRows, writtenBytes } };
  }

  /** The rows of a stream that runs, piece by piece. Whoever stops reading ends the query. */
  async function* flow(stream: NativeStream, done: () => void): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        const chunk = await native.StreamFetch(stream);
        if (chunk.done) return;
        yield chunk.bytes;
      }
    } finally {
      native.StreamCancel(stream);
      done();
    }
  }

  /** SHOW, DESCRIBE, EXISTS and EXPLAIN read too, but do not stream: undefined. */
  function streamOf(c: Connection, statement: Statement): NativeStream | undefined {
    try {
      return native.StreamQuery(c, statement.text, statement.format);
    } catch (error) {
      if (String(error).includes("Streaming query is not supported")) return undefined;
      throw error;
    }
  }

  async function run(statement: Statement): Promise<Result> {
    const leave = await lanes[statement.role]();
    const c = native.CreateConnection(data, args);
    const done = () => {
      native.CloseConnection(c);
      leave();
    };
    let streaming = false;
    try {
      await native.QueryAsyncConnection(c, opening(statement), "Null");
      const { queryClass } = await check(c, statement);
      if (queryClass === 0 && statement.data !== undefined)
        throw new ClickHouseFailure(
          62,
          "SYNTAX_ERROR",
          "Data was sent with a statement that takes none.",
        );
      const stream = queryClass === 0 ? streamOf(c, statement) : undefined;
      if (stream !== undefined) {
        streaming = true;
        return { pieces: await begun(flow(stream, done)), counts: none };
      }
      if (statement.data !== undefined) return await insert(c, statement.text, statement.data);
      const rows = await native.QueryAsyncConnection(c, statement.text, statement.format);
      const counts = { ...none, readRows: rows.rowsRead, readBytes: rows.bytesRead };
      return { pieces: only(rows.bytes), counts };
    } catch (error) {
      if (error instanceof ClickHouseFailure) throw error;
      // An INSERT of no rows is nothing wrong to a server; only the library minds.
      if (told(error).code === noData) return { pieces: only(new Uint8Array()), counts: none };
      const text = told(error).text.replace(versionless, "").replace(fromFile, "");
      throw new Error(text, { cause: error });
    } finally {
      if (!streaming) done();
    }
  }

  const close = async () => {
    native.CloseConnection(first);
    await rm(incoming, { recursive: true, force: true });
  };
  return { run, close };
}

async function* only(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}

/** The same pieces, the first of them fetched now: what fails at once fails here. */
async function begun(pieces: AsyncGenerator<Uint8Array>): Promise<AsyncIterable<Uint8Array>> {
  const first = await pieces.next();
  return (async function* () {
    try {
      if (first.done) return;
      yield first.value;
      yield* pieces;
    } finally {
      await pieces.return(undefined);
    }
  })();
}
