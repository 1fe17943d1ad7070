// Reads a file of any kind, whatever its columns are called, into the log: a batch a transaction, and the position in the
// file moves with it. So an import that was cut off goes on where it stopped, and a line is never there twice.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Readable, Transform, type Duplex } from "node:stream";
import { createGunzip } from "node:zlib";
import { isRefused, orderLine, safeName, type Incoming, type Refused } from "#collect/rules.ts";
import * as collect from "#collect/service.ts";
import type { House } from "#kernel/endpoint.ts";
import { badIn, parseLoose } from "#kernel/json.ts";
import { consentTold } from "#messages/rules.ts";
import { isCurrency, minorDigits } from "#kernel/money.ts";
import {
  isKindOfLine,
  isUnfit,
  readLine,
  type LineKind,
  type LineMapping,
  type LineText,
  type Shop,
} from "#orders/rules.ts";
import { lineEvent } from "#orders/service.ts";
import { csvReader, type CsvRecord } from "./model/csv.ts";
import { asUtf8, noText } from "./model/text.ts";
import { readConsent } from "./model/consent.ts";
import { readPerson } from "./model/person.ts";
import {
  asItWas,
  carriedOf,
  columnsLimit,
  fieldsOf,
  fileBytesLimit,
  guess,
  marketTold,
  missingColumns,
  readRecord,
  isUsed,
  recordLimit,
  twiceNamed,
  unpackedBytesLimit,
  withOrigin,
  type Format,
  type Get,
  type Kind,
  type Mapping,
  type Trust,
} from "./rules.ts";

/** Lines of one transaction, unless asked otherwise. */
const usualBatch = 5000;
/** And no more characters than about so many. */
const batchSize = 16 * 1024 * 1024;

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
} & Pick<FileOptions, "from" | "until" | "beforeBatch" | "onBatch"> &
  Pick<FileOptions, "batchLimit" | "batchBy" | "signal">;
/** A file that lies on no disk of this machine: how long it is, and its bytes whenever they are asked for. */
export type Stored = { bytes: number; gzip: boolean; read: () => Readable };
export type FileOptions = {
  path: string; // of a file that is `stored`, its name
  stored?: Stored | undefined;
  kind: Kind;
  mapping: Mapping;
  source: collect.SourceRow;
  /** Only lines that happened in [from, until). */
  from?: Date | undefined;
  until?: Date | undefined;
  /** Before a batch is committed, with the instant of its last line: a replay moves the shop's clock there. */
  beforeBatch?: (last: Date) => Promise<void>;
  /** After each committed batch: counts over all runs. */
  onBatch?: (counts: ImportCounts) => Promise<void> | void;
  /** Once it is known whether the file was begun before, or ended. */
  onOpen?: (running: collect.Running) => Promise<void>;
  batchLimit?: number;
  /** Cuts a batch where this changes from one line to the next: the day, where the clock moves by days. */
  batchBy?: (at: Date) => string;
  signal?: AbortSignal | undefined;
};

/** The file's digest: the same file is the same import, wherever it lies. */
export async function digestOf(path: string, stored?: Stored): Promise<Buffer> {
  const hash = createHash("sha256");
  for await (const chunk of stored?.read() ?? createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest();
}

export const shopOf = (mapping: LineMapping): Shop => ({
  timeZone: mapping.timeZone,
  currency: mapping.currency,
  digits: minorDigits(mapping.currency),
  refundPrefix: mapping.refundPrefix ?? "",
  services: new Set(mapping.services ?? []),
});

/** What is wrong with a file as a whole: `fault` is the code that a page puts into words. */
export const unfitFile = (fault: string, message: string): Error =>
  Object.assign(new Error(message, { cause: "import" }), { fault });

/** A record of the file: its fields, or how it begins where it is none. `number` counts from 1, the heading left out. */
type FileRecord = CsvRecord & { number: number };
type Seen = { odd: boolean; separator?: string };

/** Records of a CSV file as they come, the heading first. One that cannot be read is given too: nothing is dropped in silence. */
export async function* records(
  path: string,
  origin: Origin = {},
  seen: Seen = { odd: false },
): AsyncGenerator<FileRecord[]> {
  const reader = csvReader({ record: recordLimit, columns: columnsLimit });
  const decoder = new TextDecoder();
  let number = -1; // the heading is record 0
  const numbered = (some: CsvRecord[]) => {
    seen.separator = reader.separator();
    return some.map((one): FileRecord => ({ ...one, number: ++number }));
  };
  let failed: Error | null = null;
  const stream = textFrom(
    path,
    (error) => {
      failed ??= error;
      stream.destroy(error);
    },
    origin,
    seen,
  );
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>)
      // A helping is small whatever comes at once, so that no more than that waits to be taken.
      for (let from = 0; from < chunk.length; from += helpingBytes) {
        const part = chunk.subarray(from, from + helpingBytes);
        const some = numbered(reader.push(decoder.decode(part, { stream: true })));
        if (some.length > 0) yield some;
      }
  } catch (thrown) {
    throw failed ?? thrown;
  }
  if (failed) throw failed as Error;
  const some = numbered([...reader.push(decoder.decode()), ...reader.end()]);
  if (some.length > 0) yield some;
}
const helpingBytes = 256 * 1024;
type Origin = { stored?: Stored | undefined; encoding?: Mapping["encoding"] | undefined };
/** The file's text in UTF-8, unpacked. `broken` is told what goes wrong on the way. */
function textFrom(
  path: string,
  broken: (error: Error) => void,
  origin: Origin,
  seen: { odd: boolean },
): Readable {
  const whole = Readable.from(asUtf8(bytesFrom(path, broken, origin, seen), seen));
  whole.on("error", broken);
  return whole;
}
function bytesFrom(
  path: string,
  broken: (error: Error) => void,
  { stored, encoding }: Origin,
  seen: { odd: boolean },
): Readable {
  const file = stored?.read() ?? createReadStream(path, { highWaterMark: 256 * 1024 });
  const parts: Duplex[] = [];
  if (stored ? stored.gzip : path.endsWith(".gz")) parts.push(createGunzip(), limited());
  if (encoding && encoding !== "utf-8") parts.push(decoded(encoding, seen));
  file.on("error", broken);
  let text: Readable = file;
  for (const part of parts) {
    text = text.pipe(part);
    text.on("error", broken);
  }
  return text;
}
/** May it stand in the log? Neither bytes that are no text nor a null may. */
const isText = (cell: string): boolean => !cell.includes(noText) && !cell.includes("\0");
/** A packed file may say of itself that it is as large as it likes. */
function limited(): Duplex {
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _, done) {
      bytes += chunk.length;
      if (bytes <= unpackedBytesLimit) done(null, chunk);
      else
        done(new Error("Unpacked, the file is larger than 20 GiB: part it.", { cause: "import" }));
    },
  });
}
/** Spreadsheets write what their machine's language is used to. */
function decoded(encoding: string, seen: { odd: boolean }): Duplex {
  const decoder = new TextDecoder(encoding);
  const told = (text: string) => {
    if (!text.includes("\uFFFD")) return text;
    seen.odd = true;
    return text.replaceAll("\uFFFD", noText);
  };
  return new Transform({
    transform: (chunk: Buffer, _, done) =>
      done(null, told(decoder.decode(chunk, { stream: true }))),
    flush: (done) => done(null, told(decoder.decode())),
  });
}

/** One record of a file of either form. */
type Row = {
  number: number;
  names: readonly string[];
  get: Get | null;
  text: string;
  size: number; // characters, nearly
  /** The column that holds what cannot be kept; "" where it is the record itself. */
  bad?: string;
};
/** What a file says of itself before its first line. */
type Heading = { names: string[]; separator: string };
/** `names` are the columns that the file has; a record of lines of JSON has its own. */
async function* csvRows(
  path: string,
  { quoted, encoding }: Mapping,
  check: (heading: Heading) => void,
  stored?: Stored,
): AsyncGenerator<Row[]> {
  let heading: Map<string, number> | null = null;
  let names: string[] = [];
  let width = 0;
  const seen: Seen = { odd: false };
  for await (const some of records(path, { stored, encoding }, seen)) {
    const rows: Row[] = [];
    for (const { number, fields, text } of some) {
      if (!heading) {
        names = headingOf(fields);
        // A column without a name is nobody's; of two with one name the first counts, where anybody asks for it.
        heading = new Map(names.map((name, i) => [name, i] as const).toReversed());
        heading.delete("");
        width = names.length;
        check({ names, separator: seen.separator! });
        continue;
      }
      const at = heading;
      // A field too many, or too few, and every figure after it would be another's.
      if (!fields) {
        rows.push({ number, names, get: null, text, size: text.length });
        continue;
      }
      const cell = (text: string | undefined) => (quoted ? asItWas(text ?? "") : (text ?? ""));
      const get: Get = (name) => (at.has(name) ? cell(fields[at.get(name)!]) : undefined);
      const odd = seen.odd ? fields.findIndex((one) => !isText(one)) : -1;
      const row = {
        number,
        names,
        get,
        size: fields.reduce((sum, one) => sum + one.length, width),
        ...(odd < 0 ? {} : { bad: names[odd] ?? "" }),
        get text() {
          return JSON.stringify(
            Object.fromEntries(names.map((name, i) => [name, cell(fields[i])]).toReversed()),
          );
        },
      };
      rows.push(row);
    }
    if (rows.length > 0) yield rows;
  }
  if (!heading) throw unfitFile("empty", "The file is empty: it has no heading.");
}
function headingOf(fields: string[] | null): string[] {
  if (!fields)
    throw unfitFile(
      "heading",
      "The heading of the file cannot be read: a quote in it is not closed, or it is longer than 1 MiB.",
    );
  if (fields.length > columnsLimit)
    throw unfitFile("columns", `The file has more than ${columnsLimit} columns.`);
  return fields.map((name) => name.trim());
}
/** How a separator is called in a message. */
const separatorNames: Record<string, string> = {
  ",": "commas",
  ";": "semicolons",
  "\t": "tabs",
  "|": "bars",
};
/** Is this the file that the mapping is of? */
function checkHeading({ names, separator }: Heading, kind: Kind, mapping: Mapping): void {
  const missing = missingColumns(names, kind, mapping);
  if (missing.length > 0) {
    const by = separatorNames[separator] ?? `“${separator}”`;
    const parted = names.length > 1 ? ` Its columns are parted by ${by}.` : "";
    const all = missing.map((name) => name.slice(0, 100)).join(", ");
    throw unfitFile("column", `The file has no column ${all}.${parted}`);
  }
  const twice = twiceNamed(names).filter((name) => isUsed(name, kind, mapping));
  if (twice.length > 0)
    throw unfitFile("twice", `The file has more than one column called ${twice.join(", ")}.`);
}
const rowOf = (number: number, line: string): Row => {
  const read = parseLoose(line);
  if (typeof read !== "object" || read === null || Array.isArray(read))
    return { number, names: [], get: null, text: line.slice(0, 32 * 1024), size: line.length };
  const fields = read as Record<string, unknown>;
  const get: Get = (name) =>
    name !== "" && Object.hasOwn(fields, name) ? fields[name] : undefined;
  const names = Object.keys(fields);
  const bad = line.includes(noText)
    ? (names.find((name) => JSON.stringify([name, fields[name]]).includes(noText)) ?? "")
    : badIn(read);
  return { number, names, get, text: line, size: line.length, ...(bad === null ? {} : { bad }) };
};
/** Lines of JSON. A line longer than the limit is one that cannot be read, and its rest is passed over. */
async function* jsonRows(path: string, origin: Origin): AsyncGenerator<Row[]> {
  let number = 0;
  let rest = "";
  let over = false;
  let first = true;
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const rows: Row[] = [];
  const take = (line: string) => {
    const text = first ? line.replace(/^\uFEFF/, "") : line;
    first = false;
    if (over)
      rows.push({ number: ++number, names: [], get: null, text: text.slice(0, 200), size: 200 });
    else if (text.trim() !== "") rows.push(rowOf(++number, text));
    over = false;
  };
  let failed: Error | null = null;
  const stream = textFrom(
    path,
    (error) => {
      failed = error;
      stream.destroy(error);
    },
    origin,
    { odd: false },
  );
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop()!;
    for (const line of lines) take(line.endsWith("\r") ? line.slice(0, -1) : line);
    if (rest.length > recordLimit) {
      over = true;
      rest = rest.slice(0, 200);
    }
    if (rows.length >= 1000) yield rows.splice(0);
  }
  if (failed) throw failed as Error;
  take(rest + decoder.decode());
  if (rows.length > 0) yield rows.splice(0);
}

const unreadable = ({ get, bad }: Row): Bad | null =>
  !get
    ? { reason: "not_a_record", field: "" }
    : bad === undefined
      ? null
      : { reason: "bad_text", field: bad };

/** "people.jsonl.gz" is lines of JSON, whatever else is a spreadsheet. */
export const formatOf = (path: string): Format =>
  /\.(jsonl|ndjson)(\.gz)?$/i.test(path) ? "jsonl" : "csv";
const rowsOf = (
  path: string,
  mapping: Mapping,
  check: (heading: Heading) => void,
  stored?: Stored,
) =>
  formatOf(path) === "jsonl"
    ? jsonRows(path, { stored, encoding: mapping.encoding })
    : csvRows(path, mapping, check, stored);

/** Reads one record as an event, or as several of one somebody, or names the field that cannot be. */
type Reader = (row: { names: readonly string[]; get: Get; key: string }) => Incoming[] | Bad;
type Bad = Refused | { reason: string; field: string };
/** How records of a file are read. `toldAt` dates those that say no time. */
export function readerOf(house: House, kind: Kind, mapping: Mapping, toldAt: Date): Reader {
  const { columns, fixed = {}, trust = "shop" } = mapping;
  const now = house.clocks.shop();
  const mapped =
    (get: Get): Get =>
    (field) =>
      get(columns?.[field] ?? (columns && !field.includes(".") ? "" : field)) ?? fixed[field];
  const timeZone = mapping.timeZone ?? house.clocks.timeZone;
  const currency = mapping.currency ?? house.settings.currency;
  if (kind === "orders") {
    const shop = shopOf({ ...mapping, timeZone, currency, columns: {} });
    return ({ get, key }) => listed(orderLineOf(mapped(get), key, shop, trust));
  }
  const numbers = new Set(mapping.numbers);
  const dotted = Object.keys(columns ?? {}).filter((name) => name.includes("."));
  return ({ names, get, key }) => {
    const own = columns ? dotted : names.filter((name) => name.includes("."));
    const here = { key, toldAt, now, timeZone, currency, numbers, trust };
    if (kind === "people") return readPerson(mapped(get), own, here);
    if (kind === "consents") return listed(readConsent(mapped(get), here));
    return listed(readRecord(kind, mapped(get), own, here));
  };
}

const listed = (read: Incoming | Bad): Incoming[] | Bad => ("at" in read ? [read] : read);
/** One order line; its currency, kind and goods are what the line says, where it says them. */
function orderLineOf(get: Get, key: string, shop: Shop, trust: Trust): Incoming | Bad {
  const carried = carriedOf(get, trust);
  if (isRefused(carried)) return carried;
  // Lines are figures: no page's word is one.
  if (carried.open) return { reason: "server_only", field: trust === "page" ? "" : "origin" };
  const said = (field: string) => String(get(field) ?? "").trim();
  const currency = said("currency");
  if (currency !== "" && !isCurrency(currency)) return { reason: "invalid", field: "currency" };
  const own = currency === "" || currency === shop.currency;
  const read = readLine(
    textOf(get),
    own ? shop : { ...shop, currency, digits: minorDigits(currency) },
  );
  if (isUnfit(read)) return read;
  const { data } = read;
  const kind = said("kind");
  if (kind !== "" && !isKindOfLine(kind, data)) return { reason: "invalid", field: "kind" };
  const goods = said("goods");
  if (goods !== "" && goods !== "true" && goods !== "false")
    return { reason: "invalid", field: "goods" };
  const line = {
    ...data,
    ...(kind === "" ? {} : { kind: kind as LineKind }),
    ...(goods === "" ? {} : { goods: goods === "true" }),
  };
  return withOrigin(lineEvent(said("key") || key, { ...read, data: line }), carried);
}

/** Imports what is left of a file of order lines; says what became of its lines over all runs. */
export const importLines = (
  house: House,
  { mapping, ...options }: ImportOptions,
): Promise<ImportCounts> => importFile(house, { ...options, mapping, kind: "orders" });

/** Imports what is left of the file; says what became of its lines over all runs. */
export async function importFile(house: House, options: FileOptions): Promise<ImportCounts> {
  const { path, kind, mapping, source, from, until, beforeBatch, onBatch, batchBy, signal } =
    options;
  const batchLimit = options.batchLimit ?? usualBatch;
  const { stored } = options;
  if ((stored?.bytes ?? (await stat(path)).size) > fileBytesLimit)
    throw new Error("The file is larger than 2 GiB: part it.", { cause: "import" });
  const digest = await digestOf(path, stored);
  const about = { kind, mapping };
  const running = await collect.openImport(house, source.id, digest, from, until, about);
  await options.onOpen?.(running);
  if (running.finished) return running.counts;
  const read = readerOf(house, kind, mapping, running.toldAt);
  const keyOf = await keysOf(house, source.id, kind, digest, mapping.trust);
  const total = running.counts;
  let batch: collect.LineOfFile[] = [];
  let position = total.lines;
  let last: Date | null = null;
  let group = "";
  let outside = 0;
  let size = 0;

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
    outside = size = 0;
    await onBatch?.({ ...total });
  };

  const check = (heading: Heading) => checkHeading(heading, kind, mapping);
  for await (const some of rowsOf(path, mapping, check, stored)) {
    for (const row of some) {
      const { number, names, get } = row;
      if (number <= total.lines) continue; // taken by an earlier run, which committed its position
      const events = unreadable(row) ?? read({ names, get: get!, key: keyOf(number) });
      if (Array.isArray(events)) {
        const [event, ...more] = events;
        if (!event) continue;
        if ((from && event.at < from) || (until && event.at >= until)) {
          outside++;
          position = number;
          continue;
        }
        const key = batchBy?.(event.at) ?? "";
        if (key !== group && batch.length > 0) await commit();
        group = key;
        if (!last || event.at > last) last = event.at;
        // The text is asked for only where the line turns out to be refused: most are not.
        batch.push({ line: number, event, more, text: () => row.text });
      } else {
        const { reason, field } = events;
        const name = nameOf(kind, mapping, get);
        batch.push({ line: number, unfit: { reason, field: field || null, text: row.text, name } });
      }
      position = number;
      size += row.size;
      if (batch.length >= batchLimit || size > batchSize) await commit();
    }
    if (signal?.aborted) break;
  }
  await commit();
  if (!signal?.aborted) await collect.closeImport(house, running);
  return total;
}
/** What the event of a record that cannot be read would have been called. */
const nameOf = (kind: Kind, { columns, fixed }: Mapping, get: Get | null): string =>
  kind === "events"
    ? safeName(get?.(columns?.["name"] ?? "name") ?? fixed?.["name"])
    : (nameOfKind[kind] ?? "");
const nameOfKind: Partial<Record<Kind, string>> = {
  people: "identify",
  products: "Product Updated",
  stock: "Product Updated",
  orders: orderLine,
  consents: consentTold,
  market: marketTold,
};
/** What a record is known by that names no key: its number in its file. */
export async function keysOf(
  house: House,
  sourceId: string,
  kind: Kind,
  digest: Buffer,
  trust: Trust = "shop",
) {
  const isFirst = kind === "orders" && (await collect.isFirstFile(house, sourceId, digest));
  // The same file vouched for later is another word of the same lines.
  const word = trust === "shop" ? "" : `${trust}:`;
  const file = isFirst ? word : `${word}${kind}:${digest.toString("hex", 0, 12)}:`;
  return (number: number): string => `${file}${number}`;
}

/** What would become of one record: its fields by our names, and which of them cannot be. */
export type Preview = {
  line: number;
  values: Record<string, string>;
  reason: string;
  field: string;
};
type Looked = {
  columns: string[];
  separator: string; // "" in lines of JSON
  twice: string[]; // columns that go by one name
  guess: Record<string, string>; // a mapping that may be meant
  sample: Record<string, string>[];
  preview: Preview[]; // the first 20
  lines: number;
  fit: number;
  refused: { line: number; reason: string; field: string }[];
  reasons: { reason: string; field: string; count: number }[];
};
type Looking = Pick<FileOptions, "path" | "kind" | "mapping" | "stored" | "signal"> & {
  limit: number;
  /** Judges what can be read as its source would; nothing is judged where nobody says. */
  judge?: (events: readonly Incoming[]) => Promise<readonly (Incoming | Refused)[]>;
  onRows?: (seen: { lines: number; fit: number }) => Promise<void>;
};
const previewed = 20;
const valueShown = 200;
/** Looks at the first records of a file without taking anything: what they are, and what would become of them. */
export async function look(
  house: House,
  { path, kind, mapping, limit, stored, signal, judge, onRows }: Looking,
): Promise<Looked> {
  const read = readerOf(house, kind, mapping, house.clocks.shop());
  const seen: Looked = {
    ...{
      columns: [],
      separator: "",
      twice: [],
      guess: {},
      sample: [],
      preview: [],
      lines: 0,
      fit: 0,
    },
    ...{ refused: [], reasons: [] },
  };
  const counts = new Map<string, number>();
  const columns = new Set<string>();
  const shown = (value: unknown) =>
    (typeof value === "string" ? value : (JSON.stringify(value) ?? "")).slice(0, valueShown);
  const refuse = (line: number, reason: string, field: string) => {
    if (seen.refused.length < 50) seen.refused.push({ line, reason, field });
    const key = JSON.stringify([reason, field]);
    counts.set(key, (counts.get(key) ?? 0) + 1);
    const row = seen.preview.find((one) => one.line === line);
    if (row) Object.assign(row, { reason, field });
  };
  const heading = ({ names, separator }: Heading) => {
    for (const name of names) if (name !== "") seen.columns.push(name);
    seen.separator = separator;
    seen.twice = twiceNamed(names);
  };
  for await (const some of rowsOf(path, mapping, heading, stored)) {
    const readable: { line: number; said: Incoming[] }[] = [];
    for (const row of some.slice(0, limit - seen.lines)) {
      const { number, names, get } = row;
      seen.lines++;
      if (columns.size < 1000) for (const name of names) if (name !== "") columns.add(name);
      if (get && seen.sample.length < 5)
        seen.sample.push(Object.fromEntries(names.map((name) => [name, shown(get(name) ?? "")])));
      if (seen.preview.length < previewed) {
        const values = get ? valuesOf(kind, mapping, names, get, shown) : {};
        seen.preview.push({ line: number, values, reason: "", field: "" });
      }
      const said = unreadable(row) ?? read({ names, get: get!, key: String(number) });
      if (Array.isArray(said)) readable.push({ line: number, said });
      else refuse(number, said.reason, said.field);
    }
    const judged = await judge?.(readable.flatMap(({ said }) => said));
    let next = 0;
    for (const { line, said } of readable) {
      const bad = judged?.slice(next, (next += said.length)).find(isRefused);
      if (bad) refuse(line, bad.reason, bad.field);
      else seen.fit++;
    }
    await onRows?.({ lines: seen.lines, fit: seen.fit });
    if (seen.lines >= limit || signal?.aborted) break;
  }
  seen.columns = [...new Set([...seen.columns, ...columns])];
  seen.guess = guess(seen.columns, kind);
  seen.reasons = [...counts].map(([key, count]) => {
    const [reason, field] = JSON.parse(key) as [string, string];
    return { reason, field, count };
  });
  return seen;
}
function valuesOf(
  kind: Kind,
  { columns, fixed = {} }: Mapping,
  names: readonly string[],
  get: Get,
  shown: (value: unknown) => string,
): Record<string, string> {
  const dotted = columns ? Object.keys(columns) : names;
  const fields = [...fieldsOf[kind].fields, ...dotted.filter((name) => name.includes("."))];
  return Object.fromEntries(
    fields.flatMap((field) => {
      const column = columns ? columns[field] : field;
      const value = (column === undefined ? undefined : get(column)) ?? fixed[field];
      return value === undefined || value === "" ? [] : [[field, shown(value)]];
    }),
  );
}
/** How the text of a file is written, by its beginning. */
export async function encodingOf(path: string, stored?: Stored): Promise<Mapping["encoding"]> {
  let failed: Error | null = null;
  const text = bytesFrom(path, (error) => (failed = error), { stored }, { odd: false });
  try {
    for await (const chunk of text) {
      const bytes = chunk as Buffer;
      if (bytes[0] === 0xff && bytes[1] === 0xfe) return "utf-16le";
      try {
        new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true });
        return "utf-8";
      } catch {
        return "gb18030";
      }
    }
  } catch (thrown) {
    throw failed ?? thrown;
  }
  return "utf-8";
}

/** A refused record of a file, read again by the mapping of its import. */
export async function rereadRecord(
  house: House,
  { importId, line, sourceId }: collect.Refusal,
  text: string,
): Promise<(Incoming | Bad)[]> {
  const row = importId === null ? null : await collect.importOf(house.sql, importId);
  if (!row || line === null) return [{ reason: "invalid", field: "" }];
  const kind = row.kind as Kind;
  const { names, get, bad } = rowOf(Number(line), text);
  if (bad !== undefined) return [{ reason: "bad_text", field: bad }];
  if (!get || !(kind in fieldsOf)) return [{ reason: "invalid", field: "" }];
  const mapping = JSON.parse(row.mapping) as Mapping;
  const key = (await keysOf(house, sourceId, kind, row.digest, mapping.trust))(Number(line));
  const read = readerOf(house, kind, mapping, row.toldAt)({ names, get, key });
  return Array.isArray(read) ? read : [read];
}

export function textOf(get: Get): LineText {
  const text = (field: keyof LineText): string => {
    const value = get(field);
    return value === undefined || value === null ? "" : String(value).trim();
  };
  return {
    order: text("order"),
    sku: text("sku"),
    name: text("name"),
    quantity: text("quantity"),
    unitPrice: text("unitPrice"),
    at: text("at"),
    customer: text("customer"),
    country: text("country"),
    category: text("category"),
    merchant: text("merchant"),
  };
}
