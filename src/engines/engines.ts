// Liuke's two engines, embedded: started, watched and stopped here, and reached as any PostgreSQL and ClickHouse are.
import { chmod, mkdir, realpath } from "node:fs/promises";
import { join } from "node:path";
import { startClickHouse } from "./clickhouse.ts";
import { lockHome } from "./lock.ts";
import { thisPlatform, unsupported } from "./platform.ts";
import { removePlaces } from "./postgres-place.ts";
import { startPostgres } from "./postgres.ts";
import type { EngineLog, EngineState } from "./types.ts";

export type EngineOptions = {
  /** Where data, secrets and the engines' own files are kept (LIUKE_HOME). Made where it is missing. */
  home: string;
  log: EngineLog;
  /** Whether that engine is embedded. Both are, unless told otherwise; the URLs of one that is not are empty. */
  postgres?: boolean;
  clickhouse?: boolean;
  /** Added to PostgreSQL's command line: `["-c", "fsync=off"]` for tests whose data is thrown away. */
  postgresFlags?: string[];
  /** A folder `native` of another version of the PostgreSQL package. */
  postgresBinaries?: string;
  /** For tests: stop() takes the home and all data away. */
  temporary?: boolean;
};

export type Engines = {
  /** The role that owns the database `liuke` and migrates it; it may make further databases. */
  databaseOwnerUrl: string;
  /** The program's role `liuke_app`: it may connect and owns nothing. */
  databaseUrl: string;
  /** The program's own user: everything in the database `liuke`, nothing outside it. */
  clickhouseUrl: string;
  /** The user of reports: reads `liuke`, within limits it cannot raise. */
  clickhouseReportUrl: string;
  pids: () => { postgres?: number; clickhouse?: number };
  /** Hears of each engine's going down and coming up again. The answer ends the listening. */
  onState: (listener: (state: EngineState) => void) => () => void;
  /** Stops both, in order, and waits for their ends. A second call waits for the same end. */
  stop: () => Promise<void>;
};

/**
 * Starts the embedded engines below `home`, mends what an earlier kill -9 left, and restarts whichever dies. Throws
 * with a sentence for the operator where the platform has no engines, or where another process runs those of this home.
 */
export async function startEngines(options: EngineOptions): Promise<Engines> {
  const refusal = unsupported(thisPlatform());
  if (refusal !== undefined) throw new Error(refusal, { cause: "engines" });
  const { log } = options;
  await mkdir(options.home, { recursive: true });
  const home = await realpath(options.home);
  await mkdir(join(home, "engines"), { recursive: true });
  await chmod(join(home, "engines"), 0o700);
  const unlock = await lockHome(home);

  const listeners = new Set<(state: EngineState) => void>();
  const tell = (state: EngineState) => {
    for (const listener of listeners) listener(state);
  };
  const starting = {
    postgres:
      options.postgres === false
        ? undefined
        : startPostgres({
            home,
            log,
            tell,
            flags: options.postgresFlags ?? [],
            binaries: options.postgresBinaries,
            temporary: options.temporary ?? false,
          }),
    clickhouse: options.clickhouse === false ? undefined : startClickHouse({ home, log, tell }),
  };
  const outcomes = await Promise.allSettled([starting.postgres, starting.clickhouse]);
  const failed = outcomes.find((outcome) => outcome.status === "rejected");
  if (failed !== undefined) {
    for (const outcome of outcomes) if (outcome.status === "fulfilled") await outcome.value?.stop();
    await unlock();
    throw failed.reason;
  }
  const postgres = await starting.postgres;
  const clickhouse = await starting.clickhouse;

  let stopped: Promise<void> | undefined;
  return {
    databaseOwnerUrl: postgres?.ownerUrl ?? "",
    databaseUrl: postgres?.url ?? "",
    clickhouseUrl: clickhouse?.url ?? "",
    clickhouseReportUrl: clickhouse?.reportUrl ?? "",
    pids: () => {
      const pids: { postgres?: number; clickhouse?: number } = {};
      const of = { postgres: postgres?.pid(), clickhouse: clickhouse?.pid() };
      if (of.postgres !== undefined) pids.postgres = of.postgres;
      if (of.clickhouse !== undefined) pids.clickhouse = of.clickhouse;
      return pids;
    },
    onState: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    stop: () => {
      stopped ??= (async () => {
        await Promise.all([postgres?.stop(), clickhouse?.stop()]);
        await unlock();
        if (options.temporary === true) await removePlaces(home);
      })();
      return stopped;
    },
  };
}
