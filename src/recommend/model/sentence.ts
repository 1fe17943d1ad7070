// Why this good: one sentence that the operator and the shopper can both be shown.
import type { Pick } from "../rules.ts";

export type Lang = "zh" | "en";

const locale = { zh: "zh-CN", en: "en-GB" } as const;
const date = (day: string, lang: Lang): string =>
  new Intl.DateTimeFormat(locale[lang], { dateStyle: "long", timeZone: "UTC" }).format(
    new Date(`${day}T00:00:00Z`),
  );
const days = (n: number): string => (n === 1 ? "a day" : `${n} days`);

/** `nameOf` gives a good's name as the reader knows it. */
export function reasonSentence(pick: Pick, nameOf: (sku: string) => string, lang: Lang): string {
  if (pick.kind === "alike") {
    const { sku, both, buyers } = pick.reason;
    return lang === "zh"
      ? `买过“${nameOf(sku)}”的 ${buyers} 人里，有 ${both} 人也买了它。`
      : `${both} of the ${buyers} people who bought “${nameOf(sku)}” bought this too.`;
  }
  const { times, lastDay, usualGapDays, dueDay } = pick.reason;
  const [last, due] = [date(lastDay, lang), date(dueDay, lang)];
  if (lang === "zh")
    return times === 1
      ? `买过 1 次，在${last}；一般隔 ${usualGapDays} 天左右会再买，大约${due}该补了。`
      : `买过 ${times} 次，最近一次在${last}；通常隔 ${usualGapDays} 天左右再买，大约${due}该补了。`;
  return times === 1
    ? `Bought once, on ${last}; people usually buy it again after about ${days(usualGapDays)}, so next due around ${due}.`
    : `Bought ${times} times, last on ${last}; usually again after about ${days(usualGapDays)}, so next due around ${due}.`;
}
