import { answer, implement, type Reading, type Route, type Scope } from "#kernel/endpoint.ts";
import { fail, ok, type Result } from "#kernel/result.ts";
import type { PersonKey } from "#kernel/sql.ts";
import { looksDirect } from "#privacy/rules.ts";
import { shownUserId } from "#people/rules.ts";
import * as people from "#people/service.ts";
import * as api from "./api.ts";
import { edgeKinds, type Road } from "./rules.ts";
import * as service from "./service.ts";
import { standingOf } from "./store.ts";
import * as views from "./views.ts";

const self = (scope: Scope): Result<PersonKey, "request.forbidden"> =>
  scope.kind === "person" ? ok(scope.person) : fail("request.forbidden");

async function around({ house: { sql } }: Reading, person: PersonKey) {
  const [agreed, counts, rows] = await Promise.all([
    standingOf(sql, person),
    views.counts(sql, person, edgeKinds),
    views.edges(sql, person, edgeKinds),
  ]);
  const edges = rows.map(({ personId, kind, since, acceptedAt, times, items }) => ({
    person: personId,
    ...{ kind, times, items, since: since.toISOString() },
    acceptedAt: acceptedAt?.toISOString() ?? null,
  }));
  return { agreed: agreed !== null, counts: counts.filter(({ count }) => count > 0), edges, rows };
}
/** How the shop numbers these people; one that is an address names somebody, and is shown to nobody else. */
async function usersOf({ house }: Reading, all: PersonKey[]): Promise<Map<string, string>> {
  if (all.length === 0) return new Map();
  const found = await people.identifiers(house, house.sql, all, "user_id");
  return new Map([...found].filter(([, user]) => !looksDirect(user)));
}

/** The same as a colleague may see it. */
async function shownUsersOf({ house, actor }: Reading, all: PersonKey[]) {
  const found =
    all.length === 0
      ? new Map<string, string>()
      : await people.identifiers(house, house.sql, all, "user_id");
  const may = actor.permissions.has("members:find");
  return (personId: string): string | null => {
    const user = found.get(personId);
    return user === undefined ? null : shownUserId(user, may);
  };
}

export const routes: Route[] = [
  answer(api.ofMember, async (reading, { person: personId }) => {
    const person = await people.find(reading.house.sql, personId);
    if (!person.ok) return person;
    const { agreed, counts, edges, rows } = await around(reading, person.value);
    const userOf = await shownUsersOf(reading, rows);
    return ok({
      agreed,
      counts,
      edges: edges.map((edge) => ({ ...edge, userId: userOf(edge.person) })),
    });
  }),
  answer(api.roadOfMember, async (reading, { person: personId, road, limit }) => {
    const { sql } = reading.house;
    const person = await people.find(sql, personId);
    if (!person.ok) return person;
    const found = await views.reached(sql, person.value, road as Road, limit);
    const userOf = await shownUsersOf(reading, found);
    return ok({
      people: found.map(({ personId: reached, through, example }) => ({
        person: reached,
        userId: userOf(reached),
        through,
        example,
      })),
    });
  }),
  answer(api.mine, async (reading) => {
    const person = self(reading.scope);
    if (!person.ok) return person;
    const { agreed, counts, edges, rows } = await around(reading, person.value);
    const users = await usersOf(reading, rows);
    return ok({
      agreed,
      counts,
      edges: edges.map(({ person: other, ...edge }) => ({
        ...edge,
        user: users.get(other) ?? null,
      })),
    });
  }),
  answer(api.myRoad, async (reading, { road, limit }) => {
    const person = self(reading.scope);
    if (!person.ok) return person;
    const found = await views.reached(reading.house.sql, person.value, road as Road, limit);
    const users = await usersOf(reading, found);
    return ok({
      people: found.map(({ personId, through }) => ({
        user: users.get(personId) ?? null,
        through,
      })),
    });
  }),
  implement(api.say, async (context, said) => {
    const person = self(context.actor.scope);
    return person.ok ? service.say(context, person.value, said) : person;
  }),
];
