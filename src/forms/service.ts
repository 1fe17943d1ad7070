// What can be asked of forms. What a visitor types goes into the log as theirs; what they agree to, into the consent log.
import { neighbourhood } from "#access/rules.ts";
import * as access from "#access/service.ts";
import { identify, ownIn, type Incoming } from "#collect/rules.ts";
import * as collect from "#collect/service.ts";
import { audit } from "#kernel/audit.ts";
import { open as unlock, sameBytes, seal as lock, sha256 } from "#kernel/crypto.ts";
import type { Context, House } from "#kernel/endpoint.ts";
import { fail, ok, type Result } from "#kernel/result.ts";
import type { PersonKey, Reader, Tx } from "#kernel/sql.ts";
import { setTimers, type Timer } from "#kernel/timers.ts";
import * as messages from "#messages/service.ts";
import * as people from "#people/service.ts";
import * as privacy from "#privacy/service.ts";
import { isFilledBy } from "#traits/rules.ts";
import * as traits from "#traits/service.ts";
import { createHmac } from "node:crypto";
import {
  answersBrake,
  confirmMail,
  confirmMs,
  eventOf,
  honeypot,
  judge,
  mailsBrake,
  needsAddress,
  nextFields,
  unfitIn,
  type Answers,
  type Definition,
  type Known,
  type Language,
  type Wrong,
} from "./rules.ts";
import * as store from "./store.ts";
import type { FormRow } from "./store.ts";

/** Questions named as an attribute that the shop declared, whose answers could not fill it. */
async function misfits(tx: Tx, { fields }: Definition): Promise<string[]> {
  const owns = await traits.owns(tx);
  return fields.flatMap((field, i) => {
    const own = owns.find(({ name }) => name === field.name);
    return own && (field.sensitive || !isFilledBy(own, field)) ? [`fields.${i}.type`] : [];
  });
}
/** A source of the name that the form's own events come from; public, because anybody may type into it. */
export async function define(
  { tx, house, at, newId }: Context,
  { slug, definition }: { slug: string; definition: Definition },
): Promise<Result<{ id: string; version: number }, "forms.taken" | "forms.unfit">> {
  const wrong = [...unfitIn(definition), ...(await misfits(tx, definition))];
  if (wrong.length > 0) return fail("forms.unfit", { fields: wrong });
  const source = await collect.sourceNamed(house, tx, `form-${slug}`, "public");
  if (source.kind !== "public") return fail("forms.taken");
  const id = newId();
  const row = {
    id,
    slug,
    state: "draft" as const,
    sourceId: source.id,
    origins: [],
    createdAt: at,
  };
  if ((await store.addForm(tx, row)).count === 0) return fail("forms.taken");
  await store.addVersion(tx, { id, version: 1, definition, at });
  return ok({ id, version: 1 });
}
/** A changed form is a new version; the texts that somebody agreed to stay as they were. */
export async function change(
  { tx, at }: Context,
  { form: id, definition }: { form: string; definition: Definition },
): Promise<Result<{ version: number }, "forms.unknown" | "forms.unfit">> {
  const wrong = [...unfitIn(definition), ...(await misfits(tx, definition))];
  if (wrong.length > 0) return fail("forms.unfit", { fields: wrong });
  const held = await store.lockForm(tx, id);
  if (!held) return fail("forms.unknown");
  if (await store.isDefined(tx, id, held.version, definition)) return ok({ version: held.version });
  await store.addVersion(tx, { id, version: held.version + 1, definition, at });
  return ok({ version: held.version + 1 });
}
export async function publish(
  { tx }: Context,
  {
    form: id,
    state,
    origins,
  }: { form: string; state: FormRow["state"]; origins: readonly string[] },
): Promise<Result<Record<string, never>, "forms.unknown">> {
  const done = await store.setState(tx, { id, state, origins: [...new Set(origins)] });
  return done.count === 1 ? ok({}) : fail("forms.unknown");
}

// ── who is answering ───────────────────────────────────────────────────────────────────────────────────────────────

/** Gives a visitor a name that only we can make, so that nobody answers as somebody else by guessing. */
const mark = (house: House, purpose: string, id: string): string =>
  createHmac("sha256", house.keys.signing(purpose)).update(id).digest("base64url").slice(0, 32);
const marked = (house: House, purpose: string, id: string) => `${id}.${mark(house, purpose, id)}`;
function unmarked(house: House, purpose: string, text: string): string | null {
  const [, id = "", shown = ""] = /^([\da-f-]{36})\.([\w-]{32})$/.exec(text) ?? [];
  return id !== "" && sameBytes(sha256(shown), sha256(mark(house, purpose, id))) ? id : null;
}
const visitorMark = "forms.visitor";
const confirmMark = "forms.confirm";

export type Whoever = { visitor?: string | undefined; personToken?: string | undefined };
type Who = {
  source: { id: string; kind: "server" | "public" };
  sender: { type: "user_id" | "anonymous_id"; value: string };
  own: boolean;
};
async function whoIs(
  house: House,
  form: FormRow,
  { visitor = "", personToken = "" }: Whoever,
): Promise<Result<Who, "request.unauthenticated">> {
  if (personToken !== "") {
    const known = await access.personTokens(house)(personToken);
    if (!known) return fail("request.unauthenticated");
    return ok({
      source: { id: known.sourceId, kind: "server" },
      sender: { type: "user_id", value: known.userId },
      own: true,
    });
  }
  const id = unmarked(house, visitorMark, visitor) ?? house.newId();
  return ok({
    source: { id: form.sourceId, kind: "public" },
    sender: { type: "anonymous_id", value: id },
    own: false,
  });
}
const personOf = (house: House, reader: Reader, { source, sender }: Who) =>
  people.byIdentifier(house, reader, sender.type, sender.value, source.id);
async function knows(house: House, reader: Reader, who: Who) {
  const person = await personOf(house, reader, who);
  const now = house.clocks.shop();
  const fields = person ? await store.knownOf(reader, person) : [];
  const agreed = person ? await store.agreedOf(reader, person, now) : [];
  return {
    known: new Set(fields.flatMap(({ name, blankAt }) => (blankAt ? [] : [name]))),
    blank: new Map(fields.flatMap(({ name, blankAt }) => (blankAt ? [[name, blankAt]] : []))),
    agreed: new Set(agreed.map(({ kind }) => kind)),
    now,
  };
}

/** What this visitor is asked next. */
export async function next(
  house: House,
  form: FormRow,
  whoever: Whoever,
): Promise<Result<ReturnType<typeof stepOf>, "request.unauthenticated">> {
  const who = await whoIs(house, form, whoever);
  if (!who.ok) return who;
  return ok(stepOf(house, form, who.value, await knows(house, house.sql, who.value)));
}
function stepOf(
  house: House,
  { definition, slug, version }: FormRow,
  who: Who,
  knowing: Known & { agreed: ReadonlySet<string> },
) {
  const fields = nextFields(definition, knowing);
  const asksAddress = fields.some(({ name }) => name === "email");
  return {
    form: slug,
    version,
    title: definition.title,
    intro: definition.intro,
    fields,
    // Nobody can confirm an address that they are not asked for.
    consents: definition.consents.filter(
      (asked) =>
        !knowing.agreed.has(kindOf(asked)) &&
        (asksAddress || !needsAddress(definition, who.own, asked)),
    ),
    /** Nothing is left to ask for now: what was left blank rests. */
    complete: fields.length === 0,
    visitor: who.own ? null : marked(house, visitorMark, who.sender.value),
    sending: house.newId(),
  };
}
const kindOf = ({ purpose, channel }: { purpose: string; channel: string }) =>
  `${purpose} ${channel}`;

export type Submitted = Whoever & {
  answers: Answers;
  /** What was ticked, as "purpose channel". */
  consents: readonly string[];
  language: Language;
  /** Which sending this is: the same again is taken once. */
  sending?: string | undefined;
  /** The version whose words were read: what was agreed to is that, whatever the form says by now. */
  version?: number | undefined;
};
export type Taken =
  | { ok: true; thanks: Definition["thanks"]; visitor: string | null; more: boolean }
  | { ok: false; wrong: Record<string, Wrong> };
/**
 * Takes what was answered. The answer is the same whether an address is known to us or not, whether a mail goes out or
 * not, and to a machine that filled what nobody sees.
 */
export async function submit(
  house: House,
  current: FormRow,
  remote: string,
  said: Submitted,
): Promise<Result<Taken, "request.unauthenticated" | "request.too_many">> {
  const held = await access.braked(house, [[answersBrake, `form|${neighbourhood(remote)}`]]);
  if (!held.ok) return held;
  const asks = await whoIs(house, current, said);
  if (!asks.ok) return asks;
  const who = asks.value;
  const read =
    said.version === undefined || said.version === current.version
      ? null
      : await store.definitionOf(house.sql, current.id, said.version);
  const form = read ? { ...current, version: said.version!, definition: read } : current;
  const { definition } = form;
  const visitor = who.own ? null : marked(house, visitorMark, who.sender.value);
  if ((said.answers[honeypot] ?? "") !== "")
    return ok({ ok: true, thanks: definition.thanks, visitor, more: false });
  const knowing = await knows(house, house.sql, who);
  const { agreed } = knowing;
  const ticked = definition.consents.filter((one) => said.consents.includes(kindOf(one)));
  const all = new Set([...agreed, ...ticked.map(kindOf)]);
  const { values, wrong } = judge(definition, said.answers, knowing, all);
  // What a visitor agrees to by mail counts once that address was confirmed: without one it never could.
  if (
    values["email"] === undefined &&
    !wrong["email"] &&
    ticked.some((one) => needsAddress(definition, who.own, one))
  )
    wrong["email"] = "missing";
  if (Object.keys(wrong).length > 0) return ok({ ok: false, wrong });
  const email = values["email"];
  const waits =
    definition.doubleOptIn && email !== undefined
      ? ticked.filter(({ channel }) => channel === "email")
      : [];
  const mailed =
    waits.length > 0 &&
    (await access.braked(house, [[mailsBrake, `form mail|${String(email).toLowerCase()}`]])).ok;
  const isTaken = await house.sql.begin(async (tx) => {
    const person = await write(house, tx, form, who, values, knowing, said.sending);
    if (!person) return false;
    const now = house.clocks.shop();
    const line = {
      person,
      granted: true,
      textVersion: textVersionOf(form),
      proof: `form:${form.slug}`,
    };
    const at = house.clocks.machine();
    const sure = ticked.filter((one) => !waits.includes(one) && !agreed.has(kindOf(one)));
    await messages.setConsent(
      house,
      tx,
      sure.map(({ purpose, channel }) => ({ ...line, purpose, channel, at: now })),
      at,
    );
    if (mailed)
      await ask(house, tx, form, said.language, String(email), waits, who.own ? person : null);
    const actor = who.own ? `person:${person.personId}` : "anonymous";
    const target = { form: form.id, version: form.version, consents: ticked.map(kindOf) };
    const endpoint = "POST /v1/forms/:form/answers";
    await audit(house, tx, [{ at, actor, endpoint, target, outcome: "ok", requestId: null }]);
    return true;
  });
  // Sent again, what came after it has not been shown yet.
  const blank = new Map(knowing.blank);
  if (isTaken) for (const { name } of nextFields(definition, knowing)) blank.set(name, knowing.now);
  const known = new Set([...knowing.known, ...Object.keys(values)]);
  const more = nextFields(definition, { known, blank, now: knowing.now }).length > 0;
  return ok({ ok: true, thanks: definition.thanks, visitor, more });
}
const textVersionOf = ({ slug, version }: Pick<FormRow, "slug" | "version">) =>
  `${slug}.${version}`;

/** The event, and that it was answered. Null where whoever it is of was erased after it, or it was sent before. */
async function write(
  house: House,
  tx: Tx,
  form: FormRow,
  who: Who,
  values: Record<string, string | number>,
  known: Known,
  sending: string | undefined,
): Promise<PersonKey | null> {
  const { definition, slug, version } = form;
  const id = house.newId();
  const at = house.clocks.shop();
  const emailConfirmed = !definition.doubleOptIn;
  const { traits, answers, direct } = eventOf(definition, values, { own: who.own, emailConfirmed });
  const event: Incoming = {
    key: `form|${sending === undefined ? id : sentAs(form.id, who.sender.value, sending)}`,
    name: identify,
    at,
    data: {
      form: slug,
      version,
      ...(who.own ? { [ownIn]: true } : {}),
      ...(Object.keys(answers).length > 0 ? { answers } : {}),
      ...(Object.keys(traits).length > 0 ? { $traits: traits } : {}),
    },
    ...(Object.keys(direct).length > 0 ? { direct } : {}),
    sender: who.sender,
  };
  const [verdict] = await collect.accept(house, tx, who.source, [event]);
  if (verdict === "erased" || verdict === "double") return null;
  const nodes = await people.nodesFor(house, tx, who.source.id, [{ ...who.sender, at }]);
  const node = nodes.get(people.senderKey(who.sender));
  if (!node) return null;
  const person = { bucket: node.bucket, personId: node.personId };
  await store.addSubmission(tx, {
    ...{ bucket: node.nodeBucket, nodeId: node.nodeId },
    ...{ id, formId: form.id, version, at },
    asked: nextFields(definition, known).map(({ name }) => name),
    filled: Object.keys(values),
  });
  return person;
}

/** Nobody else's sending is the same, whatever they say it is. */
const sentAs = (form: string, sender: string, sending: string): string =>
  sha256(`${form}|${sender}|${sending}`).toString("base64url").slice(0, 32);

// ── double opt-in ──────────────────────────────────────────────────────────────────────────────────────────────────

const pendingKey = (house: House) => house.keys.signing("forms_pending");
const pendingPlace = (id: string) => `forms_pending|sealed|${id}`;
export const confirmKind = "forms.confirm";
/** Writes down what waits for the address to be confirmed; the mail goes out by a timer, so that no answer waits for it. */
async function ask(
  house: House,
  tx: Tx,
  form: FormRow,
  language: Language,
  email: string,
  consents: readonly { purpose: string; channel: string }[],
  person: PersonKey | null,
): Promise<void> {
  const id = house.newId();
  const at = house.clocks.machine();
  await store.addPending(
    tx,
    {
      ...{ id, formId: form.id, version: form.version, language },
      blind: privacy.blindOf(house, "email", email, ""),
      sealed: lock(pendingKey(house), email, pendingPlace(id)),
      consents: consents.map(({ purpose, channel }) => ({ purpose, channel })),
      ofBucket: person?.bucket ?? null,
      ofPerson: person?.personId ?? null,
      expiresAt: new Date(at.getTime() + confirmMs),
    },
    at,
  );
  await setTimers(tx, [{ kind: confirmKind, key: id, dueAt: at }]);
}

export type Mail = (mail: { to: string; subject: string; text: string }) => Promise<void>;
/** Sends what is due. Where no mail can be sent, nothing is, and the agreement does not count. */
export async function sendConfirmations(
  house: House,
  tx: Tx,
  timers: readonly Timer[],
  mail: Mail | null,
): Promise<void> {
  for (const { key: id } of timers) {
    const row = await store.pending(tx, id, house.clocks.machine());
    const definition = row && (await store.definitionOf(tx, row.formId, row.version));
    if (!row || !definition || !mail) continue;
    const link = new URL(`/f/confirm/${marked(house, confirmMark, id)}`, house.settings.publicUrl);
    const to = unlock(pendingKey(house), row.sealed, pendingPlace(id)).toString();
    await mail({ to, ...confirmMail(row.language, definition.title[row.language], link.href) });
  }
}

/** The language of the mail that this link was in; null where it is dead. */
export async function pendingLanguage(house: House, token: string): Promise<Language | null> {
  const id = unmarked(house, confirmMark, token);
  const row = id && (await store.pending(house.sql, id, house.clocks.machine()));
  return row ? row.language : null;
}
/**
 * The link was followed: whoever reads that address agreed. They are the person the address belongs to, and nobody is
 * merged by it; only where a person token came with the form does the address become that person's.
 */
export async function confirm(house: House, token: string): Promise<Language | null> {
  const id = unmarked(house, confirmMark, token);
  if (!id) return null;
  return house.sql.begin(async (tx) => {
    const at = house.clocks.machine();
    const row = await store.takePending(tx, id, at);
    const form = row && (await store.byId(tx, row.formId));
    if (!row || !form) return null;
    const now = house.clocks.shop();
    const email = unlock(pendingKey(house), row.sealed, pendingPlace(id)).toString();
    const identifier = { type: "email" as const, value: email };
    const own =
      row.ofPerson !== null && row.ofBucket !== null
        ? { bucket: row.ofBucket, personId: row.ofPerson }
        : null;
    if (own) {
      await people.addIdentifiers(house, tx, [
        { person: own, sourceId: form.sourceId, identifier, at: now },
      ]);
      await people.setFields(house, tx, [
        { person: own, field: "email", value: email, source: "form", at: now },
      ]);
    }
    const nodes = await people.nodesFor(house, tx, form.sourceId, [{ ...identifier, at: now }]);
    const node = nodes.get(people.senderKey(identifier));
    if (!node) return row.language;
    const { bucket, personId } = node;
    if (!own)
      await people.setFields(house, tx, [
        { person: { bucket, personId }, field: "email", value: email, source: "form", at: now },
      ]);
    await messages.setConsent(
      house,
      tx,
      row.consents.map((kind) => ({
        ...(kind as { purpose: "marketing"; channel: "email" }),
        person: own ?? { bucket, personId },
        granted: true,
        textVersion: textVersionOf({ slug: form.slug, version: row.version }),
        proof: `confirmed:${row.id}`,
        at: now,
      })),
      at,
    );
    const endpoint = "POST /f/confirm/:token";
    const target = { form: form.id, version: row.version, consents: row.consents.map(kindOf) };
    await audit(house, tx, [
      { at, actor: "anonymous", endpoint, target, outcome: "ok", requestId: null },
    ]);
    return row.language;
  });
}

/** Whatever stands here of one person. */
export const erase = store.eraseRows;
