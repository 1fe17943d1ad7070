// Signatures of Standard Webhooks 1.0: over number, time and body, by a shared secret (v1) or a key pair (v1a).
import {
  createHmac,
  createPrivateKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  type KeyObject,
} from "node:crypto";
import type { Signature } from "../rules.ts";

/** 32 bytes are within what the standard asks for (24 to 64). */
const secretBytes = 32;
/** `secret` is shown once; `publicKey` is what a receiver of v1a messages verifies by, and may be shown at any time. */
export type Made = { secret: string; publicKey: string | null };

export function newSigningKey(signature: Signature): Made {
  if (signature === "v1")
    return { secret: `whsec_${randomBytes(secretBytes).toString("base64")}`, publicKey: null };
  const { privateKey } = generateKeyPairSync("ed25519");
  const { d, x } = privateKey.export({ format: "jwk" });
  // The standard's own order: the seed, then the public key.
  const both = Buffer.concat([Buffer.from(d!, "base64url"), Buffer.from(x!, "base64url")]);
  return {
    secret: `whsk_${both.toString("base64")}`,
    publicKey: `whpk_${Buffer.from(x!, "base64url").toString("base64")}`,
  };
}

const privateKeyOf = (secret: string): KeyObject => {
  const both = Buffer.from(secret.slice("whsk_".length), "base64");
  const [d, x] = [both.subarray(0, 32), both.subarray(32)].map((part) =>
    part.toString("base64url"),
  );
  return createPrivateKey({
    key: { kty: "OKP", crv: "Ed25519", d: d!, x: x! },
    format: "jwk",
  });
};
const one = (secret: string, said: string): string =>
  secret.startsWith("whsk_")
    ? `v1a,${sign(null, Buffer.from(said), privateKeyOf(secret)).toString("base64")}`
    : `v1,${createHmac("sha256", Buffer.from(secret.slice("whsec_".length), "base64"))
        .update(said)
        .digest("base64")}`;

/** The three headers. Each secret signs, so that a receiver who has not changed over yet still verifies. */
export const signed = (
  id: string,
  at: Date,
  body: string,
  secrets: readonly string[],
): Record<string, string> => {
  const seconds = String(Math.floor(at.getTime() / 1000));
  return {
    "webhook-id": id,
    "webhook-timestamp": seconds,
    "webhook-signature": secrets.map((secret) => one(secret, `${id}.${seconds}.${body}`)).join(" "),
  };
};
