// What was done with people who turn out to be one somebody goes along and counts together; and comes back, as it stands
// by then, where they turn out not to be. Every row here is made by the domain's own commands.
import { expect, test } from "vitest";
import { allRoutes } from "../src/app.ts";
import { doctor } from "../src/doctor.ts";
import type { PersonKey } from "../src/kernel/sql.ts";
import { start } from "../src/journeys/jobs.ts";
import * as programmes from "../src/journeys/service.ts";
import * as messages from "../src/messages/service.ts";
import * as offers from "../src/offers/service.ts";
import { saying, user, visitor } from "./merged.ts";
import { shop, type Shop } from "./shop.ts";

const [a1, a2, u1, u2] = [visitor("a1"), visitor("a2"), user("u1"), user("u2")];
const rowsOf = async (rows: Promise<readonly object[]>) => (await rows).map((row) => ({ ...row }));

async function campaignOf({ house, sql, clock }: Shop, more: object = {}): Promise<string> {
  const made = await sql.begin((tx) =>
    offers.makeCampaign(tx, {
      ...{ id: house.newId(), at: clock.shop, name: { zh: "茶", en: "Tea" } },
      benefit: { kind: "amount", amountMinor: 500n },
      ...{ minSpendMinor: 0n, currency: "CNY", ttlDays: 30, perPerson: 1, open: false },
      ...{ couponLimit: 10, budgetMinor: null, ...more },
    }),
  );
  if (!made.ok) throw new Error(made.code);
  return made.value.id;
}
const issue = ({ house, sql, clock }: Shop, campaignId: string, who: readonly PersonKey[]) =>
  sql.begin((tx) =>
    offers.issue(
      house,
      tx,
      clock.shop,
      who.map((person) => ({ person, campaignId, cause: "test" })),
    ),
  );
const sound = async (here: Shop) => {
  const found = await doctor(here.sql, { sample: 1 });
  expect(found.filter(({ rows }) => rows > 0)).toEqual([]);
};

test("coupons and what one person may have of them are added up; an excess stays, and what was spent stays spent", async () => {
  await using here = await shop(allRoutes);
  const { house, sql, clock } = here;
  const { say, join, part, find } = saying(here);
  for (const one of [a1, u1]) await say("Page", one);
  const [a, u] = [await find(a1), await find(u1)];
  const campaign = await campaignOf(here);
  const given = await issue(here, campaign, [a, u]);
  const [ofA, ofU] = given.map((one) => (one.ok ? one.value.couponId : "")) as [string, string];
  const codes = await offers.show(house, sql, [{ person: a, couponId: ofA }]);
  const held = () =>
    rowsOf(sql`select person_id, id, state from offers_coupon order by issued_at, id`);
  const counts = () => rowsOf(sql`select person_id, coupons from offers_person order by 1`);
  const timers = () =>
    rowsOf(sql`select person_id, key from timer where kind = 'offers.expire' order by key`);

  await join(a1, u1);
  expect(await counts()).toEqual([{ personId: u.personId, coupons: 2 }]);
  expect((await timers()).map((one) => (one as { personId: string }).personId)).toEqual([
    u.personId,
    u.personId,
  ]);
  // Two where one is allowed: neither is taken back, and a third is not given.
  expect((await held()).map((one) => (one as { state: string }).state)).toEqual([
    "issued",
    "issued",
  ]);
  expect(await issue(here, campaign, [u])).toMatchObject([
    { ok: false, code: "offers.person_limit" },
  ]);
  const offer = await here.ask("GET", `/v1/offers/${campaign}`, { headers: here.as.owner });
  expect(offer.body["figures"]).toMatchObject({ excess: { people: 1, coupons: 1 } });
  const shown = await here.ask("GET", `/v1/members/${u.personId}/coupons`, {
    headers: here.as.owner,
  });
  expect(shown.body["excess"]).toEqual([
    { campaign, name: { zh: "茶", en: "Tea" }, coupons: 2, perPerson: 1 },
  ]);
  await sound(here);

  const spent = await here.ask("POST", "/v1/coupons/redemptions", {
    headers: here.as.server,
    body: { code: codes.get(ofA)!.code, order: "T-1", amountMinor: "2000", currency: "CNY" },
  });
  expect(spent.body).toMatchObject({ coupon: ofA, person: u.personId, discountMinor: "500" });
  await part(a1, u1);
  expect(await held()).toEqual(
    [
      { personId: a.personId, id: ofA, state: "redeemed" },
      { personId: u.personId, id: ofU, state: "issued" },
    ].toSorted((x, y) => (x.id < y.id ? -1 : 1)),
  );
  expect(await counts()).toEqual(
    [a, u]
      .map(({ personId }) => ({ personId, coupons: 1 }))
      .toSorted((x, y) => (x.personId < y.personId ? -1 : 1)),
  );
  const ways = await rowsOf(sql`select person_id, coupon_id from offers_code`);
  expect(ways).toContainEqual({ personId: a.personId, couponId: ofA });
  // What is still open ends by itself with whoever has it.
  clock.shop = new Date(clock.shop.getTime() + 40 * 86_400_000);
  await say("Page", u2);
  expect(await held()).toContainEqual({ personId: u.personId, id: ofU, state: "expired" });
  expect(await timers()).toEqual([]);
  await sound(here);
}, 60_000);

const consent = (
  { house, sql, clock }: Shop,
  person: PersonKey,
  granted: boolean,
  purpose: "marketing" | "service" = "marketing",
) =>
  sql.begin((tx) =>
    messages.setConsent(
      house,
      tx,
      [
        {
          person,
          purpose,
          channel: "inapp",
          granted,
          textVersion: "v1",
          proof: "page",
          at: clock.shop,
        },
      ],
      clock.machine,
    ),
  );
const holds = async ({ sql, clock }: Shop, person: PersonKey, purpose = "marketing") =>
  (await messages.consentsOf(sql, person, clock.shop)).find(
    (one) => one.purpose === purpose && one.channel === "inapp",
  )?.granted ?? null;
const write = ({ house, sql, clock }: Shop, person: PersonKey, cause: string) =>
  sql.begin(async (tx) => {
    const [sent] = await messages.send(house, tx, clock.shop, [
      { person, purpose: "marketing", templateId: "hello", channels: ["inapp"], data: {}, cause },
    ]);
    return sent!;
  });
async function template({ house, sql, clock }: Shop): Promise<void> {
  const words = { subject: "Hello", body: "Hello." };
  await sql.begin((tx) =>
    messages.defineTemplate(tx, clock.machine, {
      ...{ key: "hello", purpose: "marketing", zh: words, en: words },
    }),
  );
  void house;
}
const later = (here: Shop, hours: number) =>
  (here.clock.shop = new Date(here.clock.shop.getTime() + hours * 3_600_000));

test("of what two agreed to the stricter holds, through a second merge too, until one of them parts", async () => {
  await using here = await shop(allRoutes);
  const { say, join, part, find } = saying(here);
  for (const one of [a1, u1, u2]) await say("Page", one);
  const [a, u, v] = [await find(a1), await find(u1), await find(u2)];
  await consent(here, u, true);
  await consent(here, v, true);
  later(here, 1);
  await consent(here, a, false);
  await consent(here, a, true, "service");
  await join(a1, u1);
  expect([await holds(here, u), await holds(here, u, "service")]).toEqual([false, true]);
  expect(await holds(here, a)).toBe(false);
  await join(u2, u1);
  const stays = (await find(u1)).personId === u.personId ? u : v;
  expect(await holds(here, stays)).toBe(false);
  later(here, 1);
  await part(a1, u1);
  // Without the visitor nobody refused, and nobody agreed to service.
  expect([await holds(here, stays), await holds(here, stays, "service")]).toEqual([true, false]);
  expect([await holds(here, a), await holds(here, a, "service")]).toEqual([false, true]);
  await part(u2, u1);
  for (const one of [u, v])
    expect([await holds(here, one), (await holds(here, one, "service")) ?? false]).toEqual([
      true,
      false,
    ]);
  await sound(here);
}, 60_000);

test("what they say themselves while they are one outlives the parting", async () => {
  await using here = await shop(allRoutes);
  const { say, join, part, find } = saying(here);
  for (const one of [a1, u1]) await say("Page", one);
  const [a, u] = [await find(a1), await find(u1)];
  await consent(here, a, true);
  await consent(here, u, false);
  await join(a1, u1);
  later(here, 1);
  await consent(here, u, true);
  later(here, 1);
  await part(a1, u1);
  expect([await holds(here, a), await holds(here, u)]).toEqual([true, true]);
}, 60_000);

test("messages count together towards what a person gets, and what waits for the morning leaves once", async () => {
  await using here = await shop(allRoutes);
  const { sql, clock } = here;
  const { say, join, part, find } = saying(here);
  await template(here);
  for (const one of [a1, u1]) await say("Page", one);
  const [a, u] = [await find(a1), await find(u1)];
  for (const one of [a, u]) await consent(here, one, true);
  const first = await write(here, a, "1"); // noon: at once
  expect(first.verdict).toBe("queued");
  clock.shop = new Date("2026-03-01T14:00:00Z"); // ten at night where the shop is
  const night = await write(here, u, "2");
  expect(night.verdict).toBe("waiting");
  await join(a1, u1);
  // One a week: the visitor's was this week's.
  clock.shop = new Date("2026-03-02T02:00:00Z");
  await say("Page", u1);
  const all = () =>
    rowsOf(sql`select person_id, id, verdict, reason from messages_message order by asked_at`);
  expect(await all()).toEqual([
    { personId: u.personId, id: first.messageId, verdict: "queued", reason: null },
    { personId: u.personId, id: night.messageId, verdict: "suppressed", reason: "cap_week" },
  ]);
  expect(await write(here, u, "3")).toMatchObject({ verdict: "suppressed" });
  const inbox = () => rowsOf(sql`select person_id, message_id, state from messages_delivery`);
  expect(await inbox()).toEqual([
    { personId: u.personId, messageId: first.messageId, state: "sent" },
  ]);
  await part(a1, u1);
  expect(await inbox()).toEqual([
    { personId: a.personId, messageId: first.messageId, state: "sent" },
  ]);
  expect((await all()).filter((row) => row["personId" as never] === a.personId)).toHaveLength(1);
  await sound(here);
}, 60_000);

test("whoever had a message each has more than a member gets: that is shown, stays, and ends with its days or their parting", async () => {
  await using here = await shop(allRoutes);
  const { clock } = here;
  const { say, join, part, find } = saying(here);
  await template(here);
  for (const one of [a1, a2, u1, u2]) await say("Page", one);
  const all = [await find(a1), await find(a2), await find(u1), await find(u2)];
  for (const one of all) await consent(here, one, true);
  for (const [i, one] of all.entries())
    expect((await write(here, one, `${i}`)).verdict).toBe("queued");
  const shown = async ({ personId }: PersonKey) =>
    (await here.ask("GET", `/v1/members/${personId}/messages`, { headers: here.as.owner }))
      .body as { excess: object[]; messages: object[] };
  const week = (sent: number) => ({ purpose: "marketing", days: 7, sent, most: 1 });
  for (const one of all) expect((await shown(one)).excess).toEqual([]);
  await join(a2, u2);
  await join(a1, u1);
  expect((await shown(await find(u1))).excess).toEqual([week(2)]);
  await sound(here);
  // The visitor of the one goes on to the other, who was named first.
  await join(u2, u1);
  const one = await find(u2);
  expect([await find(a1), one]).toEqual([all[3], all[3]]);
  expect((await shown(one)).excess).toContainEqual(week(4));
  expect((await shown(one)).messages).toHaveLength(4);
  expect(await write(here, one, "more")).toMatchObject({ verdict: "suppressed" });
  await sound(here);
  const now = clock.shop;
  later(here, 7 * 24);
  expect((await shown(one)).excess).not.toContainEqual(expect.objectContaining({ days: 7 }));
  clock.shop = now;
  await part(u2, u1);
  await part(a1, u1);
  await part(a2, u2);
  for (const person of all) expect((await shown(person)).excess).toEqual([]);
  await sound(here);
}, 60_000);

test("a visitor's message that waits leaves once, from whoever they turn out to be, and parts with them while it waits", async () => {
  await using here = await shop(allRoutes);
  const { sql, clock } = here;
  const { say, join, part, find } = saying(here);
  await template(here);
  for (const one of [a1, a2, u1]) await say("Page", one);
  const [a, b, u] = [await find(a1), await find(a2), await find(u1)];
  for (const one of [a, b, u]) await consent(here, one, true);
  clock.shop = new Date("2026-03-01T14:00:00Z");
  const [ofA, ofB] = [await write(here, a, "1"), await write(here, b, "2")];
  await join(a1, u1);
  await join(a2, u1);
  const timers = () =>
    rowsOf(sql`select person_id, key from timer where kind = 'messages.release' order by key`);
  expect((await timers()).map((row) => row["personId" as never])).toEqual([u.personId, u.personId]);
  await part(a2, u1);
  expect(await timers()).toContainEqual({ personId: b.personId, key: ofB.messageId });
  clock.shop = new Date("2026-03-02T02:00:00Z");
  await say("Page", u1);
  expect(await rowsOf(sql`select person_id, message_id from messages_delivery order by 1`)).toEqual(
    [
      { personId: u.personId, messageId: ofA.messageId },
      { personId: b.personId, messageId: ofB.messageId },
    ].toSorted((x, y) => (x.personId < y.personId ? -1 : 1)),
  );
  expect(await timers()).toEqual([]);
  await sound(here);
}, 60_000);

test("an enrolment a run: the further one goes on with its way; who was in both arms is counted and in neither's result", async () => {
  await using here = await shop(allRoutes);
  const { house, sql } = here;
  const { say, join, part, find, settled } = saying(here);
  const all = Array.from({ length: 16 }, (_, i) => user(`w${i}`));
  for (const one of all) await say("Page", one);
  const campaign = await campaignOf(here, { couponLimit: 4 });
  await template(here);
  const made = await here.ask("POST", "/v1/segments", {
    headers: here.as.owner,
    body: { name: { zh: "全部", en: "All" }, rule: { kind: "everybody" }, purpose: "marketing" },
  });
  await settled();
  const everybody = String(made.body["id"]);
  const programme = await sql.begin((tx) =>
    programmes.define(tx, house, {
      ...{ key: "tea", name: { zh: "茶", en: "Tea" }, segmentId: everybody, campaignId: campaign },
      ...{ template: "hello", windowDays: 30, picks: 0, seed: "leaf", treatedShareBp: 5000 },
    }),
  );
  await start(house, programme.id);
  await settled();
  const rows = () =>
    rowsOf(sql`
      select e.person_id, e.arm, e.node, e.id, (select array_agg(m.node order by m.node)
        from journeys_move m where m.person_id = e.person_id and m.run_id = e.run_id) as moves
      from journeys_enrolment e order by e.person_id`);
  const before = (await rows()) as { personId: string; arm: string; node: string }[];
  const arms = () =>
    rowsOf(sql`select person_id, arm, crossed, at from experiments_assignment order by person_id`);
  const assigned = await arms();
  const people = new Map<string, (typeof all)[number]>();
  for (const one of all) people.set((await find(one)).personId, one);
  const of = (node: string) =>
    before.filter((row) => row.node === node).map(({ personId }) => people.get(personId)!);
  const [sent, held] = [of("sent"), of("held_out")];
  expect([sent.length, held.length].every((n) => n >= 3)).toBe(true);
  // The held out one was there first, so that it stays; what was sent to the other goes on with them.
  const [x, y] = [sent[0]!, held[0]!].toSorted((p, q) => all.indexOf(p) - all.indexOf(q)) as [
    (typeof sent)[0],
    (typeof sent)[0],
  ];
  await join(y!, x!);
  const one = (await find(x!)).personId;
  const merged = (await rows()).filter((row) => row["personId" as never] === one);
  expect(merged).toMatchObject([{ node: "sent", arm: "treated", moves: ["sent", "waiting"] }]);
  expect(await rows()).toHaveLength(before.length - 1);
  await sound(here);
  // Two of one arm count once.
  await join(held[2]!, held[1]!);
  const read = async () =>
    (await here.ask("GET", `/v1/programmes/${programme.id}`, { headers: here.as.owner })).body[
      "run"
    ] as { crossed: number; arms: { people: number }[] };
  const figures = await read();
  expect(figures.crossed).toBe(1);
  expect(figures.arms.reduce((sum, { people: n }) => sum + n, 0)).toBe(before.length - 3);
  const listed = await here.ask("GET", `/v1/programmes/${programme.id}/people?crossed=true`, {
    headers: here.as.owner,
  });
  expect(listed.body).toMatchObject({ total: 1, people: [{ personId: one }] });
  await part(held[2]!, held[1]!);
  await part(y!, x!);
  expect(await rows()).toEqual(before);
  expect(await arms()).toEqual(assigned);
  expect((await read()).crossed).toBe(0);
  await sound(here);
}, 90_000);
