// Every SQL statement that writes what is declared of traits and tags, and its own reads.
import { nobody } from "#kernel/ids.ts";
import type { PersonKey, Reader, Tx } from "#kernel/sql.ts";
import type { TagDefinition, Trait } from "./rules.ts";

type Progress = {
  version: number;
  state: "filling" | "ready" | "going";
  declaredAt: Date;
  by: string;
  afterBucket: number;
  afterId: string;
  done: bigint;
  total: bigint;
};
export type Declared = Progress & { name: string; definition: Trait };
export type DeclaredTag = Progress & { tag: string; definition: TagDefinition };
export const all = (reader: Reader) => reader<Declared[]>`select * from traits_trait order by name`;
export const allTags = (reader: Reader) =>
  reader<DeclaredTag[]>`select * from traits_tag order by tag`;

/** What is gone through in helpings after it was declared: a trait or a tag. */
export type What = { table: "traits_trait" | "traits_tag"; key: "name" | "tag"; name: string };
export const traitOf = (name: string): What => ({ table: "traits_trait", key: "name", name });
export const tagOf = (name: string): What => ({ table: "traits_tag", key: "tag", name });

/** Locked, so that its helpings go one after the other. */
export async function held(tx: Tx, { table, key, name }: What): Promise<Progress | undefined> {
  const [row] = await tx<Progress[]>`
    select * from ${tx(table)} where ${tx(key)} = ${name} for update skip locked`;
  return row;
}
/** Puts a declaration in; everybody is gone through from the beginning. */
export const put = (
  tx: Tx,
  { table, key, name }: What,
  row: Pick<Progress, "version" | "by" | "declaredAt"> & { total: number },
  definition: Trait | TagDefinition,
) => tx`
  insert into ${tx(table)}
    (${tx(key)}, definition, version, state, declared_at, by, total)
  values (${name}, ${tx.json(definition as never)}, ${row.version}, 'filling', ${row.declaredAt}, ${row.by},
    ${row.total})
  on conflict (${tx(key)}) do update set definition = excluded.definition, version = excluded.version,
    state = excluded.state, declared_at = excluded.declared_at, by = excluded.by,
    after_bucket = -1, after_id = ${nobody}, done = 0, total = excluded.total`;
/** Goes through everybody once more, as it is or to take it away. */
export const restart = (
  tx: Tx,
  { table, key, name }: What,
  state: "filling" | "going",
  total: number,
) => tx`
  update ${tx(table)} set state = ${state}, after_bucket = -1, after_id = ${nobody}, done = 0,
    total = ${total}
  where ${tx(key)} = ${name} and state <> 'going'`;
export const goOn = (tx: Tx, { table, key, name }: What, last: PersonKey, done: number) => tx`
  update ${tx(table)} set after_bucket = ${last.bucket}, after_id = ${last.personId},
    done = done + ${done}
  where ${tx(key)} = ${name}`;
export const ready = (tx: Tx, { table, key, name }: What) =>
  tx`update ${tx(table)} set state = 'ready', total = done where ${tx(key)} = ${name}`;
export const drop = (tx: Tx, { table, key, name }: What) =>
  tx`delete from ${tx(table)} where ${tx(key)} = ${name}`;

/** Which of these segments each of these people is in, and because of which event they came. */
export const membersAmong = (
  reader: Reader,
  people: readonly PersonKey[],
  segments: readonly string[],
) => reader<(PersonKey & { segmentId: string; event: string | null })[]>`
  select m.bucket, m.person_id, m.segment_id, case when m.cause_kind = 'event' then m.cause end as event
  from unnest(${people.map((p) => p.bucket)}::smallint[], ${people.map((p) => p.personId)}::uuid[])
    as p(bucket, person_id)
  join segments_member m on m.bucket = p.bucket and m.person_id = p.person_id
    and m.segment_id = any(${segments as string[]}::uuid[])`;

/** Whoever looks at people holds the generation, so that nothing declared changes under them; a change counts it on. */
export async function heldGeneration(tx: Tx): Promise<bigint> {
  const [row] = await tx<{ generation: bigint }[]>`select generation from traits_state for share`;
  return row!.generation;
}
export const nextGeneration = (tx: Tx) => tx`update traits_state set generation = generation + 1`;

/** Two who look at one person do it one after the other. */
export const lockPeople = (tx: Tx, people: readonly PersonKey[]) => tx`
  select from people_person p
  where p.bucket = any(${[...new Set(people.map((one) => one.bucket))]}::smallint[])
    and p.person_id = any(${people.map((one) => one.personId)}::uuid[])
  order by p.bucket, p.person_id for no key update`;
export async function everybodyCount(reader: Reader): Promise<number> {
  const [row] = await reader<{ people: number }[]>`
    select count(*)::int as people from people_person`;
  return row!.people;
}
