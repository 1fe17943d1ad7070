// Released clients in a process of their own, pointed at a real server by their own options: what they sent is what is
// stored, once, whatever happened on the way.
import { describe, expect, test } from "vitest";
import { eventId } from "../../src/collect/service.ts";
import { all, asSent, busy, cases, compared, masked, same, segmentEvent } from "./cases.ts";
import { runClient, sourceOf, stage, stored } from "./harness.ts";
import { mixed } from "./mixed.ts";

describe.each(["segment", "customerio"] as const)("%s node", (client) => {
  test("delivers 1,000 mixed events through 429 and 503, each once", async () => {
    await using at = await stage();
    const source = await sourceOf(at, client);
    at.faults.push(...busy);
    const said = await runClient("segment-node.mjs", { url: at.url, key: source.key, client });
    expect(said["errors"]).toEqual([]);
    const want = mixed(all).map((one) => ({
      id: eventId(source.id, `messageId|m-${one.n}`),
      ...segmentEvent(one),
    }));
    expect(compared(asSent(await stored(at, source.id), true), want)).toEqual(same);
    expect(at.seen.filter(({ status }) => status === 429 || status === 503)).toHaveLength(2);
    // Sent once more, whole, nothing changes.
    await runClient("segment-node.mjs", { url: at.url, key: source.key, client });
    expect(await stored(at, source.id)).toHaveLength(1000);
  });
});

test.each(cases.map((one) => [`${one.client} ${JSON.stringify(one.given ?? {})}`, one] as const))(
  "%s delivers 1,000 mixed events, each once",
  async (_, { client, file, given, kinds, faults, want, key, check, masked: hidden }) => {
    await using at = await stage();
    const source = await sourceOf(at, client as "segment");
    at.faults.push(...faults);
    const answer = await runClient(file, { url: at.url, key: source.key, ...given });
    const wanted = mixed(kinds).map((one) => ({
      ...(key ? { id: eventId(source.id, key(one)) } : {}),
      ...want(one),
    }));
    const rows = await stored(at, source.id);
    const known = at.seen.filter(({ status }) => status >= 400).map(({ status }) => status);
    expect({ answer, rows: rows.length, known }).toMatchObject({
      rows: 1000,
      known: faults.map(({ status }) => status),
    });
    const there = asSent(rows, key !== undefined);
    expect(compared(hidden ? there.map(masked) : there, wanted)).toEqual(same);
    await check?.(at, source.id);
  },
);
