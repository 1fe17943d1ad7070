import fc from "fast-check";
import { expect, test } from "vitest";
import { addDays, dayOf, daysBetween, instantOf, machineNow, wait } from "./clock.ts";

/** What Intl's own parts say the wall shows: an answer that shares no code with ours. */
const wallFormats = new Map<string, Intl.DateTimeFormat>();
function wallOf(at: number, timeZone: string): string {
  const format =
    wallFormats.get(timeZone) ??
    new Intl.DateTimeFormat("en-US", {
      timeZone,
      hourCycle: "h23",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
    });
  wallFormats.set(timeZone, format);
  const parts = Object.fromEntries(
    format.formatToParts(at).map(({ type, value }) => [type, value]),
  );
  return `${parts["year"]}-${parts["month"]}-${parts["day"]}T${parts["hour"]}:${parts["minute"]}`;
}

// Shanghai had summer time until 1991, Lord Howe's is half an hour, Kathmandu moved by 15 minutes on 1 January 1986.
test.each([
  ["Europe/London", 2011],
  ["America/New_York", 2026],
  ["Asia/Shanghai", 1988],
  ["Australia/Lord_Howe", 2026],
  ["Asia/Kathmandu", 1985],
  ["Asia/Kathmandu", 1986],
])(
  "%s in %i: every half hour that the wall shows is read back, the first where it shows twice",
  (timeZone, year) => {
    const half = 1_800_000;
    const first = new Map<string, number>();
    const offsets = new Set<number>();
    for (let at = Date.UTC(year, 0, 2); at < Date.UTC(year, 11, 30); at += half) {
      const wall = wallOf(at, timeZone);
      offsets.add(Date.parse(`${wall}Z`) - at);
      if (!first.has(wall)) first.set(wall, at);
    }
    const wrong = [...first].filter(([wall, at]) => instantOf(wall, timeZone).getTime() !== at);
    expect(wrong).toEqual([]);
    expect(offsets.size).toBe(timeZone === "Asia/Kathmandu" ? 1 : 2);
  },
);

test.each([
  // The wall jumps from 01:00 to 02:00: 01:30 is read with the offset before, GMT.
  ["Europe/London", "2011-03-27T01:30", "2011-03-27T01:30:00.000Z"],
  ["Europe/London", "2011-03-27T00:59:59", "2011-03-27T00:59:59.000Z"],
  ["Europe/London", "2011-03-27 02:00", "2011-03-27T01:00:00.000Z"],
  // It falls back from 02:00 to 01:00: 01:30 comes twice, and the first is summer time.
  ["Europe/London", "2011-10-30T01:30", "2011-10-30T00:30:00.000Z"],
  ["Europe/London", "2011-10-30T02:00", "2011-10-30T02:00:00.000Z"],
  ["America/New_York", "2026-03-08T02:30", "2026-03-08T07:30:00.000Z"],
  ["America/New_York", "2026-11-01T01:30", "2026-11-01T05:30:00.000Z"],
  // Lord Howe jumps from 02:00 to 02:30: within one hour of the wall, one half is skipped and the other is not.
  ["Australia/Lord_Howe", "2026-10-04T02:10", "2026-10-03T15:40:00.000Z"],
  ["Australia/Lord_Howe", "2026-10-04T02:40", "2026-10-03T15:40:00.000Z"],
  ["Australia/Lord_Howe", "2026-04-05T01:40", "2026-04-04T14:40:00.000Z"],
  ["Australia/Lord_Howe", "2026-04-05T02:10", "2026-04-04T15:40:00.000Z"],
  // Kathmandu went from +05:30 to +05:45 at midnight.
  ["Asia/Kathmandu", "1986-01-01T00:10", "1985-12-31T18:40:00.000Z"],
  ["Asia/Kathmandu", "1986-01-01T00:20", "1985-12-31T18:35:00.000Z"],
  ["Asia/Shanghai", "2011-09-09T00:00", "2011-09-08T16:00:00.000Z"],
  // Samoa had no 30 December 2011 at all.
  ["Pacific/Apia", "2011-12-29T23:00", "2011-12-30T09:00:00.000Z"],
  ["Pacific/Apia", "2011-12-31T00:00", "2011-12-30T10:00:00.000Z"],
  ["UTC", "2024-02-29", "Invalid Date"],
  ["UTC", "2024-02-29T12", "2024-02-29T12:00:00.000Z"],
])("%s %s is %s", (timeZone, wall, instant) => {
  // Asked in both orders of the two halves of an hour, because answers are kept.
  const read = instantOf(wall, timeZone);
  expect(Number.isNaN(read.getTime()) ? "Invalid Date" : read.toISOString()).toBe(instant);
});

test("a day or a time that never was is no instant", () => {
  for (const wall of [
    "2011-02-30T00:00",
    "2011-04-31 10:00",
    "2011-13-01T00:00",
    "2011-01-01T25:00",
    "",
    "soon",
    "2011-1-1T00:00",
    "2011-01-01T10:5",
    "2011-01-01T10:00 or so",
    "0449-07-01T00:00",
    "0000-01-01T00:00",
  ])
    expect(instantOf(wall, "Europe/London").getTime()).toBeNaN();
});

test("an instant's wall, read back, is the instant or the same wall an hour before", () => {
  const zones = [
    "Europe/London",
    "America/New_York",
    "Asia/Shanghai",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "America/St_Johns",
  ];
  const minute = fc.integer({
    min: Date.UTC(1970, 0, 3) / 60_000,
    max: Date.UTC(2037, 0, 1) / 60_000,
  });
  fc.assert(
    fc.property(minute, fc.constantFrom(...zones), (n, zone) => {
      const read = instantOf(wallOf(n * 60_000, zone), zone).getTime();
      expect(wallOf(read, zone)).toBe(wallOf(n * 60_000, zone));
      expect(n * 60_000 - read).toBeGreaterThanOrEqual(0);
      expect(n * 60_000 - read).toBeLessThanOrEqual(3_600_000);
    }),
    { numRuns: 2_000 },
  );
});

test("days: where the shop is, and counted without regard to the length of one", () => {
  expect(dayOf(new Date("2011-09-08T23:30:00Z"), "Europe/London")).toBe("2011-09-09");
  expect(dayOf(new Date("2011-09-08T23:30:00Z"), "America/New_York")).toBe("2011-09-08");
  expect(addDays("2024-02-28", 2)).toBe("2024-03-01");
  expect(addDays("2011-03-26", 2)).toBe("2011-03-28");
  const day = fc.integer({ min: 0, max: 60_000 }).map((n) => addDays("1970-01-01", n));
  fc.assert(
    fc.property(day, fc.integer({ min: -20_000, max: 20_000 }), (from, n) => {
      expect(daysBetween(from, addDays(from, n))).toBe(n);
    }),
  );
});

test("a wait ends when it is told to, at once where it was told before", async () => {
  const ending = new AbortController();
  const started = machineNow().getTime();
  const waiting = wait(60_000, ending.signal);
  ending.abort();
  await waiting;
  await wait(60_000, ending.signal);
  await wait(5);
  expect(machineNow().getTime() - started).toBeLessThan(10_000);
});
