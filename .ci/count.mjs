// Counts a vitest report: prints "passed failed", and says on stderr what was skipped or could not run at all.
// A skipped test counts as failed: here everything can run. So does a file without tests that broke, and a run that
// ended badly though each of its tests passed.
import { readFileSync } from "node:fs";

const [, , file, code] = process.argv;
const report = JSON.parse(readFileSync(file, "utf8"));
const tests = report.testResults.flatMap(({ name, assertionResults }) =>
  assertionResults.map((test) => ({ ...test, file: name })),
);
const passed = tests.filter(({ status }) => status === "passed").length;
const broken = report.testResults.filter(
  ({ status, assertionResults }) =>
    status !== "passed" && assertionResults.every((test) => test.status !== "failed"),
);
const others = tests.filter(({ status }) => status !== "passed");
for (const { status, fullName, file: where } of others)
  process.stderr.write(`${status === "failed" ? "failed" : "skipped"}: ${where}: ${fullName}\n`);
// A file whose only blemish is a skipped test was counted by that test.
const silent = broken.filter(({ assertionResults }) =>
  assertionResults.every((test) => test.status === "passed"),
);
for (const { name, message } of silent) process.stderr.write(`failed: ${name}: ${message}\n`);
let failed = others.length + silent.length;
if (failed === 0 && (code !== "0" || passed === 0)) {
  process.stderr.write(`failed: the run ended with code ${code}, ${passed} tests passed\n`);
  failed = 1;
}
process.stdout.write(`${passed} ${failed}\n`);
