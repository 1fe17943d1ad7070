import fc from "fast-check";
import { expect, test } from "vitest";
import { readToken, tokenOf } from "./token.ts";

const key = Buffer.alloc(32, 1);
const leaving = fc.record({
  personId: fc.uuid(),
  purpose: fc.constantFrom("marketing" as const, "service" as const),
  channel: fc.constantFrom("inapp" as const, "email" as const),
});

test("a link says who leaves what, and no letter of it can be changed", () => {
  fc.assert(
    fc.property(leaving, fc.nat(), fc.constantFrom(..."ABCxyz019-_"), (said, at, letter) => {
      const token = tokenOf(key, said);
      expect(readToken(key, token)).toEqual(said);
      const i = at % token.length;
      const changed = token.slice(0, i) + letter + token.slice(i + 1);
      if (changed !== token) expect(readToken(key, changed)).toBeNull();
      expect(readToken(Buffer.alloc(32, 2), token)).toBeNull();
    }),
  );
  expect(readToken(key, "")).toBeNull();
});
