// OpenAPI 3.1, printed from the endpoint values: nobody writes it, so it cannot be out of date.
import { filled } from "./result.ts";
import { z } from "zod";
import type { Endpoint } from "./endpoint.ts";

type Failures = Record<string, { status: number; zh: string; en: string }>;
type Schema = { properties?: Record<string, unknown>; required?: string[] };

const schemaOf = (type: z.ZodType, io: "input" | "output"): Schema =>
  z.toJSONSchema(type, { io, unrepresentable: "any" }) as Schema;

export function openapi(
  endpoints: readonly Endpoint<z.ZodType, z.ZodType, string>[],
  failures: Failures,
  version: string,
  /** Those of the write path: they demand an idempotency key and may be tried dry. */
  commands: ReadonlySet<unknown> = new Set(),
): object {
  const paths: Record<string, Record<string, unknown>> = {};
  const schemas: Record<string, unknown> = {};
  for (const e of endpoints) {
    const path = e.path.replaceAll(/:(\w+)/g, "{$1}");
    (paths[path] ??= {})[e.method.toLowerCase()] = operation(e, failures, commands.has(e), schemas);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Liuke 留客",
      version,
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    paths,
    components: {
      schemas: { ...schemas, Problem: problem },
      securitySchemes: {
        key: { type: "http", scheme: "bearer", description: "An API key or a person token." },
        session: { type: "apiKey", in: "cookie", name: "liuke_session" },
      },
    },
  };
}

/** RFC 9457, as every refusal is answered. */
const problem = {
  type: "object",
  properties: {
    type: { type: "string" },
    title: { type: "string" },
    status: { type: "integer" },
    code: { type: "string" },
    fields: { type: "array", items: { type: "string" } },
  },
  required: ["type", "title", "status", "code"],
};
const commandParameters = [
  {
    name: "Idempotency-Key",
    in: "header",
    required: true,
    description: "One key, one deed: sent again within 7 days, it gets the saved answer.",
    schema: { type: "string", minLength: 1, maxLength: 200 },
  },
  {
    name: "dryRun",
    in: "query",
    required: false,
    description: "Answers as the deed would, and leaves nothing.",
    schema: { type: "boolean" },
  },
];

/** A schema that refers to itself has its parts under $defs, where only its own root finds them: they move to components. */
function hoisted(schema: Schema, prefix: string, schemas: Record<string, unknown>): Schema {
  const text = JSON.stringify(schema);
  if (!text.includes('"$ref"')) return schema;
  const moved = JSON.parse(
    text
      .replaceAll(/"\$ref":"#\/\$defs\/([^"]+)"/g, `"$ref":"#/components/schemas/${prefix}_$1"`)
      .replaceAll('"$ref":"#"', `"$ref":"#/components/schemas/${prefix}"`),
  ) as Schema & { $defs?: Record<string, unknown> };
  const { $defs, ...rest } = moved;
  for (const [name, part] of Object.entries($defs ?? {})) schemas[`${prefix}_${name}`] = part;
  if (text.includes('"$ref":"#"')) schemas[prefix] = rest;
  return rest;
}

function operation(
  e: Endpoint<z.ZodType, z.ZodType, string>,
  failures: Failures,
  isCommand: boolean,
  schemas: Record<string, unknown>,
) {
  const operationId = `${e.method.toLowerCase()}${e.path.replaceAll(/[^A-Za-z0-9]+/g, "_")}`;
  const input = hoisted(schemaOf(e.input, "input"), `${operationId}_input`, schemas);
  const output = hoisted(schemaOf(e.output, "output"), `${operationId}_output`, schemas);
  const inPath = new Set([...e.path.matchAll(/:(\w+)/g)].map(([, name]) => name!));
  const properties = Object.entries(input.properties ?? {});
  const bodyProperties = properties.filter(([name]) => !inPath.has(name));
  const parameters = properties.flatMap(([name, schema]) =>
    inPath.has(name)
      ? [{ name, in: "path", required: true, schema }]
      : e.method === "GET"
        ? [{ name, in: "query", required: input.required?.includes(name) ?? false, schema }]
        : [],
  );
  if (isCommand) parameters.push(...commandParameters);
  const content = {
    "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } },
  };
  const byStatus: Record<string, { description: string; content: typeof content }> = {};
  const always = [
    ...(properties.length > 0 || isCommand ? ["request.invalid"] : []),
    ...(e.permission === "public" ? [] : ["request.unauthenticated", "request.forbidden"]),
    ...(isCommand ? ["request.busy", "request.key_reused"] : []),
  ];
  for (const code of [...always.filter((code) => code in failures), ...e.failures]) {
    const { status, en } = failures[code]!;
    const had = byStatus[String(status)]?.description;
    const line = `${code}: ${filled(en)}`;
    byStatus[String(status)] = { description: had ? `${had} ${line}` : line, content };
  }
  return {
    operationId,
    summary: e.summary.en,
    description: e.summary.zh,
    ...(e.permission === "public"
      ? { security: [] }
      : { security: [{ key: [] }, { session: [] }] }),
    "x-permission": e.permission,
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(e.method !== "GET" && bodyProperties.length > 0
      ? {
          requestBody: {
            content: {
              "application/json": {
                schema: {
                  type: "object",
                  properties: Object.fromEntries(bodyProperties),
                  required: (input.required ?? []).filter((name) => !inPath.has(name)),
                },
              },
            },
          },
        }
      : {}),
    responses: {
      "200": {
        description: "OK",
        content: { "application/json": { schema: output } },
      },
      ...byStatus,
    },
  };
}
