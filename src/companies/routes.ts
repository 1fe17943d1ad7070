import { answer, implement, type Reading, type Route } from "#kernel/endpoint.ts";
import { fail, ok } from "#kernel/result.ts";
import type { PersonKey } from "#kernel/sql.ts";
import { shownUserId } from "#people/rules.ts";
import * as people from "#people/service.ts";
import * as api from "./api.ts";
import * as service from "./service.ts";
import { isCompany, roles } from "./store.ts";
import * as views from "./views.ts";

/** More people or moments than this, one company's page does not list. */
const pageLimit = 500;
const timelineLimit = 100;
/** How the shop numbers these people, as whoever asks may see it. */
async function usersOf({ house, actor }: Reading, all: readonly PersonKey[]) {
  const found =
    all.length === 0
      ? new Map<string, string>()
      : await people.identifiers(house, house.sql, [...all], "user_id");
  const may = actor.permissions.has("members:find");
  return (personId: string): string | null => {
    const user = found.get(personId);
    return user === undefined ? null : shownUserId(user, may);
  };
}
const listed = ({ sourceName, orders, spentMinor, lastOrderAt, ...row }: views.Listed) => ({
  ...{ id: row.id, ref: row.ref, name: row.name, industry: row.industry, country: row.country },
  ...{ members: row.members, currency: row.currency, source: sourceName },
  orders: String(orders),
  spentMinor: String(spentMinor),
  lastOrderAt: lastOrderAt?.toISOString() ?? null,
});

export const routes: Route[] = [
  answer(api.list, async ({ house: { sql } }, { search, after, limit }) => {
    const [, spent, id] = /^(-?\d{1,18}) ([\da-f-]{36})$/.exec(after ?? "") ?? [];
    if (after !== undefined && id === undefined)
      return fail("request.invalid", { fields: ["after"] });
    const rows = await views.page(
      sql,
      search,
      spent !== undefined && id !== undefined ? { spent, id } : null,
      limit,
    );
    const last = rows.length === limit ? rows.at(-1)! : null;
    return ok({
      companies: rows.map(listed),
      next: last && `${last.spentMinor} ${last.id}`,
    });
  }),
  answer(api.one, async (reading, { company }) => {
    const {
      house: { sql },
      now,
    } = reading;
    const row = await views.one(sql, company);
    if (!row) return fail("companies.unknown");
    const [staff, external, contact, tags, codes] = await Promise.all([
      views.members(sql, company, pageLimit),
      views.external(sql, company),
      views.contactFields(sql, company),
      views.tags(sql, company, now),
      roles(sql),
    ]);
    const userOf = await usersOf(reading, staff);
    return ok({
      ...listed(row),
      seenAt: row.seenAt.toISOString(),
      attributes: Object.entries(row.profile).map(([name, { v, s, at, c }]) => ({
        ...{ name, value: v, source: s, at, confidence: c },
      })),
      contactFields: contact.map(({ field }) => field),
      external: [...external],
      people: staff.map(({ personId, role, since, until, orders }) => ({
        ...{ person: personId, userId: userOf(personId), role, orders, since: since.toISOString() },
        until: until?.toISOString() ?? null,
      })),
      tags: tags.map((tag) => ({
        ...tag,
        at: tag.at.toISOString(),
        expiresAt: tag.expiresAt?.toISOString() ?? null,
      })),
      roles: [...codes],
    });
  }),
  answer(api.timeline, async (reading, { company }) => {
    const { sql } = reading.house;
    if (!(await isCompany(sql, company))) return fail("companies.unknown");
    const moments = await views.timeline(sql, company, timelineLimit);
    const userOf = await usersOf(
      reading,
      moments.flatMap(({ bucket, personId }) =>
        bucket === null || personId === null ? [] : [{ bucket, personId }],
      ),
    );
    return ok({
      moments: moments.map(({ at, what, personId, detail, amountMinor, currency }) => ({
        ...{ at: at.toISOString(), what, person: personId, detail, currency },
        userId: personId === null ? null : userOf(personId),
        amountMinor: amountMinor === null ? null : String(amountMinor),
      })),
    });
  }),
  implement(api.tag, service.tagByHand),
  answer(api.tagHistory, async ({ house: { sql } }, { company, tag }) => {
    if (!(await isCompany(sql, company))) return fail("companies.unknown");
    const changes = await views.tagHistory(sql, company, tag);
    return ok({ changes: changes.map((one) => ({ ...one, at: one.at.toISOString() })) });
  }),
  answer(api.tagRules, async ({ house: { sql } }) => {
    const rows = await views.tagRules(sql);
    return ok({
      tags: rows.map(({ tag, zh, en, companies, rules }) => ({
        ...{ tag, label: { zh, en }, companies, rules },
      })),
    });
  }),
  implement(api.declareTag, service.declareTag),
  implement(api.removeTag, service.removeTag),
  implement(api.modelTags, async (context, { model, tags }) =>
    ok({
      results: await service.modelTags(context, {
        model,
        tags: tags.map((one) => api.modelTag.safeParse(one)),
      }),
    }),
  ),
  answer(api.roles, async ({ house: { sql } }) => ok({ roles: [...(await roles(sql))] })),
  implement(api.nameRole, service.nameRole),
];
