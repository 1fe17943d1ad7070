import fc from "fast-check";
import { expect, test } from "vitest";
import { partData } from "#collect/rules.ts";
import {
  acts,
  bandOf,
  edgeKinds,
  eventActs,
  fold,
  importedRelation,
  importKinds,
  influenceBands,
  inviterBands,
  namesOther,
  relationNames,
  relationTold,
  seenFrom,
  standing,
  toldBy,
  type Fact,
} from "./rules.ts";

const fact = fc.record({
  id: fc.uuid(),
  at: fc.integer({ min: 0, max: 12 }).map((day) => new Date(day * 86_400_000)),
  act: fc.constantFrom(...acts),
  mine: fc.boolean(),
  item: fc.constantFrom(null, "A", "B"),
});
const facts = fc.uniqueArray(fact, { selector: ({ id }) => id, maxLength: 14 });
const from = fc.integer({ min: 0, max: 12 }).map((day) => new Date(day * 86_400_000));
const day = (n: number) => new Date(n * 86_400_000);
const said = (n: number, act: Fact["act"], mine: boolean): Fact => ({
  ...{ id: `00000000-0000-8000-8000-0000000000${String(n).padStart(2, "0")}`, at: day(n) },
  ...{ act, mine, item: null },
});

test("whatever order it comes in, what follows is the same", () => {
  fc.assert(
    fc.property(
      facts.chain((all) =>
        fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })),
      ),
      from,
      ([all, shuffled], since) => {
        expect(fold(shuffled, since)).toEqual(fold(all, since));
        expect(fold([...all, ...all], since).map(({ kind }) => kind)).toEqual(
          fold(all, since).map(({ kind }) => kind),
        );
      },
    ),
  );
});
test("both ends see the same edges, each from their side", () => {
  fc.assert(
    fc.property(facts, from, (all, since) => {
      const other = all.map((one) => ({ ...one, mine: !one.mine }));
      const seen = fold(other, since).map((edge) => ({ ...edge, kind: seenFrom[edge.kind] }));
      expect(seen.toSorted((a, b) => (a.kind < b.kind ? -1 : 1))).toEqual(fold(all, since));
    }),
  );
  expect(edgeKinds.every((kind) => seenFrom[seenFrom[kind]] === kind)).toBe(true);
});
test("nothing told before both agreed counts, and nothing at all while one has not", () => {
  fc.assert(
    fc.property(facts, from, (all, since) => {
      expect(fold(all, null)).toEqual([]);
      const late = all.filter(({ at, act }) => at >= since || act === "block" || act === "unblock");
      expect(fold(all, since)).toEqual(fold(late, since));
      for (const edge of fold(all, since)) expect(edge.since >= since).toBe(true);
    }),
  );
});
test("friends are those who both said so, until one says no", () => {
  const ask = said(1, "friend_yes", true);
  const kinds = (...all: Fact[]) => fold(all, day(0)).map(({ kind }) => kind);
  expect(kinds(ask)).toEqual(["friend_asked"]);
  const agreed = said(3, "friend_yes", false);
  expect(fold([agreed, ask], day(0))).toMatchObject([{ kind: "friend", since: day(3) }]);
  const no = said(4, "friend_no", false);
  expect(kinds(ask, agreed, no)).toEqual([]);
  // One alone does not bring it back.
  expect(kinds(ask, agreed, no, said(5, "friend_yes", true))).toEqual(["friend_asked"]);
  expect(kinds(said(2, "friend_yes_both", true))).toEqual(["friend"]);
});
test("a block ends everything and stands through a consent given anew", () => {
  const all = [said(1, "follow", true), said(2, "block", false), said(5, "follow", true)];
  expect(fold(all, day(0))).toEqual([]);
  expect(fold(all, day(4))).toEqual([]);
  const lifted = [...all, said(3, "unblock", false)];
  expect(fold(lifted, day(0))).toMatchObject([{ kind: "follows", since: day(5) }]);
});
test("an invitation is known by either's word, and accepted once", () => {
  const edges = fold(
    [said(4, "invite_accepted", false), said(2, "invite", true), said(6, "invite_accepted", false)],
    day(0),
  );
  expect(edges).toMatchObject([{ kind: "invited", since: day(2), acceptedAt: day(4) }]);
});

test("after a withdrawal only what is told since the new consent counts", () => {
  const line = (n: number, granted: boolean) => ({ at: day(n), seq: n, granted });
  expect(standing([])).toEqual({ from: null, withdrawnAt: null });
  expect(standing([line(3, true)])).toEqual({ from: new Date(0), withdrawnAt: null });
  expect(standing([line(5, false), line(3, true)])).toEqual({ from: null, withdrawnAt: day(5) });
  expect(standing([line(3, true), line(5, false), line(8, true), line(9, true)])).toEqual({
    from: day(8),
    withdrawnAt: day(5),
  });
});

test("the other's name is sealed with the event and read back out of it", () => {
  for (const kind of importKinds) {
    const { name, data } = importedRelation(kind, "u-2");
    const { plain, direct } = partData(data);
    expect(JSON.stringify(plain)).not.toContain("u-2");
    expect(toldBy(name, plain, direct)).toMatchObject({ other: "u-2" });
  }
  expect(namesOther("friendId") && namesOther("inviter_id") && !namesOther("sku")).toBe(true);
  expect(toldBy("Friend Asked", {}, {})).toBeNull();
  expect(toldBy("Product Shared", { sku: "A" }, {})).toEqual({
    act: "share",
    other: null,
    item: "A",
  });
  expect(toldBy(relationTold, { kind: "friend", act: "eaten" }, { "data.other": "x" })).toBeNull();
  expect(relationNames).toEqual([relationTold, ...Object.keys(eventActs)]);
});
test("a band is named by its lowest number", () => {
  expect(bandOf(inviterBands, 0)).toBeNull();
  expect(bandOf(inviterBands, 7)).toBe("5+");
  expect(bandOf(influenceBands, 20_000)).toBe("10000+");
});
