// Names each test that was skipped, at the end where it is read: a file that is missing is no secret.
import type { Reporter } from "vitest/node";

export const nameSkipped: Reporter = {
  onTestRunEnd: (modules) => {
    for (const module of modules)
      for (const test of module.children.allTests("skipped"))
        console.log(`Skipped: ${module.relativeModuleId}: ${test.fullName}`);
  },
};
