// Which model of buying again a shop's own orders support: BG/NBD where they show that people drop out, NBD where
// they do not (and then nobody is called "alive", because the model could say nothing else), none where they are few.
import { bgnbdExpected, bgnbdOrderWithin, fitBgnbd, pAlive, type BgnbdFit } from "./bgnbd.ts";
import { compress, totals, type Histories } from "./histories.ts";
import { fitNbd, nbdExpected, nbdOrderWithin, type NbdFit } from "./nbd.ts";

/** Below this a fit says more about chance than about the shop. */
export const fewest = { people: 100, repeats: 50 };

/**
 * What dropout must add to the log-likelihood, twice: the 99 % point of χ² with the two parameters that it costs.
 * No dropout lies on the edge of BG/NBD (a/(a+b) = 0), where the true distribution is smaller than that (Self & Liang
 * 1987), so NBD is kept in at least 99 of 100 worlds where nobody drops out.
 */
export const criticalRatio = 9.21;

/**
 * What dropout must change for a reader: at least 1 % of the orders expected within the horizon. With enough
 * customers any misfit is "significant"; a dropout that moves no figure is none.
 */
export const leastLostShare = 0.01;

/** How BG/NBD and NBD compare on these customers. */
export type DropoutEvidence = {
  people: number;
  repeats: number;
  /** 2 (ln L of BG/NBD − ln L of NBD), at least 0. */
  likelihoodRatio: number;
  /** The share of customers that BG/NBD holds for gone. */
  goneShare: number;
  /** The share of the orders within the horizon that its dropout takes away, against the same rates without it. */
  lostShare: number;
  horizon: number;
};

export type Buying =
  | { model: "bgnbd"; bgnbd: BgnbdFit; evidence: DropoutEvidence }
  | { model: "nbd"; why: "degenerate_dropout"; nbd: NbdFit; evidence: DropoutEvidence }
  | { model: "none"; why: "too_few"; people: number; repeats: number };

/** Fits both models and says which one the data bear. `horizon` in the histories' unit of time. */
export function learnBuying(rows: Histories, horizon: number): Buying {
  const { people, repeats } = totals(rows);
  if (people < fewest.people || repeats < fewest.repeats)
    return { model: "none", why: "too_few", people, repeats };
  const groups = compress(rows);
  const nbd = fitNbd(groups);
  const bgnbd = fitBgnbd(groups, nbd);
  const evidence = compare(groups, nbd, bgnbd, horizon);
  const real = evidence.likelihoodRatio >= criticalRatio && evidence.lostShare >= leastLostShare;
  return real
    ? { model: "bgnbd", bgnbd, evidence }
    : { model: "nbd", why: "degenerate_dropout", nbd, evidence };
}

function compare(rows: Histories, nbd: NbdFit, bgnbd: BgnbdFit, horizon: number): DropoutEvidence {
  let gone = 0;
  let left = 0;
  let steady = 0;
  for (let i = 0; i < rows.x.length; i += 1) {
    const [n, x, tx, T] = [rows.people[i]!, rows.x[i]!, rows.tx[i]!, rows.T[i]!];
    gone += n * (1 - pAlive(bgnbd, x, tx, T));
    left += n * bgnbdExpected(bgnbd, x, tx, T, horizon);
    steady += n * nbdExpected(bgnbd, x, T, horizon);
  }
  const { people, repeats } = totals(rows);
  return {
    people,
    repeats,
    likelihoodRatio: Math.max(0, 2 * (bgnbd.logLikelihood - nbd.logLikelihood)),
    goneShare: gone / people,
    lostShare: Math.max(0, 1 - left / steady),
    horizon,
  };
}

/** What one customer is expected to do within the horizon. P(alive) is there only where the model knows dropout. */
export type Outlook =
  | { model: "bgnbd"; expectedOrders: number; orderChance: number; alive: number }
  | { model: "nbd"; why: "degenerate_dropout"; expectedOrders: number; orderChance: number };

/** Of a customer with x repeat purchases, the last at tx, watched for T; undefined where nothing could be learned. */
export function outlook(
  buying: Buying,
  x: number,
  tx: number,
  T: number,
  horizon: number,
): Outlook | undefined {
  switch (buying.model) {
    case "none":
      return undefined;
    case "nbd":
      return {
        model: "nbd",
        why: buying.why,
        expectedOrders: nbdExpected(buying.nbd, x, T, horizon),
        orderChance: nbdOrderWithin(buying.nbd, x, T, horizon),
      };
    case "bgnbd":
      return {
        model: "bgnbd",
        expectedOrders: bgnbdExpected(buying.bgnbd, x, tx, T, horizon),
        orderChance: bgnbdOrderWithin(buying.bgnbd, x, tx, T, horizon),
        alive: pAlive(buying.bgnbd, x, tx, T),
      };
  }
}
