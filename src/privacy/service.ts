// The keys that personal fields are locked under, one of each identity node, and the end of them.
import { newDataKey, open, seal as lock } from "#kernel/crypto.ts";
import type { House } from "#kernel/endpoint.ts";
import type { PersonKey, Reader, Tx } from "#kernel/sql.ts";
import { about, normalised } from "./rules.ts";
import * as store from "./store.ts";
import type { NodeRef } from "./store.ts";

/** Data keys by node id. A key opens what its node brought; no key, and it is gone for good. */
export async function makeNodeKeys(
  house: House,
  tx: Tx,
  nodes: NodeRef[],
): Promise<Map<string, Buffer>> {
  const made = new Map(nodes.map(({ nodeId }) => [nodeId, newDataKey()]));
  if (nodes.length > 0)
    await store.addKeys(
      tx,
      nodes.map(({ bucket, nodeId }) => ({
        bucket,
        nodeId,
        wrapped: house.keys.wrap(made.get(nodeId)!, about("privacy_node_key", "wrapped", nodeId)),
      })),
    );
  return made;
}
/** Erased nodes are missing in the answer. */
export async function nodeKeys(
  house: House,
  reader: Reader,
  nodes: NodeRef[],
): Promise<Map<string, Buffer>> {
  if (nodes.length === 0) return new Map();
  const buckets = [...new Set(nodes.map(({ bucket }) => bucket))];
  const rows = await store.keysOf(
    reader,
    nodes.map(({ nodeId }) => nodeId),
    buckets,
  );
  return new Map(
    rows.map(({ nodeId, wrapped }) => [
      nodeId,
      house.keys.unwrap(wrapped, about("privacy_node_key", "wrapped", nodeId)),
    ]),
  );
}
/** `place` is "table|column". */
export const seal = (key: Buffer, place: string, nodeId: string, plain: string): Buffer =>
  lock(key, plain, `${place}|${nodeId}`);
export const openSealed = (key: Buffer, place: string, nodeId: string, sealed: Buffer): string =>
  open(key, sealed, `${place}|${nodeId}`).toString();

/**
 * The blind index of an identifier: equality without the value. A user id counts within its source,
 * an e-mail or a phone number for the whole installation.
 */
export function blindOf(house: House, type: string, value: string, sourceId: string): Buffer {
  const own = type === "email" || type === "phone" ? "" : `${sourceId}|`;
  return house.keys.blind(`identifier|${type}`, own + normalised(type, value));
}

/** Instants of erasure by blind index (hex): what happened before is refused, what comes after is a new person. */
export async function tombstoned(reader: Reader, blinds: Buffer[]): Promise<Map<string, Date>> {
  if (blinds.length === 0) return new Map();
  const rows = await store.tombstones(reader, blinds);
  return new Map(rows.map(({ blind, at }) => [blind.toString("hex"), at]));
}

/**
 * What each domain that holds rows of a person gives: takes them all away in the open transaction. It may be called
 * again for somebody who is gone already, so it must find what it takes by the two keys it is given.
 */
export type Eraser = (
  tx: Tx,
  person: PersonKey,
  nodes: NodeRef[],
  /** `now`: of the shop's clock, for what follows from it with others. */
  as: { newId: () => string; now: Date },
) => Promise<unknown>;

/**
 * The end of a person's keys: tombstones for every identifier, the keys destroyed, the erasure written down.
 * Rows go in this same transaction by the erasers; the columns follow in `jobs.eraseColumns`, until it is done.
 */
export async function forget(
  tx: Tx,
  person: PersonKey,
  nodes: (NodeRef & { blind: Buffer })[],
  erasure: { id: string; now: Date; at: Date },
): Promise<void> {
  await store.addTombstones(
    tx,
    nodes.map(({ blind }) => blind),
    erasure.now,
  );
  await store.destroyKeys(tx, nodes);
  await store.addErasure(tx, {
    ...{ id: erasure.id, bucket: person.bucket, personId: person.personId },
    nodes,
    askedAt: erasure.at,
  });
}
export const dueErasures = store.dueErasures;
export const closeErasures = store.closeErasures;
