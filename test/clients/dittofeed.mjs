import { createRequire } from "node:module";
import { mixed } from "./mixed.ts";

const { url, key, count = 1000 } = [JSON.parse(process.argv[2])].flat()[0];
const { DittofeedSdk } = createRequire(import.meta.url)("@dittofeed/sdk-node");
// A batch that met an error is gone, and it says so by a rejection that nobody can catch.
const lost = [];
process.on("unhandledRejection", (error) => lost.push(String(error)));
// It sends by itself, and tells nobody when it has done so: its process ends when nothing is left.
process.on("exit", () => console.log(JSON.stringify({ lost })));
await DittofeedSdk.init({ writeKey: key, host: url });
for (const { n, kind, user, name, data, traits, at } of mixed(
  ["identify", "track", "page", "screen"],
  count,
)) {
  const own = { userId: user, messageId: `m-${n}`, timestamp: at.toISOString() };
  if (kind === "identify") DittofeedSdk.identify({ ...own, traits });
  else if (kind === "page") DittofeedSdk.page({ ...own, name: `Page ${n}`, properties: data });
  else if (kind === "screen")
    DittofeedSdk.screen({ ...own, name: `Screen ${n}`, properties: data });
  else DittofeedSdk.track({ ...own, event: name, properties: data });
}
await DittofeedSdk.flush();
