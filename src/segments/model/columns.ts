// A rule as one statement of ClickHouse, which says of everybody what evaluate.ts says of one. Values are bound.
//
// The columns hold the log, whose nodes are whose, of each person and each company the profile and the tags, and of a
// person their companies. Membership is asked of the other segment's own rule, put in its place: who is in a segment is
// told to nobody twice.
import {
  digitsLimit,
  holdsOfNone,
  isPlace,
  partsOf,
  plainDecimal,
  sampleModulus,
  type Comparison,
  type Filter,
  type Level,
  type RuleNow,
  type Span,
  type What,
} from "../rules.ts";

export type Statement = { query: string; values: Record<string, unknown> };

/** A rule with other segments' rules in the place of their names holds so many conditions at most. */
const expandedLimit = 1000;
/** Puts segments' rules in the place of their names. Null where that would be too much, or something
 * is asked that the columns do not have. */
export function expanded(
  rule: RuleNow,
  segments: ReadonlyMap<string, RuleNow>,
  left = { conditions: expandedLimit },
): RuleNow | null {
  switch (rule.kind) {
    case "and":
    case "or": {
      const of: RuleNow[] = [];
      for (const one of rule.of) {
        const full = expanded(one, segments, left);
        if (!full) return null;
        of.push(full);
      }
      return { kind: rule.kind, of };
    }
    case "not": {
      const of = expanded(rule.of, segments, left);
      return of && { kind: "not", of };
    }
    case "company":
    case "staff": {
      const fits = expanded(rule.fits, segments, left);
      return fits && { ...rule, fits };
    }
    case "segment": {
      const other = segments.get(rule.segment);
      return other ? expanded(other, segments, left) : null;
    }
    default:
      left.conditions--;
      return left.conditions < 0 || asksLines(rule) ? null : rule;
  }
}

/** What a line of an order holds beside its name stays in PostgreSQL, a few columns aside. */
const asksLines = (rule: RuleNow): boolean =>
  (rule.kind === "sequence" ? rule.steps : "event" in rule ? [rule] : []).some(
    ({ event, where = [] }) => event === "Order Line" && where.length > 0,
  );

const operators: Record<Comparison, string> = {
  eq: "=",
  ne: "!=",
  lt: "<",
  le: "<=",
  gt: ">",
  ge: ">=",
};
/**
 * Whose a node is that several people used: each one's for spans of its events, in the order of (at, id). Few have one,
 * and only they are read to the end.
 */
const split = `select person_id, arrayJoin(spans) as span from person final
  where gone = 0 and person_id in (select person_id from person where notEmpty(spans))`;
const spans = `select person_id, span.1 as node_id, span.2 as from_at, span.3 as from_id, span.4 as until_at,
  span.5 as until_id from (${split})`;
const isSplit = `node_id in (select span.1 from (${split}))`;
const inSpan = `(at, toString(id)) >= (s.from_at, s.from_id) and (at, toString(id)) < (s.until_at, s.until_id)`;
/** Everybody else's. */
const nodes = "select node_id, person_id from person_node final";

/** Is a rule false of everybody who did nothing that it asks about? */
function needsDeeds(rule: RuleNow): boolean {
  switch (rule.kind) {
    case "and":
      return rule.of.some(needsDeeds);
    case "or":
      return rule.of.every(needsDeeds);
    case "count":
      return !holdsOfNone(rule.is, rule.count);
    case "first":
    case "sequence":
      return true;
    default:
      return false;
  }
}

/** Who belongs or belonged to which company, one row a role and a stretch. */
const belonging = `select person_id, arrayJoin(companies) as m from person final
  where gone = 0 and notEmpty(companies)`;

/** Where the people come from whom a rule fits: `person_id`, one row each. Of a company's rule it is the company's id. */
export function peopleOf(rule: RuleNow, at: Date, level: Level = "person"): Statement {
  const values: Record<string, unknown> = {};
  const query = selectOf(rule, at, level, values);
  return { query, values };
}
function selectOf(rule: RuleNow, at: Date, level: Level, values: Statement["values"]): string {
  const bind = (value: unknown, type: string): string => {
    const name = `v${Object.keys(values).length}`;
    values[name] = value;
    return `{${name}:${type}}`;
  };
  const text = (value: string) => bind(value, "String");
  const texts = (list: readonly string[]) => bind(list, "Array(String)");
  const instant = (ms: number) =>
    `fromUnixTimestamp64Milli(toInt64(${bind(String(ms), "String")}))`;
  const number = (value: number) => bind(value, "Float64");

  // What an event says at a path. A place in a list is the name of a property where there is no list.
  const saidAt = (property: string): string =>
    partsOf(property).reduce((data, part) => {
      const named = `JSONExtractRaw(${data}, ${text(part)})`;
      if (!isPlace(part) || data === "data") return named;
      return `if(JSONType(${data}) = 'Array', JSONExtractRaw(${data}, ${Number(part) + 1}), ${named})`;
    }, "data");
  // A name alone is asked where it stands, without cutting it out first.
  const askedAt = (property: string) => {
    const direct = partsOf(property).length === 1;
    const of = direct ? `data, ${text(property)}` : saidAt(property);
    return {
      type: `JSONType(${of})`,
      text: `JSONExtractString(${of})`,
      number: `JSONExtractFloat(${of})`,
      truth: `JSONExtractBool(${of})`,
      known: `(${direct ? `JSONHas(${of})` : `notEmpty(${of})`} and JSONType(${of}) != 'Null')`,
    };
  };
  const filtered = (filter: Filter): string => {
    const value = askedAt(filter.property);
    const isText = `${value.type} = 'String'`;
    const isNumber = `${value.type} in ('Int64', 'UInt64', 'Double')`;
    const isDecimal = `${isText} and match(${value.text}, ${text(plainDecimal.source)})
      and length(replaceRegexpAll(${value.text}, '[-.]', '')) <= ${digitsLimit}`;
    const figure = (holds: (number: string) => string) =>
      `(${isNumber} and abs(${value.number}) < 1e18 and ${holds(value.number)}
        or ${isDecimal} and ${holds(`JSONExtractFloat(${value.text})`)})`;
    switch (filter.is) {
      case "known":
        return value.known;
      case "in": {
        const { values } = filter;
        if (typeof values[0] === "string")
          return `(${isText} and has(${texts(values as string[])}, ${value.text}))`;
        return figure((one) => `has(${bind(values, "Array(Float64)")}, ${one})`);
      }
      default: {
        const { value: asked, is } = filter;
        if (typeof asked === "boolean")
          return `(${value.type} = 'Bool' and ${value.truth} = ${asked === (is === "eq") ? 1 : 0})`;
        if (typeof asked === "string")
          return `(${isText} and ${value.text} ${operators[is]} ${text(asked)})`;
        return figure((one) => `${one} ${operators[is]} ${number(asked)}`);
      }
    }
  };
  const during = ({ from, until }: Span) =>
    from === null ? `at < ${instant(until)}` : `at >= ${instant(from)} and at < ${instant(until)}`;
  const isSuch = ({ event, where = [] }: What) =>
    [`name = ${text(event)}`, ...where.map(filtered)].join(" and ");
  const such = (what: What, span: Span) => `(${isSuch(what)} and ${during(span)})`;

  // Sources with at most one row a person, as in PostgreSQL.
  const counts: { column: string; sum: string; condition: string }[] = [];
  const sequences: { alias: string; query: string }[] = [];
  const countOf = (what: What, span: Span, first: boolean): string => {
    const column = `c${counts.length}`;
    const condition = such(what, span);
    counts.push({
      column: first ? `minIf(toNullable(at), ${condition})` : `countIf(${condition})`,
      sum: first ? "min" : "sum",
      condition,
    });
    return `c.${column}`;
  };
  /**
   * What each person did, together: first by node, of which an event says, so that far fewer rows ask whose they are.
   * `parts` is what is kept of a node's events, `whole` what comes of several nodes' parts.
   */
  const people = (parts: string, whole: string, where: string) => `(
    select person_id, ${whole} from (
      select o.person_id as person_id, n.* except node_id
      from (${nodes}) o inner join (
        select node_id, ${parts} from event
        where bitAnd(flags, 67) = 0 and (${where}) and not (${isSplit})
        group by node_id) n on n.node_id = o.node_id
      union all
      select s.person_id as person_id, ${parts} from event e inner join (${spans}) s on s.node_id = e.node_id
      where bitAnd(flags, 67) = 0 and (${where}) and ${isSplit.replace("node_id", "e.node_id")} and ${inSpan}
      group by s.person_id)
    group by person_id)`;
  /** The same, an event a row. */
  const each = (columns: string, where: string) => `(
    select o.person_id as person_id, ${columns} from event e inner join (${nodes}) o on o.node_id = e.node_id
    where bitAnd(flags, 67) = 0 and (${where}) and not (${isSplit.replace("node_id", "e.node_id")})
    union all
    select s.person_id as person_id, ${columns} from event e inner join (${spans}) s on s.node_id = e.node_id
    where bitAnd(flags, 67) = 0 and (${where}) and ${inSpan})`;
  /** Of each event every company that its person belonged to then, each once. */
  const companies = (columns: string, where: string, group = "") => `(
    select company_id as person_id, ${columns}
    from (
      select e.*, arrayJoin(arrayDistinct(arrayMap(x -> x.1,
        arrayFilter(x -> x.3 <= e.at and x.4 > e.at, m.companies)))) as company_id
      from ${each("name, at, id, data", where)} e
      inner join (select person_id, companies from person final where gone = 0 and notEmpty(companies)) m
        on m.person_id = e.person_id)
    ${group})`;
  const inRole = (roles: readonly string[]) =>
    `m.3 <= ${instant(at.getTime())} and m.4 > ${instant(at.getTime())}${
      roles.length > 0 ? ` and has(${texts(roles)}, m.2)` : ""
    }`;
  const companyOf = ({ fits, roles }: Extract<RuleNow, { kind: "company" }>) => {
    const alias = `q${sequences.length}`;
    const query = `select distinct person_id, 1 as there from (${belonging})
      where ${inRole(roles)} and m.1 in (${selectOf(fits, at, "company", values)})`;
    sequences.push({ alias, query });
    return `${alias}.there = 1`;
  };
  const staffOf = ({ fits, roles, are, count }: Extract<RuleNow, { kind: "staff" }>) => {
    const alias = `q${sequences.length}`;
    const query = `
      select company as person_id, count() as people, countIf(fit) as fit from (
        select distinct m.1 as company, person_id,
          person_id in (${selectOf(fits, at, "person", values)}) as fit
        from (${belonging}) where ${inRole(roles)})
      group by company`;
    sequences.push({ alias, query });
    return are === "every"
      ? `(${alias}.people > 0 and ${alias}.fit = ${alias}.people)`
      : `(${alias}.fit ${operators[are]} ${bind(count, "UInt64")})`;
  };
  const sequenceOf = ({ steps, withinMs, span }: Extract<RuleNow, { kind: "sequence" }>) => {
    const alias = `q${sequences.length}`;
    const marks = steps.map((step) => `(${isSuch(step)})`);
    const any = `${during(span)} and (${marks.join(" or ")})`;
    const names = steps.map((_, i) => `m${i}`);
    // Only of whom there is each of the steps is anything put in order.
    const some = `select person_id, arrayJoin(all) as one from ${people(
      `groupArray((at, id, ${marks.join(", ")})) as part`,
      `groupArrayArray(part) as all`,
      any,
    )} where ${names.map((_, i) => `arrayExists(x -> x.${i + 3}, all)`).join(" and ")}`;
    const rows =
      level === "person"
        ? `(select person_id, one.1 as at, toString(one.2) as sort,
            ${names.map((name, i) => `one.${i + 3} as ${name}`).join(", ")} from (${some}))`
        : companies(
            `at, toString(id) as sort, ${names.map((name, i) => `${marks[i]} as ${name}`).join(", ")}`,
            any,
          );
    let chained = `select *, if(m0, toNullable(at), null) as s0 from ${rows}`;
    for (let i = 1; i < steps.length; i++)
      chained = `select *, if(m${i}, max(s${i - 1}) over (partition by person_id order by at, sort
        rows between unbounded preceding and 1 preceding), null) as s${i} from (${chained})`;
    const query = `select distinct person_id, 1 as there from (${chained})
      where s${steps.length - 1} is not null
        and toUnixTimestamp64Milli(at) - toUnixTimestamp64Milli(assumeNotNull(s${steps.length - 1}))
          <= ${bind(String(withinMs), "Int64")}`;
    sequences.push({ alias, query });
    return `${alias}.there = 1`;
  };
  const attribute = (map: string, name: string, holds: (value: string) => string) =>
    `(mapContains(p.${map}, ${text(name)}) and ${holds(`p.${map}[${text(name)}]`)})`;

  const holds = (one: RuleNow): string => {
    switch (one.kind) {
      case "everybody":
        return "1";
      case "and":
      case "or":
        return `(${one.of.map(holds).join(one.kind === "and" ? " and " : " or ")})`;
      case "not":
        return `(not ${holds(one.of)})`;
      case "tag": {
        const name = text(one.tag);
        return `(mapContains(p.tags, ${name}) and has(${texts(one.in)}, p.tags[${name}])
          and (not mapContains(p.tag_until, ${name}) or p.tag_until[${name}] > ${instant(at.getTime())}))`;
      }
      case "known":
        return `has(p.known, ${text(one.attribute)})`;
      case "number":
        return attribute(
          "numbers",
          one.attribute,
          (v) => `${v} ${operators[one.is]} ${number(one.value)}`,
        );
      case "text":
        return attribute("texts", one.attribute, (v) => `has(${texts(one.in)}, ${v})`);
      case "instant":
        return attribute(
          "texts",
          one.attribute,
          (v) =>
            `match(${v}, '^\\\\d{4}-\\\\d\\\\d-\\\\d\\\\dT\\\\d\\\\d:\\\\d\\\\d:\\\\d\\\\d\\\\.\\\\d{3}Z$') and ${v} ${one.is === "before" ? "<" : ">="} ${text(one.at)}`,
        );
      case "count":
        return `(${countOf(one, one.span, false)} ${operators[one.is]} ${bind(one.count, "UInt64")})`;
      case "first": {
        const first = countOf(one, { from: null, until: one.now + 1 }, true);
        const after = one.span.from === null ? "1" : `${first} >= ${instant(one.span.from)}`;
        return `(isNotNull(${first}) and ifNull(${after}, 0) and ifNull(${first} < ${instant(one.span.until)}, 0))`;
      }
      case "sequence":
        return `(${sequenceOf(one)})`;
      case "company":
        return `(${companyOf(one)})`;
      case "staff":
        return staffOf(one);
      case "people":
        return `has(${bind(one.ids, "Array(UUID)")}, p.person_id)`;
      case "sample":
        return `((toUInt64(${bind(one.a, "UInt32")})
          * reinterpretAsUInt32(reverse(unhex(substring(toString(p.person_id), 29))))
          + ${bind(one.b, "UInt32")}) % ${sampleModulus} < ${bind(one.below, "UInt64")})`;
      case "segment":
        throw new Error("segments are expanded before");
    }
  };
  const where = holds(rule);
  const used = Object.entries({ numbers: "p.numbers", texts: "p.texts", known: "p.known" })
    .concat([
      ["tags", "p.tags"],
      ["tag_until", "p.tag_until"],
    ])
    .filter(([, name]) => where.includes(name))
    .map(([name]) => name);
  const id = level === "person" ? "person_id" : "company_id as person_id";
  const everybody = `(select ${[id, ...used].join(", ")} from ${level} final where gone = 0) p`;
  const did = counts.map(({ condition }) => condition).join(" or ");
  const named = (what: (one: (typeof counts)[number], i: number) => string) =>
    counts.map((one, i) => `${what(one, i)}`).join(", ");
  const counted =
    level === "person"
      ? people(
          named(({ column }, i) => `${column} as n${i}`),
          named(({ sum }, i) => `${sum}(n${i}) as c${i}`),
          did,
        )
      : companies(
          named(({ column }, i) => `${column} as c${i}`),
          did,
          "group by company_id",
        );
  const joins = [
    ...(counts.length > 0 ? [{ alias: "c", query: counted }] : []),
    ...sequences.map(({ alias, query }) => ({ alias, query: `(${query})` })),
  ];
  // Whoever has to have done something is somebody: where nothing else is asked, nobody's profile is read.
  const [only, ...others] = joins;
  if (only && others.length === 0 && !where.includes("p.") && needsDeeds(rule))
    return `select ${only.alias}.person_id as person_id from ${only.query} ${only.alias} where ${where}`;
  return `select p.person_id as person_id from ${everybody} ${joins
    .map(({ alias, query }) => `left join ${query} ${alias} on ${alias}.person_id = p.person_id`)
    .join("\n")} where ${where}`;
}
