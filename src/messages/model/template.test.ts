import fc from "fast-check";
import { expect, test } from "vitest";
import { winBack } from "../rules.ts";
import { render, unknownPlaceholders } from "./template.ts";

test("what is put in stays text: no value makes markup, a placeholder or a second header line", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary" }),
      fc.array(fc.string(), { maxLength: 3 }),
      (name, goods) => {
        const text = { subject: "{{name}}", body: "Hi {{name}} <b>\n\n{{goods}}" };
        const { subject, html } = render(text, { name, goods });
        expect(subject).not.toMatch(/\p{Cc}/u);
        const tags = [...html.matchAll(/<[^>]*>?/g)].map(([tag]) => tag);
        expect(tags.every((tag) => /^<\/?(p|ul|li)>$/.test(tag))).toBe(true);
      },
    ),
  );
  const twice = render({ subject: "s", body: "{{name}}" }, { name: "{{code}}", code: "secret" });
  expect(twice.text).toBe("{{code}}");
  expect(
    render({ subject: "s", body: "a <i> & {{name}}" }, { name: "<img src=x onerror=1>" }).html,
  ).toBe("<p>a &lt;i&gt; &amp; &lt;img src=x onerror=1&gt;</p>");
});

test("a paragraph without any of its values is left out, one with some is kept", () => {
  const text = {
    subject: "s",
    body: "{{name}}\n\nCode {{code}} until {{expires}}\n\nFor you:\n{{goods}}",
  };
  expect(render(text, {}).text).toBe("");
  expect(render(text, { code: "A", goods: ["x", "y"] }).text).toBe(
    "Code A until \n\nFor you:\n\n· x\n· y",
  );
});

test("a placeholder that does not exist is named before anybody is sent it", () => {
  const text = (body: string) => unknownPlaceholders({ subject: "s", body });
  expect(text("{{ name }} {{code}}")).toEqual([]);
  expect(text("{{constructor}} {{name | upcase}}")).toEqual(["constructor", "name | upcase"]);
  expect(text("{{name} {% if %}")).toEqual(["{{"]);
  expect([...unknownPlaceholders(winBack.zh), ...unknownPlaceholders(winBack.en)]).toEqual([]);
});
