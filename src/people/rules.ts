// A guest is one person, whoever of their names we were told first. What we know of them says where it is from,
// since when, and how sure we are.

import { derivedFields, looksDirect } from "#privacy/rules.ts";

/** What a sending identifier can be. A node is made of it at first sight and never changes. */
export const identifierTypes = [
  "user_id",
  "anonymous_id",
  "email",
  "phone",
  "device",
  "openid",
  "unionid",
  "external", // any other, as "name:value"
] as const;
export type IdentifierType = (typeof identifierTypes)[number];
export type Identifier = { type: IdentifierType; value: string };

/** One attribute of a profile: value, source, time, confidence from 0 to 1, and the event that told it. */
export type Attribute = { v: unknown; s: string; at: string; c: number; id?: string };
export type Profile = Record<string, Attribute>;

export type TagKind = "rule" | "statistic" | "model" | "hand";

/** Where mails and the inbox speak to somebody of whom we know only the country. */
const chinese = new Set(["CN", "TW", "HK", "MO", "China", "Taiwan", "Hong Kong", "Macau", "中国"]);
export const languageOf = (profile: Profile): "zh" | "en" => {
  const said = profile["language"]?.v;
  if (typeof said === "string") return said.toLowerCase().startsWith("zh") ? "zh" : "en";
  const country = profile["country"]?.v;
  return typeof country === "string" && chinese.has(country) ? "zh" : "en";
};

/** Attributes that we read or work out ourselves: nothing that a shop declares may have such a name. */
export const figures: ReadonlySet<string> = new Set([
  ...derivedFields,
  "orders",
  "refunds",
  "purchase_days",
  "items",
  "spent_minor",
  "refunded_minor",
  "first_order_at",
  "last_order_at",
  "last_event",
  "spend_score",
  "order_chance_90d",
  "expected_orders_90d",
  "p_alive",
  "category_preference",
  "top_category",
]);
/** Tags that are worked out: nobody sets them by hand. */
export const reservedTags: ReadonlySet<string> = new Set([
  "lifecycle",
  "rfm",
  "rfm_segment",
  "identifier_conflict",
  "price_sensitivity",
  "brand_loyalty",
  "share_willingness",
  "influence",
  "inviter",
]);

const dots = "•••";
/** What is left of a direct value for whoever may not see it: enough to tell two people apart, too little to reach one. */
export function masked(field: string, value: string): string {
  const first = [...value.trim()][0] ?? "";
  if (field === "email" || value.includes("@")) {
    const host = value.split("@").at(-1) ?? "";
    return `${first}${dots}@${[...host][0] ?? ""}${dots}`;
  }
  if (field === "phone") return `${dots}${value.replaceAll(/\D/g, "").slice(-2)}`;
  return `${first}${dots}`;
}
/** A shop's own number of a person is no personal field, unless the shop numbers people by their e-mail or phone. */
export const shownUserId = (userId: string, mayFind: boolean): string =>
  mayFind || !looksDirect(userId) ? userId : masked("user_id", userId);

/** What a person sees of their own profile besides their fields: what they told us, and what they bought. */
export const ownAttributes: ReadonlySet<string> = new Set([
  ...derivedFields,
  "orders",
  "spent_minor",
  "first_order_at",
  "last_order_at",
]);
