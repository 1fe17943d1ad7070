// Amounts are whole minor units with their ISO currency. Unit prices are exact decimals of up to 4 places.

/** A unit price in ten-thousandths of the currency's major unit: "2.55" is 25500. */
export type UnitPrice = number;

/** Reads a decimal of up to 4 places exactly; null where the text is none, or too large to be exact. */
export function parseUnitPrice(text: string): UnitPrice | null {
  const match = /^(-?)(\d{1,11})(?:\.(\d{1,4})0*)?$/.exec(text);
  if (!match) return null;
  const value = Number(match[2]) * 10_000 + Number((match[3] ?? "").padEnd(4, "0"));
  return match[1] && value !== 0 ? -value : value;
}
export const unitPriceText = (price: UnitPrice): string => {
  const sign = price < 0 ? "-" : "";
  const whole = Math.abs(price);
  return `${sign}${Math.trunc(whole / 10_000)}.${String(whole % 10_000).padStart(4, "0")}`;
};

/** Three capital letters that name a currency: "CNY". */
export const isCurrency = (text: string): boolean =>
  /^[A-Z]{3}$/.test(text) && currencies.has(text);
const currencies = new Set(Intl.supportedValuesOf("currency"));

/** How many minor digits a currency has: 2 for GBP and CNY, 0 for JPY, 3 for KWD. */
export const minorDigits = (currency: string): number =>
  new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions()
    .maximumFractionDigits ?? 2;

/** Dividing whole numbers, half away from zero, so that a refund is its sale with the sign turned. */
const divideHalfUp = (value: bigint, by: bigint): bigint => {
  const half = value < 0n ? -(by / 2n) : by / 2n;
  return (value + half) / by;
};
/** quantity × unit price in minor units, rounded half up (a negative line mirrors its positive one). */
export function lineMinor(quantity: number, price: UnitPrice, digits = 2): number {
  const exact = quantity * price;
  if (Number.isSafeInteger(exact) && digits === 2) {
    const minor = Math.floor((Math.abs(exact) + 50) / 100);
    return exact < 0 && minor !== 0 ? -minor : minor; // no minus zero
  }
  return Number(divideHalfUp(BigInt(quantity) * BigInt(price), 10n ** BigInt(4 - digits)));
}
