// The one way from the console to the server. Endpoints are the server's own values, so a call that does not fit does
// not compile; schemas stay on the server.
import { endpoints } from "virtual:endpoints";
import type { z } from "zod";
import { storedLanguage } from "./language.ts";

type Domains = {
  access: typeof import("../../../src/access/api.ts");
  catalog: typeof import("../../../src/catalog/api.ts");
  companies: typeof import("../../../src/companies/api.ts");
  collect: typeof import("../../../src/collect/api.ts");
  exchange: typeof import("../../../src/exchange/api.ts");
  experiments: typeof import("../../../src/experiments/api.ts");
  feeds: typeof import("../../../src/feeds/api.ts");
  forms: typeof import("../../../src/forms/api.ts");
  insights: typeof import("../../../src/insights/api.ts");
  journeys: typeof import("../../../src/journeys/api.ts");
  messages: typeof import("../../../src/messages/api.ts");
  offers: typeof import("../../../src/offers/api.ts");
  orders: typeof import("../../../src/orders/api.ts");
  people: typeof import("../../../src/people/api.ts");
  plan: typeof import("../../../src/plan/api.ts");
  predict: typeof import("../../../src/predict/api.ts");
  privacy: typeof import("../../../src/privacy/api.ts");
  recommend: typeof import("../../../src/recommend/api.ts");
  relations: typeof import("../../../src/relations/api.ts");
  segments: typeof import("../../../src/segments/api.ts");
  traits: typeof import("../../../src/traits/api.ts");
};
/** An endpoint as the browser sees it; I and O are what travels, so dates are ISO text and bigints decimal text. */
export type Call<I, O> = {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  path: string;
  permission: string;
  /** Never there: holds the types. */
  types?: (input: I) => O;
};
type CallOf<E> = E extends { input: infer I extends z.ZodType; output: infer O extends z.ZodType }
  ? Call<z.input<I>, z.input<O>>
  : never;
type Calls<M> = { [K in keyof M as M[K] extends { permission: string } ? K : never]: CallOf<M[K]> };

export const api = endpoints as unknown as { [D in keyof Domains]: Calls<Domains[D]> };
/** What an endpoint answers. */
export type Answer<C> =
  C extends Call<never, infer O> ? O : C extends Call<infer _, infer O> ? O : never;

/** A refusal in the server's own words (RFC 9457), or code "away" where no answer came. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly fields: readonly string[];
  constructor(status: number, code: string, title: string, fields: readonly string[] = []) {
    super(title);
    this.status = status;
    this.code = code;
    this.fields = fields;
  }
}

let whenSignedOut: () => void = () => {};
/** Called when a call that needs a session finds none. */
export const onSignedOut = (run: () => void) => {
  whenSignedOut = run;
};

/**
 * Calls an endpoint. Values named in the path go there, others into the query (GET, DELETE) or the body.
 * One act is one key: give the same `key` when the same act is tried again. `dry` asks what would come of it.
 */
export async function call<I extends object, O>(
  to: Call<I, O>,
  input: I,
  {
    key = crypto.randomUUID(),
    signal,
    dry = false,
  }: { key?: string; signal?: AbortSignal; dry?: boolean } = {},
): Promise<O> {
  const rest = { ...input } as Record<string, unknown>;
  const path = to.path.replace(/:(\w+)/g, (_, name: string) => {
    const value = String(rest[name]);
    delete rest[name];
    return encodeURIComponent(value);
  });
  const read = to.method === "GET";
  const query = new URLSearchParams();
  if (read)
    for (const [name, value] of Object.entries(rest))
      if (value !== undefined && value !== null && value !== "") query.set(name, String(value));
  if (dry) query.set("dryRun", "true");
  const asked = query.size > 0 ? `${path}?${query}` : path;
  const headers: Record<string, string> = { "accept-language": storedLanguage() };
  if (!read) Object.assign(headers, { "content-type": "application/json", "idempotency-key": key });
  let response: Response;
  try {
    response = await fetch(asked, {
      method: to.method,
      headers,
      credentials: "same-origin",
      ...(read ? {} : { body: JSON.stringify(rest) }),
      ...(signal ? { signal } : {}),
    });
  } catch (thrown) {
    if (signal?.aborted) throw thrown;
    throw new Problem(0, "away", "");
  }
  const type = response.headers.get("content-type") ?? "";
  const body = type.includes("json") ? ((await response.json()) as Record<string, unknown>) : {};
  if (response.ok) return body as O;
  if (response.status === 401 && to.permission !== "public") whenSignedOut();
  throw new Problem(
    response.status,
    typeof body["code"] === "string" ? body["code"] : "away",
    typeof body["title"] === "string" ? body["title"] : "",
    Array.isArray(body["fields"]) ? body["fields"].map(String) : [],
  );
}
