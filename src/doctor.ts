// Does everything hold that must hold? The questions stand in invariants.sql; the audit's chain is counted over here.
import { readFileSync } from "node:fs";
import { verifyAudit, type Head } from "#kernel/audit-chain.ts";
import type { Keys } from "#kernel/crypto.ts";
import type { Sql, Tx } from "#kernel/sql.ts";

/** `rows` break it; 0 where it holds. `what` is what should be so. */
export type Finding = { id: string; what: { zh: string; en: string }; rows: number };

type Question = Omit<Finding, "rows"> & { query: string };
/** A heading is `-- I5 Chinese | English`; what stands before the first one is for its readers. */
export function questions(text: string): Question[] {
  return text
    .split(/^(?=-- I\d+ )/m)
    .filter((block) => block.startsWith("-- I"))
    .map((block) => {
      const [, id, zh, en, query] = /^-- (I\d+) (.+) \| (.+)\n([^]+)$/.exec(block) ?? [];
      if (!id || !zh || !en || !query) throw new Error(`invariants.sql: ${block.slice(0, 60)}`);
      return { id, what: { zh, en }, query: query.replace(/;\s*$/, "") };
    });
}

/** Columns whose text is the shop's own or PostgreSQL's, and may well hold an address. */
const ownWords = new Set(["messages_template.zh", "messages_template.en", "migration.name"]);

type Column = { table: string; column: string; text: boolean };
/** One question a table or column where a heading speaks of every one. */
function spread(question: Question, columns: Column[]): Question[] {
  const { query, what } = question;
  const fill = (name: string, change: (text: string) => string): Question => ({
    ...question,
    what: { zh: what.zh.replace(/\{\w+\}/, name), en: what.en.replace(/\{\w+\}/, name) },
    query: change(query),
  });
  if (query.includes("{person}")) {
    const names = Map.groupBy(columns, ({ table }) => table);
    return [...names].flatMap(([table, all]) => {
      const has = (name: string) => all.some(({ column }) => column === name);
      const isOwn = has("bucket") && has("person_id") && !has("person_bucket");
      if (!isOwn || table === "privacy_erasure") return [];
      return [fill(table, (text) => text.replaceAll("{person}", `"${table}"`))];
    });
  }
  if (query.includes("{text.column}"))
    return columns
      .filter(({ text, table, column }) => text && !ownWords.has(`${table}.${column}`))
      .map(({ table, column }) =>
        fill(`${table}.${column}`, (text) =>
          text.replaceAll("{text.table}", `"${table}"`).replaceAll("{text.column}", `"${column}"`),
        ),
      );
  return [question];
}

const file = new URL("../invariants.sql", import.meta.url);
/**
 * Asks everything, each question in a transaction that may only read. `sample`: profiles are counted over for one in so
 * many. `ids`: only these invariants. The audit is verified where the keys are given, against the heads that were
 * published.
 */
export async function doctor(
  sql: Sql,
  more: {
    sample?: number;
    ids?: readonly string[];
    audit?: { keys: Keys; heads: readonly Head[] };
  } = {},
): Promise<Finding[]> {
  const columns = await sql<Column[]>`
    select c.table_name as "table", c.column_name as "column",
      c.udt_name in ('text', 'jsonb', 'json', 'varchar', '_text') as text
    from information_schema.columns c join information_schema.tables t using (table_schema, table_name)
    where table_schema = 'public' and t.table_type = 'BASE TABLE' order by 1, 2`;
  const found: Finding[] = [];
  const asked = questions(readFileSync(file, "utf8"));
  for (const question of asked.filter((one) => more.ids?.includes(one.id) ?? true))
    for (const { id, what, query } of spread(question, columns)) {
      const text = query.replaceAll("{sample}", String(more.sample ?? 100));
      found.push({ id, what, rows: await count(sql, text) });
    }
  if (more.audit) {
    const { faults } = await verifyAudit(sql, more.audit.keys, more.audit.heads);
    const what = {
      zh: "审计链完整，且和已公布的链头一致",
      en: "The audit's chain is whole and agrees with the heads that were published",
    };
    found.push({ id: "I15", what, rows: faults.length });
  }
  return found;
}
const count = (sql: Sql, query: string): Promise<number> =>
  sql.begin("read only", async (tx: Tx) => {
    await tx`set local statement_timeout = '10min'`;
    const [row] = await tx.unsafe<{ rows: number }[]>(
      `select count(*)::int as rows from (select 1 from (${query}) broken) counted`,
    );
    return row!.rows;
  });
