// Every SQL statement that writes forms, submissions and what waits to be confirmed, and their own reads.
import { nodesOf, type PersonKey, type Reader, type Tx } from "#kernel/sql.ts";
import type { Definition, Language } from "./rules.ts";

export type FormRow = {
  id: string;
  slug: string;
  state: "draft" | "live" | "closed";
  version: number;
  sourceId: string;
  origins: string[];
  definition: Definition;
};
export const addForm = (
  tx: Tx,
  row: Omit<FormRow, "definition" | "version"> & { createdAt: Date },
) => tx`insert into forms_form ${tx({ ...row, version: 0 })} on conflict do nothing`;
export async function lockForm(tx: Tx, id: string) {
  const [row] = await tx<{ slug: string; version: number }[]>`
    select slug, version from forms_form where id = ${id} for update`;
  return row ?? null;
}
export async function addVersion(
  tx: Tx,
  {
    id,
    version,
    definition,
    at,
  }: { id: string; version: number; definition: Definition; at: Date },
): Promise<void> {
  await tx`insert into forms_version (form_id, version, definition, at)
    values (${id}, ${version}, ${tx.json(definition as never)}, ${at})`;
  await tx`update forms_form set version = ${version} where id = ${id}`;
}
export const setState = (
  tx: Tx,
  { id, state, origins }: { id: string; state: FormRow["state"]; origins: readonly string[] },
) => tx`update forms_form set state = ${state}, origins = ${origins as string[]} where id = ${id}`;
const selected = (reader: Reader) => reader`
  select f.id, f.slug, f.state, f.version, f.source_id, f.origins, v.definition
  from forms_form f join forms_version v on v.form_id = f.id and v.version = f.version`;
export async function bySlug(reader: Reader, slug: string): Promise<FormRow | null> {
  const [row] = await reader<FormRow[]>`${selected(reader)} where f.slug = ${slug}`;
  return row ?? null;
}
export async function byId(reader: Reader, id: string): Promise<FormRow | null> {
  const [row] = await reader<FormRow[]>`${selected(reader)} where f.id = ${id}`;
  return row ?? null;
}
export async function definitionOf(reader: Reader, id: string, version: number) {
  const [row] = await reader<{ definition: Definition }[]>`
    select definition from forms_version where form_id = ${id} and version = ${version}`;
  return row?.definition ?? null;
}

/** Does this version say the same already? */
export async function isDefined(tx: Tx, id: string, version: number, definition: Definition) {
  const [row] = await tx`select 1 from forms_version where form_id = ${id} and version = ${version}
    and definition = ${tx.json(definition as never)}`;
  return row !== undefined;
}

export type Submission = {
  bucket: number;
  nodeId: string;
  id: string;
  formId: string;
  version: number;
  asked: string[];
  filled: string[];
  at: Date;
};
export const addSubmission = (tx: Tx, row: Submission) =>
  tx`insert into forms_submission ${tx(row)}`;
/**
 * The fields whose answer is known, given in a form before or in the profile, with `blankAt` null; and those that were
 * shown and left blank, with when that was last. What somebody took out of their profile is known too: that there is none.
 */
export const knownOf = (reader: Reader, { bucket, personId }: PersonKey) => reader<
  { name: string; blankAt: Date | null }[]
>`
  with sent as materialized (
    select f.asked, f.filled, f.at
    from (select ${bucket}::smallint as bucket, ${personId}::uuid as person_id) p
    cross join ${nodesOf(reader)} o
    join forms_submission f on f.bucket = o.bucket and f.node_id = o.node_id
      and (f.at, f.id) >= (o.from_at, o.from_id) and (f.at, f.id) < (o.until_at, o.until_id)
  ), known as (
    select unnest(filled) as name from sent
    union select field from people_field where bucket = ${bucket} and person_id = ${personId}
    union select jsonb_object_keys(attributes) from people_profile
      where bucket = ${bucket} and person_id = ${personId}
  )
  select name, null as blank_at from known
  union all
  select a.name, max(s.at) from sent s cross join unnest(s.asked) as a(name)
  where not exists (select from known k where k.name = a.name)
  group by a.name`;
/** What a person has agreed to, as "purpose channel". */
export const agreedOf = (reader: Reader, { bucket, personId }: PersonKey, now: Date) => reader<
  { kind: string }[]
>`
  select kind from (
    select distinct on (purpose, channel) purpose || ' ' || channel as kind, granted from messages_consent
    where bucket = ${bucket} and person_id = ${personId} and at <= ${now}
    order by purpose, channel, at desc, seq desc) c where granted`;

export type Pending = {
  id: string;
  formId: string;
  version: number;
  language: Language;
  blind: Buffer;
  sealed: Buffer;
  consents: { purpose: string; channel: string }[];
  ofBucket: number | null;
  ofPerson: string | null;
  expiresAt: Date;
};
export async function addPending(tx: Tx, row: Pending, now: Date): Promise<void> {
  await tx`delete from forms_pending where id in (
    select id from forms_pending where expires_at <= ${now} limit 100 for update skip locked)`;
  await tx`insert into forms_pending ${tx({ ...row, consents: tx.json(row.consents as never) } as never)}`;
}
export async function pending(reader: Reader, id: string, now: Date): Promise<Pending | null> {
  const [row] = await reader<Pending[]>`
    select * from forms_pending where id = ${id} and expires_at > ${now}`;
  return row ?? null;
}
/** Takes it away, once: null where somebody did already. */
export async function takePending(tx: Tx, id: string, now: Date): Promise<Pending | null> {
  const [row] = await tx<Pending[]>`
    delete from forms_pending where id = ${id} and expires_at > ${now} returning *`;
  return row ?? null;
}
export async function eraseRows(
  tx: Tx,
  { personId }: PersonKey,
  nodes: readonly { bucket: number; nodeId: string }[],
): Promise<void> {
  const own = [nodes.map((n) => n.bucket), nodes.map((n) => n.nodeId)] as const;
  await tx`
    delete from forms_submission f using unnest(${own[0]}::smallint[], ${own[1]}::uuid[]) as n (bucket, node_id)
    where f.bucket = n.bucket and f.node_id = n.node_id`;
  await tx`delete from forms_pending where of_person = ${personId}`;
  await tx`
    delete from forms_pending f using people_identifier i,
      unnest(${nodes.map((n) => n.bucket)}::smallint[], ${nodes.map((n) => n.nodeId)}::uuid[]) as n (bucket, node_id)
    where i.bucket = n.bucket and i.node_id = n.node_id and f.blind = i.blind`;
}
