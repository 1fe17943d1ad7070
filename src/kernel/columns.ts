// ClickHouse, by its own client over its own protocol, embedded or not. Derived data only: PostgreSQL is the truth.
import { Readable } from "node:stream";
import { ClickHouseLogLevel, createClient, type ClickHouseClient } from "@clickhouse/client";

export type Columns = {
  /** Rows of a report, as the user that may read only. Values are bound, `{name:Type}` in the text. */
  read: <T>(query: string, values?: Record<string, unknown>) => Promise<T[]>;
  /** DDL and mutations, as the program's own user. */
  run: (query: string, values?: Record<string, unknown>) => Promise<void>;
  /** Sent twice with one token, rows are there once, in tables with a deduplication window. */
  insert: (table: string, rows: readonly object[], token: string) => Promise<void>;
  /** The same with rows that are lines of JSON already. */
  insertLines: (table: string, rows: readonly { line: string }[], token: string) => Promise<void>;
  close: () => Promise<void>;
};

/** What one report may cost. The engine cannot be stopped from outside, so every query carries its own end. */
export const limits = {
  max_execution_time: 30,
  max_memory_usage: "1000000000",
  max_result_rows: "1000000",
} as const;

/** Acknowledged means that the part is on disk, and the folder that names it too: the tables' own settings say so. */
const durably = (token: string) => ({
  clickhouse_settings: {
    insert_deduplication_token: token,
    date_time_input_format: "best_effort",
  } as never,
});

export function connectColumns(url: string, reportUrl: string): Columns {
  const client = (to: string) =>
    createClient({
      url: to,
      request_timeout: 60_000,
      max_open_connections: 8,
      log: { level: ClickHouseLogLevel.OFF }, // it would write bound values; what fails is thrown and logged by us
    });
  const own: ClickHouseClient = client(url);
  const reports: ClickHouseClient = reportUrl === url ? own : client(reportUrl);
  return {
    read: async <T>(query: string, values: Record<string, unknown> = {}) => {
      const answer = await reports.query({
        query,
        query_params: values,
        format: "JSONEachRow",
        clickhouse_settings: { ...limits, output_format_json_quote_64bit_integers: 0 },
      });
      return answer.json<T>();
    },
    run: async (query, values = {}) => {
      await own.command({
        query,
        query_params: values,
        clickhouse_settings: { mutations_sync: "2" },
      });
    },
    insert: async (table, values, token) => {
      await own.insert({ table, values, format: "JSONEachRow", ...durably(token) });
    },
    insertLines: async (table, rows, token) => {
      const { stream } = await own.exec({
        query: `insert into ${table} format JSONEachRow`,
        values: Readable.from([rows.map(({ line }) => line).join("\n")], { objectMode: false }),
        ...durably(token),
      });
      for await (const _ of stream); // an answer that is not read to its end keeps its connection
    },
    close: async () => {
      await own.close();
      if (reports !== own) await reports.close();
    },
  };
}
