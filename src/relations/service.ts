// What can be asked of relations. Each function works in the transaction it is given, and writes one person's side alone.
import { emitAll } from "#kernel/outbox.ts";
import type { Context, House } from "#kernel/endpoint.ts";
import { fail, ok, type Result } from "#kernel/result.ts";
import type { PersonKey, Tx } from "#kernel/sql.ts";
import * as people from "#people/service.ts";
import * as privacy from "#privacy/service.ts";
import { lost, told } from "./events.ts";
import {
  bandOf,
  blocksLimit,
  edgeKinds,
  fold,
  influenceBands,
  inviterBands,
  standing,
  type Act,
  type Edge,
} from "./rules.ts";
import * as store from "./store.ts";
import type { NewFact, Pair } from "./store.ts";

const placeOf = ({ personId, otherPersonId }: Pair) => `${personId} ${otherPersonId}`;

/** Tells each pair's first person that something was told; their side is worked out when that is read. */
const tell = (house: House, tx: Tx, pairs: readonly Pair[]): Promise<void> =>
  emitAll(
    house,
    tx,
    told,
    pairs.map(({ bucket, personId, otherBucket, otherPersonId }) => ({
      person: { bucket, personId },
      data: { otherBucket, other: otherPersonId },
    })),
  );

/** Writes down what was told between nodes; the same again adds nothing. The edges follow through the outbox. */
export async function tellFacts(house: House, tx: Tx, facts: readonly NewFact[]): Promise<void> {
  if (facts.length > 0) await tell(house, tx, await store.addFacts(tx, facts));
}

/** Works out one side of each pair anew. */
export async function settle(house: House, tx: Tx, pairs: readonly Pair[]): Promise<void> {
  if (pairs.length === 0) return;
  const distinct = [...new Map(pairs.map((pair) => [placeOf(pair), pair])).values()];
  await agree(tx, distinct);
  const had = await store.edgesBetween(tx, distinct, edgeKinds);
  await write(house, tx, had, await store.factsBetween(tx, distinct));
}

/**
 * Works out anew everything of these people that follows from what was told, after a merge, an un-merge or a change of
 * consent. Their own side is right at the commit, and since every answer asks what both ends agreed to, so is what
 * anybody sees; whoever is at the other end is told, and settles their own side.
 */
export async function refold(house: House, tx: Tx, all: readonly PersonKey[]): Promise<void> {
  if (all.length === 0) return;
  await agree(tx, all);
  const had = await store.edgesOf(tx, all);
  const facts = await store.factsOf(tx, all);
  await write(house, tx, had, facts);
  const others = new Map(
    [...had, ...facts].map((pair) => [
      placeOf(pair),
      {
        bucket: pair.otherBucket,
        personId: pair.otherPersonId,
        otherBucket: pair.bucket,
        otherPersonId: pair.personId,
      },
    ]),
  );
  await tell(house, tx, [...others.values()]);
}

/** Reads what these people agreed to; what was told until a withdrawal goes. Holds their rows until the commit. */
async function agree(tx: Tx, all: readonly PersonKey[]): Promise<void> {
  const people = [...new Map(all.map((one) => [one.personId, one])).values()];
  await store.lockPeople(tx, people);
  const lines = Map.groupBy(await store.consentsOf(tx, people), ({ personId }) => personId);
  const stand = people.map(({ bucket, personId }) => ({
    ...{ bucket, personId },
    ...standing(lines.get(personId) ?? []),
  }));
  await store.setStanding(tx, stand);
  const withdrawn = stand.flatMap(({ bucket, personId, withdrawnAt }) =>
    withdrawnAt ? [{ bucket, personId, until: withdrawnAt }] : [],
  );
  if (withdrawn.length > 0) await store.dropFacts(tx, withdrawn);
}

const sameEdge = (a: Edge, b: Edge): boolean =>
  a.since.getTime() === b.since.getTime() &&
  a.acceptedAt?.getTime() === b.acceptedAt?.getTime() &&
  a.times === b.times &&
  a.items.join("\n") === b.items.join("\n");
/** Writes the difference between the edges that are there and those that follow from the facts. */
async function write(
  house: House,
  tx: Tx,
  had: readonly store.EdgeRow[],
  facts: Awaited<ReturnType<typeof store.factsOf>>,
): Promise<void> {
  const now = [...Map.groupBy(facts, placeOf).values()].flatMap((between) => {
    const { bucket, personId, otherBucket, otherPersonId, mineFrom, otherFrom } = between[0]!;
    const from = mineFrom && otherFrom && (mineFrom > otherFrom ? mineFrom : otherFrom);
    return fold(between, from).map((edge) => ({
      ...{ bucket, personId, otherBucket, otherPersonId },
      ...edge,
    }));
  });
  const key = (row: store.EdgeRow) => `${placeOf(row)} ${row.kind}`;
  const there = new Map(had.map((row) => [key(row), row]));
  const stays = new Set(now.map(key));
  const gone = had.filter((row) => !stays.has(key(row)));
  const put = now.filter((row) => {
    const old = there.get(key(row));
    return !old || !sameEdge(old, row);
  });
  await store.dropEdges(tx, gone);
  await store.putEdges(tx, put);
  const counted = [...gone, ...put].filter(
    ({ kind }) => kind === "followed_by" || kind === "invited",
  );
  await tagAll(house, tx, [...new Map(counted.map((row) => [row.personId, row])).values()]);
}

/** Tags that follow from how many follow somebody and took up their invitation. */
export async function tagAll(house: House, tx: Tx, all: readonly PersonKey[]): Promise<void> {
  if (all.length === 0) return;
  const at = house.clocks.shop();
  const limit = influenceBands.at(-1)!;
  await people.setTags(
    tx,
    house.newId,
    (await store.figuresOf(tx, all, limit)).flatMap(({ followers, accepted, ...person }) => {
      const common = { person, kind: "statistic" as const, source: "relations", at };
      return [
        {
          ...common,
          tag: "influence",
          value: bandOf(influenceBands, followers),
          reason: { followers },
        },
        {
          ...common,
          tag: "inviter",
          value: bandOf(inviterBands, accepted),
          reason: { accepted },
        },
      ];
    }),
  );
}

/** A merge moves the edges, lets those of somebody with themselves vanish and folds doubles; un-merging restores them. */
export const movers = {
  merge: (house: House, tx: Tx, merges: readonly { from: PersonKey; into: PersonKey }[]) =>
    refold(house, tx, [
      ...new Map(
        merges.flatMap(({ from, into }) => [from, into]).map((one) => [one.personId, one]),
      ).values(),
    ]),
  unmerge: (house: House, tx: Tx, { from, into }: { from: PersonKey; into: PersonKey }) =>
    refold(house, tx, [from, into]),
};

/** What a person may do of their own; each is a fact that they told. */
export const ownActs = {
  ask: "friend_yes",
  accept: "friend_yes",
  decline: "friend_no",
  withdraw: "friend_no",
  follow: "follow",
  unfollow: "unfollow",
  block: "block",
  unblock: "unblock",
} as const satisfies Record<string, Act>;
export type OwnAct = keyof typeof ownActs;
/**
 * A person says something of another, by the user id that the shop knows them by. The answer is the same whether there
 * is such a user or not, and whether they agreed or not: nobody is found out by asking.
 */
export async function say(
  { tx, house, now, newId }: Context,
  person: PersonKey,
  { act, user }: { act: OwnAct; user: string },
): Promise<
  Result<Record<string, never>, "relations.not_agreed" | "relations.no_user" | "relations.too_many">
> {
  const nodes = await store.userNodes(tx, person);
  if (nodes.length === 0) return fail("relations.no_user");
  // Whoever has not agreed may still keep others away.
  const guards = act === "block" || act === "unblock";
  if (!guards && !(await store.standingOf(tx, person))) return fail("relations.not_agreed");
  if (act === "block" && (await store.blocksOf(tx, nodes)) >= blocksLimit)
    return fail("relations.too_many");
  const facts: NewFact[] = [];
  for (const { bucket, nodeId, sourceId } of nodes) {
    const blind = privacy.blindOf(house, "user_id", user, sourceId);
    let [other] = await store.heldNode(tx, blind);
    // Whoever is to be kept away may come to be known only later: the block is there before them.
    if (!other && act === "block") {
      const named = { type: "user_id" as const, value: user, at: now };
      other = (await people.nodesFor(house, tx, sourceId, [named])).get(people.senderKey(named));
    }
    if (!other || other.personId === person.personId) continue;
    facts.push({
      ...{ bucket, nodeId, otherBucket: other.nodeBucket, otherNodeId: other.nodeId },
      ...{ id: newId(), act: ownActs[act], item: null, at: now },
    });
  }
  await tellFacts(house, tx, facts);
  return ok({});
}

/** All rows of one person, and those of others that lead to them; what was counted of them follows with each. */
export const erase: privacy.Eraser = async (tx, person, nodes, { newId, now }) => {
  const others = await store.eraseRows(tx, person, nodes);
  const as = { newId, clocks: { shop: () => now } };
  await emitAll(
    as,
    tx,
    lost,
    others.map((one) => ({ person: one, data: {} })),
  );
};
