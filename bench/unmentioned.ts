// What an event costs that no segment mentions: folding the same events with 10 segments and with 1,000, in turn.
// Options: --events (2000, a round), --rounds (5).
import { consume as fold } from "../src/collect/jobs.ts";
import { accept, sourceNamed } from "../src/collect/service.ts";
import type { House } from "../src/kernel/endpoint.ts";
import * as peopleJobs from "../src/people/jobs.ts";
import { consume } from "../src/segments/jobs.ts";
import type { Rule } from "../src/segments/rules.ts";
import { define } from "../src/segments/service.ts";
import { temporaryHome } from "../test/chaos/program.ts";
import type { Measured } from "./effect.ts";
import { numberOf, withHouse, type Options } from "./tools/homes.ts";

const ruleOf = (i: number): Rule =>
  i % 2 === 0
    ? {
        kind: "events",
        event: `Asked ${i}`,
        is: "ge",
        count: 1,
        window: { kind: "days", days: 30 },
      }
    : { kind: "number", attribute: `asked_${i}`, is: "ge", value: 1 };

export async function run(report: (measured: Measured) => void, options: Options): Promise<void> {
  const events = numberOf(options, "events", 2000);
  const rounds = numberOf(options, "rounds", 5);
  await using few = await temporaryHome(options["below"]);
  await using many = await temporaryHome(options["below"]);
  const costs = new Map<number, number[]>([
    [10, []],
    [1000, []],
  ]);
  await withHouse(few.home, async (a) =>
    withHouse(many.home, async (b) => {
      const sides = [
        { house: a.house, segments: 10 },
        { house: b.house, segments: 1000 },
      ];
      for (const { house, segments } of sides)
        for (let i = 0; i < segments; i++)
          await house.sql.begin((tx) =>
            define({ tx, house } as never, {
              name: { zh: `${i}`, en: `${i}` },
              rule: ruleOf(i),
              purpose: "analysis",
            }),
          );
      // The first round warms both and is not counted.
      for (let round = 0; round <= rounds; round++)
        for (const { house, segments } of sides) {
          const ms = await spent(house, round, events);
          if (round > 0) costs.get(segments)!.push(ms);
        }
    }),
  );
  const median = (of: number[]) => of.toSorted((x, y) => x - y)[Math.floor(of.length / 2)]!;
  const say = (name: string, value: number, unit: string, target = "-", pass = true) =>
    report({ name: `unmentioned.${name}`, value: Math.round(value * 10) / 10, unit, target, pass });
  const [ten, thousand] = [median(costs.get(10)!), median(costs.get(1000)!)];
  say("event_of_10", (ten * 1000) / events, "us");
  say("event_of_1000", (thousand * 1000) / events, "us");
  const more = 100 * (thousand / ten - 1);
  say("more", more, "%", "<= 20", more <= 20);
}

async function spent(house: House, round: number, events: number): Promise<number> {
  const source = await sourceNamed(house, house.sql, "bench", "server");
  const at = house.clocks.shop();
  for (let from = 0; from < events; from += 500)
    await house.sql.begin((tx) =>
      accept(
        house,
        tx,
        source,
        Array.from({ length: Math.min(500, events - from) }, (_, i) => ({
          key: `${round} ${from + i}`,
          name: "Nobody asks",
          at,
          data: { price: i },
          sender: { type: "user_id" as const, value: `c${(from + i) % 400}` },
        })),
      ),
    );
  const begun = performance.now();
  while ((await fold(house, [peopleJobs.consume, consume])) > 0);
  return performance.now() - begun;
}
