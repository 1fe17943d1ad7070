// What webhooks and the feed do by themselves: write down what somebody wants to hear, and send it until it is taken.
//
// First a helping of messages is claimed and that is committed; then they are sent; then what became of them is
// written. A crash in between leaves a claim that runs out, and the same message goes again under the same number, by
// which the receiver knows a double. The other order would lose messages in silence.
import { crashAt } from "#kernel/crash.ts";
import { sha256 } from "#kernel/crypto.ts";
import type { House } from "#kernel/endpoint.ts";
import { inOrder } from "#kernel/group.ts";
import { nobody } from "#kernel/ids.ts";
import { faultOf } from "#kernel/log.ts";
import type { Answered, Outgoing } from "#kernel/outgoing.ts";
import type { Happened, Reaction } from "#kernel/outbox.ts";
import type { Tx } from "#kernel/sql.ts";
import type { TimerKind } from "#kernel/timers.ts";
import { signed } from "./model/signature.ts";
import {
  noticeOf,
  askedPauseMs,
  isGone,
  isTaken,
  limits,
  messageOf,
  nextTryMs,
  type Told,
} from "./rules.ts";
import * as service from "./service.ts";
import * as store from "./store.ts";
import * as views from "./views.ts";

// ── written down ───────────────────────────────────────────────────────────────────────────────────────────────────

/** Asked once for all events of a transaction, whatever their names: where nobody listens, that is all it costs. */
const asked = new WeakMap<Tx, ReturnType<typeof store.listening>>();
const listening = (tx: Tx) => {
  const known = asked.get(tx) ?? store.listening(tx);
  asked.set(tx, known);
  return known;
};

async function record(house: House, tx: Tx, happened: Happened[]): Promise<void> {
  const { kept, webhooks } = await listening(tx);
  const wanted = webhooks.filter(({ types }) => types.includes(happened[0]!.name));
  if (!kept && wanted.length === 0) return;
  const at = house.clocks.machine();
  const only = [...new Set(wanted.flatMap(({ segmentId }) => segmentId ?? []))];
  const members = await views.membersAmong(tx, only, happened);
  const due = happened.flatMap(({ bucket, personId, id: eventId }) =>
    wanted.flatMap(({ id: webhookId, segmentId }) =>
      segmentId === null || members.has(`${segmentId} ${personId}`)
        ? [{ bucket, personId, eventId, webhookId }]
        : [],
    ),
  );
  const told = new Set(due.map(({ eventId }) => eventId));
  const rows = happened
    .filter(({ id }) => kept || told.has(id))
    .map(({ bucket, personId, id, name, at: when, data }) => ({
      ...{ bucket, personId, id, type: name, at: when, data },
    }));
  if (rows.length === 0) return;
  await store.addDeliveries(tx, due, at);
  await store.addEvents(tx, rows, at, kept ? await store.givePositions(tx, rows.length) : null);
}

/** They go last of all reactions: the row that gives positions is held from here to commit. */
export const reactionsTo = (names: readonly string[]): Reaction[] =>
  names.map((on) => ({ on, react: record }));

// ── sent ───────────────────────────────────────────────────────────────────────────────────────────────────────────

export type Sender = {
  /** Takes what is due and begins to send it; says how many messages. A webhook at a time has one helping on its way. */
  run: () => Promise<number>;
  /** Waits until nothing is on its way. */
  idle: () => Promise<void>;
};
/** What wakes the sender where a worker runs it. */
export const sending = "webhooks";

export function sender(house: House, outgoing: Outgoing): Sender {
  const busy = new Map<string, Promise<void>>();
  const settle = inOrder((done: Done[]) => settleAll(house, done), 256);
  async function helping(
    id: string,
    claimed: store.Claimed[],
    webhook: store.Webhook,
    secrets: string[],
  ) {
    try {
      await Promise.all(
        claimed.map(async (one) => {
          const done = await send(house, outgoing, one, webhook, secrets);
          crashAt("feeds.after_send");
          await settle(done);
        }),
      );
    } catch (thrown) {
      // The engine is away: the claims run out, and the messages go again.
      house.log.warn({ event: "feeds.not_settled", webhook: id, ...faultOf(thrown) });
    } finally {
      busy.delete(id);
      house.wake?.(sending);
    }
  }
  return {
    run: async () => {
      const now = house.clocks.machine();
      const taken = await store.claim(house.sql, now, [...busy.keys()]);
      const ids = [...new Set(taken.map(({ webhookId }) => webhookId))];
      if (ids.length === 0) return 0;
      const hooks = new Map((await store.webhooks(house.sql)).map((hook) => [hook.id, hook]));
      const secrets = await service.secretsOf(house, house.sql, ids);
      for (const [id, claimed] of Map.groupBy(taken, ({ webhookId }) => webhookId)) {
        const webhook = hooks.get(id);
        const own = secrets.get(id) ?? [];
        // Deleted since: what it was to hear has failed already. Nothing leaves unsigned.
        if (webhook && own.length > 0) busy.set(id, helping(id, claimed, webhook, own));
      }
      return taken.length;
    },
    idle: async () => {
      while (busy.size > 0) await Promise.all(busy.values());
    },
  };
}

type Done = { settled: store.Settled; gone: boolean; restUntil: Date | null };

async function send(
  house: House,
  outgoing: Outgoing,
  { bucket, personId, eventId, webhookId, attempts, type, at, data }: store.Claimed,
  { url, format }: store.Webhook,
  secrets: readonly string[],
): Promise<Done> {
  const person = personId === nobody ? null : personId;
  const told: Told = { id: eventId, type, at, person, data };
  const { body, headers } = messageOf(told, format, service.sourceOf(house));
  const begun = house.clocks.machine();
  const answer = await outgoing.post({
    url,
    headers: { ...headers, ...signed(eventId, begun, body, secrets) },
    body,
    timeoutMs: limits.timeoutMs,
  });
  const key = { bucket, personId, eventId, webhookId };
  return doneWith(house.newId(), key, attempts, answer, begun);
}

function doneWith(id: string, key: store.Due, attempts: number, answer: Answered, at: Date): Done {
  const answered = answer.kind === "answered" ? answer : null;
  const taken = answered !== null && isTaken(answered.status);
  const pause = askedPauseMs(answered?.headers["retry-after"], at);
  // A number between 0 and 1 that follows from the message and the try alone.
  const spread = sha256(`${key.eventId} ${key.webhookId} ${attempts}`).readUInt32BE(0) / 2 ** 32;
  const wait = taken ? null : nextTryMs(attempts, spread, pause);
  const kept = taken ? limits.successBytes : limits.failureBytes;
  const body = answered && answered.body.length > 0 ? answered.body.subarray(0, kept) : null;
  return {
    gone: answered !== null && isGone(answered.status),
    // Asked to slow down, we leave the whole webhook in peace, not only this message.
    restUntil:
      pause !== null && (answered?.status === 429 || answered?.status === 503)
        ? new Date(at.getTime() + pause)
        : null,
    settled: {
      ...key,
      id,
      at,
      ms: answer.ms,
      status: answered?.status ?? null,
      code: answer.kind === "failed" ? answer.code : null,
      body,
      cut: answered !== null && (answered.cut || (body?.length ?? 0) < answered.body.length),
      state: taken ? "taken" : wait === null ? "failed" : "waiting",
      nextAt: new Date(at.getTime() + (wait ?? 0)),
    },
  };
}

/** Many at once: a transaction costs more than a message. */
async function settleAll(house: House, done: Done[]): Promise<null[]> {
  await house.sql.begin(async (tx) => {
    const at = house.clocks.machine();
    await store.settle(
      tx,
      done.map(({ settled }) => settled),
    );
    const groups = [...Map.groupBy(done, ({ settled }) => settled.webhookId)];
    const health = groups.map(([webhookId, own]) => ({
      webhookId,
      at,
      taken: own.some(({ settled }) => settled.state === "taken"),
      failed: own.some(({ settled }) => settled.state !== "taken"),
      restUntil: own.reduce<Date | null>(
        (last, { restUntil }) => (restUntil && (!last || restUntil > last) ? restUntil : last),
        null,
      ),
    }));
    const gone = new Set(groups.filter(([, own]) => own.some((one) => one.gone)).map(([id]) => id));
    for (const webhook of await store.markHealth(tx, health)) {
      const since = webhook.failingSince?.getTime() ?? at.getTime();
      if (gone.has(webhook.id)) await service.disable(house, tx, webhook, "gone");
      else if (at.getTime() - since >= limits.failingMs)
        await service.disable(house, tx, webhook, "failing");
    }
  });
  return done.map(() => null);
}

// ── by the clock ───────────────────────────────────────────────────────────────────────────────────────────────────

const sweepLimit = 10_000;
/** Events, messages and answers are kept 30 days of the machine's clock. Says how many rows went. */
export const sweep = (house: House): Promise<number> =>
  house.sql.begin(async (tx) => {
    const now = house.clocks.machine();
    await store.failStranded(tx, now);
    const before = new Date(now.getTime() - limits.keptDays * 86_400_000);
    return store.forget(tx, before, sweepLimit);
  });

type Notice = { name: string; reason: "gone" | "failing" };
/** The mail about it, in the owner's language. */
export const noticeMail =
  ({ name, reason }: Notice) =>
  (language: "zh" | "en" | null) => {
    const { zh, en } = noticeOf(name, reason);
    if (language === "zh") return zh;
    if (language === "en") return en;
    return { subject: `${zh.subject} / ${en.subject}`, text: `${zh.text}\n${en.text}` };
  };
/** `tell` writes to the shop's owners; null where no mail can be sent: then the page of webhooks says it. */
export const timersWith = (
  tell: ((house: House, tx: Tx, notice: Notice) => Promise<void>) | null,
): readonly TimerKind[] => [
  {
    kind: service.noticeTimer,
    clock: "machine",
    batch: 1, // a mail that is out cannot be rolled back with a neighbour's that failed
    ring: async (house, tx, due) => {
      for (const { data } of due) await tell?.(house, tx, data as Notice);
    },
  },
];
