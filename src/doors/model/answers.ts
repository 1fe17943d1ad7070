// What each client hears: in its own words, so that it retries, waits or gives up as its makers meant it to.
import type { Protocol } from "#collect/rules.ts";

/** What became of a request, in the words of our table of failures. */
export type Outcome =
  | { kind: "taken" }
  | { kind: "request.invalid"; fields: string[] }
  | { kind: "request.too_large" }
  | { kind: "request.unauthenticated" } // no key, an unknown one, or one that was taken back
  | { kind: "collect.disabled" }
  | { kind: "collect.other_protocol" }
  | { kind: "collect.origin" }
  | { kind: "request.too_many"; seconds: number }
  | { kind: "request.away"; seconds: number };
export type Answer = { status: number; headers: Record<string, string>; body: unknown };
type Refusal = Exclude<Outcome, { kind: "taken" }>;

const statuses: Record<Refusal["kind"], number> = {
  "request.invalid": 400,
  "request.too_large": 413,
  "request.unauthenticated": 401,
  "collect.disabled": 403,
  "collect.other_protocol": 403,
  "collect.origin": 403,
  "request.too_many": 429,
  "request.away": 503,
};
/** Where a client means something else by a status. */
const own: Partial<Record<Protocol, Partial<Record<Refusal["kind"], number>>>> = {
  // Segment says 400 of a body that is too large as of one that is no JSON.
  segment: { "request.too_large": 400 },
  customerio: { "request.too_large": 400 },
  jitsu: { "request.too_large": 400 },
  dittofeed: { "request.too_large": 400 },
  // Trackers send 413 again for ever, and nothing after it; 422 is one of the few that they give up.
  snowplow: { "request.too_large": 422 },
  // gateway/response: a disabled source is not found.
  rudderstack: { "collect.disabled": 404 },
};
const taken: Record<Protocol, unknown> = {
  segment: { success: true },
  customerio: { success: true },
  dittofeed: { success: true },
  liuke: { success: true },
  jitsu: { ok: true },
  rudderstack: "OK",
  posthog: { status: 1 },
  snowplow: "ok",
  sensors: {},
  cloudevents: {},
};
const sentences: Record<Refusal["kind"], string> = {
  "request.invalid": "The body cannot be read.",
  "request.too_large": "The body is too large.",
  "request.unauthenticated": "The write key is not known.",
  "collect.disabled": "The source is disabled.",
  "collect.other_protocol": "The key is of a source that speaks another protocol.",
  "collect.origin": "The source does not take events from this page.",
  "request.too_many": "Too many events at once.",
  "request.away": "Try again in a moment.",
};
function bodyOf(protocol: Protocol, refusal: Refusal): Record<string, unknown> {
  const { kind: code } = refusal;
  const fields = code === "request.invalid" ? { fields: refusal.fields } : {};
  const message = sentences[code];
  if (protocol === "posthog") {
    const type =
      code === "request.unauthenticated"
        ? "authentication_error"
        : code === "request.too_many"
          ? "throttled_error"
          : code === "request.away"
            ? "server_error"
            : "validation_error";
    return { type, code, detail: message, attr: null, ...fields };
  }
  if (protocol === "jitsu") return { ok: false, error: message, code, ...fields };
  if (protocol === "rudderstack" || protocol === "sensors")
    return { error: message, code, ...fields };
  return { success: false, message, code, ...fields };
}

/** `nowMs` is the machine's: Segment's clients read when a limit ends as seconds since 1970. */
export function answerOf(protocol: Protocol, outcome: Outcome, nowMs: number): Answer {
  if (outcome.kind === "taken") return { status: 200, headers: {}, body: taken[protocol] };
  const headers: Record<string, string> = {};
  if ("seconds" in outcome) {
    headers["retry-after"] = String(outcome.seconds);
    if (outcome.kind === "request.too_many")
      headers["x-ratelimit-reset"] = String(Math.ceil(nowMs / 1000) + outcome.seconds);
  }
  const status = own[protocol]?.[outcome.kind] ?? statuses[outcome.kind];
  return { status, headers, body: bodyOf(protocol, outcome) };
}
