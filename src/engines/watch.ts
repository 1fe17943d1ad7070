import { setTimeout as sleep } from "node:timers/promises";
import type { EngineLog, EngineName, EngineState, Running } from "./types.ts";

/** A child that is ready for work. `ended` resolves, and never rejects, once it is gone. */
export type Child = { pid: number; ended: Promise<string>; stop: () => Promise<void> };

const firstPauseMs = 100;
const longestPauseMs = 10_000;
/** A child that lived this long was well: the next fall starts with the short pause again. */
const wellAfterMs = 60_000;

/**
 * Keeps one child running: when it dies it is started again, after 0.1 s, then twice as long each time up to 10 s.
 * Resolves when the first one is ready; a first start that fails is the caller's to hear.
 */
export async function keepRunning(
  engine: EngineName,
  start: () => Promise<Child>,
  log: EngineLog,
  tell: (state: EngineState) => void,
): Promise<Running> {
  const stopping = new AbortController();
  let child: Child | undefined = await start();
  const up = (now: Child) => {
    log({ level: "info", event: "engine.up", engine, pid: now.pid });
    tell({ engine, state: "up", pid: now.pid });
  };
  up(child);

  const watching = (async () => {
    let pauseMs = firstPauseMs;
    while (child !== undefined) {
      const since = performance.now();
      const how = await child.ended;
      child = undefined;
      if (stopping.signal.aborted) return;
      if (performance.now() - since > wellAfterMs) pauseMs = firstPauseMs;
      log({ level: "error", event: "engine.died", engine, how });
      tell({ engine, state: "down" });
      while (child === undefined && !stopping.signal.aborted) {
        await sleep(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined);
        pauseMs = Math.min(pauseMs * 2, longestPauseMs);
        if (stopping.signal.aborted) return;
        try {
          child = await start();
          up(child);
        } catch (error) {
          log({ level: "error", event: "engine.start_failed", engine, reason: String(error) });
        }
      }
      if (child !== undefined && stopping.signal.aborted) await child.stop();
    }
  })();

  let stopped: Promise<void> | undefined;
  return {
    pid: () => child?.pid,
    stop: () => {
      stopped ??= (async () => {
        stopping.abort();
        await child?.stop();
        await watching;
        log({ level: "info", event: "engine.stopped", engine });
        tell({ engine, state: "down" });
      })();
      return stopped;
    },
  };
}
