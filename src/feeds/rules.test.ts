import { expect, test } from "vitest";
import { askedPauseMs, limits, nextTryMs, waitsMs } from "./rules.ts";

const now = new Date("2026-11-26T12:00:00Z");
const day = 86_400_000;
test.each([
  ["120", 120_000],
  [" 5 ", 5000],
  ["0", null],
  ["", null],
  ["soon", null],
  ["-5", null],
  ["3.5", null],
  ["1e3", null],
  ["0x10", null],
  ["5, 10", null],
  // However much is said, it is a day.
  ["86401", day],
  ["99999999999", day],
  ["9".repeat(400), day],
  // The three forms of a date, and what is over already.
  ["Thu, 26 Nov 2026 12:02:00 GMT", 120_000],
  ["Thursday, 26-Nov-26 12:02:00 GMT", 120_000],
  ["Thu Nov 26 12:02:00 2026", 120_000],
  ["Thu, 26 Nov 2026 11:59:00 GMT", null],
  ["Fri, 31 Dec 9999 23:59:59 GMT", day],
  ["Thu, 99 Nov 2026 12:02:00 GMT", null],
  ["2026-11-26T12:02:00Z", null],
  ["12/31/2099", null],
])("Retry-After: %s", (header, ms) => expect(askedPauseMs(header, now)).toBe(ms));
test("no Retry-After asks for nothing", () => expect(askedPauseMs(undefined, now)).toBeNull());

test("ten tries over about three days, never sooner than was asked for", () => {
  let all = 0;
  for (let n = 1; n <= waitsMs.length; n++) {
    const wait = nextTryMs(n, 0, null)!;
    expect(nextTryMs(n, 1, null)).toBe(Math.round(wait * 1.2));
    expect(nextTryMs(n, 0.5, limits.restMs)).toBeGreaterThanOrEqual(limits.restMs);
    all += wait;
  }
  expect(all).toBeGreaterThan(3 * day);
  expect(nextTryMs(waitsMs.length + 1, 0, limits.restMs)).toBeNull();
});
