import SensorsAnalytics from "sa-sdk-node";
import { mixed } from "./mixed.ts";
import { runAll, wait } from "./told.mjs";

// Its first submitter is the only one of a process.
await runAll(async ({ url, key, gzip = true, count = 1000, flushAt = 50, timeoutMs = 10_000 }) => {
  const sensors = new SensorsAnalytics();
  const errors = [];
  const submitter = sensors.submitTo(
    { url: `${url}/sa?project=${key}`, gzip, timeout: timeoutMs },
    { count: flushAt },
  );
  submitter.catch((error) => errors.push(String(error)));
  for (const { n, kind, user, name, data, traits, at } of mixed(
    ["identify", "track", "page", "alias"],
    count,
  )) {
    const { n: _, sku, price, tags, words } = data;
    const own = { n, sku, price, tags, words, $time: at };
    if (kind === "identify") sensors.profileSet(user, { ...traits, $time: at });
    else if (kind === "page") sensors.track(user, "$pageview", { ...own, $title: `Page ${n}` });
    else if (kind === "alias") sensors.trackSignup(user, `old-${n}`, { n, $time: at });
    else sensors.track(user, ["ShelfSeen", "ShelfTouched", "Looked"][n % 3], own);
    void name;
  }
  const waitFor = Date.now() + 15_000;
  while (submitter.dataQueue.executing || submitter.dataQueue.hasData) {
    if (Date.now() > waitFor) break;
    await wait(50);
  }
  return { errors };
});
