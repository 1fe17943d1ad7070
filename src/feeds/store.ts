// Every SQL statement that writes webhooks, their messages and the feed, and its own reads.
import { type PersonKey, type Reader, type Tx } from "#kernel/sql.ts";
import { limits, type Format, type Reason, type Signature } from "./rules.ts";

export type Webhook = {
  id: string;
  name: string;
  url: string;
  format: Format;
  signature: Signature;
  types: string[];
  segmentId: string | null;
  state: "on" | "off" | "deleted";
  reason: Reason | null;
  madeAt: Date;
  failingSince: Date | null;
  takenAt: Date | null;
  restUntil: Date | null;
};

// ── webhooks and what they sign with ───────────────────────────────────────────────────────────────────────────────

export const webhooks = (reader: Reader) => reader<Webhook[]>`
  select * from feeds_webhook where state <> 'deleted' order by made_at, id`;
export const webhook = async (reader: Reader, id: string): Promise<Webhook | undefined> =>
  (await reader<Webhook[]>`select * from feeds_webhook where id = ${id} and state <> 'deleted'`)[0];
/** Held by whoever changes it, so that two changes do not cross. */
export const lockWebhook = async (tx: Tx, id: string): Promise<Webhook | undefined> =>
  (
    await tx<Webhook[]>`
      select * from feeds_webhook where id = ${id} and state <> 'deleted' for update`
  )[0];
export const countWebhooks = async (tx: Tx): Promise<number> =>
  (
    await tx<{ n: number }[]>`
      select count(*)::int as n from feeds_webhook where state <> 'deleted'`
  )[0]!.n;
export const putWebhook = (tx: Tx, row: Webhook) => tx`
  insert into feeds_webhook ${tx(row)}
  on conflict (id) do update set name = excluded.name, url = excluded.url, types = excluded.types,
    format = excluded.format, segment_id = excluded.segment_id, state = excluded.state,
    reason = excluded.reason, failing_since = excluded.failing_since, rest_until = excluded.rest_until`;

export type Secret = {
  id: string;
  webhookId: string;
  sealed: Buffer;
  publicKey: string | null;
  madeAt: Date;
  until: Date | null;
};
export const addSecret = (tx: Tx, row: Secret) => tx`insert into feeds_secret ${tx(row)}`;
/** The newest first; those that were exchanged as long as they still sign. */
export const secrets = (reader: Reader, webhookIds: readonly string[], now: Date) =>
  reader<Secret[]>`
    select * from feeds_secret
    where webhook_id = any(${webhookIds as string[]}::uuid[]) and (until is null or until > ${now})
    order by webhook_id, made_at desc, id desc`;
export const endSecrets = (tx: Tx, webhookId: string, until: Date) => tx`
  update feeds_secret set until = ${until} where webhook_id = ${webhookId} and until is null`;
/** Only one that was exchanged stays beside the new one: what was exchanged before it signs no more. */
export const dropOldSecrets = (tx: Tx, webhookId: string) => tx`
  delete from feeds_secret where webhook_id = ${webhookId} and until is not null`;
export const dropSecrets = (tx: Tx, webhookId: string) => tx`
  delete from feeds_secret where webhook_id = ${webhookId}`;

// ── what happened ──────────────────────────────────────────────────────────────────────────────────────────────────

export type Asked = Pick<Webhook, "id" | "types" | "segmentId">;
/** Who wants to hear of something, and whether the feed is kept: one question for a whole transaction. */
export async function listening(reader: Reader): Promise<{ kept: boolean; webhooks: Asked[] }> {
  const rows = await reader<(Asked & { kept: boolean; id: string | null })[]>`
    select f.kept, w.id, w.types, w.segment_id
    from feeds_feed f left join feeds_webhook w on w.state = 'on'`;
  const asked = rows.filter(({ id }) => id !== null);
  return { kept: rows[0]!.kept, webhooks: asked };
}

export type EventRow = PersonKey & {
  id: string;
  type: string;
  at: Date;
  data: Record<string, unknown>;
};
/**
 * The next `count` positions of the feed, whose row is held until commit: what stands before a position that can be
 * seen can be seen too. Null where the feed is not kept.
 */
export async function givePositions(tx: Tx, count: number): Promise<bigint | null> {
  const [row] = await tx<{ first: bigint }[]>`
    update feeds_feed set next = next + ${count} where kept returning next - ${count} as first`;
  return row?.first ?? null;
}
export async function addEvents(
  tx: Tx,
  rows: readonly EventRow[],
  recordedAt: Date,
  first: bigint | null,
): Promise<void> {
  for (let i = 0; i < rows.length; i += 5000)
    await tx`
      insert into feeds_event ${tx(
        rows.slice(i, i + 5000).map((row, at) => ({
          ...row,
          data: tx.json(row.data as never),
          recordedAt,
          position: first === null ? null : first + BigInt(i + at),
        })),
      )}`;
}
export type Due = PersonKey & { eventId: string; webhookId: string };
export async function addDeliveries(tx: Tx, rows: readonly Due[], at: Date): Promise<void> {
  for (let i = 0; i < rows.length; i += 5000)
    await tx`
      insert into feeds_delivery ${tx(
        rows.slice(i, i + 5000).map((row) => ({ ...row, nextAt: at, madeAt: at })),
      )}`;
}

// ── deliveries ─────────────────────────────────────────────────────────────────────────────────────────────────────

export type Claimed = Due & {
  attempts: number;
  type: string;
  at: Date;
  data: Record<string, unknown>;
};
const keysOf = (rows: readonly Due[]) => ({
  buckets: rows.map(({ bucket }) => bucket),
  people: rows.map(({ personId }) => personId),
  events: rows.map(({ eventId }) => eventId),
  hooks: rows.map(({ webhookId }) => webhookId),
});
/**
 * Takes what is due, a helping for each webhook that is on and not in `busy`; what another process holds is left to it.
 * Taken, it is due again after a while, for a sender who dies.
 */
export async function claim(
  reader: Reader,
  now: Date,
  busy: readonly string[],
): Promise<Claimed[]> {
  const until = new Date(now.getTime() + limits.claimMs);
  // Materialized: a plan may run a joined subquery more than once, and it would then take more than its limit.
  const rows = await reader<Claimed[]>`
    with due as materialized (
      select d.* from feeds_webhook w cross join lateral (
        select bucket, person_id, event_id, webhook_id from feeds_delivery
        where webhook_id = w.id and state = 'waiting' and next_at <= ${now}
        order by next_at, event_id
        limit case when w.failing_since is null then ${limits.batch}::int else ${limits.failingBatch}::int end
        for update skip locked
      ) d
      where w.state = 'on' and coalesce(w.rest_until <= ${now}, true)
        and not w.id = any(${busy as string[]}::uuid[])
    ), taken as (
      update feeds_delivery d set next_at = ${until}, attempts = d.attempts + 1 from due
      where (d.bucket, d.person_id, d.event_id, d.webhook_id)
        = (due.bucket, due.person_id, due.event_id, due.webhook_id)
      returning d.bucket, d.person_id, d.event_id, d.webhook_id, d.attempts
    )
    select t.*, e.type, e.at, e.data from taken t
    join feeds_event e on e.bucket = t.bucket and e.person_id = t.person_id and e.id = t.event_id`;
  return [...rows].sort((a, b) => (a.eventId < b.eventId ? -1 : 1));
}

export type Settled = Due & {
  /** Of the attempt. */
  id: string;
  at: Date;
  ms: number;
  status: number | null;
  code: string | null;
  body: Buffer | null;
  cut: boolean;
  state: "waiting" | "taken" | "failed";
  nextAt: Date;
};
/**
 * Writes down what became of attempts. What was erased meanwhile stays as it is; what was given up because its webhook was
 * turned off, and had got there all the same, is taken.
 */
export async function settle(tx: Tx, rows: readonly Settled[]): Promise<void> {
  const { buckets, people, events, hooks } = keysOf(rows);
  const texts = (pick: (row: Settled) => string | null) => rows.map(pick);
  const known = await tx<{ eventId: string; webhookId: string }[]>`
    update feeds_delivery d
    set state = n.state, next_at = n.next_at, status = n.status, code = n.code,
      done_at = case when n.state = 'waiting' then null else n.at end
    from unnest(${buckets}::smallint[], ${people}::uuid[], ${events}::uuid[], ${hooks}::uuid[],
      ${texts(({ state }) => state)}::text[], ${rows.map(({ nextAt }) => nextAt.toISOString())}::timestamptz[],
      ${rows.map(({ status }) => status)}::smallint[], ${texts(({ code }) => code)}::text[],
      ${rows.map(({ at }) => at.toISOString())}::timestamptz[])
      as n(bucket, person_id, event_id, webhook_id, state, next_at, status, code, at)
    where (d.bucket, d.person_id, d.event_id, d.webhook_id)
      = (n.bucket, n.person_id, n.event_id, n.webhook_id)
      and (d.state = 'waiting' or (d.state = 'failed' and n.state = 'taken'))
    returning d.event_id, d.webhook_id`;
  const there = new Set(known.map((row) => `${row.eventId} ${row.webhookId}`));
  const attempts = rows.filter((row) => there.has(`${row.eventId} ${row.webhookId}`));
  if (attempts.length === 0) return;
  await tx`
    insert into feeds_attempt
      ${tx(attempts, "bucket", "personId", "eventId", "webhookId", "id", "at", "ms", "status", "code", "body", "cut")}`;
}

export type Health = {
  webhookId: string;
  at: Date;
  taken: boolean;
  failed: boolean;
  restUntil: Date | null;
};
/** How a webhook fares: locked in one order, and written only where it changes, or about once a minute. */
export async function markHealth(tx: Tx, all: readonly Health[]): Promise<Webhook[]> {
  const ids = all.map(({ webhookId }) => webhookId);
  const rows = await tx<Webhook[]>`
    select * from feeds_webhook where id = any(${ids}::uuid[]) order by id for update`;
  const of = new Map(all.map((one) => [one.webhookId, one]));
  for (const row of rows) {
    const { at, taken, failed, restUntil } = of.get(row.id)!;
    const failingSince = taken ? null : failed ? (row.failingSince ?? at) : row.failingSince;
    const stale = taken && (!row.takenAt || at.getTime() - row.takenAt.getTime() > 60_000);
    const same = failingSince?.getTime() === row.failingSince?.getTime();
    const rest = restUntil && (!row.restUntil || restUntil > row.restUntil);
    Object.assign(row, { failingSince });
    if (same && !stale && !rest) continue;
    await tx`
      update feeds_webhook set failing_since = ${failingSince},
        taken_at = ${taken ? at : row.takenAt}, rest_until = ${rest ? restUntil : row.restUntil}
      where id = ${row.id}`;
  }
  return rows;
}
/** Turns it off; what waited for it has failed, and can be sent again by hand. False where it was off already. */
export async function turnOff(tx: Tx, id: string, reason: Reason, at: Date): Promise<boolean> {
  const done = await tx`
    update feeds_webhook set state = 'off', reason = ${reason} where id = ${id} and state = 'on'`;
  if (done.count === 0) return false;
  await failWaiting(tx, id, at);
  return true;
}
export const failWaiting = (tx: Tx, id: string, at: Date) => tx`
  update feeds_delivery set state = 'failed', done_at = ${at}, code = coalesce(code, 'off')
  where webhook_id = ${id} and state = 'waiting'`;

/** What came to wait while its webhook was being turned off. */
export const failStranded = (tx: Tx, at: Date) => tx`
  update feeds_delivery d set state = 'failed', done_at = ${at}, code = coalesce(d.code, 'off')
  from feeds_webhook w where w.id = d.webhook_id and w.state <> 'on' and d.state = 'waiting'`;

/** Sends one again, whatever became of it: under the same number. */
export const replayOne = async (tx: Tx, webhookId: string, eventId: string, at: Date) =>
  (
    await tx`
      update feeds_delivery set state = 'waiting', attempts = 0, next_at = ${at}, done_at = null
      where webhook_id = ${webhookId} and event_id = ${eventId}`
  ).count > 0;
export const replayFailed = async (tx: Tx, webhookId: string, since: Date, at: Date) =>
  (
    await tx`
      update feeds_delivery d set state = 'waiting', attempts = 0, next_at = ${at}, done_at = null
      from (
        select bucket, person_id, event_id from feeds_delivery
        where webhook_id = ${webhookId} and state = 'failed' and made_at >= ${since}
        order by made_at limit ${limits.replay}
      ) f
      where (d.bucket, d.person_id, d.event_id) = (f.bucket, f.person_id, f.event_id)
        and d.webhook_id = ${webhookId}`
  ).count;

// ── the feed ───────────────────────────────────────────────────────────────────────────────────────────────────────

export type Feed = { kept: boolean; next: bigint; oldest: bigint };
export const feed = async (reader: Reader): Promise<Feed> =>
  (await reader<Feed[]>`select kept, next, oldest from feeds_feed`)[0]!;
/** Kept anew, it begins anew: what happened meanwhile is not in it, and a reader from before is told so. */
export const keepFeed = (tx: Tx, kept: boolean) => tx`
  update feeds_feed set kept = ${kept},
    oldest = case when ${kept} and not kept then next + 1 else oldest end,
    next = case when ${kept} and not kept then next + 1 else next end`;

export type FeedRow = EventRow & { position: bigint };
/** What stands after a position, of the named types; and the feed as it was in the same view. */
export async function read(
  reader: Reader,
  after: bigint,
  types: readonly string[] | null,
  limit: number,
): Promise<{ feed: Feed; rows: FeedRow[] }> {
  const rows = await reader<(Feed & FeedRow & { position: bigint | null })[]>`
    select f.kept, f.next, f.oldest, e.* from feeds_feed f left join lateral (
      select bucket, person_id, id, type, at, data, position from feeds_event
      where position > ${String(after)}::bigint and position < f.next
        and ${types === null ? reader`true` : reader`type = any(${types as string[]})`}
      order by position limit ${limit}
    ) e on true order by e.position`;
  return { feed: rows[0]!, rows: rows.filter(({ position }) => position !== null) };
}

// ── what goes ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** A helping of what is older; the feed then begins after it. Says how many rows went. */
export async function forget(tx: Tx, before: Date, limit: number): Promise<number> {
  const attempts = await tx`
    delete from feeds_attempt where (bucket, person_id, event_id, webhook_id, id) in (
      select bucket, person_id, event_id, webhook_id, id from feeds_attempt
      where at < ${before} order by at limit ${limit})`;
  const deliveries = await tx`
    delete from feeds_delivery where (bucket, person_id, event_id, webhook_id) in (
      select bucket, person_id, event_id, webhook_id from feeds_delivery
      where made_at < ${before} order by made_at limit ${limit})`;
  // An event of which a delivery still waits is not gone before it.
  const events = await tx<{ position: bigint | null }[]>`
    delete from feeds_event where (bucket, person_id, id) in (
      select bucket, person_id, id from feeds_event e
      where recorded_at < ${before} and not exists (
        select from feeds_delivery d
        where d.bucket = e.bucket and d.person_id = e.person_id and d.event_id = e.id)
      order by recorded_at limit ${limit})
    returning position`;
  const last = events.reduce(
    (max, { position }) => (position !== null && position > max ? position : max),
    0n,
  );
  if (last > 0n)
    await tx`update feeds_feed set oldest = greatest(oldest, ${String(last + 1n)}::bigint)`;
  return attempts.count + deliveries.count + events.count;
}

/** Everything feeds hold of a person. */
export async function erasePerson(tx: Tx, { bucket, personId }: PersonKey): Promise<void> {
  await tx`delete from feeds_attempt where bucket = ${bucket} and person_id = ${personId}`;
  await tx`delete from feeds_delivery where bucket = ${bucket} and person_id = ${personId}`;
  await tx`delete from feeds_event where bucket = ${bucket} and person_id = ${personId}`;
}
