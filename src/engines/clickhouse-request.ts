// From an HTTP request, as ClickHouse's clients send it, to a statement.
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { promisify } from "node:util";
import { brotliDecompress, gunzip, inflate, zstdDecompress } from "node:zlib";
import { database } from "./clickhouse-config.ts";
import type { Statement } from "./clickhouse-engine.ts";
import { ClickHouseFailure } from "./clickhouse-error.ts";
import type { Role } from "./clickhouse-guard.ts";

/** The largest body, before and after decompression. An insert is held in memory while it is written. */
const bodyLimitBytes = 256 * 1024 * 1024;

export type Secrets = Record<Role, string>;

const digest = (text: string) => createHash("sha256").update(text).digest();

/** Who asks, by Basic authentication or ClickHouse's own headers. Compared in constant time. */
export function roleOf(headers: IncomingMessage["headers"], secrets: Secrets): Role {
  let user = headers["x-clickhouse-user"];
  let key = headers["x-clickhouse-key"];
  const basic = /^Basic (.+)$/i.exec(headers.authorization ?? "")?.[1];
  if (basic !== undefined) {
    const pair = Buffer.from(basic, "base64").toString();
    user = pair.slice(0, pair.indexOf(":"));
    key = pair.slice(pair.indexOf(":") + 1);
  }
  for (const role of ["program", "report"] as const) {
    const same = timingSafeEqual(digest(String(key ?? "")), digest(secrets[role]));
    if (user === role && same) return role;
  }
  throw new ClickHouseFailure(
    516,
    "AUTHENTICATION_FAILED",
    "Authentication failed: password is incorrect, or there is no user with such name.",
  );
}

const tooLarge = () =>
  new ClickHouseFailure(396, "TOO_MANY_ROWS_OR_BYTES", `A body may hold ${bodyLimitBytes} bytes.`);

const inflaters: Record<string, (data: Buffer, o: { maxOutputLength: number }) => Promise<Buffer>> =
  {
    gzip: promisify(gunzip),
    deflate: promisify(inflate),
    br: promisify(brotliDecompress),
    zstd: promisify(zstdDecompress),
  };

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > bodyLimitBytes) throw tooLarge();
    parts.push(part);
  }
  const body = Buffer.concat(parts, bytes);
  const coding = request.headers["content-encoding"] ?? "identity";
  if (coding === "identity" || bytes === 0) return body;
  const open = inflaters[coding];
  if (open === undefined)
    throw new ClickHouseFailure(48, "NOT_IMPLEMENTED", "Unknown Content-Encoding.");
  return open(body, { maxOutputLength: bodyLimitBytes }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ERR_BUFFER_TOO_LARGE") throw tooLarge();
    throw new ClickHouseFailure(354, "ZLIB_INFLATE_FAILED", "The body cannot be decompressed.");
  });
}

/** Statement and values from a multipart body, as clients send them when a URL would grow too long. */
async function formOf(body: Buffer, contentType: string): Promise<Map<string, string>> {
  const form = await new Response(new Uint8Array(body), {
    headers: { "content-type": contentType },
  })
    .formData()
    .catch(() => {
      throw new ClickHouseFailure(36, "BAD_ARGUMENTS", "The multipart body cannot be read.");
    });
  const fields = new Map<string, string>();
  for (const [name, value] of form) {
    if (typeof value !== "string")
      throw new ClickHouseFailure(48, "NOT_IMPLEMENTED", "External tables are not known here.");
    fields.set(name, value);
  }
  return fields;
}

const singular = (value: string | string[] | undefined) =>
  Array.isArray(value) ? value[0] : value;

/** The statement that a request asks for. The caller's role is known already. */
export async function statementOf(
  request: IncomingMessage,
  url: URL,
  role: Role,
): Promise<Statement> {
  const { headers } = request;
  const sent = new Map<string, string>(url.searchParams);
  let body: Buffer = request.method === "GET" ? Buffer.alloc(0) : await bodyOf(request);
  const type = headers["content-type"] ?? "";
  if (type.startsWith("multipart/form-data")) {
    for (const [name, value] of await formOf(body, type)) sent.set(name, value);
    body = Buffer.alloc(0);
  }
  if (sent.has("session_id") || sent.has("role"))
    throw new ClickHouseFailure(48, "NOT_IMPLEMENTED", "Sessions and roles are not known here.");

  const query = sent.get("query");
  const parameters = new Map<string, string>();
  const settings = new Map<string, string>();
  for (const [name, value] of sent) {
    if (name.startsWith("param_")) parameters.set(name.slice(6), value);
    else settings.set(name, value);
  }
  return {
    role,
    text: (query ?? body.toString()).trim(),
    data: query !== undefined && body.length > 0 ? body : undefined,
    format:
      sent.get("default_format") ?? singular(headers["x-clickhouse-format"]) ?? "TabSeparated",
    database: sent.get("database") ?? singular(headers["x-clickhouse-database"]) ?? database,
    settings,
    parameters,
  };
}
