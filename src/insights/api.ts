import { z } from "zod";
import { endpoint } from "#kernel/endpoint.ts";

const sentence = z.object({ zh: z.string(), en: z.string() });
const count = z.int().nonnegative();
/** Minor units as text: above 2^53 a number would be rounded. */
const minor = z.string().regex(/^-?\d+$/);
const month = z.string().regex(/^(19|20|21)\d{2}-(0[1-9]|1[0-2])$/);
const engine = z.enum(["columns", "sql"]);
const instant = z.iso.datetime();

const freshness = z.object({
  /** When the latest order that we know of was placed; null before the first. */
  lastOrderAt: instant.nullable(),
  /** Lines of the log that profiles have not taken in yet. */
  profilesBehind: count,
  /** Lines of the log that the columns engine has not got, or has not confirmed, yet. */
  columnsBehind: count,
});
const house = z.object({
  timeZone: z.string(),
  currency: z.string(),
  clock: z.object({ mode: z.enum(["real", "hand"]), now: instant, today: z.iso.date() }),
  /** True while made-up or bundled data is in the house: every page says so. */
  demo: z.boolean(),
  freshness,
});

export const readHouse = endpoint({
  method: "GET",
  path: "/v1/house",
  permission: "house:read",
  // Every page states the shop's clock and how fresh its data is, whatever its reader may see.
  scopes: ["merchants", "cases"],
  summary: {
    zh: "店铺时间、时区、币种、是否演示数据、数据有多新",
    en: "The shop's clock, zone and currency, whether it holds demo data, and how fresh it is",
  },
  input: z.strictObject({}),
  output: house,
  failures: [],
});

const person = z.object({
  personId: z.uuid(),
  /** The shop's own number of them, for callers who may read members. */
  userId: z.string().nullable(),
});
const page = {
  after: z.uuid().optional(),
  limit: z.coerce.number().int().min(1).max(500).default(100),
};

export const retention = endpoint({
  method: "GET",
  path: "/v1/retention",
  permission: "retention:read",
  summary: {
    zh: "留存：按首次购买的月份分组，看之后每个月有多少人再买",
    en: "Retention: people by the month of their first purchase, and how many bought in each month after",
  },
  input: z.strictObject({ engine: engine.default("columns") }),
  output: z.object({
    engine,
    timeZone: z.string(),
    asOf: instant,
    cohorts: z.array(
      z.object({
        month,
        people: count,
        /** cells[k] is the k-th month after; cells[0].people is the cohort itself. */
        cells: z.array(
          z.object({
            month,
            people: count,
            /** Basis points of the cohort. */
            rateBp: z.int(),
            /** False while the month is not over. */
            complete: z.boolean(),
          }),
        ),
      }),
    ),
  }),
  failures: [],
});

export const retentionPeople = endpoint({
  method: "GET",
  path: "/v1/retention/people",
  permission: "retention:read",
  summary: { zh: "看留存表里一格的人", en: "The people of one cell of the retention table" },
  input: z.strictObject({ cohort: month, month, ...page }),
  output: z.object({
    total: count,
    people: z.array(person.extend({ orders: count, revenueMinor: minor })),
    next: z.uuid().nullable(),
  }),
  failures: [],
});

/** Sales and refunds of whole days, [from, until] both included, where the shop is. */
const sales = z.object({
  from: z.iso.date(),
  until: z.iso.date(),
  orders: count,
  /** Known people who bought; lines that name nobody count for the shop only. */
  people: count,
  /** Sales less refunds. */
  revenueMinor: minor,
});
const figure = z.enum(["yesterday", "day_before", "week", "week_before", "stage", "transition"]);

export const today = endpoint({
  method: "GET",
  path: "/v1/today",
  permission: "today:read",
  summary: {
    zh: "今天：昨天和最近七天的订单、会员阶段、新变化、正在做的计划、数据情况",
    en: "Today: orders of yesterday and the week, members by stage, what changed, programmes under way, the data's state",
  },
  input: z.strictObject({}),
  output: z.object({
    house,
    yesterday: sales,
    dayBefore: sales,
    week: sales,
    weekBefore: sales,
    members: count,
    stages: z.array(z.object({ stage: z.string(), people: count })),
    /** Changes of stage in the last seven days. `before` is null for who had none. */
    transitions: z.array(
      z.object({ before: z.string().nullable(), after: z.string().nullable(), people: count }),
    ),
    programmes: z.array(
      z.object({
        id: z.uuid(),
        key: z.string(),
        name: sentence,
        state: z.enum(["running", "measured"]),
        number: z.int(),
        until: instant,
        treated: count,
        control: count,
        verdict: z.string().nullable(),
        advice: z.string().nullable(),
      }),
    ),
    rejected: z.object({
      lines: count,
      reasons: z.array(z.object({ reason: z.string(), lines: count })),
    }),
  }),
  failures: [],
});

export const todayPeople = endpoint({
  method: "GET",
  path: "/v1/today/people",
  permission: "today:read",
  summary: { zh: "看“今天”里一个数字背后的人", en: "The people behind one number of Today" },
  /** `stage` with figure=stage; `before` and `now` (left out: none) with figure=transition. */
  input: z.strictObject({
    figure,
    stage: z.string().max(40).optional(),
    before: z.string().max(40).optional(),
    now: z.string().max(40).optional(),
    ...page,
  }),
  output: z.object({ total: count, people: z.array(person), next: z.uuid().nullable() }),
  failures: [],
});

const step = z.object({
  /** The row's own id: of the event, the tag's log line, the enrolment, the coupon, … */
  id: z.string(),
  kind: z.enum([
    "event",
    "tag",
    "segment",
    "enrolment",
    "coupon",
    "message",
    "outcome",
    "result",
    "decision",
  ]),
  /** The id of the step that this one came from; null where the walk begins. */
  from: z.string().nullable(),
  at: instant,
  sentence,
  /** The row's figures, for whoever wants more than the sentence. */
  data: z.record(z.string(), z.unknown()),
});
const trace = z.object({
  personId: z.uuid().nullable(),
  userId: z.string().nullable(),
  /** In the order in which it happened. */
  steps: z.array(step),
});

export const traceEvent = endpoint({
  method: "GET",
  path: "/v1/trace/:event",
  permission: "trace:read",
  scopes: ["cases"],
  summary: {
    zh: "从一个事件走到标签变化、触达、结果和决定",
    en: "From one event to the changed tag, the act, the outcome and the decision",
  },
  input: z.strictObject({ event: z.uuid() }),
  output: trace,
  failures: ["insights.no_event"],
});

export const traceMember = endpoint({
  method: "GET",
  path: "/v1/members/:person/trace",
  permission: "trace:read",
  scopes: ["cases"],
  summary: {
    zh: "一个会员最近一次触达的来龙去脉：从引起它的事件到最后的决定",
    en: "A member's latest act from the event behind it to the decision after it",
  },
  input: z.strictObject({ person: z.uuid() }),
  output: trace,
  failures: ["people.unknown"],
});
