// A real Chromium for tests of pages. Where the machine has none, tests are skipped by name and say what to run.
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { Script } from "node:vm";
import { chromium, type Browser, type Page } from "playwright-core";

// Playwright asks `new Function` whether a text that it will send to the browser is well formed, and runs nothing of
// it here. Under the server's flags it may not ask so: compiling without running gives the same answer.
globalThis.Function = new Proxy(Function, {
  construct: (_, parts: string[]) => {
    // Validators try an empty text, to find out whether they may run code: as under the server's flags, they may not.
    if (parts.join("") === "") throw new EvalError("no code from text");
    void new Script(parts.at(-1) ?? "");
    return () => {};
  },
});

const names = ["chromium", "chromium-browser", "google-chrome"];
const found = names
  .flatMap((name) =>
    ["/usr/bin", ...(process.env["PATH"] ?? "").split(delimiter)].map((folder) =>
      join(folder, name),
    ),
  )
  .find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });

/** Null where there is a browser; else why its tests are skipped. */
export const noBrowser: string | null = found
  ? null
  : "needs Chromium: run `apt-get install chromium`";

/** An empty profile each time, and nothing that calls home. */
export const launch = (): Promise<Browser> =>
  chromium.launch({
    executablePath: found!,
    headless: true,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });

/** What a page must not do: refuse its own parts by CSP, move what is shown already, or write an error. */
export async function watched(page: Page) {
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  await page.addInitScript(watching);
  return {
    errors,
    refused: () => page.evaluate<string[]>("watched.refused"),
    shifts: () => page.evaluate<{ value: number; what: string }[]>("watched.shifts"),
  };
}
/** Runs in the page, from its first moment. */
const watching = `
  window.watched = { refused: [], shifts: [] };
  document.addEventListener("securitypolicyviolation", (event) =>
    window.watched.refused.push(event.violatedDirective + " " + event.blockedURI));
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries())
      if (!entry.hadRecentInput)
        window.watched.shifts.push({
          value: entry.value,
          what: entry.sources.map(({ node }) => node?.className || node?.nodeName || "?").join(", "),
        });
  }).observe({ type: "layout-shift", buffered: true });
`;
