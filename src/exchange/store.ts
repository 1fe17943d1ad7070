// Every SQL statement that writes what the market does and how far a rebuilding has come, and their own reads.
import { eventsIn, type Reader, type Slice, type Tx } from "#kernel/sql.ts";
import { marketTold, notTold, type FileStage, type MarketRow } from "./rules.ts";

export type Told = { id: string; at: Date; sourceId: string; data: Record<string, unknown> };
/** What a slice of the log tells of the market. A public source's word does not count. */
export const toldIn = (tx: Tx, slice: Slice) => tx<Told[]>`
  select e.id, e.at, e.source_id, e.data
  from ${eventsIn(tx, slice)}
  join collect_source s on s.id = e.source_id
  where e.name = ${marketTold} and s.kind <> 'public' and e.flags & ${notTold} = 0`;

export type Kept = MarketRow & { sourceId: string; eventId: string; toldAt: Date; seenAt: Date };
/** Of what was told of one instant, the latest by (told_at, event) counts, whichever comes in first. */
export const keep = (tx: Tx, rows: readonly Kept[]) => tx`
  insert into exchange_market ${tx(rows)}
  on conflict (kind, place, key, at) do update set value = excluded.value, unit = excluded.unit,
    source_id = excluded.source_id, event_id = excluded.event_id, told_at = excluded.told_at,
    seen_at = excluded.seen_at
  where (excluded.told_at, excluded.event_id) > (exchange_market.told_at, exchange_market.event_id)`;

export type Rebuild = {
  id: string;
  what: "people" | "columns";
  fromAt: Date | null;
  untilAt: Date | null;
  stage: "waiting" | "clearing" | "working" | "done";
  afterBucket: number;
  afterId: string;
  done: bigint;
  total: bigint;
  askedAt: Date;
  finishedAt: Date | null;
};
export const openRebuild = (reader: Reader, what: Rebuild["what"]) => reader<Rebuild[]>`
  select * from exchange_rebuild where what = ${what} and finished_at is null`;
export const heldRebuild = (tx: Tx, what: Rebuild["what"]) => tx<Rebuild[]>`
  select * from exchange_rebuild where what = ${what} and finished_at is null
  for update skip locked`;
export const askRebuild = (
  reader: Reader,
  row: Pick<Rebuild, "id" | "what" | "fromAt" | "untilAt" | "askedAt">,
) => reader`
  insert into exchange_rebuild ${reader({ ...row, stage: "waiting" })}
  on conflict (what) where finished_at is null do nothing`;
export const rebuilds = (reader: Reader) => reader<Rebuild[]>`
  select * from exchange_rebuild order by asked_at desc, id limit 50`;
export const moveRebuild = (
  reader: Reader,
  { id, stage, afterBucket, afterId, done, total }: Rebuild,
) => reader`
  update exchange_rebuild set stage = ${stage}, after_bucket = ${afterBucket}, after_id = ${afterId},
    done = ${done}, total = ${total}
  where id = ${id}`;
export const endRebuild = (reader: Reader, id: string, at: Date) => reader`
  update exchange_rebuild set stage = 'done', finished_at = ${at} where id = ${id}`;

type Span = Pick<Rebuild, "fromAt" | "untilAt">;
/** Everybody, or those with events in [from, until), after a place in the order of (bucket, person). */
const among = (reader: Reader, { fromAt, untilAt }: Span) =>
  fromAt === null && untilAt === null
    ? reader``
    : reader`and exists (
        select from people_owner o
        join collect_event e on e.bucket = o.bucket and e.node_id = o.node_id
          and (e.at, e.id) >= (o.from_at, o.from_id) and (e.at, e.id) < (o.until_at, o.until_id)
        where (o.person_bucket, o.person_id) = (p.bucket, p.person_id)
          and e.at >= coalesce(${fromAt}::timestamptz, '-infinity')
          and e.at < coalesce(${untilAt}::timestamptz, 'infinity'))`;
export const peopleAfter = (tx: Tx, rebuild: Rebuild, limit: number) => tx<
  { bucket: number; personId: string }[]
>`
  select bucket, person_id from people_person p
  where (bucket, person_id) > (${rebuild.afterBucket}, ${rebuild.afterId}::uuid)
  ${among(tx, rebuild)}
  order by bucket, person_id limit ${limit}`;
export async function countPeople(reader: Reader, span: Span): Promise<bigint> {
  const [row] = await reader<{ people: bigint }[]>`
    select count(*) as people from people_person p where true ${among(reader, span)}`;
  return row!.people;
}

export type Mending = {
  id: string;
  filter: string; // JSON
  sealed: Buffer;
  stage: "trying" | "tried" | "working" | "done" | "stopped";
  afterAt: Date | null;
  afterId: string | null;
  total: bigint;
  done: bigint;
  accepted: bigint;
  doubles: bigint;
  refused: bigint;
  reasons: string; // JSON
  askedBy: string;
  askedAt: Date;
  finishedAt: Date | null;
};
export const addMending = (
  tx: Tx,
  row: Pick<Mending, "id" | "filter" | "sealed" | "stage" | "total" | "askedBy" | "askedAt">,
) => tx`insert into exchange_mending ${tx(row)}`;
export const mendings = (reader: Reader) => reader<Mending[]>`
  select * from exchange_mending order by asked_at desc, id limit 50`;
export const mendingById = (tx: Tx, id: string) => tx<Mending[]>`
  select * from exchange_mending where id = ${id} for update`;
/** How many are neither done nor stopped. */
export async function openMendings(reader: Reader): Promise<number> {
  const [row] = await reader<{ open: number }[]>`
    select count(*)::int as open from exchange_mending where stage not in ('done', 'stopped')`;
  return row!.open;
}
/** The next that has work to do; held until commit, and passed over while another holds it. */
export const heldMending = (tx: Tx) => tx<Mending[]>`
  select * from exchange_mending where stage in ('trying', 'working')
  order by asked_at, id limit 1 for update skip locked`;
export async function isMending(reader: Reader): Promise<boolean> {
  const [row] = await reader<{ is: boolean }[]>`
    select exists (select from exchange_mending where stage in ('trying', 'working')) as "is"`;
  return row!.is;
}
export const moveMending = (tx: Tx, { id, ...row }: Mending) => tx`
  update exchange_mending set ${tx(row, "stage", "afterAt", "afterId", "total", "done", "accepted", "doubles", "refused", "reasons", "finishedAt")}
  where id = ${id}`;
export const forgetMendings = (reader: Reader, before: Date) => reader`
  delete from exchange_mending where asked_at < ${before}`;

export type FileRow = {
  id: string;
  name: string;
  mark: string;
  bytes: bigint;
  received: bigint;
  stage: FileStage;
  kind: string | null;
  mapping: string | null; // JSON
  sourceId: string | null;
  importId: string | null;
  readBytes: bigint;
  lines: bigint;
  fit: bigint;
  found: string; // JSON
  fault: string | null;
  madeBy: string;
  madeAt: Date;
  movedAt: Date;
  finishedAt: Date | null;
};
type NewFile = Pick<
  FileRow,
  "id" | "name" | "mark" | "bytes" | "stage" | "madeBy" | "madeAt" | "movedAt"
>;
export const addFile = (tx: Tx, row: NewFile) => tx`insert into exchange_file ${tx(row)}`;
export const fileById = (reader: Reader, id: string) =>
  reader<FileRow[]>`select * from exchange_file where id = ${id}`;
export const heldFile = (tx: Tx, id: string) =>
  tx<FileRow[]>`select * from exchange_file where id = ${id} for update`;
export async function openFiles(reader: Reader): Promise<number> {
  const [row] = await reader<{ open: number }[]>`
    select count(*)::int as open from exchange_file where stage not in ('done', 'cancelled')`;
  return row!.open;
}
/** The next that has work to do, whichever waits the longest. */
export const nextFile = (reader: Reader) => reader<FileRow[]>`
  select * from exchange_file where stage in ('trying', 'running') order by moved_at, id limit 1`;
export const moveFile = (tx: Reader, { id, ...row }: Pick<FileRow, "id"> & Partial<FileRow>) =>
  tx`update exchange_file set ${tx(row as Record<string, never>)} where id = ${id}`;
/** How far a file was read, as long as it is still wanted. */
export async function readOn(
  reader: Reader,
  row: Pick<FileRow, "id" | "stage" | "readBytes" | "movedAt"> & { lines?: bigint; fit?: bigint },
): Promise<boolean> {
  const { id, stage, readBytes, movedAt, lines = null, fit = null } = row;
  const done = await reader`
    update exchange_file set read_bytes = greatest(read_bytes, ${readBytes}), moved_at = ${movedAt},
      lines = coalesce(${lines}::bigint, lines), fit = coalesce(${fit}::bigint, fit)
    where id = ${id} and stage = ${stage}`;
  return done.count === 1;
}
export const addPiece = (
  tx: Tx,
  row: { fileId: string; n: number; bytes: number; sealed: Buffer },
) => tx`insert into exchange_piece ${tx(row)}`;
export const piece = (reader: Reader, fileId: string, n: number) => reader<{ sealed: Buffer }[]>`
  select sealed from exchange_piece where file_id = ${fileId} and n = ${n}`;
export async function pieces(reader: Reader, fileId: string): Promise<number> {
  const [row] = await reader<{ n: number }[]>`
    select count(*)::int as n from exchange_piece where file_id = ${fileId}`;
  return row!.n;
}
export const dropPieces = (reader: Reader, fileId: string) => reader`
  delete from exchange_piece where file_id = ${fileId}`;
/** Files that nobody touched since then are given up, with their bytes. */
export const idleFiles = (reader: Reader, before: Date) => reader<{ id: string }[]>`
  select id from exchange_file
  where moved_at < ${before} and stage not in ('done', 'cancelled', 'trying', 'running') limit 100`;
export const forgetFiles = (reader: Reader, before: Date) => reader`
  delete from exchange_file where finished_at < ${before}`;
