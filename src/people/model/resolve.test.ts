import fc from "fast-check";
import { expect, test } from "vitest";
import { resolve, usualLimits, type Link, type LinkNode, type NodeType } from "./resolve.ts";

const types: NodeType[] = [
  "user_id",
  "user_id",
  "user_id",
  "anonymous_id",
  "device",
  "email",
  "phone",
  "openid",
];
const nodes: LinkNode[] = types.flatMap((type, t) =>
  [0, 1].map((n) => ({
    id: `${type}${t}${n}`,
    type,
    sourceId: `s${t % 2}`,
    blocked: t === 7 && n === 1,
  })),
);
const node = fc.constantFrom(...nodes.map(({ id }) => id));
const link = fc.record({
  ...{ node, other: node, at: fc.nat(6), id: fc.constantFrom(..."abcdefgh"), nth: fc.nat(1) },
  kind: fc.constantFrom("identify", "identify", "alias", "bind", "unbind", "hand", "part"),
  trusted: fc.boolean(),
}) as fc.Arbitrary<Link>;
const unique = (links: Link[]) => [
  ...new Map(links.map((one) => [`${one.id} ${one.at} ${one.nth}`, one])).values(),
];
const plain = (links: Link[]) => {
  const { leaderOf, spans, refused, joins } = resolve(nodes, links);
  return {
    leaderOf: Object.fromEntries(leaderOf),
    spans: Object.fromEntries(spans),
    refused,
    joins,
  };
};

test("the same links come to the same people, in whichever order they came in", () => {
  fc.assert(
    fc.property(
      fc
        .array(link, { maxLength: 30 })
        .map(unique)
        .chain((all) =>
          fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })),
        ),
      ([all, shuffled]) => {
        expect(plain(shuffled)).toEqual(plain(all));
      },
    ),
    { numRuns: 500 },
  );
});

test("two who are known are put together by a server's alias or by hand alone; limits and blocked values hold", () => {
  fc.assert(
    fc.property(fc.array(link, { maxLength: 30 }).map(unique), (all) => {
      const quiet = all.filter(
        ({ kind, trusted }) => kind !== "hand" && !(kind === "alias" && trusted),
      );
      const { leaderOf, spans } = resolve(nodes, quiet);
      const groups = Map.groupBy(nodes, ({ id }) => leaderOf.get(id)!);
      for (const own of groups.values()) {
        expect(own.filter(({ type }) => type === "user_id").length).toBeLessThanOrEqual(1);
        for (const type of ["email", "phone", "openid"] as const)
          expect(own.filter((one) => one.type === type).length).toBeLessThanOrEqual(
            usualLimits[type],
          );
        if (own.some(({ blocked }) => blocked)) expect(own).toHaveLength(1);
      }
      for (const [id, turns] of spans) {
        expect(turns.length).toBeGreaterThan(1);
        expect(leaderOf.get(id)).toBe(turns[0]!.leader);
        turns.forEach(({ leader }, i) => expect(leader).not.toBe(turns[i + 1]?.leader));
      }
    }),
    { numRuns: 500 },
  );
});

const users = (n: number): LinkNode => ({
  id: `u${n}`,
  type: "user_id",
  sourceId: "s",
  blocked: false,
});
const device: LinkNode = { id: "d", type: "device", sourceId: "s", blocked: false };
const mail = (n: number): LinkNode => ({
  id: `m${n}`,
  type: "email",
  sourceId: "s",
  blocked: false,
});
const said = (node: string, other: string, at: number, kind: Link["kind"] = "identify"): Link => ({
  ...{ node, other, at, id: String(at), nth: 0, kind, trusted: true },
});

test("a device goes from one login to the next, and what was before is the first's", () => {
  const { leaderOf, spans } = resolve(
    [users(1), users(2), device],
    [said("u2", "d", 20), said("u1", "d", 10), said("u1", "d", 30)],
  );
  expect(leaderOf.get("u1")).not.toBe(leaderOf.get("u2"));
  expect(spans.get("d")!.map(({ at, leader }) => [at, leader])).toEqual([
    [10, "u1"],
    [20, "u2"],
    [30, "u1"],
  ]);
});
test("the earliest five addresses stay, whatever came in first", () => {
  const links = [6, 5, 4, 3, 2, 1].map((n) => said("u1", `m${n}`, n));
  const { leaderOf, refused } = resolve([users(1), ...[1, 2, 3, 4, 5, 6].map(mail)], links);
  expect(leaderOf.get("m6")).toBe("m6");
  expect(leaderOf.get("m5")).toBe("u1");
  expect(refused.map(({ reason }) => reason)).toEqual(["limit"]);
});
test("an unbind parts two, also where others join them, until they are bound again", () => {
  const all = [users(1), mail(1), { ...mail(2), type: "phone" as const }];
  const links = [
    said("u1", "m1", 1),
    said("u1", "m2", 2),
    said("m1", "m2", 3),
    said("u1", "m1", 4, "unbind"),
  ];
  expect(resolve(all, links).leaderOf.get("m1")).toBe("m1");
  const bound = resolve(all, [...links, said("u1", "m1", 5, "bind")]);
  expect(bound.leaderOf.get("m1")).toBe("u1");
});
test("whom an operator took apart no event puts together again, on whatever way; an operator does", () => {
  const all = [users(1), mail(1), { ...mail(2), type: "phone" as const }];
  const links = [said("u1", "m1", 1), said("m1", "m2", 3), said("u1", "m1", 4, "part")];
  const later = [said("u1", "m1", 5, "bind"), said("u1", "m2", 6), said("u1", "m1", 7, "unbind")];
  const { leaderOf, refused } = resolve(all, [...links, ...later, said("u1", "m1", 8, "alias")]);
  expect([leaderOf.get("m1"), leaderOf.get("m2")]).toEqual(["m1", "m1"]);
  expect(refused.map(({ link, reason }) => [link.at, reason])).toEqual([
    [6, "parted"],
    [8, "parted"],
  ]);
  const again = resolve(all, [...links, ...later, said("m1", "u1", 9, "hand")]);
  expect([again.leaderOf.get("m1"), again.leaderOf.get("m2")]).toEqual(["u1", "u1"]);
});
test("an alias of the shop's server joins two numbers; what is only seen together does not", () => {
  const all = [users(1), users(2)];
  expect(resolve(all, [said("u1", "u2", 1)]).refused).toHaveLength(1);
  expect(resolve(all, [said("u2", "u1", 1, "alias")]).leaderOf.get("u1")).toBe("u2");
  expect(resolve(all, [{ ...said("u2", "u1", 1, "alias"), trusted: false }]).refused).toHaveLength(
    1,
  );
});

test("two whom an operator put together and parted again share a device as two who never were one; parted from it, none signs in", () => {
  const three: LinkNode[] = [
    { id: "device", type: "anonymous_id", sourceId: "s", blocked: false },
    { id: "first", type: "user_id", sourceId: "s", blocked: false },
    { id: "second", type: "user_id", sourceId: "s", blocked: false },
  ];
  const said = (at: number, one: string, other: string, kind: Link["kind"]): Link => ({
    ...{ node: one, other, at, id: String(at), nth: 0, kind, trusted: true },
  });
  const logins = [said(1, "first", "device", "identify"), said(2, "second", "device", "identify")];
  const shared = resolve(three, logins);
  expect(shared.spans.get("device")?.map(({ leader }) => leader)).toEqual(["first", "second"]);
  for (const at of [1.5, 3]) {
    const hand = [said(at, "first", "second", "hand"), said(9, "first", "second", "part")];
    const { spans, leaderOf, refused } = resolve(three, [...logins, ...hand]);
    expect({ spans, leaderOf, refused }).toEqual({
      ...{ spans: shared.spans, leaderOf: shared.leaderOf, refused: [] },
    });
  }
  const parted = resolve(three, [...logins, said(9, "second", "device", "part")]);
  expect([...parted.spans.keys()]).toEqual([]);
  expect(parted.leaderOf.get("device")).toBe("first");
});
