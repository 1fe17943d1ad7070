import { execFile } from "node:child_process";
import { readFile, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export type User = { uid: number; gid: number };

async function find(name: string): Promise<User | undefined> {
  if (process.platform === "darwin") {
    const uid = await run("id", ["-u", name]).catch(() => undefined);
    const gid = await run("id", ["-g", name]).catch(() => undefined);
    return uid && gid ? { uid: Number(uid.stdout), gid: Number(gid.stdout) } : undefined;
  }
  const line = (await readFile("/etc/passwd", "utf8"))
    .split("\n")
    .find((row) => row.startsWith(`${name}:`));
  const [, , uid, gid] = line?.split(":") ?? [];
  return uid && gid ? { uid: Number(uid), gid: Number(gid) } : undefined;
}

/**
 * Whom PostgreSQL runs as, which refuses root: undefined (ourselves) where we are not root, else the owner of the data
 * that is there, else the system's `postgres`, else a user `liuke` made now, else `nobody`.
 */
export async function postgresUser(data: string): Promise<User | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const owner = await stat(data).catch(() => undefined);
  if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  const there = (await find("postgres")) ?? (await find("liuke"));
  if (there !== undefined) return there;
  // Debian and most others have useradd; BusyBox has adduser with flags of its own.
  await run("useradd", [
    "--system",
    "--no-create-home",
    "--home-dir",
    "/nonexistent",
    "liuke",
  ]).catch(() => run("adduser", ["-S", "-D", "-H", "liuke"]).catch(() => undefined));
  const made = (await find("liuke")) ?? (await find("nobody"));
  if (made === undefined)
    throw new Error("PostgreSQL refuses to run as root, and no other user could be found or made.");
  return made;
}

/** Whether that user may walk to the path: every folder above it, by its mode, lets them through. */
export async function mayReach(path: string, user: User | undefined): Promise<boolean> {
  if (user === undefined) return true;
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const { mode, uid, gid } = await stat(folder);
    const shift = uid === user.uid ? 6 : gid === user.gid ? 3 : 0;
    if (((mode >> shift) & 0o1) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}
