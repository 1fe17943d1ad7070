// Every SQL statement that writes what is declared of traits and tags, and its own reads.
import { nobody } from "#kernel/ids.ts";
import {
  bigintList,
  eventsIn,
  eventsOf,
  ownerAt,
  type PersonKey,
  type Reader,
  type Slice,
  type Tx,
} from "#kernel/sql.ts";
import type { Own, Shop, TagDefinition, Trait } from "./rules.ts";

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

export type DeclaredOwn = Progress & { name: string; definition: Own };
/** Attributes of the shop's own, by name. */
export const allOwns = (reader: Reader) =>
  reader<DeclaredOwn[]>`select * from traits_attribute order by name`;
/** Those that are not being deleted. */
export const owns = async (reader: Reader): Promise<Own[]> =>
  (await allOwns(reader)).flatMap(({ state, definition }) =>
    state === "going" ? [] : [definition],
  );
/** What is gone through in helpings: a trait or a tag that was declared, or what is worked out without that. */
export type Kind = "trait" | "tag" | "attribute" | "preference" | "behaviour";
export type What = { kind: Kind; name: string; table: string; key: "name" | "tag" };
export const whatOf = (kind: Kind, name: string): What =>
  kind === "trait"
    ? { kind, name, table: "traits_trait", key: "name" }
    : kind === "tag"
      ? { kind, name, table: "traits_tag", key: "tag" }
      : kind === "attribute"
        ? { kind, name, table: "traits_attribute", key: "name" }
        : { kind, name, table: "traits_learned", key: "name" };

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
  definition: object,
) => tx`
  insert into ${tx(table)}
    (${tx(key)}, definition, version, state, declared_at, by, total)
  values (${name}, ${tx.json(definition as never)}, ${row.version}, 'filling', ${row.declaredAt}, ${row.by},
    ${row.total})
  on conflict (${tx(key)}) do update set definition = excluded.definition, version = excluded.version,
    state = excluded.state, declared_at = excluded.declared_at, by = excluded.by,
    after_bucket = -1, after_id = ${nobody}, done = 0, total = excluded.total`;
/** Calls one otherwise; nobody has to be gone through. */
export const rename = (
  tx: Tx,
  { table, key, name }: What,
  definition: object,
  { declaredAt, by }: Pick<Progress, "declaredAt" | "by">,
) => tx`
  update ${tx(table)} set definition = ${tx.json(definition as never)}, version = version + 1,
    declared_at = ${declaredAt}, by = ${by}
  where ${tx(key)} = ${name}`;
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
/**
 * Of the whole table, not of its row: those who share a row are let in past whoever waits for all of it, and under load
 * there is always one. It waits for those who look already, and for nobody who comes after it.
 */
export async function nextGeneration(tx: Tx): Promise<void> {
  await tx`lock table traits_state in exclusive mode`;
  await tx`update traits_state set generation = generation + 1`;
}

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

// ── what people are drawn to ──

export type Weighed = { names: readonly string[]; weights: readonly number[] } & {
  epoch: Date;
  halfLifeSeconds: number;
  nameLimit: number;
};
/**
 * What was done in a category, from events e with their person o: a row each with its weight in log space. A category that
 * an event does not name is that of its product in the catalogue.
 */
const sightings = (
  tx: Tx,
  { names, weights, epoch, halfLifeSeconds, nameLimit }: Weighed,
  which = tx`true`,
) => tx`
  join unnest(${names as string[]}::text[], ${weights as number[]}::float8[]) as w(name, weight)
    on w.name = e.name
  cross join lateral (
    select l.category, l.sku from jsonb_to_recordset(
      case when e.name = 'Order Completed' and jsonb_typeof(e.data->'$order'->'lines') = 'array'
        then e.data->'$order'->'lines' else '[]' end) as l(sku text, category text)
    union all
    select e.data->>'category', coalesce(e.data->>'sku', e.data->>'product_id')
    where e.name <> 'Order Completed' and (e.name <> 'Order Line' or e.data->>'kind' = 'sale')
  ) l
  left join catalog_product p on nullif(btrim(l.category), '') is null
    and p.source_id = e.source_id and p.sku = l.sku
  cross join lateral (
    select coalesce(nullif(btrim(l.category), ''), nullif(btrim(p.category), '')) as category,
      ln(w.weight) / ln(2::float8) + extract(epoch from e.at - ${epoch}::timestamptz)::float8 / ${halfLifeSeconds}::float8 as x
  ) c
  where ${which} and (e.flags = 0 or e.flags & 67 = 0) and c.category is not null
    and char_length(c.category) <= ${nameLimit}::int`;
/** Below this a part of a sum is nothing, and PostgreSQL would call it an underflow. */
const least = 1000;
const add = (tx: Tx, events: ReturnType<typeof sightings>): Promise<PersonKey[]> => tx<PersonKey[]>`
  insert into traits_preference as t
    (bucket, person_id, category, score, times, bought, last_at, last_id)
  select bucket, person_id, category, max(most) + ln(sum(power(2::float8, greatest(x - most, ${-least})))) / ln(2::float8),
    count(*)::int, (count(*) filter (where name in ('Order Line', 'Order Completed')))::int, max(at),
    (array_agg(id order by at desc, id desc))[1]
  from (
    select *, max(x) over (partition by bucket, person_id, category) as most from (${events}) e
  ) e
  group by bucket, person_id, category
  order by bucket, person_id, category
  on conflict (bucket, person_id, category) do update set
    score = greatest(t.score, excluded.score)
      + ln(1 + power(2::float8, greatest(-abs(t.score - excluded.score), ${-least}))) / ln(2::float8),
    times = t.times + excluded.times, bought = t.bought + excluded.bought,
    last_at = greatest(t.last_at, excluded.last_at),
    last_id = case when (excluded.last_at, excluded.last_id) > (t.last_at, t.last_id) then excluded.last_id
      else t.last_id end
  returning bucket, person_id`;
const columns = (tx: Tx) => tx`
  o.person_bucket as bucket, o.person_id, e.name, e.at, e.id, c.category, c.x`;
/** Adds what a slice of the log says; gives whose it is. */
export const addPreferences = (tx: Tx, slice: Slice, weighed: Weighed) =>
  add(
    tx,
    tx`
    select ${columns(tx)}
    from ${eventsIn(tx, slice)}
    cross join ${ownerAt(tx)} o
    ${sightings(tx, weighed)}`,
  );
/**
 * Works out anew what these people are drawn to, from everything that is theirs and was read: of the log, and of the slice
 * that this transaction reads. What was not read yet is added when it is. The people are held.
 */
export async function remakePreferences(
  tx: Tx,
  people: readonly PersonKey[],
  weighed: Weighed,
  { buckets, tos }: Slice,
): Promise<void> {
  const list = tx`unnest(${people.map((p) => p.bucket)}::smallint[],
    ${people.map((p) => p.personId)}::uuid[]) as w(bucket, person_id)`;
  await tx`
    delete from traits_preference t using ${list} where t.bucket = w.bucket and t.person_id = w.person_id`;
  await add(
    tx,
    tx`
    select ${columns(tx)}
    from (select w.bucket as person_bucket, w.person_id from ${list}) o
    cross join ${eventsOf(tx, weighed.names, ["o.person_bucket", "o.person_id"])} e
    join collect_consumer r on r.consumer = 'people' and r.bucket = e.bucket
    left join unnest(${buckets}::smallint[], ${bigintList(tos)}::bigint[]) as s(bucket, "to")
      on s.bucket = e.bucket
    ${sightings(tx, weighed, tx`e."offset" < greatest(r.next, s."to" + 1)`)}`,
  );
}
export type PreferenceRow = PersonKey & {
  category: string;
  score: number;
  times: number;
  bought: number;
  lastAt: Date;
  lastId: string;
};
export const preferences = (reader: Reader, people: readonly PersonKey[]) => reader<
  PreferenceRow[]
>`
  select t.* from unnest(${people.map((p) => p.bucket)}::smallint[],
    ${people.map((p) => p.personId)}::uuid[]) as w(bucket, person_id)
  join traits_preference t on t.bucket = w.bucket and t.person_id = w.person_id`;
export type ToldRow = PersonKey & { category: string; word: string; at: Date; id: string };
/** What these people said of themselves that they like or not. */
export const told = (reader: Reader, people: readonly PersonKey[], name: string, source: string) =>
  reader<ToldRow[]>`
    select p.bucket, p.person_id, e.data->>'category' as category,
      e.data->>'word' as word, e.at, e.id
    from unnest(${people.map((p) => p.bucket)}::smallint[], ${people.map((p) => p.personId)}::uuid[])
      as p(bucket, person_id)
    cross join ${eventsOf(reader, [name])} e
    where e.source_id = ${source}`;
export const erasePerson = (tx: Tx, { bucket, personId }: PersonKey) =>
  tx`delete from traits_preference where bucket = ${bucket} and person_id = ${personId}`;

/** How fast it fades, and how far everybody was gone through since that was set. */
export async function preference(reader: Reader) {
  const [row] = await reader<(Progress & { definition: { halfLifeDays?: number } })[]>`
    select * from traits_learned where name = 'preference'`;
  return row!;
}
export const setHalfLife = (tx: Tx, halfLifeDays: number, at: Date, by: string) => tx`
  update traits_learned set definition = ${tx.json({ halfLifeDays })}, version = version + 1,
    declared_at = ${at}, by = ${by}
  where name = 'preference'`;

// ── how people buy and share ──

export const learnedOf = async (reader: Reader): Promise<Partial<Shop>> => {
  const [row] = await reader<{ definition: Partial<Shop> }[]>`
    select definition from traits_learned where name = 'behaviour'`;
  return row?.definition ?? {};
};
export const saveLearned = (tx: Tx, shop: Shop) => tx`
  update traits_learned set definition = ${tx.json(shop)}, version = version + 1 where name = 'behaviour'`;
/** Learns what each product usually costs from the sales of a span. */
export async function learnPrices(
  tx: Tx,
  {
    since,
    now,
    salesFor,
    reducedTo,
  }: { since: Date; now: Date; salesFor: number; reducedTo: number },
): Promise<void> {
  await tx`delete from traits_price`;
  await tx`
    -- One reading of the lines, price by price: joined with them again, what is usual was asked of all lines for each
    -- product as long as PostgreSQL knew nothing of how many there are.
    insert into traits_price (source_id, sku, usual, reduced)
    select source_id, sku, usual,
      (coalesce(sum(n) filter (where unit_price * 100 <= usual * ${reducedTo}::int), 0) / sum(n))::float8
    from (
      select *, min(unit_price) filter (where upto * 2 >= total) over (partition by source_id, sku) as usual
      from (
        select *, sum(n) over (partition by source_id, sku order by unit_price) as upto,
          sum(n) over (partition by source_id, sku) as total
        from (
          select source_id, sku, unit_price, count(*) as n from orders_line
          where kind = 'sale' and unit_price > 0 and at > ${since} and at <= ${now}
          group by source_id, sku, unit_price
        ) priced
      ) priced
      where total >= ${salesFor}::int
    ) priced
    group by source_id, sku, usual`;
}
