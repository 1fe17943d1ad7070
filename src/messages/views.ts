// Reads for the inbox, the preview outbox and a member's page. They never write.
import { eventsIn, type PersonKey, type Reader, type Slice } from "#kernel/sql.ts";
import { consentTold, languageOf, type Channel, type Language, type Purpose } from "./rules.ts";

/** The language of each person, from their profile. */
export async function languages(
  reader: Reader,
  people: readonly PersonKey[],
): Promise<Map<string, Language>> {
  const rows = await reader<{ personId: string; attributes: Parameters<typeof languageOf>[0] }[]>`
    select person_id, attributes from people_profile
    where bucket = any(${people.map(({ bucket }) => bucket)}::smallint[])
      and person_id = any(${people.map(({ personId }) => personId)}::uuid[])`;
  const known = new Map(rows.map(({ personId, attributes }) => [personId, languageOf(attributes)]));
  return new Map(people.map(({ personId }) => [personId, known.get(personId) ?? languageOf({})]));
}
/** The name of each good, as it was last seen at any source. */
export async function goodsNames(
  reader: Reader,
  skus: readonly string[],
): Promise<Map<string, string>> {
  if (skus.length === 0) return new Map();
  const rows = await reader<{ sku: string; name: string }[]>`
    select distinct on (sku) sku, name from catalog_product
    where sku = any(${[...new Set(skus)]}::text[]) order by sku, seen_at desc, source_id`;
  return new Map(rows.map(({ sku, name }) => [sku, name]));
}

type Data = { skus?: string[]; couponId?: string };
export type InInbox = PersonKey & {
  id: string;
  template: string;
  version: number;
  data: Data;
  at: Date;
  readAt: Date | null;
};
export const inbox = (reader: Reader, { bucket, personId }: PersonKey) =>
  reader<InInbox[]>`
    select m.bucket, m.person_id, m.id, m.template, m.version, m.data, d.sent_at as at, d.read_at
    from messages_delivery d join messages_message m
      on m.bucket = d.bucket and m.person_id = d.person_id and m.id = d.message_id
    where d.bucket = ${bucket} and d.person_id = ${personId} and d.channel = 'inapp' and d.state = 'sent'
    order by d.sent_at desc, m.id desc limit 100`;

export type OfMember = PersonKey & {
  id: string;
  purpose: Purpose;
  template: string;
  version: number;
  data: Data;
  cause: string;
  verdict: "waiting" | "queued" | "suppressed";
  reason: string | null;
  askedAt: Date;
  dueAt: Date;
  releasedAt: Date | null;
};
export const ofMember = (reader: Reader, { bucket, personId }: PersonKey) =>
  reader<OfMember[]>`
    select bucket, person_id, id, purpose, template, version, data, cause, verdict, reason, asked_at, due_at,
      released_at
    from messages_message where bucket = ${bucket} and person_id = ${personId}
    order by asked_at desc, id desc limit 200`;
export const deliveries = (reader: Reader, { bucket, personId }: PersonKey) =>
  reader<
    {
      messageId: string;
      channel: Channel;
      state: "ready" | "sending" | "sent" | "preview" | "failed" | "suppressed";
      attempts: number;
      reason: string | null;
      sentAt: Date | null;
      readAt: Date | null;
    }[]
  >`
    select message_id, channel, state, attempts, reason, sent_at, read_at from messages_delivery
    where bucket = ${bucket} and person_id = ${personId} order by message_id, channel desc`;

export type InPreview = PersonKey & {
  id: string;
  template: string;
  version: number;
  data: Data;
  at: Date;
  reason: string | null;
  language: Language | null;
};
export const preview = (reader: Reader, limit: number) =>
  reader<InPreview[]>`
    select m.bucket, m.person_id, m.id, m.template, m.version, m.data, d.due_at as at, d.reason, d.language
    from messages_delivery d join messages_message m
      on m.bucket = d.bucket and m.person_id = d.person_id and m.id = d.message_id
    where d.state = 'preview' order by d.due_at desc, m.id desc limit ${limit}`;
export async function previewTotal(reader: Reader): Promise<number> {
  const [row] = await reader<{ total: number }[]>`
    select count(*)::int as total from messages_delivery where state = 'preview'`;
  return row!.total;
}

/**
 * Invariant I11: messages that were let go, or left, without consent, over the cap or in quiet hours, each judged by
 * what was known and by the limits that stood when it went. Whole and in order, there is none.
 */
export const broken = (reader: Reader) =>
  reader<{ messageId: string; rule: string }[]>`
    with went as (
      select m.bucket, m.person_id, m.id, m.purpose, m.policy, d.channel, d.sent_at as at, d.consents
      from messages_message m join messages_delivery d
        on d.bucket = m.bucket and d.person_id = m.person_id and d.message_id = m.id
      where d.sent_at is not null
    ), released as (
      select bucket, person_id, id, purpose, policy, released_at as at from messages_message
      where released_at is not null
    )
    select id as message_id, 'consent' as rule from went w where coalesce((
      select not c.granted from messages_consent c
      where c.bucket = w.bucket and c.person_id = w.person_id and c.purpose = w.purpose
        and c.channel = w.channel and c.seq <= w.consents and c.at <= w.at
      order by c.at desc, c.seq desc limit 1), true)
    union all
    select id, 'cap' from released r where (
      select count(*) filter (where o.at > r.at - interval '7 days') > (r.policy->>'week')::int
        or count(*) > (r.policy->>'month')::int
      from released o
      where o.bucket = r.bucket and o.person_id = r.person_id and o.purpose = r.purpose
        and o.at <= r.at and o.at > r.at - interval '30 days')
    union all
    select id, 'quiet' from (
      select id, to_char(at at time zone (policy->>'timeZone'), 'HH24:MI') as wall,
        policy->>'quietFrom' as quiet_from, policy->>'quietUntil' as quiet_until
      from (select id, at, policy from went union all select id, at, policy from released) both_of
    ) walls
    where case when quiet_from <= quiet_until then wall >= quiet_from and wall < quiet_until
      else wall >= quiet_from or wall < quiet_until end`;

export type ConsentTold = PersonKey & { at: Date; data: Record<string, unknown> };
/** What a slice of the log tells of consents, of whoever the sender is now, in order of time. */
export const consentsToldIn = (reader: Reader, slice: Slice, leftOut: number) => reader<
  ConsentTold[]
>`
  select n.person_bucket as bucket, n.person_id, e.at, e.data
  from ${eventsIn(reader, slice)}
  join collect_source c on c.id = e.source_id and c.kind in ('server', 'import')
  cross join lateral (
    select * from people_node n where n.bucket = e.bucket and n.node_id = e.node_id offset 0
  ) n
  where e.name = ${consentTold} and e.flags & ${leftOut} = 0
  order by e.at, e.id`;
