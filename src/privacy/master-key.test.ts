import { randomBytes } from "node:crypto";
import { chmod, mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { keysFrom } from "#kernel/crypto.ts";
import { world, type World } from "../../test/database.ts";
import { checkMasterKey, checkRole, judgeRole, masterKey, type Role } from "./master-key.ts";
import { makeNodeKeys } from "./service.ts";

async function folder() {
  const home = await mkdtemp(join(tmpdir(), "liuke-key-"));
  return { home, [Symbol.asyncDispose]: () => rm(home, { recursive: true, force: true }) };
}

test("the first start makes the key, for its owner's eyes only, and every later start finds it", async () => {
  await using f = await folder();
  const home = join(f.home, "deep", "below");
  const asked = { file: null, home, embedded: true };
  const all = await Promise.all(Array.from({ length: 8 }, () => masterKey(asked)));
  for (const key of all) expect(key.equals(all[0]!)).toBe(true);
  expect(all[0]).toHaveLength(32);
  expect(await readdir(home)).toEqual(["master.key"]); // no draft is left behind
  expect((await stat(join(home, "master.key"))).mode & 0o777).toBe(0o600);
  expect((await masterKey(asked)).equals(all[0]!)).toBe(true);
});

test("a key that others may read, that was cut, or that is not there, is refused by a sentence that says what to do", async () => {
  await using f = await folder();
  const file = join(f.home, "key");
  const asked = { file, home: f.home, embedded: true };
  await expect(masterKey({ ...asked, file: null, embedded: false })).rejects.toThrow(
    /name the master key's file in LIUKE_MASTER_KEY_FILE/,
  );
  await expect(masterKey(asked)).rejects.toThrow(/There is no master key at/);
  await writeFile(file, randomBytes(32), { mode: 0o600 });
  expect(await masterKey({ ...asked, embedded: false })).toHaveLength(32);
  for (const mode of [0o640, 0o604, 0o660, 0o601]) {
    await chmod(file, mode);
    await expect(masterKey(asked)).rejects.toThrow(/chmod 600/);
  }
  await chmod(file, 0o400);
  expect(await masterKey(asked)).toHaveLength(32);
  await chmod(file, 0o600);
  for (const size of [0, 31, 33, 44]) {
    await writeFile(file, randomBytes(size));
    await expect(masterKey(asked)).rejects.toThrow(new RegExp(`must be 32 bytes and is ${size}`));
    expect(await readFile(file)).toHaveLength(size); // it is never "mended"
  }
  await expect(masterKey({ ...asked, file: f.home })).rejects.toThrow(/not a plain file/);
});

test("a process with another master key does not start, also where the check value went missing", async () => {
  await using shop = await world();
  const { sql, house } = shop;
  const other = keysFrom(randomBytes(32));
  await checkMasterKey(sql, house.keys);
  await checkMasterKey(sql, house.keys);
  await expect(checkMasterKey(sql, other)).rejects.toThrow(/another master key/);
  const [row] = await sql<{ value: string }[]>`
    select value from installation where name = 'master_key_check'`;
  expect(row!.value).toBe(house.keys.check.toString("hex"));
  await sql.begin((tx) => makeNodeKeys(house, tx, [{ bucket: 3, nodeId: house.newId() }]));
  await sql`delete from installation where name = 'master_key_check'`;
  await expect(checkMasterKey(sql, other)).rejects.toThrow(/another master key/);
  await checkMasterKey(sql, house.keys);
});

test("two processes with two keys that start on an empty database at once: one of them starts", async () => {
  await using shop = await world();
  const both = await Promise.allSettled([
    checkMasterKey(shop.sql, keysFrom(randomBytes(32))),
    checkMasterKey(shop.sql, keysFrom(randomBytes(32))),
  ]);
  expect(both.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
});

test("a role that owns tables or could alter the audit is refused, our own is not", async () => {
  await using shop = await world();
  await checkRole(shop.sql);
  await expect(checkRole(shop.owner as World["sql"])).rejects.toThrow(/owns the table/);
  // The owner may grant the right by mistake, to the program's role or to everybody.
  for (const right of ["update", "delete", "truncate", "trigger", "update (outcome)"])
    for (const to of ["liuke_app", "public"]) {
      await shop.owner.unsafe(`grant ${right} on audit to ${to}`);
      await expect(checkRole(shop.sql), `${right} to ${to}`).rejects.toThrow(/may alter the audit/);
      await shop.owner.unsafe(`revoke ${right} on audit from ${to}`);
    }
  await checkRole(shop.sql);
  await shop.owner.unsafe("revoke insert on audit_seal from liuke_app");
  await expect(checkRole(shop.sql)).rejects.toThrow(/grant liuke_app to/);
  await shop.owner.unsafe("drop table audit_seal");
  await expect(checkRole(shop.sql)).rejects.toThrow(/liuke migrate/);
});

test("the program cannot change or take away a line of the audit, nor a seal", async () => {
  await using shop = await world();
  for (const table of ["audit", "audit_seal"])
    for (const deed of [
      `delete from ${table}`,
      `truncate ${table}`,
      `drop table ${table}`,
      `alter table ${table} disable trigger all`,
      `update ${table} set ${table === "audit" ? "outcome = ''" : "hash = ''"}`,
    ])
      await expect(shop.sql.unsafe(deed), deed).rejects.toMatchObject({ code: "42501" });
});

test("a role with power over the server is refused, whatever it owns", () => {
  const fit: Role = {
    name: "shop",
    superuser: false,
    bypass: false,
    roles: false,
    replication: false,
    owned: null,
    altered: null,
    migrated: true,
    granted: true,
  };
  judgeRole(fit);
  const cases: [Partial<Role>, RegExp][] = [
    [{ superuser: true }, /is a superuser/],
    [{ bypass: true }, /BYPASSRLS/],
    [{ roles: true }, /CREATEROLE/],
    [{ replication: true }, /REPLICATION/],
  ];
  for (const [what, sentence] of cases)
    expect(() => judgeRole({ ...fit, ...what })).toThrow(sentence);
});
