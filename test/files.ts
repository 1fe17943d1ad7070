// A shop that takes files in and gives them out.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { consumers } from "../src/app.ts";
import { consume } from "#collect/jobs.ts";
import { routes as collectRoutes } from "#collect/routes.ts";
import * as collect from "#collect/service.ts";
import { exportText } from "#exchange/export.ts";
import { importFile } from "#exchange/import.ts";
import { routes } from "#exchange/routes.ts";
import type { Kind, Mapping, OutKind } from "#exchange/rules.ts";
import type { Route } from "#kernel/endpoint.ts";
import { shop } from "./shop.ts";

/** A shop to take files into and to take them out of; what is read is folded at once. */
export async function open(more: readonly Route[] = []) {
  const here = await shop([...routes, ...collectRoutes, ...more]);
  const close = here[Symbol.asyncDispose].bind(here);
  const folder = await mkdtemp(join(tmpdir(), "liuke-exchange-"));
  const fold = async () => {
    while ((await consume(here.house, consumers)) > 0);
  };
  const take = async (
    kind: Kind,
    text: string | Buffer,
    name: string,
    mapping: Mapping = { quoted: true },
    into?: collect.SourceRow,
  ) => {
    const path = join(folder, name);
    await writeFile(path, text);
    const source = into ?? (await collect.sourceNamed(here.house, here.sql, "file", "import"));
    const done = await importFile(here.house, { path, kind, mapping, source });
    await fold();
    return done;
  };
  const out = async (kind: OutKind, format: "csv" | "jsonl", names = true, segment?: string) => {
    let text = "";
    for await (const piece of exportText(here.house, { kind, format, names, segment }))
      text += piece;
    return text;
  };
  return Object.assign(here, {
    fold,
    take,
    out,
    [Symbol.asyncDispose]: async () => {
      await rm(folder, { recursive: true, force: true });
      await close();
    },
  });
}
