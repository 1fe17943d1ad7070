import { z } from "zod";
import { endpoint } from "#kernel/endpoint.ts";
import { decision, design, result } from "#experiments/api.ts";

const sentence = z.object({ zh: z.string(), en: z.string() });
const arm = z.enum(["treated", "control"]);
/** Minor units as text: above 2^53 a number would be rounded. */
const minor = z.string().regex(/^-?\d+$/);
/** Where a person of a run stands: waiting for the step, reached, not reached for want of budget or coupon, held out. */
const node = z.enum(["waiting", "sent", "no_budget", "no_coupon", "held_out"]);
/** Of a message on one channel: "waiting" until quiet hours end, then on its way, then one of the rest. */
const verdict = z.enum(["waiting", "ready", "sending", "sent", "preview", "failed", "suppressed"]);
const state = z.enum(["ready", "running", "measured"]);
const count = z.int().nonnegative();

const segment = z.object({ id: z.uuid(), name: sentence, sentence, people: count });

const run = z.object({
  id: z.uuid(),
  number: z.int(),
  state: z.enum(["running", "measured"]),
  /** The segment was frozen at this instant, and outcomes count from it on. */
  from: z.iso.datetime(),
  until: z.iso.datetime(),
  arms: z.array(z.object({ arm, people: count })),
  /** Turned out to have been in both arms: in neither's figures. */
  crossed: count,
  nodes: z.array(z.object({ node, people: count })),
  coupons: z.object({ issued: count, redeemed: count }),
  /** One row a channel and what became of its messages. */
  messages: z.array(
    z.object({
      channel: z.string(),
      verdict,
      /** A code that says why; null where nothing stood in the way. */
      reason: z.string().nullable(),
      messages: count,
    }),
  ),
  /** Null until the window is over: a look in between would be a second test. */
  result: result.nullable(),
  decision: decision.nullable(),
});

const brief = z.object({
  id: z.uuid(),
  key: z.string(),
  name: sentence,
  state,
  segment,
  run: z
    .object({
      number: z.int(),
      from: z.iso.datetime(),
      until: z.iso.datetime(),
      treated: count,
      control: count,
      verdict: z.string().nullable(),
      advice: z.string().nullable(),
    })
    .nullable(),
});

export const listProgrammes = endpoint({
  method: "GET",
  path: "/v1/programmes",
  permission: "programmes:read",
  summary: { zh: "看所有运营计划", en: "All programmes" },
  input: z.strictObject({}),
  output: z.object({ programmes: z.array(brief) }),
  failures: [],
});

export const readProgramme = endpoint({
  method: "GET",
  path: "/v1/programmes/:programme",
  permission: "programmes:read",
  summary: {
    zh: "看一个运营计划：对谁、做了什么、有没有用、接下来怎么办",
    en: "One programme: whom it is for, what was done, whether it helped, what comes next",
  },
  /** `:programme` is its id or its key; `run` counts from 1, the latest where left out. */
  input: z.strictObject({
    programme: z.string().min(1).max(80),
    run: z.coerce.number().int().min(1).optional(),
  }),
  output: z.object({
    id: z.uuid(),
    key: z.string(),
    name: sentence,
    state,
    segment,
    /** Of the run shown; before the first, of the one to come. */
    design,
    windowDays: z.int(),
    picks: z.int(),
    /** Of the coupon campaign; money given away already and held for coupons that may still be used. */
    budget: z
      .object({
        campaignId: z.uuid(),
        currency: z.string(),
        couponLimit: count.nullable(),
        coupons: count,
        minorLimit: minor.nullable(),
        minor,
      })
      .nullable(),
    run: run.nullable(),
    /** Every run, the oldest first. */
    runs: z.array(
      z.object({
        number: z.int(),
        state: z.enum(["running", "measured"]),
        from: z.iso.datetime(),
        until: z.iso.datetime(),
        verdict: z.string().nullable(),
        differenceBp: z.int().nullable(),
        intervalBp: z.tuple([z.int(), z.int()]).nullable(),
        advice: z.string().nullable(),
      }),
    ),
  }),
  failures: ["journeys.unknown"],
});

export const programmePeople = endpoint({
  method: "GET",
  path: "/v1/programmes/:programme/people",
  permission: "programmes:read",
  summary: {
    zh: "看一个数字背后的人：按分组、是否回来、所在步骤、消息结果筛选",
    en: "The people behind a number: by arm, whether they returned, where they stand, what became of their message",
  },
  input: z.strictObject({
    programme: z.string().min(1).max(80),
    run: z.coerce.number().int().min(1).optional(),
    arm: arm.optional(),
    returned: z.enum(["true", "false"]).optional(),
    /** Those alone who turned out to have been in both arms. */
    crossed: z.enum(["true"]).optional(),
    node: node.optional(),
    coupon: z.enum(["issued", "redeemed"]).optional(),
    channel: z.string().max(40).optional(),
    verdict: verdict.optional(),
    after: z.uuid().optional(),
    limit: z.coerce.number().int().min(1).max(500).default(100),
  }),
  output: z.object({
    /** How many there are in all: the number that was clicked. */
    total: count,
    people: z.array(
      z.object({
        personId: z.uuid(),
        /** The shop's own number of them, for callers who may read members. */
        userId: z.string().nullable(),
        enrolmentId: z.uuid(),
        arm,
        node,
        /** Null until the window is over. */
        returned: z.boolean().nullable(),
        revenueMinor: minor.nullable(),
        couponId: z.uuid().nullable(),
        messages: z.array(z.object({ id: z.uuid(), channel: z.string(), verdict })),
      }),
    ),
    /** Give it as `after` for the next page; null at the end. */
    next: z.uuid().nullable(),
  }),
  failures: ["journeys.unknown"],
});

export const startProgramme = endpoint({
  method: "POST",
  path: "/v1/programmes/:programme/start",
  permission: "programmes:run",
  summary: {
    zh: "开始一个运营计划：把此刻的人群定下来，分组，开始触达",
    en: "Start a programme: freeze its people as they are now, split them, begin to act",
  },
  /** A run that was begun already is answered as it stands: starting twice starts once. */
  input: z.strictObject({
    programme: z.string().min(1).max(80),
    run: z.int().min(1).optional(),
  }),
  output: z.object({
    runId: z.uuid(),
    number: z.int(),
    from: z.iso.datetime(),
    until: z.iso.datetime(),
    treated: count,
    control: count,
  }),
  failures: ["journeys.unknown", "journeys.nobody", "journeys.not_next"],
});
