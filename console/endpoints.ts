import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Plugin } from "vite";

const source = join(import.meta.dirname, "..", "src");
const name = "virtual:endpoints";

/** The files that say which endpoints there are: src/<domain>/api.ts. */
export const apiFiles = (): { domain: string; file: string }[] =>
  readdirSync(source)
    .toSorted()
    .map((domain) => ({ domain, file: join(source, domain, "api.ts") }))
    .filter(({ file }) => existsSync(file));

/**
 * The console's calls come from the endpoint values. Only method, path and permission travel to the browser: schemas
 * would bring zod along, and their types come by `import type`.
 */
export function endpoints(): Plugin {
  return {
    name: "liuke-endpoints",
    resolveId: (id) => (id === name ? `\0${name}` : null),
    async load(id) {
      if (id !== `\0${name}`) return null;
      const table: Record<string, Record<string, unknown>> = {};
      for (const { domain, file } of apiFiles()) {
        this.addWatchFile(file);
        const values = (await import(pathToFileURL(file).href)) as Record<string, unknown>;
        table[domain] = Object.fromEntries(
          Object.entries(values).flatMap(([key, value]) => {
            if (typeof value !== "object" || value === null || !("permission" in value)) return [];
            const { method, path, permission } = value as Record<string, unknown>;
            return [[key, { method, path, permission }]];
          }),
        );
      }
      return `export const endpoints = ${JSON.stringify(table)};`;
    },
  };
}
