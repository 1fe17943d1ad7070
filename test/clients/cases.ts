// What each released client sends of the thousand mixed events, and how each of them should stand in the log.
import { expect } from "vitest";
import { contents, expected, sorted, type Stage, type Stored } from "./harness.ts";
import type { Mixed } from "./mixed.ts";

export const all = ["identify", "track", "page", "screen", "group", "alias"];
export const busy = [
  { status: 429, headers: { "retry-after": "1" } },
  { status: 503, headers: { "retry-after": "1" } },
];

/** An alias does not say what the id was that ends. */
const ended = (n: number) => [`anonymous_id:old-${n}`, `user_id:old-${n}`];

/** An event of Segment's family as it should stand in the log. */
export function segmentEvent(one: Mixed) {
  const { n, kind, user, anonymous, name, data, traits } = one;
  const links = kind === "alias" ? ended(n) : [`anonymous_id:${anonymous}`];
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
export type Wanted = ReturnType<typeof segmentEvent> & { id?: string };
/** Stored and sent as sets of texts: what is on one side only, and how many there are. */
export function compared(rows: Wanted[], want: Wanted[], shown = 3) {
  const count = (all: Wanted[]) => Map.groupBy(all.map(sorted), (text) => text);
  const [there, sent] = [count(rows), count(want)];
  return {
    stored: rows.length,
    missing: [...sent]
      .filter(([text, some]) => there.get(text)?.length !== some.length)
      .map(([text]) => text)
      .slice(0, shown),
    unsent: [...there.keys()].filter((text) => !sent.has(text)).slice(0, shown),
  };
}
export const same = { stored: 1000, missing: [], unsent: [] };
export const asSent = (rows: Stored[], ids: boolean): Wanted[] =>
  rows.map((row) => ({
    ...(ids ? { id: row.id } : {}),
    name: row.name,
    sender: row.sender ?? "",
    links: row.links,
    contents: contents(row),
  }));

/** Whatever its own visitor is called. */
export const masked = (wanted: Wanted): Wanted => ({
  ...wanted,
  links: wanted.links.map((link) => link.replace(/^anonymous_id:.*/, "anonymous_id:*")),
});

export type Case = {
  client: string;
  file: string;
  given?: Record<string, unknown>;
  kinds: string[];
  /** What it does about 429 and 503: tries again, or gives up, as its makers meant it. */
  faults: { status: number; headers?: Record<string, string> }[];
  want: (one: Mixed) => Wanted;
  masked?: boolean; // whatever its visitor is called
  alone?: boolean; // one client a process
  key?: (one: Mixed) => string;
  check?: (at: Stage, sourceId: string) => Promise<void> | void;
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

export const cases: Case[] = [
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
        alias: { name: "alias", links: ended(n), contents: {} },
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
    alone: true,
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
    alone: true,
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
        return { name: "alias", sender, links: ended(n), contents: expected({ n }) };
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
      if (kind === "alias") links.push(...ended(n));
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
