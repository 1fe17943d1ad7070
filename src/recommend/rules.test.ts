import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { dayNumber } from "./model/history.ts";
import { goodsOnly, histories, learn, picks, type History, type Purchase } from "./rules.ts";

/** The bundled orders: lines of a known customer that were paid for and not cancelled. */
function orders(): Purchase[] {
  const file = new URL("../../data/online-retail.csv.gz", import.meta.url);
  const text = gunzipSync(readFileSync(file)).toString("utf8");
  const line =
    /^([^,\r\n]+),([^,]*),(?:"(?:[^"]|"")*"|[^,]*),[^,]*,([^, ]*)[^,]*,([^,]*),([^,]*),/gm;
  const found: Purchase[] = [];
  for (const [, invoice, sku, day, price, personId] of text.matchAll(line))
    if (personId && !invoice!.startsWith("C") && Number(price) > 0)
      found.push({ personId, sku: sku!, day: day! });
  return found;
}
const all = orders();
const CUT = "2011-09-09"; // the shop's clock stands at its first minute: that day's orders are not yet known
const before = all.filter(({ day }) => day < CUT);
const taste = learn(before, { today: CUT });
const people = histories(before);

test("the orders are all there", () => {
  expect(all).toHaveLength(397_884);
});

test("postage and fees are no goods, and a shop that names its goods in words keeps them all", () => {
  const goods = goodsOnly(all.map(({ sku }) => sku));
  const left = [...new Set(all.map(({ sku }) => sku))].filter((sku) => !goods.has(sku));
  expect(left.toSorted()).toEqual(["BANK CHARGES", "C2", "DOT", "M", "PADS", "POST"]);
  expect(goodsOnly(["tea", "pot", "cup-20"]).size).toBe(3);
});

const later = new Map<string, Set<string>>();
for (const { personId, sku, day } of all)
  if (day >= CUT) later.set(personId, (later.get(personId) ?? new Set()).add(sku));
const returned = people.filter(({ personId }) => later.has(personId));
const quiet = returned.filter(({ goods }) =>
  goods.every(({ days }) => dayNumber(CUT) - days.at(-1)! > 90),
);
const hits = (of: History[], choose: (person: History) => string[]) =>
  of.filter((person) => choose(person).some((sku) => later.get(person.personId)!.has(sku))).length /
  of.length;
const buyers = new Map<string, number>();
for (const { goods } of people)
  for (const { sku } of goods) buyers.set(sku, (buyers.get(sku) ?? 0) + 1);
const known = goodsOnly(buyers.keys());
const popular = [...buyers]
  .filter(([sku]) => known.has(sku))
  .toSorted(([, a], [, b]) => b - a)
  .map(([sku]) => sku);
const five = (person: History) => picks(taste, person, { k: 5 });

test("the goods picked come back in more baskets than the shop's best sellers, by a clear margin", () => {
  for (const group of [returned, quiet]) {
    const ours = hits(group, (person) => five(person).map(({ sku }) => sku));
    const best = hits(group, () => popular.slice(0, 5));
    expect(ours).toBeGreaterThan(1.3 * best);
  }
});

test("also among goods that are new to them, what people alike buy beats the best sellers", () => {
  const own = (person: History) => new Set(person.goods.map(({ sku }) => sku));
  const fresh = (person: History) => {
    const mine = own(person);
    return (sku: string) => !mine.has(sku);
  };
  const ours = hits(returned, (person) =>
    picks(taste, person, { k: 5, allowed: fresh(person) }).map(({ sku }) => sku),
  );
  const best = hits(returned, (person) => popular.filter(fresh(person)).slice(0, 5));
  expect(ours).toBeGreaterThan(1.2 * best);
});

test("due again first, then alike; nothing twice, nothing unsold, a reason to each", () => {
  for (const person of people) {
    const mine = five(person);
    const kinds = mine.map(({ kind }) => kind);
    expect(kinds).toEqual(kinds.toSorted()); // "again" before "alike"
    expect(new Set(mine.map(({ sku }) => sku)).size).toBe(mine.length);
    const own = new Set(person.goods.map(({ sku }) => sku));
    for (const pick of mine) {
      expect(known.has(pick.sku)).toBe(true);
      expect(own.has(pick.kind === "again" ? pick.sku : pick.reason.sku)).toBe(true);
      expect(own.has(pick.sku)).toBe(pick.kind === "again");
      if (pick.kind === "again") expect(pick.reason.earliestDay <= CUT).toBe(true);
    }
  }
});

test("a good out of stock is left out and another takes its place", () => {
  const person = returned.find((one) => five(one).length === 5)!;
  const [first] = five(person);
  const without = picks(taste, person, { k: 5, allowed: (sku) => sku !== first!.sku });
  expect(without).toHaveLength(5);
  expect(without.map(({ sku }) => sku)).not.toContain(first!.sku);
});

test("the same orders give the same picks, byte for byte, in whatever order, stored or not, with the future in the file or not", () => {
  const some = before.filter(({ personId }) => personId.endsWith("7"));
  const future = all.filter(({ personId, day }) => personId.endsWith("7") && day > CUT);
  const told = (from: readonly Purchase[], stored: boolean) => {
    const fitted = learn(from, { today: CUT });
    const kept = stored ? (JSON.parse(JSON.stringify(fitted)) as typeof fitted) : fitted;
    return JSON.stringify(
      histories(some).map((person) => [person.personId, picks(kept, person, { k: 5 })]),
    );
  };
  const once = told(some, false);
  expect(told(some.toReversed(), false)).toBe(once);
  expect(told(some, true)).toBe(once);
  expect(told([...some, ...future], false)).toBe(once);
});

test("a shop's first customer gets nothing rather than nonsense", () => {
  const first: Purchase[] = [{ personId: "a", sku: "10001", day: CUT }];
  expect(picks(learn(first, { today: CUT }), histories(first)[0]!, { k: 5 })).toEqual([]);
  expect(picks(learn([], { today: CUT }), { personId: "b", goods: [] }, { k: 5 })).toEqual([]);
});
