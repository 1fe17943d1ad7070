// Every HTTP request that this house sends to an address somebody typed in. Whoever may name an address may not reach
// through us what only we can reach: the machine itself, its neighbours, a cloud's metadata. So an address is judged
// where it is used, in the connection's own look-up, and each of its answers has to lie on the open internet.
import { lookup as systemLookup, type LookupAddress } from "node:dns";
import http from "node:http";
import https from "node:https";
import { isIP, type LookupFunction } from "node:net";
import ipaddr from "ipaddr.js";
import { fail, ok, type Result } from "./result.ts";

export type Asked = {
  url: string;
  headers: Record<string, string>;
  body: string | Buffer;
  /** For everything together: looking up, connecting, sending, and the answer to its end. */
  timeoutMs: number;
};
/** `ms` is how long it took; `body` at most `bodyLimitBytes` of what came, `cut` where there was more. */
export type Answered =
  | {
      kind: "answered";
      status: number;
      headers: Record<string, string>;
      body: Buffer;
      cut: boolean;
      ms: number;
    }
  | { kind: "failed"; code: Unreached; ms: number };
export type Unreached = Refused | "timeout" | "unresolved" | "refused" | "broken" | "tls";
/** Why an address is not written to at all. */
export type Refused = "address" | "scheme" | "credentials" | "port" | "internal";
export type Outgoing = { post: (asked: Asked) => Promise<Answered>; close: () => void };

const urlLimit = 2048;
const bodyLimitBytes = 64 * 1024;
/** At once to one host and port; what is more waits for its turn within its own time. */
const socketLimit = 32;
const idleMs = 10_000;

/**
 * Ports on which, inside of networks, something listens that a forged request could harm: the ports browsers refuse
 * above 1023 (fetch.spec.whatwg.org, "bad port"), and databases, caches, queues and the doors of container engines.
 * Below 1024 only 80 and 443 are let through.
 */
const closedPorts = new Set([
  ...[1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667],
  ...[6668, 6669, 6679, 6697, 10080],
  ...[1433, 1521, 2375, 2376, 2379, 2380, 3306, 3389, 4369, 5432, 5672, 5900, 5984, 5985, 5986],
  ...[6379, 6443, 7000, 7001, 8086, 8500, 9000, 9042, 9092, 9160, 9200, 9300, 10250, 10255],
  ...[11211, 15672, 26257, 27017, 27018, 50000],
]);
const openPort = (port: number): boolean =>
  port === 80 || port === 443 || (port >= 1024 && !closedPorts.has(port));

/** Ranges that ipaddr.js calls unicast and that lead inwards: a cloud's own server, and what IPv6 has set apart. */
const closed = ["168.63.129.16/32", "3fff::/20", "2620:4f:8000::/48"].map((range) =>
  ipaddr.parseCIDR(range),
);
const openIPv6 = ipaddr.parseCIDR("2000::/3");

/** Does this address lie on the open internet? Not one that another kind of address is wrapped into. */
function isGlobal(text: string): boolean {
  if (!ipaddr.isValid(text)) return false;
  const address = ipaddr.parse(text);
  if (address.range() !== "unicast") return false;
  // What is no global unicast yet may become anything: ::/96, NAT64, segment routing.
  if (address.kind() === "ipv6" && !address.match(openIPv6)) return false;
  return closed.every((range) => range[0].kind() !== address.kind() || !address.match(range));
}

/** What LIUKE_FEED_ALLOW names: hosts, addresses and ranges that may be internal, whatever their port. */
function allowing(list: readonly string[]) {
  const hosts = new Set<string>();
  const ranges: [ipaddr.IPv4 | ipaddr.IPv6, number][] = [];
  for (const part of list) {
    const plain = part.toLowerCase().replace(/^\[(.*)\]$/, "$1");
    if (ipaddr.isValidCIDR(plain)) ranges.push(ipaddr.parseCIDR(plain));
    else if (isIP(plain)) ranges.push([ipaddr.parse(plain), isIP(plain) === 4 ? 32 : 128]);
    else hosts.add(plain);
  }
  return {
    host: (name: string) => hosts.has(name),
    address: (text: string) => {
      if (!ipaddr.isValid(text)) return false;
      const address = ipaddr.parse(text);
      return ranges.some((range) => range[0].kind() === address.kind() && address.match(range));
    },
  };
}
type Allowing = ReturnType<typeof allowing>;

const hostOf = (url: URL): string => url.hostname.replace(/^\[(.*)\]$/, "$1").replace(/\.+$/, "");
const portOf = (url: URL): number => Number(url.port || (url.protocol === "https:" ? 443 : 80));

/**
 * May this address be written to, as far as its text tells? What it leads to is judged when it is used. The parser is
 * the one that connects, so that decimal, octal and hexadecimal forms, full-width letters and dots of other scripts
 * have become what they mean.
 */
function readUrl(text: string, allow: Allowing): Result<URL, Refused> {
  const url = text.length <= urlLimit ? URL.parse(text) : null;
  if (!url) return fail("address");
  if (url.protocol !== "https:" && url.protocol !== "http:") return fail("scheme");
  if (url.username !== "" || url.password !== "") return fail("credentials");
  const host = hostOf(url);
  if (host === "" || host.includes("%")) return fail("address");
  if (allow.host(host) || (isIP(host) !== 0 && allow.address(host))) return ok(url);
  if (isIP(host) !== 0) return !isGlobal(host) ? fail("internal") : portRule(url);
  // A name without a dot, and the names that only a local network knows.
  if (!host.includes(".") || /\.(localhost|local|internal|home\.arpa|lan|onion)$/.test(host))
    return fail("internal");
  return portRule(url);
}
const portRule = (url: URL): Result<URL, Refused> =>
  openPort(portOf(url)) ? ok(url) : fail("port");

/** For a form: null where the address may be used. Nothing is looked up. */
export function refusedUrl(text: string, allow: readonly string[]): Refused | null {
  const read = readUrl(text, allowing(allow));
  return read.ok ? null : read.code;
}

/** As node:dns has it: every address of a name. */
export type Lookup = (
  host: string,
  options: { all: true },
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/** `lookup` is for tests that play a name server. */
export function connectOutgoing(
  allowed: readonly string[],
  { lookup = systemLookup as Lookup }: { lookup?: Lookup } = {},
): Outgoing {
  const allow = allowing(allowed);
  // The look-up of the connection itself: what is judged here is what is connected to. One bad answer spoils all.
  const judged: LookupFunction = (host, options, done) => {
    lookup(host, { all: true }, (error, addresses) => {
      if (error) return done(error, "");
      const inwards = ({ address }: LookupAddress) => !isGlobal(address) && !allow.address(address);
      const spoilt = addresses.length === 0 || (!allow.host(host) && addresses.some(inwards));
      if (spoilt) return done(Object.assign(new Error("internal"), { code: "INTERNAL" }), "");
      if (options.all) return done(null, addresses);
      const [first] = addresses;
      return done(null, first!.address, first!.family);
    });
  };
  const agent = { keepAlive: true, maxSockets: socketLimit, maxFreeSockets: 4, timeout: idleMs };
  const agents = { "http:": new http.Agent(agent), "https:": new https.Agent(agent) };

  const once = (url: URL, asked: Asked, from: number): Promise<Answered & { again?: boolean }> =>
    new Promise((resolve) => {
      const ms = () => Math.round(performance.now() - from);
      const secure = url.protocol === "https:";
      const request = (secure ? https : http).request(url, {
        method: "POST",
        agent: agents[secure ? "https:" : "http:"],
        lookup: judged,
        headers: {
          "user-agent": "Liuke",
          "accept-encoding": "identity",
          ...asked.headers,
          "content-length": Buffer.byteLength(asked.body),
        },
      });
      const end = (answer: Answered & { again?: boolean }) => {
        clearTimeout(timer);
        resolve(answer);
        request.destroy();
      };
      const left = Math.max(asked.timeoutMs - ms(), 1);
      const timer = setTimeout(() => end({ kind: "failed", code: "timeout", ms: ms() }), left);
      request.on("error", (error: NodeJS.ErrnoException) =>
        end({
          kind: "failed",
          code: codeOf(error),
          ms: ms(),
          // The other side had closed a connection that was kept: this request never came to it.
          again: request.reusedSocket && error.code === "ECONNRESET",
        }),
      );
      request.on("response", (response) => {
        const parts: Buffer[] = [];
        let size = 0;
        const finish = (cut: boolean) => {
          clearTimeout(timer);
          resolve({
            kind: "answered",
            status: response.statusCode ?? 0,
            headers: textOf(response.headers),
            body: Buffer.concat(parts).subarray(0, bodyLimitBytes),
            cut,
            ms: ms(),
          });
          if (cut) request.destroy();
        };
        response.on("data", (part: Buffer) => {
          if (size > bodyLimitBytes) return;
          parts.push(part);
          size += part.length;
          if (size > bodyLimitBytes) finish(true);
        });
        response.on("end", () => finish(false));
        response.on("error", () => end({ kind: "failed", code: "broken", ms: ms() }));
      });
      request.end(asked.body);
    });

  return {
    /** Follows no redirect: where it leads to, nobody has judged. */
    post: async (asked) => {
      const from = performance.now();
      const url = readUrl(asked.url, allow);
      if (!url.ok) return { kind: "failed", code: url.code, ms: 0 };
      url.value.hash = "";
      const { again, ...answer } = await once(url.value, asked, from);
      if (!again) return answer;
      const { again: _, ...second } = await once(url.value, asked, from);
      return second;
    },
    close: () => {
      for (const one of Object.values(agents)) one.destroy();
    },
  };
}

const textOf = (headers: http.IncomingHttpHeaders): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, [value].flat().join(", ")]),
  );

function codeOf({ code = "" }: NodeJS.ErrnoException): Unreached {
  if (code === "INTERNAL") return "internal";
  if (/^(ENOTFOUND|EAI_AGAIN|EAI_FAIL|ENODATA)$/.test(code)) return "unresolved";
  if (/^(ECONNREFUSED|EHOSTUNREACH|ENETUNREACH)$/.test(code)) return "refused";
  if (code === "ETIMEDOUT") return "timeout";
  return /CERT|TLS|SSL|EPROTO|SELF_SIGNED|UNABLE_TO/.test(code) ? "tls" : "broken";
}
