// What a question of two steps costs over a million edges: friends of friends, and who follows the same. Some people are
// followed by many, as people are: whom somebody follows is drawn with a weight that falls with rank.
//
// Options: --edges (1000000; rows, two an edge), --people (50000), --asked (questions a road, 400).
import { setup, world } from "../test/database.ts";
import { answersLimit, roadNames } from "../src/relations/rules.ts";
import { reached } from "../src/relations/views.ts";
import type { Measured } from "./effect.ts";
import { numberOf, type Options } from "./tools/homes.ts";

const targetMs = 50;

export async function run(report: (measured: Measured) => void, options: Options): Promise<void> {
  const rows = numberOf(options, "edges", 1_000_000)!;
  const people = numberOf(options, "people", 50_000)!;
  const asked = numberOf(options, "asked", 400)!;
  const say = (name: string, value: number, unit: string, target = "-", pass = true) =>
    report({ name: `relations.${name}`, value: Math.round(value * 100) / 100, unit, target, pass });
  const stop = await setup();
  try {
    await using here = await world();
    await here.owner`set statement_timeout = 0`;
    await here.owner`select setseed(0.5)`;
    const id = (n: string) => here.owner.unsafe(`lpad(to_hex(${n}), 32, '0')::uuid`);
    const bucket = (n: string) => here.owner.unsafe(`((${n}) % 256)::smallint`);
    await here.owner`
      insert into relations_person select ${bucket("n")}, ${id("n")}, '2026-01-01'
      from generate_series(1, ${people}::int) n`;
    // Half of the rows are friendships, half are follows; each stands under both of its ends.
    for (const [kinds, skew] of [
      [["friend", "friend"], 1],
      [["follows", "followed_by"], 3],
    ] as const)
      await here.owner`
        with drawn as materialized (
          select distinct (1 + floor(random() * ${people}::int))::int as a,
            (1 + floor(power(random(), ${skew}::float8) * ${people}::int))::int as b
          from generate_series(1, ${Math.round(rows / 4)}::int)
        ), edge as (
          select a, b, ${kinds[0]}::text as kind from drawn where a <> b
          union all select b, a, ${kinds[1]}::text from drawn where a <> b
        )
        insert into relations_edge (bucket, person_id, kind, other_bucket, other_person_id, since)
        select ${bucket("a")}, ${id("a")}, kind, ${bucket("b")}, ${id("b")}, '2026-01-02' from edge
        on conflict do nothing`;
    await here.owner`vacuum analyze relations_edge`;
    await here.owner`analyze relations_person`;
    const [made] = await here.sql<{ n: number }[]>`select count(*)::int as n from relations_edge`;
    say("rows", made!.n, "rows");
    for (const road of roadNames.filter((name) => /friend|follow/.test(name))) {
      const took: number[] = [];
      let answers = 0;
      for (let i = 0; i < asked; i++) {
        const n = 1 + ((i * 7919) % people);
        const person = {
          bucket: n % 256,
          personId: `00000000-0000-0000-0000-${n.toString(16).padStart(12, "0")}`,
        };
        const from = performance.now();
        answers += (await reached(here.sql, person, road, answersLimit)).length;
        took.push(performance.now() - from);
      }
      took.sort((a, b) => a - b);
      const p95 = took[Math.floor(took.length * 0.95)]!;
      say(`${road}_answers`, answers / asked, "people");
      say(`${road}_p50`, took[Math.floor(took.length / 2)]!, "ms");
      say(`${road}_p95`, p95, "ms", `< ${targetMs}`, p95 < targetMs);
    }
  } finally {
    await stop();
  }
}
