// Did it help? We compare everybody who was meant to get it with everybody who was held out, whether or not a message
// arrived. Only the return rate may say so, and only when its 95 % interval leaves out zero; what people spent is read
// as evidence after that, never instead of it.
//
// What to do next, the first that applies: mend a split that is not the one asked for; stop what does harm; repeat what
// helped; change what can no longer be worth its trouble, because all runs of it together rule out a rise as large as
// is worth having, or because three runs showed nothing; stop when that happens to the changed one too; otherwise
// repeat, with the number of people that would show it.
import { meanInterval, rateInterval } from "./model/bootstrap.ts";
import { Z95 } from "./model/normal.ts";
import { detectable, peopleNeeded } from "./model/power.ts";
import { sampleRatio, type SampleRatio } from "./model/srm.ts";

/** One entry a person who was assigned, 0 for who bought nothing; minor units of one currency. */
type Outcome = { returned: number; spentMinor: readonly number[] };
export type Measure = {
  treated: Outcome;
  control: Outcome;
  /** The share that was asked for. */
  treatedShareBp: number;
  currency: string;
  /** Seeds the resamples of spending; the return rate needs none. */
  seed: string;
};

export type People = { people: number; returned: number };
type Rate = People & { rateBp: number };
export type Verdict = "helped" | "harmed" | "not_shown" | "too_few" | "broken_split";
export type Primary = {
  treated: Rate;
  control: Rate;
  /** Treated − control. The interval is rounded outwards, and `claims` is read off the rounded one. */
  differenceBp: number;
  intervalBp: [low: number, high: number];
  claims: boolean;
};
export type Report = {
  primary: Primary;
  secondary: {
    currency: string;
    treatedMinor: number;
    controlMinor: number;
    differenceMinor: number;
    /** Null where too few people spent anything. */
    intervalMinor: [low: number, high: number] | null;
    /** True only where the primary claims: fixed order, no further correction. */
    evidence: boolean;
  };
  split: SampleRatio;
  /** The smallest rise that a run like this shows with 80 % chance; null where none would. */
  detectableBp: number | null;
  verdict: Verdict;
};

/** Below this an arm is an anecdote. */
const FEWEST = 30;

const bp = (share: number): number => Math.round(share * 10_000);
const mean = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
/** A rate drawn a little towards one half, so that a rate of 0 or 100 % keeps some doubt. */
const guarded = ({ returned, people }: People): number => (returned + 1) / (people + 2);
const rateOf = ({ people, returned }: People): Rate => ({
  people,
  returned,
  rateBp: people === 0 ? 0 : bp(returned / people),
});
/** Rounded outwards, so that what is shown never promises more than what was worked out. */
const outwards = (low: number, high: number): [number, number] => [
  Math.floor(low + 1e-9) + 0, // + 0: no minus zero
  Math.ceil(high - 1e-9) + 0,
];

const enough = (treated: People, control: People): boolean =>
  Math.min(treated.people, control.people) >= FEWEST;

/** The one figure that may claim an effect. `treatedShareBp` is the share asked for: a broken split claims nothing. */
export function primary(treated: People, control: People, treatedShareBp: number): Primary {
  const { difference, low, high } = rateInterval(
    { people: treated.people, did: treated.returned },
    { people: control.people, did: control.returned },
  );
  const intervalBp = outwards(low * 10_000, high * 10_000);
  const sound =
    enough(treated, control) && !sampleRatio(treated.people, control.people, treatedShareBp).alarm;
  return {
    treated: rateOf(treated),
    control: rateOf(control),
    differenceBp: bp(difference) + 0,
    intervalBp,
    claims: sound && (intervalBp[0] > 0 || intervalBp[1] < 0),
  };
}

export function report(input: Measure): Report {
  const treated = { people: input.treated.spentMinor.length, returned: input.treated.returned };
  const control = { people: input.control.spentMinor.length, returned: input.control.returned };
  const first = primary(treated, control, input.treatedShareBp);
  const split = sampleRatio(treated.people, control.people, input.treatedShareBp);
  const seen = detectable(treated.people, control.people, guarded(control));
  const spent = meanInterval(input.treated.spentMinor, input.control.spentMinor, {
    seed: input.seed,
  });
  const treatedMean = mean(input.treated.spentMinor);
  const controlMean = mean(input.control.spentMinor);
  return {
    primary: first,
    secondary: {
      currency: input.currency,
      treatedMinor: Math.round(treatedMean),
      controlMinor: Math.round(controlMean),
      differenceMinor: Math.round(treatedMean - controlMean) + 0,
      intervalMinor: spent && outwards(spent.low, spent.high),
      evidence: first.claims,
    },
    split,
    detectableBp: seen === null ? null : Math.ceil(seen * 10_000),
    verdict: verdictOf(first, split),
  };
}

function verdictOf({ treated, control, claims, intervalBp }: Primary, split: SampleRatio): Verdict {
  if (split.alarm) return "broken_split";
  if (!enough(treated, control)) return "too_few";
  if (!claims) return "not_shown";
  return intervalBp[0] > 0 ? "helped" : "harmed";
}

export type Advice = "mend" | "stop" | "repeat" | "change";
export type Because =
  | "broken_split"
  | "harmed"
  | "helped"
  | "worth_ruled_out"
  | "three_runs_nothing"
  | "changed_and_nothing"
  | "not_clear_yet";
/** A run that is over, and what was decided after it; the oldest first. */
export type Past = { report: Report; advice: Advice };
export type Decision = {
  advice: Advice;
  because: Because;
  evidence: {
    controlPeople: number;
    detectableBp: number | null;
    /** Runs of this same act, this one included, with a sound split. */
    runs: number;
    /** All those runs together, weighted by their certainty. It weighs the advice and claims no effect. */
    pooled: { differenceBp: number; intervalBp: [low: number, high: number] } | null;
    /** The smallest rise worth having. */
    worthBp: number;
    /** People, both arms together, that would show `worthBp` with 80 % chance: at this split, and at half and half. */
    peopleNeeded: { thisSplit: number | null; evenSplit: number };
  };
};

const MOST_RUNS = 3;
/** Three points more of the people coming back, unless the shop says otherwise. */
const WORTH_BP = 300;

/**
 * Runs of one act as one figure, each weighted by 1/variance (fixed effect; Borenstein et al. 2009, ch. 11), the
 * variance with the same two added people a run's own interval has.
 */
function pool(runs: readonly Report[]): Decision["evidence"]["pooled"] {
  let weights = 0;
  let sum = 0;
  for (const { primary } of runs) {
    const [one, zero] = [guarded(primary.treated), guarded(primary.control)];
    const n1 = primary.treated.people + 2;
    const n0 = primary.control.people + 2;
    const weight = 1 / ((one * (1 - one)) / n1 + (zero * (1 - zero)) / n0);
    weights += weight;
    sum += weight * (one - zero);
  }
  if (weights === 0) return null;
  const difference = (sum / weights) * 10_000;
  const reach = (Z95 / Math.sqrt(weights)) * 10_000;
  return {
    differenceBp: Math.round(difference) + 0,
    intervalBp: outwards(difference - reach, difference + reach),
  };
}

/** What to do after this run, given those before it. The opening paragraph is the rule, line by line. */
export function advise(
  latest: Report,
  past: readonly Past[] = [],
  { worthBp = WORTH_BP }: { worthBp?: number } = {},
): Decision {
  if (!(worthBp > 0)) throw new RangeError(`worthBp must be above zero: ${worthBp}`);
  const changedAt = past.findLastIndex((run) => run.advice === "change");
  const runs = [...past.slice(changedAt + 1).map((run) => run.report), latest].filter(
    ({ split }) => !split.alarm,
  );
  const { control } = latest.primary;
  const { expectedBp } = latest.split;
  const base = guarded(control);
  const needed = (share: number): number => peopleNeeded(base, worthBp / 10_000, share);
  const pooled = pool(runs);
  const decide = (advice: Advice, because: Because): Decision => ({
    advice,
    because,
    evidence: {
      controlPeople: control.people,
      detectableBp: latest.detectableBp,
      runs: runs.length,
      pooled,
      worthBp,
      peopleNeeded: {
        thisSplit: expectedBp > 0 && expectedBp < 10_000 ? needed(expectedBp / 10_000) : null,
        evenSplit: needed(0.5),
      },
    },
  });

  if (latest.verdict === "broken_split") return decide("mend", "broken_split");
  if (latest.verdict === "harmed") return decide("stop", "harmed");
  if (latest.verdict === "helped") return decide("repeat", "helped");
  const ruledOut = pooled !== null && pooled.intervalBp[1] < worthBp;
  const tired = runs.length >= MOST_RUNS && !runs.some(({ primary }) => primary.claims);
  if (!ruledOut && !tired) return decide("repeat", "not_clear_yet");
  if (changedAt >= 0) return decide("stop", "changed_and_nothing");
  return decide("change", ruledOut ? "worth_ruled_out" : "three_runs_nothing");
}
