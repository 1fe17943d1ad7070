import fc from "fast-check";
import { expect, test } from "vitest";
import { monthStart, nextMonth, triangle, walk, type Story } from "./rules.ts";

const zone = "Asia/Shanghai";
const now = new Date("2026-03-15T00:00:00Z");

test("months without anybody keep their place, and the month under way is marked", () => {
  const cells = [
    { cohort: "2025-12", month: "2025-12", people: 4 },
    { cohort: "2025-12", month: "2026-03", people: 1 },
    { cohort: "2026-02", month: "2026-02", people: 2 },
  ];
  const table = triangle(cells, now, zone);
  expect(table.map(({ month, people }) => [month, people])).toEqual([
    ["2025-12", 4],
    ["2026-01", 0],
    ["2026-02", 2],
    ["2026-03", 0],
  ]);
  expect(table[0]!.cells.map(({ people }) => people)).toEqual([4, 0, 0, 1]);
  expect(table[0]!.cells[3]).toMatchObject({ month: "2026-03", rateBp: 2500, complete: false });
  expect(table[0]!.cells[2]!.complete).toBe(true);
  expect(triangle([], now, zone)).toEqual([]);
});

test("a month begins where the one before it ends, where the shop is", () => {
  expect(monthStart("2026-03", zone)).toEqual(new Date("2026-02-28T16:00:00Z"));
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1990, max: 2090 }), (m, y) => {
      const month = `${y}-${String(m).padStart(2, "0")}`;
      const after = nextMonth(month);
      expect(after > month).toBe(true);
      const days = (monthStart(after, zone).getTime() - monthStart(month, zone).getTime()) / 864e5;
      expect(days).toBeGreaterThan(27.9);
      expect(days).toBeLessThan(31.1);
    }),
  );
});

const at = new Date("2026-01-01T00:00:00Z");
const story: Story = {
  event: { id: "e", name: "Page Viewed", at, order: null },
  tags: [
    { id: "t", tag: "lifecycle", before: "active", after: "dormant", at, silent: true },
    { id: "u", tag: "colour", before: null, after: "red", at, silent: false },
  ],
  entry: null,
  enrolment: null,
  coupon: null,
  messages: [],
  outcome: null,
  result: null,
  decision: null,
};

test("a walk names what time alone did, and stops where nothing more happened", () => {
  const steps = walk(story);
  expect(steps.map(({ id, from }) => [id, from])).toEqual([
    ["e", null],
    ["t", "e"],
    ["u", "e"],
  ]);
  expect(steps[1]!.sentence).toEqual({
    zh: "此后一直没有再买，生命周期随时间变化：活跃 → 沉睡",
    en: "No purchase since then, and time alone changed lifecycle: active → dormant",
  });
  expect(steps[2]!.sentence).toEqual({
    zh: "标签“colour”首次识别为 red",
    en: "Tag “colour” first seen as red",
  });
});

test("a tag that had no value before is first seen, and one that is taken away is gone", () => {
  const sentence = (before: string | null, after: string | null, silent: boolean) =>
    walk({ ...story, tags: [{ id: "t", tag: "lifecycle", before, after, at, silent }] })[1]!
      .sentence;
  expect(sentence(null, "dormant", true)).toEqual({
    zh: "此后一直没有再买，生命周期首次识别为沉睡",
    en: "No purchase since then: lifecycle first seen as dormant",
  });
  expect(sentence(null, "new", false)).toEqual({
    zh: "生命周期首次识别为新客",
    en: "Lifecycle first seen as new",
  });
  expect(sentence("dormant", null, false)).toEqual({
    zh: "生命周期变化：沉睡 → 无",
    en: "Changed lifecycle: dormant → none",
  });
});

test("amounts read as the shop's currency writes them", () => {
  const outcome = {
    id: "o",
    at,
    orders: 1,
    revenueMinor: 1250n,
    currency: "GBP",
    firstEventId: "e",
  };
  const [, , , last] = walk({ ...story, outcome });
  expect(last!.sentence.en).toBe("Came back: 1 order in the window, £12.50 after refunds");
  const yen = { ...outcome, currency: "JPY" };
  expect(walk({ ...story, outcome: yen })[3]!.sentence.en).toContain("1,250");
});
