import { expect, test } from "vitest";
import { bounded, hashPassword, isPassword } from "./passwords.ts";

const deferred = () => Promise.withResolvers<string>();
const settle = () => new Promise((resolve) => setImmediate(resolve));

test("two at once, some wait, and the rest are told to come back", async () => {
  const queue = bounded(2, 1);
  const works = [deferred(), deferred(), deferred()];
  const begun: number[] = [];
  const ask = (i: number) =>
    queue(() => {
      begun.push(i);
      return works[i]!.promise;
    });
  const [first, second, third] = [ask(0), ask(1), ask(2)];
  expect(await queue(async () => "never")).toMatchObject({
    code: "request.too_many",
    data: { retryAfterSeconds: 2 },
  });
  expect(begun).toEqual([0, 1]);
  works[0]!.reject(new Error("broken"));
  await expect(first).rejects.toThrow("broken");
  await settle();
  expect(begun).toEqual([0, 1, 2]); // the place of one that broke is not lost
  works[1]!.resolve("b");
  works[2]!.resolve("c");
  expect(await second).toEqual({ ok: true, value: "b" });
  expect(await third).toEqual({ ok: true, value: "c" });
  expect(await queue(async () => "free again")).toEqual({ ok: true, value: "free again" });
});

test("a password is kept as argon2id with 19 MiB, two passes and one lane", async () => {
  const made = await hashPassword("correct horse battery");
  if (!made.ok) throw new Error(made.code);
  expect(made.value).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  expect(await isPassword("correct horse battery", made.value)).toEqual({ ok: true, value: true });
  expect(await isPassword("correct horse batterz", made.value)).toEqual({ ok: true, value: false });
});

/** User and system time of the whole process since then, in microseconds. */
const spent = (from: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(from);
  return user + system;
};

test("where there is no account, as much work is done and the answer is no", async () => {
  const made = await hashPassword("correct horse battery");
  if (!made.ok) throw new Error(made.code);
  // What each costs of the processor, turn by turn, the least of each: other programs share the cores.
  const least = [Infinity, Infinity];
  for (let i = 0; i < 20; i++) {
    const from = process.cpuUsage();
    const phc = i % 2 === 0 ? made.value : null;
    expect(await isPassword("wrong", phc)).toEqual({ ok: true, value: false });
    least[i % 2] = Math.min(least[i % 2]!, spent(from));
  }
  const [known, unknown] = least as [number, number];
  expect(unknown).toBeGreaterThan(known / 2);
  expect(unknown).toBeLessThan(known * 2);
});
