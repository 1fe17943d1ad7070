import { z } from "zod";
import { endpoint } from "#kernel/endpoint.ts";

/** Whole minor units as text: a JavaScript client would round them above 2^53. */
const minor = z.string();
const instant = z.iso.datetime();
const stage = z.enum(["new", "active", "dormant", "lost"]);
const sentence = z.object({ zh: z.string(), en: z.string() });
/** How fresh a page is: when the shop was last learned from, and the day before which its orders were read. */
const learned = z.object({ at: instant, asOfDay: z.iso.date() }).nullable();

/** Days since the last purchase after which a stage begins; null where the shop's past cannot tell yet. */
const thresholds = {
  newForDays: z.number().nullable(),
  dormantAfterDays: z.number().nullable(),
  lostAfterDays: z.number().nullable(),
  closedGaps: z.number(), // ended by a purchase
  openGaps: z.number(), // still open: "longer than this", one-time buyers included
  watchedDays: z.number(),
};

export const lifecycle = endpoint({
  method: "GET",
  path: "/v1/lifecycle",
  permission: "lifecycle:read",
  summary: {
    zh: "生命周期看板：各阶段人数、阈值及其由来、近 30 天的变化",
    en: "The lifecycle board: people in each stage, the thresholds and where they come from, changes of 30 days",
  },
  input: z.strictObject({}),
  output: z.object({
    now: instant, // shop clock
    timeZone: z.string(),
    learned,
    people: z.number(),
    stages: z.array(z.object({ stage, people: z.number(), shareBp: z.number() })),
    thresholds: z.object({ ...thresholds, sentence }).nullable(),
    categories: z.array(z.object({ category: z.string(), ...thresholds })),
    /** Share of all gaps, and of those who come back at all, that ended within `day` days (0 to 1). */
    curve: z.array(z.object({ day: z.number(), back: z.number(), ofReturners: z.number() })),
    transitions: z.object({
      sinceAt: instant,
      moves: z.array(
        z.object({
          from: stage.nullable(), // null: the first stage of somebody new to us
          to: stage,
          people: z.number(),
          byEvent: z.number(), // the rest by time alone
        }),
      ),
    }),
  }),
  failures: [],
});

export const transitions = endpoint({
  method: "GET",
  path: "/v1/lifecycle/transitions",
  permission: "lifecycle:read",
  summary: {
    zh: "谁从一个阶段到了另一个阶段，何时、为何",
    en: "Who went from one stage to another, when and why",
  },
  input: z.strictObject({
    from: z.union([stage, z.literal("none")]).optional(), // none: the first stage of all
    to: stage.optional(),
    days: z.coerce.number().int().min(1).max(3650).default(30),
    after: z.string().max(80).optional(), // the last page's `next`
    limit: z.coerce.number().int().min(1).max(200).default(50),
  }),
  output: z.object({
    transitions: z.array(
      z.object({
        id: z.uuid(),
        personId: z.uuid(),
        userId: z.string().nullable(),
        from: stage.nullable(),
        to: stage,
        at: instant,
        cause: z.uuid().nullable(), // the event; null where time alone did it
        reason: z.record(z.string(), z.unknown()),
        sentence,
      }),
    ),
    next: z.string().nullable(),
  }),
  failures: [],
});

const whole = z.object({ least: z.number().nullable(), most: z.number().nullable() });
const score = z.number().int().min(1).max(5);

export const rfm = endpoint({
  method: "GET",
  path: "/v1/rfm",
  permission: "lifecycle:read",
  summary: {
    zh: "RFM 矩阵：每格人数与平均金额，以及每个分数在本店的含义",
    en: "The RFM matrix: people and mean amount in each cell, and what each score means in this shop",
  },
  input: z.strictObject({}),
  output: z.object({
    now: instant,
    learned,
    people: z.number(),
    currency: z.string(),
    /** What each score means; both ends included, null is open. */
    meaning: z
      .object({
        recencyDays: z.array(z.object({ score, ...whole.shape })),
        orders: z.array(z.object({ score, ...whole.shape })),
        amountMinor: z.array(z.object({ score, least: minor.nullable(), most: minor.nullable() })),
      })
      .nullable(),
    /** 25 cells, r then f from 5 down to 1. GET /v1/members?rfm=r-f opens a cell, ?rfm=r-f-m a part of it. */
    cells: z.array(
      z.object({
        r: score,
        f: score,
        people: z.number(),
        meanAmountMinor: minor.nullable(), // null with nobody in it
        byM: z.array(z.object({ m: score, people: z.number() })),
        recencyDays: whole,
        orders: whole,
        sentence,
      }),
    ),
    /** Named segments in the order in which a shop reads them; GET /v1/members?rfmSegment= opens one. */
    segments: z.array(
      z.object({
        segment: z.string(),
        name: sentence,
        people: z.number(),
        meanAmountMinor: minor.nullable(),
      }),
    ),
  }),
  failures: [],
});

export const outlook = endpoint({
  method: "GET",
  path: "/v1/outlook",
  permission: "lifecycle:read",
  summary: {
    zh: "未来 90 天的预期：用了哪个模型、为什么，以及因此显示什么",
    en: "The next 90 days: which model the orders bear, why, and what is shown because of it",
  },
  input: z.strictObject({}),
  output: z.object({
    now: instant,
    learned,
    horizonDays: z.number(),
    /** none: too few orders to learn from. nbd: nobody can be seen to drop out. */
    model: z.enum(["bgnbd", "nbd", "none"]),
    why: z.enum(["degenerate_dropout", "too_few"]).nullable(),
    sentence,
    parameters: z.record(z.string(), z.number()),
    evidence: z
      .object({
        people: z.number(),
        repeats: z.number(),
        likelihoodRatio: z.number(),
        criticalRatio: z.number(),
        goneShare: z.number(),
        lostShare: z.number(),
        leastLostShare: z.number(),
      })
      .nullable(),
    /** Which figures of a person are shown: p_alive only where the model knows dropout. */
    shown: z.array(z.enum(["order_chance_90d", "expected_orders_90d", "p_alive"])),
    /** Sums over all people, and how many have a chance from `fromBp` up to `toBp`. */
    expectedOrders: z.number().nullable(),
    chances: z.array(z.object({ fromBp: z.number(), toBp: z.number(), people: z.number() })),
  }),
  failures: [],
});
