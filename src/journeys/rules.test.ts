import fc from "fast-check";
import { expect, test } from "vitest";
import { dayOf } from "#kernel/clock.ts";
import { runToStart, windowEnd } from "./rules.ts";

test("a window of whole days ends at the same time of day, whatever daylight saving does between", () => {
  const midnight = new Date("2011-09-08T23:00:00Z"); // summer time in London
  expect(windowEnd(midnight, 92, "Europe/London")).toEqual(new Date("2011-12-10T00:00:00Z"));
  const noon = new Date("2011-09-09T11:00:00Z");
  expect(windowEnd(noon, 92, "Europe/London")).toEqual(new Date("2011-12-10T12:00:00Z"));
  fc.assert(
    fc.property(
      fc.date({ min: new Date("2001-01-01"), max: new Date("2030-01-01"), noInvalidDate: true }),
      fc.integer({ min: 1, max: 730 }),
      (from, days) => {
        const end = windowEnd(from, days, "Asia/Shanghai");
        expect(end.getTime() - from.getTime()).toBe(days * 86_400_000);
        expect(dayOf(end, "Asia/Shanghai") > dayOf(from, "Asia/Shanghai")).toBe(true);
      },
    ),
  );
});

test("a start means the run under way, or the next; it never leaves one out", () => {
  expect(runToStart(null, undefined)).toEqual({ number: 1, fresh: true });
  expect(runToStart(null, 2)).toBeNull();
  const running = { number: 1, state: "running" } as const;
  expect(runToStart(running, undefined)).toEqual({ number: 1, fresh: false });
  expect(runToStart(running, 2)).toBeNull(); // not before the first is over
  const over = { number: 2, state: "measured" } as const;
  expect(runToStart(over, undefined)).toEqual({ number: 3, fresh: true });
  expect(runToStart(over, 1)).toEqual({ number: 1, fresh: false });
});
