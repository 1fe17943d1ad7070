import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { mark, marked } from "./processes.ts";

const heldHere = new Set<string>();

/**
 * One process runs the engines of a home. The lock is a file that names its holder; it is void as soon as that very
 * process is gone, so a kill -9 leaves nothing to clear by hand. Throws where another living process holds it.
 */
export async function lockHome(home: string): Promise<() => Promise<void>> {
  const file = join(home, "engines", "lock");
  const refuse = (who: string) =>
    new Error(`The engines of ${home} are already run by ${who}. ${home} 的引擎已由该进程运行。`, {
      cause: "engines",
    });
  if (heldHere.has(home)) throw refuse("this process");
  heldHere.add(home);
  try {
    for (;;) {
      try {
        await writeFile(file, await mark(process.pid), { flag: "wx" });
        break;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
      const holder = await marked(await readFile(file, "utf8").catch(() => ""));
      if (holder !== undefined && holder !== process.pid) throw refuse(`process ${holder}`);
      // Of two that find the same stale file, the rename lets only one take it away; whoever took a fresh one instead
      // gives it back.
      const aside = `${file}.${process.pid}`;
      await rename(file, aside).catch(() => undefined);
      const taken = await marked(await readFile(aside, "utf8").catch(() => ""));
      if (taken !== undefined && taken !== process.pid) {
        await rename(aside, file);
        throw refuse(`process ${taken}`);
      }
      await rm(aside, { force: true });
    }
  } catch (error) {
    heldHere.delete(home);
    throw error;
  }
  return async () => {
    await rm(file, { force: true });
    heldHere.delete(home);
  };
}
