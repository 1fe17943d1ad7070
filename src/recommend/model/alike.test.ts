import fc from "fast-check";
import { expect, test } from "vitest";
import { fitAlike, suggest } from "./alike.ts";
import { histories, isoDay, type Purchase } from "./history.ts";

const today = 15_300;
const buys = (personId: string, skus: string[], day = today - 10): Purchase[] =>
  skus.map((sku) => ({ personId, sku, day: isoDay(day) }));
const shop = histories([
  ...["a", "b", "c", "d", "e"].flatMap((id) => buys(id, ["tea", "pot"])),
  ...["f", "g", "h"].flatMap((id) => buys(id, ["tea", "cup"])),
  ...["i", "j", "k", "l"].flatMap((id) => buys(id, ["nail", "hammer"])),
]);
const model = fitAlike(shop, { today });
const ask = (skus: string[], k = 5, allowed = (_sku: string) => true) =>
  suggest(model, histories(buys("me", skus))[0]!, { k, allowed });

test("who bought tea is shown the pot first, then the cup, and told how many did so", () => {
  expect(ask(["tea"]).map(({ sku, because }) => ({ sku, because }))).toEqual([
    { sku: "pot", because: { sku: "tea", both: 5, buyers: 8 } },
    { sku: "cup", because: { sku: "tea", both: 3, buyers: 8 } },
  ]);
});

test("nothing one has, nothing that may not be sold, nothing out of nowhere", () => {
  expect(ask(["tea", "pot"]).map(({ sku }) => sku)).toEqual(["cup"]);
  expect(ask(["tea"], 5, (sku) => sku !== "pot").map(({ sku }) => sku)).toEqual(["cup"]);
  expect(ask(["sponge"])).toEqual([]);
  expect(ask(["tea"], 1)).toHaveLength(1);
});

test("two in common are an accident", () => {
  const two = histories(["a", "b"].flatMap((id) => buys(id, ["x", "y"])));
  expect(fitAlike(two, { today }).to).toEqual([]);
});

test("of two equal neighbours, the one that people bought of late is nearer", () => {
  const people = histories([
    ...["a", "b", "c", "d"].flatMap((id) => [...buys(id, ["x"]), ...buys(id, ["new"])]),
    ...["e", "f", "g", "h"].flatMap((id) => [
      ...buys(id, ["x"], today - 300),
      ...buys(id, ["old"]),
    ]),
  ]);
  const me = histories(buys("me", ["x"]))[0]!;
  const found = suggest(fitAlike(people, { today }), me, { k: 2, allowed: () => true });
  expect(found.map(({ sku }) => sku)).toEqual(["new", "old"]);
});

test("the person with the whole catalogue costs no more than a thousand goods", () => {
  const many = Array.from({ length: 3000 }, (_, i) => `g${i}`);
  const people = histories(["a", "b", "c"].flatMap((id) => buys(id, many)));
  const fitted = fitAlike(people, { today });
  expect(fitted.skus).toHaveLength(3000);
  expect(fitted.buyers.filter((n) => n > 0)).toHaveLength(1000);
});

const purchase = fc.record<Purchase>({
  personId: fc.integer({ min: 0, max: 15 }).map((i) => `p${i}`),
  sku: fc.integer({ min: 0, max: 12 }).map((i) => `s${i}`),
  day: fc.integer({ min: today - 200, max: today }).map(isoDay),
});

test("the model and its answers do not know in which order people came, nor that it was stored", () => {
  fc.assert(
    fc.property(fc.array(purchase, { minLength: 1, maxLength: 150 }), (all) => {
      const one = fitAlike(histories(all), { today });
      const other = fitAlike(histories(all.toReversed()), { today });
      expect(JSON.stringify(other)).toBe(JSON.stringify(one));
      const stored = JSON.parse(JSON.stringify(one)) as typeof one;
      for (const person of histories(all)) {
        const found = suggest(one, person, { k: 5, allowed: () => true });
        expect(suggest(stored, person, { k: 5, allowed: () => true })).toEqual(found);
        expect(new Set(found.map(({ sku }) => sku)).size).toBe(found.length);
        for (const { sku, because } of found) {
          expect(person.goods.some((good) => good.sku === sku)).toBe(false);
          expect(person.goods.some((good) => good.sku === because.sku)).toBe(true);
          expect(because.both).toBeLessThanOrEqual(because.buyers);
        }
      }
    }),
  );
});
