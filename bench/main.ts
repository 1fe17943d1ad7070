// `npm run bench -- [NAME…] [--json] [--option=value…]`: one line a measure, of the benches named or of all.
// A bench is a file beside this one that exports `run(report, options)`; its options stand at its top.
//
// A measure has a name, a value, a unit, a target and whether it passes; where the target is "-" there is nothing to pass
// and `pass` is true. Ends with 1 where a measure fails or a bench breaks.
// Each run begins and ends with what the machine can do (the disk's fdatasync/s, a fixed loop of arithmetic), because an
// absolute figure counts only where that loop is within 20 % of its best on this machine. What passes on a machine that
// is slower than itself passes; what fails on one has to be measured again, and standard error says so.
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { bestEver, calibrate, fdatasyncs } from "./tools/machine.ts";
import type { Measured } from "./effect.ts";

type Bench = {
  run: (report: (measured: Measured) => void, options: Record<string, string>) => Promise<void>;
};

const known = (await readdir(import.meta.dirname))
  .flatMap((file) => /^([\w-]+)\.ts$/.exec(file)?.[1] ?? [])
  .filter((name) => name !== "main")
  .toSorted();
const options: Record<string, string> = {};
const names: string[] = [];
for (const argument of process.argv.slice(2)) {
  const [, name, value] = /^--([\w-]+)(?:=(.*))?$/.exec(argument) ?? [];
  if (name) options[name] = value ?? "true";
  else names.push(argument);
}
const unknown = names.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`No such bench: ${unknown.join(", ")}. There are: ${known.join(", ")}\n`);
  process.exit(2);
}

let failed = false;
function report(measured: Measured): void {
  const { name, value, unit, target, pass } = measured;
  failed ||= !pass;
  const verdict = target === "-" ? "" : pass ? "pass" : "FAIL";
  process.stdout.write(
    options["json"]
      ? `${JSON.stringify({ name, value, unit, target, pass })}\n`
      : `${name.padEnd(28)} ${String(value).padStart(14)} ${unit.padEnd(10)} ${target.padEnd(12)} ${verdict}\n`,
  );
}
const rounded = (value: number) => Math.round(value * 10) / 10;

/** Says how fast the machine is now; gives the share of its best. */
async function machine(when: string): Promise<number> {
  const speed = calibrate();
  const share = speed / (await bestEver(speed));
  const say = (name: string, value: number, unit: string) =>
    report({
      name: `machine.${name}_${when}`,
      value: rounded(value),
      unit,
      target: "-",
      pass: true,
    });
  say("fdatasync", await fdatasyncs(options["below"] ?? tmpdir()), "1/s");
  say("calibration", speed, "Mrounds/s");
  say("calibration_share", share * 100, "% of best");
  return share;
}

const before = await machine("before");
for (const name of names.length > 0 ? names : known)
  try {
    const bench = (await import(`./${name}.ts`)) as Bench;
    await bench.run(report, options);
  } catch (thrown) {
    failed = true;
    process.stderr.write(`${name}: ${(thrown as Error).stack ?? String(thrown)}\n`);
  }
const after = await machine("after");
if (failed && Math.min(before, after) < 0.8)
  process.stderr.write(
    "The machine was more than 20 % slower than its best: absolute figures that failed have to be measured again.\n",
  );
process.exitCode = failed ? 1 : 0;
