// What stands in the log already, however it came there, never stops those who read it: an event that cannot be worked
// through is set aside where an operator sees it, and everybody else's go on.
import { expect, test } from "vitest";
import { permissions } from "../../src/access/rules.ts";
import { consumers, pumps } from "../../src/app.ts";
import { consume, ship } from "../../src/collect/jobs.ts";
import * as collect from "../../src/collect/service.ts";
import { doctor } from "../../src/doctor.ts";
import * as people from "../../src/people/service.ts";
import * as planJobs from "../../src/plan/jobs.ts";
import { keyFor, rejectedOf, sourceOf, stage, type Stage } from "./harness.ts";
import { protocolOf, speak, speakers, type Fact } from "./speaking.ts";

type Odd = { name: string; data: string; at?: string; sealed?: boolean; links?: boolean };
const line = (data: object) => ({ name: "Order Line", data: JSON.stringify(data) });
const whole = (order: unknown) => ({
  name: "Order Completed",
  data: JSON.stringify({ $order: order }),
});
const told = { ref: "T1", kind: "sale", currency: "CNY", items: 1, sums: {}, marks: 0 };
const lined = {
  ...{ order: "L1", sku: "S", quantity: 1, unitPrice: 10_000, amountMinor: 100 },
  ...{ kind: "sale", currency: "CNY" },
};
/** As the log may hold it: written before there were limits, or by a way that misses them. */
const odd: Record<string, Odd> = {
  "a quantity that no column holds": line({ ...lined, quantity: "99999999999999999999" }),
  "an amount that is no number": line({ ...lined, amountMinor: "many" }),
  "a line of no order": line({ ...lined, order: null }),
  "a line of no kind": line({ ...lined, kind: "gift" }),
  "an order beyond all figures": whole({ ...told, amountMinor: 1e30, items: 1e30 }),
  "an order whose lines are a word": whole({ ...told, ref: "T3", lines: "none" }),
  "an order whose lines hold nothing": whole({ ...told, ref: "T4", amountMinor: 1, lines: [{}] }),
  "an order that is a number": whole(5),
  "an order of no kind": whole({ ...told, ref: "T5", kind: "gift", amountMinor: 1 }),
  "a product beyond all figures": {
    name: "Product Updated",
    data: JSON.stringify({ $product: { sku: "P1", unitPrice: 1e30, stock: 1e30 } }),
  },
  "a product that is a list": { name: "Product Updated", data: '{"$product":[1]}' },
  "the year 10000": { name: "page", data: "{}", at: "10000-01-01" },
  "before anybody counted": { name: "page", data: "{}", at: "0044-03-15 BC" },
  "for ever": { name: "page", data: "{}", at: "infinity" },
  "traits that are none": { name: "identify", data: '{"$traits":"x"}' },
  "traits of every kind": {
    name: "identify",
    data: '{"$traits":{"birth_month":1e300,"city":[[[]]],"country":{"a":1}}}',
  },
  "depth 5,000": { name: "page", data: `{"a":${"[".repeat(5000)}${"]".repeat(5000)}}` },
  "a list of 200,000": { name: "page", data: JSON.stringify({ a: Array(200_000).fill(1) }) },
  "data that are none": { name: "page", data: '"NaN"' },
  "a seal that is none": { name: "identify", data: "{}", sealed: true },
  "a link to nobody": { name: "identify", data: "{}", links: true },
};

async function settle({ house }: Stage): Promise<void> {
  while ((await consume(house, consumers)) > 0);
  while ((await consume(house, [planJobs.consume], "plan")) > 0);
  while ((await ship(house)) > 0);
}
/** What the consumers have not read. */
const left = (at: Stage) => at.sql<{ consumer: string; bucket: number }[]>`
  select c.consumer, c.bucket from collect_consumer c join collect_offset o using (bucket) where c.next < o.next
  union all select 'columns', c.bucket from collect_cut c join collect_offset o using (bucket)
  where c.target = 'event' and c.next < o.next
  union all select 'batch', 0 from collect_batch where state = 'cut'`;

/** Everything that waits is done, or as much of it as can be: what always comes back is left after so many rounds. */
async function idle(work: ReturnType<typeof pumps>): Promise<void> {
  for (let done = 1, rounds = 0; done > 0 && rounds < 200; rounds++)
    done =
      (await work.consume()) +
      (await work.plan()) +
      (await work.merge()) +
      (await work.relay()) +
      (await work.ring()) +
      (await work.segment()) +
      (await work.ship());
}

test("an event that cannot be worked through is set aside, and the rest goes on", async () => {
  await using at = await stage();
  const source = await sourceOf(at, "liuke");
  const me = { id: source.id, kind: "server" } as const;
  let n = 0;
  const good = async (user: string) => {
    const data = { ...lined, order: `G${n}` };
    const when = new Date(Date.now() - 86_400_000 + n * 1000);
    const sender = { type: "user_id", value: user } as const;
    await at.sql.begin((tx) =>
      collect.accept(at.house, tx, me, [
        { key: `g${n++}`, name: "Order Line", at: when, data, sender },
      ]),
    );
  };
  const put = async (user: string, { name, data, at: when, sealed, links }: Odd) => {
    const key = `odd${n++}`;
    const sender = { type: "user_id", value: user } as const;
    await at.sql.begin((tx) =>
      collect.accept(at.house, tx, me, [{ key, name: "Odd", at: new Date(), data: {}, sender }]),
    );
    const id = collect.eventId(source.id, key);
    const [row] = await at.sql`delete from collect_event where id = ${id} returning *`;
    await at.sql`
      insert into collect_event (bucket, "offset", id, source_id, node_id, name, at, received_at, data, sealed,
        link_buckets, link_ids, flags)
      values (${row!["bucket"]}, ${row!["offset"]}, ${id}, ${source.id}, ${row!["nodeId"]}, ${name},
        ${when ?? new Date().toISOString()}::text::timestamptz, ${row!["receivedAt"]}, ${data}::text::jsonb,
        ${sealed ? Buffer.from("no seal") : null},
        ${links ? "{1}" : null}::text::smallint[],
        ${links ? `{${crypto.randomUUID()}}` : null}::text::uuid[], 0)`;
  };
  const stuck: string[] = [];
  const users: string[] = [];
  for (const [what, one] of Object.entries(odd)) {
    // The same person's own events stand before and behind it.
    const user = `u${n}`;
    users.push(user);
    await good(user);
    await put(user, one);
    await good(user);
    // What fails for a reason that may be another's is heard of, as the worker hears of it, and tried again beside events
    // that go through.
    await settle(at).catch(() => undefined);
    for (let i = 0; i < 9 && (await left(at)).length > 0; i++) {
      await good(`other${i}`);
      await settle(at).catch(() => undefined);
    }
    if ((await left(at)).length > 0) stuck.push(what);
  }
  expect(stuck).toEqual([]);
  const [sums] = await at.sql`
    select count(*)::int as orders, sum(amount_minor)::int as minor from orders_order where ref like 'G%'`;
  expect(sums).toEqual({
    orders: n - Object.keys(odd).length,
    minor: 100 * (n - Object.keys(odd).length),
  });

  const parked = await at.sql<{ consumer: string; fault: string }[]>`
    select consumer, fault from collect_parked`;
  const ofPeople = parked.filter(({ consumer }) => consumer === "people").length;
  expect(ofPeople).toBeGreaterThan(5);
  const listed = (await rejectedOf(at, source)).filter(({ reason }) => reason === "set_aside");
  expect(listed).toHaveLength(ofPeople);
  const [found] = await doctor(at.sql, { ids: ["I9"] }).then((all) =>
    all.filter(({ what }) => what.en.includes("set aside")),
  );
  expect(found!.rows).toBe(parked.length);
  const shown = await at.ask("GET", `/v1/sources/${source.id}`, { headers: source.owner });
  expect(shown.body["refused"]).toMatchObject([{ reason: "set_aside", count: ofPeople }]);
  // Whoever turns out to be somebody else is worked out anew from all that the log has of them, the odd things that nobody
  // stumbled over included; and again when they are parted.
  const tell = (name: string, user: string, key: string, ago: number) =>
    at.sql.begin((tx) =>
      collect.accept(at.house, tx, me, [
        {
          ...{ key, name, at: new Date(Date.now() - ago), data: {} },
          sender: { type: "user_id", value: user },
          links: [{ type: "anonymous_id", value: `visitor-${user}` }],
        },
      ]),
    );
  const work = pumps(at.house, null);
  const hurt: string[] = [];
  for (const [i, user] of users.entries())
    for (const name of ["identify", "unbind"]) {
      await tell(name, user, `${name}-${user}`, 30_000 - i * 100 - (name === "unbind" ? 50 : 0));
      await idle(work).catch((thrown: unknown) =>
        hurt.push(`${name} ${Object.keys(odd)[i]}: ${String(thrown)}`),
      );
      if ((await left(at)).length > 0) hurt.push(`${name} ${Object.keys(odd)[i]}`);
    }
  expect(hurt).toEqual([]);
  const [merges] = await at.sql`
    select count(*) filter (where state = 'parted')::int as parted, count(*)::int as all from people_merge`;
  expect(merges).toEqual({ parted: users.length, all: users.length });
  expect(await at.sql`select 1 from collect_parked`).toHaveLength(parked.length);
  // What was wrong with one was beside what it says: sent again it is taken, and nobody misses it any more.
  const page = await at.ask("GET", `/v1/rejected?source=${source.id}`, { headers: source.owner });
  const ids = (page.body["rejected"] as { id: string; name: string }[]).flatMap((one) =>
    one.name === "identify" ? [one.id] : [],
  );
  expect(ids).toHaveLength(1);
  const again = await at.ask("POST", "/v1/rejected/resend", {
    headers: source.owner,
    body: { ids },
  });
  expect(again.body["results"]).toMatchObject([{ outcome: "accepted" }]);
  await settle(at);
  expect(await left(at)).toEqual([]);
  const now = await doctor(at.sql, { ids: ["I9"] });
  expect(now.find(({ what }) => what.en.includes("set aside"))!.rows).toBe(parked.length - 1);
  // Of whoever is erased, what was set aside goes too.
  const [first] = users;
  const person = (await people.byIdentifier(at.house, at.sql, "user_id", first!, source.id))!;
  const erased = await at.ask("DELETE", `/v1/members/${person.personId}`, {
    headers: source.owner,
  });
  expect(erased.status).toBe(200);
  const still = await rejectedOf(at, source);
  expect(still.some(({ payload }) => payload.includes(`"user":"${first!}"`))).toBe(false);
  expect(still).toHaveLength(ofPeople - 2);
  while ((await work.erase()) > 0);
  // The log and the columns agree: what left one has left the other.
  const [columns] = await at.columns.read<{ n: number }>("select toInt32(count()) as n from event");
  const [log] = await at.sql`select count(*)::int as n from collect_event`;
  expect(columns).toEqual(log);
}, 300_000);

/** As one field's value, or a whole set of them. */
const values: unknown[] = [
  ...[1e308, -1e308, 5e-324, -0, 2 ** 53, 1e21, 0.1, true, false, null, "", " ", "NaN", "Infinity"],
  ...["1e999", "-0", "9999-12-31T23:59:59Z", "0000-01-01", "-000001-01-01", "+275760-09-13"],
  ...["10000-01-01", "2026-02-30", "1900-00-00", "24:00", "x".repeat(9000), "😀".repeat(2000)],
  ...[
    "\u202e\u0001\u001f",
    "'; drop table collect_event; --",
    "%",
    "\\",
    "{}",
    "[]",
    "null",
    "{1,2}",
  ],
  ...[[], {}, [[]], [null], [1, "a", null, { b: [] }], { "": 1 }, { "a.b": 1, a: { b: 2 } }],
  ...[{ $set: 1 }, { length: 5 }, Array.from({ length: 3000 }, (_, i) => i), nested(60)],
  Object.fromEntries(Array.from({ length: 1500 }, (_, i) => [`k${i}`, i])),
];
function nested(depth: number): unknown {
  return depth === 0 ? "end" : { a: nested(depth - 1) };
}

test("whatever is taken by any door is read to its end by all who read, and nothing of it is set aside", async () => {
  await using at = await stage();
  const owner = { authorization: `Bearer ${await keyFor(at, null, permissions)}` };
  const asks = async (method: string, path: string, body: object) => {
    const answer = await at.ask(method, path, { headers: owner, body });
    expect([path, body, answer.status, answer.status === 200 ? {} : answer.body]).toEqual([
      path,
      body,
      200,
      {},
    ]);
  };
  const label = { zh: "怪", en: "Odd" };
  // Somebody asks for everything that can be worked out of the odd property.
  for (const fn of [
    "sum",
    "average",
    "min",
    "max",
    "first",
    "last",
    "most_frequent",
    "distinct",
  ] as const)
    await asks("POST", "/v1/traits", {
      ...{
        name: `odd_${fn}`,
        label,
        fn,
        event: "Shelf Seen",
        property: "odd",
        hours: null,
      },
    });
  for (const type of ["number", "date", "truth"])
    await asks("PUT", `/v1/attributes/odd_${type}`, { label, type });
  const work = pumps(at.house, null);
  let n = 0;
  for (const speaker of speakers) {
    const source = await sourceOf(at, protocolOf(speaker));
    for (const kind of ["track", "identify", "group", "alias"] as const) {
      const facts = values.map((odd, i): Fact => {
        const id = `20000000-0000-4000-8000-${String(n++).padStart(12, "0")}`;
        const who = {
          id,
          user: `u${i % 5}`,
          anonymous: `00000000-0000-4000-8000-00000000000${i % 3}`,
        };
        const when = { at: Date.now() - 3_600_000 + n };
        if (kind === "track")
          return {
            kind,
            ...who,
            ...when,
            name: i % 7 === 6 ? "Friend Asked" : "Shelf Seen",
            data: { odd, friend_id: odd, products: odd },
          };
        if (kind === "alias") return { kind, ...who, ...when, previous: `p${n}` };
        const traits = {
          ...{
            odd_number: odd,
            odd_text: odd,
            odd_date: odd,
            odd_truth: odd,
            birthday: odd,
            age: odd,
          },
          ...{ city: odd, plan: odd, employees: odd, name: odd, createdAt: odd, level: odd },
        };
        return kind === "group"
          ? { kind, ...who, ...when, group: `g${i % 3}`, traits }
          : { kind, ...who, ...when, traits };
      });
      for (let i = 0; i < facts.length; i += 5)
        for (const { path, headers, body } of speak(speaker, source.key, facts.slice(i, i + 5))) {
          const answer = await fetch(`${at.url}${path}`, { method: "POST", headers, body });
          // Too large for its own protocol is an answer too.
          expect([speaker, kind, [200, 400, 413, 422].includes(answer.status)]).toEqual([
            speaker,
            kind,
            true,
          ]);
        }
    }
    await idle(work);
  }
  expect(await left(at)).toEqual([]);
  const [log] = await at.sql`select count(*)::int as n from collect_event`;
  expect(log!["n"]).toBeGreaterThan(speakers.length * values.length * 2);
  const [columns] = await at.columns.read<{ n: number }>("select toInt32(count()) as n from event");
  expect(columns).toEqual(log);
  expect(await at.sql`select consumer, fault from collect_parked`).toEqual([]);
  expect(await at.sql`select name, attempts from outbox where attempts > 0`).toEqual([]);
  expect(await at.sql`select kind, attempts from timer where attempts > 0`).toEqual([]);
}, 300_000);
