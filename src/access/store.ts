// Every SQL statement that writes access, and its own reads. Personal fields come and go sealed, secrets as hashes.
import { byteList, type PersonKey, type Reader, type Tx } from "#kernel/sql.ts";
import type { Role } from "./rules.ts";

export type OperatorRow = {
  id: string;
  emailBlind: Buffer;
  email: Buffer;
  name: Buffer;
  role: Role;
  merchants: string[];
  password: string;
  language: "zh" | "en" | null;
  createdAt: Date;
  signedInAt: Date | null;
  disabledAt: Date | null;
  resetAskedAt: Date | null;
};

// ── operators ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** Whoever has this e-mail, and whether they have a session that was begun at this address. */
export const operatorByEmail = (reader: Reader, blind: Buffer, remote: Buffer) =>
  reader<(OperatorRow & { knownHere: boolean })[]>`
    select o.*, exists (
      select from access_session s where s.operator_id = o.id and s.remote = ${remote}
    ) as known_here
    from access_operator o where o.email_blind = ${blind}`;
export const operatorById = (reader: Reader, id: string) =>
  reader<OperatorRow[]>`select * from access_operator where id = ${id}`;
export const operators = (reader: Reader) =>
  reader<(OperatorRow & { cases: number })[]>`
    select o.*, (select count(*)::int from access_case c where c.operator_id = o.id) as cases
    from access_operator o order by o.created_at, o.id`;
/**
 * This operator and every owner who can sign in, locked in one order, so that of two owners who remove each other
 * the second sees what the first did.
 */
export const lockWithOwners = (tx: Tx, id: string) =>
  tx<Pick<OperatorRow, "id" | "role" | "disabledAt">[]>`
    select id, role, disabled_at from access_operator
    where id = ${id} or (role = 'owner' and disabled_at is null) order by id for update`;
export const hasOwner = async (reader: Reader): Promise<boolean> => {
  const rows = await reader`
    select from access_operator where role = 'owner' and disabled_at is null limit 1`;
  return rows.count === 1;
};

type NewOperator = Omit<OperatorRow, "signedInAt" | "disabledAt" | "resetAskedAt">;
/** False where the e-mail is somebody's already. */
export const addOperator = async (tx: Tx, row: NewOperator): Promise<boolean> =>
  (await tx`insert into access_operator ${tx(row)} on conflict (email_blind) do nothing`).count ===
  1;
export const setPassword = async (tx: Tx, id: string, password: string): Promise<void> => {
  await tx`
    update access_operator set password = ${password}, reset_asked_at = null where id = ${id}`;
};
/** False where the password is no longer the one that was looked at: somebody else changed it meanwhile. */
export const isStillPassword = async (tx: Tx, id: string, password: string): Promise<boolean> =>
  (
    await tx`
      select from access_operator
      where id = ${id} and password = ${password} and disabled_at is null for update`
  ).count === 1;
export const setName = (tx: Tx, id: string, name: Buffer) =>
  tx`update access_operator set name = ${name} where id = ${id}`;
export const setLanguage = (tx: Tx, id: string, language: string | null) =>
  tx`update access_operator set language = ${language} where id = ${id}`;
export const setRole = (tx: Tx, id: string, role: Role | null, merchants: string[] | null) => tx`
  update access_operator
  set role = coalesce(${role}, role), merchants = coalesce(${merchants}::text[], merchants)
  where id = ${id}`;
export const setDisabled = (tx: Tx, id: string, at: Date | null) =>
  tx`update access_operator set disabled_at = ${at} where id = ${id}`;
export const markSignedIn = (tx: Tx, id: string, at: Date) =>
  tx`update access_operator set signed_in_at = ${at} where id = ${id}`;
export const markResetAsked = (tx: Tx, id: string, at: Date) =>
  tx`update access_operator set reset_asked_at = ${at} where id = ${id}`;

// ── cases ──────────────────────────────────────────────────────────────────────────────────────────────────────────

export const casesOf = (reader: Reader, operatorId: string) =>
  reader<{ person: string; at: Date }[]>`
    select person_id as person, at from access_case
    where operator_id = ${operatorId} order by person_id`;
export const addCase = (tx: Tx, person: PersonKey, operatorId: string, at: Date) => tx`
  insert into access_case ${tx({ bucket: person.bucket, personId: person.personId, operatorId, at })}
  on conflict do nothing`;
export const dropCase = (tx: Tx, personId: string, operatorId: string) => tx`
  delete from access_case where operator_id = ${operatorId} and person_id = ${personId}`;
export const dropCasesOf = (tx: Tx, { bucket, personId }: PersonKey) => tx`
  delete from access_case where bucket = ${bucket} and person_id = ${personId}`;

// ── sessions ───────────────────────────────────────────────────────────────────────────────────────────────────────

export type SessionRow = Pick<OperatorRow, "id" | "role" | "merchants"> & { seenAt: Date };
/** The operator of a session that was begun after `begun` and used after `used`. */
export const session = (reader: Reader, hash: Buffer, begun: Date, used: Date) =>
  reader<SessionRow[]>`
    select o.id, o.role, o.merchants, s.seen_at
    from access_session s join access_operator o on o.id = s.operator_id
    where s.hash = ${hash} and s.created_at > ${begun} and s.seen_at > ${used}
      and o.disabled_at is null`;
export const markSeen = (reader: Reader, hash: Buffer, at: Date) =>
  reader`update access_session set seen_at = ${at} where hash = ${hash} and seen_at < ${at}`;
type NewSession = { hash: Buffer; operatorId: string; remote: Buffer; at: Date };
export const addSession = (tx: Tx, { hash, operatorId, remote, at }: NewSession) =>
  tx`insert into access_session ${tx({ hash, operatorId, remote, createdAt: at, seenAt: at })}`;
export const dropSession = (tx: Tx, hash: Buffer) =>
  tx`delete from access_session where hash = ${hash}`;
export const dropSessionsOf = (tx: Tx, operatorId: string) =>
  tx`delete from access_session where operator_id = ${operatorId}`;

// ── invitations and links ──────────────────────────────────────────────────────────────────────────────────────────

export type InvitationRow = {
  id: string;
  hash: Buffer;
  emailBlind: Buffer;
  email: Buffer;
  role: Role;
  merchants: string[];
  madeBy: string;
  createdAt: Date;
  expiresAt: Date;
};
export const invitations = (reader: Reader, at: Date) =>
  reader<InvitationRow[]>`
    select * from access_invitation where expires_at > ${at} order by created_at, id`;
export const invitation = (reader: Reader, hash: Buffer, at: Date) =>
  reader<InvitationRow[]>`
    select * from access_invitation where hash = ${hash} and expires_at > ${at}`;
export const addInvitation = (tx: Tx, row: InvitationRow) =>
  tx`insert into access_invitation ${tx(row)}`;
export const dropInvitation = async (tx: Tx, id: string): Promise<boolean> =>
  (await tx`delete from access_invitation where id = ${id}`).count === 1;
export const dropInvitationsTo = (tx: Tx, emailBlind: Buffer) =>
  tx`delete from access_invitation where email_blind = ${emailBlind}`;
export const dropInvitationsBy = (tx: Tx, actor: string) =>
  tx`delete from access_invitation where made_by = ${actor}`;

export type LinkKind = "reset" | "setup" | "setting_up";
export type LinkRow = {
  hash: Buffer;
  kind: LinkKind;
  operatorId: string | null;
  forced: boolean;
  expiresAt: Date;
};
export const addLink = (tx: Tx, row: LinkRow) => tx`insert into access_link ${tx(row)}`;
export const link = (reader: Reader, hash: Buffer, kind: LinkKind, at: Date) =>
  reader<LinkRow[]>`
    select * from access_link where hash = ${hash} and kind = ${kind} and expires_at > ${at}`;
/** Takes a link away; whoever gets its row, and nobody else, may do what it permits. */
export const takeLink = (tx: Tx, hash: Buffer, kind: LinkKind, at: Date) => tx<LinkRow[]>`
  delete from access_link where hash = ${hash} and kind = ${kind} and expires_at > ${at}
  returning *`;
export const dropResets = (tx: Tx, operatorId: string) =>
  tx`delete from access_link where operator_id = ${operatorId}`;
export const dropSetups = (tx: Tx) =>
  tx`delete from access_link where kind in ('setup', 'setting_up')`;
export const hasResetAfter = async (tx: Tx, operatorId: string, until: Date): Promise<boolean> =>
  (
    await tx`
      select from access_link where operator_id = ${operatorId} and expires_at > ${until} limit 1`
  ).count === 1;

// ── keys ───────────────────────────────────────────────────────────────────────────────────────────────────────────

export type KeyRow = {
  id: string;
  hash: Buffer;
  prefix: string;
  name: string;
  permissions: string[];
  sourceId: string | null;
  sourceKind: "server" | "public" | null;
  merchants: string[] | null;
  madeBy: string;
  createdAt: Date;
  expiresAt: Date | null;
  revokedAt: Date | null;
  usedAt: Date | null;
};
export const keys = (reader: Reader) =>
  reader<KeyRow[]>`select * from access_key order by created_at, id`;
/** Those of these that work at `at`. */
export const keysByHash = (reader: Reader, hashes: Buffer[], at: Date) =>
  reader<KeyRow[]>`
    select * from access_key
    where hash = any(${byteList(hashes)}::text[]::bytea[]) and revoked_at is null
      and (expires_at is null or expires_at > ${at})`;
export const addKey = (tx: Tx, row: Omit<KeyRow, "revokedAt" | "usedAt">) =>
  tx`insert into access_key ${tx(row)}`;
export const revokeKey = async (tx: Tx, id: string, at: Date): Promise<boolean> =>
  (await tx`update access_key set revoked_at = coalesce(revoked_at, ${at}) where id = ${id}`)
    .count === 1;
/** Written where the last mark is of `before` or earlier only, so that a busy key is not a busy row. */
export const markUsed = (reader: Reader, ids: string[], at: Date, before: Date) => reader`
  update access_key set used_at = ${at}
  where id = any(${ids}::uuid[]) and (used_at is null or used_at <= ${before})`;

export type TokenKeyRow = {
  id: string;
  sourceId: string;
  algorithm: "HS256" | "EdDSA";
  sealed: Buffer;
  madeBy: string;
  createdAt: Date;
  revokedAt: Date | null;
};
export const tokenKeys = (reader: Reader) =>
  reader<TokenKeyRow[]>`select * from access_token_key order by created_at, id`;
export const tokenKeysById = (reader: Reader, ids: string[]) =>
  reader<TokenKeyRow[]>`
    select * from access_token_key where id = any(${ids}::uuid[]) and revoked_at is null`;
export const addTokenKey = (tx: Tx, row: Omit<TokenKeyRow, "revokedAt">) =>
  tx`insert into access_token_key ${tx(row)}`;
export const revokeTokenKey = async (tx: Tx, id: string, at: Date): Promise<boolean> =>
  (await tx`update access_token_key set revoked_at = coalesce(revoked_at, ${at}) where id = ${id}`)
    .count === 1;

// ── tries ──────────────────────────────────────────────────────────────────────────────────────────────────────────

export type Try = { key: Buffer; tries: number; until: Date };
/** Counts one more try under each key and says how many that makes in its window, which ends at `until`. */
export const addTries = (reader: Reader, rows: { key: Buffer; until: Date }[], at: Date) =>
  reader<Try[]>`
    insert into access_try as t (key, tries, until)
    select key, 1, until from unnest(
      ${byteList(rows.map(({ key }) => key))}::text[]::bytea[],
      ${rows.map(({ until }) => until.toISOString())}::text[]::timestamptz[]
    ) as n(key, until) order by key
    on conflict (key) do update set
      tries = case when t.until <= ${at} then 1 else t.tries + 1 end,
      until = case when t.until <= ${at} then excluded.until else t.until end
    returning key, tries, until`;
export const forgetTries = (reader: Reader, key: Buffer) =>
  reader`delete from access_try where key = ${key}`;

/** What nobody can use any more. `begun` and `used` as for `session`. */
export async function sweep(reader: Reader, at: Date, begun: Date, used: Date): Promise<void> {
  await reader`delete from access_session where created_at <= ${begun} or seen_at <= ${used}`;
  await reader`delete from access_invitation where expires_at <= ${at}`;
  await reader`delete from access_link where expires_at <= ${at}`;
  await reader`delete from access_try where until <= ${at}`;
}
