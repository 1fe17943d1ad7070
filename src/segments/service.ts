// What a caller can ask of segments. Each function works in the transaction it is given.
import { bucketOfText } from "#kernel/crypto.ts";
import type { Context, House } from "#kernel/endpoint.ts";
import { nobody } from "#kernel/ids.ts";
import { whileHeld } from "#kernel/lease.ts";
import { emitAll } from "#kernel/outbox.ts";
import { fail, ok, type Fail, type Result } from "#kernel/result.ts";
import type { Reader, Tx } from "#kernel/sql.ts";
import { defined, removed } from "./events.ts";
import * as privacy from "#privacy/service.ts";
import { reservedTags, type IdentifierType } from "#people/rules.ts";
import { interestsOf } from "./model/book.ts";
import { sentenceOf } from "./model/sentence.ts";
import {
  conditions,
  allConditions,
  circleOf,
  conditionsAt,
  dependsOn,
  dormantWorth,
  isFigure,
  segmentFields,
  segmentsOf,
  type Known,
  type Level,
  type OwnNames,
  type Rule,
  type Sentence,
} from "./rules.ts";
import * as store from "./store.ts";

type Named = {
  id?: string | undefined;
  name: Sentence;
  level?: Level;
  purpose: store.Purpose;
};
type Define = Named & { rule: Rule };
type Defined = { id: string; version: number; sentence: Sentence };
type Refused =
  | "segments.unknown"
  | "segments.unknown_in_rule"
  | "segments.circular"
  | "segments.level_fixed";

/**
 * Takes away what the columns know of people and companies and lets them be told of everybody again, which is their own work. Nobody
 * else is there: whoever turned out to be another, or went, is forgotten too. Repeatable; false, and nothing is done,
 * while the columns are being told of people just then.
 */
export async function retell(house: House): Promise<boolean> {
  const told = await whileHeld(house.sql, columnsLease, async () => {
    await house.columns.run("alter table person delete where 1");
    await house.columns.run("alter table company delete where 1");
    await house.sql.begin((tx) => store.restale(tx));
    return true;
  });
  return told ?? false;
}
/** Of whoever tells the columns of people. */
export const columnsLease = "segments.columns";

/** Defines a segment, or changes one. Who is in it is worked out right after, by whoever relays the outbox. */
export async function define(
  { tx, house }: Context,
  { rule, ...asked }: Named & { rule: Asked },
): Promise<Result<Defined, Refused>> {
  return put(house, tx, { ...asked, rule: await sealed(house, rule) }, null);
}
/** The same of a rule that comes from outside: a tag or an attribute that nobody knows is refused by its field. */
export async function defineKnown(
  context: Context,
  asked: Parameters<typeof define>[1],
): Promise<Result<Defined, Refused | "segments.unknown_tag" | "segments.unknown_attribute">> {
  const { tx, house } = context;
  const had = asked.id === undefined ? undefined : await store.byId(tx, asked.id);
  const rule = await sealed(house, asked.rule);
  const strange = await strangeName(tx, rule, asked.level ?? "person", had?.rule);
  return strange ?? define(context, { ...asked, rule });
}

/** A rule as it is asked: addresses may be in clear. */
type Asked =
  | Exclude<Rule, { of: unknown } | { fits: unknown } | { kind: "identifier" }>
  | { kind: "and" | "or"; of: Asked[] }
  | { kind: "not"; of: Asked }
  | (Omit<Extract<Rule, { kind: "company" }>, "fits"> & { fits: Asked })
  | (Omit<Extract<Rule, { kind: "staff" }>, "fits"> & { fits: Asked })
  | {
      kind: "identifier";
      type: IdentifierType;
      source?: string | undefined;
      values?: string[] | undefined;
      blinds?: string[] | undefined;
    };
/** The rule as it is kept: of addresses and numbers their blind indexes alone. */
export async function sealed(house: House, rule: Asked): Promise<Rule> {
  const spaces = new Map((await store.sharing(house.sql)).map(({ id, shares }) => [id, shares]));
  return sealedBy(house, rule, (source) => spaces.get(source) ?? source);
}
/** `spaceOf`: the source whose numbers of people another shares. */
function sealedBy(house: House, rule: Asked, spaceOf: (source: string) => string): Rule {
  switch (rule.kind) {
    case "and":
    case "or":
      return { kind: rule.kind, of: rule.of.map((one) => sealedBy(house, one, spaceOf)) };
    case "not":
      return { kind: "not", of: sealedBy(house, rule.of, spaceOf) };
    case "company":
    case "staff":
      return { ...rule, fits: sealedBy(house, rule.fits, spaceOf) };
    case "identifier": {
      const { type, source = "", values = [], blinds = [] } = rule;
      const space = spaceOf(source);
      const own = values.map((one) => privacy.blindOf(house, type, one, space).toString("hex"));
      return { kind: "identifier", type, blinds: [...new Set([...blinds, ...own])].toSorted() };
    }
    default:
      return rule;
  }
}

/** Lists of one segment at most. */
const snapshotsLimit = 200;
/** Keeps who is in a segment now. */
export async function freeze(
  { tx, newId, now }: Context,
  { segment: id, name }: { segment: string; name: string },
): Promise<
  Result<
    { id: string; people: number; takenAt: string },
    "segments.unknown" | "segments.too_many_snapshots"
  >
> {
  await store.lockWhole(tx, [id]);
  const segment = await store.byId(tx, id);
  if (!segment) return fail("segments.unknown");
  if ((await store.snapshotsOf(tx, id)).length >= snapshotsLimit)
    return fail("segments.too_many_snapshots", { limit: snapshotsLimit });
  const { rule, version } = segment;
  const snapshot = { id: newId(), segmentId: id, name, rule, version, takenAt: now };
  const people = await store.takeSnapshot(tx, snapshot);
  return ok({ id: snapshot.id, people, takenAt: now.toISOString() });
}

async function put(
  house: House,
  tx: Tx,
  { id, name, level = "person", rule, purpose }: Define,
  code: string | null,
): Promise<Result<Defined, Refused>> {
  const all = await store.allLocked(tx);
  const had = all.find((one) => one.id === id);
  if (id !== undefined && !had) return fail("segments.unknown");
  if (had && had.level !== level) return fail("segments.level_fixed", { fields: ["level"] });
  const segment: store.Segment = {
    id: had?.id ?? house.newId(),
    code: had?.code ?? code,
    name,
    level,
    rule,
    purpose,
    version: (had?.version ?? 0) + 1,
    definedAt: house.clocks.shop(),
    refreshedAt: null,
  };
  const then = [...all.filter((one) => one !== had), segment];
  const strange = strangeSegment(rule, level, then);
  if (strange) return strange;
  const round = circleOf(then, segment.id);
  if (round) return circular(rule, level, round);
  await store.put(tx, segment);
  await store.putInterests(tx, [segment.id], interestsOf(segment));
  await store.nextGeneration(tx);
  const event = { person: { bucket: bucketOfText(segment.id), personId: nobody } };
  const data = { segment: segment.id, version: segment.version };
  await emitAll(house, tx, defined, [{ ...event, data }]);
  return ok({
    id: segment.id,
    version: segment.version,
    sentence: await read(house, tx, segment, then),
  });
}

/** What asks for a segment, each as the shop calls it. */
export type Use = {
  kind: "segment" | "tag" | "company_tag" | "programme" | "webhook";
  id: string;
  name: Sentence;
};
/** Segments whose rules name this one. */
export const namedBy = (all: readonly store.Segment[], id: string): Use[] =>
  all.flatMap(({ id: other, name, rule, level }) =>
    dependsOn(rule, level).segments.has(id) ? [{ kind: "segment", id: other, name }] : [],
  );
const kinds: Record<Use["kind"], Sentence> = {
  segment: { zh: "人群", en: "segment" },
  tag: { zh: "标签", en: "tag" },
  company_tag: { zh: "公司标签", en: "company tag" },
  programme: { zh: "运营计划", en: "programme" },
  webhook: { zh: "Webhook", en: "webhook" },
};
/**
 * Deletes a segment, unless something asks for it. Whoever is in it leaves by the relay right after, with a line of the
 * log each and no timer left; what was kept of it as lists, sizes and comings goes, and the people's own histories stay.
 * `others`: what asks for it beside other segments.
 */
export async function remove(
  { tx, house, now }: Context,
  { segment: id }: { segment: string },
  others: (reader: Reader, id: string) => Promise<readonly Use[]>,
): Promise<Result<Record<string, never>, "segments.unknown" | "segments.in_use">> {
  const all = await store.allLocked(tx);
  const segment = all.find((one) => one.id === id);
  if (!segment) return fail("segments.unknown");
  const uses = [...namedBy(all, id), ...(await others(tx, id))];
  if (uses.length > 0)
    return fail("segments.in_use", {
      uses: uses.map(({ kind, id: user }) => `${kind}:${user}`),
      names: {
        zh: uses.map(({ kind, name }) => `${kinds[kind].zh}“${name.zh}”`).join("、"),
        en: uses.map(({ kind, name }) => `${kinds[kind].en} “${name.en}”`).join(", "),
      },
    });
  const { lists } = await store.drop(tx, segment, now);
  await store.nextGeneration(tx);
  const event = { person: { bucket: bucketOfText(id), personId: nobody } };
  const data = { segment: id, version: segment.version, lists };
  await emitAll(house, tx, removed, [{ ...event, data }]);
  return ok({});
}
/** Until the end of the transaction no segment comes or goes: for whoever is about to ask for one by its id. */
export const hold = async (tx: Tx): Promise<void> => {
  await store.changing(tx);
};

const levelNames: Record<Level, Sentence> = {
  person: { zh: "会员", en: "people" },
  company: { zh: "公司", en: "companies" },
};
/** A segment that a rule names and that is not there, or is not about those whom it is asked of. */
export function strangeSegment(
  rule: Rule,
  level: Level,
  all: readonly Pick<store.Segment, "id" | "level" | "name">[],
): Fail<"segments.unknown_in_rule"> | null {
  for (const [one, at, path] of conditionsAt(rule, level))
    for (const [id, field] of segmentFields(one)) {
      const named = all.find((other) => other.id === id);
      if (named?.level !== at)
        return fail("segments.unknown_in_rule", {
          fields: [[...path, field].join(".")],
          name: named?.name ?? id,
          level: levelNames[at],
        });
    }
  return null;
}
/** `round`: from the segment of this rule to itself. */
function circular(
  rule: Rule,
  level: Level,
  round: readonly store.Segment[],
): Fail<"segments.circular"> {
  const next = round[1]!.id;
  const fields = [...conditionsAt(rule, level)].flatMap(([one, , path]) =>
    segmentFields(one).flatMap(([id, field]) => (id === next ? [[...path, field].join(".")] : [])),
  );
  return fail("segments.circular", {
    fields,
    round: {
      zh: round.map(({ name }) => `“${name.zh}”`).join(" → "),
      en: round.map(({ name }) => `“${name.en}”`).join(" → "),
    },
  });
}

type Name = store.Name & { field: string };
/** The tags and attributes that a rule asks for, each with the field in which it stands. */
const namesIn = (rule: Rule, level: Level): Name[] =>
  [...conditionsAt(rule, level)].flatMap(([one, at, path]): Name[] => {
    if (one.kind === "tag")
      return [{ kind: "tag", at, name: one.tag, field: [...path, "tag"].join(".") }];
    if (!("attribute" in one)) return [];
    return [
      { kind: "attribute", at, name: one.attribute, field: [...path, "attribute"].join(".") },
    ];
  });
const nameKey = ({ kind, at, name }: store.Name): string => `${kind} ${at} ${name}`;
/**
 * A tag or an attribute that a rule asks for though nobody declared it, nobody has it or ever had it, and we work out
 * none of that name: a slip of the pen, that would fit nobody without a word. `had`: what stands in the rule already.
 */
export async function strangeName(
  reader: Reader,
  rule: Rule,
  level: Level,
  had: Rule | null = null,
): Promise<Fail<"segments.unknown_tag" | "segments.unknown_attribute"> | null> {
  const known = new Set(had ? namesIn(had, level).map(nameKey) : []);
  const open = namesIn(rule, level).filter(
    (one) =>
      !known.has(nameKey(one)) &&
      !(one.kind === "tag" ? reservedTags.has(one.name) : isFigure(one.name, one.at)),
  );
  if (open.length === 0) return null;
  const there = new Set((await store.known(reader, open)).map(nameKey));
  const strange = open.find((one) => !there.has(nameKey(one)));
  if (!strange) return null;
  const data = { fields: [strange.field], name: strange.name, level: levelNames[strange.at] };
  return strange.kind === "tag"
    ? fail("segments.unknown_tag", data)
    : fail("segments.unknown_attribute", data);
}

/** A rule read back, with the names of the segments and roles in it. */
export async function read(
  house: House,
  reader: Reader,
  { rule, level }: { rule: Rule; level: Level },
  all: readonly store.Segment[],
): Promise<Sentence> {
  return (await reading(house, reader, all))(rule, level);
}
/** Reads rules back. */
export async function reading(
  house: House,
  reader: Reader,
  all: readonly store.Segment[],
): Promise<(rule: Rule, level: Level) => Sentence> {
  const [named, declared] = [await store.roles(reader), await store.declared(reader)];
  const words = {
    currency: house.settings.currency,
    timeZone: house.clocks.timeZone,
    segments: new Map(all.map(({ id, name }) => [id, name])),
    roles: new Map(named.map(({ code, zh, en }) => [code, { zh, en }])),
    named: namedOf(declared),
  };
  return (rule, level) => sentenceOf(rule, words, level);
}

const yesNo = [
  ["yes", { zh: "是", en: "yes" }],
  ["no", { zh: "否", en: "no" }],
] as const;
/** What is declared, as sentences call it. */
export const namedOf = (rows: Awaited<ReturnType<typeof store.declared>>): OwnNames => ({
  attributes: new Map(
    rows.flatMap(({ kind, name, label, unit, type, options }) => {
      if (kind !== "attribute") return [];
      const values = new Map<string, Sentence>(
        type === "truth" ? yesNo : (options ?? []).map((one) => [one.value, one.label]),
      );
      return [[name, { label, unit, values }] as const];
    }),
  ),
  tags: new Map(rows.flatMap(({ kind, name, label }) => (kind === "tag" ? [[name, label]] : []))),
});

/** "Dormant, worth winning back": made once, then the shop's to change. Its id. */
export async function seedDormantWorth(house: House, tx: Tx): Promise<string> {
  const { code, name, rule } = dormantWorth;
  const had = (await store.allLocked(tx)).find((one) => one.code === code);
  if (had) return had.id;
  const made = await put(house, tx, { name, rule, purpose: "marketing" }, code);
  if (!made.ok) throw new Error(`${code}: ${made.code}`);
  return made.value.id;
}

/** Whose the addresses are that these rules name. */
export async function knownIn(reader: Reader, rules: readonly Rule[]): Promise<Known> {
  const blinds = rules.flatMap((rule) =>
    [...conditions(rule)].flatMap((one) => (one.kind === "identifier" ? one.blinds : [])),
  );
  if (blinds.length === 0) return new Map();
  return new Map((await store.whose(reader, blinds)).map((one) => [one.blind, one.personId]));
}

/** Tells `listener` of whoever comes and goes, by segments.entered and segments.left; null: of every segment. */
export async function listen(tx: Tx, listener: string, segmentId: string | null): Promise<void> {
  await store.nextGeneration(tx);
  await store.listen(tx, { listener, segmentId: segmentId ?? store.anySegment });
}
export async function unlisten(tx: Tx, listener: string): Promise<void> {
  await store.nextGeneration(tx);
  await store.unlisten(tx, listener);
}

/** Everybody in a segment now, by bucket and id: an order that means nothing to the shop. */
export const members = (reader: Reader, segmentId: string) => store.members(reader, segmentId);
/** Every segment, for reading a rule back with the names in it. */
export const all = (reader: Reader) => store.all(reader);
/** Everything segments hold of a person. */
export const erase = store.erasePerson;
/** Of each segment, the tags of companies that its rule asks about, by way of other segments too. */
export function companyTagsIn(all: readonly store.Segment[]): (segment: string) => Set<string> {
  const byId = new Map(all.map((one) => [one.id, one]));
  return (id) => {
    const seen = new Set([id]);
    const tags = new Set<string>();
    for (const one of seen) {
      const segment = byId.get(one);
      if (!segment) continue;
      for (const [asked, level] of allConditions(segment.rule, segment.level)) {
        if (asked.kind === "tag" && level === "company") tags.add(asked.tag);
        for (const other of segmentsOf(asked)) seen.add(other);
      }
    }
    return tags;
  };
}
