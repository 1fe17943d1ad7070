import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";

/** One registry a process, so that two programs in one test do not share counts. */
export type Metrics = ReturnType<typeof newMetrics>;
export function newMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  return {
    registry,
    requests: new Histogram({
      name: "liuke_http_request_seconds",
      help: "Time from the first byte of a request to its answer.",
      labelNames: ["route", "status"],
      buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
      registers,
    }),
    events: new Counter({
      name: "liuke_events_total",
      help: "Events accepted and refused, by verdict.",
      labelNames: ["verdict"],
      registers,
    }),
    lag: new Gauge({
      name: "liuke_lag_rows",
      help: "Rows of the log that a consumer has not read yet.",
      labelNames: ["consumer"],
      registers,
    }),
  };
}
