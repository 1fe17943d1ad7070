// Reads across domains for programmes: what to send, what came of it, and the people behind every number.
import type { PersonKey, Reader } from "#kernel/sql.ts";
import type { Arm, Node } from "./rules.ts";

/** Everybody who is in a segment now, with the line of its log by which they came in. */
export const frozen = (reader: Reader, segmentId: string) =>
  reader<(PersonKey & { logId: string | null })[]>`
    select m.bucket, m.person_id, l.id as log_id from segments_member m
    left join lateral (
      select id from segments_log l
      where l.bucket = m.bucket and l.person_id = m.person_id and l.segment_id = m.segment_id
        and l.change = 'entered'
      order by l.at desc, l.id desc limit 1
    ) l on true
    where m.segment_id = ${segmentId} order by m.bucket, m.person_id`;
export async function segmentPeople(reader: Reader, segmentId: string): Promise<number> {
  const [row] = await reader<{ people: number }[]>`
    select count(*)::int as people from segments_member where segment_id = ${segmentId}`;
  return row!.people;
}

/** The first `k` goods picked for each of these people, best first. */
export async function picks(
  reader: Reader,
  people: readonly PersonKey[],
  k: number,
): Promise<Map<string, string[]>> {
  const rows = await reader<{ personId: string; skus: string[] }[]>`
    select person_id, array_agg(sku order by rank) as skus from recommend_pick
    where (bucket, person_id) in (
      select * from unnest(${people.map((p) => p.bucket)}::smallint[],
        ${people.map((p) => p.personId)}::uuid[]))
      and rank <= ${k}
    group by person_id`;
  return new Map(rows.map(({ personId, skus }) => [personId, skus]));
}

export type Outcome = PersonKey & {
  arm: Arm;
  orders: number;
  revenueMinor: bigint;
  firstEventId: string | null;
  firstAt: Date | null;
};
/**
 * What everybody who was assigned did in [from, until), whether or not anything reached them. An order is one sale of
 * an amount above zero; revenue is sales less refunds.
 */
export const outcomes = (reader: Reader, experimentId: string, from: Date, until: Date) =>
  reader<Outcome[]>`
    select a.bucket, a.person_id, a.arm, coalesce(o.orders, 0) as orders,
      coalesce(o.revenue_minor, 0) as revenue_minor, o.first_event_id, o.first_at
    from experiments_assignment a
    left join lateral (
      select count(*) filter (where o.kind = 'sale' and o.amount_minor > 0)::int as orders,
        sum(o.amount_minor)::bigint as revenue_minor,
        (array_agg(o.event_id order by o.at, o.ref)
          filter (where o.kind = 'sale' and o.amount_minor > 0))[1] as first_event_id,
        min(o.at) filter (where o.kind = 'sale' and o.amount_minor > 0) as first_at
      from orders_order o
      where o.bucket = a.bucket and o.person_id = a.person_id
        and o.at >= ${from} and o.at < ${until}
    ) o on true
    -- Somebody who turned out to have been in both arms is in neither's result.
    where a.experiment_id = ${experimentId} and not a.crossed
    order by a.bucket, a.person_id`;

/** How every run of the house stands: its arms, and the verdict and advice where it is over. */
export const standings = (reader: Reader) =>
  reader<
    {
      runId: string;
      treated: number;
      control: number;
      verdict: string | null;
      differenceBp: number | null;
      intervalBp: [number, number] | null;
      advice: string | null;
    }[]
  >`
    select r.id as run_id,
      (select count(*)::int from experiments_assignment a
       where a.experiment_id = r.experiment_id and a.arm = 'treated' and not a.crossed) as treated,
      (select count(*)::int from experiments_assignment a
       where a.experiment_id = r.experiment_id and a.arm = 'control' and not a.crossed) as control,
      res.report->>'verdict' as verdict,
      (res.report->'primary'->>'differenceBp')::int as difference_bp,
      res.report->'primary'->'intervalBp' as interval_bp, d.advice
    from journeys_run r
    left join experiments_result res on res.experiment_id = r.experiment_id
    left join experiments_decision d on d.result_id = res.id`;

export const nodes = (reader: Reader, runId: string) =>
  reader<{ node: Node; people: number }[]>`
    select node, count(*)::int as people from journeys_enrolment
    where run_id = ${runId} group by node order by array_position(
      array['waiting', 'sent', 'no_budget', 'no_coupon', 'held_out'], node)`;
export async function coupons(reader: Reader, runId: string) {
  const [row] = await reader<{ issued: number; redeemed: number }[]>`
    select count(*)::int as issued,
      (count(*) filter (where c.state = 'redeemed'))::int as redeemed
    from journeys_enrolment e
    join offers_coupon c on (c.bucket, c.person_id, c.id) = (e.bucket, e.person_id, e.coupon_id)
    where e.run_id = ${runId}`;
  return row!;
}
export async function budget(reader: Reader, campaignId: string) {
  const [row] = await reader<
    {
      currency: string;
      couponLimit: number | null;
      coupons: number;
      minorLimit: bigint | null;
      minor: bigint;
    }[]
  >`
    select c.currency, b.coupon_limit, b.coupons, b.minor_limit, b.minor
    from offers_campaign c join offers_budget b on b.campaign_id = c.id
    where c.id = ${campaignId}`;
  return row ?? null;
}

export type Verdict =
  | "waiting"
  | "ready"
  | "sending"
  | "sent"
  | "preview"
  | "failed"
  | "suppressed";
/** One row a message and channel: the delivery's state where there is one, else the verdict on the message. */
const messagesOf = (reader: Reader, runId: string) => reader`
  select e.bucket, e.person_id, m.id, asked.channel,
    coalesce(d.state, case when m.verdict = 'queued' then 'suppressed' else m.verdict end) as verdict,
    coalesce(d.reason, m.reason) as reason
  from journeys_enrolment e
  join messages_message m
    on m.bucket = e.bucket and m.person_id = e.person_id and m.cause = e.id::text
  cross join unnest(m.channels) as asked(channel)
  left join messages_delivery d
    on (d.bucket, d.person_id, d.message_id, d.channel)
      = (m.bucket, m.person_id, m.id, asked.channel)
  where e.run_id = ${runId}`;
export const messages = (reader: Reader, runId: string) =>
  reader<{ channel: string; verdict: Verdict; reason: string | null; messages: number }[]>`
    select channel, verdict, reason, count(*)::int as messages
    from (${messagesOf(reader, runId)}) m
    group by channel, verdict, reason order by channel, messages desc, verdict, reason`;

export type Filter = {
  /** Those alone who turned out to have been in both arms; who asks for an arm never gets them. */
  crossed?: boolean | undefined;
  arm?: Arm | undefined;
  returned?: boolean | undefined;
  node?: Node | undefined;
  coupon?: "issued" | "redeemed" | undefined;
  channel?: string | undefined;
  verdict?: string | undefined;
};
export type Person = PersonKey & {
  enrolmentId: string;
  arm: Arm;
  node: Node;
  returned: boolean | null;
  revenueMinor: bigint | null;
  couponId: string | null;
  messages: { id: string; channel: string; verdict: Verdict }[];
  total: number;
};
/** The people of a run that a number counts, by id, one page. `total` is that number. */
export const people = (
  reader: Reader,
  run: { id: string; experimentId: string },
  filter: Filter,
  page: { after: string; limit: number },
) => {
  const { arm = null, returned = null, node = null, coupon = null } = filter;
  const { channel = null, verdict = null, crossed = false } = filter;
  return reader<Person[]>`
    with message as (${messagesOf(reader, run.id)}), mine as (
      select e.bucket, e.person_id, e.id as enrolment_id, e.arm, e.node, o.returned,
        o.revenue_minor, e.coupon_id
      from journeys_enrolment e
      left join experiments_outcome o
        on (o.bucket, o.person_id, o.experiment_id) = (e.bucket, e.person_id, ${run.experimentId})
      left join offers_coupon c
        on (c.bucket, c.person_id, c.id) = (e.bucket, e.person_id, e.coupon_id)
      left join experiments_assignment a
        on (a.bucket, a.person_id, a.experiment_id) = (e.bucket, e.person_id, ${run.experimentId})
      where e.run_id = ${run.id}
        and (${arm}::text is null or (e.arm = ${arm} and a.crossed is not true))
        and (not ${crossed} or a.crossed)
        and (${returned}::boolean is null or o.returned = ${returned})
        and (${node}::text is null or e.node = ${node})
        and (${coupon}::text is null or (e.coupon_id is not null
          and (${coupon} = 'issued' or c.state = 'redeemed')))
        and ((${channel}::text is null and ${verdict}::text is null) or exists (
          select from message m where m.bucket = e.bucket and m.person_id = e.person_id
            and (${channel}::text is null or m.channel = ${channel})
            and (${verdict}::text is null or m.verdict = ${verdict})))
    )
    select mine.*, (select count(*)::int from mine) as total,
      coalesce((
        select jsonb_agg(jsonb_build_object('id', m.id, 'channel', m.channel, 'verdict', m.verdict)
          order by m.channel)
        from message m where m.bucket = mine.bucket and m.person_id = mine.person_id
      ), '[]') as messages
    from mine where person_id > ${page.after} order by person_id limit ${page.limit}`;
};
