// Does the report keep its word? On a shop's real orders, of people nobody wrote to, the win-back's people are split a
// thousand times over: a report that claims an effect more often than its error rate allows is not worth reading. Then
// a known rise is planted, and we say how often it is seen.
//
// Options: --file and --mapping (a file of order lines and what its columns are), --clock (the instant, on the shop's
// wall, at which the people are chosen), --until (the end of the window), --treated (basis points), --seeds, --planted
// (basis points). No database: the same rules that the program runs by.
import { readFileSync } from "node:fs";
import { arm } from "../src/experiments/model/hash.ts";
import { detectable, power } from "../src/experiments/model/power.ts";
import { primary, type People, type Primary } from "../src/experiments/rules.ts";
import { dayOf, instantOf } from "../src/kernel/clock.ts";
import { records, shopOf, textOf } from "../src/exchange/import.ts";
import { isUnfit, readLine, type LineMapping } from "../src/orders/rules.ts";
import { learnFrom, predictionOf, type Buyer } from "../src/predict/rules.ts";
import { fits } from "../src/segments/model/evaluate.ts";
import { atInstant, dormantWorth } from "../src/segments/rules.ts";

export type Measured = {
  name: string;
  value: number;
  unit: string;
  target: string;
  pass: boolean;
};

const bundled = {
  file: "data/online-retail.csv.gz",
  clock: "2011-09-09T00:00",
  until: "2011-12-10T00:00",
};

type Order = { at: Date; minor: number };
/** What each customer ordered: their sales by order number, an order dated by its first line. */
async function ordersOf(path: string, mapping: LineMapping): Promise<Map<string, Order[]>> {
  const shop = shopOf(mapping);
  const customers = new Map<string, Map<string, Order>>();
  let heading: Map<string, number> | null = null;
  for await (const some of records(path))
    for (const { fields } of some) {
      if (!heading) {
        heading = new Map(fields?.map((name, i) => [name.trim(), i]));
        continue;
      }
      const line =
        fields &&
        readLine(
          textOf((field) => {
            const column = mapping.columns[field as keyof typeof mapping.columns];
            return column === undefined ? "" : fields[heading!.get(column)!];
          }),
          shop,
        );
      if (!line || isUnfit(line) || line.customer === "" || line.data.kind !== "sale") continue;
      let orders = customers.get(line.customer);
      if (!orders) customers.set(line.customer, (orders = new Map()));
      const had = orders.get(line.data.order);
      if (!had) orders.set(line.data.order, { at: line.at, minor: line.data.amountMinor });
      else {
        had.minor += line.data.amountMinor;
        if (line.at < had.at) had.at = line.at;
      }
    }
  return new Map(
    [...customers].map(([id, orders]) => [id, [...orders.values()].filter((o) => o.minor > 0)]),
  );
}

/** The people whom the built-in segment chooses at `now`, from the orders before it, and who of them came back. */
function chosen(orders: Map<string, Order[]>, now: Date, until: Date, timeZone: string) {
  const buyers = [...orders].flatMap(([id, all]): [string, Buyer][] => {
    const before = all.filter(({ at }) => at < now);
    if (before.length === 0) return [];
    const days = [...new Set(before.map(({ at }) => dayOf(at, timeZone)))].toSorted();
    const amountMinor = before.reduce((sum, { minor }) => sum + minor, 0);
    return [[id, { days, orders: before.length, amountMinor }]];
  });
  buyers.sort(([a], [b]) => (a < b ? -1 : 1));
  const learned = learnFrom(
    buyers.map(([, buyer]) => buyer),
    dayOf(now, timeZone),
  );
  const rule = atInstant(dormantWorth.rule, { at: now, timeZone });
  return buyers.flatMap(([id, buyer]) => {
    const said = predictionOf(buyer, learned, now, timeZone);
    const facts = {
      tags: new Map([["lifecycle", { value: said.stage.stage, expiresAt: null }]]),
      attributes: new Map<string, unknown>([
        ["purchase_days", buyer.days.length],
        ["spend_score", said.rfm?.scores.m ?? null],
      ]),
      segments: new Set<string>(),
      personId: id,
      events: [],
    };
    if (!fits(rule, facts, now)) return [];
    return [{ id, returned: orders.get(id)!.some(({ at }) => at >= now && at < until) }];
  });
}

type Person = { id: string; returned: boolean };
/** One assignment and its report. Of `lifted`, whoever is treated comes back who would not have. */
function once(
  people: readonly Person[],
  lifted: ReadonlySet<string>,
  seed: string,
  treatedShareBp: number,
): Primary {
  const treated: People = { people: 0, returned: 0 };
  const control: People = { people: 0, returned: 0 };
  for (const { id, returned } of people) {
    const isTreated = arm(seed, id, { treatedShareBp }) === "treated";
    const side = isTreated ? treated : control;
    side.people++;
    if (returned || (isTreated && lifted.has(id))) side.returned++;
  }
  return primary(treated, control, treatedShareBp);
}

const share = <T>(of: readonly T[], is: (one: T) => boolean): number =>
  of.filter(is).length / of.length;
const percent = (part: number): number => Math.round(part * 10_000) / 100;
const numberOf = (text: string | undefined, otherwise: number): number => {
  const value = Number(text ?? otherwise);
  if (!Number.isInteger(value) || value < 1) throw new Error(`a whole number above zero: ${text}`);
  return value;
};

export async function run(
  report: (measured: Measured) => void,
  options: Record<string, string>,
): Promise<void> {
  const file = options["file"] ?? bundled.file;
  const own = options["file"] !== undefined;
  const mappingFile = options["mapping"] ?? file.replace(/\.csv(\.gz)?$/, ".map.json");
  const mapping = JSON.parse(readFileSync(mappingFile, "utf8")) as LineMapping;
  const instant = (name: "clock" | "until"): Date => {
    const text = options[name] ?? (own ? undefined : bundled[name]);
    const at = text === undefined ? new Date(Number.NaN) : instantOf(text, mapping.timeZone);
    if (Number.isNaN(at.getTime())) throw new Error(`--${name}: an instant as 2025-09-01T00:00`);
    return at;
  };
  const [now, until] = [instant("clock"), instant("until")];
  const treatedBp = numberOf(options["treated"], 8000);
  const seeds = numberOf(options["seeds"], 1000);
  const plantedBp = numberOf(options["planted"], 500);
  if (!(now < until) || treatedBp > 9999)
    throw new Error("--clock before --until, --treated < 10000");

  const people = chosen(await ordersOf(file, mapping), now, until, mapping.timeZone);
  if (people.length === 0) throw new Error("nobody is in the segment at that instant");
  const base = share(people, ({ returned }) => returned);
  const say = (name: string, value: number, unit: string, target = "-", pass = true) =>
    report({ name: `effect.${name}`, value, unit, target, pass });
  say("people", people.length, "people");
  say("return_rate", percent(base), "%");

  const assigned = (lifted: ReadonlySet<string>) =>
    Array.from({ length: seeds }, (_, i) => once(people, lifted, `effect-${i}`, treatedBp));
  const covering = (effectBp: number) => (one: Primary) =>
    one.intervalBp[0] <= effectBp && one.intervalBp[1] >= effectBp;

  const idle = assigned(new Set());
  const claims = percent(share(idle, ({ claims: claimed }) => claimed));
  const covered = percent(share(idle, covering(0)));
  say("claims", claims, "%", "<= 6.4", claims <= 6.4);
  say("coverage", covered, "%", "95 ± 1.4", Math.abs(covered - 95) <= 1.4);

  // Spread over those who did not come back, in an order that has nothing to do with who they are or when.
  const idlers = people.filter(({ returned }) => !returned);
  const wanted = Math.min(idlers.length, Math.round((people.length * plantedBp) / 10_000));
  const lifted = new Set(
    Array.from({ length: wanted }, (_, i) => idlers[Math.floor((i * idlers.length) / wanted)]!.id),
  );
  const rise = wanted / people.length;
  const moved = assigned(lifted);
  const [treated, control] = [treatedBp / 10_000, 1 - treatedBp / 10_000].map(
    (part) => part * people.length,
  ) as [number, number];
  const promised = percent(power(treated, control, base, rise));
  const seen = percent(share(moved, ({ claims: claimed }) => claimed));
  const found = percent(share(moved, covering(Math.round(rise * 10_000))));
  say("planted", percent(rise), "points");
  say("power", seen, "%", `${promised} ± 6`, Math.abs(seen - promised) <= 6);
  say("planted_coverage", found, "%", ">= 93.6", found >= 93.6);
  const least = detectable(treated, control, base);
  say("detectable", least === null ? 100 : percent(least), "points");
}
