// The page of a source in a real Chromium: how to connect it, what it is held to, and that a change is kept.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ownerLink } from "#access/service.ts";
import { ensureBuilt, pages } from "../src/console.ts";
import { launch, noBrowser, watched } from "./browser.ts";
import { sourceOf, stage } from "./clients/harness.ts";

const shots = process.env["LIUKE_SHOTS"];
describe.skipIf(noBrowser)(`sources in a browser${noBrowser ? ` (${noBrowser})` : ""}`, () => {
  let browser: Browser;
  let folder = "";
  beforeAll(async () => {
    ({ folder } = await ensureBuilt());
    browser = await launch();
  });
  afterAll(() => browser?.close());

  test("an operator sees how to connect a source, changes what it is held to, and finds it kept", async () => {
    await using at = await stage(pages(folder));
    const source = await sourceOf(at, "segment", "public");
    await fetch(`${at.url}/v1/b`, {
      method: "POST",
      body: JSON.stringify({
        writeKey: source.key,
        batch: [{ type: "track", anonymousId: "a", event: "" }],
      }),
    });
    const context = await browser.newContext({
      locale: "en-GB",
      viewport: { width: 1440, height: 1400 },
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
    await page.goto(`${home}/sources`);
    await page.getByRole("columnheader", { name: "Last problem" }).waitFor();
    if (shots) await page.screenshot({ path: `${shots}/sources.png`, fullPage: true });
    await page.goto(`${home}/sources/${source.id}`);
    await page.getByText(`cdnURL: "${home}"`).waitFor();
    await page.getByLabel("Allowed sites").fill("https://shop.example");
    await page.getByLabel("Events a second").fill("50");
    await page.getByLabel("Networks of colleagues").fill("203.0.113.0/24, 10.0.0.1");
    await page.getByRole("button", { name: "Save" }).click();
    await expect
      .poll(
        async () => {
          const path = `/v1/sources/${source.id}`;
          return (await at.ask("GET", path, { headers: source.owner })).body["settings"];
        },
        { timeout: 10_000 },
      )
      .toMatchObject({
        origins: ["https://shop.example"],
        rate: { perSecond: 50 },
        staff: { networks: ["203.0.113.0/24", "10.0.0.1"] },
      });
    if (shots) await page.screenshot({ path: `${shots}/source.png`, fullPage: true });

    // A client that sends nothing twice is named as such where it is connected.
    const sensors = await sourceOf(at, "sensors");
    await page.goto(`${home}/sources/${sensors.id}`);
    await page.getByText("sa-sdk-node sends nothing twice").waitFor();
    if (shots) await page.screenshot({ path: `${shots}/source-en.png` });
    await page.getByRole("button", { name: "中文" }).click();
    await page.getByText("sa-sdk-node 不重发").waitFor();
    if (shots) await page.screenshot({ path: `${shots}/source-zh.png` });
    expect(await watch.refused()).toEqual([]);
    await context.close();
  }, 120_000);
});
