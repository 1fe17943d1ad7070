// Real engines for every test: one PostgreSQL and one ClickHouse a run, a private clone of a migrated template a world.
import { randomBytes, randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startEngines, type Engines } from "../src/engines/engines.ts";
import { connectColumns, type Columns } from "../src/kernel/columns.ts";
import { keysFrom } from "../src/kernel/crypto.ts";
import type { House, Settings } from "../src/kernel/endpoint.ts";
import { newIdFrom } from "../src/kernel/ids.ts";
import { newLog } from "../src/kernel/log.ts";
import { migrate, migrateColumns } from "../src/kernel/migrate.ts";
import { connect } from "../src/kernel/sql.ts";

/** Vitest calls this once: engines of its own, and a migrated template that every world clones. */
export async function setup() {
  const home = await mkdtemp(join(tmpdir(), "liuke-test-"));
  const engines = await startEngines({
    home,
    log: ({ level, ...line }) => {
      if (level === "error") console.error(line);
    },
    clickhouse: false,
    temporary: true,
    postgresFlags: ["-c", "fsync=off", "-c", "max_connections=300"], // nothing here must outlive the run
  });
  process.env["TEST_OWNER_URL"] = engines.databaseOwnerUrl;
  process.env["TEST_APP_URL"] = engines.databaseUrl;
  const stop = async () => {
    await engines.stop();
    await rm(home, { recursive: true, force: true });
  };
  try {
    await using template = owned("liuke");
    await migrate(template.sql, "migrations");
  } catch (thrown) {
    await stop();
    throw thrown;
  }
  return stop;
}

const withDatabase = (url: string, database: string) => {
  const to = new URL(url);
  to.pathname = `/${database}`;
  return to.href;
};
const owned = (database: string, max = 2) => {
  const sql = connect(withDatabase(process.env["TEST_OWNER_URL"]!, database), { max });
  return { sql, [Symbol.asyncDispose]: () => sql.end() };
};

/** Columns of a world's own, started when something first asks for them: what they hold belongs to no other world. */
function lazyColumns(): Columns & { engine: () => Promise<Engines> } {
  let started: Promise<{ engines: Engines; columns: Columns; home: string }> | null = null;
  const start = () =>
    (started ??= (async () => {
      const home = await mkdtemp(join(tmpdir(), "liuke-columns-"));
      const engines = await startEngines({ home, log: () => {}, postgres: false });
      const columns = connectColumns(engines.clickhouseUrl, engines.clickhouseReportUrl);
      await migrateColumns(columns, "clickhouse", false);
      return { engines, columns, home };
    })());
  const open = async () => (await start()).columns;
  return {
    read: async (query, values) => (await open()).read(query, values),
    run: async (query, values) => (await open()).run(query, values),
    insert: async (table, rows, token) => (await open()).insert(table, rows, token),
    insertLines: async (table, rows, token) => (await open()).insertLines(table, rows, token),
    engine: async () => (await start()).engines,
    close: async () => {
      if (!started) return;
      const { engines, columns, home } = await started;
      await columns.close();
      await engines.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
}

export type World = Awaited<ReturnType<typeof world>>;
/** A house over a private clone, with a shop clock and a machine clock to move by hand. */
export async function world(given: { timeZone?: string; settings?: Partial<Settings> } = {}) {
  const name = `t_${randomUUID().replaceAll("-", "")}`;
  await using admin = owned("postgres");
  // A template can be copied while nobody is connected to it: worlds are made one at a time.
  for (let tries = 0; ; tries++)
    try {
      await admin.sql.unsafe(`create database ${name} template liuke`);
      break;
    } catch (thrown) {
      if (tries > 100) throw thrown;
      await new Promise((resolve) => setTimeout(resolve, 20 + Math.random() * 50));
    }
  const owner = connect(withDatabase(process.env["TEST_OWNER_URL"]!, name), { max: 1 });
  const sql = connect(withDatabase(process.env["TEST_APP_URL"]!, name));
  const clock = {
    shop: new Date("2026-03-01T04:00:00Z"),
    machine: new Date("2026-11-05T09:00:00Z"),
  };
  const columns = lazyColumns();
  const house: House = {
    sql,
    columns,
    keys: keysFrom(Buffer.alloc(32, 7)),
    log: newLog("fatal"),
    clocks: {
      shop: () => clock.shop,
      machine: () => clock.machine,
      timeZone: given.timeZone ?? "Asia/Shanghai",
    },
    newId: newIdFrom(() => clock.machine, randomBytes),
    settings: {
      publicUrl: "http://localhost:8420",
      currency: "CNY",
      smtpUrl: null,
      mailFrom: "Liuke <liuke@localhost>",
      secureCookies: false,
      feedAllow: [],
      ...given.settings,
    },
  };
  return {
    house,
    sql,
    columns,
    /** The owner's connection: sees and changes what the program may not. */
    owner,
    ownerUrl: withDatabase(process.env["TEST_OWNER_URL"]!, name),
    clock,
    [Symbol.asyncDispose]: async () => {
      await sql.end();
      await owner.end();
      await columns.close();
      await using last = owned("postgres");
      // A cleaner of PostgreSQL's own may be at work in it, which we may not end: it is gone in a moment.
      for (let tries = 0; ; tries++)
        try {
          await last.sql.unsafe(`drop database if exists ${name} with (force)`);
          return;
        } catch (thrown) {
          if (tries > 50) throw thrown;
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
    },
  };
}
