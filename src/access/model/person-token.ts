// The shop's server says who its shopper is: a JWS of at most an hour, signed with a key of its source.
import { createPublicKey } from "node:crypto";
import { decodeProtectedHeader, errors, jwtVerify } from "jose";
import { lives } from "../rules.ts";

const audience = "liuke";
export type TokenKey = {
  id: string;
  sourceId: string;
  algorithm: "HS256" | "EdDSA";
  /** The shared secret, or the 32 bytes of an Ed25519 public key. */
  material: Buffer;
};

/** A longer one is no token of ours and is not looked at. */
const lengthLimit = 4096;
const isId = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Which key the token says it is signed with; null where it is no token of ours. */
export function keyIdOf(token: string): string | null {
  if (token.length > lengthLimit) return null;
  try {
    const { kid } = decodeProtectedHeader(token);
    return kid !== undefined && isId.test(kid) ? kid : null;
  } catch {
    return null;
  }
}

/** The user id that the token is for; null where anything about it is not right. The algorithm is the key's, not the token's. */
export async function userIdOf(token: string, key: TokenKey, now: Date): Promise<string | null> {
  if (token.length > lengthLimit) return null;
  try {
    const { payload } = await jwtVerify(token, verifier(key), {
      algorithms: [key.algorithm],
      audience,
      currentDate: now,
      clockTolerance: lives.leewayMs / 1000,
      requiredClaims: ["sub", "iat", "exp"],
    });
    const { sub, iat = Number.NaN, exp = Number.NaN } = payload;
    const short = (exp - iat) * 1000 <= lives.personTokenMs;
    const begun = iat * 1000 <= now.getTime() + lives.leewayMs;
    return short && begun && typeof sub === "string" && sub !== "" && sub.length <= 200
      ? sub
      : null;
  } catch (thrown) {
    if (thrown instanceof errors.JOSEError || thrown instanceof TypeError) return null;
    throw thrown;
  }
}
const verifier = ({ algorithm, material }: TokenKey) =>
  algorithm === "HS256"
    ? new Uint8Array(material)
    : createPublicKey({
        key: { kty: "OKP", crv: "Ed25519", x: material.toString("base64url") },
        format: "jwk",
      });
