import { expect, test } from "vitest";
import { cookie, cookieOf, fromOwnPage, mayUseCookie } from "./cookies.ts";

const plain = { publicUrl: "http://localhost:8420", secureCookies: false };
const tls = { publicUrl: "https://keep.example", secureCookies: true };
const request = (method: string, headers: Record<string, string>) =>
  new Request("http://localhost:8420/v1/x", { method, headers });

test("over TLS the cookie is bound to the host; on plain loopback it is at least out of reach", () => {
  expect(cookie("session", "abc", 604_800_000, tls)).toBe(
    "__Host-liuke=abc; Path=/; Max-Age=604800; HttpOnly; SameSite=Strict; Secure",
  );
  expect(cookie("session", "abc", 604_800_000, plain)).toBe(
    "liuke_session=abc; Path=/; Max-Age=604800; HttpOnly; SameSite=Strict",
  );
  expect(cookie("setup", "", 0, plain)).toBe(
    "liuke_setup=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict",
  );
});

test("a cookie is found by its whole name, and over TLS one without the prefix does not count", () => {
  const shown = request("GET", { cookie: "xliuke_session=1; liuke_session=2 ; liuke=3" });
  expect(cookieOf(shown, "session", plain)).toBe("2");
  expect(cookieOf(shown, "session", tls)).toBe(null);
  expect(cookieOf(request("GET", {}), "session", plain)).toBe(null);
});

const host = "localhost:8420";
test.each([
  ["our page", { host, origin: "http://localhost:8420" }, true],
  [
    "our page by another of our names",
    { host: "127.0.0.1:8420", origin: "http://127.0.0.1:8420" },
    true,
  ],
  ["no origin", { host }, false],
  ["an origin that was taken away", { host, origin: "null" }, false],
  ["another site", { host, origin: "https://evil.example" }, false],
  ["another port of this machine", { host, origin: "http://localhost:3000" }, false],
  ["another scheme", { host, origin: "https://localhost:8420" }, false],
  ["a name that begins like ours", { host, origin: "http://localhost:8420.evil.example" }, false],
  [
    "our origin, but the browser says otherwise",
    { host, origin: "http://localhost:8420", "sec-fetch-site": "same-site" },
    false,
  ],
  [
    "our page, and the browser says so",
    { host, origin: "http://localhost:8420", "sec-fetch-site": "same-origin" },
    true,
  ],
])("%s", (_, headers, own) => {
  expect(fromOwnPage(request("POST", headers), plain)).toBe(own);
});

const own = { host, origin: "http://localhost:8420" };
test.each([
  ["POST", { ...own, "content-type": "application/json" }, true],
  ["POST", { ...own, "content-type": "application/json; charset=utf-8" }, true],
  ["POST", own, false],
  ["PUT", { ...own, "content-type": "application/octet-stream" }, true],
  ["PUT", { host, "content-type": "application/octet-stream" }, false],
  ["POST", { ...own, "content-type": "application/octet-stream" }, false],
  ["POST", { ...own, "content-type": "text/plain" }, false],
  ["POST", { ...own, "content-type": "application/jsonp" }, false],
  ["PUT", { ...own, "content-type": "application/x-www-form-urlencoded" }, false],
  ["DELETE", own, true],
  ["DELETE", { ...own, "content-type": "text/plain" }, false],
  ["DELETE", { host }, false],
  ["GET", { host }, true],
  ["GET", { host, "sec-fetch-site": "same-origin" }, true],
  ["GET", { host, "sec-fetch-site": "cross-site" }, false],
  ["GET", { host, "sec-fetch-site": "same-site" }, false],
])("%s with %j may use its cookie: %s", (method, headers, may) => {
  expect(mayUseCookie(request(method, headers), plain)).toBe(may);
});
