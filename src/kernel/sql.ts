import type Driver from "postgres";
import { postgres } from "./postgres-driver.ts";

/** The columns that every key of a person's table begins with. */
export type PersonKey = { bucket: number; personId: string };

/** Each person once, in the order in which they come first. */
export const eachPerson = (all: readonly PersonKey[]): PersonKey[] => [
  ...new Map(all.map(({ bucket, personId }) => [personId, { bucket, personId }])).values(),
];

const reconnectSeconds = 0.25;
const text = { serialize: (day: string) => day, parse: (day: string) => day };
/** A bigint column arrives as bigint and a date as ISO text: no point is rounded, no midnight shifts. */
export function connect(url: string, options: { max?: number; statementTimeoutMs?: number } = {}) {
  const sql = postgres(url, {
    max: options.max ?? 10,
    onnotice: () => {},
    // A server that is back is found at once: the driver's own pauses grow to 20 s with each request meanwhile.
    backoff: () => reconnectSeconds,
    connection: {
      application_name: "liuke",
      statement_timeout: options.statementTimeoutMs ?? 30_000,
    },
    types: { bigint: postgres.BigInt, day: { to: 1082, from: [1082], ...text } },
    transform: { column: { from: postgres.toCamel, to: postgres.fromCamel } },
  });
  const begin = sql.begin.bind(sql) as (...given: unknown[]) => Promise<unknown>;
  sql.begin = ((...given: [...string[], Work]) => {
    const work = given.pop() as Work;
    let over = false;
    const done = begin(...given, (tx: Tx) => work(whileOpen(tx, () => over)));
    const end = () => void (over = true);
    done.then(end, end);
    return done;
  }) as typeof sql.begin;
  return sql;
}
type Work = (tx: Tx) => unknown;

/**
 * A transaction whose connection was lost is over, though its work may not know: what it asks after that would be done
 * on a new connection, in no transaction or in somebody else's. So it is refused.
 */
const whileOpen = (tx: Tx, isOver: () => boolean): Tx =>
  new Proxy(tx, {
    apply: (target, self, given) => {
      if (isOver()) throw Object.assign(new Error("the transaction is over"), lost);
      return Reflect.apply(target as never, self, given) as unknown;
    },
    get: (target, name) =>
      name === "savepoint"
        ? (...given: unknown[]) => {
            const work = given.pop() as Work;
            const savepoint = Reflect.get(target, name) as (...all: unknown[]) => Promise<unknown>;
            return savepoint(...given, (step: Tx) => work(whileOpen(step, isOver)));
          }
        : (Reflect.get(target, name) as unknown),
  });
const lost = { code: "CONNECTION_CLOSED" };
export type Sql = ReturnType<typeof connect>;
/** One open transaction: what a service is given and a store may touch. */
export type Tx = Driver.TransactionSql<{ bigint: bigint; day: string }>;
/** Whatever can be asked: a transaction, or the pool. Views take this and never write. */
export type Reader = Sql | Tx;

// ── whose a node of the log is ─────────────────────────────────────────────────────────────────────────────────────
// The view people_owner is asked by key, for one event or one person at a time, whatever the planner knows of tables that
// are being filled: joined as a whole it is read once for each row.

type Column = `${string}.${string}`;
/**
 * To be joined: (person_bucket, person_id) of whoever a node belonged to at an event's place in time; nothing where it
 * was nobody's. `event` is the alias of a row with `at` and `id`, and `node` where its node stands.
 */
export const ownerAt = (
  reader: Reader,
  event = "e",
  node: [Column, Column] = [`${event}.bucket`, `${event}.node_id`],
) => {
  const at = reader`(${reader(`${event}.at`)}, ${reader(`${event}.id`)})`;
  return reader`lateral (
    select whose.person_bucket, whose.person_id from people_owner whose
    where whose.bucket = ${reader(node[0])} and whose.node_id = ${reader(node[1])}
      and ${at} >= (whose.from_at, whose.from_id) and ${at} < (whose.until_at, whose.until_id)
    limit 1
  )`;
};
/** To be joined: the nodes that are a person's, each with the span over which it is. `person` has `bucket`, `person_id`. */
export const nodesOf = (
  reader: Reader,
  person: [Column, Column] = ["p.bucket", "p.person_id"],
) => reader`lateral (
    select * from people_owner whose
    where whose.person_bucket = ${reader(person[0])} and whose.person_id = ${reader(person[1])}
    offset 0
  )`;
/** To be joined: what a person did of these names, node by node. */
export const eventsOf = (
  reader: Reader,
  names: readonly string[],
  person?: [Column, Column],
) => reader`lateral (
    select did.* from ${nodesOf(reader, person)} node
    cross join lateral (
      select * from collect_event x
      where x.bucket = node.bucket and x.node_id = node.node_id and x.name = any(${names as string[]}::text[])
      offset 0
    ) did
    where (did.at, did.id) >= (node.from_at, node.from_id) and (did.at, did.id) < (node.until_at, node.until_id)
  )`;

/** A stretch of the log: of each bucket, its events from one offset to another, both included. */
export type Slice = { buckets: number[]; froms: bigint[]; tos: bigint[] };
/**
 * To be selected from: the events of a slice of the log as e. Each stretch is read by its place and by nothing else, whatever is asked of its events then; `such` is asked of e.
 */
export const eventsIn = (
  reader: Reader,
  { buckets, froms, tos }: Slice,
  such = reader`true`,
) => reader`(
    select e.* from unnest(${buckets}::smallint[],
      ${bigintList(froms)}::bigint[], ${bigintList(tos)}::bigint[]) as s(bucket, "from", "to")
    cross join lateral (
      select * from collect_event x where x.bucket = s.bucket and x."offset" between s."from" and s."to" offset 0
    ) e
    where ${such}
  ) e`;

/**
 * To be said of events of a name where everybody's are asked for: the index over names serves whoever says so alone.
 * Otherwise PostgreSQL, as long as it believes a name to be rare, goes through everybody's events of it for one person.
 */
export const ofEverybody = (reader: Reader, event = "e") =>
  reader`${reader(`${event}.bucket`)} >= 0`;

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

/** Not resting after a failure, by a row's `attempts` and `failed_at`. The rest grows with the square of the tries, to a minute. */
export const hasRested = (reader: Reader) => reader`
  (failed_at is null or failed_at < now() - least(attempts * attempts, 60) * interval '1 s')`;
