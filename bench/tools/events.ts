// Events of a shop that never was, by their number alone: the same number is the same event, wherever it is made.

export const names = [
  "Product Viewed",
  "Product Added",
  "Product List Viewed",
  "Products Searched",
  "page",
];
const categories = ["tea", "camping", "garden", "kitchen", "toys", "books", "shoes", "office"];
/** 32 bits that look like chance: a mixer of Murmur3's, for data and not for secrets. */
export function mixed(n: number): number {
  let h = Math.imul(n ^ (n >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

export type Told = {
  key: string;
  name: string;
  user: string;
  at: string;
  data: { sku: string; category: string; price: number; position: number };
};
const start = Date.UTC(2026, 0, 1);
/** `fresh`: the share, in percent, of events whose person is sent for the first time. */
export function eventOf(n: number, people: number, fresh: number): Told {
  const a = mixed(n);
  const b = mixed(a ^ 0x9e3779b9);
  const user = a % 100 < fresh ? `n-${n}` : `u-${b % people}`;
  return {
    key: `e-${n}`,
    name: names[b % names.length]!,
    user,
    at: new Date(start + n * 37).toISOString(),
    data: {
      sku: `SKU-${a % 5000}`,
      category: categories[a % categories.length]!,
      price: (b % 20_000) / 100,
      position: b % 40,
    },
  };
}
export type Visit = Omit<Told, "user"> & { user?: string; anonymous?: string };
/**
 * The same with visitors who turn out to be members: of ten events three are of visitors nobody has named, three say who
 * the visitors of the ten before are, and four are of members.
 */
export function visitOf(n: number, people: number): Visit {
  const { user, ...told } = eventOf(n, people, 0);
  const nth = n % 10;
  const visitor = Math.floor(n / 10) * 3 + (nth % 3);
  if (nth < 3) return { ...told, anonymous: `a-${visitor}` };
  if (nth >= 6) return { ...told, user };
  return { ...told, name: "identify", anonymous: `a-${visitor - 3}`, user };
}
/** Of these numbers. `at`: when all of them happened; null where that follows from their numbers. */
export function bodyOf(
  from: number,
  count: number,
  event: (n: number) => Told | Visit,
  at: string | null = null,
): string {
  const events: (Told | Visit)[] = [];
  for (let n = from; n < from + count; n++) {
    const told = event(n);
    events.push(at === null ? told : { ...told, at });
  }
  return JSON.stringify({ events });
}
