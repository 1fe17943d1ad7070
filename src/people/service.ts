// What a caller can ask of people. Each function works in the transaction it is given.
import { bucketOfText } from "#kernel/crypto.ts";
import type { Context, House } from "#kernel/endpoint.ts";
import { giveRows, keyOf, takeRows, takeSome, type Row } from "#kernel/moving.ts";
import { fail, ok, type Result } from "#kernel/result.ts";
import type { PersonKey, Reader, Tx } from "#kernel/sql.ts";
import { emitAll } from "#kernel/outbox.ts";
import { setTimers } from "#kernel/timers.ts";
import { dropWaiting } from "#kernel/waiting.ts";
import * as feeds from "#feeds/service.ts";
import { normalised } from "#privacy/rules.ts";
import * as privacy from "#privacy/service.ts";
import { tagged } from "./events.ts";
import { saysNobody } from "./model/blocked.ts";
import {
  apart,
  before,
  usualLimits,
  type Limits,
  type Link,
  type NodeType,
} from "./model/resolve.ts";
import type { Identifier, TagKind } from "./rules.ts";
import * as store from "./store.ts";

/** The full key of a person. Every other statement about them begins with it. */
export async function find(
  reader: Reader,
  personId: string,
): Promise<Result<PersonKey, "people.unknown">> {
  const [person] = await store.way(reader, personId);
  return person ? ok(person) : fail("people.unknown");
}
export async function byIdentifier(
  house: House,
  reader: Reader,
  type: Identifier["type"],
  value: string,
  sourceId = "",
): Promise<PersonKey | null> {
  const [node] = await store.nodesByBlind(reader, [privacy.blindOf(house, type, value, sourceId)]);
  return node ? { bucket: node.bucket, personId: node.personId } : null;
}

/** `erasedAt`: until then this identifier was somebody's who had their data erased; what happened before is refused. */
export type Node = PersonKey & {
  nodeBucket: number;
  nodeId: string;
  key: Buffer;
  erasedAt: Date | null;
  /** Made in this transaction: nobody else sees it yet. */
  isNew: boolean;
};
export type Sender = Identifier & { at: Date };
export const senderKey = ({ type, value }: Identifier): string =>
  `${type}|${normalised(type, value)}`;

/**
 * The node of each sending identifier, made here at first sight with its data key and a person of its own.
 * Returned by `senderKey`. An identifier whose person was erased after the instant of its event is missing.
 */
export async function nodesFor(
  house: House,
  tx: Tx,
  sourceId: string,
  senders: Sender[],
): Promise<Map<string, Node>> {
  const bySender = Map.groupBy(senders, senderKey);
  const first = new Map(
    [...bySender].map(([key, [{ type, value } = senders[0]!]]) => [
      key,
      { type, value, blind: privacy.blindOf(house, type, value, sourceId) },
    ]),
  );
  const byBlind = new Map([...first].map(([key, { blind }]) => [blind.toString("hex"), key]));
  const blinds = [...first.values()].map(({ blind }) => blind);
  // Held until commit, so that no erasure passes between here and the event; then its tombstone is seen as well.
  const held = store.heldNodesByBlind(tx, blinds).execute(); // sent first
  const [found, gone] = await Promise.all([held, privacy.tombstoned(tx, blinds)]);
  const erasedAt = ({ blind }: { blind: Buffer }) => gone.get(blind.toString("hex")) ?? null;
  const missing = new Set(first.keys());
  for (const { blind } of found) missing.delete(byBlind.get(blind.toString("hex"))!);
  const fresh = [...missing].toSorted().flatMap((key) => {
    const sender = first.get(key)!;
    const erased = erasedAt(sender);
    const times = bySender.get(key)!.flatMap(({ at }) => (erased && at <= erased ? [] : [at]));
    const at = times.reduce<Date | null>(
      (least, one) => (least && least < one ? least : one),
      null,
    );
    return at ? [[key, { ...sender, at }] as const] : [];
  });
  const made = fresh.length > 0 ? await make(house, tx, sourceId, fresh) : [];
  // Another transaction may have made some of them first; then those are the ones.
  const mine = new Set(made.map(({ blind }) => blind.toString("hex")));
  const others = fresh.flatMap(([, { blind }]) => (mine.has(blind.toString("hex")) ? [] : [blind]));
  if (others.length > 0) found.push(...(await store.heldNodesByBlind(tx, others)));
  const keys = await privacy.nodeKeys(
    house,
    tx,
    found.map(({ nodeBucket, nodeId }) => ({ bucket: nodeBucket, nodeId })),
  );
  for (const { nodeId, key } of made) keys.set(nodeId, key);
  return new Map(
    [...found, ...made].flatMap(({ blind, bucket, personId, nodeBucket, nodeId }) => {
      const key = keys.get(nodeId);
      if (!key) return [];
      const isNew = mine.has(blind.toString("hex"));
      const node = { bucket, personId, nodeBucket, nodeId, key, isNew };
      return [[byBlind.get(blind.toString("hex"))!, { ...node, erasedAt: erasedAt({ blind }) }]];
    }),
  );
}

/** Which of these say nothing of who somebody is: what everybody knows as such, and what this shop named. */
async function nobodiesIn(
  house: House,
  reader: Reader,
  identifiers: readonly Identifier[],
): Promise<(one: Identifier) => boolean> {
  const blinds = identifiers.map((one) => blockedBlind(house, one));
  const rows = blinds.length > 0 ? await store.blockedOf(reader, blinds) : [];
  const named = new Set(rows.map(({ blind }) => blind.toString("hex")));
  return (one) => saysNobody(one.value) || named.has(blockedBlind(house, one).toString("hex"));
}
/** One value of one type, whichever source it comes from. */
const blockedBlind = (house: House, { type, value }: Identifier): Buffer =>
  house.keys.blind(`people.blocked|${type}`, normalised(type, value));

async function make(
  house: House,
  tx: Tx,
  sourceId: string,
  asked: (readonly [string, Sender & { blind: Buffer }])[],
): Promise<(store.NodeRow & { key: Buffer })[]> {
  const fresh = asked.map(([key, sender]) => {
    // A node's bucket is known from what was sent alone, before anybody knows the person.
    const bucket = bucketOfText(`${sourceId}|${key}`);
    return { sender, bucket, nodeId: house.newId(), personId: house.newId() };
  });
  const [claimed, nobody] = await Promise.all([
    store.claimIdentifiers(
      tx,
      fresh.map(({ sender, bucket, nodeId }) => ({ blind: sender.blind, bucket, nodeId })),
    ),
    nobodiesIn(
      house,
      tx,
      fresh.map(({ sender }) => sender),
    ),
  ]);
  const mine = new Set(claimed.map(({ blind }) => blind.toString("hex")));
  const own = fresh.filter(({ sender }) => mine.has(sender.blind.toString("hex")));
  if (own.length === 0) return [];
  const keys = await privacy.makeNodeKeys(house, tx, own);
  const rows = own.map(({ sender, bucket, nodeId, personId }) => ({
    bucket,
    personId,
    nodeBucket: bucket,
    nodeId,
    sourceId,
    type: sender.type,
    blind: sender.blind,
    seenAt: sender.at,
    sealed: privacy.seal(keys.get(nodeId)!, "people_node|sealed", nodeId, sender.value),
    blocked: nobody(sender),
  }));
  await store.addPeople(tx, rows);
  return rows.map((row) => ({ ...row, key: keys.get(row.nodeId)! }));
}

export type NewIdentifier = {
  person: PersonKey;
  sourceId: string;
  identifier: Identifier;
  at: Date;
};
/**
 * Gives known people more identifiers, each a node of its own. Says of each, in order, whether it is now this
 * person's: where it is somebody else's already it stays theirs, and nobody is merged by accident.
 */
export async function addIdentifiers(
  house: House,
  tx: Tx,
  asked: NewIdentifier[],
): Promise<boolean[]> {
  if (asked.length === 0) return [];
  const rows = asked.map((one) => ({
    ...one,
    blind: privacy.blindOf(house, one.identifier.type, one.identifier.value, one.sourceId),
    bucket: bucketOfText(`${one.sourceId}|${senderKey(one.identifier)}`),
    nodeId: house.newId(),
  }));
  const hex = ({ blind }: { blind: Buffer }) => blind.toString("hex");
  const blinds = rows.map(({ blind }) => blind);
  const there = new Set((await store.nodesByBlind(tx, blinds)).map(hex));
  const first = new Map(rows.filter((row) => !there.has(hex(row))).map((row) => [hex(row), row]));
  if (first.size > 0) {
    const wanted = [...first.values()].map(({ blind, bucket, nodeId }) => ({
      blind,
      bucket,
      nodeId,
    }));
    const claimed = new Set((await store.claimIdentifiers(tx, wanted)).map(hex));
    const mine = [...first.values()].filter((row) => claimed.has(hex(row)));
    const nobody = await nobodiesIn(
      house,
      tx,
      mine.map(({ identifier }) => identifier),
    );
    const keys = await privacy.makeNodeKeys(house, tx, mine);
    if (mine.length > 0)
      await store.addNodes(
        tx,
        mine.map(({ person, sourceId, identifier, blind, bucket, nodeId, at }) => ({
          ...person,
          nodeBucket: bucket,
          nodeId,
          sourceId,
          type: identifier.type,
          blind,
          seenAt: at,
          sealed: privacy.seal(keys.get(nodeId)!, "people_node|sealed", nodeId, identifier.value),
          homeId: house.newId(),
          blocked: nobody(identifier),
        })),
      );
    // Said by whoever gives it, so that it is theirs whatever else is worked out anew.
    const whose = mine.map(({ person }) => person);
    const firsts = firstNodes(await store.nodesOf(tx, whose));
    await store.putLinks(
      tx,
      mine.flatMap(({ person, identifier, bucket, nodeId, at }) => {
        const own = firsts.get(person.personId);
        // Two numbers of the shop's are one guest only by such a word.
        const kind = identifier.type === "user_id" ? ("hand" as const) : ("bind" as const);
        return !own || own.nodeId === nodeId
          ? []
          : [
              {
                ...{
                  bucket: own.bucket,
                  nodeId: own.nodeId,
                  otherBucket: bucket,
                  otherNodeId: nodeId,
                },
                ...{ eventId: house.newId(), nth: 0, at, kind, trusted: true },
              },
            ];
      }),
    );
  }
  const whose = new Map(
    (await store.nodesByBlind(tx, blinds)).map((node) => [hex(node), node.personId]),
  );
  return rows.map((row) => whose.get(hex(row)) === row.person.personId);
}

/**
 * The nodes of these identifiers, in order, made at first sight as nobody's but their own: what joins them to somebody
 * is a link.
 */
export async function meet(
  house: House,
  tx: Tx,
  asked: readonly Omit<NewIdentifier, "person">[],
): Promise<{ bucket: number; nodeId: string }[]> {
  if (asked.length === 0) return [];
  const hex = (blind: Buffer) => blind.toString("hex");
  const rows = asked.map((one) => {
    const { type, value } = one.identifier;
    const bucket = bucketOfText(`${one.sourceId}|${senderKey(one.identifier)}`);
    return { ...one, blind: privacy.blindOf(house, type, value, one.sourceId), bucket };
  });
  const blinds = rows.map(({ blind }) => blind);
  const there = new Set((await store.heldNodesByBlind(tx, blinds)).map(({ blind }) => hex(blind)));
  const wanted = [
    ...new Map(
      rows.flatMap((row) =>
        there.has(hex(row.blind))
          ? []
          : [[hex(row.blind), { ...row, nodeId: house.newId() }] as const],
      ),
    ).values(),
  ].toSorted((a, b) => Buffer.compare(a.blind, b.blind));
  if (wanted.length > 0) {
    const claimed = new Set(
      (
        await store.claimIdentifiers(
          tx,
          wanted.map(({ blind, bucket, nodeId }) => ({ blind, bucket, nodeId })),
        )
      ).map(({ blind }) => hex(blind)),
    );
    const mine = wanted.filter(({ blind }) => claimed.has(hex(blind)));
    const nobody = await nobodiesIn(
      house,
      tx,
      mine.map(({ identifier }) => identifier),
    );
    const keys = await privacy.makeNodeKeys(house, tx, mine);
    if (mine.length > 0)
      await store.addNodes(
        tx,
        mine.map(({ sourceId, identifier, blind, bucket, nodeId, at }) => ({
          ...{ bucket, personId: house.newId(), nodeBucket: bucket, nodeId, sourceId, blind },
          ...{ type: identifier.type, seenAt: at, blocked: nobody(identifier) },
          sealed: privacy.seal(keys.get(nodeId)!, "people_node|sealed", nodeId, identifier.value),
        })),
      );
  }
  const found = new Map(
    (await store.heldNodesByBlind(tx, blinds)).map((node) => [hex(node.blind), node]),
  );
  return rows.map(({ blind }) => {
    const { nodeBucket, nodeId } = found.get(hex(blind))!;
    return { bucket: nodeBucket, nodeId };
  });
}

/** Nodes of a person with their blind indexes, the one that leads them first. */
export const nodesOf = (reader: Reader, person: PersonKey) => store.nodesOf(reader, [person]);

/** Who sent under this node, and the key of what is sealed with it; null where it is gone. */
export async function senderOf(
  house: House,
  reader: Reader,
  node: { bucket: number; nodeId: string },
): Promise<{ identifier: Identifier; key: Buffer } | null> {
  const [row] = await store.nodeOf(reader, node);
  const key = row && (await privacy.nodeKeys(house, reader, [node])).get(node.nodeId);
  if (!row || !key) return null;
  const value = privacy.openSealed(key, "people_node|sealed", node.nodeId, row.sealed);
  return { identifier: { type: row.type, value }, key };
}

/** Decrypted identifiers of one type by person id, of the node that leads them or else the earliest that has one. */
export async function identifiers(
  house: House,
  reader: Reader,
  people: PersonKey[],
  type: Identifier["type"],
): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (let i = 0; i < people.length; i += 5000) {
    const nodes = (await store.nodesOf(reader, people.slice(i, i + 5000))).filter(
      (node) => node.type === type,
    );
    const keys = await privacy.nodeKeys(house, reader, nodes);
    for (const { personId, nodeId, sealed } of nodes) {
      const key = keys.get(nodeId);
      if (key && !found.has(personId))
        found.set(personId, privacy.openSealed(key, "people_node|sealed", nodeId, sealed));
    }
  }
  return found;
}

/** The first number that a source has of a person, and the source; null where none has one. */
export async function numberOf(
  house: House,
  reader: Reader,
  person: PersonKey,
): Promise<{ space: string; number: string } | null> {
  const node = (await store.nodesOf(reader, [person])).find(({ type }) => type === "user_id");
  const key = node && (await privacy.nodeKeys(house, reader, [node])).get(node.nodeId);
  if (!node || !key) return null;
  const number = privacy.openSealed(key, "people_node|sealed", node.nodeId, node.sealed);
  return { space: node.sourceId, number };
}

/** Decrypted values of one direct field by person id. */
export async function fields(
  house: House,
  reader: Reader,
  people: PersonKey[],
  field: string,
): Promise<Map<string, string>> {
  const rows = people.length > 0 ? await store.fieldsOf(reader, people, field) : [];
  return openFields(house, reader, rows, ({ personId }) => personId);
}
/** Every direct field of one person, decrypted, by the field's name. */
export const allFields = async (house: House, reader: Reader, person: PersonKey) =>
  openFields(house, reader, await store.allFieldsOf(reader, person), ({ field }) => field);

/** Every direct field of these people, decrypted, with when it was told. */
export async function everyField(house: House, reader: Reader, people: readonly PersonKey[]) {
  const rows = people.length > 0 ? await store.everyFieldOf(reader, people) : [];
  const placeOf = ({ personId, field }: store.FieldRow) => `${personId} ${field}`;
  const values = await openFields(house, reader, rows, placeOf);
  return rows.flatMap((row) => {
    const value = values.get(placeOf(row));
    return value === undefined
      ? []
      : [{ personId: row.personId, field: row.field, value, at: row.at }];
  });
}

async function openFields(
  house: House,
  reader: Reader,
  rows: store.FieldRow[],
  by: (row: store.FieldRow) => string,
): Promise<Map<string, string>> {
  const nodes = rows.map(({ nodeBucket, nodeId }) => ({ bucket: nodeBucket, nodeId }));
  const keys = await privacy.nodeKeys(house, reader, nodes);
  return new Map(
    rows.flatMap((row) => {
      const key = keys.get(row.nodeId);
      if (!key) return [];
      const place = `people_field|${row.field}`;
      return [[by(row), privacy.openSealed(key, place, row.nodeId, row.sealed)] as const];
    }),
  );
}

function firstNodes(nodes: readonly store.OwnNode[]): Map<string, store.OwnNode> {
  const first = new Map<string, store.OwnNode>();
  for (const node of nodes) if (!first.has(node.personId)) first.set(node.personId, node);
  return first;
}

type FieldChange = { person: PersonKey; field: string; value: string; source: string; at: Date } & {
  eventId?: string;
};
/** Sealed under the key of the person's first node. A later value wins, whatever comes in first. */
export async function setFields(house: House, tx: Tx, rows: FieldChange[]): Promise<void> {
  if (rows.length === 0) return;
  const nodes = await store.nodesOf(
    tx,
    rows.map(({ person }) => person),
  );
  const firstNode = firstNodes(nodes);
  const keys = await privacy.nodeKeys(house, tx, [...firstNode.values()]);
  const sealed = rows.flatMap(({ person, field, value, source, at, eventId }) => {
    const node = firstNode.get(person.personId);
    const key = node && keys.get(node.nodeId);
    if (!node || !key) return [];
    const place = `people_field|${field}`;
    const { bucket: nodeBucket, nodeId } = node;
    const closed = privacy.seal(key, place, nodeId, value);
    return [
      {
        ...person,
        field,
        nodeBucket,
        nodeId,
        sealed: closed,
        source,
        at,
        eventId: eventId ?? null,
      },
    ];
  });
  if (sealed.length > 0) await store.putFields(tx, sealed);
}

export type AttributeChange = {
  person: PersonKey;
  name: string;
  value: unknown;
  source: string;
  at: Date;
  confidence?: number;
  eventId?: string;
};
/** Sets derived attributes, each with its source, time and confidence. */
export async function setAttributes(tx: Tx, rows: AttributeChange[], now: Date): Promise<void> {
  for (let i = 0; i < rows.length; i += 20_000)
    await store.mergeAttributes(
      tx,
      rows.slice(i, i + 20_000).map(({ person, name, value, source, at, confidence, eventId }) => ({
        ...person,
        name,
        attribute: JSON.stringify({
          v: value,
          s: source,
          at: at.toISOString(),
          c: confidence ?? 1,
          ...(eventId === undefined ? {} : { id: eventId }),
        }),
      })),
      now,
    );
}

/** Takes attributes away, as far as they are of that source. */
export async function dropAttributes(
  tx: Tx,
  rows: readonly { person: PersonKey; name: string; source: string }[],
  now: Date,
): Promise<void> {
  for (let i = 0; i < rows.length; i += 20_000)
    await store.dropAttributes(
      tx,
      rows.slice(i, i + 20_000).map(({ person, name, source }) => ({ ...person, name, source })),
      now,
    );
}

export type TagChange = {
  person: PersonKey;
  tag: string;
  value: string | null; // null takes the tag away
  kind: TagKind;
  source: string;
  reason: unknown;
  confidence?: number;
  cause?: string | undefined;
  at: Date;
  expiresAt?: Date;
};
export type TagChanged = {
  personId: string;
  tag: string;
  logId: string;
  before: string | null;
  after: string | null;
};
/** Sets or takes away tags; only real changes are logged and returned. One person's tag once a call. */
export async function setTags(
  tx: Tx,
  newId: () => string,
  rows: TagChange[],
): Promise<TagChanged[]> {
  const changed: TagChanged[] = [];
  for (let i = 0; i < rows.length; i += 10_000)
    changed.push(
      ...(await store.changeTags(
        tx,
        rows.slice(i, i + 10_000).map((row) => ({
          ...row.person,
          tag: row.tag,
          value: row.value,
          kind: row.kind,
          source: row.source,
          reason: JSON.stringify(row.reason),
          confidence: row.confidence ?? 1,
          cause: row.cause ?? null,
          at: row.at,
          expiresAt: row.expiresAt ?? null,
          logId: newId(),
        })),
      )),
    );
  const ending = rows.flatMap(({ person, tag, value, expiresAt }) =>
    value !== null && expiresAt ? [{ ...person, kind: tagEnds, key: tag, dueAt: expiresAt }] : [],
  );
  if (ending.length > 0) await setTimers(tx, ending);
  if (changed.length > 0 && (await feeds.isHeard(tx, tagged.name)))
    await tell(tx, newId, rows, changed);
  return changed;
}
/** The timer of a tag that ends: one a tag of a person. */
export const tagEnds = "people.tag_ends";
/** Takes away those of these tags whose time has come; the log says that it was time. */
export async function endTags(
  house: House,
  tx: Tx,
  due: readonly (PersonKey & { key: string })[],
): Promise<void> {
  const over = await store.endedTags(tx, due, house.clocks.shop());
  const rows = over.map(({ bucket, personId, tag, kind, expiresAt }): TagChange => ({
    person: { bucket, personId },
    ...{ tag, value: null, kind, source: "expired", reason: { expired: true }, at: expiresAt },
  }));
  if (rows.length > 0) await setTags(tx, house.newId, rows);
}
export const tagsHeld = store.tagsHeld;
export { changeSentence, whySentence } from "./model/sentence.ts";
/** For other systems. Each change is of one of the rows that were asked for. */
async function tell(
  tx: Tx,
  newId: () => string,
  rows: readonly TagChange[],
  changed: readonly TagChanged[],
): Promise<void> {
  const asked = new Map(rows.map((row) => [`${row.person.personId} ${row.tag}`, row]));
  const at = rows[0]!.at;
  await emitAll(
    { newId, clocks: { shop: () => at } },
    tx,
    tagged,
    changed.map(({ personId, tag, before, after, logId: log }) => {
      const { person, kind } = asked.get(`${personId} ${tag}`)!;
      const { bucket } = person;
      return { person: { bucket, personId }, data: { tag, before, after, kind, log } };
    }),
  );
}

// ── who is who, by hand ──

type NodeKey = { bucket: number; nodeId: string };
/** Everybody whom links lead to from these nodes; as far as was seen, where that takes more links than the limit. */
export async function componentsOf(reader: Reader, nodes: readonly NodeKey[], limit: number) {
  const seen = new Map(nodes.map(({ bucket, nodeId }) => [nodeId, { bucket, nodeId }]));
  const links = new Map<string, store.LinkRow>();
  let frontier = [...seen.values()];
  let isWhole = true;
  while (frontier.length > 0 && isWhole) {
    const rows = await store.linksAt(reader, frontier, limit + 1);
    frontier = [];
    for (const row of rows) {
      links.set(`${row.nodeId} ${row.otherNodeId} ${row.eventId}`, row);
      for (const node of [
        { bucket: row.bucket, nodeId: row.nodeId },
        { bucket: row.otherBucket, nodeId: row.otherNodeId },
      ])
        if (!seen.has(node.nodeId)) {
          seen.set(node.nodeId, node);
          frontier.push(node);
        }
    }
    isWhole = rows.length <= limit && links.size <= Math.max(limit, nodes.length * 20);
  }
  return { isWhole, nodes: [...seen.values()], links: [...links.values()] };
}
export const limitsOf = ({ limits }: { limits: Record<string, number> }): Limits => ({
  ...usualLimits,
  ...(limits as Partial<Limits>),
});
/** A job whose nodes are still to be named. */
export async function openJob(
  house: House,
  tx: Tx,
  kind: store.JobRow["kind"],
  by: string | null,
): Promise<string> {
  const id = house.newId();
  await store.addJob(tx, { id, kind, by, askedAt: house.clocks.machine() });
  return id;
}

export const jobs = store.jobs;

/** The node that a person is while they are alone leads them. */
const leaderOf = (nodes: readonly store.Own[], { personId }: PersonKey): store.Own | undefined =>
  nodes.find((node) => node.personId === personId && node.homeId === personId) ??
  nodes.find((node) => node.personId === personId);
const linkOf = (row: store.LinkRow): Link => ({
  ...{ node: row.nodeId, other: row.otherNodeId, at: row.at.getTime(), id: row.eventId },
  ...{ nth: row.nth, kind: row.kind, trusted: row.trusted },
});
export type NeverMerge =
  | "people.merge_same"
  | "people.merge_blocked"
  | "people.merge_limit"
  | "people.merge_parted";
/**
 * An operator says that two members are one. Their word stands among what events said, and who is who is worked out from
 * all of it soon after, by a job. Two numbers of the shop's may come together by such a word; a value that says nobody,
 * more identifiers of a type than one person has, and what the shop's own server took apart may not.
 */
export async function mergeByHand(
  { tx, house, actor, now, at, newId }: Context,
  asked: { person: string; other: string; reason: string },
): Promise<
  Result<
    { act: string; job: string; stays: PersonKey; goes: PersonKey },
    "people.unknown" | NeverMerge
  >
> {
  const [person, other] = [await find(tx, asked.person), await find(tx, asked.other)];
  if (!person.ok) return person;
  if (!other.ok) return fail("people.unknown", { fields: ["other"] });
  const [a, b] = [person.value, other.value];
  if (a.personId === b.personId) return fail("people.merge_same", { fields: ["other"] });
  const nodes = await store.nodesOfPeople(tx, [a, b]);
  const [mine, theirs] = [leaderOf(nodes, a), leaderOf(nodes, b)];
  if (!mine || !theirs) return fail("people.unknown", { fields: ["other"] });
  for (const { blocked, type } of [mine, theirs])
    if (blocked) return fail("people.merge_blocked", { fields: ["other"], identifier: type });
  const limits = limitsOf(await store.rulesOf(tx));
  for (const [type, own] of Map.groupBy(nodes, (node) => node.type as NodeType)) {
    const sides = new Set(own.map(({ personId }) => personId));
    // Two numbers of the shop's are what such a word is for.
    if (type !== "user_id" && sides.size > 1 && own.length > limits[type])
      return fail("people.merge_limit", {
        fields: ["other"],
        identifier: type,
        most: limits[type],
      });
  }
  const [ours, others] = [a, b].map(({ personId }) =>
    nodes.filter((node) => node.personId === personId),
  ) as [store.Own[], store.Own[]];
  const said = await store.saidApart(tx, ours, others);
  const rowOf = new Map(said.map((row) => [linkOf(row), row]));
  const held = apart([...rowOf.keys()].toSorted(before));
  if (held.some(({ kind }) => kind === "unbind"))
    return fail("people.merge_parted", { fields: ["other"] });
  const act = newId();
  const word = { eventId: act, at: now, kind: "hand" as const, trusted: true };
  const own = { by: actor.id, why: asked.reason };
  const pairs = [
    {
      bucket: mine.bucket,
      nodeId: mine.nodeId,
      otherBucket: theirs.bucket,
      otherNodeId: theirs.nodeId,
    },
    // What an operator took apart before, this word puts together.
    ...held.map((link) => {
      const { bucket, nodeId, otherBucket, otherNodeId } = rowOf.get(link)!;
      return { bucket, nodeId, otherBucket, otherNodeId };
    }),
  ];
  const once = new Map(
    pairs
      .map((pair) => [[pair.nodeId, pair.otherNodeId].toSorted().join(" "), pair])
      .toReversed() as [string, (typeof pairs)[number]][],
  );
  await store.putLinks(
    tx,
    [...once.values()].map((pair, nth) => ({ ...pair, ...word, ...own, nth })),
  );
  const first = await store.firstNamed(tx, nodes);
  const stays = ours.some(({ nodeId }) => nodeId === first.nodeId) ? a : b;
  const job = await openJob(house, tx, "hand", actor.id);
  await store.askRework(tx, [mine], job, at);
  return ok({ act, job, stays, goes: stays === a ? b : a });
}

/**
 * An operator says that a merge was none. What went along comes back as it stands by then, and nothing that events say
 * puts the two together again: an operator alone can.
 */
export async function unmergeByHand(
  { tx, house, actor, now, at, newId }: Context,
  asked: { person: string; merge: string; reason: string },
): Promise<
  Result<
    { act: string; job: string; merge: store.MergeRow },
    "people.unknown" | "people.merge_unknown" | "people.merge_undone"
  >
> {
  const person = await find(tx, asked.person);
  if (!person.ok) return person;
  const [merge] = await store.mergeOf(tx, asked.merge);
  const into = merge && (await find(tx, merge.intoId));
  if (!merge || !into?.ok || into.value.personId !== person.value.personId)
    return fail("people.merge_unknown");
  if (merge.state === "parting" || merge.state === "parted") return fail("people.merge_undone");
  const homes = await store.nodesOfHomes(tx, [
    { bucket: merge.fromBucket, personId: merge.fromId },
    { bucket: merge.intoBucket, personId: merge.intoId },
  ]);
  const [went, stayed] = [merge.fromId, merge.intoId].map((id) =>
    homes.find(({ homeId }) => homeId === id),
  );
  if (!went || !stayed) return fail("people.merge_unknown");
  const act = newId();
  await store.putLinks(tx, [
    {
      ...{ bucket: went.bucket, nodeId: went.nodeId, eventId: act, nth: 0, at: now },
      ...{ otherBucket: stayed.bucket, otherNodeId: stayed.nodeId, kind: "part", trusted: true },
      ...{ by: actor.id, why: asked.reason },
    },
  ]);
  const job = await openJob(house, tx, "hand", actor.id);
  await store.askRework(tx, [went], job, at);
  return ok({ act, job, merge });
}

/** What becomes of people who turn out to be others: what waits aside at once, and what is then worked out anew. */
export type Following = { aside: readonly Mover[]; refolders: readonly Refold[] };
// ── the rules of who is who ──

/** So many values of its own a shop may say to stand for nobody. */
const blockedMost = 1000;
/** What is not named goes by what is usual. Gives the job that works out anew whom it concerns; null where nobody. */
export async function setLimits(
  { tx, house, actor, at }: Context,
  asked: Partial<Limits>,
): Promise<{ job: string | null; nodes: number }> {
  const was = limitsOf(await store.rulesOf(tx));
  const limits = Object.fromEntries(
    Object.entries(asked).filter(([type, most]) => most !== usualLimits[type as NodeType]),
  );
  await store.setLimits(tx, limits);
  const is = limitsOf({ limits });
  const types = (Object.keys(is) as NodeType[]).filter((type) => is[type] !== was[type]);
  const nodes = new Map<string, NodeKey>();
  for (const type of types)
    for (const node of is[type] < was[type]
      ? await store.overLimit(tx, type, is[type])
      : await store.refusedByLimit(tx))
      nodes.set(node.nodeId, node);
  return rulesJob(house, tx, [...nodes.values()], actor.id, at);
}
async function rulesJob(
  house: House,
  tx: Tx,
  nodes: readonly NodeKey[],
  by: string,
  at: Date,
): Promise<{ job: string | null; nodes: number }> {
  if (nodes.length === 0) return { job: null, nodes: 0 };
  const job = await openJob(house, tx, "rules", by);
  await store.askRework(tx, nodes, job, at);
  return { job, nodes: nodes.length };
}
/** The blind indexes under which a value may be somebody's identifier. */
async function blindsOf(house: House, reader: Reader, { type, value }: Identifier) {
  const sources = await store.sourcesOfNodes(reader);
  return sources.map(({ id }) => privacy.blindOf(house, type, value, id));
}
const blockedPlace = (id: string) => `people_blocked|sealed|${id}`;

/** A value stands for nobody from now on: whoever came together by it is worked out anew. */
export async function block(
  { tx, house, actor, now, at, newId }: Context,
  asked: Identifier & { reason: string },
): Promise<
  Result<
    { id: string; job: string | null; nodes: number },
    "people.blocked_there" | "people.blocked_full"
  >
> {
  if ((await store.allBlocked(tx)).length >= blockedMost) return fail("people.blocked_full");
  const id = newId();
  const fresh = await store.addBlocked(tx, {
    ...{ id, blind: blockedBlind(house, asked), type: asked.type, by: actor.id, why: asked.reason },
    ...{ at: now, sealed: house.keys.wrap(Buffer.from(asked.value), blockedPlace(id)) },
  });
  if (!fresh || saysNobody(asked.value)) return fail("people.blocked_there", { fields: ["value"] });
  const nodes = await store.markBlocked(tx, await blindsOf(house, tx, asked), true);
  return ok({ id, ...(await rulesJob(house, tx, nodes, actor.id, at)) });
}
export async function unblock(
  { tx, house, actor, at }: Context,
  id: string,
): Promise<Result<{ job: string | null; nodes: number }, "people.blocked_unknown">> {
  const [row] = await store.dropBlocked(tx, id);
  if (!row) return fail("people.blocked_unknown");
  const value = house.keys.unwrap(row.sealed, blockedPlace(id)).toString();
  const type = row.type as Identifier["type"];
  const nodes = await store.markBlocked(tx, await blindsOf(house, tx, { type, value }), false);
  return ok(await rulesJob(house, tx, nodes, actor.id, at));
}
/** The limits that hold and the values that stand for nobody, in clear. */
export async function rules(house: House, reader: Reader) {
  const [limits, blocked] = [await store.rulesOf(reader), await store.allBlocked(reader)];
  return {
    limits: limitsOf(limits),
    blocked: blocked.map(({ id, type, sealed, by, why, at }) => ({
      ...{ id, type, by, why, at },
      value: house.keys.unwrap(sealed, blockedPlace(id)).toString(),
    })),
  };
}
export { usualLimits };

/**
 * Works out anew, for these people, everything of a domain that follows from the log alone. Repeatable. Called when a
 * merge, its undoing or a late event changes whose events are whose.
 */
export type Refold = (house: House, tx: Tx, people: PersonKey[]) => Promise<void>;
export type Merge = { id: string; from: PersonKey; into: PersonKey };
/**
 * What becomes of that which was done with a person: `merge` gives it to `into` and writes down under the merge's id
 * what it did; `unmerge` gives back exactly that. Both may be called again after a crash.
 */
export type Mover = {
  /** Of many at once, as if of one after the other. */
  merge: (house: House, tx: Tx, merges: readonly Merge[]) => Promise<unknown>;
  unmerge: (house: House, tx: Tx, merge: Merge) => Promise<void>;
};

/** Gives whoever gave or was given rows. */
type RowMover = Omit<Mover, "merge"> & {
  merge: (house: House, tx: Tx, merges: readonly Merge[]) => Promise<PersonKey[]>;
};
type Moved = { rows: Row[]; went: string[]; aside: Row[] };
type Tables = {
  /**
   * Rows that go to the one who stays: table and what is beside the person in its key. A part of the key keeps together
   * whatever has that part: all of it goes, or none.
   */
  moved?: Record<string, readonly string[]>;
  /** Rows that are worked out: they wait aside, and stand again as they were where the merge is undone. */
  parked?: readonly string[];
  /** Of rows of one key on both sides, do those of the one who goes win? Else those of the one who stays. */
  wins?: (
    table: string,
    from: readonly Record<string, unknown>[],
    into: readonly Record<string, unknown>[],
  ) => boolean;
};
const place = (table: string) => `rows|${table}`;
const read = ({ text }: Row) => JSON.parse(text) as Record<string, unknown>;
/**
 * The mover of tables whose rows are a person's. What was moved goes back to whoever it was given to at first, as it
 * stands by then: a coupon that was spent meanwhile comes back spent.
 */
export function moverOf({ moved = {}, parked = [], wins = () => false }: Tables): RowMover {
  return {
    merge: async (_, tx, merges) => {
      const goers = merges.map(({ from }) => from);
      for (const table of parked) {
        const rows = Map.groupBy(await takeRows(tx, table, goers), ({ personId }) => personId);
        await store.parkAll(
          tx,
          merges.flatMap(({ id, from }) => {
            const theirs = rows.get(from.personId);
            if (!theirs) return [];
            const kept: Moved = { rows: theirs.map(textOf), went: [], aside: [] };
            return [{ person: from, mergeId: id, place: place(table), rows: kept }];
          }),
        );
      }
      const touched = new Map<string, PersonKey>();
      for (const [table, key] of Object.entries(moved))
        for (const person of await moveRows(tx, { table, key, wins }, merges))
          touched.set(person.personId, person);
      return [...touched.values()];
    },
    unmerge: async (_, tx, { id, from, into }) => {
      for (const table of parked) {
        const had = (await store.parked(tx, from, id, place(table))) as Moved | null;
        // Worked out meanwhile of somebody who was nobody: what was there before stands again.
        if (!had) continue;
        await takeRows(tx, table, [from]);
        await giveRows(tx, table, had.rows);
      }
      for (const [table, key] of Object.entries(moved)) {
        const had = (await store.parked(tx, from, id, place(table))) as Moved | null;
        if (!had) continue;
        const went = new Set(had.went);
        const back = await recall(tx, table, key, into, went);
        const kept = had.rows.filter((row) => !went.has(keyOf(row, key)));
        await giveRows(tx, table, [...back, ...kept].map(givenTo(from)));
        await handOn(tx, table, key, into, had.aside);
      }
    },
  };
}
const textOf = ({ text }: Row): Row => ({ text });
const givenTo = (to: PersonKey) => (row: Row) => ({ ...row, to });
const asked = (person: PersonKey, keys: Iterable<string>) =>
  [...keys].map((key) => ({ person, key }));
/**
 * Moves the rows of one table for many merges: what is concerned is taken once, goes from hand to hand here as if one
 * merge came after the other, and is given back once. Gives whoever gave or was given any.
 */
async function moveRows(
  tx: Tx,
  {
    table,
    key,
    wins,
  }: { table: string; key: readonly string[]; wins: NonNullable<Tables["wins"]> },
  merges: readonly Merge[],
): Promise<PersonKey[]> {
  const of = (row: Row) => keyOf(row, key);
  const goers = new Set(merges.map(({ from }) => from.personId));
  const has = new Map<string, Row[]>();
  const add = (personId: string, rows: readonly Row[]) =>
    has.set(personId, [...(has.get(personId) ?? []), ...rows]);
  const taken = await takeRows(
    tx,
    table,
    merges.map(({ from }) => from),
  );
  if (taken.length === 0) return [];
  for (const row of taken) add(row.personId, [textOf(row)]);
  // Which keys may come to whom: of those who stay to the end only rows of these are concerned.
  const keys = new Map([...has].map(([personId, rows]) => [personId, new Set(rows.map(of))]));
  const stay = new Map<string, PersonKey>();
  for (const { from, into } of merges) {
    const theirs = keys.get(from.personId);
    if (!theirs) continue;
    keys.set(into.personId, (keys.get(into.personId) ?? new Set()).union(theirs));
    if (!goers.has(into.personId)) stay.set(into.personId, into);
  }
  const there = [...stay.values()].flatMap((one) => asked(one, keys.get(one.personId)!));
  for (const row of await takeSome(tx, table, there)) add(row.personId, [textOf(row)]);

  const touched = new Map<string, PersonKey>();
  const parking: store.Parking[] = [];
  for (const { id, from, into } of merges) {
    const rows = has.get(from.personId) ?? [];
    if (rows.length === 0) continue;
    const mine = Map.groupBy(rows, of);
    const [rest, met] = [[] as Row[], [] as Row[]];
    for (const row of has.get(into.personId) ?? []) (mine.has(of(row)) ? met : rest).push(row);
    const theirs = Map.groupBy(met, of);
    const wonBy = [...theirs].flatMap(([one, had]) =>
      wins(table, mine.get(one)!.map(read), had.map(read)) ? [one] : [],
    );
    const aside = wonBy.flatMap((one) => theirs.get(one)!);
    for (const one of wonBy) theirs.delete(one);
    const goes = rows.filter((row) => !theirs.has(of(row)));
    has.set(from.personId, []);
    has.set(into.personId, [...rest, ...[...theirs.values()].flat(), ...goes]);
    const went = [...new Set(goes.map(of))];
    parking.push({
      ...{ person: from, mergeId: id, place: place(table) },
      rows: { rows, went, aside } satisfies Moved,
    });
    for (const person of [from, into]) touched.set(person.personId, person);
  }
  await giveRows(
    tx,
    table,
    [...has].flatMap(([personId, rows]) => rows.map(givenTo(touched.get(personId)!))),
  );
  await store.parkAll(tx, parking);
  return [...touched.values()];
}
/** The merges by which somebody is who they are by now, the nearest first. */
export async function* onwards(tx: Tx, person: PersonKey): AsyncGenerator<Merge> {
  let at = person;
  for (;;) {
    const [next] = await store.mergesFrom(tx, [at.personId]);
    if (!next) return;
    const { id, fromBucket, fromId, intoBucket, intoId } = next;
    const into = { bucket: intoBucket, personId: intoId };
    yield { id, from: { bucket: fromBucket, personId: fromId }, into };
    at = into;
  }
}
/**
 * Takes back the rows of these keys that were given to somebody, from wherever they went with them: somebody who was
 * merged further may hold a row of the same key that is their own.
 */
async function recall(
  tx: Tx,
  table: string,
  key: readonly string[],
  given: PersonKey,
  keys: ReadonlySet<string>,
): Promise<Row[]> {
  const found: Row[] = [];
  let left = new Set(keys);
  let at = given;
  for await (const { id, from, into } of onwards(tx, given)) {
    if (left.size === 0) break;
    const on = (await store.parked(tx, from, id, place(table))) as Moved | null;
    // Its step has not been done yet: whatever is theirs is there.
    if (!on) break;
    const mine = on.rows.filter((row) => left.has(keyOf(row, key)));
    const went = new Set(on.went);
    found.push(...mine.filter((row) => !went.has(keyOf(row, key))));
    left = new Set(mine.map((row) => keyOf(row, key)).filter((one) => went.has(one)));
    at = into;
    const isOurs = (one: string) => keys.has(one);
    // What gave way to a row that leaves has its place again.
    const back = on.aside.filter((row) => isOurs(keyOf(row, key)));
    const rest: Moved = {
      rows: on.rows.filter((row) => !isOurs(keyOf(row, key))),
      went: on.went.filter((one) => !isOurs(one)),
      aside: on.aside.filter((row) => !isOurs(keyOf(row, key))),
    };
    await store.park(tx, from, id, place(table), rest);
    if (back.length > 0) {
      found.push(...(await recall(tx, table, key, at, left)));
      await handOn(tx, table, key, at, back);
      return found;
    }
  }
  return [...found, ...(await takeSome(tx, table, asked(at, left)))];
}
/** Gives somebody their rows again; where they are another by now, the rows go with them. */
async function handOn(
  tx: Tx,
  table: string,
  key: readonly string[],
  to: PersonKey,
  rows: readonly Row[],
): Promise<void> {
  if (rows.length === 0) return;
  let at = to;
  for await (const { id, from, into: next } of onwards(tx, to)) {
    const on = (await store.parked(tx, from, id, place(table))) as Moved | null;
    if (!on) break;
    const keys = new Set(rows.map((row) => keyOf(row, key)));
    const had = await takeSome(tx, table, asked(next, keys));
    await giveRows(tx, table, had.map(textOf));
    const taken = new Set(had.map((row) => keyOf(row, key)));
    const went = [...keys].filter((one) => !taken.has(one));
    await store.park(tx, from, id, place(table), {
      rows: [...on.rows, ...rows],
      went: [...on.went, ...went],
      aside: on.aside,
    } satisfies Moved);
    rows = rows.filter((row) => went.includes(keyOf(row, key)));
    at = next;
  }
  await giveRows(tx, table, rows.map(givenTo(at)));
}
/** What waits aside, of one table, of everybody who is this person by now. */
export async function waitingAside(
  tx: Tx,
  personId: string,
  table: string,
): Promise<Record<string, unknown>[]> {
  const all = (await store.parkedOf(tx, personId, place(table))) as unknown as {
    rows: Moved;
  }[];
  return all.flatMap(({ rows: { rows, aside } }) => [...rows, ...aside].map(read));
}
/** What a mover wrote down of a merge, beside rows. */
export const note = store.park;
export const noted = store.parked;

const ownRows = moverOf({
  parked: ["people_profile", "people_field", "people_tag", "people_tag_log"],
});
type HandTag = { tag: string; logId: string };
/** Tags by hand go to the one who stays, where they have none of that name; everything else of a profile is worked out. */
export const movers: Mover = {
  merge: async (house, tx, merges) => {
    const tagged = new Set(
      (
        await store.handTagged(
          tx,
          merges.map(({ from }) => from),
        )
      ).map(({ personId }) => personId),
    );
    for (const { id, from, into } of merges) {
      if (!tagged.has(from.personId)) continue;
      tagged.add(into.personId);
      const given: HandTag[] = [];
      for (const one of await store.copyHandTags(tx, from, into)) {
        given.push({ tag: one.tag, logId: one.logId });
        await setEnd(tx, into, one);
      }
      if (given.length > 0) await store.park(tx, from, id, "hand", given);
    }
    await ownRows.merge(house, tx, merges);
  },
  unmerge: async (house, tx, merge) => {
    const { id, from, into } = merge;
    const given = ((await store.parked(tx, from, id, "hand")) ?? []) as HandTag[];
    // What was set by hand meanwhile has a line of the log of its own, and stays.
    if (given.length > 0) await ungive(tx, into, given);
    await ownRows.unmerge(house, tx, merge);
    for (const one of await store.endingTags(tx, from)) await setEnd(tx, from, one);
  },
};
const setEnd = async (
  tx: Tx,
  person: PersonKey,
  { tag, expiresAt }: { tag: string; expiresAt: Date | null },
): Promise<void> => {
  if (expiresAt) await setTimers(tx, [{ ...person, kind: tagEnds, key: tag, dueAt: expiresAt }]);
};
/** Takes tags away that were given, from whoever has them by now and from what waits aside of those between. */
async function ungive(tx: Tx, into: PersonKey, given: readonly HandTag[]): Promise<void> {
  const logs = new Set(given.map(({ logId }) => logId));
  let at = into;
  for await (const { id, from, into: next } of onwards(tx, into)) {
    for (const [table, column] of [
      ["people_tag", "log_id"],
      ["people_tag_log", "id"],
    ] as const) {
      const waits = (await store.parked(tx, from, id, place(table))) as Moved | null;
      if (!waits) continue;
      const rows = waits.rows.filter((row) => !logs.has(String(read(row)[column])));
      await store.park(tx, from, id, place(table), { ...waits, rows });
    }
    const on = ((await store.parked(tx, from, id, "hand")) ?? []) as HandTag[];
    const rest = on.filter(({ logId }) => !logs.has(logId));
    if (rest.length > 0) await store.park(tx, from, id, "hand", rest);
    at = next;
  }
  await store.dropHandTags(
    tx,
    at,
    given.map(({ logId }) => logId),
  );
}
/** What is on its way to others goes to the one who stays. */
export const waiting: Mover = moverOf({ moved: { outbox: ["id"] } });
/** Timers are void from that moment; each domain sets anew those of what it moves and works out. */
export const timers: Mover = moverOf({ parked: ["timer"] });

/** Tells the columns whose nodes are whose; says how many were told. */
export const ship = (house: House): Promise<number> =>
  house.sql.begin(async (tx) => {
    const nodes = await store.unshipped(tx, 50_000);
    if (nodes.length === 0) return 0;
    await house.columns.insert(
      "person_node",
      nodes.map(({ nodeId, personId, version, spans }) => ({
        node_id: nodeId,
        person_id: personId,
        version: String(version),
        spans: spans.map(([from_at, from_id, person_id]) => ({ from_at, from_id, person_id })),
      })),
      // Sent twice, the latest version counts; the token only spares the room.
      `person_node:${house.newId()}`,
    );
    await store.markShipped(tx, nodes);
    return nodes.length;
  });

/** Lets the columns be told again whose every node is. */
export const reship = store.reship;

/** The person's own rows here; among the erasers it stands behind those who find theirs by an identifier. */
export const eraseRows = store.eraseRows;
/** Everything of one person in one transaction. The columns follow in `eraseColumns` of privacy's jobs. */
export async function erase(
  { tx, now, at, newId }: Context,
  personId: string,
  erasers: readonly privacy.Eraser[],
): Promise<Result<{ erasure: string }, "people.unknown">> {
  const person = await find(tx, personId);
  if (!person.ok) return person;
  // Whoever writes under one of these nodes at this moment comes first, or does not find it any more.
  await store.holdNodes(tx, person.value);
  // A device that several people used goes with whoever is erased first.
  await store.takeSplit(tx, person.value);
  const nodes = await nodesOf(tx, person.value);
  const id = newId();
  // Whoever turned out to be them goes too: what waits of them, and what the columns know of their id.
  for (const home of await store.homesOf(tx, person.value.personId)) {
    await privacy.forget(tx, home, [], { id: newId(), now, at });
    for (const eraser of erasers) await eraser(tx, home, [], { newId, now });
    await dropWaiting(tx, home);
  }
  await privacy.forget(tx, person.value, nodes, { id, now, at });
  for (const eraser of erasers) await eraser(tx, person.value, nodes, { newId, now });
  await dropWaiting(tx, person.value);
  return ok({ erasure: id });
}
