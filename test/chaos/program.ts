// The real program as child processes over a home of its own, and what may happen to them.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, readlink, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { removePlaces } from "../../src/engines/postgres-place.ts";
import { marked, processesIn, signal } from "../../src/engines/processes.ts";

export const root = new URL("../..", import.meta.url).pathname;
const flags = ["--disallow-code-generation-from-strings", "--disable-proto=delete"];

export type Ended = { code: number | null; signal: NodeJS.Signals | null };
export type Started = {
  pid: number;
  /** All that it has said so far, on both of its outputs. */
  said: () => string;
  /** Waits until it has said that; throws with all it said where it ends before. */
  says: (what: string | RegExp, withinMs?: number) => Promise<void>;
  ended: Promise<Ended>;
  /** What a terminal does to Ctrl-C: every process of the group hears it. */
  interrupt: () => void;
  kill: () => void;
};

/** Runs the program with that home, apart from whoever runs the test: a group and a port of its own. */
export function run(
  home: string,
  args: readonly string[],
  more: { env?: Record<string, string>; npm?: boolean } = {},
): Started {
  const command = more.npm
    ? ["npm", ...args]
    : [process.execPath, ...flags, join(root, "src/main.ts"), ...args];
  const child = spawn(command[0]!, command.slice(1), {
    cwd: root,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      PATH: process.env["PATH"],
      HOME: process.env["HOME"],
      LC_ALL: "C",
      LIUKE_HOME: home,
      PORT: "0",
      ...more.env,
    },
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (some: string) => (text += some));
  const ended = once(child, "close").then(([code, name]): Ended => ({ code, signal: name }));
  let over = false;
  void ended.then(() => (over = true));
  const has = (what: string | RegExp) =>
    typeof what === "string" ? text.includes(what) : what.test(text);
  return {
    pid: child.pid!,
    said: () => text,
    says: async (what, withinMs = 60_000) => {
      const until = performance.now() + withinMs;
      while (!has(what)) {
        if (over || performance.now() > until) throw new Error(`It did not say ${what}:\n${text}`);
        await sleep(10);
      }
    },
    ended,
    interrupt: () => void process.kill(-child.pid!, "SIGINT"),
    kill: () => void signal(child.pid!, "SIGKILL"),
  };
}

/** The process ids of a home's engines as their own files tell them; undefined where one does not run. */
export async function enginesOf(home: string) {
  const data = await readlink(join(home, "postgres")).catch(() => join(home, "postgres"));
  const first = (await readFile(join(data, "postmaster.pid"), "utf8").catch(() => "")).split("\n");
  const postgres = await processesIn(data, Number(first[0]));
  const clickhouse = await marked(
    await readFile(join(home, "engines", "clickhouse.pid"), "utf8").catch(() => ""),
  );
  return { postmaster: postgres.find((pid) => pid === Number(first[0])), postgres, clickhouse };
}

/** A home for one test or bench. At its end nothing of it runs, and nothing of it is left on the disk. */
export async function temporaryHome(below = tmpdir()) {
  const home = await mkdtemp(join(below, "liuke-home-"));
  const started: Started[] = [];
  return {
    home,
    run: (...args: [readonly string[], Parameters<typeof run>[2]?]): Started => {
      const one = run(home, ...args);
      started.push(one);
      return one;
    },
    /** What each of them said, one after the other. */
    said: () => started.map(({ pid, said }) => `── ${pid}\n${said()}`).join("\n"),
    [Symbol.asyncDispose]: async () => {
      for (const { kill, ended } of started) {
        kill();
        await ended;
      }
      const left = await enginesOf(home);
      for (const pid of [...left.postgres, left.clickhouse])
        if (pid !== undefined) signal(pid, "SIGKILL");
      for (let tries = 0; tries < 100; tries++) {
        const { postgres, clickhouse } = await enginesOf(home);
        if (postgres.length === 0 && clickhouse === undefined) break;
        await sleep(50);
      }
      await removePlaces(home);
      await rm(home, { recursive: true, force: true });
    },
  };
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address ? address.port : 0;
}
