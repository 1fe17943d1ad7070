/** An error in ClickHouse's own terms: its number, its name, and its sentence without either. */
export class ClickHouseFailure extends Error {
  readonly code: number;
  constructor(code: number, name: string, sentence: string) {
    super(`Code: ${code}. DB::Exception: ${sentence} (${name})`);
    this.code = code;
  }
}

/** What the engine threw, as a text with its number. chDB's messages repeat their head; one is enough. */
export function told(error: unknown): { code: number; text: string } {
  const text = (error instanceof Error ? error.message : String(error)).trim();
  const code = Number(/^Code: (\d+)/.exec(text)?.[1] ?? 0);
  if (code === 0)
    return { code: 1002, text: `Code: 1002. DB::Exception: ${text} (UNKNOWN_EXCEPTION)` };
  return { code, text: text.replace(/^Code: \d+\. DB::Exception: (?=Code: \d+\. )/, "") };
}

const statuses: Record<number, number> = {
  // Not understood: parsing, types, wrong arguments.
  ...Object.fromEntries(
    [6, 26, 27, 36, 38, 41, 42, 43, 44, 53, 62, 72, 117, 130, 131, 456, 457].map((c) => [c, 400]),
  ),
  // Not there: table, database, column, function, setting.
  ...Object.fromEntries([16, 46, 47, 60, 63, 81, 115, 128].map((c) => [c, 404])),
  // Not allowed: rights, read-only, wrong secret.
  ...Object.fromEntries([164, 452, 497].map((c) => [c, 403])),
  194: 401,
  516: 403,
  48: 501,
  50: 501,
  159: 408,
  243: 507,
  202: 503,
};

/** The HTTP status for ClickHouse's error number; 500 where it has no kinder one. */
export const statusOf = (code: number): number => statuses[code] ?? 500;
