// Sample-ratio check: when the arms are not of the sizes that were asked for, somebody was lost on one side only,
// and no figure that compares them can be trusted.
import { erfc } from "./normal.ts";

/** An alarm is rare enough to stop everything (Fabijan et al., KDD 2019). */
const ALARM = 0.001;

export type SampleRatio = { treatedBp: number; expectedBp: number; p: number; alarm: boolean };

/** Pearson's chi-square of both arms against the share asked for, one degree of freedom: p = erfc(√(χ²/2)). */
export function sampleRatio(treated: number, control: number, expectedBp: number): SampleRatio {
  const people = treated + control;
  const share = expectedBp / 10_000;
  const spread = people * share * (1 - share);
  const off = treated - people * share;
  const impossible = off === 0 ? 1 : 0; // a share of 0 or 100 % leaves nothing to chance
  const p = spread === 0 ? impossible : erfc(Math.sqrt((off * off) / spread / 2));
  const treatedBp = people === 0 ? expectedBp : Math.round((treated / people) * 10_000);
  return { treatedBp, expectedBp, p, alarm: p < ALARM };
}
