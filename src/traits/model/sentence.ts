// A trait read back as one sentence in each language: what the figure is, of which events, since when.
import type { Comparison, Filter, Fn, Sentence, Trait } from "../rules.ts";

const signs: Record<Comparison, string> = {
  eq: "=",
  ne: "≠",
  lt: "<",
  le: "≤",
  gt: ">",
  ge: "≥",
};
const quoted = (value: unknown, language: keyof Sentence): string =>
  typeof value === "string"
    ? language === "zh"
      ? `“${value}”`
      : `“${value}”`
    : typeof value === "boolean"
      ? language === "zh"
        ? value
          ? "是"
          : "否"
        : value
          ? "yes"
          : "no"
      : String(value);
const filterOf = (filter: Filter, language: keyof Sentence): string => {
  const { property } = filter;
  if (filter.is === "exists") return language === "zh" ? `有 ${property}` : `with ${property}`;
  if (filter.is === "in") {
    const values = filter.values.map((value) => quoted(value, language));
    return language === "zh"
      ? `${property} 是 ${values.join("、")} 之一`
      : `${property} one of ${values.join(", ")}`;
  }
  return `${property} ${signs[filter.is]} ${quoted(filter.value, language)}`;
};

/** "最近 30 天", "the last 30 days"; whole days are said as days. */
export function windowOf(hours: number | null): Sentence {
  if (hours === null) return { zh: "有记录以来", en: "since the beginning" };
  if (hours % 24 === 0) {
    const days = hours / 24;
    return {
      zh: `最近 ${days} 天`,
      en: days === 1 ? "in the last 24 hours" : `in the last ${days} days`,
    };
  }
  return {
    zh: `最近 ${hours} 小时`,
    en: hours === 1 ? "in the last hour" : `in the last ${hours} hours`,
  };
}

const what: Record<Fn, (event: string, property: string) => Sentence> = {
  count: (event) => ({ zh: `“${event}”的次数`, en: `How often “${event}” happened` }),
  sum: (event, property) => ({
    zh: `“${event}”的 ${property} 合计`,
    en: `The sum of ${property} over “${event}”`,
  }),
  average: (event, property) => ({
    zh: `“${event}”的 ${property} 平均值`,
    en: `The average of ${property} over “${event}”`,
  }),
  min: (event, property) => ({
    zh: `“${event}”的 ${property} 最小值`,
    en: `The least ${property} of “${event}”`,
  }),
  max: (event, property) => ({
    zh: `“${event}”的 ${property} 最大值`,
    en: `The greatest ${property} of “${event}”`,
  }),
  first: (event, property) => ({
    zh: `第一次“${event}”的 ${property}`,
    en: `The ${property} of the first “${event}”`,
  }),
  last: (event, property) => ({
    zh: `最后一次“${event}”的 ${property}`,
    en: `The ${property} of the latest “${event}”`,
  }),
  most_frequent: (event, property) => ({
    zh: `“${event}”里出现最多的 ${property}`,
    en: `The most frequent ${property} of “${event}”`,
  }),
  distinct: (event, property) => ({
    zh: `“${event}”里出现过的各个 ${property}，最近的在前`,
    en: `Every ${property} seen in “${event}”, the latest first`,
  }),
  days_since: (event) => ({
    zh: `距最后一次“${event}”的天数`,
    en: `Days since the latest “${event}”`,
  }),
};

export function sentenceOf({ fn, event, property = "", where = [], hours }: Trait): Sentence {
  const of = what[fn](event, property);
  const window = windowOf(hours);
  const only = (language: keyof Sentence) => where.map((one) => filterOf(one, language));
  return {
    zh: `${window.zh}${of.zh}${where.length > 0 ? `，只算${only("zh").join("且 ")}的` : ""}。`,
    en: `${of.en} ${window.en}${where.length > 0 ? `, counting only ${only("en").join(" and ")}` : ""}.`,
  };
}
