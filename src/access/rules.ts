// Everybody sees and does what their role is for, and nobody can give away more than they hold.
// No clock, no database, no I/O: the server, the console and the tests read this same table.
import { fail, ok, type Result } from "#kernel/result.ts";

export const roles = ["owner", "operator", "analyst", "agent", "merchant", "auditor"] as const;
export type Role = (typeof roles)[number];
export type ScopeKind = "all" | "merchants" | "cases";

/** Everything that can be permitted. What is not in this list, no endpoint can ask for. */
export const permissions = [
  "today:read",
  "members:read",
  "members:find",
  "members:merge",
  "members:erase",
  "lifecycle:read",
  "retention:read",
  "trace:read",
  "segments:read",
  "segments:write",
  "traits:read",
  "traits:write",
  "tags:write",
  "programmes:read",
  "programmes:run",
  "messages:read",
  "messages:send",
  "offers:read",
  "offers:write",
  "catalog:read",
  "forms:read",
  "forms:write",
  "events:write",
  "imports:write",
  "exports:read",
  "operators:read",
  "operators:write",
  "keys:read",
  "keys:write",
  "webhooks:read",
  "webhooks:write",
  "feed:read",
  "audit:read",
  "house:read",
  "house:write",
] as const;
export type Permitted = (typeof permissions)[number];

/** What comes with being signed in, whatever the role: one's own session. No key can hold it. */
export const ownSession = "session:own";

const reading = [
  "today:read",
  "members:read",
  "lifecycle:read",
  "retention:read",
  "trace:read",
  "segments:read",
  "traits:read",
  "programmes:read",
  "messages:read",
  "offers:read",
  "catalog:read",
  "forms:read",
  "house:read",
] as const satisfies Permitted[];

/** What each role is for. An agent sees the people given to them, a merchant their own goods: that is the scope. */
export const table: Record<Role, { scope: ScopeKind; permissions: readonly Permitted[] }> = {
  owner: { scope: "all", permissions },
  operator: {
    scope: "all",
    permissions: [
      ...reading,
      "members:find",
      "members:merge",
      "segments:write",
      "traits:write",
      "tags:write",
      "programmes:run",
      "messages:send",
      "offers:write",
      "forms:write",
      "imports:write",
      "exports:read",
    ],
  },
  analyst: { scope: "all", permissions: [...reading, "exports:read"] },
  agent: {
    scope: "cases",
    permissions: ["members:read", "trace:read", "messages:read", "house:read"],
  },
  merchant: { scope: "merchants", permissions: ["catalog:read", "offers:read", "house:read"] },
  auditor: {
    scope: "all",
    permissions: ["audit:read", "operators:read", "keys:read", "webhooks:read", "house:read"],
  },
};

export const permissionsOf = (role: Role): ReadonlySet<string> =>
  new Set<string>([...table[role].permissions, ownSession]);

/** May somebody who holds `held` give this away, or manage somebody who has it? */
export const covers = (held: ReadonlySet<string>, asked: Iterable<string>): boolean =>
  [...asked].every((permission) => held.has(permission) && permission !== ownSession);
export const coversRole = (held: ReadonlySet<string>, role: Role): boolean =>
  covers(held, table[role].permissions);

/** One address, however it is typed: it is compared by its blind index. */
export const sameEmail = (text: string): string => text.trim().normalize("NFKC").toLowerCase();

/** Length is what helps against guessing and is checked by the endpoint; this is the one thing that it cannot see. */
export const fitPassword = (
  password: string,
  email: string,
): Result<null, "access.password_is_email"> =>
  sameEmail(password) === sameEmail(email) ? fail("access.password_is_email") : ok(null);

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
/** How long things live on the machine's clock, in ms. */
export const lives = {
  /** A session nobody uses; `idleMarkMs` is how exactly its last use is known. */
  sessionIdleMs: 12 * hour,
  sessionMs: 7 * day,
  markMs: minute,
  invitationMs: 7 * day,
  resetMs: hour,
  setupMs: 15 * minute,
  /** A person token, from `iat` to `exp`, and what clocks may differ. */
  personTokenMs: hour,
  leewayMs: 30_000,
};

/** How many tries one key has within a window, before it waits for the window's end. */
export type Brake = { tries: number; windowMs: number };
export const brakes = {
  /** One remote address, whatever it tries: no key of these is taken from a body alone. */
  remote: { tries: 50, windowMs: 15 * minute },
  /** One account from one remote address. */
  pair: { tries: 10, windowMs: 15 * minute },
  /**
   * One account from everywhere. It would let anybody lock a colleague out, so whoever asks from an address where
   * that account has a session is not held by it.
   */
  account: { tries: 100, windowMs: hour },
  /** Links and tokens shown from one remote address. */
  link: { tries: 30, windowMs: 15 * minute },
} satisfies Record<string, Brake>;

/**
 * Who "one remote address" is: an IPv4 address, or the /64 of an IPv6 one, since a household has all of those.
 * An IPv4 address mapped into IPv6 is the same as the plain one.
 */
export function neighbourhood(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, "").replace(/%.*$/, "");
  if (!plain.includes(":")) return plain;
  const [head = "", tail] = plain.split("::");
  const left = head.split(":").filter(Boolean);
  const right = (tail ?? "").split(":").filter(Boolean);
  const gap = tail === undefined ? 0 : Math.max(8 - left.length - right.length, 0);
  const groups = [...left, ...Array.from({ length: gap }, () => "0"), ...right];
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":");
}

const zhMail = (link: string) =>
  `有人申请重设你的留客密码。一小时内点开下面的链接，设置新密码：\n\n${link}\n\n如果不是你本人申请，请忽略这封邮件，你的密码不会改变。\n`;
const enMail = (link: string) =>
  `Somebody asked to reset your Liuke password. To set a new one, open this link within an hour:\n\n${link}\n\nIf it was not you, do nothing: your password stays as it is.\n`;
/** In the operator's language; in both where none was chosen. */
export const resetMail = (
  language: "zh" | "en" | null,
  link: string,
): { subject: string; text: string } => {
  if (language === "zh") return { subject: "重设留客密码", text: zhMail(link) };
  if (language === "en") return { subject: "Reset your Liuke password", text: enMail(link) };
  return {
    subject: "重设留客密码 / Reset your Liuke password",
    text: `${zhMail(link)}\n${enMail(link)}`,
  };
};
