import fc from "fast-check";
import { expect, test } from "vitest";
import { partData } from "#collect/rules.ts";
import {
  belongingOf,
  group,
  groupLeft,
  mergeProfile,
  partCompany,
  sizeBand,
  spansOf,
  type Fact,
  type Profile,
} from "./rules.ts";

const at = fc.integer({ min: 0, max: 9 }).map((day) => new Date(day * 86_400_000));
const fact = fc.record({
  id: fc.uuid(),
  at,
  act: fc.constantFrom("joined" as const, "left" as const),
  roles: fc.subarray(["admin", "buyer", "finance"]),
});
const facts = fc.uniqueArray(fact, { selector: ({ id }) => id, maxLength: 10 });
const day = (n: number) => new Date(n * 86_400_000);
const said = (n: number, act: Fact["act"], ...roles: string[]): Fact => ({
  id: `00000000-0000-8000-8000-00000000000${n}`,
  at: day(n),
  act,
  roles,
});

test("who belonged when is the same in whatever order it was said, and no role overlaps itself", () => {
  fc.assert(
    fc.property(
      facts.chain((all) =>
        fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })),
      ),
      ([all, shuffled]) => {
        const spans = spansOf(all);
        expect(spansOf(shuffled)).toEqual(spans);
        for (const a of spans)
          for (const b of spans)
            if (a !== b && a.role === b.role)
              expect((a.until ?? day(99)) <= b.since || (b.until ?? day(99)) <= a.since).toBe(true);
        const last = all
          .toSorted((a, b) => a.at.getTime() - b.at.getTime() || (a.id < b.id ? -1 : 1))
          .at(-1);
        expect(spans.some(({ until }) => until === null)).toBe(last?.act === "joined");
      },
    ),
  );
});
test("roles change, somebody leaves and comes back", () => {
  expect(
    spansOf([
      said(1, "joined"),
      said(2, "joined", "buyer"),
      said(3, "joined"),
      said(4, "left"),
      said(6, "joined", "admin", "buyer"),
    ]),
  ).toEqual([
    { role: "member", since: day(1), until: day(2) },
    { role: "buyer", since: day(2), until: day(4) },
    { role: "admin", since: day(6), until: null },
    { role: "buyer", since: day(6), until: null },
  ]);
});
test("a company's name is plain, what reaches people there is sealed, ids of other systems stand apart", () => {
  const traits = {
    ...{ name: "Oak & Sons", industry: "Gifts", employees: 60, plan: "gold" },
    ...{ email: "buy@oak.example", contactName: "x", phone: "+44 20 7946 0000", duns: 123 },
    ...{ website: "https://oak.example", role: "buyer" },
  };
  expect(partCompany(traits)).toMatchObject({
    plain: { name: "Oak & Sons", industry: "Gifts", size_band: "50-249", plan: "gold" },
    contact: { email: "buy@oak.example", website: "https://oak.example" },
    external: { duns: "123" },
  });
  const { plain, direct } = partData({ groupId: "oak", traits });
  expect(belongingOf(group, plain, direct)).toMatchObject({
    ...{ ref: "oak", act: "joined", roles: ["buyer"] },
    traits: { plain: { name: "Oak & Sons" } },
  });
  expect(belongingOf(groupLeft, { groupId: 7 }, {})).toMatchObject({ ref: "7", act: "left" });
  expect(belongingOf(group, { groupId: "buy@oak.example" }, {})).toBeNull();
  expect(sizeBand(0)).toBe("1-9");
  expect(sizeBand(1000)).toBe("1000+");
});
test("the later word on a company counts, whichever came in first", () => {
  const word = fc.record({
    v: fc.constantFrom("a", "b"),
    s: fc.constant("s"),
    id: fc.uuid(),
    c: fc.constant(1),
    at: at.map((d) => d.toISOString()),
  });
  fc.assert(
    fc.property(
      fc.uniqueArray(word, { selector: ({ id }) => id, minLength: 1, maxLength: 6 }),
      (words) => {
        const fold = (all: typeof words) =>
          all.reduce<Profile>((had, one) => mergeProfile(had, { plan: one }), {});
        expect(fold(words.toReversed())).toEqual(fold(words));
      },
    ),
  );
});
