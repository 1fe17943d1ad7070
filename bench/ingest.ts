// How fast events come in over HTTP, each acknowledged after its commit, beside what PostgreSQL itself can do: COPY of
// the same rows, a thousand a transaction, into a table with the log's columns and indexes. Only the API runs.
//
// Rounds are interleaved: COPY, batches of 100, single events; a ratio is of one round, and the median of the rounds is
// what counts. Afterwards single events at half of that rate, by schedule, for the time they take.
//
// Options: --rounds (5), --seconds (5, of each part of a round), --connections (of batches, 8), --singles (64), --fresh
// (percent of events whose person is new, 2), --people (20000).
import { pipeline } from "node:stream/promises";
import { Readable } from "node:stream";
import type { Sql } from "../src/kernel/sql.ts";
import type { Measured } from "./effect.ts";
import type { Loaded } from "./tools/load.ts";
import { numberOf, type Options } from "./tools/homes.ts";
import { loadBy, median, running } from "./tools/running.ts";

const batchTarget = 0.5;
const singleTarget = 0.13;
const lateTarget = 50;

export async function run(report: (measured: Measured) => void, options: Options): Promise<void> {
  const say = (name: string, value: number, unit: string, target = "-", pass = true) =>
    report({ name: `ingest.${name}`, value: Math.round(value * 1000) / 1000, unit, target, pass });
  const rounds = numberOf(options, "rounds", 5);
  const seconds = numberOf(options, "seconds", 5);
  const people = numberOf(options, "people", 20_000);
  const fresh = numberOf(options, "fresh", 2);
  await using program = await running(options["below"]);
  const { port } = await program.start("api");
  let from = 0;
  const send = async (batch: number, connections: number, rate: number | null, long = seconds) => {
    const order = { port, path: "/v1/events", key: program.key, connections, seconds: long };
    const loaded = await loadBy({ ...order, batch, rate, from, people, fresh });
    from = loaded.next;
    if (loaded.failed > 0 || loaded.refused > 0)
      throw new Error(`${loaded.failed} requests failed, ${loaded.refused} events were refused`);
    return loaded;
  };
  const many = numberOf(options, "connections", 8);
  const singles = numberOf(options, "singles", 64);
  await send(100, many, null, 3); // people, plans and the compiler's work of the first seconds
  await send(1, singles, null, 2);
  const copy = await copier(program.owner);

  const ratios = { batch: [] as number[], single: [] as number[] };
  const rates = { copy: [] as number[], batch: [] as number[], single: [] as number[] };
  const cost: Loaded[] = [];
  for (let round = 0; round < rounds; round++) {
    const copied = await copy(seconds);
    const batches = await send(100, many, null);
    const alone = await send(1, singles, null);
    cost.push(batches, alone);
    rates.copy.push(copied);
    rates.batch.push(batches.events / batches.seconds);
    rates.single.push(alone.events / alone.seconds);
    ratios.batch.push(rates.batch.at(-1)! / copied);
    ratios.single.push(rates.single.at(-1)! / copied);
  }
  say("copy", median(rates.copy), "rows/s");
  say("batches", median(rates.batch), "events/s");
  say("singles", median(rates.single), "events/s");
  const [batch, single] = [median(ratios.batch), median(ratios.single)];
  say("batches_of_copy", batch, "×", `>= ${batchTarget}`, batch >= batchTarget);
  say("singles_of_copy", single, "×", `>= ${singleTarget}`, single >= singleTarget);
  const own = cost.reduce((sum, one) => sum + one.processorSeconds, 0);
  const all = cost.reduce((sum, one) => sum + one.seconds, 0);
  say("load_generator", (own / all) * 100, "% of core");

  const half = await send(1, singles, median(rates.single) / 2, Math.max(seconds * 2, 10));
  say("half_load", half.events / half.seconds, "events/s");
  say("half_load_p50", half.p50, "ms");
  say("half_load_p99", half.p99, "ms", `< ${lateTarget}`, half.p99 < lateTarget);
  const [stored] = await program.owner<{ events: number; distinct: number }[]>`
    select count(*)::int as events, count(distinct id)::int as "distinct" from collect_event`;
  say("stored", stored!.events, "events", `= ${from}`, stored!.events === from);
  say("distinct", stored!.distinct, "events", `= ${from}`, stored!.distinct === from);
}

/** COPY of the log's own rows into a table like it, emptied before each round; gives rows a second. */
export async function copier(owner: Sql) {
  await owner`create table bench_copy (like collect_event including all)`;
  const kept = await owner<{ line: string }[]>`
    select concat_ws(E'\t', bucket, "offset", id, source_id, node_id, name, at, received_at,
      replace(data::text, '\\', '\\\\'), coalesce(sealed::text, '\\N'), '\\N', '\\N', flags) as line
    from collect_event order by received_at, bucket, "offset" limit 200000`;
  const thousands: string[] = [];
  for (let i = 0; i + 1000 <= kept.length; i += 1000)
    thousands.push(
      `${kept
        .slice(i, i + 1000)
        .map(({ line }) => line)
        .join("\n")}\n`,
    );
  return async (seconds: number): Promise<number> => {
    let [rows, spent] = [0, 0];
    for (let next = 0; spent < seconds * 1000; next = (next + 1) % thousands.length) {
      if (next === 0) await owner`truncate bench_copy`;
      const began = performance.now();
      await owner.begin(async (tx) => {
        const into = await tx`copy bench_copy from stdin`.writable();
        await pipeline(Readable.from([thousands[next]!]), into);
      });
      spent += performance.now() - began;
      rows += 1000;
    }
    return rows / (spent / 1000);
  };
}
