// Nobody gets a message they did not agree to, nor more than their share of them, nor in the night: and each of the
// three is judged at the moment it would leave, not when somebody thought of it.
import { addDays, dayOf, instantOf } from "#kernel/clock.ts";
import { languageOf } from "#people/rules.ts";

export { languageOf };
export type Language = "zh" | "en";
export const purposes = ["marketing", "service"] as const;
export type Purpose = (typeof purposes)[number];
export const channels = ["inapp", "email"] as const;
export type Channel = (typeof channels)[number];
/**
 * What somebody agrees to besides messages: that we keep who their friends are, and that we keep what is sensitive (a
 * due date, what concerns health). It goes by no channel: "use" stands in its place.
 */
export const usePurposes = ["social", "sensitive"] as const;
export type UsePurpose = (typeof usePurposes)[number];
/** Everything that can be agreed to, each for itself. */
export const consentKinds: readonly { purpose: Purpose | UsePurpose; channel: Channel | "use" }[] =
  [
    ...purposes.flatMap((purpose) => channels.map((channel) => ({ purpose, channel }))),
    ...usePurposes.map((purpose) => ({ purpose, channel: "use" as const })),
  ];
export const isConsentKind = (asked: { purpose: string; channel: string }): boolean =>
  consentKinds.some((k) => k.purpose === asked.purpose && k.channel === asked.channel);

/** One line of a person's consent log. `seq` counts within the person. */
export type ConsentLine = {
  seq: number;
  purpose: Purpose | UsePurpose;
  channel: Channel | "use";
  granted: boolean;
  textVersion: string;
  proof: string;
  madeUp: boolean;
  at: Date;
};
export type Consent = Omit<ConsentLine, "seq" | "purpose" | "channel"> | null;

/** The event by which a shop's server or a file tells what somebody agreed to, or took back. */
export const consentTold = "Consent Told";
export type ToldConsent = Pick<
  ConsentLine,
  "purpose" | "channel" | "granted" | "textVersion" | "proof"
>;
/** What such an event says, or which of its fields cannot be. A proof is a code or an id: free text might name somebody. */
export function consentOf(data: Record<string, unknown>): ToldConsent | { unfit: string } {
  const { purpose, channel, granted, textVersion, proof } = data;
  const kind = consentKinds.find((one) => one.purpose === purpose && one.channel === channel);
  if (!kind)
    return { unfit: consentKinds.some((one) => one.purpose === purpose) ? "channel" : "purpose" };
  if (typeof granted !== "boolean") return { unfit: "granted" };
  if (typeof textVersion !== "string" || !/^[\w.-]{1,40}$/.test(textVersion))
    return { unfit: "textVersion" };
  if (typeof proof !== "string" || !/^[\w.:/-]{1,120}$/.test(proof)) return { unfit: "proof" };
  return { ...kind, granted, textVersion, proof };
}

/** What holds at `now`: the line with the latest time, the later written among equals; null where nothing was said. */
export function consentAt(
  lines: readonly ConsentLine[],
  purpose: ConsentLine["purpose"],
  channel: ConsentLine["channel"],
  now: Date,
): Consent {
  let last: ConsentLine | null = null;
  for (const line of lines) {
    if (line.purpose !== purpose || line.channel !== channel || line.at > now) continue;
    const after = last === null ? 1 : line.at.getTime() - last.at.getTime() || line.seq - last.seq;
    if (after > 0) last = line;
  }
  return last;
}

/** Messages of one purpose to one person in any 7 and any 30 days. */
type Limit = { week: number; month: number };
/** Times on the shop's wall, "HH:MM". Quiet from `quietFrom` on, until just before `quietUntil`; equal: never. */
export type Settings = {
  limits: Record<Purpose, Limit>;
  quietFrom: string;
  quietUntil: string;
};
export type Policy = Limit & { quietFrom: string; quietUntil: string; timeZone: string };
export const policyOf = (
  { limits, quietFrom, quietUntil }: Settings,
  purpose: Purpose,
  timeZone: string,
): Policy => ({ ...limits[purpose], quietFrom, quietUntil, timeZone });

const DAY_MS = 86_400_000;
export const WEEK_MS = 7 * DAY_MS;
export const MONTH_MS = 30 * DAY_MS;

const walls = new Map<string, Intl.DateTimeFormat>();
/** "HH:MM" where the shop is. */
function wallTime(at: Date, timeZone: string): string {
  let format = walls.get(timeZone);
  if (!format) {
    format = new Intl.DateTimeFormat("sv-SE", { timeZone, hour: "2-digit", minute: "2-digit" });
    walls.set(timeZone, format);
  }
  return format.format(at);
}
export function isQuiet(at: Date, { quietFrom, quietUntil, timeZone }: Policy): boolean {
  const wall = wallTime(at, timeZone);
  return quietFrom <= quietUntil
    ? wall >= quietFrom && wall < quietUntil
    : wall >= quietFrom || wall < quietUntil;
}
/** The first instant from `at` on that is not quiet. */
export function quietEnd(at: Date, policy: Policy): Date {
  if (!isQuiet(at, policy)) return at;
  const today = dayOf(at, policy.timeZone);
  for (const day of [today, addDays(today, 1), addDays(today, 2)]) {
    const end = instantOf(`${day}T${policy.quietUntil}`, policy.timeZone);
    // Where daylight saving skips or repeats that very minute, the wall may show it twice or not at all.
    if (end > at && !isQuiet(end, policy)) return end;
  }
  return new Date(at.getTime() + DAY_MS);
}

type Reason = "no_consent" | "cap_week" | "cap_month";
export type Verdict =
  | { kind: "release"; channels: Channel[] }
  | { kind: "wait"; until: Date }
  | { kind: "suppress"; reason: Reason };

/** The verdict at `now`. `released`: instants of the person's earlier messages of the same purpose, in any order. */
export function judge(
  asked: { purpose: Purpose; channels: readonly Channel[] },
  lines: readonly ConsentLine[],
  released: readonly Date[],
  policy: Policy,
  now: Date,
): Verdict {
  const agreed = asked.channels.filter(
    (channel) => consentAt(lines, asked.purpose, channel, now)?.granted,
  );
  if (agreed.length === 0) return { kind: "suppress", reason: "no_consent" };
  const since = (span: number) =>
    released.filter((at) => at.getTime() > now.getTime() - span).length;
  if (since(WEEK_MS) >= policy.week) return { kind: "suppress", reason: "cap_week" };
  if (since(MONTH_MS) >= policy.month) return { kind: "suppress", reason: "cap_month" };
  if (isQuiet(now, policy)) return { kind: "wait", until: quietEnd(now, policy) };
  return { kind: "release", channels: agreed };
}

export type Excess = { purpose: Purpose; days: 7 | 30; sent: number; most: number };
/**
 * What somebody has had more of than one person gets, for each purpose and span: they were several people, or the limit
 * came down since. Nothing more goes until it is below the limit again.
 */
export function excessOf(
  released: readonly { purpose: Purpose; releasedAt: Date }[],
  limits: Settings["limits"],
  now: Date,
): Excess[] {
  const spans = [
    { days: 7, span: WEEK_MS, limit: "week" },
    { days: 30, span: MONTH_MS, limit: "month" },
  ] as const;
  return (Object.keys(limits) as Purpose[]).toSorted().flatMap((purpose) =>
    spans.flatMap(({ days, span, limit }) => {
      const most = limits[purpose][limit];
      const sent = released.filter(
        (one) => one.purpose === purpose && one.releasedAt.getTime() > now.getTime() - span,
      ).length;
      return sent > most ? [{ purpose, days, sent, most }] : [];
    }),
  );
}

/** How long after its `attempts`-th refusal a mail is tried again; null: no more. Minutes, doubling, to about a day in all. */
export const retryAfterMs = (attempts: number): number | null =>
  attempts >= 10 ? null : 60_000 * 2 ** attempts;

/** A domain that can belong to nobody (RFC 2606): what demo people have. */
export const isMadeUp = (address: string): boolean => /\.invalid$/i.test(address.trim());

/** What each consent is asked for with. A change of words is a new version. */
export const consentTextVersion = "2026-01";
const consentTexts: Record<Purpose, Record<Channel, { zh: string; en: string }>> = {
  marketing: {
    inapp: {
      zh: "我愿意在站内收到优惠和好物推荐。",
      en: "Show me offers and things I may like in my inbox here.",
    },
    email: {
      zh: "我愿意通过邮件收到优惠和好物推荐，可随时退订。",
      en: "E-mail me offers and things I may like. I can unsubscribe at any time.",
    },
  },
  service: {
    inapp: {
      zh: "我愿意在站内收到与我的订单和权益有关的提醒。",
      en: "Remind me here of what concerns my orders and benefits.",
    },
    email: {
      zh: "我愿意通过邮件收到与我的订单和权益有关的提醒。",
      en: "E-mail me what concerns my orders and benefits.",
    },
  },
};

const useTexts: Record<UsePurpose, { zh: string; en: string }> = {
  social: {
    zh: "我愿意让本店记录我的好友、关注和邀请关系，用来给我推荐；撤回后全部删除。",
    en: "Keep who my friends are, whom I follow and invite, to recommend things to me. If I take this back, all of it is deleted.",
  },
  sensitive: {
    zh: "我愿意让本店保存我填写的敏感信息（如预产期、健康状况），加密存放。",
    en: "Keep the sensitive details I give, such as a due date or what concerns my health, encrypted.",
  },
};
export const consentText = ({
  purpose,
  channel,
}: Pick<ConsentLine, "purpose" | "channel">): { zh: string; en: string } =>
  purpose === "social" || purpose === "sensitive"
    ? useTexts[purpose]
    : consentTexts[purpose][channel === "use" ? "inapp" : channel];

/** Why a message or one of its ways did not go, as the operator reads it. */
export const reasonTexts: Record<string, { zh: string; en: string }> = {
  no_consent: { zh: "没有同意接收。", en: "They have not agreed to get it." },
  cap_week: { zh: "七天内已发到上限。", en: "They had their share of the last 7 days." },
  cap_month: { zh: "三十天内已发到上限。", en: "They had their share of the last 30 days." },
  no_address: { zh: "没有邮箱地址。", en: "No e-mail address is known." },
  no_smtp: {
    zh: "未设置 SMTP，邮件留在预览箱。",
    en: "No SMTP server is set; it waits in the preview outbox.",
  },
  demo_address: {
    zh: "演示用的虚构地址，邮件不会寄出。",
    en: "The address is made up for the demo; mail to it never leaves.",
  },
  refused: { zh: "对方邮件服务器拒收。", en: "The mail server refused it for good." },
  gave_up: { zh: "多次尝试仍未送出，已停止。", en: "Tried many times without success; given up." },
};

/** The message that a win-back brings: what is due again or liked by people alike, and the coupon that goes with it. */
export const winBack = {
  key: "win-back",
  purpose: "marketing",
  zh: {
    subject: "为您留了一张券，还有几样您可能正好需要的",
    body: `{{name}}，您好：

好久不见。

给您留了一张券：{{offer}}
券码：{{code}}（有效期至{{expires}}）

这几样您也许正好该补了，或者会喜欢：
{{goods}}

随时欢迎回来看看。`,
  },
  en: {
    subject: "A coupon for you, and a few things you may need about now",
    body: `Hello {{name}},

It has been a while.

We kept a coupon for you: {{offer}}
Your code: {{code}} (good until {{expires}})

A few things you may be running out of, or may like:
{{goods}}

Come and have a look whenever you feel like it.`,
  },
} as const;
