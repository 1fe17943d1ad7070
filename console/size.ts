// What a first visit downloads, against its budgets. `node console/size.ts` prints it; a test holds it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

type Entry = {
  file: string;
  css?: string[];
  imports?: string[];
  dynamicImports?: string[];
  isEntry?: boolean;
};
type Manifest = Record<string, Entry>;
type Measure = { name: string; kB: number; most: number };

const firstJs = 170;
const firstCss = 15;
const route = 60;
/** Charts bring a library of their own, and come only where one is shown. */
const charts = /charts\//;

/** A file with all it imports, each once. */
function closure(manifest: Manifest, key: string, into = new Set<string>()): Set<string> {
  const entry = manifest[key];
  if (!entry || into.has(key)) return into;
  into.add(key);
  for (const next of entry.imports ?? []) closure(manifest, next, into);
  return into;
}

/**
 * Sizes in kB (1,000 bytes) after gzip. First load: the entry, one language, sign-in and Today, with all they import.
 * A route's own: what it adds to the entry.
 */
export function sizes(dist: string): Measure[] {
  const manifest = JSON.parse(
    readFileSync(join(dist, ".vite", "manifest.json"), "utf8"),
  ) as Manifest;
  const zipped = new Map<string, number>();
  const kB = (keys: Iterable<string>) => {
    let sum = 0;
    for (const key of keys) {
      const { file } = manifest[key]!;
      const size = zipped.get(file) ?? gzipSync(readFileSync(join(dist, file))).length;
      zipped.set(file, size);
      sum += size;
    }
    return Math.round(sum / 100) / 10;
  };
  const key = (end: string) => Object.keys(manifest).find((one) => one.endsWith(end))!;
  const entry = Object.keys(manifest).find((one) => manifest[one]!.isEntry)!;
  const first = closure(manifest, entry);
  for (const also of ["src/lang/zh.ts", "src/access/sign-in.tsx", "src/insights/today.tsx"])
    closure(manifest, key(also), first);
  const entryAlone = closure(manifest, entry);
  const css = new Set(
    Object.values(manifest).flatMap((one) =>
      one.file.endsWith(".css") ? [one.file] : (one.css ?? []),
    ),
  );
  const cssKb =
    [...css].reduce((sum, file) => sum + gzipSync(readFileSync(join(dist, file))).length, 0) / 1000;
  const lazy = new Set(Object.values(manifest).flatMap((one) => one.dynamicImports ?? []));
  const routes = [...lazy]
    .filter((one) => !charts.test(one) && !one.includes("observablehq"))
    .map((one) => ({
      name: one,
      kB: kB(closure(manifest, one).difference(entryAlone)),
      most: route,
    }));
  return [
    { name: "first load, JavaScript", kB: kB(first), most: firstJs },
    { name: "CSS", kB: Math.round(cssKb * 10) / 10, most: firstCss },
    ...routes.toSorted((a, b) => b.kB - a.kB),
  ];
}

if (import.meta.main) {
  const measures = sizes(join(import.meta.dirname, "dist"));
  for (const { name, kB, most } of measures)
    console.log(
      `${kB <= most ? "ok  " : "OVER"} ${kB.toFixed(1).padStart(6)} kB of ${most}  ${name}`,
    );
  if (measures.some(({ kB, most }) => kB > most)) process.exitCode = 1;
}
