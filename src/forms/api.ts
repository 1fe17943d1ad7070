import { z } from "zod";
import { endpoint } from "#kernel/endpoint.ts";
import {
  againDaysUsual,
  bodyLimitBytes,
  consentsLimit,
  fieldsLimit,
  fieldTypes,
  wrongs,
} from "./rules.ts";

const words = (longest: number) =>
  z.strictObject({
    zh: z.string().trim().min(1).max(longest),
    en: z.string().trim().min(1).max(longest),
  });
const slug = z.string().regex(/^[a-z][a-z0-9-]{1,39}$/);
const name = z.string().regex(/^[a-z][a-z0-9_]{0,39}$/);
const definition = z.strictObject({
  title: words(100),
  intro: words(1000),
  thanks: words(500),
  perStep: z.int().min(1).max(20),
  /** What was left blank is asked again after so many days. */
  againDays: z.int().min(1).max(3650).default(againDaysUsual),
  fields: z
    .array(
      z.strictObject({
        name,
        type: z.enum(fieldTypes),
        label: words(100),
        required: z.boolean().default(false),
        sensitive: z.boolean().default(false),
        options: z
          .array(z.strictObject({ value: z.string().trim().min(1).max(60), label: words(60) }))
          .max(50)
          .default([]),
      }),
    )
    .min(1)
    .max(fieldsLimit),
  consents: z
    .array(
      z.strictObject({
        purpose: z.enum(["marketing", "service", "social", "sensitive"]),
        channel: z.enum(["inapp", "email", "use"]),
        text: words(500),
      }),
    )
    .max(consentsLimit),
  doubleOptIn: z.boolean().default(true),
});
const state = z.enum(["draft", "live", "closed"]);
const form = z.strictObject({ form: z.uuid() });

export const list = endpoint({
  method: "GET",
  path: "/v1/forms",
  permission: "forms:read",
  summary: { zh: "登记表单列表", en: "Registration forms" },
  input: z.strictObject({}),
  output: z.object({
    forms: z.array(
      z.object({
        id: z.uuid(),
        slug,
        state,
        version: z.int(),
        title: words(100),
        submissions: z.int(),
        people: z.int(),
        lastAt: z.iso.datetime().nullable(),
      }),
    ),
  }),
  failures: [],
});
export const one = endpoint({
  method: "GET",
  path: "/v1/forms/:form",
  permission: "forms:read",
  summary: { zh: "一张登记表单及各题回答率", en: "One form, and how many answered each question" },
  input: form,
  output: z.object({
    id: z.uuid(),
    slug,
    state,
    version: z.int(),
    origins: z.array(z.string()),
    definition,
    submissions: z.int(),
    /** How often each question was shown with what was sent, and how often it was answered. */
    fields: z.array(z.object({ name: z.string(), asked: z.int(), filled: z.int() })),
  }),
  failures: ["forms.unknown"],
});
export const define = endpoint({
  method: "POST",
  path: "/v1/forms",
  permission: "forms:write",
  summary: { zh: "新建登记表单", en: "Make a registration form" },
  input: z.strictObject({ slug, definition }),
  output: z.object({ id: z.uuid(), version: z.int() }),
  failures: ["forms.taken", "forms.unfit"],
});
export const change = endpoint({
  method: "PUT",
  path: "/v1/forms/:form",
  permission: "forms:write",
  summary: { zh: "保存表单的新版本", en: "Save a new version of a form" },
  input: form.extend({ definition }),
  output: z.object({ version: z.int() }),
  failures: ["forms.unknown", "forms.unfit"],
});
export const publish = endpoint({
  method: "POST",
  path: "/v1/forms/:form/state",
  permission: "forms:write",
  summary: {
    zh: "发布或停止表单，设置可嵌入的网站",
    en: "Publish or close a form, and say which sites may show it",
  },
  input: form.extend({
    state,
    origins: z
      .array(z.string().regex(/^https?:\/\/[a-z0-9.-]{1,200}(:\d{1,5})?$/))
      .max(20)
      .default([]),
  }),
  output: z.object({}),
  failures: ["forms.unknown"],
});

// ── for whoever answers ────────────────────────────────────────────────────────────────────────────────────────────

const whoever = {
  /** As the last answer gave it. */
  visitor: z.string().max(100).optional(),
  personToken: z.string().max(4000).optional(),
};
export const nextBody = z.strictObject(whoever);
const shown = z.object({
  form: z.string(),
  version: z.int(),
  title: words(100),
  intro: words(1000),
  fields: z.array(z.unknown()),
  consents: z.array(z.unknown()),
  complete: z.boolean(),
  visitor: z.string().nullable(),
  /** Goes along with the answers: sent twice, they are taken once. */
  sending: z.uuid(),
});
/** Read as JSON whatever the content type says: a widget on another site sends text/plain, which asks for no leave first. */
export const next = endpoint({
  method: "POST",
  path: "/v1/forms/:form/next",
  permission: "public",
  summary: { zh: "接下来要问的几题", en: "The questions that come next" },
  input: z.strictObject({ form: slug, ...whoever }),
  output: shown,
  failures: [
    "request.invalid",
    "request.unauthenticated",
    "request.too_large",
    "forms.unknown",
    "forms.closed",
    "forms.origin",
  ],
});
export const answersBody = z.strictObject({
  ...whoever,
  /** What is too long, or of no question of the form, is named in the answer's `wrong`. */
  answers: z.record(z.string().max(40), z.string().max(bodyLimitBytes)),
  consents: z.array(z.string().max(40)).max(consentsLimit).default([]),
  language: z.enum(["zh", "en"]).optional(),
  /** As `next` gave them: which sending this is, and which version of the form its words were. */
  sending: z.uuid().optional(),
  version: z.int().min(1).max(1_000_000).optional(),
});
/** The same of the hosted page; one that says nothing of it, or nonsense, is taken as it is. */
export const pageSaid = z.object({
  sending: z.uuid().optional().catch(undefined),
  version: z.coerce.number().int().min(1).max(1_000_000).optional().catch(undefined),
});
export const answers = endpoint({
  method: "POST",
  path: "/v1/forms/:form/answers",
  permission: "public",
  summary: { zh: "提交表单", en: "Send answers" },
  input: z.strictObject({ form: slug, ...answersBody.partial().shape }),
  output: z.object({
    thanks: words(500).nullable(),
    visitor: z.string().nullable(),
    more: z.boolean(),
    /** What is to be mended, by question; empty where it was taken. */
    wrong: z.record(z.string(), z.enum(wrongs)),
  }),
  failures: [
    "request.invalid",
    "request.unauthenticated",
    "request.too_large",
    "request.too_many",
    "forms.unknown",
    "forms.closed",
    "forms.origin",
  ],
});

const page = <I extends z.ZodType>(
  method: "GET" | "POST",
  path: string,
  zh: string,
  en: string,
  of: I,
) =>
  endpoint({
    method,
    path,
    permission: "public",
    summary: { zh, en },
    input: of,
    output: z.unknown(),
    failures: ["request.unknown", "request.too_many", "request.too_large"],
  });
const language = z.enum(["zh", "en"]).optional();
export const hosted = page(
  "GET",
  "/f/:form",
  "登记表单页面",
  "The page of a form",
  z.object({ form: z.string().max(40), lang: language, visitor: z.string().max(100).optional() }),
);
export const hostedAnswers = page(
  "POST",
  "/f/:form",
  "提交登记表单页面",
  "Send the page of a form",
  z.object({ form: z.string().max(40), lang: language }),
);
const token = z.object({ token: z.string().max(100) });
export const confirmPage = page(
  "GET",
  "/f/confirm/:token",
  "确认邮箱页面",
  "The page to confirm on",
  token,
);
export const confirm = page("POST", "/f/confirm/:token", "确认邮箱", "Confirm an address", token);
