// ClickHouse's HTTP protocol on loopback, so that its own client is used unchanged.
import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { createGzip } from "node:zlib";
import type { Counts, Engine } from "./clickhouse-engine.ts";
import { ClickHouseFailure, statusOf, told } from "./clickhouse-error.ts";
import { roleOf, statementOf, type Secrets } from "./clickhouse-request.ts";

/** A reader that takes nothing for this long is let go, with the query it holds. */
const idleMs = 120_000;

const summary = (counts: Counts, resultRows: number, began: number) =>
  JSON.stringify({
    read_rows: String(counts.readRows),
    read_bytes: String(counts.readBytes),
    written_rows: String(counts.writtenRows),
    written_bytes: String(counts.writtenBytes),
    total_rows_to_read: "0",
    result_rows: String(resultRows),
    result_bytes: "0",
    elapsed_ns: String(Math.round((performance.now() - began) * 1e6)),
  });

/** Loopback is open to every page a browser shows: a page has an Origin, and a rebound name is not our Host. */
function refuseForeign(request: IncomingMessage): string | undefined {
  const { host = "", origin } = request.headers;
  const port = request.socket.localPort;
  if (origin !== undefined) return "A request with an Origin is refused.\n";
  if (host !== `127.0.0.1:${port}` && host !== `localhost:${port}`)
    return "This Host is refused.\n";
  return undefined;
}

function fail(response: ServerResponse, error: unknown): void {
  const { code, text } = told(error);
  if (response.headersSent) return void response.destroy();
  const body = `${text}\n`;
  response.writeHead(statusOf(code), {
    "Content-Type": "text/plain; charset=UTF-8",
    "Content-Length": Buffer.byteLength(body),
    "X-ClickHouse-Exception-Code": code,
  });
  response.end(body);
}

/**
 * ClickHouse's client finds a late error only where all of it comes in one piece of what it reads: rows that went before
 * are given so long to be read.
 */
const lateMs = 250;
/** How an error is told when rows were sent already; the client looks for the tag in the header at the end. */
function late(tag: string, error: unknown): string {
  const text = `${told(error).text}\n`;
  return `\r\n__exception__\r\n${tag}\n${text}${Buffer.byteLength(text)} ${tag}\r\n__exception__\r\n`;
}

async function send(
  request: IncomingMessage,
  response: ServerResponse,
  engine: Engine,
  secrets: Secrets,
): Promise<void> {
  const began = performance.now();
  const url = new URL(request.url ?? "/", "http://127.0.0.1");
  const role = roleOf(request.headers, secrets);
  if (url.pathname === "/ping") return void response.end("Ok.\n");
  const statement = await statementOf(request, url, role);
  response.setHeader("X-ClickHouse-Query-Id", url.searchParams.get("query_id") ?? randomUUID());
  response.setHeader("X-ClickHouse-Timezone", "UTC");
  if (statement.text === "") throw new ClickHouseFailure(62, "SYNTAX_ERROR", "Empty query.");

  const { pieces, counts } = await engine.run(statement);
  let chunks: AsyncIterable<Uint8Array> | Uint8Array[] = pieces;
  if (url.searchParams.get("wait_end_of_query") === "1") chunks = await Array.fromAsync(pieces);

  const tag = randomBytes(8).toString("hex");
  response.setHeader("Content-Type", "text/plain; charset=UTF-8");
  response.setHeader("X-ClickHouse-Format", statement.format);
  response.setHeader("X-ClickHouse-Summary", summary(counts, 0, began));
  response.setHeader("X-ClickHouse-Exception-Tag", tag);
  const gzip =
    url.searchParams.get("enable_http_compression") === "1" &&
    /\bgzip\b/.test(String(request.headers["accept-encoding"] ?? ""));
  let out: Writable = response;
  if (gzip) {
    response.setHeader("Content-Encoding", "gzip");
    out = createGzip({ level: 1 });
    out.pipe(response);
  }
  response.setTimeout(idleMs, () => response.destroy());
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  try {
    for await (const bytes of chunks) {
      if (gone.signal.aborted) return;
      if (!out.write(bytes)) await once(out, "drain", { signal: gone.signal });
    }
  } catch (error) {
    // Leaving the loop ended the query; a reader who went away hears nothing more.
    if (gone.signal.aborted) return;
    await sleep(lateMs);
    out.write(late(tag, error));
  }
  out.end();
}

/** Serves the engine on 127.0.0.1. Rejects where the port is taken. */
export async function serve(engine: Engine, secrets: Secrets, port: number): Promise<Server> {
  const server = createServer(
    { keepAliveTimeout: 65_000, requestTimeout: 300_000, maxHeaderSize: 1024 * 1024 },
    (request, response) => {
      const foreign = refuseForeign(request);
      if (foreign !== undefined) {
        response.writeHead(403, {
          "Content-Type": "text/plain; charset=UTF-8",
          Connection: "close",
        });
        response.end(foreign);
        return;
      }
      send(request, response, engine, secrets)
        .catch((error: unknown) => fail(response, error))
        // An unread body would be taken for the next request on this connection.
        .finally(() => request.resume());
    },
  );
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return server;
}
