import { z } from "zod";
import { endpoint } from "#kernel/endpoint.ts";

/** A date inside, ISO text in JSON. */
const instant = z.codec(z.iso.datetime(), z.date(), {
  decode: (text) => new Date(text),
  encode: (at) => at.toISOString(),
});
const role = z.enum(["owner", "operator", "analyst", "agent", "merchant", "auditor"]);
const language = z.enum(["zh", "en"]).nullable();
const email = z.email().max(254);
const name = z.string().trim().min(1).max(100);
/** No rules of composition: length is what helps. */
const password = z.string().min(12).max(200);
/** What stands after # in a link, or in one of our keys. */
const secret = z.string().min(1).max(200);
/** Which merchants somebody may see: for the role merchant, and for keys. */
const merchants = z.array(z.string().trim().min(1).max(200)).max(500);
const none = z.object({});
/** Every signed-in operator holds it, whatever the role; no key can. */
const own = "session:own";
const everyScope = ["merchants", "cases"] as const;

// ── session ────────────────────────────────────────────────────────────────────────────────────────────────────────

const self = z.object({
  id: z.uuid(),
  name: z.string(),
  email: z.string(),
  role,
  permissions: z.array(z.string()),
  /** Absent lists: everything. */
  scope: z.object({
    kind: z.enum(["all", "merchants", "cases"]),
    merchants: z.array(z.string()).optional(),
    people: z.array(z.uuid()).optional(),
  }),
  language,
});

export const whoAmI = endpoint({
  method: "GET",
  path: "/v1/session",
  permission: own,
  scopes: everyScope,
  summary: { zh: "当前登录的是谁", en: "Who is signed in" },
  input: z.strictObject({}),
  output: self,
  failures: ["request.unauthenticated"],
});

export const signIn = endpoint({
  method: "POST",
  path: "/v1/session",
  permission: "public",
  summary: { zh: "登录", en: "Sign in" },
  // The length of a password is not checked here: whatever is wrong, the answer is the same.
  input: z.strictObject({
    email: z.string().min(1).max(254),
    password: z.string().min(1).max(200),
  }),
  output: self,
  failures: ["access.wrong_sign_in", "request.too_many", "request.cross_site"],
});

export const signOut = endpoint({
  method: "DELETE",
  path: "/v1/session",
  permission: own,
  scopes: everyScope,
  summary: { zh: "退出登录", en: "Sign out" },
  input: z.strictObject({}),
  output: none,
  failures: [],
});

export const setLanguage = endpoint({
  method: "PATCH",
  path: "/v1/session",
  permission: own,
  scopes: everyScope,
  summary: { zh: "设置界面语言", en: "Choose the console's language" },
  input: z.strictObject({ language }),
  output: none,
  failures: ["request.unauthenticated"],
});

export const changePassword = endpoint({
  method: "POST",
  path: "/v1/session/password",
  permission: own,
  scopes: everyScope,
  summary: {
    zh: "修改密码，其他设备全部退出登录",
    en: "Change the password; every other device is signed out",
  },
  input: z.strictObject({ current: z.string().min(1).max(200), next: password }),
  output: none,
  failures: [
    "access.wrong_password",
    "access.password_is_email",
    "request.too_many",
    "request.unauthenticated",
  ],
});

// ── reset ──────────────────────────────────────────────────────────────────────────────────────────────────────────

export const requestReset = endpoint({
  method: "POST",
  path: "/v1/password-resets",
  permission: "public",
  summary: {
    zh: "忘记密码：申请重设链接（无论邮箱是否存在，回答都一样）",
    en: "Forgot the password: ask for a link. The answer is the same whether or not the address is known",
  },
  input: z.strictObject({ email }),
  output: none,
  failures: ["request.too_many", "request.cross_site"],
});

export const completeReset = endpoint({
  method: "POST",
  path: "/v1/password-resets/complete",
  permission: "public",
  summary: {
    zh: "用链接重设密码，所有设备退出登录",
    en: "Set a new password with the link; every device is signed out",
  },
  input: z.strictObject({ token: secret, password }),
  output: none,
  failures: [
    "access.link_dead",
    "access.password_is_email",
    "request.too_many",
    "request.cross_site",
  ],
});

// ── first owner ────────────────────────────────────────────────────────────────────────────────────────────────────

export const exchangeSetup = endpoint({
  method: "POST",
  path: "/v1/setup/exchange",
  permission: "public",
  summary: {
    zh: "用终端里打印的链接开始设置所有者（链接只能用一次）",
    en: "Begin as owner with the link from the terminal, which works once",
  },
  input: z.strictObject({ token: secret }),
  output: none,
  failures: ["access.link_dead", "request.too_many", "request.cross_site"],
});

export const completeSetup = endpoint({
  method: "POST",
  path: "/v1/setup/complete",
  permission: "public",
  summary: {
    zh: "设置所有者的姓名、邮箱和密码，并登录",
    en: "Set the owner's name, e-mail and password, and sign in",
  },
  input: z.strictObject({ name, email, password, language: language.default(null) }),
  output: self,
  failures: [
    "access.link_dead",
    "access.password_is_email",
    "request.too_many",
    "request.cross_site",
  ],
});

// ── invitations ────────────────────────────────────────────────────────────────────────────────────────────────────

export const listInvitations = endpoint({
  method: "GET",
  path: "/v1/invitations",
  permission: "operators:read",
  summary: { zh: "尚未接受的邀请", en: "Invitations that are still open" },
  input: z.strictObject({}),
  output: z.object({
    invitations: z.array(
      z.object({
        id: z.uuid(),
        email: z.string(),
        role,
        merchants,
        createdAt: instant,
        expiresAt: instant,
      }),
    ),
  }),
  failures: [],
});

export const invite = endpoint({
  method: "POST",
  path: "/v1/invitations",
  permission: "operators:write",
  summary: {
    zh: "邀请同事，链接只显示一次，7 天内有效",
    en: "Invite a colleague. The link is shown once and works for 7 days",
  },
  input: z.strictObject({ email, role, merchants: merchants.default([]) }),
  output: z.object({ id: z.uuid(), link: z.string(), expiresAt: instant }),
  failures: ["access.email_taken", "access.beyond_own"],
  secret: true,
});

export const revokeInvitation = endpoint({
  method: "DELETE",
  path: "/v1/invitations/:invitation",
  permission: "operators:write",
  summary: { zh: "撤回邀请", en: "Take an invitation back" },
  input: z.strictObject({ invitation: z.uuid() }),
  output: none,
  failures: ["access.invitation_unknown"],
});

export const readInvitation = endpoint({
  method: "POST",
  path: "/v1/invitations/read",
  permission: "public",
  summary: {
    zh: "邀请发给谁、什么角色（凭链接查看）",
    en: "Whom an invitation is for, and as what, shown to whoever has its link",
  },
  input: z.strictObject({ token: secret }),
  output: z.object({ email: z.string(), role }),
  failures: ["access.link_dead", "request.too_many", "request.cross_site"],
});

export const acceptInvitation = endpoint({
  method: "POST",
  path: "/v1/invitations/accept",
  permission: "public",
  summary: {
    zh: "接受邀请：填写姓名、设置密码，并登录",
    en: "Accept an invitation: give a name, set a password, and be signed in",
  },
  input: z.strictObject({ token: secret, name, password, language: language.default(null) }),
  output: self,
  failures: [
    "access.link_dead",
    "access.password_is_email",
    "request.too_many",
    "request.cross_site",
  ],
});

// ── operators ──────────────────────────────────────────────────────────────────────────────────────────────────────

export const listRoles = endpoint({
  method: "GET",
  path: "/v1/roles",
  permission: "operators:read",
  summary: { zh: "每个角色能做什么", en: "What each role may do" },
  input: z.strictObject({}),
  output: z.object({
    roles: z.array(
      z.object({
        role,
        scope: z.enum(["all", "merchants", "cases"]),
        permissions: z.array(z.string()),
      }),
    ),
  }),
  failures: [],
});

export const listOperators = endpoint({
  method: "GET",
  path: "/v1/operators",
  permission: "operators:read",
  summary: { zh: "同事和他们的角色", en: "Colleagues and their roles" },
  input: z.strictObject({}),
  output: z.object({
    operators: z.array(
      z.object({
        id: z.uuid(),
        name: z.string(),
        email: z.string(),
        role,
        merchants,
        /** How many people are given to an agent. */
        cases: z.int(),
        createdAt: instant,
        signedInAt: instant.nullable(),
        disabledAt: instant.nullable(),
        /** Asked for a reset and waits for somebody to make the link, as no mail can be sent. */
        resetAskedAt: instant.nullable(),
      }),
    ),
  }),
  failures: [],
});

const operator = z.strictObject({ operator: z.uuid() });

export const changeRole = endpoint({
  method: "PATCH",
  path: "/v1/operators/:operator",
  permission: "operators:write",
  summary: {
    zh: "更改角色，或角色“商家”能看到的商家",
    en: "Change a role, or which merchants the role merchant sees",
  },
  input: z.strictObject({
    operator: z.uuid(),
    role: role.optional(),
    merchants: merchants.optional(),
  }),
  output: none,
  failures: ["access.operator_unknown", "access.last_owner", "access.beyond_own"],
});

export const disableOperator = endpoint({
  method: "POST",
  path: "/v1/operators/:operator/disable",
  permission: "operators:write",
  summary: {
    zh: "停用账号，所有设备立即退出登录",
    en: "Disable an account; it is signed out everywhere at once",
  },
  input: operator,
  output: none,
  failures: ["access.operator_unknown", "access.last_owner", "access.beyond_own"],
});

export const enableOperator = endpoint({
  method: "POST",
  path: "/v1/operators/:operator/enable",
  permission: "operators:write",
  summary: { zh: "恢复已停用的账号", en: "Enable an account again" },
  input: operator,
  output: none,
  failures: ["access.operator_unknown", "access.beyond_own"],
});

export const makeResetLink = endpoint({
  method: "POST",
  path: "/v1/operators/:operator/reset-link",
  permission: "operators:write",
  summary: {
    zh: "为同事生成重设密码链接，只显示一次，1 小时内有效",
    en: "Make a colleague's password reset link. It is shown once and works for 1 hour",
  },
  input: operator,
  output: z.object({ link: z.string(), expiresAt: instant }),
  failures: ["access.operator_unknown", "access.beyond_own"],
  secret: true,
});

export const listCases = endpoint({
  method: "GET",
  path: "/v1/operators/:operator/cases",
  permission: "operators:read",
  summary: { zh: "分配给客服的用户", en: "The people given to an agent" },
  input: operator,
  output: z.object({ people: z.array(z.object({ person: z.uuid(), at: instant })) }),
  failures: ["access.operator_unknown"],
});

const oneCase = z.strictObject({ operator: z.uuid(), person: z.uuid() });

export const assignCase = endpoint({
  method: "PUT",
  path: "/v1/operators/:operator/cases/:person",
  permission: "operators:write",
  summary: { zh: "把一位用户分配给客服", en: "Give a person to an agent" },
  input: oneCase,
  output: none,
  failures: ["access.operator_unknown", "people.unknown"],
});

export const unassignCase = endpoint({
  method: "DELETE",
  path: "/v1/operators/:operator/cases/:person",
  permission: "operators:write",
  summary: { zh: "取消分配", en: "Take a person back from an agent" },
  input: oneCase,
  output: none,
  failures: ["access.operator_unknown"],
});

// ── API keys ───────────────────────────────────────────────────────────────────────────────────────────────────────

export const listKeys = endpoint({
  method: "GET",
  path: "/v1/keys",
  permission: "keys:read",
  summary: { zh: "API 密钥", en: "API keys" },
  input: z.strictObject({}),
  output: z.object({
    keys: z.array(
      z.object({
        id: z.uuid(),
        name: z.string(),
        /** Its first characters, to tell one from another. */
        prefix: z.string(),
        permissions: z.array(z.string()),
        source: z.uuid().nullable(),
        merchants: merchants.nullable(),
        createdAt: instant,
        expiresAt: instant.nullable(),
        revokedAt: instant.nullable(),
        /** To the minute. */
        usedAt: instant.nullable(),
      }),
    ),
  }),
  failures: [],
});

export const createKey = endpoint({
  method: "POST",
  path: "/v1/keys",
  permission: "keys:write",
  summary: {
    zh: "新建 API 密钥，内容只显示一次",
    en: "Make an API key. It is shown once",
  },
  input: z.strictObject({
    name,
    permissions: z.array(z.string().min(1).max(60)).min(1).max(60),
    source: z.uuid().nullable().default(null),
    /** null: not narrowed to merchants. */
    merchants: merchants.min(1).nullable().default(null),
    expiresAt: instant.nullable().default(null),
  }),
  output: z.object({ id: z.uuid(), key: z.string(), prefix: z.string() }),
  failures: ["access.beyond_own", "access.source_unknown", "access.public_source"],
  secret: true,
});

export const revokeKey = endpoint({
  method: "DELETE",
  path: "/v1/keys/:key",
  permission: "keys:write",
  summary: { zh: "吊销 API 密钥，立即失效", en: "Revoke an API key at once" },
  input: z.strictObject({ key: z.uuid() }),
  output: none,
  failures: ["access.key_unknown"],
});

// ── person token keys ──────────────────────────────────────────────────────────────────────────────────────────────

const algorithm = z.enum(["HS256", "EdDSA"]);

export const listPersonTokenKeys = endpoint({
  method: "GET",
  path: "/v1/person-token-keys",
  permission: "keys:read",
  summary: {
    zh: "用户令牌的签名密钥",
    en: "The keys that a shop's server signs person tokens with",
  },
  input: z.strictObject({}),
  output: z.object({
    keys: z.array(
      z.object({
        id: z.uuid(),
        source: z.uuid(),
        algorithm,
        createdAt: instant,
        revokedAt: instant.nullable(),
      }),
    ),
  }),
  failures: [],
});

export const createPersonTokenKey = endpoint({
  method: "POST",
  path: "/v1/person-token-keys",
  permission: "keys:write",
  summary: {
    zh: "新建用户令牌密钥：HS256 的密钥由我们生成并只显示一次；EdDSA 请提供公钥",
    en: "Make a person token key. For HS256 the secret is made here and shown once; for EdDSA bring the public key",
  },
  input: z.strictObject({
    source: z.uuid(),
    algorithm: algorithm.default("HS256"),
    /** Ed25519, 32 bytes in base64url (a JWK's `x`); for EdDSA only. */
    publicKey: z
      .string()
      .regex(/^[\w-]{43}$/)
      .nullable()
      .default(null),
  }),
  /** `id` goes into the token's header as `kid`; `secret` is base64url of 32 bytes. */
  output: z.object({ id: z.uuid(), secret: z.string().nullable() }),
  failures: ["access.source_unknown", "access.public_key_needed"],
  secret: true,
});

export const revokePersonTokenKey = endpoint({
  method: "DELETE",
  path: "/v1/person-token-keys/:key",
  permission: "keys:write",
  summary: {
    zh: "吊销用户令牌密钥，用它签的令牌立即失效",
    en: "Revoke a person token key; tokens signed with it are dead at once",
  },
  input: z.strictObject({ key: z.uuid() }),
  output: none,
  failures: ["access.key_unknown"],
});
