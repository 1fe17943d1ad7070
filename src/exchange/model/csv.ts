// Spreadsheets' text as records, a helping at a time. What is broken takes no neighbour down: where a quote is never closed,
// or a record is longer than it may be, its first line is refused and reading goes on at the next one.

/** `fields` is null where the record is none; then `text` is how it begins. */
export type CsvRecord = { fields: string[] | null; text: string };
export type CsvLimits = { record: number; columns: number }; // characters of one record, columns of a file
/** What a file may part its columns by, the likeliest first. */
export const separators = [",", ";", "\t", "|"] as const;
/** So much is kept of a record that is none. */
const textKept = 32 * 1024;

const quote = 34;
const cr = 13;
const lf = 10;
type Beginning = { separator: string; end: "\n" | "\r"; skip: number };
/**
 * What a file parts its columns and its lines by, as its first line outside quotes says; null where that line is not whole
 * yet. A first line "sep=;" is the spreadsheet's own word and no heading.
 */
function beginningOf(text: string, isAll: boolean, limit: number): Beginning | null {
  let from = 0;
  while (text.charCodeAt(from) === lf || text.charCodeAt(from) === cr) from++;
  const isWhole = isAll || text.length > limit;
  let inQuotes = false;
  let at = from;
  for (; at < text.length; at++) {
    const c = text.charCodeAt(at);
    if (c === quote) inQuotes = !inQuotes;
    else if (!inQuotes && (c === lf || c === cr)) break;
  }
  // Whether a carriage return stands alone is known by what follows it.
  if (at >= text.length - 1 && text.charCodeAt(at) !== lf && !isWhole) return null;
  // A quote that is never closed: the first line as it stands.
  if (at >= text.length) {
    const [first = -1] = [text.indexOf("\n", from), text.indexOf("\r", from)]
      .filter((end) => end >= 0)
      .toSorted((a, b) => a - b);
    if (first >= 0) at = first;
  }
  const end = text.charCodeAt(at) === cr && text.charCodeAt(at + 1) !== lf ? "\r" : "\n";
  const line = text.slice(from, at);
  const said = /^"?sep=([^"\p{L}\p{N}\s]|\t)"?$/iu.exec(line)?.[1];
  if (said !== undefined) return { separator: said, end, skip: at + 1 };
  const counts = new Map<string, number>(separators.map((one) => [one, 0]));
  inQuotes = false;
  for (const char of line)
    if (char === '"') inQuotes = !inQuotes;
    else if (!inQuotes && counts.has(char)) counts.set(char, counts.get(char)! + 1);
  const [separator] = [...counts].reduce((best, one) => (one[1] > best[1] ? one : best));
  return { separator, end, skip: from };
}

/** `push` gives the records that are whole by then, the heading first, and `end` what is left. At most one record waits. */
export function csvReader(limits: CsvLimits) {
  let text = "";
  let start = 0; // of the record
  let at = 0;
  let is: Beginning | null = null;
  let end = lf;
  let parts = 0; // the separator's character
  let width = -1; // fields of the heading
  let fields: string[] = [];
  let count = 0; // fields of the record, those counted that are more than anybody may read
  let state: "start" | "plain" | "quoted" | "closed" | "passing" = "start";
  let from = 0; // of the field
  let hasQuotes = false; // within the field, doubled
  let isBad = false;
  let head = ""; // of a record whose rest is passed over
  let out: CsvRecord[] = [];

  const next = (position: number) => {
    start = at = position;
    fields = [];
    count = 0;
    state = "start";
    isBad = false;
  };
  const take = (until: number) => {
    const value = text.slice(from, until);
    count++;
    if (count <= limits.columns + 1 && (width < 0 || count <= width + 1))
      fields.push(hasQuotes ? value.replaceAll('""', '"') : value);
    hasQuotes = false;
  };
  const refuse = (until: number) =>
    out.push({ fields: null, text: text.slice(start, Math.min(until, start + textKept)) });
  const lineEnd = (): number => text.indexOf(is!.end, start);
  /** The record is none: its first line is refused, and what stands below it is read for itself. */
  const giveUp = (isAll: boolean) => {
    const first = lineEnd();
    if (first < 0 && !isAll) {
      head = text.slice(start, start + textKept);
      state = "passing";
      at = text.length;
      return;
    }
    const until = first < 0 ? text.length : first;
    refuse(until);
    next(first < 0 ? text.length : first + 1);
  };
  /** Ends a record whose line ends at `until`; what comes next begins at `position`. */
  const close = (until: number, position: number, isAll: boolean) => {
    if (until === start && count === 1) return next(position); // an empty line
    const isOther = width >= 0 && count !== width;
    const isLong = until - start > limits.record;
    if (isLong || isOther) {
      // Lines that a quote left open pulled into one record are read each for itself.
      const first = lineEnd();
      if (first >= 0 && first < until) return giveUp(isAll);
    }
    if (isBad || isLong || isOther) refuse(until);
    else out.push({ fields, text: "" });
    if (width < 0 && out.length > 0) width = out[0]!.fields ? count : 0;
    next(position);
  };
  /** Reads on; what depends on characters that have not come waits for them. */
  const read = (isAll: boolean) => {
    while (at < text.length) {
      if (state === "passing") {
        const stop = lineEnd();
        if (stop < 0) {
          start = at = text.length;
          return;
        }
        out.push({ fields: null, text: head });
        next(stop + 1);
        continue;
      }
      if (at - start > limits.record) {
        giveUp(isAll);
        continue;
      }
      const c = text.charCodeAt(at);
      if (state === "start") {
        if (c === lf && end === cr && at === start) {
          next(at + 1); // lines that end in one way, and now and then in the other
          continue;
        }
        hasQuotes = false;
        if (c === quote) {
          state = "quoted";
          from = ++at;
        } else {
          state = "plain";
          from = at;
        }
      } else if (state === "quoted") {
        const closing = text.indexOf('"', at);
        if (closing < 0) {
          at = text.length;
          return;
        }
        if (closing + 1 >= text.length && !isAll) {
          at = closing;
          return;
        }
        at = closing + 1;
        if (text.charCodeAt(at) === quote) {
          hasQuotes = true;
          at++;
        } else {
          take(closing);
          state = "closed";
        }
      } else if (c === parts) {
        if (state === "plain") take(at);
        state = "start";
        at++;
      } else if (c === end) {
        const until = at > from && text.charCodeAt(at - 1) === cr && end === lf ? at - 1 : at;
        if (state === "plain") take(until);
        close(until, at + 1, isAll);
      } else if (state === "closed") {
        if (c === cr && end === lf) {
          if (at + 1 >= text.length && !isAll) return;
          if (at + 1 >= text.length || text.charCodeAt(at + 1) === lf) {
            at++;
            continue;
          }
        }
        // After the quote that closes a field another follows, or the line's end.
        const first = lineEnd();
        if (first >= 0 && first < at) giveUp(isAll);
        else {
          isBad = true;
          count--;
          fields.length = Math.min(fields.length, count);
          state = "plain";
          from = at;
        }
      } else {
        if (c === quote) isBad = true;
        at++;
      }
    }
  };
  const records = (isAll: boolean): CsvRecord[] => {
    if (!is) {
      is = beginningOf(text, isAll, limits.record);
      if (!is) return [];
      end = is.end.charCodeAt(0);
      parts = is.separator.charCodeAt(0);
      next(is.skip);
    }
    do {
      read(isAll);
      if (!isAll) break;
      if (state === "passing") {
        out.push({ fields: null, text: head });
        next(text.length);
      } else if (state === "quoted") giveUp(true);
      else if (at > start || state !== "start") {
        if (state === "start") from = at;
        if (state !== "closed") take(text.charCodeAt(at - 1) === cr && at > from ? at - 1 : at);
        close(at, at, true);
      }
    } while (at < text.length);
    if (!isAll && state !== "passing" && at - start > limits.record) giveUp(false);
    const done = out;
    out = [];
    text = text.slice(start);
    at -= start;
    from -= start;
    start = 0;
    return done;
  };
  return {
    push(more: string): CsvRecord[] {
      text += more;
      return records(false);
    },
    end: (): CsvRecord[] => records(true),
    separator: () => is?.separator ?? ",",
  };
}
