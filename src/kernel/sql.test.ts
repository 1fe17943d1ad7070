import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { world, type World } from "../../test/database.ts";
import { wait } from "./clock.ts";
import { whileHeld } from "./lease.ts";
import { newLog } from "./log.ts";
import { throughOutages } from "./outage.ts";
import { isAway, type Tx } from "./sql.ts";

vi.setConfig({ testTimeout: 30_000 });
let here: World;
beforeAll(async () => {
  here = await world();
});
afterAll(() => here[Symbol.asyncDispose]());

const backend = async (tx: Tx): Promise<number> => {
  const [row] = await tx<{ pid: number }[]>`select pg_backend_pid() as pid`;
  return row!.pid;
};
test("a connection that is lost in a transaction fails that transaction, and neither the process nor the pool", async () => {
  for (let i = 0; i < 30; i++) {
    const thrown: unknown = await here.sql
      .begin(async (tx) => {
        await tx`select pg_terminate_backend(pg_backend_pid())`;
      })
      .catch((error: unknown) => error);
    expect(isAway(thrown), String(thrown)).toBe(true);
  }
  const began = performance.now();
  const answers = await Promise.all(Array.from({ length: 20 }, () => here.sql`select 1 as one`));
  expect(answers.map(([row]) => row!["one"])).toEqual(Array.from({ length: 20 }, () => 1));
  expect(performance.now() - began).toBeLessThan(10_000);
});

test("work that does not know that its transaction is over can ask nothing more in it", async () => {
  let after: unknown = null;
  let told: () => void = () => {};
  const over = new Promise<void>((resolve) => (told = resolve));
  const thrown: unknown = await here.sql
    .begin(async (tx) => {
      const pid = await backend(tx);
      await here.sql`select pg_terminate_backend(${pid})`;
      await wait(300); // it works on something else meanwhile
      try {
        await tx`insert into installation (name, value) values ('late', '1')`;
      } catch (error) {
        after = error;
      }
      told();
    })
    .catch((error: unknown) => error);
  expect(isAway(thrown), String(thrown)).toBe(true);
  await over;
  expect(isAway(after), String(after)).toBe(true);
  const [row] = await here.sql`select count(*)::int as n from installation where name = 'late'`;
  expect(row!["n"]).toBe(0);
});

test("a lease's row is held by one at a time, and free as soon as its holder's connection is gone", async () => {
  const { sql } = here;
  let release: () => void = () => {};
  const working = new Promise<void>((resolve) => (release = resolve));
  let began: () => void = () => {};
  const begun = new Promise<void>((resolve) => (began = resolve));
  const first = whileHeld(sql, "test", async () => {
    began();
    await working;
    return "done";
  });
  await begun;
  expect(await whileHeld(sql, "test", async () => "twice")).toBeNull();
  release();
  expect(await first).toBe("done");
  expect(await whileHeld(sql, "test", async () => "next")).toBe("next");
});

test("work goes on through an outage, and not through a mistake or for ever", async () => {
  const log = newLog("silent");
  const away = Object.assign(new Error("away"), { code: "ECONNREFUSED" });
  let tries = 0;
  const late = async () => {
    if (++tries < 3) throw away;
    return "done";
  };
  expect(await throughOutages(late, log, () => 0)).toBe("done");
  expect(tries).toBe(3);
  const wrong = () => Promise.reject(new Error("wrong"));
  await expect(throughOutages(wrong, log, () => 0)).rejects.toThrow("wrong");
  let clock = 0;
  const never = () => Promise.reject(away);
  const hour = () => (clock += 3_600_000);
  await expect(throughOutages(never, log, hour)).rejects.toThrow("away");
});
