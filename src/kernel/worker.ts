// What goes on beside the requests. Each task runs again at once while it finds work, and rests while it finds none.
import { wait } from "./clock.ts";
import { faultOf, type Log } from "./log.ts";

export type Task = {
  name: string;
  /** How long it rests when there was nothing to do. */
  restMs: number;
  /** Does one helping of work; says how much there was. */
  run: () => Promise<number>;
};
export type Worker = {
  stop: () => Promise<void>;
  /** Ends a task's rest: there is work, and it need not be looked for. */
  wake: (name: string) => void;
};

/**
 * Helpings of work one after the other, each though one before it failed; the first failure is thrown at the end. Gives
 * how much was done in all.
 */
export async function inTurn(works: readonly (() => Promise<number>)[]): Promise<number> {
  let done = 0;
  const failures: unknown[] = [];
  for (const work of works)
    await work().then(
      (n) => (done += n),
      (thrown: unknown) => failures.push(thrown),
    );
  if (failures.length > 0) throw failures[0];
  return done;
}

/** The longest rest after failures that follow each other: engines that come back are found within it. */
const longestRestMs = 5_000;

export function startWorker(tasks: readonly Task[], log: Log): Worker {
  const ending = new AbortController();
  const rests = new Map<string, AbortController>();
  // Woken while it works, a task looks once more before it rests.
  const woken = new Set<string>();
  const rest = async (name: string, ms: number) => {
    if (woken.delete(name)) return;
    const resting = new AbortController();
    rests.set(name, resting);
    await wait(ms, AbortSignal.any([resting.signal, ending.signal]));
    rests.delete(name);
  };
  const loops = tasks.map(async ({ name, restMs, run }) => {
    let failures = 0;
    while (!ending.signal.aborted) {
      try {
        const done = await run();
        failures = 0;
        if (done === 0) await rest(name, restMs);
      } catch (thrown) {
        failures++;
        log.warn({ event: "worker.failed", task: name, failures, ...faultOf(thrown) });
        await wait(Math.min(100 * 2 ** failures, longestRestMs), ending.signal);
      }
    }
  });
  return {
    wake: (name) => {
      const resting = rests.get(name);
      if (resting) resting.abort();
      else woken.add(name);
    },
    stop: async () => {
      ending.abort();
      await Promise.all(loops);
    },
  };
}
