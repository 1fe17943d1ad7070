import { jitsuAnalytics } from "@jitsu/js";
import { mixed } from "./mixed.ts";

const { url, key } = JSON.parse(process.argv[2]);
const client = jitsuAnalytics({ host: url, writeKey: `${key}:any`, fetchTimeoutMs: 20_000 });
for (const { n, kind, user, name, data, traits } of mixed(["identify", "track", "page", "group"])) {
  if (kind === "identify") await client.identify(user, traits);
  else if (kind === "page") await client.page({ ...data, name: `Page ${n}` });
  else if (kind === "group") await client.group(`g${n % 7}`, { n, size: 3 });
  else await client.track(name, data);
}
console.log(JSON.stringify({ done: true }));
process.exit(0);
