import { z } from "zod";
import { endpoint } from "#kernel/endpoint.ts";
import { isConsentKind } from "./rules.ts";

const purpose = z.enum(["marketing", "service"]);
const channel = z.enum(["inapp", "email"]);
/** What can be agreed to: messages by a channel, or a use of what we know. */
const consentPurpose = z.enum(["marketing", "service", "social", "sensitive"]);
const consentChannel = z.enum(["inapp", "email", "use"]);
const oneKind = (asked: { purpose: string; channel: string }) => isConsentKind(asked);
const language = z.enum(["zh", "en"]);
const sentence = z.object({ zh: z.string(), en: z.string() });
const text = z.strictObject({
  subject: z.string().trim().min(1).max(200),
  body: z.string().trim().min(1).max(10_000),
});
/** A code or an id that says where a proof lies. Free text would be a direct personal field. */
const proof = z.string().regex(/^[a-z0-9_.:/-]{1,120}$/i);
const version = z.string().regex(/^[a-z0-9_.-]{1,40}$/i);

export const inbox = endpoint({
  method: "GET",
  path: "/v1/me/inbox",
  permission: "person",
  summary: { zh: "我的消息", en: "My inbox" },
  input: z.strictObject({}),
  output: z.object({
    unread: z.int(),
    messages: z.array(
      z.object({
        id: z.uuid(),
        at: z.iso.datetime(),
        language,
        subject: z.string(),
        text: z.string(),
        readAt: z.iso.datetime().nullable(),
      }),
    ),
  }),
  failures: ["request.forbidden"],
});

export const read = endpoint({
  method: "POST",
  path: "/v1/me/inbox/:message/read",
  permission: "person",
  summary: { zh: "标为已读", en: "Mark a message as read" },
  input: z.strictObject({ message: z.uuid() }),
  output: z.object({ readAt: z.iso.datetime() }),
  failures: ["request.forbidden", "messages.unknown"],
});

const consent = z.object({
  purpose: consentPurpose,
  channel: consentChannel,
  granted: z.boolean(),
  at: z.iso.datetime().nullable(),
  textVersion: z.string().nullable(),
});
export const preferences = endpoint({
  method: "GET",
  path: "/v1/me/preferences",
  permission: "person",
  summary: { zh: "我同意接收哪些消息", en: "Which messages I agreed to" },
  input: z.strictObject({}),
  output: z.object({
    language,
    consents: z.array(consent.extend({ text: sentence })),
    /** The version of the sentences above: send it back with what was chosen. */
    textVersion: z.string(),
  }),
  failures: ["request.forbidden"],
});

export const prefer = endpoint({
  method: "POST",
  path: "/v1/me/preferences",
  permission: "person",
  summary: { zh: "更改我同意接收的消息", en: "Change which messages I agree to" },
  input: z.strictObject({
    textVersion: version,
    choices: z
      .array(
        z
          .strictObject({
            purpose: consentPurpose,
            channel: consentChannel,
            granted: z.boolean(),
          })
          .refine(oneKind, { path: ["channel"] }),
      )
      .min(1)
      .max(8),
  }),
  output: z.object({ changed: z.int() }),
  failures: ["request.forbidden"],
});

export const record = endpoint({
  method: "POST",
  path: "/v1/members/:person/consents",
  permission: "events:write",
  summary: {
    zh: "记录会员在商店里作出的同意或撤回（仅限商店服务器调用）",
    en: "Record what a member agreed to in the shop; for the shop's own server",
  },
  input: z
    .strictObject({
      person: z.uuid(),
      purpose: consentPurpose,
      channel: consentChannel,
      granted: z.boolean(),
      textVersion: version,
      at: z.iso.datetime(),
      proof,
    })
    .refine(oneKind, { path: ["channel"] }),
  output: z.object({ recorded: z.boolean() }),
  failures: ["people.unknown", "messages.server_only", "messages.consent_future"],
});

export const ofMember = endpoint({
  method: "GET",
  path: "/v1/members/:person/messages",
  permission: "members:read",
  scopes: ["cases"],
  summary: {
    zh: "给一位会员的消息：发了什么，为什么没发",
    en: "A member's messages: what was sent, and why others were not",
  },
  input: z.strictObject({ person: z.uuid() }),
  output: z.object({
    messages: z.array(
      z.object({
        id: z.uuid(),
        at: z.iso.datetime(),
        purpose,
        template: z.string(),
        version: z.int(),
        subject: sentence,
        /** "waiting": until quiet hours end. "suppressed": never goes, `reason` says why. */
        verdict: z.enum(["queued", "waiting", "suppressed"]),
        reason: z.object({ code: z.string(), zh: z.string(), en: z.string() }).nullable(),
        dueAt: z.iso.datetime(),
        releasedAt: z.iso.datetime().nullable(),
        cause: z.string(),
        deliveries: z.array(
          z.object({
            channel,
            state: z.enum(["ready", "sending", "sent", "preview", "failed", "suppressed"]),
            attempts: z.int(),
            reason: z.object({ code: z.string(), zh: z.string(), en: z.string() }).nullable(),
            sentAt: z.iso.datetime().nullable(),
            readAt: z.iso.datetime().nullable(),
          }),
        ),
      }),
    ),
    /** Of these they have had more in the last 7 or 30 days than one member gets, as when several became one. */
    excess: z.array(
      z.object({
        purpose,
        days: z.union([z.literal(7), z.literal(30)]),
        sent: z.int(),
        most: z.int(),
      }),
    ),
    consents: z.array(consent.extend({ proof: z.string().nullable(), madeUp: z.boolean() })),
  }),
  failures: ["people.unknown", "request.forbidden"],
});

export const preview = endpoint({
  method: "GET",
  path: "/v1/messages/preview",
  permission: "messages:read",
  summary: {
    zh: "预览箱：没有真正寄出的邮件",
    en: "The preview outbox: mails that did not really leave",
  },
  input: z.strictObject({ limit: z.coerce.number().int().min(1).max(100).default(50) }),
  output: z.object({
    total: z.int(),
    messages: z.array(
      z.object({
        id: z.uuid(),
        person: z.uuid(),
        at: z.iso.datetime(),
        /** Why it waits here: no SMTP server is set, or the address is made up. */
        reason: z.object({ code: z.string(), zh: z.string(), en: z.string() }).nullable(),
        language,
        subject: z.string(),
        text: z.string(),
        html: z.string(),
      }),
    ),
  }),
  failures: [],
});

export const templates = endpoint({
  method: "GET",
  path: "/v1/messages/templates",
  permission: "messages:read",
  summary: { zh: "消息模板", en: "Message templates" },
  input: z.strictObject({}),
  output: z.object({
    templates: z.array(
      z.object({
        key: z.string(),
        version: z.int(),
        purpose,
        zh: text,
        en: text,
        at: z.iso.datetime(),
      }),
    ),
    placeholders: z.array(z.object({ name: z.string(), zh: z.string(), en: z.string() })),
  }),
  failures: [],
});

export const defineTemplate = endpoint({
  method: "POST",
  path: "/v1/messages/templates",
  permission: "messages:send",
  summary: { zh: "保存模板的新版本", en: "Save a new version of a template" },
  input: z.strictObject({
    key: z.string().regex(/^[a-z][a-z0-9-]{0,39}$/),
    purpose,
    zh: text,
    en: text,
  }),
  output: z.object({ key: z.string(), version: z.int() }),
  failures: ["messages.placeholder"],
});

const clock = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/);
const settings = z.strictObject({
  /** Messages per person and purpose in any 7 and any 30 days. */
  limits: z.strictObject({
    marketing: z.strictObject({ week: z.int().min(0).max(50), month: z.int().min(0).max(200) }),
    service: z.strictObject({ week: z.int().min(0).max(50), month: z.int().min(0).max(200) }),
  }),
  /** The shop's wall clock; both the same: no quiet hours. */
  quietFrom: clock,
  quietUntil: clock,
});
export const readSettings = endpoint({
  method: "GET",
  path: "/v1/messages/settings",
  permission: "messages:read",
  summary: { zh: "频率上限与免打扰时段", en: "Frequency cap and quiet hours" },
  input: z.strictObject({}),
  output: settings.extend({ timeZone: z.string(), smtp: z.boolean() }),
  failures: [],
});
export const writeSettings = endpoint({
  method: "PUT",
  path: "/v1/messages/settings",
  permission: "messages:send",
  summary: { zh: "更改频率上限与免打扰时段", en: "Change the frequency cap and quiet hours" },
  input: settings,
  output: settings,
  failures: [],
});

export const unsubscribePage = endpoint({
  method: "GET",
  path: "/u/:token",
  permission: "public",
  summary: { zh: "退订页面", en: "The page to unsubscribe on" },
  input: z.object({ token: z.string().max(200) }),
  output: z.unknown(),
  failures: ["request.unknown"],
});
export const unsubscribe = endpoint({
  method: "POST",
  path: "/u/:token",
  permission: "public",
  summary: { zh: "一键退订（RFC 8058）", en: "One-click unsubscribe (RFC 8058)" },
  input: z.object({ token: z.string().max(200) }),
  output: z.unknown(),
  failures: ["request.unknown"],
});
