import postgres from "postgres";

/** The columns that every key of a person's table begins with. */
export type PersonKey = { bucket: number; personId: string };

const text = { serialize: (day: string) => day, parse: (day: string) => day };
/** A bigint column arrives as bigint and a date as ISO text: no point is rounded, no midnight shifts. */
export const connect = (url: string, options: { max?: number; statementTimeoutMs?: number } = {}) =>
  postgres(url, {
    max: options.max ?? 10,
    onnotice: () => {},
    connection: {
      application_name: "liuke",
      statement_timeout: options.statementTimeoutMs ?? 30_000,
    },
    types: { bigint: postgres.BigInt, day: { to: 1082, from: [1082], ...text } },
    transform: { column: { from: postgres.toCamel, to: postgres.fromCamel } },
  });
export type Sql = ReturnType<typeof connect>;
/** One open transaction: what a service is given and a store may touch. */
export type Tx = postgres.TransactionSql<{ bigint: bigint; day: string }>;
/** Whatever can be asked: a transaction, or the pool. Views take this and never write. */
export type Reader = Sql | Tx;

/** Lists as parameters, where the driver would take the first element for the whole: bytes go as `::text[]::bytea[]`. */
export const byteList = (list: readonly Buffer[]): string[] =>
  list.map((bytes) => `\\x${bytes.toString("hex")}`);
export const bigintList = (list: readonly bigint[]): string[] => list.map(String);

/** PostgreSQL refuses these for now; nothing was saved, the same request may come again. */
const passing = new Set(["55P03", "40001", "40P01"]);
export const isPassing = (thrown: unknown): boolean =>
  passing.has((thrown as { code?: string }).code ?? "");
/** The server is away, starting, stopping or out of room: the answer is 503 and nothing was half done. */
const away = new Set([
  "57P01",
  "57P02",
  "57P03",
  "08006",
  "08001",
  "08003",
  "53300",
  "53100",
  "CONNECTION_ENDED",
  "CONNECTION_CLOSED",
  "CONNECTION_DESTROYED",
  "CONNECT_TIMEOUT",
  "ECONNREFUSED",
  "ECONNRESET",
]);
export const isAway = (thrown: unknown): boolean => {
  const { code, errors } = thrown as { code?: string; errors?: unknown[] };
  return away.has(code ?? "") || (errors?.some(isAway) ?? false);
};
