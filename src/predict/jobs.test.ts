import { expect, test } from "vitest";
import { addDays, instantOf } from "#kernel/clock.ts";
import { relay } from "#kernel/outbox.ts";
import { ringDue } from "#kernel/timers.ts";
import * as collect from "#collect/service.ts";
import { consume } from "#collect/jobs.ts";
import * as orders from "#orders/jobs.ts";
import { lineEvent } from "#orders/service.ts";
import * as people from "#people/service.ts";
import { world, type World } from "../../test/database.ts";
import { know, nextNight, reactions, timers } from "./jobs.ts";
import { erase } from "./service.ts";
import { latestFit, lockPeople } from "./store.ts";

type Sale = { customer: string; day: string; minor: number; category?: string };
const zone = "Europe/London";
const start = "2011-01-01";
const today = "2011-09-09";

/** A shop of 200 customers, the same at every call: a third buy once, the others come back at a pace of their own. */
function pastOf(upTo = today): Sale[] {
  let state = 7;
  const chance = () =>
    (state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff) / 0x7fffffff;
  const sales: Sale[] = [];
  for (let i = 0; i < 200; i++) {
    const pace = 8 + (i % 40);
    let day = addDays(start, Math.floor(chance() * 200));
    const minor = 500 + 37 * (i % 90);
    for (let n = 0; day < "2011-12-01" && (n === 0 || i % 3 > 0); n++) {
      if (day < upTo) sales.push({ customer: `c${i}`, day, minor: minor + n });
      if (i % 5 === 0 && n > 2) break; // a fifth stop after a while
      day = addDays(day, 1 + Math.floor(-Math.log(1 - chance()) * pace));
    }
  }
  return sales;
}

/** Through the log, as an import or the API would bring them. */
async function sell(shop: World, sales: readonly Sale[]): Promise<void> {
  const { house } = shop;
  const source = await collect.sourceNamed(house, shop.sql, "till", "import");
  const events = sales.map(({ customer, day, minor, category }) => {
    const order = `${customer}-${day}`;
    const data = {
      order,
      kind: "sale" as const,
      sku: category ?? "tea",
      name: "Tea",
      quantity: 1,
      unitPrice: minor * 100,
      amountMinor: minor,
      currency: "CNY",
      goods: true,
      ...(category ? { category } : {}),
    };
    return lineEvent(order, { at: instantOf(`${day}T10:00`, zone), customer, data });
  });
  for (let i = 0; i < events.length; i += 2000)
    await shop.sql.begin((tx) =>
      collect.accept(
        house,
        tx,
        { id: source.id, kind: "server" } as never,
        events.slice(i, i + 2000),
      ),
    );
  while ((await consume(house, [orders.consume])) > 0);
}
const settle = async ({ house }: World) => {
  while ((await relay(house, reactions)) > 0);
};
const open = async (sales: readonly Sale[], at = today) => {
  const shop = await world({ timeZone: zone });
  shop.clock.shop = instantOf(`${at}T00:00`, zone);
  await sell(shop, sales);
  await settle(shop);
  return shop;
};
/** What is said of each customer, by the shop's own name for them, without the ids of this world. */
async function said(shop: World) {
  const rows = await shop.sql<
    { bucket: number; personId: string; tags: object; attributes: Record<string, { s: string }> }[]
  >`
    select p.bucket, p.person_id, p.attributes, (
      select jsonb_object_agg(t.tag, to_jsonb(t) - 'person_id' - 'bucket' - 'log_id') from people_tag t
      where t.bucket = p.bucket and t.person_id = p.person_id) as tags
    from people_profile p`;
  const names = await people.identifiers(shop.house, shop.sql, rows, "user_id");
  return rows
    .map(({ personId, tags, attributes }) => ({
      name: names.get(personId)!,
      tags,
      attributes: Object.entries(attributes)
        .filter(([, { s }]) => s === "predict")
        .toSorted(([a], [b]) => (a < b ? -1 : 1)),
    }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}
const stageOf = async (shop: World, customer: string) => {
  const source = await collect.sourceNamed(shop.house, shop.sql, "till", "import");
  const person = await people.byIdentifier(shop.house, shop.sql, "user_id", customer, source.id);
  const log = await shop.sql<
    { before: string | null; after: string; cause: string | null; at: Date; id: string }[]
  >`
    select before, after, cause, at, id from people_tag_log
    where tag = 'lifecycle' and person_id = ${person!.personId} order by at, id`;
  return { person: person!, log: [...log], stage: log.at(-1)?.after };
};

test("from its orders alone the shop is learned, and of everybody it is said where they stand and why", async () => {
  await using shop = await open(pastOf());
  const knowledge = await know(shop.house);
  const buyers = new Set(pastOf().map(({ customer }) => customer)).size;
  expect(knowledge).toMatchObject({ people: buyers, changed: buyers });
  const fit = await latestFit(shop.sql);
  expect(fit).toMatchObject({ id: knowledge.fit, asOf: today, people: buyers });
  expect(fit!.learned).toEqual(JSON.parse(JSON.stringify(knowledge.learned)));
  expect(fit!.learned.stages.shop.dormantAfterDays).toBeGreaterThan(10);

  const [one] = await said(shop);
  expect(one!.tags).toMatchObject({
    lifecycle: {
      kind: "statistic",
      source: "predict",
      confidence: expect.any(Number),
      reason: {
        silentDays: expect.any(Number),
        dormantAfterDays: fit!.learned.stages.shop.dormantAfterDays,
        learnedOn: today,
      },
    },
    rfm: { value: expect.stringMatching(/^[1-5]-[1-5]-[1-5]$/) },
    rfm_segment: {
      reason: { r: expect.any(Number), f: expect.any(Number), m: expect.any(Number) },
    },
  });
  const names = one!.attributes.map(([name]) => name);
  const alive = knowledge.learned.buying.model === "bgnbd" ? ["p_alive"] : [];
  expect(names).toEqual(["expected_orders_90d", "order_chance_90d", ...alive, "spend_score"]);
  for (const { attributes } of await said(shop))
    for (const [name, { v, c }] of attributes as unknown as [string, { v: number; c: number }][]) {
      expect(c).toBeGreaterThanOrEqual(0);
      expect(c).toBeLessThanOrEqual(1);
      if (name !== "spend_score" && name !== "expected_orders_90d")
        expect(v).toBeLessThanOrEqual(1);
    }
  // Whoever is not lost has one timer, later than now.
  const [row] = await shop.sql<{ open: number; timers: number; late: number }[]>`
    select (select count(*)::int from people_tag where tag = 'lifecycle' and value <> 'lost') as open,
      count(*)::int as timers, count(*) filter (where due_at <= ${shop.clock.shop})::int as late
    from timer where kind = 'predict.stage'`;
  expect(row!.timers).toBe(row!.open);
  expect(row!.late).toBe(0);

  // Nothing changes in a second look at the same instant, and so nothing is logged.
  expect((await know(shop.house)).changed).toBe(0);
  const [log] = await shop.sql<
    { lines: number }[]
  >`select count(*)::int as lines from people_tag_log`;
  expect(log!.lines).toBe(3 * buyers);
});

test("what is said depends on the orders before now alone: not on ids, their order, or what came later", async () => {
  const past = pastOf();
  await using one = await open(past);
  await using other = await open(pastOf("2011-12-01").toReversed());
  const [first, second] = [await know(one.house), await know(other.house)];
  expect(JSON.stringify(second.learned)).toBe(JSON.stringify(first.learned));
  expect(JSON.stringify(await said(other))).toBe(JSON.stringify(await said(one)));
});

test("a silence that gets too long makes dormant, an order at once makes active, and the log says why", async () => {
  await using shop = await open(pastOf());
  const { learned } = await know(shop.house);
  const customer = "c7";
  const before = await stageOf(shop, customer);
  expect(before.stage).toBe("active");
  const [timer] = await shop.sql<{ dueAt: Date }[]>`
    select due_at from timer where kind = 'predict.stage' and person_id = ${before.person.personId}`;

  shop.clock.shop = new Date(timer!.dueAt.getTime() - 1);
  while ((await ringDue(shop.house, timers.slice(0, 1))) > 0);
  expect((await stageOf(shop, customer)).stage).toBe("active");
  // The bell rings late: the log has the instant that was waited for.
  shop.clock.shop = new Date(timer!.dueAt.getTime() + 5 * 3_600_000);
  while ((await ringDue(shop.house, timers.slice(0, 1))) > 0);
  const dormant = await stageOf(shop, customer);
  expect(dormant.log.at(-1)).toMatchObject({
    before: "active",
    after: "dormant",
    cause: null,
    at: timer!.dueAt,
  });
  const told = await shop.sql<{ data: { cause: string | null; changes: { tag: string }[] } }[]>`
    select data from outbox where name = 'predict.staged' and person_id = ${before.person.personId}`;
  expect(told[0]!.data.cause).toBeNull();
  expect(told[0]!.data.changes[0]).toMatchObject({ tag: "lifecycle", after: "dormant" });

  // Two days into dormant they order, and are back by the thresholds that were learned before.
  const day = addDays(timer!.dueAt.toISOString().slice(0, 10), 2);
  shop.clock.shop = instantOf(`${day}T12:00`, zone);
  await sell(shop, [{ customer, day, minor: 4000 }]);
  await settle(shop);
  const back = await stageOf(shop, customer);
  const [order] = await shop.sql<{ eventId: string }[]>`
    select event_id from orders_order where ref = ${`${customer}-${day}`}`;
  expect(back.log.at(-1)).toMatchObject({
    before: "dormant",
    after: "active",
    cause: order!.eventId,
    at: shop.clock.shop,
  });
  const dueAt = addDays(day, learned.stages.shop.dormantAfterDays! + 1);
  const [next] = await shop.sql<{ dueAt: Date }[]>`
    select due_at from timer where kind = 'predict.stage' and person_id = ${before.person.personId}`;
  expect(next!.dueAt).toEqual(instantOf(`${dueAt}T00:00`, zone));
  expect((await latestFit(shop.sql))!.asOf).toBe(today);
});

test("two who look at one person look one after the other, and the second sees what the first one brought", async () => {
  await using shop = await open(pastOf());
  await know(shop.house);
  const { person } = await stageOf(shop, "c7");
  const [timer] = await shop.sql<{ dueAt: Date }[]>`
    select due_at from timer where kind = 'predict.stage' and person_id = ${person.personId}`;
  shop.clock.shop = timer!.dueAt;
  const ring = async () => {
    while ((await ringDue(shop.house, timers.slice(0, 1))) > 0);
  };
  let rung: Promise<void> | undefined;
  await shop.sql.begin(async (tx) => {
    await lockPeople(tx, [person]);
    rung = ring();
    const waits = async () =>
      (
        await shop.sql`
          select from pg_stat_activity
          where datname = current_database() and wait_event_type = 'Lock'`
      ).count > 0;
    let tries = 0;
    while (!(await waits()) && tries < 2000) tries += 1;
    expect(tries).toBeLessThan(2000);
    await tx`
      insert into orders_order
        select bucket, person_id, source_id, 'late', kind, at, day, lines, items, amount_minor, currency, event_id
        from orders_order where person_id = ${person.personId} limit 1`;
  });
  await rung;
  const [figures] = await shop.sql<{ same: boolean }[]>`
    select p.orders = (select count(*) from orders_order o where o.person_id = p.person_id) as same
    from predict_person p where person_id = ${person.personId}`;
  expect(figures!.same).toBe(true);
});

test("whoever mostly buys what is bought more often is dormant sooner", async () => {
  const often = Array.from({ length: 30 }, (_, i) => `often${i}`).flatMap((customer, i) =>
    Array.from({ length: 8 }, (_, n) => ({
      customer,
      day: addDays("2011-06-01", (i % 10) + n * (5 + (n % 3))),
      minor: 900,
      category: "coffee",
    })),
  );
  await using shop = await open([...pastOf(), ...often]);
  const { learned } = await know(shop.house);
  const own = learned.stages.byCategory["coffee"]!;
  expect(own.dormantAfterDays).toBeLessThan(learned.stages.shop.dormantAfterDays!);
  const [tag] = await shop.sql<{ reason: { from: unknown; dormantAfterDays: number } }[]>`
    select reason from people_tag
    where tag = 'lifecycle' and person_id = ${(await stageOf(shop, "often3")).person.personId}`;
  expect(tag!.reason).toMatchObject({
    from: { category: "coffee" },
    dormantAfterDays: own.dormantAfterDays,
  });
});

test("at three every night, where the shop is, everything is learned anew", async () => {
  await using shop = await open(pastOf());
  const [night] = await shop.sql<{ dueAt: Date }[]>`
    select due_at from timer where kind = 'predict.nightly'`;
  expect(night!.dueAt).toEqual(instantOf(`${today}T03:00`, zone)); // set by the first orders
  expect(await latestFit(shop.sql)).toBeUndefined();
  shop.clock.shop = night!.dueAt;
  expect(await ringDue(shop.house, timers)).toBe(1);
  expect((await latestFit(shop.sql))!.at).toEqual(night!.dueAt);
  const [next] = await shop.sql<{ dueAt: Date }[]>`
    select due_at from timer where kind = 'predict.nightly'`;
  expect(next!.dueAt).toEqual(instantOf(`${addDays(today, 1)}T03:00`, zone));
});
test("the night has three o'clock also where clocks change", () => {
  const before = new Date("2011-03-26T12:00:00Z");
  expect(nextNight(before, zone)).toEqual(new Date("2011-03-27T02:00:00Z"));
  const after = new Date("2011-10-29T12:00:00Z");
  expect(nextNight(after, zone)).toEqual(new Date("2011-10-30T03:00:00Z"));
});

test("a shop without orders learns nothing, says so, and nothing breaks", async () => {
  await using shop = await world({ timeZone: zone });
  const { people: n, learned } = await know(shop.house);
  expect(n).toBe(0);
  expect(learned.buying).toMatchObject({ model: "none", why: "too_few" });
});

test("of somebody erased nothing is left here", async () => {
  await using shop = await open(pastOf());
  await know(shop.house);
  const { person } = await stageOf(shop, "c7");
  await shop.sql.begin((tx) => erase(tx, person));
  const left = await shop.sql`select from predict_person where person_id = ${person.personId}`;
  expect(left.count).toBe(0);
});
