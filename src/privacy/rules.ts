// What we are told of a person is theirs: what names them is locked under a key of their own, and goes when they ask.
// The field list says of each field whether it is direct (sealed, equality only) or derived (plain, usable in segments).

export const directFields = [
  "name",
  "first_name",
  "last_name",
  "email",
  "phone",
  "address",
  "ip",
  "device",
  "openid",
  "url",
  "free_text",
] as const;
export type DirectField = (typeof directFields)[number];
/** Plain in the profile. What is on neither list is kept sealed with its event, and nowhere else. */
export const derivedFields = [
  "birth_month",
  "birth_day",
  "age_band",
  "city",
  "country",
  "language",
  "gender",
  "currency",
] as const;
export type DerivedField = (typeof derivedFields)[number];

export const isDirect = (field: string): field is DirectField =>
  (directFields as readonly string[]).includes(field);
export const isDerived = (field: string): field is DerivedField =>
  (derivedFields as readonly string[]).includes(field);

const emailLike = /[^\s@]@[^\s@]+\.[^\s@.]/;
const phoneLike = /\+\d[\d\s().-]{6,}\d|\b1[3-9]\d{9}\b/;
const addressLike =
  /:\/\/|^\d{1,3}(\.\d{1,3}){3}$|^[\da-f:]*::[\da-f:]*$|^([\da-f]{1,4}:){7}[\da-f]{1,4}$/i;
/** Longer than this, a text is somebody's own words. */
const freeTextFrom = 200;
/** Does a value name somebody by its look, whatever its field is called? */
export const looksDirect = (text: string): boolean =>
  text.length > freeTextFrom ||
  emailLike.test(text) ||
  phoneLike.test(text) ||
  addressLike.test(text.trim());

/** One spelling for one value, so that equal values meet under one blind index. */
export function normalised(type: string, value: string): string {
  const text = value.normalize("NFKC").trim();
  if (type === "email") return text.toLowerCase();
  if (type === "phone") return text.replaceAll(/[\s().-]/g, "").replace(/^00/, "+");
  return text;
}
/** What a sealed value is bound to: it opens in its own place only. */
export const about = (table: string, column: string, keyId: string): string =>
  `${table}|${column}|${keyId}`;
