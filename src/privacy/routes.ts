import { auditHead as head, auditWaiting } from "#kernel/audit-chain.ts";
import { answer, implement, type Route } from "#kernel/endpoint.ts";
import { ok } from "#kernel/result.ts";
import * as people from "#people/service.ts";
import * as api from "./api.ts";
import type { Eraser } from "./service.ts";
import * as views from "./views.ts";

/** `erasers` are of every domain that holds rows of a person: only the composition root knows them all. */
export const routesWith = (erasers: readonly Eraser[]): Route[] => [
  implement(api.eraseMember, (context, { person }) => people.erase(context, person, erasers)),
  answer(api.listErasures, async ({ house }, input) => ok(await views.erasures(house.sql, input))),
  answer(api.listAudit, async ({ house }, input) => ok(await views.auditLines(house.sql, input))),
  answer(api.auditHead, async ({ house }) => {
    const waiting = await auditWaiting(house.sql);
    const last = await head(house);
    return ok({ seq: BigInt(last?.seq ?? 0), hash: last?.hash ?? "", waiting });
  }),
];
