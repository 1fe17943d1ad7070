// @segment/analytics-node, and @customerio/cdp-analytics-node, which is the same with another server.
import { Analytics as Segment } from "@segment/analytics-node";
import { Analytics as Customerio } from "@customerio/cdp-analytics-node";
import { mixed } from "./mixed.ts";
import { runAll } from "./told.mjs";

await runAll(
  async ({ url, key, client, count = 1000, flushAt = 50, token, bare = false, timeoutMs }) => {
    const Analytics = client === "customerio" ? Customerio : Segment;
    const analytics = new Analytics({
      writeKey: key,
      host: url,
      ...(client === "customerio" ? { maxEventsInBatch: flushAt } : { flushAt }),
      maxRetries: 3,
      flushInterval: 200,
      ...(timeoutMs ? { httpRequestTimeout: timeoutMs } : {}),
    });
    const errors = [];
    analytics.on("error", (error) => errors.push(error.code ?? String(error)));
    const ids = [];
    const done = (_, context) => {
      if (context) ids.push(context.event.messageId);
    };
    for (const { n, kind, user, anonymous, name, data, traits, at } of mixed(
      ["identify", "track", "page", "screen", "group", "alias"],
      count,
    )) {
      const who = { userId: user, anonymousId: anonymous, timestamp: at, messageId: `m-${n}` };
      if (token) who.context = { personToken: token };
      if (kind === "identify") analytics.identify({ ...who, traits }, done);
      else if (kind === "page")
        analytics.page({ ...who, name: `Page ${n}`, category: "shop", properties: data }, done);
      else if (kind === "screen")
        analytics.screen({ ...who, name: `Screen ${n}`, properties: data }, done);
      else if (kind === "group")
        analytics.group({ ...who, groupId: `g${n % 7}`, traits: { n, size: 3 } }, done);
      else if (kind === "alias")
        analytics.alias(
          { userId: user, previousId: `old-${n}`, timestamp: at, messageId: `m-${n}` },
          done,
        );
      else analytics.track({ ...who, event: name, properties: bare ? { n } : data }, done);
    }
    await analytics.closeAndFlush({ timeout: 30_000 });
    return { errors, ids: ids.length };
  },
);
