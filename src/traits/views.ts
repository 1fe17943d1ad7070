// Reads over people and the log: what traits come to, for everybody at once or for these people. Values are bound, all of
// them. rules.ts says what a trait is, model/evaluate.ts the same of one person.
import type { Fragment } from "postgres";
import {
  eventsIn,
  ofEverybody,
  ownerAt,
  type PersonKey,
  type Reader,
  type Slice,
} from "#kernel/sql.ts";
import type { TagKind } from "#people/rules.ts";
import { filtered, saidAt } from "#segments/views.ts";
import { asks, distinctLimit } from "./rules.ts";
import type { Deeds, Pieces, Shop, Trait } from "./rules.ts";

/** Neither of a bot nor of staff nor a claim. Said so that the planner takes it for true of almost all. */
const unflagged = (reader: Reader) => reader`(e.flags = 0 or e.flags & 67 = 0)`;

/** Events of a trait, as e with the person whose they are and v, the property as the function asks for it. */
function such(reader: Reader, trait: Trait, now: Date, among: readonly PersonKey[]): Fragment {
  const kind = asks(trait.fn);
  const value =
    kind === null
      ? reader`null::text`
      : kind === "number"
        ? reader`traits_number(${saidAt(reader, trait.property!)})`
        : reader`traits_key(${saidAt(reader, trait.property!)})`;
  const where = [
    reader`e.name = ${trait.event} and ${unflagged(reader)}`,
    ...(trait.hours === null
      ? []
      : [reader`e.at > ${new Date(now.getTime() - trait.hours * 3_600_000)}`]),
    ...(trait.where ?? []).map((one) => filtered(reader, one)),
  ].reduce((left, right) => reader`${left} and ${right}`);
  // The two halves of people_owner each for itself: a node that is one person's asks no event for its place in time.
  const half = (owner: Fragment, more: Fragment) => reader`
    select o.person_bucket as bucket, o.person_id, e.at, e.id, ${value} as v
    from unnest(${among.map((one) => one.bucket)}::smallint[],
      ${among.map((one) => one.personId)}::uuid[]) as w(bucket, person_id)
    join ${owner} o on o.person_bucket = w.bucket and o.person_id = w.person_id
    join collect_event e on e.bucket = o.bucket and e.node_id = o.node_id
    where ${more} and ${where}`;
  return reader`(
    select * from (
      ${half(reader`people_node`, reader`not o.split`)}
      union all
      ${half(
        reader`people_span`,
        reader`(e.at, e.id) >= (o.from_at, o.from_id) and (e.at, e.id) < (o.until_at, o.until_id)`,
      )}
    ) e ${kind === null ? reader`` : reader`where v is not null`}) e`;
}

type Row = PersonKey & Pieces;
const ms = (reader: Reader, at: Fragment) =>
  reader`round(extract(epoch from ${at}) * 1000)::float8`;
/** The pieces of a trait's figure for these people, in one statement; whoever has none is left out. */
export function pieces(reader: Reader, trait: Trait, now: Date, among: readonly PersonKey[]) {
  const events = such(reader, trait, now, among);
  const past = reader`filter (where at <= ${now})`;
  const last = reader`(array_agg(id order by at desc, id desc) ${past})[1]`;
  const ahead = ms(reader, reader`min(at) filter (where at > ${now})`);
  if (trait.fn === "distinct" || trait.fn === "most_frequent") {
    const order = reader`latest desc nulls last, v collate "C"`;
    const seen = reader`filter (where times > 0)`;
    return reader<Row[]>`
      select bucket, person_id, coalesce(sum(times), 0)::int as n, null::text as sum, null::text as least,
        null::text as most, ${
          trait.fn === "distinct"
            ? reader`coalesce((array_agg(v order by ${order}) ${seen})[1:${distinctLimit}::int], '{}')`
            : reader`coalesce((array_agg(v order by times desc, ${order}) ${seen})[1:1], '{}')`
        } as keys,
        ${ms(reader, reader`min(earliest)`)} as first_at, ${ms(reader, reader`max(latest)`)} as last_at,
        (array_agg(last_id order by latest desc, last_id desc) ${seen})[1] as last_id, min(ahead) as ahead_at
      from (
        select bucket, person_id, v, count(*) ${past} as times, min(at) ${past} as earliest,
          max(at) ${past} as latest, ${last} as last_id, ${ahead} as ahead
        from ${events} group by bucket, person_id, v
      ) e group by bucket, person_id`;
  }
  const kind = asks(trait.fn);
  const key = (order: Fragment) => reader`(array_agg(v order by ${order}) ${past})[1:1]`;
  return reader<Row[]>`
    select bucket, person_id, (count(*) ${past})::int as n,
      ${kind === "number" ? reader`(sum(v) ${past})::text` : reader`null::text`} as sum,
      ${kind === "number" ? reader`(min(v) ${past})::text` : reader`null::text`} as least,
      ${kind === "number" ? reader`(max(v) ${past})::text` : reader`null::text`} as most,
      ${
        trait.fn === "first"
          ? reader`coalesce(${key(reader`at, id`)}, '{}')`
          : trait.fn === "last"
            ? reader`coalesce(${key(reader`at desc, id desc`)}, '{}')`
            : reader`'{}'::text[]`
      } as keys,
      ${ms(reader, reader`min(at) ${past}`)} as first_at, ${ms(reader, reader`max(at) ${past}`)} as last_at,
      ${last} as last_id, ${ahead} as ahead_at
    from ${events} group by bucket, person_id`;
}

/** What somebody did of one name since an instant (null: ever). */
export type Wanted = PersonKey & { event: string; since: Date | null };
type HappenedRow = { place: number; at: number; id: string; data: unknown[] };
/**
 * What happened of each that is wanted, by its place in the list from 1: at most `limit` of each, in no order. Of what an
 * event says, what stands under these names, in their order. Bots, staff and claims are left out.
 */
export const happened = (
  reader: Reader,
  wanted: readonly Wanted[],
  keys: readonly string[],
  limit: number,
) => {
  const half = (owner: Fragment, more: Fragment) => reader`
    select e.at, e.id, e.data
    from ${owner} o
    join collect_event e on e.bucket = o.bucket and e.node_id = o.node_id
      and e.name = w.name and e.at > w.since and ${unflagged(reader)}
    where o.person_bucket = w.bucket and o.person_id = w.person_id and ${more}`;
  const said = keys.map((key) => reader`e.data->${key}::text`);
  return reader<HappenedRow[]>`
    select w.place::int as place, ${ms(reader, reader`e.at`)} as at, e.id, ${
      said.length === 0
        ? reader`'[]'::jsonb`
        : reader`jsonb_build_array(${said.reduce((left, right) => reader`${left}, ${right}`)})`
    } as data
    from unnest(${wanted.map((one) => one.bucket)}::smallint[],
      ${wanted.map((one) => one.personId)}::uuid[], ${wanted.map((one) => one.event)}::text[],
      ${wanted.map(({ since }) => since?.toISOString() ?? "-infinity")}::text[]::timestamptz[])
      with ordinality as w(bucket, person_id, name, since, place)
    cross join lateral (
      select * from (
        ${half(reader`people_node`, reader`not o.split`)}
        union all
        ${half(
          reader`people_span`,
          reader`(e.at, e.id) >= (o.from_at, o.from_id) and (e.at, e.id) < (o.until_at, o.until_id)`,
        )}
      ) e limit ${limit}
    ) e`;
};

/** Whose figures about what wait for a job of their own. */
export const waiting = (reader: Reader, people: readonly PersonKey[], kind: string) =>
  reader<(PersonKey & { event: string })[]>`
    select t.bucket, t.person_id, t.key as event
    from unnest(${people.map((one) => one.bucket)}::smallint[],
      ${people.map((one) => one.personId)}::uuid[]) as w(bucket, person_id)
    cross join lateral (
      select * from timer t where t.bucket = w.bucket and t.person_id = w.person_id offset 0
    ) t
    where t.kind = ${kind} and t.attempts = 0`;
export async function waitingCount(reader: Reader, kind: string): Promise<number> {
  const [row] = await reader<{ people: number }[]>`
    select count(distinct person_id)::int as people from timer where kind = ${kind}`;
  return row!.people;
}

/** Whom events of these names in a slice of the log concern, with the name. */
export const touched = (reader: Reader, slice: Slice, names: readonly string[]) => reader<
  (PersonKey & { name: string })[]
>`
  select distinct o.person_bucket as bucket, o.person_id, e.name
  from ${eventsIn(reader, slice, reader`e.name = any(${names as string[]}::text[]) and ${unflagged(reader)}`)}
  cross join ${ownerAt(reader)} o`;

type Said = { v: unknown; s: string; at: string; id?: string };
/** What these people's profiles say under these names. */
export const said = (reader: Reader, people: readonly PersonKey[], names: readonly string[]) =>
  reader<(PersonKey & { said: Record<string, Said> })[]>`
    select f.bucket, f.person_id, (
      select coalesce(jsonb_object_agg(a.key, a.value), '{}') from jsonb_each(f.attributes) a
      where a.key = any(${names as string[]}::text[])) as said
    from unnest(${people.map((one) => one.bucket)}::smallint[],
      ${people.map((one) => one.personId)}::uuid[]) as w(bucket, person_id)
    join people_profile f on f.bucket = w.bucket and f.person_id = w.person_id`;

/** What these people's profiles say of what they are drawn to. */
export const preferred = (reader: Reader, people: readonly PersonKey[], names: readonly string[]) =>
  reader<(PersonKey & { name: string; value: unknown; id: string | null; c: number })[]>`
    select f.bucket, f.person_id, a.name, f.attributes->a.name->'v' as value,
      f.attributes->a.name->>'id' as id, (f.attributes->a.name->>'c')::float8 as c
    from unnest(${people.map((one) => one.bucket)}::smallint[],
      ${people.map((one) => one.personId)}::uuid[]) as w(bucket, person_id)
    join people_profile f on f.bucket = w.bucket and f.person_id = w.person_id
    cross join unnest(${names as string[]}::text[]) as a(name)
    where f.attributes ? a.name`;

/** The next people in order of their key. */
export const everyone = (reader: Reader, after: PersonKey, limit: number) => reader<PersonKey[]>`
  select bucket, person_id from people_person
  where (bucket, person_id) > (${after.bucket}, ${after.personId}::uuid)
  order by bucket, person_id limit ${limit}`;
/** Some people who did this last, the latest first. */
export const latestOf = (reader: Reader, event: string, now: Date, limit: number) => reader<
  PersonKey[]
>`
  select bucket, person_id from (
    select o.person_bucket as bucket, o.person_id, max(e.at) as at
    from (
      select * from collect_event e
      where e.name = ${event} and e.node_id is not null and e.at <= ${now} and ${ofEverybody(reader)}
      order by e.at desc limit 500
    ) e
    cross join ${ownerAt(reader)} o
    where ${unflagged(reader)}
    group by 1, 2
  ) o order by at desc, person_id limit ${limit}`;

/** Forms that are open or not yet, with the names of what they ask. */
export const forms = (reader: Reader) => reader<
  { id: string; slug: string; title: { zh: string; en: string }; names: string[] }[]
>`
  select f.id, f.slug, v.definition->'title' as title,
    array(select one->>'name' from jsonb_array_elements(v.definition->'fields') one) as names
  from forms_form f join forms_version v on v.form_id = f.id and v.version = f.version
  where f.state <> 'closed' order by f.slug`;

// ── tags ──

/** How many have each value of each tag, and how it came about. */
export const tagCounts = (reader: Reader, now: Date) => reader<
  { tag: string; value: string; kind: TagKind; people: number }[]
>`
  select tag, value, kind, count(*)::int as people from people_tag
  where expires_at is null or expires_at > ${now}
  group by tag, value, kind order by tag, people desc, value`;
export async function isTag(reader: Reader, tag: string): Promise<boolean> {
  const [row] = await reader<{ is: boolean }[]>`
    select exists (select from people_tag_log where tag = ${tag}) as "is"`;
  return row!.is;
}
/** Day by day, from the instants at which days begin: how many were given the tag or another value of it, and lost it. */
export const tagDays = (
  reader: Reader,
  tag: string,
  begins: readonly Date[],
  until: Date,
) => reader<{ day: number; given: number; gone: number }[]>`
  select width_bucket(at, ${begins.map((one) => one.toISOString())}::text[]::timestamptz[])::int as day,
    (count(*) filter (where after is not null))::int as given,
    (count(*) filter (where after is null))::int as gone
  from people_tag_log where tag = ${tag} and at >= ${begins[0]!} and at <= ${until} group by 1`;
export type TagLine = PersonKey & {
  id: string;
  before: string | null;
  after: string | null;
  source: string;
  reason: Record<string, unknown>;
  cause: string | null;
  at: Date;
};
/** The latest changes of a tag up to now, of everybody. */
export const tagLines = (
  reader: Reader,
  tag: string,
  now: Date,
  after: { at: Date; id: string } | null,
  limit: number,
) => reader<TagLine[]>`
  select bucket, person_id, id, before, after, source, reason, cause, at from people_tag_log
  where tag = ${tag} and at <= ${now}
    ${after ? reader`and (at, id) < (${after.at}, ${after.id}::uuid)` : reader``}
  order by at desc, id desc limit ${limit}`;

// ── how people buy and share ──

/** What the whole shop does in a span: the rates that single people are compared with. */
export async function shopRates(
  reader: Reader,
  since: Date,
  now: Date,
  shareNames: readonly string[],
) {
  const [row] = await reader<Shop[]>`
    select
      coalesce((select avg(case when state = 'redeemed' then 1 else 0 end) from offers_coupon
        where state in ('redeemed', 'expired') and issued_at > ${since} and issued_at <= ${now}), 0)::float8
        as coupon_rate,
      coalesce((select count(*) from collect_event e
          where e.name = any(${shareNames as string[]}::text[]) and e.at > ${since} and e.at <= ${now}
            and e.node_id is not null and ${ofEverybody(reader)} and ${unflagged(reader)})
        / nullif((select sum(extract(epoch from ${now}::timestamptz - greatest(seen_at, ${since}::timestamptz)))
            from people_person where seen_at < ${now}) / 604800, 0), 0)::float8 as shares_per_week,
      coalesce((select sum(n * n) / nullif(power(sum(n), 2), 0) from (
        select count(*)::float8 as n from orders_line l
        join catalog_product p on p.source_id = l.source_id and p.sku = l.sku
        where l.kind = 'sale' and l.at > ${since} and l.at <= ${now} and p.brand is not null
        group by p.brand) b), 0)::float8 as brand_chance`;
  return row!;
}
/** What each of these people did in a span. */
export const deeds = (
  reader: Reader,
  people: readonly PersonKey[],
  asked: { since: Date; now: Date; shareNames: readonly string[]; reducedTo: number },
) => {
  const { since, now, shareNames, reducedTo } = asked;
  const theirs = (at: Fragment) =>
    reader`bucket = w.bucket and person_id = w.person_id and ${at} > ${since} and ${at} <= ${now}`;
  return reader<(PersonKey & Deeds)[]>`
    select w.bucket, w.person_id, l.lines, l.reduced, l.expected_reduced, c.coupons_over, c.coupons_used,
      b.brand_lines, b.same_brand_pairs, s.shares,
      (extract(epoch from ${now}::timestamptz - greatest(p.seen_at, ${since}::timestamptz)) / 604800)::float8 as weeks
    from unnest(${people.map((one) => one.bucket)}::smallint[],
      ${people.map((one) => one.personId)}::uuid[]) as w(bucket, person_id)
    join people_person p on p.bucket = w.bucket and p.person_id = w.person_id
    cross join lateral (
      select count(*)::int as lines,
        (count(*) filter (where l.unit_price * 100 <= t.usual * ${reducedTo}::int))::int as reduced,
        coalesce(sum(t.reduced), 0)::float8 as expected_reduced
      from (select * from orders_line where kind = 'sale' and unit_price > 0 and ${theirs(reader`at`)}) l
      join traits_price t on t.source_id = l.source_id and t.sku = l.sku
    ) l
    cross join lateral (
      select count(*)::int as coupons_over, (count(*) filter (where state = 'redeemed'))::int as coupons_used
      from offers_coupon where state in ('redeemed', 'expired') and ${theirs(reader`issued_at`)}
    ) c
    cross join lateral (
      select coalesce(sum(n), 0)::int as brand_lines, coalesce(sum(n * (n - 1)), 0)::float8 as same_brand_pairs
      from (
        select count(*) as n
        from (select * from orders_line where kind = 'sale' and ${theirs(reader`at`)}) l
        join catalog_product p on p.source_id = l.source_id and p.sku = l.sku
        where p.brand is not null group by p.brand
      ) b
    ) b
    cross join lateral (
      select count(*)::int as shares from people_owner o
      join collect_event e on e.bucket = o.bucket and e.node_id = o.node_id
        and e.name = any(${shareNames as string[]}::text[]) and e.at > ${since} and e.at <= ${now}
        and (e.at, e.id) >= (o.from_at, o.from_id) and (e.at, e.id) < (o.until_at, o.until_id)
      where o.person_bucket = w.bucket and o.person_id = w.person_id and ${unflagged(reader)}
    ) s`;
};
/** What was said of these people, with its figures. */
export const tagsWithReason = (
  reader: Reader,
  people: readonly PersonKey[],
  tags: readonly string[],
) =>
  reader<(PersonKey & { tag: string; value: string; reason: Record<string, unknown> })[]>`
    select t.bucket, t.person_id, t.tag, t.value, t.reason
    from unnest(${people.map((one) => one.bucket)}::smallint[],
      ${people.map((one) => one.personId)}::uuid[]) as w(bucket, person_id)
    join people_tag t on t.bucket = w.bucket and t.person_id = w.person_id
      and t.tag = any(${tags as string[]}::text[]) and t.source = 'traits'`;
