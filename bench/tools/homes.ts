// Installations for benches: engines with fsync as anybody has them, in a folder that is gone afterwards.
import { createReadStream } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { createGunzip } from "node:zlib";
import { sourceNamed } from "../../src/collect/service.ts";
import { bundled, turn, type Demo, type Stage } from "../../src/demo.ts";
import { instantOf, wait } from "../../src/kernel/clock.ts";
import { readConfig } from "../../src/kernel/config.ts";
import { writeInstallation } from "../../src/kernel/installation.ts";
import { newLog } from "../../src/kernel/log.ts";
import { importLines } from "../../src/exchange/import.ts";
import type { LineMapping } from "../../src/orders/rules.ts";
import { open, startWork, type Opened } from "../../src/program.ts";
import { root } from "../../test/chaos/program.ts";

export type Options = Record<string, string>;
/** A whole number of --name, or `otherwise` where it is not given. */
export function numberOf<T>(options: Options, name: string, otherwise: T): number | T {
  const text = options[name];
  if (text === undefined) return otherwise;
  if (!/^\d+$/.test(text)) throw new Error(`--${name}: a whole number`);
  return Number(text);
}

/** Of the options --file, --mapping (--map), --clock, --until: what a loop is turned on. Unset: the bundled orders. */
export async function demoOf(options: Options): Promise<Demo> {
  const usual = bundled(root);
  const file = options["file"];
  if (file === undefined) return usual;
  const mappingFile =
    options["mapping"] ?? options["map"] ?? file.replace(/\.csv(\.gz)?$/, ".map.json");
  const mapping = JSON.parse(await readFile(mappingFile, "utf8")) as LineMapping;
  const instant = (name: "clock" | "until"): string => {
    const text = options[name] ?? "";
    if (Number.isNaN(instantOf(text, mapping.timeZone).getTime()))
      throw new Error(`--${name}: an instant on the shop's wall, as 2025-09-01T00:00`);
    return text;
  };
  return { path: file, mapping, start: instant("clock"), end: instant("until"), seed: usual.seed };
}

/** The file's first lines, as a file of its own: for a try, which imports them and turns no loop. */
async function firstLines(path: string, lines: number, home: string): Promise<string> {
  const file = createReadStream(path);
  const text = path.endsWith(".gz") ? file.pipe(createGunzip()) : file;
  const some: string[] = [];
  for await (const line of createInterface({ input: text })) {
    some.push(line);
    if (some.length > lines) break; // one more than asked for: the heading
  }
  file.destroy();
  const short = join(home, "some.csv");
  await writeFile(short, `${some.join("\n")}\n`);
  return short;
}

const configOf = (home: string) => readConfig({ LIUKE_HOME: home });
export async function withHouse<T>(home: string, work: (opened: Opened) => Promise<T>): Promise<T> {
  const opened = await open(configOf(home), newLog("error"));
  try {
    return await work(opened);
  } finally {
    await opened.close();
  }
}

/**
 * Fills a new home as `npm start` does, with the same work beside it, until the columns have all of it. `lines`: only so
 * many of the file. `after` is asked before the engines stop.
 */
export const fill = (
  home: string,
  demo: Demo,
  lines: number | null,
  tell: (stage: Stage) => void = () => {},
  after: (opened: Opened) => Promise<void> = async () => {},
): Promise<void> =>
  withHouse(home, async (opened) => {
    const { house, clock } = opened;
    const { timeZone, currency } = demo.mapping;
    await writeInstallation(house.sql, "time_zone", timeZone);
    await writeInstallation(house.sql, "currency", currency);
    await clock.move(instantOf(demo.start, timeZone));
    Object.assign(house.clocks, { timeZone });
    house.settings.currency = currency;
    const worker = await startWork(opened, true);
    try {
      let last: Stage | null = null;
      const told = (stage: Stage) => {
        // Done is what the columns have, too.
        if (stage !== last && stage !== "done") tell(stage);
        last = stage;
      };
      if (lines === null) {
        await writeInstallation(house.sql, "demo", { stage: "import" satisfies Stage });
        const { signal } = new AbortController();
        // The worker beside this does the work, as it does for `npm start`.
        await turn({ house, pumps: null, clock, demo, signal, tell: told });
      } else {
        told("import");
        const source = await sourceNamed(house, house.sql, "bench-import", "import");
        const path = await firstLines(demo.path, lines, home);
        await importLines(house, { path, mapping: demo.mapping, source });
      }
      while (await isBehind(opened)) await wait(20);
      tell("done");
    } finally {
      await worker.stop();
    }
    await after(opened);
  });
/** Is there an event that nobody has made anything of, or that the columns do not have? */
async function isBehind({ house }: Opened): Promise<boolean> {
  const [row] = await house.sql<{ behind: boolean }[]>`
    select exists (
      select from collect_cut c join collect_offset o using (bucket) where c.next < o.next
    ) or exists (
      select from collect_consumer c join collect_offset o using (bucket) where c.next < o.next
    ) or exists (select from collect_batch where state = 'cut') as behind`;
  return row!.behind;
}
