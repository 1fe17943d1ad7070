import { defineConfig } from "vitest/config";
import { JsonReporter } from "vitest/node";
import { nameSkipped } from "./test/skipped.ts";

/** A file for the counts of a run, which .ci/run reads. */
const report = process.env["LIUKE_TEST_REPORT"];

export default defineConfig({
  test: {
    reporters: [
      "default",
      nameSkipped,
      ...(report ? [new JsonReporter({ outputFile: report })] : []),
    ],
    globalSetup: "test/database.ts",
    include: ["src/**/*.test.ts", "test/**/*.test.ts", "bench/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
    // Node runs the TypeScript as it stands, under the flags of the server.
    experimental: { viteModuleRunner: false },
    execArgv: [
      "--disallow-code-generation-from-strings",
      "--disable-proto=delete",
      "--import=./test/no-eval.ts",
    ],
  },
});
