// The embedded ClickHouse: a child process of ours round chDB. A native crash ends that process and nothing else.
import { spawn } from "node:child_process";
import { mkdir, open, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Order, Report } from "./clickhouse-child.ts";
import { database, server, users } from "./clickhouse-config.ts";
import { freePort } from "./ports.ts";
import { mark, marked, signal, waitFor } from "./processes.ts";
import { secret } from "./secrets.ts";
import type { EngineLog, EngineState, Running } from "./types.ts";
import { keepRunning, type Child } from "./watch.ts";

const startWithinMs = 60_000;
const stopWithinMs = 25_000;
const logLimitBytes = 4 * 1024 * 1024;
const flags = [
  "--disallow-code-generation-from-strings",
  "--disable-proto=delete",
  "--max-semi-space-size=4",
];

class PortTaken extends Error {}

/** A child of an earlier parent ends by itself, after what it is doing; one that does not is ended. */
async function endOrphan(pidFile: string, log: EngineLog): Promise<void> {
  const pid = await marked(await readFile(pidFile, "utf8").catch(() => ""));
  if (pid === undefined) return;
  log({ level: "warn", event: "clickhouse.orphan", pid });
  const gone = async () => (await marked(await readFile(pidFile, "utf8"))) === undefined;
  if (await waitFor(gone, stopWithinMs, 25)) return;
  signal(pid, "SIGKILL");
  await waitFor(gone, 5_000, 25);
}

async function startChild(home: string, order: Order): Promise<Child> {
  const logFile = join(home, "engines", "clickhouse.log");
  const logged = await stat(logFile).catch(() => undefined);
  if (logged !== undefined && logged.size > logLimitBytes) await truncate(logFile, 0);
  const output = await open(logFile, "a", 0o600);
  const script = fileURLToPath(new URL("clickhouse-child.ts", import.meta.url));
  const child = spawn(process.execPath, [...flags, script], {
    cwd: order.data,
    env: { PATH: "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC", UV_THREADPOOL_SIZE: "16" },
    stdio: ["pipe", "pipe", output.fd],
  });
  await output.close();
  let end: string | undefined;
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(String(error)));
    child.once("exit", (code, name) => resolve(name ?? `exit ${code}`));
  });
  void ended.then((how) => (end = how));
  const { pid, stdin, stdout } = child;
  if (pid === undefined || stdin === null || stdout === null) throw new Error(await ended);
  stdin.on("error", () => undefined);
  // The order goes through the pipe: secrets stand in no command line and no environment.
  stdin.write(`${JSON.stringify(order)}\n`);
  await writeFile(join(home, "engines", "clickhouse.pid"), await mark(pid));

  const stop = async () => {
    stdin.end();
    if (!(await waitFor(() => end !== undefined, stopWithinMs, 5))) signal(pid, "SIGKILL");
    await ended;
  };
  let report: Report | undefined;
  createInterface({ input: stdout }).once("line", (line) => {
    report = JSON.parse(line) as Report;
  });
  await waitFor(() => report !== undefined || end !== undefined, startWithinMs, 5);
  if (report?.ready === true) return { pid, ended, stop };
  signal(pid, "SIGKILL");
  await ended;
  if (report?.portTaken === true) throw new PortTaken("The port was taken.");
  throw new Error(`ClickHouse did not start: ${report?.reason ?? end ?? "not ready in time"}`);
}

/** Starts ClickHouse below `home` and keeps it running, on one port with the same secrets. */
export async function startClickHouse(options: {
  home: string;
  log: EngineLog;
  tell: (state: EngineState) => void;
}): Promise<Running & { url: string; reportUrl: string }> {
  const { home, log, tell } = options;
  const data = join(home, "clickhouse");
  await mkdir(data, { recursive: true, mode: 0o700 });
  const usersFile = join(home, "engines", "clickhouse-users.xml");
  const config = join(home, "engines", "clickhouse.xml");
  await writeFile(usersFile, users, { mode: 0o600 });
  await writeFile(config, server(usersFile), { mode: 0o600 });
  const secrets = {
    program: await secret(home, "clickhouse-program"),
    report: await secret(home, "clickhouse-report"),
  };

  let port = await freePort(home, "clickhouse");
  const pidFile = join(home, "engines", "clickhouse.pid");
  const start = async () => {
    await endOrphan(pidFile, log);
    return startChild(home, { data, config, port, secrets });
  };
  let first = true;
  const running = await keepRunning(
    "clickhouse",
    async () => {
      if (!first) return start();
      first = false;
      return start().catch(async (error: unknown) => {
        if (!(error instanceof PortTaken)) throw error;
        port = await freePort(home, "clickhouse");
        return start();
      });
    },
    log,
    tell,
  );
  const url = (role: "program" | "report") =>
    `http://${role}:${secrets[role]}@127.0.0.1:${port}/${database}`;
  const stop = async () => {
    await running.stop();
    await rm(pidFile, { force: true });
  };
  return { pid: running.pid, stop, url: url("program"), reportUrl: url("report") };
}
