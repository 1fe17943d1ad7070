// Released clients in a process of their own, pointed at a real server by their own options: what they sent is what is
// stored, once, whatever happened on the way.
import { describe, expect, test } from "vitest";
import { eventId } from "../../src/collect/service.ts";
import { contents, expected, runClient, sorted, sourceOf, stage, stored } from "./harness.ts";
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
/** Stored and sent as sets of texts: what is on one side only, and how many there are. */
function compared(rows: Wanted[], want: Wanted[]) {
  const count = (all: Wanted[]) => Map.groupBy(all.map(sorted), (text) => text);
  const [there, sent] = [count(rows), count(want)];
  return {
    stored: rows.length,
    missing: [...sent]
      .filter(([text, some]) => there.get(text)?.length !== some.length)
      .map(([text]) => text)
      .slice(0, 3),
    unsent: [...there.keys()].filter((text) => !sent.has(text)).slice(0, 3),
  };
}
const same = { stored: 1000, missing: [], unsent: [] };
const asSent = (rows: Awaited<ReturnType<typeof stored>>, ids: boolean): Wanted[] =>
  rows.map((row) => ({
    ...(ids ? { id: row.id } : {}),
    name: row.name,
    sender: row.sender ?? "",
    links: row.links,
    contents: contents(row),
  }));

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

type Case = {
  client: string;
  file: string;
  given?: Record<string, unknown>;
  kinds: string[];
  /** What it does about 429 and 503: tries again, or gives up, as its makers meant it. */
  faults: { status: number; headers?: Record<string, string> }[];
  want: (one: Mixed) => Wanted;
  masked?: boolean; // whatever its visitor is called
  key?: (one: Mixed) => string;
  check?: (at: Awaited<ReturnType<typeof stage>>, sourceId: string) => Promise<void> | void;
};
const lessLinks = (wanted: Wanted, but: RegExp): Wanted => ({
  ...wanted,
  links: wanted.links.filter((link) => !but.test(link)),
});
const said = (one: Mixed) => ({
  "traits.n": one.n,
  "traits.city": one.traits["city"],
  "traits.plan": one.traits["plan"],
  "traits.email": one.traits["email"],
});

const cases: Case[] = [
  ...[true, false].map((gzip): Case => ({
    client: "rudderstack",
    file: "rudderstack-node.mjs",
    given: { gzip },
    kinds: all,
    faults: busy,
    want: segmentEvent,
    key: ({ n }) => `messageId|m-${n}`,
    check: ({ seen }) => {
      // Compressed, under a content type that says nothing of it.
      if (gzip)
        expect(new Set(seen.map(({ type }) => type))).toEqual(
          new Set(["application/x-www-form-urlencoded"]),
        );
    },
  })),
  {
    client: "posthog",
    file: "posthog-node.mjs",
    kinds: all,
    faults: busy,
    want: (one) => {
      const { n, kind, user, name, data, traits } = one;
      const { title: _, ...rest } = { title: "", ...data };
      const own = {
        identify: {
          name: "identify",
          links: [`email:${traits["email"]}`],
          contents: expected(said(one)),
        },
        track: { name, links: [], contents: expected(data) },
        page: {
          name: "page",
          links: [],
          contents: expected({ ...rest, title: `Page ${n}`, name: `Page ${n}` }),
        },
        screen: { name: "screen", links: [], contents: expected({ ...data, name: `Screen ${n}` }) },
        group: {
          name: "group",
          links: [],
          contents: expected({
            groupType: "company",
            groupId: `g${n % 7}`,
            traits: { n, size: 3 },
          }),
        },
        alias: { name: "alias", links: [`user_id:old-${n}`], contents: {} },
      }[kind];
      const sender = kind === "group" ? `user_id:$company_g${n % 7}` : `user_id:${user}`;
      return { ...own, sender };
    },
  },
  {
    client: "jitsu",
    file: "jitsu.mjs",
    kinds: ["identify", "track", "page", "group"],
    faults: [],
    masked: true,
    // It speaks for whom it identified last, and has a visitor of its own.
    want: (one) => {
      const { category: _, ...contents } = segmentEvent(one).contents;
      const links = ["anonymous_id:*"];
      if (one.kind === "identify") links.push(`email:${one.traits["email"]}`);
      const user = `user_id:user-${(one.n - (one.n % 12)) % 97}`;
      return { ...segmentEvent(one), links, contents, sender: user };
    },
  },
  ...[true, false].map((base64): Case => ({
    client: "snowplow",
    file: "snowplow.mjs",
    given: { base64 },
    kinds: ["track", "page", "screen"],
    faults: busy,
    want: ({ n, kind, user, anonymous, name, data }) => ({
      name: kind === "track" ? (n % 5 === 0 ? name : "product_looked_at") : kind,
      sender: `user_id:${user}`,
      links: [`anonymous_id:${anonymous}`],
      contents: expected(
        kind === "page"
          ? {
              url: `https://shop.example/p/${n}`,
              name: `Page ${n}`,
              referrer: "https://shop.example/",
            }
          : kind === "screen"
            ? { id: `screen-${n}`, name: `Screen ${n}` }
            : n % 5 === 0
              ? { category: "shop", label: `label ${n}`, property: "sku", value: String(n) }
              : data,
      ),
    }),
  })),
  {
    client: "dittofeed",
    file: "dittofeed.mjs",
    kinds: ["identify", "track", "page", "screen"],
    faults: [],
    want: (one) => {
      const wanted = lessLinks(segmentEvent(one), /^anonymous_id/);
      const { category: _, ...contents } = wanted.contents;
      return { ...wanted, contents };
    },
    key: ({ n }) => `messageId|m-${n}`,
  },
  ...[true, false].map((gzip): Case => ({
    client: "sensors",
    file: "sensors.mjs",
    given: { gzip },
    kinds: ["identify", "track", "page", "alias"],
    faults: [],
    want: (one) => {
      const { n, kind, user, data, traits } = one;
      const { deep: _, ...own } = data;
      const sender = `user_id:${user}`;
      if (kind === "identify")
        return {
          name: "identify",
          sender,
          links: [`email:${traits["email"]}`],
          contents: expected(said(one)),
        };
      if (kind === "alias")
        return { name: "alias", sender, links: [`user_id:old-${n}`], contents: expected({ n }) };
      const name = kind === "page" ? "page" : ["ShelfSeen", "ShelfTouched", "Looked"][n % 3]!;
      return {
        name,
        sender,
        links: [],
        contents: expected(kind === "page" ? { ...own, name: `Page ${n}` } : own),
      };
    },
  })),
  {
    client: "cloudevents",
    file: "cloudevents.mjs",
    kinds: ["identify", "track", "page", "alias"],
    faults: [],
    want: (one) => {
      const { n, kind, user, anonymous, name, data, traits } = one;
      const links = [`anonymous_id:${anonymous}`];
      if (kind === "alias") links.push(`user_id:old-${n}`);
      if (kind === "identify") links.push(`email:${traits["email"]}`);
      return {
        name: kind === "track" ? name.replace("看了商品", "com.shop.looked") : kind,
        sender: `user_id:${user}`,
        links: links.toSorted(),
        contents: expected(
          kind === "identify" ? said(one) : kind === "alias" ? {} : { ...data, name: `Thing ${n}` },
        ),
      };
    },
    key: ({ n }) => `ce|["/shop/till","e-${n}"]`,
  },
];

test.each(cases.map((one) => [`${one.client} ${JSON.stringify(one.given ?? {})}`, one] as const))(
  "%s delivers 1,000 mixed events, each once",
  async (_, { client, file, given, kinds, faults, want, key, check, masked }) => {
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
    const there = asSent(rows, key !== undefined).map((row) =>
      masked
        ? {
            ...row,
            links: row.links.map((link) => link.replace(/^anonymous_id:.*/, "anonymous_id:*")),
          }
        : row,
    );
    expect(compared(there, wanted)).toEqual(same);
    await check?.(at, source.id);
  },
);

/** What each does about a body that it is told not to send again: gives it up, and nothing else with it. */
test.each([
  ["segment", "segment-node.mjs", 400],
  ["segment", "segment-node.mjs", 413],
  ["customerio", "segment-node.mjs", 400],
  ["rudderstack", "rudderstack-node.mjs", 400],
  ["rudderstack", "rudderstack-node.mjs", 413],
  ["posthog", "posthog-node.mjs", 400],
  ["posthog", "posthog-node.mjs", 413],
  ["snowplow", "snowplow.mjs", 400],
] as const)("%s (%s) hears %i once", async (client, file, status) => {
  await using at = await stage();
  const source = await sourceOf(at, client);
  at.faults.push({ status });
  await runClient(file, { url: at.url, key: source.key, client });
  const rows = (await stored(at, source.id)).length;
  const refused = at.seen.flatMap((one) => (one.status >= 400 ? [one.status] : []));
  // PostHog's takes 413 as a word about the size of its batches: it halves them and sends the same again.
  const halves = client === "posthog" && status === 413;
  expect({ refused, lost: rows < 1000 }).toEqual({
    refused: [status],
    lost: !halves,
  });
});
