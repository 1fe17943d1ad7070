// Who belongs to a company, what it ordered, its tags and the segments about it are a function of what was said: told late,
// back-dated and in pieces, with people who turn out to be one somebody and then do not, it comes to the same as told in
// order and at once; and so does what is left when somebody is erased. LIUKE_COMPANY_CASES asks for more histories.
import fc from "fast-check";
import { expect, test } from "vitest";
import { allRoutes, erasers, pumps } from "../src/app.ts";
import { accept } from "../src/collect/service.ts";
import { companyId } from "../src/companies/service.ts";
import { lineEvent } from "../src/orders/service.ts";
import * as people from "../src/people/service.ts";
import { shop } from "./shop.ts";

const cases = Number(process.env["LIUKE_COMPANY_CASES"] ?? 12);
const hour = 3_600_000;
const users = ["u1", "u2", "u3"];
const visitors = ["a1", "a2"];
const companies = ["oak", "elm"];
const doing = fc.record({
  what: fc.constantFrom(
    "join",
    "join",
    "join",
    "leave",
    "order",
    "order",
    "refund",
    "same",
    "apart",
  ),
  who: fc.constantFrom(...users),
  visitor: fc.constantFrom(...visitors),
  company: fc.constantFrom(...companies),
  roles: fc.constantFrom([], ["buyer"], ["approver"], ["buyer", "admin"]),
  traits: fc.constantFrom<object>(
    {},
    { name: "Oak", industry: "gifts" },
    { name: "Elm & Sons" },
    { industry: "toys", employees: 12 },
    { duns: "55" },
  ),
  /** Half hours: no two of one history share an instant. */
  ago: fc.integer({ min: 1, max: 400 }),
});
type Doing = typeof doing extends fc.Arbitrary<infer T> ? T : never;
const history = fc.record({
  doings: fc.uniqueArray(doing, { minLength: 5, maxLength: 22, selector: ({ ago }) => ago }),
  places: fc.array(fc.integer(), { minLength: 22, maxLength: 22 }),
  reads: fc.array(fc.boolean(), { minLength: 22, maxLength: 22 }),
  gone: fc.constantFrom(...users),
});

test(`${cases} histories of companies in two orders each come to the same, and so does what an erasure leaves`, async () => {
  await using here = await shop(allRoutes);
  const { house, sql, clock } = here;
  const { consume, merge, relay, ring, segment, erase } = pumps(house, null);
  const settle = async () => {
    for (let busy = 1; busy > 0;)
      busy =
        (await consume()) + (await merge()) + (await relay()) + (await ring()) + (await segment());
  };
  const owner = { headers: here.as.owner };
  const define = async (level: string, rule: object) => {
    const body = { name: { zh: "公司", en: "Company" }, level, rule, purpose: "analysis" };
    const made = await here.ask("POST", "/v1/segments", { ...owner, body });
    expect(made.status).toBe(200);
    return String(made.body["id"]);
  };
  const ordering = { kind: "number", attribute: "orders", is: "ge", value: 2 };
  const busy = await define("company", ordering);
  const gifts = { kind: "text", attribute: "industry", in: ["gifts"] };
  const staffed = await define("company", {
    ...{ kind: "staff", are: "ge", count: 1, roles: ["buyer"] },
    fits: { kind: "everybody" },
  });
  const buying = await define("person", { kind: "company", roles: ["buyer"], fits: gifts });
  const tagged = await here.ask("PUT", "/v1/company-tags/branch", {
    ...owner,
    body: {
      label: { zh: "分支", en: "Branch" },
      rules: [
        { value: "busy", segment: busy },
        { value: "staffed", segment: staffed },
      ],
    },
  });
  expect(tagged.status).toBe(200);
  await settle();
  let turn = 0;
  let seen = 0;

  async function told(doings: readonly Doing[], isRead: (i: number) => boolean) {
    const prefix = `${turn++}-`;
    const now = clock.shop.getTime();
    const source = { id: here.server.id, kind: "server" as const };
    const user = (name: string) => ({ type: "user_id" as const, value: prefix + name });
    const visitor = (name: string) => ({ type: "anonymous_id" as const, value: prefix + name });
    for (const [i, one] of doings.entries()) {
      const at = new Date(now - (one.ago * hour) / 2);
      const key = `${prefix}${one.ago}`;
      const { what, who, company, roles, traits } = one;
      const event =
        what === "order" || what === "refund"
          ? lineEvent(key, {
              at,
              customer: prefix + who,
              data: {
                ...{ order: `o${key}`, sku: "A", name: "Mug", quantity: 1, goods: true },
                ...{ unitPrice: one.ago * 100, amountMinor: (what === "order" ? 1 : -1) * one.ago },
                ...{ currency: "CNY", kind: what === "order" ? "sale" : "refund" },
              },
            })
          : what === "same" || what === "apart"
            ? {
                ...{ key, at, data: {}, name: what === "same" ? "identify" : "unbind" },
                ...{ sender: visitor(one.visitor), links: [user(who)] },
              }
            : {
                // Some of it under the visitor's name, so that it goes wherever the visitor goes.
                ...{ key, at, sender: one.ago % 3 === 0 ? visitor(one.visitor) : user(who) },
                name: what === "join" ? "group" : "Group Left",
                data: {
                  ...{ groupId: prefix + company, roles },
                  traits: "duns" in traits ? { duns: `${prefix}55` } : traits,
                },
              };
      const [verdict] = await sql.begin((tx) => accept(house, tx, source, [event]));
      expect(verdict).toBe("accepted");
      if (isRead(i)) await settle();
    }
    await settle();
    const userOf = async (name: string) =>
      people.byIdentifier(house, sql, "user_id", prefix + name, here.server.id);
    const state = async () => {
      const names = new Map<string, string>();
      for (const name of users) {
        const person = await userOf(name);
        if (person) names.set(person.personId, `${names.get(person.personId) ?? ""}${name}`);
      }
      for (const name of visitors) {
        const person = await people.byIdentifier(
          ...([house, sql, "anonymous_id", prefix + name, here.server.id] as const),
        );
        if (person && !names.has(person.personId)) names.set(person.personId, name);
      }
      const named = (rows: readonly { who: string; says: string }[]) =>
        rows.map(({ who, says }) => `${names.get(who) ?? who} ${says}`).toSorted();
      const all = [];
      for (const company of companies) {
        const id = companyId(here.server.id, prefix + company);
        const [row] = await sql<Record<string, unknown>[]>`
          select c.name, c.profile->'industry'->>'v' as industry, f.members, f.orders::int,
            f.spent_minor::int, f.last_order_at, c.seen_at
          from companies_company c left join companies_figure f on f.company_id = c.id where c.id = ${id}`;
        const members = await sql<{ who: string; says: string }[]>`
          select person_id as who, concat_ws(' ', role, extract(epoch from since)::int,
            extract(epoch from until)::int) as says
          from companies_member where company_id = ${id}`;
        const spends = await sql<{ who: string; says: string }[]>`
          select person_id as who, concat_ws(' ', currency, orders, spent_minor,
            extract(epoch from last_order_at)::int) as says
          from companies_spend where company_id = ${id}`;
        const tags = await sql`
          select tag, value from companies_tag where company_id = ${id} order by tag`;
        const external = await sql`
          select type, split_part(value, '-', 2) as value from companies_external where company_id = ${id} order by type, value`;
        const segments = await sql<{ is: string }[]>`
          select case segment_id when ${busy} then 'busy' else 'staffed' end as "is"
          from segments_company_member where company_id = ${id} and segment_id in (${busy}, ${staffed})
          order by 1`;
        seen += members.length + spends.length + segments.length;
        all.push({
          ...{ company, ...row, members: named(members), spends: named(spends) },
          figure: row?.["members"] ?? 0,
          ...{ tags: [...tags], external: [...external], segments: segments.map((s) => s.is) },
        });
        // No figure counts what is not there.
        const [sums] = await sql<Record<string, unknown>[]>`
          select count(distinct person_id) filter (where until is null)::int as members,
            (select coalesce(sum(orders), 0)::int from companies_spend where company_id = ${id}) as orders,
            (select coalesce(sum(spent_minor), 0)::int from companies_spend where company_id = ${id}) as spent_minor
          from companies_member where company_id = ${id}`;
        if (row?.["members"] != null) expect(row).toMatchObject(sums!);
      }
      const buyers = await sql<{ who: string; says: string }[]>`
        select person_id as who, 'buys gifts' as says from segments_member
        where segment_id = ${buying} and person_id = any(${[...names.keys()]}::uuid[])`;
      return { all, buyers: named(buyers) };
    };
    const without = async (name: string) => {
      const person = await userOf(name);
      if (!person) return;
      const context = { now: clock.shop, at: house.clocks.machine(), newId: house.newId };
      const done = await sql.begin((tx) =>
        people.erase({ tx, ...context } as never, person.personId, erasers),
      );
      expect(done.ok).toBe(true);
      while ((await erase()) > 0);
      await settle();
      for (const table of ["companies_member", "companies_spend"])
        expect(
          (await sql`select from ${sql(table)} where person_id = ${person.personId}`).count,
        ).toBe(0);
    };
    return { state, without };
  }

  await fc.assert(
    fc.asyncProperty(history, async ({ doings, places, reads, gone }) => {
      const inOrder = doings.toSorted((a, b) => b.ago - a.ago);
      const shuffled = doings
        .map((one, i) => ({ one, place: places[i]! }))
        .toSorted((a, b) => a.place - b.place)
        .map(({ one }) => one);
      const control = await told(inOrder, () => false);
      const other = await told(shuffled, (i) => reads[i]!);
      const strip = (text: unknown) => JSON.stringify(text, null, 1);
      expect(strip(await other.state())).toEqual(strip(await control.state()));
      await control.without(gone);
      await other.without(gone);
      expect(strip(await other.state())).toEqual(strip(await control.state()));
    }),
    {
      numRuns: cases,
      endOnFailure: true,
      ...(process.env["LIUKE_SEED"] ? { seed: Number(process.env["LIUKE_SEED"]) } : {}),
    },
  );
  expect(seen).toBeGreaterThan(cases * 5);
}, 600_000);
