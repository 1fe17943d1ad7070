import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { brotliCompressSync, createGzip, deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { inflate, roomOf } from "./inflate.ts";

const mib = 1024 * 1024;
const read = async (bytes: Buffer, encoding = "", limit = mib) => {
  const read = await inflate(bytes, encoding, limit, roomOf(64 * mib));
  return read.ok ? read.bytes.toString() : read.why;
};

test("whatever is compressed in a way that a client may use comes out as it was", async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: "grapheme", maxLength: 2000 }), async (text) => {
      const plain = Buffer.from(text);
      expect(await read(plain)).toBe(text);
      expect(await read(gzipSync(plain))).toBe(text); // no encoding said: the bytes say it
      expect(await read(gzipSync(plain), "gzip")).toBe(text);
      expect(await read(plain, "gzip")).toBe(text); // said, and not so
      expect(await read(deflateSync(plain), "deflate")).toBe(text);
      expect(await read(deflateRawSync(plain), "deflate")).toBe(text);
      expect(await read(brotliCompressSync(plain), "br")).toBe(text);
    }),
    { numRuns: 100 },
  );
});

test("a body in the smallest pieces is the same body", async () => {
  const bytes = gzipSync(Buffer.from("hello, ".repeat(100)));
  const stream = Readable.toWeb(Readable.from([...bytes].map((byte) => Buffer.from([byte]))));
  const got = await inflate(stream as ReadableStream<Uint8Array>, "", mib, roomOf(mib));
  expect(got.ok && got.bytes.toString()).toBe("hello, ".repeat(100));
});

test("one that breaks off, or is not what it claims, is broken", async () => {
  const bytes = gzipSync(Buffer.from("hello, ".repeat(1000)));
  expect(await read(bytes.subarray(0, bytes.length - 20))).toBe("broken");
  expect(await read(Buffer.concat([Buffer.from([0x1f, 0x8b]), Buffer.alloc(100, 7)]))).toBe(
    "broken",
  );
  expect(await read(Buffer.from("plain"), "br")).toBe("broken");
});

test("a bomb of two gigabytes is stopped at the limit, and the memory stays bounded", async () => {
  const zero = createReadStream("/dev/zero", { end: 2048 * mib - 1, highWaterMark: 4 * mib });
  const bomb: Buffer[] = [];
  for await (const part of zero.pipe(createGzip({ level: 1 }))) bomb.push(part as Buffer);
  const bytes = Buffer.concat(bomb);
  expect(bytes.length).toBeLessThan(20 * mib);
  const before = process.memoryUsage().rss;
  const room = roomOf(64 * mib);
  const got = await inflate(bytes, "gzip", 20 * mib, room);
  expect(got).toMatchObject({ ok: false, why: "too_large" });
  expect(process.memoryUsage().rss - before).toBeLessThan(80 * mib);
  expect(room.take(64 * mib)).toBe(true); // all of it was given back
}, 60_000);

test("exactly the limit passes, one byte more does not; a compressed body has the same limit", async () => {
  expect((await read(Buffer.alloc(1000, 97), "", 1000)).length).toBe(1000);
  expect(await read(Buffer.alloc(1001, 97), "", 1000)).toBe("too_large");
  expect((await read(gzipSync(Buffer.alloc(1000, 97)), "", 1000)).length).toBe(1000);
  expect(await read(gzipSync(Buffer.alloc(1001, 97)), "", 1000)).toBe("too_large");
});

test("bodies together take no more than there is room for", async () => {
  const room = roomOf(1500);
  const first = await inflate(Buffer.alloc(1000), "", 2000, room);
  expect(first.ok).toBe(true);
  expect(await inflate(Buffer.alloc(1000), "", 2000, room)).toEqual({ ok: false, why: "no_room" });
  room.give(1000);
  expect((await inflate(Buffer.alloc(1000), "", 2000, room)).ok).toBe(true);
});
