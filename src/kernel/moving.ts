// Rows of a person that go to another or wait aside, whole, as they stand. Tables are named by the domain that owns them.
import type { PersonKey, Tx } from "./sql.ts";

/** A row as the text of its JSON, so that no figure is rounded on its way. */
export type Row = { text: string };

/** Takes away all rows of a person. */
export const takeRows = (tx: Tx, table: string, { bucket, personId }: PersonKey) =>
  tx<Row[]>`
    with gone as (
      delete from ${tx(table)} where bucket = ${bucket} and person_id = ${personId} returning *
    ) select to_jsonb(gone)::text as text from gone`;
/** Puts rows in where none with their key is; gives which of them went in. */
export const giveRows = async (
  tx: Tx,
  table: string,
  rows: readonly Row[],
  to?: PersonKey,
): Promise<Row[]> => {
  if (rows.length === 0) return [];
  const texts = rows.map(({ text }) => text);
  const key = to ? JSON.stringify({ bucket: to.bucket, person_id: to.personId }) : "{}";
  return tx<Row[]>`
    with given as (
      insert into ${tx(table)}
      select r.* from unnest(${texts}::text[]) as t(text)
      cross join lateral jsonb_populate_record(null::${tx(table)}, t.text::jsonb || ${key}::text::jsonb) r
      on conflict do nothing returning *
    ) select to_jsonb(given)::text as text from given`;
};
/** Takes away those rows of a person whose further key is one of these. */
export const takeSome = async (
  tx: Tx,
  table: string,
  { bucket, personId }: PersonKey,
  keys: readonly string[],
): Promise<Row[]> => {
  if (keys.length === 0) return [];
  return tx<Row[]>`
    with gone as (
      delete from ${tx(table)} t where bucket = ${bucket} and person_id = ${personId}
        and to_jsonb(t) - 'bucket' - 'person_id' @> any(${keys as string[]}::text[]::jsonb[]) returning *
    ) select to_jsonb(gone)::text as text from gone`;
};
/** The further key of a row, as JSON. */
export const keyOf = ({ text }: Row, columns: readonly string[]): string => {
  const row = JSON.parse(text) as Record<string, unknown>;
  return JSON.stringify(Object.fromEntries(columns.map((column) => [column, row[column]])));
};
