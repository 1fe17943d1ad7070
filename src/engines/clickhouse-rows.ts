// Rows of an INSERT. The library takes rows that follow a statement for the end of a script: at an empty line, which a
// text or a binary row may well hold, it would cut them and run what comes next as a statement. So rows never stand
// beside a statement: they go through a file of their own, which the engine reads to its end and nothing else.
import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ClickHouseFailure } from "./clickhouse-error.ts";

/** The library reads `*`, `?` and `{a,b}` in a path as a pattern, and a pattern that matches nothing as no rows. */
const plain = /^[\w./-]+$/;

/** A folder of the engine's own for rows on their way in, empty, below the data where its name will do. */
export async function incomingFolder(data: string): Promise<string> {
  if (!plain.test(data)) return mkdtemp("/tmp/liuke-incoming-");
  const folder = join(data, "incoming");
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { mode: 0o700 });
  return folder;
}

/** Runs `use` with a file that holds those rows, and takes the file away. */
export async function withRows<T>(
  folder: string,
  rows: Buffer,
  use: (path: string) => Promise<T>,
): Promise<T> {
  const path = join(folder, randomUUID());
  try {
    await writeFile(path, rows, { mode: 0o600, flag: "wx" });
    return await use(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOSPC")
      throw new ClickHouseFailure(243, "NOT_ENOUGH_SPACE", "No space left for the rows.");
    throw error;
  } finally {
    await rm(path, { force: true });
  }
}

/**
 * The statement that inserts the rows of that file. `text` is what was sent, `canonical` the same as formatQuery writes
 * it: `INSERT INTO t (columns) [SETTINGS …] FORMAT Name`.
 */
export function insertFrom(path: string, text: string, canonical: string): string {
  const refuse = (why: string) => new ClickHouseFailure(62, "SYNTAX_ERROR", why);
  if (!/\b(FORMAT\s+\w+|VALUES)\s*;?$/i.test(text))
    throw refuse("A statement whose rows are in the body ends with FORMAT and the format's name.");
  const [, into, settings = "", format] =
    /^(INSERT INTO (?!FUNCTION\b)(?:(?!\sSELECT\b).)+?)(\sSETTINGS\s.*)?\sFORMAT (\w+)\s*$/s.exec(
      canonical,
    ) ?? [];
  if (into === undefined || format === undefined)
    throw refuse(
      "Rows in the body go with INSERT INTO table (columns) FORMAT name, and nothing else.",
    );
  return `${into} FROM INFILE '${path}' COMPRESSION 'none'${settings} FORMAT ${format}`;
}
