// <liuke-form form="welcome" lang="zh" token="…"></liuke-form>: a registration form on any page that may show it.
// Give the element its height in the page itself, so that nothing moves when it is there:
//   <liuke-form form="welcome" style="display:block;height:600px"><a href="https://…/f/welcome">…</a></liuke-form>
// What stands within it is shown where no script runs.
//   <script type="module" src="https://…/widgets/form.js"></script>
const home = new URL(import.meta.url).origin;
const words = {
  zh: {
    optional: "选填",
    send: "提交",
    more: "再填几项",
    choose: "请选择",
    agree: "同意事项（逐项自愿勾选）",
    away: "暂时无法打开，请稍后再试。",
    again: "重试",
    fix: "有几项需要修改。",
    done: "您都填好了，谢谢！",
    missing: "请填写这一项。",
    unfit: "这一项填写不正确。",
    too_long: "太长了，最多 200 个字（城市最多 100 个字）。",
    needs_consent: "要保存这一项，请先勾选同意保存敏感信息。",
    mail: "如果您填写了邮箱并同意接收邮件，请查收确认邮件。",
  },
  en: {
    optional: "optional",
    send: "Send",
    more: "Tell us more",
    choose: "Please choose",
    agree: "What you agree to (each is up to you)",
    away: "This cannot be opened just now. Please try again soon.",
    again: "Try again",
    fix: "A few things to mend.",
    done: "You have told us everything. Thank you!",
    missing: "Please fill this in.",
    unfit: "This does not look right.",
    too_long: "This is too long: 200 characters at most, 100 for a city.",
    needs_consent: "To let us keep this, first agree that we may keep sensitive details.",
    mail: "If you gave an e-mail address and agreed to get mail, look for our mail to confirm.",
  },
};
const types = {
  text: "text",
  email: "email",
  phone: "tel",
  city: "text",
  number: "text",
  date: "date",
};
const sheet = new CSSStyleSheet();
sheet.replaceSync(`:host{display:block;height:600px;padding:4px;overflow:auto;contain:layout paint;font:16px/24px system-ui,"PingFang SC","Microsoft YaHei",sans-serif;color:var(--liuke-ink,#1b1f24);background:var(--liuke-paper,#fff)}
*{box-sizing:border-box}h2{font-size:20px;line-height:28px;margin:0 0 4px}p{margin:0 0 12px}.intro,.hint{color:#57606a;font-weight:400}label,legend{font-weight:600}
.field{margin:0 0 16px}input,select{display:block;width:100%;min-height:44px;margin-top:4px;padding:8px 12px;border:1px solid #8a8f98;border-radius:6px;background:#fff;color:#1b1f24;font:inherit}
input[type=checkbox]{width:20px;min-height:20px;flex:none;margin:2px 10px 0 0}fieldset{border:1px solid #8a8f98;border-radius:6px;margin:0 0 16px}
.tick{display:flex;align-items:flex-start;margin:8px 0;font-weight:400}.wrong{color:#b3261e;margin:4px 0 0}[aria-invalid]{border:2px solid #b3261e}
button{min-height:44px;padding:8px 24px;border:0;border-radius:6px;background:var(--liuke-act,#0b57d0);color:#fff;font:inherit;font-weight:600}
:focus-visible{outline:3px solid var(--liuke-act,#0b57d0);outline-offset:2px}.trap{position:absolute;left:-9999px}`);

/** An element with attributes and children; text is always text, never markup. */
function h(name, given = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(given))
    if (key === "on")
      for (const [event, run] of Object.entries(value)) element.addEventListener(event, run);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== undefined) element.setAttribute(key, value);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

class LiukeForm extends HTMLElement {
  static observedAttributes = ["form", "lang", "token"];
  #root = this.attachShadow({ mode: "open" });
  #turn = 0;
  connectedCallback() {
    this.#root.adoptedStyleSheets = [sheet];
    void this.#ask();
  }
  attributeChangedCallback(_, before, after) {
    if (this.isConnected && before !== null && before !== after) void this.#ask();
  }
  get #language() {
    const said = this.getAttribute("lang") ?? document.documentElement.lang ?? navigator.language;
    return said.toLowerCase().startsWith("en") ? "en" : "zh";
  }
  get #place() {
    return `liuke.visitor.${this.getAttribute("form")}`;
  }
  /** Simple on purpose: text/plain asks the server for no leave first, and no cookie goes along. */
  async #call(what, body) {
    const token = this.getAttribute("token");
    let visitor;
    try {
      visitor = localStorage.getItem(this.#place) ?? undefined;
    } catch {} // a page may keep nothing
    const response = await fetch(
      `${home}/v1/forms/${encodeURIComponent(this.getAttribute("form"))}/${what}`,
      {
        method: "POST",
        credentials: "omit",
        headers: { "content-type": "text/plain" },
        body: JSON.stringify({
          ...body,
          ...(token ? { personToken: token } : visitor ? { visitor } : {}),
        }),
      },
    );
    if (!response.ok) throw new Error(String(response.status));
    const answer = await response.json();
    try {
      if (answer.visitor) localStorage.setItem(this.#place, answer.visitor);
    } catch {}
    return answer;
  }
  #show(...parts) {
    this.#root.replaceChildren(...parts);
  }
  async #ask(focus = false) {
    const turn = ++this.#turn;
    const t = words[this.#language];
    try {
      const step = await this.#call("next", {});
      if (turn !== this.#turn) return;
      if (step.complete)
        this.#show(h("h2", {}, step.title[this.#language]), h("p", { role: "status" }, t.done));
      else this.#draw(step, focus);
    } catch {
      if (turn !== this.#turn) return;
      this.#show(
        h("p", { role: "alert" }, t.away),
        h("button", { type: "button", on: { click: () => void this.#ask() } }, t.again),
      );
    }
  }
  #draw(step, focus) {
    const language = this.#language;
    const t = words[language];
    const status = h("p", { role: "status", class: "wrong" });
    const form = h(
      "form",
      { novalidate: true, on: { submit: (event) => void this.#send(event, status, step) } },
      h(
        "div",
        { class: "trap", "aria-hidden": "true" },
        h("input", { name: "website", tabindex: "-1", autocomplete: "off" }),
      ),
      ...step.fields.map((field) => this.#field(field, language)),
      step.consents.length === 0
        ? null
        : h(
            "fieldset",
            {},
            h("legend", {}, t.agree),
            ...step.consents.map(({ purpose, channel, text }) =>
              h(
                "label",
                { class: "tick" },
                h("input", { type: "checkbox", name: "consent", value: `${purpose} ${channel}` }),
                h("span", {}, text[language]),
              ),
            ),
          ),
      h("button", {}, t.send),
      status,
    );
    this.#show(
      h("h2", {}, step.title[language]),
      h("p", { class: "intro" }, step.intro[language]),
      form,
    );
    if (focus) form.querySelector("input:not([tabindex]),select")?.focus();
  }
  #field({ name, type, label, required, options }, language) {
    const t = words[language];
    const id = `f-${name}`;
    const common = { id, name, required, "aria-describedby": `${id}-wrong` };
    const input =
      type === "choice"
        ? h(
            "select",
            common,
            h("option", { value: "" }, t.choose),
            ...options.map((one) => h("option", { value: one.value }, one.label[language])),
          )
        : h("input", { ...common, type: types[type], maxlength: "200" });
    return h(
      "div",
      { class: "field" },
      h(
        "label",
        { for: id },
        label[language],
        required ? null : h("span", { class: "hint" }, ` (${t.optional})`),
      ),
      input,
      h("p", { class: "wrong", id: `${id}-wrong`, hidden: true }),
    );
  }
  async #send(event, status, { sending, version }) {
    event.preventDefault();
    const language = this.#language;
    const t = words[language];
    const form = event.target; // gone from the event once it has been dispatched
    const sent = new FormData(form);
    const consents = sent.getAll("consent");
    sent.delete("consent");
    const button = form.querySelector("button");
    button.disabled = true;
    status.textContent = "";
    try {
      const answer = await this.#call("answers", {
        answers: Object.fromEntries(sent),
        consents,
        language,
        sending,
        version,
      });
      const wrong = Object.entries(answer.wrong);
      for (const says of form.querySelectorAll(".field .wrong")) says.hidden = true;
      for (const input of form.querySelectorAll("[aria-invalid]"))
        input.removeAttribute("aria-invalid");
      for (const [name, why] of wrong) {
        const input = this.#root.getElementById(`f-${name}`);
        const says = this.#root.getElementById(`f-${name}-wrong`);
        if (!input || !says) continue;
        input.setAttribute("aria-invalid", "true");
        says.textContent = t[why];
        says.hidden = false;
      }
      if (wrong.length > 0) {
        status.textContent = t.fix;
        this.#root.querySelector("[aria-invalid]")?.focus();
        return;
      }
      this.#show(
        h("p", { role: "status" }, answer.thanks[language]),
        consents.some((kind) => kind.endsWith(" email")) ? h("p", {}, t.mail) : "",
        answer.more
          ? h("button", { type: "button", on: { click: () => void this.#ask(true) } }, t.more)
          : "",
      );
      this.dispatchEvent(new CustomEvent("liuke-sent", { bubbles: true, composed: true }));
    } catch {
      status.textContent = t.away;
    } finally {
      button.disabled = false;
    }
  }
}
if (!customElements.get("liuke-form")) customElements.define("liuke-form", LiukeForm);
