import { randomUUID } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { SMTPServer } from "smtp-server";
import { expect, test } from "vitest";
import { connectMail, type Post } from "#kernel/mail.ts";
import type { PersonKey } from "#kernel/sql.ts";
import * as offers from "#offers/service.ts";
import * as everybody from "#people/service.ts";
import { world } from "../../test/database.ts";
import { deliver, seed } from "./jobs.ts";
import { readToken } from "./model/token.ts";
import * as service from "./service.ts";
import { broken } from "./views.ts";

type Got = { to: string; text: string };
/** A real mail server on a free port. `verdict` decides on each recipient: null takes the mail. */
async function sink(verdict: (address: string, tries: number) => number | null = () => null) {
  const got: Got[] = [];
  const tries = new Map<string, number>();
  const smtp = new SMTPServer({
    disabledCommands: ["AUTH", "STARTTLS"],
    onRcptTo: ({ address }, _session, done) => {
      const n = (tries.get(address) ?? 0) + 1;
      tries.set(address, n);
      const code = verdict(address, n);
      done(code === null ? null : Object.assign(new Error("not now"), { responseCode: code }));
    },
    onData: (stream, session, done) => {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => {
        got.push({
          to: session.envelope.rcptTo[0]!.address,
          text: Buffer.concat(chunks).toString(),
        });
        done();
      });
    },
  });
  const listening = smtp.listen(0, "127.0.0.1");
  await once(listening, "listening");
  const { port } = listening.address() as AddressInfo;
  const post = connectMail(`smtp://127.0.0.1:${port}`, "Tea & Co <shop@tea.example>");
  return {
    got,
    post,
    [Symbol.asyncDispose]: async () => {
      post.close();
      await new Promise<void>((resolve) => smtp.close(() => resolve()));
    },
  };
}

async function shop() {
  const here = await world({
    settings: { mailFrom: "Tea & Co <shop@tea.example>", publicUrl: "https://tea.example" },
  });
  here.clock.shop = new Date("2026-03-02T04:00:00Z"); // noon in Shanghai
  await seed(here.house);
  const source = randomUUID();
  const guest = async (email: string | null, country = "CN", name?: string): Promise<PersonKey> => {
    const at = here.clock.shop;
    const sender = { type: "user_id" as const, value: randomUUID(), at };
    return here.sql.begin(async (tx) => {
      const nodes = await everybody.nodesFor(here.house, tx, source, [sender]);
      const { bucket, personId } = nodes.get(everybody.senderKey(sender))!;
      const person = { bucket, personId };
      const field = (of: string, value: string) => ({
        person,
        field: of,
        value,
        source: "test",
        at,
      });
      await everybody.setFields(here.house, tx, [
        ...(email ? [field("email", email)] : []),
        ...(name ? [field("name", name)] : []),
      ]);
      await everybody.setAttributes(
        tx,
        [{ person, name: "country", value: country, source: "test", at }],
        at,
      );
      for (const channel of ["inapp", "email"] as const)
        await service.setConsent(
          here.house,
          tx,
          [
            {
              person,
              purpose: "marketing",
              channel,
              granted: true,
              textVersion: "1",
              proof: "test",
              at,
            },
          ],
          at,
        );
      return person;
    });
  };
  const send = (person: PersonKey, data: { skus?: string[]; couponId?: string } = {}) =>
    here.sql.begin(async (tx) => {
      const [sent] = await service.send(here.house, tx, here.clock.shop, [
        {
          person,
          purpose: "marketing",
          templateId: "win-back",
          channels: ["inapp", "email"],
          data,
          cause: "test",
        },
      ]);
      return sent!;
    });
  const mail = async ({ personId }: PersonKey) => {
    const [row] = await here.sql`
      select state, reason, attempts, next_at from messages_delivery
      where person_id = ${personId} and channel = 'email'`;
    return row!;
  };
  const pass = (ms: number) => {
    here.clock.machine = new Date(here.clock.machine.getTime() + ms);
  };
  return Object.assign(here, { guest, send, mail, pass });
}
/** Undoes quoted-printable and base64 parts far enough to look for words. */
const readable = (text: string): string => {
  const soft = text.replaceAll(/=\r?\n/g, "");
  const bytes = soft.replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(parseInt(hex, 16)),
  );
  const decoded = Buffer.from(bytes, "latin1").toString();
  const parts = [...text.matchAll(/base64\r\n\r\n([A-Za-z0-9+/=\r\n]+)/g)];
  return decoded + parts.map(([, part]) => Buffer.from(part!, "base64").toString()).join("\n");
};

test("a mail leaves in the person's language, with its coupon, its goods and one click to leave by", async () => {
  await using here = await shop();
  await using smtp = await sink();
  const wang = await here.guest("wang@mail.example", "CN", "王<b>小明");
  const ann = await here.guest("ann@mail.example", "United Kingdom");
  await here.sql`insert into catalog_product ${here.sql({
    sourceId: randomUUID(),
    sku: "10001",
    name: "Tea & Honey",
    currency: "CNY",
    unitPrice: 1n,
    seenAt: here.clock.shop,
    firstAt: here.clock.shop,
  })}`;
  const campaignId = randomUUID();
  const [given] = await here.sql.begin(async (tx) => {
    await offers.makeCampaign(tx, {
      id: campaignId,
      at: here.clock.shop,
      name: { zh: "甲", en: "A" },
      currency: "CNY",
      ttlDays: 30,
      benefit: { kind: "amount", amountMinor: 500n },
      minSpendMinor: 0n,
      perPerson: 1,
      open: false,
      couponLimit: 9,
      budgetMinor: null,
    });
    return offers.issue(here.house, tx, here.clock.shop, [
      { person: wang, campaignId, cause: "test" },
    ]);
  });
  const couponId = given!.ok ? given!.value.couponId : "";
  const sent = await here.send(wang, { skus: ["10001"], couponId });
  await here.send(ann);
  while ((await deliver(here.house, { post: smtp.post })) > 0);
  expect(smtp.got.map(({ to }) => to).toSorted()).toEqual([
    "ann@mail.example",
    "wang@mail.example",
  ]);

  const his = smtp.got.find(({ to }) => to === "wang@mail.example")!.text;
  expect(his).toContain(`Message-ID: <${sent.messageId}@tea.example>`);
  expect(his).toContain("List-Unsubscribe-Post: List-Unsubscribe=One-Click");
  const [, token] = /List-Unsubscribe:\s+<https:\/\/tea\.example\/u\/([\w-]+)>/.exec(his)!;
  const leaving = { personId: wang.personId, purpose: "marketing", channel: "email" };
  expect(readToken(here.house.keys.signing("unsubscribe"), token!)).toEqual(leaving);
  const words = readable(his);
  expect(words).toContain(offers.codeOfCoupon(here.house, couponId));
  expect(words).toContain("任意一单立减 ¥5");
  expect(words).toContain("· Tea & Honey");
  expect(words).toContain("<li>Tea &amp; Honey</li>");
  expect(words).toContain("王&lt;b&gt;小明，您好：");
  const hers = readable(smtp.got.find(({ to }) => to === "ann@mail.example")!.text);
  expect(hers).toContain("It has been a while.");
  expect(hers).not.toContain("Hello");
  expect(await here.mail(wang)).toMatchObject({ state: "sent", attempts: 1 });
  // No address and no name in any table of ours.
  const [dump] = await here.sql<{ all: string }[]>`
    select (select json_agg(t)::text from messages_message t) || (select json_agg(t)::text from messages_delivery t)
      as all`;
  expect(dump!.all).not.toMatch(/mail\.example|小明/);
});

test("refused for now is tried again later under the same Message-ID; refused for good is said and left", async () => {
  await using here = await shop();
  const verdict = (address: string, tries: number) =>
    address.startsWith("never") ? 550 : address.startsWith("busy") || tries < 3 ? 451 : null;
  await using smtp = await sink(verdict);
  const [slow, never, busy] = [
    await here.guest("slow@mail.example"),
    await here.guest("never@mail.example"),
    await here.guest("busy@mail.example"),
  ];
  const sent = await here.send(slow);
  await here.send(never);
  await here.send(busy);
  const run = () => deliver(here.house, { post: smtp.post });
  expect(await run()).toBe(3);
  expect(await here.mail(slow)).toMatchObject({ state: "ready", attempts: 1 });
  expect(await here.mail(never)).toMatchObject({ state: "failed", reason: "refused", attempts: 1 });
  expect(await run()).toBe(0); // not before its time
  here.pass(2 * 60_000);
  expect(await run()).toBe(2);
  here.pass(3 * 60_000);
  expect(await run()).toBe(0); // and each time later than the last
  here.pass(60_000);
  await run();
  expect(await here.mail(slow)).toMatchObject({ state: "sent", attempts: 3 });
  expect(smtp.got.map(({ text }) => text.includes(`<${sent.messageId}@`))).toEqual([true]);
  for (let i = 0; i < 12; i++) {
    here.pass(24 * 3_600_000);
    await run();
  }
  expect(await here.mail(busy)).toMatchObject({ state: "failed", reason: "gave_up", attempts: 10 });
});

test("a crash between sending and marking sends once more, and the two can be told to be one", async () => {
  await using here = await shop();
  await using smtp = await sink();
  const ann = await here.guest("ann@mail.example");
  const sent = await here.send(ann);
  const dying: Post = {
    send: async (mail) => {
      await smtp.post.send(mail);
      throw new Error("the process ended here");
    },
    close: () => {},
  };
  await expect(deliver(here.house, { post: dying })).rejects.toThrow("ended here");
  expect(await here.mail(ann)).toMatchObject({ state: "sending" });
  const again = () => deliver(here.house, { post: smtp.post });
  expect(await again()).toBe(0); // its claim stands: another worker leaves it alone
  here.pass(16 * 60_000);
  expect(await again()).toBe(1);
  expect(await here.mail(ann)).toMatchObject({ state: "sent", attempts: 2 });
  const ids = smtp.got.map(({ text }) => /Message-ID: (\S+)/.exec(text)![1]);
  expect(ids).toEqual([`<${sent.messageId}@tea.example>`, `<${sent.messageId}@tea.example>`]);
});

test("mails to made-up addresses, and all mails where there is no SMTP, wait in the preview", async () => {
  await using here = await shop();
  await using smtp = await sink();
  const [demo, real, none] = [
    await here.guest("12345@demo.INVALID"),
    await here.guest("ann@mail.example"),
    await here.guest(null),
  ];
  for (const person of [demo, none]) await here.send(person);
  await deliver(here.house, { post: smtp.post });
  expect(await here.mail(demo)).toMatchObject({ state: "preview", reason: "demo_address" });
  expect(await here.mail(none)).toMatchObject({ state: "failed", reason: "no_address" });
  await here.send(real);
  await deliver(here.house, { post: null });
  expect(await here.mail(real)).toMatchObject({ state: "preview", reason: "no_smtp" });
  here.pass(24 * 3_600_000);
  expect(await deliver(here.house, { post: smtp.post })).toBe(0);
  expect(smtp.got).toEqual([]);
});

test("consent taken back while a mail waits to be tried again is heard, and the night is kept", async () => {
  await using here = await shop();
  await using smtp = await sink((_, tries) => (tries < 2 ? 451 : null));
  const [ann, ben] = [await here.guest("ann@mail.example"), await here.guest("ben@mail.example")];
  for (const person of [ann, ben]) await here.send(person);
  await deliver(here.house, { post: smtp.post });
  here.pass(3 * 60_000);
  here.clock.shop = new Date("2026-03-02T14:00:00Z"); // ten in the evening
  const at = here.clock.shop;
  await here.sql.begin((tx) =>
    service.withdraw(
      here.house,
      tx,
      { person: ann, purpose: "marketing", channel: "email" },
      "one_click",
      at,
      at,
    ),
  );
  while ((await deliver(here.house, { post: smtp.post })) > 0);
  expect(await here.mail(ann)).toMatchObject({ state: "suppressed", reason: "no_consent" });
  expect(await here.mail(ben)).toMatchObject({ state: "ready" });
  expect(smtp.got).toEqual([]);
  here.clock.shop = new Date("2026-03-03T01:00:00Z"); // nine in the morning
  await deliver(here.house, { post: smtp.post });
  expect(smtp.got.map(({ to }) => to)).toEqual(["ben@mail.example"]);
  expect([...(await broken(here.sql))]).toEqual([]);
});

test("a mail server that is away costs nobody their mail", async () => {
  await using here = await shop();
  const ann = await here.guest("ann@mail.example");
  await here.send(ann);
  const post = connectMail("smtp://127.0.0.1:1", "a@tea.example");
  await deliver(here.house, { post });
  post.close();
  expect(await here.mail(ann)).toMatchObject({ state: "ready", attempts: 1 });
});
