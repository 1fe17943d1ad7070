import fc from "fast-check";
import { expect, test } from "vitest";
import { standing, type Word } from "./word.ts";

let n = 0;
const said = (value: unknown, more: Partial<Word> = {}): Word => ({
  ...{ value, weight: 1, own: false, sourceId: "shop" },
  ...{ at: new Date(++n * 1000), id: String(n).padStart(9, "0"), ...more },
});
const own = { own: true, sourceId: "self" };
const claim = { weight: 0.5, sourceId: "page" };

test("a correction stands before claims and repeats, and gives way to news", () => {
  const all = [said("Wuhan"), said("Xi'an", own), said("Rome", claim), said("Wuhan")];
  expect(standing(all)?.value).toBe("Xi'an");
  expect(standing([...all, said("Chengdu")])?.value).toBe("Chengdu");
  // Once the shop had news, its latest word counts, whatever it is.
  expect(standing([...all, said("Chengdu"), said("Wuhan")])?.value).toBe("Wuhan");
  const again = [...all, said("Chengdu"), said("Xi'an", own)];
  expect(standing([...again, said("Chengdu")])?.value).toBe("Xi'an");
  expect(standing([...again, said("Wuhan")])?.value).toBe("Wuhan");
});

test("each of the shop's systems may repeat itself; what was taken away stays away", () => {
  const all = [said("Wuhan"), said("Hankou", { sourceId: "crm" }), said(null, own)];
  const later = [said("Wuhan"), said("Hankou", { sourceId: "crm" }), said("Bath", claim)];
  expect(standing([...all, ...later])?.value).toBeNull();
  expect(standing([...all, ...later, said("Bath")])?.value).toBe("Bath");
});

test("claims count while nobody vouched for has spoken", () => {
  expect(standing([])).toBeUndefined();
  expect(standing([said("Bath", claim), said("York", claim)])?.value).toBe("York");
  const first = said("Rome");
  expect(standing([first, said("York", claim)])).toBe(first);
});

test("it is the same whatever order words come in", () => {
  const word = fc.record({
    value: fc.constantFrom("a", "b", null),
    weight: fc.constantFrom(0.5, 1),
    own: fc.boolean(),
    sourceId: fc.constantFrom("shop", "crm"),
    at: fc.integer({ min: 0, max: 5 }).map((at) => new Date(at)),
  });
  const words = fc
    .array(word, { maxLength: 9 })
    .map((all) => all.map((one, i) => ({ ...one, id: String(i) })));
  fc.assert(
    fc.property(words, fc.infiniteStream(fc.integer()), (all, ranks) => {
      const turned = all
        .map((one) => [ranks.next().value as number, one] as const)
        .toSorted(([a], [b]) => a - b)
        .map(([, one]) => one);
      expect(standing(turned)).toEqual(standing(all));
    }),
  );
});
