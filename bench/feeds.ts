// How many messages a second leave for a receiver on this machine, and what listeners cost the outbox: the same events
// relayed while nobody listens, while the feed is kept, and while --webhooks (100) ask for them. The three take turns,
// --rounds (5) times; what is said is the median.
//
// Options: --events (2000) a round, --webhooks (100), --rounds (5), --messages (2000) to send.
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { sender, reactionsTo } from "../src/feeds/jobs.ts";
import { keepFeed } from "../src/feeds/store.ts";
import { make } from "../src/feeds/service.ts";
import { bucketOfText } from "../src/kernel/crypto.ts";
import type { Context } from "../src/kernel/endpoint.ts";
import { connectOutgoing } from "../src/kernel/outgoing.ts";
import { emitAll, relay } from "../src/kernel/outbox.ts";
import { recorded } from "../src/orders/events.ts";
import { setup, world } from "../test/database.ts";
import type { Measured } from "./effect.ts";
import { numberOf, type Options } from "./tools/homes.ts";

const median = (list: number[]) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)]!;

export async function run(report: (measured: Measured) => void, options: Options): Promise<void> {
  const say = (name: string, value: number, unit: string) =>
    report({
      name: `feeds.${name}`,
      value: Math.round(value * 10) / 10,
      unit,
      target: "-",
      pass: true,
    });
  const events = numberOf(options, "events", 2000)!;
  const hooks = numberOf(options, "webhooks", 100)!;
  const rounds = numberOf(options, "rounds", 5)!;
  const messages = numberOf(options, "messages", 2000)!;
  const stop = await setup();
  let got = 0;
  const receiver = createServer((request, response) => {
    request.resume().on("end", () => {
      got++;
      response.writeHead(204).end();
    });
  }).listen(0, "127.0.0.1");
  await once(receiver, "listening");
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
  try {
    await using here = await world({ settings: { feedAllow: ["127.0.0.1"] } });
    const { house, sql, clock } = here;
    const reactions = reactionsTo([recorded.name]);
    const person = (i: number) => {
      const personId = `00000000-0000-7000-8000-${String(i).padStart(12, "0")}`;
      return { bucket: bucketOfText(personId), personId };
    };
    const data = (i: number) => ({
      ...{ ref: `r${i}`, kind: "sale" as const, at: "2026-03-01T04:00:00.000Z", day: "2026-03-01" },
      ...{ amountMinor: "900", eventId: house.newId() },
    });
    const emit = (count: number) =>
      sql.begin((tx) =>
        emitAll(
          house,
          tx,
          recorded,
          Array.from({ length: count }, (_, i) => ({ person: person(i), data: data(i) })),
        ),
      );
    const listen = async (count: number, on: boolean) => {
      for (let i = 0; on && i < count; i++)
        await sql.begin((tx) =>
          make(
            { tx, house, at: clock.machine, now: clock.shop, newId: house.newId } as Context,
            new Set([recorded.name]),
            {
              ...{ name: `hook ${i}`, url: `${url}${i}`, types: [recorded.name], segment: null },
              ...{ format: "webhook", signature: "v1" },
            },
          ),
        );
      if (!on) {
        await here.owner`update feeds_webhook set state = 'deleted'`;
        await here.owner`truncate feeds_delivery`;
      }
    };
    const kinds = {
      nobody: { on: async () => {}, off: async () => {} },
      feed: {
        on: () => sql.begin((tx) => keepFeed(tx, true)),
        off: () => sql.begin((tx) => keepFeed(tx, false)),
      },
      webhooks: { on: () => listen(hooks, true), off: () => listen(hooks, false) },
    };
    const spent = new Map<string, number[]>(Object.keys(kinds).map((name) => [name, []]));
    for (let round = 0; round < rounds; round++)
      for (const [name, { on, off }] of Object.entries(kinds)) {
        await on();
        await emit(events);
        const from = performance.now();
        while ((await relay(house, reactions)) > 0);
        spent.get(name)!.push(((performance.now() - from) * 1000) / events);
        await off();
      }
    for (const [name, list] of spent) say(`relay_${name}`, median(list), "µs/event");

    await listen(1, true);
    await emit(messages);
    while ((await relay(house, reactions)) > 0);
    const out = connectOutgoing(["127.0.0.1"]);
    const own = sender(house, out);
    got = 0;
    const from = performance.now();
    while ((await own.run()) > 0) await own.idle();
    say("sent", got, "messages");
    say("send_rate", got / ((performance.now() - from) / 1000), "messages/s");
    out.close();
  } finally {
    receiver.closeAllConnections();
    receiver.close();
    await stop();
  }
}
