// Traits and tags in a real Chromium: an operator declares one, sees it tried, and finds it on a member with how it was
// worked out; a tag follows from it, another is given by hand, and each page is fit for everybody in both languages.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ownerLink } from "#access/service.ts";
import { pumps } from "../src/app.ts";
import { ensureBuilt, pages } from "../src/console.ts";
import { launch, noBrowser, watched } from "./browser.ts";
import { keyFor, sourceOf, stage, type Stage } from "./clients/harness.ts";

const shots = process.env["LIUKE_SHOTS"];
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Everything that waits is done. */
async function settled(work: ReturnType<typeof pumps>) {
  for (let done = 1; done > 0;)
    done =
      (await work.consume()) + (await work.relay()) + (await work.ring()) + (await work.segment());
}
async function looked(at: Stage, key: string) {
  const hour = 3_600_000;
  const looks = [
    ...[1, 2, 3].map((i) => ["u-17", "鞋", 100 * i, i] as const),
    ["u-17", "包", 80, 5] as const,
    ["u-18", "茶", 39.9, 2] as const,
  ];
  const events = looks.map(([user, category, price, hours], i) => ({
    ...{ key: `look-${i}`, name: "Product Viewed", user },
    at: new Date(Date.now() - hours * hour).toISOString(),
    data: { sku: `S${i}`, category, price },
  }));
  const sent = await at.ask("POST", "/v1/events", {
    headers: { authorization: `Bearer ${key}` },
    body: { events },
  });
  expect(sent.body["accepted"]).toBe(events.length);
}
async function fit(page: Page, name: string) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate<{
    violations: { id: string; impact: string; nodes: { html: string }[] }[];
  }>("axe.run()");
  const serious = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
  expect(serious.map(({ id, nodes }) => `${name} ${id}: ${nodes[0]?.html}`)).toEqual([]);
  if (shots) await page.screenshot({ path: `${shots}/${name}.png`, fullPage: true });
}

describe.skipIf(noBrowser)(`traits in a browser${noBrowser ? ` (${noBrowser})` : ""}`, () => {
  let browser: Browser;
  let folder = "";
  beforeAll(async () => {
    ({ folder } = await ensureBuilt());
    browser = await launch();
  });
  afterAll(() => browser?.close());

  test("declared, tried, worked out, shown with how; a tag by rule and one by hand", async () => {
    await using at = await stage(pages(folder));
    const work = pumps(at.house, null);
    const source = await sourceOf(at, "liuke");
    await looked(at, await keyFor(at, { id: source.id, kind: "server" }));
    await settled(work);
    const context = await browser.newContext({
      locale: "en-GB",
      viewport: { width: 1440, height: 1200 },
    });
    const page = await context.newPage();
    const watch = await watched(page);
    await page.goto(String(await ownerLink(at.house)));
    await page.getByLabel("Name").fill("Ann");
    await page.getByLabel("E-mail").fill("owner@example.com");
    await page.getByLabel("New password").fill("a long enough password");
    await page.getByRole("button", { name: "Finish" }).click();
    await page.getByRole("heading", { level: 1, name: "Today" }).waitFor();
    const home = new URL(page.url()).origin;
    const go = (path: string) => page.goto(`${home}${path}`);

    await go("/traits");
    await page.getByText("There is no trait yet.").waitFor();
    await page.getByRole("link", { name: "Declare a trait" }).first().click();
    await page.getByLabel("Code").fill("viewed_30d");
    await page.getByLabel("Chinese name").fill("近 30 天浏览金额");
    await page.getByLabel("English name").fill("Viewed in 30 days");
    await page.getByLabel("Unit (optional)").fill("CNY");
    await page.getByLabel("What to work out").selectOption("sum");
    await page.getByLabel("Event", { exact: true }).fill("Product Viewed");
    await page.getByLabel("Property of the event").fill("price");
    // Tried while one types, on those who did it last.
    const preview = page.locator("section", { hasText: "Tried on the five people" });
    await preview.getByText("680").waitFor();
    await fit(page, "trait-edit-en");
    await page.getByRole("button", { name: "Save and work it out" }).click();
    await page.getByRole("heading", { level: 1, name: "Traits" }).waitFor();
    await settled(work);
    await page.getByText("Worked out for 2 people").waitFor();
    await fit(page, "traits-en");

    await go("/tags/edit");
    await page.getByLabel("Code").fill("keen");
    await page.getByLabel("Chinese name").fill("有兴趣");
    await page.getByLabel("English name").fill("Keen");
    await page.getByLabel("May members see it of themselves").selectOption("yes");
    const rule = page.locator("fieldset").first();
    await rule.getByLabel("Value", { exact: true }).first().fill("very");
    await rule.getByLabel("Attribute").fill("viewed_30d");
    await rule.getByLabel("Value", { exact: true }).last().fill("500");
    await fit(page, "tag-edit-en");
    await page.getByRole("button", { name: "Save rules" }).click();
    await page.getByRole("heading", { level: 1, name: "Tag: Keen" }).waitFor();
    await settled(work);
    await page.reload();
    await page
      .getByText("Keen: first seen as very")
      .or(page.getByText("first seen as very"))
      .first()
      .waitFor();
    await fit(page, "tag-en");

    await page.getByRole("link", { name: "u-17" }).click();
    await page.getByText("The sum of price over “Product Viewed” in the last 30 days.").waitFor();
    await page.getByRole("link", { name: "Keen" }).waitFor();
    await page.getByRole("button", { name: "Tag by hand" }).click();
    await page.getByLabel("Code").fill("vip");
    await page.getByLabel("Value (left empty, the tag is taken away)").fill("gold");
    await page.getByLabel("Why (optional; no contact details)").fill("met at the fair");
    await page.getByLabel("Ends after so many days (optional)").fill("7");
    await page.getByRole("button", { name: "Save tag" }).click();
    await page.getByText("Set by hand by a colleague: met at the fair").waitFor();
    await page.getByText("鞋", { exact: false }).first().waitFor();
    await fit(page, "member-en");
    const member = new URL(page.url()).pathname;

    // An attribute of the shop's own, and how fast an interest fades.
    await go("/attributes");
    await page.getByLabel("Code").fill("skin");
    await page.getByLabel("Chinese name").fill("肤质");
    await page.getByLabel("English name").fill("Skin type");
    await page.getByLabel(/^Options/).fill("dry | 干性 | Dry\noily | 油性 | Oily");
    await page.getByRole("button", { name: "Save attribute" }).click();
    await page.getByText("One of several: Dry, Oily").waitFor();
    await fit(page, "attributes-en");
    await go("/traits");
    await page.getByLabel("Days until it counts half").fill("30");
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await page.getByText("Something done 30 days ago counts half").waitFor();
    await settled(work);

    await go("/tags");
    await page.getByRole("link", { name: "Keen" }).waitFor();
    await fit(page, "tags-en");
    for (const [path, name, text] of [
      ["/traits", "traits-zh", "近 30 天浏览金额"],
      ["/traits/edit?trait=viewed_30d", "trait-edit-zh", "试算最近做过的五个人"],
      ["/attributes", "attributes-zh", "肤质"],
      ["/tags", "tags-zh", "有兴趣"],
      ["/tags/of/keen", "tag-zh", "首次识别"],
      [member, "member-zh", "近 30 天浏览金额"],
    ]) {
      await go(`${path}${path!.includes("?") ? "&" : "?"}lang=zh`);
      await page.getByText(text!, { exact: false }).first().waitFor();
      await fit(page, name!);
    }
    // Taken away only when asked twice.
    await go("/traits/edit?trait=viewed_30d&lang=en");
    await page.getByRole("button", { name: "Remove this trait" }).click();
    await page.getByRole("button", { name: "Yes, remove it with everybody’s figures" }).click();
    await page.getByRole("heading", { level: 1, name: "Traits" }).waitFor();
    await settled(work);
    await page.getByText("There is no trait yet.").waitFor();
    expect(await watch.refused()).toEqual([]);
    expect(watch.errors).toEqual([]);
    await context.close();
  }, 180_000);
});
