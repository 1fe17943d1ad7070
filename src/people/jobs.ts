// What a shop tells of who its people are becomes their profile: how they are called is sealed, where they live is plain,
// and an address that is somebody else's already merges nobody.
import * as collect from "#collect/service.ts";
import type { House } from "#kernel/endpoint.ts";
import { bigintList, type PersonKey, type Tx } from "#kernel/sql.ts";
import { isDerived, isDirect } from "#privacy/rules.ts";
import * as privacy from "#privacy/service.ts";
import * as service from "./service.ts";
import * as views from "./views.ts";

const source = "identify";
const reachable = ["email", "phone"] as const;

/** Folds the "identify" events of a slice of the log into profiles. The latest event wins, whichever comes in first. */
export async function consume(house: House, tx: Tx, slice: collect.Slice): Promise<void> {
  const { buckets, froms, tos } = slice;
  const said = await views.identified(tx, {
    buckets,
    froms: bigintList(froms),
    tos: bigintList(tos),
  });
  if (said.length === 0) return;
  const keys = await privacy.nodeKeys(
    house,
    tx,
    said.map(({ nodeBucket, nodeId }) => ({ bucket: nodeBucket, nodeId })),
  );
  const fields = new Map<string, Parameters<typeof service.setFields>[2][number]>();
  const attributes = new Map<string, service.AttributeChange>();
  const asked: Asked[] = [];
  for (const { id, bucket, personId, at, sourceId, sourceKind, ...event } of said) {
    const person = { bucket, personId };
    for (const [name, value] of Object.entries(event.traits ?? {}))
      if (isDerived(name)) {
        // A browser's word for it is a claim, and never outweighs what the shop's server says.
        const confidence = sourceKind === "public" ? 0.5 : 1;
        attributes.set(`${personId} ${name}`, { person, name, value, source, at, confidence });
      }
    const key = keys.get(event.nodeId);
    if (!key || !event.sealed || sourceKind === "public") continue;
    const direct = collect.openDirect(key, event.nodeId, event.sealed);
    for (const [name, value] of Object.entries(direct)) {
      const field = name.startsWith("traits.") ? name.slice(7) : "";
      if (isDirect(field)) fields.set(`${personId} ${field}`, { person, field, value, source, at });
    }
    for (const type of reachable) {
      const value = direct[`traits.${type}`];
      if (value !== undefined)
        asked.push({ person, sourceId, identifier: { type, value }, at, cause: id });
    }
  }
  await service.setFields(house, tx, [...fields.values()]);
  await service.setAttributes(tx, await newer(tx, [...attributes.values()]), house.clocks.shop());
  await reach(house, tx, asked);
}

/** Leaves out what an attribute that is there already is newer than. */
async function newer(
  tx: Tx,
  changes: service.AttributeChange[],
): Promise<service.AttributeChange[]> {
  if (changes.length === 0) return [];
  const there = await views.attributeTimes(
    tx,
    changes.map(({ person }) => person),
    [...new Set(changes.map(({ name }) => name))],
  );
  const times = new Map(
    there.map(({ personId, name, at }) => [`${personId} ${name}`, Date.parse(at)]),
  );
  return changes.filter(
    ({ person, name, at }) => at.getTime() >= (times.get(`${person.personId} ${name}`) ?? 0),
  );
}

type Asked = service.NewIdentifier & { cause: string };
/** Addresses by which people can be found. What another has stays theirs, and a tag says that it came up. */
async function reach(house: House, tx: Tx, all: Asked[]): Promise<void> {
  const asked = await sinceErased(house, tx, all);
  const own = await service.addIdentifiers(house, tx, asked);
  const taken = Map.groupBy(
    asked.filter((_, i) => !own[i]),
    ({ person }) => person.personId,
  );
  await service.setTags(
    tx,
    house.newId,
    [...taken.values()].map((conflicts) => {
      const { person, at, cause } = conflicts.at(-1)!;
      const types = [...new Set(conflicts.map(({ identifier }) => identifier.type))].toSorted();
      return {
        person: person satisfies PersonKey,
        tag: "identifier_conflict",
        value: types.join(","),
        kind: "rule" as const,
        source: "people",
        reason: { types },
        cause,
        at,
      };
    }),
  );
}
/** An erased address is forgotten for whatever was said of it before: only a later word brings it back. */
async function sinceErased(house: House, tx: Tx, all: Asked[]): Promise<Asked[]> {
  const blinds = all.map(({ identifier, sourceId }) =>
    privacy.blindOf(house, identifier.type, identifier.value, sourceId),
  );
  const gone = await privacy.tombstoned(tx, blinds);
  return all.filter(({ at }, i) => {
    const erased = gone.get(blinds[i]!.toString("hex"));
    return !erased || at > erased;
  });
}
