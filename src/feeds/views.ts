// Reads for the page of webhooks, and who of some people is in which segment. Nothing here writes.
import type { PersonKey, Reader } from "#kernel/sql.ts";

export type Standing = { webhookId: string; waiting: number; failed: number };
/** How many messages of each webhook wait, and how many failed in the last 30 days. */
export const standings = (reader: Reader) => reader<Standing[]>`
  select webhook_id, count(*) filter (where state = 'waiting')::int as waiting,
    count(*) filter (where state = 'failed')::int as failed
  from (
    select webhook_id, state from feeds_delivery where state = 'waiting'
    union all select webhook_id, state from feeds_delivery where state = 'failed'
  ) d group by webhook_id`;

export type Delivery = {
  eventId: string;
  type: string;
  at: Date;
  madeAt: Date;
  state: "waiting" | "taken" | "failed";
  attempts: number;
  nextAt: Date;
  doneAt: Date | null;
  status: number | null;
  code: string | null;
  ms: number | null;
};
/** The latest first. */
export const deliveries = (
  reader: Reader,
  webhookId: string,
  state: string | null,
  before: string | null,
  limit: number,
) => reader<Delivery[]>`
  select d.event_id, e.type, e.at, d.made_at, d.state, d.attempts, d.next_at, d.done_at, d.status,
    d.code, (
      select a.ms from feeds_attempt a
      where (a.bucket, a.person_id, a.event_id, a.webhook_id)
        = (d.bucket, d.person_id, d.event_id, d.webhook_id)
      order by a.id desc limit 1
    ) as ms
  from feeds_delivery d
  join feeds_event e on (e.bucket, e.person_id, e.id) = (d.bucket, d.person_id, d.event_id)
  where d.webhook_id = ${webhookId}
    and ${state === null ? reader`true` : reader`d.state = ${state}`}
    and ${before === null ? reader`true` : reader`d.event_id < ${before}`}
  order by d.event_id desc limit ${limit}`;

export type Attempt = {
  at: Date;
  ms: number;
  status: number | null;
  code: string | null;
  body: Buffer | null;
  bytes: number | null;
  cut: boolean;
};
type Shown = {
  type: string;
  at: Date;
  data: Record<string, unknown>;
  personId: string;
  state: Delivery["state"];
};
/** What was sent and each attempt, the latest first; of an answer as many bytes as are shown. */
export async function delivery(
  reader: Reader,
  webhookId: string,
  eventId: string,
  shownBytes: number,
): Promise<(Shown & { attempts: Attempt[] }) | null> {
  const [event] = await reader<Shown[]>`
    select e.type, e.at, e.data, e.person_id, d.state from feeds_delivery d
    join feeds_event e on (e.bucket, e.person_id, e.id) = (d.bucket, d.person_id, d.event_id)
    where d.webhook_id = ${webhookId} and d.event_id = ${eventId}`;
  if (!event) return null;
  const attempts = await reader<Attempt[]>`
    select a.at, a.ms, a.status, a.code, substring(a.body from 1 for ${shownBytes}) as body,
      length(a.body) as bytes, a.cut
    from feeds_delivery d join feeds_attempt a
      on (a.bucket, a.person_id, a.event_id, a.webhook_id)
        = (d.bucket, d.person_id, d.event_id, d.webhook_id)
    where d.webhook_id = ${webhookId} and d.event_id = ${eventId}
    order by a.id desc limit 50`;
  return { ...event, attempts: [...attempts] };
}

/** Of these people, who is in which of these segments, as "segment person". */
export async function membersAmong(
  reader: Reader,
  segmentIds: readonly string[],
  people: readonly PersonKey[],
): Promise<Set<string>> {
  if (segmentIds.length === 0) return new Set();
  const rows = await reader<{ segmentId: string; personId: string }[]>`
    select m.segment_id, m.person_id from segments_member m
    join unnest(${people.map(({ bucket }) => bucket)}::smallint[],
      ${people.map(({ personId }) => personId)}::uuid[]) as p(bucket, person_id)
      on m.bucket = p.bucket and m.person_id = p.person_id
    where m.segment_id = any(${segmentIds as string[]}::uuid[])`;
  return new Set(rows.map(({ segmentId, personId }) => `${segmentId} ${personId}`));
}
