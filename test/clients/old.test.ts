// Clients that shops have had in their pages for years, and other pages' clients beside those of browser.test.ts, each as
// npm has it, in a real Chromium and from another origin: what was sent is what is stored, once.
import { readFileSync } from "node:fs";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Protocol } from "../../src/collect/rules.ts";
import { launch, noBrowser } from "../browser.ts";
import { sourceOf, stage, stored } from "./harness.ts";
import { mixed } from "./mixed.ts";

const modules = new URL("../../node_modules/", import.meta.url).pathname;
type Way = {
  protocol: Protocol;
  file: string;
  /** What runs in the page; `module` is what the file gives where it is one. */
  run: string;
  /** Is the file a module, or a script that puts a name into the window? */
  module?: true;
  /** Which path, and which body, it must have come by: else another way was tried than is said. */
  by: (seen: { method: string; path: string; type: string }) => boolean;
  count: number;
  /** What stands in some body that the page sends. */
  says?: string;
  /** A path that is answered with this instead of by us. */
  instead?: [string, string];
};
const segment = `
  const analytics = window.AnalyticsNext.AnalyticsBrowser.load({ writeKey: key, cdnURL: api });
  await analytics.ready();
  for (const { n, kind, user, name, data } of events) {
    if (kind === "page") await analytics.page("shop", "Page " + n, data);
    else if (kind === "identify") await analytics.identify(user, { n });
    else await analytics.track(name, data);
  }`;
const posthog = (more: string) => `
  const posthog = module.default;
  posthog.init(key, { api_host: api, autocapture: false, capture_pageview: false, capture_pageleave: false, opt_out_useragent_filter: true, rate_limiting: { events_per_second: 10000, events_burst_limit: 10000 }, ${more} });
  await new Promise((resolve) => setTimeout(resolve, 1500));
  for (const { n, kind, data, name } of events) {
    posthog.capture(kind === "page" ? "$pageview" : name, data);
    if (n % 50 === 49) await new Promise((resolve) => setTimeout(resolve, 50));
  }`;
const snowplow = (more: string, every: number) => `
  window.snowplowBrowserTracking.newTracker("sp", api, { appId: key, ${more} });
  for (const { n, kind, name, data } of events) {
    if (kind === "page") window.snowplowBrowserTracking.trackPageView({ title: "Page " + n, context: [{ schema: "iglu:com.acme/said/jsonschema/1-0-0", data: { n } }] });
    else if (kind === "identify") window.snowplowBrowserTracking.trackStructEvent({ category: "shop", action: "Seen", value: n });
    else window.snowplowBrowserTracking.trackSelfDescribingEvent({ event: { schema: "iglu:com.acme/product_viewed/jsonschema/1-0-0", data } });
    if (n % ${every} === ${every - 1}) await new Promise((resolve) => setTimeout(resolve, 50));
  }`;
const jitsu = (more: string) => `
  const client = module.jitsuClient({ key, tracking_host: api, ${more} });
  for (const { n, kind, user, name, data } of events) {
    if (kind === "identify") await client.id({ id: user, n });
    else await client.track(kind === "page" ? "pageview" : name, data);
    if (n % 20 === 19) await new Promise((resolve) => setTimeout(resolve, 30));
  }`;
const sensors = (more: string) => `
  const sensors = window["sensorsDataAnalytic201505"];
  sensors.init({ server_url: api + "/sa?project=" + key, is_track_single_page: false, heatmap: { clickmap: "not_collect", scroll_notice_map: "not_collect" }, show_log: false, ${more} });
  for (const { n, kind, user, name, data } of events) {
    if (kind === "identify") sensors.setProfile({ n });
    else sensors.track(kind === "page" ? "PageSeen" : name === "看了商品" ? "ProductSeen" : name.replace(" ", ""), { n, sku: data.sku, price: data.price, tags: data.tags, words: data.words });
    if (n % 20 === 19) await new Promise((resolve) => setTimeout(resolve, 100));
  }`;
const form = (type: string) => /form|text\/plain/.test(type);
const ways: Record<string, Way> = {
  "analytics-next 1.53": {
    ...{ protocol: "segment", file: "old-analytics-next/dist/umd/index.js", run: segment },
    ...{ by: ({ path }) => path === "/v1/t", count: 400 },
  },
  "posthog-js 1.16, lz64": {
    ...{ protocol: "posthog", file: "oldest-posthog-js/dist/es.js", module: true },
    ...{ run: posthog(""), by: ({ path, type }) => path === "/e/" && form(type), count: 400 },
    says: "compression=lz64",
    instead: [
      "/decide/",
      '{"config":{"enable_collect_everything":false},"editorParams":{},"featureFlags":[],"isAuthenticated":false,"supportedCompression":["lz64"],"sessionRecording":false,"siteApps":[]}',
    ],
  },
  "posthog-js 1.16, as we ask for it": {
    ...{ protocol: "posthog", file: "oldest-posthog-js/dist/es.js", module: true },
    ...{ run: posthog(""), by: ({ path }) => path === "/e/", count: 400 },
  },
  "posthog-js 1.16, in no batch": {
    ...{ protocol: "posthog", file: "oldest-posthog-js/dist/es.js", module: true },
    ...{ run: posthog("request_batching: false"), by: ({ path }) => path === "/e/", count: 200 },
  },
  "posthog-js 1.93": {
    ...{ protocol: "posthog", file: "old-posthog-js/dist/es.js", module: true },
    ...{ run: posthog(""), by: ({ path }) => path === "/e/", count: 400 },
  },
  "@snowplow/browser-tracker 4, by POST": {
    ...{ protocol: "snowplow", file: "@snowplow/browser-tracker/dist/index.umd.js" },
    ...{ run: snowplow("bufferSize: 10", 10), count: 400 },
    by: ({ method, path }) => method === "POST" && path.endsWith("/tp2"),
  },
  "@snowplow/browser-tracker 4, by GET": {
    ...{ protocol: "snowplow", file: "@snowplow/browser-tracker/dist/index.umd.js" },
    ...{ run: snowplow('eventMethod: "get"', 20), count: 300 },
    by: ({ method, path }) => method === "GET" && path === "/i",
  },
  "@snowplow/browser-tracker 4, by beacon": {
    ...{ protocol: "snowplow", file: "@snowplow/browser-tracker/dist/index.umd.js" },
    ...{ run: snowplow("keepalive: true, bufferSize: 5", 20), count: 300 },
    by: ({ method, path }) => method === "POST" && path.endsWith("/tp2"),
  },
  "@snowplow/browser-tracker 3.0, by POST": {
    ...{ protocol: "snowplow", file: "old-browser-tracker/dist/index.umd.js" },
    ...{ run: snowplow("", 50), count: 400 },
    by: ({ method, path }) => method === "POST" && path.endsWith("/tp2"),
  },
  "@snowplow/browser-tracker 3.0, by GET": {
    ...{ protocol: "snowplow", file: "old-browser-tracker/dist/index.umd.js" },
    ...{ run: snowplow('eventMethod: "get"', 20), count: 300 },
    by: ({ method, path }) => method === "GET" && path === "/i",
  },
  "@jitsu/sdk-js 3": {
    ...{ protocol: "jitsu", file: "@jitsu/sdk-js/dist/npm/jitsu.es.js", module: true, count: 400 },
    run: jitsu(""),
    by: ({ path }) => path === "/api/v1/event",
  },
  "@jitsu/sdk-js 3, by beacon, in its oldest manner": {
    ...{ protocol: "jitsu", file: "@jitsu/sdk-js/dist/npm/jitsu.es.js", module: true, count: 300 },
    run: jitsu("use_beacon_api: true, compat_mode: true"),
    by: ({ path }) => path === "/api/v1/event",
  },
  "sa-sdk-javascript, by picture": {
    ...{ protocol: "sensors", file: "sa-sdk-javascript/sensorsdata.min.js", count: 300 },
    ...{ run: sensors('send_type: "image"'), by: ({ method }) => method === "GET" },
  },
  "sa-sdk-javascript, by ajax": {
    ...{ protocol: "sensors", file: "sa-sdk-javascript/sensorsdata.min.js", count: 500 },
    ...{ run: sensors('send_type: "ajax"'), by: ({ method }) => method === "POST" },
  },
  "sa-sdk-javascript, by beacon": {
    ...{ protocol: "sensors", file: "sa-sdk-javascript/sensorsdata.min.js", count: 300 },
    ...{ run: sensors('send_type: "beacon"'), by: ({ method }) => method === "POST" },
  },
  "sa-sdk-javascript, in batches": {
    ...{ protocol: "sensors", file: "sa-sdk-javascript/sensorsdata.min.js", count: 400 },
    run: sensors(
      "batch_send: { datasend_timeout: 6000, send_interval: 500, storage_length: 1100, one_send_max_length: 60 }",
    ),
    by: ({ method }) => method === "POST",
  },
};

describe.skipIf(noBrowser)(`browsers${noBrowser ? `: ${noBrowser}` : ""}`, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser?.close());

  test.each(Object.entries(ways))(
    "%s",
    async (_, { protocol, file, run, module, by, count, says = "", instead }) => {
      await using at = await stage();
      const page = at.url.replace("127.0.0.1", "localhost");
      const source = await sourceOf(at, protocol, "public", { origins: [page] });
      const events = mixed(["identify", "track", "page"], count);
      const script = (body: string | Buffer) => ({ type: "text/javascript", body });
      at.files.set("/client.js", script(readFileSync(`${modules}${file}`)));
      at.files.set(
        "/run.js",
        script(`const key = ${JSON.stringify(source.key)}, api = ${JSON.stringify(at.url)}, events = ${JSON.stringify(events)};
          (async () => { ${module ? 'const module = await import("/client.js");' : ""} ${run}
          })().then(() => { document.title = "done"; }, (error) => { document.title = "failed: " + error; });`),
      );
      at.files.set("/shop.html", {
        type: "text/html",
        body: `<!doctype html><meta charset="utf-8"><title>shop</title>${module ? "" : '<script src="/client.js"></script>'}<script type="module" src="/run.js"></script>`,
      });
      at.files.set("/favicon.ico", { type: "image/x-icon", body: "" });
      if (instead) at.files.set(instead[0], { type: "application/json", body: instead[1] });
      const visit = await browser.newContext();
      const tab = await visit.newPage();
      const said: string[] = [];
      tab.on("console", (message) => said.push(message.text().slice(0, 300)));
      tab.on("pageerror", (error) => said.push(String(error).slice(0, 300)));
      let isSaid = false;
      tab.on("request", (request) => {
        isSaid ||= (request.postData() ?? "").includes(says);
      });
      await tab.goto(`${page}/shop.html`);
      await tab.waitForFunction(`document.title !== "shop"`, undefined, { timeout: 60_000 });
      const title = await tab.title();
      const all = async () => {
        const [row] =
          await at.sql`select count(*)::int as n from collect_event where source_id = ${source.id}`;
        return Number(row!["n"]);
      };
      for (let i = 0; i < 150 && (await all()) < count; i++)
        await new Promise((resolve) => setTimeout(resolve, 200));
      await visit.close();
      const rows = await stored(at, source.id);
      const numbers = rows.map(({ data, direct }) => {
        const context = (data["$context"] ?? {}) as { said?: { n: number } };
        const trait = direct["claim.traits.n"] ?? direct["traits.n"];
        return Number(data["n"] ?? data["value"] ?? context.said?.n ?? trait);
      });
      const wrong = [
        ...new Set(
          at.seen
            .filter(({ status }) => status >= 400)
            .map(({ path, status }) => `${status} ${path}`),
        ),
      ];
      const came = at.seen.filter((one) => by(one)).length;
      expect({
        ...{
          title,
          wrong,
          said: said.slice(0, 3),
          stored: rows.length,
          came: came > 0,
          isSaid: isSaid || says === "",
        },
        // What a page wrote beyond the first 65,536 letters is the same letters here.
        wrongly: rows.filter(({ data, direct }) => {
          const words = data["words"] ?? direct["data.words"];
          return words !== undefined && words !== events[0]!.data["words"];
        }).length,
        missing: events.filter(({ n }) => !numbers.includes(n)).length,
      }).toMatchObject({
        title: "done",
        wrong: [],
        stored: count,
        came: true,
        isSaid: true,
        missing: 0,
        wrongly: 0,
      });
    },
    120_000,
  );
});
