// A load from a process of its own: `node load.ts` reads one JSON order from standard input and prints one JSON answer.
// Requests are written to raw keep-alive sockets and answers are only cut apart and looked at, because what the load
// costs is taken from the same machine that it measures.
//
// closed: every connection sends its next request when the last was answered. open: requests are due at a fixed rate
// whatever the answers do, and latency counts from when each was due (no coordinated omission).
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { bodyOf, eventOf, visitOf } from "./events.ts";

export type Order = {
  port: number;
  path: string;
  key: string;
  connections: number;
  seconds: number;
  /** Events a request. */
  batch: number;
  /** Requests a second, for an open loop; null for a closed one. */
  rate: number | null;
  /** Where the numbering of events begins: no two orders may send the same. */
  from: number;
  people: number;
  /** Share of people never seen before, in percent. */
  fresh: number;
  /** Are events dated now? Else their times follow from their numbers. */
  live?: boolean;
  /** With visitors who turn out to be members (`fresh` says nothing then). */
  visits?: boolean;
};
export type Loaded = {
  requests: number;
  events: number;
  seconds: number;
  refused: number;
  failed: number;
  p50: number;
  p99: number;
  processorSeconds: number;
  next: number;
};

function requestOf(order: Order, body: string): string {
  return (
    `POST ${order.path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n` +
    `authorization: Bearer ${order.key}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  );
}

type Line = { send: (text: string, due: number) => void; free: () => boolean; end: () => void };
function line(port: number, answered: (due: number, status: number, text: string) => void): Line {
  let socket: Socket;
  let due: number | null = null;
  let sent = "";
  let resent = false;
  let got = "";
  let over = false;
  const open = () => {
    socket = connect(port, "127.0.0.1").setNoDelay(true);
    socket.setEncoding("latin1");
    socket.on("data", (some: string) => {
      got += some;
      const head = got.indexOf("\r\n\r\n");
      if (head < 0) return;
      const length = /content-length: (\d+)/i.exec(got.slice(0, head));
      const chunked = !length && got.endsWith("0\r\n\r\n");
      if (length ? got.length < head + 4 + Number(length[1]) : !chunked) return;
      const [was, text] = [due!, got];
      due = null;
      got = "";
      answered(was, Number(text.slice(9, 12)), text.slice(head + 4));
    });
    const own = socket;
    own.on("error", () => {});
    own.on("end", () => own.destroy());
    // A server closes a connection that was idle for long. A request that met that end, and nothing of whose answer
    // came, goes out once more on the next one, as any client of HTTP does: its events carry keys.
    own.on("close", () => {
      if (over || own !== socket) return;
      const was = due;
      const again = was !== null && got === "" && !resent;
      got = "";
      open();
      if (again) {
        resent = true;
        socket.write(sent);
      } else if (was !== null) {
        due = null;
        answered(was, 0, "");
      }
    });
  };
  open();
  return {
    send: (text, at) => {
      due = at;
      sent = text;
      resent = false;
      if (!socket.destroyed) socket.write(text);
    },
    free: () => due === null,
    end: () => {
      over = true;
      socket.destroy();
    },
  };
}

async function load(order: Order): Promise<Loaded> {
  const began = performance.now();
  const until = began + order.seconds * 1000;
  const cpu = process.cpuUsage();
  const taken: number[] = [];
  let next = order.from;
  let [requests, events, refused, failed] = [0, 0, 0, 0];
  const body = () => {
    const event = (n: number) =>
      order.visits ? visitOf(n, order.people) : eventOf(n, order.people, order.fresh);
    const text = bodyOf(next, order.batch, event, order.live ? new Date().toISOString() : null);
    next += order.batch;
    return requestOf(order, text);
  };
  const waiting: number[] = []; // instants at which requests were due and no connection was free
  const lines: Line[] = [];
  const answered = (own: () => Line) => (due: number, status: number, text: string) => {
    const now = performance.now();
    taken.push(now - due);
    if (status === 200) {
      requests++;
      const accepted = Number(/"accepted":(\d+)/.exec(text)?.[1] ?? 0);
      events += accepted;
      refused += order.batch - accepted;
    } else failed++;
    if (order.rate === null) {
      if (now < until) own().send(body(), now);
    } else if (waiting.length > 0) own().send(body(), waiting.shift()!);
  };
  for (let i = 0; i < order.connections; i++) {
    const own: Line = line(
      order.port,
      answered(() => own),
    );
    lines.push(own);
  }
  if (order.rate === null) for (const own of lines) own.send(body(), performance.now());
  else {
    let due = began;
    while (due < until) {
      const now = performance.now();
      for (; due <= now && due < until; due += 1000 / order.rate) {
        const own = lines.find(({ free }) => free());
        if (own && waiting.length === 0) own.send(body(), due);
        else waiting.push(due);
      }
      await sleep(1);
    }
  }
  while (lines.some(({ free }) => !free()) || waiting.length > 0) await sleep(1);
  const seconds = (performance.now() - began) / 1000;
  for (const { end } of lines) end();
  const { user, system } = process.cpuUsage(cpu);
  taken.sort((a, b) => a - b);
  const at = (share: number) =>
    taken[Math.min(taken.length - 1, Math.floor(taken.length * share))]!;
  return {
    ...{ requests, events, seconds, refused, failed, next },
    ...{ p50: at(0.5), p99: at(0.99), processorSeconds: (user + system) / 1e6 },
  };
}

if (import.meta.url === pathToFileURL(process.argv[1]!).href) {
  let text = "";
  for await (const some of process.stdin.setEncoding("utf8")) text += String(some);
  process.stdout.write(JSON.stringify(await load(JSON.parse(text) as Order)));
}
