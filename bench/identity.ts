// Visitors who turn out to be members: how soon that, and what they say of themselves, is in the profile.
//
// Events come at --rate a second for --seconds; three of ten say who a visitor is, and each makes two people one. Beside
// them a probe sends, five times a second, a visitor's event and a word that names them and says their city, and waits
// until all of it is of one member whose profile says that city. At the end --links such words come at once, to see how
// fast a backlog goes. The API and the worker run as two processes.
//
// Options: --seconds (60), --rate (1000 events a second), --people (20000), --links (10000).
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Measured } from "./effect.ts";
import { bodyOf, visitOf } from "./tools/events.ts";
import { numberOf, type Options } from "./tools/homes.ts";
import { loadBy, median, running } from "./tools/running.ts";

const lateTargetMs = 1000;

export async function run(report: (measured: Measured) => void, options: Options): Promise<void> {
  const say = (name: string, value: number, unit: string, target = "-", pass = true) =>
    report({ name: `identity.${name}`, value: Math.round(value * 100) / 100, unit, target, pass });
  const seconds = numberOf(options, "seconds", 60);
  const rate = numberOf(options, "rate", 1000);
  const people = numberOf(options, "people", 20_000);
  const links = numberOf(options, "links", 10_000);
  await using program = await running(options["below"]);
  const { port } = await program.start("api");
  await program.start("worker");
  const send = async (body: string) => {
    const answer = await fetch(`http://127.0.0.1:${port}/v1/events`, {
      method: "POST",
      headers: { authorization: `Bearer ${program.key}`, "content-type": "application/json" },
      body,
    });
    const told = (await answer.json()) as { refused: number; results: { id: string }[] };
    if (!answer.ok || told.refused > 0) throw new Error(JSON.stringify(told).slice(0, 500));
    return told.results;
  };
  const load = (long: number, batches: number, from: number) => {
    const order = { port, path: "/v1/events", key: program.key, connections: 16, live: true };
    return loadBy({
      ...order,
      ...{ batch: 100, seconds: long, rate: batches, from, people, fresh: 0, visits: true },
    });
  };
  // The compiler's work of the first seconds.
  const { next } = await load(3, 5, 10);
  while ((await behind()) > 0) await sleep(200);

  let over = false;
  const lag: number[] = [];
  const late: number[] = [];
  const beside = [watch(), probes()];
  const loaded = await load(seconds, rate / 100, next);
  over = true;
  await Promise.all(beside);
  const p99 = late.toSorted((a, b) => a - b)[Math.floor(late.length * 0.99)] ?? Infinity;
  const third = Math.floor(lag.length / 3);
  const [early, end] = [median(lag.slice(0, third)), median(lag.slice(-third))];
  say("taken", loaded.events / loaded.seconds, "events/s");
  say("named", (loaded.events / loaded.seconds) * 0.3, "visitors/s");
  say(
    "refused",
    loaded.refused + loaded.failed,
    "events",
    "= 0",
    !loaded.refused && !loaded.failed,
  );
  say("lag_first_third", early, "events");
  say("lag_last_third", end, "events", `<= ${early + rate}`, end <= early + rate);
  say("profile_p50", median(late), "ms");
  say("profile_p99", p99, "ms", `<= ${lateTargetMs}`, p99 <= lateTargetMs);

  while ((await behind()) > 0) await sleep(100);
  // So many words in a row whose visitors were met just before: nothing else is between them.
  const at = new Date().toISOString();
  const word = (n: number) => visitOf(n * 10 + 3, people);
  const met = (n: number) => visitOf(n * 10 - 10, people);
  const from = Math.ceil(loaded.next / 10) + 100;
  for (const event of [met, word]) {
    const began = performance.now();
    for (let n = 0; n < links; n += 1000)
      await send(bodyOf(from + n, Math.min(1000, links - n), event, at));
    while ((await behind()) > 0) await sleep(20);
    if (event === word) say("backlog", (1000 * links) / (performance.now() - began), "visitors/s");
  }

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
  async function probes(): Promise<void> {
    const waits: Promise<void>[] = [];
    while (!over) {
      waits.push(probe());
      await sleep(200);
    }
    await Promise.all(waits);
  }
  async function probe(): Promise<void> {
    const id = randomUUID();
    const visitor = { anonymous: `v-${id}`, at: new Date().toISOString() };
    const events = [
      { ...visitor, key: `1-${id}`, name: "Probe" },
      { ...visitor, key: `2-${id}`, name: "identify", user: `m-${id}`, traits: { city: "Wuhan" } },
    ];
    const [seen, said] = await send(JSON.stringify({ events }));
    const began = performance.now();
    for (;;) {
      // Of whoever the first is now, the second is what the city is known by.
      const [row] = await program.owner`
        select from collect_event e
        join people_node n on n.bucket = e.bucket and n.node_id = e.node_id
        join people_profile f on f.bucket = n.person_bucket and f.person_id = n.person_id
        where e.name = 'Probe' and e.at = ${visitor.at} and e.id = ${seen!.id}
          and f.attributes->'city'->>'id' = ${said!.id}`;
      if (row || performance.now() - began > 60_000) break;
      await sleep(20);
    }
    late.push(performance.now() - began);
  }
}
