// A session's cookie, and whether a request that carries one was made by our own pages.
import type { Settings } from "#kernel/endpoint.ts";

type Purpose = "session" | "setup";
type Where = Pick<Settings, "publicUrl" | "secureCookies">;
/** `__Host-` makes the browser refuse the cookie without Secure, with another path or for a whole domain. */
const nameOf = (purpose: Purpose, { secureCookies }: Where): string => {
  const plain = purpose === "session" ? "liuke" : "liuke-setup";
  if (secureCookies) return `__Host-${plain}`;
  return purpose === "session" ? "liuke_session" : "liuke_setup";
};

/** The value to set. An age of 0 takes the cookie away. */
export const cookie = (purpose: Purpose, value: string, maxAgeMs: number, where: Where): string =>
  [
    `${nameOf(purpose, where)}=${value}`,
    "Path=/",
    `Max-Age=${Math.floor(maxAgeMs / 1000)}`,
    "HttpOnly",
    "SameSite=Strict",
    ...(where.secureCookies ? ["Secure"] : []),
  ].join("; ");

export function cookieOf(request: Request, purpose: Purpose, where: Where): string | null {
  const name = nameOf(purpose, where);
  for (const part of (request.headers.get("cookie") ?? "").split(";")) {
    const at = part.indexOf("=");
    if (at > 0 && part.slice(0, at).trim() === name) return part.slice(at + 1).trim();
  }
  return null;
}

/**
 * Was a request that changes something made by a page of ours? A browser names the page's origin on every such
 * request. Host names were checked by the server, so the host that was asked is one of ours; its port counts, because
 * to SameSite two programs on one machine are the same site.
 */
export function fromOwnPage(request: Request, where: Where): boolean {
  const site = request.headers.get("sec-fetch-site");
  if (site !== null && site !== "same-origin") return false;
  const origin = request.headers.get("origin");
  if (origin === null) return false;
  const scheme = where.secureCookies ? "https" : "http";
  return (
    origin === new URL(where.publicUrl).origin ||
    origin === `${scheme}://${request.headers.get("host") ?? ""}`
  );
}
/** Only a script can send this type, and only to its own origin unasked: a form cannot. */
export const isJson = (request: Request): boolean =>
  /^application\/json\s*(;|$)/i.test(request.headers.get("content-type") ?? "");

/** May the cookie on this request count? A read must not come from another site, a change must be our page's own. */
export function mayUseCookie(request: Request, where: Where): boolean {
  if (request.method === "GET" || request.method === "HEAD") {
    const site = request.headers.get("sec-fetch-site");
    return site === null || site === "same-origin" || site === "none";
  }
  // No form can send DELETE, so one without a body needs no type.
  const bare = request.method === "DELETE" && !request.headers.has("content-type");
  // Nor can one send PUT: a file goes up so, as bytes.
  const bytes =
    request.method === "PUT" && request.headers.get("content-type") === "application/octet-stream";
  return fromOwnPage(request, where) && (bare || bytes || isJson(request));
}
