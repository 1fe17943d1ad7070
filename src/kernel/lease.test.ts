import { expect, test } from "vitest";
import { world } from "../../test/database.ts";
import * as lease from "./lease.ts";

const minute = 60_000;

test("one holder at a time; it may renew, and its fence stays", async () => {
  await using shop = await world();
  const first = await lease.takeLease(shop.sql, "seal", "a", minute);
  expect(first).toEqual({ name: "seal", holder: "a", fence: 1n });
  expect(await lease.takeLease(shop.sql, "seal", "b", minute)).toBeNull();
  expect(await lease.takeLease(shop.sql, "seal", "a", minute)).toEqual(first);
  expect(await lease.takeLease(shop.sql, "other", "b", minute)).toMatchObject({ fence: 1n });
});

test("who comes too late is told apart by the fence", async () => {
  await using shop = await world();
  const holds = (held: lease.Lease) => shop.sql.begin((tx) => lease.holds(tx, held));
  const late = (await lease.takeLease(shop.sql, "seal", "a", 1))!;
  await shop.owner`update lease set until = now() - interval '1 s'`;
  const next = (await lease.takeLease(shop.sql, "seal", "b", minute))!;
  expect(next.fence).toBe(late.fence + 1n);
  expect(await holds(late)).toBe(false);
  expect(await holds(next)).toBe(true);
  // The late one cannot give up what is another's, and taking it again makes it a new holder.
  await lease.dropLease(shop.sql, late);
  expect(await holds(next)).toBe(true);
  await lease.dropLease(shop.sql, next);
  expect(await holds(next)).toBe(false);
  expect(await lease.takeLease(shop.sql, "seal", "a", minute)).toMatchObject({ fence: 3n });
});

test("of many that come at once one has it; while its holder works, nobody can take it over", async () => {
  await using shop = await world();
  const names = Array.from({ length: 20 }, (_, i) => `holder ${i}`);
  const taken = await Promise.all(
    names.map((name) => lease.takeLease(shop.sql, "seal", name, minute)),
  );
  const [held, ...others] = taken.filter((one) => one !== null);
  expect(others).toEqual([]);
  await shop.owner`update lease set until = now() - interval '1 s'`;
  await shop.sql.begin(async (tx) => {
    expect(await lease.holds(tx, held!)).toBe(true);
    expect(await lease.takeLease(shop.sql, "seal", "thief", minute)).toBeNull();
  });
  expect(await lease.takeLease(shop.sql, "seal", "thief", minute)).not.toBeNull();
});

test("work while held: one works, the others are told at once, and a failure lets go", async () => {
  await using shop = await world();
  let inside = 0;
  const work = async () => {
    expect(++inside).toBe(1);
    await shop.sql`select pg_sleep(0.2)`;
    inside--;
    return "done";
  };
  const four = await Promise.all([1, 2, 3, 4].map(() => lease.whileHeld(shop.sql, "cut", work)));
  expect(four.filter((answer) => answer === "done")).toHaveLength(1);
  expect(four.filter((answer) => answer === null)).toHaveLength(3);
  const broken = lease.whileHeld(shop.sql, "cut", () => Promise.reject(new Error("no")));
  await expect(broken).rejects.toThrow("no");
  expect(await lease.whileHeld(shop.sql, "cut", work)).toBe("done");
});
