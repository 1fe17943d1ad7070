import { expect, test } from "vitest";
import type { Pick } from "../rules.ts";
import { reasonSentence } from "./sentence.ts";

const nameOf = (sku: string) => ({ "22423": "Cake stand" })[sku] ?? sku;
const again = (times: number): Pick => ({
  sku: "85123A",
  kind: "again",
  score: 0.4,
  reason: {
    times,
    lastDay: "2011-03-09",
    usualGapDays: 40,
    dueDay: "2011-04-18",
    earliestDay: "2011-03-20",
    latestDay: "2011-06-30",
  },
});
const alike: Pick = {
  sku: "22699",
  kind: "alike",
  score: 0.7,
  reason: { sku: "22423", both: 16, buyers: 40 },
};

test.each([
  [
    again(3),
    "en",
    "Bought 3 times, last on 9 March 2011; usually again after about 40 days, so next due around 18 April 2011.",
  ],
  [
    again(3),
    "zh",
    "买过 3 次，最近一次在2011年3月9日；通常隔 40 天左右再买，大约2011年4月18日该补了。",
  ],
  [
    again(1),
    "en",
    "Bought once, on 9 March 2011; people usually buy it again after about 40 days, so next due around 18 April 2011.",
  ],
  [again(1), "zh", "买过 1 次，在2011年3月9日；一般隔 40 天左右会再买，大约2011年4月18日该补了。"],
  [alike, "en", "16 of the 40 people who bought “Cake stand” bought this too."],
  [alike, "zh", "买过“Cake stand”的 40 人里，有 16 人也买了它。"],
] as const)("%o in %s", (pick, lang, sentence) => {
  expect(reasonSentence(pick, nameOf, lang)).toBe(sentence);
});
