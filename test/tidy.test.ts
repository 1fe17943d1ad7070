// The architecture, as a test: a rule that nothing checks decays.
import { globSync, readFileSync } from "node:fs";
import { dirname, posix } from "node:path";
import { expect, test } from "vitest";
import { permissionsOf, roles } from "../src/access/rules.ts";
import { allRoutes } from "../src/app.ts";
import type { Route } from "../src/kernel/endpoint.ts";
import { failures } from "../src/lang/failures.ts";

type Files = Record<string, string>;

/** The kernel's files, by name: it knows no word of any domain, so it grows by decision only. */
const kernel = new RegExp(
  `^src/kernel/(${[
    ["result", "endpoint", "command", "group", "outbox", "timers", "lease", "waiting", "worker"],
    [
      "sql",
      "postgres-driver",
      "columns",
      "migrate",
      "clock",
      "shop-clock",
      "ids",
      "installation",
      "money",
      "json",
    ],
    ["log", "metrics", "config", "crypto", "http", "openapi", "mail", "audit", "audit-chain"],
    ["crash", "outage", "inflate", "invalid", "outgoing", "moving"],
  ]
    .flat()
    .join("|")})\\.ts$`,
);
/** Pure parts of the kernel: they run in the browser too. */
const pure = "#kernel/(result|clock|ids|money|json)\\.ts";
const own = (...roles: string[]) => `\\./(${roles.join("|")})\\.ts`;
const model = "\\./model/[\\w-]+\\.ts";
const service = [
  "#kernel/",
  own("rules", "store", "events"),
  model,
  "#\\w+/(service|rules)\\.ts",
  "node:crypto",
];
const joins = [...service, own("api", "service", "views")];
const rule = (...parts: string[]) => new RegExp(`^(${parts.join("|")})`);
/** What each file of a domain may import. A name that is not here may not exist. */
const may: Record<string, RegExp> = {
  rules: rule(pure, "(\\.|#\\w+)/rules\\.ts", model),
  // Arithmetic over plain data; its words are those of the rules beside or of another domain.
  model: rule(pure, "(\\.\\.|#\\w+)/rules\\.ts", "\\./[\\w-]+\\.ts"),
  store: rule("#kernel/(sql|ids)\\.ts", own("rules"), "node:stream"),
  service: rule(...service),
  api: rule("zod$", "#kernel/endpoint\\.ts", own("rules"), "#\\w+/api\\.ts"),
  events: rule("zod$"),
  routes: rule(...joins),
  jobs: rule(...joins),
  // Reads over domains. An answer's shape may be that of the endpoint, and a statement may be put together of parts.
  views: rule(
    "#kernel/(sql|columns|ids)\\.ts",
    own("rules", "api"),
    "#\\w+/rules\\.ts",
    // What an event says and the filters of it are one language, and one statement, for segments and traits.
    "#segments/views\\.ts",
    "postgres$",
  ),
};
/** Files and folders that stand for themselves, each for a reason. */
const special: [RegExp, RegExp][] = [
  [kernel, /^(?!#|\.\.)/], // no domain
  [/^src\/engines\/[\w-]+\.ts$/, /^(?!#|\.\.)/], // two protocols, no domain, no kernel
  [/^src\/lang\/failures\.ts$/, rule("#kernel/http\\.ts")],
  [/^src\/lang\/terminal\.ts$/, rule("#exchange/import\\.ts")], // the counts that it puts into words
  // The composition root, the program and the commands of the terminal.
  [/^src\/(app|program|main|console|doctor|terminal|demo|demo-[a-z]+)\.ts$/, /./],
  // Files are read in the background, as a job that has a command line.
  [/^src\/exchange\/import\.ts$/, rule(...joins, "node:(fs|fs/promises|zlib|stream)$")],
  [/^src\/exchange\/export\.ts$/, rule(...joins)],
  [/^src\/exchange\/(mend|upload)\.ts$/, rule(...joins, "\\./import\\.ts", "node:stream$")],
  [/^src\/exchange\/(routes|jobs)\.ts$/, rule(...joins, "\\./(import|export|mend|upload)\\.ts")],
  // What rules ask is read for people and for companies; a look at companies is a job of its own beside that at people.
  [/^src\/segments\/(facts|companies|jobs)\.ts$/, rule(...joins, "\\./(facts|companies)\\.ts")],
  // The master key lives in a file, beside either engine.
  [
    /^src\/privacy\/master-key\.ts$/,
    rule("#kernel/", own("rules", "store"), "node:(crypto|fs|fs/promises|path)$"),
  ],
  // Cryptography is arithmetic too: passwords, tokens and cookies touch no engine and no network.
  [
    /^src\/(access|messages|feeds)\/model\/[\w-]+\.ts$/,
    rule(
      pure,
      "\\.\\./rules\\.ts",
      "\\./[\\w-]+\\.ts",
      "#kernel/(crypto|endpoint)\\.ts",
      "jose$",
      "@node-rs/argon2$",
      "node:crypto$",
    ),
  ],
];
const allowedFor = (path: string): RegExp | undefined => {
  const [, named] = special.find(([file]) => file.test(path)) ?? [];
  if (named) return named;
  const [, domain = "", folder, role = ""] =
    /^src\/(\w+)\/(?:(model)\/)?([\w-]+)\.ts$/.exec(path) ?? [];
  if (/^(kernel|lang|engines)$/.test(domain)) return undefined;
  if (folder) return may["model"];
  return role === "model" ? undefined : may[role];
};

const imports = (text: string): string[] =>
  [
    ...text.matchAll(/^(?:import|export)\b[^;"`=(]*?\bfrom\s+"([^"\n]+)"/gm),
    ...text.matchAll(/^import\s+"([^"\n]+)"/gm),
    ...text.matchAll(/\bimport\(\s*"([^"\n]+)"\s*\)/g),
  ].map((match) => match[1]!);
/** Lines without those that only say something. */
const code = (text: string): string =>
  text
    .split("\n")
    .filter((line) => !/^\s*(\/\/|\*|\/\*)/.test(line))
    .join("\n");

const kernelTables =
  /^(idempotency|audit|audit_due|audit_seal|outbox|timer|lease|shop_clock|worker_bucket|installation|migration)$/;
const ownerOf = (table: string): string =>
  kernelTables.test(table) ? "kernel" : table.split("_")[0]!;
const writes =
  /\b(?:insert into|(?<!\b(?:for|do|no key) )update|delete from|truncate(?: table)?|copy)\s+(\w+)/gi;

function complaints(files: Files, tables: ReadonlySet<string>): string[] {
  const found: string[] = [];
  const edges = new Map<string, string[]>();
  for (const [path, text] of Object.entries(files)) {
    if (path.endsWith(".test.ts")) {
      if (!(path.replace(".test.ts", ".ts") in files)) found.push(`${path}: tests no file`);
      continue;
    }
    const allowed = allowedFor(path);
    if (!allowed) found.push(`${path}: unknown file name`);
    for (const from of imports(text))
      if (allowed && !allowed.test(from)) found.push(`${path}: may not import ${from}`);
    const target = (from: string) =>
      from.startsWith("#") ? `src/${from.slice(1)}` : posix.join(dirname(path), from);
    edges.set(
      path,
      imports(text)
        .filter((from) => /^[#.]/.test(from))
        .map(target),
    );

    const [, domain = ""] = /^src\/(\w+)\//.exec(path) ?? [];
    const said = code(text);
    for (const [use] of said.matchAll(/\beval\(|\bnew Function\b|["'](?:node:)?vm["']/g))
      found.push(`${path}: ${use} runs text as code`);
    for (const [use] of said.matchAll(/(?::|\bas|<|\||\bextends|=>)\s*any\b(?!\()/g))
      found.push(`${path}: ${use} says nothing`);
    if (domain !== "kernel" && domain !== "engines")
      for (const [use] of said.matchAll(
        /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bset(?:Timeout|Interval|Immediate)\b|(?<![.\w])fetch\(/g,
      ))
        found.push(`${path}: ${use} belongs to the kernel`);
    for (const [, name] of said.matchAll(writes)) {
      const table = name!.toLowerCase();
      // Whoever takes a demo away clears every table there is, as their owner.
      if (!tables.has(table) || path === "src/demo-remove.ts") continue;
      const home = ownerOf(table);
      if (home === "kernel" ? domain !== "kernel" : path !== `src/${home}/store.ts`)
        found.push(`${path}: may not write ${table}`);
    }
  }
  const done = new Set<string>();
  const walk = (path: string, trail: string[]) => {
    if (trail.includes(path))
      found.push(`${[...trail.slice(trail.indexOf(path)), path].join(" -> ")}: cycle`);
    if (trail.includes(path) || done.has(path)) return;
    for (const next of edges.get(path) ?? []) walk(next, [...trail, path]);
    done.add(path);
  };
  for (const path of edges.keys()) walk(path, []);
  return found;
}

/** What is looked up by a value is unique by it, in a narrow table that holds only the way to the person. */
const byValue = new Set([
  "people_way", // person → bucket
  "people_node", // by the node's own bucket: who that is changes by merging, and rewrites no event
  "people_span", // the same, for the span in which a device is one person's
  "orders_ref", // source, order reference → person
  "offers_code", // blind index of a coupon's code → person
  "privacy_erasure", // what was erased: the person is gone, the record stays
]);
/** Tables, and those of a person whose key does not begin with the way to them. */
function tablesIn(migrations: Files): { tables: Set<string>; wrong: string[] } {
  const tables = new Set<string>(["migration"]);
  const wrong: string[] = [];
  for (const [path, text] of Object.entries(migrations))
    for (const [, name, body = ""] of text.matchAll(/create table (\w+) \(([\s\S]*?)\n\)[^;]*;/g)) {
      if (tables.has(name!)) wrong.push(`${path}: ${name} is made twice`);
      tables.add(name!);
      const lines = body.split("\n").map((line) => line.replace(/--.*$/, ""));
      const key =
        /primary key \(([^)]*)\)/.exec(lines.join("\n"))?.[1] ??
        lines
          .find((line) => line.includes("primary key"))
          ?.trim()
          .split(/\s+/)[0] ??
        "";
      const ofPerson = lines.some((line) => /^\s*person_id\s/.test(line));
      if (key === "") wrong.push(`${path}: ${name} has no primary key`);
      if (ofPerson && !byValue.has(name!) && !/^\s*bucket\s*,\s*person_id\b/.test(key))
        wrong.push(`${path}: the key of ${name} is (${key}), not (bucket, person_id, …)`);
    }
  return { tables, wrong };
}

const read = (...globs: string[]): Files =>
  Object.fromEntries(
    globSync(globs)
      .toSorted()
      .map((path) => [path, readFileSync(path, "utf8")]),
  );
const sources = read("src/**/*.ts");
const { tables, wrong } = tablesIn(read("migrations/*.sql"));

test("the house is tidy", () => {
  expect(Object.keys(sources).length).toBeGreaterThan(150);
  expect(tables.size).toBeGreaterThan(40);
  expect(complaints(sources, tables)).toEqual([]);
});

test("every table of a person has a key that begins with the way to them", () => {
  expect(wrong).toEqual([]);
});

test("every table has an owner that is a domain", () => {
  const domains = new Set([...globSync("src/*/").map((path) => posix.basename(path)), "kernel"]);
  expect([...tables].filter((table) => !domains.has(ownerOf(table)))).toEqual([]);
});

const han = /\p{Script=Han}/u;
function aboutEndpoints(
  routes: readonly { endpoint: Route["endpoint"] }[],
  known: object,
): string[] {
  const found: string[] = [];
  const seen = new Set<string>();
  const held: ReadonlySet<string> = new Set<string>([
    ...["public", "person", "events:write"],
    ...roles.flatMap((role) => [...permissionsOf(role)]),
  ]);
  for (const { endpoint: e } of routes) {
    const name = `${e.method} ${e.path}`;
    if (seen.has(name)) found.push(`${name}: twice`);
    seen.add(name);
    if (!held.has(e.permission))
      found.push(`${name}: nobody can hold ${JSON.stringify(e.permission)}`);
    if (!han.test(e.summary.zh)) found.push(`${name}: no Chinese summary`);
    if (e.summary.en === "" || han.test(e.summary.en)) found.push(`${name}: no English summary`);
    for (const failure of e.failures)
      if (!Object.hasOwn(known, failure))
        found.push(`${name}: ${failure} is not in the table of failures`);
  }
  return found;
}
test("every endpoint has a permission, both summaries, and failures that are known", () => {
  expect(allRoutes.length).toBeGreaterThan(50);
  expect(aboutEndpoints(allRoutes, failures)).toEqual([]);
});

test("every endpoint that an api.ts declares is served", async () => {
  const served = new Set(allRoutes.map(({ endpoint: { method, path } }) => `${method} ${path}`));
  const idle: string[] = [];
  for (const path of globSync("src/*/api.ts")) {
    const api = (await import(`../${path}`)) as Record<string, unknown>;
    for (const [name, value] of Object.entries(api)) {
      const e = value as Partial<Route["endpoint"]> | null;
      if (typeof e !== "object" || !e?.method || !e.path || !e.permission) continue;
      if (!served.has(`${e.method} ${e.path}`)) idle.push(`${path}: ${name}`);
    }
  }
  expect(idle).toEqual([]);
});

test("every failure has a status, both sentences, and somebody who says it", () => {
  const texts = Object.entries(sources).filter(
    ([path]) => !/\.test\.ts$|lang\/failures/.test(path),
  );
  const all = texts.map(([, text]) => text).join("\n");
  for (const [name, { status, zh, en }] of Object.entries(failures)) {
    expect(status, name).toBeGreaterThanOrEqual(400);
    expect(zh, name).toMatch(han);
    expect(en, name).toMatch(/^[A-Z"“][^\p{Script=Han}]*[.?!]$/u);
    if (!name.startsWith("request."))
      expect(all.includes(`"${name}"`), `${name} is said by nobody`).toBe(true);
  }
});

/** Of this machine, or of notes to oneself: not for whoever reads the house. */
const strangers = (files: Files): string[] =>
  Object.entries(files).flatMap(([path, text]) => [
    ...[...text.matchAll(/\b(?:TODO|FIXME|XXX|HACK)\b/g)].map(([note]) => `${path}: ${note}`),
    ...[...text.matchAll(/(?<![\w.])\/(?:work|mnt|tmp\/brief)\/[\w.-]*/g)].map(
      ([place]) => `${path}: ${place}`,
    ),
    ...(/^(test|bench)\/|\.test\.ts$|^\.ci\/|^README|^CONTRIBUTING|^docs\//.test(path)
      ? []
      : [...text.matchAll(/\.\.\/shared|LIUKE_SHARED/g)].map(([place]) => `${path}: ${place}`)),
  ]);
test("nothing is left to do in a comment, and nothing leads out of the house", () => {
  const written = read(
    "src/**/*.ts",
    "test/**/*.ts",
    "bench/**/*.ts",
    "console/src/**/*.{ts,tsx,css}",
    "docs/**/*.md",
    "*.md",
    "migrations/*.sql",
    "clickhouse/*.sql",
    "package.json",
  );
  delete written["test/tidy.test.ts"]; // names what it forbids
  expect(strangers(written)).toEqual([]);
});

// ── The rules are tried on broken houses ─────────────────────────────────────────────────────────────────────────────

test.each([
  ["src/points/helpers.ts", "", "unknown file name"],
  ["src/points/utils/rules.ts", "", "unknown file name"],
  ["src/points/model.ts", "", "unknown file name"],
  ["src/kernel/points.ts", "", "unknown file name"],
  ["src/lang/rules.ts", "", "unknown file name"],
  ["src/helpers.ts", "", "unknown file name"],
  ["src/points/rules.test.ts", "", "tests no file"],
  ["src/points/rules.ts", `import { way } from "#people/store.ts"`, "may not import"],
  ["src/points/rules.ts", `import { readFileSync } from "node:fs"`, "may not import"],
  ["src/points/rules.ts", `import type { Tx } from "#kernel/sql.ts"`, "may not import"],
  ["src/points/model/fit.ts", `import type { Tx } from "#kernel/sql.ts"`, "may not import"],
  ["src/points/model/fit.ts", `import { lots } from "../store.ts"`, "may not import"],
  ["src/points/store.ts", `import { grant } from "./service.ts"`, "may not import"],
  ["src/points/service.ts", `import { way } from "../people/store.ts"`, "may not import"],
  ["src/points/service.ts", `import { way } from "#people/store.ts"`, "may not import"],
  ["src/points/service.ts", `import { seen } from "./views.ts"`, "may not import"],
  ["src/points/service.ts", `const { way } = await import("#people/store.ts")`, "may not import"],
  ["src/points/views.ts", `import { lots } from "./store.ts"`, "may not import"],
  ["src/points/api.ts", `import { grant } from "./service.ts"`, "may not import"],
  ["src/points/routes.ts", `import { seen } from "#people/views.ts"`, "may not import"],
  ["src/points/routes.ts", `export * from "#people/store.ts"`, "may not import"],
  ["src/kernel/sql.ts", `import type { Lot } from "#points/rules.ts"`, "may not import"],
  ["src/engines/lock.ts", `import { wait } from "#kernel/clock.ts"`, "may not import"],
  ["src/points/rules.ts", "Date.now()", "belongs to the kernel"],
  ["src/points/jobs.ts", "const now = new Date();", "belongs to the kernel"],
  ["src/points/jobs.ts", "setInterval(run, 1)", "belongs to the kernel"],
  ["src/points/jobs.ts", `await fetch("http://example.com")`, "belongs to the kernel"],
  ["src/app.ts", "Math.random()", "belongs to the kernel"],
  ["src/points/rules.ts", "let a: any;", "says nothing"],
  ["src/points/rules.ts", "const b = a as any", "says nothing"],
  ["src/kernel/sql.ts", `eval("1")`, "runs text as code"],
  ["src/points/rules.ts", `new Function("return 1")`, "runs text as code"],
  ["src/points/rules.ts", `import vm from "node:vm"`, "runs text as code"],
  ["src/points/store.ts", "tx`update people_person set bucket = 1`", "may not write people_person"],
  ["src/points/store.ts", "tx`INSERT INTO outbox values (1)`", "may not write outbox"],
  ["src/people/service.ts", "tx`delete from people_person`", "may not write people_person"],
  [
    "src/people/views.ts",
    "tx`\n insert into\n people_person select 1`",
    "may not write people_person",
  ],
  ["src/app.ts", "sql`update audit set outcome = 'ok'`", "may not write audit"],
  ["src/kernel/sql.ts", "sql`delete from people_person`", "may not write people_person"],
])("%s with %j: %s", (path, text, complaint) => {
  expect(complaints({ [path]: text }, tables).join()).toContain(complaint);
});

test.each([
  [
    "src/people/store.ts",
    "tx`select 1 from people_person for update`; tx`insert into people_person values (1) on conflict (id) do update set a = 1`",
  ],
  ["src/kernel/outbox.ts", "tx`delete from outbox`"],
  [
    "src/points/rules.ts",
    "// Date.now() is not for us, nor any TODO\nconst at = new Date(0); rows = sql`x = any(${y})`",
  ],
  [
    "src/points/routes.ts",
    `import { api } from "./api.ts";\nimport { seen } from "./views.ts";\nimport * as people from "#people/service.ts"`,
  ],
])("%s with %j is well", (path, text) => {
  expect(complaints({ [path]: text }, tables)).toEqual([]);
});

test("a circle of imports is found", () => {
  const circle = {
    "src/points/rules.ts": `import type { Tier } from "#tiers/rules.ts"`,
    "src/tiers/rules.ts": `import type { Lot } from "#points/rules.ts"`,
  };
  const found = "src/points/rules.ts -> src/tiers/rules.ts -> src/points/rules.ts: cycle";
  expect(complaints(circle, tables)).toEqual([found]);
});

test("keys of persons are read from the tables", () => {
  const bad = tablesIn({
    m: "create table a_x (\n  person_id uuid not null,\n  id uuid primary key\n);\ncreate table a_y (\n  n int\n);\ncreate table a_z (\n  bucket smallint,\n  person_id uuid,\n  primary key (bucket, person_id)\n) partition by list (bucket);",
  });
  expect(bad.wrong).toEqual([
    "m: the key of a_x is (id), not (bucket, person_id, …)",
    "m: a_y has no primary key",
  ]);
});

test("a broken endpoint is found", () => {
  const [{ endpoint }] = allRoutes as [Route];
  const bad = {
    ...endpoint,
    permission: "",
    summary: { zh: "English", en: "" },
    failures: ["no.such"],
  };
  expect(aboutEndpoints([{ endpoint: bad }, { endpoint: bad }], failures)).toHaveLength(9);
});

test("strangers are found", () => {
  expect(
    strangers({ "src/a.ts": "// TODO: later\n// see /work/main and ../shared/data" }),
  ).toHaveLength(3);
  expect(strangers({ "test/a.ts": `process.env["LIUKE_SHARED"] ?? "../shared"` })).toEqual([]);
});
