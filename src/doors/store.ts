// What of requests without a known key is kept: how many there were.
import type { Reader } from "#kernel/sql.ts";

export type Stranger = "no_key" | "unknown_key";
/** Counts requests of a day (UTC, machine's clock), all that wait together in one statement. */
export async function countStrangers(
  reader: Reader,
  all: readonly Stranger[],
  at: Date,
): Promise<void> {
  const counts = [...Map.groupBy(all, (one) => one)].toSorted();
  await reader`
    insert into doors_unknown as u (day, reason, requests)
    select ${at.toISOString().slice(0, 10)}::date, reason, requests from unnest(
      ${counts.map(([reason]) => reason)}::text[], ${counts.map(([, some]) => some.length)}::bigint[]
    ) as n(reason, requests)
    on conflict (day, reason) do update set requests = u.requests + excluded.requests`;
}
