// What a caller can ask of the catalogue.
import type { Tx } from "#kernel/sql.ts";
import { addSeen } from "./store.ts";

/** Learns products from a slice of the log's order lines. */
export async function learn(
  tx: Tx,
  slice: { buckets: number[]; froms: bigint[]; tos: bigint[] },
): Promise<void> {
  await addSeen(tx, slice);
}
