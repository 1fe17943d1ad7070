import { z } from "zod";
import { endpoint } from "#kernel/endpoint.ts";

/** The doors of clients: each finds out by itself whose key it is shown, and answers as that client's own server would. */
const door = (method: "GET" | "POST" | "OPTIONS", path: string, zh: string, en: string) =>
  endpoint({
    method,
    path,
    permission: "public",
    summary: { zh, en },
    input: z.object(
      Object.fromEntries([...path.matchAll(/:(\w+)/g)].map(([, name]) => [name!, z.string()])),
    ),
    output: z.unknown(),
    failures: [
      "request.invalid",
      "request.too_large",
      "request.unauthenticated",
      "request.too_many",
      "request.away",
      "collect.disabled",
      "collect.other_protocol",
      "collect.origin",
    ],
    ownDoor: true,
  });
const segment = (path: string) =>
  door(
    "POST",
    path,
    "接收 Segment、RudderStack、Customer.io 客户端的事件",
    "Takes events from clients of Segment, RudderStack and Customer.io",
  );
const rudder = (path: string, method: "GET" | "POST" = "GET") =>
  door(method, path, "RudderStack 客户端的入口", "For clients of RudderStack");
const posthog = (path: string, method: "GET" | "POST" = "POST") =>
  door(method, path, "PostHog 客户端的入口", "For clients of PostHog");
const jitsu = (path: string) =>
  door("POST", path, "接收 Jitsu 客户端的事件", "Takes events from Jitsu");
const dittofeed = (path: string) =>
  door("POST", path, "接收 Dittofeed 客户端的事件", "Takes events from Dittofeed");
const snowplow = (path: string, method: "GET" | "POST" = "POST") =>
  door(method, path, "接收 Snowplow 采集器的事件", "Takes events from Snowplow trackers");

/** Each word is one kind of event; the browser's are one letter. */
export const words = ["identify", "track", "page", "screen", "group", "alias"] as const;
export const letters = ["i", "t", "p", "s", "g", "a"] as const;
export const batches = ["/v1/batch", "/v1/b", "/v1/import"].map(segment);
export const singles = [...words, ...letters].map((call) => ({ call, at: segment(`/v1/${call}`) }));
export const settings = door(
  "GET",
  "/v1/projects/:key/settings",
  "Segment 网页客户端的设置",
  "Settings of Segment's browser client",
);
export const merge = rudder("/v1/merge", "POST");
export const beacon = rudder("/beacon/v1/batch", "POST");
export const pixels = (["track", "page"] as const).map((call) => ({
  call,
  at: rudder(`/pixel/v1/${call}`),
}));
export const sourceConfig = ["/sourceConfig", "/sourceConfig/"].map((path) => rudder(path));
/** With and without the stroke at the end, as its clients of several years write them; a page's last word may be a GET. */
const ends = (path: string) => [path, `${path}/`];
export const captures = ["/batch", "/e", "/i/v0/e", "/capture", "/track", "/engage"].flatMap(
  (path) => ends(path).flatMap((one) => [posthog(one), posthog(one, "GET")]),
);
export const flags = ["/flags", "/decide"].flatMap(ends).map((path) => posthog(path));
export const remoteConfig = posthog("/array/:token/config", "GET");
export const remoteScript = posthog("/array/:token/config.js", "GET");
/** From a page, and from a server ("s2s"). */
export const jitsus = words.flatMap((call) =>
  [`/api/s/${call}`, `/api/s/s2s/${call}`].map((path) => ({ call, at: jitsu(path) })),
);
/** Of its first clients. */
export const jitsuOld = ["/api/v1/event", "/api/v1/s2s/event"].map((path) => jitsu(path));
export const dittofeedBatch = dittofeed("/api/public/apps/batch");
export const dittofeeds = words.map((call) => ({
  call,
  at: dittofeed(`/api/public/apps/${call}`),
}));
export const trackers = [
  "/com.snowplowanalytics.snowplow/tp2",
  "/s/:key/com.snowplowanalytics.snowplow/tp2",
].map((path) => snowplow(path));
/** One event in the address of a picture. */
export const trackerPixels = ["/i", "/s/:key/i"].map((path) => snowplow(path, "GET"));
export const sensors = (["/sa", "/sa.gif"] as const).flatMap((path) =>
  (["POST", "GET"] as const).map((method) =>
    door(method, path, "接收神策客户端的事件", "Takes events from Sensors Analytics"),
  ),
);
export const sensorsTrial = door(
  "POST",
  "/debug",
  "神策客户端的调试模式：逐条说明对错",
  "Debug mode of Sensors Analytics: says at once what is wrong",
);
export const cloudevents = door("POST", "/v1/cloudevents", "接收 CloudEvents", "Takes CloudEvents");
export const preflight = door(
  "OPTIONS",
  "/*",
  "浏览器的跨域预检",
  "Whether a page may send from another site",
);
