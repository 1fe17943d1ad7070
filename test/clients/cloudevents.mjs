import { CloudEvent, emitterFor, httpTransport, Mode } from "cloudevents";
import { mixed } from "./mixed.ts";
import { runAll, wait } from "./told.mjs";

/**
 * The library's own transport answers with the body alone. A transport of the sender's own, as the library documents it,
 * hears the status, and does what RFC 9110 says of it.
 */
const patient = (to, timeoutMs) => async (message, options) => {
  for (let i = 0; i < 4; i++) {
    const answer = await fetch(to, {
      method: "POST",
      headers: { ...message.headers, ...options.headers },
      body: message.body,
      signal: AbortSignal.timeout(timeoutMs),
    }).catch(() => null);
    if (answer && answer.status !== 429 && answer.status < 500) return answer;
    await wait(1000 * Number(answer?.headers.get("retry-after") ?? 0.1));
  }
};

await runAll(async ({ url, key, count = 1000, timeoutMs }) => {
  const events = mixed(["identify", "track", "page", "alias"], count).map(
    ({ n, kind, user, anonymous, name, data, traits, at }) =>
      new CloudEvent({
        id: `e-${n}`,
        source: "/shop/till",
        type: kind === "track" ? name.replace("看了商品", "com.shop.looked") : kind,
        time: at.toISOString(),
        userid: user,
        anonymousid: anonymous,
        ...(kind === "alias" ? { previousid: `old-${n}` } : {}),
        datacontenttype: "application/json",
        data:
          kind === "identify"
            ? { traits }
            : kind === "alias"
              ? {}
              : { ...data, name: `Thing ${n}` },
      }),
  );
  const headers = { authorization: `Bearer ${key}` };
  const to = `${url}/v1/cloudevents`;
  const statuses = new Set();
  const transport = timeoutMs ? patient(to, timeoutMs) : httpTransport(to);
  const third = Math.floor(count / 3);
  // One third in headers, one third in bodies, by the library; the rest in lists of fifty.
  for (const [mode, some] of [
    [Mode.BINARY, events.slice(0, third)],
    [Mode.STRUCTURED, events.slice(third, 2 * third)],
  ]) {
    const send = emitterFor(transport, { mode });
    for (const event of some) await send(event, { headers });
  }
  for (let i = 2 * third; i < events.length; i += 50) {
    const response = await fetch(to, {
      method: "POST",
      headers: { ...headers, "content-type": "application/cloudevents-batch+json" },
      body: JSON.stringify(events.slice(i, i + 50)),
    });
    statuses.add(response.status);
  }
  return { statuses: [...statuses] };
});
