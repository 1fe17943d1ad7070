import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { createRequire } from "node:module";
import { serve } from "@hono/node-server";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { authenticate, ownerLink } from "#access/service.ts";
import { accept, sourceNamed } from "#collect/service.ts";
import { server } from "#kernel/http.ts";
import { relay } from "#kernel/outbox.ts";
import { newMetrics } from "#kernel/metrics.ts";
import { shopClock } from "#kernel/shop-clock.ts";
import { failures } from "#lang/failures.ts";
import { sizes } from "../console/size.ts";
import { allRoutes, consumers, pumps, reactions } from "../src/app.ts";
import { consume } from "../src/collect/jobs.ts";
import * as collect from "../src/collect/service.ts";
import * as companies from "../src/companies/service.ts";
import * as people from "../src/people/service.ts";
import { ensureBuilt, pages } from "../src/console.ts";
import { bundled, turn } from "../src/demo.ts";
import { launch, noBrowser, watched } from "./browser.ts";
import { world, type World } from "./database.ts";

let folder = "";
beforeAll(async () => {
  ({ folder } = await ensureBuilt());
});

/** A company whose buyer is this person, as a shop's server tells of it. */
async function buyers({ house, sql }: World, person: string): Promise<string> {
  const source = await collect.sourceNamed(house, sql, "shop-erp", "server", true);
  const sender = { type: "user_id" as const, value: "buyer-1" };
  const at = house.clocks.shop();
  const [key] = await sql<{ bucket: number; personId: string }[]>`
    select bucket, person_id from people_person where person_id = ${person}`;
  await sql.begin((tx) =>
    people.addIdentifiers(house, tx, [
      { person: key!, sourceId: source.id, identifier: sender, at },
    ]),
  );
  const traits = { name: "Oak & Sons", industry: "Gifts", employees: 40, plan: "gold" };
  const event = { key: "oak", name: "group", at: new Date("2011-01-01"), sender };
  await collect.receive(house, source, {
    events: [{ ...event, data: { groupId: "oak", role: "buyer", traits } }],
    unfit: [],
  });
  while ((await consume(house, consumers)) > 0);
  return companies.companyId(source.id, "oak");
}
/** The form that a new one begins as, in short. */
const firstForm = {
  title: { zh: "加入会员", en: "Join us" },
  intro: { zh: "都是选填。", en: "Everything is optional." },
  thanks: { zh: "谢谢！", en: "Thank you!" },
  perStep: 2,
  fields: [
    { name: "email", type: "email", label: { zh: "邮箱", en: "E-mail" } },
    {
      name: "skin",
      type: "choice",
      label: { zh: "肤质", en: "Skin" },
      options: [{ value: "dry", label: { zh: "干性", en: "Dry" } }],
    },
    { name: "city", type: "city", label: { zh: "城市", en: "City" } },
  ],
  consents: [
    {
      purpose: "marketing",
      channel: "email",
      text: { zh: "给我发优惠邮件。", en: "Mail me offers." },
    },
  ],
};

describe("the console's files", () => {
  const get = async (path: string, headers: Record<string, string> = {}) =>
    pages(folder)(new Request(`http://localhost${path}`, { headers }));

  test("an address of a page answers with the page; one of the server's own does not", async () => {
    for (const path of ["/", "/members", "/members/1f", "/setup", "/retention?engine=sql"]) {
      const page = (await get(path))!;
      expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
      expect(page.headers.get("cache-control")).toBe("no-cache");
      expect(await page.text()).toContain('<div id="root">');
    }
    for (const path of ["/v1/nothing", "/u/x", "/help/x", "/openapi.json", "/assets/none.js"])
      expect(await get(path)).toBeNull();
  });

  test("a file with a hash in its name is kept for good, compressed as asked, and told apart by ETag", async () => {
    const name = readdirSync(join(folder, "assets")).find((file) => file.endsWith(".js"))!;
    const plain = (await get(`/assets/${name}`))!;
    expect(plain.headers.get("cache-control")).toContain("immutable");
    expect(plain.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
    const etag = plain.headers.get("etag")!;
    expect((await get(`/assets/${name}`, { "if-none-match": etag }))!.status).toBe(304);
    const index = (await get("/", { "accept-encoding": "gzip" }))!;
    expect(index.headers.get("content-encoding")).toBe("gzip");
    const unzipped = gunzipSync(Buffer.from(await index.arrayBuffer())).toString();
    expect(unzipped).toBe(await (await get("/"))!.text());
    expect(
      (await get("/", { "accept-encoding": "gzip, br" }))!.headers.get("content-encoding"),
    ).toBe("br");
    expect(
      (await get("/", { "accept-encoding": "br;q=0, gzip;q=0" }))!.headers.get("content-encoding"),
    ).toBeNull();
  });

  test("no address leads out of the folder, nor to what the build keeps for itself", async () => {
    for (const path of [
      "/../package.json",
      "/..%2fpackage.json",
      "/assets/..%2f..%2f..%2fpackage.json",
      "/.digest",
      "/.vite/manifest.json",
    ]) {
      const answer = await get(path);
      expect(answer === null || (await answer.text()).includes('<div id="root">')).toBe(true);
    }
  });

  test("is built again only when its sources changed", async () => {
    expect(await ensureBuilt()).toEqual({ folder, built: false });
  });

  test("the index page holds no script and no style of its own: the policy would refuse them", () => {
    const html = readFileSync(join(folder, "index.html"), "utf8");
    expect(html).not.toMatch(/<style|style=|<script(?![^>]* src=)/);
  });

  test("stays within its budgets: 170 kB of script and 15 of style at first, 60 a route", () => {
    const over = sizes(folder).filter(({ kB, most }) => kB > most);
    expect(over).toEqual([]);
    expect(sizes(folder)[0]!.kB).toBeGreaterThan(50); // it measures something
  });

  test("schemas stay on the server", () => {
    const script = readdirSync(join(folder, "assets"))
      .filter((file) => file.endsWith(".js"))
      .map((file) => readFileSync(join(folder, "assets", file), "utf8"))
      .join("");
    expect(script).toContain("/v1/members/:person");
    expect(script).not.toContain("ZodError");
  });
});

/** Every 29th customer of the bundled shop: small enough for a test, and the loop turns on it all the same. */
function slice(): { path: string; forget: () => void } {
  const whole = gunzipSync(readFileSync("data/online-retail.csv.gz")).toString();
  const [header, ...lines] = whole.split("\n");
  const kept = lines.filter((line) => {
    const customer = /,(\d{5}),[^,]*$/.exec(line)?.[1];
    return customer !== undefined && Number(customer) % 29 === 0;
  });
  const at = mkdtempSync(join(tmpdir(), "liuke-slice-"));
  const path = join(at, "slice.csv.gz");
  writeFileSync(path, gzipSync([header, ...kept, ""].join("\n")));
  return { path, forget: () => rmSync(at, { recursive: true }) };
}

/** A warehouse that tells of one product day by day; says which source that is. */
async function stocked({ house, sql }: World): Promise<string> {
  const source = await sourceNamed(house, sql, "warehouse", "server", true);
  const told: [day: number, data: Record<string, unknown>][] = [
    [1, { name: "Silk scarf", category: "Accessories", brand: "Lu", price: "40", stock: 12 }],
    [2, { price: "32.50", stock: 0 }],
    [3, { price: "32.50", stock: 30 }],
    [4, { price: "36", colour: "red", stock: 30 }],
  ];
  const events = told.map(([day, data]) => ({
    key: String(day),
    name: "Product Updated",
    at: new Date(Date.UTC(2011, 1, day, 9)),
    data: { sku: "SCARF", ...data },
  }));
  const odd = {
    key: "9",
    name: "Product Viewed",
    at: new Date(Date.UTC(2011, 1, 5)),
    data: { sku: "SCARF", price: "cheap" },
  };
  await sql.begin((tx) => accept(house, tx, source, [...events, odd]));
  return source.id;
}

const owner = { email: "owner@example.com", password: randomBytes(12).toString("hex") };
/** Where pictures of some pages go, for somebody to look at. */
const shots = process.env["LIUKE_SHOTS"];
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
type Found = { id: string; impact: string | null; nodes: { html: string }[] };

describe.skipIf(noBrowser)(`the console in a browser${noBrowser ? ` (${noBrowser})` : ""}`, () => {
  let shop: World;
  let browser: Browser;
  let base = "";
  let stop = () => Promise.resolve();
  let signedIn: Awaited<ReturnType<BrowserContext["storageState"]>>;
  let person = "";
  let event = "";
  let segment = "";
  let source = "";
  let hook = "";
  let warehouse = "";
  let company = "";
  let firms = "";
  let list = "";
  let form = "";
  let tell = () => Promise.resolve();

  type More = Parameters<Browser["newContext"]>[0];
  const visit = (more: More = {}) =>
    browser.newContext({
      viewport: { width: 1440, height: 900 },
      locale: "zh-CN",
      storageState: signedIn,
      ...more,
    });
  const opened = async (context: BrowserContext, path: string) => {
    const page = await context.newPage();
    const watch = await watched(page);
    await page.goto(base + path);
    return { page, watch, [Symbol.asyncDispose]: () => page.close() };
  };
  const open = async (path: string, more: More = {}) => {
    const context = await visit(more);
    return {
      ...(await opened(context, path)),
      [Symbol.asyncDispose]: () => context.close(),
    };
  };
  /** Everything that a page waits for is there: its heading, its figures, its chart. */
  const settled = async (page: Page) => {
    await page.getByRole("heading", { level: 1 }).waitFor();
    // Not by waitForFunction: it compiles its text in the page, and our policy refuses that.
    await expect
      .poll(() => page.locator(".wait, .chart:empty, .chart-place:empty").count(), {
        timeout: 20_000,
      })
      .toBe(0);
  };
  const ask = async (path: string) => {
    const cookie = signedIn.cookies.map(({ name, value }) => `${name}=${value}`).join("; ");
    const response = await fetch(base + path, { headers: { cookie } });
    return (await response.json()) as Record<string, unknown>;
  };

  const post = async (path: string, body: object = {}) => {
    const cookie = signedIn.cookies.map(({ name, value }) => `${name}=${value}`).join("; ");
    const headers = { cookie, origin: base, "content-type": "application/json" };
    const response = await fetch(base + path, {
      method: "POST",
      headers: { ...headers, "idempotency-key": crypto.randomUUID() },
      body: JSON.stringify(body),
    });
    return (await response.json()) as Record<string, unknown>;
  };

  beforeAll(async () => {
    shop = await world({
      timeZone: "Europe/London",
      settings: { currency: "GBP", feedAllow: ["127.0.0.1"] },
    });
    const { house } = shop;
    const clock = await shopClock(shop.sql);
    house.clocks.shop = clock.now;
    const work = pumps(house, null);
    const small = slice();
    const demo = { ...bundled(`${process.cwd()}/`), path: small.path };
    const { signal } = new AbortController();
    await turn({ house, pumps: work, clock, demo, tell: () => {}, signal });
    small.forget();
    warehouse = await stocked(shop);
    while ((await work.consume()) + (await work.plan()) > 0);
    while ((await work.ship()) > 0);
    await work.deliver();
    tell = async () => {
      await work.tell();
      await work.told();
    };
    const http = server({
      house,
      authenticate: authenticate(house),
      routes: allRoutes,
      failures,
      hosts: new Set(["localhost"]),
      proxies: new Set(),
      metrics: newMetrics(),
      metricsKey: null,
      ready: () => Promise.resolve(true),
      pages: pages(folder),
      version: "0",
    });
    const listening = serve({ fetch: http.fetch, hostname: "127.0.0.1", port: 0 });
    if (!listening.listening) await once(listening, "listening");
    base = `http://localhost:${(listening.address() as AddressInfo).port}`;
    house.settings.publicUrl = base;
    stop = () =>
      new Promise((done) => {
        listening.close(() => done());
        if ("closeAllConnections" in listening) listening.closeAllConnections();
      });
    browser = await launch();
  }, 300_000);
  afterAll(async () => {
    await browser?.close();
    await stop();
    await shop?.[Symbol.asyncDispose]();
  });

  test("the first owner comes by the terminal's link: its secret leaves the address at once", async () => {
    const link = await ownerLink(shop.house);
    const context = await browser.newContext({ locale: "en-GB" });
    const page = await context.newPage();
    const watch = await watched(page);
    await page.goto(String(link));
    await expect.poll(() => new URL(page.url()).hash, { timeout: 10_000 }).toBe("");
    await page.getByLabel("Name").fill("Ann");
    await page.getByLabel("E-mail").fill(owner.email);
    await page.getByLabel("New password").fill(owner.password);
    await page.getByRole("button", { name: "Finish" }).click();
    await page.getByRole("heading", { level: 1, name: "Today" }).waitFor();
    expect(await watch.refused()).toEqual([]);
    // The session only: what the browser keeps besides (the language) is each test's own.
    signedIn = { cookies: (await context.storageState()).cookies, origins: [] };
    await context.close();

    const reached = await ask("/v1/programmes/win-back/people?arm=treated&limit=1");
    person = (reached["people"] as { personId: string }[])[0]!.personId;
    const walk = await ask(`/v1/members/${person}/trace`);
    event = (walk["steps"] as { id: string; kind: string }[]).find(
      ({ kind }) => kind === "event",
    )!.id;
    segment = ((await ask("/v1/segments"))["segments"] as { id: string }[])[0]!.id;
    list = String((await post(`/v1/segments/${segment}/snapshots`, { name: "Before" }))["id"]);
    source = ((await ask("/v1/sources"))["sources"] as { id: string }[])[0]!.id;
    // A webhook at which nobody listens, and what became of two messages to it.
    const asked = { name: "ERP", url: "http://127.0.0.1:9/", types: ["orders.recorded"] };
    company = await buyers(shop, person);
    const gifts = { kind: "text", attribute: "industry", in: ["Gifts"] };
    const named = { zh: "礼品公司", en: "Gift companies" };
    const ofFirms = { name: named, level: "company", rule: gifts, purpose: "analysis" };
    firms = String((await post("/v1/segments", ofFirms))["id"]);
    while ((await relay(shop.house, reactions)) > 0);
    const definition = { definition: firstForm, slug: "welcome" };
    form = String((await post("/v1/forms", definition))["id"]);
    await shop.sql`update collect_source set demo = true where name = 'form-welcome'`;
    await post(`/v1/forms/${form}/state`, { state: "live" });
    hook = String((await post("/v1/webhooks", asked))["id"]);
    for (let n = 0; n < 2; n++) await post(`/v1/webhooks/${hook}/test`);
    await tell();
  });

  test("signs in by keyboard alone, goes where one wanted to go, and refuses a wrong password in words", async () => {
    await using shown = await open("/rfm", { storageState: { cookies: [], origins: [] } });
    const { page } = shown;
    await page.getByRole("heading", { level: 1, name: "登录" }).waitFor();
    const focusOn = async (label: string) => {
      const focused = page.getByLabel(label, { exact: true }).and(page.locator(":focus"));
      for (let tabs = 0; tabs < 12; tabs++) {
        if ((await focused.count()) === 1) return;
        await page.keyboard.press("Tab");
      }
      throw new Error(`${label} cannot be reached by Tab`);
    };
    await focusOn("邮箱");
    await page.keyboard.type(owner.email);
    await focusOn("密码");
    await page.keyboard.type("not the password at all");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").filter({ hasText: /\S/ }).waitFor();
    await page.keyboard.press("Shift+Tab");
    await focusOn("密码");
    await page.keyboard.press("Control+A");
    await page.keyboard.type(owner.password);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "RFM" }).waitFor();
    expect(new URL(page.url()).pathname).toBe("/rfm");
  });

  test("walks Members → Member → Trace, and changes the language on the way", async () => {
    await using shown = await open("/members?stage=dormant");
    const { page, watch } = shown;
    await settled(page);
    const title = page.getByRole("heading", { level: 1 });
    expect(await title.textContent()).toBe("会员");
    expect(await page.locator("tbody tr").count()).toBeGreaterThan(3);
    expect(new Set(await page.locator("tbody .stage").allTextContents())).toEqual(
      new Set(["沉睡"]),
    );

    await page.goto(`${base}/programmes/win-back/people?arm=treated`);
    await page.locator("tbody a").first().click();
    await page.getByRole("heading", { level: 1, name: /^会员 / }).waitFor();
    await settled(page);
    expect(await title.and(page.locator(":focus")).count()).toBe(1);
    for (const part of ["标签", "画像", "时间线", "推荐的商品", "消息", "优惠券", "同意记录"])
      expect(await page.getByRole("heading", { level: 2, name: part, exact: true }).count()).toBe(
        1,
      );

    await page.getByRole("button", { name: "English" }).click();
    await page.getByRole("heading", { level: 1, name: /^Member / }).waitFor();
    expect(await page.locator("html").getAttribute("lang")).toBe("en");
    expect(await page.title()).toMatch(/^Member \S+ · Liuke$/);

    await page.getByRole("link", { name: "Trace the latest act" }).click();
    await page
      .getByRole("heading", { level: 1, name: "The latest act, from cause to decision" })
      .waitFor();
    await settled(page);
    const kinds = await page.locator(".step strong").allTextContents();
    for (const kind of ["Event", "Tag changed", "Coupon", "Message", "Result", "Decision"])
      expect(kinds).toContain(kind);
    // Linked by id: every step but the first names one that is on the page.
    const links = await page.locator(".step-ids a").count();
    expect(links).toBeGreaterThanOrEqual(kinds.length - 2);
    expect(await page.reload().then(() => page.locator("html").getAttribute("lang"))).toBe("en");
    expect([watch.errors, await watch.refused()]).toEqual([[], []]);
  });

  test("⌘K finds a page and goes there, and gives the focus back", async () => {
    await using shown = await open("/");
    const { page } = shown;
    await settled(page);
    await page.keyboard.press("Control+K");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.type("留存");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "留存" }).waitFor();
    expect(await page.getByRole("dialog").count()).toBe(0);

    const find = page.getByRole("button", { name: /搜索或跳转/ });
    await find.focus();
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.type("x");
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await expect.poll(() => find.and(page.locator(":focus")).count()).toBe(1);
  });

  test("the retention page says the same from either engine, and a number opens as many people", async () => {
    await using shown = await open("/retention");
    const { page } = shown;
    await settled(page);
    const columns = await page.locator(".cohorts tbody").textContent();
    await page.getByLabel("数据来自").selectOption("sql");
    await page.locator(".cohorts[data-engine=sql]").waitFor();
    expect(await page.locator(".cohorts tbody").textContent()).toBe(columns);
    const cell = page.locator(".cohorts tbody tr").first().locator("td a").first();
    const people = await cell.textContent();
    await cell.click();
    await expect
      .poll(() => page.locator(".count").textContent(), { timeout: 20_000 })
      .toContain(`共 ${people}`);
  });

  test("a condition of every kind is built, says who fits while one types, and stands there again after saving", async () => {
    await using shown = await open("/segments/edit?lang=zh", { timezoneId: "Asia/Tokyo" });
    const { page, watch } = shown;
    await settled(page);
    const preview = page.locator("section, div").filter({ hasText: "此刻符合的" }).last();
    const fits = async () => {
      await page.locator("[aria-live] .num.big").waitFor();
      expect(await page.locator("[aria-live] .refusal").count()).toBe(0);
      return (await page.locator("[aria-live] > p").first().textContent())!;
    };
    await preview.waitFor();
    const kind = page.getByLabel("条件", { exact: true });
    // The group, and in it the condition that is chosen anew each time.
    const chosen = async (value: string) => {
      const asked = page.waitForResponse((answer) => answer.url().endsWith("/segments/preview"));
      await kind.nth(1).selectOption(value);
      return asked;
    };
    const said: Record<string, string> = {};
    const offered = await kind
      .nth(1)
      .locator("option")
      .evaluateAll((all) => all.map((one) => one.getAttribute("value")!));
    expect(offered).toEqual(
      expect.arrayContaining([
        "sequence",
        "absent",
        "first",
        "instant",
        "company",
        "sample",
        "segment",
        "union",
        "intersect",
      ]),
    );
    expect(offered).not.toContain("staff");
    for (const value of offered.filter((one) => one !== "events" && one !== "identifier")) {
      expect((await chosen(value)).status(), value).toBe(200);
      await page.locator('[aria-live][aria-busy="false"]').waitFor();
      said[value] = await fits();
    }
    expect(said["company"]).toBe("所属公司至少有一家的人。");
    expect(said["first"]).toMatch(/^首次“.+”是在最近 30 天内的人。$/);
    // Of an address the value is typed, and kept as a fingerprint.
    await kind.nth(1).selectOption("identifier");
    await page.getByText("条件还没填完").waitFor();
    await page.getByLabel("凭什么找").selectOption("openid");
    await page.getByLabel("值（用逗号隔开）").fill("oAbC");
    await page.getByText("条件还没填完").waitFor();
    await page.getByLabel("哪个来源的编号").selectOption({ index: 1 });
    await expect.poll(fits).toBe("OpenID 是指定的那一个的人。");
    // A person through their company: the role, and what is asked of the company.
    await page.getByRole("button", { name: "再加一个条件" }).click();
    await kind.nth(2).selectOption("company");
    await page.getByRole("checkbox", { name: "采购" }).check();
    await kind.nth(3).selectOption("text");
    await page.getByLabel("公司属性").fill("industry");
    await page.getByLabel("值（用逗号隔开）").last().fill("Gifts");
    await expect.poll(fits).toContain("担任“采购”的公司行业为“Gifts”");
    // What somebody did is narrowed by a property, between two days of the shop's calendar.
    await page.getByRole("button", { name: "再加一个条件" }).last().click();
    const last = page.locator("fieldset.condition fieldset.condition").last();
    await last.getByLabel("时间范围").selectOption("between");
    await last.getByLabel("从", { exact: true }).fill("2011-06-01");
    await last.getByLabel("到（不含当天）").fill("2011-07-01");
    await last.getByRole("button", { name: "限定属性" }).click();
    await expect.poll(fits).toContain("2011-06-01 至 2011-07-01 之间");
    // An event is found by its Chinese name, and by its own.
    const event = last.getByLabel("事件", { exact: true });
    await event.fill("加入购物车");
    await expect.poll(fits).toContain("“加入购物车”");
    await event.fill("Product Viewed");
    await expect.poll(fits).toContain("“浏览商品”");
    await event.blur();
    expect(await event.inputValue()).toBe("浏览商品");
    await page.getByLabel("中文名称").fill("样样都有");
    await page.getByLabel("英文名称").fill("One of each");
    await page.getByRole("button", { name: "保存人群" }).click();
    await page.getByRole("heading", { level: 1, name: "样样都有" }).waitFor();
    await page.getByRole("link", { name: "改规则" }).click();
    await page.getByText("已存 1 个").waitFor();
    expect(await page.getByLabel("从", { exact: true }).inputValue()).toBe("2011-06-01");
    expect(await page.getByRole("checkbox", { name: "采购" }).isChecked()).toBe(true);
    await expect.poll(fits).toContain("担任“采购”的公司行业为“Gifts”");
    expect(await watch.refused()).toEqual([]);
  });

  test("a segment of companies is built of what their people do, and a list of it kept and compared", async () => {
    await using shown = await open("/segments/edit?lang=en");
    const { page, watch } = shown;
    await settled(page);
    await page.getByLabel("A segment of").selectOption("company");
    const kind = page.getByLabel("Condition", { exact: true });
    await kind.nth(1).selectOption("staff");
    await page.getByLabel("How many members").selectOption("every");
    await kind.nth(2).selectOption("everybody");
    await page.getByText("1 of 1", { exact: true }).waitFor();
    await page.getByText("Companies with at least one member.").waitFor();
    await page.getByRole("link", { name: "Oak & Sons" }).waitFor();
    await page.getByLabel("Chinese name").fill("公司");
    await page.getByLabel("English name").fill("Firms");
    await page.getByRole("button", { name: "Save segment" }).click();
    await page.getByRole("heading", { level: 1, name: "Firms" }).waitFor();
    while ((await relay(shop.house, reactions)) > 0);
    await page.reload();
    await page.getByText("1 company now").waitFor();
    await page.getByLabel("Name of the list").fill("Spring");
    await page.getByRole("button", { name: "Keep the list as it is now" }).click();
    await page.getByRole("link", { name: "Spring" }).click();
    const kept = page.getByRole("region", { name: "Companies on the list" });
    await kept.getByRole("link", { name: "Oak & Sons" }).waitFor();
    await page.getByRole("link", { name: "Compare with now" }).click();
    await page.getByRole("row", { name: /^Both 1/ }).waitFor();
    expect(await page.getByLabel("Segment A").locator("option:checked").textContent()).toBe(
      "List: Spring",
    );
    expect(await watch.refused()).toEqual([]);
  });

  test("a segment that another asks for is not deleted and says by whom; without it, it goes after a second word", async () => {
    const named = (zh: string, en: string) => ({ name: { zh, en }, purpose: "analysis" });
    const rule = { kind: "known", attribute: "orders" };
    const id = String((await post("/v1/segments", { ...named("买过", "Buyers"), rule }))["id"]);
    const asks = { kind: "not", of: { kind: "segment", segment: id } };
    await post("/v1/segments", { ...named("没买过", "Lookers"), rule: asks });
    while ((await relay(shop.house, reactions)) > 0);
    await using shown = await open(`/segments/${id}?lang=zh`);
    const { page, watch } = shown;
    const gone = async () => {
      await page.getByRole("button", { name: "删除人群" }).click();
      await page.getByText("定格名单一并删除").waitFor();
      await page.getByRole("button", { name: "确定删除，不能恢复" }).click();
    };
    await gone();
    await page.getByText("还在使用这个人群，不能删除：人群“没买过”。").waitFor();
    await page.getByRole("link", { name: "没买过" }).click();
    await page.getByRole("heading", { level: 1, name: "没买过" }).waitFor();
    await gone();
    await page.getByRole("heading", { level: 1, name: "人群", exact: true }).waitFor();
    await page.getByRole("link", { name: "买过", exact: true }).click();
    await page.getByRole("heading", { level: 1, name: "买过" }).waitFor();
    await page.getByRole("button", { name: "English" }).click();
    await page.getByRole("button", { name: "Delete segment" }).click();
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("button", { name: "Delete segment" }).click();
    await page.getByRole("button", { name: "Delete for good" }).click();
    await page.getByRole("heading", { level: 1, name: "Segments" }).waitFor();
    await settled(page);
    expect(await page.getByRole("link", { name: "Buyers" }).count()).toBe(0);
    while ((await relay(shop.house, reactions)) > 0);
    expect(await watch.refused()).toEqual([]);
  });

  const everyPage = () => [
    "/",
    "/today/people?figure=week",
    "/members",
    `/members/${person}`,
    `/members/${person}/trace`,
    "/lifecycle",
    "/lifecycle/moves",
    "/rfm?cell=4-4",
    "/segments",
    `/segments/${segment}`,
    "/segments/edit",
    `/segments/edit?segment=${segment}`,
    "/segments/compare",
    `/segments/${segment}/changes`,
    `/segments/${segment}/lists/${list}`,
    `/segments/${firms}`,
    "/traits",
    "/traits/edit",
    "/tags",
    "/tags/edit",
    "/attributes",
    "/tags/of/lifecycle",
    "/companies",
    `/companies/${company}`,
    "/forms",
    `/forms/${form}`,
    "/programmes",
    "/programmes/win-back",
    "/programmes/win-back/people?arm=treated",
    "/outbox",
    "/retention",
    "/retention/people?cohort=2010-12&month=2011-03",
    "/results",
    `/trace?event=${event}`,
    "/sources",
    `/sources/${source}`,
    "/tracking-plan",
    `/tracking-plan/event?source=${warehouse}&name=Product%20Updated`,
    "/products?query=scarf",
    `/products/history?source=${warehouse}&sku=SCARF`,
    "/webhooks",
    `/webhooks/${hook}`,
    "/operators",
    "/keys",
    "/account",
    "/nowhere",
  ];
  const doors = ["/sign-in", "/setup", "/invitation#x", "/reset#x"];

  test.for(["zh", "en"] as const)(
    "every page in %s: nothing serious from axe, nothing refused, nothing that moves while it loads",
    { timeout: 240_000 },
    async (language) => {
      const wrong: Record<string, unknown> = {};
      const look: More = {
        colorScheme: language === "zh" ? "light" : "dark",
        reducedMotion: "reduce",
      };
      await using inside = await visit(look);
      await using before = await visit({ ...look, storageState: { cookies: [], origins: [] } });
      for (const path of [...everyPage(), ...doors]) {
        const outside = doors.includes(path);
        const [address, hash] = path.split("#");
        const asked = `${address}${path.includes("?") ? "&" : "?"}lang=${language}`;
        const from = outside ? before : inside;
        await using shown = await opened(from, hash ? `${asked}#${hash}` : asked);
        const { page, watch } = shown;
        await settled(page);
        await page.evaluate(axe);
        const { violations } = await page.evaluate<{ violations: Found[] }>("axe.run()");
        const serious = violations.filter(
          ({ impact }) => impact === "serious" || impact === "critical",
        );
        const shifts = (await watch.shifts()).filter(({ value }) => value > 0.001);
        const errors = outside ? [] : watch.errors;
        const refused = await watch.refused();
        if (serious.length + shifts.length + refused.length + errors.length > 0)
          wrong[path] = {
            axe: serious.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`),
            shifts,
            refused,
            errors,
          };
        if (!outside && path !== "/nowhere") {
          expect(await page.locator(".demo").count(), path).toBe(1);
          expect(await page.locator(".fresh").textContent(), path).toContain("Europe/London");
        }
      }
      expect(wrong).toEqual({});
    },
  );

  test("fits a telephone: no page is wider than its screen", { timeout: 240_000 }, async () => {
    const wide: string[] = [];
    await using telephone = await visit({ viewport: { width: 390, height: 844 } });
    for (const path of everyPage()) {
      await using shown = await opened(telephone, path);
      await settled(shown.page);
      const beyond = await shown.page.evaluate<number>(
        "document.documentElement.scrollWidth - innerWidth",
      );
      if (beyond > 0) wide.push(`${path}: ${beyond} px`);
      // What waited for what stands above it is there once that has come.
      const unseen = await shown.page.evaluate<number>(
        `[...document.querySelectorAll("main .part")]
          .filter((part) => getComputedStyle(part).visibility === "hidden").length`,
      );
      if (unseen > 0) wide.push(`${path}: ${unseen} parts out of sight`);
    }
    expect(wide).toEqual([]);
  });

  test("a product's price and stock say how they changed, and the plan what is odd; an event is kept out and let in", async () => {
    await using shown = await open("/products?query=scarf&lang=en");
    const { page, watch } = shown;
    await settled(page);
    await page.getByRole("link", { name: "Silk scarf" }).click();
    await page.getByRole("heading", { level: 1, name: "Silk scarf" }).waitFor();
    const table = (name: string) => page.getByRole("region", { name }).locator("tbody");
    await expect
      .poll(() => table("Price changes").innerText(), { timeout: 20_000 })
      .toContain("down 18.8%");
    expect(await table("Price changes").innerText()).toContain("up 10.8%");
    expect(await table("Stock changes").innerText()).toMatch(/Back in stock[\s\S]*Sold out/);
    if (shots) await page.screenshot({ path: `${shots}/product.png` });

    await page.goto(`${base}/tracking-plan?lang=en`);
    await settled(page);
    await expect
      .poll(() => page.locator("tbody").innerText(), { timeout: 20_000 })
      .toContain("Cannot be what it says");
    if (shots) await page.screenshot({ path: `${shots}/plan-en.png`, fullPage: true });
    await page.goto(`${base}/tracking-plan?lang=zh`);
    await settled(page);
    // What is known is called as a Chinese shop does, and found by that name or by its own.
    await page.getByRole("link", { name: "更新商品资料" }).waitFor();
    const every = await page.locator("tbody tr").count();
    for (const name of ["product upd", "更新商品"]) {
      await page.getByLabel("按名称查找（中英文都行）").fill(name);
      await expect.poll(() => page.locator("tbody tr").count()).toBe(1);
    }
    expect(every).toBeGreaterThan(1);
    await page.getByLabel("按名称查找（中英文都行）").fill("");
    if (shots) await page.screenshot({ path: `${shots}/plan-zh.png`, fullPage: true });
    await page.goto(
      `${base}/tracking-plan/event?source=${warehouse}&name=Product%20Updated&lang=en`,
    );
    await settled(page);
    await page.getByRole("button", { name: "Plan it as it is now" }).click();
    await expect
      .poll(() => page.locator("tbody").first().innerText(), { timeout: 20_000 })
      .toContain("text · required");
    await page.getByRole("button", { name: "Keep this event out" }).click();
    await page.getByRole("button", { name: "Yes, keep it out" }).click();
    await page.getByRole("button", { name: "Let it in again" }).click();
    await page.getByRole("button", { name: "Keep this event out" }).waitFor();
    if (shots) await page.screenshot({ path: `${shots}/event.png`, fullPage: true });
    expect(await watch.refused()).toEqual([]);
    expect(watch.errors).toEqual([]);
  });

  test("makes a key that sends orders, with its source, and the call it shows is taken", async () => {
    await using shown = await open("/keys?lang=en");
    const { page, watch } = shown;
    await settled(page);
    await page.getByLabel("Name", { exact: true }).fill("Till");
    await page.getByLabel(/Send orders and events/).check();
    await page.getByLabel("Source", { exact: true }).selectOption("new");
    await page.getByLabel("Name of the source").fill("Shop floor");
    await page.getByRole("button", { name: "Make the key" }).click();
    const call = await page.locator(".secret pre").textContent();
    const [, key] = /Bearer (lk_[\w-]+)/.exec(call!)!;
    const [, body] = /-d '(.*)'$/.exec(call!)!;
    const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
    const response = await fetch(`${base}/v1/orders/lines`, {
      method: "POST",
      headers,
      body: body!,
    });
    expect(await response.json()).toMatchObject({ accepted: 1, refused: 0 });
    const unfit = body!.replace("9.90", "much");
    await fetch(`${base}/v1/orders/lines`, { method: "POST", headers, body: unfit });

    await page.goto(`${base}/sources`);
    const row = page.getByRole("row").filter({ hasText: "Shop floor" });
    // Its keys are counted before what it could not give.
    await row.getByRole("link", { name: "1", exact: true }).last().click();
    await page.getByRole("heading", { level: 1, name: "Not taken in" }).waitFor();
    expect(await page.getByLabel("Source", { exact: true }).inputValue()).not.toBe(""); // of that source alone
    const line = page.locator("tbody tr").filter({ hasText: "unitPrice" });
    await line.waitFor(); // the page holds the room of its list while that is asked for
    expect(await line.textContent()).not.toContain("invalid");
    expect([watch.errors, await watch.refused()]).toEqual([[], []]);
  });

  test("makes a webhook, tries it out, sends a message again and exchanges the secret", async () => {
    const got: string[] = [];
    const receiver = createServer((request, response) => {
      got.push(String(request.headers["webhook-signature"]));
      response.writeHead(got.length === 1 ? 500 : 200).end("<b>well</b>");
    }).listen(0, "127.0.0.1");
    await once(receiver, "listening");
    const { port } = receiver.address() as AddressInfo;
    await using shown = await open("/webhooks?lang=en");
    const { page, watch } = shown;
    await settled(page);
    const button = (name: string | RegExp) => page.getByRole("button", { name });
    await page.getByLabel("Name", { exact: true }).fill("Till");
    await page.getByLabel("Address").fill("http://10.0.0.1/");
    await page.getByLabel(/An order or a refund was recorded/).check();
    await button("Make the webhook").click();
    await page.getByRole("alert").filter({ hasText: "internal network" }).waitFor();
    await page.getByLabel("Address").fill(`http://127.0.0.1:${port}/hook`);
    await button("Make the webhook").click();
    expect(await page.locator(".secret code").textContent()).toMatch(/^whsec_/);

    await page.getByRole("link", { name: "Till" }).click();
    await page.getByRole("heading", { level: 1, name: "Till" }).waitFor();
    await button("Send a test").click();
    const row = page.getByRole("row").filter({ hasText: "Test message" });
    await row.waitFor();
    await tell();
    await page.reload();
    await row.filter({ hasText: "answered 500" }).waitFor();
    // What is shown of the answer is a text, whatever it holds.
    await row.getByText("Show", { exact: true }).click();
    await row.getByText("<b>well</b>").waitFor();
    await button("Turn off").click();
    await button("Turn on").click();
    await button("Send 1 failed again").click();
    await page.getByText("They are on their way again.").waitFor();
    await tell();
    await page.reload();
    await row.filter({ hasText: "Taken (answered 200)" }).waitFor();
    await button("Exchange the secret").click();
    await button(/Yes, exchange it/).click();
    expect(await page.locator(".secret code").textContent()).toMatch(/^whsec_/);
    await page.getByText("The old secret works too, until").waitFor();
    await row.getByRole("button", { name: "Send again" }).click();
    await expect.poll(async () => (await tell(), got.length), { timeout: 10_000 }).toBe(3);
    expect(got[2]!.split(" ")).toHaveLength(2);
    await button("Delete").click();
    await button(/Yes, delete it/).click();
    await page.getByRole("heading", { level: 1, name: "Webhooks" }).waitFor();
    await expect.poll(() => page.getByRole("link", { name: "Till" }).count()).toBe(0);
    const refusals = watch.errors.filter((text) => !text.includes("422"));
    expect([refusals, await watch.refused()]).toEqual([[], []]);
    receiver.close();
  });

  test("erases a member only after asking once more, and leads away", async () => {
    const { members } = (await ask("/v1/members?limit=5")) as { members: { personId: string }[] };
    const gone = members.find(({ personId }) => personId !== person)!.personId;
    await using shown = await open(`/members/${gone}?lang=en`);
    const { page } = shown;
    await settled(page);
    const button = page.getByRole("button", { name: "Erase…" });
    const dialog = page.getByRole("alertdialog");
    await button.click();
    await dialog.waitFor();
    await page.evaluate(axe);
    const { violations } = await page.evaluate<{ violations: Found[] }>("axe.run()");
    expect(
      violations.filter(({ impact }) => impact === "serious" || impact === "critical"),
    ).toEqual([]);
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    await expect.poll(() => button.and(page.locator(":focus")).count()).toBe(1);
    expect(await ask(`/v1/members/${gone}`)).toHaveProperty("attributes");

    await button.click();
    await dialog.getByRole("button", { name: "Erase for good" }).click();
    await dialog.getByRole("heading", { name: "The erasure has begun" }).waitFor();
    await dialog.getByRole("button", { name: "Back to Members" }).click();
    await page.getByRole("heading", { level: 1, name: "Members" }).waitFor();
    expect(await ask(`/v1/members/${gone}`)).toMatchObject({ code: "people.unknown" });
  });
});
