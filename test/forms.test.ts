// The hosted page and the element in a real Chromium: without scripts, on another site, with a keyboard, and by axe.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createRequire } from "node:module";
import { gzipSync } from "node:zlib";
import { serve } from "@hono/node-server";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { authenticate } from "#access/service.ts";
import { server } from "#kernel/http.ts";
import { newMetrics } from "#kernel/metrics.ts";
import { failures } from "#lang/failures.ts";
import { widgets } from "../src/console.ts";
import type { Definition } from "../src/forms/rules.ts";
import { routes } from "../src/forms/routes.ts";
import { callers, web } from "./authz.ts";
import { launch, noBrowser, watched } from "./browser.ts";
import { world, type World } from "./database.ts";

const words = (zh: string, en: string) => ({ zh, en });
const definition: Definition = {
  title: words("加入会员", "Join us"),
  intro: words("都是选填，填多少都行。", "Everything is optional. Tell us as much as you like."),
  thanks: words("收到，谢谢！", "We have it. Thank you!"),
  perStep: 3,
  doubleOptIn: true,
  fields: [
    {
      name: "name",
      type: "text",
      label: words("称呼", "Name"),
      required: false,
      sensitive: false,
      options: [],
    },
    {
      name: "email",
      type: "email",
      label: words("邮箱", "E-mail"),
      required: false,
      sensitive: false,
      options: [],
    },
    {
      name: "skin",
      type: "choice",
      label: words("肤质", "Skin"),
      required: false,
      sensitive: false,
      options: [
        { value: "dry", label: words("干性", "Dry") },
        { value: "oily", label: words("油性", "Oily") },
      ],
    },
    {
      name: "city",
      type: "city",
      label: words("城市", "City"),
      required: false,
      sensitive: false,
      options: [],
    },
  ],
  consents: [
    {
      purpose: "marketing",
      channel: "email",
      text: words(
        "给我发优惠邮件，可随时退订。",
        "E-mail me offers. I can unsubscribe at any time.",
      ),
    },
    {
      purpose: "social",
      channel: "use",
      text: words("记录我的好友和邀请关系。", "Keep who my friends are."),
    },
  ],
};
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

test("the element is at most 6 kB, compressed", () => {
  expect(gzipSync(readFileSync("widgets/form.js")).length).toBeLessThanOrEqual(6 * 1024);
});

describe.skipIf(noBrowser)("in Chromium", () => {
  let here: World;
  let browser: Browser;
  let home = "";
  let site = "";
  let stranger = "";
  const ends: (() => unknown)[] = [];
  beforeAll(async () => {
    here = await world();
    browser = await launch();
    const elements = widgets("widgets");
    const app = server({
      house: here.house,
      authenticate: authenticate(here.house),
      routes,
      failures,
      hosts: new Set(["localhost", "127.0.0.1"]),
      proxies: new Set(),
      metrics: newMetrics(),
      metricsKey: null,
      ready: async () => true,
      pages: elements,
      version: "test",
    });
    const own = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" });
    await once(own, "listening");
    home = `http://127.0.0.1:${(own.address() as AddressInfo).port}`;
    here.house.settings.publicUrl = home;
    // Another site, with a policy of its own that lets our element in and no inline style.
    const other = createServer((_, response) => {
      response.writeHead(200, {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": `default-src 'none'; script-src ${home}; connect-src ${home}; style-src 'self'`,
      });
      response.end(
        `<!doctype html><html lang="en"><title>Shop</title><main><h1>Shop</h1><liuke-form form="join"><a href="${home}/f/join">Join us</a></liuke-form><p id="below">Below</p></main><script type="module" src="${home}/widgets/form.js"></script>`,
      );
    }).listen(0, "127.0.0.1");
    await once(other, "listening");
    site = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    const evil = createServer((_, response) => {
      response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
      response.end(
        `<!doctype html><html lang="en"><liuke-form form="join"></liuke-form><script type="module" src="${home}/widgets/form.js"></script>`,
      );
    }).listen(0, "127.0.0.1");
    await once(evil, "listening");
    stranger = `http://127.0.0.1:${(evil.address() as AddressInfo).port}`;
    ends.push(
      () => evil.close(),
      () => own.close(),
      () => other.close(),
    );
    const headers = (await callers(here.house)).find(({ name }) => name === "owner")!.headers;
    const ask = web(here.house, routes);
    const made = await ask("POST", "/v1/forms", { headers, body: { slug: "join", definition } });
    const body = { state: "live", origins: [site] };
    await ask("POST", `/v1/forms/${String(made.body["id"])}/state`, { headers, body });
  }, 60_000);
  afterAll(async () => {
    for (const end of ends) await end();
    await browser?.close();
    await here?.[Symbol.asyncDispose]();
  });
  const submissions = async () => (await here.sql`select from forms_submission`).count;

  test("the hosted page works without a script, in both languages, and comes back with what was typed", async () => {
    const context = await browser.newContext({ javaScriptEnabled: false, locale: "zh-CN" });
    const page = await context.newPage();
    await page.goto(`${home}/f/join`);
    expect(await page.textContent("h1")).toBe("加入会员");
    for (const box of await page.getByRole("checkbox").all())
      expect(await box.isChecked()).toBe(false);
    await page.getByRole("link", { name: "English" }).click();
    expect(await page.getAttribute("html", "lang")).toBe("en");
    await page.getByLabel("Name").fill("<b>Ann</b>");
    await page.getByLabel("E-mail", { exact: false }).first().fill("not an address");
    await page.getByRole("button", { name: "Send" }).click();
    expect(await page.getByRole("alert").textContent()).toContain("E-mail");
    expect(await page.getByLabel("Name").inputValue()).toBe("<b>Ann</b>");
    const before = await submissions();
    await page.getByLabel("E-mail", { exact: false }).first().fill("ann@mail.example");
    await page.getByLabel("E-mail me offers", { exact: false }).check();
    await page.getByRole("button", { name: "Send" }).click();
    expect(await page.getByRole("status").textContent()).toBe("We have it. Thank you!");
    expect(await submissions()).toBe(before + 1);
    // The next step asks what is left.
    await page.getByRole("link", { name: "Tell us more" }).click();
    expect(await page.getByLabel("City").isVisible()).toBe(true);
    expect(await page.getByLabel("Name").count()).toBe(0);
    await context.close();
  });

  test("the hosted page has nothing that axe or its own policy would refuse", async () => {
    const context = await browser.newContext({
      bypassCSP: false,
      viewport: { width: 390, height: 800 },
    });
    const page = await context.newPage();
    const { errors, refused, shifts } = await watched(page);
    await page.goto(`${home}/f/join`);
    expect(errors).toEqual([]);
    expect(await refused()).toEqual([]);
    expect(await shifts()).toEqual([]);
    expect(await page.evaluate("document.documentElement.scrollWidth <= innerWidth")).toBe(true);
    const button = await page.getByRole("button").boundingBox();
    expect(button!.height).toBeGreaterThanOrEqual(44); // the style sheet was let in
    const shot = process.env["LIUKE_SHOTS"];
    if (shot) await page.screenshot({ path: `${shot}/form-hosted.png`, fullPage: true });
    await context.close();
    const open = await browser.newContext({ bypassCSP: true });
    const looked = await open.newPage();
    await looked.goto(`${home}/f/join?lang=en`);
    await looked.addScriptTag({ content: axe });
    const found = await looked.evaluate<{ violations: { id: string }[] }>("axe.run()");
    expect(found.violations.map(({ id }) => id)).toEqual([]);
    await open.close();
  });

  test("the element works on another site under that site's policy, moves nothing and takes no style of it", async () => {
    const context = await browser.newContext({ viewport: { width: 800, height: 900 } });
    const page = await context.newPage();
    const { errors, refused } = await watched(page);
    await page.goto(site);
    await page.getByLabel("Name").waitFor();
    const below = async () => (await page.locator("#below").boundingBox())!.y;
    const at = await below();
    expect(
      await page.evaluate(
        "document.querySelector('liuke-form').shadowRoot.adoptedStyleSheets.length",
      ),
    ).toBe(1);
    await page.getByLabel("Name").fill("Ben");
    await page.getByRole("textbox", { name: /E-mail/ }).fill("nobody");
    await page.keyboard.press("Enter");
    await page.getByText("This does not look right.").waitFor();
    expect(await page.getByRole("textbox", { name: /E-mail/ }).getAttribute("aria-invalid")).toBe(
      "true",
    );
    expect(await below()).toBe(at);
    await page.getByRole("textbox", { name: /E-mail/ }).fill("");
    const before = await submissions();
    const shot = process.env["LIUKE_SHOTS"];
    if (shot) await page.screenshot({ path: `${shot}/form-element.png` });
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByText("We have it. Thank you!").waitFor();
    expect(await submissions()).toBe(before + 1);
    await page.getByRole("button", { name: "Tell us more" }).click();
    await page.getByLabel("City").waitFor();
    expect(await below()).toBe(at);
    expect(errors).toEqual([]);
    expect(await refused()).toEqual([]);
    await context.close();
  });

  test("where no script runs the element is a link to the page, and two clicks there are one answer", async () => {
    const context = await browser.newContext({ javaScriptEnabled: false, locale: "en" });
    const page = await context.newPage();
    await page.goto(site);
    await page.getByRole("link", { name: "Join us" }).click();
    await page.getByLabel("Name").fill("Cat");
    const before = await submissions();
    await page.getByRole("button", { name: "Send" }).dblclick();
    await page.getByRole("status").waitFor();
    expect(await page.getByRole("status").textContent()).toBe("We have it. Thank you!");
    expect(await submissions()).toBe(before + 1);
    await context.close();
  });

  test("an answer that was lost on its way back is sent again and counts once", async () => {
    const context = await browser.newContext({ viewport: { width: 800, height: 900 } });
    const page = await context.newPage();
    await page.goto(site);
    // With the element no link is shown.
    await page.getByLabel("Name").waitFor();
    expect(await page.getByRole("link", { name: "Join us" }).isVisible()).toBe(false);
    const before = await submissions();
    let lost = 0;
    await page.route("**/answers", async (route) => {
      if (lost++ > 0) return route.continue();
      await route.fetch();
      await route.abort();
    });
    await page.getByLabel("Name").fill("Dan");
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByText("This cannot be opened just now.", { exact: false }).waitFor();
    expect(await submissions()).toBe(before + 1);
    expect(await page.getByLabel("Name").inputValue()).toBe("Dan");
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByText("We have it. Thank you!").waitFor();
    expect(await submissions()).toBe(before + 1);
    await context.close();
  });

  test("a site without leave shows no form", async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(stranger);
    await page.getByText("This cannot be opened just now.", { exact: false }).waitFor();
    expect(await page.getByRole("textbox").count()).toBe(0);
    await context.close();
  });
});
