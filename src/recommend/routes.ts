import { answer, type Route } from "#kernel/endpoint.ts";
import { fail, ok } from "#kernel/result.ts";
import * as people from "#people/service.ts";
import * as api from "./api.ts";
import { reasonSentence } from "./model/sentence.ts";
import * as store from "./store.ts";
import * as views from "./views.ts";

export const routes: Route[] = [
  answer(api.picks, async ({ house: { sql }, scope }, { person: personId }) => {
    if (scope.kind === "cases" && !scope.people.includes(personId))
      return fail("request.forbidden");
    const person = await people.find(sql, personId);
    if (!person.ok) return person;
    const rows = await store.picksOf(sql, person.value);
    const names = await views.goodsNames(
      sql,
      rows.flatMap((row) => (row.kind === "alike" ? [row.sku, row.reason.sku] : [row.sku])),
    );
    const nameOf = (sku: string) => names.get(sku) ?? sku;
    return ok({
      at: rows[0]?.at.toISOString() ?? null,
      picks: rows.map((row) => ({
        rank: row.rank,
        sku: row.sku,
        name: nameOf(row.sku),
        kind: row.kind,
        score: row.score,
        reason: { zh: reasonSentence(row, nameOf, "zh"), en: reasonSentence(row, nameOf, "en") },
      })),
    });
  }),
];
