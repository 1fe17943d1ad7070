// The parts of a condition that somebody sets: each a labelled input, with what may be chosen.
import { useId, type ReactNode } from "react";

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
/** What may be typed, with what it is called. */
export type Named = { code: string; name: string };
export function Text({
  label,
  value,
  options,
  hint,
  most = 200,
  onChange,
}: {
  label: string;
  value: string;
  options: readonly (string | Named)[];
  hint?: string;
  /** Characters, at most. */
  most?: number;
  onChange: (value: string) => void;
}) {
  const id = useId();
  return (
    <Labelled id={id} label={label}>
      <input
        id={id}
        value={value}
        list={options.length > 0 ? `${id}-list` : undefined}
        maxLength={most}
        autoComplete="off"
        aria-describedby={hint ? `${id}-says` : undefined}
        onChange={(event) => onChange(event.target.value)}
      />
      {options.length > 0 && (
        <datalist id={`${id}-list`}>
          {options.map((one) =>
            typeof one === "string" ? (
              <option key={one} value={one} />
            ) : (
              <option key={one.code} value={one.code} label={one.name} />
            ),
          )}
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
        type="date"
        value={value}
        min="1990-01-01"
        max="2200-12-31"
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
