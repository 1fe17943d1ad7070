import { answer, direct, implement, type Direct, type Route } from "#kernel/endpoint.ts";
import { fail, ok, type Fail } from "#kernel/result.ts";
import * as api from "./api.ts";
import { cookie, cookieOf, fromOwnPage, isJson } from "./model/cookies.ts";
import { lives, permissionsOf, roles, table } from "./rules.ts";
import * as service from "./service.ts";
import { sourceKind } from "./views.ts";

/** Whoever has no session yet sends no cookie that could be abused, but a session could be planted on them. */
const foreign = ({ request, house }: Direct): Fail<"request.cross_site"> | null =>
  fromOwnPage(request, house.settings) && isJson(request) ? null : fail("request.cross_site");

const shown = ({ request, house }: Direct) => cookieOf(request, "session", house.settings);
/** Sets the session's cookie and shows who came in. */
function welcome({ house, header }: Direct, { token, self }: service.Entry) {
  header("set-cookie", cookie("session", token, lives.sessionMs, house.settings));
  return ok(self);
}

const session: Route[] = [
  answer(api.whoAmI, ({ house, actor }) => service.whoAmI(house, actor)),
  direct(api.signIn, async (at, input) => {
    const refused = foreign(at);
    if (refused) return refused;
    const { house, remote } = at;
    const entry = await service.signIn(house, { ...input, remote, token: shown(at) });
    return entry.ok ? welcome(at, entry.value) : entry;
  }),
  direct(api.signOut, async (at) => {
    await service.signOut(at.house, at.actor, shown(at));
    at.header("set-cookie", cookie("session", "", 0, at.house.settings));
    return ok({});
  }),
  implement(api.setLanguage, service.setLanguage),
  direct(api.changePassword, async (at, input) => {
    const { house, actor, remote } = at;
    const entry = await service.changePassword(house, actor, { ...input, remote });
    if (!entry.ok) return entry;
    welcome(at, entry.value);
    return ok({});
  }),
];

const links: Route[] = [
  direct(api.requestReset, async (at, { email }) => {
    const { house, remote } = at;
    return foreign(at) ?? service.askReset(house, { email, remote });
  }),
  direct(api.completeReset, async (at, input) => {
    const { house, remote } = at;
    return foreign(at) ?? service.completeReset(house, { ...input, remote });
  }),
  direct(api.exchangeSetup, async (at, { token }) => {
    const refused = foreign(at);
    if (refused) return refused;
    const { house, remote, header } = at;
    const next = await service.exchangeSetup(house, { token, remote });
    if (!next.ok) return next;
    header("set-cookie", cookie("setup", next.value.token, lives.setupMs, house.settings));
    return ok({});
  }),
  direct(api.completeSetup, async (at, input) => {
    const refused = foreign(at);
    if (refused) return refused;
    const { house, remote, request, header } = at;
    const token = cookieOf(request, "setup", house.settings);
    const entry = await service.completeSetup(house, { ...input, token, remote });
    if (!entry.ok) return entry;
    header("set-cookie", cookie("setup", "", 0, house.settings));
    return welcome(at, entry.value);
  }),
  direct(api.readInvitation, async (at, { token }) => {
    const { house, remote } = at;
    return foreign(at) ?? service.readInvitation(house, { token, remote });
  }),
  direct(api.acceptInvitation, async (at, input) => {
    const refused = foreign(at);
    if (refused) return refused;
    const { house, remote } = at;
    const entry = await service.acceptInvitation(house, { ...input, remote });
    return entry.ok ? welcome(at, entry.value) : entry;
  }),
];

const operators: Route[] = [
  answer(api.listInvitations, async ({ house, at }) =>
    ok({ invitations: await service.invitations(house, at) }),
  ),
  implement(api.invite, service.invite),
  implement(api.revokeInvitation, service.revokeInvitation),
  answer(api.listRoles, async () =>
    ok({
      roles: roles.map((role) => ({
        role,
        scope: table[role].scope,
        permissions: [...permissionsOf(role)],
      })),
    }),
  ),
  answer(api.listOperators, async ({ house }) => ok({ operators: await service.operators(house) })),
  implement(api.changeRole, service.changeRole),
  implement(api.disableOperator, service.disable),
  implement(api.enableOperator, service.enable),
  implement(api.makeResetLink, service.makeResetLink),
  answer(api.listCases, ({ house }, { operator }) => service.cases(house, operator)),
  implement(api.assignCase, service.assignCase),
  implement(api.unassignCase, service.unassignCase),
];

const keys: Route[] = [
  answer(api.listKeys, async ({ house }) => ok({ keys: await service.keys(house) })),
  implement(api.createKey, async (context, { source, ...input }) => {
    if (source === null) return service.createKey(context, input);
    const kind = await sourceKind(context.tx, source);
    if (kind === null || kind === "import") return fail("access.source_unknown");
    return service.createKey(context, { ...input, source: { id: source, kind } });
  }),
  implement(api.revokeKey, service.revokeKey),
  answer(api.listPersonTokenKeys, async ({ house }) =>
    ok({ keys: await service.personTokenKeys(house) }),
  ),
  implement(api.createPersonTokenKey, async (context, input) => {
    const kind = await sourceKind(context.tx, input.source);
    if (kind === null) return fail("access.source_unknown");
    return service.createPersonTokenKey(context, input);
  }),
  implement(api.revokePersonTokenKey, service.revokePersonTokenKey),
];

export const routes: Route[] = [...session, ...links, ...operators, ...keys];
