// A process id alone proves nothing: ids are used again. A process is known by its id and the time it began.
import { execFile } from "node:child_process";
import { readFile, readdir, readlink } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/** When that process began, as the system tells it (an opaque text), or undefined if there is none. */
export async function startOf(pid: number): Promise<string | undefined> {
  if (!Number.isInteger(pid) || pid <= 1) return undefined;
  if (process.platform === "linux") {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
    // The name in brackets may hold spaces and brackets itself; what follows the last one is regular.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // A zombie has ended: only its parent has not looked yet.
    return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
  }
  const answer = await run("ps", ["-o", "lstart=", "-p", String(pid)]).catch(() => undefined);
  return answer?.stdout.trim() || undefined;
}

/** `pid start`, the line by which a process is found again after its parent is gone. */
export async function mark(pid: number): Promise<string> {
  return `${pid} ${(await startOf(pid)) ?? ""}`;
}

/** The process of that line, if it still is the same one. */
export async function marked(line: string): Promise<number | undefined> {
  const [, id = "", start = ""] = /^(\d+) (.+)$/.exec(line.trim()) ?? [];
  const pid = Number(id);
  return start !== "" && (await startOf(pid)) === start ? pid : undefined;
}

/**
 * Processes whose working folder is that one, as PostgreSQL's all are: the postmaster and its children.
 * On macOS only the id at hand can be asked for, by its command line.
 */
export async function processesIn(folder: string, hint?: number): Promise<number[]> {
  if (process.platform === "linux") {
    const found: number[] = [];
    for (const name of await readdir("/proc")) {
      if (!/^\d+$/.test(name)) continue;
      const cwd = await readlink(`/proc/${name}/cwd`).catch(() => "");
      if (cwd === folder && (await startOf(Number(name))) !== undefined) found.push(Number(name));
    }
    return found;
  }
  if (hint === undefined) return [];
  const answer = await run("ps", ["-o", "command=", "-p", String(hint)]).catch(() => undefined);
  return answer?.stdout.includes(folder) === true ? [hint] : [];
}

/** Signals one process. False where it is gone already. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

/** Waits until `done` says so, looking every `everyMs`. False when `withinMs` went by first. */
export async function waitFor(
  done: () => boolean | Promise<boolean>,
  withinMs: number,
  everyMs = 10,
): Promise<boolean> {
  const end = performance.now() + withinMs;
  while (!(await done())) {
    if (performance.now() > end) return false;
    await sleep(everyMs);
  }
  return true;
}
