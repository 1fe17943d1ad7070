// How sure a figure is, from 0 to 1. Both answers come from the data behind the figure, not from taste.
import type { StageOf, Thresholds } from "./lifecycle.ts";
import { backBy } from "./survival.ts";

/** The standard normal distribution by the logistic one: Φ(z) ≈ 1 / (1 + e^(−1.702 z)), never off by more than 0.01. */
const normal = (z: number): number => 1 / (1 + Math.exp(-1.702 * z));

/**
 * That a stage is the right one: a threshold is the day by which a share L of those who come back are back, and from n
 * closed gaps L is known to ±√(L(1−L)/n). The further a person's silence lies from the thresholds around their stage,
 * on that scale, the surer. On a threshold, and where nothing could be learned, it is a coin's 0.5.
 */
export function stageConfidence({ stage, why }: StageOf, { curve }: Thresholds): number {
  const here = backBy(curve, why.silentDays);
  const beyond = (day: number | undefined): number => {
    if (day === undefined || curve.closed === 0) return 1;
    const level = backBy(curve, day);
    const error = Math.sqrt((level * (1 - level)) / curve.closed);
    return error > 0 ? normal(Math.abs(here - level) / error) : 1;
  };
  if (why.dormantAfterDays === undefined) return 0.5;
  switch (stage) {
    case "new":
      return beyond(why.newForDays);
    case "active":
      return beyond(why.dormantAfterDays);
    case "dormant":
      return Math.max(0.5, beyond(why.dormantAfterDays) + beyond(why.lostAfterDays) - 1);
    case "lost":
      return beyond(why.lostAfterDays);
  }
}

/**
 * Bühlmann's credibility: in the expected rate (r+x)/(α+T) = Z·x/T + (1−Z)·r/α the person's own past has the weight
 * Z = T/(α+T); the rest is what the whole shop does.
 */
export const ownWeight = (alpha: number, watchedDays: number): number =>
  watchedDays / (alpha + watchedDays);
