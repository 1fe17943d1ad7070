import { z } from "zod";
import { endpoint } from "#kernel/endpoint.ts";

export const picks = endpoint({
  method: "GET",
  path: "/v1/members/:person/picks",
  permission: "members:read",
  scopes: ["cases"],
  summary: { zh: "最可能让这位会员回来的商品", en: "The goods most likely to bring a member back" },
  input: z.strictObject({ person: z.uuid() }),
  output: z.object({
    /** When they were picked, on the shop's clock; null where nothing has been picked yet. */
    at: z.iso.datetime().nullable(),
    picks: z.array(
      z.object({
        rank: z.int().min(1),
        sku: z.string(),
        name: z.string(),
        /** "again": bought before and due again. "alike": people alike buy it. */
        kind: z.enum(["again", "alike"]),
        score: z.number(),
        reason: z.object({ zh: z.string(), en: z.string() }),
      }),
    ),
  }),
  failures: ["people.unknown", "request.forbidden"],
});
