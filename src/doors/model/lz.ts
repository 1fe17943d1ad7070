// LZ-String, as PostHog's first page clients press what they send ("lz64"): a growing list of pieces, each a piece that
// was there with one more letter, said by its number in as many bits as the list needs.

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const valueOf = new Map([...letters].map((letter, value) => [letter, value]));
const bitsOfLetter = 6;

type Unpressed = { text: string } | { why: "broken" | "too_large" };
/** The text that a base64 of LZ-String says; "too_large" as soon as it would say more than `limit` letters. */
export function unpressed(base64: string, limit: number): Unpressed {
  let place = 0;
  let value = 0;
  let left = 0;
  let isOver = false;
  /** The next number of so many bits, the lowest first. */
  const read = (count: number): number => {
    let number = 0;
    for (let bit = 0; bit < count; bit++) {
      if (left === 0) {
        const next = valueOf.get(base64[place++] ?? "");
        if (next === undefined) {
          isOver = true;
          return 0;
        }
        value = next;
        left = bitsOfLetter;
      }
      left--;
      if ((value >> left) & 1) number |= 1 << bit;
    }
    return number;
  };
  // 0 and 1 announce a letter of 8 or 16 bits that is new, 2 the end.
  const pieces: string[] = ["", "", ""];
  const parts: string[] = [];
  let size = 0;
  let before: string | null = null;
  let width = 2;
  let room = 4; // numbers that fit in `width` bits, when the next piece is in the list
  for (;;) {
    let number = read(width);
    if (isOver) return { why: "broken" };
    if (number === 2) return { text: parts.join("") };
    if (number < 2) {
      const letter = String.fromCharCode(read(number === 0 ? 8 : 16));
      if (isOver) return { why: "broken" };
      number = pieces.push(letter) - 1;
      // The first letter is no addition to anything: what would follow it takes no place yet.
      if (before === null) {
        width = 3;
        room = 8;
      }
    }
    const piece: string | undefined =
      number < pieces.length
        ? pieces[number]
        : number === pieces.length && before !== null
          ? before + before[0]!
          : undefined;
    if (piece === undefined || piece === "") return { why: "broken" };
    size += piece.length;
    if (size > limit) return { why: "too_large" };
    parts.push(piece);
    if (before !== null) pieces.push(before + piece[0]!);
    before = piece;
    while (pieces.length >= room) {
      width++;
      room *= 2;
    }
  }
}
