// OpenAPI 3.1, printed from the endpoint values: nobody writes it, so it cannot be out of date.
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
): object {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const e of endpoints) {
    const path = e.path.replaceAll(/:(\w+)/g, "{$1}");
    (paths[path] ??= {})[e.method.toLowerCase()] = operation(e, failures);
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
      securitySchemes: {
        key: { type: "http", scheme: "bearer", description: "An API key or a person token." },
        session: { type: "apiKey", in: "cookie", name: "liuke_session" },
      },
    },
  };
}

function operation(e: Endpoint<z.ZodType, z.ZodType, string>, failures: Failures) {
  const input = schemaOf(e.input, "input");
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
  const byStatus: Record<string, { description: string }> = {};
  for (const code of e.failures) {
    const { status, en } = failures[code]!;
    const had = byStatus[String(status)]?.description;
    const line = `${code}: ${en}`;
    byStatus[String(status)] = { description: had ? `${had} ${line}` : line };
  }
  return {
    operationId: `${e.method.toLowerCase()}${e.path.replaceAll(/[^A-Za-z0-9]+/g, "_")}`,
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
        content: { "application/json": { schema: schemaOf(e.output, "output") } },
      },
      ...byStatus,
    },
  };
}
