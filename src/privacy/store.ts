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

export const addErasure = (
  tx: Tx,
  erasure: PersonKey & { id: string; nodeIds: string[]; askedAt: Date },
) => tx`insert into privacy_erasure ${tx(erasure)}`;

export const openErasures = (reader: Reader) =>
  reader<{ id: string; nodeIds: string[] }[]>`
    select id, node_ids from privacy_erasure where columns_at is null order by asked_at limit 100`;

export const closeErasure = (reader: Reader, id: string, at: Date) =>
  reader`update privacy_erasure set columns_at = ${at} where id = ${id}`;

export const anyKey = (reader: Reader) =>
  reader<{ nodeId: string; wrapped: Buffer }[]>`
    select node_id, wrapped from privacy_node_key limit 1`;
