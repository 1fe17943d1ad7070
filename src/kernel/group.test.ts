import fc from "fast-check";
import { expect, test } from "vitest";
import { inOrder } from "./group.ts";

type Asked = { at: number; twin: string | undefined; person: string; fails: boolean };

test("everybody has their own verdict; no round is too large, none holds twins, each goes by person, then arrival", async () => {
  const one = fc.record({
    twin: fc.option(fc.constantFrom("a", "b", "c"), { nil: undefined }),
    person: fc.constantFrom("p", "q", "r"),
    fails: fc.boolean(),
    /** How many turns of the loop pass before it arrives. */
    late: fc.integer({ min: 0, max: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(one, { maxLength: 40 }),
      fc.integer({ min: 1, max: 7 }),
      fc.scheduler(),
      async (all, limit, scheduler) => {
        const rounds: Asked[][] = [];
        let inside = 0;
        const lane = inOrder<Asked, string>(async (items) => {
          expect(++inside).toBe(1); // one round at a time
          rounds.push(items);
          await scheduler.schedule(Promise.resolve());
          inside--;
          if (items.some(({ fails }) => fails) && items.length === 1) throw new Error("broken");
          return items.map(({ at }) => `verdict ${at}`);
        }, limit);
        const verdicts: Promise<PromiseSettledResult<string>[]>[] = [];
        let arrived = 0;
        for (const { late, ...given } of all) {
          for (let turn = 0; turn < late; turn++) await Promise.resolve();
          const asked = { ...given, at: arrived++ };
          verdicts.push(Promise.allSettled([lane(asked, asked.twin, asked.person)]));
        }
        await scheduler.waitFor(Promise.all(verdicts));
        const settled = (await Promise.all(verdicts)).map(([only]) => only!);
        const byItem = rounds.flat().toSorted((a, b) => a.at - b.at);
        expect(byItem.map(({ at }) => at)).toEqual(all.map((_, at) => at)); // each exactly once
        for (const [at, verdict] of settled.entries())
          if (verdict.status === "fulfilled") expect(verdict.value).toBe(`verdict ${at}`);
          else expect(rounds).toContainEqual([expect.objectContaining({ at, fails: true })]);
        for (const round of rounds) {
          expect(round.length).toBeLessThanOrEqual(limit);
          const twins = round.flatMap(({ twin }) => twin ?? []);
          expect(new Set(twins).size).toBe(twins.length);
          const order = round.toSorted((a, b) =>
            a.person === b.person ? a.at - b.at : a.person < b.person ? -1 : 1,
          );
          expect(round).toEqual(order);
        }
        // Of one twin, the first to come is the first to go.
        for (const twin of ["a", "b", "c"]) {
          const went = rounds
            .flat()
            .filter((asked) => asked.twin === twin)
            .map(({ at }) => at);
          expect(went).toEqual(went.toSorted((a, b) => a - b));
        }
      },
    ),
    { numRuns: 300 },
  );
});

test("what arrives while a round is under way is the next round, all of it", async () => {
  const rounds: number[][] = [];
  const lane = inOrder<number, number>(async (items) => {
    rounds.push(items);
    await Promise.resolve();
    return items;
  }, 100);
  await Promise.all([1, 2, 3, 4, 5].map((n) => lane(n)));
  expect(rounds).toEqual([[1], [2, 3, 4, 5]]);
});
