// Reads over people: a rule as one statement of PostgreSQL, its people, and what single people are asked about. Values
// are bound, all of them.
//
// Whatever a rule asks about is a source that has at most one row a person: the profile, a tag, a membership, counts over
// the log, a sequence in it. Of everybody nothing is asked once for each person: sources are joined by person, and where
// the rule is false without a source's row the join is inner, so that the engine begins with whoever has one. Of some
// people, many rules are asked at once, and each person's own rows are looked up: what all the rules ask of the log is one
// walk over what that person did.
import type { Fragment } from "postgres";
import {
  eventsIn,
  ofEverybody,
  ownerAt,
  type PersonKey,
  type Reader,
  type Slice,
} from "#kernel/sql.ts";
import {
  holdsOfNone,
  partsOf,
  sampleModulus,
  type Comparison,
  type Filter,
  type Level,
  type RuleNow,
  type Span,
  type What,
} from "./rules.ts";

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
const joined = (reader: Reader, parts: readonly Fragment[], by: Fragment): Fragment =>
  parts.length === 0 ? reader`` : parts.reduce((left, right) => reader`${left} ${by} ${right}`);
const both = (reader: Reader, parts: readonly Fragment[]) =>
  parts.length === 0 ? reader`true` : joined(reader, parts, reader`and`);
const either = (reader: Reader, parts: readonly Fragment[]) =>
  reader`(${joined(reader, parts, reader`or`)})`;

/**
 * A JSON value against a number, without a cast: in the order of jsonb texts and null stand below every number, truths,
 * lists and objects above. What is 10^18 or more in size is no number to a rule.
 */
function numeric(reader: Reader, value: Fragment, is: Comparison, bound: number): Fragment {
  const number = reader`${String(bound)}::text::jsonb`;
  const above = reader`${value} > '-1000000000000000000'::jsonb`;
  const below = reader`${value} < '1000000000000000000'::jsonb`;
  const compared = reader`${value} ${operator(reader, is)} ${number}`;
  if (is === "eq") return compared;
  if (is === "ne") return reader`(${compared} and ${above} and ${below})`;
  return reader`(${compared} and ${is === "lt" || is === "le" ? above : below})`;
}

// ── what happened ──────────────────────────────────────────────────────────────────────────────────────────────────

/** What an event e says at a path. */
export const saidAt = (reader: Reader, property: string): Fragment => {
  const parts = partsOf(property);
  return parts.length === 1
    ? reader`(e.data->${property}::text)`
    : reader`(e.data #> ${parts}::text[])`;
};
/** Of an event e. Null counts as false wherever this stands. model/filter.ts says what it means. */
export function filtered(reader: Reader, filter: Filter): Fragment {
  const value = saidAt(reader, filter.property);
  const text = reader`jsonb_typeof(${value}) = 'string'`;
  switch (filter.is) {
    case "known":
      return reader`jsonb_typeof(${value}) <> 'null'`;
    case "in": {
      const values = filter.values.map(String);
      if (typeof filter.values[0] === "string")
        return reader`(${text} and ${value} #>> '{}' = any(${values}::text[]))`;
      return reader`(${value} = any(${values}::text[]::jsonb[])
        or ${text} and segments_decimal(${value}) = any(${values}::text[]::numeric[]))`;
    }
    default: {
      if (typeof filter.value === "boolean")
        return reader`${value} = to_jsonb(${filter.value === (filter.is === "eq")}::boolean)`;
      const is = operator(reader, filter.is);
      if (typeof filter.value === "number")
        return reader`(${numeric(reader, value, filter.is, filter.value)}
          or ${text} and segments_decimal(${value}) ${is} ${String(filter.value)}::text::numeric)`;
      return reader`(${text} and (${value} #>> '{}') collate "C" ${is} ${filter.value}::text)`;
    }
  }
}
const during = (reader: Reader, { from, until }: Span): Fragment =>
  from === null
    ? reader`e.at < ${new Date(until)}`
    : reader`e.at >= ${new Date(from)} and e.at < ${new Date(until)}`;
/** Is e such an event, in this span? */
const such = (reader: Reader, { event, where = [] }: What, span: Span): Fragment =>
  both(reader, [
    reader`e.name = ${event} and ${during(reader, span)}`,
    ...where.map((one) => filtered(reader, one)),
  ]);

/** Some people alone; null: everybody; w: the person of that alias around it. */
type Among = readonly PersonKey[] | "w" | null;
const these = (reader: Reader, among: readonly PersonKey[]) => reader`
  (select bucket, person_id from unnest(
    ${among.map((one) => one.bucket)}::smallint[], ${among.map((one) => one.personId)}::uuid[]
  ) as w(bucket, person_id))`;
/**
 * Neither of a bot nor of staff, nor a page's word for an order. Said so that the planner takes it for true of almost all:
 * of `= 0` it expects few.
 */
const unflagged = (reader: Reader) =>
  reader`e.flags & 3 <> 1 and e.flags & 3 <> 2 and e.flags & 3 <> 3 and e.flags & 64 <> 64`;
/** A company stands where a person would, in this bucket. */
export const companyBucket = 0;
const companyKey = (reader: Reader, id: Fragment) => reader`
  ${companyBucket}::smallint as bucket, ${id} as person_id`;
/** Does m, who belongs or belonged to a company, belong to it at an instant, in one of these roles? */
const belongs = (reader: Reader, at: Fragment, roles: readonly string[] = []) => reader`
  m.since <= ${at} and (m.until is null or m.until > ${at})
  and ${roles.length > 0 ? reader`m.role = any(${roles as string[]}::text[])` : reader`true`}`;
/**
 * Events that `where` says, as e with the person whose they are, without those of bots and of staff. People_owner's two
 * halves each for itself: a node that is one person's asks no event for its place in time. Of companies, each event stands
 * with every company that its person belonged to then.
 */
function eventsOf(
  reader: Reader,
  among: Among,
  where: Fragment,
  level: Level = "person",
): Fragment {
  if (level === "company")
    return reader`(
      select ${companyBucket}::smallint as person_bucket, c.company_id as person_id,
        e.name, e.at, e.id, e.data
      from ${eventsOf(reader, among, where)}
      cross join lateral (
        select distinct m.company_id from companies_member m
        where m.bucket = e.person_bucket and m.person_id = e.person_id
          and ${belongs(reader, reader`e.at`)}) c) e`;
  const listed = among !== null && among !== "w";
  const theirs = reader`o.person_bucket = w.bucket and o.person_id = w.person_id`;
  const half = (owner: Fragment, more: Fragment) => reader`
    select o.person_bucket, o.person_id, e.name, e.at, e.id, e.data
    from ${listed ? reader`${these(reader, among)} w join` : reader``} ${owner} o
    ${listed ? reader`on ${theirs}` : reader``}
    join collect_event e on e.bucket = o.bucket and e.node_id = o.node_id and ${unflagged(reader)}
    where ${among === "w" ? theirs : among ? reader`true` : ofEverybody(reader)} and ${more} and ${where}`;
  return reader`(
    ${half(reader`people_node`, reader`not o.split`)}
    union all
    ${half(
      reader`people_span`,
      reader`(e.at, e.id) >= (o.from_at, o.from_id) and (e.at, e.id) < (o.until_at, o.until_id)`,
    )}) e`;
}

/** How many such events there were in a span, or when the first of them was. */
type Column = { what: What; span: Span; first: boolean };
type Sequence = Extract<RuleNow, { kind: "sequence" }>;
/** What was first is sought from the beginning. */
const columnOf = (one: Extract<RuleNow, { kind: "count" | "first" }>): Column =>
  one.kind === "count"
    ? { what: one, span: one.span, first: false }
    : { what: one, span: { from: null, until: one.now + 1 }, first: true };

const columnsOf = (reader: Reader, columns: readonly Column[]): Fragment =>
  joined(
    reader,
    columns.map(({ what, span, first }, i) => {
      const filter =
        columns.length === 1 ? reader`` : reader`filter (where ${such(reader, what, span)})`;
      return first
        ? reader`min(e.at) ${filter} as ${reader(`c${i}`)}`
        : reader`count(*) ${filter} as ${reader(`c${i}`)}`;
    }),
    reader`,`,
  );
/** One row for everybody who did any of it. */
const counts = (reader: Reader, columns: readonly Column[], level: Level): Fragment => reader`(
  select e.person_bucket as bucket, e.person_id, ${columnsOf(reader, columns)}
  from ${eventsOf(
    reader,
    null,
    either(
      reader,
      columns.map(({ what, span }) => reader`(${such(reader, what, span)})`),
    ),
    level,
  )}
  group by e.person_bucket, e.person_id)`;
/** One row of person w. All of it is one walk along the index of what somebody did. */
function countsOfOne(reader: Reader, columns: readonly Column[]): Fragment {
  const names = [...new Set(columns.map(({ what }) => what.event))];
  const begins = columns.map(({ span }) => span.from);
  const span = {
    from: begins.includes(null) ? null : Math.min(...(begins as number[])),
    until: Math.max(...columns.map(({ span: { until } }) => until)),
  };
  const walked = reader`e.name = any(${names}::text[]) and ${during(reader, span)}`;
  const [only] = columns;
  return reader`(
    select ${columnsOf(reader, columns)}
    from ${eventsOf(reader, "w", columns.length === 1 ? such(reader, only!.what, only!.span) : walked)})`;
}

/**
 * Who did the steps one after the other. Of the chains of i steps that could end before an event, the one that began
 * last is a running maximum; all steps go over one sorted list.
 */
function sequence(
  reader: Reader,
  { steps, withinMs, span }: Sequence,
  among: "w" | null,
  level: Level = "person",
): Fragment {
  const is = steps.map(
    (step, i) =>
      reader`coalesce(${both(reader, [
        reader`e.name = ${step.event}`,
        ...(step.where ?? []).map((one) => filtered(reader, one)),
      ])}, false) as ${reader(`m${i}`)}`,
  );
  let chained = reader`
    select *, case when m0 then at end as s0 from (
      select e.person_bucket as bucket, e.person_id, e.at, e.id, ${joined(reader, is, reader`,`)}
      from ${eventsOf(
        reader,
        among,
        either(
          reader,
          steps.map((step) => reader`(${such(reader, step, span)})`),
        ),
        level,
      )}
    ) e`;
  for (let i = 1; i < steps.length; i++)
    chained = reader`
      select *, case when ${reader(`m${i}`)} then max(${reader(`s${i - 1}`)}) over (
        partition by bucket, person_id order by at, id
        rows between unbounded preceding and 1 preceding) end as ${reader(`s${i}`)}
      from (${chained}) e`;
  const last = reader(`s${steps.length - 1}`);
  return reader`(
    select bucket, person_id from (${chained}) e
    where at - ${last} <= ${withinMs}::float8 * interval '1 ms' group by bucket, person_id)`;
}

// ── a rule's sources ───────────────────────────────────────────────────────────────────────────────────────────────

type Source =
  | { kind: "profile"; alias: "f" }
  | { kind: "tag"; alias: string; tag: string; values: Set<string> }
  | { kind: "segment"; alias: string; segment: string }
  | { kind: "counts"; alias: "c"; of: Column[] }
  | { kind: "sequence"; alias: string; of: Sequence; ends: number }
  | ThroughSource;
type ThroughSource = { kind: "company" | "staff"; alias: string; of: Through };
type Through = Extract<RuleNow, { kind: "company" | "staff" }>;
type Sources = { all: Source[]; of: Map<RuleNow, { source: Source; at: number }> };

/** What these rules ask about, each source once, and what `moving` asks. `single`: of single people, not of everybody. */
function sourcesOf(
  rules: readonly RuleNow[],
  single = false,
  moving: readonly Moving[] = [],
): Sources {
  const all: Source[] = [];
  const of: Sources["of"] = new Map();
  const named = <K extends Source["kind"]>(
    isIt: (one: Extract<Source, { kind: K }>) => boolean,
    make: Extract<Source, { kind: K }>,
  ): Extract<Source, { kind: K }> => {
    const had = all.find(
      (one): one is Extract<Source, { kind: K }> =>
        one.kind === make.kind && isIt(one as Extract<Source, { kind: K }>),
    );
    if (!had) all.push(make);
    return had ?? make;
  };
  const profile = () => named(() => true, { kind: "profile", alias: "f" });
  const tagged = (tag: string) =>
    named<"tag">((one) => one.tag === tag, {
      kind: "tag",
      alias: `t${all.length}`,
      tag,
      values: new Set(),
    });
  const counted = () => named<"counts">(() => true, { kind: "counts", alias: "c", of: [] });
  const visit = (one: RuleNow): void => {
    switch (one.kind) {
      case "and":
      case "or":
        return one.of.forEach(visit);
      case "not":
        return visit(one.of);
      case "known":
      case "number":
      case "text":
      case "instant":
        of.set(one, { source: profile(), at: 0 });
        return;
      case "tag": {
        const source = tagged(one.tag);
        // A value that no condition asks for is as good as none.
        for (const value of one.in) source.values.add(value);
        of.set(one, { source, at: 0 });
        return;
      }
      case "segment": {
        const { segment } = one;
        const source = named<"segment">((other) => other.segment === segment, {
          kind: "segment",
          alias: `s${all.length}`,
          segment,
        });
        of.set(one, { source, at: 0 });
        return;
      }
      case "count":
      case "first": {
        const source = counted();
        of.set(one, { source, at: source.of.push(columnOf(one)) - 1 });
        return;
      }
      case "sequence": {
        // Of one person, a step is sought where the last one was found.
        const last = { what: one.steps.at(-1)!, span: one.span, first: false };
        const ends = single ? counted().of.push(last) - 1 : -1;
        const source: Source = { kind: "sequence", alias: `q${all.length}`, of: one, ends };
        all.push(source);
        of.set(one, { source, at: 0 });
        return;
      }
      case "company":
      case "staff": {
        const source: Source = { kind: one.kind, alias: `b${all.length}`, of: one };
        all.push(source);
        of.set(one, { source, at: 0 });
        return;
      }
      case "everybody":
      case "people":
      case "sample":
        return;
    }
  };
  rules.forEach(visit);
  for (const one of moving)
    if (one.kind === "attribute") profile();
    else if (one.kind === "tag") tagged(one.tag);
    else counted().of.push({ what: one.what, span: one.span, first: true });
  return { all, of };
}

/** Is the rule false of everybody of whom this source has no row? */
function needs(rule: RuleNow, source: Source, { of }: Sources): boolean {
  switch (rule.kind) {
    case "and":
      return rule.of.some((one) => needs(one, source, { all: [], of }));
    case "or":
      return rule.of.every((one) => needs(one, source, { all: [], of }));
    case "count":
      return of.get(rule)?.source === source && !holdsOfNone(rule.is, rule.count);
    case "staff":
      return (
        of.get(rule)?.source === source &&
        (rule.are === "every" || !holdsOfNone(rule.are, rule.count))
      );
    case "not":
    case "everybody":
    case "people":
    case "sample":
      return false;
    default:
      return of.get(rule)?.source === source;
  }
}
/** Where a source's rows of everybody come from, or of every company. */
function from(reader: Reader, source: Source, at: Date, level: Level): Fragment {
  const company = companyKey(reader, reader`company_id`);
  switch (source.kind) {
    case "profile":
      return level === "person"
        ? reader`people_profile`
        : reader`(select ${company}, attributes from segments_company_profile)`;
    case "tag":
      return reader`(select ${level === "person" ? reader`bucket, person_id` : company},
          value, expires_at
        from ${level === "person" ? reader`people_tag` : reader`companies_tag`}
        where tag = ${source.tag} and value = any(${[...source.values]}::text[]))`;
    case "segment":
      return level === "person"
        ? reader`(select * from segments_member where segment_id = ${source.segment})`
        : reader`(select ${company} from segments_company_member
            where segment_id = ${source.segment})`;
    case "counts":
      return counts(reader, source.of, level);
    case "sequence":
      return sequence(reader, source.of, null, level);
    case "company":
    case "staff":
      return through(reader, source.of, at);
  }
}
/** Who belongs to a company that fits; or of each company, how many of its people are asked and how many fit. */
function through(reader: Reader, { kind, fits, roles }: Through, at: Date): Fragment {
  // Whoever turned out to be somebody else is nobody, though their row may not have gone yet.
  const who = reader`
    companies_member m
    join people_person p on p.bucket = m.bucket and p.person_id = m.person_id`;
  const now = belongs(reader, reader`${at}::timestamptz`, roles);
  return kind === "company"
    ? reader`(
        select distinct m.bucket, m.person_id from ${who}
        join (${matching(reader, fits, at, "company")}) c on c.person_id = m.company_id
        where ${now})`
    : reader`(
        select ${companyKey(reader, reader`m.company_id`)},
          count(*) as people, count(s.person_id) as fit
        from (select distinct m.company_id, m.bucket, m.person_id from ${who} where ${now}) m
        left join (${matching(reader, fits, at)}) s
          on s.bucket = m.bucket and s.person_id = m.person_id
        group by m.company_id)`;
}
const isThrough = (one: Source): one is ThroughSource =>
  one.kind === "company" || one.kind === "staff";
/** And those of person w, whose memberships are m. */
function fromOne(reader: Reader, source: Exclude<Source, ThroughSource>): Fragment {
  const theirs = reader`x.bucket = w.bucket and x.person_id = w.person_id`;
  switch (source.kind) {
    case "profile":
      return reader`(select * from people_profile x where ${theirs})`;
    case "tag":
      return reader`(select value, expires_at from people_tag x where ${theirs} and x.tag = ${source.tag})`;
    case "segment":
      return reader`(select w.person_id where ${source.segment}::uuid = any(m.ids))`;
    case "counts":
      return countsOfOne(reader, source.of);
    case "sequence":
      return reader`(select * from ${sequence(reader, source.of, "w")} x
        where ${reader(`c.c${source.ends}`)} > 0 limit 1)`;
  }
}

/** True or false, never null, so that `not` turns round exactly what rules.ts says. `key` is the person's alias. */
function holds(reader: Reader, rule: RuleNow, at: Date, sources: Sources, key: string): Fragment {
  const found = sources.of.get(rule);
  const column = (name: string) => reader(`${found!.source.alias}.${name}`);
  switch (rule.kind) {
    case "everybody":
      return reader`true`;
    case "and":
    case "or": {
      const parts = rule.of.map((one) => holds(reader, one, at, sources, key));
      return reader`(${joined(reader, parts, rule.kind === "and" ? reader`and` : reader`or`)})`;
    }
    case "not":
      return reader`(not ${holds(reader, rule.of, at, sources, key)})`;
    case "tag":
      return reader`coalesce(${column("value")} = any(${rule.in}::text[])
        and (${column("expires_at")} is null or ${column("expires_at")} > ${at}), false)`;
    case "known":
      return reader`coalesce(f.attributes->${rule.attribute}::text->>'v' is not null, false)`;
    case "number":
      return reader`coalesce(${numeric(
        reader,
        reader`(f.attributes->${rule.attribute}::text->'v')`,
        rule.is,
        rule.value,
      )}, false)`;
    case "text":
      return reader`coalesce(jsonb_typeof(f.attributes->${rule.attribute}::text->'v') = 'string'
        and f.attributes->${rule.attribute}::text->>'v' = any(${rule.in}::text[]), false)`;
    case "instant": {
      // Of one form and in UTC, instants sort as their text does; nothing is cast that could fail.
      const value = reader`f.attributes->${rule.attribute}::text->>'v'`;
      return reader`coalesce(jsonb_typeof(f.attributes->${rule.attribute}::text->'v') = 'string'
        and ${value} ~ '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$'
        and ${
          rule.is === "before"
            ? reader`${value} collate "C" < ${rule.at}`
            : reader`${value} collate "C" >= ${rule.at}`
        }, false)`;
    }
    case "segment":
    case "sequence":
    case "company":
      return reader`(${column("person_id")} is not null)`;
    case "staff":
      return rule.are === "every"
        ? reader`coalesce(${column("fit")} = ${column("people")}, false)`
        : reader`(coalesce(${column("fit")}, 0) ${operator(reader, rule.are)} ${rule.count}::int)`;
    case "count":
      return reader`(coalesce(${column(`c${found!.at}`)}, 0)
        ${operator(reader, rule.is)} ${rule.count}::int)`;
    case "first": {
      const { from: begin, until } = rule.span;
      const first = column(`c${found!.at}`);
      return begin === null
        ? reader`coalesce(${first} < ${new Date(until)}, false)`
        : reader`coalesce(${first} >= ${new Date(begin)} and ${first} < ${new Date(until)}, false)`;
    }
    case "people":
      return reader`(${reader(`${key}.person_id`)} = any(${rule.ids}::uuid[]))`;
    case "sample":
      return reader`((${rule.a}::bigint
        * ('x' || right(${reader(`${key}.person_id`)}::text, 8))::bit(32)::bigint
        + ${rule.b}::bigint) % ${sampleModulus}::bigint < ${rule.below}::bigint)`;
  }
}

/**
 * The people a rule fits, as a query of (bucket, person_id) to stand in another; of a company's rule the companies, each
 * as (companyBucket, company id).
 */
export function matching(
  reader: Reader,
  rule: RuleNow,
  at: Date,
  level: Level = "person",
): Fragment {
  const sources = sourcesOf([rule]);
  const inner = sources.all.filter((one) => needs(rule, one, sources));
  // Whoever has a row anywhere is a person: where one is needed, it leads, and nobody else is looked at.
  const [lead] = inner;
  const key = lead ? lead.alias : "p";
  const base = lead
    ? reader`${from(reader, lead, at, level)} ${reader(key)}`
    : level === "person"
      ? reader`people_person p`
      : reader`(select ${companyKey(reader, reader`id`)} from companies_company) p`;
  const joins = sources.all
    .filter((one) => one !== lead)
    .map(
      (one) => reader`
        ${inner.includes(one) ? reader`join` : reader`left join`}
        ${from(reader, one, at, level)} ${reader(one.alias)}
        on ${reader(`${one.alias}.bucket`)} = ${reader(`${key}.bucket`)}
        and ${reader(`${one.alias}.person_id`)} = ${reader(`${key}.person_id`)}`,
    );
  return reader`
    select ${reader(`${key}.bucket`)}, ${reader(`${key}.person_id`)}
    from ${base} ${joined(reader, joins, reader``)}
    where ${holds(reader, rule, at, sources, key)}`;
}

/**
 * Does it join what nobody can foresee the size of: what people did, or who is in a segment? The planner expects few, and
 * would go over the one for each row of the other.
 */
export function isUnforeseen(rule: RuleNow): boolean {
  const { all } = sourcesOf([rule]);
  return (
    all.length > 1 &&
    all.some(({ kind }) => kind === "counts" || kind === "sequence" || kind === "segment")
  );
}

/** What is asked of some people: a rule, and what may move them in or out of its segment. */
export type Asked = {
  segmentId: string;
  rule: RuleNow;
  moving: readonly (Moving & { members: boolean })[];
};
/** So many rules are asked at once at most: their answers are the bits of a number. */
export const askedAtOnce = 30;
/** Bit i of `be`: does rule i fit? Of `was`: is the person in its segment? `dueAt[i]`: when the answer may change. */
export type Standing = PersonKey & { be: number; was: number; dueAt: (Date | null)[] };

/** Where these people stand; those alone for whom something changes, or may change soon. */
export async function standing(
  reader: Reader,
  people: readonly PersonKey[],
  asked: readonly Asked[],
  at: Date,
): Promise<Standing[]> {
  const sources = sourcesOf(
    asked.map(({ rule }) => rule),
    true,
    asked.flatMap(({ moving }) => moving),
  );
  const counted = sources.all.find((one) => one.kind === "counts");
  let column = (counted?.of.length ?? 0) - asked.flatMap(eventMoves).length;
  const bits = (parts: readonly Fragment[]) =>
    joined(
      reader,
      parts.map((one, i) => reader`((${one})::int << ${i}::int)`),
      reader`|`,
    );
  const fit = asked.map(({ rule }) => holds(reader, rule, at, sources, "w"));
  // Of whoever is gone there is no row anywhere; only of a rule that may be true without one is a person asked for.
  const isSure = asked.every(({ rule }) => sources.all.some((one) => needs(rule, one, sources)));
  const due = asked.map(({ moving }, i) => {
    const parts = moving.map((one) => {
      const instant = dueOf(reader, one, sources, () => column++);
      return one.members ? reader`case when ${fit[i]!} then ${instant} end` : instant;
    });
    return parts.length > 0
      ? reader`least(${joined(reader, parts, reader`,`)})`
      : reader`null::timestamptz`;
  });
  const dues = due.map((_, i) => reader(`d${i}`));
  const rows = await reader<(PersonKey & { be: number; was: number } & Record<string, unknown>)[]>`
    select * from (
      select w.bucket, w.person_id, ${isSure ? reader`` : reader`(p.person_id is not null)::int * `}(${bits(fit)}) as be, ${bits(
        asked.map(({ segmentId }) => reader`coalesce(${segmentId}::uuid = any(m.ids), false)`),
      )} as was, ${joined(
        reader,
        due.map((one, i) => reader`${one} as ${dues[i]!}`),
        reader`,`,
      )}
      from ${beside(reader, these(reader, people), sources, at)}
      ${
        isSure
          ? reader``
          : reader`left join people_person p on p.bucket = w.bucket and p.person_id = w.person_id`
      }
      offset 0
    ) s
    where be <> was or coalesce(${joined(reader, dues as never, reader`,`)}) is not null
    order by bucket, person_id`;
  return rows.map(({ bucket, personId, be, was, ...rest }) => ({
    bucket,
    personId,
    be,
    was,
    dueAt: asked.map((_, i) => (rest[`d${i}`] as Date | null) ?? null),
  }));
}
const eventMoves = ({ moving }: Asked) => moving.filter(({ kind }) => kind === "events");
/** `w` with their rows of every source: their own keys are looked up, whatever the planner expects of joins. */
const beside = (reader: Reader, w: Fragment, { all }: Sources, at: Date): Fragment => reader`
  ${w} w
  left join lateral (
    select array_agg(segment_id) as ids from segments_member x
    where x.bucket = w.bucket and x.person_id = w.person_id
  ) m on true
  ${joined(
    reader,
    all.map((one) => {
      const alias = reader(one.alias);
      // What companies fit is worked out once, not beside each of their people.
      if (isThrough(one))
        return reader`left join ${from(reader, one, at, "person")} ${alias}
          on ${reader(`${one.alias}.bucket`)} = w.bucket
          and ${reader(`${one.alias}.person_id`)} = w.person_id`;
      return reader`left join lateral ${fromOne(reader, one)} ${alias} on true`;
    }),
    reader``,
  )}`;
/** When this moves the person beside whom the sources are, or null. */
function dueOf(reader: Reader, one: Moving, { all }: Sources, nextColumn: () => number): Fragment {
  switch (one.kind) {
    case "events": {
      const first = reader(`c.c${nextColumn()}`);
      return "at" in one.due
        ? reader`case when ${first} is not null then ${one.due.at}::timestamptz end`
        : reader`${first} + ${one.due.afterMs}::float8 * interval '1 ms'`;
    }
    case "attribute": {
      const value = reader`f.attributes->${one.attribute}::text->>'v'`;
      return reader`case when ${value} collate "C" >= ${one.from}
        and ${value} collate "C" < ${one.until} then ${one.at}::timestamptz end`;
    }
    case "tag": {
      const source = all.find((other) => other.kind === "tag" && other.tag === one.tag)!;
      const until = reader(`${source.alias}.expires_at`);
      return reader`case when ${until} > ${one.after} and ${until} <= ${one.until} then ${until} end`;
    }
  }
}

/** A query that can be cancelled while it runs. */
export const countQuery = (reader: Reader, rule: RuleNow, at: Date, level: Level) =>
  reader<{ people: number }[]>`
    select count(*)::int as people from (${matching(reader, rule, at, level)}) m`;
export async function everybodyCount(reader: Reader, level: Level): Promise<number> {
  const [row] = await reader<{ people: number }[]>`
    select count(*)::int as people
    from ${level === "person" ? reader`people_person` : reader`companies_company`}`;
  return row!.people;
}
export const sample = (reader: Reader, rule: RuleNow, at: Date, limit: number, level: Level) =>
  reader<PersonKey[]>`
    select * from (${matching(reader, rule, at, level)}) m
    order by bucket, person_id limit ${limit}`;
/** Everybody a rule fits; of a company's rule every company. */
export const everyoneOf = (reader: Reader, rule: RuleNow, at: Date, level: Level = "person") =>
  reader<PersonKey[]>`
    select * from (${matching(reader, rule, at, level)}) m order by bucket, person_id`;
/** Those of some people whom it fits. */
export function someOf(reader: Reader, rule: RuleNow, at: Date, people: readonly PersonKey[]) {
  const sources = sourcesOf([rule], true);
  return reader<PersonKey[]>`
    select w.bucket, w.person_id from ${beside(reader, these(reader, people), sources, at)}
    join people_person p on p.bucket = w.bucket and p.person_id = w.person_id
    where ${holds(reader, rule, at, sources, "w")}
    order by w.bucket, w.person_id`;
}

// ── one person ─────────────────────────────────────────────────────────────────────────────────────────────────────

export type FactsRow = PersonKey & {
  tags: Record<string, { value: string; expiresAt: string | null }>;
  attributes: Record<string, { v?: unknown }>;
  segments: string[];
  /** When each segment looks at them again. */
  turns: Record<string, string>;
};
/** Names of what is asked of somebody: nothing else is read. Tags null: all of them. */
export type AskedNames = { attributes: readonly string[]; tags: readonly string[] | null };
/** What rules ask of each of these people, what happened aside. */
export const facts = (
  reader: Reader,
  people: readonly PersonKey[],
  { attributes, tags }: AskedNames,
) => reader<FactsRow[]>`
  select p.bucket, p.person_id,
    ${
      attributes.length === 0
        ? reader`'{}'::jsonb`
        : reader`coalesce((
            select jsonb_object_agg(a.name, f.attributes->a.name)
            from people_profile f, unnest(${attributes as string[]}::text[]) as a(name)
            where f.bucket = p.bucket and f.person_id = p.person_id and f.attributes ? a.name
          ), '{}')`
    } as attributes,
    ${
      tags?.length === 0
        ? reader`'{}'::jsonb`
        : reader`coalesce((
            select jsonb_object_agg(t.tag, jsonb_build_object('value', t.value, 'expiresAt', t.expires_at))
            from people_tag t where t.bucket = p.bucket and t.person_id = p.person_id
              ${tags ? reader`and t.tag = any(${tags as string[]}::text[])` : reader``}
          ), '{}')`
    } as tags,
    coalesce((
      select jsonb_agg(s.segment_id) from segments_member s
      where s.bucket = p.bucket and s.person_id = p.person_id
    ), '[]') as segments,
    coalesce((
      -- By person first, whatever is known of the kinds of a new installation's timers.
      select jsonb_object_agg(t.key, t.due_at) from (
        select * from timer t where t.bucket = p.bucket and t.person_id = p.person_id offset 0
      ) t where t.kind = 'segments.turn'
    ), '{}') as turns
  from ${these(reader, people)} w
  join people_person p on p.bucket = w.bucket and p.person_id = w.person_id
  order by p.bucket, p.person_id`;

/** What rules ask of each of these companies, what happened and its people aside. Each under its own id. */
export const companyFacts = (reader: Reader, ids: readonly string[]) => reader<FactsRow[]>`
  select ${companyKey(reader, reader`f.company_id`)}, f.attributes,
    coalesce((
      select jsonb_object_agg(t.tag, jsonb_build_object('value', t.value, 'expiresAt', t.expires_at))
      from companies_tag t where t.company_id = f.company_id
    ), '{}') as tags,
    coalesce((
      select jsonb_agg(s.segment_id) from segments_company_member s
      where s.company_id = f.company_id
    ), '[]') as segments, '{}'::jsonb as turns
  from segments_company_profile f where f.company_id = any(${ids as string[]}::uuid[])`;
export type SpanRow = PersonKey & {
  companyId: string;
  role: string;
  since: Date;
  until: Date | null;
};
/** Who belonged to these companies, in which role and when. */
export const spansIn = (reader: Reader, companies: readonly string[]) => reader<SpanRow[]>`
  select bucket, person_id, company_id, role, since, until from companies_member
  where company_id = any(${companies as string[]}::uuid[])
  order by company_id, person_id, since, role`;
/** Companies that any of these people belongs or belonged to. */
export const companiesOf = (reader: Reader, people: readonly PersonKey[]) => reader<
  (PersonKey & { companyId: string })[]
>`
  select distinct m.bucket, m.person_id, m.company_id
  from ${these(reader, people)} w
  join companies_member m on m.bucket = w.bucket and m.person_id = w.person_id`;

export type HappenedRow = {
  personId: string;
  name: string;
  at: Date;
  id: string;
  data: Record<string, unknown> | null;
};
/** What these people did of these names since an instant (null: ever), in order. `data` where `told` names the event. */
export const happened = (
  reader: Reader,
  people: readonly PersonKey[],
  names: readonly string[],
  since: Date | null,
  told: readonly string[],
) => reader<HappenedRow[]>`
  select e.person_id, e.name, e.at, e.id,
    case when e.name = any(${told as string[]}::text[]) then e.data end as data
  from ${eventsOf(
    reader,
    people,
    reader`e.name = any(${names as string[]}::text[])
      ${since ? reader`and e.at >= ${since}` : reader``}`,
  )}
  order by e.person_id, e.at, e.id`;

/** What kinds of things happened in a slice of the log: few, however many names the rules know. */
export const namesInSlice = (reader: Reader, slice: Slice) => reader<{ name: string }[]>`
  select distinct e.name
  from ${eventsIn(reader, slice)}`;
/** Whose an event is. */
const owner = (reader: Reader) => reader`cross join ${ownerAt(reader)} o`;
/** What somebody did in a slice of the log, of these names. `data` where `told` names the event. */
export const inSlice = (
  reader: Reader,
  slice: Slice,
  names: readonly string[],
  told: readonly string[],
) => reader<(HappenedRow & { bucket: number })[]>`
  select o.person_bucket as bucket, o.person_id, e.name, e.at, e.id,
    case when e.name = any(${told as string[]}::text[]) then e.data end as data
  from ${eventsIn(reader, slice)}
  ${owner(reader)}
  where e.flags & 67 = 0 and e.name = any(${names as string[]}::text[])`;
/** The latest event of each of these people in a slice of the log. */
export const latestInSlice = (reader: Reader, slice: Slice, people: readonly PersonKey[]) => reader<
  { personId: string; id: string }[]
>`
  select distinct on (o.person_id) o.person_id, e.id
  from ${eventsIn(reader, slice)}
  -- Most of a slice is nobody's of these: only what one of their nodes sent asks for its owner.
  join (
    select n.bucket, n.node_id from ${these(reader, people)} w
    join people_node n on n.person_bucket = w.bucket and n.person_id = w.person_id
    union
    select s.bucket, s.node_id from ${these(reader, people)} w
    join people_span s on s.person_bucket = w.bucket and s.person_id = w.person_id
  ) n on n.bucket = e.bucket and n.node_id = e.node_id
  ${owner(reader)}
  where o.person_id = any(${people.map((one) => one.personId)}::uuid[])
  order by o.person_id, e.at desc, e.id desc`;

/** The latest event up to an instant that any of these ask about, of each of these people who has one. */
export const latestSuch = (
  reader: Reader,
  people: readonly PersonKey[],
  whats: readonly What[],
  at: Date,
) => {
  const span = { from: null, until: at.getTime() + 1 };
  return reader<{ personId: string; id: string; at: Date }[]>`
    select distinct on (e.person_id) e.person_id, e.id, e.at
    from ${eventsOf(
      reader,
      people,
      either(
        reader,
        whats.map((what) => such(reader, what, span)),
      ),
    )}
    order by e.person_id, e.at desc, e.id desc`;
};

/** By which event somebody else last turned out to be one of these people, where that is still under way. */
export const joinedBy = (reader: Reader, people: readonly PersonKey[]) => reader<
  { personId: string; id: string }[]
>`
  select distinct on (m.into_id) m.into_id as person_id, m.cause as id
  from ${these(reader, people)} w join people_merge m on m.into_id = w.person_id
  where m.state = 'merging' and m.cause is not null and m.by is null
  order by m.into_id, m.seq desc`;

// ── turns ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Something of somebody that time moves in or out: events, an attribute that is an instant, a tag that expires. */
export type Moving =
  /** Such events within `span`, each due so many ms after it happened; or all of them at `dueAt`. */
  | { kind: "events"; what: What; span: Span; due: { afterMs: number } | { at: Date } }
  | { kind: "attribute"; attribute: string; from: string; until: string; at: Date }
  | { kind: "tag"; tag: string; after: Date; until: Date };
/**
 * When each person's answer may change, as far as these say: a query of (bucket, person_id, due_at), one row a person.
 * `members`: of those in the segment alone.
 */
export function turns(
  reader: Reader,
  moving: readonly (Moving & { members: string | null })[],
): Fragment {
  const parts = moving.map((one) => {
    switch (one.kind) {
      case "events":
        return reader`
          select e.person_bucket as bucket, e.person_id, ${
            "at" in one.due
              ? reader`${one.due.at}::timestamptz`
              : reader`min(e.at) + ${one.due.afterMs}::float8 * interval '1 ms'`
          } as due_at
          from ${eventsOf(reader, null, such(reader, one.what, one.span))}
          group by e.person_bucket, e.person_id`;
      case "attribute": {
        const value = reader`f.attributes->${one.attribute}::text->>'v'`;
        return reader`
          select f.bucket, f.person_id, ${one.at}::timestamptz as due_at from people_profile f
          where ${value} collate "C" >= ${one.from} and ${value} collate "C" < ${one.until}`;
      }
      case "tag":
        return reader`
          select t.bucket, t.person_id, t.expires_at as due_at from people_tag t
          where t.tag = ${one.tag} and t.expires_at > ${one.after} and t.expires_at <= ${one.until}`;
    }
  });
  // Fenced (offset 0), so that each is looked up by key: of a segment that has just grown the planner expects nobody, and
  // would read all of it for each.
  const kept = parts.map((part, i) => {
    const segment = moving[i]!.members;
    return segment
      ? reader`select * from (${part}) m where exists (
          select from segments_member s where s.bucket = m.bucket and s.person_id = m.person_id
            and s.segment_id = ${segment} offset 0)`
      : part;
  });
  return reader`
    select bucket, person_id, min(due_at) as due_at
    from (${joined(reader, kept, reader`union all`)}) m
    group by bucket, person_id`;
}

// ── screens ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Everybody, a page at a time. */
export const everyone = (reader: Reader, after: PersonKey | null, limit: number) =>
  reader<PersonKey[]>`
    select bucket, person_id from people_person
    ${after ? reader`where (bucket, person_id) > (${after.bucket}, ${after.personId}::uuid)` : reader``}
    order by bucket, person_id limit ${limit}`;
export const counted = (reader: Reader) => reader<{ segmentId: string; people: number }[]>`
  select segment_id, count(*)::int as people from segments_member group by segment_id
  union all
  select segment_id, count(*)::int from segments_company_member group by segment_id`;

/** What companies are called: their name, or the shop's number of them. */
export const companyNames = (reader: Reader, ids: readonly string[]) => reader<
  { id: string; name: string }[]
>`
  select id, coalesce(name, ref) as name from companies_company
  where id = any(${ids as string[]}::uuid[])`;
/** Who is in any segment, people and companies: a segment has the one or the other. */
const memberships = (reader: Reader) => reader`(
  select segment_id, bucket, person_id, since, cause_kind, cause from segments_member
  union all
  select segment_id, ${companyKey(reader, reader`company_id`)}, since, cause_kind, cause
  from segments_company_member) m`;
/** Who ever came into any segment or left it, the same. */
const comings = (reader: Reader) => reader`(
  select segment_id, bucket, person_id, id, version, change, at, cause_kind, cause from segments_log
  union all
  select segment_id, ${companyKey(reader, reader`company_id`)}, id, version, change, at, cause_kind, cause
  from segments_company_log) l`;
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
  select bucket, person_id, since, cause_kind, cause from ${memberships(reader)}
  where segment_id = ${segmentId}
    ${after ? reader`and (bucket, person_id) > (${after.bucket}, ${after.personId}::uuid)` : reader``}
  order by bucket, person_id limit ${limit}`;

/** How large a segment was: each day's comings and goings, from the log. `days` begin at these instants, the last is now. */
export const perDay = (reader: Reader, segmentId: string, days: readonly Date[], until: Date) =>
  reader<{ day: number; entered: number; left: number }[]>`
  select width_bucket(at, ${days.map((day) => day.toISOString())}::text[]::timestamptz[]) as day,
    (count(*) filter (where change = 'entered'))::int as entered,
    (count(*) filter (where change = 'left'))::int as left
  from ${comings(reader)} where segment_id = ${segmentId} and at <= ${until}
  group by 1 order by 1`;

export type Changed = PersonKey & {
  id: string;
  change: "entered" | "left";
  at: Date;
  version: number;
  causeKind: "tag" | "event" | null;
  cause: string | null;
};
/** The latest first; before a line of the log, or from the last on. */
export const changes = (
  reader: Reader,
  segmentId: string,
  before: { at: Date; id: string } | null,
  limit: number,
) => reader<Changed[]>`
  select bucket, person_id, id, change, at, version, cause_kind, cause from ${comings(reader)}
  where segment_id = ${segmentId}
    ${before ? reader`and (at, id) < (${before.at}, ${before.id}::uuid)` : reader``}
  order by at desc, id desc limit ${limit}`;
/** Who is on a list that was kept, a page at a time. */
export const listed = (
  reader: Reader,
  snapshot: string,
  after: PersonKey | null,
  limit: number,
) => reader<PersonKey[]>`
  select bucket, person_id from (${listOf(reader, { kind: "snapshot", id: snapshot })}) m
  ${after ? reader`where (bucket, person_id) > (${after.bucket}, ${after.personId}::uuid)` : reader``}
  order by bucket, person_id limit ${limit}`;

export type Side = { kind: "segment" | "snapshot"; id: string };
const listOf = (reader: Reader, { kind, id }: Side): Fragment =>
  kind === "segment"
    ? reader`select bucket, person_id from ${memberships(reader)} where segment_id = ${id}`
    : reader`
        select bucket, person_id from segments_snapshot_member where snapshot_id = ${id}
        union all
        select ${companyKey(reader, reader`company_id`)} from segments_snapshot_company
        where snapshot_id = ${id}`;
export async function isThere(reader: Reader, { kind, id }: Side): Promise<boolean> {
  const [row] = await reader<{ there: boolean }[]>`
    select exists (${
      kind === "segment"
        ? reader`select from segments_segment where id = ${id}`
        : reader`select from segments_snapshot where id = ${id}`
    }) as there`;
  return row!.there;
}
/** Who is only in the one, in both, only in the other: how many, at which stage, and what they spent on average. */
export const compared = (reader: Reader, a: Side, b: Side, now: Date) => reader<
  {
    part: "onlyA" | "both" | "onlyB";
    stage: string;
    people: number;
    spent: number | null;
    spenders: number;
  }[]
>`
  with l as (${listOf(reader, a)}), r as (${listOf(reader, b)}), together as (
    select coalesce(l.bucket, r.bucket) as bucket, coalesce(l.person_id, r.person_id) as person_id,
      case when r.person_id is null then 'onlyA' when l.person_id is null then 'onlyB'
        else 'both' end as part
    from l full join r on r.bucket = l.bucket and r.person_id = l.person_id
  )
  select m.part, coalesce(t.value, '') as stage, count(*)::int as people,
    sum(segments_number(f.attributes->'spent_minor'->'v')) as spent,
    count(segments_number(f.attributes->'spent_minor'->'v'))::int as spenders
  from together m
  left join people_tag t on t.bucket = m.bucket and t.person_id = m.person_id
    and t.tag = 'lifecycle' and (t.expires_at is null or t.expires_at > ${now})
  left join people_profile f on f.bucket = m.bucket and f.person_id = m.person_id
  group by 1, 2 order by 1, 2`;

export const overlaps = (reader: Reader, ids: readonly string[]) => reader<
  { a: string; b: string; people: number }[]
>`
  select l.segment_id as a, r.segment_id as b, count(*)::int as people
  from (select * from ${memberships(reader)}) l join (select * from ${memberships(reader)}) r
    on r.bucket = l.bucket and r.person_id = l.person_id and r.segment_id >= l.segment_id
  where l.segment_id = any(${ids as string[]}::uuid[]) and r.segment_id = any(${ids as string[]}::uuid[])
  group by 1, 2`;

/** Has everything that was committed been told to the columns? */
export async function isShipped(reader: Reader): Promise<boolean> {
  const [row] = await reader<{ shipped: boolean }[]>`
    select not exists (select from segments_stale)
      and not exists (select from segments_company_stale)
      and not exists (select from people_node where not shipped)
      and not exists (select from collect_batch where state = 'cut')
      and not exists (
        select from collect_cut c join collect_offset o on o.bucket = c.bucket
        where c.target = 'event' and c.next < o.next) as shipped`;
  return row!.shipped;
}
/** What can be asked about, as far as it was seen. */
export const eventNames = (reader: Reader, limit: number) => reader<{ name: string }[]>`
  select name from plan_event where name <> '' group by name order by name limit ${limit}`;
/** `types`: bits of what values came, 1 text, 2 number, 4 true or false. */
export const propertyNames = (reader: Reader, limit: number) => reader<
  { event: string; name: string; types: number }[]
>`
  select name as event, property as name, bit_or(types)::int as types from plan_property_day
  where property <> '' and property !~ '[.\\[]' and types & 7 > 0
  group by 1, 2 order by 1, 2 limit ${limit}`;
export type AttributeName = { name: string; type: string; instants: boolean };
const namesIn = (reader: Reader, profiles: Fragment, among: number, limit: number) => reader<
  AttributeName[]
>`
  select a.key as name, max(jsonb_typeof(a.value->'v')) as type,
    bool_and(a.value->>'v' ~ '^\\d{4}-\\d\\d-\\d\\dT') as instants
  from (select attributes from ${profiles} limit ${among}) f, jsonb_each(f.attributes) a
  where jsonb_typeof(a.value->'v') in ('string', 'number')
  group by 1 order by 1 limit ${limit}`;
export const tagNames = (reader: Reader, among: number, limit: number) => reader<
  { name: string; values: string[] }[]
>`
  select tag as name, (array_agg(distinct value))[1:50] as values
  from (select tag, value from people_tag limit ${among}) t group by tag order by tag limit ${limit}`;
export const attributeNames = (reader: Reader, among: number, limit: number) =>
  namesIn(reader, reader`people_profile`, among, limit);
export const companyAttributeNames = (reader: Reader, among: number, limit: number) =>
  namesIn(reader, reader`segments_company_profile`, among, limit);
export const companyTagNames = (reader: Reader, among: number, limit: number) => reader<
  { name: string; values: string[] }[]
>`
  select tag as name, (array_agg(distinct value))[1:50] as values
  from (select tag, value from companies_tag limit ${among}) t group by tag order by tag limit ${limit}`;
export const sources = (reader: Reader, limit: number) => reader<{ id: string; name: string }[]>`
  select id, name from collect_source order by name, id limit ${limit}`;

/** What asks for a segment beside other segments. */
export const uses = (reader: Reader, id: string) => reader<
  {
    kind: "tag" | "company_tag" | "programme" | "webhook";
    id: string;
    name: { zh: string; en: string };
  }[]
>`
  select 'tag' as kind, tag as id, definition->'label' as name from traits_tag
  where state <> 'going' and jsonb_path_exists(definition, '$.rules[*] ? (@.segment == $id)',
    jsonb_build_object('id', ${id}::text))
  union all
  select 'company_tag', d.tag, jsonb_build_object('zh', d.zh, 'en', d.en)
  from companies_tag_declared d
  where exists (select from companies_tag_rule r where r.tag = d.tag and r.segment_id = ${id}::uuid)
  union all
  select 'programme', key, name from journeys_programme where segment_id = ${id}::uuid
  union all
  select 'webhook', id::text, jsonb_build_object('zh', name, 'en', name) from feeds_webhook
  where state <> 'deleted' and segment_id = ${id}::uuid
  order by 1, 2`;

/** What the causes of people's comings and goings are called: an event's name, or the tag that changed. */
export const causeNames = (
  reader: Reader,
  rows: readonly (PersonKey & { cause: string | null })[],
) => {
  const w = reader`
    unnest(${rows.map((one) => one.bucket)}::smallint[], ${rows.map((one) => one.personId)}::uuid[],
      ${rows.map((one) => one.cause)}::uuid[]) as w(bucket, person_id, cause)`;
  const among = (nodes: Fragment) => reader`
    select w.cause, 'event' as kind, e.name from ${w}
    join ${nodes} n on n.person_bucket = w.bucket and n.person_id = w.person_id
    join collect_event e on e.bucket = n.bucket and e.node_id = n.node_id and e.id = w.cause`;
  return reader<{ cause: string; kind: "event" | "tag"; name: string }[]>`
    select w.cause, 'tag' as kind, l.tag as name from ${w}
    join people_tag_log l on l.bucket = w.bucket and l.person_id = w.person_id and l.id = w.cause
    union ${among(reader`people_node`)} union ${among(reader`people_span`)}`;
};
