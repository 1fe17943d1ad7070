import { randomBytes } from "node:crypto";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * The secret of that name below `home`, made at first use: 256 random bits in base64url, mode 0600, the same over
 * restarts. Loopback is open to every local user and to any web page, so each engine demands one.
 */
export async function secret(home: string, name: string): Promise<string> {
  const folder = join(home, "secrets");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, name);
  const kept = await readFile(file, "utf8").catch(() => "");
  if (/^[\w-]{43}$/.test(kept)) {
    await chmod(file, 0o600);
    return kept;
  }
  const made = randomBytes(32).toString("base64url");
  await writeFile(file, made, { mode: 0o600 });
  await chmod(file, 0o600);
  return made;
}
