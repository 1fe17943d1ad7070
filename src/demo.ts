// The loop, once round, on a real shop's orders: collect, know, decide, act, measure, feed back. Every step can be cut
// off and gone on with: what is done is written down, and a step that is run again changes nothing it has done.
import { readFileSync } from "node:fs";
import * as collect from "#collect/service.ts";
import * as experiments from "#experiments/service.ts";
import * as journeysJobs from "#journeys/jobs.ts";
import * as journeys from "#journeys/service.ts";
import { instantOf, wait } from "#kernel/clock.ts";
import type { House } from "#kernel/endpoint.ts";
import { readInstallation, writeInstallation } from "#kernel/installation.ts";
import type { PersonKey } from "#kernel/sql.ts";
import * as messages from "#messages/service.ts";
import * as messagesJobs from "#messages/jobs.ts";
import * as offers from "#offers/service.ts";
import { importLines, type ImportCounts } from "#exchange/import.ts";
import type { LineMapping } from "#orders/rules.ts";
import * as people from "#people/service.ts";
import * as predict from "#predict/jobs.ts";
import * as recommend from "#recommend/jobs.ts";
import * as segmentsJobs from "#segments/jobs.ts";
import * as segments from "#segments/service.ts";
import type { Pumps } from "./app.ts";
import type { ShopClock } from "#kernel/shop-clock.ts";

/** What a demo is made of. `start` and `end` are on the wall of the shop. */
export type Demo = {
  path: string;
  mapping: LineMapping;
  start: string;
  end: string;
  /** Splits treated from control. Written down before any result was seen, and never changed after. */
  seed: string;
};
export const bundled = (root: string): Demo => ({
  path: `${root}data/online-retail.csv.gz`,
  mapping: JSON.parse(readFileSync(`${root}data/online-retail.map.json`, "utf8")) as LineMapping,
  start: "2011-09-09T00:00",
  end: "2011-12-10T00:00",
  seed: "liuke-win-back-1",
});

export type Stage = "import" | "know" | "decide" | "act" | "replay" | "done";
export type Told = (stage: Stage, counts?: ImportCounts) => void;
export type Loop = {
  house: House;
  /** Null where a worker beside this does the work, and the loop only waits for it. */
  pumps: Pumps | null;
  clock: ShopClock;
  demo: Demo;
  tell: Told;
  signal?: AbortSignal;
};
export const sourceName = "demo";
export const programmeKey = "win-back";
const windowDays = 92;
const picksEach = 3;
/** The budget of the demo's coupons: more than the treated, so that the budget is not what is measured. */
const couponLimit = 1000;

/** Runs what is left of the loop. */
export async function turn(loop: Loop): Promise<void> {
  const { house, clock, demo, tell } = loop;
  const { timeZone } = demo.mapping;
  const start = instantOf(demo.start, timeZone);
  const end = instantOf(demo.end, timeZone);
  const state = await readInstallation<{ stage: Stage }>(house.sql, "demo");
  let stage = state?.stage ?? "import";
  const next = async (to: Stage) => {
    if (loop.signal?.aborted) return;
    await writeInstallation(house.sql, "demo", { stage: to });
    stage = to;
  };
  const at = (one: Stage) => stage === one && !loop.signal?.aborted;
  const source = await collect.sourceNamed(house, house.sql, sourceName, "import", true);
  const file = { path: demo.path, mapping: demo.mapping, source, signal: loop.signal! };

  if (at("import")) {
    await clock.move(start);
    await importLines(house, { ...file, until: start, onBatch: (c) => tell("import", c) });
    await settle(loop);
    await next("know");
  }
  if (at("know")) {
    tell("know");
    await address(house, source.id);
    await predict.know(house);
    await settle(loop);
    await next("decide");
  }
  if (at("decide")) {
    tell("decide");
    await decide(house);
    await next("act");
  }
  if (at("act")) {
    tell("act");
    await act(house, demo);
    await settle(loop);
    await next("replay");
  }
  if (at("replay")) {
    // The hand moves with the lines: nothing is ever read before the clock has come to it.
    const weeks = weekOf(start);
    await importLines(house, {
      ...file,
      from: start,
      until: end,
      batchBy: weeks,
      batchLimit: 25_000, // a week of a busy autumn
      beforeBatch: async (last) => clock.move(new Date(last.getTime() + 1)),
      onBatch: async (counts) => {
        tell("replay", counts);
        await settle(loop);
      },
    });
    if (loop.signal?.aborted) return;
    await clock.move(end);
    await settle(loop);
    await next("done");
  }
  if (at("done")) tell("done");
}

/** The first day by itself, so that what waited for the night goes out in the morning; then whole weeks. */
const weekOf = (start: Date) => (at: Date) => {
  const days = Math.floor((at.getTime() - start.getTime()) / 86_400_000);
  return days === 0 ? "first" : String(Math.floor(days / 7));
};

/** Until nothing is left to read, to tell or to ring. */
async function settle({ house, pumps, signal }: Loop): Promise<void> {
  while (!signal?.aborted) {
    if (
      pumps &&
      (await pumps.consume()) +
        (await pumps.merge()) +
        (await pumps.relay()) +
        (await pumps.ring()) +
        (await pumps.segment()) >
        0
    )
      continue;
    const [left] = await house.sql<{ some: boolean }[]>`
      select exists (
        select from collect_consumer c join collect_offset o on o.bucket = c.bucket
        where c.consumer = 'people' and c.next < o.next
      ) or exists (select from outbox where dead_at is null)
      or exists (
        select from timer where due_at <= ${house.clocks.shop()} and attempts < 8
          and kind not like 'access.%'
      ) as some`;
    if (!left!.some) return;
    await wait(pumps ? 5 : 50);
  }
}

/** The file names nobody: everybody known so far gets a made-up address, and a consent that says it is made up. */
async function address(house: House, sourceId: string): Promise<void> {
  const at = house.clocks.shop();
  const everybody = await house.sql<PersonKey[]>`
    select bucket, person_id from people_person where source_id = ${sourceId}
    order by bucket, person_id`;
  const numbers = await people.identifiers(house, house.sql, everybody, "user_id");
  for (let i = 0; i < everybody.length; i += 1000) {
    const some = everybody.slice(i, i + 1000);
    const email = ({ personId }: PersonKey) => `customer-${numbers.get(personId)}@demo.invalid`;
    await house.sql.begin(async (tx) => {
      const own = await people.addIdentifiers(
        house,
        tx,
        some.map((person) => ({
          person,
          sourceId,
          identifier: { type: "email", value: email(person) },
          at,
        })),
      );
      const mine = some.filter((_, n) => own[n]);
      await people.setFields(
        house,
        tx,
        mine.map((person) => ({
          person,
          field: "email",
          value: email(person),
          source: "demo",
          at,
        })),
      );
      await messages.setConsent(
        house,
        tx,
        some.flatMap((person) =>
          (["inapp", "email"] as const).map((channel) => ({
            person,
            channel,
            purpose: "marketing" as const,
            granted: true,
            textVersion: "demo-1",
            at,
            proof: "made_up",
            madeUp: true,
          })),
        ),
        house.clocks.machine(),
      );
    });
  }
}

async function decide(house: House): Promise<void> {
  const segment = await house.sql.begin((tx) => segments.seedDormantWorth(house, tx));
  await segmentsJobs.refresh(house, segment);
  await recommend.fit(house);
  const members = await segments.members(house.sql, segment);
  await recommend.pick(house, members, picksEach);
}

async function act(house: House, demo: Demo): Promise<void> {
  await messagesJobs.seed(house);
  const known = await readInstallation<string>(house.sql, "demo_campaign");
  const segmentId = await house.sql.begin((tx) => segments.seedDormantWorth(house, tx));
  const campaignId = known ?? house.newId();
  await house.sql.begin(async (tx) => {
    if (!known) {
      const made = await offers.makeCampaign(tx, {
        id: campaignId,
        name: { zh: "欢迎回来九折券", en: "Welcome back, 10 % off" },
        benefit: { kind: "percent", valueBp: 1000, maxOffMinor: 5000n },
        minSpendMinor: 5000n,
        currency: house.settings.currency,
        ttlDays: 30,
        perPerson: 1,
        open: false,
        couponLimit,
        budgetMinor: null,
        at: house.clocks.shop(),
      });
      if (!made.ok) throw new Error(made.code);
      await writeInstallation(tx, "demo_campaign", campaignId);
    }
    await journeys.define(tx, house, {
      key: programmeKey,
      name: { zh: "挽回沉睡客人", en: "Win back the dormant" },
      segmentId,
      campaignId,
      template: "win-back",
      windowDays,
      picks: picksEach,
      seed: demo.seed,
      treatedShareBp: 8000,
    });
  });
  const started = await journeysJobs.start(house, programmeKey, 1);
  if (!started.ok) throw new Error(started.code);
}

/** What the loop came to, for the table at its end. */
export async function outcome(house: House) {
  const [counts] = await house.sql<
    { lines: number; people: number; orders: number; soldMinor: bigint; exact: string }[]
  >`
    select
      (select count(*)::int from orders_line) as lines,
      (select count(distinct person_id)::int from orders_line
        where kind = 'sale' and person_id <> '00000000-0000-0000-0000-000000000000') as people,
      (select count(*)::int from orders_order
        where kind = 'sale' and amount_minor > 0
          and person_id <> '00000000-0000-0000-0000-000000000000') as orders,
      (select sum(amount_minor)::bigint from orders_line
        where kind = 'sale' and person_id <> '00000000-0000-0000-0000-000000000000') as sold_minor,
      (select (sum(quantity::bigint * unit_price) / 10000.0)::numeric(20, 3)::text from orders_line
        where kind = 'sale' and person_id <> '00000000-0000-0000-0000-000000000000') as exact`;
  const stages = await house.sql<{ value: string; people: number }[]>`
    select value, count(*)::int as people from people_tag where tag = 'lifecycle'
    group by value order by 1`;
  const [programme] = await house.sql<{ id: string }[]>`
    select id from journeys_programme where key = ${programmeKey}`;
  const run = programme ? await experiments.readSeries(house.sql, programme.id, 1) : null;
  return { counts: counts!, stages: [...stages], run };
}
