// A guest is one person, whoever of their names we were told first. What we know of them says where it is from,
// since when, and how sure we are.

/** What a sending identifier can be. A node is made of it at first sight and never changes. */
export const identifierTypes = ["user_id", "anonymous_id", "email", "phone", "device"] as const;
export type IdentifierType = (typeof identifierTypes)[number];
export type Identifier = { type: IdentifierType; value: string };

/** One attribute of a profile: value, source, time, confidence from 0 to 1. */
export type Attribute = { v: unknown; s: string; at: string; c: number };
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
