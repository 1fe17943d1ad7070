import { createClient } from "@clickhouse/client";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startEngines, type Engines } from "./engines.ts";
import { startOf } from "./processes.ts";
import type { EngineLine, EngineState } from "./types.ts";

const temporaryHome = () => mkdtemp(join(tmpdir(), "liuke-engines-"));
const quiet = { level: 127 as const };

async function insert(url: string, a: number): Promise<void> {
  const client = createClient({ url, log: quiet });
  await client.command({
    query: "create table if not exists t (a UInt32) engine = MergeTree order by a",
  });
  await client
    .insert({ table: "t", values: [{ a }], format: "JSONEachRow" })
    .finally(() => client.close());
}
async function values(url: string): Promise<number[]> {
  const client = createClient({ url, log: quiet });
  const answer = await client.query({ query: "select a from t order by a", format: "JSONEachRow" });
  const rows = await answer.json<{ a: number }>();
  await client.close();
  return rows.map(({ a }) => a);
}
async function sql<T extends object>(url: string, query: string): Promise<T[]> {
  const client = postgres(url, { max: 1, onnotice: () => undefined });
  try {
    return [...(await client.unsafe<T[]>(query))];
  } finally {
    await client.end();
  }
}

describe("an engine that is killed", () => {
  let engines: Engines;
  const lines: EngineLine[] = [];
  const states: EngineState[] = [];
  beforeAll(async () => {
    engines = await startEngines({
      home: await temporaryHome(),
      log: (line) => lines.push(line),
      temporary: true,
    });
    engines.onState((state) => states.push(state));
  });
  afterAll(() => engines?.stop());

  test.each(["postgres", "clickhouse"] as const)(
    "%s comes back by itself, on the same port with the same secrets, and loses nothing",
    async (name) => {
      await sql(engines.databaseOwnerUrl, "create table if not exists kept (n int)");
      await sql(engines.databaseOwnerUrl, "insert into kept values (1)");
      await insert(engines.clickhouseUrl, 1);
      const before = engines.pids();
      const rows = await values(engines.clickhouseReportUrl);
      const other = name === "postgres" ? "clickhouse" : "postgres";
      for (let time = 0; time < 2; time++) {
        const pid = engines.pids()[name]!;
        process.kill(pid, "SIGKILL");
        await expect.poll(() => engines.pids()[name], { timeout: 20_000 }).not.toBe(pid);
        await expect.poll(() => engines.pids()[name], { timeout: 20_000 }).toBeGreaterThan(0);
      }
      expect(engines.pids()[other]).toBe(before[other]);
      expect(await values(engines.clickhouseReportUrl)).toEqual(rows);
      expect((await sql(engines.databaseOwnerUrl, "select n from kept")).length).toBeGreaterThan(0);
      const died = lines.filter((line) => line.event === "engine.died" && line["engine"] === name);
      expect(died).toMatchObject([
        { level: "error", how: "SIGKILL" },
        { level: "error", how: "SIGKILL" },
      ]);
      expect(states.filter(({ engine }) => engine === name).map(({ state }) => state)).toEqual([
        "down",
        "up",
        "down",
        "up",
      ]);
    },
  );

  test("another start on the same home is refused while this one lives", async () => {
    const home = await temporaryHome();
    const first = await startEngines({
      home,
      log: () => undefined,
      clickhouse: false,
      temporary: true,
    });
    const second = startEngines({ home, log: () => undefined, clickhouse: false });
    await expect(second).rejects.toThrow(/already run by this process/);
    await first.stop();
  });

  test("no log line holds a secret", () => {
    const text = JSON.stringify(lines);
    expect(lines.length).toBeGreaterThan(3);
    for (const url of [
      engines.databaseUrl,
      engines.databaseOwnerUrl,
      engines.clickhouseUrl,
      engines.clickhouseReportUrl,
    ])
      expect(text).not.toContain(new URL(url).password);
  });
});

/** A process of its own that starts the engines of that home, says where they are and stays. */
async function parent(home: string) {
  const module = fileURLToPath(new URL("engines.ts", import.meta.url));
  const script = `
    const { startEngines } = await import(${JSON.stringify(module)});
    const engines = await startEngines({ home: process.argv[1], log: () => undefined });
    console.log(JSON.stringify({ ...engines, pids: engines.pids() }));
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, home], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const said = await new Promise<string>((resolve, reject) => {
    child.stdout.setEncoding("utf8").once("data", resolve);
    child.once("exit", () => reject(new Error("The parent ended before it was ready.")));
  });
  const engines = JSON.parse(said) as Omit<Engines, "pids"> & { pids: ReturnType<Engines["pids"]> };
  const kill = async () => {
    const ended = new Promise((resolve) => child.once("close", resolve));
    child.kill("SIGKILL");
    await ended;
  };
  return { engines, kill, pid: child.pid! };
}

describe("a parent that is killed", () => {
  test("is refused to others while it lives, and its engines are taken over cleanly when it is gone", async () => {
    const home = await temporaryHome();
    const { engines, kill, pid } = await parent(home);
    await sql(engines.databaseOwnerUrl, "create table kept as select 42 as n");
    await insert(engines.clickhouseUrl, 7);
    const options = { home, log: () => undefined };
    await expect(startEngines(options)).rejects.toThrow(`already run by process ${pid}`);

    await kill();
    const again = await startEngines({ ...options, temporary: true });
    expect(again.pids().postgres).not.toBe(engines.pids.postgres);
    expect(await sql(again.databaseOwnerUrl, "select n from kept")).toEqual([{ n: 42 }]);
    expect(await values(again.clickhouseUrl)).toEqual([7]);
    expect(again.databaseUrl).toBe(engines.databaseUrl);
    for (const left of Object.values(engines.pids)) expect(await startOf(left)).toBeUndefined();
    await again.stop();
    for (const left of Object.values(again.pids())) expect(await startOf(left)).toBeUndefined();
  });

  test("together with both engines leaves nothing that the next start does not mend", async () => {
    const home = await temporaryHome();
    const { engines, kill } = await parent(home);
    await insert(engines.clickhouseUrl, 7);
    process.kill(engines.pids.clickhouse!, "SIGKILL");
    process.kill(engines.pids.postgres!, "SIGKILL");
    await kill();
    const again = await startEngines({ home, log: () => undefined, temporary: true });
    expect(await sql(again.databaseUrl, "select 1 as n")).toEqual([{ n: 1 }]);
    expect(await values(again.clickhouseUrl)).toEqual([7]);
    await again.stop();
  });

  test("whose process number belongs to a stranger now is not mistaken for alive", async () => {
    const home = await temporaryHome();
    const engines = await startEngines({ home, log: () => undefined });
    await engines.stop();
    // This very process is alive, but it is not the one that the files speak of.
    await writeFile(join(home, "engines", "lock"), `${process.ppid} 1`);
    await writeFile(join(home, "engines", "clickhouse.pid"), `${process.ppid} 1`);
    await writeFile(
      join(home, "postgres", "postmaster.pid"),
      `${process.ppid}\n${join(home, "postgres")}\n`,
    );
    const again = await startEngines({ home, log: () => undefined, temporary: true });
    expect(await sql(again.databaseUrl, "select 1 as n")).toEqual([{ n: 1 }]);
    expect(await startOf(process.ppid)).toBeDefined();
    await again.stop();
  });
});

test("either engine may be left out, and stop leaves no process and, where it is temporary, no file", async () => {
  const home = await temporaryHome();
  const engines = await startEngines({ home, log: () => undefined, postgres: false });
  expect(engines).toMatchObject({ databaseUrl: "", databaseOwnerUrl: "" });
  const pid = engines.pids().clickhouse;
  await engines.stop();
  expect(await startOf(pid ?? 0)).toBeUndefined();
  expect(await readFile(join(home, "engines", "clickhouse.log"), "utf8")).toBe("");
  await rm(home, { recursive: true });
});
