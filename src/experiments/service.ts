// What other domains ask of experiments: write a design down, split people by it, measure once, decide once.
import type { House } from "#kernel/endpoint.ts";
import { fail, ok, type Result } from "#kernel/result.ts";
import type { PersonKey, Reader, Tx } from "#kernel/sql.ts";
import * as people from "#people/service.ts";
import { arm, bucketOf } from "./model/hash.ts";
import { adviceSentence, resultSentence } from "./model/sentence.ts";
import { advise, report } from "./rules.ts";
import * as store from "./store.ts";
import type { Arm, DecisionRow, Design, PersonOutcome, ResultRow } from "./store.ts";

export { erase, removeSeries } from "./store.ts";
export type { Arm, Design, PersonOutcome } from "./store.ts";

const hashVersion = 2;
/** 95 % intervals: where there is no effect, one run in twenty claims one. */
const alphaBp = 500;

type Asked = { series: string; number: number; seed: string; treatedShareBp: number };
/** Writes the design of one run down. Asked again, it is answered as it was written first. */
export const define = (tx: Tx, house: House, asked: Asked): Promise<Design> =>
  store.write(tx, {
    ...asked,
    id: house.newId(),
    hashVersion,
    alphaBp,
    writtenAt: house.clocks.shop(),
  });

/**
 * Splits people by a hash of the shop's own number of them, so that the same shop gets the same arms on any day and
 * any machine; by our id where there is none. The number itself is not stored. Gives every arm by person id.
 */
export async function assign(
  tx: Tx,
  house: House,
  { id, seed, treatedShareBp }: Design,
  who: PersonKey[],
): Promise<Map<string, Arm>> {
  const numbers = await people.identifiers(house, tx, who, "user_id");
  const rows = who.map(({ bucket, personId }) => {
    const unit = numbers.get(personId) ?? personId;
    const place = Math.round(bucketOf(seed, unit, hashVersion)! * 10_000);
    return { bucket, personId, place, arm: arm(seed, unit, { treatedShareBp }) };
  });
  await store.assign(tx, id, rows, house.clocks.shop());
  return new Map((await store.armsOf(tx, id)).map((row) => [row.personId, row.arm]));
}

export async function armCounts(reader: Reader, experimentId: string) {
  const rows = await store.armCounts(reader, experimentId);
  const of = (side: Arm) => rows.find((row) => row.arm === side)?.people ?? 0;
  return { treated: of("treated"), control: of("control") };
}

export type Window = { from: Date; until: Date; currency: string };
/**
 * The result of a run, from what everybody who was assigned did in [from, until). Worked out once: a second look
 * would be a second test, so it is answered with the first.
 */
export async function measure(
  tx: Tx,
  house: House,
  experimentId: string,
  { from, until, currency }: Window,
  outcomes: readonly PersonOutcome[],
): Promise<Result<ResultRow, "experiments.unknown">> {
  const design = await store.design(tx, experimentId);
  if (!design) return fail("experiments.unknown");
  const had = await store.resultOf(tx, experimentId);
  if (had) return ok(had);
  const of = (side: Arm) => {
    const mine = outcomes.filter((one) => one.arm === side);
    return {
      returned: mine.filter(({ orders }) => orders > 0).length,
      spentMinor: mine.map(({ revenueMinor }) => Number(revenueMinor)),
    };
  };
  const { treatedShareBp, seed } = design;
  const input = { treated: of("treated"), control: of("control"), treatedShareBp, currency, seed };
  const row: ResultRow = {
    id: house.newId(),
    experimentId,
    fromAt: from,
    untilAt: until,
    measuredAt: house.clocks.shop(),
    report: report(input),
  };
  await store.addResult(tx, row);
  await store.addOutcomes(tx, experimentId, house.newId, outcomes);
  return ok(row);
}

/** What to do after a run, given the runs of the same series before it. Decided once. */
export async function decide(
  tx: Tx,
  house: House,
  experimentId: string,
): Promise<Result<DecisionRow, "experiments.unknown">> {
  const design = await store.design(tx, experimentId);
  const result = design && (await store.resultOf(tx, experimentId));
  if (!result) return fail("experiments.unknown");
  const had = await store.decisionOf(tx, result.id);
  if (had) return ok(had);
  const before = await store.past(tx, design.series, design.number);
  const row: DecisionRow = {
    id: house.newId(),
    resultId: result.id,
    decidedAt: house.clocks.shop(),
    decision: advise(result.report, [...before]),
  };
  await store.addDecision(tx, row);
  return ok(row);
}

/** One run as a screen shows it: design, arms, result and decision, each with its sentences. Instants are ISO text. */
export async function read(reader: Reader, id: string) {
  const design = await store.design(reader, id);
  if (!design) return null;
  const result = await store.resultOf(reader, id);
  const decision = result && (await store.decisionOf(reader, result.id));
  return {
    design: shown(design),
    arms: [...(await store.armCounts(reader, id))],
    crossed: await store.crossedCount(reader, id),
    result: result && {
      id: result.id,
      from: result.fromAt.toISOString(),
      until: result.untilAt.toISOString(),
      measuredAt: result.measuredAt.toISOString(),
      report: result.report,
      sentence: {
        zh: resultSentence(result.report, "zh"),
        en: resultSentence(result.report, "en"),
      },
    },
    decision: decision && {
      id: decision.id,
      resultId: decision.resultId,
      decidedAt: decision.decidedAt.toISOString(),
      advice: decision.decision.advice,
      because: decision.decision.because,
      evidence: decision.decision.evidence,
      sentence: {
        zh: adviceSentence(decision.decision, "zh"),
        en: adviceSentence(decision.decision, "en"),
      },
    },
  };
}
/** The same of a run by its place in a series; it need not have begun. */
export async function readSeries(reader: Reader, series: string, number: number) {
  const id = await store.designIn(reader, series, number);
  return id === null ? null : read(reader, id);
}

const shown = ({ id, seed, hashVersion, treatedShareBp, alphaBp, writtenAt }: Design) => ({
  id,
  seed,
  hashVersion,
  treatedShareBp,
  primary: "return_rate" as const,
  secondary: "revenue_per_person" as const,
  alphaBp,
  writtenAt: writtenAt.toISOString(),
});

/** The first exposure stays; whoever was in both arms leaves the analysis and is counted. */
const rows = people.moverOf({
  moved: { experiments_assignment: ["experiment_id"], experiments_outcome: ["experiment_id"] },
  wins: (table, [from], [into]) =>
    table === "experiments_assignment" &&
    Date.parse(String(from!["at"])) < Date.parse(String(into!["at"])),
});
export const movers: people.Mover = {
  merge: async (house, tx, merges) => recross(tx, await rows.merge(house, tx, merges)),
  unmerge: async (house, tx, merge) => {
    await rows.unmerge(house, tx, merge);
    await recross(tx, [merge.from, merge.into]);
  },
};
/** Marks these people where what waits aside of anybody they are says another arm than they are in. */
async function recross(tx: Tx, those: readonly PersonKey[]): Promise<void> {
  for (const { personId } of those) {
    const holder = await people.find(tx, personId);
    if (!holder.ok) continue;
    const aside = await people.waitingAside(tx, holder.value.personId, "experiments_assignment");
    await store.cross(
      tx,
      holder.value,
      aside.map((row) => ({
        experimentId: String(row["experiment_id"]),
        arm: String(row["arm"]) as Arm,
      })),
    );
  }
}
