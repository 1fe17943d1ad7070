// Goods that people alike buy: two goods are near when the same people bought both. Item to item, so that a pick can
// always name the good of one's own that it comes from.
import { byText, type History } from "./history.ts";

/**
 * Plain numbers, as stored. Good `i` is `skus[i]`, bought by `buyers[i]` people; its neighbours are the entries
 * `start[i]` to below `start[i + 1]` of `to` (which good), `near` (how near) and `both` (people who bought both).
 */
export type Alike = {
  skus: string[];
  buyers: number[];
  start: number[];
  to: number[];
  near: number[];
  both: number[];
};
export type Suggestion = {
  sku: string;
  score: number;
  /** The one own good that speaks loudest for it: `both` of its `buyers` bought this one too. */
  because: { sku: string; both: number; buyers: number };
};

/** Neighbours kept of each good. */
const NEIGHBOURS = 50;
/** A reseller's whole catalogue says little about taste and costs its square: only the goods bought last count. */
const MOST_GOODS = 1_000;
/** Fewer people than this in common are an accident, and no reason to give. */
const FEWEST_BOTH = 3;
/** Weight of people who bought neither that is imagined beside each pair, so that rare pairs are not nearest. */
const SHRINK = 0.5;
/** What was bought so long before the fit counts half, as tastes and shelves change. */
const FIT_HALF_LIFE_DAYS = 120;
/** The same within one person's history, counted from their own last purchase. */
const OWN_HALF_LIFE_DAYS = 60;

const lastOf = (days: readonly number[]): number => days.at(-1)!;
const round = (x: number): number => Math.round(x * 1e6) / 1e6;

/** The goods by which a person counts: all, or the most recent of very many. */
const counted = ({ goods }: History): History["goods"] =>
  goods.length <= MOST_GOODS
    ? goods
    : goods
        .toSorted((a, b) => lastOf(b.days) - lastOf(a.days) || byText(a.sku, b.sku))
        .slice(0, MOST_GOODS);

/**
 * Cosine over people (Sarwar et al., WWW 2001), each person weighing 1/√(goods bought), so that who buys everything
 * does not join everything (inverse user frequency: Breese, Heckerman and Kadie 1998), shrunk, and older purchases
 * fading. Cost: the sum over people of their goods squared. `people` as from `histories`; `today` a day number.
 */
export function fitAlike(people: readonly History[], { today }: { today: number }): Alike {
  const skus = [...new Set(people.flatMap(({ goods }) => goods.map(({ sku }) => sku)))].toSorted();
  const index = new Map(skus.map((sku, i) => [sku, i]));
  const owned = people.map((person) => {
    const goods = counted(person);
    return {
      goods: Int32Array.from(goods, ({ sku }) => index.get(sku)!),
      fades: goods.map(({ days }) => 2 ** ((lastOf(days) - today) / FIT_HALF_LIFE_DAYS)),
      weight: 1 / Math.sqrt(goods.length),
    };
  });
  const buyers = skus.map(() => 0);
  const norm = new Float64Array(skus.length);
  const owners: { person: (typeof owned)[number]; fade: number }[][] = skus.map(() => []);
  for (const person of owned)
    for (const [at, good] of person.goods.entries()) {
      buyers[good]!++;
      norm[good]! += person.weight;
      owners[good]!.push({ person, fade: person.fades[at]! });
    }

  const fitted: Alike = { skus, buyers, start: [0], to: [], near: [], both: [] };
  const weight = new Float64Array(skus.length);
  const both = new Int32Array(skus.length);
  const best = new Float64Array(NEIGHBOURS);
  const bestGood = new Int32Array(NEIGHBOURS);
  for (const [good, theirs] of owners.entries()) {
    weight.fill(0);
    both.fill(0);
    for (const { person, fade } of theirs) {
      const share = person.weight * fade;
      for (const other of person.goods) {
        weight[other]! += share;
        both[other]!++;
      }
    }
    let kept = 0;
    for (let other = 0; other < skus.length; other++) {
      if (both[other]! < FEWEST_BOTH || other === good) continue;
      const near = round(weight[other]! / (Math.sqrt(norm[good]! * norm[other]!) + SHRINK));
      if (near === 0 || (kept === NEIGHBOURS && near <= best[kept - 1]!)) continue;
      let at = kept < NEIGHBOURS ? kept++ : kept - 1;
      for (; at > 0 && best[at - 1]! < near; at--) {
        best[at] = best[at - 1]!;
        bestGood[at] = bestGood[at - 1]!;
      }
      best[at] = near;
      bestGood[at] = other;
    }
    for (let at = 0; at < kept; at++) {
      fitted.to.push(bestGood[at]!);
      fitted.near.push(best[at]!);
      fitted.both.push(both[bestGood[at]!]!);
    }
    fitted.start.push(fitted.to.length);
  }
  return fitted;
}

/** Where a good stands in a fitted model; goods are in order of sku, so this needs no index beside it. */
function place({ skus }: Alike, sku: string): number | undefined {
  let low = 0;
  let high = skus.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (skus[middle]! < sku) low = middle + 1;
    else high = middle;
  }
  return skus[low] === sku ? low : undefined;
}

/**
 * Up to `k` goods that the person never bought, best first, ties in order of sku. `allowed` says which goods may be
 * offered at all, such as those in stock.
 */
export function suggest(
  model: Alike,
  { goods }: History,
  { k, allowed }: { k: number; allowed: (sku: string) => boolean },
): Suggestion[] {
  const own = new Set(goods.map(({ sku }) => sku));
  const latest = Math.max(...goods.map(({ days }) => lastOf(days)));
  type Tally = { score: number; loudest: number; from: number; both: number };
  const tallies = new Map<number, Tally>();
  for (const { sku, days } of goods) {
    const from = place(model, sku);
    if (from === undefined) continue;
    const fade = 2 ** ((lastOf(days) - latest) / OWN_HALF_LIFE_DAYS);
    for (let at = model.start[from]!; at < model.start[from + 1]!; at++) {
      const part = model.near[at]! * fade;
      const both = model.both[at]!;
      const tally = tallies.get(model.to[at]!);
      if (!tally) tallies.set(model.to[at]!, { score: part, loudest: part, from, both });
      else {
        tally.score += part;
        if (part > tally.loudest) Object.assign(tally, { loudest: part, from, both });
      }
    }
  }
  return [...tallies]
    .map(([good, tally]) => ({ sku: model.skus[good]!, ...tally }))
    .filter(({ sku }) => !own.has(sku) && allowed(sku))
    .map(({ sku, score, from, both }) => ({
      sku,
      score: round(score),
      because: { sku: model.skus[from]!, both, buyers: model.buyers[from]! },
    }))
    .toSorted((a, b) => b.score - a.score || byText(a.sku, b.sku))
    .slice(0, k);
}
