import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { auditHead, sealAudit } from "#kernel/audit-chain.ts";
import { audit } from "#kernel/audit.ts";
import type { Sql } from "#kernel/sql.ts";
import { oneIn, slice, turned } from "../test/scenarios/turning.ts";
import { doctor, questions, type Finding } from "./doctor.ts";

let shop: Awaited<ReturnType<typeof turned>>;
beforeAll(async () => {
  await using file = await slice(oneIn(20));
  shop = await turned(file.path);
  const { house, clock, sql } = shop;
  await sql.begin((tx) =>
    audit(
      house,
      tx,
      [1, 2, 3].map((n) => ({
        at: clock.machine,
        actor: `operator:${n}`,
        endpoint: "POST /v1/x",
        target: {},
        outcome: "ok",
        requestId: null,
      })),
    ),
  );
  while ((await sealAudit(house, "test")) > 0);
}, 240_000);
afterAll(() => shop[Symbol.asyncDispose]());

const broken = (findings: Finding[]) => findings.filter(({ rows }) => rows > 0);
/** Asks one invariant as it would stand after the owner did this, and takes it back. */
async function after(id: string, ...deeds: string[]): Promise<Finding[]> {
  let found: Finding[] = [];
  await shop.owner
    .begin(async (tx) => {
      for (const deed of deeds) {
        const { count } = await tx.unsafe(deed);
        expect({ deed, touches: count > 0 || /^(set|alter)/.test(deed) }).toEqual({
          deed,
          touches: true,
        });
      }
      const begin = (_: string, work: (inner: typeof tx) => unknown) => work(tx);
      found = await doctor(Object.assign(tx, { begin }) as unknown as Sql, {
        sample: 1,
        ids: [id],
      });
      throw new Error("take it back");
    })
    .catch((thrown: Error) => {
      if (thrown.message !== "take it back") throw thrown;
    });
  return broken(found);
}

test("everything holds in a house in which the loop has turned", async () => {
  const heads = [(await auditHead(shop.house))!];
  const found = await doctor(shop.sql, { sample: 1, audit: { keys: shop.house.keys, heads } });
  expect(broken(found)).toEqual([]);
  const ids = new Set(found.map(({ id }) => id));
  expect([...ids]).toEqual(["I5", "I8", "I9", "I10", "I11", "I13", "I15", "I16"]);
  expect(found.length).toBeGreaterThan(100); // every table, every column of text
  // There is something in every table that is asked about, so that "holds" says something.
  const tables = `offers_coupon orders_line journeys_enrolment messages_delivery people_tag
    segments_member people_profile people_field messages_consent`;
  for (const table of tables.split(/\s+/)) {
    const rows = await shop.sql`select from ${shop.sql(table)} limit 1`;
    expect({ table, rows: rows.count }).toEqual({ table, rows: 1 });
  }
});

/** One deed for each question: what it must find. `of` is a part of its English heading. */
const deeds: { id: string; of: string; sql: string[] }[] = [
  {
    id: "I5",
    of: "what the budget counts",
    sql: ["update offers_budget set coupons = coupons - 1"],
  },
  {
    id: "I5",
    of: "Money taken",
    sql: ["update offers_budget set minor_limit = 1000000, minor = minor + 1"],
  },
  {
    id: "I5",
    of: "Nobody has more coupons",
    sql: ["update offers_person set coupons = coupons + 1 where true"],
  },
  {
    id: "I5",
    of: "A used coupon",
    sql: [
      "update offers_coupon set held_minor = 5, state = 'expired', closed_at = now() where state = 'issued' or state = 'expired'",
    ],
  },
  {
    id: "I8",
    of: "one effect",
    sql: [
      "insert into idempotency values ('k', 'operator:9', 'POST /v1/x', 'x', '{}', now()), ('j', 'operator:9', 'POST /v1/x', 'x', '{}', now())",
    ],
  },
  {
    id: "I9",
    of: "No event is dead",
    sql: [
      "insert into outbox select bucket, person_id, gen_random_uuid(), 'x', '{}', now(), 12, now(), now() from people_person limit 1",
    ],
  },
  {
    id: "I9",
    of: "has been due for an hour",
    sql: [
      "insert into outbox select bucket, person_id, gen_random_uuid(), 'x', '{}', now(), 0, now() - interval '2 hours' from people_person limit 1",
    ],
  },
  {
    id: "I9",
    of: "No timer",
    sql: [
      "insert into timer select bucket, person_id, 'x', 'x', now(), '{}', 8, now() from people_person limit 1",
    ],
  },
  {
    id: "I10",
    of: "stands at one node",
    sql: ["delete from journeys_move where node = 'sent'"],
  },
  {
    id: "I10",
    of: "two ends",
    sql: [
      "insert into journeys_move select bucket, person_id, run_id, 'held_out', at from journeys_move where node = 'sent' limit 1",
    ],
  },
  {
    id: "I10",
    of: "its experiment's",
    sql: ["update experiments_assignment set arm = 'control' where arm = 'treated'"],
  },
  {
    id: "I10",
    of: "nobody held out has a coupon",
    sql: ["update journeys_enrolment set coupon_id = gen_random_uuid() where arm = 'control'"],
  },
  {
    id: "I11",
    of: "had agreed",
    sql: ["update messages_consent set granted = false"],
  },
  {
    id: "I11",
    of: "their share",
    sql: [
      `insert into messages_message select bucket, person_id, gen_random_uuid(), purpose, template, version, channels, data,
         cause, asked_at, due_at, verdict, reason, released_at - interval '1 day', consents, policy
       from messages_message where verdict = 'queued' limit 1`,
    ],
  },
  {
    id: "I11",
    of: "quiet hours",
    sql: [
      "update messages_message set released_at = '2011-09-10T02:00:00+01:00' where verdict = 'queued'",
    ],
  },
  {
    id: "I11",
    of: "not let go",
    sql: [
      "update messages_message set verdict = 'suppressed', reason = 'x', released_at = null where verdict = 'queued'",
    ],
  },
  {
    id: "I13",
    of: "Every order line of the log",
    sql: [
      "delete from orders_line where event_id in (select event_id from orders_line order by event_id limit 1)",
    ],
  },
  {
    id: "I13",
    of: "An order is",
    sql: [
      "update orders_order set amount_minor = amount_minor + 1 where event_id in (select event_id from orders_order order by event_id limit 1)",
    ],
  },
  {
    id: "I13",
    of: "The figures of a profile",
    sql: [
      `update people_profile set attributes = jsonb_set(attributes, '{spent_minor,v}', '1')
       where person_id in (select person_id from people_profile where attributes ? 'orders' limit 1)`,
    ],
  },
  {
    id: "I13",
    of: "Every tag",
    sql: ["update people_tag set value = 'x' where tag = 'lifecycle'"],
  },
  {
    id: "I13",
    of: "Everybody in a segment",
    sql: [
      "delete from segments_member where person_id in (select person_id from segments_member limit 1)",
    ],
  },
  {
    id: "I15",
    of: "sealed or waits",
    sql: ["delete from audit_seal where seq = 2"],
  },
  {
    id: "I15",
    of: "being sealed",
    sql: ["update audit set at = '2001-01-01' where id = 1", "insert into audit_due values (1)"],
  },
  {
    id: "I16",
    of: "(recommend_pick)",
    sql: ["update recommend_pick set person_id = gen_random_uuid() where rank = 1"],
  },
  {
    id: "I9",
    of: "What waits for a webhook",
    sql: [
      `insert into feeds_delivery (bucket, person_id, event_id, webhook_id, next_at, made_at)
       values (1, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), now(), now())`,
    ],
  },
  {
    id: "I9",
    of: "No position of the feed",
    sql: [
      `insert into feeds_event values
         (1, gen_random_uuid(), gen_random_uuid(), 'x', now(), now(), 1, '{}')`,
    ],
  },
  {
    id: "I16",
    of: "Every person is found",
    sql: ["delete from people_way where person_id in (select person_id from people_way limit 1)"],
  },
  {
    id: "I16",
    of: "Every node has",
    sql: [
      "delete from people_identifier where node_id in (select node_id from people_identifier limit 1)",
    ],
  },
  {
    id: "I9",
    of: "was set aside",
    sql: [
      "insert into collect_parked values ('plan', 1, 1, gen_random_uuid(), gen_random_uuid(), null, '22003', now())",
    ],
  },
  {
    id: "I16",
    of: "a node that is gone",
    sql: ["insert into privacy_node_key values (3, gen_random_uuid(), 'x')"],
  },
  {
    id: "I16",
    of: "anybody erased (people_tag)",
    sql: [
      `insert into privacy_erasure select gen_random_uuid(), bucket, person_id, '{}', '{}', now(), now()
       from people_tag limit 1`,
    ],
  },
  {
    id: "I16",
    of: "has left nothing waiting",
    sql: [
      `with job as (
         insert into people_job (id, kind, asked_at, ended_at)
         values (gen_random_uuid(), 'component', now(), now()) returning id
       ) insert into people_rework (bucket, node_id, asked_at, job_id)
       select 1, gen_random_uuid(), now(), id from job`,
    ],
  },
  {
    id: "I16",
    of: "waited for a day",
    sql: [
      "insert into privacy_erasure values (gen_random_uuid(), 1, gen_random_uuid(), '{}', '{}', '2001-01-01')",
    ],
  },
  ...["li.wei+shop@example.com", "+8613812345678", "call 13812345678 now"].map((text) => ({
    id: "I16",
    of: "(collect_event.data)",
    sql: [
      `update collect_event set data = data || '{"x": "${text}"}'
       where ("bucket", "offset") in (select "bucket", "offset" from collect_event limit 1)`,
    ],
  })),
];
test("each question finds what was tampered with, and there is a deed for each", async () => {
  const asked = questions(readFileSync("invariants.sql", "utf8"));
  const left = new Set(asked.map(({ what }) => what.en.replace(/ ?\(\{.*\)$/, "")));
  for (const { id, of, sql } of deeds) {
    const found = await after(id, ...sql);
    const named = found.some((one) => one.id === id && one.what.en.includes(of));
    expect({ of, named, found: named ? [] : found }).toEqual({ of, named: true, found: [] });
    for (const { what } of found)
      for (const one of left) if (what.en.startsWith(one)) left.delete(one);
  }
  expect([...left]).toEqual([]);
}, 240_000);

test("a chain that was cut short is among what is found", async () => {
  const { house, sql } = shop;
  const head = (await auditHead(house))!;
  const heads = [{ ...head, seq: String(BigInt(head.seq) + 1n) }];
  const found = broken(await doctor(sql, { audit: { keys: house.keys, heads } }));
  expect(found.map(({ id, rows }) => ({ id, rows }))).toEqual([{ id: "I15", rows: 1 }]);
});

test("a heading that is none is no invariant that was forgotten in silence", () => {
  expect(() => questions("-- I5 only one language\nselect 1;")).toThrow(/only one language/);
  const [one] = questions("words before\n-- I5 甲 | A\nselect 1\nwhere true;\n");
  expect(one).toEqual({ id: "I5", what: { zh: "甲", en: "A" }, query: "select 1\nwhere true" });
});
