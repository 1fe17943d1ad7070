// What a value is, and whether it can be what an event's property says it is.
import { minorDigits, parseUnitPrice, type UnitPrice } from "#kernel/money.ts";
import type { Kind } from "./vocabulary.ts";

/** What the tracking plan says of a value: its type, never the value. */
export const types = ["text", "number", "flag", "list", "object", "nothing"] as const;
export type Type = (typeof types)[number];
const priceLimit = 10_000_000_000; // of the major unit: what is beyond is a mistake
/**
 * A decimal of up to 4 places in ten-thousandths; null where it is none. A number is taken by its shortest decimal, and
 * what floating point added beyond the fourth place is rounded half up.
 */
export function decimal(value: unknown): UnitPrice | null {
  if (typeof value === "number") {
    if (!Number.isFinite(value) || Math.abs(value) > priceLimit) return null;
    const plain = String(value);
    return parseUnitPrice(/^-?\d+(\.\d{1,4})?$/.test(plain) ? plain : value.toFixed(4));
  }
  if (typeof value !== "string") return null;
  const price = parseUnitPrice(value.trim().replace(/^\+/, ""));
  return price !== null && Math.abs(price) <= priceLimit * 10_000 ? price : null;
}
export function whole(value: unknown): number | null {
  const text = typeof value === "number" ? String(value) : value;
  if (typeof text !== "string" || !/^[+-]?\d{1,10}$/.test(text.trim())) return null;
  return Number(text) + 0 === 0 ? 0 : Number(text);
}
const currencies = new Set(Intl.supportedValuesOf("currency"));
export const currencyOf = (value: unknown): string | null => {
  const code = typeof value === "string" ? value.trim().toUpperCase() : "";
  return currencies.has(code) ? code : null;
};
export const digitsOf = minorDigits;

/** A shop's own name of something: text without control signs, or a whole number. */
export const idOf = (value: unknown, longest = 100): string | null => {
  const text = typeof value === "number" && Number.isFinite(value) ? String(value) : value;
  if (typeof text !== "string") return null;
  const own = text.trim();
  // eslint-disable-next-line no-control-regex
  return own === "" || own.length > longest || /[\u0000-\u001f]/.test(own) || !own.isWellFormed()
    ? null
    : own;
};

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
export const objectsIn = (value: unknown): Record<string, unknown>[] | null =>
  Array.isArray(value) && value.every(isObject) ? value : null;

/** Can a value be what a property of this kind says? Null and nothing say nothing, and can be anything. */
export function fits(kind: Kind, value: unknown): boolean {
  if (value === null || value === undefined) return true;
  switch (kind) {
    case "id":
      return idOf(value, 500) !== null || value === "";
    case "text":
    case "words":
      return typeof value === "string";
    case "amount":
      return (decimal(value) ?? -1) >= 0;
    case "signed":
      return decimal(value) !== null;
    case "whole":
      return whole(value) !== null;
    case "number":
      return typeof value === "number"
        ? Number.isFinite(value)
        : typeof value === "string" && value.trim() !== "" && Number.isFinite(Number(value));
    case "flag":
      return typeof value === "boolean";
    case "currency":
      return currencyOf(value) !== null;
    case "instant":
      return typeof value === "string" && !Number.isNaN(Date.parse(value));
    case "object":
      return isObject(value);
    case "products":
      return objectsIn(value) !== null;
    case "pairs":
      return (objectsIn(value) ?? [{}]).every((one) => typeof one["type"] === "string");
  }
}
