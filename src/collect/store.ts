// Every SQL statement that writes the log, and its own reads.
import { nobody } from "#kernel/ids.ts";
import { bigintList, type Reader, type Slice, type Tx } from "#kernel/sql.ts";
import type { Protocol, RejectedFilter } from "./rules.ts";

export type EventRow = {
  bucket: number;
  id: string;
  nodeId: string | null;
  name: string;
  at: Date;
  data: string; // JSON text
  sealed: Buffer | null;
  links: readonly { nodeBucket: number; nodeId: string }[];
  flags: number;
};

/** How often nodes of each bucket were erased. */
export const epochs = async (reader: Reader): Promise<Map<number, bigint>> => {
  const rows = await reader<{ bucket: number; epoch: bigint }[]>`
    select bucket, epoch from collect_offset`;
  return new Map(rows.map(({ bucket, epoch }) => [bucket, epoch]));
};
export const countErasure = (tx: Tx, buckets: number[]) => tx`
  with held as materialized (
    select bucket from collect_offset where bucket = any(${buckets}::smallint[]) order by bucket for update
  )
  update collect_offset o set epoch = o.epoch + 1 from held where o.bucket = held.bucket`;

/**
 * Writes what is not there yet, in one statement, so that it is a transaction of its own where none is open: claims the
 * message keys, sorted, so that two with the same keys wait and do not deadlock; then holds the rows of the buckets,
 * lowest first, until commit, and gives offsets under them, so that offsets become visible in order. Gives the ids that
 * were new. Ids are distinct. `remembered`: the epoch that each bucket's nodes were remembered from; where one has
 * passed the statement fails with `outdated`, and nothing is written.
 */
export const append = (
  reader: Reader,
  sourceId: string,
  rows: readonly EventRow[],
  receivedAt: Date,
  remembered: ReadonlyMap<number, bigint>,
) => {
  const buckets = [...new Set([...rows.map(({ bucket }) => bucket), ...remembered.keys()])];
  // Lists as PostgreSQL writes them: the driver would quote and look through every item of each.
  return reader<{ id: string }[]>`
    with told as materialized (
      select * from unnest(
        ${plainList(rows, ({ id }) => id)}::text::uuid[],
        ${plainList(rows, ({ bucket }) => String(bucket))}::text::smallint[],
        ${plainList(rows, ({ nodeId }) => nodeId ?? "null")}::text::uuid[],
        ${textList(rows, ({ name }) => name)}::text::text[],
        ${plainList(rows, ({ at }) => `"${at.toISOString()}"`)}::text::timestamptz[],
        ${textList(rows, ({ data }) => data)}::text::text[],
        ${plainList(rows, ({ sealed }) => (sealed ? sealed.toString("hex") : "null"))}::text::text[],
        ${plainList(rows, ({ links }) => nested(links.map((link) => String(link.nodeBucket))))}::text::text[],
        ${plainList(rows, ({ links }) => nested(links.map((link) => link.nodeId)))}::text::text[],
        ${plainList(rows, ({ flags }) => String(flags))}::text::smallint[]
      ) with ordinality
        as t(id, bucket, node_id, name, at, data, sealed, link_buckets, link_ids, flags, nth)
    ), claimed as (
      insert into collect_message_key (id, at) select id, ${receivedAt} from told order by id
      on conflict do nothing returning id
    ), fresh as materialized (
      select told.*, row_number() over (partition by bucket order by nth) - 1 as rank
      from told join claimed using (id)
    ), held as materialized (
      select bucket, next, epoch from collect_offset
      where bucket = any(${buckets}::smallint[]) and (select count(*) from claimed) > 0
      order by bucket for update
    ), sure as (
      select 1 / (case when exists (
        select from held join unnest(${[...remembered.keys()]}::smallint[],
          ${bigintList([...remembered.values()])}::bigint[]) as r(bucket, epoch) using (bucket)
        where held.epoch <> r.epoch
      ) then 0 else 1 end) as "is"
    ), moved as (
      update collect_offset o set next = held.next + c.count
      from held join (select bucket, count(*) from fresh group by bucket) c using (bucket)
      where o.bucket = held.bucket
    ), written as (
      insert into collect_event (bucket, "offset", id, source_id, node_id, name, at, received_at, data,
        sealed, link_buckets, link_ids, flags)
      select bucket, held.next + rank, id, ${sourceId}, node_id, name, at, ${receivedAt}, data::jsonb,
        decode(sealed, 'hex'), link_buckets::smallint[], link_ids::uuid[], flags
      from fresh join held using (bucket)
    )
    select id from claimed where (select "is" from sure) = 1`;
};
/** Did a write fail because a node that was remembered may be gone? */
export const isOutdated = (thrown: unknown): boolean =>
  (thrown as { code?: string } | null)?.code === "22012"; // division by zero: `sure` above

const plainList = <T>(items: readonly T[], of: (item: T) => string): string =>
  `{${items.map(of).join(",")}}`;
const textList = <T>(items: readonly T[], of: (item: T) => string): string =>
  `{${items.map((item) => `"${of(item).replaceAll(/["\\]/g, "\\$&")}"`).join(",")}}`;
const nested = (items: readonly string[]): string =>
  items.length === 0 ? "null" : `"{${items.join(",")}}"`;

export const forgetKeys = (reader: Reader, before: Date, limit: number) => reader`
  delete from collect_message_key where id in (
    select id from collect_message_key where at < ${before} limit ${limit})`;
export const forgetRejected = (reader: Reader, before: Date, limit: number) => reader`
  delete from collect_rejected where id in (
    select id from collect_rejected where at < ${before} order by at limit ${limit})`;

/** Claims the buckets that have something unread, and says which part of them to read: at most `limit` events. */
export async function unread(
  tx: Tx,
  consumer: string,
  limit: number,
  except: readonly number[] = [],
): Promise<Slice> {
  const rows = await tx<{ bucket: number; from: bigint; to: bigint }[]>`
    select c.bucket, c.next as "from", o.next - 1 as "to" from collect_consumer c
    join collect_offset o on o.bucket = c.bucket
    where c.consumer = ${consumer} and c.next < o.next
      and c.bucket <> all(${except as number[]}::smallint[])
    order by c.bucket for update of c skip locked`;
  return take(rows, limit);
}
export async function isUnread(reader: Reader, consumer: string): Promise<boolean> {
  const [row] = await reader<{ unread: boolean }[]>`
    select exists (
      select from collect_consumer c join collect_offset o on o.bucket = c.bucket
      where c.consumer = ${consumer} and c.next < o.next
    ) as unread`;
  return row!.unread;
}
export const saveRead = (tx: Tx, consumer: string, { buckets, tos }: Slice) => tx`
  update collect_consumer c set next = n.next
  from unnest(${buckets}::smallint[], ${bigintList(tos.map((to) => to + 1n))}::bigint[]) as n(bucket, next)
  where c.consumer = ${consumer} and c.bucket = n.bucket`;

// ── what a consumer could not read ───────────────────────────────────────────────────────────────────────────────

export type LogRow = {
  id: string;
  sourceId: string;
  nodeId: string | null;
  name: string;
  at: string; // as PostgreSQL writes it: it may be no instant that JavaScript knows
  data: string; // JSON text
  sealed: Buffer | null;
};
/** The event at which a consumer stands, held until commit; null where it has gone on, or nothing is there. */
export async function standingAt(
  tx: Tx,
  consumer: string,
  bucket: number,
  offset: bigint,
): Promise<LogRow | null> {
  const [held] = await tx<{ next: bigint }[]>`
    select next from collect_consumer where consumer = ${consumer} and bucket = ${bucket} for update`;
  if (held?.next !== offset) return null;
  const [row] = await tx<LogRow[]>`
    select id, source_id, node_id, name, at::text as at, data::text as data, sealed from collect_event
    where bucket = ${bucket} and "offset" = ${offset}`;
  return row ?? null;
}
/** An event leaves the log, and may come again. */
export async function takeOut(tx: Tx, bucket: number, offset: bigint, id: string): Promise<void> {
  await tx`delete from collect_event where bucket = ${bucket} and "offset" = ${offset}`;
  await tx`delete from collect_message_key where id = ${id}`;
}
type Parked = {
  consumer: string;
  bucket: number;
  offset: bigint;
  eventId: string;
  sourceId: string;
  nodeId: string | null;
  rejectedId: string | null;
  fault: string;
  at: Date;
  columnsAt: Date | null;
};
export const addParked = (tx: Tx, row: Parked) => tx`
  insert into collect_parked ${tx({ ...row, offset: String(row.offset) })} on conflict do nothing`;
type Place = { bucket: number; offset: bigint };
/** What left the log and may be in the columns still. */
export const parkedInColumns = (reader: Reader, limit: number) => reader<Place[]>`
  select bucket, "offset" from collect_parked where columns_at is null order by at limit ${limit}`;
export const markParked = (reader: Reader, places: readonly Place[], at: Date) => reader`
  update collect_parked p set columns_at = ${at}
  from unnest(${places.map((one) => one.bucket)}::smallint[],
    ${bigintList(places.map((one) => one.offset))}::bigint[]) as n(bucket, "offset")
  where (p.bucket, p."offset") = (n.bucket, n."offset") and p.columns_at is null`;
export const forgetParked = (reader: Reader, before: Date) => reader`
  delete from collect_parked where at < ${before} and columns_at is not null`;

/** Of each bucket, the first event that a consumer has not read. */
export const nextOf = (reader: Reader, consumer: string) =>
  reader<{ bucket: number; next: bigint }[]>`
    select bucket, next from collect_consumer where consumer = ${consumer}`;

function take(rows: { bucket: number; from: bigint; to: bigint }[], limit: number): Slice {
  const slice: Slice = { buckets: [], froms: [], tos: [] };
  let left = BigInt(limit);
  for (const { bucket, from, to } of rows) {
    if (left === 0n) break;
    const last = to - from + 1n > left ? from + left - 1n : to;
    left -= last - from + 1n;
    slice.buckets.push(bucket);
    slice.froms.push(from);
    slice.tos.push(last);
  }
  return slice;
}

/** Cuts a batch for the columns: the ranges are written down before anything is sent. */
export async function cut(tx: Tx, target: string, limit: number): Promise<Batch | null> {
  const rows = await tx<{ bucket: number; from: bigint; to: bigint }[]>`
    select c.bucket, c.next as "from", o.next - 1 as "to" from collect_cut c
    join collect_offset o on o.bucket = c.bucket
    where c.target = ${target} and c.next < o.next
    order by c.bucket for update of c skip locked`;
  const { buckets, froms, tos } = take(rows, limit);
  if (buckets.length === 0) return null;
  const [counted] = await tx<{ rows: bigint }[]>`
    select count(*) as rows
    from unnest(${buckets}::smallint[], ${bigintList(froms)}::bigint[], ${bigintList(tos)}::bigint[]) as r(bucket, "from", "to")
    join collect_event e on e.bucket = r.bucket and e."offset" between r."from" and r."to"`;
  const [batch] = await tx<Batch[]>`
    insert into collect_batch (target, buckets, froms, tos, rows, state)
    values (${target}, ${buckets}::smallint[], ${bigintList(froms)}::bigint[], ${bigintList(tos)}::bigint[],
      ${counted!.rows}, 'cut')
    returning id, target, buckets, froms, tos, rows, attempt, state`;
  await tx`
    update collect_cut c set next = n.next
    from unnest(${buckets}::smallint[], ${bigintList(tos.map((to) => to + 1n))}::bigint[]) as n(bucket, next)
    where c.target = ${target} and c.bucket = n.bucket`;
  return batch!;
}
export type Batch = Slice & {
  id: bigint;
  target: string;
  rows: bigint;
  attempt: number;
  state: "cut" | "sent" | "checkpoint";
};
export const openBatches = (reader: Reader) =>
  reader<Batch[]>`
    select id, target, buckets, froms, tos, rows, attempt, state from collect_batch
    where state <> 'checkpoint' order by id`;
/** Is anything not cut yet, not sent or not confirmed? Asked every second, so it is one statement. */
export async function isOpen(reader: Reader, target: string): Promise<boolean> {
  const [row] = await reader<{ open: boolean }[]>`
    select exists (select from collect_batch where state <> 'checkpoint')
    or exists (select from collect_parked where columns_at is null) or exists (
      select from collect_cut c join collect_offset o on o.bucket = c.bucket
      where c.target = ${target} and c.next < o.next
    ) as open`;
  return row!.open;
}
/** Batches whose sending was not heard to end. */
export const cutBatches = (reader: Reader) =>
  reader<Batch[]>`
    select id, target, buckets, froms, tos, rows, attempt, state from collect_batch
    where state = 'cut' order by id`;
export const markBatch = (reader: Reader, id: bigint, state: Batch["state"]) =>
  reader`update collect_batch set state = ${state} where id = ${id}`;
export const checkpoint = (reader: Reader) =>
  reader`update collect_batch set state = 'checkpoint' where state = 'sent'`;
export const nextAttempt = (reader: Reader, id: bigint) =>
  reader<{ attempt: number }[]>`
    update collect_batch set attempt = attempt + 1, state = 'cut' where id = ${id} returning attempt`;

/**
 * A batch's rows, each as the line of JSON that the columns read. A line of an order in another currency than the shop's
 * is in no figure.
 */
export const batchLines = (reader: Reader, id: bigint, currency: string) => reader<
  { line: string }[]
>`
  select json_build_object(
    'bucket', e.bucket, 'offset', e."offset", 'id', e.id, 'source_id', e.source_id,
    'node_id', coalesce(e.node_id, ${nobody}::uuid), 'name', e.name,
    -- Whatever stands in the log becomes a line: one that the columns could not read would stop all that follow.
    'at', to_char(greatest(least(e.at, '2199-12-31Z'::timestamptz), '1900-01-01Z') at time zone 'UTC',
      'YYYY-MM-DD HH24:MI:SS.MS'),
    -- Figures are those of orders that are no claim: whatever else calls something so is no figure of the shop's.
    'order_ref', coalesce(o.ref, ''),
    'order_kind', coalesce(case when e.name <> 'Order Line' or coalesce(e.data->>'currency', ${currency}) = ${currency}
      then o.kind else 'adjustment' end, ''),
    'sku', coalesce(case when e.name = 'Order Line' then e.data->>'sku' end, ''),
    'quantity', ${figure(reader, "o.items")},
    'amount_minor', ${figure(reader, "o.amount")},
    'order_marks', case when e.name = 'Order Line' or o.ref is null then 0
      else ${figure(reader, "o.marks")} & 3 | case when o.amount is null then 4 else 0 end end,
    -- A whole number beyond 64 bits makes ClickHouse's reader refuse all of its object: 10^18, which is no number to any
    -- rule, stands in its place, and what holds one deeper down is left empty.
    'data', case
      when e.name = 'Order Line' then '{}'
      when e.data::text !~ '[0-9]{19}' then e.data::text
      else (select coalesce(jsonb_object_agg(d.key, case
          when jsonb_typeof(d.value) = 'number' and abs(d.value::numeric) >= 1000000000000000000
            then '1000000000000000000'::jsonb
          when jsonb_typeof(d.value) in ('object', 'array') and d.value::text ~ '[0-9]{19}'
            then '[]'::jsonb
          else d.value end), '{}')::text
        from jsonb_each(e.data) d) end,
    'flags', e.flags)::text as line
  from collect_batch b, unnest(b.buckets, b.froms, b.tos) as r(bucket, "from", "to")
  join collect_event e on e.bucket = r.bucket and e."offset" between r."from" and r."to"
  left join lateral (
    select w->>case when is_line then 'order' else 'ref' end as ref, w->>'kind' as kind,
      w->>case when is_line then 'quantity' else 'items' end as items, w->>'amountMinor' as amount,
      w->>'marks' as marks
    from (select e.name = 'Order Line' as is_line) line
    cross join lateral (select case when is_line then e.data else e.data->'$order' end as w) own
    where is_line or (
      e.name in ('Order Completed', 'Order Updated', 'Order Refunded', 'Order Cancelled') and e.flags & 64 = 0)
  ) o on true
  where b.id = ${id}`;
/** A whole number that the columns can hold, out of a column of text; 0 where it is none. */
const figure = (reader: Reader, column: string) =>
  reader`case when ${reader(column)} ~ '^-?[0-9]{1,18}$' then ${reader(column)}::bigint else 0 end`;

export type SourceRow = {
  id: string;
  name: string;
  kind: "server" | "public" | "import";
  demo: boolean;
};
export const addSource = (reader: Reader, source: SourceRow & { createdAt: Date }) =>
  reader`insert into collect_source ${reader(source)} on conflict (name) do nothing`;
export async function isSource(reader: Reader, id: string): Promise<boolean> {
  const [row] = await reader<{ is: boolean }[]>`
    select exists (select from collect_source where id = ${id}) as "is"`;
  return row!.is;
}
export const sourceByName = (reader: Reader, name: string) =>
  reader<SourceRow[]>`select id, name, kind, demo from collect_source where name = ${name}`;

export type KnownRow = SourceRow & {
  protocol: Protocol;
  shares: string | null;
  disabled: boolean;
  settings: Buffer | null;
};
export const knownSources = (reader: Reader) => reader<KnownRow[]>`
  select id, name, kind, demo, protocol, shares, disabled, settings from collect_source`;
export const sourceById = (tx: Tx, id: string) => tx<KnownRow[]>`
  select id, name, kind, demo, protocol, shares, disabled, settings from collect_source
  where id = ${id} for update`;
export const setSource = (
  tx: Tx,
  { id, protocol, shares, disabled, settings }: Omit<KnownRow, "name" | "kind" | "demo">,
) => tx`
  update collect_source set protocol = ${protocol}, shares = ${shares}, disabled = ${disabled},
    settings = ${settings}
  where id = ${id}`;

export type Refusal = { sourceId: string; reason: string; field: string; count: number };
/** Counts refusals at their sources, and says of each source what went wrong last. */
export async function countRefusals(reader: Reader, said: Refusal[], at: Date): Promise<void> {
  const day = at.toISOString().slice(0, 10);
  const sums = new Map<string, Refusal>();
  for (const one of said) {
    const key = `${one.sourceId} ${one.reason}`;
    sums.set(key, { ...one, count: one.count + (sums.get(key)?.count ?? 0) });
  }
  const rows = [...sums].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
  await reader`
    insert into collect_refused as r (source_id, day, reason, refused)
    select source_id, ${day}::date, reason, refused from unnest(
      ${rows.map((row) => row.sourceId)}::uuid[], ${rows.map((row) => row.reason)}::text[],
      ${rows.map((row) => row.count)}::bigint[]) as n(source_id, reason, refused)
    on conflict (source_id, day, reason) do update set refused = r.refused + excluded.refused`;
  const last = [...new Map(said.map((one) => [one.sourceId, one])).values()].toSorted((a, b) =>
    a.sourceId < b.sourceId ? -1 : 1,
  );
  await reader`
    insert into collect_fault (source_id, reason, field, at)
    select source_id, reason, field, ${at} from unnest(
      ${last.map((row) => row.sourceId)}::uuid[], ${last.map((row) => row.reason)}::text[],
      ${last.map((row) => row.field)}::text[]) as n(source_id, reason, field)
    on conflict (source_id) do update
    set reason = excluded.reason, field = excluded.field, at = excluded.at`;
}

/** What the rejected list took of this source today; the row is held until commit. */
export async function keptToday(
  tx: Tx,
  sourceId: string,
  at: Date,
): Promise<{ rows: number; bytes: bigint }> {
  const day = at.toISOString().slice(0, 10);
  const [row] = await tx<{ rows: number; bytes: bigint }[]>`
    insert into collect_kept as k (source_id, day, rows, bytes, beyond)
    values (${sourceId}, ${day}, 0, 0, 0)
    on conflict (source_id, day) do update set rows = k.rows
    returning rows, bytes`;
  return row!;
}
export const addKept = (
  tx: Tx,
  sourceId: string,
  at: Date,
  { rows, bytes, beyond }: { rows: number; bytes: number; beyond: number },
) => tx`
  update collect_kept set rows = rows + ${rows}, bytes = bytes + ${bytes}, beyond = beyond + ${beyond}
  where source_id = ${sourceId} and day = ${at.toISOString().slice(0, 10)}`;
/** Counts of days are kept as long as the list they speak of. */
export async function forgetCounts(reader: Reader, before: Date): Promise<void> {
  const day = before.toISOString().slice(0, 10);
  await reader`delete from collect_kept where day < ${day}`;
  await reader`delete from collect_refused where day < ${day}`;
}

export type Rejected = {
  id: string;
  sourceId: string;
  importId: string | null;
  line: bigint | null;
  reason: string;
  field: string | null;
  sealed: Buffer;
  at: Date;
  name: string;
  marks: number;
  cameAt: Date | null;
  sentAt: Date | null;
};
/** The ids of those that were not in the list yet. */
export async function reject(tx: Tx, rows: readonly Rejected[]): Promise<string[]> {
  const added: string[] = [];
  // A statement has room for 65,534 values.
  for (let i = 0; i < rows.length; i += 4000) {
    const some = await tx<{ id: string }[]>`
      insert into collect_rejected ${tx(rows.slice(i, i + 4000))} on conflict (id) do nothing returning id`;
    added.push(...some.map(({ id }) => id));
  }
  return added;
}
/** Which of these are in the list, open or closed. */
export async function listed(tx: Tx, ids: readonly string[]): Promise<Set<string>> {
  const rows = await tx<{ id: string }[]>`
    select id from collect_rejected where id = any(${ids as string[]}::uuid[])`;
  return new Set(rows.map(({ id }) => id));
}

export type ImportRow = {
  id: string;
  sourceId: string;
  digest: Buffer;
  fromAt: Date | null;
  untilAt: Date | null;
  line: bigint;
  accepted: bigint;
  rejected: bigint;
  outside: bigint;
  doubles: bigint;
  finishedAt: Date | null;
  kind: string;
  mapping: string; // JSON text
  toldAt: Date;
  beyond: bigint;
};
export const findImport = (
  reader: Reader,
  sourceId: string,
  digest: Buffer,
  fromAt: Date | null,
  untilAt: Date | null,
  kind: string,
  trust: string,
) => reader<ImportRow[]>`
  select *, coalesce(told_at, started_at) as told_at from collect_import
  where source_id = ${sourceId} and digest = ${digest} and kind = ${kind}
    and from_at is not distinct from ${fromAt}::timestamptz
    and until_at is not distinct from ${untilAt}::timestamptz
    and coalesce(mapping::json->>'trust', 'shop') = ${trust}`;
export const addImport = (
  reader: Reader,
  row: Pick<
    ImportRow,
    "id" | "sourceId" | "digest" | "fromAt" | "untilAt" | "kind" | "mapping" | "toldAt"
  > & {
    startedAt: Date;
  },
) => reader`insert into collect_import ${reader(row)}`;
export const importById = (reader: Reader, id: string) =>
  reader<ImportRow[]>`
    select *, coalesce(told_at, started_at) as told_at from collect_import where id = ${id}`;
/** Is this the first file that its source was given? Its lines are known by their bare numbers. */
export async function isFirstFile(reader: Reader, sourceId: string, digest: Buffer) {
  const [row] = await reader<{ digest: Buffer }[]>`
    select digest from collect_import where source_id = ${sourceId} and kind = 'orders'
    order by started_at, id limit 1`;
  return !row || row.digest.equals(digest);
}
type Progress = {
  line: number;
  accepted: number;
  rejected: number;
  beyond: number;
  outside: number;
  doubles: number;
};
/** The position moves in the transaction that took the lines. `from` fences a second importer of the same file off. */
export const moveImport = (tx: Tx, id: string, from: bigint, p: Progress) => tx`
  update collect_import set line = ${p.line}, accepted = accepted + ${p.accepted},
    rejected = rejected + ${p.rejected}, beyond = beyond + ${p.beyond}, outside = outside + ${p.outside}, doubles = doubles + ${p.doubles}
  where id = ${id} and line = ${from}`;
export const finishImport = (reader: Reader, id: string, at: Date) =>
  reader`update collect_import set finished_at = ${at} where id = ${id} and finished_at is null`;

/** Holds refused lines that are still open, in order, so that two who send them again do not both do so. */
export const holdRejected = (tx: Tx, ids: readonly string[]) => tx<Rejected[]>`
  select id, source_id, import_id, line, reason, field, sealed, at, name, marks, came_at, sent_at
  from collect_rejected
  where id = any(${ids as string[]}::uuid[]) and closed_at is null order by id for update`;
export const rejectedById = (reader: Reader, id: string) => reader<Rejected[]>`
  select id, source_id, import_id, line, reason, field, sealed, at, name, marks, came_at, sent_at
  from collect_rejected where id = ${id} and closed_at is null`;
type Resealed = { id: string; sealed: Buffer; reason: string; field: string };
export const resealRejected = (tx: Tx, rows: readonly Resealed[]) => tx`
  update collect_rejected r set sealed = decode(n.sealed, 'hex'), reason = n.reason, field = n.field
  from unnest(${rows.map(({ id }) => id)}::uuid[],
    ${rows.map(({ sealed }) => sealed.toString("hex"))}::text[],
    ${rows.map(({ reason }) => reason)}::text[], ${rows.map(({ field }) => field)}::text[])
    as n(id, sealed, reason, field)
  where r.id = n.id`;
type Closed = { id: string; outcome: "accepted" | "double"; eventId: string; sealed: Buffer };
export const closeRejected = (tx: Tx, rows: readonly Closed[], at: Date) => tx`
  update collect_rejected r set closed_at = ${at}, outcome = n.outcome, event_id = n.event_id,
    sealed = decode(n.sealed, 'hex')
  from unnest(${rows.map(({ id }) => id)}::uuid[], ${rows.map(({ outcome }) => outcome)}::text[],
    ${rows.map((row) => row.eventId)}::uuid[],
    ${rows.map(({ sealed }) => sealed.toString("hex"))}::text[]) as n(id, outcome, event_id, sealed)
  where r.id = n.id`;
/** What is refused and open, of one filter: every part of it that is said must fit. */
const among = (
  reader: Reader,
  { source, reason, name, field, from, until, run }: RejectedFilter,
) => reader`
  r.closed_at is null
  ${source ? reader`and r.source_id = ${source}` : reader``}
  ${reason ? reader`and r.reason = ${reason}` : reader``}
  ${name ? reader`and r.name = ${name}` : reader``}
  ${field ? reader`and r.field = ${field}` : reader``}
  ${from ? reader`and r.at >= ${from}` : reader``}
  ${until ? reader`and r.at < ${until}` : reader``}
  ${run ? reader`and r.import_id = ${run}` : reader``}`;
/** The next of them in order of (at, id), the oldest first. */
export const nextRejected = (
  reader: Reader,
  filter: RejectedFilter,
  after: { at: Date; id: string } | null,
  limit: number,
) => reader<{ id: string; at: Date }[]>`
  select r.id, r.at from collect_rejected r where ${among(reader, filter)}
    ${after ? reader`and (r.at, r.id) > (${after.at}, ${after.id}::uuid)` : reader``}
  order by r.at, r.id limit ${limit}`;
export async function countRejected(reader: Reader, filter: RejectedFilter): Promise<bigint> {
  const [row] = await reader<{ all: bigint }[]>`
    select count(*) as all from collect_rejected r where ${among(reader, filter)}`;
  return row!.all;
}

export type Listed = {
  id: string;
  source: string;
  sourceName: string;
  run: string | null;
  line: bigint | null;
  name: string;
  reason: string;
  field: string | null;
  at: Date;
};
/** The newest first. */
export const rejectedPage = (
  reader: Reader,
  filter: RejectedFilter,
  after: { at: Date; id: string } | null,
  limit: number,
) => reader<Listed[]>`
  select r.id, r.source_id as source, coalesce(s.name, '') as source_name, r.import_id as run, r.line,
    r.name, r.reason, r.field, r.at
  from collect_rejected r left join collect_source s on s.id = r.source_id
  where ${among(reader, filter)}
    ${after ? reader`and (r.at, r.id) < (${after.at}, ${after.id}::uuid)` : reader``}
  order by r.at desc, r.id desc limit ${limit}`;
/** How many by reason or by event, the most first: at most 50. */
export const rejectedBy = (reader: Reader, column: "reason" | "name", filter: RejectedFilter) =>
  reader<{ value: string; count: number }[]>`
  select r.${reader(column)} as value, count(*)::int as count from collect_rejected r
  where ${among(reader, filter)} group by 1 order by 2 desc, 1 limit 50`;
/** What the list had no room for, of the days that a filter touches; of an import its own. */
export async function beyond(
  reader: Reader,
  { source, from, until, run }: RejectedFilter,
): Promise<number> {
  const [row] = run
    ? await reader<{ all: number }[]>`
        select beyond::float8 as all from collect_import where id = ${run}`
    : await reader<{ all: number }[]>`
        select coalesce(sum(beyond), 0)::float8 as all from collect_kept where true
          ${source ? reader`and source_id = ${source}` : reader``}
          ${from ? reader`and day >= ${from.toISOString().slice(0, 10)}` : reader``}
          ${until ? reader`and day < (${until}::timestamptz + interval '1 day')::date` : reader``}`;
  return row?.all ?? 0;
}

/** Where the log begins, by bucket, as far back as it is kept; and how far it goes. */
export const logSpans = (reader: Reader) => reader<{ bucket: number; first: bigint }[]>`
  select o.bucket, coalesce((select e."offset" from collect_event e where e.bucket = o.bucket
    order by e."offset" limit 1), o.next) as first
  from collect_offset o order by o.bucket`;
/** Everything is to be sent to the columns again, from where the log begins. */
export async function recut(tx: Tx, target: string, firsts: readonly bigint[]): Promise<void> {
  await tx`delete from collect_batch where target = ${target}`;
  await tx`
    update collect_cut c set next = n.first
    from unnest(${bigintList(firsts)}::bigint[]) with ordinality as n(first, nth)
    where c.target = ${target} and c.bucket = n.nth - 1`;
}
/** Where in the log the events of [from, until) lie that were cut already: from the first of them to the last, by bucket. */
export const spansOf = (reader: Reader, target: string, from: Date | null, until: Date | null) =>
  reader<{ bucket: number; from: bigint; to: bigint }[]>`
    select e.bucket, min(e."offset") as "from", max(e."offset") as "to"
    from collect_event e
    join collect_cut c on c.target = ${target} and c.bucket = e.bucket and e."offset" < c.next
    where e.at >= coalesce(${from}::timestamptz, '-infinity')
      and e.at < coalesce(${until}::timestamptz, 'infinity')
    group by e.bucket order by e.bucket`;
/** Cuts ranges that were cut before once more; says how many rows they hold. */
export async function cutAgain(
  tx: Tx,
  target: string,
  { buckets, froms, tos }: Slice,
): Promise<bigint> {
  const [row] = await tx<{ rows: bigint }[]>`
    insert into collect_batch (target, buckets, froms, tos, rows, state)
    select ${target}, ${buckets}::smallint[], ${bigintList(froms)}::bigint[], ${bigintList(tos)}::bigint[], (
      select count(*)
      from unnest(${buckets}::smallint[], ${bigintList(froms)}::bigint[], ${bigintList(tos)}::bigint[]) as r(bucket, "from", "to")
      join collect_event e on e.bucket = r.bucket and e."offset" between r."from" and r."to"), 'cut'
    returning rows`;
  return row!.rows;
}
export async function leftToCut(reader: Reader, target: string): Promise<bigint> {
  const [row] = await reader<{ left: bigint }[]>`
    select coalesce(sum(o.next - c.next), 0)::bigint + coalesce((
        select sum(b.rows)::bigint from collect_batch b where b.target = ${target} and b.state = 'cut'), 0) as left
    from collect_cut c
    join collect_offset o on o.bucket = c.bucket where c.target = ${target}`;
  return row!.left;
}

export const holdConsumers = (tx: Tx, buckets: number[]) => tx`
  select from collect_consumer where bucket = any(${buckets}::smallint[])
  order by bucket, consumer for update`;
export async function eraseRows(
  tx: Tx,
  nodes: readonly { bucket: number; nodeId: string }[],
): Promise<void> {
  const theirs = () => tx`
    unnest(${nodes.map((n) => n.bucket)}::smallint[], ${nodes.map((n) => n.nodeId)}::uuid[])
      as n(bucket, node_id)`;
  await tx`
    delete from collect_event e using ${theirs()}
    where e.bucket = n.bucket and e.node_id = n.node_id`;
  // What was set aside of them lies in the list of what is not taken.
  await tx`
    with gone as (
      delete from collect_parked p using ${theirs()}
      where p.bucket = n.bucket and p.node_id = n.node_id returning p.rejected_id
    )
    delete from collect_rejected r using gone where r.id = gone.rejected_id`;
}
