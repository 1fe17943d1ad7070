// What a caller can ask of messages. Each function works in the transaction it is given.
import type { Context, House } from "#kernel/endpoint.ts";
import { fail, ok, type Result } from "#kernel/result.ts";
import type { PersonKey, Reader, Tx } from "#kernel/sql.ts";
import { dropTimer, resetTimers, setTimers } from "#kernel/timers.ts";
import * as feeds from "#feeds/service.ts";
import { emitAll } from "#kernel/outbox.ts";
import * as offers from "#offers/service.ts";
import { consented } from "./events.ts";
import * as people from "#people/service.ts";
import * as relations from "#relations/service.ts";
import { render, unknownPlaceholders, type Rendered, type Values } from "./model/template.ts";
import {
  consentAt,
  consentKinds,
  consentOf,
  judge,
  MONTH_MS,
  policyOf,
  type Channel,
  type ConsentLine,
  type Language,
  type Purpose,
  type Settings,
} from "./rules.ts";
import * as store from "./store.ts";

/** Every purpose and channel with what holds of a person now. */
export async function consentsOf(reader: Reader, person: PersonKey, now: Date) {
  const lines = await store.linesOf(reader, [person]);
  return consentKinds.map(({ purpose, channel }) => {
    const held = consentAt(lines, purpose, channel, now);
    return {
      ...{ purpose, channel },
      granted: held?.granted ?? false,
      at: held?.at.toISOString() ?? null,
    };
  });
}

/** What was said of consent, for other systems. */
const tell = (house: House, tx: Tx, added: readonly store.PersonLine[]): Promise<void> =>
  emitAll(
    house,
    tx,
    consented,
    added.map(({ bucket, personId, purpose, channel, granted, textVersion, at }) => ({
      person: { bucket, personId },
      data: { purpose, channel, granted, textVersion, at: at.toISOString() },
    })),
  );

export type SaidConsent = Omit<ConsentLine, "seq" | "madeUp"> & {
  person: PersonKey;
  madeUp?: boolean;
};
/**
 * Adds to the consent logs what these people said; saying the same again, on the same text, adds nothing. `at` is on
 * the shop's clock, `recordedAt` on the machine's. Returns how many lines were added.
 */
export async function setConsent(
  house: House,
  tx: Tx,
  said: readonly SaidConsent[],
  recordedAt: Date,
): Promise<number> {
  if (said.length === 0) return 0;
  const keys = said.map(({ person }) => person);
  const held = await store.lockPeople(tx, keys);
  const lengths = new Map(held.map(({ personId, consents }) => [personId, consents]));
  const logs = Map.groupBy(await store.linesOf(tx, keys), ({ personId }) => personId);
  const added: store.PersonLine[] = [];
  for (const { person, madeUp = false, ...line } of said) {
    const log = logs.get(person.personId) ?? [];
    const now = consentAt(log, line.purpose, line.channel, line.at);
    // Of a use every word is kept: from when on it holds must not depend on which of them came in first.
    const isUse = line.channel === "use";
    const same = now && now.granted === line.granted && now.textVersion === line.textVersion;
    if (same && (!isUse || now.at.getTime() === line.at.getTime())) continue;
    const seq = lengths.get(person.personId)! + 1;
    lengths.set(person.personId, seq);
    const { bucket, personId } = person;
    const next = { bucket, personId, seq, madeUp, ...line };
    added.push(next);
    logs.set(personId, [...log, next]);
  }
  if (added.length > 0) {
    await store.addLines(tx, added, recordedAt);
    if (await feeds.isHeard(tx, consented.name)) await tell(house, tx, added);
  }
  // Whoever takes back that we keep their friends is in nobody's list from this commit on.
  const social = added.filter(({ purpose }) => purpose === "social");
  await relations.refold(house, tx, [
    ...new Map(social.map((line) => [line.personId, line])).values(),
  ]);
  return added.length;
}

export type Ask = {
  person: PersonKey;
  purpose: Purpose;
  /** The key of a template; its latest version is taken. */
  templateId: string;
  channels: readonly Channel[];
  data: store.MessageData;
  cause: string;
};
export type Sent = {
  messageId: string;
  verdict: store.Message["verdict"];
  reason: string | null;
  dueAt: Date;
};
/**
 * Judges a message for each of many people and writes it down with the verdict, in the order asked: let go at once,
 * waiting for the end of quiet hours, or suppressed with its reason. Throws where the template is not there or is for
 * another purpose: whoever sets up a programme has looked.
 */
export async function send(
  house: House,
  tx: Tx,
  now: Date,
  asked: readonly Ask[],
): Promise<Sent[]> {
  if (asked.length === 0) return [];
  const templates = new Map((await store.latestTemplates(tx)).map((one) => [one.key, one]));
  const messages = asked.map(({ person, purpose, templateId, channels, data, cause }) => {
    const template = templates.get(templateId);
    if (template?.purpose !== purpose) throw new Error(`no template ${templateId} for ${purpose}`);
    return {
      bucket: person.bucket,
      personId: person.personId,
      id: house.newId(),
      purpose,
      template: templateId,
      version: template.version,
      channels: [...channels],
      data,
      cause,
      askedAt: now,
    };
  });
  const judged = await judgeAll(house, tx, now, messages);
  await store.addMessages(tx, judged);
  await follow(house, tx, now, judged);
  return judged.map(({ id, verdict, reason, dueAt }) => ({
    messageId: id,
    verdict,
    reason,
    dueAt,
  }));
}
/** Judges anew what waited for quiet hours to end. What is no longer waiting is passed over. */
export async function release(
  house: House,
  tx: Tx,
  now: Date,
  keys: readonly (PersonKey & { id: string })[],
): Promise<void> {
  const judged = await judgeAll(house, tx, now, await store.waiting(tx, keys));
  if (judged.length === 0) return;
  // One that went to somebody else with a merge meanwhile has a timer there.
  const still = new Set((await store.judgeAgain(tx, judged)).map(({ id }) => id));
  await follow(
    house,
    tx,
    now,
    judged.filter(({ id }) => still.has(id)),
  );
}

type Unjudged = Omit<
  store.Message,
  "dueAt" | "verdict" | "reason" | "releasedAt" | "consents" | "policy"
>;
/** `agreed`: the ways, of those asked for, that a message let go may take. */
type Judged = store.Message & { agreed: Channel[] };
async function judgeAll(
  house: House,
  tx: Tx,
  now: Date,
  messages: readonly Unjudged[],
): Promise<Judged[]> {
  if (messages.length === 0) return [];
  const held = await store.lockPeople(tx, messages);
  const lengths = new Map(held.map(({ personId, consents }) => [personId, consents]));
  const logs = Map.groupBy(await store.linesOf(tx, messages), ({ personId }) => personId);
  const since = new Date(now.getTime() - MONTH_MS);
  const earlier = new Map<string, Date[]>();
  const place = (row: { personId: string; purpose: Purpose }) => `${row.personId} ${row.purpose}`;
  for (const row of await store.releasedOf(tx, messages, since)) {
    const had = earlier.get(place(row));
    if (had) had.push(row.releasedAt);
    else earlier.set(place(row), [row.releasedAt]);
  }
  const settings = await store.settings(tx);
  return messages.map((message): Judged => {
    const policy = policyOf(settings, message.purpose, house.clocks.timeZone);
    const log = logs.get(message.personId) ?? [];
    const released = earlier.get(place(message)) ?? [];
    const verdict = judge(message, log, released, policy, now);
    const consents = lengths.get(message.personId)!;
    const base = {
      ...message,
      consents,
      policy,
      dueAt: now,
      reason: null,
      releasedAt: null,
      agreed: [],
    };
    if (verdict.kind === "wait") return { ...base, verdict: "waiting", dueAt: verdict.until };
    if (verdict.kind === "suppress")
      return { ...base, verdict: "suppressed", reason: verdict.reason };
    earlier.set(place(message), [...released, now]);
    return { ...base, agreed: verdict.channels, verdict: "queued", releasedAt: now };
  });
}
/** What a verdict brings with it: a delivery for each way, or a timer for the end of quiet hours. */
async function follow(house: House, tx: Tx, now: Date, judged: readonly Judged[]): Promise<void> {
  const nextAt = house.clocks.machine();
  const released = judged.filter(({ verdict }) => verdict === "queued");
  await store.addDeliveries(
    tx,
    released.flatMap(({ bucket, personId, id: messageId, channels, agreed, consents }) =>
      channels.map((channel): store.Delivery => {
        const common = {
          bucket,
          personId,
          messageId,
          channel,
          attempts: 0,
          consents,
          language: null,
        };
        const base = { ...common, reason: null, sentAt: null, dueAt: now, nextAt };
        if (!agreed.includes(channel))
          return { ...base, state: "suppressed", reason: "no_consent" };
        // The inbox is a read of these rows: to be let go is to be there.
        return channel === "inapp"
          ? { ...base, state: "sent", sentAt: now }
          : { ...base, state: "ready" };
      }),
    ),
  );
  await setTimers(
    tx,
    judged
      .filter(({ verdict }) => verdict === "waiting")
      .map(({ bucket, personId, id, dueAt }) => ({
        bucket,
        personId,
        dueAt,
        kind: "messages.release",
        key: id,
      })),
  );
}

/** One thing to be read, by its own person or by an operator. */
export type ToRead = {
  person: PersonKey;
  template: string;
  version: number;
  data: store.MessageData;
  language: Language;
};
/**
 * Makes texts out of templates and ids, in the order given. Only the person's own copy has their name and their
 * coupon's code in it. `goods` gives each good's name.
 */
export async function compose(
  house: House,
  reader: Reader,
  asked: readonly ToRead[],
  goods: ReadonlyMap<string, string>,
  reads: "person" | "operator",
): Promise<Rendered[]> {
  if (asked.length === 0) return [];
  const templates = await store.templatesOf(
    reader,
    asked.map(({ template: key, version }) => ({ key, version })),
  );
  const texts = new Map(templates.map((one) => [`${one.key} ${one.version}`, one]));
  const coupons = await offers.show(
    house,
    reader,
    asked.flatMap(({ person, data: { couponId } }) => (couponId ? [{ person, couponId }] : [])),
  );
  const keys = asked.map(({ person }) => person);
  const names =
    reads === "person"
      ? await people.fields(house, reader, keys, "name")
      : new Map<string, string>();
  return asked.map(({ person, template, version, data, language }) => {
    const coupon = data.couponId ? coupons.get(data.couponId) : undefined;
    const name = names.get(person.personId);
    const values: Values = {
      shop: shopName(house),
      ...(name ? { name } : {}),
      ...(coupon
        ? {
            offer: coupon.rule[language],
            code: reads === "person" ? coupon.code : "••••-••••-••••",
            expires: dayText(coupon.expiresAt, language, house.clocks.timeZone),
          }
        : {}),
      goods: (data.skus ?? []).map((sku) => goods.get(sku) ?? sku),
    };
    return render(texts.get(`${template} ${version}`)![language], values);
  });
}
const shopName = (house: House): string =>
  house.settings.mailFrom
    .replace(/<[^>]*>/, "")
    .replaceAll('"', "")
    .trim() || "Liuke";
const dayText = (at: Date, language: Language, timeZone: string): string =>
  new Intl.DateTimeFormat(language === "zh" ? "zh-CN" : "en-GB", {
    dateStyle: "long",
    timeZone,
  }).format(at);

type NewTemplate = Pick<store.Template, "key" | "purpose" | "zh" | "en">;
/** Saves a new version of a template; the same words again are the version that is there. */
export async function defineTemplate(
  tx: Tx,
  at: Date,
  { key, purpose, zh, en }: NewTemplate,
): Promise<Result<{ key: string; version: number }, "messages.placeholder">> {
  const unknown = [...unknownPlaceholders(zh), ...unknownPlaceholders(en)];
  if (unknown.length > 0) return fail("messages.placeholder", { placeholders: unknown });
  const had = await store.lockTemplate(tx, key);
  const words = ({ purpose: of, zh: a, en: b }: NewTemplate) =>
    JSON.stringify([of, a.subject, a.body, b.subject, b.body]);
  if (had && words(had) === words({ key, purpose, zh, en }))
    return ok({ key, version: had.version });
  const version = (had?.version ?? 0) + 1;
  await store.addTemplate(tx, { key, version, purpose, zh, en, at });
  return ok({ key, version });
}

export async function saveSettings(
  { tx }: Context,
  settings: Settings,
): Promise<Result<Settings, never>> {
  await store.saveSettings(tx, settings);
  return ok(settings);
}

type Choice = Pick<ConsentLine, "purpose" | "channel" | "granted">;
/** What a person chose for themselves on their own page. */
export async function prefer(
  { tx, house, now, at }: Context,
  person: PersonKey,
  { textVersion, choices }: { textVersion: string; choices: readonly Choice[] },
): Promise<Result<{ changed: number }, never>> {
  const said = choices.map((choice) => ({ ...choice, person, textVersion, proof: "me", at: now }));
  return ok({ changed: await setConsent(house, tx, said, at) });
}

type Recorded = Choice & { person: string; textVersion: string; at: string; proof: string };
/** What a person said in the shop, told by its own server. */
export async function record(
  { tx, house, actor, now, at: recordedAt }: Context,
  { person: personId, at, ...said }: Recorded,
): Promise<
  Result<
    { recorded: boolean },
    "people.unknown" | "messages.server_only" | "messages.consent_future"
  >
> {
  if (actor.source?.kind !== "server") return fail("messages.server_only");
  const person = await people.find(tx, personId);
  if (!person.ok) return person;
  if (new Date(at) > now) return fail("messages.consent_future");
  const line = { ...said, person: person.value, at: new Date(at) };
  return ok({ recorded: (await setConsent(house, tx, [line], recordedAt)) > 0 });
}

/**
 * What the log tells of consents, by a server or a file, whenever it comes in: each word counts from its own time on. Of
 * two words of one instant the stricter holds, so that no order of coming in makes an agreement of a withdrawal.
 */
export async function takeTold(
  house: House,
  tx: Tx,
  told: readonly (PersonKey & { at: Date; data: Record<string, unknown> })[],
): Promise<void> {
  const now = house.clocks.shop();
  const said = told.flatMap(({ bucket, personId, at, data }): SaidConsent[] => {
    const line = consentOf(data);
    return "unfit" in line || at > now ? [] : [{ ...line, person: { bucket, personId }, at }];
  });
  if (said.length === 0) return;
  const keys = said.map(({ person }) => person);
  await store.lockPeople(tx, keys);
  const placeOf = (personId: string, line: Pick<ConsentLine, "purpose" | "channel" | "at">) =>
    `${personId} ${line.purpose} ${line.channel} ${line.at.getTime()}`;
  const denied = new Set([
    ...(await store.linesOf(tx, keys)).flatMap((line) =>
      line.granted ? [] : [placeOf(line.personId, line)],
    ),
    ...said.flatMap((line) => (line.granted ? [] : [placeOf(line.person.personId, line)])),
  ]);
  const kept = said.filter(
    (line) => !line.granted || !denied.has(placeOf(line.person.personId, line)),
  );
  await setConsent(house, tx, kept, house.clocks.machine());
}

/** Takes a consent back where there is one. A link that is followed twice adds one line. */
export async function withdraw(
  house: House,
  tx: Tx,
  { person, purpose, channel }: { person: PersonKey } & Pick<ConsentLine, "purpose" | "channel">,
  proof: string,
  now: Date,
  recordedAt: Date,
): Promise<void> {
  await store.lockPeople(tx, [person]);
  const consent = consentAt(await store.linesOf(tx, [person]), purpose, channel, now);
  if (!consent?.granted) return;
  const { textVersion } = consent;
  const said = { person, purpose, channel, granted: false, textVersion, proof, at: now };
  await setConsent(house, tx, [said], recordedAt);
}

export async function read(
  { tx, now }: Context,
  person: PersonKey,
  message: string,
): Promise<Result<{ readAt: string }, "messages.unknown">> {
  const [row] = await store.markRead(tx, person, message, now);
  return row ? ok({ readAt: row.readAt.toISOString() }) : fail("messages.unknown");
}

/** All rows of one person. */
export async function erase(tx: Tx, person: PersonKey): Promise<void> {
  for (const id of await store.eraseRows(tx, person))
    await dropTimer(tx, person, "messages.release", id);
}

const rows = people.moverOf({
  moved: { messages_message: ["id"], messages_delivery: ["message_id", "channel"] },
});
type Standing = {
  purpose: ConsentLine["purpose"];
  channel: ConsentLine["channel"];
  granted: boolean;
  textVersion: string;
};
const standing = (log: readonly ConsentLine[], at: Date): Map<string, Standing> =>
  new Map(
    [...Map.groupBy(log, ({ purpose, channel }) => `${purpose} ${channel}`)].flatMap(
      ([key, lines]) => {
        const { purpose, channel } = lines[0]!;
        const said = consentAt(lines, purpose, channel, at);
        return said
          ? [
              [
                key,
                { purpose, channel, granted: said.granted, textVersion: said.textVersion },
              ] as const,
            ]
          : [];
      },
    ),
  );
type Change = { said: Standing; had: Standing | null };
const stricter = (a: Standing | null, b: Standing): Standing => (a && !a.granted ? a : b);
/** Timers of what waits follow the messages to whoever has them now. */
const resume = async (tx: Tx, person: PersonKey): Promise<void> =>
  resetTimers(
    tx,
    person,
    "messages.release",
    (await store.waitingOf(tx, person)).map(({ id, dueAt }) => ({ key: id, dueAt })),
  );
async function mergeConsent(house: House, tx: Tx, { id, from, into }: people.Merge): Promise<void> {
  const at = house.clocks.shop();
  const [theirs, own] = [await store.linesOf(tx, [from]), await store.linesOf(tx, [into])].map(
    (log) => standing(log, at),
  ) as [Map<string, Standing>, Map<string, Standing>];
  const changed = [...theirs].flatMap(([key, said]): Change[] => {
    const had = own.get(key);
    return !had || (had.granted && !said.granted) ? [{ said, had: had ?? null }] : [];
  });
  const proof = `merge:${id}`;
  await setConsent(
    house,
    tx,
    changed.map(({ said }) => ({ ...said, person: into, proof, at })),
    house.clocks.machine(),
  );
  await people.note(tx, from, id, "consent", changed);
}
/**
 * Messages go to the one who stays and count towards their limits. Of consents the stricter holds: what either took
 * back is taken back, in a line whose proof is the merge; the lines of the one who went stay as they were said.
 */
export const movers: people.Mover = {
  merge: async (house, tx, merges) => {
    const people = merges.flatMap(({ from, into }) => [from, into]);
    await store.lockPeople(tx, people);
    for (const person of await rows.merge(house, tx, merges)) await resume(tx, person);
    // Few have ever said anything: of the others there is nothing to compare.
    const said = new Set((await store.linesOf(tx, people)).map(({ personId }) => personId));
    for (const merge of merges)
      if (said.has(merge.from.personId)) {
        await mergeConsent(house, tx, merge);
        said.add(merge.into.personId);
      }
  },
  unmerge: async (house, tx, merge) => {
    const { id, from, into } = merge;
    const holder = await people.find(tx, into.personId);
    await store.lockPeople(tx, [from, into, ...(holder.ok ? [holder.value] : [])]);
    const changed = ((await people.noted(tx, from, id, "consent")) ?? []) as Change[];
    // What is to be taken back of the one it was given to, and then of whoever they turned out to be.
    let back = await takeBack(
      house,
      tx,
      into,
      id,
      changed.map(({ said, had }) => [said, had]),
      id,
    );
    for await (const on of people.onwards(tx, into)) {
      const noted = ((await people.noted(tx, on.from, on.id, "consent")) ?? []) as Change[];
      const next: Change[] = [];
      const ends: [Standing, Standing | null][] = [];
      for (const one of noted) {
        const [, is] = back.find(([said]) => keyOf(said) === keyOf(one.said)) ?? [];
        if (is === undefined) next.push(one);
        else {
          // Without whoever parts now, it may be another's word that counts, or nobody's.
          const counts = is && stricter(one.had, is) === is;
          if (counts) next.push({ said: is, had: one.had });
          ends.push([one.said, counts ? is : one.had]);
        }
      }
      await people.note(tx, on.from, on.id, "consent", next);
      back = await takeBack(house, tx, on.into, on.id, ends, id);
    }
    await rows.unmerge(house, tx, merge);
    await resume(tx, from);
    await resume(tx, holder.ok ? holder.value : into);
  },
};
const keyOf = ({ purpose, channel }: Standing) => `${purpose} ${channel}`;
/**
 * Lets stand again what stood before a merge's word, where that word still holds: what they said themselves meanwhile
 * holds. Gives what was let stand, for whoever they are by now.
 */
async function takeBack(
  house: House,
  tx: Tx,
  person: PersonKey,
  mergeId: string,
  ends: readonly (readonly [Standing, Standing | null])[],
  partedId: string,
): Promise<(readonly [Standing, Standing | null])[]> {
  const at = house.clocks.shop();
  const log = await store.linesOf(tx, [person]);
  const ours = ends.filter(
    ([{ purpose, channel }]) => consentAt(log, purpose, channel, at)?.proof === `merge:${mergeId}`,
  );
  await setConsent(
    house,
    tx,
    ours.map(([said, is]) => ({
      ...(is ?? { ...said, granted: false }),
      ...{ person, at, proof: `${mergeId === partedId ? "un" : ""}merge:${mergeId}` },
    })),
    house.clocks.machine(),
  );
  return ours;
}
