// The whole way of an event: it comes in over HTTP, becomes part of a profile, moves its person in and out of segments,
// and whoever listens is told; with 50 segments that ask what people did and 10 triggers on their entries. The API and
// the worker run as the two processes that a shop of that size would run.
//
// First COPY alone (as `ingest` measures it) gives the machine's own rate; then events come at --share of it, by schedule,
// for --seconds, and every second it is asked how many were not yet looked at. Beside them a probe sends, five times a
// second, an event that brings its person into a segment, and waits until they are in. At the end people leave a window.
//
// Options: --seconds (300), --share (0.15 of COPY), --segments (50), --triggers (10), --people (20000), --roles (two; one:
// a single process does both).
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Rule } from "../src/segments/rules.ts";
import { listen } from "../src/segments/service.ts";
import { copier } from "./ingest.ts";
import type { Measured } from "./effect.ts";
import { names } from "./tools/events.ts";
import { numberOf, type Options } from "./tools/homes.ts";
import { loadBy, median, running } from "./tools/running.ts";

const lateTargetMs = 1000;
const leavingTargetMs = 2000;

/** Rules of every kind that events can move: counts, absence, first times, sequences, and what they are together. */
function ruleOf(n: number): Rule {
  const event = names[n % names.length]!;
  const other = names[(n + 1) % names.length]!;
  const window = { kind: "hours" as const, hours: 1 + (n % 48) };
  const where = [
    { property: "category", is: "eq" as const, value: ["tea", "toys", "books"][n % 3]! },
  ];
  switch (n % 5) {
    case 0:
      return { kind: "events", event, is: "ge", count: 2 + (n % 7), window };
    case 1:
      return { kind: "events", event, where, is: "ge", count: 1 + (n % 3), window };
    case 2:
      return {
        kind: "and",
        of: [
          { kind: "events", event, is: "ge", count: 1, window },
          { kind: "absent", event: other, window },
        ],
      };
    case 3:
      return { kind: "first", event, where, window };
    default:
      return {
        kind: "sequence",
        steps: [{ event }, { event: other, where }],
        withinHours: 1,
        window,
      };
  }
}

export async function run(report: (measured: Measured) => void, options: Options): Promise<void> {
  const say = (name: string, value: number, unit: string, target = "-", pass = true) =>
    report({ name: `pipeline.${name}`, value: Math.round(value * 100) / 100, unit, target, pass });
  const seconds = numberOf(options, "seconds", 300);
  const share = Number(options["share"] ?? 0.15);
  const people = numberOf(options, "people", 20_000);
  await using program = await running(options["below"]);
  const { house } = program.opened;
  const { port } = await program.start(options["roles"] === "one" ? "all" : "api");
  if (options["roles"] !== "one") await program.start("worker");
  const ask = async (path: string, body: unknown, key = program.operator) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${key}`,
        "content-type": "application/json",
        "idempotency-key": randomUUID(),
      },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as { id: string };
  };
  const define = (name: string, rule: Rule) =>
    ask("/v1/segments", { name: { zh: name, en: name }, rule, purpose: "analysis" });
  const ids: string[] = [];
  for (let n = 0; n < numberOf(options, "segments", 50); n++)
    ids.push((await define(`bench ${n}`, ruleOf(n))).id);
  // Who listens to entries is told by the outbox, as a journey's trigger is.
  for (let n = 0; n < numberOf(options, "triggers", 10); n++)
    await house.sql.begin((tx) => listen(tx, `bench ${n}`, ids[(n * 5) % ids.length]!));
  const probe = await define("probe", {
    ...{ kind: "events", event: "Probe", is: "ge", count: 1 },
    window: { kind: "hours", hours: 1 },
  });

  let from = 0;
  const send = async (long: number, rate: number | null) => {
    const order = { port, path: "/v1/events", key: program.key, connections: 16, live: true };
    const loaded = await loadBy({
      ...order,
      batch: 100,
      seconds: long,
      rate,
      from,
      people,
      fresh: 2,
    });
    from = loaded.next;
    return loaded;
  };
  await send(3, 50); // people, plans and the compiler's work of the first seconds
  while ((await behind()) > 0) await sleep(200);
  const copy = await copier(program.owner);
  const rates = [await copy(4), await copy(4), await copy(4)];
  const rate = median(rates) * share;
  say("copy", median(rates), "rows/s");
  say("offered", rate, "events/s");

  let over = false;
  const lag: number[] = [];
  const late: number[] = [];
  const watching = watch();
  const probing = probes();
  const loaded = await send(seconds, rate / 100);
  over = true;
  const began = performance.now();
  while ((await behind()) > 0 && performance.now() - began < 120_000) await sleep(50);
  const drained = performance.now() - began;
  await Promise.all([watching, probing]);

  const third = Math.floor(lag.length / 3);
  const [early, end] = [median(lag.slice(0, third)), median(lag.slice(-third))];
  const reached = loaded.events / loaded.seconds / median(rates);
  say("taken", loaded.events / loaded.seconds, "events/s");
  say("of_copy", reached, "×", `>= ${share * 0.99}`, reached >= share * 0.99);
  say(
    "refused",
    loaded.refused + loaded.failed,
    "events",
    "= 0",
    loaded.refused + loaded.failed === 0,
  );
  say("lag_first_third", early, "events");
  // A lag that grows by a second's worth over the whole run would still be caught up with at night; more would not.
  say("lag_last_third", end, "events", `<= ${Math.round(early + rate)}`, end <= early + rate);
  say("drained_after", drained, "ms");
  const p99 = late.toSorted((a, b) => a - b)[Math.floor(late.length * 0.99)] ?? Infinity;
  say("membership_p50", median(late), "ms");
  say("membership_p99", p99, "ms", `<= ${lateTargetMs}`, p99 <= lateTargetMs);
  const leaving = await leave();
  say("leaving_p99", leaving, "ms", `<= ${leavingTargetMs}`, leaving <= leavingTargetMs);
  const [row] = await program.owner<{ events: number; members: number }[]>`
    select (select count(*) from collect_event)::int as events,
      (select count(*) from segments_member)::int as members`;
  say("stored", row!.events, "events");
  say("members", row!.members, "memberships");

  async function behind(): Promise<number> {
    const [one] = await program.owner<{ n: number }[]>`
      select (sum(o.next) - sum(c.next))::int as n from collect_offset o
      join collect_consumer c on c.bucket = o.bucket and c.consumer = 'people'`;
    return one!.n;
  }
  async function watch(): Promise<void> {
    while (!over) {
      lag.push(await behind());
      await sleep(1000);
    }
  }
  /** Sends what brings somebody in, and looks until they are. */
  async function probes(): Promise<void> {
    const waits: Promise<void>[] = [];
    while (!over) {
      waits.push(one());
      await sleep(200);
    }
    await Promise.all(waits);
  }
  async function one(): Promise<void> {
    const user = `probe-${randomUUID()}`;
    const event = { key: user, name: "Probe", user, at: new Date().toISOString() };
    const answer = await fetch(`http://127.0.0.1:${port}/v1/events`, {
      method: "POST",
      headers: { authorization: `Bearer ${program.key}`, "content-type": "application/json" },
      body: JSON.stringify({ events: [event] }),
    });
    const { results } = (await answer.json()) as { results: { id: string }[] };
    const began = performance.now();
    for (;;) {
      const [row] = await program.owner`
        select from segments_log where segment_id = ${probe.id} and cause = ${results[0]!.id}`;
      if (row) break;
      if (performance.now() - began > 60_000) break;
      await sleep(20);
    }
    late.push(performance.now() - began);
  }
  /** People whose one event grows too old: how long after that instant they are still in. */
  async function leave(): Promise<number> {
    const { id } = await define("leaving", {
      ...{ kind: "events", event: "Leaving", is: "ge", count: 1 },
      window: { kind: "hours", hours: 1 },
    });
    const now = Date.now();
    // Dated so that they leave between 8 and 28 seconds from now.
    const events = Array.from({ length: 400 }, (_, i) => ({
      ...{ key: `leaving-${i}`, name: "Leaving", user: `leaving-${i}` },
      at: new Date(now - 3_600_000 + 8000 + i * 50).toISOString(),
    }));
    await ask("/v1/events", { events }, program.key);
    await sleep(32_000);
    const rows = await program.owner<{ late: number }[]>`
      select extract(epoch from l.at - (e.at + interval '1 hour')) * 1000 as late
      from segments_log l
      join people_node n on n.person_bucket = l.bucket and n.person_id = l.person_id
      join collect_event e on e.bucket = n.bucket and e.node_id = n.node_id and e.name = 'Leaving'
      where l.segment_id = ${id} and l.change = 'left'`;
    say("left", rows.length, "people", "= 400", rows.length === 400);
    const sorted = rows.map(({ late: ms }) => Number(ms)).toSorted((a, b) => a - b);
    return sorted[Math.floor(sorted.length * 0.99)] ?? Infinity;
  }
}
