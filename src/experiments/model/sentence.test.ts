import { expect, test } from "vitest";
import { advise, report, type Measure } from "../rules.ts";
import { adviceSentence, resultSentence } from "./sentence.ts";

const measure = (treated: [number, number], control: [number, number]): Measure => {
  const of = ([returned, people]: [number, number]) => ({
    returned,
    spentMinor: Array.from({ length: people }, (_, i) => (i < returned ? 5000 + i : 0)),
  });
  return {
    treated: of(treated),
    control: of(control),
    treatedShareBp: 8000,
    currency: "GBP",
    seed: "s",
  };
};

test("an effect that cannot be claimed is not called none", () => {
  const result = report(measure([331, 812], [80, 203]));
  expect(resultSentence(result, "en")).toMatchInlineSnapshot(
    `"331 of the 812 people in the programme came back (40.8%), and 80 of the 203 held out (39.4%). That is a difference of +1.4 points, 95% interval −6.3 to +8.7. The interval includes zero, so no effect can be claimed; with this many people it takes about 10.8 points to see one."`,
  );
  expect(resultSentence(result, "zh")).toMatchInlineSnapshot(
    `"实验组 812 人中有 331 人回来（40.8%），对照组 203 人中有 80 人（39.4%）。实验组高 1.4 个百分点，95% 区间 −6.3 到 +8.7。区间含零，不能说有效；以这样的人数，要差到约 10.8 个百分点才看得出来。"`,
  );
  expect(adviceSentence(advise(result), "en")).toMatchInlineSnapshot(
    `"Run it again: a control group of 203 is too small to tell. To see 3.0 points takes 13,086 people at this split, or 8,432 split evenly."`,
  );
  expect(adviceSentence(advise(result), "zh")).toMatchInlineSnapshot(
    `"再做一次：对照组只有 203 人，还看不清。要看出 3.0 个百分点，按现在的比例要 13,086 人，对半分组要 8,432 人。"`,
  );
});

test("help, harm, a broken split and too few people each have their own ending", () => {
  const endings = [
    [report(measure([480, 800], [80, 200])), "it helped.", "可以说它有效。"],
    [report(measure([240, 800], [100, 200])), "because of it.", "让回来的人变少了。"],
    [report(measure([480, 800], [80, 400])), "cannot be used.", "这个结果不能用。"],
    [report(measure([10, 40], [3, 10])), "for this to count.", "这个结果不作数。"],
  ] as const;
  for (const [result, en, zh] of endings) {
    expect(resultSentence(result, "en").endsWith(en)).toBe(true);
    expect(resultSentence(result, "zh").endsWith(zh)).toBe(true);
  }
});

test("a bound that is nearly zero does not read as zero", () => {
  const result = report(measure([480, 800], [80, 200]));
  result.primary.intervalBp = [3, 950];
  expect(resultSentence(result, "en")).toContain("+0.03 to +9.5");
});
