import fc from "fast-check";
import { expect, test } from "vitest";
import {
  consentAt,
  isMadeUp,
  isQuiet,
  judge,
  MONTH_MS,
  quietEnd,
  retryAfterMs,
  WEEK_MS,
  type ConsentLine,
  type Policy,
} from "./rules.ts";

const start = Date.parse("2026-03-01T00:00:00Z");
const instant = fc.integer({ min: 0, max: 60 * 24 * 60 }).map((m) => new Date(start + m * 60_000));
const line = fc.record<ConsentLine>({
  seq: fc.nat(1000),
  purpose: fc.constantFrom("marketing", "service"),
  channel: fc.constantFrom("inapp", "email"),
  granted: fc.boolean(),
  textVersion: fc.constant("1"),
  proof: fc.constant("test"),
  madeUp: fc.constant(false),
  at: instant,
});
const log = fc.uniqueArray(line, { selector: ({ seq }) => seq, maxLength: 12 });
const clock = fc
  .tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }))
  .map((hm) => hm.map((n) => String(n).padStart(2, "0")).join(":"));
const policy = fc.record<Policy>({
  week: fc.integer({ min: 0, max: 3 }),
  month: fc.integer({ min: 0, max: 5 }),
  quietFrom: clock,
  quietUntil: clock,
  timeZone: fc.constantFrom("Asia/Shanghai", "Europe/London", "America/New_York", "Asia/Kathmandu"),
});

test("nobody gets a message they did not agree to, nor more than their share of them, nor in the night", () => {
  fc.assert(
    fc.property(
      log,
      fc.array(instant, { maxLength: 8 }),
      policy,
      instant,
      (lines, released, limits, now) => {
        const asked = { purpose: "marketing", channels: ["inapp", "email"] } as const;
        const verdict = judge(asked, lines, released, limits, now);
        if (verdict.kind !== "release") return;
        for (const channel of verdict.channels) {
          const said = lines
            .filter((l) => l.purpose === "marketing" && l.channel === channel && l.at <= now)
            .toSorted((a, b) => b.at.getTime() - a.at.getTime() || b.seq - a.seq);
          expect(said[0]?.granted).toBe(true);
        }
        const within = (span: number) =>
          released.filter((at) => now.getTime() - at.getTime() < span);
        expect(within(WEEK_MS).length).toBeLessThan(limits.week);
        expect(within(MONTH_MS).length).toBeLessThan(limits.month);
        expect(isQuiet(now, limits)).toBe(false);
      },
    ),
    { numRuns: 1000 },
  );
});

test("agreed, with room and by day, a message goes at once; by night it waits for the first minute of the day", () => {
  const limits = {
    week: 1,
    month: 3,
    quietFrom: "21:00",
    quietUntil: "09:00",
    timeZone: "Europe/London",
  };
  const said = {
    seq: 1,
    purpose: "marketing",
    channel: "inapp",
    granted: true,
    textVersion: "1",
    proof: "t",
    madeUp: false,
    at: new Date(start),
  } as const;
  const asked = { purpose: "marketing", channels: ["inapp", "email"] } as const;
  const at = (text: string) => judge(asked, [said], [], limits, new Date(text));
  expect(at("2026-06-01T08:00:00Z")).toEqual({ kind: "release", channels: ["inapp"] });
  expect(at("2026-06-01T07:59:59Z")).toEqual({
    kind: "wait",
    until: new Date("2026-06-01T08:00:00Z"),
  });
  expect(at("2026-06-01T20:00:00Z")).toEqual({
    kind: "wait",
    until: new Date("2026-06-02T08:00:00Z"),
  });
  // The night in which summer time begins is an hour shorter.
  expect(at("2026-03-28T22:00:00Z")).toEqual({
    kind: "wait",
    until: new Date("2026-03-29T08:00:00Z"),
  });
  const before = [new Date("2026-05-30T12:00:00Z")];
  expect(judge(asked, [said], before, limits, new Date("2026-06-01T12:00:00Z"))).toEqual({
    kind: "suppress",
    reason: "cap_week",
  });
  expect(judge(asked, [], [], limits, new Date("2026-06-01T12:00:00Z"))).toEqual({
    kind: "suppress",
    reason: "no_consent",
  });
});

test("quiet hours end within a day, and what waits for their end waits no longer than it must", () => {
  fc.assert(
    fc.property(instant, policy, (now, limits) => {
      const end = quietEnd(now, limits);
      expect(isQuiet(end, limits)).toBe(false);
      expect(end.getTime() - now.getTime()).toBeLessThanOrEqual(25 * 3_600_000);
      for (let at = now.getTime(); at < end.getTime(); at += 600_000)
        expect(isQuiet(new Date(at), limits)).toBe(true);
    }),
  );
});

test("what was said last holds, also where it is told late", () => {
  const said = (seq: number, at: number, granted: boolean): ConsentLine => ({
    seq,
    granted,
    purpose: "marketing",
    channel: "email",
    textVersion: "1",
    proof: "t",
    madeUp: false,
    at: new Date(at),
  });
  const lines = [said(1, 20, false), said(2, 10, true), said(3, 30, true), said(4, 30, false)];
  const at = (now: number) => consentAt(lines, "marketing", "email", new Date(now))?.granted;
  expect([at(5), at(15), at(25), at(35)]).toEqual([undefined, true, false, false]);
});

test("a mail is tried for most of a day and then given up; a made-up address is known by its end", () => {
  const waits = Array.from({ length: 11 }, (_, i) => retryAfterMs(i));
  expect(waits.at(-1)).toBeNull();
  const hours = waits.reduce<number>((sum, ms) => sum + (ms ?? 0), 0) / 3_600_000;
  expect(hours).toBeGreaterThan(12);
  expect(hours).toBeLessThan(24);
  expect(["a@shop.invalid", "A@X.INVALID "].every(isMadeUp)).toBe(true);
  expect(["a@invalid.com", "a@shop.example"].some(isMadeUp)).toBe(false);
});
