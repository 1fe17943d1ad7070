// The worker is killed at every step of a merge, and at every step of its undoing. Whoever comes after it goes on where
// what was committed ends: each pair of people comes to the very state of a pair that nobody interrupted.
import { afterAll, beforeAll, expect, onTestFailed, test } from "vitest";
import { movers } from "../../src/app.ts";
import { accept } from "../../src/collect/service.ts";
import { start } from "../../src/journeys/jobs.ts";
import * as programmes from "../../src/journeys/service.ts";
import type { PersonKey } from "../../src/kernel/sql.ts";
import * as messages from "../../src/messages/service.ts";
import * as offers from "../../src/offers/service.ts";
import * as people from "../../src/people/service.ts";
import type { Opened } from "../../src/program.ts";
import { define } from "../../src/segments/service.ts";
import { apart, shopServer, type Apart } from "./apart.ts";
import { broken } from "./truth.ts";
import { settled } from "../settled.ts";

let house: Apart;
beforeAll(async () => void (house = await apart()), 120_000);
afterAll(() => house[Symbol.asyncDispose]());

const steps = movers.map((_, i) => i + 1);
let n = 0;
const say = (
  { house: { sql }, house: inner }: Opened,
  source: string,
  name: string,
  from: string,
  to?: string,
) =>
  sql.begin((tx) =>
    accept(inner, tx, { id: source, kind: "server" }, [
      {
        ...{ key: `said-${n}`, name, at: new Date(Date.now() - 3_600_000 + n++ * 1000), data: {} },
        sender: { type: "user_id", value: from },
        ...(to === undefined ? {} : { links: [{ type: "user_id" as const, value: to }] }),
      },
    ]),
  );
type Pair = { from: string; into: string; keys: [PersonKey, PersonKey] };

/** Enough people for a pair a step and one more: coupons, a run of a programme, consents and tags of each. */
async function prepared(opened: Opened, source: string): Promise<Pair[]> {
  const { house: inner } = opened;
  const { sql, clocks, newId } = inner;
  const names = Array.from({ length: 6 * (steps.length + 1) }, (_, i) => `p${i}`);
  for (const name of names) await say(opened, source, "Page", name);
  await settled(opened.pumps);
  const keys = new Map<string, PersonKey>();
  for (const name of names)
    keys.set(name, (await people.byIdentifier(inner, sql, "user_id", name, source))!);
  const [gift, programme] = await sql.begin(async (tx) => {
    const campaign = async () => {
      const made = await offers.makeCampaign(tx, {
        ...{ id: newId(), at: clocks.shop(), name: { zh: "茶", en: "Tea" } },
        benefit: { kind: "amount", amountMinor: 500n },
        ...{ minSpendMinor: 0n, currency: "GBP", ttlDays: 30, perPerson: 1, open: false },
        ...{ couponLimit: 1000, budgetMinor: null },
      });
      if (!made.ok) throw new Error(made.code);
      return made.value.id;
    };
    const words = { subject: "Hello", body: "Hello." };
    await messages.defineTemplate(tx, clocks.machine(), {
      ...{ key: "hello", purpose: "marketing", zh: words, en: words },
    });
    const context = { tx, house: inner, now: clocks.shop(), at: clocks.machine(), newId } as never;
    const everybody = await define(context, {
      ...{ name: { zh: "全部", en: "All" }, rule: { kind: "everybody" }, purpose: "marketing" },
    } as never);
    if (!everybody.ok) throw new Error(everybody.code);
    const made = await programmes.define(tx, inner, {
      ...{ key: "tea", name: { zh: "茶", en: "Tea" }, segmentId: everybody.value.id },
      ...{ campaignId: await campaign(), template: "hello", windowDays: 30, picks: 0 },
      ...{ seed: "leaf", treatedShareBp: 5000 },
    });
    return [await campaign(), made.id];
  });
  await settled(opened.pumps);
  await start(inner, programme);
  await settled(opened.pumps);
  const arms = await sql<{ personId: string; arm: string }[]>`
    select person_id, arm from experiments_assignment`;
  const armOf = new Map(arms.map(({ personId, arm }) => [personId, arm]));
  const of = (arm: string) => names.filter((name) => armOf.get(keys.get(name)!.personId) === arm);
  const [froms, intos] = [of("treated"), of("control")];
  const pairs = [0, ...steps].map((i): Pair => {
    const [from, into] = [froms[i]!, intos[i]!];
    return { from, into, keys: [keys.get(from)!, keys.get(into)!] };
  });
  await sql.begin(async (tx) => {
    const at = clocks.shop();
    for (const { keys: both } of pairs)
      for (const [i, person] of both.entries()) {
        await offers.issue(inner, tx, at, [{ person, campaignId: gift, cause: "test" }]);
        await messages.setConsent(
          inner,
          tx,
          [
            {
              ...{ person, purpose: "marketing", channel: "inapp", granted: i === 1 },
              ...{ textVersion: "v1", proof: "page", at },
            },
          ],
          clocks.machine(),
        );
        await people.setTags(tx, newId, [
          {
            ...{ person, tag: `hand${i}`, value: "yes", kind: "hand", source: "x", reason: {} },
            at,
          },
        ]);
      }
  });
  await settled(opened.pumps);
  return pairs;
}

/** All that stands of two people, by which of them, without ids and instants. */
async function stateOf({ house: { sql } }: Opened, { keys: [from, into] }: Pair) {
  const ids = [from.personId, into.personId];
  const who = sql`case when person_id = ${from.personId} then 'from' else 'into' end as who`;
  const rows = async (query: Promise<readonly object[]>) =>
    (await query).map((row) => JSON.stringify(row)).toSorted();
  return {
    coupons: await rows(sql`select ${who}, state from offers_coupon where person_id = any(${ids})`),
    codes: await rows(sql`select ${who} from offers_code where person_id = any(${ids})`),
    counts: await rows(
      sql`select ${who}, coupons from offers_person where person_id = any(${ids})`,
    ),
    consents: await rows(sql`select ${who}, seq, granted, split_part(proof, ':', 1) as proof
      from messages_consent where person_id = any(${ids})`),
    written: await rows(
      sql`select ${who}, verdict from messages_message where person_id = any(${ids})`,
    ),
    enrolled: await rows(
      sql`select ${who}, arm, node from journeys_enrolment where person_id = any(${ids})`,
    ),
    moves: await rows(sql`select ${who}, node from journeys_move where person_id = any(${ids})`),
    arms: await rows(
      sql`select ${who}, arm, crossed from experiments_assignment where person_id = any(${ids})`,
    ),
    tags: await rows(sql`select ${who}, tag, value from people_tag where person_id = any(${ids})`),
    members: await rows(sql`select ${who} from segments_member where person_id = any(${ids})`),
    timers: await rows(sql`select ${who}, kind from timer where person_id = any(${ids})`),
    persons: await rows(sql`select ${who} from people_person where person_id = any(${ids})`),
    parked: await rows(sql`select ${who}, place from people_parked where person_id = any(${ids})`),
    merges: await rows(sql`select state, step from people_merge where from_id = any(${ids})`),
  };
}

test(
  `killed at each of ${steps.length} steps there and back, every pair comes to the state of one that was left alone`,
  async () => {
    onTestFailed(() => console.error(house.said()));
    const { source } = await house.inside(shopServer);
    const pairs = await house.inside((opened) => prepared(opened, source));
    const before = await house.inside((opened) => stateOf(opened, pairs[0]!));
    expect(before.persons).toHaveLength(2);
    for (const [name, state] of [
      ["alias", "merged"],
      ["unbind", "parted"],
    ] as const) {
      const [alone, ...others] = pairs;
      const expected = await house.inside(async (opened) => {
        await say(opened, source, name, alone!.into, alone!.from);
        await settled(opened.pumps);
        return stateOf(opened, alone!);
      });
      expect(expected.merges).toEqual([
        JSON.stringify({ state, step: state === "merged" ? steps.length : 0 }),
      ]);
      expect(expected.persons).toHaveLength(state === "merged" ? 1 : 2);
      for (const [i, pair] of others.entries()) {
        await house.inside((opened) => say(opened, source, name, pair.into, pair.from));
        const killed = house.start("worker", { LIUKE_CRASH_AT: `people.merge_step:${i + 1}` });
        expect(await killed.ended).toMatchObject({ signal: "SIGKILL" });
        await house.inside(async (opened) => {
          const [open] = await opened.house.sql`
            select step from people_merge where from_id = ${pair.keys[0].personId}
              and state in ('merging', 'parting')`;
          // What the killed one had committed is there; its last step is not. The first of them falls between what was
          // put aside with the log, when the merge was found, and the first domain's part.
          const done = name === "alias" ? i : steps.length - i;
          expect(Math.min(Number(open?.["step"]), steps.length)).toBe(done);
          const [aside] = await opened.house.sql`
            select count(*)::int as n from people_parked
            where person_id = ${pair.keys[0].personId} and place = 'rows|people_tag'`;
          expect(aside!["n"]).toBe(name === "alias" ? 1 : 0);
          await settled(opened.pumps);
          expect([name, i + 1, await stateOf(opened, pair)]).toEqual([name, i + 1, expected]);
        });
      }
    }
    await house.inside(async (opened) => {
      // What the merges said of consents stays in their log; all the rest is as it was.
      const { consents: _, merges: __, ...after } = await stateOf(opened, pairs[0]!);
      const { consents: ___, merges: ____, ...was } = before;
      expect(after).toEqual(was);
      expect(await broken(opened)).toEqual([]);
    });
  },
  60_000 + steps.length * 30_000,
);
