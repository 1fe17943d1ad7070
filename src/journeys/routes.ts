import { answer, implement, type House, type Reading, type Route } from "#kernel/endpoint.ts";
import { nobody } from "#kernel/ids.ts";
import { fail, ok } from "#kernel/result.ts";
import type { PersonKey } from "#kernel/sql.ts";
import * as experiments from "#experiments/service.ts";
import * as people from "#people/service.ts";
import * as segments from "#segments/service.ts";
import * as api from "./api.ts";
import * as service from "./service.ts";
import * as store from "./store.ts";
import * as views from "./views.ts";

async function segmentOf(house: House, segmentId: string) {
  const all = await segments.all(house.sql);
  const segment = all.find(({ id }) => id === segmentId);
  const gone = { zh: "人群已删除", en: "The segment was removed" };
  return {
    id: segmentId,
    name: segment?.name ?? gone,
    sentence: segment ? await segments.read(house, house.sql, segment, all) : gone,
    people: await views.segmentPeople(house.sql, segmentId),
  };
}
const stateOf = (run: store.Run | undefined): "ready" | "running" | "measured" =>
  run?.state ?? "ready";
const spanOf = ({ number, fromAt, untilAt }: store.Run) => ({
  number,
  from: fromAt.toISOString(),
  until: untilAt.toISOString(),
});

const list = answer(api.listProgrammes, async ({ house }) => {
  const { sql } = house;
  const standings = new Map((await views.standings(sql)).map((row) => [row.runId, row]));
  const programmes = [];
  for (const { id, key, name, segmentId } of await store.programmes(sql)) {
    const last = (await store.runs(sql, id)).at(-1);
    const standing = last && standings.get(last.id);
    const run = standing && {
      ...spanOf(last),
      treated: standing.treated,
      control: standing.control,
      verdict: standing.verdict,
      advice: standing.advice,
    };
    const segment = await segmentOf(house, segmentId);
    programmes.push({ id, key, name, state: stateOf(last), segment, run: run ?? null });
  }
  return ok({ programmes });
});

/** The run that was asked for, the latest where none was; undefined where there is no such run. */
const chosen = (runs: readonly store.Run[], number: number | undefined) =>
  number === undefined ? runs.at(-1) : runs.find((run) => run.number === number);

const read = answer(api.readProgramme, async ({ house }, { programme: ref, run: number }) => {
  const { sql } = house;
  const programme = await store.programme(sql, ref);
  const runs = programme ? await store.runs(sql, programme.id) : [];
  const run = chosen(runs, number);
  if (!programme || (number !== undefined && !run)) return fail("journeys.unknown");
  const { id, key, name, windowDays, picks, campaignId } = programme;
  const standings = new Map((await views.standings(sql)).map((row) => [row.runId, row]));
  const measured = run
    ? await experiments.read(sql, run.experimentId)
    : await experiments.readSeries(sql, id, 1);
  if (!measured) throw new Error(`programme ${key} has no design`);
  const budget = await views.budget(sql, campaignId);
  return ok({
    id,
    key,
    name,
    state: stateOf(runs.at(-1)),
    segment: await segmentOf(house, programme.segmentId),
    design: measured.design,
    windowDays,
    picks,
    budget: budget && {
      ...budget,
      campaignId,
      minorLimit: budget.minorLimit === null ? null : String(budget.minorLimit),
      minor: String(budget.minor),
    },
    run: run
      ? {
          id: run.id,
          ...spanOf(run),
          state: run.state,
          arms: measured.arms,
          crossed: measured.crossed,
          nodes: [...(await views.nodes(sql, run.id))],
          coupons: await views.coupons(sql, run.id),
          messages: [...(await views.messages(sql, run.id))],
          result: measured.result,
          decision: measured.decision,
        }
      : null,
    runs: runs.map((one) => {
      const standing = standings.get(one.id);
      return {
        ...spanOf(one),
        state: one.state,
        verdict: standing?.verdict ?? null,
        differenceBp: standing?.differenceBp ?? null,
        intervalBp: standing?.intervalBp ?? null,
        advice: standing?.advice ?? null,
      };
    }),
  });
});

const behind = answer(api.programmePeople, async (reading, input) => {
  const { house } = reading;
  const programme = await store.programme(house.sql, input.programme);
  const run = programme && chosen(await store.runs(house.sql, programme.id), input.run);
  if (!run) return fail("journeys.unknown");
  const returned = input.returned === undefined ? undefined : input.returned === "true";
  const crossed = input.crossed === "true";
  const rows = await views.people(
    house.sql,
    run,
    { ...input, returned, crossed },
    { after: input.after ?? nobody, limit: input.limit },
  );
  const known = await userIds(reading, rows);
  return ok({
    total: rows[0]?.total ?? 0,
    people: rows.map((row) => ({
      ...row,
      userId: known.get(row.personId) ?? null,
      revenueMinor: row.revenueMinor === null ? null : String(row.revenueMinor),
    })),
    next: rows.length === input.limit ? rows.at(-1)!.personId : null,
  });
});
/** The shop's own numbers of people, for whoever may read members; nobody else is shown any. */
const userIds = ({ house, actor }: Reading, rows: readonly PersonKey[]) =>
  actor.permissions.has("members:read")
    ? people.identifiers(house, house.sql, [...rows], "user_id")
    : Promise.resolve(new Map<string, string>());

export const routes: Route[] = [
  list,
  read,
  behind,
  implement(api.startProgramme, ({ tx, house }, { programme: ref, run: number }) =>
    service.start(tx, house, { ref, number }, (segmentId) => views.frozen(tx, segmentId)),
  ),
];
