// Every SQL statement that writes experiments, and its own reads.
import type { PersonKey, Reader, Tx } from "#kernel/sql.ts";
import type { Advice, Decision, Report } from "./rules.ts";

export type Arm = "treated" | "control";
export type Design = {
  id: string;
  series: string;
  number: number;
  seed: string;
  hashVersion: number;
  treatedShareBp: number;
  alphaBp: number;
  writtenAt: Date;
};
export type Assignment = PersonKey & { place: number; arm: Arm };
/** What one person did in the window. Minor units; refunds are taken off. */
export type PersonOutcome = PersonKey & {
  arm: Arm;
  orders: number;
  revenueMinor: bigint;
  firstEventId: string | null;
  firstAt: Date | null;
};
export type ResultRow = {
  id: string;
  experimentId: string;
  fromAt: Date;
  untilAt: Date;
  measuredAt: Date;
  report: Report;
};
export type DecisionRow = { id: string; resultId: string; decidedAt: Date; decision: Decision };

/** A design that is there already stays as it was written. */
export async function write(tx: Tx, design: Design): Promise<Design> {
  const row = { ...design, primaryMetric: "return_rate", secondaryMetric: "revenue_per_person" };
  await tx`
    insert into experiments_experiment ${tx(row)} on conflict (series, number) do nothing`;
  const [kept] = await tx<Design[]>`
    select id, series, number, seed, hash_version, treated_share_bp, alpha_bp, written_at
    from experiments_experiment where series = ${design.series} and number = ${design.number}`;
  return kept!;
}
export async function design(reader: Reader, id: string): Promise<Design | null> {
  const [row] = await reader<Design[]>`
    select id, series, number, seed, hash_version, treated_share_bp, alpha_bp, written_at
    from experiments_experiment where id = ${id}`;
  return row ?? null;
}
export async function designIn(reader: Reader, series: string, number: number) {
  const [row] = await reader<{ id: string }[]>`
    select id from experiments_experiment where series = ${series} and number = ${number}`;
  return row?.id ?? null;
}

const chunk = 5000;
/** Who is assigned already keeps their arm. */
export async function assign(
  tx: Tx,
  experimentId: string,
  rows: readonly Assignment[],
  at: Date,
): Promise<void> {
  for (let i = 0; i < rows.length; i += chunk) {
    const part = rows.slice(i, i + chunk).map((row) => ({ ...row, experimentId, at }));
    await tx`insert into experiments_assignment ${tx(part)} on conflict do nothing`;
  }
}
export const armsOf = (reader: Reader, experimentId: string) =>
  reader<(PersonKey & { arm: Arm })[]>`
    select bucket, person_id, arm from experiments_assignment where experiment_id = ${experimentId}`;
export const armCounts = (reader: Reader, experimentId: string) =>
  reader<{ arm: Arm; people: number }[]>`
    select arm, count(*)::int as people from experiments_assignment
    where experiment_id = ${experimentId} and not crossed group by arm order by arm desc`;
/** How many turned out to have been in both arms, and are in neither's result. */
export async function crossedCount(reader: Reader, experimentId: string): Promise<number> {
  const [row] = await reader<{ people: number }[]>`
    select count(*)::int as people from experiments_assignment
    where experiment_id = ${experimentId} and crossed`;
  return row!.people;
}

export async function addResult(tx: Tx, row: ResultRow): Promise<void> {
  await tx`insert into experiments_result ${tx({ ...row, report: tx.json(row.report as never) })}`;
}
export async function addOutcomes(
  tx: Tx,
  experimentId: string,
  newId: () => string,
  outcomes: readonly PersonOutcome[],
): Promise<void> {
  for (let i = 0; i < outcomes.length; i += chunk) {
    const rows = outcomes.slice(i, i + chunk).map((row) => ({
      bucket: row.bucket,
      personId: row.personId,
      experimentId,
      id: newId(),
      returned: row.orders > 0,
      orders: row.orders,
      revenueMinor: row.revenueMinor,
      firstEventId: row.firstEventId,
      firstAt: row.firstAt,
    }));
    await tx`insert into experiments_outcome ${tx(rows)}`;
  }
}
export async function addDecision(tx: Tx, row: DecisionRow): Promise<void> {
  const { advice } = row.decision;
  await tx`
    insert into experiments_decision
      ${tx({ ...row, advice, decision: tx.json(row.decision as never) })}`;
}

export async function resultOf(reader: Reader, experimentId: string): Promise<ResultRow | null> {
  const [row] = await reader<ResultRow[]>`
    select id, experiment_id, from_at, until_at, measured_at, report
    from experiments_result where experiment_id = ${experimentId}`;
  return row ?? null;
}
export async function decisionOf(reader: Reader, resultId: string): Promise<DecisionRow | null> {
  const [row] = await reader<DecisionRow[]>`
    select id, result_id, decided_at, decision from experiments_decision
    where result_id = ${resultId}`;
  return row ?? null;
}
/** The runs of a series before `number` that are over and decided, the oldest first. */
export const past = (reader: Reader, series: string, number: number) =>
  reader<{ report: Report; advice: Advice }[]>`
    select r.report, d.advice from experiments_experiment e
    join experiments_result r on r.experiment_id = e.id
    join experiments_decision d on d.result_id = r.id
    where e.series = ${series} and e.number < ${number} order by e.number`;

/** Everything of a series, designs included. */
export async function removeSeries(tx: Tx, series: string): Promise<void> {
  const ids = tx`select id from experiments_experiment where series = ${series}`;
  await tx`
    delete from experiments_decision where result_id in (
      select id from experiments_result where experiment_id in (${ids}))`;
  await tx`delete from experiments_result where experiment_id in (${ids})`;
  await tx`delete from experiments_outcome where experiment_id in (${ids})`;
  await tx`delete from experiments_assignment where experiment_id in (${ids})`;
  await tx`delete from experiments_experiment where series = ${series}`;
}

export async function erase(tx: Tx, { bucket, personId }: PersonKey): Promise<void> {
  await tx`
    delete from experiments_assignment where bucket = ${bucket} and person_id = ${personId}`;
  await tx`delete from experiments_outcome where bucket = ${bucket} and person_id = ${personId}`;
}

/** Marks each assignment of somebody by whether any of these arms, which were theirs too, is another one. */
export const cross = (
  tx: Tx,
  { bucket, personId }: PersonKey,
  others: readonly { experimentId: string; arm: Arm }[],
) => tx`
  update experiments_assignment a set crossed = not a.crossed
  where a.bucket = ${bucket} and a.person_id = ${personId} and a.crossed <> exists (
    select from unnest(${others.map((o) => o.experimentId)}::uuid[], ${others.map((o) => o.arm)}::text[])
      as o(experiment_id, arm)
    where o.experiment_id = a.experiment_id and o.arm <> a.arm)`;
