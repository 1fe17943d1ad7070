// What an installation costs while nobody asks anything of it: memory and processor time of every process that
// `npm start` leads to, npm itself included. Linux, because it reads /proc.
//
// Options: --home (an installation that is there already; unset, the loop is turned on a new one), --settle (seconds to
// wait first, 300), --seconds (how long it is watched, 600), --lines (only so many of the file, for a try), and --file,
// --mapping, --clock, --until as `import` has them.
import { setTimeout as sleep } from "node:timers/promises";
import { run as runProgram, temporaryHome } from "../test/chaos/program.ts";
import type { Measured } from "./effect.ts";
import { demoOf, fill, numberOf, type Options } from "./tools/homes.ts";
import { partOf, processorSeconds, proportionalBytes, treeOf } from "./tools/processes.ts";

const targetMebibytes = 1024;
const targetPercent = 3;
const everySeconds = 10;

export async function run(report: (measured: Measured) => void, options: Options): Promise<void> {
  const say = (name: string, value: number, unit: string, target = "-", pass = true) =>
    report({ name: `idle.${name}`, value: Math.round(value * 100) / 100, unit, target, pass });
  const settle = numberOf(options, "settle", 300);
  const seconds = numberOf(options, "seconds", 600);
  await using temporary = await temporaryHome(options["below"]);
  const home = options["home"] ?? temporary.home;
  if (!options["home"]) await fill(home, await demoOf(options), numberOf(options, "lines", null));

  const program = runProgram(home, ["start"], { npm: true });
  try {
    await program.says(/Ready in|已就绪/);
    await sleep(settle * 1000);
    const began = performance.now();
    const before = await spentByPart(await treeOf(program.pid));
    const memory: number[] = [];
    let processes: number[] = [];
    do {
      await sleep(Math.min(everySeconds, seconds) * 1000);
      processes = await treeOf(program.pid);
      memory.push((await proportionalBytes(processes)) / 2 ** 20);
    } while (performance.now() - began < seconds * 1000);
    const watched = (performance.now() - began) / 1000;
    let share = 0;
    for (const [part, used] of await spentByPart(processes)) {
      const own = ((used - (before.get(part) ?? 0)) / watched) * 100;
      say(`processor_${part}`, own, "% of core");
      share += own;
    }
    const most = Math.max(...memory);
    say("watched", watched, "s");
    say("processes", processes.length, "processes");
    say("memory", most, "MiB PSS", `< ${targetMebibytes}`, most < targetMebibytes);
    say("processor", share, "% of core", `< ${targetPercent}`, share < targetPercent);
  } finally {
    program.interrupt();
    await program.ended;
  }
}

/** Processor time so far, of each part of us. */
async function spentByPart(processes: readonly number[]): Promise<Map<string, number>> {
  const spent = new Map<string, number>();
  for (const pid of processes) {
    const part = await partOf(pid);
    spent.set(part, (spent.get(part) ?? 0) + (await processorSeconds([pid])));
  }
  return spent;
}
