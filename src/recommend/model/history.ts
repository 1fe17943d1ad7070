// Who bought what on which days: the one input of both models, in an order of its own, so that the order in which
// people and orders came in never shows in what is picked.

/** One good on one day, however many pieces or lines. `day` is an ISO day in the shop's time zone. */
export type Purchase = { personId: string; sku: string; day: string };
/** A good and the days on which it was bought, ascending, each once; days count from 1970-01-01. */
export type Bought = { sku: string; days: number[] };
/** A person's goods, by sku. */
export type History = { personId: string; goods: Bought[] };

export const dayNumber = (day: string): number => {
  const number = Date.parse(`${day}T00:00:00Z`) / 86_400_000;
  if (!Number.isInteger(number)) throw new RangeError(`not an ISO day: ${day}`);
  return number;
};
export const isoDay = (number: number): string =>
  new Date(number * 86_400_000).toISOString().slice(0, 10);

/** Plain order of code units: the same on every machine and in every language. */
export const byText = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

export function histories(purchases: Iterable<Purchase>): History[] {
  const people = new Map<string, Map<string, Set<number>>>();
  const numbers = new Map<string, number>();
  for (const { personId, sku, day } of purchases) {
    let number = numbers.get(day);
    if (number === undefined) numbers.set(day, (number = dayNumber(day)));
    let goods = people.get(personId);
    if (!goods) people.set(personId, (goods = new Map()));
    const days = goods.get(sku);
    if (days) days.add(number);
    else goods.set(sku, new Set([number]));
  }
  return [...people]
    .toSorted(([a], [b]) => byText(a, b))
    .map(([personId, goods]) => ({
      personId,
      goods: [...goods]
        .toSorted(([a], [b]) => byText(a, b))
        .map(([sku, days]) => ({ sku, days: [...days].toSorted((a, b) => a - b) })),
    }));
}
