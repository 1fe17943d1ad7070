// A rule as one sentence a language, each as a writer of it would put it.
import { dayOf, instantOf } from "#kernel/clock.ts";
import { minorDigits } from "#kernel/money.ts";
import type { IdentifierType } from "#people/rules.ts";
import { segmentNames, stageNames } from "#predict/rules.ts";
import type { Comparison, Level, Rule, Sentence, Window, Words } from "../rules.ts";
import { comparisons, whatWords } from "./words.ts";

/** The rule as one sentence in each language. */
export function sentenceOf(rule: Rule, words: Words, level: Level = "person"): Sentence {
  const person = level === "person";
  if (rule.kind === "everybody")
    return person
      ? { zh: "所有人。", en: "Everybody." }
      : { zh: "所有公司。", en: "Every company." };
  const { zh, en } = read(rule, words, false, level);
  // Between figures or Latin letters and Chinese ones there is a blank.
  return {
    zh: `${zh}${/\w$/.test(zh) ? " " : ""}的${person ? "人" : "公司"}。`,
    en: `${person ? "People" : "Companies"} ${en}.`,
  };
}

/** `level`: whom this part of the rule asks about; only what people have is called as the shop calls it. */
function read(rule: Rule, words: Words, nested: boolean, level: Level): Sentence {
  const attribute = (name: string): Sentence => {
    const label = own(words, level)?.attributes.get(name)?.label;
    return label ? { zh: `“${label.zh}”`, en: `“${label.en}”` } : attributeLabel(name);
  };
  switch (rule.kind) {
    case "everybody":
      return { zh: "任意", en: "whoever they are" };
    case "and":
    case "or": {
      const parts = rule.of.map((one) => read(one, words, rule.of.length > 1, level));
      if (parts.length === 1) return parts[0]!;
      const [zh, en] = rule.kind === "and" ? ["，并且", " and "] : ["，或者", " or "];
      const all = { zh: parts.map((p) => p.zh).join(zh), en: parts.map((p) => p.en).join(en) };
      return nested ? { zh: `（${all.zh}）`, en: `(${all.en})` } : all;
    }
    case "not": {
      const { zh, en } = read(rule.of, words, true, level);
      return { zh: `并非${zh}`, en: `other than those ${en}` };
    }
    case "tag": {
      const name = own(words, level)?.tags.get(rule.tag) ?? { zh: rule.tag, en: rule.tag };
      const label = tagLabels[rule.tag] ?? { zh: `标签“${name.zh}”`, en: `tag “${name.en}”` };
      const values = rule.in.map(
        (value) => valueLabels[rule.tag]?.[value] ?? { zh: value, en: value },
      );
      return {
        zh: `${label.zh}为${values.map(({ zh }) => `“${zh}”`).join("或")}`,
        en: `whose ${label.en} is ${values.map(({ en }) => `“${en}”`).join(" or ")}`,
      };
    }
    case "known": {
      const { zh, en } = attribute(rule.attribute);
      return { zh: `${zh}已知`, en: `whose ${en} is known` };
    }
    case "number": {
      const { zh, en } = attribute(rule.attribute);
      const unit = own(words, level)?.attributes.get(rule.attribute)?.unit;
      const value = `${figure(rule.attribute, rule.value, words.currency)}${unit ? ` ${unit}` : ""}`;
      return {
        zh: `${zh}${comparisons[rule.is].zh} ${value}`,
        en: `whose ${en} is ${comparisons[rule.is].en} ${value}`,
      };
    }
    case "text": {
      const { zh, en } = attribute(rule.attribute);
      const names = own(words, level)?.attributes.get(rule.attribute)?.values;
      const values = rule.in.map((value) => names?.get(value) ?? { zh: value, en: value });
      return {
        zh: `${zh}为${values.map((one) => `“${one.zh}”`).join("或")}`,
        en: `whose ${en} is ${values.map((one) => `“${one.en}”`).join(" or ")}`,
      };
    }
    case "instant": {
      const { zh, en } = attribute(rule.attribute);
      const at = wall(rule.at, words.timeZone);
      return rule.is === "before"
        ? { zh: `${zh}早于 ${at}`, en: `whose ${en} is before ${at}` }
        : { zh: `${zh}不早于 ${at}`, en: `whose ${en} is ${at} or later` };
    }
    case "days_since": {
      const { zh, en } = attribute(rule.attribute);
      const n = `${rule.days} ${rule.days === 1 ? "day" : "days"}`;
      const [first, last] = {
        ge: ["至少", `at least ${n}`],
        gt: ["超过", `more than ${n}`],
        lt: ["不到", `less than ${n}`],
        le: ["不超过", `at most ${n}`],
      }[rule.is];
      return { zh: `${zh}距今${first} ${rule.days} 天`, en: `whose ${en} was ${last} ago` };
    }
    case "segment": {
      const { zh, en } = segmentName(rule.segment, words);
      return { zh: `在人群${zh}中`, en: `in the segment ${en}` };
    }
    case "union":
    case "intersect": {
      const names = rule.segments.map((id) => segmentName(id, words));
      const [zh, en] = [names.map((n) => n.zh).join("、"), names.map((n) => n.en).join(", ")];
      if (names.length === 1) return { zh: `在人群${zh}中`, en: `in the segment ${en}` };
      return rule.kind === "union"
        ? { zh: `至少在人群${zh}之一中`, en: `in at least one of the segments ${en}` }
        : { zh: `同时在人群${zh}中`, en: `in all of the segments ${en}` };
    }
    case "except": {
      const from = segmentName(rule.segment, words);
      const names = rule.without.map((id) => segmentName(id, words));
      return {
        zh: `在人群${from.zh}中但不在人群${names.map((n) => n.zh).join("、")}中`,
        en: `in the segment ${from.en} but not in ${names.map((n) => n.en).join(" or ")}`,
      };
    }
    case "events": {
      const window = windowOf(rule.window, words);
      const what = whatWords(rule);
      const times = timesOf[rule.is];
      return {
        zh: `${window.zh}${what.zh}${times.zh} ${rule.count} 次`,
        en: `with ${times.en} ${rule.count} ${what.en} ${window.en}`,
      };
    }
    case "absent": {
      const window = windowOf(rule.window, words);
      const what = whatWords(rule);
      const ever = rule.window.kind === "ever" ? "从未" : `${window.zh}没有`;
      return { zh: `${ever}${what.zh}`, en: `with no ${what.en} ${window.en}` };
    }
    case "first": {
      const window = windowOf(rule.window, words);
      const what = whatWords(rule);
      return rule.window.kind === "ever"
        ? { zh: `有过${what.zh}`, en: `who ever had ${what.en}` }
        : { zh: `首次${what.zh}是在${window.zh}`, en: `whose first ${what.en} was ${window.en}` };
    }
    case "sequence": {
      const window = windowOf(rule.window, words);
      const steps = rule.steps.map(whatWords);
      const n = rule.withinHours;
      const within =
        steps.length === 1
          ? { zh: "", en: "" }
          : { zh: `，首尾相隔不超过 ${n} 小时`, en: ` within ${n} ${n === 1 ? "hour" : "hours"}` };
      return {
        zh: `${window.zh}先${steps.map(({ zh }) => zh).join("，再")}${within.zh}`,
        en: `with ${steps.map(({ en }) => en).join(", then ")}${within.en}, ${window.en}`,
      };
    }
    case "identifier": {
      const { zh, en } = identifierNames[rule.type];
      const n = rule.blinds.length;
      const blank = /\w$/.test(zh) ? " " : "";
      return n === 1
        ? { zh: `${zh}${blank}是指定的那一个`, en: `whose ${en} is the one given` }
        : { zh: `${zh}${blank}是指定的 ${n} 个之一`, en: `whose ${en} is one of the ${n} given` };
    }
    case "sample": {
      const percent = Number((rule.basisPoints / 100).toFixed(2));
      return {
        zh: `属于随机抽取的 ${percent}%（种子“${rule.seed}”）`,
        en: `in a random ${percent}% (seed “${rule.seed}”)`,
      };
    }
    case "company": {
      const role = rolesOf(rule.roles, words);
      const any = rule.fits.kind === "everybody";
      const { zh, en } = read(rule.fits, words, true, "company");
      return {
        zh: `${role ? `担任${role.zh}的公司` : "所属公司"}${any ? "至少有一家" : zh}`,
        en: `who ${role ? `are ${role.en} at` : "belong to"} a company${any ? "" : ` ${en}`}`,
      };
    }
    case "staff": {
      const role = rolesOf(rule.roles, words);
      const any = rule.fits.kind === "everybody";
      const { zh, en } = read(rule.fits, words, true, "person");
      const who = {
        zh: role ? `角色为${role.zh}的成员` : "成员",
        en: role ? ` in the role ${role.en}` : "",
      };
      if (rule.are === "every" && any)
        return { zh: `至少有一位${who.zh}`, en: `with at least one member${who.en}` };
      if (rule.are === "every")
        return {
          zh: `每位${who.zh}都${zh}`,
          en: `in which every member${who.en} is one ${en}`,
        };
      const times = timesOf[rule.are];
      const n = rule.count === 1 ? "member" : "members";
      return {
        zh: `${any ? "" : `${zh}的`}${who.zh}${times.zh} ${rule.count} 位`,
        en: `with ${times.en} ${rule.count} ${n}${who.en}${any ? "" : ` ${en}`}`,
      };
    }
  }
}
const own = ({ named }: Words, level: Level) => (level === "person" ? named : undefined);
const rolesOf = (roles: readonly string[], words: Words): Sentence | null => {
  if (roles.length === 0) return null;
  const names = roles.map((code) => words.roles?.get(code) ?? { zh: code, en: code });
  return {
    zh: names.map(({ zh }) => `“${zh}”`).join("或"),
    en: names.map(({ en }) => `“${en}”`).join(" or "),
  };
};
const identifierNames: Record<IdentifierType, Sentence> = {
  email: { zh: "邮箱", en: "e-mail" },
  phone: { zh: "手机号", en: "phone number" },
  user_id: { zh: "用户编号", en: "user id" },
  anonymous_id: { zh: "匿名编号", en: "anonymous id" },
  device: { zh: "设备编号", en: "device id" },
  openid: { zh: "OpenID", en: "OpenID" },
  unionid: { zh: "UnionID", en: "UnionID" },
  external: { zh: "外部编号", en: "external id" },
};

const segmentName = (id: string, { segments }: Words): Sentence => {
  const { zh, en } = segments.get(id) ?? { zh: id, en: id };
  return { zh: `“${zh}”`, en: `“${en}”` };
};
const timesOf: Record<Comparison, Sentence> = {
  eq: { zh: "恰好", en: "exactly" },
  ne: { zh: "不是", en: "other than" },
  lt: { zh: "少于", en: "fewer than" },
  le: { zh: "至多", en: "at most" },
  gt: { zh: "多于", en: "more than" },
  ge: { zh: "至少", en: "at least" },
};
function windowOf(window: Window, { timeZone }: Words): Sentence {
  switch (window.kind) {
    case "hours":
      return window.hours === 1
        ? { zh: "最近 1 小时内", en: "in the last hour" }
        : { zh: `最近 ${window.hours} 小时内`, en: `in the last ${window.hours} hours` };
    case "days":
      return window.days === 1
        ? { zh: "今天", en: "today" }
        : { zh: `最近 ${window.days} 天内`, en: `in the last ${window.days} days` };
    case "since": {
      const at = wall(window.at, timeZone);
      return { zh: `自 ${at} 以来`, en: `since ${at}` };
    }
    case "between": {
      const [from, until] = [wall(window.from, timeZone), wall(window.until, timeZone)];
      return { zh: `${from} 至 ${until} 之间`, en: `between ${from} and ${until}` };
    }
    case "ever":
      return { zh: "至今", en: "at any time" };
  }
}
const tagLabels: Record<string, Sentence> = {
  lifecycle: { zh: "生命周期阶段", en: "lifecycle stage" },
  rfm: { zh: "RFM 得分", en: "RFM score" },
  rfm_segment: { zh: "RFM 分组", en: "RFM group" },
  price_sensitivity: { zh: "价格敏感度", en: "price sensitivity" },
  brand_loyalty: { zh: "品牌忠诚度", en: "brand loyalty" },
  share_willingness: { zh: "分享意愿", en: "willingness to share" },
  identifier_conflict: { zh: "联系方式冲突", en: "contact conflict" },
  influence: { zh: "关注者档", en: "band of followers" },
  inviter: { zh: "成功邀请档", en: "band of friends who joined" },
  company_orders: { zh: "公司订单档", en: "company’s order band" },
};
const levelNames: Record<string, Sentence> = {
  high: { zh: "高", en: "high" },
  medium: { zh: "中", en: "medium" },
  low: { zh: "低", en: "low" },
};
const valueLabels: Record<string, Record<string, Sentence>> = {
  lifecycle: stageNames,
  rfm_segment: segmentNames,
  price_sensitivity: levelNames,
  brand_loyalty: levelNames,
  share_willingness: levelNames,
};
/** What one of our own tags is called, and a value of it; null where only the shop has a name for it. */
export const tagName = (tag: string): Sentence | null => tagLabels[tag] ?? null;
export const tagValueName = (tag: string, value: string): Sentence | null =>
  valueLabels[tag]?.[value] ?? null;
const attributeLabels: Record<string, Sentence> = {
  orders: { zh: "订单数", en: "number of orders" },
  refunds: { zh: "退款单数", en: "number of refunds" },
  items: { zh: "购买件数", en: "number of items bought" },
  purchase_days: { zh: "购买过的天数", en: "number of days with a purchase" },
  spent_minor: { zh: "累计消费", en: "total spend" },
  refunded_minor: { zh: "累计退款", en: "total refund" },
  spend_score: { zh: "消费分（1 至 5）", en: "spend score (1 to 5)" },
  first_order_at: { zh: "首次下单", en: "first order" },
  last_order_at: { zh: "最近一次下单", en: "last order" },
  order_chance_90d: { zh: "90 天内下单的概率", en: "chance of an order within 90 days" },
  expected_orders_90d: { zh: "90 天内的预期订单数", en: "expected number of orders in 90 days" },
  p_alive: { zh: "仍是客人的概率", en: "chance of still being a customer" },
  city: { zh: "城市", en: "city" },
  gender: { zh: "性别", en: "gender" },
  age_band: { zh: "年龄段", en: "age band" },
  birth_month: { zh: "生日月份", en: "month of birth" },
  birth_day: { zh: "生日日期", en: "day of birth" },
  top_category: { zh: "最偏好的品类", en: "favourite category" },
  country: { zh: "国家或地区", en: "country or region" },
  currency: { zh: "币种", en: "currency" },
  language: { zh: "语言", en: "language" },
  members: { zh: "成员数", en: "number of members" },
  industry: { zh: "行业", en: "industry" },
  size_band: { zh: "员工规模", en: "size band" },
};
const attributeLabel = (name: string): Sentence =>
  attributeLabels[name] ?? { zh: `属性“${name}”`, en: `attribute “${name}”` };

/** Amounts in the shop's currency, chances as percent, anything else as it stands. */
function figure(attribute: string, value: number, currency: string): string {
  if (attribute.endsWith("_minor")) {
    const digits = minorDigits(currency);
    return `${(value / 10 ** digits).toFixed(digits)} ${currency}`;
  }
  if (attribute === "order_chance_90d" || attribute === "p_alive")
    return `${Number((value * 100).toFixed(2))}%`;
  return String(value);
}
/** An instant as the shop's wall shows it: the day, and the time where it is not midnight. */
function wall(at: string, timeZone: string): string {
  const instant = new Date(at);
  const day = dayOf(instant, timeZone);
  const minutes = Math.floor(
    (instant.getTime() - instantOf(`${day}T00:00`, timeZone).getTime()) / 60_000,
  );
  if (minutes === 0) return day;
  const time = new Intl.DateTimeFormat("sv-SE", { timeZone, hour: "2-digit", minute: "2-digit" });
  return `${day} ${time.format(instant)}`;
}
