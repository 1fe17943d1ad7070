import {
  buildPageView,
  buildScreenView,
  buildSelfDescribingEvent,
  buildStructEvent,
  newTracker,
} from "@snowplow/node-tracker";
import { mixed } from "./mixed.ts";

const { url, key, path, base64 = true } = JSON.parse(process.argv[2]);
const failed = [];
const tracker = newTracker(
  { namespace: "shop", appId: path ? "shop" : key, encodeBase64: base64 },
  {
    endpoint: url,
    eventMethod: "post",
    bufferSize: 50,
    maxPostBytes: 900_000,
    ...(path ? { postPath: path } : {}),
    onRequestFailure: (batch) => failed.push(batch.willRetry),
  },
);
const eids = [];
for (const { n, kind, user, anonymous, name, data, at } of mixed(["track", "page", "screen"])) {
  tracker.setUserId(user);
  tracker.setDomainUserId(anonymous);
  const when = { type: "ttm", value: at.getTime() };
  const context = [{ schema: "iglu:com.acme/shelf/jsonschema/1-0-0", data: { n } }];
  const payload =
    kind === "page"
      ? buildPageView({
          pageUrl: `https://shop.example/p/${n}`,
          pageTitle: `Page ${n}`,
          referrer: "https://shop.example/",
        })
      : kind === "screen"
        ? buildScreenView({ id: `screen-${n}`, name: `Screen ${n}` })
        : n % 5 === 0
          ? buildStructEvent({
              category: "shop",
              action: name,
              label: `label ${n}`,
              property: "sku",
              value: n,
            })
          : buildSelfDescribingEvent({
              event: { schema: "iglu:com.acme/product_looked_at/jsonschema/1-0-0", data },
            });
  eids.push([n, tracker.track(payload, context, when)?.eid]);
}
await tracker.flush();
for (let i = 0; i < 40; i++) {
  await new Promise((resolve) => setTimeout(resolve, 100));
  await tracker.flush();
}
console.log(JSON.stringify({ failed, eids }));
process.exit(0);
