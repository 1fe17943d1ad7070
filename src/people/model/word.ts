// Of one field of one person several may have spoken. Which word stands:
// - What a page says of somebody is a claim: it counts only while nobody who is vouched for has spoken.
// - Of the shop's own words the latest counts, in order of (time, event).
// - What people say of themselves, shown by their token, stands before all the shop said until then, and before what an
//   order says. It gives way to what the shop says later, where that is news: a server that sends at every login what it
//   had said before the correction takes nothing back. From its first news on the shop's latest word counts again.
// - Whoever takes a value of theirs away has said that there is none: that stands in the same way.
// It follows from the set of words alone, whatever order they come in.

/** `value` null: taken away by the person. `weight`: 0.5 is a claim, 1 is vouched for. */
export type Word = {
  value: unknown;
  weight: number;
  own: boolean;
  sourceId: string;
  at: Date;
  id: string;
};
const before = (a: Word, b: Word): number =>
  a.at.getTime() - b.at.getTime() || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);

/** The word that stands of those on one field of one person; undefined of none. */
export function standing<T extends Word>(words: readonly T[]): T | undefined {
  const inOrder = words.toSorted(before);
  const vouched = inOrder.filter(({ weight }) => weight >= 1);
  if (vouched.length === 0) return inOrder.at(-1);
  const last = vouched.findLastIndex(({ own }) => own);
  if (last < 0) return vouched.at(-1);
  const known = new Map<string, unknown>();
  for (const { own, sourceId, value } of vouched.slice(0, last))
    if (!own) known.set(sourceId, value);
  const old = new Set(known.values());
  const isNews = vouched.slice(last + 1).some(({ value }) => !old.has(value));
  return isNews ? vouched.at(-1) : vouched[last];
}
