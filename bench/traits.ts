// What computed figures cost: an event with none, with 10 and with 50 of them that ask about it, and with 50 that ask about
// something else; and one worked out for everybody, against SQL written by hand for that one figure on the same PostgreSQL.
//
// Events come in helpings of 200 from 400 people who did as much before, so that there is something to read. Everything is
// measured in one run, in turn, and medians are compared.
// Options: --events (1000, a round), --rounds (5), --people (20000, of the recompute), --each (events a person there, 8).
import { consume as fold } from "../src/collect/jobs.ts";
import { accept, sourceNamed } from "../src/collect/service.ts";
import type { House } from "../src/kernel/endpoint.ts";
import { connect, type Sql } from "../src/kernel/sql.ts";
import * as peopleJobs from "../src/people/jobs.ts";
import { consume, fill as worked } from "../src/traits/jobs.ts";
import { functions, type Trait } from "../src/traits/rules.ts";
import { whatOf } from "../src/traits/store.ts";
import { temporaryHome } from "../test/chaos/program.ts";
import type { Measured } from "./effect.ts";
import { fill } from "./segments.ts";
import { eventOf, names } from "./tools/events.ts";
import { numberOf, withHouse, type Options } from "./tools/homes.ts";
import { median } from "./tools/running.ts";

const hours = [24, 168, 720, 2160, null];
/** Figures of every kind over windows of every length; every third asks a property of the event. */
const traitOf = (n: number, event = names[n % names.length]!): Trait => {
  const fn = functions[n % functions.length]!;
  const property = fn === "count" || fn === "days_since" ? undefined : "price";
  return {
    ...{ name: `bench_${n}`, label: { zh: `${n}`, en: `${n}` }, fn, event, property },
    hours: hours[(n + Math.floor(n / 5)) % hours.length]!,
    ...(n % 3 === 0 ? { where: [{ property: "category", is: "ne", value: "tea" }] } : {}),
  };
};
const many = (count: number, event?: string) =>
  Array.from({ length: count }, (_, n) => traitOf(n, event));
const sides: { name: string; traits: Trait[] }[] = [
  { name: "none", traits: [] },
  { name: "mentioned_10", traits: many(10) },
  { name: "mentioned_50", traits: many(50) },
  { name: "unmentioned_50", traits: many(50, "Nobody does") },
];

export async function run(report: (measured: Measured) => void, options: Options): Promise<void> {
  const say = (name: string, value: number, unit: string, target = "-", pass = true) =>
    report({ name: `traits.${name}`, value: Math.round(value * 100) / 100, unit, target, pass });
  const events = numberOf(options, "events", 1000);
  const rounds = numberOf(options, "rounds", 5);
  const inHome = async (work: (house: House, owner: Sql) => Promise<void>) => {
    await using temporary = await temporaryHome(options["below"]);
    await withHouse(temporary.home, async ({ house, ownerUrl }) => {
      const owner = connect(ownerUrl!, { max: 2, statementTimeoutMs: 3_600_000 });
      try {
        await work(house, owner);
      } finally {
        await owner.end();
      }
    });
  };
  await inHome((house, owner) => incremental(house, owner, events, rounds, say));
  await inHome((house, owner) => whole(house, owner, options, rounds, say));
}

type Say = (name: string, value: number, unit: string, target?: string, pass?: boolean) => void;
async function incremental(house: House, owner: Sql, events: number, rounds: number, say: Say) {
  const costs = new Map(sides.map(({ name }) => [name, [] as number[]]));
  let from = 0;
  // The first round warms all of them and is not counted.
  for (let round = 0; round <= rounds; round++)
    for (const { name, traits } of sides) {
      await declareAll(owner, traits);
      const ms = await spent(house, from, events);
      from += events;
      if (round > 0) costs.get(name)!.push(ms);
    }
  const of = (name: string) => median(costs.get(name)!);
  for (const { name } of sides) say(`event_${name}`, (of(name) * 1000) / events, "us");
  for (const { name } of sides.slice(1)) {
    const more = 100 * (of(name) / of("none") - 1);
    const isUnmentioned = name.startsWith("un");
    say(`more_${name}`, more, "%", isUnmentioned ? "<= 20" : "-", !isUnmentioned || more <= 20);
  }
}
/** Straight into the table: what is declared is not worked out for everybody here. */
async function declareAll(owner: Sql, traits: readonly Trait[]): Promise<void> {
  await owner`delete from traits_trait`;
  for (const trait of traits)
    await owner`
      insert into traits_trait (name, definition, version, state, declared_at, by)
      values (${trait.name}, ${owner.json(trait as never)}, 1, 'ready', now(), 'bench')`;
  await owner`update traits_state set generation = generation + 1`;
}
const helping = 200;
async function spent(house: House, first: number, events: number): Promise<number> {
  const source = await sourceNamed(house, house.sql, "bench", "server");
  let ms = 0;
  for (let from = first; from < first + events; from += helping) {
    const at = house.clocks.shop();
    await house.sql.begin((tx) =>
      accept(
        house,
        tx,
        source,
        Array.from({ length: helping }, (_, i) => {
          const { key, name, user, data } = eventOf(from + i, 400, 0);
          return { key, name, at, data, sender: { type: "user_id" as const, value: user } };
        }),
      ),
    );
    const begun = performance.now();
    while ((await fold(house, [peopleJobs.consume, consume])) > 0);
    ms += performance.now() - begun;
  }
  return ms;
}

const figure: Trait = {
  ...{ name: "bench_spent", label: { zh: "花费", en: "Spent" }, fn: "sum" },
  ...{ event: "Product Viewed", property: "price", hours: 720 },
};
/** As somebody who knows SQL and these tables would write it. */
const byHand = (owner: Sql, at: Date) => owner`
  with figure as (
    select o.person_bucket as bucket, o.person_id, sum((e.data->>'price')::numeric) as v, max(e.at) as at,
      (array_agg(e.id order by e.at desc, e.id desc))[1] as id
    from people_owner o
    join collect_event e on e.bucket = o.bucket and e.node_id = o.node_id
      and (e.at, e.id) >= (o.from_at, o.from_id) and (e.at, e.id) < (o.until_at, o.until_id)
    where e.name = 'Product Viewed' and e.at > ${at}::timestamptz - interval '720 hours' and e.at <= ${at}
      and e.flags & 67 = 0
    group by 1, 2)
  update people_profile f set updated_at = now(), attributes = f.attributes || jsonb_build_object('by_hand',
    jsonb_build_object('v', i.v, 's', 'hand', 'at', i.at, 'c', 1, 'id', i.id))
  from figure i where i.bucket = f.bucket and i.person_id = f.person_id`;
async function whole(house: House, owner: Sql, options: Options, rounds: number, say: Say) {
  const howMany = numberOf(options, "people", 20_000);
  const at = new Date("2026-03-01T04:00:00.000Z");
  Object.assign(house.clocks, { shop: () => at });
  await fill(owner, howMany, numberOf(options, "each", 8), at);
  const own: number[] = [];
  const hand: number[] = [];
  for (let round = 0; round < rounds; round++) {
    // Each round begins with nobody who has the figure, and with no dead rows of the one before.
    await owner`update people_profile set attributes = attributes - 'bench_spent' - 'by_hand'`;
    await owner`delete from timer where kind = 'traits.turn'`;
    await owner.unsafe("vacuum (analyze) people_profile");
    await owner.unsafe("vacuum timer");
    await declareAll(owner, [figure]);
    await owner`update traits_trait set state = 'filling'`;
    const begun = performance.now();
    const what = whatOf("trait", figure.name);
    while (await house.sql.begin((tx) => worked(house, tx, what, peopleJobs.tellOwn)));
    own.push(performance.now() - begun);
    const again = performance.now();
    await byHand(owner, at);
    hand.push(performance.now() - again);
  }
  const [row] = await owner<{ figures: number; differ: number }[]>`
    select (count(*) filter (where attributes ? 'bench_spent'))::int as figures,
      (count(*) filter (where attributes->'bench_spent'->'v' is distinct from attributes->'by_hand'->'v'))::int as differ
    from people_profile`;
  say("whole_figures", row!.figures, "people");
  say("whole_differ", row!.differ, "people", "= 0", row!.differ === 0);
  say("whole_ms", median(own), "ms");
  say("whole_by_hand_ms", median(hand), "ms");
  say("whole", median(own) / median(hand), "x by hand");
}
