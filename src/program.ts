// The program as it runs: engines, migrations, keys and clocks, then the server and the work beside it.
import { serve } from "@hono/node-server";
import { createServer as createTlsServer } from "node:https";
import { readFileSync } from "node:fs";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { authenticate } from "#access/service.ts";
import * as accessJobs from "#access/jobs.ts";
import * as collectJobs from "#collect/jobs.ts";
import { workOnPeople } from "#collect/service.ts";
import { startEngines, type Engines } from "#engines/engines.ts";
import { sweep as sweepFiles } from "#exchange/jobs.ts";
import { sending as webhooks, sweep as sweepFeeds } from "#feeds/jobs.ts";
import { headPublisher, sealAudit } from "#kernel/audit-chain.ts";
import { machineNow } from "#kernel/clock.ts";
import { connectColumns } from "#kernel/columns.ts";
import { forgetRequests } from "#kernel/command.ts";
import type { Config } from "#kernel/config.ts";
import { armCrash } from "#kernel/crash.ts";
import { keysFrom } from "#kernel/crypto.ts";
import type { House } from "#kernel/endpoint.ts";
import { server } from "#kernel/http.ts";
import { newIdFrom } from "#kernel/ids.ts";
import { readInstallation } from "#kernel/installation.ts";
import type { Log } from "#kernel/log.ts";
import { connectMail } from "#kernel/mail.ts";
import { newMetrics } from "#kernel/metrics.ts";
import { migrate, migrateColumns } from "#kernel/migrate.ts";
import { shopClock, type ShopClock } from "#kernel/shop-clock.ts";
import { connect } from "#kernel/sql.ts";
import { inTurn, startWorker } from "#kernel/worker.ts";
import { failures } from "#lang/failures.ts";
import * as messagesJobs from "#messages/jobs.ts";
import { checkMasterKey, checkRole, masterKey } from "#privacy/master-key.ts";
import { allRoutes, pumps, type Pumps } from "./app.ts";
import { pages, widgets } from "./console.ts";

export const root = new URL("..", import.meta.url).pathname;
export const version = (
  JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
    version: string;
  }
).version;

export type Opened = {
  house: House;
  clock: ShopClock;
  config: Config;
  /** Where the owner's connection leads; null where the program was given none. */
  ownerUrl: string | null;
  pumps: Pumps;
  close: () => Promise<void>;
};

/** Engines, migrations, keys and clocks: what every command of the program needs before it can do anything. */
export async function open(
  config: Config,
  log: Log,
  /** Settings that go before what is stored: a new installation's time zone and currency. */
  fresh: { timeZone?: string; currency?: string } = {},
): Promise<Opened> {
  if (config.LIUKE_CRASH_AT) armCrash(config.LIUKE_CRASH_AT);
  const embedded = { postgres: !config.DATABASE_URL, clickhouse: !config.CLICKHOUSE_URL };
  let engines: Engines | null = null;
  if (embedded.postgres || embedded.clickhouse)
    engines = await startEngines({
      home: config.LIUKE_HOME,
      log: ({ level, ...line }) => log[level](line),
      ...embedded,
    });
  const closers: (() => Promise<unknown>)[] = [async () => engines?.stop()];
  const close = async () => {
    for (const closer of closers.splice(0).toReversed()) await closer();
  };
  try {
    const ownerUrl = config.DATABASE_OWNER_URL ?? engines?.databaseOwnerUrl ?? null;
    const databaseUrl = config.DATABASE_URL ?? engines!.databaseUrl;
    if (ownerUrl) {
      const owner = connect(ownerUrl, { max: 1, statementTimeoutMs: 0 });
      const done = await migrate(owner, `${root}migrations`).finally(() => owner.end());
      if (done.length > 0) log.info({ event: "migrated", files: done.length });
    }
    const sql = connect(databaseUrl);
    closers.push(() => sql.end({ timeout: 5 }));
    await checkRole(sql);
    const keys = keysFrom(
      await masterKey({
        file: config.LIUKE_MASTER_KEY_FILE ?? null,
        home: config.LIUKE_HOME,
        embedded: embedded.postgres,
      }),
    );
    await checkMasterKey(sql, keys);
    const clickhouseUrl = config.CLICKHOUSE_URL ?? engines!.clickhouseUrl;
    const reportUrl =
      config.CLICKHOUSE_REPORT_URL ??
      (config.CLICKHOUSE_URL ? clickhouseUrl : engines!.clickhouseReportUrl);
    const columns = connectColumns(clickhouseUrl, reportUrl);
    closers.push(() => columns.close());
    await migrateColumns(columns, `${root}clickhouse`, config.CLICKHOUSE_REPLICATED);

    const clock = await shopClock(sql);
    const post = config.SMTP_URL ? connectMail(config.SMTP_URL, config.MAIL_FROM) : null;
    closers.push(async () => post?.close());
    const house: House = {
      sql,
      columns,
      keys,
      log,
      clocks: {
        shop: clock.now,
        machine: machineNow,
        timeZone:
          fresh.timeZone ??
          (await readInstallation<string>(sql, "time_zone")) ??
          config.LIUKE_TIME_ZONE,
      },
      newId: newIdFrom(machineNow),
      settings: {
        publicUrl: publicUrlOf(config, config.PORT),
        currency:
          fresh.currency ??
          (await readInstallation<string>(sql, "currency")) ??
          config.LIUKE_CURRENCY,
        smtpUrl: config.SMTP_URL ?? null,
        mailFrom: config.MAIL_FROM,
        secureCookies: isTls(config) || config.LIUKE_TRUSTED_PROXY.length > 0,
        feedAllow: config.LIUKE_FEED_ALLOW,
      },
    };
    return { house, clock, config, ownerUrl, pumps: pumps(house, post), close };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

const isTls = (config: Config): boolean => Boolean(config.LIUKE_TLS_CERT_FILE);
const publicUrlOf = (config: Config, port: number): string =>
  config.LIUKE_PUBLIC_URL ??
  `${isTls(config) ? "https" : "http"}://${config.HOST === "127.0.0.1" ? "localhost" : config.HOST}:${port}`;

/** The names this server answers to: loopback's own, and those it was told. */
const hostsOf = (config: Config): Set<string> =>
  new Set(
    [
      "localhost",
      "127.0.0.1",
      "[::1]",
      ...config.LIUKE_HOSTS,
      ...(config.LIUKE_PUBLIC_URL ? [new URL(config.LIUKE_PUBLIC_URL).hostname] : []),
    ].map((name) => name.toLowerCase()),
  );

export type Running = { url: string; port: number; stop: () => Promise<void> };

/** Listens. `port` 0 takes a free one. The address stands in the house's settings from then on. */
export async function listen(
  { house, config }: Opened,
  ready: () => Promise<boolean>,
): Promise<Running> {
  const elements = widgets(`${root}widgets`);
  const own = pages(`${root}console/dist`);
  const app = server({
    house,
    authenticate: authenticate(house),
    routes: allRoutes,
    failures,
    hosts: hostsOf(config),
    proxies: new Set(config.LIUKE_TRUSTED_PROXY),
    metrics: newMetrics(),
    metricsKey: config.METRICS_KEY ?? null,
    ready,
    pages: async (request) => (await elements(request)) ?? (await own(request)),
    version,
  });
  const listening = serve({
    fetch: app.fetch,
    hostname: config.HOST,
    port: config.PORT,
    ...(isTls(config)
      ? {
          createServer: createTlsServer,
          serverOptions: {
            cert: readFileSync(config.LIUKE_TLS_CERT_FILE!),
            key: readFileSync(config.LIUKE_TLS_KEY_FILE!),
          },
        }
      : {}),
  });
  if (!listening.listening) await once(listening, "listening");
  const { port } = listening.address() as AddressInfo;
  house.settings.publicUrl = publicUrlOf(config, port);
  return {
    url: house.settings.publicUrl,
    port,
    stop: () =>
      new Promise((resolve) => {
        listening.close(() => resolve());
        (listening as unknown as { closeAllConnections?: () => void }).closeAllConnections?.();
      }),
  };
}

/** Where the head of the audit's chain is published: beside the database, not in it. */
export const headFile = ({ LIUKE_HOME }: Config): string => `${LIUKE_HOME}/audit-head.jsonl`;

/** Less than this at a time is no backlog that has to be worked off at once. */
const columnsHelping = 10_000;
/**
 * The work beside the requests. The columns are mended before anything new is sent to them. `isWoken`: does this process
 * take the requests too? What comes in over it wakes the work; elsewhere it has to be looked for.
 */
export async function startWork({ house, pumps, clock, config }: Opened, isWoken: boolean) {
  await messagesJobs.seed(house);
  await accessJobs.schedule(house);
  let mended = false;
  const me = house.newId();
  const publish = headPublisher(house, headFile(config));
  const worker = startWorker(
    [
      { name: "clock", restMs: 2000, run: async () => clock.refresh().then(() => 0) },
      {
        // One after the other: each finds what the one before it made, and none waits for another's rows.
        // Unless it is woken the rest is most of what an event waits, and one look costs some 3 ms.
        name: workOnPeople,
        restMs: isWoken ? 1000 : 150,
        run: () => inTurn([pumps.consume, pumps.merge, pumps.relay, pumps.ring, pumps.segment]),
      },
      {
        // Once a second, with what came in meanwhile: many small parts cost the columns more than a few large ones, and
        // somebody who changed three times is told of once.
        name: "columns",
        restMs: 1000,
        run: async () => {
          if (!mended) {
            const again = await collectJobs.mend(house);
            if (again === null) return 0;
            if (again > 0) house.log.warn({ event: "columns.mended", batches: again });
            mended = true;
          }
          const erased = await pumps.erase();
          const shipped = await pumps.ship();
          const rebuilt = await pumps.rebuild();
          return erased + rebuilt + (shipped < columnsHelping ? 0 : shipped);
        },
      },
      { name: "plan", restMs: 3000, run: pumps.plan },
      { name: "files", restMs: 1000, run: pumps.files },
      { name: webhooks, restMs: 1000, run: pumps.tell },
      { name: "mail", restMs: 2000, run: pumps.deliver },
      {
        name: "audit",
        restMs: 3000,
        run: async () => {
          const sealed = await sealAudit(house, me);
          await publish();
          return sealed;
        },
      },
      {
        name: "sweep",
        restMs: 3_600_000,
        run: () =>
          inTurn(
            [collectJobs.sweep, sweepFeeds, sweepFiles, forgetRequests].map(
              (sweep) => () => sweep(house),
            ),
          ),
      },
    ],
    house.log,
  );
  house.wake = worker.wake;
  const stop = async () => {
    pumps.halt();
    await worker.stop();
    await pumps.told();
    // What was done last is in the chain, and its head outside, before anybody can touch the database alone.
    while ((await sealAudit(house, me)) > 0);
    await publish(true);
  };
  return { stop };
}
