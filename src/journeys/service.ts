// What a caller can ask of journeys: write a programme down, and begin a run of it.
import * as people from "#people/service.ts";
import type { House } from "#kernel/endpoint.ts";
import { fail, ok, type Result } from "#kernel/result.ts";
import type { PersonKey, Tx } from "#kernel/sql.ts";
import { resetTimers, setTimers } from "#kernel/timers.ts";
import * as experiments from "#experiments/service.ts";
import { firstNode, runToStart, seedOf, windowEnd } from "./rules.ts";
import * as store from "./store.ts";

export { erase } from "./store.ts";

export const stepTimer = "journeys.step";
export const finishTimer = "journeys.finish";

/** Takes a programme away with its runs, results and decisions: for demo data. A timer that is left finds nothing. */
export async function remove(tx: Tx, ref: string): Promise<Result<null, "journeys.unknown">> {
  const programme = await store.programme(tx, ref);
  if (!programme) return fail("journeys.unknown");
  await store.remove(tx, programme.id);
  await experiments.removeSeries(tx, programme.id);
  return ok(null);
}

type New = Omit<store.Programme, "id" | "at">;
/**
 * Writes a programme down, and with it the seed of its first run, before anybody can know a result. One whose key is
 * taken is answered as it was written first.
 */
export async function define(tx: Tx, house: House, programme: New): Promise<store.Programme> {
  const at = house.clocks.shop();
  const kept = await store.define(tx, { ...programme, id: house.newId(), at });
  await design(tx, house, kept, 1);
  return kept;
}
const design = (tx: Tx, house: House, programme: store.Programme, number: number) =>
  experiments.define(tx, house, {
    series: programme.id,
    number,
    seed: seedOf(programme.seed, number),
    treatedShareBp: programme.treatedShareBp,
  });

/** Everybody who is in a segment now, with the line of its log by which they came in. */
export type Freeze = (
  segmentId: string,
) => Promise<readonly (PersonKey & { logId: string | null })[]>;
export type Started = {
  runId: string;
  number: number;
  from: string;
  until: string;
  treated: number;
  control: number;
};
/**
 * Freezes the segment as it is now, splits it, and sets a timer for each person who is to be reached: one transaction,
 * so a crash leaves a run that has begun or one that has not. What was begun already is answered as it stands.
 */
export async function start(
  tx: Tx,
  house: House,
  { ref, number }: { ref: string; number?: number | undefined },
  freeze: Freeze,
): Promise<Result<Started, "journeys.unknown" | "journeys.nobody" | "journeys.not_next">> {
  const programme = await store.programme(tx, ref);
  if (!programme) return fail("journeys.unknown");
  const runs = await store.runs(tx, programme.id);
  const plan = runToStart(runs.at(-1) ?? null, number);
  if (!plan) return fail("journeys.not_next");
  const had = runs.find((run) => run.number === plan.number);
  if (had) return ok(await started(tx, had));
  const members = await freeze(programme.segmentId);
  if (members.length === 0) return fail("journeys.nobody");

  const fromAt = house.clocks.shop();
  const experiment = await design(tx, house, programme, plan.number);
  const run: store.Run = {
    id: house.newId(),
    programmeId: programme.id,
    number: plan.number,
    experimentId: experiment.id,
    state: "running",
    fromAt,
    untilAt: windowEnd(fromAt, programme.windowDays, house.clocks.timeZone),
  };
  // Somebody began it while we looked: theirs is the run.
  if (!(await store.begin(tx, run))) return start(tx, house, { ref, number: plan.number }, freeze);
  const who = members.map(({ bucket, personId }) => ({ bucket, personId }));
  const arms = await experiments.assign(tx, house, experiment, who);
  const enrolments = members.map(({ bucket, personId, logId }) => {
    const arm = arms.get(personId)!;
    const node = firstNode(arm);
    return { bucket, personId, runId: run.id, id: house.newId(), arm, node, cause: logId };
  });
  await store.enrol(tx, enrolments, fromAt);
  await setTimers(
    tx,
    enrolments
      .filter(({ node }) => node === "waiting")
      .map(({ bucket, personId }) => ({
        bucket,
        personId,
        kind: stepTimer,
        key: run.id,
        dueAt: fromAt,
      })),
  );
  await setTimers(tx, [{ kind: finishTimer, key: run.id, dueAt: run.untilAt }]);
  return ok(await started(tx, run));
}

async function started(tx: Tx, run: store.Run): Promise<Started> {
  const counts = await experiments.armCounts(tx, run.experimentId);
  return {
    runId: run.id,
    number: run.number,
    from: run.fromAt.toISOString(),
    until: run.untilAt.toISOString(),
    ...counts,
  };
}

const ranks = ["waiting", "held_out", "no_budget", "no_coupon", "sent"];
const rankOf = (rows: readonly Record<string, unknown>[]): number =>
  Math.max(...rows.map(({ node }) => ranks.indexOf(String(node))));
/** What somebody came to in a run goes whole: where they stand, and how they got there. */
const rows = people.moverOf({
  moved: { journeys_enrolment: ["run_id"], journeys_move: ["run_id"] },
  wins: (_, from, into) => rankOf(from) > rankOf(into),
});
/** Whoever waits in a run has its timer, and nobody else. */
const resume = async (tx: Tx, person: PersonKey): Promise<void> =>
  resetTimers(
    tx,
    person,
    stepTimer,
    (await store.waitingOf(tx, person)).map(({ runId, fromAt }) => ({ key: runId, dueAt: fromAt })),
  );
/** One enrolment a run: the one that came further goes on, and both are as they were where the merge is undone. */
export const movers: people.Mover = {
  merge: async (house, tx, merges) => {
    for (const person of await rows.merge(house, tx, merges)) await resume(tx, person);
  },
  unmerge: async (house, tx, merge) => {
    await rows.unmerge(house, tx, merge);
    const holder = await people.find(tx, merge.into.personId);
    await resume(tx, merge.from);
    if (holder.ok) await resume(tx, holder.value);
  },
};
