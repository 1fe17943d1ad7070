import { PostHog } from "posthog-node";
import { mixed } from "./mixed.ts";
import { runAll } from "./told.mjs";

const uuidOf = (n) => `11111111-1111-4111-8111-${String(n).padStart(12, "0")}`;
await runAll(async ({ url, key, count = 1000, flushAt = 50, timeoutMs }) => {
  const client = new PostHog(key, {
    host: url,
    flushAt,
    maxBatchSize: flushAt,
    flushInterval: 300,
    fetchRetryDelay: 50,
    ...(timeoutMs ? { requestTimeout: timeoutMs } : {}),
  });
  const errors = [];
  client.on("error", (error) => errors.push(String(error)));
  for (const { n, kind, user, name, data, traits, at } of mixed(
    ["identify", "track", "page", "screen", "group", "alias"],
    count,
  )) {
    const own = { distinctId: user, timestamp: at, uuid: uuidOf(n) };
    if (kind === "identify") client.identify({ distinctId: user, properties: traits });
    else if (kind === "page")
      client.capture({ ...own, event: "$pageview", properties: { ...data, title: `Page ${n}` } });
    else if (kind === "screen")
      client.capture({
        ...own,
        event: "$screen",
        properties: { ...data, $screen_name: `Screen ${n}` },
      });
    else if (kind === "group")
      client.groupIdentify({
        groupType: "company",
        groupKey: `g${n % 7}`,
        properties: { n, size: 3 },
      });
    else if (kind === "alias") client.alias({ distinctId: user, alias: `old-${n}` });
    else client.capture({ ...own, event: name, properties: data });
  }
  // A flush ends with the first batch that is given up; the next goes on behind it.
  for (let i = 0; i < count / flushAt; i++) await client.flush().catch(() => {});
  await client.shutdown(30_000);
  return { errors };
});
