// The house as it runs on several machines: engines of their own, and processes that share them by their two addresses.
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { permissions } from "../../src/access/rules.ts";
import { createKey } from "../../src/access/service.ts";
import { sourceNamed } from "../../src/collect/service.ts";
import { startEngines } from "../../src/engines/engines.ts";
import { signal } from "../../src/engines/processes.ts";
import { readConfig } from "../../src/kernel/config.ts";
import { newLog } from "../../src/kernel/log.ts";
import { open, type Opened } from "../../src/program.ts";
import { freePort, run, type Started } from "./program.ts";
import { settings } from "./truth.ts";

export type Role = "api" | "worker";
export type Victim = Role | "postgres" | "clickhouse";

/** Engines with everything on that keeps data through a crash, and a process for each role. */
export async function apart(env: Record<string, string> = {}) {
  const home = await mkdtemp(join(tmpdir(), "liuke-apart-"));
  const engines = await startEngines({ home: join(home, "engines"), log: () => {} });
  const key = join(home, "master.key");
  await writeFile(key, randomBytes(32), { mode: 0o600 });
  const port = String(await freePort());
  const shared: Record<string, string> = {
    ...settings,
    DATABASE_URL: engines.databaseUrl,
    CLICKHOUSE_URL: engines.clickhouseUrl,
    CLICKHOUSE_REPORT_URL: engines.clickhouseReportUrl,
    LIUKE_MASTER_KEY_FILE: key,
    LIUKE_HOME: join(home, "program"),
    ...env,
  };
  const opening = () =>
    open(readConfig({ ...shared, DATABASE_OWNER_URL: engines.databaseOwnerUrl }), newLog("fatal"));
  await (await opening()).close(); // migrated once, before anybody comes
  const all: Started[] = [];
  const running = new Map<Role, Started>();
  const start = (role: Role, more: Record<string, string> = {}): Started => {
    const started = run(join(home, role), ["start", "--role", role], {
      env: { ...shared, PORT: role === "api" ? port : "0", ...more },
    });
    running.set(role, started);
    all.push(started);
    // What cannot start, because an engine is away just then, ends by itself and is started again by whatever runs it.
    void started.ended.then(async ({ signal: by }) => {
      if (by !== null || running.get(role) !== started || Object.keys(more).length > 0) return;
      await sleep(200);
      if (running.get(role) === started) start(role);
    });
    return started;
  };
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    start,
    running,
    databaseOwnerUrl: engines.databaseOwnerUrl,
    /** kill -9. Engines come back by themselves; a process is started again, as whatever runs it would. */
    kill: async (victim: Victim): Promise<void> => {
      if (victim === "api" || victim === "worker") {
        const one = running.get(victim)!;
        one.kill();
        await one.ended;
        start(victim);
        return;
      }
      const up = Promise.withResolvers<void>();
      const end = engines.onState(({ engine, state }) => {
        if (engine === victim && state === "up") up.resolve();
      });
      signal(engines.pids()[victim]!, "SIGKILL");
      await up.promise;
      end();
    },
    /** What a process of the house would see; closed again at the end. */
    inside: async <T>(work: (opened: Opened) => Promise<T>): Promise<T> => {
      const opened = await opening();
      try {
        return await work(opened);
      } finally {
        await opened.close();
      }
    },
    stop: async (): Promise<void> => {
      const last = [...running.values()];
      running.clear();
      for (const one of last) {
        try {
          one.interrupt();
        } catch {
          // It had ended by itself.
        }
        await one.ended;
      }
    },
    said: () => all.map(({ pid, said }) => `── ${pid}\n${said()}`).join("\n"),
    [Symbol.asyncDispose]: async () => {
      running.clear();
      for (const { kill, ended } of all) {
        kill();
        await ended;
      }
      await engines.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
}
export type Apart = Awaited<ReturnType<typeof apart>>;

/** A shop's own server: its source and its key. */
export const shopServer = ({ house }: Opened, name = "server") =>
  house.sql.begin(async (tx) => {
    const source = await sourceNamed(house, tx, name, "server");
    const actor = {
      id: "system:test",
      permissions: new Set<string>(permissions),
      scope: { kind: "all" },
    } as const;
    const made = await createKey(
      { tx, actor, at: house.clocks.machine(), newId: house.newId },
      { name, permissions: ["events:write"], source: { id: source.id, kind: "server" } },
    );
    if (!made.ok) throw new Error(made.code);
    return { source: source.id, key: made.value.key };
  });
