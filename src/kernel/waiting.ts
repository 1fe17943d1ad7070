import type { PersonKey, Tx } from "./sql.ts";

/** Work that waits for a person goes with them: events on their way and timers, so that nobody reacts to what is gone. */
export async function dropWaiting(tx: Tx, { bucket, personId }: PersonKey): Promise<void> {
  await tx`delete from outbox where bucket = ${bucket} and person_id = ${personId}`;
  await tx`delete from timer where bucket = ${bucket} and person_id = ${personId}`;
}
