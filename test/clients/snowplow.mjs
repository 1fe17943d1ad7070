import {
  buildPageView,
  buildScreenView,
  buildSelfDescribingEvent,
  buildStructEvent,
  newTracker,
} from "@snowplow/node-tracker";
import { mixed } from "./mixed.ts";
import { runAll, wait } from "./told.mjs";

await runAll(async ({ url, key, path, base64 = true, count = 1000, flushAt = 50, timeoutMs }) => {
  const failed = [];
  let open = count;
  const tracker = newTracker(
    { namespace: `shop ${url}`, appId: path ? "shop" : key, encodeBase64: base64 },
    {
      endpoint: url,
      eventMethod: "post",
      bufferSize: flushAt,
      maxPostBytes: 900_000,
      ...(path ? { postPath: path } : {}),
      ...(timeoutMs ? { connectionTimeout: timeoutMs } : {}),
      onRequestSuccess: (batch) => (open -= batch.length),
      onRequestFailure: ({ willRetry, events }) => {
        failed.push(willRetry);
        if (!willRetry) open -= events.length;
      },
    },
  );
  // It tries again when something new is tracked, or when it is told to.
  const sent = async (left) => {
    for (let i = 0; i < 100 && open > left; i++) {
      await tracker.flush();
      if (open > left) await wait(50);
    }
  };
  const eids = [];
  for (const { n, kind, user, anonymous, name, data, at } of mixed(
    ["track", "page", "screen"],
    count,
  )) {
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
    // Its requests are as long as what waits.
    if (n % flushAt === flushAt - 1) await sent(count - n - 1);
  }
  await sent(0);
  return { failed, eids };
});
