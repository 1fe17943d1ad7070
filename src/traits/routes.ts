import { answer, implement } from "#kernel/endpoint.ts";
import { ok } from "#kernel/result.ts";
import * as people from "#people/service.ts";
import { shownUserId } from "#people/rules.ts";
import * as api from "./api.ts";
import { sentenceOf } from "./model/sentence.ts";
import { resultOf, traitsLimit } from "./rules.ts";
import * as service from "./service.ts";
import * as store from "./store.ts";
import * as views from "./views.ts";

const list = answer(api.list, async ({ house }) => {
  const all = await store.all(house.sql);
  return ok({
    most: traitsLimit,
    traits: all.map(({ definition, version, state, done, total, declaredAt }) => ({
      ...definition,
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
      const is = own && resultOf(trait, own, now.getTime());
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

export const routes = [
  list,
  preview,
  implement(api.declare, service.declare),
  implement(api.remove, service.remove),
];
