// A file's bytes as text that can be kept. Spreadsheets save in UTF-8 and in UTF-16; what is neither is found, line by
// line, instead of being kept as something that nobody wrote.

const strict = new TextDecoder("utf-8", { fatal: true });
function isUtf8(bytes: Uint8Array): boolean {
  try {
    strict.decode(bytes);
    return true;
  } catch {
    return false;
  }
}
/** Stands where bytes are no text: no text of anybody's holds it. */
export const noText = "\u{10FFFF}";
/** A line is looked at in parts of at most so many bytes. */
const lineLimit = 4 * 1024 * 1024;

/**
 * Gives the same bytes where they are UTF-8, and UTF-8 for what is UTF-16. `seen.odd` is set once anything comes by that
 * may not be kept: bytes that are no text, which `noText` stands for, or a null.
 */
export async function* asUtf8(
  chunks: AsyncIterable<Buffer>,
  seen: { odd: boolean },
): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  let wide: InstanceType<typeof TextDecoder> | null = null;
  let first = true;
  for await (const chunk of chunks) {
    const all = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    if (first && all.length >= 2) {
      first = false;
      const mark = all.readUInt16BE(0);
      if (mark === 0xfffe) wide = new TextDecoder("utf-16le");
      if (mark === 0xfeff) wide = new TextDecoder("utf-16be");
    }
    if (wide) {
      rest = Buffer.alloc(0);
      yield told(wide.decode(all, { stream: true }), seen);
      continue;
    }
    const end = Math.max(all.lastIndexOf(10), all.lastIndexOf(13)) + 1;
    const whole = end > 0 ? end : all.length > lineLimit ? all.length : 0;
    rest = all.subarray(whole);
    if (whole > 0) yield checked(all.subarray(0, whole), seen);
  }
  if (wide) yield told(wide.decode(), seen);
  else if (rest.length > 0) yield checked(rest, seen);
}
const told = (text: string, seen: { odd: boolean }): Buffer => {
  const odd = text.includes("\uFFFD") || text.includes("\0");
  if (odd) seen.odd = true;
  return Buffer.from(odd ? text.replaceAll("\uFFFD", noText) : text);
};
function checked(lines: Buffer, seen: { odd: boolean }): Buffer {
  if (lines.includes(0)) seen.odd = true;
  if (isUtf8(lines)) return lines;
  seen.odd = true;
  const parts: Buffer[] = [];
  for (let from = 0; from < lines.length;) {
    const end = lines.indexOf(10, from) + 1 || lines.length;
    const line = lines.subarray(from, end);
    parts.push(isUtf8(line) ? line : Buffer.from(line.toString().replaceAll("\uFFFD", noText)));
    from = end;
  }
  return Buffer.concat(parts);
}
