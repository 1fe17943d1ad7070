// A trait read back as one sentence in each language: what the figure is, of which events, since when.
import { propertyLabel, whatWords } from "#segments/rules.ts";
import type { Fn, Sentence, Trait } from "../rules.ts";

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

const what: Record<Fn, (of: Sentence, property: Sentence) => Sentence> = {
  count: (of) => ({ zh: `${of.zh}的次数`, en: `How often ${of.en} happened` }),
  sum: (of, property) => ({
    zh: `${of.zh}的${property.zh}合计`,
    en: `The sum of ${property.en} over ${of.en}`,
  }),
  average: (of, property) => ({
    zh: `${of.zh}的${property.zh}平均值`,
    en: `The average of ${property.en} over ${of.en}`,
  }),
  min: (of, property) => ({
    zh: `${of.zh}的${property.zh}最小值`,
    en: `The least ${property.en} of ${of.en}`,
  }),
  max: (of, property) => ({
    zh: `${of.zh}的${property.zh}最大值`,
    en: `The greatest ${property.en} of ${of.en}`,
  }),
  first: (of, property) => ({
    zh: `第一次${of.zh}的${property.zh}`,
    en: `The ${property.en} of the first ${of.en}`,
  }),
  last: (of, property) => ({
    zh: `最后一次${of.zh}的${property.zh}`,
    en: `The ${property.en} of the latest ${of.en}`,
  }),
  most_frequent: (of, property) => ({
    zh: `${of.zh}里出现最多的${property.zh}`,
    en: `The most frequent ${property.en} of ${of.en}`,
  }),
  distinct: (of, property) => ({
    zh: `${of.zh}里出现过的各个${property.zh}，最近的在前`,
    en: `Every ${property.en} seen in ${of.en}, the latest first`,
  }),
  days_since: (of) => ({
    zh: `距最后一次${of.zh}的天数`,
    en: `Days since the latest ${of.en}`,
  }),
};

/** Between Chinese and Latin letters there is a blank. */
const spaced = (zh: string): string =>
  zh
    .replaceAll(/(?<=[\p{sc=Han}])(?=[A-Za-z0-9$_])/gu, " ")
    .replaceAll(/(?<=[A-Za-z0-9_])(?=[\p{sc=Han}])/gu, " ");
export function sentenceOf({ fn, property = "", hours, ...events }: Trait): Sentence {
  const of = what[fn](whatWords(events), propertyLabel(property));
  // Days go back as far as it takes; the window only says from when on nothing is said.
  if (fn === "days_since" && hours === null) return { zh: `${spaced(of.zh)}。`, en: `${of.en}.` };
  const window = windowOf(hours);
  if (fn === "days_since")
    return {
      zh: `${spaced(`${window.zh}内${of.zh}`)}。`,
      en: `${of.en}, as long as it was ${window.en}.`,
    };
  return { zh: `${spaced(`${window.zh}${of.zh}`)}。`, en: `${of.en} ${window.en}.` };
}
