// AES-256-GCM envelopes, keys derived from the master key, and blind indexes. Keys never leave these functions in text.
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hash,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
  type KeyObject,
} from "node:crypto";

const bytesOf = (about: string | Buffer) =>
  typeof about === "string" ? Buffer.from(about) : about;

/** A key given as bytes is checked and copied at each use, which costs four times what the cipher itself does. */
const secrets = new WeakMap<Buffer, KeyObject>();
function secretOf(key: Buffer): KeyObject {
  let secret = secrets.get(key);
  if (!secret) {
    secret = createSecretKey(key);
    secrets.set(key, secret);
  }
  return secret;
}

/** Chance is asked for many nonces at once, because each question is a call into the system; none is given twice. */
const nonceBytes = 12;
let nonces = Buffer.alloc(0);
function newNonce(): Buffer {
  if (nonces.length < nonceBytes) nonces = randomBytes(nonceBytes * 256);
  const nonce = nonces.subarray(0, nonceBytes);
  nonces = nonces.subarray(nonceBytes);
  return nonce;
}

/** 12 bytes nonce, ciphertext, 16 bytes tag. `about` is bound in and must be given again to open. */
export function seal(key: Buffer, plain: Buffer | string, about: string | Buffer): Buffer {
  const nonce = newNonce();
  const cipher = createCipheriv("aes-256-gcm", secretOf(key), nonce).setAAD(bytesOf(about));
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}
/** Throws where key, data or `about` differ by one bit. */
export function open(key: Buffer, sealed: Buffer, about: string | Buffer): Buffer {
  const decipher = createDecipheriv("aes-256-gcm", secretOf(key), sealed.subarray(0, nonceBytes), {
    authTagLength: 16,
  })
    .setAAD(bytesOf(about))
    .setAuthTag(sealed.subarray(-16));
  return Buffer.concat([decipher.update(sealed.subarray(nonceBytes, -16)), decipher.final()]);
}

/** The keys of one installation, all from its master key (32 bytes) by HKDF-SHA-256, one a purpose. */
export type Keys = {
  /** Wraps and unwraps the data key of a node: `about` names the node. */
  wrap: (dataKey: Buffer, about: string) => Buffer;
  unwrap: (wrapped: Buffer, about: string) => Buffer;
  /** HMAC-SHA-256 under a key of its own for each column: equality without the value. */
  blind: (column: string, value: string) => Buffer;
  /** A key of 32 bytes for signing one kind of thing: links, person tokens. */
  signing: (purpose: string) => Buffer;
  /** Tells two master keys apart and reveals neither. */
  check: Buffer;
};
export function keysFrom(master: Buffer): Keys {
  if (master.length !== 32) throw new Error("the master key must be 32 bytes");
  const known = new Map<string, Buffer>();
  const derive = (purpose: string): Buffer => {
    const had = known.get(purpose);
    if (had) return had;
    const made = Buffer.from(hkdfSync("sha256", master, "liuke", purpose, 32));
    known.set(purpose, made);
    return made;
  };
  return {
    wrap: (dataKey, about) => seal(derive("wrap"), dataKey, about),
    unwrap: (wrapped, about) => open(derive("wrap"), wrapped, about),
    blind: (column, value) =>
      createHmac("sha256", secretOf(derive(`blind|${column}`)))
        .update(value)
        .digest(),
    signing: (purpose) => derive(`signing|${purpose}`),
    check: derive("check"),
  };
}
export const newDataKey = (): Buffer => randomBytes(32);

export const sha256 = (text: string | Buffer): Buffer => hash("sha256", text, "buffer");
export const sameBytes = (a: Buffer, b: Buffer): boolean =>
  a.length === b.length && timingSafeEqual(a, b);
/** 256 bits as text that fits an address. */
export const newSecret = (): string => randomBytes(32).toString("base64url");

/** A whole number from 0 to 255 that stays the same for one text: which bucket it falls into. */
export const bucketOfText = (text: string): number => hash("sha256", text, "buffer")[0]!;
