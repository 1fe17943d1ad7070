import fc from "fast-check";
import { expect, test } from "vitest";
import { atInstant, fits, type Rule } from "./rules.ts";
import { facts, everyoneOf } from "./views.ts";
import { factsOf } from "./jobs.ts";
import { world } from "../../test/database.ts";

const attributes = ["orders", "country", "last_order_at", "odd"];
const tags = ["lifecycle", "vip"];
const values = ["dormant", "active", "it's", "%_\\", "中文", "10"];
const segment = "01890000-0000-7000-8000-00000000000a";
const now = new Date("2011-09-09T08:30:00Z");

const instant = fc
  .date({ min: new Date("2011-06-01Z"), max: new Date("2011-12-01Z"), noInvalidDate: true })
  .map((at) => at.toISOString());
const number = fc.oneof(
  fc.integer({ min: -3, max: 12 }),
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e12, max: 1e12 }),
  fc.constantFrom(0.1 + 0.2, 0.3, 1e21, -1e-9, 9007199254740991),
);
/** What may stand in a profile: numbers, texts, instants, and things that only look like them. */
const value = fc.oneof(
  number,
  instant,
  fc.constantFrom(...values),
  fc.constantFrom(null, true, "2011-02-31T00:00:00.000Z", "2011-09-09", "NaN", [1], { v: 1 }, ""),
);
const person = fc.record({
  attributes: fc.dictionary(fc.constantFrom(...attributes), value),
  tags: fc.dictionary(
    fc.constantFrom(...tags),
    fc.record({
      value: fc.constantFrom(...values),
      expiresAt: fc.constantFrom(null, "2011-09-09T08:30:00.000Z", "2011-09-09T08:30:00.001Z"),
    }),
  ),
  member: fc.boolean(),
});
const attribute = fc.constantFrom(...attributes);
const list = fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength: 3 });
const { rule } = fc.letrec<{ rule: Rule }>((tie) => ({
  rule: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.record({ kind: fc.constant("tag" as const), tag: fc.constantFrom(...tags), in: list }),
    fc.record({ kind: fc.constant("known" as const), attribute }),
    fc.record({
      kind: fc.constant("number" as const),
      attribute,
      is: fc.constantFrom("eq", "ne", "lt", "le", "gt", "ge"),
      value: number,
    }),
    fc.record({ kind: fc.constant("text" as const), attribute, in: list }),
    fc.record({
      kind: fc.constant("instant" as const),
      attribute,
      is: fc.constantFrom("before", "from"),
      at: instant,
    }),
    fc.record({
      kind: fc.constant("days_since" as const),
      attribute,
      is: fc.constantFrom("lt", "le", "gt", "ge"),
      days: fc.integer({ min: 0, max: 100 }),
    }),
    fc.constant<Rule>({ kind: "segment", segment }),
    fc.constant<Rule>({ kind: "everybody" }),
    fc.record({ kind: fc.constant("not" as const), of: tie("rule") }),
    fc.record({
      kind: fc.constant("and" as const),
      of: fc.array(tie("rule"), { minLength: 1, maxLength: 3 }),
    }),
    fc.record({
      kind: fc.constant("or" as const),
      of: fc.array(tie("rule"), { minLength: 1, maxLength: 3 }),
    }),
  ),
}));

const idOf = (i: number) => `01890000-0000-7000-8000-${String(i).padStart(12, "0")}`;

test("random rules over random people: the database and the program name the same people", async () => {
  await using shop = await world({ timeZone: "Europe/London" });
  const { sql } = shop;
  const people = fc.sample(person, { numRuns: 300, seed: 20_110_909 });
  for (const [i, { attributes: known, tags: has, member }] of people.entries()) {
    const key = { bucket: i % 256, personId: idOf(i) };
    await sql`insert into people_person ${sql({ ...key, sourceId: idOf(0), seenAt: now })}`;
    // Of every tenth there is no profile at all.
    if (i % 10 > 0) {
      const profile = Object.fromEntries(Object.entries(known).map(([name, v]) => [name, { v }]));
      await sql`
        insert into people_profile
          ${sql({ ...key, attributes: sql.json(profile as never), updatedAt: now })}`;
    }
    for (const [tag, { value: is, expiresAt }] of Object.entries(has))
      await sql`
        insert into people_tag ${sql({
          ...key,
          tag,
          value: is,
          kind: "hand",
          source: "test",
          reason: {},
          at: now,
          expiresAt,
          logId: idOf(1),
        })}`;
    if (member)
      await sql`insert into segments_member ${sql({ ...key, segmentId: segment, since: now })}`;
  }
  const keys = people.map((_, i) => ({ bucket: i % 256, personId: idOf(i) }));
  const all = (await facts(sql, keys)).map((row) => ({
    id: row.personId,
    facts: factsOf(row),
  }));
  expect(all.length).toBe(300);

  let some = 0;
  await fc.assert(
    fc.asyncProperty(rule, async (asked) => {
      const resolved = atInstant(asked, { at: now, timeZone: "Europe/London" });
      const bySql = (await everyoneOf(sql, resolved, now)).map(({ personId }) => personId);
      const byHand = all.filter((one) => fits(resolved, one.facts, now)).map(({ id }) => id);
      expect(bySql.toSorted()).toEqual(byHand.toSorted());
      if (bySql.length > 0 && bySql.length < 300) some += 1;
    }),
    { numRuns: 400 },
  );
  expect(some).toBeGreaterThan(100); // not all of them empty or everybody
});
