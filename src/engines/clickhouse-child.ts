// The process that holds ClickHouse. Its first line of input says how to run; the end of its input, which is also the
// end of its parent, ends it after what it is doing. It is started by clickhouse.ts and by nobody else.
import { createInterface } from "node:readline";
import { openEngine } from "./clickhouse-engine.ts";
import { serve } from "./clickhouse-http.ts";
import type { Secrets } from "./clickhouse-request.ts";

export type Order = { data: string; config: string; port: number; secrets: Secrets };
export type Report = { ready: true } | { ready: false; reason: string; portTaken: boolean };

/** How long a query may still run after the end was asked for. Its writes are whole or not there at all. */
const graceMs = 20_000;

// Ctrl-C reaches the whole terminal group; the parent decides when it is this process's turn.
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => undefined);

const say = (report: Report) => process.stdout.write(`${JSON.stringify(report)}\n`);
const lines = createInterface({ input: process.stdin });
const ended = new Promise<void>((resolve) => lines.once("close", resolve));
const first = await new Promise<string>((resolve) => {
  lines.once("line", resolve);
  lines.once("close", () => resolve(""));
});
if (first === "") process.exit(0);

try {
  const order = JSON.parse(first) as Order;
  const engine = await openEngine(order.data, order.config);
  const server = await serve(engine, order.secrets, order.port);
  say({ ready: true });
  await ended;
  setTimeout(() => process.exit(1), graceMs).unref();
  server.closeIdleConnections();
  await new Promise((resolve) => server.close(resolve));
  await engine.close();
  process.exit(0);
} catch (error) {
  const portTaken = (error as NodeJS.ErrnoException).code === "EADDRINUSE";
  say({ ready: false, reason: String(error), portTaken });
  process.exit(1);
}
