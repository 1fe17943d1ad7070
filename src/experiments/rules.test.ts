import fc from "fast-check";
import { expect, test } from "vitest";
import { arm } from "./model/hash.ts";
import { power } from "./model/power.ts";
import { advise, primary, report, type Measure, type Past, type Report } from "./rules.ts";

/** 1,000 people of 2011, of whom 380 come back whatever we do; `lifted` more would come back if they were treated. */
const PEOPLE = 1000;
const RETURN = 380;
function assign(seed: string, lifted = 0) {
  const treated = { people: 0, returned: 0 };
  const control = { people: 0, returned: 0 };
  for (let i = 0; i < PEOPLE; i++) {
    const side = arm(seed, `p${i}`, { treatedShareBp: 8000 });
    const at = side === "treated" ? treated : control;
    at.people++;
    if (i < RETURN || (side === "treated" && i < RETURN + lifted)) at.returned++;
  }
  return primary(treated, control, 8000);
}
const runs = (lifted: number) =>
  Array.from({ length: 1000 }, (_, seed) => assign(`aa-${seed}`, lifted));
const share = <T>(of: T[], is: (one: T) => boolean) => of.filter(is).length / of.length;

test("nobody got a mail, and over 1,000 assignments we say that it helped no oftener than we may", () => {
  const results = runs(0);
  const covered = share(results, ({ intervalBp: [low, high] }) => low <= 0 && high >= 0);
  expect(share(results, ({ claims }) => claims)).toBeLessThanOrEqual(0.064);
  expect(Math.abs(covered - 0.95)).toBeLessThanOrEqual(0.014);
});

test("with five points planted, claims rise to what the power promised, and the interval still covers", () => {
  const results = runs(50);
  const claimed = share(results, ({ claims }) => claims);
  expect(Math.abs(claimed - power(800, 200, 0.38, 0.05))).toBeLessThan(0.06);
  expect(claimed).toBeGreaterThan(3 * share(runs(0), ({ claims }) => claims));
  const covered = share(results, ({ intervalBp: [low, high] }) => low <= 500 && high >= 500);
  expect(covered).toBeGreaterThanOrEqual(0.936);
});

const outcome = ([returned, people]: [number, number]) => ({
  returned,
  spentMinor: Array.from({ length: people }, (_, i) =>
    i < returned ? 4000 + ((i * 37) % 900) : 0,
  ),
});
const run = (treated: [number, number], control: [number, number], more: Partial<Measure> = {}) =>
  report({
    treated: outcome(treated),
    control: outcome(control),
    treatedShareBp: 8000,
    currency: "GBP",
    seed: "winback-1",
    ...more,
  });

test("spending is evidence only where the return rate claims", () => {
  const rich = { returned: 80, spentMinor: outcome([80, 200]).spentMinor.map((x) => x * 40) };
  const spent = run([320, 800], [80, 200], { control: rich });
  expect(spent.secondary.intervalMinor![1]).toBeLessThan(0); // spending alone would claim
  expect(spent.primary.claims).toBe(false);
  expect(spent.secondary.evidence).toBe(false);
  expect(spent.verdict).toBe("not_shown");
  expect(run([480, 800], [80, 200]).secondary.evidence).toBe(true);
});

test("a split that is not the one asked for claims nothing, however far apart the rates are", () => {
  const broken = run([480, 800], [80, 400]);
  expect(broken.split.alarm).toBe(true);
  expect(broken.primary.claims).toBe(false);
  expect(broken.verdict).toBe("broken_split");
  expect(advise(broken)).toMatchObject({ advice: "mend", because: "broken_split" });
});

test("a claim is what the shown interval says, and only with people enough", () => {
  const people = fc.integer({ min: 0, max: 400 });
  const counts = people.chain((n) => fc.tuple(fc.nat(n), fc.constant(n)));
  fc.assert(
    fc.property(counts, counts, ([a, n1], [b, n0]) => {
      const result = primary({ people: n1, returned: a }, { people: n0, returned: b }, 5000);
      const [low, high] = result.intervalBp;
      expect(low).toBeLessThanOrEqual(result.differenceBp);
      expect(high).toBeGreaterThanOrEqual(result.differenceBp);
      if (result.claims) {
        expect(low > 0 || high < 0).toBe(true);
        expect(Math.min(n1, n0)).toBeGreaterThanOrEqual(30);
      }
    }),
    { numRuns: 200 },
  );
});

test("the same outcomes give the same report, byte for byte", () => {
  const again = () => JSON.stringify(run([331, 812], [80, 203]));
  expect(again()).toBe(again());
});

const nothing = run([331, 812], [80, 203]);
const helped = run([480, 800], [80, 200]);
const past = (...all: [Report, Past["advice"]][]): Past[] =>
  all.map(([of, advice]) => ({ report: of, advice }));

test("one result after two different pasts is two different advices", () => {
  expect(advise(nothing)).toMatchObject({ advice: "repeat", because: "not_clear_yet" });
  expect(advise(nothing, past([nothing, "repeat"], [nothing, "repeat"]))).toMatchObject({
    advice: "change",
    because: "three_runs_nothing",
    evidence: { runs: 3, controlPeople: 203, detectableBp: nothing.detectableBp },
  });
  const changed = past([nothing, "change"], [nothing, "repeat"], [nothing, "repeat"]);
  expect(advise(nothing, changed)).toMatchObject({
    advice: "stop",
    because: "changed_and_nothing",
    evidence: { runs: 3 },
  });
});

test("harm is stopped and help repeated, whatever came before", () => {
  const harmed = run([240, 800], [100, 200]);
  for (const before of [[], past([helped, "repeat"]), past([nothing, "change"])]) {
    expect(advise(harmed, before).advice).toBe("stop");
    expect(advise(helped, before).advice).toBe("repeat");
  }
});

test("a run so large that a rise worth having is ruled out is not repeated", () => {
  const large = run([16_000, 40_000], [4000, 10_000]);
  expect(advise(large)).toMatchObject({ advice: "change", because: "worth_ruled_out" });
  expect(advise(large, [], { worthBp: 50 }).advice).toBe("repeat");
});

test("after one run that helped, three are no reason to change", () => {
  const mixed = past([helped, "repeat"], [nothing, "repeat"]);
  expect(advise(nothing, mixed)).toMatchObject({ advice: "repeat", because: "not_clear_yet" });
});

test("the number of people asked for is enough to see what is worth having", () => {
  const { peopleNeeded, worthBp } = advise(nothing).evidence;
  const base = 81 / 205;
  const n = peopleNeeded.thisSplit!;
  expect(power(n * 0.8, n * 0.2, base, worthBp / 10_000)).toBeCloseTo(0.8, 3);
  expect(peopleNeeded.evenSplit).toBeLessThan(n);
});

test("with nobody in it, a run says so and asks for people", () => {
  const empty = run([0, 0], [0, 0]);
  expect(empty).toMatchObject({ verdict: "too_few", detectableBp: null });
  expect(empty.primary.claims).toBe(false);
  expect(advise(empty).advice).toBe("repeat");
});
