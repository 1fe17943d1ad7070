// Who is who within one component: the nodes that are joined by what events and operators said. It follows from the
// set of links alone, gone through in order of (time, id), so that it does not matter in which order they came in.
// A person holds people together as in a union–find, and a link is refused where it would put together what must not
// be. Cost: O(n α(n)) for n links, after sorting them.

export type NodeType =
  | "user_id"
  | "anonymous_id"
  | "email"
  | "phone"
  | "device"
  | "openid"
  | "unionid"
  | "external";
export type LinkNode = { id: string; type: NodeType; sourceId: string; blocked: boolean };
/** `hand` and `part` are an operator's: these two are one, these two are not. */
export type LinkKind = "identify" | "alias" | "bind" | "unbind" | "hand" | "part";
/** `node` is the sender, `other` what it is said to be the same somebody as. `at` in ms, then `order` decides. */
export type Link = {
  node: string;
  other: string;
  at: number;
  /** The event's id, and which of its links. */
  id: string;
  nth: number;
  kind: LinkKind;
  /** Said by a server of the shop's, or by an operator. */
  trusted: boolean;
};
export type Reason = "blocked" | "two_people" | "limit" | "parted";
export type Refusal = { link: Link; reason: Reason };
export type Limits = Record<NodeType, number>;
/** How many identifiers of a type one person has at most; of user ids, from each source. The earliest stay. */
export const usualLimits: Limits = {
  user_id: 1,
  anonymous_id: 100,
  email: 5,
  phone: 5,
  device: 20,
  openid: 10,
  unionid: 10,
  external: 10,
};
/** Whose a node is from this place in the order of events on: the home of the node that leads that person. */
export type Span = { at: number; id: string; leader: string };
export type Resolved = {
  /** The node whose home is the person, by node. Of a node with spans it is the first one's. */
  leaderOf: Map<string, string>;
  /** Nodes on which several people signed in, with at least two spans; the first holds for all that was before. */
  spans: Map<string, Span[]>;
  refused: Refusal[];
  /** The links that put people together, in their order. */
  joins: Link[];
};

export const before = (a: Link, b: Link): number =>
  a.at - b.at ||
  (a.id < b.id ? -1 : a.id > b.id ? 1 : 0) ||
  a.nth - b.nth ||
  (a.node < b.node ? -1 : a.node > b.node ? 1 : 0);
/** Several people may use one of these after one another. */
const isCarrier = (type: NodeType): boolean => type === "anonymous_id" || type === "device";
const pairOf = ({ node, other }: Link): string =>
  node < other ? `${node} ${other}` : `${other} ${node}`;

type Group = { members: string[]; counts: Map<string, number>; users: number };

export function resolve(
  nodes: readonly LinkNode[],
  links: readonly Link[],
  limits: Limits = usualLimits,
): Resolved {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const sorted = links
    .filter(({ node, other }) => node !== other && byId.has(node) && byId.has(other))
    .toSorted(before);
  const standing = withoutUnbound(sorted);
  const parted = standing.parted;
  const groupOf = new Map<string, Group>();
  for (const { id, type, sourceId } of nodes)
    groupOf.set(id, {
      members: [id],
      counts: new Map([[countedAs(type, sourceId), 1]]),
      users: type === "user_id" ? 1 : 0,
    });
  const refused: Refusal[] = [];
  const logins = new Map<string, { link: Link; to: string }[]>();
  const seen = new Map<string, number>(); // place of the first link that names a node
  const joins: Link[] = [];
  for (const link of sorted)
    for (const id of [link.node, link.other]) if (!seen.has(id)) seen.set(id, seen.size);

  for (const link of standing.links) {
    const [a, b] = [byId.get(link.node)!, byId.get(link.other)!];
    if (a.blocked || b.blocked) {
      refused.push({ link, reason: "blocked" });
      continue;
    }
    const carrier = carrierOf(a, b);
    const login = carrier && { link, to: carrier === a ? b.id : a.id };
    const [left, right] = [groupOf.get(a.id)!, groupOf.get(b.id)!];
    if (left !== right) {
      const byWord = link.kind === "hand" || (link.kind === "alias" && link.trusted);
      const twoKnown = left.users > 0 && right.users > 0;
      // A second login on a device puts nobody together: only whoever was parted from the device itself is none.
      const isShared = login !== null && twoKnown && link.kind !== "hand";
      if (isShared ? parted.get(a.id)?.has(b.id) : isParted(left, right, parted)) {
        refused.push({ link, reason: "parted" });
        continue;
      }
      if (isShared) {
        push(logins, carrier!.id, login);
        continue;
      }
      if (twoKnown && !byWord) {
        refused.push({ link, reason: "two_people" });
        continue;
      }
      if (link.kind !== "hand" && isOver(left, right, limits, byWord)) {
        refused.push({ link, reason: "limit" });
        continue;
      }
      join(left, right, groupOf);
      joins.push(link);
    }
    if (login) push(logins, carrier.id, login);
  }

  const leaderOf = new Map<string, string>();
  for (const group of new Set(groupOf.values())) {
    const leader = leaderIn(group, byId, seen);
    for (const id of group.members) leaderOf.set(id, leader);
  }
  const spans = new Map<string, Span[]>();
  for (const [id, own] of logins) {
    const turns: Span[] = [];
    for (const { link, to } of own) {
      const leader = leaderOf.get(to)!;
      if (turns.at(-1)?.leader !== leader) turns.push({ at: link.at, id: link.id, leader });
    }
    // Two logins of one event: the first of them holds no time at all.
    const held = turns.filter(({ at, id: event }, i) => {
      const next = turns[i + 1];
      return !next || next.at !== at || next.id !== event;
    });
    const merged = held.filter(({ leader }, i) => held[i - 1]?.leader !== leader);
    if (merged.length > 1) {
      spans.set(id, merged);
      leaderOf.set(id, merged[0]!.leader);
    } else if (merged.length === 1) leaderOf.set(id, merged[0]!.leader);
  }
  return { leaderOf, spans, refused, joins };
}

const push = <T>(map: Map<string, T[]>, key: string, one: T): void => {
  const list = map.get(key);
  if (list) list.push(one);
  else map.set(key, [one]);
};
const countedAs = (type: NodeType, sourceId: string): string =>
  type === "user_id" ? `user_id ${sourceId}` : type;

/**
 * An unbind takes back what was said before of these two; until they are bound again nothing else joins them either. An
 * operator's word that two are not one holds until an operator says that they are: no event outweighs it. Gives the word
 * that holds each such pair apart.
 */
export function apart(sorted: readonly Link[]): Link[] {
  const held = new Map<string, Link>();
  for (const link of sorted) {
    const pair = pairOf(link);
    const had = held.get(pair);
    if (link.kind === "part" || (link.kind === "unbind" && had?.kind !== "part"))
      held.set(pair, link);
    else if (link.kind === "hand" || had?.kind !== "part") held.delete(pair);
  }
  return [...held.values()];
}
function withoutUnbound(sorted: readonly Link[]): {
  links: Link[];
  parted: Map<string, Set<string>>;
} {
  const takesBack = ({ kind }: Link): boolean => kind === "unbind" || kind === "part";
  const last = new Map<string, number>(); // place of the last word that takes back, of a pair
  sorted.forEach((link, i) => {
    if (takesBack(link)) last.set(pairOf(link), i);
  });
  const links = sorted.filter((link, i) => !takesBack(link) && i > (last.get(pairOf(link)) ?? -1));
  const parted = new Map<string, Set<string>>();
  const add = (a: string, b: string) => {
    const known = parted.get(a) ?? new Set();
    known.add(b);
    parted.set(a, known);
  };
  for (const { node, other } of apart(sorted)) {
    add(node, other);
    add(other, node);
  }
  return { links, parted };
}

/** The one of the two that somebody signs in on; none where both are such, or neither. */
const carrierOf = (a: LinkNode, b: LinkNode): LinkNode | null =>
  isCarrier(a.type) === isCarrier(b.type) ? null : isCarrier(a.type) ? a : b;

function isParted(a: Group, b: Group, parted: Map<string, Set<string>>): boolean {
  if (parted.size === 0) return false;
  const [small, large] = a.members.length < b.members.length ? [a, b] : [b, a];
  const there = new Set(large.members);
  return small.members.some((id) => [...(parted.get(id) ?? [])].some((other) => there.has(other)));
}
function isOver(a: Group, b: Group, limits: Limits, byWord: boolean): boolean {
  for (const [key, count] of a.counts) {
    const type = key.split(" ")[0] as NodeType;
    // A person who had two numbers of one shop's keeps both where the shop's server says so.
    if (type === "user_id" && byWord) continue;
    const other = b.counts.get(key) ?? 0;
    if (other > 0 && count + other > limits[type]) return true;
  }
  return false;
}
function join(a: Group, b: Group, groupOf: Map<string, Group>): void {
  const [small, large] = a.members.length < b.members.length ? [a, b] : [b, a];
  for (const id of small.members) groupOf.set(id, large);
  large.members.push(...small.members);
  for (const [key, count] of small.counts)
    large.counts.set(key, count + (large.counts.get(key) ?? 0));
  large.users += small.users;
}
/** The earliest user id leads, else the earliest of all. */
function leaderIn(
  { members }: Group,
  byId: ReadonlyMap<string, LinkNode>,
  seen: ReadonlyMap<string, number>,
): string {
  const place = (id: string) => seen.get(id) ?? Number.MAX_SAFE_INTEGER;
  const users = members.filter((id) => byId.get(id)!.type === "user_id");
  return (users.length > 0 ? users : members).reduce((first, id) =>
    place(id) < place(first) ? id : first,
  );
}
