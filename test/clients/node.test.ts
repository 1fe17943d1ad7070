// Released clients in a process of their own, pointed at a real server by their own options: what they sent is what is
// stored, once, whatever happened on the way.
import { describe, expect, test } from "vitest";
import { eventId } from "../../src/collect/service.ts";
import { contents, expected, runClient, sourceOf, stage, stored } from "./harness.ts";
import { mixed, type Mixed } from "./mixed.ts";

const all = ["identify", "track", "page", "screen", "group", "alias"];
const busy = [
  { status: 429, headers: { "retry-after": "1" } },
  { status: 503, headers: { "retry-after": "1" } },
];

/** An event of Segment's family as it should stand in the log. */
function segmentEvent(one: Mixed) {
  const { n, kind, user, anonymous, name, data, traits } = one;
  const links = kind === "alias" ? [`user_id:old-${n}`] : [`anonymous_id:${anonymous}`];
  if (kind === "identify") links.push(`email:${traits["email"]}`);
  const said = {
    identify: {
      "traits.n": n,
      "traits.city": traits["city"],
      "traits.plan": traits["plan"],
      "traits.email": traits["email"],
    },
    track: data,
    page: { ...data, name: `Page ${n}`, category: "shop" },
    screen: { ...data, name: `Screen ${n}` },
    group: { groupId: `g${n % 7}`, traits: { n, size: 3 } },
    alias: {},
  }[kind];
  return {
    name: kind === "track" ? name : kind,
    sender: `user_id:${user}`,
    links: links.toSorted(),
    contents: expected(said),
  };
}
type Wanted = ReturnType<typeof segmentEvent> & { id?: string };
const byText = (a: unknown, b: unknown) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
const asSent = (rows: Awaited<ReturnType<typeof stored>>, ids: boolean): Wanted[] =>
  rows
    .map((row) => ({
      ...(ids ? { id: row.id } : {}),
      name: row.name,
      sender: row.sender ?? "",
      links: row.links,
      contents: contents(row),
    }))
    .toSorted(byText);

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
    expect(asSent(await stored(at, source.id), true)).toEqual(want.toSorted(byText));
    expect(at.seen.filter(({ status }) => status === 429 || status === 503)).toHaveLength(2);
    // Sent once more, whole, nothing changes.
    await runClient("segment-node.mjs", { url: at.url, key: source.key, client });
    expect(await stored(at, source.id)).toHaveLength(1000);
  });
});
