import { expect, test } from "vitest";
import { cellSentence, changeSentence, outlookSentence, thresholdsSentence } from "./sentence.ts";

const why = {
  silentDays: 88,
  purchaseDays: 3,
  newForDays: 63,
  dormantAfterDays: 87,
  lostAfterDays: 184,
};
test.each([
  [
    "active",
    "dormant",
    why,
    false,
    "由活跃转为沉睡：已 88 天没有购买，超过了 87 天。",
    "Went from active to dormant: no purchase for 88 days, more than 87.",
  ],
  [
    "dormant",
    "active",
    { ...why, silentDays: 0, cameBackAfterDays: 93 },
    true,
    "由沉睡转为活跃：隔了 93 天又来下单。",
    "Went from dormant to active: ordered again after 93 days.",
  ],
  [
    "new",
    "active",
    { ...why, purchaseDays: 2 },
    true,
    "由新客转为活跃：下了订单，至今共在 2 天买过。",
    "Went from new to active: placed an order, with purchases on 2 days so far.",
  ],
  [
    "dormant",
    "active",
    { ...why, dormantAfterDays: 95 },
    false,
    "由沉睡转为活跃：分界重新学习过，现为 95 天，距上次购买 88 天。",
    "Went from dormant to active: the thresholds were learned anew, this one now at 95 days; last purchase 88 days ago.",
  ],
  [
    null,
    "new",
    { ...why, silentDays: 1, purchaseDays: 1 },
    false,
    "首次判定为新客：距上次购买 1 天，共在 1 天买过。",
    "First seen as new: last purchase 1 day ago, purchases on 1 day.",
  ],
] as const)("from %s to %s", (from, to, figures, byEvent, zh, en) => {
  expect(changeSentence(from, to, figures, byEvent)).toEqual({ zh, en });
});

const cell = { r: 1, f: 1, people: 1, orders: 1, amount: 1 };
test("a square of the matrix says its ranges, open ends and squares where nobody can stand", () => {
  const last = { least: 171, most: undefined };
  expect(
    cellSentence({ ...cell, recencyDays: last, orderCount: { least: undefined, most: 1 } }),
  ).toEqual({
    zh: "1 人：上次购买在 171 天前或更早，共下过 1 单。",
    en: "1 customer: last purchase 171 days ago or earlier, 1 order in all.",
  });
  const first = { least: undefined, most: 19 };
  expect(
    cellSentence({
      ...cell,
      people: 9,
      recencyDays: first,
      orderCount: { least: 6, most: undefined },
    }),
  ).toEqual({
    zh: "9 人：上次购买在 0 到 19 天前，共下过 6 单或更多。",
    en: "9 customers: last purchase 0 to 19 days ago, 6 or more orders in all.",
  });
  const none = cellSentence({
    ...cell,
    people: 0,
    recencyDays: first,
    orderCount: { least: 2, most: 1 },
  });
  expect(none.zh).toContain("没有人能落在这一格");
});

const curve = { back: [0, 0.5], watchedDays: 1, closed: 12, open: 7 };
test("where the past cannot tell yet, the sentence says so and invents no day", () => {
  const little = { from: "shop" as const, curve };
  expect(thresholdsSentence(little).zh).toContain("订单还太少");
  expect(thresholdsSentence({ ...little, dormantAfterDays: 40 }).en).toContain(
    "not watched for long enough",
  );
  const stages = { shop: little, byCategory: {} };
  const buying = { model: "none", why: "too_few", people: 3, repeats: 1 } as const;
  expect(outlookSentence({ asOf: "2011-09-09", buying, stages }).en).toBe(
    "With 3 customers and 1 repeat purchases there is too little to predict from.",
  );
});
