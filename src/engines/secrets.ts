import { randomBytes } from "node:crypto";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

const whole = /^[\w-]{43}$/;
const kept = (home: string, name: string) =>
  readFile(join(home, "secrets", name), "utf8").catch(() => "");

/** Whether all of those secrets are there. */
export async function hasSecret(home: string, ...names: string[]): Promise<boolean> {
  for (const name of names) if (!whole.test(await kept(home, name))) return false;
  return true;
}

/**
 * The secret of that name below `home`, made at first use: 256 random bits in base64url, mode 0600, the same over
 * restarts. Loopback is open to every local user and to any web page, so each engine demands one.
 */
export async function secret(home: string, name: string): Promise<string> {
  const folder = join(home, "secrets");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, name);
  const before = await kept(home, name);
  if (whole.test(before)) {
    await chmod(file, 0o600);
    return before;
  }
  const made = randomBytes(32).toString("base64url");
  await writeFile(file, made, { mode: 0o600 });
  await chmod(file, 0o600);
  return made;
}
