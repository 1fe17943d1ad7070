// How long a shop's orders take to come in: a new installation, both parts of the file, every profile made, the columns
// filled, the loop turned between the two parts as `npm start` does it. Then both engines are asked what they hold.
//
// Options: --file, --mapping (a file of order lines and what its columns are), --clock, --until (the instants on the
// shop's wall where the second part begins and ends), --lines (only so many of the file, for a try).
import { nobody } from "../src/kernel/ids.ts";
import type { Opened } from "../src/program.ts";
import { temporaryHome } from "../test/chaos/program.ts";
import type { Measured } from "./effect.ts";
import { demoOf, fill, numberOf, type Options } from "./tools/homes.ts";

const targetSeconds = 90;

export async function run(report: (measured: Measured) => void, options: Options): Promise<void> {
  const say = (name: string, value: number, unit: string, target = "-", pass = true) =>
    report({ name: `import.${name}`, value: Math.round(value * 10) / 10, unit, target, pass });
  await using temporary = await temporaryHome(options["below"]);
  const only = numberOf(options, "lines", null);

  const marks: [string, number][] = [];
  let lines = 0;
  await fill(
    temporary.home,
    await demoOf(options),
    only,
    (stage) => marks.push([stage, performance.now()]),
    async (opened) => {
      const counted = await counts(opened);
      lines = counted.postgres.lines;
      say("lines_accepted", counted.accepted, "lines");
      for (const [name, value] of Object.entries(counted.postgres)) {
        const other = counted.clickhouse[name as keyof typeof counted.clickhouse];
        say(`${name}_postgres`, value, units[name] ?? name);
        say(`${name}_clickhouse`, other, units[name] ?? name, `= ${value}`, other === value);
      }
      say("lines_missing", counted.accepted - lines, "lines", "= 0", counted.accepted === lines);
    },
  );
  const spent = (stage: string): number => {
    const at = marks.findIndex(([name]) => name === stage);
    return at < 0 ? 0 : (marks[at + 1]![1] - marks[at]![1]) / 1000;
  };
  // The last of the file's lines is in both engines when the loop is done.
  const seconds = spent("import") + spent("replay");
  for (const [stage] of marks.slice(0, -1)) say(`${stage}_seconds`, spent(stage), "s");
  say("seconds", seconds, "s", `<= ${targetSeconds}`, seconds <= targetSeconds);
  say("rate", lines / seconds, "lines/s");
}

const units: Record<string, string> = { known_sales: "lines", value: "minor" };
/** What the two engines hold, counted in each for itself. Known sales: sold at a price, to somebody. */
async function counts({ house }: Opened) {
  const [taken] = await house.sql<{ accepted: bigint }[]>`
    select coalesce(sum(accepted), 0)::bigint as accepted from collect_import`;
  const [rows] = await house.sql<
    Record<"lines" | "sales" | "orders" | "people" | "sold", bigint>[]
  >`
    select count(*) as lines,
      count(*) filter (where known) as sales,
      count(distinct ref) filter (where known) as orders,
      count(distinct person_id) filter (where known) as people,
      coalesce(sum(amount_minor) filter (where known), 0)::bigint as sold
    from (select *, kind = 'sale' and person_id <> ${nobody} as known from orders_line) l`;
  type Row = Record<"lines" | "sales" | "orders" | "people" | "sold", string | number>;
  const [columns] = await house.columns.read<Row>(
    `select count() as lines, countIf(known) as sales, uniqExactIf(order_ref, known) as orders,
      uniqExactIf(node_id, known) as people, sumIf(amount_minor, known) as sold
    from (select *, order_kind = 'sale' and node_id != {nobody:UUID} as known
      from event where name = 'Order Line')`,
    { nobody },
  );
  const named = (row: Row | Record<keyof Row, bigint>) => ({
    lines: Number(row.lines),
    known_sales: Number(row.sales),
    invoices: Number(row.orders),
    customers: Number(row.people),
    value: Number(row.sold),
  });
  return {
    accepted: Number(taken!.accepted),
    postgres: named(rows!),
    clickhouse: named(columns!),
  };
}
