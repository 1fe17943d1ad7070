// Guests know each other: they are friends when both said so, they follow, they invite, and they come by what another
// shared. We keep it only while both agreed that we may, and whoever takes that back is in nobody's list from then on.

/** How one person stands to another. Each edge is kept from both ends, under the key of one person each. */
export const edgeKinds = [
  "friend", // both agreed
  "friend_asked", // I asked, the other has not agreed yet
  "friend_asking", // the other asked, I have not agreed yet
  "follows",
  "followed_by",
  "invited",
  "invited_by",
  "brought", // the other came by what I shared
  "came_by", // I came by what the other shared
] as const;
export type EdgeKind = (typeof edgeKinds)[number];
/** The same edge as the other end sees it. */
export const seenFrom: Record<EdgeKind, EdgeKind> = {
  friend: "friend",
  friend_asked: "friend_asking",
  friend_asking: "friend_asked",
  follows: "followed_by",
  followed_by: "follows",
  invited: "invited_by",
  invited_by: "invited",
  brought: "came_by",
  came_by: "brought",
};

/** What one told of another. `yes_both`: the shop's own record that both agreed, as in an import of friends. */
export const acts = [
  "friend_yes",
  "friend_yes_both",
  "friend_no",
  "follow",
  "unfollow",
  "invite",
  "invite_accepted", // the sender accepted the other's invitation
  "share", // to the other, or to whoever it may be
  "came_by", // the sender came by what the other shared
  "block",
  "unblock",
] as const;
export type Act = (typeof acts)[number];

/** Names of events that tell of relations, and the act of each; the generic one says it in `data.kind` and `data.act`. */
export const relationTold = "Relation Told";
export const eventActs: Record<string, Act> = {
  "Friend Asked": "friend_yes",
  "Friend Accepted": "friend_yes",
  "Friend Declined": "friend_no",
  "Friend Removed": "friend_no",
  "User Followed": "follow",
  "User Unfollowed": "unfollow",
  "Invite Sent": "invite",
  "Invite Accepted": "invite_accepted",
  "Product Shared": "share",
  "Cart Shared": "share",
  "Share Opened": "came_by",
  "User Blocked": "block",
  "User Unblocked": "unblock",
};
export const relationNames: readonly string[] = [relationTold, ...Object.keys(eventActs)];
/** `kind` and `act` of the generic event, as "friend.made" or "follow.ended". */
const generic: Record<string, Act> = {
  "friend.made": "friend_yes",
  "friend.both": "friend_yes_both",
  "friend.ended": "friend_no",
  "follow.made": "follow",
  "follow.ended": "unfollow",
  "invite.made": "invite",
  "invite.accepted": "invite_accepted",
  "share.made": "share",
  "share.opened": "came_by",
  "block.made": "block",
  "block.ended": "unblock",
};

/**
 * The property that names the other person, by their user id within the source, however it is spelt. It is somebody
 * else's name in this person's event: the log holds it sealed.
 */
const otherNames = new Set([
  "other",
  "other_user_id",
  "friend_id",
  "followee_id",
  "inviter_id",
  "invitee_id",
  "sharer_id",
  "recipient_id",
  "target_user_id",
]);
const snake = (name: string): string =>
  name
    .trim()
    .replaceAll(/([a-z\d])([A-Z])/g, "$1_$2")
    .replaceAll(/[\s.-]+/g, "_")
    .toLowerCase();
export const namesOther = (property: string): boolean => otherNames.has(snake(property));

/** A user id is at most so long; a longer one names nobody. */
const otherLongest = 200;
/** The act of an event, and whom it names: `direct` is what was sealed with it, by "data.<name>". */
export function toldBy(
  name: string,
  data: Record<string, unknown>,
  direct: Record<string, string>,
): { act: Act; other: string | null; item: string | null } | null {
  const act =
    name === relationTold
      ? generic[`${String(data["kind"])}.${String(data["act"] ?? "made")}`]
      : eventActs[name];
  if (act === undefined) return null;
  const named = Object.keys(direct)
    .filter((place) => place.startsWith("data.") && namesOther(place.slice(5)))
    .toSorted()[0];
  const other = named === undefined ? "" : direct[named]!.trim();
  const sku = data["sku"] ?? data["product_id"] ?? data["productId"];
  const item = typeof sku === "string" && sku !== "" && sku.length <= 100 ? sku : null;
  if (other === "" || other.length > otherLongest)
    return act === "share" ? { act, other: null, item } : null;
  return { act, other, item };
}

/** What an import says of two people: the event to write for the first of them, by the column "kind". */
export const importKinds = [
  "friend",
  "friend_asked",
  "friend_ended",
  "follow",
  "unfollow",
  "invite",
  "invite_accepted",
  "share",
  "share_opened",
  "block",
  "unblock",
] as const;
export type ImportKind = (typeof importKinds)[number];
const imported: Record<ImportKind, [string, string]> = {
  friend: ["friend", "both"],
  friend_asked: ["friend", "made"], // or agreed to: both said so, and they are friends
  friend_ended: ["friend", "ended"],
  follow: ["follow", "made"],
  unfollow: ["follow", "ended"],
  invite: ["invite", "made"],
  invite_accepted: ["invite", "accepted"],
  share: ["share", "made"],
  share_opened: ["share", "opened"],
  block: ["block", "made"],
  unblock: ["block", "ended"],
};
/** Name and data of the event for a line "user, kind, other"; `other` goes through the log's own parting and is sealed. */
export const importedRelation = (kind: ImportKind, other: string) => {
  const [of, act] = imported[kind];
  return { name: relationTold, data: { kind: of, act, ...(other === "" ? {} : { other }) } };
};

/** One thing told between two persons, seen from "me": `mine` where I am the one who told it. */
export type Fact = { id: string; at: Date; act: Act; mine: boolean; item: string | null };
export type Edge = {
  kind: EdgeKind;
  since: Date;
  acceptedAt: Date | null; // of an invitation
  times: number; // how often they came by a share; 1 otherwise
  items: string[]; // what was shared, at most 20
};
const itemsLimit = 20;

/** Everything is in the order of (time, id), so that it does not matter in which order it came in. */
const before = (a: { at: Date; id: string }, b: { at: Date; id: string }): number =>
  a.at.getTime() - b.at.getTime() || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);

/**
 * My edges to one other person, from everything told between the two. Nothing before `from` counts: the later instant
 * of the two at which each one's consent began; null where one of them has not agreed.
 */
export function fold(told: readonly Fact[], from: Date | null): Edge[] {
  if (from === null) return [];
  const all = told.toSorted(before);
  // Whoever blocks ends everything that was; while either block stands, nothing counts. Consent that is taken back
  // and given again ends no block.
  for (const mine of [true, false]) {
    const said = all.filter((f) => f.mine === mine && (f.act === "block" || f.act === "unblock"));
    if (said.at(-1)?.act === "block") return [];
  }
  const lastBlock = all.findLast(({ act }) => act === "block");
  const facts = all.filter(
    (fact) => fact.at >= from && (!lastBlock || before(fact, lastBlock) > 0),
  );

  const edges: Edge[] = [];
  const edge = (kind: EdgeKind, since: Date, more: Partial<Edge> = {}) =>
    edges.push({ kind, since, acceptedAt: null, times: 1, items: [], ...more });
  friendship(facts, edge);
  for (const mine of [true, false]) {
    const own = facts.filter((fact) => fact.mine === mine);
    const ended = own.findLast(({ act }) => act === "unfollow");
    const follow = own.find((f) => f.act === "follow" && (!ended || before(f, ended) > 0));
    if (follow) edge(mine ? "follows" : "followed_by", follow.at);

    // I invited: my word that I sent it, or the other's that they accepted it.
    const sent = own.find(({ act }) => act === "invite");
    const accepted = facts.find((f) => f.mine !== mine && f.act === "invite_accepted");
    const first = [sent, accepted].filter((f) => f !== undefined).toSorted(before)[0];
    if (first)
      edge(mine ? "invited" : "invited_by", first.at, { acceptedAt: accepted?.at ?? null });

    const came = own.filter(({ act }) => act === "came_by");
    if (came[0])
      edge(mine ? "came_by" : "brought", came[0].at, {
        times: came.length,
        items: [...new Set(came.flatMap(({ item }) => item ?? []))].toSorted().slice(0, itemsLimit),
      });
  }
  return edges.toSorted((a, b) => (a.kind < b.kind ? -1 : 1));
}
/** Both must have agreed since the last time that either said no. */
function friendship(facts: readonly Fact[], edge: (kind: EdgeKind, since: Date) => unknown): void {
  const no = facts.findLast(({ act }) => act === "friend_no");
  const since = facts.filter((fact) => !no || before(fact, no) > 0);
  const both = since.find(({ act }) => act === "friend_yes_both");
  const yes = (mine: boolean) =>
    since.find((f) => f === both || (f.act === "friend_yes" && f.mine === mine));
  const [i, they] = [yes(true), yes(false)];
  if (i && they) edge("friend", before(i, they) > 0 ? i.at : they.at);
  else if (i) edge("friend_asked", i.at);
  else if (they) edge("friend_asking", they.at);
}

/** One line of the consent log as it matters here. */
export type SaidSocial = { at: Date; seq: number; granted: boolean };
/**
 * From when on what is told of a person counts: null while they have not agreed; without any withdrawal all of it does,
 * and after one only what was told since they agreed again. `withdrawnAt`: the last withdrawal.
 */
export function standing(lines: readonly SaidSocial[]): {
  from: Date | null;
  withdrawnAt: Date | null;
} {
  const inOrder = lines.toSorted((a, b) => a.at.getTime() - b.at.getTime() || a.seq - b.seq);
  const lastNo = inOrder.findLastIndex(({ granted }) => !granted);
  const withdrawnAt = inOrder[lastNo]?.at ?? null;
  const again = inOrder[lastNo + 1];
  if (!again) return { from: null, withdrawnAt };
  return { from: lastNo < 0 ? new Date(0) : again.at, withdrawnAt };
}

/** Limits of a question to the graph. */
export const edgesLimit = 5000; // of the one who asks: those longest known to us
export const beyondLimit = 500; // of each of those, for the second step
export const answersLimit = 200;
/** So many times a person may keep somebody away. */
export const blocksLimit = 1000;

/** Roads of two steps: whom they lead to, and how. */
export const roads = {
  friends_of_friends: ["friend", "friend"],
  follow_the_same: ["follows", "followed_by"],
  followed_by_friends: ["friend", "follows"],
  invited_by_the_same: ["invited_by", "invited"],
  came_by_the_same: ["came_by", "brought"],
} as const satisfies Record<string, readonly [EdgeKind, EdgeKind]>;
export type Road = keyof typeof roads;
export const roadNames = Object.keys(roads) as [Road, ...Road[]];

/** Tags that follow from relations: how many accepted an invitation, how many follow. The value is the lowest of its band. */
export const inviterBands = [1, 5, 20, 100] as const;
export const influenceBands = [10, 100, 1000, 10_000] as const;
export const bandOf = (bands: readonly number[], count: number): string | null => {
  const reached = bands.findLast((least) => count >= least);
  return reached === undefined ? null : `${reached}+`;
};

const importedActs: Record<Act, ImportKind> = {
  friend_yes_both: "friend",
  friend_yes: "friend_asked",
  friend_no: "friend_ended",
  follow: "follow",
  unfollow: "unfollow",
  invite: "invite",
  invite_accepted: "invite_accepted",
  share: "share",
  came_by: "share_opened",
  block: "block",
  unblock: "unblock",
};
/** The kind under which a file tells of an act. */
export const importedKind = (act: Act): ImportKind => importedActs[act];
