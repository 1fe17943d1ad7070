// Node keys, tombstones and erasures: every statement that writes them.
import { byteList, type PersonKey, type Reader, type Tx } from "#kernel/sql.ts";

export type NodeRef = { bucket: number; nodeId: string };

export const addKeys = (tx: Tx, keys: (NodeRef & { wrapped: Buffer })[]) =>
  tx`insert into privacy_node_key ${tx(keys)}`;

export const keysOf = (reader: Reader, nodeIds: string[], buckets: number[]) =>
  reader<(NodeRef & { wrapped: Buffer })[]>`
    select bucket, node_id, wrapped from privacy_node_key
    where bucket = any(${buckets}::smallint[]) and node_id = any(${nodeIds}::uuid[])`;

export const destroyKeys = (tx: Tx, nodes: NodeRef[]) => tx`
  delete from privacy_node_key where bucket = any(${nodes.map((n) => n.bucket)}::smallint[])
    and node_id = any(${nodes.map((n) => n.nodeId)}::uuid[])`;

export const addTombstones = (tx: Tx, blinds: Buffer[], at: Date) => tx`
  insert into privacy_tombstone (blind, at) select unnest(${byteList(blinds)}::text[]::bytea[]), ${at}
  on conflict (blind) do update set at = greatest(privacy_tombstone.at, excluded.at)`;

export const tombstones = (reader: Reader, blinds: Buffer[]) =>
  reader<{ blind: Buffer; at: Date }[]>`
    select blind, at from privacy_tombstone where blind = any(${byteList(blinds)}::text[]::bytea[])`;

export type Erasure = PersonKey & { id: string; nodes: NodeRef[] };
export const addErasure = (tx: Tx, { nodes, ...erasure }: Erasure & { askedAt: Date }) =>
  tx`insert into privacy_erasure ${tx({
    ...erasure,
    nodeBuckets: nodes.map(({ bucket }) => bucket),
    nodeIds: nodes.map(({ nodeId }) => nodeId),
  })}`;
/** Those whose columns are not clean yet, and those asked for until `settled` that were not gone over again. */
export const dueErasures = async (
  reader: Reader,
  settled: Date,
  limit: number,
): Promise<Erasure[]> => {
  type Row = PersonKey & { id: string; nodeBuckets: number[]; nodeIds: string[] };
  const rows = await reader<Row[]>`
    select id, bucket, person_id, node_buckets, node_ids from privacy_erasure
    where settled_at is null and (columns_at is null or asked_at <= ${settled})
    order by asked_at, id limit ${limit}`;
  return rows.map(({ nodeBuckets, nodeIds, ...erasure }) => ({
    ...erasure,
    nodes: nodeIds.map((nodeId, i) => ({ nodeId, bucket: nodeBuckets[i]! })),
  }));
};
export const closeErasures = (reader: Reader, ids: string[], at: Date, settled: Date) => reader`
  update privacy_erasure set columns_at = coalesce(columns_at, ${at}),
    settled_at = case when asked_at <= ${settled} then ${at}::timestamptz end
  where id = any(${ids}::uuid[])`;

export const anyKey = (reader: Reader) =>
  reader<{ nodeId: string; wrapped: Buffer }[]>`
    select node_id, wrapped from privacy_node_key limit 1`;
