// A client that sends batches over HTTP and each again until it is acknowledged. What it was told is written down here,
// outside of the program: the oracle.
import { setTimeout as sleep } from "node:timers/promises";
import { linesOf, type Line } from "./lines.ts";

const together = 40;
const connections = 3;
/** Between two batches of one connection: the load has to last for as long as something is killed. */
const restMs = 40;
const giveUpMs = 90_000;

type Batch = { path: "/v1/events" | "/v1/orders/lines"; keys: string[]; body: string };
export type Client = {
  /** Ids in the log, as the answers named them. */
  acknowledged: ReadonlySet<string>;
  /** How often an item was called a double at its first acknowledgement: it had been stored, and nobody was told. */
  untold: () => number;
  refused: ReadonlyMap<number, number>;
  lost: () => number;
  lines: readonly Line[];
  /** Waits until so many more items are acknowledged. */
  more: (items: number) => Promise<void>;
  /** No new batch is begun; waits for those under way. */
  stop: () => Promise<void>;
  /** Sends everything once more: every item has to be a double, under the id that was told before. */
  resend: () => Promise<{ items: number; doubles: number; strange: number }>;
};

/** Sends until it is stopped: what visitors and customers do, what they say of themselves, and order lines. */
export function client(url: string, key: string, seed: number): Client {
  const acknowledged = new Set<string>();
  const ids = new Map<string, string>();
  const refused = new Map<number, number>();
  const sent: Batch[] = [];
  const supply = linesOf(400_000, seed);
  const lines: Line[] = [];
  let lost = 0;
  let untold = 0;
  let ending = false;
  let made = 0;

  function next(): Batch {
    const n = made++;
    if (n % 4 === 3) {
      const some = supply.slice(lines.length, lines.length + together);
      lines.push(...some);
      const body = JSON.stringify({
        lines: some.map((line) => ({ ...line, key: `l${line.key}` })),
      });
      return { path: "/v1/orders/lines", keys: some.map((line) => `l${line.key}`), body };
    }
    const events = Array.from({ length: together }, (_, i) => {
      const number = n * together + i;
      const who =
        number % 7 === 0 ? { anonymous: `v${number % 400}` } : { user: `c${number % 300}` };
      const at = new Date(Date.UTC(2025, 0, 1) + number * 1000).toISOString();
      const says =
        number % 11 === 0 && "user" in who
          ? { name: "identify", traits: { email: `c${number % 300}@example.com`, city: "Bath" } }
          : {
              name: ["Product Viewed", "Cart Viewed"][number % 2]!,
              data: { product_id: `s${number % 90}` },
            };
      return { key: `e${number}`, ...who, at, ...says };
    });
    return {
      path: "/v1/events",
      keys: events.map((one) => one.key),
      body: JSON.stringify({ events }),
    };
  }

  type Told = { results: { verdict: string; id: string | null }[] };
  async function deliver({ path, keys, body }: Batch): Promise<Told["results"]> {
    const until = performance.now() + giveUpMs;
    for (;;) {
      const answer = await fetch(url + path, {
        method: "POST",
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
        body,
        signal: AbortSignal.timeout(30_000),
      }).catch(() => null);
      const told = answer?.ok ? ((await answer.json().catch(() => null)) as Told | null) : null;
      if (told?.results.length === keys.length) return told.results;
      if (answer && !answer.ok) refused.set(answer.status, (refused.get(answer.status) ?? 0) + 1);
      else lost++;
      if (performance.now() > until) throw new Error(`never taken: ${answer?.status}`);
      await sleep(50);
    }
  }
  const connection = async () => {
    while (!ending) {
      const batch = next();
      sent.push(batch);
      const told = await deliver(batch);
      told.forEach(({ verdict, id }, i) => {
        if (id === null) throw new Error(`${batch.keys[i]} was ${verdict}`);
        if (verdict === "double") untold++;
        ids.set(batch.keys[i]!, id);
        acknowledged.add(id);
      });
      await sleep(restMs);
    }
  };
  const done = Promise.all(Array.from({ length: connections }, connection));
  done.catch(() => (ending = true));
  return {
    acknowledged,
    refused,
    lines,
    untold: () => untold,
    lost: () => lost,
    more: async (items) => {
      const goal = acknowledged.size + items;
      while (!ending && acknowledged.size < goal) await sleep(5);
      if (ending) await done; // throws where it was given up
    },
    stop: async () => {
      ending = true;
      await done;
    },
    resend: async () => {
      const found = { items: 0, doubles: 0, strange: 0 };
      const left = [...sent];
      const again = async () => {
        for (let batch = left.pop(); batch; batch = left.pop())
          for (const [i, { verdict, id }] of (await deliver(batch)).entries()) {
            found.items++;
            if (verdict === "double") found.doubles++;
            if (id !== ids.get(batch.keys[i]!)) found.strange++;
          }
      };
      await Promise.all(Array.from({ length: 4 }, again));
      return found;
    },
  };
}
