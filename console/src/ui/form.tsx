import { useId, useRef, useState, type ReactNode } from "react";
import { Problem } from "./call.ts";
import { useWords } from "./words.tsx";

/** A labelled input. `wrong` stands below it and is read out with it. */
export function Field({
  label,
  hint,
  wrong,
  ...input
}: {
  label: string;
  hint?: string;
  wrong?: string | undefined;
  name: string;
  type?: "text" | "email" | "password" | "search";
  autoComplete?: string;
  defaultValue?: string;
  required?: boolean;
  minLength?: number;
  maxLength?: number;
  readOnly?: boolean;
  placeholder?: string;
}) {
  const id = useId();
  const says = wrong ?? hint;
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        {...input}
        aria-invalid={wrong ? true : undefined}
        aria-describedby={says ? `${id}-says` : undefined}
      />
      {says && (
        <p id={`${id}-says`} className={wrong ? "wrong" : "hint"}>
          {says}
        </p>
      )}
    </div>
  );
}

/** A native choice: whatever the machine offers for it works, keyboard and screen reader included. */
export function Choice({
  label,
  value,
  options,
  onChange,
  name,
}: {
  label: string;
  value?: string;
  options: readonly { value: string; label: string }[];
  onChange?: (value: string) => void;
  name?: string;
}) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <select
        id={id}
        name={name}
        {...(onChange
          ? { value, onChange: (event) => onChange(event.target.value) }
          : { defaultValue: value })}
      >
        {options.map((option) => (
          <option key={option.value} value={option.value}>
            {option.label}
          </option>
        ))}
      </select>
    </div>
  );
}

/** A labelled input whose value its page holds. */
export function Held({
  label,
  onChange,
  ...input
}: {
  label: string;
  value: string;
  onChange: (value: string) => void;
  type?: "text" | "date";
  min?: string;
  max?: string;
  maxLength?: number;
}) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input id={id} {...input} onChange={(event) => onChange(event.target.value)} />
    </div>
  );
}
/** A day of the shop's, as YYYY-MM-DD. */
export const anyDay = { type: "date", min: "1990-01-01", max: "2200-12-31" } as const;

export type Values = Record<string, string>;
/**
 * A form that is one act: tried again after a lost answer it carries the same key, changed it gets a new one.
 * A refusal is said above the button, and the focus goes there.
 */
export function Form({
  act,
  button,
  children,
  className = "form",
}: {
  act: (values: Values, key: string) => Promise<void>;
  button: string;
  children: ReactNode;
  className?: string;
}) {
  const { t } = useWords();
  const [busy, setBusy] = useState(false);
  const [wrong, setWrong] = useState<unknown>(null);
  const says = useRef<HTMLParagraphElement>(null);
  const last = useRef({ body: "", key: "" });
  const submit = async (form: HTMLFormElement) => {
    const values = Object.fromEntries(
      [...new FormData(form)].map(([name, value]) => [name, String(value)]),
    );
    const body = JSON.stringify(values);
    if (last.current.body !== body) last.current = { body, key: crypto.randomUUID() };
    setBusy(true);
    setWrong(null);
    try {
      await act(values, last.current.key);
    } catch (thrown) {
      setWrong(thrown);
      // A refusal was an answer: the next try is another act.
      if (thrown instanceof Problem && thrown.status !== 0) last.current.body = "";
      requestAnimationFrame(() => says.current?.focus());
    } finally {
      setBusy(false);
    }
  };
  return (
    <form
      className={className}
      onSubmit={(event) => {
        event.preventDefault();
        if (!busy) void submit(event.currentTarget);
      }}
    >
      {children}
      <p ref={says} tabIndex={-1} role="alert" className="refusal" hidden={!wrong}>
        {wrong ? (wrong instanceof Problem && wrong.message ? wrong.message : t.broken.away) : ""}
      </p>
      <button type="submit" className="primary" aria-disabled={busy}>
        {busy ? t.busy : button}
      </button>
    </form>
  );
}
