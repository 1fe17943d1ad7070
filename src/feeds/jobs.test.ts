import { createPublicKey, verify } from "node:crypto";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { HTTP, type CloudEvent } from "cloudevents";
import { Webhook as Standard } from "standardwebhooks";
import { Webhook as Svix } from "svix";
import { expect, test } from "vitest";
import { z } from "zod";
import { tellOwners } from "../access/service.ts";
import { reactions } from "../app.ts";
import type { Context } from "../kernel/endpoint.ts";
import { connectOutgoing } from "../kernel/outgoing.ts";
import { emitAll, relay } from "../kernel/outbox.ts";
import { bucketOfText } from "../kernel/crypto.ts";
import type { Tx } from "../kernel/sql.ts";
import { ringDue } from "../kernel/timers.ts";
import * as messages from "../messages/service.ts";
import * as offers from "../offers/service.ts";
import * as people from "../people/service.ts";
import { recorded } from "../orders/events.ts";
import { callers } from "../../test/authz.ts";
import { world } from "../../test/database.ts";
import { noticeMail, sender, sweep, timersWith } from "./jobs.ts";
import { limits, waitsMs, type Format, type Signature } from "./rules.ts";
import * as service from "./service.ts";
import * as store from "./store.ts";

type Got = { headers: IncomingHttpHeaders; body: string; path: string };
/** A shop's own system: writes down what it gets, and answers as it is told to. */
async function receiver(
  answer: (
    got: Got,
    count: number,
  ) => { status: number; headers?: object; body?: string } = () => ({
    status: 200,
  }),
) {
  const got: Got[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (part: string) => (body += part));
    request.on("end", () => {
      const one = { headers: request.headers, body, path: request.url ?? "" };
      got.push(one);
      const { status, headers = {}, body: said = "" } = answer(one, got.length);
      response.writeHead(status, headers as Record<string, string>).end(said);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/hook`,
    got,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

const offered = new Set([
  ...[recorded.name, "feeds.disabled", "offers.issued", "messages.consented", "people.tagged"],
]);
async function shop() {
  const made = await world({ settings: { feedAllow: ["127.0.0.1"] } });
  const { house, sql, clock } = made;
  clock.machine = new Date(); // receivers compare the time with their own
  const outgoing = connectOutgoing(house.settings.feedAllow);
  const own = sender(house, outgoing);
  const context = (tx: Tx) =>
    ({ tx, house, at: clock.machine, now: clock.shop, newId: house.newId }) as Context;
  const ask = <T>(work: (context: Context) => Promise<T>): Promise<T> =>
    sql.begin((tx) => work(context(tx))) as Promise<T>;
  return {
    ...made,
    ask,
    webhook: async (
      url: string,
      more: { format?: Format; signature?: Signature; segment?: string; types?: string[] } = {},
    ) => {
      const {
        format = "webhook",
        signature = "v1",
        segment = null,
        types = [recorded.name],
      } = more;
      const made = await ask((c) =>
        service.make(c, offered, { name: "hook", url, types, segment, format, signature }),
      );
      if (!made.ok) throw new Error(made.code);
      return made.value;
    },
    orders: (count: number, from = 0) =>
      sql.begin((tx) =>
        emitAll(
          house,
          tx,
          recorded,
          Array.from({ length: count }, (_, i) => ({
            person: person(from + i),
            data: order(from + i),
          })),
        ),
      ),
    relay: async () => {
      while ((await relay(house, reactions)) > 0);
    },
    /** Sends what is due now. */
    send: async () => {
      while ((await own.run()) > 0) await own.idle();
      await own.idle();
    },
    later: (ms: number) => void (clock.machine = new Date(clock.machine.getTime() + ms)),
    deliveries: () => sql<
      {
        eventId: string;
        state: string;
        attempts: number;
        status: number;
        code: string;
        nextAt: Date;
      }[]
    >`
      select event_id, state, attempts, status, code, next_at from feeds_delivery order by event_id`,
    close: () => outgoing.close(),
  };
}
const person = (i: number) => {
  const personId = `00000000-0000-7000-8000-${String(i).padStart(12, "0")}`;
  return { bucket: bucketOfText(personId), personId };
};
const order = (i: number) => ({
  ref: `r${i}`,
  kind: "sale" as const,
  at: "2026-03-01T04:00:00.000Z",
  day: "2026-03-01",
  amountMinor: String(1000 + i),
  eventId: `01989b3e-7c1a-7000-8000-${String(i).padStart(12, "0")}`,
});
const text = (headers: IncomingHttpHeaders) => headers as Record<string, string>;

test("released clients verify what is sent, and read from it who it is about", async () => {
  const house = await shop();
  await using _ = house;
  await using there = await receiver();
  const { secret } = await house.webhook(there.url);
  await house.orders(3);
  await house.relay();
  await house.send();
  expect(there.got).toHaveLength(3);
  for (const { headers, body } of there.got) {
    const read = new Standard(secret).verify(body, text(headers)) as Record<string, unknown>;
    expect(() => new Svix(secret).verify(body, text(headers))).not.toThrow();
    const { person: who, ref, ...rest } = read["data"] as Record<string, string>;
    const i = Number(ref!.slice(1));
    expect({ ...rest, ref }).toEqual(order(i));
    expect(who).toBe(person(i).personId);
    expect(read["type"]).toBe("orders.recorded");
    expect(headers["content-type"]).toBe("application/json");
    // What was changed on the way, or signed by another, is not verified.
    expect(() =>
      new Standard(secret).verify(body.replace("sale", "gift"), text(headers)),
    ).toThrow();
    const other = new Svix(`whsec_${Buffer.alloc(32, 1).toString("base64")}`);
    expect(() => other.verify(body, text(headers))).toThrow();
  }
  expect(Buffer.from(secret.slice(6), "base64").length).toBe(32);
  expect(new Set(there.got.map(({ headers }) => headers["webhook-id"])).size).toBe(3);
  expect((await house.deliveries()).map(({ state }) => state)).toEqual(["taken", "taken", "taken"]);
  // At rest there is nothing of the secret.
  const [row] = await house.owner<{ all: string }[]>`
    select string_agg(s::text, ' ') as all from feeds_secret s`;
  expect(row!.all).not.toContain(secret.slice(6));
  house.close();
});

test("while a secret is exchanged both sign; after 24 hours the new one alone", async () => {
  const house = await shop();
  await using _ = house;
  await using there = await receiver();
  const { id, secret } = await house.webhook(there.url);
  const rotated = await house.ask((c) => service.rotate(c, { webhook: id }));
  if (!rotated.ok) throw new Error(rotated.code);
  const say = async (i: number) => {
    await house.orders(1, i);
    await house.relay();
    await house.send();
    return there.got.at(-1)!;
  };
  const verified = (one: string, { body, headers }: Got) => {
    try {
      return Boolean(new Standard(one).verify(body, text(headers)));
    } catch {
      return false;
    }
  };
  const both = await say(0);
  expect([secret, rotated.value.secret].map((one) => verified(one, both))).toEqual([true, true]);
  const { body, headers } = both;
  expect(() => new Svix(rotated.value.secret).verify(body, text(headers))).not.toThrow();
  house.later(limits.oldSecretMs + 1);
  await house.orders(1, 1);
  await house.relay();
  await house.send();
  expect(there.got.at(-1)!.headers["webhook-signature"]!.toString().split(" ")).toHaveLength(1);
  house.close();
});

test("an ed25519 signature is verified by the public key alone", async () => {
  const house = await shop();
  await using _ = house;
  await using there = await receiver();
  const { secret, publicKey } = await house.webhook(there.url, { signature: "v1a" });
  expect(secret).toMatch(/^whsk_/);
  await house.orders(1);
  await house.relay();
  await house.send();
  const { headers, body } = there.got[0]!;
  const x = Buffer.from(publicKey!.replace("whpk_", ""), "base64").toString("base64url");
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
  const [kind, signature = ""] = text(headers)["webhook-signature"]!.split(",");
  const said = `${text(headers)["webhook-id"]}.${text(headers)["webhook-timestamp"]}.${body}`;
  expect(kind).toBe("v1a");
  expect(verify(null, Buffer.from(said), key, Buffer.from(signature, "base64"))).toBe(true);
  expect(verify(null, Buffer.from(`${said} `), key, Buffer.from(signature, "base64"))).toBe(false);
  house.close();
});

test("a webhook may ask for CloudEvents, in one piece or with headers, and cloudevents reads both", async () => {
  const house = await shop();
  await using _ = house;
  await using there = await receiver();
  const structured = await house.webhook(`${there.url}/structured`, { format: "structured" });
  const binary = await house.webhook(`${there.url}/binary`, { format: "binary" });
  await house.orders(1);
  await house.relay();
  await house.send();
  expect(there.got).toHaveLength(2);
  for (const { headers, body, path } of there.got) {
    const event = HTTP.toEvent({ headers: text(headers), body }) as CloudEvent<unknown>;
    expect(event).toMatchObject({
      ...{ specversion: "1.0", type: "orders.recorded", subject: person(0).personId },
      data: { ...order(0), person: person(0).personId },
    });
    expect(event.validate()).toBe(true);
    expect(event.id).toBe(headers["webhook-id"]);
    const { secret } = path.endsWith("binary") ? binary : structured;
    expect(() => new Standard(secret).verify(body, text(headers))).not.toThrow();
  }
  house.close();
});

test("what is not taken comes again over days, under the same number, and then waits for a hand", async () => {
  const house = await shop();
  await using _ = house;
  let status = 500;
  await using there = await receiver(() => ({ status, body: "x".repeat(100_000) }));
  const { id } = await house.webhook(there.url);
  await house.orders(1);
  await house.relay();
  for (const [tries, wait] of waitsMs.entries()) {
    await house.send();
    const [now] = await house.deliveries();
    const { attempts, state, nextAt } = now!;
    expect({ attempts, state }).toEqual({ attempts: tries + 1, state: "waiting" });
    const ahead = nextAt.getTime() - house.clock.machine.getTime();
    expect(ahead).toBeGreaterThanOrEqual(wait);
    expect(ahead).toBeLessThanOrEqual(wait * 1.2 + 1);
    house.later(ahead - 1);
    await house.send(); // not a moment too early
    expect(there.got).toHaveLength(tries + 1);
    house.later(1);
  }
  await house.send();
  expect(await house.deliveries()).toMatchObject([{ state: "failed", attempts: 10, status: 500 }]);
  expect(
    new Set(there.got.map(({ headers, body }) => `${headers["webhook-id"]} ${body}`)).size,
  ).toBe(1);
  const [kept] = await house.sql<{ n: number; bytes: number; cut: boolean }[]>`
    select count(*)::int as n, max(length(body)) as bytes, bool_and(cut) as cut from feeds_attempt`;
  expect(kept).toEqual({ n: 10, bytes: limits.failureBytes, cut: true });

  status = 200;
  const since = new Date(house.clock.machine.getTime() - 10 * 86_400_000).toISOString();
  const again = await house.ask((c) => service.replayFailed(c, { webhook: id, since }));
  expect(again).toEqual({ ok: true, value: { messages: 1 } });
  await house.send();
  expect(await house.deliveries()).toMatchObject([{ state: "taken", attempts: 1, status: 200 }]);
  // What was taken can be sent again too, one by one.
  const event = String(there.got[0]!.headers["webhook-id"]);
  await house.ask((c) => service.replay(c, { webhook: id, event }));
  await house.send();
  expect(there.got).toHaveLength(12);
  const unknown = await house.ask((c) =>
    service.replay(c, { webhook: id, event: house.house.newId() }),
  );
  expect(unknown).toEqual({ ok: false, code: "feeds.no_delivery" });
  house.close();
});

test("a redirect is a failure; Retry-After is kept to; 410 turns the webhook off at once and says so", async () => {
  const house = await shop();
  await using _ = house;
  const answers = [
    { status: 302, headers: { location: "http://127.0.0.1:9/" } },
    { status: 429, headers: { "retry-after": "3600" } },
    { status: 410 },
  ];
  await using there = await receiver((_, count) => answers[count - 1] ?? { status: 200 });
  const { id } = await house.webhook(there.url);
  await house.orders(1);
  await house.relay();
  await house.send();
  expect(await house.deliveries()).toMatchObject([{ state: "waiting", status: 302 }]);
  house.later(waitsMs[0]! * 1.2 + 1);
  await house.send();
  const [asked] = await house.deliveries();
  expect(asked!.nextAt.getTime() - house.clock.machine.getTime()).toBeGreaterThanOrEqual(3_600_000);
  // The whole webhook is left in peace meanwhile.
  await house.orders(1, 1);
  await house.relay();
  house.later(3_500_000);
  await house.send();
  expect(there.got).toHaveLength(2);
  house.later(101_000);
  await house.send();
  const hook = await store.webhook(house.sql, id);
  expect(hook).toMatchObject({ state: "off", reason: "gone" });
  // The other message was on its way beside it, and got there.
  const states = (await house.deliveries()).map(({ state }) => state);
  expect(states).toEqual(["failed", "taken"]);
  const [said] = await house.sql`select data from outbox where name = 'feeds.disabled'`;
  expect(said!["data"]).toEqual({ webhook: id, reason: "gone" });
  const [timer] = await house.sql`select data from timer where kind = 'feeds.notice'`;
  expect(timer!["data"]).toEqual({ name: "hook", reason: "gone" });
  // Off, it hears nothing.
  await house.orders(1, 2);
  await house.relay();
  await house.send();
  expect(await house.deliveries()).toHaveLength(2);
  // By hand it goes again as soon as somebody has turned it on, and not before: what failed, under its own number.
  const since = new Date(0).toISOString();
  const again = () => house.ask((c) => service.replayFailed(c, { webhook: id, since }));
  expect(await again()).toMatchObject({ ok: false, code: "feeds.is_off" });
  const [failed] = await house.deliveries();
  const one = { webhook: id, event: failed!.eventId };
  expect(await house.ask((c) => service.replay(c, one))).toMatchObject({ code: "feeds.is_off" });
  await house.ask((c) =>
    service.change(c, new Set(["orders.recorded"]), { webhook: id, on: true }),
  );
  expect(await again()).toMatchObject({ ok: true, value: { messages: 1 } });
  await house.send();
  expect((await house.deliveries()).map(({ state }) => state)).toEqual(["taken", "taken"]);
  const ids = there.got.map(({ headers }) => headers["webhook-id"]);
  expect(ids).toHaveLength(5);
  expect(ids[4]).toBe(failed!.eventId);
  expect((await store.webhook(house.sql, id))!.failingSince).toBeNull();
  house.close();
});

test("a webhook that was turned off by itself is said to every owner who can sign in, in their language", async () => {
  const house = await shop();
  await using _ = house;
  await using there = await receiver(() => ({ status: 410 }));
  await callers(house.house); // an owner among them, and one who was disabled
  await house.owner`update access_operator set language = 'zh' where role = 'owner'`;
  await house.webhook(there.url);
  await house.orders(1);
  await house.relay();
  await house.send();
  const mails: { to: string; subject: string; text: string }[] = [];
  const kinds = timersWith((one, tx, notice) =>
    tellOwners(one, tx, noticeMail(notice), async (mail) => void mails.push(mail)),
  );
  expect(await ringDue(house.house, kinds)).toBe(1);
  expect(await ringDue(house.house, kinds)).toBe(0);
  const able = await house.owner`
    select from access_operator where role = 'owner' and disabled_at is null`;
  expect(mails).toHaveLength(able.count);
  expect(able.count).toBeGreaterThan(0);
  for (const { to, subject, text: said } of mails) {
    expect(to).toMatch(/@example\.com$/);
    expect(subject).toBe("Webhook「hook」已停用");
    expect(said).toContain("410");
  }
  expect(noticeMail({ name: "hook", reason: "failing" })("en").text).toContain("5 days");
  house.close();
});

test("nothing but failures for five days turns a webhook off; one success in between does not", async () => {
  const house = await shop();
  await using _ = house;
  let status = 500;
  await using there = await receiver(() => ({ status }));
  const { id } = await house.webhook(there.url);
  const day = async (i: number) => {
    await house.orders(1, i);
    await house.relay();
    await house.send();
    house.later(86_400_000);
  };
  for (let i = 0; i < 4; i++) await day(i);
  status = 200;
  await day(4);
  status = 500;
  for (let i = 5; i < 10; i++) await day(i);
  expect(await store.webhook(house.sql, id)).toMatchObject({ state: "on" });
  await day(10);
  expect(await store.webhook(house.sql, id)).toMatchObject({ state: "off", reason: "failing" });
  house.close();
});

test("several senders at once send each message once", async () => {
  const house = await shop();
  await using _ = house;
  await using there = await receiver();
  await house.webhook(there.url);
  await house.webhook(`${there.url}/2`);
  await house.orders(300);
  await house.relay();
  const out = connectOutgoing(["127.0.0.1"]);
  const senders = [1, 2, 3].map(() => sender(house.house, out));
  await Promise.all(
    senders.map(async (one) => {
      while ((await one.run()) > 0) await one.idle();
    }),
  );
  expect(there.got).toHaveLength(600);
  const numbers = new Set(there.got.map(({ headers, path }) => `${headers["webhook-id"]} ${path}`));
  expect(numbers.size).toBe(600);
  out.close();
  house.close();
});

test("an address that leads inwards is refused when it is typed in and when it is sent to", async () => {
  const house = await shop();
  await using _ = house;
  await using there = await receiver();
  const { id } = await house.webhook(there.url);
  const change = await house.ask((c) =>
    service.change(c, offered, { webhook: id, url: "http://169.254.169.254/latest" }),
  );
  expect(change).toEqual({ ok: false, code: "feeds.url_internal", data: { fields: ["url"] } });
  // As if the setting had been narrowed since.
  await house.owner`update feeds_webhook set url = 'http://[::1]:8080/'`;
  await house.orders(1);
  await house.relay();
  await house.send();
  expect(await house.deliveries()).toMatchObject([
    { state: "waiting", status: null, code: "internal" },
  ]);
  house.close();
});

test("who asks for a segment hears of its members alone; who asks for nothing costs one question", async () => {
  const house = await shop();
  await using _ = house;
  await using there = await receiver();
  await house.orders(2);
  await house.relay();
  expect(await house.sql`select from feeds_event`).toHaveLength(0);
  const segment = house.house.newId();
  await house.owner`
    insert into segments_segment (id, name_zh, name_en, rule, purpose, version, defined_at)
    values (${segment}, '甲', 'A', '{}', 'analysis', 1, now())`;
  await house.owner`insert into segments_member ${house.owner({
    ...person(1),
    segmentId: segment,
    since: house.clock.shop,
  })}`;
  await house.webhook(there.url, { segment });
  await house.orders(3);
  await house.relay();
  await house.send();
  expect(
    there.got.map(({ body }) => (JSON.parse(body) as { data: { ref: string } }).data.ref),
  ).toEqual(["r1"]);
  house.close();
});

test("a message that would be too large says so in place of its data", async () => {
  const house = await shop();
  await using _ = house;
  await using there = await receiver();
  await house.webhook(there.url, { types: ["feeds.disabled"] });
  const large = { name: "feeds.disabled", data: z.object({ much: z.string() }) };
  await house.sql.begin((tx) =>
    emitAll(house.house, tx, large, [{ person: person(0), data: { much: "x".repeat(30_000) } }]),
  );
  await house.relay();
  await house.send();
  const [{ body }] = there.got as [Got];
  expect((JSON.parse(body) as { data: object }).data).toEqual({
    omitted: "too_large",
    person: person(0).personId,
  });
  house.close();
});

test("after thirty days what was told is gone", async () => {
  const house = await shop();
  await using _ = house;
  await using there = await receiver();
  await house.webhook(there.url);
  await house.ask((c) => service.keepFeed(c, { kept: true }));
  await house.orders(2);
  await house.relay();
  await house.send();
  house.later(30 * 86_400_000 - 1000);
  expect(await sweep(house.house)).toBe(0);
  house.later(2000);
  expect(await sweep(house.house)).toBe(6);
  const { next, oldest } = await store.feed(house.sql);
  expect(oldest).toBe(next);
  house.close();
});

test("coupons, consents and tags are told of where somebody listens, and are in no outbox where nobody does", async () => {
  const house = await shop();
  await using _ = house;
  await using there = await receiver();
  const campaignId = house.house.newId();
  await house.sql.begin((tx) =>
    offers.makeCampaign(tx, {
      ...{ id: campaignId, at: house.clock.shop, name: { zh: "券", en: "Coupon" }, open: true },
      ...{ benefit: { kind: "amount", amountMinor: 500n }, minSpendMinor: 0n, currency: "CNY" },
      ...{ ttlDays: 7, perPerson: 9, couponLimit: 100, budgetMinor: null },
    }),
  );
  const happen = (granted: boolean) =>
    house.sql.begin(async (tx) => {
      const said = { purpose: "marketing", channel: "email", granted, textVersion: "1" } as const;
      const line = { ...said, person: person(1), proof: "secret proof", at: house.clock.shop };
      await messages.setConsent(house.house, tx, [line], house.clock.machine);
      const ask = { person: person(1), campaignId, cause: "test" };
      await offers.issue(house.house, tx, house.clock.shop, [ask]);
      const tag = {
        tag: "vip",
        value: granted ? "gold" : null,
        kind: "hand",
        source: "test",
      } as const;
      await people.setTags(tx, house.house.newId, [
        { ...tag, person: person(1), reason: {}, at: house.clock.shop },
      ]);
    });
  await happen(true);
  expect((await house.sql`select from outbox`).count).toBe(0);
  await house.webhook(there.url, {
    types: ["offers.issued", "messages.consented", "people.tagged"],
  });
  house.clock.shop = new Date(house.clock.shop.getTime() + 1000);
  await happen(false);
  await house.relay();
  await house.send();
  const told = there.got.map(
    ({ body }) => JSON.parse(body) as { type: string; data: Record<string, unknown> },
  );
  const about = { person: person(1).personId };
  expect(told.toSorted((a, b) => (a.type < b.type ? -1 : 1))).toMatchObject([
    { type: "messages.consented", data: { ...about, purpose: "marketing", granted: false } },
    { type: "offers.issued", data: { ...about, campaign: campaignId } },
    { type: "people.tagged", data: { ...about, tag: "vip", before: "gold", after: null } },
  ]);
  expect(JSON.stringify(told)).not.toContain("secret proof");
  house.close();
});
