// What happened, and filters of it, in the words of segments and of computed figures alike.
import { eventName } from "#plan/rules.ts";
import type { Comparison, Filter } from "./filter.ts";

type Sentence = { zh: string; en: string };

export const comparisons: Record<Comparison, Sentence> = {
  eq: { zh: "等于", en: "exactly" },
  ne: { zh: "不等于", en: "not" },
  lt: { zh: "小于", en: "less than" },
  le: { zh: "不超过", en: "at most" },
  gt: { zh: "大于", en: "more than" },
  ge: { zh: "不低于", en: "at least" },
};
const propertyLabels: Record<string, Sentence> = {
  price: { zh: "价格", en: "price" },
  quantity: { zh: "数量", en: "quantity" },
  category: { zh: "品类", en: "category" },
  brand: { zh: "品牌", en: "brand" },
  sku: { zh: "货号", en: "SKU" },
  revenue: { zh: "金额", en: "revenue" },
  total: { zh: "总额", en: "total" },
};
/** What a property is called; null where only its sender has a name for it. */
export const propertyName = (property: string): Sentence | null =>
  Object.hasOwn(propertyLabels, property) ? propertyLabels[property]! : null;
export const propertyLabel = (property: string): Sentence =>
  propertyName(property) ?? { zh: property, en: property };
const quoted = (value: string | number) => (typeof value === "string" ? `“${value}”` : `${value}`);
/** A filter as a few words in each language: 价格不低于 30, price at least 30. */
function filterWords(filter: Filter): Sentence {
  const name = propertyLabel(filter.property);
  switch (filter.is) {
    case "known":
      return { zh: `${name.zh}已知`, en: `${name.en} known` };
    case "in": {
      const values = filter.values.map(quoted);
      const blank = typeof filter.values[0] === "string" ? "" : " ";
      return {
        zh: `${name.zh}为${blank}${values.join(`${blank}或${blank}`)}`,
        en: `${name.en} ${values.join(" or ")}`,
      };
    }
    default: {
      const { value, is } = filter;
      if (typeof value === "boolean") {
        const yes = value === (is === "eq");
        return {
          zh: `${name.zh}为${yes ? "是" : "否"}`,
          en: `${name.en} is ${yes ? "true" : "false"}`,
        };
      }
      const blank = typeof value === "string" ? "" : " ";
      return {
        zh: `${name.zh}${comparisons[is].zh}${blank}${quoted(value)}`,
        en: `${name.en} ${comparisons[is].en} ${quoted(value)}`,
      };
    }
  }
}
/** Events of a name, with their filters: “浏览商品”（价格不低于 30）, “Product Viewed” (price at least 30). */
export function whatWords({
  event,
  where = [],
}: {
  event: string;
  where?: readonly Filter[] | undefined;
}): Sentence {
  const name = eventName(event)?.zh ?? event;
  if (where.length === 0) return { zh: `“${name}”`, en: `“${event}”` };
  const filters = where.map(filterWords);
  return {
    zh: `“${name}”（${filters.map(({ zh }) => zh).join("，")}）`,
    en: `“${event}” (${filters.map(({ en }) => en).join(", ")})`,
  };
}
