import { randomFillSync } from "node:crypto";

/** Chance for many ids at once, because each question is a call into the system. */
const pool = Buffer.alloc(16 * 256);
let used = pool.length;
function pooled(size: number): Buffer {
  if (used + size > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += size;
  return Buffer.from(pool.subarray(used - size, used));
}

/**
 * RFC 9562 UUID version 7: sorted by the time it was made, so that an index grows at its end. Within one millisecond the
 * twelve bits after the time count up from a random start (section 6.2, method 1), so that those of one maker are in the
 * order of their making; where they run over, and where the clock goes back, the time goes on by itself.
 */
export const newIdFrom = (now: () => Date, random: (size: number) => Buffer = pooled) => {
  let ms = 0;
  let count = 0;
  return (): string => {
    const bytes = random(16);
    const at = now().getTime();
    if (at > ms) {
      ms = at;
      count = bytes.readUInt16BE(6) & 0x07ff;
    } else if (++count > 0x0fff) {
      ms++;
      count = 0;
    }
    bytes.writeUIntBE(ms, 0, 6);
    bytes.writeUInt16BE(0x7000 | count, 6);
    bytes[8] = (bytes[8]! & 0x3f) | 0x80;
    const hex = bytes.toString("hex");
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  };
};
/** Where a row belongs to no person, its person id is this. */
export const nobody = "00000000-0000-0000-0000-000000000000";
