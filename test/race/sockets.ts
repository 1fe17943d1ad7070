// N callers at the same instant: every request is sent but for its last byte, and then all of those at once.
import { once } from "node:events";
import { connect, type AddressInfo, type Socket } from "node:net";
import { serve } from "@hono/node-server";
import type { Hono } from "hono";

export async function listen(app: Hono) {
  const listening = serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 0 });
  if (!listening.listening) await once(listening, "listening");
  const { port } = listening.address() as AddressInfo;
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      const closed = once(listening, "close");
      listening.close();
      if ("closeAllConnections" in listening) listening.closeAllConnections();
      await closed;
    },
  };
}

export type Asked = { path: string; headers: Record<string, string>; body: unknown };
const textOf = ({ path, headers, body }: Asked): Buffer => {
  const said = Buffer.from(JSON.stringify(body));
  const all = {
    host: "localhost",
    "content-type": "application/json",
    "content-length": String(said.length),
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`POST ${path} HTTP/1.1\r\n${lines.join("")}\r\n`), said]);
};
/** One answer of a connection that stays open. */
const answerOf = (socket: Socket): Promise<{ status: number; body: Record<string, unknown> }> =>
  new Promise((resolve, reject) => {
    let read = "";
    const onData = (chunk: Buffer) => {
      read += chunk.toString("latin1");
      const end = read.indexOf("\r\n\r\n");
      const length = Number(/content-length: (\d+)/i.exec(read)?.[1] ?? Number.NaN);
      if (end < 0 || !(read.length >= end + 4 + length)) return;
      socket.off("data", onData).off("error", reject);
      const text = Buffer.from(read.slice(end + 4), "latin1").toString();
      resolve({
        status: Number(read.slice(9, 12)),
        body: JSON.parse(text) as Record<string, unknown>,
      });
    };
    socket.on("data", onData).on("error", reject);
  });

/** `n` keep-alive connections to race over, round after round. */
export async function racers(port: number, n: number) {
  const sockets = await Promise.all(
    Array.from({ length: n }, async () => {
      const socket = connect({ port, host: "127.0.0.1", noDelay: true });
      await once(socket, "connect");
      return socket;
    }),
  );
  return {
    round: async (asked: (i: number) => Asked) => {
      const texts = sockets.map((_, i) => textOf(asked(i)));
      const answers = sockets.map(answerOf);
      await Promise.all(
        sockets.map(
          (socket, i) => new Promise((done) => socket.write(texts[i]!.subarray(0, -1), done)),
        ),
      );
      for (const [i, socket] of sockets.entries()) socket.write(texts[i]!.subarray(-1));
      return Promise.all(answers);
    },
    [Symbol.dispose]: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}
