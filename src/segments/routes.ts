import { answer, implement, type House } from "#kernel/endpoint.ts";
import { fail, ok } from "#kernel/result.ts";
import type { PersonKey } from "#kernel/sql.ts";
import * as people from "#people/service.ts";
import * as api from "./api.ts";
import { atInstant } from "./rules.ts";
import * as service from "./service.ts";
import * as store from "./store.ts";
import * as views from "./views.ts";

const shown =
  (house: House, all: readonly store.Segment[], counts: Map<string, number>) =>
  (segment: store.Segment) => ({
    id: segment.id,
    name: segment.name,
    purpose: segment.purpose,
    version: segment.version,
    builtIn: segment.code,
    people: counts.get(segment.id) ?? 0,
    sentence: service.read(house, segment.rule, all),
    refreshedAt: segment.refreshedAt?.toISOString() ?? null,
  });
async function everything(house: House) {
  const [all, counted] = await Promise.all([store.all(house.sql), views.counted(house.sql)]);
  const counts = new Map(counted.map((one) => [one.segmentId, one.people]));
  return { all, show: shown(house, all, counts) };
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
    keys.length > 0 ? views.facts(house.sql, keys) : [],
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
  const person = await known(
    house,
    page.map(({ bucket, personId }) => ({ bucket, personId })),
  );
  return ok({
    ...one(segment),
    rule: segment.rule,
    members: page.map((row) => ({
      ...person(row),
      since: row.since.toISOString(),
      cause: row.causeKind && row.cause ? { kind: row.causeKind, id: row.cause } : null,
    })),
    next: rows.length > limit ? cursorOf(page.at(-1)!) : null,
  });
});

/** How many people a preview shows. */
const samplePeople = 5;
const preview = answer(api.preview, async ({ house, now }, { rule }) => {
  const all = await store.all(house.sql);
  if (!service.namesKnown(rule, all)) return fail("segments.unknown_in_rule");
  const at = atInstant(
    rule,
    { at: now, timeZone: house.clocks.timeZone },
    await service.knownIn(house.sql, [rule]),
  );
  const [fit, of, some] = await Promise.all([
    views.count(house.sql, at, now),
    views.everybodyCount(house.sql),
    views.sample(house.sql, at, now, samplePeople),
  ]);
  const person = await known(house, some);
  return ok({
    people: fit,
    of,
    sentence: service.read(house, rule, all),
    sample: some.map(person),
  });
});

export const routes = [list, show, preview, implement(api.define, service.define)];
