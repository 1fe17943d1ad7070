// A mail round a rendered message: its words about leaving are ours, so no template can forget them.
import type { Language } from "../rules.ts";
import { escape, type Rendered } from "./template.ts";

const words = {
  zh: { why: "您收到这封邮件，是因为您同意接收本店的消息。", leave: "退订" },
  en: { why: "You get this mail because you agreed to hear from this shop.", leave: "Unsubscribe" },
} as const;

export function mailBody(message: Rendered, language: Language, unsubscribeUrl: string): Rendered {
  const { why, leave } = words[language];
  const tag = language === "zh" ? "zh-CN" : "en";
  return {
    subject: message.subject,
    text: `${message.text}\n\n--\n${why}\n${leave}: ${unsubscribeUrl}\n`,
    html: `<!doctype html><html lang="${tag}"><head><meta charset="utf-8"><title>${escape(message.subject)}</title></head><body>
${message.html}
<hr><p><small>${why} <a href="${escape(unsubscribeUrl)}">${leave}</a></small></p>
</body></html>`,
  };
}

const pages = {
  zh: {
    title: "退订",
    ask: { marketing: "不再接收优惠和推荐邮件？", service: "不再接收订单和权益提醒邮件？" },
    button: "确认退订",
    done: "已退订。以后不会再给您发这类邮件。",
  },
  en: {
    title: "Unsubscribe",
    ask: {
      marketing: "Stop mails with offers and recommendations?",
      service: "Stop mails about orders and benefits?",
    },
    button: "Unsubscribe",
    done: "Done. You will get no more mails of this kind.",
  },
} as const;
/** The page behind a mail's link, before and after the button. It names nobody. */
export function unsubscribePage(
  language: Language,
  purpose: "marketing" | "service",
  step: "ask" | "done",
): string {
  const { title, ask, button, done } = pages[language];
  const main =
    step === "done"
      ? `<p role="status">${done}</p>`
      : `<p>${ask[purpose]}</p><form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click"><button>${button}</button></form>`;
  return `<!doctype html><html lang="${language === "zh" ? "zh-CN" : "en"}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex"><title>${title}</title></head><body><main><h1>${title}</h1>${main}</main></body></html>`;
}
