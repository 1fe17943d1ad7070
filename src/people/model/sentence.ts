// What happened with a person, and why a tag is theirs, in words. Figures stand in the sentence, so that it explains itself.
import { minorDigits } from "#kernel/money.ts";
import { eventName } from "#plan/rules.ts";
import { segmentNames, stageNames } from "#predict/rules.ts";
import type { TagKind } from "../rules.ts";

export type Sentence = { zh: string; en: string };
type Language = keyof Sentence;

const both = (make: (language: Language) => string): Sentence => ({
  zh: make("zh"),
  en: make("en"),
});
const money = (minor: unknown, currency: string): Sentence => {
  const major = Number(minor) / 10 ** minorDigits(currency);
  const text = (locale: string) =>
    new Intl.NumberFormat(locale, { style: "currency", currency }).format(major);
  return { zh: text("zh-CN"), en: text("en-GB") };
};
const count = (n: unknown, one: string, many: string): string =>
  `${String(n)} ${Number(n) === 1 ? one : many}`;

/** Where a value of somebody's profile is from, said to them. `confidence`: below 1 of what a page claimed. */
export function fromSentence(source: string, confidence: number): Sentence {
  if (source === "self") return { zh: "您自己填写的", en: "You told us" };
  if (source === "form") return { zh: "您通过邮件确认的", en: "You confirmed it by e-mail" };
  if (source === "orders") return { zh: "来自您的订单", en: "From your orders" };
  if (source.startsWith("trait:"))
    return { zh: "根据您的活动算出", en: "Worked out from what you did" };
  return confidence < 1
    ? { zh: "来自网页或应用，尚未核实", en: "Given on a page or in an app, not verified" }
    : { zh: "由商店提供", en: "Given by the shop" };
}

const tagNames: Record<string, Sentence> = {
  lifecycle: { zh: "生命周期", en: "Lifecycle" },
  rfm: { zh: "RFM", en: "RFM" },
  rfm_segment: { zh: "RFM 分组", en: "RFM group" },
  identifier_conflict: { zh: "联系方式冲突", en: "Contact conflict" },
  price_sensitivity: { zh: "价格敏感度", en: "Price sensitivity" },
  brand_loyalty: { zh: "品牌忠诚度", en: "Brand loyalty" },
  share_willingness: { zh: "分享意愿", en: "Willingness to share" },
  influence: { zh: "关注者档", en: "Followers" },
  inviter: { zh: "成功邀请档", en: "Friends who joined" },
};
const levelNames: Record<string, Sentence> = {
  high: { zh: "高", en: "high" },
  medium: { zh: "中", en: "medium" },
  low: { zh: "低", en: "low" },
};
const levelled = new Set(["price_sensitivity", "brand_loyalty", "share_willingness"]);
const contacts: Record<string, Sentence> = {
  email: { zh: "邮箱", en: "e-mail address" },
  phone: { zh: "手机号", en: "phone number" },
};
const tagName = (tag: string): Sentence => tagNames[tag] ?? { zh: tag, en: tag };
const named = (names: Record<string, Sentence>, value: string): Sentence =>
  Object.hasOwn(names, value) ? names[value]! : { zh: value, en: value };
function valueName(tag: string, value: string | null): Sentence {
  if (value === null) return { zh: "无", en: "none" };
  if (tag === "lifecycle") return named(stageNames, value);
  if (levelled.has(tag)) return named(levelNames, value);
  if (tag === "rfm_segment") return named(segmentNames, value);
  return { zh: value, en: value };
}

/** Each figure that a reason may hold, as a part of a sentence, in the order in which it is read. */
const figures: Record<string, (value: unknown, currency: string) => Sentence> = {
  cameBackAfterDays: (n) => ({
    zh: `隔了 ${String(n)} 天又来下单`,
    en: `ordered again after ${count(n, "day", "days")}`,
  }),
  silentDays: (n) => ({
    zh: `距上次购买 ${String(n)} 天`,
    en: `last purchase ${count(n, "day", "days")} ago`,
  }),
  recencyDays: (n) => ({
    zh: `距上次购买 ${String(n)} 天`,
    en: `last purchase ${count(n, "day", "days")} ago`,
  }),
  purchaseDays: (n) => ({
    zh: `共在 ${String(n)} 天买过`,
    en: `purchases on ${count(n, "day", "days")}`,
  }),
  orders: (n) => ({ zh: `共 ${String(n)} 单`, en: `${count(n, "order", "orders")} in all` }),
  amountMinor: (minor, currency) => {
    const amount = money(minor, currency);
    return { zh: `累计消费 ${amount.zh}`, en: `${amount.en} spent` };
  },
  pricedLines: (n) => ({
    zh: `近一年买过 ${String(n)} 件次有常价可比的商品`,
    en: `${count(n, "purchase", "purchases")} in a year of goods with a usual price`,
  }),
  reducedLines: (n) => ({
    zh: `其中 ${String(n)} 件次低于常价 5% 以上`,
    en: `${String(n)} of them at least 5% below it`,
  }),
  couponsOver: (n) => ({
    zh: `用过或过期的券 ${String(n)} 张`,
    en: `${count(n, "coupon", "coupons")} used or run out`,
  }),
  couponsUsed: (n) => ({ zh: `用掉 ${String(n)} 张`, en: `${String(n)} of them used` }),
  brandLines: (n) => ({
    zh: `近一年买过 ${String(n)} 件次有品牌的商品`,
    en: `${count(n, "purchase", "purchases")} in a year of goods whose brand is known`,
  }),
  sameBrandPercent: (n) => ({
    zh: `任取两件同品牌的可能为 ${String(n)}%`,
    en: `two of them are of one brand in ${String(n)}% of cases`,
  }),
  shopBrandPercent: (n) => ({
    zh: `全店为 ${String(n)}%`,
    en: `in the whole shop in ${String(n)}%`,
  }),
  shares: (n) => ({
    zh: `分享和邀请共 ${String(n)} 次`,
    en: `shared or invited ${count(n, "time", "times")}`,
  }),
  weeks: (n) => ({ zh: `${String(n)} 周内`, en: `in ${count(n, "week", "weeks")}` }),
  ratio: (n) => ({
    zh: `约为同样情况下其他客人的 ${String(n)} 倍`,
    en: `about ${String(n)} times what others do on the same occasions`,
  }),
  newForDays: (n) => ({
    zh: `首购后 ${String(n)} 天内算新客`,
    en: `new for ${count(n, "day", "days")} after the first purchase`,
  }),
  dormantAfterDays: (n) => ({
    zh: `超过 ${String(n)} 天没买算沉睡`,
    en: `dormant after ${count(n, "day", "days")} without one`,
  }),
  lostAfterDays: (n) => ({
    zh: `超过 ${String(n)} 天没买算流失`,
    en: `lost after ${count(n, "day", "days")}`,
  }),
  r: (n) => ({ zh: `最近购买 ${String(n)} 分`, en: `recency ${String(n)} of 5` }),
  f: (n) => ({ zh: `购买次数 ${String(n)} 分`, en: `frequency ${String(n)} of 5` }),
  m: (n) => ({ zh: `消费金额 ${String(n)} 分`, en: `money ${String(n)} of 5` }),
};
const isFigure = (value: unknown): boolean =>
  typeof value === "number" || (typeof value === "string" && /^-?\d+$/.test(value));

const byKind: Record<TagKind, Sentence> = {
  hand: { zh: "由同事手动设置。", en: "Set by hand by a colleague." },
  rule: { zh: "由规则设置。", en: "Set by a rule." },
  statistic: { zh: "由订单统计得出。", en: "Worked out from orders." },
  model: { zh: "由模型预测得出。", en: "Predicted by a model." },
};
/** Why somebody has a tag. `reason` is what was written down with it. */
export function whySentence(
  {
    tag,
    value,
    kind,
    reason,
  }: {
    tag: string;
    value: string | null;
    kind: TagKind;
    reason: Record<string, unknown>;
  },
  currency: string,
): Sentence {
  if (tag === "identifier_conflict" && value !== null) {
    const which = value.split(",").map((type) => named(contacts, type));
    return {
      zh: `${which.map(({ zh }) => zh).join("和")}已属于另一位会员，因此没有合并，也没有改动对方。`,
      en: `The ${which.map(({ en }) => en).join(" and the ")} already belongs to another member, so nobody was merged or changed.`,
    };
  }
  const words = (name: string) => (typeof reason[name] === "string" ? reason[name] : "");
  if (reason["expired"] === true)
    return { zh: "到期，自动去掉。", en: "Its time was over, so it went." };
  if (kind === "rule" && words("zh") !== "")
    return {
      zh: `因为在人群“${words("zh")}”里。`,
      en: `Because they are in the segment “${words("en")}”.`,
    };
  if (kind === "hand" && words("words") !== "")
    return {
      zh: `由同事手动设置：${words("words")}`,
      en: `Set by hand by a colleague: ${words("words")}`,
    };
  if (kind === "model" && words("model") !== "")
    return words("words") === ""
      ? { zh: `由模型 ${words("model")} 给出。`, en: `Said by the model ${words("model")}.` }
      : {
          zh: `由模型 ${words("model")} 给出：${words("words")}`,
          en: `Said by the model ${words("model")}: ${words("words")}`,
        };
  const parts = Object.entries(figures).flatMap(([name, say]) =>
    isFigure(reason[name]) ? [say(reason[name], currency)] : [],
  );
  if (parts.length === 0) return byKind[kind];
  const en = parts.map((part) => part.en).join(", ");
  return {
    zh: `${parts.map((part) => part.zh).join("，")}。`,
    en: `${en.charAt(0).toUpperCase()}${en.slice(1)}.`,
  };
}

/** A change of a tag: from what to what. */
export const changeSentence = (
  tag: string,
  before: string | null,
  after: string | null,
  /** What the shop calls the tag, where it has a name. */
  label: Sentence = tagName(tag),
): Sentence =>
  both((language) => {
    const [name, from, to] = [label, valueName(tag, before), valueName(tag, after)];
    if (before === null)
      return language === "zh"
        ? `${name.zh}：首次识别为${/^\w/.test(to.zh) ? " " : ""}${to.zh}`
        : `${name.en}: first seen as ${to.en}`;
    return language === "zh"
      ? `${name.zh}：${from.zh} → ${to.zh}`
      : `${name.en}: ${from.en} → ${to.en}`;
  });

const channels: Record<string, Sentence> = {
  inapp: { zh: "站内信", en: "In-app message" },
  email: { zh: "邮件", en: "E-mail" },
};
const states: Record<string, Sentence> = {
  waiting: { zh: "等免打扰时段结束", en: "waiting until quiet hours end" },
  ready: { zh: "待发送", en: "ready to go" },
  sending: { zh: "发送中", en: "on its way" },
  sent: { zh: "已送达", en: "delivered" },
  preview: { zh: "留在预览箱，没有寄出", en: "kept in the preview outbox" },
  failed: { zh: "发送失败", en: "could not be delivered" },
  suppressed: { zh: "没有发送", en: "not sent" },
};
const couponChanges: Record<string, Sentence> = {
  issued: { zh: "得到一张券", en: "Was given a coupon" },
  redeemed: { zh: "用掉一张券", en: "Used a coupon" },
  expired: { zh: "一张券过期未用", en: "A coupon expired unused" },
  revoked: { zh: "一张券被收回", en: "A coupon was taken back" },
};
const events: Record<string, Sentence> = {
  group: { zh: "加入公司", en: "Joined a company" },
  "Group Left": { zh: "离开公司", en: "Left a company" },
  page: { zh: "打开页面", en: "Opened a page" },
  screen: { zh: "打开应用页面", en: "Opened a screen of the app" },
  alias: { zh: "合并身份", en: "Found to be the same person" },
  bind: { zh: "绑定身份", en: "An identifier was bound" },
  unbind: { zh: "解除绑定", en: "An identifier was parted" },
  identify: { zh: "告诉了我们资料", en: "Told us who they are" },
};

/** One entry of a timeline. `data` is what its view gives for the kind. */
export function entrySentence(
  kind: string,
  data: Record<string, unknown>,
  labels: ReadonlyMap<string, { label: Sentence }> = new Map(),
): Sentence {
  const text = (name: string) => String(data[name] ?? "");
  const name = data["name"] as Sentence | string;
  switch (kind) {
    case "order":
    case "refund": {
      const amount = money(data["amountMinor"], text("currency"));
      return kind === "order"
        ? {
            zh: `下了订单 ${text("ref")}，${amount.zh}`,
            en: `Placed order ${text("ref")}, ${amount.en}`,
          }
        : {
            zh: `订单 ${text("ref")} 退款，${amount.zh}`,
            en: `Was refunded on ${text("ref")}, ${amount.en}`,
          };
    }
    case "tag":
      return changeSentence(
        text("tag"),
        (data["before"] as string | null) ?? null,
        (data["after"] as string | null) ?? null,
        labels.get(text("tag"))?.label,
      );
    case "segment":
      return data["change"] === "entered"
        ? { zh: `进入人群“${text("zh")}”`, en: `Entered the segment “${text("en")}”` }
        : { zh: `离开人群“${text("zh")}”`, en: `Left the segment “${text("en")}”` };
    case "programme": {
      const of = name as Sentence;
      return data["arm"] === "treated"
        ? {
            zh: `进入计划“${of.zh}”第 ${text("run")} 轮，分在实验组`,
            en: `Joined run ${text("run")} of “${of.en}”, in the arm that is reached`,
          }
        : {
            zh: `进入计划“${of.zh}”第 ${text("run")} 轮，分在对照组，不打扰`,
            en: `Joined run ${text("run")} of “${of.en}”, held out and left alone`,
          };
    }
    case "coupon": {
      const of = name as Sentence;
      const change = named(couponChanges, text("change"));
      const on = data["ref"] ? { zh: `，订单 ${text("ref")}`, en: `, order ${text("ref")}` } : null;
      return {
        zh: `${change.zh}（${of.zh}）${on?.zh ?? ""}`,
        en: `${change.en} (${of.en})${on?.en ?? ""}`,
      };
    }
    case "message": {
      const [by, state] = [named(channels, text("channel")), named(states, text("state"))];
      return { zh: `${by.zh}${state.zh}`, en: `${by.en}: ${state.en}` };
    }
    default: {
      const event = String(name);
      return Object.hasOwn(events, event)
        ? events[event]!
        : { zh: eventName(event)?.zh ?? `事件“${event}”`, en: `Event “${event}”` };
    }
  }
}

const refused = {
  blocked: {
    zh: "其中一个值不代表任何人（如 guest、unknown，或你设为无效的值），所以没有合并。",
    en: "One of the two is a value that stands for nobody, such as “guest”, so it joined no one.",
  },
  two_people: {
    zh: "两边都是有会员编号的会员，只凭这条记录不会把他们合并。",
    en: "Both are members with a number of their own, and this alone does not make them one.",
  },
  limit: {
    zh: "这位会员的这类标识已达上限，先到的保留。",
    en: "This member already has as many identifiers of that type as one may have; the earliest stay.",
  },
  parted: {
    zh: "之前已确认这两个标识不是同一个人。",
    en: "It was said before that these two are not the same person.",
  },
} as const;
/** Why two identifiers were not taken for one somebody. */
export const refusedSentence = (reason: keyof typeof refused): { zh: string; en: string } =>
  refused[reason];
