// What several clients say of who is who, in whatever order and pieces it comes in, with doubles and late words: everything
// ends as in a new installation that heard each word once, in order.
import { expect, test } from "vitest";
import { allRoutes, pumps } from "../src/app.ts";
import { settled } from "./settled.ts";
import { shop } from "./shop.ts";
import {
  broken,
  columnOwners,
  history,
  known,
  numbers,
  rules,
  sources,
  vias,
  wires,
  type Chance,
  type Word,
} from "./who.ts";

const day = 86_400_000;
const end = new Date("2026-03-01T04:00:00Z");
const runs = Number(process.env["LIUKE_WHO_RUNS"] ?? 1);
const first = Number(process.env["LIUKE_WHO_SEED"] ?? 1);
const many = Number(process.env["LIUKE_WHO_MANY"] ?? 6);
const size = Number(process.env["LIUKE_WHO_SIZE"] ?? 24);

async function begun() {
  const here = await shop(allRoutes);
  here.clock.shop = end;
  const by = await sources(here, here.as.owner);
  await rules(here, here.as.owner);
  const work = pumps(here.house, null);
  await settled(work);
  const tell = async (words: readonly Word[]) => {
    for (const via of vias)
      for (const { path, headers, text } of wires(
        via,
        by[via].key,
        words.filter((word) => word.via === via),
      )) {
        const answer = await here.ask("POST", path, { headers, text });
        expect([path, answer.status]).toEqual([path, 200]);
      }
  };
  return Object.assign(here, { work, tell });
}
type Begun = Awaited<ReturnType<typeof begun>>;

async function atRandom(here: Begun, words: readonly Word[], chance: Chance) {
  const mixed = chance.shuffled(words);
  const sent: Word[] = [];
  for (let i = 0; i < mixed.length;) {
    const some = mixed.slice(i, (i += 1 + chance.below(Math.ceil(mixed.length / 4))));
    // What was sent before comes again now and then.
    await here.tell([
      ...some,
      ...(sent.length > 0 && chance.next() < 0.4 ? [chance.pick(sent)] : []),
    ]);
    sent.push(...some);
    const { work } = here;
    for (let steps = chance.below(6); steps > 0; steps--)
      await chance.pick([
        work.consume,
        work.consume,
        work.merge,
        work.merge,
        work.relay,
        work.ring,
        work.segment,
      ])();
  }
}
/** A look more at somebody, set for words that turned out to be another's, changes nothing; a look less would. */
const withoutMoreLooks = (is: Seen, should: Seen): Seen =>
  is.map((one, i) => {
    const due = (should[i]?.["timers"] ?? []) as { kind: string; n: number }[];
    const timers = (one["timers"] as typeof due).flatMap(({ kind, n }) => {
      const other = due.find((timer) => timer.kind === kind)?.n ?? 0;
      const looks = kind === "traits.turn" ? Math.min(n, other) : n;
      return looks > 0 ? [{ kind, n: looks }] : [];
    });
    return { ...one, timers };
  });
type Seen = Awaited<ReturnType<typeof known>>;
async function differing(words: readonly Word[], seed: number, columns = false) {
  const chance = numbers(seed);
  await using here = await begun();
  await using control = await begun();
  await atRandom(here, words, chance);
  for (const word of words.toSorted((a, b) => a.at - b.at)) await control.tell([word]);
  for (const one of [here, control]) await settled(one.work);
  const [is, should] = [await known(here), await known(control)];
  expect(withoutMoreLooks(is, should)).toEqual(should);
  expect(await broken(here.sql)).toEqual([]);
  if (columns) {
    for (const one of [here, control]) while ((await one.work.ship()) > 0);
    const [told, owners] = [await columnOwners(here), await columnOwners(control)];
    expect(told.length).toBe(words.length > 0 ? owners.length : 0);
    expect(told).toEqual(owners);
  }
  return is;
}

for (let run = 0; run < runs; run++)
  test(`seed ${first + run}: in any order and in pieces, who is who and all that follows come out as told in order`, async () => {
    const seed = first + run;
    const chance = numbers(seed * 7919);
    const words = Array.from({ length: many }, (_, h) =>
      history(String(h + 1), size, end.getTime() - 20 * day, (19 * day) / size, chance),
    ).flat();
    // No two at one instant: of those the order goes by ids, which differ from shop to shop.
    const once = new Map(words.map((word) => [word.at, word]));
    const is = await differing([...once.values()], seed, true);
    expect(is.some(({ labels }) => labels.length > 2)).toBe(true);
  }, 120_000);
