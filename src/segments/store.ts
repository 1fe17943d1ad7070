// Every SQL statement that writes segments, and its own reads.
import type { PersonKey, Reader, Tx } from "#kernel/sql.ts";
import type { Level, Rule, Sentence } from "./rules.ts";

export type Purpose = "marketing" | "service" | "analysis";
export type Segment = {
  id: string;
  code: string | null;
  name: Sentence;
  /** Of companies its members are companies, and its rule asks of them. Never changes. */
  level: Level;
  rule: Rule;
  purpose: Purpose;
  version: number;
  definedAt: Date;
  refreshedAt: Date | null;
};
const columns = (reader: Reader) => reader`
  id, code, jsonb_build_object('zh', name_zh, 'en', name_en) as name, level, rule, purpose, version,
  defined_at, refreshed_at`;

export const all = (reader: Reader) =>
  reader<Segment[]>`select ${columns(reader)} from segments_segment order by defined_at, id`;
/**
 * Nobody looks at people until the end of the transaction. Asked of the table, which gives way in the order in which it
 * was asked: of the row, those who share it are let in past whoever waits for all of it, and under load there is always
 * one. It waits for those who look already, and for nobody who comes after it.
 */
export const changing = (tx: Tx) => tx`lock table segments_state in exclusive mode`;
/**
 * Locked for whoever changes rules: two changes together could make a circle that neither makes alone. The generation
 * comes before the segments, as it does for whoever looks at people: otherwise each could wait for the other.
 */
export async function allLocked(tx: Tx): Promise<Segment[]> {
  await changing(tx);
  return tx<Segment[]>`select ${columns(tx)} from segments_segment order by id for update`;
}
export async function byId(reader: Reader, id: string): Promise<Segment | undefined> {
  const [segment] = await reader<Segment[]>`
    select ${columns(reader)} from segments_segment where id = ${id}`;
  return segment;
}

export const put = (tx: Tx, { name, rule, ...rest }: Segment) => tx`
  insert into segments_segment
    ${tx({ ...rest, nameZh: name.zh, nameEn: name.en, rule: tx.json(rule as never) })}
  on conflict (id) do update set name_zh = excluded.name_zh, name_en = excluded.name_en,
    rule = excluded.rule, purpose = excluded.purpose, version = excluded.version,
    defined_at = excluded.defined_at`;

/** Whoever looks at people holds the generation, so that no rule changes under them; a change counts it on. */
export async function heldGeneration(tx: Tx): Promise<bigint> {
  const [row] = await tx<{ generation: bigint }[]>`
    select generation from segments_state for share`;
  return row!.generation;
}
export async function nextGeneration(tx: Tx): Promise<void> {
  await changing(tx);
  await tx`update segments_state set generation = generation + 1`;
}
/** In the place of a segment's id: whichever. */
export const anySegment = "00000000-0000-0000-0000-000000000000";

export type Interest = {
  kind: "event" | "attribute" | "tag" | "segment" | "person" | "company";
  name: string;
  segmentId: string;
};
/** What a segment asks about, in the place of what it asked before. */
export async function putInterests(
  tx: Tx,
  segmentIds: readonly string[],
  rows: readonly Interest[],
): Promise<void> {
  await tx`delete from segments_interest where segment_id = any(${segmentIds as string[]}::uuid[])`;
  await tx`
    insert into segments_interest (kind, name, segment_id)
    select * from unnest(${rows.map((r) => r.kind)}::text[], ${rows.map((r) => r.name)}::text[],
      ${rows.map((r) => r.segmentId)}::uuid[]) on conflict do nothing`;
}
export const interested = (reader: Reader) =>
  reader<{ segmentId: string }[]>`select distinct segment_id from segments_interest`;

/** Takes a segment away, with what was asked of it and what was kept of its size. Gives the lists that were kept of it. */
export async function drop(
  tx: Tx,
  { id, name, version }: Segment,
  at: Date,
): Promise<{ lists: string[] }> {
  await tx`delete from segments_segment where id = ${id}`;
  await tx`delete from segments_interest where segment_id = ${id}`;
  await tx`delete from segments_listener where segment_id = ${id}`;
  await tx`delete from segments_recount where segment_id = ${id}`;
  const lists = await tx<{ id: string }[]>`
    delete from segments_snapshot where segment_id = ${id} returning id`;
  await tx`insert into segments_gone ${tx({ id, nameZh: name.zh, nameEn: name.en, version, at })}`;
  return { lists: lists.map((one) => one.id) };
}
/** Who was on lists that are kept no more. */
export async function dropListed(tx: Tx, lists: readonly string[]): Promise<void> {
  await tx`delete from segments_snapshot_member where snapshot_id = any(${lists as string[]}::uuid[])`;
  await tx`delete from segments_snapshot_company where snapshot_id = any(${lists as string[]}::uuid[])`;
}
/** In the place of a rule: nobody fits. */
export const nobodyFits = (tx: Tx) => tx`select bucket, person_id from people_person where false`;
/** Was a segment ever deleted? */
export async function anyGone(tx: Tx): Promise<boolean> {
  const [row] = await tx<{ is: boolean }[]>`
    select exists (select from segments_gone) as "is"`;
  return row!.is;
}
/**
 * Takes these people out of segments that are there no more: what lay aside with a merge may come back from before one
 * was deleted.
 */
export const leaveGone = (tx: Tx, people: readonly PersonKey[], at: Date) => tx`
  with gone as (
    delete from segments_member m using unnest(
      ${people.map((one) => one.bucket)}::smallint[], ${people.map((one) => one.personId)}::uuid[]
    ) as w(bucket, person_id), segments_gone g
    where m.bucket = w.bucket and m.person_id = w.person_id and g.id = m.segment_id
    returning m.bucket, m.person_id, m.segment_id, g.version
  )
  insert into segments_log (bucket, person_id, id, segment_id, version, change, at)
  select bucket, person_id, gen_random_uuid(), segment_id, version, 'left', ${at}::timestamptz from gone`;

export type Listener = { segmentId: string; listener: string };
export const listeners = (reader: Reader) =>
  reader<Listener[]>`select segment_id, listener from segments_listener`;
export const listen = (tx: Tx, { segmentId, listener }: Listener) => tx`
  insert into segments_listener ${tx({ segmentId, listener })} on conflict do nothing`;
export const unlisten = (tx: Tx, listener: string) =>
  tx`delete from segments_listener where listener = ${listener}`;

export type Touched = PersonKey & {
  kind: string;
  name: string;
  causeKind: "tag" | "event" | null;
  cause: string | null;
};
/** Takes what was touched since: what another worker holds is left to it. */
export const takeTouched = (tx: Tx, limit: number) => tx<Touched[]>`
  with due as materialized (
    select bucket, person_id, id from segments_touched
    order by bucket, person_id, id limit ${limit} for update skip locked
  )
  delete from segments_touched t using due
  where (t.bucket, t.person_id, t.id) = (due.bucket, due.person_id, due.id)
  returning t.bucket, t.person_id, t.kind, t.name, t.cause_kind, t.cause`;
export async function isTouched(reader: Reader): Promise<boolean> {
  const [row] = await reader<{ touched: boolean }[]>`
    select exists (select from segments_touched) as touched`;
  return row!.touched;
}

/** Companies to look at again, each with the latest thing that touched it. */
export type TouchedCompany = { companyId: string; cause: Cause | null };
export const touchCompanies = (tx: Tx, rows: readonly TouchedCompany[]) => tx`
  insert into segments_company_touched (company_id, cause_kind, cause)
  select * from unnest(${rows.map((r) => r.companyId)}::uuid[],
    ${rows.map((r) => r.cause?.kind ?? null)}::text[], ${rows.map((r) => r.cause?.id ?? null)}::uuid[])`;
/** Every company that somebody belongs to or belonged to. */
export const touchEveryCompany = (tx: Tx) => tx`
  insert into segments_company_touched (company_id) select distinct company_id from companies_member`;
/** Whatever touched up to so many companies is taken at once: one look at each is enough. */
export async function takeTouchedCompanies(tx: Tx, limit: number): Promise<TouchedCompany[]> {
  const rows = await tx<{ companyId: string; kind: Cause["kind"] | null; cause: string | null }[]>`
    with taken as (
      delete from segments_company_touched where company_id in (
        select distinct company_id from (
          select company_id from segments_company_touched order by company_id limit ${limit * 50}) s
        limit ${limit})
      returning company_id, id, cause_kind, cause
    )
    select distinct on (company_id) company_id, cause_kind as kind, cause from taken
    order by company_id, cause is not null desc, id desc`;
  return rows.map(({ companyId, kind, cause }) => ({
    companyId,
    cause: kind && cause ? { kind, id: cause } : null,
  }));
}
export async function isCompanyTouched(reader: Reader): Promise<boolean> {
  const [row] = await reader<{ touched: boolean }[]>`
    select exists (select from segments_company_touched) as touched`;
  return row!.touched;
}

/** While all of a segment is worked out nobody else changes who is in it; single people share the right. */
export const lockWhole = (tx: Tx, ids: readonly string[]) => tx`
  select from segments_segment where id = any(${ids as string[]}::uuid[]) order by id for update`;
/**
 * The same where nobody has to be waited for; false, and nothing is locked, where somebody works on one of them. Whoever
 * shares the right already may ask this way only: two of them who waited for all of it would wait for each other.
 */
export const tryLockWhole = (tx: Tx, ids: readonly string[]): Promise<boolean> =>
  tx
    .savepoint(async (step) => {
      const free = await step`
        select from segments_segment where id = any(${ids as string[]}::uuid[])
        order by id for update skip locked`;
      if (free.length < ids.length) throw taken;
      return true;
    })
    .catch((thrown: unknown) => {
      if (thrown === taken) return false;
      throw thrown;
    });
const taken = new Error("somebody works on one of these segments");
export const lockShared = (tx: Tx, ids: readonly string[]) => tx`
  select from segments_segment where id = any(${ids as string[]}::uuid[]) order by id for share`;
/** Two who look at one person do it one after the other. Gives each one's stamp; who is nobody has none. */
export const lockPeople = (tx: Tx, people: readonly PersonKey[]) => tx<
  { personId: string; stamp: bigint }[]
>`
  select p.person_id, p.stamp from unnest(
    ${people.map((one) => one.bucket)}::smallint[], ${people.map((one) => one.personId)}::uuid[]
  ) as w(bucket, person_id)
  join people_person p on p.bucket = w.bucket and p.person_id = w.person_id
  order by p.bucket, p.person_id for no key update of p`;
export const markRefreshed = (tx: Tx, id: string, at: Date) =>
  tx`update segments_segment set refreshed_at = ${at} where id = ${id}`;

/**
 * Until the end of the transaction a statement may use what one about everybody needs. Compiling one that is asked once
 * takes longer than it saves. `unforeseen`: what it joins is never gone over once for each row.
 */
export const asksEverybody = (tx: Tx, unforeseen: boolean) => tx`
  select set_config('work_mem', '256MB', true), set_config('jit', 'off', true),
    set_config('plan_cache_mode', 'force_custom_plan', true),
    set_config('statement_timeout', '10min', true),
    set_config('enable_nestloop', ${unforeseen ? "off" : "on"}, true)`;

type Part = ReturnType<typeof columns>;
/** So many who come and go are written from a list; more of them without leaving the engine. */
const listed = 20_000;
/**
 * Everybody whom `fit` names is in, and nobody else; a line of the log for each change. `fit` is a query of
 * (bucket, person_id). `few`: most stay where they are. Then who does not is asked first, by a statement that writes
 * nothing: only such a one may use more than one process.
 */
export async function replaceMembers(
  tx: Tx,
  of: { segmentId: string; version: number; at: Date },
  fit: Part,
  few: boolean,
): Promise<{ entered: number; left: number }> {
  const changed = tx`
    select coalesce(f.bucket, h.bucket) as bucket, coalesce(f.person_id, h.person_id) as person_id,
      case when h.person_id is null then 'entered' else 'left' end as change
    from (${fit}) f full join (
      select bucket, person_id from segments_member where segment_id = ${of.segmentId}
    ) h on h.bucket = f.bucket and h.person_id = f.person_id
    where h.person_id is null or f.person_id is null`;
  if (!few) return writeChanged(tx, of, changed);
  const some = await tx<(PersonKey & { change: string })[]>`
    select * from (${changed}) c order by bucket, person_id limit ${listed + 1}`;
  if (some.length === 0) return { entered: 0, left: 0 };
  if (some.length > listed) return writeChanged(tx, of, changed);
  return writeChanged(
    tx,
    of,
    tx`select * from unnest(${some.map((one) => one.bucket)}::smallint[],
      ${some.map((one) => one.personId)}::uuid[], ${some.map((one) => one.change)}::text[])
      as c(bucket, person_id, change)`,
  );
}
async function writeChanged(
  tx: Tx,
  { segmentId, version, at }: { segmentId: string; version: number; at: Date },
  changed: Part,
): Promise<{ entered: number; left: number }> {
  const [row] = await tx<{ entered: number; left: number }[]>`
    with changed as materialized (${changed}), gone as (
      delete from segments_member m using changed c
      where c.change = 'left' and m.segment_id = ${segmentId}
        and m.bucket = c.bucket and m.person_id = c.person_id
    ), come as (
      insert into segments_member (bucket, person_id, segment_id, since)
      select bucket, person_id, ${segmentId}::uuid, ${at}::timestamptz from changed
      where change = 'entered'
    ), told as (
      insert into segments_log (bucket, person_id, id, segment_id, version, change, at)
      select bucket, person_id, gen_random_uuid(), ${segmentId}::uuid, ${version}::int, change,
        ${at}::timestamptz
      from changed
    )
    select (count(*) filter (where change = 'entered'))::int as entered,
      (count(*) filter (where change = 'left'))::int as left
    from changed`;
  return row!;
}
/** The same of companies, whom `fit` names as (bucket, person_id); gives those that came and went. */
export const replaceCompanies = (
  tx: Tx,
  { segmentId, version, at }: { segmentId: string; version: number; at: Date },
  fit: Part,
) => tx<{ companyId: string; change: "entered" | "left" }[]>`
  with fit as materialized (${fit}),
  had as materialized (
    select company_id from segments_company_member where segment_id = ${segmentId}
  ), changed as materialized (
    select coalesce(f.person_id, h.company_id) as company_id,
      case when h.company_id is null then 'entered' else 'left' end as change
    from fit f full join had h on h.company_id = f.person_id
    where h.company_id is null or f.person_id is null
  ), gone as (
    delete from segments_company_member m using changed c
    where c.change = 'left' and m.segment_id = ${segmentId} and m.company_id = c.company_id
  ), come as (
    insert into segments_company_member (company_id, segment_id, since)
    select company_id, ${segmentId}::uuid, ${at}::timestamptz from changed where change = 'entered'
  ), told as (
    insert into segments_company_log (company_id, id, segment_id, version, change, at)
    select company_id, gen_random_uuid(), ${segmentId}::uuid, ${version}::int, change,
      ${at}::timestamptz
    from changed
  )
  select company_id, change from changed order by company_id`;
/** Who came and went at an instant. */
export const lines = async (tx: Tx, segmentId: string, at: Date): Promise<Change[]> =>
  (
    await tx<
      (Omit<Change, "cause"> & { causeKind: Cause["kind"] | null; causeId: string | null })[]
    >`
      select bucket, person_id, segment_id, version, change, cause_kind, cause as cause_id, at
      from segments_log where segment_id = ${segmentId} and at = ${at}`
  ).map(({ causeKind, causeId, ...line }) => ({
    ...line,
    cause: causeKind && causeId ? { kind: causeKind, id: causeId } : null,
  }));
/** All of a segment was worked out: how many came and went, and of how many the cause was looked for. */
export type Recount = { at: Date; version: number; entered: number; left: number; asked: number };
export const putRecount = (
  tx: Tx,
  segmentId: string,
  { at, version, entered, left, asked }: Recount,
) => tx`
  insert into segments_recount as r (segment_id, at, version, entered, gone, asked)
  values (${segmentId}, ${at}, ${version}, ${entered}, ${left}, ${asked})
  on conflict (segment_id, at) do update set version = excluded.version,
    entered = r.entered + excluded.entered, gone = r.gone + excluded.gone,
    asked = r.asked + excluded.asked`;
/** The latest of them in which somebody's cause was not looked for. */
export const unexplained = (reader: Reader, segmentId: string, limit: number) => reader<Recount[]>`
  select at, version, entered, gone as "left", asked from segments_recount
  where segment_id = ${segmentId} and asked < entered + gone order by at desc limit ${limit}`;
/** A helping of those who came and went at an instant, after one of them, with the latest change of a tag the rule asks about and the latest event. */
export const changedAt = (
  tx: Tx,
  segmentId: string,
  at: Date,
  tags: readonly string[],
  after: PersonKey | null,
  limit: number,
) => tx<
  (PersonKey & {
    change: "entered" | "left";
    logId: string | null;
    eventId: string | null;
    eventAt: Date | null;
  })[]
>`
  select c.bucket, c.person_id, c.change, l.id as log_id,
    (f.attributes->'last_event'->>'at')::timestamptz as event_at,
    case when f.attributes->'last_event'->>'v' ~ '^[0-9a-f-]{36}$'
      then f.attributes->'last_event'->>'v' end as event_id
  from (
    select bucket, person_id, change from segments_log
    where segment_id = ${segmentId} and at = ${at} and cause is null
      ${after ? tx`and (bucket, person_id) > (${after.bucket}, ${after.personId}::uuid)` : tx``}
    order by bucket, person_id limit ${limit}
  ) c
  left join people_profile f on f.bucket = c.bucket and f.person_id = c.person_id
  left join lateral (
    select g.id from people_tag_log g
    left join people_tag t on t.bucket = g.bucket and t.person_id = g.person_id
      and t.tag = g.tag and t.log_id = g.id
    where g.bucket = c.bucket and g.person_id = c.person_id and g.tag = any(${tags as string[]}::text[])
    -- Of two changes at one instant, the one that stands.
    order by g.at desc, t.log_id is not null desc, g.id desc limit 1
  ) l on true
  order by c.bucket, c.person_id`;
export async function setCauses(
  tx: Tx,
  segmentId: string,
  at: Date,
  rows: readonly (PersonKey & { cause: Cause })[],
): Promise<void> {
  const n = tx`
    unnest(${rows.map((r) => r.bucket)}::smallint[], ${rows.map((r) => r.personId)}::uuid[],
      ${rows.map((r) => r.cause.kind)}::text[], ${rows.map((r) => r.cause.id)}::uuid[])
      as n(bucket, person_id, cause_kind, cause)`;
  await tx`
    update segments_log l set cause_kind = n.cause_kind, cause = n.cause from ${n}
    where (l.bucket, l.person_id) = (n.bucket, n.person_id) and l.segment_id = ${segmentId}
      and l.at = ${at}`;
  await tx`
    update segments_member m set cause_kind = n.cause_kind, cause = n.cause from ${n}
    where (m.bucket, m.person_id) = (n.bucket, n.person_id) and m.segment_id = ${segmentId}
      and m.since = ${at}`;
}

export type Cause = { kind: "tag" | "event"; id: string };
export type Change = PersonKey & {
  segmentId: string;
  version: number;
  change: "entered" | "left";
  cause: Cause | null;
  at: Date;
};
/** Lets people in and out, with a line of the log for each. */
export async function apply(
  tx: Tx,
  newId: () => string,
  changes: readonly Change[],
): Promise<void> {
  for (let i = 0; i < changes.length; i += 5000) {
    const part = changes.slice(i, i + 5000);
    await tx`
      with n as (
        select * from unnest(
          ${part.map((c) => c.bucket)}::smallint[], ${part.map((c) => c.personId)}::uuid[],
          ${part.map(() => newId())}::uuid[], ${part.map((c) => c.segmentId)}::uuid[],
          ${part.map((c) => c.version)}::int[], ${part.map((c) => c.change)}::text[],
          ${part.map((c) => c.cause?.kind ?? null)}::text[],
          ${part.map((c) => c.cause?.id ?? null)}::uuid[],
          ${part.map((c) => c.at.toISOString())}::text[]
        ) as n(bucket, person_id, id, segment_id, version, change, cause_kind, cause, at)
      ), out as (
        delete from segments_member m using n
        where n.change = 'left'
          and (m.bucket, m.person_id, m.segment_id) = (n.bucket, n.person_id, n.segment_id)
        returning m.bucket, m.person_id, m.segment_id
      ), come as (
        insert into segments_member (bucket, person_id, segment_id, since, cause_kind, cause)
        select bucket, person_id, segment_id, at::timestamptz, cause_kind, cause
        from n where change = 'entered'
        on conflict do nothing
        returning bucket, person_id, segment_id
      )
      insert into segments_log
        (bucket, person_id, id, segment_id, version, change, cause_kind, cause, at)
      select n.bucket, n.person_id, n.id, n.segment_id, n.version, n.change, n.cause_kind, n.cause,
        n.at::timestamptz
      from n join (
        select *, 'left' as change from out union all select *, 'entered' from come
      ) done using (bucket, person_id, segment_id, change)`;
  }
}

export type CompanyChange = Omit<Change, keyof PersonKey> & { companyId: string };
/** Lets companies in and out, with a line of the log for each. */
export async function applyCompanies(
  tx: Tx,
  newId: () => string,
  changes: readonly CompanyChange[],
): Promise<void> {
  for (const { companyId, segmentId, version, change, cause, at } of changes) {
    const own = { companyId, segmentId };
    const why = { causeKind: cause?.kind ?? null, cause: cause?.id ?? null };
    if (change === "left")
      await tx`
        delete from segments_company_member
        where company_id = ${companyId} and segment_id = ${segmentId}`;
    else
      await tx`
        insert into segments_company_member ${tx({ ...own, ...why, since: at })}
        on conflict do nothing`;
    await tx`
      insert into segments_company_log ${tx({ ...own, ...why, id: newId(), version, change, at })}`;
  }
}

export type Snapshot = {
  id: string;
  segmentId: string;
  name: string;
  rule: Rule;
  version: number;
  takenAt: Date;
  people: number;
};
/** Says how many are on it. */
export async function takeSnapshot(
  tx: Tx,
  { rule, ...rest }: Omit<Snapshot, "people">,
): Promise<number> {
  const kept = await tx`
    insert into segments_snapshot_member (bucket, person_id, snapshot_id)
    select bucket, person_id, ${rest.id}::uuid from segments_member
    where segment_id = ${rest.segmentId}`;
  const companies = await tx`
    insert into segments_snapshot_company (company_id, snapshot_id)
    select company_id, ${rest.id}::uuid from segments_company_member
    where segment_id = ${rest.segmentId}`;
  const people = kept.count + companies.count; // a segment has the one or the other
  await tx`
    insert into segments_snapshot ${tx({ ...rest, rule: tx.json(rule as never), people })}`;
  return people;
}
export async function snapshot(reader: Reader, id: string): Promise<Snapshot | undefined> {
  const [row] = await reader<Snapshot[]>`
    select id, segment_id, name, rule, version, taken_at, people from segments_snapshot
    where id = ${id}`;
  return row;
}
export const snapshotsOf = (reader: Reader, segmentId: string) => reader<Snapshot[]>`
  select id, segment_id, name, rule, version, taken_at, people from segments_snapshot
  where segment_id = ${segmentId} order by taken_at desc, id`;

/** Takes people of whom the columns know less than we do, with what they are to know; a line of JSON each. */
export const takeStale = (tx: Tx, limit: number) => tx<{ line: string }[]>`
  with picked as materialized (
    select bucket, person_id, id from segments_stale order by bucket, person_id, id limit ${limit}
    for update skip locked
  ), taken as (
    delete from segments_stale s using picked
    where (s.bucket, s.person_id, s.id) = (picked.bucket, picked.person_id, picked.id)
  ), due as (
    select bucket, person_id, nextval('segments_version') as version
    from (select distinct bucket, person_id from picked) d
  )
  select json_build_object(
    'person_id', d.person_id, 'bucket', d.bucket, 'version', d.version,
    'gone', case when p.person_id is null then 1 else 0 end,
    'numbers', coalesce((
      select json_object_agg(a.key, a.value->'v') from jsonb_each(f.attributes) a
      where a.value->'v' > '-1000000000000000000' and a.value->'v' < '1000000000000000000'), '{}'),
    'texts', coalesce((
      select json_object_agg(a.key, a.value->>'v') from jsonb_each(f.attributes) a
      where jsonb_typeof(a.value->'v') = 'string'), '{}'),
    'known', coalesce((
      select json_agg(a.key) from jsonb_each(f.attributes) a
      where a.value->>'v' is not null), '[]'),
    'tags', coalesce((
      select json_object_agg(t.tag, t.value) from people_tag t
      where t.bucket = d.bucket and t.person_id = d.person_id), '{}'),
    'tag_until', coalesce((
      select json_object_agg(t.tag, to_char(t.expires_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS'))
      from people_tag t
      where t.bucket = d.bucket and t.person_id = d.person_id and t.expires_at is not null), '{}'),
    'spans', coalesce((
      select json_agg(json_build_object('node', s.node_id,
        'from_at', to_char(greatest(s.from_at, '1900-01-01') at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS'),
        'from_id', s.from_id,
        'until_at', to_char(least(s.until_at, '2299-12-31') at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS'),
        'until_id', s.until_id))
      from people_span s
      where s.person_bucket = d.bucket and s.person_id = d.person_id), '[]'),
    'companies', coalesce((
      select json_agg(json_build_object('company', m.company_id, 'role', m.role,
        'since', to_char(greatest(m.since, '1900-01-01') at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS'),
        'until', to_char(least(coalesce(m.until, 'infinity'), '2299-12-31') at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS')))
      from companies_member m
      where m.bucket = d.bucket and m.person_id = d.person_id), '[]')
  )::text as line
  from due d
  left join people_person p on p.bucket = d.bucket and p.person_id = d.person_id
  left join people_profile f on f.bucket = p.bucket and f.person_id = p.person_id
  -- Whoever was erased is deleted from the columns: nothing more is told of them, not that they are gone either.
  where p.person_id is not null
    or not exists (select from privacy_erasure x where x.person_id = d.person_id)`;
/** Lets the columns be told of everybody there is again, and of every company. */
export async function restale(tx: Tx): Promise<void> {
  await tx`insert into segments_stale (bucket, person_id) select bucket, person_id from people_person`;
  await tx`insert into segments_company_stale (company_id) select id from companies_company`;
}
/** The same of companies. */
export const takeStaleCompanies = (tx: Tx, limit: number) => tx<{ line: string }[]>`
  with picked as materialized (
    select company_id, id from segments_company_stale order by company_id, id limit ${limit}
    for update skip locked
  ), taken as (
    delete from segments_company_stale s using picked
    where (s.company_id, s.id) = (picked.company_id, picked.id)
  ), due as (
    select company_id, nextval('segments_version') as version
    from (select distinct company_id from picked) d
  )
  select json_build_object(
    'company_id', d.company_id, 'version', d.version,
    'gone', case when f.company_id is null then 1 else 0 end,
    'numbers', coalesce((
      select json_object_agg(a.key, a.value->'v') from jsonb_each(f.attributes) a
      where a.value->'v' > '-1000000000000000000' and a.value->'v' < '1000000000000000000'), '{}'),
    'texts', coalesce((
      select json_object_agg(a.key, a.value->>'v') from jsonb_each(f.attributes) a
      where jsonb_typeof(a.value->'v') = 'string'), '{}'),
    'known', coalesce((
      select json_agg(a.key) from jsonb_each(f.attributes) a
      where a.value->>'v' is not null), '[]'),
    'tags', coalesce((
      select json_object_agg(t.tag, t.value) from companies_tag t
      where t.company_id = d.company_id), '{}'),
    'tag_until', coalesce((
      select json_object_agg(t.tag, to_char(t.expires_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS'))
      from companies_tag t
      where t.company_id = d.company_id and t.expires_at is not null), '{}')
  )::text as line
  from due d left join segments_company_profile f on f.company_id = d.company_id`;
export async function isStale(reader: Reader): Promise<boolean> {
  const [row] = await reader<{ stale: boolean }[]>`
    select exists (select from segments_stale)
      or exists (select from segments_company_stale) as stale`;
  return row!.stale;
}

/** Whose these blind indexes are. */
export const whose = (reader: Reader, blinds: readonly string[]) => reader<
  { blind: string; personId: string }[]
>`
  select encode(i.blind, 'hex') as blind, n.person_id from people_identifier i
  join people_node n on n.bucket = i.bucket and n.node_id = i.node_id
  where i.blind = any(${blinds.map((blind) => `\\x${blind}`)}::text[]::bytea[])`;

/** What the roles within a company are called. */
export const roles = (reader: Reader) =>
  reader<{ code: string; zh: string; en: string }[]>`select code, zh, en from companies_role`;

/** What the shop calls what it declared of people: traits with their unit, attributes with their options, tags. */
export const declared = (reader: Reader) => reader<
  {
    kind: "attribute" | "tag";
    name: string;
    label: { zh: string; en: string };
    unit: string | null;
    type: string | null; // of an attribute of its own
    options: { value: string; label: { zh: string; en: string } }[] | null;
    fn: string | null; // of a trait
  }[]
>`
  select 'attribute' as kind, name, definition->'label' as label, definition->>'unit' as unit, null as type,
    null::jsonb as options, definition->>'fn' as fn
  from traits_trait where state <> 'going'
  union all
  select 'attribute', name, definition->'label', null, definition->>'type', definition->'options', null
  from traits_attribute where state <> 'going'
  union all
  select 'tag', tag, definition->'label', null, null, null, null from traits_tag where state <> 'going'
  order by 1, 2`;

export type Name = { kind: "tag" | "attribute"; at: Level; name: string };
/** Which of these tags and attributes are declared, or are on somebody. */
export const known = (reader: Reader, names: readonly Name[]) => reader<Name[]>`
  select n.kind, n.at, n.name from unnest(${names.map((one) => one.kind)}::text[],
    ${names.map((one) => one.at)}::text[], ${names.map((one) => one.name)}::text[]) as n(kind, at, name)
  where case
    when n.kind = 'tag' and n.at = 'person' then
      exists (select from traits_tag where tag = n.name and state <> 'going')
      or exists (select from people_tag where tag = n.name)
      or exists (select from people_tag_log where tag = n.name)
    when n.kind = 'tag' then
      exists (select from companies_tag_declared where tag = n.name)
      or exists (select from companies_tag where tag = n.name)
    when n.at = 'person' then
      exists (select from traits_trait where name = n.name and state <> 'going')
      or exists (select from traits_attribute where name = n.name and state <> 'going')
      or exists (select from people_profile where attributes ? n.name)
    else exists (select from segments_company_profile where attributes ? n.name) end`;

/** Who is in a segment, by bucket and id. */
export const members = (reader: Reader, segmentId: string) => reader<PersonKey[]>`
  select bucket, person_id from segments_member where segment_id = ${segmentId}
  order by bucket, person_id`;

/** The companies in a segment of companies, each as a key in the bucket of companies. */
export const companyMembers = (reader: Reader, segmentId: string) => reader<PersonKey[]>`
  select 0::smallint as bucket, company_id as person_id from segments_company_member
  where segment_id = ${segmentId} order by company_id`;

export async function erasePerson(tx: Tx, { bucket, personId }: PersonKey): Promise<void> {
  await tx`delete from segments_member where bucket = ${bucket} and person_id = ${personId}`;
  await tx`delete from segments_log where bucket = ${bucket} and person_id = ${personId}`;
  await tx`delete from segments_snapshot_member where bucket = ${bucket} and person_id = ${personId}`;
  await tx`delete from segments_stale where bucket = ${bucket} and person_id = ${personId}`;
  await tx`delete from segments_touched where bucket = ${bucket} and person_id = ${personId}`;
}
/** Sources that take people for those of another, whose numbers count. */
export const sharing = (reader: Reader) => reader<{ id: string; shares: string }[]>`
  select id, shares from collect_source where shares is not null`;
