// What a caller can ask of the tracking plan.
import type { Context, House } from "#kernel/endpoint.ts";
import type { Reader } from "#kernel/sql.ts";
import { fail, ok, type Result } from "#kernel/result.ts";
import { namesLimit, type Planned } from "./rules.ts";
import * as store from "./store.ts";

/** What an operator keeps out is known to every process within so long; to the one that was told, at once. */
const freshMs = 2000;
type Kept = { at: number; names: ReadonlySet<string> };
const kept = new WeakMap<House, Map<string, Kept>>();

/** The names of events that a source may not send. */
export async function blocked(
  house: House,
  reader: Reader,
  sourceId: string,
): Promise<ReadonlySet<string>> {
  const mine = kept.get(house) ?? new Map<string, Kept>();
  kept.set(house, mine);
  const now = house.clocks.machine().getTime();
  const had = mine.get(sourceId);
  if (had && Math.abs(now - had.at) < freshMs) return had.names;
  const rows = await store.blockedNames(reader, sourceId);
  const names = new Set(rows.map(({ name }) => name));
  mine.set(sourceId, { at: now, names });
  return names;
}

type Event = { source: string; name: string };
type Failure = "collect.source_unknown" | "plan.full";
async function change(
  { tx, house, at }: Context,
  { source: sourceId, name }: Event,
  to: { blocked?: boolean; planned?: Planned | null },
): Promise<Result<Record<string, never>, Failure>> {
  if (!(await store.hasSource(tx, sourceId))) return fail("collect.source_unknown");
  if ((await store.namesOf(tx, sourceId)) >= 2 * namesLimit) return fail("plan.full");
  await store.setPlan(tx, { sourceId, name }, to, at);
  kept.get(house)?.delete(sourceId);
  return ok({});
}
/** Keeps an event of a source out from now on, or lets it in again. */
export const block = (context: Context, { blocked: is, ...event }: Event & { blocked: boolean }) =>
  change(context, event, { blocked: is });
/** Says what an event of a source should bring; null takes the plan back. */
export const plan = (
  context: Context,
  { properties, ...event }: Event & { properties: Planned | null },
) => change(context, event, { planned: properties });
