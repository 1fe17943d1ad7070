// The console's files: built once when their sources changed, then served from memory, each compressed once.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, extname, join, relative, resolve, sep } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";

const root = resolve(import.meta.dirname, "..");
const types: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".json": "application/json",
  ".txt": "text/plain; charset=utf-8",
};

type Coding = "br" | "gzip" | "identity";
type File = {
  type: string;
  /** Its name holds a hash of what is in it, so it never changes. */
  hashed: boolean;
  etag: string;
  bytes: Uint8Array<ArrayBuffer>;
  compressed: Map<Coding, Promise<Uint8Array<ArrayBuffer>>>;
};

/** First segments that are the server's own: an unknown address below them is a failure, not a page. */
const serversOwn = new Set([
  "v1",
  "u",
  "f",
  "widgets",
  "help",
  "openapi.json",
  "metrics",
  "healthz",
  "readyz",
]);

/**
 * Serves what is in `folder`, read once. Only names found there are ever answered, so no address leads out of it.
 * A page's address answers with index.html; null where the server itself should say that there is nothing.
 */
export function pages(folder: string): (request: Request) => Promise<Response | null> {
  const known = load(folder);
  return async (request) => {
    const files = await known;
    const { pathname } = new URL(request.url);
    const file = files.get(pathname) ?? (isPage(pathname) ? files.get("/index.html") : undefined);
    if (!file) return null;
    const headers: Record<string, string> = {
      "content-type": file.type,
      "cache-control": file.hashed ? "public, max-age=31536000, immutable" : "no-cache",
      etag: file.etag,
      vary: "accept-encoding",
    };
    if (request.headers.get("if-none-match")?.includes(file.etag))
      return new Response(null, { status: 304, headers });
    const coding = codingFor(request.headers.get("accept-encoding") ?? "", file.bytes.length);
    if (coding === "identity") return new Response(file.bytes, { headers });
    const ready = file.compressed.get(coding) ?? compress(file.bytes, coding);
    file.compressed.set(coding, ready);
    return new Response(await ready, { headers: { ...headers, "content-encoding": coding } });
  };
}

/** The elements that other sites show, each a file: any page may load them. */
export function widgets(folder: string): (request: Request) => Promise<Response | null> {
  const files = pages(folder);
  return async (request) => {
    const { pathname, origin } = new URL(request.url);
    if (!pathname.startsWith("/widgets/")) return null;
    const asked = new URL(pathname.slice("/widgets".length), origin);
    const file = await files(new Request(asked, { headers: request.headers }));
    file?.headers.set("access-control-allow-origin", "*");
    file?.headers.set("cross-origin-resource-policy", "cross-origin");
    return file;
  };
}

async function load(folder: string): Promise<Map<string, File>> {
  if (!existsSync(folder)) return new Map(); // nothing was built: there are no pages
  const names = await filesBelow(folder);
  const files = names
    .map((name) => relative(folder, name).split(sep).join("/"))
    // What begins with a dot (the manifest, the digest) is the build's own.
    .filter((name) => !name.split("/").some((part) => part.startsWith(".")));
  const loaded = files.map(async (name): Promise<[string, File]> => {
    const bytes = new Uint8Array(await readFile(join(folder, name)));
    const etag = `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 22)}"`;
    const type = types[extname(name)] ?? "application/octet-stream";
    const hashed = name.startsWith("assets/");
    return [`/${name}`, { type, hashed, etag, bytes, compressed: new Map() }];
  });
  return new Map(await Promise.all(loaded));
}

const isPage = (pathname: string): boolean =>
  !serversOwn.has(pathname.split("/")[1] ?? "") && !pathname.split("/").at(-1)!.includes(".");

const accepts = (header: string, coding: string): boolean =>
  header
    .split(",")
    .map((part) => part.trim().toLowerCase())
    .some((part) => part.split(";")[0] === coding && !/;\s*q=0(\.0*)?$/.test(part));
/** Below 1 kB compressing costs more than it saves. */
const codingFor = (header: string, size: number): Coding => {
  if (size < 1024) return "identity";
  return accepts(header, "br") ? "br" : accepts(header, "gzip") ? "gzip" : "identity";
};
const compress = async (
  bytes: Uint8Array,
  coding: "br" | "gzip",
): Promise<Uint8Array<ArrayBuffer>> =>
  new Uint8Array(
    coding === "br"
      ? await promisify(brotliCompress)(bytes, {
          params: { [constants.BROTLI_PARAM_QUALITY]: 9 },
        })
      : await promisify(gzip)(bytes),
  );

/** Every file below a folder, in an order that does not depend on the machine. */
async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

const consoleFolder = join(root, "console");
const dist = join(consoleFolder, "dist");

/** Of all that the console is made from: its own sources, the rules and endpoints it shares, and the libraries. */
async function digestOfSources(): Promise<string> {
  const own = (await filesBelow(consoleFolder)).filter(
    (file) => !relative(consoleFolder, file).startsWith("dist"),
  );
  const shared = (await filesBelow(join(root, "src"))).filter(
    (file) => /[/\\](api|rules)\.ts$|[/\\]model[/\\]/.test(file) && !file.endsWith(".test.ts"),
  );
  const hash = createHash("sha256");
  for (const file of [...own, ...shared, join(root, "package-lock.json")])
    hash
      .update(relative(root, file))
      .update("\0")
      .update(await readFile(file))
      .update("\0");
  return hash.digest("hex");
}

/**
 * Builds the console where its sources changed since the last time, and says where it stands. An installation without
 * the build's tools uses what was built before; throws where there is nothing.
 */
export async function ensureBuilt(): Promise<{ folder: string; built: boolean }> {
  const digest = await digestOfSources();
  const mark = join(dist, ".digest");
  const last = existsSync(mark) ? await readFile(mark, "utf8") : "";
  if (last === digest) return { folder: dist, built: false };
  const vite = join(root, "node_modules", "vite", "bin", "vite.js");
  if (!existsSync(vite)) {
    if (existsSync(join(dist, "index.html"))) return { folder: dist, built: false };
    throw new Error("The console is not built, and vite is not installed: run npm install.");
  }
  // Beside the old one and then in its place: whoever serves meanwhile has read the old one already.
  const fresh = join(dirname(dist), `dist.${process.pid}`);
  const old = join(dirname(dist), `dist.${process.pid}.old`);
  const config = join(consoleFolder, "vite.config.ts");
  try {
    await promisify(execFile)(
      process.execPath,
      [vite, "build", "--config", config, "--outDir", fresh, "--logLevel", "error"],
      { cwd: root, env: { ...process.env, NODE_ENV: "production" } },
    );
    await writeFile(join(fresh, ".digest"), digest);
    if (existsSync(dist)) await rename(dist, old);
    await rename(fresh, dist);
  } finally {
    await rm(fresh, { recursive: true, force: true });
    await rm(old, { recursive: true, force: true });
  }
  return { folder: dist, built: true };
}
