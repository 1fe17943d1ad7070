// A template is plain text with {{placeholders}} and no logic: blank lines make paragraphs. What is put in is text,
// never markup, so nothing that a shop, a product or a guest is called can become part of the page.

export type Text = { subject: string; body: string };

/** Every placeholder there is, with the words that explain it to whoever writes a template. */
export const placeholders = {
  shop: { zh: "商店名", en: "the shop's name" },
  name: { zh: "称呼，不知道时省略", en: "what to call them; left out where unknown" },
  offer: { zh: "券的规则", en: "the rule of the coupon" },
  code: { zh: "券码", en: "the code of the coupon" },
  expires: { zh: "券到期的日子", en: "the day the coupon runs out" },
  goods: { zh: "为其挑选的商品，每行一个", en: "the goods picked for them, one a line" },
} as const;
type Placeholder = keyof typeof placeholders;
export type Values = Partial<Record<Placeholder, string | readonly string[]>>;

const slot = /\{\{\s*([^{}]*?)\s*\}\}/g;
/** Placeholders in it that do not exist; braces left open count as one. */
export function unknownPlaceholders({ subject, body }: Text): string[] {
  const text = `${subject}\n${body}`;
  const named = [...text.matchAll(slot)].map(([, name]) => name!);
  const broken = /\{\{|\}\}/.exec(text.replaceAll(slot, ""));
  const strange = named.filter((name) => !Object.hasOwn(placeholders, name));
  return [...new Set(broken ? [...strange, broken[0]] : strange)];
}

const valueOf = (values: Values, name: string): readonly string[] => {
  const value = Object.hasOwn(values, name) ? values[name as Placeholder] : undefined;
  if (value === undefined) return [];
  return typeof value === "string" ? [value] : value;
};
const oneLine = (text: string): string => text.replaceAll(/\p{Cc}+/gu, " ").trim();

type Block = { kind: "text"; lines: string[] } | { kind: "list"; items: string[] };
/** Paragraphs with their values put in. One whose every placeholder is empty is left out, words and all. */
function blocks(body: string, values: Values): Block[] {
  return body.split(/\n\s*\n/).flatMap((paragraph) => {
    const names = [...paragraph.matchAll(slot)].map(([, name]) => name!);
    if (names.length > 0 && names.every((name) => valueOf(values, name).length === 0)) return [];
    const found: Block[] = [];
    for (const line of paragraph.trim().split("\n")) {
      // A list that has a line to itself is a list; anywhere else its items stand in a row.
      const [, alone = ""] = /^\s*\{\{\s*(\w+)\s*\}\}\s*$/.exec(line) ?? [];
      if (alone && typeof values[alone as Placeholder] !== "string") {
        const items = valueOf(values, alone).map(oneLine);
        if (items.length > 0) found.push({ kind: "list", items });
        continue;
      }
      const text = line.replaceAll(slot, (_, name: string) =>
        valueOf(values, name).map(oneLine).join(", "),
      );
      const last = found.at(-1);
      if (last?.kind === "text") last.lines.push(text);
      else found.push({ kind: "text", lines: [text] });
    }
    return found;
  });
}

const entities: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
export const escape = (text: string): string => text.replaceAll(/[&<>"']/g, (c) => entities[c]!);

export type Rendered = { subject: string; text: string; html: string };
/** `html` is paragraphs and lists, for a page or a mail to put round them; `text` says the same. */
export function render({ subject, body }: Text, values: Values): Rendered {
  const parts = blocks(body, values);
  const text = parts.map((part) =>
    part.kind === "text" ? part.lines.join("\n") : part.items.map((item) => `· ${item}`).join("\n"),
  );
  const html = parts.map((part) =>
    part.kind === "text"
      ? `<p>${part.lines.map(escape).join("<br>")}</p>`
      : `<ul>${part.items.map((item) => `<li>${escape(item)}</li>`).join("")}</ul>`,
  );
  const line = subject.replaceAll(slot, (_, name: string) => valueOf(values, name).join(", "));
  return { subject: oneLine(line), text: text.join("\n\n"), html: html.join("\n") };
}
