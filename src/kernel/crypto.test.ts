import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { bucketOfText, keysFrom, newDataKey, newSecret, open, sameBytes, seal } from "./crypto.ts";

type Vector = { tcId: number; comment: string; result: "valid" | "invalid" } & Record<
  "key" | "iv" | "aad" | "msg" | "ct" | "tag",
  string
>;
const { testGroups } = JSON.parse(
  readFileSync("test/data/wycheproof/aes_gcm_256.json", "utf8"),
) as { testGroups: { tests: Vector[] }[] };
const vectors = testGroups.flatMap(({ tests }) => tests);

test("what others sealed right is opened, what was tampered with is not (Wycheproof, AES-256-GCM)", () => {
  expect(vectors.length).toBeGreaterThan(50);
  const seen = { valid: 0, invalid: 0 };
  for (const { tcId, key, iv, aad, msg, ct, tag, result } of vectors) {
    seen[result]++;
    const attempt = () =>
      open(Buffer.from(key, "hex"), Buffer.from(iv + ct + tag, "hex"), Buffer.from(aad, "hex"));
    if (result === "valid") expect({ tcId, msg: attempt().toString("hex") }).toEqual({ tcId, msg });
    else expect(attempt, `${tcId}`).toThrow();
  }
  expect(seen.valid).toBeGreaterThan(20);
  expect(seen.invalid).toBeGreaterThan(20);
});

test("whatever was sealed opens again, in its own place, with its own key, and nowhere else", () => {
  const text = fc.string({ unit: "binary", maxLength: 200 });
  fc.assert(
    fc.property(text, text, text, fc.nat(), (plain, about, other, at) => {
      const key = newDataKey();
      const sealed = seal(key, plain, about);
      expect(sealed).toHaveLength(Buffer.byteLength(plain) + 28);
      expect(open(key, sealed, about).toString()).toBe(Buffer.from(plain).toString());
      expect(() => open(newDataKey(), sealed, about)).toThrow();
      if (!Buffer.from(other).equals(Buffer.from(about)))
        expect(() => open(key, sealed, other)).toThrow();
      const bent = Buffer.from(sealed);
      bent[at % bent.length]! ^= 1 << (at % 8);
      expect(() => open(key, bent, about)).toThrow();
      // A shorter tag would be a weaker one.
      for (const length of [0, 11, 12, 27, sealed.length - 1])
        expect(() => open(key, sealed.subarray(0, length), about)).toThrow();
    }),
    { numRuns: 300 },
  );
});

test("no nonce comes twice in a hundred thousand", () => {
  const key = newDataKey();
  const nonces = new Set<string>();
  for (let i = 0; i < 100_000; i++)
    nonces.add(seal(key, "x", "t|c|n").subarray(0, 12).toString("latin1"));
  expect(nonces.size).toBe(100_000);
});

test("keys of one master key are one a purpose, and those of another are all different", () => {
  const master = randomBytes(32);
  const keys = keysFrom(master);
  const same = keysFrom(Buffer.from(master));
  const other = keysFrom(randomBytes(32));
  const wrapped = keys.wrap(newDataKey(), "privacy_node_key|wrapped|1");
  expect(same.unwrap(wrapped, "privacy_node_key|wrapped|1")).toHaveLength(32);
  // A wrapped key that is moved to another node's row opens nothing there.
  expect(() => keys.unwrap(wrapped, "privacy_node_key|wrapped|2")).toThrow();
  expect(() => other.unwrap(wrapped, "privacy_node_key|wrapped|1")).toThrow();
  const all = [keys, other].flatMap((k) => [
    k.check,
    k.signing("a"),
    k.signing("b"),
    k.blind("a", "x"),
    k.blind("b", "x"),
    k.blind("a", "y"),
  ]);
  expect(new Set(all.map((bytes) => bytes.toString("hex"))).size).toBe(all.length);
  expect(same.check.equals(keys.check)).toBe(true);
  expect(same.blind("a", "x").equals(keys.blind("a", "x"))).toBe(true);
  for (const size of [0, 16, 31, 33, 64])
    expect(() => keysFrom(randomBytes(size))).toThrow("32 bytes");
});

test("secrets have 256 bits, comparisons see length and every byte, buckets are even", () => {
  expect(Buffer.from(newSecret(), "base64url")).toHaveLength(32);
  const bytes = randomBytes(32);
  expect(sameBytes(bytes, Buffer.from(bytes))).toBe(true);
  expect(sameBytes(bytes, bytes.subarray(1))).toBe(false);
  for (let i = 0; i < 32; i++) {
    const bent = Buffer.from(bytes);
    bent[i]! ^= 128;
    expect(sameBytes(bytes, bent)).toBe(false);
  }
  const counts = Array.from({ length: 256 }, () => 0);
  for (let i = 0; i < 51_200; i++) counts[bucketOfText(`person ${i}`)]!++;
  // 200 each: beyond six standard deviations there is none.
  expect(Math.min(...counts)).toBeGreaterThan(115);
  expect(Math.max(...counts)).toBeLessThan(285);
  expect(bucketOfText("the same")).toBe(bucketOfText("the same"));
});
