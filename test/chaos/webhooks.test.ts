// kill -9 between sending a message and marking it sent, and wherever else: everything in the outbox is told at least
// once, and what is told twice has the same number and the same body.
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, onTestFailed, test } from "vitest";
import { Webhook } from "standardwebhooks";
import { make } from "../../src/feeds/service.ts";
import type { Context } from "../../src/kernel/endpoint.ts";
import { nobody } from "../../src/kernel/ids.ts";
import { connect } from "../../src/kernel/sql.ts";
import { apart, shopServer, type Apart } from "./apart.ts";
import { linesOf } from "./lines.ts";
import { send } from "./load.ts";
import { broken } from "./truth.ts";

const lines = linesOf(2000, 7);
let house: Apart;
beforeAll(async () => void (house = await apart({ LIUKE_FEED_ALLOW: "127.0.0.1" })), 120_000);
afterAll(() => house[Symbol.asyncDispose]());

async function receiver() {
  const got: { headers: Record<string, string>; body: string }[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (part: string) => (body += part));
    request.on("end", () => {
      got.push({ headers: request.headers as Record<string, string>, body });
      // Now and then it has had enough for a moment.
      response.writeHead(got.length % 50 === 0 ? 500 : 204).end();
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    got,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

test("killed between sending and marking, and three times more, the worker tells everything", async () => {
  onTestFailed(() => console.error(house.said()));
  await using there = await receiver();
  const { key, secret } = await house.inside(async (opened) => {
    const { key } = await shopServer(opened);
    const { clocks, newId, sql } = opened.house;
    const made = await sql.begin((tx) =>
      make(
        { tx, house: opened.house, at: clocks.machine(), now: clocks.shop(), newId } as Context,
        new Set(["orders.recorded"]),
        {
          ...{ name: "ERP", url: there.url, types: ["orders.recorded"], segment: null },
          ...{ format: "webhook", signature: "v1" },
        },
      ),
    );
    if (!made.ok) throw new Error(made.code);
    return { key, secret: made.value.secret };
  });
  await house.start("api").says("Ready in");
  const first = house.start("worker", { LIUKE_CRASH_AT: "feeds.after_send:40" });
  const load = send(() => house.url, key, lines);
  expect(await first.ended).toMatchObject({ signal: "SIGKILL" });
  const cut = there.got.length;
  expect(cut).toBeGreaterThan(0);
  house.start("worker");
  for (let kills = 0; kills < 3; kills++) {
    const before = there.got.length;
    while (there.got.length < before + 20) await sleep(5);
    await house.kill("worker");
    // As if the minute had passed after which a dead sender's messages are taken over.
    await overdue();
  }
  await load.done;
  await expect.poll(async () => (await overdue()).left, { timeout: 60_000, interval: 500 }).toBe(0);
  await house.stop();

  const told = new Map<string, string>();
  for (const { headers, body } of there.got) {
    expect(() => new Webhook(secret).verify(body, headers)).not.toThrow();
    const id = headers["webhook-id"]!;
    expect(told.get(id) ?? body).toBe(body);
    told.set(id, body);
  }
  expect(there.got.length).toBeGreaterThan(told.size); // something was told twice
  await house.inside(async (opened) => {
    const { sql } = opened.house;
    const states = await sql<{ state: string; n: number }[]>`
      select state, count(*)::int as n from feeds_delivery group by state`;
    expect(states.map((row) => ({ ...row }))).toEqual([{ state: "taken", n: told.size }]);
    const events = (
      await sql<{ id: string }[]>`select event_id as id from orders_line group by event_id`
    ).map(({ id }) => id);
    const said = [...told.values()].map(
      (body) => (JSON.parse(body) as { data: { eventId: string } }).data.eventId,
    );
    // Every order of somebody known was told of, by an event that is one of its lines; nothing waits any more.
    expect(said.filter((id) => !events.includes(id))).toEqual([]);
    const orders = await sql<{ ref: string }[]>`
      select distinct ref from orders_line where person_id <> ${nobody}`;
    const refs = [...told.values()].map(
      (body) => (JSON.parse(body) as { data: { ref: string } }).data.ref,
    );
    expect(new Set(refs)).toEqual(new Set(orders.map(({ ref }) => ref)));
    expect((await sql`select from outbox`).count).toBe(0);
    expect(await broken(opened)).toEqual([]);
  });
}, 180_000);

/** Makes what waits due now; says how much of it there is, with what is still in the outbox. */
async function overdue(): Promise<{ left: number }> {
  const sql = connect(house.databaseOwnerUrl, { max: 1 });
  try {
    await sql`update feeds_delivery set next_at = now() where state = 'waiting' and next_at > now()`;
    const [row] = await sql<{ left: number }[]>`
      select ((select count(*) from feeds_delivery where state = 'waiting')
        + (select count(*) from outbox)
        + (select count(*) from collect_consumer c join collect_offset o using (bucket) where c.next < o.next))::int as left`;
    return row!;
  } finally {
    await sql.end();
  }
}
