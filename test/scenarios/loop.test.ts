// One turn of the loop on real orders, step by step: what comes in, who they are, who is chosen, what is done for
// them, what it changed, and what follows from it.
import { expect, test } from "vitest";
import { allRoutes } from "../../src/app.ts";
import { outcome } from "../../src/demo.ts";
import { nobody } from "../../src/kernel/ids.ts";
import * as people from "../../src/people/service.ts";
import { web } from "../authz.ts";
import { keyOf, oneIn, partsOf, portrait, slice, turned } from "./turning.ts";

/** A turn takes some ten seconds alone, and a machine may have other things to do. */
const limitMs = 300_000;

test(
  "the loop turns: collect, know, decide, act, measure, feed back",
  async () => {
    await using file = await slice(oneIn(5));
    await using shop = await turned(file.path);
    const { house, sql } = shop;
    expect(shop.seen).toEqual(["import", "know", "decide", "act", "replay", "done"]);
    const start = new Date("2011-09-08T23:00:00Z");
    const end = new Date("2011-12-10T00:00:00Z");

    // 1. Collect: every line once, equal lines too, in both engines.
    while ((await shop.pumps.ship()) > 0);
    const [log] = await sql<{ events: number; lines: number; ids: number }[]>`
    select (select count(*)::int from collect_event) as events,
      (select count(*)::int from orders_line) as lines,
      (select count(distinct id)::int from collect_event) as ids`;
    expect(log).toEqual({ events: file.lines, lines: file.lines, ids: file.lines });
    const [columns] = await shop.columns.read<{ rows: number; sum: string }>(
      "select count() as rows, toString(sum(amount_minor)) as sum from event",
    );
    const [sum] = await sql<
      { sum: string }[]
    >`select sum(amount_minor)::text as sum from orders_line`;
    expect(columns).toEqual({ rows: file.lines, sum: sum!.sum });
    const [equal] = await sql<{ n: number }[]>`
    select count(*)::int as n from (
      select from orders_line group by person_id, ref, sku, quantity, unit_price, at having count(*) > 1
    ) twice`;
    expect(equal!.n).toBeGreaterThan(0);

    // 2. Know: everybody's profile says what, since when, from where, how sure; and why they stand where they stand.
    const profiles = await sql<{ attributes: Record<string, Record<string, unknown>> }[]>`
    select attributes from people_profile`;
    for (const { attributes } of profiles)
      for (const attribute of Object.values(attributes)) {
        expect(Object.keys(attribute).toSorted()).toEqual(["at", "c", "s", "v"]);
        expect(attribute["c"]).toBeGreaterThanOrEqual(0);
        expect(attribute["c"]).toBeLessThanOrEqual(1);
      }
    expect(profiles.some(({ attributes }) => "order_chance_90d" in attributes)).toBe(true);
    expect(profiles.some(({ attributes }) => "p_alive" in attributes)).toBe(false);
    const [fit] = await sql<{ model: string; why: string }[]>`
    select learned #>> '{buying,model}' as model, learned #>> '{buying,why}' as why
    from predict_fit order by at limit 1`;
    expect(fit).toEqual({ model: "nbd", why: "degenerate_dropout" });
    const [bought] = await sql<{ people: number; staged: number }[]>`
    select (select count(distinct person_id)::int from orders_order
        where kind = 'sale' and amount_minor > 0 and person_id <> ${nobody}) as people,
      (select count(*)::int from people_tag where tag = 'lifecycle') as staged`;
    expect(bought!.staged).toBe(bought!.people);
    const moves = await sql<{ before: string | null; after: string; caused: boolean }[]>`
    select before, after, cause is not null as caused from people_tag_log where tag = 'lifecycle'`;
    expect(moves.length).toBeGreaterThan(bought!.people);
    // An order brings somebody back, and is named as the cause; silence makes dormant, and nothing but time is.
    expect(moves.some((m) => m.before === "dormant" && m.after === "active" && m.caused)).toBe(
      true,
    );
    expect(moves.some((m) => m.after === "dormant" && !m.caused)).toBe(true);

    // 3. Decide: the segment as it was when the programme began, and goods with reasons for each of its people.
    const enrolled = await sql<{ personId: string; arm: string; node: string; id: string }[]>`
    select person_id, arm, node, id from journeys_enrolment`;
    expect(enrolled.length).toBeGreaterThan(50);
    const picks = await sql<{ personId: string; kind: string; rank: number; reason: object }[]>`
    select person_id, kind, rank, reason from recommend_pick order by person_id, rank`;
    const picked = new Map<string, string[]>();
    for (const { personId, kind, reason } of picks) {
      expect(Object.keys(reason).length).toBeGreaterThan(0);
      picked.set(personId, [...(picked.get(personId) ?? []), kind]);
    }
    for (const { personId } of enrolled) expect(picked.has(personId)).toBe(true);
    for (const kinds of picked.values()) {
      expect(kinds.length).toBeLessThanOrEqual(3);
      expect(kinds.lastIndexOf("again")).toBeLessThan(
        kinds.includes("alike") ? kinds.indexOf("alike") : kinds.length,
      );
    }

    // 4. Act: four in five are reached once, with a coupon and a message; nobody who is held out is.
    const treated = enrolled.filter(({ arm }) => arm === "treated");
    const control = enrolled.filter(({ arm }) => arm === "control");
    expect(treated.length / enrolled.length).toBeGreaterThan(0.7);
    expect(treated.length / enrolled.length).toBeLessThan(0.9);
    expect(new Set(treated.map(({ node }) => node))).toEqual(new Set(["sent"]));
    expect(new Set(control.map(({ node }) => node))).toEqual(new Set(["held_out"]));
    const coupons = await sql<{ cause: string }[]>`select cause from offers_coupon`;
    expect(coupons.map(({ cause }) => cause).toSorted()).toEqual(
      treated.map(({ id }) => id).toSorted(),
    );
    const messages = await sql<{ cause: string; verdict: string; releasedAt: Date | null }[]>`
    select cause, verdict, released_at from messages_message`;
    expect(messages.map(({ cause }) => cause).toSorted()).toEqual(
      treated.map(({ id }) => id).toSorted(),
    );
    for (const { releasedAt } of messages)
      expect(releasedAt?.getTime()).toBeGreaterThanOrEqual(start.getTime() + 9 * 3_600_000);
    shop.clock.shop = new Date("2011-12-10T10:00:00Z"); // at midnight no mail leaves
    while ((await shop.pumps.deliver()) > 0);
    const [mails] = await sql<{ sent: number }[]>`
    select count(*)::int as sent from messages_delivery
    where channel = 'email' and state <> 'preview'`;
    expect(mails!.sent).toBe(0); // made-up addresses wait in the preview and leave by no server
    const [madeUp] = await sql<{ real: number }[]>`
    select count(*)::int as real from messages_consent where not made_up`;
    expect(madeUp!.real).toBe(0);

    // 5. Measure: by assignment, over the window, the same as counted by hand.
    const { run } = await outcome(house);
    const byHand = await sql<{ arm: string; people: number; returned: number }[]>`
    select e.arm, count(*)::int as people, count(*) filter (where exists (
      select from orders_order o where o.bucket = e.bucket and o.person_id = e.person_id
        and o.kind = 'sale' and o.amount_minor > 0 and o.at >= ${start} and o.at < ${end}))::int as returned
    from experiments_assignment e group by e.arm`;
    for (const { arm, people, returned } of byHand)
      expect(run!.result!.report.primary[arm as "treated" | "control"]).toMatchObject({
        people,
        returned,
      });
    const [low, high] = run!.result!.report.primary.intervalBp;
    expect(run!.result!.report.primary.claims).toBe(low > 0 || high < 0);
    expect(run!.result!.report.secondary.evidence && !run!.result!.report.primary.claims).toBe(
      false,
    );
    expect(run!.result!.report.split.alarm).toBe(false);
    for (const language of ["zh", "en"] as const)
      expect(run!.result!.sentence[language].length).toBeGreaterThan(20);

    // 6. Feed back: a decision with its evidence, and one walk from an event to it.
    expect(["stop", "repeat", "change", "mend"]).toContain(run!.decision!.advice);
    const ask = web(house, allRoutes);
    const headers = await keyOf(house);
    const [came] = await sql<{ eventId: string }[]>`
    select o.event_id from journeys_enrolment e
    join orders_order o on o.bucket = e.bucket and o.person_id = e.person_id
    where e.arm = 'treated' and o.kind = 'sale' and o.at >= ${start} order by o.at limit 1`;
    const walk = await ask("GET", `/v1/trace/${came!.eventId}`, { headers });
    expect(walk.status).toBe(200);
    const steps = walk.body["steps"] as { id: string; kind: string; from: string | null }[];
    const kinds = new Set(steps.map(({ kind }) => kind));
    for (const kind of [
      "event",
      "tag",
      "segment",
      "enrolment",
      "coupon",
      "message",
      "outcome",
      "result",
      "decision",
    ])
      expect(kinds).toContain(kind);
    const ids = new Set(steps.map(({ id }) => id));
    for (const { from } of steps) if (from !== null) expect(ids).toContain(from);

    // Turned once more from its beginning, it takes in no line and reaches nobody a second time.
    const done = async () => {
      const [row] = await sql`
        select (select count(*) from collect_event) as events, (select count(*) from orders_line) as lines,
          (select count(*) from journeys_run) as runs, (select count(*) from journeys_enrolment) as people,
          (select count(*) from offers_coupon) as coupons, (select count(*) from messages_message) as messages,
          (select count(*) - count(distinct (person_id, channel, purpose)) from messages_consent) as twice,
          (select count(*) from experiments_result) as results`;
      return row;
    };
    const before = await done();
    await sql`update installation set value = '{"stage":"import"}' where name = 'demo'`;
    await shop.turnAgain();
    expect(shop.seen.slice(6)).toEqual(["know", "decide", "act", "done"]);
    expect(await done()).toEqual(before);
  },
  limitMs,
);

test(
  "nothing dated after the shop's clock is read: a file cut at that day gives the same, byte for byte",
  async () => {
    await using whole = await slice(oneIn(9));
    await using cut = await slice((line) => oneIn(9)(line) && partsOf(line).day < "2011-09-09");
    expect(cut.lines).toBeLessThan(whole.lines);
    await using one = await turned(whole.path, "replay");
    await using other = await turned(cut.path, "replay");
    const [a, b] = [await portrait(one.house), await portrait(other.house)];
    for (const what of ["profile", "tag", "member", "pick", "arm"])
      expect(a.split("\n").filter((line) => line.startsWith(what)).length).toBeGreaterThan(20);
    expect(a).toBe(b);
  },
  limitMs,
);

test(
  "two pasts, two advices: what is said follows from who came back",
  async () => {
    // The same orders until the clock. In one past those held out stay away after it, in the other those written to do.
    const few = (line: string) => partsOf(line).customer !== "" && oneIn(3)(line);
    await using file = await slice(few);
    const arms = { treated: new Set<string>(), control: new Set<string>() };
    {
      await using shop = await turned(file.path, "replay");
      const rows = await shop.sql<
        { bucket: number; personId: string; arm: "treated" | "control" }[]
      >`
      select bucket, person_id, arm from experiments_assignment`;
      const numbers = await people.identifiers(shop.house, shop.sql, rows, "user_id");
      for (const { personId, arm } of rows) arms[arm].add(numbers.get(personId)!);
    }
    const past = async (away: ReadonlySet<string>) => {
      await using changed = await slice((line) => {
        const { day, customer } = partsOf(line);
        return few(line) && !(day >= "2011-09-09" && away.has(customer));
      });
      await using shop = await turned(changed.path);
      return (await outcome(shop.house)).run!;
    };
    const helped = await past(arms.control);
    const harmed = await past(arms.treated);
    expect(helped.result!.report.verdict).toBe("helped");
    expect(helped.decision!.advice).toBe("repeat");
    expect(harmed.result!.report.verdict).toBe("harmed");
    expect(harmed.decision!.advice).toBe("stop");
    for (const { result, decision } of [helped, harmed]) {
      expect(result!.report.primary.claims).toBe(true);
      expect(decision!.evidence.controlPeople).toBe(arms.control.size);
    }
  },
  limitMs,
);
