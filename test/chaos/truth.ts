// What a home holds, asked of both engines, with none of the program's own reports.
import { doctor } from "../../src/doctor.ts";
import { readConfig } from "../../src/kernel/config.ts";
import { newLog } from "../../src/kernel/log.ts";
import type { PersonKey } from "../../src/kernel/sql.ts";
import * as people from "../../src/people/service.ts";
import { open, type Opened } from "../../src/program.ts";
import type { Expected, Sums } from "./lines.ts";

/** What every process of these tests is told: the shop that the lines are of. */
export const settings = { LIUKE_CURRENCY: "GBP", LIUKE_TIME_ZONE: "UTC" };

/** Opens a home whose program has stopped, and closes it again. */
export async function inHome<T>(home: string, work: (opened: Opened) => Promise<T>): Promise<T> {
  const opened = await open(readConfig({ ...settings, LIUKE_HOME: home }), newLog("fatal"));
  try {
    return await work(opened);
  } finally {
    await opened.close();
  }
}

export type Held = {
  /** Order lines of the log, and how many different ones. */
  log: { lines: number; distinct: number };
  postgres: Expected;
  columns: Expected;
  /** The columns' rows, and how many different events. */
  columnRows: { rows: number; distinct: number };
};
type Counted = { kind: string; lines: string | number; minor: string | number };
const kinds = (rows: readonly Counted[]): Expected => {
  const of = (kind: string): Sums => {
    const row = rows.find((one) => one.kind === kind);
    return { lines: Number(row?.lines ?? 0), minor: Number(row?.minor ?? 0) };
  };
  return { sale: of("sale"), refund: of("refund") };
};

export async function held({ house }: Opened, source: string): Promise<Held> {
  const { sql, columns } = house;
  const [named] = await sql<{ id: string }[]>`select id from collect_source where name = ${source}`;
  const id = named!.id;
  const [log] = await sql<{ lines: number; distinct: number }[]>`
    select count(*)::int as lines, count(distinct id)::int as distinct from collect_event
    where source_id = ${id} and name = 'Order Line'`;
  const lines = await sql<Counted[]>`
    select kind, count(distinct event_id)::text as lines, sum(amount_minor)::text as minor
    from orders_line where source_id = ${id} group by kind`;
  const [rows] = await columns.read<{ rows: string; distinct: string }>(
    "select count() as rows, uniqExact(id) as distinct from event where source_id = {id:UUID}",
    { id },
  );
  const inColumns = await columns.read<Counted>(
    `select order_kind as kind, count() as lines, sum(amount_minor) as minor from event
    where source_id = {id:UUID} group by order_kind`,
    { id },
  );
  return {
    log: { ...log! },
    postgres: kinds(lines),
    columns: kinds(inColumns),
    columnRows: { rows: Number(rows!.rows), distinct: Number(rows!.distinct) },
  };
}

/**
 * Every profile of a source as canonical JSON by the shop's own number of the person. An event is named by its order:
 * its id is the source's own, and which line of an order is its first may be a matter of ids.
 */
async function profiles(
  { house }: Opened,
  source: string,
): Promise<Map<string, Record<string, string>>> {
  const { sql } = house;
  const [named] = await sql<{ id: string }[]>`select id from collect_source where name = ${source}`;
  const orders = new Map(
    (
      await sql<{ eventId: string; ref: string }[]>`
        select event_id, ref from orders_line where source_id = ${named!.id}`
    ).map(({ eventId, ref }) => [eventId, ref]),
  );
  const rows = await sql<(PersonKey & { attributes: Record<string, { v: unknown }> })[]>`
    select p.bucket, p.person_id, p.attributes from people_profile p
    join people_person o using (bucket, person_id) where o.source_id = ${named!.id}`;
  const names = await people.identifiers(house, sql, rows, "user_id");
  return new Map(
    rows.map(({ personId, attributes }) => {
      const told = Object.entries(attributes).map(([name, attribute]): [string, string] => {
        const v = name === "last_event" ? orders.get(String(attribute.v)) : attribute.v;
        return [name, canonical({ ...attribute, v })];
      });
      return [names.get(personId) ?? "?", Object.fromEntries(told)];
    }),
  );
}
/** What differs between the profiles of two sources that sent the same; empty where nothing does. */
export async function differences(opened: Opened, source: string, other: string) {
  const [ours, theirs] = [await profiles(opened, source), await profiles(opened, other)];
  if (ours.size === 0) return [`${source} has no profiles`];
  const found: string[] = [];
  for (const who of new Set([...ours.keys(), ...theirs.keys()])) {
    const [a, b] = [ours.get(who) ?? {}, theirs.get(who) ?? {}];
    for (const name of new Set([...Object.keys(a), ...Object.keys(b)]))
      if (a[name] !== b[name]) found.push(`${who} ${name}: ${a[name]} and ${b[name]}`);
  }
  return found.slice(0, 10);
}
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) =>
    part !== null && typeof part === "object" && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );

/** The invariants that do not hold. */
export const broken = async ({ house }: Opened): Promise<string[]> =>
  (await doctor(house.sql, { sample: 1 }))
    .filter(({ rows }) => rows > 0)
    .map(({ id, rows, what }) => `${id} ${rows}: ${what.en}`);
