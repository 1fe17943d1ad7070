// Every SQL statement that writes what is declared of traits and tags, and its own reads.
import { nobody } from "#kernel/ids.ts";
import type { PersonKey, Reader, Tx } from "#kernel/sql.ts";
import type { Trait } from "./rules.ts";

export type Declared = {
  name: string;
  definition: Trait;
  version: number;
  state: "filling" | "ready" | "going";
  declaredAt: Date;
  by: string;
  afterBucket: number;
  afterId: string;
  done: bigint;
  total: bigint;
};
export const all = (reader: Reader) => reader<Declared[]>`select * from traits_trait order by name`;
export async function byName(reader: Reader, name: string): Promise<Declared | undefined> {
  const [row] = await reader<Declared[]>`select * from traits_trait where name = ${name}`;
  return row;
}
/** Locked, so that its helpings go one after the other. */
export async function held(tx: Tx, name: string): Promise<Declared | undefined> {
  const [row] = await tx<Declared[]>`
    select * from traits_trait where name = ${name} for update skip locked`;
  return row;
}
/** Puts a declaration in; everybody is gone through from the beginning. */
export const put = (
  tx: Tx,
  {
    definition,
    ...row
  }: Pick<Declared, "name" | "definition" | "version" | "by" | "declaredAt"> & {
    total: number;
  },
) => tx`
  insert into traits_trait ${tx({
    ...row,
    definition: tx.json(definition as never),
    state: "filling",
  })}
  on conflict (name) do update set definition = excluded.definition, version = excluded.version,
    state = excluded.state, declared_at = excluded.declared_at, by = excluded.by,
    after_bucket = -1, after_id = ${nobody}, done = 0, total = excluded.total`;
export const leave = (tx: Tx, name: string, total: number) => tx`
  update traits_trait set state = 'going', after_bucket = -1, after_id = ${nobody}, done = 0, total = ${total}
  where name = ${name}`;
export const goOn = (tx: Tx, name: string, last: PersonKey, done: number) => tx`
  update traits_trait set after_bucket = ${last.bucket}, after_id = ${last.personId}, done = done + ${done}
  where name = ${name}`;
export const ready = (tx: Tx, name: string) =>
  tx`update traits_trait set state = 'ready', total = done where name = ${name}`;
export const drop = (tx: Tx, name: string) => tx`delete from traits_trait where name = ${name}`;

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
