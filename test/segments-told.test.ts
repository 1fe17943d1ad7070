// Random rules over what was really told: members and visitors who turn out to be one and are parted again, by the shop's
// server and by an operator's hand; orders in the shop's currency and in others, a page's word for an order, crawlers and
// colleagues; traits and tags worked out of it. PostgreSQL, ClickHouse and the program name the same people, and whoever
// was kept in a segment all along is who a look at everybody finds.
// LIUKE_SEGMENT_CASES asks for more rules than a run of the tests does, LIUKE_SEED for another history.
import fc from "fast-check";
import { expect, test } from "vitest";
import { allRoutes, pumps } from "../src/app.ts";
import { flag } from "../src/collect/rules.ts";
import { accept } from "../src/collect/service.ts";
import type { PersonKey } from "../src/kernel/sql.ts";
import * as people from "../src/people/service.ts";
import { factsOf } from "../src/segments/facts.ts";
import { bookOf } from "../src/segments/model/book.ts";
import { expanded, peopleOf } from "../src/segments/model/columns.ts";
import { fits } from "../src/segments/model/evaluate.ts";
import { atInstant, type Rule } from "../src/segments/rules.ts";
import * as views from "../src/segments/views.ts";
import { rulesIn, zones } from "./segment-rules.ts";
import { shop, type Shop } from "./shop.ts";
import { settled } from "./settled.ts";

const cases = Number(process.env["LIUKE_SEGMENT_CASES"] ?? 300);
const seed = Number(process.env["LIUKE_SEED"] ?? 20_111_016);
const hourMs = 3_600_000;
/** Every odd day of the shops' clocks lies within. */
const begins = Date.parse("2011-09-29T00:00:00Z");

const users = ["u1", "u2", "u3", "u4", "u5"];
const visitors = ["v1", "v2", "v3", "v4"];
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("tell" as const),
      who: fc.constantFrom(...users, ...visitors),
      name: fc.constantFrom("Product Viewed", "Product Added", "page"),
      flags: fc.constantFrom(0, 0, 0, 0, flag.bot, flag.staff),
      data: fc.record({
        price: fc.constantFrom<unknown>(1, 39.9, "39.90", 10, "x"),
        sku: fc.constantFrom<unknown>("10", "中文", { v: "active" }),
      }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("order" as const),
      who: fc.constantFrom(...users),
      currency: fc.constantFrom("CNY", "CNY", "USD", "JPY"),
      revenue: fc.constantFrom(10, 39.9, 300, 1000),
      /** Whose word it is: the shop's server's, or a page's, which the server may confirm later by the same number. */
      by: fc.constantFrom("server" as const, "server" as const, "page" as const),
      ref: fc.integer({ min: 1, max: 12 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom<"bind" | "unbind">("bind", "bind", "unbind"),
      visitor: fc.constantFrom(...visitors),
      who: fc.constantFrom(...users),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom<"merge" | "undo">("merge", "undo"),
      pair: fc.constantFrom(["u1", "u2"] as const, ["u2", "u3"] as const, ["u4", "u5"] as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("tag" as const),
      who: fc.constantFrom(...users),
      value: fc.constantFrom("active", "10", "中文"),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("wait" as const), hours: fc.nat(60) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const view = (who: string): Step => ({
  ...{ do: "tell", who, name: "Product Viewed", flags: 0, data: { price: 10, sku: "10" } },
});
/** At the end two are one for a day, whatever was before, and are parted. */
const last: Step[] = [
  { do: "merge", pair: ["u4", "u5"] },
  ...[view("u4"), view("u5")],
  { do: "order", who: "u5", currency: "USD", revenue: 300, by: "server", ref: 11 },
  { do: "wait", hours: 20 },
  { do: "undo", pair: ["u4", "u5"] },
  ...[view("u5"), view("v1")],
];

async function asked(here: Shop, method: string, path: string, body?: object, is = [200]) {
  const answer = await here.ask(method, path, {
    headers: here.as.owner,
    ...(body ? { body } : {}),
  });
  expect(is, `${path} ${JSON.stringify(answer.body)}`).toContain(answer.status);
  await settled(pumps(here.house, null));
  return answer.body as Record<string, unknown>;
}
const both = (name: string) => ({ zh: name, en: name });
const traits = [
  { name: "views_week", fn: "count", event: "Product Viewed", hours: 168 },
  { name: "price_sum", fn: "sum", event: "Product Added", property: "price", hours: 500 },
  { name: "last_sku", fn: "last", event: "Product Viewed", property: "sku", hours: null },
  { name: "skus", fn: "distinct", event: "Product Viewed", property: "sku", hours: 400 },
  { name: "quiet_days", fn: "days_since", event: "page", hours: null },
];
const kept: Rule[] = [
  {
    ...{ kind: "events", event: "Product Viewed", is: "ge", count: 2 },
    window: { kind: "days", days: 3 },
  },
  {
    kind: "or",
    of: [
      { kind: "number", attribute: "views_week", is: "ge", value: 2 },
      { kind: "number", attribute: "spent_minor", is: "gt", value: 20_000 },
      { kind: "tag", tag: "vip", in: ["active", "10"] },
    ],
  },
  {
    ...{ kind: "sequence", withinHours: 72, window: { kind: "days", days: 15 } },
    steps: [{ event: "Product Viewed" }, { event: "Order Completed" }],
  },
  {
    kind: "and",
    of: [
      { kind: "number", attribute: "orders", is: "ge", value: 1 },
      { kind: "absent", event: "page", window: { kind: "hours", hours: 72 } },
    ],
  },
];

/** Lives a history; gives the segments that were kept through it. */
async function lived(here: Shop, steps: readonly Step[]): Promise<string[]> {
  const { house, sql, server } = here;
  for (const trait of traits)
    await asked(here, "POST", "/v1/traits", { label: both(trait.name), where: [], ...trait });
  let n = 0;
  const sender = (who: string) =>
    ({ type: who.startsWith("u") ? "user_id" : "anonymous_id", value: who }) as const;
  type Said = Omit<Parameters<typeof accept>[3][number], "key" | "at" | "links">;
  const tell = async (one: Said, links: readonly ReturnType<typeof sender>[] = []) => {
    // No two at one instant; some come in late.
    here.clock.shop = new Date(here.clock.shop.getTime() + 1001);
    const at = new Date(here.clock.shop.getTime() - (n % 7) * 13 * 60_000);
    const source = { id: server.id, kind: "server" as const };
    await sql.begin((tx) => accept(house, tx, source, [{ ...one, links, key: `k${n++}`, at }]));
    await settled(pumps(here.house, null));
  };
  const personOf = async (who: string): Promise<PersonKey | null> => {
    const { type, value } = sender(who);
    return people.byIdentifier(house, sql, type, value, server.id);
  };
  for (const who of [...users, ...visitors])
    await tell({ name: "page", sender: sender(who), data: {} });
  // A tag is known once somebody had it.
  const { personId } = (await personOf("u1"))!;
  await asked(here, "POST", `/v1/members/${personId}/tags`, { tag: "vip", value: "10" });
  const ids: string[] = [];
  for (const [i, rule] of kept.entries())
    ids.push(
      String(
        (
          await asked(here, "POST", "/v1/segments", {
            ...{ name: both(`S${i}`), rule, purpose: "analysis" },
          })
        )["id"],
      ),
    );
  await asked(here, "PUT", "/v1/tags/regular", {
    ...{ label: both("regular"), shown: false, rules: [{ value: "active", segment: ids[1] }] },
  });
  for (const one of steps) {
    if (one.do === "wait") {
      // Time goes as timers would ring, day by day at most.
      for (let left = one.hours; left > 0; left -= 24) {
        here.clock.shop = new Date(here.clock.shop.getTime() + Math.min(left, 24) * hourMs);
        await settled(pumps(here.house, null));
      }
    } else if (one.do === "tell")
      await tell({
        ...{ name: one.name, sender: sender(one.who), data: one.data, flags: one.flags },
      });
    else if (one.do === "order") {
      const { who, currency, revenue, ref, by } = one;
      const properties = { order_id: `o${ref}`, currency, revenue, total: revenue };
      const answer = await here.ask("POST", "/v1/events", {
        headers: by === "server" ? here.as.server : here.as.page,
        body: {
          events: [
            {
              ...{ key: `k${n++}`, name: "Order Completed", at: here.clock.shop.toISOString() },
              ...(by === "server" ? { user: who } : { anonymous: `${who}-page` }),
              data: properties,
            },
          ],
        },
      });
      expect(answer).toMatchObject({ status: 200 });
      await settled(pumps(here.house, null));
      here.clock.shop = new Date(here.clock.shop.getTime() + 1001);
    } else if (one.do === "bind" || one.do === "unbind")
      await tell({ name: one.do, sender: sender(one.visitor), data: {} }, [sender(one.who)]);
    else if (one.do === "tag") {
      const key = (await personOf(one.who))!;
      await asked(here, "POST", `/v1/members/${key.personId}/tags`, {
        tag: "vip",
        value: one.value,
      });
    } else if (one.do === "merge" || one.do === "undo") {
      const [a, b] = [(await personOf(one.pair[0]))!, (await personOf(one.pair[1]))!];
      const path = `/v1/members/${a.personId}/merges`;
      if (one.do === "merge" && a.personId !== b.personId)
        await asked(here, "POST", path, { other: b.personId, reason: "one card" }, [200, 409]);
      if (one.do === "undo") {
        const { merges } = (await asked(here, "GET", path)) as {
          merges: { id: string; why: string | null }[];
        };
        const last = merges.find(({ why }) => why === "one card");
        if (last)
          await asked(here, "POST", `${path}/${last.id}/undo`, { reason: "two" }, [200, 404, 409]);
      }
    }
  }
  return ids;
}

async function agree(here: Shop, ids: string[], zone: string) {
  const { house, sql, columns } = here;
  const work = pumps(house, null);
  while ((await work.ship()) > 0);
  const everybody = [...(await views.everyone(sql, null, 10_000))];
  const { rule: rules } = rulesIn({
    attributes: [
      ...["orders", "spent_minor", "last_order_at", "first_order_at", "country"],
      ...traits.map(({ name }) => name),
    ],
    tags: ["vip", "regular", "lifecycle"],
    texts: ["active", "10", "中文", "39.90", "CNY", "USD"],
    names: ["Product Viewed", "Product Added", "page", "Order Completed", "Order Line"],
    paths: ["price", "sku", "sku.v", "revenue", "currency", "total"],
    segments: ids.slice(0, 2),
    companySegments: ids.slice(0, 2),
    blinds: ["aa".repeat(32)],
  });
  const at = here.clock.shop;
  const now = { at, timeZone: zone };
  const named = new Map(ids.map((id, i) => [id, atInstant(kept[i]!, now)]));
  let some = 0;
  let asksColumns = 0;
  const check = async (asked: Rule, told = "") => {
    const rule = atInstant(asked, now);
    const { segments } = bookOf(0n, [{ id: ids[0]!, level: "person", rule: asked, version: 1 }]);
    const facts = await factsOf(sql, everybody, segments, now);
    const hand = [...facts].flatMap(([id, one]) => (fits(rule, one, at) ? [id] : [])).toSorted();
    const postgres = (await views.everyoneOf(sql, rule, at, "person"))
      .map(({ personId }) => personId)
      .toSorted();
    expect(postgres, `PostgreSQL ${told}`).toEqual(hand);
    const full = expanded(rule, named);
    if (full) {
      const { query, values } = peopleOf(full, at, "person");
      const found = await columns.read<{ person_id: string }>(query, values);
      expect(found.map((one) => one.person_id).toSorted(), `ClickHouse ${told}`).toEqual(hand);
      asksColumns++;
    }
    if (hand.length > 0 && hand.length < everybody.length) some++;
    return hand;
  };
  for (const [i, id] of ids.entries()) {
    const inside = await sql<{ personId: string }[]>`
      select person_id from segments_member where segment_id = ${id}`;
    expect(inside.map(({ personId }) => personId).toSorted(), `kept ${i}`).toEqual(
      await check(kept[i]!, `kept ${i}`),
    );
  }
  await fc.assert(
    fc.asyncProperty(rules, async (asked) => {
      await check(asked);
    }),
    { numRuns: cases, seed },
  );
  return { some, asksColumns, everybody: everybody.length };
}

test(`${cases} random rules over histories that were told, with people put together and parted`, async () => {
  const histories = fc.sample(fc.array(step, { minLength: 50, maxLength: 70 }), {
    ...{ numRuns: 2, seed },
  });
  const met = { merged: 0, parted: 0, foreign: 0, claimed: 0, figures: 0 };
  for (const [i, steps] of histories.entries()) {
    await using here = await shop(allRoutes);
    const zone = zones[(seed + i) % zones.length]!;
    here.house.clocks.timeZone = zone;
    here.clock.shop = new Date(begins);
    const ids = await lived(here, [...steps, ...last]);
    const { some, asksColumns } = await agree(here, ids, zone);
    expect(some).toBeGreaterThan(cases / 5);
    expect(asksColumns).toBeGreaterThan(cases / 2);
    const [counts] = await here.sql<[typeof met]>`
      select (select count(*)::int from people_merge where by is not null) as merged,
        (select count(*)::int from people_merge where by is not null and state = 'parted') as parted,
        (select count(*)::int from orders_told where currency <> 'CNY' and not claim) as "foreign",
        (select count(*)::int from collect_event where flags & 64 > 0) as claimed,
        (select count(*)::int from people_profile where attributes ? 'price_sum') as figures`;
    for (const what of Object.keys(met) as (keyof typeof met)[]) met[what] += counts[what];
  }
  // Nothing of what it is about was missing.
  for (const [what, n] of Object.entries(met)) expect(n, what).toBeGreaterThan(0);
}, 900_000);
