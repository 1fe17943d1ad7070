// What a shop tells of who its people are becomes their profile: how they are called is sealed, where they live is plain,
// and what joins two identifiers makes them one somebody, unless it would put together two who are known apart.
import * as collectRules from "#collect/rules.ts";
import * as collect from "#collect/service.ts";
import { crashAt } from "#kernel/crash.ts";
import type { House } from "#kernel/endpoint.ts";
import { faultOf } from "#kernel/log.ts";
import { emitAll } from "#kernel/outbox.ts";
import type { PersonKey, Slice, Tx } from "#kernel/sql.ts";
import { isDerived, isDirect } from "#privacy/rules.ts";
import * as privacy from "#privacy/service.ts";
import { at as saidAt } from "#segments/rules.ts";
import { ownTold, ownValue } from "#traits/rules.ts";
import * as traits from "#traits/service.ts";
import * as events from "./events.ts";
import { changes } from "./model/changes.ts";
import { standing } from "./model/word.ts";
import * as service from "./service.ts";
import * as store from "./store.ts";
import * as views from "./views.ts";

/** What the shop or its pages told, and what the person says of themselves here. */
const source = "identify";
const selfSaid = "self";
/** What an order says of its buyer, by the way. */
const ordered = "orders";
const reachable = ["email", "phone"] as const;

type Consume = (house: House, tx: Tx, slice: Slice) => Promise<void>;
/** Whose events turned out to be whose in a transaction: for the others, once they have read its slice of the log too. */
const regrouped = new WeakMap<Tx, Map<string, PersonKey>>();
const remember: service.Refold = async (_, tx, people) => {
  const known = regrouped.get(tx) ?? new Map<string, PersonKey>();
  for (const person of people) known.set(person.personId, person);
  regrouped.set(tx, known);
};
/** What the others work out anew, in the same transaction, for whoever `consume` found to be somebody else. */
export const followWith =
  (refolders: readonly service.Refold[]): Consume =>
  async (house, tx) => {
    const people = [...(regrouped.get(tx)?.values() ?? [])];
    if (people.length > 0) for (const refolder of refolders) await refolder(house, tx, people);
  };
/**
 * What people make of a slice of the log, before anybody else: who is who, then what was told of them. An event of a
 * known sender without links, or with such as hold already, asks nothing of its component: one statement for the links
 * of a slice, and one for those that say something new. Each component that does change costs two statements a step of
 * its depth, shared by all of the slice.
 */
export const consumeWith =
  (aside: readonly service.Mover[]): Consume =>
  async (house, tx, slice) => {
    const said = await views.identified(tx, slice);
    const opened = await open(house, tx, said);
    const links = [...(await store.addLinks(tx, slice)), ...(await reach(house, tx, opened.asked))];
    if (links.length > 0) {
      const fresh = await store.newWord(tx, links);
      if (fresh.length > 0)
        await settle(house, tx, fresh, { aside, refolders: [refold, remember] });
    }
    await tell(house, tx, await unspoken(house, tx, said, await owned(tx, opened)));
  };
/** With nothing but what is people's own. */
export const consume: Consume = consumeWith([service.movers]);

/** Works out anew what was told of these people, from every event that is theirs now. */
export async function refold(house: House, tx: Tx, people: PersonKey[]): Promise<void> {
  if (people.length === 0) return;
  await store.dropTold(tx, people, [source, selfSaid]);
  await tell(house, tx, await open(house, tx, await views.identifiedOf(tx, people)));
}

/** Tells anew what was said of these people under the name of an attribute of the shop's own; nothing where it is going. */
export async function tellOwn(
  house: House,
  tx: Tx,
  people: readonly PersonKey[],
  name: string,
): Promise<void> {
  const rows = people.flatMap(({ bucket, personId }) =>
    [source, selfSaid].map((by) => ({ person: { bucket, personId }, name, source: by })),
  );
  await service.dropAttributes(tx, rows, house.clocks.shop());
  const { owns } = await traits.declared(house, tx);
  if (!owns.some((own) => own.name === name)) return;
  const { attributes } = await open(house, tx, await views.identifiedOf(tx, people));
  const own = attributes.filter((one) => one.name === name);
  await tell(house, tx, { fields: [], attributes: own });
}

/**
 * Leaves out what is vouched for of people who have spoken for themselves: what counts of them follows from all that was
 * ever said, and is worked out anew here. Of everybody else the words of a slice are enough.
 */
async function unspoken(
  house: House,
  tx: Tx,
  said: readonly views.Said[],
  opened: Opened,
): Promise<Opened> {
  await store.markOwn(
    tx,
    said.flatMap((one) => (isOwn(one) ? [{ bucket: one.nodeBucket, nodeId: one.nodeId }] : [])),
  );
  const vouched = [...opened.fields, ...opened.attributes].filter(({ weight }) => weight === 1);
  if (vouched.length === 0) return opened;
  const spoke = await store.spoken(tx, [
    ...new Map(vouched.map((one) => [one.personId, one])).values(),
  ]);
  if (spoke.length === 0) return opened;
  await refold(house, tx, spoke);
  const theirs = new Set(spoke.map(({ personId }) => personId));
  const rest = <T extends Told>(rows: readonly T[]) =>
    rows.filter(({ personId, weight }) => weight < 1 || !theirs.has(personId));
  return { ...opened, fields: rest(opened.fields), attributes: rest(opened.attributes) };
}
/** Said by the person, shown by their token: here, or in a form. */
const isOwn = ({ sourceId, byToken }: views.Said): boolean =>
  sourceId === collectRules.selfSource || byToken;

type Told = PersonKey & {
  weight: number;
  own: boolean;
  sourceId: string;
  at: Date;
  id: string;
  source: string;
};
type Opened = {
  fields: (Told & { field: string; value: string | null } & views.Whose)[];
  attributes: (Told & { name: string; value: unknown } & views.Whose)[];
  asked: Asked[];
};
async function open(house: House, tx: Tx, said: readonly views.Said[]): Promise<Opened> {
  const found: Opened = { fields: [], attributes: [], asked: [] };
  if (said.length === 0) return found;
  // As it is declared until this transaction ends.
  const { owns } = await traits.declared(house, tx);
  const keys = await privacy.nodeKeys(
    house,
    tx,
    said.map(({ nodeBucket, nodeId }) => ({ bucket: nodeBucket, nodeId })),
  );
  for (const {
    id,
    bucket,
    personId,
    at,
    sourceId,
    sourceKind,
    nodeBucket,
    nodeId,
    ...event
  } of said) {
    // A browser's word for it is a claim. What a person sets right here finds nobody: of addresses it says nothing.
    const weight = sourceKind === "public" ? 0.5 : 1;
    const here = sourceId === collectRules.selfSource;
    const own = here || event.byToken;
    const told = {
      ...{ bucket, personId, nodeBucket, nodeId, weight, own, sourceId, at, id },
      source: own ? selfSaid : source,
    };
    for (const name of here ? (event.removed ?? []) : [])
      if (isDerived(name) || owns.some((one) => one.name === name))
        found.attributes.push({ ...told, name, value: null });
      else if (isDirect(name)) found.fields.push({ ...told, field: name, value: null });
    for (const [name, value] of Object.entries(event.traits ?? {}))
      if (isDerived(name)) found.attributes.push({ ...told, name, value });
    for (const one of owns) {
      const value = ownValue(one, saidAt(event.answers, one.name), house.clocks.timeZone);
      if (value !== undefined) found.attributes.push({ ...told, name: one.name, value });
    }
    const key = keys.get(nodeId);
    if (!key || !event.sealed || sourceKind === "public") continue;
    const direct = collect.openDirect(key, nodeId, event.sealed);
    // What the shop declares itself is on no list of ours: its server says it under a name like any other's.
    for (const one of owns) {
      const text = collectRules.traitNamed(direct, one.name);
      const value = text === undefined ? undefined : ownTold(one, text, house.clocks.timeZone);
      if (value !== undefined) found.attributes.push({ ...told, name: one.name, value });
    }
    for (const [name, value] of Object.entries(direct)) {
      const field = name.startsWith("traits.") ? name.slice(7) : "";
      const reaches = here && (reachable as readonly string[]).includes(field);
      if (isDirect(field) && !reaches) found.fields.push({ ...told, field, value });
    }
    if (here) continue;
    for (const [nth, type] of reachable.entries()) {
      const value = direct[`traits.${type}`];
      if (value !== undefined)
        found.asked.push({
          sourceId,
          identifier: { type, value },
          at,
          ...{ nodeBucket, nodeId, id, nth },
        });
    }
  }
  return found;
}
/** Whose each word is by now: who is who may have changed since it was read. */
async function owned(tx: Tx, { fields, attributes, asked }: Opened): Promise<Opened> {
  const all = [...fields, ...attributes];
  if (all.length === 0) return { fields, attributes, asked };
  const owners = await views.ownersAt(tx, all);
  const own = <T extends Told & views.Whose>(row: T): T[] => {
    const person = owners.get(views.wordKey(row));
    return person ? [{ ...row, ...person }] : [];
  };
  return { fields: fields.flatMap(own), attributes: attributes.flatMap(own), asked };
}
/** Writes the word that stands on each field, where it outweighs what is there. */
async function tell(
  house: House,
  tx: Tx,
  { fields, attributes }: Omit<Opened, "asked">,
): Promise<void> {
  const best = <T extends Told & { value: unknown }>(
    rows: readonly T[],
    name: (row: T) => string,
  ): T[] =>
    [...Map.groupBy(rows, (row) => `${row.personId} ${name(row)}`).values()].flatMap(
      (words) => standing(words) ?? [],
    );
  await service.setFields(
    house,
    tx,
    best(fields, ({ field }) => field).flatMap(
      ({ bucket, personId, field, value, source: by, at, id }) =>
        value === null
          ? []
          : [
              {
                person: { bucket, personId },
                ...{ field, value, source: by, at, eventId: id },
              },
            ],
    ),
  );
  const said = best(attributes, ({ name }) => name);
  if (said.length === 0) return;
  const there = new Map(
    (await views.attributeTimes(tx, said, [...new Set(said.map(({ name }) => name))])).map(
      ({ personId, name, at, c, id, s }) => [
        `${personId} ${name}`,
        { weight: c, at: new Date(at), id: id ?? "", source: s },
      ],
    ),
  );
  const won = said.filter((row) => {
    const had = there.get(`${row.personId} ${row.name}`);
    return !had || (row.own && had.source === ordered) || outweighs(row, had);
  });
  await service.setAttributes(
    tx,
    won.map(({ bucket, personId, name, value, source: by, at, weight, id }) => ({
      person: { bucket, personId },
      ...{ name, value, source: by, at, confidence: weight, eventId: id },
    })),
    house.clocks.shop(),
  );
}
type Weighed = { weight: number; at: Date; id: string };
const outweighs = (a: Weighed, b: Weighed): boolean =>
  a.weight !== b.weight
    ? a.weight > b.weight
    : a.at.getTime() !== b.at.getTime()
      ? a.at > b.at
      : a.id >= b.id;

type Asked = Omit<service.NewIdentifier, "person"> & {
  nodeBucket: number;
  nodeId: string;
  id: string;
  nth: number;
};
/** Addresses by which people can be found are identifiers of their own, and an event that tells one is a link to it. */
async function reach(house: House, tx: Tx, all: readonly Asked[]): Promise<store.LinkRow[]> {
  const asked = await sinceErased(house, tx, all);
  const nodes = await service.meet(house, tx, asked);
  return store.putLinks(
    tx,
    asked.flatMap(({ nodeBucket, nodeId, id, nth, at }, i) => {
      const other = nodes[i]!;
      return other.nodeId === nodeId
        ? []
        : [
            {
              ...{ bucket: nodeBucket, nodeId, eventId: id, at, nth: 100 + nth, trusted: true },
              ...{
                otherBucket: other.bucket,
                otherNodeId: other.nodeId,
                kind: "identify" as const,
              },
            },
          ];
    }),
  );
}
/** An erased address is forgotten for whatever was said of it before: only a later word brings it back. */
async function sinceErased(house: House, tx: Tx, all: readonly Asked[]): Promise<Asked[]> {
  const blinds = all.map(({ identifier, sourceId }) =>
    privacy.blindOf(house, identifier.type, identifier.value, sourceId),
  );
  const gone = await privacy.tombstoned(tx, blinds);
  return all.filter(({ at }, i) => {
    const erased = gone.get(blinds[i]!.toString("hex"));
    return !erased || at > erased;
  });
}

// ── who is who ─────────────────────────────────────────────────────────────────────────────────────────────────────

type NodeKey = { bucket: number; nodeId: string };
/** Links of one component, and events of those who changed in it, that go through together with the log. */
const componentLimit = 10_000;
const eventLimit = 10_000;

/** Works out anew who is who among everybody that these nodes are joined with; what is too much is left to a job. */
export async function settle(
  house: House,
  tx: Tx,
  nodes: readonly NodeKey[],
  following: service.Following,
): Promise<void> {
  await store.holdResolver(tx);
  let left = [...nodes];
  let helping = left.length;
  while (left.length > 0) {
    const some = left.slice(0, helping);
    const found = await service.componentsOf(tx, some, componentLimit);
    if (found.isWhole) {
      const people = await apply(house, tx, found, following.aside);
      if (await views.hasMoreEvents(tx, people, eventLimit))
        await store.askRefold(tx, people, await componentJob(house, tx));
      else if (people.length > 0)
        for (const refolder of following.refolders) await refolder(house, tx, people);
      left = left.slice(some.length);
    } else if (some.length > 1) helping = Math.ceil(some.length / 4);
    else {
      await store.askRework(tx, some, await componentJob(house, tx), house.clocks.machine());
      // Whoever hangs together with it is gone through with it.
      const seen = new Set(found.nodes.map(({ nodeId }) => nodeId));
      left = left.filter(({ nodeId }) => !seen.has(nodeId));
    }
  }
}
const componentJob = async (house: House, tx: Tx): Promise<string> =>
  (await store.waitingJob(tx, "component")) ?? service.openJob(house, tx, "component", null);

/** Writes down who is who. Gives those of whom something else is true now: what follows from the log is to be told anew. */
async function apply(
  house: House,
  tx: Tx,
  { nodes, links }: { nodes: NodeKey[]; links: store.LinkRow[] },
  aside: readonly service.Mover[],
): Promise<PersonKey[]> {
  const known = await store.nodesAt(tx, nodes);
  const rules = await store.rulesOf(tx);
  const limits = service.limitsOf(rules);
  const split = known.filter((node) => node.split);
  const spans = split.length > 0 ? await store.spansAt(tx, split) : [];
  const homes = known.map(({ homeId }) => homeId);
  const merges = await store.mergesFrom(tx, homes);
  const work = changes(known, links, spans, merges, limits);
  await store.setRefusals(tx, nodes, work.refusals);
  const now = house.clocks.shop();
  if (work.owners.length > 0) {
    const had = await views.belongings(
      tx,
      work.merges.map(({ fromBucket: bucket, fromId: personId }) => ({ bucket, personId })),
    );
    await store.bePeople(tx, work.people);
    await store.setOwners(tx, work.owners);
    await store.setSpans(tx, work.respan, work.spans);
    await store.stamp(tx, work.touched);
    const left = new Set((await store.leavePeople(tx, work.gone)).map(({ personId }) => personId));
    const parted = new Set(work.parted);
    for (const merge of merges.filter(({ id }) => parted.has(id)).toReversed())
      for (const mover of aside.toReversed()) await mover.unmerge(house, tx, keyed(merge));
    await store.part(tx, work.parted, now, work.parting);
    const fresh = work.merges
      .filter(({ fromId, again }) => again || left.has(fromId))
      .map(({ fromBucket, fromId, intoBucket, intoId, cause, word, by, why }) => ({
        ...{ fromBucket, fromId, intoBucket, intoId, cause, word, by, why },
        ...{ id: house.newId(), at: now, moved: had.get(fromId) ?? {} },
      }));
    await store.addMerges(tx, fresh);
    for (const mover of aside) await mover.merge(house, tx, fresh.map(keyed));
  }
  await tagRefusals(house, tx, work);
  // Whoever is another now has nothing of their own: what was theirs waits as it stood.
  const gone = new Set(work.gone.map(({ personId }) => personId));
  return work.touched.filter(({ personId }) => !gone.has(personId));
}
/** A refused link leaves a tag with whoever said it, for as long as it is refused. */
async function tagRefusals(
  house: House,
  tx: Tx,
  { conflicts, people }: ReturnType<typeof changes>,
): Promise<void> {
  const tag = "identifier_conflict";
  const had = await views.tagsOf(tx, people, [tag], new Date(0));
  const now = house.clocks.shop();
  const common = { tag, kind: "rule" as const, source: "people" };
  const rows: service.TagChange[] = conflicts.map(({ person, types, cause, at }) => ({
    ...{ ...common, person, value: types.join(","), reason: { types }, cause, at },
  }));
  const stays = new Set(conflicts.map(({ person }) => person.personId));
  for (const { personId } of had)
    if (!stays.has(personId)) {
      const person = people.find((one) => one.personId === personId)!;
      rows.push({ ...common, person, value: null, reason: { types: [] }, at: now });
    }
  if (rows.length > 0) await service.setTags(tx, house.newId, rows);
}

/** So many people are worked out anew in one transaction of a job. */
const peopleAtOnce = 50;

/**
 * Takes some of what is to be done and does it in one transaction; where that fails, each alone. What fails alone rests,
 * so that it holds up no other. Says of how many it was done or put off: while that is any, there may be others.
 */
async function doneApart<T>(
  house: House,
  name: string,
  work: {
    take: (tx: Tx, only: T | null) => Promise<readonly T[]>;
    act: (tx: Tx, taken: readonly T[]) => Promise<void>;
    rest: (one: T) => Promise<unknown>;
  },
): Promise<number> {
  let taken: readonly T[] = [];
  const go = (only: T | null) =>
    house.sql.begin(async (tx) => {
      taken = await work.take(tx, only);
      if (taken.length > 0) await work.act(tx, taken);
      return taken.length;
    });
  try {
    return await go(null);
  } catch (thrown) {
    const all = taken;
    if (all.length === 0) throw thrown; // the engine, not what was taken
    const rest = async (one: T, why: unknown) => {
      await work.rest(one);
      house.log.error({ event: `people.${name}_failed`, ...faultOf(why) });
    };
    if (all.length === 1) await rest(all[0]!, thrown);
    else for (const one of all) await go(one).catch((why: unknown) => rest(one, why));
    return all.length;
  }
}

/**
 * A step of what is done beside the log, each in a transaction of its own: some of those who are to be worked out anew,
 * else the component that has waited longest. Says how much was done; whatever ends it, the next call goes on from there.
 */
export async function rework(
  house: House,
  { aside, refolders }: service.Following,
): Promise<number> {
  if (!(await store.isRework(house.sql))) return 0;
  const ended = async (tx: Tx) => {
    await store.endJobs(tx, house.clocks.machine());
    crashAt("people.rework_step");
  };
  const long = (tx: Tx) => tx`set local statement_timeout = '10min'`;
  const people = await doneApart(house, "refold", {
    take: async (tx, only: store.Refolding | null) => {
      await long(tx);
      return store.takeRefold(tx, peopleAtOnce, only);
    },
    act: async (tx, those) => {
      for (const refolder of refolders) await refolder(house, tx, [...those]);
      await store.countRefolds(
        tx,
        those.map(({ jobId }) => jobId),
      );
      await ended(tx);
    },
    rest: (one) => store.restRefold(house.sql, one),
  });
  if (people > 0) return 1;
  return doneApart(house, "component", {
    take: async (tx) => {
      await long(tx);
      await store.holdResolver(tx);
      return store.nextRework(tx);
    },
    act: async (tx, [node]) => {
      const { jobId } = node!;
      const found = await service.componentsOf(tx, [node!], Number.MAX_SAFE_INTEGER - 1);
      const touched = await apply(house, tx, found, aside);
      if (touched.length > 0) await store.askRefold(tx, touched, jobId);
      await store.countLinks(tx, jobId, found.links.length);
      await store.doneRework(tx, found.nodes);
      await ended(tx);
    },
    rest: (one) => store.restRework(house.sql, one),
  });
}

/** So many merges take each step together. */
const mergesAtOnce = 1000;

/**
 * What is to be done for people who turned out to be one somebody, or not to be: some of them from their first domain to
 * their last, before the log is looked at again. Says how many steps were done; call again until it says 0.
 */
export async function merge(
  house: House,
  movers: readonly service.Mover[],
  refolders: readonly service.Refold[],
): Promise<number> {
  let done = 0;
  for (let i = 0; i <= movers.length; i++) {
    if (!(await store.isMerging(house.sql))) break;
    const steps = await doneApart(house, "merge", {
      take: (tx, only: store.MergeRow | null) => store.openMerges(tx, mergesAtOnce, only),
      act: (tx, open) => mergeStep(house, tx, open, movers, refolders),
      rest: (one) => store.restMerge(house.sql, one),
    });
    if (steps === 0) break;
    done += steps;
  }
  return done;
}
/** A domain at a time, in a transaction that also writes down how far it came. */
async function mergeStep(
  house: House,
  tx: Tx,
  open: readonly store.MergeRow[],
  movers: readonly service.Mover[],
  refolders: readonly service.Refold[],
): Promise<void> {
  for (const [, together] of Map.groupBy(open, ({ state, step }) => `${state} ${step}`)) {
    const { state, step } = together[0]!;
    const ids = together.map(({ id }) => id);
    if (state === "merging") {
      const mover = movers[step];
      if (mover) await mover.merge(house, tx, together.map(keyed));
      if (step + 1 < movers.length) await store.setStep(tx, ids, "merging", step + 1);
      else {
        await store.setStep(tx, ids, "merged", movers.length);
        await emitAll(house, tx, events.merged, together.map(told));
      }
    } else {
      // Undone from the last step that was done, backwards.
      const last = Math.min(step, movers.length) - 1;
      const mover = movers[last];
      if (mover) for (const one of together) await mover.unmerge(house, tx, keyed(one));
      if (last > 0) await store.setStep(tx, ids, "parting", last);
      else {
        // Whoever they are by now: either may be another once more.
        const ends = together.flatMap((one) => [one.fromId, one.intoId]);
        const people = await store.ways(tx, ends);
        for (const refolder of refolders) await refolder(house, tx, people);
        await store.setStep(tx, ids, "parted", 0);
        await emitAll(house, tx, events.unmerged, together.map(told));
      }
    }
    crashAt("people.merge_step");
  }
}
type Ends = Pick<store.MergeRow, "id" | "fromBucket" | "fromId" | "intoBucket" | "intoId">;
const keyed = ({ id, fromBucket, fromId, intoBucket, intoId }: Ends): service.Merge => ({
  id,
  from: { bucket: fromBucket, personId: fromId },
  into: { bucket: intoBucket, personId: intoId },
});
const told = (merge: store.MergeRow) => {
  const { id, from, into } = keyed(merge);
  return { person: into, data: { merge: id, from: from.personId, into: into.personId } };
};
