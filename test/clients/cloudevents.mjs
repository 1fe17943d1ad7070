import { CloudEvent, HTTP, emitterFor, httpTransport, Mode } from "cloudevents";
import { mixed } from "./mixed.ts";

const { url, key } = JSON.parse(process.argv[2]);
const events = mixed(["identify", "track", "page", "alias"]).map(
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
        kind === "identify" ? { traits } : kind === "alias" ? {} : { ...data, name: `Thing ${n}` },
    }),
);
const headers = { authorization: `Bearer ${key}` };
const statuses = new Set();
const to = `${url}/v1/cloudevents`;
// One third in headers, one third in bodies, by the library's own transport; the rest in lists of fifty.
const transport = httpTransport(to);
for (const [mode, some] of [
  [Mode.BINARY, events.slice(0, 333)],
  [Mode.STRUCTURED, events.slice(333, 666)],
]) {
  const send = emitterFor(transport, { mode });
  for (const event of some) await send(event, { headers });
}
for (let i = 666; i < events.length; i += 50) {
  const response = await fetch(to, {
    method: "POST",
    headers: { ...headers, "content-type": "application/cloudevents-batch+json" },
    body: JSON.stringify(events.slice(i, i + 50)),
  });
  statuses.add(response.status);
}
void HTTP;
console.log(JSON.stringify({ statuses: [...statuses] }));
