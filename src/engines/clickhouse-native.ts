// The few calls of chDB's native addon that we use, typed. The package's own Session keeps parameters and settings on
// a connection, knows few insert formats and does not offer ClickHouse's classifier; the addon below it does all three.
import { createRequire } from "node:module";

declare const connection: unique symbol;
declare const stream: unique symbol;
export type Connection = { readonly [connection]: true };
export type NativeStream = { readonly [stream]: true };

type Rows = { bytes: Uint8Array; elapsed: number; rowsRead: number; bytesRead: number };
type Written = { rowsWritten: number; bytesWritten: number; elapsed: number };
type Chunk = { done: boolean; bytes: Uint8Array; numRows: number };

/** ClickHouse's own reading of a text: what kind of statements, how many, and whether they write only our database. */
export type Analysis = {
  statementCount: number;
  /** 0 reads · 1 changes a database · 2 changes what is global · 3 SET, SYSTEM, files and the like · 4 not understood */
  queryClass: 0 | 1 | 2 | 3 | 4;
  writesOnlyTargetDatabase: boolean;
};

export type Native = {
  CreateConnection: (path: string, args: string[]) => Connection;
  CloseConnection: (c: Connection) => void;
  QueryAsyncConnection: (c: Connection, sql: string, format: string) => Promise<Rows>;
  InsertRawAsyncConnection: (
    c: Connection,
    statement: string,
    data: Buffer,
    countLines: boolean,
  ) => Promise<Written>;
  /** Returns at once; the work happens in StreamFetch, off the event loop. One stream a connection. */
  StreamQuery: (c: Connection, sql: string, format: string) => NativeStream;
  StreamFetch: (s: NativeStream) => Promise<Chunk>;
  /** Frees the stream. Never while a fetch runs. */
  StreamCancel: (s: NativeStream) => void;
  DurableClassifyAsync: (c: Connection, sql: string, database: string) => Promise<Analysis>;
};

/** Loads the library (half a gigabyte, mapped not read: about 0.5 s). Once per process. */
export function loadNative(): Native {
  const here = createRequire(import.meta.url);
  const chdb = createRequire(here.resolve("chdb/package.json"));
  const loader = chdb("./dist/loader.js") as { loadNative: () => Native };
  return loader.loadNative();
}
