// Released browser clients in a real Chromium, on a page of another origin: what they sent is what is stored, once.
import { readFileSync } from "node:fs";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { flag } from "../../src/collect/rules.ts";
import { launch, noBrowser } from "../browser.ts";
import { contents, expected, sorted, sourceOf, stage, stored, type Stage } from "./harness.ts";
import { mixed, type Mixed } from "./mixed.ts";
import { lineTo, troubleOf, type Name } from "./trouble.ts";

const modules = new URL("../../node_modules/", import.meta.url).pathname;
const file = (path: string) => readFileSync(`${modules}${path}`);

const clients = {
  segment: {
    kinds: ["identify", "track", "page", "screen", "group", "alias"],
    script: "@segment/analytics-next/dist/umd/index.js",
  },
  rudderstack: {
    kinds: ["identify", "track", "page", "group", "alias"],
    script: "@rudderstack/analytics-js/dist/npm/modern/bundled/umd/index.js",
  },
  posthog: {
    kinds: ["identify", "track", "page", "group"],
    script: "posthog-js/dist/module.full.no-external.js",
  },
};
/** What runs in the page. `events` is the list, `key` and `api` what an operator would copy into the shop's page. */
const scripts = {
  segment: (batching: boolean) => `
    const analytics = window.AnalyticsNext.AnalyticsBrowser.load({ writeKey: key, cdnURL: api }, ${
      batching
        ? `{ integrations: { "Segment.io": { deliveryStrategy: { strategy: "batching", config: { size: 25, timeout: 300 } } } } }`
        : "{}"
    });
    await analytics.ready();
    for (const { n, kind, user, name, data, traits } of events) {
      const at = { timestamp: new Date() };
      if (kind === "identify") await analytics.identify(user, traits);
      else if (kind === "page") await analytics.page("shop", "Page " + n, data);
      else if (kind === "screen") await analytics.screen("shop", "Screen " + n, data);
      else if (kind === "group") await analytics.group("g" + (n % 7), { n, size: 3 });
      else if (kind === "alias") await analytics.alias(user, "old-" + n);
      else await analytics.track(name, data);
    }`,
  rudderstack: (beacon: boolean) => `
    const client = new window.rudderanalytics.RudderAnalytics();
    await new Promise((resolve) => client.load(key, api, {
      configUrl: api, destSDKBaseURL: api + "/none", pluginsSDKBaseURL: api + "/none", useBeacon: ${beacon},
      queueOptions: { maxItems: 5000, ...(${beacon} ? {} : { batch: { enabled: true, maxItems: 20, flushInterval: 200 } }) },
      onLoaded: resolve,
    }));
    for (const { n, kind, user, name, data, traits } of events) {
      if (kind === "identify") client.identify(user, traits);
      else if (kind === "page") client.page("shop", "Page " + n, data);
      else if (kind === "group") client.group("g" + (n % 7), { n, size: 3 });
      else if (kind === "alias") client.alias(user, "old-" + n);
      else client.track(name, data);
      if (n % 10 === 9) await new Promise((resolve) => setTimeout(resolve, ${beacon ? 120 : 30}));
    }`,
  posthog: () => `
    const { default: posthog } = await import("/client.js");
    posthog.init(key, { api_host: api, autocapture: false, capture_pageview: false, capture_pageleave: false, person_profiles: "always", opt_out_useragent_filter: true, rate_limiting: { events_per_second: 10000, events_burst_limit: 10000 } });
    for (const { n, kind, user, name, data, traits } of events) {
      if (kind === "identify") n === 0 ? posthog.identify(user, traits) : posthog.setPersonProperties(traits);
      else if (kind === "page") posthog.capture("$pageview", { ...data, title: "Page " + n });
      else if (kind === "group") posthog.group("company", "g" + n, { n, size: 3 });
      else posthog.capture(name, data);
    }`,
};
const scriptOf = (
  client: keyof typeof clients,
  key: string,
  api: string,
  events: Mixed[],
  way: boolean,
) => `const key = ${JSON.stringify(key)}, api = ${JSON.stringify(api)}, events = ${JSON.stringify(events)};
      (async () => {${scripts[client](way)}
      })().then(() => { document.title = "done"; }, (error) => { document.title = "failed: " + error; });`;
const shopOf = (client: keyof typeof clients, script: string) =>
  `<!doctype html><meta charset="utf-8"><title>shop</title>${client === "posthog" ? "" : '<script src="/client.js"></script>'}<script type="module" src="${script}"></script>`;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
/** What a page says of itself beside what it was given. */
const ofPage = new Set([
  "url",
  "path",
  "title",
  "referrer",
  "search",
  "tab_url",
  "initial_referrer",
  "initial_referring_domain",
  "referring_domain",
  "groupType",
]);
const wanted = (client: keyof typeof clients, one: Mixed) => {
  const { n, kind, traits, name } = one;
  const { deep, ...flat } = one.data;
  // RudderStack's browser client leaves out what is null.
  const { none: _, ...rest } = deep as Record<string, unknown>;
  const data = client === "rudderstack" ? { ...flat, deep: rest } : one.data;
  const said = {
    identify: {
      "traits.city": traits["city"],
      "claim.traits.email": traits["email"],
      "claim.traits.n": n,
      "claim.traits.plan": traits["plan"],
    },
    track: data,
    // PostHog's calls a page as the document is called.
    page: {
      ...data,
      ...(client === "posthog" ? { name: "shop" } : { name: `Page ${n}`, category: "shop" }),
    },
    screen: { ...data, name: `Screen ${n}`, category: "shop" },
    group: { groupId: client === "posthog" ? `g${n}` : `g${n % 7}`, traits: { n, size: 3 } },
    alias: {},
  }[kind];
  return sorted({ name: kind === "track" ? name : kind, contents: expected(said) });
};
async function until(house: Stage, source: string, count: number) {
  for (let i = 0; i < 200; i++) {
    const [row] =
      await house.sql`select count(*)::int as n from collect_event where source_id = ${source}`;
    if (row!["n"] >= count) break;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/**
 * What each page's client meets, one after another, and whether it gives anything up of it: the events of that request,
 * and no other.
 */
const pages: [keyof typeof clients, [Name[], "again" | "gives up"][]][] = [
  [
    "segment",
    [
      [["429", "500", "torn", "unheard", "slow"], "again"],
      [["400"], "gives up"],
      [["413"], "gives up"],
    ],
  ],
  [
    "rudderstack",
    [
      [["429", "500", "torn", "unheard", "slow"], "again"],
      [["400"], "gives up"],
      [["413"], "gives up"],
    ],
  ],
  [
    // Nothing between 400 and 499 is to it a reason to send again.
    "posthog",
    [
      [["500"], "again"],
      [["torn"], "again"],
      [["unheard"], "again"],
      [["slow"], "again"],
      [["429"], "gives up"],
      [["400"], "gives up"],
      [["413"], "gives up"],
    ],
  ],
];

describe.skipIf(noBrowser)(`browsers${noBrowser ? `: ${noBrowser}` : ""}`, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser?.close());

  test.each([
    ["segment", false],
    ["segment", true],
    ["rudderstack", false],
    ["rudderstack", true],
    ["posthog", false],
  ] as const)(
    "%s (in batches or beacons: %s) delivers 1,000 mixed events from another origin",
    async (client, way) => {
      await using house = await stage();
      const api = house.url;
      const page = api.replace("127.0.0.1", "localhost");
      const source = await sourceOf(house, client, "public", { origins: [page] });
      const events = mixed(clients[client].kinds);
      const body = scriptOf(client, source.key, api, events, way);
      house.files.set("/shop.html", {
        type: "text/html",
        body: shopOf(client, "/run.js"),
      });
      house.files.set("/client.js", {
        type: "text/javascript",
        body: file(clients[client].script),
      });
      house.files.set("/run.js", { type: "text/javascript", body });
      // A beacon is sent and forgotten: nobody hears its answer.
      if (!(client === "rudderstack" && way))
        house.faults.push({ status: 503, headers: { "retry-after": "1" } });
      const tab = await browser.newPage();
      const said: string[] = [];
      tab.on("console", (message) => said.push(message.text().slice(0, 300)));
      await tab.goto(`${page}/shop.html`);
      await tab.waitForFunction(`document.title !== "shop"`, undefined, { timeout: 40_000 });
      await until(house, source.id, 1000);
      const title = await tab.title();
      await tab.close();
      const rows = await stored(house, source.id);
      const statuses = [
        ...new Set(
          house.seen
            .filter(({ status }) => status >= 400)
            .map(({ status, path }) => `${status} ${path}`),
        ),
      ];
      const context = { title, statuses, said: said.slice(0, 3), rows: rows.length };
      const there = rows.map((row) =>
        sorted({
          name: row.name,
          contents: Object.fromEntries(
            Object.entries(contents(row)).filter(([name]) => !ofPage.has(name)),
          ),
        }),
      );
      const sent = events.map((one) => wanted(client, one));
      expect({
        ...context,
        missing: sent.filter((one) => !there.includes(one)).slice(0, 2),
        unsent: there.filter((one) => !sent.includes(one)).slice(0, 2),
      }).toMatchObject({ title: "done", rows: 1000, missing: [], unsent: [] });
      // One visitor, who is nobody that the shop knows; whom they say they are stays a claim.
      // Segment's makes a new visitor where another user is identified.
      const senders = new Set(rows.map(({ sender }) => sender));
      if (client !== "segment") expect(senders.size).toBe(1);
      expect([...senders].every((one) => one?.startsWith("anonymous_id:"))).toBe(true);
      expect(rows.every(({ links }) => links.length === 0)).toBe(true);
      expect(rows.some(({ direct }) => direct["claim.user"] === "user-0")).toBe(true);
      // A headless browser is a program.
      expect(rows.every(({ flags }) => (flags & flag.bot) !== 0)).toBe(true);
    },
    120_000,
  );

  const few = 24;
  test.each(pages)(
    "%s on a page: what it does about each trouble, and what is stored then",
    async (client, visits) => {
      await using house = await stage();
      const page = house.url.replace("127.0.0.1", "localhost");
      await using lines = new AsyncDisposableStack();
      const events = mixed(clients[client].kinds, few);
      house.files.set("/client.js", {
        type: "text/javascript",
        body: file(clients[client].script),
      });
      const runs = await Promise.all(
        visits.map(async ([names, does], i) => {
          const source = await sourceOf(house, client, "public", { origins: [page] });
          const way = await lineTo(house.url, ...names.map((name) => troubleOf(name, client)));
          lines.use(way);
          house.files.set(`/run${i}.js`, {
            type: "text/javascript",
            body: scriptOf(client, source.key, way.url, events, false),
          });
          house.files.set(`/shop${i}.html`, {
            type: "text/html",
            body: shopOf(client, `/run${i}.js`),
          });
          // A visitor of its own: pages of one site share what a client keeps for later.
          const visit = await browser.newContext();
          const tab = await visit.newPage();
          await tab.goto(`${page}/shop${i}.html`);
          return { names, does, source, way, visit };
        }),
      );
      const found: unknown[] = [];
      for (const { names, does, source, way, visit } of runs) {
        if (does === "again") await until(house, source.id, few);
        else for (let i = 0; i < 100 && way.met === 0; i++) await pause(100);
        // What it gave up it does not send a while later either.
        if (does === "gives up") await pause(4000);
        const count = (await stored(house, source.id)).length;
        found.push([...names, way.met, count === few ? "again" : "gives up"]);
        await visit.close();
      }
      expect(found).toEqual(visits.map(([names, does]) => [...names, names.length, does]));
    },
    120_000,
  );
});
