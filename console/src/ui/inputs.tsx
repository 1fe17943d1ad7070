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
export function Text({
  label,
  value,
  options,
  onChange,
}: {
  label: string;
  value: string;
  /** What may be chosen, as it is or with what it is called. */
  options: readonly (string | readonly [string, string])[];
  onChange: (value: string) => void;
}) {
  const id = useId();
  return (
    <Labelled id={id} label={label}>
      <input
        id={id}
        value={value}
        list={`${id}-list`}
        maxLength={200}
        autoComplete="off"
        onChange={(event) => onChange(event.target.value)}
      />
      <datalist id={`${id}-list`}>
        {options.map((one) =>
          typeof one === "string" ? (
            <option key={one} value={one} />
          ) : (
            <option key={one[0]} value={one[0]} label={one[1]} />
          ),
        )}
      </datalist>
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
