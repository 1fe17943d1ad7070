import { expect, test } from "vitest";
import { mailBody, unsubscribePage } from "./mail.ts";

test("every mail says why it came and how to leave, whatever its template says", () => {
  const message = { subject: "<Hi>", text: "Hello", html: "<p>Hello</p>" };
  for (const language of ["zh", "en"] as const) {
    const { text, html } = mailBody(message, language, "https://shop.example/u/token");
    expect(text).toContain("https://shop.example/u/token");
    expect(html).toContain('<a href="https://shop.example/u/token">');
    expect(html).toContain("<title>&lt;Hi&gt;</title>");
  }
});

test("the page to leave on asks first, and needs no script and no cookie", () => {
  const page = unsubscribePage("en", "marketing", "ask");
  expect(page).toContain('<form method="post">');
  expect(page).not.toContain("<script");
  expect(unsubscribePage("zh", "marketing", "done")).toContain("已退订");
});
