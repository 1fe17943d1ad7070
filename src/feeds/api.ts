import { z } from "zod";
import { endpoint } from "#kernel/endpoint.ts";
import { formats, limits, signatures } from "./rules.ts";

const instant = z.iso.datetime();
const name = z.string().trim().min(1).max(100);
const url = z.string().min(1).max(2048);
const types = z.array(z.string().min(1).max(100)).min(1).max(limits.types);
const format = z.enum(formats);
const signature = z.enum(signatures);
const webhook = z.uuid();
const none = z.object({});
const secret = { secret: z.string(), publicKey: z.string().nullable() };
const unfit = [
  "feeds.url_broken",
  "feeds.url_scheme",
  "feeds.url_credentials",
  "feeds.url_port",
  "feeds.url_internal",
  "feeds.type_unknown",
  "feeds.segment_unknown",
] as const;

/** An event that other systems can ask for. */
export type Offered = {
  name: string;
  data: z.ZodType;
  offer: { zh: string; en: string; example: Record<string, unknown> };
};
/** The schema is that of the event; the person it is about, where there is one, comes beside it. */
export const described = ({ name: type, data, offer: { zh, en, example } }: Offered) => {
  const { $schema: _, ...schema } = z.toJSONSchema(data, { io: "output", unrepresentable: "any" });
  return { type, says: { zh, en }, schema: schema as Record<string, unknown>, example };
};

export const eventTypes = endpoint({
  method: "GET",
  path: "/v1/event-types",
  permission: "webhooks:read",
  summary: {
    zh: "可以订阅的事件：含义、数据结构和示例",
    en: "Events that can be subscribed to: what each says, its schema and an example",
  },
  input: z.strictObject({}),
  output: z.object({
    types: z.array(
      z.object({
        type: z.string(),
        says: z.object({ zh: z.string(), en: z.string() }),
        schema: z.record(z.string(), z.unknown()), // JSON Schema of `data`
        example: z.record(z.string(), z.unknown()),
      }),
    ),
  }),
  failures: [],
});

export const list = endpoint({
  method: "GET",
  path: "/v1/webhooks",
  permission: "webhooks:read",
  summary: { zh: "全部 Webhook 及投递情况", en: "Webhooks, and how they fare" },
  input: z.strictObject({}),
  output: z.object({
    webhooks: z.array(
      z.object({
        id: webhook,
        name,
        url,
        format,
        signature,
        types: z.array(z.string()),
        segment: z.uuid().nullable(),
        state: z.enum(["on", "off"]),
        reason: z.enum(["operator", "gone", "failing"]).nullable(),
        publicKey: z.string().nullable(),
        oldSecretUntil: instant.nullable(),
        madeAt: instant,
        takenAt: instant.nullable(), // about when the last message was taken
        failingSince: instant.nullable(),
        waiting: z.number(),
        failed: z.number(),
      }),
    ),
    feed: z.object({ kept: z.boolean() }),
  }),
  failures: [],
});

export const make = endpoint({
  method: "POST",
  path: "/v1/webhooks",
  permission: "webhooks:write",
  summary: {
    zh: "新建 Webhook；签名密钥只显示这一次",
    en: "Make a webhook; its signing secret is shown this once",
  },
  input: z.strictObject({
    name,
    url,
    types,
    segment: z.uuid().nullable().default(null), // only what happens to its members
    format: format.default("webhook"),
    signature: signature.default("v1"),
  }),
  output: z.object({ id: webhook, ...secret }),
  failures: [...unfit, "feeds.too_many"],
  secret: true,
});

export const change = endpoint({
  method: "PATCH",
  path: "/v1/webhooks/:webhook",
  permission: "webhooks:write",
  summary: { zh: "修改、停用或启用 Webhook", en: "Change a webhook, turn it off or on" },
  input: z.strictObject({
    webhook,
    name: name.optional(),
    url: url.optional(),
    types: types.optional(),
    segment: z.uuid().nullable().optional(),
    format: format.optional(),
    on: z.boolean().optional(),
  }),
  output: none,
  failures: ["feeds.unknown", ...unfit],
});

export const remove = endpoint({
  method: "DELETE",
  path: "/v1/webhooks/:webhook",
  permission: "webhooks:write",
  summary: { zh: "删除 Webhook", en: "Delete a webhook" },
  input: z.strictObject({ webhook }),
  output: none,
  failures: ["feeds.unknown"],
});

export const rotate = endpoint({
  method: "POST",
  path: "/v1/webhooks/:webhook/rotate",
  permission: "webhooks:write",
  summary: {
    zh: "更换签名密钥；旧密钥 24 小时内仍会一同签名",
    en: "Exchange the signing secret; for 24 hours the old one signs as well",
  },
  input: z.strictObject({ webhook }),
  output: z.object({ ...secret, oldUntil: instant }),
  failures: ["feeds.unknown"],
  secret: true,
});

export const test = endpoint({
  method: "POST",
  path: "/v1/webhooks/:webhook/test",
  permission: "webhooks:write",
  summary: { zh: "发送一条测试消息", en: "Send a test message" },
  input: z.strictObject({ webhook }),
  output: z.object({ event: z.uuid() }),
  failures: ["feeds.unknown", "feeds.is_off"],
});

const state = z.enum(["waiting", "taken", "failed"]);
export const deliveries = endpoint({
  method: "GET",
  path: "/v1/webhooks/:webhook/deliveries",
  permission: "webhooks:read",
  summary: { zh: "投递记录：保留 30 天", en: "The delivery log, kept 30 days" },
  input: z.strictObject({
    webhook,
    state: state.optional(),
    before: z.uuid().optional(), // the last page's `next`
    limit: z.coerce.number().int().min(1).max(200).default(50),
  }),
  output: z.object({
    deliveries: z.array(
      z.object({
        event: z.uuid(),
        type: z.string(),
        at: instant, // when it happened, on the shop's clock
        state,
        attempts: z.number(),
        nextAt: instant.nullable(),
        doneAt: instant.nullable(),
        status: z.number().nullable(), // of the last answer
        code: z.string().nullable(), // why there was none
        ms: z.number().nullable(),
      }),
    ),
    next: z.string().nullable(),
  }),
  failures: ["feeds.unknown"],
});

export const delivery = endpoint({
  method: "GET",
  path: "/v1/webhooks/:webhook/deliveries/:event",
  permission: "webhooks:read",
  summary: {
    zh: "一条消息：发送的内容和每次尝试的答复",
    en: "One message: what was sent, and the answer to each attempt",
  },
  input: z.strictObject({ webhook, event: z.uuid() }),
  output: z.object({
    state,
    body: z.string(),
    attempts: z.array(
      z.object({
        at: instant,
        ms: z.number(),
        status: z.number().nullable(),
        code: z.string().nullable(),
        answer: z.string().nullable(), // its first 2 KiB
        cut: z.boolean(), // there was more
      }),
    ),
  }),
  failures: ["feeds.unknown", "feeds.no_delivery"],
});

export const replay = endpoint({
  method: "POST",
  path: "/v1/webhooks/:webhook/deliveries/:event/replay",
  permission: "webhooks:write",
  summary: { zh: "重新发送一条消息", en: "Send one message again" },
  input: z.strictObject({ webhook, event: z.uuid() }),
  output: none,
  failures: ["feeds.unknown", "feeds.is_off", "feeds.no_delivery"],
});

export const replayFailed = endpoint({
  method: "POST",
  path: "/v1/webhooks/:webhook/replay",
  permission: "webhooks:write",
  summary: {
    zh: "重新发送某时以来失败的全部消息：一次最多 10 万条",
    en: "Send all messages again that failed since an instant: at most 100,000 at a time",
  },
  input: z.strictObject({ webhook, since: instant }),
  output: z.object({ messages: z.number() }),
  failures: ["feeds.unknown", "feeds.is_off"],
});

const cloudEvent = z.object({
  specversion: z.literal("1.0"),
  id: z.string(),
  source: z.string(),
  type: z.string(),
  time: instant,
  datacontenttype: z.literal("application/json"),
  subject: z.string().optional(),
  sequence: z.string(), // the cursor after this event
  data: z.record(z.string(), z.unknown()),
});
export const feed = endpoint({
  method: "GET",
  path: "/v1/feed",
  permission: "feed:read",
  summary: {
    zh: "事件流（CloudEvents 批次）：按游标取，不漏不跳；可等待至多 25 秒；保留 30 天",
    en: "The feed, as CloudEvents batches: by a cursor that skips nothing, waiting up to 25 s; kept 30 days",
  },
  input: z.strictObject({
    after: z.string().max(20).optional(), // the answer's Liuke-Cursor; absent: from the oldest
    types: z.string().max(5000).optional(), // parted by commas
    limit: z.coerce.number().int().min(1).max(limits.feedPage).default(100),
    wait: z.coerce.number().int().min(0).max(limits.waitSeconds).default(0), // seconds
  }),
  output: z.array(cloudEvent),
  failures: ["request.invalid", "feeds.feed_off", "feeds.cursor_old", "feeds.type_unknown"],
});

export const keepFeed = endpoint({
  method: "PUT",
  path: "/v1/feed",
  permission: "webhooks:write",
  summary: { zh: "开启或关闭事件流", en: "Turn the feed on or off" },
  input: z.strictObject({ kept: z.boolean() }),
  output: none,
  failures: [],
});
