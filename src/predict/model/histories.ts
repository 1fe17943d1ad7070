// What the purchase models know of a customer: x repeat purchases, the last of them at tx, watched for T.
// Purchases of one day are one purchase, and the first purchase only starts the watch.

/** One row per customer, or per group of equal customers (`people` of them). Times in one unit throughout: days or weeks. */
export type Histories = {
  x: Float64Array;
  tx: Float64Array;
  T: Float64Array;
  people: Float64Array;
};

/**
 * The histories of many customers, in days, from their purchase days (day numbers, ascending not required, equal days
 * merged). Days after `today` are not read; a customer without a purchase up to `today` has no row.
 */
export function fromPurchaseDays(customers: Iterable<ArrayLike<number>>, today: number): Histories {
  const x: number[] = [];
  const tx: number[] = [];
  const T: number[] = [];
  for (const days of customers) {
    const seen = [...new Set(Array.from(days).filter((day) => day <= today))];
    if (seen.length === 0) continue;
    const first = seen.reduce((least, day) => Math.min(least, day));
    x.push(seen.length - 1);
    tx.push(seen.reduce((most, day) => Math.max(most, day)) - first);
    T.push(today - first);
  }
  return {
    x: Float64Array.from(x),
    tx: Float64Array.from(tx),
    T: Float64Array.from(T),
    people: new Float64Array(x.length).fill(1),
  };
}

/** Equal rows become one, with their people added up: the likelihood is the same and costs a fraction. */
export function compress(rows: Histories): Histories {
  const place = new Map<string, number>();
  const kept: number[] = [];
  const people: number[] = [];
  for (let i = 0; i < rows.x.length; i += 1) {
    const key = `${rows.x[i]} ${rows.tx[i]} ${rows.T[i]}`;
    const at = place.get(key);
    if (at === undefined) {
      place.set(key, kept.length);
      kept.push(i);
      people.push(rows.people[i]!);
    } else people[at]! += rows.people[i]!;
  }
  return {
    x: Float64Array.from(kept, (i) => rows.x[i]!),
    tx: Float64Array.from(kept, (i) => rows.tx[i]!),
    T: Float64Array.from(kept, (i) => rows.T[i]!),
    people: Float64Array.from(people),
  };
}

/** How many customers there are, how many purchases again, and for how long they were watched, all together. */
export function totals(rows: Histories): { people: number; repeats: number; watched: number } {
  let people = 0;
  let repeats = 0;
  let watched = 0;
  for (let i = 0; i < rows.x.length; i += 1) {
    people += rows.people[i]!;
    repeats += rows.people[i]! * rows.x[i]!;
    watched += rows.people[i]! * rows.T[i]!;
  }
  return { people, repeats, watched };
}
