// What a product is called, costs and how many there are is what the shop told last; where it told nothing, what was last
// sold says it. The same things told in any order come to the same product.

/** A product's price and stock as they were told last. */
export type Told = {
  unitPrice: bigint;
  currency: string;
  stock: bigint | null;
  isPriceTold: boolean;
};
export type Change =
  | { kind: "price"; before: bigint; after: bigint; dropBp: number }
  | { kind: "stock"; before: bigint; after: bigint }
  | { kind: "back"; stock: bigint };

/** What changed for a buyer between two states of one product. What was never told before is no change. */
export function changes(before: Told, after: Told): Change[] {
  const found: Change[] = [];
  const samePrice =
    !before.isPriceTold ||
    !after.isPriceTold ||
    before.currency !== after.currency ||
    before.unitPrice === after.unitPrice;
  if (!samePrice)
    found.push({
      kind: "price",
      before: before.unitPrice,
      after: after.unitPrice,
      dropBp: dropBp(before.unitPrice, after.unitPrice),
    });
  if (before.stock !== null && after.stock !== null && before.stock !== after.stock) {
    found.push({ kind: "stock", before: before.stock, after: after.stock });
    if (before.stock <= 0n && after.stock > 0n) found.push({ kind: "back", stock: after.stock });
  }
  return found;
}
/** By how much a price fell, in basis points of what it was, rounded towards none; a rise is negative, from nothing 0. */
export const dropBp = (before: bigint, after: bigint): number =>
  before <= 0n ? 0 : Math.max(-1_000_000, Number(((before - after) * 10_000n) / before));
