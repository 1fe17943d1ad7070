// The hosted page: HTML that works without a script, reads well to a screen reader, and names nobody.
import {
  honeypot,
  words,
  type Answers,
  type Definition,
  type Field,
  type Language,
  type Wrong,
  type pageFields,
} from "../rules.ts";

const escape = (text: string): string =>
  text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");

/** The one style sheet of these pages; its hash stands in their Content-Security-Policy. */
export const style = `:root{color-scheme:light dark;--line:#8a8f98;--ink:#1b1f24;--paper:#fff;--quiet:#57606a;--act:#0b57d0;--on:#fff;--bad:#b3261e}
@media (prefers-color-scheme:dark){:root{--ink:#e6e8eb;--paper:#16181c;--quiet:#a6adb5;--act:#8ab4f8;--on:#10131a;--bad:#f2b8b5}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:16px/24px system-ui,"PingFang SC","Microsoft YaHei",sans-serif}
main{max-width:36rem;margin:0 auto;padding:32px 16px 64px}h1{font-size:24px;line-height:32px;margin:0 0 8px}
p{margin:0 0 16px}.intro{white-space:pre-line;color:var(--quiet)}.field{margin:0 0 20px}label,legend{font-weight:600}
.hint{font-weight:400;color:var(--quiet)}input,select{display:block;width:100%;min-height:44px;margin-top:4px;padding:8px 12px;border:1px solid var(--line);border-radius:6px;background:var(--paper);color:var(--ink);font:inherit}
input[type=checkbox]{display:inline-block;width:20px;min-height:20px;margin:2px 10px 0 0;flex:none}
input:focus-visible,select:focus-visible,button:focus-visible,a:focus-visible{outline:3px solid var(--act);outline-offset:2px}
fieldset{border:1px solid var(--line);border-radius:6px;margin:0 0 20px;padding:12px 16px}.tick{display:flex;align-items:flex-start;margin:12px 0;font-weight:400}
.wrong{color:var(--bad);margin:4px 0 0}[aria-invalid]{border-color:var(--bad);border-width:2px}.summary{border:2px solid var(--bad);border-radius:6px;padding:12px 16px;margin:0 0 20px}
.summary ul{margin:4px 0 0;padding-left:20px}button,.button{display:inline-block;min-height:44px;padding:10px 24px;border:0;border-radius:6px;background:var(--act);color:var(--on);font:inherit;font-weight:600;text-decoration:none}
.trap{position:absolute;left:-9999px;width:1px;height:1px;overflow:hidden}.langs{text-align:right;margin:0 0 16px}a{color:var(--act)}`;

function shell(language: Language, title: string, main: string, other = ""): string {
  return `<!doctype html><html lang="${language === "zh" ? "zh-CN" : "en"}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex"><title>${escape(title)}</title><style>${style}</style></head><body><main>${other}<h1>${escape(title)}</h1>${main}</main></body></html>`;
}

const inputTypes = {
  text: "text",
  email: "email",
  phone: "tel",
  city: "text",
  number: "text",
  date: "date",
} as const;
const fills: Record<string, string> = {
  name: "name",
  first_name: "given-name",
  last_name: "family-name",
  email: "email",
  phone: "tel",
  city: "address-level2",
  address: "street-address",
};
function control(
  field: Field,
  language: Language,
  value: string,
  wrong: Wrong | undefined,
): string {
  const { name, type, label, required, options } = field;
  const t = words[language];
  const id = `f-${name}`;
  const hint = required ? "" : ` <span class="hint">(${t.optional})</span>`;
  const about = wrong ? ` aria-invalid="true" aria-describedby="${id}-wrong"` : "";
  const must = required ? " required" : "";
  const input =
    type === "choice"
      ? `<select id="${id}" name="${name}"${must}${about}><option value="">${t.choose}</option>${options
          .map(
            (one) =>
              `<option value="${escape(one.value)}"${one.value === value ? " selected" : ""}>${escape(one.label[language])}</option>`,
          )
          .join("")}</select>`
      : `<input id="${id}" name="${name}" type="${inputTypes[type]}"${type === "number" ? ' inputmode="decimal"' : ""} value="${escape(value)}" maxlength="200"${
          fills[name] ? ` autocomplete="${fills[name]}"` : ""
        }${must}${about}>`;
  const says = wrong ? `<p class="wrong" id="${id}-wrong">${t.wrong[wrong]}</p>` : "";
  return `<div class="field"><label for="${id}">${escape(label[language])}${hint}</label>${input}${says}</div>`;
}

const hidden = (name: (typeof pageFields)[number], value: string): string =>
  `<input type="hidden" name="${name}" value="${escape(value)}">`;

/** So many answers to no question are named. */
const strangeLimit = 10;

export type Step = {
  form: string;
  fields: Field[];
  consents: Definition["consents"];
  visitor: string | null;
  version: number;
  sending: string;
};
/** What comes back to whoever sent it. `notice`: why, where it is no answer's fault. */
export type Returned = {
  answers?: Answers;
  ticked?: readonly string[];
  wrong?: Record<string, Wrong>;
  notice?: string;
};
/** The page to fill in; with what was typed and what is wrong with it, where it comes back. */
export function formPage(
  language: Language,
  { title, intro, fields: all }: Pick<Definition, "title" | "intro" | "fields">,
  { form, fields: asked, consents, visitor, version, sending }: Step,
  { answers = {}, ticked = [], wrong = {}, notice }: Returned = {},
): string {
  // Whatever was typed stands again, whether it would be asked now or not.
  const stays = new Set(asked.map(({ name }) => name));
  const fields = [
    ...asked,
    ...all.filter(({ name }) => !stays.has(name) && (answers[name] || wrong[name])),
  ];
  const t = words[language];
  const other = language === "zh" ? "en" : "zh";
  const langs = `<p class="langs"><a href="/f/${form}?lang=${other}" lang="${other === "zh" ? "zh-CN" : "en"}">${other === "zh" ? "中文" : "English"}</a></p>`;
  const bad = fields
    .filter(({ name }) => wrong[name])
    .map(({ name, label }) => `<li><a href="#f-${name}">${escape(label[language])}</a></li>`);
  const strange = Object.keys(wrong)
    .filter((name) => wrong[name] === "unknown")
    .slice(0, strangeLimit)
    .map((name) => `<li>${escape(name.slice(0, 40))}: ${t.wrong.unknown}</li>`);
  const summary = notice
    ? `<div class="summary" role="alert"><strong>${notice}</strong></div>`
    : bad.length + strange.length > 0
      ? `<div class="summary" role="alert"><strong>${t.fix}</strong><ul>${[...bad, ...strange].join("")}</ul></div>`
      : "";
  const ticks = consents
    .map(({ purpose, channel, text }, i) => {
      const value = `${purpose} ${channel}`;
      return `<label class="tick" for="c-${i}"><input id="c-${i}" type="checkbox" name="consent" value="${value}"${ticked.includes(value) ? " checked" : ""}><span>${escape(text[language])}</span></label>`;
    })
    .join("");
  const agree = ticks ? `<fieldset><legend>${t.agree}</legend>${ticks}</fieldset>` : "";
  const trap = `<div class="trap" aria-hidden="true"><label for="f-${honeypot}">${honeypot}</label><input id="f-${honeypot}" name="${honeypot}" tabindex="-1" autocomplete="off"></div>`;
  const main = `<p class="intro">${escape(intro[language])}</p>${summary}<form method="post" action="/f/${form}?lang=${language}" novalidate>${trap}${hidden("visitor", visitor ?? "")}${hidden("version", String(version))}${hidden("sending", sending)}${fields
    .map((field) => control(field, language, answers[field.name] ?? "", wrong[field.name]))
    .join("")}${agree}<button>${t.send}</button></form>`;
  return shell(language, title[language], main, langs);
}
/** After it was sent. `more`: something is left that may be told. */
export function thanksPage(
  language: Language,
  { title, thanks, consents }: Pick<Definition, "title" | "thanks" | "consents">,
  form: string,
  visitor: string | null,
  more: boolean,
): string {
  const t = words[language];
  const mail = consents.some(({ channel }) => channel === "email") ? `<p>${t.mail}</p>` : "";
  const link =
    more && visitor
      ? `<p><a class="button" href="/f/${form}?lang=${language}&amp;visitor=${encodeURIComponent(visitor)}">${t.more}</a></p>`
      : "";
  return shell(
    language,
    title[language],
    `<p role="status">${escape(thanks[language])}</p>${mail}${link}`,
  );
}
/** Nothing is left to ask, nor to agree to. */
export const completePage = (language: Language, title: string): string =>
  shell(language, title, `<p role="status">${words[language].complete}</p>`);
export const closedPage = (language: Language, title: string): string =>
  shell(language, title, `<p role="status">${words[language].closed}</p>`);
/** The page behind a mail's link, before and after the button: who only looks at the link confirms nothing. */
export function confirmPage(language: Language, step: "ask" | "done" | "dead"): string {
  const t = words[language].confirm;
  const main =
    step === "ask"
      ? `<p>${t.ask}</p><form method="post"><button>${t.button}</button></form>`
      : `<p role="status">${t[step]}</p>`;
  return shell(language, t.title, main);
}
