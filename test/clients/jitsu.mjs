import { jitsuAnalytics } from "@jitsu/js";
import { mixed } from "./mixed.ts";
import { runAll } from "./told.mjs";

await runAll(async ({ url, key, count = 1000, timeoutMs = 20_000, s2s = false }) => {
  const client = jitsuAnalytics({
    host: url,
    writeKey: `${key}:any`,
    fetchTimeoutMs: timeoutMs,
    s2s,
  });
  for (const { n, kind, user, name, data, traits } of mixed(
    ["identify", "track", "page", "group"],
    count,
  )) {
    if (kind === "identify") await client.identify(user, traits);
    else if (kind === "page") await client.page({ ...data, name: `Page ${n}` });
    else if (kind === "group") await client.group(`g${n % 7}`, { n, size: 3 });
    else await client.track(name, data);
  }
  return { done: true };
});
