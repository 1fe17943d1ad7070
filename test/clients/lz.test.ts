import fc from "fast-check";
import lz from "lz-string";
import { expect, test } from "vitest";
import { unpressed } from "../../src/doors/model/lz.ts";

test("LZ-String: whatever its own makers press is read as it was, and a bomb is stopped", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "grapheme", maxLength: 3000 }), fc.json()), (text) => {
      expect(unpressed(lz.compressToBase64(text), 10_000_000)).toEqual({ text });
    }),
  );
  for (const text of ["a", "abab", "x".repeat(100_000), JSON.stringify({ n: [1, 2, 3], 看: "了" })])
    expect(unpressed(lz.compressToBase64(text), 1_000_000)).toEqual({ text });
  const bomb = lz.compressToBase64("0".repeat(3_000_000));
  expect(bomb.length).toBeLessThan(10_000);
  expect(unpressed(bomb, 1_000_000)).toEqual({ why: "too_large" });
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom(..."ABCDabcd0189+/="), maxLength: 300 }),
      (text) => {
        expect(["text", "why"]).toContain(Object.keys(unpressed(text, 1000))[0]);
      },
    ),
  );
});
