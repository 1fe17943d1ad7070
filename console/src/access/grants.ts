// What a key may do, by the room of the house in which it is done.
export const rooms = [
  { room: "send", permissions: ["events:write", "imports:write", "exports:read"] },
  {
    room: "people",
    permissions: [
      "members:read",
      "members:find",
      "members:merge",
      "members:erase",
      "lifecycle:read",
      "segments:read",
      "segments:write",
      "traits:read",
      "traits:write",
      "tags:write",
    ],
  },
  {
    room: "act",
    permissions: [
      "programmes:read",
      "programmes:run",
      "messages:read",
      "messages:send",
      "offers:read",
      "offers:write",
      "catalog:read",
      "forms:read",
      "forms:write",
    ],
  },
  { room: "results", permissions: ["today:read", "retention:read", "trace:read"] },
  {
    room: "house",
    permissions: [
      "operators:read",
      "operators:write",
      "keys:read",
      "keys:write",
      "webhooks:read",
      "webhooks:write",
      "feed:read",
      "audit:read",
      "house:read",
      "house:write",
    ],
  },
] as const;
const placed = new Set<string>(rooms.flatMap(({ permissions }) => [...permissions]));

/** Of what somebody holds, what they can give to a key, in its room; what no room names stands with the platform. */
export const offered = (held: readonly string[]) =>
  rooms
    .map(({ room, permissions }) => ({
      room,
      permissions: [
        ...permissions.filter((one) => held.includes(one)),
        ...(room === "house"
          ? held.filter((one) => !placed.has(one) && one !== "session:own").toSorted()
          : []),
      ],
    }))
    .filter(({ permissions }) => permissions.length > 0);

/** A call to try a new key with, as a shell takes it. `at` is the shop's time: what is dated ahead of it is refused. */
export function firstCall(origin: string, key: string, kind: "server" | "public", at: string) {
  const [path, body] =
    kind === "server"
      ? [
          "/v1/orders/lines",
          {
            lines: [
              {
                key: "1001-1",
                order: "1001",
                sku: "MUG",
                name: "Mug",
                quantity: 2,
                unitPrice: "9.90",
                at,
                customer: "42",
              },
            ],
          },
        ]
      : ["/v1/events", { events: [{ key: "1", name: "Page Viewed", anonymous: "visitor-1", at }] }];
  return [
    `curl ${origin}${path} \\`,
    `  -H 'authorization: Bearer ${key}' \\`,
    `  -H 'content-type: application/json' \\`,
    `  -d '${JSON.stringify(body)}'`,
  ].join("\n");
}
