// What the log tells of relations becomes facts between nodes; what lies between two people is then settled for each end
// by itself.
import * as collect from "#collect/service.ts";
import { notTold } from "#collect/rules.ts";
import type { House } from "#kernel/endpoint.ts";
import type { Reaction } from "#kernel/outbox.ts";
import { eachPerson, type Slice, type Tx } from "#kernel/sql.ts";
import { nobody } from "#kernel/ids.ts";
import * as people from "#people/service.ts";
import * as privacy from "#privacy/service.ts";
import { lost, told } from "./events.ts";
import { toldBy } from "./rules.ts";
import * as service from "./service.ts";
import * as views from "./views.ts";

/** Reads a slice of the log. Somebody who is named before we know them gets a node, and is known by it later. */
export async function consume(house: House, tx: Tx, slice: Slice): Promise<void> {
  const rows = await views.toldIn(tx, slice, notTold);
  if (rows.length === 0) return;
  const keys = await privacy.nodeKeys(house, tx, rows);
  const all = rows.flatMap((row) => {
    const key = keys.get(row.nodeId);
    if (!key) return [];
    const direct = row.sealed ? collect.openDirect(key, row.nodeId, row.sealed) : {};
    const said = toldBy(row.name, row.data, direct);
    return said ? [{ ...row, ...said }] : [];
  });
  for (const [sourceId, ofSource] of Map.groupBy(all, (row) => row.sourceId)) {
    const others = ofSource.flatMap(({ other, at }) =>
      other === null ? [] : [{ type: "user_id" as const, value: other, at }],
    );
    const nodes =
      others.length > 0 ? await people.nodesFor(house, tx, sourceId, others) : new Map();
    const facts = ofSource.flatMap(({ bucket, nodeId, id, act, item, at, other }) => {
      const common = { bucket, nodeId, id, act, item, at };
      if (other === null) return [{ ...common, otherBucket: 0, otherNodeId: nobody }];
      const node = nodes.get(people.senderKey({ type: "user_id", value: other }));
      // Of somebody who had their data erased after it happened, nothing is kept.
      if (!node || (node.erasedAt && at <= node.erasedAt)) return [];
      return [{ ...common, otherBucket: node.nodeBucket, otherNodeId: node.nodeId }];
    });
    await service.tellFacts(house, tx, facts);
  }
}

export const reactions: Reaction[] = [
  { on: lost.name, react: (house, tx, events) => service.tagAll(house, tx, eachPerson(events)) },
  {
    on: told.name,
    react: (house, tx, events) =>
      service.settle(
        house,
        tx,
        events.map(({ bucket, personId, data }) => {
          const { otherBucket, other } = told.data.parse(data);
          return { bucket, personId, otherBucket, otherPersonId: other };
        }),
      ),
  },
];
