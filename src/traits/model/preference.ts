// What somebody is drawn to: the categories in which they looked, kept, put in the cart and bought, the later the more.
//
// Each thing done in a category has a weight w (below) and loses half of it every h days, which the shop sets (45 unless
// it does): the score at an instant T is Σ w · 2^(−(T − t)/h). It is kept as log2 Σ w · 2^((t − T0)/h) with T0 =
// 2020-01-01, from which the score at any T is 2^(kept − (T − T0)/h). Since everything fades alike, neither the order of categories nor their shares change by time
// alone, and nothing has to be written again. Two sums are added as max + log2(1 + 2^(−|difference|)), which never
// overflows.
// The person's own word outweighs all of it: what they said they like stands first, the latest first; what they said they
// do not like is left out.
import { byCodePoint } from "#segments/rules.ts";

export const halfLifeDays = 45;
/** What a shop may set it to, in days: groceries are forgotten in a week, furniture in a year. */
export const halfLifeLimits = { least: 7, most: 365 } as const;
export const epochMs = Date.UTC(2020, 0, 1);
/** What a look counts as one of. A refund takes nothing back: who brought shoes back was drawn to shoes. */
export const weights: Readonly<Record<string, number>> = {
  "Product List Viewed": 0.5,
  "Product Viewed": 1,
  "Product Clicked": 1,
  "Product Shared": 3,
  "Product Added to Wishlist": 3,
  "Product Added": 4,
  "Order Completed": 8, // each line of it
  "Order Line": 8,
};
/** By which the person themselves says what they like; of the source of their own word alone. */
export const toldName = "Preference Told";
export type Word = "yes" | "no" | "none";
/** Categories that a profile shows. */
export const shownLimit = 5;
/** A name longer than this is no category. */
export const nameLimit = 100;

const dayMs = 86_400_000;
export type Score = {
  category: string;
  score: number;
  times: number;
  bought: number;
  lastAt: number;
  lastId: string;
};
export type Told = { category: string; word: Word; at: number; id: string };
export type Preference = {
  category: string;
  /** Of all that counts, 0 to 1. */
  share: number;
  times: number;
  bought: number;
  /** The person said so themselves. */
  own: boolean;
};

/** One thing done, in log space as of T0. */
export const logWeight = (weight: number, at: number): number =>
  Math.log2(weight) + (at - epochMs) / (halfLifeDays * dayMs);
/** Two sums in log space, added. */
export const added = (a: number, b: number): number =>
  Math.max(a, b) + Math.log2(1 + 2 ** -Math.abs(a - b));
/** What a kept score is worth at an instant, as so many looks at that very moment. */
export const strengthAt = (score: number, now: number): number =>
  2 ** (score - (now - epochMs) / (halfLifeDays * dayMs));

const rounded = (value: number) => Math.round(value * 1000) / 1000;
/** The last word on each category. */
function wordsOf(told: readonly Told[]): Map<string, Told> {
  const words = new Map<string, Told>();
  for (const one of told) {
    const had = words.get(one.category);
    if (!had || one.at > had.at || (one.at === had.at && one.id > had.id))
      words.set(one.category, one);
  }
  return words;
}
/** What the person said they do not like, by name. */
export const dislikedOf = (told: readonly Told[]): string[] =>
  [...wordsOf(told).values()]
    .flatMap(({ category, word }) => (word === "no" ? [category] : []))
    .toSorted(byCodePoint);
/** What a profile shows: what the person said first, then by score; equal ones by name. */
export function preferencesOf(scores: readonly Score[], told: readonly Told[]): Preference[] {
  const words = wordsOf(told);
  const wordOf = (category: string) => words.get(category)?.word ?? "none";
  const most = scores.reduce((max, { score }) => Math.max(max, score), -Infinity);
  const total = scores.reduce((sum, { score }) => sum + 2 ** (score - most), 0);
  const byName = new Map(scores.map((one) => [one.category, one]));
  const liked = [...words.values()]
    .filter(({ word }) => word === "yes")
    .toSorted((a, b) => b.at - a.at || byCodePoint(a.category, b.category))
    .map(({ category }) => category);
  const seen = scores
    .filter(({ category }) => wordOf(category) === "none")
    .toSorted((a, b) => b.score - a.score || byCodePoint(a.category, b.category))
    .map(({ category }) => category);
  return [...liked, ...seen].slice(0, shownLimit).map((category) => {
    const one = byName.get(category);
    return {
      category,
      share: one ? rounded(2 ** (one.score - most) / total) : 0,
      times: one?.times ?? 0,
      bought: one?.bought ?? 0,
      own: wordOf(category) === "yes",
    };
  });
}
