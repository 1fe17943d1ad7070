// What a segment costs over many people: worked out whole, against SQL written by hand for that one question on the same
// PostgreSQL with the same members; after one person in a hundred changed; and counted while somebody types.
//
// Both sides keep a table of members up: who is no longer in is taken out, who is new put in. Ours also sets the timers
// of the day to come. They go in turn, and medians are compared.
// Options: --people (100000), --events (a person, 8), --rounds (5), --home (a folder that is kept: filled the first time,
// measured again as it is each time after).
import { nobody } from "../src/kernel/ids.ts";
import { connect, type Sql } from "../src/kernel/sql.ts";
import type { House } from "../src/kernel/endpoint.ts";
import type { Result } from "../src/kernel/result.ts";
import * as collectJobs from "../src/collect/jobs.ts";
import * as people from "../src/people/service.ts";
import { refold, refresh, ship } from "../src/segments/jobs.ts";
import { atInstant, type Rule } from "../src/segments/rules.ts";
import { routes } from "../src/segments/routes.ts";
import { define } from "../src/segments/service.ts";
import { everyoneOf } from "../src/segments/views.ts";
import { temporaryHome } from "../test/chaos/program.ts";
import type { Measured } from "./effect.ts";
import { numberOf, withHouse, type Options } from "./tools/homes.ts";

/** The same questions twice: as a rule, and as somebody who knows SQL and these tables would write them. */
export const questions: { name: string; rule: Rule; hand: string }[] = [
  {
    name: "attribute_tag",
    rule: {
      kind: "and",
      of: [
        { kind: "tag", tag: "lifecycle", in: ["dormant"] },
        { kind: "number", attribute: "orders", is: "ge", value: 5 },
      ],
    },
    hand: `
      select f.bucket, f.person_id from people_tag t
      join people_profile f on f.bucket = t.bucket and f.person_id = t.person_id
      where t.tag = 'lifecycle' and t.value = 'dormant' and (t.expires_at is null or t.expires_at > $1)
        and (f.attributes->'orders'->>'v')::numeric >= 5`,
  },
  {
    name: "events_in_window",
    rule: {
      kind: "events",
      event: "Product Viewed",
      is: "ge",
      count: 3,
      window: { kind: "hours", hours: 720 },
    },
    hand: `
      select o.person_bucket as bucket, o.person_id from collect_event e
      join people_owner o on o.bucket = e.bucket and o.node_id = e.node_id
        and (e.at, e.id) >= (o.from_at, o.from_id) and (e.at, e.id) < (o.until_at, o.until_id)
      where e.name = 'Product Viewed' and e.at > $1::timestamptz - interval '720 hours' and e.at <= $1
        and e.bucket >= 0 and e.flags & 3 = 0
      group by 1, 2 having count(*) >= 3`,
  },
  {
    name: "sequence",
    rule: {
      kind: "sequence",
      steps: [{ event: "Product Added" }, { event: "Order Completed" }],
      withinHours: 72,
      window: { kind: "hours", hours: 720 },
    },
    hand: `
      select bucket, person_id from (
        select o.person_bucket as bucket, o.person_id, e.name, e.at,
          max(e.at) filter (where e.name = 'Product Added') over (
            partition by o.person_bucket, o.person_id order by e.at, e.id
            rows between unbounded preceding and 1 preceding) as added
        from collect_event e
        join people_owner o on o.bucket = e.bucket and o.node_id = e.node_id
          and (e.at, e.id) >= (o.from_at, o.from_id) and (e.at, e.id) < (o.until_at, o.until_id)
        where e.name in ('Product Added', 'Order Completed')
          and e.at > $1::timestamptz - interval '720 hours' and e.at <= $1 and e.bucket >= 0 and e.flags & 3 = 0
      ) w
      where name = 'Order Completed' and at <= added + interval '72 hours'
      group by 1, 2`,
  },
  {
    name: "absence",
    rule: {
      kind: "and",
      of: [
        {
          kind: "events",
          event: "Product Added",
          is: "ge",
          count: 1,
          window: { kind: "hours", hours: 720 },
        },
        { kind: "absent", event: "Order Completed", window: { kind: "hours", hours: 720 } },
      ],
    },
    hand: `
      select o.person_bucket as bucket, o.person_id from collect_event e
      join people_owner o on o.bucket = e.bucket and o.node_id = e.node_id
        and (e.at, e.id) >= (o.from_at, o.from_id) and (e.at, e.id) < (o.until_at, o.until_id)
      where e.name in ('Product Added', 'Order Completed')
        and e.at > $1::timestamptz - interval '720 hours' and e.at <= $1 and e.bucket >= 0 and e.flags & 3 = 0
      group by 1, 2
      having bool_or(e.name = 'Product Added') and not bool_or(e.name = 'Order Completed')`,
  },
];

const median = (all: number[]): number =>
  all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)]!;
async function timed<T>(work: () => Promise<T>): Promise<{ ms: number; value: T }> {
  const begun = performance.now();
  const value = await work();
  return { ms: performance.now() - begun, value };
}

export async function run(report: (measured: Measured) => void, options: Options): Promise<void> {
  const say = (name: string, value: number, unit: string, target = "-", pass = true) =>
    report({
      name: `segments.${name}`,
      value: Math.round(value * 1000) / 1000,
      unit,
      target,
      pass,
    });
  const howMany = numberOf(options, "people", 100_000);
  const each = numberOf(options, "events", 8);
  const rounds = numberOf(options, "rounds", 5);
  await using temporary = await temporaryHome(options["below"]);
  const home = options["home"] ?? temporary.home;
  const at = new Date("2026-03-01T04:00:00.000Z");
  await withHouse(home, async ({ house, ownerUrl }) => {
    const owner = connect(ownerUrl!, { max: 1, statementTimeoutMs: 3_600_000 });
    try {
      Object.assign(house.clocks, { shop: () => at });
      const [there] = await owner<{ people: number }[]>`
        select count(*)::int as people from people_person`;
      if (there!.people === 0) await fill(owner, howMany, each, at);
      else if (there!.people !== howMany) throw new Error(`--home holds ${there!.people} people`);
      await tell(house);
    } finally {
      await owner.end();
    }
  });
  // Opened again, as an installation that has come to be of that size: the engines set themselves by their data.
  await withHouse(home, async ({ house, ownerUrl }) => {
    const owner = connect(ownerUrl!, { max: 2, statementTimeoutMs: 3_600_000 });
    try {
      Object.assign(house.clocks, { shop: () => at });
      // What an earlier run of the same home defined would be looked at beside.
      await owner.unsafe(`
        truncate segments_segment, segments_member, segments_log, segments_interest, bench_member;
        delete from timer where kind like 'segments.%';
        update segments_state set generation = generation + 1`);
      await owner.unsafe("vacuum (analyze) timer");
      const ids = [];
      for (const { name, rule } of questions) {
        const made = await house.sql.begin((tx) =>
          define({ tx, house } as never, {
            name: { zh: name, en: name },
            rule,
            purpose: "analysis",
          }),
        );
        if (!made.ok) throw new Error(made.code);
        ids.push(made.value.id);
      }
      let all = 0;
      for (const [i, { name, rule, hand }] of questions.entries()) {
        const id = ids[i]!;
        const first = await timed(() => refresh(house, id));
        say(`${name}_first_fill`, first.ms, "ms");
        await byHand(owner, id, hand, at);
        // As the engine does by itself before long.
        await owner.unsafe("vacuum (analyze) segments_member, bench_member, timer");
        const ratio = {
          own: [] as number[],
          hand: [] as number[],
          set: [] as number[],
          bare: [] as number[],
        };
        for (let round = 0; round < rounds; round++) {
          ratio.own.push((await timed(() => refresh(house, id))).ms);
          ratio.hand.push((await timed(() => byHand(owner, id, hand, at))).ms);
          ratio.set.push((await timed(() => setOf(house, rule, at))).ms);
          ratio.bare.push((await timed(() => handSet(owner, hand, at))).ms);
        }
        const [row] = await owner<{ own: number; differ: number }[]>`
          select (select count(*) from segments_member where segment_id = ${id})::int as own, (
            select count(*) from (
              (select bucket, person_id from segments_member where segment_id = ${id}
                except select bucket, person_id from bench_member where segment_id = ${id})
              union all
              (select bucket, person_id from bench_member where segment_id = ${id}
                except select bucket, person_id from segments_member where segment_id = ${id})
            ) d)::int as differ`;
        say(`${name}_members`, row!.own, "people");
        say(`${name}_members_differ`, row!.differ, "people", "= 0", row!.differ === 0);
        say(`${name}_set`, median(ratio.set) / median(ratio.bare), "x by hand");
        say(`${name}_recompute_ms`, median(ratio.own), "ms");
        const times = median(ratio.own) / median(ratio.hand);
        say(`${name}_recompute`, times, "x by hand", "<= 1.3", times <= 1.3);
        all += median(ratio.own);
      }
      const some = await owner<{ bucket: number; personId: string }[]>`
        select bucket, person_id from people_person where hashtext(person_id::text) % 100 = 0`;
      const part: number[] = [];
      for (let round = 0; round < rounds; round++)
        part.push(
          (
            await timed(() =>
              house.sql.begin(async (tx) => {
                await tx`set local statement_timeout = '5min'`;
                await refold(house, tx, some);
              }),
            )
          ).ms,
        );
      say("changed_people", some.length, "people");
      const share = (100 * median(part)) / all;
      say("changed_1_in_100", share, "% of full", "<= 5", share <= 5);

      const preview = routes.find(({ endpoint }) => endpoint.path === "/v1/segments/preview")!;
      if (preview.kind !== "query") throw new Error("preview is a read");
      for (const { name, rule } of questions) {
        const taken: number[] = [];
        let fit = 0;
        for (let round = 0; round < rounds; round++) {
          const reading = {
            house,
            actor: { id: "bench" },
            scope: { kind: "all" },
            now: at,
            at,
            today: "2026-03-01",
          };
          const { ms, value } = await timed(
            async () =>
              (await preview.run(reading as never, { rule, level: "person" } as never)) as Result<
                unknown,
                string
              >,
          );
          taken.push(ms);
          if (!value.ok) throw new Error(value.code);
          fit = (value.value as { people: number }).people;
        }
        const [row] = await owner<{ people: number }[]>`
          select count(*)::int as people from segments_member where segment_id = ${ids[questions.findIndex((q) => q.name === name)]!}`;
        say(`${name}_preview`, median(taken), "ms", "< 1000", median(taken) < 1000);
        say(
          `${name}_preview_off`,
          Math.abs(fit - row!.people),
          "people",
          "= 0",
          fit === row!.people,
        );
      }
    } finally {
      await owner.end();
    }
  });
}

const setOf = (house: House, rule: Rule, at: Date) =>
  house.sql.begin(async (tx) => {
    await tx`set local work_mem = '256MB'`;
    await tx`set local statement_timeout = '10min'`;
    const now = atInstant(rule, { at, timeZone: house.clocks.timeZone });
    return (await everyoneOf(tx, now, at)).length;
  });
const handSet = (owner: Sql, hand: string, at: Date) =>
  owner.begin(async (tx) => {
    await tx`set local work_mem = '256MB'`;
    return (await tx.unsafe(`select * from (${hand}) m order by 1, 2`, [at])).length;
  });
/** Keeps a table like ours up with a question written by hand. */
const byHand = (owner: Sql, id: string, hand: string, at: Date) =>
  owner.begin(async (tx) => {
    await tx`set local work_mem = '256MB'`;
    // Of its own helping the planner expects one row, and would compare each with each.
    await tx`set local enable_nestloop = off`;
    await tx.unsafe(
      `with fit as materialized (${hand}),
      gone as (
        delete from bench_member m where m.segment_id = $2::uuid and not exists (
          select from fit f where f.bucket = m.bucket and f.person_id = m.person_id)
      )
      insert into bench_member (bucket, person_id, segment_id, since)
      select bucket, person_id, $2::uuid, $1 from fit f where not exists (
        select from bench_member m where m.segment_id = $2::uuid
          and m.bucket = f.bucket and m.person_id = f.person_id)`,
      [at, id],
    );
  });

/** People with a profile, a stage and what they did over ninety days, written straight into the tables. */
export async function fill(owner: Sql, howMany: number, each: number, at: Date): Promise<void> {
  const person = `md5('p' || i)::uuid`;
  const bucket = `(('x' || left(md5('p' || i), 2))::bit(8)::int)::smallint`;
  await owner.unsafe(`create table bench_member (like segments_member including all)`);
  await owner.unsafe(
    `insert into people_way select ${person}, ${bucket} from generate_series(1, ${howMany}) i`,
  );
  await owner.unsafe(`
    insert into people_person (bucket, person_id, source_id, seen_at)
    select ${bucket}, ${person}, '${nobody}', now() from generate_series(1, ${howMany}) i`);
  await owner.unsafe(`
    insert into people_node (bucket, node_id, source_id, type, sealed, person_bucket, person_id)
    select ${bucket}, md5('n' || i)::uuid, '${nobody}', 'user_id', '', ${bucket}, ${person}
    from generate_series(1, ${howMany}) i`);
  await owner.unsafe(`
    insert into people_profile (bucket, person_id, attributes, updated_at)
    select ${bucket}, ${person}, jsonb_build_object(
      'orders', jsonb_build_object('v', i % 11, 's', 'orders', 'at', '2026-01-01T00:00:00.000Z', 'c', 1),
      'spent_minor', jsonb_build_object('v', (i::bigint * 7919) % 100000, 's', 'orders', 'at', '2026-01-01T00:00:00.000Z', 'c', 1),
      'country', jsonb_build_object('v', 'C' || i % 40, 's', 'identify', 'at', '2026-01-01T00:00:00.000Z', 'c', 1),
      'last_order_at', jsonb_build_object('v', '2026-01-01T00:00:00.000Z', 's', 'orders', 'at', '2026-01-01T00:00:00.000Z', 'c', 1)
    ), now() from generate_series(1, ${howMany}) i`);
  await owner.unsafe(`
    insert into people_tag (bucket, person_id, tag, value, kind, source, reason, at, log_id)
    select ${bucket}, ${person}, 'lifecycle', (array['new', 'active', 'dormant', 'lost'])[1 + i % 4],
      'statistic', 'bench', '{}', now(), '${nobody}' from generate_series(1, ${howMany}) i`);
  const names = `(array['Product Viewed', 'Product Viewed', 'Product Viewed', 'Product Added', 'page', 'page', 'Order Completed', 'Products Searched'])[1 + (k + i) % 8]`;
  await owner.unsafe(`
    insert into collect_event (bucket, "offset", id, source_id, node_id, name, at, received_at, data, flags)
    select ${bucket}, row_number() over (partition by ${bucket}), md5('e' || i || ',' || k)::uuid, '${nobody}',
      md5('n' || i)::uuid, ${names},
      date_trunc('milliseconds', '${at.toISOString()}'::timestamptz
        - (('x' || left(md5('t' || i || ',' || k), 7))::bit(28)::int / 268435456.0) * interval '90 days'),
      now(), jsonb_build_object('price', k * 10, 'sku', 'S' || i % 100), case when k = 8 and i % 50 = 0 then 1 else 0 end
    from generate_series(1, ${howMany}) i, generate_series(1, ${each}) k`);
  await owner.unsafe(`
    update collect_offset o set next = 1 + coalesce(
      (select max(e."offset") from collect_event e where e.bucket = o.bucket), 0)`);
  await owner.unsafe(
    `update collect_consumer c set next = o.next from collect_offset o where o.bucket = c.bucket`,
  );
  await owner.unsafe("vacuum (analyze)");
}
/** Until the columns have all of it. */
async function tell(house: House): Promise<void> {
  while ((await people.ship(house)) > 0);
  while ((await collectJobs.ship(house)) > 0);
  while ((await ship(house)) > 0);
}
