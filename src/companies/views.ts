// Reads of companies for the console. They never write.
import { eventsIn, type PersonKey, type Reader, type Slice } from "#kernel/sql.ts";
import { groupNames, type Profile } from "./rules.ts";

type Row = {
  id: string;
  name: string;
  at: Date;
  data: Record<string, unknown>;
  sourceId: string;
  sourceName: string;
  bucket: number;
  nodeId: string;
  sealed: Buffer | null;
};
/** What a slice of the log says of companies: a shop's server or a file may, a browser may not. */
export const groupsIn = (reader: Reader, slice: Slice, leftOut: number) => reader<Row[]>`
  select e.id, e.name, e.at, e.data, e.source_id, c.name as source_name, e.bucket, e.node_id, e.sealed
  from ${eventsIn(reader, slice)}
  join collect_source c on c.id = e.source_id and c.kind in ('server', 'import')
  where e.name = any(${groupNames as string[]}::text[]) and e.node_id is not null
    and e.flags & ${leftOut} = 0
  order by e.at, e.id`;

export type Listed = {
  id: string;
  ref: string;
  name: string | null;
  sourceName: string;
  industry: string | null;
  country: string | null;
  members: number;
  orders: bigint;
  spentMinor: bigint;
  currency: string | null;
  lastOrderAt: Date | null;
};
const columns = (reader: Reader) => reader`
  c.id, c.ref, c.name, coalesce(s.name, '') as source_name, c.profile->'industry'->>'v' as industry,
  c.profile->'country'->>'v' as country, coalesce(f.members, 0) as members,
  coalesce(f.orders, 0) as orders, coalesce(f.spent_minor, 0) as spent_minor, f.currency, f.last_order_at`;
/** One page, those who spent most first. `search` finds within names and group ids. */
export function page(
  reader: Reader,
  search: string,
  after: { spent: string; id: string } | null,
  limit: number,
) {
  const like = `%${search.replaceAll(/[\\%_]/g, (c) => `\\${c}`)}%`;
  return reader<Listed[]>`
    select ${columns(reader)} from companies_company c
    left join companies_figure f on f.company_id = c.id
    left join collect_source s on s.id = c.source_id
    where true ${search === "" ? reader`` : reader`and (c.name ilike ${like} or c.ref ilike ${like})`}
      ${
        after
          ? reader`and (coalesce(f.spent_minor, 0), c.id) < (${after.spent}::text::bigint, ${after.id}::uuid)`
          : reader``
      }
    order by coalesce(f.spent_minor, 0) desc, c.id desc limit ${limit}`;
}
export async function one(reader: Reader, id: string) {
  const [row] = await reader<(Listed & { profile: Profile; seenAt: Date })[]>`
    select ${columns(reader)}, c.profile, c.seen_at from companies_company c
    left join companies_figure f on f.company_id = c.id
    left join collect_source s on s.id = c.source_id
    where c.id = ${id}`;
  return row ?? null;
}
export const members = (reader: Reader, id: string, limit: number) => reader<
  (PersonKey & { role: string; since: Date; until: Date | null; orders: number })[]
>`
  select m.bucket, m.person_id, m.role, m.since, m.until, coalesce((
    select sum(s.orders)::int from companies_spend s where s.bucket = m.bucket
      and s.person_id = m.person_id and s.company_id = m.company_id), 0) as orders
  from companies_member m where m.company_id = ${id}
  order by m.until desc nulls first, m.since, m.person_id, m.role limit ${limit}`;
export const external = (reader: Reader, id: string) => reader<{ type: string; value: string }[]>`
  select type, value from companies_external where company_id = ${id} order by type, value limit 50`;
export const contactFields = (reader: Reader, id: string) => reader<{ field: string }[]>`
  select field from companies_contact where company_id = ${id} order by field`;
export type Tag = {
  tag: string;
  value: string;
  kind: "rule" | "statistic" | "model" | "hand";
  source: string;
  reason: Record<string, unknown>;
  confidence: number;
  at: Date;
  expiresAt: Date | null;
};
export const tags = (reader: Reader, id: string, now: Date) => reader<Tag[]>`
  select tag, value, kind, source, reason, confidence::float8 as confidence, at, expires_at
  from companies_tag where company_id = ${id} and (expires_at is null or expires_at > ${now})
  order by tag`;
export const tagHistory = (reader: Reader, id: string, tag: string) => reader<
  { before: string | null; after: string | null; kind: Tag["kind"]; source: string; at: Date }[]
>`
  select before, after, kind, source, at from companies_tag_log
  where company_id = ${id} and tag = ${tag} order by at desc, id desc limit 200`;

/** Tags that follow from rules, with how many companies carry each by them. */
export const tagRules = (reader: Reader) => reader<
  {
    tag: string;
    zh: string;
    en: string;
    companies: number;
    rules: { value: string; segment: string; name: { zh: string; en: string } | null }[];
  }[]
>`
  select d.tag, d.zh, d.en,
    (select count(*)::int from companies_tag t where t.tag = d.tag and t.kind = 'rule') as companies,
    coalesce((
      select jsonb_agg(jsonb_build_object('value', r.value, 'segment', r.segment_id,
        'name', case when s.id is not null
          then jsonb_build_object('zh', s.name_zh, 'en', s.name_en) end) order by r.place)
      from companies_tag_rule r left join segments_segment s on s.id = r.segment_id
      where r.tag = d.tag), '[]') as rules
  from companies_tag_declared d order by d.tag`;

export type Moment = {
  at: Date;
  what: "joined" | "left" | "ordered" | "refunded" | "tagged";
  bucket: number | null;
  personId: string | null;
  detail: string; // the role, the order's reference or the tag
  amountMinor: bigint | null;
  currency: string | null;
};
/** What happened with a company, the newest first: who came and went, what was ordered, what it was tagged. */
export const timeline = (reader: Reader, id: string, limit: number) => reader<Moment[]>`
  select * from (
    (select since as at, 'joined' as what, bucket, person_id, role as detail, null::bigint as amount_minor, null as currency
      from companies_member where company_id = ${id} order by since desc limit ${limit})
    union all
    (select until, 'left', bucket, person_id, role, null, null from companies_member
      where company_id = ${id} and until is not null order by until desc limit ${limit})
    union all
    (select o.at, case o.kind when 'sale' then 'ordered' else 'refunded' end, o.bucket, o.person_id, o.ref,
        o.amount_minor, o.currency
      from (select distinct bucket, person_id from companies_spend where company_id = ${id}) p
      join orders_order o on o.bucket = p.bucket and o.person_id = p.person_id
      where ${id} = (select company_id from companies_member m
        where m.bucket = o.bucket and m.person_id = o.person_id and m.since <= o.at
          and (m.until is null or o.at < m.until) order by m.since desc, m.company_id limit 1)
      order by o.at desc limit ${limit})
    union all
    (select at, 'tagged', null, null, tag || coalesce(': ' || after, ''), null, null from companies_tag_log
      where company_id = ${id} order by at desc limit ${limit})
  ) t order by at desc, what, detail limit ${limit}`;
