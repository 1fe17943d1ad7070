// What the tracking plan makes of the log: names, types and counts, never a value.
import type { House } from "#kernel/endpoint.ts";
import { addDays, dayOf } from "#kernel/clock.ts";
import type { Slice, Tx } from "#kernel/sql.ts";
import { keepable, namesLimit, others, propertiesLimit } from "./rules.ts";
import * as store from "./store.ts";

/** Days that are kept: what drift is judged by, and two weeks to look back over. */
const keptDays = 28;

/** Folds a slice of the log into the plan. */
export async function consume(house: House, tx: Tx, slice: Slice): Promise<void> {
  const { timeZone } = house.clocks;
  const volumes = await store.volumes(tx, slice, timeZone);
  if (volumes.length === 0) return;
  const seen = await store.properties(tx, slice, timeZone);
  const sources = [...new Set(volumes.map(({ sourceId }) => sourceId))];
  const nameIn = bounded(
    (await store.names(tx, sources)).map(({ sourceId, name }) => [sourceId, name]),
    namesLimit,
  );
  const named = volumes.map((row) => ({ ...row, name: nameIn(row.sourceId, row.name) }));
  await store.addVolumes(tx, named);
  if (seen.length > 0) {
    const own = seen.map((row) => ({ ...row, name: nameIn(row.sourceId, row.name) }));
    const there = await store.propertyNames(tx, sources, [...new Set(own.map(({ name }) => name))]);
    const propertyIn = bounded(
      there.map(({ sourceId, name, property }) => [`${sourceId} ${name}`, property]),
      propertiesLimit,
    );
    await store.addProperties(
      tx,
      own
        // Of the events that have no name here, only their number is known.
        .filter(({ name }) => name !== others)
        .map((row) => ({
          ...row,
          property: propertyIn(`${row.sourceId} ${row.name}`, row.property),
        })),
    );
  }
  const today = dayOf(house.clocks.machine(), timeZone);
  await store.forget(tx, addDays(today, -keptDays));
}

/** The name under which something is kept: its own, or that of the others once the limit is reached. */
function bounded(there: readonly (readonly [string, string])[], limit: number) {
  const known = new Map<string, Set<string>>();
  for (const [group, name] of there) {
    const own = known.get(group) ?? new Set<string>();
    known.set(group, own.add(name));
  }
  return (group: string, name: string): string => {
    const own = known.get(group) ?? new Set<string>();
    known.set(group, own);
    if (own.has(name)) return name;
    if (!keepable(name) || own.size >= limit) return others;
    own.add(name);
    return name;
  };
}
