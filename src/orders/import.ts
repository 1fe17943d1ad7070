// Reads a file of order lines, whatever its columns are called, into the log: a batch a transaction, and the position in
// the file moves with it. So an import that was cut off goes on where it stopped, and a line is never there twice.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createGunzip } from "node:zlib";
import { parse } from "csv-parse";
import * as collect from "#collect/service.ts";
import type { House } from "#kernel/endpoint.ts";
import { minorDigits } from "#kernel/money.ts";
import { isUnfit, readLine, type LineMapping, type LineText, type Shop } from "./rules.ts";
import { lineEvent } from "./service.ts";

/** Lines of one transaction, unless asked otherwise. */
const usualBatch = 5000;

export type ImportCounts = {
  lines: number; // records of the file seen so far, its heading not counted
  accepted: number;
  rejected: number;
  outside: number; // outside [from, until)
  doubles: number;
};
export type ImportOptions = {
  path: string;
  mapping: LineMapping;
  source: collect.SourceRow;
  /** Only lines that happened in [from, until). */
  from?: Date | undefined;
  until?: Date | undefined;
  /** Before a batch is committed, with the instant of its last line: a replay moves the shop's clock there. */
  beforeBatch?: (last: Date) => Promise<void>;
  /** After each committed batch: counts over all runs. */
  onBatch?: (counts: ImportCounts) => Promise<void> | void;
  batchLimit?: number;
  /** Cuts a batch where this changes from one line to the next: the day, where the clock moves by days. */
  batchBy?: (at: Date) => string;
  signal?: AbortSignal | undefined;
};

/** The file's digest: the same file is the same import, wherever it lies. */
export async function digestOf(path: string): Promise<Buffer> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest();
}

/** Columns of the mapping that the file's heading does not have; empty where all is well. */
const missingColumns = (heading: string[], mapping: LineMapping): string[] =>
  Object.values(mapping.columns).filter((name) => name !== undefined && !heading.includes(name));

export const shopOf = (mapping: LineMapping): Shop => ({
  timeZone: mapping.timeZone,
  currency: mapping.currency,
  digits: minorDigits(mapping.currency),
  refundPrefix: mapping.refundPrefix ?? "",
  services: new Set(mapping.services ?? []),
});

/** A record of the file: its fields, or why it is none. `number` counts records from 1, the heading left out. */
type FileRecord = { number: number; fields: string[] | null };

/** Records as they come. A record that cannot be parsed is given too, with its number: nothing is dropped in silence. */
export async function* records(path: string): AsyncGenerator<FileRecord[]> {
  const file = createReadStream(path, { highWaterMark: 256 * 1024 });
  const text = path.endsWith(".gz") ? file.pipe(createGunzip()) : file;
  // Numbers are given while the parser reads: what it skips and what it hands over arrive at different times.
  let number = -1; // the heading is record 0
  const given: number[] = [];
  const skipped: FileRecord[] = [];
  let lastSkipped = -1;
  const parser = parse({
    bom: true,
    relax_column_count: true,
    skip_records_with_error: true,
    skip_empty_lines: true,
    max_record_size: 1024 * 1024,
    on_record: (fields: string[]) => {
      given.push(++number);
      return fields;
    },
    on_skip: (error) => {
      // One broken record may be complained of more than once.
      const at = Number(error?.["lines"] ?? -1);
      if (at !== lastSkipped || at === -1) skipped.push({ number: ++number, fields: null });
      lastSkipped = at;
      return undefined;
    },
  });
  file.on("error", (error) => parser.destroy(error));
  text.on("error", (error: Error) => parser.destroy(error));
  text.pipe(parser);
  let some: FileRecord[] = [];
  for await (const fields of parser as AsyncIterable<string[]>) {
    const own = given.shift()!;
    while (skipped.length > 0 && skipped[0]!.number < own) some.push(skipped.shift()!);
    some.push({ number: own, fields });
    if (some.length >= 2000) {
      yield some;
      some = [];
    }
  }
  some.push(...skipped);
  if (some.length > 0) yield some;
}

/** Imports what is left of the file; says what became of its lines over all runs. */
export async function importLines(house: House, options: ImportOptions): Promise<ImportCounts> {
  const { path, mapping, source, from, until, beforeBatch, onBatch, batchBy, signal } = options;
  const batchLimit = options.batchLimit ?? usualBatch;
  await stat(path);
  const shop = shopOf(mapping);
  const running = await collect.openImport(house, source.id, await digestOf(path), from, until);
  if (running.finished) return running.counts;
  const total = running.counts;
  let batch: collect.LineOfFile[] = [];
  let heading: Map<string, number> | null = null;
  let width = 0;
  let position = total.lines;
  let last: Date | null = null;
  let group = "";
  let outside = 0;

  const commit = async () => {
    if (position === total.lines) return;
    if (last) await beforeBatch?.(last);
    const done = await collect.takeLines(house, source, running, batch, {
      line: position,
      outside,
    });
    total.lines = position;
    total.accepted += done.accepted;
    total.rejected += done.rejected;
    total.doubles += done.doubles;
    total.outside += outside;
    batch = [];
    outside = 0;
    await onBatch?.({ ...total });
  };

  for await (const some of records(path)) {
    for (const { number, fields } of some) {
      if (!heading) {
        heading = new Map(fields?.map((name, i) => [name.trim(), i]));
        width = fields?.length ?? 0;
        const missing = missingColumns([...heading.keys()], mapping);
        if (missing.length > 0)
          throw new Error(`The file has no column ${missing.join(", ")}.`, { cause: "import" });
        continue;
      }
      if (number <= total.lines) continue; // taken by an earlier run, which committed its position
      // A field too many, or too few, and every figure after it would be another's.
      const text = fields?.length === width ? textOf(fields, heading, mapping) : null;
      const read = text ? readLine(text, shop) : null;
      if (read && !isUnfit(read)) {
        if ((from && read.at < from) || (until && read.at >= until)) {
          outside++;
          position = number;
          continue;
        }
        const key = batchBy?.(read.at) ?? "";
        if (key !== group && batch.length > 0) await commit();
        group = key;
        if (!last || read.at > last) last = read.at;
        batch.push({ line: number, event: lineEvent(String(number), read) });
      } else {
        const why = read && isUnfit(read) ? read : { field: null, reason: "not_a_record" as const };
        batch.push({ line: number, unfit: { ...why, text: JSON.stringify(fields) } });
      }
      position = number;
      if (batch.length >= batchLimit) await commit();
    }
    if (signal?.aborted) break;
  }
  await commit();
  if (!signal?.aborted) await collect.closeImport(house, running);
  return total;
}

export function textOf(
  fields: string[],
  heading: Map<string, number>,
  mapping: LineMapping,
): LineText {
  const get = (column: string | undefined): string =>
    column === undefined ? "" : (fields[heading.get(column)!] ?? "").trim();
  const c = mapping.columns;
  return {
    order: get(c.order),
    sku: get(c.sku),
    name: get(c.name),
    quantity: get(c.quantity),
    unitPrice: get(c.unitPrice),
    at: get(c.at),
    customer: get(c.customer),
    country: get(c.country),
    category: get(c.category),
    merchant: get(c.merchant),
  };
}
