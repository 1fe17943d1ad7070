// Reads over people: a rule as SQL, its people, and what single people are asked about. Values are bound, all of them.
import type { Fragment } from "postgres";
import type { PersonKey, Reader } from "#kernel/sql.ts";
import type { Comparison, RuleNow } from "./rules.ts";

const operator = (reader: Reader, is: Comparison): Fragment => {
  switch (is) {
    case "eq":
      return reader`=`;
    case "ne":
      return reader`<>`;
    case "lt":
      return reader`<`;
    case "le":
      return reader`<=`;
    case "gt":
      return reader`>`;
    case "ge":
      return reader`>=`;
  }
};

/** True or false, never null: `not` turns round exactly what rules.ts says. p is people_person, f its profile. */
function where(reader: Reader, rule: RuleNow, at: Date): Fragment {
  switch (rule.kind) {
    case "everybody":
      return reader`true`;
    case "and":
    case "or": {
      const parts = rule.of.map((one) => where(reader, one, at));
      const joined = parts.reduce((left, right) =>
        rule.kind === "and" ? reader`${left} and ${right}` : reader`${left} or ${right}`,
      );
      return reader`(${joined})`;
    }
    case "not":
      return reader`(not ${where(reader, rule.of, at)})`;
    case "tag":
      return reader`exists (
        select from people_tag t where t.bucket = p.bucket and t.person_id = p.person_id
          and t.tag = ${rule.tag} and t.value = any(${rule.in}::text[])
          and (t.expires_at is null or t.expires_at > ${at}))`;
    case "known":
      return reader`coalesce(f.attributes->${rule.attribute}::text->>'v' is not null, false)`;
    case "number":
      return reader`case when jsonb_typeof(f.attributes->${rule.attribute}::text->'v') = 'number'
        then (f.attributes->${rule.attribute}::text->>'v')::numeric
          ${operator(reader, rule.is)} ${String(rule.value)}::text::numeric
        else false end`;
    case "text":
      return reader`case when jsonb_typeof(f.attributes->${rule.attribute}::text->'v') = 'string'
        then f.attributes->${rule.attribute}::text->>'v' = any(${rule.in}::text[])
        else false end`;
    case "instant": {
      // Of one form and in UTC, instants sort as their text does; nothing is cast that could fail.
      const value = reader`f.attributes->${rule.attribute}::text->>'v'`;
      return reader`case when jsonb_typeof(f.attributes->${rule.attribute}::text->'v') = 'string'
          and ${value} ~ '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$'
        then ${
          rule.is === "before"
            ? reader`${value} collate "C" < ${rule.at}`
            : reader`${value} collate "C" >= ${rule.at}`
        } else false end`;
    }
    case "segment":
      return reader`exists (
        select from segments_member s where s.bucket = p.bucket and s.person_id = p.person_id
          and s.segment_id = ${rule.segment})`;
  }
}

/** The people a rule fits, as a query of (bucket, person_id) to stand in another. */
const matching = (reader: Reader, rule: RuleNow, at: Date): Fragment => reader`
  select p.bucket, p.person_id from people_person p
  left join people_profile f on f.bucket = p.bucket and f.person_id = p.person_id
  where ${where(reader, rule, at)}`;

export async function count(reader: Reader, rule: RuleNow, at: Date) {
  const [row] = await reader<{ people: number; of: number }[]>`
    select (select count(*) from (${matching(reader, rule, at)}) m)::int as people,
      (select count(*) from people_person)::int as of`;
  return row!;
}
export const sample = (reader: Reader, rule: RuleNow, at: Date, limit: number) =>
  reader<PersonKey[]>`
    select * from (${matching(reader, rule, at)}) m order by bucket, person_id limit ${limit}`;
/** Everybody a rule fits. */
export const everyoneOf = (reader: Reader, rule: RuleNow, at: Date) =>
  reader<PersonKey[]>`select * from (${matching(reader, rule, at)}) m order by bucket, person_id`;

export type Difference = PersonKey & {
  change: "entered" | "left";
  logId: string | null;
  eventId: string | null;
};
/**
 * Who fits and is not in yet, and who is in and fits no longer, each with the latest change of a tag that the rule
 * asks about, and the latest event that changed the profile.
 */
export const difference = (
  reader: Reader,
  segmentId: string,
  rule: RuleNow,
  at: Date,
  tags: readonly string[],
) => reader<Difference[]>`
  with fit as materialized (${matching(reader, rule, at)}),
  had as materialized (
    select bucket, person_id from segments_member where segment_id = ${segmentId}
  ), changed as (
    select bucket, person_id, 'entered' as change from (table fit except table had) e
    union all
    select bucket, person_id, 'left' from (table had except table fit) l
  )
  select c.bucket, c.person_id, c.change, l.id as log_id,
    case when f.attributes->'last_event'->>'v' ~ '^[0-9a-f-]{36}$'
      then f.attributes->'last_event'->>'v' end as event_id
  from changed c
  left join people_profile f on f.bucket = c.bucket and f.person_id = c.person_id
  left join lateral (
    select g.id from people_tag_log g
    left join people_tag t on t.bucket = g.bucket and t.person_id = g.person_id
      and t.tag = g.tag and t.log_id = g.id
    where g.bucket = c.bucket and g.person_id = c.person_id and g.tag = any(${tags}::text[])
    -- Of two changes at one instant, the one that stands.
    order by g.at desc, t.log_id is not null desc, g.id desc limit 1
  ) l on true
  order by c.bucket, c.person_id`;

/** Changes of tags that these events brought. */
export const linesBy = (reader: Reader, eventIds: readonly string[]) =>
  reader<{ personId: string; tag: string; log: string }[]>`
    select person_id, tag, id as log from people_tag_log
    where cause = any(${eventIds as string[]}::uuid[]) order by tag`;

export type FactsRow = PersonKey & {
  tags: Record<string, { value: string; expiresAt: string | null }>;
  attributes: Record<string, { v?: unknown }>;
  segments: string[];
};
/** What rules ask of each of these people. */
export const facts = (reader: Reader, people: readonly PersonKey[]) => reader<FactsRow[]>`
  select p.bucket, p.person_id, coalesce(f.attributes, '{}') as attributes,
    coalesce((
      select jsonb_object_agg(t.tag, jsonb_build_object('value', t.value, 'expiresAt', t.expires_at))
      from people_tag t where t.bucket = p.bucket and t.person_id = p.person_id
    ), '{}') as tags,
    coalesce((
      select jsonb_agg(s.segment_id) from segments_member s
      where s.bucket = p.bucket and s.person_id = p.person_id
    ), '[]') as segments
  from people_person p
  left join people_profile f on f.bucket = p.bucket and f.person_id = p.person_id
  where p.bucket = any(${[...new Set(people.map((one) => one.bucket))]}::smallint[])
    and p.person_id = any(${people.map((one) => one.personId)}::uuid[])
  order by p.bucket, p.person_id`;

/** Everybody's facts, a page at a time. */
export const everyone = (reader: Reader, after: PersonKey | null, limit: number) =>
  reader<PersonKey[]>`
    select bucket, person_id from people_person
    ${after ? reader`where (bucket, person_id) > (${after.bucket}, ${after.personId}::uuid)` : reader``}
    order by bucket, person_id limit ${limit}`;

export const counts = (reader: Reader) => reader<{ segmentId: string; people: number }[]>`
  select segment_id, count(*)::int as people from segments_member group by segment_id`;

export type Member = PersonKey & {
  since: Date;
  causeKind: "tag" | "event" | null;
  cause: string | null;
};
export const members = (
  reader: Reader,
  segmentId: string,
  after: PersonKey | null,
  limit: number,
) => reader<Member[]>`
  select bucket, person_id, since, cause_kind, cause from segments_member
  where segment_id = ${segmentId}
    ${after ? reader`and (bucket, person_id) > (${after.bucket}, ${after.personId}::uuid)` : reader``}
  order by bucket, person_id limit ${limit}`;
