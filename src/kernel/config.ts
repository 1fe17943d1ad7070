// Every setting, once, each with a default. What is not here cannot be set.
import { isAbsolute, resolve } from "node:path";
import { z } from "zod";

const optional = z
  .string()
  .transform((text) => (text === "" ? undefined : text))
  .optional();
const list = (fallback: string) =>
  z
    .string()
    .default(fallback)
    .transform((text) =>
      text
        .split(",")
        .map((part) => part.trim())
        .filter(Boolean),
    );

const schema = z
  .object({
    /** Where the embedded engines, their secrets and the master key live. */
    LIUKE_HOME: z.string().min(1).default(".liuke"),
    /** The program's role on a PostgreSQL of your own: it owns no table. Unset: an embedded one is started. */
    DATABASE_URL: optional,
    /** The role that owns the tables, used by migrations only. */
    DATABASE_OWNER_URL: optional,
    /** A ClickHouse of your own. Unset: an embedded one is started. */
    CLICKHOUSE_URL: optional,
    /** The user that reports run as; unset, reports use CLICKHOUSE_URL. */
    CLICKHOUSE_REPORT_URL: optional,
    /** "true" where the tables are replicated over a ClickHouse cluster. */
    CLICKHOUSE_REPLICATED: z.stringbool().default(false),
    /** 32 bytes, mode 0600. Embedded: made at first start. With an external database it is demanded. */
    LIUKE_MASTER_KEY_FILE: optional,
    /** Where the server listens. Beyond loopback it demands TLS or a named trusted proxy. */
    HOST: z.string().default("127.0.0.1"),
    PORT: z.coerce.number().int().min(0).max(65_535).default(8420),
    /** Host names this installation answers to, besides loopback's own. */
    LIUKE_HOSTS: list(""),
    LIUKE_TLS_CERT_FILE: optional,
    LIUKE_TLS_KEY_FILE: optional,
    /** Addresses of the proxy that ends TLS in front of us; only its X-Forwarded-For is believed. */
    LIUKE_TRUSTED_PROXY: list(""),
    /** What people see in links of mails. Unset: the address the server listens on. */
    LIUKE_PUBLIC_URL: optional,
    LIUKE_TIME_ZONE: z
      .string()
      .default("Asia/Shanghai")
      .refine((zone) => {
        try {
          return Boolean(new Intl.DateTimeFormat("en", { timeZone: zone }));
        } catch {
          return false;
        }
      }, "no such time zone"),
    LIUKE_CURRENCY: z
      .string()
      .regex(/^[A-Z]{3}$/)
      .default("CNY"),
    /** smtp://user:password@host:587. Unset: messages wait in the preview outbox. */
    SMTP_URL: optional,
    MAIL_FROM: z.string().default("Liuke <liuke@localhost>"),
    /** Hosts, addresses and CIDR ranges inside of your own network that webhooks may be sent to. Unset: none. */
    LIUKE_FEED_ALLOW: list("").refine(
      (all) => all.every((part) => /^[\w.-]+$|^\[?[\da-f:.]+\]?(\/\d{1,3})?$/i.test(part)),
      "hosts, addresses or ranges such as 10.0.0.0/8, parted by commas",
    ),
    /** Whoever asks for /metrics shows this as a bearer token. Unset: there is no /metrics. */
    METRICS_KEY: optional,
    LIUKE_LOG_LEVEL: z.enum(["fatal", "error", "warn", "info", "debug"]).default("info"),
    /** Names a point where the process ends itself: for tests of what a crash leaves. */
    LIUKE_CRASH_AT: optional,
  })
  .superRefine((c, context) => {
    const refuse = (path: string, message: string) =>
      context.addIssue({ code: "custom", path: [path], message });
    const loopback = ["127.0.0.1", "::1", "localhost"].includes(c.HOST);
    const tls = c.LIUKE_TLS_CERT_FILE && c.LIUKE_TLS_KEY_FILE;
    if (Boolean(c.LIUKE_TLS_CERT_FILE) !== Boolean(c.LIUKE_TLS_KEY_FILE))
      refuse("LIUKE_TLS_KEY_FILE", "certificate and key go together");
    if (!loopback && !tls && c.LIUKE_TRUSTED_PROXY.length === 0)
      refuse("HOST", "beyond loopback, TLS or LIUKE_TRUSTED_PROXY is needed");
    if (c.LIUKE_PUBLIC_URL && !/^https?:$/.test(URL.parse(c.LIUKE_PUBLIC_URL)?.protocol ?? ""))
      refuse("LIUKE_PUBLIC_URL", "an address that begins with http:// or https:// is needed");
    // An owner of another database would migrate that one, and the program run on a bare one.
    if (c.DATABASE_OWNER_URL && !c.DATABASE_URL)
      refuse("DATABASE_URL", "it goes together with DATABASE_OWNER_URL");
    if (c.CLICKHOUSE_REPORT_URL && !c.CLICKHOUSE_URL)
      refuse("CLICKHOUSE_URL", "it goes together with CLICKHOUSE_REPORT_URL");
    if (c.DATABASE_URL && !c.LIUKE_MASTER_KEY_FILE)
      refuse("LIUKE_MASTER_KEY_FILE", "with a database of your own, name the master key's file");
  });

export type Config = ReturnType<typeof parse>;
const parse = (environment: Record<string, string | undefined>) => {
  const c = schema.parse(environment);
  const home = isAbsolute(c.LIUKE_HOME) ? c.LIUKE_HOME : resolve(c.LIUKE_HOME);
  return { ...c, LIUKE_HOME: home };
};

/** Reads the settings; throws one sentence that names every setting that is wrong, and shows no value. */
export function readConfig(environment: Record<string, string | undefined>): Config {
  const known = Object.fromEntries(
    Object.keys(schema.shape).flatMap((name) =>
      environment[name] === undefined || environment[name] === ""
        ? []
        : [[name, environment[name]]],
    ),
  );
  try {
    return parse(known);
  } catch (thrown) {
    if (!(thrown instanceof z.ZodError)) throw thrown;
    const wrong = thrown.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
    throw new Error(`Settings are not right. ${wrong.join("; ")}`, { cause: "config" });
  }
}
