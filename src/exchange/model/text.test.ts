import fc from "fast-check";
import { expect, test } from "vitest";
import { asUtf8, noText } from "./text.ts";

async function* parts(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  for (let from = 0, i = 0; from < bytes.length; i++) {
    const size = sizes[i % sizes.length]!;
    yield bytes.subarray(from, from + size);
    from += size;
  }
}
const read = async (bytes: Buffer, sizes: readonly number[] = [7]) => {
  const seen = { odd: false };
  const all: Buffer[] = [];
  for await (const part of asUtf8(parts(bytes, sizes), seen)) all.push(part);
  return { text: Buffer.concat(all).toString(), odd: seen.odd };
};
const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 });
const texts = fc
  .string({ unit: "grapheme", maxLength: 60 })
  .filter((text) => !/[\0\uFFFD]/.test(text));

test("text in UTF-8 is what it was, wherever the parts end", async () => {
  await fc.assert(
    fc.asyncProperty(texts, sizes, async (text, cut) => {
      expect(await read(Buffer.from(`a\n${text}`), cut)).toEqual({
        text: `a\n${text}`,
        odd: false,
      });
    }),
  );
});

test("a spreadsheet's UTF-16 says the same, in either order of bytes", async () => {
  await fc.assert(
    fc.asyncProperty(texts, sizes, async (text, cut) => {
      const little = Buffer.from(`\uFEFFa${text}`, "utf16le");
      const big = Buffer.from(little).swap16();
      for (const bytes of [little, big])
        expect(await read(bytes, cut)).toEqual({ text: `a${text}`, odd: false });
    }),
  );
});

test("bytes that are no text are found in their line, and no other line is touched", async () => {
  const gbk = Buffer.from([0xb2, 0xe8, 0xc2, 0xeb]); // 茶码 as Chinese spreadsheets save it
  const bytes = Buffer.concat([Buffer.from("茶\n"), gbk, Buffer.from("\né,\uFFFD\n")]);
  for (const size of [1, 3, 5, 100]) {
    const { text, odd } = await read(bytes, [size]);
    const [one, two, three] = text.split("\n");
    expect([one, three, odd]).toEqual(["茶", "é,\uFFFD", true]);
    expect(two).toContain(noText);
    expect(two).not.toContain("\uFFFD");
  }
  expect(await read(Buffer.from("a\0b"))).toEqual({ text: "a\0b", odd: true });
});
