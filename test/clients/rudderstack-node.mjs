import RudderAnalytics from "@rudderstack/rudder-sdk-node";
import { mixed } from "./mixed.ts";

const { url, key, gzip = true } = JSON.parse(process.argv[2]);
const client = new RudderAnalytics(key, {
  dataPlaneUrl: url,
  flushAt: 50,
  flushInterval: 100_000,
  gzip,
  logLevel: "error",
  maxQueueSize: 1_000_000,
});
for (const { n, kind, user, anonymous, name, data, traits, at } of mixed([
  ...["identify", "track", "page", "screen", "group", "alias"],
])) {
  const who = { userId: user, anonymousId: anonymous, timestamp: at, messageId: `m-${n}` };
  if (kind === "identify") client.identify({ ...who, traits });
  else if (kind === "page")
    client.page({ ...who, name: `Page ${n}`, properties: { ...data, category: "shop" } });
  else if (kind === "screen") client.screen({ ...who, name: `Screen ${n}`, properties: data });
  else if (kind === "group") client.group({ ...who, groupId: `g${n % 7}`, traits: { n, size: 3 } });
  else if (kind === "alias")
    client.alias({ userId: user, previousId: `old-${n}`, timestamp: at, messageId: `m-${n}` });
  else client.track({ ...who, event: name, properties: data });
}
process.on("unhandledRejection", () => {});
process.on("uncaughtException", () => {});
const flushed = () => new Promise((resolve) => client.flush((error) => resolve(error)));
for (let i = 0; i < 40; i++)
  await Promise.race([flushed(), new Promise((resolve) => setTimeout(resolve, 300))]);
await new Promise((resolve) => setTimeout(resolve, 1000));
console.log(JSON.stringify({ done: true }));
process.exit(0);
