import { z } from "zod";
import { endpoint } from "#kernel/endpoint.ts";
import { answersLimit, edgeKinds, roadNames } from "./rules.ts";

const kind = z.enum(edgeKinds);
const edge = z.object({
  kind,
  since: z.iso.datetime(),
  acceptedAt: z.iso.datetime().nullable(), // of an invitation
  times: z.int(), // how often they came by a share
  items: z.array(z.string()), // skus that were shared
});
const counts = z.array(z.object({ kind, count: z.int() }));
const limit = z.coerce.number().int().min(1).max(answersLimit).default(50);
const road = z.enum(roadNames);

export const ofMember = endpoint({
  method: "GET",
  path: "/v1/members/:person/relations",
  permission: "members:read",
  summary: {
    zh: "一位会员的好友、关注、邀请与分享",
    en: "A member's friends, followers, invitations and shares",
  },
  input: z.strictObject({ person: z.uuid() }),
  output: z.object({
    /** Have they agreed that we keep this? Without it nothing is here. */
    agreed: z.boolean(),
    counts,
    edges: z.array(edge.extend({ person: z.uuid(), userId: z.string().nullable() })),
  }),
  failures: ["people.unknown"],
});
export const roadOfMember = endpoint({
  method: "GET",
  path: "/v1/members/:person/relations/:road",
  permission: "members:read",
  summary: { zh: "两步之内能到的人", en: "Whom two steps lead to" },
  input: z.strictObject({ person: z.uuid(), road, limit }),
  output: z.object({
    people: z.array(
      z.object({
        person: z.uuid(),
        userId: z.string().nullable(), // the shop's own number of them
        through: z.int(),
        example: z.uuid(),
      }),
    ),
  }),
  failures: ["people.unknown"],
});

export const mine = endpoint({
  method: "GET",
  path: "/v1/me/relations",
  permission: "person",
  summary: {
    zh: "我的好友、关注、邀请与分享",
    en: "My friends, followers, invitations and shares",
  },
  input: z.strictObject({}),
  output: z.object({
    agreed: z.boolean(),
    counts,
    /** `user`: the shop's own number of the other; null where the shop has none that may be shown. */
    edges: z.array(edge.extend({ user: z.string().nullable() })),
  }),
  failures: ["request.forbidden"],
});
export const myRoad = endpoint({
  method: "GET",
  path: "/v1/me/relations/:road",
  permission: "person",
  summary: { zh: "我可能认识的人", en: "People I may know" },
  input: z.strictObject({ road, limit }),
  output: z.object({
    people: z.array(z.object({ user: z.string().nullable(), through: z.int() })),
  }),
  failures: ["request.forbidden"],
});
export const say = endpoint({
  method: "POST",
  path: "/v1/me/relations",
  permission: "person",
  summary: {
    zh: "申请、接受、拒绝或解除好友，关注，屏蔽",
    en: "Ask, accept, decline or end a friendship; follow; block",
  },
  input: z.strictObject({
    act: z.enum(["ask", "accept", "decline", "withdraw", "follow", "unfollow", "block", "unblock"]),
    user: z.string().trim().min(1).max(200),
  }),
  output: z.object({}),
  failures: [
    "request.forbidden",
    "relations.not_agreed",
    "relations.no_user",
    "relations.too_many",
  ],
});
