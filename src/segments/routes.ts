import { addDays, instantOf } from "#kernel/clock.ts";
import { answer, implement, type House, type Reading } from "#kernel/endpoint.ts";
import { fail, ok } from "#kernel/result.ts";
import type { PersonKey } from "#kernel/sql.ts";
import * as people from "#people/service.ts";
import { eventName } from "#plan/rules.ts";
import * as api from "./api.ts";
import { expanded, peopleOf } from "./model/columns.ts";
import { tagName, tagValueName } from "./model/sentence.ts";
import { atInstant, propertyName, type Clock, type Level, type Rule } from "./rules.ts";
import * as service from "./service.ts";
import * as store from "./store.ts";
import * as views from "./views.ts";

type Reads = Awaited<ReturnType<typeof service.reading>>;
const shown = (reads: Reads, counts: Map<string, number>) => (segment: store.Segment) => ({
  id: segment.id,
  name: segment.name,
  level: segment.level,
  purpose: segment.purpose,
  version: segment.version,
  builtIn: segment.code,
  people: counts.get(segment.id) ?? 0,
  sentence: reads(segment.rule, segment.level),
  refreshedAt: segment.refreshedAt?.toISOString() ?? null,
});
async function everything(house: House) {
  const [all, counted] = await Promise.all([store.all(house.sql), views.counted(house.sql)]);
  const counts = new Map(counted.map((one) => [one.segmentId, one.people]));
  const reads = await service.reading(house, house.sql, all);
  return { all, show: shown(reads, counts) };
}

const list = answer(api.list, async ({ house }) => {
  const { all, show } = await everything(house);
  return ok({ segments: all.map(show) });
});

/** A page ends at a person; the next one begins after them. */
const cursorOf = ({ bucket, personId }: PersonKey) => `${bucket}_${personId}`;
function afterOf(cursor: string | undefined): PersonKey | null {
  const [, bucket, personId] =
    /^(\d{1,3})_([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.exec(cursor ?? "") ?? [];
  return personId ? { bucket: Number(bucket), personId } : null;
}

/** People by what a shop calls them, with their tags. */
async function known(house: House, keys: readonly PersonKey[]) {
  const [names, facts] = await Promise.all([
    people.identifiers(house, house.sql, [...keys], "user_id"),
    keys.length > 0 ? views.facts(house.sql, keys, { attributes: [], tags: null }) : [],
  ]);
  const tags = new Map(facts.map((one) => [one.personId, one.tags]));
  return ({ personId }: PersonKey) => ({
    personId,
    userId: names.get(personId) ?? null,
    tags: Object.fromEntries(
      Object.entries(tags.get(personId) ?? {}).map(([tag, { value }]) => [tag, value]),
    ),
  });
}

const show = answer(api.show, async ({ house }, { segment: id, after, limit }) => {
  const { all, show: one } = await everything(house);
  const segment = all.find((other) => other.id === id);
  if (!segment) return fail("segments.unknown");
  const rows = await views.members(house.sql, id, afterOf(after), limit + 1);
  const page = rows.slice(0, limit);
  const { people: who, companies } = await namedOf(house, segment.level, page);
  const causeOf = await causesOf(house, page);
  const membershipOf = (row: views.Member) => ({
    since: row.since.toISOString(),
    cause: causeOf(row),
  });
  return ok({
    ...one(segment),
    rule: segment.rule,
    members: who.map((row, i) => ({ ...row, ...membershipOf(page[i]!) })),
    companies: companies.map((row, i) => ({ ...row, ...membershipOf(page[i]!) })),
    next: rows.length > limit ? cursorOf(page.at(-1)!) : null,
    uses: [...service.namedBy(all, id), ...(await views.uses(house.sql, id))],
  });
});
type Caused = PersonKey & Pick<views.Member, "causeKind" | "cause">;
/** What let each of these in or out, as the shop calls it. */
async function causesOf(house: House, rows: readonly Caused[]) {
  const asked = rows.filter(({ cause }) => cause !== null);
  const found = asked.length > 0 ? await views.causeNames(house.sql, asked) : [];
  const { tags } = service.namedOf(await store.declared(house.sql));
  const names = new Map(
    found.map(({ cause, kind, name }) => [
      cause,
      (kind === "event" ? eventName(name) : (tags.get(name) ?? tagName(name))) ?? {
        ...{ zh: name, en: name },
      },
    ]),
  );
  return ({ causeKind, cause }: Caused) =>
    causeKind && cause ? { kind: causeKind, id: cause, name: names.get(cause) ?? null } : null;
}
/** Members of a segment as they are shown: people, or companies. */
async function namedOf(house: House, level: Level, keys: readonly PersonKey[]) {
  if (level === "company") return { people: [], companies: await companyNames(house, keys) };
  const person = await known(
    house,
    keys.map(({ bucket, personId }) => ({ bucket, personId })),
  );
  return { people: keys.map(person), companies: [] };
}

/** How many people a preview shows. */
const samplePeople = 5;
/** From so many people on, the columns count: they read what a rule asks about and nothing else. */
const columnsFrom = 20_000;
/** What each caller waits for at this moment: a rule that is typed on makes the question before it void. */
const asked = new WeakMap<House, Map<string, { cancel: () => void }>>();

async function countBy(
  { house, actor }: Reading,
  { rule, level }: Pick<store.Segment, "rule" | "level">,
  all: readonly store.Segment[],
  clock: Clock,
): Promise<{ fit: number; of: number; engine: "postgres" | "clickhouse" } | "superseded"> {
  const [of, known] = await Promise.all([
    views.everybodyCount(house.sql, level),
    service.knownIn(house.sql, [rule, ...all.map((one) => one.rule)]),
  ]);
  const now = atInstant(rule, clock, known);
  const others = new Map(all.map((one) => [one.id, atInstant(one.rule, clock, known)]));
  const full = of >= columnsFrom ? expanded(now, others) : null;
  if (full) {
    const { query, values } = peopleOf(full, clock.at, level);
    const [row] = await house.columns.read<{ people: string | number }>(
      `select count() as people from (${query})`,
      values,
    );
    return { fit: Number(row!.people), of, engine: "clickhouse" };
  }
  const mine = asked.get(house) ?? new Map<string, { cancel: () => void }>();
  asked.set(house, mine);
  mine.get(actor.id)?.cancel();
  const query = views.countQuery(house.sql, now, clock.at, level);
  mine.set(actor.id, query);
  try {
    const [row] = await query;
    return { fit: row!.people, of, engine: "postgres" };
  } catch (thrown) {
    if (mine.get(actor.id) !== query && isCancelled(thrown)) return "superseded";
    throw thrown;
  } finally {
    if (mine.get(actor.id) === query) mine.delete(actor.id);
  }
}
const isCancelled = (thrown: unknown): boolean => (thrown as { code?: string }).code === "57014";

const preview = answer(api.preview, async (reading, { rule: given, level }) => {
  const { house, now } = reading;
  const rule = await service.sealed(house, given);
  const all = await store.all(house.sql);
  const strange =
    service.strangeSegment(rule, level, all) ?? (await service.strangeName(house.sql, rule, level));
  if (strange) return strange;
  const clock = { at: now, timeZone: house.clocks.timeZone };
  const upToDate = await views.isShipped(house.sql);
  const counted = await countBy(reading, { rule, level }, all, clock);
  if (counted === "superseded") return fail("segments.superseded");
  const { fit, of, engine } = counted;
  const some =
    level === "person"
      ? await sampleOf(house, rule, clock, fit)
      : await views.sample(house.sql, atInstant(rule, clock), clock.at, samplePeople, level);
  const person = await known(house, level === "person" ? some : []);
  const companies = level === "company" ? await companyNames(house, some) : [];
  return ok({
    people: fit,
    of,
    sentence: await service.read(house, house.sql, { rule, level }, all),
    sample: level === "person" ? some.map(person) : [],
    companies,
    at: now.toISOString(),
    freshness: { engine, upToDate: engine === "postgres" || upToDate },
  });
});
/** What companies are called: their name, or the shop's number of them. */
async function companyNames(house: House, keys: readonly PersonKey[]) {
  const rows = await views.companyNames(
    house.sql,
    keys.map(({ personId }) => personId),
  );
  const names = new Map(rows.map(({ id, name }) => [id, name]));
  return keys.map(({ personId }) => ({
    companyId: personId,
    name: names.get(personId) ?? personId,
  }));
}
/**
 * Five of them. A helping of people is asked at a time, in order, and each helping is larger: where many fit, few are
 * asked, and where few do, everybody is.
 */
async function sampleOf(house: House, rule: Rule, clock: Clock, fit: number): Promise<PersonKey[]> {
  if (fit === 0) return [];
  const now = atInstant(rule, clock, await service.knownIn(house.sql, [rule]));
  const found: PersonKey[] = [];
  let after: PersonKey | null = null;
  for (let limit = 500; limit <= 32_000; limit *= 8) {
    const some: PersonKey[] = [...(await views.everyone(house.sql, after, limit))];
    if (some.length === 0) return found.slice(0, samplePeople);
    found.push(...(await views.someOf(house.sql, now, clock.at, some)));
    if (found.length >= Math.min(samplePeople, fit)) return found.slice(0, samplePeople);
    after = some.at(-1)!;
  }
  return [...(await views.sample(house.sql, now, clock.at, samplePeople, "person"))];
}

/** What a rule may be helped with, of each kind at most. */
const suggested = { names: 500, properties: 5000, among: 20_000 };
/** Of which traits the figure is a number; what others say follows from what was said. */
const isNumber = (fn: string): boolean =>
  ["count", "sum", "average", "min", "max", "days_since"].includes(fn);
const suggest = answer(api.suggest, async ({ house }) => {
  const [names, properties, attributes, tags, declared, ...ofCompanies] = await Promise.all([
    views.eventNames(house.sql, suggested.names),
    views.propertyNames(house.sql, suggested.properties),
    views.attributeNames(house.sql, suggested.among, suggested.names),
    views.tagNames(house.sql, suggested.among, suggested.names),
    store.declared(house.sql),
    views.companyAttributeNames(house.sql, suggested.among, suggested.names),
    views.companyTagNames(house.sql, suggested.among, suggested.names),
    store.roles(house.sql),
    views.sources(house.sql, suggested.names),
  ]);
  const [companyAttributes, companyTags, roles, sources] = ofCompanies;
  const named = service.namedOf(declared);
  const seen = new Set(attributes.map(({ name }) => name));
  const unseen = declared.flatMap(({ kind, name, type, fn }) =>
    kind === "attribute" && !seen.has(name) && fn !== "distinct"
      ? [
          {
            name,
            type: type === "number" || (fn !== null && isNumber(fn)) ? "number" : "string",
            instants: type === "date",
          },
        ]
      : [],
  );
  const values = new Map(tags.map((one) => [one.name, one.values]));
  const byEvent = Map.groupBy(properties, ({ event }) => event);
  return ok({
    events: names.map(({ name }) => ({
      name,
      label: eventName(name),
      properties: (byEvent.get(name) ?? []).map(({ name: property, types }) => ({
        name: property,
        label: propertyName(property),
        type:
          types & 1 ? ("text" as const) : types & 2 ? ("number" as const) : ("boolean" as const),
      })),
    })),
    attributes: [...attributes, ...unseen].map((one) => ({
      ...typed(one),
      label: named.attributes.get(one.name)?.label ?? null,
      values: [...(named.attributes.get(one.name)?.values ?? [])].map(([value, label]) => ({
        value,
        label,
      })),
    })),
    tags: [...new Set([...values.keys(), ...named.tags.keys()])].map((name) => ({
      name,
      values: valuesOf(name, values.get(name) ?? []),
      label: named.tags.get(name) ?? tagName(name),
    })),
    companies: {
      attributes: companyAttributes.map((one) => ({ ...typed(one), label: null, values: [] })),
      tags: companyTags.map(({ name, values: theirs }) => ({
        ...{ name, values: valuesOf(name, theirs) },
        label: named.tags.get(name) ?? tagName(name),
      })),
      roles: roles.map(({ code, zh, en }) => ({ code, name: { zh, en } })),
    },
    sources: [...sources],
  });
});
const valuesOf = (tag: string, values: readonly string[]) =>
  values.map((value) => ({ value, label: tagValueName(tag, value) }));
const typed = ({ name, type, instants }: views.AttributeName) => ({
  name,
  type:
    type === "number" ? ("number" as const) : instants ? ("instant" as const) : ("text" as const),
});

const history = answer(api.history, async ({ house, now, today }, { segment: id, days }) => {
  if (!(await store.byId(house.sql, id))) return fail("segments.unknown");
  const names = Array.from({ length: days }, (_, i) => addDays(today, i + 1 - days));
  const begins = names.map((day) => instantOf(`${day}T00:00`, house.clocks.timeZone));
  const rows = new Map(
    (await views.perDay(house.sql, id, begins, now)).map((row) => [row.day, row]),
  );
  const before = rows.get(0);
  let size = before ? before.entered - before.left : 0;
  return ok({
    days: names.map((day, i) => {
      const { entered = 0, left = 0 } = rows.get(i + 1) ?? {};
      size += entered - left;
      return { day, people: size, entered, left };
    }),
  });
});

/** Times of which a page says that not of everybody the cause was looked for. */
const recountsShown = 10;
const changes = answer(api.changes, async ({ house }, { segment: id, after, limit }) => {
  const segment = await store.byId(house.sql, id);
  if (!segment) return fail("segments.unknown");
  const [, ms, line] = /^(\d{1,15})_([0-9a-f-]{36})$/.exec(after ?? "") ?? [];
  const before = ms && line ? { at: new Date(Number(ms)), id: line } : null;
  const [rows, recounts] = await Promise.all([
    views.changes(house.sql, id, before, limit + 1),
    store.unexplained(house.sql, id, recountsShown),
  ]);
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  const { people: who, companies } = await namedOf(house, segment.level, page);
  const causeOf = await causesOf(house, page);
  const changeOf = ({ change, at, version, ...row }: views.Changed) => ({
    ...{ change, at: at.toISOString(), version, cause: causeOf(row) },
  });
  return ok({
    changes: who.map(({ personId, userId }, i) => ({ personId, userId, ...changeOf(page[i]!) })),
    companies: companies.map((row, i) => ({ ...row, ...changeOf(page[i]!) })),
    next: rows.length > limit ? `${last!.at.getTime()}_${last!.id}` : null,
    recounts: recounts.map(({ at, entered, left, asked }) => ({
      ...{ at: at.toISOString(), entered, left, asked },
    })),
  });
});

const snapshots = answer(api.snapshots, async ({ house }, { segment: id }) => {
  const all = await store.all(house.sql);
  if (!all.some((one) => one.id === id)) return fail("segments.unknown");
  const reads = await service.reading(house, house.sql, all);
  const { level } = all.find((one) => one.id === id)!;
  return ok({
    snapshots: (await store.snapshotsOf(house.sql, id)).map(
      ({ id: snapshot, name, people: were, takenAt, version, rule }) => ({
        id: snapshot,
        name,
        people: were,
        takenAt: takenAt.toISOString(),
        version,
        sentence: reads(rule, level),
      }),
    ),
  });
});

const snapshot = answer(
  api.snapshot,
  async ({ house }, { segment: id, after, limit, ...asked }) => {
    const all = await store.all(house.sql);
    const segment = all.find((one) => one.id === id);
    const list = await store.snapshot(house.sql, asked.snapshot);
    if (!segment || list?.segmentId !== id) return fail("segments.unknown");
    const rows = await views.listed(house.sql, list.id, afterOf(after), limit + 1);
    const page = rows.slice(0, limit);
    const { people: members, companies } = await namedOf(house, segment.level, page);
    const reads = await service.reading(house, house.sql, all);
    return ok({
      ...{ id: list.id, name: list.name, level: segment.level, people: list.people },
      ...{ takenAt: list.takenAt.toISOString(), version: list.version, members, companies },
      sentence: reads(list.rule, segment.level),
      next: rows.length > limit ? cursorOf(page.at(-1)!) : null,
    });
  },
);

const sideOf = (text: string): views.Side => {
  const [kind = "", id = ""] = text.split(":");
  return { kind: kind === "snapshot" ? "snapshot" : "segment", id };
};
const compare = answer(api.compare, async ({ house, now }, input) => {
  const [a, b] = [sideOf(input.a), sideOf(input.b)];
  const there = await Promise.all([views.isThere(house.sql, a), views.isThere(house.sql, b)]);
  if (there.includes(false)) return fail("segments.unknown");
  const rows = await views.compared(house.sql, a, b, now);
  const part = (name: "onlyA" | "both" | "onlyB") => {
    const own = rows.filter((row) => row.part === name);
    const spenders = own.reduce((sum, row) => sum + row.spenders, 0);
    const spent = own.reduce((sum, row) => sum + (row.spent ?? 0), 0);
    return {
      people: own.reduce((sum, row) => sum + row.people, 0),
      stages: Object.fromEntries(own.map((row) => [row.stage, row.people])),
      averageSpentMinor: spenders > 0 ? Math.round(spent / spenders) : null,
    };
  };
  return ok({ onlyA: part("onlyA"), both: part("both"), onlyB: part("onlyB") });
});

const overlap = answer(api.overlap, async ({ house }, { segments: ids }) => {
  const there = new Set((await store.all(house.sql)).map(({ id }) => id));
  if (!ids.every((id) => there.has(id))) return fail("segments.unknown");
  const found = new Map(
    (await views.overlaps(house.sql, ids)).flatMap(({ a, b, people: shared }) => [
      [`${a} ${b}`, shared],
      [`${b} ${a}`, shared],
    ]),
  );
  return ok({
    pairs: ids.flatMap((a, i) =>
      ids.slice(i).map((b) => ({ a, b, people: found.get(`${a} ${b}`) ?? 0 })),
    ),
  });
});

export const routes = [
  list,
  suggest,
  compare,
  overlap,
  show,
  preview,
  history,
  changes,
  snapshots,
  snapshot,
  implement(api.define, service.defineKnown),
  implement(api.remove, (context, input) => service.remove(context, input, views.uses)),
  implement(api.freeze, service.freeze),
];
