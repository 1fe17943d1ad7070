// What files there are: of what, in which form, and for what they may be taken out. Pages choose from the same lists.

export const kinds = [
  "people",
  "products",
  "stock",
  "orders",
  "events",
  "relations",
  "consents",
  "market",
] as const;
/** What can go out: what comes in, and who is in a segment. */
export const outKinds = [...kinds, "segment"] as const;
export const formats = ["csv", "jsonl"] as const;
/** For what a file is taken out; it stands in the audit. */
export const purposes = ["service", "analysis", "marketing", "transfer", "request"] as const;
