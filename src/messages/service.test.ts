import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { PersonKey } from "#kernel/sql.ts";
import { ringDue, timersLeft } from "#kernel/timers.ts";
import * as everybody from "#people/service.ts";
import { world } from "../../test/database.ts";
import { deliver, seed, timers } from "./jobs.ts";
import { type Channel } from "./rules.ts";
import * as service from "./service.ts";
import { broken } from "./views.ts";

const hour = 3_600_000;
async function shop() {
  const here = await world({ timeZone: "Europe/London" });
  await seed(here.house);
  const source = randomUUID();
  const people = (n: number): Promise<PersonKey[]> =>
    here.sql.begin(async (tx) => {
      const at = here.clock.shop;
      const senders = Array.from({ length: n }, () => ({
        type: "user_id" as const,
        value: randomUUID(),
        at,
      }));
      const nodes = await everybody.nodesFor(here.house, tx, source, senders);
      const keys = [...nodes.values()].map(({ bucket, personId }) => ({ bucket, personId }));
      const fields = keys.map((person) => ({
        person,
        at,
        field: "email",
        value: `${person.personId}@demo.invalid`,
        source: "test",
      }));
      await everybody.setFields(here.house, tx, fields);
      return keys;
    });
  const say = (person: PersonKey, channel: Channel, granted: boolean) => {
    const at = here.clock.shop;
    const said = {
      person,
      purpose: "marketing",
      channel,
      granted,
      textVersion: "1",
      proof: "test",
      at,
    } as const;
    return here.sql.begin((tx) => service.setConsent(here.house, tx, [said], here.clock.machine));
  };
  const send = (...to: PersonKey[]) =>
    here.sql.begin((tx) =>
      service.send(
        here.house,
        tx,
        here.clock.shop,
        to.map((person) => ({
          person,
          purpose: "marketing",
          templateId: "win-back",
          channels: ["inapp", "email"],
          data: {},
          cause: "test",
        })),
      ),
    );
  const pass = (ms: number) => {
    here.clock.shop = new Date(here.clock.shop.getTime() + ms);
    here.clock.machine = new Date(here.clock.machine.getTime() + ms);
  };
  const post = { send: async () => ({ kind: "accepted" as const }), close: () => {} };
  const work = async () => {
    while ((await ringDue(here.house, timers)) > 0);
    while ((await deliver(here.house, { post, madeUpLeaves: true })) > 0);
  };
  return Object.assign(here, { people, say, send, pass, work });
}

test("over random histories of consent, nothing goes without it, over the cap or in quiet hours", async () => {
  await using here = await shop();
  const people = await here.people(12);
  const someone = fc.nat(people.length - 1);
  const step = fc.oneof(
    fc.record({
      say: someone,
      channel: fc.constantFrom<Channel>("inapp", "email"),
      granted: fc.boolean(),
    }),
    fc.record({ send: fc.array(someone, { minLength: 1, maxLength: 8 }) }),
    fc.record({ together: fc.array(someone, { minLength: 2, maxLength: 4 }) }),
    fc.record({ pass: fc.integer({ min: 1, max: 72 }) }),
  );
  let sends = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 40, maxLength: 60 }), async (steps) => {
      for (const one of steps) {
        if ("say" in one) await here.say(people[one.say]!, one.channel, one.granted);
        else if ("pass" in one) here.pass(one.pass * hour);
        else if ("send" in one) await here.send(...one.send.map((i) => people[i]!));
        else
          await Promise.all(
            one.together.flatMap((i) => [
              here.send(people[i]!),
              here.say(people[i]!, "inapp", i % 2 === 0),
            ]),
          );
        await here.work();
        sends += "send" in one ? one.send.length : "together" in one ? one.together.length : 0;
      }
      expect([...(await broken(here.sql))]).toEqual([]);
    }),
    { numRuns: 14, endOnFailure: true },
  );
  expect(sends).toBeGreaterThan(800);
  const verdicts = await here.sql`
    select coalesce(reason, verdict) as verdict, count(*)::int as n from messages_message group by 1 order by 1`;
  // The histories were rich enough to meet every verdict.
  expect(verdicts.map((row) => row["verdict"])).toEqual(
    expect.arrayContaining(["cap_month", "cap_week", "no_consent", "queued"]),
  );

  const [mails] = await here.sql`
    select count(*)::int as n from messages_delivery where channel = 'email' and state = 'sent'`;
  expect(mails!["n"]).toBeGreaterThan(10);

  // And the check itself sees a broken world.
  const { sql } = here;
  const [sent] =
    await sql`select * from messages_message where verdict = 'queued' order by id limit 1`;
  const spoil = async (change: () => Promise<unknown>, rule: string) => {
    await change();
    expect((await broken(sql)).map((row) => row.rule)).toContain(rule);
  };
  const night = new Date("2026-02-01T22:00:00Z");
  await spoil(
    () => sql`update messages_message set released_at = ${night} where id = ${sent!["id"]}`,
    "quiet",
  );
  await spoil(
    () =>
      sql`update messages_message set policy = jsonb_set(policy, '{week}', '0') where id = ${sent!["id"]}`,
    "cap",
  );
  await spoil(
    () => sql`delete from messages_consent where person_id = ${sent!["personId"]}`,
    "consent",
  );
}, 180_000);

test("a message due in the night waits for its end, and consent taken back meanwhile is heard", async () => {
  await using here = await shop();
  const [ann, ben] = await here.people(2);
  here.clock.shop = new Date("2011-09-08T23:00:00Z"); // midnight in London
  for (const person of [ann!, ben!]) await here.say(person, "inapp", true);
  const [first, second] = await here.send(ann!, ben!);
  expect(first).toMatchObject({ verdict: "waiting", dueAt: new Date("2011-09-09T08:00:00Z") });
  await here.work();
  expect(await timersLeft(here.sql, ["messages.release"])).toBe(2);
  here.pass(hour);
  await here.say(ben!, "inapp", false);
  here.pass(9 * hour);
  await here.work();
  const rows = await here.sql`select id, verdict, reason from messages_message order by verdict`;
  expect([...rows]).toEqual([
    { id: first!.messageId, verdict: "queued", reason: null },
    { id: second!.messageId, verdict: "suppressed", reason: "no_consent" },
  ]);
  const ways =
    await here.sql`select channel, state, reason from messages_delivery order by channel desc`;
  expect([...ways]).toEqual([
    { channel: "inapp", state: "sent", reason: null },
    { channel: "email", state: "suppressed", reason: "no_consent" },
  ]);
  expect([...(await broken(here.sql))]).toEqual([]);
});

test("ten at once for one person: one goes, nine are over the cap", async () => {
  await using here = await shop();
  const [ann] = await here.people(1);
  here.clock.shop = new Date("2026-03-02T12:00:00Z");
  await here.say(ann!, "inapp", true);
  await Promise.all(Array.from({ length: 10 }, () => here.send(ann!)));
  const [row] = await here.sql`
    select count(*) filter (where verdict = 'queued')::int as went,
      count(*) filter (where reason = 'cap_week')::int as capped from messages_message`;
  expect(row).toEqual({ went: 1, capped: 9 });
});

test("consent is a log: the same said twice adds nothing, what was made up stays marked, erasure takes it all", async () => {
  await using here = await shop();
  const [ann] = await here.people(1);
  expect([await here.say(ann!, "email", true), await here.say(ann!, "email", true)]).toEqual([
    1, 0,
  ]);
  expect(await here.say(ann!, "email", false)).toBe(1);
  const demo = {
    person: ann!,
    purpose: "marketing",
    channel: "inapp",
    granted: true,
    textVersion: "1",
    at: here.clock.shop,
  } as const;
  await here.sql.begin((tx) =>
    service.setConsent(
      here.house,
      tx,
      [{ ...demo, proof: "made_up", madeUp: true }],
      here.clock.machine,
    ),
  );
  const lines = await here.sql`select seq, granted, made_up from messages_consent order by seq`;
  expect([...lines]).toEqual([
    { seq: 1, granted: true, madeUp: false },
    { seq: 2, granted: false, madeUp: false },
    { seq: 3, granted: true, madeUp: true },
  ]);
  await expect(here.sql`update messages_consent set granted = true`).rejects.toThrow(
    "permission denied",
  );
  await here.send(ann!);
  await here.sql.begin((tx) => service.erase(tx, ann!));
  const [left] = await here.sql`
    select (select count(*) from messages_consent) + (select count(*) from messages_message)
      + (select count(*) from messages_delivery) + (select count(*) from messages_person) as n`;
  expect(left).toEqual({ n: 0n });
});

test("a template with a placeholder that does not exist is not saved; the same words are the same version", async () => {
  await using here = await shop();
  const at = here.clock.machine;
  const text = { subject: "a", body: "{{code}}" };
  const save = (body: string) =>
    here.sql.begin((tx) =>
      service.defineTemplate(tx, at, {
        key: "x",
        purpose: "service",
        zh: text,
        en: { ...text, body },
      }),
    );
  expect(await save("{{nobody}}")).toEqual({
    ok: false,
    code: "messages.placeholder",
    data: { placeholders: ["nobody"] },
  });
  expect(
    [await save("1"), await save("1"), await save("2")].map((r) => r.ok && r.value.version),
  ).toEqual([1, 1, 2]);
});
