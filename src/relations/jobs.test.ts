// The graph on a real PostgreSQL: from events in the log to both ends, through consent, withdrawal, merge and erasure.
import fc from "fast-check";
import { expect, test } from "vitest";
import { world, type World } from "../../test/database.ts";
import { consume, reactions } from "./jobs.ts";
import { answersLimit, roads, type EdgeKind } from "./rules.ts";
import * as service from "./service.ts";
import * as views from "./views.ts";
import * as collectJobs from "#collect/jobs.ts";
import { readEvent, type Incoming } from "#collect/rules.ts";
import * as collect from "#collect/service.ts";
import { relay } from "#kernel/outbox.ts";
import type { PersonKey } from "#kernel/sql.ts";
import * as messages from "#messages/service.ts";
import * as people from "#people/service.ts";

const day = (n: number) => new Date(Date.UTC(2026, 0, 1 + n));
async function shop(here: World, kind: "server" | "public" = "server") {
  const { house } = here;
  const source = await collect.sourceNamed(house, here.sql, `shop-${house.newId()}`, kind);
  const read = (
    user: string,
    name: string,
    at: Date,
    data: Record<string, unknown>,
    key: string,
  ) => {
    const said = { key, name, user, at, data, traits: {} };
    const event = readEvent(said, kind, here.clock.shop);
    if ("reason" in event) throw new Error(`${event.reason} ${event.field}`);
    return event;
  };
  const send = async (events: Incoming[]) => {
    await collect.receive(house, { id: source.id, kind }, { events, unfit: [] });
    await work(here);
  };
  const who = async (user: string): Promise<PersonKey> =>
    (await people.byIdentifier(house, here.sql, "user_id", user, source.id))!;
  const agree = async (user: string, granted: boolean, at: Date) => {
    const sender = { type: "user_id" as const, value: user, at: day(0) };
    await here.sql.begin(async (tx) => {
      await people.nodesFor(house, tx, source.id, [sender]);
    });
    const person = await who(user);
    const line = { purpose: "social", channel: "use", textVersion: "1", proof: "test" } as const;
    await here.sql.begin((tx) =>
      messages.setConsent(house, tx, [{ person, granted, at, ...line }], at),
    );
    await work(here);
  };
  const graph = async () => {
    const rows = await here.sql<{ own: string; kind: EdgeKind; other: string; since: Date }[]>`
      select person_id as own, kind, other_person_id as other, since from relations_edge`;
    return rows;
  };
  return { source, read, send, who, agree, graph };
}
async function work(here: World) {
  while ((await collectJobs.consume(here.house, [consume])) > 0);
  while ((await relay(here.house, reactions)) > 0);
}
const kindsOf = async (here: World, person: PersonKey) =>
  (
    await here.sql<{ kind: string }[]>`
    select kind from relations_edge where bucket = ${person.bucket} and person_id = ${person.personId}
    order by kind`
  ).map(({ kind }) => kind);

test("an edge is there from both ends once both agreed, whoever was known first", async () => {
  await using here = await world();
  const { read, send, who, agree } = await shop(here);
  // u2 is named before anything of theirs came in.
  await send([read("u1", "User Followed", day(3), { other: "u2" }, "1")]);
  const [u1, u2] = [await who("u1"), await who("u2")];
  expect(await kindsOf(here, u1)).toEqual([]);
  await agree("u1", true, day(4));
  expect(await kindsOf(here, u1)).toEqual([]);
  await agree("u2", true, day(5));
  expect(await kindsOf(here, u1)).toEqual(["follows"]);
  expect(await kindsOf(here, u2)).toEqual(["followed_by"]);
  await send([read("u2", "Friend Asked", day(6), { friend_id: "u1" }, "2")]);
  expect(await kindsOf(here, u1)).toEqual(["follows", "friend_asking"]);
  await send([read("u1", "Friend Accepted", day(7), { friend_id: "u2" }, "3")]);
  expect(await kindsOf(here, u2)).toEqual(["followed_by", "friend"]);
  // The log names nobody in clear.
  const [row] = await here.sql<{ text: string }[]>`
    select string_agg(data::text, '') as text from collect_event`;
  expect(row!.text).not.toMatch(/"u[12]"/);
});

test("a withdrawal takes the edges away at both ends, and a late event from before brings none back", async () => {
  await using here = await world();
  const { read, send, who, agree, graph } = await shop(here);
  for (const user of ["u1", "u2", "u3"]) await agree(user, true, day(1));
  await send([
    read("u1", "User Followed", day(2), { other: "u2" }, "1"),
    read("u3", "User Followed", day(2), { other: "u2" }, "2"),
    read("u3", "User Followed", day(2), { other: "u1" }, "3"),
  ]);
  expect(await graph()).toHaveLength(6);
  const [u1, u2] = [await who("u1"), await who("u2")];
  // At the commit of the withdrawal, before anything else has run, nobody sees it any more.
  const line = { purpose: "social", channel: "use", textVersion: "1", proof: "test" } as const;
  const said = { person: u2, granted: false, at: day(5), ...line };
  await here.sql.begin((tx) => messages.setConsent(here.house, tx, [said], day(5)));
  expect(await views.edges(here.sql, u1, ["follows"])).toEqual([]);
  expect(await views.counts(here.sql, u1, ["follows"])).toEqual([{ kind: "follows", count: 0 }]);
  expect(await views.reached(here.sql, u1, "follow_the_same", answersLimit)).toEqual([]);
  await work(here);
  expect(await graph()).toHaveLength(2);
  const [left] = await here.sql<{ count: number }[]>`
    select count(*)::int from relations_fact f join people_node n on (n.bucket, n.node_id) in
      ((f.bucket, f.node_id), (f.other_bucket, f.other_node_id)) where n.person_id = ${u2.personId}`;
  expect(left!.count).toBe(0);
  await send([read("u1", "Friend Asked", day(4), { other: "u2" }, "4")]);
  await send([read("u2", "Friend Asked", day(4), { other: "u1" }, "5")]);
  expect(await graph()).toHaveLength(2);
  await agree("u2", true, day(8));
  expect(await graph()).toHaveLength(2);
  await send([read("u1", "User Followed", day(9), { other: "u2" }, "6")]);
  expect(await graph()).toHaveLength(4);
});

test("a browser's word, a bot's and one's own make no edge", async () => {
  await using here = await world();
  const open = await shop(here, "public");
  const own = await shop(here);
  await own.agree("u1", true, day(1));
  await own.agree("u2", true, day(1));
  await open.send([open.read("u1", "User Followed", day(2), { other: "u2" }, "1")]);
  await own.send([own.read("u1", "User Followed", day(2), { other: "u1" }, "2")]);
  await own.send([{ ...own.read("u1", "User Followed", day(2), { other: "u2" }, "3"), flags: 1 }]);
  expect(await own.graph()).toEqual([]);
});

test("two steps lead to friends of friends, those with most ways first, and tags count followers", async () => {
  await using here = await world();
  const { read, send, who, agree } = await shop(here);
  const names = ["me", "a", "b", "x", "y", ...Array.from({ length: 10 }, (_, i) => `f${i}`)];
  for (const name of names) await agree(name, true, day(1));
  const both = (a: string, b: string, key: string) =>
    read(a, "Relation Told", day(2), { kind: "friend", act: "both", other: b }, key);
  await send([
    ...[both("me", "a", "1"), both("b", "me", "2"), both("a", "x", "3"), both("b", "x", "4")],
    ...[both("b", "y", "5"), both("a", "b", "6")],
    ...Array.from({ length: 10 }, (_, i) =>
      read(`f${i}`, "User Followed", day(2), { other: "me" }, `f${i}`),
    ),
    read("x", "Invite Accepted", day(3), { inviter_id: "me" }, "7"),
  ]);
  const me = await who("me");
  const found = await views.reached(here.sql, me, "friends_of_friends", 10);
  expect(found.map(({ personId, through }) => [personId, through])).toEqual([
    [(await who("x")).personId, 2],
    [(await who("y")).personId, 1],
  ]);
  const same = await views.reached(here.sql, await who("f1"), "follow_the_same", 100);
  expect(same).toHaveLength(9);
  expect(Object.keys(roads)).toContain("follow_the_same");
  const tags = await here.sql<{ tag: string; value: string; kind: string; reason: object }[]>`
    select tag, value, kind, reason from people_tag where person_id = ${me.personId} order by tag`;
  expect(tags).toEqual([
    { tag: "influence", value: "10+", kind: "statistic", reason: { followers: 10 } },
    { tag: "inviter", value: "1+", kind: "statistic", reason: { accepted: 1 } },
  ]);
});

test("a merge moves edges, folds doubles and drops those with oneself; un-merging gives them back", async () => {
  await using here = await world();
  const { read, send, who, agree, graph } = await shop(here);
  for (const name of ["a", "b", "c"]) await agree(name, true, day(1));
  await send([
    read("a", "User Followed", day(2), { other: "c" }, "1"),
    read("b", "User Followed", day(3), { other: "c" }, "2"),
    read("a", "User Followed", day(2), { other: "b" }, "3"),
  ]);
  const before = await graph();
  const [a, b, c] = [await who("a"), await who("b"), await who("c")];
  const give = async (from: PersonKey, to: PersonKey, nodes: readonly string[]) => {
    await here.sql`update people_node set person_bucket = ${to.bucket}, person_id = ${to.personId}
      where person_id = ${from.personId} and node_id = any(${nodes as string[]}::uuid[])`;
  };
  const nodes = (await people.nodesOf(here.sql, b)).map(({ nodeId }) => nodeId);
  await give(b, a, nodes);
  const mover = { id: here.house.newId(), from: b, into: a };
  for (let twice = 0; twice < 2; twice++)
    await here.sql.begin((tx) => service.movers.merge(here.house, tx, [mover]));
  await work(here);
  expect(await kindsOf(here, a)).toEqual(["follows"]);
  expect(await kindsOf(here, c)).toEqual(["followed_by"]);
  expect(await graph()).toHaveLength(2);
  await give(a, b, nodes);
  await here.sql.begin((tx) => service.movers.unmerge(here.house, tx, mover));
  await work(here);
  const sorted = (rows: typeof before) => rows.map((row) => JSON.stringify(row)).toSorted();
  expect(sorted(await graph())).toEqual(sorted(before));
});

test("an erased person is in nobody's list", async () => {
  await using here = await world();
  const { read, send, who, agree, graph } = await shop(here);
  for (const name of ["a", "b"]) await agree(name, true, day(1));
  await send([read("a", "User Followed", day(2), { other: "b" }, "1")]);
  expect(await graph()).toHaveLength(2);
  const b = await who("b");
  await here.sql.begin(async (tx) =>
    service.erase(tx, b, await people.nodesOf(tx, b), {
      newId: here.house.newId,
      now: here.clock.shop,
    }),
  );
  expect(await graph()).toEqual([]);
  const [left] = await here.sql<{ count: number }[]>`select count(*)::int from relations_fact`;
  expect(left!.count).toBe(0);
});

test("whatever order events and consents come in, the graph is the same", async () => {
  await using here = await world();
  const users = ["a", "b", "c"];
  const events = [
    "User Followed",
    "User Unfollowed",
    "Friend Asked",
    "Friend Removed",
    "User Blocked",
    "User Unblocked",
    "Invite Accepted",
    "Share Opened",
  ];
  const step = fc.record({
    user: fc.constantFrom(...users),
    other: fc.constantFrom(...users),
    name: fc.constantFrom(...events),
    at: fc.integer({ min: 1, max: 9 }),
  });
  const consent = fc.record({
    user: fc.constantFrom(...users),
    granted: fc.constantFrom(true, true, false),
    at: fc.integer({ min: 1, max: 9 }),
  });
  const all = fc.tuple(
    fc.array(step, { minLength: 4, maxLength: 10 }),
    fc.uniqueArray(consent, { maxLength: 5, selector: ({ user, at }) => `${user} ${at}` }),
  );
  await fc.assert(
    fc.asyncProperty(all, fc.func(fc.integer()), async ([steps, consents], rank) => {
      const seen: string[][] = [];
      for (const turned of [false, true]) {
        const { read, send, who, agree, graph } = await shop(here);
        for (const user of users) await agree(user, true, day(0));
        const doings = [
          ...steps.map(({ user, other, name, at }, i) => ({
            key: `e${i}`,
            run: () => send([read(user, name, day(at), { other }, `${i}`)]),
          })),
          ...consents.map(({ user, granted, at }, i) => ({
            key: `c${i}`,
            run: () => agree(user, granted, day(at)),
          })),
        ];
        const order = turned ? doings.toSorted((x, y) => rank(x.key) - rank(y.key)) : doings;
        for (const { run } of order) await run();
        const names = new Map<string, string>();
        for (const user of users) names.set((await who(user)).personId, user);
        seen.push(
          (await graph())
            .filter(({ own }) => names.has(own))
            .map(
              ({ own, kind, other, since }) =>
                `${names.get(own)} ${kind} ${names.get(other)} ${since.toISOString()}`,
            )
            .toSorted(),
        );
      }
      expect(seen[1]).toEqual(seen[0]);
    }),
    { numRuns: 12 },
  );
});
