// The program's processes over engines that the bench starts and can look into, with a source and a key to send by.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { permissions } from "../../src/access/rules.ts";
import { createKey } from "../../src/access/service.ts";
import { sourceNamed } from "../../src/collect/service.ts";
import { startEngines } from "../../src/engines/engines.ts";
import { readConfig } from "../../src/kernel/config.ts";
import { newLog } from "../../src/kernel/log.ts";
import { connect } from "../../src/kernel/sql.ts";
import { open, type Opened } from "../../src/program.ts";
import { freePort, root, temporaryHome } from "../../test/chaos/program.ts";
import type { Loaded, Order } from "./load.ts";

/** Engines as anybody has them (fsync on), the program opened in this process, a key, and processes of the program. */
export async function running(below?: string) {
  const temporary = await temporaryHome(below);
  const engines = await startEngines({ home: temporary.home, log: () => {} });
  const keyFile = join(temporary.home, "bench.key");
  await writeFile(keyFile, randomBytes(32), { mode: 0o600 });
  const env = {
    DATABASE_URL: engines.databaseUrl,
    DATABASE_OWNER_URL: engines.databaseOwnerUrl,
    CLICKHOUSE_URL: engines.clickhouseUrl,
    CLICKHOUSE_REPORT_URL: engines.clickhouseReportUrl,
    LIUKE_MASTER_KEY_FILE: keyFile,
  };
  const started: ReturnType<typeof temporary.run>[] = [];
  const opened = await open(readConfig({ LIUKE_HOME: temporary.home, ...env }), newLog("error"));
  const owner = connect(engines.databaseOwnerUrl, { max: 2, statementTimeoutMs: 0 });
  return {
    ...{ opened, owner, url: engines.databaseUrl, home: temporary.home, said: temporary.said },
    key: await keyOf(opened, ["events:write"], "bench"),
    /** Of somebody who may do everything, and is no source. */
    operator: await keyOf(opened, permissions, null),
    /** One process of the program; `port` where it serves. */
    start: async (role: "api" | "worker" | "all", more: Record<string, string> = {}) => {
      const port = role === "worker" ? 0 : await freePort();
      const args = ["start", ...(role === "all" ? [] : ["--role", role])];
      const process = temporary.run(args, { env: { ...env, PORT: String(port), ...more } });
      started.push(process);
      if (role !== "worker") await process.says(/Ready in/);
      return { ...process, port };
    },
    [Symbol.asyncDispose]: async () => {
      await owner.end({ timeout: 1 });
      await opened.close();
      // The processes go before the engines that they ask, and the engines before their data.
      for (const { kill, ended } of started) {
        kill();
        await ended;
      }
      await engines.stop().catch(() => {});
      await temporary[Symbol.asyncDispose]();
    },
  };
}

async function keyOf(
  { house }: Opened,
  may: readonly string[],
  sourceName: string | null,
): Promise<string> {
  const source = sourceName && (await sourceNamed(house, house.sql, sourceName, "server"));
  const actor = {
    id: "system:bench",
    permissions: new Set<string>(permissions),
    scope: { kind: "all" },
  } as const;
  const made = await house.sql.begin((tx) =>
    createKey(
      { tx, actor, at: house.clocks.machine(), newId: house.newId },
      {
        ...{ name: `bench ${sourceName ?? "operator"}`, permissions: may },
        ...(source ? { source: { id: source.id, kind: "server" as const } } : {}),
      },
    ),
  );
  if (!made.ok) throw new Error(made.code);
  return made.value.key;
}

/** Runs the load in a process of its own. */
export async function loadBy(order: Order): Promise<Loaded> {
  const child = spawn(process.execPath, [join(root, "bench/tools/load.ts")], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  child.stdin.end(JSON.stringify(order));
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (some: string) => (text += some));
  await once(child, "close");
  return JSON.parse(text) as Loaded;
}
export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
