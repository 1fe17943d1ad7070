// A file from the first column to the last mended line, and what a client sent wrong, in a real Chromium.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ownerLink } from "#access/service.ts";
import { ensureBuilt, pages } from "../src/console.ts";
import { mendMany } from "../src/exchange/mend.ts";
import { reader } from "../src/exchange/upload.ts";
import { launch, noBrowser, watched } from "./browser.ts";
import { sourceOf, stage, stored, type Stage } from "./clients/harness.ts";

const shots = process.env["LIUKE_SHOTS"];
const shoot = async (page: Page, name: string) => {
  if (shots) await page.screenshot({ path: `${shots}/${name}.png`, fullPage: true });
};
async function signIn(at: Stage, browser: Browser, locale: string) {
  const context = await browser.newContext({ locale, viewport: { width: 1440, height: 1200 } });
  const page = await context.newPage();
  const watch = await watched(page);
  await page.goto(String(await ownerLink(at.house)));
  const isChinese = locale.startsWith("zh");
  await page.getByLabel(isChinese ? "姓名" : "Name").fill("Ann");
  await page.getByLabel(isChinese ? "邮箱" : "E-mail").fill("owner@example.com");
  await page.getByLabel(isChinese ? "新密码" : "New password").fill("a long enough password");
  await page.getByRole("button", { name: isChinese ? "完成" : "Finish" }).click();
  await page.getByRole("heading", { level: 1, name: isChinese ? "今天" : "Today" }).waitFor();
  return { page, watch, home: new URL(page.url()).origin, close: () => context.close() };
}
/** What the worker does beside the requests. */
function worker(at: Stage) {
  const files = reader(at.house);
  let ended = false;
  const loop = (async () => {
    while (!ended)
      if ((await files.run()) + (await mendMany(at.house)) === 0)
        await new Promise((resolve) => setTimeout(resolve, 100));
  })();
  return {
    [Symbol.asyncDispose]: async () => {
      ended = true;
      files.stop();
      await loop;
    },
  };
}

describe.skipIf(noBrowser)(`files in a browser${noBrowser ? ` (${noBrowser})` : ""}`, () => {
  let browser: Browser;
  let folder = "";
  let files = "";
  beforeAll(async () => {
    ({ folder } = await ensureBuilt());
    browser = await launch();
    files = await mkdtemp(join(tmpdir(), "liuke-files-"));
  });
  afterAll(async () => {
    await browser?.close();
    await rm(files, { recursive: true, force: true });
  });

  test("运营上传一个文件，核对列，试导入，导入，再把没收的行改好", async () => {
    await using at = await stage(pages(folder));
    await using _work = worker(at);
    const { page, watch, home, close } = await signIn(at, browser, "zh-CN");
    const path = join(files, "七月订单.csv");
    const line = (n: number, qty: string) =>
      `A${n},S${n % 7},青瓷杯,${qty},39.90,2026-01-0${1 + (n % 9)} 10:00:00,u${n},上海`;
    const lines = Array.from({ length: 60 }, (_, n) => line(n, n % 20 === 7 ? "两个" : "1"));
    await writeFile(path, `订单号,货号,品名,数量,单价,下单时间,买家,城市\n${lines.join("\n")}\n`);
    await page.goto(`${home}/imports`);
    await page.getByText("还没有导入过文件。").waitFor();
    await shoot(page, "imports-empty-zh");
    await page.getByLabel("选择文件").setInputFiles(path);
    await page.getByRole("heading", { level: 1, name: "七月订单.csv" }).waitFor();
    await page.getByLabel("数据", { exact: true }).selectOption("orders");
    await expect.poll(() => page.getByLabel("订单号（必填）").inputValue()).toBe("订单号");
    await page.getByText("看了开头 60 行，其中 3 行不能接收。").waitFor();
    await page.getByText("不是数字 数量").waitFor();
    await shoot(page, "import-map-zh");
    await page.getByRole("button", { name: "试导入整个文件" }).click();
    await page.getByText("试读 60 行，可以接收 57 行，不能接收 3 行。").waitFor();
    await shoot(page, "import-tried-zh");
    await page.getByRole("button", { name: "开始导入" }).click();
    await page.getByRole("heading", { level: 2, name: "已完成" }).waitFor();
    await shoot(page, "import-done-zh");
    await page.goto(`${home}/imports`);
    await page.getByRole("link", { name: "七月订单.csv" }).waitFor();
    await shoot(page, "imports-zh");
    await page.getByRole("link", { name: "3", exact: true }).click();
    await page.getByRole("heading", { level: 1, name: "未能接收" }).waitFor();
    await page.getByRole("link", { name: "不是数字" }).first().waitFor();
    await shoot(page, "refused-zh");
    await page.getByRole("link", { name: "不是数字" }).first().click();
    const quantity = page.getByLabel("数量", { exact: true });
    await quantity.fill("三个");
    await page.getByText("仍不能接收：不是数字（数量）").waitFor();
    await quantity.fill("3");
    await page.getByText("符合要求，可以发送。").waitFor();
    await shoot(page, "refused-one-zh");
    await page.getByRole("button", { name: "发送" }).click();
    await page.getByRole("heading", { level: 1, name: "未能接收" }).waitFor();
    // The other two at once.
    await page.getByLabel("字段", { exact: true }).fill("数量");
    await page.getByLabel("值", { exact: true }).fill("2");
    await page.getByRole("button", { name: "试算 2 条" }).click();
    await page.getByRole("button", { name: "发送 2 条" }).waitFor();
    await shoot(page, "refused-many-zh");
    await page.getByRole("button", { name: "发送 2 条" }).click();
    await page.getByText("没有符合这些条件的记录。").waitFor();
    expect((await at.sql`select count(*)::int as n from collect_event`)[0]).toEqual({ n: 60 });
    await page.goto(`${home}/exports`);
    await page.getByLabel("用途").selectOption("analysis");
    await page.getByLabel("从哪天起").fill("2026-01-02");
    await page.getByLabel("到哪天为止").fill("2026-01-01");
    await page.getByText("结束日期早于开始日期。").waitFor();
    expect(await page.getByRole("link", { name: "下载" }).count()).toBe(0);
    await page.getByLabel("到哪天为止").fill("2026-01-31");
    await shoot(page, "exports-zh");
    const link = await page.getByRole("link", { name: "下载" }).getAttribute("href");
    expect(link).toContain("from=2026-01-02&until=2026-02-01");
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("link", { name: "下载" }).click(),
    ]);
    expect(download.suggestedFilename()).toBe("orders.csv");
    expect(await watch.refused()).toEqual([]);
    expect(watch.errors).toEqual([]);
    await close();
  }, 180_000);

  test("an operator finds what a client sent wrong, mends one, then all, and takes the data out", async () => {
    await using at = await stage(pages(folder));
    await using _work = worker(at);
    const source = await sourceOf(at, "segment");
    const order = (n: number) => ({
      ...{ type: "track", event: "Order Completed", userId: `u${n}`, messageId: `m${n}` },
      ...{ timestamp: "2026-02-28T10:00:00Z" },
      properties: {
        ...{ order_id: `A${n}`, total: 40, currency: "yuan", email: `u${n}@example.com` },
        products: [{ product_id: "S1", price: 20, quantity: 2 }],
      },
    });
    await fetch(`${at.url}/v1/batch`, {
      method: "POST",
      headers: { authorization: `Basic ${btoa(`${source.key}:`)}` },
      body: JSON.stringify({ batch: Array.from({ length: 30 }, (_, n) => order(n)) }),
    });
    const { page, watch, home, close } = await signIn(at, browser, "en-GB");
    await page.goto(`${home}/sources`);
    await page.getByRole("link", { name: "30", exact: true }).click();
    await page
      .getByText("30 of 30")
      .or(page.getByText("30 shown"))
      .or(page.getByRole("columnheader", { name: "Reason" }))
      .first()
      .waitFor();
    await shoot(page, "refused-en");
    await page
      .getByRole("link", { name: /A field is missing/ })
      .first()
      .click();
    await page.getByLabel("properties.currency").fill("CNY");
    await page.getByText("This can be taken in.").waitFor();
    await shoot(page, "refused-one-en");
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await page.getByRole("heading", { level: 1, name: "Not taken in" }).waitFor();
    await page.getByLabel("Field", { exact: true }).fill("properties.currency");
    await page.getByLabel("Value", { exact: true }).fill("CNY");
    await page.getByRole("button", { name: "Try on 29" }).click();
    await page.getByRole("button", { name: "Send 29" }).click();
    await page.getByText("Nothing fits these filters.").waitFor();
    await page.getByText("Done", { exact: true }).waitFor();
    await shoot(page, "refused-many-en");
    expect(await stored(at, source.id)).toHaveLength(30);

    const path = join(files, "people.csv");
    await writeFile(
      path,
      "Customer ID,E-mail,City,Birthday\nu1,ann@example.com,Bath,31\nu2,not an address,Bath,40\n",
    );
    await page.goto(`${home}/imports`);
    await page.getByLabel("Choose a file").setInputFiles(path);
    await page.getByLabel("Data", { exact: true }).selectOption("people");
    await page.getByText("Of the first 2 lines, 1 cannot be taken in.").waitFor();
    await shoot(page, "import-map-en");
    await page.getByRole("button", { name: "Start the import" }).click();
    await page.getByRole("heading", { level: 2, name: "Finished" }).waitFor();
    await shoot(page, "import-done-en");
    await page.goto(`${home}/imports`);
    await page.getByRole("link", { name: "people.csv" }).waitFor();
    await shoot(page, "imports-en");
    await page.goto(`${home}/exports`);
    await page.getByText("Choose a purpose to download.").waitFor();
    await shoot(page, "exports-en");
    expect(await watch.refused()).toEqual([]);
    expect(watch.errors).toEqual([]);
    await close();
  }, 180_000);
});
