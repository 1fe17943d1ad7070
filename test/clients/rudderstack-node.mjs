import RudderAnalytics from "@rudderstack/rudder-sdk-node";
import { mixed } from "./mixed.ts";
import { runAll, wait } from "./told.mjs";

// What it gives up it says by throwing where nobody can catch it.
process.on("unhandledRejection", () => {});
process.on("uncaughtException", () => {});
await runAll(async ({ url, key, gzip = true, count = 1000, flushAt = 50, timeoutMs }) => {
  const client = new RudderAnalytics(key, {
    dataPlaneUrl: url,
    flushAt,
    flushInterval: 100_000,
    gzip,
    logLevel: "error",
    maxQueueSize: 1_000_000,
    ...(timeoutMs ? { timeout: timeoutMs } : {}),
  });
  let open = count;
  const done = () => open--;
  for (const { n, kind, user, anonymous, name, data, traits, at } of mixed(
    [...["identify", "track", "page", "screen", "group", "alias"]],
    count,
  )) {
    const who = { userId: user, anonymousId: anonymous, timestamp: at, messageId: `m-${n}` };
    if (kind === "identify") client.identify({ ...who, traits }, done);
    else if (kind === "page")
      client.page({ ...who, name: `Page ${n}`, properties: { ...data, category: "shop" } }, done);
    else if (kind === "screen")
      client.screen({ ...who, name: `Screen ${n}`, properties: data }, done);
    else if (kind === "group")
      client.group({ ...who, groupId: `g${n % 7}`, traits: { n, size: 3 } }, done);
    else if (kind === "alias")
      client.alias(
        { userId: user, previousId: `old-${n}`, timestamp: at, messageId: `m-${n}` },
        done,
      );
    else client.track({ ...who, event: name, properties: data }, done);
  }
  // Each flush takes one batch out of the queue; after one that was given up it wants to be called once more.
  for (let i = 0; i < 150 && open > 0; i++) {
    client.flush().catch(() => {});
    await wait(100);
  }
  return { open };
});
