import { answer, type House } from "#kernel/endpoint.ts";
import { ok } from "#kernel/result.ts";
import * as people from "#people/service.ts";
import * as api from "./api.ts";
import { criticalRatio, leastLostShare } from "./model/buying.ts";
import { stages, type Stage, type Thresholds } from "./model/lifecycle.ts";
import {
  explainScores,
  matrix,
  rfmSegments,
  segmentOf,
  type Cell,
  type Cuts,
  type RfmSegment,
} from "./model/rfm.ts";
import { segmentNames, type Sentence } from "./model/names.ts";
import * as words from "./model/sentence.ts";
import { backBy } from "./model/survival.ts";
import { horizonDays } from "./rules.ts";
import { shownBy } from "./service.ts";
import * as store from "./store.ts";
import * as views from "./views.ts";

const dayMs = 86_400_000;
/** The board's changes are those of so many days. */
const boardDays = 30;
/** More points than this no screen shows. */
const curvePoints = 200;

const learnedOf = (fit: store.Fit | undefined) =>
  fit ? { at: fit.at.toISOString(), asOfDay: fit.asOf } : null;

const thresholdsOf = (t: Thresholds) => ({
  newForDays: t.newForDays ?? null,
  dormantAfterDays: t.dormantAfterDays ?? null,
  lostAfterDays: t.lostAfterDays ?? null,
  closedGaps: t.curve.closed,
  openGaps: t.curve.open,
  watchedDays: t.curve.watchedDays,
});
function curveOf({ curve }: Thresholds) {
  const step = Math.max(1, Math.ceil(curve.watchedDays / curvePoints));
  return curve.back.flatMap((back, day) =>
    day % step === 0 || day === curve.watchedDays
      ? [{ day, back, ofReturners: backBy(curve, day) }]
      : [],
  );
}

const lifecycle = answer(api.lifecycle, async ({ house, now }) => {
  const since = new Date(now.getTime() - boardDays * dayMs);
  const [fit, counts, moved] = await Promise.all([
    store.latestFit(house.sql),
    views.stageCounts(house.sql),
    views.moves(house.sql, since),
  ]);
  const of = new Map(counts.map(({ stage, people: n }) => [stage, n]));
  const all = counts.reduce((sum, { people: n }) => sum + n, 0);
  const shop = fit?.learned.stages.shop;
  return ok({
    now: now.toISOString(),
    timeZone: house.clocks.timeZone,
    learned: learnedOf(fit),
    people: all,
    stages: stages.map((stage) => {
      const n = of.get(stage) ?? 0;
      return { stage, people: n, shareBp: all > 0 ? Math.round((n * 10_000) / all) : 0 };
    }),
    thresholds: shop ? { ...thresholdsOf(shop), sentence: words.thresholdsSentence(shop) } : null,
    categories: Object.entries(fit?.learned.stages.byCategory ?? {}).map(([category, own]) => ({
      category,
      ...thresholdsOf(own),
    })),
    curve: shop ? curveOf(shop) : [],
    transitions: {
      sinceAt: since.toISOString(),
      moves: moved.map(({ from, to, ...figures }) => ({
        from: from as Stage | null,
        to: to as Stage,
        ...figures,
      })),
    },
  });
});

/** A page ends at an instant and a line of the log; the next one begins after it. */
const cursorOf = ({ at, id }: { at: Date; id: string }) => `${at.toISOString()}_${id}`;
function afterOf(cursor: string | undefined): { at: Date; id: string } | null {
  const [, at, id] = /^(\S+Z)_([0-9a-f-]{36})$/.exec(cursor ?? "") ?? [];
  return at && id && !Number.isNaN(Date.parse(at)) ? { at: new Date(at), id } : null;
}

const transitions = answer(api.transitions, async ({ house, now }, asked) => {
  const since = new Date(now.getTime() - asked.days * dayMs);
  const { from = null, to = null, limit } = asked;
  const rows = await views.changes(
    house.sql,
    { from, to, since, limit: limit + 1 },
    afterOf(asked.after),
  );
  const page = rows.slice(0, limit);
  const names = await namesOf(house, page);
  return ok({
    transitions: page.map((row) => ({
      id: row.id,
      personId: row.personId,
      userId: names.get(row.personId) ?? null,
      from: row.from as Stage | null,
      to: row.to as Stage,
      at: row.at.toISOString(),
      cause: row.cause,
      reason: row.reason,
      sentence: words.changeSentence(
        row.from as Stage | null,
        row.to as Stage,
        row.reason,
        row.cause !== null,
      ),
    })),
    next: rows.length > limit ? cursorOf(page.at(-1)!) : null,
  });
});
const namesOf = (house: House, rows: readonly views.Change[]) =>
  people.identifiers(
    house,
    house.sql,
    rows.map(({ bucket, personId }) => ({ bucket, personId })),
    "user_id",
  );

const scores = [5, 4, 3, 2, 1] as const;
function meaningOf(cuts: Cuts) {
  const all = scores.map((score) => ({
    score,
    ...explainScores({ r: score, f: score, m: score }, cuts),
  }));
  const closed = ({ least, most }: { least: number | undefined; most: number | undefined }) => ({
    least: least ?? null,
    most: most ?? null,
  });
  const money = (amount: number | undefined) => (amount === undefined ? null : String(amount));
  return {
    recencyDays: all.map(({ score, recencyDays }) => ({ score, ...closed(recencyDays) })),
    orders: all.map(({ score, orders }) => ({ score, ...closed(orders) })),
    amountMinor: all.map(({ score, amount: { least, below } }) => ({
      score,
      least: money(least === undefined ? undefined : Math.ceil(least)),
      most: money(below === undefined ? undefined : Math.ceil(below) - 1),
    })),
  };
}
const mean = (sum: bigint, of: number): string | null =>
  of > 0 ? String((sum + BigInt(of) / 2n) / BigInt(of)) : null;

type Group = { people: number; amountMinor: bigint };
const add = (groups: readonly Group[]): Group =>
  groups.reduce<Group>(
    (sum, one) => ({
      people: sum.people + one.people,
      amountMinor: sum.amountMinor + one.amountMinor,
    }),
    { people: 0, amountMinor: 0n },
  );

const rfm = answer(api.rfm, async ({ house, now }) => {
  const [fit, groups] = await Promise.all([store.latestFit(house.sql), views.scored(house.sql)]);
  const cuts = fit?.learned.rfmCuts;
  const cells: Cell[] = cuts ? matrix([], cuts) : [];
  return ok({
    now: now.toISOString(),
    learned: learnedOf(fit),
    people: add(groups).people,
    currency: house.settings.currency,
    meaning: cuts ? meaningOf(cuts) : null,
    cells: cells.map((cell) => {
      const { r, f, recencyDays, orderCount } = cell;
      const here = groups.filter((group) => group.r === r && group.f === f);
      const { people: n, amountMinor } = add(here);
      return {
        r,
        f,
        people: n,
        meanAmountMinor: mean(amountMinor, n),
        byM: scores.map((m) => ({ m, people: add(here.filter((one) => one.m === m)).people })),
        recencyDays: { least: recencyDays.least ?? null, most: recencyDays.most ?? null },
        orders: { least: orderCount.least ?? null, most: orderCount.most ?? null },
        sentence: words.cellSentence({ ...cell, people: n }),
      };
    }),
    segments: rfmSegments.map((segment: RfmSegment) => {
      const { people: n, amountMinor } = add(groups.filter((one) => segmentOf(one) === segment));
      const name = segmentNames[segment];
      return { segment, name, people: n, meanAmountMinor: mean(amountMinor, n) };
    }),
  });
});

const nothingYet: Sentence = {
  zh: "还没有从订单中学习过。",
  en: "Nothing has been learned from orders yet.",
};
const outlook = answer(api.outlook, async ({ house, now }) => {
  const [fit, tenths] = await Promise.all([store.latestFit(house.sql), views.chances(house.sql)]);
  const buying = fit?.learned.buying;
  const model = buying?.model ?? ("none" as const);
  const shown = fit ? shownBy(fit.learned) : [];
  return ok({
    now: now.toISOString(),
    learned: learnedOf(fit),
    horizonDays,
    model,
    why: buying && "why" in buying ? buying.why : null,
    sentence: fit ? words.outlookSentence(fit.learned) : nothingYet,
    parameters:
      buying?.model === "nbd" ? buying.nbd : buying?.model === "bgnbd" ? buying.bgnbd : {},
    evidence:
      buying && "evidence" in buying ? { ...buying.evidence, criticalRatio, leastLostShare } : null,
    shown,
    expectedOrders:
      shown.length > 0 ? tenths.reduce((sum, { expected }) => sum + expected, 0) : null,
    chances: Array.from({ length: 10 }, (_, tenth) => ({
      fromBp: tenth * 1000,
      toBp: (tenth + 1) * 1000,
      people: tenths.find((one) => one.tenth === tenth)?.people ?? 0,
    })),
  });
});

export const routes = [lifecycle, transitions, rfm, outlook];
