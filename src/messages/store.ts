// Every SQL statement that writes consents, templates, messages and deliveries, and their own reads.
import type { PersonKey, Reader, Tx } from "#kernel/sql.ts";
import type { Channel, ConsentLine, Language, Policy, Purpose, Settings } from "./rules.ts";

type Text = { subject: string; body: string };
const bucketsOf = (rows: readonly PersonKey[]) => rows.map(({ bucket }) => bucket);
/** The driver takes a list of dates for one date: it gets their texts. */
const textOf = (dates: readonly (Date | null)[]) => dates.map((at) => at?.toISOString() ?? null);
const peopleOf = (rows: readonly PersonKey[]) => rows.map(({ personId }) => personId);

/**
 * Holds the rows of these people until the transaction ends, in one order for everybody. While they are held, no
 * consent of theirs changes and no other message to them is judged. Gives the length of each consent log.
 */
export const lockPeople = (tx: Tx, people: readonly PersonKey[]) =>
  tx<(PersonKey & { consents: number })[]>`
    insert into messages_person as p (bucket, person_id, consents)
    select distinct bucket, person_id, 0 from unnest(
      ${bucketsOf(people)}::smallint[], ${peopleOf(people)}::uuid[]) as n (bucket, person_id)
    order by person_id
    on conflict (bucket, person_id) do update set consents = p.consents
    returning bucket, person_id, consents`;

export type PersonLine = PersonKey & ConsentLine;
export const linesOf = (reader: Reader, people: readonly PersonKey[]) =>
  reader<PersonLine[]>`
    select bucket, person_id, seq, purpose, channel, granted, text_version, proof, made_up, at
    from messages_consent
    where bucket = any(${bucketsOf(people)}::smallint[]) and person_id = any(${peopleOf(people)}::uuid[])
    order by person_id, seq`;
/** Lines follow the ones that are there; the caller holds the people's rows. */
export async function addLines(
  tx: Tx,
  lines: readonly PersonLine[],
  recordedAt: Date,
): Promise<void> {
  for (let i = 0; i < lines.length; i += 5000)
    await tx`insert into messages_consent ${tx(
      lines.slice(i, i + 5000).map((line) => ({ ...line, recordedAt })),
      "bucket",
      "personId",
      "seq",
      "purpose",
      "channel",
      "granted",
      "textVersion",
      "proof",
      "madeUp",
      "at",
      "recordedAt",
    )}`;
  await tx`
    update messages_person p set consents = n.seq from (
      select bucket, person_id, max(seq) as seq from unnest(
        ${bucketsOf(lines)}::smallint[], ${peopleOf(lines)}::uuid[], ${lines.map(({ seq }) => seq)}::int[])
        as line (bucket, person_id, seq) group by 1, 2) n
    where p.bucket = n.bucket and p.person_id = n.person_id`;
}

export async function settings(reader: Reader): Promise<Settings> {
  const [row] = await reader<Settings[]>`
    select limits, quiet_from, quiet_until from messages_settings`;
  return row!;
}
export const saveSettings = (tx: Tx, { limits, quietFrom, quietUntil }: Settings) =>
  tx`
    update messages_settings
    set limits = ${tx.json(limits)}, quiet_from = ${quietFrom}, quiet_until = ${quietUntil}`;

export type Template = {
  key: string;
  version: number;
  purpose: Purpose;
  zh: Text;
  en: Text;
  at: Date;
};
export const latestTemplates = (reader: Reader) =>
  reader<Template[]>`
    select distinct on (key) key, version, purpose, zh, en, at from messages_template
    order by key, version desc`;
export const templatesOf = (reader: Reader, wanted: readonly { key: string; version: number }[]) =>
  reader<Template[]>`
    select key, version, purpose, zh, en, at from messages_template
    where (key, version) in (select * from unnest(
      ${wanted.map(({ key }) => key)}::text[], ${wanted.map(({ version }) => version)}::int[]))`;
/** Two who save at once go one after the other. */
export async function lockTemplate(tx: Tx, key: string): Promise<Template | null> {
  await tx`select from messages_settings for update`;
  const [row] = await tx<Template[]>`
    select key, version, purpose, zh, en, at from messages_template
    where key = ${key} order by version desc limit 1`;
  return row ?? null;
}
export const addTemplate = (tx: Tx, { zh, en, ...row }: Template) =>
  tx`insert into messages_template ${tx({ ...row, zh: tx.json(zh), en: tx.json(en) })}`;

/** What a message is made of: ids, never text. */
export type MessageData = { skus?: readonly string[]; couponId?: string };
export type Message = PersonKey & {
  id: string;
  purpose: Purpose;
  template: string;
  version: number;
  channels: Channel[];
  data: MessageData;
  cause: string;
  askedAt: Date;
  dueAt: Date;
  verdict: "waiting" | "queued" | "suppressed";
  reason: string | null;
  releasedAt: Date | null;
  consents: number;
  policy: Policy;
};
export async function addMessages(tx: Tx, rows: readonly Message[]): Promise<void> {
  for (let i = 0; i < rows.length; i += 3000)
    await tx`insert into messages_message ${tx(
      rows.slice(i, i + 3000).map((row) => ({
        ...row,
        data: tx.json(row.data as never),
        policy: tx.json(row.policy),
      })),
      "bucket",
      "personId",
      "id",
      "purpose",
      "template",
      "version",
      "channels",
      "data",
      "cause",
      "askedAt",
      "dueAt",
      "verdict",
      "reason",
      "releasedAt",
      "consents",
      "policy",
    )}`;
}
/** A new verdict on messages that waited; gives those that still did. */
export const judgeAgain = (tx: Tx, rows: readonly Message[]) =>
  tx<{ id: string }[]>`
    update messages_message m set due_at = n.due_at, verdict = n.verdict, reason = n.reason,
      released_at = n.released_at, consents = n.consents, policy = n.policy::jsonb
    from unnest(${bucketsOf(rows)}::smallint[], ${peopleOf(rows)}::uuid[], ${rows.map(({ id }) => id)}::uuid[],
      ${textOf(rows.map(({ dueAt }) => dueAt))}::timestamptz[], ${rows.map(({ verdict }) => verdict)}::text[],
      ${rows.map(({ reason }) => reason)}::text[], ${textOf(rows.map(({ releasedAt }) => releasedAt))}::timestamptz[],
      ${rows.map(({ consents }) => consents)}::int[], ${rows.map(({ policy }) => JSON.stringify(policy))}::text[])
      as n (bucket, person_id, id, due_at, verdict, reason, released_at, consents, policy)
    where (m.bucket, m.person_id, m.id) = (n.bucket, n.person_id, n.id) and m.verdict = 'waiting'
    returning m.id`;
/** Whatever of this person still waits to be let go. */
export const waitingOf = (tx: Tx, { bucket, personId }: PersonKey) =>
  tx<(PersonKey & { id: string; dueAt: Date })[]>`
    select bucket, person_id, id, due_at from messages_message
    where bucket = ${bucket} and person_id = ${personId} and verdict = 'waiting'`;
export const waiting = (tx: Tx, keys: readonly (PersonKey & { id: string })[]) =>
  tx<Message[]>`
    select * from messages_message
    where bucket = any(${bucketsOf(keys)}::smallint[]) and person_id = any(${peopleOf(keys)}::uuid[])
      and id = any(${keys.map(({ id }) => id)}::uuid[]) and verdict = 'waiting'
    order by asked_at, id`;
/** When messages were let go to these people after `since`. */
export const releasedOf = (reader: Reader, people: readonly PersonKey[], since: Date) =>
  reader<{ personId: string; purpose: Purpose; releasedAt: Date }[]>`
    select person_id, purpose, released_at from messages_message
    where bucket = any(${bucketsOf(people)}::smallint[]) and person_id = any(${peopleOf(people)}::uuid[])
      and released_at > ${since}`;

export type DeliveryState = "ready" | "sending" | "sent" | "preview" | "failed" | "suppressed";
export type Delivery = PersonKey & {
  messageId: string;
  channel: Channel;
  state: DeliveryState;
  reason: string | null;
  attempts: number;
  dueAt: Date;
  nextAt: Date;
  language: Language | null;
  consents: number;
  sentAt: Date | null;
};
export async function addDeliveries(tx: Tx, rows: readonly Delivery[]): Promise<void> {
  for (let i = 0; i < rows.length; i += 3000)
    await tx`insert into messages_delivery ${tx(rows.slice(i, i + 3000))}`;
}
export type Claimed = Delivery &
  Pick<Message, "purpose" | "template" | "version" | "data" | "policy">;
/** Mails that are due, and those whose sender has not been heard of since its claim ran out. */
export const dueMails = (tx: Tx, due: { shop: Date; machine: Date; limit: number }) =>
  tx<Claimed[]>`
    select d.bucket, d.person_id, d.message_id, d.channel, d.state, d.reason, d.attempts, d.due_at, d.next_at,
      d.language, d.consents, d.sent_at, m.purpose, m.template, m.version, m.data, m.policy
    from messages_delivery d join messages_message m
      on m.bucket = d.bucket and m.person_id = d.person_id and m.id = d.message_id
    where d.channel = 'email' and d.state in ('ready', 'sending') and d.next_at <= ${due.machine}
      and d.due_at <= ${due.shop}
    order by d.next_at, d.message_id limit ${due.limit} for update of d skip locked`;
export const saveDeliveries = (tx: Tx, rows: readonly Delivery[]) =>
  tx`
    update messages_delivery d set state = n.state, reason = n.reason, attempts = n.attempts, due_at = n.due_at,
      next_at = n.next_at, language = n.language, consents = n.consents, sent_at = n.sent_at
    from unnest(${bucketsOf(rows)}::smallint[], ${peopleOf(rows)}::uuid[],
      ${rows.map(({ messageId }) => messageId)}::uuid[], ${rows.map(({ channel }) => channel)}::text[],
      ${rows.map(({ state }) => state)}::text[], ${rows.map(({ reason }) => reason)}::text[],
      ${rows.map(({ attempts }) => attempts)}::smallint[], ${textOf(rows.map(({ dueAt }) => dueAt))}::timestamptz[],
      ${textOf(rows.map(({ nextAt }) => nextAt))}::timestamptz[], ${rows.map(({ language }) => language)}::text[],
      ${rows.map(({ consents }) => consents)}::int[], ${textOf(rows.map(({ sentAt }) => sentAt))}::timestamptz[])
      as n (bucket, person_id, message_id, channel, state, reason, attempts, due_at, next_at, language,
        consents, sent_at)
    where (d.bucket, d.person_id, d.message_id, d.channel) = (n.bucket, n.person_id, n.message_id, n.channel)`;
/** What became of a mail: written only by whoever still holds the claim of this attempt. */
export const settle = (
  reader: Reader,
  { bucket, personId, messageId, attempts }: Delivery,
  to: { state: DeliveryState; reason: string | null; nextAt: Date; acceptedAt: Date | null },
) =>
  reader`
    update messages_delivery set state = ${to.state}, reason = ${to.reason}, next_at = ${to.nextAt},
      accepted_at = ${to.acceptedAt}
    where bucket = ${bucket} and person_id = ${personId} and message_id = ${messageId} and channel = 'email'
      and state = 'sending' and attempts = ${attempts}`;

export const markRead = (tx: Tx, { bucket, personId }: PersonKey, messageId: string, at: Date) =>
  tx<{ readAt: Date }[]>`
    update messages_delivery set read_at = coalesce(read_at, ${at})
    where bucket = ${bucket} and person_id = ${personId} and message_id = ${messageId}
      and channel = 'inapp' and state = 'sent' returning read_at`;

/** Everything of one person; gives the ids of their messages. */
export async function eraseRows(tx: Tx, { bucket, personId }: PersonKey): Promise<string[]> {
  await tx`delete from messages_delivery where bucket = ${bucket} and person_id = ${personId}`;
  const gone = await tx<{ id: string }[]>`
    delete from messages_message where bucket = ${bucket} and person_id = ${personId} returning id`;
  await tx`delete from messages_consent where bucket = ${bucket} and person_id = ${personId}`;
  await tx`delete from messages_person where bucket = ${bucket} and person_id = ${personId}`;
  return gone.map(({ id }) => id);
}
