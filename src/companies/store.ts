// Every SQL statement that writes companies, their members, figures and tags, and their own reads.
import { nodesOf, ownerAt, type PersonKey, type Reader, type Tx } from "#kernel/sql.ts";
import type { Fact, Profile, Span } from "./rules.ts";

const bucketsOf = (rows: readonly PersonKey[]) => rows.map(({ bucket }) => bucket);
const peopleOf = (rows: readonly PersonKey[]) => rows.map(({ personId }) => personId);
const whose = (tx: Tx | Reader, people: readonly PersonKey[]) =>
  tx`unnest(${bucketsOf(people)}::smallint[], ${peopleOf(people)}::uuid[]) as p (bucket, person_id)`;

export type NewCompany = { id: string; sourceId: string; ref: string; seenAt: Date };
/** Makes what is not there, in one order for everybody, and holds all of them until the transaction ends. */
export const holdCompanies = (tx: Tx, rows: readonly NewCompany[]) => tx<
  { id: string; profile: Profile }[]
>`
  insert into companies_company as c (id, source_id, ref, seen_at)
  select * from unnest(${rows.map((r) => r.id)}::uuid[], ${rows.map((r) => r.sourceId)}::uuid[],
    ${rows.map((r) => r.ref)}::text[], ${rows.map((r) => r.seenAt.toISOString())}::text[]::timestamptz[])
    as n (id, source_id, ref, seen_at)
  order by n.id
  on conflict (id) do update set seen_at = least(c.seen_at, excluded.seen_at)
  returning id, profile`;
export const saveProfile = (tx: Tx, id: string, profile: Profile) => tx`
  update companies_company set profile = ${tx.json(profile as never)},
    name = ${typeof profile["name"]?.v === "string" ? profile["name"].v : null} where id = ${id}`;
export type ExternalRow = {
  sourceId: string;
  type: string;
  value: string;
  companyId: string;
  at: Date;
  eventId: string;
};
/** Each is the company's that said it last. */
export const putExternal = (tx: Tx, rows: readonly ExternalRow[]) => tx`
  insert into companies_external as x (source_id, type, value, company_id, at, event_id)
  select distinct on (source_id, type, value) * from unnest(
    ${rows.map((r) => r.sourceId)}::uuid[], ${rows.map((r) => r.type)}::text[],
    ${rows.map((r) => r.value)}::text[], ${rows.map((r) => r.companyId)}::uuid[],
    ${rows.map((r) => r.at.toISOString())}::text[]::timestamptz[],
    ${rows.map((r) => r.eventId)}::uuid[]) as n (source_id, type, value, company_id, at, event_id)
  order by source_id, type, value, at desc, event_id desc
  on conflict (source_id, type, value) do update
    set company_id = excluded.company_id, at = excluded.at, event_id = excluded.event_id
    where (x.at, x.event_id) < (excluded.at, excluded.event_id)`;
export type ContactRow = {
  companyId: string;
  field: string;
  nodeBucket: number;
  nodeId: string;
  sealed: Buffer;
  at: Date;
  eventId: string;
};
export const putContact = (tx: Tx, row: ContactRow) => tx`
  insert into companies_contact ${tx(row)}
  on conflict (company_id, field) do update set node_bucket = excluded.node_bucket,
    node_id = excluded.node_id, sealed = excluded.sealed, at = excluded.at, event_id = excluded.event_id
  where (companies_contact.at, companies_contact.event_id) < (excluded.at, excluded.event_id)`;

export type FactRow = Fact & { bucket: number; nodeId: string; companyId: string };
/** Gives whose the new ones are. */
export const addFacts = (tx: Tx, rows: readonly FactRow[]) => tx<PersonKey[]>`
  with said as (
    insert into companies_fact (bucket, node_id, company_id, id, act, roles, at)
    select f.bucket, f.node_id, f.company_id, f.id, f.act, string_to_array(f.roles, ','), f.at
    from unnest(
      ${rows.map((r) => r.bucket)}::smallint[], ${rows.map((r) => r.nodeId)}::uuid[],
      ${rows.map((r) => r.companyId)}::uuid[], ${rows.map((r) => r.id)}::uuid[],
      ${rows.map((r) => r.act)}::text[], ${rows.map((r) => r.roles.join(","))}::text[],
      ${rows.map((r) => r.at.toISOString())}::text[]::timestamptz[])
      as f (bucket, node_id, company_id, id, act, roles, at)
    on conflict do nothing returning *
  )
  select distinct o.person_bucket as bucket, o.person_id from said f
  cross join ${ownerAt(tx, "f")} o`;

/** Holds these people, in one order for everybody, so that their membership is worked out by one at a time. */
export const holdPeople = (tx: Tx, people: readonly PersonKey[]) => tx`
  select 1 from people_person q join ${whose(tx, people)}
    on q.bucket = p.bucket and q.person_id = p.person_id
  order by q.bucket, q.person_id for no key update of q`;
export const factsOf = (tx: Tx, people: readonly PersonKey[]) => tx<
  (PersonKey & Fact & { companyId: string })[]
>`
  select o.person_bucket as bucket, o.person_id, f.company_id, f.id, f.act, f.roles, f.at
  from ${whose(tx, people)}
  cross join ${nodesOf(tx)} o
  join companies_fact f on f.bucket = o.bucket and f.node_id = o.node_id
    and (f.at, f.id) >= (o.from_at, o.from_id) and (f.at, f.id) < (o.until_at, o.until_id)`;

export type MemberRow = PersonKey & Span & { companyId: string };
/** Puts these spans in place of whatever these people had; what stays as it was is not written again. */
export async function putMembers(
  tx: Tx,
  people: readonly PersonKey[],
  rows: readonly MemberRow[],
): Promise<void> {
  const is = tx`unnest(
    ${bucketsOf(rows)}::smallint[], ${peopleOf(rows)}::uuid[],
    ${rows.map((r) => r.companyId)}::uuid[], ${rows.map((r) => r.role)}::text[],
    ${rows.map((r) => r.since.toISOString())}::text[]::timestamptz[],
    ${rows.map((r) => r.until?.toISOString() ?? null)}::text[]::timestamptz[])
    as n (bucket, person_id, company_id, role, since, until)`;
  await tx`
    delete from companies_member m using ${whose(tx, people)}
    where m.bucket = p.bucket and m.person_id = p.person_id and not exists (
      select from ${is} where (n.bucket, n.person_id, n.company_id, n.role, n.since)
        = (m.bucket, m.person_id, m.company_id, m.role, m.since))`;
  await tx`
    insert into companies_member as m (bucket, person_id, company_id, role, since, until)
    select * from ${is}
    on conflict (bucket, person_id, company_id, role, since)
    do update set until = excluded.until where m.until is distinct from excluded.until`;
}
export const companiesOf = (tx: Tx, people: readonly PersonKey[]) => tx<{ companyId: string }[]>`
  select distinct m.company_id from companies_member m join ${whose(tx, people)}
    on m.bucket = p.bucket and m.person_id = p.person_id
  union select distinct s.company_id from companies_spend s join ${whose(tx, people)}
    on s.bucket = p.bucket and s.person_id = p.person_id`;

/** What these people bought, each order for the company they had joined last at its time. */
export async function putSpend(tx: Tx, people: readonly PersonKey[]): Promise<void> {
  await tx`delete from companies_spend s using ${whose(tx, people)}
    where s.bucket = p.bucket and s.person_id = p.person_id`;
  await tx`
    insert into companies_spend
    select o.bucket, o.person_id, m.company_id, o.currency, count(*) filter (where o.kind = 'sale'),
      sum(o.amount_minor), max(o.at) filter (where o.kind = 'sale')
    from ${whose(tx, people)}
    join orders_order o on o.bucket = p.bucket and o.person_id = p.person_id
    cross join lateral (
      select company_id from companies_member m
      where m.bucket = o.bucket and m.person_id = o.person_id and m.since <= o.at
        and (m.until is null or o.at < m.until)
      order by m.since desc, m.company_id limit 1) m
    group by o.bucket, o.person_id, m.company_id, o.currency`;
}
/** Adds up the figures of these companies anew. Their rows are held first, so that nobody adds up half of it. */
export async function putFigures(
  tx: Tx,
  companies: readonly string[],
  currency: string | null,
): Promise<{ companyId: string; orders: bigint }[]> {
  const ids = companies as string[];
  await tx`
    insert into companies_figure as f (company_id, currency)
    select distinct id, ${currency ?? ""} from unnest(${ids}::uuid[]) as n (id) order by id
    on conflict (company_id) do update
      set currency = case when excluded.currency = '' then f.currency else excluded.currency end`;
  return tx<{ companyId: string; orders: bigint }[]>`
    update companies_figure f set members = n.members, orders = n.orders, spent_minor = n.spent_minor,
      last_order_at = n.last_order_at
    from (
      select c.id,
        (select count(distinct (m.bucket, m.person_id))::int from companies_member m
          where m.company_id = c.id and m.until is null) as members,
        (select coalesce(sum(s.orders), 0)::bigint from companies_spend s where s.company_id = c.id) as orders,
        (select coalesce(sum(s.spent_minor), 0)::bigint from companies_spend s
          where s.company_id = c.id and s.currency = g.currency) as spent_minor,
        (select max(s.last_order_at) from companies_spend s where s.company_id = c.id) as last_order_at
      from unnest(${ids}::uuid[]) as c (id) join companies_figure g on g.company_id = c.id) n
    where f.company_id = n.id returning f.company_id, f.orders`;
}

export type TagRow = {
  companyId: string;
  tag: string;
  value: string | null; // null takes the tag away
  kind: "rule" | "statistic" | "model" | "hand";
  source: string;
  reason: Record<string, unknown>;
  confidence: number;
  at: Date;
  expiresAt: Date | null;
  logId: string;
};
/** Writes what differs, with its log; says whether anything did. */
export async function setTag(tx: Tx, row: TagRow): Promise<boolean> {
  const { companyId, tag, value, kind, source, reason, confidence, at, expiresAt, logId } = row;
  const [had] = await tx<{ value: string }[]>`
    select value from companies_tag where company_id = ${companyId} and tag = ${tag} for update`;
  if (value === null)
    await tx`delete from companies_tag where company_id = ${companyId} and tag = ${tag}`;
  else
    await tx`
      insert into companies_tag as t
        (company_id, tag, value, kind, source, reason, confidence, at, expires_at)
      values (${companyId}, ${tag}, ${value}, ${kind}, ${source}, ${tx.json(reason as never)},
        ${confidence}, ${at}, ${expiresAt})
      on conflict (company_id, tag) do update set value = excluded.value, kind = excluded.kind,
        source = excluded.source, reason = excluded.reason, confidence = excluded.confidence,
        at = case when t.value = excluded.value then t.at else excluded.at end,
        expires_at = excluded.expires_at`;
  if ((had?.value ?? null) === value) return false;
  await tx`
    insert into companies_tag_log (company_id, id, tag, before, after, kind, source, reason, at)
    values (${companyId}, ${logId}, ${tag}, ${had?.value ?? null}, ${value}, ${kind}, ${source},
      ${tx.json(reason as never)}, ${at})`;
  return true;
}

export const roles = (reader: Reader) =>
  reader<
    { code: string; zh: string; en: string }[]
  >`select code, zh, en from companies_role order by code`;
export const putRole = (tx: Tx, role: { code: string; zh: string; en: string }) => tx`
  insert into companies_role ${tx(role)}
  on conflict (code) do update set zh = excluded.zh, en = excluded.en`;
export async function isCompany(reader: Reader, id: string): Promise<boolean> {
  const [row] = await reader`select 1 from companies_company where id = ${id}`;
  return row !== undefined;
}

export async function eraseRows(
  tx: Tx,
  { bucket, personId }: PersonKey,
  nodes: readonly { bucket: number; nodeId: string }[],
): Promise<void> {
  const own = tx`unnest(${nodes.map((n) => n.bucket)}::smallint[], ${nodes.map((n) => n.nodeId)}::uuid[])
    as n (bucket, node_id)`;
  await tx`delete from companies_fact f using ${own} where f.bucket = n.bucket and f.node_id = n.node_id`;
  await tx`delete from companies_contact c using ${own}
    where c.node_bucket = n.bucket and c.node_id = n.node_id`;
  await tx`delete from companies_member where bucket = ${bucket} and person_id = ${personId}`;
  await tx`delete from companies_spend where bucket = ${bucket} and person_id = ${personId}`;
}

export type Declared = { tag: string; zh: string; en: string };
export type TagRule = { tag: string; place: number; value: string; segmentId: string };
/** Held by whoever changes what tags follow from what, so that no two make a circle together. */
export const allDeclared = (reader: Reader) =>
  reader<Declared[]>`select tag, zh, en from companies_tag_declared order by tag`;
export const holdDeclared = (tx: Tx) =>
  tx`lock table companies_tag_declared in share row exclusive mode`;
export const allRules = (reader: Reader) => reader<TagRule[]>`
  select tag, place, value, segment_id from companies_tag_rule order by tag, place`;
export async function putDeclared(
  tx: Tx,
  declared: Declared & { declaredAt: Date; byActor: string },
  rules: readonly TagRule[],
): Promise<void> {
  await tx`
    insert into companies_tag_declared ${tx(declared)}
    on conflict (tag) do update set zh = excluded.zh, en = excluded.en,
      declared_at = excluded.declared_at, by_actor = excluded.by_actor`;
  await tx`delete from companies_tag_rule where tag = ${declared.tag}`;
  if (rules.length > 0) await tx`insert into companies_tag_rule ${tx(rules as TagRule[])}`;
}
export async function dropDeclared(tx: Tx, tag: string): Promise<boolean> {
  await tx`delete from companies_tag_rule where tag = ${tag}`;
  return (await tx`delete from companies_tag_declared where tag = ${tag}`).count > 0;
}
/**
 * Gives these companies (null: all) the tag as its rules say, and takes away what they say no more. What was set by hand
 * stands until it ends.
 */
export const followRules = (
  tx: Tx,
  { tag, companies, at }: { tag: string; companies: readonly string[] | null; at: Date },
) => {
  const only = (column: ReturnType<typeof tx>) =>
    companies ? tx`and ${column} = any(${companies as string[]}::uuid[])` : tx``;
  return tx`
    with want as (
      select distinct on (m.company_id) m.company_id, r.value, r.segment_id
      from companies_tag_rule r join segments_company_member m on m.segment_id = r.segment_id
      where r.tag = ${tag} ${only(tx`m.company_id`)} order by m.company_id, r.place
    ), held as (
      select company_id, value, kind, expires_at from companies_tag
      where tag = ${tag} ${only(tx`company_id`)}
    ), diff as materialized (
      select coalesce(w.company_id, h.company_id) as company_id, w.value, h.value as before,
        jsonb_build_object('segment', w.segment_id) as reason
      from want w full join held h on h.company_id = w.company_id
      where (h.kind is distinct from 'hand' or h.expires_at <= ${at})
        and (w.company_id is not null or h.kind in ('rule', 'hand'))
        and (w.value is distinct from h.value or h.kind is distinct from 'rule')
    ), gone as (
      delete from companies_tag t using diff d
      where t.company_id = d.company_id and t.tag = ${tag} and d.value is null
    ), put as (
      insert into companies_tag as t
        (company_id, tag, value, kind, source, reason, confidence, at, expires_at)
      select company_id, ${tag}, value, 'rule', 'companies', reason, 1, ${at}::timestamptz, null
      from diff where value is not null
      on conflict (company_id, tag) do update set value = excluded.value, kind = excluded.kind,
        source = excluded.source, reason = excluded.reason, confidence = excluded.confidence,
        at = case when t.value = excluded.value then t.at else excluded.at end,
        expires_at = excluded.expires_at
    )
    insert into companies_tag_log (company_id, id, tag, before, after, kind, source, reason, at)
    select company_id, gen_random_uuid(), ${tag}, before, value, 'rule', 'companies', reason,
      ${at}::timestamptz
    from diff where before is distinct from value`;
};
/** Takes away those of these tags whose time has come. */
export const endTags = (tx: Tx, due: readonly { companyId: string; tag: string }[], at: Date) => tx`
  with over as (
    delete from companies_tag t using unnest(
      ${due.map((one) => one.companyId)}::uuid[], ${due.map((one) => one.tag)}::text[])
      as d (company_id, tag)
    where t.company_id = d.company_id and t.tag = d.tag and t.expires_at <= ${at}
    returning t.*
  )
  insert into companies_tag_log (company_id, id, tag, before, after, kind, source, reason, at)
  select company_id, gen_random_uuid(), tag, value, null, kind, 'expired', '{"expired": true}', expires_at
  from over`;
/** Of what kind a tag is now. */
export async function tagKind(
  reader: Reader,
  companyId: string,
  tag: string,
  now: Date,
): Promise<TagRow["kind"] | null> {
  const [row] = await reader<{ kind: TagRow["kind"] }[]>`
    select kind from companies_tag where company_id = ${companyId} and tag = ${tag}
      and (expires_at is null or expires_at > ${now})`;
  return row?.kind ?? null;
}
