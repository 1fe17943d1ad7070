// Reads for files that go out, a page at a time by key, so that a million rows need no more room than one page.
import { ownerAt, type PersonKey, type Reader } from "#kernel/sql.ts";
import { consentTold } from "#messages/rules.ts";
import { relationNames, type Act } from "#relations/rules.ts";
import { marketTold, notTold, type FileStage, type MarketKind, type MarketRow } from "./rules.ts";

const zero = "00000000-0000-0000-0000-000000000000";

export type ProductRow = {
  sourceId: string;
  sku: string;
  name: string;
  category: string | null;
  brand: string | null;
  url: string | null;
  image: string | null;
  merchantId: string | null;
  unitPrice: bigint;
  currency: string;
  stock: bigint | null;
  goods: boolean;
  /** By field: "rank time event", "" where it was never told. */
  keys: Record<string, string>;
  sourceName: string | null;
  sourceKind: "server" | "public" | "import" | null;
};
export const products = (reader: Reader, after: ProductRow | undefined, limit: number) =>
  reader<ProductRow[]>`
    select p.source_id, p.sku, p.name, p.category, p.brand, p.url, p.image, p.merchant_id, p.unit_price, p.currency,
      p.stock, p.goods, s.name as source_name, s.kind as source_kind,
      jsonb_build_object('name', p.name_key, 'category', p.category_key, 'brand', p.brand_key, 'url', p.url_key,
        'image', p.image_key, 'merchant', p.merchant_key, 'unitPrice', p.price_key, 'stock', p.stock_key,
        'goods', p.goods_key) as keys
    from catalog_product p left join collect_source s on s.id = p.source_id
    where (p.source_id, p.sku) > (${after?.sourceId ?? zero}::uuid, ${after?.sku ?? ""})
    order by p.source_id, p.sku limit ${limit}`;

export type LogRow = {
  bucket: number;
  offset: bigint;
  id: string;
  name: string;
  at: Date;
  data: Record<string, unknown>;
  nodeId: string | null;
  nodeType: string | null;
  nodeSealed: Buffer | null;
  sealed: Buffer | null;
  sourceId: string;
  sourceName: string;
  sourceKind: "server" | "public" | "import";
  space: string | null;
  flags: number;
  linkBuckets: number[] | null;
  linkIds: string[] | null;
  kept: boolean; // of what was told of two people: what neither of them took back, and a page's word
};
const lines = "Order Line";

export type NodeRow = { bucket: number; nodeId: string; type: string; sealed: Buffer };
export const nodes = (reader: Reader, of: readonly { bucket: number; nodeId: string }[]) =>
  reader<NodeRow[]>`
    select n.bucket, n.node_id, n.type, n.sealed
    from unnest(${of.map((n) => n.bucket)}::smallint[], ${of.map((n) => n.nodeId)}::uuid[]) as k(bucket, node_id)
    join people_node n on n.bucket = k.bucket and n.node_id = k.node_id`;
/**
 * What was told of two people, where it is kept and both still let us: neither took that back since. A block stays,
 * because it protects somebody.
 */
const stands = (reader: Reader) => reader`
      (f.act = 'block' or not exists (
        select from (values (f.bucket, f.node_id), (f.other_bucket, f.other_node_id)) n (bucket, node_id)
        cross join ${ownerAt(reader, "f", ["n.bucket", "n.node_id"])} o
        join relations_person p on p.bucket = o.person_bucket and p.person_id = o.person_id
        where f.at < p.counts_from or (p.counts_from is null and exists (
          select from messages_consent c
          where c.bucket = p.bucket and c.person_id = p.person_id and c.purpose = 'social'))))`;
const isKept = (reader: Reader) => reader`
  exists (
    select from relations_fact f
    where f.bucket = e.bucket and f.node_id = e.node_id and f.id = e.id and ${stands(reader)})`;
/** How far a look at the log, or at facts, has come: the last row looked at, whether it fitted or not. */
export type Came = { lastBucket: number; lastOffset: bigint };
/**
 * What fits among the next `rows` rows of the log: order lines, what was told of relations, or every other event. Where
 * little fits, a page full of it could take all of the log in one statement; so what is bounded is how much is looked at.
 * One row that is empty but for where it ended says that nothing did, and no row at all that the log is at its end.
 */
export const log = (
  reader: Reader,
  part: "orders" | "relations" | "events",
  { from, until }: { from?: Date | undefined; until?: Date | undefined },
  after: Came | undefined,
  rows: number,
) => reader<((LogRow & Came) | (Came & { id: null }))[]>`
  with looked as materialized (
    select * from collect_event
    where (bucket, "offset") > (${after?.lastBucket ?? -1}, ${String(after?.lastOffset ?? 0)}::bigint)
    order by bucket, "offset" limit ${rows}),
  came as (
    select bucket as last_bucket, "offset" as last_offset from looked order by bucket desc, "offset" desc limit 1)
  select * from came left join (
    select e.bucket, e."offset", e.id, e.name, e.at, e.data, e.node_id, n.type as node_type,
      n.sealed as node_sealed, e.sealed, e.source_id, s.name as source_name, s.kind as source_kind,
      n.source_id as space, e.flags, e.link_buckets, e.link_ids, ${
        part === "relations"
          ? reader`(s.kind = 'public' or e.flags & ${notTold} <> 0 or ${isKept(reader)})`
          : reader`true`
      } as kept
    from looked e join collect_source s on s.id = e.source_id
    left join people_node n on n.bucket = e.bucket and n.node_id = e.node_id
    where ${
      part === "orders"
        ? reader`e.name = ${lines}`
        : part === "relations"
          ? reader`e.name = any(${relationNames as string[]}::text[])`
          : reader`e.name <> all(${[...relationNames, lines]}::text[])
            and (e.name <> all(${[marketTold, consentTold]}::text[]) or s.kind = 'public' or e.flags & ${notTold} <> 0)`
    }
      ${from ? reader`and e.at >= ${from}` : reader``} ${until ? reader`and e.at < ${until}` : reader``}
  ) fits on true
  order by fits.bucket, fits."offset"`;

type FactPlace = { bucket: number; nodeId: string; otherBucket: number; otherNodeId: string };
export type FactRow = FactPlace & {
  id: string;
  act: Act;
  item: string | null;
  at: Date;
  space: string;
  sourceName: string;
  sourceKind: "server" | "public" | "import";
};
export type FactCame = {
  last: Pick<FactRow, "bucket" | "nodeId" | "otherBucket" | "otherNodeId" | "id">;
};
/**
 * What people told of each other here themselves, among the next `rows` facts: it is no event. Ids of events are of
 * version 8, and theirs are not. Says as `log` does how far it came.
 */
export const ownFacts = (reader: Reader, after: FactCame | undefined, rows: number) =>
  reader<((FactRow & FactCame) | (FactCame & { id: null }))[]>`
    with looked as materialized (
      select * from relations_fact f
      where (f.bucket, f.node_id, f.other_bucket, f.other_node_id, f.id) > (${after?.last.bucket ?? -1},
        ${after?.last.nodeId ?? zero}::uuid, ${after?.last.otherBucket ?? -1},
        ${after?.last.otherNodeId ?? zero}::uuid, ${after?.last.id ?? zero}::uuid)
      order by f.bucket, f.node_id, f.other_bucket, f.other_node_id, f.id limit ${rows}),
    came as (
      select jsonb_build_object('bucket', bucket, 'nodeId', node_id, 'otherBucket', other_bucket,
        'otherNodeId', other_node_id, 'id', id) as last
      from looked order by bucket desc, node_id desc, other_bucket desc, other_node_id desc, id desc limit 1)
    select * from came left join (
      select f.bucket, f.node_id, f.other_bucket, f.other_node_id, f.id, f.act, f.item, f.at, n.source_id as space,
        s.name as source_name, s.kind as source_kind
      from looked f join people_node n on n.bucket = f.bucket and n.node_id = f.node_id
      join collect_source s on s.id = n.source_id
      where substr(f.id::text, 15, 1) <> '8' and ${stands(reader)}
    ) fits on true
    order by fits.bucket, fits.node_id, fits.other_bucket, fits.other_node_id, fits.id`;

export type ConsentRow = PersonKey & {
  seq: number;
  purpose: string;
  channel: string;
  granted: boolean;
  textVersion: string;
  proof: string;
  at: Date;
};
/** Every word of everybody's on what they agree to. What demo people never said stays here. */
export const consents = (reader: Reader, after: ConsentRow | undefined, limit: number) =>
  reader<ConsentRow[]>`
    select bucket, person_id, seq, purpose, channel, granted, text_version, proof, at from messages_consent
    where (bucket, person_id, seq) > (${after?.bucket ?? -1}, ${after?.personId ?? zero}::uuid, ${after?.seq ?? 0})
      and not made_up
    order by bucket, person_id, seq limit ${limit}`;

export type PersonRow = PersonKey & {
  seenAt: Date;
  attributes: Record<string, { v: unknown; at: string; c: number } | undefined>;
};
export const people = (
  reader: Reader,
  of: { segment: string; snapshot: string | null } | null,
  after: PersonKey | undefined,
  limit: number,
) => reader<PersonRow[]>`
  select p.bucket, p.person_id, p.seen_at, coalesce(f.attributes, '{}') as attributes
  from people_person p
  left join people_profile f on f.bucket = p.bucket and f.person_id = p.person_id
  where (p.bucket, p.person_id) > (${after?.bucket ?? -1}, ${after?.personId ?? zero}::uuid)
    ${
      of === null
        ? reader``
        : of.snapshot === null
          ? reader`and exists (select from segments_member m
              where m.bucket = p.bucket and m.person_id = p.person_id and m.segment_id = ${of.segment})`
          : reader`and exists (select from segments_snapshot_member m
              where m.bucket = p.bucket and m.person_id = p.person_id and m.snapshot_id = ${of.snapshot})`
    }
  order by p.bucket, p.person_id limit ${limit}`;
export type IdRow = {
  bucket: number;
  nodeId: string;
  type: string;
  sealed: Buffer;
  space: string;
  personId: string;
  seenAt: Date | null; // when the first event of its own happened
  joinedAt: Date | null; // when it was first said to be the same somebody as another
  sourceName: string | null;
  sourceKind: "server" | "public" | "import" | null;
};
/** Every identifier of these people, the earliest first; user ids before others. */
export const identifiers = (reader: Reader, people: readonly PersonKey[]) => reader<IdRow[]>`
  select n.bucket, n.node_id, n.type, n.sealed, n.source_id as space, n.person_id,
    coalesce(w.seen_at, h.seen_at) as seen_at, s.name as source_name, s.kind as source_kind,
    least((select min(l.at) from people_link l where (l.bucket, l.node_id) = (n.bucket, n.node_id)),
      (select min(l.at) from people_link l where (l.other_bucket, l.other_node_id) = (n.bucket, n.node_id))) as joined_at
  from unnest(${people.map((p) => p.bucket)}::smallint[], ${people.map((p) => p.personId)}::uuid[])
    as k(bucket, person_id)
  join people_node n on n.person_bucket = k.bucket and n.person_id = k.person_id
  left join people_way w on w.person_id = n.home_id
  left join people_person h on h.bucket = n.home_bucket and h.person_id = n.home_id
  left join collect_source s on s.id = n.source_id
  order by n.type <> 'user_id', n.type <> 'anonymous_id', coalesce(w.seen_at, h.seen_at), n.node_id`;
/** Is there this segment of people, and this list that was kept of it? */
export async function hasSegment(
  reader: Reader,
  id: string,
  snapshot: string | null,
): Promise<boolean> {
  const [row] = await reader<{ there: boolean }[]>`
    select exists (
      select from segments_segment s where s.id = ${id} and s.level = 'person'
      ${
        snapshot
          ? reader`and exists (select from segments_snapshot k
              where k.id = ${snapshot} and k.segment_id = s.id)`
          : reader``
      }) as there`;
  return row!.there;
}

export type KeptRow = MarketRow & { sourceId: string; seenAt: Date };
export type ToldRow = KeptRow & { toldAt: Date; eventId: string } & {
  sourceName: string | null;
  sourceKind: "server" | "public" | "import" | null;
};
export const marketAfter = (reader: Reader, after: MarketRow | undefined, limit: number) =>
  reader<ToldRow[]>`
    select m.*, s.name as source_name, s.kind as source_kind
    from exchange_market m left join collect_source s on s.id = m.source_id
    where (m.kind, m.place, m.key, m.at) >
      (${after?.kind ?? ""}, ${after?.place ?? ""}, ${after?.key ?? ""}, ${after?.at ?? new Date(0)})
    order by m.kind, m.place, m.key, m.at limit ${limit}`;
export const market = (
  reader: Reader,
  asked: { kind: MarketKind; place?: string | undefined; from: Date | null; until: Date | null },
  limit: number,
) => reader<KeptRow[]>`
  select kind, place, key, at, value, unit, source_id, seen_at from exchange_market
  where kind = ${asked.kind}
    ${asked.place === undefined ? reader`` : reader`and place = ${asked.place}`}
    and at >= coalesce(${asked.from}::timestamptz, '-infinity')
    and at < coalesce(${asked.until}::timestamptz, 'infinity')
  order by at desc, place, key limit ${limit}`;

export type ImportedFile = {
  file: string | null;
  run: string | null;
  name: string;
  mark: string;
  kind: string | null;
  source: string | null;
  sourceName: string;
  stage: FileStage;
  fault: string | null;
  bytes: number;
  received: number;
  readBytes: number;
  lines: number;
  accepted: number;
  rejected: number;
  outside: number;
  doubles: number;
  beyond: number;
  startedAt: Date;
  finishedAt: Date | null;
};
/** The last 200 files that came in, whichever way, the newest first. */
export const imports = (reader: Reader) => reader<ImportedFile[]>`
  select f.id as file, i.id as run, coalesce(f.name, '') as name, coalesce(f.mark, '') as mark,
    coalesce(f.kind, i.kind) as kind, s.id as source, coalesce(s.name, '') as source_name,
    coalesce(f.stage, case when i.finished_at is null then 'running' else 'done' end) as stage, f.fault,
    coalesce(f.bytes, 0)::float8 as bytes, coalesce(f.received, 0)::float8 as received,
    coalesce(f.read_bytes, 0)::float8 as read_bytes, coalesce(i.line, 0)::float8 as lines,
    coalesce(i.accepted, 0)::float8 as accepted, coalesce(i.rejected, 0)::float8 as rejected,
    coalesce(i.outside, 0)::float8 as outside, coalesce(i.doubles, 0)::float8 as doubles,
    coalesce(i.beyond, 0)::float8 as beyond, coalesce(f.made_at, i.started_at) as started_at,
    case when f.id is null then i.finished_at else f.finished_at end as finished_at
  from exchange_file f full join collect_import i on i.id = f.import_id
  left join collect_source s on s.id = coalesce(i.source_id, f.source_id)
  order by coalesce(f.made_at, i.started_at) desc, coalesce(f.id, i.id) limit 200`;
/** Counts of one import. */
export const countsOf = (reader: Reader, run: string) => reader<
  Pick<ImportedFile, "lines" | "accepted" | "rejected" | "outside" | "doubles" | "beyond">[]
>`
  select line::float8 as lines, accepted::float8 as accepted, rejected::float8 as rejected,
    outside::float8 as outside, doubles::float8 as doubles, beyond::float8 as beyond
  from collect_import where id = ${run}`;
