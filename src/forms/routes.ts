import { sha256 } from "#kernel/crypto.ts";
import { fieldsOf } from "#kernel/invalid.ts";
import { answer, direct, implement, type Direct, type Route } from "#kernel/endpoint.ts";
import { languageOf } from "#kernel/http.ts";
import { parseJson } from "#kernel/json.ts";
import { fail, ok, type Result } from "#kernel/result.ts";
import * as api from "./api.ts";
import {
  closedPage,
  completePage,
  confirmPage,
  formPage,
  style,
  thanksPage,
  type Returned,
} from "./model/page.ts";
import { againDaysUsual, bodyLimitBytes, pageFields, words, type Language } from "./rules.ts";
import * as service from "./service.ts";
import * as store from "./store.ts";
import * as views from "./views.ts";

// ── for other sites ────────────────────────────────────────────────────────────────────────────────────────────────

/** The form that a page of this origin may show. Where the page is another site's, the answer may be read by it. */
async function shownTo({ house, request, header }: Direct, slug: string) {
  const form = await store.bySlug(house.sql, slug);
  if (!form || form.state === "draft") return fail("forms.unknown");
  const origin = request.headers.get("origin");
  header("vary", "origin");
  if (origin !== null && origin !== new URL(house.settings.publicUrl).origin) {
    if (!form.origins.includes(origin) && origin !== new URL(request.url).origin)
      return fail("forms.origin");
    header("access-control-allow-origin", origin);
  }
  return form.state === "live" ? ok(form) : fail("forms.closed");
}
/** The body, whatever its type says it is. The server has read it already where it says JSON. */
async function bodyOf<T>(
  { request }: Direct,
  schema: { safeParse: (value: unknown) => { success: boolean; data?: T; error?: unknown } },
  input: Record<string, unknown>,
): Promise<Result<T, "request.invalid" | "request.too_large">> {
  const read = { ...input };
  delete read["form"];
  let value: unknown = read;
  if (!(request.headers.get("content-type") ?? "").startsWith("application/json")) {
    const text = await request.text();
    if (Buffer.byteLength(text) > bodyLimitBytes) return fail("request.too_large");
    const parsed = parseJson(text || "{}");
    if (!parsed.ok) return fail("request.invalid", { fields: [parsed.field] });
    value = parsed.value;
  }
  const said = schema.safeParse(value);
  return said.success
    ? ok(said.data as T)
    : fail("request.invalid", { fields: fieldsOf(said.error as never) });
}

// ── the hosted page ────────────────────────────────────────────────────────────────────────────────────────────────

const policy = `default-src 'none'; style-src 'sha256-${sha256(style).toString("base64")}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`;
const page = (html: string, status = 200) =>
  new Response(html, {
    status,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": policy,
      vary: "accept-language",
    },
  });
const languageFor = (request: Request, asked: Language | undefined): Language =>
  asked ?? languageOf(request.headers.get("accept-language"));
/** A published form by its address; one that is closed says so on its page. */
async function hostedForm({ house }: Direct, slug: string) {
  const form = /^[a-z][a-z0-9-]{1,39}$/.test(slug) ? await store.bySlug(house.sql, slug) : null;
  return form && form.state !== "draft" ? form : null;
}

export const routes: Route[] = [
  answer(api.list, async ({ house: { sql } }) =>
    ok({
      forms: (await views.list(sql)).map((form) => ({
        ...form,
        lastAt: form.lastAt?.toISOString() ?? null,
      })),
    }),
  ),
  answer(api.one, async ({ house: { sql } }, { form: id }) => {
    const form = await store.byId(sql, id);
    if (!form) return fail("forms.unknown");
    const { slug, state, version, origins } = form;
    const definition = {
      ...form.definition,
      againDays: form.definition.againDays ?? againDaysUsual,
    };
    const [fields, submissions] = [await views.rates(sql, id), await views.submissions(sql, id)];
    const counted = new Map(fields.map((field) => [field.name, field]));
    return ok({
      ...{ id, slug, state, version, origins, definition, submissions },
      fields: definition.fields.map(
        ({ name }) => counted.get(name) ?? { name, asked: 0, filled: 0 },
      ),
    });
  }),
  implement(api.define, service.define),
  implement(api.change, service.change),
  implement(api.publish, service.publish),
  direct(api.next, async (asked, input) => {
    const form = await shownTo(asked, input.form);
    if (!form.ok) return form;
    const body = await bodyOf(asked, api.nextBody, input);
    return body.ok ? service.next(asked.house, form.value, body.value) : body;
  }),
  direct(api.answers, async (asked, input) => {
    const form = await shownTo(asked, input.form);
    if (!form.ok) return form;
    const body = await bodyOf(asked, api.answersBody, input);
    if (!body.ok) return body;
    const { language, ...said } = body.value;
    const taken = await service.submit(asked.house, form.value, asked.remote, {
      ...said,
      language: languageFor(asked.request, language),
    });
    if (!taken.ok) return taken;
    const value = taken.value;
    return ok(
      value.ok
        ? { thanks: value.thanks, visitor: value.visitor, more: value.more, wrong: {} }
        : { thanks: null, visitor: said.visitor ?? null, more: false, wrong: value.wrong },
    );
  }),
  direct(api.hosted, async (asked, { form: slug, lang, visitor }) => {
    const form = await hostedForm(asked, slug);
    if (!form) return fail("request.unknown");
    const language = languageFor(asked.request, lang);
    const { definition } = form;
    if (form.state === "closed") return page(closedPage(language, definition.title[language]), 410);
    const step = await service.next(asked.house, form, { visitor });
    if (!step.ok) return fail("request.unknown");
    return page(
      step.value.complete && step.value.consents.length === 0
        ? completePage(language, definition.title[language])
        : formPage(language, definition, step.value),
    );
  }),
  direct(api.hostedAnswers, async (asked, { form: slug, lang }) => {
    const form = await hostedForm(asked, slug);
    if (!form) return fail("request.unknown");
    const language = languageFor(asked.request, lang);
    const { definition } = form;
    if (form.state === "closed") return page(closedPage(language, definition.title[language]), 410);
    const text = await asked.request.text();
    if (Buffer.byteLength(text) > bodyLimitBytes) return fail("request.too_large");
    const sent = new URLSearchParams(text);
    const visitor = sent.get("visitor") ?? "";
    const consents = sent.getAll("consent");
    const typed = [...sent].filter(([name]) => !(pageFields as readonly string[]).includes(name));
    const answers = Object.fromEntries(typed.map(([name, text]) => [name, whole(text)]));
    const back = async (status: number, returned: Returned) => {
      const step = await stepOf(asked, form, visitor);
      return page(
        formPage(language, definition, step, { answers, ticked: consents, ...returned }),
        status,
      );
    };
    const broken = typed.filter(([, text]) => text !== whole(text));
    if (broken.length > 0)
      return back(422, {
        wrong: Object.fromEntries(broken.map(([name]) => [name, "unfit" as const])),
      });
    const { sending, version } = api.pageSaid.parse(Object.fromEntries(sent));
    const said = { visitor, answers, consents, language, sending, version };
    const taken = await service.submit(asked.house, form, asked.remote, said);
    if (!taken.ok)
      return taken.code === "request.too_many"
        ? back(429, { notice: words[language].busy })
        : fail("request.unknown");
    if (taken.value.ok)
      return page(thanksPage(language, definition, slug, taken.value.visitor, taken.value.more));
    return back(422, { wrong: taken.value.wrong });
  }),
  direct(api.confirmPage, async ({ house, request }, { token }) => {
    const language = await service.pendingLanguage(house, token);
    return language
      ? page(confirmPage(language, "ask"))
      : page(confirmPage(languageFor(request, undefined), "dead"), 410);
  }),
  direct(api.confirm, async ({ house, request }, { token }) => {
    const language = await service.confirm(house, token);
    return language
      ? page(confirmPage(language, "done"))
      : page(confirmPage(languageFor(request, undefined), "dead"), 410);
  }),
];
/** Without what PostgreSQL could not hold. */
const whole = (text: string): string => text.replaceAll(/[\0\uD800-\uDFFF]/gu, "");
async function stepOf({ house }: Direct, form: store.FormRow, visitor: string) {
  const step = await service.next(house, form, { visitor });
  if (!step.ok) throw new Error(step.code); // only a person token can be wrong, and none comes with a page
  return step.value;
}
