// The link out of a mail: who, of what and by which way, signed. It holds for good, because a mail is kept for good.
import { createHmac } from "node:crypto";
import { sameBytes } from "#kernel/crypto.ts";
import { channels, purposes, type Channel, type Purpose } from "../rules.ts";

export type Leaving = { personId: string; purpose: Purpose; channel: Channel };

const sign = (key: Buffer, said: Buffer): Buffer =>
  createHmac("sha256", key).update(said).digest().subarray(0, 16);

/** 16 bytes person, one purpose, one channel, 16 signature, as base64url. */
export function tokenOf(key: Buffer, { personId, purpose, channel }: Leaving): string {
  const said = Buffer.concat([
    Buffer.from(personId.replaceAll("-", ""), "hex"),
    Buffer.from([purposes.indexOf(purpose), channels.indexOf(channel)]),
  ]);
  return Buffer.concat([said, sign(key, said)]).toString("base64url");
}
/** Null for whatever we did not sign. */
export function readToken(key: Buffer, token: string): Leaving | null {
  const bytes = Buffer.from(token, "base64url");
  if (bytes.length !== 34 || bytes.toString("base64url") !== token) return null;
  const said = bytes.subarray(0, 18);
  if (!sameBytes(sign(key, said), bytes.subarray(18))) return null;
  const purpose = purposes[said[16]!];
  const channel = channels[said[17]!];
  if (!purpose || !channel) return null;
  const hex = said.subarray(0, 16).toString("hex");
  const personId = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  return { personId, purpose, channel };
}
