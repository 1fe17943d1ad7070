// Of the guests who first bought in one month, how many came to buy again in each month after it? A month counts by the
// shop's own calendar, a guest once a month, a month that is not over is marked, and nobody is counted who bought nothing.
import { dayOf, instantOf } from "#kernel/clock.ts";
import { minorDigits } from "#kernel/money.ts";

/** People who bought in `month` and whose first purchase was in `cohort`; both as "2010-12". */
export type Cell = { cohort: string; month: string; people: number };
export type Cohort = {
  month: string;
  people: number;
  cells: { month: string; people: number; rateBp: number; complete: boolean }[];
};

export const monthOf = (at: Date, timeZone: string): string => dayOf(at, timeZone).slice(0, 7);
export const nextMonth = (month: string): string => {
  const [year, number] = month.split("-").map(Number) as [number, number];
  return number === 12 ? `${year + 1}-01` : `${year}-${String(number + 1).padStart(2, "0")}`;
};
/** The first instant of a month where the shop is. */
export const monthStart = (month: string, timeZone: string): Date =>
  instantOf(`${month}-01T00:00`, timeZone);

/** No shop's table is longer than this many months. */
const longest = 600;

/** The whole triangle up to the month of `now`, months without anybody included. */
export function triangle(cells: readonly Cell[], now: Date, timeZone: string): Cohort[] {
  const found = new Map(cells.map((cell) => [`${cell.cohort} ${cell.month}`, cell.people]));
  const first = cells.map(({ cohort }) => cohort).toSorted()[0];
  if (first === undefined) return [];
  const current = monthOf(now, timeZone);
  const months: string[] = [];
  for (let m = first; m <= current && months.length < longest; m = nextMonth(m)) months.push(m);
  return months.map((month, i) => {
    const people = found.get(`${month} ${month}`) ?? 0;
    const row = months.slice(i).map((m) => {
      const back = found.get(`${month} ${m}`) ?? 0;
      const rateBp = people === 0 ? 0 : Math.round((back / people) * 10_000);
      return { month: m, people: back, rateBp, complete: m < current };
    });
    return { month, people, cells: row };
  });
}

/** What is known of one walk, from an event to the decision; whatever did not happen is null or empty. */
export type Story = {
  event: {
    id: string;
    name: string;
    at: Date;
    order: { ref: string; kind: "sale" | "refund"; amountMinor: bigint; currency: string } | null;
  } | null;
  /** Changes of tags that the event, or the silence after it, brought. */
  tags: {
    id: string;
    tag: string;
    before: string | null;
    after: string | null;
    at: Date;
    silent: boolean;
  }[];
  entry: { id: string; at: Date; segment: Both; tagId: string | null } | null;
  enrolment: {
    id: string;
    at: Date;
    arm: "treated" | "control";
    node: string;
    programme: Both;
    run: number;
    until: Date;
  } | null;
  coupon: { id: string; at: Date; state: string; expiresAt: Date; orderRef: string | null } | null;
  messages: { id: string; at: Date; channel: string; verdict: string; reason: string | null }[];
  outcome: {
    id: string;
    at: Date;
    orders: number;
    revenueMinor: bigint;
    currency: string;
    firstEventId: string | null;
  } | null;
  result: { id: string; at: Date; sentence: Both } | null;
  decision: { id: string; at: Date; sentence: Both } | null;
};
export type Both = { zh: string; en: string };
type Kind =
  | "event"
  | "tag"
  | "segment"
  | "enrolment"
  | "coupon"
  | "message"
  | "outcome"
  | "result"
  | "decision";
export type Step = {
  id: string;
  kind: Kind;
  from: string | null;
  at: string;
  sentence: Both;
  data: Record<string, unknown>;
};

const stages: Record<string, Both> = {
  new: { zh: "新客", en: "new" },
  active: { zh: "活跃", en: "active" },
  dormant: { zh: "沉睡", en: "dormant" },
  lost: { zh: "流失", en: "lost" },
};
const money = (minor: bigint, currency: string): Both => {
  const digits = minorDigits(currency);
  const text = (language: string) =>
    new Intl.NumberFormat(language, { style: "currency", currency }).format(
      Number(minor) / 10 ** digits,
    );
  return { zh: text("zh-CN"), en: text("en-GB") };
};

function eventSentence({ name, order }: NonNullable<Story["event"]>): Both {
  if (!order) return { zh: `事件“${name}”`, en: `The event “${name}”` };
  const amount = money(order.amountMinor, order.currency);
  return order.kind === "sale"
    ? { zh: `下了订单 ${order.ref}，${amount.zh}`, en: `Placed order ${order.ref}, ${amount.en}` }
    : {
        zh: `订单 ${order.ref} 退款，${amount.zh}`,
        en: `Was refunded ${amount.en} on ${order.ref}`,
      };
}
function tagSentence({ tag, before, after, silent }: Story["tags"][number]): Both {
  const word = (value: string | null, language: keyof Both) =>
    value === null
      ? { zh: "无", en: "none" }[language]
      : (tag === "lifecycle" && stages[value]?.[language]) || value;
  const what =
    tag === "lifecycle"
      ? { zh: "生命周期", en: "lifecycle" }
      : { zh: `标签“${tag}”`, en: `tag “${tag}”` };
  const change = (language: keyof Both) => `${word(before, language)} → ${word(after, language)}`;
  if (before === null) {
    const into = word(after, "zh");
    const first: Both = {
      zh: `${what.zh}首次识别为${/^\w/.test(into) ? " " : ""}${into}`,
      en: `${what.en} first seen as ${word(after, "en")}`,
    };
    return silent
      ? { zh: `此后一直没有再买，${first.zh}`, en: `No purchase since then: ${first.en}` }
      : { zh: first.zh, en: first.en[0]!.toUpperCase() + first.en.slice(1) };
  }
  return silent
    ? {
        zh: `此后一直没有再买，${what.zh}随时间变化：${change("zh")}`,
        en: `No purchase since then, and time alone changed ${what.en}: ${change("en")}`,
      }
    : { zh: `${what.zh}变化：${change("zh")}`, en: `Changed ${what.en}: ${change("en")}` };
}
const unreached: Record<string, Both> = {
  no_budget: {
    zh: "；预算已用完，没有发券",
    en: "; the budget was spent, so no coupon was given",
  },
  no_coupon: {
    zh: "；不能再领券，没有触达",
    en: "; no further coupon was due, so nothing was sent",
  },
};
function enrolmentSentence({ arm, node, programme, run }: NonNullable<Story["enrolment"]>): Both {
  const but = unreached[node] ?? { zh: "", en: "" };
  return arm === "treated"
    ? {
        zh: `进入计划“${programme.zh}”第 ${run} 轮，分在实验组${but.zh}`,
        en: `Joined run ${run} of “${programme.en}”, in the arm that is reached${but.en}`,
      }
    : {
        zh: `进入计划“${programme.zh}”第 ${run} 轮，分在对照组，不打扰`,
        en: `Joined run ${run} of “${programme.en}”, held out and left alone`,
      };
}
const channels: Record<string, Both> = {
  inapp: { zh: "站内信", en: "In-app message" },
  email: { zh: "邮件", en: "E-mail" },
};
const verdicts: Record<string, Both> = {
  waiting: { zh: "等免打扰时段结束", en: "waits until quiet hours end" },
  ready: { zh: "待发送", en: "is ready to go" },
  sending: { zh: "发送中", en: "is on its way" },
  sent: { zh: "已送达", en: "was delivered" },
  preview: { zh: "留在预览箱，没有寄出", en: "stayed in the preview outbox" },
  failed: { zh: "发送失败", en: "could not be delivered" },
  suppressed: { zh: "没有发送", en: "was not sent" },
};
function messageSentence({ channel, verdict }: Story["messages"][number]): Both {
  const by = channels[channel] ?? { zh: channel, en: channel };
  const became = verdicts[verdict] ?? { zh: verdict, en: verdict };
  return { zh: `${by.zh}${became.zh}`, en: `${by.en} ${became.en}` };
}
const couponStates: Record<string, Both> = {
  issued: { zh: "发出一张券，还没有用", en: "A coupon was given, not used yet" },
  claimed: { zh: "领了一张券，还没有用", en: "A coupon was taken, not used yet" },
  redeemed: { zh: "发出一张券，已经用掉", en: "A coupon was given, and used" },
  expired: { zh: "发出一张券，过期未用", en: "A coupon was given, and expired unused" },
  revoked: { zh: "发出一张券，后来收回", en: "A coupon was given, and taken back" },
};
function outcomeSentence({ orders, revenueMinor, currency }: NonNullable<Story["outcome"]>): Both {
  const amount = money(revenueMinor, currency);
  if (orders === 0)
    return { zh: "在观察期内没有再买", en: "Did not buy again while the programme was watched" };
  return {
    zh: `回来了：观察期内下了 ${orders} 单，减去退款共 ${amount.zh}`,
    en: `Came back: ${orders} ${orders === 1 ? "order" : "orders"} in the window, ${amount.en} after refunds`,
  };
}

/** The walk in the order in which it happened, each step with the id of the one it came from. */
export function walk(story: Story): Step[] {
  const steps: Step[] = [];
  const { event, tags, entry, enrolment, coupon, messages, outcome, result, decision } = story;
  const add = (
    kind: Kind,
    from: string | null | undefined,
    row: { id: string; at: Date },
    sentence: Both,
    data: Record<string, unknown> = {},
  ) =>
    steps.push({ id: row.id, kind, from: from ?? null, at: row.at.toISOString(), sentence, data });

  if (event) {
    const { order, name } = event;
    const figures = order && { ...order, amountMinor: String(order.amountMinor) };
    add("event", null, event, eventSentence(event), { name, ...figures });
  }
  for (const change of tags) {
    const { tag, before, after, silent } = change;
    add("tag", event?.id, change, tagSentence(change), { tag, before, after, silent });
  }
  if (entry) {
    const { segment, tagId } = entry;
    const sentence = { zh: `进入人群“${segment.zh}”`, en: `Entered the segment “${segment.en}”` };
    add("segment", tagId ?? event?.id, entry, sentence);
  }
  if (enrolment) {
    const { arm, node, run } = enrolment;
    add("enrolment", entry?.id, enrolment, enrolmentSentence(enrolment), { arm, node, run });
  }
  if (coupon) {
    const { state, expiresAt, orderRef } = coupon;
    const sentence = couponStates[state] ?? { zh: state, en: state };
    add("coupon", enrolment?.id, coupon, sentence, { state, expiresAt, orderRef });
  }
  for (const message of messages) {
    const { channel, verdict, reason } = message;
    add("message", enrolment?.id, message, messageSentence(message), { channel, verdict, reason });
  }
  if (outcome) {
    const { orders, revenueMinor, firstEventId } = outcome;
    const data = { orders, revenueMinor: String(revenueMinor), firstEventId };
    add("outcome", enrolment?.id, outcome, outcomeSentence(outcome), data);
  }
  if (result) add("result", outcome?.id ?? enrolment?.id, result, result.sentence);
  if (decision) add("decision", result?.id, decision, decision.sentence);
  return steps;
}
