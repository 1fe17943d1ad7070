// Chance with a seed: the same seed gives the same draws on every machine, so a published interval can be
// computed again by anybody.

const rotate = (x: number, by: number): number => (x << by) | (x >>> (32 - by));

/** The four words that a text becomes: FNV-1a steps with a final avalanche, so that near texts start far apart. */
function words(seed: string): [number, number, number, number] {
  let hash = 0x811c9dc5;
  const next = (salt: number): number => {
    hash = Math.imul(hash ^ salt, 0x01000193);
    for (let i = 0; i < seed.length; i++) hash = Math.imul(hash ^ seed.charCodeAt(i), 0x01000193);
    let mixed = hash;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return (mixed ^ (mixed >>> 16)) | 0;
  };
  return [next(1), next(2), next(3), next(4) | 1]; // never all zero
}

/** xoshiro128** (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2021): 32 bits a call. */
export function generator(seed: string): () => number {
  let [a, b, c, d] = words(seed);
  return () => {
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotate(d, 11);
    return result;
  };
}

/** A whole number from 0 to below `n` (n ≤ 2^21 keeps the bias under one in two thousand draws of a million). */
export const below = (next: () => number, n: number): number =>
  Math.floor((next() / 0x1_0000_0000) * n);
