import { createRequire } from "node:module";
import { mixed } from "./mixed.ts";

const { url, key } = JSON.parse(process.argv[2]);
const { DittofeedSdk } = createRequire(import.meta.url)("@dittofeed/sdk-node");
await DittofeedSdk.init({ writeKey: key, host: url });
for (const { n, kind, user, name, data, traits, at } of mixed([
  "identify",
  "track",
  "page",
  "screen",
])) {
  const own = { userId: user, messageId: `m-${n}`, timestamp: at.toISOString() };
  if (kind === "identify") DittofeedSdk.identify({ ...own, traits });
  else if (kind === "page") DittofeedSdk.page({ ...own, name: `Page ${n}`, properties: data });
  else if (kind === "screen")
    DittofeedSdk.screen({ ...own, name: `Screen ${n}`, properties: data });
  else DittofeedSdk.track({ ...own, event: name, properties: data });
}
await DittofeedSdk.flush();
console.log(JSON.stringify({ done: true }));
