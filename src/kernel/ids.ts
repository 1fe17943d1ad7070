import { randomBytes } from "node:crypto";

/** RFC 9562 UUID version 7: sorted by the time it was made, so that an index grows at its end. */
export const newIdFrom = (now: () => Date, random: (size: number) => Buffer = randomBytes) => {
  return (): string => {
    const bytes = random(16);
    bytes.writeUIntBE(now().getTime(), 0, 6);
    bytes[6] = (bytes[6]! & 0x0f) | 0x70;
    bytes[8] = (bytes[8]! & 0x3f) | 0x80;
    const hex = bytes.toString("hex");
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  };
};
/** Where a row belongs to no person, its person id is this. */
export const nobody = "00000000-0000-0000-0000-000000000000";
