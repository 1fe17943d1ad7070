// A shop's server that sends its order lines and goes on until each is acknowledged, whatever happens meanwhile. What was
// acknowledged is written down here, outside of the program.
import { setTimeout as sleep } from "node:timers/promises";
import type { Line } from "./lines.ts";

const together = 200;
const connections = 4;
const giveUpMs = 60_000;

export type Load = {
  /** Keys that were acknowledged, and how often each: once, however often it was sent. */
  acknowledged: ReadonlySet<string>;
  /** Statuses of the answers that were no success, and how many of each. */
  refused: ReadonlyMap<number, number>;
  /** How often there was no answer at all. */
  lost: () => number;
  done: Promise<void>;
  /** Waits until that share of the lines is acknowledged. */
  reaches: (share: number) => Promise<void>;
};

/** `url` is asked each time: a program that is started again may listen elsewhere. */
export function send(url: () => string, key: string, lines: readonly Line[]): Load {
  const acknowledged = new Set<string>();
  const refused = new Map<number, number>();
  let lost = 0;
  const batches: Line[][] = [];
  for (let i = 0; i < lines.length; i += together) batches.push(lines.slice(i, i + together));

  async function deliver(batch: Line[]): Promise<void> {
    const body = JSON.stringify({ lines: batch });
    const until = performance.now() + giveUpMs;
    for (;;) {
      const answer = await fetch(`${url()}/v1/orders/lines`, {
        method: "POST",
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
        body,
        signal: AbortSignal.timeout(30_000),
      }).catch(() => null);
      const told = answer?.ok
        ? ((await answer.json().catch(() => null)) as { accepted: number; doubles: number } | null)
        : null;
      if (told) {
        if (told.accepted + told.doubles !== batch.length)
          throw new Error(`not all were taken: ${JSON.stringify(told).slice(0, 500)}`);
        for (const line of batch) acknowledged.add(line.key);
        return;
      }
      if (answer && !answer.ok) refused.set(answer.status, (refused.get(answer.status) ?? 0) + 1);
      else lost++;
      if (performance.now() > until) throw new Error(`never taken: ${answer?.status}`);
      await sleep(50);
    }
  }
  const line = async () => {
    for (let next = batches.shift(); next; next = batches.shift()) await deliver(next);
  };
  const done = Promise.all(Array.from({ length: connections }, line)).then(() => undefined);
  let over = false;
  const end = () => void (over = true);
  done.then(end, end);
  return {
    acknowledged,
    refused,
    lost: () => lost,
    done,
    reaches: async (share) => {
      while (!over && acknowledged.size < lines.length * share) await sleep(5);
      if (over) await done; // throws where it was given up
    },
  };
}
