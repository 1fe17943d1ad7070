// The embedded PostgreSQL: the cluster is made once, and one postmaster runs as a child of ours.
import { spawn } from "node:child_process";
import {
  chmod,
  chown,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  writeFile,
} from "node:fs/promises";
import { totalmem } from "node:os";
import { dirname, join } from "node:path";
import { freePort } from "./ports.ts";
import { packagedBinaries, placeBinaries, placeData } from "./postgres-place.ts";
import { passwordStatements, setupStatements } from "./postgres-roles.ts";
import { access, initSettings, serverSettings, sharedMebibytes } from "./postgres-settings.ts";
import type { User } from "./postgres-user.ts";
import { processesIn, signal, startOf, waitFor } from "./processes.ts";
import { hasSecret, secret } from "./secrets.ts";
import type { EngineLog, EngineState, Running } from "./types.ts";
import { keepRunning, type Child } from "./watch.ts";

const startWithinMs = 60_000;
const logLimitBytes = 4 * 1024 * 1024;

type Place = { bin: string; data: string; user: User | undefined; major: number };

/** Runs one of PostgreSQL's programs to its end, feeding it `input`. Throws with what it said when it fails. */
function runProgram(place: Place, name: string, args: string[], input = ""): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(join(place.bin, "bin", name), args, {
      ...place.user,
      cwd: "/",
      env: { PATH: "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" },
      stdio: ["pipe", "ignore", "pipe"],
    });
    let said = "";
    child.stderr
      .setEncoding("utf8")
      .on("data", (text: string) => (said = (said + text).slice(-4000)));
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`${name} ended with ${code}: ${said.trim()}`));
    });
  });
}

async function giveTo(path: string, user: User | undefined): Promise<void> {
  if (user !== undefined) await chown(path, user.uid, user.gid);
}

/** Makes the cluster beside its place and moves it there whole, so that an interrupted try leaves nothing half-made. */
async function makeCluster(home: string, place: Place, sync: boolean): Promise<void> {
  const partial = `${place.data}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(dirname(partial), { recursive: true });
  await mkdir(partial, { mode: 0o700 });
  await giveTo(partial, place.user);
  await runProgram(place, "initdb", ["-D", partial, ...initSettings(place.major, sync)]);
  const owner = await secret(home, "postgres-owner");
  const app = await secret(home, "postgres-app");
  // Single-user mode: the roles stand before anyone can connect, and no password of a superuser ever exists.
  const alone = [
    "--single",
    "-D",
    partial,
    "-c",
    "exit_on_error=true",
    "-c",
    "log_min_messages=error",
  ];
  if (!sync) alone.push("-c", "fsync=off");
  await runProgram(place, "postgres", [...alone, "template1"], setupStatements(owner, app));
  await rename(partial, place.data);
}

/** Gives the roles new passwords, where the files that held the old ones are gone. */
async function setPasswords(home: string, place: Place): Promise<void> {
  const owner = await secret(home, "postgres-owner");
  const app = await secret(home, "postgres-app");
  const alone = ["--single", "-D", place.data, "-c", "exit_on_error=true"];
  await runProgram(place, "postgres", [...alone, "template1"], passwordStatements(owner, app));
}

/** Ends a postmaster, and what it left behind, that still runs on this data after its parent was killed. */
async function endOrphans(place: Place, log: EngineLog): Promise<void> {
  const pidFile = join(place.data, "postmaster.pid");
  const text = await readFile(pidFile, "utf8").catch(() => undefined);
  if (text === undefined) return;
  const pid = Number(text.split("\n")[0]);
  const alive = async () => processesIn(place.data, pid);
  const found = await alive();
  if (found.length > 0) {
    log({ level: "warn", event: "postgres.orphan", pid, processes: found.length });
    const gone = async () => (await alive()).length === 0;
    // SIGINT is PostgreSQL's fast shutdown, SIGQUIT its immediate one, after which it recovers from its log.
    if (found.includes(pid)) signal(pid, "SIGINT");
    if (!found.includes(pid) || !(await waitFor(gone, 15_000, 25))) {
      for (const left of await alive()) signal(left, "SIGQUIT");
      if (!(await waitFor(gone, 5_000, 25)))
        for (const left of await alive()) signal(left, "SIGKILL");
      await waitFor(gone, 5_000, 25);
    }
  }
  // Nothing of ours runs there, so whoever has that number now is a stranger and the file is stale.
  if ((await startOf(pid)) === undefined || !(await alive()).includes(pid))
    await rm(pidFile, { force: true });
}

/** Bytes of all files below a folder; what goes away meanwhile counts nothing. */
async function sizeOf(folder: string): Promise<number> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  const sizes = found.map(async (one) =>
    one.isFile()
      ? ((await stat(join(one.parentPath, one.name)).catch(() => undefined))?.size ?? 0)
      : 0,
  );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

async function startPostmaster(
  place: Place,
  port: number,
  flags: string[],
  home: string,
): Promise<Child> {
  const file = join(home, "engines", "postgres.log");
  const logged = await stat(file).catch(() => undefined);
  if (logged !== undefined && logged.size > logLimitBytes) await truncate(file, 0);
  const output = await open(file, "a", 0o600);
  const before = (await output.stat()).size;
  const shared = sharedMebibytes(
    await sizeOf(join(place.data, "base")),
    Math.min(totalmem(), process.constrainedMemory() || Infinity),
  );
  const args = ["-D", place.data, ...serverSettings(place.major, port, shared), ...flags];
  const child = spawn(join(place.bin, "bin", "postgres"), args, {
    ...place.user,
    cwd: "/",
    // Ctrl-C goes to the whole terminal group; we end the server ourselves, in order.
    detached: true,
    env: { PATH: "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" },
    stdio: ["ignore", output.fd, output.fd],
  });
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(String(error)));
    child.once("exit", (code, name) => resolve(name ?? `exit ${code}`));
  });
  await output.close();
  let end: string | undefined;
  void ended.then((how) => (end = how));

  const ready = async () => {
    const text = await readFile(join(place.data, "postmaster.pid"), "utf8").catch(() => "");
    const lines = text.split("\n");
    return end !== undefined || (Number(lines[0]) === child.pid && lines[7]?.trim() === "ready");
  };
  const inTime = await waitFor(ready, startWithinMs, 5);
  const stop = async () => {
    if (end !== undefined || child.pid === undefined) return;
    signal(child.pid, "SIGINT");
    if (!(await waitFor(() => end !== undefined, 30_000, 5))) signal(child.pid, "SIGQUIT");
    await ended;
  };
  if (end !== undefined || !inTime || child.pid === undefined) {
    await stop();
    const said = (await readFile(file, "utf8").catch(() => "")).slice(before);
    throw new Error(
      `PostgreSQL did not start (${end ?? "not ready in time"}): ${said.trim().slice(-2000)}`,
    );
  }
  return { pid: child.pid, ended, stop };
}

export type PostgresOptions = {
  home: string;
  log: EngineLog;
  tell: (state: EngineState) => void;
  /** Added to the server's command line, last, so that they win: `["-c", "fsync=off"]` in tests. */
  flags: string[];
  /** A folder `native` of another version's package. */
  binaries: string | undefined;
  /** The data is thrown away afterwards. */
  temporary: boolean;
};

/** Makes the cluster where there is none, starts it and keeps it running. Both URLs name the database `liuke`. */
export async function startPostgres(
  options: PostgresOptions,
): Promise<Running & { ownerUrl: string; url: string }> {
  const { home, log, tell, flags } = options;
  const { data, user } = await placeData(home, options.temporary);
  const bin = await placeBinaries(options.binaries ?? packagedBinaries(), home, user);
  const major = Number(/^\d+/.exec(await versionOf(bin))?.[0]);
  const place: Place = { bin, data, user, major };

  const made = (await readFile(join(data, "PG_VERSION"), "utf8").catch(() => "")).trim();
  if (made === "") {
    const began = performance.now();
    await makeCluster(home, place, !flags.includes("fsync=off"));
    log({ level: "info", event: "postgres.made", ms: Math.round(performance.now() - began) });
  } else if (made !== String(major)) {
    throw new Error(
      `The data in ${join(home, "postgres")} is of PostgreSQL ${made}, the program is ${major}. ` +
        `数据属于 PostgreSQL ${made}，而程序是 ${major}。`,
    );
  }
  await endOrphans(place, log);
  if (made !== "" && !(await hasSecret(home, "postgres-owner", "postgres-app")))
    await setPasswords(home, place);
  await writeFile(join(data, "pg_hba.conf"), access);
  await chmod(join(data, "pg_hba.conf"), 0o600);
  await giveTo(join(data, "pg_hba.conf"), user);

  let port = await freePort(home, "postgres");
  const startHere = async () => {
    await endOrphans(place, log);
    return startPostmaster(place, port, flags, home);
  };
  let first = true;
  const running = await keepRunning(
    "postgres",
    async () => {
      if (!first) return startHere();
      first = false;
      return startHere().catch(async (error: unknown) => {
        // Someone took the port between our look and the server's.
        if (!String(error).includes("could not bind")) throw error;
        port = await freePort(home, "postgres");
        return startHere();
      });
    },
    log,
    tell,
  );
  const url = async (role: string, name: string) =>
    `postgres://${role}:${await secret(home, name)}@127.0.0.1:${port}/liuke`;
  return {
    ...running,
    ownerUrl: await url("liuke_owner", "postgres-owner"),
    url: await url("liuke_app", "postgres-app"),
  };
}

async function versionOf(bin: string): Promise<string> {
  // Its own header names the version, without starting a program for it.
  const header = join(bin, "share", "postgresql", "postgres.bki");
  const line = (await readFile(header, "utf8").catch(() => "")).split("\n", 1)[0] ?? "";
  return /PostgreSQL (\d+)/.exec(line)?.[1] ?? "";
}
