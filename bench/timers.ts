// Timers that come and go by the hundred a second, beside reads that last for minutes: none of what has rung can be
// cleared while a read could still see it, and looking for what is due must not go over all of it each time.
//
// Three read transactions of two minutes each overlap all the while. A feeder sets timers that fall due some seconds
// later; a worker as the program has it rings them. Lateness is from when one was due until the transaction that rang it
// was under way. What a claim touches is asked of the server (EXPLAIN with BUFFERS, rolled back), from the place where the
// last look ended and from the beginning, weighed by how often each is done.
//
// Options: --seconds (600), --rate (800 a second), --hold (120, seconds of a read), --settle (60).
import { setTimeout as sleep } from "node:timers/promises";
import { claiming, ringDue, setTimers, type TimerKind } from "../src/kernel/timers.ts";
import { connect, type Tx } from "../src/kernel/sql.ts";
import { startWorker } from "../src/kernel/worker.ts";
import type { Measured } from "./effect.ts";
import { mixed } from "./tools/events.ts";
import { numberOf, type Options } from "./tools/homes.ts";
import { median, running } from "./tools/running.ts";

const lateTargetMs = 2000;
const deadAfter = 10_000;

export async function run(report: (measured: Measured) => void, options: Options): Promise<void> {
  const say = (name: string, value: number, unit: string, target = "-", pass = true) =>
    report({ name: `timers.${name}`, value: Math.round(value * 100) / 100, unit, target, pass });
  const seconds = numberOf(options, "seconds", 600);
  const rate = numberOf(options, "rate", 800);
  const hold = numberOf(options, "hold", 120);
  await using program = await running(options["below"]);
  const { house } = program.opened;
  const began = performance.now();
  const elapsed = () => (performance.now() - began) / 1000;
  const late: { minute: number; ms: number }[] = [];
  const tick: TimerKind = {
    kind: "bench.tick",
    clock: "machine",
    batch: 1000,
    ring: (_, __, due) => {
      const now = house.clocks.machine().getTime();
      const minute = Math.floor(elapsed() / 60);
      for (const { dueAt } of due) late.push({ minute, ms: now - dueAt.getTime() });
      return Promise.resolve();
    },
  };
  let [looks, over] = [0, false];
  const look = async () => {
    looks++;
    return ringDue(house, [tick]);
  };
  const worker = startWorker([{ name: "ring", restMs: 1000, run: look }], house.log);
  const feeding = feed();
  const reads = [0, 1, 2].map((nth) => read((nth * hold) / 3));
  const claims: { at: number; place: number; sweep: number }[] = [];
  const dead: { tuples: number; ageSeconds: number }[] = [];
  while (elapsed() < seconds) {
    await sleep(Math.min(10_000, seconds * 100));
    claims.push({ at: elapsed(), place: await cost(2000), sweep: await cost(null) });
    dead.push({ tuples: await deadTuples(), ageSeconds: Math.min(elapsed(), hold) });
  }
  over = true;
  await Promise.all([feeding, ...reads]);
  await sleep(5000);
  const [left] = await program.owner<{ due: number }[]>`
    select count(*)::int as due from timer where kind = 'bench.tick'`;
  await worker.stop();

  const p99 = (values: readonly number[]) =>
    values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.99)] ?? 0;
  const minutes = [...new Set(late.map(({ minute }) => minute))].map((minute) =>
    p99(late.filter((one) => one.minute === minute).map(({ ms }) => ms)),
  );
  const worst = Math.max(...minutes);
  say("rung", late.length / elapsed(), "1/s");
  say("late_p50", median(late.map(({ ms }) => ms)), "ms");
  say("late_p99_worst_minute", worst, "ms", `<= ${lateTargetMs}`, worst <= lateTargetMs);
  say("backlog", left!.due, "timers", "= 0", left!.due === 0);
  const share = Math.max(...dead.slice(1).map((one) => one.tuples / (2 * rate * one.ageSeconds)));
  say("dead_most", Math.max(...dead.map(({ tuples }) => tuples)), "tuples");
  say("dead_of_allowed", share, "×", "<= 1", share <= 1);
  // A look from the beginning is one in five seconds; the others begin where the last ended.
  const sweeps = Math.min(1, elapsed() / 5 / looks);
  const weighed = (some: typeof claims) =>
    median(some.map(({ place, sweep }) => place * (1 - sweeps) + sweep * sweeps));
  const first = weighed(claims.filter(({ at }) => at <= 65));
  const last = weighed(claims.filter(({ at }) => at > seconds - 60));
  say("looks", looks / elapsed(), "1/s");
  say("buffers_first_minute", first, "buffers");
  say("buffers_last_minute", last, "buffers", `<= ${Math.round(2 * first)}`, last <= 2 * first);
  let settled = Infinity;
  for (let waited = 0; waited < numberOf(options, "settle", 60); waited += 5) {
    await sleep(5000);
    settled = await deadTuples();
    if (settled < deadAfter) break;
  }
  say("dead_afterwards", settled, "tuples", `< ${deadAfter}`, settled < deadAfter);

  async function feed(): Promise<void> {
    for (let set = 0; !over;) {
      const due = Math.floor(elapsed() * rate);
      const now = house.clocks.machine().getTime();
      const timers = Array.from({ length: Math.min(due - set, 2000) }, (_, i) => {
        const n = set + i;
        return {
          ...{ kind: tick.kind, key: String(n), bucket: mixed(n) % 256, personId: house.newId() },
          dueAt: new Date(now + 1000 + (mixed(n + 1) % 3000)),
        };
      });
      set += timers.length;
      if (timers.length > 0) await house.sql.begin((tx) => setTimers(tx, timers));
      await sleep(100);
    }
  }
  async function read(after: number): Promise<void> {
    const own = connect(program.url, {
      max: 1,
      statementTimeoutMs: 0,
    });
    for (let from = after; !over; from = elapsed()) {
      while (elapsed() < from && !over) await sleep(100);
      await own.begin("isolation level repeatable read read only", async (tx) => {
        while (elapsed() < from + hold && !over) {
          await tx`select count(*) from timer`;
          await sleep(5000);
        }
      });
    }
    await own.end();
  }
  async function deadTuples(): Promise<number> {
    const [row] = await program.owner<{ dead: number }[]>`
      select n_dead_tup::int as dead from pg_stat_user_tables where relname = 'timer'`;
    return row!.dead;
  }
  /** Buffers that a claim touches, from so many ms ago or from the beginning. */
  async function cost(backMs: number | null): Promise<number> {
    const now = house.clocks.machine();
    const from = backMs === null ? new Date(0) : new Date(now.getTime() - backMs);
    const buckets = Array.from({ length: 256 }, (_, i) => i);
    let touched = 0;
    await program.owner
      .begin(async (tx) => {
        const asked = claiming(tx as Tx, tick.kind, buckets, now, from, tick.batch);
        const [row] = await tx<{ "QUERY PLAN": unknown }[]>`
          explain (analyze, buffers, format json) ${asked}`;
        const [{ Plan: plan }] = Object.values(row!)[0] as [{ Plan: Record<string, number> }];
        touched = plan["Shared Hit Blocks"]! + plan["Shared Read Blocks"]!;
        throw rolledBack;
      })
      .catch((thrown: unknown) => {
        if (thrown !== rolledBack) throw thrown;
      });
    return touched;
  }
}
const rolledBack = new Error("rolled back");
