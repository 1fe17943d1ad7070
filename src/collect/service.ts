// The way in. What is acknowledged is committed, and what was there already is not there twice.
import { createHash } from "node:crypto";
import type { House } from "#kernel/endpoint.ts";
import type { PersonKey, Reader, Tx } from "#kernel/sql.ts";
import { bucketOfText } from "#kernel/crypto.ts";
import * as people from "#people/service.ts";
import * as privacy from "#privacy/service.ts";
import type { Incoming, Source, Verdict } from "./rules.ts";
import * as store from "./store.ts";

export type { Incoming } from "./rules.ts";
export type { Slice } from "./store.ts";

/** The id of an event is of its source and key, so that it is known before anything is asked. */
export function eventId(sourceId: string, key: string): string {
  const hex = createHash("sha256").update(`${sourceId}|${key}`).digest("hex");
  const version = `8${hex.slice(13, 16)}`; // RFC 9562: version 8 is ours to fill
  const variant = ((Number.parseInt(hex[16]!, 16) & 3) | 8).toString(16) + hex.slice(17, 20);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${version}-${variant}-${hex.slice(20, 32)}`;
}

/** Writes events into the log in the open transaction; a verdict for each, in order. */
export async function accept(
  house: House,
  tx: Tx,
  source: Source,
  events: readonly Incoming[],
): Promise<Verdict[]> {
  const at = house.clocks.machine();
  const ids = events.map(({ key }) => eventId(source.id, key));
  const fresh = new Set((await store.claimKeys(tx, [...new Set(ids)], at)).map(({ id }) => id));
  const verdicts: Verdict[] = [];
  const taken: [Incoming, string][] = [];
  events.forEach((event, i) => {
    const isNew = fresh.delete(ids[i]!); // an equal key later in the same batch is a double too
    verdicts.push(isNew ? "accepted" : "double");
    if (isNew) taken.push([event, ids[i]!]);
  });
  if (taken.length === 0) return verdicts;

  const nodes = await people.nodesFor(
    house,
    tx,
    source.id,
    taken.flatMap(([event]) => (event.sender ? [{ ...event.sender, at: event.at }] : [])),
  );
  const nameless = bucketOfText(`${source.id}|`);
  const rows: store.EventRow[] = [];
  for (const [{ name, at: happened, data, direct, sender, key }, id] of taken) {
    const node = sender ? nodes.get(people.senderKey(sender)) : undefined;
    if (sender && !node) {
      verdicts[events.findIndex((e) => e.key === key)] = "erased";
      continue;
    }
    rows.push({
      bucket: node?.nodeBucket ?? nameless,
      id,
      nodeId: node?.nodeId ?? null,
      name,
      at: happened,
      data: JSON.stringify(data),
      sealed:
        direct && node
          ? privacy.seal(node.key, "collect_event|sealed", node.nodeId, JSON.stringify(direct))
          : null,
    });
  }
  if (rows.length > 0) await store.append(tx, source.id, rows, at);
  return verdicts;
}

/** A source by its name, made where it is not there yet. */
export async function sourceNamed(
  house: House,
  reader: Reader,
  name: string,
  kind: Source["kind"],
  demo = false,
): Promise<store.SourceRow> {
  await store.addSource(reader, {
    id: house.newId(),
    name,
    kind,
    demo,
    createdAt: house.clocks.machine(),
  });
  const [source] = await store.sourceByName(reader, name);
  return source!;
}

/** The events of a person leave the log; the columns follow by their nodes. */
export async function erase(tx: Tx, person: PersonKey): Promise<void> {
  const nodes = await people.nodesOf(tx, person);
  if (nodes.length > 0) await store.eraseRows(tx, nodes);
}
