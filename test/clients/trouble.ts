// What stands between a client and a server in the world: something that answers for us, a line that breaks, a wait.
import { once } from "node:events";
import { createServer, request, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { Protocol } from "../../src/collect/rules.ts";
import { answerOf, type Outcome } from "../../src/doors/model/answers.ts";

export type Trouble =
  | { answers: { status: number; headers?: Record<string, string>; body?: unknown } } // and nothing reaches us
  | "torn" // the line breaks in the middle of the body
  | "unheard" // everything reaches us, and the line breaks before the answer does
  | { slowMs: number }; // everything reaches us, and the answer takes so long
/** How long the slow answer takes. */
export const slowMs = 3000;
/** Answers are those that our own doors give, where they give one. */
export const troubles = {
  "429": { kind: "request.too_many", seconds: 1 },
  "503": { kind: "request.away", seconds: 1 },
  "500": 500,
  "400": { kind: "request.invalid", fields: ["body"] },
  "413": 413,
  "our word for too large": { kind: "request.too_large" },
  torn: "torn",
  unheard: "unheard",
  slow: { slowMs },
} as const satisfies Record<string, Outcome | number | Trouble>;
export type Name = keyof typeof troubles;
export function troubleOf(name: Name, protocol: Protocol): Trouble {
  const given: Outcome | number | Trouble = troubles[name];
  if (typeof given === "number") return { answers: { status: given } };
  if (typeof given === "string" || "slowMs" in given) return given;
  return { answers: answerOf(protocol, given as Outcome, Date.now()) };
}

export type Line = { url: string; met: number; requests: number } & AsyncDisposable;

/** A line to the server at `to`. The first POSTs whose bodies it reads meet the troubles, one each; all else goes through. */
export async function lineTo(to: string, ...meets: Trouble[]): Promise<Line> {
  const waiting = [...meets];
  const line = { url: "", met: 0, requests: 0 };
  const onward = (from: IncomingMessage, length: number) => {
    const { "transfer-encoding": _, ...headers } = from.headers;
    const size = length > 0 ? { "content-length": String(length) } : {};
    return request(`${to}${from.url}`, {
      method: from.method!,
      // As it was asked for: what a page is told to send to is made of it.
      headers: { ...headers, ...size },
    });
  };
  const server = createServer(async (from, answer) => {
    const parts: Buffer[] = [];
    for await (const part of from) parts.push(part as Buffer);
    const body = Buffer.concat(parts);
    // A client may ask for its flags by POST too.
    const isEvents = from.method === "POST" && !from.url!.startsWith("/flags");
    const met: Trouble | null = isEvents ? (waiting.shift() ?? null) : null;
    if (isEvents) line.requests++;
    if (met !== null) line.met++;
    const allow = {
      "access-control-allow-origin": from.headers.origin ?? "*",
      "access-control-allow-credentials": "true",
    };
    if (met !== null && typeof met === "object" && "answers" in met) {
      const { status, headers, body: said } = met.answers;
      answer.writeHead(status, { "content-type": "application/json", ...allow, ...headers });
      answer.end(JSON.stringify(said ?? {}));
      return;
    }
    const out = onward(from, body.length);
    out.on("error", () => answer.destroy());
    if (met === "torn") {
      // Half of it reaches us, under the length of the whole.
      out.write(body.subarray(0, body.length >> 1));
      await new Promise((resolve) => setTimeout(resolve, 50));
      out.destroy();
      from.socket.destroy();
      return;
    }
    out.end(body);
    const [back] = (await once(out, "response")) as [IncomingMessage];
    const said: Buffer[] = [];
    for await (const part of back) said.push(part as Buffer);
    if (met === "unheard") {
      from.socket.destroy();
      return;
    }
    if (met !== null && typeof met === "object" && "slowMs" in met)
      await new Promise((resolve) => setTimeout(resolve, met.slowMs));
    const headers = { ...back.headers };
    delete headers["transfer-encoding"];
    answer.writeHead(back.statusCode!, headers);
    answer.end(Buffer.concat(said));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  line.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return Object.assign(line, {
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  });
}
