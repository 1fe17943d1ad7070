import { useId } from "react";
import {
  judge,
  nextFields,
  type Answers,
  type Definition,
  type Field,
} from "../../../src/forms/rules.ts";
import { useState } from "react";
import { Part } from "../ui/page.tsx";
import { useSaid, useWords } from "../ui/words.tsx";

/** Where a new form begins: an address, a city, a birthday's month, and one agreement. */
export const firstForm: Definition = {
  title: { zh: "加入会员", en: "Join us" },
  intro: {
    zh: "都是选填，填多少都行。",
    en: "Everything is optional. Tell us as much as you like.",
  },
  thanks: { zh: "收到，谢谢！", en: "We have it. Thank you!" },
  perStep: 3,
  doubleOptIn: true,
  fields: [
    plainField("name", "text", "称呼", "Name"),
    plainField("email", "email", "邮箱", "E-mail"),
    plainField("city", "city", "城市", "City"),
    plainField("birth_month", "number", "几月生日（1–12）", "Month of birth (1–12)"),
  ],
  consents: [
    {
      purpose: "marketing",
      channel: "email",
      text: {
        zh: "我愿意通过邮件收到优惠和好物推荐，可随时退订。",
        en: "E-mail me offers and things I may like. I can unsubscribe at any time.",
      },
    },
  ],
};
export function plainField(name: string, type: Field["type"], zh: string, en: string): Field {
  return { name, type, label: { zh, en }, required: false, sensitive: false, options: [] };
}

/** A text in both languages, side by side. */
export function Both({
  label,
  value,
  onChange,
  longest,
}: {
  label: string;
  value: { zh: string; en: string };
  onChange: (value: { zh: string; en: string }) => void;
  longest: number;
}) {
  const { t } = useWords();
  const id = useId();
  return (
    <div className="form row">
      {(["zh", "en"] as const).map((language) => (
        <div className="field" key={language}>
          <label htmlFor={id + language}>
            {label} · {t.forms.languages[language]}
          </label>
          <input
            id={id + language}
            lang={language === "zh" ? "zh-CN" : "en"}
            value={value[language]}
            maxLength={longest}
            onChange={(event) => onChange({ ...value, [language]: event.target.value })}
          />
        </div>
      ))}
    </div>
  );
}

/** What a visitor sees, judged by the same rules as what they send; nothing of it is sent. */
export function Preview({ form }: { form: Definition }) {
  const { t } = useWords();
  const said = useSaid();
  const id = useId();
  const [known, setKnown] = useState<ReadonlySet<string>>(new Set());
  const [answers, setAnswers] = useState<Answers>({});
  const [agreed, setAgreed] = useState<ReadonlySet<string>>(new Set());
  const [tried, setTried] = useState(false);
  const knowing = { known, blank: new Map<string, Date>(), now: new Date(0) };
  const fields = nextFields(form, knowing);
  const { values, wrong } = judge(form, answers, knowing, agreed);
  const again = () => {
    setKnown(new Set());
    setAnswers({});
    setAgreed(new Set());
    setTried(false);
  };
  return (
    <Part
      title={t.forms.preview}
      says={t.forms.previewSays}
      actions={
        <button type="button" className="small" onClick={again}>
          {t.forms.previewAgain}
        </button>
      }
    >
      <h3>{said(form.title)}</h3>
      <p className="quiet">{said(form.intro)}</p>
      {fields.length === 0 ? (
        <p role="status">{said(form.thanks)}</p>
      ) : (
        <form
          className="form"
          noValidate
          onSubmit={(event) => {
            event.preventDefault();
            setTried(true);
            if (Object.keys(wrong).length > 0) return;
            // What was left empty is asked no more here, so that the next questions can be seen.
            setKnown(
              new Set([...known, ...Object.keys(values), ...fields.map(({ name }) => name)]),
            );
            setTried(false);
          }}
        >
          {fields.map((field) => {
            const bad = tried ? wrong[field.name] : undefined;
            const common = {
              id: `${id}${field.name}`,
              value: answers[field.name] ?? "",
              "aria-invalid": bad ? true : undefined,
            };
            const set = (value: string) => setAnswers({ ...answers, [field.name]: value });
            return (
              <div className="field" key={field.name}>
                <label htmlFor={`${id}${field.name}`}>
                  {said(field.label)} {!field.required && <small>{t.forms.optional}</small>}
                </label>
                {field.type === "choice" ? (
                  <select {...common} onChange={(event) => set(event.target.value)}>
                    <option value="">{t.forms.choose}</option>
                    {field.options.map(({ value, label }) => (
                      <option key={value} value={value}>
                        {said(label)}
                      </option>
                    ))}
                  </select>
                ) : (
                  <input
                    {...common}
                    type={field.type === "date" ? "date" : "text"}
                    maxLength={200}
                    onChange={(event) => set(event.target.value)}
                  />
                )}
                {bad && <p className="wrong">{t.forms.wrong[bad]}</p>}
              </div>
            );
          })}
          <div className="checks">
            {form.consents.map(({ purpose, channel, text }) => {
              const kind = `${purpose} ${channel}`;
              return (
                <label key={kind}>
                  <input
                    type="checkbox"
                    checked={agreed.has(kind)}
                    onChange={(event) => {
                      const next = new Set(agreed);
                      if (event.target.checked) next.add(kind);
                      else next.delete(kind);
                      setAgreed(next);
                    }}
                  />
                  <span>{said(text)}</span>
                </label>
              );
            })}
          </div>
          <button type="submit">{t.forms.send}</button>
        </form>
      )}
    </Part>
  );
}
