// The parts of a condition that somebody sets: each a labelled input, with what may be chosen.
import { useId, useState, type ReactNode } from "react";
import { anyDay } from "./form.tsx";

const Labelled = ({ id, label, children }: { id: string; label: string; children: ReactNode }) => (
  <span className="condition-part">
    <label htmlFor={id}>{label}</label>
    {children}
  </span>
);
export function Choose({
  label,
  value,
  options,
  onChange,
}: {
  label: string;
  value: string;
  options: readonly (readonly [string, string])[];
  onChange: (value: string) => void;
}) {
  const id = useId();
  return (
    <Labelled id={id} label={label}>
      <select id={id} value={value} onChange={(event) => onChange(event.target.value)}>
        {options.map(([code, name]) => (
          <option key={code} value={code}>
            {name}
          </option>
        ))}
      </select>
    </Labelled>
  );
}
/** What may be typed, with what it is called; `also`: what it is called elsewhere, by which it is found too. */
export type Named = { code: string; name: string; also?: string | undefined };
/** Each by a name that is no other's: of two called alike each carries its code. */
function distinct(options: readonly (string | Named)[]): Named[] {
  const all = options.map((one): Named =>
    typeof one === "string" ? { code: one, name: one } : one,
  );
  const times = new Map<string, number>();
  for (const { name } of all) times.set(name, (times.get(name) ?? 0) + 1);
  return all.map((one) =>
    times.get(one.name) === 1 || one.name === one.code
      ? one
      : { ...one, name: `${one.name} (${one.code})` },
  );
}
/** A text, with what it may be offered by name: typed by name or by code, told by code. */
export function Text({
  label,
  value,
  options,
  hint,
  most = 200,
  many = false,
  onChange,
}: {
  label: string;
  value: string;
  options: readonly (string | Named)[];
  hint?: string;
  /** Characters, at most. */
  most?: number;
  /** Several of them, with commas between. */
  many?: boolean;
  onChange: (value: string) => void;
}) {
  const id = useId();
  // While somebody types, what stands there is what they typed; then what it is called.
  const [typed, setTyped] = useState<string | null>(null);
  const named = distinct(options);
  const each = (text: string, by: (one: string) => string): string =>
    many
      ? text
          .split(/[,，]\s*/)
          .map(by)
          .join(", ")
      : by(text);
  const calledBy = (one: string): string => named.find(({ code }) => code === one)?.name ?? one;
  const coded = (text: string): string =>
    named.find(({ code }) => code === text)?.code ??
    named.find(({ name, also }) => name === text || also === text)?.code ??
    text;
  return (
    <Labelled id={id} label={label}>
      <input
        id={id}
        value={typed ?? each(value, calledBy)}
        list={named.length > 0 ? `${id}-list` : undefined}
        maxLength={most}
        autoComplete="off"
        aria-describedby={hint ? `${id}-says` : undefined}
        onChange={(event) => {
          setTyped(event.target.value);
          onChange(each(event.target.value, coded));
        }}
        onBlur={() => setTyped(null)}
      />
      {named.length > 0 && (
        <datalist id={`${id}-list`}>
          {named.map(({ code, name, also }) => {
            const other = also ?? (code === name ? undefined : code);
            return <option key={code} value={name} {...(other ? { label: other } : {})} />;
          })}
        </datalist>
      )}
      {hint && (
        <small id={`${id}-says`} className="quiet">
          {hint}
        </small>
      )}
    </Labelled>
  );
}
/** A day, as YYYY-MM-DD. What is no day is not told. */
export function Day({
  label,
  value,
  onChange,
}: {
  label: string;
  value: string;
  onChange: (value: string) => void;
}) {
  const id = useId();
  return (
    <Labelled id={id} label={label}>
      <input
        id={id}
        {...anyDay}
        value={value}
        onChange={(event) => {
          if (event.target.value !== "") onChange(event.target.value);
        }}
      />
    </Labelled>
  );
}
export function Figure({
  label,
  value,
  onChange,
}: {
  label: string;
  value: number;
  onChange: (value: number) => void;
}) {
  const id = useId();
  return (
    <Labelled id={id} label={label}>
      <input
        id={id}
        type="number"
        className="num"
        value={value}
        step="any"
        onChange={(event) =>
          onChange(Number.isFinite(event.target.valueAsNumber) ? event.target.valueAsNumber : 0)
        }
      />
    </Labelled>
  );
}
