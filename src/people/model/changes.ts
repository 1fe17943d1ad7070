// What has to be written where who is who is not what it was: whose each node is, who is somebody of their own, who went
// to whom, and which of the merges before do not hold any more.
import {
  before,
  resolve,
  type Limits,
  type Link,
  type LinkKind,
  type NodeType,
} from "./resolve.ts";

type Person = { bucket: number; personId: string };
type Node = {
  bucket: number;
  nodeId: string;
  sourceId: string;
  type: string;
  blocked: boolean;
  personBucket: number;
  personId: string;
  homeBucket: number;
  homeId: string;
  split: boolean;
};
type LinkRow = {
  bucket: number;
  nodeId: string;
  otherBucket: number;
  otherNodeId: string;
  eventId: string;
  nth: number;
  at: Date;
  kind: LinkKind;
  trusted: boolean;
  by?: string | null;
  why?: string | null;
};
type SpanRow = {
  bucket: number;
  nodeId: string;
  fromMs: number | null;
  fromId: string;
  personBucket: number;
  personId: string;
};
type Merge = { id: string; fromId: string; intoId: string };
const beginning = "00000000-0000-0000-0000-000000000000";

export function changes(
  nodes: readonly Node[],
  links: readonly LinkRow[],
  hadSpans: readonly SpanRow[],
  hadMerges: readonly Merge[],
  limits: Limits,
) {
  const byId = new Map(nodes.map((node) => [node.nodeId, node]));
  const rowOf = new Map<Link, LinkRow>();
  const said = links.map((row): Link => {
    const { nodeId, otherNodeId, at, eventId, nth, kind, trusted } = row;
    const link = {
      ...{ node: nodeId, other: otherNodeId, at: at.getTime(), id: eventId, nth, kind, trusted },
    };
    rowOf.set(link, row);
    return link;
  });
  const found = resolve(
    nodes.map(({ nodeId, type, sourceId, blocked }) => ({
      ...{ id: nodeId, type: type as NodeType, sourceId, blocked },
    })),
    said,
    limits,
  );
  const homeOf = (leader: string): Person => {
    const { homeBucket, homeId } = byId.get(leader)!;
    return { bucket: homeBucket, personId: homeId };
  };
  const personOf = (nodeId: string): Person => homeOf(found.leaderOf.get(nodeId)!);
  const seenAt = new Map<string, Date>();
  for (const { nodeId, otherNodeId, at } of links)
    for (const id of [nodeId, otherNodeId]) {
      const had = seenAt.get(id);
      if (!had || at < had) seenAt.set(id, at);
    }

  // Whose nodes are.
  const touched = new Map<string, Person>();
  const touch = (person: Person) => touched.set(person.personId, person);
  const spans = nodes.flatMap(({ bucket, nodeId }): SpanRow[] =>
    (found.spans.get(nodeId) ?? []).map(({ at, id, leader }, i) => {
      const { bucket: personBucket, personId } = homeOf(leader);
      const from = i === 0 ? { fromMs: null, fromId: beginning } : { fromMs: at, fromId: id };
      return { bucket, nodeId, ...from, personBucket, personId };
    }),
  );
  const spanText = (rows: readonly SpanRow[]) =>
    rows.map(({ fromMs, fromId, personId }) => `${fromMs} ${fromId} ${personId}`).join();
  const [oldSpans, newSpans] = [hadSpans, spans].map((rows) =>
    Map.groupBy(rows, ({ nodeId }) => nodeId),
  ) as [Map<string, SpanRow[]>, Map<string, SpanRow[]>];
  const owners = nodes.flatMap((node) => {
    const { bucket, nodeId, homeBucket, homeId } = node;
    const { bucket: personBucket, personId } = personOf(nodeId);
    const own = newSpans.get(nodeId) ?? [];
    const had = oldSpans.get(nodeId) ?? [];
    if (node.personId === personId && spanText(own) === spanText(had)) return [];
    touch({ bucket: node.personBucket, personId: node.personId });
    touch({ bucket: personBucket, personId });
    for (const span of [...own, ...had])
      touch({ bucket: span.personBucket, personId: span.personId });
    return [{ bucket, nodeId, personBucket, personId, homeBucket, homeId, split: own.length > 0 }];
  });
  const changed = new Set(owners.map(({ nodeId }) => nodeId));
  const respan = nodes.filter(
    ({ nodeId, split }) => changed.has(nodeId) && (split || newSpans.has(nodeId)),
  );

  // Who is somebody of their own, and who went to whom.
  const leads = new Set(
    [...found.leaderOf.values(), ...spans.map(({ nodeId }) => nodeId)].filter(
      (id) => found.leaderOf.get(id) === id,
    ),
  );
  const people = [...leads].flatMap((id) => {
    const node = byId.get(id)!;
    const at = seenAt.get(id);
    return [{ ...homeOf(id), sourceId: node.sourceId, seenAt: at ?? new Date(0) }];
  });
  const gone = nodes.flatMap(({ nodeId, homeBucket, homeId }) => {
    if (leads.has(nodeId)) return [];
    const { bucket: intoBucket, personId: intoId } = personOf(nodeId);
    if (intoId === homeId) return [];
    return [{ bucket: homeBucket, personId: homeId, intoBucket, intoId, nodeId }];
  });

  // Merges that do not hold any more, and those that are new.
  const nodeOfHome = new Map(nodes.map((node) => [node.homeId, node.nodeId]));
  const parted: string[] = [];
  const held = new Set<string>();
  for (const { id, fromId, intoId } of hadMerges) {
    const [from, into] = [nodeOfHome.get(fromId), nodeOfHome.get(intoId)];
    const together =
      from !== undefined &&
      into !== undefined &&
      !leads.has(from) &&
      personOf(from).personId === personOf(into).personId;
    if (together) held.add(fromId);
    else parted.push(id);
  }
  const again = new Set(hadMerges.flatMap(({ fromId }) => (held.has(fromId) ? [] : [fromId])));
  const merges = gone
    .filter(({ personId }) => !held.has(personId))
    .map(({ bucket, personId, intoBucket, intoId, nodeId }) => {
      const cause = causeOf(found.joins, nodeId, nodeOfHome.get(intoId)!);
      const {
        eventId = null,
        kind = null,
        by = null,
        why = null,
      } = (cause && rowOf.get(cause)) ?? {};
      return {
        ...{ fromBucket: bucket, fromId: personId, intoBucket, intoId },
        ...{ cause: eventId, word: kind, by, why, again: again.has(personId) },
      };
    });
  // By the last word that took back what held two of the same somebody together.
  const whose = new Map(nodes.map(({ nodeId, personId }) => [nodeId, personId]));
  const parting = links
    .filter(
      ({ kind, nodeId, otherNodeId }) =>
        (kind === "unbind" || kind === "part") &&
        whose.get(nodeId) === whose.get(otherNodeId) &&
        byId.has(nodeId) &&
        byId.has(otherNodeId) &&
        personOf(nodeId).personId !== personOf(otherNodeId).personId,
    )
    .toSorted((a, b) => a.at.getTime() - b.at.getTime() || (a.eventId < b.eventId ? -1 : 1))
    .at(-1);

  const firstRefusals = new Map(
    found.refused
      .toReversed()
      .map(({ link, reason }) => [`${link.node} ${link.other} ${reason}`, { link, reason }]),
  );
  // What another word has joined since is refused no more.
  const refused = [...firstRefusals.values()]
    .filter(({ link: { node, other } }) => personOf(node).personId !== personOf(other).personId)
    .toSorted((a, b) => before(a.link, b.link));
  const refusals = refused.map(({ link, reason }) => {
    const { bucket, nodeId, otherBucket, otherNodeId, eventId, at } = rowOf.get(link)!;
    return { bucket, nodeId, otherBucket, otherNodeId, eventId, at, reason };
  });
  const conflicts = [
    ...Map.groupBy(
      refused.filter(({ reason }) => reason === "two_people" || reason === "limit"),
      ({ link }) => personOf(link.node).personId,
    ).values(),
  ].map((own) => {
    const { link } = own.at(-1)!;
    return {
      person: personOf(link.node),
      types: [...new Set(own.map((one) => byId.get(one.link.other)!.type))].toSorted(),
      cause: link.id,
      at: new Date(link.at),
    };
  });
  return {
    ...{ owners, respan, spans: spans.filter(({ nodeId }) => changed.has(nodeId)), people, gone },
    ...{
      merges,
      parted,
      parting: parting ?? null,
      refusals,
      conflicts,
      touched: [...touched.values()],
    },
  };
}

/** The link by which two came together. */
function causeOf(joins: readonly Link[], a: string, b: string): Link | undefined {
  const parent = new Map<string, string>();
  const find = (id: string): string => {
    let root = id;
    for (let up = parent.get(root); up !== undefined; up = parent.get(root)) root = up;
    return root;
  };
  return joins.find(({ node, other }) => {
    const [left, right] = [find(node), find(other)];
    if (left !== right) parent.set(left, right);
    return find(a) === find(b);
  });
}
