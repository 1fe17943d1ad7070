import { addDays, instantOf } from "#kernel/clock.ts";
import { answer, type Actor, type House, type Reading, type Route } from "#kernel/endpoint.ts";
import { nobody } from "#kernel/ids.ts";
import { fail, ok } from "#kernel/result.ts";
import type { PersonKey } from "#kernel/sql.ts";
import * as experiments from "#experiments/service.ts";
import * as people from "#people/service.ts";
import * as api from "./api.ts";
import { monthStart, nextMonth, triangle, walk, type Story } from "./rules.ts";
import * as views from "./views.ts";

/** The shop's own numbers of people, for whoever may read members; nobody else is shown any. */
const userIds = (house: House, actor: Actor, who: PersonKey[]): Promise<Map<string, string>> =>
  actor.permissions.has("members:read")
    ? people.identifiers(house, house.sql, who, "user_id")
    : Promise.resolve(new Map());

const pageOf = ({ after, limit }: { after?: string | undefined; limit: number }): views.Page => ({
  after: after ?? nobody,
  limit,
});
async function listed<R extends views.Listed>(reading: Reading, rows: readonly R[], limit: number) {
  const known = await userIds(reading.house, reading.actor, [...rows]);
  return {
    total: rows[0]?.total ?? 0,
    people: rows.map((row) => ({ ...row, userId: known.get(row.personId) ?? null })),
    next: rows.length === limit ? rows.at(-1)!.personId : null,
  };
}

async function houseNow({ house, now, today }: Reading) {
  const { mode, demo, lastOrderAt, ...behind } = await views.state(house.sql);
  return {
    timeZone: house.clocks.timeZone,
    currency: house.settings.currency,
    clock: { mode, now: now.toISOString(), today },
    demo,
    freshness: { lastOrderAt: lastOrderAt?.toISOString() ?? null, ...behind },
  };
}

/** The days that Today compares; all of them are over. */
function daysOf(today: string) {
  const ago = (days: number) => addDays(today, -days);
  return {
    yesterday: [ago(1), ago(1)],
    day_before: [ago(2), ago(2)],
    week: [ago(7), ago(1)],
    week_before: [ago(14), ago(8)],
  } as const;
}
/** The same week as instants: changes are counted from its first midnight to now. */
const sinceWeek = ({ house, now, today }: Reading): views.Between => ({
  from: instantOf(`${addDays(today, -7)}T00:00`, house.clocks.timeZone),
  until: now,
});

const readToday = answer(api.today, async (reading) => {
  const { sql } = reading.house;
  const days = daysOf(reading.today);
  const of = async ([from, until]: readonly [string, string]) => {
    const { revenueMinor, ...counts } = await views.sales(sql, from, until);
    return { from, until, ...counts, revenueMinor: String(revenueMinor) };
  };
  const since = sinceWeek(reading);
  const [house, yesterday, dayBefore, week, weekBefore, members, moved, programmes, reasons] =
    await Promise.all([
      houseNow(reading),
      of(days.yesterday),
      of(days.day_before),
      of(days.week),
      of(days.week_before),
      views.members(sql),
      views.transitions(sql, since),
      views.programmes(sql, since.from),
      views.rejected(sql),
    ]);
  return ok({
    house,
    yesterday,
    dayBefore,
    week,
    weekBefore,
    members: members.people,
    stages: members.stages,
    transitions: [...moved],
    programmes: programmes.map(({ untilAt, ...row }) => ({
      ...row,
      until: untilAt.toISOString(),
    })),
    rejected: {
      lines: reasons.reduce((sum, { lines }) => sum + lines, 0),
      reasons: [...reasons],
    },
  });
});

const readTodayPeople = answer(api.todayPeople, async (reading, input) => {
  const { sql } = reading.house;
  const page = pageOf(input);
  const rows = await (() => {
    if (input.figure === "stage") return views.stagePeople(sql, input.stage ?? "", page);
    if (input.figure === "transition") {
      const { before = null, now = null } = input;
      return views.transitionPeople(sql, sinceWeek(reading), before, now, page);
    }
    const [from, until] = daysOf(reading.today)[input.figure];
    return views.salesPeople(sql, from, until, page);
  })();
  return ok(await listed(reading, rows, input.limit));
});

const readRetention = answer(api.retention, async ({ house, now }, { engine }) => {
  const { timeZone } = house.clocks;
  const cells =
    engine === "columns"
      ? await views.retentionFromColumns(house.columns, now, timeZone)
      : await views.retentionFromSql(house.sql, now, timeZone);
  const cohorts = triangle(cells, now, timeZone);
  return ok({ engine, timeZone, asOf: now.toISOString(), cohorts });
});

const readRetentionPeople = answer(api.retentionPeople, async (reading, input) => {
  const { house, now } = reading;
  const { timeZone } = house.clocks;
  const between = (month: string): views.Between => {
    const end = monthStart(nextMonth(month), timeZone);
    return { from: monthStart(month, timeZone), until: end < now ? end : now };
  };
  const rows = await views.buyersOf(
    house.sql,
    between(input.cohort),
    between(input.month),
    pageOf(input),
  );
  const page = await listed(reading, rows, input.limit);
  const shown = page.people.map((row) => ({ ...row, revenueMinor: String(row.revenueMinor) }));
  return ok({ ...page, people: shown });
});

/** An agent sees the people of the cases given to them, and no one else. */
const sees = ({ scope }: Reading, personId: string | null): boolean =>
  scope.kind === "all" ||
  (scope.kind === "cases" && personId !== null && scope.people.includes(personId));

const traceEvent = answer(api.traceEvent, async (reading, { event }) => {
  const { house } = reading;
  const found = await views.eventOwner(house.sql, house.columns, event);
  // To who may not see the person, their events do not exist.
  if (!found || !sees(reading, found.person?.personId ?? null)) return fail("insights.no_event");
  const { person } = found;
  if (!person) return ok({ personId: null, userId: null, steps: [] });
  return ok(await told(reading, person, await storyOf(house, person, event)));
});
const traceMember = answer(api.traceMember, async (reading, { person }) => {
  if (!sees(reading, person)) return fail("people.unknown");
  const found = await people.find(reading.house.sql, person);
  if (!found.ok) return found;
  return ok(await told(reading, found.value, await storyOf(reading.house, found.value, null)));
});
async function told({ house, actor }: Reading, person: PersonKey, story: Story) {
  const known = await userIds(house, actor, [person]);
  const { personId } = person;
  return { personId, userId: known.get(personId) ?? null, steps: walk(story) };
}

/**
 * The walk that an event is part of: the first run that it led to or that it answered, else only what it changed.
 * Without an event, the walk of the person's latest run, from the event behind it.
 */
async function storyOf(house: House, person: PersonKey, eventId: string | null): Promise<Story> {
  const { sql } = house;
  const lines = await views.tagLines(sql, person);
  const runs = await views.enrolments(sql, person);
  const asked = eventId === null ? null : await views.event(sql, person, eventId);
  const own = new Set([eventId, asked?.orderEventId ?? null]);
  for (const run of eventId === null ? runs.toReversed() : runs) {
    const way = await wayTo(house, person, lines, run);
    const outcome = await views.outcome(sql, person, run.experimentId);
    const part = own.has(way.eventId) || (outcome && own.has(outcome.firstEventId));
    if (eventId === null || part) return whole(house, person, run, way, outcome);
  }
  const line = lines.findLast(({ tag }) => tag === "lifecycle");
  const start = eventId ?? (line && (line.cause ?? (await views.lastSale(sql, person, line.at))));
  const event = asked ?? (start ? await views.event(sql, person, start) : null);
  const changed = event
    ? lines.filter(({ cause }) => cause !== null && (cause === start || own.has(cause)))
    : lines.filter((one) => one === line);
  return { ...nothing, event, tags: changed.map(shownTag) };
}
const nothing: Story = {
  event: null,
  tags: [],
  entry: null,
  enrolment: null,
  coupon: null,
  messages: [],
  outcome: null,
  result: null,
  decision: null,
};
const shownTag = ({ id, tag, before, after, at, cause }: views.TagLine): Story["tags"][number] => ({
  id,
  tag,
  before,
  after,
  at,
  silent: cause === null,
});

type Way = { entry: views.Entry | null; line: views.TagLine | null; eventId: string | null };
/** Back from a run to the event behind it: entry into the segment, the tag that brought it, what changed the tag. */
async function wayTo(
  { sql }: House,
  person: PersonKey,
  lines: readonly views.TagLine[],
  run: views.Enrolled,
): Promise<Way> {
  const entry = await views.entry(sql, person, run);
  if (entry?.causeKind === "event") return { entry, line: null, eventId: entry.cause };
  const until = entry?.at ?? run.at;
  // Where the definition let them in, it is the stage they stood at that it asked for.
  const line =
    lines.find(({ id }) => id === entry?.cause) ??
    lines.findLast(({ tag, at }) => tag === "lifecycle" && at <= until) ??
    null;
  // Where time alone changed the tag, the silence began with the last order before it.
  const eventId = line && (line.cause ?? (await views.lastSale(sql, person, line.at)));
  return { entry, line, eventId };
}

async function whole(
  { sql }: House,
  person: PersonKey,
  run: views.Enrolled,
  { entry, line, eventId }: Way,
  outcome: Story["outcome"],
): Promise<Story> {
  const measured = await experiments.read(sql, run.experimentId);
  const { result = null, decision = null } = measured ?? {};
  return {
    event: eventId === null ? null : await views.event(sql, person, eventId),
    tags: line ? [shownTag(line)] : [],
    entry: entry && { ...entry, tagId: line?.id ?? null },
    enrolment: run,
    coupon: run.couponId === null ? null : await views.coupon(sql, person, run.couponId),
    messages: [...(await views.messages(sql, person, run.id))],
    outcome,
    result: result && { ...result, at: new Date(result.measuredAt) },
    decision: decision && { ...decision, at: new Date(decision.decidedAt) },
  };
}

export const routes: Route[] = [
  answer(api.readHouse, async (reading) => ok(await houseNow(reading))),
  readRetention,
  readRetentionPeople,
  readToday,
  readTodayPeople,
  traceEvent,
  traceMember,
];
