import { z } from "zod";
import { verdicts } from "#collect/api.ts";
import { endpoint } from "#kernel/endpoint.ts";

const minor = z.string(); // minor units as decimal text; refunds are negative
const text = (longest: number) => z.string().max(longest).optional();

/** One line of an order. The same key again is the same line. */
export const line = z.strictObject({
  key: z.string().min(1).max(200),
  order: z.string().min(1).max(100),
  sku: z.string().min(1).max(100),
  name: text(500),
  quantity: z.number().int().min(-1_000_000).max(1_000_000),
  unitPrice: z.string().max(20), // exact decimal of up to 4 places, in the shop's currency
  at: z.iso.datetime({ offset: true }),
  customer: text(200), // the shop's own number of the person; nobody where it is left out
  country: text(100),
  category: text(200),
  merchant: text(100),
  refund: z.boolean().optional(), // came back: the quantity counts as less than nothing
});
const { $schema: _, ...shape } = z.toJSONSchema(line, { io: "input" });

export const send = endpoint({
  method: "POST",
  path: "/v1/orders/lines",
  permission: "events:write",
  summary: {
    zh: "发送订单行（仅限商店服务器）：最多 1000 行、500 KB",
    en: "Send order lines, up to 1,000 and 500 KB; for the shop's own server",
  },
  input: z.object({ lines: z.array(z.unknown().meta(shape)).min(1).max(1000) }),
  output: verdicts,
  failures: ["request.invalid", "request.too_large", "collect.no_source", "orders.server_only"],
  ownBody: true,
});

export const ofMember = endpoint({
  method: "GET",
  path: "/v1/members/:person/orders",
  permission: "members:read",
  scopes: ["cases"],
  summary: { zh: "一位会员的订单，最近的在前", en: "A member's orders, the newest first" },
  input: z.strictObject({
    person: z.uuid(),
    after: z.string().max(300).optional(), // the last page's `next`
    limit: z.coerce.number().int().min(1).max(200).default(20),
  }),
  output: z.object({
    total: z.number(),
    orders: z.array(
      z.object({
        ref: z.string(),
        source: z.uuid(),
        kind: z.enum(["sale", "refund"]),
        at: z.iso.datetime(),
        day: z.iso.date(), // where the shop is
        amountMinor: minor,
        currency: z.string(),
        event: z.uuid(),
        lines: z.array(
          z.object({
            event: z.uuid(),
            sku: z.string(),
            name: z.string(),
            quantity: z.number(),
            unitPrice: z.string(),
            amountMinor: minor,
            kind: z.enum(["sale", "refund", "adjustment"]),
          }),
        ),
      }),
    ),
    // What a page said of orders and no server or file confirmed (null), or did: it moves no figure. At most 50, the
    // newest first.
    claims: z.array(
      z.object({
        ref: z.string(),
        at: z.iso.datetime(),
        amountMinor: minor.nullable(),
        currency: z.string(),
        confirmedBy: z.uuid().nullable(), // the source whose order of that number confirms it
        event: z.uuid(),
      }),
    ),
    next: z.string().nullable(),
  }),
  failures: ["people.unknown"],
});
