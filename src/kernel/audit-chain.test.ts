import { mkdtemp, readFile, rm, stat, writeFile, appendFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { world, type World } from "../../test/database.ts";
import {
  auditHead,
  auditWaiting,
  headPublisher,
  publishedHeads,
  sealAudit,
  verifyAudit,
} from "./audit-chain.ts";
import { audit } from "./audit.ts";
import { keysFrom } from "./crypto.ts";
import { holds, takeLease } from "./lease.ts";
import type { Tx } from "./sql.ts";

const lineOf = ({ clock }: World, n: number) => ({
  at: clock.machine,
  actor: `operator:${n % 3}`,
  endpoint: "POST /v1/campaigns/:id/stop",
  target: { z: `${n}`, id: "x", "": "empty" },
  outcome: n % 4 === 0 ? "offers.stopped" : "ok",
  requestId: null,
});
const write = (w: World, tx: Tx, from: number, count: number) =>
  audit(
    w.house,
    tx,
    Array.from({ length: count }, (_, i) => lineOf(w, from + i)),
  );
const sealAll = async ({ house }: World) => {
  while ((await sealAudit(house, "one")) > 0);
};
const verdict = ({ sql, house }: World, heads: Parameters<typeof verifyAudit>[2] = []) =>
  verifyAudit(sql, house.keys, heads);

test("a line that commits late is sealed like any other, and none is sealed twice", async () => {
  await using w = await world();
  const { sql, house } = w;
  let commit = () => {};
  const held = new Promise<void>((resolve) => (commit = resolve));
  let written = () => {};
  const early = new Promise<void>((resolve) => (written = resolve));
  const late = sql.begin(async (tx) => {
    await write(w, tx, 0, 3); // the lowest ids, committed last
    written();
    await held;
  });
  await early;
  await sql.begin((tx) => write(w, tx, 3, 1500));
  expect(await sealAudit(house, "one")).toBe(1000);
  expect(await sealAudit(house, "two")).toBe(0); // somebody else is at it
  expect(await sealAudit(house, "one")).toBe(500);
  expect(await auditWaiting(sql)).toBe(0);
  commit();
  await late;
  expect(await verdict(w)).toEqual({ ok: true, sealed: 1500, waiting: 3, faults: [] });
  await sealAll(w);
  expect(await verdict(w)).toEqual({ ok: true, sealed: 1503, waiting: 0, faults: [] });
  const [row] = await sql<{ lines: number; seals: number; last: number[] }[]>`
    select count(*)::int as lines, count(distinct audit_id)::int as seals,
      (select array_agg(audit_id::int order by seq) from audit_seal where seq > 1500) as last
    from audit_seal`;
  expect(row).toEqual({ lines: 1503, seals: 1503, last: [1, 2, 3] });
});

test("a writer that lost its lease seals nothing any more", async () => {
  await using w = await world();
  const { sql } = w;
  await sql.begin((tx) => write(w, tx, 0, 5));
  const mine = await takeLease(sql, "audit.seal", "slow", 1);
  await new Promise((resolve) => setTimeout(resolve, 20));
  await sealAll(w);
  expect(await sql.begin((tx) => holds(tx, mine!))).toBe(false);
  expect((await verdict(w)).sealed).toBe(5);
});

test("what was rolled back leaves no line and no gap in the chain", async () => {
  await using w = await world();
  const failed = w.sql.begin(async (tx) => {
    await write(w, tx, 0, 4);
    throw new Error("no");
  });
  await expect(failed).rejects.toThrow("no");
  await w.sql.begin((tx) => write(w, tx, 4, 2));
  await sealAll(w);
  expect(await verdict(w)).toEqual({ ok: true, sealed: 2, waiting: 0, faults: [] });
});

/** Each tampers with about `n`-th of 40 sealed lines as somebody who has the owner's connection and no master key. */
const tamperings: Record<string, (n: number, m: number) => string[]> = {
  "edits who did it": (n) => [`update audit set actor = actor || ' ' where id = ${n}`],
  "edits what came of it": (n) => [`update audit set outcome = 'ok ' where id = ${n}`],
  "edits when, by a microsecond": (n) => [
    `update audit set at = at + interval '1 us' where id = ${n}`,
  ],
  "edits the target": (n) => [`update audit set target = '{"id":"y"}' where id = ${n}`],
  "edits the request": (n) => [
    `update audit set request_id = '00000000-0000-4000-8000-000000000000' where id = ${n}`,
  ],
  "gives a line another id": (n) => [
    `update audit set line = '00000000-0000-4000-8000-000000000000' where id = ${n}`,
  ],
  "edits the code": (n) => [`update audit set mac = sha256(mac) where id = ${n}`],
  "moves a line to another number": (n) => [
    `update audit set id = id + 1000 where id = ${n}`,
    `update audit_seal set audit_id = audit_id + 1000 where audit_id = ${n}`,
  ],
  "edits a seal": (n) => [`update audit_seal set hash = sha256(hash) where seq = ${n}`],
  "deletes a line": (n) => [`delete from audit where id = ${n}`],
  "deletes a seal": (n) => [`delete from audit_seal where seq = ${n}`],
  "deletes a line with its seal": (n) => [
    `delete from audit where id in (select audit_id from audit_seal where seq = ${n})`,
    `delete from audit_seal where seq = ${n}`,
  ],
  "deletes a line with its seal and closes the gap": (n) => [
    `delete from audit where id in (select audit_id from audit_seal where seq = ${n})`,
    `delete from audit_seal where seq = ${n}`,
    `update audit_seal set seq = -seq + 100000 where seq > ${n}`,
    `update audit_seal set seq = -seq + 99999 where seq > 90000`,
  ],
  "inserts a line": () => [insertLike("gen_random_uuid()")],
  "inserts a line and lets it be sealed": () => [
    insertLike("gen_random_uuid()"),
    `insert into audit_due select max(id) from audit`,
  ],
  "copies a line and lets it be sealed": () => [
    insertLike("line"),
    `insert into audit_due select max(id) from audit`,
  ],
  "inserts a line with a seal of its own": () => [
    insertLike("gen_random_uuid()"),
    `insert into audit_seal select (select max(seq) + 1 from audit_seal), max(id), sha256('x') from audit`,
  ],
  "exchanges two seals": (n, m) => [
    `update audit_seal set audit_id = -audit_id where seq in (${n}, ${m})`,
    `update audit_seal s set audit_id = -o.audit_id from audit_seal o
     where (s.seq = ${n} and o.seq = ${m}) or (s.seq = ${m} and o.seq = ${n})`,
  ],
  "exchanges two lines": (n, m) => [
    `update audit set id = id + 1000 where id in (${n}, ${m})`,
    `update audit set id = case id when ${n} + 1000 then ${m} else ${n} end where id > 1000`,
  ],
  "cuts off the end": (n) => [
    `delete from audit where id in (select audit_id from audit_seal where seq >= ${n})`,
    `delete from audit_seal where seq >= ${n}`,
  ],
  "cuts off the end of the seals": (n) => [`delete from audit_seal where seq >= ${n}`],
  "empties everything": () => ["delete from audit", "delete from audit_seal"],
  "forgets what waits": () => [
    `insert into audit overriding system value select 999, at, actor, endpoint, target, outcome,
       request_id, gen_random_uuid(), mac from audit where id = 1`,
  ],
  "deletes the beginning": (n) => [
    `delete from audit where id <= ${n}`,
    `delete from audit_seal where seq <= ${n}`,
  ],
};
const insertLike = (line: string) => `
  insert into audit overriding system value
  select 500, at, actor, endpoint, target, outcome, request_id, ${line}, mac from audit order by id limit 1`;

test("whoever tampers with the audit is seen, whatever they do, also once more lines were sealed on top", async () => {
  await using w = await world();
  const { owner, sql } = w;
  for (let i = 0; i < 8; i++) {
    await sql.begin((tx) => write(w, tx, i * 5, 5));
    await sealAll(w);
  }
  const head = (await auditHead(w.house))!;
  expect(head.seq).toBe("40");
  expect(await verdict(w, [head])).toMatchObject({ ok: true, sealed: 40 });
  await owner.unsafe(`alter table audit alter id set generated by default;
    create table kept_audit as select * from audit;
    create table kept_seal as select * from audit_seal`);
  const restore = () =>
    owner.unsafe(`truncate audit, audit_seal, audit_due;
      insert into audit overriding system value select * from kept_audit;
      insert into audit_seal select * from kept_seal`);
  const names = Object.keys(tamperings);
  const tried = new Set<string>();
  await fc.assert(
    fc.asyncProperty(
      fc.nat(names.length - 1),
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 39 }),
      fc.boolean(),
      async (which, n, step, later) => {
        const name = names[(which + tried.size) % names.length]!;
        tried.add(name);
        const m = ((n - 1 + step) % 40) + 1;
        for (const statement of tamperings[name]!(n, m)) await owner.unsafe(statement);
        if (later) {
          await sql.begin((tx) => write(w, tx, 40, 3)).catch(() => {});
          await sealAll(w);
        }
        const { ok, faults } = await verdict(w, [head]);
        await restore();
        const said = { name, n, m, later };
        expect({ said, ok, seen: faults.length > 0 }).toEqual({ said, ok: false, seen: true });
      },
    ),
    { numRuns: 60 },
  );
  expect(tried.size).toBeGreaterThan(15);
  // And each once, so that none depends on luck.
  for (const name of names) {
    for (const statement of tamperings[name]!(20, 31)) await owner.unsafe(statement);
    expect({ name, ok: (await verdict(w, [head])).ok }).toEqual({ name, ok: false });
    await restore();
  }
  expect(await verdict(w, [head])).toMatchObject({ ok: true, sealed: 40 });
  expect((await verifyAudit(sql, keysFrom(Buffer.alloc(32, 8)), [head])).ok).toBe(false);
});

test("the head goes to a file once a minute while something is done, and a line that was cut there is passed over", async () => {
  await using w = await world();
  const { house, sql, clock } = w;
  const home = await mkdtemp(join(tmpdir(), "liuke-head-"));
  try {
    const file = join(home, "audit-head.jsonl");
    const publish = headPublisher(house, file);
    expect(await publish()).toBe(false); // nothing is sealed yet
    const step = async (n: number, seconds: number) => {
      await sql.begin((tx) => write(w, tx, n, 1));
      await sealAll(w);
      clock.machine = new Date(clock.machine.getTime() + seconds * 1000);
      return publish();
    };
    expect(await step(0, 1)).toBe(true);
    expect(await step(1, 30)).toBe(false);
    expect(await step(2, 31)).toBe(true);
    clock.machine = new Date(clock.machine.getTime() + 120_000);
    expect(await publish()).toBe(false); // it did not grow
    expect(await step(3, 1)).toBe(true); // a minute has passed since the last
    expect(await step(4, 1)).toBe(false);
    expect(await publish(true)).toBe(true); // as the program ends
    const heads = await publishedHeads(file);
    expect(heads.map(({ seq }) => seq)).toEqual(["1", "3", "4", "5"]);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await verdict(w, heads)).ok).toBe(true);
    await appendFile(file, '{"seq":"6","ha');
    expect(await publishedHeads(file)).toHaveLength(4);
    expect(await publishedHeads(join(home, "none"))).toEqual([]);
    await writeFile(file, (await readFile(file, "utf8")).replace(/"hash":"./, '"hash":"_'));
    expect(await publishedHeads(file)).toHaveLength(3);
    // What was published and is gone is missed.
    const cut = ["delete from audit where id > 2", "delete from audit_seal where seq > 2"];
    for (const statement of cut) await w.owner.unsafe(statement);
    expect((await verdict(w)).ok).toBe(true); // the database alone cannot know
    const { faults } = await verdict(w, heads);
    expect(faults.map(({ what }) => what)).toEqual([
      "head_missing",
      "head_missing",
      "head_missing",
    ]);
  } finally {
    await rm(home, { recursive: true });
  }
});
