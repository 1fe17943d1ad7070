// What a caller can ask of access. Commands take the open transaction; whatever hears a password comes by a direct
// route and opens its own: the write path keeps a digest of each body, and a fast digest of a password is a leak.
import { audit } from "#kernel/audit.ts";
import { newSecret, open, seal, sha256 } from "#kernel/crypto.ts";
import type { Actor, Context, House, Scope } from "#kernel/endpoint.ts";
import { inOrder } from "#kernel/group.ts";
import type { Authenticate } from "#kernel/http.ts";
import { fail, ok, type Result } from "#kernel/result.ts";
import type { PersonKey, Reader, Tx } from "#kernel/sql.ts";
import { setTimers, type Timer } from "#kernel/timers.ts";
import * as collect from "#collect/service.ts";
import * as people from "#people/service.ts";
import { cookieOf, mayUseCookie } from "./model/cookies.ts";
import { hashPassword, isPassword } from "./model/passwords.ts";
import { keyIdOf, userIdOf, type TokenKey } from "./model/person-token.ts";
import {
  brakes,
  covers,
  coversRole,
  fitPassword,
  lives,
  neighbourhood,
  permissionsOf,
  resetMail,
  sameEmail,
  table,
  type Brake,
  type Role,
} from "./rules.ts";
import * as store from "./store.ts";

type Language = "zh" | "en" | null;
const after = (at: Date, ms: number) => new Date(at.getTime() + ms);

// ── what is sealed, blind or counted ───────────────────────────────────────────────────────────────────────────────

const lock = (house: House, place: string, plain: Buffer | string): Buffer =>
  seal(house.keys.signing("access.fields"), plain, place);
const unlock = (house: House, place: string, sealed: Buffer): Buffer =>
  open(house.keys.signing("access.fields"), sealed, place);
const emailAt = (id: string) => `access_operator|email|${id}`;
const nameAt = (id: string) => `access_operator|name|${id}`;
const invitedAt = (id: string) => `access_invitation|email|${id}`;
const tokenKeyAt = (id: string) => `access_token_key|sealed|${id}`;
const emailBlind = (house: House, email: string): Buffer =>
  house.keys.blind("access_operator.email", sameEmail(email));
const remoteBlind = (house: House, remote: string): Buffer =>
  house.keys.blind("access.remote", neighbourhood(remote));

/** Counts a try under each of these, before it is made: tries at the same time cannot slip past each other. */
export async function braked(
  house: House,
  asked: [Brake, string][],
): Promise<Result<null, "request.too_many">> {
  const at = house.clocks.machine();
  const limits = asked.map(([limit, who]) => ({ limit, key: house.keys.blind("access.try", who) }));
  const rows = limits.map(({ limit, key }) => ({ key, until: after(at, limit.windowMs) }));
  for (const { key, tries, until } of await store.addTries(house.sql, rows, at)) {
    const { limit } = limits.find((one) => one.key.equals(key))!;
    if (tries > limit.tries)
      return fail("request.too_many", {
        retryAfterSeconds: Math.max(1, Math.ceil((until.getTime() - at.getTime()) / 1000)),
      });
  }
  return ok(null);
}
const brakeLinks = (house: House, remote: string) =>
  braked(house, [[brakes.link, `link|${neighbourhood(remote)}`]]);

/** A direct route's own audit line. */
type Deed = { actor: string; endpoint: string; target?: Record<string, string>; outcome?: string };
const note = (
  house: House,
  tx: Tx,
  at: Date,
  { actor, endpoint, target = {}, outcome = "ok" }: Deed,
) => audit(house, tx, [{ at, actor, endpoint, target, outcome, requestId: null }]);

// ── session ────────────────────────────────────────────────────────────────────────────────────────────────────────

export type Self = {
  id: string;
  name: string;
  email: string;
  role: Role;
  permissions: string[];
  scope: { kind: "all" | "merchants" | "cases"; merchants?: string[]; people?: string[] };
  language: Language;
};
/** A session that was just begun: its token goes into the cookie and nowhere else. */
export type Entry = { token: string; self: Self };

async function scopeOf(
  reader: Reader,
  { id, role, merchants }: { id: string; role: Role; merchants: string[] },
): Promise<Exclude<Scope, { kind: "person" }>> {
  const { scope } = table[role];
  if (scope === "merchants") return { kind: "merchants", merchants };
  if (scope === "all") return { kind: "all" };
  return { kind: "cases", people: (await store.casesOf(reader, id)).map(({ person }) => person) };
}
async function selfOf(house: House, reader: Reader, row: store.OperatorRow): Promise<Self> {
  const scope = await scopeOf(reader, row);
  return {
    id: row.id,
    name: unlock(house, nameAt(row.id), row.name).toString(),
    email: unlock(house, emailAt(row.id), row.email).toString(),
    role: row.role,
    permissions: [...permissionsOf(row.role)],
    scope: {
      kind: scope.kind,
      ...(scope.kind === "merchants" ? { merchants: [...scope.merchants] } : {}),
      ...(scope.kind === "cases" ? { people: [...scope.people] } : {}),
    },
    language: row.language,
  };
}
const operatorId = (actor: Actor): string =>
  actor.id.startsWith("operator:") ? actor.id.slice("operator:".length) : "";

export async function whoAmI(
  house: House,
  actor: Actor,
): Promise<Result<Self, "request.unauthenticated">> {
  const id = operatorId(actor);
  const [row] = id ? await store.operatorById(house.sql, id) : [];
  return row ? ok(await selfOf(house, house.sql, row)) : fail("request.unauthenticated");
}

/** A new token each time, so that nobody can hand over a session that they know. */
async function enter(house: House, tx: Tx, id: string, remote: string, at: Date): Promise<Entry> {
  const token = newSecret();
  const hash = sha256(token);
  await store.addSession(tx, { hash, operatorId: id, remote: remoteBlind(house, remote), at });
  await store.markSignedIn(tx, id, at);
  const [row] = await store.operatorById(tx, id);
  return { token, self: await selfOf(house, tx, row!) };
}

type SignIn = { email: string; password: string; remote: string; token: string | null };
/** The same answer after the same work, whether or not the account is there. `token` is a session to be replaced. */
export async function signIn(
  house: House,
  { email, password, remote, token }: SignIn,
): Promise<Result<Entry, "access.wrong_sign_in" | "request.too_many">> {
  const at = house.clocks.machine();
  const who = neighbourhood(remote);
  const blind = emailBlind(house, email);
  const account = blind.toString("hex");
  const [row] = await store.operatorByEmail(house.sql, blind, remoteBlind(house, remote));
  const pair = `pair|${account}|${who}`;
  const held = await braked(house, [
    [brakes.remote, `remote|${who}`],
    [brakes.pair, pair],
    ...(row?.knownHere ? [] : ([[brakes.account, `account|${account}`]] as [Brake, string][])),
  ]);
  if (!held.ok) return held;
  const same = await isPassword(password, row?.password ?? null);
  if (!same.ok) return same;
  const endpoint = "POST /v1/session";
  return house.sql.begin(async (tx) => {
    // Looked at again under its lock: a password changed meanwhile must not leave a session of the old one behind.
    if (!row || !same.value || !(await store.isStillPassword(tx, row.id, row.password))) {
      const target = row ? { operator: row.id } : {};
      await note(house, tx, at, {
        actor: "anonymous",
        endpoint,
        target,
        outcome: "access.wrong_sign_in",
      });
      return fail("access.wrong_sign_in");
    }
    if (token) await store.dropSession(tx, sha256(token));
    await store.forgetTries(tx, house.keys.blind("access.try", pair));
    await note(house, tx, at, { actor: `operator:${row.id}`, endpoint });
    return ok(await enter(house, tx, row.id, remote, at));
  });
}

export async function signOut(house: House, actor: Actor, token: string | null): Promise<void> {
  const at = house.clocks.machine();
  await house.sql.begin(async (tx) => {
    if (token) await store.dropSession(tx, sha256(token));
    await note(house, tx, at, { actor: actor.id, endpoint: "DELETE /v1/session" });
  });
}

export async function setLanguage(
  { tx, actor }: Context,
  { language }: { language: Language },
): Promise<Result<Record<string, never>, "request.unauthenticated">> {
  const id = operatorId(actor);
  if (!id) return fail("request.unauthenticated");
  await store.setLanguage(tx, id, language);
  return ok({});
}

/** Every session and every open link of an account ends with its password. */
async function renew(tx: Tx, id: string, password: string): Promise<void> {
  await store.setPassword(tx, id, password);
  await store.dropSessionsOf(tx, id);
  await store.dropResets(tx, id);
}

type Change = { current: string; next: string; remote: string };
export async function changePassword(
  house: House,
  actor: Actor,
  { current, next, remote }: Change,
): Promise<
  Result<
    Entry,
    | "access.wrong_password"
    | "access.password_is_email"
    | "request.too_many"
    | "request.unauthenticated"
  >
> {
  const at = house.clocks.machine();
  const who = await whoAmI(house, actor);
  if (!who.ok) return who;
  const { id, email } = who.value;
  const held = await braked(house, [[brakes.pair, `password|${id}`]]);
  if (!held.ok) return held;
  const fit = fitPassword(next, email);
  if (!fit.ok) return fit;
  const [row] = await store.operatorById(house.sql, id);
  const same = await isPassword(current, row?.password ?? null);
  if (!same.ok) return same;
  if (!row || !same.value) return fail("access.wrong_password");
  const hashed = await hashPassword(next);
  if (!hashed.ok) return hashed;
  return house.sql.begin(async (tx) => {
    if (!(await store.isStillPassword(tx, id, row.password))) return fail("access.wrong_password");
    await renew(tx, id, hashed.value);
    await note(house, tx, at, { actor: actor.id, endpoint: "POST /v1/session/password" });
    return ok(await enter(house, tx, id, remote, at));
  });
}

// ── reset ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The kind of the timer that answers a reset. Its key is the blind index of the address that was typed. */
export const resetKind = "access.reset";
/** A second link within this time is not made: nobody's inbox is filled by somebody else. */
const resetPauseMs = 10 * 60_000;
/** Sends one plain mail. */
export type Mail = (mail: { to: string; subject: string; text: string }) => Promise<void>;

/** One row for any address, known or not; what comes of it happens later, so that no answer and no delay tells. */
export async function askReset(
  house: House,
  { email, remote }: { email: string; remote: string },
): Promise<Result<Record<string, never>, "request.too_many">> {
  const at = house.clocks.machine();
  const held = await brakeLinks(house, remote);
  if (!held.ok) return held;
  await house.sql.begin(async (tx) => {
    const key = emailBlind(house, email).toString("hex");
    await setTimers(tx, [{ kind: resetKind, key, dueAt: at }]);
    await note(house, tx, at, { actor: "anonymous", endpoint: "POST /v1/password-resets" });
  });
  return ok({});
}

async function resetLink(house: House, tx: Tx, id: string, at: Date) {
  const token = newSecret();
  const expiresAt = after(at, lives.resetMs);
  const hash = sha256(token);
  await store.addLink(tx, { hash, kind: "reset", operatorId: id, forced: false, expiresAt });
  return { link: `${house.settings.publicUrl}/reset#${token}`, expiresAt };
}

/** Mails the link to whom it may concern; where no mail can be sent, the wish waits for somebody who makes the link. */
export async function answerResets(
  house: House,
  tx: Tx,
  timers: Timer[],
  mail: Mail | null,
): Promise<void> {
  const at = house.clocks.machine();
  for (const { key } of timers) {
    const [row] = await store.operatorByEmail(tx, Buffer.from(key, "hex"), Buffer.alloc(0));
    if (!row || row.disabledAt) continue;
    if (!mail) {
      await store.markResetAsked(tx, row.id, at);
      continue;
    }
    const pause = after(at, lives.resetMs - resetPauseMs);
    if (await store.hasResetAfter(tx, row.id, pause)) continue;
    const { link } = await resetLink(house, tx, row.id, at);
    const to = unlock(house, emailAt(row.id), row.email).toString();
    await mail({ to, ...resetMail(row.language, link) });
  }
}

/** Writes to every owner who can sign in, each in their own language. */
export async function tellOwners(
  house: House,
  reader: Reader,
  written: (language: Language) => { subject: string; text: string },
  mail: Mail,
): Promise<void> {
  for (const { id, email, role, disabledAt, language } of await store.operators(reader)) {
    if (role !== "owner" || disabledAt) continue;
    await mail({ to: unlock(house, emailAt(id), email).toString(), ...written(language) });
  }
}

type Complete = { token: string; password: string; remote: string };
type BadLink = "access.link_dead" | "access.password_is_email" | "request.too_many";
export async function completeReset(
  house: House,
  { token, password, remote }: Complete,
): Promise<Result<Record<string, never>, BadLink>> {
  const at = house.clocks.machine();
  const held = await brakeLinks(house, remote);
  if (!held.ok) return held;
  // Looked at first: only whoever holds a live link is worth the time of a hash.
  const [live] = await store.link(house.sql, sha256(token), "reset", at);
  const [row] = live ? await store.operatorById(house.sql, live.operatorId!) : [];
  if (!row || row.disabledAt) return fail("access.link_dead");
  const fit = fitPassword(password, unlock(house, emailAt(row.id), row.email).toString());
  if (!fit.ok) return fit;
  const hashed = await hashPassword(password);
  if (!hashed.ok) return hashed;
  return house.sql.begin(async (tx) => {
    const [taken] = await store.takeLink(tx, sha256(token), "reset", at);
    if (!taken) return fail("access.link_dead");
    await renew(tx, row.id, hashed.value);
    const actor = `operator:${row.id}`;
    await note(house, tx, at, { actor, endpoint: "POST /v1/password-resets/complete" });
    return ok({});
  });
}

export async function makeResetLink(
  { tx, house, actor, at }: Context,
  { operator }: { operator: string },
): Promise<
  Result<{ link: string; expiresAt: Date }, "access.operator_unknown" | "access.beyond_own">
> {
  const found = await manage(tx, actor, operator);
  return found.ok ? ok(await resetLink(house, tx, operator, at)) : found;
}

// ── the first owner ────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * The address that makes an owner, for the terminal only; null where there is an owner already, unless forced. Each
 * call ends what earlier ones gave out, so the link of one start is dead at the next.
 */
export async function ownerLink(
  house: House,
  { force = false }: { force?: boolean } = {},
): Promise<string | null> {
  const token = newSecret();
  const at = house.clocks.machine();
  return house.sql.begin(async (tx) => {
    await store.dropSetups(tx);
    if (!force && (await store.hasOwner(tx))) return null;
    const expiresAt = after(at, lives.setupMs);
    const hash = sha256(token);
    await store.addLink(tx, { hash, kind: "setup", operatorId: null, forced: force, expiresAt });
    await note(house, tx, at, { actor: "system:terminal", endpoint: "owner-link" });
    // What stands after # is sent to no server and stands in no log.
    return `${house.settings.publicUrl}/setup#${token}`;
  });
}

/** Uses the link up for a second token, which only the browser that showed the first one gets, as a cookie. */
export async function exchangeSetup(
  house: House,
  { token, remote }: { token: string; remote: string },
): Promise<Result<{ token: string }, "access.link_dead" | "request.too_many">> {
  const at = house.clocks.machine();
  const held = await brakeLinks(house, remote);
  if (!held.ok) return held;
  return house.sql.begin(async (tx) => {
    const [taken] = await store.takeLink(tx, sha256(token), "setup", at);
    if (!taken) return fail("access.link_dead");
    const next = newSecret();
    const expiresAt = after(at, lives.setupMs);
    await store.addLink(tx, { ...taken, hash: sha256(next), kind: "setting_up", expiresAt });
    await note(house, tx, at, { actor: "anonymous", endpoint: "POST /v1/setup/exchange" });
    return ok({ token: next });
  });
}

type Newcomer = { name: string; password: string; language: Language; remote: string };
export async function completeSetup(
  house: House,
  {
    token,
    email,
    name,
    password,
    language,
    remote,
  }: Newcomer & { token: string | null; email: string },
): Promise<Result<Entry, BadLink>> {
  const at = house.clocks.machine();
  const held = await brakeLinks(house, remote);
  if (!held.ok) return held;
  const hash = sha256(token ?? "");
  const [live] = await store.link(house.sql, hash, "setting_up", at);
  if (!live) return fail("access.link_dead");
  const fit = fitPassword(password, email);
  if (!fit.ok) return fit;
  const hashed = await hashPassword(password);
  if (!hashed.ok) return hashed;
  return house.sql.begin(async (tx) => {
    const [taken] = await store.takeLink(tx, hash, "setting_up", at);
    if (!taken || (!taken.forced && (await store.hasOwner(tx)))) return fail("access.link_dead");
    const [had] = await store.operatorByEmail(tx, emailBlind(house, email), Buffer.alloc(0));
    const id = had?.id ?? house.newId();
    if (had) {
      await renew(tx, id, hashed.value);
      await store.setName(tx, id, lock(house, nameAt(id), name));
      await store.setRole(tx, id, "owner", []);
      await store.setDisabled(tx, id, null);
    } else
      await add(house, tx, {
        id,
        email,
        name,
        language,
        role: "owner",
        merchants: [],
        at,
        password: hashed.value,
      });
    await note(house, tx, at, { actor: `operator:${id}`, endpoint: "POST /v1/setup/complete" });
    return ok(await enter(house, tx, id, remote, at));
  });
}

type Fresh = {
  id: string;
  email: string;
  name: string;
  language: Language;
  role: Role;
  merchants: string[];
  password: string;
  at: Date;
};
const add = (house: House, tx: Tx, { email, name, at, ...row }: Fresh): Promise<boolean> =>
  store.addOperator(tx, {
    ...row,
    emailBlind: emailBlind(house, email),
    email: lock(house, emailAt(row.id), email.trim()),
    name: lock(house, nameAt(row.id), name),
    createdAt: at,
  });

// ── invitations ────────────────────────────────────────────────────────────────────────────────────────────────────

export const invitations = async (house: House, at: Date) =>
  (await store.invitations(house.sql, at)).map(({ id, email, role, merchants, ...times }) => ({
    id,
    email: unlock(house, invitedAt(id), email).toString(),
    role,
    merchants,
    createdAt: times.createdAt,
    expiresAt: times.expiresAt,
  }));

type Invite = { email: string; role: Role; merchants: string[] };
export async function invite(
  { tx, house, actor, at, newId }: Context,
  { email, role, merchants }: Invite,
): Promise<
  Result<{ id: string; link: string; expiresAt: Date }, "access.email_taken" | "access.beyond_own">
> {
  if (!coversRole(actor.permissions, role)) return fail("access.beyond_own");
  const blind = emailBlind(house, email);
  const [had] = await store.operatorByEmail(tx, blind, Buffer.alloc(0));
  if (had) return fail("access.email_taken");
  const token = newSecret();
  const id = newId();
  const expiresAt = after(at, lives.invitationMs);
  await store.dropInvitationsTo(tx, blind); // the newest is the one that counts
  await store.addInvitation(tx, {
    id,
    hash: sha256(token),
    emailBlind: blind,
    email: lock(house, invitedAt(id), email.trim()),
    role,
    merchants,
    madeBy: actor.id,
    createdAt: at,
    expiresAt,
  });
  return ok({ id, link: `${house.settings.publicUrl}/invitation#${token}`, expiresAt });
}

export async function revokeInvitation(
  { tx }: Context,
  { invitation }: { invitation: string },
): Promise<Result<Record<string, never>, "access.invitation_unknown">> {
  const dropped = await store.dropInvitation(tx, invitation);
  return dropped ? ok({}) : fail("access.invitation_unknown");
}

export async function readInvitation(
  house: House,
  { token, remote }: { token: string; remote: string },
): Promise<Result<{ email: string; role: Role }, "access.link_dead" | "request.too_many">> {
  const held = await brakeLinks(house, remote);
  if (!held.ok) return held;
  const [row] = await store.invitation(house.sql, sha256(token), house.clocks.machine());
  if (!row) return fail("access.link_dead");
  return ok({ email: unlock(house, invitedAt(row.id), row.email).toString(), role: row.role });
}

export async function acceptInvitation(
  house: House,
  { token, name, password, language, remote }: Newcomer & { token: string },
): Promise<Result<Entry, BadLink>> {
  const at = house.clocks.machine();
  const held = await brakeLinks(house, remote);
  if (!held.ok) return held;
  const [row] = await store.invitation(house.sql, sha256(token), at);
  if (!row) return fail("access.link_dead");
  const email = unlock(house, invitedAt(row.id), row.email).toString();
  const fit = fitPassword(password, email);
  if (!fit.ok) return fit;
  const hashed = await hashPassword(password);
  if (!hashed.ok) return hashed;
  return house.sql.begin(async (tx) => {
    if (!(await store.dropInvitation(tx, row.id))) return fail("access.link_dead");
    const id = house.newId();
    const { role, merchants } = row;
    const fresh = { id, email, name, language, role, merchants, password: hashed.value, at };
    if (!(await add(house, tx, fresh))) return fail("access.link_dead");
    const target = { invitation: row.id };
    await note(house, tx, at, {
      actor: `operator:${id}`,
      endpoint: "POST /v1/invitations/accept",
      target,
    });
    return ok(await enter(house, tx, id, remote, at));
  });
}

// ── operators ──────────────────────────────────────────────────────────────────────────────────────────────────────

export const operators = async (house: House) =>
  (await store.operators(house.sql)).map((row) => ({
    id: row.id,
    name: unlock(house, nameAt(row.id), row.name).toString(),
    email: unlock(house, emailAt(row.id), row.email).toString(),
    role: row.role,
    merchants: row.merchants,
    cases: row.cases,
    createdAt: row.createdAt,
    signedInAt: row.signedInAt,
    disabledAt: row.disabledAt,
    resetAskedAt: row.resetAskedAt,
  }));

type Managed = { role: Role; lastOwner: boolean };
/** Locks an operator whom the actor may manage: nobody reaches up to one who may do more. */
async function manage(
  tx: Tx,
  actor: Actor,
  id: string,
): Promise<Result<Managed, "access.operator_unknown" | "access.beyond_own">> {
  const rows = await store.lockWithOwners(tx, id);
  const row = rows.find((one) => one.id === id);
  if (!row) return fail("access.operator_unknown");
  if (!coversRole(actor.permissions, row.role)) return fail("access.beyond_own");
  const owners = rows.filter(({ role, disabledAt }) => role === "owner" && !disabledAt);
  return ok({ role: row.role, lastOwner: owners.length === 1 && owners[0]!.id === id });
}
type BadManage = "access.operator_unknown" | "access.beyond_own" | "access.last_owner";
type Nothing = Record<string, never>;

type RoleChange = { operator: string; role?: Role | undefined; merchants?: string[] | undefined };
export async function changeRole(
  { tx, actor }: Context,
  { operator, role, merchants }: RoleChange,
): Promise<Result<Nothing, BadManage>> {
  const found = await manage(tx, actor, operator);
  if (!found.ok) return found;
  if (role && !coversRole(actor.permissions, role)) return fail("access.beyond_own");
  if (role && role !== "owner" && found.value.lastOwner) return fail("access.last_owner");
  await store.setRole(tx, operator, role ?? null, merchants ?? null);
  return ok({});
}

export async function disable(
  { tx, actor, at }: Context,
  { operator }: { operator: string },
): Promise<Result<Nothing, BadManage>> {
  const found = await manage(tx, actor, operator);
  if (!found.ok) return found;
  if (found.value.lastOwner) return fail("access.last_owner");
  await store.setDisabled(tx, operator, at);
  await store.dropSessionsOf(tx, operator);
  await store.dropResets(tx, operator);
  // An invitation that they left open would be a way back in.
  await store.dropInvitationsBy(tx, `operator:${operator}`);
  return ok({});
}
export async function enable(
  { tx, actor }: Context,
  { operator }: { operator: string },
): Promise<Result<Nothing, "access.operator_unknown" | "access.beyond_own">> {
  const found = await manage(tx, actor, operator);
  if (!found.ok) return found;
  await store.setDisabled(tx, operator, null);
  return ok({});
}

export async function cases(house: House, operator: string) {
  const [row] = await store.operatorById(house.sql, operator);
  if (!row) return fail("access.operator_unknown");
  return ok({ people: [...(await store.casesOf(house.sql, operator))] });
}
type Case = { operator: string; person: string };
export async function assignCase(
  { tx, at }: Context,
  { operator, person }: Case,
): Promise<Result<Nothing, "access.operator_unknown" | "people.unknown">> {
  const [row] = await store.operatorById(tx, operator);
  if (!row) return fail("access.operator_unknown");
  const key = await people.find(tx, person);
  if (!key.ok) return key;
  await store.addCase(tx, key.value, operator, at);
  return ok({});
}
export async function unassignCase(
  { tx }: Context,
  { operator, person }: Case,
): Promise<Result<Nothing, "access.operator_unknown">> {
  const [row] = await store.operatorById(tx, operator);
  if (!row) return fail("access.operator_unknown");
  await store.dropCase(tx, person, operator);
  return ok({});
}
/** Whatever access holds of a person goes with them. */
export async function erase(tx: Tx, person: PersonKey): Promise<void> {
  await store.dropCasesOf(tx, person);
}

// ── keys ───────────────────────────────────────────────────────────────────────────────────────────────────────────

type Source = { id: string; kind: "server" | "public" };
/** What a key that everybody can read, in a page or an app, may be good for. */
const publicMay = new Set(["events:write"]);

export const keys = async (house: House) =>
  (await store.keys(house.sql)).map((row) => ({
    id: row.id,
    name: row.name,
    prefix: row.prefix,
    permissions: row.permissions,
    source: row.sourceId,
    merchants: row.merchants,
    createdAt: row.createdAt,
    expiresAt: row.expiresAt,
    revokedAt: row.revokedAt,
    usedAt: row.usedAt,
  }));

type NewKey = {
  name: string;
  permissions: readonly string[];
  source?: Source | null;
  merchants?: string[] | null;
  expiresAt?: Date | null;
};
/** The key itself stands in the answer and nowhere else. */
export async function createKey(
  { tx, actor, at, newId }: Pick<Context, "tx" | "actor" | "at" | "newId">,
  { name, permissions, source = null, merchants = null, expiresAt = null }: NewKey,
): Promise<
  Result<{ id: string; key: string; prefix: string }, "access.beyond_own" | "access.public_source">
> {
  if (!covers(actor.permissions, permissions)) return fail("access.beyond_own");
  if (source?.kind === "public" && !covers(publicMay, permissions))
    return fail("access.public_source");
  const key = `lk_${newSecret()}`;
  const id = newId();
  const prefix = key.slice(0, 9);
  await store.addKey(tx, {
    id,
    hash: sha256(key),
    prefix,
    name,
    permissions: [...new Set(permissions)].toSorted(),
    sourceId: source?.id ?? null,
    sourceKind: source?.kind ?? null,
    merchants,
    madeBy: actor.id,
    createdAt: at,
    expiresAt,
  });
  return ok({ id, key, prefix });
}
export async function revokeKey(
  { tx, at }: Context,
  { key }: { key: string },
): Promise<Result<Nothing, "access.key_unknown">> {
  return (await store.revokeKey(tx, key, at)) ? ok({}) : fail("access.key_unknown");
}

export const personTokenKeys = async (house: House) =>
  (await store.tokenKeys(house.sql)).map(({ id, sourceId, algorithm, createdAt, revokedAt }) => ({
    id,
    source: sourceId,
    algorithm,
    createdAt,
    revokedAt,
  }));

type NewTokenKey = { source: string; algorithm: "HS256" | "EdDSA"; publicKey: string | null };
/** A shared secret is made here and shown once; of a key pair we are given the public half. */
export async function createPersonTokenKey(
  { tx, house, actor, at, newId }: Pick<Context, "tx" | "house" | "actor" | "at" | "newId">,
  { source, algorithm, publicKey }: NewTokenKey,
): Promise<Result<{ id: string; secret: string | null }, "access.public_key_needed">> {
  if ((algorithm === "EdDSA") !== (publicKey !== null)) return fail("access.public_key_needed");
  const id = newId();
  const secret = publicKey === null ? newSecret() : null;
  const material = Buffer.from(secret ?? publicKey!, "base64url");
  const sealed = lock(house, tokenKeyAt(id), material);
  const row = { id, sourceId: source, algorithm, sealed, madeBy: actor.id, createdAt: at };
  await store.addTokenKey(tx, row);
  return ok({ id, secret });
}
export async function revokePersonTokenKey(
  { tx, at }: Context,
  { key }: { key: string },
): Promise<Result<Nothing, "access.key_unknown">> {
  return (await store.revokeTokenKey(tx, key, at)) ? ok({}) : fail("access.key_unknown");
}

// ── who is asking ──────────────────────────────────────────────────────────────────────────────────────────────────

/** Many requests at once ask for their keys in one query, always a fresh one: a revoked key is dead at once. */
const lookupLimit = 500;
type Lookups = {
  key: (hash: Buffer) => Promise<store.KeyRow | undefined>;
  tokenKey: (id: string) => Promise<TokenKey | undefined>;
};
function lookups(house: House): Lookups {
  const key = inOrder<Buffer, store.KeyRow | undefined>(async (hashes) => {
    const at = house.clocks.machine();
    const rows = await store.keysByHash(house.sql, hashes, at);
    const mark = after(at, -lives.markMs);
    const stale = rows.filter(({ usedAt }) => !usedAt || usedAt <= mark).map(({ id }) => id);
    if (stale.length > 0) await store.markUsed(house.sql, stale, at, mark);
    const byHash = new Map(rows.map((row) => [row.hash.toString("hex"), row]));
    return hashes.map((hash) => byHash.get(hash.toString("hex")));
  }, lookupLimit);
  const tokenKey = inOrder<string, TokenKey | undefined>(async (ids) => {
    const rows = await store.tokenKeysById(house.sql, ids);
    const byId = new Map(
      rows.map(({ sealed, ...row }) => [
        row.id,
        { ...row, material: unlock(house, tokenKeyAt(row.id), sealed) },
      ]),
    );
    return ids.map((id) => byId.get(id));
  }, lookupLimit);
  return { key, tokenKey };
}

type Shopper = { userId: string; sourceId: string };
type PersonTokens = (token: string) => Promise<Shopper | null>;
/** Reads person tokens; null where one is not right. For ingest, which strips the token before anything is stored. */
export function personTokens(house: House, { tokenKey } = lookups(house)): PersonTokens {
  return async (token) => {
    const id = keyIdOf(token);
    const key = id ? await tokenKey(id) : undefined;
    const userId = key ? await userIdOf(token, key, house.clocks.machine()) : null;
    return key && userId !== null ? { userId, sourceId: key.sourceId } : null;
  };
}

/** Which source a key writes for; null where it is none, is dead, or may not write events. For the doors of clients. */
export function writeKeys(house: House, { key } = lookups(house)) {
  return async (text: string): Promise<Source | null> => {
    const row = await key(sha256(text));
    return row?.sourceId && row.sourceKind && row.permissions.includes("events:write")
      ? { id: row.sourceId, kind: row.sourceKind }
      : null;
  };
}

/**
 * Who sent a request: a key or a person token as Bearer, a key as the user name of Basic, else the session's cookie.
 * A credential that is shown and not right ends it there: it never falls through to another one.
 */
export function authenticate(house: House): Authenticate {
  const known = lookups(house);
  const shopper = personTokens(house, known);

  const byKey = async (key: string): Promise<Actor | null> => {
    const row = await known.key(sha256(key));
    if (!row) return null;
    return {
      id: `key:${row.id}`,
      permissions: new Set(row.permissions),
      scope: row.merchants ? { kind: "merchants", merchants: row.merchants } : { kind: "all" },
      ...(row.sourceId && row.sourceKind
        ? { source: { id: row.sourceId, kind: row.sourceKind } }
        : {}),
    };
  };
  const byToken = async (token: string): Promise<Actor | null> => {
    const who = await shopper(token);
    if (!who) return null;
    // A page's key of tokens speaks of the shop's numbers, where the page shares them.
    const { space } = await collect.knownSource(house, { id: who.sourceId, kind: "server" });
    const person = await people.byIdentifier(house, house.sql, "user_id", who.userId, space);
    if (!person) return null;
    return {
      id: `person:${person.personId}`,
      permissions: new Set(["person"]),
      scope: { kind: "person", person },
    };
  };
  const bySession = async (token: string): Promise<Actor | null> => {
    const at = house.clocks.machine();
    const hash = sha256(token);
    const begun = after(at, -lives.sessionMs);
    const used = after(at, -lives.sessionIdleMs);
    const [row] = await store.session(house.sql, hash, begun, used);
    if (!row) return null;
    if (row.seenAt <= after(at, -lives.markMs)) await store.markSeen(house.sql, hash, at);
    return {
      id: `operator:${row.id}`,
      permissions: permissionsOf(row.role),
      scope: await scopeOf(house.sql, row),
    };
  };
  const byHeader = (header: string): Promise<Actor | null> | null => {
    const [, scheme = "", shown = ""] = /^(\w+) +(\S+)$/.exec(header) ?? [];
    if (/^bearer$/i.test(scheme)) return shown.startsWith("lk_") ? byKey(shown) : byToken(shown);
    if (!/^basic$/i.test(scheme)) return null;
    const [user = ""] = Buffer.from(shown, "base64").toString().split(":");
    return user.startsWith("lk_") ? byKey(user) : null;
  };

  return async (request) => {
    const header = request.headers.get("authorization");
    const token = header === null ? cookieOf(request, "session", house.settings) : null;
    if (header === null && token === null) return ok(nobody);
    if (token !== null && !mayUseCookie(request, house.settings)) return fail("request.cross_site");
    const actor = await (header === null ? bySession(token!) : byHeader(header));
    return actor ? ok(actor) : fail("request.unauthenticated");
  };
}
const nobody: Actor = { id: "anonymous", permissions: new Set(), scope: { kind: "all" } };

/** Takes away what nobody can use any more. */
export const sweep = (house: House): Promise<void> => {
  const at = house.clocks.machine();
  return store.sweep(house.sql, at, after(at, -lives.sessionMs), after(at, -lives.sessionIdleMs));
};
