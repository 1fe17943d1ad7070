import { z } from "zod";
import { endpoint } from "#kernel/endpoint.ts";
import { types } from "./rules.ts";

const type = z.enum(types);
const planned = z.record(
  z.string().min(1).max(100),
  z.strictObject({ type, required: z.boolean() }),
);
const drift = z.object({
  kind: z.enum([
    "new_event",
    "new_property",
    "type_changed",
    "missing",
    "odd",
    "fallen",
    "risen",
    "off_plan",
  ]),
  property: z.string().nullable(),
  // Shares of events (missing, odd), or events a day (fallen, risen): before and now.
  before: z.number().nullable(),
  now: z.number().nullable(),
  typesBefore: z.array(type),
  typesNow: z.array(type),
});
const event = z.object({
  source: z.uuid(),
  sourceName: z.string(),
  name: z.string(), // empty: all names beyond the limit, or that may not be kept
  label: z.object({ zh: z.string(), en: z.string() }).nullable(), // what the vocabulary calls it
  status: z.enum(["planned", "known", "unknown"]),
  blocked: z.boolean(),
  total: z.number(),
  firstAt: z.iso.datetime(),
  lastAt: z.iso.datetime(),
  days: z.array(z.object({ day: z.iso.date(), events: z.number() })), // the last 14, where the shop is
  drift: z.array(drift),
});
const which = { source: z.uuid(), name: z.string().trim().min(1).max(200) };

export const events = endpoint({
  method: "GET",
  path: "/v1/tracking-plan",
  permission: "house:read",
  summary: {
    zh: "每个来源发来的事件：数量、是否认识、和以前有什么不同",
    en: "What each source sends: events, how many, whether they are known, and what differs from before",
  },
  input: z.strictObject({ source: z.uuid().optional() }),
  output: z.object({ events: z.array(event) }), // at most 1,000, the latest first
  failures: [],
});
export const ofEvent = endpoint({
  method: "GET",
  path: "/v1/tracking-plan/event",
  permission: "house:read",
  summary: {
    zh: "一个事件的属性：类型、出现比例、首次和最近出现",
    en: "An event's properties: their types, how many events bring them, when first and last",
  },
  input: z.strictObject(which),
  output: event.extend({
    looked: z.number(), // events of the last 14 days whose properties were looked at
    properties: z.array(
      z.object({
        property: z.string(), // empty: those beyond the limit
        types: z.array(type),
        share: z.number(), // of the events looked at
        odd: z.number(), // values that cannot be what the vocabulary says
        firstAt: z.iso.datetime().nullable(), // null: planned, and never seen
        lastAt: z.iso.datetime().nullable(),
        known: z.boolean(), // the vocabulary has it
        planned: z.object({ type, required: z.boolean() }).nullable(),
      }),
    ),
  }),
  failures: ["plan.unknown"],
});
export const plan = endpoint({
  method: "POST",
  path: "/v1/tracking-plan/plan",
  permission: "house:write",
  summary: {
    zh: "规定一个事件应有的属性；传空则取消",
    en: "Plan the properties that an event should bring; null takes the plan back",
  },
  input: z.strictObject({ ...which, properties: planned.nullable() }),
  output: z.object({}),
  failures: ["collect.source_unknown", "plan.full"],
});
export const block = endpoint({
  method: "POST",
  path: "/v1/tracking-plan/block",
  permission: "house:write",
  summary: {
    zh: "不再接收某个来源的一个事件，或重新接收",
    en: "Keep an event of a source out, or let it in again",
  },
  input: z.strictObject({ ...which, blocked: z.boolean() }),
  output: z.object({}),
  failures: ["collect.source_unknown", "plan.full"],
});
