// The steps of a run as time goes on: reach each treated person once, and measure when the window is over.
import type { House } from "#kernel/endpoint.ts";
import type { Tx } from "#kernel/sql.ts";
import type { Timer, TimerKind } from "#kernel/timers.ts";
import * as experiments from "#experiments/service.ts";
import * as messages from "#messages/service.ts";
import * as offers from "#offers/service.ts";
import type { Node } from "./rules.ts";
import * as service from "./service.ts";
import * as store from "./store.ts";
import * as views from "./views.ts";

/** Begins a run in a transaction of its own: for schedules and the demo. Asked again, it is answered as it stands. */
export const start = (house: House, ref: string, number?: number) =>
  house.sql.begin((tx) =>
    service.start(tx, house, { ref, number }, (segmentId) => views.frozen(tx, segmentId)),
  );

/** Coupon, message and the move of the enrolment are one transaction: nobody is reached twice, or by half. */
async function step(house: House, tx: Tx, due: Timer[]): Promise<void> {
  for (const runId of new Set(due.map(({ key }) => key))) {
    const run = await store.run(tx, runId);
    const programme = run && (await store.programme(tx, run.programmeId));
    if (!programme || run.state !== "running") continue;
    const people: store.Enrolment[] = [];
    for (const [bucket, mine] of Map.groupBy(
      due.filter(({ key }) => key === runId),
      (timer) => timer.bucket,
    ))
      people.push(
        ...(await store.waiting(
          tx,
          bucket,
          runId,
          mine.map(({ personId }) => personId),
        )),
      );
    if (people.length > 0) await reach(house, tx, programme, people);
  }
}

async function reach(
  house: House,
  tx: Tx,
  { campaignId, template, picks }: store.Programme,
  people: readonly store.Enrolment[],
): Promise<void> {
  const now = house.clocks.shop();
  const goods = await views.picks(tx, people, picks);
  const coupons = await offers.issue(
    house,
    tx,
    now,
    people.map((person) => ({ person, campaignId, cause: person.id })),
  );
  const reached = people.map((person, i) => {
    const given = coupons[i]!;
    const node: Node = given.ok
      ? "sent"
      : given.code === "offers.budget_spent"
        ? "no_budget"
        : "no_coupon";
    return { ...person, node, couponId: given.ok ? given.value.couponId : null };
  });
  await messages.send(
    house,
    tx,
    now,
    reached.flatMap((person) =>
      person.couponId === null
        ? []
        : [
            {
              person,
              purpose: "marketing" as const,
              templateId: template,
              channels: ["inapp", "email"] as const,
              data: { skus: goods.get(person.personId) ?? [], couponId: person.couponId },
              cause: person.id,
            },
          ],
    ),
  );
  await store.move(tx, reached, now);
}

/** Measures by assignment and writes the decision down, once. */
async function finish(house: House, tx: Tx, due: Timer[]): Promise<void> {
  for (const { key } of due) {
    const run = await store.run(tx, key);
    if (!run || !(await store.end(tx, run.id))) continue;
    const { experimentId, fromAt: from, untilAt: until } = run;
    const outcomes = await views.outcomes(tx, experimentId, from, until);
    const { currency } = house.settings;
    await experiments.measure(tx, house, experimentId, { from, until, currency }, outcomes);
    await experiments.decide(tx, house, experimentId);
  }
}

export const timers: TimerKind[] = [
  { kind: service.stepTimer, clock: "shop", batch: 500, ring: step },
  { kind: service.finishTimer, clock: "shop", batch: 1, ring: finish },
];
