// Who is who in a real Chromium: two members are merged by hand after a look at what would happen, the merge is undone,
// and the rules are changed; each page is fit for everybody in both languages.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ownerLink } from "#access/service.ts";
import { pumps } from "../src/app.ts";
import { ensureBuilt, pages } from "../src/console.ts";
import * as messages from "../src/messages/service.ts";
import * as people from "../src/people/service.ts";
import { launch, noBrowser, watched } from "./browser.ts";
import { keyFor, sourceOf, stage, type Stage } from "./clients/harness.ts";
import { settled } from "./settled.ts";

const shots = process.env["LIUKE_SHOTS"];
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

async function told(at: Stage, key: string) {
  const hour = 3_600_000;
  const events = [
    { user: "u-17", traits: { email: "li@example.com", city: "Wuhan" } },
    { user: "u-17", anonymous: "v-1", name: "Product Viewed" },
    { user: "u-18", traits: { email: "lin@example.com", city: "Xi'an" } },
    { user: "u-18", traits: { email: "li@example.com" } }, // another's
  ].map((event, i) => ({
    ...{ key: `e-${i}`, name: "identify", at: new Date(Date.now() - (9 - i) * hour).toISOString() },
    ...event,
  }));
  const headers = { authorization: `Bearer ${key}` };
  const sent = await at.ask("POST", "/v1/events", { headers, body: { events } });
  expect(sent.body["accepted"]).toBe(events.length);
}
/** Each of them agreed to messages and was sent one this week. */
async function written({ house }: Stage, ids: readonly string[]) {
  const words = { subject: "Hello", body: "Hello." };
  const now = house.clocks.shop();
  const common = { purpose: "marketing" as const, textVersion: "v1", proof: "page" };
  await house.sql.begin(async (tx) => {
    await messages.defineTemplate(tx, now, {
      ...{ key: "hello", purpose: "marketing", zh: words, en: words },
    });
    const open = await messages.saveSettings({ tx } as never, {
      ...{ limits: { marketing: { week: 1, month: 4 }, service: { week: 1, month: 4 } } },
      ...{ quietFrom: "00:00", quietUntil: "00:00" },
    });
    expect(open.ok).toBe(true);
    for (const id of ids) {
      const person = await people.find(tx, id);
      if (!person.ok) throw new Error(person.code);
      const said = { ...common, person: person.value, channel: "inapp" as const, granted: true };
      await messages.setConsent(house, tx, [{ ...said, at: now }], now);
      const [sent] = await messages.send(house, tx, now, [
        {
          ...{ person: person.value, purpose: "marketing", templateId: "hello" },
          ...{ channels: ["inapp"], data: {}, cause: "test" },
        },
      ]);
      expect(sent).toMatchObject({ verdict: "queued" });
    }
  });
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

describe.skipIf(noBrowser)(`who is who in a browser${noBrowser ? ` (${noBrowser})` : ""}`, () => {
  let browser: Browser;
  let folder = "";
  beforeAll(async () => {
    ({ folder } = await ensureBuilt());
    browser = await launch();
  });
  afterAll(() => browser?.close());

  test("merged after a look, shown with who and why, undone, and never again by an event; rules with progress", async () => {
    await using at = await stage(pages(folder));
    const { house } = at;
    const work = pumps(house, null);
    const source = await sourceOf(at, "liuke");
    await told(at, await keyFor(at, { id: source.id, kind: "server" }));
    await settled(work);
    const personOf = async (user: string) =>
      (await people.byIdentifier(house, house.sql, "user_id", user, source.id))!.personId;
    const [first, second] = [await personOf("u-17"), await personOf("u-18")];
    expect(first).not.toBe(second);
    await written(at, [first, second]);
    const jobs = async (limit: number) => (await people.jobs(house.sql, limit)).length;
    const context = await browser.newContext({
      locale: "en-GB",
      viewport: { width: 1440, height: 1200 },
    });
    const page = await context.newPage();
    const watch = await watched(page);
    await page.goto(String(await ownerLink(house)));
    await page.getByLabel("Name").fill("Ann");
    await page.getByLabel("E-mail").fill("owner@example.com");
    await page.getByLabel("New password").fill("a long enough password");
    await page.getByRole("button", { name: "Finish" }).click();
    await page.getByRole("heading", { level: 1, name: "Today" }).waitFor();
    const home = new URL(page.url()).origin;
    const go = (path: string) => page.goto(`${home}${path}`);

    await go(`/members/${second}`);
    await page.getByText("Links that were not believed").waitFor();
    await page
      .getByText(
        "Both are members with a number of their own, and this alone does not make them one.",
      )
      .waitFor();
    // The tag that says so is called by its name, and its value by what it is of.
    await page.getByText("Contact conflict", { exact: true }).waitFor();
    expect(await page.locator("li.tag").innerText()).not.toMatch(/identifier_conflict|\bemail\b/);
    await fit(page, "member-refused-en");
    await page.getByRole("button", { name: "Merge with another…" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Value").fill("u-99");
    await dialog.getByLabel("Reason").fill("same card at the till");
    await dialog.getByRole("button", { name: "See what would happen" }).click();
    await dialog.getByText("There is no such person.").waitFor();
    await dialog.getByLabel("Value").fill("u-17");
    await dialog.getByRole("button", { name: "See what would happen" }).click();
    // The earlier number stays, whichever page one comes from.
    await dialog.getByText("The number on the right stays").waitFor();
    expect(await dialog.getByText("→").textContent()).toBe(
      "Shop’s user id u-18 → Shop’s user id u-17",
    );
    await dialog.getByText("identifiers 2 · events 2").waitFor();
    await fit(page, "merge-plan-en");
    expect(await personOf("u-18")).toBe(second);
    await dialog.getByRole("button", { name: "Merge them" }).click();
    await expect.poll(() => jobs(1)).toBe(1);
    await settled(work);
    await dialog.waitFor({ state: "detached" });
    expect(await personOf("u-18")).toBe(first);
    expect(new URL(page.url()).pathname).toBe(`/members/${first}`);
    await page.getByText("Merged by hand, by you: same card at the till").waitFor();
    // Both had this week's message: the second is not taken back, and says why it is one too many.
    const over = page.getByText("Marketing: 2 in the last 7 days where a member gets 1.", {
      exact: false,
    });
    await over.waitFor();
    await fit(page, "member-merged-en");
    await page.getByRole("button", { name: "中文" }).click();
    await page.getByText("「营销」最近 7 天已发 2 条，上限 1 条", { exact: false }).waitFor();
    await fit(page, "member-merged-zh");
    await page.getByRole("button", { name: "English" }).click();
    await over.waitFor();

    // What an operator joined is refused no more, and nobody is told of a conflict.
    expect(await page.getByText("Links that were not believed").count()).toBe(0);
    expect(await page.getByText("Contact conflict", { exact: true }).count()).toBe(0);
    await page
      .getByRole("listitem")
      .filter({ hasText: "same card at the till" })
      .getByRole("button", { name: "Undo…" })
      .click();
    const undo = page.getByRole("alertdialog");
    await undo.getByLabel("Reason").fill("mother and daughter");
    await undo.getByRole("button", { name: "See what would happen" }).click();
    await undo.getByText("Comes back: identifiers 2 · events 2").waitFor();
    await fit(page, "unmerge-plan-en");
    await undo.getByRole("button", { name: "Undo the merge" }).click();
    await expect.poll(() => jobs(2)).toBe(2);
    await settled(work);
    await undo.waitFor({ state: "detached" });
    expect(await personOf("u-18")).toBe(second);
    await page.reload();
    await page.getByText("undone by you", { exact: false }).waitFor();
    expect(await over.count()).toBe(0);
    await fit(page, "member-undone-en");

    await go("/identity");
    await page.getByRole("heading", { level: 1, name: "Identity rules" }).waitFor();
    const limits = page.locator("section", { hasText: "Identifiers a member may have" });
    await limits.getByLabel("E-mail").fill("0");
    await limits.getByRole("button", { name: "Save limits" }).click();
    await limits.getByRole("alert").or(limits.locator(".refusal")).first().waitFor();
    await limits.getByLabel("E-mail").fill("1");
    await limits.getByLabel("Anonymous id").fill("1000");
    await limits.getByRole("button", { name: "Save limits" }).click();
    await limits.getByRole("status").waitFor();
    const blocked = page.locator("section", { hasText: "Values that stand for nobody" });
    await blocked.getByLabel("Type").selectOption("email");
    await blocked.getByLabel("Value").fill("li@example.com");
    await blocked.getByLabel("Reason").fill("our own desk");
    await blocked.getByRole("button", { name: "Add" }).click();
    await blocked.getByText("our own desk").waitFor();
    await settled(work);
    expect(
      (await people.byIdentifier(house, house.sql, "email", "li@example.com"))!.personId,
    ).not.toBe(first);
    await page.reload();
    await page.getByText("Rules changed").first().waitFor();
    await fit(page, "identity-en");

    await page.getByRole("button", { name: "中文" }).click();
    await page.getByRole("heading", { level: 1, name: "身份规则" }).waitFor();
    await fit(page, "identity-zh");
    await go(`/members/${first}`);
    await page.getByText("撤销：mother and daughter", { exact: false }).waitFor();
    await fit(page, "member-zh");
    await page.getByRole("button", { name: "与另一位会员合并…" }).click();
    await page.getByRole("dialog").getByLabel("内容").fill("u-18");
    await page.getByRole("dialog").getByLabel("原因").fill("同一张会员卡");
    await page.getByRole("dialog").getByRole("button", { name: "看看会怎样" }).click();
    await page.getByRole("dialog").getByText("会并入：").waitFor();
    await fit(page, "merge-plan-zh");

    expect(await watch.refused()).toEqual([]);
    expect(watch.errors.filter((one) => !/40[0-9]|422/.test(one))).toEqual([]);
  }, 120_000);
});
