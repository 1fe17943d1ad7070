import type { Answer, api } from "../ui/call.ts";

type Source = Answer<typeof api.collect.source>;
const host = (origin: string) => new URL(origin).host;
/** How each client is pointed at us, by its own options: what a developer pastes. */
export function snippetFor(
  { protocol, kind }: Pick<Source, "protocol" | "kind">,
  origin: string,
): string {
  const key = "lk_…";
  const page = kind === "public";
  const of: Record<Source["protocol"], string> = {
    liuke: `curl ${origin}/v1/events \\
  -H "authorization: Bearer ${key}" -H "content-type: application/json" \\
  -d '{"events":[{"key":"1","name":"Product Viewed","${page ? "anonymous" : "user"}":"u1","at":"2026-01-01T00:00:00Z"}]}'`,
    segment: page
      ? `AnalyticsBrowser.load({ writeKey: "${key}", cdnURL: "${origin}" });`
      : `new Analytics({ writeKey: "${key}", host: "${origin}" });`,
    rudderstack: page
      ? `rudderanalytics.load("${key}", "${origin}", { configUrl: "${origin}" });`
      : `new RudderAnalytics("${key}", { dataPlaneUrl: "${origin}" });`,
    customerio: `new Analytics({ writeKey: "${key}", host: "${origin}" });`,
    posthog: page
      ? `posthog.init("${key}", { api_host: "${origin}" });`
      : `new PostHog("${key}", { host: "${origin}" });`,
    jitsu: `jitsuAnalytics({ host: "${origin}", writeKey: "${key}:x" });`,
    snowplow: `newTracker({ namespace: "shop", appId: "${key}" }, { endpoint: "${origin}", eventMethod: "post" });`,
    dittofeed: `DittofeedSdk.init({ writeKey: "${key}", host: "${origin}" });`,
    sensors: `sa.submitTo({ url: "${origin}/sa?project=${key}" });`,
    cloudevents: `POST /v1/cloudevents HTTP/1.1
Host: ${host(origin)}
Authorization: Bearer ${key}
Content-Type: application/cloudevents+json

{"specversion":"1.0","id":"1","source":"/till","type":"com.shop.viewed","userid":"u1","data":{}}`,
  };
  return of[protocol];
}
