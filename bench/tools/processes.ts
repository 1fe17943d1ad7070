// What processes cost, as Linux counts it.
import { readdir, readFile } from "node:fs/promises";

/** The fields of /proc/PID/stat after the name, which may hold spaces: [0] is the state, [1] the parent. */
async function statOf(pid: number): Promise<string[] | null> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => null);
  return text ? text.slice(text.lastIndexOf(")") + 2).split(" ") : null;
}

/** That process and all that came of it. */
export async function treeOf(pid: number): Promise<number[]> {
  const children = new Map<number, number[]>();
  for (const name of await readdir("/proc")) {
    const stat = /^\d+$/.test(name) ? await statOf(Number(name)) : null;
    if (!stat || stat[0] === "Z") continue;
    const parent = Number(stat[1]);
    children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const tree = [pid];
  for (let i = 0; i < tree.length; i++) tree.push(...(children.get(tree[i]!) ?? []));
  return tree;
}

/** What a process is to us: "postgres", "clickhouse", "server", or the npm that started it. */
export async function partOf(pid: number): Promise<string> {
  const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  if (command.includes("clickhouse-child")) return "clickhouse";
  if (command.includes("src/main.ts") && !/^(sh|npm)/.test(command)) return "server";
  return /^(sh|npm|\S*\/npm)|npm-cli/.test(command) ? "npm" : "postgres";
}

/** Memory, where a page that n processes share counts a n-th for each of them. */
export async function proportionalBytes(pids: readonly number[]): Promise<number> {
  let kilobytes = 0;
  for (const pid of pids) {
    const text = await readFile(`/proc/${pid}/smaps_rollup`, "utf8").catch(() => "");
    kilobytes += Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? 0);
  }
  return kilobytes * 1024;
}

const ticksPerSecond = 100; // USER_HZ, the same on every Linux that Node runs on
/** Processor time of those processes and of their children that have ended. */
export async function processorSeconds(pids: readonly number[]): Promise<number> {
  let ticks = 0;
  for (const pid of pids) {
    const stat = (await statOf(pid)) ?? [];
    for (const field of stat.slice(11, 15)) ticks += Number(field);
  }
  return ticks / ticksPerSecond;
}
