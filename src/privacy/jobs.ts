// What an erasure leaves for later: the columns, and what was on its way through the house while it happened.
import type { House } from "#kernel/endpoint.ts";
import { dropWaiting } from "#kernel/waiting.ts";
import { closeErasures, dueErasures, type Eraser } from "./service.ts";
import { batchesUnderWay } from "./views.ts";

/** A transaction that began before an erasure may commit after it; none lives as long as this. */
const settleMs = 10 * 60_000;
const erasuresAtOnce = 100;

/**
 * Deletes erased people from the columns and waits until they are gone; says how many got further. Repeatable: after
 * a crash it goes on where nothing is written down as done. Ten minutes after each erasure it goes over everything once
 * more, for what was committed late by work that had read the person before.
 */
export async function eraseColumns(house: House, erasers: readonly Eraser[]): Promise<number> {
  const settled = new Date(house.clocks.machine().getTime() - settleMs);
  const erasures = await dueErasures(house.sql, settled, erasuresAtOnce);
  if (erasures.length === 0) return 0;
  for (const { nodes, bucket, personId } of erasures)
    await house.sql.begin(async (tx) => {
      const person = { bucket, personId };
      await dropWaiting(tx, person);
      for (const eraser of erasers)
        await eraser(tx, person, nodes, { newId: house.newId, now: house.clocks.shop() });
    });
  // A batch that is being sent may have been read before the erasure, and arrive after the columns were cleaned.
  const underWay = new Set(await batchesUnderWay(house.sql));
  const nodes = erasures.flatMap((erasure) => erasure.nodes.map(({ nodeId }) => nodeId));
  const buckets = erasures.flatMap((erasure) => erasure.nodes.map(({ bucket }) => bucket));
  const ids = erasures.map(({ personId }) => personId);
  for (const [table, condition] of Object.entries(places)) {
    const [row] = await house.columns.read<{ there: string | number }>(
      `select count() as there from ${table} where ${condition}`,
      { nodes, buckets, people: ids },
    );
    if (Number(row!.there) > 0)
      await house.columns.run(`alter table ${table} delete where ${condition}`, {
        nodes,
        buckets,
        people: ids,
      });
  }
  const clean = erasures.filter(
    (erasure) => !erasure.nodes.some(({ bucket }) => underWay.has(bucket)),
  );
  if (clean.length > 0)
    await closeErasures(
      house.sql,
      clean.map(({ id }) => id),
      house.clocks.machine(),
      settled,
    );
  return clean.length;
}
/** Every table of the columns that knows a node or a person. The bucket narrows the log by its key. */
const places = {
  event: "bucket in {buckets:Array(UInt8)} and node_id in {nodes:Array(UUID)}",
  person_node: "node_id in {nodes:Array(UUID)}",
  person: "person_id in {people:Array(UUID)}",
};
