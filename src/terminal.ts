// Progress and tables on the terminal: one line that is written over where it can be, a line now and then where not.
import type { House } from "#kernel/endpoint.ts";
import { minorDigits } from "#kernel/money.ts";
import { terminalLanguage, type Words } from "#lang/terminal.ts";
import type { outcome } from "./demo.ts";

/** Where nobody can see a line being written over, one is written this often. */
const quietMs = 5_000;

export function progress(now: () => Date, out: NodeJS.WriteStream = process.stdout) {
  let began: { at: number; done: number } | null = null;
  let shown = 0;
  let open = false;
  const write = (text: string) => {
    out.write(out.isTTY ? `\r\u001b[K${text}` : `${text}\n`);
    open = out.isTTY;
  };
  return {
    /** `text` is given lines per second and seconds left, both whole numbers. */
    show: (done: number, total: number, text: (perSecond: number, left: number) => string) => {
      const at = now().getTime();
      began ??= { at, done };
      if (at - shown < (out.isTTY ? 100 : quietMs)) return;
      shown = at;
      const seconds = (at - began.at) / 1000;
      const perSecond = seconds > 0 ? Math.round((done - began.done) / seconds) : 0;
      const left = perSecond > 0 ? Math.ceil((total - done) / perSecond) : 0;
      write(text(perSecond, left));
    },
    /** Ends the line, and says what comes next. */
    end: (next?: string) => {
      if (open) out.write("\n");
      open = false;
      began = null;
      if (next) out.write(`${next}\n`);
    },
  };
}

/** The loop's result in a few lines: what came in, who they are, what the win-back did, what to do next. */
export function table(
  words: Words["table"],
  { counts, stages, run }: Awaited<ReturnType<typeof outcome>>,
  { settings: { currency }, clocks }: House,
  environment: Record<string, string | undefined>,
): string {
  const language = terminalLanguage(environment);
  const digits = minorDigits(currency);
  const number = (n: number) => n.toLocaleString("en");
  const money = `${(Number(counts.soldMinor) / 10 ** digits).toLocaleString("en", { minimumFractionDigits: digits })} ${currency}`;
  const rows: [string, string][] = [
    [words.lines, number(counts.lines)],
    [
      words.known,
      `${number(counts.people)} ${words.people} · ${number(counts.orders)} ${words.orders}`,
    ],
    [words.sold, `${money} (${String(counts.soldMinor)} minor) · ${counts.exact} ${words.exact}`],
    [
      words.stages,
      (["new", "active", "dormant", "lost"] as const)
        .map((s) => `${words[s]} ${number(stages.find(({ value }) => value === s)?.people ?? 0)}`)
        .join(" · "),
    ],
  ];
  if (run?.result) rows.push([words.result, run.result.sentence[language]]);
  if (run?.decision) rows.push([words.decision, run.decision.sentence[language]]);
  rows.push([words.clock, clocks.shop().toLocaleString("sv-SE", { timeZone: clocks.timeZone })]);
  const width = Math.max(...rows.map(([name]) => cells(name)));
  return rows
    .map(([name, value]) => `${name}${" ".repeat(width - cells(name))}  ${value}`)
    .join("\n");
}
/** A Chinese character takes two columns of a terminal. */
const cells = (text: string): number => [...text].reduce((n, c) => n + (c > "\u2e7f" ? 2 : 1), 0);
