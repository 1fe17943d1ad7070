import { answer, implement } from "#kernel/endpoint.ts";
import { addDays, instantOf } from "#kernel/clock.ts";
import { fail, ok } from "#kernel/result.ts";
import * as people from "#people/service.ts";
import { shownUserId } from "#people/rules.ts";
import { dependsOn } from "#segments/rules.ts";
import * as segments from "#segments/service.ts";
import * as api from "./api.ts";
import { sentenceOf } from "./model/sentence.ts";
import { halfLifeDays } from "./model/preference.ts";
import {
  asksAnswer,
  halfLifeLimits,
  laterSeconds,
  ownLimit,
  readLimit,
  resultOf,
  traitsLimit,
} from "./rules.ts";
import * as service from "./service.ts";
import * as store from "./store.ts";
import * as views from "./views.ts";

const list = answer(api.list, async ({ house }) => {
  const [all, late] = await Promise.all([
    store.all(house.sql),
    views.waitingCount(house.sql, service.later),
  ]);
  return ok({
    most: traitsLimit,
    late: { people: late, than: readLimit, seconds: laterSeconds },
    traits: all.map(({ definition, version, state, done, total, declaredAt }) => ({
      ...definition,
      shown: definition.shown ?? false,
      ...{ version, state, sentence: sentenceOf(definition) },
      done: Number(done),
      total: Math.max(Number(total), Number(done)),
      declaredAt: declaredAt.toISOString(),
    })),
  });
});

const samplePeople = 5;
/** Asks and changes nothing; it is a POST because a trait does not fit into an address. */
const preview = answer(api.preview, async ({ house, actor, now }, trait) => {
  const some = [...(await views.latestOf(house.sql, trait.event, now, samplePeople))];
  const [found, names] =
    some.length === 0
      ? [[], new Map<string, string>()]
      : await Promise.all([
          views.pieces(house.sql, trait, now, some),
          people.identifiers(house, house.sql, some, "user_id"),
        ]);
  const pieces = new Map(found.map((row) => [row.personId, row]));
  const may = actor.permissions.has("members:find");
  return ok({
    sentence: sentenceOf(trait),
    people: some.map(({ personId }) => {
      const own = pieces.get(personId);
      const is = own && resultOf(trait, own, now.getTime(), house.clocks.timeZone);
      const name = names.get(personId);
      return {
        personId,
        userId: name === undefined ? null : shownUserId(name, may),
        value: is?.value ?? null,
        at: is && is.value !== null ? new Date(is.at).toISOString() : null,
      };
    }),
  });
});

const attributes = answer(api.attributes, async ({ house }) => {
  const [all, standing, rules, traits] = await Promise.all([
    service.allOwns(house.sql),
    views.forms(house.sql),
    segments.all(house.sql),
    store.all(house.sql),
  ]);
  return ok({
    most: ownLimit,
    attributes: all.map(({ name, definition, state, done, total }) => ({
      ...definition,
      ...{ state, done: Number(done), total: Math.max(Number(total), Number(done)) },
      uses: usesOf(name, { segments: rules, forms: standing, traits }),
    })),
  });
});
type Standing = {
  segments: Awaited<ReturnType<typeof segments.all>>;
  forms: Awaited<ReturnType<typeof views.forms>>;
  traits: Awaited<ReturnType<typeof store.all>>;
};
/** Whatever asks for an attribute: rules of segments, questions of forms that are open, traits of what was answered. */
const usesOf = (name: string, all: Standing) => ({
  segments: all.segments.flatMap(({ id, name: label, rule, level }) => {
    const { own, people: theirs } = dependsOn(rule, level);
    return own.attributes.has(name) || theirs.attributes.has(name) ? [{ id, name: label }] : [];
  }),
  forms: all.forms.flatMap(({ id, slug, title, names }) =>
    names.includes(name) ? [{ id, slug, title }] : [],
  ),
  traits: all.traits.flatMap(({ definition, state }) =>
    state !== "going" && asksAnswer(definition, name)
      ? [{ name: definition.name, label: definition.label }]
      : [],
  ),
});
const removeAttribute = implement(api.removeAttribute, async (context, { attribute: name }) => {
  const { tx } = context;
  const uses = usesOf(name, {
    segments: await segments.all(tx),
    forms: await views.forms(tx),
    traits: await store.all(tx),
  });
  return service.removeOwn(context, name, {
    segments: uses.segments.map(({ id }) => id),
    forms: uses.forms.map(({ slug }) => slug),
    traits: uses.traits.map((one) => one.name),
  });
});
const preference = answer(api.preference, async ({ house }) => {
  const { definition, state, done, total } = await store.preference(house.sql);
  return ok({
    halfLifeDays: definition.halfLifeDays ?? halfLifeDays,
    ...halfLifeLimits,
    ...{ state, done: Number(done), total: Math.max(Number(total), Number(done)) },
  });
});

const tags = answer(api.tags, async ({ house, now }) => {
  const [rows, counts, all] = await Promise.all([
    store.allTags(house.sql),
    views.tagCounts(house.sql, now),
    segments.all(house.sql),
  ]);
  const declared = new Map(rows.map((row) => [row.tag, row]));
  const circular = service.circular(rows, all);
  const byTag = Map.groupBy(counts, ({ tag }) => tag);
  const names = [...new Set([...declared.keys(), ...byTag.keys()])].toSorted();
  return ok({
    tags: names.map((tag) => {
      const row = declared.get(tag);
      const of = byTag.get(tag) ?? [];
      const values = new Map<string, number>();
      for (const one of of) values.set(one.value, (values.get(one.value) ?? 0) + one.people);
      return {
        tag,
        label: row?.definition.label ?? null,
        kinds: [...new Set(of.map(({ kind }) => kind))],
        people: of.reduce((sum, one) => sum + one.people, 0),
        values: [...values].slice(0, 20).map(([value, people]) => ({ value, people })),
        declared: row
          ? {
              state: row.state,
              done: Number(row.done),
              total: Math.max(Number(row.total), Number(row.done)),
              circular: circular.has(tag),
            }
          : null,
      };
    }),
  });
});

function afterOf(cursor: string | undefined): { at: Date; id: string } | null {
  const [, at, id] = /^(\d{4}-\d\d-\d\dT[\d:.]+Z)_([0-9a-f-]{36})$/.exec(cursor ?? "") ?? [];
  return at && id && !Number.isNaN(Date.parse(at)) ? { at: new Date(at), id } : null;
}
const showTag = answer(api.showTag, async ({ house, actor, now, today }, { tag, ...asked }) => {
  const row = (await store.allTags(house.sql)).find((one) => one.tag === tag);
  if (!row && !(await views.isTag(house.sql, tag))) return fail("traits.tag_unknown");
  const days = Array.from({ length: asked.days }, (_, i) => addDays(today, i + 1 - asked.days));
  const begins = days.map((day) => instantOf(`${day}T00:00`, house.clocks.timeZone));
  const [counted, lines, all] = await Promise.all([
    views.tagDays(house.sql, tag, begins, now),
    views.tagLines(house.sql, tag, now, afterOf(asked.after), asked.limit + 1),
    segments.all(house.sql),
  ]);
  const perDay = new Map(counted.map((one) => [one.day, one]));
  const page = lines.slice(0, asked.limit);
  const last = page.at(-1);
  const names = await people.identifiers(
    house,
    house.sql,
    page.map(({ bucket, personId }) => ({ bucket, personId })),
    "user_id",
  );
  const may = actor.permissions.has("members:find");
  const reads = await segments.reading(house, house.sql, all);
  return ok({
    tag,
    label: row?.definition.label ?? null,
    shown: row?.definition.shown ?? false,
    rules: (row?.definition.rules ?? []).flatMap(({ value, segment: id }) => {
      const segment = all.find((one) => one.id === id);
      if (!segment) return [];
      const { name, rule, level } = segment;
      return [{ value, segment: id, name, sentence: reads(rule, level) }];
    }),
    days: days.map((day, i) => ({
      day,
      given: perDay.get(i + 1)?.given ?? 0,
      gone: perDay.get(i + 1)?.gone ?? 0,
    })),
    changes: page.map(({ personId, reason, at, ...line }) => {
      const name = names.get(personId);
      const why = { tag, value: line.after ?? line.before, kind: kindOf(line.source), reason };
      const { id, before, after, source, cause } = line;
      return {
        ...{ id, before, after, source, cause },
        personId,
        userId: name === undefined ? null : shownUserId(name, may),
        sentence: people.changeSentence(tag, line.before, line.after, row?.definition.label),
        why: people.whySentence(why, house.settings.currency),
        at: at.toISOString(),
      };
    }),
    next: lines.length > asked.limit && last ? `${last.at.toISOString()}_${last.id}` : null,
  });
});
/** A line of the log says where it is from; its kind follows. */
const kindOf = (source: string) =>
  source === "hand"
    ? ("hand" as const)
    : source === "rule" || source === "people" || source === "relations"
      ? ("rule" as const)
      : source === "predict" || source === "traits"
        ? ("statistic" as const)
        : ("model" as const);

const modelTags = implement(api.modelTags, async (context, { model, tags: given }) =>
  ok({
    results: await service.modelTags(context, {
      model,
      tags: given.map((one) => api.modelTag.safeParse(one)),
    }),
  }),
);

export const routes = [
  implement(api.like, service.tell),
  implement(api.dislike, (context, { category }) =>
    service.tell(context, { category, word: "no" }),
  ),
  tags,
  showTag,
  modelTags,
  implement(api.declareTag, service.declareTag),
  implement(api.removeTag, service.removeTag),
  attributes,
  implement(api.declareAttribute, (context, { attribute, ...own }) =>
    service.declareOwn(context, { name: attribute, ...own }),
  ),
  removeAttribute,
  preference,
  implement(api.setPreference, service.setHalfLife),
  list,
  preview,
  implement(api.declare, service.declare),
  implement(api.remove, service.remove),
];
