import {
  answer,
  direct,
  implement,
  type Reading,
  type Route,
  type Scope,
} from "#kernel/endpoint.ts";
import { languageOf } from "#kernel/http.ts";
import { fail, ok, type Result } from "#kernel/result.ts";
import type { PersonKey, Reader } from "#kernel/sql.ts";
import * as people from "#people/service.ts";
import * as api from "./api.ts";
import { unsubscribePage } from "./model/mail.ts";
import { placeholders } from "./model/template.ts";
import { readToken } from "./model/token.ts";
import {
  consentAt,
  consentKinds,
  consentText,
  consentTextVersion,
  excessOf,
  MONTH_MS,
  reasonTexts,
  type ConsentLine,
} from "./rules.ts";
import * as service from "./service.ts";
import * as store from "./store.ts";
import * as views from "./views.ts";

/** A person's own token, and nothing else, speaks for the person. */
const self = (scope: Scope): Result<PersonKey, "request.forbidden"> =>
  scope.kind === "person" ? ok(scope.person) : fail("request.forbidden");
async function seen(
  reader: Reader,
  scope: Scope,
  personId: string,
): Promise<Result<PersonKey, "people.unknown" | "request.forbidden">> {
  if (scope.kind === "cases" && !scope.people.includes(personId)) return fail("request.forbidden");
  return people.find(reader, personId);
}
const because = (code: string | null) =>
  code === null ? null : { code, ...(reasonTexts[code] ?? { zh: code, en: code }) };

/** Every purpose and channel with what holds for it. */
const consents = (lines: readonly ConsentLine[], now: Date) =>
  consentKinds.map(({ purpose, channel }) => {
    const held = consentAt(lines, purpose, channel, now);
    return {
      purpose,
      channel,
      granted: held?.granted ?? false,
      at: held?.at.toISOString() ?? null,
      textVersion: held?.textVersion ?? null,
      proof: held?.proof ?? null,
      madeUp: held?.madeUp ?? false,
    };
  });

async function inbox({ house, scope }: Reading) {
  const person = self(scope);
  if (!person.ok) return person;
  const rows = await views.inbox(house.sql, person.value);
  const language = (await views.languages(house.sql, [person.value])).get(person.value.personId)!;
  const goods = await views.goodsNames(
    house.sql,
    rows.flatMap(({ data }) => data.skus ?? []),
  );
  const texts = await service.compose(
    house,
    house.sql,
    rows.map((row) => ({ ...row, person: person.value, language })),
    goods,
    "person",
  );
  return ok({
    unread: rows.filter(({ readAt }) => readAt === null).length,
    messages: rows.map(({ id, at, readAt }, i) => ({
      id,
      at: at.toISOString(),
      language,
      subject: texts[i]!.subject,
      text: texts[i]!.text,
      readAt: readAt?.toISOString() ?? null,
    })),
  });
}

async function ofMember({ house, scope, now }: Reading, { person: personId }: { person: string }) {
  const person = await seen(house.sql, scope, personId);
  if (!person.ok) return person;
  const rows = await views.ofMember(house.sql, person.value);
  const ways = await views.deliveries(house.sql, person.value);
  const lines = await store.linesOf(house.sql, [person.value]);
  const since = new Date(now.getTime() - MONTH_MS);
  const released = await store.releasedOf(house.sql, [person.value], since);
  const { limits } = await store.settings(house.sql);
  const goods = await views.goodsNames(
    house.sql,
    rows.flatMap(({ data }) => data.skus ?? []),
  );
  const inLanguage = (language: "zh" | "en") =>
    service.compose(
      house,
      house.sql,
      rows.map((row) => ({ ...row, person: person.value, language })),
      goods,
      "operator",
    );
  const [zh, en] = [await inLanguage("zh"), await inLanguage("en")];
  return ok({
    messages: rows.map((row, i) => ({
      id: row.id,
      at: row.askedAt.toISOString(),
      purpose: row.purpose,
      template: row.template,
      version: row.version,
      subject: { zh: zh[i]!.subject, en: en[i]!.subject },
      verdict: row.verdict,
      reason: because(row.reason),
      dueAt: row.dueAt.toISOString(),
      releasedAt: row.releasedAt?.toISOString() ?? null,
      cause: row.cause,
      deliveries: ways
        .filter(({ messageId }) => messageId === row.id)
        .map(({ channel, state, attempts, reason, sentAt, readAt }) => ({
          channel,
          state,
          attempts,
          reason: because(reason),
          sentAt: state === "sent" ? (sentAt?.toISOString() ?? null) : null,
          readAt: readAt?.toISOString() ?? null,
        })),
    })),
    excess: excessOf(released, limits, now),
    consents: consents(lines, now),
  });
}

async function preview({ house }: Reading, { limit }: { limit: number }) {
  const rows = await views.preview(house.sql, limit);
  const goods = await views.goodsNames(
    house.sql,
    rows.flatMap(({ data }) => data.skus ?? []),
  );
  const asked = rows.map((row) => ({ ...row, person: row, language: row.language ?? "zh" }));
  const texts = await service.compose(house, house.sql, asked, goods, "operator");
  return ok({
    total: await views.previewTotal(house.sql),
    messages: rows.map(({ id, personId, at, reason }, i) => ({
      id,
      person: personId,
      at: at.toISOString(),
      reason: because(reason),
      language: asked[i]!.language,
      ...texts[i]!,
    })),
  });
}

const page = (html: string) =>
  new Response(html, { headers: { "content-type": "text/html; charset=utf-8" } });
export const routes: Route[] = [
  answer(api.inbox, inbox),
  implement(api.read, async (context, { message }) => {
    const person = self(context.actor.scope);
    return person.ok ? service.read(context, person.value, message) : person;
  }),
  answer(api.preferences, async ({ house, scope, now }) => {
    const person = self(scope);
    if (!person.ok) return person;
    const lines = await store.linesOf(house.sql, [person.value]);
    const language = (await views.languages(house.sql, [person.value])).get(person.value.personId)!;
    return ok({
      language,
      textVersion: consentTextVersion,
      consents: consents(lines, now).map(({ purpose, channel, granted, at, textVersion }) => ({
        purpose,
        channel,
        granted,
        at,
        textVersion,
        text: consentText({ purpose, channel }),
      })),
    });
  }),
  implement(api.prefer, async (context, chosen) => {
    const person = self(context.actor.scope);
    return person.ok ? service.prefer(context, person.value, chosen) : person;
  }),
  implement(api.record, service.record),
  answer(api.ofMember, ofMember),
  answer(api.preview, preview),
  answer(api.templates, async ({ house }) =>
    ok({
      templates: (await store.latestTemplates(house.sql)).map((template) => ({
        ...template,
        at: template.at.toISOString(),
      })),
      placeholders: Object.entries(placeholders).map(([name, words]) => ({ name, ...words })),
    }),
  ),
  implement(api.defineTemplate, ({ tx, at }, template) => service.defineTemplate(tx, at, template)),
  answer(api.readSettings, async ({ house }) =>
    ok({
      ...(await store.settings(house.sql)),
      timeZone: house.clocks.timeZone,
      smtp: house.settings.smtpUrl !== null,
    }),
  ),
  implement(api.writeSettings, service.saveSettings),
  direct(api.unsubscribePage, async ({ house, request }, { token }) => {
    const leaving = readToken(house.keys.signing("unsubscribe"), token);
    if (!leaving) return fail("request.unknown");
    const language = languageOf(request.headers.get("accept-language"));
    return page(unsubscribePage(language, leaving.purpose, "ask"));
  }),
  direct(api.unsubscribe, async ({ house, request, now, at }, { token }) => {
    const leaving = readToken(house.keys.signing("unsubscribe"), token);
    // RFC 8058 allows both encodings of a form, and no cookie comes with either.
    const form = await request.formData().catch(() => null);
    if (!leaving || form?.get("List-Unsubscribe") !== "One-Click") return fail("request.unknown");
    const { purpose, channel } = leaving;
    await house.sql.begin(async (tx) => {
      const person = await people.find(tx, leaving.personId);
      // Of an erased person nothing is left to withdraw; the page says the same, and so tells nothing.
      if (!person.ok) return;
      const from = { person: person.value, purpose, channel };
      await service.withdraw(house, tx, from, "one_click", now, at);
    });
    const language = languageOf(request.headers.get("accept-language"));
    return page(unsubscribePage(language, purpose, "done"));
  }),
];
