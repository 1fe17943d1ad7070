import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
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
