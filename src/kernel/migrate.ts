// Forward only. A file is run once, in the order of its number, in one transaction with the row that says so.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { crashAt } from "./crash.ts";
import { sha256 } from "./crypto.ts";
import type { Columns } from "./columns.ts";
import type { Sql } from "./sql.ts";

type File = { name: string; text: string };
const filesOf = (folder: string): File[] =>
  readdirSync(folder)
    .filter((name) => /^\d{4}_\w+\.sql$/.test(name))
    .toSorted()
    .map((name) => ({ name, text: readFileSync(join(folder, name), "utf8") }));
/** A data migration brings `NNNN_name.before.sql` and `.after.sql`: each query in it must give no row. */
const assertion = (folder: string, name: string, when: "before" | "after"): string | null => {
  try {
    return readFileSync(join(folder, name.replace(/\.sql$/, `.${when}.sql`)), "utf8");
  } catch {
    return null;
  }
};

/** `sql` is the owner's connection. Two processes that migrate at once wait for each other on the table's lock. */
export async function migrate(sql: Sql, folder: string): Promise<string[]> {
  await sql`
    create table if not exists migration (
      name text primary key, digest bytea not null, at timestamptz not null default now())`.catch(
    (thrown: { code?: string }) => {
      // Two that make it at the same instant: PostgreSQL lets one of them fail, and the table is there.
      if (!["23505", "42P07", "42710"].includes(thrown.code ?? "")) throw thrown;
    },
  );
  const done: string[] = [];
  for (const { name, text } of filesOf(folder))
    await sql.begin(async (tx) => {
      await tx`lock table migration in exclusive mode`;
      const digest = sha256(text);
      const [had] = await tx<{ digest: Buffer }[]>`
        select digest from migration where name = ${name}`;
      if (had && !had.digest.equals(digest))
        throw new Error(`${name} was changed after it ran: write a new migration`);
      if (had) return;
      await holds(tx, assertion(folder, name, "before"), `${name} before`);
      await tx.unsafe(text);
      crashAt("migrate.in_file");
      await holds(tx, assertion(folder, name, "after"), `${name} after`);
      await tx`insert into migration (name, digest) values (${name}, ${digest})`;
      done.push(name);
    });
  return done;
}
async function holds(tx: { unsafe: Sql["unsafe"] }, text: string | null, what: string) {
  if (text === null) return;
  const answer = await tx.unsafe(text);
  // One query gives its rows, several give a list of such lists.
  const rows = [...answer].flat().length;
  if (rows > 0) throw new Error(`${what}: ${rows} rows break the assertion`);
}

/** One function puts in the engine clause: a single server, or replicated over a cluster. */
export const engineClause = (text: string, replicated: boolean): string =>
  text.replaceAll(/\{engine:(\w*)MergeTree(\([^)]*\))?\}/g, (_, kind: string, args = "()") =>
    replicated ? `Replicated${kind}MergeTree${args}` : `${kind}MergeTree${args}`,
  );

export async function migrateColumns(
  columns: Columns,
  folder: string,
  replicated: boolean,
): Promise<string[]> {
  await columns.run(
    `create table if not exists migration (name String, digest String, at DateTime64(3) default now64(3))
     engine = ${engineClause("{engine:MergeTree}", replicated)} order by name`,
  );
  const had = new Map(
    (
      await columns.read<{ name: string; digest: string }>(`select name, digest from migration`)
    ).map(({ name, digest }) => [name, digest]),
  );
  const done: string[] = [];
  for (const { name, text } of filesOf(folder)) {
    const digest = sha256(text).toString("hex");
    if (had.has(name) && had.get(name) !== digest)
      throw new Error(`${name} was changed after it ran: write a new migration`);
    if (had.has(name)) continue;
    // Each statement says "if not exists": ClickHouse has no transaction, and a crash in the middle is run again.
    for (const statement of text.split(/;\s*$/m).filter((s) => s.trim() !== ""))
      await columns.run(engineClause(statement, replicated));
    await columns.insert("migration", [{ name, digest }], `migration:${name}`);
    done.push(name);
  }
  return done;
}
