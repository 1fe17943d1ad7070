import { expect, test } from "vitest";
import { newIdFrom, nobody } from "./ids.ts";

const form = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

test("the example of RFC 9562, appendix A.6: its time and its version stand where they should", () => {
  const newId = newIdFrom(
    () => new Date(0x017f22e279b0),
    (size) => Buffer.alloc(size, 0xff),
  );
  expect(newId()).toBe("017f22e2-79b0-77ff-bfff-ffffffffffff");
});

test("ids of one maker are in the order of their making, within a millisecond and when the clock goes back", () => {
  let at = 1_700_000_000_000;
  const newId = newIdFrom(() => new Date(at));
  const made: string[] = [];
  for (let i = 0; i < 20_000; i++) {
    if (i % 7_000 === 6_999) at += 1;
    if (i === 15_000) at -= 60_000;
    made.push(newId());
  }
  expect(made.every((id) => form.test(id))).toBe(true);
  expect(new Set(made).size).toBe(made.length);
  expect(made).toEqual(made.toSorted());
});

test("the time can be read back, and nobody is no id that is ever made", () => {
  const newId = newIdFrom(() => new Date("2026-03-01T04:00:00.123Z"));
  const read = Number.parseInt(newId().replaceAll("-", "").slice(0, 12), 16);
  expect(new Date(read).toISOString()).toBe("2026-03-01T04:00:00.123Z");
  expect(form.test(nobody)).toBe(false);
});
