// What messages do by themselves: let go what waited for the night to end, and hand mails to the mail server.
//
// A mail is sent at least once, never with another Message-ID. First its row is claimed, with consent and quiet hours
// looked at once more, and that is committed; then it is handed over; then what became of it is written. A crash in
// between leaves a claim that runs out, and the same mail goes again under the same Message-ID, which the receiving
// side can tell. The other order, marked before it is sent, would lose mails in silence.
import { notTold } from "#collect/rules.ts";
import type { House } from "#kernel/endpoint.ts";
import type { Mail, Post } from "#kernel/mail.ts";
import type { PersonKey, Slice, Tx } from "#kernel/sql.ts";
import type { TimerKind } from "#kernel/timers.ts";
import * as people from "#people/service.ts";
import { mailBody } from "./model/mail.ts";
import { tokenOf } from "./model/token.ts";
import { consentAt, isMadeUp, isQuiet, quietEnd, retryAfterMs, winBack } from "./rules.ts";
import * as service from "./service.ts";
import * as store from "./store.ts";
import * as views from "./views.ts";

/** Reads what a slice of the log tells of consents; what says nothing that can be agreed to is passed over. */
export async function consume(house: House, tx: Tx, slice: Slice): Promise<void> {
  await service.takeTold(house, tx, await views.consentsToldIn(tx, slice, notTold));
}

export const timers: TimerKind[] = [
  {
    kind: "messages.release",
    clock: "shop",
    batch: 500,
    ring: (house, tx, due) =>
      service.release(
        house,
        tx,
        house.clocks.shop(),
        due.map(({ bucket, personId, key }) => ({ bucket, personId, id: key })),
      ),
  },
];

/** The templates that come with the house. Run again, it changes nothing. */
export const seed = (house: House): Promise<void> =>
  house.sql.begin(async (tx) => {
    const saved = await service.defineTemplate(tx, house.clocks.machine(), winBack);
    if (!saved.ok) throw new Error(`the template ${winBack.key} is not right`);
  });

const batch = 50;
/** Longer than a whole batch can wait for a mail server: a claim runs out only where its holder died. */
const claimMs = 15 * 60_000;

export type Delivering = {
  /** Null: no SMTP server is set, and mails wait in the preview outbox. */
  post: Post | null;
  /** For tests with a sink of their own: mails to made-up addresses leave as well. */
  madeUpLeaves?: boolean;
};
/** Handles one batch of mails that are due; says how many. Call again until it says 0. */
export async function deliver(house: House, delivering: Delivering): Promise<number> {
  const claimed = await house.sql.begin((tx) => claim(house, tx, delivering));
  const { post } = delivering;
  if (post) {
    // One mail that cannot be made keeps no other from being marked; then it is said.
    const done = await Promise.allSettled(claimed.leaving.map((one) => handOver(house, post, one)));
    const broken = done.find((one) => one.status === "rejected");
    if (broken) throw broken.reason;
  }
  return claimed.seen;
}

async function handOver(house: House, post: Post, { delivery, address }: Leaving): Promise<void> {
  const posted = await post.send(await mailOf(house, delivery, address));
  const to = settled(house, delivery.attempts, posted);
  if ((await store.settle(house.sql, delivery, to)).count === 0) {
    // It went to somebody else with a merge while it was on its way.
    const holder = await people.find(house.sql, delivery.personId);
    if (holder.ok) await store.settle(house.sql, { ...delivery, ...holder.value }, to);
  }
  if (posted.kind !== "accepted")
    house.log.warn({ event: "mail.not_taken", message: delivery.messageId, ...posted });
}

type Leaving = { delivery: store.Claimed; address: string };
async function claim(
  house: House,
  tx: Tx,
  { post, madeUpLeaves = false }: Delivering,
): Promise<{ seen: number; leaving: Leaving[] }> {
  const now = house.clocks.shop();
  const machine = house.clocks.machine();
  const due = [...(await store.dueMails(tx, { shop: now, machine, limit: batch }))];
  if (due.length === 0) return { seen: 0, leaving: [] };
  const held = await store.lockPeople(tx, due);
  const lengths = new Map(held.map(({ personId, consents }) => [personId, consents]));
  const logs = Map.groupBy(await store.linesOf(tx, due), ({ personId }) => personId);
  const addresses = await addressesOf(house, tx, due);
  const languages = await views.languages(tx, due);
  const leaving: Leaving[] = [];
  const next = due.map((delivery): store.Claimed => {
    const { personId, purpose, channel, policy, attempts } = delivery;
    const base = { ...delivery, language: languages.get(personId)! };
    const consent = consentAt(logs.get(personId) ?? [], purpose, channel, now);
    if (!consent?.granted) return { ...base, state: "suppressed", reason: "no_consent" };
    if (isQuiet(now, policy)) return { ...base, state: "ready", dueAt: quietEnd(now, policy) };
    const address = addresses.get(personId);
    if (!address) return { ...base, state: "failed", reason: "no_address" };
    if (isMadeUp(address) && !madeUpLeaves)
      return { ...base, state: "preview", reason: "demo_address" };
    if (!post) return { ...base, state: "preview", reason: "no_smtp" };
    if (retryAfterMs(attempts) === null) return { ...base, state: "failed", reason: "gave_up" };
    const nextAt = new Date(machine.getTime() + claimMs);
    const mine = { ...base, attempts: attempts + 1, nextAt };
    const consents = lengths.get(personId)!;
    const sending: store.Claimed = { ...mine, consents, state: "sending", sentAt: now };
    leaving.push({ delivery: sending, address });
    return sending;
  });
  await store.saveDeliveries(tx, next);
  return { seen: due.length, leaving };
}

async function addressesOf(
  house: House,
  tx: Tx,
  keys: readonly PersonKey[],
): Promise<Map<string, string>> {
  const fields = await people.fields(house, tx, [...keys], "email");
  const missing = keys.filter(({ personId }) => !fields.has(personId));
  const nodes = await people.identifiers(house, tx, missing, "email");
  return new Map([...nodes, ...fields]);
}

async function mailOf(house: House, delivery: store.Claimed, address: string): Promise<Mail> {
  const { messageId, template, version, data, personId, bucket, purpose, channel } = delivery;
  const language = delivery.language!;
  const goods = await views.goodsNames(house.sql, data.skus ?? []);
  const person = { bucket, personId };
  const asked = [{ person, template, version, data, language }];
  const [message] = await service.compose(house, house.sql, asked, goods, "person");
  const token = tokenOf(house.keys.signing("unsubscribe"), { personId, purpose, channel });
  const leave = `${house.settings.publicUrl.replace(/\/$/, "")}/u/${token}`;
  return {
    ...mailBody(message!, language, leave),
    to: address,
    messageId: `${messageId}@${new URL(house.settings.publicUrl).hostname}`,
    headers: {
      "List-Unsubscribe": `<${leave}>`,
      "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    },
  };
}

function settled(house: House, attempts: number, posted: Awaited<ReturnType<Post["send"]>>) {
  const machine = house.clocks.machine();
  if (posted.kind === "accepted")
    return { state: "sent", reason: null, nextAt: machine, acceptedAt: machine } as const;
  const none = { acceptedAt: null, nextAt: machine };
  if (posted.kind === "refused") return { ...none, state: "failed", reason: "refused" } as const;
  const wait = retryAfterMs(attempts);
  if (wait === null) return { ...none, state: "failed", reason: "gave_up" } as const;
  const nextAt = new Date(machine.getTime() + wait);
  return { ...none, state: "ready", reason: null, nextAt } as const;
}
