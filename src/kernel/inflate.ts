// A body as it comes, compressed or not, read while it streams and never beyond a limit of decompressed bytes: a few
// kilobytes can say that they are many gigabytes.
import type { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import {
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
} from "node:zlib";

export type Inflated =
  | { ok: true; bytes: Buffer }
  | { ok: false; why: "broken" | "no_room" }
  | { ok: false; why: "too_large"; head: Buffer }; // how it begins
/** What all bodies that are being read hold together: `take` says whether there is room for so many bytes more. */
export type Room = { take: (bytes: number) => boolean; give: (bytes: number) => void };
export function roomOf(limitBytes: number): Room {
  let held = 0;
  return {
    take: (bytes) => {
      if (held + bytes > limitBytes) return false;
      held += bytes;
      return true;
    },
    give: (bytes) => {
      held -= bytes;
    },
  };
}

/** By its first bytes where they say so: several clients send gzip under another content type and no encoding at all. */
function opener(encoding: string, head: Buffer): Transform | null {
  if (head[0] === 0x1f && head[1] === 0x8b) return createGunzip();
  if (encoding === "br") return createBrotliDecompress();
  // As far back as RFC 9659 lets anybody look: 8 MB, and not whatever the frame asks for.
  if (encoding === "zstd")
    return createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: 23 } });
  if (encoding !== "deflate") return null;
  // RFC 9110 means zlib's wrapping by "deflate"; some send the bare stream.
  return head.length > 1 && (head[0]! & 15) === 8 && head.readUInt16BE(0) % 31 === 0
    ? createInflate()
    : createInflateRaw();
}

const headBytes = 64 * 1024;

class Stop extends Error {
  readonly why: "too_large" | "no_room";
  constructor(why: "too_large" | "no_room") {
    super(why);
    this.why = why;
  }
}

/**
 * Reads a body, inflated where it is compressed. Stops at `limitBytes` of what it says, and at as many of what it is;
 * "broken" where it is not what it claims to be or breaks off, "no_room" where others hold the memory there is. What
 * is answered stays taken from `room` until the caller gives it back.
 */
export async function inflate(
  body: ReadableStream<Uint8Array> | Buffer | null,
  encoding: string,
  limitBytes: number,
  room: Room,
): Promise<Inflated> {
  if (!body) return { ok: true, bytes: Buffer.alloc(0) };
  const parts: Buffer[] = [];
  let size = 0;
  try {
    const raw = counted(Buffer.isBuffer(body) ? [body] : body, limitBytes);
    const first = await raw.next();
    const head = first.value ?? Buffer.alloc(0);
    const all = async function* () {
      yield head;
      yield* raw;
    };
    const through = opener(encoding.trim().toLowerCase(), head);
    const sink = async (pieces: AsyncIterable<Buffer>) => {
      for await (const piece of pieces) {
        if (size + piece.length > limitBytes) throw new Stop("too_large");
        if (!room.take(piece.length)) throw new Stop("no_room");
        size += piece.length;
        parts.push(piece);
      }
    };
    if (through) await pipeline(all, through, sink);
    else await sink(all());
    return { ok: true, bytes: Buffer.concat(parts) };
  } catch (thrown) {
    room.give(size);
    const why = thrown instanceof Stop ? thrown.why : "broken";
    if (why !== "too_large") return { ok: false, why };
    return { ok: false, why, head: Buffer.concat(parts, Math.min(size, headBytes)) };
  }
}

/** The bytes as they came, the first two together, so that they can be looked at. */
async function* counted(
  body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  limitBytes: number,
): AsyncGenerator<Buffer, undefined> {
  let raw = 0;
  let held: Buffer | null = null;
  for await (const part of body) {
    raw += part.length;
    if (raw > limitBytes) throw new Stop("too_large");
    const bytes: Buffer = held ? Buffer.concat([held, part]) : Buffer.from(part);
    held = bytes.length < 2 ? bytes : null;
    if (!held) yield bytes;
  }
  if (held) yield held;
}
