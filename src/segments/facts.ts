// What rules ask of people and of companies, read in a few statements however many they are.
import { eachPerson, type PersonKey, type Reader } from "#kernel/sql.ts";
import type { Entry } from "./model/book.ts";
import {
  allConditions,
  conditions,
  eventsOf,
  spanOf,
  type Belongs,
  type Clock,
  type Condition,
  type Facts,
  type Happened,
  type Level,
  type Rule,
  type What,
} from "./rules.ts";
import * as views from "./views.ts";

type Asking = Pick<
  Entry<{ id: string; level: Level; rule: Rule; version: number }>,
  "segment" | "on" | "whats"
>;
/** Since when events of each name matter, in ms; minus infinity: since ever. */
export type Since = Map<string, number>;
function sinceIn(found: Iterable<Condition>, now: Clock): Since {
  const since: Since = new Map();
  for (const one of found)
    for (const { event } of eventsOf(one)) {
      const from = "window" in one && one.kind !== "first" ? spanOf(one.window, now).from : null;
      const begins = from ?? Number.NEGATIVE_INFINITY;
      since.set(event, Math.min(since.get(event) ?? Infinity, begins));
    }
  return since;
}
/** What of people's own events matters to these rules. */
export const sinceOf = (asking: readonly Asking[], now: Clock): Since =>
  sinceIn(
    asking.flatMap(({ segment: { level, rule } }) =>
      level === "person" ? [...conditions(rule)] : [],
    ),
    now,
  );
export async function happenedTo(
  reader: Reader,
  people: readonly PersonKey[],
  since: ReadonlyMap<string, number>,
  told: readonly string[],
): Promise<Map<string, Happened[]>> {
  if (people.length === 0 || since.size === 0) return new Map();
  const from = Math.min(...since.values());
  const rows = await views.happened(
    reader,
    people,
    [...since.keys()],
    Number.isFinite(from) ? new Date(from) : null,
    told,
  );
  const of = new Map<string, Happened[]>();
  for (const { personId, name, at, id, data } of rows) {
    const one = { name, at: at.getTime(), id, data: data ?? {} };
    const had = of.get(personId);
    if (had) had.push(one);
    else of.set(personId, [one]);
  }
  return of;
}
/** Attributes and tags that these rules ask of people, their own or through a company. */
const namesIn = (asking: readonly Asking[], part: "own" | "people") => ({
  attributes: [...new Set(asking.flatMap(({ on }) => [...on[part].attributes]))],
  tags: [...new Set(asking.flatMap(({ on }) => [...on[part].tags]))],
});
const toldIn = (whats: readonly What[]) =>
  whats.flatMap(({ event, where = [] }) => (where.length > 0 ? [event] : []));

export type Facet = Facts & { segments: Set<string>; turns: Record<string, string> };
const facetOf = (row: views.FactsRow, events: readonly Happened[]): Facet => ({
  personId: row.personId,
  tags: new Map(
    Object.entries(row.tags).map(([tag, { value, expiresAt }]) => [
      tag,
      { value, expiresAt: expiresAt === null ? null : new Date(expiresAt) },
    ]),
  ),
  attributes: new Map(Object.entries(row.attributes).map(([name, { v }]) => [name, v])),
  segments: new Set(row.segments),
  turns: row.turns,
  events,
});
/** What these rules ask of these people, what they did aside: that is given. */
export async function togetherWith(
  reader: Reader,
  people: readonly PersonKey[],
  asking: readonly Asking[],
  now: Clock,
  reading: Promise<ReadonlyMap<string, readonly Happened[]>>,
): Promise<Map<string, Facet>> {
  const [rows, events] = await Promise.all([
    views.facts(reader, people, namesIn(asking, "own")),
    reading,
  ]);
  const belongs = asking.some(({ on, segment }) => on.company && segment.level === "person")
    ? await belongingOf(reader, people, asking, now)
    : null;
  return new Map(
    rows.map((row) => {
      const facet = facetOf(row, events.get(row.personId) ?? []);
      return [row.personId, belongs ? { ...facet, belongs: belongs(row.personId) } : facet];
    }),
  );
}
/** What these rules ask of these people, and of their companies where a rule asks of them. */
export const factsOf = (
  reader: Reader,
  people: readonly PersonKey[],
  asking: readonly Asking[],
  now: Clock,
): Promise<Map<string, Facet>> =>
  togetherWith(
    reader,
    people,
    asking,
    now,
    happenedTo(reader, people, sinceOf(asking, now), toldIn(asking.flatMap((one) => one.whats))),
  );
async function belongingOf(
  reader: Reader,
  people: readonly PersonKey[],
  asking: readonly Asking[],
  now: Clock,
): Promise<(personId: string) => Belongs[]> {
  const rows = await views.companiesOf(reader, people);
  const ids = [...new Set(rows.map(({ companyId }) => companyId))];
  const { companies, spans } = await companiesNow(reader, ids, asking, now);
  const own = Map.groupBy(spans, ({ personId }) => personId);
  return (personId) =>
    (own.get(personId) ?? []).flatMap((span) => {
      const facts = companies.get(span.companyId);
      return facts ? [stretch(span, facts)] : [];
    });
}
/** Somebody of whom nothing is asked but that they belong. */
const unasked = (personId: string): Facts => ({
  ...{ personId, tags: new Map(), attributes: new Map(), segments: new Set(), events: [] },
});
const stretch = ({ role, since, until }: views.SpanRow, facts: Facts): Belongs => ({
  ...{ role, since: since.getTime(), until: until?.getTime() ?? null, facts },
});

/** What these rules ask of these companies, and who belongs or belonged to each. */
export async function companiesNow(
  reader: Reader,
  ids: readonly string[],
  asking: readonly Asking[],
  now: Clock,
): Promise<{ companies: Map<string, Facet>; spans: readonly views.SpanRow[] }> {
  if (ids.length === 0) return { companies: new Map(), spans: [] };
  const [rows, spans] = await Promise.all([
    views.companyFacts(reader, ids),
    views.spansIn(reader, ids),
  ]);
  const people = eachPerson(spans);
  const staff = asking.some(({ segment: { rule, level } }) =>
    [...allConditions(rule, level)].some(([one]) => one.kind === "staff"),
  );
  const [happened, peopleRows] = await Promise.all([
    happenedTo(
      reader,
      people,
      sinceIn(
        asking.flatMap(({ segment: { rule, level } }) =>
          [...allConditions(rule, level)].map(([one]) => one),
        ),
        now,
      ),
      toldIn(asking.flatMap(({ on }) => [...on.own.events, ...on.people.events])),
    ),
    staff && people.length > 0 ? views.facts(reader, people, namesIn(asking, "people")) : [],
  ]);
  const facts = new Map(
    peopleRows.map((row) => [row.personId, facetOf(row, happened.get(row.personId) ?? [])]),
  );
  const byCompany = Map.groupBy(spans, ({ companyId }) => companyId);
  const companies = new Map(
    rows.map((row) => {
      const own = byCompany.get(row.personId) ?? [];
      const known = {
        ...facetOf(row, eventsOfCompany(own, happened)),
        belongs: own.flatMap((span) => {
          const theirs = staff ? facts.get(span.personId) : unasked(span.personId);
          return theirs ? [stretch(span, theirs)] : [];
        }),
      };
      return [row.personId, known];
    }),
  );
  return { companies, spans };
}
/** What a company's people did while they belonged to it, each once, in order. */
function eventsOfCompany(
  spans: readonly views.SpanRow[],
  happened: ReadonlyMap<string, readonly Happened[]>,
): Happened[] {
  const found: Happened[] = [];
  for (const [personId, own] of Map.groupBy(spans, (span) => span.personId))
    for (const event of happened.get(personId) ?? [])
      if (
        own.some(
          ({ since, until }) =>
            since.getTime() <= event.at && (until === null || event.at < until.getTime()),
        )
      )
        found.push(event);
  return found.toSorted((a, b) => a.at - b.at || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}
