import { generateKeyPairSync, randomBytes, randomUUID } from "node:crypto";
import { SignJWT } from "jose";
import { expect, test } from "vitest";
import { keyIdOf, userIdOf, type TokenKey } from "./person-token.ts";

const now = new Date("2026-11-05T09:00:00Z");
const iat = now.getTime() / 1000;
const right = { sub: "user-1", aud: "liuke", iat, exp: iat + 600 };
const id = randomUUID();
const secret = randomBytes(32);
const shared: TokenKey = { id, sourceId: randomUUID(), algorithm: "HS256", material: secret };
const pair = generateKeyPairSync("ed25519");
const x = Buffer.from(pair.publicKey.export({ format: "jwk" }).x!, "base64url");
const published: TokenKey = { ...shared, algorithm: "EdDSA", material: x };
const sign = (
  claims: object,
  alg = "HS256",
  key: Parameters<SignJWT["sign"]>[0] = new Uint8Array(secret),
) => new SignJWT(claims as never).setProtectedHeader({ alg, kid: id }).sign(key);

test("a token of either kind says who the shopper is, and names its key", async () => {
  const symmetric = await sign(right);
  expect(keyIdOf(symmetric)).toBe(id);
  expect(await userIdOf(symmetric, shared, now)).toBe("user-1");
  expect(await userIdOf(await sign(right, "EdDSA", pair.privateKey), published, now)).toBe(
    "user-1",
  );
});

test("the algorithm is the key's: a public key is no shared secret", async () => {
  const forged = await sign(right, "HS256", new Uint8Array(x));
  expect(await userIdOf(forged, published, now)).toBe(null);
  expect(await userIdOf(await sign(right, "EdDSA", pair.privateKey), shared, now)).toBe(null);
});

test.each([
  ["to the second an hour", { ...right, exp: iat + 3600 }, "user-1"],
  ["a second longer", { ...right, exp: iat + 3601 }, null],
  ["over, within the leeway", { ...right, iat: iat - 100, exp: iat - 29 }, "user-1"],
  ["over", { ...right, iat: iat - 100, exp: iat - 31 }, null],
  ["begun a little ahead", { ...right, iat: iat + 29 }, "user-1"],
  ["begun too far ahead", { ...right, iat: iat + 31 }, null],
  ["not valid yet", { ...right, nbf: iat + 60 }, null],
  ["for several, us among them", { ...right, aud: ["shop", "liuke"] }, "user-1"],
  ["for somebody else", { ...right, aud: "shop" }, null],
  ["without a beginning", { sub: "user-1", aud: "liuke", exp: iat + 600 }, null],
  ["with a beginning that is no number", { ...right, iat: "now" }, null],
  ["with an end before its beginning", { ...right, iat: iat, exp: iat - 60 }, null],
  ["of nobody", { ...right, sub: "" }, null],
  ["of a user id without end", { ...right, sub: "x".repeat(201) }, null],
  ["of a number", { ...right, sub: 7 }, null],
])("a token %s", async (_, claims, expected) => {
  expect(await userIdOf(await sign(claims), shared, now)).toBe(expected);
});

test.each(["", "x", "a.b.c", "eyJhbGciOiJIUzI1NiJ9..", "ey".repeat(4000)])(
  "what is no token names no key: %.30s",
  async (text) => {
    expect(keyIdOf(text)).toBe(null);
    expect(await userIdOf(text, shared, now)).toBe(null);
  },
);
