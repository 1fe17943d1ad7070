import { direct, type Route } from "#kernel/endpoint.ts";
import * as api from "./api.ts";
import { preflight, receive, setUp, tell, type Door } from "./service.ts";

const family = ["segment", "rudderstack", "customerio"] as const;
const asked = (given: unknown) => ({ input: given as Record<string, unknown> });
/** A path through which events come. */
const opens = (at: (typeof api.batches)[number], door: Door): Route =>
  direct(at, (reading, input) => receive(door, { ...reading, ...asked(input) }));
const json = (body: unknown) => ({ type: "application/json", body: JSON.stringify(body) });

const segments = [
  ...api.batches.map((at) => opens(at, { protocols: family })),
  ...api.singles.map(({ call, at }) => opens(at, { protocols: family, call })),
  direct(api.settings, (reading, input) =>
    setUp({ protocols: ["segment"] }, { ...reading, ...asked(input) }, (key) =>
      // What Segment's browser client needs to send to us, and no integration of anybody else's.
      json({
        integrations: {
          "Segment.io": {
            apiKey: key,
            apiHost: `${new URL(reading.request.url).host}/v1`,
            protocol: new URL(reading.request.url).protocol.replace(":", ""),
            unbundledIntegrations: [],
            addBundledMetadata: false,
            versionSettings: { version: "4.4.7", componentTypes: ["browser"] },
          },
        },
        plan: {
          track: { __default: { enabled: true, integrations: {} } },
          identify: {},
          group: {},
        },
        edgeFunction: {},
        analyticsNextEnabled: true,
        middlewareSettings: {},
        enabledMiddleware: {},
        metrics: { sampleRate: 0 },
        legacyVideoPluginsEnabled: false,
        remotePlugins: [],
      }),
    ),
  ),
];

const rudder = { protocols: ["rudderstack"] } as const;
const rudders = [
  opens(api.merge, { ...rudder, call: "merge" }),
  opens(api.beacon, rudder),
  ...api.pixels.map(({ call, at }) => opens(at, { ...rudder, call })),
  ...api.sourceConfig.map((at) =>
    direct(at, (reading, input) =>
      setUp(rudder, { ...reading, ...asked(input) }, (key, source) =>
        json({
          source: {
            id: source.id,
            name: source.name,
            writeKey: key,
            enabled: true,
            config: {
              statsCollection: { errors: { enabled: false }, metrics: { enabled: false } },
            },
            connections: [],
            destinations: [],
            workspaceId: "liuke",
            updatedAt: reading.at.toISOString(),
          },
          updatedAt: reading.at.toISOString(),
          consentManagementMetadata: { providers: [] },
        }),
      ),
    ),
  ),
];

const posthog = { protocols: ["posthog"] } as const;
/** Nothing but events is wanted of PostHog's client: no recording, no surveys, no flags. */
const wanted = {
  supportedCompression: ["gzip", "gzip-js"],
  hasFeatureFlags: false,
  captureDeadClicks: false,
  capturePerformance: false,
  autocapture_opt_out: false,
  autocaptureExceptions: false,
  analytics: { endpoint: "/e/" },
  elementsChainAsString: true,
  sessionRecording: false,
  heatmaps: false,
  surveys: false,
  productTours: false,
  conversations: false,
  logs: { captureConsoleLogs: false },
  defaultIdentifiedOnly: true,
  siteApps: [],
  isAuthenticated: false,
  toolbarParams: {},
  errorTracking: { autocaptureExceptions: false, suppressionRules: [] },
};
const posthogs = [
  ...api.captures.map((at) => opens(at, posthog)),
  ...api.flags.map((at) =>
    // No flag of ours is served here: whoever asks hears that there are none, and keeps sending.
    direct(at, (reading) => tell(reading, { flags: {}, featureFlags: {}, ...wanted })),
  ),
  direct(api.remoteConfig, (reading, input) =>
    setUp(posthog, { ...reading, ...asked(input) }, (key) => json({ token: key, ...wanted })),
  ),
  direct(api.remoteScript, (reading, input) =>
    setUp(posthog, { ...reading, ...asked(input) }, (key) => ({
      type: "text/javascript",
      body: `(function(){window._POSTHOG_REMOTE_CONFIG=window._POSTHOG_REMOTE_CONFIG||{};window._POSTHOG_REMOTE_CONFIG[${JSON.stringify(key)}]={config:${JSON.stringify({ token: key, ...wanted })},siteApps:[]};})();`,
    })),
  ),
];

const others = [
  ...api.jitsus.map(({ call, at }) => opens(at, { protocols: ["jitsu"], call })),
  ...api.jitsuOld.map((at) => opens(at, { protocols: ["jitsu"], call: "event" })),
  opens(api.dittofeedBatch, { protocols: ["dittofeed"] }),
  ...api.dittofeeds.map(({ call, at }) => opens(at, { protocols: ["dittofeed"], call })),
  ...[...api.trackers, ...api.trackerPixels].map((at) => opens(at, { protocols: ["snowplow"] })),
  ...api.sensors.map((at) => opens(at, { protocols: ["sensors"] })),
  opens(api.sensorsTrial, { protocols: ["sensors"], trial: true }),
  opens(api.cloudevents, { protocols: ["cloudevents"] }),
  direct(api.preflight, (reading, input) => preflight({ ...reading, ...asked(input) })),
];

export const routes: readonly Route[] = [...segments, ...rudders, ...posthogs, ...others];
