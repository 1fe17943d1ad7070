import { expect, test } from "vitest";
import { wait } from "./clock.ts";
import type { Log } from "./log.ts";
import { inTurn, startWorker } from "./worker.ts";

const logTo = (lines: Record<string, unknown>[]) =>
  ({ warn: (line: Record<string, unknown>) => lines.push(line) }) as unknown as Log;
const until = async (done: () => boolean) => {
  for (let i = 0; i < 500 && !done(); i++) await wait(10);
  expect(done()).toBe(true);
};

test("a task goes on while it finds work and rests while it finds none", async () => {
  let left = 50;
  let rests = 0;
  const run = async () => (left > 0 ? left-- : (rests++, 0));
  const worker = startWorker([{ name: "t", restMs: 40, run }], logTo([]));
  await until(() => left === 0);
  rests = 0;
  await wait(210);
  expect(rests).toBeLessThanOrEqual(7);
  await worker.stop();
});

test("a task that fails is tried again after a growing rest, is logged without what it quoted, and stops no other", async () => {
  const lines: Record<string, unknown>[] = [];
  let tries = 0;
  let other = 0;
  const worker = startWorker(
    [
      {
        name: "bad",
        restMs: 1,
        run: async () => {
          if (++tries > 2) return 0;
          throw Object.assign(new Error("ann@example.com is no number"), { code: "22P02" });
        },
      },
      { name: "good", restMs: 5, run: async () => (other++, 0) },
    ],
    logTo(lines),
  );
  await until(() => tries > 3 && other > 3);
  await worker.stop();
  expect(lines.map(({ event, task, code, failures }) => [event, task, code, failures])).toEqual([
    ["worker.failed", "bad", "22P02", 1],
    ["worker.failed", "bad", "22P02", 2],
  ]);
  expect(JSON.stringify(lines)).not.toContain("ann@example.com");
});

test("stop waits for the helping under way, wakes who rests, and starts no other", async () => {
  let done = false;
  let runs = 0;
  const worker = startWorker(
    [
      {
        name: "long",
        restMs: 60_000,
        run: async () => (runs++, await wait(100), (done = true), 1),
      },
      { name: "idle", restMs: 60_000, run: async () => 0 },
    ],
    logTo([]),
  );
  await wait(10);
  await worker.stop();
  expect(done).toBe(true);
  const ran = runs;
  await wait(30);
  expect(runs).toBe(ran);
});

test("a task that rests is woken by what has come in, and one that is at work looks once more", async () => {
  let runs = 0;
  let work = 0;
  const task = {
    name: "people",
    restMs: 60_000,
    run: async () => {
      runs++;
      return work > 0 ? work-- : 0;
    },
  };
  const worker = startWorker([task], logTo([]));
  await until(() => runs === 1);
  work = 2;
  worker.wake("people");
  await until(() => runs === 4); // two helpings, and one that found nothing
  await worker.stop();
});

test("of works in turn each is done though one before it failed, and the first failure is told", async () => {
  const done: string[] = [];
  const work = (name: string, n: number) => async () => (done.push(name), n);
  const fail = (name: string) => async () => {
    done.push(name);
    throw new Error(name);
  };
  await expect(inTurn([work("a", 1), fail("b"), work("c", 2), fail("d")])).rejects.toThrow("b");
  expect(done).toEqual(["a", "b", "c", "d"]);
  expect(await inTurn([work("a", 1), work("c", 2)])).toBe(3);
});
