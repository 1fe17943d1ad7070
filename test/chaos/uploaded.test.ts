// kill -9 in the middle of a file that was uploaded: whoever starts next goes on with it by itself, and each line is there
// once.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, onTestFailed, test, vi } from "vitest";
import { begin, move, receive, shown } from "../../src/exchange/upload.ts";
import type { Context, House } from "../../src/kernel/endpoint.ts";
import { apart, type Apart } from "./apart.ts";
import { broken } from "./truth.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 120_000 });
let house: Apart;
beforeAll(async () => void (house = await apart()));
afterAll(() => house[Symbol.asyncDispose]());

const lines = 30_000;
const isBad = (n: number) => n % 10_000 === 77;
/** Order lines as a spreadsheet writes them; a few cannot be read, and one of those is longer than a line may be. */
const text = Buffer.from(
  [
    "order;sku;quantity;unitPrice;at;customer",
    ...Array.from({ length: lines }, (_, n) => {
      const quantity = !isBad(n) ? "1" : n === 20_077 ? "1".repeat(1_500_000) : "many";
      return `A${n};S${n % 50};${quantity};2.50;2026-01-02 10:00:00;u${n % 900}`;
    }),
  ].join("\r\n"),
);

const command = (of: House, tx: Context["tx"]) =>
  ({
    ...{ tx, house: of, at: of.clocks.machine(), now: of.clocks.shop(), newId: of.newId },
    actor: { id: "system:test", permissions: new Set<string>(), scope: { kind: "all" } },
  }) as unknown as Context;
async function uploaded(of: House): Promise<string> {
  const made = await of.sql.begin((tx) =>
    begin(command(of, tx), { name: "orders.csv", bytes: text.length, mark: "" }),
  );
  if (!made.ok) throw new Error(made.code);
  const { id } = made.value;
  async function* bytes() {
    yield text;
  }
  expect(await receive(of, id, 0, bytes())).toMatchObject({ ok: true });
  const asked = { file: id, to: "running", kind: "orders", mapping: {}, source: "till" } as const;
  expect(await of.sql.begin((tx) => move(command(of, tx), asked))).toMatchObject({ ok: true });
  return id;
}

test("killed in the middle of an uploaded file, at a step and at any moment, the worker goes on, each line once", async () => {
  onTestFailed(() => console.error(house.said()));
  await house.inside(async (opened) => {
    const { house: of } = opened;
    const id = await uploaded(of);
    const seen = async () => {
      const file = (await shown(of, id))!;
      return { stage: file.stage, lines: file.counts?.lines ?? 0, counts: file.counts };
    };
    // Before a batch is committed, and after one is: what was committed stays, and no more.
    const stopped = [];
    for (const point of ["import.in_batch:2", "import.after_batch:1"]) {
      const worker = house.start("worker", { LIUKE_CRASH_AT: point });
      expect(await worker.ended, worker.said()).toMatchObject({ signal: "SIGKILL" });
      stopped.push(await seen());
    }
    expect(stopped.map((one) => one.stage)).toEqual(["running", "running"]);
    expect(stopped[0]!.lines).toBeGreaterThan(0);
    expect(stopped[1]!.lines).toBeGreaterThan(stopped[0]!.lines);
    // At whatever moment, three times while there is something left.
    house.start("worker");
    let had = stopped[1]!.lines;
    let kills = 0;
    for (;;) {
      const now = await seen();
      if (now.stage !== "running") break;
      if (kills < 3 && now.lines > had && now.lines < lines) {
        had = now.lines;
        kills++;
        await house.kill("worker");
      }
      await sleep(5);
    }
    expect(kills).toBeGreaterThan(0);
    const bad = Array.from({ length: lines }, (_, n) => n).filter(isBad);
    expect(await seen()).toMatchObject({
      stage: "done",
      counts: { lines, accepted: lines - bad.length, rejected: bad.length, doubles: 0 },
    });
    const [log] = await of.sql<{ n: number; orders: number; once: number }[]>`
      select count(*)::int as n, count(distinct data->>'order')::int as orders, count(distinct id)::int as once
      from collect_event`;
    const fits = lines - bad.length;
    expect(log).toEqual({ n: fits, orders: fits, once: fits });
    const rejected = await of.sql<{ line: number }[]>`
      select line::int as line from collect_rejected order by line`;
    expect(rejected.map(({ line }) => line)).toEqual(bad.map((n) => n + 1));
    // Nothing of the file's bytes is left behind.
    expect((await of.sql`select count(*)::int as n from exchange_piece`)[0]).toEqual({ n: 0 });
    expect(await broken(opened)).toEqual([]);
  });
});
