import fc from "fast-check";
import { expect, test } from "vitest";
import { addDays, instantOf } from "#kernel/clock.ts";
import { nobody } from "#kernel/ids.ts";
import { emitAll, relay } from "#kernel/outbox.ts";
import { ringDue } from "#kernel/timers.ts";
import { recorded } from "#orders/events.ts";
import * as people from "#people/service.ts";
import { known, staged } from "#predict/events.ts";
import { world, type World } from "../../test/database.ts";
import { consume as collect } from "#collect/jobs.ts";
import { flag } from "#collect/rules.ts";
import { accept, eventId, sourceNamed } from "#collect/service.ts";
import * as peopleJobs from "#people/jobs.ts";
import {
  consume,
  reactions,
  refold,
  refresh,
  refreshAll,
  settle as settleAll,
  timers,
} from "./jobs.ts";
import * as companies from "#companies/service.ts";
import * as companiesJobs from "#companies/jobs.ts";
import { isCompany, setTag } from "#companies/store.ts";
import { atInstant, type Level, type Rule } from "./rules.ts";
import { companyMembers, unexplained } from "./store.ts";
import { define, erase, listen, members, seedDormantWorth, unlisten } from "./service.ts";
import { everyoneOf } from "./views.ts";

const zone = "Asia/Shanghai";
const idOf = (i: number) => `01890000-0000-7000-8000-${String(i).padStart(12, "0")}`;
const keyOf = (i: number) => ({ bucket: i % 256, personId: idOf(i) });
const event = "01890000-0000-7000-8000-0000000000ee";

/** `n` people without anything known of them, the first of them number 1. */
async function open(n: number) {
  const shop = await world({ timeZone: zone });
  shop.clock.shop = instantOf("2026-03-01T12:00", zone);
  const rows = Array.from({ length: n }, (_, i) => ({
    ...keyOf(i + 1),
    sourceId: idOf(0),
    seenAt: shop.clock.shop,
  }));
  await shop.sql`insert into people_person ${shop.sql(rows)}`;
  return shop;
}
const tell = (
  { house, sql, clock }: World,
  i: number,
  tag: string,
  value: string | null,
  cause?: string,
) =>
  sql.begin(async (tx) => {
    const [changed] = await people.setTags(tx, house.newId, [
      {
        person: keyOf(i),
        tag,
        value,
        kind: "hand",
        source: "test",
        reason: {},
        cause,
        at: clock.shop,
      },
    ]);
    return changed!.logId;
  });
const know = ({ sql, clock }: World, i: number, name: string, value: unknown) =>
  sql.begin((tx) =>
    people.setAttributes(
      tx,
      [{ person: keyOf(i), name, value, source: "test", at: clock.shop }],
      clock.shop,
    ),
  );
const make = async ({ house, sql }: World, rule: Rule, id?: string, level: Level = "person") => {
  const name = { zh: "测", en: "T" };
  const made = await sql.begin((tx) =>
    define({ tx, house } as never, { id, name, level, rule, purpose: "marketing" }),
  );
  if (!made.ok) throw new Error(made.code);
  return made.value;
};
const settle = async ({ house }: World) => {
  while ((await relay(house, reactions)) > 0);
};
const inside = async ({ sql }: World, id: string) =>
  (await members(sql, id)).map(({ personId }) => Number(personId.slice(-12)));
const log = ({ sql }: World, id: string) => sql<
  { change: string; causeKind: string | null; cause: string | null; version: number }[]
>`
  select change, cause_kind, cause, version from segments_log where segment_id = ${id}
  order by at, person_id, id`;
const dormant: Rule = { kind: "tag", tag: "lifecycle", in: ["dormant"] };

test("whoever comes to fit is in, whoever no longer does is out, and the log names the change behind it", async () => {
  await using shop = await open(4);
  const first = await tell(shop, 2, "lifecycle", "dormant");
  const { id } = await make(shop, dormant);
  await settle(shop);
  expect(await inside(shop, id)).toEqual([2]);
  expect([...(await log(shop, id))]).toEqual([
    { change: "entered", causeKind: "tag", cause: first, version: 1 },
  ]);

  // Whose tag changed is looked at, whoever changed it.
  const third = await tell(shop, 3, "lifecycle", "dormant");
  shop.clock.shop = new Date(shop.clock.shop.getTime() + 1000);
  const out = await tell(shop, 2, "lifecycle", "active");
  const change = { tag: "lifecycle", before: "dormant", after: "active", log: out };
  await shop.sql.begin((tx) =>
    emitAll(shop.house, tx, staged, [
      { person: keyOf(2), data: { changes: [change], cause: event } },
    ]),
  );
  await settle(shop);
  expect(await inside(shop, id)).toEqual([3]);
  expect((await log(shop, id)).slice(1)).toEqual([
    { change: "left", causeKind: "tag", cause: out, version: 1 },
    { change: "entered", causeKind: "tag", cause: third, version: 1 },
  ]);

  // After a night everybody is looked at.
  await shop.sql.begin((tx) =>
    emitAll(shop.house, tx, known, [
      { person: { bucket: 1, personId: nobody }, data: { fit: idOf(9), people: 4 } },
    ]),
  );
  await settle(shop);
  expect(await inside(shop, id)).toEqual([3]);
  expect(await refresh(shop.house, id)).toEqual({ entered: 0, left: 0 });
});

test("an order changes who is in a segment of attributes, with the order's event as the cause", async () => {
  await using shop = await open(2);
  const { id } = await make(shop, { kind: "number", attribute: "orders", is: "ge", value: 2 });
  await settle(shop);
  await know(shop, 1, "orders", 2);
  const data = {
    ref: "1",
    kind: "sale" as const,
    at: "2026-03-01T04:00:00.000Z",
    day: "2026-03-01",
  };
  await shop.sql.begin((tx) =>
    emitAll(shop.house, tx, recorded, [
      { person: keyOf(1), data: { ...data, amountMinor: "100", eventId: event } },
    ]),
  );
  await settle(shop);
  expect(await inside(shop, id)).toEqual([1]);
  expect([...(await log(shop, id))]).toMatchObject([{ causeKind: "event", cause: event }]);
});

test("where an order changed a tag that the rule asks about, that change is the cause", async () => {
  await using shop = await open(1);
  const both: Rule = {
    kind: "or",
    of: [dormant, { kind: "number", attribute: "orders", is: "ge", value: 2 }],
  };
  const { id } = await make(shop, both);
  await settle(shop);
  const line = await tell(shop, 1, "lifecycle", "dormant", event);
  const data = {
    ref: "1",
    kind: "sale" as const,
    at: "2026-03-01T04:00:00.000Z",
    day: "2026-03-01",
  };
  await shop.sql.begin((tx) =>
    emitAll(shop.house, tx, recorded, [
      { person: keyOf(1), data: { ...data, amountMinor: "100", eventId: event } },
    ]),
  );
  await settle(shop);
  expect([...(await log(shop, id))]).toMatchObject([{ causeKind: "tag", cause: line }]);
});

test("who leaves a window of time leaves at midnight by a timer of their own, whether looked at together or alone", async () => {
  await using shop = await open(3);
  const rule: Rule = { kind: "days_since", attribute: "last_order_at", is: "le", days: 7 };
  const { id } = await make(shop, rule);
  await know(shop, 1, "last_order_at", instantOf("2026-02-27T09:00", zone).toISOString());
  await know(shop, 2, "last_order_at", instantOf("2026-02-20T09:00", zone).toISOString());
  await settle(shop);
  expect(await inside(shop, id)).toEqual([1]);
  const turn = instantOf(`${addDays("2026-02-27", 8)}T00:00`, zone);
  const turns = () => shop.sql<{ dueAt: Date; personId: string }[]>`
    select due_at, person_id from timer where kind = 'segments.turn'`;
  // Every day's look sets the timers of the next; until then there is none.
  for (let day = 1; day <= 6; day++) {
    expect([...(await turns())], String(day)).toEqual(
      day === 6 ? [{ dueAt: turn, personId: idOf(1) }] : [],
    );
    shop.clock.shop = new Date(shop.clock.shop.getTime() + 24 * 3_600_000);
    if (shop.clock.shop < turn) expect(await ringDue(shop.house, timers)).toBe(1);
  }
  shop.clock.shop = new Date(turn.getTime() - 1);
  expect(await ringDue(shop.house, timers)).toBe(0);
  shop.clock.shop = turn;
  expect(await ringDue(shop.house, timers)).toBe(1);
  expect(await inside(shop, id)).toEqual([]);
  expect((await log(shop, id)).at(-1)).toMatchObject({ change: "left", cause: null });
});

test("a segment of segments follows those it names", async () => {
  await using shop = await open(3);
  const named = await make(shop, dormant);
  const others = await make(shop, {
    kind: "not",
    of: { kind: "segment", segment: named.id },
  });
  await tell(shop, 1, "lifecycle", "dormant");
  await refreshAll(shop.house);
  expect(await inside(shop, others.id)).toEqual([2, 3]);
  const line = await tell(shop, 2, "lifecycle", "dormant");
  const change = { tag: "lifecycle", before: null, after: "dormant", log: line };
  await shop.sql.begin((tx) =>
    emitAll(shop.house, tx, staged, [
      { person: keyOf(2), data: { changes: [change], cause: null } },
    ]),
  );
  await settle(shop);
  expect(await inside(shop, named.id)).toEqual([1, 2]);
  expect(await inside(shop, others.id)).toEqual([3]);
});

test("a new rule has a new version, and the members are those of the new one", async () => {
  await using shop = await open(2);
  await tell(shop, 1, "lifecycle", "dormant");
  await tell(shop, 2, "lifecycle", "lost");
  const { id } = await make(shop, dormant);
  await settle(shop);
  const again = await make(shop, { kind: "tag", tag: "lifecycle", in: ["lost"] }, id);
  expect(again).toMatchObject({ id, version: 2 });
  await settle(shop);
  expect(await inside(shop, id)).toEqual([2]);
  const second = (await log(shop, id)).filter(({ version }) => version === 2);
  expect(second.map(({ change }) => change).toSorted()).toEqual(["entered", "left"]);
});

test("the segment to win back is made once, and fits the dormant who are worth it", async () => {
  await using shop = await open(4);
  for (const i of [1, 2, 3]) await tell(shop, i, "lifecycle", "dormant");
  await know(shop, 1, "purchase_days", 3);
  await know(shop, 2, "spend_score", 4);
  await know(shop, 3, "spend_score", 2);
  await know(shop, 4, "spend_score", 5);
  const id = await shop.sql.begin((tx) => seedDormantWorth(shop.house, tx));
  expect(await shop.sql.begin((tx) => seedDormantWorth(shop.house, tx))).toBe(id);
  await settle(shop);
  expect(await inside(shop, id)).toEqual([1, 2]);
  await shop.sql.begin((tx) => erase(tx, keyOf(1)));
  expect(await inside(shop, id)).toEqual([2]);
});

/** Rules of every kind that moves: what people do, what time takes away, what follows from other segments. */
const lively: Rule[] = [
  {
    kind: "events",
    event: "Product Viewed",
    is: "ge",
    count: 2,
    window: { kind: "hours", hours: 24 },
  },
  { kind: "absent", event: "Product Viewed", window: { kind: "days", days: 2 } },
  {
    kind: "sequence",
    steps: [
      { event: "Product Viewed" },
      { event: "Product Added", where: [{ property: "price", is: "gt", value: 10 }] },
    ],
    withinHours: 12,
    window: { kind: "days", days: 3 },
  },
  { kind: "first", event: "Product Added", window: { kind: "hours", hours: 30 } },
  {
    kind: "not",
    of: { kind: "events", event: "page", is: "eq", count: 0, window: { kind: "ever" } },
  },
  { kind: "sample", seed: "half", basisPoints: 5000 },
];
/** Of companies, and of people through theirs. */
const ofCompanies: { level: Level; rule: Rule }[] = [
  {
    level: "company",
    rule: {
      kind: "events",
      event: "Product Viewed",
      is: "ge",
      count: 2,
      window: { kind: "hours", hours: 24 },
    },
  },
  {
    level: "company",
    rule: {
      kind: "and",
      of: [
        { kind: "text", attribute: "industry", in: ["gifts"] },
        {
          kind: "staff",
          are: "every",
          count: 1,
          roles: [],
          fits: { kind: "absent", event: "Product Added", window: { kind: "days", days: 1 } },
        },
      ],
    },
  },
  {
    level: "person",
    rule: {
      kind: "company",
      roles: ["buyer"],
      fits: {
        kind: "staff",
        are: "ge",
        count: 1,
        roles: [],
        fits: {
          kind: "events",
          event: "page",
          is: "ge",
          count: 1,
          window: { kind: "hours", hours: 30 },
        },
      },
    },
  },
  {
    level: "person",
    rule: {
      kind: "or",
      of: [
        { kind: "company", roles: [], fits: { kind: "tag", tag: "vip", in: ["gold"] } },
        {
          kind: "company",
          roles: [],
          fits: {
            kind: "sequence",
            steps: [{ event: "page" }, { event: "Product Added" }],
            withinHours: 12,
            window: { kind: "days", days: 2 },
          },
        },
      ],
    },
  },
];
const aside = [people.movers, people.moverOf({ parked: ["segments_member", "segments_log"] })];
const consumers = [
  peopleJobs.consumeWith(aside),
  companiesJobs.consume,
  consume,
  peopleJobs.followWith([companies.refold, refold]),
];
const refolders = [peopleJobs.refold, companies.refold, refold];
const step = fc.record({
  /** Beside what somebody does: they join a company, or leave it, or it is tagged. */
  belong: fc.constantFrom("nothing", "join", "join", "join", "leave", "tag", "tag", "untag"),
  company: fc.constantFrom(0, 0, 0, 1),
  role: fc.constantFrom("buyer", "buyer", "member"),
  industry: fc.constantFrom("gifts", "gifts", "toys"),
  who: fc.integer({ min: 0, max: 5 }),
  /** Sent by a device, which may turn out to be somebody's. */
  device: fc.boolean(),
  joins: fc.option(fc.integer({ min: 0, max: 5 }), { freq: 3 }),
  /** Which of two processes works, and whether its first attempt is cut off. */
  by: fc.constantFrom(0, 0, 1),
  breaks: fc.constantFrom(false, false, true),
  name: fc.constantFrom("Product Viewed", "Product Added", "page", "Nobody asks"),
  price: fc.constantFrom(5, 20),
  /** Late, now, or dated ahead of us. */
  offsetMs: fc.constantFrom(-30 * 3_600_000, -1, 0, 0, 0, 3_600_000),
  flags: fc.constantFrom(0, 0, 0, 1, 2, 64),
  waitMs: fc.constantFrom(0, 0, 60_000, 3 * 3_600_000, 11 * 3_600_000, 26 * 3_600_000),
});

test("event by event and timer by timer, everybody is where a recount at that instant puts them", async () => {
  const met = new Set<number>();
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 6, maxLength: 14 }), async (steps) => {
      await using shop = await world({ timeZone: "Europe/London" });
      const { house, sql, clock } = shop;
      clock.shop = instantOf("2011-10-29T20:00", "Europe/London"); // the clocks go back that night
      const ids: string[] = [];
      for (const rule of lively) ids.push((await make(shop, rule)).id);
      const both: Rule = { kind: "except", segment: ids[0]!, without: [ids[2]!] };
      ids.push((await make(shop, both)).id);
      const everySegment: { id: string; level: Level; rule: Rule }[] = [...lively, both].map(
        (rule, i) => ({
          ...{ id: ids[i]!, level: "person", rule },
        }),
      );
      for (const one of ofCompanies)
        everySegment.push({ ...one, id: (await make(shop, one.rule, undefined, one.level)).id });
      const chosen: Rule = { kind: "segment", segment: everySegment.at(-4)!.id };
      const through: Rule = { kind: "company", roles: [], fits: chosen };
      everySegment.push({ level: "person", rule: through, id: (await make(shop, through)).id });
      await settle(shop);
      const source = await sourceNamed(house, sql, "shop", "server");
      const check = async (when: string) => {
        for (const [i, { id, level, rule }] of everySegment.entries()) {
          const now = { at: clock.shop, timeZone: house.clocks.timeZone };
          const be = await everyoneOf(sql, atInstant(rule, now), clock.shop, level);
          const is = level === "person" ? await members(sql, id) : await companyMembers(sql, id);
          expect(is, `${when}: ${level} ${rule.kind}`).toEqual(be);
          if (be.length > 0) met.add(i);
        }
      };
      // Two processes over the same engines: each remembers for itself.
      const houses = [house, { ...house }];
      const cutOff = () => Promise.reject(new Error("cut off"));
      const work = async (by: number, breaks: boolean) => {
        const own = houses[by]!;
        if (breaks) await collect(own, [...consumers, cutOff]).catch(() => {});
        while (
          (await collect(own, consumers)) +
            (await peopleJobs.merge(own, [], refolders)) +
            (await relay(own, reactions)) +
            (await ringDue(own, timers)) +
            (await settleAll(own)) >
          0
        );
      };
      for (const [i, one] of steps.entries()) {
        const { who, device, joins, name, price, offsetMs, flags, waitMs, by, breaks, ...firm } =
          one;
        const at = new Date(clock.shop.getTime() + offsetMs);
        const groupId = `firm${firm.company}`;
        const sender = device
          ? ({ type: "anonymous_id", value: `d${who}` } as const)
          : ({ type: "user_id", value: `c${who}` } as const);
        if (firm.belong === "join" || firm.belong === "leave")
          await sql.begin((tx) =>
            accept(house, tx, source, [
              {
                key: `g${i}`,
                name: firm.belong === "join" ? "group" : "Group Left",
                at: new Date(at.getTime() - 1),
                data: { groupId, role: firm.role, traits: { industry: firm.industry } },
                sender,
              },
            ]),
          );
        const company = companies.companyId(source.id, groupId);
        if (firm.belong.endsWith("tag") && (await isCompany(sql, company)))
          await sql.begin((tx) =>
            setTag(tx, {
              ...{ companyId: company, tag: "vip", kind: "hand", source: "test", reason: {} },
              value: firm.belong === "tag" ? "gold" : null,
              ...{ confidence: 1, at: clock.shop, expiresAt: null, logId: house.newId() },
            }),
          );
        await sql.begin((tx) =>
          accept(house, tx, source, [
            {
              key: `k${i}`,
              name,
              at,
              data: { price },
              flags,
              sender,
              ...(device && joins !== null
                ? { links: [{ type: "user_id", value: `c${joins}` }] }
                : {}),
            },
          ]),
        );
        await work(by, breaks);
        await check(`event ${i}`);
        // Time goes from one timer to the next, as a running clock would.
        const end = clock.shop.getTime() + waitMs;
        for (;;) {
          const [next] = await sql<
            { at: Date | null }[]
          >`select min(due_at) as at from timer where kind like 'segments.%'`;
          if (!next?.at || next.at.getTime() > end) break;
          clock.shop = next.at;
          await work(1 - by, false);
          await check(`timer after ${i}`);
        }
        clock.shop = new Date(end);
        await check(`rest after ${i}`);
      }
      // What comes and goes is told to whoever listens, with the event behind it; a refold changes nothing.
      await sql.begin((tx) => listen(tx, "test", null));
      const all = await sql<{ bucket: number; personId: string }[]>`
        select bucket, person_id from people_person`;
      await sql.begin((tx) => refold(house, tx, all));
      await check("refold");
      expect([...(await sql`select from outbox where name like 'segments.%ed'`)]).toEqual([]);
      await sql.begin((tx) => unlisten(tx, "test"));
    }),
    { numRuns: 10 },
  );
  // Of the five that ask of companies, at least three had somebody.
  expect([...met].filter((i) => i > lively.length).length, [...met].join()).toBeGreaterThan(2);
}, 300_000);

test("whom a process remembers without a device has what was done with it as soon as it is theirs", async () => {
  await using shop = await world();
  const { house, sql, clock } = shop;
  const viewed = { kind: "events", event: "Product Viewed", is: "ge" } as const;
  const { id } = await make(shop, { ...viewed, count: 4, window: { kind: "hours", hours: 24 } });
  await settle(shop);
  const source = await sourceNamed(house, sql, "shop", "server");
  let said = 0;
  const say = async (
    type: "user_id" | "anonymous_id",
    links: { type: "user_id"; value: string }[] = [],
  ) => {
    clock.shop = new Date(clock.shop.getTime() + 1000);
    await sql.begin((tx) =>
      accept(house, tx, source, [
        {
          ...{ key: `k${said++}`, name: "Product Viewed", at: clock.shop, data: {}, links },
          sender: { type, value: "one" },
        },
      ]),
    );
    await collect(house, consumers);
  };
  await say("user_id"); // the process remembers both from here on
  await say("anonymous_id");
  await say("user_id");
  expect(await members(sql, id)).toEqual([]);
  await say("anonymous_id", [{ type: "user_id", value: "one" }]);
  expect(await members(sql, id)).toHaveLength(1);
  // The other way round: of somebody whom a device is taken from, what was done with it does not count any more.
  const parted = await sql<{ bucket: number; nodeId: string }[]>`
    delete from people_link returning bucket, node_id`;
  await sql.begin((tx) => peopleJobs.settle(house, tx, parted, { aside, refolders }));
  await say("user_id");
  const [own] = await sql<{ events: number }[]>`
    select count(*)::int as events from collect_event e join people_node n using (bucket, node_id)
    where n.person_id = (select person_id from people_node where type = 'user_id')`;
  expect(own!.events).toBe(3);
  expect(await members(sql, id)).toEqual([]);
});

test("a thousand people asked in one statement stand where a recount puts them, now and a day of timers later", async () => {
  const people = 1200;
  await using shop = await open(people);
  const { house, sql, clock } = shop;
  const names = ["Product Viewed", "Product Added", "page"];
  const did = Array.from({ length: people * 6 }, (_, k) => ({
    ...{
      i: 1 + (k % people),
      name: names[(k + Math.floor(k / people)) % 3]!,
      price: (k * 13) % 40,
    },
    at: new Date(clock.shop.getTime() - ((k * k * 31 + k) % 9973) * 25_000 - k),
  }));
  await sql`
    insert into people_node (bucket, node_id, source_id, type, sealed, person_bucket, person_id)
    select bucket, person_id, ${idOf(0)}, 'user_id', '', bucket, person_id from people_person`;
  for (let k = 0; k < did.length; k += 4000)
    await sql`insert into collect_event ${sql(
      did.slice(k, k + 4000).map(({ i, name, price, at }, n) => ({
        bucket: keyOf(i).bucket,
        nodeId: keyOf(i).personId,
        offset: BigInt(k + n + 1),
        id: idOf(1_000_000 + (((k + n) * 7919) % 999_983)),
        sourceId: idOf(0),
        name,
        at,
        receivedAt: at,
        data: sql.json({ price }),
      })),
    )}`;
  const rules: Rule[] = [
    ...lively,
    dormant,
    { kind: "days_since", attribute: "last_order_at", is: "ge", days: 2 },
  ];
  const ids: string[] = [];
  for (const rule of rules) ids.push((await make(shop, rule)).id);
  const both: Rule = { kind: "except", segment: ids[0]!, without: [ids[2]!] };
  ids.push((await make(shop, both)).id);
  const check = async (when: string) => {
    for (const [i, rule] of [...rules, both].entries()) {
      const be = await everyoneOf(
        sql,
        atInstant(rule, { at: clock.shop, timeZone: zone }),
        clock.shop,
      );
      if (when === "at once") expect(be.length, rule.kind).toBeGreaterThan(0);
      expect(await members(sql, ids[i]!), `${when}: ${rule.kind}`).toEqual(be);
    }
  };
  const all = await sql<{ bucket: number; personId: string }[]>`
    select bucket, person_id from people_person`;
  for (let i = 0; i < people; i += 3)
    await know(
      shop,
      i + 1,
      "last_order_at",
      new Date(clock.shop.getTime() - (i % 96) * 3_600_000).toISOString(),
    );
  await sql`
    insert into people_tag (bucket, person_id, tag, value, kind, source, reason, at, expires_at, log_id)
    select bucket, person_id, 'lifecycle', 'dormant', 'hand', 'test', '{}', ${clock.shop},
      ${clock.shop}::timestamptz + bucket * interval '10 min', ${idOf(1)} from people_person`;
  await sql.begin((tx) => listen(tx, "test", null));
  await sql.begin((tx) => refold(house, tx, all));
  await check("at once");
  const [told] = await sql<{ told: number }[]>`
    select count(*)::int as told from outbox where name = 'segments.entered'`;
  const [there] = await sql<
    { there: number }[]
  >`select count(*)::int as there from segments_member`;
  expect(told!.told).toBe(there!.there);

  // Nobody looks at a whole segment meanwhile.
  await sql`delete from timer where kind = 'segments.daily'`;
  await sql`delete from segments_touched`;
  clock.shop = new Date(clock.shop.getTime() + 24 * 3_600_000);
  while ((await ringDue(house, timers)) > 0);
  await check("a day later");
}, 120_000);

test("a page's word for an order moves nobody; the shop's own does", async () => {
  await using shop = await world();
  const { house, sql } = shop;
  const { id } = await make(shop, {
    ...{ kind: "events", event: "Order Completed", is: "ge", count: 1 },
    window: { kind: "hours", hours: 24 },
  });
  await settle(shop);
  const source = await sourceNamed(house, sql, "shop", "server");
  const say = async (key: string, flags: number) => {
    await sql.begin((tx) =>
      accept(house, tx, source, [
        {
          ...{ key, name: "Order Completed", at: shop.clock.shop, flags },
          data: { order_id: key, total: 10, currency: "CNY" },
          sender: { type: "user_id", value: "c1" },
        },
      ]),
    );
    await collect(house, consumers);
  };
  await say("claimed", flag.claim);
  expect(await sql`select from collect_event`).toHaveLength(1);
  expect(await members(sql, id)).toEqual([]);
  await refresh(house, id);
  expect(await members(sql, id)).toEqual([]);
  await say("told", 0);
  expect(await members(sql, id)).toHaveLength(1);
});

test("an event brings somebody in at once, and whoever listens is told which one", async () => {
  await using shop = await world();
  const { house, sql } = shop;
  const { id } = await make(shop, {
    kind: "events",
    event: "Product Viewed",
    where: [{ property: "sku", is: "eq", value: "A" }],
    is: "ge",
    count: 1,
    window: { kind: "hours", hours: 1 },
  });
  await settle(shop);
  await sql.begin((tx) => listen(tx, "test", id));
  const source = await sourceNamed(house, sql, "shop", "server");
  const say = (key: string, sku: string) =>
    sql.begin((tx) =>
      accept(house, tx, source, [
        {
          key,
          name: "Product Viewed",
          at: shop.clock.shop,
          data: { sku },
          sender: { type: "user_id", value: "c1" },
        },
      ]),
    );
  await say("1", "B");
  await collect(house, [peopleJobs.consume, consume]);
  expect(await inside(shop, id)).toEqual([]);
  await say("2", "A");
  await collect(house, [peopleJobs.consume, consume]);
  const [told] = await sql<{ data: { segment: string; cause: { kind: string; id: string } } }[]>`
    select data from outbox where name = 'segments.entered'`;
  expect(told!.data).toMatchObject({
    segment: id,
    cause: { kind: "event", id: eventId(source.id, "2") },
  });
  // It leaves the window an hour later to the millisecond.
  const [timer] = await sql<{ dueAt: Date }[]>`
    select due_at from timer where kind = 'segments.turn' and key = ${id}`;
  expect(timer!.dueAt).toEqual(new Date(shop.clock.shop.getTime() + 3_600_000));
  shop.clock.shop = timer!.dueAt;
  await ringDue(house, timers);
  expect([...(await log(shop, id))]).toMatchObject([
    { change: "entered", causeKind: "event" },
    { change: "left", cause: null },
  ]);
});

test("worked out whole, what the rule asks about is the cause, and not what else somebody did; time has none", async () => {
  await using shop = await world();
  const { house, sql, clock } = shop;
  const source = await sourceNamed(house, sql, "shop", "server");
  const begun = clock.shop.getTime();
  const said = [
    { name: "Product Viewed", sku: "A" },
    { name: "Product Viewed", sku: "A" },
    { name: "Product Viewed", sku: "B" },
    { name: "Order Completed", sku: "A" },
  ];
  await sql.begin((tx) =>
    accept(
      house,
      tx,
      source,
      said.map(({ name, sku }, i) => ({
        ...{ key: String(i), name, at: new Date(begun - 1000 * (said.length - i)) },
        ...{ data: { sku }, sender: { type: "user_id" as const, value: "c1" } },
      })),
    ),
  );
  await collect(house, [peopleJobs.consume]);
  // Their last order stands in their profile, and is no reason for what asks of views.
  const [one] = await sql<
    { bucket: number; personId: string }[]
  >`select bucket, person_id from people_person`;
  const order = { v: eventId(source.id, "3"), s: "orders", at: clock.shop.toISOString(), c: 1 };
  await sql`
    insert into people_profile (bucket, person_id, attributes, updated_at)
    values (${one!.bucket}, ${one!.personId}, ${sql.json({ last_event: order })}, now())
    on conflict (bucket, person_id) do update set attributes = excluded.attributes`;
  const { id } = await make(shop, {
    kind: "events",
    event: "Product Viewed",
    where: [{ property: "sku", is: "eq", value: "A" }],
    is: "ge",
    count: 1,
    window: { kind: "hours", hours: 1 },
  });
  await refresh(house, id);
  const view = { change: "entered", causeKind: "event", cause: eventId(source.id, "1") };
  expect([...(await log(shop, id))]).toMatchObject([view]);
  clock.shop = new Date(begun + 3_600_000);
  await refresh(house, id);
  expect([...(await log(shop, id))]).toMatchObject([view, { change: "left", cause: null }]);
});

test("beyond ten thousand at once each change still has its cause, and beyond the cap the rest is counted", async () => {
  await using shop = await open(12_000);
  const { sql } = shop;
  await sql`
    insert into people_tag_log (bucket, person_id, id, tag, before, after, source, reason, at)
    select bucket, person_id, gen_random_uuid(), 'lifecycle', null, 'dormant', 'test', '{}',
      ${shop.clock.shop}::timestamptz from people_person`;
  await sql`
    insert into people_tag (bucket, person_id, tag, value, kind, source, reason, at, log_id)
    select bucket, person_id, tag, after, 'hand', source, reason, at, id from people_tag_log`;
  const { id } = await make(shop, dormant);
  await settle(shop);
  const [counted] = await sql<{ lines: number; caused: number }[]>`
    select count(*)::int as lines, count(cause)::int as caused from segments_log
    where segment_id = ${id}`;
  expect(counted).toEqual({ lines: 12_000, caused: 12_000 });
  expect([...(await sql`select entered, gone, asked from segments_recount`)]).toEqual([
    { entered: 12_000, gone: 0, asked: 12_000 },
  ]);
  // One that nothing was looked for of is told of by the page.
  expect([...(await unexplained(sql, id, 10))]).toEqual([]);
  await sql`update segments_recount set asked = 10000`;
  expect([...(await unexplained(sql, id, 10))]).toMatchObject([{ entered: 12_000, asked: 10_000 }]);
}, 60_000);
