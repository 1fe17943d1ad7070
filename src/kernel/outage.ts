// Work that can be cut off and gone on with needs nobody to start it again when an engine was away for a moment.
import { wait } from "./clock.ts";
import { faultOf, type Log } from "./log.ts";
import { isAway } from "./sql.ts";

const pauseMs = 500;
/** So long an engine may be away: longer than the embedded ones take to come back, with all they have to recover. */
const patienceMs = 120_000;

/**
 * Runs `work` to its end; where an engine was away, once more from where it stopped, until none came back in time.
 * `now` reads a clock in milliseconds that nobody sets.
 */
export async function throughOutages<T>(
  work: () => Promise<T>,
  log: Log,
  now: () => number,
  signal?: AbortSignal,
): Promise<T> {
  let since: number | null = null;
  for (;;) {
    const began = now();
    try {
      return await work();
    } catch (thrown) {
      if (!isAway(thrown) || signal?.aborted) throw thrown;
      // Work that went well for a while before it broke has outlived the outage before.
      if (since === null || now() - began > 10_000) since = now();
      if (now() - since > patienceMs) throw thrown;
      log.warn({ event: "engine.away", ...faultOf(thrown) });
      await wait(pauseMs, signal);
    }
  }
}
