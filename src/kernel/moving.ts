// Rows of a person that go to another or wait aside, whole, as they stand. Tables are named by the domain that owns them.
import type { PersonKey, Tx } from "./sql.ts";

/** A row as the text of its JSON, so that no figure is rounded on its way, and whose it is. */
export type Row = { text: string };
export type Owned = Row & { personId: string };

const bucketsOf = (people: readonly PersonKey[]) => people.map(({ bucket }) => bucket);
const idsOf = (people: readonly PersonKey[]) => people.map(({ personId }) => personId);
/** Takes away all rows of these people. */
export const takeRows = async (
  tx: Tx,
  table: string,
  people: readonly PersonKey[],
): Promise<Owned[]> =>
  tx<Owned[]>`
    with gone as (
      delete from ${tx(table)} t
      using unnest(${bucketsOf(people)}::smallint[], ${idsOf(people)}::uuid[]) as p(bucket, person_id)
      where t.bucket = p.bucket and t.person_id = p.person_id returning t.*
    ) select person_id, to_jsonb(gone)::text as text from gone`;
/** Puts rows in where none with their key is, each with whoever `to` names or as it stands; gives those that went in. */
export const giveRows = async (
  tx: Tx,
  table: string,
  rows: readonly (Row & { to?: PersonKey })[],
): Promise<Owned[]> => {
  if (rows.length === 0) return [];
  const keys = rows.map(({ to }) =>
    to ? JSON.stringify({ bucket: to.bucket, person_id: to.personId }) : "{}",
  );
  return tx<Owned[]>`
    with given as (
      insert into ${tx(table)}
      select r.* from unnest(${rows.map(({ text }) => text)}::text[], ${keys}::text[]) as t(text, key)
      cross join lateral jsonb_populate_record(null::${tx(table)}, t.text::jsonb || t.key::jsonb) r
      on conflict do nothing returning *
    ) select person_id, to_jsonb(given)::text as text from given`;
};
/** Takes away those rows of people whose further key is theirs here. */
export const takeSome = async (
  tx: Tx,
  table: string,
  asked: readonly { person: PersonKey; key: string }[],
): Promise<Owned[]> => {
  if (asked.length === 0) return [];
  const people = asked.map(({ person }) => person);
  return tx<Owned[]>`
    with gone as (
      delete from ${tx(table)} t
      using unnest(${bucketsOf(people)}::smallint[], ${idsOf(people)}::uuid[],
        ${asked.map(({ key }) => key)}::text[]) as k(bucket, person_id, key)
      where t.bucket = k.bucket and t.person_id = k.person_id
        and to_jsonb(t) - 'bucket' - 'person_id' @> k.key::jsonb returning t.*
    ) select person_id, to_jsonb(gone)::text as text from gone`;
};
/** The further key of a row, as JSON. */
export const keyOf = ({ text }: Row, columns: readonly string[]): string => {
  const row = JSON.parse(text) as Record<string, unknown>;
  return JSON.stringify(Object.fromEntries(columns.map((column) => [column, row[column]])));
};
