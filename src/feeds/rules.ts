// The shop's other systems are told what happened as soon as it has: each address hears what it asked for, signed, again
// and again until it has taken it, and under one number, so that who hears a thing twice can tell.
// No clock, no database, no I/O.

export const formats = ["webhook", "structured", "binary"] as const;
export type Format = (typeof formats)[number];
export const signatures = ["v1", "v1a"] as const;
export type Signature = (typeof signatures)[number];
/** Why a webhook is off: an operator said so, the other side is gone (410), or nothing but failures came for days. */
export type Reason = "operator" | "gone" | "failing";

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
export const limits = {
  webhooks: 200,
  types: 200,
  /** A message, as the standard has it: beyond that it names what happened and leaves the rest out. */
  payloadBytes: 20_000,
  /** Of an answer: kept of a failure, kept of a success, shown. */
  failureBytes: 64 * 1024,
  successBytes: 2048,
  shownBytes: 2048,
  /** Everything about one attempt together. */
  timeoutMs: 15 * second,
  /** How long the sender of a batch may take before another one takes it over: longer than it can. */
  claimMs: minute,
  /** At once to one webhook, and to one that fails. */
  batch: 32,
  failingBatch: 4,
  /** Nothing but failures for so long turns a webhook off. */
  failingMs: 5 * day,
  /** A secret that was exchanged still signs for so long. */
  oldSecretMs: day,
  keptDays: 30,
  /** The longest pause that the other side may ask for. */
  restMs: day,
  waitSeconds: 25,
  feedPage: 1000,
  /** Messages of one webhook that are sent again together. */
  replay: 100_000,
} as const;

/** How long after each try that failed the next one comes: ten tries over about three days. */
export const waitsMs = [
  5 * second,
  5 * minute,
  30 * minute,
  2 * hour,
  5 * hour,
  10 * hour,
  14 * hour,
  20 * hour,
  24 * hour,
];
/**
 * How long to wait after the `attempts`-th try failed, in ms; null: it was the last. Up to a fifth is added by `spread`
 * (0 to 1), so that what failed together does not come back together; never less than the other side asked for.
 */
export function nextTryMs(attempts: number, spread: number, askedMs: number | null): number | null {
  const wait = waitsMs[attempts - 1];
  if (wait === undefined) return null;
  return Math.max(Math.round(wait * (1 + spread / 5)), askedMs ?? 0);
}

/**
 * Retry-After in seconds or as a date in any of HTTP's three forms (RFC 9110, 10.2.3 and 5.6.7), in ms from now: at most a
 * day, however much is said. Null where it says nothing.
 */
export function askedPauseMs(header: string | undefined, now: Date): number | null {
  const text = header?.trim() ?? "";
  if (/^\d+$/.test(text)) return pauseOf(Number(text) * second);
  // Two forms name their zone; the third means Greenwich too, and says nothing of it.
  const dated = /^\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}$/.test(text)
    ? `${text} GMT`
    : /^\w{3,9}, \d\d[ -]\w{3}[ -]\d{2,4} \d\d:\d\d:\d\d GMT$/.test(text)
      ? text
      : "";
  return pauseOf(Date.parse(dated) - now.getTime());
}
const pauseOf = (ms: number): number | null =>
  !Number.isNaN(ms) && ms > 0 ? Math.min(ms, limits.restMs) : null;

/** A redirect is a failure: where it leads, nobody agreed to. */
export const isTaken = (status: number): boolean => status >= 200 && status < 300;
export const isGone = (status: number): boolean => status === 410;

export type Told = {
  id: string;
  type: string;
  at: Date;
  /** Null: of nobody. */
  person: string | null;
  data: Record<string, unknown>;
};
/** Attributes of a CloudEvent (CloudEvents 1.0.2). `sequence` is its place in the feed. */
export type CloudEvent = {
  specversion: "1.0";
  id: string;
  source: string;
  type: string;
  time: string;
  datacontenttype: "application/json";
  subject?: string;
  sequence?: string;
  data: Record<string, unknown>;
};
const dataOf = ({ person, data }: Told) => (person === null ? data : { ...data, person });
export const cloudEventOf = (told: Told, source: string, sequence?: bigint): CloudEvent => ({
  specversion: "1.0",
  id: told.id,
  source,
  type: told.type,
  time: told.at.toISOString(),
  datacontenttype: "application/json",
  ...(told.person === null ? {} : { subject: told.person }),
  ...(sequence === undefined ? {} : { sequence: String(sequence) }),
  data: dataOf(told),
});

export type Message = { body: string; headers: Record<string, string> };
/** The same each time it is made, whenever that is. What would be too large says so in place of its data. */
export function messageOf(told: Told, format: Format, source: string): Message {
  const made = shaped(told, format, source);
  if (new TextEncoder().encode(made.body).length <= limits.payloadBytes) return made;
  return shaped({ ...told, data: { omitted: "too_large" } }, format, source);
}
function shaped(told: Told, format: Format, source: string): Message {
  if (format === "webhook") {
    const body = { type: told.type, timestamp: told.at.toISOString(), data: dataOf(told) };
    return { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
  }
  const { data, datacontenttype, ...attributes } = cloudEventOf(told, source);
  if (format === "structured")
    return {
      body: JSON.stringify({ ...attributes, datacontenttype, data }),
      headers: { "content-type": "application/cloudevents+json" },
    };
  const headers = Object.entries(attributes).map(([name, value]) => [`ce-${name}`, value]);
  return {
    body: JSON.stringify(data),
    headers: { "content-type": datacontenttype, ...Object.fromEntries(headers) },
  };
}

/** A position of the feed as a client carries it; null where the text is none. */
export const cursorOf = (text: string): bigint | null =>
  /^\d{1,18}$/.test(text) ? BigInt(text) : null;

/** What is sent when an operator tries a webhook out. */
export const testType = "webhook.test";

/** What an owner is told when a webhook was turned off by itself. */
export const noticeOf = (name: string, reason: "gone" | "failing") => ({
  zh: {
    subject: `Webhook「${name}」已停用`,
    text:
      (reason === "gone"
        ? `Webhook「${name}」的接收方答复 410，表示不再接收，我们已停止向它发送。\n`
        : `Webhook「${name}」连续 5 天投递失败，我们已停止向它发送。\n`) +
      "没有送达的消息保留 30 天。对方恢复后，请在「平台 · Webhook」里重新启用，再重发失败的消息。\n",
  },
  en: {
    subject: `Webhook “${name}” is off`,
    text:
      (reason === "gone"
        ? `The receiver of webhook “${name}” answered 410: it wants no more messages, so we stopped sending.\n`
        : `Nothing we sent to webhook “${name}” got through for 5 days, so we stopped sending.\n`) +
      "What was not delivered is kept for 30 days. Once the receiver is back, turn the webhook on under Platform · Webhooks and send the failed messages again.\n",
  },
});
