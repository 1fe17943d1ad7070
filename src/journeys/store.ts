// Every SQL statement that writes journeys, and its own reads.
import type { PersonKey, Reader, Tx } from "#kernel/sql.ts";
import type { Arm, Node } from "./rules.ts";

export type Programme = {
  id: string;
  key: string;
  name: { zh: string; en: string };
  segmentId: string;
  campaignId: string;
  template: string;
  windowDays: number;
  picks: number;
  seed: string;
  treatedShareBp: number;
  at: Date;
};
export type Run = {
  id: string;
  programmeId: string;
  number: number;
  experimentId: string;
  state: "running" | "measured";
  fromAt: Date;
  untilAt: Date;
};
export type Enrolment = PersonKey & { runId: string; id: string; arm: Arm; node: Node };

/** A programme that is there already stays as it was written. */
export async function define(tx: Tx, row: Programme): Promise<Programme> {
  await tx`
    insert into journeys_programme ${tx({ ...row, name: tx.json(row.name) })}
    on conflict (key) do nothing`;
  return (await programme(tx, row.key))!;
}
/** By id or by key. */
export async function programme(reader: Reader, ref: string): Promise<Programme | null> {
  const [row] = await reader<Programme[]>`
    select id, key, name, segment_id, campaign_id, template, window_days, picks, seed,
      treated_share_bp, at
    from journeys_programme where id::text = ${ref} or key = ${ref}`;
  return row ?? null;
}
export const programmes = (reader: Reader) =>
  reader<Programme[]>`
    select id, key, name, segment_id, campaign_id, template, window_days, picks, seed,
      treated_share_bp, at
    from journeys_programme order by at, key`;

/** Every run of a programme, the oldest first. */
export const runs = (reader: Reader, programmeId: string) =>
  reader<Run[]>`
    select id, programme_id, number, experiment_id, state, from_at, until_at
    from journeys_run where programme_id = ${programmeId} order by number`;
export async function run(reader: Reader, id: string): Promise<Run | null> {
  const [row] = await reader<Run[]>`
    select id, programme_id, number, experiment_id, state, from_at, until_at
    from journeys_run where id = ${id}`;
  return row ?? null;
}
/** False where somebody else began it first: their transaction is waited for. */
export async function begin(tx: Tx, row: Run): Promise<boolean> {
  const made = await tx`insert into journeys_run ${tx(row)} on conflict do nothing returning id`;
  return made.count === 1;
}
/** False where it was over already. */
export async function end(tx: Tx, runId: string): Promise<boolean> {
  const ended = await tx`
    update journeys_run set state = 'measured' where id = ${runId} and state = 'running'`;
  return ended.count === 1;
}

type Enrolled = Enrolment & { cause: string | null };
export async function enrol(tx: Tx, rows: readonly Enrolled[], at: Date): Promise<void> {
  for (let i = 0; i < rows.length; i += 5000) {
    const part = rows.slice(i, i + 5000);
    await tx`
      insert into journeys_enrolment ${tx(part.map((row) => ({ ...row, at, movedAt: at })))}`;
    await addMoves(tx, part, at);
  }
}
const addMoves = (tx: Tx, rows: readonly Omit<Enrolment, "id" | "arm">[], at: Date) => tx`
  insert into journeys_move ${tx(
    rows.map(({ bucket, personId, runId, node }) => ({ bucket, personId, runId, node, at })),
  )}`;

/** Those of these people who still wait for the step of this run, locked. */
export const waiting = (tx: Tx, bucket: number, runId: string, personIds: string[]) =>
  tx<Enrolment[]>`
    select bucket, person_id, run_id, id, arm, node from journeys_enrolment
    where bucket = ${bucket} and person_id = any(${personIds}::uuid[]) and run_id = ${runId}
      and node = 'waiting'
    order by person_id for update`;

/** The runs that are not over in which somebody still waits for their step. */
export const waitingOf = (reader: Reader, { bucket, personId }: PersonKey) =>
  reader<(PersonKey & { runId: string; fromAt: Date })[]>`
    select e.bucket, e.person_id, e.run_id, r.from_at from journeys_enrolment e
    join journeys_run r on r.id = e.run_id and r.state = 'running'
    where e.bucket = ${bucket} and e.person_id = ${personId} and e.node = 'waiting'`;

type Moved = PersonKey & { runId: string; node: Node; couponId: string | null };
/** On from waiting, once: the move's key refuses a second time. */
export async function move(tx: Tx, rows: readonly Moved[], at: Date): Promise<void> {
  if (rows.length === 0) return;
  await tx`
    update journeys_enrolment e set node = m.node, coupon_id = m.coupon_id, moved_at = ${at}
    from unnest(${rows.map((r) => r.bucket)}::smallint[], ${rows.map((r) => r.personId)}::uuid[],
      ${rows.map((r) => r.runId)}::uuid[], ${rows.map((r) => r.node)}::text[],
      ${rows.map((r) => r.couponId)}::uuid[]) as m(bucket, person_id, run_id, node, coupon_id)
    where (e.bucket, e.person_id, e.run_id) = (m.bucket, m.person_id, m.run_id)
      and e.node = 'waiting'`;
  await addMoves(tx, rows, at);
}

/** A programme and every run of it. */
export async function remove(tx: Tx, programmeId: string): Promise<void> {
  const ids = tx`select id from journeys_run where programme_id = ${programmeId}`;
  await tx`delete from journeys_move where run_id in (${ids})`;
  await tx`delete from journeys_enrolment where run_id in (${ids})`;
  await tx`delete from journeys_programme where id = ${programmeId}`; // and its runs
}

export async function erase(tx: Tx, { bucket, personId }: PersonKey): Promise<void> {
  await tx`delete from journeys_enrolment where bucket = ${bucket} and person_id = ${personId}`;
  await tx`delete from journeys_move where bucket = ${bucket} and person_id = ${personId}`;
}
