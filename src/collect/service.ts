// The way in. What is acknowledged is committed, and what was there already is not there twice.
import { createHash } from "node:crypto";
import type { House } from "#kernel/endpoint.ts";
import type { PersonKey, Reader, Tx } from "#kernel/sql.ts";
import { bucketOfText, open as unlock, seal as lock } from "#kernel/crypto.ts";
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

export type SourceRow = store.SourceRow;
/** One record of a file: an event, or why it is none. */
export type LineOfFile =
  | { line: number; event: Incoming }
  | { line: number; unfit: { field: string | null; reason: string; text: string } };
export type Running = {
  id: string;
  finished: boolean;
  counts: { lines: number; accepted: number; rejected: number; outside: number; doubles: number };
};

/** The import of a file into a source, begun or gone on with: one for each file and window of time. */
export async function openImport(
  house: House,
  sourceId: string,
  digest: Buffer,
  from: Date | undefined,
  until: Date | undefined,
): Promise<Running> {
  const find = () => store.findImport(house.sql, sourceId, digest, from ?? null, until ?? null);
  let [row] = await find();
  if (!row) {
    const startedAt = house.clocks.machine();
    const made = { id: house.newId(), sourceId, digest, fromAt: from ?? null };
    await store.addImport(house.sql, { ...made, untilAt: until ?? null, startedAt });
    [row] = await find();
  }
  const { id, line, accepted, rejected, outside, doubles, finishedAt } = row!;
  return {
    id,
    finished: finishedAt !== null,
    counts: {
      lines: Number(line),
      accepted: Number(accepted),
      rejected: Number(rejected),
      outside: Number(outside),
      doubles: Number(doubles),
    },
  };
}
export const closeImport = (house: House, { id }: Running) =>
  store.finishImport(house.sql, id, house.clocks.machine());

/** One batch of a file in one transaction: events, refusals and the position. */
export async function takeLines(
  house: House,
  source: Source,
  { id: importId, counts }: Running,
  lines: readonly LineOfFile[],
  to: { line: number; outside: number },
): Promise<{ accepted: number; rejected: number; doubles: number }> {
  return house.sql.begin(async (tx) => {
    const events = lines.flatMap((line) => ("event" in line ? [line.event] : []));
    const verdicts = events.length > 0 ? await accept(house, tx, source, events) : [];
    const unfit = lines.flatMap((line) => ("unfit" in line ? [line] : []));
    const at = house.clocks.machine();
    if (unfit.length > 0)
      await store.reject(
        tx,
        unfit.map(({ line, unfit: { field, reason, text } }) => {
          const id = eventId(source.id, `rejected|${importId}|${line}`);
          const sealed = sealRejected(house, id, text);
          return { id, sourceId: source.id, importId, line: BigInt(line), reason, field, sealed, at };
        }),
      );
    const done = {
      accepted: verdicts.filter((v) => v === "accepted").length,
      rejected: unfit.length + verdicts.filter((v) => v === "erased").length,
      doubles: verdicts.filter((v) => v === "double").length,
    };
    const moved = await store.moveImport(tx, importId, BigInt(counts.lines), { ...done, ...to });
    // Another process goes on with the same file: what it took is taken, and this batch rolls back whole.
    if (moved.count !== 1)
      throw new Error("This file is being imported by another process.", { cause: "import" });
    return done;
  });
}

/** A refused payload may name people: it is locked under a key of the installation, and kept for 30 days. */
const rejectedKey = (house: House) => house.keys.signing("collect_rejected");
const sealRejected = (house: House, id: string, text: string): Buffer =>
  lock(rejectedKey(house), text, `collect_rejected|sealed|${id}`);
export const openRejected = (house: House, id: string, sealed: Buffer): string =>
  unlock(rejectedKey(house), sealed, `collect_rejected|sealed|${id}`).toString();
