// A thousand events as a shop sends them, the same for whoever sends and for whoever looks what arrived.
export type Mixed = {
  n: number;
  kind: "identify" | "track" | "page" | "screen" | "group" | "alias";
  user: string;
  anonymous: string;
  name: string;
  data: Record<string, unknown>;
  traits: Record<string, unknown>;
  at: Date;
};

const kinds = ["identify", "track", "page", "screen", "group", "alias"] as const;
const anonymousOf = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
/** `of` names the kinds that a client has; whatever else would come is a track event. */
export function mixed(of: readonly string[], count = 1000): Mixed[] {
  const started = Date.now() - 60_000;
  return Array.from({ length: count }, (_, n) => {
    const kind = kinds[n % 12] ?? "track";
    const own = of.includes(kind) ? kind : "track";
    return {
      n,
      kind: own,
      user: `user-${n % 97}`,
      anonymous: anonymousOf(n % 97),
      name: ["Product Viewed", "Product Added", "看了商品"][n % 3]!,
      data: {
        n,
        sku: `S${n % 40}`,
        price: 19.99,
        tags: ["a", "b"],
        deep: { list: [1, { two: n }], none: null, yes: true },
        words: "“引号” \\ \t 😀",
      },
      traits: { n, city: "上海", plan: `plan-${n % 3}`, email: `u${n % 97}@example.com` },
      at: new Date(started + n * 10),
    };
  });
}
